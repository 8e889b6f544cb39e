"""The fold: a loan's state as a pure function of convention, terms, events and a day. Exact integers; one rounding per booked figure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from puhui.engines.schedules.conventions import Convention, Part
from puhui.engines.schedules.daycount import due_days, round_ratio, units
from puhui.engines.schedules.plan import PlannedRow, Stretch, plan_rows, stretches
from puhui.engines.schedules.state import (
    Accrual,
    Allocation,
    Charge,
    Figures,
    LateStretch,
    Payee,
    Row,
    RowKind,
    Standing,
    State,
    days_late,
    penalty_of,
)
from puhui.engines.schedules.terms import (
    NOTHING,
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

_NEVER = date.max


def fold(counting: Convention, terms: Terms, events: Sequence[Event], as_of: date) -> State:
    """Give the loan at the end of `as_of`.

    Events count from their value date, those of one day in the order of recording; what was undone never happened, what was refunded of a
    payment was never paid. The same events give the same state in whatever order they were learned.
    """
    assert terms.method is not Method.FLAT, "a flat rate is a quotation only"
    book = _Book(counting, terms)
    for event in effective(events):
        if event.on <= as_of:
            book.take(event)
    return book.state(as_of)


def effective(events: Sequence[Event]) -> tuple[Event, ...]:
    """Give the events as they count: without the undone ones and what undid them, payments less their refunds, by value date."""
    undone = {event.of for event in events if isinstance(event, Undone)}
    refunded: dict[int, int] = {}
    for event in events:
        if isinstance(event, Refunded) and event.no not in undone:
            refunded[event.of] = refunded.get(event.of, 0) + event.amount_fen
    kept: list[Event] = []
    for event in events:
        if event.no in undone or isinstance(event, Undone | Refunded):
            continue
        if isinstance(event, Paid) and event.no in refunded:
            left = event.amount_fen - refunded[event.no]
            assert left >= 0, "more was refunded than paid"
            if left:
                kept.append(replace(event, amount_fen=left))
            continue
        kept.append(event)
    return tuple(sorted(kept, key=lambda event: (event.on, event.no)))


@dataclass(slots=True)
class _Charge:
    code: str
    payee: str
    due: date
    amount_fen: int
    paid_fen: int = 0
    waived_fen: int = 0

    @property
    def owed_fen(self) -> int:
        return self.amount_fen - self.paid_fen - self.waived_fen

    def shown(self) -> Charge:
        return Charge(self.code, self.payee, self.due, self.amount_fen, self.paid_fen, self.waived_fen)


@dataclass(slots=True)
class _Row:
    """A row while it is folded.

    interest_fen is what its own stretch earns; a shift is what was carried into the row from earlier ones, less what was moved out of it.
    """

    number: int
    kind: RowKind
    since: date
    due: date
    rhythm_months: int
    rate_ppm: int
    base_fen: int
    principal_fen: int
    interest_fen: int
    interest_shift_fen: int = 0
    penalty_shift_fen: int = 0
    charges: list[_Charge] = field(default_factory=list)
    paid: Parts = NOTHING
    waived: Parts = NOTHING
    penalty_numerator: int = 0
    penalty_since: date | None = None
    penalty_until: date = _NEVER

    @property
    def met(self) -> Parts:
        return self.paid + self.waived

    @property
    def principal_left_fen(self) -> int:
        return self.principal_fen - self.met.principal_fen

    @property
    def carried_left_fen(self) -> tuple[int, int]:
        """Interest and penalty carried into this row and not yet met; money that comes ahead meets them first."""
        return (
            max(self.interest_shift_fen - self.met.interest_fen, 0),
            max(self.penalty_shift_fen - self.met.penalty_fen, 0),
        )

    @property
    def paid_ahead_fen(self) -> int:
        """Interest of the row's own stretch that was met before its due day."""
        return max(self.met.interest_fen - self.interest_shift_fen, 0)

    def stretch(self) -> LateStretch:
        runs = 0 if self.penalty_until < _NEVER else self.principal_left_fen
        return LateStretch(self.penalty_numerator, self.penalty_since or self.due, runs, self.rate_ppm)

    def settle_penalty(self, counting: Convention, on: date) -> None:
        """Close the running stretch at `on`, before the principal that bears it changes."""
        if self.penalty_until < _NEVER or on <= self.due:
            return
        share = units(counting, self.penalty_since or self.due, on) * counting.penalty_multiple[0]
        self.penalty_numerator += self.principal_left_fen * self.rate_ppm * share
        self.penalty_since = on

    def close_penalty(self, counting: Convention, on: date) -> None:
        """Let no more penalty grow after `on`."""
        self.settle_penalty(counting, on)
        self.penalty_until = min(self.penalty_until, on)

    def earned_penalty_fen(self, counting: Convention, on: date) -> int:
        return penalty_of(counting, self.stretch(), on) if on > self.due else 0

    def asked(self, counting: Convention, on: date) -> Parts:
        return Parts(
            self.principal_fen,
            self.interest_fen + self.interest_shift_fen,
            sum(charge.amount_fen for charge in self.charges),
            self.earned_penalty_fen(counting, on) + self.penalty_shift_fen,
        )

    def owed(self, counting: Convention, on: date) -> Parts:
        return self.asked(counting, on) - self.met

    def charges_due_fen(self, on: date) -> int:
        return sum(charge.owed_fen for charge in self.charges if charge.due <= on)

    def reduce(self, counting: Convention, on: date, part: Part, amount_fen: int, *, is_paid: bool) -> int:
        """Take an amount of one part off this row, as paid or as waived, and give it back."""
        if not amount_fen:
            return 0
        if part is Part.PRINCIPAL:
            self.settle_penalty(counting, on)
        if part is Part.FEES:
            self._reduce_charges(amount_fen, is_paid=is_paid)
        if is_paid:
            self.paid += Parts.only(part, amount_fen)
        else:
            self.waived += Parts.only(part, amount_fen)
        return amount_fen

    def _reduce_charges(self, amount_fen: int, *, is_paid: bool) -> None:
        for charge in sorted(self.charges, key=lambda charge: charge.due):
            taken = min(amount_fen, charge.owed_fen)
            if is_paid:
                charge.paid_fen += taken
            else:
                charge.waived_fen += taken
            amount_fen -= taken
        assert amount_fen == 0, "more fees were taken than owed"

    def cut(self, counting: Convention, on: date, earned_interest_fen: int) -> tuple[Parts, list[_Charge]]:
        """Let this row keep only what was met; give what it still owed on `on`, and its charges not yet met."""
        self.close_penalty(counting, on)
        moved = Parts(
            self.principal_left_fen,
            earned_interest_fen + self.interest_shift_fen - self.met.interest_fen,
            0,
            self.owed(counting, on).penalty_fen,
        )
        self.interest_fen = earned_interest_fen
        self.interest_shift_fen -= moved.interest_fen
        self.penalty_shift_fen -= moved.penalty_fen
        self.principal_fen -= moved.principal_fen
        leaving = [
            _Charge(charge.code, charge.payee, charge.due, charge.owed_fen) for charge in self.charges if charge.owed_fen
        ]
        for charge in self.charges:
            charge.amount_fen -= charge.owed_fen
        self.charges = [charge for charge in self.charges if charge.amount_fen]
        if self.due > on:
            self.due, self.kind, self.rhythm_months = on, RowKind.MOVED, 0
        return moved, leaving

    def is_empty(self, counting: Convention, on: date) -> bool:
        return self.asked(counting, on) == NOTHING and not self.interest_fen and not self.earned_penalty_fen(counting, on)


class _Book:
    """The loan while events are taken, in order of value date."""

    def __init__(self, counting: Convention, terms: Terms) -> None:
        self.counting = counting
        self.terms = terms
        self.method = terms.method
        self.rate_ppm = terms.rate_ppm
        self.rows: list[_Row] = []
        self.early_charges: list[Charged] = []
        self.drawn_fen = 0
        self.money_in_fen = 0
        self.credit_in_fen = 0
        self.credit_out_fen = 0
        self.allocations: list[Allocation] = []
        self.written_off = NOTHING
        self.written_off_on: date | None = None
        self.restructured_on: date | None = None
        self.days_late_at_restructure = 0
        self.settled_on: date | None = None

    def take(self, event: Event) -> None:
        match event:
            case Disbursed():
                self._disburse(event)
            case Paid():
                self._pay(event)
            case CreditPaidOut():
                self.credit_out_fen += event.amount_fen
            case Charged():
                self._charge(event)
            case Waived():
                self._waive(event)
            case Restructured() if self.rows:
                self._restructure(event)
            case WrittenOff() if self.rows:
                self._write_off(event)
            case _:
                assert isinstance(event, Restructured | WrittenOff), event
        self._note_settled(event.on)

    # -- events -------------------------------------------------------------------------------------------------------------------------

    def _disburse(self, event: Disbursed) -> None:
        assert not self.drawn_fen, "a loan is paid out once"
        self.drawn_fen = self.terms.principal_fen
        planned = plan_rows(self.counting, self.method, self.rate_ppm, self.drawn_fen, stretches(self.terms, event.on))
        self.rows = [self._row(row) for row in planned]
        for charge in self.early_charges:
            self._charge(charge)
        self.early_charges = []

    def _row(self, row: PlannedRow) -> _Row:
        rate, months = self.rate_ppm, row.rhythm_months
        return _Row(row.number, RowKind.PLANNED, row.since, row.due, months, rate, row.base_fen, row.principal_fen, row.interest_fen)

    def _charge(self, event: Charged) -> None:
        if not self.rows:
            self.early_charges.append(event)
            return
        day = max(event.due, event.on)
        holder = next((row for row in self.rows if row.due >= day and row.kind is RowKind.PLANNED), None)
        if holder is None:
            last = max(row.number for row in self.rows)
            holder = _Row(last + 1, RowKind.PLANNED, self.rows[-1].due, day, 0, self.rate_ppm, 0, 0, 0)
            self.rows.append(holder)
        holder.charges.append(_Charge(event.code, event.payee, event.due, event.amount_fen))

    def _pay(self, event: Paid) -> None:
        self.money_in_fen += event.amount_fen
        before, left = self._paid(), event.amount_fen
        order = self.counting.order_for(days_late(self._oldest_unpaid(event.on), event.on))
        for row in self._due_rows(event.on):
            for part in order:
                left -= row.reduce(self.counting, event.on, part, min(left, row.owed(self.counting, event.on).of(part)), is_paid=True)
        if left and event.intent is not Intent.DUE:
            left = self._prepay(event.on, left)
        self.credit_in_fen += left
        is_recovery = self.written_off_on is not None
        self.allocations.append(Allocation(event.no, event.on, event.intent, self._paid() - before, left, is_recovery))

    def _prepay(self, on: date, left: int) -> int:
        """Meet what is not yet due: old debt carried ahead, charges and interest to the day, then principal; give what is left over."""
        ahead = self._ahead(on)
        for row in ahead:
            interest, penalty = row.carried_left_fen
            left -= row.reduce(self.counting, on, Part.PENALTY, min(left, penalty), is_paid=True)
            left -= row.reduce(self.counting, on, Part.INTEREST, min(left, interest), is_paid=True)
        bearing = [row for row in ahead if row.base_fen]
        if not bearing:
            return left
        current = bearing[0]
        left -= current.reduce(self.counting, on, Part.FEES, min(left, current.charges_due_fen(on)), is_paid=True)
        unpaid = max(self._accrued_fen(current, on) - current.paid_ahead_fen, 0)
        open_fen = sum(row.principal_left_fen for row in bearing)
        if left <= unpaid or not open_fen:
            return left - current.reduce(self.counting, on, Part.INTEREST, min(left, unpaid), is_paid=True)
        principal = min(left - unpaid, open_fen)
        self._plan_anew(on, ahead, principal, open_fen - principal)
        return left - unpaid - principal

    def _plan_anew(self, on: date, ahead: list[_Row], principal: int, open_fen: int) -> None:
        """Put what is paid ahead into a row of its own, due on the day, and set the rest anew over the same due days."""
        bearing = [row for row in ahead if row.base_fen]
        current = bearing[0]
        paid_row = _Row(
            current.number, RowKind.PREPAID, current.since, on, 0, current.rate_ppm, current.base_fen, principal,
            max(self._accrued_fen(current, on), current.paid_ahead_fen),
            interest_shift_fen=sum(row.interest_shift_fen for row in ahead),
            penalty_shift_fen=sum(row.penalty_shift_fen for row in ahead),
            charges=[charge for charge in current.charges if charge.due <= on],
        )  # fmt: skip
        paid_row.waived = sum((row.waived for row in ahead), NOTHING)
        paid_row.paid = paid_row.asked(self.counting, on) - paid_row.waived
        later_charges = {row.number: [charge for charge in row.charges if charge.due > on] for row in ahead}
        planned: list[_Row] = []
        if open_fen:
            periods = tuple(
                Stretch(row.number, row.since, row.due, row.rhythm_months)
                if row.since >= on
                else Stretch(row.number, on, row.due, 0)
                for row in bearing
            )
            planned = [self._row(row) for row in plan_rows(self.counting, self.method, self.rate_ppm, open_fen, periods)]
            planned += [row for row in ahead if not row.base_fen]
            for row in planned:
                row.charges = later_charges[row.number]
                row.interest_shift_fen, row.penalty_shift_fen, row.paid, row.waived = 0, 0, NOTHING, NOTHING
        self.rows = [row for row in self.rows if row.due <= on] + [paid_row] + planned

    def _waive(self, event: Waived) -> None:
        left = event.parts
        for row in self._due_rows(event.on):
            for part in Part:
                given = min(left.of(part), row.owed(self.counting, event.on).of(part))
                left -= Parts.only(part, row.reduce(self.counting, event.on, part, max(given, 0), is_paid=False))

    def _restructure(self, event: Restructured) -> None:
        """Cut every row to what was met; plan the principal anew from the day, and carry the rest evenly into the new rows."""
        self.days_late_at_restructure = days_late(self._oldest_unpaid(event.on), event.on)
        moved, charges = self._cut_all(event.on)
        self.method, self.rate_ppm = event.method, event.rate_ppm
        days = due_days(event.on, event.months, event.first_due)
        terms = Terms(max(moved.principal_fen, 1), event.rate_ppm, event.months, event.method, event.first_due)
        first_number = max((row.number for row in self.rows), default=0)
        periods = tuple(replace(period, number=first_number + period.number) for period in stretches(terms, event.on))
        if moved.principal_fen:
            planned = [self._row(row) for row in plan_rows(self.counting, event.method, event.rate_ppm, moved.principal_fen, periods)]
        else:
            planned = [_Row(p.number, RowKind.PLANNED, p.since, p.due, p.rhythm_months, self.rate_ppm, 0, 0, 0) for p in periods]
        assert planned[-1].due == days[-1], "the last new row is due with the last new due day"
        for k, row in enumerate(planned):
            is_last = row is planned[-1]
            row.interest_shift_fen = moved.interest_fen // len(planned) + (moved.interest_fen % len(planned) if is_last else 0)
            row.penalty_shift_fen = moved.penalty_fen // len(planned) + (moved.penalty_fen % len(planned) if is_last else 0)
            row.charges = [
                charge
                for charge in charges
                if (k == 0 or charge.due > planned[k - 1].due) and (is_last or charge.due <= row.due)
            ]
        self.rows += planned
        self.restructured_on = event.on

    def _cut_all(self, on: date) -> tuple[Parts, list[_Charge]]:
        ahead = self._ahead(on)
        current = next((row for row in ahead if row.base_fen), None)
        accrued = self._accrued_fen(current, on) if current else 0
        moved, charges = NOTHING, []
        for row in self.rows:
            earned = row.interest_fen if row.due <= on else accrued if row is current else 0
            parts, leaving = row.cut(self.counting, on, earned)
            moved += parts
            charges += leaving
        self.rows = [row for row in self.rows if not row.is_empty(self.counting, on)]
        return moved, charges

    def _write_off(self, event: WrittenOff) -> None:
        """Make everything due on the day, in one row beside those already due; nothing accrues any more."""
        ahead = self._ahead(event.on)
        bearing = [row for row in ahead if row.base_fen]
        if ahead:
            first = bearing[0] if bearing else ahead[0]
            called = _Row(
                first.number, RowKind.ACCELERATED, first.since, event.on, 0, first.rate_ppm, first.base_fen,
                sum(row.principal_fen for row in ahead),
                max(self._accrued_fen(first, event.on), first.paid_ahead_fen),
                interest_shift_fen=sum(row.interest_shift_fen for row in ahead),
                penalty_shift_fen=sum(row.penalty_shift_fen for row in ahead),
                charges=[charge for row in ahead for charge in row.charges if charge.due <= event.on],
                paid=sum((row.paid for row in ahead), NOTHING),
                waived=sum((row.waived for row in ahead), NOTHING),
            )  # fmt: skip
            self.rows = [row for row in self.rows if row.due <= event.on] + [called]
        for row in self.rows:
            row.close_penalty(self.counting, event.on)
        self.written_off = sum((row.owed(self.counting, event.on) for row in self.rows), NOTHING)
        self.written_off_on = event.on

    # -- questions ----------------------------------------------------------------------------------------------------------------------

    def _due_rows(self, on: date) -> list[_Row]:
        return [row for row in self.rows if row.due <= on]

    def _ahead(self, on: date) -> list[_Row]:
        return [row for row in self.rows if row.due > on]

    def _paid(self) -> Parts:
        return sum((row.paid for row in self.rows), NOTHING)

    def _accrued_fen(self, row: _Row, on: date) -> int:
        return round_ratio(self.counting.rounding, self._accrued_numerator(row, on), self.counting.denominator)

    def _accrued_numerator(self, row: _Row, on: date) -> int:
        return row.base_fen * row.rate_ppm * units(self.counting, row.since, on)

    def _oldest_unpaid(self, on: date) -> date | None:
        return min((row.due for row in self._due_rows(on) if row.owed(self.counting, on).total_fen), default=None)

    def _note_settled(self, on: date) -> None:
        is_settled = bool(self.drawn_fen) and not any(row.owed(self.counting, on).total_fen for row in self.rows)
        self.settled_on = (self.settled_on or on) if is_settled else None

    def _standing(self) -> Standing:
        if not self.drawn_fen:
            return Standing.VOID
        if self.settled_on:
            return Standing.SETTLED
        return Standing.WRITTEN_OFF if self.written_off_on else Standing.ACTIVE

    def _payees(self, on: date) -> tuple[Payee, ...]:
        by_payee: dict[str, list[int]] = {}
        for row in self.rows:
            for charge in row.charges:
                sums = by_payee.setdefault(charge.payee, [0, 0, 0])
                sums[0] += charge.amount_fen if row.due <= on else charge.paid_fen + charge.waived_fen
                sums[1] += charge.paid_fen
                sums[2] += charge.waived_fen
        return tuple(Payee(payee, *by_payee[payee]) for payee in sorted(by_payee))

    def _accrual(self, on: date) -> Accrual:
        current = next((row for row in self._ahead(on) if row.base_fen), None)
        late = tuple(row.stretch() for row in self._due_rows(on) if row.stretch().principal_fen)
        closed = (row for row in self._due_rows(on) if not row.stretch().principal_fen)
        return Accrual(
            closed_interest_fen=sum(row.interest_fen for row in self._due_rows(on)),
            closed_penalty_fen=sum(row.earned_penalty_fen(self.counting, on) for row in closed),
            base_fen=current.base_fen if current else 0,
            rate_ppm=current.rate_ppm if current else 0,
            since=current.since if current else on,
            until=min((row.due for row in self._ahead(on)), default=_NEVER),
            late=late,
        )

    def _payoff_fen(self, on: date) -> int:
        ahead = self._ahead(on)
        due = sum(row.owed(self.counting, on).total_fen for row in self._due_rows(on))
        carried = sum(sum(row.carried_left_fen) for row in ahead)
        bearing = [row for row in ahead if row.base_fen]
        if not bearing:
            return due + carried
        current = bearing[0]
        interest = max(self._accrued_fen(current, on) - current.paid_ahead_fen, 0)
        return due + carried + current.charges_due_fen(on) + interest + sum(row.principal_left_fen for row in bearing)

    def _rows_met_since_restructure(self, on: date) -> int:
        if self.restructured_on is None:
            return 0
        since = self.restructured_on
        rows = (row for row in self._due_rows(on) if row.kind is RowKind.PLANNED and row.due > since)
        return sum(not row.owed(self.counting, on).total_fen for row in rows)

    def state(self, as_of: date) -> State:
        accrual = self._accrual(as_of)
        due_rows = self._due_rows(as_of)
        recovered = sum((allocation.parts for allocation in self.allocations if allocation.is_recovery), NOTHING)
        figures = Figures(
            drawn_fen=self.drawn_fen,
            money_in_fen=self.money_in_fen,
            credit_paid_out_fen=self.credit_out_fen,
            credit_fen=self.credit_in_fen - self.credit_out_fen,
            earned_interest_fen=accrual.interest_fen(self.counting, as_of),
            earned_penalty_fen=accrual.penalty_fen(self.counting, as_of),
            paid=self._paid(),
            waived=sum((row.waived for row in self.rows), NOTHING),
            written_off=self.written_off,
            recovered=recovered,
            payees=self._payees(as_of),
        )
        assert figures.money_in_fen == figures.paid.total_fen + self.credit_in_fen, "money appeared or vanished"
        return State(
            as_of=as_of,
            standing=self._standing(),
            rows=tuple(self._shown(row, as_of) for row in self.rows),
            figures=figures,
            allocations=tuple(self.allocations),
            accrual=accrual,
            accrued_numerator=accrual.interest_numerator(self.counting, as_of),
            principal_owed_fen=sum(row.principal_left_fen for row in self.rows),
            due=sum((row.owed(self.counting, as_of) for row in due_rows), NOTHING),
            payoff_fen=self._payoff_fen(as_of),
            oldest_unpaid_due=self._oldest_unpaid(as_of),
            next_due=min((row.due for row in self._ahead(as_of)), default=None),
            restructured_on=self.restructured_on,
            days_late_at_restructure=self.days_late_at_restructure,
            rows_met_since_restructure=self._rows_met_since_restructure(as_of),
            written_off_on=self.written_off_on,
            settled_on=self.settled_on,
        )

    def _shown(self, row: _Row, as_of: date) -> Row:
        asked = row.asked(self.counting, as_of)
        charges = tuple(charge.shown() for charge in row.charges)
        return Row(row.number, row.kind, row.since, row.due, asked, row.paid, row.waived, charges)
