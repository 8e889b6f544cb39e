"""`bench variables`: workload V1 (a wallet statement, a bureau report and app events of 1,000 people) through every one of its 103,920 variables.

Latencies are CPU time of the thread, wall time beside. The peers answer the subset they can express, in the same run, one thread, turn by turn;
their answers must agree within 1e-9 before anything is timed. A ratio is of nanoseconds a variable and person: the peer's on its subset of 500
expressions by ours on all of V1; `ratios_*` has it for 100 and for 500, `same_subset_*` when we too are asked no more than those.
"""

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.columns import Ints
from puhui.engines.variables.declaring import ALL, Declaration, each, over
from puhui.engines.variables.history import Histories, History
from puhui.engines.variables.plan import Plan
from puhui.engines.variables.tables import Table

DAY_US = 86_400_000_000
STREAM_ROWS = 16
AS_OF = 10_000 * DAY_US + DAY_US // 2
SHAPES = {"txn": (300, 8, (8, 10, 6, 12)), "bureau": (100, 8, (8, 8, 6)), "app": (100, 4, (10, 8, 6))}
WINDOWS = "7d 14d 30d 60d 90d 180d 360d 720d last3 last5 last10 last20 last50"
RATIOS = "7d/30d 30d/90d 90d/360d 30d/180d 180d/720d 7d/90d 14d/60d 60d/180d"
PEER_AGGREGATES = ("sum", "mean", "min", "max", "std")
PEER_DAYS = (7, 14, 30, 60, 90, 180, 360, 720)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The rows of a table as drawn, sorted by person and time: columns by name."""

    person: Ints
    columns: dict[str, NDArray[Any]]
    nulls: dict[str, NDArray[np.bool_]]


def v1_catalogue() -> Catalogue:
    """Declare workload V1: 52,782 + 32,477 + 18,661 variables."""
    asked = []
    for name, (_, numbers, sizes) in SHAPES.items():
        category = {f"c{place}": tuple(str(value) for value in range(size)) for place, size in enumerate(sizes)}
        fields = tuple(f"x{place}" for place in range(numbers))
        table = Table(name, zh=name, en=name, source="drawn", purpose="bench", money=fields, category=category)
        asked.append(_v1_asked(table, fields, tuple(category)))
    return Catalogue(*asked)


def _v1_asked(table: Table, fields: tuple[str, ...], categories: tuple[str, ...]) -> Declaration:
    filters = ALL, *(each(name) for name in categories)
    whole = over(table).where(*filters).windows(WINDOWS).fields(*fields).aggs("sum mean min max range std cv first last trend").shares("sum")
    whole = whole.ratios(RATIOS, "sum mean max").count().gaps("mean max std").distinct(*categories).recency().tenure()
    assert isinstance(whole, Declaration)
    return whole


def draw(people: int, seed: int) -> dict[str, Drawn]:
    """Draw the rows, table by table in the order the page fixes."""
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, (rows, numbers, sizes) in SHAPES.items():
        counts = rng.poisson(rows, people)
        total = int(counts.sum())
        ages = np.minimum(rng.exponential(200.0, total), 1500.0)
        seconds = np.floor((10_000.0 - ages) * 86_400.0).astype(np.int64)
        person = np.repeat(np.arange(people), counts)
        columns: dict[str, NDArray[Any]] = {}
        nulls = {}
        for place in range(numbers):
            columns[f"x{place}"] = np.round(100.0 * np.exp(rng.normal(4.0, 1.2, total))).astype(np.int64)
            nulls[f"x{place}"] = rng.random(total) < 0.05
        for place, size in enumerate(sizes):
            columns[f"c{place}"] = np.minimum(rng.geometric(0.3, total) - 1, size - 1)
        order = np.lexsort((seconds, person))
        first = np.repeat(np.cumsum(counts) - counts, counts)
        columns = {key: column[order] for key, column in columns.items()} | {"event_time": seconds[order] * 1_000_000, "event_id": np.arange(total) - first}
        drawn[name] = Drawn(person, columns, {key: mask[order] for key, mask in nulls.items()})
    return drawn


def histories_of(catalogue: Catalogue, drawn: dict[str, Drawn]) -> Histories:
    """Read what was drawn."""
    import pyarrow as pa

    tables = {}
    for name, table in drawn.items():
        given: dict[str, Any] = {"person": table.person, "known_time": table.columns["event_time"]}
        for key, column in table.columns.items():
            if key.startswith("x"):
                given[key] = pa.array(column, mask=table.nulls[key])
            else:
                given[key] = [str(value) for value in column.tolist()] if key.startswith("c") else column
        tables[name] = given
    return Histories.read(catalogue, tables)


def run(*, people: int = 1000, seed: int = 7, rounds: int = 3) -> dict[str, Any]:
    """Measure V1 and the peers; the report is one mapping."""
    catalogue = v1_catalogue()
    drawn = draw(people, seed)
    histories = histories_of(catalogue, drawn)
    began = time.perf_counter()
    plan = catalogue.plan()
    plan_s = time.perf_counter() - began
    out = np.empty(len(plan))
    began = time.perf_counter()
    plan.one(histories[0], AS_OF, out)
    first_s = time.perf_counter() - began
    cpu, wall = np.empty((rounds, people)), np.empty((rounds, people))
    for turn in range(rounds):
        for place, history in enumerate(histories):
            wall_began, cpu_began = time.perf_counter_ns(), time.thread_time_ns()
            plan.one(history, AS_OF, out)
            cpu[turn, place], wall[turn, place] = time.thread_time_ns() - cpu_began, time.perf_counter_ns() - wall_began
    streamed, whole = _batch_us(plan, histories, people=min(people, 256), rows=STREAM_ROWS), _batch_us(plan, histories, people=min(people, 256), rows=256)
    told: dict[str, Any] = {
        "workload": "V1", "seed": seed, "people": people, "rounds": rounds, "variables": len(plan), "plan_s": round(plan_s, 3), "first_value_s": round(first_s, 3),
        "one_p50_us": round(float(np.percentile(cpu, 50)) / 1e3, 1), "one_p99_us": round(float(np.percentile(cpu, 99)) / 1e3, 1),
        "one_wall_p50_us": round(float(np.percentile(wall, 50)) / 1e3, 1), "one_wall_p99_us": round(float(np.percentile(wall, 99)) / 1e3, 1),
        "people_per_s_core": round(1e6 / streamed, 1), "batch_rows": STREAM_ROWS, "people_per_s_core_in_one_batch": round(1e6 / whole, 1),
        "ns_per_variable": round(1e3 * streamed / len(plan), 3),
    }  # fmt: skip
    told |= hot_person(catalogue, seed)
    told |= peers(catalogue, drawn["txn"], histories, people=min(people, 200), ours_ns=1e3 * streamed / len(plan))
    return told | {"machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__}}


def hot_person(catalogue: Catalogue, seed: int, *, rows: int = 100_000, days: int = 700) -> dict[str, Any]:
    """Measure one person of very many rows, row by row and by daily tiles; the answers must be the same bits."""
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    table = catalogue.tables[0]
    times = np.sort(AS_OF - rng.integers(1, days * DAY_US, rows))
    columns: dict[str, Any] = {"event_id": np.arange(rows), "event_time": times, "known_time": times + rng.integers(0, DAY_US // 4, rows)}
    columns |= {field: rng.integers(1, 1_000_000, rows) for field in table.fields}
    columns |= {name: pa.DictionaryArray.from_arrays(rng.integers(0, len(values), rows), list(values)) for name, values in table.category.items()}
    person = History.read(catalogue, {table.name: columns})
    names = [name for name in catalogue.names if name.startswith(f"{table.name}.")]
    spent, answers = dict[str, float](), list[bytes]()
    for word, plan in (("direct", Plan(catalogue, names, hot_rows=rows + 1)), ("tiled", Plan(catalogue, names, hot_rows=0))):
        plan.one(person, AS_OF)
        began = time.thread_time_ns()
        answers.append(plan.one(person, AS_OF - DAY_US // 8).tobytes())
        spent[word] = (time.thread_time_ns() - began) / 1e6
    assert answers[0] == answers[1], "tiles answer otherwise"
    return {"hot_rows": rows, "hot_variables": len(names), "hot_direct_ms": round(spent["direct"], 2), "hot_tiled_ms": round(spent["tiled"], 2)}


def _batch_us(plan: Plan, histories: Histories, *, people: int, rows: int, rounds: int = 5) -> float:
    """Measure a batch, `rows` people at a time into the same memory: microseconds of CPU a person, the median of the rounds."""
    vectors = np.empty((min(rows, people), len(plan)))
    spent = []
    for _ in range(rounds + 1):
        began = time.thread_time_ns()
        for start in range(0, people, rows):
            some = histories[start : min(start + rows, people)]
            plan.batch(some, AS_OF, vectors[: len(some)])
        spent.append((time.thread_time_ns() - began) / 1e3 / people)
    return float(np.median(spent[1:]))


def peer_names(count: int) -> list[str]:
    """Give names of `txn` that every peer can express: count, sum, mean, min, max, std with one filter and one window."""
    asked = []
    for column, value in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1)):
        for days in PEER_DAYS:
            asked.append(f"txn.count.{days}d[c{column}={value}]")
            asked += [f"txn.x{field}.{aggregate}.{days}d[c{column}={value}]" for field in (0, 1) for aggregate in PEER_AGGREGATES]
    return asked[:count]


def peers(catalogue: Catalogue, txn: Drawn, histories: Histories, *, people: int, counts: Sequence[int] = (100, 500), ours_ns: float) -> dict[str, Any]:
    """Measure the peers and this engine turn by turn on the subset they express: nanoseconds a variable and person, and the ratios.

    `ours_ns` is what a variable costs among all of V1.
    """
    told: dict[str, Any] = {"peer_variables": list(counts), "peer_people": people, "ratio_featuretools": None, "same_subset_featuretools": None}
    told["featuretools_why"] = "not measured: it is not among the project's locked packages"
    for peer, make in (("duckdb", _duckdb), ("polars", _polars)):
        told[f"ratio_{peer}"] = told[f"same_subset_{peer}"] = None
        try:
            found = [_turns(catalogue.plan(peer_names(count)), make, txn, histories, people) for count in counts]
        except ImportError as absent:
            told[f"{peer}_why"] = f"not measured: {absent}"
            continue
        if None in found:
            told["peer_differs"] = peer
            continue
        theirs, own = zip(*(pair for pair in found if pair), strict=True)
        told[f"{peer}_ns"], told[f"ours_beside_{peer}_ns"] = [round(one, 2) for one in theirs], [round(one, 3) for one in own]
        told[f"ratio_{peer}"], told[f"ratios_{peer}"] = round(theirs[-1] / ours_ns, 1), [round(one / ours_ns, 1) for one in theirs]
        told[f"same_subset_{peer}"] = [round(one / ours, 1) for one, ours in zip(theirs, own, strict=True)]
    return told


def _turns(plan: Plan, make: Any, txn: Drawn, histories: Histories, people: int, turns: int = 3) -> tuple[float, float] | None:
    """Give nanoseconds a variable and person of the peer and of this engine, each the best of its turns; None if their answers differ."""
    some = histories[:people]
    answer = make(plan, txn, txn.person < people)
    ours = plan.batch(some, AS_OF)
    if not np.allclose(ours, answer(), rtol=1e-9, atol=1e-9, equal_nan=True):
        return None
    times: tuple[list[float], list[float]] = [], []
    for turn in range(2 * turns):
        began = time.process_time_ns()
        if turn % 2:
            plan.batch(some, AS_OF, ours)
        else:
            answer()
        times[turn % 2].append((time.process_time_ns() - began) / (people * len(plan)))
    return min(times[0]), min(times[1])


def _duckdb(plan: Plan, txn: Drawn, keep: NDArray[np.bool_]) -> Callable[[], NDArray[np.float64]]:
    import duckdb

    rows = _arrow(txn, keep)
    connection = duckdb.connect(config={"threads": 1})
    connection.register("drawn", rows)
    connection.execute("create table txn as select * from drawn")
    chosen = []
    for name in plan.names:
        variable = plan.catalogue.parse(name)
        assert variable.window is not None
        clause = variable.filter[0]
        word = "count(*)" if not variable.column else f"{'stddev_samp' if variable.aggregate == 'std' else variable.aggregate}({variable.column})"
        what = f"{word} filter (where {clause.column} = '{clause.values[0]}' and event_time >= {AS_OF - variable.window.length_us})"
        if variable.aggregate == "sum":  # no row is 0, only nulls are null
            what = f"case when {what.replace(word, 'count(*)')} = 0 then 0 else {what} end"
        chosen.append(f"{what}::double")
    sql = f"select {', '.join(chosen)} from txn group by person order by person"  # noqa: S608  (a statement of the bench's own names)

    def answer() -> NDArray[np.float64]:
        found: Any = connection.sql(sql).to_arrow_table()
        return np.array([column.to_numpy(zero_copy_only=False) for column in found.columns], np.float64).T

    return answer


def _polars(plan: Plan, txn: Drawn, keep: NDArray[np.bool_]) -> Callable[[], NDArray[np.float64]]:
    import importlib

    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    pl: Any = importlib.import_module("polars")
    frame = pl.from_arrow(_arrow(txn, keep))
    chosen = []
    for place, name in enumerate(plan.names):
        variable = plan.catalogue.parse(name)
        assert variable.window is not None
        clause = variable.filter[0]
        where = (pl.col(clause.column) == clause.values[0]) & (pl.col("event_time") >= AS_OF - variable.window.length_us)
        if not variable.column:
            chosen.append(where.sum().cast(pl.Float64).alias(str(place)))
            continue
        kept = pl.col(variable.column).filter(where)
        value = getattr(kept, variable.aggregate)().cast(pl.Float64)
        if variable.aggregate == "sum":
            value = pl.when((kept.len() > 0) & (kept.count() == 0)).then(None).otherwise(value)
        chosen.append(value.alias(str(place)))

    def answer() -> NDArray[np.float64]:
        found = frame.group_by("person").agg(chosen).sort("person").drop("person")
        whole: NDArray[np.float64] = found.select(pl.all().cast(pl.Float64).fill_null(float("nan"))).to_numpy()
        return whole

    return answer


def _arrow(txn: Drawn, keep: NDArray[np.bool_]) -> Any:
    import pyarrow as pa

    columns: dict[str, Any] = {"person": txn.person[keep], "event_time": txn.columns["event_time"][keep]}
    for key, column in txn.columns.items():
        if key.startswith("x"):
            columns[key] = pa.array(column[keep], mask=txn.nulls[key][keep])
        elif key.startswith("c"):
            columns[key] = [str(value) for value in column[keep].tolist()]
    return pa.table(columns)
