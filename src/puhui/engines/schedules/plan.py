"""Planning: a balance and its due days into rows of principal and interest. Exact integers, rounded once a row."""

from dataclasses import dataclass
from datetime import date

from puhui.engines.schedules.conventions import Convention
from puhui.engines.schedules.daycount import due_days, round_ratio, units
from puhui.engines.schedules.terms import Method, Terms


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One installment as planned: its stretch [since, due), what it bears and the balance left after it."""

    number: int
    since: date
    due: date
    rhythm_months: int
    base_fen: int
    principal_fen: int
    interest_fen: int

    @property
    def balance_fen(self) -> int:
        """Principal left after this row."""
        return self.base_fen - self.principal_fen

    @property
    def total_fen(self) -> int:
        """What the borrower pays on the due day, without charges."""
        return self.principal_fen + self.interest_fen


@dataclass(frozen=True, slots=True)
class Stretch:
    """A period to be planned: `rhythm_months` > 0 where it is whole and unbroken."""

    number: int
    since: date
    due: date
    rhythm_months: int


def stretches(terms: Terms, first_day: date) -> tuple[Stretch, ...]:
    """Give the periods of a loan paid out on `first_day`; a bullet has one of all months."""
    days = due_days(first_day, terms.months, terms.first_due)
    if terms.method is Method.BULLET:
        return (Stretch(1, first_day, days[-1], terms.months if terms.first_due is None else 0),)
    starts = (first_day, *days[:-1])
    regular_first = terms.first_due is None or due_days(first_day, 1)[0] == days[0]
    return tuple(
        Stretch(k + 1, since, due, 1 if k or regular_first else 0) for k, (since, due) in enumerate(zip(starts, days, strict=True))
    )


def plan(counting: Convention, terms: Terms, first_day: date) -> tuple[PlannedRow, ...]:
    """Give the repayment plan of `terms`, paid out on `first_day`. The last row takes the balance."""
    return plan_rows(counting, terms.method, terms.rate_ppm, terms.principal_fen, stretches(terms, first_day))


def plan_rows(
    counting: Convention, method: Method, rate_ppm: int, balance_fen: int, periods: tuple[Stretch, ...]
) -> tuple[PlannedRow, ...]:
    """Spread `balance_fen` over `periods`."""
    assert balance_fen > 0, balance_fen
    assert periods
    shares = [rate_ppm * units(counting, p.since, p.due, p.rhythm_months) for p in periods]
    level_fen = _level_fen(counting, balance_fen, shares) if method is Method.LEVEL_PAYMENT else 0
    equal_fen = round_ratio(counting.rounding, balance_fen, len(periods))

    rows, base, flat_left = [], balance_fen, _flat_total_fen(counting, balance_fen, shares)
    for period, share in zip(periods, shares, strict=True):
        is_last = period is periods[-1]
        interest = round_ratio(counting.rounding, base * share, counting.denominator)
        match method:
            case Method.LEVEL_PAYMENT:
                principal = max(level_fen - interest, 0)
            case Method.LEVEL_PRINCIPAL:
                principal = equal_fen
            case Method.INTEREST_FIRST | Method.BULLET:
                principal = 0
            case Method.FLAT:
                principal = equal_fen
                every = round_ratio(counting.rounding, _flat_total_fen(counting, balance_fen, shares), len(periods))
                interest = flat_left if is_last else min(every, flat_left)
                flat_left -= interest
        principal = base if is_last else min(principal, base)
        rows.append(PlannedRow(period.number, period.since, period.due, period.rhythm_months, base, principal, interest))
        base -= principal
    assert base == 0, base
    return tuple(rows)


def _flat_total_fen(counting: Convention, balance_fen: int, shares: list[int]) -> int:
    return round_ratio(counting.rounding, balance_fen * sum(shares), counting.denominator)


def _level_fen(counting: Convention, balance_fen: int, shares: list[int]) -> int:
    """E = round(balance x product(1 + r_i) / a_n), a_1 = 1, a_i = 1 + a_(i-1) x (1 + r_i); all over the common denominator, exactly."""
    one = counting.denominator
    growth, annuity, scale = one + shares[0], 1, 1  # growth / (one * scale), annuity / scale
    for share in shares[1:]:
        scale *= one
        annuity = scale + annuity * (one + share)
        growth *= one + share
    return round_ratio(counting.rounding, balance_fen * growth, annuity * one)
