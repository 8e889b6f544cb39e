"""The runner: reads the inbox, runs due flows, answers events, until nothing is left to do. The same for a live worker and a stepped run."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from puhui.foundation import flows, metrics, outbox
from puhui.foundation.clock import ClockMode
from puhui.foundation.desk import AWAY, Desk
from puhui.foundation.flows import LeaseLost, Turn, Waiting
from puhui.foundation.logs import log
from puhui.foundation.outbox import Callback, Stored
from puhui.foundation.work import Work

BATCH = 64
AT_ONCE = 8
SINGLY = 8
TRIALS = 3
REST_S = 0.1


async def run_now(desk: Desk, flow_id: str, *, patience_s: float = 0.8) -> bool:
    """Run one flow at once, in this process; give whether it came to rest within `patience_s` real seconds. If not, it goes on behind us.

    In a stepped run patience has no end: nothing else moves meanwhile.
    """
    task = asyncio.create_task(_claim_and_run(desk, flow_id))
    desk.held.setdefault("tasks", set()).add(task)
    task.add_done_callback(desk.held["tasks"].discard)
    done, _ = await asyncio.wait({task}, timeout=None if desk.clock.mode is ClockMode.STEPPED else patience_s)
    if done:
        task.result()
    return bool(done)


async def drain(desk: Desk, until: datetime | None = None) -> int:
    """Do everything due up to `until` (now, if none is given) and give how much was done."""
    did, _ = await drain_and_look(desk, until)
    return did


async def drain_and_look(desk: Desk, until: datetime | None = None) -> tuple[int, Waiting]:
    """Do everything due: inbox, flows, events, in turn, until nothing waits; give how much was done, and the last look."""
    total = 0
    while True:
        looked = await look(desk, until)
        did = 0
        if looked.has_callbacks:
            did += await read_inbox(desk)
        if looked.has_flows:
            did += await run_due(desk, until or desk.clock.now())
        if looked.has_events:
            did += await dispatch(desk)
        if not did:
            return total, looked
        total += did


async def look(desk: Desk, until: datetime | None = None) -> Waiting:
    """See what waits, without doing it."""
    async with desk.look() as work:
        return await flows.waiting(work, until or work.at)


async def serve(desk: Desk, stop: asyncio.Event) -> None:
    """Work until told to stop; a database that is away is waited for, a fault is logged and does not end the loop."""
    while not stop.is_set():
        try:
            did = await drain(desk) if desk.clock.mode is not ClockMode.STEPPED else 0
        except AWAY as error:
            log.warning("runner.database-away", error=type(error).__name__)
            did = 0
            await asyncio.sleep(1)
        if not did:
            desk.stirred.clear()
            waits = {asyncio.create_task(desk.stirred.wait()), asyncio.create_task(stop.wait())}
            _, pending = await asyncio.wait(waits, timeout=REST_S, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()


async def run_due(desk: Desk, until: datetime) -> int:
    """Claim and run the flows due by `until`, a batch at a time, some of them side by side."""
    total = 0
    while True:
        async with desk.work(durable=False) as work:
            turns = await flows.claim_due(work, owner=desk.owner, until=until, most=BATCH)
        if not turns:
            return total
        total += len(turns)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(turn: Turn, gate: asyncio.Semaphore = gate) -> None:
            async with gate:
                await run_turn(desk, turn)

        await asyncio.gather(*(one(turn) for turn in turns))
        if len(turns) < BATCH:
            return total


async def run_turn(desk: Desk, turn: Turn) -> None:
    """Run a claimed flow from step to step while it is due; a fault gives it back with a growing pause."""
    at: Turn | None = turn
    while at is not None:
        current = at
        try:
            with metrics.timed(metrics.TURNS, current.name):
                at = await desk.wiring.steps[current.name](desk, current)
        except LeaseLost:
            return
        except Exception as error:  # noqa: BLE001  (whatever happened, the flow must not be lost)
            log.error("flow.fault", flow=current.name, flow_id=current.flow_id, error=f"{type(error).__name__}", exc_info=True)
            async with desk.work() as work:
                pause = timedelta(seconds=min(2 ** min(current.attempts, 10), 600))
                await flows.give_back(work, current, due=work.at + pause)
            return


async def _claim_and_run(desk: Desk, flow_id: str) -> None:
    async with desk.work(durable=False) as work:
        turn = await flows.claim_one(work, flow_id, owner=desk.owner)
    if turn is not None:
        await run_turn(desk, turn)


async def dispatch(desk: Desk) -> int:
    """Answer the events nobody has answered: a batch in one transaction; if one of them fails, one by one, and the bad one is set aside."""
    total = 0
    while did := await _dispatch_batch(desk):
        total += did
    return total


async def _dispatch_batch(desk: Desk) -> int:
    try:
        async with desk.work() as work:
            events = await outbox.claim_events(work, BATCH)
            for event in events:
                await _react(desk, work, event)
            if events:
                await _follow(desk, work, events)
                await outbox.answered(work, events)
        return len(events)
    except AWAY:
        raise
    except Exception as error:  # noqa: BLE001  (one event must not hold up the others)
        log.error("outbox.fault", error=type(error).__name__, exc_info=True)
        return await _dispatch_singly(desk)


async def _dispatch_singly(desk: Desk) -> int:
    """Answer the oldest events one by one. One that fails three times running is set aside, so that it does not hold up the others."""
    for done in range(SINGLY):
        for trial in range(1, TRIALS + 1):
            event: Stored | None = None
            try:
                async with desk.work() as work:
                    event = next(iter(await outbox.claim_events(work, 1)), None)
                    if event is None:
                        return done
                    await _react(desk, work, event)
                    await _follow(desk, work, [event])
                    await outbox.answered(work, [event])
            except AWAY:
                raise
            except Exception as error:
                if event is None:
                    raise
                log.error("outbox.fault", kind=event.kind, seq=event.seq, trial=trial, error=type(error).__name__, exc_info=True)
                if trial == TRIALS:
                    await _set_aside(desk, event, error)
            else:
                break
    return SINGLY


async def _set_aside(desk: Desk, event: Stored, error: Exception) -> None:
    async with desk.work() as work:
        await _follow(desk, work, [event])
        await outbox.park(work, event, f"{type(error).__name__}: {error}")
        work.after_commit.append(metrics.SET_ASIDE.labels(event.kind).inc)


async def _react(desk: Desk, work: Work, event: Stored) -> None:
    for reaction in desk.wiring.reactions.get(event.kind, ()):
        await reaction(work, event)
    work.after_commit.append(metrics.EVENTS.labels(event.kind).inc)


async def _follow(desk: Desk, work: Work, events: Sequence[Stored]) -> None:
    for tail in desk.wiring.tails:
        await tail(work, events)


async def read_inbox(desk: Desk) -> int:
    """Read the callbacks that wait, different subjects side by side, those of one subject in order of `seq`."""
    async with desk.look() as work:
        waiting = await outbox.unread(work, BATCH)
    subjects: dict[tuple[str, str], list[Callback]] = {}
    for callback in sorted(waiting, key=lambda one: one.seq):
        subjects.setdefault((callback.service, callback.subject), []).append(callback)
    gate = asyncio.Semaphore(AT_ONCE)

    async def in_order(callbacks: list[Callback]) -> None:
        async with gate:
            for callback in callbacks:
                await read_one(desk, callback)

    await asyncio.gather(*(in_order(callbacks) for callbacks in subjects.values()))
    return len(waiting)


async def read_one(desk: Desk, callback: Callback) -> None:
    """Read one callback. Its reader marks it read in the Work of its effect; one without a reader is only marked."""
    reader = desk.wiring.callbacks.get(callback.kind)
    kind = callback.kind if reader else "other"  # what others name is no label of ours
    try:
        if reader is not None:
            await reader(desk, callback)
        else:
            async with desk.work() as work:
                await outbox.mark_read(work, callback)
        metrics.CALLBACKS.labels(kind, "done").inc()
    except AWAY:
        raise
    except Exception as error:  # noqa: BLE001  (one bad callback must not hold up the rest)
        log.error("inbox.fault", kind=callback.kind, event_id=callback.event_id, error=type(error).__name__, exc_info=True)
        async with desk.work() as work:
            await outbox.later(work, callback, why=f"{type(error).__name__}")
        metrics.CALLBACKS.labels(kind, "fault").inc()
