"""Why a decision came out as it did: which columns failed for each rule, and the nearest change that turns the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

from puhui.engines.rules.evaluator import Interpreter, Scope, room_to_recurse
from puhui.engines.rules.model import closure
from puhui.engines.rules.schema import held, value_of
from puhui.engines.rules.tables import fitted
from puhui.engines.rules.tree import Name, Table
from puhui.engines.rules.values import Trouble, clocks_of

if TYPE_CHECKING:
    from puhui.engines.rules.artefact import Artefact
    from puhui.engines.rules.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Missed:
    """A rule that did not fire, and the labels of the columns that failed."""

    rule: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flip:
    """A change of inputs that turns the outcome, proven by deciding again: what it would be then. `distance` is in units of the inputs' scales."""

    changes: dict[str, object]
    value: object
    distance: int


@dataclass(frozen=True, slots=True)
class Why:
    """Why a table came out as it did: what it saw, which rules fired, and why each other did not."""

    decision: str
    value: object
    seen: dict[str, object]
    fired: tuple[int, ...]
    missed: tuple[Missed, ...]
    flips: tuple[Flip, ...] = ()
    """The nearest changes, the nearest first; only of inputs that the model marks as changeable."""


def explained(outcome: Outcome, decision: str, row: int) -> Why:
    """Explain one decision of one row. A decision that is no table has nothing but its value and what it read."""
    table = outcome.artefact.model.decision(decision).node
    value, fired = outcome.value(decision, row), tuple(outcome.fired(decision, row))
    read = next((step.inputs for step in reversed(outcome.interpreted(decision, row).trace) if step.decision == decision), {})
    if not isinstance(table, Table):
        return Why(decision, value, dict(read), fired, (), flips(outcome, decision, row))
    run, scope = Interpreter(outcome.instant(row)), Scope(read, None, outcome.artefact.model.types)
    with room_to_recurse(), clocks_of(outcome.artefact.model.zones):
        return _told(run, scope, table, decision, value, fired, flips(outcome, decision, row))


def _told(run: Interpreter, scope: Scope, table: Table, decision: str, value: object, fired: tuple[int, ...], nearest: tuple[Flip, ...]) -> Why:
    values = [fitted(run, run.whole(one.expression, scope), one.kind, one.expression, scope) for one in table.columns]
    missed = []
    for number, rule in enumerate(table.rules, 1):
        failed = [one.label for one, cell, seen in zip(table.columns, rule.cells, values, strict=True) if run.passes(cell, seen, scope) is not True]
        if failed:
            missed.append(Missed(number, tuple(failed)))
    return Why(decision, value, {one.label: seen for one, seen in zip(table.columns, values, strict=True)}, fired, tuple(missed), nearest)


FLIPS_SHOWN = 3
CANDIDATES_MAX = 4096


def flips(outcome: Outcome, decision: str, row: int) -> tuple[Flip, ...]:
    """The nearest changes of one changeable input that turn the outcome; of two where one does not; of three where two do not.

    Candidates are the values nearest to the row's own in every class of the input; each is decided, and offered only if the value differs.
    """
    before = outcome.value(decision, row)
    return turns(outcome, decision, changeable(outcome.artefact, decision), lambda value: value != before, row=row)


def turns(outcome: Outcome, decision: str, names: Sequence[str], wanted: Callable[[object], bool], *, row: int = 0, together_max: int = 3) -> tuple[Flip, ...]:
    """The nearest changes of these inputs, as few together as will do, that make the decision a wanted one; proven by deciding each."""
    artefact, inputs = outcome.artefact, outcome.inputs(row)
    steps = {name: list(_nearest(artefact, name, inputs[name])) for name in names if name in inputs}
    for together in range(1, min(together_max, len(steps)) + 1):
        tried = []
        for several in combinations(steps, together):
            for changes in product(*(steps[name] for name in several)):
                tried.append((sum(distance for _, distance in changes), dict(zip(several, (value for value, _ in changes), strict=True))))
        tried.sort(key=lambda one: one[0])
        del tried[CANDIDATES_MAX:]
        if not tried:
            continue
        values = _values(outcome, decision, row, [changes for _, changes in tried])
        found = [Flip(changes, value, far) for (far, changes), value in zip(tried, values, strict=True) if wanted(value)]
        if found:
            return tuple(found[:FLIPS_SHOWN])
    return ()


FEW = 64


def _values(outcome: Outcome, decision: str, row: int, changes: Sequence[dict[str, object]]) -> list[object]:
    """What the decision would be with each of these changes. A few are decided one by one, which is quicker than laying out columns for them."""
    artefact, inputs, at = outcome.artefact, outcome.inputs(row), outcome.instant(row)
    if len(changes) <= FEW:
        return [artefact.one({**inputs, **one}, at=at).value(decision) for one in changes]
    columns = {field.name: [one.get(field.name, inputs[field.name]) for one in changes] for field in artefact.fields}
    after = artefact.run(columns, at=at)
    return [after.value(decision, place) for place in range(len(changes))]


def changeable(artefact: Artefact, decision: str) -> list[str]:
    """The inputs that the model marks as changeable by the person, among those that the decision rests on."""
    told = []
    for one in closure(artefact.model, [decision]):
        if isinstance(one.node, Table):
            told += [column.expression.name for column in one.node.columns if column.is_changeable and isinstance(column.expression, Name)]
    return list(dict.fromkeys(told))


def _nearest(artefact: Artefact, name: str, value: object) -> Iterator[tuple[object, int]]:
    """The value nearest to this one in every other class of the input, with its distance."""
    place = next(number for number, one in enumerate(artefact.fields) if one.name == name)
    one, texts = artefact.fields[place], artefact.compiled.texts[place]
    if one.kind in {"category", "string"}:
        yield from ((text, 1) for text in texts if text != value)
        return
    if one.kind == "boolean":
        yield from ((other, 1) for other in (False, True) if other is not value)
        return
    try:
        own = held(one, value, {})
    except Trouble:
        return
    program = artefact.compiled.program
    same = [place, *(int(step[1]) for step in program["steps"] if step[0] == 12 and step[2] == place)]
    starts: set[int] = set()
    for register, _, first, number, _, _, _ in program["lookups"].tolist():
        if register in same:
            starts |= set(program["starts"][first : first + number].tolist())
    if own is None and not starts:
        yield value_of(one, 0, texts), 1
    for start in sorted(starts):
        candidates = {start, start - 1} if own is None else {start} if start > own else {start - 1}
        for tick in candidates:
            if abs(tick) <= one.bound and (one.kind != "time" or 0 <= tick < 86_400):
                yield value_of(one, tick, texts), 1 if own is None else abs(tick - own)
