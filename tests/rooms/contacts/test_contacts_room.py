"""Orders, the gate on a real database, and the memory of all that was tried."""

from datetime import UTC, datetime, time, timedelta

import pytest

from puhui.foundation.refusals import NotFound
from puhui.rooms import contacts
from puhui.rooms.contacts import Channel, Limits, Purpose, Verdict

LI = "cu-001-li"
LIMITS = Limits(time(22), time(8), 3, 6, time(9), time(20), 1, 2, ("cn.collection@2025-02-28",))


async def order(work, message_id, purpose=Purpose.COLLECTION, hours=48):
    return await contacts.order_message(
        work,
        customer_id=LI,
        message_id=message_id,
        channel=Channel.SMS,
        purpose=purpose,
        template="arrears.first-day",
        params={"days": 1},
        subject="ln-001-a",
        expires_at=work.at + timedelta(hours=hours),
    )


async def ask(work, message_id, **facts):
    given = {"closed_because": "", "may_market": False} | facts
    return await contacts.ask_gate(work, customer_id=LI, message_id=message_id, limits=LIMITS, **given)


async def test_an_order_given_twice_is_one_message(work):
    assert await order(work, "ms-1")
    assert not await order(work, "ms-1")
    assert len(await contacts.orders_of(work, LI, most=10)) == 1


async def test_the_seventh_try_of_a_day_waits_for_the_morning(work):
    for n in range(6):
        await order(work, f"ms-{n}")
        _, answer = await ask(work, f"ms-{n}")
        assert answer.is_allowed
    await order(work, "ms-7")
    waiting, answer = await ask(work, "ms-7")
    assert answer.verdict is Verdict.TOO_MANY_ATTEMPTS
    assert answer.again_at.astimezone(UTC) == datetime(2026, 9, 2, 0, tzinfo=UTC)
    assert (await contacts.find_order(work, LI, "ms-7")).state == "waiting"
    assert waiting.message_id == "ms-7"
    assert await contacts.gate_breaches(work, 6) == []


async def test_an_order_that_cannot_wait_until_it_may_go_is_refused_and_kept(desk):
    desk.clock.step_to(datetime(2026, 9, 1, 15, tzinfo=UTC))  # 23:00 in Shanghai
    async with desk.work() as work:
        await order(work, "ms-1", hours=2)
        _, answer = await ask(work, "ms-1")
        assert (answer.verdict, answer.again_at) == (Verdict.QUIET_HOURS, None)
        kept = await contacts.find_order(work, LI, "ms-1")
        assert (kept.state, kept.code) == ("refused", "contacts.quiet-hours")
        exported = await contacts.export(work, LI)
        assert [one["verdict"] for one in exported["attempts"]] == ["contacts.quiet-hours"]


async def test_an_opt_out_holds_from_that_instant_on_every_channel(work):
    assert await contacts.opt_out(work, customer_id=LI, purpose=Purpose.MARKETING)
    assert not await contacts.opt_out(work, customer_id=LI, purpose=Purpose.MARKETING)
    await order(work, "ms-1", Purpose.MARKETING)
    _, answer = await ask(work, "ms-1", may_market=True)
    assert answer.verdict is Verdict.OPTED_OUT


async def test_an_answered_call_counts_as_connected(work):
    for n in range(4):
        await order(work, f"ms-{n}")
        _, answer = await ask(work, f"ms-{n}")
        assert answer.is_allowed is (n < 3)
        if n < 3:
            await contacts.note_sent(work, customer_id=LI, message_id=f"ms-{n}")
            await contacts.note_end(work, message_id=f"ms-{n}", state="ended", code="self", is_answered=True)


async def test_asked_again_after_a_crash_an_allowed_order_counts_once(work):
    await order(work, "ms-1")
    for _ in range(3):
        _, answer = await ask(work, "ms-1")
        assert answer.is_allowed
    assert len((await contacts.export(work, LI))["attempts"]) == 1


async def test_what_was_said_lies_sealed_and_goes_to_the_person_alone(work):
    await order(work, "ms-1")
    said = await contacts.find_order(work, LI, "ms-1")
    await contacts.add_turn(work, said, "person", "我下周发工资")
    sealed = await work.connection.fetchval("select text_sealed from contacts.call_turns")
    assert "下周".encode() not in sealed
    assert (await contacts.export(work, LI))["calls"] == [{"message_id": "ms-1", "by": "person", "text": "我下周发工资"}]


async def test_a_message_nobody_ordered_is_not_found(work):
    with pytest.raises(NotFound):
        await contacts.note_end(work, message_id="ms-x", state="delivered")
