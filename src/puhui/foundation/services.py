"""Signed clients of the services outside: what was asked, what came back, and when nothing that counts came back.

**Unanswered is never an answer.** A reply without a good signature, a time-out, an unsigned or 5xx reply is `Unknown`; a signed 400, 404,
409, 422 is an answer; a signed 401, 403, 429 or 503 is an answer that is not kept (the same key may be sent again).
"""

import secrets
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from yarl import URL

from puhui.foundation import metrics
from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.refusals import Refusal
from puhui.foundation.signing import Keyring, PrivateKey, PublicKey, SignatureRefused, UnknownKey, check_reply, sign_request

TRIES = 8
NOT_KEPT = frozenset({401, 403, 429, 503})


@dataclass(frozen=True, slots=True)
class Answer:
    """A signed reply. `body` is the parsed object ({} if there was none), `raw` the bytes, `replayed` the service's word that it is an earlier answer."""

    status: int
    body: Mapping[str, Any]
    raw: bytes = b""
    replayed: bool = False

    @property
    def is_good(self) -> bool:
        return self.status < 300

    @property
    def code(self) -> str:
        """The refusal's code, or ""."""
        return "" if self.is_good else str(self.body.get("code", ""))


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing that counts came back. `is_down` says the connection itself was refused, or eight attempts running stayed unanswered."""

    why: str
    is_down: bool = False


class ServiceAway(Refusal):
    """The service {service} does not answer now; nothing was decided. Send the same request with the same key again in a little while."""

    code = "services.away"
    zh = "有一项外部服务暂时没有回应，请稍后再试一次，您填的内容不会丢。"
    status = 503
    retry = "later"


def demand_answer(service: str, answer: Answer | Unknown) -> Answer:
    """Give what counts as an answer. Raises ServiceAway for silence, and for answers that are not kept (a later one may differ)."""
    if isinstance(answer, Unknown) or answer.status in NOT_KEPT - {403}:
        raise ServiceAway(service=service)
    return answer


@dataclass(slots=True)
class Service:
    """One outside service: its name (the owner of its keys), base address, how long we wait for it (real seconds), how often it was told something."""

    name: str
    base_url: str
    key: PrivateKey
    keyring: Keyring
    clock: Clock
    session: aiohttp.ClientSession
    owner: str
    read_timeout_s: float = 3.0
    told: int = 0
    prefix: str = field(init=False)
    origin: str = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.prefix = parts.path.rstrip("/")

    async def send(self, method: str, path: str, body: object | bytes = b"", *, key: str = "", headers: Mapping[str, str] | None = None) -> Answer | Unknown:
        """Ask once. `body` is bytes, or a value sent as JSON; `key` the Idempotency-Key of a POST."""
        self.told += method != "GET"
        began = monotonic()
        answer = await self._ask(method, self.prefix + path, body, key, headers or {})
        end = "unknown" if isinstance(answer, Unknown) else f"{answer.status // 100}xx"
        metrics.ASKED.labels(self.name, end).observe(monotonic() - began)
        return answer

    async def _ask(self, method: str, path: str, body: object | bytes, key: str, headers: Mapping[str, str]) -> Answer | Unknown:
        payload = body if isinstance(body, bytes) else msgspec.json.encode(body)
        nonce = secrets.token_hex(16)
        signed = sign_request(self.key, method=method, path=path, body=payload, idempotency_key=key, time_ms=self.clock.real_ms(), nonce=nonce)
        if not isinstance(body, bytes):
            signed["Content-Type"] = "application/json"
        signed.update(headers)
        try:
            async with self.session.request(
                method,
                URL(self.origin + path, encoded=True),
                data=payload or None,
                headers=signed,
                timeout=aiohttp.ClientTimeout(sock_connect=1.0, sock_read=self.read_timeout_s),
                allow_redirects=False,
            ) as response:
                raw = await response.read()
                return await self._read(response, raw, nonce, key)
        except aiohttp.ClientConnectorError as error:
            return Unknown(f"no connection to {self.name}: {type(error).__name__}", is_down=True)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Unknown(f"no reply from {self.name}: {type(error).__name__}")

    async def post(self, path: str, body: object, *, key: str) -> Answer | Unknown:
        return await self.send("POST", path, body, key=key)

    async def get(self, path: str) -> Answer | Unknown:
        return await self.send("GET", path)

    async def settle(self, path: str, body: object, *, key: str, ask: str | None = None, settles_at_once: bool = False) -> Answer | Unknown:
        """Ask until it is known, as far as that is possible now.

        Without `ask` (a GET that tells of the same thing) the same request goes out again under its key. With it, an unknown answer is asked for
        first, and only a 404 lets the request be sent again: at once if `settles_at_once` (reservations) or in a stepped run (settle times are
        0); else the caller waits the settle time and calls again. An Unknown that comes back must be waited with, never read as an answer.
        """
        patient = ask is None or settles_at_once or self.clock.mode is ClockMode.STEPPED
        answer = await self.post(path, body, key=key)
        for _ in range(TRIES - 1):
            if isinstance(answer, Answer) and not self._is_worth_repeating(answer):
                return answer
            if isinstance(answer, Unknown) and answer.is_down and not patient:
                return answer
            if isinstance(answer, Unknown) and ask is not None:
                told = await self.get(ask)
                if isinstance(told, Unknown) or told.status != 404:
                    answer = told
                    if isinstance(told, Answer) and told.is_good:
                        return told
                    continue
                if not patient:
                    return answer
            answer = await self.post(path, body, key=key)
        return Unknown(answer.why, is_down=True) if isinstance(answer, Unknown) else answer

    @staticmethod
    def _is_worth_repeating(answer: Answer) -> bool:
        """A signed 401 says our signature came too late or twice: a fresh one may pass."""
        return answer.status == 401

    async def _read(self, response: aiohttp.ClientResponse, raw: bytes, nonce: str, key: str) -> Answer | Unknown:
        headers = {name.lower(): value for name, value in response.headers.items()}
        if response.status >= 500 and response.status != 503:
            return Unknown(f"{self.name} answered {response.status}")
        try:
            await self._check(response.status, nonce, headers, raw, key)
        except SignatureRefused as refusal:
            return Unknown(f"{self.name}: {refusal.code}")
        is_json = headers.get("content-type", "").startswith("application/json")
        try:
            body = msgspec.json.decode(raw) if raw and is_json else {}
        except msgspec.DecodeError:
            return Unknown(f"{self.name} answered no JSON")
        return Answer(response.status, body if isinstance(body, dict) else {"items": body}, raw, headers.get("puhui-replay") == "1")

    async def _check(self, status: int, nonce: str, headers: Mapping[str, str], raw: bytes, key: str) -> None:
        def check() -> None:
            check_reply(
                self.keyring, owner=self.owner, status=status, nonce=nonce, headers=headers, body=raw, idempotency_key=key, now_ms=self.clock.real_ms()
            )

        try:
            check()
        except UnknownKey:
            await learn_keys(self.session, self.keyring, self.origin)
            check()


async def learn_keys(session: aiohttp.ClientSession, keyring: Keyring, base_url: str) -> None:
    """Read the keys that a service publishes at `{base}/keys` into the ring; silent if it does not answer (what it signs stays unknown then)."""
    try:
        async with session.get(f"{base_url}/keys", timeout=aiohttp.ClientTimeout(total=5)) as response:
            data = msgspec.json.decode(await response.read())
        for one in data["keys"]:
            keyring.add(PublicKey.read(one["key_id"], one["owner"], one["alg"], b64decode(one["public_key"])))
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError, KeyError, TypeError, ValueError, UnknownKey):
        return
