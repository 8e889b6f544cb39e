"""What a loan puts on the books, over random lives: pure, so many of them."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.engines import schedules as s
from puhui.rooms.ledger.accounts import CLEARING, chart, difference
from puhui.rooms.ledger.books import Leg, accrued_lines, books, leg_figures

START = date(2026, 1, 31)
COUNTING = s.convention("cn-360")


@st.composite
def legs(draw):
    cuts = sorted(draw(st.lists(st.integers(1, 999_999), min_size=0, max_size=3, unique=True)))
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, 1_000_000], strict=True)]
    return tuple(Leg("lender" if k == 0 else f"funder-{k:02d}", share) for k, share in enumerate(shares))


@st.composite
def lives(draw):
    terms = s.Terms(draw(st.integers(1_000, 900_000)), draw(st.integers(0, 240_000)), draw(st.integers(1, 6)), s.Method.LEVEL_PAYMENT)
    events = [s.Disbursed(no=1, on=START)]
    for no in range(2, 2 + draw(st.integers(0, 7))):
        on = START + timedelta(days=draw(st.integers(0, 400)))
        if draw(st.integers(0, 9)) == 0:
            events.append(s.Waived(no=no, on=on, parts=s.Parts(*draw(st.tuples(*[st.integers(0, 9_000)] * 4)))))
        else:
            amount = draw(st.integers(1, 9) | st.integers(1, 400_000))
            events.append(s.Paid(no=no, on=on, amount_fen=amount, intent=draw(st.sampled_from(list(s.Intent)))))
    if draw(st.integers(0, 3)) == 0:
        events.append(s.WrittenOff(no=len(events) + 1, on=START + timedelta(days=draw(st.integers(100, 400)))))
    return terms, events


def money(events, as_of):
    came = sum(event.amount_fen for event in s.effective(events) if isinstance(event, s.Paid) and event.on <= as_of)
    return {CLEARING: came} if came else {}


@settings(max_examples=150, deadline=None)
@given(lives(), legs(), st.integers(0, 450), st.booleans())
def test_debits_equal_credits_and_nothing_hangs_over(life, shared, days, is_nonaccrual):
    terms, events = life
    as_of = START + timedelta(days=days)
    state = s.fold(COUNTING, terms, events, as_of)
    lines = books(state, shared, money(events, as_of), is_nonaccrual=is_nonaccrual)
    assert sum(lines.values()) == 0
    assert {account for account, _ in lines} <= set(chart())
    left = {account for account, _ in lines if account.startswith(("loans.", "joint.", "memo."))}
    if state.standing in {s.Standing.SETTLED, s.Standing.VOID}:
        assert left == set()
    got = [figures.got for figures in leg_figures(state, shared)]
    paid = state.figures.paid
    assert sum(one.principal_fen for one in got) == paid.principal_fen
    assert sum(one.interest_fen for one in got) == paid.interest_fen
    assert sum(one.penalty_fen for one in got) == paid.penalty_fen
    assert abs(lines.get(("expense.rounding", "lender"), 0)) <= 3


@settings(max_examples=100, deadline=None)
@given(lives(), legs(), st.integers(0, 450), st.integers(1, 25), st.booleans())
def test_time_alone_posts_the_same_in_closed_form(life, shared, days, more, is_nonaccrual):
    terms, events = life
    today = START + timedelta(days=days)
    then = today + timedelta(days=more)
    state = s.fold(COUNTING, terms, events, today)
    if then >= state.accrual.until or any(today < event.on <= then for event in events) or state.standing is not s.Standing.ACTIVE:
        return
    before = books(state, shared, money(events, today), is_nonaccrual=is_nonaccrual)
    after = books(s.fold(COUNTING, terms, events, then), shared, money(events, then), is_nonaccrual=is_nonaccrual)
    figures = state.figures
    aged = accrued_lines(
        shared,
        (figures.earned_interest_fen, state.accrual.interest_fen(COUNTING, then)),
        (figures.earned_penalty_fen, state.accrual.penalty_fen(COUNTING, then)),
        is_nonaccrual=is_nonaccrual,
    )
    assert aged == difference(after, before)
