"""The lender's days: midnight in Shanghai, months that clamp, and the days that are worked."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.foundation import days
from puhui.foundation.days import DayKind, add_days, add_months, add_working_days, business_date, is_working_day

DATES = st.dates(date(2024, 1, 1), date(2028, 10, 1))


def test_the_day_changes_at_midnight_in_shanghai():
    assert business_date(datetime(2026, 8, 31, 15, 59, 59, 999999, UTC)) == date(2026, 8, 31)
    assert business_date(datetime(2026, 8, 31, 16, 0, tzinfo=UTC)) == date(2026, 9, 1)
    assert days.instant(date(2026, 9, 1)) == datetime(2026, 8, 31, 16, tzinfo=UTC)
    assert days.local(days.instant(date(2026, 9, 1), time(9, 30))).time() == time(9, 30)


@pytest.mark.parametrize(
    ("day", "months", "clamp", "roll"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28), date(2026, 3, 1)),
        (date(2024, 1, 31), 1, date(2024, 2, 29), date(2024, 3, 1)),
        (date(2026, 1, 31), 2, date(2026, 3, 31), date(2026, 3, 31)),
        (date(2026, 12, 31), 2, date(2027, 2, 28), date(2027, 3, 1)),
        (date(2026, 3, 31), -1, date(2026, 2, 28), date(2026, 3, 1)),
        (date(2026, 9, 1), 12, date(2027, 9, 1), date(2027, 9, 1)),
    ],
)
def test_a_day_the_month_lacks_clamps_or_rolls(day, months, clamp, roll):
    assert add_months(day, months) == clamp
    assert add_months(day, months, month_end="roll") == roll


@given(DATES, st.integers(0, 60))
def test_whole_months_undo_added_months(day, months):
    assert days.whole_months(day, add_months(day, months)) == months
    assert days.whole_months(day, add_months(day, months) - days.DAY) == max(months - 1, 0)


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 9, 30), True),
        (date(2026, 10, 1), False),
        (date(2026, 10, 7), False),
        (date(2026, 10, 8), True),
        (date(2026, 10, 10), True),  # a Saturday worked for the National Day
        (date(2026, 9, 20), True),  # a Sunday, likewise
        (date(2026, 9, 25), False),
        (date(2026, 9, 26), False),
        (date(2025, 1, 26), True),
        (date(2027, 2, 9), False),
        (date(2040, 5, 1), False),
        (date(2040, 5, 3), True),
    ],
)
def test_holidays_and_make_up_days_are_known(day, worked):
    assert is_working_day(day) is worked


@pytest.mark.parametrize(("year", "count"), [(2024, 251), (2025, 248), (2026, 248)])
def test_the_years_have_as_many_working_days_as_the_notices_give(year, count):
    """366 or 365 days, less weekends and days off, plus the make-up days: a mistyped day shows here."""
    every = [date(year, 1, 1) + timedelta(days=n) for n in range(366)]
    assert sum(is_working_day(day) for day in every if day.year == year) == count


def test_seven_working_days_over_the_national_holiday():
    assert add_working_days(date(2026, 9, 29), 7) == date(2026, 10, 14)
    assert add_working_days(date(2026, 10, 2), 0) == date(2026, 10, 8)
    assert add_days(date(2026, 9, 29), 7, DayKind.CALENDAR) == date(2026, 10, 6)
    assert add_days(date(2026, 9, 29), 7, DayKind.WORKING) == date(2026, 10, 14)


@given(DATES, st.integers(1, 30))
def test_a_working_clock_ends_on_a_working_day_and_counts_right(day, count):
    end = add_working_days(day, count)
    between = [day + timedelta(days=n) for n in range(1, (end - day).days + 1)]
    assert is_working_day(end)
    assert sum(map(is_working_day, between)) == count


def test_years_without_a_notice_say_so():
    assert days.calendar_label(date(2026, 9, 1)) == "solid"
    assert days.calendar_label(date(2027, 9, 1)) == "verify"
    assert days.calendar_label(date(2035, 9, 1)) == "verify"


def test_age_is_counted_in_whole_years():
    assert days.age_on(date(2008, 9, 2), date(2026, 9, 1)) == 17
    assert days.age_on(date(2008, 9, 1), date(2026, 9, 1)) == 18
