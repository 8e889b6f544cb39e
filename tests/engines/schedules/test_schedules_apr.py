"""The annualized cost: check values of the rule, and an independent solver on irregular flows."""

from datetime import date, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.engines import schedules as s

FLAT_ROWS = [93_333] * 11 + [93_337]


def monthly(first: date, amounts: list[int]) -> list[tuple[date, int]]:
    return [(s.add_months(first, k), fen) for k, fen in enumerate(amounts)]


def test_ten_thousand_at_one_percent_a_month_of_the_original_principal():
    paid_on = date(2026, 9, 1)
    assert s.all_in_ppm(1_000_000, paid_on, monthly(date(2026, 10, 1), FLAT_ROWS)) == 237_595
    assert s.simple_ppm(1_000_000, FLAT_ROWS) == 214_572


def test_a_rate_that_is_exact_is_not_rounded_up_further():
    day = date(2026, 1, 1)
    assert s.all_in_ppm(1_000_000, day, [(day + timedelta(days=365), 1_100_000)]) == 100_000
    assert s.all_in_ppm(1_000_000, day, [(day + timedelta(days=365), 1_100_001)]) == 100_001
    assert s.all_in_ppm(999_999, day, [(day + timedelta(days=365), 1_100_000)]) == 100_002
    assert s.all_in_ppm(1_000_000, day, [(day + timedelta(days=730), 1_210_000)]) == 100_000
    assert s.simple_ppm(1_000_000, [1_010_000]) == 120_000
    assert s.simple_ppm(1_000_000, [10_000] * 11 + [1_010_000]) == 120_000


def test_a_loan_without_cost_shows_zero():
    day = date(2026, 1, 1)
    assert s.all_in_ppm(1_000_000, day, monthly(date(2026, 2, 1), [100_000] * 10)) == 0
    assert s.simple_ppm(1_000_000, [100_000] * 10) == 0


def test_flows_without_a_rate_are_refused():
    with pytest.raises(s.NoAnnualRateError):
        s.all_in_ppm(1, date(2026, 1, 1), [(date(2026, 1, 2), 1_000_000)])
    with pytest.raises(s.NoAnnualRateError):
        s.simple_ppm(1, [1_000_000])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(50_000, 20_000_000),
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 2_000_000)), min_size=1, max_size=14),
    st.integers(0, 400_000),
)
def test_the_shown_rate_is_enough_and_one_ppm_less_is_not(net_fen, flows, extra_fen):
    """An independent solver: the worth of the flows at the shown rate, by exp and ln in 50 digits."""
    day = date(2026, 9, 1)
    lacking = max(net_fen - sum(fen for _, fen in flows), 0)
    dated = [(day + timedelta(days=n), fen) for n, fen in [*flows, (365, lacking + extra_fen + 1)]]
    try:
        shown = s.all_in_ppm(net_fen, day, dated)
    except s.NoAnnualRateError:
        return

    def worth(rate_ppm: int) -> Decimal:
        with localcontext() as context:
            context.prec = 50
            growth = (1 + Decimal(rate_ppm) / 1_000_000).ln()
            return net_fen - sum(fen * (-growth * (on - day).days / 365).exp() for on, fen in dated)

    assert worth(shown) > Decimal("-1e-25")
    assert shown == 0 or worth(shown - 1) < Decimal("1e-25")
