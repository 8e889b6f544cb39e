"""What is done about a late loan on a day: asked of the collection rules that are handed in, never known here.

The rules are an opened artefact of the strategy pack. They are told days late, the sum, and what was promised and pleaded; they say which act, with
which words, in which tone. Whether it may happen is for the contact gate to say.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from puhui.engines.rules import Artefact

TREATMENT, TONE = "Collection treatment", "Collection tone"
DAYS_MOST = 366
"""So far ahead is looked for the next act: beyond a year late nothing new begins by itself."""


class Act(Enum):
    """What the rules want on a day: a text, a call, handing to a listed outsourcer, proposing the write-off to two persons."""

    SMS = "sms"
    CALL = "call"
    ASSIGN = "assign"
    PROPOSE_WRITE_OFF = "propose_write_off"


@dataclass(frozen=True, slots=True)
class Planned:
    """On this day late, this act, with this template or script, in this tone (kind, plain, formal)."""

    day: int
    act: Act
    template: str
    tone: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules are told of a case beside its days late: the sum overdue (fen), whether a promise or a plea is open, how many promises were broken."""

    overdue_fen: int
    promise: str | None
    hardship: str | None
    promises_broken: int


def treat(rules: Artefact, case: Standing, days_late: int) -> Planned | None:
    """Give what the rules want for this day late, if anything."""
    told = rules.one(_row(case, days_late))
    value, tone = told.value(TREATMENT), told.value(TONE)
    if not isinstance(value, dict) or value["act"] is None:
        return None
    return Planned(days_late, Act(value["act"]), str(value["template"] or ""), str(tone))


def next_planned(rules: Artefact, case: Standing, after_day: int) -> Planned | None:
    """Give the next act after this day late, as things stand; None if nothing more is wanted. An open promise ends before that, and is left out."""
    free = Standing(case.overdue_fen, None, None, case.promises_broken)
    return next((found for day in range(after_day + 1, DAYS_MOST + 1) if (found := treat(rules, free, day))), None)


def _row(case: Standing, days_late: int) -> dict[str, object]:
    return {
        "days late": days_late,
        "late yuan": Decimal(case.overdue_fen).scaleb(-2),
        "promise": case.promise,
        "hardship": case.hardship,
        "promises broken": case.promises_broken,
    }
