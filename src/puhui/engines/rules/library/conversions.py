"""Built-ins that make values of one type from another."""

from __future__ import annotations

import re
from decimal import Decimal

from puhui.engines.rules import temporal
from puhui.engines.rules.library.registry import Run, builtin, number, single, text, whole
from puhui.engines.rules.operators import kind_name, make_range, order
from puhui.engines.rules.parser import Names, parse
from puhui.engines.rules.tree import Call, Literal, Name, Negative, Node, RangeNode
from puhui.engines.rules.values import NUMBERS, Date, DateTime, DaysDuration, MonthsDuration, Time, Trouble, is_zone, text_of


@builtin("date", "from")
def date_from(_: Run, value: object) -> object:
    match single(value):
        case str() as told:
            return temporal.read_date(told)
        case Date() as told:
            return told
        case DateTime() as told:
            return told.date
        case other:
            raise Trouble(f"{kind_name(other)} gives no date", 'write date("2026-11-23")', "feel.type")


@builtin("date", "year, month, day")
def date_of(_: Run, year: object, month: object, day: object) -> object:
    return Date.of(whole(year), whole(month), whole(day))


@builtin("time", "from")
def time_from(_: Run, value: object) -> object:
    match single(value):
        case str() as told:
            return temporal.read_time(told)
        case Time() as told:
            return told
        case DateTime() as told:
            return told.time
        case Date():
            return Time(0, 0)
        case other:
            raise Trouble(f"{kind_name(other)} gives no time", 'write time("10:00:00")', "feel.type")


@builtin("time", "hour, minute, second, offset?")
def time_of(_: Run, hour: object, minute: object, second: object, offset: object = None) -> object:
    return _clock(hour, minute, second, offset)


def _clock(hour: object, minute: object, second: object, offset: object) -> Time:
    seconds = number(second)
    nano = int(NUMBERS.multiply(NUMBERS.subtract(seconds, Decimal(int(seconds))), Decimal(10**9)))
    zone = None
    if offset is not None:
        span = single(offset)
        if not isinstance(span, DaysDuration):
            raise Trouble(f"an offset is a duration, not {kind_name(span)}", 'write duration("PT8H")', "feel.type")
        zone = int(Decimal(span.nanos) / 10**9)
    return Time.of(whole(hour), whole(minute), int(seconds), nano, zone)


@builtin("date and time", "from")
def moment_from(_: Run, value: object) -> object:
    match single(value):
        case str() as told:
            return temporal.read_moment(told)
        case DateTime() as told:
            return told
        case Date() as told:
            return DateTime(told, Time(0, 0))
        case other:
            raise Trouble(f"{kind_name(other)} gives no date and time", 'write date and time("2026-11-23T10:00:00")', "feel.type")


@builtin("date and time", "date, time")
def moment_of(_: Run, date: object, time: object) -> object:
    day, clock = single(date), single(time)
    day = day.date if isinstance(day, DateTime) else day
    if isinstance(day, Date) and isinstance(clock, Time):
        return DateTime(day, clock)
    raise Trouble(f"{kind_name(day)} and {kind_name(clock)} give no date and time", "give a date and a time", "feel.type")


@builtin("date and time", "date, timezone")
def moment_in_zone(_: Run, moment: object, timezone: object) -> object:
    told, zone = single(moment), text(timezone)
    if not isinstance(told, DateTime) or not is_zone(zone):
        raise Trouble("expected a date and time and the id of a zone", 'write "Asia/Shanghai"', "feel.type")
    return DateTime(told.date, Time(told.time.nanos, zone))


@builtin("date and time", "year, month, day, hour, minute, second, offset?")
def moment_of_numbers(_: Run, year: object, month: object, day: object, hour: object, minute: object, second: object, offset: object = None) -> object:
    zone = single(offset)
    if isinstance(zone, str):
        if not is_zone(zone):
            raise Trouble(f"the zone {zone[:60]} is not known", "use the id of an IANA zone, like Asia/Shanghai")
        return DateTime(Date.of(whole(year), whole(month), whole(day)), Time(_clock(hour, minute, second, None).nanos, zone))
    return DateTime(Date.of(whole(year), whole(month), whole(day)), _clock(hour, minute, second, offset))


@builtin("duration", "from")
def duration_from(_: Run, value: object) -> object:
    told = single(value)
    if isinstance(told, DaysDuration | MonthsDuration):
        return told
    return temporal.read_duration(text(told))


@builtin("years and months duration", "from, to")
def months_between(_: Run, start: object, end: object) -> object:
    days = [one.date if isinstance(one, DateTime) else one for one in (single(start), single(end))]
    if isinstance(days[0], Date) and isinstance(days[1], Date):
        return temporal.months_between(days[0], days[1])
    raise Trouble("expected two dates", "give dates, or dates and times", "feel.type")


@builtin("string", "from")
def string_from(_: Run, value: object) -> object:
    if value is None:
        raise Trouble("null has no text", "test for null first", "feel.null")
    return text_of(value)


@builtin("number", "from")
def number_plain(_: Run, value: object) -> object:
    told = single(value)
    return told if isinstance(told, Decimal) else _read_number(text(told))


@builtin("number", "from, grouping separator, decimal separator")
def number_from(_: Run, value: object, grouping: object, point: object) -> object:
    told = text(value)
    group = None if grouping is None else text(grouping)
    mark = None if point is None else text(point)
    if group not in {None, " ", ",", "."} or mark not in {None, ",", "."} or (group is not None and group == mark):
        raise Trouble("a separator is a space, a comma or a point, and the two differ", "give null for none", "feel.type")
    if group:
        told = told.replace(group, "")
    if mark:
        told = told.replace(mark, ".")
    return _read_number(told)


def _read_number(told: str) -> Decimal:
    if not re.fullmatch(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?", told):
        raise Trouble(f'"{told[:60]}" is not a number', "write it as -1234.56", "feel.number")
    return NUMBERS.create_decimal(told)


@builtin("range", "from")
def range_from(run: Run, value: object) -> object:
    node = parse(text(value), Names())
    if not isinstance(node, RangeNode):
        raise Trouble("the text is not a range", "write it as [1..3]", "feel.type")
    start, end = _fixed(run, node.start), _fixed(run, node.end)
    if start is None and end is None:
        raise Trouble("a range has at least one end", "write it as [1..3]", "feel.null")
    if start is not None and end is not None and order(start, end) > 0:
        raise Trouble("the range starts behind its end", "give the smaller end first")
    return make_range(start, end, start_included=node.start_included, end_included=node.end_included)


def _fixed(run: Run, node: Node) -> object:
    """The value of an end of a range that is written out: a literal, or a constructor of a literal."""
    from puhui.engines.rules.library.registry import BUILTINS

    match node:
        case Literal():
            return node.value
        case Negative(of=Literal(value=Decimal() as value)):
            return NUMBERS.minus(value)
        case Call(function=Name(name="date" | "time" | "date and time" | "duration" as name), arguments=(Literal(value=str() as told),)):
            return run.invoke(BUILTINS[name], [told])
    raise Trouble("the ends of a range in a text are literals", "write them out", "feel.type")
