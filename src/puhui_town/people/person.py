"""Who a resident is: drawn from his own streams (and those of his household and ring), never from another person."""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from puhui_town.people import papers
from puhui_town.people.assumptions import Assumptions, default_population
from puhui_town.people.places import TownPlace, gazetteer
from puhui_town.people.streams import stream

Work = Literal["farmer", "migrant", "factory", "shop_owner", "rider", "office", "casual", "none", "student"]
Label = Literal["honest", "liar", "ring", "coached"]

Floats = NDArray[np.float64]

TRAITS = ("ability", "prudence", "honesty", "numeracy", "patience", "trust", "digital")
SOURCES = ("telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device", "farm")
AGES_AT = 2026
LANE = 12
"""Residents are seated in lanes of twelve; a lane's stream cuts them into households."""
_MODELS = (("HW-Y7", 4096), ("RM-9A", 2048), ("OP-A5", 3072), ("VI-Y20", 4096), ("JL-M30", 6144), ("MI-K40", 8192), ("CP-T1", 1536))
_SCREENS = (360, 393, 412, 430)
_AGE_RANGE = {"farmer": (28, 66), "migrant": (20, 55), "factory": (20, 52), "shop_owner": (25, 60), "rider": (20, 48),
              "office": (22, 55), "casual": (22, 62), "none": (20, 66), "student": (18, 22)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traits:
    """What nobody sees: standard normal, correlated."""

    ability: float
    prudence: float
    honesty: float
    numeracy: float
    patience: float
    trust: float
    digital: float


@dataclass(frozen=True, slots=True)
class Phone:
    """A telephone set: `slow` is the share of sessions under 400 kbit/s."""

    device_id: str
    os: str
    model: str
    memory_mb: int
    screen_px: int
    slow: float


@dataclass(frozen=True, slots=True)
class Household:
    """Who lives together: `adults` are residents of the run, `dependents` are not."""

    number: str
    adults: int
    seat: int
    dependents: int
    one_purse: bool
    first: int
    """The resident whose phone a family shares."""


@dataclass(frozen=True, slots=True)
class Person:
    """One resident. Amounts in yuan are the town's private life and never leave it; whatever leaves is whole fen."""

    n: int
    seed: str
    name: str
    man: bool
    born: date
    id_number: str
    home: TownPlace
    living: TownPlace
    traits: Traits
    work: Work
    is_minor: bool
    household: Household
    phones: tuple[Phone, ...]
    shares_phone: bool
    cards: int
    payday: int
    sources: frozenset[str]
    is_white: bool
    base_log: float
    """Log of the usual monthly income in yuan."""
    bare: float
    """Bare living cost in yuan a month."""
    buffer: float
    """What the person likes to keep, in yuan."""
    outside_service: float
    """What other lenders take, in yuan a month."""
    reservation_ppm: int
    """Private reservation rate: a quote above it is declined."""
    entry_habit: float
    """In [0, 1): the place of the habitual entry in the list of entries."""
    label: Label
    ring: int | None = None
    ring_size: int = 0
    dormitory: str = ""
    village_shop: str = ""
    card_offset: int = field(default=0, repr=False)

    @property
    def key(self) -> str:
        return f"n{self.n}"

    def age(self, today: date) -> int:
        return today.year - self.born.year - ((today.month, today.day) < (self.born.month, self.born.day))

    @property
    def face(self) -> int:
        return (self.n * 2_654_435_761 + 97) % 2**32

    @property
    def card_face(self) -> int:
        return (self.n * 2_246_822_519 + 1_013) % 2**32

    @property
    def usual_income(self) -> float:
        return float(np.exp(self.base_log))

    @property
    def is_bits(self) -> bool:
        """Money comes in bits through the month rather than on a day."""
        return self.work in {"farmer", "shop_owner", "rider", "casual"}


def draw_person(seed: str | int, n: int, assumptions: Assumptions | None = None) -> Person:
    """Draw resident n of a seed. The same seed, n and population file always give the same person."""
    return _drawn(str(seed), n, assumptions or default_population())


@lru_cache(maxsize=20_000)
def _drawn(seed: str, n: int, assumptions: Assumptions) -> Person:
    return _draw(seed, n, assumptions)


def _draw(seed: str, n: int, a: Assumptions) -> Person:
    generator = stream(seed, n, "traits")
    z, u = generator.standard_normal(20), generator.random(40)
    traits = Traits(*(float(x) for x in _factor(a) @ z[:7]))
    household = _household(seed, n, a)
    is_minor = bool(u[0] < a.number("people.minor"))
    is_student = not is_minor and bool(u[0] < a.number("people.minor") + a.number("people.student"))
    work = _work(a, u[1], is_minor=is_minor, is_student=is_student)
    home, living = _places(a, work, float(u[2]), float(u[3]), float(u[4]), float(u[5]))
    low, high = _AGE_RANGE[work]
    age = 16 + int(2 * u[6]) if is_minor else low + int((high - low + 1) * u[6])
    offset = papers.offset_of(seed)
    born = papers.birthday(n, offset, AGES_AT - age)
    man = papers.is_man(n)

    tier = a.by_name("income.tier_log")[living.level]
    base_log = (
        np.log(a.by_name("work.income_yuan")[work]) + tier - a.number("income.age_bend") * (min(age, 66) - 42) ** 2
        + a.number("income.ability") * traits.ability + a.number("income.own_spread") * z[7]
    )  # fmt: skip
    usual = float(np.exp(base_log))
    bare = (
        a.by_name("living.bare_yuan")[living.level] * (1 + a.number("living.per_dependent") * household.dependents / household.adults)
        + a.number("living.of_income") * usual
    ) * float(np.exp(a.number("living.spread") * z[8] + a.number("living.prudence") * traits.prudence))
    is_white = bool(u[7] < a.number("people.white")) or is_minor
    service = 0.0 if is_white else a.number("outside.service_of_income") * usual * float(
        np.exp(a.number("outside.service_prudence") * traits.prudence + 0.6 * z[9])
    )  # fmt: skip
    service = min(service, 0.45 * usual)
    bare = min(bare, a.number("living.bare_max") * usual - service)
    buffer = a.number("living.buffer_months") * bare * float(np.exp(a.number("living.buffer_prudence") * traits.prudence + 0.3 * z[10]))
    reservation = a.number("need.reservation_middle") * float(
        np.exp(a.number("need.reservation_sd") * (0.9 * z[11] - 0.3 * traits.numeracy - 0.3 * traits.patience))
    )  # fmt: skip
    label, ring, ring_size = _label(seed, n, a, is_minor=is_minor)
    in_dormitory = work in {"factory", "migrant"} and bool(u[8] < a.number("people.dormitory"))
    at_village_shop = living.kind == "village" and bool(u[9] < a.number("people.village_shop"))
    return Person(
        n=n, seed=seed, name=papers.name_of(float(u[10]), float(u[11]), float(u[12]), man=man), man=man, born=born,
        id_number=papers.id_number(home.address_code, born, n), home=home, living=living, traits=traits, work=work, is_minor=is_minor,
        household=household, phones=_phones(seed, n, a, u, living, ring), cards=1 + int(3 * u[13] ** 1.5),
        shares_phone=household.adults > 1 and household.seat > 0 and bool(u[14] < 2 * a.number("people.shared_phone")),
        payday=1 + int(28 * u[15]), sources=_sources(a, u, work, living), is_white=is_white, base_log=float(base_log), bare=max(bare, 150.0),
        buffer=buffer, outside_service=service, reservation_ppm=int(reservation * 1_000_000), entry_habit=float(u[16]),
        label=label, ring=ring, ring_size=ring_size,
        dormitory=f"dorm-{living.place_code[:9]}-{int(u[17] * 4)}" if in_dormitory else "",
        village_shop=f"vs-{living.place_code}" if at_village_shop else "",
    )  # fmt: skip


@lru_cache(maxsize=8)
def _factor_of(values: tuple[float, ...]) -> Floats:
    pairs = ((1, 4), (0, 3), (1, 2), (0, 6), (2, 5), (3, 6), (1, 3))
    matrix = np.eye(7)
    for (i, j), value in zip(pairs, values, strict=True):
        matrix[i, j] = matrix[j, i] = value
    factor: Floats = np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    return factor


def _factor(a: Assumptions) -> Floats:
    names = ("prudence_patience", "ability_numeracy", "prudence_honesty", "ability_digital", "honesty_trust", "numeracy_digital",
             "prudence_numeracy")  # fmt: skip
    return _factor_of(tuple(a.number(f"traits.correlation.{name}") for name in names))


def _work(a: Assumptions, u: float, *, is_minor: bool, is_student: bool) -> Work:
    if is_minor or is_student:
        return "student"
    shares = a.by_name("work.share")
    edge = u * sum(shares.values())
    for name, share in shares.items():
        edge -= share
        if edge < 0:
            return name  # type: ignore[return-value]  # the names of the file are those of Work
    return "none"


def _places(a: Assumptions, work: Work, kind: float, which: float, away: float, where: float) -> tuple[TownPlace, TownPlace]:
    """Home and living place. The shares of the file are those of living places; farmers stay in villages."""
    places = gazetteer(a)
    village, seat = a.number("place.village"), a.number("place.county_seat")
    if work == "farmer":
        home = places.villages[int(which * len(places.villages))]
        return home, home
    if work == "migrant" and away < a.number("place.migrant_lives_away"):
        return places.villages[int(which * len(places.villages))], places.cities[int(where * len(places.cities))]
    # what farmers and migrants leave over, so that all together meet the shares
    left_village = max(village - 0.18 - 0.22 * 0.15 * village, 0.02) / 0.63
    left_seat = max(seat - 0.22 * 0.15 * seat, 0.02) / 0.63
    pool = places.villages if kind < left_village else places.seats if kind < left_village + left_seat else places.cities
    home = living = pool[int(which * len(pool))]
    if away < a.number("place.others_live_away"):
        home = places.villages[int(where * len(places.villages))]
    return home, living


@lru_cache(maxsize=50_000)
def _lane(seed: str, lane: int, shares: tuple[float, ...], one_purse: float) -> tuple[Household, ...]:
    """The households of twelve neighbouring seats, by seat."""
    u = stream(seed, f"household-{lane}", "family").random(4 * LANE)
    seats: list[Household] = []
    k = 0
    while len(seats) < LANE:
        adults = 1 if u[4 * k] < shares[0] else 2 if u[4 * k] < shares[0] + shares[1] else 3
        adults = min(adults, LANE - len(seats))
        dependents = min(int(u[4 * k + 1] ** 1.3 * (2.2 + adults)), 6 - adults)
        first = lane * LANE + len(seats)
        purse = bool(u[4 * k + 2] < one_purse)
        seats += [Household(f"{lane}-{k}", adults, seat, dependents, one_purse=purse, first=first) for seat in range(adults)]
        k += 1
    return tuple(seats)


def _household(seed: str, n: int, a: Assumptions) -> Household:
    return _lane(seed, n // LANE, a.numbers("family.adults_share"), a.number("family.one_purse"))[n % LANE]


def _phones(seed: str, n: int, a: Assumptions, u: Floats, living: TownPlace, ring: int | None
            ) -> tuple[Phone, ...]:  # fmt: skip
    village = living.kind == "village"
    small = u[18] < a.number("people.small_memory_village" if village else "people.small_memory_elsewhere")
    models = [m for m in _MODELS if (m[1] < 3072) == bool(small)]
    slow = a.number("people.slow_sessions_village") if village else 0.03
    phones = []
    for k in range(2 if u[19] < a.number("people.devices_mean") - 1 else 1):
        model, memory = models[int(u[20 + k] * len(models))]
        device = f"dv-{papers.offset_of(seed) % 65_521:04x}-{n:07d}-{k}"
        phones.append(Phone(device, "android-11" if memory < 3072 else "android-14", model, memory, _SCREENS[int(u[22] * 4)], slow))
    if ring is not None:  # a ring's members pass a few telephones round
        shared = f"dv-{papers.offset_of(seed) % 65_521:04x}-ring{ring}-{int(u[23] * 4)}"
        phones = [Phone(shared, "android-11", "RM-9A", 4096, 412, 0.0)]
    return tuple(phones)


def _sources(a: Assumptions, u: Floats, work: Work, living: TownPlace) -> frozenset[str]:
    shopping = a.number("has_source.shopping_village") if living.kind == "village" else a.number("has_source.shopping")
    shares = {name: a.number(f"has_source.{name}") for name in SOURCES} | {"shopping": shopping}
    shares["farm"] = a.number("has_source.farm") / 0.18 if work == "farmer" else 0.0
    if work in {"farmer", "casual", "none", "student", "rider"}:
        shares["social_insurance"] *= 0.35
    elif work in {"office", "factory"}:
        shares["social_insurance"] = min(0.95, shares["social_insurance"] * 2)
    return frozenset(name for k, name in enumerate(SOURCES) if u[24 + k] < shares[name])


def _label(seed: str, n: int, a: Assumptions, *, is_minor: bool) -> tuple[Label, int | None, int]:
    if is_minor:
        return "honest", None, 0
    ring_no, place = divmod(n, a.whole("fraud.ring_every"))
    members = ring_members(seed, ring_no, a)
    if place in members:
        return "ring", ring_no, len(members)
    u = stream(seed, n, "fraud").random(2)
    if u[0] < a.number("fraud.lone_liars"):
        return "liar", None, 0
    return ("coached" if u[1] < a.number("people.coached") else "honest"), None, 0


def ring_members(seed: str | int, ring: int, a: Assumptions) -> frozenset[int]:
    """The places (0 .. ring_every - 1) of a ring's members among its stretch of residents."""
    low, high = a.numbers("fraud.ring_size")
    return _ring(str(seed), ring, int(low), int(high), a.whole("fraud.ring_every"))


@lru_cache(maxsize=1024)
def _ring(seed: str, ring: int, low: int, high: int, every: int) -> frozenset[int]:
    generator = stream(seed, f"ring-{ring}", "fraud")
    size = low + int((high - low + 1) * generator.random())
    return frozenset(int(x) for x in generator.choice(every, size=size, replace=False))
