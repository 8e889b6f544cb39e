"""Told again, only the news is kept; a history as it was known at an instant is the history that somebody had then."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.engines.variables import Fetch, History
from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.declaring import over
from puhui.engines.variables.origination import TABLES, bare, origination
from puhui.engines.variables.refusals import BadDeclaration
from puhui.engines.variables.telling import alone, as_known, with_news
from puhui.proofs.variables import nasty_history

UTILITY = bare().table("utility")
T = 1_700_000_000_000_000


def told(rows, at):
    """Rows of (event_id, minutes ago, amount or None, kind or None), all known at `at`."""
    ids, ages, amounts, kinds = ([row[place] for row in rows] for place in range(4))
    return {"event_id": ids, "event_time": [T - age * 60_000_000 for age in ages], "known_time": [at] * len(rows), "amount": amounts, "kind": kinds,
            "service": [None] * len(rows), "hour_band": ["night"] * len(rows)}  # fmt: skip


row = st.tuples(st.integers(0, 12), st.integers(1, 4), st.one_of(st.none(), st.integers(0, 3)), st.sampled_from([None, "bill", "odd"]))
rows = st.lists(row, min_size=1, max_size=12, unique_by=lambda one: one[0])


@settings(max_examples=40, deadline=None)
@given(rows, rows)
def test_told_again_nothing_is_added_and_the_past_keeps_its_bits(first, second):
    once = with_news(UTILITY, None, told(first, T))
    assert with_news(UTILITY, once, told(first, T + 1)) is once
    twice = with_news(UTILITY, once, told(second, T + 2))
    assert with_news(UTILITY, twice, told(second, T + 3)) is twice, "asked once more, the same again is no news"
    fetches = {"utility": (Fetch(T, "co"),)}
    history, before = (History(alone(UTILITY), {"utility": some}, fetches) for some in (twice, once))
    assert as_known(history, T + 1).blob() == before.blob()
    plan = alone(UTILITY).plan(["utility.amount.sum.ever", "utility.count.ever"])
    assert plan.one(history, T + 1).tobytes() == plan.one(before, T + 1).tobytes()
    assert plan.one(history, T + 5)[1] == len({one[0] for one in first + second}), "an event is one event, however often it is told"


def test_a_null_takes_nothing_back_and_a_new_value_is_news():
    once = with_news(UTILITY, None, told([(1, 5, 300, "bill")], T))
    assert with_news(UTILITY, once, told([(1, 5, None, None)], T + 1)) is once
    assert len(with_news(UTILITY, once, told([(1, 5, 250, "bill")], T + 1))) == 2
    assert len(with_news(UTILITY, once, told([(1, 6, 300, "bill")], T + 1))) == 2, "another time is news too"


def test_of_several_versions_in_one_answer_the_greatest_revision_is_kept():
    both = {name: [*column, *column] for name, column in told([(1, 5, 300, "bill")], T).items()} | {"revision": [1, 0], "amount": [250, 300]}
    once = with_news(UTILITY, None, both)
    assert (len(once), once.values.tolist()) == (1, [[250]])
    assert with_news(UTILITY, once, both | {"known_time": [T + 1] * 2}) is once


def test_a_history_as_known_gives_the_same_bits_as_the_whole_one_at_every_instant():
    rng = np.random.default_rng(5)
    plan = origination().plan(origination().names[::97])
    for _ in range(12):
        history, at = nasty_history(rng, bare())
        then = as_known(history, at)
        assert plan.one(then, at).tobytes() == plan.one(history, at).tobytes()
        assert as_known(then, at).blob() == then.blob()


def test_a_table_alone_reads_its_blob_whatever_stands_beside_it():
    once = with_news(UTILITY, None, told([(1, 5, 300, "bill")], T))
    blob = History(alone(UTILITY), {"utility": once}, {"utility": (Fetch(T, "co"),)}).blob()
    assert History.from_blob(alone(bare().table("utility")), blob).tables["utility"].values.tolist() == [[300]]
    assert alone(UTILITY) is alone(UTILITY)


def test_released_blocks_of_origination_are_frozen_and_every_source_stands_on_its_own_consent():
    assert len(origination()) == 67_940
    assert origination().shape_sha256 == bare().shape_sha256
    assert {table.consent for table in TABLES} == {"wallet", "bank_flow", "telco", "utility", "shopping", "social_insurance", "device", "farm", "bureau", ""}
    with pytest.raises(BadDeclaration):
        Catalogue(over(UTILITY).windows("7d").count(), lock=origination().lock)


def test_every_name_of_origination_reads_back_and_no_two_say_the_same():
    names = origination().names
    assert all(str(bare().parse(name)) == name for name in names[::7])
    for lang in ("zh", "en"):
        assert len({origination().describe(name, lang) for name in names}) == len(names)
