"""A resident who owes: what he leaves in the account on a day on which something is due, and what he remembers of it."""

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from puhui_town.people.assumptions import Assumptions, default_population
from puhui_town.people.conduct import Keeps, Rule, keeps
from puhui_town.people.lives import DAYS, Life, day_index
from puhui_town.people.purse import Purse
from puhui_town.people.streams import stream

PART_OF_SLACK = 0.6


@dataclass(slots=True)
class Debtor:
    """One resident and his purse. Nothing here depends on how often it is asked about the same day."""

    life: Life
    purse: Purse
    assumptions: Assumptions = field(repr=False)
    _dice: list[list[float]] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, life: Life, looked: date, assumptions: Assumptions | None = None) -> "Debtor":
        a = assumptions or default_population()
        return cls(life, Purse.opened(life, looked, a), a)

    def leaves(self, day: date, due: float, days_late: int, *, reminder: float = 0.0, anger: float = 0.0, is_halved: bool = False) -> float:
        """Yuan left in the account for the lender that day: the slack when he means to pay all, a part of it, or nothing.

        `reminder` is what contacts of the last 48 hours add to the logit (9.6), `anger` what he holds against the lender.
        """
        rule = Rule.of(self.assumptions)
        slack = self.purse.slack(day, rule.living_days)
        traits = self.life.person.traits
        mind = rule.base + rule.prudence * traits.prudence + rule.honesty * traits.honesty + reminder - anger
        u, slip = self._thrown(day)
        match keeps(
            rule, slack=slack, due=due, mind=mind, days_late=days_late, is_halved=is_halved, u=u, forgets=slip, reminded=reminder > 0
        ):  # fmt: skip
            case Keeps.WHOLE:
                return slack
            case Keeps.PART:
                return min(PART_OF_SLACK * slack, due)
            case Keeps.NOTHING:
                return 0.0

    def _thrown(self, day: date) -> tuple[float, float]:
        if not self._dice:
            person = self.life.person
            dice = stream(person.seed, person.n, "repay").random((2, DAYS))
            self._dice = np.asarray(dice).tolist()
        k = day_index(day)
        return self._dice[0][k], self._dice[1][k]
