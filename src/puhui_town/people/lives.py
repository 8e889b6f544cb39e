"""Income, living cost and shocks, month by month: 9.3, for one resident or for many possible futures of many residents at once.

Months are counted from January 2021 (`MONTH_ZERO`); a life is drawn for twelve years, so that any run of the clock finds it there.
The same functions make the real life of a resident and the futures from which the true probability of default is counted.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from puhui_town.people.assumptions import Assumptions, default_population
from puhui_town.people.person import Person
from puhui_town.people.streams import stream

Floats = NDArray[np.float64]
Yes = NDArray[np.bool_]

MONTH_ZERO = date(2021, 1, 1)
MONTHS = 144
DAY_ZERO = MONTH_ZERO.toordinal()
DAYS = date(2033, 1, 1).toordinal() - DAY_ZERO
SHOCKS = ("job_lost", "illness", "family_event", "harvest_lost", "moved", "phone_lost", "windfall")
WORKS = ("farmer", "migrant", "factory", "shop_owner", "rider", "office", "casual", "none", "student")
_SHARED = ("illness", "family_event")
JOB_LOST, ILLNESS, FAMILY_EVENT, HARVEST_LOST, MOVED, PHONE_LOST, WINDFALL = range(7)

_DATES = np.arange(DAYS) + np.datetime64(MONTH_ZERO, "D")
MONTH_OF_DAY = (_DATES.astype("datetime64[M]") - np.datetime64(MONTH_ZERO, "M")).astype(np.int64)
DOM_OF_DAY = (_DATES - _DATES.astype("datetime64[M]")).astype(np.int64) + 1


def month_index(day: date) -> int:
    return (day.year - MONTH_ZERO.year) * 12 + day.month - 1


def day_index(day: date) -> int:
    return day.toordinal() - DAY_ZERO


def day_of(index: int) -> date:
    return date.fromordinal(DAY_ZERO + index)


@dataclass(frozen=True, slots=True)
class Wants:
    """What the lives of some residents stand on: arrays that broadcast against (…, months)."""

    work: NDArray[np.int64]
    usual: Floats
    bare: Floats
    insured: Yes
    adults: NDArray[np.int64]

    @classmethod
    def of(cls, people: list[Person], shape: tuple[int, ...] = (1,)) -> "Wants":
        """`shape` is appended to the axis of people, so that (people, 1) or (people, 1, 1) comes out."""
        size = (len(people), *shape)
        return cls(
            work=np.array([WORKS.index(p.work) for p in people]).reshape(size),
            usual=np.array([p.usual_income for p in people]).reshape(size),
            bare=np.array([p.bare for p in people]).reshape(size),
            insured=np.array(["social_insurance" in p.sources for p in people]).reshape(size),
            adults=np.array([p.household.adults for p in people]).reshape(size),
        )


@dataclass(frozen=True, slots=True)
class Months:
    """What happens to the money, month by month: arrays (…, months) in yuan, and the shocks (…, months, 7)."""

    income: Floats
    cost: Floats
    windfall: Floats
    shocks: Yes
    out_of_work: Yes
    drift: Floats
    """a_t of 9.3."""


@dataclass(frozen=True, slots=True)
class Dice:
    """The chance that a stretch of months takes: normals (…, months, 3) and uniforms (…, months, 7 + 4)."""

    normal: Floats
    uniform: Floats
    shared: Floats | None = None
    """Uniforms (…, months, 4) that all of a household read: hits and sizes of what strikes them together."""


@lru_cache(maxsize=16)
def town_factor(seed: str, assumptions: Assumptions) -> Floats:
    """The town-wide factor of log income, by month."""
    steps = stream(seed, "town", "income").standard_normal(MONTHS) * assumptions.number("income.town_sd")
    return _drift(steps, assumptions.number("income.town_persistence"), np.zeros(1))


@lru_cache(maxsize=4)
def seasons(assumptions: Assumptions) -> Floats:
    """Log income by work and calendar month, (works, 12), with mean 1 of its exponential."""
    table = np.ones((len(WORKS), 12))
    harvest = [int(m) - 1 for m in assumptions.numbers("income.harvest_months")]
    share = assumptions.number("income.harvest_share")
    table[0] = 12 * (1 - share) / (12 - len(harvest))
    table[0, harvest] = 12 * share / len(harvest)
    table[1] = (0.75, 0.45, 1.0, 1.08, 1.1, 1.1, 1.08, 1.08, 1.1, 1.1, 1.08, 1.08)
    table[2] = (1.0, 0.8, 1.0, 1.0, 1.0, 1.02, 1.02, 1.02, 1.02, 1.04, 1.04, 1.04)
    table[3] = (1.25, 1.1, 0.9, 0.95, 0.98, 0.98, 0.95, 0.95, 0.98, 1.0, 0.98, 0.98)
    table[5, 0] = 1.3
    table[5, 1:] = 10.7 / 11
    return np.log(table)


def live_months(wants: Wants, dice: Dice, first: int, a: Assumptions, *, town: Floats, drift_before: Floats | float = 0.0) -> Months:
    """Let months first, first + 1, … happen. `town` has one entry for each of them."""
    months = dice.normal.shape[-2]
    calendar = np.arange(first, first + months) % 12
    works = [*WORKS]
    noise = np.array([a.by_name("work.noise")[w] for w in works])[wants.work]
    loading = np.array([a.by_name("work.town_loading")[w] for w in works])[wants.work]
    drift = _drift(dice.normal[..., 0] * a.number("income.drift_sd"), a.number("income.persistence"), drift_before)
    season = seasons(a)[wants.work, calendar]
    uncertain = drift - _half_variance(a) + noise * dice.normal[..., 1] - noise**2 / 2 + loading * town
    smooth = np.exp(uncertain) * wants.usual
    income = smooth * np.exp(season)

    shocks, sizes = _shocks(wants, dice, a)
    lost = _lasting(shocks[..., JOB_LOST], 1 + np.floor(6 * dice.uniform[..., 8]).astype(np.int64))
    left = np.where(lost, a.number("shocks.income_left"), 1.0)
    harvest = np.where(_lasting(shocks[..., HARVEST_LOST], np.full(shocks.shape[:-1], 6)) & (wants.work == 0), 0.45, 1.0)
    trouble = a.number("living.small_trouble") * np.exp(a.number("living.small_trouble_sd") * dice.normal[..., 2])
    illness = 0.5 * 12.0 ** sizes[..., 0]
    illness = illness * np.where(wants.insured, 1 - a.number("living.insured"), 1.0)
    event = 0.3 * 10.0 ** sizes[..., 1]
    cost = shocks[..., ILLNESS] * illness + shocks[..., FAMILY_EVENT] * event + shocks[..., PHONE_LOST] * 0.2 + shocks[..., MOVED] * 0.3
    windfall = shocks[..., WINDFALL] * 0.5 * 8.0 ** dice.uniform[..., 9]
    return Months(
        income=np.where(wants.work == 0, _smoothed(income * harvest, 12), income * left),
        cost=(trouble + cost * _kin(shocks, a)) * wants.usual, windfall=windfall * wants.usual, shocks=shocks, out_of_work=lost, drift=drift,
    )  # fmt: skip


def _half_variance(a: Assumptions) -> float:
    return a.number("income.drift_sd") ** 2 / (2 * (1 - a.number("income.persistence") ** 2))


def _drift(steps: Floats, persistence: float, before: Floats | float) -> Floats:
    """AR(1) along the last axis, starting from `before` (…, or one number)."""
    months = steps.shape[-1]
    lag = np.arange(months)[:, None] - np.arange(months)[None, :]
    weight = np.where(lag >= 0, persistence ** np.maximum(lag, 0), 0.0)
    start = np.asarray(before)[..., None] * persistence ** np.arange(1, months + 1)
    result: Floats = steps @ weight.T + start
    return result.reshape(steps.shape)


def _shocks(wants: Wants, dice: Dice, a: Assumptions) -> tuple[Yes, Floats]:
    """Which shock in which month, and the sizes of illness and family event as uniforms."""
    hazards = np.array([a.number(f"shocks.per_month.{name}") for name in SHOCKS])
    spread = a.number("shocks.household_spread")
    own = np.broadcast_to(hazards, (*wants.work.shape, 7)).copy()
    own[..., HARVEST_LOST] = np.where(wants.work == 0, own[..., HARVEST_LOST], 0.0)
    own[..., JOB_LOST] = np.where(np.isin(wants.work, (1, 2, 4, 5, 6)), own[..., JOB_LOST], 0.0)
    sizes = np.stack([dice.uniform[..., 7], dice.uniform[..., 10]], axis=-1)
    if dice.shared is None:
        return dice.uniform[..., :7] < own, sizes
    together = (wants.adults > 1)[..., None]
    for k, kind in enumerate(_SHARED):
        own[..., SHOCKS.index(kind)] *= np.where(together[..., 0], 1 - spread, 1.0)
        assert kind in SHOCKS, k
    shocks = dice.uniform[..., :7] < own
    for k, kind in enumerate(_SHARED):
        which = SHOCKS.index(kind)
        struck = (dice.shared[..., k] < spread * hazards[which]) & together[..., 0]
        shocks[..., which] |= struck
        sizes[..., k] = np.where(struck, dice.shared[..., 2 + k], sizes[..., k])
    return shocks, sizes


def _lasting(starts: Yes, lengths: NDArray[np.int64]) -> Yes:
    """True in the months in which a spell that started in some month goes on."""
    out = starts.copy()
    for k in range(1, 6):
        out[..., k:] |= starts[..., :-k] & (lengths[..., :-k] > k)
    return out


def _smoothed(income: Floats, months: int) -> Floats:
    """What a farmer lives on: the harvest spread over the months after it, by trailing mean (the first months see fewer)."""
    total = np.cumsum(income, axis=-1)
    out = total.copy()
    out[..., months:] -= total[..., :-months]
    return out / np.minimum(np.arange(1, income.shape[-1] + 1), months)


def _kin(shocks: Yes, a: Assumptions) -> Floats:
    """What is left of a blow's cost after kin have helped; they help less each time."""
    times = np.cumsum(shocks[..., ILLNESS].astype(np.int64) + shocks[..., FAMILY_EVENT], axis=-1)
    result: Floats = 1 - a.number("family.kin_help_max") * a.number("family.kin_help_falls") ** np.maximum(times - 1, 0)
    return result


@dataclass(frozen=True, slots=True)
class Life:
    """The real life of one resident: months of twelve years, and the days on which things fall."""

    person: Person
    months: Months
    shock_day: NDArray[np.int64]
    """Day of the month (1..28) on which what happens in a month falls."""

    def shocks_between(self, since: date, until: date) -> list[tuple[date, str]]:
        """What struck the person, by day."""
        found = []
        for month, kind in np.argwhere(self.months.shocks[max(month_index(since), 0) : month_index(until) + 1]):
            m = max(month_index(since), 0) + int(month)
            day = date(MONTH_ZERO.year + m // 12, m % 12 + 1, int(self.shock_day[m]))
            if since <= day < until:
                found.append((day, SHOCKS[kind]))
        return found

    def in_hardship(self, day: date) -> bool:
        """Out of work now, or struck by illness, a lost harvest or a family event within three months."""
        m = month_index(day)
        struck = self.months.shocks[max(m - 2, 0) : m + 1]
        return bool(self.months.out_of_work[m] or struck[:, [ILLNESS, FAMILY_EVENT, HARVEST_LOST]].any())


def live(person: Person, assumptions: Assumptions | None = None) -> Life:
    """The life of a resident, the same whenever it is asked for."""
    return _live(person.seed, person.n, person, assumptions or default_population())


_LIVES: dict[tuple[str, int, str], Life] = {}
_LIVES_KEPT = 20_000


def _live(seed: str, n: int, person: Person, a: Assumptions) -> Life:
    key = (seed, n, a.sha256)
    if key not in _LIVES:
        if len(_LIVES) >= _LIVES_KEPT:
            _LIVES.clear()
        _LIVES[key] = lives_of([person], a)[0]
    return _LIVES[key]


def lives_of(people: list[Person], assumptions: Assumptions | None = None) -> list[Life]:
    """Many lives at once: equal to one by one, and quicker."""
    a = assumptions or default_population()
    normal = np.empty((len(people), MONTHS, 3))
    uniform = np.empty((len(people), MONTHS, 11))
    shared = np.empty((len(people), MONTHS, 4))
    days = np.empty((len(people), MONTHS), dtype=np.int64)
    households: dict[str, Any] = {}
    for k, p in enumerate(people):
        normal[k] = stream(p.seed, p.n, "income").standard_normal((MONTHS, 3))
        generator = stream(p.seed, p.n, "shocks")
        uniform[k] = generator.random((MONTHS, 11))
        days[k] = 1 + (28 * generator.random(MONTHS)).astype(np.int64)
        if p.household.number not in households:
            households[p.household.number] = stream(p.seed, f"household-{p.household.number}", "shocks").random((MONTHS, 4))
        shared[k] = households[p.household.number]
    town = town_factor(people[0].seed, a) if people else np.zeros(MONTHS)
    months = live_months(Wants.of(people), Dice(normal, uniform, shared), 0, a, town=town)
    return [
        Life(p, Months(*(getattr(months, name)[k] for name in Months.__slots__)), days[k]) for k, p in enumerate(people)
    ]


def daily_flow(life: Life) -> Floats:
    """Yuan that come in less yuan that must go out, for every day of twelve years; what is spent by choice is not in it."""
    person, months = life.person, life.months
    month, dom = MONTH_OF_DAY, DOM_OF_DAY
    flow = np.full(DAYS, -person.bare / 30.4)
    if person.is_bits:
        flow += months.income[month] / 30.4
    else:
        flow += np.where(dom == person.payday, months.income[month], 0.0)
    flow -= np.where(dom == min(person.payday + 3, 28), person.outside_service, 0.0)
    flow += np.where(dom == life.shock_day[month], months.windfall[month] - months.cost[month], 0.0)
    return flow


def month_start(index: int) -> date:
    return date(MONTH_ZERO.year + index // 12, index % 12 + 1, 1)
