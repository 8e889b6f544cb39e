"""A person comes in by an entry, says who he is, and binds a card; everything outside is the real other half, in this process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

import puhui_town.breaches
import puhui_town.checks
import puhui_town.entries
import puhui_town.people
import puhui_town.rail
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField, Refusal
from puhui.foundation.services import learn_keys
from puhui.foundation.work import Actor
from puhui.journeys import cases, enter, home, office, onboard, privacy, tell_partner
from puhui.rooms import channels, customers, histories
from puhui.rooms.staff import Member, Role
from puhui.vocabulary.steps import Session, State, StepAnswer
from puhui_town.checks.pictures import Picture, draw
from puhui_town.wire import Clock as TownClock
from puhui_town.wire import ClockMode, Config, Rule, RuleBook, Town, open_town
from puhui_town.wire.signing import PublicKey

INSTALLS = (puhui_town.breaches.install, puhui_town.people.install, puhui_town.checks.install, puhui_town.rail.install, puhui_town.entries.install)
UNTIL = date(2028, 9, 1)


@dataclass
class Stage:
    """A desk and the world around it; residents are numbered from 0."""

    desk: Desk
    town: Town
    visits: int = 0
    taps: int = 0

    @property
    def folk(self) -> Any:
        return self.town.world.parts["people"]

    @property
    def breaches(self) -> list[str]:
        return [seen.kind for seen in self.town.world.parts["breaches"].all_seen()]

    def key(self) -> str:
        self.taps += 1
        return f"tap-{self.taps}"

    def entry_of(self, kind: str) -> channels.Entry:
        return next(one for one in channels.entries().values() if one.kind.value == kind)

    async def visit(self, n: int, *, kind: str = "app", device: str = "", session_id: str = "", **more: str) -> str:
        """Open a visit and give its secret."""
        self.visits += 1
        session_id = session_id or f"se-{n}-{self.visits}"
        entry = self.entry_of(kind)
        entries, sub, phone = self.town.world.parts["entries"], f"sub-{n}", self.folk.phone(n)
        theirs = next(one for one in await self._town_entries() if one.entry_id == entry.entry_id)
        body = {"session_id": session_id, "entry_id": entry.entry_id, "kind": kind, "device": {"device_id": device or f"dv-{n}"}}
        if kind in {"alipay_window", "wechat_account"}:
            body["code"] = entries._code(theirs, sub=sub, phone=phone, session_id=session_id)
        if kind == "h5":
            body["token"] = entries._token(theirs, sub=sub, phone=phone, scene="", session_id=session_id)
        asked = enter.OpenSession(**(body | more | {"device": enter.DeviceSeen(**body["device"])}))  # type: ignore[arg-type]
        told = await enter.open_session(self.desk, partner_id=f"entry-{entry.entry_id}", body=asked, key=session_id)
        return str(told["page_url"]).rsplit("/", 1)[-1]

    async def _town_entries(self) -> Any:
        from puhui_town.entries.entry import told_entries

        return told_entries(await enter.entries(self.desk))

    async def session(self, secret: str) -> Session:
        async with self.desk.work() as work:
            return await enter.session_in(work, secret)

    async def step(self, secret: str, name: str, **body: Any) -> StepAnswer:
        """Take one step as the door does."""
        table = enter.BORROWER | onboard.BORROWER | cases.BORROWER | privacy.BORROWER
        door = table[name]
        answer: StepAnswer = await door.run(self.desk, session=await self.session(secret), body=_body(door.body, body), key=self.key())
        return answer

    async def code(self, secret: str, n: int, purpose: str, *, phone: str | None = "own") -> dict[str, str]:
        given = {"phone": self.folk.phone(n) if phone == "own" else phone} if phone else {}
        sent = await self.step(secret, "send_code", purpose=purpose, **given)
        otp_id = sent.show["otp_id"]
        return {"otp_id": otp_id, "code": self.town.world.parts["checks"].otp.code(otp_id)}

    async def log_in(self, secret: str, n: int, **more: str) -> StepAnswer:
        """Log in by a code, and by the end of one's own id number where it is asked for."""
        given = {"phone": self.folk.phone(n), **(await self.code(secret, n, "login")), **more}
        told = await self.step(secret, "login", **given)
        return await self.step(secret, "login", **given, id_tail=self.tail(n)) if told.show.get("more") == "id_tail" else told

    def tail(self, n: int) -> str:
        return str(self.folk.identity(f"n{n}").id_number[-4:])

    async def picture(self, secret: str, picture: Picture) -> str:
        taken = await onboard.take_file(self.desk, session=await self.session(secret), data=draw(picture), key=self.key())
        return taken["file_ref"]

    async def consent(self, secret: str, n: int, *items: str, purpose: str = "identity") -> list[dict[str, str]]:
        told = await self.step(secret, "consent", items=list(items), purpose=purpose, until=UNTIL)
        given: list[dict[str, str]] = told.show["consents"]
        for one in given:
            watch = self.town.world.parts["breaches"]
            watch.consent_given(person=f"n{n}", consent_id=one["consent_id"], items=[one["item"]], purpose=purpose, until=UNTIL)
        return given

    async def claim(self, secret: str, n: int, *, face: int | None = None, variant: str = "genuine", place: str = "") -> dict[str, Any]:
        him = self.folk.identity(f"n{n}")
        return {
            "person": onboard.PersonBody(him.name, him.id_number),
            "front_ref": await self.picture(secret, Picture("id_front", him.card_number_face)),
            "back_ref": await self.picture(secret, Picture("id_back", him.card_number_face)),
            "selfie_ref": await self.picture(secret, Picture("face", him.face if face is None else face, variant)),  # type: ignore[arg-type]
            "living_place_code": place or him.home_place_code,
        }

    async def identify(self, secret: str, n: int) -> StepAnswer:
        await self.consent(secret, n, "identity", "face", "financial_account")
        return await self.step(secret, "identity", **await self.claim(secret, n))

    async def bind(self, secret: str, n: int, card: str = "") -> StepAnswer:
        phone = self.folk.phone(n)
        code = await self.code(secret, n, "bind")
        return await self.step(secret, "bind", card_number=card or self.folk.card_number(n), phone=phone, **code)

    async def settle(self, n: int) -> str:
        """Bring a resident all the way; give his secret."""
        secret = await self.visit(n)
        await self.log_in(secret, n)
        await self.identify(secret, n)
        await self.bind(secret, n)
        return secret

    async def who(self, secret: str) -> str:
        found = (await self.session(secret)).customer_id
        assert found is not None
        return found

    def pass_time(self, **span: float) -> None:
        self.desk.clock.step_to(self.desk.clock.now() + timedelta(**span))
        self.town.world.clock.move_to(self.desk.clock.now())


def _body(kind: Any, given: dict[str, Any]) -> Any:
    return kind(**given)


@pytest.fixture
async def stage(desk: Desk) -> AsyncIterator[Stage]:
    clock = TownClock.begin(ClockMode.STEPPED, desk.clock.now())
    town = open_town(Config(people=12, platform="http://127.0.0.1:1"), clock, INSTALLS)
    town.world.keys.know(PublicKey.read("lender-1", "lender", "ed25519", desk.key.public_der))
    port = await town.start()
    base = f"http://127.0.0.1:{port}"
    desk.config = replace(desk.config, service_urls=dict.fromkeys(("checks", "rail", "entry", "funder", "shop"), base))
    await learn_keys(desk.session, desk.keyring, base)
    try:
        yield Stage(desk, town)
    finally:
        await town.stop()


async def standing(stage: Stage, customer_id: str) -> customers.PersonStanding:
    async with stage.desk.work() as work:
        return await customers.standing(work, customer_id)


# --- becoming known -----------------------------------------------------------------------------------------------------------------------


async def test_a_newcomer_is_known_and_bound_in_four_steps(stage: Stage):
    secret = await stage.visit(1)
    told = await stage.log_in(secret, 1)
    assert (told.state, told.show["known"], told.next) == (State.NEW, False, ("consent",))
    told = await stage.identify(secret, 1)
    assert (told.state, told.show["level"], told.next) == (State.IDENTIFIED, "basic", ("bind",))
    told = await stage.bind(secret, 1)
    assert told.next == ("apply",)
    assert told.show["tail"] == stage.folk.card_number(1)[-4:]
    him = await standing(stage, await stage.who(secret))
    assert (him.level, him.has_card, him.may_draw) == (customers.Level.VERIFIED, True, True)
    assert stage.breaches == []


async def test_nothing_of_a_person_lies_in_clear(stage: Stage):
    """Every text and byte of every table, searched for name, id number, phone and card."""
    secret = await stage.settle(1)
    him = stage.folk.identity("n1")
    await stage.step(secret, "complain", text="电话打不通")
    needles = [him.name, him.id_number, stage.folk.phone(1), stage.folk.card_number(1), him.id_number[-4:]]
    async with stage.desk.work() as work:
        tables = await work.connection.fetch(
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' and "
            "table_schema not in ('pg_catalog', 'information_schema')"
        )
        for table in tables:
            rows = await work.connection.fetch(f'select t::text as row from "{table["table_schema"]}"."{table["table_name"]}" t')
            text = "\n".join(row["row"] for row in rows)
            for needle in needles[:4]:
                assert needle not in text, table
                assert needle.encode().hex() not in text, table


async def test_the_same_identity_sent_again_asks_nothing_new(stage: Stage):
    secret = await stage.visit(1)
    await stage.log_in(secret, 1)
    await stage.consent(secret, 1, "identity", "face")
    claim = await stage.claim(secret, 1)
    await stage.step(secret, "identity", **claim)
    await stage.step(secret, "identity", **claim)
    async with stage.desk.work() as work:
        assert await work.connection.fetchval("select count(*) from customers.checks") == 3


async def test_without_consent_nothing_is_asked(stage: Stage):
    secret = await stage.visit(1)
    await stage.log_in(secret, 1)
    await stage.consent(secret, 1, "identity")
    with pytest.raises(customers.NoConsent):
        await stage.step(secret, "identity", **await stage.claim(secret, 1))
    async with stage.desk.work() as work:
        assert await work.connection.fetchval("select count(*) from customers.checks") == 0
    assert stage.breaches == []


async def test_a_withdrawn_consent_stops_the_next_use(stage: Stage):
    secret = await stage.visit(1)
    await stage.log_in(secret, 1)
    given = await stage.consent(secret, 1, "identity", "face")
    face = next(one["consent_id"] for one in given if one["item"] == "face")
    told = await stage.step(secret, "withdraw_consent", consent_id=face)
    assert any("反洗钱" in line for line in told.show["kept"])
    with pytest.raises(customers.NoConsent):
        await stage.step(secret, "identity", **await stage.claim(secret, 1))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"face": 4242}, customers.FaceDoesNotFit),
        ({"variant": "screen"}, customers.FaceDoesNotFit),
    ],
)
async def test_another_face_is_not_let_through(stage: Stage, change: dict[str, Any], refusal: type[Refusal]):
    secret = await stage.visit(1)
    await stage.log_in(secret, 1)
    await stage.consent(secret, 1, "identity", "face")
    with pytest.raises(refusal):
        await stage.step(secret, "identity", **await stage.claim(secret, 1, **change))
    assert (await standing(stage, await stage.who(secret))).level is customers.Level.NONE


async def test_another_persons_card_of_identity_does_not_fit(stage: Stage):
    secret = await stage.visit(1)
    await stage.log_in(secret, 1)
    await stage.consent(secret, 1, "identity", "face")
    claim = await stage.claim(secret, 1)
    claim["front_ref"] = await stage.picture(secret, Picture("id_front", stage.folk.identity("n2").card_number_face))
    with pytest.raises(customers.PapersDoNotFit):
        await stage.step(secret, "identity", **claim)


async def test_a_wrong_check_digit_or_place_is_refused_without_repeating_it(stage: Stage):
    secret = await stage.visit(1)
    await stage.log_in(secret, 1)
    await stage.consent(secret, 1, "identity", "face")
    claim = await stage.claim(secret, 1)
    number = stage.folk.identity("n1").id_number
    wrong = number[:-1] + ("1" if number[-1] == "0" else "0")
    with pytest.raises(BadField) as refusal:
        await stage.step(secret, "identity", **(claim | {"person": onboard.PersonBody(claim["person"].name, wrong)}))
    assert wrong not in refusal.value.text
    with pytest.raises(BadField):
        await stage.step(secret, "identity", **(claim | {"living_place_code": "790000000999"}))


async def test_four_factors_must_belong_together(stage: Stage):
    secret = await stage.visit(1)
    await stage.log_in(secret, 1)
    await stage.identify(secret, 1)
    with pytest.raises(customers.FourFactorDiffers):
        await stage.bind(secret, 1, card=stage.folk.card_number(2))
    assert (await standing(stage, await stage.who(secret))).level is customers.Level.BASIC


async def test_a_wrong_bank_code_binds_nothing_and_the_right_one_does_after(stage: Stage):
    secret = await stage.visit(1)
    await stage.log_in(secret, 1)
    await stage.identify(secret, 1)
    code = await stage.code(secret, 1, "bind")
    wrong = "000000" if code["code"] != "000000" else "111111"
    card = {"card_number": stage.folk.card_number(1), "phone": stage.folk.phone(1)}
    with pytest.raises(customers.CardRefused):
        await stage.step(secret, "bind", **card, otp_id=code["otp_id"], code=wrong)
    told = await stage.step(secret, "bind", **card, **code)
    assert told.next == ("apply",)


# --- one person, many doors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["app", "alipay_window", "wechat_account", "h5"])
async def test_the_same_person_is_the_same_customer_through_every_kind_of_entry(stage: Stage, kind: str):
    first = await stage.settle(1)
    second = await stage.visit(1, kind=kind)
    await stage.log_in(second, 1)
    assert await stage.who(second) == await stage.who(first)
    async with stage.desk.work() as work:
        known = await customers.find_customer(work, await stage.who(first))
        assert known is not None
        assert known.phone == stage.folk.phone(1)


async def test_a_platforms_window_knows_a_linked_person_without_a_second_log_in(stage: Stage):
    first = await stage.settle(1)
    second = await stage.visit(1, kind="alipay_window")
    assert (await stage.session(second)).customer_id is None
    await stage.log_in(second, 1)
    third = await stage.visit(1, kind="alipay_window")
    assert await stage.who(third) == await stage.who(first)
    other_phone = await stage.visit(1, kind="alipay_window", device="dv-strange")
    assert (await stage.session(other_phone)).customer_id is None


async def test_a_known_person_with_a_new_phone_shows_his_face(stage: Stage):
    await stage.settle(1)
    secret = await stage.visit(1, device="dv-new")
    code = await stage.code(secret, 1, "login")
    phone = stage.folk.phone(1)
    told = await stage.step(secret, "login", phone=phone, **code)
    assert told.show == {"known": True, "more": "face"}
    thief = await stage.picture(secret, Picture("face", 777))
    with pytest.raises(customers.FaceDoesNotFit):
        await stage.step(secret, "login", phone=phone, **code, selfie_ref=thief)
    assert (await stage.session(secret)).customer_id is None
    own = await stage.picture(secret, Picture("face", stage.folk.identity("n1").face))
    told = await stage.step(secret, "login", phone=phone, **code, selfie_ref=own)
    assert told.show == {"known": True}
    assert (await standing(stage, await stage.who(secret))).may_draw


async def test_a_shared_phone_asks_whose_it_is(stage: Stage):
    """A couple shares one phone and one number: each is a customer of his own."""
    his = await stage.settle(1)
    phone = stage.folk.phone(1)
    hers = await stage.visit(2, device="dv-1")
    code = await stage.code(hers, 2, "login", phone=phone)
    told = await stage.step(hers, "login", phone=phone, **code, id_tail=stage.folk.identity("n2").id_number[-4:])
    assert told.show == {"known": False}
    await stage.identify(hers, 2)
    assert await stage.who(hers) != await stage.who(his)

    again = await stage.visit(1, device="dv-1")
    code = await stage.code(again, 1, "login", phone=phone)
    assert (await stage.step(again, "login", phone=phone, **code)).show == {"known": True, "more": "id_tail"}
    await stage.step(again, "login", phone=phone, **code, id_tail=stage.folk.identity("n1").id_number[-4:])
    assert await stage.who(again) == await stage.who(his)


async def test_who_holds_a_known_person_s_phone_is_not_let_in_as_him(stage: Stage):
    """His wife has his phone in her hand, and its codes; she sees nothing of his loans, and may come in as herself."""
    his = await stage.settle(1)
    phone = stage.folk.phone(1)
    hers = await stage.visit(2, device="dv-1")
    code = await stage.code(hers, 2, "login", phone=phone)
    assert (await stage.step(hers, "login", phone=phone, **code)).show == {"known": True, "more": "id_tail"}
    assert (await stage.session(hers)).customer_id is None
    assert (await stage.step(hers, "login", phone=phone, **code, id_tail=stage.tail(2))).show == {"known": False}
    assert await stage.who(hers) != await stage.who(his)
    again = await stage.visit(1, device="dv-1")
    assert (await stage.log_in(again, 1)).show == {"known": True}
    assert await stage.who(again) == await stage.who(his)


async def test_a_person_who_comes_by_another_number_becomes_who_he_was(stage: Stage):
    """One person by id number: the newcomer's consents and phone go over, the empty account is closed."""
    first = await stage.settle(1)
    second = await stage.visit(1)
    other = "12099999999"
    code = await stage.code(second, 1, "login", phone=other)
    await stage.step(second, "login", phone=other, **code)
    newcomer = await stage.who(second)
    assert newcomer != await stage.who(first)
    await stage.identify(second, 1)
    assert await stage.who(second) == await stage.who(first)
    async with stage.desk.work() as work:
        known = await customers.find_customer(work, await stage.who(first))
        empty = await customers.find_customer(work, newcomer)
        assert known is not None
        assert empty is not None
        assert (known.phone, empty.phone, empty.merged_into) == (other, None, known.customer_id)


async def test_another_id_number_does_not_take_an_account_over(stage: Stage):
    secret = await stage.settle(1)
    with pytest.raises(customers.AnotherPerson):
        await stage.step(secret, "identity", **await stage.claim(secret, 2))


async def test_a_changed_phone_needs_code_and_face_and_ends_other_visits(stage: Stage):
    old = await stage.settle(1)
    secret = await stage.visit(1)
    await stage.log_in(secret, 1)
    code = await stage.code(secret, 1, "identity", phone="12088888888")
    face = await stage.picture(secret, Picture("face", stage.folk.identity("n1").face))
    await stage.step(secret, "change_phone", phone="12088888888", **code, selfie_ref=face)
    async with stage.desk.work() as work:
        assert await customers.phone_of(work, await stage.who(secret)) == "12088888888"
    with pytest.raises(channels.SessionOver):
        await stage.session(old)


async def test_a_new_card_replaces_the_old_one(stage: Stage):
    secret = await stage.settle(1)
    before = stage.folk.card_number(1)
    from puhui_town.people.papers import card_number

    stage.folk.new_card(1, 5)
    after = card_number(1, 5)
    code = await stage.code(secret, 1, "bind")
    told = await stage.step(secret, "change_card", card_number=after, phone=stage.folk.phone(1), **code)
    assert told.show["tail"] == after[-4:] != before[-4:]
    async with stage.desk.work() as work:
        states = [row["state"] for row in await work.connection.fetch("select state from customers.bindings order by k")]
        assert states == ["replaced", "active"]


# --- visits -------------------------------------------------------------------------------------------------------------------------------


async def test_the_secret_of_a_page_opens_once(stage: Stage):
    secret = await stage.visit(1)
    cookie = await enter.exchange(stage.desk, secret)
    assert (await stage.session(cookie)).session_id == (await stage.session(cookie)).session_id
    with pytest.raises(channels.SecretSpent):
        await stage.session(secret)
    with pytest.raises(channels.SecretSpent):
        await enter.exchange(stage.desk, secret)


async def test_a_visit_idles_for_half_an_hour_and_lasts_twelve(stage: Stage):
    secret = await stage.visit(1)
    for _ in range(24):
        stage.pass_time(minutes=29)
        await stage.session(secret)
    stage.pass_time(minutes=29)
    with pytest.raises(channels.SessionOver):
        await stage.session(secret)
    idle = await stage.visit(1)
    stage.pass_time(minutes=31)
    with pytest.raises(channels.SessionOver):
        await stage.session(idle)


async def test_the_way_out_ends_the_visit(stage: Stage):
    secret = await stage.visit(1)
    await stage.step(secret, "logout")
    with pytest.raises(channels.SessionOver):
        await stage.session(secret)


async def test_a_pass_of_an_embedded_page_opens_one_visit(stage: Stage):
    entry = stage.entry_of("h5")
    theirs = next(one for one in await stage._town_entries() if one.entry_id == entry.entry_id)
    token = stage.town.world.parts["entries"]._token(theirs, sub="s", phone="12000000001", scene="", session_id="se-h5")
    await stage.visit(1, kind="h5", session_id="se-a", token=token)
    await stage.visit(1, kind="h5", session_id="se-a", token=token)
    for session_id, foreign in (("se-b", token), ("se-c", token[:-2] + ("AA" if token[-2:] != "AA" else "BB")), ("se-d", "v1.x.y")):
        with pytest.raises(channels.TokenRefused):
            await stage.visit(1, kind="h5", session_id=session_id, token=foreign)
    stage.pass_time(minutes=6)
    with pytest.raises(channels.TokenRefused):
        await stage.visit(1, kind="h5", session_id="se-e", token=stage_token(stage, theirs, minutes=-6))


def stage_token(stage: Stage, theirs: Any, *, minutes: int) -> str:
    from puhui_town.entries.entry import h5_token

    entries = stage.town.world.parts["entries"]
    now_s = stage.town.world.clock.sign_ms() // 1000 + 60 * minutes
    claims = {"iss": entries.issuer(theirs), "aud": "puhui", "entry_id": theirs.entry_id, "sub": "s", "iat": now_s, "exp": now_s + 300, "jti": "late"}
    return h5_token(stage.town.world.keys.own[entries.issuer(theirs)], claims)


async def test_a_phone_is_not_flooded_with_codes(stage: Stage):
    secret = await stage.visit(1)
    for _ in range(10):
        await stage.code(secret, 1, "login")
    with pytest.raises(enter.TooManyCodes):
        await stage.code(secret, 1, "login")
    stage.pass_time(minutes=11)
    await stage.code(secret, 1, "login")


async def test_a_wrong_code_lets_nobody_in(stage: Stage):
    secret = await stage.visit(1)
    code = await stage.code(secret, 1, "login")
    with pytest.raises(enter.WrongCode):
        await stage.step(secret, "login", phone=stage.folk.phone(1), otp_id=code["otp_id"], code="000000" if code["code"] != "000000" else "111111")
    assert (await stage.session(secret)).customer_id is None


# --- cases, freeze, copy, closing ---------------------------------------------------------------------------------------------------------


async def test_a_complaint_has_its_clock_and_its_answer(stage: Stage):
    secret = await stage.settle(1)
    told = await stage.step(secret, "complain", text="客服电话一直占线")
    assert told.show["due"] == "2026-09-16"
    customer_id = await stage.who(secret)
    async with stage.desk.work(Actor("staff", "st-1")) as work:
        answered = await customers.answer(work, customer_id=customer_id, case_id=told.show["case_id"], outcome="upheld", text="已增加坐席")
    assert (answered.state, answered.text, answered.answered_by) == (customers.CaseState.ANSWERED, "客服电话一直占线", "st-1")


async def test_questions_reach_a_person_each_with_its_own_words(stage: Stage):
    secret = await stage.settle(1)
    asked = [await stage.step(secret, "ask", text=text) for text in ("怎么提前还款", "能换银行卡吗")]
    assert all(told.show["handed_over"] and told.show["due"] == "2026-09-03" and "9月3日" in told.show["text"] for told in asked)
    async with stage.desk.work(Actor("staff", "st-1")) as work:
        waiting = await customers.cases_waiting(work, most=10)
    assert sorted(case.text for case in waiting) == ["怎么提前还款", "能换银行卡吗"]
    with pytest.raises(BadField):
        await stage.step(secret, "ask", text="  ")


async def test_home_names_the_last_day_of_a_consent_as_it_was_given(stage: Stage):
    secret = await stage.settle(1)
    shown = await home.home(stage.desk, await stage.session(secret), {})
    assert {one["until"] for one in shown["consents"]} == {UNTIL.isoformat()}


async def test_a_freeze_acts_at_once_and_is_lifted_by_an_answer(stage: Stage):
    secret = await stage.settle(1)
    other = await stage.visit(1)
    await stage.log_in(other, 1)
    told = await stage.step(secret, "freeze", reason="lost_phone")
    assert told.state is State.FROZEN
    with pytest.raises(channels.SessionOver):
        await stage.session(other)
    with pytest.raises(customers.AccountFrozenNow):
        await stage.bind(secret, 1)
    customer_id = await stage.who(secret)
    async with stage.desk.work(Actor("staff", "st-1")) as work:
        await customers.answer(work, customer_id=customer_id, case_id=told.show["case_id"], outcome="lifted", text="已核实")
        row = next(one for one in work.told if one.kind == "CaseClosed")
        from puhui.foundation.outbox import Stored

        await cases.on_case_closed(work, Stored(1, row.kind, row.customer_id, row.at, {"kind": "freeze", "outcome": "lifted"}))
    assert not (await standing(stage, customer_id)).is_frozen


async def test_ones_own_copy_is_given_once_to_oneself(stage: Stage):
    secret = await stage.settle(1)
    customer_id = await stage.who(secret)
    code = await stage.code(secret, 1, "unmask", phone=None)
    told = await stage.step(secret, "export", **code)
    async with stage.desk.work() as work:
        assert await customers.take_copy(work, "cu-000-nobody", told.show["sha256"]) is None
        copy = await customers.take_copy(work, customer_id, told.show["sha256"])
        assert copy is not None
        assert await customers.take_copy(work, customer_id, told.show["sha256"]) is None
    assert sha256(copy).hexdigest() == told.show["sha256"]
    assert stage.folk.identity("n1").id_number in copy.decode()


async def test_who_never_borrowed_is_erased_when_he_closes_his_account(stage: Stage):
    secret = await stage.settle(1)
    customer_id = await stage.who(secret)
    told = await stage.step(secret, "close_account")
    assert told.show == {"state": "closed"}
    async with stage.desk.work() as work:
        kept = await privacy.erase_person(work, customer_id)
    assert kept["customers"] == "erased"
    async with stage.desk.work() as work:
        assert await customers.phone_of(work, customer_id) is None
        with pytest.raises(customers.NotIdentified):
            await customers.identity(work, customer_id)
        assert await work.connection.fetchval("select count(*) from customers.files where owner = $1 and sealed is not null", customer_id) == 0


async def test_faces_are_gone_a_day_after_their_check(stage: Stage):
    secret = await stage.settle(1)
    async with stage.desk.work() as work:
        assert await customers.tidy(work) == 0
    stage.pass_time(hours=24, minutes=1)
    async with stage.desk.work() as work:
        assert await customers.tidy(work) == 3
    del secret


# --- histories ----------------------------------------------------------------------------------------------------------------------------


async def test_a_history_is_fetched_under_a_permit_and_read_as_of_an_instant(stage: Stage):
    secret = await stage.settle(1)
    customer_id = await stage.who(secret)
    await stage.consent(secret, 1, "telco", "wallet", purpose="loan")
    at = stage.desk.clock.now()
    service = enter.checks_of(stage.desk)
    permits = []
    for item in ("telco", "wallet"):
        async with stage.desk.work() as work:
            permit = await customers.permit(work, customer_id=customer_id, item=item, purpose="loan")
            asked = await histories.ask_fetch(work, permit=permit, parent="ap-1")
            assert (await histories.ask_fetch(work, permit=permit, parent="ap-1")).fetch_id == asked.fetch_id
            person = await customers.identity(work, customer_id)
        records = await histories.fetch(service, permit, asked, person=person.wire())
        async with stage.desk.work() as work:
            await histories.note_fetch(work, asked, records)
            await histories.note_fetch(work, asked, records)
        permits.append(permit)
    async with stage.desk.work() as work:
        known = await histories.history(work, customer_id=customer_id, permits=permits, as_of=at)
        only_telco = await histories.history(work, customer_id=customer_id, permits=permits[:1], as_of=at)
        again = await histories.history(work, customer_id=customer_id, permits=permits, as_of=at, upto=known.upto)
    assert set(known.states) == {"telco", "wallet"}
    assert known.events("telco"), "the source told something"
    assert set(only_telco.pages) == {"telco"}
    assert (again.sha256, again.pages) == (known.sha256, known.pages)
    assert all(datetime.fromisoformat(row["known_at"]) < at for row in known.events("wallet"))
    assert stage.breaches == []


async def test_a_stale_permit_asks_nothing(stage: Stage):
    secret = await stage.settle(1)
    customer_id = await stage.who(secret)
    await stage.consent(secret, 1, "telco", purpose="loan")
    async with stage.desk.work() as work:
        permit = await customers.permit(work, customer_id=customer_id, item="telco", purpose="loan")
        asked = await histories.ask_fetch(work, permit=permit, parent="ap-1")
    stage.pass_time(minutes=2)
    with pytest.raises(Refusal) as refusal:
        await histories.fetch(enter.checks_of(stage.desk), permit, asked, person={})
    assert refusal.value.code == "permits.stale"


# --- telling partners -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def embedded(stage: Stage) -> tuple[Stage, str, channels.Embedded]:
    """A person who came by a partner's page and has applied there; partners are registered."""
    from puhui.rooms import partners

    secret = await stage.visit(1, kind="h5")
    await stage.log_in(secret, 1)
    customer_id = await stage.who(secret)
    async with stage.desk.work() as work:
        await partners.seed_development(work, stage.desk.config.service_urls)
        session_id = (await stage.session(secret)).session_id
        of = await channels.embed(work, customer_id=customer_id, application_id="ap-1a3-one", session_id=session_id)
        assert of is not None
    return stage, secret, of


async def happen(stage: Stage, kind: str, customer_id: str, **facts: str) -> None:
    from puhui.foundation.outbox import Stored

    async with stage.desk.work() as work:
        for reaction in tell_partner.REACTIONS[kind]:
            await reaction(work, Stored(1, kind, customer_id, work.at, facts))


async def heard(stage: Stage, of: channels.Embedded) -> list[str]:
    """Run what is due, and give what the partner has heard of the application."""
    from puhui.foundation.runner import run_due

    stage.desk.wiring = replace(stage.desk.wiring, steps=tell_partner.STEPS)
    await run_due(stage.desk, stage.desk.clock.now())
    received: dict[str, list[str]] = stage.town.world.parts["entries"].received()
    return received.get(f"{of.partner_id}|{of.application_id}", [])


async def allow_partner(stage: Stage, secret: str, of: channels.Embedded, item: str = "partner_events") -> None:
    await stage.step(secret, "consent", items=[item], purpose="partner", recipient=of.partner_id, until=UNTIL)


async def test_a_partner_hears_of_its_applications_in_order(embedded):
    stage, secret, of = embedded
    await allow_partner(stage, secret, of)
    for kind, facts in (
        ("ApplicationDecided", {"outcome": "offer"}),
        ("ContractSigned", {"loan_id": "ln-1a3-one"}),
        ("LoanDisbursed", {"loan_id": "ln-1a3-one"}),
        ("RepaymentPosted", {"loan_id": "ln-1a3-one"}),
        ("LoanSettled", {"loan_id": "ln-1a3-one"}),
    ):
        await happen(stage, kind, of.customer_id, application_id=of.application_id, **facts)
    assert await heard(stage, of) == ["approved", "signed", "paid", "repaid", "closed"]


async def test_a_partner_hears_nothing_that_the_consent_does_not_name(embedded):
    stage, secret, of = embedded
    await happen(stage, "ApplicationDecided", of.customer_id, application_id=of.application_id, outcome="offer")
    await allow_partner(stage, secret, of)
    await happen(stage, "ApplicationDecided", of.customer_id, application_id=of.application_id, outcome="declined")
    assert await heard(stage, of) == []
    await allow_partner(stage, secret, of, "partner_declined")
    await happen(stage, "ApplicationDecided", of.customer_id, application_id=of.application_id, outcome="declined")
    assert await heard(stage, of) == ["declined"]


async def test_a_withdrawn_consent_stops_what_waits(embedded):
    stage, secret, of = embedded
    told = await stage.step(secret, "consent", items=["partner_events"], purpose="partner", recipient=of.partner_id, until=UNTIL)
    await happen(stage, "ApplicationDecided", of.customer_id, application_id=of.application_id, outcome="offer")
    await stage.step(secret, "withdraw_consent", consent_id=told.show["consents"][0]["consent_id"])
    assert await heard(stage, of) == []
    async with stage.desk.work() as work:
        assert await work.connection.fetchval("select state from channels.told") == "dropped"


async def test_a_partner_that_is_away_for_a_day_is_told_by_hand(embedded):
    stage, secret, of = embedded
    await allow_partner(stage, secret, of)
    await happen(stage, "ApplicationDecided", of.customer_id, application_id=of.application_id, outcome="offer")
    stage.town.world.faults.set(RuleBook(3, [Rule("away", "partner.*", "down", 1_000_000)]))
    for _ in range(40):
        assert await heard(stage, of) == []
        stage.pass_time(hours=1)
    operations = Member("st-1", "ops", frozenset({Role.OPERATIONS}))
    parked = await office.parked_events(stage.desk, operations)
    assert [event["kind"] for event in parked] == ["approved"]
    stage.town.world.faults.clear()
    await office.send_event_again(stage.desk, operations, parked[0]["event_id"])
    assert await heard(stage, of) == ["approved"]
