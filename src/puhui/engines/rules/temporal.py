"""Dates, times and durations: read from text, and reckoned with."""

from __future__ import annotations

import re
from datetime import date as python_date
from datetime import datetime, timedelta
from datetime import time as python_time
from decimal import ROUND_DOWN, Decimal, localcontext

from puhui.engines.rules.values import (
    DAY_NANOS,
    NANOS,
    NUMBERS,
    Date,
    DateTime,
    DaysDuration,
    MonthsDuration,
    Time,
    Trouble,
    Zone,
    instant_in,
    is_zone,
)

DATE = r"(-?)([1-9][0-9]{4,8}|[0-9]{4})-([0-9]{2})-([0-9]{2})"
TIME = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(Z|z|[+-][0-9]{2}:[0-9]{2}(?::[0-9]{2})?|@[A-Za-z0-9_+\-/]+)?"
_DATE, _TIME, _MOMENT = re.compile(DATE), re.compile(TIME), re.compile(f"{DATE}T{TIME}")
_DAYS = re.compile(r"(-?)P(?:([0-9]+)D)?(?:T(?=[0-9])(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:\.([0-9]*))?S)?)?")
_MONTHS = re.compile(r"(-?)P(?:([0-9]+)Y)?(?:([0-9]+)M)?")
DURATION_MAX_NANOS = 2 * 10**9 * 366 * DAY_NANOS
MONTHS_MAX = 12 * 10**10


def read_date(text: str) -> Date:
    """Read `2026-11-23`; Trouble where it is no date."""
    found = _DATE.fullmatch(text)
    if not found:
        raise Trouble(f'"{text[:60]}" is not a date', "write it as 2026-11-23")
    return _date(*found.groups())


def read_time(text: str) -> Time:
    """Read `10:00:00@Asia/Shanghai`; Trouble where it is no time."""
    found = _TIME.fullmatch(text)
    if not found:
        raise Trouble(f'"{text[:60]}" is not a time', "write it as 10:00:00, 10:00:00Z, 10:00:00+08:00 or 10:00:00@Asia/Shanghai")
    return _time(*found.groups())


def read_moment(text: str) -> DateTime:
    """Read `2026-11-23T10:00:00+08:00`, or a date alone (its midnight); Trouble where it is neither."""
    if found := _MOMENT.fullmatch(text):
        groups = found.groups()
        time = _time(*groups[4:])
        date = _date(*groups[:4])
        if groups[4] == "24":
            date = Date.from_days(date.days + 1)
        return DateTime(date, time)
    if _DATE.fullmatch(text):
        return DateTime(read_date(text), Time(0))
    raise Trouble(f'"{text[:60]}" is not a date and time', "write it as 2026-11-23T10:00:00")


def read_duration(text: str) -> DaysDuration | MonthsDuration:
    """Read `P1DT2H` or `P1Y2M`; Trouble where it is no duration."""
    found = _MONTHS.fullmatch(text)
    if found and (found[2] or found[3]):
        months = _count(found[2]) * 12 + _count(found[3])
        return months_duration(-months if found[1] else months)
    found = _DAYS.fullmatch(text)
    if not found or not any(found.groups()[1:]):
        raise Trouble(f'"{text[:60]}" is not a duration', "write it as P1Y2M or P1DT2H30M")
    sign, days, hours, minutes, seconds, fraction = found.groups()
    nano = int((fraction or "").ljust(9, "0")[:9] or "0")
    nanos = (_count(days) * 86_400 + _count(hours) * 3600 + _count(minutes) * 60 + _count(seconds)) * NANOS + nano
    return days_duration(-nanos if sign else nanos)


def read_temporal(text: str) -> object:
    """Read what stands between the quotes of `@"..."`."""
    if "T" in text and not text.lstrip("-").startswith("P"):
        return read_moment(text)
    if text.lstrip("-").startswith("P"):
        return read_duration(text)
    return read_time(text) if ":" in text else read_date(text)


def days_duration(nanos: int) -> DaysDuration:
    """A days and time duration within the limits."""
    if abs(nanos) > DURATION_MAX_NANOS:
        raise Trouble("the duration is too long", "durations reach two thousand million years", "feel.limit")
    return DaysDuration(nanos)


def months_duration(months: int) -> MonthsDuration:
    """A years and months duration within the limits."""
    if abs(months) > MONTHS_MAX:
        raise Trouble("the duration is too long", "durations reach ten thousand million years", "feel.limit")
    return MonthsDuration(months)


def add(left: Date | DateTime | Time, step: DaysDuration | MonthsDuration) -> object:
    """A moment and a duration. A time of day goes round the clock; a date keeps whole days."""
    if isinstance(left, Time):
        if isinstance(step, MonthsDuration):
            raise Trouble("months cannot be added to a time of day", "add a days and time duration")
        return Time((left.nanos + step.nanos) % DAY_NANOS, left.zone)
    if isinstance(step, MonthsDuration):
        if isinstance(left, Date):
            return left.plus_months(step.months)
        return DateTime(left.date.plus_months(step.months), left.time)
    if isinstance(left, Date):
        return Date.from_days((left.days * DAY_NANOS + step.nanos) // DAY_NANOS)
    instant = left.instant_nanos
    if isinstance(left.zone, str) and instant is not None:
        return instant_in(left.zone, instant + step.nanos)
    return DateTime.from_local(left.local_nanos + step.nanos, left.zone)


def between(later: Date | DateTime | Time, earlier: Date | DateTime | Time) -> DaysDuration:
    """How long from `earlier` to `later`. A date counts as its midnight in UTC where the other has a zone."""
    if isinstance(later, Time) and isinstance(earlier, Time):
        if (later.zone is None) != (earlier.zone is None):
            raise Trouble("a time with a zone and one without cannot be subtracted", "give both a zone, or neither")
        return DaysDuration(later.nanos - (later.offset_s() or 0) * NANOS - earlier.nanos + (earlier.offset_s() or 0) * NANOS)
    if isinstance(later, Time) or isinstance(earlier, Time):
        raise Trouble("a time of day and a date cannot be subtracted", "subtract values of one type")
    if isinstance(later, Date) and isinstance(earlier, Date):
        return DaysDuration((later.days - earlier.days) * DAY_NANOS)
    first, second = moment_of(later), moment_of(earlier)
    if (first.zone is None) != (second.zone is None):
        raise Trouble("a date and time with a zone and one without cannot be subtracted", "give both a zone, or neither")
    if first.zone is None:
        return days_duration(first.local_nanos - second.local_nanos)
    return days_duration((first.instant_nanos or 0) - (second.instant_nanos or 0))


def months_between(start: Date, end: Date) -> MonthsDuration:
    """Whole months from `start` to `end`, towards zero."""
    months = (end.year - start.year) * 12 + end.month - start.month
    if months > 0 and end.day < start.day:
        months -= 1
    elif months < 0 and end.day > start.day:
        months += 1
    return MonthsDuration(months)


def moment_of(value: Date | DateTime) -> DateTime:
    """A date as its midnight in UTC; a date and time as itself."""
    return value if isinstance(value, DateTime) else DateTime(value, Time(0, 0))


def times(duration: DaysDuration | MonthsDuration, factor: Decimal) -> DaysDuration | MonthsDuration:
    """A duration times a number, cut towards zero at its smallest unit."""
    amount = duration.months if isinstance(duration, MonthsDuration) else duration.nanos
    with localcontext(NUMBERS) as wide:
        wide.prec = 60
        whole = (Decimal(amount) * factor).to_integral_value(ROUND_DOWN)
    return _same_kind(duration, int(whole))


def divided(duration: DaysDuration | MonthsDuration, by: Decimal) -> DaysDuration | MonthsDuration:
    """A duration by a number, cut towards zero at its smallest unit."""
    if not by:
        raise Trouble("a division by zero", "test the divisor first")
    amount = duration.months if isinstance(duration, MonthsDuration) else duration.nanos
    with localcontext(NUMBERS) as wide:
        wide.prec = 60
        whole = (Decimal(amount) / by).to_integral_value(ROUND_DOWN)
    return _same_kind(duration, int(whole))


def from_python(value: object) -> object:
    """Python's date, time, datetime or timedelta as ours."""
    match value:
        case datetime():
            return DateTime(Date(value.year, value.month, value.day), _clock(value, _zone_of(value)))
        case python_date():
            return Date(value.year, value.month, value.day)
        case python_time():
            return _clock(value, _zone_of(value))
        case timedelta():
            return DaysDuration((value.days * 86_400 + value.seconds) * NANOS + value.microseconds * 1000)
    raise Trouble(f"a value of the Python type {type(value).__name__} means nothing here", "give numbers, texts, dates, lists or dicts")


def _same_kind(duration: DaysDuration | MonthsDuration, amount: int) -> DaysDuration | MonthsDuration:
    return months_duration(amount) if isinstance(duration, MonthsDuration) else days_duration(amount)


def _clock(value: datetime | python_time, zone: Zone) -> Time:
    return Time.of(value.hour, value.minute, value.second, value.microsecond * 1000, zone)


def _zone_of(value: datetime | python_time) -> Zone:
    if value.tzinfo is None:
        return None
    if isinstance(name := getattr(value.tzinfo, "key", None), str):
        return name
    offset = value.utcoffset()
    return None if offset is None else int(offset.total_seconds())


def _count(text: str | None) -> int:
    if not text:
        return 0
    if len(text) > 18:
        raise Trouble("the duration is too long", "durations reach two thousand million years", "feel.limit")
    return int(text)


def _date(sign: str, year: str, month: str, day: str) -> Date:
    return Date.of(-int(year) if sign else int(year), int(month), int(day))


def _time(hour: str, minute: str, second: str, fraction: str | None, zone: str | None) -> Time:
    nano = int((fraction or "").ljust(9, "0")[:9])
    return Time.of(int(hour), int(minute), int(second), nano, _read_zone(zone))


def _read_zone(text: str | None) -> Zone:
    if not text:
        return None
    if text in {"Z", "z"}:
        return 0
    if text[0] == "@":
        if not is_zone(text[1:]):
            raise Trouble(f"the zone {text[1:]} is not known", "use the id of an IANA zone, like Asia/Shanghai")
        return text[1:]
    parts = [int(part) for part in text[1:].split(":")]
    if parts[1] > 59 or (len(parts) > 2 and parts[2] > 59):
        raise Trouble(f"there is no offset {text}", "minutes run to 59")
    seconds = parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) > 2 else 0)
    return -seconds if text[0] == "-" else seconds
