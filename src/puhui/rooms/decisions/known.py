"""What a decision knows beside events: why a value is missing, the bureau's report, what was asked for. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
SOURCES = ("telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device", "farm")


class Missing(StrEnum):
    """Why there is no value. It never counts as zero.

    NOT_FETCHED: the source was not asked, or its consent is not in force. NO_RECORD: asked, it knows nobody. NULL_FIELD: rows, but none tells it.
    """

    NOT_FETCHED = "not_fetched"
    NO_RECORD = "no_record"
    NO_EVENT = "no_event"
    NULL_FIELD = "null_field"
    UNDEFINED = "undefined"


Value = int | Missing


@dataclass(frozen=True, slots=True)
class BureauAccount:
    """An account of the bureau report. `statuses`: one code a month, oldest first, the last for the month before the report (BUREAU.md 4.6)."""

    kind: str
    lender_kind: str
    opened: date
    closed: date | None
    credit_fen: int
    balance_fen: int
    statuses: str
    overdue_fen: int
    asset_class: int


@dataclass(frozen=True, slots=True)
class BureauQuery:
    """That somebody asked the bureau about the person."""

    at_us: int
    reason: str
    lender_kind: str


@dataclass(frozen=True, slots=True)
class BureauReport:
    """A person's file at the bureau. One without accounts and queries is still a file."""

    accounts: tuple[BureauAccount, ...]
    queries: tuple[BureauQuery, ...]
    notices: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person asked for, and how old he is (years)."""

    amount_fen: int
    months: int
    age: int


def microseconds(at: datetime) -> int:
    """Give an aware instant as whole microseconds since 1970 UTC, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def read_report(report: Mapping[str, Any]) -> BureauReport:
    """Read the bureau's `report` as it stands on the wire."""
    accounts = tuple(
        BureauAccount(
            row["kind"],
            row["lender_kind"],
            date.fromisoformat(row["opened"]),
            date.fromisoformat(row["closed"]) if row.get("closed") else None,
            row["credit_fen"],
            row["balance_fen"],
            row["statuses"],
            row["overdue_fen"],
            row["class"],
        )
        for row in report["accounts"]
    )
    queries = tuple(
        BureauQuery(microseconds(datetime.fromisoformat(row["at"])), row["reason"], row["lender_kind"]) for row in report["queries"]
    )
    return BureauReport(accounts, queries, len(report.get("notices", ())))
