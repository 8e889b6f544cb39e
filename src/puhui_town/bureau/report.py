"""The report about a person: what other lenders told (from the population) and what ours told (from the register), as of one instant."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from puhui_town.bureau.accounts import Account
from puhui_town.bureau.codes import codes
from puhui_town.checks.population import BureauFile, OutsideAccount

STATUSES_MAX = 60
LATE = frozenset("1234567B")


def report(
    *, report_id: str, as_of: datetime, ours: Sequence[Account], others: BureauFile | None, queries: Sequence[dict[str, str]], open_disputes: Sequence[str]
) -> dict[str, Any]:
    """The report's fields (PROTOCOLS section 4). Amounts in fen; `statuses` oldest first."""
    rows = [outside_row(account) for account in (others.accounts if others else ())] + [our_row(account, as_of.date()) for account in ours]
    asked = [{"at": query.at.isoformat(), "reason": query.reason, "lender_kind": query.lender_kind} for query in (others.queries if others else ())]
    notices = [*(others.notices if others else ()), *(note for account in ours for note in account.notices), *open_disputes]
    return {
        "report_id": report_id,
        "as_of": as_of.isoformat(timespec="milliseconds"),
        "accounts": rows,
        "queries": sorted([*asked, *queries], key=lambda query: (query["at"], query["reason"])),
        "notices": notices,
    }


def outside_row(account: OutsideAccount) -> dict[str, Any]:
    """One account of another lender."""
    row = {
        "account": account.account,
        "kind": account.kind,
        "lender_kind": account.lender_kind,
        "opened": account.opened.isoformat(),
        "credit_fen": account.credit_fen,
        "balance_fen": account.balance_fen,
        "statuses": account.statuses[-STATUSES_MAX:],
        "overdue_fen": account.overdue_fen,
        "class": account.class_,
    }
    return row if account.closed is None else {**row, "closed": account.closed.isoformat()}


def our_row(account: Account, today: date) -> dict[str, Any]:
    """One account of our lender, from its opening, its months and its newest standing."""
    opening, standing = account.opening, account.standing
    credit = (opening.yuan("LoanAmt") or opening.yuan("AcctCredLine")) if opening else 0
    opened = (opening.day("OpenDate") if opening else None) or account.first_day
    row: dict[str, Any] = {
        "account": account.account,
        "kind": account.kind,
        "lender_kind": codes().lender_kind,
        "opened": opened.isoformat(),
        "credit_fen": credit * 100,
        "balance_fen": (standing.yuan("AcctBal") if standing else credit) * 100,
        "statuses": statuses(account, today),
        "overdue_fen": (standing.yuan("TotOverd") if standing else 0) * 100,
        "class": int(standing.text("FiveCate") if standing else "1"),
    }
    closed = standing.day("CloseDate") if standing and account.is_closed else None
    return row if closed is None else {**row, "closed": closed.isoformat()}


def statuses(account: Account, today: date) -> str:
    """The months' repayment statuses, oldest first. A bad mark leaves five years after the bad conduct ended."""
    months = {month: segment.text("RpyStatus") for month, segment in account.months.items()}
    standing = account.standing
    if account.is_closed and standing is not None and (closed := standing.day("CloseDate")) is not None:
        months.setdefault(f"{closed:%Y-%m}", standing.text("RpyStatus") or "C")
    ended = max((month for month, status in months.items() if status in LATE), default="")
    is_gone = bool(ended) and int(ended[:4]) + codes().bad_mark_years < today.year and account.is_closed
    marks = "".join("N" if is_gone and status in LATE else status for _, status in sorted(months.items()))
    return marks[-STATUSES_MAX:]
