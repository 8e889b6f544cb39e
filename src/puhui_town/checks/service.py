"""The identity checks on the wire: who a person is, whether the face is his, what lists and records say; one-time codes; places.

Every answer carries `simulated: true`. An answer is the one that was true at `as_of`, so asked late it is the same. Each check but
those of codes demands a live consent of the person; a fetch without one is `403 no-consent`, and the watch writes it down.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from puhui_town.breaches import Breaches
from puhui_town.checks.images import Image, Images
from puhui_town.checks.otp import GOOD_FOR_MS, Code, OtpBook, OtpPurpose, Outcome
from puhui_town.checks.pictures import Picture
from puhui_town.checks.population import Identity, Population, Sms, Source
from puhui_town.checks.screening import Lists, published
from puhui_town.wire.ask import Ask, Reply, Route, Service
from puhui_town.wire.clock import Clock
from puhui_town.wire.store import Store
from puhui_town.wire.words import Ident, Instant, Person, Refused, Sha256, bad_field, instant, json_bytes, not_found

IMAGE_MAX = 5 * 1024 * 1024
AHEAD_MAX = timedelta(days=1)
FACE_PASSES_PPM = 900_000


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What every check but those of codes says."""

    check_id: Ident
    as_of: Instant
    consent_id: Ident
    person: Person


class FourFactor(Check, frozen=True, kw_only=True):
    card_number: str
    phone: str


class IdCard(Check, frozen=True, kw_only=True):
    image_sha256: Sha256


class Face(Check, frozen=True, kw_only=True):
    image_sha256: Sha256
    actions: list[str]


class Records(Check, frozen=True, kw_only=True):
    source: Source
    since: Instant
    until: Instant
    cursor: str | None = None


class Otp(msgspec.Struct, frozen=True, kw_only=True):
    check_id: Ident
    phone: str
    purpose: OtpPurpose
    subject: str = ""
    as_of: Instant | None = None


class OtpTry(msgspec.Struct, frozen=True, kw_only=True):
    check_id: Ident
    otp_id: str
    code: str
    purpose: OtpPurpose
    subject: str = ""
    as_of: Instant | None = None


class FaceSeen(msgspec.Struct, frozen=True):
    """How a face check ended; `sign` asks for it before it makes a certificate."""

    person: str
    passed: bool
    at: datetime


@dataclass(slots=True)
class Checks:
    """The service `checks`."""

    clock: Clock
    store: Store
    people: Population
    breaches: Breaches
    otp: OtpBook
    _images: Images = field(init=False)
    _faces: Any = field(init=False)
    _list_changes: Any = field(init=False)
    _lists: dict[int, Lists] = field(init=False, default_factory=dict)
    _places: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        self._images = Images(self.store.table("checks.images", Image))
        self._faces = self.store.table("checks.faces", FaceSeen)
        self._list_changes = self.store.table("checks.list-changes", datetime)

    def service(self) -> Service:
        routes = (
            Route("POST", "/checks/v1/four-factor", "four-factor", self.four_factor),
            Route("POST", "/checks/v1/id-card", "id-card", self.id_card),
            Route("POST", "/checks/v1/face", "face", self.face),
            Route("POST", "/checks/v1/aml", "aml", self.aml),
            Route("PUT", "/checks/v1/images/{sha256}", "images", self.put_image, body_max=IMAGE_MAX, status=201),
            Route("POST", "/checks/v1/otp", "otp", self.send_code),
            Route("POST", "/checks/v1/otp/verify", "otp-verify", self.verify_code),
            Route("GET", "/checks/v1/places", "places", self.places),
            Route("POST", "/checks/v1/records", "records", self.records),
            Route("GET", "/checks/v1/lists/{version}", "lists", self.lists),
        )
        return Service("checks", "/checks", "checks-1", routes)

    # -- who a person is ----------------------------------------------------------------------------------------------

    def four_factor(self, ask: Ask) -> dict[str, Any]:
        """Do name, id number, card and the phone its bank knows belong together (四要素)."""
        check = ask.read(FourFactor)
        known = self._known(check, use="four-factor", at=ask.at)
        as_of = self._as_of(check.as_of)
        if ask.fault is not None and ask.fault.name == "stale":
            as_of -= timedelta(days=ask.fault.whole("days", 7))
        card = self.people.card(check.card_number, as_of)
        is_his = card is not None and known is not None and card.usable and card.holder == known.person
        return {
            "match": {
                "name": known is not None and known.name == check.person.name,
                "id": known is not None,
                "card": is_his,
                "phone": is_his and card is not None and card.reserved_phone == check.phone,
            },
            "as_of": instant(as_of),
            "simulated": True,
        }

    def id_card(self, ask: Ask) -> dict[str, Any]:
        """Is the picture that of this person's own, unexpired card. Refused: `checks.no-record` when the register knows no such number."""
        check = ask.read(IdCard)
        known = self._known(check, use="id-card", at=ask.at)
        as_of = self._fresh(ask, check.as_of)
        if known is None:
            raise no_record("no such id number is in the register")
        shown = self._shown(check.image_sha256)
        is_the_card = shown is not None and shown.kind in {"id_front", "id_back"} and shown.number == known.card_number_face
        is_genuine = shown is not None and shown.variant == "genuine"
        return {
            "valid": is_the_card and is_genuine and known.name == check.person.name and known.id_expires >= as_of.date(),
            "expires": known.id_expires.isoformat(),
            "issuer": known.issuer,
            "address_code": known.id_number[:6],
            "place_code": known.home_place_code,
            "simulated": True,
        }

    def face(self, ask: Ask) -> dict[str, Any]:
        """Is the picture of a live face, and of this person's. The figures hang on who is shown and how, never on the bytes."""
        check = ask.read(Face)
        known = self._known(check, use="face", at=ask.at)
        self._fresh(ask, check.as_of)
        if known is None:
            raise no_record("no such id number is in the register")
        live_ppm, same_ppm, attack = likeness(self._shown(check.image_sha256), known.face)
        passed = attack is None and min(live_ppm, same_ppm) >= FACE_PASSES_PPM and known.name == check.person.name
        self._faces.put(check.check_id, FaceSeen(known.person, passed, ask.at))
        answer: dict[str, Any] = {"live_ppm": live_ppm, "same_ppm": same_ppm, "simulated": True}
        return answer if attack is None else {**answer, "attack": attack}

    def face_passed(self, check_id: str) -> str | None:
        """The person whose own live face that check saw, or None."""
        seen = self._faces.get(check_id)
        return seen.person if seen is not None and seen.passed else None

    def put_image(self, ask: Ask) -> dict[str, Any]:
        self._images.put(ask.args["sha256"], ask.raw)
        return {"simulated": True}

    # -- lists ------------------------------------------------------------------------------------------------------------

    def aml(self, ask: Ask) -> dict[str, Any]:
        """Whom on the lists the name resembles. The lists are those of `as_of`."""
        check = ask.read(Check)
        self._known(check, use="aml", at=ask.at)
        if ask.fault is not None and ask.fault.name == "list_changed":
            self._list_changes.put(ask.key, ask.at)
        as_of = self._fresh(ask, check.as_of)
        lists = self._lists_of(sum(at <= as_of for at in self._list_changes.values()))
        hits = [
            {
                "list": hit.entry.list,
                "entry_id": hit.entry.entry_id,
                "name": hit.entry.name,
                "aliases": list(hit.entry.aliases),
                "kind": hit.entry.kind,
                "similarity_ppm": hit.similarity_ppm,
            }
            for hit in lists.screen(check.person.name)
        ]
        return {"hits": hits, "lists_version": lists.version, "simulated": True}

    def lists(self, ask: Ask) -> dict[str, Any]:
        """All entries of a version that was in force, for screening at home."""
        wanted = ask.args["version"]
        found = next((lists for count in range(len(self._list_changes) + 1) if (lists := self._lists_of(count)).version == wanted), None)
        if found is None:
            raise not_found("this version of the lists")
        entries = [
            {"list": one.list, "entry_id": one.entry_id, "name": one.name, "aliases": list(one.aliases), "kind": one.kind} for one in found.entries
        ]
        return {"version": found.version, "entries": entries, "simulated": True}

    def _lists_of(self, changes: int) -> Lists:
        if changes not in self._lists:
            self._lists[changes] = published(changes=changes)
        return self._lists[changes]

    # -- codes ------------------------------------------------------------------------------------------------------------

    def send_code(self, ask: Ask) -> dict[str, Any]:
        """Make a code and let it reach the phone. The code stands in no answer."""
        wanted = ask.read(Otp)
        now_ms = self.clock.sign_ms()
        otp_id, code = self.otp.make(key=ask.key, phone=wanted.phone, purpose=wanted.purpose, subject=wanted.subject, now_ms=now_ms)
        if ask.fault is None or ask.fault.name != "otp_lost":
            self.people.read_sms(
                Sms(
                    message_id=otp_id,
                    phone=wanted.phone,
                    template="otp",
                    params={"code": code, "purpose": wanted.purpose},
                    text=f"【模拟】验证码 {code}，用途 {wanted.purpose}，5 分钟内有效，请勿告诉他人。",
                    purpose="otp",
                    sender="checks-1",
                    at=ask.at,
                    subject=otp_id,
                )
            )
        return {"otp_id": otp_id, "expires_at": instant(self.clock.later(GOOD_FOR_MS / 1000)), "simulated": True}

    def verify_code(self, ask: Ask) -> dict[str, Any]:
        tried = ask.read(OtpTry)
        outcome = self.take_code(otp_id=tried.otp_id, code=tried.code, purpose=tried.purpose, subject=tried.subject)
        return {"ok": outcome.is_right, "left": outcome.left, "simulated": True}

    def take_code(self, *, otp_id: str, code: str, purpose: str, subject: str | None = None, phone: str | None = None) -> Outcome:
        """Use up a code; `rail` and `sign` come here, each with its own purpose. None is not compared."""
        return self.otp.take(otp_id=otp_id, code=code, purpose=purpose, subject=subject, phone=phone, now_ms=self.clock.sign_ms())

    # -- records and places --------------------------------------------------------------------------------------------------

    def records(self, ask: Ask) -> dict[str, Any]:
        """What a source knew of the person at `as_of`. Refused: `checks.no-record`."""
        check = ask.read(Records)
        if check.since > check.until:
            raise bad_field("since", "is after until")
        known = self._known(check, use=f"records-{check.source}", at=ask.at)
        as_of = self._fresh(ask, check.as_of)
        if known is None or known.name != check.person.name:
            raise no_record("the source does not know this person")
        page = self.people.records(known.person, check.source, check.since, check.until, as_of, check.cursor)
        if page is None:
            raise no_record("the source does not know this person")
        answer: dict[str, Any] = {"events": msgspec.Raw(page.events_json), "complete": page.complete, "simulated": True}
        return answer if page.next_cursor is None else {**answer, "next_cursor": page.next_cursor}

    def places(self, _: Ask) -> Reply:
        if not self._places:
            version, places = self.people.places()
            rows = [
                {"place_code": place.place_code, "kind": place.kind, "name": place.name, **({} if place.tier is None else {"tier": place.tier})}
                for place in places
            ]
            self._places = json_bytes({"version": version, "places": rows, "simulated": True})
        return Reply(body=self._places)

    # -- all checks ------------------------------------------------------------------------------------------------------------

    def _known(self, check: Check, *, use: str, at: datetime) -> Identity | None:
        """The person asked about, after his consent was seen to be live. Raises Refused `no-consent`."""
        known = self.people.person_by_id_number(check.person.id_number)
        if known is not None:
            standing = self.breaches.use_consent(person=known.person, consent_id=check.consent_id, use=use, at=at, subject=check.check_id)
            if not standing.allows:
                raise no_consent(standing.value)
        return known

    def _as_of(self, as_of: datetime) -> datetime:
        """The instant asked for, never a future one."""
        now = self.clock.now()
        if as_of > now + AHEAD_MAX:
            raise bad_field("as_of", "lies in the future")
        return min(as_of, now)

    def _fresh(self, ask: Ask, as_of: datetime) -> datetime:
        """The instant asked for. Raises Refused `checks.stale` when the source has only an older state (fault `stale`)."""
        wanted = self._as_of(as_of)
        if ask.fault is not None and ask.fault.name == "stale":
            old = wanted - timedelta(days=ask.fault.whole("days", 7))
            raise Refused("checks.stale", "the source has only an older state", retry="later", as_of=instant(old))
        return wanted

    def _shown(self, sha256: str) -> Picture | None:
        has_come, shown = self._images.find(sha256)
        if not has_come:
            raise Refused("checks.image-missing", "this picture was not sent before the check that names it", retry="later")
        return shown


def likeness(shown: Picture | None, face: int) -> tuple[int, int, Literal["print", "screen", "mask", "deepfake"] | None]:
    """How live and how alike a picture is to a face, in parts per million, and the attack seen in it."""
    if shown is None or shown.kind != "face":
        return 0, 0, None
    noise = int.from_bytes(hashlib.sha256(f"face|{face}|{shown.number}|{shown.variant}".encode()).digest()[:8], "big")
    same_ppm = 940_000 + noise % 59_000 if shown.number == face else 40_000 + noise % 520_000
    if shown.variant in {"print", "screen", "mask", "deepfake"}:
        return 30_000 + noise // 64_000 % 380_000, same_ppm, shown.variant
    return 960_000 + noise // 64_000 % 39_000, same_ppm, None


def no_consent(why: str) -> Refused:
    return Refused("no-consent", f"the person's consent to this is {why}", status=403)


def no_record(text: str) -> Refused:
    return Refused("checks.no-record", text)


def otp_book(store: Store, secret: bytes) -> OtpBook:
    """The town's one book of codes."""
    return OtpBook(store.table("checks.otp", Code), secret)
