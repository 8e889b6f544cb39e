"""Days into due days and into shares of a year. Whole numbers only."""

from calendar import monthrange
from datetime import date

from puhui.engines.schedules.conventions import Convention, DayCount, Rounding


def add_months(day: date, months: int) -> date:
    """Move `day` by whole months; a day that the month lacks becomes its last day."""
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month0 + 1, min(day.day, monthrange(year, month0 + 1)[1]))


def due_days(first_day: date, months: int, first_due: date | None = None) -> tuple[date, ...]:
    """Give the due days of a monthly loan, each counted from the first day (or from `first_due`), never from the one before."""
    if first_due is not None:
        return tuple(add_months(first_due, k) for k in range(months))
    return tuple(add_months(first_day, k) for k in range(1, months + 1))


def whole_months(since: date, until: date) -> int:
    """Count the whole months from `since` that fit before or on `until`, clamped."""
    months = (until.year - since.year) * 12 + until.month - since.month
    return months if add_months(since, months) <= until else months - 1


def units(counting: Convention, since: date, until: date, rhythm_months: int = 0) -> int:
    """Give the units of the stretch [since, until), to stand over `counting.basis`; nights are counted, the last day is not.

    rhythm_months > 0 says that the stretch is one whole unbroken period of so many months; then only `until` ends it.
    """
    assert since <= until, (since, until)
    if counting.day_count is DayCount.ACTUAL_365:
        return (until - since).days
    if rhythm_months:
        return 30 * rhythm_months
    if counting.day_count is DayCount.THIRTY_360:
        return (until - since).days
    months = whole_months(since, until)
    return 30 * months + (until - add_months(since, months)).days


def round_ratio(rounding: Rounding, numerator: int, denominator: int) -> int:
    """Round a non-negative ratio to a whole number."""
    assert numerator >= 0, numerator
    assert denominator > 0, denominator
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator:
        return whole + 1
    if 2 * rest < denominator:
        return whole
    match rounding:
        case Rounding.HALF_UP:
            return whole + 1
        case Rounding.HALF_EVEN:
            return whole + (whole & 1)
