"""Equality, order and arithmetic of FEEL. What has no answer raises Trouble, which the evaluator turns into null and a diagnostic."""

from __future__ import annotations

from decimal import Decimal

from puhui.engines.rules import limits, temporal
from puhui.engines.rules.values import (
    NANOS,
    NUMBERS,
    Date,
    DateTime,
    DaysDuration,
    Function,
    MonthsDuration,
    Range,
    Time,
    Trouble,
    instants,
)


def kind_name(value: object) -> str:
    """What a value is called in a message."""
    for kind, name in (
        (type(None), "null"),
        (bool, "a boolean"),
        (Decimal, "a number"),
        (str, "a string"),
        (list, "a list"),
        (dict, "a context"),
        (Date, "a date"),
        (Time, "a time"),
        (DateTime, "a date and time"),
        (DaysDuration, "a days and time duration"),
        (MonthsDuration, "a years and months duration"),
        (Range, "a range"),
        (Function, "a function"),
    ):
        if isinstance(value, kind):
            return name
    return "a value"


def same(left: object, right: object, depth: int = 0) -> bool:
    """Whether two values are equal; values of different types are not."""
    if depth > 100:
        raise Trouble("the values are nested too deeply to be compared", "compare their parts", "feel.limit")
    if type(left) is not type(right):
        return False
    if isinstance(left, Time | DateTime) and isinstance(right, Time | DateTime):
        if (left.zone is None) != (right.zone is None):
            return False
        first, second = instants(left, right)
        return first // NANOS == second // NANOS
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(one, two, depth + 1) for one, two in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[name], depth + 1) for name, value in left.items())
    if isinstance(left, Range) and isinstance(right, Range):
        marks = (left.unary, left.start_included, left.end_included) == (right.unary, right.start_included, right.end_included)
        return marks and same(left.start, right.start, depth + 1) and same(left.end, right.end, depth + 1)
    return bool(left == right)


def equal(left: object, right: object) -> bool:
    """FEEL `=`: null equals only null; values of different types have no answer."""
    if left is None or right is None:
        return left is right
    if type(left) is not type(right):
        raise Trouble(f"{kind_name(left)} and {kind_name(right)} cannot be compared", "compare values of one type")
    return same(left, right)


def order(left: object, right: object) -> int:
    """-1, 0 or 1 where FEEL orders two values."""
    if type(left) is type(right):
        if isinstance(left, Decimal | str | Date | DaysDuration | MonthsDuration):
            return (left > right) - (left < right)  # type: ignore[operator]
        if isinstance(left, Time | DateTime) and isinstance(right, Time | DateTime):
            first, second = instants(left, right)
            return (first > second) - (first < second)
    raise Trouble(f"{kind_name(left)} and {kind_name(right)} have no order", "compare numbers, strings, dates, times or durations of one kind")


def compare(sign: str, left: object, right: object) -> bool:
    """One of FEEL's six comparisons."""
    match sign:
        case "=":
            return equal(left, right)
        case "!=":
            return not equal(left, right)
        case "<":
            return order(left, right) < 0
        case "<=":
            return order(left, right) <= 0
        case ">":
            return order(left, right) > 0
    return order(left, right) >= 0


def contains(span: Range, value: object) -> bool:
    """Whether a value lies in a range."""
    if span.unary in {"=", "!="}:
        return compare(span.unary, value, span.end)
    if not span.unary and (span.start is None or span.end is None):
        raise Trouble("what a range with an end of null holds cannot be said", "write a range with one end as (< 5)", "feel.null")
    if value is None:
        raise Trouble("null lies in no range", "test for null first")
    if span.unary:
        return compare(span.unary, value, span.end if span.end is not None else span.start)
    low, high = order(value, span.start), order(value, span.end)
    return not (low < 0 or high > 0 or (low == 0 and not span.start_included) or (high == 0 and not span.end_included))


def make_range(start: object, end: object, *, start_included: bool, end_included: bool) -> Range:
    """A range of two ends of one ordered type; one of them may be null."""
    if start is not None and end is not None:
        order(start, end)
    for one in (start, end):
        if one is not None:
            order(one, one)
    return Range(start, end, start_included and start is not None, end_included and end is not None)


def unary_range(sign: str, end: object) -> Range:
    """A range with one end."""
    if sign in {"=", "!="}:
        return Range(end, end, sign == "=", sign == "=", sign)
    order(end, end)
    if sign in {"<", "<="}:
        return Range(None, end, start_included=False, end_included=sign == "<=", unary=sign)
    return Range(end, None, sign == ">=", end_included=False, unary=sign)


def arithmetic(sign: str, left: object, right: object) -> object:
    """One of FEEL's five signs of arithmetic."""
    try:
        told = _SIGNS[sign](left, right)
    except ArithmeticError as error:
        if isinstance(right, Decimal) and not right and sign == "/":
            raise Trouble("a division by zero", "test the divisor first", "feel.number") from error
        raise Trouble("the number is too large or is none", "numbers reach 1e6144 with 34 digits", "feel.number") from error
    if told is None:
        raise Trouble(f"{kind_name(left)} {sign} {kind_name(right)} has no value", "use values that this sign takes", "feel.type")
    return told


def _plus(left: object, right: object) -> object:
    match left, right:
        case Decimal(), Decimal():
            return NUMBERS.add(left, right)
        case str(), str():
            if len(left) + len(right) > limits.STRING_MAX:
                raise Trouble("the text grows too long", f"at most {limits.STRING_MAX} characters", "feel.limit")
            return left + right
        case (Date() | DateTime() | Time(), DaysDuration() | MonthsDuration()):
            return temporal.add(left, right)
        case (DaysDuration() | MonthsDuration(), Date() | DateTime() | Time()):
            return temporal.add(right, left)
        case DaysDuration(), DaysDuration():
            return temporal.days_duration(left.nanos + right.nanos)
        case MonthsDuration(), MonthsDuration():
            return temporal.months_duration(left.months + right.months)
    return None


def _minus(left: object, right: object) -> object:
    match left, right:
        case Decimal(), Decimal():
            return NUMBERS.subtract(left, right)
        case (Date() | DateTime() | Time(), Date() | DateTime() | Time()):
            return temporal.between(left, right)
        case (Date() | DateTime() | Time(), DaysDuration()):
            return temporal.add(left, DaysDuration(-right.nanos))
        case (Date() | DateTime() | Time(), MonthsDuration()):
            return temporal.add(left, MonthsDuration(-right.months))
        case DaysDuration(), DaysDuration():
            return temporal.days_duration(left.nanos - right.nanos)
        case MonthsDuration(), MonthsDuration():
            return temporal.months_duration(left.months - right.months)
    return None


def _times(left: object, right: object) -> object:
    match left, right:
        case Decimal(), Decimal():
            return NUMBERS.multiply(left, right)
        case (DaysDuration() | MonthsDuration(), Decimal()):
            return temporal.times(left, right)
        case (Decimal(), DaysDuration() | MonthsDuration()):
            return temporal.times(right, left)
    return None


def _divide(left: object, right: object) -> object:
    match left, right:
        case Decimal(), Decimal():
            return NUMBERS.divide(left, right)
        case (DaysDuration() | MonthsDuration(), Decimal()):
            return temporal.divided(left, right)
        case DaysDuration(), DaysDuration():
            return NUMBERS.divide(Decimal(left.nanos), Decimal(right.nanos))
        case MonthsDuration(), MonthsDuration():
            return NUMBERS.divide(Decimal(left.months), Decimal(right.months))
    return None


def _power(left: object, right: object) -> object:
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return NUMBERS.power(left, right)
    return None


_SIGNS = {"+": _plus, "-": _minus, "*": _times, "/": _divide, "**": _power}


def negative(value: object) -> object:
    """The value with its sign turned."""
    match value:
        case Decimal():
            return NUMBERS.minus(value)
        case DaysDuration():
            return DaysDuration(-value.nanos)
        case MonthsDuration():
            return MonthsDuration(-value.months)
    raise Trouble(f"{kind_name(value)} has no negative", "use a number or a duration", "feel.type")
