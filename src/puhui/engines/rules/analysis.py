"""What is wrong with a table, found in its masks: exact where its columns are inputs, with a row that shows each fault.

overlap: two rules of a UNIQUE table fire together.  conflict: two rules of a UNIQUE or ANY table fire together and say different things.
shadow: in a FIRST or PRIORITY table, rules that rank higher always fire where this one does.  gap: a row that no rule takes, in a table that gives
one answer and has no default; `null-gap`: only rows with a null are left over.  dead: a rule that can never fire.  unreachable: an output
value that is listed and never given.  slow: the interpreter decides it.  idle: a break point that no rule tells apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from puhui.engines.rules.artefact import Artefact
from puhui.engines.rules.classes import INT_MAX, INT_MIN, NONE, constant
from puhui.engines.rules.compiling import TableForm
from puhui.engines.rules.operators import same
from puhui.engines.rules.program import Array
from puhui.engines.rules.schema import Field, value_of
from puhui.engines.rules.tree import Table
from puhui.engines.rules.values import literal, text_of

NODES_MAX = 200_000
"""Steps of one search for a gap or a shadow; a search that needs more is cut, and the finding says so."""
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


@dataclass(frozen=True, slots=True)
class Choice:
    """One class of a column: which rules it lets pass (a bit each, in rank), and a value of it. `is_null` is the class of null."""

    bits: int
    value: object
    is_null: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """The classes of one column that some row can fall into; those that let the same rules pass are one."""

    label: str
    choices: tuple[Choice, ...]
    idle: tuple[object, ...] = ()


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
        self.together = self._together()
        self.outputs = [tuple(constant(node) for node in rule.results) for rule in table.rules]

    def findings(self) -> Iterator[Finding]:
        dead = self._dead()
        yield from (self._found("dead", (rank,), {}, "can never fire") for rank in sorted(dead))
        if self.table.policy in {"UNIQUE", "ANY"}:
            yield from self._pairs()
        shadowed = {}
        if self.table.policy in {"FIRST", "PRIORITY"}:
            shadowed = {rank: cover for rank in range(self.rules) if rank not in dead and (cover := self._cover(rank))}
            for rank, cover in shadowed.items():
                higher = ", ".join(str(self.form.ranks[one] + 1) for one in cover[:12])
                found = self._found("shadow", (rank,), {}, f"never decides: wherever it fires, one of the rules {higher} ranks higher and fires too")
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

    def _dead(self) -> set[int]:
        alive = (1 << self.rules) - 1
        for axis in self.axes:
            some = 0
            for choice in axis.choices:
                some |= choice.bits
            alive &= some
        return {rank for rank in range(self.rules) if not alive >> rank & 1}

    def _together(self) -> list[int]:
        """For each rule, the rules that fire with it on some row."""
        told = [(1 << self.rules) - 1] * self.rules
        for axis in self.axes:
            with_me = [0] * self.rules
            for choice in axis.choices:
                for rank in ones(choice.bits):
                    with_me[rank] |= choice.bits
            told = [one & other for one, other in zip(told, with_me, strict=True)]
        return told

    def _pairs(self) -> Iterator[Finding]:
        shown = 0
        for first in range(self.rules):
            for second in ones(self.together[first] >> (first + 1)):
                other = first + 1 + second
                is_same = self.outputs[self.form.ranks[first]] == self.outputs[self.form.ranks[other]]
                if (is_same and self.table.policy == "ANY") or shown >= SHOWN_MAX:
                    continue
                shown += 1
                kind = "overlap" if is_same else "conflict"
                text = "fire together" if is_same else "fire together and say different things"
                yield self._found(kind, (first, other), self._row_with((first, other)), text)

    def _row_with(self, ranks: Sequence[int]) -> dict[str, object]:
        """A row on which all these rules fire."""
        wanted = sum(1 << rank for rank in ranks)
        return {axis.label: next(one.value for one in axis.choices if one.bits & wanted == wanted) for axis in self.axes}

    def _cover(self, rank: int) -> tuple[int, ...]:
        """The rules that cover this one together, or nothing."""
        higher = self.together[rank] & ((1 << rank) - 1)
        if not higher:
            return ()
        own = [[one for one in axis.choices if one.bits >> rank & 1] for axis in self.axes]
        found, is_cut = without(own, higher)
        if is_cut:
            self.is_whole = False
        if found is not None or is_cut:
            return ()
        return self._fewest(own, higher)

    def _fewest(self, own: list[list[Choice]], cover: int) -> tuple[int, ...]:
        """A cover of which no rule can be left out; a large one as it is."""
        if cover.bit_count() <= 12:
            for rank in list(ones(cover)):
                found, is_cut = without(own, cover & ~(1 << rank))
                if found is None and not is_cut:
                    cover &= ~(1 << rank)
        return tuple(ones(cover))

    def _gaps(self) -> Iterator[Finding]:
        everyone = (1 << self.rules) - 1
        plain = [[one for one in axis.choices if not one.is_null] for axis in self.axes]
        found, is_cut = without(plain, everyone)
        kind, text = "gap", "no rule takes this row"
        if found is None and not is_cut:
            found, is_cut = without([list(axis.choices) for axis in self.axes], everyone)
            kind, text = "null-gap", "no rule takes this row with a null"
        if is_cut:
            self.is_whole = False
        elif found is not None:
            example = {axis.label: choice.value for axis, choice in zip(self.axes, found, strict=True)}
            yield self._found(kind, (), example, text)

    def _unreachable(self, silent: set[int]) -> Iterator[Finding]:
        given = [self.outputs[rule] for rank, rule in enumerate(self.form.ranks) if rank not in silent]
        for place, output in enumerate(self.table.outputs):
            default = constant(output.default) if output.default is not None else NONE
            for node in output.listed or ():
                value = constant(node)
                if value is not NONE and not any(same(value, one[place]) for one in given) and (default is NONE or not same(value, default)):
                    yield Finding("unreachable", self.name, (), {output.name: value}, f"{self.name}: the output {output.name} = {text_of(value)} is never given")


def without(columns: Sequence[Sequence[Choice]], rules: int) -> tuple[list[Choice] | None, bool]:
    """A choice in every column such that none of these rules passes all of them; and whether the search was cut.

    Depth first. A branch ends where a rule that is left passes every class of all columns to come, and where the same was tried before.
    """
    if any(not one for one in columns):
        return None, False
    order = sorted(range(len(columns)), key=lambda place: len(columns[place]))
    rest = [rules] * (len(order) + 1)
    for depth in range(len(order) - 1, -1, -1):
        always = rules
        for choice in columns[order[depth]]:
            always &= choice.bits
        rest[depth] = rest[depth + 1] & always
    tried: set[tuple[int, int]] = set()
    open_: list[tuple[int, int, tuple[Choice, ...]]] = [(0, rules, ())]
    steps = 0
    while open_:
        depth, live, chosen = open_.pop()
        steps += 1
        if steps > NODES_MAX:
            return None, True
        if not live:
            told = [*chosen, *(columns[place][0] for place in order[depth:])]
            return [one for _, one in sorted(zip(order, told, strict=True), key=lambda pair: pair[0])], False
        if depth == len(order) or live & rest[depth] or (depth, live) in tried:
            continue
        tried.add((depth, live))
        nexts = {live & one.bits: one for one in reversed(columns[order[depth]])}
        ranked = sorted(nexts, key=int.bit_count, reverse=True)
        open_ += [(depth + 1, left, (*chosen, nexts[left])) for left in ranked]
    return None, False


def ones(bits: int) -> Iterator[int]:
    """The places of the bits that are set."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


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
        told.append(_axis(artefact, label, register, lookups, len(form.ranks)))
    return told, all(register < len(artefact.fields) for register in by_register)


def _axis(artefact: Artefact, label: str, register: int, lookups: Sequence[int], rules: int) -> Axis:
    program = artefact.compiled.program
    words = (rules + 63) // 64
    is_direct = bool(program["lookups"][lookups[0], 1])
    one = artefact.fields[register] if register < len(artefact.fields) else None
    if is_direct:
        size = min(int(program["lookups"][lookup, 5]) for lookup in lookups) - 1
        ticks: list[int | None] = list(range(size))
    else:
        ticks = list(_inhabited(program, lookups, one))
    found: list[tuple[int, int | None]] = []
    for tick in [*ticks, None]:
        bits = (1 << rules) - 1
        for lookup in lookups:
            bits &= _bits(program["lookups"][lookup].tolist(), program["rows"], program["starts"], program["masks"], tick, words)
        found.append((bits, tick))
    kept: dict[tuple[int, bool], Choice] = {}
    for bits, tick in found:
        kept.setdefault((bits, tick is None), Choice(bits, _shown(artefact, one, register, tick), tick is None))
    idle = () if is_direct else tuple(_idle(found, artefact, one, register))
    return Axis(label, tuple(kept.values()), idle)


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


def _bits(lookup: list[int], rows: Array, starts: Array, masks: Array, tick: int | None, words: int) -> int:
    _, is_direct, first, number, row_start, classes, mask_start = lookup
    if tick is None:
        place = classes - 1
    elif is_direct:
        place = tick
    else:
        place = int(np.searchsorted(starts[first : first + number], tick, side="right"))
    row = int(rows[row_start + place])
    if row < 0:
        return 0
    return int.from_bytes(masks[mask_start + row * words : mask_start + (row + 1) * words].tobytes(), "little")


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


def _idle(found: list[tuple[int, int | None]], artefact: Artefact, one: Field | None, register: int) -> Iterator[object]:
    """Break points with the same rules on both sides and on the point."""
    ticks = {tick: bits for bits, tick in found if tick is not None}
    ordered = sorted(ticks)
    for before, here in pairwise(ordered):
        if here - 1 in ticks and before != ordered[0]:
            continue  # the gap behind a point
        after = here + 1 if here + 1 in ticks else here
        if ticks[before] == ticks[here] == ticks[after]:
            yield _shown(artefact, one, register, here)
