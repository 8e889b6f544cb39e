"""Funders in processes of their own, behind the town's own address: started, watched, moved with the clock, and ended with the town."""

import asyncio
import os
import secrets
import sys
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from puhui_town.wire import Ask, Reply, World, instant, json_bytes, to_ms
from puhui_town.wire.client import PlatformReply, Unanswered, Wire
from puhui_town.wire.signing import sign_request
from puhui_town.wire.words import instant_of

PASSED_ON = ("puhui-", "idempotency-key", "content-type")
PATIENCE_S = 30.0
AT_ONCE = 4


class Apart:
    """One funder's process. A `Follower` of the world; `pass_on` hands a request through, byte for byte."""

    def __init__(self, world: World, partner: str) -> None:
        self._world, self.partner = world, partner
        self._process: asyncio.subprocess.Process | None = None
        self._wire: Wire | None = None
        self._at_ms = 0
        """Where its stepped clock stands; what we sign to it must lie near."""

    async def start(self, room: asyncio.Semaphore) -> None:
        """Start the process and learn its port. Raises RuntimeError if it does not come up."""
        config, clock = self._world.config, self._world.clock.told()
        self._at_ms = self._world.clock.now_ms()
        assert config.home is not None, "funders apart need a folder"
        main = f"http://{config.host}:{self._world.parts['port']}"
        arguments = [
            "serve", "--only", self.partner, "--main-url", main, "--port", "0", "--home", str(config.home), "--platform", config.platform,
            "--clock", str(clock["mode"]), "--at", str(clock["since_at"]), "--since-real", str(clock["since_real"]), "--speed", str(clock["speed"]), "--tick-s", str(clock["tick_s"]),
            "--seed", str(config.seed), "--answer-delay-ms", str(config.answer_delay_ms),
        ]  # fmt: skip
        async with room:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "puhui_town", *arguments, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PUHUI_DRIVER_KEY_FILE": ""}
            )
            assert self._process.stdout is not None
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
        words = line.decode().split()
        if len(words) < 2 or not words[1].startswith("http://"):
            raise RuntimeError(f"{self.partner} did not come up")
        parts = urlsplit(words[1])
        self._wire = Wire(parts.hostname or "127.0.0.1", parts.port or 0)

    async def stop(self) -> None:
        if self._wire is not None:
            self._wire.close()
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.wait()

    async def pass_on(self, ask: Ask) -> Reply:
        """Hand a request through to the funder; what it leaves unanswered stays unanswered."""
        headers = [(name, value) for name, value in ask.headers.items() if name.startswith(PASSED_ON)]
        try:
            reply = await self._reach().exchange(ask.method, ask.path, headers, ask.raw, PATIENCE_S)
        except Unanswered:
            return Reply(status=0)
        kept = tuple((name, value) for name, value in reply.headers.items() if name.startswith("puhui-"))
        return Reply(reply.status, reply.raw, reply.headers.get("content-type", "application/json"), kept)

    async def advance(self, to: datetime, *, run: bool) -> tuple[int, int | None]:
        body = json_bytes({"to": instant(to), "run": run})
        told = msgspec.json.decode((await self._steer("POST", "/town/clock/advance", body)).raw)
        self._at_ms = to_ms(to)
        due = told.get("next_due")
        return int(told["did"]), to_ms(instant_of(due)) if due else None

    async def set_faults(self, rules: bytes | None) -> None:
        if rules is None:
            await self._steer("DELETE", "/town/faults", b"")
        else:
            await self._steer("PUT", "/town/faults", rules)

    async def fired(self) -> list[dict[str, Any]]:
        told = msgspec.json.decode((await self._steer("GET", "/town/faults/fired", b"")).raw)
        return list(told["fired"])

    async def _steer(self, method: str, path: str, body: bytes) -> PlatformReply:
        headers = sign_request(
            self._world.keys.own["town-1"], method=method, path=path, body=body, idempotency_key="",
            time_ms=self._at_ms if self._world.is_stepped else self._world.clock.sign_ms(), nonce=secrets.token_hex(16),
        )  # fmt: skip
        reply = await self._reach().exchange(method, path, headers, body, PATIENCE_S)
        if not reply.is_good:
            raise RuntimeError(f"{self.partner} answered {reply.status} to {method} {path}")
        return reply

    def _reach(self) -> Wire:
        if self._wire is None:
            raise Unanswered("not started")
        return self._wire


async def start_all(funders: list[Apart]) -> None:
    """Start the processes, a few at a time."""
    room = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(funder.start(room) for funder in funders))


async def stop_all(funders: list[Apart]) -> None:
    await asyncio.gather(*(funder.stop() for funder in funders))
