"""Loans on the books, from the pay-out to the last fen: every story ends with all invariants holding."""

import asyncio
import hashlib
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from puhui.engines import schedules as s
from puhui.foundation.refusals import KeyReused, WrongState
from puhui.rooms import ledger
from puhui.vocabulary.ids import customer_id, derive
from puhui.vocabulary.permits import Approval

START = date(2026, 9, 1)
LI = customer_id("se-li")
LOAN = derive("ln", LI, "ap-1", "loan")
CN365 = s.convention("cn-365")
PACK = ledger.BookRules(
    s.ClassRules(
        (
            (1, s.AssetClass.SPECIAL_MENTION),
            (91, s.AssetClass.SUBSTANDARD),
            (271, s.AssetClass.DOUBTFUL),
            (361, s.AssetClass.LOSS),
        ),
        restructured_observation_days=365,
        restructured_payments_min=2,
    ),
    interest_off_balance_days=91,
    provision_ppm={
        s.AssetClass.NORMAL: 15_000,
        s.AssetClass.SPECIAL_MENTION: 30_000,
        s.AssetClass.SUBSTANDARD: 300_000,
        s.AssetClass.DOUBTFUL: 600_000,
        s.AssetClass.LOSS: 1_000_000,
    },
)
JOINT = (ledger.Leg(ledger.LENDER, 300_001), ledger.Leg("funder-07", 400_000), ledger.Leg("funder-11", 299_999))


def new_loan(**other):
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
        method=s.Method.LEVEL_PAYMENT,
        legs=JOINT,
    )
    return replace(loan, **other)


def approved(content: bytes) -> Approval:
    return Approval("aa-1", "ledger", hashlib.sha256(content).hexdigest(), "wang", "zhao", datetime(2026, 9, 1, tzinfo=UTC))


class Days:
    """Walks a desk through business days, closing each one."""

    def __init__(self, desk):
        self.desk, self.today = desk, START
        self.partitions = [int(LI.split("-")[1], 16) % ledger.PARTITIONS]

    @asynccontextmanager
    async def work(self, day=None):
        if day and day > self.today:
            await self.go_to(day)
        async with self.desk.work() as work:
            assert work.today == self.today
            yield work

    async def go_to(self, day, *, close=True):
        while self.today < day:
            self.today += timedelta(days=1)
            self.desk.clock.step_to(datetime(self.today.year, self.today.month, self.today.day, 1, tzinfo=UTC))
            if close:
                await self.close(self.today - timedelta(days=1))

    async def close(self, day):
        async with self.desk.work() as work:
            return [await ledger.day_end(work, business_date=day, partition=p, rules=PACK) for p in self.partitions]

    async def events(self):
        async with self.desk.work() as work:
            return [row["kind"] for row in await work.connection.fetch("select kind from foundation.events order by seq")]


@pytest.fixture
async def days(desk):
    return Days(desk)


async def all_holds(days):
    async with days.work() as work:
        assert await ledger.check(work) == []
        assert await ledger.check_twin(work) == []
        lines = await ledger.trial_balance(work, days.today)
        assert sum(line.balance_fen for line in lines) == 0
        return {(line.account, line.owner): line.balance_fen for line in lines if line.balance_fen}


async def pay(work, fen, key, *, on=None, intent=s.Intent.DUE, loan_id=LOAN):
    return await ledger.repay(
        work, customer_id=LI, loan_id=loan_id, payment_order_id=key, amount_fen=fen, intent=intent, value_date=on or work.today
    )


async def test_a_joint_loan_paid_on_time_leaves_no_balance_but_income_and_money(days):
    async with days.work() as work:
        view = await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
        again = await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
        assert view == again
        assert await ledger.owed_by(work, LI) == 300_000
    for k, row in enumerate(view.rows):
        async with days.work(row.due) as work:
            assert [due.due_fen for due in await ledger.loans_due(work, row.due)] == [row.asked.total_fen]
            receipt = await pay(work, row.asked.total_fen, f"po-2{k}")
            assert receipt.due_left_fen == receipt.credit_fen == 0
    assert receipt.standing is s.Standing.SETTLED
    await days.go_to(view.maturity + timedelta(days=2))
    balances = await all_holds(days)
    paid = sum(row.asked.total_fen for row in view.rows)
    own = s.split(300_000, (300_001, 400_000, 299_999))[0]
    assert balances["cash", ledger.CLEARING] == paid
    assert balances["cash", ledger.MAIN] == -own
    assert {account for account, _ in balances} <= {"cash", "payable.funder", "income.interest", "expense.rounding"}
    assert (await days.events()).count("LoanSettled") == 1


async def test_a_payment_sent_twice_is_taken_once(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    async with days.work(date(2026, 10, 1)) as work:
        first = await pay(work, 50_000, "po-2")
    async with days.work(date(2026, 10, 3)) as work:
        assert await pay(work, 50_000, "po-2", on=date(2026, 10, 1)) == first
        with pytest.raises(KeyReused):
            await pay(work, 60_000, "po-2")
    await all_holds(days)


async def test_two_taps_at_the_same_instant_are_one_payment_and_two_payments_are_two(days):
    async def tap(key, fen):
        async with days.desk.work() as work:
            return await pay(work, fen, key)

    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    await days.go_to(date(2026, 10, 1))
    same = await asyncio.gather(*(tap("po-2", 40_000) for _ in range(4)))
    assert len(set(same)) == 1
    await asyncio.gather(*(tap(f"po-3{k}", 10_000) for k in range(4)))
    assert (await days.events()).count("RepaymentPosted") == 5
    assert (await all_holds(days))["cash", ledger.CLEARING] == 80_000


async def test_a_pay_out_told_twice_at_once_opens_one_loan(days):
    async def told():
        async with days.desk.work() as work:
            return await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)

    views = await asyncio.gather(*(told() for _ in range(3)))
    assert views[0] == views[1] == views[2]
    assert (await days.events()).count("LoanDisbursed") == 1
    await all_holds(days)


async def test_a_payment_in_the_middle_of_the_days_end_waits_and_nothing_is_accrued_twice(days):
    async def tap():
        async with days.desk.work() as work:
            return await pay(work, 40_000, "po-2", intent=s.Intent.PREPAY)

    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    await days.go_to(date(2026, 9, 11))
    await days.go_to(date(2026, 9, 12), close=False)
    partition = int(LI.split("-")[1], 16) % ledger.PARTITIONS
    async with days.desk.work() as work:
        await ledger.day_end(work, business_date=date(2026, 9, 11), partition=partition, rules=PACK)
        waiting = asyncio.create_task(tap())
        await asyncio.sleep(0.2)
        assert not waiting.done()
    await waiting
    await all_holds(days)


async def test_a_payment_before_the_day_is_closed_leaves_nothing_for_the_days_end_to_do_twice(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    await days.go_to(date(2026, 9, 11))
    await days.go_to(date(2026, 9, 12), close=False)
    async with days.work() as work:
        await pay(work, 40_000, "po-2", intent=s.Intent.PREPAY)
        before = await ledger.trial_balance(work, date(2026, 9, 11))
    await days.close(date(2026, 9, 11))
    async with days.work() as work:
        after = await ledger.trial_balance(work, date(2026, 9, 11))
        assert [line for line in before if line.account == "loans.interest"] == [line for line in after if line.account == "loans.interest"]
    await days.go_to(date(2026, 9, 14))
    await all_holds(days)


async def test_what_arrives_beyond_the_debt_is_credit_and_is_paid_back(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    async with days.work(date(2026, 10, 1)) as work:
        receipt = await pay(work, 200_000, "po-2")
        assert receipt.credit_fen > 0
        assert [one.credit_fen for one in await ledger.credit_balances(work)] == [receipt.credit_fen]
        with pytest.raises(ledger.MoreThanCredit):
            await ledger.pay_back_credit(work, customer_id=LI, loan_id=LOAN, payment_order_id="po-3", amount_fen=receipt.credit_fen + 1)
        await ledger.pay_back_credit(work, customer_id=LI, loan_id=LOAN, payment_order_id="po-3", amount_fen=receipt.credit_fen)
        assert await ledger.credit_balances(work) == []
        view = await ledger.reverse_credit_pay_back(work, customer_id=LI, loan_id=LOAN, payment_order_id="po-3")
        assert view.credit_fen == receipt.credit_fen
    await all_holds(days)


async def test_a_late_loan_bears_penalty_moves_through_classes_and_is_told_of(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    async with days.work(date(2026, 10, 3)) as work:  # the day of 2 October is closed: day 1
        view = await ledger.find_loan(work, LI, LOAN)
        assert (view.asset_class, view.days_late) == (s.AssetClass.SPECIAL_MENTION, 2)
        assert view.due.penalty_fen > 0
    async with days.work(date(2027, 1, 2)) as work:
        view = await ledger.find_loan(work, LI, LOAN)
        assert view.asset_class is s.AssetClass.SUBSTANDARD
        lines = {line.account: line.balance_fen for line in await ledger.trial_balance(work, work.today) if line.owner == ledger.LENDER}
        assert lines["memo.nonaccrual"] == -lines["memo.contra"] > 0
        assert lines.get("loans.interest", 0) == lines.get("income.interest", 0) == 0
        assert lines["loans.provision"] == -s.split(300_000, (300_001, 400_000, 299_999))[0] * 3 // 10
        receipt = await pay(work, 10_000, "po-2")
        assert receipt.parts == s.Parts(principal_fen=10_000)
    told = await days.events()
    assert told.count("LoanFellBehind") == 4
    assert told.count("AssetClassChanged") == 2
    await all_holds(days)
    async with days.work() as work:
        owed = await ledger.payoff_fen(work, LI, LOAN, days.today)
        receipt = await pay(work, owed, "po-3", intent=s.Intent.PAYOFF)
        assert receipt.standing is s.Standing.SETTLED
    assert {"LoanCaughtUp", "LoanSettled"} <= set(await days.events())
    balances = await all_holds(days)
    assert not {account for account, _ in balances} & {"loans.principal", "memo.nonaccrual", "joint.principal"}


async def test_a_late_answer_of_the_rail_costs_the_borrower_nothing(days):
    """Tapped on the due day, told to us three days later: it counts from the tap, and the books end as if it had been known."""
    async with days.work() as work:
        view = await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    due = view.rows[0].due
    async with days.work(due + timedelta(days=3)) as work:
        assert (await ledger.find_loan(work, LI, LOAN)).due.penalty_fen > 0
        receipt = await pay(work, view.rows[0].asked.total_fen, "po-2", on=due)
        assert (receipt.due_left_fen, receipt.parts.penalty_fen) == (0, 0)
        assert await ledger.class_on(work, LI, LOAN, due + timedelta(days=1)) is s.AssetClass.SPECIAL_MENTION
    balances = await all_holds(days)
    assert not {"income.penalty", "joint.penalty"} & {account for account, _ in balances}


async def test_a_returned_payment_never_happened_and_a_returned_pay_out_leaves_nothing(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    async with days.work(date(2026, 10, 1)) as work:
        await pay(work, 100_000, "po-2", intent=s.Intent.PREPAY)
    async with days.work(date(2026, 10, 4)) as work:
        view = await ledger.reverse_repayment(work, customer_id=LI, loan_id=LOAN, payment_order_id="po-2")
        assert view == await ledger.reverse_repayment(work, customer_id=LI, loan_id=LOAN, payment_order_id="po-2")
        assert view.principal_owed_fen == 300_000
        assert view.days_late == 3
    await all_holds(days)
    async with days.work(date(2026, 10, 5)) as work:
        view = await ledger.reverse_disbursement(work, customer_id=LI, loan_id=LOAN, payment_order_id="po-1", code="rail.account-closed")
        assert (view.standing, view.payoff_fen) == (s.Standing.VOID, 0)
    await days.go_to(date(2026, 10, 6))  # the day's end lets the provision go
    assert await all_holds(days) == {}


async def test_a_refund_of_a_payment_makes_it_smaller(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    async with days.work(date(2026, 10, 1)) as work:
        await pay(work, 100_000, "po-2")
        with pytest.raises(ledger.MoreThanPaid):
            await ledger.refund_repayment(work, customer_id=LI, loan_id=LOAN, payment_order_id="po-2", refund_id="rf-1", amount_fen=100_001)
        await ledger.refund_repayment(work, customer_id=LI, loan_id=LOAN, payment_order_id="po-2", refund_id="rf-1", amount_fen=40_000)
    async with days.work() as work:
        events = await ledger.funder_events(work, days.today, "funder-07")
        assert [event.event for event in events] == ["repaid", "refunded"]
        assert (await ledger.cash(work, days.today))[ledger.CLEARING] == 60_000
    await all_holds(days)


async def test_nothing_is_charged_that_the_cost_table_does_not_name(days):
    allowed = ledger.AllowedCharge("guarantee", "enhancer-1", date(2026, 10, 1), 600)
    async with days.work() as work:
        view = await ledger.disburse(work, loan=new_loan(charges=(allowed,)), payment_order_id="po-1", value_date=START)
        assert view.rows[0].asked.fees_fen == 600
        charge = {"customer_id": LI, "loan_id": LOAN, "payee": "enhancer-1", "due": date(2026, 11, 1)}
        with pytest.raises(ledger.ChargeNotInCostTable):
            await ledger.charge(work, **charge, key="ch-1", code="guarantee", amount_fen=1)
        with pytest.raises(ledger.ChargeNotInCostTable):
            await ledger.charge(work, **charge, key="ch-2", code="collection", amount_fen=1)
    async with days.work(date(2026, 10, 1)) as work:
        await pay(work, view.rows[0].asked.total_fen, "po-2")
    balances = await all_holds(days)
    assert balances["payable.payee", "enhancer-1"] == -600


async def test_waivers_restructures_and_write_offs_need_two_people(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    async with days.work(date(2027, 1, 10)) as work:
        parts = s.Parts(penalty_fen=10**6)
        with pytest.raises(ledger.ApprovalMissing):
            await ledger.waive(work, customer_id=LI, loan_id=LOAN, key="w-1", parts=parts, approval=approved(b"something else"))
        alone = replace(approved(ledger.waiver_content(LOAN, parts)), second="wang")
        with pytest.raises(ledger.ApprovalMissing):
            await ledger.waive(work, customer_id=LI, loan_id=LOAN, key="w-1", parts=parts, approval=alone)
        view = await ledger.waive(
            work, customer_id=LI, loan_id=LOAN, key="w-1", parts=parts, approval=approved(ledger.waiver_content(LOAN, parts))
        )
        assert view.due.penalty_fen == 0
        terms = (90_000, 6, s.Method.LEVEL_PAYMENT, date(2027, 2, 10))
        names = dict(zip(("rate_ppm", "months", "method", "first_due"), terms, strict=True))
        yes = approved(ledger.restructure_content(LOAN, *terms))
        view = await ledger.restructure(work, customer_id=LI, loan_id=LOAN, key="h-1", **names, approval=yes)
        assert (view.days_late, view.next_due) == (0, date(2027, 2, 10))
        assert (view.principal_owed_fen, view.asset_class) == (300_000, s.AssetClass.SUBSTANDARD)
    async with days.work(date(2027, 2, 9)) as work:
        assert (await ledger.find_loan(work, LI, LOAN)).asset_class is s.AssetClass.SUBSTANDARD  # watched, not raised at once
    await all_holds(days)


async def test_what_is_written_off_is_a_loss_and_money_after_it_a_recovery(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    async with days.work(date(2027, 4, 15)) as work:
        yes = approved(ledger.write_off_content(LOAN))
        view = await ledger.write_off(work, customer_id=LI, loan_id=LOAN, key="wo-1", approval=yes)
        assert (view.standing, view.asset_class) == (s.Standing.WRITTEN_OFF, s.AssetClass.LOSS)
        owed = view.payoff_fen
        with pytest.raises(WrongState):
            await ledger.write_off(work, customer_id=LI, loan_id=LOAN, key="wo-2", approval=yes)
    balances = await all_holds(days)
    own = s.split(300_000, (300_001, 400_000, 299_999))[0]
    assert balances["expense.credit_loss", ledger.LENDER] == own
    async with days.work(date(2027, 4, 20)) as work:
        assert await ledger.payoff_fen(work, LI, LOAN, days.today) == owed
        await pay(work, 50_000, "po-9")
        [event] = await ledger.funder_events(work, days.today, "funder-11")
        assert event.event == "recovered"
    balances = await all_holds(days)
    assert balances["income.recovery", ledger.LENDER] == -s.split(50_000, (300_001, 400_000, 299_999))[0]
    assert ("loans.provision", ledger.LENDER) not in balances
    async with days.work() as work:
        await pay(work, owed - 50_000, "po-10")
    balances = await all_holds(days)
    assert not {"memo.written_off", "joint.principal", "loans.principal"} & {account for account, _ in balances}


async def test_a_day_closed_twice_or_killed_in_the_middle_is_closed_once(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    await days.go_to(date(2026, 9, 11), close=False)
    partition = int(LI.split("-")[1], 16) % ledger.PARTITIONS

    async def killed_in_the_middle():
        async with days.work() as work:
            await ledger.day_end(work, business_date=date(2026, 9, 10), partition=partition, rules=PACK)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await killed_in_the_middle()
    async with days.work() as work:
        first = await ledger.day_end(work, business_date=date(2026, 9, 10), partition=partition, rules=PACK)
        postings = await work.connection.fetchval("select count(*) from ledger.postings")
    async with days.work() as work:
        again = await ledger.day_end(work, business_date=date(2026, 9, 10), partition=partition, rules=PACK)
        assert again == replace(first, was_done=True)
        assert await work.connection.fetchval("select count(*) from ledger.postings") == postings
        assert first.accrued_interest_fen == 1_332  # 300,000 x 18 % x 9 / 365 = 1,331.5
        with pytest.raises(ledger.DayAlreadyPassed):
            await ledger.day_end(work, business_date=date(2026, 9, 9), partition=partition, rules=PACK)
        for day in (work.today, work.today + timedelta(days=1)):
            with pytest.raises(ledger.DayNotOver):
                await ledger.day_end(work, business_date=day, partition=partition, rules=PACK)


async def test_no_row_is_written_per_loan_and_day(days):
    days.partitions = range(ledger.PARTITIONS)
    async with days.work() as work:
        for k in range(40):
            who = customer_id(f"se-{k % 8}")
            await ledger.disburse(
                work, loan=new_loan(customer_id=who, loan_id=derive("ln", who, f"ap-{k}", "loan")), payment_order_id=f"po-{k}", value_date=START
            )
    await days.go_to(date(2026, 9, 20))
    async with days.work() as work:
        daily = await work.connection.fetch("select business_date, count(*) from ledger.postings where kind = 'accrued' group by 1")
        assert len(daily) == 18
        assert all(row["count"] <= 8 for row in daily)
    await all_holds(days)


async def test_money_without_a_debt_waits_is_matched_or_goes_back(days):
    async with days.work() as work:
        await ledger.open_books(work, balances={ledger.MAIN: 10_000_000, ledger.CLEARING: 0})
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
        for receipt_id in ("in-1", "in-2", "in-2"):
            await ledger.take_unmatched(work, receipt_id=receipt_id, amount_fen=5_000)
        assert [one.receipt_id for one in await ledger.unmatched(work)] == ["in-1", "in-2"]
        receipt = await ledger.match_unmatched(work, receipt_id="in-1", customer_id=LI, loan_id=LOAN, intent=s.Intent.PREPAY)
        assert receipt.parts == s.Parts(principal_fen=5_000)
        await ledger.return_unmatched(work, receipt_id="in-2", payment_order_id="po-5")
        assert await ledger.unmatched(work) == []
        with pytest.raises(WrongState):
            await ledger.return_unmatched(work, receipt_id="in-1", payment_order_id="po-6")
        own = s.split(300_000, (300_001, 400_000, 299_999))[0]
        assert await ledger.cash(work, days.today) == {ledger.MAIN: 10_000_000 - own, ledger.CLEARING: 5_000}
    await all_holds(days)


async def test_a_funder_is_paid_what_repayments_owe_it_and_our_share_is_swept(days):
    async with days.work() as work:
        view = await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    async with days.work(date(2026, 10, 1)) as work:
        await pay(work, view.rows[0].asked.total_fen, "po-2")
        told = await ledger.funder_events(work, days.today, "funder-07")
        assert [(event.event, event.share_ppm) for event in told] == [("repaid", 400_000)]
        owed = {who: await ledger.payable_to(work, partner_id=who, until=days.today) for who in (ledger.LENDER, "funder-07", "funder-11")}
        assert sum(owed.values()) == view.rows[0].asked.total_fen
        assert owed["funder-07"] == told[0].amount_fen
        for who, fen in owed.items():
            await ledger.settle(work, partner_id=who, amount_fen=fen, payment_order_id=f"po-s-{who}")
            await ledger.settle(work, partner_id=who, amount_fen=fen, payment_order_id=f"po-s-{who}")
            assert await ledger.payable_to(work, partner_id=who, until=days.today) == 0
        with pytest.raises(KeyReused):
            await ledger.settle(work, partner_id="funder-07", amount_fen=1, payment_order_id="po-s-funder-07")
        [balance] = await ledger.funder_balances(work, days.today, "funder-07")
        assert balance.principal_fen == s.split(300_000, (300_001, 400_000, 299_999))[1] - told[0].principal_fen
        assert balance.interest_fen == 0
        assert (await ledger.cash(work, days.today))[ledger.CLEARING] == 0
    await all_holds(days)


async def test_a_closed_month_takes_no_more(days):
    async with days.work(date(2026, 10, 1)) as work:
        yes = approved(ledger.close_month_content("2026-10"))
        await ledger.close_month(work, month="2026-10", approval=yes)
        with pytest.raises(ledger.MonthClosed):
            await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=work.today)


async def test_the_bureau_and_the_borrower_read_the_same_loan(days):
    async with days.work() as work:
        view = await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    async with days.work(date(2026, 10, 6)) as work:
        await pay(work, 20_000, "po-2")
    async with days.work(date(2026, 10, 31)) as work:
        month = await ledger.account_month(work, LI, LOAN, date(2026, 10, 31))
        assert (month.days_late, month.overdue_installments, month.installments_left) == (30, 1, 2)
        assert month.overdue_principal_fen <= month.overdue_fen
        assert (month.last_paid_fen, month.asset_class) == (20_000, s.AssetClass.SPECIAL_MENTION)
        lines = await ledger.statement(work, LI, LOAN)
        assert [(line.kind.value, line.amount_fen) for line in lines] == [("disbursed", 300_000), ("paid", 20_000)]
        assert lines[1].principal_left_fen == month.balance_fen
        assert [due.amount_fen for due in await ledger.loans_due_soon(work, date(2026, 11, 1))] == [view.rows[1].asked.total_fen]
        exported = await ledger.export(work, LI)
        assert exported["loans"][0]["loan_id"] == LOAN
        assert await ledger.erase(work, LI) == {"ledger.loans": "cn.anti-money-laundering records_keep_years"}
        told = [one async for one in ledger.canonical(work, days.today)]
        assert [one["balances"]["days_late"] for one in told] == [30]


async def test_what_was_posted_is_never_edited(days):
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(), payment_order_id="po-1", value_date=START)
    for statement in (
        "update ledger.postings set kind = 'other'",
        "delete from ledger.loan_events",
        "update ledger.leg_parts set principal_fen = 1",
    ):
        with pytest.raises(asyncpg.RaiseError):
            async with days.work() as work:
                await work.connection.execute(statement)
    with pytest.raises(asyncpg.CheckViolationError):
        async with days.work() as work:
            await work.connection.execute(
                "insert into ledger.postings select customer_id, 'pg-x', loan_id, no, kind, product, business_date, value_date, recorded_at, key,"
                " accounts, owners, array_append(amounts_fen[2:], 1::bigint) from ledger.postings limit 1"
            )


PLANTED = {
    "ledger.rows-equal-the-fold": "update ledger.loans set principal_owed_fen = principal_owed_fen - 1",
    "ledger.legs-are-whole": "update ledger.legs set share_fen = share_fen + 1 where leg = 1",
    "ledger.events-have-no-gaps": "update ledger.loans set events = events + 1",
    "ledger.only-the-cost-table-is-charged": "delete from ledger.charges_allowed",
    "ledger.accounts-are-known": "alter table ledger.postings disable trigger all; update ledger.postings set accounts[1] = 'gone'",
    "ledger.books-equal-the-loans": "alter table ledger.postings disable trigger all; delete from ledger.postings where kind = 'paid'",
    "ledger.leg-parts-add-up": "alter table ledger.leg_parts disable trigger all; update ledger.leg_parts set interest_fen = interest_fen + 1",
    "ledger.postings-balance": "alter table ledger.postings disable trigger all; alter table ledger.postings drop constraint debits_equal_credits;"
    " update ledger.postings set amounts_fen[1] = amounts_fen[1] + 1",
    "ledger.day-ends-follow": "delete from ledger.day_ends where business_date = '2026-09-05'",
    "ledger.closed-months-stay": "insert into ledger.periods values ('2026-09', '2026-09-01T00:00:00Z', 'aa-1')",
}


@pytest.mark.parametrize("name", PLANTED)
async def test_a_planted_corruption_is_found_and_named(days, name):
    async with days.work() as work:
        allowed = ledger.AllowedCharge("guarantee", "enhancer-1", date(2026, 10, 1), 600)
        await ledger.disburse(work, loan=new_loan(charges=(allowed,)), payment_order_id="po-1", value_date=START)
    async with days.work(date(2026, 9, 12)) as work:
        await pay(work, 30_000, "po-2", intent=s.Intent.PREPAY)
    await all_holds(days)
    async with days.work() as work:
        await work.connection.execute(PLANTED[name])
    async with days.work() as work:
        assert name in {failed.name for failed in await ledger.check(work)}


async def funders_are_told_what_the_books_hold(days, partners):
    yesterday = days.today - timedelta(days=1)
    async with days.work() as work:
        lines = {(line.account, line.owner): line.balance_fen for line in await ledger.trial_balance(work, yesterday)}
        for partner in partners:
            told = await ledger.funder_balances(work, yesterday, partner)
            assert sum(one.principal_fen for one in told) == lines.get(("joint.principal", partner), 0)
            odd = 0 if len(partners) == 1 else len(told)  # beside three legs a funder's nearest fen is not always the split's
            assert abs(sum(one.interest_fen for one in told) - lines.get(("joint.interest", partner), 0)) <= odd


async def test_a_funder_is_told_the_same_whether_a_loan_only_aged_or_was_told_again(days):
    days.partitions = range(ledger.PARTITIONS)
    async with days.work() as work:
        for k in range(6):
            who = customer_id(f"se-{k}")
            loan = new_loan(customer_id=who, loan_id=derive("ln", who, f"ap-{k}", "loan"), principal_fen=100_000 + 777 * k)
            await ledger.disburse(work, loan=loan, payment_order_id=f"po-{k}", value_date=START)
    for day in (date(2026, 9, 9), date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 20)):
        await days.go_to(day)
        await funders_are_told_what_the_books_hold(days, ["funder-07", "funder-11"])


@pytest.mark.parametrize("seed", range(4))
async def test_random_lives_keep_every_invariant_and_the_books_follow_the_clean_history(days, seed):
    """Payments late, early, beyond, backdated, returned, refunded: the books end where they would have, had all been known in time."""
    chance = random.Random(seed)
    legs = JOINT if seed % 2 else (ledger.Leg(ledger.LENDER, 123_457), ledger.Leg("funder-03", 876_543))
    async with days.work() as work:
        await ledger.disburse(work, loan=new_loan(legs=legs, principal_fen=chance.randint(50_000, 900_000), months=6), payment_order_id="po-1", value_date=START)
    standing = []
    for k in range(14):
        await days.go_to(days.today + timedelta(days=chance.randint(1, 18)))
        async with days.work() as work:
            kind = chance.choice("ppppprxc")
            if kind == "p" or not standing:
                on = max(START, days.today - timedelta(days=chance.choice((0, 0, 1, 3))))
                await pay(work, chance.choice((7, chance.randint(1, 90_000))), f"po-p{k}", on=on, intent=chance.choice(list(s.Intent)))
                standing.append(f"po-p{k}")
            elif kind == "r":
                await ledger.reverse_repayment(work, customer_id=LI, loan_id=LOAN, payment_order_id=standing.pop(chance.randrange(len(standing))))
            elif kind == "x":
                gone = standing.pop(chance.randrange(len(standing)))
                await ledger.refund_repayment(work, customer_id=LI, loan_id=LOAN, payment_order_id=gone, refund_id=f"rf-{k}", amount_fen=1)
            else:
                for one in await ledger.credit_balances(work):
                    await ledger.pay_back_credit(work, customer_id=LI, loan_id=LOAN, payment_order_id=f"po-c{k}", amount_fen=one.credit_fen)
        if k % 5 == 4:
            await all_holds(days)
    await days.go_to(days.today + timedelta(days=2))
    await all_holds(days)
    await funders_are_told_what_the_books_hold(days, [leg.partner_id for leg in legs[1:]])
