"""The gazetteer of the town: 8 cities, 40 counties, each county with a seat and its villages. None exists: all codes start with 79."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from puhui_town.people.assumptions import Assumptions, default_population

Kind = Literal["city", "county_seat", "village"]

VERSION = "places-1"
CITIES = 8
COUNTIES_PER_CITY = 5
_STEMS = "甲乙丙丁戊己庚辛"
_DIGITS = "一二三四五"
_VILLAGES = ("东头", "西岭", "南河", "北坡", "中湾", "前岗", "后塘", "上坝", "下寨", "大柳")
_QUARTERS = ("老城", "新区", "河东", "火车站")


@dataclass(frozen=True, slots=True)
class TownPlace:
    """One place: `place_code` of 12 digits, of which the first 6 are the address code."""

    place_code: str
    kind: Kind
    name: str
    tier: int | None = None

    @property
    def address_code(self) -> str:
        return self.place_code[:6]

    @property
    def level(self) -> str:
        """The name under which the population file speaks of such places: `city_1`, `county_seat`, `village`."""
        return f"city_{self.tier}" if self.kind == "city" else self.kind


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """All places of a population, by kind."""

    cities: tuple[TownPlace, ...]
    seats: tuple[TownPlace, ...]
    villages: tuple[TownPlace, ...]

    @property
    def all(self) -> tuple[TownPlace, ...]:
        return self.cities + self.seats + self.villages

    def of_kind(self, kind: Kind) -> tuple[TownPlace, ...]:
        return {"city": self.cities, "county_seat": self.seats, "village": self.villages}[kind]


def gazetteer(assumptions: Assumptions | None = None) -> Gazetteer:
    """The places of the town, always in the same order."""
    chosen = assumptions or default_population()
    return _gazetteer(tuple(int(t) for t in chosen.numbers("place.city_tiers")), chosen.whole("place.villages_per_county"))


@cache
def _gazetteer(tiers: tuple[int, ...], villages_per_county: int) -> Gazetteer:
    cities, seats, villages = [], [], []
    for c in range(CITIES):
        city = f"{_STEMS[c]}州市"
        cities += [
            TownPlace(f"79{c + 1:02d}01{q + 1:03d}001", "city", f"{city}{quarter}", tier=tiers[c]) for q, quarter in enumerate(_QUARTERS)
        ]
        for k in range(COUNTIES_PER_CITY):
            code, county = f"79{c + 1:02d}{21 + k}", f"{_STEMS[c]}{_DIGITS[k]}县"
            seats.append(TownPlace(f"{code}100001", "county_seat", f"{county}城关镇"))
            villages += [
                TownPlace(f"{code}{101 + v:03d}201", "village", f"{county}{_VILLAGES[(v + 3 * k + c) % len(_VILLAGES)]}村")
                for v in range(villages_per_county)
            ]
    return Gazetteer(tuple(cities), tuple(seats), tuple(villages))


def office_of(address_code: str) -> str:
    """Who issued an id card there, as its back says."""
    c, k = int(address_code[2:4]) - 1, int(address_code[4:6])
    return f"{_STEMS[c]}州市公安局" if k < 21 else f"{_STEMS[c]}{_DIGITS[k - 21]}县公安局"
