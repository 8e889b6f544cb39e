"""Holds, books and settlements on the database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from puhui.foundation.money import ZERO, Money
from puhui.foundation.rates import YearRate
from puhui.rooms import funding
from puhui.rooms.funding import BalanceRow, Hold, HoldState, LegEvent, LoanRow, ReleaseReason, Terms, Wanted
from puhui.vocabulary.ids import CustomerId, LoanId, PartnerId, PaymentOrderId

AT = datetime(2026, 9, 1, 1, tzinfo=UTC)
LI = CustomerId("cu-1a3-1")
FUNDERS = [PartnerId(f"funder-{n:02d}") for n in range(1, 6)]
LISTED = dict.fromkeys(FUNDERS, Money(10**11))
POLICY = funding.policy(partner_share_min_ppm=300_000, one_partner_tier1_max_ppm=250_000, joint_book_max_ppm=1_000_000)
TERMS = Terms(
    FUNDERS[0], "v1", AT, True, None, None, Money(10**9), Money(10**11), 300_000, 700_000, YearRate(60_000), YearRate(240_000),
    frozenset({3, 6, 9, 12}), (), 18, 65, frozenset("ABCDEFGH"), 400_000, 400_000,
)  # fmt: skip
WANTED = Wanted(LI, LoanId("ln-1a3-1"), Money(300_000), YearRate(180_000), "level_payment", "cn-365", 12, "790101", 30, "C")


@pytest.fixture
async def terms(work):
    for partner_id in FUNDERS:
        await funding.note_terms(work, [replace(TERMS, partner_id=partner_id)])
    return work


async def held(work, wanted: Wanted = WANTED) -> Hold:
    (hold,) = await funding.plan_holds(work, wanted, listed=LISTED, policy=POLICY)
    return await funding.note_held(work, hold, expires_at=AT + timedelta(minutes=10))


async def book(work, partner_id: PartnerId) -> dict[str, int]:
    rows = await work.connection.fetch("select part, key, amount_fen from funding.books where partner_id = $1", partner_id)
    return {f"{row['part']} {row['key']}".strip(): row["amount_fen"] for row in rows}


async def test_terms_are_asked_once_a_day_and_again_when_they_were_announced_anew(work):
    assert await funding.stale_terms(work, FUNDERS) == FUNDERS
    await funding.note_terms(work, [TERMS])
    assert await funding.stale_terms(work, FUNDERS) == FUNDERS[1:]
    assert await funding.outdated_terms(work, FUNDERS) == []
    await funding.announce_terms(work, partner_id=FUNDERS[0], version="v2")
    assert await funding.outdated_terms(work, FUNDERS) == [FUNDERS[0]]


async def test_a_hold_counts_at_once_in_every_book_it_belongs_to(terms):
    hold = await held(terms)
    assert hold.share == Money(210_000)
    today = terms.today.isoformat()
    assert await book(terms, hold.partner_id) == {"all": 210_000, "region 790101": 210_000, "band C": 210_000, f"day {today}": 210_000}
    assert await book(terms, funding.LENDER) == {"all": 90_000, "joint": 90_000}


async def test_the_same_plan_again_holds_nothing_twice(terms):
    first = await funding.plan_holds(terms, WANTED, listed=LISTED, policy=POLICY)
    before = await book(terms, first[0].partner_id)
    again = await funding.plan_holds(terms, WANTED, listed=LISTED, policy=POLICY)
    assert [one.partner_id for one in again] == [one.partner_id for one in first]
    assert await book(terms, first[0].partner_id) == before


async def test_who_refused_is_followed_by_another_and_all_is_let_go_in_the_end(terms):
    (first,) = await funding.plan_holds(terms, WANTED, listed=LISTED, policy=POLICY)
    await funding.note_refused(terms, first, code="funder.declined")
    (second,) = await funding.plan_holds(terms, WANTED, listed=LISTED, policy=POLICY, refused=[first.partner_id])
    assert second.partner_id != first.partner_id
    assert second.reservation_id != first.reservation_id
    await funding.note_held(terms, second, expires_at=AT)
    marked = await funding.let_go(terms, customer_id=LI, loan_id=WANTED.loan_id, reason=ReleaseReason.CANCELLED)
    assert [one.reservation_id for one in marked] == [second.reservation_id]
    assert await funding.is_open(terms, customer_id=LI, loan_id=WANTED.loan_id) is False
    assert await funding.leaked_holds(terms, before=terms.at + timedelta(days=1)) == [second.reservation_id]
    await funding.note_released(terms, marked[0])
    assert await funding.leaked_holds(terms, before=terms.at + timedelta(days=1)) == []


async def test_the_legs_of_a_loan_are_fixed_once_and_add_up(terms):
    hold = await held(terms)
    await funding.note_confirmed(terms, hold)
    legs = await funding.fix_legs(terms, customer_id=LI, loan_id=WANTED.loan_id)
    assert [(leg.partner_id, leg.share_ppm, leg.share.fen) for leg in legs] == [("lender", 300_000, 90_000), (hold.partner_id, 700_000, 210_000)]
    assert await funding.fix_legs(terms, customer_id=LI, loan_id=WANTED.loan_id) == legs
    assert await funding.note_used(terms, customer_id=LI, loan_id=WANTED.loan_id) == legs
    assert [one.state for one in await funding.holds_of(terms, customer_id=LI, loan_id=WANTED.loan_id)] == [HoldState.USED]
    assert await funding.let_go(terms, customer_id=LI, loan_id=WANTED.loan_id, reason=ReleaseReason.CANCELLED) == []


async def test_a_share_that_was_lost_becomes_the_lenders(terms):
    hold = await held(terms)
    await funding.note_expired(terms, hold)
    legs = await funding.fix_legs(terms, customer_id=LI, loan_id=WANTED.loan_id)
    assert [(leg.partner_id, leg.share.fen) for leg in legs] == [("lender", 300_000)]


async def test_every_morning_the_books_are_counted_anew_from_what_is_owed_and_held(terms):
    hold = await held(terms)
    await funding.note_confirmed(terms, hold)
    await funding.fix_legs(terms, customer_id=LI, loan_id=WANTED.loan_id)
    await funding.note_used(terms, customer_id=LI, loan_id=WANTED.loan_id)
    yesterday = terms.today - timedelta(days=1)
    for principal in (210_000, 180_000):
        rows = [BalanceRow(WANTED.loan_id, yesterday, principal, 0, 0, "normal")]
        await funding.keep_day(terms, day=yesterday, balances={hold.partner_id: rows})
        found = await book(terms, hold.partner_id)
        assert (found["all"], found["region 790101"], found["band C"]) == (principal, principal, principal)
    await funding.keep_day(terms, day=yesterday, balances={hold.partner_id: []})
    assert "all" not in await book(terms, hold.partner_id)


async def test_a_mirror_that_differs_leaves_a_break_and_one_that_agrees_closes_it(terms):
    day = date(2026, 9, 1)
    ours = [BalanceRow(WANTED.loan_id, day, 210_000, 100, 0, "normal")]
    await funding.keep_day(terms, day=day, balances={FUNDERS[0]: ours})
    told = await funding.compare_mirrors(terms, day=day, mirrors={FUNDERS[0]: [replace(ours[0], interest_fen=101)]})
    (found,) = told[FUNDERS[0]]
    assert found.kind is funding.MirrorBreak.WRONG_INTEREST
    (standing,) = await funding.open_breaks(terms)
    assert (standing["kind"], standing["ours"]["interest_fen"], standing["theirs"]["interest_fen"]) == ("wrong_interest", 100, 101)
    await funding.explain_break(
        terms, partner_id=FUNDERS[0], day=day, loan_id=WANTED.loan_id, kind="wrong_interest", explanation="they round up"
    )
    assert (await funding.open_breaks(terms))[0]["state"] == "explained"
    following = day + timedelta(days=1)
    await funding.keep_day(terms, day=following, balances={FUNDERS[0]: [replace(ours[0], business_date=following)]})
    told = await funding.compare_mirrors(terms, day=following, mirrors={FUNDERS[0]: [replace(ours[0], business_date=following)]})
    assert told == {FUNDERS[0]: []}
    assert await funding.open_breaks(terms) == []
    assert (await funding.mirror_state(terms)).differing == 0


async def test_a_day_is_settled_once_and_what_went_back_is_set_against_the_next(terms):
    day = date(2026, 10, 1)
    repaid = LoanRow(WANTED.loan_id, "ev-1", day, day, LegEvent.REPAID, 20_000, 3_000, 0, 700_000)
    refunded = replace(repaid, event=LegEvent.REFUNDED, principal_fen=30_000)

    async def settle(at: date, *rows: LoanRow) -> funding.Settled | None:
        return await funding.settle_day(terms, partner_id=FUNDERS[0], day=at, rows=rows, payment_order_id=PaymentOrderId(f"po-000-{at:%d}"))

    assert await settle(day, repaid) == funding.Settled(Money(23_000), ZERO)
    assert await settle(day, repaid) is None
    assert await settle(day + timedelta(days=1), refunded) == funding.Settled(ZERO, Money(-33_000))
    assert await settle(day + timedelta(days=2), repaid) == funding.Settled(ZERO, Money(-10_000))
    assert await settle(day + timedelta(days=3), repaid) == funding.Settled(Money(13_000), ZERO)
