"""A purchase's way through the loan: tied at the tap, held to its price at `accept`, paid out to the shop, refunded against the debt.

A shop's refund is money that comes in for the loan: it counts from the day on which the shop asked, meets what is due, then the interest to
that day, then principal; the schedule is set anew, and what no debt needs goes back to the person. So ledger, schedule, bureau and the shop's
account agree in whatever order delivery, refund and repayment come.
"""

from collections.abc import Mapping, Sequence

from puhui.engines.schedules import Intent, add_months
from puhui.foundation.days import business_date
from puhui.foundation.money import Money
from puhui.foundation.outbox import Reaction, Stored
from puhui.foundation.work import Work
from puhui.journeys import collect
from puhui.journeys.instruct import instruct
from puhui.rooms import channels, decisions, ledger, partners
from puhui.rooms.channels import OrderDoesNotFit, Purchase, PurchaseRefund
from puhui.rooms.ledger import CLEARING
from puhui.rooms.partners import Role
from puhui.rooms.payments import Direction, Happened, PaymentOrder, Source
from puhui.rooms.payments import Purpose as PayPurpose
from puhui.vocabulary.ids import CustomerId, LoanId, PartnerId, PaymentOrderId, derive


def account_of(merchant_id: str) -> str:
    """Name a shop's account at the rail."""
    return f"shop-{merchant_id}"


async def demand(work: Work, *, token: str, amount_fen: int, months: int, purpose: str) -> Purchase | None:
    """Give the order that an application wants to pay, None without a token.

    Raises: OrderUnknown, OrderTaken, OrderDoesNotFit, NotListed (the shop).
    """
    if not token:
        return None
    found = await channels.demand_purchase(work, token=token, amount_fen=amount_fen, months=months, purpose=purpose)
    await partners.listed(work, partner_id=PartnerId(found.merchant_id), role=Role.MERCHANT)
    return found


async def demand_point(work: Work, *, customer_id: str, application_id: str, amount_fen: int, months: int) -> None:
    """Refuse to take another sum or term than the order's, or to begin with a shop that is no longer listed.

    An order that was let go by a no is tied again, if it is still free: what was asked for a shop is never paid to anyone else.
    Raises: OrderDoesNotFit, OrderTaken, NotListed.
    """
    application = await decisions.find_application(work, customer_id, application_id)
    if application is None or not application.order_token:
        return
    found = await channels.purchase_of_application(work, customer_id, application_id)
    if found is None:
        found = await channels.demand_purchase(
            work, token=application.order_token, amount_fen=amount_fen, months=months, purpose=application.purpose
        )
        await channels.tie_purchase(work, found, customer_id=customer_id, application_id=application_id)
    await partners.listed(work, partner_id=PartnerId(found.merchant_id), role=Role.MERCHANT)
    sold = channels.scene(found.scene_id)
    if amount_fen != found.amount_fen or months not in sold.months:
        raise OrderDoesNotFit(order_id=found.order_id, why=f"{found.amount_fen} fen in {' or '.join(map(str, sold.months))} months")


async def payee(work: Work, *, customer_id: str, application_id: str) -> str | None:
    """Give the rail account of the shop that a loan pays, or None where the person gets the money."""
    found = await channels.purchase_of_application(work, customer_id, application_id)
    return account_of(found.merchant_id) if found else None


async def book_refund(work: Work, order: PaymentOrder, happened: Happened) -> None:
    """Book what became of a shop's refund; one whose sale has come to nothing meanwhile is given back to the shop at once."""
    assert order.loan_id is not None, order
    match happened:
        case Happened.PAID:
            await ledger.repay(
                work,
                customer_id=order.customer_id,
                loan_id=order.loan_id,
                payment_order_id=order.payment_order_id,
                amount_fen=order.done.fen,
                intent=Intent.PREPAY,
                value_date=business_date(order.ordered_at),
            )
            await ledger.book_rail_fee(work, payment_order_id=order.payment_order_id, amount_fen=order.fee.fen, account=CLEARING)
            bought = await channels.note_refund(work, payment_order_id=order.payment_order_id, state="paid")
            if bought.cancelled_on is None:
                await collect.pay_credit_back(work, order.customer_id, order.loan_id)
            elif refund := await channels.purchase_refund_of_payment(work, order.payment_order_id):
                await _give_back(work, order.customer_id, order.loan_id, refund)
        case Happened.FAILED:
            await channels.note_refund(work, payment_order_id=order.payment_order_id, state="failed")
        case Happened.RETURNED:
            await ledger.reverse_repayment(work, customer_id=order.customer_id, loan_id=order.loan_id, payment_order_id=order.payment_order_id)
            await channels.note_refund(work, payment_order_id=order.payment_order_id, state="failed")


async def book_return(work: Work, order: PaymentOrder, happened: Happened) -> None:
    """Book what became of money that a shop gets back; what did not reach it waits with the unmatched money."""
    match happened:
        case Happened.PAID:
            await ledger.book_rail_fee(work, payment_order_id=order.payment_order_id, amount_fen=order.fee.fen, account=CLEARING)
        case Happened.FAILED | Happened.RETURNED:
            await ledger.take_unmatched(work, receipt_id=order.payment_order_id, amount_fen=order.amount.fen)


async def on_disbursed(work: Work, event: Stored) -> None:
    """Reaction to LoanDisbursed: the shop has its money."""
    found = await channels.purchase_of_application(work, event.customer_id, event.body["application_id"])
    if found is None:
        return
    loan = await ledger.find_loan(work, event.customer_id, event.body["loan_id"])
    assert loan is not None, event.body["loan_id"]
    term_until = add_months(loan.opened_on, loan.months)
    await channels.note_funded(work, found, loan_id=loan.loan_id, funded_on=loan.opened_on, term_until=term_until)


async def on_returned(work: Work, event: Stored) -> None:
    """Reaction to DisbursementReturned: the sale is off, and the shop gets back what it has refunded."""
    found = await channels.purchase_of_loan(work, event.customer_id, event.body["loan_id"])
    if found is None:
        return
    for refund in await channels.note_returned(work, found):
        await _give_back(work, CustomerId(event.customer_id), LoanId(event.body["loan_id"]), refund)


async def on_over(work: Work, event: Stored) -> None:
    """Reaction to ApplicationEnded, and to ApplicationDecided with a no: the order is free for another application."""
    if event.kind == "ApplicationEnded" or event.body["outcome"] == "declined":
        await channels.untie_purchase(work, customer_id=event.customer_id, application_id=event.body["application_id"])


async def _give_back(work: Work, customer_id: CustomerId, loan_id: LoanId, refund: PurchaseRefund) -> None:
    """Take a refund out of the loan again and order its way back to the shop, in one Work, so that it never becomes the person's credit."""
    order_id = PaymentOrderId(derive("po", customer_id, refund.payment_order_id, "shop-return"))
    await ledger.refund_repayment(
        work,
        customer_id=customer_id,
        loan_id=loan_id,
        payment_order_id=refund.payment_order_id,
        refund_id=order_id,
        amount_fen=refund.amount_fen,
    )
    await channels.note_refund(work, payment_order_id=refund.payment_order_id, state="given_back")
    await instruct(
        work,
        PaymentOrder(
            payment_order_id=order_id,
            customer_id=customer_id,
            loan_id=loan_id,
            direction=Direction.PAY_OUT,
            purpose=PayPurpose.SHOP_RETURN,
            amount=Money(refund.amount_fen),
            sources=(Source(CLEARING, Money(refund.amount_fen)),),
            target=account_of(refund.merchant_id),
            allow_partial=False,
            note="shop return",
            ordered_at=work.at,
        ),
    )


REACTIONS: Mapping[str, Sequence[Reaction]] = {
    "LoanDisbursed": (on_disbursed,),
    "DisbursementReturned": (on_returned,),
    "ApplicationEnded": (on_over,),
    "ApplicationDecided": (on_over,),
}
