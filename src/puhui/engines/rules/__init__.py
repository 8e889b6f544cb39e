"""The rules engine: DMN and FEEL, complete and exact. Pure: no database, no HTTP, no clock, no dice.

`feel` values an expression, `load` reads a DMN model, whose `decide` and `invoke` value decisions, knowledge and services. Errors in
expressions never raise: the value is None, and a diagnostic says what, where, and what to do.
"""

from puhui.engines.rules.diagnostics import Diagnostic, Result, Step
from puhui.engines.rules.door import feel, feel_with
from puhui.engines.rules.loader import load
from puhui.engines.rules.model import Model
from puhui.engines.rules.values import Date, DateTime, DaysDuration, Function, MonthsDuration, Range, Time

__all__ = [
    "Date",
    "DateTime",
    "DaysDuration",
    "Diagnostic",
    "Function",
    "Model",
    "MonthsDuration",
    "Range",
    "Result",
    "Step",
    "Time",
    "feel",
    "feel_with",
    "load",
]
