"""Money coming back: what the person starts himself, what is drawn by mandate at its times, what people send by hand.

A collect is ordered at the product's times for what is due then, never beside a repayment whose end is not known, never above the mandate.
Its value date is the business date of the tap, or of the order: our slowness, and the rail's, cost nobody interest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from puhui.engines.schedules import Intent, Standing
from puhui.foundation import flows
from puhui.foundation.days import business_date
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.money import Money
from puhui.foundation.outbox import Callback, Reaction, Reader, Stored, mark_read
from puhui.foundation.refusals import BadField, NotFound, Refusal
from puhui.foundation.runner import run_now
from puhui.foundation.work import HOUSE, Actor, Work
from puhui.journeys.instruct import flow_of, instruct
from puhui.rooms import customers, ledger, payments
from puhui.rooms.customers import FreezeReason
from puhui.rooms.ledger import CLEARING, LoanView
from puhui.rooms.payments import (
    CollectTimes,
    Direction,
    Happened,
    MandateInForce,
    MoneyReceived,
    NotNow,
    OrderState,
    PaymentOrder,
    Purpose,
    Source,
)
from puhui.vocabulary.events import CollectFailed
from puhui.vocabulary.ids import CustomerId, LoanId, PaymentOrderId, derive
from puhui.vocabulary.products import product
from puhui.vocabulary.steps import BorrowerStep, Session, State, StepAnswer

NEVER_COLLECTED = frozenset({FreezeReason.DECEASED, FreezeReason.NOT_MINE, FreezeReason.TAKEOVER, FreezeReason.PROXY})
OWING = frozenset({Standing.ACTIVE, Standing.WRITTEN_OFF})


class NothingOwed(Refusal):
    """Nothing is owed on loan {loan_id}; no money was taken."""

    code = "collect.nothing-owed"
    zh = "这笔借款已经没有欠款，不需要再还。"
    status = 409


class RepaymentOnItsWay(Refusal):
    """A repayment of loan {loan_id} is on its way and its end is not known yet; wait for it, so that nothing is paid twice."""

    code = "collect.repayment-on-its-way"
    zh = "上一笔还款还在处理中，请稍等一下，避免重复扣款。"
    status = 409
    retry = "later"


class MoreThanOwed(Refusal):
    """The whole debt today is {payoff} yuan, less than the {amount} yuan offered; no money was taken."""

    code = "collect.more-than-owed"
    zh = "今天还清只需 {payoff} 元，请改一下金额。"


class NotThePayoff(Refusal):
    """Settling the loan takes {payoff} yuan today, not {amount}; no money was taken."""

    code = "collect.not-the-payoff"
    zh = "今天结清需要 {payoff} 元，请按这个金额还。"


class CodeNeeded(Refusal):
    """This repayment needs a code of purpose `pay` for {payment_order_id}: it is above the mandate, or collecting is switched off. No money was taken."""

    code = "collect.code-needed"
    zh = "这次还款需要验证码确认，请先获取验证码。"


class Repay(msgspec.Struct):
    """Body of `repay`. `intent`: due | prepay | payoff; the same `payment_key` is the same payment."""

    loan_id: str
    amount_fen: int
    intent: str
    payment_key: str
    otp_id: str = ""
    code: str = ""


class SwitchMandate(msgspec.Struct):
    """Body of `mandate`: collecting by itself on or off."""

    loan_id: str
    on: bool


@dataclass(frozen=True, slots=True)
class _Debt:
    loan: LoanView
    mandate: MandateInForce


_PURPOSES = {Intent.DUE: Purpose.DUE, Intent.PREPAY: Purpose.PREPAY, Intent.PAYOFF: Purpose.PAYOFF}
_INTENTS = {Purpose.DUE: Intent.DUE, Purpose.PREPAY: Intent.PREPAY, Purpose.PAYOFF: Intent.PAYOFF, Purpose.BY_MANDATE: Intent.DUE}


async def repay(desk: Desk, *, session: Session, body: Repay, key: str) -> StepAnswer:
    """Start a repayment the person wants; it counts from today, whenever the rail ends it.

    Raises: NothingOwed, RepaymentOnItsWay, MoreThanOwed, NotThePayoff, CodeNeeded, NotFound, BadField.
    """
    del key
    customer_id, loan_id = CustomerId(session.who), LoanId(body.loan_id)
    intent = _intent(body)
    order_id = PaymentOrderId(derive("po", customer_id, loan_id, f"repay {body.payment_key}"))
    async with desk.work(Actor("customer", customer_id)) as work:
        await payments.hold_loan(work, customer_id=customer_id, loan_id=loan_id)
        order = await payments.find_or_none(work, payment_order_id=order_id)
        if order is None:
            debt = await _debt(work, customer_id, loan_id)
            await _demand_possible(work, debt, intent, body.amount_fen)
            order = _by_hand(work, debt, order_id, intent, body)
            await instruct(work, order, otp_id=body.otp_id, code=body.code)
    await run_now(desk, flow_of(order.customer_id, order.payment_order_id))
    return await _told(desk, customer_id, loan_id, order_id)


def _intent(body: Repay) -> Intent:
    try:
        return Intent(body.intent)
    except ValueError:
        raise BadField(field="intent", why="it is due, prepay or payoff") from None


async def _debt(work: Work, customer_id: CustomerId, loan_id: LoanId) -> _Debt:
    loan = await ledger.find_loan(work, customer_id, loan_id)
    mandate = await payments.mandate_of(work, customer_id=customer_id, loan_id=loan_id)
    if loan is None or mandate is None:
        raise NotFound(what="loan", which=loan_id)
    return _Debt(loan, mandate)


async def _demand_possible(work: Work, debt: _Debt, intent: Intent, amount_fen: int) -> None:
    """Refuse what would take money for nothing."""
    loan = debt.loan
    if amount_fen <= 0:
        raise BadField(field="amount_fen", why="it is a sum above 0")
    if loan.standing not in OWING or not loan.payoff_fen:
        raise NothingOwed(loan_id=loan.loan_id)
    if await payments.is_repayment_open(work, customer_id=CustomerId(loan.customer_id), loan_id=LoanId(loan.loan_id)):
        raise RepaymentOnItsWay(loan_id=loan.loan_id)
    if intent is Intent.PAYOFF and amount_fen != loan.payoff_fen:
        raise NotThePayoff(payoff=Money(loan.payoff_fen), amount=Money(amount_fen))
    if amount_fen > loan.payoff_fen:
        raise MoreThanOwed(payoff=Money(loan.payoff_fen), amount=Money(amount_fen))


def _by_hand(work: Work, debt: _Debt, order_id: PaymentOrderId, intent: Intent, body: Repay) -> PaymentOrder:
    """Order what the person wants: within the mandate by it, beyond it with a code for this very order. Raises CodeNeeded."""
    terms = debt.mandate.terms
    by_mandate = terms.is_on and Money(body.amount_fen) <= terms.max_each and work.today < terms.until
    if not by_mandate and not body.code:
        raise CodeNeeded(payment_order_id=order_id)
    return PaymentOrder(
        payment_order_id=order_id,
        customer_id=CustomerId(debt.loan.customer_id),
        loan_id=LoanId(debt.loan.loan_id),
        direction=Direction.COLLECT,
        purpose=_PURPOSES[intent],
        amount=Money(body.amount_fen),
        sources=(Source(debt.mandate.account, Money(body.amount_fen)),),
        target=CLEARING,
        allow_partial=False,
        note="repay",
        ordered_at=work.at,
        mandate_id=debt.mandate.mandate_id if by_mandate else None,
    )


async def payment(desk: Desk, session: Session, *, loan_id: str, payment_order_id: str) -> StepAnswer:
    """Say how a repayment of the person stands now. Raises NotFound: another's payment is nobody's here, and a pay-out is no repayment."""
    async with desk.work(Actor("customer", session.who), durable=False) as work:
        order = await payments.find_or_none(work, payment_order_id=PaymentOrderId(payment_order_id))
    if order is None or (order.customer_id, order.loan_id) != (session.who, loan_id) or order.purpose not in _INTENTS:
        raise NotFound(what="payment", which=payment_order_id)
    return await _told(desk, CustomerId(session.who), LoanId(loan_id), order.payment_order_id)


async def _told(desk: Desk, customer_id: CustomerId, loan_id: LoanId, order_id: PaymentOrderId) -> StepAnswer:
    """Answer how a repayment stands: on its way, or done with its receipt, or failed with its code."""
    async with desk.work(Actor("customer", customer_id), durable=False) as work:
        order = await payments.find(work, payment_order_id=order_id)
        loan = await ledger.find_loan(work, customer_id, loan_id)
        receipt = await _receipt(work, order) if order.state is OrderState.PAID else None
    assert loan is not None, loan_id
    state = State.SETTLED if loan.standing is Standing.SETTLED else State.LATE if loan.is_late else State.ACTIVE
    show: dict[str, object] = {"payment_order_id": order_id, "payment": order.state.value}
    match order.state:
        case OrderState.PAID if receipt is not None:
            done = {"receipt_sha256": receipt.sha256, "left_fen": loan.payoff_fen}
            return StepAnswer(state, ("repay", "payoff", "certificate"), show | done)
        case OrderState.FAILED:
            return StepAnswer(state, ("repay", "payoff"), show | {"code": order.code or ""})
        case _:
            return StepAnswer(State.PAYING, (), show, poll_s=1)


async def _receipt(work: Work, order: PaymentOrder) -> ledger.Receipt:
    """Put a paid repayment on the books and give its receipt; on the books already, the first receipt again."""
    assert order.loan_id is not None, order
    return await ledger.repay(
        work,
        customer_id=order.customer_id,
        loan_id=order.loan_id,
        payment_order_id=order.payment_order_id,
        amount_fen=order.done.fen,
        intent=_INTENTS[order.purpose],
        value_date=business_date(order.ordered_at),
    )


async def switch_mandate(desk: Desk, *, session: Session, body: SwitchMandate, key: str) -> StepAnswer:
    """Switch collecting by itself on or off; it acts at once. Raises NotFound."""
    del key
    async with desk.work(Actor("customer", session.who)) as work:
        await payments.switch_collecting(work, customer_id=CustomerId(session.who), loan_id=LoanId(body.loan_id), is_on=body.on)
    return StepAnswer(State.ACTIVE, ("repay", "payoff", "mandate"), {"loan_id": body.loan_id, "on": body.on})


async def on_disbursed(work: Work, event: Stored) -> None:
    """Reaction to LoanDisbursed: collecting begins on the first due day."""
    customer_id, loan_id = CustomerId(event.customer_id), LoanId(event.body["loan_id"])
    loan = await ledger.find_loan(work, customer_id, loan_id)
    if loan is None or (due := _next_time(loan, work.at)) is None:
        return
    await flows.start(
        work, flow_id=_flow_of(customer_id, loan_id), customer_id=customer_id, kind="collect", subject=loan_id, step="draw", due=due,
        state={"k": 0},
    )  # fmt: skip


async def draw(desk: Desk, turn: Turn) -> Turn | None:
    """Step `collect.draw`: at a collecting time, order what is due now, and stand at the next time."""
    customer_id, loan_id = CustomerId(turn.customer_id), LoanId(turn.subject)
    async with desk.work(HOUSE) as work:
        loan = await ledger.find_loan(work, customer_id, loan_id)
        mandate = await payments.mandate_of(work, customer_id=customer_id, loan_id=loan_id)
        if loan is None or mandate is None or loan.standing not in OWING or work.today >= mandate.terms.until:
            await flows.end(work, turn)
            return None
        wanted = await _to_draw(work, customer_id, loan_id, loan, mandate)
        k = turn.state["k"]
        if isinstance(wanted, Money):
            k += 1
            await instruct(work, _by_mandate(work, loan, mandate, wanted, k))
        due = _next_time(loan, work.at)
        if due is None:
            await flows.end(work, turn)
            return None
        return await flows.move(work, turn, due=due, state={"k": k})


async def _to_draw(work: Work, customer_id: CustomerId, loan_id: LoanId, loan: LoanView, mandate: MandateInForce) -> Money | NotNow:
    if (await customers.standing(work, customer_id)).frozen_because in NEVER_COLLECTED:
        return NotNow.SWITCHED_OFF
    is_open = await payments.is_repayment_open(work, customer_id=customer_id, loan_id=loan_id)
    return payments.amount_to_collect(Money(loan.due_fen), mandate.terms, today=work.today, repayment_is_open=is_open)


def _by_mandate(work: Work, loan: LoanView, mandate: MandateInForce, amount: Money, k: int) -> PaymentOrder:
    customer_id, loan_id = CustomerId(loan.customer_id), LoanId(loan.loan_id)
    return PaymentOrder(
        payment_order_id=PaymentOrderId(derive("po", customer_id, loan_id, "collect", k)),
        customer_id=customer_id,
        loan_id=loan_id,
        direction=Direction.COLLECT,
        purpose=Purpose.BY_MANDATE,
        amount=amount,
        sources=(Source(mandate.account, amount),),
        target=CLEARING,
        allow_partial=product(loan.product).collecting.partial_allowed,
        note="collect",
        ordered_at=work.at,
        mandate_id=mandate.mandate_id,
    )


def _next_time(loan: LoanView, after: datetime) -> datetime | None:
    """Give the next time at which something of the loan may be drawn."""
    oldest = loan.oldest_unpaid_due if loan.due_fen else loan.next_due
    if oldest is None:
        oldest = loan.next_due
    if oldest is None:
        return None
    collecting = product(loan.product).collecting
    return payments.next_collect(oldest, after, CollectTimes(collecting.due_day_at, collecting.late_day_at))


async def book(work: Work, order: PaymentOrder, happened: Happened) -> None:
    """Book what became of a repayment, by whatever way it was started."""
    assert order.loan_id is not None, order
    match happened:
        case Happened.PAID:
            await _receipt(work, order)
            await ledger.book_rail_fee(work, payment_order_id=order.payment_order_id, amount_fen=order.fee.fen, account=CLEARING)
            await pay_credit_back(work, order.customer_id, order.loan_id)
        case Happened.FAILED:
            work.emit(CollectFailed(order.customer_id, order.loan_id, order.payment_order_id, order.code or ""))
        case Happened.RETURNED:
            await ledger.reverse_repayment(work, customer_id=order.customer_id, loan_id=order.loan_id, payment_order_id=order.payment_order_id)


async def pay_credit_back(work: Work, customer_id: CustomerId, loan_id: LoanId) -> None:
    """Order the pay-back of what a person has paid beyond his debt, if no such order is on its way already."""
    loan = await ledger.find_loan(work, customer_id, loan_id)
    if loan is None or not loan.credit_fen:
        return
    orders = await payments.orders_of(work, customer_id=customer_id, loan_id=loan_id)
    backs = [order for order in orders if order.purpose is Purpose.CREDIT_BACK]
    mandate = await payments.mandate_of(work, customer_id=customer_id, loan_id=loan_id)
    if mandate is None or any(not order.has_ended for order in backs):
        return
    await instruct(
        work,
        PaymentOrder(
            payment_order_id=PaymentOrderId(derive("po", customer_id, loan_id, "credit_back", len(backs) + 1)),
            customer_id=customer_id,
            loan_id=loan_id,
            direction=Direction.PAY_OUT,
            purpose=Purpose.CREDIT_BACK,
            amount=Money(loan.credit_fen),
            sources=(Source(CLEARING, Money(loan.credit_fen)),),
            target=mandate.account,
            allow_partial=False,
            note="credit back",
            ordered_at=work.at,
        ),
    )


async def book_credit_back(work: Work, order: PaymentOrder, happened: Happened) -> None:
    """Book what became of a credit balance that was sent back; one that failed stays the person's and is tried again with the next day's."""
    assert order.loan_id is not None, order
    match happened:
        case Happened.PAID:
            await ledger.pay_back_credit(
                work,
                customer_id=order.customer_id,
                loan_id=order.loan_id,
                payment_order_id=order.payment_order_id,
                amount_fen=order.done.fen,
            )
            await ledger.book_rail_fee(work, payment_order_id=order.payment_order_id, amount_fen=order.fee.fen, account=CLEARING)
        case Happened.FAILED:
            pass
        case Happened.RETURNED:
            await ledger.reverse_credit_pay_back(
                work, customer_id=order.customer_id, loan_id=order.loan_id, payment_order_id=order.payment_order_id
            )


async def on_received(desk: Desk, callback: Callback) -> None:
    """Callback `rail.received`: money a person sent. It meets the loan its memo names, or waits as unmatched; it is never refused."""
    async with desk.work(HOUSE) as work:
        if not await mark_read(work, callback):
            return
        data = callback.data
        told = MoneyReceived(
            receipt_id=str(data["receipt_id"]),
            account=str(data["account"]),
            amount=Money(int(data["amount_fen"])),
            payer_tail=str(data.get("payer_tail", "")),
            memo=str(data.get("memo", "")),
            received_at=callback.at,
        )
        received = await payments.receive(work, told)
        if received is None:
            return
        await ledger.take_unmatched(work, receipt_id=received.receipt_id, amount_fen=received.amount.fen, into=received.account)
        if received.customer_id is not None and received.loan_id is not None:
            await _meet(work, received, received.customer_id, received.loan_id)


async def match_money(desk: Desk, *, actor: Actor, receipt_id: str, loan_id: LoanId) -> None:
    """Give unmatched money its loan, as a member of staff found out. It counts from the day it came. Raises NotFound."""
    async with desk.work(actor) as work:
        received = await payments.match_by_hand(work, receipt_id=receipt_id, loan_id=loan_id)
        assert received.customer_id is not None
        await _meet(work, received, received.customer_id, loan_id)


async def _meet(work: Work, received: MoneyReceived, customer_id: CustomerId, loan_id: LoanId) -> None:
    await ledger.match_unmatched(
        work,
        receipt_id=received.receipt_id,
        customer_id=customer_id,
        loan_id=loan_id,
        intent=Intent.DUE,
        value_date=business_date(received.received_at),
    )
    await pay_credit_back(work, customer_id, loan_id)


def _flow_of(customer_id: CustomerId, loan_id: LoanId) -> str:
    return derive("fl", customer_id, loan_id, "collect")


STEPS: Mapping[str, Step] = {"collect.draw": draw}
REACTIONS: Mapping[str, Sequence[Reaction]] = {"LoanDisbursed": (on_disbursed,)}
CALLBACKS: Mapping[str, Reader] = {"rail.received": on_received}
BORROWER: Mapping[str, BorrowerStep] = {"repay": BorrowerStep(Repay, repay), "mandate": BorrowerStep(SwitchMandate, switch_mandate)}
