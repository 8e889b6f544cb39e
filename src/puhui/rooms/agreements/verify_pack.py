"""Check an evidence pack offline: `python verify_pack.py PACK.zip --root ROOT.b64 [--previous EARLIER.zip]`.

Stands alone: it needs the standard library, `cryptography`, and the signing authority's root public key (base64 DER), and imports nothing
of the lender's. It proves that this contract and this cost table were signed by the key of this certificate at this time, that the
certificate was good then, that the table was read long enough before, and that not one byte has changed since.
"""

import argparse
import base64
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

FORMAT = "puhui-evidence-1"
FILES = frozenset({"contract.json", "cost_table.json", "reading.json", "signature.json", "certificate.json", "timestamp.txt", "revocations.json"})
STAMP_SKEW = timedelta(minutes=10)


class PackBadError(Exception):
    """The pack proves nothing: `args[0]` says what is wrong."""


def verify(pack: bytes, root_b64: str, previous: bytes | None = None) -> dict[str, str]:
    """Check a pack; give what it proves. Raises PackBadError with the first thing that is wrong."""
    try:
        return _verify(pack, _public_key(base64.b64decode(root_b64)), previous)
    except PackBadError:
        raise
    except (ValueError, KeyError, TypeError, UnicodeDecodeError, zipfile.BadZipFile, IndexError, AttributeError, StopIteration) as error:
        raise PackBadError(f"the pack is damaged ({type(error).__name__})") from error


def _verify(pack: bytes, root: Ed25519PublicKey, previous: bytes | None) -> dict[str, str]:
    files = _unpack(pack)
    manifest = _json(files.pop("manifest.json"))
    _demand(manifest["format"] == FORMAT, "the format is unknown")
    _demand(set(files) == FILES == set(manifest["files"]), "a file is missing or one too many")
    for name, data in files.items():
        _demand(_sha256(data) == manifest["files"][name], f"{name} is not what the manifest says")
    if previous is not None:
        _demand(manifest["previous_sha256"] == _sha256(previous), "it does not follow the pack before it")

    contract, table, reading = _json(files["contract.json"]), _json(files["cost_table.json"]), _json(files["reading.json"])
    signature, certificate = _json(files["signature.json"]), _json(files["certificate.json"])
    signed_at = datetime.fromisoformat(signature["signed_at"])
    _check_table(contract, table, files["cost_table.json"])
    _check_reading(reading, table, contract, signed_at)
    leaf = _check_chain(certificate, root, signed_at)
    document = hashlib.sha256(files["contract.json"]).digest()
    _demand(signature["document_sha256"] == document.hex(), "another document was signed")
    _demand(signature["serial"] == certificate["serial"], "the signature names another certificate")
    _signed(_key_of(leaf), base64.b64decode(signature["signature"]), document, "the person's signature does not fit the contract")
    stamped = {"document_sha256": document.hex(), "serial": signature["serial"], "signature": signature["signature"]}
    stamp = _check_stamp(files["timestamp.txt"].decode("ascii"), root, _canonical(stamped), signed_at)
    _check_revocations(_json(files["revocations.json"]), root, certificate["serial"], signed_at)
    return {
        "contract_sha256": document.hex(),
        "cost_table_sha256": _sha256(files["cost_table.json"]),
        "loan_id": contract["loan_id"],
        "signer": str(leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value),
        "signed_at": signature["signed_at"],
        "stamped_at": stamp["at"],
        "previous_sha256": manifest["previous_sha256"],
    }


def _check_table(contract: Mapping[str, Any], table: Mapping[str, Any], table_bytes: bytes) -> None:
    _demand(contract["cost_table_sha256"] == _sha256(table_bytes), "the contract names another cost table")
    for field in ("loan_id", "application_id", "principal_fen", "rate_ppm", "method", "months", "funders", "all_in_ppm", "lender"):
        _demand(contract[field] == table[field], f"contract and cost table differ in {field}")
    _demand(sum(funder["share_fen"] for funder in table["funders"]) == table["principal_fen"], "the funders' shares do not add up")


def _check_reading(reading: Mapping[str, Any], table: Mapping[str, Any], contract: Mapping[str, Any], signed_at: datetime) -> None:
    opened, confirmed = datetime.fromisoformat(reading["opened_at"]), datetime.fromisoformat(reading["confirmed_at"])
    _demand(reading["table_sha256"] == contract["cost_table_sha256"], "another table was read")
    _demand(confirmed - opened >= timedelta(seconds=table["reading_time_s"]), "the table was confirmed before the reading time")
    _demand(confirmed <= signed_at + STAMP_SKEW, "it was signed before the table was confirmed")


def _check_chain(certificate: Mapping[str, Any], root: Ed25519PublicKey, signed_at: datetime) -> x509.Certificate:
    leaf, *above = (x509.load_der_x509_certificate(base64.b64decode(one)) for one in certificate["chain"])
    root_der = root.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for one in above:
        der = one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        _demand(der == root_der, "the chain ends in another root")
        _signed(root, one.signature, one.tbs_certificate_bytes, "the root certificate is not the root's own")
        _demand(leaf.issuer == one.subject, "the certificate names another issuer")
    _signed(root, leaf.signature, leaf.tbs_certificate_bytes, "the certificate is not signed by the root")
    _demand(f"{leaf.serial_number:032x}" == certificate["serial"], "the certificate has another serial")
    since, until = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    _demand(since <= signed_at.astimezone(UTC) < until, "the certificate was not in force at the signature")
    return leaf


def _check_stamp(token: str, root: Ed25519PublicKey, stamped: bytes, signed_at: datetime) -> Mapping[str, Any]:
    words, _, signature = token.strip().partition(".")
    raw = base64.b64decode(words)
    _signed(root, base64.b64decode(signature), raw, "the time stamp is not the authority's")
    stamp = _json(raw)
    _demand(stamp["sha256"] == _sha256(stamped), "the time stamp is of another signature")
    _demand(abs(datetime.fromisoformat(stamp["at"]) - signed_at) <= STAMP_SKEW, "time stamp and signature lie too far apart")
    return stamp


def _check_revocations(revocations: Mapping[str, Any], root: Ed25519PublicKey, serial: str, signed_at: datetime) -> None:
    words = _canonical({"version": revocations["version"], "serials": revocations["serials"]})
    _signed(root, base64.b64decode(revocations["signature"]), words, "the revocation list is not the authority's")
    for one in revocations["serials"]:
        revoked = one["serial"] == serial and datetime.fromisoformat(one["at"]) <= signed_at
        _demand(not revoked, "the certificate was revoked before the signature")


def _unpack(pack: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        names = archive.namelist()
        _demand(len(names) == len(set(names)) <= 16, "a file stands twice")
        _demand(all(info.file_size <= 4_000_000 for info in archive.infolist()), "a file is too large")
        return {name: archive.read(name) for name in names}


def _json(data: bytes) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", json.loads(data.decode("utf-8"), parse_float=_no_floats))


def _no_floats(text: str) -> None:
    raise PackBadError(f"a float stands in the pack: {text}")


def _canonical(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _public_key(der: bytes) -> Ed25519PublicKey:
    key = load_der_public_key(der)
    if not isinstance(key, Ed25519PublicKey):
        raise PackBadError("the root key is no Ed25519 key")
    return key


def _key_of(certificate: x509.Certificate) -> Ed25519PublicKey:
    key = certificate.public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise PackBadError("the certificate's key is no Ed25519 key")
    return key


def _signed(key: Ed25519PublicKey, signature: bytes, words: bytes, why: str) -> None:
    try:
        key.verify(signature, words)
    except InvalidSignature:
        raise PackBadError(why) from None


def _demand(holds: bool, why: str) -> None:
    if not holds:
        raise PackBadError(why)


def main(arguments: list[str], say: Callable[[str], object] = print) -> int:
    """Check the pack named on the command line; 0 if it holds."""
    parser = argparse.ArgumentParser(description="Check an evidence pack offline; only the root public key is trusted.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="file with the authority's root public key, base64 DER")
    parser.add_argument("--previous", type=Path, help="the person's pack before this one, to check the chain")
    given = parser.parse_args(arguments)
    try:
        previous = given.previous.read_bytes() if given.previous else None
        proven = verify(given.pack.read_bytes(), given.root.read_text("ascii").strip(), previous)
    except (PackBadError, OSError) as error:
        say(f"BAD: {error}")
        return 1
    say("GOOD")
    for name, value in proven.items():
        say(f"  {name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
