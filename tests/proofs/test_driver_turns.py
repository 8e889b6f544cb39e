"""Who is asked when by the driver of a stepped run: a side that is due, or to whom another side told something, and nobody else."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from puhui.foundation.clock import Clock, ClockMode
from puhui.proofs.driver import Driver, NeverQuiet, Side

T0 = datetime(2026, 9, 1, tzinfo=UTC)
QUIET = {"did": 0, "told": 0}


def after(minutes: int) -> str:
    return (T0 + timedelta(minutes=minutes)).isoformat()


@dataclass(slots=True)
class Scripted(Driver):
    """A driver whose sides answer from a script, each its next line; a side whose script is at its end is quiet."""

    scripts: dict[str, deque[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, bool]] = field(default_factory=list)

    async def ask(self, method: str, url: str, body: Any = None, **_: Any) -> Any:
        name = url.split("/")[2]
        self.asked.append((name, body["run"]))
        if not body["run"]:
            return QUIET
        script = self.scripts[name]
        return script.popleft() if script else QUIET


def driver(**scripts: list[dict[str, Any]]) -> Scripted:
    sides = [Side(name, f"http://{name}", "/advance") for name in ("platform", "town")]
    nothing: Any = SimpleNamespace()
    clock = Clock(ClockMode.STEPPED, T0)
    return Scripted(nothing, nothing, clock, sides, scripts={side.name: deque(scripts.get(side.name, [])) for side in sides})


def ran(driver: Scripted) -> list[str]:
    return [name for name, run in driver.asked if run]


async def test_a_side_that_told_nobody_anything_stirs_nobody() -> None:
    one = driver(platform=[{"did": 0, "told": 0, "next_due": after(1)}, {"did": 3, "told": 0}])
    await one.run_until(T0 + timedelta(minutes=1))
    assert ran(one) == ["platform", "town", "platform", "town"]  # the last: the end of the stretch, to which one side runs
    assert one.did == 3


async def test_what_a_side_told_lets_the_others_run() -> None:
    one = driver(platform=[{"did": 0, "told": 0, "next_due": after(1)}, {"did": 1, "told": 2}], town=[QUIET, {"did": 1, "told": 1}])
    await one.run_until(T0 + timedelta(minutes=1))
    assert ran(one)[:5] == ["platform", "town", "platform", "town", "platform"]


async def test_a_side_that_does_not_say_what_it_told_may_have_told_anything() -> None:
    one = driver(town=[{"did": 0, "next_due": after(1)}, {"did": 1}])
    await one.run_until(T0 + timedelta(minutes=1))
    assert ran(one)[:4] == ["platform", "town", "town", "platform"]


async def test_of_two_due_at_once_the_town_begins_and_the_platforms_clock_is_moved_first() -> None:
    one = driver(platform=[{"did": 0, "told": 0, "next_due": after(5)}], town=[{"did": 0, "told": 0, "next_due": after(5)}])
    await one.run_until(T0 + timedelta(minutes=5))
    assert one.asked[2:5] == [("platform", False), ("town", True), ("platform", True)]


async def test_who_is_due_and_does_nothing_is_left_alone_until_somebody_stirs_it():
    """What is due lies in the hands of a process that was killed: its lease must run out in real time, so the driver goes on asking, step by step."""
    held = [{"did": 0, "told": 0, "next_due": after(1)}] * 300
    one = driver(platform=[*held, {"did": 1, "told": 0}])
    await one.run_until(T0 + timedelta(minutes=1))
    assert ran(one).count("platform") >= 301
    assert one.did == 1


async def test_two_that_find_work_for_each_other_for_ever_are_stopped() -> None:
    busy = [{"did": 1, "told": 1}] * 1000
    with pytest.raises(NeverQuiet):
        await driver(platform=busy, town=busy).run_until(T0)
