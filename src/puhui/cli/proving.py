"""`puhui demo`, `verify`, `chaos`, `bench`: what we show the world. Each takes --json and then prints one JSON object as its last line."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from puhui.cli.measuring import backfill_bench, backtest_bench, day_bench, plan_bench, select_bench

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
HOME = click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Keep the house in this empty folder; without it a temporary one is used and removed.")


@click.command()
@click.option("--people", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@click.option("--months", type=click.IntRange(1, 36), default=6, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--faults", is_flag=True, help="With every fault of delivery switched on; the end state must be the same.")
@HOME
@JSON
def demo(*, people: int, months: int, seed: int, faults: bool, home: Path | None, as_json: bool) -> None:
    """Tell the closed loop: a thousand people, six months, and every figure checked by someone else.

    Time is stepped, so the same seed gives the same end, to the byte (`state_sha256`). What is shown happens in the simulated town.
    """
    show(_tell(people=people, months=months, seed=seed, faults=faults, home=home), as_json=as_json)


@click.group()
def verify() -> None:
    """Prove what we promise, on this machine or on this house's database."""


@verify.command()
@click.option("--people", type=click.IntRange(1, 100_000), default=150, show_default=True)
@click.option("--months", type=click.IntRange(1, 36), default=14, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@HOME
@JSON
def story(*, people: int, months: int, seed: int, home: Path | None, as_json: bool) -> None:
    """Tell fourteen months: long enough for a write-off and for money recovered after it."""
    show(_tell(people=people, months=months, seed=seed, faults=False, home=home), as_json=as_json)


@verify.command()
@JSON
def invariants(*, as_json: bool) -> None:
    """Check every numbered invariant over the whole database of this house. Exit status 1 if one fails."""
    from puhui.cli.house import open_house, read_config, run
    from puhui.journeys.wiring import wiring
    from puhui.proofs import invariants as proof

    async def check() -> dict[str, Any]:
        async with open_house(read_config(), wiring()) as desk:
            return await proof.run(desk)

    told = run(check())
    show(told, as_json=as_json, is_good=not told["failed"])


@verify.command()
@click.option("--n", "number", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
def signatures(*, number: int, seed: int, as_json: bool) -> None:
    """Try forged, stale, replayed, altered and foreign signatures and tokens against real doors; none may be accepted."""
    from puhui.proofs import signatures as proof
    from puhui.web import app

    with _house(None) as (home, _):
        told = asyncio.run(proof.run(home, build=app.build, n=number, seed=seed))
    show(told, as_json=as_json, is_good=told["accepted"] == 0)


@verify.command()
@click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True, help="The folder of the public test kit.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result of every case here, in the kit's own form.")
@JSON
def tck(*, root: Path, csv_file: Path | None, as_json: bool) -> None:
    """Run DMN's public test kit: every case of levels 2 and 3 must pass. Exit status 1 if one does not."""
    from puhui.proofs import tck as proof

    told = proof.run(root, csv_file)
    show(told, as_json=as_json, is_good=told["passed"] == told["listed"])


@verify.command("rules")
@click.option("--models", type=click.IntRange(1, 100_000), default=300, show_default=True)
@click.option("--rows", type=click.IntRange(1, 10_000_000), default=20_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
def rules_parity(*, models: int, rows: int, seed: int, as_json: bool) -> None:
    """Compare random decision tables with a judge written apart: kernels, interpreter, one by one. Exit status 1 if a row differs."""
    from puhui.proofs import rules_parity as proof

    told = proof.run(models, rows, seed)
    show(told, as_json=as_json, is_good=told["differing"] == 0 and told["mutants"] == told["mutants_caught"])


@verify.command("replay")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path("golden"), show_default=True, help="The folder of builds.")
@click.option("--add", "build", help="First write this build's own artefacts and records; what is there is never changed.")
@JSON
def replay(*, root: Path, build: str | None, as_json: bool) -> None:
    """Decide what earlier builds decided again, from their artefacts and records, to the last byte. Exit status 1 if a record differs."""
    from puhui.proofs import replay as proof

    told = proof.add(root, build) if build else proof.run(root)
    show(told, as_json=as_json, is_good=told["differing"] == 0)


@verify.command("lint")
@click.option("--faults", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
def rules_lint(*, faults: int, seed: int, as_json: bool) -> None:
    """Plant faults of seven kinds in random tables, each beside a twin without one; a row tried for every class. Exit status 1 if one is missed."""
    from puhui.proofs import rules_lint as proof

    told = proof.run(faults, seed)
    show(told, as_json=as_json, is_good=not told["missed"] and not told["false_alarms"] and told["complete"])


@verify.command("fuzz")
@click.option("--cases", type=click.IntRange(1, 100_000_000), default=100_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
def rules_fuzz(*, cases: int, seed: int, as_json: bool) -> None:
    """Try mutated expressions, models and artefacts: no crash, nothing over a tenth of a second. Exit status 1 if there is one."""
    from puhui.proofs import rules_fuzz as proof

    told = proof.run(cases, seed)
    show(told, as_json=as_json, is_good=not told["crashes"] and not told["hangs"])


@verify.command("flips")
@click.option("--tables", type=click.IntRange(1, 100_000), default=300, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
def rules_flips(*, tables: int, seed: int, as_json: bool) -> None:
    """Run every change that a decline is told of: each must turn it, and no smaller one may. Exit status 1 if one fails."""
    from puhui.proofs import rules_flips as proof

    told = proof.run(tables, seed)
    show(told, as_json=as_json, is_good=not told["failed"] and not told["barred"] and told["minimal"] and told["offered_share"] >= 0.6)


@verify.command("variables")
@click.option("--n", "number", type=click.IntRange(1), default=200_000, show_default=True, help="How many values to compare, at least.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--padding", is_flag=True, help="Count instead which variables say something of their own, over people of the town.")
@click.option("--people", type=click.IntRange(100, 1_000_000), default=20_000, show_default=True, help="How many people the town has, for --padding.")
@JSON
def variables_parity(*, number: int, seed: int, padding: bool, people: int, as_json: bool) -> None:
    """Compare derived variables of nasty histories with their slow twin, bit by bit, and plant wrong kernels. Exit status 1 if any bit differs.

    With --padding: how many of the shipped variables are constant, exact copies, or close to another; status 1 if fewer than 100,000 are left.
    """
    from puhui.proofs import padding as padded
    from puhui.proofs import variables as proof

    if padding:
        counted = padded.run(people=people, seed=seed)
        show(counted, as_json=as_json, is_good=counted["left"] >= 100_000)
        return
    told = proof.verify(number, seed)
    show(told, as_json=as_json, is_good=not (told["differing"] or told["missed"] or told["uncompiled_differs"]))


@verify.command("leakage")
@click.option("--people", type=click.IntRange(1, 1_000_000), default=500, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
def leakage(*, people: int, seed: int, as_json: bool) -> None:
    """Plant a future beyond the instant asked about; no bit of a derived variable may change. Exit status 1 if one does."""
    from puhui.proofs import leakage as proof

    told = proof.run(people, seed)
    is_good = told["bits_changed"] == 0 and float(str(told["control_changed"])) >= 0.5 and not (told["missed"] or told["uncompiled_differs"])
    show(told, as_json=as_json, is_good=is_good)


@click.command()
@click.option("--kills", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--people", type=click.IntRange(1, 100_000), default=150, show_default=True)
@click.option("--months", type=click.IntRange(1, 12), default=2, show_default=True)
@click.option("--seed", type=int, default=3, show_default=True)
@JSON
def chaos(*, kills: int, people: int, months: int, seed: int, as_json: bool) -> None:
    """Kill platform, worker and PostgreSQL at random (kill -9) under load, with faults on: nothing lost, nothing doubled, the same end."""
    from puhui.proofs import chaos as proof

    with _house(None) as (home, progress):
        told = asyncio.run(proof.run(home, kills=kills, people=people, months=months, seed=seed, on_progress=progress))
    is_good = told["end_state_equal"] and not (told["lost"] or told["doubled"] or told["unbalanced"])
    show(told, as_json=as_json, is_good=is_good)


@click.group()
def bench() -> None:
    """Measure, with the machine, the versions and the seeds beside every figure."""


@bench.command()
@click.option("--seconds", type=click.IntRange(1, 3600), default=30, show_default=True)
@click.option("--per-s", type=click.IntRange(1, 1000), default=30, show_default=True, help="Loans a second that begin.")
@click.option("--seed", type=int, default=7, show_default=True)
@JSON
def apply(*, seconds: int, per_s: int, seed: int, as_json: bool) -> None:
    """Run whole loans live, from the tap to the money, with town and database on the same cores."""
    from puhui.proofs import bench_apply as proof

    with _house(None) as (home, _):
        told = asyncio.run(proof.run(home, seconds=seconds, per_s=per_s, seed=seed))
    show(told, as_json=as_json)


@bench.command("console")
@click.option("--loans", type=click.IntRange(1, 10_000_000), default=100_000, show_default=True, help="Loans in the database, at least.")
@click.option("--people", type=click.IntRange(20, 10_000), default=200, show_default=True, help="People of the story that is multiplied.")
@click.option("--months", type=click.IntRange(1, 24), default=4, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--verify/--no-verify", default=False, show_default=True, help="Try every invariant over the multiplied house; the slow twin tells each loan again.")
@HOME
@JSON
def console_bench(*, loans: int, people: int, months: int, seed: int, verify: bool, home: Path | None, as_json: bool) -> None:
    """Open every page of the staff console, with a hundred thousand loans in the database."""
    from puhui.proofs import bench_console as proof
    from puhui.web import app
    from puhui.web.console.parts import SCREENS

    paths = [screen.path for screen in SCREENS]
    with _house(home) as (folder, _):
        told = asyncio.run(
            proof.run(folder, loans=loans, people=people, months=months, seed=seed, verify=verify, build=app.build, screens=paths)
        )
    show(told, as_json=as_json, is_good=not told["invariants_broken"])


@bench.command("pages")
@click.option("--paints", type=click.IntRange(1, 50), default=5, show_default=True, help="How many times the first page is opened anew.")
@click.option("--seed", type=int, default=7, show_default=True)
@JSON
def pages_bench(*, paints: int, seed: int, as_json: bool) -> None:
    """Measure the borrower's pages in a real Chromium: bytes on the wire, and the first paint on an emulated cheap phone."""
    from puhui.proofs import bench_pages as proof

    with _house(None) as (home, _):
        told = asyncio.run(proof.run(home, seed=seed, paints=paints))
    show(told, as_json=as_json)


@bench.command("variables")
@click.option("--people", type=click.IntRange(10, 100_000), default=1000, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@JSON
def variables_bench(*, people: int, seed: int, as_json: bool) -> None:
    """Measure 103,920 derived variables of one person, of many, and of the peers on what they can express."""
    from puhui.proofs import bench_variables as proof

    show(proof.run(people=people, seed=seed), as_json=as_json)


bench.add_command(plan_bench)
bench.add_command(backfill_bench)
bench.add_command(backtest_bench)
bench.add_command(day_bench)
bench.add_command(select_bench)


@bench.command("rules")
@click.option("--rows", type=click.IntRange(1000, 10_000_000), default=200_000, show_default=True)
@click.option("--singles", type=click.IntRange(100, 100_000), default=2000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
def rules_speed(*, rows: int, singles: int, seed: int, as_json: bool) -> None:
    """Measure the rules engine on its seeded workloads; a sample of the outcomes is compared with the interpreter's first."""
    from puhui.proofs import bench_rules as proof

    told = proof.run(rows, singles, seed)
    show(told, as_json=as_json, is_good=told["wrong"] == 0)


def _tell(*, people: int, months: int, seed: int, faults: bool, home: Path | None) -> dict[str, Any]:
    from puhui.proofs.story import Tale, tell

    with _house(home) as (folder, progress):
        tale = Tale(folder, people=people, months=months, seed=seed, has_faults=faults, keep_home=home is not None)
        return _run(tell(tale, on_progress=progress))


def _run(coroutine: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    return asyncio.run(coroutine)


@contextmanager
def _house(home: Path | None) -> Iterator[tuple[Path, Any]]:
    """Give a folder for a house and a progress bar over the days."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(), TimeRemainingColumn())
    with tempfile.TemporaryDirectory(prefix="puhui-") as folder, Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task("starting", total=None)
        first: list[datetime] = []

        def progress(now: datetime, until: datetime) -> None:
            first[:] = first or [now]
            total = (until - first[0]).total_seconds()
            bars.update(task, description=f"{now:%Y-%m-%d}", total=total, completed=(now - first[0]).total_seconds())

        yield (home or Path(folder) / "house").absolute(), progress


def show(told: Mapping[str, Any], *, as_json: bool, is_good: bool = True) -> None:
    """Print a report, as one JSON object or as lines; exit status 1 if it is not good."""
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, default=str))
    else:
        width = max((len(name) for name in told), default=0)
        for name, value in told.items():
            click.echo(f"{name:<{width}}  {value}")
    if not is_good:
        sys.exit(1)
