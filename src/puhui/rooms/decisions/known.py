"""What is known of a person when a decision is made: events by source, the bureau report, the application. Values only.

Times are whole microseconds since 1970 UTC. A row speaks only if it happened, and was known, before the instant A of the decision;
of several revisions of an event the newest known one speaks. Older than 720 days, or beyond the newest 1,000 of a source, nothing speaks:
so a history is the same whoever kept it and for how long.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
HISTORY_DAYS = 720
ROWS_MAX = 1_000
STUDENT_AGE_MAX = 30
SOURCES = ("telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device", "farm")


class Missing(StrEnum):
    """Why there is no value. It never counts as zero."""

    NOT_FETCHED = "not_fetched"
    NO_RECORD = "no_record"
    NO_EVENT = "no_event"
    UNDEFINED = "undefined"


Value = int | Missing


class HistoryEvent(msgspec.Struct, frozen=True, gc=False):
    """One event as its source told it. A struct, since a person has some two thousand and this is made three times as fast."""

    event_id: int
    at_us: int
    known_us: int
    kind: str
    data: Mapping[str, Any]
    revision: int = 0


@dataclass(frozen=True, slots=True)
class BureauAccount:
    """An account of the bureau report. `statuses`: one code a month, oldest first, the last for the month before the report (BUREAU.md 4.6)."""

    kind: str
    lender_kind: str
    opened: date
    closed: date | None
    credit_fen: int
    balance_fen: int
    statuses: str
    overdue_fen: int
    asset_class: int


@dataclass(frozen=True, slots=True)
class BureauQuery:
    """That somebody asked the bureau about the person."""

    at_us: int
    reason: str
    lender_kind: str


@dataclass(frozen=True, slots=True)
class BureauReport:
    """A person's file at the bureau. One without accounts and queries is still a file."""

    accounts: tuple[BureauAccount, ...]
    queries: tuple[BureauQuery, ...]
    notices: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person asked for, and how old he is (years)."""

    amount_fen: int
    months: int
    age: int


@dataclass(frozen=True, slots=True)
class Known:
    """All that variables may read. A source that is not in `events` was not fetched; an empty one has no record of the person.

    `report` is None for a white file (`found: false`); a bureau that was not asked is a fault of the caller, never a white file.
    """

    at_us: int
    asked: Asked
    events: Mapping[str, Sequence[HistoryEvent]] = field(default_factory=dict)
    report: BureauReport | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """The visible events of one kind, oldest first: instants, and one running sum of amounts."""

    at_us: list[int]
    amounts: list[int]
    sums: list[int]

    def since(self, start_us: int) -> int:
        """Give the index of the first event at `start_us` or later."""
        return bisect_left(self.at_us, start_us)

    def count(self, start_us: int) -> int:
        return len(self.at_us) - self.since(start_us)

    def total(self, start_us: int) -> int:
        return self.sums[-1] - self.sums[self.since(start_us)]


EMPTY = Lane([], [], [0])


@dataclass(frozen=True, slots=True)
class SeenSource:
    """A source as visible at A: lanes by kind, and the lane of everything ("")."""

    lanes: Mapping[str, Lane]
    rows: tuple[HistoryEvent, ...]

    def lane(self, kind: str) -> Lane:
        return self.lanes.get(kind, EMPTY)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is visible at A. `sources` maps a source to its events, or to why there are none."""

    at_us: int
    asked: Asked
    sources: Mapping[str, SeenSource | Missing]
    report: BureauReport | None

    def start(self, days: int) -> int:
        """Give the first instant of the window of so many days before A."""
        return self.at_us - days * DAY_US


def look(known: Known) -> Seen:
    """Cut what is known down to what was visible strictly before A."""
    sources: dict[str, SeenSource | Missing] = {}
    for source in SOURCES:
        rows = known.events.get(source)
        sources[source] = Missing.NOT_FETCHED if rows is None else _see(rows, known.at_us)
    return Seen(known.at_us, known.asked, sources, known.report)


def _see(rows: Sequence[HistoryEvent], at_us: int) -> SeenSource | Missing:
    in_force: dict[int, HistoryEvent] = {}
    for row in rows:
        if row.known_us < at_us:
            before = in_force.get(row.event_id)
            if before is None or (before.known_us, before.revision) < (row.known_us, row.revision):
                in_force[row.event_id] = row
    since_us = at_us - HISTORY_DAYS * DAY_US
    visible = sorted((row for row in in_force.values() if since_us <= row.at_us < at_us), key=lambda row: (row.at_us, row.event_id))[-ROWS_MAX:]
    if not visible:
        return Missing.NO_RECORD
    kinds: dict[str, list[HistoryEvent]] = {}
    for row in visible:
        kinds.setdefault(row.kind, []).append(row)
    lanes = {kind: _lane(of_kind) for kind, of_kind in kinds.items()}
    return SeenSource(lanes | {"": _lane(visible)}, tuple(visible))


def _lane(rows: Sequence[HistoryEvent]) -> Lane:
    amounts = [fen if type(fen := row.data.get("amount_fen", 0)) is int else 0 for row in rows]
    sums = [0]
    for amount in amounts:
        sums.append(sums[-1] + amount)
    return Lane([row.at_us for row in rows], amounts, sums)


def microseconds(at: datetime) -> int:
    """Give an aware instant as whole microseconds since 1970 UTC, exactly."""
    return (at - _EPOCH) // _MICROSECOND


class _Wire(msgspec.Struct):
    """An event of `checks.records` as it stands on the wire."""

    event_id: int
    at: datetime
    known_at: datetime
    kind: str
    data: dict[str, Any] = {}
    revision: int = 0


_PAGES = msgspec.json.Decoder(list[_Wire])


def read_events(pages: Iterable[bytes]) -> tuple[HistoryEvent, ...]:
    """Read the events of a source from its pages, JSON arrays as they stand on the wire. Raises msgspec.ValidationError."""
    epoch, one = _EPOCH, _MICROSECOND
    return tuple(
        [
            HistoryEvent(row.event_id, (row.at - epoch) // one, (row.known_at - epoch) // one, row.kind, row.data, row.revision)
            for page in pages
            for row in _PAGES.decode(page)
        ]
    )


def work_of(known: Known) -> str:
    """Say what the sources tell of a person's work, as far as policy must know it: "student", or "" where nothing says so.

    A campus tariff of the telephone, or an enrolment known to the social insurance, makes a student of whoever is young enough to be one.
    """
    phone, insured = known.events.get("telco", ()), known.events.get("social_insurance", ())
    since_us = known.at_us - 180 * DAY_US
    on_campus = any(row.data.get("plan") == "campus" and since_us <= row.at_us < known.at_us for row in phone)
    enrolled = any(row.kind == "enrolled" and row.known_us < known.at_us for row in insured)
    return "student" if known.asked.age < STUDENT_AGE_MAX and (on_campus or enrolled) else ""


def read_report(report: Mapping[str, Any]) -> BureauReport:
    """Read the bureau's `report` as it stands on the wire."""
    accounts = tuple(
        BureauAccount(
            row["kind"],
            row["lender_kind"],
            date.fromisoformat(row["opened"]),
            date.fromisoformat(row["closed"]) if row.get("closed") else None,
            row["credit_fen"],
            row["balance_fen"],
            row["statuses"],
            row["overdue_fen"],
            row["class"],
        )
        for row in report["accounts"]
    )
    queries = tuple(
        BureauQuery(microseconds(datetime.fromisoformat(row["at"])), row["reason"], row["lender_kind"]) for row in report["queries"]
    )
    return BureauReport(accounts, queries, len(report.get("notices", ())))
