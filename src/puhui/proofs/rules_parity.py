"""Random decision tables: the kernels, the interpreter and one applicant at a time against a judge that was written apart."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from html import escape
from typing import Any

import numpy as np

from puhui.engines import rules
from puhui.engines.rules import Artefact, Date, Model, Outcome, twin
from puhui.engines.rules.program import Mode, Program
from puhui.engines.rules.twin import Cell, Judged, Test

Array = np.ndarray[Any, Any]
POLICIES = ("UNIQUE", "ANY", "FIRST", "PRIORITY", "RULE ORDER", "OUTPUT ORDER", "COLLECT")
GATHERS = ("", "SUM", "MIN", "MAX", "COUNT")
SIGNS = ("<", "<=", ">", ">=", "=", "!=")
DAYS_FROM = 18_000
NAMESPACE = "https://www.omg.org/spec/DMN/20230324/MODEL/"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A random column: its type, and the places where its cells may cut."""

    name: str
    kind: str
    scale: int
    points: tuple[int, ...]

    def schema(self) -> str:
        return f"number(9,{self.scale})" if self.kind == "number" else self.kind

    def text(self, number: int) -> str:
        """A place as FEEL writes it."""
        match self.kind:
            case "number":
                return format(Decimal(number).scaleb(-self.scale), "f")
            case "category":
                return f'"v{number}"'
            case "date":
                return f'@"{Date.from_days(number)}"'
        return "true" if number else "false"

    def given(self, number: int, is_null: bool) -> object:
        """A place as a caller gives it."""
        if is_null:
            return None
        match self.kind:
            case "number":
                return Decimal(number).scaleb(-self.scale)
            case "category":
                return f"v{number}"
            case "date":
                return Date.from_days(number)
        return bool(number)


@dataclass(frozen=True, slots=True)
class Case:
    """A random table: as DMN, and as its judge knows it."""

    columns: tuple[Drawn, ...]
    judged: Judged
    xml: bytes


def run(models: int, rows: int, seed: int, *, on_progress: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Compare on random tables of every policy. `compared` counts rows that the kernels decided and the judge judged."""
    told = {"models": models, "rows": rows, "seed": seed, "compared": 0, "differing": 0, "compared_interpreted": 0, "fallback_rows": 0, "mutants": 0, "mutants_caught": 0}
    for number in range(models):
        case, draw = drawn(seed * 1_000_003 + number)
        model = rules.load(case.xml)
        artefact = rules.compile(model, ["D"], {one.name: one.schema() for one in case.columns})
        values, nulls = drawn_rows(case, draw, rows)
        differing, outcome = compare(case, artefact, values, nulls)
        told["compared"] += rows
        told["differing"] += differing + compare_forms(artefact, outcome, case, values, nulls)
        told["fallback_rows"] += len(outcome.fallback)
        few = min(rows, 200)
        told["compared_interpreted"] += few
        told["differing"] += compare_interpreted(case, model, artefact, outcome, values, nulls, few)
        if number < 12:
            tried, caught = mutants(case, artefact, values, nulls)
            told["mutants"] += tried
            told["mutants_caught"] += caught
        on_progress(number + 1)
    return told


def compare(case: Case, artefact: Artefact, values: Array, nulls: Array) -> tuple[int, Outcome]:
    """The kernels against the judge on every row: how many differ in the rules that fired, or in the value."""
    outcome = artefact.run(given(case, values, nulls))
    hits = twin.hits(case.judged, list(values), list(nulls))
    known: dict[bytes, tuple[object, list[int]]] = {}
    differing = 0
    packed = np.packbits(hits, axis=0).T
    for row in range(values.shape[1]):
        key = packed[row].tobytes()
        if key not in known:
            known[key] = twin.settled(case.judged, np.flatnonzero(hits[:, row]).tolist())
        value, chosen = known[key]
        differing += outcome.fired("D", row) != [one + 1 for one in chosen] or outcome.value("D", row) != value
    return differing, outcome


def compare_forms(artefact: Artefact, outcome: Outcome, case: Case, values: Array, nulls: Array) -> int:
    """The numpy form against the form that ran: rows that differ in any bit."""
    other = artefact.with_form("numpy").run(given(case, values, nulls))
    return int((other.codes != outcome.codes).any(axis=0).sum() + (other.words != outcome.words).any(axis=0).sum())


def compare_interpreted(case: Case, model: Model, artefact: Artefact, outcome: Outcome, values: Array, nulls: Array, few: int) -> int:
    """The interpreter and one applicant at a time (floats too) against the batch: rows that differ."""
    differing = 0
    for row in range(few):
        inputs = {one.name: one.given(int(values[place, row]), bool(nulls[place, row])) for place, one in enumerate(case.columns)}
        floats = {name: float(value) if isinstance(value, Decimal) else value for name, value in inputs.items()}
        slow, one, loose = model.decide("D", inputs), artefact.one(inputs), artefact.one(floats)
        fired = list(slow.trace[-1].fired)
        same = outcome.value("D", row) == slow.value == one.value("D") == loose.value("D")
        differing += not same or not (outcome.fired("D", row) == fired == one.fired("D") == loose.fired("D"))
    return differing


def given(case: Case, values: Array, nulls: Array) -> dict[str, object]:
    """Rows as a caller hands them over: floats with NaN, texts with None, days."""
    told: dict[str, object] = {}
    for place, one in enumerate(case.columns):
        match one.kind:
            case "number":
                told[one.name] = np.where(nulls[place], np.nan, values[place] / 10**one.scale)
            case "date":
                days = values[place].astype("datetime64[D]")
                days[nulls[place]] = np.datetime64("NaT")
                told[one.name] = days
            case _:
                told[one.name] = np.array([one.given(number, null) for number, null in zip(values[place].tolist(), nulls[place].tolist(), strict=True)], object)
    return told


# drawing


def drawn(seed: int) -> tuple[Case, random.Random]:
    """A random table of 1 to 3,000 rules."""
    draw = random.Random(seed)  # noqa: S311  (a seed, so that every run draws the same)
    columns = tuple(_column(draw, number) for number in range(draw.randint(1, 6)))
    policy = draw.choice(POLICIES)
    gather = draw.choice(GATHERS) if policy == "COLLECT" else ""
    length = draw.choice((1, 2, 5, 12, 40, 64, 65, 130, 400)) if draw.random() < 0.97 else draw.randint(1000, 3000)
    outputs = ("points",) if gather or draw.random() < 0.4 else ("code", "points")
    loose = draw.choice((0.1, 0.3, 0.6))
    cells = tuple(tuple(_cell(draw, one, loose) for one in columns) for _ in range(length))
    answers = draw.randint(1, 4)
    results = tuple(tuple(f"R{draw.randint(0, answers)}" if name == "code" else draw.randint(-30, 60) for name in outputs) for _ in range(length))
    if policy == "ANY" and draw.random() < 0.5:
        results = (results[0],) * length
    listed: tuple[tuple[object, ...] | None, ...] = tuple(_listed(draw, name, results, place, policy) for place, name in enumerate(outputs))
    default = tuple("R0" if name == "code" else 0 for name in outputs) if draw.random() < 0.3 and not any(listed) else None
    judged = Judged(policy, gather, cells, outputs, results, listed, default)
    return Case(columns, judged, _xml(columns, judged)), draw


def _column(draw: random.Random, number: int) -> Drawn:
    kind = draw.choice(("number", "number", "category", "date", "boolean"))
    match kind:
        case "number":
            points = draw.sample(range(-50, 400), draw.randint(1, 30))
        case "date":
            points = draw.sample(range(DAYS_FROM, DAYS_FROM + 200), draw.randint(1, 12))
        case "category":
            points = list(range(draw.randint(1, 12)))
        case _:
            points = [0, 1]
    return Drawn(f"in {number}", kind, draw.randint(0, 2) if kind == "number" else 0, tuple(sorted(points)))


def _cell(draw: random.Random, one: Drawn, loose: float) -> Cell:
    if draw.random() < loose:
        return Cell()
    if draw.random() < 0.05:
        return Cell((Test("=", None),), is_negated=draw.random() < 0.3)
    tests = tuple(_test(draw, one) for _ in range(draw.choice((1, 1, 1, 2, 3))))
    return Cell(tests, is_negated=draw.random() < 0.15)


def _test(draw: random.Random, one: Drawn) -> Test:
    if one.kind in {"category", "boolean"}:
        return Test("=", draw.choice(one.points))
    if draw.random() < 0.6:
        low, high = sorted((draw.choice(one.points), draw.choice(one.points)))
        return Test("in", None, (low, draw.random() < 0.5), (high, draw.random() < 0.5))
    return Test(draw.choice(SIGNS), draw.choice(one.points))


def _listed(draw: random.Random, name: str, results: tuple[tuple[object, ...], ...], place: int, policy: str) -> tuple[object, ...] | None:
    if policy not in {"PRIORITY", "OUTPUT ORDER"} or (name == "points" and draw.random() < 0.7):
        return None
    values = sorted({result[place] for result in results}, key=str)
    draw.shuffle(values)
    return tuple(values)


def drawn_rows(case: Case, draw: random.Random, rows: int) -> tuple[Array, Array]:
    """Rows that fall on, just below and just above every place where a cell cuts, and nulls."""
    chance = np.random.default_rng(draw.randint(0, 2**31))
    values = np.zeros((len(case.columns), rows), np.int64)
    for place, one in enumerate(case.columns):
        values[place] = chance.choice(np.array(one.points), rows)
        if one.kind in {"number", "date"}:
            values[place] += chance.integers(-1, 2, rows)
        elif one.kind == "category":
            values[place] += chance.integers(0, 20, rows) == 0
    nulls = chance.random(values.shape) < 0.05
    return np.where(nulls, 0, values), nulls


# as DMN


def _xml(columns: tuple[Drawn, ...], judged: Judged) -> bytes:
    kinds = {"number": "number", "category": "string", "date": "date", "boolean": "boolean"}
    told = [f'<definitions xmlns="{NAMESPACE}" name="drawn" namespace="urn:drawn">']
    for one in columns:
        told.append(f'<inputData id="{one.name}" name="{one.name}"><variable name="{one.name}" typeRef="{kinds[one.kind]}"/></inputData>')
    told.append('<decision id="D" name="D"><variable name="D"/>')
    told += [f'<informationRequirement><requiredInput href="#{one.name}"/></informationRequirement>' for one in columns]
    told.append(f'<decisionTable hitPolicy="{judged.policy}"' + (f' aggregation="{judged.gather}">' if judged.gather else ">"))
    told += [f"<input><inputExpression><text>{one.name}</text></inputExpression></input>" for one in columns]
    for place, name in enumerate(judged.outputs):
        listed = judged.listed[place]
        values = f"<outputValues><text>{_entry(', '.join(_literal(one) for one in listed))}</text></outputValues>" if listed else ""
        default = f"<defaultOutputEntry><text>{_entry(_literal(judged.default[place]))}</text></defaultOutputEntry>" if judged.default else ""
        told.append(f'<output name="{name}">{values}{default}</output>')
    for cells, result in zip(judged.cells, judged.results, strict=True):
        entries = "".join(f"<inputEntry><text>{_entry(_feel(cell, one))}</text></inputEntry>" for cell, one in zip(cells, columns, strict=True))
        told.append(f"<rule>{entries}" + "".join(f"<outputEntry><text>{_entry(_literal(one))}</text></outputEntry>" for one in result) + "</rule>")
    return ("".join(told) + "</decisionTable></decision></definitions>").encode()


def _entry(text: str) -> str:
    return escape(text, quote=False)


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _feel(cell: Cell, one: Drawn) -> str:
    if not cell.tests:
        return "-"
    told = ", ".join(_feel_test(test, one) for test in cell.tests)
    return f"not({told})" if cell.is_negated else told


def _feel_test(test: Test, one: Drawn) -> str:
    if test.sign == "in":
        ends = one.text(test.low[0]), one.text(test.high[0])
        return f"{'[' if test.low[1] else '('}{ends[0]}..{ends[1]}{']' if test.high[1] else ')'}"
    told = "null" if test.number is None else one.text(test.number)
    return told if test.sign == "=" else f"{test.sign} {told}"


# mutants


def mutants(case: Case, artefact: Artefact, values: Array, nulls: Array) -> tuple[int, int]:
    """Spoil a program in ways that matter on these rows; count those tried and those that the comparison notices.

    A spoilt program that decides every one of these rows as before is no mutant: nothing could notice it.
    """
    before = artefact.with_form("numpy").run(given(case, values, nulls))
    tried = caught = 0
    for spoilt in _spoilt(artefact.compiled.program):
        other = replace(artefact, compiled=replace(artefact.compiled, program=spoilt), form="numpy", answers={}, loaded=[])
        after = other.run(given(case, values, nulls))
        if _seen(case, after) == _seen(case, before):
            continue
        tried += 1
        caught += compare(case, other, values, nulls)[0] > 0
    return tried, caught


def _seen(case: Case, outcome: Outcome) -> bytes:
    """All that an outcome shows of its codes and words: without a default, a contradiction and no rule look alike."""
    codes = outcome.codes[0] if case.judged.default or case.judged.gather == "COUNT" else np.maximum(outcome.codes[0], 0)
    words: Array = np.where(outcome.codes[0] > 0, outcome.words, np.uint64(0))
    return bytes(codes.tobytes() + words.tobytes())


def _moved(by: int, starts: Array) -> None:
    starts += by


def _turned(part: slice, rows: Array) -> None:
    rows[part] = np.roll(rows[part], 1)


def _null_as_value(last: int, rows: Array) -> None:
    rows[last] = rows[last - 1]


def _first_turned(masks: Array) -> None:
    masks ^= np.uint64(1)


def _second_lost(masks: Array) -> None:
    masks &= np.uint64(2**64 - 3)


def _mode_mistaken(tables: Array) -> None:
    tables[0, 3] = Mode.UNIQUE if tables[0, 3] == Mode.FIRST else Mode.FIRST


def _column_forgotten(tables: Array) -> None:
    tables[0, 1] -= 1


def _spoilt(program: Program) -> Iterator[Program]:
    """Break points moved, null taken for a value, bits lost or added, ranks turned, policies mistaken."""

    def changed(name: str, change: Callable[[Array], None]) -> Program:
        arrays = {key: value.copy() for key, value in program.arrays.items()}
        change(arrays[name])
        return Program(program.registers, program.fired_words, arrays)

    if len(program["starts"]):
        yield changed("starts", partial(_moved, 1))
        yield changed("starts", partial(_moved, -1))
    if len(program["rows"]) > 1:
        for lookup in program["lookups"][:3]:
            first, last = int(lookup[4]), int(lookup[4] + lookup[5] - 1)
            yield changed("rows", partial(_turned, slice(first, last + 1)))
            yield changed("rows", partial(_null_as_value, last))
    yield changed("masks", _first_turned)
    yield changed("masks", _second_lost)
    if program["tables"][0, 6] < 0:
        yield changed("tables", _mode_mistaken)
    if program["tables"][0, 1] > 1:
        yield changed("tables", _column_forgotten)
