"""The house behind its doors, on a thread of its own, with the world outside and one resident who borrows: one for all tests of the doors."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from console_house import Console, open_console
from whole_loop import Loop, Resident, whole_loop

from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.config import Config
from puhui.foundation.desk import Desk, Wiring, open_desk
from puhui.foundation.keyfiles import load_private
from puhui.foundation.signing import PrivateKey, sign_request
from puhui.foundation.work import Actor
from puhui.rooms import channels, customers, staff
from puhui.rooms.staff import Role

MORNING = datetime(2026, 9, 1, 1, tzinfo=UTC)
PEOPLE = 200
PASSWORD = "correct-horse-battery-9"
MEMBERS = {
    "door.operations": frozenset({Role.OPERATIONS}),
    "door.finance": frozenset({Role.FINANCE}),
    "door.compliance": frozenset({Role.COMPLIANCE}),
    "door.auditor": frozenset({Role.AUDITOR}),
}


@dataclass
class House:
    """What a test of the doors holds. `run` runs a coroutine where the house lives."""

    aio: asyncio.AbstractEventLoop
    loop: Loop
    borrower: Resident
    asker: Resident
    loan_id: str
    customer_id: str
    tokens: list[str]
    partners: list[PrivateKey]
    visits: int = 0
    keys: int = 0
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def desk(self) -> Desk:
        return self.loop.desk

    @property
    def url(self) -> str:
        return self.loop.url

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.aio).result(120)

    def key(self) -> str:
        """Give a fresh Idempotency-Key."""
        self.keys += 1
        return f"k-{self.keys}"

    def visitor(self, customer_id: str | None = None) -> str:
        """Open a fresh visit of somebody who is logged in and give its secret: of this person, or of a newcomer."""
        self.visits += 1
        visitor = Resident(self.loop, 1000 + self.visits)
        session_id = f"se-{visitor.n}"

        async def come() -> None:
            await visitor.visit()
            async with self.desk.work(Actor("test", "door")) as work:
                who = customer_id or await customers.register(work, session_id=session_id, entry_id="", phone=f"1200{visitor.n:07d}")
                await channels.attach(work, session_id=session_id, customer_id=who)

        self.run(come())
        return visitor.secret

    def send(self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None, key: str | None = None) -> requests.Response:
        """Send exactly these bytes to exactly this path, as the borrower unless the headers say otherwise."""
        sent = {"Puhui-Session": self.borrower.secret, "Idempotency-Key": self.key() if key is None else key} | (headers or {})
        prepared = requests.Request(method, self.url + "/", data=body, headers=sent).prepare()
        prepared.url = self.url + path
        return self.session.send(prepared, timeout=60)

    def signed(self, method: str, path: str, body: bytes, *, partner: PrivateKey | None = None, key: str | None = None) -> requests.Response:
        key = (self.key() if key is None else key) if method == "POST" else ""
        headers = sign_request(
            partner or self.partners[0], method=method, path=path, body=body, idempotency_key=key, time_ms=self.desk.clock.real_ms()
        )
        prepared = requests.Request(method, self.url + "/", data=body, headers=headers).prepare()
        prepared.url = self.url + path
        return self.session.send(prepared, timeout=60)


@dataclass
class Bare:
    """A house with nobody in it yet, for the pages: `run` runs a coroutine where it lives."""

    aio: asyncio.AbstractEventLoop
    loop: Loop

    @property
    def desk(self) -> Desk:
        return self.loop.desk

    @property
    def url(self) -> str:
        return self.loop.url

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.aio).result(120)


@pytest.fixture(scope="session")
def house(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    yield from _lodge(databases, tmp_path_factory.mktemp("house"), _furnish)


@pytest.fixture(scope="module")
def own_house(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house like the shared one, for a module that must know everybody's standing in it."""
    yield from _lodge(databases, tmp_path_factory.mktemp("own"), _furnish)


@pytest.fixture(scope="session")
def bare_house(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    """A house that no test of hostile values has touched."""
    yield from _lodge(databases, tmp_path_factory.mktemp("bare"), _leave_bare)


Furnish = Callable[[Loop, Path], Awaitable[Any]]


def _lodge(databases: Any, home: Path, furnish: Furnish) -> Iterator[Any]:
    name = asyncio.run(databases.make())
    ready: Future[Any] = Future()
    over = asyncio.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_keep_house(home, databases.url(name), ready, over, furnish)))
    thread.start()
    try:
        kept = ready.result(120)
        yield kept
        kept.aio.call_soon_threadsafe(over.set)
    finally:
        thread.join(60)
        asyncio.run(databases.drop(name))


async def _keep_house(home: Path, url: str, ready: "Future[Any]", over: asyncio.Event, furnish: Furnish) -> None:
    try:
        config = Config(home=home, database_url=url, clock=ClockMode.STEPPED, pool_size=8)
        desk = await open_desk(config, Wiring(), owner="test", clock=Clock(ClockMode.STEPPED, MORNING))
        try:
            async with whole_loop(desk, people=PEOPLE) as loop:
                ready.set_result(await furnish(loop, home))
                await over.wait()
        finally:
            await desk.close()
    except BaseException as error:
        if not ready.done():
            ready.set_exception(error)
        raise


async def _leave_bare(loop: Loop, _home: Path) -> Bare:
    return Bare(asyncio.get_running_loop(), loop)


async def _furnish(loop: Loop, home: Path) -> House:
    """Let one resident borrow, give the staff its tokens, and let two partners have keys of their own."""
    offered: list[Resident] = []
    for n in range(1, 24):
        resident = Resident(loop, n)
        await resident.settle_in()
        if await resident.apply() == "offered":
            offered.append(resident)
        if len(offered) == 2:
            break
    borrower, asker = offered
    loan_id = await borrower.borrow()
    tokens = []
    async with loop.desk.work(durable=False) as work:
        customer_id = str((await channels.session_in(work, borrower.secret)).customer_id)
    async with loop.desk.work(Actor("staff", "st-000-console")) as work:
        for login, roles in MEMBERS.items():
            await staff.add_account(work, staff.CONSOLE, login=login, name=login, roles=roles, given_password=PASSWORD)
            logged_in = await staff.log_in(work, login=login, given_password=PASSWORD)
            assert isinstance(logged_in, staff.LoggedIn)
            tokens.append(logged_in.token)
    entry = next(one for one in channels.entries().values() if one.kind.value == "app")
    shop = min(owner for owner in loop.desk.held["listed_partners"] if owner.startswith("shop-"))
    partners = []
    for owner in (f"entry-{entry.entry_id}", shop):
        key = load_private(home / f"{owner}.pem", f"{owner}-9", make=True)
        loop.desk.keyring.add(key.published(owner))
        partners.append(key)
    return House(asyncio.get_running_loop(), loop, borrower, asker, loan_id, customer_id, tokens, partners)


@pytest.fixture(scope="session")
def console(house: House) -> Console:
    return open_console(house)
