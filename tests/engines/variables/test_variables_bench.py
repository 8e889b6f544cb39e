"""Workload V1 is what the page fixes, and another engine (DuckDB) gives the same answers on what it can express."""

from puhui.proofs import bench_variables as bench


def test_workload_v1_has_its_variables():
    counts = {"txn": 52_782, "bureau": 32_477, "app": 18_661}
    names = bench.v1_catalogue().names
    assert {table: sum(name.startswith(f"{table}.") for name in names) for table in counts} == counts


def test_another_engine_gives_the_same_answers():
    catalogue, drawn = bench.v1_catalogue(), bench.draw(12, 3)
    told = bench.peers(catalogue, drawn["txn"], bench.histories_of(catalogue, drawn), people=12, counts=(40, 120), ours_ns=1.0)
    assert "peer_differs" not in told
    assert told["ratio_duckdb"] is not None
    assert told["ratio_featuretools"] is None
    assert told["featuretools_why"]


def test_the_bench_asks_a_person_of_very_many_rows_both_ways():
    told = bench.hot_person(bench.v1_catalogue(), 3, rows=3000, days=40)
    assert (told["hot_rows"], told["hot_variables"]) == (3000, 52_782)
