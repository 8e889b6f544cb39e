"""The price of an offer: the band's rate, never over the cap of the day, all in."""

from datetime import date, timedelta
from functools import lru_cache

from puhui.engines import schedules
from puhui.vocabulary.products import Band, Product

SHORTEST_MONTH = 28
RATE_STEP_PPM = 1_000


def rate_within_cap(product: Product, band: Band, hard_cap_ppm: int) -> int:
    """Give the band's contract rate, lowered until no point of the product costs more than the cap (ppm a year)."""
    return lowered(product, band.rate_ppm, hard_cap_ppm)


def lowered(product: Product, rate_ppm: int, hard_cap_ppm: int) -> int:
    """Give a contract rate, lowered in steps of 0.1 % until no point of the product costs more than the cap (ppm a year)."""
    rate = rate_ppm
    while rate > 0 and all_in_max_ppm(product, rate) > hard_cap_ppm:
        rate = max(rate - RATE_STEP_PPM, 0)
    return rate


def all_in_max_ppm(product: Product, rate_ppm: int) -> int:
    """Give a yearly all-in rate that no amount, term, method and calendar of the product exceeds.

    Worst are short months (interest compounds most often) and the smallest amount (each row may round up by a fen), so that is what is
    priced: rows every 28 days, a fen more in each.
    """
    return max(_worst(product.amount_min_fen, rate_ppm, months, sum(charge.standard_ppm for charge in product.charges)) for months in product.months)


@lru_cache(maxsize=4096)
def _worst(amount_fen: int, rate_ppm: int, months: int, charges_ppm: int) -> int:
    start, balance, flows = date(2026, 1, 1), amount_fen, []
    for row in range(1, months + 1):
        interest = balance * rate_ppm * SHORTEST_MONTH // (365 * 1_000_000) + 1
        principal = balance // (months - row + 1)
        charge = amount_fen * charges_ppm // 1_000_000 + 1 if charges_ppm and row == 1 else 0
        flows.append((start + timedelta(days=SHORTEST_MONTH * row), principal + interest + 1 + charge))
        balance -= principal
    return schedules.all_in_ppm(amount_fen, start, flows)
