"""The values FEEL knows beside Python's own: dates, times, durations, ranges and functions, all frozen.

A number is a `decimal.Decimal`, a boolean a `bool`, a string a `str`, a list a `list`, a context a `dict`, null is `None`.
`str(x)` of a value of this page is its FEEL text: what stands between the quotes of `@"..."`. Years reach nine digits either side of zero,
in the proleptic Gregorian calendar; the smallest step of time is a nanosecond. A zone is seconds east of UTC, the id of an IANA zone, or none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, FloatOperation, InvalidOperation, Overflow
from functools import lru_cache
from zoneinfo import ZoneInfo

type_names = ("number", "string", "boolean", "date", "time", "date and time", "days and time duration", "years and months duration")
"""The simple types, by their FEEL names."""

NUMBERS = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation])
"""The one context of every calculation: decimal128."""

NANOS = 1_000_000_000
DAY_NANOS = 86_400 * NANOS
YEAR_MAX = 999_999_999
ZONE_OFFSET_MAX_S = 18 * 3600

Zone = int | str | None


class Trouble(Exception):  # noqa: N818  (it never leaves the package: it becomes a null and a diagnostic)
    """Something in an expression has no value: `what` happened, and what to do about it (`hint`)."""

    def __init__(self, what: str, hint: str = "", code: str = "feel.error") -> None:
        super().__init__(what)
        self.what, self.hint, self.code = what, hint, code


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a proleptic Gregorian date."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def month_days(year: int, month: int) -> int:
    """How many days a month has."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31


@dataclass(frozen=True, slots=True, order=True)
class Date:
    """A day of the proleptic Gregorian calendar."""

    year: int
    month: int
    day: int

    @classmethod
    def of(cls, year: int, month: int, day: int) -> Date:
        """Give the day, or Trouble where there is no such day."""
        if abs(year) > YEAR_MAX or not 1 <= month <= 12 or not 1 <= day <= month_days(year, month):
            raise Trouble(f"there is no day {year}-{month}-{day}", "write a day of the calendar, years to nine digits")
        return cls(year, month, day)

    @classmethod
    def from_days(cls, days: int) -> Date:
        """Give the day that lies `days` after 1970-01-01."""
        days += 719_468
        era = days // 146_097
        of_era = days - era * 146_097
        year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
        of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
        shifted = (5 * of_year + 2) // 153
        month = shifted + 3 if shifted < 10 else shifted - 9
        return cls.of(year_of_era + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1)

    @property
    def days(self) -> int:
        """Days since 1970-01-01."""
        return days_of(self.year, self.month, self.day)

    @property
    def weekday(self) -> int:
        """Monday is 1, Sunday 7."""
        return (self.days + 3) % 7 + 1

    def plus_months(self, months: int) -> Date:
        """The same day `months` later, or the last of that month where it has no such day."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Date.of(year, month + 1, min(self.day, month_days(year, month + 1)))

    def __str__(self) -> str:
        return f"{'-' if self.year < 0 else ''}{abs(self.year):04d}-{self.month:02d}-{self.day:02d}"


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day: nanoseconds since midnight, and a zone or none."""

    nanos: int
    zone: Zone = None

    @classmethod
    def of(cls, hour: int, minute: int, second: int, nano: int = 0, zone: Zone = None) -> Time:
        """Give the time, or Trouble where no clock shows it. 24:00:00 is the next midnight."""
        if (hour, minute, second, nano) == (24, 0, 0, 0):
            hour = 0
        if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
            raise Trouble(f"there is no time {hour}:{minute}:{second}", "hours run to 23, minutes and seconds to 59")
        if isinstance(zone, int) and abs(zone) > ZONE_OFFSET_MAX_S:
            raise Trouble("a zone lies at most 18 hours from UTC", "write an offset between -18:00 and +18:00")
        return cls((hour * 3600 + minute * 60 + second) * NANOS + nano, zone)

    @property
    def hour(self) -> int:
        return self.nanos // (3600 * NANOS)

    @property
    def minute(self) -> int:
        return self.nanos // (60 * NANOS) % 60

    @property
    def second(self) -> int:
        return self.nanos // NANOS % 60

    def offset_s(self, day: Date | None = None) -> int | None:
        """Seconds east of UTC on that day (1970-01-01 where none is given), or None without a zone."""
        if isinstance(self.zone, str):
            return zone_offset_s(self.zone, day or Date(1970, 1, 1), self.nanos)
        return self.zone

    def __lt__(self, other: Time) -> bool:
        return _instants(self, other)[0] < _instants(self, other)[1]

    def __le__(self, other: Time) -> bool:
        return _instants(self, other)[0] <= _instants(self, other)[1]

    def __gt__(self, other: Time) -> bool:
        return other < self

    def __ge__(self, other: Time) -> bool:
        return other <= self

    def __str__(self) -> str:
        part = f".{self.nanos % NANOS:09d}".rstrip("0") if self.nanos % NANOS else ""
        return f"{self.hour:02d}:{self.minute:02d}:{self.second:02d}{part}{zone_text(self.zone)}"


@dataclass(frozen=True, slots=True)
class DateTime:
    """A day and a time of day."""

    date: Date
    time: Time

    @property
    def zone(self) -> Zone:
        return self.time.zone

    @property
    def local_nanos(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00 on the same clock."""
        return self.date.days * DAY_NANOS + self.time.nanos

    @property
    def instant_nanos(self) -> int | None:
        """Nanoseconds since 1970-01-01T00:00:00Z, or None without a zone."""
        offset = self.time.offset_s(self.date)
        return None if offset is None else self.local_nanos - offset * NANOS

    @classmethod
    def from_local(cls, nanos: int, zone: Zone) -> DateTime:
        """The moment `nanos` after 1970-01-01T00:00:00 on the clock of `zone`."""
        days, rest = divmod(nanos, DAY_NANOS)
        return cls(Date.from_days(days), Time(rest, zone))

    def __lt__(self, other: DateTime) -> bool:
        return _instants(self, other)[0] < _instants(self, other)[1]

    def __le__(self, other: DateTime) -> bool:
        return _instants(self, other)[0] <= _instants(self, other)[1]

    def __gt__(self, other: DateTime) -> bool:
        return other < self

    def __ge__(self, other: DateTime) -> bool:
        return other <= self

    def __str__(self) -> str:
        return f"{self.date}T{self.time}"


@dataclass(frozen=True, slots=True, order=True)
class DaysDuration:
    """A days and time duration."""

    nanos: int

    def __str__(self) -> str:
        seconds, nano = divmod(abs(self.nanos), NANOS)
        parts = [f"{seconds // 86_400}D" if seconds >= 86_400 else ""]
        fraction = f".{nano:09d}".rstrip("0") if nano else ""
        clock = [(seconds // 3600 % 24, "H"), (seconds // 60 % 60, "M")]
        told = "".join(f"{number}{unit}" for number, unit in clock if number)
        told += f"{seconds % 60}{fraction}S" if seconds % 60 or nano else ""
        parts.append(f"T{told}" if told else "")
        return f"{'-' if self.nanos < 0 else ''}P{''.join(parts) or 'T0S'}"


@dataclass(frozen=True, slots=True, order=True)
class MonthsDuration:
    """A years and months duration."""

    months: int

    def __str__(self) -> str:
        years, months = divmod(abs(self.months), 12)
        told = (f"{years}Y" if years else "") + (f"{months}M" if months else "")
        return f"{'-' if self.months < 0 else ''}P{told or '0M'}"


@dataclass(frozen=True, slots=True)
class Range:
    """All values between two ends. `unary` is the sign of a range written with one end (`< 5`), else empty.

    A range with one end keeps the other as None and leaves it open. `(= 5)` and `(!= 5)` are ranges of this kind too.
    """

    start: object
    end: object
    start_included: bool = True
    end_included: bool = True
    unary: str = ""

    def __str__(self) -> str:
        if self.unary:
            return f"({self.unary} {literal(self.end if self.end is not None else self.start)})"
        return f"{'[' if self.start_included else '('}{literal(self.start)}..{literal(self.end)}{']' if self.end_included else ')'}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function; `kind` is its type, or None for any."""

    name: str
    kind: object = None


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function as a value: built in, written in FEEL, a business knowledge model, or a decision service.

    `call` takes the positional arguments in the order of `parameters`.
    """

    name: str
    parameters: tuple[Parameter, ...]
    call: Callable[[list[object]], object] = field(repr=False)
    result: object = None
    is_variadic: bool = False
    builtin: object = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"function({', '.join(one.name for one in self.parameters)})"


def zone_text(zone: Zone) -> str:
    """A zone as it stands behind a time."""
    if zone is None:
        return ""
    if isinstance(zone, str):
        return f"@{zone}"
    if zone == 0:
        return "Z"
    hours, rest = divmod(abs(zone), 3600)
    return f"{'-' if zone < 0 else '+'}{hours:02d}:{rest // 60:02d}{f':{rest % 60:02d}' if rest % 60 else ''}"


ZONES: ContextVar[Mapping[str, ZoneInfo] | None] = ContextVar("zones", default=None)
"""The zones that an artefact brings with it: where they are set, no other is known. Else the machine's."""


@contextmanager
def clocks_of(zones: Mapping[str, ZoneInfo] | None) -> Iterator[None]:
    """Let only these zones be known; the machine's where they are None."""
    before = ZONES.set(zones)
    try:
        yield
    finally:
        ZONES.reset(before)


def _zone(name: str) -> ZoneInfo | None:
    own = ZONES.get()
    return _machine_zone(name) if own is None else own.get(name)


@lru_cache(maxsize=1024)
def _machine_zone(name: str) -> ZoneInfo | None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+)*", name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def is_zone(name: str) -> bool:
    """Whether the zone id is known."""
    return _zone(name) is not None


def zone_offset_s(name: str, day: Date, nanos: int) -> int:
    """Seconds east of UTC of a zone's clock when it shows that day and time.

    Beyond the years 1 to 9999 the rules of the year that stands at the same place of the 400-year cycle hold.
    """
    zone = _zone(name)
    if zone is None:
        raise Trouble(f"the zone {name} is not known", "use the id of an IANA zone, like Asia/Shanghai")
    moment = datetime(_year_of_cycle(day.year), day.month, day.day, tzinfo=zone) + timedelta(microseconds=nanos // 1000)
    offset = moment.utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _year_of_cycle(year: int) -> int:
    """The year itself where Python knows it, else one at the same place of the 400-year cycle."""
    if 1 < year < 9999:
        return year
    return (9200 if year > 0 else 400) + year % 400


def instant_in(zone: Zone, utc_nanos: int) -> DateTime:
    """The clock of a zone at an instant."""
    if isinstance(zone, str) and (known := _zone(zone)) is not None:
        there = DateTime.from_local(utc_nanos, None)
        moment = datetime(_year_of_cycle(there.date.year), there.date.month, there.date.day, tzinfo=UTC)
        offset = (moment + timedelta(seconds=there.time.nanos // NANOS)).astimezone(known).utcoffset()
        return DateTime.from_local(utc_nanos + (int(offset.total_seconds()) if offset else 0) * NANOS, zone)
    return DateTime.from_local(utc_nanos + (zone if isinstance(zone, int) else 0) * NANOS, zone)


def _instants(left: Time | DateTime, right: Time | DateTime) -> tuple[int, int]:
    """Two moments on one scale; Trouble where only one of them has a zone."""
    if (left.zone is None) != (right.zone is None):
        raise Trouble("a time with a zone cannot be compared with one without", "give both a zone, or neither")
    if isinstance(left, DateTime) and isinstance(right, DateTime):
        if left.zone is None:
            return left.local_nanos, right.local_nanos
        return left.instant_nanos or 0, right.instant_nanos or 0
    if isinstance(left, Time) and isinstance(right, Time):
        if left.zone == right.zone:
            return left.nanos, right.nanos
        return left.nanos - (left.offset_s() or 0) * NANOS, right.nanos - (right.offset_s() or 0) * NANOS
    raise Trouble("a time and a date and time cannot be compared", "compare values of one type")


def instants(left: Time | DateTime, right: Time | DateTime) -> tuple[int, int]:
    """Nanoseconds of two moments on one scale. Raises Trouble where only one of them has a zone."""
    return _instants(left, right)


def number_text(number: Decimal) -> str:
    """A number without exponent and without needless zeros."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def literal(value: object) -> str:
    """The value as it would be written in an expression."""
    match value:
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Date() | Time() | DateTime() | DaysDuration() | MonthsDuration():
            return f'@"{value}"'
        case _:
            return text_of(value) or "null"


def text_of(value: object) -> str | None:
    """What FEEL `string(x)` gives; null stays null."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case Decimal():
            return number_text(value)
        case list():
            return "[" + ", ".join(_inner(one) for one in value) + "]"
        case dict():
            return "{" + ", ".join(f"{_key(name)}: {_inner(one)}" for name, one in value.items()) + "}"
        case _:
            return str(value)


def _inner(value: object) -> str:
    return literal(value) if isinstance(value, str) else (text_of(value) or "null")


def _key(name: object) -> str:
    text = str(name)
    return text if re.fullmatch(r"[^\W\d]\w*( \w+)*", text) else literal(text)
