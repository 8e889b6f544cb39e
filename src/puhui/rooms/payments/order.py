"""The payment order: our instruction to the rail, and everything that can become of it.

created -> sent -> (unknown ->) paid | failed; paid -> returned; created -> cancelled. What the rail has said is folded in, in any
order and any number of times: the same facts give the same order and happen once.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import assert_never

from puhui.foundation.money import ZERO, Money
from puhui.foundation.refusals import Refusal
from puhui.vocabulary.ids import CustomerId, LoanId, MandateId, PaymentOrderId


class OrderState(Enum):
    """Where an order stands. `SENT`: the call may have been made. `UNKNOWN`: it was made and nobody answered; only asking helps."""

    CREATED = "created"
    SENT = "sent"
    UNKNOWN = "unknown"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class Direction(Enum):
    PAY_OUT = "pay_out"
    COLLECT = "collect"


class Purpose(Enum):
    """What an order is for, which says who is to be told of its end."""

    DISBURSE = "disburse"
    DUE = "due"
    PREPAY = "prepay"
    PAYOFF = "payoff"
    BY_MANDATE = "by_mandate"
    CREDIT_BACK = "credit_back"
    SETTLEMENT = "settlement"
    SHOP_REFUND = "shop_refund"
    SHOP_RETURN = "shop_return"


class RailState(Enum):
    """What the rail says of a transfer."""

    ACCEPTED = "accepted"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


class Happened(Enum):
    """What became true of an order just now, in the order in which it must be booked."""

    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


class RailContradictsItself(Refusal):
    """The rail said {first} and now says {now} of the payment order {payment_order_id}; nothing was booked, a person must look."""

    code = "payments.rail-contradicts-itself"


class OrderAlreadySent(Refusal):
    """The payment order {payment_order_id} is {state}; what has been sent cannot be taken back."""

    code = "payments.order-already-sent"
    zh = "这笔钱已经在路上了，不能撤回。"
    status = 409


@dataclass(frozen=True, slots=True)
class Source:
    """One account an order draws on, and how much of it."""

    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """An order with its one key for life, the `payment_order_id`. `done` and `fee` are what the rail really moved and took."""

    payment_order_id: PaymentOrderId
    customer_id: CustomerId
    loan_id: LoanId | None
    direction: Direction
    purpose: Purpose
    amount: Money
    sources: tuple[Source, ...]
    target: str
    allow_partial: bool
    note: str
    ordered_at: datetime
    mandate_id: MandateId | None = None
    state: OrderState = OrderState.CREATED
    rail_id: str | None = None
    seq: int = 0
    done: Money = ZERO
    fee: Money = ZERO
    ended_at: datetime | None = None
    returned_at: datetime | None = None
    code: str | None = None
    tries: int = 0

    def __post_init__(self) -> None:
        assert self.amount > ZERO, self.amount
        assert sum(source.amount.fen for source in self.sources) == self.amount.fen, "sources add up to the amount"
        assert ZERO <= self.done <= self.amount, (self.done, self.amount)

    @property
    def has_ended(self) -> bool:
        """Say whether nothing more is to be asked; a paid pay-out may still come back, of its own accord."""
        match self.state:
            case OrderState.PAID | OrderState.FAILED | OrderState.RETURNED | OrderState.CANCELLED:
                return True
            case OrderState.CREATED | OrderState.SENT | OrderState.UNKNOWN:
                return False
            case _:
                assert_never(self.state)


@dataclass(frozen=True, slots=True)
class RailSays:
    """What the rail says of one transfer, by GET or callback; `seq` grows with every thing that happens to it."""

    rail_id: str
    state: RailState
    done: Money
    fee: Money
    seq: int
    ended_at: datetime | None
    code: str | None


def sending(order: PaymentOrder) -> PaymentOrder:
    """Mark that the call is about to be made. This is committed first: whoever finds it so must ask before he sends."""
    match order.state:
        case OrderState.CREATED | OrderState.UNKNOWN | OrderState.SENT:
            return replace(order, state=OrderState.SENT)
        case OrderState.PAID | OrderState.FAILED | OrderState.RETURNED | OrderState.CANCELLED:
            raise OrderAlreadySent(payment_order_id=order.payment_order_id, state=order.state.value)
        case _:
            assert_never(order.state)


def unanswered(order: PaymentOrder) -> PaymentOrder:
    """Mark that nobody answered. An order that has ended meanwhile stays as it is."""
    return order if order.has_ended else replace(order, state=OrderState.UNKNOWN)


def refused(order: PaymentOrder, *, code: str, at: datetime) -> tuple[PaymentOrder, tuple[Happened, ...]]:
    """Take a signed refusal for what it is: nothing was done, nor will be under this key."""
    match order.state:
        case OrderState.CREATED | OrderState.SENT | OrderState.UNKNOWN:
            return replace(order, state=OrderState.FAILED, code=code, ended_at=at), (Happened.FAILED,)
        case OrderState.FAILED:
            return order, ()
        case OrderState.PAID | OrderState.RETURNED | OrderState.CANCELLED:
            raise RailContradictsItself(first=order.state.value, now=code, payment_order_id=order.payment_order_id)
        case _:
            assert_never(order.state)


def cancelled(order: PaymentOrder) -> PaymentOrder:
    """Take an order back that has never been sent. Raises OrderAlreadySent."""
    match order.state:
        case OrderState.CREATED:
            return replace(order, state=OrderState.CANCELLED)
        case OrderState.CANCELLED:
            return order
        case OrderState.SENT | OrderState.UNKNOWN | OrderState.PAID | OrderState.FAILED | OrderState.RETURNED:
            raise OrderAlreadySent(payment_order_id=order.payment_order_id, state=order.state.value)
        case _:
            assert_never(order.state)


def learn(order: PaymentOrder, says: RailSays) -> tuple[PaymentOrder, tuple[Happened, ...]]:
    """Fold in what the rail says; give the order and what became true, in booking order.

    Old news changes nothing. A return that overtook its payment is both: paid, then returned. Raises RailContradictsItself.
    """
    if says.seq < order.seq:
        return order, ()
    match says.state:
        case RailState.ACCEPTED:
            return _accepted(order, says), ()
        case RailState.PAID:
            return _paid(order, says)
        case RailState.FAILED:
            return _failed(order, says)
        case RailState.RETURNED:
            return _returned(order, says)
        case _:
            assert_never(says.state)


def _accepted(order: PaymentOrder, says: RailSays) -> PaymentOrder:
    if order.has_ended:
        return order
    return replace(order, state=OrderState.SENT, rail_id=says.rail_id, seq=says.seq)


def _paid(order: PaymentOrder, says: RailSays) -> tuple[PaymentOrder, tuple[Happened, ...]]:
    match order.state:
        case OrderState.CREATED | OrderState.SENT | OrderState.UNKNOWN:
            return _with_payment(order, says), (Happened.PAID,)
        case OrderState.PAID | OrderState.RETURNED:
            if order.done != says.done:
                raise _contradiction(order, says)
            return order, ()
        case OrderState.FAILED | OrderState.CANCELLED:
            raise _contradiction(order, says)
        case _:
            assert_never(order.state)


def _failed(order: PaymentOrder, says: RailSays) -> tuple[PaymentOrder, tuple[Happened, ...]]:
    match order.state:
        case OrderState.CREATED | OrderState.SENT | OrderState.UNKNOWN:
            failed = replace(
                order, state=OrderState.FAILED, rail_id=says.rail_id, seq=says.seq, ended_at=says.ended_at, code=says.code, fee=says.fee
            )
            return failed, (Happened.FAILED,)
        case OrderState.FAILED:
            return order, ()
        case OrderState.PAID | OrderState.RETURNED | OrderState.CANCELLED:
            raise _contradiction(order, says)
        case _:
            assert_never(order.state)


def _returned(order: PaymentOrder, says: RailSays) -> tuple[PaymentOrder, tuple[Happened, ...]]:
    match order.state:
        case OrderState.CREATED | OrderState.SENT | OrderState.UNKNOWN:
            paid = _with_payment(order, says)
            return _sent_back(paid, says), (Happened.PAID, Happened.RETURNED)
        case OrderState.PAID:
            return _sent_back(order, says), (Happened.RETURNED,)
        case OrderState.RETURNED:
            return order, ()
        case OrderState.FAILED | OrderState.CANCELLED:
            raise _contradiction(order, says)
        case _:
            assert_never(order.state)


def _with_payment(order: PaymentOrder, says: RailSays) -> PaymentOrder:
    if not (ZERO < says.done <= order.amount) or (says.done < order.amount and not order.allow_partial):
        raise _contradiction(order, says)
    return replace(
        order, state=OrderState.PAID, rail_id=says.rail_id, seq=says.seq, done=says.done, fee=says.fee, ended_at=says.ended_at, code=None
    )


def _sent_back(order: PaymentOrder, says: RailSays) -> PaymentOrder:
    return replace(order, state=OrderState.RETURNED, seq=says.seq, returned_at=says.ended_at, code=says.code)


def _contradiction(order: PaymentOrder, says: RailSays) -> RailContradictsItself:
    first = f"{order.state.value} {order.done}"
    return RailContradictsItself(first=first, now=f"{says.state.value} {says.done}", payment_order_id=order.payment_order_id)
