"""The rows of the room: message orders, attempts, opt-outs, what was said in calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from puhui.foundation import sql
from puhui.foundation.crypto import Sealed
from puhui.foundation.work import Work
from puhui.rooms.contacts.gate import Channel, Facts, Purpose, Verdict

SQL = sql.load(__file__)
SEALED = (
    Sealed("contacts.call_turns", "text_sealed", "contacts.turn"),
)


@dataclass(frozen=True, slots=True)
class MessageOrder:
    """Our instruction to send, with its own key. `params` fill the template and hold no name, number or amount of another."""

    customer_id: str
    message_id: str
    channel: Channel
    purpose: Purpose
    template: str
    params: Mapping[str, Any]
    subject: str
    state: str
    code: str | None
    wanted_at: datetime
    expires_at: datetime
    sent_at: datetime | None = None
    ended_at: datetime | None = None


async def add_order(work: Work, order: MessageOrder) -> bool:
    return (
        await SQL.add_order.run(
            work,
            customer_id=order.customer_id,
            message_id=order.message_id,
            channel=order.channel.value,
            purpose=order.purpose.value,
            template=order.template,
            params=dict(order.params),
            subject=order.subject,
            wanted_at=order.wanted_at,
            expires_at=order.expires_at,
        )
        == 1
    )


async def find_order(work: Work, customer_id: str, message_id: str) -> MessageOrder | None:
    row = await SQL.find_order.row(work, customer_id=customer_id, message_id=message_id)
    return _order(row) if row else None


async def find_order_by_id(work: Work, message_id: str) -> MessageOrder | None:
    row = await SQL.find_order_by_id.row(work, message_id=message_id)
    return _order(row) if row else None


async def orders_of(work: Work, customer_id: str, *, most: int) -> list[MessageOrder]:
    return [_order(row) for row in await SQL.orders_of.rows(work, customer_id=customer_id, most=most)]


async def set_state(work: Work, order: MessageOrder, state: str, code: str | None = None) -> None:
    await SQL.set_state.run(work, customer_id=order.customer_id, message_id=order.message_id, state=state, code=code, at=work.at)


async def lock_person(work: Work, customer_id: str) -> None:
    await SQL.lock_person.run(work, customer_id=customer_id)


async def add_attempt(work: Work, order: MessageOrder, local_day: date, verdict: Verdict, versions: Sequence[str]) -> None:
    await SQL.add_attempt.run(
        work,
        customer_id=order.customer_id,
        message_id=order.message_id,
        channel=order.channel.value,
        purpose=order.purpose.value,
        local_day=local_day,
        at=work.at,
        verdict=verdict.value,
        versions=list(versions),
    )


async def mark_answered(work: Work, order: MessageOrder) -> None:
    await SQL.mark_answered.run(work, customer_id=order.customer_id, message_id=order.message_id)


async def facts_of(work: Work, customer_id: str, today: date, *, closed_because: str, may_market: bool) -> Facts:
    """Count what the room knows of a person's day; the rest of the facts is handed in."""
    counts = await SQL.counts.row(work, customer_id=customer_id, today=today)
    assert counts is not None
    out = await SQL.opted_out.rows(work, customer_id=customer_id, at=work.at)
    return Facts(
        attempts_today=counts["attempts_today"],
        answered_today=counts["answered_today"],
        marketing_today=counts["marketing_today"],
        marketing_this_week=counts["marketing_this_week"],
        opted_out=frozenset(Purpose(row["purpose"]) for row in out),
        closed_because=closed_because,
        may_market=may_market,
    )


async def add_opt_out(work: Work, customer_id: str, purpose: Purpose) -> bool:
    return await SQL.add_opt_out.run(work, customer_id=customer_id, purpose=purpose.value, at=work.at) == 1


async def add_turn(work: Work, order: MessageOrder, said_by: str, text: str) -> None:
    k = await SQL.next_turn.value(work, customer_id=order.customer_id, message_id=order.message_id)
    sealed = work.keys.seal("contacts.turn", order.customer_id, text)
    await SQL.add_turn.run(work, customer_id=order.customer_id, message_id=order.message_id, k=k, said_by=said_by, text_sealed=sealed)


async def attempts_of(work: Work, customer_id: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await SQL.attempts_of.rows(work, customer_id=customer_id)]


async def turns_of(work: Work, customer_id: str) -> list[dict[str, Any]]:
    rows = await SQL.turns_of.rows(work, customer_id=customer_id)
    return [
        {
            "message_id": row["message_id"],
            "by": row["said_by"],
            "text": work.keys.open_text("contacts.turn", customer_id, row["text_sealed"]),
        }
        for row in rows
    ]


async def gate_breaches(work: Work, attempts_per_day_max: int) -> list[dict[str, Any]]:
    return [dict(row) for row in await SQL.gate_breaches.rows(work, attempts_per_day_max=attempts_per_day_max)]


def _order(row: sql.Row) -> MessageOrder:
    return MessageOrder(
        row["customer_id"],
        row["message_id"],
        Channel(row["channel"]),
        Purpose(row["purpose"]),
        row["template"],
        row["params"],
        row["subject"],
        row["state"],
        row["code"],
        row["wanted_at"],
        row["expires_at"],
        row["sent_at"],
        row["ended_at"],
    )
