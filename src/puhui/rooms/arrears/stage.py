"""Stages of falling behind.

A stage is a function of days late alone: M0 not late, M1 1..30, M2 31..60, ... M6 151..180, M7 beyond. What is done is for the rules to say (`treatment`).
"""

from enum import Enum


class Stage(Enum):
    M0 = "M0"
    M1 = "M1"
    M2 = "M2"
    M3 = "M3"
    M4 = "M4"
    M5 = "M5"
    M6 = "M6"
    M7 = "M7"


def stage_of(days_late: int) -> Stage:
    """Give the stage of a loan by its days late (0 or more)."""
    assert days_late >= 0, days_late
    return Stage(f"M{min(-(-days_late // 30), 7)}")
