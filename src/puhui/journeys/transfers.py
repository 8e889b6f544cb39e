"""An order's way to the rail and back: sent once, asked about until it has ended, and each end booked in the Work that learns of it.

The rail is called between Works, under the flow's lease. A missing answer is UNKNOWN: it is asked about, and only a rail that twice does
not know the order, the settle time apart, gets the same request under the same key again. A callback is a reason to ask; what the rail
answers when asked is what is booked.
"""

from base64 import b64decode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, assert_never

from puhui.foundation import flows
from puhui.foundation.clock import ClockMode
from puhui.foundation.desk import Desk
from puhui.foundation.flows import LeaseLost, Step, Turn
from puhui.foundation.outbox import Callback, Reader, mark_read
from puhui.foundation.work import HOUSE, Work
from puhui.journeys import collect, pay_out, purchase, reconcile
from puhui.journeys.instruct import SEALED_CODE, flow_of, is_stopped
from puhui.rooms import payments
from puhui.rooms.payments import Happened, OrderState, PaymentOrder, Purpose, RailSays, rail
from puhui.vocabulary.ids import PaymentOrderId

ASK_AFTER_S = (2, 8, 50, 60)
SEND_AGAIN_S = 10
STOPPED_S = 60


async def send(desk: Desk, turn: Turn) -> Turn | None:
    """Step `order.send`: call the rail under the order's own key; whoever comes here a second time asks first."""
    order_id = PaymentOrderId(turn.subject)
    async with desk.work(HOUSE) as work:
        order = await payments.find(work, payment_order_id=order_id)
        if order.has_ended:
            await flows.end(work, turn)
            return None
        if order.state is OrderState.CREATED:
            if await is_stopped(work, order):
                return await flows.move(work, turn, due=work.in_a_while(seconds=STOPPED_S))
            order = await payments.mark_sending(work, payment_order_id=order_id)
        elif turn.attempts > 1:
            return await flows.move(work, turn, step="ask")
        code = _open_code(work, order_id, turn.state.get("code", ""))
    return await _call(desk, turn, order, code)


async def ask(desk: Desk, turn: Turn) -> Turn | None:
    """Step `order.ask`: ask how the transfer stands."""
    order_id = PaymentOrderId(turn.subject)
    async with desk.look(HOUSE) as work:
        order = await payments.find(work, payment_order_id=order_id)
    if order.has_ended:
        async with desk.work(HOUSE) as work:
            await flows.end(work, turn)
        return None
    answer = await rail.ask(desk.service("rail"), order)
    async with desk.work(HOUSE) as work:
        match answer:
            case RailSays():
                return await _learn(work, turn, order_id, answer)
            case rail.NotThere():
                return await _not_there(work, turn)
            case rail.Silent():
                return await flows.move(work, turn, due=work.in_a_while(seconds=_pause(turn)))
            case _:
                assert_never(answer)


async def on_told(desk: Desk, callback: Callback) -> None:
    """Callbacks `rail.paid`, `rail.failed`, `rail.returned`: ask the rail itself, and book what it says."""
    order_id = PaymentOrderId(callback.subject)
    async with desk.look(HOUSE) as work:
        order = await payments.find_or_none(work, payment_order_id=order_id)
    answer = await rail.ask(desk.service("rail"), order) if order else rail.NotThere()
    async with desk.work(HOUSE) as work:
        if not await mark_read(work, callback) or order is None:
            return
        if not isinstance(answer, RailSays):
            await flows.wake(work, flow_of(order.customer_id, order.payment_order_id), step="ask")
            return
        told = rail.says(callback.data)
        if told is not None and told.seq == answer.seq and told != answer:
            await payments.note_callback_differs(work, order=order, told=told, asked=answer)
        await _settle(work, order_id, answer)


async def _learn(work: Work, turn: Turn, order_id: PaymentOrderId, says: RailSays) -> Turn | None:
    order = await _settle(work, order_id, says, turn=turn)
    if order.has_ended:
        return None
    return await flows.move(work, turn, step="ask", due=work.in_a_while(seconds=_pause(turn)), state={})


async def _settle(work: Work, order_id: PaymentOrderId, says: RailSays, *, turn: Turn | None = None) -> PaymentOrder:
    """Fold in what the rail says, book what became true, and end the flow with the order: all in this Work."""
    order, happened = await payments.learn(work, payment_order_id=order_id, says=says)
    for one in happened:
        await _book(work, order, one)
    if order.has_ended:
        await _end_flow(work, order, turn)
    return order


async def _refused(work: Work, turn: Turn, order_id: PaymentOrderId, refusal: rail.Refused) -> Turn | None:
    """Take a refusal that is kept as the order's end; one that is not kept lets the same order go out again."""
    if not refusal.is_kept:
        await payments.mark_unanswered(work, payment_order_id=order_id)
        pause = min(SEND_AGAIN_S * 2 ** min(turn.attempts - 1, 6), 600)
        return await flows.move(work, turn, step="send_again", due=work.in_a_while(seconds=pause), state=dict(turn.state))
    order, happened = await payments.take_refusal(work, payment_order_id=order_id, code=refusal.code)
    for one in happened:
        await _book(work, order, one)
    await _end_flow(work, order, turn)
    return None


async def _not_there(work: Work, turn: Turn) -> Turn | None:
    """The rail does not know the order: after the settle time it is asked once more, and only then does the same request go out again."""
    if turn.state.get("was_missing"):
        return await flows.move(work, turn, step="send_again", state=dict(turn.state))
    settle_s = 0 if work.clock.mode is ClockMode.STEPPED else rail.SETTLE_S
    due = work.at + timedelta(0) if settle_s == 0 else work.in_a_while(seconds=settle_s)
    return await flows.move(work, turn, due=due, state=dict(turn.state) | {"was_missing": True})


async def send_again(desk: Desk, turn: Turn) -> Turn | None:
    """Step `order.send_again`: the same request under the same key, after the rail has said that nothing was done under it."""
    order_id = PaymentOrderId(turn.subject)
    if turn.attempts > 1:
        async with desk.work(HOUSE) as work:
            return await flows.move(work, turn, step="ask", state=_not_missing(turn))
    async with desk.work(HOUSE) as work:
        order = await payments.find(work, payment_order_id=order_id)
        if order.has_ended:
            await flows.end(work, turn)
            return None
        order = await payments.mark_sending(work, payment_order_id=order_id)
        code = _open_code(work, order_id, turn.state.get("code", ""))
    return await _call(desk, turn, order, code)


async def _call(desk: Desk, turn: Turn, order: PaymentOrder, code: rail.OneTimeCode | None) -> Turn | None:
    """Call the rail and take its answer; silence leads to asking, as if the rail had not been asked before."""
    order_id = order.payment_order_id
    answer = await rail.transfer(desk.service("rail"), order, code)
    async with desk.work(HOUSE) as work:
        match answer:
            case RailSays():
                return await _learn(work, turn, order_id, answer)
            case rail.Refused():
                return await _refused(work, turn, order_id, answer)
            case rail.Silent():
                await payments.mark_unanswered(work, payment_order_id=order_id)
                return await flows.move(work, turn, step="ask", state=_not_missing(turn))
            case _:
                assert_never(answer)


def _not_missing(turn: Turn) -> dict[str, Any]:
    return {key: value for key, value in turn.state.items() if key != "was_missing"}


async def _book(work: Work, order: PaymentOrder, happened: Happened) -> None:
    """Hand what became of an order to the story it belongs to."""
    match order.purpose:
        case Purpose.DISBURSE:
            await pay_out.book(work, order, happened)
        case Purpose.DUE | Purpose.PREPAY | Purpose.PAYOFF | Purpose.BY_MANDATE:
            await collect.book(work, order, happened)
        case Purpose.CREDIT_BACK:
            await collect.book_credit_back(work, order, happened)
        case Purpose.SETTLEMENT:
            await reconcile.book(work, order, happened)
        case Purpose.SHOP_REFUND:
            await purchase.book_refund(work, order, happened)
        case Purpose.SHOP_RETURN:
            await purchase.book_return(work, order, happened)
        case _:
            assert_never(order.purpose)


async def _end_flow(work: Work, order: PaymentOrder, turn: Turn | None) -> None:
    """End the flow of an order; a runner that is in the middle of it loses its turn."""
    if turn is not None:
        await flows.end(work, turn)
        return
    standing = await flows.find(work, flow_of(order.customer_id, order.payment_order_id))
    if standing is not None and await flows.is_living(work, standing.flow_id):
        try:
            await flows.end(work, standing)
        except LeaseLost:
            return


def _pause(turn: Turn) -> int:
    return ASK_AFTER_S[min(turn.attempts - 1, len(ASK_AFTER_S) - 1)]


def _open_code(work: Work, order_id: PaymentOrderId, sealed: str) -> rail.OneTimeCode | None:
    if not sealed:
        return None
    otp_id, _, code = work.keys.open_text(SEALED_CODE, order_id, b64decode(sealed)).partition("|")
    return rail.OneTimeCode(otp_id, code)


STEPS: Mapping[str, Step] = {"order.send": send, "order.ask": ask, "order.send_again": send_again}
CALLBACKS: Mapping[str, Reader] = {"rail.paid": on_told, "rail.failed": on_told, "rail.returned": on_told}
