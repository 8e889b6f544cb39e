"""A loan's life by hand: due, late, early, beyond ninety days, given back, written off."""

from datetime import date, timedelta

import pytest

from puhui.engines import schedules as s

CN360 = s.convention("cn-360")
CN365 = s.convention("cn-365")
START = date(2026, 1, 31)
TERMS = s.Terms(300_000, 180_000, 3, s.Method.LEVEL_PAYMENT)
OUT = s.Disbursed(no=1, on=START)
CLASSES = s.ClassRules(
    (
        (1, s.AssetClass.SPECIAL_MENTION),
        (91, s.AssetClass.SUBSTANDARD),
        (271, s.AssetClass.DOUBTFUL),
        (361, s.AssetClass.LOSS),
    ),
    restructured_observation_days=365,
    restructured_payments_min=2,
)


def pay(no, on, fen, intent=s.Intent.DUE):
    return s.Paid(no=no, on=on, amount_fen=fen, intent=intent)


def test_a_convention_is_pinned_by_its_hash():
    assert CN360.sha256 == s.convention("cn-360").sha256 != CN365.sha256
    assert len(CN360.sha256) == 64
    with pytest.raises(s.UnknownConventionError):
        s.convention("cn-999")


def test_due_days_are_clamped_and_counted_from_the_first_day():
    assert s.due_days(START, 3) == (date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30))
    assert s.due_days(date(2028, 1, 31), 1) == (date(2028, 2, 29),)
    assert s.due_days(START, 2, date(2026, 3, 10)) == (date(2026, 3, 10), date(2026, 4, 10))


def test_whole_months_count_thirty_and_odd_days_one():
    assert s.units(CN360, date(2026, 1, 15), date(2026, 3, 20)) == 65
    assert s.units(CN360, START, date(2026, 2, 28)) == 30
    assert s.units(CN360, START, date(2026, 2, 27)) == 27
    assert s.units(CN365, START, date(2026, 2, 28)) == 28


def test_a_level_loan_paid_on_its_days_is_settled():
    rows = s.plan(CN360, TERMS, START)
    assert [row.total_fen for row in rows] == [103_015, 103_015, 103_014]
    events = [OUT, *(pay(2 + k, row.due, row.total_fen) for k, row in enumerate(rows))]
    state = s.fold(CN360, TERMS, events, rows[-1].due)
    assert state.standing is s.Standing.SETTLED
    assert state.settled_on == rows[-1].due
    assert state.figures.paid == s.Parts(300_000, 9_044)


def test_the_due_day_is_on_time_and_the_next_is_day_one():
    due = date(2026, 2, 28)
    assert s.fold(CN360, TERMS, [OUT], due).days_late == 0
    late = s.fold(CN360, TERMS, [OUT], due + timedelta(days=1))
    assert late.days_late == 1
    assert late.due == s.Parts(98_515, 4_500, 0, 74)  # 98,515 x 18 % x 1.5 x 1 / 360 = 73.89


def test_penalty_replaces_interest_on_overdue_principal_and_later_rows_stand():
    state = s.fold(CN360, TERMS, [OUT], date(2026, 4, 10))
    march = state.rows[1]
    assert march.asked.interest_fen == 3_022  # 201,485 x 1.5 %: as if the first row had been paid
    assert state.rows[0].asked.penalty_fen == 3_177  # [28 Feb, 10 Apr): one month and 13 days, 43 units of 73.88625 fen


def test_early_money_pays_interest_to_the_day_then_principal_and_the_level_amount_is_set_anew():
    on = date(2026, 2, 10)  # ten nights: 300,000 x 18 % x 10 / 360 = 1,500
    state = s.fold(CN360, TERMS, [OUT, pay(2, on, 101_500, s.Intent.PREPAY)], on)
    assert state.allocations[0].parts == s.Parts(100_000, 1_500)
    assert state.principal_owed_fen == 200_000
    early, *rest = state.rows
    assert (early.kind, early.due) == (s.RowKind.PREPAID, on)
    assert [row.due for row in rest] == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]
    assert rest[0].asked.interest_fen == 1_800  # [10 Feb, 28 Feb): 18 days of 200,000
    assert sum(row.asked.principal_fen for row in rest) == 200_000


def test_money_beyond_what_is_due_is_credit_unless_the_person_asked_to_prepay():
    due = date(2026, 2, 28)
    state = s.fold(CN360, TERMS, [OUT, pay(2, due, 150_000)], due)
    assert state.figures.credit_fen == 150_000 - 103_015
    assert state.due.total_fen == 0
    back = s.fold(CN360, TERMS, [OUT, pay(2, due, 150_000), s.CreditPaidOut(no=3, on=due, amount_fen=46_985)], due)
    assert back.figures.credit_fen == 0


@pytest.mark.parametrize(("days", "first_part"), [(90, "penalty"), (91, "principal")])
def test_up_to_ninety_days_penalty_first_beyond_it_principal_first(days, first_part):
    on = date(2026, 2, 28) + timedelta(days=days)
    state = s.fold(CN360, TERMS, [OUT, pay(2, on, 1_000)], on)
    assert state.allocations[0].parts == s.Parts.only(s.Part(first_part), 1_000)


def test_a_payment_that_came_back_never_happened():
    due = date(2026, 2, 28)
    clean = s.fold(CN360, TERMS, [OUT], date(2026, 3, 20))
    undone = s.fold(CN360, TERMS, [OUT, pay(2, due, 103_015), s.Undone(no=3, on=date(2026, 3, 2), of=2)], date(2026, 3, 20))
    assert undone == clean


def test_a_pay_out_that_came_back_leaves_nothing_owed():
    state = s.fold(CN360, TERMS, [OUT, s.Undone(no=2, on=date(2026, 2, 2), of=1), pay(3, date(2026, 2, 3), 500)], date(2026, 6, 1))
    assert state.standing is s.Standing.VOID
    assert (state.principal_owed_fen, state.payoff_fen, state.figures.credit_fen) == (0, 0, 500)


def test_a_restructure_moves_old_debt_into_new_rows_and_days_late_begin_anew():
    on = date(2026, 5, 10)
    hard = s.Restructured(no=2, on=on, rate_ppm=90_000, months=6, method=s.Method.LEVEL_PAYMENT, first_due=date(2026, 6, 10))
    before, after = s.fold(CN360, TERMS, [OUT], on), s.fold(CN360, TERMS, [OUT, hard], on)
    assert before.days_late == after.days_late_at_restructure == 71
    assert after.days_late == 0
    assert after.principal_owed_fen == 300_000
    carried = before.due - s.Parts(principal_fen=300_000)
    assert sum(row.asked.interest_fen - row.waived.interest_fen for row in after.rows) > carried.interest_fen
    assert after.payoff_fen == before.payoff_fen
    assert sum(row.asked.penalty_fen for row in after.rows) == carried.penalty_fen
    assert s.fold(CN360, TERMS, [OUT, hard], on).figures.earned_interest_fen == before.figures.earned_interest_fen


def test_what_is_written_off_bears_no_more_and_money_after_it_is_a_recovery():
    on = date(2026, 9, 1)
    events = [OUT, s.WrittenOff(no=2, on=on)]
    then, later = s.fold(CN360, TERMS, events, on), s.fold(CN360, TERMS, events, on + timedelta(days=300))
    assert then.figures.written_off.total_fen == then.due.total_fen == later.due.total_fen == then.payoff_fen
    paid = s.fold(CN360, TERMS, [*events, pay(3, date(2026, 10, 1), 50_000)], date(2026, 10, 1))
    assert paid.figures.recovered == s.Parts(principal_fen=50_000)
    assert paid.standing is s.Standing.WRITTEN_OFF


def test_a_waiver_takes_only_what_is_due():
    on = date(2026, 3, 10)
    state = s.fold(CN360, TERMS, [OUT, s.Waived(no=2, on=on, parts=s.Parts(0, 0, 0, 10**9))], on)
    assert state.figures.waived == s.Parts(penalty_fen=s.fold(CN360, TERMS, [OUT], on).due.penalty_fen)
    assert state.due.penalty_fen == 0


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, "normal"),
        (1, "special_mention"),
        (90, "special_mention"),
        (91, "substandard"),
        (270, "substandard"),
        (271, "doubtful"),
        (360, "doubtful"),
        (361, "loss"),
    ],
)
def test_both_sides_of_every_threshold(days, expected):
    assert s.asset_class(days, CLASSES, on=date(2026, 9, 1)) is s.AssetClass(expected)


def test_a_restructured_loan_is_watched_until_days_and_payments_are_both_there():
    on = date(2026, 1, 1)
    watched = {"restructured_on": on, "class_at_restructure": s.AssetClass.SUBSTANDARD}
    ends = on + timedelta(days=365)
    assert s.asset_class(0, CLASSES, on=ends - timedelta(days=1), rows_met_since=9, **watched) is s.AssetClass.SUBSTANDARD
    assert s.asset_class(0, CLASSES, on=ends, rows_met_since=1, **watched) is s.AssetClass.SUBSTANDARD
    assert s.asset_class(0, CLASSES, on=ends, rows_met_since=2, **watched) is s.AssetClass.NORMAL
    assert s.asset_class(300, CLASSES, on=on, **watched) is s.AssetClass.DOUBTFUL
    assert s.asset_class(0, CLASSES, on=on, is_written_off=True) is s.AssetClass.LOSS
