"""Flows, outbox, inbox and receipts on a real database."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from puhui.foundation import flows, outbox, receipts, runner
from puhui.foundation.desk import Wiring, is_switched_off, set_switch, store_clock, stored_clock
from puhui.foundation.flows import LeaseLost
from puhui.foundation.outbox import Callback
from puhui.foundation.receipts import Receipt
from puhui.foundation.refusals import KeyReused

LI = "cu-001-li"


@dataclass(frozen=True, slots=True)
class Rained:
    customer_id: str
    drops: int


async def begin(desk, flow_id="fl-001-a", *, step="one", due=None, state=None):
    async with desk.work() as work:
        return await flows.start(work, flow_id=flow_id, customer_id=LI, kind="tale", subject="s", step=step, due=due, state=state)


async def claim(desk, owner="test"):
    async with desk.work() as work:
        return await flows.claim_due(work, owner=owner, until=work.at, most=10)


async def test_a_flow_runs_step_by_step_to_its_end(desk):
    told = []

    async def one(desk, turn):
        told.append(("one", dict(turn.state)))
        async with desk.work() as work:
            return await flows.move(work, turn, step="two", state={"n": 1})

    async def two(desk, turn):
        told.append(("two", dict(turn.state)))
        async with desk.work() as work:
            return await flows.end(work, turn)

    desk.wiring = Wiring(steps={"tale.one": one, "tale.two": two})
    assert await begin(desk)
    assert not await begin(desk), "the same flow again starts nothing"
    assert await runner.run_now(desk, "fl-001-a")
    assert told == [("one", {}), ("two", {"n": 1})]
    assert await runner.drain(desk) == 0


async def test_a_runner_that_was_thought_dead_changes_nothing(desk):
    """Two runners hold the same flow one after the other; the first comes back from the dead and is refused by its token."""
    await begin(desk)
    (first,) = await claim(desk, "first")
    async with desk.work() as work:
        assert await flows.forget_leases(work, "first") == 1
    (second,) = await claim(desk, "second")
    with pytest.raises(LeaseLost):
        async with desk.work() as work:
            await flows.move(work, first, step="two")
    async with desk.work() as work:
        assert await flows.move(work, second, step="two") is not None


async def test_a_claimed_flow_is_not_claimed_again(desk):
    await begin(desk)
    assert len(await claim(desk)) == 1
    assert await claim(desk) == []


async def test_flows_are_claimed_in_order_of_due_and_id(desk):
    now = desk.clock.now()
    for flow_id, due in (("fl-001-c", now), ("fl-001-b", now - timedelta(minutes=1)), ("fl-001-a", now), ("fl-001-z", now + timedelta(minutes=1))):
        await begin(desk, flow_id, due=due)
    assert [turn.flow_id for turn in await claim(desk)] == ["fl-001-b", "fl-001-a", "fl-001-c"]


async def test_a_step_that_breaks_leaves_nothing_and_is_tried_again(desk):
    tries = []

    async def one(desk, turn):
        tries.append(turn.attempts)
        async with desk.work() as work:
            work.emit(Rained(LI, 1))
            await flows.end(work, turn)
            if len(tries) == 1:
                raise RuntimeError("the roof fell in")

    desk.wiring = Wiring(steps={"tale.one": one})
    await begin(desk)
    await runner.drain(desk)
    async with desk.work() as work:
        assert await outbox.read_events(work, after=0, most=10) == []
        due = await flows.next_due(work)
    desk.clock.step_to(due)
    await runner.drain(desk)
    assert tries == [1, 2]
    async with desk.work() as work:
        assert [event.body["drops"] for event in await outbox.read_events(work, after=0, most=10)] == [1]


async def test_a_wakened_flow_is_due_at_once_and_its_runner_loses_it(desk):
    await begin(desk, due=desk.clock.now())
    (turn,) = await claim(desk)
    async with desk.work() as work:
        assert await flows.wake(work, "fl-001-a", step="three", state={"heard": True})
    with pytest.raises(LeaseLost):
        async with desk.work() as work:
            await flows.move(work, turn, step="two")
    (woken,) = await claim(desk)
    assert (woken.step, woken.state, woken.attempts) == ("three", {"heard": True}, 1)


async def test_a_step_that_falls_after_its_commit_does_not_pull_the_next_one_forward(desk):
    tomorrow = desk.clock.now() + timedelta(days=1)

    async def one(desk, turn):
        async with desk.work() as work:
            await flows.move(work, turn, step="two", due=tomorrow)
        raise ConnectionResetError

    desk.wiring = Wiring(steps={"tale.one": one})
    await begin(desk, due=desk.clock.now())
    await runner.drain(desk)
    async with desk.work() as work:
        assert await flows.next_due(work) == tomorrow


async def test_due_times_of_a_stepped_run_lie_on_the_tick(desk):
    await begin(desk, due=desk.clock.now() + timedelta(seconds=61))
    async with desk.work() as work:
        assert await flows.next_due(work) == desk.clock.now() + timedelta(seconds=120)


async def test_every_event_is_answered_once_in_order_even_if_one_breaks(desk):
    heard = []

    async def on_rain(work, event):
        if event.body["drops"] == 2 and not heard.count("broke"):
            heard.append("broke")
            raise RuntimeError("a leak")
        heard.append(event.body["drops"])

    desk.wiring = Wiring(reactions={"Rained": (on_rain,)})
    async with desk.work() as work:
        for drops in (1, 2, 3):
            work.emit(Rained(LI, drops))
    await runner.drain(desk)
    assert heard == [1, "broke", 1, 2, 3], "the batch was undone, then each event answered alone"


async def test_an_event_that_always_breaks_is_set_aside_and_the_rest_go_on(desk):
    heard = []

    async def on_rain(work, event):
        if event.body["drops"] == 2:
            raise RuntimeError("always")
        heard.append(event.body["drops"])

    desk.wiring = Wiring(reactions={"Rained": (on_rain,)})
    async with desk.work() as work:
        for drops in (2, 3):
            work.emit(Rained(LI, drops))
    await runner.drain(desk)
    assert heard[-1] == 3
    async with desk.work() as work:
        assert await work.connection.fetchval("select count(*) from foundation.parked_events") == 1


async def test_a_callback_told_twice_is_read_once(desk):
    read = []

    async def on_paid(desk, callback):
        async with desk.work() as work:
            if await outbox.mark_read(work, callback):
                read.append(callback.subject)

    desk.wiring = Wiring(callbacks={"rail.paid": on_paid})
    callback = Callback("rail", "po-1-1", "rail.paid", "po-1", 1, desk.clock.now(), {"state": "paid"})
    for expected in (True, False):
        async with desk.work() as work:
            assert await outbox.receive(work, callback) is expected
    await runner.drain(desk)
    await runner.read_one(desk, callback)
    assert read == ["po-1"]


async def test_callbacks_of_one_subject_are_read_in_their_order(desk):
    read = []

    async def reader(desk, callback):
        async with desk.work() as work:
            await outbox.mark_read(work, callback)
        read.append(callback.seq)

    desk.wiring = Wiring(callbacks={"rail.returned": reader, "rail.paid": reader})
    async with desk.work() as work:
        for seq, kind in ((2, "rail.returned"), (1, "rail.paid")):
            await outbox.receive(work, Callback("rail", f"po-1-{seq}", kind, "po-1", seq, work.at, {}))
    await runner.drain(desk)
    assert read == [1, 2]


async def test_two_dispatchers_never_answer_the_same_event(desk):
    heard = []

    async def on_rain(work, event):
        await asyncio.sleep(0.01)
        heard.append(event.body["drops"])

    desk.wiring = Wiring(reactions={"Rained": (on_rain,)})
    async with desk.work() as work:
        for drops in range(5):
            work.emit(Rained(LI, drops))
    await asyncio.gather(runner.dispatch(desk), runner.dispatch(desk))
    await runner.dispatch(desk)
    assert heard == [0, 1, 2, 3, 4]


async def test_a_request_sent_again_gets_the_first_answer_and_a_different_one_is_refused(work):
    digest = receipts.digest_of("/x", b"body")
    await receipts.keep(work, sender="li", key="k1", digest=digest, receipt=Receipt(200, b"first"))
    await receipts.keep(work, sender="li", key="k1", digest=digest, receipt=Receipt(200, b"second"))
    assert await receipts.find(work, sender="li", key="k1", digest=digest) == Receipt(200, b"first")
    assert await receipts.find(work, sender="wang", key="k1", digest=digest) is None
    with pytest.raises(KeyReused):
        await receipts.find(work, sender="li", key="k1", digest=receipts.digest_of("/x", b"another"))


async def test_a_restarted_process_goes_on_at_the_stored_instant(desk):
    later = desk.clock.now() + timedelta(days=3)
    desk.clock.step_to(later)
    async with desk.work() as work:
        await store_clock(work)
    assert (await stored_clock(desk.reading, desk.config)).now() == later


async def test_a_switch_stands_at_on_until_someone_turns_it_off(work):
    assert not await is_switched_off(work, "pay-outs")
    await set_switch(work, "pay-outs", is_on=False)
    assert await is_switched_off(work, "pay-outs")
    await set_switch(work, "pay-outs", is_on=True)
    assert not await is_switched_off(work, "pay-outs")


async def test_a_fault_inside_a_work_undoes_all_of_it(desk):
    async def half_a_step():
        async with desk.work() as work:
            await set_switch(work, "pay-outs", is_on=False)
            work.emit(Rained(LI, 1))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await half_a_step()
    async with desk.work() as work:
        assert not await is_switched_off(work, "pay-outs")
        assert await outbox.read_events(work, after=0, most=1) == []


def test_a_turn_names_its_step():
    turn = flows.Turn("fl", LI, "tale", "s", "one", {}, None, 1, 1)
    assert replace(turn, step="two").name == "tale.two"
