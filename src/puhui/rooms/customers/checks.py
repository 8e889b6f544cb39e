"""The signed client of the service `checks`: papers, face, lists, four factors, one-time codes, places.

Called between transactions only. Every question carries the check it was written down as, and a permit that is still fresh. An answer is
what the service told, None where it knows no such person, and {} where it had only an older state: then the question is put anew later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from puhui.foundation.services import Answer, Service, ServiceAway, demand_answer
from puhui.rooms.customers.consent import NoConsent, items
from puhui.rooms.customers.store import Check
from puhui.vocabulary.permits import Permit, PermitStale

SERVICE = "checks"
READ_TIMEOUT_S = 1.5


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time code that was sent: its id and its end, as the service words it. The code itself is on the phone alone."""

    otp_id: str
    expires_at: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the gazetteer: `kind` is city | county_seat | village; cities have a tier."""

    place_code: str
    kind: str
    name: str
    tier: int | None


def demand_current(told: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Give what was told, or None. Raises ServiceAway for an older state: nothing may be judged by it."""
    if told is not None and not told:
        raise ServiceAway(service=SERVICE)
    return told


def demand_fresh(service: Service, permit: Permit) -> None:
    """Raises PermitStale for a permit seen too long ago, or past its end: nothing is asked on the strength of it."""
    now = service.clock.now()
    if now > service.clock.after(permit.seen_at, timedelta(seconds=permit.use_within_s)) or now >= permit.until:
        raise PermitStale(item=items()[permit.item].zh, consent_id=permit.consent_id)


async def id_card(service: Service, permit: Permit, check: Check, *, person: Mapping[str, str], image_sha256: str) -> Mapping[str, Any] | None:
    """Ask whether the picture is that of this person's own, valid card. None: the register does not know the person."""
    permit.demand(item="identity", purpose="identity", recipient=SERVICE)
    return await _ask(service, "id-card", permit, check, person=dict(person), image_sha256=image_sha256)


async def face(service: Service, permit: Permit, check: Check, *, person: Mapping[str, str], image_sha256: str) -> Mapping[str, Any] | None:
    """Ask whether the face is living, and this person's. None: the register does not know the person."""
    permit.demand(item="face", purpose="identity", recipient=SERVICE)
    return await _ask(service, "face", permit, check, person=dict(person), image_sha256=image_sha256, actions=["blink"])


async def aml(service: Service, permit: Permit, check: Check, *, person: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Ask whom on the lists the name resembles."""
    permit.demand(item="identity", purpose="identity", recipient=SERVICE)
    return await _ask(service, "aml", permit, check, person=dict(person))


async def four_factor(
    service: Service, permit: Permit, check: Check, *, person: Mapping[str, str], card_number: str, phone: str
) -> Mapping[str, Any] | None:
    """Ask whether name, id number, card and phone belong together."""
    permit.demand(item="financial_account", purpose="identity", recipient=SERVICE)
    return await _ask(service, "four-factor", permit, check, person=dict(person), card_number=card_number, phone=phone)


async def put_image(service: Service, *, sha256: str, data: bytes, media_type: str) -> None:
    """Send a picture before the check that names it. Raises ServiceAway."""
    for _ in range(4):
        answer = await service.send("PUT", f"/checks/v1/images/{sha256}", data, headers={"Content-Type": media_type})
        if isinstance(answer, Answer) and answer.is_good:
            return
    raise ServiceAway(service=SERVICE)


async def send_code(service: Service, *, check_id: str, phone: str, purpose: str, subject: str) -> Code:
    """Let a one-time code reach a phone. The same `check_id` again sends no second one. Raises ServiceAway."""
    body = {"check_id": check_id, "phone": phone, "purpose": purpose} | ({"subject": subject} if subject else {})
    answer = demand_answer(SERVICE, await service.settle("/checks/v1/otp", body, key=check_id))
    if not answer.is_good:
        raise ServiceAway(service=SERVICE)
    return Code(answer.body["otp_id"], answer.body["expires_at"])


async def is_right_code(service: Service, *, check_id: str, otp_id: str, code: str, purpose: str, subject: str = "") -> bool:
    """Use up a code. The same `check_id` again gives the first answer. Raises ServiceAway."""
    body = {"check_id": check_id, "otp_id": otp_id, "code": code, "purpose": purpose} | ({"subject": subject} if subject else {})
    answer = demand_answer(SERVICE, await service.settle("/checks/v1/otp/verify", body, key=check_id))
    return answer.is_good and answer.body["ok"] is True


async def places(service: Service) -> dict[str, Place]:
    """Read the gazetteer, by place code. Raises ServiceAway."""
    for _ in range(4):
        answer = await service.get("/checks/v1/places")
        if isinstance(answer, Answer) and answer.is_good:
            return {row["place_code"]: Place(row["place_code"], row["kind"], row["name"], row.get("tier")) for row in answer.body["places"]}
    raise ServiceAway(service=SERVICE)


async def _ask(service: Service, kind: str, permit: Permit, check: Check, **facts: object) -> Mapping[str, Any] | None:
    demand_fresh(service, permit)
    assert check.consent_id == permit.consent_id, check.kind
    body = {"check_id": check.check_id, "as_of": check.as_of.isoformat(), "consent_id": permit.consent_id, **facts}
    answer = demand_answer(SERVICE, await service.settle(f"/checks/v1/{kind}", body, key=check.check_id))
    if answer.is_good:
        return answer.body
    if answer.code == "no-consent":
        raise NoConsent(item=permit.item, what=items()[permit.item].zh)
    if answer.code == "checks.no-record":
        return None
    if answer.code == "checks.stale":
        return {}
    raise ServiceAway(service=SERVICE)
