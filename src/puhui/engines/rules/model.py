"""A DMN model in memory, and how its decisions, knowledge and services are valued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from puhui.engines.rules.diagnostics import Result, Step
from puhui.engines.rules.door import Instant, instant, taken_in
from puhui.engines.rules.evaluator import Exhausted, Interpreter, Scope, room_to_recurse
from puhui.engines.rules.kinds import ANY, Kind, TypeSpace
from puhui.engines.rules.refusals import UnknownDecision
from puhui.engines.rules.tree import FunctionNode, Node, Table
from puhui.engines.rules.values import Function, Parameter, Trouble, clocks_of

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class InputData:
    id: str
    name: str
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision: its logic (None: it has none) and what it requires, by href."""

    id: str
    name: str
    node: Node | None
    kind: str | None = None
    requires: tuple[str, ...] = ()
    label: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """A business knowledge model: a function of its parameters."""

    id: str
    name: str
    function: FunctionNode | None
    kind: str | None = None
    requires: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A decision service: which decisions it gives, and what it must be given (by href)."""

    id: str
    name: str
    outputs: tuple[str, ...]
    input_decisions: tuple[str, ...]
    input_data: tuple[str, ...]
    kind: str | None = None
    label: str = ""


Element = InputData | Decision | Knowledge | Service


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A DMN model, ready to decide. `source` is the XML it was read from."""

    name: str
    namespace: str
    elements: Mapping[str, Element]
    imports: Mapping[str, Model]
    types: TypeSpace
    source: bytes = field(default=b"", repr=False)
    zones: Mapping[str, ZoneInfo] | None = field(default=None, repr=False)
    """The only time zones that are known, where an artefact brings its own; else the machine's."""

    def decide(self, name: str, inputs: Mapping[str, object], *, at: Instant = None) -> Result:
        """The value of a decision. An absent input is null, with a diagnostic. Refused: UnknownDecision."""
        decision = self._called(name, (Decision,), "decision")
        run = Interpreter(instant(at))
        return self._valued(run, lambda: Deciding(run, taken_in(run, inputs)).value(self, decision))

    def invoke(self, name: str, args: Mapping[str, object], *, at: Instant = None) -> Result:
        """The value of a business knowledge model or a decision service for arguments by name. Refused: UnknownDecision."""
        element = self._called(name, (Knowledge, Service), "knowledge model or service")
        run = Interpreter(instant(at))
        given: dict[str, object] = {}

        def call() -> object:
            given.update(taken_in(run, args))
            function = Deciding(run, {}).value(self, element)
            if isinstance(function, Function):
                for one in function.parameters:
                    if one.name not in given:
                        run.note(Trouble(f"the input {one.name} was not given", "it counts as null", "feel.null"), None)
                        given[one.name] = None
            return run.invoke(function, [], given)

        return self._valued(run, call)

    def _valued(self, run: Interpreter, ask: object) -> Result:
        with clocks_of(self.zones):
            return _valued(run, ask)

    @property
    def decisions(self) -> list[str]:
        """The names of all decisions, in the order of the file."""
        return [one.name for one in self.elements.values() if isinstance(one, Decision)]

    @property
    def inputs(self) -> list[InputData]:
        """All input data, in the order of the file."""
        return [one for one in self.elements.values() if isinstance(one, InputData)]

    def decision(self, name: str) -> Decision:
        """The decision of that name. Refused: UnknownDecision."""
        found = self._called(name, (Decision,), "decision")
        assert isinstance(found, Decision), "only decisions were looked through"
        return found

    def _called(self, name: str, kinds: tuple[type[Element], ...], what: str) -> Element:
        fitting = [one for one in self.elements.values() if isinstance(one, kinds)]
        for one in fitting:
            if name in {one.name, one.id} or (not isinstance(one, InputData) and name == one.label):
                return one
        known = ", ".join(one.name for one in fitting[:12]) or "none"
        raise UnknownDecision(name=name, what=what, known=known)

    def found(self, href: str) -> tuple[Model, str, Element] | None:
        """What an href points at: the model that holds it, under which alias (empty: this one), and the element."""
        namespace, _, key = href.rpartition("#")
        if namespace in {"", self.namespace}:
            element = self.elements.get(key)
            return None if element is None else (self, "", element)
        for alias, other in self.imports.items():
            if other.namespace == namespace and key in other.elements:
                return other, alias, other.elements[key]
        return None


def _valued(run: Interpreter, ask: object) -> Result:
    with room_to_recurse():
        try:
            return run.result(ask())  # type: ignore[operator]
        except Trouble as trouble:
            run.note(trouble, None)
            return run.result(None)


class Deciding:
    """One walk over a requirement graph: each decision is valued once."""

    def __init__(self, run: Interpreter, inputs: Mapping[str, object]) -> None:
        self.run, self.inputs = run, inputs
        self.known: dict[tuple[str, str], object] = {}
        self.open: set[tuple[str, str]] = set()

    def value(self, model: Model, element: Element, alias: str = "") -> object:
        """What the element stands for: an input, the value of a decision, or a function."""
        key = model.namespace, element.id
        if key in self.known:
            return self.known[key]
        if key in self.open:
            raise Trouble(f"{element.name} requires itself", "take the circle out of the requirements", "dmn.circle")
        self.open.add(key)
        match element:
            case InputData():
                told = self._input(model, element, alias)
            case Decision():
                told = self._decision(model, element)
            case Knowledge():
                told = self._knowledge(model, element)
            case Service():
                told = self._service(model, element)
        self.open.discard(key)
        self.known[key] = told
        return told

    def fitted(self, model: Model, value: object, kind: str | None, name: str) -> object:
        """The value as its declared type wants it; null, with a diagnostic, where it does not fit."""
        if kind is None or value is None:
            return value
        try:
            return self.run.coerced(value, kind_called(model.types, kind), Scope({}, None, model.types))
        except Exhausted:
            raise
        except Trouble as trouble:
            self.run.note(Trouble(f"{name}: {trouble.what}", trouble.hint, trouble.code), None)
            return None

    def _input(self, model: Model, element: InputData, alias: str) -> object:
        for name in (f"{alias}.{element.name}" if alias else element.name, element.name):
            if name in self.inputs:
                return self.fitted(model, self.inputs[name], element.kind, element.name)
        inside = self.inputs.get(alias)
        if alias and isinstance(inside, dict) and element.name in inside:
            return self.fitted(model, inside[element.name], element.kind, element.name)
        self.run.note(Trouble(f"the input {element.name} was not given", "it counts as null", "feel.null"), None)
        return None

    def scope(self, model: Model, requires: Iterable[str], own: Mapping[str, object] | None = None) -> Scope:
        """The names that an expression of this model sees, once all it requires has been valued."""
        names: dict[str, object] = dict(own or {})
        for href in requires:
            found = model.found(href)
            if found is None:
                self.run.note(Trouble(f"the requirement {href} points at nothing", "mend the model", "dmn.requirement"), None)
                continue
            home, alias, element = found
            value = self.value(home, element, alias)
            if alias:
                inside = names.setdefault(alias, {})
                assert isinstance(inside, dict), "an alias holds the names of its model"
                inside[element.name] = value
            else:
                names[element.name] = value
        return Scope(names, None, model.types)

    def _decision(self, model: Model, element: Decision) -> object:
        scope = self.scope(model, element.requires)
        if element.node is None:
            self.run.note(Trouble(f"the decision {element.name} has no logic", "it counts as null", "dmn.logic"), None)
            return None
        self.run.fired = ()
        value = self.run.whole(element.node, scope)
        fired = self.run.fired if isinstance(element.node, Table) else ()
        value = self.fitted(model, value, element.kind, element.name)
        self.run.trace.append(Step(element.name, dict(scope.names), fired, value))
        return value

    def _knowledge(self, model: Model, element: Knowledge) -> object:
        if element.function is None:
            raise Trouble(f"the knowledge model {element.name} has no logic", "give it a function", "dmn.logic")
        own: dict[str, object] = {}
        scope = self.scope(model, element.requires, own)
        made = self.run.value(element.function, scope)
        if not isinstance(made, Function):
            return None
        body = made.call
        result = kind_called(model.types, element.kind) if element.kind else ANY
        if result.name == "function":
            result = ANY

        def call(arguments: list[object]) -> object:
            return self.run.coerced(body(arguments), result, scope)

        told = Function(element.name, made.parameters, call, result)
        assert isinstance(scope.names, dict), "the scope was made here"
        scope.names[element.name] = told
        return told

    def _service(self, model: Model, element: Service) -> object:
        parameters = [model.found(href) for href in (*element.input_data, *element.input_decisions)]
        outputs = [model.found(href) for href in element.outputs]
        given = [one for one in parameters if one is not None]

        def call(arguments: list[object]) -> object:
            inner = Deciding(self.run, {})
            for (home, _, one), value in zip(given, arguments, strict=True):
                kind = one.kind
                fitted = value if kind is None else self.run.coerced(value, kind_called(home.types, kind), Scope({}, None, home.types))
                inner.known[home.namespace, one.id] = fitted
            told = {one.name: inner.value(home, one, alias) for home, alias, one in (found for found in outputs if found is not None)}
            whole: object = next(iter(told.values())) if len(told) == 1 else told
            return inner.fitted(model, whole, element.kind, element.name)

        kinds = [kind_called(home.types, one.kind) if one.kind else ANY for home, _, one in given]
        return Function(element.name, tuple(Parameter(one.name, kind) for (_, _, one), kind in zip(given, kinds, strict=True)), call)


def kind_called(types: TypeSpace, name: str) -> Kind:
    """The type of that name. Raises Trouble where there is none."""
    found = types.named(name)
    if found is None:
        raise Trouble(f"there is no type {name}", "define it as an item definition, or use a type of FEEL", "feel.type")
    return found


def closure(model: Model, names: Sequence[str]) -> list[Decision]:
    """All decisions of this model that the named ones rest on, the deepest first."""
    told: dict[str, Decision] = {}

    def visit(one: Decision, above: tuple[str, ...]) -> None:
        for href in one.requires:
            found = model.found(href)
            if found and isinstance(found[2], Decision) and found[0] is model and found[2].id not in above:
                visit(found[2], (*above, one.id))
        told.setdefault(one.id, one)

    for name in names:
        visit(model.decision(name), ())
    return list(told.values())


def inputs_of(model: Model, names: Sequence[str]) -> set[str]:
    """The names of the inputs that these decisions rest on."""
    found = [model.found(href) for one in closure(model, names) for href in one.requires]
    return {one[2].name for one in found if one is not None and isinstance(one[2], InputData)}
