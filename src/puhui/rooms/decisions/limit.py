"""The limit: the least of what the band, the ladder, the person's means, the law and the product allow."""

from collections.abc import Mapping
from dataclasses import dataclass

from puhui.rooms.decisions.facts import Facts, Inputs
from puhui.rooms.decisions.known import Missing
from puhui.rooms.decisions.policy import income_fen
from puhui.vocabulary.products import Affordability, Band, LadderStep, Product

LONGEST_MONTH = 31
YEAR_PPM = 365 * 1_000_000
THIN_ACCOUNTS = 2
THIN_DAYS = 180


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that may be lent, floored to the product's step (`amount_max_fen`) and not (`cap_fen`), for which terms; `binding` names what holds it."""

    amount_max_fen: int
    cap_fen: int
    months: tuple[int, ...]
    binding: str
    ladder: str


def ladder_step(inputs: Inputs, product: Product) -> LadderStep | None:
    """Give the step of a person with a thin file (no bureau file, or less than two accounts or 180 days of it); None for a thick one.

    A step is reached by loans settled and clean months with us; whoever is late with us stands still by policy.
    """
    age = inputs.values["bureau.age.max"]
    count = inputs.values["bureau.count.ever[kind=account]"]
    is_thick = not inputs.facts.is_white and not isinstance(age, Missing) and not isinstance(count, Missing) and count >= THIN_ACCOUNTS and age >= THIN_DAYS
    if is_thick:
        return None
    facts = inputs.facts
    return [step for step in product.ladder if facts.loans_settled >= step.settled_min and facts.months_clean >= step.months_min][-1]


def means_fen(inputs: Inputs, product: Product) -> int:
    """Give what the person can pay us a month: a share of the income left after other installments, with bare living kept free."""
    income = income_fen(inputs) or 0
    service = inputs.values["application.debt_service"]
    other = (0 if isinstance(service, Missing) else service) + inputs.facts.own_installments_fen
    return left_for_us(income, other, product.affordability)


def left_for_us(income_fen: int, other_fen: int, means: Affordability) -> int:
    """Give what a month's income leaves for our installments: a share of what other installments leave, with bare living kept free (fen)."""
    left = income_fen - other_fen
    share = left * means.installment_share_max_ppm // 1_000_000
    return max(min(share, left - means.living_cost_fen), 0)


def affordable_fen(means: int, rate_ppm: int, months: int) -> int:
    """Give the amount whose largest installment (the first of level principal, over a month of 31 days) is within `means`."""
    return means * months * YEAR_PPM // (YEAR_PPM + months * LONGEST_MONTH * rate_ppm)


def limit_of(inputs: Inputs, product: Product, band: Band, rate_ppm: int) -> Limit:
    """Give the limit for this person, and the terms for which it holds: every term at which what was asked for is affordable, else the longest."""
    facts, bounds, means = inputs.facts, inputs.bounds, means_fen(inputs, product)
    step = ladder_step(inputs, product)
    caps = {
        "band": band.amount_max_fen,
        "ladder": step.line_max_fen if step else product.amount_max_fen,
        "line": min(bounds.line_max_fen, product.amount_max_fen),
        "exposure": bounds.per_person_cap_fen - facts.owed_fen - facts.held_fen,
    }
    return limit_within(facts, product, caps, means, rate_ppm, step.step if step else "")


def limit_within(facts: Facts, product: Product, caps: Mapping[str, int], means: int, rate_ppm: int, ladder: str) -> Limit:
    """Give the least of the caps and of what `means` a month can bear, and the terms for which it holds."""
    bare = min(caps.values())
    wanted = min(facts.amount_fen, bare)
    by_months = {months: affordable_fen(means, rate_ppm, months) for months in product.months}
    offered = (facts.months,) if facts.is_purchase else product.months
    terms = tuple(months for months in offered if by_months[months] >= wanted) or (offered[-1],)
    all_caps = {**caps, "means": min(by_months[months] for months in terms)}
    binding = min(all_caps, key=lambda name: (all_caps[name], name))
    amount = max(all_caps[binding], 0) // product.amount_step_fen * product.amount_step_fen
    return Limit(amount, max(all_caps[binding], 0), terms, binding, ladder)


def next_step(product: Product, ladder: str) -> LadderStep | None:
    """Give the step of the ladder after this one, with what it needs; None at the top, and for a thick file ("")."""
    names = [step.step for step in product.ladder]
    place = names.index(ladder) + 1 if ladder in names else len(names)
    return product.ladder[place] if place < len(names) else None
