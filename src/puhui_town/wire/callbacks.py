"""Callbacks to the platform: numbered per subject, at least once, in any order; and the list of all of them, the lost ones too.

A callback not answered by a signed 204 within 2 s comes again after 1, 5, 30, 120, 600 s, then hourly for 24 h. The channel of a service is
its path without slashes at the ends (`rail`, `funder/funder-07`); callbacks of all funders go to `/callbacks/funder`, signed by the funder.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from puhui_town.wire.client import PlatformClient, Unanswered
from puhui_town.wire.clock import Clock
from puhui_town.wire.faults import DELIVERY_ATTEMPTS, Fault, Faults
from puhui_town.wire.scheduler import Scheduler, Timer
from puhui_town.wire.store import Store, Table
from puhui_town.wire.words import instant, instant_of

RETRIES_S = (1, 5, 30, 120, 600, *([3600] * 24))
PAGE = 500
HELD_S = 600
PATIENCE_S = 2.0
ON_THE_WAY = frozenset({"duplicate", "reordered", "late", "lost", "timeout_after", "timeout_before"})
UNTRUE = frozenset({"wrong_amount", "wrong_status", "wrong_date"})


class Event(msgspec.Struct, frozen=True):
    """A callback as it is told."""

    event_id: str
    kind: str
    subject: str
    seq: int
    at: str
    data: dict[str, Any]


class Held(msgspec.Struct, frozen=True):
    """A callback that waits until the next one of its subject went out."""

    channel: str
    n: int
    key_id: str



def _timer_id(channel: str, event: Event) -> str:
    """Name the timer of a callback so that it comes last of its instant: all that is told then goes out side by side."""
    return f"~callback|{channel}|{event.event_id}"


class Callbacks:
    """Sends and lists. Services call `send`; the wire answers `/events` from `since`."""

    def __init__(self, store: Store, clock: Clock, scheduler: Scheduler, faults: Faults, client: PlatformClient) -> None:
        self._store, self._clock, self._scheduler, self._faults, self._client = store, clock, scheduler, faults, client
        self._seqs = store.table("wire.callback-seqs", int)
        self._held = store.table("wire.callbacks-held", list[Held])
        scheduler.handle("wire.callback", self._deliver, overlap=True)

    def send(self, channel: str, kind: str, subject: str, data: Mapping[str, Any], *, key_id: str = "") -> Event:
        """Tell the platform something that has happened now; give the event. `key_id` signs it, `{channel}-1` unless given."""
        events = self._events(channel)
        mark = f"{channel}|{subject}"
        seq = (self._seqs.get(mark) or 0) + 1
        self._seqs.put(mark, seq)
        event = Event(f"{subject}-{seq}"[:64], kind, subject, seq, instant(self._clock.now()), dict(data))
        n = len(events) + 1
        events.put(f"{n:012d}", event)
        args = {"channel": channel, "n": n, "attempt": 1, "key_id": key_id or f"{channel}-1"}
        self._scheduler.at(self._clock.now(), _timer_id(channel, event), "wire.callback", args)
        return event

    def last_seq(self, channel: str, subject: str) -> int:
        """Give the number of the subject's last callback, 0 before the first."""
        return self._seqs.get(f"{channel}|{subject}") or 0

    def since(self, channel: str, cursor: int) -> dict[str, Any]:
        """Give the page of `/events` after a cursor."""
        events = self._events(channel)
        page = [events[f"{n:012d}"] for n in range(cursor + 1, min(cursor + PAGE, len(events)) + 1)]
        return {"events": page, "next_cursor": str(cursor + len(page))}

    async def _deliver(self, timer: Timer) -> None:
        args = timer.args
        channel, n, attempt, key_id = args["channel"], args["n"], args["attempt"], args["key_id"]
        event = self._events(channel)[f"{n:012d}"]
        service = channel.partition("/")[0]
        op = f"{service}.callback"
        fields = {**event.data, "kind": event.kind, "subject": event.subject}
        fault = None if args.get("is_plain") else self._faults.ask(op, event.event_id, attempt, fields=fields, names=ON_THE_WAY)
        told = self._as_told(op, event, fields)
        if fault is not None and fault.name == "lost":
            return
        if fault is not None and fault.name == "late":
            self._again(timer, fault.whole("delay_s", 60), attempt + 1)
            return
        if fault is not None and fault.name == "reordered" and not args.get("was_held"):
            self._hold(timer, event.subject)
            return
        accepted = await self._post(service, told, key_id)
        self._let_go(channel, event.subject, timer)
        if fault is not None and fault.name == "duplicate":
            for k in range(fault.whole("times", 1)):
                copy = msgspec.structs.replace(told, event_id=f"{told.event_id}-f{k + 1}") if fault.args.get("fresh") else told
                await self._post(service, copy, key_id)
        if fault is not None and fault.name in {"timeout_after", "timeout_before"}:
            accepted = False
        if not accepted and attempt <= len(RETRIES_S):
            self._again(timer, RETRIES_S[attempt - 1], attempt + 1)

    def _as_told(self, op: str, event: Event, fields: Mapping[str, Any]) -> Event:
        """Give the event as the platform hears it: with a field off, if a rule says so. The truth of an event is drawn once."""
        fault = self._faults.ask(op, event.event_id, 1, fields=fields, names=UNTRUE)
        return event if fault is None else msgspec.structs.replace(event, data=untrue(event.data, fault))

    async def _post(self, service: str, event: Event, key_id: str) -> bool:
        self._store.commit()
        try:
            reply = await self._client.signed(key_id, "POST", f"/callbacks/{service}", event, key=event.event_id, timeout_s=PATIENCE_S)
        except Unanswered:
            return False
        return reply.status == 204

    def _again(self, timer: Timer, seconds: float, attempt: int) -> None:
        self._scheduler.after(seconds, timer.timer_id, "wire.callback", {**timer.args, "attempt": attempt})

    def _hold(self, timer: Timer, subject: str) -> None:
        """Keep a callback back until its subject's next one went out, ten minutes at most."""
        mark = f"{timer.args['channel']}|{subject}"
        held = Held(timer.args["channel"], timer.args["n"], timer.args["key_id"])
        self._held.put(mark, [*(self._held.get(mark) or []), held])
        self._scheduler.after(HELD_S, timer.timer_id, "wire.callback", {**timer.args, "attempt": DELIVERY_ATTEMPTS + 1, "was_held": True})

    def _let_go(self, channel: str, subject: str, timer: Timer) -> None:
        """One of the subject's callbacks went out: those held before it may go too."""
        mark = f"{channel}|{subject}"
        for held in self._held.get(mark) or ():
            event = self._events(channel)[f"{held.n:012d}"]
            timer_id = _timer_id(channel, event)
            if timer_id == timer.timer_id:
                continue
            args = {"channel": channel, "n": held.n, "attempt": DELIVERY_ATTEMPTS + 1, "key_id": held.key_id, "was_held": True}
            self._scheduler.at(self._clock.now(), timer_id, "wire.callback", args)
        self._held.drop(mark)

    def _events(self, channel: str) -> Table[Event]:
        return self._store.table(f"wire.events.{channel}", Event)


def untrue(data: Mapping[str, Any], fault: Fault) -> dict[str, Any]:
    """Give fields with one of them off, as a fault `wrong_amount`, `wrong_status` or `wrong_date` says."""
    off = dict(data)
    if fault.name == "wrong_amount":
        name = next((name for name in ("done_fen", "amount_fen") if name in off), "")
        if name:
            off[name] = max(0, int(off[name]) + fault.whole("delta_fen", 1))
    elif fault.name == "wrong_status":
        name = next((name for name in ("state", "event", "status") if name in off), "")
        if name:
            off[name] = fault.args.get("state", "failed")
    else:
        name = next((name for name in ("ended_at", "settle_date", "value_date", "business_date", "at") if name in off), "")
        if name:
            off[name] = _shifted(str(off[name]), fault.whole("days", 1))
    return off


def _shifted(text: str, days: int) -> str:
    if len(text) == len("2026-09-01"):
        return (instant_of(f"{text}T00:00:00+08:00") + timedelta(days=days)).date().isoformat()
    return instant(instant_of(text) + timedelta(days=days))
