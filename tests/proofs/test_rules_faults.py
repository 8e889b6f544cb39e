"""Planted faults are found, tables without one are left alone, and every change that is offered turns the decline."""

import random
from decimal import Decimal

import pytest
from rules_models import definitions, table

from puhui.engines import rules
from puhui.proofs import rules_flips, rules_lint


@pytest.mark.parametrize("number", range(42))
def test_a_planted_fault_is_found_and_nothing_else(number):
    draw = random.Random(number)
    kind = rules_lint.KINDS[number % 7]
    twin = rules_lint.drawn(draw, kind, draw.choice((5, 12, 40)))
    planted = rules_lint.plant(draw, twin, kind)
    assert twin.report().findings == []
    report = planted.report()
    assert report.is_complete
    assert rules_lint.is_found(planted, report)
    assert rules_lint.strangers(planted, report) == 0
    if kind != "slow":
        assert rules_lint.against_oracle(planted, report) in {None, (0, 0)}


def test_the_oracle_and_the_count_notice_what_a_linter_would_miss():
    draw = random.Random(1)
    planted = rules_lint.plant(draw, rules_lint.drawn(draw, "overlap", 12), "overlap")
    silent = rules.Report([])
    assert not rules_lint.is_found(planted, silent)
    assert rules_lint.against_oracle(planted, silent)[0] == 1
    made_up = rules.Report([rules.Finding("shadow", "D", (1,), {}, "")])
    assert rules_lint.strangers(planted, made_up) == 1


def test_what_a_column_does_not_allow_is_no_gap():
    xml = definitions(table("D", ["age"], [(["< 18"], ['"no"']), ([">= 18, null"], ['"yes"'])], allowed=["[0..120]"]), inputs={"age": "number"})
    artefact = rules.compile(rules.load(xml), ["D"], {"age": "number(3,0)"})
    assert [one.kind for one in rules.analyzed(artefact).findings] == []


def test_the_flips_of_declines_turn_them_and_are_the_smallest():
    told = rules_flips.run(25, 3)
    assert (told["failed"], told["barred"], told["minimal"]) == (0, 0, True)
    assert told["offered_share"] >= 0.6
    assert told["flips"] > 20


def test_a_missing_value_may_be_asked_for_where_only_null_is_tested():
    xml = definitions(table("D", ["income"], [(["null"], ['"decline"']), (["-"], ['"approve"'])], policy="FIRST"), inputs={"income": "number"})
    xml = xml.replace(b"<input>", b'<input xmlns:p="urn:puhui:dmn:1" p:changeable="true">')
    flips = rules.compile(rules.load(xml), ["D"], {"income": "number(9,0)"}).one({"income": None}).why("D").flips
    assert flips[0].changes == {"income": Decimal(0)}
    assert flips[0].value == "approve"
