"""What everybody may read about the house: whom it works with, what a loan costs by example, how business and complaints stand. No person is in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from puhui.engines import law, schedules
from puhui.foundation.desk import Desk
from puhui.foundation.work import Work
from puhui.journeys.accept import charges_of, cost_rules
from puhui.rooms import agreements, boards, partners
from puhui.rooms.agreements import LoanTerms
from puhui.rooms.boards import CaseLine, Funnel, Speed, Standing, ThinFile
from puhui.rooms.partners import PublicRow, Role
from puhui.vocabulary.ids import ApplicationId, LoanId
from puhui.vocabulary.products import Product, product

EXAMPLE_FEN = (100_000, 300_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class CostExample:
    """What a loan costs by example, at the lowest or the highest rate we lend at. Fen and ppm a year."""

    amount_fen: int
    months: int
    rate_ppm: int
    per_month_fen: int
    total_fen: int
    all_in_ppm: int
    simple_ppm: int


@dataclass(frozen=True, slots=True)
class Prices:
    product: Product
    examples: Sequence[CostExample]
    cap_ppm: int
    penalty_ppm: Sequence[int]
    cooling_off_days: int


@dataclass(frozen=True, slots=True)
class OpenFigures:
    """How business stands, from the boards."""

    on: date
    funnel: Funnel
    standing: Standing
    speed: Speed
    thin_file: ThinFile
    cases: Sequence[CaseLine]
    entries: int


async def prices(desk: Desk) -> Prices:
    """Give what is sold and what it costs, by examples reckoned as a cost table is."""
    async with desk.work(durable=False) as work:
        sold = product("starter")
        sold_rates = [band.rate_ppm for band in sold.bands if band.amount_max_fen]
        rates = (min(sold_rates), max(sold_rates))
        examples = [_example(work, sold, amount_fen, 12, rate_ppm) for amount_fen in EXAMPLE_FEN for rate_ppm in rates]
        cap_ppm = law.shipped().ask(law.CapRules, on=work.today).hard_cap_ppm
        days = law.shipped().ask(law.CoolingOffRules, on=work.today).cooling_off_days
    times, over = schedules.convention(sold.convention).penalty_multiple
    return Prices(sold, examples, cap_ppm, [rate * times // over for rate in rates], days)


def _example(work: Work, sold: Product, amount_fen: int, months: int, rate_ppm: int) -> CostExample:
    terms = LoanTerms(
        loan_id=LoanId("example"), application_id=ApplicationId("example"), principal_fen=amount_fen, rate_ppm=rate_ppm, method=sold.methods[0],
        months=months, convention=sold.convention, paid_out_on=work.today, product=sold.id, product_sha256=sold.sha256,
    )  # fmt: skip
    told = agreements.quote(terms, charges=charges_of(sold, terms), rules=cost_rules(work.today))
    return CostExample(amount_fen, months, rate_ppm, told.per_month_fen, told.total_fen, told.all_in_ppm, told.simple_ppm)


async def partner_list(desk: Desk) -> Mapping[Role, Sequence[PublicRow]]:
    """Give with whom business is done today, by role."""
    async with desk.work(durable=False) as work:
        rows = await partners.public_list(work)
    return {role: [row for row in rows if row.role is role] for role in Role}


async def complaint_days(desk: Desk) -> Mapping[str, law.AnswerClock]:
    """Give how long a complaint, a question, a review and the rest may take, by the packs in force."""
    async with desk.work(durable=False) as work:
        rules, complaints = law.shipped().ask(law.CaseRules, on=work.today), law.shipped().ask(law.ComplaintRules, on=work.today)
    return {"complaint": complaints.answer, "question": rules.question, "review": rules.review, "not_mine": rules.not_mine, "freeze": rules.freeze}


async def privacy_rules(desk: Desk) -> law.PrivacyRules:
    async with desk.work(durable=False) as work:
        return law.shipped().ask(law.PrivacyRules, on=work.today)


async def open_figures(desk: Desk) -> OpenFigures:
    """Give how business stands."""
    async with desk.work(durable=False) as work:
        return OpenFigures(
            on=work.today,
            funnel=await boards.funnel(work),
            standing=await boards.standing(work),
            speed=await boards.speed(work),
            thin_file=await boards.thin_file(work),
            cases=await boards.cases(work),
            entries=sum(1 for line in await boards.entries(work) if line.applications),
        )
