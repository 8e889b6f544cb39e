"""Who funds what: a pure choice over the funders' terms, the same for the same loan whatever else happens meanwhile.

The emptiest funders are tried first, those about equally full in the order of a keyed hash of the loan's id and the funder's: so loans
spread over all of them and nobody can steer one. The first whose terms, quota and limits allow the share takes it; two take it together only where no single one
can give the least that the law asks of a partner.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from puhui.engines.schedules import split
from puhui.foundation.money import Money
from puhui.foundation.rates import PPM
from puhui.rooms.funding.terms import Book, FundingPolicy, Terms, Wanted, misfit, overfull
from puhui.vocabulary.ids import LoanId, PartnerId

LENDER = PartnerId("lender")
_KEY = b"puhui.funding.routing.v1"


@dataclass(frozen=True, slots=True)
class Leg:
    """A funder's part of a loan. The legs' ppm add up to 1,000,000 and their sums to the loan."""

    partner_id: PartnerId
    share_ppm: int
    share: Money


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A funder that was tried before those chosen, and the field that kept it out."""

    partner_id: PartnerId
    field: str


@dataclass(frozen=True, slots=True)
class Route:
    """Who is to fund a loan: the lender's leg first, then the partners'. Only the lender's leg: nobody else can, and the loan is not joint."""

    legs: tuple[Leg, ...]
    passed_over: tuple[PassedOver, ...]

    @property
    def partners(self) -> tuple[Leg, ...]:
        return tuple(leg for leg in self.legs if leg.partner_id != LENDER)


def preference(loan_id: LoanId, books: Mapping[PartnerId, Book], policy: FundingPolicy) -> list[PartnerId]:
    """Put the funders in the order in which this loan tries them."""
    return sorted(books, key=lambda one: (books[one].total.fen // policy.spread_step.fen, _weight(loan_id, one), one))


def route(
    wanted: Wanted,
    *,
    terms: Mapping[PartnerId, Terms],
    books: Mapping[PartnerId, Book],
    policy: FundingPolicy,
    at: datetime,
    refused: Collection[PartnerId] = (),
) -> Route:
    """Choose the funders of a loan among those whose terms are given (the listed ones), leaving out those that have refused it."""
    passed: list[PassedOver] = []
    shares: dict[PartnerId, int] = {}
    for partner_id in preference(wanted.loan_id, {one: books[one] for one in terms}, policy):
        if partner_id in refused:
            passed.append(PassedOver(partner_id, "refused"))
            continue
        fitting = _fit(terms[partner_id], wanted, books[partner_id], policy, at)
        if isinstance(fitting, str):
            passed.append(PassedOver(partner_id, fitting))
            continue
        if fitting >= policy.partner_share_min_ppm:
            return Route(_legs(wanted.amount, [(partner_id, fitting)]), tuple(passed))
        shares[partner_id] = fitting
    for first, second in combinations(shares, 2):
        if shares[first] + shares[second] >= policy.partner_share_min_ppm:
            return Route(_legs(wanted.amount, [(first, shares[first]), (second, shares[second])]), tuple(passed))
    return Route(_legs(wanted.amount, []), tuple(passed))


def lender_alone(amount: Money) -> Route:
    """Give the route of a loan that nobody else takes part in."""
    return Route(_legs(amount, []), ())


def may_be_joint(*, own_joint: Money, own_all: Money, share_of_lender: Money, policy: FundingPolicy) -> bool:
    """Say whether one more joint loan keeps the joint book within its part of all the lender's own loans."""
    return (own_joint + share_of_lender).fen * PPM <= policy.joint_book_max_ppm * (own_all + share_of_lender).fen


def _fit(terms: Terms, wanted: Wanted, book: Book, policy: FundingPolicy, at: datetime) -> int | str:
    """Give the largest share up to the aim that this funder can take, or the field in the way."""
    if field := misfit(terms, wanted, at):
        return field
    share_ppm = min(policy.share_aim_ppm, terms.share_max_ppm) // policy.share_step_ppm * policy.share_step_ppm
    if share_ppm < max(terms.share_min_ppm, policy.share_step_ppm):
        return "share"
    return overfull(terms, _part(wanted.amount, share_ppm), book, policy) or share_ppm


def _legs(amount: Money, partners: list[tuple[PartnerId, int]]) -> tuple[Leg, ...]:
    """Split a loan over its funders as the ledger will: the lender first, by largest remainder."""
    own_ppm = PPM - sum(share_ppm for _, share_ppm in partners)
    shares = [(LENDER, own_ppm), *partners]
    parts = split(amount.fen, [share_ppm for _, share_ppm in shares])
    legs = tuple(Leg(partner_id, share_ppm, Money(fen)) for (partner_id, share_ppm), fen in zip(shares, parts, strict=True))
    assert sum(leg.share_ppm for leg in legs) == PPM, legs
    assert sum(leg.share.fen for leg in legs) == amount.fen, legs
    return legs


def _part(amount: Money, share_ppm: int) -> Money:
    return Money(amount.fen * share_ppm // PPM)


def _weight(loan_id: LoanId, partner_id: PartnerId) -> bytes:
    return hashlib.blake2b(f"{loan_id}|{partner_id}".encode(), key=_KEY, digest_size=8).digest()
