"""The purse of one resident, had day by day and only when somebody looks: a pure function of his life and of what the lender moved."""

from dataclasses import dataclass, field
from datetime import date

from puhui_town.people.assumptions import Assumptions, default_population
from puhui_town.people.conduct import spend
from puhui_town.people.lives import Life, daily_flow, day_index

SETTLING_DAYS = 150
"""A purse is opened this long before the first look, with what the person likes to keep; by then the start is forgotten."""


@dataclass(slots=True)
class Purse:
    """Cash in yuan at the end of `day` (counted as in `lives`)."""

    life: Life
    day: int
    cash: float
    assumptions: Assumptions = field(repr=False)
    _flow: list[float] = field(default_factory=list, repr=False)

    @classmethod
    def opened(cls, life: Life, looked: date, assumptions: Assumptions | None = None) -> "Purse":
        purse = cls(life, max(day_index(looked) - SETTLING_DAYS, 0), life.person.buffer, assumptions or default_population())
        purse.on(looked)
        return purse

    def on(self, day: date) -> float:
        """Cash on a day; days only go on."""
        until = day_index(day)
        if until > self.day:
            if not self._flow:
                self._flow = daily_flow(self.life).tolist()
            buffer, down = self.life.person.buffer, self.assumptions.number("living.spend_down")
            credit = self.life.person.bare * self.assumptions.number("living.credit_at_shops")
            cash = self.cash
            for flow in self._flow[self.day + 1 : until + 1]:
                cash = spend(cash, flow, buffer, down, credit)
            self.cash, self.day = cash, until
        return self.cash

    def move(self, yuan: float) -> None:
        """Money that the lender paid out (+) or took (-), or that shops took."""
        self.cash += yuan

    def slack(self, day: date, living_days: float) -> float:
        """Cash less bare living: C - L of 9.5."""
        return self.on(day) - self.life.person.bare * living_days / 30.4
