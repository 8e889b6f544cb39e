"""Signed requests and replies, both directions, as the partner protocol words them (version puhui-v1).

The receiver checks in this order: key known and in force, time, digest and signature, nonce, the owner is listed; only then is the body
parsed. A reply without a good signature counts as no reply.
"""

import hashlib
import secrets
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from puhui.foundation.refusals import Refusal

SKEW_MS = 300_000
NONCE_MS = 600_000
ED25519, RSA = "ed25519", "rsa-sha256"
EMPTY_DIGEST = hashlib.sha256(b"").hexdigest()


class SignatureRefused(Refusal):
    """The signature was refused: {why}."""

    code = "bad-signature"
    status = 401


class UnknownKey(SignatureRefused):
    """The key {key_id} is not known here or no longer in force. Publish the new key, or sign with the one that is registered."""

    code = "unknown-key"


class Stale(SignatureRefused):
    """The request's time lies {off_ms} ms from ours; at most 300 s are allowed. Set the clock and sign again."""

    code = "stale"


class NonceReused(SignatureRefused):
    """This nonce was seen before; sign again with a fresh one. The Idempotency-Key stays the same."""

    code = "nonce-reused"


class NotListed(SignatureRefused):
    """{owner} is not a listed partner now; nothing was read or done."""

    code = "not-listed"
    status = 403


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key by which a sender is known. `der` is SubjectPublicKeyInfo."""

    key_id: str
    owner: str
    alg: str
    der: bytes
    loaded: VerifyKey | RSAPublicKey = field(compare=False, repr=False)

    @classmethod
    def read(cls, key_id: str, owner: str, alg: str, der: bytes) -> "PublicKey":
        """Load a key. Raises UnknownKey for one that does not fit its algorithm, so also for RSA below 2,048 bits."""
        try:
            loaded = serialization.load_der_public_key(der)
        except ValueError:
            raise UnknownKey(key_id=key_id) from None
        if alg == ED25519 and isinstance(loaded, Ed25519PublicKey):
            return cls(key_id, owner, alg, der, VerifyKey(loaded.public_bytes_raw()))
        if alg == RSA and isinstance(loaded, RSAPublicKey) and loaded.key_size >= 2048:
            return cls(key_id, owner, alg, der, loaded)
        raise UnknownKey(key_id=key_id)

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        try:
            if isinstance(self.loaded, VerifyKey):
                self.loaded.verify(text, signature)
            else:
                self.loaded.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        except (BadSignatureError, InvalidSignature, ValueError):  # ValueError: not 64 bytes
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key with which we sign."""

    key_id: str
    alg: str
    loaded: Ed25519PrivateKey | RSAPrivateKey = field(repr=False)

    def sign(self, text: bytes) -> bytes:
        if isinstance(self.loaded, Ed25519PrivateKey):
            return _signing(self.loaded).sign(text).signature
        return self.loaded.sign(text, padding.PKCS1v15(), hashes.SHA256())

    @property
    def public_der(self) -> bytes:
        return self.loaded.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def published(self, owner: str) -> PublicKey:
        return PublicKey.read(self.key_id, owner, self.alg, self.public_der)


@lru_cache(256)
def _signing(key: Ed25519PrivateKey) -> SigningKey:
    """Give libsodium's form of a key: it signs and checks in half the time."""
    return SigningKey(key.private_bytes_raw())


@dataclass(slots=True)
class Keyring:
    """The public keys we know. `in_force` says whether a key may be used now (rotation); unknown ids may be learned by the caller."""

    keys: dict[str, PublicKey] = field(default_factory=dict)

    def add(self, key: PublicKey) -> None:
        self.keys[key.key_id] = key

    def remove(self, key_id: str) -> None:
        self.keys.pop(key_id, None)

    def find(self, key_id: str) -> PublicKey:
        """Give the key. Raises UnknownKey."""
        try:
            return self.keys[key_id]
        except KeyError:
            raise UnknownKey(key_id=key_id) from None


@dataclass(slots=True)
class Nonces:
    """The nonces seen in the last 600 s, per key. What was sent before this process began is refused as stale: it may have been seen by its predecessor."""

    began_ms: int
    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    order: deque[tuple[int, tuple[str, str]]] = field(default_factory=deque)

    def take(self, key_id: str, nonce: str, now_ms: int) -> bool:
        """Remember a nonce; give False if it was there."""
        while self.order and self.order[0][0] < now_ms - NONCE_MS:
            _, old = self.order.popleft()
            self.seen.pop(old, None)
        if (key_id, nonce) in self.seen:
            return False
        self.seen[key_id, nonce] = now_ms
        self.order.append((now_ms, (key_id, nonce)))
        return True


def request_text(method: str, path: str, key_id: str, time: str, nonce: str, idempotency_key: str, digest: str) -> bytes:
    """Give the eight lines that a request's signature covers; `path` with its query exactly as sent."""
    return f"puhui-v1\n{method}\n{path}\n{key_id}\n{time}\n{nonce}\n{idempotency_key}\n{digest}".encode()


def reply_text(status: int, nonce: str, key_id: str, time: str, idempotency_key: str, digest: str) -> bytes:
    """Give the seven lines that a reply's signature covers."""
    return "\n".join(("puhui-v1-reply", str(status), nonce, key_id, time, idempotency_key, digest)).encode()


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest() if body else EMPTY_DIGEST


def sign_request(key: PrivateKey, *, method: str, path: str, body: bytes, idempotency_key: str, time_ms: int, nonce: str | None = None) -> dict[str, str]:
    """Give the headers of a signed request; the nonce is fresh unless given."""
    nonce = nonce or secrets.token_hex(16)
    digest, time = digest_of(body), str(time_ms)
    signature = key.sign(request_text(method, path, key.key_id, time, nonce, idempotency_key, digest))
    headers = _headers(key, time, digest, signature)
    headers["Puhui-Nonce"] = nonce
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    return headers


def sign_reply(key: PrivateKey, *, status: int, nonce: str, body: bytes, idempotency_key: str, time_ms: int) -> dict[str, str]:
    digest, time = digest_of(body), str(time_ms)
    return _headers(key, time, digest, key.sign(reply_text(status, nonce, key.key_id, time, idempotency_key, digest)))


def check_request(
    keyring: Keyring,
    nonces: Nonces,
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    now_ms: int,
    is_listed: Callable[[str], bool],
) -> PublicKey:
    """Check a request and give the sender's key; `headers` with lower-case names. Raises UnknownKey, Stale, SignatureRefused, NonceReused, NotListed."""
    key = keyring.find(headers.get("puhui-key", ""))
    if headers.get("puhui-alg", ED25519) != key.alg:
        raise UnknownKey(key_id=key.key_id)
    time, nonce, digest = headers.get("puhui-time", ""), headers.get("puhui-nonce", ""), headers.get("puhui-digest", "")
    _check_time(time, now_ms)
    if digest != digest_of(body):
        raise SignatureRefused(why="the body is not the one that was signed")
    text = request_text(method, path, key.key_id, time, nonce, headers.get("idempotency-key", ""), digest)
    if not (_is_nonce(nonce) and key.is_signed(text, _signature(headers))):
        raise SignatureRefused(why="it does not fit the key and the text")
    if not nonces.take(key.key_id, nonce, now_ms):
        raise NonceReused
    if not is_listed(key.owner):
        raise NotListed(owner=key.owner)
    return key


def check_reply(
    keyring: Keyring, *, owner: str, status: int, nonce: str, headers: Mapping[str, str], body: bytes, idempotency_key: str, now_ms: int
) -> None:
    """Check a reply of `owner` to our request. Raises SignatureRefused or one of its kinds."""
    key = keyring.find(headers.get("puhui-key", ""))
    if key.owner != owner:
        raise UnknownKey(key_id=key.key_id)
    time, digest = headers.get("puhui-time", ""), headers.get("puhui-digest", "")
    _check_time(time, now_ms)
    if digest != digest_of(body):
        raise SignatureRefused(why="the reply's body is not the one that was signed")
    if not key.is_signed(reply_text(status, nonce, key.key_id, time, idempotency_key, digest), _signature(headers)):
        raise SignatureRefused(why="the reply's signature does not fit")


def _headers(key: PrivateKey, time: str, digest: str, signature: bytes) -> dict[str, str]:
    return {
        "Puhui-Key": key.key_id,
        "Puhui-Alg": key.alg,
        "Puhui-Time": time,
        "Puhui-Digest": digest,
        "Puhui-Sign": b64encode(signature).decode(),
    }


def _check_time(time: str, now_ms: int) -> None:
    if not (time.isascii() and time.isdigit() and len(time) <= 16):
        raise Stale(off_ms="unknown")
    if abs(int(time) - now_ms) > SKEW_MS:
        raise Stale(off_ms=abs(int(time) - now_ms))


def _is_nonce(nonce: str) -> bool:
    return len(nonce) == 32 and all(char in "0123456789abcdef" for char in nonce)


def _signature(headers: Mapping[str, str]) -> bytes:
    try:
        return b64decode(headers.get("puhui-sign", ""), validate=True)
    except ValueError:
        raise SignatureRefused(why="it is not base64") from None
