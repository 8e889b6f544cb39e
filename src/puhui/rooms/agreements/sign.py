"""The signing authority's interface, signed: certificate, signature, time stamp, revocation list. Called between transactions only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from puhui.foundation.services import Service, Unknown
from puhui.rooms.agreements.document import sha256
from puhui.rooms.agreements.evidence import Proofs, stamped


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, as the authority wants to know him; `face_check_id` is the check that showed it is he."""

    name: str
    id_type: str
    id_number: str
    face_check_id: str


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code of purpose `sign` for one document; never stored in clear."""

    otp_id: str
    code: str


@dataclass(frozen=True, slots=True)
class Certificate:
    serial: str
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature with everything that proves it."""

    proofs: Proofs
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A signed no, such as `sign.otp-wrong`."""

    code: str


@dataclass(frozen=True, slots=True)
class Silent:
    """Nobody answered; the same is asked again under the same keys."""

    why: str


async def certify(service: Service, *, cert_id: str, signer: Signer) -> Certificate | Refused | Silent:
    """Ask for the person's certificate, good for a day."""
    person = {"name": signer.name, "id_type": signer.id_type, "id_number": signer.id_number}
    body = {"cert_id": cert_id, "person": person, "face_check_id": signer.face_check_id}
    told = await _ask(service, "/sign/v1/certificates", body, key=cert_id)
    if not isinstance(told, Mapping):
        return told
    return Certificate(str(told["serial"]), tuple(str(one) for one in told["chain"]))


async def sign(
    service: Service, *, signature_id: str, certificate: Certificate, document_sha256: str, code: OneTimeCode, revocations: Mapping[str, Any]
) -> Signed | Refused | Silent:
    """Let the person's key sign a document's hash, and stamp the signature with the authority's time."""
    body = {
        "signature_id": signature_id,
        "serial": certificate.serial,
        "document_sha256": document_sha256,
        "otp_id": code.otp_id,
        "code": code.code,
    }
    told = await _ask(service, "/sign/v1/signatures", body, key=signature_id)
    if not isinstance(told, Mapping):
        return told
    words = stamped(document_sha256=document_sha256, serial=certificate.serial, signature=str(told["signature"]))
    stamp_id = f"ts-{signature_id.removeprefix('sg-')}"
    stamp = await _ask(service, "/sign/v1/timestamps", {"sha256": sha256(words), "nonce": stamp_id}, key=stamp_id)
    if not isinstance(stamp, Mapping):
        return stamp
    proofs = Proofs(
        serial=certificate.serial,
        chain=certificate.chain,
        signature=str(told["signature"]),
        alg=str(told["alg"]),
        signed_at=str(told["signed_at"]),
        timestamp=str(stamp["token"]),
        revocations=revocations,
    )
    return Signed(proofs, datetime.fromisoformat(proofs.signed_at))


async def revocations(service: Service) -> Mapping[str, Any] | Silent:
    """Fetch the authority's list of revoked certificates, signed by its root."""
    answer = await service.get("/sign/v1/revocations")
    if isinstance(answer, Unknown) or not answer.is_good:
        return Silent(answer.why if isinstance(answer, Unknown) else f"answered {answer.status}")
    return {name: answer.body[name] for name in ("version", "serials", "signature") if name in answer.body}


async def _ask(service: Service, path: str, body: Mapping[str, Any], *, key: str) -> Mapping[str, Any] | Refused | Silent:
    answer = await service.settle(path, body, key=key)
    if isinstance(answer, Unknown):
        return Silent(answer.why)
    return answer.body if answer.is_good else Refused(answer.code or str(answer.status))
