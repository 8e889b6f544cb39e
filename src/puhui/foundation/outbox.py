"""Outbox and inbox: facts leave and arrive in the same transaction as the rows they are about.

Outbox: `Work.emit` -> rows written at commit -> reactions, each event once, in order, in one transaction with what they do.
Inbox: a callback is stored under (service, event_id) before it is answered; it is handled once, in the transaction of its effect.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from puhui.foundation import sql
from puhui.foundation.work import Told, Work

if TYPE_CHECKING:
    from puhui.foundation.desk import Desk

SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True)
class Stored:
    """An event read back from the outbox: `seq` is its place, `body` its facts."""

    seq: int
    kind: str
    customer_id: str
    at: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Callback:
    """A fact told by an outside service, as PROTOCOLS 1.4 words it."""

    service: str
    event_id: str
    kind: str
    subject: str
    seq: int
    at: datetime
    data: Mapping[str, Any]


Reaction = Callable[[Work, Stored], Awaitable[None]]
Tail = Callable[[Work, Sequence[Stored]], Awaitable[None]]
Reader = Callable[["Desk", Callback], Awaitable[None]]


async def write(work: Work, told: Sequence[Told]) -> None:
    """Write what a Work told, at its end."""
    await SQL.add_events.run(
        work,
        kinds=[one.kind for one in told],
        customer_ids=[one.customer_id for one in told],
        ats=[one.at for one in told],
        bodies=[one.body.decode() for one in told],
    )


async def claim_events(work: Work, most: int) -> list[Stored]:
    """Lock and give the oldest events nobody has answered yet; they are answered with `answered` in the same Work."""
    if not await SQL.lock_dispatch.value(work):
        return []
    rows = await SQL.unanswered_events.rows(work, most=most)
    return [Stored(row["seq"], row["kind"], row["customer_id"], row["at"], row["body"]) for row in rows]


async def answered(work: Work, events: Sequence[Stored]) -> None:
    await SQL.answer_events.run(work, seqs=[event.seq for event in events], at=work.at)


async def park(work: Work, event: Stored, why: str) -> None:
    """Set an event aside whose reaction fails again and again; it stays visible in `outbox.parked` until it is sent anew."""
    await SQL.park_event.run(work, seq=event.seq, why=why[:500], at=work.at)


async def hold_dispatch(work: Work) -> None:
    """Wait until no event is being answered, and let none be until this Work ends."""
    await SQL.wait_for_dispatch.run(work)


async def read_events(work: Work, *, after: int, most: int, only_answered: bool = False) -> list[Stored]:
    """Read the log from a place on: boards are rebuilt from what has been answered."""
    rows = await SQL.events_after.rows(work, after=after, most=most, only_answered=only_answered)
    return [Stored(row["seq"], row["kind"], row["customer_id"], row["at"], row["body"]) for row in rows]


async def receive(work: Work, callback: Callback) -> bool:
    """Put a callback into the inbox; give False if it lies there already."""
    return (
        await SQL.receive_callback.run(
            work,
            service=callback.service,
            event_id=callback.event_id,
            kind=callback.kind,
            subject=callback.subject,
            seq=callback.seq,
            at=callback.at,
            data=dict(callback.data),
            received_at=work.at,
        )
        == 1
    )


async def unread(work: Work, most: int) -> list[Callback]:
    rows = await SQL.unread_callbacks.rows(work, most=most)
    return [
        Callback(row["service"], row["event_id"], row["kind"], row["subject"], row["seq"], row["at"], row["data"]) for row in rows
    ]


async def mark_read(work: Work, callback: Callback) -> bool:
    """Mark a callback as read, in the Work of its effect. False: another process has read it meanwhile; do nothing then."""
    return await SQL.read_callback.run(work, service=callback.service, event_id=callback.event_id, at=work.at) == 1


async def later(work: Work, callback: Callback, *, why: str) -> None:
    """Count a failed reading, so that one bad callback does not hold up the rest."""
    await SQL.postpone_callback.run(work, service=callback.service, event_id=callback.event_id, why=why[:500])
