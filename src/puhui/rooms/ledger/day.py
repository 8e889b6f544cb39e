"""The day's end: what the loans of a partition earned, the classes they fell into, and the provision against losses.

A partition's day commits once under (partition, date): killed in the middle it leaves nothing, run again it changes nothing. No row is
written per loan and day: a loan on which nothing happened but time is read, and its share of the aggregated posting can be derived again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from puhui.engines.schedules import AssetClass, ClassRules, Standing, State, asset_class, convention, days_late
from puhui.foundation.refusals import Refusal
from puhui.foundation.work import Work
from puhui.rooms.ledger import store
from puhui.rooms.ledger.accounts import LENDER, difference
from puhui.rooms.ledger.books import Leg, accrued_lines, books, leg_figures
from puhui.rooms.ledger.loan import PARTITIONS, Loan
from puhui.rooms.ledger.store import LoanRow
from puhui.vocabulary import events
from puhui.vocabulary.ids import NOBODY, derive

STAGE_DAYS = 30


class DayNotOver(Refusal):
    """The day {day} is not over yet (today is {today}); its books cannot be closed."""

    code = "ledger.day-not-over"
    status = 409


class DayAlreadyPassed(Refusal):
    """The books of partition {partition} are closed up to {closed}; the day {day} before it cannot be closed now."""

    code = "ledger.day-already-passed"
    status = 409


class PartitionsOpen(Refusal):
    """Only {closed} of {all} partitions have closed their books of {day}; close the others first."""

    code = "ledger.partitions-open"
    status = 409
    retry = "later"


@dataclass(frozen=True, slots=True)
class BookRules:
    """Parameters of the pack in force on the reporting day: classes, when interest leaves the books, and the provision of each class in ppm."""

    classes: ClassRules
    interest_off_balance_days: int
    provision_ppm: Mapping[AssetClass, int]


@dataclass(frozen=True, slots=True)
class DayEnd:
    """What closing a partition's day did. `folded` loans were told again from their events; the others only aged."""

    business_date: date
    partition: int
    loans: int
    late: int
    folded: int
    accrued_interest_fen: int
    accrued_penalty_fen: int
    provision_fen: int
    snapshot_sha256: str
    was_done: bool = False


@dataclass(slots=True)
class _Tally:
    """The sums of a partition's day while its loans pass by."""

    by_product: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    interest_fen: int = 0
    penalty_fen: int = 0
    loans: int = 0
    late: int = 0
    folded: int = 0

    def add(self, product: str, lines: Mapping[tuple[str, str], int]) -> None:
        sums = self.by_product.setdefault(product, {})
        for where, fen in lines.items():
            sums[where] = sums.get(where, 0) + fen


async def day_end(work: Work, *, business_date: date, partition: int, rules: BookRules) -> DayEnd:
    """Close the books of one partition for a day. A repeat changes nothing and gives what the first one gave.

    Raises: DayNotOver, DayAlreadyPassed.
    """
    assert 0 <= partition < PARTITIONS, partition
    await store.SQL.lock_partition.run(work, partition=partition)
    last = await store.SQL.last_day_end.row(work, partition=partition)
    if last and last["business_date"] >= business_date:
        return await _done_before(work, business_date, partition, last["business_date"])
    if business_date >= work.today:
        raise DayNotOver(day=business_date.isoformat(), today=work.today.isoformat())

    rows = await store.loans_in_partition(work, partition, business_date)
    legs = await store.legs_of(work, [row.loan_id for row, _ in rows])
    tally, seen = _Tally(loans=len(rows)), hashlib.sha256()
    to_fold = [raw for row, raw in rows if not _only_ages(row, business_date, rules)]
    folded = {loan.loan_id: loan for loan in await store.loans_from_rows(work, to_fold)}
    for row, _ in rows:
        loan = folded.get(row.loan_id)
        if loan is None:
            line = _age(tally, row, legs[row.loan_id], business_date)
        else:
            line = await _tell_again(work, tally, loan, business_date, rules)
        seen.update(line.encode())
    tally.folded = len(folded)

    for product, lines in sorted(tally.by_product.items()):
        await _post(work, business_date, partition, product, "accrued", {where: lines[where] for where in sorted(lines) if lines[where]})
    had_fen = last["provision_fen"] if last else 0
    provision_fen = await _provide(work, business_date, partition, rules, had_fen=had_fen) if rows or had_fen else 0
    done = DayEnd(
        business_date, partition, tally.loans, tally.late, tally.folded, tally.interest_fen, tally.penalty_fen, provision_fen, seen.hexdigest()
    )
    await _keep(work, done)
    return done


async def _done_before(work: Work, day: date, partition: int, closed: date) -> DayEnd:
    earlier = await store.SQL.find_day_end.row(work, partition=partition, business_date=day)
    if earlier is None:
        raise DayAlreadyPassed(partition=partition, closed=closed.isoformat(), day=day.isoformat())
    return DayEnd(**earlier, was_done=True)


async def close_day(work: Work, *, business_date: date) -> bool:
    """Say that a day's books are closed, once all partitions are; tell it once, and give whether this was the first time. Raises PartitionsOpen."""
    closed = await store.SQL.partitions_closed.value(work, business_date=business_date)
    if closed < PARTITIONS:
        raise PartitionsOpen(closed=closed, all=PARTITIONS, day=business_date.isoformat())
    is_new = bool(await store.SQL.close_day.run(work, business_date=business_date, closed_at=work.at))
    if is_new:
        await store.SQL.add_day_balances.run(work, business_date=business_date)
        work.emit(events.BusinessDayClosed(NOBODY, business_date))
    return is_new


def _only_ages(row: LoanRow, day: date, rules: BookRules) -> bool:
    """Say whether nothing but time passes for this loan on this day: no due day, no class, no stage, no change of accrual."""
    late = days_late(row.oldest_unpaid_due, day)
    if row.booked_on > day or day >= row.accrual.until or row.is_watched:
        return False
    is_same_class = asset_class(late, rules.classes, on=day) is row.asset_class
    return is_same_class and _stage(late) == row.stage and (late >= rules.interest_off_balance_days) == row.is_nonaccrual


def _stage(late: int) -> int:
    """Give the stage of days late: 0 on time, 1 from day 1, 2 from day 31, 3 from day 61, ..."""
    return (late + STAGE_DAYS - 1) // STAGE_DAYS


def _age(tally: _Tally, row: LoanRow, legs: tuple[Leg, ...], day: date) -> str:
    """Let a loan earn up to the day, in closed form."""
    counting = convention(row.convention)
    interest = row.accrual.interest_fen(counting, row.booked_on), row.accrual.interest_fen(counting, day)
    penalty = row.accrual.penalty_fen(counting, row.booked_on), row.accrual.penalty_fen(counting, day)
    tally.add(row.product, accrued_lines(legs, interest, penalty, is_nonaccrual=row.is_nonaccrual))
    tally.interest_fen += interest[1] - interest[0]
    tally.penalty_fen += penalty[1] - penalty[0]
    tally.late += row.stage > 0
    return f"{row.loan_id} {interest[1]} {penalty[1]} {row.asset_class.value}\n"


async def _tell_again(work: Work, tally: _Tally, loan: Loan, day: date, rules: BookRules) -> str:
    """Fold a loan on the day: a row fell due, or its lateness crosses a line. Post the difference, move class and stage, tell what happened.

    A loan that has already moved on a later day was caught up then; its class and stage wait for that day's end.
    """
    state = loan.state(day)
    named = _class_of(loan, state, day, rules)
    nonaccrual = state.days_late >= rules.interest_off_balance_days
    stage = _stage(state.days_late)
    figures = state.figures
    if loan.booked_on <= day:
        before = loan.state(loan.booked_on)
        was = books(before, loan.legs, loan.cash(loan.booked_on), is_nonaccrual=loan.is_nonaccrual)
        now = books(state, loan.legs, loan.cash(day), is_nonaccrual=nonaccrual)
        tally.add(loan.product, difference(now, was))
        tally.interest_fen += figures.earned_interest_fen - before.figures.earned_interest_fen
        tally.penalty_fen += figures.earned_penalty_fen - before.figures.earned_penalty_fen
        await store.set_standing(
            work, loan, state, leg_figures(state, loan.legs), events=len(loan.events), asset_class=named, stage=stage,
            is_nonaccrual=nonaccrual, class_at_restructure=loan.class_at_restructure, booked_on=day,
        )  # fmt: skip
        await _tell(work, loan, state, named, day)
    tally.late += stage > 0
    return f"{loan.loan_id} {figures.earned_interest_fen} {figures.earned_penalty_fen} {named.value}\n"


def _class_of(loan: Loan, state: State, day: date, rules: BookRules) -> AssetClass:
    return asset_class(
        state.days_late,
        rules.classes,
        on=day,
        is_written_off=state.standing is Standing.WRITTEN_OFF,
        restructured_on=state.restructured_on,
        class_at_restructure=loan.class_at_restructure,
        rows_met_since=state.rows_met_since_restructure,
    )


async def _tell(work: Work, loan: Loan, state: State, named: AssetClass, day: date) -> None:
    stage = _stage(state.days_late)
    if stage > loan.stage:
        overdue = sum(row.owed.total_fen for row in state.rows if row.due < day)
        work.emit(events.LoanFellBehind(loan.customer_id, loan.loan_id, state.days_late, overdue, f"M{stage}", state.oldest_unpaid_due))
    if named is not loan.asset_class:
        await store.add_class_change(work, loan.customer_id, loan.loan_id, day, loan.asset_class, named, state.days_late)
        work.emit(events.AssetClassChanged(loan.customer_id, loan.loan_id, loan.asset_class.value, named.value))


async def _provide(work: Work, day: date, partition: int, rules: BookRules, *, had_fen: int) -> int:
    """Bring the provision of a partition to what its classes ask, and give it."""
    wanted = 0
    for row in await store.SQL.provision_base.rows(work, partition=partition):
        wanted += row["principal_fen"] * rules.provision_ppm.get(AssetClass(row["asset_class"]), 0) // 1_000_000
    change = wanted - had_fen
    lines = {("expense.provision", LENDER): change, ("loans.provision", LENDER): -change} if change else {}
    await _post(work, day, partition, "", "provided", lines)
    return wanted


async def _post(work: Work, day: date, partition: int, product: str, kind: str, lines: Mapping[tuple[str, str], int]) -> None:
    key = f"{day.isoformat()}|{partition}|{product}"
    await store.add_posting(work, store.Posting(NOBODY, derive("pg", NOBODY, key, kind), None, None, kind, product, day, day, key, lines))


async def _keep(work: Work, done: DayEnd) -> None:
    await store.SQL.add_day_end.run(
        work,
        business_date=done.business_date,
        partition=done.partition,
        loans=done.loans,
        late=done.late,
        folded=done.folded,
        accrued_interest_fen=done.accrued_interest_fen,
        accrued_penalty_fen=done.accrued_penalty_fen,
        provision_fen=done.provision_fen,
        snapshot_sha256=done.snapshot_sha256,
        closed_at=work.at,
    )
