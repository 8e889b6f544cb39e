"""Timers of the town: kept in the store, run in order of (due, timer id) by handlers known by name.

A timer is dropped in the same commit as the effects of its handler. A handler that waits for something outside may run again after a kill,
so it must be able to. In stepped runs only `run_to` runs timers; handlers marked `overlap` that are due at one instant run side by side.
"""

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec

from puhui_town.wire.clock import Clock, ClockMode
from puhui_town.wire.store import Store
from puhui_town.wire.words import from_ms, to_ms

log = logging.getLogger("puhui_town.scheduler")

SIDE_BY_SIDE = 16


class Timer(msgspec.Struct, frozen=True):
    """Something to be done at an instant of the run."""

    timer_id: str
    due_ms: int
    handler: str
    args: dict[str, Any] = {}

    @property
    def due(self) -> datetime:
        return from_ms(self.due_ms)


Handler = Callable[[Timer], Awaitable[None] | None]


class Scheduler:
    """The timers of one process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._timers = store.table("wire.timers", Timer)
        self._clock_rows = store.table("wire.clock", dict)
        self._handlers: dict[str, tuple[Handler, bool]] = {}
        self._heap = [(timer.due_ms, timer.timer_id) for timer in self._timers.values()]
        heapq.heapify(self._heap)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_ms = 0
        self._running: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(SIDE_BY_SIDE * 4)

    def handle(self, name: str, handler: Handler, *, overlap: bool = False) -> None:
        """Say who answers timers of that name. `overlap`: those due at one instant may run side by side, in any order."""
        self._handlers[name] = (handler, overlap)

    def at(self, due: datetime, timer_id: str, handler: str, args: dict[str, Any] | None = None) -> None:
        """Set a timer; one of the same id is replaced. In stepped runs `due` is rounded up to the tick."""
        due_ms = to_ms(self._clock.on_tick(due))
        self._timers.put(timer_id, Timer(timer_id, due_ms, handler, args or {}))
        heapq.heappush(self._heap, (due_ms, timer_id))
        self._wake()

    def after(self, seconds: float, timer_id: str, handler: str, args: dict[str, Any] | None = None) -> None:
        """Set a timer a span ahead; under the fast clock spans under an hour are real seconds."""
        self.at(self._clock.later(seconds), timer_id, handler, args)

    def drop(self, timer_id: str) -> None:
        """Take a timer back; nothing happens if it is not set."""
        self._timers.drop(timer_id)

    def find(self, timer_id: str) -> Timer | None:
        return self._timers.get(timer_id)

    def next_due_ms(self) -> int | None:
        """Give the instant of the next timer, or None."""
        heap = self._heap
        while heap:
            due_ms, timer_id = heap[0]
            timer = self._timers.get(timer_id)
            if timer is not None and timer.due_ms == due_ms and timer_id not in self._running:
                return due_ms
            heapq.heappop(heap)
        return None

    async def run_to(self, to: datetime) -> int:
        """Do everything due up to `to`, moving the stepped clock along, and give how many timers ran."""
        did = 0
        while (due_ms := self.next_due_ms()) is not None and due_ms <= to_ms(to):
            self._move(from_ms(due_ms))
            did += await self._run_one_instant(due_ms)
        self._move(to)
        return did

    def _move(self, to: datetime) -> None:
        """Move the stepped clock forward; where it stands is kept in the same commit as what is done then."""
        if to > self._clock.now():
            self._clock.move_to(to)
            self._clock_rows.put("now", self._clock.stored())

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let timers run by themselves (live and fast)."""
        if self._clock.mode is not ClockMode.STEPPED:
            self._loop = loop
            self._wake()

    def stop(self) -> None:
        self._loop = None
        if self._alarm:
            self._alarm.cancel()
        for task in self._running.values():
            task.cancel()

    async def _run_one_instant(self, due_ms: int) -> int:
        """Run what is due at this instant now: one by one, or a stretch of overlapping ones side by side."""
        batch: list[Timer] = []
        while self.next_due_ms() == due_ms and len(batch) < SIDE_BY_SIDE:
            timer = self._timers[self._heap[0][1]]
            overlaps = self._handlers[timer.handler][1]
            if batch and not overlaps:
                break
            heapq.heappop(self._heap)
            batch.append(timer)
            if not overlaps:
                break
        await asyncio.gather(*(self._run(timer) for timer in batch))
        return len(batch)

    async def _run(self, timer: Timer) -> None:
        result = self._handlers[timer.handler][0](timer)
        if result is not None:
            await result
        self._finish(timer)
        self._store.commit()

    def _finish(self, timer: Timer) -> None:
        """Drop the timer, unless its own handler has set it anew."""
        if self._timers.get(timer.timer_id) is timer:
            self._timers.drop(timer.timer_id)

    def _wake(self) -> None:
        if self._loop is None:
            return
        due_ms = self.next_due_ms()
        if due_ms is None or (self._alarm is not None and self._alarm_ms <= due_ms and not self._alarm.cancelled()):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_ms = due_ms
        self._alarm = self._loop.call_later(self._clock.real_seconds_until(due_ms), self._ring)

    def _ring(self) -> None:
        """Run what is due now; what waits for the outside runs as a task."""
        self._alarm = None
        while self._loop is not None and (due_ms := self.next_due_ms()) is not None and due_ms <= self._clock.now_ms():
            _, timer_id = heapq.heappop(self._heap)
            timer = self._timers[timer_id]
            try:
                result = self._handlers[timer.handler][0](timer)
            except Exception:
                log.exception("timer %s failed", timer.handler)
                self._finish(timer)
                continue
            if result is None:
                self._finish(timer)
                continue
            self._running[timer_id] = self._loop.create_task(self._wait(timer, result))
        self._store.commit()
        self._wake()

    async def _wait(self, timer: Timer, result: Awaitable[None]) -> None:
        try:
            async with self._room:
                await result
        except asyncio.CancelledError:
            return
        except Exception:
            log.exception("timer %s failed", timer.handler)
        self._running.pop(timer.timer_id, None)
        self._finish(timer)
        again = self._timers.get(timer.timer_id)
        if again is not None:
            heapq.heappush(self._heap, (again.due_ms, timer.timer_id))
        self._store.commit()
        self._wake()
