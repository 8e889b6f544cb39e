"""The whole loop in one process, for tests: the platform behind its real doors, the world outside behind its own, both on one stepped clock.

Residents come through the HTTP doors as phones do; nobody acts by himself. `test_...` files import this as `whole_loop`.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import aiohttp
import msgspec
import uvicorn

from puhui.foundation import flows
from puhui.foundation.config import SERVICES
from puhui.foundation.desk import Desk
from puhui.foundation.runner import drain
from puhui.foundation.services import learn_keys
from puhui.journeys import enter
from puhui.journeys.first_day import settle_in
from puhui.journeys.wiring import wiring
from puhui.rooms import channels
from puhui.web import app
from puhui_town.__main__ import SERVICES as MOVING_IN
from puhui_town.checks.pictures import Picture, draw
from puhui_town.wire import Clock as TownClock
from puhui_town.wire import ClockMode, Config, Town, open_town
from puhui_town.wire.signing import PublicKey

SOURCES = ("bureau", "telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device")
UNTIL = "2028-09-01"


class Answered(Exception):  # noqa: N818  (what came instead of a good answer)
    """A door answered with something else than 2xx."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body = status, body


@dataclass
class Loop:
    """Both sides, and a client of the platform's doors."""

    desk: Desk
    town: Town
    url: str
    client: aiohttp.ClientSession

    @property
    def folk(self) -> Any:
        return self.town.world.parts["people"]

    @property
    def breaches(self) -> list[str]:
        return [seen.kind for seen in self.town.world.parts["breaches"].all_seen()]

    async def pass_time(self, **span: float) -> None:
        await self.go_to(self.desk.clock.now() + timedelta(**span))

    async def go_to(self, to: datetime) -> None:
        """Move both clocks through every due time up to `to`, as the driver does."""
        while True:
            now = self.desk.clock.now()
            while await self.settle(now):
                pass
            if now >= to:
                return
            dues = [due for due in (await self._next_due(), self._town_due()) if due is not None and due > now]
            self.town.world.clock.move_to(min([*dues, to]))
            self.desk.clock.step_to(min([*dues, to]))

    async def recover(self) -> None:
        """What a process does that starts anew after a fault: it forgets what it held in hand."""
        async with self.desk.work() as work:
            await flows.forget_leases(work, self.desk.owner)

    async def settle(self, at: datetime) -> int:
        did = await drain(self.desk, at)
        return did + int(await self.town.world.scheduler.run_to(at))

    async def _next_due(self) -> datetime | None:
        async with self.desk.work(durable=False) as work:
            return await flows.next_due(work)

    def _town_due(self) -> datetime | None:
        due_ms = self.town.world.scheduler.next_due_ms()
        return None if due_ms is None else datetime.fromtimestamp(due_ms / 1000, UTC)


@dataclass
class Resident:
    """One resident with a phone, who goes through the doors."""

    loop: Loop
    n: int
    secret: str = ""
    taps: int = 0
    offers: list[dict[str, Any]] = field(default_factory=list)
    tries: int = 1
    visits: int = 0

    @property
    def customer_key(self) -> str:
        return f"tap-{self.n}-{self.taps}"

    async def step(self, name: str, **body: Any) -> dict[str, Any]:
        """Take a step; a step that met a fault or a busy house is sent again with the same key, up to `tries` times."""
        self.taps += 1
        for attempt in range(1, self.tries + 1):
            answer = await self.send(f"/borrower/v1/steps/{name}", msgspec.json.encode(body), self.customer_key)
            if answer[0] < 300:
                told: dict[str, Any] = answer[1]
                return told
            if answer[0] < 500 or attempt == self.tries:
                raise Answered(*answer)
            await self.loop.recover()
        raise AssertionError("unreachable")

    async def send(self, path: str, body: bytes, key: str) -> tuple[int, Any]:
        headers = {"Puhui-Session": self.secret, "Idempotency-Key": key}
        async with self.loop.client.post(self.loop.url + path, data=body, headers=headers) as response:
            raw = await response.read()
            return response.status, msgspec.json.decode(raw) if raw else None

    async def home(self) -> dict[str, Any]:
        async with self.loop.client.get(f"{self.loop.url}/borrower/v1/home", headers={"Puhui-Session": self.secret}) as response:
            told: dict[str, Any] = msgspec.json.decode(await response.read())
            if response.status >= 500 and self.tries > 1:
                await self.loop.recover()
                return await self.home()
            assert response.status == 200, told
            return told

    async def visit(self) -> None:
        """Open a fresh visit by one of our own apps; a fault is met as by an app that sends it again."""
        self.visits += 1
        session_id = f"se-{self.n}" if self.visits == 1 else f"se-{self.n}-{self.visits}"
        entry = next(one for one in channels.entries().values() if one.kind.value == "app")
        asked = enter.OpenSession(session_id=session_id, entry_id=entry.entry_id, kind="app", device=enter.DeviceSeen(device_id=f"dv-{self.n}"))
        for left in reversed(range(self.tries)):
            try:
                told = await enter.open_session(self.loop.desk, partner_id=f"entry-{entry.entry_id}", body=asked, key=session_id)
            except (RuntimeError, ConnectionError):
                if not left:
                    raise
                await self.loop.recover()
            else:
                self.secret = str(told["page_url"]).rsplit("/", 1)[-1]
                return

    async def come_back(self) -> None:
        """Open a fresh visit and log in with a code and the end of one's own id number."""
        await self.visit()
        tail = self.loop.folk.identity(f"n{self.n}").id_number[-4:]
        await self.step("login", phone=self.loop.folk.phone(self.n), id_tail=tail, **(await self.code("login", phone=True)))

    async def code(self, purpose: str, *, subject: str = "", phone: bool = False) -> dict[str, str]:
        given = ({"phone": self.loop.folk.phone(self.n)} if phone else {}) | ({"subject": subject} if subject else {})
        sent = await self.step("send_code", purpose=purpose, **given)
        otp_id = sent["show"]["otp_id"]
        return {"otp_id": otp_id, "code": self.loop.town.world.parts["checks"].otp.code(otp_id)}

    async def picture(self, picture: Picture) -> str:
        self.taps += 1
        for _ in range(self.tries):
            status, told = await self.send("/borrower/v1/files", draw(picture), self.customer_key)
            if status < 500:
                break
            await self.loop.recover()
        assert status == 200, told
        return str(told["file_ref"])

    async def consent(self, *items: str, purpose: str) -> None:
        told = await self.step("consent", items=list(items), purpose=purpose, until=UNTIL)
        watch = self.loop.town.world.parts["breaches"]
        for one in told["show"]["consents"]:
            until = datetime.fromisoformat(UNTIL).date()
            watch.consent_given(person=f"n{self.n}", consent_id=one["consent_id"], items=[one["item"]], purpose=purpose, until=until)

    async def settle_in(self) -> None:
        """Come in, say who one is, bind a card, and allow the looks that an application needs."""
        await self.visit()
        await self.introduce()

    async def introduce(self) -> None:
        folk = self.loop.folk
        await self.step("login", phone=folk.phone(self.n), **(await self.code("login", phone=True)))
        await self.consent("identity", "face", "financial_account", purpose="identity")
        him = folk.identity(f"n{self.n}")
        await self.step(
            "identity",
            person={"name": him.name, "id_type": "id_card", "id_number": him.id_number},
            front_ref=await self.picture(Picture("id_front", him.card_number_face)),
            back_ref=await self.picture(Picture("id_back", him.card_number_face)),
            selfie_ref=await self.picture(Picture("face", him.face)),
            living_place_code=him.home_place_code,
        )
        await self.step("bind", card_number=folk.card_number(self.n), phone=folk.phone(self.n), **(await self.code("bind", phone=True)))
        await self.consent(*SOURCES, purpose="loan")

    async def apply(self, amount_fen: int = 200_000, months: int = 6) -> str:
        """Apply and give the state that came."""
        told = await self.come_to_rest(await self.step("apply", amount_fen=amount_fen, months=months, purpose="daily"))
        self.offers = told.get("offers") or told["show"].get("offers", [])
        return str(told["state"])

    async def come_to_rest(self, told: dict[str, Any]) -> dict[str, Any]:
        """Wait, by looking at home every minute, while the house says that one waits."""
        while told["state"] == "waiting":
            await self.loop.pass_time(minutes=1)
            told = await self.home()
        return told

    async def borrow(self) -> str:
        """Take the first offer all the way to the money and give the loan's id."""
        offer = self.offers[0]
        told = await self.step("accept", offer_id=offer["offer_id"], amount_fen=offer["amount_max_fen"], months=offer["months"][-1])
        told = await self.come_to_rest(told)
        table_sha256 = told["show"]["table_sha256"]
        watch, clock = self.loop.town.world.parts["breaches"], self.loop.town.world.clock
        await self.step("read_cost", table_sha256=table_sha256)
        watch.cost_shown(person=f"n{self.n}", table_sha256=table_sha256, now_ms=clock.sign_ms())
        await self.loop.pass_time(minutes=1)
        contract_sha256 = (await self.step("confirm_cost", table_sha256=table_sha256))["show"]["contract_sha256"]
        watch.cost_confirmed(person=f"n{self.n}", table_sha256=table_sha256, contract_sha256=contract_sha256)
        told = await self.step("sign", contract_sha256=contract_sha256, **(await self.code("sign", subject=contract_sha256)))
        told = await self.come_to_rest(told)
        assert told["state"] in {"paying", "active"}, told
        for _ in range(60):
            await self.loop.pass_time(minutes=5)
            if loans := (await self.home())["loans"]:
                return str(loans[-1]["loan_id"])
        raise AssertionError("the money never came")


@asynccontextmanager
async def whole_loop(desk: Desk, *, people: int = 24, kind: type[Loop] = Loop) -> AsyncIterator[Loop]:
    """Open both sides around a desk with nothing wired yet; `kind` is a Loop of the test's own."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        town = _open_town(desk, people, url)
        base = f"http://127.0.0.1:{await town.start()}"
        desk.config = replace(desk.config, service_urls=dict.fromkeys(SERVICES, base), public_url=url)
        desk.wiring = wiring()
        await learn_keys(desk.session, desk.keyring, base)
        await settle_in(desk)
        server = uvicorn.Server(uvicorn.Config(app.build(desk), lifespan="off", access_log=False, log_level="warning", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[door]))
        try:
            async with aiohttp.ClientSession() as client:
                loop = kind(desk, town, url, client)
                await loop.settle(desk.clock.now())
                yield loop
        finally:
            server.should_exit = True
            await serving
            await town.stop()


def _open_town(desk: Desk, people: int, platform_url: str) -> Town:
    clock = TownClock.begin(ClockMode.STEPPED, desk.clock.now())
    town = open_town(Config(people=people, platform=platform_url), clock, [import_module(name).install for name in MOVING_IN])
    town.world.keys.know(PublicKey.read("lender-1", "lender", "ed25519", desk.key.public_der))
    town.world.at_start[:] = [begin for begin in town.world.at_start if "move_in" not in begin.__qualname__]  # nobody acts by himself here
    return town
