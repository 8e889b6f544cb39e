"""Faults planted in random tables: the linter must find each, say nothing of tables without one, and prove it to an oracle that tries every row."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np

from puhui.engines import rules
from puhui.engines.rules import Finding, Report

Array = np.ndarray[Any, Any]
KINDS = ("gap", "overlap", "conflict", "shadow", "unreachable", "idle", "slow")
NAMESPACE = "https://www.omg.org/spec/DMN/20230324/MODEL/"
CLASSES_MAX = 1_000_000
"""Rows that the oracle tries."""
SIZES = (5, 8, 12, 20, 40, 64, 65, 100, 200)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of classes 0..size-1, and null behind them. A number's class is its value (the ends hold all beyond); the last text is any other."""

    name: str
    is_number: bool
    size: int

    def schema(self) -> str:
        return "number(6,0)" if self.is_number else "category"

    def cell(self, classes: frozenset[int]) -> str:
        """Classes as a cell says them; null is class `size`."""
        values = sorted(classes - {self.size})
        if len(classes) == self.size + 1:
            return "-"
        told = ["null"] if self.size in classes else []
        if len(values) == self.size:
            return "not(null)"
        if not self.is_number and self.size - 1 in classes:
            others = [*(f'"v{one}"' for one in range(self.size - 1) if one not in classes), *([] if told else ["null"])]
            return f"not({', '.join(others)})"
        if not self.is_number:
            return ", ".join([*told, *(f'"v{one}"' for one in values)])
        return ", ".join([*told, *(self.run(low, high) for low, high in _runs(values))])

    def run(self, low: int, high: int) -> str:
        if low == 0:
            return f"<= {high}"
        return f">= {low}" if high == self.size - 1 else f"[{low}..{high}]"


@dataclass(frozen=True, slots=True)
class Box:
    """A rule: the classes that each of its cells lets pass, and what it says."""

    cells: tuple[frozenset[int], ...]
    output: str


@dataclass(frozen=True, slots=True)
class Planted:
    """A table as boxes, with the fault that was planted in it."""

    policy: str
    columns: tuple[Column, ...]
    boxes: tuple[Box, ...]
    fault: str = ""
    rules: tuple[int, ...] = ()
    """The rules that the fault concerns, from 1; of a shadow: the rule that never decides."""
    listed: tuple[str, ...] = ()
    texts: tuple[tuple[int, int, str], ...] = ()
    """Cells written otherwise: rule and column, from 0, and the text."""

    def xml(self) -> bytes:
        told = [f'<definitions xmlns="{NAMESPACE}" name="planted" namespace="urn:planted">']
        kinds = {True: "number", False: "string"}
        told += [f'<inputData id="{one.name}" name="{one.name}"><variable name="{one.name}" typeRef="{kinds[one.is_number]}"/></inputData>' for one in self.columns]
        told.append('<decision id="D" name="D"><variable name="D"/>')
        told += [f'<informationRequirement><requiredInput href="#{one.name}"/></informationRequirement>' for one in self.columns]
        told.append(f'<decisionTable hitPolicy="{self.policy}">')
        told += [f"<input><inputExpression><text>{one.name}</text></inputExpression></input>" for one in self.columns]
        listed = ", ".join(f'"{one}"' for one in self.listed)
        told.append('<output name="o">' + (f"<outputValues><text>{escape(listed)}</text></outputValues>" if listed else "") + "</output>")
        otherwise = {(rule, column): text for rule, column, text in self.texts}
        for rule, box in enumerate(self.boxes):
            cells = (otherwise.get((rule, place), one.cell(box.cells[place])) for place, one in enumerate(self.columns))
            told.append("<rule>" + "".join(f"<inputEntry><text>{escape(cell)}</text></inputEntry>" for cell in cells))
            told.append(f"<outputEntry><text>{escape(chr(34) + box.output + chr(34))}</text></outputEntry></rule>")
        return ("".join(told) + "</decisionTable></decision></definitions>").encode()

    def report(self) -> Report:
        artefact = rules.compile(rules.load(self.xml()), ["D"], {one.name: one.schema() for one in self.columns})
        return rules.analyzed(artefact)


def run(faults: int = 1000, seed: int = 1, *, on_progress: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Plant faults of every kind, each beside a twin without one; and time the largest table."""
    told: dict[str, Any] = {
        "seed": seed, "faults": 0, "missed": 0, "twins": 0, "false_alarms": 0, "complete": True, "tried_by_oracle": 0, "rules_max": 0, "kinds": dict.fromkeys(KINDS, 0)
    }  # fmt: skip
    for number in range(faults):
        draw = random.Random(seed * 1_000_003 + number)  # noqa: S311  (a seed, so that every run draws the same)
        kind = KINDS[number % len(KINDS)]
        twin = drawn(draw, kind, _size(draw, number))
        planted = plant(draw, twin, kind)
        told["faults"] += 1
        told["twins"] += 1
        told["kinds"][planted.fault] += 1
        told["rules_max"] = max(told["rules_max"], len(planted.boxes))
        clean, found = twin.report(), planted.report()
        told["false_alarms"] += len(clean.findings) + strangers(planted, found)
        told["missed"] += not is_found(planted, found)
        told["complete"] = told["complete"] and clean.is_complete and found.is_complete
        if kind != "slow" and (wrong := against_oracle(planted, found)) is not None:
            told["tried_by_oracle"] += 1
            told["missed"] += wrong[0]
            told["false_alarms"] += wrong[1]
        on_progress(number + 1)
    return told | timed()


def _size(draw: random.Random, number: int) -> int:
    return draw.randint(1000, 3000) if number % 100 == 99 else draw.choice(SIZES)


# tables without a fault


def drawn(draw: random.Random, kind: str, size: int) -> Planted:
    """A table without a fault: boxes that part the whole space between them, or, for a shadow, exceptions that stand before their general rules."""
    columns = tuple(Column(f"x{number}", draw.random() < 0.6, draw.randint(20, 60) if kind == "idle" else draw.randint(3, 9 if size < 100 else 40)) for number in range(draw.randint(2, 5 if size < 300 else 8)))
    policy = {"conflict": draw.choice(("UNIQUE", "ANY")), "overlap": "UNIQUE", "shadow": draw.choice(("FIRST", "PRIORITY"))}.get(kind) or draw.choice(("UNIQUE", "ANY", "FIRST"))
    whole = tuple(frozenset(range(one.size + 1)) for one in columns)
    boxes = [Box(cells, f"r{draw.randint(0, 5)}") for cells in _parted(draw, columns, whole, size)]
    if policy in {"FIRST", "PRIORITY"} and size < 300:
        boxes = [*_exceptions(draw, boxes), *boxes]
    if policy == "PRIORITY":
        boxes = [replace(box, output="r0") for box in boxes]
    listed = tuple(sorted({box.output for box in boxes})) if kind == "unreachable" or policy == "PRIORITY" else ()
    return Planted(policy, columns, tuple(boxes), listed=listed)


def _parted(draw: random.Random, columns: Sequence[Column], whole: tuple[frozenset[int], ...], size: int) -> list[tuple[frozenset[int], ...]]:
    """Split the space again and again."""
    parts = [whole]
    for _ in range(40 * size):
        if len(parts) >= size:
            break
        place = draw.randrange(len(parts))
        column = draw.randrange(len(columns))
        cut = _cut(draw, columns[column], parts[place][column])
        if cut is not None:
            one = parts[place]
            parts[place] = (*one[:column], cut, *one[column + 1 :])
            parts.append((*one[:column], one[column] - cut, *one[column + 1 :]))
    draw.shuffle(parts)
    return parts


def _cut(draw: random.Random, column: Column, classes: frozenset[int]) -> frozenset[int] | None:
    """A true part of these classes: a run of numbers, or some texts; null goes with either."""
    if len(classes) < 2:
        return None
    values = sorted(classes)
    if column.is_number:
        return frozenset(values[: draw.randint(1, len(values) - 1)])
    return frozenset(draw.sample(values, draw.randint(1, len(values) - 1)))


def _exceptions(draw: random.Random, boxes: Sequence[Box]) -> list[Box]:
    """A smaller box within some of the boxes, one each: its general rule still decides elsewhere."""
    told = []
    for box in boxes:
        wide = [place for place, cell in enumerate(box.cells) if len(cell) > 1]
        if wide and draw.random() < 0.3:
            place = draw.choice(wide)
            values = sorted(box.cells[place])
            told.append(Box((*box.cells[:place], frozenset(values[:1]), *box.cells[place + 1 :]), box.output))
    return told


# faults


def plant(draw: random.Random, twin: Planted, kind: str) -> Planted:
    """The same table with one fault."""
    boxes, number = list(twin.boxes), len(twin.boxes)
    victim = draw.randrange(number)
    match kind:
        case "gap":
            parents = [place for place, box in enumerate(boxes) if not any(place != other and _holds(one, box) for other, one in enumerate(boxes))]
            del boxes[draw.choice(parents)]
            return replace(twin, boxes=tuple(boxes), fault=kind)
        case "overlap" | "conflict":
            output = boxes[victim].output if kind == "overlap" else boxes[victim].output + "'"
            boxes.append(Box(_within(draw, boxes[victim].cells), output))
            return replace(twin, boxes=tuple(boxes), fault=kind, rules=(victim + 1, number + 1))
        case "shadow":
            return _shadowed(draw, twin)
        case "unreachable":
            return replace(twin, fault=kind, listed=(*twin.listed, "never"))
        case "idle":
            return _idle(draw, twin)
    columns = twin.columns
    place = next((place for place, one in enumerate(columns) if one.is_number), 0)
    text = f"{columns[place].name} * 2 > 3" if columns[place].is_number else f"string length({columns[place].name}) > 3"
    return replace(twin, fault="slow", texts=((victim, place, text),))


def _shadowed(draw: random.Random, twin: Planted) -> Planted:
    """A rule behind all others, over part of one or of several of them: whatever it takes, somebody before it took."""
    first, second = draw.choice(twin.boxes), draw.choice(twin.boxes)
    joined = tuple(one | other for one, other in zip(first.cells, second.cells, strict=True))
    cells = tuple(_numbers(column, cell) for column, cell in zip(twin.columns, joined, strict=True)) if draw.random() < 0.5 else first.cells
    boxes = (*twin.boxes, Box(_within(draw, cells), twin.boxes[0].output))
    return replace(twin, boxes=boxes, fault="shadow", rules=(len(boxes),))


def _numbers(column: Column, classes: frozenset[int]) -> frozenset[int]:
    """The classes, and for a number those between."""
    if not column.is_number:
        return classes
    return frozenset(range(min(classes), max(classes) + 1))


def _idle(draw: random.Random, twin: Planted) -> Planted:
    """A cell that cuts where nothing differs: a run of values written as two."""
    spots = []
    for rule, box in enumerate(twin.boxes):
        for place, column in enumerate(twin.columns):
            spots += [(rule, place, low, high, cut) for low, high in _runs(sorted(box.cells[place] - {column.size})) for cut in range(low, high) if column.is_number]
    draw.shuffle(spots)
    for rule, place, low, high, cut in spots:
        column = twin.columns[place]
        told = [sum((one in box.cells[place]) != (one + 1 in box.cells[place]) for box in twin.boxes) for one in (cut - 1, cut, cut + 1)]
        if told[1] == 0 and ((told[0] == 0 and cut > 0) or (told[2] == 0 and cut + 2 < column.size)):
            rest = sorted(twin.boxes[rule].cells[place] - set(range(low, high + 1)) - {column.size})
            null = ["null"] if column.size in twin.boxes[rule].cells[place] else []
            runs = [*(column.run(*one) for one in _runs(rest)), column.run(low, cut), column.run(cut + 1, high)]
            return replace(twin, fault="idle", texts=((rule, place, ", ".join([*null, *runs])),))
    return replace(twin, fault="unreachable", listed=(*sorted({box.output for box in twin.boxes}), "never"))


def _within(draw: random.Random, cells: tuple[frozenset[int], ...]) -> tuple[frozenset[int], ...]:
    """A box within a box."""
    told = []
    for cell in cells:
        values = sorted(cell)
        start = draw.randrange(len(values))
        told.append(frozenset(values[start : draw.randint(start + 1, len(values))]))
    return tuple(told)


def _holds(box: Box, other: Box) -> bool:
    return all(one <= own for own, one in zip(box.cells, other.cells, strict=True))


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of whole numbers without a hole."""
    if not values:
        return []
    ends = [place for place, (one, after) in enumerate(pairwise(values), 1) if after != one + 1]
    return [(values[start], values[until - 1]) for start, until in pairwise([0, *ends, len(values)])]


# judging what was found


def is_found(planted: Planted, report: Report) -> bool:
    """Whether the planted fault is among the findings."""
    for one in report.findings:
        if planted.fault == "gap" and one.kind in {"gap", "null-gap"}:
            return True
        if one.kind == planted.fault and (not planted.rules or planted.rules[-1] in (one.rules[:1] if one.kind == "shadow" else one.rules)):
            return True
    return False


def strangers(planted: Planted, report: Report) -> int:
    """Findings that the planted fault does not explain."""
    known = {"gap": {"gap", "null-gap"}}.get(planted.fault, {planted.fault})
    known |= {"overlap", "conflict"} if planted.fault in {"overlap", "conflict"} else set()
    known |= {"idle"}  # a rule taken away or added may leave a cut that no rule needs any more
    return sum(one.kind not in known or bool(planted.rules and one.rules and planted.rules[-1] not in one.rules) for one in report.findings)


def against_oracle(planted: Planted, report: Report) -> tuple[int, int] | None:
    """What trying every row finds: (missed, false alarms). None where there are too many."""
    shape = tuple(one.size + 1 for one in planted.columns)
    if int(np.prod(shape, dtype=float)) * max(1, len(planted.boxes) // 64) > CLASSES_MAX:
        return None
    hits = _hits(planted, shape)
    wanted = _wanted(planted, hits)
    told = {_said(one) for one in report.findings if one.kind in {"gap", "null-gap", "overlap", "conflict", "shadow"}}
    return len(wanted - told), len(told - wanted)


def _said(one: Finding) -> tuple[str, tuple[int, ...]]:
    if one.kind in {"gap", "null-gap"}:
        return "gap", ()
    return one.kind, one.rules[:1] if one.kind == "shadow" else one.rules


def _hits(planted: Planted, shape: tuple[int, ...]) -> Array:
    """(rules, rows) of yes and no, every row tried."""
    grid = np.indices(shape).reshape(len(shape), -1)
    told = np.ones((len(planted.boxes), grid.shape[1]), bool)
    for rule, box in enumerate(planted.boxes):
        for cell, values, size in zip(box.cells, grid, shape, strict=True):
            passes = np.zeros(size, bool)
            passes[list(cell)] = True
            told[rule] &= passes[values]
    return told


def _wanted(planted: Planted, hits: Array) -> set[tuple[str, tuple[int, ...]]]:
    told: set[tuple[str, tuple[int, ...]]] = set()
    if not hits.any(axis=0).all():
        told.add(("gap", ()))
    if planted.policy in {"UNIQUE", "ANY"}:
        counts = hits.astype(np.float32) @ hits.astype(np.float32).T
        for one, other in np.argwhere(np.triu(counts, 1) > 0).tolist():
            is_same = planted.boxes[one].output == planted.boxes[other].output
            if not (is_same and planted.policy == "ANY"):
                told.add(("overlap" if is_same else "conflict", (one + 1, other + 1)))
        return told
    before = np.zeros(hits.shape[1], bool)
    for rule in range(len(hits)):
        if not (hits[rule] & ~before).any():
            told.add(("shadow", (rule + 1,)))
        before |= hits[rule]
    return told


# the largest table


def timed() -> dict[str, Any]:
    """Seconds of CPU to look through 3,000 rules of 13 columns: boxes that part the space with a shadowed rule, and rules that meet at random."""
    draw = random.Random(13)  # noqa: S311  (a seed, so that every run draws the same)
    columns = tuple(Column(f"x{number}", number % 3 != 0, 30) for number in range(13))
    whole = tuple(frozenset(range(one.size + 1)) for one in columns)
    parted = Planted("FIRST", columns, tuple(Box(cells, "r") for cells in _parted(draw, columns, whole, 2999)))
    parted = _shadowed(draw, parted)
    loose = tuple(Box(tuple(_loose(draw, one) for one in columns), f"r{draw.randint(0, 5)}") for _ in range(3000))
    told: dict[str, Any] = {}
    for name, one in (("parted", parted), ("met", Planted("FIRST", columns, loose)), ("unique", Planted("UNIQUE", columns, loose))):
        artefact = rules.compile(rules.load(one.xml()), ["D"], {column.name: column.schema() for column in columns})
        start = time.process_time()
        report = rules.analyzed(artefact)
        told[name] = round(time.process_time() - start, 2)
        told[f"{name}_complete"] = report.is_complete
        told[f"{name}_findings"] = len(report.findings)
    return {"seconds_3000x13": max(told[name] for name in ("parted", "met", "unique")), "largest": told}


def _loose(draw: random.Random, column: Column) -> frozenset[int]:
    if draw.random() < 0.5:
        return frozenset(range(column.size + 1))
    low = draw.randint(0, column.size - 1)
    return frozenset(range(low, min(column.size, low + draw.randint(1, 15)) + 1)) - {column.size} or frozenset({low})


def kinds_of(findings: Iterable[Finding]) -> set[str]:
    """The kinds that were found."""
    return {one.kind for one in findings}
