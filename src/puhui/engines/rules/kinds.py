"""The types of FEEL: what a value is an instance of, and the implicit conversions at every boundary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from puhui.engines.rules.operators import kind_name
from puhui.engines.rules.tree import Tests, TypeNode
from puhui.engines.rules.values import Date, DateTime, DaysDuration, Function, MonthsDuration, Range, Time, Trouble

Allows = Callable[[Tests, object], bool]
"""Asks whether a value passes unary tests; the evaluator answers."""

SIMPLE: dict[str, type] = {
    "number": Decimal,
    "string": str,
    "boolean": bool,
    "date": Date,
    "time": Time,
    "date and time": DateTime,
    "days and time duration": DaysDuration,
    "years and months duration": MonthsDuration,
}
ALIASES = {
    "dateTime": "date and time",
    "dayTimeDuration": "days and time duration",
    "yearMonthDuration": "years and months duration",
    "day time duration": "days and time duration",
    "year month duration": "years and months duration",
    "days and time duration": "days and time duration",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type. `name` is a simple type, Any, Null, list, range, context, function; a named item definition keeps its own tests.

    `allowed` are tests of the value itself; `fields` those of a context; `parts` the element of a list or range, or the parameters.
    """

    name: str
    parts: tuple[Kind, ...] = ()
    fields: tuple[tuple[str, Kind], ...] = ()
    result: Kind | None = None
    allowed: Tests | None = field(default=None, compare=False)
    called: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.called or self.name


ANY = Kind("Any")


class TypeSpace:
    """The item definitions of a model and, under their alias, of its imports; types are made when first asked for."""

    def __init__(self, definitions: Mapping[str, ItemDefinition] | None = None, imports: Mapping[str, TypeSpace] | None = None) -> None:
        self.definitions: Mapping[str, ItemDefinition] = definitions or {}
        self.imports: Mapping[str, TypeSpace] = imports or {}
        self._made: dict[str, Kind] = {}
        self._open: set[str] = set()

    def named(self, name: str) -> Kind | None:
        """The type of that name, or None where there is none. A type that holds itself is open (Any) at the inner place."""
        plain = name.removeprefix("feel:")
        plain = ALIASES.get(plain, plain)
        if plain in self.definitions and plain not in self._made:
            if plain in self._open:
                return ANY
            self._open.add(plain)
            self._made[plain] = self.definitions[plain].kind(self)
            self._open.discard(plain)
        if plain in self._made:
            return self._made[plain]
        if plain in SIMPLE or plain in {"Any", "Null"}:
            return Kind(plain)
        if plain in {"list", "range", "context", "function"}:
            return Kind(plain)
        for alias, space in self.imports.items():
            if plain.startswith(f"{alias}.") and (found := space.named(plain[len(alias) + 1 :])):
                return found
        return None

    def kind(self, node: TypeNode | None) -> Kind:
        """The type as written. Raises Trouble where a name is unknown."""
        if node is None:
            return ANY
        if node.fields or node.name == "context":
            return Kind("context", fields=tuple((name, self.kind(one)) for name, one in node.fields))
        if node.name in {"list", "range", "function"} and (node.parts or node.result):
            return Kind(node.name, tuple(self.kind(one) for one in node.parts), result=self.kind(node.result) if node.result else None)
        if found := self.named(node.name):
            return found
        raise Trouble(f"there is no type {node.name}", "define it as an item definition, or use a type of FEEL", "feel.type")


@dataclass(frozen=True, slots=True)
class ItemDefinition:
    """A type as a model defines it."""

    name: str
    base: str | None = None
    components: tuple[ItemDefinition, ...] = ()
    is_list: bool = False
    allowed: Tests | None = None
    constraint: Tests | None = None
    parameters: tuple[str | None, ...] | None = None
    result: str | None = None

    def kind(self, space: TypeSpace) -> Kind:
        """The type itself; what is unknown in it is Any."""
        if self.parameters is not None:
            parts = tuple((space.named(one) if one else None) or ANY for one in self.parameters)
            inner = Kind("function", parts, result=(space.named(self.result) if self.result else None) or ANY, called=self.name)
        elif self.components:
            inner = Kind("context", fields=tuple((one.name, one.kind(space)) for one in self.components), called=self.name)
        else:
            inner = (space.named(self.base) if self.base else None) or ANY
        if self.allowed is not None:
            inner = Kind("both", (inner,), allowed=self.allowed, called=self.name)
        if self.is_list:
            inner = Kind("list", (inner,), called=self.name)
        if self.constraint is not None:
            inner = Kind("both", (inner,), allowed=self.constraint, called=self.name)
        return inner


def conforms(value: object, kind: Kind, allows: Allows) -> bool:
    """Whether a value is an instance of a type. Null inside a list or context conforms; alone it does not."""
    if value is None:
        return kind.name == "Null"
    match kind.name:
        case "Any":
            return True
        case "both":
            return conforms(value, kind.parts[0], allows) and (kind.allowed is None or allows(kind.allowed, value))
        case "list":
            return isinstance(value, list) and all(_inner(one, kind.parts[0], allows) for one in value) if kind.parts else isinstance(value, list)
        case "context":
            return isinstance(value, dict) and all(name in value and _inner(value[name], one, allows) for name, one in kind.fields)
        case "range":
            return isinstance(value, Range) and (not kind.parts or all(_inner(one, kind.parts[0], allows) for one in (value.start, value.end)))
        case "function":
            return isinstance(value, Function) and _function_conforms(value, kind)
    wanted = SIMPLE.get(kind.name)
    return wanted is not None and type(value) is wanted


def _inner(value: object, kind: Kind, allows: Allows) -> bool:
    return value is None or conforms(value, kind, allows)


def _function_conforms(value: Function, kind: Kind) -> bool:
    if len(value.parameters) != len(kind.parts):
        return False
    declared = [one.kind if isinstance(one.kind, Kind) else ANY for one in value.parameters]
    result = value.result if isinstance(value.result, Kind) else ANY
    takes = all(kind_conforms(wanted, own) for wanted, own in zip(kind.parts, declared, strict=True))
    return takes and (kind.result is None or result == ANY or kind_conforms(result, kind.result))


def kind_conforms(one: Kind, other: Kind) -> bool:
    """Whether every value of `one` is a value of `other`."""
    if other.name == "Any" or one.name == "Null":
        return True
    if one.name == "both":
        return one == other or kind_conforms(one.parts[0], other)
    if one.name != other.name:
        return False
    if one.name == "context":
        own = dict(one.fields)
        return all(name in own and kind_conforms(own[name], kind) for name, kind in other.fields)
    if one.name == "function":
        if len(one.parts) != len(other.parts):
            return False
        takes = all(kind_conforms(theirs, ours) for theirs, ours in zip(other.parts, one.parts, strict=True))
        return takes and kind_conforms(one.result or ANY, other.result or ANY)
    return all(kind_conforms(ours, theirs) for ours, theirs in zip(one.parts, other.parts, strict=False))


def coerced(value: object, kind: Kind, allows: Allows) -> object:
    """The value as the type wants it: as it is, from or into a list of one, or a date as its midnight. Raises Trouble where it does not fit."""
    if value is None or kind.name == "Any" or conforms(value, kind, allows):
        return value
    if isinstance(value, list) and len(value) == 1 and kind.name != "list" and conforms(value[0], kind, allows):
        return value[0]
    if isinstance(value, Date) and kind.name == "date and time":
        return DateTime(value, Time(0, 0))
    plain = kind.parts[0] if kind.name == "both" else kind
    if plain.name == "list" and not isinstance(value, list) and conforms([value], kind, allows):
        return [value]
    raise Trouble(f"{kind_name(value)} is not of the type {kind}", f"give a value of the type {kind}", "feel.type")
