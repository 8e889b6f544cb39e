"""The rows of the room: fetches, the log of pages, reports. What a source told is packed and sealed on the way in."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from puhui.foundation import sql
from puhui.foundation.crypto import Sealed
from puhui.foundation.work import Work
from puhui.rooms.histories.history import Fetch, FetchState, Page, Report, ReportState

SQL = sql.load(__file__)
END = 2**62
SEALED = (
    Sealed("histories.log", "sealed", "history"),
    Sealed("histories.reports", "sealed", "report"),
    Sealed("histories.events", "sealed", "events"),
    Sealed("histories.arrivals", "sealed", "arrival"),
)


async def find_fetch(work: Work, customer_id: str, *, parent: str, source: str) -> Fetch | None:
    row = await SQL.find_fetch.row(work, customer_id=customer_id, parent=parent, source=source)
    if row is None:
        return None
    return Fetch(
        customer_id, row["fetch_id"], row["source"], row["parent"], row["consent_id"], row["since"], row["as_of"], FetchState(row["state"])
    )


async def add_fetch(work: Work, fetch: Fetch) -> None:
    await SQL.add_fetch.run(
        work,
        customer_id=fetch.customer_id,
        fetch_id=fetch.fetch_id,
        source=fetch.source,
        parent=fetch.parent,
        consent_id=fetch.consent_id,
        since=fetch.since,
        as_of=fetch.as_of,
        at=work.at,
    )


async def end_fetch(work: Work, fetch: Fetch, state: FetchState) -> bool:
    """Give whether it was still open."""
    return await SQL.end_fetch.run(work, customer_id=fetch.customer_id, fetch_id=fetch.fetch_id, state=state.value, at=work.at) == 1


async def add_pages(
    work: Work, customer_id: str, *, source: str, fetch_id: str, consent_id: str, is_simulated: bool, pages: Sequence[Page]
) -> None:
    await SQL.lock_log.value(work, customer_id=customer_id)
    await SQL.add_pages.run(
        work,
        customer_id=customer_id,
        source=source,
        fetch_id=fetch_id,
        consent_id=consent_id,
        is_simulated=is_simulated,
        at=work.at,
        pages=list(range(1, len(pages) + 1)),
        events=[page.events for page in pages],
        first_ats=[page.first_at for page in pages],
        last_ats=[page.last_at for page in pages],
        known_maxes=[page.known_max for page in pages],
        sha256s=[page.sha256 for page in pages],
        sealeds=[work.keys.seal("history", customer_id, page.packed) for page in pages],
    )


async def fetches_of_parent(work: Work, customer_id: str, parent: str) -> dict[str, Fetch]:
    """Give what was asked for `parent`, by source."""
    rows = await SQL.fetches_of_parent.rows(work, customer_id=customer_id, parent=parent)
    return {
        row["source"]: Fetch(
            customer_id, row["fetch_id"], row["source"], row["parent"], row["consent_id"], row["since"], row["as_of"], FetchState(row["state"])
        )
        for row in rows
    }


async def add_fetches(work: Work, fetches: Sequence[Fetch]) -> None:
    """Write down several askings of one person for one parent, as of one instant."""
    one = fetches[0]
    await SQL.add_fetches.run(
        work,
        customer_id=one.customer_id,
        parent=one.parent,
        since=one.since,
        as_of=one.as_of,
        at=work.at,
        fetch_ids=[fetch.fetch_id for fetch in fetches],
        sources=[fetch.source for fetch in fetches],
        consent_ids=[fetch.consent_id for fetch in fetches],
    )


async def end_fetches(work: Work, customer_id: str, states: Mapping[str, FetchState]) -> frozenset[str]:
    """End fetches by id; give those that were still open."""
    rows = await SQL.end_fetches.rows(
        work, customer_id=customer_id, fetch_ids=list(states), states=[state.value for state in states.values()], at=work.at
    )
    return frozenset(row["fetch_id"] for row in rows)


async def add_all_pages(work: Work, customer_id: str, told: Sequence[tuple[Fetch, bool, Page, int]]) -> None:
    """Append pages of several fetches in the order given: (fetch, whether it is simulated, page, its number from 1)."""
    await SQL.lock_log.value(work, customer_id=customer_id)
    await SQL.add_all_pages.run(
        work,
        customer_id=customer_id,
        at=work.at,
        sources=[fetch.source for fetch, *_ in told],
        fetch_ids=[fetch.fetch_id for fetch, *_ in told],
        consent_ids=[fetch.consent_id for fetch, *_ in told],
        pages=[number for *_, number in told],
        events=[page.events for _, _, page, _ in told],
        first_ats=[page.first_at for _, _, page, _ in told],
        last_ats=[page.last_at for _, _, page, _ in told],
        known_maxes=[page.known_max for _, _, page, _ in told],
        simulateds=[is_simulated for _, is_simulated, _, _ in told],
        sha256s=[page.sha256 for _, _, page, _ in told],
        sealeds=[work.keys.seal("history", customer_id, page.packed) for _, _, page, _ in told],
    )


async def latest_fetches(work: Work, customer_id: str, *, as_of: datetime, sources: Sequence[str]) -> dict[str, tuple[str, FetchState]]:
    rows = await SQL.latest_fetches.rows(work, customer_id=customer_id, as_of=as_of, sources=list(sources))
    return {row["source"]: (row["fetch_id"], FetchState(row["state"])) for row in rows}


async def pages_of(work: Work, customer_id: str, *, fetch_ids: Sequence[str], upto: int) -> list[tuple[int, str, bytes, bytes]]:
    """Give (n, source, sha256, raw) of every page of these fetches, in the log's order."""
    rows = await SQL.pages_of.rows(work, customer_id=customer_id, upto=upto, fetch_ids=list(fetch_ids))
    return [_page(work, customer_id, row) for row in rows]


async def own_pages(work: Work, customer_id: str, *, as_of: datetime, upto: int) -> list[tuple[int, str, bytes, bytes]]:
    rows = await SQL.own_pages.rows(work, customer_id=customer_id, upto=upto, as_of=as_of)
    return [_page(work, customer_id, row) for row in rows]


def _page(work: Work, customer_id: str, row: sql.Row) -> tuple[int, str, bytes, bytes]:
    raw = zlib.decompress(work.keys.open("history", customer_id, row["sealed"]))
    return row["n"], row["source"], bytes(row["sha256"]), raw


async def find_query(work: Work, customer_id: str, *, parent: str, reason: str) -> Report | None:
    row = await SQL.find_query.row(work, customer_id=customer_id, parent=parent, reason=reason)
    return _report(work, customer_id, row) if row else None


async def add_query(work: Work, customer_id: str, report: Report) -> None:
    await SQL.add_query.run(
        work,
        customer_id=customer_id,
        query_id=report.query_id,
        parent=report.parent,
        reason=report.reason,
        consent_id=report.consent_id,
        as_of=report.as_of,
        at=work.at,
    )


async def end_query(work: Work, customer_id: str, *, query_id: str, state: ReportState, code: str, raw: bytes | None) -> bool:
    ended = await SQL.end_query.run(
        work,
        customer_id=customer_id,
        query_id=query_id,
        state=state.value,
        code=code,
        sha256=hashlib.sha256(raw).digest() if raw is not None else None,
        sealed=work.keys.seal("report", customer_id, zlib.compress(raw, 1)) if raw is not None else None,
        at=work.at,
    )
    return ended == 1


async def latest_report(work: Work, customer_id: str, *, as_of: datetime) -> Report | None:
    row = await SQL.latest_report.row(work, customer_id=customer_id, as_of=as_of)
    return _report(work, customer_id, row) if row else None


async def find_report(work: Work, customer_id: str, query_id: str) -> Report | None:
    row = await SQL.find_report.row(work, customer_id=customer_id, query_id=query_id)
    return _report(work, customer_id, row) if row else None


async def reports_of(work: Work, customer_id: str) -> list[Report]:
    return [_report(work, customer_id, row) for row in await SQL.reports_of.rows(work, customer_id=customer_id)]


def _report(work: Work, customer_id: str, row: sql.Row) -> Report:
    sealed = row["sealed"]
    return Report(
        row["query_id"],
        row["parent"],
        row["reason"],
        row["consent_id"],
        row["as_of"],
        ReportState(row["state"]),
        row["code"],
        zlib.decompress(work.keys.open("report", customer_id, sealed)) if sealed else None,
    )


async def fetches_of(work: Work, customer_id: str) -> Sequence[sql.Row]:
    return await SQL.fetches_of.rows(work, customer_id=customer_id)


async def log_of(work: Work, customer_id: str) -> list[dict[str, Any]]:
    """Give the whole log, opened, for the person's own export."""
    told = []
    for row in await SQL.log_of.rows(work, customer_id=customer_id):
        entry = {name: row[name] for name in ("n", "source", "fetch_id", "consent_id", "events", "first_at", "last_at", "is_simulated", "recorded_at")}
        raw = zlib.decompress(work.keys.open("history", customer_id, row["sealed"])) if row["sealed"] else None
        told.append(entry | {"erased_at": row["erased_at"], "content": msgspec.json.decode(raw) if raw is not None else None})
    return told


async def erase_source(work: Work, customer_id: str, source: str) -> int:
    await SQL.erase_table.run(work, customer_id=customer_id, event_table=source, at=work.at)
    return await SQL.erase_source.run(work, customer_id=customer_id, source=source, at=work.at)


async def erase(work: Work, customer_id: str) -> int:
    erased = 0
    for statement in (SQL.erase_log, SQL.erase_reports, SQL.erase_events):
        erased += await statement.run(work, customer_id=customer_id, at=work.at)
    return erased + await SQL.erase_arrivals.run(work, customer_id=customer_id)


async def lock_log(work: Work, customer_id: str) -> None:
    """Keep two writers of one person apart until the Work ends."""
    await SQL.lock_log.value(work, customer_id=customer_id)


async def find_events(work: Work, customer_id: str, tables: Sequence[str]) -> dict[str, tuple[int, bytes | None]]:
    """Give by table the place in the log and the sealed blob, None where it was erased."""
    rows = await SQL.find_events.rows(work, customer_id=customer_id, event_tables=list(tables))
    return {row["event_table"]: (row["place"], row["sealed"]) for row in rows}


async def put_events(work: Work, customer_id: str, rows: Sequence[tuple[str, int, bytes, bytes]]) -> None:
    """Write tables of a person: (table, place in the log, SHA-256 of the blob, sealed blob)."""
    names, places, digests, sealeds = ([row[column] for row in rows] for column in range(4))
    await SQL.put_events.run(
        work, customer_id=customer_id, event_tables=names, places=places, sha256s=digests, sealeds=sealeds, at=work.at
    )


async def scan_events(work: Work, after: str, most: int) -> list[tuple[str, str, bytes]]:
    """Give (person, table, sealed blob) of everybody after one, a row a table."""
    rows = await SQL.scan_events.rows(work, after=after, most=most)
    return [(row["customer_id"], row["event_table"], row["sealed"]) for row in rows]


async def read_at_us(work: Work, customer_id: str) -> int:
    """Give the last instant as of which the person's events were read, in microseconds; 0 if they never were."""
    return await SQL.read_at.value(work, customer_id=customer_id) or 0


async def mark_read(work: Work, customer_id: str, at_us: int) -> None:
    """Note that the person's events were read as of an instant."""
    await SQL.mark_read.run(work, customer_id=customer_id, at_us=at_us)


async def add_arrivals(work: Work, rows: Sequence[tuple[str, int, str, bytes]]) -> None:
    """Keep rows of our own logs until the person's history is read: (person, place in the outbox, table, sealed row)."""
    whose, seqs, names, sealeds = ([row[column] for row in rows] for column in range(4))
    await SQL.add_arrivals.run(work, customer_ids=whose, seqs=seqs, event_tables=names, sealeds=sealeds, at=work.at)


async def arrivals_of(work: Work, customer_id: str) -> list[tuple[int, str, bytes, datetime]]:
    """Give (place in the outbox, table, sealed row, when it was recorded), oldest first."""
    rows = await SQL.arrivals_of.rows(work, customer_id=customer_id)
    return [(row["seq"], row["event_table"], row["sealed"], row["recorded_at"]) for row in rows]


async def take_arrivals(work: Work, customer_id: str, seqs: Sequence[int]) -> None:
    await SQL.take_arrivals.run(work, customer_id=customer_id, seqs=list(seqs))


async def people_of_arrivals(work: Work, most: int) -> list[str]:
    return [row["customer_id"] for row in await SQL.people_of_arrivals.rows(work, most=most)]


async def has_events(work: Work, customer_id: str) -> bool:
    """Whether there is anything of the person that is not erased."""
    return bool(await SQL.has_events.value(work, customer_id=customer_id))
