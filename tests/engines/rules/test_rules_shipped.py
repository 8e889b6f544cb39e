"""The strategy that is shipped: large enough, compiled whole, its examples hold, its reasons have sentences, and every way of deciding agrees."""

import random
from decimal import Decimal

import pytest

from puhui.engines import rules
from puhui.engines.rules import explaining, shipped
from puhui.engines.rules.tree import Table
from puhui.vocabulary.products import product
from puhui.vocabulary.reasons import SENTENCES

GOOD = {
    "age": 30, "under age": False, "work barred": False, "purpose barred": False, "listed": False, "identity verified": True, "id days left": 900,
    "account blocked": False, "card matched": True, "province": "79", "days late with us": 0, "applications": 1, "screening ppm": 0,
    "face live ppm": 950_000, "face same ppm": 950_000, "device persons": 1, "device hours": 2000, "card hours": 2000, "inquiries 30d": 1,
    "inquiries 90d": 2, "overdue yuan": 0, "worst 24m": 0, "file days": 2000, "accounts": 3, "white": False, "why no history": None,
    "income yuan": 5200, "income proven": True, "other yuan": 800, "phone days": 900, "wages 360d": 12, "failed debits": 0, "late bills": 0,
    "late utility": 0, "score ppm": 9000, "loans repaid": 2, "months clean": 12, "amount yuan": 3000, "purchase": False, "purpose": "farm_inputs",
    "free yuan": 200_000, "least yuan": 500, "income min yuan": 1200, "cap yuan": 20_050, "limit yuan": 20_000,
}  # fmt: skip


@pytest.fixture(scope="module")
def artefact():
    return shipped.lending().artefact


def test_it_is_large_enough_compiled_whole_and_without_a_fault(artefact):
    model = artefact.model
    tables = [node for name in model.decisions if isinstance(node := model.decision(name).node, Table)]
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
    known = {one.source: GOOD[one.feel_name] for one in pack.manifest.inputs}
    facts = rules.Facts(
        application={source.partition(":")[2]: value for source, value in known.items() if source.startswith("application:")},
        variables={source.partition(":")[2]: value for source, value in known.items() if source.startswith(("variable:", "yuan:"))},
        others=known,
    )
    told = rules.run_strategy(pack.manifest, pack.artefact, facts, lambda models: {one: {"probability_ppm": 9000} for one in models})
    assert (told.models, told.value) == (("scorecard",), {"outcome": "offer", "gate": None})


def test_a_variable_of_fen_is_told_in_yuan():
    manifest = rules.Manifest("", "", "", (rules.Source("overdue yuan", "number(12,2)", "yuan:bureau.overdue.sum"),))
    artefact = rules.compile(rules.load(OVERDUE), ["late"], {"overdue yuan": "number(12,2)"})
    manifest = rules.Manifest(artefact.sha256, "", "late", manifest.inputs)
    told = [rules.run_strategy(manifest, artefact, rules.Facts({"bureau.overdue.sum": fen}), lambda models: {}).value for fen in (10_001, 10_000, None)]
    assert told == [True, False, None]


OVERDUE = b"""<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" namespace="urn:x" name="x">
<inputData id="i" name="overdue yuan"/><decision id="d" name="late"><informationRequirement id="r"><requiredInput href="#i"/></informationRequirement>
<literalExpression><text>overdue yuan &gt; 100</text></literalExpression></decision></definitions>"""


@pytest.mark.parametrize(("family", "changed", "decision", "value"), [
    ("admission", {"under age": True}, "Age", {"outcome": "decline", "reason": "minor", "figure": None}),
    ("admission", {"age": 66}, "Age", {"outcome": "decline", "reason": "too-old", "figure": 65}),
    ("admission", {"id days left": 14}, "Standing", {"outcome": "decline", "reason": "id-expires-soon", "figure": 15}),
    ("admission", {"id days left": None}, "Standing", {"outcome": "pass", "reason": None, "figure": None}),
    ("admission", {"province": "81"}, "Region", {"outcome": "decline", "reason": "region-not-served", "figure": None}),
    ("admission", {"applications": 9}, "Our own book", {"outcome": "decline", "reason": "applied-often", "figure": 7}),
    ("admission", {"listed": True}, "Screening", {"outcome": "decline", "reason": "screening-hit", "figure": None}),
    ("fraud", {"face same ppm": 599_999}, "Face", {"outcome": "decline", "reason": "face-not-matched", "figure": None}),
    ("fraud", {"face same ppm": 600_000}, "Face", {"outcome": "caution", "reason": "face-unclear", "figure": None}),
    ("fraud", {"device persons": 7}, "Device", {"outcome": "decline", "reason": "device-busy", "figure": None}),
    ("fraud", {"device hours": 23, "card hours": 23}, "Device", {"outcome": "decline", "reason": "takeover-signs", "figure": 24}),
    ("fraud", {"device hours": 24, "card hours": 23}, "Device", {"outcome": "caution", "reason": "takeover-signs", "figure": None}),
    ("credit", {"overdue yuan": 500}, "Bureau lateness", {"outcome": "decline", "reason": "overdue-now", "figure": None}),
    ("credit", {"inquiries 90d": 11}, "Bureau inquiries", {"outcome": "decline", "reason": "many-inquiries", "figure": 90}),
    ("credit", {"income yuan": 0}, "Ability", {"outcome": "proof", "reason": "income-unknown", "figure": None}),
    ("credit", {"score ppm": 260_001}, "decide", {"outcome": "decline", "gate": "Band"}),
    ("credit", {"white": True}, "Thickness", "none"),
    ("credit", {}, "Grade", "strong"),
    ("limit", {}, "Line", 80_000),
    ("limit", {"white": True, "loans repaid": 0}, "Line", 3_000),
    ("limit", {"white": True, "loans repaid": 2, "months clean": 6}, "Line", 10_000),
    ("limit", {"inquiries 90d": 8}, "Line", 20_000),
    ("limit", {"inquiries 90d": 8, "applications": 6}, "Line", 8_000),
    ("limit", {"income yuan": 1_500}, "Line", 8_000),
    ("limit", {"free yuan": 400}, "Means", {"outcome": "decline", "reason": "exposure-full", "figure": None}),
    ("limit", {"limit yuan": 400, "other yuan": 2_601}, "Means", {"outcome": "decline", "reason": "debt-heavy", "figure": None}),
    ("limit", {"purchase": True, "cap yuan": 2_999}, "Means", {"outcome": "decline", "reason": "purchase-too-dear", "figure": None}),
    ("price", {}, "Price", 81_000),
    ("price", {"score ppm": 200_000, "worst 24m": 3, "inquiries 90d": 9, "failed debits": 6, "late bills": 3}, "Price", 198_000),
    ("price", {}, "Discount", 6_000),
    ("price", {"purpose": "daily", "loans repaid": 6}, "Discount", 4_000),
    ("funding", {"amount yuan": 50_000}, "Funding band", "banks-large"),
    ("funding", {"score ppm": 60_000, "white": True}, "Funding band", "inclusive"),
    ("funding", {"score ppm": 300_000}, "Funding band", "none"),
])  # fmt: skip
def test_a_table_for_every_family(artefact, family, changed, decision, value):
    assert artefact.one({**GOOD, **changed}).value(decision) == value, family


def test_the_ladder_and_the_bands_of_the_rules_are_those_of_the_product(artefact):
    sold = product("starter")
    for band in sold.bands:
        assert artefact.one({**GOOD, "score ppm": band.probability_max_ppm}).value("Band") == band.name
        assert artefact.one({**GOOD, "score ppm": band.probability_max_ppm, "loans repaid": 9}).value("Limit by band") == band.amount_max_fen // 100
        if band.amount_max_fen:
            assert artefact.one({**GOOD, "score ppm": band.probability_max_ppm}).value("Price") <= band.rate_ppm
    for step in sold.ladder:
        row = {**GOOD, "white": True, "loans repaid": step.settled_min, "months clean": step.months_min}
        assert artefact.one(row).value("Limit by ladder") == {"step": step.step, "limit yuan": step.line_max_fen // 100}


def test_reasons_have_sentences_in_both_languages(artefact):
    found = 0
    for name in artefact.decisions:
        table = artefact.model.decision(name).node
        names = [one.name for one in table.outputs] if isinstance(table, Table) else []
        if "reason" not in names:
            continue
        for rule in table.rules:
            told = dict(zip(names, (getattr(one, "value", None) for one in rule.results), strict=True))
            if told["outcome"] in {"decline", "proof"}:
                found += 1
                assert {"zh", "en"} <= set(SENTENCES[told["reason"]]), told
    assert found >= 20


def test_a_change_that_is_offered_turns_the_decision(artefact):
    late = {**GOOD, "overdue yuan": 900, "applications": 9}
    flips = artefact.one(late).why("decide").flips
    assert flips
    for flip in flips:
        assert artefact.one({**late, **flip.changes}).value("decide") == flip.value != artefact.one(late).value("decide")


def test_the_nearest_turn_of_a_gate_is_found_one_by_one_and_in_columns_alike(artefact, monkeypatch):
    told = artefact.one({**GOOD, "inquiries 30d": 12, "inquiries 90d": 30})
    names = ["inquiries 30d", "inquiries 90d"]
    few = told.turns("Bureau inquiries", names, lambda value: value["outcome"] != "decline")
    monkeypatch.setattr(explaining, "FEW", 0)
    assert told.turns("Bureau inquiries", names, lambda value: value["outcome"] != "decline") == few
    assert few[0].changes == {"inquiries 30d": 8, "inquiries 90d": 10}
    assert told.turns("Age", ["age"], lambda value: value == "never") == ()


def test_every_way_of_deciding_agrees(artefact):
    draw = random.Random(1)
    pools = {
        name: [value, None, *((draw.randint(0, 30), draw.randint(0, 1_000_000), Decimal(draw.randint(0, 10**6)).scaleb(-2)) if isinstance(value, int) and not isinstance(value, bool) else (True, False) if isinstance(value, bool) else ("71", "feed", "x"))]
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


@pytest.mark.parametrize(("changed", "treatment", "tone"), [
    ({"days late": 1}, ("sms", "arrears.first-day"), "kind"),
    ({"days late": 2}, (None, None), "kind"),
    ({"days late": 5}, ("call", "arrears.call-m1"), "kind"),
    ({"days late": 5, "late yuan": 40}, ("sms", "arrears.ways-to-pay"), "kind"),
    ({"days late": 5, "promise": "open"}, (None, None), "kind"),
    ({"days late": 26, "promises broken": 2}, ("call", "arrears.call-m1"), "kind"),
    ({"days late": 45}, ("call", "arrears.call-m2"), "plain"),
    ({"days late": 91, "hardship": "asked"}, ("assign", None), "kind"),
    ({"days late": 121}, ("call", "arrears.call-m4"), "formal"),
    ({"days late": 181}, ("propose_write_off", None), "formal"),
    ({"days late": 400}, (None, None), "formal"),
])  # fmt: skip
def test_a_late_person_is_treated_by_the_collection_pack(changed, treatment, tone):
    row = {"hardship": None, "promise": None, "promises broken": 0, "late yuan": 300} | changed
    told = shipped.collection().artefact.one(row)
    assert told.value("Collection treatment") == dict(zip(("act", "template"), treatment, strict=True))
    assert told.value("Collection tone") == tone
