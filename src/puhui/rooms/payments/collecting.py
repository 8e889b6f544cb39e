"""When a due sum is drawn by mandate: three times on the due day, then once a day, and never while a repayment is unknown."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum

from puhui.foundation.days import SHANGHAI
from puhui.foundation.money import ZERO, Money


@dataclass(frozen=True, slots=True)
class CollectTimes:
    """The product's times of collecting, in Asia/Shanghai, each tuple rising."""

    on_due_day: tuple[time, ...] = (time(8), time(14), time(20))
    afterwards: tuple[time, ...] = (time(10),)

    def __post_init__(self) -> None:
        assert list(self.on_due_day) == sorted(set(self.on_due_day)), self.on_due_day
        assert self.afterwards, "a debt is collected every day"
        assert list(self.afterwards) == sorted(set(self.afterwards)), self.afterwards


class NotNow(Enum):
    """Why a collect is not ordered at this time."""

    NOTHING_DUE = "nothing_due"
    SWITCHED_OFF = "switched_off"
    MANDATE_ENDED = "mandate_ended"
    REPAYMENT_UNKNOWN = "repayment_unknown"


@dataclass(frozen=True, slots=True)
class MandateTerms:
    """What the person allowed: at most so much each time, before that day, and whether collecting by itself is on."""

    max_each: Money
    until: date
    is_on: bool


def next_collect(oldest_due: date, after: datetime, times: CollectTimes) -> datetime:
    """Give the first collecting time later than `after` for a debt whose oldest unpaid due day is `oldest_due`."""
    local = after.astimezone(SHANGHAI)
    day = max(oldest_due, local.date())
    while True:
        for at in times.on_due_day if day == oldest_due else times.afterwards:
            instant = datetime.combine(day, at, SHANGHAI)
            if instant > after:
                return instant
        day += timedelta(days=1)


def amount_to_collect(due: Money, mandate: MandateTerms, *, today: date, repayment_is_open: bool) -> Money | NotNow:
    """Give what may be drawn now: never above what is due or what the mandate allows, never beside an open repayment."""
    assert due >= ZERO, due
    if not due:
        return NotNow.NOTHING_DUE
    if not mandate.is_on:
        return NotNow.SWITCHED_OFF
    if today >= mandate.until:
        return NotNow.MANDATE_ENDED
    if repayment_is_open:
        return NotNow.REPAYMENT_UNKNOWN
    return min(due, mandate.max_each)
