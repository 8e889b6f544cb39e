"""What a model says wrongly before any row is decided: texts that cannot be read, requirements that point nowhere, examples that fail.

A decision carries its examples in the attribute `example` of the namespace `urn:puhui:dmn:1`: a FEEL context `{given: {age: 20}, gives: "yes"}`,
or a list of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from puhui.engines.rules.diagnostics import Diagnostic
from puhui.engines.rules.door import Instant, feel_with
from puhui.engines.rules.model import Decision, Knowledge, Model, kind_called
from puhui.engines.rules.operators import same
from puhui.engines.rules.tree import Broken, Span
from puhui.engines.rules.values import Trouble, text_of


def checked(model: Model, *, at: Instant = None) -> list[Diagnostic]:
    """Everything that is wrong with the model itself, in the order of the file."""
    return [one for element in model.elements.values() for one in _element(model, element, at)]


def _element(model: Model, element: object, at: Instant) -> Iterator[Diagnostic]:
    if isinstance(element, Decision | Knowledge):
        for href in element.requires:
            if model.found(href) is None:
                yield Diagnostic("dmn.requirement", f"{element.name} requires {href}, which is not there", "mend the href", element.name)
        for broken in _broken(element.node if isinstance(element, Decision) else element.function):
            yield Diagnostic.at(broken.span, broken.code, broken.why, broken.hint)
    kind = getattr(element, "kind", None)
    if isinstance(kind, str):
        try:
            kind_called(model.types, kind)
        except Trouble as trouble:
            yield Diagnostic(trouble.code, trouble.what, trouble.hint, str(getattr(element, "name", "")))
    if isinstance(element, Decision) and element.example:
        yield from _examples(model, element, at)


def _examples(model: Model, decision: Decision, at: Instant) -> Iterator[Diagnostic]:
    told = feel_with(decision.example, at=at)
    examples = told.value if isinstance(told.value, list) else [told.value]
    for number, one in enumerate(examples, 1):
        given = one.get("given") if isinstance(one, dict) else None
        if not isinstance(one, dict) or not isinstance(given, dict) or "gives" not in one:
            yield Diagnostic("dmn.example", f"example {number} of {decision.name} cannot be read", "write {given: {...}, gives: ...}", decision.name)
            continue
        found = model.decide(decision.name, given, at=at).value
        if not same(found, one["gives"]):
            what = f"example {number} of {decision.name} gives {text_of(found) or 'null'}, not {text_of(one['gives']) or 'null'}"
            yield Diagnostic("dmn.example", what, "mend the decision or the example", decision.name)


def _broken(node: object) -> Iterator[Broken]:
    if isinstance(node, Broken):
        yield node
    elif isinstance(node, tuple | list):
        for part in node:
            yield from _broken(part)
    elif is_dataclass(node) and not isinstance(node, Span):
        for one in fields(node):
            yield from _broken(getattr(node, one.name))
