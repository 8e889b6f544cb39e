from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.foundation.money import ZERO, Money
from puhui.foundation.rates import PPM, YearRate
from puhui.rooms.funding.routing import LENDER, may_be_joint, preference, route
from puhui.rooms.funding.terms import Book, FundingPolicy, Terms, Wanted
from puhui.vocabulary.ids import CustomerId, LoanId, PartnerId

AT = datetime(2026, 9, 1, 2, tzinfo=UTC)
FUNDERS = [PartnerId(f"funder-{n:02d}") for n in range(1, 45)]
POLICY = FundingPolicy(300_000, 700_000, 10_000, Money(10**11), 500_000, Money(10_000_000), Money(250_000))
EMPTY = Book(ZERO, ZERO, ZERO, ZERO)
TERMS = Terms(
    FUNDERS[0], "v1", AT, True, None, None, Money(10**9), Money(10**11), 300_000, 900_000, YearRate(60_000), YearRate(240_000),
    frozenset({3, 6, 9, 12}), (), 18, 65, frozenset("ABCDEFGH"), 400_000, 400_000,
)  # fmt: skip
WANTED = Wanted(
    CustomerId("cu-1a3-1"), LoanId("ln-1a3-1"), Money(300_000), YearRate(180_000), "level_payment", "cn-360", 12, "790101", 30, "C"
)


def world(**changed: object) -> dict[PartnerId, Terms]:
    return {partner: replace(TERMS, partner_id=partner, **changed) for partner in FUNDERS}


BOOKS = dict.fromkeys(FUNDERS, EMPTY)


def test_the_loans_of_a_thousand_people_spread_over_the_funders():
    chosen = Counter(
        route(replace(WANTED, loan_id=LoanId(f"ln-1a3-{n}")), terms=world(), books=BOOKS, policy=POLICY, at=AT).partners[0].partner_id
        for n in range(500)
    )
    assert len(chosen) >= 40
    assert max(chosen.values()) < 40


def test_the_emptiest_funder_is_tried_first_so_few_loans_reach_many():
    books, chosen = dict(BOOKS), Counter()
    for n in range(60):
        leg = route(replace(WANTED, loan_id=LoanId(f"ln-1a3-{n}")), terms=world(), books=books, policy=POLICY, at=AT).partners[0]
        books[leg.partner_id] = replace(books[leg.partner_id], total=books[leg.partner_id].total + leg.share + Money(40_000))
        chosen[leg.partner_id] += 1
    assert len(chosen) == 44
    assert max(chosen.values()) == 2


@pytest.mark.parametrize(
    ("is_open", "opens", "closes", "fits"),
    [(True, None, 3, True), (True, None, 2, False), (False, 2, 3, True), (False, 3, 4, False), (False, None, None, False)],
)
def test_a_funder_is_asked_in_its_opening_hours_of_that_day(is_open, opens, closes, fits):
    hours = [None if one is None else AT.replace(hour=one) for one in (opens, closes)]
    terms = world(is_open=is_open, opens_at=hours[0], closes_at=hours[1])
    assert bool(route(WANTED, terms=terms, books=BOOKS, policy=POLICY, at=AT).partners) is fits


def test_one_funder_and_the_lender_share_a_loan_to_the_fen():
    made = route(WANTED, terms=world(), books=BOOKS, policy=POLICY, at=AT)
    assert [leg.share_ppm for leg in made.legs] == [300_000, 700_000]
    assert [leg.share.fen for leg in made.legs] == [90_000, 210_000]
    assert made.legs[0].partner_id == LENDER


def test_the_same_loan_has_the_same_route_in_whatever_order_the_funders_are_known():
    backwards = dict(reversed(world().items()))
    assert route(WANTED, terms=backwards, books=BOOKS, policy=POLICY, at=AT) == route(WANTED, terms=world(), books=BOOKS, policy=POLICY, at=AT)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"is_open": False}, "open"),
        ({"terms_months": frozenset({3})}, "terms_months"),
        ({"rate_max": YearRate(179_999)}, "rate"),
        ({"rate_min": YearRate(180_001)}, "rate"),
        ({"regions_allowed": ("7902",)}, "regions_allowed"),
        ({"age_min": 31}, "age"),
        ({"age_max": 29}, "age"),
        ({"bands": frozenset("AB")}, "bands"),
        ({"day_left": Money(209_999)}, "day_quota"),
        ({"total_left": Money(209_999)}, "total_quota"),
    ],
)
def test_a_funder_whose_terms_do_not_fit_is_passed_over_and_the_field_is_named(change, field):
    first = preference(WANTED.loan_id, BOOKS, POLICY)[0]
    made = route(WANTED, terms=world() | {first: replace(TERMS, partner_id=first, **change)}, books=BOOKS, policy=POLICY, at=AT)
    assert made.passed_over[0].field == field
    assert first not in {leg.partner_id for leg in made.legs}


def test_a_loan_on_the_very_edge_of_the_terms_fits():
    edge = world(rate_min=YearRate(180_000), rate_max=YearRate(180_000), age_min=30, age_max=30, day_left=Money(210_000), regions_allowed=("790101",))
    assert route(WANTED, terms=edge, books=BOOKS, policy=POLICY, at=AT).passed_over == ()


def test_a_funder_with_too_much_of_one_region_is_passed_over_once_its_book_says_something():
    full = Book(Money(20_000_000), Money(9_000_000), ZERO, ZERO)
    small = Book(Money(400_000), Money(400_000), ZERO, ZERO)
    made = route(WANTED, terms=world(), books=dict.fromkeys(FUNDERS, full), policy=POLICY, at=AT)
    assert {one.field for one in made.passed_over} == {"region_share"}
    assert len(made.passed_over) == 44
    assert route(WANTED, terms=world(), books=dict.fromkeys(FUNDERS, small), policy=POLICY, at=AT).passed_over == ()


def test_two_take_it_together_only_when_no_single_one_can_give_the_least():
    made = route(WANTED, terms=world(share_min_ppm=100_000, share_max_ppm=200_000), books=BOOKS, policy=POLICY, at=AT)
    assert [leg.share_ppm for leg in made.legs] == [600_000, 200_000, 200_000]


def test_when_nobody_can_the_lender_lends_alone():
    made = route(WANTED, terms=world(is_open=False), books=BOOKS, policy=POLICY, at=AT)
    assert [(leg.partner_id, leg.share_ppm) for leg in made.legs] == [(LENDER, PPM)]
    assert len(made.passed_over) == 44


def test_a_funder_that_refused_is_not_asked_again():
    first, second = preference(WANTED.loan_id, BOOKS, POLICY)[:2]
    made = route(WANTED, terms=world(), books=BOOKS, policy=POLICY, at=AT, refused=[first])
    assert made.partners[0].partner_id == second


def test_the_joint_book_stays_within_its_part():
    assert not may_be_joint(own_joint=ZERO, own_all=ZERO, share_of_lender=Money(90_000), policy=POLICY)
    assert may_be_joint(own_joint=ZERO, own_all=Money(300_000), share_of_lender=Money(90_000), policy=POLICY)
    assert not may_be_joint(own_joint=Money(290_000), own_all=Money(500_000), share_of_lender=Money(90_000), policy=POLICY)


@given(st.integers(50_000, 20_000_000), st.integers(0, PPM), st.integers(0, PPM))
def test_shares_always_add_up_and_never_break_the_terms(fen, low, high):
    low, high = min(low, high), max(low, high)
    made = route(replace(WANTED, amount=Money(fen)), terms=world(share_min_ppm=low, share_max_ppm=high), books=BOOKS, policy=POLICY, at=AT)
    assert sum(leg.share.fen for leg in made.legs) == fen
    for leg in made.partners:
        assert low <= leg.share_ppm <= high
    if made.partners:
        assert sum(leg.share_ppm for leg in made.partners) >= 300_000
