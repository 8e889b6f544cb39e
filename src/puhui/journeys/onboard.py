"""Becoming known: consents and their withdrawal, pictures, identity, card, change of card and phone."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from puhui.foundation.days import add_months, business_date
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField, Refusal
from puhui.foundation.services import Service
from puhui.foundation.work import Actor, Work
from puhui.journeys import home
from puhui.journeys.enter import checks_of, demand_code, demand_face
from puhui.rooms import channels, customers
from puhui.rooms.customers import IdNumber, Papers, Place
from puhui.vocabulary.permits import Permit
from puhui.vocabulary.steps import BorrowerStep, Session, StepAnswer

ITEMS_MAX = 32


class ConsentBody(msgspec.Struct):
    """Body of step `consent`. `until` is the last day."""

    items: list[str]
    purpose: str
    until: date
    recipient: str = ""


class WithdrawBody(msgspec.Struct):
    """Body of step `withdraw_consent`."""

    consent_id: str


class PersonBody(msgspec.Struct):
    name: str
    id_number: str
    id_type: str = "id_card"
    phone: str = ""


class IdentityBody(msgspec.Struct):
    """Body of step `identity`."""

    person: PersonBody
    front_ref: str
    back_ref: str
    selfie_ref: str
    living_place_code: str


class CardBody(msgspec.Struct):
    """Body of steps `bind` and `change_card`."""

    card_number: str
    phone: str
    otp_id: str
    code: str


class PhoneBody(msgspec.Struct):
    """Body of step `change_phone`; the code went to the new phone, with purpose `identity`."""

    phone: str
    otp_id: str
    code: str
    selfie_ref: str


# --- consents and files -------------------------------------------------------------------------------------------------------------------


async def consent(desk: Desk, *, session: Session, body: ConsentBody, key: str) -> StepAnswer:
    """Take consents, one for each item; refused ones leave the others untaken. Raises BadField."""
    del key
    if not 1 <= len(body.items) <= ITEMS_MAX:
        raise BadField(field="items", why=f"name 1 to {ITEMS_MAX} items")
    async with desk.work(Actor("customer", session.who)) as work:
        given = await customers.consent(
            work,
            customer_id=session.who,
            session_id=session.session_id,
            wanted=body.items,
            purpose=body.purpose,
            recipient=body.recipient,
            until=body.until,
        )
        return await _answer(work, session.who, {"consents": [{"consent_id": one.consent_id, "item": one.item} for one in given]})


async def withdraw_consent(desk: Desk, *, session: Session, body: WithdrawBody, key: str) -> StepAnswer:
    """Take a consent back: from the end of this step on nobody uses it. Tells what law makes us keep. Raises NotFound."""
    del key
    async with desk.work(Actor("customer", session.who)) as work:
        await customers.withdraw(work, customer_id=session.who, consent_id=body.consent_id)
        return await _answer(work, session.who, {"kept": list(customers.kept_by_law(work.today))})


async def take_file(desk: Desk, *, session: Session, data: bytes, key: str) -> dict[str, str]:
    """`POST /borrower/v1/files`: draw a picture anew without metadata, and keep it under the person's own key. Raises FileUnreadable."""
    encoded, media_type = await asyncio.to_thread(customers.encode_anew, data)
    owner = session.customer_id or session.session_id
    async with desk.work(Actor("customer", owner)) as work:
        taken = await customers.take_file(work, owner=owner, key=key, encoded=encoded, media_type=media_type)
    return {"file_ref": taken.file_ref, "sha256": taken.sha256}


# --- identity -----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Claim:
    """Who a person says he is, read and checked, before anybody is asked."""

    name: str
    number: IdNumber
    place: Place

    def wire(self) -> dict[str, str]:
        return {"name": self.name, "id_type": "id_card", "id_number": self.number.text}


@dataclass(frozen=True, slots=True)
class _Told:
    """What the checks told: papers, face and lists. None where the register knows no such person."""

    checks: Mapping[str, customers.Check]
    id_card: Mapping[str, Any] | None
    face: Mapping[str, Any] | None
    aml: Mapping[str, Any] | None


async def identity(desk: Desk, *, session: Session, body: IdentityBody, key: str) -> StepAnswer:
    """Find out that a person is who he says: papers, face and lists; one person per id number.

    Raises: BadField, NoConsent, PapersDoNotFit, FaceDoesNotFit, PapersRunOut, AnotherPerson, AccountFrozenNow, NotFound (file), ServiceAway.
    """
    claim = await _read_claim(desk, body)
    refs = (body.front_ref, body.back_ref, body.selfie_ref)
    front, selfie = await _show_pictures(desk, session, refs)
    told = await _ask_who(desk, session, claim, front=front, selfie=selfie)
    try:
        papers = _judge(told)
    except Refusal:
        async with desk.work(Actor("customer", session.who)) as work:
            await _note(work, session.who, told)
        raise
    async with desk.work(Actor("customer", session.who)) as work:
        await customers.lock_id_number(work, claim.number)
        await _note(work, session.who, told)
        screening = await _screen(work, session.who, told)
        customer_id = await customers.identify(
            work,
            customer_id=session.who,
            device_id=session.device_id,
            name=claim.name,
            number=claim.number,
            papers=papers,
            screening=screening,
            place=claim.place.place_code,
            place_kind=claim.place.kind,
            place_tier=claim.place.tier or 0,
        )
        for ref, kind in zip(refs, ("id_card", "id_card", "face"), strict=True):
            await customers.use_file(work, owners=_owners(session), file_ref=ref, kind=kind)
        if customer_id != session.who:
            await channels.attach(work, session_id=session.session_id, customer_id=customer_id, key=key)
        standing = await customers.standing(work, customer_id)
        return await _answer(work, customer_id, {"level": standing.level.value, "until": papers.expires_on.isoformat()})


async def _note(work: Work, customer_id: str, told: _Told) -> None:
    for kind, answer in (("id-card", told.id_card), ("face", told.face), ("aml", told.aml)):
        await customers.note_check(work, customer_id=customer_id, check_id=told.checks[kind].check_id, result=answer or {})


async def _read_claim(desk: Desk, body: IdentityBody) -> _Claim:
    if body.person.id_type != "id_card":
        raise BadField(field="person.id_type", why="only id_card is known here")
    known = await places_of(desk)
    number = customers.id_number(body.person.id_number, today=business_date(desk.clock.now()))
    place = known.get(customers.place_code(body.living_place_code))
    if place is None:
        raise BadField(field="living_place_code", why="there is no such place in the gazetteer")
    return _Claim(customers.person_name(body.person.name), number, place)


async def places_of(desk: Desk) -> Mapping[str, Place]:
    """Give the gazetteer, read once a process. Raises ServiceAway."""
    if "places" not in desk.held:
        desk.held["places"] = await customers.checks.places(checks_of(desk))
    places: Mapping[str, Place] = desk.held["places"]
    return places


async def _show_pictures(desk: Desk, session: Session, refs: Sequence[str]) -> tuple[str, str]:
    """Send the card's front and the face to the checks, before they are named; give their hashes. The back is kept, not asked about."""
    async with desk.look(Actor("customer", session.who)) as work:
        for item in ("identity", "face"):
            await customers.permit(work, customer_id=session.who, item=item, purpose="identity")
        front, _, selfie = [await customers.open_file(work, owners=_owners(session), file_ref=ref) for ref in refs]
    service = checks_of(desk)
    await asyncio.gather(
        *(
            customers.checks.put_image(service, sha256=picture.sha256, data=picture.data, media_type=picture.media_type)
            for picture in (front, selfie)
        )
    )
    return front.sha256, selfie.sha256


async def _ask_who(desk: Desk, session: Session, claim: _Claim, *, front: str, selfie: str) -> _Told:
    """Write the questions down, ask them side by side. The same questions again (a repeat) give the same answers."""
    async with desk.work(Actor("customer", session.who)) as work:
        await customers.demand_usable(work, session.who)
        paper_permit = await customers.permit(work, customer_id=session.who, item="identity", purpose="identity")
        face_permit = await customers.permit(work, customer_id=session.who, item="face", purpose="identity")
        asked: dict[str, customers.Check] = {}
        for kind, permit, what in (("id-card", paper_permit, front), ("face", face_permit, selfie), ("aml", paper_permit, "")):
            digest = work.keys.blind("check", f"{kind}|{claim.name}|{claim.number.text}|{what}")
            asked[kind] = await customers.ask_check(
                work, customer_id=session.who, kind=kind, digest=digest, consent_id=permit.consent_id
            )
    return await _ask_three(checks_of(desk), asked, claim, paper_permit, face_permit, front, selfie)


async def _ask_three(
    service: Service, asked: Mapping[str, customers.Check], claim: _Claim, paper: Permit, face: Permit, front: str, selfie: str
) -> _Told:
    person = claim.wire()
    id_card, likeness, aml = await asyncio.gather(
        customers.checks.id_card(service, paper, asked["id-card"], person=person, image_sha256=front),
        customers.checks.face(service, face, asked["face"], person=person, image_sha256=selfie),
        customers.checks.aml(service, paper, asked["aml"], person=person),
    )
    return _Told(asked, id_card, likeness, aml)


def _judge(told: _Told) -> Papers:
    """Read the papers out of the answers. Raises PapersDoNotFit, FaceDoesNotFit, ServiceAway (an older state)."""
    current = customers.checks.demand_current
    paper, face, lists = current(told.id_card), current(told.face), current(told.aml)
    if paper is None or face is None or lists is None or paper["valid"] is not True:
        raise customers.PapersDoNotFit
    customers.demand_fitting_face(live_ppm=face["live_ppm"], same_ppm=face["same_ppm"], attack=face.get("attack", ""))
    return Papers(
        told.checks["id-card"].check_id,
        told.checks["face"].check_id,
        date.fromisoformat(paper["expires"]),
        paper["issuer"],
        paper["address_code"],
        paper["place_code"],
        face["live_ppm"],
        face["same_ppm"],
        bool(paper.get("simulated") or face.get("simulated")),
    )


async def _screen(work: Work, customer_id: str, told: _Told) -> customers.Screening:
    lists = told.aml or {}
    return await customers.note_screening(
        work,
        customer_id=customer_id,
        check_id=told.checks["aml"].check_id,
        hits=list(lists.get("hits", ())),
        lists_version=str(lists.get("lists_version", "")),
        is_simulated=bool(lists.get("simulated")),
    )


async def screen_again(desk: Desk, *, most: int = 500) -> int:
    """Compare with today's lists whoever's last screening has run out; give how many. Who allows no check now is looked at a month later.

    Raises ServiceAway: those not asked yet are asked the next time.
    """
    async with desk.look() as work:
        due = await customers.to_screen_again(work, most=most)
    for customer_id in due:
        await _screen_one(desk, customer_id)
    return len(due)


async def _screen_one(desk: Desk, customer_id: str) -> None:
    async with desk.work() as work:
        permits = await customers.permits(work, customer_id=customer_id, wanted=["identity"], purpose="identity")
        if not permits:
            await customers.postpone_screening(work, customer_id=customer_id, until=add_months(work.today, 1))
            return
        permit = permits["identity"]
        person = await customers.identity(work, customer_id)
        digest = work.keys.blind("check", f"aml-again|{work.today.isoformat()}")
        check = await customers.ask_check(work, customer_id=customer_id, kind="aml", digest=digest, consent_id=permit.consent_id)
    told = await customers.checks.aml(checks_of(desk), permit, check, person=person.wire())
    lists = customers.checks.demand_current(told) or {}
    async with desk.work() as work:
        await customers.note_check(work, customer_id=customer_id, check_id=check.check_id, result=lists)
        await customers.note_screening(
            work,
            customer_id=customer_id,
            check_id=check.check_id,
            hits=list(lists.get("hits", ())),
            lists_version=str(lists.get("lists_version", "")),
            is_simulated=bool(lists.get("simulated")),
        )


# --- card and phone -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bank:
    """A card as the person wrote it, read and checked."""

    number: str
    phone: str
    otp_id: str
    code: str


async def bind(desk: Desk, *, session: Session, body: CardBody, key: str) -> StepAnswer:
    """Bind a card: name, id number, card and phone must belong together, and the bank must take the code. The card before it is replaced.

    Raises: BadField, NoConsent, NotIdentified, AccountFrozenNow, FourFactorDiffers, CardRefused, ServiceAway.
    """
    del key
    bank = _Bank(customers.card_number(body.card_number), customers.phone_number(body.phone), body.otp_id, body.code)
    check, told = await _ask_four(desk, session, bank)
    person, binding = await _begin_binding(desk, session, bank, check, told)
    answer = await customers.rail.bind(
        desk.service(customers.rail.SERVICE),
        binding_id=binding.binding_id,
        person=person.wire() | {"phone": bank.phone},
        card_number=bank.number,
        otp_id=bank.otp_id,
        code=bank.code,
    )
    async with desk.work(Actor("customer", session.who)) as work:
        if isinstance(answer, str):
            await customers.refuse_binding(work, customer_id=session.who, binding_id=binding.binding_id, code=answer)
        else:
            await customers.bind(work, customer_id=session.who, card=answer)
            return await _answer(work, session.who, {"bank_code": answer.bank_code, "tail": answer.tail})
    raise customers.CardRefused(bank_code=answer)


async def _ask_four(desk: Desk, session: Session, bank: _Bank) -> tuple[customers.Check, Mapping[str, Any] | None]:
    """Ask whether the four belong together, unless this very question was answered before."""
    async with desk.work(Actor("customer", session.who)) as work:
        await customers.demand_usable(work, session.who)
        permit = await customers.permit(work, customer_id=session.who, item="financial_account", purpose="identity")
        person = await customers.identity(work, session.who)
        digest = work.keys.blind("four-factor", f"{bank.number}|{bank.phone}|{person.id_number.text}")
        check = await customers.ask_check(
            work, customer_id=session.who, kind="four-factor", digest=digest, consent_id=permit.consent_id
        )
    told = check.result or await customers.checks.four_factor(
        checks_of(desk), permit, check, person=person.wire(), card_number=bank.number, phone=bank.phone
    )
    return check, told


async def _begin_binding(
    desk: Desk, session: Session, bank: _Bank, check: customers.Check, told: Mapping[str, Any] | None
) -> tuple[customers.Identity, customers.Binding]:
    """Keep what the four-factor check told; if all four belong together, write down that the card is to be bound. Raises FourFactorDiffers."""
    refusal: Refusal | None = None
    async with desk.work(Actor("customer", session.who)) as work:
        await customers.note_check(work, customer_id=session.who, check_id=check.check_id, result=told or {})
        try:
            current = customers.checks.demand_current(told)
            await customers.note_four_factor(work, customer_id=session.who, match=current["match"] if current else {})
        except Refusal as refused:
            refusal = refused
        else:
            await customers.permit(work, customer_id=session.who, item="financial_account", purpose="identity")
            digest = work.keys.blind("bind", f"{bank.number}|{bank.phone}|{bank.otp_id}|{bank.code}")
            binding = await customers.ask_binding(work, customer_id=session.who, digest=digest, card=bank.number, phone=bank.phone)
            return await customers.identity(work, session.who), binding
    assert refusal is not None
    raise refusal


async def change_phone(desk: Desk, *, session: Session, body: PhoneBody, key: str) -> StepAnswer:
    """Give the person another phone: a code on the new one, and his face.

    Raises: WrongCode, FaceDoesNotFit, NoConsent, NotIdentified, AccountFrozenNow, ServiceAway, BadField.
    """
    phone = customers.phone_number(body.phone)
    async with desk.work(Actor("customer", session.who), durable=False) as work:
        await customers.demand_usable(work, session.who)
        await customers.identity(work, session.who)
    await demand_code(desk, session=session, otp_id=body.otp_id, code=body.code, purpose="identity", key=key)
    await demand_face(desk, session=session, customer_id=session.who, selfie_ref=body.selfie_ref)
    async with desk.work(Actor("customer", session.who)) as work:
        await customers.change_phone(work, customer_id=session.who, phone=phone)
        await channels.end_all_of(work, customer_id=session.who, but=session.session_id)
        return await _answer(work, session.who, {})


def _owners(session: Session) -> list[str]:
    return [session.who, session.session_id]


async def _answer(work: Work, customer_id: str, show: Mapping[str, Any]) -> StepAnswer:
    stands = await home.where(work, customer_id)
    return StepAnswer(stands.state, stands.next, show, stands.poll_s)


BORROWER: Mapping[str, BorrowerStep] = {
    "consent": BorrowerStep(ConsentBody, consent),
    "withdraw_consent": BorrowerStep(WithdrawBody, withdraw_consent),
    "identity": BorrowerStep(IdentityBody, identity),
    "bind": BorrowerStep(CardBody, bind),
    "change_card": BorrowerStep(CardBody, bind),
    "change_phone": BorrowerStep(PhoneBody, change_phone),
}
