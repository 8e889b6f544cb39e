"""The town's command line: `python -m puhui_town serve` plays the world outside the lender, in one process on one port."""

import asyncio
import gc
import importlib
import json
import logging
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from puhui_town.wire import Clock, ClockMode, Config, Town, open_town, to_ms

SERVICES: tuple[str, ...] = (
    "puhui_town.breaches",
    "puhui_town.people",
    "puhui_town.checks",
    "puhui_town.rail",
    "puhui_town.funder",
    "puhui_town.bureau",
    "puhui_town.sign",
    "puhui_town.message",
    "puhui_town.entries",
    "puhui_town.shops",
    "puhui_town.phones",
    "puhui_town.truth",
)
"""Packages with `install(world)`, in the order in which they move in: the watch first, then the people, then who asks them."""

GC_THRESHOLDS = (50_000, 25, 25)
"""The town's memory only grows; looking through all of it often is time taken from those it is measured with."""
FIRST_DAY = "2026-09-01T06:00:00+08:00"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.group()
def main() -> None:
    """The simulated town around a lender: rail, funders, bureau, checks, messages, shops and people. Nothing in it is real."""


class DelayRange(click.ParamType["tuple[int, int]"]):
    """`100` or `50-400`, milliseconds."""

    name = "ms"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        low, _, high = str(value).partition("-")
        if not low.isdigit() or (high and not high.isdigit()) or int(high or low) < int(low):
            self.fail(f"{value!r} is no delay like 100 or 50-400", param, ctx)
        return int(low), int(high or low)


@main.command()
@click.option("--port", type=int, default=8100, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only: the town's keys are made for development.")
@click.option("--home", type=click.Path(path_type=Path), default=Path(".puhui-town"), show_default=True, help="Keys and memory of the town.")
@click.option("--platform", default="http://127.0.0.1:8000", show_default=True, help="Base address of the platform.")
@click.option("--clock", "mode", type=click.Choice([mode.value for mode in ClockMode]), default="live", envvar="PUHUI_CLOCK", show_default=True)
@click.option("--at", default=FIRST_DAY, show_default=True, help="Where a fresh fast or stepped clock begins.")
@click.option("--speed", type=click.IntRange(1, 1_000_000), default=4320, show_default=True, help="Of the fast clock.")
@click.option("--tick-s", type=click.IntRange(1, 3600), default=60, show_default=True, help="Grain of due times in a stepped run.")
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--people", type=click.IntRange(0, 10_000_000), default=200, show_default=True)
@click.option("--driver-key", type=click.Path(path_type=Path), envvar="PUHUI_DRIVER_KEY_FILE", help="File with the driver's public key.")
@click.option("--answer-delay-ms", type=click.IntRange(0, 60_000), default=0, show_default=True, help="Added to every signed answer.")
@click.option("--rail-delay-ms", type=DelayRange(), default=(50, 400), show_default="50-400", help="How long a transfer takes.")
@click.option("--truth", type=click.Path(path_type=Path), help="Folder for the files of truth.")
@click.option("--funders-apart", is_flag=True, help="Each funder in a process of its own, behind the same address.")
@click.option("--with-parent", is_flag=True, help="Stop when standard input ends, so when whoever started us is gone.")
@click.option("--only", default="", hidden=True)
@click.option("--main-url", default="", hidden=True)
@click.option("--since-real", default="", hidden=True)
def serve(mode: str, at: str, speed: int, tick_s: int, driver_key: Path | None, since_real: str, *, with_parent: bool, **given: Any) -> None:
    """Play the town until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if given["host"] not in LOOPBACK:
        raise click.UsageError("the town is a simulation with development keys; it listens on loopback only")
    begin = datetime.fromisoformat(at)
    if begin.tzinfo is None:
        raise click.UsageError("--at needs its time zone, like 2026-09-01T06:00:00+08:00")
    config = Config(**given)
    clock = Clock.begin(ClockMode(mode), begin, speed=speed, tick_s=tick_s)
    if since_real:
        clock.since_real_ms = to_ms(datetime.fromisoformat(since_real))
    town = open_town(config, clock, [_install(name) for name in _services(config)])
    if driver_key is not None:
        town.world.keys.know_driver(driver_key)
    _run(_serve(town, with_parent=with_parent))


@main.command()
@click.option("--people", type=click.IntRange(1, 1_000_000), default=3000, show_default=True)
@click.option("--months", type=click.IntRange(1, 36), default=24, show_default=True, help="Months in which the applications lie.")
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the book.")
@click.option("--truth", is_flag=True, help="Also write the folder truth/, for evaluation only.")
@click.option("--only-tables", is_flag=True, help="Only the five tables of derived variables, the fetches and the outcomes.")
def histories(people: int, months: int, seed: int, out: Path, *, truth: bool, only_tables: bool) -> None:
    """Write a former lender's book: what a first scorecard may be fitted on, of other persons than those of any run."""
    from puhui_town.people.histories import write_book, write_tables

    def tell(done: int, of: int) -> None:
        if done % 50 == 0 or done == of:
            click.echo(f"\r{done}/{of} people", nl=done == of, err=True)

    if only_tables and truth:
        raise click.UsageError("--truth goes with the whole book, not with --only-tables")
    counts = write_tables(out, seed, people, months, tell=tell) if only_tables else write_book(out, seed, people, months, truth=truth, tell=tell)
    click.echo(json.dumps(counts))


def _services(config: Config) -> tuple[str, ...]:
    return ("puhui_town.funder",) if config.only else SERVICES


def _install(name: str) -> Any:
    return importlib.import_module(name).install


def _run(coroutine: Any) -> None:
    import uvloop

    uvloop.run(coroutine)


async def _serve(town: Town, *, with_parent: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 64) else stop.set())
    port = await town.start()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    clock = town.world.clock
    print(f"town: http://{town.world.config.host}:{port} clock {clock.mode.value} at {clock.now().isoformat()} pid {os.getpid()}", flush=True)
    await stop.wait()
    await town.stop()


if __name__ == "__main__":
    main()
