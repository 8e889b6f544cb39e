"""How a debtor behaves on a day on which something is due: 9.5, once for arrays and once for one person; both say the same.

All amounts in yuan. `slack` is cash less bare living cost (C - L), `due` what is owed that day (D).
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from puhui_town.people.assumptions import Assumptions

Floats = NDArray[np.float64]


class Keeps(Enum):
    """What a resident leaves in the account before the lender collects."""

    WHOLE = "whole"
    PART = "part"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Rule:
    """The numbers of 9.5."""

    base: float
    slack: float
    prudence: float
    honesty: float
    part: float
    forget: float
    after_90: float
    living_days: float

    @classmethod
    def of(cls, a: Assumptions) -> "Rule":
        return cls(**{name: a.number(f"repay.{name}") for name in cls.__slots__})


def will(rule: Rule, prudence: Floats, honesty: Floats) -> Floats:
    """The part of the logit that stays with a person."""
    return rule.base + rule.prudence * prudence + rule.honesty * honesty


def chance(rule: Rule, slack: Floats, due: Floats, mind: Floats, days_late: NDArray[np.int64] | int) -> Floats:
    """Chance of keeping the whole, where slack >= due > 0; elsewhere meaningless."""
    logit = mind + rule.slack * np.log(np.maximum(slack, 1.0) / np.maximum(due, 0.01))
    late = np.where(np.asarray(days_late) > 90, rule.after_90, 1.0)
    result: Floats = late / (1 + np.exp(-logit))
    return result


def keeps(rule: Rule, *, slack: float, due: float, mind: float, days_late: int, is_halved: bool, u: float, forgets: float, reminded: bool
          ) -> Keeps:  # fmt: skip
    """One person on one day. `u` decides, `forgets` decides the slip of memory; both lie in [0, 1)."""
    if due <= 0 or (forgets < rule.forget and not reminded):
        return Keeps.NOTHING
    if slack >= due:
        logit = mind + rule.slack * math.log(max(slack, 1.0) / max(due, 0.01))
        late = rule.after_90 if days_late > 90 and not is_halved else 1.0
        return Keeps.WHOLE if u < late / (1 + math.exp(-logit)) else Keeps.NOTHING
    return Keeps.PART if slack > 1.0 and u < rule.part else Keeps.NOTHING


def spend(cash: float, flow: float, buffer: float, spend_down: float, credit: float) -> float:
    """Cash a day later: what must come and go, then what is spent by choice above the buffer, never below the credit of kin and shops."""
    cash += flow
    above = cash - buffer
    if above > 0:
        cash -= spend_down * above
    return max(cash, -credit)
