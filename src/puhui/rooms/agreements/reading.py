"""The reading of the cost table, timed by our clock and no other: shown -> reading -> confirmed -> signed, or abandoned."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import assert_never

from puhui.foundation.refusals import Refusal


class ReadingState(Enum):
    SHOWN = "shown"
    READING = "reading"
    CONFIRMED = "confirmed"
    SIGNED = "signed"
    ABANDONED = "abandoned"


class ReadTooFast(Refusal):
    """The cost table has been open for less than {reading_time_s} s; please read on, {left_s} s are left (pack cn.cost-table)."""

    code = "agreements.read-too-fast"
    zh = "请再用 {left_s} 秒把费用看清楚，然后再确认。"
    retry = "later"


class TableNotOpen(Refusal):
    """The cost table has not been opened for reading yet; open it first, then confirm."""

    code = "agreements.table-not-open"
    zh = "请先打开费用明示表。"
    status = 409


class TableReplaced(Refusal):
    """This cost table no longer holds; another one took its place and must be read."""

    code = "agreements.table-replaced"
    zh = "费用明示表已经更新，请看新的一张。"
    status = 409


@dataclass(frozen=True, slots=True)
class Reading:
    """How far the reading of one table has come. `opened_at` is the first time it was really asked for."""

    state: ReadingState
    reading_time_s: int
    shown_at: datetime
    opened_at: datetime | None = None
    confirmed_at: datetime | None = None


def opened(reading: Reading, at: datetime) -> Reading:
    """Start the clock; opening it again does not start it anew."""
    match reading.state:
        case ReadingState.SHOWN:
            return replace(reading, state=ReadingState.READING, opened_at=at)
        case ReadingState.READING | ReadingState.CONFIRMED | ReadingState.SIGNED:
            return reading
        case ReadingState.ABANDONED:
            raise TableReplaced
        case _:
            assert_never(reading.state)


def confirmed(reading: Reading, at: datetime, *, enough_after: timedelta | None = None) -> Reading:
    """Confirm after the reading time. `enough_after` is that time on the run's clock, where it does not run at the pace of real seconds.

    Raises: ReadTooFast, TableNotOpen, TableReplaced.
    """
    match reading.state:
        case ReadingState.SHOWN:
            raise TableNotOpen
        case ReadingState.READING:
            assert reading.opened_at is not None
            needed = enough_after if enough_after is not None else timedelta(seconds=reading.reading_time_s)
            gone = at - reading.opened_at
            if gone < needed:
                left_s = -(-(needed - gone) * reading.reading_time_s // needed)
                raise ReadTooFast(reading_time_s=reading.reading_time_s, left_s=max(left_s, 1))
            return replace(reading, state=ReadingState.CONFIRMED, confirmed_at=at)
        case ReadingState.CONFIRMED | ReadingState.SIGNED:
            return reading
        case ReadingState.ABANDONED:
            raise TableReplaced
        case _:
            assert_never(reading.state)


def was_read(reading: Reading) -> bool:
    """Say whether the table may be signed for."""
    match reading.state:
        case ReadingState.CONFIRMED | ReadingState.SIGNED:
            return True
        case ReadingState.SHOWN | ReadingState.READING | ReadingState.ABANDONED:
            return False
        case _:
            assert_never(reading.state)
