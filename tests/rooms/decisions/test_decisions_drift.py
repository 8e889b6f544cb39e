"""How values drift: bins that hold everybody, an index that is zero for the same people and grows as they change."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.rooms.decisions.drift import Seen, drift_of, stability
from puhui.rooms.decisions.known import Missing

AT = datetime(2026, 9, 1, tzinfo=UTC)


def seen(month, *values):
    return [Seen(AT, month, value) for value in values]


def test_every_decision_lies_in_one_bin_and_missing_has_its_own():
    told = drift_of([*seen("2026-09", 1, 5, 9, Missing.NO_EVENT), *seen("2026-10", 5, Missing.NOT_FETCHED, Missing.NOT_FETCHED)], (4, 8))
    assert [(one.month, one.people, one.counts) for one in told.months] == [("2026-09", 4, (1, 1, 1, 1)), ("2026-10", 3, (0, 1, 0, 2))]
    assert told.totals == (1, 2, 1, 3)
    assert told.missing == (("not_fetched", 2), ("no_event", 1))


def test_nobody_seen_is_no_drift():
    told = drift_of([])
    assert (told.months, told.totals) == ((), (0, 0))


def test_the_index_is_steady_for_the_same_people_and_tells_another_population():
    assert stability([40, 40, 20], [80, 80, 40]) == pytest.approx(0, abs=0.002)
    assert stability([40, 40, 20], [5, 20, 75]) > 0.25
    assert stability([40, 40, 20], [3, 3, 3]) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.integers(-(10**9), 10**9), st.sampled_from(list(Missing))), min_size=1, max_size=60), st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_counts_add_up_whatever_the_values(values, months):
    told = drift_of([Seen(AT, f"2026-0{month + 1}", value) for value, month in zip(values, months, strict=False)])
    assert sum(told.totals) == len(values)
    assert list(told.edges) == sorted(set(told.edges))
    assert all(one.psi is None or one.psi >= 0 for one in told.months)
