"""A town on a free port, the lender who signs, a platform that takes callbacks, and cards for whoever needs one."""

import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from puhui_town.rail import open_rail
from puhui_town.wire import CardFacts, Clock, ClockMode, Config, Service, Town, World, json_bytes, open_town
from puhui_town.wire.client import PlatformReply, Wire
from puhui_town.wire.server import Request, Response, Server
from puhui_town.wire.signing import PrivateKey, is_reply_good, sign_reply, sign_request

MORNING = datetime.fromisoformat("2026-09-01T09:00:00+08:00")
SECRET = bytes(range(32))
GOOD_CODE = "246810"


def key_of(key_id: str, owner: str) -> PrivateKey:
    seed = SECRET if key_id == "lender-1" else key_id.encode().ljust(32, b".")
    return PrivateKey(key_id, owner, Ed25519PrivateKey.from_private_bytes(seed))


@dataclass
class Platform:
    """The lender's side of the wire: takes callbacks, answers with `statuses` in turn, then 204."""

    now_ms: Callable[[], int]
    heard: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    key: PrivateKey = field(default_factory=lambda: key_of("lender-1", "lender"))

    def take(self, request: Request) -> Response:
        if request.target == "/keys":
            return Response(200, json.dumps({"keys": [self.key.public().published()]}).encode())
        self.heard.append({"path": request.target, "key": request.headers["puhui-key"], **json.loads(request.body)})
        status = self.statuses.pop(0) if self.statuses else 204
        headers = sign_reply(
            self.key, status=status, nonce=request.headers["puhui-nonce"], body=b"", idempotency_key=request.headers.get("idempotency-key", ""),
            time_ms=self.now_ms(),
        )
        return Response(status, b"", headers)

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.heard]


@dataclass
class Said:
    """A reply, and whether its signature was good."""

    status: int
    body: Any
    raw: bytes
    headers: dict[str, str]
    is_signed: bool


@dataclass
class Party:
    """Someone who signs requests to the town."""

    town: "RunningTown"
    key: PrivateKey

    async def ask(self, method: str, path: str, body: object = b"", *, key: str = "", nonce: str = "", time_ms: int | None = None) -> Said:
        payload = body if isinstance(body, bytes) else json_bytes(body)
        nonce = nonce or secrets.token_hex(16)
        headers = sign_request(
            self.key, method=method, path=path, body=payload, idempotency_key=key, nonce=nonce,
            time_ms=self.town.world.clock.sign_ms() if time_ms is None else time_ms,
        )
        reply: PlatformReply = await self.town.wire.exchange(method, path, headers, payload, 5.0)
        owner = self.town.world.keys.known[reply.headers["puhui-key"]].owner if "puhui-key" in reply.headers else ""
        is_signed = bool(owner) and is_reply_good(
            self.town.world.keys, owner=owner, status=reply.status, nonce=nonce, headers=reply.headers, body=reply.raw, idempotency_key=key,
            now_ms=self.town.world.clock.sign_ms(),
        )
        body = json.loads(reply.raw) if reply.raw[:1] == b"{" else None
        return Said(reply.status, body, reply.raw, dict(reply.headers), is_signed)

    async def post(self, path: str, body: object, *, key: str) -> Said:
        return await self.ask("POST", path, body, key=key)

    async def get(self, path: str) -> Said:
        return await self.ask("GET", path)


@dataclass
class RunningTown:
    town: Town
    platform: Platform
    wire: Wire
    lender: Party = field(init=False)
    driver: Party = field(init=False)

    def __post_init__(self) -> None:
        self.lender = Party(self, key_of("lender-1", "lender"))
        self.driver = Party(self, key_of("driver-1", "driver"))

    @property
    def world(self) -> World:
        return self.town.world

    async def advance(self, to: datetime, *, run: bool = True) -> dict[str, Any]:
        said = await self.driver.ask("POST", "/town/clock/advance", {"to": to.isoformat(), "run": run})
        assert said.status == 200, said.body
        assert isinstance(said.body, dict)
        return said.body

    async def advance_by(self, seconds: float) -> dict[str, Any]:
        clock = self.world.clock
        return await self.advance(datetime.fromtimestamp(clock.now().timestamp() + seconds, clock.now().tzinfo))


class Holders:
    """Cards of people who are enough for a test: number -> facts."""

    def __init__(self) -> None:
        self.facts: dict[str, CardFacts] = {
            "0000010000000017": CardFacts("p1", "王小芳", "790101199003070018", "12000000001", "B001", 500_000),
            "0000010000000025": CardFacts("p2", "李大山", "790102198801010026", "12000000002", "B002", 30_000),
        }

    def card_facts(self, card_number: str, as_of: datetime) -> CardFacts | None:
        return self.facts.get(card_number)


def with_rail(world: World) -> list[Service]:
    world.cards = Holders()
    return open_rail(world, lambda _world, _purpose, _phone, _subject, _otp_id, code: code == GOOD_CODE)


Install = Callable[[World], Iterable[Service]]


@dataclass
class TownMaker:
    """Makes running towns and ends them with the test."""

    running: list[tuple[RunningTown, Server]] = field(default_factory=list)

    async def __call__(self, *installs: Install, mode: ClockMode = ClockMode.STEPPED, home: Path | None = None, **config: Any) -> RunningTown:
        clock = Clock.begin(mode, MORNING)
        platform = Platform(clock.sign_ms)
        server = Server(platform.take, lambda _method, _target: 1 << 20, lambda: None)
        port = await server.listen("127.0.0.1", 0)
        town = open_town(Config(platform=f"http://127.0.0.1:{port}", home=home, **config), clock, installs)
        platform.now_ms = town.world.clock.sign_ms
        town.world.keys.know(key_of("driver-1", "driver").public())
        running = RunningTown(town, platform, Wire("127.0.0.1", await town.start()))
        self.running.append((running, server))
        return running

    async def stop(self, running: RunningTown) -> None:
        for pair in self.running:
            if pair[0] is running:
                running.wire.close()
                await running.town.stop()
                await pair[1].close()
        self.running = [pair for pair in self.running if pair[0] is not running]


@pytest.fixture
async def make_town() -> AsyncIterator[TownMaker]:
    maker = TownMaker()
    yield maker
    for running, _ in list(maker.running):
        await maker.stop(running)


@pytest.fixture
async def railed(make_town: TownMaker) -> RunningTown:
    """A stepped town with a rail alone."""
    return await make_town(with_rail)


@pytest.fixture
def rail_install() -> Install:
    return with_rail
