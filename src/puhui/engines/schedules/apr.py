"""The annualized cost of a loan (R-APR): every charge of every payee over the principal really in use. Rates are ppm a year, rounded up."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_FLOOR, Context, Decimal

_RATE_PPM_MAX = 100_000_000  # 10,000 % a year: beyond it is no price of a loan
_EXACT = Context(prec=60)
_ROUGH = Context(prec=28)
_NIL = Decimal("1e-30")  # a present value smaller than this many fen is 0: the digits of 60 end far below it


class NoAnnualRateError(ValueError):
    """The flows have no yearly rate below 10,000 %."""


def all_in_ppm(net_pay_out_fen: int, paid_on: date, flows: Sequence[tuple[date, int]]) -> int:
    """Give the yearly compound rate, actual days / 365, at which the flows are worth nothing, rounded up to 1 ppm.

    net_pay_out_fen is what the borrower gets on `paid_on`; `flows` are what he pays, to the fen, of all payees. Never below 0.
    Raises: NoAnnualRateError.
    """
    days = sorted(((day - paid_on).days, fen) for day, fen in flows if fen)
    assert net_pay_out_fen > 0, net_pay_out_fen
    assert all(n >= 0 and fen > 0 for n, fen in days), flows

    def is_enough(rate_ppm: int) -> bool:
        return _worth(_EXACT, net_pay_out_fen, days, Decimal(rate_ppm)) > -_NIL

    return _smallest(is_enough, near=_near(net_pay_out_fen, days))


def simple_ppm(net_pay_out_fen: int, installments_fen: Sequence[int]) -> int:
    """Give 12 x the monthly rate of return, installments taken as whole months, rounded up to 1 ppm. Exact. Never below 0.

    Raises: NoAnnualRateError.
    """
    assert net_pay_out_fen > 0, net_pay_out_fen
    year = 12_000_000

    def is_enough(rate_ppm: int) -> bool:
        balance, scale = net_pay_out_fen, 1  # after k months the balance is balance / scale
        for fen in installments_fen:
            balance, scale = balance * (year + rate_ppm), scale * year
            balance -= fen * scale
        return balance >= 0

    return _smallest(is_enough, near=0)


def _worth(context: Context, net_pay_out_fen: int, days: Sequence[tuple[int, int]], rate_ppm: Decimal) -> Decimal:
    """Give pay-out less the worth of the payments on its day, in fen; it grows with the rate."""
    growth = context.add(1, context.divide(rate_ppm, Decimal(1_000_000)))
    night = context.power(growth, context.divide(Decimal(-1), Decimal(365)))
    worth, factor, last = Decimal(net_pay_out_fen), Decimal(1), 0
    for day, fen in days:
        whole_years, odd = divmod(day, 365)
        if odd == 0:
            factor = context.divide(Decimal(1), context.power(growth, whole_years))
        else:
            factor = context.multiply(factor, context.power(night, day - last))
        last = day
        worth = context.subtract(worth, context.multiply(Decimal(fen), factor))
    return worth


def _near(net_pay_out_fen: int, days: Sequence[tuple[int, int]]) -> int:
    """Guess the rate by secants in 28 digits; only a place to start looking, so its end does not matter."""
    low, high = Decimal(0), Decimal(300_000)
    at_low, at_high = (_worth(_ROUGH, net_pay_out_fen, days, rate) for rate in (low, high))
    for _ in range(12):
        if at_high == at_low or abs(high - low) < Decimal("0.01"):
            break
        step = _ROUGH.divide(_ROUGH.multiply(at_high, high - low), at_high - at_low)
        low, at_low = high, at_high
        high = min(max(high - step, Decimal(0)), Decimal(_RATE_PPM_MAX))
        at_high = _worth(_ROUGH, net_pay_out_fen, days, high)
    return int(high.to_integral_value(rounding=ROUND_FLOOR))


def _smallest(is_enough: Callable[[int], bool], *, near: int) -> int:
    """Find the smallest rate from 0 on that is enough, `is_enough` being false below it and true from it on."""
    high, step = near, 1
    while not is_enough(high):
        if high >= _RATE_PPM_MAX:
            raise NoAnnualRateError
        high, step = min(high + step, _RATE_PPM_MAX), step * 2
    low, step = high - 1, 1
    while low >= 0 and is_enough(low):
        high, low, step = low, low - step, step * 2
    low = max(low, -1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
