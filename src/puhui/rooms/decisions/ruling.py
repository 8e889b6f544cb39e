"""How a rulebook decides: gates, score, band, line and price by its tables; what can be borne is reckoned between; then its last word.

The rules are asked up to three times: which models they want; with the score, the band, line and rate; with the limit that follows, the answer. The
reasons are those that its gates give. Each is proven: with the nearest change that lets the gate pass, the rules are run again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from puhui.engines import rules
from puhui.rooms.decisions.facts import Facts, Inputs
from puhui.rooms.decisions.given import (
    AMOUNT,
    CAP,
    FREE,
    INCOME,
    IS_PROVEN,
    LIMIT,
    MODEL,
    OTHER,
    POINTS,
    PROBABILITY,
    fen_of,
    given,
    yuan_of,
)
from puhui.rooms.decisions.limit import Limit, left_for_us, limit_within
from puhui.rooms.decisions.outcome import REASONS_MAX, Answer, OfferTerms, Outcome
from puhui.rooms.decisions.policy import INQUIRIES, yuan
from puhui.rooms.decisions.price import all_in_max_ppm, lowered
from puhui.rooms.decisions.rulebook import BAND, DISCOUNT, FIGURES, FUNDERS, LADDER, LINE, PRICE, Gate, Rulebook
from puhui.rooms.decisions.scorecard import Score, Scorecard
from puhui.vocabulary.products import Product
from puhui.vocabulary.reasons import Reason

KERNEL = 2
ENOUGH_FEN = 100_000_000
WANTED = "income"
STANDS_IN_THE_WAY = frozenset({"decline", "proof"})


@dataclass(frozen=True, slots=True)
class Case:
    """One application before the rules: what they are given, by source, and which kinds of facts the card takes at their best."""

    inputs: Inputs
    card: Scorecard
    book: Rulebook
    product: Product
    given: Mapping[str, object]
    improved: frozenset[str]

    def changed(self, fields: Mapping[str, object]) -> "Case":
        return replace(self, given={**self.given, **fields})

    def ask(self, steps: Mapping[str, object]) -> rules.Outcome:
        return self.book.artefact.one(self.book.row({**self.given, **steps}))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that stands in the way, the reasons it is told by, and the case with it undone; None where nothing of it can be changed."""

    code: str
    reasons: tuple[Reason, ...]
    undone: Callable[[Case], Case | None]


@dataclass(frozen=True, slots=True)
class Ground:
    """A decision before its reasons."""

    answer: Answer
    gate: str
    score: Score
    limit: Limit
    rate_ppm: int
    told: rules.Outcome
    obstacles: tuple[Obstacle, ...]


def decide(inputs: Inputs, card: Scorecard, book: Rulebook, product: Product) -> Outcome:
    """Decide an application. The same inputs and artefacts give the same outcome, to the byte, for ever."""
    case = Case(inputs, card, book, product, given(inputs, product, book.manifest.inputs), inputs.improved)
    ground = _ground(case)
    reasons, no_flip = _reasons(case, ground) if ground.answer is Answer.DECLINED else ((), False)
    if ground.answer is Answer.PROOF:
        reasons = tuple(reason for obstacle in ground.obstacles for reason in obstacle.reasons)
    offers = _offers(case, ground) if ground.answer is Answer.OFFER else ()
    return Outcome(
        ground.answer,
        ground.score,
        str(ground.told.value(BAND)),
        ground.limit.amount_max_fen if offers else 0,
        ground.limit.ladder,
        offers,
        tuple(obstacle.code for obstacle in ground.obstacles),
        reasons,
        tuple(WANTED for _ in ground.obstacles) if ground.answer is Answer.PROOF else (),
        no_flip,
        KERNEL,
        {name: tuple(ground.told.fired(name)) for name, _ in book.artefact.tables},
        str(ground.told.value(FUNDERS)),
    )


def last_asked(inputs: Inputs, card: Scorecard, book: Rulebook, product: Product) -> rules.Outcome:
    """Give what the rules were asked last, to explain it: every table, what it saw, and why the other rules did not fire."""
    return _ground(Case(inputs, card, book, product, given(inputs, product, book.manifest.inputs), inputs.improved)).told


def _ground(case: Case) -> Ground:
    """Route, score, band, line and price, then what can be borne, then the answer."""
    book, product, bounds = case.book, case.product, case.inputs.bounds
    score = case.card.improved(case.inputs.values, case.improved)
    is_asked = case.ask({}).value(book.manifest.route) == MODEL
    steps: dict[str, object] = {PROBABILITY: score.probability_ppm, POINTS: score.points} if is_asked else {}

    first = case.ask(steps)
    price, discount = first.value(PRICE), first.value(DISCOUNT)
    rate = lowered(product, max(int(price) - _whole(discount), 0), bounds.hard_cap_ppm) if isinstance(price, Decimal) else 0
    limit = _limit(case, first, rate)

    told = case.ask(steps | {CAP: yuan_of(limit.cap_fen), LIMIT: yuan_of(limit.amount_max_fen)})
    decided = told.value(book.manifest.decide)
    outcome, gate = (str(decided["outcome"]), str(decided["gate"])) if isinstance(decided, dict) else ("decline", BAND)
    answer = {"offer": Answer.OFFER, "proof": Answer.PROOF}.get(outcome, Answer.DECLINED)
    ground = Ground(answer, gate, score, limit, rate, told, ())
    return ground if answer is Answer.OFFER else replace(ground, obstacles=_obstacles(case, ground, outcome))


def _limit(case: Case, first: rules.Outcome, rate_ppm: int) -> Limit:
    """The least of the rules' line, the law, the product, what is free of the person's cap, and what he can bear a month."""
    told, product = case.given, case.product
    caps = {
        "rules": fen_of(first.value(LINE)),
        "line": min(case.inputs.bounds.line_max_fen, product.amount_max_fen),
        "exposure": fen_of(told[FREE]),
    }
    step = first.value(LADDER)
    facts = replace(case.inputs.facts, amount_fen=fen_of(told[AMOUNT]))
    means = left_for_us(fen_of(told[INCOME]), fen_of(told[OTHER]), product.affordability)
    return limit_within(facts, product, caps, means, rate_ppm, str(step["step"]) if isinstance(step, dict) else "")


def _offers(case: Case, ground: Ground) -> tuple[OfferTerms, ...]:
    """One range a method; for an order of a shop the range is its price. None over the limit, none over the cap: the rate was lowered until it fits."""
    product, facts, limit = case.product, case.inputs.facts, ground.limit
    least, most, step = product.amount_min_fen, limit.amount_max_fen, product.amount_step_fen
    if facts.is_purchase:
        least = most = step = facts.amount_fen
    worst = all_in_max_ppm(product, ground.rate_ppm)
    return tuple(OfferTerms(method, least, most, step, limit.months, ground.rate_ppm, worst) for method in product.methods)


def _whole(number: object) -> int:
    return int(number) if isinstance(number, Decimal | int) else 0


# -- what stands in the way ----------------------------------------------------------------------------------------------


def _obstacles(case: Case, ground: Ground, outcome: str) -> tuple[Obstacle, ...]:
    """The score alone; a gate that waits for the limit alone; else every early gate that says the same, in the order of the rules."""
    gates = case.book.gates
    if ground.gate not in gates:
        return (_of_score(case, ground.gate),)
    if gates[ground.gate].is_late:
        return (_of_gate(case, ground, gates[ground.gate]),)
    found = []
    for gate in gates.values():
        value = ground.told.value(gate.name)
        if not gate.is_late and isinstance(value, dict) and value["outcome"] == outcome:
            found.append(_of_gate(case, ground, gate))
    return tuple(found)


def _of_gate(case: Case, ground: Ground, gate: Gate) -> Obstacle:
    value = ground.told.value(gate.name)
    assert isinstance(value, dict), gate.name
    code = str(value["reason"])
    reason = Reason(code, _slots(case, ground, code, value.get("figure")))
    fields = cache(lambda: _undoing(case, ground, gate, code))
    return Obstacle(code, (reason,), lambda at: at.changed(fields()) if fields() else None)


def _undoing(case: Case, ground: Ground, gate: Gate, code: str) -> Mapping[str, object]:
    """The nearest change of what the reason is about by which the gate passes, or at least says something else; for what hangs on the limit, the means
    that it lacks. Empty where nothing will do.
    """
    if gate.is_late and (fields := _more_means(case, ground, code)):
        return fields
    sources = case.book.sources
    names = [name for name in gate.about.get(code, ()) if not sources[name].startswith("step:")]
    found = ground.told.turns(gate.name, names, _passes) or ground.told.turns(gate.name, names, lambda value: not _says(value, code))
    return {sources[name]: value for name, value in found[0].changes.items()} if found else {}


def _passes(value: object) -> bool:
    return isinstance(value, dict) and value["outcome"] not in STANDS_IN_THE_WAY


def _says(value: object, code: str) -> bool:
    return not _passes(value) and isinstance(value, dict) and value["reason"] == code


def _more_means(case: Case, ground: Ground, code: str) -> Mapping[str, object]:
    """What would let a gate pass that hangs on the limit: more income, no other debts, nothing owed here, a cheaper order; nothing for another reason."""
    match code:
        case "income-low":
            return {INCOME: yuan_of(ENOUGH_FEN), IS_PROVEN: True}
        case "debt-heavy":
            return {OTHER: yuan_of(0)}
        case "exposure-full":
            return {FREE: yuan_of(case.inputs.bounds.per_person_cap_fen)}
        case "purchase-too-dear":
            return {AMOUNT: yuan_of(ground.limit.amount_max_fen)}
    return {}


def _of_score(case: Case, gate: str) -> Obstacle:
    """The fewest kinds of facts, most points lost first, that moved to their best would turn the answer of the band; four at most."""
    lost: dict[str, int] = {}
    for points, item in case.card.lost(case.inputs.values):
        if item.reason not in case.improved:
            lost[item.reason] = lost.get(item.reason, 0) + points
    chosen: list[str] = []
    for code in sorted(lost, key=lambda code: (-lost[code], code))[:REASONS_MAX]:
        chosen.append(code)
        if _decided_by(replace(case, improved=case.improved | frozenset(chosen))) != gate:
            break
    moved = frozenset(chosen)
    reasons = tuple(Reason(code) for code in chosen) or (Reason("score-low"),)
    return Obstacle("score-low", reasons, lambda at: replace(at, improved=at.improved | moved) if moved else None)


def _decided_by(case: Case) -> str:
    """Which gate decides a case, without asking what would undo it."""
    score = case.card.improved(case.inputs.values, case.improved)
    decided = case.ask({PROBABILITY: score.probability_ppm, POINTS: score.points}).value(case.book.manifest.decide)
    return str(decided["gate"]) if isinstance(decided, dict) else BAND


# -- reasons -------------------------------------------------------------------------------------------------------------


def _reasons(case: Case, ground: Ground) -> tuple[tuple[Reason, ...], bool]:
    """Tell at most four reasons, policy first, and prove them: with what they name changed, the rules are run again and no longer decline."""
    told: list[Reason] = []
    at, current = case, ground
    while current.answer is Answer.DECLINED:
        fresh = [reason for obstacle in current.obstacles for reason in obstacle.reasons]
        if not fresh or len(told) + len(fresh) > REASONS_MAX:
            return tuple(_proved(case, ground, [*told, *fresh][:REASONS_MAX])), True
        told += fresh
        for obstacle in current.obstacles:
            undone = obstacle.undone(at)
            if undone is None:
                return tuple(_proved(case, ground, told)), True
            at = undone
        current = _ground(at)
    return tuple(_proved(case, ground, told)), False


def _proved(case: Case, ground: Ground, told: list[Reason]) -> list[Reason]:
    """Mark the reasons whose single change would have turned the answer."""
    alone = set()
    for obstacle in ground.obstacles:
        undone = obstacle.undone(case) if len(obstacle.reasons) == 1 else None
        if undone is not None and _ground(undone).answer is not Answer.DECLINED:
            alone.add(obstacle.reasons[0].code)
    return [replace(reason, flips_alone=reason.code in alone) for reason in told]


def _slots(case: Case, ground: Ground, code: str, figure: object) -> dict[str, str]:
    """What the sentence of a reason names: a number of the rule, and what is known of the person."""
    told = {FIGURES[code]: str(_whole(figure))} if code in FIGURES else {}
    facts, bounds = case.inputs.facts, case.inputs.bounds
    match code:
        case "minor":
            told["age_min"] = str(bounds.age_min)
        case "purpose-barred":
            told["purpose"] = facts.purpose
        case "id-expired" | "id-expires-soon":
            told["expires"] = facts.id_expires.isoformat() if facts.id_expires else ""
        case "device-busy":
            told["count"] = str(facts.device_persons_30d)
        case "applied-often":
            told["count"] = str(facts.applications_30d)
        case "overdue-now":
            told["amount"] = yuan(_known(case, "bureau.overdue.sum"))
        case "many-inquiries":
            told["count"] = str(_known(case, INQUIRIES.format(days=_whole(figure))))
        case "income-low":
            told["income"] = yuan(fen_of(case.given[INCOME]))
        case "debt-heavy":
            told["share"] = str(min(fen_of(case.given[OTHER]) * 100 // max(fen_of(case.given[INCOME]), 1), 999))
        case "purchase-too-dear":
            told |= {"amount": yuan(fen_of(case.given[AMOUNT])), "limit": yuan(ground.limit.amount_max_fen)}
    return told


def _known(case: Case, name: str) -> int:
    value = case.inputs.values.get(name)
    return value if isinstance(value, int) else 0


# -- a review ------------------------------------------------------------------------------------------------------------

SET_ASIDE: Mapping[str, Callable[[Facts], Facts]] = {
    "screening-hit": lambda facts: replace(facts, screening_similarity_ppm=0),
    "device-busy": lambda facts: replace(facts, device_persons_30d=1),
    "applied-often": lambda facts: replace(facts, applications_30d=0),
    "takeover-signs": lambda facts: replace(facts, hours_since_new_device=None),
    "face-not-matched": lambda facts: replace(facts, face_live_ppm=1_000_000, face_same_ppm=1_000_000),
    "card-not-matched": lambda facts: replace(facts, is_card_matched=True),
    "income-unknown": lambda facts: replace(facts, proven_income_fen=10_000_000),
    "too-old": lambda facts: replace(facts, age=min(facts.age, 60)),
}
"""What a reviewer may find not to apply, and the fact as he corrected it. Bars of law are not among them."""
