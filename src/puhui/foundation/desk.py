"""The desk: what a process holds while it works. Journeys take it; rooms never see it.

`async with desk.work(actor) as work:` opens one transaction with one instant; it commits at the end of the block, with the events told in
it, or leaves nothing. `desk.look(actor)` opens a Work that only reads, without a transaction. Between two Works a journey asks the services outside.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import aiohttp
import asyncpg

from puhui.foundation import outbox, sql
from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.config import Config
from puhui.foundation.connections import Connections
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
DURABLE, QUICK = "commit and chain", "set local synchronous_commit = off; commit and chain"


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
    writing: Connections
    reading: Connections
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
        connection = await self._take(self.writing)
        try:
            work = self._work(connection, actor)
            try:
                yield work
                if work.told:
                    await outbox.write(work, work.told)
            except BaseException:
                await _undo(connection)
                raise
            await connection.execute(DURABLE if durable else QUICK)
        finally:
            self.writing.give_back(connection)
        if work.told:
            self.stirred.set()
        for call in work.after_commit:
            call()

    @asynccontextmanager
    async def look(self, actor: Actor = HOUSE) -> AsyncIterator[Work]:
        """Open a Work that only reads: one instant, each statement for itself, and the database refuses to write in it. Waits as `work` does."""
        connection = await self._take(self.reading)
        try:
            work = self._work(connection, actor)
            yield work
            assert not work.told, "a look tells nothing"
        finally:
            self.reading.give_back(connection)

    def _work(self, connection: asyncpg.Connection, actor: Actor) -> Work:
        at = self.clock.now()
        return Work(connection, at, business_date(at), actor, self.clock, self.keys)

    def service(self, name: str, *, base_url: str = "", owner: str = "", read_timeout_s: float = 3.0) -> Service:
        """Give the signed client of a service by its configured name, or of a partner by id and address. Kept, so connections are reused."""
        known = self.services.get(name)
        if known is None or (base_url and known.base_url != base_url):
            url = base_url or self.config.url_of(name)
            known = Service(name, url, self.key, self.keyring, self.clock, self.session, owner or name, read_timeout_s, known.told if known else 0)
            self.services[name] = known
        return known

    async def close(self) -> None:
        till = self.held.get("till")
        if till is not None and till.writing is not None:
            await asyncio.wait({till.writing}, timeout=10)
            till.writing.cancel()
        await self.session.close()
        await self.writing.close()
        await self.reading.close()

    async def _take(self, connections: Connections) -> asyncpg.Connection:
        """Take a connection; a database that is away is waited for."""
        waited = 0.0
        while True:
            try:
                return await connections.take()
            except AWAY:
                if waited >= PATIENCE_S:
                    raise
                waited += 0.25
                await asyncio.sleep(0.25)


async def open_desk(config: Config, wiring: Wiring, *, owner: str, database_url: str = "", clock: Clock | None = None) -> Desk:
    """Open the desk: keys, database pool, clock, outside clients. Keys are made on a first run on loopback only."""
    url = database_url or config.database_url
    writing, reading = (Connections(url, most=config.pool_size, may_write=may_write, patience_s=PATIENCE_S) for may_write in (True, False))
    key = load_private(config.lender_key_path, "lender-1", make=config.is_loopback)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30), auto_decompress=False)
    known_clock = clock or await stored_clock(reading, config)
    return Desk(
        config,
        known_clock,
        writing,
        reading,
        load_keys(config.field_keys_path, make=config.is_loopback),
        key,
        Keyring({key.key_id: key.published("lender")}),
        Nonces(known_clock.real_ms()),
        session,
        wiring,
        owner,
    )


async def stored_clock(reading: Connections, config: Config) -> Clock:
    """Give the clock of this run: where the database left it, or a fresh one by the configuration."""
    if config.clock is ClockMode.LIVE:
        return Clock()
    connection = await reading.take()
    try:
        row = await connection.fetchrow(SQL.stored_clock.text)
    finally:
        reading.give_back(connection)
    if row and row["mode"] == config.clock.value:
        return Clock(config.clock, row["since_at"], row["since_real"], row["speed"], row["tick_s"])
    return Clock(config.clock, config.clock_at.astimezone(UTC), speed=config.clock_speed, tick_s=config.tick_s)


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


async def _undo(connection: asyncpg.Connection) -> None:
    """Undo the transaction; a connection that cannot even do that is thrown away, and the server undoes it."""
    try:
        await connection.execute("rollback and chain")
    except (*AWAY, asyncpg.PostgresError, asyncio.CancelledError):
        connection.terminate()

