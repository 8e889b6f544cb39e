"""The event log of the offline side in Parquet: by table, partitioned by a hash of the person, sorted by person and event time.

It holds what analysts may hold, in clear: fill it with persons who are pseudonyms. Files are only added; `compact` makes one of many.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from puhui.engines.variables import Fetch, Histories, History
from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.tables import Table
from puhui.rooms.histories.event_log import empty, plain_rows, shard_of
from puhui.rooms.histories.history import LogUnusable

SHARDS = 64
FETCHES = "fetches"


class ParquetLog:
    """The event log in a folder of Parquet files. Raises: LogUnusable (the folder was cut into another number of shards)."""

    def __init__(self, folder: Path, catalogue: Catalogue, *, shards: int = SHARDS) -> None:
        self.folder, self.catalogue, self.shards = folder, catalogue, shards
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / "shards"
        if not mark.exists():
            mark.write_text(f"{shards}\n", encoding="ascii")
        if mark.read_text(encoding="ascii").strip() != str(shards):
            raise LogUnusable(why=f"its folder is cut into {mark.read_text(encoding='ascii').strip()} shards, not {shards}")

    def append(self, person: str, table: str, rows: Mapping[str, Any], fetches: Sequence[Fetch] = ()) -> None:
        """Add rows and fetches. Raises: the refusals of reading columns."""
        self.append_history(person, empty(self.catalogue).append(table, rows, fetches))

    def append_history(self, person: str, history: History) -> None:
        """Add all rows and fetches of a history."""
        self._add({person: history}, shard_of(person, self.shards))

    def read(self, person: str, tables: Sequence[str] | None = None) -> History:
        """Give what is known of a person."""
        found = dict(self._of(shard_of(person, self.shards), [("person", "=", person)]))
        history = found.get(person, empty(self.catalogue))
        return history if tables is None else history.only(*tables)

    def scan(self, shard: int, shards: int) -> Iterator[tuple[str, History]]:
        """Give everybody of a shard; `shards` must be those of the folder. Raises: LogUnusable."""
        if shards != self.shards:
            raise LogUnusable(why=f"its folder is cut into {self.shards} shards, not {shards}")
        yield from self._of(shard, None)

    def compact(self, shard: int) -> None:
        """Put a shard's files together, sorted, each exact row once."""
        self._rewrite(shard, gone=None)

    def erase(self, person: str) -> None:
        """Take away everything of a person: his shard is written anew without him."""
        self._rewrite(shard_of(person, self.shards), gone=person)

    def _rewrite(self, shard: int, *, gone: str | None) -> None:
        everybody = {person: history for person, history in self._of(shard, None) if person != gone}
        before = [file for name in self._names() for file in self._files(name, shard)]
        self._add(everybody, shard)
        for file in before:
            file.unlink()

    def _names(self) -> list[str]:
        return [*(table.name for table in self.catalogue.tables), FETCHES]

    def _files(self, name: str, shard: int) -> list[Path]:
        return sorted((self.folder / name / f"shard={shard:04d}").glob("*.parquet"))

    def _of(self, shard: int, wanted: Any) -> Iterator[tuple[str, History]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        def read(name: str) -> Any:
            tables = [pq.read_table(file, filters=wanted, partitioning=None) for file in self._files(name, shard)]
            return pa.concat_tables(tables) if tables else None

        fetches = read(FETCHES)
        tables = {table.name: rows for table in self.catalogue.tables if (rows := read(table.name)) is not None}
        if fetches is None:
            fetches = pa.table({name: pa.array([], kind) for name, kind in _fetch_kinds().items()})
        read_all = Histories.read(self.catalogue, tables, fetches)
        yield from zip(map(str, read_all.persons), read_all, strict=True)

    def _add(self, people: Mapping[str, History], shard: int) -> None:
        import pyarrow as pa

        for table in self.catalogue.tables:
            told = [(person, rows) for person, history in sorted(people.items()) if (rows := plain_rows(history, table)) is not None and rows["event_id"]]
            if told:
                names = list(told[0][1])
                columns = {name: [value for _, rows in told for value in rows[name]] for name in names}
                persons = [person for person, rows in told for _ in rows["event_id"]]
                kinds = _kinds(table)
                self._write(table.name, shard, pa.table({"person": persons} | {name: pa.array(columns[name], kinds[name]) for name in names}))
        asked = [
            (person, name, fetch.at, fetch.consent, fetch.until)
            for person, history in sorted(people.items()) for name, some in history.fetches.items() for fetch in some
        ]  # fmt: skip
        if asked:
            columns_of = dict(zip(_fetch_kinds(), zip(*asked, strict=True), strict=True))
            self._write(FETCHES, shard, pa.table({name: pa.array(columns_of[name], kind) for name, kind in _fetch_kinds().items()}))

    def _write(self, name: str, shard: int, table: Any) -> None:
        import pyarrow.parquet as pq

        folder = self.folder / name / f"shard={shard:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        number = max((int(file.stem) for file in folder.glob("*.parquet")), default=0) + 1
        fresh = folder / f"{number:08d}.fresh"
        pq.write_table(table, fresh, compression="zstd")
        fresh.rename(folder / f"{number:08d}.parquet")


def _fetch_kinds() -> dict[str, Any]:
    import pyarrow as pa

    return {"person": pa.string(), "table": pa.string(), "at": pa.int64(), "consent": pa.string(), "until": pa.int64()}


def _kinds(table: Table) -> dict[str, Any]:
    import pyarrow as pa

    whole = dict.fromkeys(("event_id", "event_time", "known_time", "revision", *table.fields), pa.int64())
    return whole | {"retracted": pa.bool_()} | dict.fromkeys(table.texts, pa.string())
