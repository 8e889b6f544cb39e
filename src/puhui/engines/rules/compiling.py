"""Make a program of a model: ask the exact interpreter once for each class, and write down what it says.

A decision that cannot be written so (an expression outside the register machine, a cell that is not the same on a whole class) is *slow*: the
interpreter decides it, correctly, and the artefact says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal

import numpy as np

from puhui.engines.rules import tables
from puhui.engines.rules.classes import NONE, PURE, Ask, Domain, answers, constant, landmarks, partition, tick_of
from puhui.engines.rules.evaluator import Interpreter, Scope, room_to_recurse
from puhui.engines.rules.kinds import Kind, coerced
from puhui.engines.rules.model import Deciding, Decision, InputData, Model, closure, kind_called
from puhui.engines.rules.operators import compare, order, same
from puhui.engines.rules.plain import mask_of
from puhui.engines.rules.program import GATHERS, SIGNS, Array, Mode, Op, Program, Writer
from puhui.engines.rules.schema import WIDE, Field
from puhui.engines.rules.tree import (
    Arithmetic,
    Between,
    Call,
    Column,
    Compare,
    If,
    In,
    Literal,
    Logic,
    Name,
    Negative,
    Node,
    Path,
    Table,
    Tests,
    Typed,
    TypeNode,
)
from puhui.engines.rules.values import Date, Trouble

ROOM = 2**62
"""A register that could hold more is left to the interpreter."""
ROUGH_MAX = 1000
EXACT = Domain("number")
"""A number of any size and scale, as marks of doubles are reckoned."""
NOTHING = np.zeros(0, np.int64)
MODES = {"FIRST": Mode.FIRST, "PRIORITY": Mode.FIRST, "UNIQUE": Mode.UNIQUE, "ANY": Mode.ANY}


class Slow(Exception):  # noqa: N818  (it never leaves the compiler)
    """This decision is left to the interpreter: why."""


@dataclass(frozen=True, slots=True)
class Register:
    """A register and what it holds."""

    place: int
    domain: Domain


@dataclass(frozen=True, slots=True)
class TableForm:
    """A decision that became a table of the program. `ranks` are its rules, from 0, in the order of the bits."""

    table: int
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program and what it knows of each decision: a table, a register, or why it is slow."""

    program: Program
    fields: tuple[Field, ...]
    texts: tuple[tuple[str, ...], ...]
    forms: Mapping[str, TableForm | Register | str]
    zones: Mapping[str, bytes] | None = None
    """The rules of the zones that are known; None where nothing speaks of clocks."""
    doubts: tuple[int, ...] = ()
    """Registers that say 1 where a double lies too close to a break point: the interpreter decides such a row."""


def compiled(model: Model, decisions: Sequence[str], schema: tuple[Field, ...]) -> Compiled:
    """Compile the named decisions and all they rest on. Raises ValueError where the schema lacks an input. Refused: UnknownDecision."""
    with room_to_recurse():
        return _Compiler(model, decisions, schema).whole()


@dataclass(slots=True)
class _Compiler:
    model: Model
    decisions: Sequence[str]
    schema: tuple[Field, ...]
    writer: Writer = field(default_factory=Writer)
    names: dict[str, Register | TableForm | str] = field(default_factory=dict)
    run: Interpreter = field(default_factory=Interpreter)
    doubts: list[int] = field(default_factory=list)

    def whole(self) -> Compiled:
        steps = closure(self.model, self.decisions)
        self._must_name_all(steps)
        texts = _texts(steps, self.schema)
        inputs = {one.name: one for one in self.model.inputs}
        for place in range(len(self.schema)):
            assert self.writer.register() == place, "inputs are the first registers"
        for place, (one, known) in enumerate(zip(self.schema, texts, strict=True)):
            register = Register(place, domain_of(one, known))
            try:
                self.names[one.name] = self._fitted_input(register, inputs.get(one.name))
            except (Slow, Trouble) as why:
                self.names[one.name] = str(why)
        forms: dict[str, TableForm | Register | str] = {}
        for decision in steps:
            told = self._decision(decision)
            self.names[decision.name] = told
            is_rough = isinstance(told, Register) and told.domain.kind == "float"
            forms[decision.name] = "its value has more digits than the machine keeps; what rests on it may still be compiled" if is_rough else told
        return Compiled(self.writer.program(), self.schema, texts, forms, None, tuple(self.doubts))

    def _must_name_all(self, steps: Sequence[Decision]) -> None:
        named = {one.name for one in self.schema}
        for decision in steps:
            for href in decision.requires:
                found = self.model.found(href)
                if found and found[0] is self.model and isinstance(found[2], InputData) and found[2].name not in named:
                    raise ValueError(f"the schema lacks {found[2].name}, which {decision.name} requires; name every input with its type")

    def _fitted_input(self, register: Register, data: InputData | None) -> Register:
        """An input as its declared type wants it: what does not fit is null."""
        if data is None or data.kind is None:
            return register
        kind = kind_called(self.model.types, data.kind)
        return self._fitted(register, kind)

    def _fitted(self, register: Register, kind: Kind) -> Register:
        """A register made null where its value is not of the type. Slow where a conversion would change the value."""
        if register.domain.kind == "float":
            if kind.name not in {"number", "Any"}:
                raise Slow(f"the type {kind} tests a number that is not exact")
            return register
        marks: list[object] = []
        for tests in _tests_of(kind):
            found = landmarks(tests, register.domain)
            if found is None:
                raise Slow(f"the type {kind} tests more than single values")
            marks += found
        whole = partition(marks, register.domain)
        told = []
        for value in whole.values:
            try:
                fitted = coerced(value, kind, lambda tests, one: self.run.passes(tests, one, Scope({}, None, self.model.types)) is True)
            except Trouble:
                told.append(0)
                continue
            if fitted is not value:
                raise Slow(f"the type {kind} converts its values")
            told.append(1)
        if all(told):
            return register
        lookup = self.writer.lookup(register.place, is_direct=whole.is_direct, starts=whole.starts, rows=np.array(told))
        return Register(self.writer.step(Op.FIT, register.place, lookup), register.domain)

    # decisions

    def _decision(self, decision: Decision) -> TableForm | Register | str:
        before = self._mark()
        try:
            self._must_stand_here(decision)
            if isinstance(decision.node, Table):
                return self._table(decision.node)
            if decision.node is None:
                return "it has no logic"
            told = self.expression(decision.node)
            return self._fitted(told, kind_called(self.model.types, decision.kind)) if decision.kind else told
        except (Slow, Trouble) as why:
            self._undo(before)
            return str(why)

    def _mark(self) -> dict[str, object]:
        return {"doubts": list(self.doubts)} | {one.name: list(value) if isinstance(value := getattr(self.writer, one.name), list) else value for one in fields(self.writer)}

    def _undo(self, before: Mapping[str, object]) -> None:
        for name, value in before.items():
            setattr(self if name == "doubts" else self.writer, name, value)

    def _must_stand_here(self, decision: Decision) -> None:
        for href in decision.requires:
            found = self.model.found(href)
            if found is None or found[0] is not self.model:
                raise Slow("it requires what another model holds")
            if found[2].name in PURE:
                raise Slow(f"{found[2].name} is the name of a built-in function too")

    # expressions

    def expression(self, node: Node) -> Register:
        """A register with the value of an expression. Raises Slow where the machine has no step for it."""
        match node:
            case Typed():
                return self._fitted(self.expression(node.value), self.model.types.kind(node.kind))
            case Name():
                return self._name(node.name)
            case Path(of=Name(name=name)) if isinstance(self.names.get(name), TableForm):
                return self._answer(name, node.name)
            case Arithmetic(sign="/"):
                return self._rough(Op.FDIV, self._float(node.left), self._float(node.right))
            case Arithmetic(sign="+" | "-" | "*"):
                return self._arithmetic(node)
            case Negative() if constant(node) is NONE:
                return self._arithmetic(Arithmetic(node.span, "-", Literal(node.span, Decimal(0)), node.of))
            case Compare():
                return self._compare(node)
            case Between():
                return self._between(node)
            case In():
                value = self.expression(node.value)
                return self._asked(value, node.tests, lambda one: self.run.passes(node.tests, one, Scope({}), is_cell=False))
            case Logic():
                parts = [self._truth(one) for one in node.parts]
                told = parts[0]
                for part in parts[1:]:
                    told = Register(self.writer.step(Op.AND if node.sign == "and" else Op.OR, told.place, part.place), told.domain)
                return told
            case Call(function=Name(name="not"), arguments=(inner,)):
                return Register(self.writer.step(Op.NOT, self._truth(inner).place), Domain("boolean"))
            case If():
                return self._if(node)
        return self._constant(node)

    def _name(self, name: str) -> Register:
        found = self.names.get(name)
        if isinstance(found, TableForm):
            return self._answer(name, None)
        if isinstance(found, Register):
            return found
        raise Slow(f"{name} is decided by the interpreter" if found else f"{name} is not among the inputs")

    def _constant(self, node: Node) -> Register:
        value = constant(node)
        if isinstance(value, bool):
            return Register(self._const(int(value)), Domain("boolean"))
        if isinstance(value, Decimal):
            scale = max(0, -int(value.as_tuple().exponent))
            return Register(self._const(_scaled(value, scale)), Domain("number", scale, abs(_scaled(value, scale))))
        raise Slow(f"there is no step for {node.span.text[:60] or type(node).__name__}")

    def _const(self, number: int, *, is_null: bool = False) -> int:
        if abs(number) >= ROOM:
            raise Slow("a number is too large")
        self.writer.constants.append(number)
        return self.writer.step(Op.CONST, len(self.writer.constants) - 1, int(is_null))

    def _truth(self, node: Node) -> Register:
        told = self.expression(node)
        if told.domain.kind != "boolean":
            raise Slow(f"{node.span.text[:60]} is no boolean")
        return told

    def _number(self, node: Node) -> Register:
        return self._as_number(self.expression(node), node)

    def _as_number(self, told: Register, node: Node) -> Register:
        if told.domain.kind != "number":
            raise Slow(f"{node.span.text[:60]} is no number that is held exactly")
        return told

    # doubles: a bound of their relative error, in units of 2^-53, stands where the scale of a number stands

    def _float(self, node: Node) -> Register:
        return self._as_float(self.expression(node), node)

    def _as_float(self, told: Register, node: Node) -> Register:
        """A number as a double."""
        if told.domain.kind == "float":
            return told
        one = self._as_number(told, node)
        self.writer.constants.append(10**one.domain.scale)
        place = self.writer.step(Op.FLOAT, one.place, len(self.writer.constants) - 1)
        return Register(place, Domain("float", (one.domain.bound >= 2**53) + (one.domain.scale > 0)))

    def _rough(self, op: Op, left: Register, right: Register) -> Register:
        error = left.domain.scale + right.domain.scale + 2
        if error > ROUGH_MAX:
            raise Slow("too many roundings come together")
        return Register(self.writer.step(op, left.place, right.place), Domain("float", error))

    def _ordinal(self, register: Register, marks: Sequence[object]) -> tuple[Register, tuple[object, ...]]:
        """Between which of these marks a double lies, and a value that stands for each place, and null. What lies on a mark is left to the interpreter."""
        whole = partition(marks, EXACT)
        ticks = sorted({tick for tick in (tick_of(one, EXACT) for one in marks) if tick is not None})
        near = float(register.domain.scale + 4) * 2.0**-52
        first = len(self.writer.constants)
        self.writer.constants += [_bits(float(tick)) for tick in ticks] + [_bits(near)]
        self.doubts.append(self.writer.step(Op.FDOUBT, register.place, first, len(ticks)))
        return Register(self.writer.step(Op.FCLASS, register.place, first, len(ticks)), Domain("ordinal")), (*whole.values[:-1:2], None)

    def _arithmetic(self, node: Arithmetic) -> Register:
        left, right = self.expression(node.left), self.expression(node.right)
        if node.sign == "*" and "float" in {left.domain.kind, right.domain.kind}:
            return self._rough(Op.FMUL, self._as_float(left, node.left), self._as_float(right, node.right))
        left, right = self._as_number(left, node.left), self._as_number(right, node.right)
        if node.sign == "*":
            scale, bound = left.domain.scale + right.domain.scale, left.domain.bound * right.domain.bound
            op = Op.MUL
        else:
            left, right = self._aligned(left, right)
            scale, bound = left.domain.scale, left.domain.bound + right.domain.bound
            op = Op.ADD if node.sign == "+" else Op.SUB
        if bound >= ROOM or scale > 30:
            raise Slow("a number may grow beyond 64 bits")
        return Register(self.writer.step(op, left.place, right.place), Domain("number", scale, bound))

    def _aligned(self, left: Register, right: Register) -> tuple[Register, Register]:
        """Two numbers on one scale."""
        scale = max(left.domain.scale, right.domain.scale)
        return self._rescaled(left, scale), self._rescaled(right, scale)

    def _rescaled(self, one: Register, scale: int) -> Register:
        if one.domain.scale == scale:
            return one
        power = 10 ** (scale - one.domain.scale)
        if one.domain.bound * power >= ROOM:
            raise Slow("a number may grow beyond 64 bits")
        self.writer.constants.append(power)
        place = self.writer.step(Op.SCALE, one.place, len(self.writer.constants) - 1)
        return Register(place, Domain("number", scale, one.domain.bound * power))

    def _compare(self, node: Compare) -> Register:
        for side, other, is_turned in ((node.left, node.right, False), (node.right, node.left, True)):
            value = constant(other)
            if value is NONE:
                continue
            register = self.expression(side)
            tests = Tests(node.span, (_compare_test(node, other, is_turned=is_turned),))

            def ask(one: object, value: object = value, is_turned: bool = is_turned) -> bool:
                return compare(node.sign, value, one) if is_turned else compare(node.sign, one, value)

            return self._asked(register, tests, ask)
        left, right = self._aligned(self._number(node.left), self._number(node.right))
        return Register(self.writer.step(Op.COMPARE, left.place, right.place, SIGNS.index(node.sign)), Domain("boolean"))

    def _between(self, node: Between) -> Register:
        low, high = constant(node.low), constant(node.high)
        if low is NONE or high is NONE:
            raise Slow("between has bounds that move")
        tests = Tests(node.span, (_compare_test_of(">=", node.low), _compare_test_of("<=", node.high)))
        return self._asked(self.expression(node.value), tests, lambda one: order(one, low) >= 0 and order(one, high) <= 0)

    def _asked(self, register: Register, tests: Tests, ask: Ask) -> Register:
        """A boolean for each class of a register."""
        if register.domain.kind == "float":
            return self._asked_of_float(register, tests, ask)
        marks = landmarks(tests, register.domain)
        if marks is None:
            raise Slow(f"{tests.span.text[:60]} is not the same on whole classes")
        whole = partition(marks, register.domain)
        told = answers(_quiet(ask), marks, whole, register.domain)
        lookup = self.writer.lookup(register.place, is_direct=whole.is_direct, starts=whole.starts, rows=told)
        return Register(self.writer.step(Op.LOOK, lookup), Domain("boolean"))

    def _asked_of_float(self, register: Register, tests: Tests, ask: Ask) -> Register:
        marks = landmarks(tests, EXACT)
        if marks is None:
            raise Slow(f"{tests.span.text[:60]} is not the same on whole classes")
        ordinal, values = self._ordinal(register, marks)
        told = np.array([2 if (one := _quiet(ask)(value)) is None else int(one) for value in values])
        return Register(self.writer.step(Op.LOOK, self.writer.lookup(ordinal.place, is_direct=True, starts=NOTHING, rows=told)), Domain("boolean"))

    def _if(self, node: If) -> Register:
        condition, then, other = self._truth(node.condition), self.expression(node.then), self.expression(node.other)
        if then.domain.kind == other.domain.kind == "number":
            then, other = self._aligned(then, other)
        elif then.domain.kind != "boolean" or other.domain.kind != "boolean":
            raise Slow("the two sides of an if are not both numbers or both booleans")
        domain = Domain(then.domain.kind, then.domain.scale, max(then.domain.bound, other.domain.bound))
        return Register(self.writer.step(Op.CHOOSE, condition.place, then.place, other.place), domain)

    # tables

    def _table(self, table: Table) -> TableForm:
        if any(not _is_fixed(node) for rule in table.rules for node in rule.results):
            raise Slow("an output is not written out")
        if any(one.default is not None and not _is_fixed(one.default) for one in table.outputs):
            raise Slow("a default output is not written out")
        registers = [self.expression(column.expression) for column in table.columns]
        ranks = list(range(len(table.rules)))
        if table.policy in {"PRIORITY", "OUTPUT ORDER"}:
            ranks = tables.by_priority(self.run, table, ranks, Scope({}, None, self.model.types))
        words = (len(ranks) + 63) // 64
        first = len(self.writer.lookups)
        for number, (column, register) in enumerate(zip(table.columns, registers, strict=True)):
            self._column(table, column, register, number, ranks)
        mode = MODES.get(table.policy, Mode.ALL)
        groups = self._groups(table, ranks) if mode == Mode.ANY else []
        made = self.writer.table(first, len(table.columns), words, mode, np.array(ranks), np.array(groups))
        return TableForm(made, tuple(ranks))

    def _groups(self, table: Table, ranks: Sequence[int]) -> list[int]:
        """Rules with equal outputs are of one group."""
        seen: list[object] = []
        told = []
        for rule in ranks:
            value = tables.results_of(self.run, table, rule, Scope({}, None, self.model.types))
            place = next((number for number, one in enumerate(seen) if same(one, value)), len(seen))
            seen += [value] if place == len(seen) else []
            told.append(place)
        return told

    def _column(self, table: Table, column: Column, register: Register, number: int, ranks: Sequence[int]) -> None:
        """The masks of one column: for each class, which rules it lets pass."""
        scope = Scope({}, None, self.model.types)
        kind = self.model.types.kind(column.kind) if column.kind is not None else None
        if register.domain.kind == "float":
            self._column_of_float(table, column, register, number, ranks)
            return
        marks: list[object] = []
        cells: dict[tuple[str, bool], tuple[list[object], Tests]] = {}
        limits = [] if column.allowed is None else [column.allowed]
        for tests in (*limits, *(_tests_of(kind) if kind else ()), *(rule.cells[number] for rule in table.rules)):
            key = tests.span.text, tests.is_negated
            if tests.tests and key not in cells:
                found = landmarks(tests, register.domain)
                if found is None:
                    raise Slow(f"the cell {tests.span.text[:60]} of {column.label} is not the same on whole classes")
                cells[key] = found, tests
                marks += found
        whole = partition(marks, register.domain)
        every = [mark for tests in (*limits, *(_tests_of(kind) if kind else ())) for mark in cells.get((tests.span.text, tests.is_negated), ([], tests))[0]]

        def seen(value: object) -> object:
            return value if column.kind is None else tables.fitted(self.run, value, column.kind, column.expression, scope)

        bits = np.zeros((len(whole.values), len(ranks)), np.uint8)
        known: dict[tuple[str, bool], Array] = {}
        for place, rule in enumerate(ranks):
            tests = table.rules[rule].cells[number]
            self.run.steps = 0
            key = tests.span.text, tests.is_negated
            if not tests.tests:
                bits[:, place] = 1
                continue
            if key not in known:
                told = answers(lambda value, tests=tests: self.run.passes(tests, seen(value), scope), [*cells[key][0], *every], whole, register.domain)  # type: ignore[misc]
                known[key] = (told == 1).astype(np.uint8)
            bits[:, place] = known[key]
        rows, masks = _distinct(bits)
        if column.allowed is not None:
            allowed = column.allowed

            def is_allowed(value: object) -> bool:
                fitted = seen(value)
                return fitted is None or self.run.passes(allowed, fitted, scope) is True

            fine = answers(is_allowed, every, whole, register.domain)
            rows = np.where(fine == 1, rows, -1)
        self.run.diagnostics.clear()
        self.writer.lookup(register.place, is_direct=whole.is_direct, starts=whole.starts, rows=rows, masks=masks)

    def _column_of_float(self, table: Table, column: Column, register: Register, number: int, ranks: Sequence[int]) -> None:
        """The masks of a column that is a double: its classes are the places between the break points."""
        if column.allowed is not None or (column.kind is not None and self.model.types.kind(column.kind).name not in {"number", "Any"}):
            raise Slow(f"{column.label} is not exact, and its column tests it")
        scope = Scope({}, None, self.model.types)
        marks: list[object] = []
        for rule in table.rules:
            found = landmarks(rule.cells[number], EXACT)
            if found is None:
                raise Slow(f"the cell {rule.cells[number].span.text[:60]} of {column.label} is not the same on whole classes")
            marks += found
        ordinal, values = self._ordinal(register, marks)
        bits = np.array([[self.run.passes(table.rules[rule].cells[number], value, scope) is True for rule in ranks] for value in values], np.uint8)
        rows, masks = _distinct(bits.reshape(len(values), len(ranks)))
        self.run.diagnostics.clear()
        self.run.steps = 0
        self.writer.lookup(ordinal.place, is_direct=True, starts=NOTHING, rows=rows, masks=masks)

    def _answer(self, name: str, output: str | None) -> Register:
        """A register with what a table answers: its only output, or the named one, or what it gathers."""
        form = self.names[name]
        decision = self.model.decision(name)
        table = decision.node
        if not isinstance(form, TableForm) or not isinstance(table, Table):
            raise Slow(f"{name} is decided by the interpreter")
        if (output is None) != (len(table.outputs) == 1):
            raise Slow(f"{name} gives a context")
        is_list = table.policy in tables.LIST_POLICIES
        if is_list and (not table.gather or decision.kind is not None):
            raise Slow(f"{name} gives a list" if not table.gather else f"{name} is checked after it is gathered")
        values = [self.code_value(decision, table, form, code, output) for code in range(-2, len(form.ranks) + 1)]
        domain, numbers = _register_values(values)
        if is_list and domain.kind != "number":
            raise Slow(f"{name} gathers no numbers")
        place = self.writer.output(form.table, [0 if one is None else one for one in numbers], [one is None for one in numbers])
        if not is_list:
            return Register(self.writer.step(Op.ANSWER, form.table, place), domain)
        bound = domain.bound * max(1, len(form.ranks))
        if bound >= ROOM or (table.gather == "COUNT" and domain.scale):
            raise Slow("a number may grow beyond 64 bits")
        step = self.writer.step(Op.GATHER, form.table, place, GATHERS.index(table.gather))
        return Register(step, Domain("number", domain.scale, max(bound, len(form.ranks))))

    def code_value(self, decision: Decision, table: Table, form: TableForm, code: int, output: str | None) -> object:
        """What the interpreter makes of one code of a table: the rule it names, no rule, or a contradiction."""
        scope = Scope({}, None, self.model.types)
        try:
            if code < 0:
                return None
            value = tables.answer(self.run, table, [form.ranks[code - 1]] if code else [], scope)
        except Trouble:
            value = None
        deciding = Deciding(self.run, {})
        value = deciding.fitted(self.model, value, decision.kind, decision.name)
        self.run.diagnostics.clear()
        if output is None:
            return value
        return value.get(output) if isinstance(value, dict) else None


def _bits(number: float) -> int:
    """The bits of a double as an int64."""
    return int(np.float64(number).view(np.int64))


def _quiet(ask: Ask) -> Ask:
    def told(value: object) -> bool | None:
        try:
            return ask(value)
        except Trouble:
            return None

    return told


def _is_fixed(node: Node) -> bool:
    return constant(node) is not NONE


def _compare_test(node: Compare, other: Node, *, is_turned: bool) -> Node:
    turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    return _compare_test_of(turned.get(node.sign, node.sign) if is_turned else node.sign, other)


def _compare_test_of(sign: str, right: Node) -> Node:
    from puhui.engines.rules.tree import CompareTest

    return CompareTest(right.span, sign, right)


def _tests_of(kind: Kind | None) -> Iterator[Tests]:
    """The tests of a type's own values."""
    if kind is not None and kind.name == "both":
        if kind.allowed is not None:
            yield kind.allowed
        yield from _tests_of(kind.parts[0])


def domain_of(one: Field, texts: tuple[str, ...]) -> Domain:
    if one.kind in {"number", "int64"}:
        return Domain("number", one.scale, one.bound)
    return Domain("category" if one.kind == "string" else one.kind, texts=texts, is_open=True)


def _scaled(value: Decimal, scale: int) -> int:
    told = WIDE.scaleb(value, scale)
    if told != told.to_integral_value() or abs(told) >= ROOM:
        raise Slow("a number is too large or too fine")
    return int(told)


def _register_values(values: Sequence[object]) -> tuple[Domain, list[int | None]]:
    """How a register holds these values. Raises Slow where they are of several types."""
    some = [one for one in values if one is not None]
    if all(isinstance(one, bool) for one in some) and some:
        return Domain("boolean"), [None if one is None else int(bool(one)) for one in values]
    numbers = [one for one in some if isinstance(one, Decimal)]
    if len(numbers) == len(some):
        scale = max((max(0, -int(one.as_tuple().exponent)) for one in numbers), default=0)
        held = [None if not isinstance(one, Decimal) else _scaled(one, scale) for one in values]
        return Domain("number", scale, max((abs(one) for one in held if one is not None), default=0)), held
    texts = tuple(sorted({one for one in some if isinstance(one, str)}))
    if all(isinstance(one, str) for one in some):
        codes = {text: place for place, text in enumerate(texts)}
        return Domain("category", texts=texts), [codes[one] if isinstance(one, str) else None for one in values]
    if all(isinstance(one, Date) for one in some):
        return Domain("date"), [one.days if isinstance(one, Date) else None for one in values]
    raise Slow("a table answers values of several types")


def _distinct(bits: Array) -> tuple[Array, Array]:
    """Rows of bits as words, each kept once; and for each class which of them."""
    words = (bits.shape[1] + 63) // 64
    if not words:
        return np.zeros(len(bits), np.int64), np.zeros((1, 0), np.uint64)
    packed = np.array([mask_of(row, words) for row in bits]).reshape(len(bits), words)
    kept, rows = np.unique(packed, axis=0, return_inverse=True)
    return rows.reshape(-1), kept


def _texts(steps: Sequence[Decision], schema: tuple[Field, ...]) -> tuple[tuple[str, ...], ...]:
    """The texts that the model compares each input with, sorted."""
    found: dict[str, set[str]] = {one.name: set() for one in schema}
    for decision in steps:
        for name, node in _uses(decision.node):
            if name in found:
                found[name] |= set(_strings(node))
    return tuple(tuple(sorted(found[one.name])) if one.kind in {"category", "string"} else () for one in schema)


def _uses(node: object) -> Iterator[tuple[str, object]]:
    """Where a name is compared with something."""
    match node:
        case Table():
            for number, column in enumerate(node.columns):
                inner = column.expression
                if isinstance(inner, Name):
                    yield inner.name, (column.allowed, [rule.cells[number] for rule in node.rules])
                else:
                    yield from _uses(inner)
        case Compare(left=Name(name=name), right=other) | Compare(left=other, right=Name(name=name)) | In(value=Name(name=name), tests=other):
            yield name, other
        case TypeNode() | None:
            return
        case _ if is_dataclass(node):
            for one in fields(node):
                yield from _uses(getattr(node, one.name)) if one.name != "span" else ()
        case tuple() | list():
            for part in node:
                yield from _uses(part)


def _strings(node: object) -> Iterator[str]:
    """Every text that is written out in a tree."""
    match node:
        case Literal(value=str() as text):
            yield text
        case tuple() | list():
            for part in node:
                yield from _strings(part)
        case _ if is_dataclass(node):
            for one in fields(node):
                yield from _strings(getattr(node, one.name)) if one.name != "span" else ()
