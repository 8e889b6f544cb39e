"""Arrears: who has fallen behind, in which stage, what is tried, what was promised, and who asked for mercy.

Words: stage, collection case, treatment, promise, hardship, outsourcer. Owns the tables of schema `arrears`.
Keeps: one open case a loan; a stage is a function of days late; a closed case is never opened again, a new one is.
"""

from puhui.rooms.arrears.operations import (
    Plan,
    answer_hardship,
    ask_hardship,
    assign,
    break_promises,
    end_case,
    erase,
    export,
    fall_behind,
    hear_payment,
    plan_today,
    promise,
    standing_of,
)
from puhui.rooms.arrears.stage import Stage, stage_of
from puhui.rooms.arrears.store import (
    CollectionCase,
    Hardship,
    cases_of,
    cases_page,
    find_hardship,
    hardships_of,
    open_cases,
    promises_of,
    propose_write_off,
    proposed_write_offs,
    stage_counts,
)
from puhui.rooms.arrears.treatment import Act, Planned, Standing, next_planned, treat

__all__ = [
    "Act",
    "CollectionCase",
    "Hardship",
    "Plan",
    "Planned",
    "Stage",
    "Standing",
    "answer_hardship",
    "ask_hardship",
    "assign",
    "break_promises",
    "cases_of",
    "cases_page",
    "end_case",
    "erase",
    "export",
    "fall_behind",
    "find_hardship",
    "hardships_of",
    "hear_payment",
    "next_planned",
    "open_cases",
    "plan_today",
    "promise",
    "promises_of",
    "propose_write_off",
    "proposed_write_offs",
    "stage_counts",
    "stage_of",
    "standing_of",
    "treat",
]
