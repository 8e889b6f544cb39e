"""The desk: what a process holds while it works. Journeys take it; rooms never see it.

`async with desk.work(actor) as work:` opens one transaction with one instant; it commits at the end of the block, with the events told in
it, or leaves nothing. Between two Works a journey asks the services outside.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncpg
import msgspec

from puhui.foundation import outbox, sql
from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.config import Config
from puhui.foundation.crypto import FieldKeys, load_keys
from puhui.foundation.days import business_date
from puhui.foundation.flows import Step
from puhui.foundation.keyfiles import load_private
from puhui.foundation.outbox import Reaction, Reader, Tail
from puhui.foundation.services import Service
from puhui.foundation.signing import Keyring, Nonces, PrivateKey
from puhui.foundation.work import HOUSE, Actor, Work

SQL = sql.load(__file__)
AWAY = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)
PATIENCE_S = 60.0
STATEMENTS_KEPT = 2000  # more than there are: each is prepared once a connection and never again
DURABLE, QUICK = "begin", "begin; set local synchronous_commit = off"


@dataclass(frozen=True, slots=True)
class Wiring:
    """Who answers what: steps by "kind.step", reactions by event kind, callbacks by kind ("rail.paid"). Handed in by `journeys`.

    A tail takes every batch of events whole, after their reactions and in the same Work: read models follow the log by it.
    """

    steps: Mapping[str, Step] = field(default_factory=dict)
    reactions: Mapping[str, Sequence[Reaction]] = field(default_factory=dict)
    callbacks: Mapping[str, Reader] = field(default_factory=dict)
    tails: Sequence[Tail] = ()


@dataclass(slots=True)
class Desk:
    """One per process. `owner` names this runner of flows; `held` keeps what journeys load once (artefacts, packs), by name."""

    config: Config
    clock: Clock
    pool: asyncpg.Pool
    keys: FieldKeys
    key: PrivateKey
    keyring: Keyring
    nonces: Nonces
    session: aiohttp.ClientSession
    wiring: Wiring
    owner: str
    services: dict[str, Service] = field(default_factory=dict)
    held: dict[str, Any] = field(default_factory=dict)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def work(self, actor: Actor = HOUSE, *, durable: bool = True) -> AsyncIterator[Work]:
        """Open one Work. `durable=False` lets the commit return before it is on the disk: only for what a repeat would write again.

        Waits up to 60 s for a database that is restarting, before the block begins and never after.
        """
        connection = await self._begin(DURABLE if durable else QUICK)
        try:
            at = self.clock.now()
            work = Work(connection, at, business_date(at), actor, self.clock, self.keys)
            try:
                yield work
                if work.told:
                    await outbox.write(work, work.told)
            except BaseException:
                await _undo(connection)
                raise
            await connection.execute("commit")
        finally:
            await self.pool.release(connection)
        if work.told:
            self.stirred.set()
        for call in work.after_commit:
            call()

    def service(self, name: str, *, base_url: str = "", owner: str = "", read_timeout_s: float = 3.0) -> Service:
        """Give the signed client of a service by its configured name, or of a partner by id and address. Kept, so connections are reused."""
        known = self.services.get(name)
        if known is None or (base_url and known.base_url != base_url):
            url = base_url or self.config.url_of(name)
            known = Service(name, url, self.key, self.keyring, self.clock, self.session, owner or name, read_timeout_s)
            self.services[name] = known
        return known

    async def close(self) -> None:
        till = self.held.get("till")
        if till is not None and till.writing is not None:
            await asyncio.wait({till.writing}, timeout=10)
            till.writing.cancel()
        await self.session.close()
        await asyncio.wait_for(self.pool.close(), 10)

    async def _begin(self, opening: str) -> asyncpg.Connection:
        """Take a connection and open its transaction; a database that is away is waited for."""
        waited = 0.0
        while True:
            connection = None
            try:
                connection = await self.pool.acquire(timeout=PATIENCE_S)
                await connection.execute(opening)
            except AWAY:
                if connection is not None:
                    await self.pool.release(connection)
                if waited >= PATIENCE_S:
                    raise
                waited += 0.25
                await asyncio.sleep(0.25)
            except BaseException:
                if connection is not None:
                    connection.terminate()
                    await self.pool.release(connection)
                raise
            else:
                return connection


async def open_desk(config: Config, wiring: Wiring, *, owner: str, database_url: str = "", clock: Clock | None = None) -> Desk:
    """Open the desk: keys, database pool, clock, outside clients. Keys are made on a first run on loopback only."""
    pool = await asyncpg.create_pool(
        database_url or config.database_url,
        min_size=0,
        max_size=config.pool_size,
        init=_speak_json,
        reset=_as_it_is,
        timeout=PATIENCE_S,
        statement_cache_size=STATEMENTS_KEPT,
        max_cached_statement_lifetime=0,
    )
    key = load_private(config.lender_key_path, "lender-1", make=config.is_loopback)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30), auto_decompress=False)
    known_clock = clock or await stored_clock(pool, config)
    return Desk(
        config,
        known_clock,
        pool,
        load_keys(config.field_keys_path, make=config.is_loopback),
        key,
        Keyring({key.key_id: key.published("lender")}),
        Nonces(known_clock.real_ms()),
        session,
        wiring,
        owner,
    )


async def stored_clock(pool: asyncpg.Pool, config: Config) -> Clock:
    """Give the clock of this run: where the database left it, or a fresh one by the configuration."""
    if config.clock is ClockMode.LIVE:
        return Clock()
    async with pool.acquire() as connection:
        row = await connection.fetchrow(SQL.stored_clock.text)
    if row and row["mode"] == config.clock.value:
        return Clock(config.clock, row["since_at"], row["since_real"], row["speed"], row["tick_s"])
    return Clock(config.clock, config.clock_at.astimezone(UTC), datetime.now(UTC).timestamp(), config.clock_speed, config.tick_s)


async def store_clock(work: Work) -> None:
    """Keep the clock, so that a restarted process goes on where this one stands."""
    clock = work.clock
    await SQL.store_clock.run(
        work, mode=clock.mode.value, since_at=clock.since_at, since_real=clock.since_real, speed=clock.speed, tick_s=clock.tick_s
    )


async def is_switched_off(work: Work, name: str) -> bool:
    """Say whether a switch of the house (pay-outs, a product's sale, ...) stands at off; one never touched is on."""
    return (await SQL.switch_state.value(work, name=name)) is False


async def set_switch(work: Work, name: str, *, is_on: bool) -> None:
    await SQL.set_switch.run(work, name=name, is_on=is_on, at=work.at, actor=work.actor.name)


async def _speak_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(data[1:]),
    )


async def _undo(connection: asyncpg.Connection) -> None:
    """Undo the transaction; a connection that cannot even do that is thrown away, and the server undoes it."""
    try:
        await connection.execute("rollback")
    except (*AWAY, asyncpg.PostgresError, asyncio.CancelledError):
        connection.terminate()


async def _as_it_is(_connection: asyncpg.Connection) -> None:
    """A connection comes back without session state: every transaction of ours ends, and every lock is the transaction's."""
