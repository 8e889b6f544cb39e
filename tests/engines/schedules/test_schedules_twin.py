"""Random contracts with random lives: the exact integers and the slow twin agree on every figure."""

from datetime import date, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.engines import schedules as s
from puhui.engines.schedules.twin import judge, planned

METHODS = (s.Method.LEVEL_PAYMENT, s.Method.LEVEL_PRINCIPAL, s.Method.INTEREST_FIRST, s.Method.BULLET)
conventions = st.sampled_from(["cn-360", "cn-365"]).map(s.convention)
first_days = st.dates(date(2024, 1, 1), date(2028, 12, 31))


@st.composite
def terms(draw, methods=METHODS):
    principal = draw(st.integers(100, 20_000_000) | st.sampled_from([50_000, 300_000, 1_000_000]))
    return s.Terms(principal, draw(st.integers(0, 360_000)), draw(st.integers(1, 12)), draw(st.sampled_from(methods)))


@st.composite
def lives(draw):
    """A loan paid out, and up to nine things that happen to it, learned in any order."""
    agreed, first_day = draw(terms()), draw(first_days)
    events = [s.Disbursed(no=1, on=first_day)]
    for no in range(2, 2 + draw(st.integers(0, 9))):
        on = first_day + timedelta(days=draw(st.integers(0, 520)))
        amount = draw(st.integers(1, agreed.principal_fen // agreed.months + 2) | st.integers(1, 2 * agreed.principal_fen))
        payments = [event for event in events if isinstance(event, s.Paid)]
        kind = draw(st.sampled_from("pppppppaawcrkku"))
        match kind:
            case "p":
                events.append(s.Paid(no=no, on=on, amount_fen=amount))
            case "a":
                events.append(s.Paid(no=no, on=on, amount_fen=amount, intent=draw(st.sampled_from(list(s.Intent)))))
            case "w":
                events.append(s.Waived(no=no, on=on, parts=s.Parts(*draw(st.tuples(*[st.integers(0, 20_000)] * 4)))))
            case "c":
                due = on + timedelta(days=draw(st.integers(-20, 60)))
                events.append(s.Charged(no=no, on=on, due=due, amount_fen=draw(st.integers(1, 5_000)), payee="lender", code="service"))
            case "r":
                first_due = on + timedelta(days=draw(st.integers(1, 45)))
                rate, months = draw(st.integers(0, 240_000)), draw(st.integers(1, 12))
                events.append(
                    s.Restructured(no=no, on=on, rate_ppm=rate, months=months, method=draw(st.sampled_from(METHODS)), first_due=first_due)
                )
            case "k" if not any(isinstance(event, s.WrittenOff) for event in events):
                events.append(s.WrittenOff(no=no, on=on))
            case "u" if payments and not any(isinstance(event, s.Undone | s.Refunded) for event in events):
                of = draw(st.sampled_from(payments))
                if draw(st.booleans()):
                    events.append(s.Undone(no=no, on=on, of=of.no))
                else:
                    events.append(s.Refunded(no=no, on=on, of=of.no, amount_fen=draw(st.integers(1, of.amount_fen))))
            case _:
                events.append(s.CreditPaidOut(no=no, on=on, amount_fen=1))
    return agreed, events, first_day + timedelta(days=draw(st.integers(0, 560)))


@settings(max_examples=300, deadline=None)
@given(conventions, lives())
def test_the_fold_and_its_twin_agree_to_the_fen(counting, life):
    agreed, events, as_of = life
    state, judged = s.fold(counting, agreed, events, as_of), judge(counting, agreed, events, as_of)

    assert tuple((row.due, row.asked, row.paid, row.waived) for row in state.rows) == judged.rows
    assert tuple((a.no, a.parts, a.credit_fen) for a in state.allocations) == judged.allocations
    assert state.figures.credit_fen == judged.credit_fen
    assert (state.due, state.payoff_fen, state.principal_owed_fen) == (judged.due, judged.payoff_fen, judged.principal_owed_fen)
    assert state.days_late == judged.days_late
    assert Fraction(state.accrued_numerator, counting.denominator) == judged.accrued
    assert state.figures.earned_interest_fen == judged.earned_interest_fen
    assert state.figures.earned_penalty_fen == judged.earned_penalty_fen


@settings(max_examples=150, deadline=None)
@given(conventions, terms(methods=tuple(s.Method)), first_days)
def test_a_plan_and_its_twin_agree_and_give_back_the_principal(counting, agreed, first_day):
    rows = s.plan(counting, agreed, first_day)
    assert [(row.due, row.principal_fen, row.interest_fen) for row in rows] == planned(counting, agreed, first_day)
    assert sum(row.principal_fen for row in rows) == agreed.principal_fen
    assert rows[-1].balance_fen == 0


@settings(max_examples=100, deadline=None)
@given(conventions, lives(), st.randoms(use_true_random=False))
def test_the_order_of_learning_changes_nothing(counting, life, chance):
    """State after inserting e at date d = state had e been known at d."""
    agreed, events, as_of = life
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert s.fold(counting, agreed, shuffled, as_of) == s.fold(counting, agreed, events, as_of)


@settings(max_examples=150, deadline=None)
@given(conventions, lives())
def test_what_accrues_is_known_ahead_in_closed_form(counting, life):
    """Between events and due days, tomorrow's figures follow from today's without a fold."""
    agreed, events, as_of = life
    today = s.fold(counting, agreed, events, as_of)
    if any(event.on > as_of for event in events):
        return
    for days in (1, 2, 5, 27):
        on = as_of + timedelta(days=days)
        if on < today.accrual.until:
            then = s.fold(counting, agreed, events, on).figures
            assert today.accrual.interest_fen(counting, on) == then.earned_interest_fen
            assert today.accrual.penalty_fen(counting, on) == then.earned_penalty_fen


@settings(max_examples=150, deadline=None)
@given(conventions, lives())
def test_the_payoff_figure_settles_the_loan(counting, life):
    agreed, events, as_of = life
    events = [event for event in events if event.on <= as_of]
    owed = s.fold(counting, agreed, events, as_of).payoff_fen
    if owed == 0:
        return
    if events and any(isinstance(event, s.Undone | s.Refunded) for event in events):
        return
    paid = s.Paid(no=99, on=as_of, amount_fen=owed, intent=s.Intent.PAYOFF)
    settled = s.fold(counting, agreed, [*events, paid], as_of)
    charges_ahead = any(row.due > as_of and row.charges for row in settled.rows)
    assert settled.standing is (s.Standing.ACTIVE if charges_ahead else s.Standing.SETTLED)
    assert settled.payoff_fen == settled.principal_owed_fen == settled.days_late == 0
    assert settled.allocations[-1].credit_fen == 0
    later = s.fold(counting, agreed, [*events, paid], as_of + timedelta(days=100))
    assert charges_ahead or later.payoff_fen == 0


@settings(max_examples=150, deadline=None)
@given(conventions, lives())
def test_money_is_never_made_or_lost(counting, life):
    agreed, events, as_of = life
    figures = s.fold(counting, agreed, events, as_of).figures
    came = sum(event.amount_fen for event in s.effective(events) if isinstance(event, s.Paid) and event.on <= as_of)
    assert figures.money_in_fen == came == figures.paid.total_fen + figures.credit_fen + figures.credit_paid_out_fen
