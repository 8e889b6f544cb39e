"""Faults of tables, found in the masks and confirmed by trying every row; flips that flip."""

import random
from decimal import Decimal
from itertools import product

import numpy as np
import pytest
from rules_models import definitions, table

from puhui.engines import rules
from puhui.engines.rules import analysis, checking, twin
from puhui.proofs import rules_parity as drawn


def small_case(seed, policy):
    """A random table whose every row can be tried."""
    draw = random.Random(seed)
    columns = []
    for number in range(draw.randint(1, 3)):
        kind = draw.choice(("number", "category", "boolean"))
        points = {"number": sorted(draw.sample(range(20), 4)), "category": [0, 1, 2], "boolean": [0, 1]}[kind]
        columns.append(drawn.Drawn(f"in {number}", kind, 0, tuple(points)))
    cells = tuple(tuple(drawn._cell(draw, one, 0.35) for one in columns) for _ in range(draw.randint(1, 8)))
    results = tuple((f"R{draw.randint(0, 2)}",) for _ in cells)
    judged = twin.Judged(policy, "", cells, ("code",), results, (None,))
    return drawn.Case(tuple(columns), judged, drawn._xml(tuple(columns), judged))


def every_row(case):
    """Every row that anything could tell from another, nulls included."""
    choices = []
    for one in case.columns:
        values = list(range(one.points[0] - 1, one.points[-1] + 2)) if one.kind == "number" else [*one.points, *([99] if one.kind == "category" else [])]
        choices.append([*((value, False) for value in values), (0, True)])
    rows = list(product(*choices))
    columns = [np.array([row[place][0] for row in rows]) for place in range(len(choices))]
    return columns, [np.array([row[place][1] for row in rows]) for place in range(len(choices))]


@pytest.mark.parametrize("policy", ["UNIQUE", "ANY", "FIRST"])
def test_faults_are_those_that_trying_every_row_finds(policy):
    for seed in range(60):
        case = small_case(seed, policy)
        artefact = rules.compile(rules.load(case.xml), ["D"], {one.name: one.schema() for one in case.columns})
        report = analysis.analyzed(artefact)
        assert report.is_complete
        columns, nulls = every_row(case)
        hits = twin.hits(case.judged, columns, nulls)
        whole = ~np.any(nulls, axis=0)
        kinds = {kind: [one for one in report.findings if one.kind == kind] for kind in ("gap", "null-gap", "overlap", "conflict", "shadow", "dead")}

        is_left = ~hits.any(axis=0)
        assert bool(kinds["gap"]) == bool((is_left & whole).any()), seed
        assert bool(kinds["null-gap"]) == bool((is_left & ~whole).any() and not (is_left & whole).any()), seed
        assert {one.rules[0] for one in kinds["dead"]} == {rule + 1 for rule in range(len(hits)) if not hits[rule].any()}, seed
        together = {(a + 1, b + 1) for a in range(len(hits)) for b in range(a + 1, len(hits)) if (hits[a] & hits[b]).any()}
        different = {(a, b) for a, b in together if case.judged.results[a - 1] != case.judged.results[b - 1]}
        if policy == "FIRST":
            never = {rule + 1 for rule in range(len(hits)) if hits[rule].any() and not (hits[rule] & ~hits[:rule].any(axis=0)).any()}
            assert {one.rules[0] for one in kinds["shadow"]} == never, seed
        else:
            assert {one.rules for one in kinds["conflict"]} == different, seed
            assert {one.rules for one in kinds["overlap"]} == (together - different if policy == "UNIQUE" else set()), seed
        for one in [*kinds["gap"], *kinds["null-gap"], *kinds["overlap"], *kinds["conflict"]]:
            shown = artefact.one({**dict.fromkeys(column.name for column in case.columns), **one.example})
            assert not shown.fired("D"), "a gap and a contradiction both leave the table without an answer"


def test_a_listed_output_that_is_never_given_and_a_slow_path_are_said():
    body = table("D", ["age"], [(["< 18"], ['"no"']), (["-"], ['"yes"'])], ("o",), policy="FIRST", listed=['"no", "yes", "maybe"'])
    body += table("S", ["age"], [(["? / 3 > 5"], ["1"])], ("o",))
    model = rules.load(definitions(body, inputs={"age": "number"}))
    report = analysis.analyzed(rules.compile(model, ["D", "S"], {"age": "number(3,0)"}))
    assert [(one.kind, one.decision) for one in report.findings] == [("unreachable", "D"), ("slow", "S")]


CREDIT = [
    (["< 3000", "-", "-"], ['"decline"']),
    (["-", "> 2", "-"], ['"decline"']),
    (["[3000..5000)", "[1..2]", "-"], ['"decline"']),
    (["-", "-", "< 18"], ['"decline"']),
    (["null", "-", "-"], ['"decline"']),
    (["-", "-", "-"], ['"approve"']),
]


def credit():
    xml = definitions(table("Credit", ["income", "open loans", "age"], CREDIT, ("outcome",), policy="FIRST"), inputs={"income": "number", "open loans": "number", "age": "number"})
    for name in ("income", "open loans"):
        xml = xml.replace(f"<input><inputExpression><text>{name}</text>".encode(), f'<input xmlns:p="urn:puhui:dmn:1" p:changeable="true"><inputExpression><text>{name}</text>'.encode())
    return rules.load(xml)


def test_the_nearest_flip_flips_when_it_is_run_and_nothing_nearer_does():
    model = credit()
    artefact = rules.compile(model, ["Credit"], {"income": "number(9,2)", "open loans": "number(3,0)", "age": "number(3,0)"})
    why = artefact.one({"income": Decimal("2800.00"), "open loans": 0, "age": 30}).why("Credit")
    assert (why.value, why.fired) == ("decline", (1,))
    assert why.flips[0].changes == {"income": Decimal("3000.00")}

    both = {"income": Decimal("2800.00"), "open loans": 3, "age": 30}
    why = artefact.one(both).why("Credit")
    assert why.flips[0].changes == {"income": Decimal("5000.00"), "open loans": 2} or set(why.flips[0].changes) == {"income", "open loans"}
    for flip in why.flips:
        assert model.decide("Credit", both | flip.changes).value == flip.value != why.value

    young = artefact.one({"income": Decimal(9000), "open loans": 0, "age": 17}).why("Credit")
    assert young.flips == (), "nobody can be told to be older"


def test_examples_inside_a_policy_are_checked():
    right = '{given: {age: 20}, gives: "yes"}'
    for example, faults in ((right, 0), ('[{given: {age: 20}, gives: "no"}]', 1), ("nonsense(", 1)):
        xml = definitions(table("D", ["age"], [(["< 18"], ['"no"']), (["-"], ['"yes"'])], policy="FIRST"), inputs={"age": "number"})
        xml = xml.replace(b'<decision id="D"', f"<decision xmlns:p='urn:puhui:dmn:1' p:example='{example}' id=\"D\"".encode())
        assert len(checking.checked(rules.load(xml))) == faults
    broken = definitions(table("D", ["age"], [(["< "], ["1"])]), inputs={"age": "number"})
    assert checking.checked(rules.load(broken))[0].where == "D, rule 1, input 1"
