"""One changed byte is found, by a script that knows only the root key."""

import base64
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from puhui.rooms.agreements import verify_pack
from puhui.rooms.agreements.document import canonical, sha256
from puhui.rooms.agreements.evidence import Proofs, build_pack, stamped

AT = datetime(2026, 9, 1, 1, 0, 30, tzinfo=UTC)
ROOT = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PERSON = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
SERIAL = 0x1234


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def der(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate(key, name, serial, issuer_key=ROOT, since=AT - timedelta(minutes=1)) -> bytes:
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(since + timedelta(hours=24))
        .sign(issuer_key, None)
        .public_bytes(Encoding.DER)
    )


def signed_json(facts) -> tuple[bytes, bytes]:
    words = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return words, ROOT.sign(words)


def pack(*, signer=PERSON, read_s=10, revoked=(), stamp_at=AT, issuer_key=ROOT, previous="0" * 64) -> bytes:
    table = canonical(
        {
            "loan_id": "ln-1", "application_id": "ap-1", "principal_fen": 1000, "rate_ppm": 180_000, "method": "level_payment", "months": 3,
            "funders": [{"share_fen": 1000}], "all_in_ppm": 190_000, "lender": "普惠", "reading_time_s": 10,
        }
    )  # fmt: skip
    contract = canonical(json.loads(table) | {"cost_table_sha256": sha256(table), "text_zh": "甲方与乙方约定如下"})
    signature = signer.sign(hashlib.sha256(contract).digest())
    token = {
        "sha256": sha256(stamped(document_sha256=sha256(contract), serial=f"{SERIAL:032x}", signature=b64(signature))),
        "nonce": "1", "serial": 1, "at": stamp_at.isoformat(), "policy": "p",
    }  # fmt: skip
    words, mark = signed_json(token)
    serials = [{"serial": one, "at": (AT - timedelta(seconds=1)).isoformat(), "reason": "lost"} for one in revoked]
    _, list_mark = signed_json({"version": 1, "serials": serials})
    proofs = Proofs(
        serial=f"{SERIAL:032x}",
        chain=(b64(certificate(PERSON, "王小明", SERIAL, issuer_key)), b64(certificate(ROOT, "root", 1))),
        signature=b64(signature),
        alg="ed25519",
        signed_at=AT.isoformat(),
        timestamp=f"{b64(words)}.{b64(mark)}",
        revocations={"version": 1, "serials": serials, "signature": b64(list_mark)},
    )
    reading = {
        "table_sha256": sha256(table),
        "opened_at": (AT - timedelta(seconds=20)).isoformat(),
        "confirmed_at": (AT - timedelta(seconds=20 - read_s)).isoformat(),
    }
    return build_pack(contract=contract, cost_table=table, reading=reading, proofs=proofs, previous_sha256=previous)


ROOT_KEY = b64(der(ROOT))


def test_a_good_pack_proves_who_signed_what_and_when():
    proven = verify_pack.verify(pack(), ROOT_KEY)
    assert proven["signer"] == "王小明"
    assert proven["loan_id"] == "ln-1"
    assert proven["signed_at"] == AT.isoformat()


def test_the_same_facts_give_the_same_pack_to_the_byte():
    assert pack() == pack()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (lambda: pack(signer=ROOT), "signature does not fit"),
        (lambda: pack(read_s=9), "reading time"),
        (lambda: pack(revoked=[f"{SERIAL:032x}"]), "revoked"),
        (lambda: pack(stamp_at=AT + timedelta(hours=1)), "too far apart"),
        (lambda: pack(issuer_key=PERSON), "not signed by the root"),
    ],
)
def test_a_pack_that_proves_less_is_refused(bad, why):
    with pytest.raises(verify_pack.PackBadError, match=why):
        verify_pack.verify(bad(), ROOT_KEY)


def test_another_root_proves_nothing():
    with pytest.raises(verify_pack.PackBadError):
        verify_pack.verify(pack(), b64(der(PERSON)))


def test_every_changed_byte_of_every_file_is_found():
    """Each file in turn, a byte here and there, the manifest mended to agree where it can be: still found."""
    good = pack()
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for name in set(files) - {"manifest.json"}:
        for place in range(0, len(files[name]), max(len(files[name]) // 40, 1)):
            changed = dict(files)
            data = bytearray(changed[name])
            data[place] ^= 1
            changed[name] = bytes(data)
            with pytest.raises(verify_pack.PackBadError):
                verify_pack.verify(zipped(changed), ROOT_KEY)
            if name in {"reading.json", "timestamp.txt"}:
                continue
            manifest = json.loads(files["manifest.json"])
            manifest["files"][name] = hashlib.sha256(changed[name]).hexdigest()
            changed["manifest.json"] = canonical(manifest)
            if name in {"contract.json", "cost_table.json"}:
                with pytest.raises(verify_pack.PackBadError):
                    verify_pack.verify(zipped(changed), ROOT_KEY)


def test_packs_are_chained():
    first = pack()
    second = pack(previous=hashlib.sha256(first).hexdigest())
    assert verify_pack.verify(second, ROOT_KEY, first)["previous_sha256"] == hashlib.sha256(first).hexdigest()
    with pytest.raises(verify_pack.PackBadError, match="follow"):
        verify_pack.verify(second, ROOT_KEY, second)


def test_the_verifier_runs_alone(tmp_path):
    script = tmp_path / "verify_pack.py"
    script.write_bytes(Path(verify_pack.__file__).read_bytes())
    (tmp_path / "pack.zip").write_bytes(pack())
    (tmp_path / "root.b64").write_text(ROOT_KEY)
    command = [sys.executable, "-I", str(script), str(tmp_path / "pack.zip"), "--root", str(tmp_path / "root.b64")]
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout.splitlines()[0]) == (0, "GOOD")
    (tmp_path / "pack.zip").write_bytes(pack(read_s=1))
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert bad.stdout.startswith("BAD")
    assert "puhui." not in script.read_text()


def zipped(files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), files[name])
    return out.getvalue()
