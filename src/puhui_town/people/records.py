"""What eight sources record of a resident's life: 9.4, made when somebody asks, a calendar year at a time, and kept.

A year of a source is a stretch of its own of the stream `events:{source}`, so it is the same whatever was asked before. Instants are
whole seconds of the wall clock in China. Rates follow the life (income, blows, work) and the traits, through noise.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from puhui_town.people.lives import FAMILY_EVENT, HARVEST_LOST, ILLNESS, MONTH_ZERO, PHONE_LOST, Life
from puhui_town.people.streams import stream

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]

PAGE = 1000
MOST_A_MONTH = 38.5
"""So that two years of the busiest source fit on one page."""
YEARS = 12
CHINA_S = 8 * 3600
_EPOCH_S = int((np.datetime64(MONTH_ZERO, "s") - np.datetime64("1970-01-01T00:00:00", "s")).astype(np.int64))


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event: mean a month, how often at most (`once` a month or Poisson), and how strain and weakness move its rate."""

    name: str
    rate: float
    once: bool = False
    strain: float = 0.0
    weak: float = 0.0
    amount: float = 0.0
    """Middle amount as a share of the month's income; 0 for kinds without an amount."""
    spread: float = 0.5
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class SourceKinds:
    """A source: its kinds, how long it takes to know (seconds, middle), how many of its events are corrected later, the hours of the day."""

    kinds: tuple[Kind, ...]
    lag_s: float
    revised: float
    hours: str


_WHO = ("cp-01", "cp-02", "cp-03", "cp-04", "cp-05", "cp-06", "cp-07", "cp-08", "cp-09", "cp-10", "cp-11", "cp-12")
_GOODS = ("food", "clothes", "household", "electronics", "mother_baby", "farm_supplies", "medicine")
_APPS = ("chat", "video", "shopping", "finance", "work", "game")
_CELLS = ("c1", "c2", "c3", "c4", "c5", "c6")

SOURCE_KINDS: dict[str, SourceKinds] = {
    "telco": SourceKinds((
        Kind("top_up", 1.6, amount=0.010, spread=0.4, tags=(("channel", ("app", "shop", "card")),)),
        Kind("bill", 1.0, once=True, amount=0.012, spread=0.25, tags=(("plan", ("basic", "family", "campus")),)),
        Kind("overdue_bill", 0.08, strain=0.7, weak=0.75, amount=0.012),
        Kind("number_change", 0.01),
        Kind("call_digest", 4.0, tags=(("band", ("few", "some", "many")),)),
    ), 86_400.0, 0.0, "day"),
    "utility": SourceKinds((
        Kind("bill", 1.0, once=True, amount=0.030, spread=0.35, tags=(("service", ("power", "water", "gas")),)),
        Kind("paid_late", 0.12, strain=0.6, weak=0.7, amount=0.030),
    ), 172_800.0, 0.006, "day"),
    "shopping": SourceKinds((
        Kind("order", 4.5, strain=-0.2, amount=0.018, spread=0.8, tags=(("category", _GOODS),)),
        Kind("refund", 0.25, strain=0.2, weak=0.3, amount=0.018, tags=(("category", _GOODS),)),
        Kind("cash_on_delivery", 0.3, weak=0.2, amount=0.015, tags=(("category", _GOODS),)),
    ), 900.0, 0.004, "evening"),
    "wallet": SourceKinds((
        Kind("pay", 28.0, strain=-0.08, amount=0.0055, spread=0.9, tags=(("channel", ("qr", "online", "transit")), ("counterparty", _WHO))),
        Kind("receive", 5.0, strain=-0.15, amount=0.022, spread=0.6, tags=(("counterparty", _WHO),)),
        Kind("transfer", 4.0, strain=0.1, amount=0.020, spread=0.8, tags=(("counterparty", _WHO),)),
    ), 60.0, 0.0, "evening"),
    "bank_flow": SourceKinds((
        Kind("wage", 1.0, once=True, amount=1.0, spread=0.02),
        Kind("withdrawal", 2.2, amount=0.10, spread=0.6, tags=(("channel", ("atm", "counter", "helper")),)),
        Kind("transfer", 3.0, amount=0.07, spread=0.8, tags=(("channel", ("app", "counter")), ("counterparty", _WHO))),
        Kind("failed_debit", 0.10, strain=0.9, weak=0.6, amount=0.06),
    ), 43_200.0, 0.003, "day"),
    "social_insurance": SourceKinds((
        Kind("contribution", 0.97, once=True, amount=0.10, spread=0.02),
        Kind("gap", 0.03, strain=0.9, weak=0.1),
    ), 864_000.0, 0.0, "day"),
    "device": SourceKinds((
        Kind("app_open", 9.0, tags=(("app", _APPS),)),
        Kind("install", 1.2, strain=0.25, weak=0.25, tags=(("app", _APPS),)),
        Kind("new_device", 0.03, weak=0.15),
        Kind("location_cell", 20.0, tags=(("cell", _CELLS),)),
    ), 30.0, 0.0, "evening"),
    "farm": SourceKinds((
        Kind("placement", 0.4, amount=0.25, spread=0.3, tags=(("flock", ("broiler", "layer", "duck")),)),
        Kind("feed", 3.0, amount=0.12, spread=0.3, tags=(("flock", ("broiler", "layer", "duck")),)),
        Kind("death", 1.8, strain=0.25),
        Kind("sale", 0.8, strain=-0.2, amount=0.5, spread=0.4, tags=(("flock", ("broiler", "layer", "duck")),)),
    ), 86_400.0, 0.0, "day"),
}  # fmt: skip


@cache
def _hours(pattern: str, night: int) -> Floats:
    """Running sums over 24 hours; `night` 0..4 says how much of the night a person uses."""
    day = np.array([1, 1, 0.5, 0.5, 0.5, 1, 3, 6, 8, 9, 9, 8, 7, 7, 8, 8, 8, 8, 7, 6, 5, 4, 3, 2], dtype=np.float64)
    evening = np.array([2, 1.5, 1, 0.6, 0.6, 1, 3, 5, 6, 6, 6, 8, 8, 6, 5, 5, 6, 8, 10, 11, 11, 10, 7, 4], dtype=np.float64)
    weights = (day if pattern == "day" else evening).copy()
    weights[:5] *= (0.3, 0.6, 1.0, 1.8, 3.2)[night]
    result: Floats = np.cumsum(weights) / weights.sum()
    return result


@cache
def _days_of_month() -> Floats:
    """Running sums over 31 days: a little more at the start and at the end of the month."""
    weights = np.ones(31)
    weights[:3], weights[24:28], weights[28:] = 1.15, 1.25, 0.8
    result: Floats = np.cumsum(weights) / weights.sum()
    return result


_MONTH_START_DAY = (
    (np.arange(YEARS * 12 + 1) + np.datetime64(MONTH_ZERO, "M")).astype("datetime64[D]") - np.datetime64(MONTH_ZERO, "D")
).astype(np.int64)
_MONTH_LENGTH = np.diff(_MONTH_START_DAY)


@dataclass(slots=True)
class Rows:
    """A year of one source in columns, oldest first by (at, event_id). Seconds count from 1970 on the wall clock in China."""

    source: str
    event_id: Whole
    at_s: Whole
    known_s: Whole
    revision: Whole
    kind: Whole
    amount_fen: Whole
    """0 for kinds without an amount."""
    balance_fen: Whole
    tag: NDArray[np.int64]
    """(rows, 2): which value of the kind's first and second tag; -1 for none."""
    _warm: str = field(default="", repr=False)
    _ends: list[int] = field(default_factory=list, repr=False)

    def warm(self) -> None:
        """Make the texts of all rows now, and keep them."""
        if not self._ends and len(self.at_s):
            texts = self.texts(0, len(self.at_s))
            self._warm = ",".join(texts)
            self._ends = [0, *np.cumsum([len(text) + 1 for text in texts]).tolist()]

    def joined(self, low: int, high: int) -> str:
        """Rows low .. high - 1 as JSON with commas between."""
        if self._ends:
            return self._warm[self._ends[low] : self._ends[high] - 1]
        return ",".join(self.texts(low, high))

    def texts(self, low: int, high: int) -> list[str]:
        """Rows low .. high - 1 as JSON, as they stand on the wire."""
        cut = slice(low, high)
        heads = [f'"kind":"{kind.name}","data":' for kind in SOURCE_KINDS[self.source].kinds]
        revised = ("", '"revision":1,')
        ids, revisions, kinds = self.event_id[cut].tolist(), self.revision[cut].tolist(), self.kind[cut].tolist()
        rows = zip(ids, _stamps(self.at_s[cut]), _stamps(self.known_s[cut]), revisions, kinds, self.data(low, high), strict=True)
        return [f'{{"event_id":{e},"at":"{a}+08:00","known_at":"{k}+08:00",{revised[r]}{heads[i]}{d}}}' for e, a, k, r, i, d in rows]

    def lines(self, low: int, high: int) -> list[str]:
        """Rows low .. high - 1 as CSV: `event_id,at,known_at,kind,data`."""
        cut = slice(low, high)
        kinds = [kind.name for kind in SOURCE_KINDS[self.source].kinds]
        ids, of = self.event_id[cut].tolist(), self.kind[cut].tolist()
        data = [text.replace('"', '""') for text in self.data(low, high)]
        rows = zip(ids, _stamps(self.at_s[cut]), _stamps(self.known_s[cut]), of, data, strict=True)
        return [f'{e},{a}+08:00,{k}+08:00,{kinds[i]},"{d}"' for e, a, k, i, d in rows]

    def data(self, low: int, high: int) -> list[str]:
        """The `data` of rows low .. high - 1 as JSON."""
        cut = slice(low, high)
        firsts, seconds = _tag_texts(self.source)
        pairs = zip(self.kind[cut].tolist(), self.tag[cut, 0].tolist(), self.tag[cut, 1].tolist(), strict=True)
        tags = [firsts[k][x] + seconds[k][y] for k, x, y in pairs]
        amounts = self.amount_fen[cut].tolist()
        if self.balance_fen.size:
            return [f'{{"amount_fen":{a},"balance_fen":{b}{t}}}' for a, b, t in zip(amounts, self.balance_fen[cut].tolist(), tags, strict=True)]
        return [f'{{"amount_fen":{a}{t}}}' if a else f"{{{t[1:]}}}" for a, t in zip(amounts, tags, strict=True)]


@cache
def _tag_texts(source: str) -> tuple[list[list[str]], list[list[str]]]:
    """JSON pieces by kind and value; the last piece of each list is the empty one, found by index -1."""
    pieces: tuple[list[list[str]], list[list[str]]] = ([], [])
    for kind in SOURCE_KINDS[source].kinds:
        for place in (0, 1):
            texts = [f',"{kind.tags[place][0]}":"{value}"' for value in kind.tags[place][1]] if len(kind.tags) > place else []
            pieces[place].append([*texts, ""])
    return pieces


def _stamps(seconds: Whole) -> list[str]:
    stamps: list[str] = np.datetime_as_string(seconds.astype("datetime64[s]")).tolist()
    return stamps


@dataclass(slots=True)
class Records:
    """The records of one resident."""

    life: Life
    _years: dict[tuple[str, int], Rows] = field(default_factory=dict, repr=False)
    _strain: Floats | None = field(default=None, repr=False)

    def has(self, source: str) -> bool:
        return source in self.life.person.sources

    def page(self, source: str, since: datetime, until: datetime, as_of: datetime, cursor: str | None) -> tuple[list[str], str | None]:
        """At most 1,000 events with `since <= at < until` known by `as_of`, as JSON texts, and the cursor of the next page."""
        first, last, known = wall_seconds(since), wall_seconds(until), wall_seconds(as_of)
        skip = int(cursor) if cursor and cursor.isdigit() else 0
        texts: list[str] = []
        for rows, low, high in self.stretches(source, first, last):
            seen = rows.known_s[low:high] <= known
            found = rows.texts(low, high)
            texts += found if seen.all() else [found[k] for k in np.flatnonzero(seen).tolist()]
        chosen = texts[skip : skip + PAGE]
        return chosen, str(skip + PAGE) if len(texts) > skip + PAGE else None

    def page_json(self, source: str, since: datetime, until: datetime, as_of: datetime, cursor: str | None) -> tuple[bytes, str | None]:
        """The same as a JSON list."""
        first, last, known = wall_seconds(since), wall_seconds(until), wall_seconds(as_of)
        parts, count = [], 0
        for rows, low, high in self.stretches(source, first, last):
            seen = rows.known_s[low:high] <= known
            count += int(seen.sum())
            if seen.all():
                parts.append(rows.joined(low, high))
            else:
                parts += [rows.joined(low + k, low + k + 1) for k in np.flatnonzero(seen).tolist()]
        if cursor or count > PAGE:
            texts, following = self.page(source, since, until, as_of, cursor)
            return joined(texts), following
        return joined(parts), None

    def stretches(self, source: str, first: int, last: int) -> Iterator[tuple[Rows, int, int]]:
        """The rows with first <= at < last (wall seconds), as (rows of a year, low, high), oldest first."""
        for year in range(_year(first), _year(last) + 1):
            rows = self.year(source, year)
            low, high = bisect_left(rows.at_s, first), bisect_left(rows.at_s, last)
            if low < high:
                yield rows, low, high

    def years(self, since: datetime, until: datetime) -> range:
        """The calendar years (0 is 2021) that a stretch of time touches."""
        return range(_year(wall_seconds(since)), _year(wall_seconds(until)) + 1)

    def forget(self) -> None:
        """Let go of what was made; it is the same when it is made again."""
        self._years.clear()

    def year(self, source: str, year: int) -> Rows:
        """The events of a calendar year (0 is 2021), whether known by then or not."""
        rows = self._years.get((source, year))
        if rows is None:
            rows = self._years[source, year] = self._make(source, year)
        return rows

    def strain(self) -> Floats:
        """How hard each month is, about 0 on the mean, as far as anyone could notice."""
        if self._strain is None:
            months = self.life.months
            blows: Floats = np.asarray(months.shocks[:, [ILLNESS, FAMILY_EVENT, HARVEST_LOST]].any(axis=1), dtype=np.float64)
            lasting = blows.copy()
            lasting[1:] += 0.7 * blows[:-1]
            lasting[2:] += 0.4 * blows[:-2]
            self._strain = 1.3 * months.out_of_work + 0.7 * np.minimum(lasting, 1.5) - 2.2 * np.clip(months.drift, -0.6, 0.6) - 0.15
        return self._strain

    def _make(self, source: str, year: int) -> Rows:
        person, what = self.life.person, SOURCE_KINDS[source]
        if not self.has(source):
            return _no_rows(source)
        generator = stream(person.seed, person.n, f"events:{source}", part=year)
        months = slice(12 * year, 12 * year + 12)
        rates = self._rates(source, months)
        once = np.array([kind.once for kind in what.kinds])
        counts = np.where(once, generator.random(rates.shape) < rates, generator.poisson(np.where(once, 0, rates)))
        if source == "device":  # a lost phone is replaced, and the new one is seen
            counts[:, 2] += self.life.months.shocks[months, PHONE_LOST]
        total = int(counts.sum())
        if not total:
            return _no_rows(source)
        cell = np.repeat(np.arange(counts.size), counts.reshape(-1))
        month, kind = cell // len(what.kinds), cell % len(what.kinds)
        u, z = generator.random((5, total)), generator.standard_normal(total)
        at_s = self._instants(what, source, 12 * year + month, kind, u)
        amount = self._amounts(what, 12 * year + month, kind, z)
        known_s = at_s + np.maximum(1, (what.lag_s * np.exp(0.7 * (2 * u[3] - 1)))).astype(np.int64)
        tag = self._tags(what, source, kind, u)
        balance = np.zeros(0, dtype=np.int64)
        if source == "bank_flow":
            strain = self.strain()[12 * year + month]
            balance = np.maximum(1, (person.buffer * np.exp(-0.6 * strain + 0.5 * z[::-1]) * 100)).astype(np.int64)
        order = np.lexsort((kind, at_s))
        event_id = 20_000 * (year + 1) + np.arange(total)
        rows = Rows(
            source, event_id, at_s[order], known_s[order], np.zeros(total, dtype=np.int64), kind[order], amount[order],
            balance[order] if balance.size else balance, tag[order],
        )  # fmt: skip
        return _with_revisions(rows, what, u[4][order]) if what.revised else rows

    def _rates(self, source: str, months: slice) -> Floats:
        person, what = self.life.person, SOURCE_KINDS[source]
        t, strain = person.traits, self.strain()[months][:, None]
        weak = -0.75 * t.prudence - 0.4 * t.honesty
        base: Floats = np.array([kind.rate for kind in what.kinds])
        by_strain = np.array([kind.strain for kind in what.kinds])
        by_weak = np.array([kind.weak for kind in what.kinds])
        spread = by_weak * 0.85
        exponent = by_strain * strain + by_weak * weak - spread**2 / 2 - 0.35 * by_strain**2
        rates: Floats = np.zeros((12, len(base)))
        np.multiply(base, np.exp(exponent), out=rates)
        if source == "wallet":
            rates[:, 0] *= np.exp(0.12 * t.digital - 0.007) * (0.93 if person.is_bits else 1.05)
            rates[:, 1] *= 1.6 if person.is_bits else 0.5
            rates *= np.minimum(MOST_A_MONTH / rates.sum(axis=1, keepdims=True), 1.0)
        elif source == "bank_flow" and person.is_bits:
            rates[:, 0] *= 0.55 if person.work != "shop_owner" else 0.8
        elif source == "device":
            rates[:, 0] *= np.exp(0.25 * t.digital - 0.03)
        elif source == "social_insurance":
            rates[:, 0] = np.where(self.life.months.out_of_work[months], 0.1, rates[:, 0])
        elif source == "telco" and person.work == "student":
            rates[:, 2] *= 0.5
        once = np.array([kind.once for kind in what.kinds])
        result: Floats = np.where(once, np.minimum(rates, 0.985), rates)
        return result

    def _instants(self, what: SourceKinds, source: str, month: Whole, kind: Whole, u: Floats) -> Whole:
        person = self.life.person
        day = np.minimum(np.searchsorted(_days_of_month(), u[0]), _MONTH_LENGTH[month] - 1)
        if source == "bank_flow":
            wage = (kind == 0) & (not person.is_bits)
            day = np.where(wage, np.clip(person.payday - 1 + (5 * u[0]).astype(np.int64) - 2, 0, 27), day)
        elif source in {"telco", "utility", "social_insurance"}:
            fixed = (person.n * 7 + len(source)) % 25
            regular = np.array([k.once for k in what.kinds])[kind]
            day = np.where(regular, fixed + (2 * u[0]).astype(np.int64), day)
        night = int(np.clip(2 - person.traits.prudence * 0.9 + 0.5, 0, 4))
        hour = np.searchsorted(_hours(what.hours, night), u[1])
        result: Whole = _EPOCH_S + 86_400 * (_MONTH_START_DAY[month] + day) + 3600 * hour + (3600 * u[2]).astype(np.int64)
        return result

    def _amounts(self, what: SourceKinds, month: Whole, kind: Whole, z: Floats) -> Whole:
        share = np.array([k.amount for k in what.kinds])
        spread = np.array([k.spread for k in what.kinds])
        person = self.life.person
        monthly = 0.5 * self.life.months.income[month] + 0.5 * person.usual_income
        exact = np.array([k.amount == 1.0 for k in what.kinds])[kind]
        base = np.where(exact, self.life.months.income[month], monthly)
        yuan = share[kind] * base * np.exp(spread[kind] * z - spread[kind] ** 2 / 2)
        return np.where(share[kind] > 0, np.maximum(1, (yuan * 100).astype(np.int64)), 0)

    def _tags(self, what: SourceKinds, source: str, kind: Whole, u: Floats) -> NDArray[np.int64]:
        person = self.life.person
        sizes = np.array([[len(k.tags[p][1]) if len(k.tags) > p else 0 for p in (0, 1)] for k in what.kinds])
        first = np.where(sizes[kind, 0] > 0, (u[3] * u[4] ** 0.3 * sizes[kind, 0]).astype(np.int64), -1)
        second = np.where(sizes[kind, 1] > 0, (u[4] ** 1.6 * sizes[kind, 1]).astype(np.int64), -1)
        if source == "telco":  # a campus tariff is how a lender can know a student
            first = np.where(kind == 1, 2 if person.work == "student" else np.minimum(first, 1), first)
        if source == "telco" and person.village_shop:
            first = np.where(kind == 0, 1, first)  # everyone charges at the village shop
        if source == "device" and (person.dormitory or person.ring is not None):
            first = np.where(kind == 3, np.minimum(first, 1), first)  # few cells: a dormitory, or a ring's den
        return np.stack([first, second], axis=1)


def _with_revisions(rows: Rows, what: SourceKinds, u: Floats) -> Rows:
    """Some events are corrected some days later: another row with the same id, a higher revision, known later."""
    again = np.flatnonzero((u < what.revised) & (rows.amount_fen > 0))
    if not again.size:
        return rows
    size = len(rows.at_s)
    take = np.sort(np.concatenate([np.arange(size), again]), kind="stable")
    second = np.concatenate([[False], take[1:] == take[:-1]])
    return Rows(
        rows.source, rows.event_id[take], rows.at_s[take], rows.known_s[take] + np.where(second, 3 * 86_400, 0), second.astype(np.int64),
        rows.kind[take], np.where(second, np.maximum(1, rows.amount_fen[take] * 9 // 10), rows.amount_fen[take]),
        rows.balance_fen[take] if rows.balance_fen.size else rows.balance_fen, rows.tag[take],
    )  # fmt: skip


@cache
def _no_rows(source: str) -> Rows:
    none = np.zeros(0, dtype=np.int64)
    return Rows(source, none, none, none, none, none, none, none, np.zeros((0, 2), dtype=np.int64))


def wall_seconds(at: datetime) -> int:
    """Seconds on the wall clock in China; a part of a second counts as begun."""
    return int(-(-at.timestamp() // 1)) + CHINA_S


def _year(wall_s: int) -> int:
    """The calendar year of a second of the wall clock, 0 for 2021, kept within the twelve years of a life."""
    return min(max(datetime.fromtimestamp(wall_s, UTC).year - MONTH_ZERO.year, 0), YEARS - 1)


def joined(texts: Sequence[str]) -> bytes:
    """A JSON list of JSON texts."""
    return f"[{','.join(texts)}]".encode()
