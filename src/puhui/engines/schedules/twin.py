"""The slow twin: the same loan told again, one rule per statement, in `Fraction` and 60-digit `Decimal`. It is the judge in a dispute.

It shares nothing with the fold but the value types: days, factors, rounding, planning, penalty and allocation are written here anew, and
every figure is computed from the whole list of what happened instead of being kept up to date.
"""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from itertools import pairwise

from puhui.engines.schedules.conventions import Convention, DayCount, Part, Rounding
from puhui.engines.schedules.terms import (
    Charged,
    CreditPaidOut,
    Disbursed,
    Event,
    Intent,
    Method,
    Paid,
    Parts,
    Refunded,
    Restructured,
    Terms,
    Undone,
    Waived,
    WrittenOff,
)

_ALL = (Part.PRINCIPAL, Part.INTEREST, Part.FEES, Part.PENALTY)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the twin says of a loan on a day; the fold must say the same to the fen."""

    rows: tuple[tuple[date, Parts, Parts, Parts], ...]  # due, asked, paid, waived
    allocations: tuple[tuple[int, Parts, int], ...]  # event, parts, credit
    credit_fen: int
    due: Parts
    payoff_fen: int
    principal_owed_fen: int
    days_late: int
    accrued: Fraction
    earned_interest_fen: int
    earned_penalty_fen: int


@dataclass(slots=True)
class _Taking:
    on: date
    part: Part
    fen: int
    is_paid: bool


@dataclass(slots=True)
class _Fee:
    due: date
    fen: int
    taken: int = 0


@dataclass(slots=True)
class _Line:
    number: int
    since: date
    due: date
    months: int
    rate: Fraction
    base: int
    principal: int
    interest: int
    planned: bool = True
    interest_shift: int = 0
    penalty_shift: int = 0
    penalty_fixed: int | None = None
    fees: list[_Fee] = field(default_factory=list)
    takings: list[_Taking] = field(default_factory=list)

    def taken(self, part: Part, *, only_paid: bool = False, until: date = date.max) -> int:
        return sum(t.fen for t in self.takings if t.part is part and t.on <= until and (t.is_paid or not only_paid))


def judge(rules: Convention, terms: Terms, events: Sequence[Event], as_of: date) -> Judgement:
    """Tell the loan's life again up to the end of `as_of`."""
    return _Teller(rules, terms).tell(events, as_of)


def planned(rules: Convention, terms: Terms, first_day: date) -> list[tuple[date, int, int]]:
    """Give (due, principal, interest) of every row of a new loan, in fen."""
    teller = _Teller(rules, terms)
    return [(line.due, line.principal, line.interest) for line in teller.plan(terms.principal_fen, teller.periods(first_day, terms))]


class _Teller:
    def __init__(self, rules: Convention, terms: Terms) -> None:
        self.rules, self.terms = rules, terms
        self.method, self.rate = terms.method, Fraction(terms.rate_ppm, 1_000_000)
        self.lines: list[_Line] = []
        self.waiting: list[Charged] = []
        self.credit = 0
        self.told: list[tuple[int, Parts, int]] = []

    def tell(self, events: Sequence[Event], as_of: date) -> Judgement:
        gone = {e.of for e in events if isinstance(e, Undone)}
        back: dict[int, int] = {}
        for e in events:
            if isinstance(e, Refunded) and e.no not in gone:
                back[e.of] = back.get(e.of, 0) + e.amount_fen
        for e in sorted(events, key=lambda e: (e.on, e.no)):
            if e.no in gone or e.on > as_of:
                continue
            if isinstance(e, Paid):
                self.pay(e.no, e.on, e.amount_fen - back.get(e.no, 0), ahead=e.intent is not Intent.DUE)
            elif isinstance(e, Disbursed):
                self.lines = self.plan(self.terms.principal_fen, self.periods(e.on, self.terms))
                for charge in self.waiting:
                    self.charge(charge)
            elif isinstance(e, CreditPaidOut):
                self.credit -= e.amount_fen
            elif isinstance(e, Charged):
                self.charge(e)
            elif isinstance(e, Waived):
                self.waive(e)
            elif isinstance(e, Restructured):
                self.restructure(e)
            elif isinstance(e, WrittenOff):
                self.write_off(e.on)
        return self.judgement(as_of)

    # -- days and numbers -----------------------------------------------------------------------------------------------------------------

    def months_on(self, day: date, months: int) -> date:
        year, month = day.year, day.month
        for _ in range(months):
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        return date(year, month, min(day.day, monthrange(year, month)[1]))

    def factor(self, since: date, until: date, months: int = 0) -> Fraction:
        nights = (until - since) // timedelta(days=1)
        if self.rules.day_count is DayCount.ACTUAL_365:
            return Fraction(nights, 365)
        if months:
            return Fraction(months, 12)
        if self.rules.day_count is DayCount.THIRTY_360:
            return Fraction(nights, 360)
        whole = 0
        while self.months_on(since, whole + 1) <= until:
            whole += 1
        return Fraction(whole, 12) + Fraction((until - self.months_on(since, whole)).days, 360)

    def fen(self, exact: Fraction) -> int:
        floor = exact.numerator // exact.denominator
        rest = exact - floor
        if rest == Fraction(1, 2):
            return floor + 1 if self.rules.rounding is Rounding.HALF_UP else floor + floor % 2
        return floor + (rest > Fraction(1, 2))

    # -- planning -------------------------------------------------------------------------------------------------------------------------

    def periods(self, first_day: date, terms: Terms) -> list[tuple[int, date, date, int]]:
        first_due = terms.first_due or self.months_on(first_day, 1)
        anchor_months = 1 if terms.first_due is None else 0
        dues = [self.months_on(first_day if anchor_months else first_due, k + anchor_months) for k in range(terms.months)]
        is_regular = first_due == self.months_on(first_day, 1)
        if terms.method is Method.BULLET:
            return [(1, first_day, dues[-1], terms.months if terms.first_due is None else 0)]
        starts = [first_day, *dues[:-1]]
        return [(k + 1, starts[k], dues[k], 1 if k > 0 or is_regular else 0) for k in range(terms.months)]

    def plan(self, balance: int, periods: Sequence[tuple[int, date, date, int]]) -> list[_Line]:
        factors = [self.rate * self.factor(since, due, months) for _, since, due, months in periods]
        level = self.level(balance, factors) if self.method is Method.LEVEL_PAYMENT else 0
        equal = self.fen(Fraction(balance, len(periods)))
        flat_total = self.fen(balance * sum(factors, Fraction(0)))
        flat_row = self.fen(Fraction(flat_total, len(periods)))
        lines: list[_Line] = []
        left, flat_left = balance, flat_total
        for k, (number, since, due, months) in enumerate(periods):
            last = k == len(periods) - 1
            interest = self.fen(left * factors[k])
            principal = {
                Method.LEVEL_PAYMENT: max(level - interest, 0),
                Method.LEVEL_PRINCIPAL: equal,
                Method.INTEREST_FIRST: 0,
                Method.BULLET: 0,
                Method.FLAT: equal,
            }[self.method]
            if self.method is Method.FLAT:
                interest = flat_left if last else min(flat_row, flat_left)
                flat_left -= interest
            principal = left if last else min(principal, left)
            lines.append(_Line(number, since, due, months, self.rate, left, principal, interest))
            left -= principal
        return lines

    def level(self, balance: int, factors: Sequence[Fraction]) -> int:
        digits = Context(prec=self.rules.level_digits, rounding=ROUND_HALF_EVEN)

        def one_plus(r: Fraction) -> Decimal:
            return digits.add(Decimal(1), digits.divide(Decimal(r.numerator), Decimal(r.denominator)))

        product, a = one_plus(factors[0]), Decimal(1)
        for r in factors[1:]:
            product = digits.multiply(product, one_plus(r))
            a = digits.add(Decimal(1), digits.multiply(a, one_plus(r)))
        exact = digits.divide(digits.multiply(Decimal(balance), product), a)
        rounding = ROUND_HALF_UP if self.rules.rounding is Rounding.HALF_UP else ROUND_HALF_EVEN
        return int(exact.quantize(Decimal(1), rounding=rounding, context=digits))

    # -- what is owed ---------------------------------------------------------------------------------------------------------------------

    def penalty(self, line: _Line, on: date) -> int:
        if line.penalty_fixed is not None:
            return line.penalty_fixed
        multiple = Fraction(*self.rules.penalty_multiple)
        days = sorted({t.on for t in line.takings if t.part is Part.PRINCIPAL and line.due < t.on < on} | {line.due, on})
        exact = Fraction(0)
        for since, until in pairwise(days):
            if since >= line.due:
                exact += (line.principal - line.taken(Part.PRINCIPAL, until=since)) * self.factor(since, until)
        return self.fen(exact * line.rate * multiple) if on > line.due else 0

    def asked(self, line: _Line, on: date) -> Parts:
        fees = sum(fee.fen for fee in line.fees)
        return Parts(line.principal, line.interest + line.interest_shift, fees, self.penalty(line, on) + line.penalty_shift)

    def owed(self, line: _Line, on: date) -> Parts:
        return self.asked(line, on) - _parts((t.part, t.fen) for t in line.takings)

    def due_lines(self, on: date) -> list[_Line]:
        return [line for line in self.lines if line.due <= on]

    def ahead(self, on: date) -> list[_Line]:
        return [line for line in self.lines if line.due > on]

    def late(self, on: date) -> int:
        unpaid = [line.due for line in self.due_lines(on) if self.owed(line, on).total_fen != 0]
        return (on - min(unpaid)).days if unpaid else 0

    def accrued(self, line: _Line, on: date) -> Fraction:
        return line.base * line.rate * self.factor(line.since, on)

    def take(self, line: _Line, on: date, part: Part, fen: int, *, is_paid: bool = True) -> int:
        if fen <= 0:
            return 0
        line.takings.append(_Taking(on, part, fen, is_paid))
        if part is Part.FEES:
            rest = fen
            for fee in sorted(line.fees, key=lambda fee: fee.due):
                step = min(rest, fee.fen - fee.taken)
                fee.taken, rest = fee.taken + step, rest - step
        return fen

    # -- what happens ---------------------------------------------------------------------------------------------------------------------

    def charge(self, e: Charged) -> None:
        if not self.lines:
            self.waiting.append(e)
            return
        day = max(e.due, e.on)
        lines = [line for line in self.lines if line.planned and line.due >= day]
        if not lines:
            lines = [_Line(max(x.number for x in self.lines) + 1, self.lines[-1].due, day, 0, self.rate, 0, 0, 0)]
            self.lines.append(lines[0])
        lines[0].fees.append(_Fee(e.due, e.amount_fen))

    def pay(self, no: int, on: date, fen: int, *, ahead: bool) -> None:
        if fen == 0:
            return
        before, left = self.paid(), fen
        late = self.late(on)
        order = self.rules.order if late <= self.rules.late_days_max else self.rules.order_beyond
        for line in sorted(self.due_lines(on), key=lambda line: line.due):
            for part in order:
                left -= self.take(line, on, part, min(left, self.owed(line, on).of(part)))
        if ahead and left:
            left = self.pay_ahead(on, left)
        self.credit += left
        self.told.append((no, self.paid() - before, left))

    def paid(self) -> Parts:
        return _parts((t.part, t.fen) for line in self.lines for t in line.takings if t.is_paid)

    def pay_ahead(self, on: date, left: int) -> int:
        lines = self.ahead(on)
        for line in lines:
            for part, shift in ((Part.PENALTY, line.penalty_shift), (Part.INTEREST, line.interest_shift)):
                left -= self.take(line, on, part, min(left, shift - line.taken(part)))
        bearing = [line for line in lines if line.base]
        if not bearing:
            return left
        now = bearing[0]
        left -= self.take(now, on, Part.FEES, min(left, sum(fee.fen - fee.taken for fee in now.fees if fee.due <= on)))
        in_advance = max(now.taken(Part.INTEREST) - now.interest_shift, 0)
        interest = max(self.fen(self.accrued(now, on)) - in_advance, 0)
        open_principal = sum(line.principal for line in bearing)
        if left <= interest or not open_principal:
            return left - self.take(now, on, Part.INTEREST, min(left, interest))
        principal = min(left - interest, open_principal)
        early = _Line(now.number, now.since, on, 0, now.rate, now.base, principal, in_advance + interest, planned=False)
        early.interest_shift = sum(line.interest_shift for line in lines)
        early.penalty_shift = sum(line.penalty_shift for line in lines)
        early.fees = [fee for fee in now.fees if fee.due <= on]
        early.takings = [t for line in lines for t in line.takings]
        early.takings += [_Taking(on, Part.INTEREST, interest, is_paid=True), _Taking(on, Part.PRINCIPAL, principal, is_paid=True)]
        fresh: list[_Line] = []
        if principal < open_principal:
            periods = [(x.number, max(x.since, on), x.due, x.months if x.since >= on else 0) for x in bearing]
            fresh = self.plan(open_principal - principal, periods)
            fresh += [_Line(x.number, x.since, x.due, 0, x.rate, 0, 0, 0) for x in lines if not x.base]
            for line in fresh:
                line.fees = [fee for x in lines if x.number == line.number for fee in x.fees if fee.due > on]
        self.lines = [*self.due_lines(on), early, *fresh]
        return left - interest - principal

    def waive(self, e: Waived) -> None:
        for part in _ALL:
            left = e.parts.of(part)
            for line in self.due_lines(e.on):
                left -= self.take(line, e.on, part, min(left, self.owed(line, e.on).of(part)), is_paid=False)

    def restructure(self, e: Restructured) -> None:
        if not self.lines:
            return
        now = next((line for line in self.ahead(e.on) if line.base), None)
        principal = interest = penalty = 0
        fees: list[_Fee] = []
        for line in self.lines:
            was_ahead = line.due > e.on
            line.penalty_fixed = self.penalty(line, e.on)
            earned = line.interest if not was_ahead else self.fen(self.accrued(line, e.on)) if line is now else 0
            owed_principal = line.principal - line.taken(Part.PRINCIPAL)
            owed_interest = earned + line.interest_shift - line.taken(Part.INTEREST)
            owed_penalty = line.penalty_fixed + line.penalty_shift - line.taken(Part.PENALTY)
            fees += [_Fee(fee.due, fee.fen - fee.taken) for fee in line.fees if fee.fen > fee.taken]
            line.fees = [_Fee(fee.due, fee.taken, fee.taken) for fee in line.fees if fee.taken]
            line.principal -= owed_principal
            line.interest, line.interest_shift = earned, line.interest_shift - owed_interest
            line.penalty_shift -= owed_penalty
            line.planned = line.planned and not was_ahead
            line.due = min(line.due, e.on)
            principal, interest, penalty = principal + owed_principal, interest + owed_interest, penalty + owed_penalty
        self.lines = [x for x in self.lines if self.asked(x, e.on).total_fen or x.interest or x.penalty_fixed]
        self.method, self.rate = e.method, Fraction(e.rate_ppm, 1_000_000)
        top = max((line.number for line in self.lines), default=0)
        terms = Terms(principal or 1, e.rate_ppm, e.months, e.method, e.first_due)
        periods = [(top + k, since, due, months) for k, since, due, months in self.periods(e.on, terms)]
        fresh = self.plan(principal, periods) if principal else [_Line(k, s, d, m, self.rate, 0, 0, 0) for k, s, d, m in periods]
        for line in fresh:
            line.interest_shift, line.penalty_shift = interest // len(fresh), penalty // len(fresh)
        fresh[-1].interest_shift += interest - sum(line.interest_shift for line in fresh)
        fresh[-1].penalty_shift += penalty - sum(line.penalty_shift for line in fresh)
        for fee in fees:
            next((line for line in fresh if line.due >= fee.due), fresh[-1]).fees.append(fee)
        self.lines += fresh

    def write_off(self, on: date) -> None:
        lines = self.ahead(on)
        if lines:
            now = next((line for line in lines if line.base), lines[0])
            in_advance = max(now.taken(Part.INTEREST) - now.interest_shift, 0)
            interest = max(self.fen(self.accrued(now, on)), in_advance)
            called = _Line(now.number, now.since, on, 0, now.rate, now.base, sum(x.principal for x in lines), interest, planned=False)
            called.interest_shift = sum(line.interest_shift for line in lines)
            called.penalty_shift = sum(line.penalty_shift for line in lines)
            called.fees = [fee for line in lines for fee in line.fees if fee.due <= on]
            called.takings = [t for line in lines for t in line.takings]
            self.lines = [*self.due_lines(on), called]
        for line in self.lines:
            line.penalty_fixed = self.penalty(line, on)

    # -- the judgement --------------------------------------------------------------------------------------------------------------------

    def payoff(self, on: date) -> int:
        total = sum(self.owed(line, on).total_fen for line in self.due_lines(on))
        for line in self.ahead(on):
            total += max(line.interest_shift - line.taken(Part.INTEREST), 0) + max(line.penalty_shift - line.taken(Part.PENALTY), 0)
        bearing = [line for line in self.ahead(on) if line.base]
        if bearing:
            now = bearing[0]
            in_advance = max(now.taken(Part.INTEREST) - now.interest_shift, 0)
            total += max(self.fen(self.accrued(now, on)) - in_advance, 0)
            total += sum(fee.fen - fee.taken for fee in now.fees if fee.due <= on)
            total += sum(line.principal for line in bearing)
        return total

    def judgement(self, on: date) -> Judgement:
        now = next((line for line in self.ahead(on) if line.base), None)
        accrued = self.accrued(now, on) if now else Fraction(0)
        rows = tuple(
            (
                line.due,
                self.asked(line, on),
                _parts((t.part, t.fen) for t in line.takings if t.is_paid),
                _parts((t.part, t.fen) for t in line.takings if not t.is_paid),
            )
            for line in self.lines
        )
        return Judgement(
            rows=rows,
            allocations=tuple(self.told),
            credit_fen=self.credit,
            due=sum((self.owed(line, on) for line in self.due_lines(on)), Parts()),
            payoff_fen=self.payoff(on),
            principal_owed_fen=sum(line.principal - line.taken(Part.PRINCIPAL) for line in self.lines),
            days_late=self.late(on),
            accrued=accrued,
            earned_interest_fen=sum(line.interest for line in self.due_lines(on)) + self.fen(accrued),
            earned_penalty_fen=sum(self.penalty(line, on) for line in self.due_lines(on)),
        )


def _parts(takings: Iterable[tuple[Part, int]]) -> Parts:
    sums = dict.fromkeys(_ALL, 0)
    for part, fen in takings:
        sums[part] += fen
    return Parts(*(sums[part] for part in _ALL))
