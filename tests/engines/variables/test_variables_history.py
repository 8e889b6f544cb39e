"""Histories at the door: hostile columns are refused with their codes, equal histories are equal bytes, damaged bytes are no history."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from puhui.engines import variables
from puhui.engines.variables import refusals
from puhui.proofs.variables import nasty_history

DAY = 86_400_000_000
T = 20_000 * DAY
OWN = variables.Table("own", zh="自", en="own rows", source="us", purpose="p", money=("x",), category={"kind": ("a", "b")}, entity=("who",))
ASKED = variables.Table("asked", zh="问", en="asked rows", source="them", purpose="p", consent="report", money=("y",))
CATALOGUE = variables.Catalogue(variables.over(OWN).windows("7d").count(), variables.over(ASKED).windows("7d").count())


def own(**columns):
    given = {"event_id": [1, 2], "event_time": [T, T + 1], "known_time": [T, T + 1], "x": [5, None], "kind": ["a", ""], "who": ["p", None]}
    return {**given, **columns}


@pytest.mark.parametrize(("columns", "code"), [
    (own(x=[1.0, 2.0]), "not-whole"),
    (own(x=[1, float("nan")]), "not-whole"),
    (own(x=np.array([1.0, 2.0])), "not-whole"),
    (own(x=[True, False]), "not-whole"),
    (own(x=["1", "2"]), "not-whole"),
    (own(x=pa.array([1.5, None])), "not-whole"),
    (own(x=[1 << 40, 0]), "number-out-of-range"),
    (own(x=[-(1 << 40), 0]), "number-out-of-range"),
    (own(x=[1 << 70, 0]), "number-out-of-range"),
    (own(x=np.array([1 << 63, 0], np.uint64)), "number-out-of-range"),
    (own(event_id=[-1, 2]), "number-out-of-range"),
    (own(event_id=[None, 2]), "not-whole"),
    (own(known_time=[T, None]), "not-whole"),
    (own(event_time=[-1, T]), "time-out-of-range"),
    (own(event_time=[T, (1 << 32) * 1_000_000]), "time-out-of-range"),
    (own(event_time=[datetime(2024, 1, 1), datetime(2024, 1, 1)]), "naive-time"),  # noqa: DTZ001
    (own(event_time=np.array(["2024-01-01", "2024-01-02"], "datetime64[us]")), "naive-time"),
    (own(event_time=pa.array([T, T], pa.timestamp("us"))), "naive-time"),
    (own(x=[1]), "missing-column"),
    ({name: column for name, column in own().items() if name != "who"}, "missing-column"),
    (own(kind=[1, 2]), "missing-column"),
    (own(kind=["\ud800", "a"]), "missing-column"),
    (own(event_id=[1, 1], event_time=[T, T], known_time=[T, T]), "two-truths"),
    (own(retracted=[0, 1]), "not-whole"),
])  # fmt: skip
def test_a_hostile_column_is_refused(columns, code):
    with pytest.raises(refusals.Refusal) as refused:
        variables.History.read(CATALOGUE, {"own": columns})
    assert refused.value.code == f"variables.{code}"


def test_tables_and_fetches_belong_together():
    rows = {"event_id": [1], "event_time": [T], "known_time": [T], "y": [1]}
    for tables, fetches, wrong in (
        ({"asked": rows}, None, refusals.NoFetch),
        ({"own": own()}, {"own": [variables.Fetch(T, "c")]}, refusals.NoFetch),
        ({"asked": rows}, {"asked": [variables.Fetch(T, "")]}, refusals.NoFetch),
        ({"nobody": rows}, None, refusals.NoSuchTable),
        ({"asked": rows}, {"asked": [variables.Fetch(datetime(2024, 1, 1), "c")]}, refusals.NaiveTime),  # noqa: DTZ001
    ):
        with pytest.raises(wrong):
            variables.History.read(CATALOGUE, tables, fetches=fetches)


def test_too_many_rows_are_refused():
    rows = (1 << 20) + 1
    column = np.arange(rows)
    texts = pa.nulls(rows, pa.string())
    with pytest.raises(refusals.TooManyRows):
        variables.History.read(CATALOGUE, {"own": {"event_id": column, "event_time": column, "known_time": column, "x": column, "kind": texts, "who": texts}})


def test_lists_arrays_and_arrow_say_the_same():
    lists = variables.History.read(CATALOGUE, {"own": own()})
    table = pa.table({**own(kind=["a", None]), "event_time": pa.array([T, T + 1], pa.timestamp("us", "Asia/Shanghai")), "unknown": [1.5, 2.5]})
    times = [datetime.fromtimestamp(T // 1_000_000, UTC), T + 1]
    for columns in (table, table.to_batches()[0], own(event_time=times, event_id=np.array([1, 2], np.int16))):
        assert variables.History.read(CATALOGUE, {"own": columns}).blob() == lists.blob()


def test_equal_histories_are_equal_bytes_in_whatever_order_they_came():
    whole = variables.History.read(CATALOGUE, {"own": own(kind=["其他", "a"])})
    turned = variables.History.read(CATALOGUE, {"own": {name: [*column[::-1], column[0]] for name, column in own(kind=["其他", "a"]).items()}})
    grown = variables.History.read(CATALOGUE, {"own": {name: column[1:] for name, column in own(kind=["其他", "a"]).items()}})
    grown = grown.append("own", {name: column[:1] for name, column in own(kind=["其他", "a"]).items()})
    assert whole.blob() == turned.blob() == grown.blob()
    assert variables.History.from_blob(CATALOGUE, whole.blob()).blob() == whole.blob()


def test_nasty_histories_survive_their_blobs():
    rng = np.random.default_rng(2)
    for _ in range(30):
        history, _ = nasty_history(rng, variables.lending())
        assert variables.History.from_blob(variables.lending(), history.blob()).blob() == history.blob()


def test_a_damaged_blob_is_no_history():
    blob = variables.History.read(CATALOGUE, {"own": own()}).blob()
    for place in range(len(blob)):
        broken = bytearray(blob)
        broken[place] ^= 1
        with pytest.raises(refusals.DamagedBlob):
            variables.History.from_blob(CATALOGUE, bytes(broken))
        with pytest.raises(refusals.DamagedBlob):
            variables.History.from_blob(CATALOGUE, blob[:place])
    with pytest.raises(refusals.OtherCatalogue):
        variables.History.from_blob(variables.lending(), blob)


def test_many_people_are_read_at_once():
    tables = {
        "own": {**own(), "person": ["li", "wang"]},
        "asked": {"person": ["wang"], "event_id": [1], "event_time": [T], "known_time": [T], "y": [7]},
    }
    fetches = {"person": ["wang", "zhao"], "table": ["asked", "asked"], "at": [T, T], "consent": ["c1", "c2"], "until": [None, T + 9]}
    people = variables.Histories.read(CATALOGUE, tables, fetches)
    assert people.persons == ("li", "wang", "zhao")
    plan = CATALOGUE.plan(["own.count.7d", "asked.count.7d"])
    assert plan.batch(people, T + 5).tolist()[1:] == [[1.0, 1.0], [0.0, 0.0]]
    assert plan.kinds(people, T + 9).tolist() == [[0, 1], [0, 0], [0, 1]]
    (chunk,) = plan.chunks(people, T + 5)
    assert chunk.schema.names == ["person", "as_of", "own.count.7d", "asked.count.7d"]
    blobs = pa.record_batch({"person": list(people.persons), "as_of": [T + 5] * 3, "blob": [history.blob() for history in people]})
    (answer,) = plan.arrow_map([blobs])
    assert answer.column("own.count.7d").to_pylist() == chunk.column("own.count.7d").to_pylist()
