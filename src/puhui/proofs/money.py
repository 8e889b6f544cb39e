"""Every fen at the rail against every fen in our books: what was lost, what was done twice, what does not add up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from puhui.foundation.work import Work
from puhui.rooms import ledger, payments

MOVED = frozenset({"paid", "returned"})


@dataclass(frozen=True, slots=True)
class MoneyCheck:
    """What the comparison found. `lost`: moved at the rail, not booked by us, or still open with us; `doubled`: moved or booked more than once."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    unbalanced: tuple[str, ...]


async def check(work: Work, rail: Mapping[str, Any]) -> MoneyCheck:
    """Compare with the rail's truth (`GET /town/truth/rail`), at one instant when both are quiet."""
    ours = {row["payment_order_id"]: row for row in await payments.all_ends(work)}
    theirs = {one["order_id"]: one for one in rail["transfers"]}
    lost = [order_id for order_id, one in theirs.items() if one["state"] in MOVED and not _is_booked(ours.get(order_id), one)]
    lost += [order_id for order_id, row in ours.items() if row["state"] in {"sent", "unknown"} and theirs.get(order_id, {}).get("state") in MOVED]
    invented = [order_id for order_id, row in ours.items() if row["paid"] and theirs.get(order_id, {}).get("state") not in MOVED]
    twice = [order_id for order_id, row in ours.items() if row["paid"] > 1 or row["returned"] > 1]
    return MoneyCheck(
        tuple(sorted({*lost})), tuple(sorted({*invented, *twice, *_paid_out_twice(theirs.values())})), tuple(await _unbalanced(work, rail))
    )


def _is_booked(ours: Mapping[str, Any] | None, theirs: Mapping[str, Any]) -> bool:
    if ours is None:
        return False
    is_returned = theirs["state"] == "returned"
    return bool(ours["paid"]) and ours["done_fen"] == theirs["done_fen"] and bool(ours["returned"]) == is_returned


def _paid_out_twice(transfers: Iterable[Mapping[str, Any]]) -> list[str]:
    living = Counter(one["loan_id"] for one in transfers if one["purpose"] == "disburse" and one["state"] == "paid")
    return [loan_id for loan_id, times in living.items() if times > 1]


async def _unbalanced(work: Work, rail: Mapping[str, Any]) -> list[str]:
    failed = [str(one) for one in await ledger.check(work)]
    balances = {one["account"]: int(one["balance_fen"]) for one in rail["accounts"]}
    cash = await ledger.cash(work, work.today)
    failed += [f"{account}: {cash.get(account, 0)} by our books, {fen} at the rail" for account, fen in balances.items() if account in cash and cash[account] != fen]
    return failed if rail["is_constant"] else [*failed, "the rail's own accounts do not add up"]
