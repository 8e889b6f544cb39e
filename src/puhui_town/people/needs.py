"""When a resident needs money, how much, what for, and through which entry he looks for it: 9.5."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from puhui_town.people.assumptions import Assumptions
from puhui_town.people.lives import FAMILY_EVENT, MONTHS, Life, month_index, month_start
from puhui_town.people.person import ring_members
from puhui_town.people.streams import stream

CHINA = timezone(timedelta(hours=8))
PURPOSES = ("daily", "appliances", "phone", "medical", "education", "farm_inputs", "repairs", "clothing", "travel", "wedding")
AMOUNT_MIN, AMOUNT_MAX, AMOUNT_STEP = 500, 50_000, 100
QUARTER = 15


@dataclass(frozen=True, slots=True)
class Need:
    """One need of money. `k` counts the months of a life; `entry` and `dice` lie in [0, 1)."""

    k: int
    at: datetime
    amount_fen: int
    months: int
    purpose: str
    entry: float
    own_entry: bool
    dice: tuple[float, ...]
    """Eight numbers for what comes up on the way (a change of mind, the second try, the network …)."""


@dataclass(frozen=True, slots=True)
class Needs:
    """All needs of one resident's twelve years; had once, looked up often."""

    life: Life
    assumptions: Assumptions
    _u: NDArray[np.float64]
    _z: NDArray[np.float64]

    @classmethod
    def of(cls, life: Life, assumptions: Assumptions) -> "Needs":
        generator = stream(life.person.seed, life.person.n, "borrow")
        return cls(life, assumptions, generator.random((MONTHS, 16)), generator.standard_normal(MONTHS))

    def next(self, after: datetime) -> Need | None:
        """The first need that arises after an instant."""
        for m in range(max(month_index(after.astimezone(CHINA).date()), 0), MONTHS):
            need = self.in_month(m)
            if need is not None and need.at > after:
                return need
        return None

    def in_month(self, m: int) -> Need | None:
        """The need of a month, if there is one."""
        a, person, u = self.assumptions, self.life.person, self._u[m]
        ring = self._ring_action(m)
        if ring is None and u[0] >= self._chance(m):
            return None
        spread = a.number("need.follows_income")
        middle = (person.base_log - 8.4) / 0.5
        size = spread * float(np.clip(middle, -2, 2)) + (1 - spread**2) ** 0.5 * float(self._z[m])
        yuan = a.number("need.median_yuan") * float(np.exp(a.number("need.sigma") * size))
        if person.label == "ring":
            yuan *= 2.5
        yuan = min(max(round(yuan / AMOUNT_STEP) * AMOUNT_STEP, AMOUNT_MIN), AMOUNT_MAX)
        return Need(
            k=m, at=ring or self._instant(m, u), amount_fen=yuan * 100, months=self._months(yuan, float(u[3])),
            purpose=PURPOSES[int(len(PURPOSES) * u[4] ** 1.5)], entry=float(u[5]), own_entry=bool(u[6] < a.number("need.own_entry")),
            dice=tuple(float(x) for x in u[8:16]),
        )  # fmt: skip

    def _chance(self, m: int) -> float:
        a = self.assumptions
        struck = self.life.months.shocks[max(m - 1, 0) : m + 1, FAMILY_EVENT].any()
        return a.number("need.per_month") * (a.number("need.after_family_event") if struck else 1.0)

    def _months(self, yuan: float, u: float) -> int:
        a = self.assumptions
        choices, shares = [int(m) for m in a.numbers("need.months")], a.numbers("need.months_share")
        k = int(np.searchsorted(np.cumsum(shares), u * sum(shares)))
        k = min(k, len(choices) - 1)
        while k < len(choices) - 1 and yuan / choices[k] > a.number("need.installment_max") * self.life.person.usual_income:
            k += 1
        return choices[k]

    def _instant(self, m: int, u: NDArray[np.float64]) -> datetime:
        """Between 06:30 and 21:30 on a day of the month, at a quarter of an hour."""
        first = month_start(m)
        days = (month_start(m + 1) if m + 1 < MONTHS else date(first.year + 1, 1, 1)) - first
        minute = 6 * 60 + 30 + QUARTER * int(61 * u[2])
        return datetime.combine(first, time(), CHINA) + timedelta(days=int(days.days * u[1]), minutes=minute)

    def _ring_action(self, m: int) -> datetime | None:
        """The hour in which a member of a ring strikes, if his ring strikes in this month: all within 72 hours, once a year."""
        person = self.life.person
        if person.ring is None:
            return None
        generator = stream(person.seed, f"ring-{person.ring}", "borrow")
        starts = [12 * year + int(12 * u) for year, u in enumerate(generator.random(MONTHS // 12))]
        days = (1 + 24 * generator.random(MONTHS // 12)).astype(int).tolist()
        if m != starts[m // 12]:
            return None
        members = sorted(ring_members(person.seed, person.ring, self.assumptions))
        place = members.index(person.n % self.assumptions.whole("fraud.ring_every"))
        hours = self.assumptions.number("fraud.ring_hours") * (place + 0.5) / len(members)
        day, hour = divmod(hours, 24)
        minute = 6 * 60 + 30 + QUARTER * int(60 * hour / 24)
        return datetime.combine(month_start(m), time(), CHINA) + timedelta(days=days[m // 12] + int(day), minutes=minute)
