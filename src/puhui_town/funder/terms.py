"""What a funder wants: its terms, drawn once from the data file and the run's seed, and changed by itself every few days."""

import hashlib
import tomllib
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec

from puhui_town.wire import SHANGHAI, instant

DATA: dict[str, Any] = tomllib.loads((Path(__file__).parent / "terms.toml").read_text("utf-8"))
WHOLE_PPM = 1_000_000


class Terms(msgspec.Struct, frozen=True):
    """A funder's terms. `opens` and `closes` are minutes of the day; `version` grows with every change."""

    version: int
    since_ms: int
    day_quota_fen: int
    total_fen: int
    share_min_ppm: int
    share_max_ppm: int
    rate_min_ppm: int
    rate_max_ppm: int
    terms_months: list[int]
    regions_allowed: list[str]
    age_min: int
    age_max: int
    bands: list[str]
    region_share_max_ppm: int
    band_share_max_ppm: int
    opens: int
    closes: int

    @property
    def name(self) -> str:
        """The version as it stands on the wire."""
        return f"v{self.version}"

    def is_open(self, at: datetime) -> bool:
        return self.opens <= _minute(at) < self.closes

    def next_opening(self, at: datetime) -> datetime:
        """Give the instant at which a closed funder opens again."""
        day = at.astimezone(SHANGHAI).date()
        if _minute(at) >= self.opens:
            day += timedelta(days=1)
        return datetime.combine(day, time(self.opens // 60, self.opens % 60), SHANGHAI)

    def closing(self, at: datetime) -> datetime:
        """Give the end of the opening hours of that day."""
        day = datetime.combine(at.astimezone(SHANGHAI).date(), time(0), SHANGHAI)
        return day + timedelta(minutes=self.closes)

    def told(self, at: datetime, *, since: datetime, day_left_fen: int, total_left_fen: int) -> dict[str, object]:
        """Give what `GET /funder/P/v1/terms` answers."""
        body: dict[str, object] = {
            "version": self.name, "since": instant(since), "open": self.is_open(at), "closes_at": instant(self.closing(at)),
            "day_quota_fen": self.day_quota_fen, "day_left_fen": day_left_fen, "total_left_fen": total_left_fen,
            "share_min_ppm": self.share_min_ppm, "share_max_ppm": self.share_max_ppm, "rate_min_ppm": self.rate_min_ppm,
            "rate_max_ppm": self.rate_max_ppm, "terms_months": self.terms_months, "regions_allowed": self.regions_allowed,
            "age_min": self.age_min, "age_max": self.age_max, "bands": self.bands, "region_share_max_ppm": self.region_share_max_ppm,
            "band_share_max_ppm": self.band_share_max_ppm,
        }  # fmt: skip
        if not self.is_open(at):
            body["opens_at"] = instant(self.next_opening(at))
        return body


def partners() -> list[str]:
    """Give the ids of all funders."""
    return [f"funder-{n:02d}" for n in range(1, sum(family["count"] for family in DATA["family"]) + 1)]


def first_terms(seed: int, partner: str, since_ms: int) -> Terms:
    """Draw a funder's terms at the beginning of a run."""
    family = _family(partner)
    draw = _Draw(seed, partner)
    opens, closes = draw.one_of("hours", family["hours"])
    return Terms(
        version=1,
        since_ms=since_ms,
        day_quota_fen=draw.between("day_quota", family["day_quota_fen"], 1_000_000),
        total_fen=draw.between("total", family["total_fen"], 10_000_000),
        share_min_ppm=draw.between("share_min", family["share_min_ppm"], 50_000),
        share_max_ppm=draw.between("share_max", family["share_max_ppm"], 50_000),
        rate_min_ppm=draw.between("rate_min", family["rate_min_ppm"], 1_000),
        rate_max_ppm=draw.between("rate_max", family["rate_max_ppm"], 1_000),
        terms_months=draw.one_of("months", family["months"]),
        regions_allowed=_regions(draw, family["regions"]),
        age_min=draw.between("age_min", family["age_min"], 1),
        age_max=draw.between("age_max", family["age_max"], 1),
        bands=draw.one_of("bands", family["bands"]),
        region_share_max_ppm=draw.between("region_share", family["region_share_max_ppm"], 10_000),
        band_share_max_ppm=draw.between("band_share", family["band_share_max_ppm"], 10_000),
        opens=_minutes(opens),
        closes=_minutes(closes),
    )


def next_change(seed: int, partner: str, terms: Terms, at: datetime) -> datetime:
    """Give the instant at which a funder will change these terms."""
    draw = _Draw(seed, f"{partner}|{terms.version}")
    days = draw.between("days", DATA["change_days"], 1)
    hour = draw.between("hour", DATA["change_hours"], 1)
    day = at.astimezone(SHANGHAI).date() + timedelta(days=days)
    return datetime.combine(day, time(hour, draw.between("minute", [0, 59], 1)), SHANGHAI)


def changed(seed: int, partner: str, terms: Terms, at_ms: int) -> Terms:
    """Give the terms after a change of the funder's own: another quota for the day."""
    draw = _Draw(seed, f"{partner}|{terms.version}")
    scale = draw.between("scale", DATA["change_quota_ppm"], 10_000)
    return cut(terms, WHOLE_PPM - scale, at_ms)


def cut(terms: Terms, cut_ppm: int, at_ms: int) -> Terms:
    """Give the next version of the terms, with the day's quota cut by a share (raised, below 0)."""
    quota_fen = max(terms.day_quota_fen * (WHOLE_PPM - cut_ppm) // WHOLE_PPM, 0)
    return msgspec.structs.replace(terms, version=terms.version + 1, since_ms=at_ms, day_quota_fen=quota_fen)


def is_declined(seed: int, partner: str, loan_id: str) -> bool:
    """Say whether a loan is on the funder's black list; asked again, it still is."""
    return _number(f"{seed}|{partner}|declined|{loan_id}") % WHOLE_PPM < int(DATA["declined_per_million"])


class _Draw:
    """Draws of one funder, each by name, so that none depends on another."""

    def __init__(self, seed: int, partner: str) -> None:
        self._stem = f"{seed}|{partner}"

    def between(self, name: str, span: Sequence[int], step: int) -> int:
        low, high = span
        return low + _number(f"{self._stem}|{name}") % ((high - low) // step + 1) * step

    def one_of(self, name: str, values: Sequence[Any]) -> Any:
        return values[_number(f"{self._stem}|{name}") % len(values)]


def _family(partner: str) -> dict[str, Any]:
    n = int(partner.removeprefix("funder-"))
    for family in DATA["family"]:
        if n <= family["count"]:
            return dict(family)
        n -= family["count"]
    raise KeyError(partner)


def _regions(draw: _Draw, kind: str) -> list[str]:
    cities: list[str] = DATA["places"]["cities"]
    first = draw.between("first_city", [0, len(cities) - 1], 1)
    if kind == "all":
        return []
    if kind == "cities":
        count = draw.between("cities", [2, 3], 1)
        return sorted(cities[(first + 3 * k) % len(cities)] for k in range(count))
    own = [cities[(first + k) % len(cities)] for k in range(4)]
    return sorted(f"{city}{county}" for city in own for county in DATA["places"]["counties_per_city"])


def _minutes(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def _minute(at: datetime) -> int:
    local = at.astimezone(SHANGHAI)
    return local.hour * 60 + local.minute


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
