"""The rule packs: dated, sourced, labelled, stacked, and right by their own examples."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.engines import law

LAWS = law.shipped()
DAY = date(2026, 9, 1)

SECTIONS = frozenset("""
    cn.cost-table cn.annual-rate cn.all-in-cap cn.consumer-finance-company cn.internet-loan cn.joint-loan cn.facilitation
    cn.personal-information cn.credit-register cn.asset-class cn.collection cn.anti-money-laundering cn.penalty cn.day-count
    cn.data-levels cn.e-sign cn.disclosure cn.consumer-protection lender.cooling-off lender.marketing lender.reminders
    cn.generated-content cn.students cn.algorithm us.ecoa us.fcra us.tila us.reg-f eu.gdpr-22 eu.ccd2 eu.ai-act in.digital-lending
""".split())  # noqa: SIM905


def test_every_section_of_the_rules_has_its_pack():
    assert {pack.id for pack in LAWS.packs} >= SECTIONS


@pytest.mark.parametrize("pack", LAWS.packs, ids=lambda pack: pack.id)
def test_a_packs_own_examples_hold(pack):
    assert law.check_examples(LAWS, pack) >= 1


@pytest.mark.parametrize("pack", LAWS.packs, ids=lambda pack: pack.id)
def test_every_pack_was_reviewed_within_twelve_months(pack):
    """This test is meant to fail one day: then somebody must read the law again, and write the new day into the pack."""
    assert not pack.is_stale(datetime.now(UTC).date()), f"{pack.id} was reviewed {pack.reviewed}; read its sources again"


def test_a_review_is_stale_after_twelve_months_and_not_a_day_before():
    pack = LAWS.packs[0]
    assert not pack.is_stale(date(2027, 9, 1))
    assert pack.is_stale(date(2027, 9, 2))


def test_every_parameter_names_its_unit_and_says_how_sure_it_is():
    values = [value for pack in LAWS.packs for version in pack.versions for value in version.values.values()]
    assert len(values) > 100
    assert {value.label for value in values} == {law.Label.SOLID, law.Label.VERIFY}
    assert all(value.label is law.Label.VERIFY for value in LAWS.to_verify(DAY))


# --- days ---------------------------------------------------------------------------------------------------------------------------------


def test_the_cost_table_is_wanted_from_the_first_of_august():
    assert LAWS.find(law.CostTableRules, on=date(2026, 7, 31)) is None
    rules = LAWS.ask(law.CostTableRules, on=date(2026, 8, 1))
    assert not rules.is_read(timedelta(seconds=10) - timedelta(microseconds=1))
    assert rules.is_read(timedelta(seconds=10))


def test_an_old_loan_keeps_the_pack_of_its_day():
    assert LAWS.ask(law.CapRules, on=date(2025, 9, 30)).watch_ppm is None
    assert LAWS.ask(law.CapRules, on=date(2025, 10, 1)).watch_ppm == 120_000


def test_a_topic_without_a_rule_on_that_day_is_refused_with_its_name():
    with pytest.raises(law.NoRule) as refusal:
        LAWS.ask(law.ClassRules, on=date(2023, 6, 30))
    assert "asset-class" in refusal.value.text
    assert "2023-06-30" in refusal.value.text


def test_the_rules_of_another_country_are_asked_by_the_same_door():
    assert LAWS.ask(law.ContactRules, on=DAY, jurisdiction="us").quiet_from == time(21)
    assert LAWS.ask(law.CreditRecordRules, on=DAY, jurisdiction="us").answer.due(DAY) == date(2026, 10, 1)


# --- what the rules answer ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "quiet"),
    [(time(21, 59, 59, 999999), False), (time(22), True), (time(0), True), (time(7, 59, 59, 999999), True), (time(8), False), (time(12), False)],
)
def test_quiet_hours_begin_and_end_to_the_second(at, quiet):
    assert LAWS.ask(law.ContactRules, on=DAY).is_quiet(at) is quiet


def test_two_texts_that_count_differently_are_both_counted():
    rules = LAWS.ask(law.ContactRules, on=DAY)
    assert (rules.connected_calls_per_day_max, rules.unanswered_attempts_per_day_max) == (3, 6)
    assert {ref.pack for ref in rules.refs} == {"cn.collection", "self.cba-collection"}


@given(st.integers(0, 2000))
def test_a_later_loan_is_never_in_a_better_class(days_late):
    rules = LAWS.ask(law.ClassRules, on=DAY)
    order = ["normal", "special_mention", "substandard", "doubtful", "loss"]
    assert order.index(rules.class_of(days_late)) <= order.index(rules.class_of(days_late + 1))


@given(st.integers(0, 2_000_000))
def test_late_interest_is_never_over_what_is_allowed(rate_ppm):
    rules = LAWS.ask(law.PenaltyRules, on=DAY)
    assert rate_ppm <= rules.penalty_ppm(rate_ppm) <= rules.penalty_max_ppm(rate_ppm)


@given(st.integers(0, 30_000_000), st.integers(0, 30_000_000), st.integers(1, 30_000_000))
def test_no_sum_of_products_gets_past_the_cap_of_a_person(owed, held, wanted):
    rules = LAWS.ask(law.LenderRules, on=DAY)
    if rules.is_within_cap(owed_fen=owed, held_fen=held, wanted_fen=wanted):
        assert owed + held + wanted <= 20_000_000


# --- layers, versions, bad files ----------------------------------------------------------------------------------------------------------

CAP = """
id = "lender.cap"
topic = "all-in-cap"
jurisdiction = "lender:ours"
within = "cn"
title = "Our own cap"
issued = 2026-01-01
reviewed = 2026-09-01
counts_by = "signing"
label = "verify"
sources = ["own policy"]
[[version]]
since = 2026-01-01
[version.parameters]
hard_cap_ppm = {{ value = {value}, unit = "ppm", label = "verify" }}
[[example]]
given = {{ signed_on = 2026-09-01, all_in_ppm = 180001 }}
expect = {{ verdict = "{verdict}" }}
"""


def _folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "ours.toml").write_text(text, "utf-8")
    return tmp_path


def test_a_lenders_own_policy_may_be_stricter(tmp_path):
    laws = law.load(_folder(tmp_path, CAP.format(value=180_000, verdict="barred")))
    rules = laws.ask(law.CapRules, on=DAY)
    assert rules.hard_cap_ppm == 180_000
    assert [ref.pack for ref in rules.refs] == ["cn.all-in-cap", "lender.cap"]
    assert [value.value for value in laws.rules_for("cn", "all-in-cap", on=DAY).values("hard_cap_ppm")] == [240_000, 180_000]
    assert law.check_examples(laws, next(pack for pack in laws.packs if pack.id == "lender.cap")) == 1


def test_a_lenders_own_policy_may_not_be_laxer(tmp_path):
    with pytest.raises(law.NotStricter) as refusal:
        law.load(_folder(tmp_path, CAP.format(value=240_001, verdict="barred")))
    assert "lender.cap" in refusal.value.text
    assert "hard_cap_ppm" in refusal.value.text


def test_a_pack_whose_own_example_fails_cannot_be_published(tmp_path):
    laws = law.load(_folder(tmp_path, CAP.format(value=180_000, verdict="watched")))
    with pytest.raises(law.ExampleFails):
        law.check_examples(laws, next(pack for pack in laws.packs if pack.id == "lender.cap"))


@pytest.mark.parametrize("direction", list(law.Stricter))
@given(st.data())
def test_stricter_is_an_order(direction, data):
    """Every direction: a value is as strict as itself, and being stricter passes on."""
    values = st.integers(0, 9) if direction in {law.Stricter.LOWER, law.Stricter.HIGHER} else st.frozensets(st.sampled_from("abc"))
    one, two, three = data.draw(values), data.draw(values), data.draw(values)
    assert direction.holds(one, one)
    if direction.holds(one, two) and direction.holds(two, three):
        assert direction.holds(one, three)


def test_a_version_is_named_by_what_it_says_and_not_by_when_it_was_reviewed(tmp_path):
    folder = _folder(tmp_path, CAP.format(value=180_000, verdict="barred"))
    before = law.read_pack(folder / "ours.toml").versions[0].ref.sha256
    (folder / "ours.toml").write_text((folder / "ours.toml").read_text("utf-8").replace("reviewed = 2026-09-01", "reviewed = 2026-10-01"))
    assert law.read_pack(folder / "ours.toml").versions[0].ref.sha256 == before
    (folder / "ours.toml").write_text((folder / "ours.toml").read_text("utf-8").replace("180000", "180001"))
    assert law.read_pack(folder / "ours.toml").versions[0].ref.sha256 != before


def test_a_pack_that_two_people_have_not_approved_stops_the_start():
    approved = {ref.sha256 for ref in LAWS.refs()}
    LAWS.demand_approved(approved)
    with pytest.raises(law.PackNotApproved) as refusal:
        LAWS.demand_approved(approved - {LAWS.rules_for("cn", "penalty", on=DAY).refs[0].sha256})
    assert "cn.penalty" in refusal.value.text


@pytest.mark.parametrize(
    ("find", "put", "says"),
    [
        ('unit = "ppm"', 'unit = "furlong"', "furlong"),
        ("value = 180000", "value = -1", "whole number"),
        ("value = 180000", "value = 0.24", "whole number"),
        ('label = "verify" }', 'label = "sure" }', "sure"),
        ('sources = ["own policy"]', "sources = []", "sources"),
        ('within = "cn"', "", "country"),
        ('counts_by = "signing"', 'counts_by = "moon"', "counts_by"),
        ("since = 2026-01-01", "since = 2026-01-01\nuntil = 2026-01-01", "must end after"),
        ('topic = "all-in-cap"', "", "topic"),
        ('id = "lender.cap"', 'id = "lender.cap"\nformula = "1+1"', "formula"),
        ("[[version]]", "[[version", "Expected"),
        ('id = "lender.cap"', 'id = "cn.all-in-cap"', "already"),
    ],
)
def test_a_bad_pack_is_refused_with_what_is_wrong(tmp_path, find, put, says):
    text = CAP.format(value=180_000, verdict="barred").replace(find, put, 1)
    with pytest.raises(law.PackUnreadable) as refusal:
        law.load(_folder(tmp_path, text))
    assert says in refusal.value.text
