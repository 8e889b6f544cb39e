"""External functions: a fixed table of pure ones that stand in for Java's. Nothing is loaded, nothing outside is called."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal

from puhui.engines.rules.operators import kind_name
from puhui.engines.rules.values import NUMBERS, Function, Parameter, Trouble, text_of

Taking = Callable[[object], object]


def _number(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    raise Trouble(f"expected a number, not {kind_name(value)}", "give a number", "feel.type")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise Trouble(f"expected a string, not {kind_name(value)}", "give a string", "feel.type")


def _whole(bits: int) -> Taking:
    def take(value: object) -> object:
        number = int(_number(value))
        if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
            raise Trouble(f"{number} does not fit {bits} bits", "give a smaller number", "feel.number")
        return Decimal(number)

    return take


def _letter(value: object) -> object:
    told = _text(value)
    if len(told) != 1:
        raise Trouble("expected one character", "give a string of length one", "feel.type")
    return told


TAKES: dict[str, Taking] = {
    "double": _number,
    "float": _number,
    "int": _whole(32),
    "long": _whole(64),
    "short": _whole(16),
    "byte": _whole(8),
    "char": _letter,
    "boolean": lambda value: value if isinstance(value, bool) else _text(value),
    "java.lang.String": _text,
    "[Ljava.lang.Object;": lambda value: value,
}


def _real(of: Callable[[float], float]) -> Callable[..., object]:
    def call(value: Decimal) -> object:
        try:
            told = of(float(value))
        except (ValueError, OverflowError) as error:
            raise Trouble("the function has no value here", "test its argument first", "feel.number") from error
        if not math.isfinite(told):
            raise Trouble("the function has no value here", "test its argument first", "feel.number")
        return NUMBERS.create_decimal(repr(told))

    return call


def _read(text: str) -> object:
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        raise Trouble(f'"{text[:60]}" is not a number', "write it as 1234.56", "feel.number")
    return NUMBERS.create_decimal(text)


def _format(pattern: str, *values: object) -> object:
    """`String.format` of %s, %d and %%."""
    left = list(values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values)

    def one(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if not left:
            raise Trouble("the format asks for more values than were given", "give a value for each %s", "feel.function")
        return text_of(left.pop(0)) or "null"

    told = re.sub(r"%[sd%]", one, pattern)
    if re.search(r"%(?![sd%])", pattern.replace("%%", "")):
        raise Trouble("only %s, %d and %% are known in a format", "use these", "feel.function")
    return told


def _table() -> dict[tuple[str, str], Callable[..., object]]:
    math_class = "java.lang.Math"
    told: dict[tuple[str, str], Callable[..., object]] = {}
    for kind in ("double", "float", "int", "long"):
        told[math_class, f"max({kind},{kind})"] = max
        told[math_class, f"min({kind},{kind})"] = min
        told[math_class, f"abs({kind})"] = NUMBERS.abs
    for name in ("cos", "sin", "tan", "acos", "asin", "atan", "exp", "log", "log10", "sqrt"):
        told[math_class, f"{name}(double)"] = _real(getattr(math, name))
    told[math_class, "pow(double,double)"] = NUMBERS.power
    for class_name, kind in (("Short", "short"), ("Byte", "byte"), ("Integer", "int"), ("Long", "long"), ("Float", "float"), ("Double", "double")):
        told[f"java.lang.{class_name}", f"valueOf({kind})"] = lambda value: value
        told[f"java.lang.{class_name}", "valueOf(java.lang.String)"] = _read
    for kind in ("char", "int", "long", "double", "float", "boolean"):
        told["java.lang.String", f"valueOf({kind})"] = text_of
    told["java.lang.String", "format(java.lang.String,[Ljava.lang.Object;)"] = _format
    return told


KNOWN = _table()


def external(told: object, parameters: Sequence[Parameter]) -> Function:
    """The function that a mapping `{java: {class: ..., method signature: ...}}` names. Raises Trouble where the table has none."""
    java = told.get("java", told) if isinstance(told, dict) else None
    if not isinstance(java, dict) or not isinstance(java.get("class"), str) or not isinstance(java.get("method signature"), str):
        raise Trouble("only pure functions of the fixed table can be called from outside", "write java: {class, method signature}", "feel.external")
    signature = re.sub(r"\s+", "", java["method signature"])
    body = KNOWN.get((java["class"], signature))
    if body is None:
        raise Trouble(f"{java['class']}.{signature} is not in the table of external functions", "write it in FEEL", "feel.external")
    takes = [TAKES[kind] for kind in re.findall(r"\[?[\w.]+;?", signature[signature.index("(") :])]
    found = body

    def call(arguments: list[object]) -> object:
        if len(arguments) < len(takes):
            raise Trouble(f"{signature} takes {len(takes)} arguments", "give them all", "feel.function")
        told = [take(one) for take, one in zip(takes, arguments, strict=False)] + arguments[len(takes) :]
        try:
            return found(*told)
        except ArithmeticError as error:
            raise Trouble(f"{signature} has no value here", "test its arguments first", "feel.number") from error

    return Function(signature, tuple(parameters), call)
