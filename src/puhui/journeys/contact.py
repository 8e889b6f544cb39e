"""Telling a person something: order, gate, send, and what came back. Whoever wants contact comes through `tell`.

The order commits first; the gate judges it in the Work in which it starts to count; only then is the message service asked, under the
order's own key. A refusal for the night waits for the morning; a refusal for good ends the order and is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from puhui.engines import law
from puhui.engines.law import ContactRules, MarketingRules
from puhui.foundation import flows, outbox
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.outbox import Callback, Reader
from puhui.foundation.services import Unknown
from puhui.foundation.work import Actor, Work
from puhui.rooms import contacts, customers
from puhui.rooms.contacts import Channel, Limits, MessageOrder, Purpose
from puhui.vocabulary.ids import derive

ACTOR = Actor("house", "contact")
TRY_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Wish:
    """What someone wants to tell a person: which words, why, about what, and for how long it makes sense."""

    template: str
    purpose: Purpose
    subject: str
    params: Mapping[str, Any]
    channel: Channel = Channel.SMS
    within: timedelta = timedelta(days=1)


async def tell(work: Work, *, customer_id: str, parent: str, verb: str, wish: Wish, k: int = 1) -> str:
    """Order a message in this Work and start the flow that brings it through the gate; give its id. The same wish again is the same message."""
    message_id = derive("ms", customer_id, parent, verb, k)
    await contacts.order_message(
        work,
        customer_id=customer_id,
        message_id=message_id,
        channel=wish.channel,
        purpose=wish.purpose,
        template=wish.template,
        params=wish.params,
        subject=wish.subject,
        expires_at=work.at + wish.within,
    )
    await flows.start(
        work, flow_id=derive("fl", customer_id, message_id, "message"), customer_id=customer_id, kind="message", subject=message_id, step="gate"
    )
    return message_id


def limits_on(day: date) -> Limits:
    """Give the gate's numbers from the packs in force on a day."""
    laws = law.shipped()
    contact, marketing = laws.ask(ContactRules, on=day), laws.ask(MarketingRules, on=day)
    assert contact.connected_calls_per_day_max is not None
    assert contact.unanswered_attempts_per_day_max is not None
    return Limits(
        quiet_from=contact.quiet_from,
        quiet_until=contact.quiet_until,
        answered_per_day_max=contact.connected_calls_per_day_max,
        attempts_per_day_max=contact.unanswered_attempts_per_day_max,
        marketing_from=marketing.allowed_from,
        marketing_until=marketing.allowed_until,
        marketing_per_day_max=marketing.per_day_max,
        marketing_per_week_max=marketing.per_week_max,
        versions=tuple(f"{ref.pack}@{ref.since}" for ref in (*contact.refs, *marketing.refs)),
    )


async def ask_gate(desk: Desk, turn: Turn) -> Turn | None:
    """Step `message.gate`: judge the order now; allowed, it is sent at once."""
    async with desk.work(ACTOR) as work:
        standing = await customers.contact_standing(work, turn.customer_id)
        order, answer = await contacts.ask_gate(
            work,
            customer_id=turn.customer_id,
            message_id=turn.subject,
            closed_because=standing.closed_because,
            may_market=standing.may_market,
            limits=limits_on(work.today),
        )
        phone = await customers.phone_of(work, turn.customer_id)
        if answer.is_allowed and phone and order.state in {"waiting", "allowed"}:
            following = await flows.move(work, turn, step="send")
        elif answer.again_at is not None:
            return await flows.move(work, turn, due=answer.again_at.astimezone(UTC))
        else:
            await flows.end(work, turn)
            return None
    assert following is not None
    assert phone is not None
    return await _send(desk, following, order, phone)


async def send(desk: Desk, turn: Turn) -> Turn | None:
    """Step `message.send`: reached alone only after a crash between gate and service; the same key, so the same message."""
    async with desk.work(ACTOR) as work:
        order = await contacts.find_order(work, turn.customer_id, turn.subject)
        phone = await customers.phone_of(work, turn.customer_id)
        if order is None or phone is None or order.state != "allowed":
            await flows.end(work, turn)
            return None
    return await _send(desk, turn, order, phone)


async def _send(desk: Desk, turn: Turn, order: MessageOrder, phone: str) -> Turn | None:
    window = {"not_before": order.wanted_at.isoformat(), "not_after": order.expires_at.isoformat()}
    answer = await contacts.send(desk.service("message"), order, phone=phone, **window)
    async with desk.work(ACTOR) as work:
        if isinstance(answer, Unknown) or answer.status in {401, 403, 429, 503}:
            return await flows.move(work, turn, due=work.at + TRY_AGAIN)
        if answer.is_good:
            await contacts.note_sent(work, customer_id=turn.customer_id, message_id=turn.subject)
        else:
            await contacts.note_refused(work, customer_id=turn.customer_id, message_id=turn.subject, code=answer.code)
        await flows.end(work, turn)
    return None


async def on_delivered(desk: Desk, callback: Callback) -> None:
    async with desk.work(ACTOR) as work:
        if await outbox.mark_read(work, callback):
            await contacts.note_end(work, message_id=callback.subject, state="delivered")


async def on_failed(desk: Desk, callback: Callback) -> None:
    async with desk.work(ACTOR) as work:
        if await outbox.mark_read(work, callback):
            await contacts.note_end(work, message_id=callback.subject, state="failed", code=str(callback.data.get("code", "")))


async def on_reply(desk: Desk, callback: Callback) -> None:
    """Hear a reply: the words that end marketing end it on every channel, from this instant."""
    async with desk.work(ACTOR) as work:
        if not await outbox.mark_read(work, callback):
            return
        order = await contacts.find_order_by_id(work, callback.subject)
        words = law.shipped().ask(MarketingRules, on=work.today).opt_out_words
        if order and str(callback.data.get("text", "")).strip().upper() in words:
            await contacts.opt_out(work, customer_id=order.customer_id, purpose=Purpose.MARKETING)


async def on_call_ended(desk: Desk, callback: Callback) -> None:
    """Hear how a call ended; answered by anyone it counts as connected, and what was said is kept sealed."""
    async with desk.work(ACTOR) as work:
        if not await outbox.mark_read(work, callback):
            return
        answered_by = str(callback.data.get("answered_by", "nobody"))
        order = await contacts.note_end(
            work, message_id=callback.subject, state="ended", code=answered_by, is_answered=answered_by in {"self", "other"}
        )
        await contacts.note_talk(work, order, callback.data.get("turns", []))


STEPS: Mapping[str, Step] = {"message.gate": ask_gate, "message.send": send}
CALLBACKS: Mapping[str, Reader] = {
    "message.delivered": on_delivered,
    "message.failed": on_failed,
    "message.reply": on_reply,
    "message.call_ended": on_call_ended,
}
