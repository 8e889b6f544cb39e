"""The driver: signs with its own key, moves the clocks of platform and town, and reads the town's truth for evaluation."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from puhui.foundation.clock import Clock
from puhui.foundation.keyfiles import load_private
from puhui.foundation.refusals import Refusal
from puhui.foundation.signing import PrivateKey, sign_request

ROUNDS_MAX = 200
FAR = datetime.max.replace(tzinfo=UTC)


class SideAway(Refusal):
    """{side} did not answer the driver: {why}. Look at its log {log}."""

    code = "driver.side-away"


class NeverQuiet(Refusal):
    """At {at} platform and town kept finding work for each other after {rounds} rounds; something goes in a circle."""

    code = "driver.never-quiet"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the parties whose clock is moved: its name, address, and the path of its clock."""

    name: str
    base_url: str
    path: str
    log: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """What one side did when it was let run: how many things, when it is due next, and whether the other sides may have got something to do by it."""

    did: int
    due: datetime = FAR
    stirs: bool = True


@dataclass(slots=True)
class Driver:
    """Drives a stepped run. `clock` is only what stands in `Puhui-Time`; `sides` are moved together, the platform's first.

    `dues` says when each side has something to do by itself, `stirred` who may have got something to do from another since it last ran.
    """

    key: PrivateKey
    session: aiohttp.ClientSession
    clock: Clock
    sides: Sequence[Side]
    did: int = 0
    on_step: Callable[[datetime], None] | None = None
    dues: dict[str, datetime] = field(default_factory=dict)
    stirred: set[str] = field(default_factory=set)

    async def ask(
        self, method: str, url: str, body: object = None, *, key: str = "", timeout_s: float = 600, signed_at: datetime | None = None
    ) -> Any:
        """Send one signed request and give its JSON; anything but 2xx is a fault that names what came. `signed_at` differs from our clock on request."""
        payload = b"" if body is None else msgspec.json.encode(body)
        path = "/" + url.split("/", 3)[3]
        time_ms = int(signed_at.timestamp() * 1000) if signed_at else self.clock.real_ms()
        headers = sign_request(self.key, method=method, path=path, body=payload, idempotency_key=key, time_ms=time_ms)
        async with self.session.request(method, url, data=payload or None, headers=headers, timeout=aiohttp.ClientTimeout(total=timeout_s)) as response:
            raw = await response.read()
        if response.status >= 300:
            raise SideAway(side=url, why=f"{response.status} {raw[:400].decode('utf-8', 'replace')}", log="")
        return msgspec.json.decode(raw) if raw else None

    async def advance(self, side: Side, to: datetime, *, run: bool) -> Moved:
        """Move one side's clock; give what it did. A side that tells how much it told the others (`told`) stirs nobody by nothing.

        A side that was started anew in the middle of a move may stand at `to` already, and takes no signature of before.
        """
        url, body = side.base_url + side.path, {"to": to.isoformat(), "run": run}
        try:
            try:
                answer = await self.ask("POST", url, body)
            except SideAway as away:
                if '"stale"' not in str(away.facts["why"]):
                    raise
                answer = await self.ask("POST", url, body, signed_at=to)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SideAway(side=side.name, why=type(error).__name__, log=side.log) from error
        did, due = int(answer["did"]), answer.get("next_due")
        return Moved(did, datetime.fromisoformat(due) if due else FAR, bool(answer.get("told", did)))

    async def run_until(self, until: datetime) -> None:
        """Step from due time to due time until `until`; at each instant the sides run in turn until all are quiet."""
        self.stirred.update(side.name for side in self.sides)
        due = await self.settle(self.clock.now())
        while due <= until:
            due = await self._step(max(due, self.clock.now()))
        await self._step(until)

    async def _step(self, to: datetime) -> datetime:
        """Move every clock to one instant, then let the sides run; give the next due time.

        Whoever is due first begins; of two due at once the last side, the town: what it tells, the platform need not ask.
        """
        first = min(reversed(self.sides), key=lambda side: self.dues[side.name])
        others = [side for side in self.sides if side is not first]
        await asyncio.gather(*(self.advance(side, to, run=False) for side in others))
        if self.on_step:
            self.on_step(to)
        await self._run(first, to)
        self.clock.step_to(max(to, self.clock.now()))
        return await self.settle(to, after=first)

    async def settle(self, at: datetime, *, after: Side | None = None) -> datetime:
        """Let the sides run in turn, the one `after` which comes first, while one is due or stirred; give the next due time.

        Who is due and still does nothing is left alone until another stirs it: what is due there is in the hands of a process that died, for a while.
        """
        order, in_vain = self._from(after), set[str]()
        for turn in range(ROUNDS_MAX * len(order)):
            waiting = [side for side in order if side.name in self.stirred or (self.dues.get(side.name, FAR) <= at and side.name not in in_vain)]
            if not waiting:
                return min(self.dues.values())
            side = order[turn % len(order)]
            if side in waiting and not await self._run(side, at):
                in_vain.add(side.name)
        raise NeverQuiet(at=at.isoformat(), rounds=ROUNDS_MAX)

    async def _run(self, side: Side, at: datetime) -> int:
        moved = await self.advance(side, at, run=True)
        self.did += moved.did
        self.dues[side.name] = moved.due
        self.stirred.discard(side.name)
        if moved.stirs:
            self.stirred.update(other.name for other in self.sides if other is not side)
        return moved.did

    def _from(self, after: Side | None) -> list[Side]:
        """Give the sides in the order in which they run, the one that has just run last."""
        place = self.sides.index(after) + 1 if after else 0
        return [*self.sides[place:], *self.sides[:place]]


def driver_key(home: Path) -> PrivateKey:
    """Give the driver's key of this home, made on a first run, and write its public half where both sides look for it."""
    key = load_private(home / "keys" / "driver-1.pem", "driver-1", make=True)
    public_key_file(home).write_text(b64encode(key.public_der).decode())
    return key


def public_key_file(home: Path) -> Path:
    return home / "keys" / "driver-1.pub"
