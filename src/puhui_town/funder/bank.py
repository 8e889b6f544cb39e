"""How a funder reaches its money: its own account, its pool, and the pool's statement."""

import http.client
import secrets
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from puhui_town.rail.books import Books
from puhui_town.rail.transfer import PoolMove
from puhui_town.wire import Ask, Route, World, json_bytes, not_found
from puhui_town.wire.signing import sign_request

TRIES = 5


class Bank(Protocol):
    """What a funder may do at the rail."""

    def fund(self, partner: str, move_id: str, fen: int) -> bool:
        """Move own money into the pool (back, below 0), once for a `move_id`; False if there is too little."""
        ...

    def moves(self, partner: str, after: int) -> list[PoolMove]:
        """Give the lines of the pool's statement after the n-th."""
        ...


class NearBank:
    """The rail of the same process."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def fund(self, partner: str, move_id: str, fen: int) -> bool:
        return self._books.fund(partner, move_id, fen)

    def moves(self, partner: str, after: int) -> list[PoolMove]:
        return self._books.pool_moves(partner, after)


class Fund(msgspec.Struct, frozen=True):
    """Body of `POST /town/pools/{partner}/fund`."""

    move_id: str
    fen: int


class Statement(msgspec.Struct, frozen=True):
    """Answer of `GET /town/pools/{partner}/moves`."""

    moves: list[PoolMove]


class FarBank:
    """The rail of the town, asked over its own wire by a funder in a process of its own. It waits for the answer: without its bank a
    funder can do nothing anyhow.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        parts = urlsplit(world.config.main_url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80

    def fund(self, partner: str, move_id: str, fen: int) -> bool:
        body = json_bytes(Fund(move_id, fen))
        told = self._ask(partner, "POST", f"/town/pools/{partner}/fund", body, move_id)
        return bool(msgspec.json.decode(told)["done"])

    def moves(self, partner: str, after: int) -> list[PoolMove]:
        told = self._ask(partner, "GET", f"/town/pools/{partner}/moves?cursor={after}", b"", "")
        return msgspec.json.decode(told, type=Statement).moves

    def _ask(self, partner: str, method: str, path: str, body: bytes, key: str) -> bytes:
        for attempt in range(TRIES):
            headers = sign_request(
                self._world.keys.own[partner], method=method, path=path, body=body, idempotency_key=key,
                time_ms=self._world.clock.sign_ms(), nonce=secrets.token_hex(16),
            )  # fmt: skip
            connection = http.client.HTTPConnection(self._host, self._port, timeout=5)
            try:
                connection.request(method, path, body or None, dict(headers))
                reply = connection.getresponse()
                told = reply.read()
                if reply.status == 200:
                    return told
                raise RuntimeError(f"the town answered {reply.status}")
            except (OSError, http.client.HTTPException):
                if attempt == TRIES - 1:
                    raise
            finally:
                connection.close()
        raise AssertionError("unreachable")


class Counter:
    """The rail's counter for funders in processes of their own."""

    def __init__(self, books: Books, partners: list[str]) -> None:
        self._books, self._partners = books, frozenset(partners)

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", "/town/pools/{partner}/fund", "fund", self.fund, who=self._partners),
            Route("GET", "/town/pools/{partner}/moves", "moves", self.moves, who=self._partners),
        )

    def fund(self, ask: Ask) -> dict[str, object]:
        body = ask.read(Fund)
        return {"done": self._books.fund(self._own(ask), body.move_id, body.fen)}

    def moves(self, ask: Ask) -> Statement:
        return Statement(self._books.pool_moves(self._own(ask), ask.cursor()))

    def _own(self, ask: Ask) -> str:
        if ask.sender != ask.args["partner"]:
            raise not_found("pool")
        return ask.sender
