"""`bench apply`: whole loans live, from the tap to the money, with platform, town and database on the same cores.

New people each time, every step and every check, nothing fetched before; the rail takes 100 ms, every other service 20 ms; the reading time is
real, so applications overlap. The town sends the people and measures what they see; nothing here is counted by the platform itself.
"""

import os
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from puhui.foundation.clock import Clock
from puhui.proofs import stand
from puhui.proofs.driver import Driver, driver_key

WARMUP_S = 15
TOWN = ("--answer-delay-ms", "20", "--rail-delay-ms", "100")
EXCHANGES = frozenset({"puhui_request_seconds_count", "puhui_asked_seconds_count"})
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds by side since the machine started them."""

    platform: float
    town: float
    database: float


async def run(home: Path, *, seconds: int, per_s: int, seed: int) -> dict[str, Any]:
    """Measure, and print the machine beside the figures."""
    clock = Clock()
    plan = stand.Plan(home, clock="live", seed=seed, people=0, fsync=True, town_arguments=TOWN)
    with stand.start(plan) as running:
        async with aiohttp.ClientSession() as session:
            driver = Driver(driver_key(home), session, clock, [])
            began, before, had = time.monotonic(), spent(running), await exchanges(session, running)
            body = {"per_s": per_s, "seconds": seconds, "warmup_s": WARMUP_S}
            seen: dict[str, Any] = await driver.ask("POST", f"{running.town_url}/town/bench", body, key=f"bench-{seed}-{per_s}-{seconds}", timeout_s=seconds + WARMUP_S + 240)
            after, took = spent(running), time.monotonic() - began
            exchanged = await exchanges(session, running) - had
        loans_per_s_milli = seen.pop("loans_per_s_milli")
        return seen | {
            "loans_per_s": loans_per_s_milli / 1000,
            "tap_to_answer_p99_ms": seen["tap_to_answer_ms"].get("p99"),
            "sign_to_money_p99_ms": seen["sign_to_money_ms"].get("p99"),
            "exchanges": exchanged,
            "exchanges_per_loan": round(exchanged / seen["loans_all"], 1) if seen["loans_all"] else None,
            "per_s_wanted": per_s,
            "seconds": seconds,
            "cpu_s": {
                "platform": round(after.platform - before.platform, 2),
                "town": round(after.town - before.town, 2),
                "database": round(after.database - before.database, 2),
                "wall": round(took, 2),
            },
            "fsync_us": fsync_us(home),
            "machine": machine(),
            "at": clock.now().isoformat(timespec="seconds"),
            "where": "in the simulated town; rail 100 ms, other services 20 ms, reading time real",
        }


async def exchanges(session: aiohttp.ClientSession, running: stand.Stand) -> int:
    """Give how many HTTP exchanges the platform has had, those that it answered and those that it asked for, by its own `/metrics`."""
    total = 0.0
    for process in (running.platform, running.worker):
        if process is None:
            continue
        async with session.get(process.health_url.rsplit("/", 1)[0] + "/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
        total += sum(one.value for family in families for one in family.samples if one.name in EXCHANGES)
    return round(total)


def spent(running: stand.Stand) -> Spent:
    """Read the CPU seconds of each side from the kernel."""
    return Spent(
        _cpu_of([process.child.pid for process in (running.platform, running.worker) if process and process.child]),
        _cpu_of([running.town.child.pid] if running.town.child else []),
        _cpu_of([running.database.pid, *_children(running.database.pid)] if running.database.pid else []),
    )


def fsync_us(folder: Path, times: int = 200) -> int:
    """Give the median microseconds that one small durable write takes on this disk."""
    path = folder / "fsync-probe"
    took = []
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(times):
            os.pwrite(handle, b"x" * 512, 0)
            start = time.perf_counter()
            os.fsync(handle)
            took.append(time.perf_counter() - start)
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)
    return round(sorted(took)[times // 2] * 1e6)


def machine() -> dict[str, Any]:
    """Name the machine a figure was measured on."""
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")), platform.machine())
    return {"cpu": cpu, "cores": os.cpu_count(), "load_1m": round(os.getloadavg()[0], 2), "python": platform.python_version(), "system": platform.system()}


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in children.read_text("ascii").split()] if children.exists() else []


def _cpu_of(pids: Iterable[int]) -> float:
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(") ", 1)[1].split()
        except OSError:
            continue
        total += sum(int(one) for one in fields[11:15])
    return total / TICK

