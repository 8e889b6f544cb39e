"""`verify variables --padding`: how many of the shipped variables say something of their own, over people of the simulated town.

The town writes the tables of its people as a process of its own. Everybody is asked a minute after the sources were last asked, so as of his newest
application at the former lender, or of the end of its book. A column with fewer than 20 people
who have a value, or with one value, is constant; one with the very bits of an earlier column is its copy. Of what is left, `left_corr` keeps greedily,
in the order of the ordinals, each column that has no |corr| > 0.999 with a kept one of the same missing people, over a sample of people.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.history import Histories, History
from puhui.engines.variables.lending import lending
from puhui.engines.variables.plan import Floats, Plan
from puhui.engines.variables.selecting import SLAB, Counts, edges_of, selection_of
from puhui.engines.variables.selecting import People as Asked

PART = 500
MINUTE_US = 60_000_000
SAMPLE = 400
CLOSE = 0.999
NEAR = 3 * float(np.sqrt(2 * (1 - CLOSE)))  # how far projections of two so close columns lie apart, three deviations of it
PROJECTIONS = 3


def write_town(out: Path, people: int, months: int, seed: int) -> None:
    """Let the town write its tables."""
    said = ("histories", "--people", people, "--months", months, "--seed", seed, "--only-tables", "--out", out)
    subprocess.run([sys.executable, "-m", "puhui_town", *map(str, said)], check=True, capture_output=True)


def town_people(catalogue: Catalogue, folder: Path) -> Iterator[tuple[list[History], list[int]]]:
    """Give the town's people some hundred at a time, each with the instant a minute after the newest fetch."""
    import pyarrow.parquet as pq

    fetches = pq.read_table(folder / "fetches.parquet", columns=["person", "at"])
    newest: dict[int, int] = {}
    for person, at in zip(fetches.column("person").to_pylist(), fetches.column("at").to_pylist(), strict=True):
        newest[person] = max(at + MINUTE_US + 1, newest.get(person, 0))
    persons = sorted(newest)
    for start in range(0, len(persons), PART):
        some = persons[start : start + PART]
        wanted = [("person", ">=", some[0]), ("person", "<=", some[-1])]
        tables = {table.name: pq.read_table(folder / f"{table.name}.parquet", filters=wanted) for table in catalogue.tables}
        read = Histories.read(catalogue, tables, pq.read_table(folder / "fetches.parquet", filters=wanted))
        yield list(read), [newest[int(person)] for person in read.persons]


def run(*, people: int = 20_000, months: int = 12, seed: int = 7, folder: Path | None = None) -> dict[str, Any]:
    """Count the padding of the shipped catalogue."""
    catalogue = lending()
    plan = catalogue.plan()
    with tempfile.TemporaryDirectory(prefix="puhui-") as temporary:
        place = folder or Path(temporary)
        if folder is None:
            write_town(place, people, months, seed)
        counts, sample, asked = _count(plan, town_people(catalogue, place))
    chosen = selection_of(counts)
    kept = kept_of(sample[:, chosen.left], counts.mask[chosen.left])
    by_table = Counter(name.partition(".")[0] for name, left in zip(plan.names, chosen.left.tolist(), strict=True) if left)
    return {
        "seed": seed, "town_people": people, "people": asked, "months": months, "variables": len(plan), "constant": int(chosen.is_constant.sum()),
        "duplicate": int((chosen.copy_of >= 0).sum()), "left": int(chosen.left.sum()), "correlated": int(chosen.left.sum()) - int(kept.sum()),
        "left_corr": int(kept.sum()), "sample": len(sample), "left_by_table": dict(by_table),
    }  # fmt: skip


def _count(plan: Plan, parts: Iterator[tuple[list[History], list[int]]]) -> tuple[Counts, NDArray[np.float32], int]:
    counts = Counts(edges_of(np.full((1, len(plan)), np.nan)))
    sample, asked = np.empty((0, len(plan)), np.float32), 0
    vectors = np.empty((SLAB, len(plan)))
    for histories, instants in parts:
        nobody = Asked(histories, instants, np.zeros(len(histories), np.bool_), np.zeros(len(histories), np.int64), asked)
        for start in range(0, len(histories), SLAB):
            some = histories[start : start + SLAB]
            out = vectors[: len(some)]
            plan.batch(some, instants[start : start + SLAB], out)
            counts.add(out, nobody, start)
            if start == 0 or (len(sample) + len(some) <= SAMPLE and asked == 0):
                sample = np.concatenate((sample, out[: max(0, SAMPLE - len(sample))].astype(np.float32)))
        asked += len(histories)
    return counts, sample, asked


def kept_of(sample: NDArray[np.float32], masks: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Say which columns (people, columns) are kept, greedily from the first, when none may have |corr| > 0.999 with a kept one of the same mask.

    Columns that are the same over the sample but for nothing that moves in it are kept: it says nothing about them.
    """
    there = ~np.isnan(sample)
    present = there.sum(axis=0)
    centered = np.where(there, sample - np.nansum(sample, axis=0, dtype=np.float64) / np.maximum(present, 1), 0.0)
    size = np.sqrt((centered**2).sum(axis=0))
    unit = (centered / np.where(size > 0, size, 1.0)).astype(np.float32)
    directions = np.random.default_rng(1).standard_normal((len(sample), PROJECTIONS))
    projected = np.abs(directions.T @ unit)
    kept = np.ones(sample.shape[1], np.bool_)
    usable = np.flatnonzero((size > 0) & (present > 2))
    groups: dict[int, list[int]] = {}
    for column in usable.tolist():
        groups.setdefault(int(masks[column]), []).append(column)
    for columns in groups.values():
        if len(columns) > 1:
            _thin(unit, projected, np.array(columns), kept)
    return kept


def _thin(unit: NDArray[np.float32], projected: Floats, columns: NDArray[np.int64], kept: NDArray[np.bool_]) -> None:
    """Keep from the first on; of each kept column look only at those whose projections lie near."""
    order = columns[np.argsort(projected[0, columns], kind="stable")]
    line = projected[0, order]
    for column in columns.tolist():
        if not kept[column]:
            continue
        low, high = np.searchsorted(line, (projected[0, column] - NEAR, projected[0, column] + NEAR))
        near = order[low:high]
        near = near[(near > column) & kept[near]]
        for projection in range(1, PROJECTIONS):
            near = near[np.abs(projected[projection, near] - projected[projection, column]) <= NEAR]
        if len(near):
            close = np.abs(unit[:, near].T @ unit[:, column]) > CLOSE
            kept[near[close]] = False
