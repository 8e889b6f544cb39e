"""The town's own HTTP client, for callbacks, shops, entry apps, and people on their phones.

It is small on purpose: a few dozen microseconds a call, since the town shares its processors with what it measures. Connections are kept
and reused. A call whose reused connection turns out closed before a byte of the reply came is sent once more on a fresh one.
"""

import asyncio
import secrets
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec

from puhui_town.wire.clock import Clock
from puhui_town.wire.signing import Keys, PublicKey, is_reply_good, sign_request
from puhui_town.wire.words import json_bytes

CONNECT_S = 1.0


class Unanswered(Exception):  # noqa: N818 - what it says is that nothing is known
    """No reply that counts: refused, timed out, broken, or badly signed."""


class TimedOut(Unanswered):
    """The reply did not come in time."""


@dataclass(frozen=True, slots=True)
class PlatformReply:
    """What came back. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def is_good(self) -> bool:
        return self.status < 300

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object, {} when there is none."""
        try:
            value = msgspec.json.decode(self.raw) if self.raw else {}
        except msgspec.DecodeError:
            return {}
        return value if isinstance(value, dict) else {"items": value}


class Connection(asyncio.Protocol):
    """One kept connection, one exchange at a time."""

    __slots__ = ("began", "chunks", "closed", "done", "headers", "keeps", "parser", "transport")

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []
        self.done: asyncio.Future[PlatformReply] | None = None
        self.closed = False
        self.keeps = True
        self.began = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.closed = True
        if self.done is not None and not self.done.done():
            self.done.set_exception(Unanswered("the connection was closed"))

    def data_received(self, data: bytes) -> None:
        self.began = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            if self.done is not None and not self.done.done():
                self.done.set_exception(Unanswered("the reply was no HTTP"))
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        if status == 100:
            return
        self.keeps = self.parser.should_keep_alive()
        reply = PlatformReply(status, self.headers, b"".join(self.chunks))
        self.headers, self.chunks = {}, []
        self.parser = httptools.HttpResponseParser(self)
        if self.done is not None and not self.done.done():
            self.done.set_result(reply)

    def send(self, data: bytes) -> "asyncio.Future[PlatformReply]":
        assert self.transport is not None
        self.began = False
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self.done

    def close(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.close()


@dataclass(slots=True)
class Wire:
    """Connections to one origin."""

    host: str
    port: int
    idle: list[Connection] = field(default_factory=list)

    async def exchange(self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float) -> PlatformReply:
        """Send one request and give the reply. Raises Unanswered."""
        head = [f"{method} {target} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Length: {len(body)}\r\n"]
        head.extend(f"{name}: {value}\r\n" for name, value in headers)
        head.append("\r\n")
        data = "".join(head).encode("utf-8") + body
        while True:
            connection, is_reused = await self._take()
            done = connection.send(data)
            timer = asyncio.get_running_loop().call_later(timeout_s, _time_out, done)
            try:
                reply = await done
            except TimedOut:
                connection.close()
                raise
            except Unanswered:
                began = connection.began
                connection.close()
                if is_reused and not began:
                    continue
                raise
            except asyncio.CancelledError:
                connection.close()
                raise
            finally:
                timer.cancel()
            if connection.keeps and not connection.closed:
                self.idle.append(connection)
            else:
                connection.close()
            return reply

    def close(self) -> None:
        for connection in self.idle:
            connection.close()
        self.idle.clear()

    async def _take(self) -> tuple[Connection, bool]:
        while self.idle:
            connection = self.idle.pop()
            if not connection.closed:
                return connection, True
        loop = asyncio.get_running_loop()
        try:
            _, made = await asyncio.wait_for(loop.create_connection(Connection, self.host, self.port), CONNECT_S)
        except (OSError, TimeoutError):
            raise Unanswered("no connection") from None
        return made, False


def _time_out(done: "asyncio.Future[PlatformReply]") -> None:
    if not done.done():
        done.set_exception(TimedOut("no reply in time"))


class PlatformClient:
    """Calls to the platform: signed as one of the town's parties, or plain as a person's phone or browser."""

    def __init__(self, base_url: str, keys: Keys, clock: Clock) -> None:
        parts = urlsplit(base_url)
        self.base_url = base_url
        self.prefix = parts.path.rstrip("/")
        self._keys, self._clock = keys, clock
        self._wires: dict[tuple[str, int], Wire] = {}
        self._home = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._learning: asyncio.Task[None] | None = None
        self._learned_ms = 0

    async def signed(self, key_id: str, method: str, path: str, body: object = b"", *, key: str = "", timeout_s: float = 3.0) -> PlatformReply:
        """Ask as the party that holds `key_id`. `body` is bytes or a value for JSON, `key` the Idempotency-Key of a POST.

        Raises Unanswered, also when the reply bears no good signature of the lender.
        """
        payload = body if isinstance(body, bytes) else json_bytes(body)
        target, nonce = self.prefix + path, secrets.token_hex(16)
        time_ms = self._clock.sign_ms()
        signed = sign_request(self._keys.own[key_id], method=method, path=target, body=payload, idempotency_key=key, time_ms=time_ms, nonce=nonce)
        if payload:
            signed.append(("Content-Type", "application/json"))
        reply = await self._wire().exchange(method, target, signed, payload, timeout_s)
        if reply.headers.get("puhui-key", "") not in self._keys.known:
            await self.learn_keys()
        if not is_reply_good(
            self._keys, owner="lender", status=reply.status, nonce=nonce, headers=reply.headers, body=reply.raw, idempotency_key=key,
            now_ms=self._clock.sign_ms(),
        ):  # fmt: skip
            raise Unanswered(f"status {reply.status} without a good signature")
        return reply

    async def plain(
        self, method: str, path: str, body: object = b"", *, headers: Mapping[str, str] | None = None, timeout_s: float = 10.0
    ) -> PlatformReply:
        """Ask unsigned, as a person does. `path` may be a whole address of any host (`page_url`). Raises Unanswered."""
        payload = body if isinstance(body, bytes) else json_bytes(body)
        sent = list((headers or {}).items())
        if payload and not any(name.lower() == "content-type" for name, _ in sent):
            sent.append(("Content-Type", "application/json"))
        if path.startswith("http://"):
            parts = urlsplit(path)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            wire = self._wire((parts.hostname or "", parts.port or 80))
        else:
            target, wire = self.prefix + path, self._wire()
        return await wire.exchange(method, target, sent, payload, timeout_s)

    async def learn_keys(self) -> None:
        """Read the keys the platform publishes; at most once a real second, and one reading serves all who wait."""
        if self._learning is None or self._learning.done():
            if abs(self._clock_real() - self._learned_ms) < 1000:
                return
            self._learning = asyncio.get_running_loop().create_task(self._learn())
        await asyncio.shield(self._learning)

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()

    def _clock_real(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000) + 10_000

    def _wire(self, where: tuple[str, int] | None = None) -> Wire:
        host, port = where or self._home
        wire = self._wires.get((host, port))
        if wire is None:
            wire = self._wires[host, port] = Wire(host, port)
        return wire

    async def _learn(self) -> None:
        self._learned_ms = self._clock_real()
        try:
            reply = await self.plain("GET", "/keys", timeout_s=3.0)
            for one in reply.body.get("keys", ()):
                self._keys.know(PublicKey.read(one["key_id"], one["owner"], one["alg"], b64decode(one["public_key"])))
        except (Unanswered, KeyError, TypeError, ValueError):
            return
