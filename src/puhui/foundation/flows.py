"""Durable flows: what must go on, however often processes die.

A flow is one row: its kind, whose it is, its subject, the step it stands at, a small state, and when it is due. A runner claims due
flows with SKIP LOCKED under a lease (real time) and a fencing token; a step asks the outside world first, then opens one Work in which
its business rows and `move` (or `end`) commit together. A token that is no longer the row's own is refused, so a runner that was
thought dead changes nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from puhui.foundation import sql
from puhui.foundation.refusals import Refusal
from puhui.foundation.work import Work

if TYPE_CHECKING:
    from puhui.foundation.desk import Desk

SQL = sql.load(__file__)
LEASE_S = 30


class LeaseLost(Refusal):
    """The flow {flow_id} was taken over by another runner; this one changed nothing."""

    code = "flows.lease-lost"
    status = 409
    retry = "later"


@dataclass(frozen=True, slots=True)
class Turn:
    """A claimed flow in hand. `at` is the instant of the claim, `attempts` counts the claims of this step, from 1."""

    flow_id: str
    customer_id: str
    kind: str
    subject: str
    step: str
    state: Mapping[str, Any]
    due: datetime
    token: int
    attempts: int

    @property
    def name(self) -> str:
        return f"{self.kind}.{self.step}"


Step = Callable[["Desk", Turn], Awaitable[Turn | None]]


async def start(
    work: Work, *, flow_id: str, customer_id: str, kind: str, subject: str, step: str, due: datetime | None = None, state: Mapping[str, Any] | None = None
) -> bool:
    """Start a flow, due now if no time is given; the same `flow_id` again starts nothing. Gives whether it is new."""
    started = await SQL.start_flow.run(
        work,
        flow_id=flow_id,
        customer_id=customer_id,
        kind=kind,
        subject=subject,
        step=step,
        due=work.clock.on_tick(due or work.at),
        state=dict(state or {}),
        at=work.at,
    )
    return started == 1


async def move(work: Work, turn: Turn, *, step: str | None = None, due: datetime | None = None, state: Mapping[str, Any] | None = None) -> Turn | None:
    """Put the flow at its next step in this Work; give the next turn if it is due now (the lease is kept), else None. Raises LeaseLost.

    The same step again with a later `due` is a retry: `attempts` goes on counting.
    """
    when = work.clock.on_tick(due) if due else work.at
    at_once = when <= work.at
    row = await SQL.move_flow.row(
        work,
        flow_id=turn.flow_id,
        token=turn.token,
        step=step or turn.step,
        due=when,
        state=dict(turn.state if state is None else state),
        keep_lease=at_once,
        attempts=1 if step and step != turn.step else turn.attempts + (1 if at_once else 0),
    )
    if row is None:
        raise LeaseLost(flow_id=turn.flow_id)
    return _turn(row) if at_once else None


async def end(work: Work, turn: Turn) -> None:
    """End the flow in this Work. Raises LeaseLost."""
    if not await SQL.end_flow.run(work, flow_id=turn.flow_id, token=turn.token, at=work.at):
        raise LeaseLost(flow_id=turn.flow_id)


async def wake(work: Work, flow_id: str, *, step: str | None = None, state: Mapping[str, Any] | None = None) -> bool:
    """Make a sleeping flow due now, as a callback does; `step` and `state` change it on the way. A runner in the middle of it loses its token.

    Gives False if there is no such living flow.
    """
    return await SQL.wake_flow.run(work, flow_id=flow_id, due=work.at, step=step, state=None if state is None else dict(state)) == 1


async def find(work: Work, flow_id: str) -> Turn | None:
    """Give the flow as it stands, living or ended, without claiming it."""
    row = await SQL.find_flow.row(work, flow_id=flow_id)
    return _turn(row) if row else None


async def is_living(work: Work, flow_id: str) -> bool:
    return bool(await SQL.is_living.value(work, flow_id=flow_id))


async def claim_due(work: Work, *, owner: str, until: datetime, most: int) -> list[Turn]:
    """Claim up to `most` flows due by `until`, in order of (due, id). Commits with the Work, before any step runs."""
    rows = await SQL.claim_due.rows(work, owner=owner, until=until, most=most, lease_s=LEASE_S)
    return sorted((_turn(row) for row in rows), key=lambda turn: (turn.due, turn.flow_id))


async def claim_one(work: Work, flow_id: str, *, owner: str) -> Turn | None:
    """Claim one flow by name if it is due and free."""
    row = await SQL.claim_one.row(work, flow_id=flow_id, owner=owner, until=work.at, lease_s=LEASE_S)
    return _turn(row) if row else None


async def give_back(work: Work, turn: Turn, *, due: datetime) -> None:
    """Let go of a flow whose step failed by a fault; it is due again later. Silent if the lease is already another's."""
    await SQL.give_back.run(work, flow_id=turn.flow_id, token=turn.token, due=work.clock.on_tick(due))


async def forget_leases(work: Work, owner: str) -> int:
    """Drop the leases of a runner that has just started anew under the same name: what it held before, it no longer holds."""
    return await SQL.forget_leases.run(work, owner=owner)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What there is to do up to an instant, and when a flow is due next (None: none lives)."""

    has_callbacks: bool
    has_flows: bool
    has_events: bool
    next_due: datetime | None

    @property
    def is_nothing(self) -> bool:
        return not (self.has_callbacks or self.has_flows or self.has_events)


async def waiting(work: Work, until: datetime) -> Waiting:
    """Look what waits, callbacks and events included, in one statement."""
    row = await SQL.waiting.row(work, until=until)
    assert row is not None
    return Waiting(row["has_callbacks"], row["has_flows"], row["has_events"], row["next_due"])


async def next_due(work: Work) -> datetime | None:
    due: datetime | None = await SQL.next_due.value(work)
    return due


async def sealed_under(work: Work, name: str) -> list[int]:
    """Give the key of the ring that each cell sealed under `name` in the state of a living flow is under."""
    return [row["key_id"] for row in await SQL.sealed_in_flows.rows(work, name=name)]


def _turn(row: sql.Row) -> Turn:
    return Turn(
        row["flow_id"], row["customer_id"], row["kind"], row["subject"], row["step"], row["state"], row["due"], row["token"], row["attempts"]
    )
