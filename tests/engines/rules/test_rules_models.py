"""DMN models: requirements, hit policies, knowledge, services, imports and hostile files."""

from decimal import Decimal

import pytest
from rules_models import definitions, table

from puhui.engines import rules
from puhui.engines.rules.refusals import UnknownDecision, UnreadableFile

D = Decimal

RULES = [
    (["< 18"], ['"no"', "1"]),
    (["[18..60]"], ['"yes"', "2"]),
    (["[50..70]"], ['"ask"', "3"]),
    (["null"], ['"null"', "4"]),
]


def decided(policy, age, *, rows=RULES, outputs=("answer", "code"), listed=None, gather="", default=None):
    model = rules.load(definitions(table("D", ["age"], rows, outputs, policy=policy, listed=listed, gather=gather, default=default), inputs={"age": "number"}))
    return model.decide("D", {"age": age})


@pytest.mark.parametrize(
    ("policy", "age", "value", "fired"),
    [
        ("UNIQUE", 20, {"answer": "yes", "code": D(2)}, (2,)),
        ("FIRST", 55, {"answer": "yes", "code": D(2)}, (2,)),
        ("RULE ORDER", 55, [{"answer": "yes", "code": D(2)}, {"answer": "ask", "code": D(3)}], (2, 3)),
        ("COLLECT", 55, [{"answer": "yes", "code": D(2)}, {"answer": "ask", "code": D(3)}], (2, 3)),
        ("FIRST", None, {"answer": "null", "code": D(4)}, (4,)),
        ("FIRST", 80, None, ()),
    ],
)
def test_each_hit_policy_gives_its_answer(policy, age, value, fired):
    told = decided(policy, age)
    assert told.value == value
    assert told.trace[-1].fired == fired


def test_unique_and_any_say_which_rules_contradict_each_other():
    told = decided("UNIQUE", 55)
    assert told.value is None
    assert "2, 3" in told.diagnostics[-1].message
    assert decided("ANY", 55).value is None
    same = [(["< 18"], ['"a"']), (["< 10"], ['"a"'])]
    assert decided("ANY", 5, rows=same, outputs=("answer",)).value == "a"


def test_priorities_go_column_by_column_and_keep_the_order_of_the_table():
    listed = ['"ask", "yes"', None]
    assert decided("PRIORITY", 55, listed=listed).value == {"answer": "ask", "code": D(3)}
    assert [one["answer"] for one in decided("OUTPUT ORDER", 55, listed=listed).value] == ["ask", "yes"]


def test_collect_gathers_numbers():
    rows = [([">= 10"], ["5"]), ([">= 20"], ["7"]), ([">= 30"], ["1"])]
    for gather, value in (("SUM", 13), ("MIN", 1), ("MAX", 7), ("COUNT", 3)):
        assert decided("COLLECT", 40, rows=rows, outputs=("points",), gather=gather).value == value
    assert decided("COLLECT", 0, rows=rows, outputs=("points",), gather="COUNT").value == 0
    assert decided("COLLECT", 0, rows=rows, outputs=("points",), gather="SUM").value is None
    assert decided("COLLECT", 0, rows=rows, outputs=("points",)).value is None
    assert decided("FIRST", 0, rows=rows, outputs=("points",), default="-1").value == -1


def test_requirements_knowledge_and_services_work_together():
    xml = definitions(
        """
        <businessKnowledgeModel id="k" name="payment of"><variable name="payment of" typeRef="number"/>
          <encapsulatedLogic><formalParameter name="amount" typeRef="number"/><formalParameter name="months" typeRef="number"/>
            <literalExpression><text>decimal(amount / months, 2)</text></literalExpression></encapsulatedLogic></businessKnowledgeModel>
        <decision id="p" name="Monthly payment"><variable name="Monthly payment" typeRef="number"/>
          <informationRequirement><requiredInput href="#amount"/></informationRequirement>
          <knowledgeRequirement><requiredKnowledge href="#k"/></knowledgeRequirement>
          <literalExpression><text>payment of(amount: amount, months: 12)</text></literalExpression></decision>
        <decision id="q" name="Is light"><variable name="Is light" typeRef="boolean"/>
          <informationRequirement><requiredDecision href="#p"/></informationRequirement>
          <literalExpression><text>Monthly payment &lt; 300</text></literalExpression></decision>
        <decisionService id="s" name="Lightness"><variable name="Lightness"/>
          <outputDecision href="#q"/><encapsulatedDecision href="#p"/><inputData href="#amount"/></decisionService>
        """,
        inputs={"amount": "number"},
    )
    model = rules.load(xml)
    told = model.decide("Is light", {"amount": 3000})
    assert told.value is True
    assert [step.decision for step in told.trace] == ["Monthly payment", "Is light"]
    assert model.invoke("payment of", {"amount": 1000, "months": 3}).value == D("333.33")
    assert model.invoke("Lightness", {"amount": 6000}).value is False
    wrong = model.decide("Is light", {"amount": "much"})
    assert wrong.value is None
    assert wrong.diagnostics
    absent = model.decide("Is light", {})
    assert absent.value is None
    assert "amount" in absent.diagnostics[0].message
    with pytest.raises(UnknownDecision):
        model.decide("Nobody", {})


def test_imports_are_given_or_lie_beside(tmp_path):
    base = definitions(
        '<decision id="b" name="Base rate"><variable name="Base rate"/><literalExpression><text>0.2</text></literalExpression></decision>', namespace="urn:base"
    )
    top = definitions(
        """<import name="base model" namespace="urn:base" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/>
        <decision id="d" name="Twice"><variable name="Twice"/><informationRequirement><requiredDecision href="urn:base#b"/></informationRequirement>
        <literalExpression><text>base model.Base rate * 2</text></literalExpression></decision>""",
        namespace="urn:top",
    )
    assert rules.load(top, {"urn:base": base}).decide("Twice", {}).value == D("0.4")
    (tmp_path / "base.dmn").write_bytes(base)
    (tmp_path / "top.dmn").write_bytes(top)
    assert rules.load(tmp_path / "top.dmn").decide("Twice", {}).value == D("0.4")
    with pytest.raises(UnreadableFile):
        rules.load(top)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<a/>",
        b'<!DOCTYPE d [<!ENTITY x "y">]><definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/"/>',
        b'<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/">' + b"<a>" * 200 + b"</a>" * 200 + b"</definitions>",
    ],
)
def test_a_hostile_file_is_refused(data):
    with pytest.raises(UnreadableFile):
        rules.load(data)


def test_a_decision_that_requires_itself_is_null_and_says_so():
    xml = definitions(
        """<decision id="a" name="A"><variable name="A"/><informationRequirement><requiredDecision href="#b"/></informationRequirement>
        <literalExpression><text>B</text></literalExpression></decision>
        <decision id="b" name="B"><variable name="B"/><informationRequirement><requiredDecision href="#a"/></informationRequirement>
        <literalExpression><text>A</text></literalExpression></decision>"""
    )
    told = rules.load(xml).decide("A", {})
    assert told.value is None
    assert any(one.code == "dmn.circle" for one in told.diagnostics)
