"""What the commands share: the configuration, a database that runs and is up to date, a desk to work at."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from puhui.foundation import config as configuration
from puhui.foundation import desk as desks
from puhui.foundation import logs, server
from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.config import Config
from puhui.foundation.desk import Desk, Wiring, open_desk
from puhui.foundation.migrations import migrate
from puhui.foundation.refusals import Refusal
from puhui.foundation.work import Actor

T = TypeVar("T")
CONSOLE = Actor("staff", "st-000-console")


class DatabaseAway(Refusal):
    """The database does not answer: {why}. Is PUHUI_DATABASE_URL right, and does that server run?"""

    code = "cli.database-away"


def read_config() -> Config:
    """Read the configuration of this process. Raises BadSetting, UnknownSetting, ConfigUnreadable."""
    config = configuration.read(os.environ)
    logs.set_up("warning" if config.log_level == "info" else config.log_level)
    return config


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run an async command."""
    return asyncio.run(coroutine)


@asynccontextmanager
async def open_database(config: Config) -> AsyncIterator[str]:
    """Give the address of a running, migrated database: the configured one, or the embedded one of this home, shared with whoever uses it."""
    started = await asyncio.to_thread(server.start, config.home, database_url=config.database_url)
    try:
        connection = await connect(started.url)
        try:
            await migrate(connection)
        finally:
            await connection.close()
        yield started.url
    finally:
        await asyncio.to_thread(started.stop)


@asynccontextmanager
async def open_house(config: Config, wiring: Wiring | None = None) -> AsyncIterator[Desk]:
    """Give a desk in this house, on the clock that the house keeps."""
    async with open_database(config) as url:
        desk = await open_desk(config, wiring or Wiring(), owner="console", database_url=url, clock=await kept_clock(url, config.home))
        try:
            yield desk
        finally:
            await desk.close()


async def kept_clock(url: str, home: Path) -> Clock | None:
    """Give the clock the house runs on, if it has one of its own and no other was asked for.

    While nothing runs, a fast clock does not race on: it stands where the run left it, and moves at the pace of real time.
    """
    if "PUHUI_CLOCK" in os.environ:
        return None
    connection = await connect(url)
    try:
        row = await connection.fetchrow(desks.SQL.stored_clock.text)
    finally:
        await connection.close()
    if row is None or row["mode"] == ClockMode.LIVE.value:
        return None
    if row["mode"] == ClockMode.FAST.value and not is_running(home):
        return Clock(ClockMode.FAST, row["since_at"].astimezone(UTC), time.time(), 1, row["tick_s"])
    return Clock(ClockMode(row["mode"]), row["since_at"].astimezone(UTC), row["since_real"], row["speed"], row["tick_s"])


def is_running(home: Path) -> bool:
    """Say whether `puhui run` holds this house."""
    try:
        handle = os.open(home / "run.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


async def connect(url: str) -> asyncpg.Connection:
    """Connect. Raises DatabaseAway."""
    try:
        return await asyncpg.connect(url, timeout=60)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise DatabaseAway(why=f"{type(error).__name__}: {error}") from None


def wall_clock() -> datetime:
    """Give the machine's own time: only for names of files and for what is told on the screen."""
    return datetime.now(UTC)
