"""The house's own event log of derived variables: a sealed blob a person and table, in PostgreSQL.

Rows of our own are known from the Work that appends them; what a source told, from the instant as of which it was asked. What was read as of an
instant A is never added to: whatever is appended later is known after A, so that a history as of A stays the same bytes for ever.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from puhui.engines.variables import Fetch, History, Table
from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.columns import Raw, instant_us
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

    rows: Mapping[str, Any] | Raw
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
    return (await _put(work, customer_id, catalogue, {table: told}))[table].place


@dataclass(frozen=True, slots=True)
class Kept:
    """A table as it lies in the log: its place there, its rows as a history of this table alone, the SHA-256 of its blob."""

    place: int
    history: History = field(repr=False)
    digest: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """What this Work holds of a person, whose log it has locked: the last instant that was read as of, and tables of the log."""

    read_us: int
    tables: Mapping[str, Kept]


async def tell(work: Work, *, customer_id: str, catalogue: Catalogue, told: Mapping[str, Told], as_of_us: int) -> Held:
    """Append what sources told, asked as of one instant, in several tables at once; give what is held of these now.

    The rows are known from that instant, or from after what was read of the person since. Raises: the refusals of reading columns.
    """
    read_us = await _read_us(work, customer_id)
    at = max(as_of_us, read_us + 1)
    moved = {name: Told(_known_from(at, one.rows), tuple(Fetch(at, fetch.consent, fetch.until) for fetch in one.fetches)) for name, one in told.items()}
    return Held(read_us, await _put(work, customer_id, catalogue, moved))


def _known_from(at: int, rows: Mapping[str, Any] | Raw) -> Mapping[str, Any] | Raw:
    if isinstance(rows, Raw):
        return replace(rows, known_time=np.full(len(rows.event_id), at, np.int64))
    return {**rows, "known_time": [at] * len(rows["event_id"])} if rows else rows


async def tell_sources(
    work: Work, *, customer_id: str, as_of: datetime, pages: Mapping[str, Sequence[bytes]], report: Mapping[str, Any] | None, permits: Mapping[str, Permit]
) -> Held | None:
    """Append what was told for one asking: the pages of each source, and the bureau's report, each under the permit by which it was asked.

    A source that knows nobody has told nothing. Raises: msgspec.ValidationError (a page that is none), and the refusals of reading columns.
    """
    at = instant_us("the instant asked about", as_of)
    rows: dict[str, Mapping[str, Any] | Raw] = {source: rows_told(source, raw, at) for source, raw in pages.items()}
    if report is not None:
        rows["bureau"] = rows_of_report(report, at)
    told = {name: Told(some, (_fetch(at, permits[name]),)) for name, some in rows.items()}
    return await tell(work, customer_id=customer_id, catalogue=bare(), told=told, as_of_us=at) if told else None


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
    if known is None or not any(fetch.consent == consent_id for fetch in known.history.fetches[table]):
        return False
    await _put(work, customer_id, catalogue, {table: Told({}, (Fetch(at, consent_id, at),))})
    return True


async def known_as_of(
    work: Work, *, customer_id: str, catalogue: Catalogue, tables: Sequence[str], as_of_us: int, is_read: bool = True, held: Held | None = None
) -> Known:
    """Give what is known of a person as of an instant, from these tables and our own. `is_read`: a decision reads it, so nothing is ever added to it.

    An instant as of which was read before is moved on by a microsecond, so that of two decisions each has its own. Looked at again with
    `is_read` false, an instant gives the same bytes for ever, unless they were erased. `held` is what this Work has just appended, if it did.
    """
    wanted = [table for table in catalogue.tables if table.name in tables or not table.consent]
    if is_read:
        await fold(work, customer_id)
        as_of_us = max(as_of_us, (held.read_us if held else await _read_us(work, customer_id)) + 1)
        await store.mark_read(work, customer_id, as_of_us)
    at_hand = dict(held.tables) if held else {}
    at_hand |= await _held(work, customer_id, catalogue, [table.name for table in wanted if table.name not in at_hand])
    history, digest = empty(catalogue), hashlib.sha256()
    for table in wanted:
        kept = at_hand.get(table.name)
        one = kept.history if kept else _none(table)
        known = as_known(one, as_of_us)
        if known.tables[table.name] is None:
            continue
        history = _beside(history, known, table)
        digest.update(f"{table.name}|".encode() + (kept.digest if kept and known is one else hashlib.sha256(known.blob()).digest()))
    places = {table.name: at_hand[table.name].place for table in wanted if table.name in at_hand}
    return Known(as_of_us, history, places, digest.hexdigest())


async def is_erased(work: Work, customer_id: str, tables: Sequence[str]) -> bool:
    """Whether any of these tables once held what is erased now."""
    return any(sealed is None for _, sealed in (await store.find_events(work, customer_id, tables)).values())


async def read(work: Work, *, customer_id: str, catalogue: Catalogue, tables: Sequence[str] | None = None) -> History:
    """Give what is known of a person; of these tables only, if they are named. What may speak at an instant the fetches and consents in it say."""
    history = empty(catalogue)
    names = [table.name for table in catalogue.tables if tables is None or table.name in tables]
    for kept in (await _held(work, customer_id, catalogue, names)).values():
        history = _beside(history, kept.history, kept.history.catalogue.tables[0])
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


async def _read_us(work: Work, customer_id: str) -> int:
    """Keep other writers of the person out until the Work ends, and give the last instant that was read as of."""
    await store.lock_log(work, customer_id)
    return await store.read_at_us(work, customer_id)


async def _after_what_was_read(work: Work, customer_id: str, at_us: int) -> int:
    """Keep other writers of the person out until the Work ends, and give this instant, or the one after the last that was read as of."""
    return max(at_us, await _read_us(work, customer_id) + 1)


async def _held(work: Work, customer_id: str, catalogue: Catalogue, names: Sequence[str]) -> dict[str, Kept]:
    """Give the tables that hold something."""
    found: dict[str, Kept] = {}
    for name, (place, sealed) in (await store.find_events(work, customer_id, names)).items():
        table = catalogue.table(name)
        if sealed is not None and table is not None:
            blob = work.keys.open(FIELD, customer_id, sealed)
            found[name] = Kept(place, History.from_blob(alone(table), blob), hashlib.sha256(blob).digest())
    return found


async def _put(work: Work, customer_id: str, catalogue: Catalogue, told: Mapping[str, Told]) -> dict[str, Kept]:
    """Append to tables and give them as they lie in the log now."""
    held = await store.find_events(work, customer_id, list(told))
    rows: list[tuple[str, int, bytes, bytes]] = []
    kept: dict[str, Kept] = {}
    for name, more in told.items():
        table = catalogue.table(name)
        if table is None:
            raise LogUnusable(why=f"there is no table {name}")
        place, sealed = held.get(name, (0, None))
        before = empty(alone(table)) if sealed is None else History.from_blob(alone(table), work.keys.open(FIELD, customer_id, sealed))
        own = {name: with_news(table, before.tables[name], more.rows)}
        asked = before.append(name, {}, more.fetches).fetches if more.fetches else before.fetches
        history = History(alone(table), own, asked)
        blob = history.blob()
        kept[name] = Kept(place + 1, history, hashlib.sha256(blob).digest())
        rows.append((name, place + 1, kept[name].digest, work.keys.seal(FIELD, customer_id, blob)))
    await store.put_events(work, customer_id, rows)
    return kept


def _none(table: Table) -> History:
    """Give the history of a table that nothing was told of: our own log is there and empty, another's was never fetched."""
    return empty(alone(table)) if table.consent else History.read(alone(table), {table.name: {}})


def _beside(history: History, one: History, table: Table) -> History:
    """Put the rows of a history of one table among those of the catalogue."""
    return History(history.catalogue, {**history.tables, table.name: one.tables[table.name]}, {**history.fetches, table.name: one.fetches[table.name]})
