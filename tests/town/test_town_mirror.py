"""The funder's own arithmetic against the lender's engine: two authors, one contract, the same fen.

The engine stands for the lender's books here; the funder sees only its part of each repayment, and the day.
"""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.engines import schedules
from puhui.engines.schedules import Disbursed, Intent, Method, Paid, Standing, Terms, WrittenOff, fold, split, split_step
from puhui_town.funder.arithmetic import Contract, Loan, class_of, part_of
from puhui_town.funder.mirror import Told, mirror_row
from puhui_town.funder.reservation import Asked, Reservation

START = date(2026, 1, 31)


def reservation(contract: Contract, share_ppm: int) -> Reservation:
    asked = Asked(
        "rs-1", "ln-1", "v1", contract.principal_fen, part_of(contract.principal_fen, share_ppm), contract.rate_ppm, contract.method,
        contract.convention, contract.months, "790101", 30, "C", 600,
    )
    return Reservation("funder-07", asked, START.isoformat(), 0, 0)


@given(st.integers(0, 10**9), st.integers(0, 1_000_000))
def test_our_part_is_the_lenders_split_with_the_lender_first(total, share) -> None:
    assert part_of(total, share) == split(total, (1_000_000 - share, share))[1]


contracts = st.builds(
    Contract,
    principal_fen=st.integers(500, 200_000).map(lambda hundreds: hundreds * 100),
    rate_ppm=st.integers(30, 240).map(lambda thousands: thousands * 1000),
    months=st.sampled_from([1, 3, 6, 9, 12]),
    method=st.sampled_from(["level_payment", "level_principal", "interest_first", "bullet"]),
    convention=st.sampled_from(["cn-365", "cn-360"]),
)
starts = st.integers(0, 800).map(lambda days: date(2026, 1, 1) + timedelta(days=days))


@settings(max_examples=150)
@given(contracts, starts)
def test_the_plan_is_the_same_to_the_fen(contract, start) -> None:
    terms = Terms(contract.principal_fen, contract.rate_ppm, contract.months, Method(contract.method))
    planned = schedules.plan(schedules.convention(contract.convention), terms, start)
    own = Loan(contract, start).rows
    assert [(row.due, row.principal_fen, row.interest_fen) for row in own] == [(row.due, row.principal_fen, row.interest_fen) for row in planned]


def parts_of(state, shares):
    """What the lender's books say our leg got, event by event, and is owed."""
    had = {"principal": (0, 0), "interest": (0, 0), "penalty": (0, 0)}
    steps = []
    for allocation in state.allocations:
        step = {}
        for name, before in list(had.items()):
            amount = getattr(allocation.parts, f"{name}_fen")
            moved = split_step(before, amount, shares) if amount else (0, 0)
            had[name] = tuple(a + b for a, b in zip(before, moved, strict=True))
            step[name] = moved[1]
        steps.append((allocation, step))
    return steps, {name: both[1] for name, both in had.items()}


@st.composite
def lives(draw):
    """A loan and what its borrower does: on time, late, in part, ahead, or all at once."""
    contract, start = draw(contracts), draw(starts)
    counting = schedules.convention(contract.convention)
    terms = Terms(contract.principal_fen, contract.rate_ppm, contract.months, Method(contract.method))
    events = [Disbursed(no=1, on=start)]
    day = start
    for no in range(2, 2 + draw(st.integers(0, 8))):
        day += timedelta(days=draw(st.integers(0, 75)))
        state = fold(counting, terms, events, day)
        if state.standing is not Standing.ACTIVE:
            break
        how = draw(st.sampled_from(["due", "due", "due", "part", "prepay", "payoff"]))
        if how == "due" and state.due_total_fen:
            events.append(Paid(no=no, on=day, amount_fen=state.due_total_fen))
        elif how == "part" and state.due_total_fen > 10:
            events.append(Paid(no=no, on=day, amount_fen=draw(st.integers(1, state.due_total_fen // 10)) * 10))
        elif how == "prepay":
            amount = state.due_total_fen + draw(st.integers(1, contract.principal_fen // 1000)) * 100
            if amount < state.payoff_fen:
                events.append(Paid(no=no, on=day, amount_fen=amount, intent=Intent.PREPAY))
        elif how == "payoff" and state.payoff_fen:
            events.append(Paid(no=no, on=day, amount_fen=state.payoff_fen, intent=Intent.PAYOFF))
    return contract, start, terms, events


def told_of(steps) -> list[Told]:
    told = []
    for allocation, step in steps:
        if any(step.values()):
            told.append(
                Told(f"ln-1.{allocation.no}", "repaid", allocation.on, allocation.on, step["principal"], step["interest"], step["penalty"])
            )
    return told


@settings(max_examples=250, deadline=None, derandomize=True)
@given(lives(), st.integers(0, 40), st.sampled_from([300_000, 500_000, 600_000, 700_000]))
def test_the_mirror_agrees_with_the_lenders_books(life, later, share) -> None:
    """Whatever the borrower did, both sides hold the same principal, interest, days and class; no figure was copied."""
    contract, start, terms, events = life
    day = events[-1].on + timedelta(days=later)
    state = fold(schedules.convention(contract.convention), terms, events, day)
    steps, got = parts_of(state, (1_000_000 - share, share))
    row = mirror_row(reservation(contract, share), start, told_of(steps), day)
    if state.standing is Standing.SETTLED:
        assert row is None
        return
    principal = split(contract.principal_fen, (1_000_000 - share, share))[1] - got["principal"]
    interest = split(state.figures.earned_interest_fen, (1_000_000 - share, share))[1] - got["interest"]
    if row is None:
        assert state.payoff_fen <= 10, "only what does not show in our part is left"
        return
    assert abs(row[2] - principal) <= 3, "odd sums are found again to within what whole fen of our part can tell"
    assert abs(row[3] - interest) <= 3
    if state.due_total_fen > 10 or not state.due_total_fen:
        assert row[4] == state.days_late
        assert row[5] == class_of(state.days_late)
    if all(event.amount_fen == fold(schedules.convention(contract.convention), terms, events[:k], event.on).due_total_fen
           for k, event in enumerate(events) if isinstance(event, Paid)):  # fmt: skip
        assert (row[2], row[3]) == (principal, interest), "paid as due, there is not even a fen between us"
    assert row[6] == row[2] + row[3]


def test_a_wrong_interest_of_the_lender_is_not_taken_over() -> None:
    """The lender books 5 fen of interest too much: our principal then stands 5 fen apart, and somebody must explain it."""
    contract = Contract(300_000, 180_000, 12, "level_payment", "cn-365")
    held = reservation(contract, 700_000)
    loan = Loan(contract, START)
    first = loan.rows[0]
    principal, interest = part_of(first.principal_fen, 700_000), part_of(first.interest_fen, 700_000)
    right = mirror_row(held, START, [Told("ln-1.2", "repaid", first.due, first.due, principal, interest, 0)], first.due)
    wrong = mirror_row(held, START, [Told("ln-1.2", "repaid", first.due, first.due, principal - 5, interest + 5, 0)], first.due)
    assert right == wrong
    assert right is not None
    assert right[2] == part_of(300_000, 700_000) - principal


def test_a_loan_written_off_grows_no_more() -> None:
    contract = Contract(300_000, 180_000, 3, "level_payment", "cn-365")
    counting = schedules.convention("cn-365")
    terms = Terms(300_000, 180_000, 3, Method.LEVEL_PAYMENT)
    off = START + timedelta(days=200)
    events = [Disbursed(no=1, on=START), WrittenOff(no=2, on=off)]
    state = fold(counting, terms, events, off + timedelta(days=50))
    told = [Told("ln-1.2", "written_off", off, off, 0, 0, 0)]
    row = mirror_row(reservation(contract, 700_000), START, told, off + timedelta(days=50))
    assert row is not None
    assert (row[2], row[3]) == (210_000, part_of(state.figures.earned_interest_fen, 700_000))
    assert (row[4], row[5]) == (state.days_late, "loss")


def test_a_refunded_repayment_never_was() -> None:
    contract = Contract(300_000, 180_000, 3, "level_payment", "cn-365")
    first = Loan(contract, START).rows[0]
    paid = Told("ln-1.2", "repaid", first.due, first.due, part_of(first.principal_fen, 700_000), part_of(first.interest_fen, 700_000), 0)
    back = Told("ln-1.3", "refunded", first.due, first.due, paid.principal_fen, paid.interest_fen, 0)
    day = first.due + timedelta(days=3)
    assert mirror_row(reservation(contract, 700_000), START, [paid, back], day) == mirror_row(reservation(contract, 700_000), START, [], day)


@pytest.mark.parametrize(("days", "name"), [(0, "normal"), (1, "special_mention"), (90, "special_mention"), (91, "substandard"), (271, "doubtful"), (361, "loss")])
def test_classes_follow_days_late(days, name) -> None:
    assert class_of(days) == name
