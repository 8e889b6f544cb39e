"""Built-ins on numbers."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext

from puhui.engines.rules.library.registry import Run, builtin, number, single, whole
from puhui.engines.rules.operators import negative
from puhui.engines.rules.values import NUMBERS, DaysDuration, MonthsDuration, Trouble

SCALE_LEAST, SCALE_MOST = -6111, 6176


def rounded(value: object, scale: object, how: str) -> Decimal:
    """A number cut to so many decimal places, which may be negative."""
    told = number(value)
    places = whole(scale)
    if not SCALE_LEAST <= places <= SCALE_MOST:
        raise Trouble(f"there is no scale {places}", f"scales run from {SCALE_LEAST} to {SCALE_MOST}", "feel.number")
    exponent = told.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -places:
        return told
    with localcontext(NUMBERS) as wide:
        wide.prec, wide.Emin, wide.Emax = 6300, -12_400, 12_400
        cut = told.quantize(Decimal(1).scaleb(-places), rounding=how)
    return NUMBERS.plus(cut)


@builtin("decimal", "n, scale")
def decimal(_: Run, n: object, scale: object) -> object:
    return rounded(n, scale, ROUND_HALF_EVEN)


@builtin("floor", "n, scale?")
def floor(_: Run, n: object, *scale: object) -> object:
    return rounded(n, scale[0] if scale else Decimal(0), ROUND_FLOOR)


@builtin("ceiling", "n, scale?")
def ceiling(_: Run, n: object, *scale: object) -> object:
    return rounded(n, scale[0] if scale else Decimal(0), ROUND_CEILING)


@builtin("round up", "n, scale")
def round_up(_: Run, n: object, scale: object) -> object:
    return rounded(n, scale, ROUND_UP)


@builtin("round down", "n, scale")
def round_down(_: Run, n: object, scale: object) -> object:
    return rounded(n, scale, ROUND_DOWN)


@builtin("round half up", "n, scale")
def round_half_up(_: Run, n: object, scale: object) -> object:
    return rounded(n, scale, ROUND_HALF_UP)


@builtin("round half down", "n, scale")
def round_half_down(_: Run, n: object, scale: object) -> object:
    return rounded(n, scale, ROUND_HALF_DOWN)


@builtin("abs", "n")
def absolute(_: Run, n: object) -> object:
    value = single(n)
    if isinstance(value, DaysDuration):
        return negative(value) if value.nanos < 0 else value
    if isinstance(value, MonthsDuration):
        return negative(value) if value.months < 0 else value
    return NUMBERS.abs(number(value))


@builtin("modulo", "dividend, divisor")
def modulo(_: Run, dividend: object, divisor: object) -> object:
    left, right = number(dividend), number(divisor)
    if not right:
        raise Trouble("a division by zero", "test the divisor first", "feel.number")
    rest = NUMBERS.remainder(left, right)
    return NUMBERS.add(rest, right) if rest and (rest < 0) != (right < 0) else rest


@builtin("sqrt", "number")
def square_root(_: Run, value: object) -> object:
    told = number(value)
    if told < 0:
        raise Trouble("a negative number has no square root", "test the sign first", "feel.number")
    return NUMBERS.sqrt(told)


@builtin("log", "number")
def logarithm(_: Run, value: object) -> object:
    told = number(value)
    if told <= 0:
        raise Trouble("only a positive number has a logarithm", "test the sign first", "feel.number")
    return NUMBERS.ln(told)


@builtin("exp", "number")
def exponential(_: Run, value: object) -> object:
    return NUMBERS.exp(number(value))


@builtin("odd", "number")
def odd(_: Run, value: object) -> object:
    return _parity(value) == 1


@builtin("even", "number")
def even(_: Run, value: object) -> object:
    return _parity(value) == 0


def _parity(value: object) -> int:
    told = number(value)
    if told != told.to_integral_value():
        raise Trouble("only a whole number is odd or even", "round it first", "feel.number")
    return int(abs(NUMBERS.remainder(told, Decimal(2))))
