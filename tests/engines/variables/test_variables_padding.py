"""Padding: constants, copies and near copies are counted over people of the town, whose tables speak the catalogue's words."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from puhui.engines import variables
from puhui.proofs import padding

LENDING = variables.lending()


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    padding.write_town(folder, 60, 12, 7)
    return folder


def test_the_towns_tables_speak_the_words_of_the_catalogue(town):
    for table in LENDING.tables:
        rows = pq.read_table(town / f"{table.name}.parquet")
        assert {"person", "event_id", "event_time", "known_time", *table.fields, *table.texts} <= set(rows.column_names)
        for name, listed in table.category.items():
            assert set(rows.column(name).to_pylist()) - {None} <= set(listed), (table.name, name)


def test_people_of_the_town_have_answers(town):
    ((people, instants),) = padding.town_people(LENDING, town)
    vectors = LENDING.plan(["txn.count.360d", "app.count.90d", "device.recency", "bureau.count.ever"]).batch(people, instants)
    assert (np.nanmax(vectors, axis=0) > 0).all()
    assert len(people) > 20


def test_what_is_left_is_neither_constant_nor_a_copy(town):
    told = padding.run(people=60, folder=town)
    assert told["variables"] == len(LENDING) == told["constant"] + told["duplicate"] + told["left"]
    assert told["left"] == sum(told["left_by_table"].values()) == told["left_corr"] + told["correlated"]
    assert 0 < told["left_corr"] < told["left"] < told["variables"]


def test_near_copies_go_and_the_first_stays():
    rng = np.random.default_rng(2)
    base = rng.standard_normal((300, 4))
    near = base[:, :1] + 0.001 * rng.standard_normal((300, 1))
    sample = np.concatenate((base, near, -3 * near + 7, base[:, 1:2] + 0.2 * rng.standard_normal((300, 1)), near), axis=1).astype(np.float32)
    masks = np.array([5, 5, 5, 5, 5, 5, 5, 6], np.uint64)
    assert padding.kept_of(sample, masks).tolist() == [True, True, True, True, False, False, True, True]
