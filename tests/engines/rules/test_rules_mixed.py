"""Cells of every form over columns of every type, right and wrong: the artefact, its twin form and its re-opened bytes against the interpreter."""

import random
from decimal import Decimal

import pytest
from rules_models import definitions, table

from puhui.engines import rules
from puhui.engines.rules import Date, DateTime, DaysDuration, Time

D = Decimal
S = 10**9
CELLS = [
    "-", "null", "not(null)", "5", "< 5", "[1..5]", "(1..5)", "> 2.55", "= 3", "!= 3", "not(3, 4)", '"a"', '"a","b"', 'not("a")', '< "b"', "true", "false",
    "not(true)", '@"2026-01-05"', '< @"2026-01-05"', '[@"2026-01-01"..@"2026-01-09")', "[1,2,3]", '["a","b"]', "(null..5]", "(< 3)", "[5..1]", "1e30", "-1e30",
    '@"PT5S"', '> @"PT3S"', '@"10:00:00"', '>= @"10:00:00"', '>= @"2026-01-01T10:00:00"', '@"2026-01-01T10:00:00Z"', "0.005", "? > 3", "x0 > 3", "{a: 1}",
    "bad(", "[null, 3]", '(>= 2),"a"', "!= null", "not(!= null)", "5 + 1", 'date("2026-01-03")', "(!= 4)", "(= 4)",
]  # fmt: skip
VALUES = {
    "number(6,2)": ("number", [None, 0, 5, D("2.55"), D("2.56"), 3, 4, 1, -1, 9999, D("0.01"), D("1.01"), D("4.99")]),
    "int64": ("number", [None, 0, 5, 3, 4, 1, -9, 10**18, -(2**62)]),
    "category": ("string", [None, "a", "b", "zz", ""]),
    "boolean": ("boolean", [None, True, False]),
    "date": ("date", [None, Date(2026, 1, 5), Date(2026, 1, 4), Date(2026, 1, 9), Date(2026, 1, 3)]),
    "time": ("time", [None, Time(36_000 * S), Time(35_999 * S), Time(0)]),
    "datetime": ("dateTime", [None, DateTime(Date(2026, 1, 1), Time(36_000 * S)), DateTime(Date(2026, 1, 1), Time(35_999 * S)), DateTime(Date(2025, 1, 1), Time(5, 0))]),
    "duration": ("dayTimeDuration", [None, DaysDuration(5 * S), DaysDuration(3 * S), DaysDuration(3 * S + 1)]),
}
POLICIES = ["UNIQUE", "ANY", "FIRST", "PRIORITY", "RULE ORDER", "OUTPUT ORDER", "COLLECT"]
LOW = '<itemDefinition name="tLow"><typeRef>number</typeRef><allowedValues><text>&lt; 5</text></allowedValues></itemDefinition>'
NEXT = """<decision id="T" name="T"><variable name="T"/><informationRequirement><requiredDecision href="#D"/></informationRequirement>
<literalExpression><text>D + 1 &gt; 2 or D = 0.5</text></literalExpression></decision>"""


def mixed(draw):
    """A random model and the types of its columns."""
    kinds = [draw.choice(list(VALUES)) for _ in range(draw.randint(1, 3))]
    names = [f"x{place}" for place in range(len(kinds))]
    types = {name: draw.choice([*[VALUES[kind][0]] * 4, "Any", "string", "number", "tLow"]) for name, kind in zip(names, kinds, strict=True)}
    policy = draw.choice(POLICIES)
    gather = draw.choice(["", "SUM", "MIN", "MAX", "COUNT"]) if policy == "COLLECT" else ""
    odd = {"? > 3", "x0 > 3", "{a: 1}", "bad("} if draw.random() < 0.7 else set()
    pool = [cell for cell in CELLS if draw.random() < 0.5 and cell not in odd] or ["-"]
    answers = ["1", "2", "-3", "0.5", '"s"', "null", "1/0"] if draw.random() < 0.1 else ["1", "2", "-3.50"]
    rows = [([draw.choice(pool) for _ in names], [draw.choice(answers)]) for _ in range(draw.randint(0, 5))]
    listed = [draw.choice(["1,2,-3.5", "2,1", None])] if draw.random() < 0.5 else None
    allowed = [draw.choice([None, None, "[0..6]", '"a","b"', "not(5)"]) for _ in names]
    default = draw.choice([None, None, "0", '"d"'])
    body = LOW + table("D", names, rows, ("o",), policy=policy, gather=gather, listed=listed, allowed=allowed, default=default) + NEXT
    return rules.load(definitions(body, inputs=types)), dict(zip(names, kinds, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_whatever_stands_in_a_cell_every_way_of_deciding_agrees(seed):
    draw = random.Random(seed)
    compiled = 0
    for _ in range(40):
        model, kinds = mixed(draw)
        artefact = rules.compile(model, ["D", "T"], kinds)
        compiled += "D" not in artefact.slow
        data = [{name: draw.choice(VALUES[kind][1]) for name, kind in kinds.items()} for _ in range(8)]
        columns = {name: [row[name] for row in data] for name in kinds}
        outcomes = [artefact.run(columns), artefact.with_form("numpy").run(columns), rules.open_artefact(artefact.to_bytes()).run(columns)]
        for place, row in enumerate(data):
            for name in ("D", "T"):
                told = model.decide(name, row)
                fired = list(next(step.fired for step in reversed(told.trace) if step.decision == name))
                values = [outcome.value(name, place) for outcome in outcomes] + [artefact.one(row).value(name)]
                assert all(value == told.value and type(value) is type(told.value) for value in values), (name, row, model.source)
                assert all(outcome.fired(name, place) == fired for outcome in outcomes), (name, row, model.source)
    assert compiled >= 20, "most tables must not be slow"


def test_a_context_of_the_caller_changes_nothing():
    """Every operation runs in our own context of 34 digits, whatever the caller's is."""
    from decimal import Inexact, localcontext

    wanted = rules.feel("1 / 3 + (-2 / 7) * 12345678901234567890123456789.5")
    with localcontext() as loose:
        loose.prec = 5
        loose.traps[Inexact] = True
        assert rules.feel("1 / 3 + (-2 / 7) * 12345678901234567890123456789.5") == wanted
        assert rules.feel('range("[-12345678901..3]").start') == Decimal(-12345678901)
        assert rules.feel("count(for x in 12345678901..12345678909 return x)") == 9
