"""Schedules: terms and events into installments, interest and postings, to the fen. Pure; whole fen and days only.

Words: convention, terms, plan, fold, state, split, all-in rate, payoff. Two engines agree on every figure: this exact integer one,
and `twin` (Fraction, 60-digit Decimal), the slow judge.
"""

from puhui.engines.schedules.apr import NoAnnualRateError, all_in_ppm, simple_ppm
from puhui.engines.schedules.classes import AssetClass, ClassRules, asset_class, class_of_days, worst
from puhui.engines.schedules.conventions import Convention, DayCount, Part, Rounding, UnknownConventionError, convention
from puhui.engines.schedules.daycount import add_months, due_days, units, whole_months
from puhui.engines.schedules.fold import effective, fold
from puhui.engines.schedules.plan import PlannedRow, plan
from puhui.engines.schedules.splits import WHOLE_PPM, split, split_step
from puhui.engines.schedules.state import (
    Accrual,
    Allocation,
    Charge,
    Figures,
    LateStretch,
    Payee,
    Row,
    RowKind,
    Standing,
    State,
    days_late,
)
from puhui.engines.schedules.terms import (
    NOTHING,
    Charged,
    CreditPaidOut,
    Disbursed,
    Event,
    Intent,
    Method,
    Paid,
    Parts,
    Refunded,
    Restructured,
    Terms,
    Undone,
    Waived,
    WrittenOff,
)

__all__ = [
    "NOTHING",
    "WHOLE_PPM",
    "Accrual",
    "Allocation",
    "AssetClass",
    "Charge",
    "Charged",
    "ClassRules",
    "Convention",
    "CreditPaidOut",
    "DayCount",
    "Disbursed",
    "Event",
    "Figures",
    "Intent",
    "LateStretch",
    "Method",
    "NoAnnualRateError",
    "Paid",
    "Part",
    "Parts",
    "Payee",
    "PlannedRow",
    "Refunded",
    "Restructured",
    "Rounding",
    "Row",
    "RowKind",
    "Standing",
    "State",
    "Terms",
    "Undone",
    "UnknownConventionError",
    "Waived",
    "WrittenOff",
    "add_months",
    "all_in_ppm",
    "asset_class",
    "class_of_days",
    "convention",
    "days_late",
    "due_days",
    "effective",
    "fold",
    "plan",
    "simple_ppm",
    "split",
    "split_step",
    "units",
    "whole_months",
    "worst",
]
