"""Compiled strategies: the same answers as the interpreter, canonical bytes, hostile bytes, and what a schema forbids."""

import random
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_models import definitions, table

from puhui.engines import rules
from puhui.engines.rules import artefact as artefact_module
from puhui.engines.rules import kernels, schema, zones
from puhui.proofs import rules_parity

ROWS = [
    (["< 18", "-"], ['"no"', "1"]),
    (["[18..60]", '"a","b"'], ['"yes"', "2"]),
    (["[50..70]", 'not("a")'], ['"ask"', "3"]),
    (["null", "-"], ['"null"', "4"]),
]
SCHEMA = {"age": "number(5,1)", "c": "category"}


def literal(name, text, requires, kind=""):
    needs = "".join(f'<informationRequirement><{kind_} href="#{one}"/></informationRequirement>' for one, kind_ in requires)
    return f'<decision id="{name}" name="{name}"><variable name="{name}"{kind}/>{needs}<literalExpression><text>{text}</text></literalExpression></decision>'


@pytest.fixture(scope="module")
def model():
    body = table("D", ["age", "c"], ROWS, ("answer", "code"), policy="FIRST")
    body += literal("E", "D.code * 2.5 + age &gt; 40 and age != 50", [("D", "requiredDecision"), ("age", "requiredInput")])
    body += literal("F", "age / 3", [("age", "requiredInput")])
    return rules.load(definitions(body, inputs={"age": "number", "c": "string"}))


def test_random_tables_are_decided_as_the_judge_decides_them():
    told = rules_parity.run(14, 120, 5)
    assert told["differing"] == 0
    assert told["mutants"] == told["mutants_caught"] >= 10
    assert told["compared_interpreted"] == 14 * 120


@pytest.mark.parametrize("form", ["numpy", "numba"])
def test_every_way_of_deciding_gives_the_same(model, form):
    artefact = rules.compile(model, ["D", "E"], SCHEMA).with_form(form)
    assert artefact.slow == {}
    ages, cs = [5, 17.9, 18, 50, 55.5, None, 65, 80, 20.25], ["a", "b", "a", "z", "b", None, "a", "q", "b"]
    outcome = artefact.run({"age": np.array([np.nan if one is None else one for one in ages]), "c": np.array(cs, object)})
    arrow = artefact.run(pa.table({"age": pa.array(ages, pa.float64()), "c": pa.array(cs).dictionary_encode()}))
    assert outcome.fallback == []
    for row, (age, c) in enumerate(zip(ages, cs, strict=True)):
        one = artefact.one({"age": age, "c": c, "more": 1})
        for name in ("D", "E"):
            slow = model.decide(name, outcome.inputs(row))
            assert outcome.value(name, row) == arrow.value(name, row) == one.value(name) == slow.value, (name, age, c)
            assert outcome.fired(name, row) == one.fired(name) == list(slow.trace[-1].fired)
    assert outcome.inputs(8)["age"] == Decimal("20.2")
    assert outcome.table.column("D.answer").to_pylist()[:2] == ["no", "no"]


def test_what_the_machine_cannot_do_is_interpreted_and_said(model):
    artefact = rules.compile(model, ["F"], SCHEMA)
    assert "F" in artefact.slow
    outcome = artefact.one({"age": Decimal(10), "c": None})
    assert outcome.value("F") == Decimal(10) / 3 or outcome.value("F") == model.decide("F", {"age": 10}).value
    assert outcome.fallback == [0]


def test_the_same_model_gives_the_same_bytes_and_they_open_again(model, tmp_path):
    first, second = rules.compile(model, ["D", "E"], SCHEMA), rules.compile(rules.load(model.source), ["D", "E"], SCHEMA)
    assert first.to_bytes() == second.to_bytes()
    file = tmp_path / f"{first.sha256}.rules"
    file.write_bytes(first.to_bytes())
    opened = rules.open_artefact(file)
    assert opened.sha256 == first.sha256
    assert opened.one({"age": 20, "c": "a"}).value("D") == {"answer": "yes", "code": 2}
    (tmp_path / f"{'0' * 64}.rules").write_bytes(first.to_bytes())
    with pytest.raises(rules.DamagedArtefact):
        rules.open_artefact(tmp_path / f"{'0' * 64}.rules")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_hostile_bytes_are_refused_or_decide_within_bounds(model, data):
    """Whatever is changed in an artefact, opening it either refuses or gives one that can be run without harm."""
    good = bytearray(rules.compile(model, ["D", "E"], SCHEMA).to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    bad = bytes(good[: data.draw(st.integers(0, len(good)))]) if data.draw(st.booleans()) else bytes(good)
    try:
        opened = rules.open_artefact(bad)
    except rules.DamagedArtefact:
        return
    for form in ("numpy", "numba"):
        opened.with_form(form).run({one.name: np.array([None, None], object) for one in opened.fields})


def test_a_schema_says_what_may_come(model):
    artefact = rules.compile(model, ["D"], SCHEMA)
    with pytest.raises(rules.MissingInput):
        artefact.one({"age": 5})
    for wrong in ("5", True, Decimal("1.25"), 10**9, float("inf"), 12345.0):
        with pytest.raises(rules.BadInput):
            artefact.one({"age": wrong, "c": "a"})
    with pytest.raises(rules.BadInput):
        artefact.run({"age": np.array([1.0, 1e6]), "c": np.array(["a", "b"], object)})
    with pytest.raises(ValueError, match="lacks"):
        rules.compile(model, ["D"], {"age": "number(5,1)"})
    with pytest.raises(ValueError, match="no type"):
        rules.compile(model, ["D"], {"age": "money", "c": "category"})
    wide = rules.compile(model, ["D"], {"age": "number(18,1)", "c": "category"})
    assert wide.one({"age": Decimal("20.0"), "c": "a"}).fired("D") == [2]
    with pytest.raises(rules.BadInput):
        wide.one({"age": 20.0, "c": "a"})


@settings(deadline=None)
@given(st.floats(-(10**6), 10**6, allow_nan=False), st.integers(0, 4))
def test_a_float_is_read_as_the_nearest_decimal(number, scale):
    field = schema.Field("x", "number", 12, scale)
    wanted = Decimal(number).quantize(Decimal(1).scaleb(-scale))
    assert Decimal(schema.held(field, number, {})).scaleb(-scale) == wanted
    for loops in (None, kernels):
        many = np.zeros(2, np.int64)
        assert schema.held_column(field, np.array([number, np.nan]), {}, many, loops) == []
        assert Decimal(int(many[0])).scaleb(-scale) == wanted
        assert many[1] == schema.NULL


@pytest.mark.parametrize("tie", ["0.125", "2.5", "1.005", "0.145", "-0.375", "1000000.5"])
def test_ties_go_to_the_even_neighbour(tie):
    for scale in range(3):
        field = schema.Field("x", "number", 12, scale)
        wanted = Decimal(float(tie)).quantize(Decimal(1).scaleb(-scale))
        assert Decimal(schema.held(field, float(tie), {})).scaleb(-scale) == wanted
        for loops in (None, kernels):
            many = np.zeros(1, np.int64)
            schema.held_column(field, np.array([float(tie)]), {}, many, loops)
            assert Decimal(int(many[0])).scaleb(-scale) == wanted


def expression(draw, depth):
    """A random expression of the register machine, true or false."""
    if depth == 0 or draw.random() < 0.3:
        number = draw.choice(["a", "b", "a + b", "a * 0.3 + b * 0.7", "a - 2 * b", "(if p then a else b)", "-a"])
        bound = draw.choice(["5", "0.25", "b", "-3", "null", "2.10"])
        return draw.choice([f"{number} {draw.choice(['<', '<=', '>', '>=', '=', '!='])} {bound}", f"{number} between -2 and 3", f"{number} in (1, [2..4), &gt; 7)", 'c = "x"', 'c in ("x", "y")', "p"])
    joined = f" {draw.choice(['and', 'or'])} ".join(f"({expression(draw, depth - 1)})" for _ in range(draw.randint(2, 3)))
    return f"not({joined})" if draw.random() < 0.3 else joined


def test_random_expressions_are_computed_as_the_interpreter_values_them():
    draw = random.Random(11)
    kinds = {"a": "number", "b": "number", "c": "string", "p": "boolean"}
    needs = [(one, "requiredInput") for one in kinds]
    body = "".join(literal(f"E{number}", expression(draw, 2).replace("<", "&lt;"), needs) for number in range(40))
    model = rules.load(definitions(body, inputs=kinds))
    names = [f"E{number}" for number in range(40)]
    artefact = rules.compile(model, names, {"a": "number(6,2)", "b": "number(6,1)", "c": "string", "p": "boolean"})
    assert artefact.slow == {}
    values = {"a": [None, *(Decimal(draw.randint(-1000, 1000)) / 100 for _ in range(12)), 5, Decimal("0.25"), 2, 7], "b": [], "c": [], "p": []}
    n = len(values["a"])
    values["b"] = [draw.choice([None, 5, Decimal("2.1"), -3, 0]) for _ in range(n)]
    values["c"] = [draw.choice([None, "x", "y", "other"]) for _ in range(n)]
    values["p"] = [draw.choice([None, True, False]) for _ in range(n)]
    fast, plain = artefact.run(values), artefact.with_form("numpy").run(values)
    for row in range(n):
        inputs = {name: column[row] for name, column in values.items()}
        for name in names:
            assert fast.value(name, row) == plain.value(name, row) == model.decide(name, inputs).value, (name, inputs)


def test_gathered_points_and_answers_feed_the_next_decision():
    body = table("Points", ["x"], [([">= 10"], ["5"]), ([">= 20"], ["7.5"]), (["null"], ["-1"])], ("p",), policy="COLLECT", gather="SUM")
    body += table("Class", ["x"], [(["< 10"], ['"low"']), ([">= 10"], ['"high"'])], ("k",), policy="UNIQUE")
    body += '<decision id="T" name="T"><variable name="T"/><informationRequirement><requiredDecision href="#Points"/></informationRequirement>'
    body += '<informationRequirement><requiredDecision href="#Class"/></informationRequirement><decisionTable hitPolicy="FIRST">'
    body += "<input><inputExpression><text>Points</text></inputExpression></input><input><inputExpression><text>Class</text></inputExpression></input><output/>"
    for cells, answer in ((("&gt; 10", '"high"'), 1), (("[1..10]", "-"), 2), (("-", 'not("high")'), 3), (("null", "-"), 4)):
        body += "<rule>" + "".join(f"<inputEntry><text>{one}</text></inputEntry>" for one in cells) + f"<outputEntry><text>{answer}</text></outputEntry></rule>"
    body += "</decisionTable></decision>"
    model = rules.load(definitions(body, inputs={"x": "number"}))
    artefact = rules.compile(model, ["T"], {"x": "int64"})
    assert artefact.slow == {}
    values = [None, 0, 9, 10, 19, 20, 21]
    for form in ("numpy", "numba"):
        outcome = artefact.with_form(form).run({"x": np.array(values, object)})
        assert [outcome.value("T", row) for row in range(7)] == [model.decide("T", {"x": one}).value for one in values]
        assert [outcome.value("Points", row) for row in range(7)] == [model.decide("Points", {"x": one}).value for one in values]


def test_dates_and_moments_are_ticks_and_what_is_finer_is_interpreted():
    body = table("D", ["d", "t"], [(['< @"2026-01-01"', "-"], ["1"]), (["-", '>= @"2026-06-01T12:00:00"'], ["2"])], policy="FIRST")
    model = rules.load(definitions(body, inputs={"d": "date", "t": "dateTime"}))
    artefact = rules.compile(model, ["D"], {"d": "date", "t": "datetime"})
    days = [date(2025, 12, 31), date(2026, 1, 1), None, date(2027, 1, 1)]
    moments = [datetime(2026, 6, 1, 12), datetime(2026, 6, 1, 11, 59, 59), datetime(2026, 6, 1, 12, 0, 0, 5), datetime(2026, 6, 1, 12, tzinfo=UTC)]  # noqa: DTZ001
    outcome = artefact.run({"d": days, "t": moments})
    assert outcome.fallback == [2, 3]
    assert [outcome.value("D", row) for row in range(4)] == [1, None, 2, None]
    assert [model.decide("D", {"d": d, "t": t}).value for d, t in zip(days, moments, strict=True)] == [1, None, 2, None]


def test_why_names_the_columns_that_failed(model):
    why = rules.compile(model, ["D"], SCHEMA).one({"age": 20, "c": "z"}).why("D")
    assert why.fired == ()
    assert [(one.rule, one.columns) for one in why.missed][:2] == [(1, ("age",)), (2, ("c",))]


def test_moments_of_numpy_and_empty_columns_are_read(model):
    body = table("D", ["t"], [(['< @"2026-01-01T10:00:00"'], ["1"]), (["null"], ["0"])], policy="FIRST")
    artefact = rules.compile(rules.load(definitions(body, inputs={"t": "dateTime"})), ["D"], {"t": "datetime"})
    moments = np.array(["2026-01-01T09:59:59", "2026-01-01T10:00:00", "NaT"], "datetime64[s]")
    assert [artefact.run({"t": moments}).value("D", row) for row in range(3)] == [1, None, 0]
    fine = moments.astype("datetime64[ns]")
    fine[1] += np.timedelta64(5, "us")
    outcome = artefact.run({"t": fine})
    assert (outcome.fallback, [outcome.value("D", row) for row in range(3)]) == ([1], [1, None, 0])
    fine[1] += np.timedelta64(5, "ns")
    with pytest.raises(rules.BadInput):
        artefact.run({"t": fine})
    none = rules.compile(model, ["D", "E"], SCHEMA).run({"age": np.zeros(0), "c": np.zeros(0, object)})
    assert (len(none), none.fallback) == (0, [])


def test_a_decision_may_be_asked_for_by_its_id_too():
    xml = definitions('<decision id="d1" name="Total"><variable name="total"/><literalExpression><text>1 + 1 &gt; 1</text></literalExpression></decision>')
    outcome = rules.compile(rules.load(xml), ["d1"], {}).one({})
    assert outcome.value("d1") is outcome.value("Total") is outcome.value("total") is True
    with pytest.raises(rules.UnknownDecision):
        outcome.value("nobody")


def test_columns_of_arrow_say_what_lists_say(model):
    """Texts by dictionary or plain, in one piece or several, whole numbers and floats, with nulls and without, in several chunks of reading."""
    artefact = rules.compile(model, ["D", "E"], SCHEMA)
    n = artefact_module.CHUNK + 5
    ages, cs = [[5, 18, None, 60, 65, 71][row % 6] for row in range(n)], [["a", None, "b", "q"][row % 4] for row in range(n)]
    texts = pa.array(cs)
    pieces = pa.chunked_array([texts[: n // 2].dictionary_encode(), texts[n // 2 :].dictionary_encode()])
    wanted = artefact.run({"age": [None if one is None else Decimal(one) for one in ages], "c": cs})
    for loops in ("numba", "numpy"):
        for c in (texts, texts.dictionary_encode(), pieces, pa.chunked_array([texts])):
            for age in (pa.array(ages, pa.float64()), pa.array(ages, pa.int16()), pa.chunked_array([pa.array(ages, pa.int64())])):
                told = artefact.with_form(loops).run({"age": age, "c": c})
                assert (told.codes == wanted.codes).all()
                assert (told.made.kept == wanted.made.kept).all()
    assert wanted.value("D", n - 1) == model.decide("D", {"age": ages[-1], "c": cs[-1]}).value


def test_a_bad_row_far_down_is_named_by_its_own_number(model):
    artefact = rules.compile(model, ["D"], SCHEMA)
    ages = np.full(artefact_module.CHUNK + 9, 20.0)
    ages[artefact_module.CHUNK + 3] = 1e9
    with pytest.raises(rules.BadInput) as refused:
        artefact.run({"age": ages, "c": np.full(len(ages), "a", object)})
    assert (refused.value.facts["row"], refused.value.facts["column"]) == (artefact_module.CHUNK + 3, "age")


ZONED = """<decision id="N" name="N"><variable name="N"/><informationRequirement><requiredInput href="#t"/></informationRequirement>
<literalExpression><text>t - date and time("2026-07-01T00:00:00@Asia/Shanghai")</text></literalExpression></decision>"""


def test_an_artefact_brings_the_zones_that_its_model_names():
    model = rules.load(definitions(ZONED, inputs={"t": "dateTime"}))
    artefact = rules.open_artefact(rules.compile(model, ["N"], {"t": "datetime"}).to_bytes())
    here = rules.feel('date and time("2026-07-01T08:00:00@Asia/Shanghai")')
    assert artefact.one({"t": here}).value("N") == model.decide("N", {"t": here}).value == rules.feel('@"PT8H"')
    there = rules.feel('date and time("2026-07-01T08:00:00@Europe/Berlin")')
    assert model.decide("N", {"t": there}).value is not None
    strange = artefact.one({"t": there})
    assert strange.value("N") is None, "the rules of this zone are not inside"
    assert "Europe/Berlin" in " ".join(map(str, strange.diagnostics("N")))
    assert artefact.to_bytes() == rules.open_artefact(artefact.to_bytes()).to_bytes()


def test_the_zones_inside_decide_and_not_those_of_the_machine(monkeypatch):
    model = rules.load(definitions(ZONED, inputs={"t": "dateTime"}))
    data = rules.compile(model, ["N"], {"t": "datetime"}).to_bytes()
    monkeypatch.setattr("puhui.engines.rules.values._machine_zone", lambda name: None)
    artefact = rules.open_artefact(data)
    assert artefact.model.zones is not None
    assert set(artefact.model.zones) == {"Asia/Shanghai"}
    told = artefact.one({"t": datetime(2026, 7, 1, tzinfo=UTC)}).value("N")
    assert told == rules.feel('@"PT8H"')


def test_a_zone_that_is_cut_or_spoilt_is_refused_and_not_read_for_ever():
    good = zones.named([b'"Asia/Shanghai"'], ())["Asia/Shanghai"]
    assert set(zones.opened({"Asia/Shanghai": good})) == {"Asia/Shanghai"}
    for bad in (good[:-1], good[:60] + b"\n", good.replace(b"\n", b"x", 1), b"", b"TZif2\n"):
        with pytest.raises(ValueError, match="zone"):
            zones.opened({"Asia/Shanghai": bad})
