"""`bench backfill`: chosen columns of many people, from their blobs to Parquet, in bounded memory.

The people are those of workload V1: some thousands are drawn, and each stands for several, as of other instants. Drawing them is not timed; decoding
their blobs, computing and writing Parquet is. Seconds are of CPU, of all threads.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from puhui.engines.variables.backfill import Answering, Shard, by_group, shards_of, write_parquet
from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.plan import Plan
from puhui.proofs.bench_variables import AS_OF, DAY_US, draw, histories_of, v1_catalogue

DRAWN = 2000
EVERY = 35
GROUPS = 12


def run(*, people: int = 200_000, select: int = 3000, seed: int = 7, drawn: int = DRAWN, rows: int = 2500) -> dict[str, Any]:
    """Measure two selections: every 35th ordinal, and as many columns of the 12 groups that have most."""
    catalogue = v1_catalogue()
    some = min(drawn, people)
    blobs = [history.blob() for history in histories_of(catalogue, draw(some, seed))]
    told: dict[str, Any] = {"workload": "V1", "seed": seed, "people": people, "drawn": some, "blob_bytes": sum(map(len, blobs)) // some, "rows_a_shard": rows}
    for word, names in (("spread", catalogue.names[::EVERY][:select]), ("grouped", grouped(catalogue, select))):
        told |= {f"{word}_{key}": value for key, value in _measured(catalogue.plan(names), blobs, people, rows).items()}
    told["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20), 3)
    return told | {"cores": os.cpu_count(), "python": sys.version.split()[0]}


def grouped(catalogue: Catalogue, select: int) -> tuple[str, ...]:
    """Give so many columns of the groups that have most of them, beginning with the first."""
    names = by_group(catalogue, catalogue.names)
    parts: dict[tuple[object, ...], list[str]] = {}
    for name in names:
        variable = catalogue.parse(name)
        parts.setdefault((variable.table, variable.filter), []).append(name)
    largest = sorted(parts.values(), key=len, reverse=True)[:GROUPS]
    each = -(-select // len(largest))
    return tuple(name for part in largest for name in part[:each])[:select]


def _measured(plan: Plan, blobs: Sequence[bytes], people: int, rows: int) -> dict[str, Any]:
    """Answer shard by shard on this thread, and write them; only that is timed."""
    def everybody() -> Iterator[tuple[int, bytes, tuple[int]]]:
        for person in range(people):
            yield person, blobs[person % len(blobs)], (AS_OF - person // len(blobs) * DAY_US,)

    answering, spent = Answering(plan.to_bytes(), v1_catalogue), {"answer": 0.0, "write": 0.0}
    answering(Shard((0,), (blobs[0],), ((AS_OF,),)))

    def answered() -> Iterator[Any]:
        for shard in shards_of(everybody(), rows):
            began = time.process_time()
            batch = answering(shard)
            spent["answer"] += time.process_time() - began
            yield batch

    with tempfile.TemporaryDirectory(prefix="puhui-") as folder:
        out = Path(folder) / "answers.parquet"
        wall, began = time.perf_counter(), time.process_time()
        written = write_parquet(answered(), out)
        wall, whole = time.perf_counter() - wall, time.process_time() - began
        size = out.stat().st_size
    assert written == people, (written, people)
    return {
        "columns": len(plan), "people_per_s_core": round(people / whole, 1), "answer_us": round(1e6 * spent["answer"] / people, 1),
        "write_us": round(1e6 * (whole - spent["answer"]) / people, 1), "wall_s": round(wall, 1), "parquet_mb": round(size / 1e6, 1),
    }  # fmt: skip
