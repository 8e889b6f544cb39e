"""The funder's own arithmetic of a loan: plan, interest by the day, penalty, and what a payment meets. Exact fractions, rounded once.

Written from the contract's convention (`cn-360`, `cn-365`) alone, so that it can disagree with the lender's: it is the other side's figure.
Order of money: up to 90 days late row by row penalty, interest, principal; beyond that principal, interest, penalty. What comes before
it is due pays interest to the day, then principal, and the level amount is set anew over the same due days.
"""

from calendar import monthrange
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Literal

Method = Literal["level_payment", "level_principal", "interest_first", "bullet"]
METHODS: tuple[str, ...] = ("level_payment", "level_principal", "interest_first", "bullet")
CONVENTIONS: tuple[str, ...] = ("cn-360", "cn-365")
PPM = 1_000_000
LATE_DAYS_MAX = 90
PENALTY = Fraction(3, 2)
CLASSES = ((361, "loss"), (271, "doubtful"), (91, "substandard"), (1, "special_mention"))


@dataclass(frozen=True, slots=True)
class Contract:
    """What was agreed: the sum, the rate a year, how it is paid back, and how days count."""

    principal_fen: int
    rate_ppm: int
    months: int
    method: str
    convention: str


@dataclass(frozen=True, slots=True)
class Sums:
    """Principal, interest and penalty, in fen."""

    principal_fen: int = 0
    interest_fen: int = 0
    penalty_fen: int = 0

    @property
    def total_fen(self) -> int:
        return self.principal_fen + self.interest_fen + self.penalty_fen

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.principal_fen + other.principal_fen, self.interest_fen + other.interest_fen, self.penalty_fen + other.penalty_fen)

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(self.principal_fen - other.principal_fen, self.interest_fen - other.interest_fen, self.penalty_fen - other.penalty_fen)


@dataclass(slots=True)
class Row:
    """One installment: its stretch, what it bears, what was paid of it, and the penalty it has borne up to `late_since`."""

    since: date
    due: date
    base_fen: int
    principal_fen: int
    interest_fen: int
    is_whole: bool
    paid: Sums = field(default_factory=Sums)
    late_since: date | None = None
    borne: Fraction = Fraction(0)

    @property
    def principal_left_fen(self) -> int:
        return self.principal_fen - self.paid.principal_fen


class Loan:
    """A loan from its pay-out on. `pay` takes money; the questions are asked as of a day not before the last payment."""

    def __init__(self, contract: Contract, paid_out: date) -> None:
        self.contract = contract
        self.paid_out = paid_out
        days = [after_months(paid_out, k) for k in range(1, contract.months + 1)]
        starts = [paid_out, *days[:-1]]
        if contract.method == "bullet":
            starts, days = [paid_out], days[-1:]
        self.rows = self._planned(contract.principal_fen, [(since, due, True) for since, due in zip(starts, days, strict=True)])
        self.stopped: date | None = None

    def copy(self) -> "Loan":
        twin = object.__new__(Loan)
        twin.contract, twin.paid_out, twin.stopped = self.contract, self.paid_out, self.stopped
        twin.rows = [replace(row) for row in self.rows]
        return twin

    # -- questions -------------------------------------------------------------------------------------------------------

    def paid(self) -> Sums:
        return sum((row.paid for row in self.rows), Sums())

    def principal_left_fen(self) -> int:
        return sum(row.principal_left_fen for row in self.rows)

    def earned_interest_fen(self, on: date) -> int:
        """Give the interest earned since the pay-out, to the end of `on`."""
        earned = sum(row.interest_fen for row in self.rows if row.due <= on)
        current = self._current(on)
        return earned + (self._accrued_fen(current, on) if current else 0)

    def days_late(self, on: date, *, beyond_fen: int = 0) -> int:
        """Count days since the oldest due day of which more than `beyond_fen` is unpaid."""
        late = [row.due for row in self.rows if row.due <= on and self._owed(row, on).total_fen > beyond_fen]
        return (on - min(late)).days if late else 0

    def due_fen(self, on: date) -> int:
        """Give what is due and unpaid on a day."""
        return sum(self._owed(row, on).total_fen for row in self.rows if row.due <= on)

    def payoff_fen(self, on: date) -> int:
        """Give what ends the loan on a day."""
        ahead = sum(row.principal_left_fen for row in self.rows if row.due > on)
        current = self._current(on)
        return self.due_fen(on) + ahead + (self._unpaid_accrued_fen(current, on) if current else 0)

    def is_settled(self, on: date, *, beyond_fen: int = 0) -> bool:
        """Say whether nothing, or no more than `beyond_fen`, is owed any more."""
        return self.due_fen(on) <= beyond_fen and self.principal_left_fen() <= beyond_fen

    # -- events ------------------------------------------------------------------------------------------------------------

    def pay(self, on: date, fen: int) -> int:
        """Take money on a day; give what no debt needed."""
        order = ("penalty", "interest", "principal") if self.days_late(on) <= LATE_DAYS_MAX else ("principal", "interest", "penalty")
        for row in self.rows:
            if row.due <= on:
                for part in order:
                    fen -= self._meet(row, on, part, fen)
        return self._pay_ahead(on, fen) if fen else 0

    def stop(self, on: date) -> None:
        """Write the loan off: everything is due on the day, and nothing grows any more."""
        self.call(on)
        for row in self.rows:
            self._bear(row, on)
        self.stopped = on

    def call(self, on: date) -> None:
        """Make everything due on a day, with the interest earned to it."""
        current = self._current(on)
        ahead = [row for row in self.rows if row.due > on]
        if current is None:
            return
        earned = max(self._accrued_fen(current, on), current.paid.interest_fen)
        paid = sum((row.paid for row in ahead), Sums())
        called = Row(current.since, on, current.base_fen, sum(row.principal_fen for row in ahead), earned, is_whole=False, paid=paid)
        self.rows = [row for row in self.rows if row.due <= on] + [called]

    def reopen(self, on: date) -> None:
        """Plan all principal anew from a day as one open row: the new terms were not told to us."""
        left = self.principal_left_fen()
        self.call(on)
        for row in self.rows:
            self._bear(row, on)
            row.principal_fen = row.paid.principal_fen
        if left:
            self.rows.append(Row(on, date.max, left, left, 0, is_whole=False))

    # -- inside -----------------------------------------------------------------------------------------------------------

    def _planned(self, balance_fen: int, periods: list[tuple[date, date, bool]]) -> list[Row]:
        """Spread a balance over periods (since, due, whole month or not)."""
        contract = self.contract
        shares = [self._share(since, due, is_whole=is_whole) for since, due, is_whole in periods]
        level = self._level_fen(balance_fen, shares) if contract.method == "level_payment" else 0
        equal = half_up(Fraction(balance_fen, len(periods)))
        rows, base = [], balance_fen
        for k, ((since, due, is_whole), share) in enumerate(zip(periods, shares, strict=True)):
            interest = half_up(base * share)
            if k == len(periods) - 1:
                principal = base
            elif contract.method == "level_payment":
                principal = min(max(level - interest, 0), base)
            elif contract.method == "level_principal":
                principal = min(equal, base)
            else:
                principal = 0
            rows.append(Row(since, due, base, principal, interest, is_whole))
            base -= principal
        return rows

    def _level_fen(self, balance_fen: int, shares: list[Fraction]) -> int:
        """The installment that repays the balance exactly: its worth at the end of all periods, shared over the worth of one fen a period."""
        grown, worth = Fraction(1), Fraction(0)
        for share in shares:
            grown *= 1 + share
            worth = worth * (1 + share) + 1
        return half_up(balance_fen * grown / worth)

    def _share(self, since: date, until: date, *, is_whole: bool) -> Fraction:
        """Give the rate of a stretch: nights over 365, or months of 30 days and odd nights over 360."""
        rate = Fraction(self.contract.rate_ppm, PPM)
        if self.contract.convention == "cn-365":
            return rate * (until - since).days / 365
        months = (until.year - since.year) * 12 + until.month - since.month
        if is_whole:
            return rate * months / 12
        if after_months(since, months) > until:
            months -= 1
        return rate * (30 * months + (until - after_months(since, months)).days) / 360

    def _current(self, on: date) -> Row | None:
        return next((row for row in self.rows if row.due > on and row.base_fen), None)

    def _accrued_fen(self, row: Row, on: date) -> int:
        return half_up(row.base_fen * self._share(row.since, on, is_whole=False))

    def _unpaid_accrued_fen(self, row: Row, on: date) -> int:
        return max(self._accrued_fen(row, on) - row.paid.interest_fen, 0)

    def _penalty_fen(self, row: Row, on: date) -> int:
        return half_up(row.borne + self._running(row, on))

    def _running(self, row: Row, on: date) -> Fraction:
        if self.stopped is not None:
            return Fraction(0)
        since = row.late_since or row.due
        if on <= since:
            return Fraction(0)
        return row.principal_left_fen * self._share(since, on, is_whole=False) * PENALTY

    def _bear(self, row: Row, on: date) -> None:
        """Close the running stretch of penalty, before the principal that bears it changes."""
        if on > row.due:
            row.borne += self._running(row, on)
            row.late_since = on

    def _owed(self, row: Row, on: date) -> Sums:
        return Sums(row.principal_fen, row.interest_fen, self._penalty_fen(row, on)) - row.paid

    def _meet(self, row: Row, on: date, part: str, fen: int) -> int:
        owed = self._owed(row, on)
        match part:
            case "principal":
                taken = min(fen, owed.principal_fen)
                if taken:
                    self._bear(row, on)
                row.paid += Sums(principal_fen=taken)
            case "interest":
                taken = min(fen, owed.interest_fen)
                row.paid += Sums(interest_fen=taken)
            case _:
                taken = min(fen, max(owed.penalty_fen, 0))
                row.paid += Sums(penalty_fen=taken)
        return taken

    def _pay_ahead(self, on: date, fen: int) -> int:
        current = self._current(on)
        if current is None or self.stopped is not None:
            return fen
        unpaid = self._unpaid_accrued_fen(current, on)
        ahead = [row for row in self.rows if row.due > on]
        open_fen = sum(row.principal_left_fen for row in ahead)
        if fen <= unpaid or not open_fen:
            taken = min(fen, unpaid)
            current.paid += Sums(interest_fen=taken)
            return fen - taken
        principal = min(fen - unpaid, open_fen)
        interest = max(self._accrued_fen(current, on), current.paid.interest_fen)
        early = Row(current.since, on, current.base_fen, principal, interest, is_whole=False, paid=Sums(principal, interest))
        planned = []
        if open_fen > principal:
            periods = [(max(row.since, on), row.due, row.is_whole and row.since >= on) for row in ahead if row.base_fen]
            planned = self._planned(open_fen - principal, periods)
        self.rows = [row for row in self.rows if row.due <= on] + [early, *planned]
        return fen - unpaid - principal


def class_of(days_late: int, *, is_written_off: bool = False) -> str:
    """Give the class a loan has by days late."""
    if is_written_off:
        return "loss"
    return next((name for since, name in CLASSES if days_late >= since), "normal")


def part_of(total_fen: int, share_ppm: int) -> int:
    """Give our part of a sum that has been shared since the first day: nearest fen, and a half goes to the lender, whose leg is first."""
    return (2 * total_fen * share_ppm + PPM - 1) // (2 * PPM)


def after_months(day: date, months: int) -> date:
    """Move a day by whole months; a day the month lacks becomes its last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
