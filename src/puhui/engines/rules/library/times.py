"""Built-ins on dates and times, and `is`."""

from __future__ import annotations

from decimal import Decimal

from puhui.engines.rules.library.registry import Run, builtin, single
from puhui.engines.rules.operators import kind_name
from puhui.engines.rules.values import Date, DateTime, Trouble, days_of

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _day(value: object) -> Date:
    told = single(value)
    told = told.date if isinstance(told, DateTime) else told
    if isinstance(told, Date):
        return told
    raise Trouble(f"expected a date, not {kind_name(told)}", "give a date", "feel.type")


@builtin("now", "")
def now(run: Run) -> object:
    return _instant(run)


@builtin("today", "")
def today(run: Run) -> object:
    return _instant(run).date


def _instant(run: Run) -> DateTime:
    if run.at is None:
        raise Trouble("the instant of the decision was not given", "hand it in as `at`", "feel.instant")
    return run.at


@builtin("day of year", "date")
def day_of_year(_: Run, date: object) -> object:
    told = _day(date)
    return Decimal(told.days - days_of(told.year, 1, 1) + 1)


@builtin("day of week", "date")
def day_of_week(_: Run, date: object) -> object:
    return DAYS[_day(date).weekday - 1]


@builtin("month of year", "date")
def month_of_year(_: Run, date: object) -> object:
    return MONTHS[_day(date).month - 1]


@builtin("week of year", "date")
def week_of_year(_: Run, date: object) -> object:
    told = _day(date)
    thursday = Date.from_days(told.days - told.weekday + 4)
    return Decimal((thursday.days - days_of(thursday.year, 1, 1)) // 7 + 1)


@builtin("is", "value1, value2")
def identical(_: Run, value1: object, value2: object) -> object:
    return _same_element(value1, value2)


@builtin("is", "value1")
def identical_to_null(_: Run, value1: object) -> object:
    return value1 is None


@builtin("is", "value2")
def null_identical_to(_: Run, value2: object) -> object:
    return value2 is None


def _same_element(left: object, right: object) -> bool:
    """The same element of the same domain: zones and all."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same_element(one, two) for one, two in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same_element(value, right[name]) for name, value in left.items())
    return bool(left == right)


@builtin("not", "negand")
def negation(_: Run, negand: object) -> object:
    told = single(negand)
    if isinstance(told, bool):
        return not told
    raise Trouble(f"{kind_name(told)} is neither true nor false", "give a boolean", "feel.type")
