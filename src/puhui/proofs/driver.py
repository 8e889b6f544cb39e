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


@dataclass(slots=True)
class Driver:
    """Drives a stepped run. `clock` is only what stands in `Puhui-Time`; `sides` are moved together, the platform's first."""

    key: PrivateKey
    session: aiohttp.ClientSession
    clock: Clock
    sides: Sequence[Side]
    did: int = 0
    on_step: Callable[[datetime], None] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    async def ask(self, method: str, url: str, body: object = None, *, key: str = "", timeout_s: float = 600) -> Any:
        """Send one signed request and give its JSON; anything but 2xx is a fault that names what came."""
        payload = b"" if body is None else msgspec.json.encode(body)
        path = "/" + url.split("/", 3)[3]
        headers = sign_request(self.key, method=method, path=path, body=payload, idempotency_key=key, time_ms=self.clock.real_ms())
        async with self.session.request(method, url, data=payload or None, headers=headers, timeout=aiohttp.ClientTimeout(total=timeout_s)) as response:
            raw = await response.read()
        if response.status >= 300:
            raise SideAway(side=url, why=f"{response.status} {raw[:400].decode('utf-8', 'replace')}", log="")
        return msgspec.json.decode(raw) if raw else None

    async def advance(self, side: Side, to: datetime, *, run: bool) -> tuple[int, datetime | None]:
        """Move one side's clock; give what it did and when it is due next."""
        try:
            answer = await self.ask("POST", side.base_url + side.path, {"to": to.isoformat(), "run": run})
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SideAway(side=side.name, why=type(error).__name__, log=side.log) from error
        due = answer.get("next_due")
        return int(answer["did"]), datetime.fromisoformat(due) if due else None

    async def run_until(self, until: datetime) -> None:
        """Step from due time to due time until `until`; at each instant the sides run in turn until both did nothing."""
        while True:
            due = await self.settle(self.clock.now())
            if due is None or due > until:
                break
            await self._move(max(due, self.clock.now()))
        await self._move(until)
        await self.settle(until)

    async def _move(self, to: datetime) -> None:
        await asyncio.gather(*(self.advance(side, to, run=False) for side in self.sides))
        self.clock.step_to(max(to, self.clock.now()))
        if self.on_step:
            self.on_step(to)

    async def settle(self, at: datetime) -> datetime | None:
        """Let the sides run at one instant until each is quiet since any other last did something; give the next due time."""
        quiet, dues = 0, dict.fromkeys((side.name for side in self.sides), at)
        for turn in range(ROUNDS_MAX * len(self.sides)):
            side = self.sides[turn % len(self.sides)]
            did, due = await self.advance(side, at, run=True)
            dues[side.name] = due or FAR
            self.did += did
            quiet = 1 if did else quiet + 1
            if quiet >= len(self.sides):
                following = min(dues.values())
                return None if following == FAR else following
        raise NeverQuiet(at=at.isoformat(), rounds=ROUNDS_MAX)


def driver_key(home: Path) -> PrivateKey:
    """Give the driver's key of this home, made on a first run, and write its public half where both sides look for it."""
    key = load_private(home / "keys" / "driver-1.pem", "driver-1", make=True)
    public_key_file(home).write_text(b64encode(key.public_der).decode())
    return key


def public_key_file(home: Path) -> Path:
    return home / "keys" / "driver-1.pub"
