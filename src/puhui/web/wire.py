"""Requests in and replies out: bytes, keys, receipts. Every door stands on this and none touches a header itself."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from puhui.foundation import metrics, receipts
from puhui.foundation.desk import AWAY, Desk
from puhui.foundation.logs import log
from puhui.foundation.receipts import Receipt
from puhui.foundation.refusals import BadField, Refusal
from puhui.foundation.services import learn_keys
from puhui.foundation.signing import PublicKey, UnknownKey, check_request, sign_reply
from puhui.journeys import register
from puhui.web.errors import as_bad_field, told

BODY_MAX = 1 << 20
FILE_MAX = 5 << 20
KEPT = frozenset({400, 404, 409, 422})
SERVICE_OWNERS = frozenset({"rail", "bureau", "local-bureau", "checks", "sign", "message"})
_KEY = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
Body = TypeVar("Body")
Headers = Mapping[str, str]


class TooLarge(Refusal):
    """The body is larger than the {most} bytes allowed here; nothing was read."""

    code = "too-large"
    zh = "内容太大了，最多 {most} 字节。"
    status = 413


class ComeAgain(Refusal):
    """The books are briefly out of reach; nothing was done. Send the same request with the same key again in a few seconds."""

    code = "busy"
    zh = "系统正在恢复，请几秒后再试一次，您填的内容不会丢。"
    status = 503
    retry = "later"


class OurFault(Refusal):
    """Something broke on our side; nothing is half done. Send the same request with the same key again."""

    code = "fault"
    zh = "我们这边出了点问题，没有做到一半的事。请稍后再试一次。"
    status = 500
    retry = "later"


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out: a status and a body (a value sent as JSON, or bytes of a kind)."""

    body: Any = None
    status: int = 200
    media_type: str = "application/json"

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)


def parse(body: bytes, kind: type[Body]) -> Body:
    """Turn JSON into a value of a struct; here the text stops. A NUL sign, which no text of ours may hold, is refused. Raises BadField."""
    try:
        if b"\\u0000" in body:
            _demand_texts(msgspec.json.decode(body))
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise as_bad_field(error) from None
    except (UnicodeDecodeError, RecursionError):
        raise BadField(field="body", why="it is no UTF-8 JSON of a sensible depth") from None


def _demand_texts(value: Any, field: str = "body") -> None:
    """Refuse the sign U+0000 wherever it stands: no text has it, and no database keeps it."""
    match value:
        case str() if "\0" in value:
            raise BadField(field=field, why="a text may not hold the sign U+0000")
        case dict():
            for name, inner in value.items():
                _demand_texts(name, field)
                _demand_texts(inner, name)
        case list():
            for inner in value:
                _demand_texts(inner, field)


def texts_of(values: Mapping[str, str]) -> dict[str, str]:
    """Give the values of a query or a path. Raises BadField for one that no text can be."""
    for name, value in values.items():
        _demand_texts(value, name)
    return dict(values)


def key_of(request: Request) -> str:
    """Give the Idempotency-Key. Raises BadField."""
    key = request.headers.get("idempotency-key", "")
    if not _KEY.fullmatch(key):
        raise BadField(field="Idempotency-Key", why="every POST carries one, 1..64 of A-Z a-z 0-9 _ -")
    return key


async def read_body(request: Request, most: int = BODY_MAX) -> bytes:
    """Read at most `most` bytes. Raises TooLarge."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise TooLarge(most=most)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge(most=most)
        parts.append(part)
    return b"".join(parts)


def refused(refusal: Refusal) -> Reply:
    metrics.REFUSALS.labels(refusal.code).inc()
    return Reply(told(refusal), refusal.status)


async def answer(call: Callable[[], Awaitable[Reply]], *, where: str) -> Reply:
    """Run a door's work and turn whatever goes wrong into a reply: a refusal as it is, a database away as busy, a fault as a fault."""
    try:
        return await call()
    except Exception as error:  # noqa: BLE001  (the door is where a fault becomes an answer)
        return reply_to(error, where=where)


def reply_to(error: Exception, *, where: str) -> Reply:
    """Give the reply for what went wrong: a refusal as it is, a database away as busy, a fault as a fault, told to the log alone."""
    match error:
        case Refusal():
            return refused(error)
        case ClientDisconnect():
            return Reply(status=400)
        case _ if isinstance(error, AWAY):
            log.warning("web.database-away", where=where, error=type(error).__name__)
            return refused(ComeAgain())
        case _:
            log.error("web.fault", where=where, error=type(error).__name__, exc_info=error)
            return refused(OurFault())


@asynccontextmanager
async def in_turn(desk: Desk, sender: str, key: str) -> AsyncIterator[None]:
    """Let the same request, sent twice at once, wait for its twin: it finds the first one's receipt then.

    Twins at two processes do not meet here. The journeys behind do each thing once by its key, and the later twin may be told that it is under way.
    """
    twins: WeakValueDictionary[tuple[str, str], asyncio.Lock] = desk.held.setdefault("twins", WeakValueDictionary())
    turn = twins.setdefault((sender, key), asyncio.Lock())
    async with turn:
        yield


async def once(desk: Desk, *, sender: str, key: str, scope: str, body: bytes, call: Callable[[], Awaitable[Reply]]) -> tuple[Reply, bool]:
    """Answer a request once per (sender, key): give the reply and whether it is an earlier one."""
    digest = receipts.digest_of(scope, body)
    async with in_turn(desk, sender, key):
        earlier = receipts.till_of(desk).find(sender=sender, key=key, digest=digest)
        if earlier is None:
            async with desk.look() as work:
                earlier = await receipts.find(work, sender=sender, key=key, digest=digest)
        if earlier:
            return Reply(earlier.body or None, earlier.status), True
        reply = await answer(call, where=scope)
        if reply.status < 300 or reply.status in KEPT:
            receipts.till_of(desk).keep(desk, sender=sender, key=key, digest=digest, receipt=Receipt(reply.status, reply.encoded()))
        return reply, False


def plain(reply: Reply, *, replayed: bool = False, headers: Headers | None = None) -> Response:
    """Give an unsigned response."""
    extra = dict(headers or {})
    if replayed:
        extra["Puhui-Replay"] = "1"
    extra.setdefault("Cache-Control", "no-store")
    extra["X-Content-Type-Options"] = "nosniff"
    return Response(reply.encoded(), reply.status, extra, reply.media_type if reply.body is not None else None)


@dataclass(frozen=True, slots=True)
class Signed:
    """A partner's or service's request that passed every check of the signature: who sent it, its body, its key."""

    owner: str
    key_id: str
    body: bytes
    idempotency_key: str
    path_args: Mapping[str, str]


SignedDoor = Callable[[Desk, Signed], Awaitable[Reply]]


async def answer_signed(desk: Desk, request: Request, door: SignedDoor, *, keeps_receipt: bool = True) -> Response:
    """Check a signed request, answer it once, sign the reply."""
    nonce = request.headers.get("puhui-nonce", "")
    idempotency_key = request.headers.get("idempotency-key", "")
    replayed = False
    try:
        body = await read_body(request)
        sender = await check(desk, request, body)
        signed = Signed(sender.owner, sender.key_id, body, idempotency_key, dict(request.path_params))
        if request.method == "POST" and keeps_receipt:
            key_of(request)
            reply, replayed = await once(
                desk, sender=sender.owner, key=idempotency_key, scope=_path(request), body=body, call=lambda: door(desk, signed)
            )
        else:
            reply = await answer(lambda: door(desk, signed), where=request.url.path)
    except Exception as error:  # noqa: BLE001  (whatever it was, the sender gets a signed answer)
        reply = reply_to(error, where=request.url.path)
    raw = reply.encoded()
    headers = sign_reply(
        desk.key, status=reply.status, nonce=nonce, body=raw, idempotency_key=idempotency_key, time_ms=desk.clock.real_ms()
    )
    return plain(reply, replayed=replayed, headers=headers)


async def check(desk: Desk, request: Request, body: bytes) -> PublicKey:
    """Check the signature of a request; a key never seen is looked up once where its owner publishes it. Raises SignatureRefused."""

    def attempt() -> PublicKey:
        return check_request(
            desk.keyring,
            desk.nonces,
            method=request.method,
            path=_path(request),
            headers=request.headers,
            body=body,
            now_ms=desk.clock.real_ms(),
            is_listed=lambda owner: is_listed(desk, owner),
        )

    await register.demand_in_force(desk, request.headers.get("puhui-key", ""))
    try:
        return attempt()
    except UnknownKey:
        if not desk.config.is_loopback:
            raise
        for base_url in sorted(set(desk.config.service_urls.values())):
            await learn_keys(desk.session, desk.keyring, base_url)
        return attempt()


def is_listed(desk: Desk, owner: str) -> bool:
    """Say whether business with this owner is allowed now: a service of ours, the driver, or a partner on the list (kept fresh in `desk.held`)."""
    return owner in SERVICE_OWNERS or owner == "driver" or owner in desk.held.get("listed_partners", frozenset())


def _path(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")
