"""The HTTP server: httptools on asyncio, nothing between. One turn of the loop is one commit: replies leave after it, together.

It gives what a faulty world needs and a framework hides: a connection closed without a reply, an answer held back, a wrong signature.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httptools

log = logging.getLogger("puhui_town.server")

HEADERS_MAX = 64 * 1024


@dataclass(slots=True)
class Request:
    """A request as it came. `target` is path and query exactly as sent; header names are lower-case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Response:
    """What goes back. `wait_s` real seconds pass first; `is_cut` closes the connection then instead of answering."""

    status: int = 200
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    wait_s: float = 0.0
    is_cut: bool = False


Take = Callable[[Request], Response | Coroutine[Any, Any, Response]]
BodyMax = Callable[[str, str], int]


class Server:
    """Listens, and hands each request to `take`. `commit` makes durable what the requests of one turn did, before any of them is answered."""

    def __init__(self, take: Take, body_max: BodyMax, commit: Callable[[], None]) -> None:
        self.take, self.body_max, self._commit = take, body_max, commit
        self._ready: list[tuple[Connection, Response]] = []
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self, host: str, port: int) -> int:
        """Begin to listen and give the port (a free one for 0)."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port, backlog=512)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self.tasks):
            task.cancel()
        for connection in list(self.connections):
            connection.cut()
        self._commit()

    def answer(self, connection: "Connection", response: Response) -> None:
        """Answer after the commit of this turn of the loop."""
        if not self._ready:
            asyncio.get_running_loop().call_soon(self._flush)
        self._ready.append((connection, response))

    def _flush(self) -> None:
        ready, self._ready = self._ready, []
        self._commit()
        for connection, response in ready:
            if response.wait_s > 0:
                asyncio.get_running_loop().call_later(response.wait_s, connection.write, response)
            else:
                connection.write(response)


class Connection(asyncio.Protocol):
    """One client's connection; its requests are answered one after the other."""

    __slots__ = ("body_left", "chunks", "headers", "headers_left", "is_busy", "keeps", "parser", "queue", "server", "target", "transport")

    def __init__(self, server: Server) -> None:
        self.server = server
        self.parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport | None = None
        self.queue: deque[tuple[Request, bool]] = deque()
        self.is_busy = False
        self.keeps = True
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.transport = None
        self.server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.cut()

    def on_message_begin(self) -> None:
        self.target = b""
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []
        self.headers_left = HEADERS_MAX
        self.body_left = 0

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers_left -= len(name) + len(value)
        if self.headers_left < 0:
            self.cut()
            return
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.body_left = self.server.body_max(self.parser.get_method().decode("latin-1"), self.target.decode("latin-1"))
        if self.headers.get("expect", "").lower() == "100-continue" and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self.body_left -= len(body)
        if self.body_left >= 0:
            self.chunks.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self.chunks) if len(self.chunks) != 1 else self.chunks[0]
        request = Request(self.parser.get_method().decode("latin-1"), self.target.decode("latin-1"), self.headers, body)
        if self.body_left < 0:
            request.headers["puhui-too-large"] = "1"
        self.queue.append((request, self.parser.should_keep_alive()))
        if not self.is_busy:
            self.take_next()

    def take_next(self) -> None:
        if not self.queue or self.transport is None:
            return
        self.is_busy = True
        request, self.keeps = self.queue.popleft()
        try:
            if "puhui-too-large" in request.headers:
                self.server.answer(self, Response(413, b"", [("Connection", "close")]))
                self.keeps = False
                return
            taken = self.server.take(request)
        except Exception:
            log.exception("%s %s failed", request.method, request.target.partition("?")[0])
            self.server.answer(self, Response(500))
            return
        if isinstance(taken, Response):
            self.server.answer(self, taken)
        else:
            task = asyncio.get_running_loop().create_task(self._wait(request, taken))
            self.server.tasks.add(task)
            task.add_done_callback(self.server.tasks.discard)

    async def _wait(self, request: Request, taken: Coroutine[Any, Any, Response]) -> None:
        try:
            response = await taken
        except Exception:
            log.exception("%s %s failed", request.method, request.target.partition("?")[0])
            response = Response(500)
        self.server.answer(self, response)

    def write(self, response: Response) -> None:
        transport = self.transport
        if transport is None:
            return
        if response.is_cut:
            self.cut()
            return
        head = [_status_line(response.status)]
        head.extend(f"{name}: {value}\r\n" for name, value in response.headers)
        if not self.keeps:
            head.append("Connection: close\r\n")
        if response.status not in {204, 304}:
            head.append(f"Content-Length: {len(response.body)}\r\n")
        head.append("\r\n")
        transport.write("".join(head).encode("latin-1") + response.body)
        self.is_busy = False
        if not self.keeps:
            transport.close()
        elif self.queue:
            self.take_next()

    def cut(self) -> None:
        """Close without another word."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None


def _status_line(status: int) -> str:
    line = _LINES.get(status)
    if line is None:
        line = _LINES[status] = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    return line


_LINES: dict[int, str] = {}
