"""Bureau, checks, authority, messages and the watch over the real gate: signed requests in, signed answers out, on a stepped clock."""

import base64
import hashlib
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from PIL import Image

import puhui_town.breaches
import puhui_town.bureau
import puhui_town.checks
import puhui_town.message
import puhui_town.sign
from puhui_town.bureau.service import Bureau
from puhui_town.checks.otp import verify_otp
from puhui_town.checks.pictures import Picture, draw
from puhui_town.checks.population import (
    BureauFile,
    Call,
    CallRecord,
    Card,
    Identity,
    OutsideAccount,
    OutsideQuery,
    PickUp,
    Place,
    RecordPage,
    Sms,
    SmsReaction,
    Turn,
    Utterance,
)
from puhui_town.wire import SHANGHAI, Clock, ClockMode, Config, PrivateKey, Rule, RuleBook, Scheduler, Town, World, instant, open_town
from puhui_town.wire.server import Request, Response, Server
from puhui_town.wire.signing import sign_reply, sign_request

START = datetime(2026, 9, 1, 9, 0, tzinfo=SHANGHAI)
LENDER = PrivateKey("lender-1", "lender", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
DRIVER = PrivateKey("driver-1", "driver", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
LI, WHITE = "790101199003070018", "79010119900307003X"
PHONE, DEAD = "12000000001", "12000000009"
CARD = "0000010000000017"
REPORTER = "PUHUILENDER001"
SHA = "ab" * 32


def person(id_number: str = LI, name: str = "李伟", **more: str) -> dict[str, str]:
    return {"name": name, "id_type": "id_card", "id_number": id_number, **more}


def identity(key: str, name: str, id_number: str, face: int) -> Identity:
    return Identity(key, name, id_number, "七九零一县公安局", date(2030, 1, 1), "790101001001", face, face + 1000)


@dataclass
class Two:
    """Two people: Li, who has a file, a card, records and a phone, and Na, who has nothing yet."""

    texts: list[Sms] = field(default_factory=list)
    over: list[CallRecord] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    reply: str = ""
    pick: PickUp = field(default_factory=lambda: PickUp("self", opening="喂"))
    known: dict[str, Identity] = field(
        default_factory=lambda: {LI: identity("p-1", "李伟", LI, 11), WHITE: identity("p-2", "李娜", WHITE, 22)}
    )

    def person_by_id_number(self, id_number: str) -> Identity | None:
        return self.known.get(id_number)

    def identity(self, person: str) -> Identity:
        return next(one for one in self.known.values() if one.person == person)

    def phone_of(self, person: str, as_of: datetime) -> str | None:
        return PHONE if person == "p-1" else None

    def registrant_of(self, phone: str, as_of: datetime) -> str | None:
        return "p-1" if phone == PHONE else None

    def users_of(self, phone: str, as_of: datetime) -> Sequence[str]:
        return ("p-1",) if phone == PHONE else ()

    def card(self, card_number: str, as_of: datetime) -> Card | None:
        return Card(CARD, "p-1", PHONE, usable=as_of >= START - timedelta(days=3)) if card_number == CARD else None

    def records(self, person: str, source: str, since: datetime, until: datetime, as_of: datetime, cursor: str | None) -> RecordPage | None:
        if source != "telco":
            return None
        return RecordPage(b'[{"event_id":1,"kind":"bill"}]', next_cursor=None if cursor else "2", complete=True)

    def places(self) -> tuple[str, Sequence[Place]]:
        return "2026", [Place("790101001001", "village", "石桥村"), Place("790200000000", "city", "南江市", 2)]

    def bureau_file(self, person: str, as_of: datetime) -> BureauFile | None:
        if person == "p-2":
            return None
        account = OutsideAccount("x-1", "D1", "bank", date(2024, 1, 5), 500_000, 0, "NNN", 0, 1, date(2024, 4, 5))
        return BureauFile([account], [OutsideQuery(START - timedelta(days=9), "loan_application", "bank")])

    def read_sms(self, sms: Sms) -> SmsReaction:
        self.texts.append(sms)
        if sms.phone == DEAD:
            return SmsReaction(delivered=False, code="message.phone-off")
        return SmsReaction(reply=self.reply, reply_after_s=30 if self.reply else 0)

    def pick_up(self, call: Call) -> PickUp:
        return self.pick

    def speak(self, call: Call, turns: Sequence[Turn]) -> Utterance:
        return Utterance("下周发工资就还") if len(turns) < 4 else Utterance("再见", hang_up=True)

    def call_over(self, record: CallRecord) -> None:
        self.over.append(record)

    def queried(self, person: str, reason: str, at: datetime) -> None:
        self.seen.append(person)


@dataclass
class Stage:
    """A town with two people, a platform that says little, and the lender's pen."""

    town: Town
    people: Two
    said: list[dict[str, Any]]
    nonce: int = 0

    def ask(self, method: str, path: str, body: Any = b"", *, key: str = "", who: PrivateKey = LENDER, **headers: str) -> tuple[int, dict[str, Any]]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.nonce += 1
        signed = sign_request(
            who, method=method, path=path, body=raw, idempotency_key=key, time_ms=self.town.world.clock.sign_ms(), nonce=f"{self.nonce:032x}"
        )
        sent = {name.lower(): value for name, value in signed} | {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.town.gate.take(Request(method, path, sent, raw))
        assert isinstance(response, Response)
        return response.status, json.loads(response.body) if response.body else {}

    def post(self, path: str, body: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
        return self.ask("POST", path, body, key=str(next(iter(body.values()))), **more)

    async def pass_time(self, **span: float) -> None:
        await self.town.world.scheduler.run_to(self.town.world.clock.now() + timedelta(**span))

    @property
    def watch(self) -> Any:
        return self.town.world.parts["breaches"]

    def breaches(self) -> list[str]:
        return [seen.kind for seen in self.watch.all_seen()]

    def events(self, channel: str) -> list[tuple[str, dict[str, Any]]]:
        return [(event.kind, event.data) for event in self.town.world.callbacks.since(channel, 0)["events"]]

    def consent(self, *items: str, key: str = "p-1") -> None:
        self.watch.consent_given(person=key, consent_id="co-1", items=items, purpose="loan", until=date(2027, 9, 1))

    def code(self, purpose: str, subject: str = "", phone: str = PHONE, check_id: str = "ck-otp") -> dict[str, str]:
        _, answer = self.post("/checks/v1/otp", {"check_id": check_id, "as_of": self.now, "phone": phone, "purpose": purpose, "subject": subject})
        return {"otp_id": answer["otp_id"], "code": self.people.texts[-1].params["code"]}

    @property
    def now(self) -> str:
        return instant(self.town.world.clock.now())

    def check(self, check_id: str, who: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        return {"check_id": check_id, "as_of": self.now, "consent_id": "co-1", "person": who or person(), **more}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    said: list[dict[str, Any]] = []

    def platform(request: Request) -> Response:
        event = json.loads(request.body)
        said.append(event)
        turns = sum(one["kind"] == "message.turn" for one in said)
        body = json.dumps({"say": f"第{turns}句", "hang_up": turns >= 3}).encode() if event["kind"] == "message.turn" else b""
        status = 200 if body else 204
        headers = sign_reply(
            LENDER, status=status, nonce=request.headers["puhui-nonce"], body=body, idempotency_key=request.headers["idempotency-key"], time_ms=now_ms()
        )
        return Response(status, body, headers)

    server = Server(platform, lambda _method, _target: 1 << 20, lambda: None)
    port = await server.listen("127.0.0.1", 0)
    people = Two()

    def move_in(world):
        world.parts["people"] = people
        return []

    installs = [puhui_town.breaches.install, move_in, puhui_town.checks.install, puhui_town.bureau.install, puhui_town.sign.install, puhui_town.message.install]
    town = open_town(Config(platform=f"http://127.0.0.1:{port}"), Clock.begin(ClockMode.STEPPED, START), installs)
    now_ms = town.world.clock.sign_ms
    for key in (LENDER, DRIVER):
        town.world.keys.know(key.public())
    try:
        yield Stage(town, people, said)
    finally:
        await town.stop()
        await server.close()


# -- checks ------------------------------------------------------------------------------------------------------------------


async def test_four_factors_match_only_the_holder_with_the_banks_phone(stage: Stage):
    stage.consent("financial_account")
    _, right = stage.post("/checks/v1/four-factor", stage.check("a", card_number=CARD, phone=PHONE))
    assert right == {"match": {"name": True, "id": True, "card": True, "phone": True}, "as_of": stage.now, "simulated": True}
    _, other = stage.post("/checks/v1/four-factor", stage.check("b", person(name="李维"), card_number=CARD, phone="12000000002"))
    assert other["match"] == {"name": False, "id": True, "card": True, "phone": False}
    _, none = stage.post("/checks/v1/four-factor", stage.check("c", person("790101199003070026"), card_number=CARD, phone=PHONE))
    assert set(none["match"].values()) == {False}


async def test_a_check_without_a_live_consent_is_refused_and_seen(stage: Stage):
    stage.consent("identity")
    status, answer = stage.post("/checks/v1/four-factor", stage.check("a", card_number=CARD, phone=PHONE) | {"consent_id": "co-9"})
    assert (status, answer["code"]) == (403, "no-consent")
    status, _ = stage.post("/checks/v1/records", stage.check("b", source="telco", since=stage.now, until=stage.now))
    assert status == 403
    assert stage.breaches() == ["use-without-consent"] * 2


async def test_a_person_whom_nobody_watched_consent_may_try_the_product(stage: Stage):
    status, _ = stage.post("/checks/v1/aml", stage.check("a"))
    assert status == 200
    _, truth = stage.ask("GET", "/town/truth/breaches", who=DRIVER)
    assert (truth["count"], truth["unwitnessed_uses"]) == (0, 1)


def put(stage: Stage, picture: Picture) -> str:
    """Send a picture as the platform does: encoded anew."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(draw(picture))) as image:
        image.convert("RGB").resize((240, 240)).save(out, "JPEG", quality=60)
    sha256 = hashlib.sha256(out.getvalue()).hexdigest()
    assert stage.ask("PUT", f"/checks/v1/images/{sha256}", out.getvalue())[0] == 201
    return sha256


async def test_the_id_card_is_the_persons_own_and_unexpired(stage: Stage):
    mine, copy, others = (put(stage, Picture("id_front", 1011))), put(stage, Picture("id_front", 1011, "copy")), put(stage, Picture("id_front", 1022))
    _, answer = stage.post("/checks/v1/id-card", stage.check("a", image_sha256=mine))
    assert answer == {
        "valid": True, "expires": "2030-01-01", "issuer": "七九零一县公安局", "address_code": "790101", "place_code": "790101001001", "simulated": True,
    }  # fmt: skip
    for name, sha256 in (("b", copy), ("c", others)):
        assert stage.post("/checks/v1/id-card", stage.check(name, image_sha256=sha256))[1]["valid"] is False
    assert stage.post("/checks/v1/id-card", stage.check("d", image_sha256=SHA))[1]["code"] == "checks.image-missing"
    assert stage.ask("PUT", f"/checks/v1/images/{SHA}", b"other bytes")[0] == 400


async def test_a_face_is_live_and_the_same_only_when_it_is(stage: Stage):
    asked = {"actions": ["blink"]}
    _, own = stage.post("/checks/v1/face", stage.check("a", image_sha256=put(stage, Picture("face", 11)), **asked))
    _, attack = stage.post("/checks/v1/face", stage.check("b", image_sha256=put(stage, Picture("face", 11, "screen")), **asked))
    _, other = stage.post("/checks/v1/face", stage.check("c", image_sha256=put(stage, Picture("face", 22)), **asked))
    assert min(own["live_ppm"], own["same_ppm"]) > 900_000
    assert "attack" not in own
    assert (attack["attack"], attack["live_ppm"] < 500_000) == ("screen", True)
    assert other["same_ppm"] < 600_000


async def test_records_come_in_pages_and_a_source_one_lacks_has_none(stage: Stage):
    span = {"since": "2025-09-01T00:00:00+08:00", "until": stage.now}
    _, page = stage.post("/checks/v1/records", stage.check("a", source="telco", **span))
    assert page == {"events": [{"event_id": 1, "kind": "bill"}], "complete": True, "next_cursor": "2", "simulated": True}
    _, last = stage.post("/checks/v1/records", stage.check("b", source="telco", cursor="2", **span))
    assert "next_cursor" not in last
    status, none = stage.post("/checks/v1/records", stage.check("c", source="farm", **span))
    assert (status, none["code"]) == (422, "checks.no-record")
    assert stage.post("/checks/v1/records", stage.check("d", source="gossip", **span))[0] == 400


async def test_places_and_lists_are_told_whole(stage: Stage):
    _, places = stage.ask("GET", "/checks/v1/places")
    assert places["places"][0] == {"place_code": "790101001001", "kind": "village", "name": "石桥村"}
    _, aml = stage.post("/checks/v1/aml", stage.check("a"))
    assert aml["hits"] == []
    status, lists = stage.ask("GET", f"/checks/v1/lists/{aml['lists_version']}")
    assert (status, len(lists["entries"]) >= 60) == (200, True)
    assert stage.ask("GET", "/checks/v1/lists/1999")[0] == 404


async def test_a_listed_name_is_hit_and_a_changed_list_is_another_version(stage: Stage):
    _, lists = stage.ask("GET", "/checks/v1/lists/2026-08")
    named = lists["entries"][0]["name"]
    _, hit = stage.post("/checks/v1/aml", stage.check("a", person("790101199003070026", named)))
    assert (hit["hits"][0]["name"], hit["hits"][0]["similarity_ppm"]) == (named, 1_000_000)
    stage.town.world.faults.set(RuleBook(7, [Rule("f", "checks.aml", "list_changed", 1_000_000)]))
    _, later = stage.post("/checks/v1/aml", stage.check("b"))
    assert later["lists_version"] != hit["lists_version"]


async def test_the_same_check_asked_again_gets_the_same_bytes_and_a_stale_source_says_so(stage: Stage):
    body = stage.check("a")
    assert stage.post("/checks/v1/aml", body) == stage.post("/checks/v1/aml", body)
    stage.town.world.faults.set(RuleBook(7, [Rule("f", "checks.*", "stale", 1_000_000, args={"days": 5})]))
    status, stale = stage.post("/checks/v1/aml", stage.check("b"))
    assert (status, stale["code"], stale["as_of"]) == (422, "checks.stale", instant(START - timedelta(days=5)))
    _, old = stage.post("/checks/v1/four-factor", stage.check("c", card_number=CARD, phone=PHONE))
    assert (old["as_of"], old["match"]["card"]) == (instant(START - timedelta(days=5)), False)


async def test_a_code_reaches_the_phone_and_stands_in_no_answer(stage: Stage):
    code = stage.code("login")
    tried = {"check_id": "v-1", "as_of": stage.now, **code, "purpose": "login"}
    assert code["code"] in stage.people.texts[0].text
    assert stage.post("/checks/v1/otp/verify", tried)[1] == {"ok": True, "left": 5, "simulated": True}
    assert stage.post("/checks/v1/otp/verify", tried | {"check_id": "v-2"})[1]["ok"] is False
    stage.town.world.faults.set(RuleBook(7, [Rule("f", "checks.otp", "otp_lost", 1_000_000)]))
    stage.post("/checks/v1/otp", {"check_id": "lost", "phone": PHONE, "purpose": "login"})
    assert len(stage.people.texts) == 1


async def test_the_rail_takes_a_code_of_its_own_purpose_and_the_cards_phone(stage: Stage):
    world = stage.town.world
    code = stage.code("bind")
    assert not verify_otp(world, "pay", PHONE, "", **code)
    assert not verify_otp(world, "bind", "12000000002", "", **code)
    assert verify_otp(world, "bind", PHONE, "", **code)
    paying = stage.code("pay", "po-1", check_id="ck-2")
    assert not verify_otp(world, "pay", PHONE, "po-2", **paying)
    assert verify_otp(world, "pay", PHONE, "po-1", **paying)


# -- signing -----------------------------------------------------------------------------------------------------------------


def certificate(stage: Stage, cert_id: str = "ct-1") -> dict[str, Any]:
    stage.post("/checks/v1/face", stage.check(f"face-{cert_id}", image_sha256=put(stage, Picture("face", 11)), actions=["blink"]))
    status, made = stage.post("/sign/v1/certificates", {"cert_id": cert_id, "person": person(), "face_check_id": f"face-{cert_id}"})
    assert status == 200
    return made


async def test_one_code_signs_one_document_once(stage: Stage):
    made = certificate(stage)
    document = hashlib.sha256(b"contract").hexdigest()
    wanted = {"signature_id": "sg-1", "serial": made["serial"], "document_sha256": document, **stage.code("sign", document)}
    status, signed = stage.post("/sign/v1/signatures", wanted)
    assert status == 200
    load_der_public_key(base64.b64decode(made["public_key"])).verify(base64.b64decode(signed["signature"]), bytes.fromhex(document))  # type: ignore[union-attr, call-arg]
    assert stage.post("/sign/v1/signatures", wanted | {"signature_id": "sg-2"})[1]["code"] == "sign.otp-wrong"
    other = {**wanted, "signature_id": "sg-3", "document_sha256": SHA, **stage.code("sign", document, check_id="ck-2")}
    assert stage.post("/sign/v1/signatures", other)[1]["code"] == "sign.otp-wrong"
    foreign = {**wanted, "signature_id": "sg-4", **stage.code("sign", document, phone="12000000002", check_id="ck-3")}
    assert stage.post("/sign/v1/signatures", foreign)[1]["code"] == "sign.otp-wrong", "the code went to another's phone"


async def test_a_certificate_needs_the_persons_own_live_face_and_ends_after_a_day(stage: Stage):
    stage.post("/checks/v1/face", stage.check("f", image_sha256=put(stage, Picture("face", 22)), actions=["blink"]))
    for face in ("f", "never"):
        status, refused = stage.post("/sign/v1/certificates", {"cert_id": f"ct-{face}", "person": person(), "face_check_id": face})
        assert (status, refused["code"]) == (422, "sign.face-not-proven")
    made = certificate(stage)
    await stage.pass_time(hours=24)
    wanted = {"signature_id": "sg-1", "serial": made["serial"], "document_sha256": SHA, **stage.code("sign", SHA)}
    assert stage.post("/sign/v1/signatures", wanted)[1]["code"] == "sign.cert-expired"
    assert stage.post("/sign/v1/signatures", wanted | {"signature_id": "sg-2", "serial": "0f"})[0] == 404


async def test_a_revoked_certificate_signs_nothing_and_stands_on_the_list(stage: Stage):
    stage.town.world.faults.set(RuleBook(7, [Rule("f", "sign.certificate", "cert_revoked", 1_000_000)]))
    made = certificate(stage)
    wanted = {"signature_id": "sg-1", "serial": made["serial"], "document_sha256": SHA, **stage.code("sign", SHA)}
    assert stage.post("/sign/v1/signatures", wanted)[1]["code"] == "sign.cert-revoked"
    _, revoked = stage.ask("GET", "/sign/v1/revocations")
    assert [row["serial"] for row in revoked["serials"]] == [made["serial"]]


async def test_a_contract_signed_too_soon_is_seen(stage: Stage):
    stage.watch.cost_shown(person="p-1", table_sha256="t", now_ms=stage.town.world.clock.sign_ms())
    stage.watch.cost_confirmed(person="p-1", table_sha256="t", contract_sha256=SHA)
    wanted = {"signature_id": "sg-1", "serial": certificate(stage)["serial"], "document_sha256": SHA, **stage.code("sign", SHA)}
    assert stage.post("/sign/v1/signatures", wanted)[0] == 200
    assert stage.breaches() == ["signed-before-reading"]


async def test_time_stamps_are_numbered(stage: Stage):
    tokens = [stage.ask("POST", "/sign/v1/timestamps", {"sha256": SHA, "nonce": f"n-{n}"}, key=f"ts-{n}")[1]["token"] for n in range(2)]
    assert [json.loads(base64.b64decode(token.partition(".")[0]))["serial"] for token in tokens] == [1, 2]


def replace_scheduler(world: World) -> World:
    """The same memory under another process's timers."""
    return replace(world, scheduler=Scheduler(world.store, world.clock))


# -- bureau ------------------------------------------------------------------------------------------------------------------


def query(stage: Stage, query_id: str, who: dict[str, str] | None = None, **more: Any) -> tuple[int, dict[str, Any]]:
    asked = {"query_id": query_id, "reason": "loan_application", "consent_id": "co-1", "consent_sha256": SHA, "as_of": stage.now}
    return stage.post("/bureau/v1/queries", {**asked, "person": who or person(), **more})


async def test_a_report_shows_others_accounts_and_our_earlier_queries(stage: Stage):
    stage.consent("bureau")
    status, first = query(stage, "q-1")
    assert (status, first["found"]) == (200, True)
    assert first["report"]["accounts"] == [
        {
            "account": "x-1", "kind": "D1", "lender_kind": "bank", "opened": "2024-01-05", "closed": "2024-04-05", "credit_fen": 500_000,
            "balance_fen": 0, "statuses": "NNN", "overdue_fen": 0, "class": 1,
        }
    ]  # fmt: skip
    assert len(first["report"]["queries"]) == 1, "the query being asked is not in its own answer"
    await stage.pass_time(hours=1)
    _, second = query(stage, "q-2")
    assert [one["lender_kind"] for one in second["report"]["queries"]] == ["bank", "consumer_finance"]
    assert stage.people.seen == ["p-1", "p-1"]
    _, late = query(stage, "q-3", as_of=instant(START))
    assert late["report"]["queries"] == first["report"]["queries"], "asked late, it is the same answer"


async def test_a_white_file_is_an_answer_and_a_query_without_consent_is_none(stage: Stage):
    stage.consent("bureau", key="p-2")
    assert query(stage, "q-1", person(WHITE, "李娜")) == (200, {"found": False, "simulated": True})
    assert query(stage, "q-2", person(WHITE, "李娜"), consent_id="co-7")[0] == 403
    assert query(stage, "q-3", person(WHITE, "李娜"), consent_sha256="cd" * 32)[0] == 403
    assert query(stage, "q-4", person(WHITE, "李维")) == (200, {"found": False, "simulated": True})
    assert stage.breaches() == ["use-without-consent"] * 2


async def test_a_consent_serves_its_number_of_queries(stage: Stage):
    stage.consent("bureau")
    statuses = [query(stage, f"q-{n}")[0] for n in range(13)]
    assert statuses == [200] * 12 + [403]


OPENING = {
    "BusiLines": "1", "BusiDtlLines": "91", "OpenDate": "2026-09-01", "Cy": "CNY", "LoanAmt": "3000", "Flag": "1", "DueDate": "2027-03-01",
    "RepayMode": "11", "RepayFreqcy": "03", "RepayPrd": "6", "ApplyBusiDist": "790101", "GuarMode": "4", "FundSou": "1", "LoanForm": "1",
}  # fmt: skip
MONTH = {
    "Month": "2026-09", "SettDate": "2026-09-30", "AcctStatus": "1", "AcctBal": "3000", "RemRepPrd": "6", "FiveCate": "1",
    "FiveCateAdjDate": "2026-09-01", "RpyStatus": "N", "TotOverd": "0", "OverdPrd": "0", "OverdPrinc": "0",
}  # fmt: skip
LATE = {**MONTH, "AcctStatus": "2", "RpyStatus": "1", "TotOverd": "520", "OverdPrd": "1", "OverdPrinc": "500"}


def record(code: str, day: str, account: str = "ln-1", **segments: dict[str, str]) -> str:
    base = {
        "InfRecType": "210", "AcctType": "D1", "AcctCode": account, "RptDate": day, "RptDateCode": code, "Name": "李伟", "IDType": "10",
        "IDNum": LI, "MngmtOrgCode": REPORTER,
    }  # fmt: skip
    parts = {"AcctBsSgmt": base, **segments}
    inside = "".join(f"<{name}>{''.join(f'<{field}>{value}</{field}>' for field, value in part.items())}</{name}>" for name, part in parts.items())
    return f"<Document><InAcctInf>{inside}</InAcctInf></Document>"


def send(stage: Stage, *records: str, serial: int = 1, count: int | None = None) -> str:
    name = f"{REPORTER}2026090121000{serial:02d}0.txt"
    header = f"A0502102.0.0  {REPORTER}202609010400000{len(records) if count is None else count:07d}"
    body = "\n".join([header, *records]).encode() + b"\n"
    status, answer = stage.ask("POST", "/bureau/v1/batches", body, key=name.replace(".", ""), puhui_file=name)
    assert (status, answer) == (202, {"batch_id": name.replace(".", ""), "state": "received"})
    return answer["batch_id"]


def batch(stage: Stage, batch_id: str) -> dict[str, Any]:
    return stage.ask("GET", f"/bureau/v1/batches/{batch_id}")[1]


async def test_a_batch_is_checked_later_and_what_it_says_stands_in_the_next_report(stage: Stage):
    stage.consent("bureau")
    tapped = stage.now
    batch_id = send(stage, record("10", "2026-09-01", AcctBsInfSgmt=OPENING), record("30", "2026-09-30", "ln-2", AcctMthlyBlgInfSgmt=MONTH))
    assert batch(stage, batch_id)["state"] == "received"
    assert query(stage, "q-1")[1]["report"]["accounts"][-1]["account"] == "x-1", "nothing is known before it is checked"
    await stage.pass_time(days=2, minutes=1)
    checked = batch(stage, batch_id)
    assert (checked["state"], checked["accepted"], checked["rejected"]) == ("checked", 1, 1)
    assert [(row["line"], row["account"], row["code"]) for row in checked["feedback"]] == [(3, "ln-2", "B01")]
    assert stage.events("bureau") == [("bureau.batch_checked", {"batch_id": batch_id, "state": "checked", "accepted": 1, "rejected": 1})]
    ours = query(stage, "q-2")[1]["report"]["accounts"][-1]
    assert (ours["account"], ours["credit_fen"], ours["balance_fen"], ours["lender_kind"]) == ("ln-1", 300_000, 300_000, "consumer_finance")
    assert query(stage, "q-3", as_of=tapped)[1]["report"]["accounts"][-1]["account"] == "x-1", "as of the tap it was not known"
    status, held = stage.ask("GET", "/bureau/v1/accounts/ln-1")
    assert (status, held["opening"]["LoanAmt"], held["closed"]) == (200, "3000", False)
    assert stage.ask("GET", "/bureau/v1/accounts/ln-2")[0] == 404


async def test_batches_are_checked_in_the_order_in_which_they_came(stage: Stage):
    ids = [send(stage, record("10", "2026-09-01", AcctBsInfSgmt=OPENING), serial=1)]
    ids += [send(stage, record("30", "2026-09-30", AcctMthlyBlgInfSgmt=MONTH), serial=n) for n in (2, 3)]
    await stage.pass_time(days=3)
    assert [(batch(stage, one)["accepted"], batch(stage, one)["rejected"]) for one in ids] == [(1, 0), (1, 0), (0, 1)]


async def test_a_file_with_a_wrong_count_is_rejected_whole(stage: Stage):
    batch_id = send(stage, record("10", "2026-09-01", AcctBsInfSgmt=OPENING), count=2)
    await stage.pass_time(days=3)
    told = batch(stage, batch_id)
    assert (told["accepted"], [(row["line"], row["code"]) for row in told["feedback"]]) == (0, [(1, "F02")])


async def test_a_batch_may_be_told_of_in_parts(stage: Stage):
    stage.town.world.faults.set(RuleBook(7, [Rule("f", "bureau.batch", "partial_batch", 1_000_000, args={"k": 1, "later_s": 7200})]))
    send(stage, record("10", "2026-09-01", AcctBsInfSgmt=OPENING), record("10", "2026-09-01", "ln-2", AcctBsInfSgmt=OPENING))
    await stage.pass_time(days=3)
    assert [data["accepted"] for _, data in stage.events("bureau")] == [1, 2]
    assert [data["state"] for _, data in stage.events("bureau")] == ["received", "checked"]


async def test_feedback_is_read_page_by_page(stage: Stage):
    batch_id = send(stage, *[record("30", "2026-09-30", f"ln-{n}", AcctMthlyBlgInfSgmt=MONTH) for n in range(501)])
    await stage.pass_time(days=3)
    first = batch(stage, batch_id)
    last = stage.ask("GET", f"/bureau/v1/batches/{batch_id}?cursor={first['next_cursor']}")[1]
    assert (len(first["feedback"]), len(last["feedback"]), "next_cursor" in last) == (500, 1, False)


async def test_a_bad_mark_without_its_notice_is_seen_and_with_it_not(stage: Stage):
    send(stage, record("10", "2026-09-01", AcctBsInfSgmt=OPENING), record("30", "2026-09-30", AcctMthlyBlgInfSgmt=LATE))
    await stage.pass_time(days=3)
    assert stage.breaches() == ["bad-mark-before-notice"]
    stage.post("/message/v1/sms", {"message_id": "ms-1", "phone": PHONE, "template": "bureau-first-mark", "params": {}, "purpose": "service"})
    await stage.pass_time(minutes=5)
    opened = record("10", "2026-09-01", "ln-2", AcctBsInfSgmt=OPENING)
    send(stage, opened, record("30", "2026-09-30", "ln-2", AcctMthlyBlgInfSgmt=LATE), serial=2)
    await stage.pass_time(days=3)
    assert len(stage.breaches()) == 1


async def test_a_person_objects_and_the_lender_answers_once(stage: Stage):
    bureau = stage.town.world.parts["bureau"]
    dispute_id = bureau.open_dispute(person="p-1", account="ln-1", month="2026-09", claim="我按时还了")
    await stage.pass_time(minutes=1)
    assert stage.events("bureau")[0][1]["due"] == "2026-09-21"
    assert query(stage, "q-1")[1]["report"]["notices"] == ["dispute:ln-1:2026-09"]
    path = f"/bureau/v1/disputes/{dispute_id}/answer"
    answer = {"outcome": "corrected", "text": "已更正"}
    assert stage.ask("POST", path, answer | {"batch_id": "none"}, key=f"{dispute_id}-x")[0] == 400
    assert stage.ask("POST", path, answer, key=f"{dispute_id}-answer") == (200, {"state": "answered"})
    assert stage.ask("POST", path, answer, key=f"{dispute_id}-again")[0] == 409
    assert bureau.find_dispute(dispute_id).outcome == "corrected"


async def test_the_local_bureau_takes_the_same_facts_as_json_lines(stage: Stage):
    line = {
        "account": "ln-1", "month": "2026-09", "report_day": "2026-09-30", "name": "李伟", "id_type": "10", "id_number": LI, "opened": "2026-09-01",
        "loan_fen": 300_000, "balance_fen": 300_000, "overdue_fen": 0, "overdue_principal_fen": 0, "days_late": 0, "status": "N", "class": 1,
    }  # fmt: skip
    wrong = [{**line, "account": f"w-{n}", **change} for n, change in enumerate((
        {"status": "2", "overdue_fen": 5, "days_late": 30}, {"status": "1"}, {"status": "C"}, {"month": "2026-08"}, {"id_number": "1"},
        {"overdue_principal_fen": 300_001}, {"closed": "2026-09-30", "status": "C"},
    ))]  # fmt: skip
    lines = [line, line, *wrong]
    body = "\n".join(json.dumps(one) for one in lines).encode() + b"\nno json\n"
    assert stage.ask("POST", "/local-bureau/v1/batches", body, key="local-1", puhui_file="local-1")[0] == 202
    await stage.pass_time(days=3)
    told = stage.ask("GET", "/local-bureau/v1/batches/local-1")[1]
    assert (told["accepted"], told["rejected"]) == (1, 9)
    assert [row["code"] for row in told["feedback"]] == ["B08", "B05", "B05", "B04", "B08", "B16", "B06", "B02", "L01"]


async def test_a_town_that_comes_back_knows_every_account_and_goes_on_with_the_batch(stage: Stage):
    """Killed between two slices of a batch, the town neither takes a line twice nor leaves one out."""
    world = stage.town.world
    batch_id = send(stage, *[record("10", "2026-09-01", f"ln-{n}", AcctBsInfSgmt=OPENING) for n in range(150)])
    timer = world.scheduler.find(f"bureau|000000001|{batch_id}")
    checking = world.parts["bureau"].batches._check(timer)
    checking.send(None)
    checking.close()
    assert batch(stage, batch_id)["accepted"] == 100
    again = Bureau(replace_scheduler(world), stage.people, stage.watch)
    assert {f"ln-{n}": again.register.account(f"ln-{n}") for n in range(150)} == {
        f"ln-{n}": world.parts["bureau"].register.account(f"ln-{n}") for n in range(150)
    }
    await again.batches._check(timer)
    assert (batch(stage, batch_id)["accepted"], batch(stage, batch_id)["rejected"]) == (150, 0)
    assert again.register.account("ln-149") is not None


async def test_a_batch_named_otherwise_than_its_key_is_refused(stage: Stage):
    assert stage.ask("POST", "/bureau/v1/batches", b"x", key="other", puhui_file="name.txt")[0] == 400


# -- messages ------------------------------------------------------------------------------------------------------------------


def sms(stage: Stage, message_id: str, purpose: str = "service", phone: str = PHONE) -> tuple[int, dict[str, Any]]:
    return stage.post("/message/v1/sms", {"message_id": message_id, "phone": phone, "template": "paid", "params": {"sum": "30.00"}, "purpose": purpose})


async def test_a_text_is_delivered_or_not_and_may_be_answered(stage: Stage):
    stage.people.reply = "收到"
    assert sms(stage, "ms-1") == (202, {"state": "accepted"})
    sms(stage, "ms-2", phone=DEAD)
    await stage.pass_time(minutes=5)
    assert sorted(stage.events("message"), key=str) == sorted(
        [("message.delivered", {}), ("message.failed", {"code": "message.phone-off"}), ("message.reply", {"text": "收到"})], key=str
    )
    assert {event["kind"] for event in stage.said} == {"message.delivered", "message.failed", "message.reply"}
    assert sms(stage, "ms-3", phone="12")[1]["code"] == "message.invalid-number"


async def test_td_ends_marketing_and_a_later_one_is_refused_and_seen(stage: Stage):
    stage.people.reply = "TD"
    assert sms(stage, "ms-1", "marketing")[0] == 202
    await stage.pass_time(minutes=5)
    assert sms(stage, "ms-2", "service")[0] == 202
    status, refused = sms(stage, "ms-3", "marketing")
    assert (status, refused["code"]) == (422, "message.opted-out")
    assert stage.breaches() == ["contact-too-often"], "refused, but the lender may not have heard of the reply yet"
    await stage.pass_time(hours=2)
    sms(stage, "ms-4", "marketing")
    assert "contact-after-opt-out" in stage.breaches()


async def test_a_number_has_its_texts_of_the_day(stage: Stage):
    statuses = [sms(stage, f"ms-{n}")[0] for n in range(61)]
    assert statuses == [202] * 60 + [422]


def ring(stage: Stage, call_id: str, purpose: str = "collection", **more: str) -> tuple[int, dict[str, Any]]:
    window = {"not_before": instant(START + timedelta(minutes=10)), "not_after": instant(START + timedelta(hours=1))}
    return stage.post("/message/v1/calls", {"call_id": call_id, "phone": PHONE, "script": "m1", "purpose": purpose, "agent": "a-1", **window, **more})


async def test_a_call_asks_the_platform_for_every_turn(stage: Stage):
    stage.watch.paid_out(person="p-1", loan_id="ln-1", amount_fen=1, at=START)
    assert ring(stage, "c-1")[0] == 202
    await stage.pass_time(minutes=15)
    turns = [event for event in stage.said if event["kind"] == "message.turn"]
    assert [(event["event_id"], event["data"]["heard"]) for event in turns] == [("c-1-t1", "喂"), ("c-1-t2", "下周发工资就还")]
    (kind, ended), = stage.events("message")
    assert (kind, ended["answered_by"], ended["seconds"] > 0) == ("message.call_ended", "self", True)
    assert [turn["by"] for turn in ended["turns"]] == ["person", "agent", "person", "agent", "person"]
    assert [turn["at_ms"] for turn in ended["turns"]] == sorted(turn["at_ms"] for turn in ended["turns"])
    assert stage.people.over[0].answered_by == "self"
    assert stage.breaches() == []


async def test_nobody_answers_outside_the_window_or_at_all(stage: Stage):
    stage.people.pick = PickUp("nobody")
    ring(stage, "c-1")
    ring(stage, "c-2", not_before=instant(START - timedelta(hours=2)), not_after=instant(START - timedelta(hours=1)))
    await stage.pass_time(minutes=15)
    assert [data["answered_by"] for _, data in stage.events("message")] == ["nobody", "nobody"]
    assert stage.breaches() == ["contact-third-party"], "the one call that rang went to someone who owes nothing"
    assert ring(stage, "c-3", not_after=instant(START))[0] == 400


async def test_only_the_driver_reads_the_truth(stage: Stage):
    assert stage.ask("GET", "/town/truth/breaches")[0] == 403
    stage.watch.note("collect-over-mandate", "p-1", {"order_id": "po-1"})
    status, truth = stage.ask("GET", "/town/truth/breaches", who=DRIVER)
    assert (status, truth["count"], truth["by_kind"]) == (200, 1, {"collect-over-mandate": 1})
    assert truth["breaches"][0]["facts"] == {"order_id": "po-1"}
