"""Signatures of requests and replies (`puhui-v1`), and the keys the town signs with and knows.

Private keys lie in `{home}/keys`, one PEM file a key, mode 0600, made on the first run. Public keys of the platform are read from
`{platform}/keys` at first need and again when an unknown key turns up; the driver's is read from a file.
"""

import hashlib
import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from puhui_town.wire.words import Refused

SKEW_MS = 300_000
NONCE_MS = 600_000
ED25519, RSA = "ed25519", "rsa-sha256"
RSA_BITS_MIN = 2048
EMPTY_DIGEST = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key by which a sender is known; `der` is SubjectPublicKeyInfo."""

    key_id: str
    owner: str
    alg: str
    der: bytes
    loaded: VerifyKey | RSAPublicKey = field(compare=False, repr=False)

    @classmethod
    def read(cls, key_id: str, owner: str, alg: str, der: bytes) -> "PublicKey":
        """Load a key. Raises ValueError for one that does not fit its algorithm, so also for RSA below 2,048 bits."""
        loaded = serialization.load_der_public_key(der)
        if alg == ED25519 and isinstance(loaded, Ed25519PublicKey):
            return cls(key_id, owner, alg, der, VerifyKey(loaded.public_bytes_raw()))
        if alg == RSA and isinstance(loaded, RSAPublicKey) and loaded.key_size >= RSA_BITS_MIN:
            return cls(key_id, owner, alg, der, loaded)
        raise ValueError(alg)

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        try:
            if isinstance(self.loaded, VerifyKey):
                self.loaded.verify(text, signature)
            else:
                self.loaded.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        except (BadSignatureError, InvalidSignature, ValueError):  # ValueError: not 64 bytes
            return False
        return True

    def published(self) -> dict[str, str]:
        return {"key_id": self.key_id, "owner": self.owner, "alg": self.alg, "public_key": b64encode(self.der).decode()}


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key with which the town signs for one of its parties."""

    key_id: str
    owner: str
    loaded: Ed25519PrivateKey | RSAPrivateKey = field(repr=False)

    @property
    def alg(self) -> str:
        return ED25519 if isinstance(self.loaded, Ed25519PrivateKey) else RSA

    def sign(self, text: bytes) -> bytes:
        if isinstance(self.loaded, Ed25519PrivateKey):
            return _signing(self.loaded).sign(text).signature
        return self.loaded.sign(text, padding.PKCS1v15(), hashes.SHA256())

    def public(self) -> PublicKey:
        der = self.loaded.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return PublicKey.read(self.key_id, self.owner, self.alg, der)


@lru_cache(256)
def _signing(key: Ed25519PrivateKey) -> SigningKey:
    """Give libsodium's form of a key: it signs and checks in half the time."""
    return SigningKey(key.private_bytes_raw())


@dataclass(slots=True)
class Keys:
    """All keys of the process. `folder` None keeps private keys in memory only (tests)."""

    folder: Path | None = None
    own: dict[str, PrivateKey] = field(default_factory=dict)
    known: dict[str, PublicKey] = field(default_factory=dict)

    def make(self, key_id: str, owner: str) -> PrivateKey:
        """Give the town's own key of that id, made and stored on the first run. Its owner is thereby known here too."""
        if key_id in self.own:
            return self.own[key_id]
        key = PrivateKey(key_id, owner, self._load_or_make(key_id))
        self.own[key_id] = key
        self.known[key_id] = key.public()
        return key

    def published(self) -> list[dict[str, str]]:
        return [self.known[key_id].published() for key_id in self.own]

    def know(self, key: PublicKey) -> None:
        """Learn another side's key. One of the town's own ids is never taken over by another."""
        if key.key_id not in self.own:
            self.known[key.key_id] = key

    def know_driver(self, path: Path) -> None:
        """Learn the driver's key, a file with base64 DER of an Ed25519 public key. Raises ValueError, OSError."""
        self.know(PublicKey.read("driver-1", "driver", ED25519, b64decode(path.read_text("ascii").strip(), validate=True)))

    def _load_or_make(self, key_id: str) -> Ed25519PrivateKey | RSAPrivateKey:
        if self.folder is None:
            return Ed25519PrivateKey.generate()
        path = self.folder / f"{key_id}.pem"
        if path.exists():
            loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
            if not isinstance(loaded, Ed25519PrivateKey | RSAPrivateKey):
                raise ValueError(f"the key file of {key_id} holds neither an Ed25519 nor an RSA key")
            return loaded
        made = Ed25519PrivateKey.generate()
        pem = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        return made


@dataclass(slots=True)
class Nonces:
    """The nonces seen in the last 600 s, per key."""

    seen: set[str] = field(default_factory=set)
    order: deque[tuple[int, str]] = field(default_factory=deque)

    def take(self, key_id: str, nonce: str, now_ms: int) -> bool:
        """Remember a nonce; give False if it was there."""
        while self.order and self.order[0][0] < now_ms - NONCE_MS:
            self.seen.discard(self.order.popleft()[1])
        mark = f"{key_id} {nonce}"
        if mark in self.seen:
            return False
        self.seen.add(mark)
        self.order.append((now_ms, mark))
        return True


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest() if body else EMPTY_DIGEST


def request_text(method: str, path: str, key_id: str, time: str, nonce: str, idempotency_key: str, digest: str) -> bytes:
    """Give the eight lines a request's signature covers; `path` with its query exactly as sent."""
    return f"puhui-v1\n{method}\n{path}\n{key_id}\n{time}\n{nonce}\n{idempotency_key}\n{digest}".encode()


def reply_text(status: int, nonce: str, key_id: str, time: str, idempotency_key: str, digest: str) -> bytes:
    """Give the seven lines a reply's signature covers."""
    return f"puhui-v1-reply\n{status}\n{nonce}\n{key_id}\n{time}\n{idempotency_key}\n{digest}".encode()


def sign_request(
    key: PrivateKey, *, method: str, path: str, body: bytes, idempotency_key: str, time_ms: int, nonce: str
) -> list[tuple[str, str]]:
    """Give the headers of a signed request."""
    digest, time = digest_of(body), str(time_ms)
    text = request_text(method, path, key.key_id, time, nonce, idempotency_key, digest)
    headers = [*_signature_headers(key, time, digest, text), ("Puhui-Nonce", nonce)]
    if idempotency_key:
        headers.append(("Idempotency-Key", idempotency_key))
    return headers


def sign_reply(key: PrivateKey, *, status: int, nonce: str, body: bytes, idempotency_key: str, time_ms: int) -> list[tuple[str, str]]:
    """Give the headers of a signed reply."""
    digest, time = digest_of(body), str(time_ms)
    return _signature_headers(key, time, digest, reply_text(status, nonce, key.key_id, time, idempotency_key, digest))


def check_request(
    keys: Keys, nonces: Nonces, *, method: str, path: str, headers: Mapping[str, str], body: bytes, now_ms: int
) -> PublicKey:
    """Check a request and give the sender's key; whether its owner is listed is the caller's next question.

    In this order: key known and in force, time, digest and signature, nonce. Raises Refused.
    """
    key = keys.known.get(headers.get("puhui-key", ""))
    if key is None or headers.get("puhui-alg", ED25519) != key.alg:
        raise Refused("unknown-key", "this key is not known here or not in force", retry="ask", status=401)
    time = headers.get("puhui-time", "")
    check_time(time, now_ms)
    digest, nonce = headers.get("puhui-digest", ""), headers.get("puhui-nonce", "")
    text = request_text(method, path, key.key_id, time, nonce, headers.get("idempotency-key", ""), digest)
    if digest != digest_of(body) or not is_nonce(nonce) or not key.is_signed(text, _signature_of(headers)):
        raise Refused("bad-signature", "the signature does not fit the key, the text and the body", retry="ask", status=401)
    if not nonces.take(key.key_id, nonce, now_ms):
        raise Refused("nonce-reused", "this nonce was seen before; sign again with a fresh one", retry="later", status=401)
    return key


def is_reply_good(
    keys: Keys, *, owner: str, status: int, nonce: str, headers: Mapping[str, str], body: bytes, idempotency_key: str, now_ms: int
) -> bool:
    """Say whether a reply to our request counts: known key of that owner, time, digest, signature."""
    key = keys.known.get(headers.get("puhui-key", ""))
    if key is None or key.owner != owner:
        return False
    time, digest = headers.get("puhui-time", ""), headers.get("puhui-digest", "")
    try:
        check_time(time, now_ms)
    except Refused:
        return False
    text = reply_text(status, nonce, key.key_id, time, idempotency_key, digest)
    return digest == digest_of(body) and key.is_signed(text, _signature_of(headers))


def check_time(time: str, now_ms: int) -> None:
    """Refuse what was signed more than 300 s from our own clock."""
    if not (time.isascii() and time.isdigit() and len(time) <= 16) or abs(int(time) - now_ms) > SKEW_MS:
        raise Refused("stale", "Puhui-Time lies more than 300 s from the clock here", retry="later", status=401)


def is_nonce(nonce: str) -> bool:
    return len(nonce) == 32 and _HEX.issuperset(nonce)


def _signature_headers(key: PrivateKey, time: str, digest: str, text: bytes) -> list[tuple[str, str]]:
    return [
        ("Puhui-Key", key.key_id),
        ("Puhui-Alg", key.alg),
        ("Puhui-Time", time),
        ("Puhui-Digest", digest),
        ("Puhui-Sign", b64encode(key.sign(text)).decode()),
    ]


def _signature_of(headers: Mapping[str, str]) -> bytes:
    try:
        return b64decode(headers.get("puhui-sign", ""), validate=True)
    except (NotBase64, ValueError):
        return b""


_HEX = frozenset("0123456789abcdef")
