"""Events: facts that one room tells the others, in the past tense. Ids and values only, never a person's name or number.

Each has a `customer_id`. They leave through the outbox in the transaction of what they tell; `journeys/reactions.py` lists who answers.
"""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """Someone came through an entry; not yet known who. `customer_id` is that of nobody until log-in."""

    customer_id: str
    session_id: str
    entry_id: str
    scene: str


@dataclass(frozen=True, slots=True)
class CustomerRegistered:
    customer_id: str
    entry_id: str


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    customer_id: str
    consent_id: str
    item: str
    purpose: str
    recipient: str


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn:
    customer_id: str
    consent_id: str
    item: str


@dataclass(frozen=True, slots=True)
class IdentityVerified:
    customer_id: str
    level: str
    until: date


@dataclass(frozen=True, slots=True)
class CardBound:
    customer_id: str
    binding_id: str


@dataclass(frozen=True, slots=True)
class AccountFrozen:
    customer_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class AccountClosed:
    customer_id: str


@dataclass(frozen=True, slots=True)
class CaseOpened:
    """`kind`: complaint | dispute | review | not_mine | hardship | freeze | question; `subject` what it is about (a loan, a decision, a bureau month)."""

    customer_id: str
    case_id: str
    kind: str
    subject: str
    due: date


@dataclass(frozen=True, slots=True)
class CaseClosed:
    customer_id: str
    case_id: str
    kind: str
    subject: str
    outcome: str


@dataclass(frozen=True, slots=True)
class ApplicationReceived:
    """`place_kind` is that of the living place: city | county_seat | village; `tier` that of a city, 0 elsewhere; `county` its six digits."""

    customer_id: str
    application_id: str
    entry_id: str
    scene: str
    amount_fen: int
    months: int
    tapped_at: datetime
    place_kind: str = ""
    tier: int = 0
    county: str = ""


@dataclass(frozen=True, slots=True)
class ApplicationDecided:
    """`outcome`: offer | declined | proof."""

    customer_id: str
    application_id: str
    decision_id: str
    outcome: str
    band: str
    is_thin_file: bool


@dataclass(frozen=True, slots=True)
class OfferAccepted:
    customer_id: str
    application_id: str
    loan_id: str
    amount_fen: int
    months: int


@dataclass(frozen=True, slots=True)
class ApplicationEnded:
    """Ended without a loan: `why` is declined | cancelled | expired | pay_failed."""

    customer_id: str
    application_id: str
    why: str


@dataclass(frozen=True, slots=True)
class ContractSigned:
    customer_id: str
    application_id: str
    loan_id: str
    contract_sha256: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class FundingConfirmed:
    customer_id: str
    loan_id: str
    partner_id: str
    share_fen: int
    share_ppm: int


@dataclass(frozen=True, slots=True)
class LoanDisbursed:
    """Money has arrived. `value_date` is the business date of the rail's end; `signed_at` for the time from signature to money."""

    customer_id: str
    application_id: str
    loan_id: str
    amount_fen: int
    months: int
    value_date: date
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class PayOutFailed:
    customer_id: str
    loan_id: str
    code: str


@dataclass(frozen=True, slots=True)
class DisbursementReturned:
    customer_id: str
    loan_id: str
    code: str
    application_id: str = ""


@dataclass(frozen=True, slots=True)
class PaymentOrdered:
    customer_id: str
    payment_order_id: str
    loan_id: str
    direction: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class RepaymentPosted:
    customer_id: str
    loan_id: str
    payment_order_id: str
    amount_fen: int
    principal_fen: int
    left_fen: int
    value_date: date
    was_late: bool


@dataclass(frozen=True, slots=True)
class RepaymentReversed:
    customer_id: str
    loan_id: str
    payment_order_id: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class CollectFailed:
    customer_id: str
    loan_id: str
    payment_order_id: str
    code: str


@dataclass(frozen=True, slots=True)
class LoanSettled:
    customer_id: str
    loan_id: str
    value_date: date
    application_id: str = ""


@dataclass(frozen=True, slots=True)
class LoanFellBehind:
    """Told at the day's end when the days late of a loan reach a stage: 1, 31, 61, 91, ... `late_since` is the due day that was missed."""

    customer_id: str
    loan_id: str
    days_late: int
    overdue_fen: int
    stage: str
    late_since: date | None = None


@dataclass(frozen=True, slots=True)
class LoanCaughtUp:
    customer_id: str
    loan_id: str


@dataclass(frozen=True, slots=True)
class AssetClassChanged:
    customer_id: str
    loan_id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class LoanRestructured:
    customer_id: str
    loan_id: str
    per_month_fen: int


@dataclass(frozen=True, slots=True)
class LoanWrittenOff:
    customer_id: str
    loan_id: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class LoanRecovered:
    customer_id: str
    loan_id: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class BusinessDayClosed:
    """The books of a day are closed. `customer_id` is that of nobody."""

    customer_id: str
    business_date: date


@dataclass(frozen=True, slots=True)
class MessageSent:
    customer_id: str
    message_id: str
    purpose: str
    template: str


@dataclass(frozen=True, slots=True)
class OptedOut:
    customer_id: str
    purpose: str


@dataclass(frozen=True, slots=True)
class FirstRecordAccepted:
    """The bureau accepted a loan's first record; `was_thin_file` at the decision makes it a first loan."""

    customer_id: str
    loan_id: str
    was_thin_file: bool
