"""What a source tells, as rows of its table: the one adapter for live applications and for a book to fit on, so that both mean the same.

A row that cannot be one (an id, a time or an amount out of its range) is left out; a word of another type is as if it had not been said. What is
told is known from the instant as of which the source was asked: an answer that comes late is the answer as of then.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables.columns import Coded, Columns, Ints, Raw
from puhui.engines.variables.origination import TABLES
from puhui.engines.variables.tables import NUMBER_BELOW, TIME_BELOW_US, Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
HOUR_US, DAY_US, CHINA_US = 3_600_000_000, 86_400_000_000, 8 * 3_600_000_000
BANDS = ("night", "morning", "afternoon", "evening")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
TOLD_AS = {"goods": "category"}
"""Columns that a source calls by another word."""
_TABLES = {table.name: table for table in TABLES}
_LENDERS = {"card": "bank", "micro_loan": "microloan"}
_REASONS = {"loan_application": "loan_approval", "card_application": "card_approval"}
_CLASSES = {"1": "special_mention", "2": "special_mention", "3": "substandard", "4": "substandard", "5": "doubtful", "6": "doubtful", "7": "loss"} | dict.fromkeys("BGDZ", "loss")
_FIVE = ("normal", "special_mention", "substandard", "doubtful", "loss")


class _Data(msgspec.Struct, frozen=True, gc=False):
    """What an event tells beyond its kind, of whatever type it is told."""

    amount_fen: Any = None
    balance_fen: Any = None
    channel: Any = None
    counterparty: Any = None
    plan: Any = None
    band: Any = None
    service: Any = None
    category: Any = None
    cell: Any = None
    flock: Any = None


class _Wire(msgspec.Struct, gc=False):
    """An event of a source as it stands on the wire."""

    event_id: int
    at: str
    known_at: str
    kind: str
    data: _Data = _Data()
    revision: int = 0


class _Loose(msgspec.Struct):
    """The same of a source that does not keep to it."""

    event_id: int
    at: str
    known_at: str
    kind: str
    data: Any = None
    revision: Any = 0


_PAGES, _LOOSE = msgspec.json.Decoder(list[_Wire]), msgspec.json.Decoder(list[_Loose])


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a source as a book tells it; times in microseconds since 1970 UTC."""

    event_id: int
    at_us: int
    known_us: int
    kind: str
    data: Mapping[str, Any]
    revision: int = 0


def microseconds(at: datetime) -> int:
    """Give an aware instant as whole microseconds since 1970 UTC, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def rows_told(source: str, pages: Iterable[bytes], as_of_us: int) -> Raw:
    """Give the rows of a source from its pages (JSON arrays as they stand on the wire), known from `as_of_us`.

    Raises: msgspec.ValidationError, ValueError (a page that is none; whoever took it from outside has looked at it).
    """
    told = [row for page in pages for row in _page(page)]
    at, known = _instants([row.at for row in told]), _instants([row.known_at for row in told])
    early = known < as_of_us
    if not early.all():
        told, at = [told[place] for place in np.flatnonzero(early).tolist()], at[early]
    return _rows(_TABLES[source], told, [row.data for row in told], at, np.full(len(told), as_of_us, np.int64))


def _instants(texts: Sequence[str]) -> Ints:
    """Read instants as microseconds since 1970 UTC. One offset in all of them, as most sources write, is read by numpy, in a sixth of the time."""
    shift = _OFFSET.fullmatch(texts[0][-6:]) if texts else None
    if shift is not None and len({text[-6:] for text in texts}) == 1:
        sign, hours, minutes = shift.groups()
        away = (int(hours) * 60 + int(minutes)) * 60_000_000
        try:
            return np.array([text[:-6] for text in texts], "datetime64[us]").astype(np.int64) - (away if sign == "+" else -away)
        except ValueError:
            pass
    read = [datetime.fromisoformat(text) for text in texts]
    return np.array([microseconds(at if at.tzinfo else at.replace(tzinfo=UTC)) for at in read], np.int64)


def _page(page: bytes) -> list[_Wire]:
    try:
        return _PAGES.decode(page)
    except msgspec.ValidationError:
        return [_kept(row) for row in _LOOSE.decode(page)]


def _kept(row: _Loose) -> _Wire:
    """Keep of an event what can be read: words of another type are as if they had not been said."""
    data = {name: row.data.get(name) for name in _Data.__struct_fields__} if type(row.data) is dict else {}
    return _Wire(row.event_id, row.at, row.known_at, row.kind, _Data(**data), row.revision if type(row.revision) is int else -1)


def rows_of_book(source: str, events: Sequence[Event]) -> Raw:
    """Give the rows of a source from the events of a book, each known when the source knew it."""
    at = np.fromiter((row.at_us for row in events), np.int64, len(events))
    known = np.fromiter((row.known_us for row in events), np.int64, len(events))
    data = [_Data(**{name: row.data[name] for name in _Data.__struct_fields__ if name in row.data}) for row in events]
    return _rows(_TABLES[source], events, data, at, known)


def _rows(table: Table, told: Sequence[Any], data: Sequence[_Data], at_us: Ints, known_us: Ints) -> Raw:
    """Make the rows of a source's table. Of rows told twice under one id, revision and time of knowing the last is taken."""
    ids = np.fromiter((row.event_id if -1 < row.event_id < 1 << 63 else -1 for row in told), np.int64, len(told))
    revisions = np.fromiter((row.revision if -1 < row.revision < 1 << 31 else -1 for row in told), np.int64, len(told))
    wall = at_us + CHINA_US
    fields = [_numbers(getattr(row, f"{name}_fen") for row in data) for name in table.fields]
    texts = tuple(_coded(name, told, data, wall) for name in table.texts)
    values = np.array([value for value, _ in fields], np.int64).reshape(len(fields), len(told))
    ok = np.array([is_there for _, is_there in fields], np.bool_).reshape(len(fields), len(told))
    raw = Raw(ids, at_us, known_us, revisions, np.zeros(len(told), np.bool_), values, ok, texts)
    keep = (ids >= 0) & (revisions >= 0) & (at_us >= 0) & (at_us < TIME_BELOW_US) & (known_us >= 0) & (known_us < TIME_BELOW_US)
    if len(np.unique(ids)) < len(ids):
        last = {key: place for place, key in enumerate(zip(ids.tolist(), known_us.tolist(), revisions.tolist(), strict=True))}
        keep &= np.isin(np.arange(len(ids)), list(last.values()))
    return raw if keep.all() else raw.take(np.flatnonzero(keep))


def _numbers(told: Iterable[Any]) -> tuple[Ints, NDArray[np.bool_]]:
    """Give whole numbers, and which are there: what is none, or beyond what a column holds, is not."""
    whole = np.array([number if type(number) is int and -NUMBER_BELOW < number < NUMBER_BELOW else NUMBER_BELOW for number in told], np.int64)
    ok = whole != NUMBER_BELOW
    return np.where(ok, whole, 0), ok


def _coded(name: str, told: Sequence[Any], data: Sequence[_Data], wall: Ints) -> Coded:
    match name:
        case "hour_band":
            return Coded((wall // HOUR_US % 24 // 6 + 1).astype(np.int32), BANDS)
        case "weekday":
            return Coded(((wall // DAY_US + 3) % 7 + 1).astype(np.int32), WEEKDAYS)
        case "kind":
            words = [row.kind for row in told]
        case _:
            word = TOLD_AS.get(name, name)
            words = [getattr(row, word) for row in data]
    try:
        told_words = dict.fromkeys(words)
    except TypeError:  # something that is no text at all
        words = [word if type(word) is str else None for word in words]
        told_words = dict.fromkeys(words)
    known = {word: number for number, word in enumerate((word for word in told_words if type(word) is str and word), 1)}
    others = dict.fromkeys(told_words.keys() - known.keys(), 0)
    number_of = known | others
    return Coded(np.array([number_of[word] for word in words], np.int32), tuple(known))


def _whole(value: object) -> int | None:
    return value if type(value) is int and -NUMBER_BELOW < value < NUMBER_BELOW else None


# -- the bureau ----------------------------------------------------------------------------------------------------------


def rows_of_report(report: Mapping[str, Any], as_of_us: int) -> Columns:
    """Give the rows of the bureau's table from a report as it stands on the wire: inquiries, openings, and the months of every account.

    Balance and overdue are those of the report, so they stand with the newest month alone. A date counts as its last microsecond in China.
    """
    rows: dict[int, dict[str, Any]] = {}
    for query in report["queries"]:
        at = microseconds(datetime.fromisoformat(query["at"]))
        facts = {"kind": "inquiry", "reason": _REASONS.get(query["reason"], query["reason"]), "lender": _lender(query)}
        rows[_id_of("inquiry", query["at"], query["reason"], query["lender_kind"])] = {"event_time": at, **facts}
    for place, account in enumerate(report["accounts"]):
        key = str(account.get("account") or f"{account['kind']}-{account['opened']}-{place}")
        same = {"lender": _lender(account), "organization": key, "limit": _whole(account["credit_fen"])}
        opened = date.fromisoformat(account["opened"])
        rows[_id_of("opening", key)] = {"event_time": _end_of(opened), "kind": "opening", **same}
        rows |= _months(account, key, same, as_of_us)
    told = {key: row for key, row in rows.items() if 0 <= row["event_time"] < as_of_us}
    columns: dict[str, Any] = {"event_id": list(told), "known_time": [as_of_us] * len(told)}
    table = _TABLES["bureau"]
    return columns | {name: [row.get(name) for row in told.values()] for name in ("event_time", *table.fields, *table.texts)}


def _months(account: Mapping[str, Any], key: str, same: Mapping[str, Any], as_of_us: int) -> dict[int, dict[str, Any]]:
    """Give a row for each month of an account: the last of `statuses` is the month before the report, or that of the closing."""
    end = date.fromisoformat(account["closed"]) if account.get("closed") else (_EPOCH + timedelta(microseconds=as_of_us + CHINA_US)).date()
    newest = end.year * 12 + end.month - 1 - (0 if account.get("closed") else 1)
    rows: dict[int, dict[str, Any]] = {}
    for back, status in enumerate(reversed(account["statuses"])):
        month = newest - back
        late = lateness_of(status)
        row = {"kind": "status", "class": _CLASSES.get(status, "normal"), "overdue_days": 30 * late, **same}
        if back == 0:
            five = account["class"]
            row |= {"balance": _whole(account["balance_fen"]), "overdue": _whole(account["overdue_fen"])}
            row |= {"class": _FIVE[five - 1]} if type(five) is int and 1 < five <= len(_FIVE) else {}
        first = date((month + 1) // 12, (month + 1) % 12 + 1, 1)
        rows[_id_of("status", key, str(month))] = {"event_time": min(_end_of(end), _end_of(first - timedelta(days=1))), **row}
    return rows


def lateness_of(status: str) -> int:
    """Give the band of lateness (0..7) that a status code of a month stands for."""
    return int(status) if status.isdigit() else 7 if status in "BGDZ" else 0


def _lender(row: Mapping[str, Any]) -> str:
    told = str(row["lender_kind"])
    return _LENDERS.get(told, told)


def _end_of(day: date) -> int:
    return ((day.toordinal() - 719_163 + 1) * DAY_US) - CHINA_US - 1


def _id_of(*parts: str) -> int:
    """Name an event that its source does not number: the same event, the same number, in every report."""
    return int.from_bytes(hashlib.sha256("|".join(parts).encode()).digest()[:8]) >> 1
