"""What analysts hand over: DMN of every version, workbooks, scenarios from CSV, and examples without which nothing is published."""

import os
from datetime import date
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner
from rules_models import definitions, table

from puhui.cli.main import puhui
from puhui.engines import rules
from puhui.engines.rules import sheets

FOLDER = os.environ.get("PUHUI_PUBLIC_DATA")
KIT = Path(FOLDER) / "dmn-tck" if FOLDER else None

XML = """<?xml version="1.0" encoding="UTF-8"?>
<!-- who wrote it, and when -->
<definitions xmlns="http://www.omg.org/spec/DMN/20180521/MODEL/" xmlns:dmndi="http://www.omg.org/spec/DMN/20180521/DMNDI/"
 xmlns:dc="http://www.omg.org/spec/DMN/20180521/DC/" xmlns:p="urn:puhui:dmn:1" id="defs" name="准入" namespace="urn:one">
<inputData id="in-1" name="age"><variable id="v-1" name="age" typeRef="number"/></inputData>
<inputData id="in-2" name="工作"><variable id="v-2" name="工作" typeRef="string"/></inputData>
<decision id="dec-1" name="Admission" p:example='{given: {age: 30, 工作: "农民"}, gives: {answer: "yes", code: 3}}'><variable id="v-3" name="Admission"/>
<informationRequirement id="r-1"><requiredInput href="#in-1"/></informationRequirement>
<informationRequirement id="r-2"><requiredInput href="#in-2"/></informationRequirement>
<decisionTable id="t-1" hitPolicy="PRIORITY">
<input id="i-1" label="年龄" p:changeable="true"><inputExpression id="e-1" typeRef="number"><text>age</text></inputExpression><inputValues id="iv"><text>[0..120]</text></inputValues></input>
<input id="i-2"><inputExpression id="e-2" typeRef="string"><text>工作</text></inputExpression></input>
<output id="o-1" name="answer" typeRef="string" p:role="reason"><outputValues id="ov"><text>"no","ask","yes"</text></outputValues></output>
<output id="o-2" name="code" typeRef="number"><defaultOutputEntry id="de"><text>0</text></defaultOutputEntry></output>
<annotation name="why"/>
<rule id="rule-1"><description>old one</description><inputEntry id="c-1"><text>&lt; 18</text></inputEntry><inputEntry id="c-2"><text>-</text></inputEntry>
<outputEntry id="c-3"><text>"no"</text></outputEntry><outputEntry id="c-4"><text>1</text></outputEntry><annotationEntry><text>未成年</text></annotationEntry></rule>
<rule id="rule-2"><inputEntry id="c-5"><text>= 30</text></inputEntry><inputEntry id="c-6"><text>"农民", "工人"</text></inputEntry>
<outputEntry id="c-7"><text>"yes"</text></outputEntry><outputEntry id="c-8"><text>3</text></outputEntry><annotationEntry><text/></annotationEntry></rule>
</decisionTable></decision>
<dmndi:DMNDI><dmndi:DMNDiagram id="d"><dmndi:DMNShape id="s-1" dmnElementRef="dec-1"><dc:Bounds height="80" width="180" x="10" y="20"/></dmndi:DMNShape></dmndi:DMNDiagram></dmndi:DMNDI>
</definitions>""".encode()


def test_a_model_is_written_as_1_5_with_its_ids_and_its_diagram():
    model = rules.load(XML)
    told = rules.written(model)
    text = told.decode()
    assert "https://www.omg.org/spec/DMN/20230324/MODEL/" in text
    assert "https://www.omg.org/spec/DMN/20230324/DMNDI/" in text
    assert "http://www.omg.org/spec/DMN/20180521/DC/" in text
    assert "20180521/MODEL" not in text
    for kept in ("who wrote it", "dmnElementRef", 'id="c-5"', 'id="e-1"', 'x="10"', "old one"):
        assert kept in text
    again = rules.load(told)
    assert again.elements == model.elements
    assert rules.written(again) == told


def test_types_of_1_1_lose_their_prefix():
    old = XML.replace(b"http://www.omg.org/spec/DMN/20180521/MODEL/", b"http://www.omg.org/spec/DMN/20151101/dmn.xsd")
    old = old.replace(b'id="defs"', b'id="defs" xmlns:feel="http://www.omg.org/spec/FEEL/20140401"').replace(b'typeRef="number"', b'typeRef="feel:number"')
    told = rules.written(rules.load(old))
    assert b"feel:number" not in told
    assert rules.load(told).decide("Admission", {"age": 30, "工作": "农民"}).value == {"answer": "yes", "code": 3}


@pytest.mark.skipif(KIT is None or not KIT.is_dir(), reason="PUHUI_PUBLIC_DATA names no folder with dmn-tck")
def test_models_of_the_public_kit_say_the_same_when_written():
    assert KIT is not None, "the test would not run without it"
    files = sorted(KIT.rglob("compliance-level-*/**/*.dmn"))[::5]
    assert len(files) > 20
    for file in files:
        model = rules.load(file)
        beside = {rules.load(one).namespace: one.read_bytes() for one in file.parent.glob("*.dmn") if model.imports and one != file}
        assert rules.load(rules.written(model), beside).elements == model.elements, file.name


def test_tables_make_the_round_trip_through_a_workbook():
    model = rules.load(XML)
    back = sheets.from_workbook(sheets.to_workbook(model), model)
    assert back == rules.written(model) or rules.load(back).elements == model.elements
    for kept in (b'id="c-5"', b'id="iv"', b"old one", b"dmnElementRef", b'<annotation name="why"'):
        assert kept in back
    assert sheets.sheets_of(rules.load(back)) == sheets.sheets_of(model)


def test_what_a_person_types_into_a_cell_becomes_feel():
    model = rules.load(XML)
    book = openpyxl.load_workbook(BytesIO(sheets.to_workbook(model)))
    page = book.worksheets[0]
    assert page.cell(13, 2).value == "= 30"
    assert page.cell(13, 2).data_type == "s", "no formula"
    page.cell(2, 2).value = "FIRST"
    for place, value in enumerate(["new-rule", 18.5, None, '"ask"', 7, "typed"], 1):
        page.cell(14, place).value = value
    page.cell(15, 2).value, page.cell(15, 4).value, page.cell(15, 5).value = date(2026, 1, 5), '"no"', True
    out = BytesIO()
    book.save(out)
    changed = rules.load(sheets.from_workbook(out.getvalue(), model))
    node = changed.decision("Admission").node
    assert node.policy == "FIRST"
    assert [cell.span.text for cell in node.rules[2].cells] == ["18.5", "-"]
    assert (node.rules[2].note, node.rules[3].cells[0].span.text, node.rules[3].results[1].span.text) == ("typed", '@"2026-01-05"', "true")
    assert changed.decide("Admission", {"age": rules.feel("18.5"), "工作": None}).value == {"answer": "ask", "code": 7}


def test_a_workbook_that_does_not_fit_is_refused():
    model = rules.load(XML)
    other = rules.load(definitions(table("D", ["age"], [(["< 18"], ['"no"'])]), inputs={"age": "number"}))
    for data in (b"no workbook", sheets.to_workbook(other)):
        with pytest.raises(rules.UnreadableSheet):
            sheets.from_workbook(data, model)
    book = openpyxl.load_workbook(BytesIO(sheets.to_workbook(model)))
    for row, column, value in ((2, 2, "SOMETIMES"), (3, 2, "sideways"), (1, 1, "something")):
        before = book.worksheets[0].cell(row, column).value
        book.worksheets[0].cell(row, column).value = value
        out = BytesIO()
        book.save(out)
        book.worksheets[0].cell(row, column).value = before
        with pytest.raises(rules.UnreadableSheet):
            sheets.from_workbook(out.getvalue(), model)


def test_scenarios_come_from_csv():
    model = rules.load(XML)
    cases, failures = rules.run_scenarios(model, '\ufeff#,age,工作,-> Admission.answer,-> Admission.code\nyoung,17,,no,1\nfarmer,30,农民,yes,\n\nwrong,30,"""工人""",no,3\n')
    assert cases == 3
    assert [(one.line, one.name, one.text) for one in failures] == [(5, "wrong", 'Admission.answer is "yes", not "no"')]
    for text in ("", "age\n1\n", "agee,-> Admission\n1,2\n", "age,-> Admission.code\n1\n"):
        with pytest.raises(rules.UnreadableSheet):
            rules.run_scenarios(model, text)


def test_a_policy_whose_own_examples_fail_is_not_published():
    schema = {"age": "number(3,0)", "工作": "category"}
    assert rules.published(rules.load(XML), ["Admission"], schema).one({"age": 30, "工作": "农民"}).value("Admission")["code"] == 3
    with pytest.raises(rules.PolicyFails) as refused:
        rules.published(rules.load(XML.replace(b'gives: {answer: "yes"', b'gives: {answer: "no"')), ["Admission"], schema)
    assert "example 1 of Admission" in refused.value.text


def test_an_analyst_writes_fills_and_checks(tmp_path):
    (tmp_path / "a.dmn").write_bytes(XML)
    (tmp_path / "cases.csv").write_text("age,工作,-> Admission.answer\n17,,yes\n", "utf-8")

    def asked(*words):
        return CliRunner().invoke(puhui, ["rules", *map(str, words)], catch_exceptions=False)

    assert asked("write", tmp_path / "a.dmn", tmp_path / "a.xlsx").exit_code == 0
    assert asked("fill", tmp_path / "a.dmn", tmp_path / "a.xlsx", tmp_path / "b.dmn").exit_code == 0
    assert asked("write", tmp_path / "b.dmn", tmp_path / "c.dmn").exit_code == 0
    assert asked("diff", tmp_path / "a.dmn", tmp_path / "c.dmn").exit_code == 0
    told = asked("check", tmp_path / "a.dmn", "--scenarios", tmp_path / "cases.csv")
    assert told.exit_code == 1
    assert "cases.csv:2" in told.output
