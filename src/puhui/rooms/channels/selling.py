"""What can be done with a purchase: quoted by a shop, tied to an application, funded, delivered, refunded, settled or cancelled."""

from collections.abc import Sequence
from datetime import date

from puhui.foundation.refusals import KeyReused, NotFound, WrongState
from puhui.foundation.work import Work
from puhui.rooms.channels import purchase_store as store
from puhui.rooms.channels.purchase import (
    OrderDoesNotFit,
    OrderTaken,
    OrderUnknown,
    Purchase,
    PurchaseItem,
    PurchaseState,
    demand_fitting,
    demand_refundable,
)
from puhui.rooms.channels.purchase_store import PurchaseRefund
from puhui.rooms.channels.scene import scene

LAPSES_AFTER_H = 72


async def quote_purchase(
    work: Work, *, merchant_id: str, order_id: str, scene_id: str, amount_fen: int, items: Sequence[PurchaseItem], buyer_ref: str, return_url: str
) -> tuple[Purchase, str]:
    """Take a shop's order and give it with its token. The same order again gives the same token.

    Raises: NoSuchScene, OrderDoesNotFit, KeyReused (the id belongs to another order).
    """
    wanted = Purchase(
        merchant_id, order_id, scene_id, amount_fen, tuple(items), buyer_ref, return_url, work.at, work.in_a_while(hours=LAPSES_AFTER_H)
    )
    demand_fitting(scene(scene_id), order_id=order_id, merchant_id=merchant_id, amount_fen=amount_fen, items=items)
    token = store.token_of(work, merchant_id, order_id)
    if await store.add(work, wanted):
        return wanted, token
    known = await find_purchase(work, merchant_id=merchant_id, order_id=order_id)
    if (known.scene_id, known.amount_fen, known.items) != (scene_id, amount_fen, wanted.items):
        raise KeyReused(key=order_id)
    return known, token


async def find_purchase(work: Work, *, merchant_id: str, order_id: str, lock: bool = False) -> Purchase:
    """Raises NotFound; another shop's order is not found."""
    found = await store.find(work, merchant_id, order_id, lock=lock)
    if found is None:
        raise NotFound(what="order", which=order_id)
    return found


async def demand_purchase(work: Work, *, token: str, amount_fen: int, months: int, purpose: str) -> Purchase:
    """Give the order of a token if this application may pay it: free, of this amount, term and purpose. It is locked until the Work ends.

    Raises: OrderUnknown, OrderTaken, OrderDoesNotFit.
    """
    found = await store.by_token(work, token)
    if found is None:
        raise OrderUnknown
    is_free = found.application_id is None and work.at < found.lapses_at
    if found.state is not PurchaseState.QUOTED or not is_free:
        raise OrderTaken(order_id=found.order_id, state=found.state.value)
    sold = scene(found.scene_id)
    if amount_fen != found.amount_fen:
        raise OrderDoesNotFit(order_id=found.order_id, why=f"it costs {found.amount_fen} fen")
    if months not in sold.months:
        raise OrderDoesNotFit(order_id=found.order_id, why=f"it is paid in {' or '.join(map(str, sold.months))} months")
    if purpose != sold.purpose:
        raise OrderDoesNotFit(order_id=found.order_id, why=f"its purpose is {sold.purpose}")
    return found


async def tie_purchase(work: Work, purchase: Purchase, *, customer_id: str, application_id: str) -> None:
    """Tie an order to the application that is to pay it."""
    await store.tie(work, purchase, customer_id=customer_id, application_id=application_id)


async def untie_purchase(work: Work, *, customer_id: str, application_id: str) -> None:
    """Let an order go whose application came to nothing; another may pay it until it lapses."""
    await store.untie(work, customer_id=customer_id, application_id=application_id)


async def note_funded(work: Work, purchase: Purchase, *, loan_id: str, funded_on: date, term_until: date) -> None:
    """Note that the shop has its money. Told again, nothing more happens."""
    if purchase.funded_on is None:
        await store.fund(work, purchase, loan_id=loan_id, funded_on=funded_on, term_until=term_until)
        await store.tell(work, purchase, "funded", purchase.amount_fen)


async def deliver_purchase(work: Work, *, merchant_id: str, order_id: str, delivered_on: date) -> Purchase:
    """Note the delivery; told again, the first day stays. Raises NotFound, WrongState (not paid, or wholly refunded)."""
    found = await find_purchase(work, merchant_id=merchant_id, order_id=order_id, lock=True)
    if found.delivered_on is not None:
        return found
    if found.funded_on is None or not found.is_alive or found.refund_asked_fen == found.amount_fen:
        raise WrongState(what=f"the order {order_id}", state=found.state.value, possible="deliver what is funded and not refunded")
    await store.deliver(work, found, max(min(delivered_on, work.today), found.funded_on))
    await store.tell(work, found, "delivered", 0)
    return await find_purchase(work, merchant_id=merchant_id, order_id=order_id)


async def ask_refund(
    work: Work, *, merchant_id: str, order_id: str, refund_id: str, amount_fen: int, reason: str, payment_order_id: str
) -> tuple[PurchaseRefund, bool]:
    """Take a refund that is to be moved by this payment order; give it, and whether it is new.

    Raises: NotFound, RefundNotPossible, KeyReused (the id belongs to another refund).
    """
    found = await find_purchase(work, merchant_id=merchant_id, order_id=order_id, lock=True)
    if known := await store.find_refund(work, merchant_id, refund_id):
        if (known.order_id, known.amount_fen) != (order_id, amount_fen):
            raise KeyReused(key=refund_id)
        return known, False
    demand_refundable(found, scene(found.scene_id), amount_fen=amount_fen, on=work.today)
    refund = PurchaseRefund(merchant_id, refund_id, order_id, amount_fen, payment_order_id, "asked")
    await store.add_refund(work, refund, reason=reason)
    await store.set_refunds(work, found, asked_fen=found.refund_asked_fen + amount_fen, refunded_fen=found.refunded_fen)
    return refund, True


async def note_refund(work: Work, *, payment_order_id: str, state: str) -> Purchase:
    """Note how the money of a refund ended: `paid`, `failed` (also: came back at the rail), or `given_back` to the shop by us."""
    refund = await store.refund_of_payment(work, payment_order_id)
    assert refund is not None, payment_order_id
    found = await find_purchase(work, merchant_id=refund.merchant_id, order_id=refund.order_id, lock=True)
    refund = await store.refund_of_payment(work, payment_order_id)
    assert refund is not None, payment_order_id
    if refund.state == state or (refund.state == "failed" and state == "given_back"):
        return found
    was_paid = refund.state == "paid"
    asked_fen = found.refund_asked_fen - (0 if state == "paid" else refund.amount_fen)
    refunded_fen = found.refunded_fen + (refund.amount_fen if state == "paid" else -refund.amount_fen if was_paid else 0)
    await store.set_refund(work, refund, state)
    await store.set_refunds(work, found, asked_fen=asked_fen, refunded_fen=refunded_fen)
    if state == "paid":
        await store.tell(work, found, "refunded", refund.amount_fen)
    elif was_paid:
        await store.tell(work, found, "refund_given_back", refund.amount_fen)
    return await find_purchase(work, merchant_id=found.merchant_id, order_id=found.order_id)


async def note_returned(work: Work, purchase: Purchase) -> list[PurchaseRefund]:
    """Note that the pay-out came back: the order is cancelled. Gives the refunds that the shop has paid for nothing and must have back."""
    if purchase.cancelled_on is not None:
        return []
    await store.tell(work, purchase, "returned", purchase.amount_fen)
    await store.cancel(work, purchase, "the pay-out came back")
    return [refund for refund in await store.refunds_of(work, purchase) if refund.state == "paid"]


async def lapse_purchase(work: Work, *, merchant_id: str, order_id: str) -> bool:
    """Cancel an order that nobody paid in its time; False while an application for it is open or it has been paid."""
    found = await find_purchase(work, merchant_id=merchant_id, order_id=order_id, lock=True)
    if found.state is not PurchaseState.QUOTED or found.application_id is not None:
        return found.state is not PurchaseState.QUOTED
    await store.cancel(work, found, "nobody paid it in time")
    return True


async def settle_purchases(work: Work) -> int:
    """Settle every order with which nothing more can happen; give how many."""
    over = [one for one in await store.still_open(work) if one.is_over(scene(one.scene_id), work.today)]
    for one in over:
        await store.settle(work, one)
    return len(over)
