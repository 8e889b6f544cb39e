"""What the room does: take an order to send, judge it at the gate, note what came of it, and hear a no."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from puhui.foundation.days import business_date
from puhui.foundation.refusals import NotFound
from puhui.foundation.work import Work
from puhui.rooms.contacts import store
from puhui.rooms.contacts.gate import Answer, Channel, Facts, Limits, Purpose, Verdict, may_contact
from puhui.rooms.contacts.store import MessageOrder
from puhui.vocabulary.events import MessageSent, OptedOut


async def order_message(
    work: Work,
    *,
    customer_id: str,
    message_id: str,
    channel: Channel,
    purpose: Purpose,
    template: str,
    params: Mapping[str, Any],
    subject: str,
    expires_at: datetime,
) -> bool:
    """Take an order to send; the same `message_id` again takes nothing. Gives whether it is new. Nothing is sent before the gate allows it."""
    order = MessageOrder(customer_id, message_id, channel, purpose, template, params, subject, "waiting", None, work.at, expires_at)
    return await store.add_order(work, order)


async def ask_gate(
    work: Work, *, customer_id: str, message_id: str, closed_because: str, may_market: bool, limits: Limits
) -> tuple[MessageOrder, Answer]:
    """Judge a waiting order now. Allowed: it counts from this moment. Refused for good or past its time: it ends. Every asking is kept.

    Asked again when it is already allowed (a repeat after a crash), it stays allowed and counts once.
    """
    await store.lock_person(work, customer_id)
    order = await _demand(work, customer_id, message_id)
    if order.state != "waiting":
        return order, Answer(Verdict.ALLOWED if order.state in {"allowed", "sent"} else Verdict.CLOSED)
    today = business_date(work.at)
    facts = await store.facts_of(work, customer_id, today, closed_because=closed_because, may_market=may_market)
    answer = may_contact(order.purpose, work.at, facts, limits)
    await store.add_attempt(work, order, today, answer.verdict, limits.versions)
    if answer.is_allowed:
        await store.set_state(work, order, "allowed")
    elif answer.again_at is None or answer.again_at >= order.expires_at:
        await store.set_state(work, order, "refused", answer.verdict.value)
        answer = Answer(answer.verdict)
    return order, answer


async def note_sent(work: Work, *, customer_id: str, message_id: str) -> None:
    """Note that the message service took the order."""
    order = await _demand(work, customer_id, message_id)
    if order.state == "allowed":
        await store.set_state(work, order, "sent")
        work.emit(MessageSent(customer_id, message_id, order.purpose.value, order.template))


async def note_refused(work: Work, *, customer_id: str, message_id: str, code: str) -> None:
    """Note that the message service refused the order for good (`message.invalid-number`, `message.opted-out`, ...)."""
    order = await _demand(work, customer_id, message_id)
    await store.set_state(work, order, "failed", code)


async def note_end(work: Work, *, message_id: str, state: str, code: str | None = None, is_answered: bool = False) -> MessageOrder:
    """Note how it ended: `delivered`, `failed` or (a call) `ended`; an answered call counts as connected. Raises NotFound."""
    order = await store.find_order_by_id(work, message_id)
    if order is None:
        raise NotFound(what="message", which=message_id)
    await store.set_state(work, order, state, code)
    if is_answered:
        await store.mark_answered(work, order)
    return order


async def gate_now(
    work: Work, *, customer_id: str, closed_because: str, may_market: bool, limits: Limits
) -> tuple[Facts, dict[Purpose, Answer]]:
    """Say what the gate would answer for this person right now, by purpose; nothing is counted by asking."""
    facts = await store.facts_of(work, customer_id, business_date(work.at), closed_because=closed_because, may_market=may_market)
    return facts, {purpose: may_contact(purpose, work.at, facts, limits) for purpose in Purpose}


async def opt_out(work: Work, *, customer_id: str, purpose: Purpose) -> bool:
    """Hear a no: from this instant the gate refuses this purpose on every channel. Gives whether it is new."""
    is_new = await store.add_opt_out(work, customer_id, purpose)
    if is_new:
        work.emit(OptedOut(customer_id, purpose.value))
    return is_new


async def export(work: Work, customer_id: str) -> dict[str, Any]:
    """Give what the room knows of a person, for that person alone."""
    orders = await store.orders_of(work, customer_id, most=10_000)
    return {
        "messages": [
            {"at": one.wanted_at.isoformat(), "channel": one.channel.value, "purpose": one.purpose.value, "template": one.template, "state": one.state}
            for one in orders
        ],
        "attempts": [
            {"at": one["at"].isoformat(), "purpose": one["purpose"], "verdict": one["verdict"], "answered": one["is_answered"]}
            for one in await store.attempts_of(work, customer_id)
        ],
        "calls": await store.turns_of(work, customer_id),
    }


async def erase(work: Work, customer_id: str) -> dict[str, str]:
    """Nothing is erased: true and complete contact records are kept as long as the collection rules demand. Gives what stays and why."""
    attempts = await store.attempts_of(work, customer_id)
    return {"contacts.attempts": "cn.consumer-finance-company collection_record_years"} if attempts else {}


async def _demand(work: Work, customer_id: str, message_id: str) -> MessageOrder:
    order = await store.find_order(work, customer_id, message_id)
    if order is None:
        raise NotFound(what="message", which=message_id)
    return order
