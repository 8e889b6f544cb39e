"""Entering: a visit by one of the entries, one-time codes, the log-in of a newcomer or of a person we know, and the way out."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField, Refusal
from puhui.foundation.services import Service
from puhui.foundation.work import Actor, Work
from puhui.journeys import home
from puhui.rooms import channels, customers, partners
from puhui.rooms.channels import EmbeddingToken, Entry, EntryKind, Recognized
from puhui.rooms.partners import NotListed, Role
from puhui.vocabulary import ids
from puhui.vocabulary.ids import PartnerId
from puhui.vocabulary.steps import BorrowerStep, Session, State, StepAnswer

OPEN = ("send_code", "login")
OWN_PHONE = frozenset({"sign", "pay", "unmask"})
_ID = re.compile(r"^[A-Za-z0-9_-]{1,40}$")


class WrongCode(Refusal):
    """This code is wrong, used or too old; ask for a new one."""

    code = "enter.wrong-code"
    zh = "验证码不对或已过期，请重新获取。"


class TooManyCodes(Refusal):
    """Too many codes were sent to this phone; wait a while before the next one."""

    code = "enter.too-many-codes"
    zh = "验证码发送太频繁了，请稍后再试。"
    status = 429
    retry = "later"


class NotLoggedIn(Refusal):
    """A code for {purpose} goes to the phone of a person we know; log in first."""

    code = "enter.not-logged-in"
    zh = "请先登录。"
    status = 401


class DeviceSeen(msgspec.Struct):
    """The phone as the entry saw it."""

    device_id: str
    os: str = ""
    model: str = ""
    memory_mb: int = 0
    screen_px: int = 0
    network: str = ""


class OpenSession(msgspec.Struct):
    """Body of `POST /entry/v1/sessions`."""

    session_id: str
    entry_id: str
    kind: str
    device: DeviceSeen
    code: str = ""
    token: str = ""
    scene: str = ""


class SendCode(msgspec.Struct):
    """Body of step `send_code`."""

    purpose: str
    phone: str = ""
    subject: str = ""


class Login(msgspec.Struct):
    """Body of step `login`."""

    phone: str
    otp_id: str
    code: str
    id_tail: str = ""
    selfie_ref: str = ""


class Logout(msgspec.Struct):
    """Body of step `logout`: nothing."""


look_in, session_in, session_repeating = channels.look_in, channels.session_in, channels.session_repeating


@dataclass(frozen=True, slots=True)
class _Pass:
    """What the entry told of the visitor, checked: a platform's account, or a partner's pass."""

    partner_user: str = ""
    token: EmbeddingToken | None = None


async def entries(desk: Desk) -> dict[str, Any]:
    """`GET /entry/v1/entries`."""
    async with desk.look() as work:
        known = await channels.all_entries(work)
    return {
        "entries": [
            {"entry_id": one.entry_id, "kind": one.kind.value, "owner": one.owner, "state": one.state.value, "name": one.name} for one in known
        ]
    }


async def open_session(desk: Desk, *, partner_id: str, body: OpenSession, key: str) -> dict[str, Any]:
    """`POST /entry/v1/sessions`: open a visit and give the address of its first page.

    Raises: BadField, WrongEntry, EntryClosed, EntryBusy, TokenRefused, CodeRefused, SessionTaken, NoSuchScene, ServiceAway.
    """
    del key
    for name, value in (("session_id", body.session_id), ("device.device_id", body.device.device_id)):
        if not _ID.fullmatch(value):
            raise BadField(field=name, why="1 to 40 of A-Z a-z 0-9 _ -")
    async with desk.look(Actor("partner", partner_id)) as work:
        entry = await channels.demand_open(work, entry_id=body.entry_id, kind=body.kind, partner_id=partner_id)
    told = await _pass_of(desk, entry, body)
    async with desk.work(Actor("partner", partner_id)) as work:
        recognized = await _recognize(work, entry, partner_id, told)
        customer_id = await _known_here(work, recognized, body.device.device_id)
        opened = await channels.open_session(
            work,
            session_id=body.session_id,
            entry=entry,
            partner_id=partner_id,
            device_id=body.device.device_id,
            device=msgspec.to_builtins(body.device),
            scene_id=body.scene or (told.token.scene if told.token else ""),
            customer_id=customer_id,
            recognized=recognized,
            token=told.token,
        )
    return {"page_url": f"{desk.config.base_url}/borrower/s/{opened.secret}", "expires_at": opened.expires_at.isoformat()}


async def _pass_of(desk: Desk, entry: Entry, body: OpenSession) -> _Pass:
    """Check what came with the visit: nothing for our own apps, a code to swap for a platform's window, a signed token for an embedded page."""
    match entry.kind:
        case EntryKind.APP:
            return _Pass()
        case EntryKind.H5:
            now_s = desk.clock.real_ms() // 1000
            keys = list(desk.keyring.keys.values())
            return _Pass(token=channels.read_token(body.token, entry_id=entry.entry_id, issuers=entry.signers, keys=keys, now_s=now_s))
        case EntryKind.ALIPAY_WINDOW | EntryKind.WECHAT_ACCOUNT:
            if not body.code:
                raise BadField(field="code", why=f"an entry of kind {entry.kind.value} brings a one-time code")
            user = await channels.codes.swap(_swapper(desk, entry), entry_id=entry.entry_id, code=body.code, session_id=body.session_id)
            return _Pass(partner_user=user.partner_user)


def _swapper(desk: Desk, entry: Entry) -> Service:
    owner = f"entry-{entry.entry_id}"
    return desk.service(owner, base_url=desk.config.url_of("entry"), owner=owner)


async def _recognize(work: Work, entry: Entry, partner_id: str, told: _Pass) -> Recognized | None:
    if not told.partner_user:
        return None
    return await channels.recognize(work, owner=channels.platform_of(entry.kind, partner_id), partner_user=told.partner_user)


async def _known_here(work: Work, recognized: Recognized | None, device_id: str) -> str | None:
    """Give the person behind a platform's account, if he is linked and comes by a phone we have seen him with; else he logs in."""
    if recognized is None or recognized.customer_id is None:
        return None
    if await customers.is_new_device(work, customer_id=recognized.customer_id, device_id=device_id):
        return None
    return recognized.customer_id


async def exchange(desk: Desk, secret: str) -> str:
    """Spend the secret of a page's address and give the one for the cookie. Raises SecretSpent, SessionOver."""
    async with desk.work(Actor("customer", "page")) as work:
        return await channels.exchange(work, secret)


async def renew(desk: Desk, session: Session, key: str) -> str:
    """Give the visit a new secret for its cookie, now that more is opened to it; the request sent again under its key gets the same."""
    async with desk.work(Actor("customer", session.customer_id or "newcomer")) as work:
        return await channels.renew(work, session_id=session.session_id, key=key)


async def open_own_visit(desk: Desk, *, session_id: str, device_id: str, order_token: str = "") -> str:
    """Open a visit on the lender's own pages, where nobody vouches for the visitor, and give the secret for the cookie.

    Raises: EntryClosed, EntryBusy, BadField, OrderUnknown.
    """
    if not _ID.fullmatch(device_id):
        raise BadField(field="device", why="1 to 40 of A-Z a-z 0-9 _ -")
    partner_id = f"entry-{channels.own_pages()}"
    async with desk.work(Actor("customer", "page")) as work:
        if order_token and await channels.purchase_of_token(work, order_token) is None:
            raise channels.OrderUnknown
        entry = await channels.demand_open(work, entry_id=channels.own_pages(), kind=EntryKind.APP.value, partner_id=partner_id)
        opened = await channels.open_session(
            work, session_id=session_id, entry=entry, partner_id=partner_id, device_id=device_id, device={"device_id": device_id}, order_token=order_token
        )
        return await channels.exchange(work, opened.secret)


@dataclass(frozen=True, slots=True)
class Frame:
    """Whose app a visit began in: the listed partner, its name, and the origin (scheme and host) of its pages."""

    partner_id: str
    name: str
    origin: str


async def framed_by(work: Work, session_id: str) -> Frame | None:
    """Give the partner in whose app a visit began with a pass; None anywhere else, and once the partner is no longer listed."""
    issuer = await channels.issuer_of(work, session_id)
    if issuer is None:
        return None
    try:
        listed = await partners.listed(work, partner_id=PartnerId(issuer), role=Role.ASSET)
    except NotListed:
        return None
    found = await partners.find(work, partner_id=PartnerId(issuer))
    at = urlsplit(listed.address)
    return Frame(issuer, found.name, f"{at.scheme}://{at.netloc}") if at.netloc else None


# --- codes and log-in ---------------------------------------------------------------------------------------------------------------------


def checks_of(desk: Desk) -> Service:
    """Give the client of the checks service."""
    return desk.service(customers.checks.SERVICE, read_timeout_s=customers.checks.READ_TIMEOUT_S)


def code_id(session: Session, key: str, verb: str) -> str:
    """Name a question about a code after the visit and the request that asks it: a request sent again asks the same."""
    return ids.derive("ck", ids.customer_id(session.session_id), session.session_id, f"{verb}-{hashlib.sha256(key.encode()).hexdigest()[:16]}")


async def send_code(desk: Desk, *, session: Session, body: SendCode, key: str) -> StepAnswer:
    """Let a one-time code reach a phone: the one named for log-in, card and change of phone, the person's own for all else.

    Raises: BadField, NotLoggedIn, TooManyCodes, ServiceAway.
    """
    if body.purpose not in {"login", "identity", "bind", "sign", "pay", "unmask"}:
        raise BadField(field="purpose", why="login, identity, bind, sign, pay or unmask")
    if body.purpose != "login" and session.customer_id is None:
        raise NotLoggedIn(purpose=body.purpose)
    check_id = code_id(session, key, "code")
    async with desk.work(Actor("customer", session.customer_id or "newcomer")) as work:
        phone = await _phone_for(work, session, body)
        if not await channels.count_code(work, phone=phone, check_id=check_id):
            raise TooManyCodes
    sent = await customers.checks.send_code(checks_of(desk), check_id=check_id, phone=phone, purpose=body.purpose, subject=body.subject)
    async with desk.look() as work:
        stands = await home.where(work, session.customer_id) if session.customer_id else StepAnswer(State.NEW, OPEN)
    return StepAnswer(stands.state, stands.next, {"otp_id": sent.otp_id, "expires_at": sent.expires_at})


async def _phone_for(work: Work, session: Session, body: SendCode) -> str:
    if body.purpose not in OWN_PHONE and body.phone:
        return customers.phone_number(body.phone)
    own = await _own_phone(work, session.customer_id, body.purpose) if session.customer_id else None
    if own is None:
        raise BadField(field="phone", why=f"a code for {body.purpose} needs a phone")
    return own


async def _own_phone(work: Work, customer_id: str, purpose: str) -> str | None:
    """Give a person's own phone; a code for a payment is the bank's, and goes to the phone that the bank knows with the card."""
    card_phone = await customers.card_phone_of(work, customer_id) if purpose == "pay" else None
    return card_phone or await customers.phone_of(work, customer_id)


async def login(desk: Desk, *, session: Session, body: Login, key: str) -> StepAnswer:
    """Log a person in by a code on his phone.

    The code shows who holds the phone, not who he is: a family shares one, and a number is given away and sold again. So a person we know
    gives the last four signs of his id number besides, or, on a device we have not seen him with, his face. Whoever is not known comes in
    as a newcomer. Raises: WrongCode, FaceDoesNotFit, NoConsent (face), ServiceAway, BadField.
    """
    phone = customers.phone_number(body.phone)
    await _prove_phone(desk, session, body, phone, key)
    async with desk.work(Actor("customer", "login")) as work:
        await channels.note_proven(work, session_id=session.session_id, phone=phone, otp_id=body.otp_id, code=body.code)
        people = await customers.people_by_phone(work, phone=phone, id_tail=body.id_tail)
        if people.needs_tail:
            return StepAnswer(State.NEW, OPEN, {"known": True, "more": "id_tail"})
        if people.person is None:
            return await _welcome(work, session, people.newcomer, phone, key)
        is_new = await customers.is_new_device(work, customer_id=people.person, device_id=session.device_id)
        if not is_new and not body.id_tail:
            return StepAnswer(State.NEW, OPEN, {"known": True, "more": "id_tail"})
        if not is_new:
            return await _let_in(work, session, people.person, key)
        if not body.selfie_ref:
            return StepAnswer(State.NEW, OPEN, {"known": True, "more": "face"})
    await demand_face(desk, session=session, customer_id=people.person, selfie_ref=body.selfie_ref)
    async with desk.work(Actor("customer", people.person)) as work:
        return await _let_in(work, session, people.person, key)


async def _prove_phone(desk: Desk, session: Session, body: Login, phone: str, key: str) -> None:
    async with desk.look() as work:
        if await channels.is_proven(work, session_id=session.session_id, phone=phone, otp_id=body.otp_id, code=body.code):
            return
    await demand_code(desk, session=session, otp_id=body.otp_id, code=body.code, purpose="login", key=key)


async def demand_code(desk: Desk, *, session: Session, otp_id: str, code: str, purpose: str, key: str, subject: str = "") -> None:
    """Use up a one-time code. Raises WrongCode, ServiceAway, BadField."""
    if not _ID.fullmatch(otp_id) or not (code.isascii() and code.isdigit() and 4 <= len(code) <= 8):
        raise BadField(field="code", why="send the code's id and its digits as they came")
    check_id = code_id(session, key, "verify")
    if not await customers.checks.is_right_code(checks_of(desk), check_id=check_id, otp_id=otp_id, code=code, purpose=purpose, subject=subject):
        raise WrongCode


async def _welcome(work: Work, session: Session, newcomer: str | None, phone: str, key: str) -> StepAnswer:
    """Take in a newcomer, or one who came before and has not said yet who he is."""
    customer_id = newcomer or await customers.register(work, session_id=session.session_id, entry_id=session.entry_id, phone=phone)
    await channels.attach(work, session_id=session.session_id, customer_id=customer_id, key=key)
    await customers.see_device(work, customer_id=customer_id, device_id=session.device_id)
    stands = await home.where(work, customer_id)
    return StepAnswer(stands.state, stands.next, {"known": False}, stands.poll_s)


async def _let_in(work: Work, session: Session, customer_id: str, key: str) -> StepAnswer:
    await channels.attach(work, session_id=session.session_id, customer_id=customer_id, key=key)
    await customers.see_device(work, customer_id=customer_id, device_id=session.device_id)
    stands = await home.where(work, customer_id)
    return StepAnswer(stands.state, stands.next, {"known": True}, stands.poll_s)


async def demand_face(desk: Desk, *, session: Session, customer_id: str, selfie_ref: str) -> None:
    """Ask whether the face of this picture is the known person's own, living one. Raises FaceDoesNotFit, NoConsent, NotFound, ServiceAway."""
    owners = [session.session_id, customer_id]
    async with desk.look(Actor("customer", customer_id)) as work:
        picture = await customers.open_file(work, owners=owners, file_ref=selfie_ref)
    service = checks_of(desk)
    await customers.checks.put_image(service, sha256=picture.sha256, data=picture.data, media_type=picture.media_type)
    async with desk.work(Actor("customer", customer_id)) as work:
        permit = await customers.permit(work, customer_id=customer_id, item="face", purpose="identity")
        person = await customers.identity(work, customer_id)
        digest = work.keys.blind("face", picture.sha256)
        check = await customers.ask_check(work, customer_id=customer_id, kind="face", digest=digest, consent_id=permit.consent_id)
        await customers.use_file(work, owners=owners, file_ref=selfie_ref, kind="face")
    told = check.result or await customers.checks.face(service, permit, check, person=person.wire(), image_sha256=picture.sha256)
    async with desk.work(Actor("customer", customer_id)) as work:
        await customers.note_check(work, customer_id=customer_id, check_id=check.check_id, result=told or {})
    if customers.checks.demand_current(told) is None:
        raise customers.FaceDoesNotFit
    assert told is not None
    customers.demand_fitting_face(live_ppm=told["live_ppm"], same_ppm=told["same_ppm"], attack=told.get("attack", ""))
    async with desk.work(Actor("customer", customer_id)) as work:
        await customers.change_face(
            work, customer_id=customer_id, face_check_id=check.check_id, live_ppm=told["live_ppm"], same_ppm=told["same_ppm"]
        )


async def logout(desk: Desk, *, session: Session, body: Logout, key: str) -> StepAnswer:
    """End the visit."""
    del body, key
    async with desk.work(Actor("customer", session.customer_id or "newcomer")) as work:
        await channels.end(work, session_id=session.session_id)
    return StepAnswer(State.NEW, ())


BORROWER: Mapping[str, BorrowerStep] = {
    "send_code": BorrowerStep(SendCode, send_code, is_open=True),
    "login": BorrowerStep(Login, login, is_open=True),
    "logout": BorrowerStep(Logout, logout, is_open=True),
}
