"""Read DMN 1.1 to 1.5 from XML: no entities, no network, bounded in size and depth. Boxed expressions become the tree of FEEL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from puhui.engines.rules import limits
from puhui.engines.rules.evaluator import room_to_recurse
from puhui.engines.rules.kinds import ItemDefinition, TypeSpace
from puhui.engines.rules.model import Decision, Element, InputData, Knowledge, Model, Service
from puhui.engines.rules.parser import Names, parse, parse_tests, squeezed
from puhui.engines.rules.refusals import UnreadableFile
from puhui.engines.rules.tree import (
    Broken,
    Call,
    Column,
    ContextNode,
    Entry,
    Filter,
    For,
    FunctionNode,
    If,
    Iterator,
    ListNode,
    Node,
    Output,
    Quantified,
    Rule,
    Source,
    Span,
    Table,
    Tests,
    Typed,
    TypeNode,
)

Tag = Any
PUHUI = "{urn:puhui:dmn:1}"
BOXED = frozenset(
    ["literalExpression", "context", "decisionTable", "relation", "list", "invocation", "functionDefinition", "conditional", "filter", "for", "every", "some", "unaryTests"],
)


def load(path_or_bytes: str | Path | bytes, imports: Mapping[str, bytes] | None = None) -> Model:
    """Read a DMN model. Imports are taken from `imports` (by namespace, name or location), else from files beside it.

    Refused: UnreadableFile.
    """
    folder = None if isinstance(path_or_bytes, bytes) else Path(path_or_bytes).parent
    if isinstance(path_or_bytes, bytes):
        data, label = path_or_bytes, "given"
    else:
        data, label = _file(Path(path_or_bytes)), Path(path_or_bytes).name
    with room_to_recurse():
        return _Library(folder, imports or {}).model(data, label)


def _file(path: Path) -> bytes:
    try:
        if path.stat().st_size > limits.XML_BYTES_MAX:
            raise UnreadableFile(file=path.name, why="it is too large")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(file=path.name, why=error.strerror or "it cannot be opened") from error


class _Library:
    """The models of one loading, each read once."""

    def __init__(self, folder: Path | None, given: Mapping[str, bytes]) -> None:
        self.folder, self.given = folder, given
        self.done: dict[str, Model] = {}
        self.open: set[str] = set()
        self.beside: dict[str, bytes] | None = None

    def model(self, data: bytes, label: str) -> Model:
        root = _root(data, label)
        namespace = root.get("namespace") or ""
        if namespace in self.done:
            return self.done[namespace]
        if namespace in self.open:
            raise UnreadableFile(file=label, why="models import each other in a circle")
        self.open.add(namespace)
        imported = {squeezed(one.get("name") or ""): self._imported(one, label) for one in _children(root, "import") if "DMN" in (one.get("importType") or "DMN")}
        made = _Reader(root, data, imported, label).model()
        self.open.discard(namespace)
        self.done[namespace] = made
        return made

    def _imported(self, tag: Tag, label: str) -> Model:
        namespace, location = tag.get("namespace") or "", tag.get("locationURI") or ""
        for key in (namespace, location, tag.get("name") or ""):
            if key and key in self.given:
                return self.model(self.given[key], key)
        if self.folder is not None:
            near = self.folder / Path(location).name
            if location and near.is_file():
                return self.model(_file(near), near.name)
            if self.beside is None:
                self.beside = {}
                for path in sorted(self.folder.glob("*.dmn")):
                    data = _file(path)
                    self.beside[_root(data, path.name).get("namespace") or ""] = data
            if namespace in self.beside:
                return self.model(self.beside[namespace], namespace)
        raise UnreadableFile(file=label, why=f"the model it imports, {namespace}, was not given and does not lie beside it")


def _root(data: bytes, label: str) -> Tag:
    if len(data) > limits.XML_BYTES_MAX:
        raise UnreadableFile(file=label, why="it is too large")
    reader = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(data, reader)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableFile(file=label, why=f"it is not XML ({str(error)[:120]})") from error
    if root.getroottree().docinfo.doctype:
        raise UnreadableFile(file=label, why="it has a document type, which DMN does not need")
    if _local(root) != "definitions":
        raise UnreadableFile(file=label, why="it has no DMN definitions")
    if _depth(root) > limits.XML_DEPTH_MAX:
        raise UnreadableFile(file=label, why="it is nested too deeply")
    return root


def _depth(root: Tag) -> int:
    deepest, open_tags = 0, [(root, 1)]
    while open_tags:
        tag, depth = open_tags.pop()
        deepest = max(deepest, depth)
        if depth <= limits.XML_DEPTH_MAX:
            open_tags.extend((one, depth + 1) for one in tag)
    return deepest


def _local(tag: Tag) -> str:
    return str(etree.QName(tag).localname) if isinstance(tag.tag, str) else ""


def _children(tag: Tag, *names: str) -> list[Tag]:
    return [one for one in tag if _local(one) in names]


def _child(tag: Tag, *names: str) -> Tag | None:
    return next(iter(_children(tag, *names)), None)


def _text(tag: Tag | None) -> str:
    """The text of a tag's `text` child, or its own."""
    if tag is None:
        return ""
    inner = _child(tag, "text")
    return "".join((tag if inner is None else inner).itertext())


def _reference(text: str | None) -> str | None:
    """A type's name without its prefix."""
    if not text or not text.strip():
        return None
    told = squeezed(text)
    return told.rpartition(":")[2] if ":" in told else told


class _Reader:
    """Reads one model."""

    def __init__(self, root: Tag, data: bytes, imports: Mapping[str, Model], label: str) -> None:
        self.root, self.data, self.imports, self.label = root, data, imports, label
        self.members = Names()
        self.type_names = Names()
        self.elements: dict[str, Element] = {}

    def model(self) -> Model:
        self._gather_members()
        definitions = {}
        for tag in _children(self.root, "itemDefinition"):
            one = self.definition(tag)
            definitions[one.name] = one
        types = TypeSpace(definitions, {alias: other.types for alias, other in self.imports.items()})
        self.definitions = definitions
        for number, tag in enumerate(self.root):
            element = self.element(tag, number)
            if element is not None:
                self.elements[element.id] = element
        namespace = self.root.get("namespace") or ""
        return Model(self.root.get("name") or self.label, namespace, self.elements, self.imports, types, self.data)

    def _gather_members(self) -> None:
        """All names that may stand behind a dot, and all names of types."""
        for tag in self.root.iter():
            if _local(tag) in {"itemComponent", "variable", "column", "output"} and tag.get("name"):
                self.members.add(squeezed(tag.get("name")))
            if _local(tag) == "itemDefinition" and tag.get("name"):
                self.type_names.add(squeezed(tag.get("name")))
        for alias, other in self.imports.items():
            for element in other.elements.values():
                self.members.add(element.name)
            for name in other.types.definitions:
                self.type_names.add(f"{alias}.{name}")

    # types

    def definition(self, tag: Tag) -> ItemDefinition:
        name = squeezed(tag.get("name") or "")
        function = _child(tag, "functionItem")
        parameters, result = None, None
        if function is not None:
            parameters = tuple(_reference(one.get("typeRef")) for one in _children(function, "parameters"))
            result = _reference(function.get("outputTypeRef"))
        return ItemDefinition(
            name,
            _reference(_text(_child(tag, "typeRef"))),
            tuple(self.definition(one) for one in _children(tag, "itemComponent")),
            is_list=tag.get("isCollection") in {"true", "1"},
            allowed=self.allowed(_child(tag, "allowedValues"), f"type {name}"),
            constraint=self.allowed(_child(tag, "typeConstraint"), f"type {name}"),
            parameters=parameters,
            result=result,
        )

    def allowed(self, tag: Tag | None, where: str) -> Tests | None:
        text = _text(tag).strip()
        return self.tests(text, (), where) if text else None

    # the elements of the graph

    def element(self, tag: Tag, number: int) -> Element | None:
        kind = _local(tag)
        if kind not in {"inputData", "decision", "businessKnowledgeModel", "decisionService"}:
            return None
        variable = _child(tag, "variable")
        own = squeezed(tag.get("name") or "")
        name = squeezed(variable.get("name") or own) if variable is not None else own
        reference = _reference(variable.get("typeRef")) if variable is not None else None
        key = tag.get("id") or f"{kind}-{number}"
        match kind:
            case "inputData":
                return InputData(key, name, reference)
            case "decision":
                requires = _requirements(tag)
                node = self.boxed(_child(tag, *BOXED), self.names(requires), own)
                return Decision(key, name, node, reference, requires, own, tag.get(f"{PUHUI}example") or "")
            case "businessKnowledgeModel":
                requires = _requirements(tag)
                logic = _child(tag, "encapsulatedLogic")
                function = None if logic is None else self.function(logic, (*self.names(requires), name), own)
                return Knowledge(key, name, function, reference, requires, own)
        return Service(
            key,
            name,
            _hrefs(tag, "outputDecision"),
            _hrefs(tag, "inputDecision"),
            _hrefs(tag, "inputData"),
            reference,
            own,
        )

    def names(self, requires: Iterable[str]) -> tuple[str, ...]:
        """The names that these requirements bring into scope."""
        told: list[str] = []
        for href in requires:
            namespace, _, key = href.rpartition("#")
            if namespace in {"", self.root.get("namespace")}:
                found = self.root.xpath("./*[@id=$key]", key=key)
                if found:
                    variable = _child(found[0], "variable")
                    own = found[0].get("name") or ""
                    told.append(squeezed((variable.get("name") if variable is not None else own) or own))
            else:
                told += [alias for alias, other in self.imports.items() if other.namespace == namespace]
        return tuple(told)

    # boxed expressions

    def parsed(self, text: str, names: Sequence[str], where: str) -> Node:
        return parse(text, Names(names), members=self.members, types=self.type_names, where=where)

    def tests(self, text: str, names: Sequence[str], where: str) -> Tests:
        return parse_tests(text, Names(names), members=self.members, types=self.type_names, where=where)

    def span(self, where: str) -> Span:
        return Span(Source("", where), 0, 0)

    def boxed(self, tag: Tag | None, names: Sequence[str], where: str) -> Node | None:
        """An expression of any kind; None where there is none."""
        if tag is None:
            return None
        kind = _local(tag)
        make = {
            "literalExpression": self.literal,
            "context": self.context,
            "decisionTable": self.table,
            "relation": self.relation,
            "list": self.listed,
            "invocation": self.invocation,
            "functionDefinition": self.function,
            "conditional": self.conditional,
            "filter": self.filter,
            "for": self.loop,
            "every": self.quantified,
            "some": self.quantified,
            "unaryTests": self.unary,
        }[kind]
        node = make(tag, names, where)
        reference = _reference(tag.get("typeRef"))
        if reference and kind not in {"decisionTable", "functionDefinition"}:
            return Typed(node.span, node, TypeNode(reference))
        return node

    def needed(self, tag: Tag | None, names: Sequence[str], where: str) -> Node:
        """An expression that must be there."""
        node = self.boxed(_child(tag, *BOXED) if tag is not None else None, names, where)
        return node or Broken(self.span(where), "an expression is missing", "add it to the model", "dmn.logic")

    def literal(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        text = _text(tag)
        if not text.strip():
            return Broken(self.span(where), "the expression is empty", "write one, or null", "dmn.logic")
        return self.parsed(text, names, where)

    def unary(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        return self.tests(_text(tag), names, where)

    def context(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        entries, known = [], list(names)
        for one in _children(tag, "contextEntry"):
            variable = _child(one, "variable")
            name = squeezed(variable.get("name") or "") if variable is not None else None
            value = self.needed(one, [*known, name] if name and _child(one, "functionDefinition") is not None else known, f"{where}.{name}" if name else where)
            reference = _reference(variable.get("typeRef")) if variable is not None else None
            is_function = _child(one, "functionDefinition") is not None
            entries.append(Entry(name, value, TypeNode(reference) if reference and not is_function else None))
            if name:
                known.append(name)
        return ContextNode(self.span(where), tuple(entries))

    def relation(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        columns = [squeezed(one.get("name") or "") for one in _children(tag, "column")]
        rows = []
        for row in _children(tag, "row"):
            cells = [self.boxed(one, names, where) for one in _children(row, *BOXED)]
            filled = [(name, cell) for name, cell in zip(columns, cells, strict=False) if cell is not None]
            rows.append(ContextNode(self.span(where), tuple(Entry(name, cell) for name, cell in filled)))
        return ListNode(self.span(where), tuple(rows))

    def listed(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        nodes = [self.boxed(one, names, where) for one in _children(tag, *BOXED)]
        return ListNode(self.span(where), tuple(one for one in nodes if one is not None))

    def invocation(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        function = self.needed(tag, names, where)
        named = []
        for one in _children(tag, "binding"):
            parameter = _child(one, "parameter")
            name = squeezed(parameter.get("name") or "") if parameter is not None else ""
            named.append((name, self.needed(one, names, f"{where}.{name}")))
        return Call(self.span(where), function, (), tuple(named))

    def function(self, tag: Tag, names: Sequence[str], where: str) -> FunctionNode:
        parameters = []
        for one in _children(tag, "formalParameter"):
            reference = _reference(one.get("typeRef"))
            parameters.append((squeezed(one.get("name") or ""), TypeNode(reference) if reference else None))
        kind = "java" if (tag.get("kind") or "").lower() == "java" else "FEEL"
        body = self.needed(tag, [*names, *(name for name, _ in parameters)], where)
        if (tag.get("kind") or "").lower() == "pmml":
            body = Broken(self.span(where), "PMML is not read here", "write the function in FEEL", "dmn.logic")
        return FunctionNode(self.span(where), tuple(parameters), body, kind)

    def conditional(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        parts = [self.needed(_child(tag, name), names, f"{where}.{name}") for name in ("if", "then", "else")]
        return If(self.span(where), *parts)

    def filter(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        of = self.needed(_child(tag, "in"), names, f"{where}.in")
        return Filter(self.span(where), of, self.needed(_child(tag, "match"), [*names, "item"], f"{where}.match"))

    def _iterator(self, tag: Tag, names: Sequence[str], where: str) -> Iterator:
        domain = _child(tag, "in")
        reference = _reference(domain.get("typeRef")) if domain is not None else None
        return Iterator(squeezed(tag.get("iteratorVariable") or ""), self.needed(domain, names, f"{where}.in"), kind=TypeNode(reference) if reference else None)

    def loop(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        one = self._iterator(tag, names, where)
        return For(self.span(where), (one,), self.needed(_child(tag, "return"), [*names, one.name, "partial"], f"{where}.return"))

    def quantified(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        one = self._iterator(tag, names, where)
        body = self.needed(_child(tag, "satisfies"), [*names, one.name], f"{where}.satisfies")
        return Quantified(self.span(where), _local(tag) == "every", (one,), body)

    # decision tables

    def table(self, tag: Tag, names: Sequence[str], where: str) -> Node:
        columns = tuple(self.column(one, names, where) for one in _children(tag, "input"))
        outputs = tuple(self.output(one, names, where, number) for number, one in enumerate(_children(tag, "output"), 1))
        rules = tuple(self.rule(one, names, where, number) for number, one in enumerate(_children(tag, "rule"), 1))
        policy, gather = tag.get("hitPolicy") or "UNIQUE", tag.get("aggregation") or ""
        if policy not in {"UNIQUE", "ANY", "FIRST", "PRIORITY", "RULE ORDER", "OUTPUT ORDER", "COLLECT"}:
            return Broken(self.span(where), f"there is no hit policy {policy}", "use one of DMN's seven", "dmn.policy")
        for number, rule in enumerate(rules, 1):
            if len(rule.cells) != len(columns) or len(rule.results) != len(outputs):
                return Broken(self.span(where), f"rule {number} does not fill the columns of its table", "give it one entry for each column", "dmn.table")
        return Table(self.span(where), columns, outputs, rules, policy, gather if policy == "COLLECT" else "")

    def column(self, tag: Tag, names: Sequence[str], where: str) -> Column:
        asked = _child(tag, "inputExpression")
        text = _text(asked)
        label = tag.get("label") or squeezed(text)
        node = self.parsed(text, names, f"{where}, input {label}")
        reference = _reference(asked.get("typeRef")) if asked is not None else None
        return Column(
            label,
            node,
            self.allowed(_child(tag, "inputValues"), f"{where}, input {label}"),
            TypeNode(reference) if reference else None,
            is_changeable=tag.get(f"{PUHUI}changeable") in {"true", "1"},
        )

    def output(self, tag: Tag, names: Sequence[str], where: str, number: int) -> Output:
        name = squeezed(tag.get("name") or f"output {number}")
        reference = _reference(tag.get("typeRef"))
        listed = self.allowed(_child(tag, "outputValues"), f"{where}, output {name}")
        default = _text(_child(tag, "defaultOutputEntry")).strip()
        return Output(
            name,
            self.parsed(default, names, f"{where}, default of {name}") if default else None,
            listed.tests if listed is not None else self._listed_by_type(reference),
            TypeNode(reference) if reference else None,
            tag.get(f"{PUHUI}role") or "",
        )

    def _listed_by_type(self, reference: str | None) -> tuple[Node, ...] | None:
        definition = self.definitions.get(reference or "")
        return definition.allowed.tests if definition is not None and definition.allowed is not None else None

    def rule(self, tag: Tag, names: Sequence[str], where: str, number: int) -> Rule:
        cells = tuple(
            self.tests(_text(one), names, f"{where}, rule {number}, input {place}") for place, one in enumerate(_children(tag, "inputEntry"), 1)
        )
        results = []
        for place, one in enumerate(_children(tag, "outputEntry"), 1):
            text = _text(one)
            here = f"{where}, rule {number}, output {place}"
            if text.strip() in {"", "-"}:
                text = "null"
            results.append(self.parsed(text, names, here))
        note = _text(_child(tag, "annotationEntry")).strip()
        return Rule(cells, tuple(results), note)


def _requirements(tag: Tag) -> tuple[str, ...]:
    told = []
    for one in _children(tag, "informationRequirement", "knowledgeRequirement"):
        for target in _children(one, "requiredInput", "requiredDecision", "requiredKnowledge"):
            told.append(target.get("href") or "")
    return tuple(told)


def _hrefs(tag: Tag, name: str) -> tuple[str, ...]:
    return tuple(one.get("href") or "" for one in _children(tag, name))
