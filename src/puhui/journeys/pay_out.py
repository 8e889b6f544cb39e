"""The end of a pay-out: the loan on the books when the money has arrived, everything let go when it has not, all in the Work that learns of it."""

from puhui.engines import schedules
from puhui.foundation.days import business_date
from puhui.foundation.work import Work
from puhui.journeys.let_go import let_go_all
from puhui.rooms import agreements, decisions, funding, ledger, payments
from puhui.rooms.funding import ReleaseReason
from puhui.rooms.payments import Happened, PaymentOrder
from puhui.vocabulary.events import ApplicationEnded, PayOutFailed
from puhui.vocabulary.ids import ApplicationId, CustomerId, LoanId


async def book(work: Work, order: PaymentOrder, happened: Happened) -> None:
    """Book what became of a loan's pay-out."""
    assert order.loan_id is not None, order
    match happened:
        case Happened.PAID:
            await _paid(work, order, order.customer_id, order.loan_id)
        case Happened.FAILED:
            await _failed(work, order, order.customer_id, order.loan_id)
        case Happened.RETURNED:
            await _returned(work, order, order.customer_id, order.loan_id)


async def _paid(work: Work, order: PaymentOrder, customer_id: CustomerId, loan_id: LoanId) -> None:
    """Put the loan on the books, from the business date on which the rail ended it: nobody pays for a day without the money."""
    agreement = await agreements.in_force(work, customer_id=customer_id, loan_id=loan_id)
    assert agreement is not None, loan_id
    assert agreement.contract_sha256 is not None, loan_id
    table = await agreements.table_of(work, customer_id=customer_id, table_sha256=agreement.table_sha256)
    legs = await funding.note_used(work, customer_id=customer_id, loan_id=loan_id)
    loan = ledger.NewLoan(
        customer_id=customer_id,
        loan_id=loan_id,
        application_id=agreement.application_id,
        product=table.terms.product,
        convention=table.terms.convention,
        convention_sha256=table.convention_sha256,
        contract_sha256=agreement.contract_sha256,
        principal_fen=table.terms.principal_fen,
        rate_ppm=table.terms.rate_ppm,
        months=table.terms.months,
        method=schedules.Method(table.terms.method),
        legs=tuple(ledger.Leg(leg.partner_id, leg.share_ppm) for leg in legs if leg.share_ppm),
        charges=tuple(ledger.AllowedCharge(one.code, one.payee, one.due, one.amount_fen) for one in table.charges),
    )
    assert order.ended_at is not None, order
    value_date = min(business_date(order.ended_at), work.today)
    await ledger.disburse(work, loan=loan, payment_order_id=order.payment_order_id, value_date=value_date, signed_at=agreement.signed_at)
    await ledger.book_rail_fee(work, payment_order_id=order.payment_order_id, amount_fen=order.fee.fen)
    await decisions.use_exposure(work, customer_id=customer_id, loan_id=loan_id)


async def _failed(work: Work, order: PaymentOrder, customer_id: CustomerId, loan_id: LoanId) -> None:
    """Let everything go that was held for the loan; the application ends."""
    work.emit(PayOutFailed(customer_id, loan_id, order.code or ""))
    agreement = await agreements.in_force(work, customer_id=customer_id, loan_id=loan_id)
    assert agreement is not None, loan_id
    await end_unpaid(
        work,
        customer_id=customer_id,
        loan_id=loan_id,
        application_id=agreement.application_id,
        reason=ReleaseReason.PAY_FAILED,
        why="pay_failed",
    )


async def end_unpaid(
    work: Work, *, customer_id: CustomerId, loan_id: LoanId, application_id: ApplicationId, reason: ReleaseReason, why: str
) -> None:
    """End a loan that was never paid out: holds, exposure, agreement and application."""
    await let_go_all(work, customer_id=customer_id, loan_id=loan_id, reason=reason)
    await decisions.free_exposure(work, customer_id=customer_id, loan_id=loan_id)
    await payments.end_mandate(work, customer_id=customer_id, loan_id=loan_id)
    await agreements.abandon(work, customer_id=customer_id, loan_id=loan_id)
    if await decisions.end_application(work, customer_id=customer_id, application_id=application_id, why=why):
        work.emit(ApplicationEnded(customer_id, application_id, why))


async def _returned(work: Work, order: PaymentOrder, customer_id: CustomerId, loan_id: LoanId) -> None:
    """Take the loan back from the books: the bank sent the money back, nothing is owed and nothing was earned."""
    await ledger.reverse_disbursement(
        work, customer_id=customer_id, loan_id=loan_id, payment_order_id=order.payment_order_id, code=order.code or ""
    )
    await decisions.free_exposure(work, customer_id=customer_id, loan_id=loan_id)
    await payments.end_mandate(work, customer_id=customer_id, loan_id=loan_id)
