"""The event log that derived variables read, as a port of three verbs; and what every adapter of it needs: shards, and rows as plain columns.

The house's own log is PostgreSQL (`append_events`, `read_events`, `scan_events` of this room). These are for elsewhere: LMDB for a hot replica,
Parquet for the offline side. Whatever keeps the rows, a history is the same bytes, so its variables are the same bits.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from puhui.engines.variables import Fetch, History
from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.tables import SYSTEM_COLUMNS, Table


class EventLog(Protocol):
    """An append-only log of events by person and table."""

    def append(self, person: str, table: str, rows: Mapping[str, Any], fetches: Sequence[Fetch] = ()) -> None:
        """Add rows and fetches; a correction is a row of the same event known later, a retraction one with `retracted`."""

    def read(self, person: str, tables: Sequence[str] | None = None) -> History:
        """Give what is known of a person; of these tables only, if they are named."""

    def scan(self, shard: int, shards: int) -> Iterator[tuple[str, History]]:
        """Give everybody of a shard, in the order of their ids."""


class Sealing(Protocol):
    """What seals a field of a person, as `foundation.crypto.FieldKeys` does."""

    def seal(self, field: str, whose: str, value: str | bytes) -> bytes: ...

    def open(self, field: str, whose: str, cell: bytes) -> bytes: ...


def shard_of(person: str, shards: int) -> int:
    """Say in which of so many shards a person lies: the same everywhere, for ever."""
    return int.from_bytes(hashlib.sha256(person.encode()).digest()[:8]) % shards


def empty(catalogue: Catalogue) -> History:
    """Give the history of somebody nothing is known of."""
    return History.read(catalogue, {})


def plain_rows(history: History, table: Table) -> dict[str, list[Any]] | None:
    """Give a table's rows, in all their versions, as columns of plain values; None if it was never fetched."""
    rows = history.tables[table.name]
    if rows is None:
        return None
    raw = rows.raw(table)
    given = dict(zip(SYSTEM_COLUMNS, (raw.event_id, raw.event_time, raw.known_time, raw.revision, raw.retracted), strict=True))
    told: dict[str, list[Any]] = {name: column.tolist() for name, column in given.items()}
    for place, name in enumerate(table.fields):
        told[name] = [value if is_there else None for value, is_there in zip(raw.values[place].tolist(), raw.ok[place].tolist(), strict=True)]
    return told | {name: raw.texts[place].texts() for place, name in enumerate(table.texts)}
