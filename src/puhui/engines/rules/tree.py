"""What an expression is once it has been read: frozen nodes, each knowing where in the source it stands."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """A text that was read, and where it stands (a decision, a cell ...; empty for an expression alone)."""

    text: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a source: from `start` up to `end`, in characters."""

    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.text.count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        return self.start - self.source.text.rfind("\n", 0, self.start)

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Node:
    span: Span = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: object


@dataclass(frozen=True, slots=True)
class Broken(Node):
    """A text that could not be read; it means null, and says why each time it is asked."""

    why: str
    hint: str
    code: str = "feel.syntax"


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Negative(Node):
    of: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare(Node):
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """`and` and `or` over any number of operands, so that long chains are no deep trees."""

    sign: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Between(Node):
    value: Node
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class CompareTest(Node):
    """`< 5` as a unary test."""

    sign: str
    right: Node


@dataclass(frozen=True, slots=True)
class Asked(Node):
    """A unary test that asks about `?`: it passes where it is true."""

    of: Node


@dataclass(frozen=True, slots=True)
class Tests(Node):
    """Unary tests: true if one of them is (or none, where negated). No tests at all is `-`."""

    tests: tuple[Node, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class In(Node):
    value: Node
    tests: Tests


@dataclass(frozen=True, slots=True)
class If(Node):
    condition: Node
    then: Node
    other: Node


@dataclass(frozen=True, slots=True)
class Iterator:
    """`name in domain`, or `name in start..end`; `kind` is the type the element is checked against."""

    name: str
    domain: Node
    end: Node | None = None
    kind: object = None


@dataclass(frozen=True, slots=True)
class For(Node):
    iterators: tuple[Iterator, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    is_every: bool
    iterators: tuple[Iterator, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class FunctionNode(Node):
    """A function written in place. `kind` is FEEL or java."""

    parameters: tuple[tuple[str, TypeNode | None], ...]
    body: Node
    kind: str = "FEEL"
    result: TypeNode | None = None


@dataclass(frozen=True, slots=True)
class Call(Node):
    function: Node
    arguments: tuple[Node, ...] = ()
    named: tuple[tuple[str, Node], ...] | None = None


@dataclass(frozen=True, slots=True)
class Path(Node):
    of: Node
    name: str


@dataclass(frozen=True, slots=True)
class Filter(Node):
    of: Node
    condition: Node


@dataclass(frozen=True, slots=True)
class ListNode(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a context; `kind` is the type its value must have. Without a name it is the result."""

    name: str | None
    value: Node
    kind: TypeNode | None = None


@dataclass(frozen=True, slots=True)
class ContextNode(Node):
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class RangeNode(Node):
    start: Node
    end: Node
    start_included: bool
    end_included: bool


@dataclass(frozen=True, slots=True)
class UnaryRange(Node):
    """`(< 5)` where a value is asked for."""

    sign: str
    end: Node


@dataclass(frozen=True, slots=True)
class InstanceOf(Node):
    value: Node
    kind: TypeNode


@dataclass(frozen=True, slots=True)
class Typed(Node):
    """An expression whose value must conform to a type; else it is null."""

    value: Node
    kind: TypeNode


@dataclass(frozen=True, slots=True)
class TypeNode:
    """A type as written. `name` is its name, or list, range, context, function."""

    name: str
    parts: tuple[TypeNode, ...] = ()
    fields: tuple[tuple[str, TypeNode], ...] = ()
    result: TypeNode | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """An input of a decision table: what is asked, and which values it may take."""

    label: str
    expression: Node
    allowed: Tests | None = None
    kind: TypeNode | None = None
    is_changeable: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a decision table. `listed` are the values of `outputValues`, in their order of priority."""

    name: str
    default: Node | None = None
    listed: tuple[Node, ...] | None = None
    kind: TypeNode | None = None
    role: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    cells: tuple[Tests, ...]
    results: tuple[Node, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table(Node):
    """A decision table. `policy` is UNIQUE, ANY, FIRST, PRIORITY, RULE ORDER, OUTPUT ORDER or COLLECT; `gather` SUM, MIN, MAX, COUNT or empty."""

    columns: tuple[Column, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]
    policy: str = "UNIQUE"
    gather: str = ""
