"""From a request to its reply: find the call, check the signature, apply the faults, ask once for each key, sign.

The order is the protocol's: key known and in force, time, digest and signature, nonce, owner listed; only then the body is read. A kept
answer comes back byte for byte with `Puhui-Replay: 1`; a 401, 403, 429 or 503 is not kept; another body under a used key is `key-reused`.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec

from puhui_town.wire.ask import BODY_MAX, Answer, Ask, Reply, Route, Service
from puhui_town.wire.clock import ClockMode
from puhui_town.wire.faults import Fault
from puhui_town.wire.server import Request, Response
from puhui_town.wire.signing import PrivateKey, check_request, digest_of, sign_reply
from puhui_town.wire.words import Refused, json_bytes
from puhui_town.wire.world import World

KEPT_MS = 30 * 86_400_000
NOT_KEPT = frozenset({401, 403, 429})
HOLD_S = 5
REPLIES = frozenset({"timeout_before", "timeout_after", "silent_5xx", "slow", "bad_sign", "clock_skew"})
"""Faults of delivery that touch a call; the others belong to callbacks and files."""
DEEDS = frozenset({"reject", "returned", "terms_changed", "stale", "down", "otp_lost", "list_changed", "cert_revoked", "partial_batch"})
"""Faults that a service makes happen (`Ask.fault`); `reject` and `down` are made here."""
_KEY = re.compile(r"^[A-Za-z0-9_-]{1,64}$")


class Kept(msgspec.Struct, frozen=True):
    """The first answer to a key, as it will be given again."""

    at_ms: int
    digest: str
    status: int
    body: bytes
    content_type: str


class Found:
    """A call that was found: the route, its service, and the words of the path."""

    __slots__ = ("args", "op", "route", "service", "signer")

    def __init__(self, route: Route, service: Service, args: Mapping[str, str], signer: PrivateKey | None) -> None:
        self.route, self.service, self.args, self.signer = route, service, args, signer
        self.op = f"{service.name}.{route.verb}"


class Node:
    """One segment of the paths: by word, or any word."""

    __slots__ = ("any", "routes", "words")

    def __init__(self) -> None:
        self.words: dict[str, Node] = {}
        self.any: Node | None = None
        self.routes: dict[str, tuple[Route, Service, tuple[str, ...]]] = {}


class Routing:
    """All calls of the process, as a tree of path segments; a fixed word goes before a `{name}`."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._root = Node()
        for service in services:
            for route in service.routes:
                self._add(route, service)

    def find(self, method: str, path: str) -> tuple[Route, Service, dict[str, str]] | None:
        segments = path.split("/")[1:]
        found = _walk(self._root, segments, 0, method, [])
        if found is None:
            return None
        (route, service, names), values = found
        return route, service, dict(zip(names, values, strict=True))

    def _add(self, route: Route, service: Service) -> None:
        node, names = self._root, []
        for segment in route.template.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.any = node.any or Node()
                node = node.any
            else:
                node = node.words.setdefault(segment, Node())
        assert route.method not in node.routes, route.template
        node.routes[route.method] = (route, service, tuple(names))


def _walk(node: Node, segments: list[str], at: int, method: str, values: list[str]) -> tuple[Any, list[str]] | None:
    if at == len(segments):
        here = node.routes.get(method)
        return (here, values) if here else None
    word = node.words.get(segments[at])
    if word is not None and (found := _walk(word, segments, at + 1, method, values)):
        return found
    if node.any is not None and segments[at]:
        return _walk(node.any, segments, at + 1, method, [*values, segments[at]])
    return None


class Gate:
    """The one door of the process."""

    def __init__(self, world: World, services: Sequence[Service]) -> None:
        self._world = world
        self._routing = Routing(services)
        self._kept = world.store.table("wire.kept", Kept)
        self._ages = deque(sorted((kept.at_ms, mark) for mark, kept in self._kept.items()))
        self._running: dict[str, asyncio.Future[None]] = {}

    def body_max(self, method: str, target: str) -> int:
        found = self._routing.find(method, target.partition("?")[0])
        return found[0].body_max if found else BODY_MAX

    def take(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answer a request; a coroutine comes back when something must be waited for."""
        path, _, query = request.target.partition("?")
        matched = self._routing.find(request.method, path)
        if matched is None:
            return _plain(Refused("not-found", "there is no such call", status=404))
        route, service, args = matched
        found = Found(route, service, args, self._world.keys.own.get(service.key.format_map(args)))
        if route.who is None:
            return self._take_open(request, found, query)
        if found.signer is None:
            return _plain(Refused("not-found", "there is no such party", status=404))
        if request.headers.get("puhui-key", "") not in self._world.keys.known:
            return self._take_stranger(request, found, query)
        return self._take_signed(request, found, query)

    async def _take_stranger(self, request: Request, found: Found, query: str) -> Response:
        """An unknown key may be the platform's new one: read its keys, then judge."""
        await self._world.client.learn_keys()
        response = self._take_signed(request, found, query)
        return response if isinstance(response, Response) else await response

    def _take_open(self, request: Request, found: Found, query: str) -> Response | Coroutine[Any, Any, Response]:
        ask = self._ask(request, found, query, sender="", key=request.headers.get("idempotency-key", ""), attempt=1)
        answer = self._handle(found, ask)
        if isinstance(answer, Reply):
            return _unsigned(answer)
        return self._wait_open(answer)

    async def _wait_open(self, answer: Awaitable[Answer]) -> Response:
        try:
            return _unsigned(_as_reply(await answer, 200))
        except Refused as refusal:
            return _plain(refusal)

    def _take_signed(self, request: Request, found: Found, query: str) -> Response | Coroutine[Any, Any, Response]:
        world, headers, route = self._world, request.headers, found.route
        key = headers.get("idempotency-key", "")
        mark = key if request.method == "POST" else request.target
        attempt, delivery, down = 1, None, None
        if world.faults.rules:
            attempt = world.faults.next_attempt(found.op, mark)
            fields = _fields(request.body)
            is_get = request.method == "GET"
            delivery = world.faults.ask(found.op, mark, attempt, fields=fields, names=REPLIES, is_get=is_get)
            down = world.faults.ask(found.op, mark, attempt, fields=fields, names=frozenset({"down"}), is_get=is_get)
        if down is not None:
            return Response(is_cut=True)
        if delivery is not None and (silent := self._unheard(delivery)) is not None:
            return silent
        skew_ms = delivery.whole("skew_s", 600) * 1000 if delivery is not None and delivery.name == "clock_skew" else 0
        try:
            sender = self._judge(request, route, key, skew_ms)
        except Refused as refusal:
            return self._reply(request, found, _refusal(refusal), delivery, is_replay=False)
        ask = self._ask(request, found, query, sender=sender, key=key, attempt=attempt)
        if request.method != "POST" or not route.is_kept:
            if world.faults.rules:
                ask.fault = world.faults.ask(
                    found.op, mark, 1, fields=_fields(request.body), names=DEEDS - {"down", "reject"}, is_get=request.method == "GET"
                )
            answer = self._handle(found, ask)
            return self._reply(request, found, answer, delivery, is_replay=False) if isinstance(answer, Reply) else self._wait(
                request, found, answer, delivery
            )  # fmt: skip
        return self._once(request, found, ask, delivery)

    def _judge(self, request: Request, route: Route, key: str, skew_ms: int) -> str:
        """Give the owner of the key that signed. Raises Refused."""
        world = self._world
        sender = check_request(
            world.keys, world.nonces, method=request.method, path=request.target, headers=request.headers, body=request.body,
            now_ms=world.clock.sign_ms() + skew_ms,
        )  # fmt: skip
        if route.who is not None and sender.owner not in route.who:
            raise Refused("not-listed", "this key's owner may not make this call", status=403)
        if request.method == "POST" and (route.is_kept or key) and not _KEY.match(key):
            raise Refused("bad-field", "Idempotency-Key: a POST carries one of 1..64 letters, digits, - and _", status=400)
        return sender.owner

    def _once(self, request: Request, found: Found, ask: Ask, delivery: Fault | None) -> Response | Coroutine[Any, Any, Response]:
        """Do what a key asks once; give the first answer again."""
        mark = f"{ask.sender}|{found.service.name}|{self._party(found)}|{ask.key}"
        if mark in self._running:
            return self._after(mark, request, found, ask, delivery)
        digest = digest_of(request.body)
        kept = self._kept.rows.get(mark)
        if kept is not None:
            if kept.digest != digest:
                refusal = Refused("key-reused", "this key belongs to another request; nothing was done", status=409)
                return self._reply(request, found, _refusal(refusal), delivery, is_replay=False)
            again = Reply(kept.status, kept.body, kept.content_type)
            return self._reply(request, found, again, delivery, is_replay=True)
        answer = self._deed(request, found, ask)
        if isinstance(answer, Reply):
            self._keep(mark, digest, answer)
            return self._reply(request, found, answer, delivery, is_replay=False)
        return self._wait_once(mark, digest, request, found, answer, delivery)

    def _deed(self, request: Request, found: Found, ask: Ask) -> Reply | Awaitable[Answer]:
        """Do the thing itself, with the true fault that belongs to its key."""
        faults = self._world.faults
        if faults.rules:
            ask.fault = faults.ask(found.op, ask.key, 1, fields=_fields(request.body), names=DEEDS - {"down"})
            if ask.fault is not None and ask.fault.name == "reject":
                code = str(ask.fault.args.get("code", f"{found.service.name}.rejected"))
                return _refusal(Refused(code, "refused by a rule of faults"))
        return self._handle(found, ask)

    async def _after(self, mark: str, request: Request, found: Found, ask: Ask, delivery: Fault | None) -> Response:
        """The same key is being worked on: wait for it, then answer."""
        await asyncio.wait([self._running[mark]])
        response = self._once(request, found, ask, delivery)
        return response if isinstance(response, Response) else await response

    async def _wait_once(
        self, mark: str, digest: str, request: Request, found: Found, answer: Awaitable[Answer], delivery: Fault | None
    ) -> Response:
        done = self._running[mark] = asyncio.get_running_loop().create_future()
        try:
            reply = await _settled(answer, found.route.status)
            self._keep(mark, digest, reply)
        finally:
            del self._running[mark]
            done.set_result(None)
        return self._reply(request, found, reply, delivery, is_replay=False)

    async def _wait(self, request: Request, found: Found, answer: Awaitable[Answer], delivery: Fault | None) -> Response:
        return self._reply(request, found, await _settled(answer, found.route.status), delivery, is_replay=False)

    def _handle(self, found: Found, ask: Ask) -> Reply | Awaitable[Answer]:
        try:
            answer = found.route.handler(ask)
        except Refused as refusal:
            return _refusal(refusal)
        if isinstance(answer, Awaitable):
            return answer
        return _as_reply(answer, found.route.status)

    def _keep(self, mark: str, digest: str, reply: Reply) -> None:
        if reply.status in NOT_KEPT or reply.status >= 500:
            return
        now_ms = self._world.clock.now_ms()
        while self._ages and self._ages[0][0] < now_ms - KEPT_MS:
            self._kept.drop(self._ages.popleft()[1])
        self._kept.put(mark, Kept(now_ms, digest, reply.status, reply.body, reply.content_type))
        self._ages.append((now_ms, mark))

    def _party(self, found: Found) -> str:
        return found.signer.key_id if found.signer is not None else ""

    def _ask(self, request: Request, found: Found, query: str, *, sender: str, key: str, attempt: int) -> Ask:
        return Ask(
            op=found.op,
            service=found.service.name,
            method=request.method,
            path=request.target,
            args=found.args,
            query_text=query,
            headers=request.headers,
            raw=request.body,
            key=key,
            sender=sender,
            attempt=attempt,
            at=self._world.clock.now(),
        )

    def _unheard(self, fault: Fault) -> Response | None:
        """Give the end of a call that never reaches the service, or None."""
        if fault.name == "timeout_before":
            return Response(is_cut=True, wait_s=self._hold_s(fault))
        if fault.name == "silent_5xx" and fault.args.get("done") is not True:
            return Response(500)
        return None

    def _hold_s(self, fault: Fault) -> float:
        return 0 if self._world.clock.mode is ClockMode.STEPPED else fault.whole("hold_s", HOLD_S)

    def _reply(self, request: Request, found: Found, reply: Reply, fault: Fault | None, *, is_replay: bool) -> Response:
        """Sign an answer and let the fault of delivery do its work on it."""
        assert found.signer is not None
        time_ms = self._world.clock.sign_ms()
        wait_s = self._world.config.answer_delay_ms / 1000
        if fault is not None:
            if fault.name == "timeout_after":
                return Response(is_cut=True, wait_s=self._hold_s(fault))
            if fault.name == "silent_5xx":
                return Response(500)
            if fault.name == "slow" and self._world.clock.mode is not ClockMode.STEPPED:
                wait_s += fault.whole("ms", 1000) / 1000
            if fault.name == "clock_skew":
                time_ms += fault.whole("skew_s", 600) * 1000
        headers = sign_reply(
            found.signer, status=reply.status, nonce=request.headers.get("puhui-nonce", ""), body=reply.body,
            idempotency_key=request.headers.get("idempotency-key", ""), time_ms=time_ms,
        )  # fmt: skip
        if fault is not None and fault.name == "bad_sign":
            headers = [(name, "A" * 86 + "==" if name == "Puhui-Sign" else value) for name, value in headers]
        headers.append(("Content-Type", reply.content_type))
        if is_replay:
            headers.append(("Puhui-Replay", "1"))
        headers.extend(reply.headers)
        return Response(reply.status, reply.body, headers, wait_s)


async def _settled(answer: Awaitable[Answer], status: int) -> Reply:
    try:
        return _as_reply(await answer, status)
    except Refused as refusal:
        return _refusal(refusal)


def _as_reply(answer: Answer, status: int) -> Reply:
    return answer if isinstance(answer, Reply) else Reply(status, json_bytes(answer))


def _refusal(refusal: Refused) -> Reply:
    return Reply(refusal.status, json_bytes(refusal.body()))


def _plain(refusal: Refused) -> Response:
    return _unsigned(_refusal(refusal))


def _unsigned(reply: Reply) -> Response:
    if reply.status == 0:
        return Response(is_cut=True)
    return Response(reply.status, reply.body, [("Content-Type", reply.content_type), *reply.headers])


def _fields(body: bytes) -> dict[str, Any]:
    """Give the fields of a body for `only`; a body that is no JSON object has none."""
    try:
        value = msgspec.json.decode(body) if body[:1] == b"{" else {}
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
