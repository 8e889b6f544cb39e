"""Certificates, signatures, time stamps and revocation lists are all proven with the root's public key alone."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from puhui_town.sign.authority import Authority, canonical

AT = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)
LI = "790101199003070018"
DOCUMENT = hashlib.sha256(b"a contract").hexdigest()


@pytest.fixture
def authority() -> Authority:
    return Authority(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def key(text: str) -> Ed25519PublicKey:
    loaded = load_der_public_key(base64.b64decode(text))
    assert isinstance(loaded, Ed25519PublicKey)
    return loaded


def test_a_signature_is_proven_from_the_root_alone(authority: Authority):
    certificate = authority.issue(cert_id="ct-1", name="李伟", id_number=LI, at=AT)
    leaf = x509.load_der_x509_certificate(base64.b64decode(certificate.chain[0]))
    root = x509.load_der_x509_certificate(base64.b64decode(certificate.chain[-1]))
    leaf.verify_directly_issued_by(root)
    assert root.public_key() == key(authority.root_public_key)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(hours=24)
    assert f"{leaf.serial_number:032x}" == certificate.serial
    assert LI not in str(leaf.subject)

    signature = base64.b64decode(authority.sign(serial=certificate.serial, document_sha256=DOCUMENT))
    key(certificate.public_key).verify(signature, bytes.fromhex(DOCUMENT))
    with pytest.raises(InvalidSignature):
        key(certificate.public_key).verify(signature, hashlib.sha256(b"another contract").digest())


def test_each_certificate_has_a_key_of_its_own_and_the_same_again(authority: Authority):
    first = authority.issue(cert_id="ct-1", name="李伟", id_number=LI, at=AT)
    assert first == authority.issue(cert_id="ct-1", name="李伟", id_number=LI, at=AT)
    assert first.public_key != authority.issue(cert_id="ct-2", name="李伟", id_number=LI, at=AT).public_key


def test_a_time_stamp_and_a_revocation_list_are_signed_by_the_root(authority: Authority):
    words, signature = (base64.b64decode(part) for part in authority.stamp(sha256=DOCUMENT, nonce="n-1", serial=7, at="2026-09-01T08:30:00.000+08:00").split("."))
    key(authority.root_public_key).verify(signature, words)
    assert json.loads(words)["sha256"] == DOCUMENT
    serials = [{"serial": "aa", "at": "2026-09-01T08:30:00.000+08:00", "reason": "key lost"}]
    signed = base64.b64decode(authority.sign_revocations(version=2, serials=serials))
    key(authority.root_public_key).verify(signed, canonical({"version": 2, "serials": serials}))
