"""Boards: what followed the log equals what is folded afresh, whatever the batches."""

from datetime import UTC, date, datetime, timedelta

import pytest

from puhui.foundation import runner
from puhui.foundation.days import business_date
from puhui.foundation.desk import Wiring
from puhui.rooms import boards
from puhui.vocabulary import events as told

AT = datetime(2026, 9, 1, 1, 0, tzinfo=UTC)
DAY = date(2026, 9, 1)


def a_life(number: int) -> list[object]:
    """Tell the life of one borrower: every third declines, every fourth falls behind, every fifth is without a file."""
    who, ap, ln = f"cu-{number % 1024:03x}-{number}", f"ap-{number}", f"ln-{number}"
    entry = f"e{number % 7 + 1:02d}"
    seconds = timedelta(seconds=number)
    first = [
        told.SessionOpened("cu-000-nobody", f"se-{number}", entry, ""),
        told.CustomerRegistered(who, entry),
        told.ApplicationReceived(who, ap, entry, "", 300_000, 6, AT - seconds),
        told.ApplicationDecided(who, ap, f"de-{number}", "declined" if number % 3 == 0 else "offer", "C", number % 5 == 0),
    ]
    if number % 3 == 0:
        return [*first, told.ApplicationEnded(who, ap, "declined"), told.CaseOpened(who, f"ca-{number}", "review", f"de-{number}", DAY)]
    rest = [
        told.OfferAccepted(who, ap, ln, 300_000, 6),
        told.FundingConfirmed(who, ln, f"funder-{number % 4 + 1:02d}", 210_000, 700_000),
        told.FundingConfirmed(who, ln, "funder-44", 90_000, 300_000),
        told.ContractSigned(who, ap, ln, "ab", AT - timedelta(seconds=1)),
        told.LoanDisbursed(who, ap, ln, 300_000, 6, DAY, AT - timedelta(seconds=1)),
        told.RepaymentPosted(who, ln, f"po-{number}", 50_000, 48_000, 252_000, DAY + timedelta(days=30), was_late=False),
    ]
    if number % 4 == 0:
        rest += [told.LoanFellBehind(who, ln, 1, 51_000, "M1"), told.LoanFellBehind(who, ln, 31, 102_000, "M2")]
    if number % 8 == 0:
        rest += [told.LoanCaughtUp(who, ln), told.LoanSettled(who, ln, DAY + timedelta(days=90)), told.FirstRecordAccepted(who, ln, True)]
    return [*first, *rest]


async def tell(desk, events: list[object]) -> None:
    async with desk.work() as work:
        for event in events:
            work.emit(event)


@pytest.fixture
def following(desk):
    desk.wiring = Wiring(tails=(boards.follow,))
    return desk


async def test_a_board_that_followed_equals_a_fresh_fold(following):
    desk = following
    for number in range(1, 41):
        await tell(desk, a_life(number))
        if number % 9 == 0:
            await runner.dispatch(desk)
    async with desk.work() as work:
        assert await boards.differences(work) == []
    await runner.dispatch(desk)
    async with desk.work() as work:
        assert await boards.differences(work) == []
        before = await boards.funnel(work), await boards.entries(work), await boards.money(work), await boards.standing(work)
        assert await boards.rebuild(work) > 300
        assert await boards.differences(work) == []
        assert (await boards.funnel(work), await boards.entries(work), await boards.money(work), await boards.standing(work)) == before


async def test_a_board_that_was_tampered_with_is_named(following):
    await tell(following, a_life(1))
    await runner.dispatch(following)
    async with following.work() as work:
        await work.connection.execute("update boards.loans set repaid_fen = repaid_fen + 1")
        assert await boards.differences(work) == ["loans cu-001-1/ln-1"]
        await work.connection.execute("delete from boards.shares where partner_id = 'funder-44'")
        assert len(await boards.differences(work)) == 2
        await boards.rebuild(work)
        assert await boards.differences(work) == []


async def test_the_figures_are_those_of_the_lives(following):
    for number in range(1, 25):
        await tell(following, a_life(number))
    await runner.dispatch(following)
    async with following.work() as work:
        funnel = await boards.funnel(work)
        assert (funnel.received, funnel.declined, funnel.offered, funnel.signed, funnel.paid_out) == (24, 8, 16, 16, 16)
        standing = await boards.standing(work)
        assert (standing.paid_out, standing.settled, standing.in_arrears) == (16, 2, 2)
        assert (standing.paid_out_fen, standing.repaid_fen) == (16 * 300_000, 16 * 50_000)
        assert [(line.stage, line.loans, line.overdue_fen, line.left_fen) for line in await boards.arrears(work)] == [("M2", 2, 204_000, 504_000)]
        funders = {line.partner_id: line.share_fen for line in await boards.funding(work)}
        assert sum(funders.values()) == standing.paid_out_fen
        assert funders["funder-44"] == 16 * 90_000
        entries = await boards.entries(work)
        assert sum(line.sessions for line in entries) == 24
        assert len(entries) == 7
        assert sum(line.paid_out_fen for line in entries) == standing.paid_out_fen
        thin = await boards.thin_file(work)
        assert (thin.decided, thin.offered, thin.paid_out) == (4, 3, 3)
        assert thin.first_loans == 2
        money = {line.day: line for line in await boards.money(work)}
        assert money[DAY].paid_out_fen == standing.paid_out_fen
        assert money[DAY + timedelta(days=30)].repayments == 16
        speed = await boards.speed(work)
        assert speed.loans == 16
        assert speed.sign_to_money_ms == (1000, 1000, 1000)
        assert speed.tap_to_money_ms[2] == 23_000
        assert [(line.kind, line.opened, line.closed) for line in await boards.cases(work)] == [("review", 8, 0)]


async def test_empty_boards_read_as_zero(work):
    assert (await boards.funnel(work)).received == 0
    assert await boards.speed(work) == boards.Speed(0, None, None)
    assert await boards.entries(work) == []
    assert (await boards.standing(work)).paid_out_fen == 0


async def test_an_event_of_a_newer_version_changes_nothing(following):
    async with following.work() as work:
        await work.connection.execute(
            "insert into foundation.events (kind, customer_id, at, body) values ('SomethingNew', 'cu-001-1', now(), '{\"x\": 1}')"
        )
    await runner.dispatch(following)
    async with following.work() as work:
        assert await boards.differences(work) == []


async def test_days_late_are_counted_to_today_whatever_day_the_stage_began(following):
    """A stage is told once, on the day it begins; who reads the list a week later reads a week more."""
    desk = following
    who, ln = "cu-001-lateone", "ln-001-lateone"
    since = business_date(desk.clock.now()) - timedelta(days=8)
    await tell(desk, [told.LoanDisbursed(who, "ap-001-lateone", ln, 300_000, 6, since, AT), told.LoanFellBehind(who, ln, 1, 51_000, "M1", since)])
    await runner.dispatch(desk)
    async with desk.work() as work:
        for sort in boards.LOAN_SORTS:
            (line,), _ = await boards.loans_page(work, boards.LoansWanted(customer_id=who), sort=sort)
            assert (line.days_late, line.overdue_fen) == (8, 51_000), sort
    await tell(desk, [told.LoanCaughtUp(who, ln)])
    await runner.dispatch(desk)
    async with desk.work() as work:
        (line,), _ = await boards.loans_page(work, boards.LoansWanted(customer_id=who))
        assert (line.days_late, line.standing) == (0, "running")
