"""Every application ends by itself, within the law, with reasons that are true."""

import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puhui.engines import schedules
from puhui.rooms.decisions.deciding import decide
from puhui.rooms.decisions.facts import Facts, Inputs, read_inputs
from puhui.rooms.decisions.known import Missing
from puhui.rooms.decisions.outcome import Answer
from puhui.rooms.decisions.policy import CONDITIONS, EXAMPLE_BOUNDS, ORDINARY, PolicyExampleFails, open_policy, publish, shipped_policy
from puhui.rooms.decisions.price import all_in_max_ppm, rate_within_cap
from puhui.rooms.decisions.vector import names
from puhui.vocabulary.reasons import SENTENCES

SETTLED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def inputs(values=None, bounds=EXAMPLE_BOUNDS, **facts) -> Inputs:
    ordinary = dict.fromkeys(names(), Missing.NO_EVENT) | {"application.income": 600_000, "application.debt_service": 0}
    return Inputs(replace(ORDINARY, **facts), bounds, ordinary | (values or {}))


def safe(artefacts) -> dict[str, int]:
    """Values that stand in the best bin of every characteristic."""
    found = {}
    for item in artefacts.card.characteristics:
        place = max(range(len(item.points)), key=lambda i, item=item: item.points[i])
        found[item.name] = item.edges[place] if place < len(item.edges) else item.edges[-1] + 1
    return found | {"application.income": 600_000, "application.debt_service": 0, "bureau.overdue.sum": 0, "bureau.worst.24m": 0}


def risky(artefacts) -> dict[str, int]:
    found = {}
    for item in artefacts.card.characteristics:
        place = min(range(len(item.points)), key=lambda i, item=item: item.points[i])
        found[item.name] = item.edges[place] if place < len(item.edges) else item.edges[-1] + 1
    return found | {"application.income": 600_000, "application.debt_service": 0, "bureau.overdue.sum": 0, "bureau.worst.24m": 0,
                    "bureau.count.90d[kind=inquiry&reason=loan_application]": 0}  # fmt: skip


def test_the_first_policy_has_at_least_twelve_rules_and_its_own_examples_hold() -> None:
    policy = open_policy(shipped_policy())
    assert len(policy.rules) >= 12
    assert {rule.condition for rule in policy.rules} == set(CONDITIONS)
    assert all(rule.code in SENTENCES for rule in policy.rules)


def test_a_policy_whose_example_fails_cannot_be_published() -> None:
    text = b'id = "x"\nversion = 1\n[[rule]]\ncode = "minor"\ncondition = "is_minor"\neffect = "decline"\nexample = [{ given = { age = 30 }, fires = true }]\n'
    with pytest.raises(PolicyExampleFails):
        publish(text)


def test_a_safe_person_gets_a_range_a_method_within_the_cap(artefacts) -> None:
    outcome = decide(inputs(safe(artefacts)), artefacts)
    assert outcome.answer is Answer.OFFER
    assert {offer.method for offer in outcome.offers} == {"level_payment", "level_principal"}
    for offer in outcome.offers:
        assert offer.amount_min_fen == 50_000
        assert offer.amount_max_fen >= 300_000
        assert offer.all_in_max_ppm <= 240_000
    assert outcome.reasons == ()


@pytest.mark.parametrize(("changed", "code"), [
    ({"age": 17}, "minor"), ({"work": "student"}, "student"), ({"purpose": "car"}, "purpose-barred"), ({"id_expires": date(2026, 8, 1)}, "id-expired"),
    ({"screening_similarity_ppm": 990_000}, "screening-hit"), ({"is_blocked": True}, "account-blocked"), ({"device_persons_30d": 12}, "device-busy"),
    ({"days_late_with_us": 3}, "late-with-us"), ({"owed_fen": 19_990_000}, "exposure-full"), ({"is_verified": False}, "identity-not-verified"),
])  # fmt: skip
def test_each_rule_declines_with_a_reason_that_flips_it_alone(artefacts, changed, code) -> None:
    outcome = decide(inputs(safe(artefacts), **changed), artefacts)
    assert outcome.answer is Answer.DECLINED
    assert [reason.code for reason in outcome.reasons] == [code]
    assert outcome.reasons[0].flips_alone
    assert outcome.reasons[0].sentence("zh")
    assert outcome.reasons[0].sentence("en")


def test_unknown_income_asks_for_proof_and_proof_is_heard(artefacts) -> None:
    unknown = safe(artefacts) | {"application.income": Missing.NO_RECORD}
    asked = decide(inputs(unknown), artefacts)
    assert (asked.answer, asked.wanted) == (Answer.PROOF, ("income",))
    assert [reason.code for reason in asked.reasons] == ["income-unknown"]
    assert decide(inputs(unknown, proven_income_fen=600_000), artefacts).answer is Answer.OFFER


def test_a_low_income_is_told_with_the_income_seen(artefacts) -> None:
    outcome = decide(inputs(safe(artefacts) | {"application.income": 80_000}), artefacts)
    assert [reason.code for reason in outcome.reasons] == ["income-low"]
    assert "800" in outcome.reasons[0].sentence("zh")


def test_a_white_person_starts_on_the_ladder_and_climbs_it(artefacts) -> None:
    white = safe(artefacts) | {name: Missing.NO_RECORD for name in names() if name.startswith("bureau.")}
    first = decide(inputs(white, is_white=True, amount_fen=1_000_000), artefacts)
    assert first.ladder == "white"
    assert 50_000 <= first.limit_fen <= 300_000
    grown = decide(inputs(white, is_white=True, amount_fen=1_000_000, loans_settled=1, months_clean=3), artefacts)
    assert grown.ladder == "starter"
    assert first.limit_fen < grown.limit_fen <= 500_000


def test_an_order_of_a_shop_is_paid_whole_or_not_at_all(artefacts) -> None:
    whole = decide(inputs(safe(artefacts), is_purchase=True, amount_fen=239_900, months=9), artefacts)
    assert {(offer.amount_min_fen, offer.amount_max_fen, offer.months) for offer in whole.offers} == {(239_900, 239_900, (9,))}
    dear = decide(inputs(safe(artefacts) | {"application.income": 150_000}, is_purchase=True, amount_fen=1_239_900, months=9), artefacts)
    assert [(reason.code, reason.flips_alone) for reason in dear.reasons] == [("purchase-too-dear", True)]


def test_a_risky_person_is_declined_for_what_weighs_most_or_told_that_nothing_small_would_help(artefacts) -> None:
    outcome = decide(inputs(risky(artefacts)), artefacts)
    assert outcome.answer is Answer.DECLINED
    assert outcome.band == "H"
    assert 1 <= len(outcome.reasons) <= 4
    assert outcome.no_flip or not outcome.reasons[0].flips_alone or len(outcome.reasons) == 1


def drawn_inputs(artefacts):
    """Any applicant at all: values at the edges of the card's bins or missing, facts anywhere near the policy's bounds."""
    names_of_card = [item.name for item in artefacts.card.characteristics]
    value = st.one_of(st.sampled_from([*Missing]), st.integers(0, 5), st.integers(0, 10**7))
    facts = st.fixed_dictionaries({
        "age": st.integers(16, 70), "amount_fen": st.integers(5, 2_000).map(lambda n: n * 10_000), "months": st.sampled_from([3, 6, 9, 12]),
        "owed_fen": st.integers(0, 20_000_000), "held_fen": st.integers(0, 2_000_000), "is_white": st.booleans(), "loans_settled": st.integers(0, 4),
        "months_clean": st.integers(0, 20), "device_persons_30d": st.integers(1, 8), "proven_income_fen": st.one_of(st.none(), st.integers(0, 2_000_000)),
    })  # fmt: skip
    return st.tuples(st.dictionaries(st.sampled_from(names_of_card), value), value, facts)


@SETTLED
@given(data=st.data())
def test_no_offer_breaks_the_law_and_every_decline_has_a_true_reason(artefacts, data) -> None:
    base = data.draw(st.sampled_from([safe(artefacts), risky(artefacts)]))
    values, income, facts = data.draw(drawn_inputs(artefacts))
    given_inputs = inputs(base | values | {"application.income": income}, **facts)
    outcome = decide(given_inputs, artefacts)
    assert decide(read_inputs(given_inputs.to_bytes()), artefacts).to_bytes() == outcome.to_bytes()
    for offer in outcome.offers:
        assert offer.all_in_max_ppm <= given_inputs.bounds.hard_cap_ppm
        assert offer.amount_max_fen + facts["owed_fen"] + facts["held_fen"] <= given_inputs.bounds.per_person_cap_fen
        assert offer.amount_max_fen % offer.step_fen == 0
        assert offer.amount_min_fen <= offer.amount_max_fen
    if outcome.answer is Answer.DECLINED:
        assert 1 <= len(outcome.reasons) <= 4
        assert outcome.offers == ()


@SETTLED
@given(
    amount=st.integers(5, 2_000).map(lambda n: n * 10_000), months=st.sampled_from([3, 6, 9, 12]), method=st.sampled_from(["level_payment", "level_principal"]),
    day=st.dates(date(2026, 1, 1), date(2029, 1, 1)), rate=st.sampled_from([90_000, 126_000, 162_000, 198_000]),
)  # fmt: skip
def test_no_point_of_an_offer_costs_more_than_it_says(artefacts, amount, months, method, day, rate) -> None:
    product = artefacts.product
    terms = schedules.Terms(amount, rate, months, schedules.Method(method))
    rows = schedules.plan(schedules.convention(product.convention), terms, day)
    assert schedules.all_in_ppm(amount, day, [(row.due, row.total_fen) for row in rows]) <= all_in_max_ppm(product, rate)


def test_a_lower_cap_lowers_the_rate(artefacts) -> None:
    band = artefacts.product.bands[6]
    rate = rate_within_cap(artefacts.product, band, 150_000)
    assert rate < band.rate_ppm
    assert all_in_max_ppm(artefacts.product, rate) <= 150_000


def test_a_fresh_process_decides_the_same_to_the_byte(artefacts, bundle, tmp_path) -> None:
    """Replay needs the stored inputs and the artefacts' bytes, and nothing else."""
    case = inputs(risky(artefacts), age=17, is_white=True)
    for name, content in {"i": case.to_bytes(), "c": bundle.scorecard, "p": bundle.policy, "t": bundle.product, "r": bundle.rules}.items():
        (tmp_path / name).write_bytes(content)
    script = (
        "import sys, pathlib; from puhui.rooms.decisions.deciding import decide; from puhui.rooms.decisions.opening import open_artefacts; from puhui.rooms.decisions.facts import read_inputs;"
        "at = pathlib.Path(sys.argv[1]); r = lambda n: (at / n).read_bytes();"
        "sys.stdout.buffer.write(decide(read_inputs(r('i')), open_artefacts(r('c'), r('p'), r('t'), r('r'))).to_bytes())"
    )
    again = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=True)
    assert again.stdout == decide(case, artefacts).to_bytes()


def test_entry_scene_and_device_do_not_stand_among_the_facts() -> None:
    """The same person through any entry gets the same decision: nothing that names the entry can be read."""
    assert not {name for name in Facts.__dataclass_fields__ if "entry" in name or "scene" in name or "channel" in name}
