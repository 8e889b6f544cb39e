from datetime import date, datetime

import pytest

from puhui.foundation.money import ZERO, Money
from puhui.rooms.payments.collecting import SHANGHAI, CollectTimes, MandateTerms, NotNow, amount_to_collect, next_collect

DUE = date(2026, 10, 1)
MANDATE = MandateTerms(Money(50_000), date(2027, 6, 1), is_on=True)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("after", "then"),
    [
        ("2026-09-20 12:00", "2026-10-01 08:00"),
        ("2026-10-01 07:59", "2026-10-01 08:00"),
        ("2026-10-01 08:00", "2026-10-01 14:00"),
        ("2026-10-01 14:00", "2026-10-01 20:00"),
        ("2026-10-01 20:00", "2026-10-02 10:00"),
        ("2026-10-02 09:00", "2026-10-02 10:00"),
        ("2026-10-02 10:00", "2026-10-03 10:00"),
    ],
)
def test_three_times_on_the_due_day_then_once_a_day(after, then):
    assert next_collect(DUE, at(after), CollectTimes()) == at(then)


def test_a_collect_takes_what_is_due_and_never_above_the_mandate():
    assert amount_to_collect(Money(30_000), MANDATE, today=DUE, repayment_is_open=False) == Money(30_000)
    assert amount_to_collect(Money(80_000), MANDATE, today=DUE, repayment_is_open=False) == Money(50_000)


@pytest.mark.parametrize(
    ("due", "mandate", "today", "is_open", "why"),
    [
        (ZERO, MANDATE, DUE, False, NotNow.NOTHING_DUE),
        (Money(1), MandateTerms(Money(50_000), date(2027, 6, 1), is_on=False), DUE, False, NotNow.SWITCHED_OFF),
        (Money(1), MANDATE, date(2027, 5, 31), True, NotNow.REPAYMENT_UNKNOWN),
        (Money(1), MANDATE, date(2027, 6, 1), False, NotNow.MANDATE_ENDED),
    ],
)
def test_when_nothing_is_drawn(due, mandate, today, is_open, why):
    assert amount_to_collect(due, mandate, today=today, repayment_is_open=is_open) is why
