"""What a fold gives: rows, figures and what still accrues. Amounts are whole fen, numerators exact integers."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from puhui.engines.schedules.conventions import Convention
from puhui.engines.schedules.daycount import round_ratio, units
from puhui.engines.schedules.terms import Intent, Parts


class Standing(StrEnum):
    """Where a loan stands; exactly one. `void`: the pay-out has not happened, or came back."""

    VOID = "void"
    ACTIVE = "active"
    SETTLED = "settled"
    WRITTEN_OFF = "written_off"


class RowKind(StrEnum):
    """Where a row comes from."""

    PLANNED = "planned"
    PREPAID = "prepaid"
    ACCELERATED = "accelerated"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as it stands: who gets it, what it is, and how much of it was owed, paid and waived."""

    code: str
    payee: str
    due: date
    amount_fen: int
    paid_fen: int
    waived_fen: int


@dataclass(frozen=True, slots=True)
class Row:
    """One installment on a day: what it asks for in all, and what was paid and waived of it. `penalty` is that up to the day."""

    number: int
    kind: RowKind
    since: date
    due: date
    asked: Parts
    paid: Parts
    waived: Parts
    charges: tuple[Charge, ...]

    @property
    def owed(self) -> Parts:
        """What is still to be paid of this row."""
        return self.asked - self.paid - self.waived


@dataclass(frozen=True, slots=True)
class Allocation:
    """How one payment (less what was refunded of it) met the debt; what met none became credit."""

    no: int
    on: date
    intent: Intent
    parts: Parts
    credit_fen: int
    is_recovery: bool


@dataclass(frozen=True, slots=True)
class LateStretch:
    """The penalty of one row as it runs: a numerator up to `since`, and the overdue principal that bears it from there."""

    prior_numerator: int
    since: date
    principal_fen: int
    rate_ppm: int


@dataclass(frozen=True, slots=True)
class Accrual:
    """What grows by itself, in closed form, on days in [from its fold's day, `until`): no event and no due day lies between.

    closed_interest_fen, closed_penalty_fen: earned and booked once for all. base_fen x rate_ppm runs from `since`, if there is a row ahead.
    """

    closed_interest_fen: int
    closed_penalty_fen: int
    base_fen: int
    rate_ppm: int
    since: date
    until: date
    late: tuple[LateStretch, ...]

    def interest_numerator(self, counting: Convention, on: date) -> int:
        """Give the interest earned and not yet due on `on`, over `counting.denominator`."""
        return self.base_fen * self.rate_ppm * units(counting, self.since, on) if self.base_fen else 0

    def interest_fen(self, counting: Convention, on: date) -> int:
        """Give the interest earned since the first day, to the end of `on`."""
        running = round_ratio(counting.rounding, self.interest_numerator(counting, on), counting.denominator)
        return self.closed_interest_fen + running

    def penalty_fen(self, counting: Convention, on: date) -> int:
        """Give the penalty earned since the first day, to the end of `on`."""
        return self.closed_penalty_fen + sum(penalty_of(counting, stretch, on) for stretch in self.late)


def penalty_of(counting: Convention, stretch: LateStretch, on: date) -> int:
    """Give the penalty of one row up to `on`, rounded once."""
    numerator = stretch.prior_numerator
    if stretch.principal_fen:
        numerator += (
            stretch.principal_fen * stretch.rate_ppm * counting.penalty_multiple[0] * units(counting, stretch.since, max(on, stretch.since))
        )
    return round_ratio(counting.rounding, numerator, counting.penalty_denominator)


@dataclass(frozen=True, slots=True)
class Payee:
    """Charges of one payee, cumulative: owed once due, paid, waived."""

    payee: str
    charged_fen: int
    paid_fen: int
    waived_fen: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Cumulative sums of a loan's life up to a day; what the books are made of. All since the first day, in fen."""

    drawn_fen: int
    money_in_fen: int
    credit_paid_out_fen: int
    credit_fen: int
    earned_interest_fen: int
    earned_penalty_fen: int
    paid: Parts
    waived: Parts
    written_off: Parts
    recovered: Parts
    payees: tuple[Payee, ...]


@dataclass(frozen=True, slots=True)
class State:
    """A loan at the end of a day."""

    as_of: date
    standing: Standing
    rows: tuple[Row, ...]
    figures: Figures
    allocations: tuple[Allocation, ...]
    accrual: Accrual
    accrued_numerator: int
    principal_owed_fen: int
    due: Parts
    payoff_fen: int
    oldest_unpaid_due: date | None
    next_due: date | None
    restructured_on: date | None
    days_late_at_restructure: int
    rows_met_since_restructure: int
    written_off_on: date | None
    settled_on: date | None

    @property
    def days_late(self) -> int:
        """Days since the oldest due day with anything unpaid; the day after it is day 1."""
        return days_late(self.oldest_unpaid_due, self.as_of)

    @property
    def due_total_fen(self) -> int:
        """What is due and unpaid on the day."""
        return self.due.total_fen


def days_late(oldest_unpaid_due: date | None, on: date) -> int:
    """Count days late on `on`; on the due day itself, and where nothing is unpaid, 0."""
    return max((on - oldest_unpaid_due).days, 0) if oldest_unpaid_due else 0
