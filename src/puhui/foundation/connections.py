"""The connections to the database that a process keeps: opened when first needed, lent, given back, every statement prepared once on each.

A connection for writing stands in an open transaction while it waits: what ends one opens the next (`commit and chain`), so that a Work costs
one trip beside its statements and not two. Before its first statement such a transaction reads, locks and holds nothing. A connection for
reading stands in none, runs each statement for itself, and refuses to write.
"""

import asyncio

import asyncpg
import msgspec

STATEMENTS_KEPT = 2000  # more than there are
GOODBYE_S = 5.0


class Connections:
    """At most `most` connections to one database, the one given back last lent first."""

    def __init__(self, url: str, *, most: int, may_write: bool, patience_s: float) -> None:
        self._url, self._may_write, self._patience_s = url, may_write, patience_s
        self._room = asyncio.Semaphore(most)
        self._idle: list[asyncpg.Connection] = []
        self._is_closed = False

    async def take(self) -> asyncpg.Connection:
        """Give a living connection, opened now if none waits. Raises InterfaceError after `close`, TimeoutError if all are lent for too long."""
        if self._is_closed:
            raise asyncpg.InterfaceError("the connections are closed")
        async with asyncio.timeout(self._patience_s):
            await self._room.acquire()
        try:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
            return await self._open()
        except BaseException:
            self._room.release()
            raise

    def give_back(self, connection: asyncpg.Connection) -> None:
        """Take a connection back for the next; one that stands where it should not is thrown away, and the server undoes what it was at."""
        if not connection.is_closed():
            if self._is_closed or connection.is_in_transaction() is not self._may_write:
                connection.terminate()
            else:
                self._idle.append(connection)
        self._room.release()

    async def close(self) -> None:
        """Close what waits now, and what is still lent when it comes back."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close(timeout=GOODBYE_S)

    async def _open(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            self._url,
            timeout=self._patience_s,
            statement_cache_size=STATEMENTS_KEPT,
            max_cached_statement_lifetime=0,
            server_settings={
                "default_transaction_read_only": "off" if self._may_write else "on",
                "idle_in_transaction_session_timeout": "0",
            },
        )
        try:
            await _speak_json(connection)
            if self._may_write:
                await connection.execute("begin")
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _speak_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda data: msgspec.json.decode(data[1:]),
    )
