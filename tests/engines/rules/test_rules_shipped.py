"""The strategy that is shipped: large enough, compiled whole, its examples hold, its reasons have sentences, and every way of deciding agrees."""

import random
from decimal import Decimal

import pytest

from puhui.engines import rules
from puhui.engines.rules import shipped
from puhui.vocabulary.reasons import SENTENCES

GOOD = {
    "age": 30, "age min": 18, "work barred": False, "purpose barred": False, "identity verified": True, "id days left": 900, "region": "served",
    "account blocked": False, "days late with us": 0, "screening ppm": 0, "face live ppm": 950_000, "face same ppm": 950_000, "card matched": True,
    "device persons": 1, "device hours": 2000, "card hours": 2000, "applications": 1, "inquiries 30d": 1, "inquiries 90d": 2, "overdue yuan": 0,
    "worst 24m": 0, "history months": 70, "why no history": None, "income yuan": 5200, "debt service yuan": 800, "income proven": True,
    "work": "farmer", "months in work": 40, "score ppm": 9000, "loans repaid": 2, "amount yuan": 3000, "months": 6, "scene": "feed",
}  # fmt: skip


@pytest.fixture(scope="module")
def artefact():
    return shipped.lending().artefact


def test_it_is_large_enough_compiled_whole_and_without_a_fault(artefact):
    model = artefact.model
    tables = [model.decision(name).node for name in model.decisions]
    assert len(tables) >= 20
    assert sum(len(one.rules) for one in tables) >= 200
    assert artefact.slow == shipped.collection().artefact.slow == {}
    assert rules.checked(model) == []
    assert all(model.decision(name).example for name in model.decisions)
    assert [one.text for one in rules.analyzed(artefact).findings] == []
    assert all(rule.note for table in tables for rule in table.rules)


def test_its_manifests_fit_and_route_score_and_decide_in_turn():
    for pack in (shipped.lending(), shipped.collection()):
        pack.manifest.fits(pack.artefact)
        assert rules.read_manifest(pack.manifest.to_bytes()) == pack.manifest
    pack = shipped.lending()
    facts = rules.Facts(
        application={one.parts[1]: GOOD[one.feel_name] for one in pack.manifest.inputs if one.parts[0] == "application"},
        variables={one.parts[1]: GOOD[one.feel_name] for one in pack.manifest.inputs if one.parts[0] == "variable"},
    )
    told = rules.run_strategy(pack.manifest, pack.artefact, facts, lambda models: {one: {"probability_ppm": 9000} for one in models})
    assert (told.models, told.value) == (("first",), {"outcome": "offer", "gate": None})


def test_reasons_of_a_decline_have_sentences_and_come_from_the_gates(artefact):
    told = artefact.one({**GOOD, "age": 17, "device persons": 9, "overdue yuan": 5000, "inquiries 30d": 40, "income yuan": 900})
    assert shipped.reasons(told) == ("minor", "device-busy", "overdue-now", "many-inquiries")
    assert shipped.reasons(artefact.one(GOOD)) == ()
    assert shipped.reasons(artefact.one({**GOOD, "score ppm": 400_000})) == ("score-low",)
    for name in artefact.decisions:
        table = artefact.model.decision(name).node
        outputs = [one.name for one in table.outputs]
        if "outcome" not in outputs:
            continue
        for rule in table.rules:
            outcome, code = (getattr(one, "value", None) for one in rule.results)
            if outcome == "decline" and not code.startswith(shipped.GATE):
                assert {"zh", "en"} <= set(SENTENCES[code]), code


def test_a_change_that_is_offered_turns_the_decision(artefact):
    late = {**GOOD, "debt service yuan": 2900}
    flips = artefact.one(late).why("decide").flips
    assert flips
    for flip in flips:
        assert artefact.one({**late, **flip.changes}).value("decide") == flip.value != artefact.one(late).value("decide")


def test_every_way_of_deciding_agrees(artefact):
    draw = random.Random(1)
    pools = {
        name: [value, None, *((draw.randint(0, 30), draw.randint(0, 1_000_000), Decimal(draw.randint(0, 10**6)).scaleb(-2)) if isinstance(value, int) and not isinstance(value, bool) else (True, False) if isinstance(value, bool) else ("pilot", "feed", "x"))]
        for name, value in GOOD.items()
    }  # fmt: skip
    fields = {one.name: one for one in artefact.fields}
    for _ in range(60):
        row = {}
        for name, pool in pools.items():
            value = draw.choice(pool) if draw.random() < 0.25 else GOOD[name]
            is_fine = not (isinstance(value, int | Decimal) and not isinstance(value, bool)) or (abs(value) * 10 ** fields[name].scale <= fields[name].bound and (fields[name].scale or value == int(value)))
            row[name] = value if is_fine else GOOD[name]
        one, many = artefact.one(row), artefact.with_form("numpy").run({name: [value] for name, value in row.items()})
        for name in artefact.decisions:
            slow = artefact.model.decide(name, row)
            assert one.value(name) == many.value(name) == slow.value, (name, row)
            assert one.fired(name) == many.fired(name) == list(slow.trace[-1].fired)


def test_a_late_person_is_treated_by_the_collection_pack():
    pack = shipped.collection().artefact
    row = {"hardship": None, "promise": None, "days late": 20, "owed yuan": 300, "hour": 10, "contacts today": 0}
    assert [pack.one(row).value(name) for name in shipped.COLLECTION] == ["call-soft", "call-bot"]
    assert pack.one({**row, "hour": 22}).value("Collection channel") == "later"
    assert pack.one({**row, "hardship": "death"}).value("Collection channel") == "none"
