"""A loan falls behind, is followed, catches up; promises and pleas."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.engines.rules import shipped
from puhui.foundation.refusals import BadField, NotFound, WrongState
from puhui.rooms import arrears
from puhui.rooms.arrears import Act, Stage, Standing, stage_of
from puhui.vocabulary.permits import ListedPartner

LI, LOAN = "cu-001-li", "ln-001-a"
RULES = shipped.collection().artefact


@pytest.mark.parametrize(("days", "stage"), [(0, "M0"), (1, "M1"), (30, "M1"), (31, "M2"), (90, "M3"), (91, "M4"), (180, "M6"), (181, "M7"), (999, "M7")])
def test_a_stage_is_a_function_of_days_late(days, stage):
    assert stage_of(days) is Stage(stage)


@given(st.integers(0, 2000))
def test_stages_never_go_back_as_days_go_on(days):
    assert stage_of(days).value <= stage_of(days + 1).value


def test_the_days_of_a_late_loan_go_from_a_message_to_the_write_off_of_two_persons():
    case, day, acts = Standing(27_000, None, None, 0), 0, []
    while planned := arrears.next_planned(RULES, case, day):
        acts.append((planned.day, planned.act))
        day = planned.day
    assert [one for one, _ in acts] == [1, 3, 5, 10, 15, 22, 31, 38, 45, 61, 75, 91, 95, 121, 151, 181]
    assert (acts[0][1], acts[-1][1]) == (Act.SMS, Act.PROPOSE_WRITE_OFF)
    small = Standing(2_000, None, None, 0)
    assert arrears.treat(RULES, small, 5).act is Act.SMS, "nobody is called about twenty yuan"
    assert {arrears.treat(RULES, case, day).tone for day in (5, 45, 121)} == {"kind", "plain", "formal"}


async def test_an_open_promise_and_a_plea_rest_the_contacts_and_broken_promises_add_one(desk):
    async with desk.work() as work:
        case = await behind(work, 4)
        assert (await arrears.standing_of(work, case)) == Standing(27_000, None, None, 0)
        await arrears.promise(work, customer_id=LI, loan_id=LOAN, day=work.today + timedelta(days=1), amount_fen=100)
        assert (await arrears.plan_today(work, customer_id=LI, loan_id=LOAN, days_late=5, rules=RULES)).today == ()
    desk.clock.step_to(desk.clock.now() + timedelta(days=2))
    async with desk.work() as work:
        await arrears.promise(work, customer_id=LI, loan_id=LOAN, day=work.today, amount_fen=100)
        await arrears.break_promises(work, customer_id=LI, loan_id=LOAN)
    desk.clock.step_to(desk.clock.now() + timedelta(days=1))
    async with desk.work() as work:
        assert await arrears.break_promises(work, customer_id=LI, loan_id=LOAN) == 1
        case = (await arrears.cases_of(work, LI))[0]
        standing = await arrears.standing_of(work, case)
        assert (standing.promise, standing.promises_broken) == (None, 2)
        assert arrears.treat(RULES, standing, 26).act is Act.CALL
        await arrears.ask_hardship(work, customer_id=LI, case_id="ca-1", loan_id=LOAN, reason="flood", proof_ref=None)
        assert (await arrears.plan_today(work, customer_id=LI, loan_id=LOAN, days_late=15, rules=RULES)).today == ()


async def behind(work, days_late=1, overdue_fen=27_000):
    return await arrears.fall_behind(work, customer_id=LI, loan_id=LOAN, days_late=days_late, overdue_fen=overdue_fen)


async def test_a_year_of_a_loan_that_falls_behind_twice(desk):
    async with desk.work() as work:
        first = await behind(work)
        assert (first.k, first.stage) == (1, Stage.M1)
        assert await behind(work) == first, "told twice it is the same case"
    desk.clock.step_to(desk.clock.now() + timedelta(days=30))
    async with desk.work() as work:
        assert (await behind(work, 31, 60_000)).stage is Stage.M2
        assert await arrears.end_case(work, customer_id=LI, loan_id=LOAN, ended_by="caught_up")
        assert not await arrears.end_case(work, customer_id=LI, loan_id=LOAN, ended_by="caught_up")
        assert (await behind(work)).k == 2


async def test_the_plan_of_a_day_is_carried_out_once(work):
    await behind(work)
    plan = await arrears.plan_today(work, customer_id=LI, loan_id=LOAN, days_late=1, rules=RULES)
    assert ([line.act for line in plan.today], plan.next_day) == ([Act.SMS], 3)
    again = await arrears.plan_today(work, customer_id=LI, loan_id=LOAN, days_late=1, rules=RULES)
    assert again.today == ()
    assert await arrears.plan_today(work, customer_id=LI, loan_id="ln-001-other", days_late=1, rules=RULES) is None


async def test_a_promise_is_kept_by_a_payment_and_broken_by_silence(desk):
    async with desk.work() as work:
        await behind(work)
        day = work.today + timedelta(days=2)
        assert await arrears.promise(work, customer_id=LI, loan_id=LOAN, day=day, amount_fen=10_000) == 1
        assert await arrears.promise(work, customer_id=LI, loan_id=LOAN, day=day, amount_fen=17_000) == 2
        await arrears.hear_payment(work, customer_id=LI, loan_id=LOAN, amount_fen=12_000)
    desk.clock.step_to(datetime(2026, 9, 4, 1, tzinfo=UTC))
    async with desk.work() as work:
        assert await arrears.break_promises(work, customer_id=LI, loan_id=LOAN) == 1
        assert [one["state"] for one in await arrears.promises_of(work, LI)] == ["kept", "broken"]


async def test_a_promise_is_for_the_near_future_and_no_more_than_is_owed(work):
    with pytest.raises(NotFound):
        await arrears.promise(work, customer_id=LI, loan_id=LOAN, day=work.today, amount_fen=1)
    await behind(work)
    for day, amount in ((work.today - timedelta(days=1), 1), (work.today + timedelta(days=31), 1), (work.today, 27_001), (work.today, 0)):
        with pytest.raises(BadField):
            await arrears.promise(work, customer_id=LI, loan_id=LOAN, day=day, amount_fen=amount)


async def test_a_plea_is_answered_once_and_another_waits_for_it(work):
    plea = {"customer_id": LI, "loan_id": LOAN, "reason": "生病住院", "proof_ref": None}
    assert (await arrears.ask_hardship(work, case_id="ca-1", **plea)).state == "asked"
    with pytest.raises(WrongState):
        await arrears.ask_hardship(work, case_id="ca-2", **plea)
    assert (await arrears.answer_hardship(work, customer_id=LI, case_id="ca-1", months=12)).state == "granted"
    with pytest.raises(WrongState):
        await arrears.answer_hardship(work, customer_id=LI, case_id="ca-1", months=None)
    assert (await arrears.ask_hardship(work, case_id="ca-3", **plea)).state == "asked"


async def test_a_case_is_with_one_outsourcer_at_a_time_and_leaves_him_when_it_ends(work):
    await behind(work, 91)
    for partner in ("outsourcer-1", "outsourcer-2"):
        await arrears.assign(work, customer_id=LI, loan_id=LOAN, outsourcer=ListedPartner(partner, "outsourcer", "", work.at))
    count = "select count(*) from arrears.assignments where until is null"
    assert await work.connection.fetchval(count) == 1
    await arrears.end_case(work, customer_id=LI, loan_id=LOAN, ended_by="settled")
    assert await work.connection.fetchval(count) == 0
