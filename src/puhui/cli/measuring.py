"""The benches of whole books: of derived variables `puhui bench plan|backfill|select`, of rules `puhui bench day|backtest`."""

import click

from puhui.cli.deriving import JSON


@click.command("plan")
@JSON
def plan_bench(*, as_json: bool) -> None:
    """Measure a cold plan of 1,000 to 1,000,000 names, each in a process with an empty compiler cache."""
    from puhui.cli.proving import show
    from puhui.proofs import bench_plan as proof

    show(proof.run(), as_json=as_json)


@click.command("backfill")
@click.option("--people", type=click.IntRange(10, 10_000_000), default=200_000, show_default=True)
@click.option("--select", type=click.IntRange(12, 100_000), default=3000, show_default=True, help="How many columns.")
@click.option("--seed", type=int, default=7, show_default=True)
@JSON
def backfill_bench(*, people: int, select: int, seed: int, as_json: bool) -> None:
    """Measure chosen columns of many people, from their blobs to Parquet: spread over all groups, and of twelve groups."""
    from puhui.cli.proving import show
    from puhui.proofs import bench_backfill as proof

    show(proof.run(people=people, select=select, seed=seed), as_json=as_json)


@click.command("select")
@click.option("--people", type=click.IntRange(100, 10_000_000), default=50_000, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@JSON
def select_bench(*, people: int, seed: int, as_json: bool) -> None:
    """Measure information value, stability, constants and copies of all of V1's variables for many people, streamed."""
    from puhui.cli.proving import show
    from puhui.proofs import bench_select as proof

    show(proof.run(people=people, seed=seed), as_json=as_json)


@click.command("day")
@click.option("--decisions", type=float, default=2e9, show_default=True, help="Evaluations: twenty tables for every row.")
@click.option("--checks", type=click.IntRange(0, 10_000_000), default=1_000_000, show_default=True, help="Entries of the trace that are decided again.")
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
def day_bench(*, decisions: float, checks: int, seed: int, as_json: bool) -> None:
    """Decide a part of a day, every row drawn afresh, traced to Parquet; read entries from disk and decide them again by the interpreter."""
    from puhui.cli.proving import show
    from puhui.proofs import bench_book as proof

    told = proof.day(int(decisions), checks, seed)
    show(told, as_json=as_json, is_good=told["trace_wrong"] == 0 and told["distinct_rows"] == told["rows"])


@click.command("backtest")
@click.option("--rows", type=click.IntRange(1000, 200_000_000), default=2_000_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
def backtest_bench(*, rows: int, seed: int, as_json: bool) -> None:
    """Decide a book under champion and challenger, from Parquet to Parquet, and give the swap set by segment."""
    from puhui.cli.proving import show
    from puhui.proofs import bench_book as proof

    told = proof.backtest(rows, seed)
    show(told, as_json=as_json, is_good=told["wrong"] == 0)
