"""Days: the lender's business date, months that clamp, and which days are worked.

The business date of an instant is its date in Asia/Shanghai. China has kept UTC+8 without summer time since 1991, so a fixed offset is
exact and needs no time-zone files on the machine. Holidays and make-up working days are data (`calendar.toml`), with labels and sources.
"""

import tomllib
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Literal, assert_never

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
DAY = timedelta(days=1)
MonthEnd = Literal["clamp", "roll"]


class DayKind(Enum):
    """How a legal clock counts its days."""

    CALENDAR = "calendar"
    WORKING = "working"


def business_date(at: datetime) -> date:
    """Give the lender's date of an aware instant: midnight falls in Shanghai."""
    assert at.tzinfo is not None, at
    return at.astimezone(SHANGHAI).date()


def local(at: datetime) -> datetime:
    """Give the same instant as the clock on a wall in China shows it."""
    assert at.tzinfo is not None, at
    return at.astimezone(SHANGHAI)


def instant(day: date, at: time = time()) -> datetime:
    """Give the instant (UTC) at which a wall clock in China shows this day and time; without a time, the day's first moment."""
    assert at.tzinfo is None, at
    return datetime.combine(day, at, SHANGHAI).astimezone(UTC)


def add_months(day: date, months: int, *, month_end: MonthEnd = "clamp") -> date:
    """Give the same day `months` later (or earlier, if negative).

    A day the month lacks becomes its last day (`clamp`) or the first day of the next month (`roll`). Reckon every due date from the first day,
    never from the one before it: 31 January, 28 February, 31 March.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    length = monthrange(year, month + 1)[1]
    if day.day <= length:
        return date(year, month + 1, day.day)
    if month_end == "clamp":
        return date(year, month + 1, length)
    return date(year, month + 1, length) + DAY


def whole_months(since: date, until: date) -> int:
    """Count the whole months from `since` that fit before `until`, clamped: 0 if `until` comes first."""
    months = max((until.year - since.year) * 12 + until.month - since.month, 0)
    return months if months == 0 or add_months(since, months) <= until else months - 1


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def last_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def month_text(day: date) -> str:
    """Give the month as the wire writes it: 2026-09."""
    return f"{day.year:04d}-{day.month:02d}"


def age_on(born: date, day: date) -> int:
    """Give whole years of age. Who is born on 29 February has his birthday on 1 March in other years, as the law's last second of a year wants."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """One year of the calendar. `off` and `worked` are whole days; `label` is solid or verify."""

    year: int
    label: str
    source: str
    off: frozenset[date]
    worked: frozenset[date]


@cache
def calendar() -> dict[int, CalendarYear]:
    """Read `calendar.toml`, by year. A make-up day that is no weekend day, or a day of another year, is our own mistake and is not loaded."""
    data = tomllib.loads(Path(__file__).with_name("calendar.toml").read_text("utf-8"))
    years = {}
    for entry in data["year"]:
        off = frozenset(
            block["from"] + DAY * n for block in entry["off"] for n in range((block["to"] - block["from"]).days + 1)
        )
        worked = frozenset(entry["worked"])
        assert all(day.weekday() >= 5 for day in worked), entry["year"]
        assert all(day.year == entry["year"] for day in off | worked), entry["year"]
        assert not off & worked, entry["year"]
        years[entry["year"]] = CalendarYear(entry["year"], entry["label"], entry["source"], off, worked)
    return years


_FIXED = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})


def calendar_label(day: date) -> str:
    """Say how sure the calendar is of this day: `solid`, or `verify` where no notice was seen or the year is not listed."""
    known = calendar().get(day.year)
    return known.label if known else "verify"


def is_working_day(day: date) -> bool:
    """Say whether offices work on this day. A year that is not listed knows its weekends and the fixed statutory days only (label `verify`)."""
    known = calendar().get(day.year)
    if known is None:
        return day.weekday() < 5 and (day.month, day.day) not in _FIXED
    return day in known.worked or (day.weekday() < 5 and day not in known.off)


def add_working_days(day: date, count: int) -> date:
    """Give the `count`-th working day after `day` (which itself is not counted); 0 gives the day, or the next working one if it is not worked."""
    assert count >= 0, count
    if count == 0:
        while not is_working_day(day):
            day += DAY
        return day
    while count:
        day += DAY
        count -= is_working_day(day)
    return day


def add_days(day: date, count: int, kind: DayKind) -> date:
    """Give the last day of a legal clock that started on `day` (not counted) and runs `count` days of this kind."""
    assert count >= 0, count
    match kind:
        case DayKind.CALENDAR:
            return day + DAY * count
        case DayKind.WORKING:
            return add_working_days(day, count)
        case _:
            assert_never(kind)
