from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from puhui.rooms.agreements.contract import Borrower, Contract, annex_for
from puhui.rooms.agreements.cost_table import Charge, CostOverCap, CostRules, FunderLine, LoanTerms, build_table
from puhui.rooms.agreements.document import canonical
from puhui.rooms.agreements.reading import Reading, ReadingState, ReadTooFast, TableNotOpen, TableReplaced, confirmed, opened, was_read
from puhui.vocabulary.ids import ApplicationId, LoanId, MandateId, PartnerId

RULES = CostRules(240_000, 10, (("cn.all-in-cap", "a" * 64), ("cn.annual-rate", "b" * 64), ("cn.cost-table", "c" * 64)))
TERMS = LoanTerms(LoanId("ln-1a3-1"), ApplicationId("ap-1a3-1"), 1_000_000, 180_000, "level_payment", 12, "cn-360", date(2026, 9, 1), "starter", "d" * 64)
FUNDERS = (FunderLine(PartnerId("lender"), "普惠消费金融", 300_000, 300_000), FunderLine(PartnerId("funder-07"), "模拟资金方07", 700_000, 700_000))
GUARANTEE = [
    Charge("guarantee", "模拟增信方1", "担保费", "按期收取", "每期 10 元", day, 1_000)
    for day in (date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1))
]


def table(terms=TERMS, charges=(), rules=RULES):
    return build_table(terms, lender="普惠消费金融", funders=FUNDERS, charges=charges, rules=rules)


def test_the_table_names_the_funders_and_every_cost_has_a_payee():
    made = table(charges=GUARANTEE)
    facts = made.facts()
    assert [one["partner_id"] for one in facts["funders"]] == ["lender", "funder-07"]
    assert [(item.code, item.payee, item.amount_fen) for item in made.items][1] == ("guarantee", "模拟增信方1", 3_000)
    assert facts["cost_fen"] == sum(item.amount_fen for item in made.items)
    assert facts["nothing_else"] is True
    assert made.in_default[0].rate_ppm == 270_000


def test_only_what_stands_in_the_table_may_be_charged():
    made = table(charges=GUARANTEE)
    assert [made.allows(code) for code in ("interest", "guarantee", "penalty", "stamp")] == [True, True, True, False]


def test_fees_raise_the_annual_cost_and_are_counted_in_the_cap():
    assert table(charges=GUARANTEE).all_in_ppm > table().all_in_ppm
    with pytest.raises(CostOverCap):
        table(rules=replace(RULES, all_in_cap_ppm=table(charges=GUARANTEE).all_in_ppm - 1), charges=GUARANTEE)
    assert table(rules=replace(RULES, all_in_cap_ppm=table(charges=GUARANTEE).all_in_ppm), charges=GUARANTEE)


def test_a_fee_taken_with_the_pay_out_lowers_what_the_borrower_gets():
    at_once = [Charge("stamp", "税务", "印花税", "放款时收取", "万分之零点五", TERMS.paid_out_on, 50)]
    made = table(charges=at_once)
    assert made.taken_at_once_fen == 50
    assert made.all_in_ppm > table().all_in_ppm
    assert made.total_fen - 1_000_000 == sum(item.amount_fen for item in made.items)


def test_the_same_facts_have_the_same_hash_and_one_changed_fen_another():
    assert table().sha256 == table().sha256
    assert table(replace(TERMS, principal_fen=1_000_000, rate_ppm=180_001)).sha256 != table().sha256


def test_a_document_holds_no_floats():
    with pytest.raises(TypeError):
        canonical({"rows": [{"rate": 0.18}]})


@settings(max_examples=40, deadline=None)
@example(50_000, 12_577, 3, "level_payment")  # 105 fen of interest: half a fen is much of it
@given(st.integers(50_000, 20_000_000), st.integers(10_000, 200_000), st.sampled_from([3, 6, 9, 12]), st.sampled_from(["level_payment", "level_principal"]))
def test_rows_pay_back_the_principal_and_nothing_is_left_unnamed(principal_fen, rate_ppm, months, method):
    terms = replace(TERMS, principal_fen=principal_fen, rate_ppm=rate_ppm, months=months, method=method)
    funders = (replace(FUNDERS[0], share_ppm=1_000_000, share_fen=principal_fen),)
    made = build_table(terms, lender="普惠消费金融", funders=funders, charges=(), rules=RULES)
    assert sum(row.principal_fen for row in made.rows) == principal_fen
    half_a_fen_a_row_ppm = months * 500_000 * 24 // (principal_fen * (months + 1))  # what rounding can take, over the mean life of the principal
    assert made.all_in_ppm >= made.simple_ppm >= rate_ppm - 100 - half_a_fen_a_row_ppm


def test_the_contract_names_funders_table_and_mandate_and_says_it_plainly():
    made = table()
    borrower = Borrower("王小明", "0018", "acct-7", "0000", "0017")
    contract = Contract(made, borrower, annex_for(made, MandateId("md-1a3-1"), "acct-7"), 1, 3, lender_may_step_in=True)
    facts = contract.facts()
    assert facts["cost_table_sha256"] == made.sha256
    assert made.sha256 in facts["text_zh"]
    assert made.sha256 in facts["text_en"]
    assert "模拟资金方07" in facts["summary_zh"]
    assert "10,000.00" in facts["summary_zh"]
    assert facts["mandate"]["until"] == "2028-02-28"
    assert facts["mandate"]["max_each_fen"] == made.largest_installment_fen
    assert "补足" in facts["text_zh"]
    assert "补足" not in replace(contract, lender_may_step_in=False).facts()["text_zh"]
    assert replace(contract, number=2).sha256 != contract.sha256


START = datetime(2026, 9, 1, 1, tzinfo=UTC)
SHOWN = Reading(ReadingState.SHOWN, 10, START)


@pytest.mark.parametrize(("seconds", "passes"), [(0, False), (9, False), (9.999, False), (10, True), (3600, True)])
def test_the_table_is_read_by_our_clock(seconds, passes):
    reading = opened(SHOWN, START)
    at = START + timedelta(seconds=seconds)
    if passes:
        assert was_read(confirmed(reading, at))
    else:
        with pytest.raises(ReadTooFast):
            confirmed(reading, at)


def test_opening_again_does_not_start_the_clock_anew():
    reading = opened(opened(SHOWN, START), START + timedelta(seconds=8))
    assert confirmed(reading, START + timedelta(seconds=10)).state is ReadingState.CONFIRMED


def test_nobody_confirms_a_table_that_was_not_opened_or_no_longer_holds():
    with pytest.raises(TableNotOpen):
        confirmed(SHOWN, START + timedelta(hours=1))
    with pytest.raises(TableReplaced):
        confirmed(replace(SHOWN, state=ReadingState.ABANDONED), START + timedelta(hours=1))


def test_what_is_left_to_read_is_told_in_whole_seconds():
    with pytest.raises(ReadTooFast) as refused:
        confirmed(opened(SHOWN, START), START + timedelta(seconds=3.5))
    assert refused.value.facts["left_s"] == 7
