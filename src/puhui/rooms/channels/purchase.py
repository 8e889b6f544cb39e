"""A purchase: an order of a shop to be paid on installments, from its quote to its settlement. Pure.

quoted -> funded -> delivered -> (partly) refunded -> settled, or cancelled. The state is read off the facts, so it cannot disagree with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from puhui.foundation.refusals import Refusal
from puhui.rooms.channels.scene import RefundRule, Scene

ITEMS_MAX = 50


class OrderUnknown(Refusal):
    """No order of a shop belongs to this token; go back to the shop and begin again there."""

    code = "channels.order-unknown"
    zh = "没有找到对应的商品订单，请回到商户页面重新下单。"
    status = 404


class OrderTaken(Refusal):
    """The order {order_id} is {state}, or belongs to another application; it cannot be paid with this one."""

    code = "channels.order-taken"
    zh = "这个商品订单已经不能再用了，请回到商户页面重新下单。"
    status = 409


class OrderDoesNotFit(Refusal):
    """The order {order_id} cannot be paid this way: {why}. Nothing was done."""

    code = "channels.order-does-not-fit"
    zh = "这个商品订单不能这样分期：{why}。"


class RefundNotPossible(Refusal):
    """Of the order {order_id} no {amount_fen} fen can be refunded: {why}; at most {most_fen} fen can. No money moved."""

    code = "channels.refund-not-possible"
    zh = "这笔退款不能办理：{why}。"


class PurchaseState(Enum):
    """What a shop is told of its order. `REFUNDED` is told from the first fen that went back; `refunded_fen` says how much."""

    QUOTED = "quoted"
    FUNDED = "funded"
    DELIVERED = "delivered"
    REFUNDED = "refunded"
    SETTLED = "settled"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class PurchaseItem:
    """One thing that is bought."""

    title: str
    amount_fen: int
    category: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order with what has become of it. `refund_asked_fen` counts refunds on their way too, `refunded_fen` only those that arrived.

    `term_until` is the end of the loan's term as agreed; a refund by the part not yet used is counted to it.
    """

    merchant_id: str
    order_id: str
    scene_id: str
    amount_fen: int
    items: tuple[PurchaseItem, ...]
    buyer_ref: str
    return_url: str
    quoted_at: datetime
    lapses_at: datetime
    customer_id: str | None = None
    application_id: str | None = None
    loan_id: str | None = None
    funded_on: date | None = None
    term_until: date | None = None
    delivered_on: date | None = None
    refund_asked_fen: int = 0
    refunded_fen: int = 0
    settled_on: date | None = None
    cancelled_on: date | None = None

    @property
    def state(self) -> PurchaseState:
        if self.cancelled_on is not None:
            return PurchaseState.CANCELLED
        if self.settled_on is not None:
            return PurchaseState.SETTLED
        if self.refunded_fen:
            return PurchaseState.REFUNDED
        if self.delivered_on is not None:
            return PurchaseState.DELIVERED
        return PurchaseState.FUNDED if self.funded_on is not None else PurchaseState.QUOTED

    @property
    def is_alive(self) -> bool:
        """Say whether something may still happen with the shop's money."""
        return self.cancelled_on is None and self.settled_on is None

    def left_to_refund_fen(self, scene: Scene, on: date) -> int:
        """Give the most that can still be asked back on a day, by the scene's rule."""
        if self.funded_on is None or not self.is_alive:
            return 0
        begin = self.delivered_on or on
        term_days = max(((self.term_until or on) - begin).days, 1)
        most = scene.refund.most_fen(self.amount_fen, delivered_on=self.delivered_on, on=on, term_days=term_days)
        return max(most - self.refund_asked_fen, 0)

    def is_over(self, scene: Scene, on: date) -> bool:
        """Say whether nothing more can change: all went back, or it was delivered and no refund is possible or on its way any more."""
        if self.funded_on is None or self.refund_asked_fen != self.refunded_fen:
            return False
        if self.refunded_fen == self.amount_fen:
            return True
        return self.delivered_on is not None and not self.left_to_refund_fen(scene, on)


def demand_fitting(scene: Scene, *, order_id: str, merchant_id: str, amount_fen: int, items: Sequence[PurchaseItem]) -> None:
    """Raise OrderDoesNotFit unless a shop may sell this, in this scene, at this price."""

    def refuse(why: str) -> OrderDoesNotFit:
        return OrderDoesNotFit(order_id=order_id, why=why)

    if scene.merchant_id != merchant_id:
        raise refuse(f"the scene {scene.scene_id} is another merchant's")
    if not 1 <= len(items) <= ITEMS_MAX or any(item.amount_fen <= 0 for item in items):
        raise refuse(f"it has 1 to {ITEMS_MAX} items, each with its price")
    if sum(item.amount_fen for item in items) != amount_fen:
        raise refuse("the items do not add up to the amount")
    if strange := sorted({item.category for item in items} - {scene.category}):
        raise refuse(f"{', '.join(strange)} is not sold in this scene")
    if not scene.amount_min_fen <= amount_fen <= scene.amount_max_fen:
        raise refuse(f"the scene takes {scene.amount_min_fen} to {scene.amount_max_fen} fen")


def demand_refundable(purchase: Purchase, scene: Scene, *, amount_fen: int, on: date) -> None:
    """Raise RefundNotPossible unless this much may go back on this day."""
    most_fen = purchase.left_to_refund_fen(scene, on)
    why = ""
    if purchase.funded_on is None:
        why = "it was never paid"
    elif not purchase.is_alive:
        why = f"it is {purchase.state.value}"
    elif amount_fen <= 0 or amount_fen > most_fen:
        why = f"the scene's rule is {scene.refund.rule.value}"
    elif scene.refund.rule is RefundRule.BY_ITEM and purchase.delivered_on is not None and not _are_whole_items(purchase, amount_fen):
        why = "only whole items go back"
    if why:
        raise RefundNotPossible(order_id=purchase.order_id, amount_fen=amount_fen, most_fen=most_fen, why=why)


def _are_whole_items(purchase: Purchase, amount_fen: int) -> bool:
    """Say whether this sum is the price of some of the items, and so is all that went back with it."""
    sums = 1
    for item in purchase.items:
        sums |= sums << item.amount_fen
    return bool(sums >> amount_fen & 1) and bool(sums >> (purchase.refund_asked_fen + amount_fen) & 1)
