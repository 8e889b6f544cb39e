"""The canonical record: how one loan stands on a report day. Pure; the ledger is its only source, the formats are functions of it."""

import calendar
from dataclasses import dataclass
from datetime import date
from enum import Enum


class ReportTime(Enum):
    """Why a record is sent (report_time_code)."""

    OPENED = "10"
    CLOSED = "20"
    MONTH_END = "30"
    CLOSED_AT_MONTH_END = "32"
    RECOVERED = "40"


@dataclass(frozen=True, slots=True)
class Opening:
    """What was agreed: amounts in fen, `district` the first six digits of the place where the person lives."""

    loan_id: str
    opened_on: date
    matures_on: date
    amount_fen: int
    installments: int
    method: str
    district: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a loan stands at the end of `day`. Amounts in fen.

    aged_principal_fen   overdue principal by age of its own installment: 31..60, 61..90, 91..180, over 180 days
    due_in_month_fen     what fell due in the month of `day`; `is_anything_due` says whether a due day lies in it, or anything older is owed
    class_since          the day of the last change of class
    """

    loan_id: str
    day: date
    principal_fen: int
    overdue_fen: int
    overdue_principal_fen: int
    aged_principal_fen: tuple[int, int, int, int]
    days_late: int
    unpaid_installments: int
    remaining_installments: int
    settle_day: date
    is_anything_due: bool
    due_in_month_fen: int
    paid_in_month_fen: int
    last_paid_on: date | None
    asset_class: str
    class_since: date
    closed_on: date | None = None
    is_written_off: bool = False

    @property
    def is_closed(self) -> bool:
        return self.closed_on is not None

    @property
    def is_bad(self) -> bool:
        """Say whether this is a mark that the person must be told of before it is sent."""
        return self.repayment_status in "1234567B"

    @property
    def repayment_status(self) -> str:
        """Give the one character of the month."""
        if self.is_closed:
            return "C"
        if self.is_written_off:
            return "B"
        if self.days_late > 0:
            return str(min(-(-self.days_late // 30), 7))
        return "N" if self.is_anything_due else "*"

    @property
    def account_status(self) -> str:
        if self.is_closed:
            return "3"
        if self.is_written_off:
            return "42"
        return "2" if self.overdue_fen > 0 else "1"


def is_month_end(day: date) -> bool:
    return day.day == calendar.monthrange(day.year, day.month)[1]


def closing_time(day: date) -> ReportTime:
    return ReportTime.CLOSED_AT_MONTH_END if is_month_end(day) else ReportTime.CLOSED


def yuan_up(fen: int) -> int:
    """Give whole yuan, unsigned: a debt of one fen is a debt of one yuan, so no late loan looks paid."""
    assert fen >= 0, fen
    return -(-fen // 100)


def aged_yuan(parts_fen: tuple[int, ...]) -> tuple[int, ...]:
    """Round parts to whole yuan so that they add up to their rounded sum; the oldest (last) rounds up first, so it never vanishes."""
    given, total, rounded = 0, 0, []
    for part in reversed(parts_fen):
        total += part
        rounded.append(yuan_up(total) - given)
        given = yuan_up(total)
    return tuple(reversed(rounded))
