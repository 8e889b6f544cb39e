"""Bytes and columns that somebody wrote to break us: refused with a code, or read as what they say; never a crash, never a wrong number."""

import copy

import numpy as np
import pyarrow as pa
import pytest

from puhui.engines import variables
from puhui.engines.variables import refusals
from puhui.engines.variables.blob import MAGIC, seal, unseal
from puhui.foundation.refusals import Refusal

DAY = 86_400_000_000
T = 20_000 * DAY
OWN = variables.Table("own", zh="自", en="own rows", source="us", purpose="p", money=("x",), category={"kind": ("a", "b")}, entity=("who",))
ASKED = variables.Table("asked", zh="问", en="asked rows", source="them", purpose="p", consent="report", money=("y",))
CATALOGUE = variables.Catalogue(variables.over(OWN).windows("7d").count(), variables.over(ASKED).windows("7d").count())
HOSTILE = (None, True, -1, 3, 1 << 20, (1 << 20) + 1, 1 << 62, 1 << 64, -(1 << 70), 1.5, "x", "", [], [[]], {}, [0, 0], "\ud800")


def own(**columns):
    given = {"event_id": [1, 2, 2], "event_time": [T, T + 1, T + 5], "known_time": [T, T + 1, T + 9], "x": [5, None, 900], "kind": ["a", "", "c"]}
    return {**given, "who": ["p", None, "q"], **columns}


def history():
    asked = {"event_id": [1], "event_time": [T], "known_time": [T], "y": [1]}
    return variables.History.read(CATALOGUE, {"own": own(), "asked": asked}, fetches={"asked": [variables.Fetch(T, "c", T + 9)]})


def places(value, path=()):
    """Give the path of every value inside a header."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from places(one, (*path, key))


def with_value(header, path, value):
    changed = copy.deepcopy(header)
    if not path:
        return value
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def test_a_well_sealed_blob_with_a_hostile_header_is_refused_or_read_as_it_says():
    header, body = unseal(MAGIC, history().blob())
    plan = CATALOGUE.plan(["own.x.sum.ever", "own.distinct.who.ever", "own.recency", "asked.count.7d"])
    refused = tried = 0
    for path in places(header):
        for value in HOSTILE:
            try:
                sealed = seal(MAGIC, with_value(header, path, value), body)
            except UnicodeEncodeError:
                continue
            tried += 1
            try:
                read = variables.History.from_blob(CATALOGUE, sealed)
                assert variables.History.from_blob(CATALOGUE, sealed, tables=["own"]).only("own").blob() == read.only("own").blob()
                assert plan.one(read, T + 10).shape == (4,)
                assert variables.History.from_blob(CATALOGUE, read.blob()).blob() == read.blob()
            except (refusals.DamagedBlob, refusals.OtherCatalogue):
                refused += 1
    assert refused > 0.8 * tried


def test_a_body_that_is_longer_or_shorter_than_its_header_says_is_refused():
    header, body = unseal(MAGIC, history().blob())
    for other in (body[:-1], body + b"\0", b"", body * 2):
        with pytest.raises(refusals.DamagedBlob):
            variables.History.from_blob(CATALOGUE, seal(MAGIC, header, other))


@pytest.mark.parametrize(("columns", "code"), [
    (own(x=pa.array([1.0, 2.0, 3.0])), "not-whole"),
    (own(x=pa.array([float("nan"), None, 1.0])), "not-whole"),
    (own(x=pa.array([1 << 41, None, 1])), "number-out-of-range"),
    (own(x=pa.chunked_array([[1], [None, -(1 << 40)]])), "number-out-of-range"),
    (own(x=pa.array([1, None, (1 << 64) - 1], pa.uint64())), "number-out-of-range"),
    (own(event_id=pa.array([1, None, 2])), "not-whole"),
    (own(event_time=pa.array([T, None, T])), "not-whole"),
    (own(event_time=pa.array([T * 1000 + 1] * 3, pa.timestamp("ns", "UTC"))), "not-whole"),
    (own(kind=pa.array([b"a", b"b", None])), "missing-column"),
    (own(kind=pa.array([1, 2, 3])), "missing-column"),
    (own(kind=np.array([b"a", b"b", b"c"])), "missing-column"),
    (own(who=np.array([1.5, None, "q"], object)), "missing-column"),
    (own(x=np.ma.masked_array([1.5, 2.5, 3.5])), "not-whole"),
    (own(x=np.array([[1], [2], [3]])), "not-whole"),
    (own(x=iter([1, 2, 3])), "missing-column"),
    (own(retracted=pa.array([None, True, False])), "not-whole"),
])  # fmt: skip
def test_hostile_arrow_and_numpy_are_refused(columns, code):
    with pytest.raises(Refusal) as refused:
        variables.History.read(CATALOGUE, {"own": columns})
    assert refused.value.code == f"variables.{code}"


def test_texts_by_dictionary_and_nulls_in_any_piece_are_what_they_say():
    plain = variables.History.read(CATALOGUE, {"own": own()})
    kind = pa.chunked_array([pa.array(["a"]).dictionary_encode(), pa.array(["", "c"]).dictionary_encode()])
    for columns in (
        own(kind=kind, x=pa.chunked_array([[5, None], [900]])), own(kind=pa.array(["a", None, "c"], pa.large_string()), x=pa.array([5, None, 900], pa.int16())),
        own(kind=pa.array(["a", "", "c"]).dictionary_encode()),
    ):  # fmt: skip
        assert variables.History.read(CATALOGUE, {"own": columns}).blob() == plain.blob()


def test_plans_and_shards_that_travel_are_checked():
    plan = CATALOGUE.plan(["own.count.7d"])
    for data in (b"", b"PHP1", plan.to_bytes()[:-1], plan.to_bytes() + b"x", history().blob()):
        with pytest.raises(refusals.DamagedBlob):
            variables.Plan.from_bytes(CATALOGUE, data)
    with pytest.raises(refusals.OtherCatalogue):
        variables.Plan.from_bytes(variables.lending(), plan.to_bytes())
    with pytest.raises(refusals.OtherCatalogue):
        variables.lending().plan(["app.recency"]).one(history(), T)


def test_a_table_that_is_not_wanted_is_not_looked_at():
    whole = history()
    some = variables.History.from_blob(CATALOGUE, whole.blob(), tables=["asked"])
    assert some.tables["own"] is None
    assert some.only("asked").blob() == whole.only("asked").blob()
    header, body = unseal(MAGIC, whole.blob())
    for rows in (-5, "3", 1.5, None, 1 << 40):
        with pytest.raises(refusals.DamagedBlob):
            variables.History.from_blob(CATALOGUE, seal(MAGIC, with_value(header, (1, "own", 0, 0), rows), body), tables=["asked"])
