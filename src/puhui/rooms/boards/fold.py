"""The fold: how one event changes the sheets. Pure; the same function follows the log live and rebuilds the boards from its beginning.

It does not matter in which order the events of different things arrive, and of one thing only the last word counts (`*_seq`), so a board
that followed the log and one folded afresh are equal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Self

import msgspec

from puhui.foundation.days import business_date
from puhui.foundation.outbox import Stored
from puhui.vocabulary import events as told

Key = tuple[str | date, ...]
LATE_31, LATE_91 = 31, 91


@dataclass(slots=True)
class Application:
    """One request for money, from the tap to its end."""

    customer_id: str
    application_id: str
    entry_id: str | None = None
    scene: str | None = None
    amount_fen: int = 0
    months: int = 0
    tapped_at: datetime | None = None
    decided_at: datetime | None = None
    outcome: str | None = None
    band: str | None = None
    is_thin_file: bool | None = None
    accepted_at: datetime | None = None
    signed_at: datetime | None = None
    ended_at: datetime | None = None
    ended_why: str | None = None
    place_kind: str = ""
    tier: int = 0
    county: str = ""
    loan_id: str | None = None
    paid_at: datetime | None = None
    paid_fen: int = 0
    returned_at: datetime | None = None
    settled_on: date | None = None


@dataclass(slots=True)
class Loan:
    """One loan, from the money to its end. `left_seq`, `stage_seq`, `class_seq`: the place of the event that spoke last."""

    customer_id: str
    loan_id: str
    application_id: str | None = None
    amount_fen: int = 0
    months: int = 0
    value_date: date | None = None
    paid_at: datetime | None = None
    signed_at: datetime | None = None
    returned_at: datetime | None = None
    repayments: int = 0
    repaid_fen: int = 0
    left_fen: int | None = None
    left_seq: int = 0
    stage: str | None = None
    days_late: int = 0
    overdue_fen: int = 0
    stage_seq: int = 0
    asset_class: str | None = None
    class_seq: int = 0
    settled_on: date | None = None
    written_off_fen: int = 0
    recovered_fen: int = 0
    is_first_loan: bool = False
    late_31_on: date | None = None
    late_91_on: date | None = None
    is_restructured: bool = False
    late_since: date | None = None


@dataclass(slots=True)
class Share:
    """A funder's confirmed part of a loan."""

    customer_id: str
    loan_id: str
    partner_id: str
    share_fen: int = 0
    share_ppm: int = 0


@dataclass(slots=True)
class Case:
    """A complaint, dispute, review or plea, with its clock."""

    customer_id: str
    case_id: str
    kind: str | None = None
    opened_at: datetime | None = None
    due: date | None = None
    closed_at: datetime | None = None
    outcome: str | None = None


@dataclass(slots=True)
class EntryDay:
    entry_id: str
    day: date
    sessions: int = 0


@dataclass(slots=True)
class Day:
    day: date
    registered: int = 0
    repayments: int = 0
    late_repayments: int = 0
    repaid_fen: int = 0
    reversed_fen: int = 0
    failed_collects: int = 0
    failed_pay_outs: int = 0
    messages: int = 0
    is_closed: bool = False
    frozen: int = 0


@dataclass(slots=True)
class Sheets:
    """Rows by key, of every board; a missing row begins empty."""

    applications: dict[Key, Application] = field(default_factory=dict)
    loans: dict[Key, Loan] = field(default_factory=dict)
    shares: dict[Key, Share] = field(default_factory=dict)
    cases: dict[Key, Case] = field(default_factory=dict)
    entry_days: dict[Key, EntryDay] = field(default_factory=dict)
    days: dict[Key, Day] = field(default_factory=dict)

    def application(self, customer_id: str, application_id: str) -> Application:
        return self.applications.setdefault((customer_id, application_id), Application(customer_id, application_id))

    def loan(self, customer_id: str, loan_id: str) -> Loan:
        return self.loans.setdefault((customer_id, loan_id), Loan(customer_id, loan_id))

    def share(self, customer_id: str, loan_id: str, partner_id: str) -> Share:
        return self.shares.setdefault((customer_id, loan_id, partner_id), Share(customer_id, loan_id, partner_id))

    def case(self, customer_id: str, case_id: str) -> Case:
        return self.cases.setdefault((customer_id, case_id), Case(customer_id, case_id))

    def entry_day(self, entry_id: str, day: date) -> EntryDay:
        return self.entry_days.setdefault((entry_id, day), EntryDay(entry_id, day))

    def day(self, day: date) -> Day:
        return self.days.setdefault((day,), Day(day))

    def take(self, events: Iterable[Stored]) -> Self:
        """Fold events into the sheets; kinds that no board shows change nothing."""
        for event in events:
            read = read_event(event.kind, event.body)
            if read is not None:
                _take_one(self, event, read)
        return self


_KINDS = {name: kind for name, kind in vars(told).items() if isinstance(kind, type) and kind.__module__ == told.__name__}


def read_event(kind: str, body: Mapping[str, Any]) -> object | None:
    """Give the event as the value it was told as, or None for a kind this version does not know."""
    known = _KINDS.get(kind)
    return msgspec.convert(body, known) if known is not None else None


def touched(events: Iterable[Stored]) -> Sheets:
    """Give empty rows for all that these events may change: their keys say which rows to load first."""
    return Sheets().take(events)


def _take_one(sheets: Sheets, stored: Stored, event: object) -> None:
    match event:
        case told.SessionOpened() | told.CustomerRegistered() | told.MessageSent() | told.BusinessDayClosed() | told.CollectFailed() | told.AccountFrozen():
            _count(sheets, stored, event)
        case told.ApplicationReceived() | told.ApplicationDecided() | told.OfferAccepted() | told.ContractSigned() | told.ApplicationEnded():
            _take_application(sheets, stored, event)
        case told.CaseOpened(customer_id=customer_id, case_id=case_id):
            case = sheets.case(customer_id, case_id)
            case.kind, case.opened_at, case.due = event.kind, stored.at, event.due
        case told.CaseClosed(customer_id=customer_id, case_id=case_id):
            case = sheets.case(customer_id, case_id)
            case.closed_at, case.outcome = stored.at, event.outcome
        case told.FundingConfirmed(customer_id=customer_id, loan_id=loan_id, partner_id=partner_id):
            share = sheets.share(customer_id, loan_id, partner_id)
            share.share_fen, share.share_ppm = event.share_fen, event.share_ppm
        case _:
            _take_loan(sheets, stored, event)


def _count(sheets: Sheets, stored: Stored, event: object) -> None:
    today = business_date(stored.at)
    match event:
        case told.SessionOpened(entry_id=entry_id):
            sheets.entry_day(entry_id, today).sessions += 1
        case told.CustomerRegistered():
            sheets.day(today).registered += 1
        case told.MessageSent():
            sheets.day(today).messages += 1
        case told.CollectFailed():
            sheets.day(today).failed_collects += 1
        case told.AccountFrozen():
            sheets.day(today).frozen += 1
        case told.BusinessDayClosed(business_date=closed):
            sheets.day(closed).is_closed = True


def _take_application(sheets: Sheets, stored: Stored, event: object) -> None:
    match event:
        case told.ApplicationReceived(customer_id=customer_id, application_id=application_id):
            row = sheets.application(customer_id, application_id)
            row.entry_id, row.scene, row.tapped_at = event.entry_id, event.scene, event.tapped_at
            row.amount_fen, row.months = event.amount_fen, event.months
            row.place_kind, row.tier, row.county = event.place_kind, event.tier, event.county
        case told.ApplicationDecided(customer_id=customer_id, application_id=application_id):
            row = sheets.application(customer_id, application_id)
            if row.decided_at is None or stored.at >= row.decided_at:  # a proof may lead to a second decision
                row.decided_at, row.outcome, row.band, row.is_thin_file = stored.at, event.outcome, event.band, event.is_thin_file
        case told.OfferAccepted(customer_id=customer_id, application_id=application_id):
            sheets.application(customer_id, application_id).accepted_at = stored.at
        case told.ContractSigned(customer_id=customer_id, application_id=application_id):
            sheets.application(customer_id, application_id).signed_at = event.signed_at
        case told.ApplicationEnded(customer_id=customer_id, application_id=application_id):
            row = sheets.application(customer_id, application_id)
            row.ended_at, row.ended_why = stored.at, event.why


def _take_loan(sheets: Sheets, stored: Stored, event: object) -> None:
    match event:
        case told.LoanDisbursed():
            row = sheets.loan(event.customer_id, event.loan_id)
            row.application_id, row.amount_fen, row.months = event.application_id, event.amount_fen, event.months
            row.value_date, row.paid_at, row.signed_at = event.value_date, stored.at, event.signed_at
            of = sheets.application(event.customer_id, event.application_id)
            of.loan_id, of.paid_at, of.paid_fen = event.loan_id, stored.at, event.amount_fen
        case told.PayOutFailed():
            sheets.day(business_date(stored.at)).failed_pay_outs += 1
        case told.DisbursementReturned():
            sheets.loan(event.customer_id, event.loan_id).returned_at = stored.at
            if event.application_id:
                sheets.application(event.customer_id, event.application_id).returned_at = stored.at
        case told.RepaymentPosted():
            _take_repayment(sheets, stored, event)
        case told.RepaymentReversed():
            row = sheets.loan(event.customer_id, event.loan_id)
            row.repaid_fen -= event.amount_fen
            sheets.day(business_date(stored.at)).reversed_fen += event.amount_fen
        case told.LoanFellBehind():
            row = sheets.loan(event.customer_id, event.loan_id)
            if stored.seq > row.stage_seq:
                row.stage, row.days_late, row.overdue_fen, row.stage_seq = event.stage, event.days_late, event.overdue_fen, stored.seq
                row.late_since = event.late_since
            _mark_late(row, business_date(stored.at), event.days_late)
        case told.LoanRestructured():
            sheets.loan(event.customer_id, event.loan_id).is_restructured = True
        case told.LoanCaughtUp():
            row = sheets.loan(event.customer_id, event.loan_id)
            if stored.seq > row.stage_seq:
                row.stage, row.days_late, row.overdue_fen, row.stage_seq, row.late_since = None, 0, 0, stored.seq, None
        case told.LoanSettled():
            row = sheets.loan(event.customer_id, event.loan_id)
            row.settled_on = event.value_date
            if event.application_id:
                sheets.application(event.customer_id, event.application_id).settled_on = event.value_date
            if stored.seq > row.stage_seq:
                row.stage, row.days_late, row.overdue_fen, row.stage_seq, row.late_since = None, 0, 0, stored.seq, None
        case told.AssetClassChanged():
            row = sheets.loan(event.customer_id, event.loan_id)
            if stored.seq > row.class_seq:
                row.asset_class, row.class_seq = event.after, stored.seq
        case told.LoanWrittenOff():
            sheets.loan(event.customer_id, event.loan_id).written_off_fen += event.amount_fen
        case told.LoanRecovered():
            sheets.loan(event.customer_id, event.loan_id).recovered_fen += event.amount_fen
        case told.FirstRecordAccepted():
            sheets.loan(event.customer_id, event.loan_id).is_first_loan = event.was_thin_file


def _mark_late(row: Loan, day: date, days_late: int) -> None:
    """Keep the first day on which the loan was 31 days late, and 91: the earliest told, in whatever order."""
    if days_late >= LATE_31:
        row.late_31_on = min(day, row.late_31_on or day)
    if days_late >= LATE_91:
        row.late_91_on = min(day, row.late_91_on or day)


def _take_repayment(sheets: Sheets, stored: Stored, event: told.RepaymentPosted) -> None:
    row = sheets.loan(event.customer_id, event.loan_id)
    row.repayments += 1
    row.repaid_fen += event.amount_fen
    if stored.seq > row.left_seq:
        row.left_fen, row.left_seq = event.left_fen, stored.seq
    day = sheets.day(event.value_date)
    day.repayments += 1
    day.late_repayments += event.was_late
    day.repaid_fen += event.amount_fen
