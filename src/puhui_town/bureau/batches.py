"""Batches on their way: received at once, checked 30 s to 2 days later, line by line, in the order in which they came.

Checking goes on in slices, each of which changes register and batch together, so a killed town goes on after the last whole slice.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from puhui_town.bureau.codes import codes
from puhui_town.bureau.textfile import Finding, Malformed
from puhui_town.wire.ask import FILE_MAX, Ask
from puhui_town.wire.scheduler import Timer
from puhui_town.wire.words import Refused, bad_field, from_ms, not_found, to_ms
from puhui_town.wire.world import World


class Batch(msgspec.Struct, frozen=True):
    """A batch and how far its checking has come. Lines are counted from 1, and the header, where there is one, is line 1."""

    name: str
    reporter: str
    received_at: datetime
    state: str = "received"
    lines_done: int = 0
    accepted: int = 0
    rejected: int = 0
    feedback: int = 0
    pause_at: int = 0
    pause_s: int = 0


class Feedback(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rejected line and one reason."""

    line: int
    account: str
    code: str
    text: str
    segment: str = ""


class Reader(Protocol):
    """A format: how a file is opened and a line is taken."""

    def begin(self, name: str, body: bytes) -> Sequence[str]:
        """The lines after looking at name and header. Raises Malformed, and then the whole file is rejected."""
        ...

    def take(self, line: str, number: int, *, name: str, reporter: str, received_at: datetime, at: datetime) -> tuple[str, tuple[Finding, ...]]:
        """Take one line: its account as far as it can be read, and what speaks against it. Only a line nothing speaks against was taken."""
        ...

    def first_line(self) -> int:
        """The number of the first line that is a record."""
        ...


@dataclass(slots=True)
class Batches:
    """The batches of one bureau: `channel` is its name (`bureau`, `local-bureau`)."""

    world: World
    channel: str
    reader: Callable[[], Reader]
    _batches: Any = field(init=False)
    _bodies: Any = field(init=False)
    _feedback: Any = field(init=False)
    _due: Any = field(init=False)

    def __post_init__(self) -> None:
        store = self.world.store
        self._batches = store.table(f"{self.channel}.batches", Batch)
        self._bodies = store.table(f"{self.channel}.bodies", bytes)
        self._feedback = store.table(f"{self.channel}.feedback", Feedback)
        self._due = store.table(f"{self.channel}.due", int)
        self.world.scheduler.handle(f"{self.channel}.check", self._check)

    def receive(self, ask: Ask) -> dict[str, str]:
        """Take a file in. Its id is its name without dots, and so is the idempotency key."""
        name = ask.headers.get("puhui-file", "")
        batch_id = name.replace(".", "")
        if not name or batch_id != ask.key:
            raise bad_field("Puhui-File", "is missing, or the Idempotency-Key is not this name without its dots")
        if len(ask.raw) > FILE_MAX:
            raise bad_field("body", "is larger than 64 MiB")
        if batch_id in self._batches:
            raise Refused("key-reused", "a batch of this name was received before", status=409)
        pause_at, pause_s = 0, 0
        if ask.fault is not None and ask.fault.name == "partial_batch":
            pause_at, pause_s = max(ask.fault.whole("k", 1), 1), ask.fault.whole("later_s", 3600)
        self._batches.put(batch_id, Batch(name, ask.sender, ask.at, pause_at=pause_at, pause_s=pause_s))
        self._bodies.put(batch_id, ask.raw)
        number = len(self._batches)
        # the reporter's batches are checked in the order in which they came: none overtakes an earlier one
        due_ms = max(to_ms(self.world.clock.later(feedback_after(self.world.config.seed, batch_id).total_seconds())), self._due.get(ask.sender) or 0)
        self._due.put(ask.sender, due_ms)
        timer_id = f"{self.channel}|{number:09d}|{batch_id}"
        self.world.scheduler.at(from_ms(due_ms), timer_id, f"{self.channel}.check", {"batch_id": batch_id})
        return {"batch_id": batch_id, "state": "received"}

    def told(self, ask: Ask) -> dict[str, Any]:
        """How far a batch has come, with a page of its feedback."""
        batch_id = ask.args["batch_id"]
        batch: Batch | None = self._batches.get(batch_id)
        if batch is None or batch.reporter != ask.sender:
            raise not_found("this batch")
        cursor, page = ask.cursor(), codes().feedback_page_lines
        rows = [self._feedback[f"{batch_id}|{n:07d}"] for n in range(cursor, min(cursor + page, batch.feedback))]
        answer = {"batch_id": batch_id, "state": batch.state, "accepted": batch.accepted, "rejected": batch.rejected, "feedback": rows}
        return answer if cursor + page >= batch.feedback else {**answer, "next_cursor": str(cursor + page)}

    def knows(self, batch_id: str) -> bool:
        return batch_id in self._batches

    async def _check(self, timer: Timer) -> None:
        batch_id = str(timer.args["batch_id"])
        batch: Batch | None = self._batches.get(batch_id)
        if batch is None or batch.state == "checked":
            return
        reader = self.reader()
        try:
            lines = reader.begin(batch.name, self._bodies[batch_id])
        except Malformed as fault:
            self._reject_whole(batch_id, batch, fault.findings)
            return
        while batch.lines_done < len(lines):
            until = min(batch.lines_done + codes().lines_at_once, len(lines))
            if batch.pause_at:
                until = min(until, max(batch.pause_at, batch.lines_done))
            batch = self._check_slice(batch_id, batch, reader, lines, until)
            if batch.pause_at and batch.lines_done >= batch.pause_at:
                self._pause(timer, batch_id, batch)
                return
            await asyncio.sleep(0)
        self._ended(batch_id, batch)

    def _check_slice(self, batch_id: str, batch: Batch, reader: Reader, lines: Sequence[str], until: int) -> Batch:
        at = self.world.clock.now()
        accepted, rejected, feedback = batch.accepted, batch.rejected, batch.feedback
        for place in range(batch.lines_done, until):
            number = place + reader.first_line()
            account, findings = reader.take(
                lines[place], number, name=batch.name, reporter=batch.reporter, received_at=batch.received_at, at=at
            )
            accepted, rejected = accepted + (not findings), rejected + bool(findings)
            for finding in findings:
                row = Feedback(number, account, finding.code, finding.text, finding.segment)
                self._feedback.put(f"{batch_id}|{feedback:07d}", row)
                feedback += 1
        done = msgspec.structs.replace(batch, lines_done=until, accepted=accepted, rejected=rejected, feedback=feedback)
        self._batches.put(batch_id, done)
        return done

    def _pause(self, timer: Timer, batch_id: str, batch: Batch) -> None:
        """Told to answer in parts: what is done so far is told now, the rest comes later."""
        self._batches.put(batch_id, msgspec.structs.replace(batch, pause_at=0, pause_s=0))
        later = self.world.clock.now() + timedelta(seconds=batch.pause_s)
        self._due.put(batch.reporter, max(to_ms(later), self._due.get(batch.reporter) or 0))
        self.world.scheduler.at(later, timer.timer_id, timer.handler, timer.args)
        self._tell(batch_id, batch)

    def _ended(self, batch_id: str, batch: Batch) -> None:
        checked = msgspec.structs.replace(batch, state="checked")
        self._batches.put(batch_id, checked)
        self._bodies.drop(batch_id)
        self._tell(batch_id, checked)

    def _reject_whole(self, batch_id: str, batch: Batch, findings: Sequence[Finding]) -> None:
        for n, finding in enumerate(findings):
            self._feedback.put(f"{batch_id}|{n:07d}", Feedback(1, "", finding.code, finding.text, finding.segment))
        self._ended(batch_id, msgspec.structs.replace(batch, rejected=1, feedback=len(findings)))

    def _tell(self, batch_id: str, batch: Batch) -> None:
        data = {"batch_id": batch_id, "state": batch.state, "accepted": batch.accepted, "rejected": batch.rejected}
        self.world.callbacks.send(self.channel, f"{self.channel}.batch_checked", batch_id, data)


def feedback_after(seed: int, batch_id: str) -> timedelta:
    """How long after its receipt a batch is checked: log-uniform over the span of `codes.toml`, drawn by seed and id."""
    low, high = codes().feedback_after_s
    drawn = int.from_bytes(hashlib.sha256(f"{seed}|feedback|{batch_id}".encode()).digest()[:4], "big") / 2**32
    return timedelta(seconds=round(low * (high / low) ** drawn))
