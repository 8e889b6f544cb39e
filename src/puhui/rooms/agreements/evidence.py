"""The evidence pack (存证包): everything that proves a signature, in one file that a stranger can check offline with the root key alone.

A zip whose bytes depend on its content only: contract, cost table, reading, signature, certificate chain, time stamp, revocation list, and a
manifest with every file's SHA-256 and the hash of the person's pack before it.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from puhui.rooms.agreements.document import canonical, sha256

NO_PACK = "0" * 64
_FIRST_DAY_OF_ZIP = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Proofs:
    """What the signing authority gave: everything as it came, base64 where it is bytes."""

    serial: str
    chain: tuple[str, ...]
    signature: str
    alg: str
    signed_at: str
    timestamp: str
    revocations: Mapping[str, Any]


def stamped(*, document_sha256: str, serial: str, signature: str) -> bytes:
    """Give the bytes whose SHA-256 the time stamp is taken over: which signature, of which key, on which document."""
    return canonical({"document_sha256": document_sha256, "serial": serial, "signature": signature})


def build_pack(*, contract: bytes, cost_table: bytes, reading: Mapping[str, str], proofs: Proofs, previous_sha256: str = NO_PACK) -> bytes:
    """Build the pack of one signed contract."""
    signature = {"serial": proofs.serial, "alg": proofs.alg, "signature": proofs.signature, "signed_at": proofs.signed_at}
    files = {
        "contract.json": contract,
        "cost_table.json": cost_table,
        "reading.json": canonical(dict(reading)),
        "signature.json": canonical(signature | {"document_sha256": sha256(contract)}),
        "certificate.json": canonical({"serial": proofs.serial, "chain": list(proofs.chain)}),
        "timestamp.txt": proofs.timestamp.encode("ascii"),
        "revocations.json": canonical(dict(proofs.revocations)),
    }
    manifest = {"format": "puhui-evidence-1", "previous_sha256": previous_sha256, "files": {name: sha256(data) for name, data in files.items()}}
    return _zip(files | {"manifest.json": canonical(manifest)})


def _zip(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _FIRST_DAY_OF_ZIP), files[name])
    return out.getvalue()
