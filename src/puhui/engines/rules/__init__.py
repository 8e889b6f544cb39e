"""The rules engine: DMN and FEEL, complete and exact. Pure: no database, no HTTP, no clock, no dice.

`feel` values an expression, `load` reads a DMN model, whose `decide` and `invoke` value decisions, knowledge and services. Errors in
expressions never raise: the value is None, and a diagnostic says what, where, and what to do.
"""

from puhui.engines.rules.analysis import Finding, Report, analyzed
from puhui.engines.rules.artefact import Artefact, compile, open_artefact  # noqa: A004  (the word of the trade)
from puhui.engines.rules.checking import checked
from puhui.engines.rules.diagnostics import Diagnostic, Result, Step
from puhui.engines.rules.door import feel, feel_with
from puhui.engines.rules.loader import load
from puhui.engines.rules.manifest import Decided, Facts, Manifest, Source, read_manifest
from puhui.engines.rules.manifest import replayed as replay_strategy
from puhui.engines.rules.manifest import run as run_strategy
from puhui.engines.rules.model import Model, inputs_of
from puhui.engines.rules.outcome import Outcome
from puhui.engines.rules.refusals import (
    BadInput,
    BadManifest,
    DamagedArtefact,
    MissingInput,
    PolicyFails,
    UnknownDecision,
    UnreadableFile,
    UnreadableSheet,
)
from puhui.engines.rules.scenarios import run_scenarios
from puhui.engines.rules.values import Date, DateTime, DaysDuration, Function, MonthsDuration, Range, Time, literal
from puhui.engines.rules.writing import published, written

__all__ = [
    "Artefact",
    "BadInput",
    "BadManifest",
    "DamagedArtefact",
    "Date",
    "DateTime",
    "DaysDuration",
    "Decided",
    "Diagnostic",
    "Facts",
    "Finding",
    "Function",
    "Manifest",
    "MissingInput",
    "Model",
    "MonthsDuration",
    "Outcome",
    "PolicyFails",
    "Range",
    "Report",
    "Result",
    "Source",
    "Step",
    "Time",
    "UnknownDecision",
    "UnreadableFile",
    "UnreadableSheet",
    "analyzed",
    "checked",
    "compile",
    "feel",
    "feel_with",
    "inputs_of",
    "literal",
    "load",
    "open_artefact",
    "published",
    "read_manifest",
    "replay_strategy",
    "run_scenarios",
    "run_strategy",
    "written",
]
