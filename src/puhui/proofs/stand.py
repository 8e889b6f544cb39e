"""A stand: PostgreSQL, platform and town as real processes on free ports, started for one run and stopped by it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import asyncpg

from puhui.foundation import desk as desks
from puhui.foundation import server
from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.migrations import migrate
from puhui.foundation.refusals import Refusal
from puhui.proofs.driver import driver_key, public_key_file

PATIENCE_S = 90.0
SERVICES = ("RAIL", "BUREAU", "LOCAL_BUREAU", "CHECKS", "SIGN", "MESSAGE", "ENTRY", "SHOP", "FUNDER")


class WouldNotStart(Refusal):
    """{name} did not come up within {seconds} s; the end of its log {log} says: {tail}"""

    code = "stand.would-not-start"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start. `clock` fast|stepped|live; `at` the first instant (ISO); `people` how many residents; `is_apart` gives the worker its own process."""

    home: Path
    clock: str = "stepped"
    at: str = "2026-09-01T06:00:00+08:00"
    speed: int = 4320
    seed: int = 7
    people: int = 0
    is_apart: bool = False
    fsync: bool = True
    port: int = 0
    town_port: int = 0
    town_arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Process:
    """A child of ours, with what is needed to start it again."""

    name: str
    command: list[str]
    environment: dict[str, str]
    health_url: str
    log: Path
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is healthy. Raises WouldNotStart."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.command, env=self.environment, stdout=log, stderr=log, stdin=subprocess.PIPE, start_new_session=True
            )
        self.await_health()

    def await_health(self) -> None:
        assert self.child is not None
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.child.poll() is None:
            if _is_healthy(self.health_url):
                return
            time.sleep(0.1)
        tail = "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-15:])
        self.kill()
        raise WouldNotStart(name=self.name, seconds=int(PATIENCE_S), log=self.log, tail=tail)

    def kill(self) -> None:
        """Kill it as a crash would: no farewell."""
        if self.child and self.child.poll() is None:
            self.child.kill()
        self._part()

    def stop(self) -> None:
        """Ask it to stop, and wait; kill it only if it does not listen."""
        if self.child is None or self.child.poll() is not None:
            return
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self._part()

    def _part(self) -> None:
        """Let go of a child that has ended. As long as we live, its standard input stays open: should we be killed, it ends, and so does the child."""
        if self.child:
            self.child.wait()
            if self.child.stdin:
                self.child.stdin.close()

    @property
    def is_up(self) -> bool:
        return self.child is not None and self.child.poll() is None


@dataclass(slots=True)
class Stand:
    """A running stand. Use as a context manager: what it started it stops."""

    plan: Plan
    database: server.Server
    platform: Process
    town: Process
    worker: Process | None
    platform_url: str
    town_url: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def processes(self) -> list[Process]:
        return [process for process in (self.platform, self.worker, self.town) if process is not None]

    def stop(self) -> None:
        """Stop people first, then the platform, then the database."""
        for process in (self.town, self.worker, self.platform):
            if process is not None:
                process.stop()
        with contextlib.suppress(Refusal):
            self.database.stop()


def start(plan: Plan) -> Stand:
    """Start database, platform and town, each awaited until it is healthy. Raises WouldNotStart."""
    plan.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (plan.home / "logs").mkdir(exist_ok=True)
    driver_key(plan.home)
    database = server.start(plan.home, fsync=plan.fsync)
    port, town_port, worker_port = plan.port or free_port(), plan.town_port or free_port(), free_port()
    platform_url, town_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{town_port}"
    environment = _environment(plan, database.url, town_url)
    role = "web" if plan.is_apart else "both"
    stand = Stand(
        plan,
        database,
        _platform("platform", plan, environment | {"PUHUI_PORT": str(port)}, role, platform_url),
        _town(plan, environment, town_port, platform_url),
        _platform("worker", plan, environment | {"PUHUI_PORT": str(worker_port), "PUHUI_PUBLIC_URL": platform_url}, "worker", f"http://127.0.0.1:{worker_port}")
        if plan.is_apart
        else None,
        platform_url,
        town_url,
    )
    try:
        stand.town.start()
        if plan.clock == "fast":
            _share_clock(stand)
        stand.platform.start()
        if stand.worker:
            stand.worker.start()
    except BaseException:
        stand.stop()
        raise
    return stand


def _share_clock(stand: Stand) -> None:
    """Hang the platform's clock on the same nail as the town's, and begin only when that clock is past all that was done before."""
    told = get_json(f"{stand.town_url}/town/clock")
    since_at, since_real = datetime.fromisoformat(told["since_at"]), datetime.fromisoformat(told["since_real"]).timestamp()
    clock = Clock(ClockMode.FAST, since_at, since_real, int(told["speed"]))
    last_at = asyncio.run(_store_clock(stand.database.url, clock))
    while last_at is not None and clock.now() <= last_at:
        time.sleep(0.1)


async def _store_clock(database_url: str, clock: Clock) -> datetime | None:
    connection = await asyncpg.connect(database_url, timeout=60)
    try:
        await migrate(connection)
        await desks.SQL.store_clock.run(
            _Holder(connection), mode=clock.mode.value, since_at=clock.since_at, since_real=clock.since_real, speed=clock.speed, tick_s=clock.tick_s
        )
        last: datetime | None = await connection.fetchval("select at from foundation.events order by seq desc limit 1")
        return last
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class _Holder:
    connection: asyncpg.Connection


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(plan: Plan, database_url: str, town_url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PUHUI_") or name == "PUHUI_LOG_LEVEL"}
    ours = {
        "PUHUI_HOME": str(plan.home),
        "PUHUI_DATABASE_URL": database_url,
        "PUHUI_CLOCK": plan.clock,
        "PUHUI_CLOCK_AT": plan.at,
        "PUHUI_CLOCK_SPEED": str(plan.speed),
        "PUHUI_DRIVER_KEY_FILE": str(public_key_file(plan.home)),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return kept | ours | {f"PUHUI_{service}_URL": town_url for service in SERVICES} | dict(plan.environment)


def _platform(name: str, plan: Plan, environment: dict[str, str], role: str, url: str) -> Process:
    command = [sys.executable, "-m", "puhui.web.serve", "--role", role, "--with-parent"]
    return Process(name, command, environment, f"{url}/health", plan.home / "logs" / f"{name}.log")


def _town(plan: Plan, environment: dict[str, str], port: int, platform_url: str) -> Process:
    command = [
        sys.executable, "-m", "puhui_town", "serve",
        "--with-parent", "--port", str(port), "--home", str(plan.home / "town"), "--platform", platform_url,
        "--clock", plan.clock, "--at", plan.at, "--speed", str(plan.speed),
        "--seed", str(plan.seed), "--people", str(plan.people), *plan.town_arguments,
    ]  # fmt: skip
    return Process("town", command, environment, f"http://127.0.0.1:{port}/town/health", plan.home / "logs" / "town.log")


def get_json(url: str) -> dict[str, Any]:
    """Ask a process of this stand for JSON, without a signature."""
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  (a loopback address of ours)
        answer: dict[str, Any] = json.load(response)
        return answer


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  (a loopback address of ours)
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
