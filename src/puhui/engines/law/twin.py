"""A slow annual rate in plain Decimal, written apart from the solver that prices loans, so that the pack's own examples check both."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal, localcontext

PPM = 1_000_000


def all_in_ppm(*, paid_out_fen: int, paid_out_on: date, flows: Sequence[tuple[date, int]], year_days: int) -> int:
    """Give the yearly rate (ppm, rounded up) at which the flows are worth what was paid out; compound, actual days over `year_days`."""
    spans = [(Decimal((day - paid_out_on).days) / year_days, Decimal(fen)) for day, fen in flows]
    return _rounded_up(_root(Decimal(paid_out_fen), spans))


def simple_ppm(*, paid_out_fen: int, installments_fen: Sequence[int]) -> int:
    """Give twelve times the monthly rate of return (ppm, rounded up), installments taken as whole months."""
    spans = [(Decimal(n), Decimal(fen)) for n, fen in enumerate(installments_fen, start=1)]
    return _rounded_up(12 * _root(Decimal(paid_out_fen), spans))


def _root(worth: Decimal, spans: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """Halve until the rate is known to 1e-15; the value of the flows falls as the rate rises."""
    with localcontext() as context:
        context.prec = 40
        low, high = Decimal(0), Decimal(100)
        if sum(fen for _, fen in spans) <= worth:
            return low
        while high - low > Decimal("1e-15"):
            middle = (low + high) / 2
            value = sum(fen / (1 + middle) ** span for span, fen in spans)
            low, high = (middle, high) if value > worth else (low, middle)
        return (low + high) / 2


def _rounded_up(rate: Decimal) -> int:
    """Round up to 1 ppm; what lies within 1e-9 ppm of a whole one is that one, so that an exact rate is not lifted by the halving."""
    ppm = rate * PPM
    nearest = ppm.to_integral_value()
    return int(nearest if abs(ppm - nearest) < Decimal("1e-8") else ppm.to_integral_value(rounding=ROUND_CEILING))
