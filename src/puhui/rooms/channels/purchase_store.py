"""The rows of purchases, their refunds, and what the daily file tells of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from puhui.foundation import sql
from puhui.foundation.work import Work
from puhui.rooms.channels.purchase import Purchase, PurchaseItem

SQL = sql.load(__file__)
FEE_FEN = 0
"""What a shop pays us for a sale: nothing. The lender lives on the interest that the cost table names."""


@dataclass(frozen=True, slots=True)
class PurchaseRefund:
    """Money on its way back from a shop. `state`: asked | paid | failed | given_back."""

    merchant_id: str
    refund_id: str
    order_id: str
    amount_fen: int
    payment_order_id: str
    state: str


@dataclass(frozen=True, slots=True)
class SettlementRow:
    """A line of the daily file to a shop."""

    business_date: date
    order_id: str
    event: str
    amount_fen: int
    fee_fen: int

    @property
    def net_fen(self) -> int:
        return self.amount_fen - self.fee_fen


def token_of(work: Work, merchant_id: str, order_id: str) -> str:
    """Derive an order's token: nobody can guess it without the house's key, and a repeat gets it again."""
    return work.keys.blind("order-token", f"{merchant_id}|{order_id}").hex()


async def add(work: Work, purchase: Purchase) -> bool:
    token = token_of(work, purchase.merchant_id, purchase.order_id)
    added = await SQL.add_purchase.run(
        work,
        merchant_id=purchase.merchant_id,
        order_id=purchase.order_id,
        scene_id=purchase.scene_id,
        amount_fen=purchase.amount_fen,
        items=[{"title": item.title, "amount_fen": item.amount_fen, "category": item.category} for item in purchase.items],
        buyer_ref=purchase.buyer_ref,
        return_url=purchase.return_url,
        token_hash=_hash(token),
        at=work.at,
        lapses_at=purchase.lapses_at,
    )
    return added == 1


async def find(work: Work, merchant_id: str, order_id: str, *, lock: bool = False) -> Purchase | None:
    statement = SQL.lock_purchase if lock else SQL.find_purchase
    row = await statement.row(work, merchant_id=merchant_id, order_id=order_id)
    return _purchase(row) if row else None


async def by_token(work: Work, token: str) -> Purchase | None:
    row = await SQL.purchase_by_token.row(work, token_hash=_hash(token))
    return _purchase(row) if row else None


async def of_application(work: Work, customer_id: str, application_id: str) -> Purchase | None:
    row = await SQL.purchase_of_application.row(work, customer_id=customer_id, application_id=application_id)
    return _purchase(row) if row else None


async def of_loan(work: Work, customer_id: str, loan_id: str) -> Purchase | None:
    row = await SQL.purchase_of_loan.row(work, customer_id=customer_id, loan_id=loan_id)
    return _purchase(row) if row else None


async def of_customer(work: Work, customer_id: str) -> list[Purchase]:
    return [_purchase(row) for row in await SQL.purchases_of.rows(work, customer_id=customer_id)]


async def still_open(work: Work) -> list[Purchase]:
    return [_purchase(row) for row in await SQL.open_purchases.rows(work)]


async def tie(work: Work, purchase: Purchase, *, customer_id: str, application_id: str) -> None:
    await SQL.tie_purchase.run(
        work, merchant_id=purchase.merchant_id, order_id=purchase.order_id, customer_id=customer_id, application_id=application_id
    )


async def untie(work: Work, *, customer_id: str, application_id: str) -> None:
    await SQL.untie_purchase.run(work, customer_id=customer_id, application_id=application_id)


async def fund(work: Work, purchase: Purchase, *, loan_id: str, funded_on: date, term_until: date) -> None:
    await SQL.fund_purchase.run(
        work, merchant_id=purchase.merchant_id, order_id=purchase.order_id, loan_id=loan_id, funded_on=funded_on, term_until=term_until
    )


async def deliver(work: Work, purchase: Purchase, delivered_on: date) -> None:
    await SQL.deliver_purchase.run(work, merchant_id=purchase.merchant_id, order_id=purchase.order_id, delivered_on=delivered_on)


async def set_refunds(work: Work, purchase: Purchase, *, asked_fen: int, refunded_fen: int) -> None:
    await SQL.set_refunds.run(
        work, merchant_id=purchase.merchant_id, order_id=purchase.order_id, refund_asked_fen=asked_fen, refunded_fen=refunded_fen
    )


async def settle(work: Work, purchase: Purchase) -> None:
    await SQL.settle_purchase.run(work, merchant_id=purchase.merchant_id, order_id=purchase.order_id, settled_on=work.today)


async def cancel(work: Work, purchase: Purchase, why: str) -> None:
    await SQL.cancel_purchase.run(work, merchant_id=purchase.merchant_id, order_id=purchase.order_id, cancelled_on=work.today, why=why)


async def add_refund(work: Work, refund: PurchaseRefund, *, reason: str) -> bool:
    added = await SQL.add_refund.run(
        work,
        merchant_id=refund.merchant_id,
        refund_id=refund.refund_id,
        order_id=refund.order_id,
        amount_fen=refund.amount_fen,
        reason=reason,
        payment_order_id=refund.payment_order_id,
        asked_on=work.today,
    )
    return added == 1


async def find_refund(work: Work, merchant_id: str, refund_id: str) -> PurchaseRefund | None:
    row = await SQL.find_refund.row(work, merchant_id=merchant_id, refund_id=refund_id)
    return PurchaseRefund(**row) if row else None


async def refund_of_payment(work: Work, payment_order_id: str) -> PurchaseRefund | None:
    row = await SQL.refund_of_payment.row(work, payment_order_id=payment_order_id)
    return PurchaseRefund(**row) if row else None


async def refunds_of(work: Work, purchase: Purchase) -> list[PurchaseRefund]:
    rows = await SQL.refunds_of.rows(work, merchant_id=purchase.merchant_id, order_id=purchase.order_id)
    return [PurchaseRefund(**row) for row in rows]


async def set_refund(work: Work, refund: PurchaseRefund, state: str) -> None:
    await SQL.set_refund.run(work, merchant_id=refund.merchant_id, refund_id=refund.refund_id, state=state, ended_on=work.today)


async def tell(work: Work, purchase: Purchase, event: str, amount_fen: int) -> None:
    """Keep a line for the shop's daily file."""
    await SQL.add_purchase_event.run(
        work,
        merchant_id=purchase.merchant_id,
        order_id=purchase.order_id,
        event=event,
        business_date=work.today,
        amount_fen=amount_fen,
        fee_fen=FEE_FEN,
        at=work.at,
    )


async def merchants_on(work: Work, day: date) -> list[str]:
    """Give the shops that have a line for a day."""
    return [row["merchant_id"] for row in await SQL.merchants_on.rows(work, business_date=day)]


async def settlement_rows(work: Work, merchant_id: str, day: date) -> list[SettlementRow]:
    """Give what a shop's file of a day tells."""
    return [SettlementRow(**row) for row in await SQL.purchase_events_on.rows(work, merchant_id=merchant_id, business_date=day)]


async def merchant_positions(work: Work) -> dict[str, int]:
    """Give what each shop's account gained by our hand, in fen, by merchant."""
    return {row["merchant_id"]: row["gained_fen"] for row in await SQL.merchant_positions.rows(work)}


async def purchase_faults(work: Work) -> Sequence[sql.Row]:
    """Give the purchases whose figures disagree with their own events and refunds; none, where all is well."""
    return await SQL.purchase_faults.rows(work)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _purchase(row: sql.Row) -> Purchase:
    return Purchase(
        row["merchant_id"], row["order_id"], row["scene_id"], row["amount_fen"], tuple(PurchaseItem(**item) for item in row["items"]), row["buyer_ref"],
        row["return_url"], row["quoted_at"], row["lapses_at"], row["customer_id"], row["application_id"], row["loan_id"], row["funded_on"],
        row["term_until"], row["delivered_on"], row["refund_asked_fen"], row["refunded_fen"], row["settled_on"], row["cancelled_on"],
    )  # fmt: skip
