"""Value an expression: the exact interpreter, which every faster form asks and must agree with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from collections.abc import Iterator as Iterating
from contextlib import contextmanager
from decimal import Decimal, localcontext

from puhui.engines.rules import limits, tables
from puhui.engines.rules.diagnostics import Diagnostic, Result, Step
from puhui.engines.rules.java import external
from puhui.engines.rules.kinds import ANY, Kind, TypeSpace, coerced, conforms
from puhui.engines.rules.library import BUILTINS, properties
from puhui.engines.rules.operators import arithmetic, compare, contains, equal, kind_name, make_range, negative, order, same, unary_range
from puhui.engines.rules.tree import (
    Arithmetic,
    Asked,
    Between,
    Broken,
    Call,
    Compare,
    CompareTest,
    ContextNode,
    Filter,
    For,
    FunctionNode,
    If,
    In,
    InstanceOf,
    Iterator,
    ListNode,
    Literal,
    Logic,
    Name,
    Negative,
    Node,
    Path,
    Quantified,
    RangeNode,
    Span,
    Table,
    Tests,
    Typed,
    TypeNode,
    UnaryRange,
)
from puhui.engines.rules.values import NUMBERS, Date, DateTime, Function, Parameter, Range, Trouble


class Exhausted(Trouble):
    """A limit of the whole evaluation was reached: nothing of it has a value."""


class Scope:
    """The names that an expression sees, innermost first, and the types of the model it stands in."""

    __slots__ = ("names", "parent", "types")

    def __init__(self, names: Mapping[str, object], parent: Scope | None = None, types: TypeSpace | None = None) -> None:
        self.names, self.parent = names, parent
        self.types: TypeSpace = types or (parent.types if parent else _NO_TYPES)

    def find(self, name: str) -> tuple[bool, object]:
        """Whether the name is known, and what it holds."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return True, scope.names[name]
            scope = scope.parent
        return False, None


_NO_TYPES = TypeSpace()


@contextmanager
def room_to_recurse() -> Iterating[None]:
    """Reckon in our own decimal context, and let the interpreter's own stack hold what our limits allow.

    The stack's limit is never made smaller, so that threads do not take it from each other.
    """
    if sys.getrecursionlimit() < limits.FRAMES:
        sys.setrecursionlimit(limits.FRAMES)
    with localcontext(NUMBERS):
        yield


class Interpreter:
    """One evaluation: its instant, its diagnostics, its trace, and how much it has used."""

    def __init__(self, at: DateTime | None = None) -> None:
        self.at = at
        self.diagnostics: list[Diagnostic] = []
        self.trace: list[Step] = []
        self.fired: tuple[int, ...] = ()
        self.steps = self.depth = self.turns = 0

    def result(self, value: object) -> Result:
        return Result(value, self.diagnostics, self.trace)

    def note(self, trouble: Trouble, span: Span | None) -> None:
        """Keep why something is null."""
        if len(self.diagnostics) < 1000:
            self.diagnostics.append(Diagnostic.at(span, trouble.code, trouble.what, trouble.hint))

    def whole(self, node: Node, scope: Scope) -> object:
        """The value of an expression; null where a limit of the evaluation is reached."""
        with room_to_recurse():
            try:
                return self.value(node, scope)
            except Exhausted as trouble:
                self.note(trouble, node.span)
                return None

    def value(self, node: Node, scope: Scope) -> object:
        """The value of a node; null, and a diagnostic, where it has none."""
        self.steps += 1
        if self.steps > limits.STEPS_MAX:
            raise Exhausted("the evaluation takes too long", f"it may take {limits.STEPS_MAX} steps; make the lists shorter", "feel.limit")
        if self.depth >= limits.DEPTH_MAX:
            raise Exhausted("the evaluation goes too deep", f"at most {limits.DEPTH_MAX} levels; does a function call itself without end?", "feel.limit")
        self.depth += 1
        try:
            return _HANDLERS[type(node)](self, node, scope)
        except Exhausted:
            raise
        except Trouble as trouble:
            self.note(trouble, node.span)
            return None
        finally:
            self.depth -= 1

    # types

    def allows(self, scope: Scope) -> Callable[[Tests, object], bool]:
        """How to ask whether a value passes the tests of a type."""
        return lambda tests, value: self.passes(tests, value, Scope({}, None, scope.types)) is True

    def coerced(self, value: object, kind: Kind, scope: Scope) -> object:
        return coerced(value, kind, self.allows(scope))

    def typed(self, value: object, kind: TypeNode | None, scope: Scope) -> object:
        return value if kind is None else self.coerced(value, scope.types.kind(kind), scope)

    # tests

    def passes(self, tests: Tests, value: object, scope: Scope, *, is_cell: bool = True) -> bool | None:
        """Whether a value passes unary tests: true, false, or null where that cannot be said."""
        if not tests.tests:
            return True
        asked = Scope({"?": value}, scope)
        told: bool | None = False
        for test in tests.tests:
            one = self.passes_one(test, value, asked, is_cell=is_cell)
            if one:
                told = True
                break
            if one is None:
                told = None
        return told if not tests.is_negated or told is None else not told

    def passes_one(self, test: Node, value: object, scope: Scope, *, is_cell: bool) -> bool | None:
        try:
            if isinstance(test, CompareTest):
                return compare(test.sign, value, self.value(test.right, scope))
            told = self.value(test, scope)
            if isinstance(test, Broken):
                return None
            if isinstance(test, Asked):
                return told if isinstance(told, bool) else None
            return self._matches(test, told, value, is_cell=is_cell)
        except Exhausted:
            raise
        except Trouble as trouble:
            self.note(trouble, test.span)
            return None

    def _matches(self, test: Node, told: object, value: object, *, is_cell: bool) -> bool | None:
        if isinstance(told, Range) and not isinstance(value, Range):
            return contains(told, value)
        if isinstance(told, list) and not isinstance(value, list):
            return any(_in_range(one, value) if isinstance(one, Range) else same(one, value) for one in told)
        if isinstance(told, list) and isinstance(value, list):
            return same(told, value) or any(same(one, value) for one in told)
        if is_cell and isinstance(told, bool) and not isinstance(value, bool) and not isinstance(test, Literal | Name):
            return told
        return equal(value, told)

    # functions

    def invoke(self, function: object, arguments: list[object], named: dict[str, object] | None = None) -> object:
        """Call a function with arguments by place or by name. Raises Trouble where they do not fit."""
        if not isinstance(function, Function):
            raise Trouble(f"{kind_name(function)} is not a function", "call a function by its name", "feel.function")
        if function.builtin is not None:
            return function.builtin.invoke(self, arguments, named)  # type: ignore[attr-defined]
        places = [one.name for one in function.parameters]
        if named is not None:
            if unknown := [name for name in named if name not in places]:
                raise Trouble(f"{function.name} has no parameter {unknown[0]}", f"its parameters are {', '.join(places)}", "feel.function")
            if missing := [name for name in places if name not in named]:
                raise Trouble(f"{function.name} was not given {missing[0]}", f"its parameters are {', '.join(places)}", "feel.function")
            arguments = [named[name] for name in places]
        if len(arguments) != len(places) and not function.is_variadic:
            raise Trouble(f"{function.name or 'the function'} takes {len(places)} arguments, not {len(arguments)}", f"give {', '.join(places)}", "feel.function")
        return function.call(arguments)


def _in_range(span: Range, value: object) -> bool:
    try:
        return contains(span, value)
    except Trouble:
        return False


# one function for each kind of node


def _literal(_: Interpreter, node: Literal, __: Scope) -> object:
    return node.value


def _broken(_: Interpreter, node: Broken, __: Scope) -> object:
    raise Trouble(node.why, node.hint, node.code)


def _name(_: Interpreter, node: Name, scope: Scope) -> object:
    is_known, value = scope.find(node.name)
    if is_known:
        return value
    if node.name in BUILTINS:
        return BUILTINS[node.name]
    raise Trouble(f"the name {node.name} is not known here", "is it misspelt, or is a requirement missing?", "feel.name")


def _negative(run: Interpreter, node: Negative, scope: Scope) -> object:
    return negative(run.value(node.of, scope))


def _arithmetic(run: Interpreter, node: Arithmetic, scope: Scope) -> object:
    return arithmetic(node.sign, run.value(node.left, scope), run.value(node.right, scope))


def _compare(run: Interpreter, node: Compare, scope: Scope) -> object:
    return compare(node.sign, run.value(node.left, scope), run.value(node.right, scope))


def _logic(run: Interpreter, node: Logic, scope: Scope) -> object:
    decisive = node.sign == "or"
    told: bool | None = not decisive
    for part in node.parts:
        value = run.value(part, scope)
        if value is decisive:
            return decisive
        if not isinstance(value, bool):
            told = None
            if value is not None:
                run.note(Trouble(f"{kind_name(value)} is neither true nor false", f"{node.sign} joins booleans", "feel.type"), part.span)
    if told is None:
        raise Trouble(f"{node.sign} cannot be decided", "one of its sides is null", "feel.null")
    return told


def _between(run: Interpreter, node: Between, scope: Scope) -> object:
    value, low, high = (run.value(one, scope) for one in (node.value, node.low, node.high))
    return order(value, low) >= 0 and order(value, high) <= 0


def _in(run: Interpreter, node: In, scope: Scope) -> object:
    return run.passes(node.tests, run.value(node.value, scope), scope, is_cell=False)


def _tests(run: Interpreter, node: Tests, scope: Scope) -> object:
    return run.passes(node, scope.find("?")[1], scope)


def _asked(run: Interpreter, node: Asked, scope: Scope) -> object:
    return run.value(node.of, scope)


def _compare_test(run: Interpreter, node: CompareTest, scope: Scope) -> object:
    return compare(node.sign, scope.find("?")[1], run.value(node.right, scope))


def _if(run: Interpreter, node: If, scope: Scope) -> object:
    condition = run.value(node.condition, scope)
    if condition is not None and not isinstance(condition, bool):
        raise Trouble(f"{kind_name(condition)} is no condition", "a condition is true or false", "feel.type")
    if condition is None:
        run.note(Trouble("the condition is null", "it counts as false", "feel.null"), node.condition.span)
    return run.value(node.then if condition is True else node.other, scope)


def _domain(run: Interpreter, one: Iterator, scope: Scope) -> list[object]:
    """What an iterator goes through."""
    start = run.value(one.domain, scope)
    if one.end is None:
        if isinstance(start, list):
            return start
        if isinstance(start, Range):
            return _range_elements(start)
        if start is None:
            raise Trouble("null cannot be gone through", "give a list", "feel.null")
        return [start]
    end = run.value(one.end, scope)
    return _counted(start, end)


def _range_elements(span: Range) -> list[object]:
    if span.start is None or span.end is None or span.unary:
        raise Trouble("a range with an open end cannot be gone through", "give it both ends")
    if order(span.start, span.end) > 0:
        raise Trouble("the range is empty: its start lies behind its end", "write start..end without brackets to count down")
    told = _counted(span.start, span.end)
    return told[(not span.start_included) : len(told) - (not span.end_included)]


_WHOLE_MAX = Decimal(10**34)


def _counted(start: object, end: object) -> list[object]:
    """Whole numbers or days from one to the other, up or down."""
    if isinstance(start, Decimal) and isinstance(end, Decimal):
        if start != start.to_integral_value() or end != end.to_integral_value():
            raise Trouble("a range that is gone through has whole ends", "round them first")
        first, last = start, end
        length = abs(int(last) - int(first)) if max(abs(first), abs(last)) < _WHOLE_MAX else limits.LIST_MAX
    elif isinstance(start, Date) and isinstance(end, Date):
        first, last = Decimal(start.days), Decimal(end.days)
        length = abs(end.days - start.days)
    else:
        raise Trouble(f"a range from {kind_name(start)} to {kind_name(end)} cannot be gone through", "use whole numbers or dates", "feel.type")
    if length >= limits.LIST_MAX:
        raise Trouble("the range is too long to be gone through", f"at most {limits.LIST_MAX} elements", "feel.limit")
    step = 1 if last >= first else -1
    whole = range(int(first), int(last) + step, step)
    if isinstance(start, Date):
        return [Date.from_days(day) for day in whole]
    return [Decimal(number) for number in whole]


def _iterate(run: Interpreter, iterators: tuple[Iterator, ...], scope: Scope) -> Iterating[Scope]:
    """Every combination of the iterators, the last going fastest."""
    first, rest = iterators[0], iterators[1:]
    for element in _domain(run, first, scope):
        run.turns += 1
        if run.turns > limits.TURNS_MAX:
            raise Exhausted("the loops take too many turns", f"at most {limits.TURNS_MAX} in one evaluation; make the lists shorter", "feel.limit")
        inner = Scope({first.name: run.typed(element, first.kind if isinstance(first.kind, TypeNode) else None, scope)}, scope)
        if rest:
            yield from _iterate(run, rest, inner)
        else:
            yield inner


def _for(run: Interpreter, node: For, scope: Scope) -> object:
    partial: list[object] = []
    for inner in _iterate(run, node.iterators, Scope({"partial": partial}, scope)):
        told = run.value(node.body, inner)
        if len(partial) >= limits.LIST_MAX:
            raise Trouble("the list grows too long", f"at most {limits.LIST_MAX} elements", "feel.limit")
        partial.append(told)
    return partial


def _quantified(run: Interpreter, node: Quantified, scope: Scope) -> object:
    is_open = is_decided = False
    for inner in _iterate(run, node.iterators, scope):
        told = run.value(node.body, inner)
        if told is not None and not isinstance(told, bool):
            raise Trouble(f"{kind_name(told)} is no condition", "what is satisfied must be true or false", "feel.type")
        is_decided = is_decided or told is (not node.is_every)
        is_open = is_open or told is None
    if is_open and not is_decided:
        raise Trouble("it is open for some element", "what is satisfied must be true or false", "feel.null")
    return node.is_every != is_decided


def _function(run: Interpreter, node: FunctionNode, scope: Scope) -> object:
    kinds = [scope.types.kind(kind) for _, kind in node.parameters]
    parameters = tuple(Parameter(name, kind) for (name, _), kind in zip(node.parameters, kinds, strict=True))
    result = scope.types.kind(node.result)
    if node.kind == "java":
        return external(run.value(node.body, scope), parameters)

    def call(arguments: list[object]) -> object:
        names = {one.name: run.coerced(value, kind, scope) for one, value, kind in zip(parameters, arguments, kinds, strict=True)}
        return run.coerced(run.value(node.body, Scope(names, scope)), result, scope)

    return Function("", parameters, call, result)


def _call(run: Interpreter, node: Call, scope: Scope) -> object:
    function = run.value(node.function, scope)
    if isinstance(function, list) and len(function) == 1:
        function = function[0]
    if node.named is not None:
        return run.invoke(function, [], {name: run.value(one, scope) for name, one in node.named})
    return run.invoke(function, [run.value(one, scope) for one in node.arguments])


def _path(run: Interpreter, node: Path, scope: Scope) -> object:
    return _member(run.value(node.of, scope), node.name)


def _member(value: object, name: str) -> object:
    if isinstance(value, dict):
        if name in value:
            return value[name]
        raise Trouble(f"the context has no entry {name}", f"its entries are {', '.join(map(str, value))[:100]}", "feel.name")
    if isinstance(value, list):
        return [_member(one, name) if not isinstance(one, dict) or name in one else None for one in value if one is not None]
    return properties(value, name)


def _filter(run: Interpreter, node: Filter, scope: Scope) -> object:
    value = run.value(node.of, scope)
    items = value if isinstance(value, list) else [] if value is None else [value]
    if isinstance(node.condition, Literal | Negative):
        return _indexed(items, run.value(node.condition, scope))
    kept: list[object] = []
    for number, item in enumerate(items or [None]):
        names = {**item, "item": item} if isinstance(item, dict) and "item" not in item else item if isinstance(item, dict) else {"item": item}
        told = run.value(node.condition, Scope(names, scope))
        if number == 0 and isinstance(told, Decimal):
            return _indexed(items, told)
        if told is True and items:
            kept.append(item)
        elif told is not None and not isinstance(told, bool):
            raise Trouble(f"{kind_name(told)} is neither a condition nor a place", "filter by a condition or a whole number", "feel.type")
    return kept


def _indexed(items: list[object], place: object) -> object:
    if isinstance(place, bool):
        return list(items) if place else []
    if place is None:
        return []
    if not isinstance(place, Decimal) or place != place.to_integral_value():
        raise Trouble(f"{kind_name(place)} is no place in a list", "places are whole numbers from 1, or from -1 backwards", "feel.type")
    index = int(place)
    if index == 0 or abs(index) > len(items):
        raise Trouble(f"the list has no place {index}", f"it has {len(items)} elements", "feel.list")
    return items[index - 1 if index > 0 else index]


def _list(run: Interpreter, node: ListNode, scope: Scope) -> object:
    return [run.value(one, scope) for one in node.items]


def _context(run: Interpreter, node: ContextNode, scope: Scope) -> object:
    told: dict[str, object] = {}
    inner = Scope(told, scope)
    for entry in node.entries:
        if entry.name is not None and entry.name in told:
            raise Trouble(f"the key {entry.name} is said twice", "give each entry its own key", "feel.name")
        try:
            value = run.typed(run.value(entry.value, inner), entry.kind, scope)
        except Exhausted:
            raise
        except Trouble as trouble:
            run.note(trouble, entry.value.span)
            value = None
        if entry.name is None:
            return value
        told[entry.name] = value
    return told


def _range(run: Interpreter, node: RangeNode, scope: Scope) -> object:
    start, end = run.value(node.start, scope), run.value(node.end, scope)
    return make_range(start, end, start_included=node.start_included, end_included=node.end_included)


def _unary_range(run: Interpreter, node: UnaryRange, scope: Scope) -> object:
    return unary_range(node.sign, run.value(node.end, scope))


def _instance_of(run: Interpreter, node: InstanceOf, scope: Scope) -> object:
    return conforms(run.value(node.value, scope), scope.types.kind(node.kind), lambda _tests, _value: True)


def _typed(run: Interpreter, node: Typed, scope: Scope) -> object:
    return run.typed(run.value(node.value, scope), node.kind, scope)


def _table(run: Interpreter, node: Table, scope: Scope) -> object:
    return tables.decide(run, node, scope)


_HANDLERS: dict[type[Node], Callable[..., object]] = {
    Literal: _literal,
    Broken: _broken,
    Name: _name,
    Negative: _negative,
    Arithmetic: _arithmetic,
    Compare: _compare,
    Logic: _logic,
    Between: _between,
    In: _in,
    Tests: _tests,
    Asked: _asked,
    CompareTest: _compare_test,
    If: _if,
    For: _for,
    Quantified: _quantified,
    FunctionNode: _function,
    Call: _call,
    Path: _path,
    Filter: _filter,
    ListNode: _list,
    ContextNode: _context,
    RangeNode: _range,
    UnaryRange: _unary_range,
    InstanceOf: _instance_of,
    Typed: _typed,
    Table: _table,
}

__all__ = ["ANY", "Exhausted", "Interpreter", "Scope"]
