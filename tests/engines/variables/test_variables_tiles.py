"""Daily tiles: a person of very many rows is answered from his days' sums, with the same bits as row by row, whatever was known late or corrected."""

import numpy as np
import pyarrow as pa
import pytest

from puhui.engines import variables
from puhui.engines.variables import tiling
from puhui.engines.variables.plan import Plan
from puhui.proofs import variables as proof

DAY = 86_400_000_000
A = 20_000 * DAY
LENDING = variables.lending()


def hot(rows=13_000, seed=1):
    """Give a person of our own pages with corrections, retractions and lags, some days of which are only known after A."""
    rng = np.random.default_rng(seed)
    table = LENDING.table("app")
    times = A - rng.integers(-DAY, 500 * DAY, rows)
    columns = {"event_id": np.arange(rows) - (np.arange(rows) % 997 == 996), "event_time": times, "known_time": times + rng.integers(0, DAY // 3, rows),
               "revision": np.arange(rows), "retracted": (np.arange(rows) % 1009 == 3).tolist()}  # fmt: skip
    for name in table.fields:
        columns[name] = pa.array(rng.integers(-5, 1 << 39, rows), mask=rng.random(rows) < 0.1)
    for name in table.texts:
        words = [*table.category.get(name, ("p", "q", "r")), None, "别的"]
        columns[name] = pa.array([words[place] for place in rng.integers(0, len(words), rows)])
    return variables.History.read(LENDING, {"app": columns})


@pytest.fixture(scope="module")
def person():
    return hot()


def test_tiles_answer_what_rows_answer_on_nasty_histories():
    rng = np.random.default_rng(6)
    names = list(proof.random_names(rng, LENDING, 900))
    direct, tiled = LENDING.plan(names), Plan(LENDING, names, hot_rows=0)
    for _ in range(60):
        history, as_of = proof.nasty_history(rng, LENDING, int(rng.choice([5, 40, 150])))
        for instant in (as_of, max(0, as_of - 1), max(0, as_of - 3 * DAY)):
            assert direct.one(history, instant).tobytes() == tiled.one(history, instant).tobytes()
            assert direct.kinds(history, instant).tobytes() == tiled.kinds(history, instant).tobytes()


@pytest.mark.parametrize("as_of", [A, A + 2 * DAY, A - 1, A - 7 * DAY + 12_345, A - DAY // 8, A - 499 * DAY])
def test_a_person_of_very_many_rows_is_answered_by_tiles_when_asked_again(person, as_of):
    plan = Plan(LENDING, [name for name in LENDING.names[::11] if name.startswith("app.")])
    first = plan.one(person, as_of).tobytes()
    assert not len(plan._tiles)
    assert plan.one(person, as_of).tobytes() == first
    assert len(plan._tiles) == 1
    assert np.isfinite(np.frombuffer(first)).any()


def test_a_wrong_tile_would_be_seen(person, monkeypatch):
    plan = Plan(LENDING, ["app.step.sum.360d", "app.gap.max.360d", "app.step.max.ever"], hot_rows=0)
    right = Plan(LENDING, plan.names, hot_rows=1 << 30).one(person, A)

    def wrong(*given):
        tiles = laid(*given)
        tiles.tiles.moments[1] += 1
        return tiles

    laid = tiling.tiles_of
    monkeypatch.setattr(tiling, "tiles_of", wrong)
    answered = plan.one(person, A)
    assert answered[0] != right[0]
    assert answered[1:].tolist() == right[1:].tolist()


def test_tiles_go_with_their_history(person):
    plan = Plan(LENDING, ["app.count.30d"], hot_rows=0)
    grown = hot(30, 2)
    plan.one(grown, A)
    assert len(plan._tiles) == 1
    del grown
    assert len(plan._tiles) == 0
