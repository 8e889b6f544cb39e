"""What a source tells, as rows of its table: the one adapter for live applications and for a book to fit on, so that both mean the same.

A row that cannot be one (an id, a time or an amount out of its range) is left out; a word of another type is as if it had not been said. What is
told is known from the instant as of which the source was asked: an answer that comes late is the answer as of then.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables.origination import TABLES
from puhui.engines.variables.tables import NUMBER_BELOW, TIME_BELOW_US, Table

Columns = Mapping[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
HOUR_US, DAY_US, CHINA_US = 3_600_000_000, 86_400_000_000, 8 * 3_600_000_000
BANDS = np.array(["night", "morning", "afternoon", "evening"])
WEEKDAYS = np.array(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
TOLD_AS = {"goods": "category"}
"""Columns that a source calls by another word."""
_TABLES = {table.name: table for table in TABLES}
_LENDERS = {"card": "bank", "micro_loan": "microloan"}
_REASONS = {"loan_application": "loan_approval", "card_application": "card_approval"}
_CLASSES = {"1": "special_mention", "2": "special_mention", "3": "substandard", "4": "substandard", "5": "doubtful", "6": "doubtful", "7": "loss"} | dict.fromkeys("BGDZ", "loss")
_FIVE = ("normal", "special_mention", "substandard", "doubtful", "loss")


class _Wire(msgspec.Struct, gc=False):
    """An event of a source as it stands on the wire."""

    event_id: int
    at: datetime
    known_at: datetime
    kind: str
    data: Any = None
    revision: Any = 0


_PAGES = msgspec.json.Decoder(list[_Wire])


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


def rows_told(source: str, pages: Iterable[bytes], as_of_us: int) -> Columns:
    """Give the rows of a source from its pages (JSON arrays as they stand on the wire), known from `as_of_us`. Raises: msgspec.ValidationError."""
    epoch, one = _EPOCH, _MICROSECOND
    told = [row for page in pages for row in _PAGES.decode(page)]
    at, known = [(row.at - epoch) // one for row in told], [(row.known_at - epoch) // one for row in told]
    keep = [place for place, row in enumerate(told) if known[place] < as_of_us and _can_be(row.event_id, at[place], row.revision)]
    some = told if len(keep) == len(told) else [told[place] for place in keep]
    return _rows(_TABLES[source], some, np.array([at[place] for place in keep], np.int64), np.full(len(keep), as_of_us, np.int64))


def rows_of_book(source: str, events: Sequence[Event]) -> Columns:
    """Give the rows of a source from the events of a book, each known when the source knew it."""
    some = [row for row in events if _can_be(row.event_id, row.at_us, row.revision) and 0 <= row.known_us < TIME_BELOW_US]
    return _rows(_TABLES[source], some, np.array([row.at_us for row in some], np.int64), np.array([row.known_us for row in some], np.int64))


def _can_be(event_id: int, at_us: int, revision: object) -> bool:
    return 0 <= event_id < 1 << 63 and 0 <= at_us < TIME_BELOW_US and type(revision) is int and 0 <= revision < 1 << 31


def _rows(table: Table, told: Sequence[Any], at_us: NDArray[np.int64], known_us: NDArray[np.int64]) -> Columns:
    """Make the columns of a source's table. Of rows told twice under one id, revision and time of knowing the last is taken."""
    ids = np.array([row.event_id for row in told], np.int64)
    revisions = np.array([row.revision for row in told], np.int64)
    if len(np.unique(ids)) < len(ids):
        last = {key: place for place, key in enumerate(zip(ids.tolist(), known_us.tolist(), revisions.tolist(), strict=True))}
        if len(last) < len(ids):
            chosen = sorted(last.values())
            told, at_us, known_us, ids, revisions = [told[place] for place in chosen], at_us[chosen], known_us[chosen], ids[chosen], revisions[chosen]
    data = [row.data if type(row.data) is dict else {} for row in told]
    columns: dict[str, Any] = {"event_id": ids, "event_time": at_us, "known_time": known_us, "revision": revisions, "kind": [row.kind for row in told]}
    columns |= {name: [_whole(row.get(f"{name}_fen")) for row in data] for name in table.fields}
    wall = at_us + CHINA_US
    for name in table.texts:
        match name:
            case "kind":
                continue
            case "hour_band":
                columns[name] = BANDS[wall // HOUR_US % 24 // 6].tolist()
            case "weekday":
                columns[name] = WEEKDAYS[(wall // DAY_US + 3) % 7].tolist()
            case _:
                word = TOLD_AS.get(name, name)
                columns[name] = [_text(row.get(word)) for row in data]
    return columns


def _whole(value: object) -> int | None:
    return value if type(value) is int and -NUMBER_BELOW < value < NUMBER_BELOW else None


def _text(value: object) -> str | None:
    return value if type(value) is str else None


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
