"""Worked cases, reckoned beside the engine, come out exactly."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from puhui.engines import schedules as s
from puhui.engines.schedules.twin import planned

METHODS = {
    "level_installment": s.Method.LEVEL_PAYMENT,
    "level_principal": s.Method.LEVEL_PRINCIPAL,
    "interest_only": s.Method.INTEREST_FIRST,
    "bullet": s.Method.BULLET,
    "flat": s.Method.FLAT,
}


CASES = json.loads(Path(__file__).with_name("worked_cases.json").read_text("utf-8"))
"""10,000 yuan at 12 % a year over 12 whole months, by each of our methods."""


def fen(text: str) -> int:
    return int(Decimal(text) * 100)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_worked_case_comes_out_exactly(case):
    """Over whole unbroken months the case's 30/360 and the preset's own day count are the same twelfth of a year."""
    given, counting = case["terms"], s.convention(case["convention"]["preset"])
    rate_ppm = int(Decimal(given["annual_rate_percent"]) * 10_000)
    terms = s.Terms(fen(given["principal"]), rate_ppm, given["installments"], METHODS[given["method"]])
    start = date.fromisoformat(given["start"])

    rows = s.plan(counting, terms, start)
    shown = [(row.due.isoformat(), row.principal_fen, row.interest_fen, row.balance_fen) for row in rows]
    assert shown == [(row["due"], fen(row["principal"]), fen(row["interest"]), fen(row["balance"])) for row in case["expected"]]
    assert sum(row.interest_fen for row in rows) == fen(case["expected_total_interest"])
    assert planned(counting, terms, start) == [(row.due, row.principal_fen, row.interest_fen) for row in rows]
