"""The signing authority on the wire. What is signed, and how an offline verifier proves it, says `sign.authority`.

A certificate is made for a person whose own live face a check has just seen. His key then signs one document for one one-time code
(purpose `sign`, subject the document's hash) that reached his own phone: nobody else can make it sign. The root key is published as
`sign-root` at `GET /keys` and stands at the end of every chain.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from puhui_town.breaches import Breaches
from puhui_town.checks.otp import Outcome
from puhui_town.checks.population import Population
from puhui_town.sign.authority import ALG, Authority
from puhui_town.wire.ask import Ask, Route, Service
from puhui_town.wire.clock import Clock
from puhui_town.wire.store import Store
from puhui_town.wire.words import Ident, LongIdent, Person, Refused, Sha256, instant, not_found


class CertificateWanted(msgspec.Struct, frozen=True, kw_only=True):
    cert_id: Ident
    person: Person
    face_check_id: Ident


class SignatureWanted(msgspec.Struct, frozen=True, kw_only=True):
    signature_id: Ident
    serial: Ident
    document_sha256: Sha256
    otp_id: str
    code: str


class StampWanted(msgspec.Struct, frozen=True, kw_only=True):
    sha256: Sha256
    nonce: LongIdent


class Issued(msgspec.Struct, frozen=True):
    """A certificate the authority stands behind, until revoked."""

    person: str
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None = None
    reason: str = ""


class TakeCode(Protocol):
    """The door of the book of codes."""

    def __call__(self, *, otp_id: str, code: str, purpose: str, subject: str | None = None, phone: str | None = None) -> Outcome: ...


@dataclass(slots=True)
class Signing:
    """The service `sign`."""

    clock: Clock
    store: Store
    people: Population
    breaches: Breaches
    authority: Authority
    take_code: TakeCode
    face_passed: Callable[[str], str | None]
    _issued: Any = field(init=False)
    _serials: Any = field(init=False)

    def __post_init__(self) -> None:
        self._issued = self.store.table("sign.issued", Issued)
        self._serials = self.store.table("sign.serials", int)

    def service(self) -> Service:
        routes = (
            Route("POST", "/sign/v1/certificates", "certificate", self.certificate),
            Route("POST", "/sign/v1/signatures", "signature", self.signature),
            Route("POST", "/sign/v1/timestamps", "timestamp", self.timestamp),
            Route("GET", "/sign/v1/revocations", "revocations", self.revocations),
        )
        return Service("sign", "/sign", "sign-1", routes)

    def certificate(self, ask: Ask) -> dict[str, Any]:
        """A certificate for 24 hours. Refused: `sign.person-unknown`, `sign.face-not-proven`."""
        wanted = ask.read(CertificateWanted)
        known = self.people.person_by_id_number(wanted.person.id_number)
        if known is None or known.name != wanted.person.name:
            raise Refused("sign.person-unknown", "name and id number belong to nobody")
        if self.face_passed(wanted.face_check_id) != known.person:
            raise Refused("sign.face-not-proven", "no check has seen this person's own live face under that id")
        made = self.authority.issue(cert_id=wanted.cert_id, name=known.name, id_number=known.id_number, at=ask.at)
        self._issued.put(made.serial, Issued(known.person, made.not_before, made.not_after))
        if ask.fault is not None and ask.fault.name == "cert_revoked":
            self.revoke(made.serial, "withdrawn by the authority")
        return {
            "serial": made.serial,
            "public_key": made.public_key,
            "not_before": instant(made.not_before),
            "not_after": instant(made.not_after),
            "chain": list(made.chain),
            "simulated": True,
        }

    def signature(self, ask: Ask) -> dict[str, Any]:
        """One signature for one code. Refused: `sign.cert-revoked`, `sign.cert-expired`, `sign.otp-wrong`."""
        wanted = ask.read(SignatureWanted)
        if ask.fault is not None and ask.fault.name == "cert_revoked":
            self.revoke(wanted.serial, "withdrawn by the authority")
        issued: Issued | None = self._issued.get(wanted.serial)
        if issued is None:
            raise not_found("a certificate of this serial")
        if issued.revoked_at is not None:
            raise Refused("sign.cert-revoked", "the certificate was revoked", revoked_at=instant(issued.revoked_at))
        if not issued.not_before <= ask.at < issued.not_after:
            raise Refused("sign.cert-expired", "the certificate is not in force now")
        outcome = self.take_code(otp_id=wanted.otp_id, code=wanted.code, purpose="sign", subject=wanted.document_sha256)
        if not outcome.is_right or issued.person not in self.people.users_of(outcome.phone, ask.at):
            raise Refused("sign.otp-wrong", f"the code is {outcome.taken.value}", left=outcome.left)
        self.breaches.signed(person=issued.person, contract_sha256=wanted.document_sha256, at=ask.at, now_ms=self.clock.sign_ms())
        signature = self.authority.sign(serial=wanted.serial, document_sha256=wanted.document_sha256)
        return {"signature": signature, "alg": ALG, "signed_at": instant(ask.at), "simulated": True}

    def timestamp(self, ask: Ask) -> dict[str, Any]:
        """A time stamp; its serial grows by one each time."""
        wanted = ask.read(StampWanted)
        serial = (self._serials.get("timestamp") or 0) + 1
        self._serials.put("timestamp", serial)
        return {"token": self.authority.stamp(sha256=wanted.sha256, nonce=wanted.nonce, serial=serial, at=instant(ask.at)), "simulated": True}

    def revocations(self, _: Ask) -> dict[str, Any]:
        """Every revoked certificate; `version` grows with their number, `signature` is the root's."""
        revoked = sorted((serial, issued) for serial, issued in self._issued.items() if issued.revoked_at is not None)
        serials = [{"serial": serial, "at": instant(issued.revoked_at), "reason": issued.reason} for serial, issued in revoked]
        signed = self.authority.sign_revocations(version=len(serials), serials=serials)
        return {"version": len(serials), "serials": serials, "signature": signed, "simulated": True}

    def revoke(self, serial: str, reason: str) -> None:
        """Take a certificate back; an unknown or already revoked one stays as it is."""
        issued = self._issued.get(serial)
        if issued is not None and issued.revoked_at is None:
            self._issued.put(serial, msgspec.structs.replace(issued, revoked_at=self.clock.now(), reason=reason))
