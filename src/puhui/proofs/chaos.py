"""Chaos: the same story told twice, once in peace, once while platform, worker and PostgreSQL are killed at random, both with faults on.

A kill is `kill -9`, in the middle of whatever happens. What dies is started again, as a supervisor would. Nothing may be lost or doubled, and
the end state must be the same to the byte.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from puhui.foundation.desk import AWAY
from puhui.proofs import money, stand
from puhui.proofs.driver import Driver, Moved, Side, SideAway
from puhui.proofs.end_state import canonical_lines, end_state
from puhui.proofs.story import SHANGHAI, Tale, Telling, begin, go_on

VICTIMS = ("platform", "worker", "postgres")
PATIENCE_S = 180.0
Progress = Callable[[datetime, datetime], None]


@dataclass(slots=True)
class Reaper:
    """Kills a process after every so many steps of the driver, at a random moment of the next ones, until `kills` are done."""

    stand: stand.Stand
    dice: random.Random
    kills: int
    every: int
    killed: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    blow: asyncio.Task[None] | None = None

    def on_step(self, _: datetime) -> None:
        """Decide whether it is time."""
        self.steps += 1
        if sum(self.killed.values()) < self.kills and self.steps % self.every == 0 and (self.blow is None or self.blow.done()):
            self.blow = asyncio.create_task(self._strike(self.dice.choice(VICTIMS), self.dice.uniform(0.0, 0.25)))

    async def _strike(self, victim: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.killed[victim] = self.killed.get(victim, 0) + 1
        await asyncio.to_thread(self._kill_and_revive, victim)

    def _kill_and_revive(self, victim: str) -> None:
        if victim == "postgres":
            if pid := self.stand.database.pid:
                os.kill(pid, signal.SIGKILL)
            until = time.monotonic() + PATIENCE_S
            while not self.stand.database.revive() and time.monotonic() < until:
                time.sleep(0.05)  # a killed process is there for a moment yet
            return
        process = self.stand.platform if victim == "platform" else self.stand.worker
        assert process is not None
        process.kill()
        process.start()


@dataclass(slots=True)
class PatientDriver(Driver):
    """A driver that asks again while a side is being started anew, and believes nobody that the others heard nothing of it."""

    async def advance(self, side: Side, to: datetime, *, run: bool) -> Moved:
        """Move one side's clock; a side that is away is waited for."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                moved = await Driver.advance(self, side, to, run=run)
            except SideAway:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)
            else:
                return replace(moved, stirs=moved.did > 0)


async def run(home: Path, *, kills: int, people: int, months: int, seed: int, on_progress: Progress | None = None) -> dict[str, Any]:
    """Tell the story in peace, then under fire; give what was lost, doubled, unbalanced, and whether both ended the same."""
    peaceful = await _tell(Tale(home / "peace", people=people, months=months, seed=seed, has_faults=True, is_apart=True), None, on_progress)
    tale = Tale(home / "fire", people=people, months=months, seed=seed, has_faults=True, is_apart=True, fsync=True)
    every = max(peaceful["steps"] // (kills + 1), 1)
    fire = await _tell(tale, (random.Random(seed), kills, every), on_progress)  # noqa: S311  (dice of a drill)
    differing = [line for line in fire["lines"] if line not in set(peaceful["lines"])]
    return {
        "kills": sum(fire["killed"].values()),
        "killed": fire["killed"],
        "lost": len(fire["money"].lost),
        "doubled": len(fire["money"].doubled),
        "unbalanced": len(fire["money"].unbalanced),
        "end_state_equal": fire["sha256"] == peaceful["sha256"],
        "state_sha256": fire["sha256"],
        "state_sha256_in_peace": peaceful["sha256"],
        "lines_differing": len(differing),
        "loans": fire["loans"],
        "steps": fire["steps"],
        "people": people,
        "months": months,
        "seed": seed,
        "found": [*fire["money"].lost, *fire["money"].doubled, *fire["money"].unbalanced][:20],
        "where": "in the simulated town, PostgreSQL with fsync, faults of delivery on in both tellings",
    }


async def _tell(tale: Tale, fire: tuple[random.Random, int, int] | None, on_progress: Progress | None) -> dict[str, Any]:
    tale.home.parent.mkdir(parents=True, exist_ok=True)
    plan = stand.Plan(tale.home, seed=tale.seed, people=tale.people, fsync=tale.fsync, is_apart=True)
    with stand.start(plan) as running:
        async with aiohttp.ClientSession() as session:
            telling = await begin(tale, running, session)
            calm = telling.driver
            telling.driver = PatientDriver(calm.key, calm.session, calm.clock, calm.sides)
            reaper = Reaper(running, *fire) if fire else None
            steps = [0]
            telling.driver.on_step = reaper.on_step if reaper else lambda _: steps.__setitem__(0, steps[0] + 1)
            try:
                await _go_on_whatever_dies(telling, on_progress)
                if reaper and reaper.blow:
                    await reaper.blow
                return await _outcome(telling, reaper.steps if reaper else steps[0], reaper.killed if reaper else {})
            finally:
                await telling.desk.close()


async def _go_on_whatever_dies(telling: Telling, on_progress: Progress | None) -> None:
    """Go on with the story; the played staff comes back to its desk if the house fell down around it."""
    until = time.monotonic() + 3600
    while True:
        try:
            await go_on(telling, telling.tale.until, on_progress=on_progress)
        except (SideAway, aiohttp.ClientError, *AWAY):
            if time.monotonic() > until:
                raise
            await asyncio.sleep(1)
        else:
            return


async def _outcome(telling: Telling, steps: int, killed: dict[str, int]) -> dict[str, Any]:
    day = telling.driver.clock.now().astimezone(SHANGHAI).date()
    rail = await telling.driver.ask("GET", f"{telling.town}/town/truth/rail")
    async with telling.desk.look() as work:
        found = await money.check(work, rail)
    state = await end_state(telling.desk, day)
    lines = await canonical_lines(telling.desk, day)
    loans = sum(b'"kind":"loan"' in line for line in lines)
    return {"sha256": state.sha256, "lines": lines, "money": found, "steps": steps, "killed": killed, "loans": loans}
