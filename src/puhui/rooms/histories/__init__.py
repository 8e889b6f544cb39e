"""Histories: what is known of a person's past, from whom, since when, by which consent.

Words: history_event, fetch, page, report, as_of, event_log. Owns the tables of schema `histories`.
Keeps: the log is append-only; an asking is written before it is asked, and silence stays an open asking; nothing is fetched or read without a
permit; of two readings as of the same instant and place of the log, the bytes are the same; erasing takes the contents, never the fact.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from puhui.foundation.work import Work
from puhui.rooms.histories import records
from puhui.rooms.histories.history import (
    MONTHS_MAX,
    OWN,
    SOURCES,
    Fetch,
    FetchState,
    History,
    LogUnusable,
    Page,
    Report,
    ReportState,
    page_of,
)
from puhui.rooms.histories.operations import (
    Arrival,
    append_own,
    ask_fetch,
    ask_fetches,
    ask_query,
    ended,
    erase,
    erase_source,
    export,
    fold_arrivals,
    history,
    note_arrivals,
    note_fetch,
    note_fetches,
    note_report,
)
from puhui.rooms.histories.records import FetchRefused, Records, fetch
from puhui.rooms.histories.store import SEALED, fetches_of, fetches_of_parent, find_query, find_report, reports_of
from puhui.vocabulary.permits import Permit

if TYPE_CHECKING:
    from puhui.engines import variables
    from puhui.engines.variables.plan import Plan
    from puhui.rooms.histories.event_log import Sealing
    from puhui.rooms.histories.events import Held, Known
    from puhui.rooms.histories.lake import ParquetLog
    from puhui.rooms.histories.replica import LmdbLog

__all__ = [
    "MONTHS_MAX",
    "OWN",
    "SEALED",
    "SOURCES",
    "Arrival",
    "Fetch",
    "FetchRefused",
    "FetchState",
    "History",
    "LogUnusable",
    "Page",
    "Records",
    "Report",
    "ReportState",
    "answers_on_spark",
    "append_events",
    "append_own",
    "ask_fetch",
    "ask_fetches",
    "ask_query",
    "end_consent",
    "ended",
    "erase",
    "erase_source",
    "export",
    "export_events",
    "fetch",
    "fetches_of",
    "fetches_of_parent",
    "find_query",
    "find_report",
    "fold_arrivals",
    "history",
    "is_erased",
    "known_as_of",
    "note_arrivals",
    "note_fetch",
    "note_fetches",
    "note_report",
    "open_lake",
    "open_replica",
    "page_of",
    "read_events",
    "records",
    "reports_of",
    "scan_events",
    "tell_sources",
]


# The event log of derived variables (`event_log.EventLog`): its code, and arrays with it, are loaded by who uses it.


async def append_events(
    work: Work, *, customer_id: str, catalogue: "variables.Catalogue", table: str, rows: Mapping[str, Any], fetched: Sequence[tuple[str, datetime | None]] = (),
) -> int:
    """Append rows that derived variables read; see `events.append`."""
    from puhui.rooms.histories import events

    return await events.append(work, customer_id=customer_id, catalogue=catalogue, table=table, rows=rows, fetched=fetched)


async def read_events(work: Work, *, customer_id: str, catalogue: "variables.Catalogue", tables: Sequence[str] | None = None) -> "variables.History":
    """Give the history that derived variables read; see `events.read`."""
    from puhui.rooms.histories import events

    return await events.read(work, customer_id=customer_id, catalogue=catalogue, tables=tables)


async def scan_events(work: Work, *, catalogue: "variables.Catalogue", shard: int, shards: int) -> AsyncIterator[tuple[str, "variables.History"]]:
    """Give the histories of everybody of a shard; see `events.scan`."""
    from puhui.rooms.histories import events

    async for person, known in events.scan(work, catalogue=catalogue, shard=shard, shards=shards):
        yield person, known


async def tell_sources(
    work: Work, *, customer_id: str, as_of: datetime, pages: Mapping[str, Sequence[bytes]], report: Mapping[str, Any] | None, permits: Mapping[str, Permit]
) -> "Held | None":
    """Append what sources and bureau told for one asking; see `events.tell_sources`."""
    from puhui.rooms.histories import events

    return await events.tell_sources(work, customer_id=customer_id, as_of=as_of, pages=pages, report=report, permits=permits)


async def end_consent(work: Work, *, customer_id: str, catalogue: "variables.Catalogue", table: str, consent_id: str) -> bool:
    """Say that a consent has ended; see `events.end_consent`."""
    from puhui.rooms.histories import events

    return await events.end_consent(work, customer_id=customer_id, catalogue=catalogue, table=table, consent_id=consent_id)


async def known_as_of(
    work: Work, *, customer_id: str, catalogue: "variables.Catalogue", tables: Sequence[str], as_of_us: int, is_read: bool = True, held: "Held | None" = None
) -> "Known":
    """Give a person's history as known at an instant; see `events.known_as_of`."""
    from puhui.rooms.histories import events

    return await events.known_as_of(
        work, customer_id=customer_id, catalogue=catalogue, tables=tables, as_of_us=as_of_us, is_read=is_read, held=held
    )


async def is_erased(work: Work, *, customer_id: str, tables: Sequence[str]) -> bool:
    """Whether any of these tables once held what is erased now."""
    from puhui.rooms.histories import events

    return await events.is_erased(work, customer_id, tables)


async def export_events(work: Work, *, customer_id: str, catalogue: "variables.Catalogue") -> dict[str, Any]:
    """Give the rows that derived variables read, for the person alone."""
    from puhui.rooms.histories import events

    return await events.export(work, customer_id, catalogue)


def open_replica(folder: Path, catalogue: "variables.Catalogue", keys: "Sealing") -> "LmdbLog":
    """Open the event log in LMDB. Raises: LogUnusable (puhui[lmdb] is not installed)."""
    from puhui.rooms.histories.replica import LmdbLog

    return LmdbLog(folder, catalogue, keys)


def open_lake(folder: Path, catalogue: "variables.Catalogue", *, shards: int = 64) -> "ParquetLog":
    """Open the event log in Parquet. Raises: LogUnusable (its folder has another number of shards)."""
    from puhui.rooms.histories.lake import ParquetLog

    return ParquetLog(folder, catalogue, shards=shards)


def answers_on_spark(frame: Any, plan: "Plan") -> Any:
    """Answer a Spark frame of (person, as_of, blob). Raises: LogUnusable (puhui[spark] is not installed)."""
    from puhui.rooms.histories.spark import answers

    return answers(frame, plan)
