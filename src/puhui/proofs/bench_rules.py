"""How fast the rules engine is, on the seeded workloads: twenty tables of fifty rules, two hundred expressions, one table of three thousand rules.

What is counted is an evaluation: one table or one expression for one applicant. Latencies are CPU time of the thread.
"""

from __future__ import annotations

import platform
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from puhui.engines import rules
from puhui.engines.rules import Artefact
from puhui.proofs import peer_zen

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]
NUMBERS = [f"n{place}" for place in range(20)]
CATEGORIES = [f"c{place}" for place in range(10)]
VALUES = {name: [f"{name}_v{place}" for place in range(12)] for name in CATEGORIES}
NAMESPACE = "https://www.omg.org/spec/DMN/20230324/MODEL/"
SCHEMA = {**dict.fromkeys(NUMBERS, "number(9,0)"), **dict.fromkeys(CATEGORIES, "category")}


def run(rows: int = 200_000, singles: int = 2000, seed: int = 1) -> dict[str, Any]:
    """Measure. Before the clock starts, a sample of the outcomes is compared with the interpreter's, and every peer's with ours."""
    draw = random.Random(7)  # noqa: S311  (a seed, so that every run draws the same)
    tables, expressions = _tables(draw), _expressions(draw)
    w1, compile_w1_s = _compiled(_model([one.xml() for one in tables]), [one.name for one in tables], SCHEMA)
    w2, _ = _compiled(_model([one.xml() for one in expressions]), [one.name for one in expressions], SCHEMA)
    drawn: list[Drawn | Said] = [*tables, *expressions]
    both, _ = _compiled(_model([one.xml() for one in drawn]), [one.name for one in drawn], SCHEMA)
    columns = _rows(rows, seed)
    wrong = sum(_wrong(one, columns, 20) for one in (w1, w2))
    w3, w3_table, compile_w3_s, w3_columns = _w3(rows, seed)
    wrong += _wrong(w3, w3_columns, 5)
    p50_w1, p99_w1 = _single(w1, columns, singles)
    p50, p99 = _single(both, columns, singles)
    arrow = _arrow(columns)
    told = {
        "unit": "evaluation",
        "machine": {"cpu": platform.processor() or platform.machine(), "python": platform.python_version(), "numpy": np.__version__, "form": _form(w1)},
        "seeds": {"tables": 7, "rows": seed, "w3": 3},
        "rows": rows,
        "wrong": wrong,
        "p50_us": p50,
        "p99_us": p99,
        "p50_us_tables_alone": p50_w1,
        "p99_us_tables_alone": p99_w1,
        "table_decisions_per_s_core": round(20 * rows / _kernel_s(w1, columns)),
        "expressions_per_s_core": round(200 * rows / _kernel_s(w2, columns)),
        "run_1M_rows_s": round(_elapsed(lambda: w1.run(arrow)) * 1e6 / rows, 3),
        "w3_ns_per_row": round(_kernel_s(w3, w3_columns) * 1e9 / rows, 1),
        "compile_w1_ms": round(compile_w1_s * 1e3, 1),
        "compile_w3_ms": round(compile_w3_s * 1e3, 1),
        "bytes_w1": len(w1.to_bytes()),
        "slow": len(w1.slow) + len(w2.slow) + len(w3.slow),
    }
    return told | _beside_zen((w1, tables, columns), (w2, expressions), (w3, w3_table, w3_columns))



def _beside_zen(
    tables: tuple[Artefact, list[Drawn], Columns], expressions: tuple[Artefact, list[Said]], large: tuple[Artefact, Drawn, Columns]
) -> dict[str, Any]:
    """The same workloads as zen-engine knows them, turn by turn in this run; outcomes are compared first. CPU time of all its threads."""
    try:
        peer_zen.imported()
    except ImportError as absent:
        return {"peers": {"zen-engine": None, "why": f"not measured: {absent}"}}
    (w1, drawn, columns), (w2, said), (w3, table, w3_columns) = tables, expressions, large
    w1_peer = peer_zen.Peer(peer_zen.graph([one.zen() for one in drawn]))
    w2_peer = peer_zen.Peer(peer_zen.graph([peer_zen.expressions("W2", {one.name: one.text for one in said})]))
    w3_peer = peer_zen.Peer(peer_zen.graph([table.zen()]))
    rows, w3_rows = _dicts(columns, 1000), _dicts(w3_columns, 300)
    whole = [row for row in rows if None not in row.values()]
    differing = sum(_differs(w1, w1_peer, row) for row in rows[:200]) + sum(_differs(w3, w3_peer, row) for row in w3_rows)
    differing += sum(_differs(w2, w2_peer, row) for row in whole[:200])
    one, batch, many, vm = _Turns(), _Turns(), _Turns(), _Turns()
    arrow, w3_arrow = _arrow(columns), _arrow(w3_columns)
    held = w2.held(arrow)
    for _ in range(7):
        one.take(lambda: [w1.one(row).first_fired() for row in rows], lambda: [w1_peer.one(row) for row in rows], len(rows), len(rows))
        batch.take(lambda: w1.run(arrow), lambda: w1_peer.many(rows), arrow.num_rows, len(rows))
        many.take(lambda: w3.run(w3_arrow), lambda: w3_peer.many(w3_rows), w3_arrow.num_rows, len(w3_rows))
        vm.take(lambda: w2.decide(held), lambda: w2_peer.many(whole), arrow.num_rows, len(whole))
    p50_zen = _percentile_zen(w1_peer, rows)
    p50_ours, _ = _single(w1, columns, len(rows))
    return {
        "ratio_zen_p50": round(p50_zen / p50_ours, 1),
        "ratio_zen_mean": one.ratio(),
        "ratio_zen_batch": batch.ratio(),
        "ratio_zen_3000_rows": many.ratio(),
        "ratio_zen_expressions": vm.ratio(),
        "peers": {
            "zen-engine": "2.1.3",
            "p50_us": p50_zen,
            "batch_us_per_row": round(batch.theirs * 1e6, 1),
            "ours_batch_us_per_row": round(batch.ours * 1e6, 4),
            "3000_rows_us": round(many.theirs * 1e6, 1),
            "ours_3000_rows_us": round(many.ours * 1e6, 4),
            "expressions_per_s": round(200 / vm.theirs),
            "differing": differing,
        },
    }


@dataclass(slots=True)
class _Turns:
    """The best CPU seconds a row, ours and a peer's, each measured in turn."""

    ours: float = float("inf")
    theirs: float = float("inf")

    def take(self, ours: Callable[[], object], theirs: Callable[[], object], our_rows: int, their_rows: int) -> None:
        start = time.process_time()
        ours()
        between = time.process_time()
        theirs()
        self.ours = min(self.ours, (between - start) / our_rows)
        self.theirs = min(self.theirs, (time.process_time() - between) / their_rows)

    def ratio(self) -> float:
        return round(self.theirs / self.ours, 1)


def _differs(ours: Artefact, peer: peer_zen.Peer, row: dict[str, object]) -> bool:
    """Whether the peer says something else than we do, output by output."""
    told, theirs = ours.one(row), peer.one(row)
    for name in ours.decisions:
        value = told.value(name)
        pairs = [(value[key], theirs[f"{name}_{key}"]) for key in value] if isinstance(value, dict) else [(value, theirs.get(f"{name}_answer", theirs.get(name)))]
        if any(left != right for left, right in pairs):
            return True
    return False


def _percentile_zen(peer: peer_zen.Peer, rows: list[dict[str, object]]) -> float:
    took = []
    for row in rows:
        start = time.thread_time_ns()
        peer.one(row)
        took.append(time.thread_time_ns() - start)
    return round(float(np.percentile(took, 50)) / 1000, 2)


def _dicts(columns: Columns, number: int) -> list[dict[str, object]]:
    """The first rows as an application hands them over: floats, texts, None."""
    told = []
    for place in range(min(number, len(next(iter(columns.values()))))):
        row = {name: _plain(column[place]) for name, column in columns.items()}
        told.append({name: None if isinstance(value, float) and np.isnan(value) else value for name, value in row.items()})
    return told


def _arrow(columns: Columns) -> Any:
    """The columns as they come from a file: doubles, and texts by dictionary."""
    import pyarrow as pa

    told = {name: pa.array(column).dictionary_encode() if column.dtype == object else pa.array(column, from_pandas=True) for name, column in columns.items()}
    return pa.table(told)


def _form(artefact: Artefact) -> str:
    return "numpy" if artefact.kernels() is None else "numba"


def _elapsed(work: Callable[[], object]) -> float:
    work()
    best = float("inf")
    for _ in range(3):
        start = time.thread_time()
        work()
        best = min(best, time.thread_time() - start)
    return best


def _kernel_s(artefact: Artefact, columns: Columns) -> float:
    """Seconds of the loops alone: the columns are held already."""
    held = artefact.held(columns)
    return _elapsed(lambda: artefact.decide(held))


def _single(artefact: Artefact, columns: Columns, number: int) -> tuple[float, float]:
    """One applicant: a dict with floats in; outcomes, and for all tables the rules that fired, out. p50 and p99 in microseconds of CPU."""
    rows = _dicts(columns, number)
    for row in rows[:50]:
        artefact.one(row).first_fired()
    took = []
    for row in rows:
        start = time.thread_time_ns()
        artefact.one(row).first_fired()
        took.append(time.thread_time_ns() - start)
    return round(float(np.percentile(took, 50)) / 1000, 2), round(float(np.percentile(took, 99)) / 1000, 2)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _wrong(artefact: Artefact, columns: Columns, few: int) -> int:
    """How many of a few rows differ from what the interpreter gives."""
    outcome = artefact.run({name: column[:few] for name, column in columns.items()})
    return sum(
        outcome.value(name, row) != outcome.interpreted(name, row).value for row in range(few) for name in artefact.decisions
    )  # fmt: skip


def _compiled(xml: bytes, names: list[str], schema: dict[str, str]) -> tuple[Artefact, float]:
    model = rules.load(xml)
    start = time.perf_counter()
    artefact = rules.compile(model, names, schema)
    return artefact, time.perf_counter() - start


# workloads


Cells = list[tuple[list[str], list[str]]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table with hit policy FIRST: cells and results, as texts."""

    name: str
    columns: list[str]
    rows: Cells
    outputs: tuple[str, ...]

    def xml(self) -> str:
        needs = "".join(f'<informationRequirement><requiredInput href="#{one}"/></informationRequirement>' for one in self.columns)
        told = [f'<decision id="{self.name}" name="{self.name}"><variable name="{self.name}"/>{needs}<decisionTable hitPolicy="FIRST">']
        told += [f"<input><inputExpression><text>{one}</text></inputExpression></input>" for one in self.columns]
        told += [f'<output name="{one}"/>' for one in self.outputs]
        for cells, results in self.rows:
            told.append("<rule>" + "".join(f"<inputEntry><text>{escape(one)}</text></inputEntry>" for one in cells))
            told.append("".join(f"<outputEntry><text>{escape(one)}</text></outputEntry>" for one in results) + "</rule>")
        return "".join(told) + "</decisionTable></decision>"

    def zen(self) -> dict[str, Any]:
        return peer_zen.table(self.name, self.columns, self.rows, self.outputs)


@dataclass(frozen=True, slots=True)
class Said:
    """A decision that is one expression."""

    name: str
    text: str
    needs: tuple[str, ...]

    def xml(self) -> str:
        needs = "".join(f'<informationRequirement><requiredInput href="#{one}"/></informationRequirement>' for one in self.needs)
        body = f"<literalExpression><text>{escape(self.text)}</text></literalExpression>"
        return f'<decision id="{self.name}" name="{self.name}"><variable name="{self.name}"/>{needs}{body}</decision>'


def _tables(draw: random.Random) -> list[Drawn]:
    told = []
    for table in range(20):
        numbers, categories = draw.sample(NUMBERS, 3), draw.sample(CATEGORIES, 2)
        rows = []
        for rule in range(50):
            cells = []
            for _ in numbers:
                cells.append("-")
                if draw.random() >= 0.2:
                    low = draw.randint(0, 850)
                    cells[-1] = f"[{low}..{low + draw.randint(80, 400)})"
            for name in categories:
                cells.append("-")
                if draw.random() >= 0.3:
                    cells[-1] = ", ".join(f'"{one}"' for one in sorted(draw.sample(VALUES[name], draw.randint(1, 4))))
            rows.append((cells, [str(draw.randint(-30, 60)), f'"R{table:02d}_{rule:02d}"']))
        rows[-1] = (["-"] * 5, ["0", f'"R{table:02d}_DEF"'])
        told.append(Drawn(f"T{table:02d}", [*numbers, *categories], rows, ("points", "code")))
    return told


def _expressions(draw: random.Random) -> list[Said]:
    told = []
    for number in range(200):
        a, b = draw.sample(NUMBERS, 2)
        name = draw.choice(CATEGORIES)
        bound = draw.randint(100, 900)
        some = ", ".join(f'"{one}"' for one in sorted(draw.sample(VALUES[name], 3)))
        text = (f"{a} > {bound}", f"{a} + {b} > {2 * bound}", f"{a} > {bound} and {name} in [{some}]", f"{a} * 0.3 + {b} * 0.7 < {bound}")[number % 4]
        told.append(Said(f"E{number}", text, (a, b, name)))
    return told


def _model(decisions: list[str], inputs: dict[str, str] | None = None) -> bytes:
    kinds = inputs or {**dict.fromkeys(NUMBERS, "number"), **dict.fromkeys(CATEGORIES, "string")}
    data = "".join(f'<inputData id="{name}" name="{name}"><variable name="{name}" typeRef="{kind}"/></inputData>' for name, kind in kinds.items())
    return f'<definitions xmlns="{NAMESPACE}" name="bench" namespace="urn:bench">{data}{"".join(decisions)}</definitions>'.encode()


def _rows(rows: int, seed: int) -> Columns:
    chance = np.random.default_rng(seed)
    numbers = chance.integers(0, 1000, (rows, 20)).astype(float)
    numbers[chance.random((rows, 20)) < 0.03] = np.nan
    codes = chance.integers(0, 12, (rows, 10))
    codes[chance.random((rows, 10)) < 0.03] = -1
    told: Columns = {name: np.ascontiguousarray(numbers[:, place]) for place, name in enumerate(NUMBERS)}
    for place, name in enumerate(CATEGORIES):
        told[name] = np.array([*VALUES[name], None], object)[codes[:, place]]
    return told


def _w3(rows: int, seed: int) -> tuple[Artefact, Drawn, float, Columns]:
    draw = random.Random(3)  # noqa: S311  (a seed, so that every run draws the same)
    sizes = {"k0": 5, "k1": 200, "k2": 60, "k3": 30}
    texts = {name: [f"{name}_{place}" for place in range(size)] for name, size in sizes.items()}
    table = []
    for rule in range(3000):
        cells = []
        for name, loose in zip(texts, (0.1, 0.1, 0.5, 0.5), strict=True):
            cells.append("-" if draw.random() < loose else ", ".join(f'"{one}"' for one in draw.sample(texts[name], draw.randint(1, 2))))
        for _ in range(2):
            cells.append("-")
            if draw.random() >= 0.6:
                low = draw.randint(0, 900)
                cells[-1] = f"[{low}..{low + draw.randint(50, 300)})"
        table.append((cells, [str(rule)]))
    inputs = {**dict.fromkeys(texts, "string"), "x": "number", "y": "number"}
    drawn = Drawn("W3", [*texts, "x", "y"], table, ("answer",))
    schema = {**dict.fromkeys(texts, "category"), "x": "number(9,0)", "y": "number(9,0)"}
    artefact, took = _compiled(_model([drawn.xml()], inputs), ["W3"], schema)
    chance = np.random.default_rng(seed)
    columns: Columns = {name: np.array(values, object)[chance.integers(0, len(values), rows)] for name, values in texts.items()}
    return artefact, drawn, took, columns | {"x": chance.integers(0, 1000, rows).astype(float), "y": chance.integers(0, 1000, rows).astype(float)}

