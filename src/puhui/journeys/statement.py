"""What a borrower reads of his loans: the plan, what happened, what settles the loan on a day, and sealed certificates."""

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from puhui.engines.schedules import Parts, Row, Standing
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField, NotFound
from puhui.foundation.work import Actor, Work
from puhui.rooms import ledger, payments
from puhui.vocabulary.ids import CustomerId, LoanId
from puhui.vocabulary.steps import BorrowerStep, Session, State, StepAnswer


class Payoff(msgspec.Struct):
    """Which loan, and on which day it is to be settled; today, if the figure is to hold."""

    loan_id: str
    day: date


class Certificate(msgspec.Struct):
    """Which certificate, of which loan: `settled` (结清证明) or `loan` (借款证明)."""

    kind: str
    loan_id: str


def standing_of(loan: ledger.LoanView) -> State:
    """Give the borrower's word for where a loan stands."""
    match loan.standing:
        case Standing.SETTLED:
            return State.SETTLED
        case Standing.VOID:
            return State.CANCELLED
        case Standing.WRITTEN_OFF:
            return State.LATE
        case Standing.ACTIVE:
            return State.LATE if loan.is_late else State.ACTIVE


async def payoff(desk: Desk, *, session: Session, body: Payoff, key: str) -> StepAnswer:
    """Say what settles a loan on a day. Asked for today, it holds for a collect ordered today, whenever the rail ends it."""
    del key
    async with desk.work(_actor(session)) as work:
        if body.day < work.today:
            raise BadField(field="day", why="it has passed; ask for today or a later day")
        loan = await ledger.find_loan(work, session.who, body.loan_id)
        if loan is None:
            raise NotFound(what="loan", which=body.loan_id)
        amount_fen = await ledger.payoff_fen(work, session.who, body.loan_id, body.day)
    return StepAnswer(standing_of(loan), ("repay",) if amount_fen else ("certificate",), {"amount_fen": amount_fen, "day": body.day.isoformat()})


async def certificate(desk: Desk, *, session: Session, body: Certificate, key: str) -> StepAnswer:
    """Make a certificate that a loan is settled, or stands, and give its hash; `documents` gives the bytes."""
    del key
    try:
        kind = ledger.CertificateKind(body.kind)
    except ValueError:
        raise BadField(field="kind", why="it is settled or loan") from None
    async with desk.work(_actor(session)) as work:
        made = await ledger.certify(work, customer_id=session.who, loan_id=body.loan_id, kind=kind)
        loan = await ledger.find_loan(work, session.who, body.loan_id)
    assert loan is not None
    return StepAnswer(standing_of(loan), (), {"sha256": hashlib.sha256(made).hexdigest()})


async def schedule(desk: Desk, session: Session, query: Mapping[str, str]) -> dict[str, Any]:
    """`GET /borrower/v1/schedule`: the rows of one loan (`loan_id`), or of all that are not closed."""
    async with desk.look(_actor(session)) as work:
        loans = await ledger.loans_of(work, session.who, work.today)
        wanted = query.get("loan_id")
        if wanted and wanted not in {loan.loan_id for loan in loans}:
            raise NotFound(what="loan", which=wanted)
        shown = [loan for loan in loans if (loan.loan_id == wanted if wanted else loan.standing in {Standing.ACTIVE, Standing.WRITTEN_OFF})]
        return {"loans": [summary(loan) | await _collecting(work, loan) | {"rows": [_row(row) for row in loan.rows]} for loan in shown]}


async def _collecting(work: Work, loan: ledger.LoanView) -> dict[str, Any]:
    """Say whether what is due is drawn by itself, and by what the loan was taken."""
    mandate = await payments.mandate_of(work, customer_id=CustomerId(loan.customer_id), loan_id=LoanId(loan.loan_id))
    shown = {"principal_fen": loan.principal_fen, "rate_ppm": loan.rate_ppm, "opened_on": loan.opened_on.isoformat(), "maturity": loan.maturity.isoformat()}
    return shown | ({"collects": mandate.terms.is_on} if mandate else {})


async def statement(desk: Desk, session: Session, query: Mapping[str, str]) -> dict[str, Any]:
    """`GET /borrower/v1/statement`: what happened to a loan (`loan_id`), booked from `since` to before `until`."""
    loan_id = query.get("loan_id", "")
    if not loan_id:
        raise BadField(field="loan_id", why="name the loan")
    since, until = _day(query, "since"), _day(query, "until")
    async with desk.look(_actor(session)) as work:
        lines = await ledger.statement(work, session.who, loan_id, since, until)
    return {"loan_id": loan_id, "lines": [_line(line) for line in lines]}


async def contract_of(desk: Desk, session: Session, loan_id: str) -> str:
    """Give the hash of the contract under which a loan of the person's stands. Raises NotFound."""
    async with desk.work(_actor(session), durable=False) as work:
        loan = await ledger.find_loan(work, session.who, loan_id)
    if loan is None:
        raise NotFound(what="loan", which=loan_id)
    return loan.contract_sha256


def summary(loan: ledger.LoanView) -> dict[str, Any]:
    """Give a loan as `home` lists it; what is absent is left out."""
    shown: dict[str, Any] = {
        "loan_id": loan.loan_id,
        "state": standing_of(loan).value,
        "balance_fen": loan.principal_owed_fen,
        "due_fen": loan.due_fen,
        "overdue_fen": loan.overdue_fen,
        "days_late": loan.days_late,
        "payoff_fen": loan.payoff_fen,
        "credit_fen": loan.credit_fen,
    }
    due = loan.oldest_unpaid_due or loan.next_due
    if due:
        shown["due"] = due.isoformat()
    if loan.next_due:
        shown |= {"next_due": loan.next_due.isoformat(), "next_due_fen": loan.next_due_fen}
    return shown


def _row(row: Row) -> dict[str, Any]:
    return {
        "number": row.number,
        "kind": row.kind.value,
        "due": row.due.isoformat(),
        **_parts(row.asked),
        "total_fen": row.asked.total_fen,
        "paid_fen": row.paid.total_fen,
        "waived_fen": row.waived.total_fen,
        "owed_fen": row.owed.total_fen,
    }


def _line(line: ledger.StatementLine) -> dict[str, Any]:
    return {
        "no": line.no,
        "kind": line.kind.value,
        "booked_on": line.booked_on.isoformat(),
        "value_date": line.value_date.isoformat(),
        "amount_fen": line.amount_fen,
        **_parts(line.parts),
        "credit_fen": line.credit_fen,
        "principal_left_fen": line.principal_left_fen,
        "is_undone": line.is_undone,
    }


def _parts(parts: Parts) -> dict[str, int]:
    return {
        "principal_fen": parts.principal_fen,
        "interest_fen": parts.interest_fen,
        "fees_fen": parts.fees_fen,
        "penalty_fen": parts.penalty_fen,
    }


def _day(query: Mapping[str, str], name: str) -> date | None:
    if name not in query:
        return None
    try:
        return date.fromisoformat(query[name])
    except ValueError:
        raise BadField(field=name, why="it is no day of the form 2026-09-01") from None


def _actor(session: Session) -> Actor:
    return Actor("customer", session.who)


BORROWER: Mapping[str, BorrowerStep] = {
    "payoff": BorrowerStep(Payoff, payoff),
    "certificate": BorrowerStep(Certificate, certificate),
}
