"""Division in the register machine: doubles where they can tell, the interpreter where they cannot, and never another answer."""

import random
from decimal import Decimal

import pytest
from rules_models import definitions, table

from puhui.engines import rules

SCHEMA = {"a": "number(12,2)", "b": "number(9,3)", "c": "int64"}


def literal(name, text, requires):
    needs = "".join(f'<informationRequirement><requiredInput href="#{one}"/></informationRequirement>' for one in requires)
    return f'<decision id="{name}" name="{name}"><variable name="{name}"/>{needs}<literalExpression><text>{text}</text></literalExpression></decision>'


def model():
    rows = [(["&lt; 0.1".replace("&lt;", "<")], ['"low"']), (["[0.1..0.3333]"], ['"middle"']), (["(0.3333..1)"], ['"high"']), (["null"], ['"none"']), (["-"], ['"most"'])]
    body = literal("E", "a / b &gt; 0.5 and not(a * 3 / b &lt;= c / 7)".replace("&lt;= c / 7", "&lt;= 2.5"), ["a", "b", "c"])
    body += literal("P", "a / c * 100 between 10 and 33.3", ["a", "c"])
    body += literal("Q", "a / b in (&lt; 0, [1..2), &gt;= 7) or a / b = null", ["a", "b"])
    body += literal("ratio", "a / b / 3", ["a", "b"])
    body += table("T", ["a / b"], rows, policy="FIRST", requires=["a", "b"])
    need = '<informationRequirement><requiredDecision href="#ratio"/></informationRequirement>'
    body += f'<decision id="R" name="R"><variable name="R"/>{need}<literalExpression><text>ratio &gt;= 0.1</text></literalExpression></decision>'
    return rules.load(definitions(body, inputs={"a": "number", "b": "number", "c": "number"}))


def rows(count, seed):
    """Random rows, many of them exactly on a break point, or on a zero."""
    draw = random.Random(seed)
    told = []
    for _ in range(count):
        b = Decimal(draw.choice([0, 1, 3, 7, 9, draw.randint(-9999, 9999)])).scaleb(-draw.randint(0, 3))
        c = draw.choice([0, 1, 3, -7, draw.randint(-(10**6), 10**6), 10**17 + draw.randint(0, 9)])
        ties = [b * Decimal(one) for one in ("0.5", "0.1", "1", "2", "7", "0.3", "0.3333")]
        a = draw.choice([*ties, Decimal(0), Decimal(draw.randint(-(10**6), 10**6)).scaleb(-2)])
        a = a.quantize(Decimal("0.01"))
        told.append({"a": draw.choice([a] * 9 + [None]), "b": draw.choice([b] * 9 + [None]), "c": draw.choice([c] * 9 + [None])})
    return told


@pytest.mark.parametrize("seed", range(3))
def test_doubles_never_give_another_answer_than_the_interpreter(seed):
    known = model()
    names = ["E", "P", "Q", "R", "T"]
    artefact = rules.compile(known, names, SCHEMA)
    assert set(artefact.slow) == {"ratio"}
    data = rows(400, seed)
    columns = {name: [row[name] for row in data] for name in SCHEMA}
    outcomes = [artefact.run(columns), artefact.with_form("numpy").run(columns), rules.open_artefact(artefact.to_bytes()).run(columns)]
    assert outcomes[0].fallback == outcomes[1].fallback
    assert 0 < len(outcomes[0].fallback) < len(data)
    for place, row in enumerate(data):
        one = artefact.one(row)
        assert bool(one.fallback) == (place in outcomes[0].left)
        for name in names:
            wanted = known.decide(name, row).value
            assert all(outcome.value(name, place) == wanted for outcome in outcomes), (name, row)
            assert one.value(name) == wanted, (name, row)


def test_without_a_tie_no_row_is_left_to_the_interpreter():
    artefact = rules.compile(model(), ["E", "P", "Q", "R", "T"], SCHEMA)
    draw = random.Random(2)
    columns = {"a": [draw.uniform(1, 999) for _ in range(2000)], "b": [draw.uniform(1, 999) for _ in range(2000)], "c": [draw.randint(1, 999) for _ in range(2000)]}
    assert len(artefact.run(columns).fallback) <= 2000 * 0.02


def test_what_is_too_rough_stays_with_the_interpreter():
    body = literal("D", "a / b + 1 &gt; 2", ["a", "b"]) + literal("X", "2 ** a &gt; 8", ["a"]) + literal("V", "a / b &gt; c", ["a", "b", "c"])
    artefact = rules.compile(rules.load(definitions(body, inputs={"a": "number", "b": "number", "c": "number"})), ["D", "X", "V"], SCHEMA)
    assert set(artefact.slow) == {"D", "X", "V"}
    told = artefact.one({"a": 3, "b": 2, "c": 1})
    assert [told.value(name) for name in ("D", "X", "V")] == [True, False, True]


def test_bytes_without_doubles_are_those_of_the_first_compiler():
    plain = rules.compile(rules.load(definitions(literal("D", "a &gt; 2", ["a"]), inputs={"a": "number"})), ["D"], {"a": "number(3,0)"}).to_bytes()
    rough = rules.compile(rules.load(definitions(literal("D", "a / 3 &gt; 2", ["a"]), inputs={"a": "number"})), ["D"], {"a": "number(3,0)"}).to_bytes()
    assert b'"compiler":1' in plain
    assert b'"compiler":2' in rough
    with pytest.raises(rules.DamagedArtefact):
        rules.open_artefact(rough.replace(b'"compiler":2', b'"compiler":1'))
