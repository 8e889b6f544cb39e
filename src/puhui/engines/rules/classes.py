"""Classes of values that no cell tells apart, and the exact interpreter asked once for each.

k break points of an ordered column give 2k+1 classes, the gaps and the points between them in turn, and one more for null. A column of
texts has a class for each text that is named, one for any other, and one for null; a boolean has false, true and null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import numpy as np

from puhui.engines.rules.evaluator import Interpreter, Scope
from puhui.engines.rules.schema import WIDE, Ints
from puhui.engines.rules.tree import (
    Arithmetic,
    Call,
    CompareTest,
    ListNode,
    Literal,
    Name,
    Negative,
    Node,
    RangeNode,
    Tests,
    UnaryRange,
)
from puhui.engines.rules.values import NANOS, Date, DateTime, DaysDuration, Range, Time

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
NONE = object()
"""Stands for: this node is not the same whatever the row."""
PURE = frozenset({"date", "time", "date and time", "duration", "years and months duration"})


@dataclass(frozen=True, slots=True)
class Domain:
    """What a register of the kernels holds. `kind` is as in a schema (number for every number); texts are those that have a place."""

    kind: str
    scale: int = 0
    bound: int = INT_MAX
    texts: tuple[str, ...] = ()
    is_open: bool = False
    """Other texts than these may come."""


@dataclass(frozen=True, slots=True)
class Partition:
    """The classes of one column: where they begin (`starts`, for ordered kinds), and a value that stands for each. The last stands for null."""

    starts: Ints
    is_direct: bool
    values: tuple[object, ...]


def constant(node: Node) -> object:
    """The value of a node that asks for nothing outside itself, else NONE."""
    if not _is_closed(node):
        return NONE
    run = Interpreter()
    value = run.whole(node, Scope({}))
    return NONE if run.diagnostics else value


def _is_closed(node: Node) -> bool:
    match node:
        case Literal():
            return True
        case Negative():
            return _is_closed(node.of)
        case Arithmetic():
            return _is_closed(node.left) and _is_closed(node.right)
        case RangeNode():
            return _is_closed(node.start) and _is_closed(node.end)
        case UnaryRange():
            return _is_closed(node.end)
        case ListNode():
            return all(_is_closed(one) for one in node.items)
        case Call():
            is_pure = isinstance(node.function, Name) and node.function.name in PURE
            return is_pure and all(_is_closed(one) for one in node.arguments) and all(_is_closed(one) for _, one in node.named or ())
    return False


def landmarks(tests: Tests, domain: Domain) -> list[object] | None:
    """The values at which the answer of these tests may change; None where it may change elsewhere too."""
    found: list[object] = []
    for test in tests.tests:
        is_ordering = isinstance(test, CompareTest) and test.sign not in {"=", "!="}
        value = constant(test.right if isinstance(test, CompareTest) else test)
        if value is NONE or not _mark(value, domain, found, is_ordering=is_ordering):
            return None
    return found


def _mark(value: object, domain: Domain, found: list[object], *, is_ordering: bool) -> bool:
    if isinstance(value, list):
        return all(not isinstance(one, list) and _mark(one, domain, found, is_ordering=is_ordering) for one in value)
    if isinstance(value, Range):
        is_ordering = value.unary not in {"=", "!="}
        return all(one is None or _mark(one, domain, found, is_ordering=is_ordering) for one in (value.start, value.end))
    if isinstance(value, str) and domain.kind in {"category", "string"}:
        found.append(value)
        return not is_ordering and (not domain.is_open or value in domain.texts)
    if tick_of(value, domain) is not None:
        found.append(value)
        return True
    if isinstance(value, DateTime | Time) and domain.kind in {"datetime", "time"}:
        return False  # it has a zone, or lies between two seconds
    return not isinstance(value, dict)


def tick_of(value: object, domain: Domain) -> Decimal | None:
    """A value of an ordered kind on the scale of its register."""
    match domain.kind, value:
        case "number", Decimal():
            return WIDE.scaleb(value, domain.scale) if value.adjusted() < 40 else None
        case "date", Date():
            return Decimal(value.days)
        case "datetime", DateTime() if value.zone is None and value.time.nanos % NANOS == 0:
            return Decimal(value.local_nanos // NANOS)
        case "time", Time() if value.zone is None and value.nanos % NANOS == 0:
            return Decimal(value.nanos // NANOS)
        case "duration", DaysDuration():
            return Decimal(value.nanos)
    return None


def partition(marks: Iterable[object], domain: Domain) -> Partition:
    """The classes that these landmarks cut a register into."""
    nothing = np.zeros(0, np.int64)
    if domain.kind == "boolean":
        return Partition(nothing, True, (False, True, None))
    if domain.kind in {"category", "string"}:
        return Partition(nothing, True, (*domain.texts, other_text(domain.texts), None))
    ticks = sorted({tick for tick in (tick_of(one, domain) for one in marks) if tick is not None})
    starts, values = [], []
    for place, tick in enumerate(ticks):
        values.append(value_at(_before(ticks, place), domain))
        values.append(value_at(tick, domain))
        starts += [_whole(tick, ROUND_CEILING), _whole(tick, ROUND_FLOOR) + 1]
    values.append(value_at(WIDE.add(ticks[-1], Decimal(1)) if ticks else Decimal(0), domain))
    return Partition(np.array([min(max(one, INT_MIN), INT_MAX) for one in starts], np.int64), False, (*values, None))


def other_text(texts: Sequence[str]) -> str:
    """A text that is none of these."""
    told = "~"
    while told in texts:
        told += "~"
    return told


def _before(ticks: list[Decimal], place: int) -> Decimal:
    """A place in the gap below a point. For whole ticks a gap without room is never asked about: no row falls into it."""
    if place == 0:
        return WIDE.subtract(ticks[0], Decimal(1))
    return WIDE.divide(WIDE.add(ticks[place - 1], ticks[place]), Decimal(2))


def _whole(tick: Decimal, how: str) -> int:
    return int(tick.to_integral_value(how))


def value_at(tick: Decimal, domain: Domain) -> object:
    if domain.kind == "number":
        return WIDE.scaleb(tick, -domain.scale)
    number = _whole(tick, ROUND_FLOOR)
    match domain.kind:
        case "date":
            return Date.from_days(number)
        case "datetime":
            return DateTime.from_local(number * NANOS, None)
        case "time":
            return Time(number % 86_400 * NANOS)
    return DaysDuration(number)


Ask = Callable[[object], bool | None]
Codes = np.ndarray[Any, np.dtype[np.int8]]


def answers(ask: Ask, marks: list[object], whole: Partition, domain: Domain) -> Codes:
    """What a test says of every class of a partition: 0, 1, or 2 for null. It is asked once for each class that its own landmarks make."""
    if domain.kind == "boolean":
        return _coded([ask(one) for one in whole.values])
    if whole.is_direct:
        own_texts = {one for one in marks if isinstance(one, str)}
        other = ask(other_text([*own_texts, *domain.texts]))
        return _coded([*(ask(one) if one in own_texts else other for one in whole.values[:-1]), ask(None)])
    own = partition(marks, domain)
    told = _coded([ask(one) for one in own.values])
    begins = np.concatenate([np.array([INT_MIN], np.int64), whole.starts])
    return np.append(told[np.searchsorted(own.starts, begins, side="right")], told[-1])


def _coded(told: list[bool | None]) -> Codes:
    return np.array([2 if one is None else int(one) for one in told], np.int8)
