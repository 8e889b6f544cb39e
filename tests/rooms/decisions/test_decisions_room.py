"""The room on a real database: one open application, one immutable record, exposure under its cap, replay to the byte."""

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from puhui.foundation.money import Money
from puhui.foundation.refusals import BadField, WrongState
from puhui.foundation.work import Actor
from puhui.rooms import decisions
from puhui.rooms.decisions import store, strategies
from puhui.rooms.decisions.known import Missing
from puhui.rooms.decisions.outcome import Answer
from puhui.rooms.decisions.policy import ORDINARY, shipped_policy
from puhui.rooms.decisions.scorecard import open_scorecard
from puhui.rooms.decisions.vector import names, set_sha256
from puhui.vocabulary.permits import Approval

LI, WANG = "cu-1a3-li", "cu-0ff-wang"


def approval(work, content: bytes) -> Approval:
    return Approval("app-1", "strategy", hashlib.sha256(content).hexdigest(), "head", "risk", work.at)


async def crown(work, bundle, standing=decisions.Standing.CHAMPION, share_bp=0) -> str:
    name = await decisions.publish(work, bundle)
    content = decisions.change_content(name, standing, share_bp)
    await decisions.set_standing(work, strategy_sha256=name, standing=standing, share_bp=share_bp, approval=approval(work, content))
    return name


@pytest.fixture
async def house(desk, bundle):
    """A desk with a champion."""
    strategies._OPENED.clear()
    async with desk.work() as work:
        await crown(work, bundle)
    return desk


async def tap(work, customer_id=LI, amount_fen=300_000, **more):
    asked = {"session_id": f"se-{customer_id}", "entry_id": "e01", "device_id": "d1", "months": 6, "purpose": "daily"} | more
    return await decisions.receive(work, customer_id=customer_id, amount_fen=amount_fen, **asked)


def good(artefacts, work, **facts) -> decisions.Inputs:
    values = dict.fromkeys(names(), Missing.NO_EVENT)
    for item in artefacts.card.characteristics:
        place = max(range(len(item.points)), key=lambda i, item=item: item.points[i])
        values[item.name] = item.edges[place] if place < len(item.edges) else item.edges[-1] + 1
    values |= {"application.income": 2_000_000, "application.debt_service": 0, "bureau.overdue.sum": 0, "bureau.worst.24m": 0}
    return decisions.Inputs(replace(ORDINARY, today=work.today, **facts), decisions.bounds_on(work.today), values)


async def offered(house, artefacts, customer_id=LI, **facts):
    async with house.work() as work:
        application, _ = await tap(work, customer_id)
        record, outcome = await decisions.decide_application(work, application=application, inputs=good(artefacts, work, **facts), sources={"upto": 3})
        offers = await decisions.offers_in_force(work, await store.find_application(work, customer_id, application.application_id))
    return application, record, outcome, offers


async def test_a_second_tap_by_another_entry_gets_the_first_application(house) -> None:
    async with house.work() as work:
        first, is_new = await tap(work)
        again, is_again_new = await tap(work, amount_fen=500_000, entry_id="e40", session_id="se-other")
    assert (is_new, is_again_new) == (True, False)
    assert again == first


async def test_two_taps_in_one_moment_make_one_application(house) -> None:
    async def one(entry: str):
        async with house.work() as work:
            return await tap(work, entry_id=entry)

    results = await asyncio.gather(*(one(f"e{n:02d}") for n in range(1, 6)))
    assert sum(is_new for _, is_new in results) == 1
    assert len({application.application_id for application, _ in results}) == 1


@pytest.mark.parametrize(("field", "asked"), [("amount_fen", {"amount_fen": 49_999}), ("amount_fen", {"amount_fen": 20_000_001}), ("months", {"months": 5}), ("purpose", {"purpose": "x" * 41})])
async def test_what_no_product_has_is_refused_by_field(house, field, asked) -> None:
    async with house.work() as work:
        with pytest.raises(BadField) as refused:
            await tap(work, **asked)
    assert refused.value.facts["field"] == field


async def test_an_application_is_decided_once_and_its_record_can_never_change(house, artefacts) -> None:
    application, record, outcome, offers = await offered(house, artefacts)
    assert outcome.answer is Answer.OFFER
    assert len(offers) == 2
    async with house.work() as work:
        again, _ = await decisions.decide_application(work, application=application, inputs=good(artefacts, work, age=17), sources={})
        assert again.outcome_sha256 == record.outcome_sha256
        assert len(await decisions.records_of(work, LI)) == 1
    for statement in ("update decisions.records set band = 'A'", "delete from decisions.records"):
        with pytest.raises(asyncpg.RaiseError, match="never changed"):
            async with house.work() as work:
                await work.connection.execute(statement)


async def test_what_is_personal_lies_sealed(house, artefacts) -> None:
    await offered(house, artefacts)
    async with house.work() as work:
        row = await work.connection.fetchrow("select * from decisions.records")
        assert b"application.income" not in row["inputs_sealed"]
        record = (await decisions.records_of(work, LI))[0]
    assert b"application.income" in record.inputs


async def test_replay_gives_every_decision_back_and_names_what_was_tampered_with(house, artefacts) -> None:
    await offered(house, artefacts)
    await offered(house, artefacts, WANG, age=17)
    async with house.work() as work:
        page = await decisions.replay_page(work)
        assert [one.is_equal for one in page.replayed] == [True, True]
        assert page.after is None
        record = (await decisions.records_of(work, WANG))[0]
        forged = replace(record, inputs=record.inputs.replace(b'"age":17', b'"age":18'))
        assert "inputs" in (await decisions.replay(work, forged)).difference
        forged = replace(forged, inputs_sha256=hashlib.sha256(forged.inputs).hexdigest())
        assert "outcome" in (await decisions.replay(work, forged)).difference
        assert "columns" in (await decisions.replay(work, replace(record, band="A" if record.band != "A" else "B"))).difference
        lost = replace(record, artefacts=dict(record.artefacts) | {"scorecard": "0" * 64})
        assert "artefact" in (await decisions.replay(work, lost)).difference


async def test_a_decline_is_told_kindly_and_may_be_reviewed_by_a_person(house, artefacts) -> None:
    _, record, _, _ = await offered(house, artefacts, WANG, device_persons_30d=12)
    told = decisions.told(record)
    assert told["outcome"] == "declined"
    assert told["may_review"]
    assert "12" in told["reasons"][0]["text"]
    async with house.work(Actor("staff", "zhou")) as work:
        second, outcome = await decisions.review(work, customer_id=WANG, decision_id=record.decision_id, set_aside=["device-busy"])
        assert outcome.answer is Answer.OFFER
        assert (second.kind, second.decided_by, second.review_of) == ("review", "zhou", record.decision_id)
        application = await decisions.open_application(work, WANG)
        assert application.state is decisions.ApplicationState.OFFERED
        assert len(await decisions.offers_in_force(work, application)) == 2
        assert all(one.is_equal for one in (await decisions.replay_page(work)).replayed)


async def test_a_review_cannot_allow_what_the_law_bars(house, artefacts) -> None:
    _, record, _, _ = await offered(house, artefacts, WANG, age=17)
    async with house.work(Actor("staff", "zhou")) as work:
        with pytest.raises(decisions.NotToBeSetAside):
            await decisions.review(work, customer_id=WANG, decision_id=record.decision_id, set_aside=["minor"])


async def test_proof_lets_the_application_wait_again(house, artefacts) -> None:
    async with house.work() as work:
        application, _ = await tap(work)
        inputs = good(artefacts, work)
        inputs = replace(inputs, values=dict(inputs.values) | {"application.income": Missing.NO_RECORD})
        _, outcome = await decisions.decide_application(work, application=application, inputs=inputs, sources={})
        assert outcome.answer is Answer.PROOF
        with pytest.raises(BadField):
            await decisions.add_proof(work, customer_id=LI, kind="income", file_ref="f1", fields={"monthly_income_fen": -1})
        waiting = await decisions.add_proof(work, customer_id=LI, kind="income", file_ref="f1", fields={"monthly_income_fen": 700_000})
        inputs = replace(inputs, facts=replace(inputs.facts, proven_income_fen=700_000))
        record, outcome = await decisions.decide_application(work, application=waiting, inputs=inputs, sources={})
    assert (record.kind, record.k, outcome.answer) == ("proof", 2, Answer.OFFER)


async def take(house, offer, amount=300_000, loan="ln-1a3-one", customer_id=LI):
    async with house.work() as work:
        return await decisions.accept_offer(work, customer_id=customer_id, offer_id=offer["offer_id"], amount=Money(amount), months=6, loan_id=loan)


async def test_an_accepted_amount_is_held_used_and_owed(house, artefacts) -> None:
    application, _, _, offers = await offered(house, artefacts)
    accepted = await take(house, offers[0])
    assert await take(house, offers[0]) == accepted
    assert (accepted.amount_fen, accepted.convention, accepted.product) == (300_000, "cn-365", "starter")
    async with house.work() as work:
        assert await decisions.exposure_of(work, LI) == decisions.Exposure(0, 300_000, 20_000_000)
        await decisions.use_exposure(work, customer_id=LI, loan_id="ln-1a3-one")
        await decisions.use_exposure(work, customer_id=LI, loan_id="ln-1a3-one")
        await decisions.free_exposure(work, customer_id=LI, loan_id="ln-1a3-one")
        assert await decisions.exposure_of(work, LI) == decisions.Exposure(300_000, 0, 20_000_000)
        assert (await decisions.find_application(work, LI, application.application_id)).why == "paid"
        await decisions.set_owed(work, customer_id=LI, owed_fen=100_000)
        assert (await decisions.exposure_of(work, LI)).owed_fen == 100_000
        assert await decisions.check(work) == []


async def test_taken_anew_the_first_hold_is_freed_and_a_cancelled_loan_frees_all(house, artefacts) -> None:
    application, _, _, offers = await offered(house, artefacts)
    await take(house, offers[0])
    await take(house, offers[1], amount=200_000, loan="ln-1a3-two")
    async with house.work() as work:
        assert (await decisions.exposure_of(work, LI)).held_fen == 200_000
        assert await decisions.end_application(work, customer_id=LI, application_id=application.application_id, why="cancelled")
        assert not await decisions.end_application(work, customer_id=LI, application_id=application.application_id, why="cancelled")
        assert (await decisions.exposure_of(work, LI)).held_fen == 0
        assert await decisions.check(work) == []
        assert (await tap(work))[1]


async def test_an_amount_beside_the_offer_and_a_lapsed_offer_are_refused(house, artefacts) -> None:
    _, _, _, offers = await offered(house, artefacts)
    for amount in (40_000, 300_001, offers[0]["amount_max_fen"] + 10_000):
        with pytest.raises(decisions.AmountNotOffered):
            await take(house, offers[0], amount=amount)
    house.clock.step_to(house.clock.now() + timedelta(hours=73))
    with pytest.raises(decisions.OfferLapsed):
        await take(house, offers[0])
    async with house.work() as work:
        assert await decisions.expire_offers(work) == 1
        assert (await decisions.last_application(work, LI)).why == "expired"


async def test_nobody_goes_over_the_cap_even_with_two_taps_in_one_second(house, artefacts) -> None:
    """The row is locked: of two acceptances that together pass 200,000 yuan, one is refused."""
    _, _, _, offers = await offered(house, artefacts)
    async with house.work() as work:
        await decisions.set_owed(work, customer_id=LI, owed_fen=19_600_000)

    async def one(loan: str, offer):
        try:
            await take(house, offer, amount=300_000, loan=loan)
        except decisions.OverTheCap:
            return False
        return True

    async with house.work() as work:
        await work.connection.execute("update decisions.applications set state = 'ended', ended_at = tapped_at")
        second, _ = await tap(work)
        await decisions.decide_application(work, application=second, inputs=good(artefacts, work), sources={})
        newer = await decisions.offers_in_force(work, await decisions.open_application(work, LI))
        await work.connection.execute("drop index decisions.applications_open")
        await work.connection.execute("update decisions.applications set state = 'offered', ended_at = null")
    assert sorted(await asyncio.gather(one("ln-1a3-a", offers[0]), one("ln-1a3-b", newer[0]))) == [False, True]
    async with house.work() as work:
        exposure = await decisions.exposure_of(work, LI)
    assert exposure.owed_fen + exposure.held_fen <= 20_000_000


async def test_the_table_itself_refuses_exposure_over_the_cap(house) -> None:
    async with house.work() as work:
        await decisions.set_owed(work, customer_id=LI, owed_fen=100)
    with pytest.raises(asyncpg.CheckViolationError):
        async with house.work() as work:
            await work.connection.execute("update decisions.exposures set held_fen = cap_fen + 1")


async def test_a_new_champion_needs_its_own_approval_and_retires_the_old(house, artefact, bundle) -> None:
    changed = json.loads(artefact)
    changed["base_points"] += 1
    card = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    async with house.work() as work:
        name = await decisions.publish(work, replace(bundle, scorecard=card))
        with pytest.raises(decisions.ApprovalDoesNotMatch):
            await decisions.set_standing(work, strategy_sha256=name, standing=decisions.Standing.CHAMPION, approval=approval(work, b"another"))
        await crown(work, replace(bundle, scorecard=card))
        rows = await decisions.strategies_of(work, "starter")
    assert [(row.version, row.standing.value) for row in rows] == [(1, "retired"), (2, "champion")]


async def test_a_challenger_takes_its_share_and_a_shadow_only_looks_on(house, artefact, artefacts, bundle) -> None:
    changed = json.loads(artefact)
    cards = []
    for shift in (1, 2):
        changed["base_points"] += shift
        cards.append(json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
    async with house.work() as work:
        challenger = await crown(work, replace(bundle, scorecard=cards[0]), decisions.Standing.CHALLENGER, 3_000)
        shadow = await crown(work, replace(bundle, scorecard=cards[1]), decisions.Standing.SHADOW)
        arms = [(await strategies.live(work, "starter", f"cu-000-{n}")).strategy_sha256 == challenger for n in range(1_000)]
        assert 240 < sum(arms) < 360
        assert (await strategies.live(work, "starter", LI)).strategy_sha256 == (await strategies.live(work, "starter", LI)).strategy_sha256
    _, record, _, _ = await offered(house, artefacts)
    assert [one["strategy"] for one in record.shadows] == [shadow]
    assert record.shadows[0]["points"] != record.points


async def test_without_a_strategy_nothing_is_decided(desk, artefacts) -> None:
    async with desk.work() as work:
        application, _ = await tap(work)
        with pytest.raises(decisions.NoStrategy):
            await decisions.decide_application(work, application=application, inputs=good(artefacts, work), sources={})


async def test_velocity_counts_the_person_and_the_persons_of_a_device(house) -> None:
    async with house.work() as work:
        for n in range(4):
            await tap(work, f"cu-00{n}-x")
        application, _ = await tap(work)
        assert await decisions.velocity(work, application) == (0, 5)
        await decisions.withdraw_application(work, customer_id=LI, application_id=application.application_id)
        with pytest.raises(WrongState):
            await decisions.withdraw_application(work, customer_id=LI, application_id=application.application_id)
        again, _ = await tap(work)
        assert await decisions.velocity(work, again) == (1, 5)


async def test_a_person_sees_and_keeps_what_law_keeps(house, artefacts) -> None:
    await offered(house, artefacts)
    async with house.work() as work:
        data = await decisions.export(work, LI)
        assert data["decisions"][0]["values"]["application.income"] == 2_000_000
        assert json.dumps(data)
        assert await decisions.erase(work, LI) == {"decisions.records": "cn.anti-money-laundering records_keep_years"}
        assert await decisions.erase(work, WANG) == {}


async def test_a_first_card_is_not_new_and_a_second_is(house) -> None:
    async with house.work() as work:
        application, _ = await tap(work)
        await decisions.note_card(work, customer_id=LI, binding_id="bd-1", at=work.at - timedelta(days=40))
        assert await decisions.hours_since_new_card(work, application) is None
        await decisions.note_card(work, customer_id=LI, binding_id="bd-2", at=work.at - timedelta(minutes=150))
        await decisions.note_card(work, customer_id=LI, binding_id="bd-2", at=work.at)
        assert await decisions.hours_since_new_card(work, application) == 2


async def test_a_fresh_house_decides_by_what_the_release_ships(desk) -> None:
    async with desk.work() as work:
        name = await decisions.seed_development(work)
        assert await decisions.seed_development(work) == name
        (row,) = await decisions.strategies_of(work, "starter")
    assert (row.standing, row.version, row.strategy_sha256) == (decisions.Standing.CHAMPION, 1, name)


def test_the_shipped_card_was_made_for_these_variables_and_says_what_it_was_fitted_on() -> None:
    opened = open_scorecard(decisions.shipped().scorecard)
    assert opened.variables_sha256 == set_sha256()
    assert len(opened.characteristics) >= 40
    assert opened.paper["holdout_auc_ppm"] > 620_000
    assert opened.paper["train_bads"] >= 200


async def test_a_record_of_the_first_policy_is_opened_by_its_hashes_and_decided_by_the_first_kernel(house, first, artefacts, product_bytes) -> None:
    async with house.work() as work:
        for kind, content in (("policy", shipped_policy()), ("product", product_bytes)):
            await store.add_artefact(work, hashlib.sha256(content).hexdigest(), kind, content)
        again = await strategies.opened(work, first.hashes)
        inputs = good(artefacts, work, age=17)
    assert "rules" not in first.hashes
    outcome = decisions.decide(inputs, again)
    assert (outcome.kernel, outcome.fired) == (1, ("minor",))
    assert b'"tables"' not in outcome.to_bytes()
    assert decisions.read_outcome(outcome.to_bytes()) == outcome
