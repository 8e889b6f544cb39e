"""The house's own event log of derived variables: a sealed blob a person and table, in PostgreSQL.

Rows of our own are known from the Work that appends them; what a source told, from the instant as of which it was asked. What was read as of an
instant A is never added to: whatever is appended later is known after A, so that a history as of A stays the same bytes for ever.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from puhui.engines.variables import Fetch, History, Table
from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.columns import instant_us
from puhui.engines.variables.origination import bare
from puhui.engines.variables.refusals import OtherCatalogue
from puhui.engines.variables.sources import rows_of_report, rows_told
from puhui.engines.variables.telling import alone, as_known, with_news
from puhui.foundation.work import Work
from puhui.rooms.histories import store
from puhui.rooms.histories.event_log import empty, plain_rows, shard_of
from puhui.rooms.histories.history import LogUnusable
from puhui.vocabulary.permits import Permit

FIELD = "events"
BATCH = 500


@dataclass(frozen=True, slots=True)
class Told:
    """What is appended to one table: rows, with the instant from which they are known, and the fetches that brought them."""

    rows: Mapping[str, Any]
    fetches: tuple[Fetch, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A person's history as known at `as_of_us`, the place in the log of each table that was read, and the SHA-256 over the tables' blobs."""

    as_of_us: int
    history: History = field(repr=False)
    places: Mapping[str, int]
    sha256: str


async def append(
    work: Work, *, customer_id: str, catalogue: Catalogue, table: str, rows: Mapping[str, Any], fetched: Sequence[tuple[str, datetime | None]] = (),
) -> int:
    """Append rows of a table, known from now on, and fetches made now as (consent, its end); give the place in the log.

    A correction is a row of the same event; a retraction one with `retracted`. Told again as it was, nothing is appended twice.

    Raises: LogUnusable (rows say themselves when they were known), and the refusals of reading columns.
    """
    if "known_time" in rows:
        raise LogUnusable(why="rows are known from the instant of the Work that appends them; they do not say it themselves")
    at = await _after_what_was_read(work, customer_id, instant_us("the instant of the Work", work.at))
    size = len(next(iter(rows.values()), ()))
    asked = tuple(Fetch(at, consent, None if until is None else instant_us("the end of a consent", until)) for consent, until in fetched)
    told = Told({**rows, "known_time": [at] * size} if rows else {}, asked)
    return (await _put(work, customer_id, catalogue, {table: told}))[table]


async def tell(work: Work, *, customer_id: str, catalogue: Catalogue, told: Mapping[str, Told], as_of_us: int) -> Mapping[str, int]:
    """Append what sources told, asked as of one instant, in several tables at once; give their places in the log.

    The rows are known from that instant, or from after what was read of the person since. Raises: the refusals of reading columns.
    """
    at = await _after_what_was_read(work, customer_id, as_of_us)
    moved = {
        table: Told(
            {**one.rows, "known_time": [at] * len(one.rows["event_id"])} if one.rows else {},
            tuple(Fetch(at, fetch.consent, fetch.until) for fetch in one.fetches),
        )
        for table, one in told.items()
    }
    return await _put(work, customer_id, catalogue, moved)


async def tell_sources(
    work: Work, *, customer_id: str, as_of: datetime, pages: Mapping[str, Sequence[bytes]], report: Mapping[str, Any] | None, permits: Mapping[str, Permit]
) -> None:
    """Append what was told for one asking: the pages of each source, and the bureau's report, each under the permit by which it was asked.

    A source that knows nobody has told nothing. Raises: msgspec.ValidationError (a page that is none), and the refusals of reading columns.
    """
    at = instant_us("the instant asked about", as_of)
    rows = {source: rows_told(source, raw, at) for source, raw in pages.items()}
    if report is not None:
        rows["bureau"] = rows_of_report(report, at)
    told = {name: Told(some, (_fetch(at, permits[name]),)) for name, some in rows.items()}
    if told:
        await tell(work, customer_id=customer_id, catalogue=bare(), told=told, as_of_us=at)


def _fetch(at: int, permit: Permit) -> Fetch:
    return Fetch(at, permit.consent_id, instant_us("the end of a consent", permit.until))


async def fold(work: Work, customer_id: str) -> None:
    """Move the rows of our own logs that have arrived into the person's blobs, known from when they were recorded, or from after what was read since."""
    arrived = await store.arrivals_of(work, customer_id)
    if not arrived:
        return
    least = await _after_what_was_read(work, customer_id, 0)
    columns: dict[str, dict[str, list[Any]]] = {}
    for place, (_, name, sealed, recorded_at) in enumerate(arrived):
        table = bare().table(name)
        assert table is not None, name
        row = msgspec.json.decode(work.keys.open("arrival", customer_id, sealed))
        known = max(instant_us("the instant of recording", recorded_at), least)
        told = {"known_time": known, "revision": place, "retracted": False} | row
        for column in ("event_id", "event_time", "known_time", "revision", "retracted", *table.fields, *table.texts):
            columns.setdefault(name, {}).setdefault(column, []).append(told.get(column))
    await _put(work, customer_id, bare(), {name: Told(some) for name, some in columns.items()})
    await store.take_arrivals(work, customer_id, [seq for seq, *_ in arrived])


async def end_consent(work: Work, *, customer_id: str, catalogue: Catalogue, table: str, consent_id: str) -> bool:
    """Say that a consent has ended: what was fetched under it alone is missing from now on. Gives whether anything had been fetched under it."""
    at = await _after_what_was_read(work, customer_id, instant_us("the instant of the Work", work.at))
    known = (await _held(work, customer_id, catalogue, [table])).get(table)
    if known is None or not any(fetch.consent == consent_id for fetch in known[1].fetches[table]):
        return False
    await _put(work, customer_id, catalogue, {table: Told({}, (Fetch(at, consent_id, at),))})
    return True


async def known_as_of(work: Work, *, customer_id: str, catalogue: Catalogue, tables: Sequence[str], as_of_us: int, is_read: bool = True) -> Known:
    """Give what is known of a person as of an instant, from these tables and our own. `is_read`: a decision reads it, so nothing is ever added to it.

    An instant as of which was read before is moved on by a microsecond, so that of two decisions each has its own. Looked at again with
    `is_read` false, an instant gives the same bytes for ever, unless they were erased.
    """
    wanted = [table for table in catalogue.tables if table.name in tables or not table.consent]
    if is_read:
        await fold(work, customer_id)
        as_of_us = await _after_what_was_read(work, customer_id, as_of_us)
        await store.mark_read(work, customer_id, as_of_us)
    held = await _held(work, customer_id, catalogue, [table.name for table in wanted])
    history, digest = empty(catalogue), hashlib.sha256()
    for table in wanted:
        one = held[table.name][1] if table.name in held else _none(table)
        known = as_known(one, as_of_us)
        if known.tables[table.name] is None:
            continue
        history = _beside(history, known, table)
        digest.update(f"{table.name}|".encode() + hashlib.sha256(known.blob()).digest())
    return Known(as_of_us, history, {name: place for name, (place, _) in sorted(held.items())}, digest.hexdigest())


async def is_erased(work: Work, customer_id: str, tables: Sequence[str]) -> bool:
    """Whether any of these tables once held what is erased now."""
    return any(sealed is None for _, sealed in (await store.find_events(work, customer_id, tables)).values())


async def read(work: Work, *, customer_id: str, catalogue: Catalogue, tables: Sequence[str] | None = None) -> History:
    """Give what is known of a person; of these tables only, if they are named. What may speak at an instant the fetches and consents in it say."""
    history = empty(catalogue)
    for name, (_, one) in (await _held(work, customer_id, catalogue, [table.name for table in catalogue.tables if tables is None or table.name in tables])).items():
        history = _beside(history, one, one.catalogue.tables[0]) if one.tables[name] is not None else history
    return history


async def scan(work: Work, *, catalogue: Catalogue, shard: int, shards: int) -> AsyncIterator[tuple[str, History]]:
    """Give everybody of a shard, in the order of their ids."""
    whose, history, after = "", empty(catalogue), ""
    while rows := await store.scan_events(work, after, BATCH):
        last = rows[-1][0]
        if len(rows) == BATCH and any(row[0] != last for row in rows):
            rows = [row for row in rows if row[0] != last]  # the last person may go on in the next batch
        for customer_id, name, sealed in rows:
            table = catalogue.table(name)
            if table is None or shard_of(customer_id, shards) != shard:
                continue
            if customer_id != whose:
                if whose:
                    yield whose, history
                whose, history = customer_id, empty(catalogue)
            history = _beside(history, History.from_blob(alone(table), work.keys.open(FIELD, customer_id, sealed)), table)
        after = rows[-1][0]
    if whose:
        yield whose, history


async def export(work: Work, customer_id: str, catalogue: Catalogue) -> dict[str, Any]:
    """Give the rows and fetches of every table that was stored as this catalogue has it, for the person alone."""
    told: dict[str, Any] = {}
    for table in catalogue.tables:
        try:
            history = await read(work, customer_id=customer_id, catalogue=catalogue, tables=[table.name])
        except OtherCatalogue:
            continue
        rows = plain_rows(history, table)
        if rows is not None:
            fetches = [{"at": one.at, "consent": one.consent, "until": one.until} for one in history.fetches[table.name]]
            told[table.name] = {"rows": rows, "fetches": fetches}
    return told


async def _after_what_was_read(work: Work, customer_id: str, at_us: int) -> int:
    """Keep other writers of the person out until the Work ends, and give this instant, or the one after the last that was read as of."""
    await store.lock_log(work, customer_id)
    return max(at_us, await store.read_at_us(work, customer_id) + 1)


async def _held(work: Work, customer_id: str, catalogue: Catalogue, names: Sequence[str]) -> dict[str, tuple[int, History]]:
    """Give the tables that hold something: their place in the log, and their rows as a history of this table alone."""
    found: dict[str, tuple[int, History]] = {}
    for name, (place, sealed) in (await store.find_events(work, customer_id, names)).items():
        table = catalogue.table(name)
        if sealed is not None and table is not None:
            found[name] = place, History.from_blob(alone(table), work.keys.open(FIELD, customer_id, sealed))
    return found


async def _put(work: Work, customer_id: str, catalogue: Catalogue, told: Mapping[str, Told]) -> dict[str, int]:
    held = await store.find_events(work, customer_id, list(told))
    rows: list[tuple[str, int, bytes, bytes]] = []
    for name, more in told.items():
        table = catalogue.table(name)
        if table is None:
            raise LogUnusable(why=f"there is no table {name}")
        place, sealed = held.get(name, (0, None))
        before = empty(alone(table)) if sealed is None else History.from_blob(alone(table), work.keys.open(FIELD, customer_id, sealed))
        own = {name: with_news(table, before.tables[name], more.rows)}
        asked = before.append(name, {}, more.fetches).fetches if more.fetches else before.fetches
        blob = History(alone(table), own, asked).blob()
        rows.append((name, place + 1, hashlib.sha256(blob).digest(), work.keys.seal(FIELD, customer_id, blob)))
    await store.put_events(work, customer_id, rows)
    return {name: place for name, place, *_ in rows}


def _none(table: Table) -> History:
    """Give the history of a table that nothing was told of: our own log is there and empty, another's was never fetched."""
    return empty(alone(table)) if table.consent else History.read(alone(table), {table.name: {}})


def _beside(history: History, one: History, table: Table) -> History:
    """Put the rows of a history of one table among those of the catalogue."""
    return History(history.catalogue, {**history.tables, table.name: one.tables[table.name]}, {**history.fetches, table.name: one.fetches[table.name]})
