"""What the tests stand on: one server for the session (fsync off), one migrated template, a fresh database, a desk and a Work for each test."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings

from puhui.foundation import server
from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.config import Config
from puhui.foundation.desk import Desk, Wiring, open_desk
from puhui.foundation.migrations import migrate
from puhui.foundation.work import Work

# The same draws in every run, so that a change is what turns a test red; PUHUI_NEW_DRAWS=1 goes looking for cases nobody has seen.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", derandomize=False, deadline=None)
settings.load_profile("new" if os.environ.get("PUHUI_NEW_DRAWS") else "same")

MORNING = datetime(2026, 9, 1, 1, tzinfo=UTC)  # 2026-09-01 09:00 in Shanghai


@dataclass
class Databases:
    """Makes fresh migrated databases on the session's server; `name_of_worker` keeps those of parallel workers apart."""

    server_url: str
    name_of_worker: str
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def template(self) -> str:
        return f"template_{self.name_of_worker}"

    def url(self, name: str) -> str:
        return self.server_url.replace("@/puhui?", f"@/{name}?")

    async def make_template(self) -> None:
        await self._execute(f'drop database if exists "{self.template}" with (force)', f'create database "{self.template}"')
        connection = await asyncpg.connect(self.url(self.template))
        try:
            await migrate(connection)
        finally:
            await connection.close()

    async def make(self) -> str:
        """Make a fresh database and give its name."""
        name = f"test_{self.name_of_worker}_{next(self.numbers)}"
        await self._execute(f'drop database if exists "{name}" with (force)', f'create database "{name}" template "{self.template}" strategy file_copy')
        return name

    async def drop(self, name: str) -> None:
        await self._execute(f'drop database if exists "{name}" with (force)')

    async def _execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.server_url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The session's server: started by the first worker that needs it, stopped by the last that leaves."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    home = tmp_path_factory.getbasetemp()
    home = home.parent / "postgres-home" if worker else home / "postgres-home"
    started = server.start(home, fsync=False, settings={"max_connections": "300"})
    try:
        made = Databases(started.url, worker or "main")
        asyncio.run(made.make_template())
        yield made
    finally:
        started.stop()
        with contextlib.suppress(server.ServerInUse):
            server.discard(home)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A fresh, migrated database of this test alone."""
    name = asyncio.run(databases.make())
    yield databases.url(name)
    asyncio.run(databases.drop(name))


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with nothing wired, on a stepped clock that stands at nine in the morning of 2026-09-01, Shanghai."""
    config = Config(home=tmp_path, database_url=database_url, clock=ClockMode.STEPPED, pool_size=8)
    opened = await open_desk(config, Wiring(), owner="test", clock=Clock(ClockMode.STEPPED, MORNING))
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def work(desk: Desk) -> AsyncIterator[Work]:
    """One Work, committed when the test is over."""
    async with desk.work() as opened:
        yield opened
