"""Embedding tokens: the signed pass of a visit inside a partner's app. Pure.

`v1.` + base64url(payload) + `.` + base64url(Ed25519 signature of `v1.` + base64url(payload)), no padding.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from puhui.foundation.refusals import Refusal
from puhui.foundation.signing import ED25519, PrivateKey, PublicKey

AUDIENCE = "puhui"
LIFE_MAX_S = 300
SKEW_S = 30
_PART = re.compile(r"^[A-Za-z0-9_-]+$")


class TokenRefused(Refusal):
    """The pass of this visit was refused: {why}. Go back to the app you came from and open the page anew."""

    code = "channels.token-refused"
    zh = "这个页面链接已经失效，请回到原来的应用里重新打开。"
    status = 401


class _Payload(msgspec.Struct):
    iss: str
    aud: str
    entry_id: str
    sub: str
    iat: int
    exp: int
    jti: str
    scene: str = ""
    phone_sha256: str = ""


@dataclass(frozen=True, slots=True)
class EmbeddingToken:
    """A token whose signature, times and addressee are right. Whether it was seen before is for the store to say. Unix seconds."""

    iss: str
    entry_id: str
    sub: str
    jti: str
    iat: int
    exp: int
    scene: str
    phone_sha256: str


def read_token(text: str, *, entry_id: str, issuers: Iterable[str], keys: Iterable[PublicKey], now_s: int) -> EmbeddingToken:
    """Read a token for this entry, signed by one of its issuers with a key in force. Raises TokenRefused."""
    head, _, signature = text.rpartition(".")
    version, _, packed = head.partition(".")
    if version != "v1" or not _PART.fullmatch(packed) or not _PART.fullmatch(signature):
        raise TokenRefused(why="it has not the form v1.payload.signature")
    try:
        payload = msgspec.json.decode(_unpack(packed), type=_Payload)
        raw = _unpack(signature)
    except (ValueError, msgspec.DecodeError):
        raise TokenRefused(why="its payload cannot be read") from None
    if payload.iss not in set(issuers) or payload.aud != AUDIENCE or payload.entry_id != entry_id:
        raise TokenRefused(why="it is for another entry or house")
    own = [key for key in keys if key.owner == payload.iss and key.alg == ED25519]
    if not any(key.is_signed(head.encode(), raw) for key in own):
        raise TokenRefused(why="its signature does not fit")
    if not 0 < payload.exp - payload.iat <= LIFE_MAX_S or payload.iat > now_s + SKEW_S or now_s >= payload.exp:
        raise TokenRefused(why="its time is over")
    if not payload.jti or not payload.sub or len(payload.jti) > 64:
        raise TokenRefused(why="it names no one")
    return EmbeddingToken(payload.iss, entry_id, payload.sub, payload.jti, payload.iat, payload.exp, payload.scene, payload.phone_sha256)


def write_token(key: PrivateKey, payload: dict[str, str | int]) -> str:
    """Sign a token, as a partner does; for proofs and for partners who want to compare."""
    head = f"v1.{_pack(msgspec.json.encode(payload))}"
    return f"{head}.{_pack(key.sign(head.encode()))}"


def _pack(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpack(text: str) -> bytes:
    """Read base64url without padding, and only its one canonical form: an altered last sign is another token."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _pack(data) != text:
        raise ValueError(text)
    return data
