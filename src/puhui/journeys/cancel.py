"""Changing one's mind: free before the money is on its way; within the cooling-off after it, for principal and interest to the day."""

from collections.abc import Mapping

import msgspec

from puhui.engines import law
from puhui.engines.schedules import Standing
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField, NotFound, Refusal
from puhui.foundation.work import Actor, Work
from puhui.journeys.accept import loan_of
from puhui.journeys.instruct import pay_out_order_id
from puhui.journeys.pay_out import end_unpaid
from puhui.rooms import agreements, decisions, ledger, payments
from puhui.rooms.agreements import ReadingState
from puhui.rooms.decisions import ApplicationState
from puhui.rooms.funding import ReleaseReason
from puhui.rooms.payments import OrderState
from puhui.vocabulary.ids import ApplicationId, CustomerId, LoanId
from puhui.vocabulary.steps import BorrowerStep, Session, State, StepAnswer


class CoolingOffOver(Refusal):
    """The loan could be given back until {last_day} (pack lender.cooling-off); it can be paid off early at any time, free."""

    code = "cancel.cooling-off-over"
    zh = "冷静期到 {last_day} 为止，已经过了。您仍然可以随时提前结清，不收费用。"
    status = 409


class Cancel(msgspec.Struct):
    """Body of `cancel`: an application, or a loan."""

    application_id: str = ""
    loan_id: str = ""


async def cancel(desk: Desk, *, session: Session, body: Cancel, key: str) -> StepAnswer:
    """Cancel an application, or a loan before its money is on its way; later tell what giving it back costs.

    Raises: NotFound, OrderAlreadySent, CoolingOffOver, BadField.
    """
    del key
    customer_id = CustomerId(session.who)
    async with desk.work(Actor("customer", customer_id)) as work:
        if body.loan_id:
            return await _loan(work, customer_id, LoanId(body.loan_id))
        if body.application_id:
            return await _application(work, customer_id, ApplicationId(body.application_id))
    raise BadField(field="application_id", why="name the application or the loan to be cancelled")


async def _application(work: Work, customer_id: CustomerId, application_id: ApplicationId) -> StepAnswer:
    application = await decisions.find_application(work, customer_id, application_id)
    if application is None:
        raise NotFound(what="application", which=application_id)
    if application.state is not ApplicationState.ACCEPTED:
        await decisions.withdraw_application(work, customer_id=customer_id, application_id=application_id)
        return StepAnswer(State.CANCELLED, ("apply",), {"state": "cancelled"})
    agreement = await agreements.standing(work, customer_id=customer_id, application_id=application_id)
    if agreement is not None and agreement.reading.state is ReadingState.SIGNED:
        return await _loan(work, customer_id, agreement.loan_id)
    loan_id, _ = await loan_of(work, customer_id, application_id)
    await _undo(work, customer_id, application_id, loan_id)
    return StepAnswer(State.CANCELLED, ("apply",), {"state": "cancelled"})


async def _undo(work: Work, customer_id: CustomerId, application_id: ApplicationId, loan_id: LoanId) -> None:
    await end_unpaid(
        work, customer_id=customer_id, loan_id=loan_id, application_id=application_id, reason=ReleaseReason.CANCELLED, why="cancelled"
    )


async def _loan(work: Work, customer_id: CustomerId, loan_id: LoanId) -> StepAnswer:
    """Cancel a loan whose order never left; a paid one may be given back within the cooling-off."""
    loan = await ledger.find_loan(work, customer_id, loan_id)
    if loan is None:
        return await _before_the_money(work, customer_id, loan_id)
    if loan.standing is not Standing.ACTIVE:
        return StepAnswer(State.SETTLED, ("apply",), {"state": loan.standing.value})
    rules = law.shipped().ask(law.CoolingOffRules, on=loan.opened_on)
    if not rules.may_give_back(paid_out_on=loan.opened_on, on=work.today):
        raise CoolingOffOver(last_day=rules.last_day(loan.opened_on).isoformat())
    return StepAnswer(State.ACTIVE, ("repay",), {"state": "giving_back", "owed_fen": loan.payoff_fen, "loan_id": loan_id})


async def _before_the_money(work: Work, customer_id: CustomerId, loan_id: LoanId) -> StepAnswer:
    order = await payments.find_or_none(work, payment_order_id=pay_out_order_id(customer_id, loan_id))
    agreement = await agreements.in_force(work, customer_id=customer_id, loan_id=loan_id)
    if agreement is None:
        raise NotFound(what="loan", which=loan_id)
    if order is not None and order.state is not OrderState.FAILED:
        await payments.cancel(work, payment_order_id=order.payment_order_id)
    await _undo(work, customer_id, agreement.application_id, loan_id)
    return StepAnswer(State.CANCELLED, ("apply",), {"state": "cancelled"})


BORROWER: Mapping[str, BorrowerStep] = {"cancel": BorrowerStep(Cancel, cancel)}
