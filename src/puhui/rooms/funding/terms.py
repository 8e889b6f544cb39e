"""What a funder takes: its terms of the day, the loan that is asked of it, and which field keeps them apart."""

from dataclasses import dataclass
from datetime import datetime

from puhui.foundation.money import Money
from puhui.foundation.rates import PPM, YearRate
from puhui.vocabulary.ids import CustomerId, LoanId, PartnerId


@dataclass(frozen=True, slots=True)
class Terms:
    """A funder's terms as it last told them, on the day it told them. Empty `regions_allowed` means everywhere.

    `is_open` is how it was when it told us; `opens_at` and `closes_at` say how it goes on that day. `day_left` is its own count then.
    """

    partner_id: PartnerId
    version: str
    since: datetime
    is_open: bool
    opens_at: datetime | None
    closes_at: datetime | None
    day_left: Money
    total_left: Money
    share_min_ppm: int
    share_max_ppm: int
    rate_min: YearRate
    rate_max: YearRate
    terms_months: frozenset[int]
    regions_allowed: tuple[str, ...]
    age_min: int
    age_max: int
    bands: frozenset[str]
    region_share_max_ppm: int
    band_share_max_ppm: int

    def __post_init__(self) -> None:
        assert 0 <= self.share_min_ppm <= self.share_max_ppm <= PPM, (self.share_min_ppm, self.share_max_ppm)


    def is_open_at(self, at: datetime) -> bool:
        """Say whether the funder is open at an instant of that day."""
        has_opened = self.is_open or (self.opens_at is not None and self.opens_at <= at)
        return has_opened and (self.closes_at is None or at < self.closes_at)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The loan for which shares are held. `region` is the 6-digit address code of the living place, `band` the lender's risk band A..H."""

    customer_id: CustomerId
    loan_id: LoanId
    amount: Money
    rate: YearRate
    method: str
    convention: str
    months: int
    region: str
    age: int
    band: str


@dataclass(frozen=True, slots=True)
class Book:
    """What a funder has given through us, by our own count, today's holds included: in all, in the loan's region and band, and today."""

    total: Money
    in_region: Money
    in_band: Money
    today: Money


@dataclass(frozen=True, slots=True)
class FundingPolicy:
    """The law's and the lender's numbers for joint loans; they come from the packs in force and the lender's own file.

    `share_aim_ppm` is what a funder is asked for if its terms allow; `concentration_from` is the book under which shares of a region or
    band say nothing yet, so a funder's first loans are not refused for being its only ones. Funders whose books differ by less than a
    `spread_step` count as equally full.
    """

    partner_share_min_ppm: int
    share_aim_ppm: int
    share_step_ppm: int
    one_partner_max: Money
    joint_book_max_ppm: int
    concentration_from: Money
    spread_step: Money

    def __post_init__(self) -> None:
        assert 0 < self.partner_share_min_ppm <= self.share_aim_ppm <= PPM, self
        assert self.share_step_ppm > 0, self.share_step_ppm
        assert self.spread_step.fen > 0, self.spread_step
        assert PPM % self.share_step_ppm == 0, self.share_step_ppm


def misfit(terms: Terms, wanted: Wanted, at: datetime) -> str | None:
    """Give the first field of the terms that the loan does not meet now, whatever the share, or None."""
    checks = (
        ("open", terms.is_open_at(at)),
        ("terms_months", wanted.months in terms.terms_months),
        ("rate", terms.rate_min <= wanted.rate <= terms.rate_max),
        ("regions_allowed", not terms.regions_allowed or wanted.region.startswith(terms.regions_allowed)),
        ("age", terms.age_min <= wanted.age <= terms.age_max),
        ("bands", wanted.band in terms.bands),
    )
    return next((field for field, fits in checks if not fits), None)


def overfull(terms: Terms, share: Money, book: Book, policy: FundingPolicy) -> str | None:
    """Give the first limit that one more share of this size would break, or None."""
    after = book.total + share
    checks = [
        ("day_quota", book.today + share <= terms.day_left),
        ("total_quota", share <= terms.total_left),
        ("one_partner", after <= policy.one_partner_max),
    ]
    if after > policy.concentration_from:
        checks += [
            ("region_share", (book.in_region + share).fen * PPM <= terms.region_share_max_ppm * after.fen),
            ("band_share", (book.in_band + share).fen * PPM <= terms.band_share_max_ppm * after.fen),
        ]
    return next((field for field, fits in checks if not fits), None)
