"""A loan as the ledger knows it: its terms, pinned for ever, its legs, and the events of its life read back as the engine's own."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, assert_never

from puhui.engines import schedules
from puhui.engines.schedules import (
    AssetClass,
    Charged,
    Convention,
    CreditPaidOut,
    Disbursed,
    Event,
    Intent,
    Method,
    Paid,
    Parts,
    Refunded,
    Restructured,
    Row,
    Standing,
    State,
    Terms,
    Undone,
    Waived,
    WrittenOff,
)
from puhui.foundation.refusals import Refusal
from puhui.rooms.ledger.accounts import CLEARING
from puhui.rooms.ledger.books import Leg

PARTITIONS = 16


class ConventionChanged(Refusal):
    """The loan {loan_id} was agreed under {convention} with hash {wanted}, and the installed one has another; its books are not touched."""

    code = "ledger.convention-changed"


class EventKind(StrEnum):
    """What can happen to a loan."""

    DISBURSED = "disbursed"
    PAID = "paid"
    REFUNDED = "refunded"
    CREDIT_PAID_OUT = "credit_paid_out"
    CHARGED = "charged"
    WAIVED = "waived"
    RESTRUCTURED = "restructured"
    WRITTEN_OFF = "written_off"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class AllowedCharge:
    """A charge that the cost table names, for this payee and up to this sum; `due` is when it is owed."""

    code: str
    payee: str
    due: date
    amount_fen: int


@dataclass(frozen=True, slots=True)
class NewLoan:
    """A loan about to be paid out. `legs` sum to 1,000,000 ppm; `charges` are all that the cost table allows."""

    customer_id: str
    loan_id: str
    application_id: str
    product: str
    convention: str
    convention_sha256: str
    contract_sha256: str
    principal_fen: int
    rate_ppm: int
    months: int
    method: Method
    legs: tuple[Leg, ...]
    charges: tuple[AllowedCharge, ...] = ()

    def __post_init__(self) -> None:
        assert sum(leg.share_ppm for leg in self.legs) == schedules.WHOLE_PPM, "the legs are the whole loan"
        assert len({leg.partner_id for leg in self.legs}) == len(self.legs), "each funder has one leg"
        assert self.method is not Method.FLAT, "a flat rate is a quotation only"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it was recorded, with the receipt that its key gives again."""

    no: int
    kind: EventKind
    value_date: date
    business_date: date
    recorded_at: datetime
    key: str
    facts: Mapping[str, Any]
    receipt: Mapping[str, Any]

    def as_event(self) -> Event:
        """Give it as the fold reads it."""
        facts, no, on = self.facts, self.no, self.value_date
        match self.kind:
            case EventKind.DISBURSED:
                return Disbursed(no=no, on=on)
            case EventKind.PAID:
                return Paid(no=no, on=on, amount_fen=facts["amount_fen"], intent=Intent(facts["intent"]))
            case EventKind.REFUNDED:
                return Refunded(no=no, on=on, of=facts["of"], amount_fen=facts["amount_fen"])
            case EventKind.CREDIT_PAID_OUT:
                return CreditPaidOut(no=no, on=on, amount_fen=facts["amount_fen"])
            case EventKind.CHARGED:
                due = date.fromisoformat(facts["due"])
                return Charged(no=no, on=on, due=due, amount_fen=facts["amount_fen"], payee=facts["payee"], code=facts["code"])
            case EventKind.WAIVED:
                return Waived(no=no, on=on, parts=parts_from(facts))
            case EventKind.RESTRUCTURED:
                first_due, method = date.fromisoformat(facts["first_due"]), Method(facts["method"])
                return Restructured(no=no, on=on, rate_ppm=facts["rate_ppm"], months=facts["months"], method=method, first_due=first_due)
            case EventKind.WRITTEN_OFF:
                return WrittenOff(no=no, on=on)
            case EventKind.UNDONE:
                return Undone(no=no, on=on, of=facts["of"])
            case _:
                assert_never(self.kind)


def facts_of(parts: Parts) -> dict[str, int]:
    """Give parts as they are stored."""
    return {
        "principal_fen": parts.principal_fen,
        "interest_fen": parts.interest_fen,
        "fees_fen": parts.fees_fen,
        "penalty_fen": parts.penalty_fen,
    }


def parts_from(facts: Mapping[str, Any]) -> Parts:
    """Read parts back."""
    return Parts(facts["principal_fen"], facts["interest_fen"], facts["fees_fen"], facts["penalty_fen"])


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan read from its row, its legs and its events. `booked_on` is the last day up to which the books hold what it earned."""

    customer_id: str
    loan_id: str
    application_id: str
    product: str
    convention_id: str
    convention_sha256: str
    contract_sha256: str
    terms: Terms
    partition: int
    opened_on: date
    legs: tuple[Leg, ...]
    events: tuple[StoredEvent, ...]
    asset_class: AssetClass
    class_at_restructure: AssetClass
    is_nonaccrual: bool
    stage: int
    booked_on: date

    @property
    def convention(self) -> Convention:
        """The convention that the contract pinned. Raises ConventionChanged if what is installed is not that one."""
        counting = schedules.convention(self.convention_id)
        if counting.sha256 != self.convention_sha256:
            raise ConventionChanged(loan_id=self.loan_id, convention=self.convention_id, wanted=self.convention_sha256)
        return counting

    def state(self, as_of: date, *, more: Sequence[StoredEvent] = ()) -> State:
        """Fold the loan, with `more` events that are not recorded yet."""
        events = [event.as_event() for event in (*self.events, *more)]
        return schedules.fold(self.convention, self.terms, events, as_of)

    def cash(self, as_of: date, *, more: Sequence[StoredEvent] = ()) -> dict[str, int]:
        """Give the money that came and went by rail account up to a value date, without the pay-out."""
        stored = {event.no: event for event in (*self.events, *more)}
        sums: dict[str, int] = {}
        for event in schedules.effective([one.as_event() for one in stored.values()]):
            if event.on > as_of:
                continue
            account = stored[event.no].facts.get("account", CLEARING)
            match event:
                case Paid():
                    sums[account] = sums.get(account, 0) + event.amount_fen
                case CreditPaidOut():
                    sums[account] = sums.get(account, 0) - event.amount_fen
        return sums

    def find_event(self, key: str) -> StoredEvent | None:
        """Give the event recorded under this key."""
        return next((event for event in self.events if event.key == key), None)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a payment did: how it met the debt, what became credit, and what is left. The same for the same key, always."""

    receipt_id: str
    loan_id: str
    value_date: date
    amount_fen: int
    parts: Parts
    credit_fen: int
    due_left_fen: int
    principal_left_fen: int
    payoff_fen: int
    standing: Standing

    def document(self) -> bytes:
        """Give the receipt as the borrower gets it, with what an invoice needs; equal bytes, always."""
        facts = {
            "kind": "receipt",
            "title_zh": "还款凭证",
            "receipt_id": self.receipt_id,
            "loan_id": self.loan_id,
            "value_date": self.value_date.isoformat(),
            "amount_fen": self.amount_fen,
            **facts_of(self.parts),
            "invoice": [{"what_zh": zh, "amount_fen": fen} for zh, fen in _invoiced(self.parts) if fen],
            "credit_fen": self.credit_fen,
            "due_left_fen": self.due_left_fen,
            "principal_left_fen": self.principal_left_fen,
            "standing": self.standing.value,
        }
        return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the document."""
        return hashlib.sha256(self.document()).hexdigest()


def _invoiced(parts: Parts) -> tuple[tuple[str, int], ...]:
    """Give what may stand on an invoice: the price of the service, never the principal."""
    return ("贷款利息", parts.interest_fen), ("罚息", parts.penalty_fen), ("服务费", parts.fees_fen)


@dataclass(frozen=True, slots=True)
class LoanView:
    """A loan at the end of a day, as its borrower, the doors and other rooms may see it."""

    customer_id: str
    loan_id: str
    application_id: str
    product: str
    contract_sha256: str
    as_of: date
    standing: Standing
    asset_class: AssetClass
    principal_fen: int
    rate_ppm: int
    months: int
    method: Method
    opened_on: date
    maturity: date
    principal_owed_fen: int
    due: Parts
    overdue_fen: int
    days_late: int
    oldest_unpaid_due: date | None
    next_due: date | None
    next_due_fen: int
    payoff_fen: int
    credit_fen: int
    settled_on: date | None
    written_off_on: date | None
    restructured_on: date | None
    rows: tuple[Row, ...] = field(repr=False)
    legs: tuple[Leg, ...] = field(repr=False)

    @property
    def due_fen(self) -> int:
        """What is due and unpaid on the day, overdue included."""
        return self.due.total_fen

    @property
    def is_late(self) -> bool:
        """Whether something is unpaid past its due day."""
        return self.days_late > 0


def view(loan: Loan, state: State) -> LoanView:
    """Show a loan as it stands in `state`."""
    ahead = next((row for row in state.rows if row.due > state.as_of), None)
    overdue = sum(row.owed.total_fen for row in state.rows if row.due < state.as_of)
    return LoanView(
        customer_id=loan.customer_id,
        loan_id=loan.loan_id,
        application_id=loan.application_id,
        product=loan.product,
        contract_sha256=loan.contract_sha256,
        as_of=state.as_of,
        standing=state.standing,
        asset_class=loan.asset_class,
        principal_fen=loan.terms.principal_fen,
        rate_ppm=loan.terms.rate_ppm,
        months=loan.terms.months,
        method=loan.terms.method,
        opened_on=loan.opened_on,
        maturity=max((row.due for row in state.rows), default=loan.opened_on),
        principal_owed_fen=state.principal_owed_fen,
        due=state.due,
        overdue_fen=overdue,
        days_late=state.days_late,
        oldest_unpaid_due=state.oldest_unpaid_due,
        next_due=ahead.due if ahead else None,
        next_due_fen=ahead.owed.total_fen if ahead else 0,
        payoff_fen=state.payoff_fen,
        credit_fen=state.figures.credit_fen,
        settled_on=state.settled_on,
        written_off_on=state.written_off_on,
        restructured_on=state.restructured_on,
        rows=state.rows,
        legs=loan.legs,
    )
