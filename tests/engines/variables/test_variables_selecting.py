"""Selection: what is counted stream by stream is what the whole matrix says; constants and copies are found, missing is a bin of its own."""

import numpy as np
import pytest

from puhui.engines.variables import selecting
from puhui.proofs import bench_select, bench_variables

CATALOGUE = bench_variables.v1_catalogue()
NAMES = (
    "txn.x0.sum.30d", "txn.x0.sum.720d", "txn.count.30d", "app.recency[c0=9]", "bureau.x1.trend.90d[c1=5]", "txn.x0.sum.30h", "txn.distinct.c0.1h",
    "txn.x0.mean.25h[c0=1]", "txn.x0.sum.30d[c0=0|1|2|3|4|5|6|7]",
)  # fmt: skip


def people(size=240, seed=3):
    histories = list(bench_variables.histories_of(CATALOGUE, bench_variables.draw(size, seed)))
    rng = np.random.default_rng(seed)
    return selecting.People(histories, [bench_variables.AS_OF] * size, rng.random(size) < 0.3, (np.arange(size) >= size // 2).astype(np.int64))


def cut(whole, at):
    return [selecting.People(whole.histories[i:j], whole.as_of[i:j], whole.is_bad[i:j], whole.part[i:j], i) for i, j in zip((0, *at), (*at, None), strict=True)]


@pytest.fixture(scope="module")
def chosen():
    whole = people()
    return whole, selecting.select(CATALOGUE.plan(NAMES), cut(whole, [100])[0], cut(whole, [7, 100, 180]))


def test_any_cut_any_order_and_any_number_of_threads_report_the_same(chosen):
    whole, told = chosen
    plan = CATALOGUE.plan(NAMES)
    for at, workers, turn in (([50], 1, 1), ([1, 2, 3, 200], 4, -1)):
        again = selecting.select(plan, cut(whole, [100])[0], cut(whole, at)[::turn], workers=workers)
        for name in ("iv", "psi", "present", "is_constant", "copy_of"):
            assert getattr(again, name).tobytes() == getattr(told, name).tobytes(), name


def test_information_value_and_stability_are_those_of_the_whole_matrix(chosen):
    whole, told = chosen
    plan = CATALOGUE.plan(NAMES)
    matrix = plan.batch(whole.histories, whole.as_of)
    edges = selecting.edges_of(plan.batch(whole.histories[:100], whole.as_of[:100], np.empty((100, len(plan)), np.float32)))
    for place in range(len(plan)):
        column = matrix[:, place]
        bins = np.where(np.isnan(column), 32, np.searchsorted(edges[place], column, side="right"))
        for mask, figure in ((whole.is_bad, told.iv[place]), (whole.part == 1, told.psi[place])):
            one, other = np.bincount(bins[~mask], minlength=33), np.bincount(bins[mask], minlength=33)
            used = (one + other) > 0
            p, q = (one + 0.5)[used] / (one + 0.5)[used].sum(), (other + 0.5)[used] / (other + 0.5)[used].sum()
            assert figure == pytest.approx(((p - q) * np.log(p / q)).sum())
        assert told.present[place] == (~np.isnan(column)).sum()


def test_constants_and_exact_copies_are_found(chosen):
    _, told = chosen
    by_name = dict(zip(NAMES, range(len(NAMES)), strict=True))
    assert told.is_constant[by_name["txn.x0.mean.25h[c0=1]"]] == (told.present[by_name["txn.x0.mean.25h[c0=1]"]] < 20)
    assert told.copy_of[by_name["txn.x0.sum.30d[c0=0|1|2|3|4|5|6|7]"]] == by_name["txn.x0.sum.30d"]
    assert not told.left[by_name["txn.x0.sum.30d[c0=0|1|2|3|4|5|6|7]"]]
    assert told.copy_of[by_name["txn.x0.sum.30d"]] == -1
    assert by_name["txn.x0.sum.30d[c0=0|1|2|3|4|5|6|7]"] not in told.best(9, psi_max=9.0)


def test_bins_are_at_most_32_and_a_column_of_few_values_has_few():
    sample = np.array([[1.0, np.nan, k % 3, k] for k in range(200)])
    edges = selecting.edges_of(sample)
    assert edges.shape == (4, 31)
    assert np.isinf(edges[1]).all()
    assert sorted(set(edges[2][np.isfinite(edges[2])])) == [0.0, 1.0, 2.0]
    assert (np.diff(edges[3]) > 0).all()


def test_the_bench_counts_everybody():
    told = bench_select.run(people=40, drawn=20)
    assert told["variables"] == 103_920
    assert 0 < told["left"] < told["variables"]
