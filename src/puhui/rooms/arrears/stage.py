"""Stages of falling behind, and what is done in each: a plan of days, as data, and the rules that stop it.

A stage is a function of days late alone: M0 not late, M1 1..30, M2 31..60, ... M6 151..180, M7 beyond. The plan says on which day late which
contact is wanted; whether it may happen is for the contact gate to say.
"""

from dataclasses import dataclass
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


class Act(Enum):
    """What the plan wants on a day: a text, a call, handing to a listed outsourcer, proposing the write-off to two persons."""

    SMS = "sms"
    CALL = "call"
    ASSIGN = "assign"
    PROPOSE_WRITE_OFF = "propose_write_off"


@dataclass(frozen=True, slots=True)
class Planned:
    """One line of the plan: on this day late, this act, with this template or script."""

    day: int
    act: Act
    template: str


PLAN = (
    Planned(1, Act.SMS, "arrears.first-day"),
    Planned(3, Act.SMS, "arrears.help-offer"),
    Planned(5, Act.CALL, "arrears.call-m1"),
    Planned(10, Act.SMS, "arrears.ways-to-pay"),
    Planned(15, Act.CALL, "arrears.call-m1"),
    Planned(22, Act.SMS, "arrears.bureau-ahead"),
    Planned(31, Act.CALL, "arrears.call-m2"),
    Planned(38, Act.SMS, "arrears.help-offer"),
    Planned(45, Act.CALL, "arrears.call-m2"),
    Planned(61, Act.CALL, "arrears.call-m3"),
    Planned(75, Act.SMS, "arrears.help-offer"),
    Planned(91, Act.ASSIGN, ""),
    Planned(95, Act.CALL, "arrears.call-m4"),
    Planned(121, Act.CALL, "arrears.call-m4"),
    Planned(151, Act.CALL, "arrears.call-m4"),
    Planned(181, Act.PROPOSE_WRITE_OFF, ""),
)


def stage_of(days_late: int) -> Stage:
    """Give the stage of a loan by its days late (0 or more)."""
    assert days_late >= 0, days_late
    return Stage(f"M{min(-(-days_late // 30), 7)}")


def next_planned(after_day: int) -> Planned | None:
    """Give the next line of the plan after this day late; None when the plan is at its end."""
    return next((line for line in PLAN if line.day > after_day), None)


def planned_on(day: int) -> tuple[Planned, ...]:
    return tuple(line for line in PLAN if line.day == day)
