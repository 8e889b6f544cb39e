"""Backfill: the same bits whoever computes them, each person once, and what is written is what was computed."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from puhui.engines import variables
from puhui.engines.variables import backfill
from puhui.engines.variables.refusals import DamagedBlob, OtherCatalogue
from puhui.foundation.shards import RayMissing
from puhui.proofs import bench_backfill, bench_plan
from puhui.proofs import variables as proof

LENDING = variables.lending()
NAMES = ("txn.count.33d", "app.gap.std.ever", "bureau.balance.sum.90d[kind=inquiry]/all", "repayment.late_days.trend.last5", "app.recency")


def cases(count=11):
    rng = np.random.default_rng(5)
    return [proof.nasty_history(rng, LENDING) for _ in range(count)]


def shards(size):
    people = [(place, history.blob(), (as_of, max(0, as_of - 5))) for place, (history, as_of) in enumerate(cases())]
    return list(backfill.shards_of(people, size))


def table_of(batches):
    return [column for batch in batches for column in zip(*(column.to_pylist() for column in batch.columns[:2]), strict=True)], np.concatenate(
        [np.array([column.to_numpy() for column in batch.columns[2:]]).T for batch in batches]
    )


@pytest.mark.parametrize(("backend", "size"), [("threads", 2), ("threads", 7), ("threads", 100), ("processes", 8)])
def test_any_workers_and_any_shards_give_the_same_bits(backend, size):
    plan = LENDING.plan(NAMES)
    asked, vectors = table_of(list(backfill.answers(plan, shards(size), backend=backend)))
    direct = [plan.one(history, at) for history, as_of in cases() for at in (as_of, max(0, as_of - 5))]
    assert vectors.tobytes() == np.array(direct).tobytes()
    assert [person for person, _ in asked] == [place for place in range(11) for _ in range(2)]


def test_without_ray_the_refusal_says_what_to_install():
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(RayMissing):
            list(backfill.answers(LENDING.plan(NAMES), shards(4), backend="ray"))


def test_parquet_holds_what_was_computed(tmp_path):
    plan = LENDING.plan(backfill.by_group(LENDING, NAMES))
    rows = backfill.write_parquet(backfill.answers(plan, shards(6)), tmp_path / "out.parquet")
    written = pq.read_table(tmp_path / "out.parquet")
    _, vectors = table_of(list(backfill.answers(plan, shards(6))))
    assert rows == written.num_rows == 22
    assert written.column_names == ["person", "as_of", *plan.names]
    assert np.array([written.column(name).to_numpy() for name in plan.names]).T.tobytes() == vectors.tobytes()


def test_a_shard_of_another_catalogue_or_of_broken_bytes_is_refused():
    with pytest.raises(OtherCatalogue):
        backfill.Answering(LENDING.plan(NAMES).to_bytes(), variables_of_a_shop)(shards(4)[0])
    whole = shards(4)[0]
    broken = backfill.Shard(whole.persons, (whole.blobs[0][:-1], *whole.blobs[1:]), whole.instants)
    with pytest.raises(DamagedBlob):
        list(backfill.answers(LENDING.plan(NAMES), [broken]))


def variables_of_a_shop():
    shop = variables.Table("shop", zh="购物", en="purchases", source="shop", purpose="credit-assessment", money=("price",))
    return variables.Catalogue(variables.over(shop).fields("price").windows("7d").aggs("sum"))


def test_the_benches_measure_what_they_say():
    told = bench_backfill.run(people=30, select=24, drawn=10, rows=12)
    assert (told["spread_columns"], told["grouped_columns"], told["drawn"]) == (24, 24, 10)
    names = bench_plan.many_names(30_000)
    assert len(set(names)) == 30_000
    assert any(name not in LENDING for name in names)
    assert bench_plan.measure(300)["count"] == 300
