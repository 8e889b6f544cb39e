"""Residents who act: they walk the lender's pages to the money, whatever the line does, and keep or move away what they owe."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import puhui_town.breaches
import puhui_town.checks
import puhui_town.entries
import puhui_town.people
import puhui_town.rail
import puhui_town.shops
from puhui_town.checks.population import Sms
from puhui_town.people.bench import Watch
from puhui_town.people.needs import CHINA
from puhui_town.people.townsfolk import Townsfolk
from puhui_town.people.walk import Walk
from puhui_town.wire import Clock, ClockMode, Config, PrivateKey, Town, open_town
from puhui_town.wire.server import Request, Response, Server
from puhui_town.wire.signing import sign_reply, sign_request

START = datetime(2026, 9, 1, 6, 0, tzinfo=CHINA)
LENDER = PrivateKey("lender-1", "lender", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
Body = dict[str, Any]


@dataclass
class Lender:
    """A lender that says yes to everybody, by the contract; `breaks` says which requests the line swallows."""

    town: Town | None = None
    server: Server | None = None
    sessions: dict[str, Body] = field(default_factory=dict)
    steps: list[tuple[str, str, Body]] = field(default_factory=list)
    answers: dict[str, Response] = field(default_factory=dict)
    breaks: Callable[[str, int], bool] = lambda _name, _times: False
    more: str = ""
    pays: bool = False
    reading_s: int = 10
    files: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def take(self, request: Request) -> Response:
        assert self.town is not None
        path = request.target.split("?")[0]
        key = request.headers.get("idempotency-key", "")
        if path.startswith(("/entry/", "/partner/", "/keys")):
            return self.signed(request, path, key)
        name = path.rsplit("/", 1)[-1]
        self.seen[key or name] = self.seen.get(key or name, 0) + 1
        if self.breaks(name, self.seen[key or name]):
            return Response(is_cut=True)
        if key in self.answers:
            return self.answers[key]
        session = self.sessions[request.headers["puhui-session"]]
        told = self.borrower(session, path, name, request.body)
        response = Response(told.pop("status", 200), msgspec.json.encode(told), [("Content-Type", "application/json")])
        if key:
            self.answers[key] = response
        return response

    def signed(self, request: Request, path: str, key: str) -> Response:
        assert self.town is not None
        told: Body = {"code": "not-found", "text": "", "retry": "never"}
        status = 404
        if path == "/keys":
            from base64 import b64encode

            public = LENDER.public()
            told, status = {"keys": [{"key_id": "lender-1", "owner": "lender", "alg": "ed25519", "public_key": b64encode(public.der).decode()}]}, 200
        elif path == "/entry/v1/entries":
            kinds = ("app", "alipay_window", "wechat_account", "h5")
            told, status = {"entries": [{"entry_id": f"e{n + 1:02d}", "kind": kinds[n % 4], "owner": "asset-1", "state": "live"} for n in range(53)]}, 200
        elif path == "/entry/v1/sessions":
            body = msgspec.json.decode(request.body)
            secret = f"secret-{body['session_id']}"
            self.sessions.setdefault(secret, {"state": "new", **body})
            told, status = {"page_url": f"http://127.0.0.1/borrower/s/{secret}", "expires_at": START.isoformat()}, 200
        raw = msgspec.json.encode(told)
        time_ms = self.town.world.clock.sign_ms()
        nonce = request.headers.get("puhui-nonce", "0" * 32)
        return Response(status, raw, sign_reply(LENDER, status=status, nonce=nonce, body=raw, idempotency_key=key, time_ms=time_ms))

    def borrower(self, session: Body, path: str, name: str, raw: bytes) -> Body:
        if path == "/borrower/v1/home":
            if session["kind"] != "app" and "phone" not in session:
                return {"status": 401, "code": "borrower.log-in-first", "text": "", "retry": "never"}
            return {"state": session["state"], "next": session.get("next", []), "show": session.get("show", {}), "offers": [OFFER]}
        if path == "/borrower/v1/files":
            self.files += 1
            return {"file_ref": f"file-{self.files}", "sha256": "00"}
        body = msgspec.json.decode(raw) if raw else {}
        self.steps.append((name, session["session_id"], body))
        unknown = {"status": 404, "code": "not-found", "text": "", "retry": "never"}
        return getattr(self, f"do_{name}", lambda _session, _body: unknown)(session, body)

    def go(self, session: Body, state: str, following: list[str], **show: Any) -> Body:
        session |= {"state": state, "next": following, "show": show}
        return {"state": state, "next": following, "show": show}

    def do_send_code(self, session: Body, body: Body) -> Body:
        assert self.town is not None
        otp_id = f"otp-{len(self.steps)}"
        people: Townsfolk = self.town.world.parts["people"]
        people.read_sms(Sms(otp_id, body["phone"], "otp", {"code": "123456"}, "【模拟】验证码 123456", "otp", "checks-1", START, otp_id))
        return {"state": session["state"], "next": [], "show": {"otp_id": otp_id}}

    def do_login(self, session: Body, body: Body) -> Body:
        if self.more and not body.get({"id_tail": "id_tail", "face": "selfie_ref"}[self.more]):
            return {"state": "new", "next": ["login"], "show": {"known": True, "more": self.more}}
        session["phone"] = body["phone"]
        return self.go(session, "new", ["consent"], known=False)

    def do_consent(self, session: Body, body: Body) -> Body:
        given = [{"consent_id": f"co-{session['session_id'][-8:]}-{item}", "item": item} for item in body["items"]]
        return self.go(session, "consented", ["identity"], consents=given)

    def do_identity(self, session: Body, _body: Body) -> Body:
        return self.go(session, "identified", ["bind"], level="verified")

    def do_bind(self, session: Body, _body: Body) -> Body:
        return self.go(session, "identified", ["apply"], tail="0017")

    def do_apply(self, session: Body, _body: Body) -> Body:
        return self.go(session, "offered", ["quote"], application_id="ap-1", outcome="offer", offers=[OFFER])

    def do_quote(self, session: Body, _body: Body) -> Body:
        return {"state": session["state"], "next": [], "show": {"all_in_ppm": 90_000, "per_month_fen": 1, "total_fen": 1, "simple_ppm": 1}}

    def do_accept(self, session: Body, _body: Body) -> Body:
        return self.go(session, "accepted", ["read_cost"], table_sha256="ab" * 32, reading_time_s=self.reading_s)

    def do_read_cost(self, session: Body, _body: Body) -> Body:
        return self.go(session, "reading", ["confirm_cost"], table_sha256="ab" * 32, reading_time_s=self.reading_s)

    def do_confirm_cost(self, session: Body, _body: Body) -> Body:
        return self.go(session, "confirmed", ["sign"], contract_sha256="cd" * 32)

    def do_sign(self, session: Body, _body: Body) -> Body:
        if self.pays:
            assert self.town is not None
            people: Townsfolk = self.town.world.parts["people"]
            person = people.users_of(session["phone"], START)[0]
            people.moved(person=person, card_number=people.card_number(int(person[1:])), fen=300_000, loan_id="ln-1", order_id="po-1")
        return self.go(session, "paying", [], loan_id="ln-1")

    def do_cancel(self, session: Body, _body: Body) -> Body:
        return self.go(session, "cancelled", [])


OFFER = {
    "offer_id": "of-1", "method": "level_payment", "amount_min_fen": 50_000, "amount_max_fen": 2_000_000, "step_fen": 10_000,
    "months": [3, 6, 9, 12], "rate_ppm": 90_000, "all_in_max_ppm": 94_000, "expires_at": START.isoformat(),
}  # fmt: skip


@pytest.fixture
async def lender() -> AsyncIterator[Lender]:
    lender = Lender()
    lender.server = Server(lender.take, lambda _method, _path: 8_000_000, lambda: None)
    port = await lender.server.listen("127.0.0.1", 0)
    installs = [module.install for module in (
        puhui_town.breaches, puhui_town.people, puhui_town.checks, puhui_town.rail, puhui_town.entries, puhui_town.shops)]  # fmt: skip
    config = Config(platform=f"http://127.0.0.1:{port}", people=40)
    lender.town = open_town(config, Clock.begin(ClockMode.STEPPED, START), installs)
    await lender.town.start()
    yield lender
    await lender.town.stop()
    await lender.server.close()


async def run_days(lender: Lender, days: int) -> None:
    assert lender.town is not None
    world = lender.town.world
    await world.scheduler.run_to(world.clock.now() + timedelta(days=days))


def ended(lender: Lender) -> list[Body]:
    assert lender.town is not None
    return [row for _, row in sorted(lender.town.world.parts["residents"].ended.items()) if row["errand"] == "borrow"]


async def test_a_need_is_walked_to_the_signature(lender: Lender) -> None:
    await run_days(lender, 30)
    assert any(row["why"] == "signed" for row in ended(lender))
    first = lender.steps[0][1]
    walked = [name for name, session, _ in lender.steps if session == first]
    wanted = ["login", "consent", "identity", "bind", "apply", "quote", "accept", "read_cost", "confirm_cost", "sign"]
    assert [name for name in dict.fromkeys(walked) if name in wanted] == wanted


async def test_a_line_that_breaks_is_tried_again_under_the_same_key_and_nothing_is_done_twice(lender: Lender) -> None:
    lender.breaks = lambda _name, times: times == 1
    await run_days(lender, 20)
    assert any(row["why"] == "signed" for row in ended(lender))
    applied = [session for name, session, _ in lender.steps if name == "apply"]
    assert len(applied) == len(set(applied))


async def test_the_same_seed_makes_the_same_run(lender: Lender) -> None:
    await run_days(lender, 15)
    once = [(name, session, msgspec.json.encode(body)) for name, session, body in lender.steps]
    other = Lender()
    other.server = Server(other.take, lambda _method, _path: 8_000_000, lambda: None)
    port = await other.server.listen("127.0.0.1", 0)
    installs = [m.install for m in (
        puhui_town.breaches, puhui_town.people, puhui_town.checks, puhui_town.rail, puhui_town.entries, puhui_town.shops)]  # fmt: skip
    other.town = open_town(Config(platform=f"http://127.0.0.1:{port}", people=40), Clock.begin(ClockMode.STEPPED, START), installs)
    await other.town.start()
    await run_days(other, 15)
    again = [(name, session, msgspec.json.encode(body)) for name, session, body in other.steps]
    await other.town.stop()
    await other.server.close()
    assert sorted(once) == sorted(again)


@pytest.mark.parametrize("more", ["id_tail", "face"])
async def test_a_login_that_wants_more_gets_it_with_the_same_code(lender: Lender, more: str) -> None:
    lender.more = more
    await run_days(lender, 20)
    assert any(row["why"] == "signed" for row in ended(lender))


async def test_a_lender_that_only_fails_never_stops_the_town(lender: Lender) -> None:
    def fail(_session: Body, _body: Body) -> Body:
        return {"status": 429, "code": "busy", "text": "", "retry": "later"}

    lender.do_apply = fail  # type: ignore[method-assign]
    await run_days(lender, 60)
    assert {row["why"] for row in ended(lender)} == {"busy"}


async def test_a_windows_visitor_logs_in_when_the_lender_asks(lender: Lender) -> None:
    await run_days(lender, 40)
    kinds = {lender.sessions[secret]["kind"] for secret in lender.sessions}
    assert kinds == {"app", "alipay_window", "wechat_account", "h5"}
    assert all("code" in s or s["kind"] in {"app", "h5"} for s in lender.sessions.values())


async def test_a_bench_sends_fresh_people_through_and_tells_what_they_saw() -> None:
    lender = Lender(pays=True, reading_s=0)
    lender.server = Server(lender.take, lambda _method, _path: 8_000_000, lambda: None)
    port = await lender.server.listen("127.0.0.1", 0)
    installs = [m.install for m in (
        puhui_town.breaches, puhui_town.people, puhui_town.checks, puhui_town.rail, puhui_town.entries, puhui_town.shops)]  # fmt: skip
    lender.town = open_town(Config(platform=f"http://127.0.0.1:{port}", people=0), Clock.begin(ClockMode.LIVE, START), installs)
    await lender.town.start()
    driver = PrivateKey("driver-1", "driver", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
    lender.town.world.keys.know(driver.public())
    raw = msgspec.json.encode({"per_s": 6, "seconds": 1, "warmup_s": 0})
    signed = sign_request(
        driver, method="POST", path="/town/bench", body=raw, idempotency_key="", time_ms=lender.town.world.clock.sign_ms(), nonce="1" * 32
    )  # fmt: skip
    answer = lender.town.gate.take(Request("POST", "/town/bench", {name.lower(): value for name, value in signed}, raw))
    response = answer if isinstance(answer, Response) else await answer
    told = msgspec.json.decode(response.body)
    await lender.town.stop()
    await lender.server.close()
    assert (told["arrived"], told["loans_all"], told["errors"], told["unfinished"]) == (6, 6, 0, 0)
    assert told["ends"] == {"signed": 6}
    assert told["tap_to_answer_ms"]["n"] + told["sign_to_money_ms"]["n"] >= 0
    assert lender.town.world.parts["people"].count >= 6


async def test_a_bench_wants_the_live_clock(lender: Lender) -> None:
    assert lender.town is not None
    driver = PrivateKey("driver-1", "driver", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
    lender.town.world.keys.know(driver.public())
    raw = msgspec.json.encode({"per_s": 6, "seconds": 1})
    signed = sign_request(
        driver, method="POST", path="/town/bench", body=raw, idempotency_key="", time_ms=lender.town.world.clock.sign_ms(), nonce="1" * 32
    )  # fmt: skip
    answer = lender.town.gate.take(Request("POST", "/town/bench", {name.lower(): value for name, value in signed}, raw))
    response = answer if isinstance(answer, Response) else await answer
    assert (response.status, msgspec.json.decode(response.body)["code"]) == (409, "wrong-state")


async def test_money_lies_there_when_he_means_to_pay_and_is_gone_when_not(lender: Lender) -> None:
    assert lender.town is not None
    world = lender.town.world
    people: Townsfolk = world.parts["people"]
    kept = []
    for n in range(40):
        card = people.card_number(n)
        people.moved(person=f"n{n}", card_number=card, fen=300_000, loan_id="ln-1", order_id="po-1")
        people.before_collect(person=f"n{n}", card_number=card, amount_fen=30_000, loan_id="ln-1", order_id="po-2")
        kept.append(people.books.card_balance(card))
    assert sum(balance >= 30_000 for balance in kept) > 20
    assert any(balance == 0 for balance in kept)


async def test_what_he_pays_of_his_own_will_lies_there(lender: Lender) -> None:
    assert lender.town is not None
    people: Townsfolk = lender.town.world.parts["people"]
    card = people.card_number(3)
    people.means_to_pay(3, "ln-1", 123_456)
    people.before_collect(person="n3", card_number=card, amount_fen=123_456, loan_id="ln-1", order_id="po-2")
    assert people.books.card_balance(card) >= 123_456
    assert not people.mind(3).is_late


def test_a_walk_survives_the_store() -> None:
    walk = Walk(n=3, errand="borrow", k=68, dice=[0.1], facts={"offers": [OFFER]})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(walk), type=Walk) == walk


def test_whoever_finds_his_money_there_before_the_answer_to_his_signature_is_done_when_it_is_paid():
    watch = Watch(Clock.begin(ClockMode.STEPPED, START))
    watch.open = {7}
    watch.sign(7)
    watch.end(7, "active")
    assert watch.open == {7}, "an end without the money is not the end"
    watch.money(7)
    assert watch.open == set()
