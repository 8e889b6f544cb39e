"""How the first policy decides: kept as it was, so that records of the first kernel are decided again to the byte. Nothing new is decided by it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from puhui.rooms.decisions.facts import Inputs
from puhui.rooms.decisions.limit import Limit, limit_of
from puhui.rooms.decisions.outcome import REASONS_MAX, Answer, OfferTerms, Outcome
from puhui.rooms.decisions.policy import CONDITIONS, Policy, Slots, income_fen, yuan
from puhui.rooms.decisions.price import all_in_max_ppm, rate_within_cap
from puhui.rooms.decisions.scorecard import Score, Scorecard
from puhui.vocabulary.products import Product
from puhui.vocabulary.reasons import Reason

DEBT_HEAVY_PPM = 500_000
ENOUGH_FEN = 100_000_000


@dataclass(frozen=True, slots=True)
class First:
    """What the first kernel runs on."""

    card: Scorecard
    policy: Policy
    product: Product


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that stands in the way, the reasons it is told by, and the inputs with it undone."""

    code: str
    reasons: tuple[Reason, ...]
    undone: Callable[[Inputs], Inputs]


@dataclass(frozen=True, slots=True)
class Ground:
    """A decision before its reasons."""

    answer: Answer
    score: Score
    band: str
    limit: Limit | None
    offers: tuple[OfferTerms, ...]
    obstacles: tuple[Obstacle, ...]
    fired: tuple[str, ...]
    wanted: tuple[str, ...]


def decide(inputs: Inputs, artefacts: First) -> Outcome:
    """Decide as the first kernel did."""
    ground = _ground(inputs, artefacts)
    reasons, no_flip = _reasons(inputs, artefacts, ground) if ground.answer is Answer.DECLINED else ((), False)
    if ground.answer is Answer.PROOF:
        reasons = tuple(reason for obstacle in ground.obstacles for reason in obstacle.reasons)
    limit = ground.limit
    return Outcome(
        ground.answer,
        ground.score,
        ground.band,
        limit.amount_max_fen if limit and ground.offers else 0,
        limit.ladder if limit else "",
        ground.offers,
        ground.fired,
        reasons,
        ground.wanted,
        no_flip,
    )


def _ground(inputs: Inputs, artefacts: First) -> Ground:
    """Policy first, then score and band, then limit and price."""
    product = artefacts.product
    score = artefacts.card.improved(inputs.values, inputs.improved)
    band = product.band_of(score.probability_ppm)
    rate = rate_within_cap(product, band, inputs.bounds.hard_cap_ppm)
    limit = limit_of(inputs, product, band, rate)

    fired = artefacts.policy.fired(inputs)
    declines = [_policy_obstacle(rule.rule.code, rule.rule.condition, rule.rule.parameters, rule.slots) for rule in fired if rule.rule.effect == "decline"]
    proofs = [rule for rule in fired if rule.rule.effect == "proof"]
    codes = tuple(rule.rule.code for rule in fired)
    if declines:
        return Ground(Answer.DECLINED, score, band.name, limit, (), tuple(declines), codes, ())
    if proofs:
        told = tuple(_policy_obstacle(rule.rule.code, rule.rule.condition, rule.rule.parameters, rule.slots) for rule in proofs)
        return Ground(Answer.PROOF, score, band.name, limit, (), told, codes, tuple(rule.rule.wanted for rule in proofs))
    if obstacle := _shortfall(inputs, artefacts, limit, score):
        return Ground(Answer.DECLINED, score, band.name, limit, (), (obstacle,), (*codes, obstacle.code), ())
    return Ground(Answer.OFFER, score, band.name, limit, _offers(inputs, product, limit, rate), (), codes, ())


def _offers(inputs: Inputs, product: Product, limit: Limit, rate_ppm: int) -> tuple[OfferTerms, ...]:
    """One range a method; for an order of a shop the range is its price. None over the limit, none over the cap: the rate was lowered until it fits."""
    worst, asked = all_in_max_ppm(product, rate_ppm), inputs.facts.amount_fen
    least, most, step = (asked, asked, asked) if inputs.facts.is_purchase else (product.amount_min_fen, limit.amount_max_fen, product.amount_step_fen)
    return tuple(OfferTerms(method, least, most, step, limit.months, rate_ppm, worst) for method in product.methods)


def _policy_obstacle(code: str, condition: str, parameters: Any, slots: Slots) -> Obstacle:
    return Obstacle(code, (Reason(code, slots),), lambda inputs: CONDITIONS[condition].undone(inputs, parameters))


def _shortfall(inputs: Inputs, artefacts: First, limit: Limit, score: Score) -> Obstacle | None:
    """What keeps the limit under the smallest loan, if anything does."""
    product, facts = artefacts.product, inputs.facts
    if product.band_of(score.probability_ppm).amount_max_fen < product.amount_min_fen:
        return _score_obstacle(inputs, artefacts)
    income = income_fen(inputs) or 0
    if limit.binding == "exposure" and limit.amount_max_fen < product.amount_min_fen:
        free = replace(facts, owed_fen=0, held_fen=0)
        return Obstacle("exposure-full", (Reason("exposure-full"),), lambda at: replace(at, facts=free))
    if income >= product.affordability.income_min_fen and limit.amount_max_fen >= product.amount_min_fen:
        return _too_dear(inputs, limit)
    service = inputs.values["application.debt_service"]
    other = (service if isinstance(service, int) else 0) + facts.own_installments_fen
    if income and other * 1_000_000 // income > DEBT_HEAVY_PPM and income >= product.affordability.income_min_fen:
        reason = Reason("debt-heavy", {"share": str(min(other * 100 // income, 999))})
        return Obstacle("debt-heavy", (reason,), _without_debt)
    reason = Reason("income-low", {"income": yuan(income)})
    return Obstacle("income-low", (reason,), lambda at: replace(at, facts=replace(at.facts, proven_income_fen=ENOUGH_FEN)))


def _too_dear(inputs: Inputs, limit: Limit) -> Obstacle | None:
    """An order of a shop that costs more than may be lent."""
    if not inputs.facts.is_purchase or inputs.facts.amount_fen <= limit.cap_fen:
        return None
    reason = Reason("purchase-too-dear", {"amount": yuan(inputs.facts.amount_fen), "limit": yuan(limit.amount_max_fen)})
    return Obstacle(reason.code, (reason,), lambda at: replace(at, facts=replace(at.facts, amount_fen=limit.amount_max_fen)))


def _without_debt(inputs: Inputs) -> Inputs:
    values = dict(inputs.values) | {"application.debt_service": 0}
    return replace(inputs, values=values, facts=replace(inputs.facts, own_installments_fen=0))


def _score_obstacle(inputs: Inputs, artefacts: First) -> Obstacle:
    """The fewest kinds of facts, most points lost first, that moved to their best would lift the band enough; four at most."""
    product, card = artefacts.product, artefacts.card
    lost: dict[str, int] = {}
    for points, item in card.lost(inputs.values):
        if item.reason not in inputs.improved:
            lost[item.reason] = lost.get(item.reason, 0) + points
    ranked = sorted(lost, key=lambda code: (-lost[code], code))
    chosen: list[str] = []
    for code in ranked[:REASONS_MAX]:
        chosen.append(code)
        better = card.improved(inputs.values, inputs.improved | frozenset(chosen))
        if product.band_of(better.probability_ppm).amount_max_fen >= product.amount_min_fen:
            break
    moved = frozenset(chosen)
    reasons = tuple(Reason(code) for code in chosen) or (Reason("score-low"),)
    return Obstacle("score-low", reasons, lambda at: replace(at, improved=at.improved | moved))


def _reasons(inputs: Inputs, artefacts: First, ground: Ground) -> tuple[tuple[Reason, ...], bool]:
    """Tell at most four reasons, policy first, and prove them: with what they name changed, the decision is run again and no longer declines."""
    told: list[Reason] = []
    at, current = inputs, ground
    while current.answer is Answer.DECLINED:
        fresh = [reason for obstacle in current.obstacles for reason in obstacle.reasons]
        if not fresh or len(told) + len(fresh) > REASONS_MAX:
            return tuple(_proved(inputs, artefacts, ground, [*told, *fresh][:REASONS_MAX])), True
        told += fresh
        for obstacle in current.obstacles:
            at = obstacle.undone(at)
        current = _ground(at, artefacts)
    return tuple(_proved(inputs, artefacts, ground, told)), False


def _proved(inputs: Inputs, artefacts: First, ground: Ground, told: list[Reason]) -> list[Reason]:
    """Mark the reasons whose single change would have turned the answer."""
    alone = set()
    for obstacle in ground.obstacles:
        if len(obstacle.reasons) == 1 and _ground(obstacle.undone(inputs), artefacts).answer is not Answer.DECLINED:
            alone.add(obstacle.reasons[0].code)
    return [replace(reason, flips_alone=reason.code in alone) for reason in told]
