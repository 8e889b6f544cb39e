"""What stands behind a dot on values that are no contexts."""

from __future__ import annotations

from decimal import Decimal

from puhui.engines.rules.operators import kind_name
from puhui.engines.rules.values import NANOS, Date, DateTime, DaysDuration, MonthsDuration, Range, Time, Trouble

DAY_PARTS = ("year", "month", "day", "weekday")
CLOCK_PARTS = ("hour", "minute", "second")


def properties(value: object, name: str) -> object:
    """The property of that name. Raises Trouble where the value has none."""
    match value:
        case Date() | DateTime() if name in DAY_PARTS:
            day = value.date if isinstance(value, DateTime) else value
            return Decimal({"year": day.year, "month": day.month, "day": day.day, "weekday": day.weekday}[name])
        case Date() if name in CLOCK_PARTS:
            return Decimal(0)
        case Date() if name in {"time offset", "timezone"}:
            return None
        case Time() | DateTime():
            return _of_clock(value, name)
        case DaysDuration():
            return _of_days(value, name)
        case MonthsDuration() if name in {"years", "months"}:
            whole = abs(value.months)
            told = whole // 12 if name == "years" else whole % 12
            return Decimal(-told if value.months < 0 else told)
        case Range() if name in {"start", "end", "start included", "end included"}:
            return {"start": value.start, "end": value.end, "start included": value.start_included, "end included": value.end_included}[name]
    raise Trouble(f"{kind_name(value)} has no property {name}", "look up which properties its type has", "feel.name")


def _of_clock(value: Time | DateTime, name: str) -> object:
    clock = value.time if isinstance(value, DateTime) else value
    match name:
        case "hour":
            return Decimal(clock.hour)
        case "minute":
            return Decimal(clock.minute)
        case "second":
            return Decimal(clock.second)
        case "time offset":
            offset = clock.offset_s(value.date if isinstance(value, DateTime) else None)
            return None if offset is None else DaysDuration(offset * NANOS)
        case "timezone":
            return clock.zone if isinstance(clock.zone, str) else None
    raise Trouble(f"{kind_name(value)} has no property {name}", "look up which properties its type has", "feel.name")


def _of_days(value: DaysDuration, name: str) -> object:
    seconds, nano = divmod(abs(value.nanos), NANOS)
    parts = {"days": seconds // 86_400, "hours": seconds // 3600 % 24, "minutes": seconds // 60 % 60, "seconds": seconds % 60}
    if name not in parts:
        raise Trouble(f"a days and time duration has no property {name}", "it has days, hours, minutes and seconds", "feel.name")
    told = Decimal(parts[name]) + (Decimal(nano) / NANOS if name == "seconds" and nano else 0)
    return -told if value.nanos < 0 else told
