"""Value one expression, and take Python's values in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from puhui.engines.rules import limits, temporal
from puhui.engines.rules.diagnostics import Result
from puhui.engines.rules.evaluator import Interpreter, Scope, room_to_recurse
from puhui.engines.rules.parser import Names, parse
from puhui.engines.rules.values import NUMBERS, Date, DateTime, DaysDuration, Function, MonthsDuration, Range, Time, Trouble

Instant = datetime | DateTime | None


def feel(expression: str, context: Mapping[str, object] | None = None, *, at: Instant = None) -> object:
    """The value of a FEEL expression; None where it has none (`feel_with` says why)."""
    return feel_with(expression, context, at=at).value


def feel_with(expression: str, context: Mapping[str, object] | None = None, *, at: Instant = None) -> Result:
    """The value of a FEEL expression, and the diagnostics of all that is null in it."""
    run = Interpreter(instant(at))
    with room_to_recurse():
        values = taken_in(run, context or {})
        node = parse(expression, Names(values), members=Names(_keys(values)))
    return run.result(run.whole(node, Scope(values)))


def instant(at: Instant) -> DateTime | None:
    """The instant of a decision as our own value. Raises ValueError where it has no zone."""
    if isinstance(at, datetime):
        told = temporal.from_python(at)
        assert isinstance(told, DateTime), "a datetime gives a date and time"
        at = told
    if at is not None and at.zone is None:
        raise ValueError("the instant of a decision needs a zone")
    return at


def taken_in(run: Interpreter, values: Mapping[str, object]) -> dict[str, object]:
    """Python's values as FEEL's. What cannot be taken is null, with a diagnostic."""
    told: dict[str, object] = {}
    for name, value in values.items():
        try:
            told[str(name)] = value_in(value)
        except Trouble as trouble:
            run.note(Trouble(f"the input {name}: {trouble.what}", trouble.hint, trouble.code), None)
            told[str(name)] = None
    return told


def value_in(value: object, depth: int = 0) -> object:
    """A value of Python as one of FEEL. Raises Trouble where it has no exact meaning."""
    if value is None or isinstance(value, bool | str | Date | Time | DateTime | DaysDuration | MonthsDuration | Range | Function):
        return value
    if depth > 60:
        raise Trouble("the value is nested too deeply", "at most 60 levels", "feel.limit")
    match value:
        case Decimal():
            return _number_in(value)
        case int():
            return _number_in(Decimal(value)) if value.bit_length() < 25_000 else _number_in(Decimal("Infinity"))
        case float():
            raise Trouble("a float is not exact", "give a Decimal or an int", "feel.float")
        case date() | time() | timedelta():
            return temporal.from_python(value)
        case Mapping():
            return {str(name): value_in(one, depth + 1) for name, one in value.items()}
        case list() | tuple():
            if len(value) > limits.LIST_MAX:
                raise Trouble("the list is too long", f"at most {limits.LIST_MAX} elements", "feel.limit")
            return [value_in(one, depth + 1) for one in value]
    return temporal.from_python(value)


def _number_in(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise Trouble("the number is infinite or none", "give a finite number, or None", "feel.number")
    try:
        return NUMBERS.plus(value)
    except ArithmeticError as error:
        raise Trouble("the number is too large", "numbers reach 1e6144", "feel.number") from error


def _keys(values: object, depth: int = 0) -> Iterable[str]:
    """The names of all entries inside, so that paths may name them."""
    if depth > 20:
        return
    if isinstance(values, dict):
        for name, value in values.items():
            yield name
            yield from _keys(value, depth + 1)
    elif isinstance(values, list):
        for value in values[:100]:
            yield from _keys(value, depth + 1)
