"""The kernel is its slow twin to the last bit; what was not known changes no bit; every planted wrong kernel is caught."""

import math
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from puhui.engines import variables
from puhui.engines.variables import kernels, refusals, twin
from puhui.engines.variables.missing import Missing
from puhui.proofs import variables as proof

DAY = 86_400_000_000
A = 20_000 * DAY
LENDING = variables.lending()
TABLE = variables.Table("t", zh="表", en="rows", source="us", purpose="p", money=("x",), category={"kind": ("a", "b")})
SMALL = variables.Catalogue(variables.over(TABLE).windows("7d").count())


def history(*rows):
    """Read rows of (event_id, days before A, x, kind)."""
    ids, days, xs, kinds = zip(*rows, strict=True) if rows else ((), (), (), ())
    times = [A - int(day * DAY) for day in days]
    return variables.History.read(SMALL, {"t": {"event_id": ids, "event_time": times, "known_time": times, "x": xs, "kind": kinds}})


def value(person, name):
    return SMALL.plan([name]).one(person, A)[0]


def test_a_person_answers_by_hand():
    person = history((1, 10, 100, "a"), (2, 5, 300, "a"), (3, 2, 200, "b"), (4, 1, None, "b"))
    expected = {
        "t.count.7d": 3, "t.x.sum.7d": 500, "t.x.mean.7d": 250, "t.x.max.ever": 300, "t.x.first.ever": 100, "t.x.last.ever": 200, "t.x.range.ever": 200,
        "t.x.std.7d": math.sqrt(10_000 / 2), "t.x.trend.7d": -100 / 3, "t.x.sum.7d/ever": 500 / 600, "t.x.sum.ever[kind=a]/all": 400 / 600,
        "t.gap.max.ever": 5, "t.distinct.kind.ever": 2, "t.recency": 1, "t.tenure[kind=a]": 10, "t.count.last2[kind=a|b]": 2, "t.count.49h": 2,
    }  # fmt: skip
    assert {name: value(person, name) for name in expected} == pytest.approx(expected)


def test_why_a_value_is_missing():
    person = history((1, 10, 100, "a"), (2, 5, None, None))
    nobody = variables.History.read(SMALL, {})
    for one, name, why in (
        (nobody, "t.count.7d", Missing.NO_TABLE), (person, "t.count.1d", None), (person, "t.x.mean.1d", Missing.NO_EVENT), (person, "t.x.sum.1d", None),
        (person, "t.x.sum.7d", Missing.NULL_FIELD), (person, "t.distinct.kind.7d", Missing.NULL_FIELD), (person, "t.x.std.ever", Missing.UNDEFINED),
        (person, "t.count.1d/2d", Missing.NO_EVENT), (person, "t.x.sum.1d[kind=b]/all", Missing.NO_EVENT), (person, "t.gap.mean.7d", Missing.UNDEFINED),
    ):  # fmt: skip
        plan = SMALL.plan([name])
        assert plan.why(one, A, name) is why, name
        assert math.isnan(plan.one(one, A)[0]) == (why is not None)


def test_the_kernel_is_its_twin_to_the_last_bit():
    told = proof.compare(60_000, seed=11)
    assert (told.differing, told.example) == (0, "")


def test_every_way_to_the_answer_gives_the_same_bits():
    rng = np.random.default_rng(4)
    plan = LENDING.plan(proof.random_names(rng, LENDING, 800))
    cases = [proof.nasty_history(rng, LENDING) for _ in range(12)]
    assert all(proof.is_same_everywhere(plan, *case) for case in cases)
    alone = [plan.one(*case).tobytes() for case in cases]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda case: plan.one(*case).tobytes(), cases * 4)) == alone * 4


def test_rows_may_come_in_any_order_and_any_number_of_times():
    rng, shuffle = np.random.default_rng(8), random.Random(8)
    table = LENDING.table("repayment")
    plan = LENDING.plan(name for name in proof.random_names(rng, LENDING, 1500) if name.startswith("repayment"))
    for _ in range(10):
        columns = proof.nasty_columns(rng, table, A, 30)
        order = [*range(len(columns["event_id"])), *range(0, len(columns["event_id"]), 3)]
        shuffle.shuffle(order)
        turned = {name: [column[place] for place in order] for name, column in columns.items()}
        one, other = (variables.History.read(LENDING, {"repayment": some}) for some in (columns, turned))
        assert plan.one(one, A).tobytes() == plan.one(other, A).tobytes()


def test_the_future_changes_no_bit_and_the_same_rows_made_visible_do():
    rng = np.random.default_rng(21)
    plan = LENDING.plan(proof.random_names(rng, LENDING, 800))
    changed = cases = 0
    for _ in range(30):
        person, as_of = proof.nasty_history(rng, LENDING)
        if as_of + DAY >= (1 << 32) * 1_000_000 or person.tables["app"] is None:
            continue
        table = LENDING.table("app")
        columns = proof.nasty_columns(rng, table, as_of - 1, 30)
        columns["event_id"] = [event + 10_000 for event in columns["event_id"]]
        columns["revision"] = list(range(len(columns["event_id"])))
        late = {**columns, "known_time": [as_of + 1 + int(rng.integers(0, 3)) for _ in columns["known_time"]]}
        seen = {**columns, "known_time": [as_of - 5] * len(columns["known_time"])}
        before = plan.one(person, as_of)
        assert plan.one(person.append("app", late), as_of).tobytes() == before.tobytes()
        asked = variables.Fetch(as_of + 1, "consent-9", as_of + 5)
        assert plan.one(person.append("txn", {}, fetches=[asked]) if person.tables["txn"] else person, as_of).tobytes() == before.tobytes()
        changed += plan.one(person.append("app", seen), as_of).tobytes() != before.tobytes()
        cases += 1
    assert changed >= cases / 2


def test_a_table_is_there_only_once_asked_and_while_its_consent_lives():
    rows = {"event_id": [1], "event_time": [A - 5], "known_time": [A - 4], "age_days": [3], "distance_km": [None], "os": ["ios"], "change": [None],
            "network": [""], "device": ["d"], "city": [None], "address": [None]}  # fmt: skip
    plan = LENDING.plan(["device.count.7d"])
    for fetches, instants in (
        ([variables.Fetch(A, "c")], {A - 1: None, A: 1.0, A + 9: 1.0}),
        ([variables.Fetch(A, "c", A + 5)], {A + 4: 1.0, A + 5: None}),
        ([variables.Fetch(A, "c", A + 5), variables.Fetch(A + 1, "c", A + 9)], {A + 4: 1.0, A + 6: None}),
        ([variables.Fetch(A, "c", A + 5), variables.Fetch(A + 7, "d")], {A + 6: None, A + 7: 1.0}),
        ([], {A: None}),
    ):
        person = variables.History.read(LENDING, {"device": rows}, fetches={"device": fetches})
        for as_of, expected in instants.items():
            answer = plan.one(person, as_of)[0]
            assert (None if math.isnan(answer) else answer) == expected


def test_every_planted_wrong_kernel_is_caught():
    caught = proof.caught_mutants(seed=1, histories=40, names=300)
    assert caught.pop("nothing is wrong") is False
    assert len(caught) >= 10
    assert all(caught.values()), [what for what, is_caught in caught.items() if not is_caught]


def test_whole_numbers_of_any_size_are_rounded_once():
    assert proof.rounds_right(kernels, np.random.default_rng(3), 3000)
    assert twin.is_nearest((1 << 53) + 1, float((1 << 53) + 1))


def test_a_plan_travels_and_keeps_to_its_tables():
    plan = LENDING.plan(["txn.count.33d", "bureau.recency"])
    again = variables.Plan.from_bytes(LENDING, plan.to_bytes())
    assert (again.names, again.sha256) == (plan.names, plan.sha256)
    with pytest.raises(refusals.OtherCatalogue):
        variables.Plan.from_bytes(SMALL, plan.to_bytes())
    with pytest.raises(refusals.DamagedBlob):
        variables.Plan.from_bytes(LENDING, plan.to_bytes()[:-1])
    with pytest.raises(refusals.OtherCatalogue):
        plan.one(history(), A)
    for as_of, wrong in ((-1, refusals.TimeOutOfRange), (1.5, refusals.NotWhole), (True, refusals.NotWhole)):
        with pytest.raises(wrong):
            plan.one(variables.History.read(LENDING, {}), as_of)


def test_written_into_float32_each_value_is_rounded_once():
    person = history((1, 3, 1_234_567_891, "a"), (2, 1, 7, "b"))
    plan = SMALL.plan(["t.x.sum.7d", "t.x.std.7d"])
    out = np.empty(2, np.float32)
    assert plan.one(person, A, out).tolist() == plan.one(person, A).astype(np.float32).tolist()
