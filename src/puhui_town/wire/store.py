"""What the town remembers: named tables in memory, written through to one SQLite file in group commits.

Nothing is told to anyone before `commit`: the server commits once for all requests of one turn of the loop and lets the replies go then.
So a killed town comes back with everything it ever answered. (`synchronous=OFF`: it survives kill -9, not a power cut.)
"""

import sqlite3
from collections.abc import ItemsView, Iterator, ValuesView
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Table(Generic[T]):
    """Rows of one kind by a text key. A row changed in place counts only when it is `put` again."""

    __slots__ = ("_decoder", "_store", "name", "rows")

    def __init__(self, store: "Store", name: str, kind: Any) -> None:
        self.name, self._store = name, store
        self.rows: dict[str, T] = {}
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)

    def get(self, key: str) -> T | None:
        return self.rows.get(key)

    def put(self, key: str, row: T) -> None:
        """Keep a row as it stands now. Raises TypeError for what msgpack cannot hold; then nothing was changed."""
        self._store.touched[self.name, key] = self._store.encode(row)
        self.rows[key] = row

    def drop(self, key: str) -> None:
        """Forget a row; nothing happens if it is not there."""
        if self.rows.pop(key, None) is not None:
            self._store.touched[self.name, key] = None

    def clear(self) -> None:
        for key in list(self.rows):
            self.drop(key)

    def load(self, key: str, blob: bytes) -> None:
        self.rows[key] = self._decoder.decode(blob)

    def items(self) -> ItemsView[str, T]:
        return self.rows.items()

    def values(self) -> ValuesView[T]:
        return self.rows.values()

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __getitem__(self, key: str) -> T:
        return self.rows[key]

    def __contains__(self, key: str) -> bool:
        return key in self.rows

    def __len__(self) -> int:
        return len(self.rows)


class Store:
    """The town's memory. `path` None keeps it in memory only (tests). One process a file: a second one is refused by SQLite's lock."""

    def __init__(self, path: Path | None) -> None:
        self.touched: dict[tuple[str, str], bytes | None] = {}
        """Rows changed since the last commit; None for those that were dropped."""
        self._tables: dict[str, Table[Any]] = {}
        self.encode = msgspec.msgpack.Encoder().encode
        self._base = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=5)
        for pragma in ("locking_mode = exclusive", "journal_mode = wal", "synchronous = off", "cache_size = -32000"):
            self._base.execute(f"pragma {pragma}")
        self._base.execute("create table if not exists rows (tbl text, key text, value blob, primary key (tbl, key)) without rowid")

    def table(self, name: str, kind: type[T]) -> Table[T]:
        """Give the table of that name with its rows; `kind` is a msgspec struct, or what msgpack can hold."""
        known = self._tables.get(name)
        if known is not None:
            return known
        table: Table[T] = Table(self, name, kind)
        for key, blob in self._base.execute("select key, value from rows where tbl = ? order by key", (name,)):
            table.load(key, blob)
        self._tables[name] = table
        return table

    def commit(self) -> None:
        """Write every touched row in one transaction. Costs nothing when nothing was touched."""
        if not self.touched:
            return
        kept = [(name, key, blob) for (name, key), blob in self.touched.items() if blob is not None]
        gone = [mark for mark, blob in self.touched.items() if blob is None]
        base = self._base
        base.execute("begin")
        if kept:
            base.executemany("insert or replace into rows values (?, ?, ?)", kept)
        if gone:
            base.executemany("delete from rows where tbl = ? and key = ?", gone)
        base.execute("commit")
        self.touched.clear()

    def close(self) -> None:
        self.commit()
        self._base.close()
