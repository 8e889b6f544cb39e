"""A bureau report as it stands on the wire, from what other lenders reported."""

from datetime import datetime
from typing import Any

from puhui_town.people.outside import OutsideDebt


def report_of(debt: OutsideDebt | None, n: int, as_of: datetime) -> dict[str, Any] | None:
    """The `report` of PROTOCOLS 4 as of an instant, or None for a white file."""
    if debt is None:
        return None
    accounts, inquiries = debt.as_of(as_of)
    return {
        "report_id": f"rp-{n}-{as_of:%Y%m%d%H%M}",
        "as_of": as_of.isoformat(timespec="milliseconds"),
        "accounts": [
            {
                "account": seen.account.account,
                "kind": seen.account.kind,
                "lender_kind": seen.account.lender_kind,
                "opened": seen.account.opened.isoformat(),
                **({"closed": seen.closed.isoformat()} if seen.closed else {}),
                "credit_fen": seen.account.credit_fen,
                "balance_fen": seen.balance_fen,
                "statuses": seen.statuses,
                "overdue_fen": seen.overdue_fen,
                "class": seen.asset_class,
            }
            for seen in accounts
        ],
        "queries": [
            {"at": one.at.isoformat(timespec="milliseconds"), "reason": one.reason, "lender_kind": one.lender_kind} for one in inquiries
        ],
        "notices": [],
    }
