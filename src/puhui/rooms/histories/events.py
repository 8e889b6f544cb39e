"""The house's own event log of derived variables: a sealed blob a person and table, in PostgreSQL. Rows are known from the Work that appends them."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from puhui.engines.variables import Fetch, History
from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.columns import instant_us
from puhui.foundation.work import Work
from puhui.rooms.histories import store
from puhui.rooms.histories.event_log import empty, plain_rows, shard_of
from puhui.rooms.histories.history import LogUnusable

FIELD = "events"
BATCH = 500


async def append(
    work: Work, *, customer_id: str, catalogue: Catalogue, table: str, rows: Mapping[str, Any], fetched: Sequence[tuple[str, datetime | None]] = (),
) -> int:
    """Append rows of a table, known from now on, and fetches made now as (consent, its end); give the place in the log.

    A correction is a row of the same event; a retraction one with `retracted`. Told twice in one instant, nothing is twice.

    Raises: LogUnusable (rows say themselves when they were known), and the refusals of reading columns.
    """
    if "known_time" in rows:
        raise LogUnusable(why="rows are known from the instant of the Work that appends them; they do not say it themselves")
    at = instant_us("the instant of the Work", work.at)
    size = len(next(iter(rows.values()), ()))
    await store.lock_log(work, customer_id)
    held = await store.find_events(work, customer_id, [table])
    place, before = held.get(table, (0, None))
    history = empty(catalogue) if before is None else History.from_blob(catalogue, work.keys.open(FIELD, customer_id, before))
    asked = [Fetch(at, consent, None if until is None else instant_us("the end of a consent", until)) for consent, until in fetched]
    blob = history.append(table, {**rows, "known_time": [at] * size} if rows else {}, asked).blob()
    await store.put_events(work, customer_id, table, place + 1, hashlib.sha256(blob).digest(), work.keys.seal(FIELD, customer_id, blob))
    return place + 1


async def read(work: Work, *, customer_id: str, catalogue: Catalogue, tables: Sequence[str] | None = None) -> History:
    """Give what is known of a person; of these tables only, if they are named. What may speak at an instant the fetches and consents in it say."""
    wanted = [table.name for table in catalogue.tables if tables is None or table.name in tables]
    history = empty(catalogue)
    for _, sealed in (await store.find_events(work, customer_id, wanted)).values():
        if sealed is not None:
            history = history.beside(History.from_blob(catalogue, work.keys.open(FIELD, customer_id, sealed)))
    return history


async def scan(work: Work, *, catalogue: Catalogue, shard: int, shards: int) -> AsyncIterator[tuple[str, History]]:
    """Give everybody of a shard, in the order of their ids."""
    whose, history, after = "", empty(catalogue), ""
    while rows := await store.scan_events(work, after, BATCH):
        last = rows[-1][0]
        if len(rows) == BATCH and any(row[0] != last for row in rows):
            rows = [row for row in rows if row[0] != last]  # the last person may go on in the next batch
        for customer_id, sealed in rows:
            if shard_of(customer_id, shards) != shard:
                continue
            if customer_id != whose:
                if whose:
                    yield whose, history
                whose, history = customer_id, empty(catalogue)
            history = history.beside(History.from_blob(catalogue, work.keys.open(FIELD, customer_id, sealed)))
        after = rows[-1][0]
    if whose:
        yield whose, history


async def export(work: Work, customer_id: str, catalogue: Catalogue) -> dict[str, Any]:
    """Give the rows and fetches of every table, for the person alone."""
    history = await read(work, customer_id=customer_id, catalogue=catalogue)
    return {
        table.name: {"rows": rows, "fetches": [{"at": one.at, "consent": one.consent, "until": one.until} for one in history.fetches[table.name]]}
        for table in catalogue.tables
        if (rows := plain_rows(history, table)) is not None
    }
