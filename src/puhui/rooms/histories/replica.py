"""A hot replica of the event log in LMDB: one sealed blob a person and table, read in microseconds by a process that decides. Needs `puhui[lmdb]`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from puhui.engines.variables import Fetch, History
from puhui.engines.variables.catalogue import Catalogue
from puhui.rooms.histories.event_log import Sealing, empty, shard_of
from puhui.rooms.histories.history import LogUnusable

FIELD = "variables"
MAP_BYTES = 1 << 36
KEY_BYTES_MAX = 500


class LmdbLog:
    """The event log in a folder of LMDB; whoever opens it must hold the field keys.

    Raises: LogUnusable (the extra is not installed; the id of a person is too long for a key).
    """

    def __init__(self, folder: Path, catalogue: Catalogue, keys: Sealing, *, map_bytes: int = MAP_BYTES) -> None:
        try:
            import lmdb
        except ImportError:
            raise LogUnusable(why="LMDB is not installed; install puhui[lmdb]") from None
        self.catalogue, self._keys = catalogue, keys
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._room: Any = lmdb.open(str(folder), map_size=map_bytes, mode=0o600)

    def close(self) -> None:
        """Close the folder."""
        self._room.close()

    def append(self, person: str, table: str, rows: Mapping[str, Any], fetches: Sequence[Fetch] = ()) -> None:
        """Add rows and fetches. Raises: LogUnusable, and the refusals of reading columns."""
        key = _key(person, table)
        with self._room.begin(write=True) as held:
            before = held.get(key)
            history = empty(self.catalogue) if before is None else self._open(person, before)
            held.put(key, self._keys.seal(FIELD, person, history.append(table, rows, fetches).blob()))

    def read(self, person: str, tables: Sequence[str] | None = None) -> History:
        """Give what is known of a person."""
        history = empty(self.catalogue)
        with self._room.begin() as held:
            for table in self.catalogue.tables:
                cell = held.get(_key(person, table.name)) if tables is None or table.name in tables else None
                if cell is not None:
                    history = history.beside(self._open(person, cell))
        return history

    def scan(self, shard: int, shards: int) -> Iterator[tuple[str, History]]:
        """Give everybody of a shard."""
        for person in self._persons():
            if shard_of(person, shards) == shard:
                yield person, self.read(person)

    def erase(self, person: str) -> int:
        """Take away everything of a person; give how many tables."""
        with self._room.begin(write=True) as held:
            return sum(held.delete(_key(person, table.name)) for table in self.catalogue.tables)

    def _persons(self) -> list[str]:
        with self._room.begin() as held, held.cursor() as cursor:
            return sorted({bytes(key).split(b"\0", 1)[0].decode() for key in cursor.iternext(values=False)})

    def _open(self, person: str, cell: bytes) -> History:
        return History.from_blob(self.catalogue, self._keys.open(FIELD, person, bytes(cell)))


def _key(person: str, table: str) -> bytes:
    key = f"{person}\0{table}".encode()
    if not person or "\0" in person or len(key) > KEY_BYTES_MAX:
        raise LogUnusable(why="a person's id is 1 to some 400 bytes, without a zero among them")
    return key
