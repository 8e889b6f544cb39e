"""Forged, stale, replayed, altered and foreign signatures, tokens and secrets against the real doors, over real HTTP. None may be accepted.

Between the attacks honest requests are sent through the same doors: a door that refused everything would prove nothing.
"""

import asyncio
import hashlib
import random
import socket
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from puhui.foundation import server
from puhui.foundation.config import Config
from puhui.foundation.desk import Desk, open_desk
from puhui.foundation.migrations import migrate
from puhui.foundation.signing import ED25519, PrivateKey, sign_request
from puhui.foundation.work import Actor
from puhui.journeys.wiring import wiring
from puhui.rooms import channels, customers, partners, staff
from puhui.rooms.staff import CONSOLE, LoggedIn, Role
from puhui.vocabulary.ids import PartnerId

AT_ONCE = 8
HONEST_EVERY = 20
WINDOW_MS = 300_000
OWNERS = ("rail", "message", "bureau", "sign", "checks", "asset-1", "asset-2", "entry-e38", "entry-e39", "shop-m008", "shop-m015", "funder-01")
ENTRY, ISSUER, OTHER_ISSUER, OTHER_ENTRY = "e38", "asset-1", "asset-2", "e39"
LOGIN, PASSWORD = "proof.reader", "a long sentence nobody guesses 7"


@dataclass(slots=True)
class Ring:
    """The keys of those who may sign, and of one who may not any more."""

    keys: dict[str, PrivateKey]
    struck_off: PrivateKey
    stranger: PrivateKey


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it goes over the wire."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class Stage:
    """The doors, and everything an attacker could get hold of."""

    desk: Desk
    base_url: str
    ring: Ring
    dice: random.Random
    http: aiohttp.ClientSession
    staff_token: str = ""
    ended_staff_token: str = ""
    secret: str = ""
    ended_secret: str = ""
    count: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    honest: int = 0
    honest_accepted: int = 0

    def next_id(self) -> str:
        self.count += 1
        return f"x{self.count:08d}"

    def now_ms(self) -> int:
        return self.desk.clock.real_ms()

    async def send(self, sent: Sent) -> int:
        """Send and give the status; 0 if the connection was closed on us."""
        try:
            url = URL(self.base_url + sent.path, encoded=True)
            async with self.http.request(sent.method, url, data=sent.body or None, headers=dict(sent.headers)) as response:
                await response.read()
                return response.status
        except aiohttp.ClientError:
            return 0


Attack = Callable[[Stage], Awaitable[int]]


Build = Callable[[Desk], Any]
"""Makes the application of an open desk; handed in, since proofs stand beside the doors and not on them."""


async def run(home: Path, *, build: Build, n: int, seed: int) -> dict[str, Any]:
    """Build a house of its own in `home`, attack its doors n times, and tell what was tried and accepted, by kind."""
    running = await asyncio.to_thread(server.start, home)
    try:
        connection = await asyncpg.connect(running.url)
        try:
            await migrate(connection)
        finally:
            await connection.close()
        desk = await open_desk(Config(home=home, database_url=running.url), wiring(), owner="signatures")
        try:
            return await attack(desk, build=build, n=n, seed=seed)
        finally:
            await desk.close()
    finally:
        await asyncio.to_thread(running.stop)


async def attack(desk: Desk, *, build: Build, n: int, seed: int) -> dict[str, Any]:
    """Attack the doors of an open desk n times."""
    async with _served(build(desk)) as base_url, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:
        stage = await _set(desk, base_url, http, random.Random(seed))  # noqa: S311  (dice of a drill)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(k: int) -> None:
            async with gate:
                await _try(stage, k)

        await asyncio.gather(*(one(k) for k in range(n)))
    return {
        "tried": sum(stage.tried.values()),
        "accepted": sum(stage.accepted.values()),
        "honest": stage.honest,
        "honest_accepted": stage.honest_accepted,
        "accepted_by_kind": dict(stage.accepted),
        "tried_by_kind": dict(sorted(stage.tried.items())),
        "answers": dict(sorted(stage.answers.items())),
        "seed": seed,
    }


async def _try(stage: Stage, k: int) -> None:
    if k % HONEST_EVERY == 0:
        status = await HONEST[(k // HONEST_EVERY) % len(HONEST)](stage)
        stage.honest += 1
        stage.honest_accepted += 200 <= status < 300
    kind, call = ATTACKS[k % len(ATTACKS)]
    status = await call(stage)
    stage.tried[kind] += 1
    stage.answers[f"{kind} {status}"] += 1
    if 200 <= status < 300:
        stage.accepted[kind] += 1


# -- the house -----------------------------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _served(application: Any) -> AsyncIterator[str]:
    """Serve the whole application on a free port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        settings = uvicorn.Config(application, lifespan="off", access_log=False, log_level="error", http="httptools")
        web = uvicorn.Server(settings)
        web.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(web.serve(sockets=[listening]))
        while not web.started:  # noqa: ASYNC110  (the server tells it no other way)
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            web.should_exit = True
            await task


async def _set(desk: Desk, base_url: str, http: aiohttp.ClientSession, dice: random.Random) -> Stage:
    """Register who may sign, strike one off, log a member of staff in, and let a person in."""
    ring = Ring({owner: _new_key(f"{owner}-1") for owner in OWNERS}, _new_key("asset-6-1"), _new_key("nobody-1"))
    stage = Stage(desk, base_url, ring, dice, http)
    for owner, key in ring.keys.items():
        desk.keyring.add(key.published(owner))
    desk.keyring.add(ring.struck_off.published("asset-6"))
    async with desk.work(Actor("house", "proof")) as work:
        await partners.seed_development(work, dict.fromkeys(("funder", "entry", "shop"), "http://127.0.0.1:9"))
        await partners.change_standing(work, partner_id=PartnerId("asset-6"), wanted=partners.Standing.SUSPENDED, why="a proof")
        desk.held["listed_partners"] = await partners.listed_owners(work)
        await staff.add_account(
            work, CONSOLE, login=LOGIN, name="验证员", roles=frozenset({Role.AUDITOR}), given_password=PASSWORD
        )
    stage.staff_token, stage.ended_staff_token = await _log_in(desk), await _log_in(desk)
    async with desk.work(Actor("house", "proof")) as work:
        await staff.log_out(work, given_token=stage.ended_staff_token)
    stage.secret, stage.ended_secret = await _let_in(desk, "se-live"), await _let_in(desk, "se-over")
    async with desk.work(Actor("house", "proof")) as work:
        await channels.end(work, session_id="se-over")
    return stage


def _new_key(key_id: str) -> PrivateKey:
    return PrivateKey(key_id, ED25519, Ed25519PrivateKey.generate())


async def _log_in(desk: Desk) -> str:
    async with desk.work(Actor("house", "proof")) as work:
        told = await staff.log_in(work, login=LOGIN, given_password=PASSWORD)
    assert isinstance(told, LoggedIn)
    return told.token


async def _let_in(desk: Desk, session_id: str) -> str:
    """Open a visit of a person who has logged in; give its secret."""
    async with desk.work(Actor("house", "proof")) as work:
        entry = await channels.entry(work, "e01")
        opened = await channels.open_session(
            work, session_id=session_id, entry=entry, partner_id="entry-e01", device_id="dv-proof", device={}
        )
        customer_id = await customers.register(work, session_id=session_id, entry_id="e01", phone="12000000001")
        await channels.attach(work, session_id=session_id, customer_id=customer_id)
    return opened.secret


# -- honest requests -----------------------------------------------------------------------------------------------------------------------------


def _signed(stage: Stage, owner: str, method: str, path: str, body: object = None, *, time_ms: int | None = None) -> Sent:
    payload = b"" if body is None else msgspec.json.encode(body)
    key = "" if method == "GET" else stage.next_id()
    headers = sign_request(
        stage.ring.keys[owner], method=method, path=path, body=payload, idempotency_key=key, time_ms=stage.now_ms() if time_ms is None else time_ms
    )
    return Sent(method, path, payload, headers)


def _callback(stage: Stage, owner: str = "rail") -> Sent:
    name = stage.next_id()
    told = {"event_id": f"{name}-1", "kind": f"{owner}.proof", "subject": name, "seq": 1, "at": "2026-09-01T08:00:00.000+08:00", "data": {}}
    return _signed(stage, owner, "POST", f"/callbacks/{owner}", told)


def _order(stage: Stage, owner: str = "shop-m008", merchant_id: str = "m008") -> Sent:
    scene = next(one for one in channels.scenes().values() if one.merchant_id == merchant_id)
    fen = -(-scene.amount_min_fen // 10_000) * 10_000
    item = {"title": "货物", "amount_fen": fen, "category": scene.category}
    body = {
        "order_id": stage.next_id(), "merchant_id": merchant_id, "scene_id": scene.scene_id, "items": [item], "amount_fen": fen,
        "buyer_ref": "b", "return_url": "https://shop.invalid/",
    }  # fmt: skip
    return _signed(stage, owner, "POST", "/partner/v1/orders", body)


def _claims(stage: Stage) -> dict[str, str | int]:
    now_s = stage.now_ms() // 1000
    return {"iss": ISSUER, "aud": "puhui", "entry_id": ENTRY, "sub": "u-1", "iat": now_s, "exp": now_s + 120, "jti": stage.next_id()}


def _visit(stage: Stage, token: str, *, entry_id: str = ENTRY) -> Sent:
    """A well-signed call for a visit; only its token is to be judged."""
    body = {"session_id": stage.next_id(), "entry_id": entry_id, "kind": "h5", "token": token, "device": {"device_id": "dv-1"}}
    return _signed(stage, f"entry-{entry_id}", "POST", "/entry/v1/sessions", body)


def _token(stage: Stage, **other: str | int) -> str:
    return channels.write_token(stage.ring.keys[ISSUER], _claims(stage) | other)


def _staff(token: str) -> Sent:
    return Sent("GET", "/staff/v1/boards/funnel", b"", {"Authorization": f"Bearer {token}"})


def _home(secret: str) -> Sent:
    return Sent("GET", "/borrower/v1/home", b"", {"Puhui-Session": secret})


HONEST: tuple[Attack, ...] = (
    lambda stage: stage.send(_callback(stage)),
    lambda stage: stage.send(_signed(stage, "entry-e38", "GET", "/entry/v1/entries")),
    lambda stage: stage.send(_order(stage)),
    lambda stage: stage.send(_visit(stage, _token(stage))),
    lambda stage: stage.send(_staff(stage.staff_token)),
    lambda stage: stage.send(_home(stage.secret)),
)


# -- attacks on signatures -----------------------------------------------------------------------------------------------------------------------


def _some(stage: Stage) -> Sent:
    """One of the signed doors, honestly asked."""
    return stage.dice.choice((_callback, _order, lambda at: _visit(at, _token(at)), lambda at: _signed(at, "asset-1", "GET", "/entry/v1/entries")))(stage)


def _with(sent: Sent, **headers: str) -> Sent:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(sent, headers={**{name: value for name, value in sent.headers.items() if name not in changed}, **changed})


async def forged(stage: Stage) -> int:
    """Signed with a key of the attacker's own, under the name of a known one."""
    sent = _some(stage)
    thief = replace(stage.ring.stranger, key_id=sent.headers["Puhui-Key"])
    headers = sign_request(
        thief, method=sent.method, path=sent.path, body=sent.body, idempotency_key=sent.headers.get("Idempotency-Key", ""), time_ms=stage.now_ms()
    )
    return await stage.send(replace(sent, headers=headers))


async def unknown_key(stage: Stage) -> int:
    stage.ring.keys["nobody"] = stage.ring.stranger
    return await stage.send(_signed(stage, "nobody", "GET", "/entry/v1/entries"))


async def foreign_key(stage: Stage) -> int:
    """A known partner's good signature, under another's name."""
    sent = _signed(stage, "asset-2", "GET", "/entry/v1/entries")
    return await stage.send(_with(sent, Puhui_Key=stage.dice.choice(("asset-1-1", "rail-1", "entry-e38-1"))))


async def foreign_door(stage: Stage) -> int:
    """A known partner's good signature, at a door that is another's."""
    return await stage.send(
        stage.dice.choice(
            (
                lambda: _order(stage, owner="shop-m015"),
                lambda: replace_callback(stage),
                lambda: _signed(stage, "shop-m015", "GET", "/partner/v1/orders/x00000001"),
                lambda: _signed(stage, "rail", "POST", "/driver/v1/clock/advance", {"to": "2030-01-01T00:00:00+08:00", "run": False}),
            )
        )()
    )


def replace_callback(stage: Stage) -> Sent:
    """A shop that speaks for the rail."""
    told = {"event_id": "x-1", "kind": "rail.paid", "subject": "po-000-x", "seq": 1, "at": "2026-09-01T08:00:00.000+08:00", "data": {}}
    return _signed(stage, "shop-m008", "POST", "/callbacks/rail", told)


async def struck_off(stage: Stage) -> int:
    """A good signature of a partner that was suspended."""
    stage.ring.keys["asset-6"] = stage.ring.struck_off
    return await stage.send(_signed(stage, "asset-6", "GET", "/entry/v1/entries"))


async def stale(stage: Stage) -> int:
    """Too old, or from a time that has not come."""
    off = stage.dice.choice((-1, 1)) * stage.dice.randint(WINDOW_MS + 2_000, 100 * WINDOW_MS)
    return await stage.send(_signed(stage, "asset-1", "GET", "/entry/v1/entries", time_ms=stage.now_ms() + off))


async def replayed(stage: Stage) -> int:
    """An honest request, caught on the wire and sent again."""
    sent = _some(stage)
    await stage.send(sent)
    return await stage.send(sent)


async def altered_body(stage: Stage) -> int:
    sent = stage.dice.choice((_callback, _order))(stage)
    at = stage.dice.randrange(len(sent.body))
    body = sent.body[:at] + bytes([sent.body[at] ^ 1 << stage.dice.randrange(7)]) + sent.body[at + 1 :]
    return await stage.send(replace(sent, body=body))


async def altered_digest(stage: Stage) -> int:
    """The body changed, and its digest with it, but not the signature."""
    sent = _order(stage)
    body = sent.body.replace(b'"buyer_ref":"b"', b'"buyer_ref":"c"')
    return await stage.send(_with(replace(sent, body=body), Puhui_Digest=hashlib.sha256(body).hexdigest()))


async def altered_path(stage: Stage) -> int:
    sent = _signed(stage, "asset-1", "GET", "/entry/v1/entries")
    return await stage.send(replace(sent, path="/entry/v1/entries?all=1"))


async def altered_header(stage: Stage) -> int:
    """One signed header changed after signing: the key of the request, the nonce, the time."""
    sent = _callback(stage)
    name = stage.dice.choice(("Idempotency-Key", "Puhui-Nonce", "Puhui-Time"))
    value = {"Idempotency-Key": stage.next_id(), "Puhui-Nonce": f"{stage.dice.getrandbits(128):032x}", "Puhui-Time": str(stage.now_ms() - 1_000)}[name]
    return await stage.send(replace(sent, headers={**sent.headers, name: value}))


async def altered_signature(stage: Stage) -> int:
    sent = _some(stage)
    raw = bytearray(b64decode(sent.headers["Puhui-Sign"]))
    raw[stage.dice.randrange(len(raw))] ^= 1 << stage.dice.randrange(8)
    return await stage.send(_with(sent, Puhui_Sign=b64encode(bytes(raw)).decode()))


async def cut_short(stage: Stage) -> int:
    """Something is missing, empty, or not what it should be."""
    sent = _some(stage)
    name = stage.dice.choice(("Puhui-Key", "Puhui-Time", "Puhui-Nonce", "Puhui-Digest", "Puhui-Sign"))
    value = stage.dice.choice(("", "0", "-1", "x" * 44, "null"))
    left = {key: text for key, text in sent.headers.items() if key != name}
    return await stage.send(replace(sent, headers=left if stage.dice.random() < 0.5 else {**left, name: value}))


async def other_algorithm(stage: Stage) -> int:
    """A key is good for its own algorithm only."""
    return await stage.send(_with(_some(stage), Puhui_Alg=stage.dice.choice(("rsa-sha256", "none", "hmac", "ED25519 "))))


# -- attacks on tokens and secrets -----------------------------------------------------------------------------------------------------------------


async def token_forged(stage: Stage) -> int:
    return await stage.send(_visit(stage, channels.write_token(stage.ring.stranger, _claims(stage))))


async def token_altered(stage: Stage) -> int:
    token = _token(stage)
    at = stage.dice.randrange(3, len(token))
    sign = stage.dice.choice([one for one in "abcXYZ019-_" if one != token[at]])
    return await stage.send(_visit(stage, token[:at] + sign + token[at + 1 :]))


async def token_expired(stage: Stage) -> int:
    """Run out, not yet valid, or valid for too long."""
    now_s = stage.now_ms() // 1000
    since, until = stage.dice.choice(((now_s - 600, now_s - 301), (now_s + 600, now_s + 700), (now_s, now_s + 3_600), (now_s, now_s)))
    return await stage.send(_visit(stage, _token(stage, iat=since, exp=until)))


async def token_foreign(stage: Stage) -> int:
    """Another partner's token, another house's, or one for another entry."""
    other = channels.write_token(stage.ring.keys[OTHER_ISSUER], _claims(stage) | {"iss": OTHER_ISSUER})
    posing = channels.write_token(stage.ring.keys[OTHER_ISSUER], _claims(stage))
    token = stage.dice.choice((other, posing, _token(stage, aud="another"), _token(stage, entry_id=OTHER_ENTRY)))
    return await stage.send(_visit(stage, token))


async def token_elsewhere(stage: Stage) -> int:
    """A good token, presented at another entry."""
    return await stage.send(_visit(stage, _token(stage), entry_id=OTHER_ENTRY))


async def token_replayed(stage: Stage) -> int:
    token = _token(stage)
    await stage.send(_visit(stage, token))
    return await stage.send(_visit(stage, token))


async def staff_token_altered(stage: Stage) -> int:
    head, body, sign = stage.staff_token.split(".")
    none = b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    first = "A" if sign[0] != "A" else "B"
    made = f"{stage.dice.getrandbits(256):064x}"
    bad = stage.dice.choice((f"{head}.{body}.{first}{sign[1:]}", f"{none}.{body}.", f"{none}.{body}.{sign}", f"{head}.{body}", f"{head}.{made}.{sign}", made))
    return await stage.send(_staff(bad))


async def staff_token_ended(stage: Stage) -> int:
    return await stage.send(_staff(stage.ended_staff_token))


async def secret_guessed(stage: Stage) -> int:
    """A secret made up, or one that is nearly right."""
    secret = stage.secret
    at = stage.dice.randrange(len(secret) - 1)
    near = secret[:at] + ("a" if secret[at] != "a" else "b") + secret[at + 1 :]
    return await stage.send(_home(stage.dice.choice((near, f"{stage.dice.getrandbits(256):064x}", secret.lower() if secret.lower() != secret else near, "x"))))


async def secret_ended(stage: Stage) -> int:
    return await stage.send(_home(stage.ended_secret))


ATTACKS: tuple[tuple[str, Attack], ...] = tuple(
    (call.__name__.replace("_", "-"), call)
    for call in (
        forged, unknown_key, foreign_key, foreign_door, struck_off, stale, replayed, altered_body, altered_digest, altered_path, altered_header,
        altered_signature, cut_short, other_algorithm, token_forged, token_altered, token_expired, token_foreign, token_elsewhere, token_replayed,
        staff_token_altered, staff_token_ended, secret_guessed, secret_ended,
    )
)  # fmt: skip
