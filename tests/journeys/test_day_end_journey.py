"""Closing the day by itself and by hand, and what a borrower reads of his loan."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from puhui.engines import schedules as s
from puhui.foundation.desk import Wiring, open_desk
from puhui.foundation.refusals import BadField, NotFound
from puhui.foundation.runner import drain
from puhui.journeys import day_end, statement
from puhui.rooms import ledger
from puhui.vocabulary.ids import customer_id, derive
from puhui.vocabulary.steps import Session, State

START = date(2026, 9, 1)
LI = customer_id("se-li")
LOAN = derive("ln", LI, "ap-1", "loan")
SESSION = Session("se-li", "e01", "dv-1", LI)
CN365 = s.convention("cn-365")


async def lend(work):
    loan = ledger.NewLoan(
        customer_id=LI,
        loan_id=LOAN,
        application_id="ap-1",
        product="starter",
        convention="cn-365",
        convention_sha256=CN365.sha256,
        contract_sha256="c" * 64,
        principal_fen=300_000,
        rate_ppm=180_000,
        months=3,
        method=s.Method.LEVEL_PRINCIPAL,
        legs=(ledger.Leg(ledger.LENDER, 1_000_000),),
    )
    return await ledger.disburse(work, loan=loan, payment_order_id="po-1", value_date=START)


def noon(day):
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


@pytest.fixture
async def wired(desk):
    opened = await open_desk(desk.config, Wiring(steps=day_end.STEPS), owner="test-2", clock=desk.clock)
    yield opened
    await opened.close()


async def closed_days(desk):
    async with desk.work() as work:
        return [row["day"] for row in await work.connection.fetch("select body ->> 'business_date' as day from foundation.events where kind = 'BusinessDayClosed'")]


async def test_days_close_by_themselves_once_each_and_the_flow_goes_on(wired):
    async with wired.work() as work:
        await lend(work)
        assert await day_end.start_days(work, START)
        assert not await day_end.start_days(work, START)
    for day in (2, 3, 4):
        wired.clock.step_to(noon(date(2026, 9, day)))
        await drain(wired)
    assert await closed_days(wired) == ["2026-09-01", "2026-09-02", "2026-09-03"]
    async with wired.work() as work:
        assert await ledger.closed_until(work) == date(2026, 9, 3)
        assert await ledger.check(work) == []
    assert await day_end.close_by_hand(wired, date(2026, 9, 3)) == []


async def test_a_day_half_closed_is_finished_and_told_once(wired):
    """Killed between two partitions: the next runner closes the rest and changes nothing of what was done."""
    async with wired.work() as work:
        await lend(work)
        await day_end.start_days(work, START)
    wired.clock.step_to(noon(date(2026, 9, 2)))
    async with wired.work() as work:
        half = await ledger.day_end(work, business_date=START, partition=3, rules=day_end.book_rules(START))
        with pytest.raises(ledger.PartitionsOpen):
            await ledger.close_day(work, business_date=START)
    done = await day_end.close_partitions(wired, START)
    assert [one.was_done for one in done].count(True) == 1
    assert done[3].snapshot_sha256 == half.snapshot_sha256
    assert await day_end.close_by_hand(wired, START) == [START]
    await drain(wired)
    assert await closed_days(wired) == ["2026-09-01"]


async def test_days_cannot_be_closed_before_they_are_over_or_before_they_began(wired):
    with pytest.raises(day_end.NoDayOpen):
        await day_end.close_by_hand(wired, START)
    async with wired.work() as work:
        await day_end.start_days(work, START)
    with pytest.raises(ledger.DayNotOver):
        await day_end.close_by_hand(wired, START + timedelta(days=3))


async def test_a_borrower_reads_plan_statement_payoff_and_certificates(wired):
    async with wired.work() as work:
        view = await lend(work)
    [shown] = (await statement.schedule(wired, SESSION, {}))["loans"]
    assert shown["state"] == "active"
    assert [row["total_fen"] for row in shown["rows"]] == [row.asked.total_fen for row in view.rows]
    wired.clock.step_to(noon(date(2026, 9, 11)))
    asked = statement.Payoff(LOAN, date(2026, 9, 11))
    told = await statement.payoff(wired, session=SESSION, body=asked, key="k-1")
    assert told.show["amount_fen"] == 301_479  # 300,000 x 18 % x 10 / 365 = 1,479.45
    with pytest.raises(BadField):
        await statement.payoff(wired, session=SESSION, body=statement.Payoff(LOAN, START), key="k-2")
    with pytest.raises(ledger.LoanNotSettled):
        await statement.certificate(wired, session=SESSION, body=statement.Certificate("settled", LOAN), key="k-3")
    async with wired.work() as work:
        receipt = await ledger.repay(
            work, customer_id=LI, loan_id=LOAN, payment_order_id="po-2", amount_fen=301_479, intent=s.Intent.PAYOFF, value_date=work.today
        )
        assert json.loads(await ledger.find_document(work, LI, receipt.sha256))["invoice"] == [{"what_zh": "贷款利息", "amount_fen": 1_479}]
        assert await ledger.find_document(work, "cu-000-other", receipt.sha256) is None
    told = await statement.certificate(wired, session=SESSION, body=statement.Certificate("settled", LOAN), key="k-4")
    assert told.state is State.SETTLED
    async with wired.work() as work:
        body = await ledger.find_document(work, LI, told.show["sha256"])
    assert hashlib.sha256(body).hexdigest() == told.show["sha256"]
    assert json.loads(body)["settled_on"] == "2026-09-11"
    lines = (await statement.statement(wired, SESSION, {"loan_id": LOAN, "since": "2026-09-11"}))["lines"]
    assert [(line["kind"], line["principal_fen"], line["principal_left_fen"]) for line in lines] == [("paid", 300_000, 0)]
    with pytest.raises(NotFound):
        await statement.schedule(wired, SESSION, {"loan_id": "ln-000-other"})
    with pytest.raises(BadField):
        await statement.statement(wired, SESSION, {"loan_id": LOAN, "since": "yesterday"})
    with pytest.raises(BadField):
        await statement.certificate(wired, session=SESSION, body=statement.Certificate("golden", LOAN), key="k-5")
