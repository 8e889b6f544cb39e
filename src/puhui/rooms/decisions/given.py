"""What the rules are given: every field that a manifest may name, from the facts, the bounds of law, the product and the values of variables.

Money is told to rules in yuan, exact to the fen; what is not known is null.
"""

from collections.abc import Iterable
from decimal import Decimal

from puhui.engines.rules import Source
from puhui.rooms.decisions.facts import Inputs
from puhui.rooms.decisions.known import Missing
from puhui.rooms.decisions.policy import income_fen
from puhui.vocabulary.products import Product

MODEL = "scorecard"
PROBABILITY = f"score:{MODEL}.probability_ppm"
POINTS = f"score:{MODEL}.points"
INCOME, IS_PROVEN, OTHER = "application:income_yuan", "application:is_income_proven", "application:other_installments_yuan"
AMOUNT, FREE = "application:amount_yuan", "law:free_yuan"
CAP, LIMIT = "step:cap_yuan", "step:limit_yuan"
DAYS_MOST = 99_999
FROM_STEPS = frozenset({PROBABILITY, POINTS, CAP, LIMIT})

FIELDS = FROM_STEPS | {
    "application:age", "application:is_verified", "application:id_days_left", "application:is_blocked", "application:is_card_matched",
    "application:province", "application:work", "application:purpose", "application:is_purchase", "application:months", AMOUNT,
    "application:days_late_with_us", "application:applications_30d", "application:screening_similarity_ppm", "application:face_live_ppm",
    "application:face_same_ppm", "application:device_persons_30d", "application:hours_since_new_device", "application:hours_since_new_card",
    "application:is_white", INCOME, IS_PROVEN, OTHER, "application:loans_settled", "application:months_clean",
    "law:is_under_age", "law:is_work_barred", "law:is_purpose_barred", "law:is_listed", FREE,
    "product:amount_min_yuan", "product:income_min_yuan",
}  # fmt: skip
"""What may stand in a manifest beside variables. A rulebook that asks for anything else is not opened."""


def given(inputs: Inputs, product: Product, sources: Iterable[Source]) -> dict[str, object]:
    """Give every field by its source; of the variables those that are asked for. What is reckoned between the steps is not there yet."""
    return _application(inputs) | _law(inputs) | _product(product) | _variables(inputs, sources)


def yuan_of(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def fen_of(yuan: object) -> int:
    """Whole fen of an amount in yuan; nothing where it is null."""
    return int(yuan * 100) if isinstance(yuan, Decimal | int) else 0


def _application(inputs: Inputs) -> dict[str, object]:
    facts, income, service = inputs.facts, income_fen(inputs), inputs.values["application.debt_service"]
    left = None if facts.id_expires is None else max(min((facts.id_expires - facts.today).days, DAYS_MOST), -DAYS_MOST)
    told: dict[str, object] = {
        f"application:{name}": getattr(facts, name)
        for name in (
            "age", "is_verified", "is_blocked", "is_card_matched", "work", "purpose", "is_purchase", "months", "days_late_with_us", "applications_30d",
            "screening_similarity_ppm", "face_live_ppm", "face_same_ppm", "device_persons_30d", "hours_since_new_device", "hours_since_new_card",
            "is_white", "loans_settled", "months_clean",
        )
    }  # fmt: skip
    return told | {
        "application:id_days_left": left,
        "application:province": facts.region[:2],
        AMOUNT: yuan_of(facts.amount_fen),
        INCOME: None if income is None else yuan_of(income),
        IS_PROVEN: facts.proven_income_fen is not None,
        OTHER: yuan_of((service if isinstance(service, int) else 0) + facts.own_installments_fen),
    }


def _law(inputs: Inputs) -> dict[str, object]:
    facts, bounds = inputs.facts, inputs.bounds
    return {
        "law:is_under_age": facts.age < bounds.age_min,
        "law:is_work_barred": facts.work in bounds.work_barred,
        "law:is_purpose_barred": facts.purpose in bounds.purpose_barred,
        "law:is_listed": facts.screening_similarity_ppm >= bounds.hit_similarity_ppm,
        FREE: yuan_of(bounds.per_person_cap_fen - facts.owed_fen - facts.held_fen),
    }


def _product(product: Product) -> dict[str, object]:
    return {
        "product:amount_min_yuan": yuan_of(product.amount_min_fen),
        "product:income_min_yuan": yuan_of(product.affordability.income_min_fen),
    }


def _variables(inputs: Inputs, sources: Iterable[Source]) -> dict[str, object]:
    told: dict[str, object] = {}
    for one in sources:
        kind, name, _ = one.parts
        value = inputs.values.get(name) if kind in {"variable", "yuan", "missing"} else None
        is_known = value is not None and not isinstance(value, Missing)
        match kind:
            case "variable":
                told[one.source] = value if is_known else None
            case "yuan":
                told[one.source] = yuan_of(value) if isinstance(value, int) and is_known else None
            case "missing":
                told[one.source] = value.value if isinstance(value, Missing) else None
    return told

