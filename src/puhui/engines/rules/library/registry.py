"""How a built-in function is declared, chosen among its forms, and called by place or by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

from puhui.engines.rules import limits
from puhui.engines.rules.operators import kind_name
from puhui.engines.rules.parser import BUILTIN_NAMES
from puhui.engines.rules.values import DateTime, Function, Parameter, Trouble

Body = TypeVar("Body", bound=Callable[..., object])


class Run(Protocol):
    """What a built-in may ask of the evaluation: its instant, and to call a function it was given."""

    at: DateTime | None

    def invoke(self, function: object, arguments: list[object], named: dict[str, object] | None = None) -> object: ...


@dataclass(frozen=True, slots=True)
class Form:
    """One way to call a built-in: its parameters, how many must be given, and whether the last takes all that follow."""

    names: tuple[str, ...]
    least: int
    is_variadic: bool
    body: Callable[..., object]


@dataclass(frozen=True, slots=True)
class Builtin:
    """A built-in function and its forms."""

    name: str
    forms: list[Form]

    def invoke(self, run: Run, arguments: list[object], named: dict[str, object] | None) -> object:
        """Call the first form that fits. Raises Trouble where none does."""
        try:
            told = self._called(run, arguments, named)
        except ArithmeticError as error:
            raise Trouble(f"{self.name} has no value here", "the number is too large or out of its range", "feel.number") from error
        if isinstance(told, list) and len(told) > limits.LIST_MAX:
            raise Trouble("the list grows too long", f"at most {limits.LIST_MAX} elements", "feel.limit")
        if isinstance(told, str) and len(told) > limits.STRING_MAX:
            raise Trouble("the text grows too long", f"at most {limits.STRING_MAX} characters", "feel.limit")
        return told

    def _called(self, run: Run, arguments: list[object], named: dict[str, object] | None) -> object:
        for form in self.forms:
            if named is not None:
                if set(named) <= set(form.names) and set(form.names[: form.least]) <= set(named):
                    return form.body(run, *(named.get(name) for name in form.names))
            elif form.least <= len(arguments) and (form.is_variadic or len(arguments) <= len(form.names)):
                return form.body(run, *arguments)
        told = " or ".join(f"{self.name}({', '.join(form.names)})" for form in self.forms)
        raise Trouble(f"{self.name} was not called as it should be", f"call it as {told}", "feel.function")


BUILTINS: dict[str, Function] = {}


def builtin(name: str, parameters: str) -> Callable[[Body], Body]:
    """Declare one form of a built-in. A parameter with `?` may be absent; one with `...` takes all that follow."""
    pieces = [piece.strip() for piece in parameters.split(",") if piece.strip()]
    names = tuple(piece.rstrip("?.") for piece in pieces)
    least = sum(not piece.endswith("?") for piece in pieces)
    is_variadic = bool(pieces) and pieces[-1].endswith("...")

    def declare(body: Body) -> Body:
        form = Form(names, least, is_variadic, body)
        known = BUILTINS.get(name)
        if known is not None and isinstance(known.builtin, Builtin):
            known.builtin.forms.append(form)
        else:
            made = Builtin(name, [form])
            BUILTINS[name] = Function(name, tuple(Parameter(one) for one in names), _never, builtin=made, is_variadic=is_variadic)
            BUILTIN_NAMES.add(name)
        return body

    return declare


def _never(_: list[object]) -> object:
    raise AssertionError("a built-in is invoked through its forms")


def single(value: object) -> object:
    """A list of one as its element."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def number(value: object) -> Decimal:
    """A number, or Trouble."""
    value = single(value)
    if isinstance(value, Decimal):
        return value
    raise Trouble(f"expected a number, not {kind_name(value)}", "give a number", "feel.type")


def whole(value: object) -> int:
    """A whole number; what stands behind the point is cut."""
    found = number(value)
    if abs(found) > 10**18:
        raise Trouble("the number is too large here", "give a smaller whole number", "feel.limit")
    return int(found)


def text(value: object) -> str:
    """A string, or Trouble."""
    value = single(value)
    if isinstance(value, str):
        return value
    raise Trouble(f"expected a string, not {kind_name(value)}", "give a string", "feel.type")


def listed(value: object) -> list[object]:
    """A list; a single value as a list of one; null is Trouble."""
    if isinstance(value, list):
        return value
    if value is None:
        raise Trouble("expected a list, not null", "give a list", "feel.null")
    return [value]


def mapping(value: object) -> dict[str, object]:
    """A context, or Trouble."""
    value = single(value)
    if isinstance(value, dict):
        return value
    raise Trouble(f"expected a context, not {kind_name(value)}", "give a context", "feel.type")
