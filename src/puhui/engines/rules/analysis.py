"""What is wrong with a table, found in its masks: exact where its columns are inputs, with a row that shows each fault.

overlap: two rules of a UNIQUE table fire together.  conflict: two rules of a UNIQUE or ANY table fire together and say different things.
shadow: in a FIRST or PRIORITY table, rules that rank higher always fire where this one does.  gap: a row that no rule takes, in a table that gives
one answer and has no default; `null-gap`: only rows with a null are left over.  dead: a rule that can never fire.  unreachable: an output
value that is listed and never given.  slow: the interpreter decides it.  idle: a break point that no rule tells apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np

from puhui.engines.rules.artefact import Artefact
from puhui.engines.rules.boxes import DOUBT, measured, uncovered
from puhui.engines.rules.classes import INT_MAX, INT_MIN, NONE, Domain, constant, landmarks, tick_of, value_at
from puhui.engines.rules.compiling import TableForm, domain_of
from puhui.engines.rules.operators import same
from puhui.engines.rules.program import Array
from puhui.engines.rules.schema import Field, value_of
from puhui.engines.rules.tree import Table
from puhui.engines.rules.values import literal, text_of

SHOWN_MAX = 1000
"""Findings of one kind in one table."""
SINGLE = frozenset({"UNIQUE", "ANY", "FIRST", "PRIORITY"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault: its kind, the rules it concerns (from 1), a row that shows it (by label of the column), and a sentence."""

    kind: str
    decision: str
    rules: tuple[int, ...]
    example: dict[str, object]
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found. `is_complete`: no search was cut, and every column of every table is an input of its own."""

    findings: list[Finding] = field(default_factory=list)
    is_complete: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The classes of one column that some row can fall into; those that let the same rules pass are one.

    passes (classes, rules) in rank; `values` are examples of the classes; the last class may be null's.
    """

    label: str
    passes: Array
    values: tuple[object, ...]
    has_null: bool
    idle: tuple[object, ...] = ()

    @property
    def plain(self) -> Array:
        """The classes without null's."""
        return self.passes[:-1] if self.has_null else self.passes


def analyzed(artefact: Artefact) -> Report:
    """Look for faults in every decision that the artefact holds."""
    findings: list[Finding] = []
    is_complete = True
    for name, form in artefact.compiled.forms.items():
        if isinstance(form, str):
            findings.append(Finding("slow", name, (), {}, f"{name} is decided by the interpreter: {form}"))
        elif isinstance(form, TableForm):
            table = artefact.model.decision(name).node
            assert isinstance(table, Table), "a table has a table's form"
            looked = _Looked(artefact, name, table, form)
            findings += looked.findings()
            is_complete = is_complete and looked.is_whole
    return Report(findings, is_complete)


class _Looked:
    """One table under the glass."""

    def __init__(self, artefact: Artefact, name: str, table: Table, form: TableForm) -> None:
        self.artefact, self.name, self.table, self.form = artefact, name, table, form
        self.rules = len(form.ranks)
        self.axes, self.is_whole = axes(artefact, table, form)
        self.outputs = [tuple(constant(node) for node in rule.results) for rule in table.rules]
        self.measured = measured([axis.passes for axis in self.axes], self.rules)

    def findings(self) -> Iterator[Finding]:
        dead = set(np.flatnonzero(self.measured.volumes == 0).tolist())
        yield from (self._found("dead", (rank,), {}, "can never fire") for rank in sorted(dead))
        if self.table.policy in {"UNIQUE", "ANY"}:
            yield from self._pairs()
        shadowed = {}
        if self.table.policy in {"FIRST", "PRIORITY"}:
            shadowed = {rank: cover for rank in range(self.rules) if rank not in dead and (cover := self._cover(rank))}
            for rank, cover in shadowed.items():
                higher = ", ".join(str(self.form.ranks[one] + 1) for one in cover[:12])
                example = self._row_with((rank, cover[0]))
                found = self._found("shadow", (rank,), example, f"never decides: wherever it fires, one of the rules {higher} ranks higher and fires too")
                yield replace(found, rules=(*found.rules, *(self.form.ranks[one] + 1 for one in cover)))
        if self.table.policy in SINGLE and all(one.default is None for one in self.table.outputs):
            yield from self._gaps()
        yield from self._unreachable(dead | set(shadowed))
        for axis in self.axes:
            for value in axis.idle:
                yield Finding("idle", self.name, (), {axis.label: value}, f"no rule tells {axis.label} = {literal(value)} from its neighbours")

    def _found(self, kind: str, ranks: Sequence[int], example: dict[str, object], text: str) -> Finding:
        numbers = tuple(self.form.ranks[rank] + 1 for rank in ranks)
        shown = ", ".join(f"{label} = {literal(value)}" for label, value in example.items())
        told = f"{'rule' if len(numbers) == 1 else 'rules'} {', '.join(map(str, numbers[:12]))} " if numbers else ""
        return Finding(kind, self.name, numbers, example, f"{self.name}: {told}{text}{f' ({shown})' if shown else ''}")

    def _pairs(self) -> Iterator[Finding]:
        shown = 0
        for first in range(self.rules):
            if shown >= SHOWN_MAX:
                return
            for other in (np.flatnonzero(self.measured.meet(first)[first + 1 :]) + first + 1).tolist():
                is_same = self.outputs[self.form.ranks[first]] == self.outputs[self.form.ranks[other]]
                if (is_same and self.table.policy == "ANY") or shown >= SHOWN_MAX:
                    continue
                shown += 1
                kind = "overlap" if is_same else "conflict"
                text = "fire together" if is_same else "fire together and say different things"
                yield self._found(kind, (first, other), self._row_with((first, other)), text)

    def _row_with(self, ranks: Sequence[int]) -> dict[str, object]:
        """A row on which all these rules fire."""
        return {axis.label: axis.values[int(np.argmax(axis.passes[:, list(ranks)].all(axis=1)))] for axis in self.axes}

    def _cover(self, rank: int) -> tuple[int, ...]:
        """The rules that cover this one together, or nothing."""
        whole = int(self.measured.within[rank])
        if 0 <= whole < rank:
            return (whole,)
        if self.measured.above[rank] < self.measured.volumes[rank] * (1 - DOUBT):
            return ()
        higher = np.flatnonzero(self.measured.meet(rank)[:rank])
        found, is_cut = uncovered([axis.passes[axis.passes[:, rank]] for axis in self.axes], higher, self.measured.met)
        if is_cut:
            self.is_whole = False
        return () if found is not None or is_cut else tuple(higher.tolist())

    def _gaps(self) -> Iterator[Finding]:
        kind, text = "gap", "no rule takes this row"
        outer = np.flatnonzero(self.measured.within < 0)
        found, is_cut = uncovered([axis.plain for axis in self.axes], outer, self.measured.met)
        if found is None and not is_cut:
            kind, text = "null-gap", "no rule takes this row with a null"
            found, is_cut = uncovered([axis.passes for axis in self.axes], outer, self.measured.met)
        if is_cut:
            self.is_whole = False
        elif found is not None:
            example = {axis.label: axis.values[choice] for axis, choice in zip(self.axes, found, strict=True)}
            yield self._found(kind, (), example, text)

    def _unreachable(self, silent: set[int]) -> Iterator[Finding]:
        given = [self.outputs[rule] for rank, rule in enumerate(self.form.ranks) if rank not in silent]
        for place, output in enumerate(self.table.outputs):
            default = constant(output.default) if output.default is not None else NONE
            for node in output.listed or ():
                value = constant(node)
                if value is not NONE and not any(same(value, one[place]) for one in given) and (default is NONE or not same(value, default)):
                    yield Finding("unreachable", self.name, (), {output.name: value}, f"{self.name}: the output {output.name} = {text_of(value)} is never given")


def axes(artefact: Artefact, table: Table, form: TableForm) -> tuple[list[Axis], bool]:
    """The columns of a table as axes, those of one register joined; and whether each is an input of its own."""
    program = artefact.compiled.program
    first, count = program["tables"][form.table, :2].tolist()
    by_register: dict[int, list[int]] = {}
    for lookup in range(first, first + count):
        by_register.setdefault(int(program["lookups"][lookup, 0]), []).append(lookup)
    told = []
    for register, lookups in by_register.items():
        label = table.columns[lookups[0] - first].label
        told.append(_axis(artefact, table, first, label, register, lookups, len(form.ranks)))
    return told, all(register < len(artefact.fields) for register in by_register)


def _axis(artefact: Artefact, table: Table, first: int, label: str, register: int, lookups: Sequence[int], rules: int) -> Axis:
    program = artefact.compiled.program
    words = (rules + 63) // 64
    is_direct = bool(program["lookups"][lookups[0], 1])
    one = artefact.fields[register] if register < len(artefact.fields) else None
    if is_direct:
        size = min(int(program["lookups"][lookup, 5]) for lookup in lookups) - 1
        ticks: list[int] = list(range(size))
    else:
        ticks = list(_inhabited(program, lookups, one))
    passes = np.ones((len(ticks) + 1, rules), bool)
    allowed = np.ones(len(ticks) + 1, bool)
    for lookup in lookups:
        told = _classes(program["lookups"][lookup].tolist(), program["starts"], ticks)
        rows = program["rows"][told]
        allowed &= rows >= 0
        start = int(program["lookups"][lookup, 6])
        places = start + np.maximum(rows, 0).astype(np.int64)[:, None] * words + np.arange(words)[None, :]
        passes &= np.unpackbits(program["masks"][places].view(np.uint8).reshape(len(rows), -1), axis=1, bitorder="little")[:, :rules].astype(bool)
    idle: tuple[object, ...] = ()
    if not is_direct and one is not None:
        cuts, domain = _cuts(artefact, table, [lookup - first for lookup in lookups], register)
        idle = tuple(_idle(np.column_stack([passes, allowed])[:-1], ticks, cuts, domain))
    kept: dict[tuple[bytes, bool], int] = {}
    for place in np.flatnonzero(allowed).tolist():
        kept.setdefault((passes[place].tobytes(), place == len(ticks)), place)
    places_kept = list(kept.values())
    values = tuple(_shown(artefact, one, register, None if place == len(ticks) else ticks[place]) for place in places_kept)
    return Axis(label, passes[places_kept], values, bool(places_kept) and places_kept[-1] == len(ticks), idle)


def _classes(lookup: list[int], starts: Array, ticks: Sequence[int]) -> Array:
    """Where the rows of these ticks, and of null, stand."""
    _, is_direct, first, number, rows, classes, _ = lookup
    values = np.array(ticks, np.int64)
    places = values if is_direct else np.searchsorted(starts[first : first + number], values, side="right")
    return np.append(places, classes - 1).astype(np.int64) + rows


def _inhabited(program: object, lookups: Sequence[int], one: Field | None) -> Iterator[int]:
    """One value of every class that a row can fall into, in order."""
    arrays: dict[str, Array] = program.arrays  # type: ignore[attr-defined]
    starts: set[int] = set()
    for lookup in lookups:
        _, _, first, number, _, _, _ = arrays["lookups"][lookup].tolist()
        starts |= set(arrays["starts"][first : first + number].tolist())
    bound = one.bound if one is not None and one.kind == "number" else INT_MAX
    low = 0 if one is not None and one.kind == "time" else max(INT_MIN, -bound)
    high = 86_399 if one is not None and one.kind == "time" else bound
    ordered = sorted(start for start in starts if low < start <= high)
    if not ordered:
        yield 0
        return
    yield ordered[0] - 1
    yield from ordered


def _shown(artefact: Artefact, one: Field | None, register: int, tick: int | None) -> object:
    if tick is None:
        return None
    if one is None:
        return tick
    texts = artefact.compiled.texts[register]
    if one.kind in {"category", "string"} and tick == len(texts):
        from puhui.engines.rules.classes import other_text

        return other_text(texts)
    return value_of(one, tick, texts)


def _idle(passes: Array, ticks: Sequence[int], cuts: Iterable[Decimal], domain: Domain) -> Iterator[object]:
    """Break points with the same rules on both sides and on the point."""
    ordered = np.array(ticks, np.int64)
    for cut in sorted(set(cuts)):
        edges = {int(cut.to_integral_value(ROUND_CEILING)), int(cut.to_integral_value(ROUND_FLOOR)) + 1}
        inside = [edge for edge in edges if ordered[0] < edge <= ordered[-1]]
        sides = [np.searchsorted(ordered, [edge - 1, edge], side="right") - 1 for edge in inside]
        if inside and all((passes[before] == passes[behind]).all() for before, behind in sides):
            yield value_at(cut, domain)


def _cuts(artefact: Artefact, table: Table, columns: Sequence[int], place: int) -> tuple[list[Decimal], Domain]:
    """Where the cells of these columns cut an input that is ordered."""
    domain = domain_of(artefact.fields[place], artefact.compiled.texts[place])
    tests = {one.span.text: one for column in columns for one in (table.columns[column].allowed, *(rule.cells[column] for rule in table.rules)) if one is not None}
    found = [tick for one in tests.values() for mark in landmarks(one, domain) or () if (tick := tick_of(mark, domain)) is not None]
    return found, domain
