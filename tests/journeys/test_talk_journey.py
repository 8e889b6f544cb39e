"""A call about an overdue installment, turn by turn: answered at once and the same when asked again; a day that is named is kept as a promise."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from puhui.engines import schedules
from puhui.foundation.desk import Desk
from puhui.foundation.outbox import Callback, receive
from puhui.foundation.refusals import NotFound
from puhui.journeys import contact, talk
from puhui.rooms import arrears, contacts, ledger
from puhui.rooms.contacts import Channel, Purpose

LI, LOAN, CALL = "cu-001-li", "ln-001-a", "ms-001-call"


async def late_loan(desk: Desk) -> None:
    async with desk.work() as work:
        await ledger.disburse(
            work,
            loan=ledger.NewLoan(
                LI, LOAN, "ap-001-a", "starter", "cn-365", schedules.convention("cn-365").sha256, "0" * 64, 300_000, 144_000, 6,
                schedules.Method.LEVEL_PAYMENT, (ledger.Leg("lender", 1_000_000),),
            ),
            payment_order_id="po-001-a", value_date=work.today, signed_at=work.at,
        )  # fmt: skip
    desk.clock.step_to(datetime(2026, 10, 8, 2, tzinfo=UTC))
    async with desk.work() as work:
        loan = await ledger.find_loan(work, LI, LOAN)
        assert loan is not None
        await arrears.fall_behind(work, customer_id=LI, loan_id=LOAN, days_late=loan.days_late, overdue_fen=loan.overdue_fen)
        await contacts.order_message(
            work, customer_id=LI, message_id=CALL, channel=Channel.CALL, purpose=Purpose.COLLECTION, template="arrears.call-m1", params={},
            subject=LOAN, expires_at=work.at + timedelta(hours=9),
        )  # fmt: skip


async def let_out(desk: Desk) -> None:
    async with desk.work() as work:
        await contacts.ask_gate(work, customer_id=LI, message_id=CALL, closed_because="", may_market=False, limits=contact.limits_on(work.today))
        await contacts.note_sent(work, customer_id=LI, message_id=CALL)


async def test_a_call_is_answered_turn_by_turn_and_a_named_day_is_a_promise(desk):
    await late_loan(desk)
    with pytest.raises(NotFound):
        await talk.answer_turn(desk, call_id=CALL, n=1, heard="喂")
    await let_out(desk)
    heard = ["喂，哪位？", "是我，什么事？", "行，明天一早我存。"]
    for n, text in enumerate(heard, start=1):
        first, again = await asyncio.gather(*(talk.answer_turn(desk, call_id=CALL, n=n, heard=text) for _ in range(2)))
        assert first == again
        assert first.hang_up is (n == 3)
    async with desk.work() as work:
        (promise,) = await arrears.promises_of(work, LI)
        assert promise["day"] == date(2026, 10, 9)
    told = [{"by": "person", "text": "喂，哪位？"}, {"by": "agent", "text": "…"}, {"by": "person", "text": "好，再见。"}]
    callback = Callback("message", "ms-001-call-1", "message.call_ended", CALL, 1, desk.clock.now(), {"answered_by": "self", "turns": told})
    async with desk.work() as work:
        await receive(work, callback)
    await contact.on_call_ended(desk, callback)
    async with desk.work() as work:
        kept = (await contacts.export(work, LI))["calls"]
        raw = await work.connection.fetchval("select string_agg(encode(text_sealed, 'escape'), '') from contacts.call_turns")
    assert [row["text"] for row in kept if row["by"] == "person"] == [*heard, "好，再见。"]
    assert len(kept) == 7
    assert "明天" not in raw
