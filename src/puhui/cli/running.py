"""`puhui run`: database, platform and town as processes; watched, started again when they die, stopped together."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from puhui.foundation.refusals import Refusal

WATCH_S = 0.5
TELL_S = 5.0
SHANGHAI = ZoneInfo("Asia/Shanghai")
GIVES_UP_AFTER = 5
PARTNER, ENTRY = "asset-1", "e38"
PASSED_ON = {"CONFIG", "LAW_FOLDER", "POOL_SIZE", "TICK_S", "LOG_LEVEL"}
WITHIN_S = 120.0


class AlreadyRunning(Refusal):
    """Puhui runs in {home} already; stop that one first (Ctrl-C where it runs), or choose another PUHUI_HOME."""

    code = "run.already"


class KeepsDying(Refusal):
    """{name} died {times} times within {seconds} s and was not started again. The end of its log {log} says: {tail}"""

    code = "run.keeps-dying"


@click.command()
@click.option("--town/--no-town", default=None, help="With the simulated town (the default unless services are configured), or with the services of your settings.")
@click.option("--people", type=click.IntRange(0, 1_000_000), default=1000, show_default=True, help="Residents of the town.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed makes the same people.")
@click.option("--day-s", type=click.IntRange(1, 86_400), default=20, show_default=True, help="Real seconds a day of the town takes.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of the platform; PUHUI_PORT or 8000, or the next free one.")
@click.option("--town-port", type=click.IntRange(0, 65535), default=8100, show_default=True, help="Of the town, or the next free one.")
@click.option("--apart", is_flag=True, help="The worker as a process of its own.")
@click.option("--for-s", type=click.IntRange(1), help="Stop by itself after so many real seconds.")
def run(*, town: bool | None, people: int, seed: int, day_s: int, port: int | None, town_port: int, apart: bool, for_s: int | None) -> None:
    """Start everything, and show how business goes. Ctrl-C stops it cleanly; the next start goes on at the stored day.

    The town is simulated and its clock is fast: a day takes 20 real seconds. Its people have phones, wages, families and troubles; they
    apply through 53 entries, read, sign, receive money, repay or fall behind, whether you watch or not. You can be one of them: open a
    phone of the town, and use the borrower's API with what it shows; codes arrive there.
    """
    from puhui.cli.house import read_config

    config = read_config()
    config.home.mkdir(parents=True, exist_ok=True)
    with _alone(config.home):
        _stop_orphans(config.home)
        if town if town is not None else not config.service_urls:
            from puhui.proofs.stand import Plan

            speed = 86_400 // day_s
            plan = Plan(
                home=config.home.absolute(), clock="fast", at=config.clock_at.isoformat(), speed=speed, seed=seed, people=people, is_apart=apart,
                port=_free(config.port if port is None else port), town_port=_free(town_port), environment=_own_settings(),
            )  # fmt: skip
            _run_with_town(plan, for_s)
        else:
            _run_alone(replace(config, port=config.port if port is None else port), for_s)


def _run_with_town(plan: Any, for_s: int | None) -> None:
    from puhui.proofs import stand as stands

    _say(f"starting in {plan.home}: database, town, platform (the first time takes a little longer)")
    with _orderly_end():
        stand = stands.start(plan)
        partner = _partner_page(stand)
        try:
            _keep_pids(plan.home, [*stand.processes, *([partner] if partner else [])])
            _say_where(stand, partner)
            asyncio.run(_watch(stand, for_s, partner))
        except KeyboardInterrupt:
            pass
        finally:
            _say("stopping: the people first, then the platform, then the database")
            if partner:
                partner.stop()
            stand.stop()
            (plan.home / "run.pids").unlink(missing_ok=True)
            _say("stopped; the next run goes on at the stored day")


def _partner_page(stand: Any) -> Any:
    """Start the sample partner's page, where its file stands beside us: a process of its own, with the key of the partner whose app it plays."""
    from puhui.proofs.stand import Process

    sample, key = Path(__file__).parents[3] / "samples" / "partner_page.py", stand.plan.home / "town" / "keys" / f"{PARTNER}.pem"
    if not sample.exists() or not key.exists():
        return None
    address = f"http://127.0.0.1:{_free(8300)}"
    options = ["--platform", stand.platform_url, "--partner", PARTNER, "--entry", ENTRY, "--key", str(key), "--key-id", PARTNER, "--port", address.rsplit(":", 1)[1]]
    process = Process("partner-page", [sys.executable, str(sample), *options], dict(os.environ), f"{address}/keys", stand.plan.home / "logs" / "partner-page.log")
    process.start()
    return process


async def _meet_partner(desk: Any, partner: Any) -> None:
    """Let the register know where the sample partner's page runs: its frame may show our pages, and its events go there."""
    from puhui.foundation.work import Actor
    from puhui.rooms import partners
    from puhui.vocabulary.ids import PartnerId

    async with desk.work(Actor("house", "run")) as work:
        await partners.move(work, partner_id=PartnerId(PARTNER), address=partner.health_url.removesuffix("/keys"), why="its sample page runs beside us")


def _own_settings() -> dict[str, str]:
    """Give the settings of this process that a run with a town leaves to whoever starts it."""
    return {name: value for name, value in os.environ.items() if name.startswith("PUHUI_") and name.removeprefix("PUHUI_") in PASSED_ON}


def _run_alone(config: Any, for_s: int | None) -> None:
    """Run the platform with the services that the settings name; its logs go to this terminal."""
    import subprocess

    from puhui.foundation import server

    with _orderly_end():
        database = server.start(config.home, database_url=config.database_url)
        environ = os.environ | {"PUHUI_DATABASE_URL": database.url, "PUHUI_PORT": str(config.port)}
        child = subprocess.Popen([sys.executable, "-m", "puhui.web.serve", "--role", "both"], env=environ, start_new_session=True)
        try:
            child.wait(for_s)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            pass
        finally:
            child.terminate()
            child.wait(60)
            database.stop()
    if child.returncode not in {0, -signal.SIGTERM}:
        sys.exit(child.returncode)


# -- watching


@dataclass(slots=True)
class Deaths:
    """When a process died, to tell a crash from a circle of crashes."""

    at: list[float]

    def count(self) -> int:
        now = time.monotonic()
        self.at = [one for one in self.at if now - one < WITHIN_S] + [now]
        return len(self.at)


async def _watch(stand: Any, for_s: int | None, partner: Any = None) -> None:
    """Start again whatever dies, and tell how business goes, until told to stop."""
    from puhui.cli.house import read_config
    from puhui.foundation.desk import Wiring, open_desk

    deaths: dict[str, Deaths] = {}
    until = time.monotonic() + for_s if for_s else float("inf")
    environment = stand.platform.environment
    config = replace(read_config(), home=stand.plan.home, database_url=environment["PUHUI_DATABASE_URL"], pool_size=2)
    desk = await open_desk(config, Wiring(), owner="watch", clock=_clock_of(stand))
    told_at = 0.0
    show = _board_line(sys.stdout.isatty())
    try:
        if partner:
            await _meet_partner(desk, partner)
        while time.monotonic() < until:
            if await asyncio.to_thread(stand.database.revive):
                _say("the database died and was started again")
            for process in stand.processes:
                if not process.is_up:
                    await _start_again(stand, process, deaths.setdefault(process.name, Deaths([])))
                    if partner:
                        await _meet_partner(desk, partner)
            if time.monotonic() - told_at > TELL_S:
                told_at = time.monotonic()
                with contextlib.suppress(OSError, TimeoutError):
                    await _keep_clock(desk)
                    await show(desk)
            await asyncio.sleep(WATCH_S)
    finally:
        with contextlib.suppress(OSError, TimeoutError):
            await _keep_clock(desk)
        await desk.close()


async def _start_again(stand: Any, process: Any, deaths: Deaths) -> None:
    times = deaths.count()
    if times > GIVES_UP_AFTER:
        tail = "\n".join(process.log.read_text("utf-8", "replace").splitlines()[-12:])
        raise KeepsDying(name=process.name, times=times, seconds=int(WITHIN_S), log=process.log, tail=tail)
    _say(f"{process.name} died and is started again")
    await asyncio.to_thread(process.start)
    _keep_pids(stand.plan.home, stand.processes)


async def _keep_clock(desk: Any) -> None:
    """Move the nail of the fast clock along its own line, so that whoever looks in later knows where the run stood."""
    from puhui.foundation.desk import store_clock

    async with desk.work() as work:
        work.clock.since_at, work.clock.since_real = work.at, work.clock.since_real + (work.at - work.clock.since_at).total_seconds() / work.clock.speed
        await store_clock(work)


def _clock_of(stand: Any) -> Any:
    from puhui.foundation.clock import Clock, ClockMode
    from puhui.proofs.stand import get_json

    told = get_json(f"{stand.town_url}/town/clock")
    since_real = datetime.fromisoformat(told["since_real"]).timestamp()
    return Clock(ClockMode.FAST, datetime.fromisoformat(told["since_at"]), since_real, int(told["speed"]))


def _board_line(is_terminal: bool) -> Callable[[Any], Any]:
    """Give what tells one line of the boards: renewed in place on a terminal, a new line elsewhere."""
    from puhui.foundation.days import business_date
    from puhui.rooms import boards

    async def show(desk: Any) -> None:
        async with desk.look() as work:
            funnel, book = await boards.funnel(work), await boards.standing(work)
            used = sum(1 for line in await boards.entries(work) if line.applications)
        at = desk.clock.now()
        line = (
            f"{business_date(at)} {at.astimezone(SHANGHAI):%H:%M}  {funnel.received:,} applications by {used} entries: {funnel.offered:,} offers, {funnel.declined:,} no"
            f" | {book.paid_out:,} loans, {book.paid_out_fen / 100:,.0f} yuan out, {book.repaid_fen / 100:,.0f} back"
            f" | {book.settled:,} settled, {book.in_arrears:,} late"
        )
        click.echo(f"\r\x1b[2K{line}" if is_terminal else line, nl=not is_terminal)
        sys.stdout.flush()

    return show


# -- saying


def _say_where(stand: Any, partner: Any = None) -> None:
    platform, town = stand.platform_url, stand.town_url
    click.echo(
        f"""
  Puhui runs; the town around it is SIMULATED, and a day there takes {86_400 / stand.plan.speed:.0f} real seconds.

  the borrower's page   {platform}/borrower/   (apply, sign, pay back: as on a phone)
  the same as an API    {platform}/openapi.json   (every step of a loan, with its body)
  health, metrics       {platform}/health   {platform}/metrics
  a partner's page      {partner.health_url.removesuffix("keys") if partner else "samples/partner_page.py"}   (the same, embedded in another's app)
  the town's phones     {town}/town/phones/1   (be resident 1: his card, his codes, his messages)
  the town's clock      {town}/town/clock
  logs                  {stand.plan.home / "logs"}

  in another terminal   ./dev puhui boards          what the boards show
                        ./dev puhui stop            stop new pay-outs; `resume` lets them go on
                        ./dev puhui staff --help    accounts, approvals, the audit

  Ctrl-C stops everything.
"""
    )
    sys.stdout.flush()


def _say(text: str) -> None:
    click.echo(f"\r\x1b[2Kpuhui: {text}" if sys.stderr.isatty() else f"puhui: {text}", err=True)


# -- alone, and no orphans


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the house: one run at a time. Raises AlreadyRunning."""
    handle = os.open(home / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise AlreadyRunning(home=home) from None
    try:
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _orderly_end() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the run as Ctrl-C does."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep_pids(home: Path, processes: list[Any]) -> None:
    lines = [str(process.child.pid) for process in processes if process.child is not None]
    (home / "run.pids").write_text("\n".join(lines) + "\n", "utf-8")


def _stop_orphans(home: Path) -> None:
    """Stop what an earlier run left behind when it was killed: our own processes only, known by pid and by what they run."""
    try:
        pids = [int(line) for line in (home / "run.pids").read_text("utf-8").split()]
    except (OSError, ValueError):
        return
    for pid in pids:
        if _is_ours(pid):
            _say(f"stopping process {pid}, which an earlier run left behind")
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + 20
    while time.monotonic() < until and any(_is_ours(pid) for pid in pids):
        time.sleep(0.1)
    (home / "run.pids").unlink(missing_ok=True)


def _is_ours(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return any(name in command for name in (b"puhui.web.serve", b"puhui_town", b"partner_page.py"))


def _free(port: int) -> int:
    """Give the port, or the next free one after it; 0 takes any."""
    import socket

    for candidate in [*range(port, min(port + 50, 65536)), 0] if port else [0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", candidate))
                found: int = probe.getsockname()[1]
                return found
    return 0
