"""A tap, all sources asked at once, one answer: or waiting, until the last of them has spoken."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiohttp import web

from puhui.engines.variables.origination import bare
from puhui.foundation import desk as desks
from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.config import Config
from puhui.foundation.desk import Desk, Wiring, open_desk, set_switch
from puhui.foundation.keyfiles import load_private
from puhui.foundation.refusals import BadField
from puhui.foundation.runner import drain
from puhui.foundation.signing import PrivateKey, sign_reply
from puhui.journeys import apply, explain, feed, home
from puhui.journeys.look_again import look_again, look_again_page
from puhui.rooms import customers, decisions, histories
from puhui.rooms.customers import AccountFrozenNow, Card, FreezeReason, NoConsent, Papers, Screening, Verdict
from puhui.vocabulary.steps import Session, State

MORNING = datetime.fromisoformat("2026-09-01T09:00:00+08:00")
SOURCES = ["telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device"]
WAGES = [
    {"event_id": n, "at": f"2026-{n:02d}-10T09:00:00.000+08:00", "known_at": f"2026-{n:02d}-11T09:00:00.000+08:00", "kind": "wage",
     "data": {"amount_fen": 900_000, "balance_fen": 2_000_000}}
    for n in range(1, 9)
]  # fmt: skip
ADULT, MINOR = "790101199003070018", "790101201003070018"


@dataclass
class Outside:
    """Checks and bureau, as far as an application asks them: signed answers, silence where told to be silent."""

    keys: dict[str, PrivateKey]
    asked: list[str] = field(default_factory=list)
    silent: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    report: dict[str, Any] | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/checks/v1/records", self.records)
        app.router.add_post("/bureau/v1/queries", self.queries)
        return app

    async def records(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body["source"])
        self.bodies.append(body)
        if self.is_silent(body["source"]):
            return web.Response(status=500)
        if body["source"] in self.refused:
            return self.signed(request, "checks", 403, {"code": "no-consent", "text": "", "retry": "never"})
        if body["source"] == "bank_flow":
            return self.signed(request, "checks", 200, {"simulated": True, "complete": True, "events": WAGES})
        return self.signed(request, "checks", 422, {"code": "checks.no-record", "text": "", "retry": "never"})

    async def queries(self, request: web.Request) -> web.Response:
        self.asked.append("bureau")
        if self.is_silent("bureau"):
            return web.Response(status=500)
        return self.signed(request, "bureau", 200, {"found": True, "report": self.report} if self.report else {"found": False})

    def is_silent(self, what: str) -> bool:
        left = self.silent.get(what, 0)
        self.silent[what] = max(left - 1, 0)
        return left > 0

    def signed(self, request: web.Request, owner: str, status: int, body: dict[str, Any]) -> web.Response:
        data = msgspec.json.encode(body)
        headers = sign_reply(
            self.keys[owner], status=status, nonce=request.headers["Puhui-Nonce"], body=data, idempotency_key=request.headers["Idempotency-Key"],
            time_ms=int(request.headers["Puhui-Time"]),
        )  # fmt: skip
        return web.Response(status=status, body=data, headers=headers | {"Content-Type": "application/json"})


@pytest.fixture
async def outside(tmp_path) -> AsyncIterator[tuple[Outside, str]]:
    made = Outside({owner: load_private(tmp_path / f"{owner}.pem", f"{owner}-1", make=True) for owner in ("checks", "bureau")})
    runner = web.AppRunner(made.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    yield made, f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture
async def house(database_url, tmp_path, outside) -> AsyncIterator[Desk]:
    world, url = outside
    config = Config(home=tmp_path, database_url=database_url, clock=ClockMode.STEPPED, pool_size=8, service_urls={"checks": url, "bureau": url})
    opened = await open_desk(config, Wiring(apply.STEPS, {**apply.REACTIONS, **feed.REACTIONS}, tails=(feed.follow,)), owner="test", clock=Clock(ClockMode.STEPPED, MORNING))
    for owner, key in world.keys.items():
        opened.keyring.add(key.published(owner))
    async with opened.work() as work:
        await decisions.seed_development(work)
    yield opened
    await opened.close()


async def person(house: Desk, n: int = 1, *, number: str = ADULT, items: list[str] | None = None) -> Session:
    """Bring somebody in: registered, consenting, identified, with a card."""
    session = Session(f"se-{n:03d}", f"e{n:02d}", f"dev-{n}", None)
    async with house.work() as work:
        who = await customers.register(work, session_id=session.session_id, entry_id=session.entry_id, phone=f"1200000{n:04d}")
        wanted = ["identity", "face", "financial_account"]
        await customers.consent(work, customer_id=who, session_id=session.session_id, wanted=wanted, purpose="identity", recipient="", until=date(2027, 9, 1))
        for item in ["bureau", *SOURCES] if items is None else items:
            await customers.consent(work, customer_id=who, session_id=session.session_id, wanted=[item], purpose="loan", recipient="", until=date(2027, 9, 1))
        papers = Papers("ck-1", "ck-2", date(2036, 1, 1), "office", "790101", "790101001001", 990_000, 990_000, is_simulated=True)
        screening = Screening("ck-3", work.at, "v1", Verdict.CLEAR, (), date(2027, 9, 1), is_simulated=True)
        papers_of = customers.id_number(number, today=work.today)
        await customers.identify(
            work, customer_id=who, device_id=session.device_id, name="李雷", number=papers_of, papers=papers, screening=screening,
            place="790101001001", place_kind="village",
        )  # fmt: skip
        binding = await customers.ask_binding(work, customer_id=who, digest=b"d", card="0000010000000017", phone=f"1200000{n:04d}")
        await customers.note_four_factor(work, customer_id=who, match=dict.fromkeys(("name", "id", "card", "phone"), True))
        await customers.bind(work, customer_id=who, card=Card(binding.binding_id, "acct-1", "bank", "0017"))
    return Session(session.session_id, session.entry_id, session.device_id, who)


async def tap(house: Desk, session: Session, amount_fen: int = 300_000):
    return await apply.apply(house, session=session, body=apply.Apply(amount_fen, 6, "daily"), key="k")


async def test_a_person_with_wages_gets_offers_and_every_source_was_asked_once_as_of_the_tap(house, outside) -> None:
    world, _ = outside
    session = await person(house)
    answer = await tap(house, session)
    assert answer.state is State.OFFERED
    assert answer.show["outcome"] == "offer"
    assert {offer["method"] for offer in answer.show["offers"]} == {"level_payment", "level_principal"}
    assert answer.show["ladder"] == "white"
    assert answer.show["ladder_next"] == {"step": "starter", "line_max_fen": 500_000, "settled_min": 1, "months_min": 2}
    assert sorted(world.asked) == sorted([*SOURCES, "bureau"])
    assert {body["as_of"] for body in world.bodies} == {"2026-09-01T01:00:00+00:00"}
    async with house.work() as work:
        (record,) = await decisions.records_of(work, session.who)
        assert record.is_thin_file
        assert record.sources["states"]["bank_flow"] == "full"
        assert set(record.sources["consents"]) == {*SOURCES, "bureau"}
        assert (await customers.standing(work, session.who)).is_thin_file
        assert (await decisions.replay_page(work)).replayed[0].is_equal


async def test_a_second_tap_through_another_entry_asks_nothing_and_answers_the_same(house, outside) -> None:
    world, _ = outside
    session = await person(house)
    first = await tap(house, session)
    asked = len(world.asked)
    other = Session("se-099", "e40", "dev-99", session.who)
    again = await tap(house, other, 500_000)
    assert (again.state, dict(again.show)) == (first.state, dict(first.show))
    assert len(world.asked) == asked


async def test_silence_is_no_answer_the_application_waits_and_asks_again(house, outside) -> None:
    world, _ = outside
    world.silent = {"bureau": 20, "telco": 20}
    session = await person(house)
    answer = await tap(house, session)
    assert (answer.state, answer.poll_s) == (State.WAITING, 1)
    asked = {one["source"]: one["is_answered"] for one in (await home.home(house, session, {}))["show"]["asked"]}
    assert (asked["bureau"], asked["telco"], asked["wallet"]) == (False, False, True), "who waits sees for whom"
    asked_of_wallet = world.asked.count("wallet")
    world.silent = {}
    house.clock.step_to(MORNING + timedelta(minutes=2))
    await drain(house)
    answer = await apply.where_it_stands(house, session.who, answer.show["application_id"])
    assert answer.state is State.OFFERED
    assert world.asked.count("wallet") == asked_of_wallet, "what had answered is not asked again"


async def test_the_kill_switch_lets_applications_wait_and_nobody_is_told_an_answer(house, outside) -> None:
    world, _ = outside
    async with house.work() as work:
        await set_switch(work, "decisions", is_on=False)
    session = await person(house)
    answer = await tap(house, session)
    assert answer.state is State.WAITING
    asked = len(world.asked)
    house.clock.step_to(MORNING + timedelta(minutes=5))
    await drain(house)
    async with house.work() as work:
        assert await decisions.records_of(work, session.who) == []
        await set_switch(work, "decisions", is_on=True)
    house.clock.step_to(MORNING + timedelta(minutes=10))
    await drain(house)
    answer = await apply.where_it_stands(house, session.who, answer.show["application_id"])
    assert answer.state is State.OFFERED
    assert len(world.asked) == asked, "what had answered is not asked again"


async def test_a_late_answer_is_the_same_answer(house, outside) -> None:
    """The history is read as of the tap, so waiting changes nothing but the hour."""
    world, _ = outside
    prompt, slow = await person(house, 1), await person(house, 2, number="790101199003070026")
    await tap(house, prompt)
    world.silent = {"bureau": 20}
    await tap(house, slow)
    world.silent = {}
    house.clock.step_to(MORNING + timedelta(hours=3))
    await drain(house)
    async with house.work() as work:
        first, second = [(await decisions.records_of(work, one.who))[0] for one in (prompt, slow)]
    one, two = [decisions.read_inputs(record.inputs) for record in (first, second)]
    assert (one.values, one.bounds) == (two.values, two.bounds)
    assert first.outcome_sha256 == second.outcome_sha256


async def test_the_entry_changes_nothing_of_what_is_decided(house) -> None:
    """One entry of each kind: an app, an Alipay window, a WeChat account, an embedded page. The inputs are equal to the byte, so is the answer."""
    numbers = ["790101199003070018", "790101199003070026", "790101199003070034", "790101199003070042"]
    inputs, outcomes = set(), set()
    for n, number in zip((1, 20, 30, 40), numbers, strict=True):
        session = await person(house, n, number=number)
        await tap(house, session)
        async with house.work() as work:
            (record,) = await decisions.records_of(work, session.who)
        inputs.add(record.inputs)
        outcomes.add(record.outcome)
    assert (len(inputs), len(outcomes)) == (1, 1)


async def test_what_was_not_allowed_is_not_asked_and_not_missing_income_asks_for_proof(house, outside) -> None:
    world, _ = outside
    session = await person(house, items=["bureau", "telco"])
    answer = await tap(house, session)
    assert sorted(world.asked) == ["bureau", "telco"]
    assert (answer.state, answer.show["wanted"]) == (State.PROOF, ["income"])
    async with house.work() as work:
        file = await customers.take_file(work, owner=session.who, key="f", encoded=b"%PDF-1.4 x", media_type="application/pdf")
    body = apply.Proof("income", file.file_ref, {"monthly_income_fen": 600_000})
    again = await apply.proof(house, session=session, body=body, key="k2")
    assert again.state is State.OFFERED
    assert sorted(world.asked) == ["bureau", "telco"], "nothing is asked twice for one application"


async def test_without_consent_to_the_bureau_nothing_is_asked_at_all(house, outside) -> None:
    world, _ = outside
    session = await person(house, items=["telco"])
    with pytest.raises(NoConsent):
        await tap(house, session)
    assert world.asked == []


async def test_a_source_that_does_not_take_the_consent_is_left_out(house, outside) -> None:
    world, _ = outside
    world.refused = {"wallet"}
    session = await person(house)
    assert (await tap(house, session)).state is State.OFFERED
    async with house.work() as work:
        (record,) = await decisions.records_of(work, session.who)
        assert "wallet" not in record.sources["states"]
        values = decisions.read_inputs(record.inputs).values
    assert values["wallet.count.180d[kind=pay]"] == decisions.Missing.NOT_FETCHED


async def test_a_minor_is_refused_kindly_and_a_review_cannot_change_that(house) -> None:
    session = await person(house, number=MINOR)
    answer = await tap(house, session)
    assert answer.state is State.DECLINED
    assert [reason["code"] for reason in answer.show["reasons"]] == ["minor"]
    assert "18" in answer.show["reasons"][0]["text"]
    decision_id = answer.show["decision_id"]
    with pytest.raises(decisions.NotToBeSetAside):
        await explain.review(house, reviewer="zhou", decision_id=decision_id, body=explain.Review("看过了", ["minor"]))
    told = await explain.review(house, reviewer="zhou", decision_id=decision_id, body=explain.Review("看过了"))
    assert (told["outcome"], told["is_changed"], told["decided_by"]) == ("declined", False, "person")
    whole = await explain.decision(house, decision_id=decision_id, asker="auditor")
    assert whole["replay"] == {"is_equal": True, "difference": "", "is_recomputed": True}
    assert whole["facts"]["age"] == 16


async def test_a_review_answers_the_case_that_asked_for_it(house) -> None:
    session = await person(house, number=MINOR)
    answer = await tap(house, session)
    async with house.work() as work:
        case = await customers.open_case(
            work, customer_id=session.who, kind=customers.CaseKind.REVIEW, subject=answer.show["decision_id"], text="请看一下"
        )
    await explain.review(house, reviewer="zhou", decision_id=answer.show["decision_id"], body=explain.Review("年龄未到"))
    async with house.work() as work:
        found = await customers.find_case(work, customer_id=session.who, case_id=case.case_id)
    assert found.outcome == "declined"
    assert "年龄未到" in found.answer


async def test_nothing_is_sold_while_sales_are_stopped_and_a_frozen_account_gets_nothing(house, outside) -> None:
    world, _ = outside
    session = await person(house)
    async with house.work() as work:
        await desks.set_switch(work, apply.SALES, is_on=False)
    with pytest.raises(apply.SalesStopped):
        await tap(house, session)
    async with house.work() as work:
        await desks.set_switch(work, apply.SALES, is_on=True)
        await customers.freeze(work, customer_id=session.who, because=FreezeReason.LOST_PHONE)
    with pytest.raises(AccountFrozenNow):
        await tap(house, session)
    assert world.asked == []


async def test_bad_input_leaves_no_application(house) -> None:
    session = await person(house)
    with pytest.raises(BadField):
        await tap(house, session, 1)
    async with house.work() as work:
        assert await decisions.last_application(work, session.who) is None
        assert await histories.fetches_of(work, session.who) == []


async def test_who_cancels_while_waiting_is_not_decided(house, outside) -> None:
    world, _ = outside
    world.silent = {"bureau": 40}
    session = await person(house)
    answer = await tap(house, session)
    async with house.work() as work:
        await decisions.withdraw_application(work, customer_id=session.who, application_id=answer.show["application_id"])
    world.silent = {}
    house.clock.step_to(MORNING + timedelta(hours=1))
    await drain(house)
    async with house.work() as work:
        assert await decisions.records_of(work, session.who) == []


# -- the event log behind the vector -------------------------------------------------------------------------------------


def value_of(record, name: str):
    return decisions.read_inputs(record.inputs).values[name]


WAGE_SUM, WAGE_COUNT = "bank_flow.amount.sum.180d[kind=wage]", "bank_flow.count.360d[kind=wage]"


async def declined_and_again(house: Desk, session: Session, later: timedelta) -> list[decisions.Record]:
    """Apply (asking too much for a thin file ends in an offer that is let go), wait, apply again; give both records."""
    answer = await tap(house, session)
    async with house.work() as work:
        await decisions.withdraw_application(work, customer_id=session.who, application_id=answer.show["application_id"])
    house.clock.step_to(house.clock.now() + later)
    await drain(house)
    await tap(house, session)
    async with house.work() as work:
        return await decisions.records_of(work, session.who)


async def test_a_decision_is_computed_again_from_the_event_log_to_the_bit_also_after_more_was_learnt(house) -> None:
    session = await person(house)
    first, second = sorted(await declined_and_again(house, session, timedelta(days=40)), key=lambda one: one.at)
    assert value_of(first, WAGE_COUNT) == value_of(second, WAGE_COUNT) == 8, "told again, nothing counts twice"
    assert value_of(first, "app.count.30d[event=submit]") == 0, "what is done at the instant of the tap is not yet history"
    assert value_of(second, "app.count.90d[event=submit]") >= 2, "our own pages, fed by the outbox"
    async with house.work() as work:
        looked, after = await look_again_page(work)
    assert after is None
    assert [(one.is_equal, one.is_recomputed) for one in looked] == [(True, True)] * 2
    assert first.sources["events_sha256"] != second.sources["events_sha256"]


async def test_a_decision_whose_events_were_changed_behind_its_back_is_found(house) -> None:
    session = await person(house)
    await tap(house, session)
    async with house.work() as work:
        (record,) = await decisions.records_of(work, session.who)
        forged = replace(record, sources={**record.sources, "as_of_us": record.sources["as_of_us"] - 40 * 86_400_000_000})
        assert "events" in (await look_again(work, forged)).replayed.difference
        assert (await look_again(work, replace(record, sources={**record.sources, "bits_sha256": "0"}))).replayed.difference == "variables: their bits differ"


async def test_a_withdrawn_consent_silences_its_source_at_the_next_decision_and_no_other(house, outside) -> None:
    world, _ = outside
    session = await person(house)
    answer = await tap(house, session)
    async with house.work() as work:
        (first,) = await decisions.records_of(work, session.who)
        await decisions.withdraw_application(work, customer_id=session.who, application_id=answer.show["application_id"])
        await customers.withdraw(work, customer_id=session.who, consent_id=first.sources["consents"]["bank_flow"])
    world.asked.clear()
    house.clock.step_to(MORNING + timedelta(days=1))
    await drain(house)
    await tap(house, session)
    async with house.work() as work:
        second = max(await decisions.records_of(work, session.who), key=lambda one: one.at)
        assert value_of(first, WAGE_SUM) > 0
        assert value_of(second, WAGE_SUM) is decisions.Missing.NOT_FETCHED
        assert value_of(second, "telco.count.90d[kind=overdue_bill]") is decisions.Missing.NO_RECORD
        assert "bank_flow" not in world.asked
        history = await histories.read_events(work, customer_id=session.who, catalogue=bare())
        table = bare().table("bank_flow")
        assert not history.is_fetched(table, decisions.microseconds(work.at)), "the log itself says that the consent has ended"
        assert history.is_fetched(table, first.sources["as_of_us"]), "and that it was in force then"
        assert (await look_again(work, first)).is_recomputed
        assert all(one.is_equal for one in (await look_again_page(work))[0])


async def test_who_is_erased_leaves_no_event_and_his_decision_still_stands_on_its_record(house) -> None:
    session = await person(house)
    await tap(house, session)
    async with house.work() as work:
        assert await histories.erase(work, customer_id=session.who) > 0
        history = await histories.read_events(work, customer_id=session.who, catalogue=bare())
        assert all(rows is None for rows in history.tables.values())
        assert (await histories.export(work, customer_id=session.who))["events"] == {}
        (looked,), _ = await look_again_page(work)
        assert (looked.is_equal, looked.is_recomputed) == (True, False)


async def test_what_was_fetched_later_is_not_seen_at_an_earlier_instant(house) -> None:
    session = await person(house)
    await tap(house, session)
    async with house.work() as work:
        (record,) = await decisions.records_of(work, session.who)
        a, tables = record.sources["as_of_us"], record.sources["tables"]
        at = [await histories.known_as_of(work, customer_id=session.who, catalogue=bare(), tables=tables, as_of_us=one, is_read=False) for one in (a - 1, a)]
    assert [known.history.tables["bank_flow"] is not None for known in at] == [False, True]
    nothing = decisions.compute(at[0].history, a - 1, decisions.Asked(300_000, 6, 36), None, {})
    assert nothing.values[WAGE_SUM] is decisions.Missing.NOT_FETCHED


async def test_a_correction_counts_from_the_asking_that_told_it(house) -> None:
    """The bank finds that a wage was less than it had said: the next application reads the new figure, the old decision keeps the old one."""
    session = await person(house)
    corrected = [*WAGES[:-1], WAGES[-1] | {"revision": 1, "known_at": "2026-09-05T09:00:00.000+08:00", "data": {"amount_fen": 100_000, "balance_fen": 1}}]
    answer = await tap(house, session)
    async with house.work() as work:
        await decisions.withdraw_application(work, customer_id=session.who, application_id=answer.show["application_id"])
    house.clock.step_to(MORNING + timedelta(days=10))
    WAGES[:], before = corrected, list(WAGES)
    try:
        await tap(house, session)
    finally:
        WAGES[:] = before
    async with house.work() as work:
        first, second = sorted(await decisions.records_of(work, session.who), key=lambda one: one.at)
        assert value_of(second, "bank_flow.amount.min.360d[kind=wage]") == 100_000
        assert value_of(first, "bank_flow.amount.min.360d[kind=wage]") == 900_000
        assert all(one.is_recomputed and one.is_equal for one in (await look_again_page(work))[0])
