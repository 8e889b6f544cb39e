"""The verbs of the ledger. Every write has a key and gives the first receipt again; every change of a loan is one event and one posting."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from puhui.engines.schedules import NOTHING, AssetClass, Intent, Method, Parts, Standing, State, convention
from puhui.foundation.refusals import KeyReused, NotFound, Refusal, WrongState
from puhui.foundation.work import Work
from puhui.rooms.ledger import store
from puhui.rooms.ledger.accounts import CLEARING, LENDER, difference
from puhui.rooms.ledger.approvals import demand_approval, restructure_content, waiver_content, write_off_content
from puhui.rooms.ledger.books import LegFigures, books, leg_figures
from puhui.rooms.ledger.loan import (
    ConventionChanged,
    EventKind,
    Loan,
    LoanView,
    NewLoan,
    Receipt,
    StoredEvent,
    facts_of,
    parts_from,
    view,
)
from puhui.vocabulary import events
from puhui.vocabulary.ids import derive
from puhui.vocabulary.permits import Approval


class ChargeNotInCostTable(Refusal):
    """The charge {code} of {amount_fen} fen for {payee} is not in the cost table of loan {loan_id}; nothing was charged, and nothing may be."""

    code = "ledger.charge-not-in-cost-table"
    zh = "这项费用不在您签署的综合融资成本明示表内，不能收取。"


class MonthClosed(Refusal):
    """The books of {month} are closed; nothing can be posted on {day} any more."""

    code = "ledger.month-closed"
    status = 409


class MoreThanCredit(Refusal):
    """The credit balance is {credit_fen} fen, less than the {amount_fen} fen to be sent back; nothing was posted."""

    code = "ledger.more-than-credit"
    zh = "可退的金额不足，什么都没有改变。"


class MoreThanPaid(Refusal):
    """Of the payment {payment_order_id} only {left_fen} fen can still be refunded, not {amount_fen}; nothing was posted."""

    code = "ledger.more-than-paid"


@dataclass(frozen=True, slots=True)
class _Change:
    """A loan before and after one event, on the day it was booked."""

    loan: Loan
    event: StoredEvent
    before: State
    after: State
    is_new: bool = True


async def disburse(work: Work, *, loan: NewLoan, payment_order_id: str, value_date: date, signed_at: Any = None) -> LoanView:
    """Put a pay-out on the books: the loan begins on `value_date`, the business date on which the rail ended it.

    What the cost table charges with a due day is charged with it. Asking again gives the loan as it stands.
    Raises: KeyReused (the order belongs to another loan), ConventionChanged.
    """
    key = f"{payment_order_id}:disbursed"
    if known := await _known(work, loan.customer_id, loan.loan_id, key):
        return await _view(work, loan.customer_id, known)
    if convention(loan.convention).sha256 != loan.convention_sha256:
        raise ConventionChanged(loan_id=loan.loan_id, convention=loan.convention, wanted=loan.convention_sha256)
    assert all(charge.due > value_date for charge in loan.charges), "what is taken with the pay-out is no charge of the ledger's"
    await store.add_loan(work, loan, value_date)
    change = await _record(work, loan.customer_id, loan.loan_id, EventKind.DISBURSED, key, value_date, {"payment_order_id": payment_order_id})
    if not change.is_new:
        return view(change.loan, change.after)
    for k, charge in enumerate(loan.charges, start=1):
        facts = {"code": charge.code, "payee": charge.payee, "due": charge.due.isoformat(), "amount_fen": charge.amount_fen}
        change = await _record(work, loan.customer_id, loan.loan_id, EventKind.CHARGED, f"{loan.loan_id}:agreed:{k}", value_date, facts)
    work.emit(
        events.LoanDisbursed(
            loan.customer_id, loan.application_id, loan.loan_id, loan.principal_fen, loan.months, value_date, signed_at or work.at
        )
    )
    return view(change.loan, change.after)


async def reverse_disbursement(work: Work, *, customer_id: str, loan_id: str, payment_order_id: str, code: str = "") -> LoanView:
    """Take a pay-out back that the bank returned: nothing is owed, and nothing was ever earned. What was paid meanwhile becomes credit."""
    key = f"{payment_order_id}:returned"
    if not await _known(work, customer_id, loan_id, key):
        change = await _undo(work, customer_id, loan_id, f"{payment_order_id}:disbursed", key)
        work.emit(events.DisbursementReturned(customer_id, loan_id, code, change.loan.application_id))
        return view(change.loan, change.after)
    return await _view(work, customer_id, loan_id)


async def repay(
    work: Work, *, customer_id: str, loan_id: str, payment_order_id: str, amount_fen: int, intent: Intent, value_date: date, into: str = CLEARING,
) -> Receipt:  # fmt: skip
    """Put money that came in on the books and give the receipt; asking again takes nothing and gives the first receipt.

    `value_date` is the business date of the tap, or of the order of the collect. What no debt needs becomes the customer's credit balance:
    money that has moved is never refused. After a write-off it is a recovery.
    Raises: KeyReused (the key belongs to another loan or amount), NotFound.
    """
    key, facts = f"{payment_order_id}:paid", {"amount_fen": amount_fen, "intent": intent.value, "account": into, "payment_order_id": payment_order_id}
    await store.SQL.lock_loan.run(work, customer_id=customer_id, loan_id=loan_id)
    if known := await store.find_event(work, customer_id, key):
        if known[0] != loan_id or known[1].facts["amount_fen"] != amount_fen:
            raise KeyReused(key=payment_order_id)
        return receipt_from(customer_id, loan_id, known[1])
    change = await _record(work, customer_id, loan_id, EventKind.PAID, key, value_date, facts)
    receipt = receipt_from(customer_id, loan_id, change.event)
    before, after = change.before, change.after
    work.emit(
        events.RepaymentPosted(
            customer_id, loan_id, payment_order_id, amount_fen, receipt.parts.principal_fen, after.principal_owed_fen, value_date, before.days_late > 0
        )
    )
    if before.written_off_on is not None:
        work.emit(events.LoanRecovered(customer_id, loan_id, receipt.parts.total_fen))
    await _tell_progress(work, change)
    return receipt


async def reverse_repayment(work: Work, *, customer_id: str, loan_id: str, payment_order_id: str) -> LoanView:
    """Take a payment back that came back at the rail: it never happened, and what followed is folded again. One difference is posted."""
    key = f"{payment_order_id}:returned"
    if await _known(work, customer_id, loan_id, key):
        return await _view(work, customer_id, loan_id)
    change = await _undo(work, customer_id, loan_id, f"{payment_order_id}:paid", key)
    undone = change.loan.find_event(f"{payment_order_id}:paid")
    assert undone is not None
    work.emit(events.RepaymentReversed(customer_id, loan_id, payment_order_id, undone.facts["amount_fen"]))
    await _tell_progress(work, change)
    return view(change.loan, change.after)


async def refund_repayment(
    work: Work, *, customer_id: str, loan_id: str, payment_order_id: str, refund_id: str, amount_fen: int
) -> LoanView:
    """Book that a part of a payment went back to the borrower: it counts as if that payment had been smaller.

    Raises: MoreThanPaid, NotFound (no such payment).
    """
    key = f"{refund_id}:refunded"
    if await _known(work, customer_id, loan_id, key):
        return await _view(work, customer_id, loan_id)
    loan = await _lock(work, customer_id, loan_id)
    payment = _find(loan, f"{payment_order_id}:paid")
    gone = sum(event.facts["amount_fen"] for event in loan.events if event.kind is EventKind.REFUNDED and event.facts["of"] == payment.no)
    is_undone = any(event.kind is EventKind.UNDONE and event.facts["of"] == payment.no for event in loan.events)
    left_fen = 0 if is_undone else payment.facts["amount_fen"] - gone
    if not 0 < amount_fen <= left_fen:
        raise MoreThanPaid(payment_order_id=payment_order_id, left_fen=left_fen, amount_fen=amount_fen)
    facts = {"of": payment.no, "amount_fen": amount_fen, "refund_id": refund_id}
    change = await _record(work, customer_id, loan_id, EventKind.REFUNDED, key, work.today, facts)
    work.emit(events.RepaymentReversed(customer_id, loan_id, payment_order_id, amount_fen))
    await _tell_progress(work, change)
    return view(change.loan, change.after)


async def pay_back_credit(
    work: Work, *, customer_id: str, loan_id: str, payment_order_id: str, amount_fen: int, out_of: str = CLEARING
) -> LoanView:
    """Book that a credit balance was sent back to its customer. Raises MoreThanCredit."""
    key = f"{payment_order_id}:credit-back"
    if await _known(work, customer_id, loan_id, key):
        return await _view(work, customer_id, loan_id)
    loan = await _lock(work, customer_id, loan_id)
    credit_fen = loan.state(work.today).figures.credit_fen
    if not 0 < amount_fen <= credit_fen:
        raise MoreThanCredit(credit_fen=credit_fen, amount_fen=amount_fen)
    facts = {"amount_fen": amount_fen, "account": out_of, "payment_order_id": payment_order_id}
    change = await _record(work, customer_id, loan_id, EventKind.CREDIT_PAID_OUT, key, work.today, facts)
    return view(change.loan, change.after)


async def reverse_credit_pay_back(work: Work, *, customer_id: str, loan_id: str, payment_order_id: str) -> LoanView:
    """Take a credit pay-back back that the bank returned: the customer has the credit again."""
    key = f"{payment_order_id}:returned"
    if await _known(work, customer_id, loan_id, key):
        return await _view(work, customer_id, loan_id)
    change = await _undo(work, customer_id, loan_id, f"{payment_order_id}:credit-back", key)
    return view(change.loan, change.after)


async def charge(work: Work, *, customer_id: str, loan_id: str, key: str, code: str, payee: str, due: date, amount_fen: int) -> LoanView:
    """Charge what the cost table allows, and nothing else. Raises ChargeNotInCostTable."""
    if await _known(work, customer_id, loan_id, key):
        return await _view(work, customer_id, loan_id)
    loan = await _lock(work, customer_id, loan_id)
    allowed = await store.SQL.charge_allowed.value(work, customer_id=customer_id, loan_id=loan_id, code=code, payee=payee) or 0
    so_far = sum(
        event.facts["amount_fen"]
        for event in loan.events
        if event.kind is EventKind.CHARGED and (event.facts["code"], event.facts["payee"]) == (code, payee)
    )
    if amount_fen <= 0 or so_far + amount_fen > allowed:
        raise ChargeNotInCostTable(code=code, payee=payee, amount_fen=amount_fen, loan_id=loan_id)
    facts = {"code": code, "payee": payee, "due": due.isoformat(), "amount_fen": amount_fen}
    change = await _record(work, customer_id, loan_id, EventKind.CHARGED, key, work.today, facts)
    return view(change.loan, change.after)


async def waive(work: Work, *, customer_id: str, loan_id: str, key: str, parts: Parts, approval: Approval) -> LoanView:
    """Give up debt that is due: at most these parts, oldest row first. Two people must have approved exactly this. Raises ApprovalMissing."""
    demand_approval(approval, waiver_content(loan_id, parts))
    if await _known(work, customer_id, loan_id, key):
        return await _view(work, customer_id, loan_id)
    change = await _record(work, customer_id, loan_id, EventKind.WAIVED, key, work.today, facts_of(parts))
    await _tell_progress(work, change)
    return view(change.loan, change.after)


async def restructure(
    work: Work, *, customer_id: str, loan_id: str, key: str, rate_ppm: int, months: int, method: Method, first_due: date, approval: Approval,
) -> LoanView:  # fmt: skip
    """Give a loan in trouble new terms from today: rate, months, method, first due day; never a higher rate.

    Unpaid interest, penalty and fees move evenly into the new rows and bear no interest. Raises ApprovalMissing, WrongState.
    """
    demand_approval(approval, restructure_content(loan_id, rate_ppm, months, method, first_due))
    if await _known(work, customer_id, loan_id, key):
        return await _view(work, customer_id, loan_id)
    loan = await _lock(work, customer_id, loan_id)
    _demand_standing(loan.state(work.today), Standing.ACTIVE, "repay, or nothing")
    if rate_ppm > loan.terms.rate_ppm or first_due <= work.today:
        raise WrongState(what="the new terms", state="not easier than the old ones, or due at once", possible="a lower rate, a later first due day")
    facts = {"rate_ppm": rate_ppm, "months": months, "method": method.value, "first_due": first_due.isoformat()}
    change = await _record(work, customer_id, loan_id, EventKind.RESTRUCTURED, key, work.today, facts)
    next_row = next(row for row in change.after.rows if row.due > work.today)
    work.emit(events.LoanRestructured(customer_id, loan_id, next_row.owed.total_fen))
    await _tell_progress(work, change)
    return view(change.loan, change.after)


async def write_off(work: Work, *, customer_id: str, loan_id: str, key: str, approval: Approval) -> LoanView:
    """Take a loan off the books: all of it is due, nothing accrues any more, the debt stands. Raises ApprovalMissing, WrongState."""
    demand_approval(approval, write_off_content(loan_id))
    if await _known(work, customer_id, loan_id, key):
        return await _view(work, customer_id, loan_id)
    loan = await _lock(work, customer_id, loan_id)
    _demand_standing(loan.state(work.today), Standing.ACTIVE, "recover")
    change = await _record(work, customer_id, loan_id, EventKind.WRITTEN_OFF, key, work.today, {})
    work.emit(events.LoanWrittenOff(customer_id, loan_id, change.after.figures.written_off.total_fen))
    return view(change.loan, change.after)


# -- what every verb does ---------------------------------------------------------------------------------------------------------------------


async def _known(work: Work, customer_id: str, loan_id: str, key: str) -> str | None:
    """Give the loan if this key has already changed it. The loan is locked first, so that one of two equal requests waits and then sees the other."""
    await store.SQL.lock_loan.run(work, customer_id=customer_id, loan_id=loan_id)
    known = await store.find_event(work, customer_id, key)
    if known and known[0] != loan_id:
        raise KeyReused(key=key)
    return known[0] if known else None


async def _lock(work: Work, customer_id: str, loan_id: str) -> Loan:
    loan = await store.find_loan(work, customer_id, loan_id, lock=True)
    if loan is None:
        raise NotFound(what="loan", which=loan_id)
    return loan


async def _view(work: Work, customer_id: str, loan_id: str) -> LoanView:
    loan = await _lock(work, customer_id, loan_id)
    return view(loan, loan.state(work.today))


def _find(loan: Loan, key: str) -> StoredEvent:
    event = loan.find_event(key)
    if event is None:
        raise NotFound(what="event", which=key)
    return event


async def _undo(work: Work, customer_id: str, loan_id: str, undone_key: str, key: str) -> _Change:
    event = _find(await _lock(work, customer_id, loan_id), undone_key)
    return await _record(work, customer_id, loan_id, EventKind.UNDONE, key, work.today, {"of": event.no})


def _demand_standing(state: State, wanted: Standing, possible: str) -> None:
    if state.standing is not wanted:
        raise WrongState(what="the loan", state=state.standing.value, possible=possible)


async def _record(
    work: Work, customer_id: str, loan_id: str, kind: EventKind, key: str, value_date: date, facts: Mapping[str, Any]
) -> _Change:
    """Write one event: fold before and after, post the difference, cut it by legs, and leave the loan's row as it then stands."""
    loan = await _lock(work, customer_id, loan_id)
    if earlier := loan.find_event(key):
        state = loan.state(work.today)
        return _Change(loan, earlier, state, state, is_new=False)
    today = work.today
    assert value_date <= today, "an event counts from a day that has come"
    assert loan.booked_on <= today, "the books do not run backwards"
    before_legs = await _catch_up(work, loan, len(loan.events) + 1)
    bare = StoredEvent(len(loan.events) + 1, kind, value_date, today, work.at, key, facts, {})
    before, after = loan.state(today), loan.state(today, more=(bare,))
    event = StoredEvent(bare.no, kind, value_date, today, work.at, key, facts, _shown(bare, after))
    after_legs = leg_figures(after, loan.legs)
    now = books(after, loan.legs, loan.cash(today, more=(bare,)), is_nonaccrual=loan.is_nonaccrual)
    if not await store.add_event(work, loan, event):
        raise MonthClosed(month=f"{today:%Y-%m}", day=today.isoformat())
    await store.add_posting(work, _posting(loan, event, kind.value, today, difference(now, before_legs.lines)))
    await store.add_leg_parts(work, loan, event, _name_for_funders(loan, event, before), before_legs.legs, after_legs)
    return _Change(await _leave(work, loan, event, after, after_legs), event, before, after)


@dataclass(frozen=True, slots=True)
class _Booked:
    lines: Mapping[tuple[str, str], int]
    legs: tuple[LegFigures, ...]


async def _catch_up(work: Work, loan: Loan, no: int) -> _Booked:
    """Give what the books hold of a loan; where days before today are not booked yet, post them as of yesterday first."""
    state = loan.state(loan.booked_on)
    lines: Mapping[tuple[str, str], int] = {}
    if loan.events:
        lines = books(state, loan.legs, loan.cash(loan.booked_on), is_nonaccrual=loan.is_nonaccrual)
    yesterday = store.day_before(work.today)
    if loan.events and loan.booked_on < yesterday and not await store.is_month_closed(work, yesterday):
        state = loan.state(yesterday)
        now = books(state, loan.legs, loan.cash(yesterday), is_nonaccrual=loan.is_nonaccrual)
        posting = store.Posting(
            loan.customer_id, derive("pg", loan.customer_id, loan.loan_id, "catch-up", no), loan.loan_id, no, "accrued", loan.product,
            yesterday, yesterday, f"{loan.loan_id}:{no}", difference(now, lines),
        )  # fmt: skip
        await store.add_posting(work, posting)
        lines = now
    return _Booked(lines, leg_figures(state, loan.legs))


def _posting(loan: Loan, event: StoredEvent, kind: str, day: date, lines: Mapping[tuple[str, str], int]) -> store.Posting:
    posting_id = derive("pg", loan.customer_id, loan.loan_id, "posting", event.no)
    return store.Posting(
        loan.customer_id, posting_id, loan.loan_id, event.no, kind, loan.product, day, event.value_date, event.key, lines
    )


async def _leave(work: Work, loan: Loan, event: StoredEvent, after: State, legs: tuple[LegFigures, ...]) -> Loan:
    """Write where the loan stands now, and give it; classes move at the day's end, but what is written off is a loss and what is settled is clean at once."""
    asset_class, stage = loan.asset_class, loan.stage
    if after.standing is Standing.WRITTEN_OFF:
        asset_class = AssetClass.LOSS
    elif after.standing is not Standing.ACTIVE:
        asset_class, stage = AssetClass.NORMAL, 0
    elif not after.days_late:
        stage = 0
    if asset_class is not loan.asset_class:
        await store.add_class_change(work, loan.customer_id, loan.loan_id, work.today, loan.asset_class, asset_class, after.days_late)
        work.emit(events.AssetClassChanged(loan.customer_id, loan.loan_id, loan.asset_class.value, asset_class.value))
    at_restructure = loan.asset_class if event.kind is EventKind.RESTRUCTURED else loan.class_at_restructure
    await store.set_standing(
        work, loan, after, legs, events=event.no, asset_class=asset_class, stage=stage, is_nonaccrual=loan.is_nonaccrual,
        class_at_restructure=at_restructure, booked_on=work.today,
    )  # fmt: skip
    return replace(
        loan, events=(*loan.events, event), asset_class=asset_class, class_at_restructure=at_restructure, stage=stage, booked_on=work.today
    )


def _name_for_funders(loan: Loan, event: StoredEvent, before: State) -> str:
    """Name an event as the daily file to funders does; empty where they have no part in it."""
    match event.kind:
        case EventKind.DISBURSED:
            return "disbursed"
        case EventKind.PAID:
            return "recovered" if before.written_off_on else "repaid"
        case EventKind.REFUNDED:
            return "refunded"
        case EventKind.UNDONE:
            undone = next(one for one in loan.events if one.no == event.facts["of"])
            return "refunded" if undone.kind in {EventKind.PAID, EventKind.DISBURSED} else ""
        case EventKind.RESTRUCTURED:
            return "restructured"
        case EventKind.WRITTEN_OFF:
            return "written_off"
        case EventKind.CREDIT_PAID_OUT | EventKind.CHARGED | EventKind.WAIVED:
            return ""


def _shown(event: StoredEvent, after: State) -> dict[str, Any]:
    """Give what the receipt of an event keeps: how a payment met the debt, and what is left."""
    met = next((allocation for allocation in after.allocations if allocation.no == event.no), None)
    return facts_of(met.parts if met else NOTHING) | {
        "credit_fen": met.credit_fen if met else 0,
        "due_left_fen": after.due_total_fen,
        "principal_left_fen": after.principal_owed_fen,
        "payoff_fen": after.payoff_fen,
        "standing": after.standing.value,
    }


def receipt_from(customer_id: str, loan_id: str, event: StoredEvent) -> Receipt:
    """Give the receipt of a payment as it was given first."""
    shown = event.receipt
    return Receipt(
        receipt_id=derive("rc", customer_id, event.key, "receipt"),
        loan_id=loan_id,
        value_date=event.value_date,
        amount_fen=event.facts["amount_fen"],
        parts=parts_from(shown),
        credit_fen=shown["credit_fen"],
        due_left_fen=shown["due_left_fen"],
        principal_left_fen=shown["principal_left_fen"],
        payoff_fen=shown["payoff_fen"],
        standing=Standing(shown["standing"]),
    )


async def _tell_progress(work: Work, change: _Change) -> None:
    """Tell that a loan caught up or was settled by this event."""
    before, after = change.before, change.after
    if before.days_late and not after.days_late:
        work.emit(events.LoanCaughtUp(change.loan.customer_id, change.loan.loan_id))
    if after.standing is Standing.SETTLED and before.standing is not Standing.SETTLED:
        work.emit(events.LoanSettled(change.loan.customer_id, change.loan.loan_id, after.settled_on or work.today, change.loan.application_id))


def payable_account(partner_id: str) -> tuple[str, str]:
    """Give the account that holds what a partner is owed out of repayments."""
    assert partner_id != LENDER, "our own share is swept, not owed"
    return ("payable.funder", partner_id)
