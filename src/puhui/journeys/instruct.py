"""Instructing the rail: an order and the flow that brings it there are written in one Work, before anything is sent."""

from base64 import b64encode
from dataclasses import replace

from puhui.foundation import flows
from puhui.foundation.desk import is_switched_off
from puhui.foundation.work import Work
from puhui.rooms import payments
from puhui.rooms.payments import Direction, OrderState, PaymentOrder, Purpose
from puhui.vocabulary.ids import PaymentOrderId, derive

SEALED_CODE = "orders.code"
_STOPPED_BY_SWITCH = frozenset({Purpose.DISBURSE, Purpose.CREDIT_BACK})


def flow_of(customer_id: str, payment_order_id: str) -> str:
    """Name the flow of an order."""
    return derive("fl", customer_id, payment_order_id, "order")


async def instruct(work: Work, order: PaymentOrder, *, otp_id: str = "", code: str = "") -> PaymentOrder:
    """Write an order down and start its flow; it is counted as sent from now on, unless pay-outs are switched off.

    A one-time code travels sealed in the flow, for this order alone. The same order again gives the first as it stands.
    """
    waits = await is_stopped(work, order)
    ordered = await payments.order(work, replace(order, state=OrderState.CREATED if waits else OrderState.SENT))
    sealed = b64encode(work.keys.seal(SEALED_CODE, order.payment_order_id, f"{otp_id}|{code}")).decode() if code else ""
    await flows.start(
        work,
        flow_id=flow_of(order.customer_id, order.payment_order_id),
        customer_id=order.customer_id,
        kind="order",
        subject=order.payment_order_id,
        step="send",
        state={"code": sealed} if sealed else {},
    )
    return ordered


async def is_stopped(work: Work, order: PaymentOrder) -> bool:
    """Say whether the switch for pay-outs holds this order back; money owed to partners and collects go on."""
    if order.direction is not Direction.PAY_OUT or order.purpose not in _STOPPED_BY_SWITCH:
        return False
    return await is_switched_off(work, payments.PAY_OUTS)


def pay_out_order_id(customer_id: str, loan_id: str) -> PaymentOrderId:
    """Name the one order by which a loan is paid out."""
    return PaymentOrderId(derive("po", customer_id, loan_id, "pay_out"))
