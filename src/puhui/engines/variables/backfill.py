"""Backfill: the same kernel over many people and many instants, in shards, streamed as Arrow and kept as Parquet.

A shard holds each person's blob once and the instants that are asked of it; it is decoded once, and nothing of it stays. The answer is the same to
the bit on threads, on processes and on Ray, however the people are cut into shards.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.history import History, Person
from puhui.engines.variables.lending import lending
from puhui.engines.variables.plan import Plan
from puhui.foundation.shards import Backend, map_shards

SHARD_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Shard:
    """Some people, the blob of each, and the instants (us UTC) that are asked of each, one or several."""

    persons: tuple[Person, ...]
    blobs: tuple[bytes, ...]
    instants: tuple[tuple[int, ...], ...]


def shards_of(people: Iterable[tuple[Person, bytes, Sequence[int]]], size: int) -> Iterator[Shard]:
    """Cut (person, blob, instants) into shards of about `size` answers each; people stay whole and in their order."""
    held: list[tuple[Person, bytes, tuple[int, ...]]] = []
    answers = 0
    for person, blob, instants in people:
        held.append((person, blob, tuple(instants)))
        answers += len(instants)
        if answers >= size:
            yield Shard(*zip(*held, strict=True))
            held, answers = [], 0
    if held:
        yield Shard(*zip(*held, strict=True))


@functools.lru_cache(8)
def _plan(catalogue: Callable[[], Catalogue], data: bytes) -> Plan:
    return Plan.from_bytes(catalogue(), data)


@dataclass(frozen=True, slots=True)
class Answering:
    """A plan that travels to workers: called with a shard, it gives one Arrow batch of person, as_of and the variables in the plan's order.

    `catalogue` is a function of a module, so that a worker can call it too. Raises: DamagedBlob, OtherCatalogue.
    """

    plan: bytes
    catalogue: Callable[[], Catalogue] = lending

    def __call__(self, shard: Shard) -> Any:
        """Answer a shard."""
        import pyarrow as pa

        plan = _plan(self.catalogue, self.plan)
        vectors = np.empty((sum(map(len, shard.instants)), len(plan)))
        place, asked_of = 0, {table.table.name for table in plan.tables}
        for blob, instants in zip(shard.blobs, shard.instants, strict=True):
            history = History.from_blob(plan.catalogue, blob, tables=asked_of)
            for instant in instants:
                plan.one(history, instant, vectors[place])
                place += 1
        persons = [person for person, instants in zip(shard.persons, shard.instants, strict=True) for _ in instants]
        asked = np.array([instant for instants in shard.instants for instant in instants], np.int64)
        return plan.arrow(vectors, [("person", pa.array(persons)), ("as_of", pa.array(asked, pa.timestamp("us", "UTC")))])


def answers(
    plan: Plan, shards: Iterable[Shard], *, backend: Backend = "threads", workers: int = 2, catalogue: Callable[[], Catalogue] = lending,
) -> Iterator[Any]:
    """Give one Arrow batch a shard, in the order of the shards, at most two a worker in memory. Raises: as `Answering`; RayMissing."""
    yield from map_shards(Answering(plan.to_bytes(), catalogue), shards, backend=backend, workers=workers)


def by_group(catalogue: Catalogue, names: Iterable[str]) -> tuple[str, ...]:
    """Give the names with those of one table and one filter side by side: so they are computed, and so Parquet keeps them."""
    def key(name: str) -> tuple[str, str]:
        variable = catalogue.parse(name)
        return variable.table, "&".join(map(str, variable.filter))

    return tuple(sorted(names, key=key))


def write_parquet(batches: Iterable[Any], out: Path) -> int:
    """Write batches into one Parquet file, a row group each (bytes of a column's numbers split by their place, then zstd); give how many rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, writer = 0, None
    try:
        for batch in batches:
            if writer is None:
                split = [field.name for field in batch.schema if pa.types.is_floating(field.type)]
                settings = {"compression": "zstd", "compression_level": 1, "use_dictionary": False, "write_statistics": False}
                writer = pq.ParquetWriter(out, batch.schema, use_byte_stream_split=split, **settings)
            writer.write_batch(batch, row_group_size=max(1, batch.num_rows))
            rows += batch.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows
