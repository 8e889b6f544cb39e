"""A book decided twice, from Parquet to Parquet, with the swap set; and a day of decisions, drawn afresh, traced to Parquet and read again."""

from __future__ import annotations

import platform
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from puhui.engines import rules
from puhui.engines.rules import Artefact
from puhui.engines.rules.artefact import Held
from puhui.engines.rules.book import BackTest, Question, Shard, back_test
from puhui.engines.rules.schema import NULL
from puhui.foundation.shards import map_shards
from puhui.proofs import bench_rules as w1

Array = np.ndarray[Any, Any]
GROUP = 131_072
"""Rows of one row group, and of one block of the day."""
QUESTION = Question("approve", (True,), "segment", "bad", "points", "taken")
CUTS = (95, 105)
"""So many points must be had, of champion and challenger."""
DAY = 53_000_000_000
"""Decisions a day that one large lender claims."""


def strategy(seed: int, cut: int) -> Artefact:
    """Twenty tables of fifty rules, their points added up, and a cut."""
    tables = w1._tables(random.Random(seed))  # noqa: S311, SLF001  (a seed, so that every run draws the same; the workload of its neighbour)
    needs = "".join(f'<informationRequirement><requiredDecision href="#{one.name}"/></informationRequirement>' for one in tables)
    total = " + ".join(f"{one.name}.points" for one in tables)
    points = f'<decision id="points" name="points"><variable name="points"/>{needs}<literalExpression><text>{total}</text></literalExpression></decision>'
    need = '<informationRequirement><requiredDecision href="#points"/></informationRequirement>'
    approve = f'<decision id="approve" name="approve"><variable name="approve"/>{need}<literalExpression><text>points >= {cut}</text></literalExpression></decision>'
    model = rules.load(w1._model([*(one.xml() for one in tables), points, approve]))  # noqa: SLF001
    return rules.compile(model, ["approve", "points"], w1.SCHEMA)


def backtest(rows: int = 2_000_000, seed: int = 1) -> dict[str, Any]:
    """Champion and challenger over a book of so many people, on two threads."""
    with tempfile.TemporaryDirectory(prefix="puhui-book-") as folder:
        home = Path(folder)
        strategies = (strategy(7, CUTS[0]), strategy(8, CUTS[1]))
        files = [home / f"{artefact.sha256}.rules" for artefact in strategies]
        for file, artefact in zip(files, strategies, strict=True):
            file.write_bytes(artefact.to_bytes())
        _write_book(home / "book.parquet", rows, seed)
        before, start, wall = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time(), time.perf_counter()
        told = back_test(home / "book.parquet", files[0], files[1], QUESTION, target=home / "answers")
        cpu, wall = time.process_time() - start, time.perf_counter() - wall
        wrong = _book_wrong(home / "book.parquet", files, told)
        peak = max(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return {
        "rows": told.rows,
        "seed": seed,
        "machine": w1_machine(),
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "minutes_for_180M": round(cpu / rows * 180e6 / 2 / 60, 2),
        "assumption": "the CPU seconds of this run, over two cores that do nothing else",
        "peak_gb": round(peak / 2**20, 2),
        "wrong": wrong,
        "rates": told.rates(),
        "readings": told.readings(),
        "swap_set": {segment: told.swap_set(segment) for segment in told.segments()},
    }


def w1_machine() -> dict[str, str]:
    return {"cpu": platform.processor() or platform.machine(), "python": platform.python_version(), "numpy": np.__version__}


def _write_book(path: Path, rows: int, seed: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for block, start in enumerate(range(0, rows, GROUP)):
        size = min(GROUP, rows - start)
        values = np.empty((30, size), np.int64)
        draw_rows(seed, block, values)
        columns: dict[str, Any] = {name: pa.array(values[place].astype(float), mask=values[place] == NULL) for place, name in enumerate(w1.NUMBERS)}
        for place, name in enumerate(w1.CATEGORIES):
            codes = pa.array(values[20 + place].astype(np.int32), mask=values[20 + place] == NULL)
            columns[name] = pa.DictionaryArray.from_arrays(codes, pa.array(w1.VALUES[name]))
        columns["segment"] = pa.array(["north", "south", "east", "west"]).take(pa.array(np.maximum(values[29], 0) % 4))
        columns["bad"] = pa.array((values[0] < 60).astype(np.int64), mask=values[1] < 100)
        columns["taken"] = pa.array((values[2] < 700).astype(np.int64), mask=values[3] < 50)
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=GROUP)
    if writer:
        writer.close()


def _book_wrong(book: Path, files: list[Path], told: BackTest) -> int:
    """Rows of the first group, a few, whose written answer is not the interpreter's; and people lost in the counts."""
    import pyarrow.parquet as pq

    answers = pq.read_table(book.parent / "answers" / "part-000000.parquet").slice(0, 30).to_pylist()
    rows = pq.ParquetFile(book).read_row_group(0).slice(0, 30).to_pylist()
    artefacts = [rules.open_artefact(file) for file in files]
    wrong = sum(
        answers[place][f"{who} approve"] != artefact.model.decide("approve", artefact.run({name: [row[name]] for name in w1.SCHEMA}).inputs(0)).value
        for place, row in enumerate(rows)
        for who, artefact in zip(("champion", "challenger"), artefacts, strict=True)
    )
    return int(wrong) + abs(told.rows - sum(told.counts.values()))


# a day


@njit(cache=True, nogil=True)
def draw_rows(seed: int, block: int, out: Array) -> None:
    """Write the rows of a block, 20 numbers of 0..999 and 10 codes of 0..11, three in a hundred null; each from (seed, block, row) alone.

    out (30, rows) int64
    """
    for row in range(out.shape[1]):
        state = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(block) * np.uint64(0xD1342543DE82EF95) + np.uint64(row) * np.uint64(0x2545F4914F6CDD1D)
        for column in range(30):
            state += np.uint64(0x9E3779B97F4A7C15)
            word = state
            word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            word ^= word >> np.uint64(31)
            size = np.uint64(1000) if column < 20 else np.uint64(12)
            value = np.int64(((word & np.uint64(0xFFFFFFFF)) * size) >> np.uint64(32))
            out[column, row] = NULL if (word >> np.uint64(32)) < np.uint64(128849019) else value


@njit(cache=True, nogil=True)
def fingerprints(values: Array, out: Array) -> None:
    """A number for each row, alike only where rows are alike (but for one chance in 2^64)."""
    for row in range(values.shape[1]):
        told = np.uint64(1469598103934665603)
        for column in range(values.shape[0]):
            told = (told ^ np.uint64(values[column, row])) * np.uint64(0x9E3779B97F4A7C15)
            told ^= told >> np.uint64(29)
        out[row] = told


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the day: its number, its rows, and the folder of traces."""

    shard: Shard
    seed: int
    rows: int


def day(decisions: int = 200_000_000, checks: int = 20_000, seed: int = 1, *, on_progress: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Decide so many evaluations by W1; the rule that fired in each table goes to Parquet, is read from disk, and decided again by the interpreter."""
    rows = max(1, decisions // 20)
    tables = w1._tables(random.Random(7))  # noqa: S311, SLF001
    artefact = rules.compile(rules.load(w1._model([one.xml() for one in tables])), [one.name for one in tables], w1.SCHEMA)  # noqa: SLF001
    with tempfile.TemporaryDirectory(prefix="puhui-day-") as folder:
        file = Path(folder) / f"{artefact.sha256}.rules"
        file.write_bytes(artefact.to_bytes())
        blocks = [Block(Shard("", number, (str(file),), folder), seed, min(GROUP, rows - start)) for number, start in enumerate(range(0, rows, GROUP))]
        trace_block(Block(Shard("", len(blocks), (str(file),), folder), seed, 1000))  # compiles what is compiled once per installation
        start, wall = time.process_time(), time.perf_counter()
        for number, _ in enumerate(map_shards(trace_block, blocks, backend="threads", workers=2)):
            on_progress(number + 1)
        cpu, wall = time.process_time() - start, time.perf_counter() - wall
        size = sum(_trace(one).stat().st_size for one in blocks)
        distinct = _distinct(blocks)
        wrong, checked = _trace_wrong(artefact, blocks, checks, seed)
    return {
        "unit": "evaluation",
        "decisions": rows * 20,
        "rows": rows,
        "distinct_rows": distinct,
        "seeds": {"tables": 7, "rows": seed},
        "machine": w1_machine(),
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "decisions_per_s_core": round(rows * 20 / cpu),
        "minutes_for_53e9_on_2_cores": round(cpu / (rows * 20) * DAY / 2 / 60, 2),
        "assumptions": "CPU seconds of this run (drawing, deciding, tracing, compressing, writing) over two cores that do nothing else; rows are drawn as the loops hold them",
        "bytes_per_decision": round(size / (rows * 20), 4),
        "trace_checked": checked,
        "trace_wrong": wrong,
    }


def _trace(block: Block) -> Path:
    return Path(block.shard.target) / f"trace-{block.shard.group:06d}.parquet"


def trace_block(block: Block) -> int:
    """Draw, decide and trace one block: for every table a byte a row, the rule that fired (0: none)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from puhui.engines.rules.book import opened

    artefact = opened(block.shard.artefacts[0])
    values = np.empty((30, block.rows), np.int64)
    draw_rows(block.seed, block.shard.group, values)
    codes = artefact.decide(Held({}, values, frozenset())).codes.astype(np.uint8)
    table = pa.table({name: pa.Array.from_buffers(pa.binary(1), block.rows, [None, pa.py_buffer(codes[form.table])]) for name, form in artefact.tables})
    pq.write_table(table, _trace(block), compression="zstd", compression_level=1, use_dictionary=False, column_encoding="PLAIN", write_statistics=False)
    return block.rows


def _distinct(blocks: list[Block]) -> int:
    """How many rows are unlike all others, counted by fingerprints of all of them."""
    told = np.empty(sum(one.rows for one in blocks), np.uint64)
    at = 0
    for one in blocks:
        values = np.empty((30, one.rows), np.int64)
        draw_rows(one.seed, one.shard.group, values)
        fingerprints(values, told[at : at + one.rows])
        at += one.rows
    told.sort()
    return int(1 + (told[1:] != told[:-1]).sum())


def _trace_wrong(artefact: Artefact, blocks: list[Block], checks: int, seed: int) -> tuple[int, int]:
    """Entries drawn at random, read from disk, decided again by the interpreter."""
    import pyarrow.parquet as pq

    draw = random.Random(seed)  # noqa: S311  (a seed, so that every run draws the same)
    wrong = checked = 0
    for one, number in _spread(draw, blocks, checks):
        trace = pq.read_table(_trace(one))
        values = np.empty((30, one.rows), np.int64)
        draw_rows(one.seed, one.shard.group, values)
        for _ in range(number):
            name, row = draw.choice(artefact.decisions), draw.randrange(one.rows)
            told = artefact.model.decide(name, _inputs(artefact, values[:, row].tolist())).trace[-1]
            wrong += list(told.fired) != [trace.column(name)[row].as_py()[0]]
            checked += 1
    return wrong, checked


def _spread(draw: random.Random, blocks: list[Block], checks: int) -> Iterator[tuple[Block, int]]:
    """Some blocks, and how many entries of each are looked at."""
    some = draw.sample(blocks, min(len(blocks), 64))
    for place, one in enumerate(some):
        yield one, checks // len(some) + (place < checks % len(some))


def _inputs(artefact: Artefact, values: list[int]) -> dict[str, object]:
    """A row as the interpreter is given it."""
    told: dict[str, object] = {}
    for one, texts, value in zip(artefact.fields, artefact.compiled.texts, values, strict=True):
        told[one.name] = None if value == NULL else (texts[value] if value < len(texts) else "another") if one.kind == "category" else value
    return told
