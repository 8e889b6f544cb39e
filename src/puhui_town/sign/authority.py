"""The authority's cryptography, without its books: keys, certificates, signatures, time stamps, revocation lists.

One root key signs everything, so that an offline verifier needs only the root's public key:

- a *certificate* is X.509 v3 in DER, Ed25519, signed by the root; subject CN = the person's name, subject serialNumber = hex SHA-256 of
  the id number; the chain is `[certificate, root certificate]`, each base64 DER;
- a *signature* is Ed25519 by the certificate's key over the 32 raw bytes of the document's SHA-256;
- a *time stamp token* is base64(JSON) + "." + base64(Ed25519 by the root over the raw JSON bytes);
- a *revocation list* carries `signature`, Ed25519 by the root over the JSON of `{"serials":…,"version":…}` (keys sorted, no spaces, UTF-8).

A person's key is derived from the root's secret and the certificate's serial and never leaves this class: nothing is stored that could
sign without the one-time code that `sign.service` demands before it calls `sign`.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

CERTIFICATE_TERM = timedelta(hours=24)
ROOT_NAME = "Puhui Town Signing Authority (simulated)"
POLICY = "puhui-town-tsa-1"
ALG = "ed25519"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as issued; keys and chain are base64 DER."""

    serial: str
    public_key: str
    not_before: datetime
    not_after: datetime
    chain: tuple[str, ...]


class Authority:
    """The signing authority around one root key."""

    def __init__(self, root: Ed25519PrivateKey) -> None:
        self._root = root
        self._secret = root.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())

    @cached_property
    def root_certificate(self) -> str:
        """Base64 DER of the root's own certificate; the last of every chain."""
        public = self._root.public_key()
        made = (
            x509.CertificateBuilder()
            .subject_name(_root_name())
            .issuer_name(_root_name())
            .public_key(public)
            .serial_number(1)
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2060, 1, 1, tzinfo=UTC))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._root, None)
        )
        return base64.b64encode(made.public_bytes(Encoding.DER)).decode()

    @cached_property
    def root_public_key(self) -> str:
        """Base64 DER of the root's public key: all an offline verifier needs."""
        return _der(self._root.public_key())

    def issue(self, *, cert_id: str, name: str, id_number: str, at: datetime) -> Certificate:
        """A certificate good for 24 hours. The same arguments give the same bytes."""
        serial_number = int.from_bytes(hashlib.sha256(f"{cert_id}|{at.isoformat()}".encode()).digest()[:16], "big") >> 1 | 1
        serial = f"{serial_number:032x}"
        not_before = at.astimezone(UTC).replace(microsecond=0)
        not_after = not_before + CERTIFICATE_TERM
        public = self._person_key(serial).public_key()
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name[:64] or "-"),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, hashlib.sha256(id_number.encode()).hexdigest()),
            ]
        )
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_root_name())
            .public_key(public)
            .serial_number(serial_number)
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .sign(self._root, None)
        )
        leaf = base64.b64encode(made.public_bytes(Encoding.DER)).decode()
        return Certificate(serial, _der(public), not_before, not_after, (leaf, self.root_certificate))

    def sign(self, *, serial: str, document_sha256: str) -> str:
        """Base64 of the person's signature over the raw document hash."""
        return base64.b64encode(self._person_key(serial).sign(bytes.fromhex(document_sha256))).decode()

    def stamp(self, *, sha256: str, nonce: str, serial: int, at: str) -> str:
        """A time stamp token."""
        words = canonical({"sha256": sha256, "nonce": nonce, "serial": serial, "at": at, "policy": POLICY})
        return f"{base64.b64encode(words).decode()}.{base64.b64encode(self._root.sign(words)).decode()}"

    def sign_revocations(self, *, version: int, serials: list[dict[str, str]]) -> str:
        """Base64 of the root's signature over a revocation list."""
        return base64.b64encode(self._root.sign(canonical({"version": version, "serials": serials}))).decode()

    def _person_key(self, serial: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(hmac.digest(self._secret, f"person|{serial}".encode(), "sha256"))


def canonical(value: dict[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces, in UTF-8: the bytes that are signed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _root_name() -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ROOT_NAME)])


def _der(key: Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
