"""Terms, the events of a loan's life, and parts of a debt: the values that the fold reads. Amounts are whole fen."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from puhui.engines.schedules.conventions import Part


class Method(StrEnum):
    """How the principal comes back. `flat` can be quoted and planned, never lent: its rate is nominal."""

    LEVEL_PAYMENT = "level_payment"
    LEVEL_PRINCIPAL = "level_principal"
    INTEREST_FIRST = "interest_first"
    BULLET = "bullet"
    FLAT = "flat"


class Intent(StrEnum):
    """What the payer asked for: only what is due, or also (or all of) what is not yet due."""

    DUE = "due"
    PREPAY = "prepay"
    PAYOFF = "payoff"


@dataclass(frozen=True, slots=True)
class Parts:
    """An amount by kind of debt, in fen."""

    principal_fen: int = 0
    interest_fen: int = 0
    fees_fen: int = 0
    penalty_fen: int = 0

    @property
    def total_fen(self) -> int:
        """All parts together."""
        return self.principal_fen + self.interest_fen + self.fees_fen + self.penalty_fen

    def __add__(self, other: "Parts") -> "Parts":
        return Parts(
            self.principal_fen + other.principal_fen,
            self.interest_fen + other.interest_fen,
            self.fees_fen + other.fees_fen,
            self.penalty_fen + other.penalty_fen,
        )

    def __sub__(self, other: "Parts") -> "Parts":
        return Parts(
            self.principal_fen - other.principal_fen,
            self.interest_fen - other.interest_fen,
            self.fees_fen - other.fees_fen,
            self.penalty_fen - other.penalty_fen,
        )

    def of(self, part: Part) -> int:
        """Give one part, in fen."""
        match part:
            case Part.PRINCIPAL:
                return self.principal_fen
            case Part.INTEREST:
                return self.interest_fen
            case Part.FEES:
                return self.fees_fen
            case Part.PENALTY:
                return self.penalty_fen

    @staticmethod
    def only(part: Part, amount_fen: int) -> "Parts":
        """Give `amount_fen` as one part."""
        match part:
            case Part.PRINCIPAL:
                return Parts(principal_fen=amount_fen)
            case Part.INTEREST:
                return Parts(interest_fen=amount_fen)
            case Part.FEES:
                return Parts(fees_fen=amount_fen)
            case Part.PENALTY:
                return Parts(penalty_fen=amount_fen)


NOTHING = Parts()


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed: the sum, the yearly rate (ppm), the method and the months. The first day is that of the pay-out."""

    principal_fen: int
    rate_ppm: int
    months: int
    method: Method
    first_due: date | None = None

    def __post_init__(self) -> None:
        assert self.principal_fen > 0, self
        assert 0 <= self.rate_ppm <= 10_000_000, self
        assert 1 <= self.months <= 360, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a loan. `no` counts from 1 in the order of recording; `on` is the value date."""

    no: int
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Disbursed(Event):
    """The whole principal was paid out on `on`, the first day of the loan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid(Event):
    """Money came in, from the borrower or for him."""

    amount_fen: int
    intent: Intent = Intent.DUE

    def __post_init__(self) -> None:
        assert self.amount_fen > 0, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded(Event):
    """So much of payment `of` went back: the fold takes that payment as if it had been smaller from the start."""

    of: int
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPaidOut(Event):
    """The lender sent a credit balance back to the customer."""

    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged(Event):
    """A charge of the cost table, owed with the row whose period holds `due`."""

    due: date
    amount_fen: int
    payee: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived(Event):
    """Debt given up: at most these parts of what was due on the day, oldest row first."""

    parts: Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Restructured(Event):
    """New rate, months, method and first due day for all principal still owed.

    Unpaid interest, penalty and fees move, rounded as they stood, evenly into the new rows; they bear no interest.
    """

    rate_ppm: int
    months: int
    method: Method
    first_due: date


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenOff(Event):
    """Taken off the books: everything is due at once, nothing accrues any more; money after this is a recovery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone(Event):
    """Event `of` never happened (a payment or a pay-out that came back); everything after it is folded again."""

    of: int
