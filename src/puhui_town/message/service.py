"""The message service on the wire. The watch counts every contact by its own rules, whatever the lender's gate thought of it.

A text is delivered a little later and may be answered (`message.reply`); one that opts out closes what `breaches/rules.toml` says it
closes, and a later text of that kind is refused (`message.opted-out`). A call rings in its window; while it lasts the platform is asked for
each of the agent's turns by `message.turn {call_id, heard}`, posted to the callbacks' address under `{call_id}-t{n}`, and answers
`{say, hang_up}`. The length of a call follows from the words alone, so a run can be repeated.
"""

import asyncio
import re
import tomllib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

from puhui_town.breaches import Breaches
from puhui_town.checks.population import Call, CallRecord, Population, Purpose, Sms, Turn, Utterance
from puhui_town.wire.ask import Ask, Route, Service
from puhui_town.wire.client import Unanswered
from puhui_town.wire.scheduler import Timer
from puhui_town.wire.words import Ident, Instant, Refused, bad_field, instant, run_day
from puhui_town.wire.world import World

FORGET_EACH = 4096
_PHONE = re.compile(r"^\d{11}$")


class Limits(msgspec.Struct, frozen=True):
    """`limits.toml`."""

    sms_delivery_s: int
    sms_per_number_per_day_max: int
    ring_s: int
    turns_max: int
    turn_answer_s: int
    turn_tries_stepped: int
    turn_tries: int
    speech_ms_per_character: int
    pause_ms: int
    kept_days: int


@lru_cache(maxsize=1)
def limits() -> Limits:
    return msgspec.convert(tomllib.loads(files("puhui_town.message").joinpath("limits.toml").read_text(encoding="utf-8")), Limits)


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /message/v1/sms`."""

    message_id: Ident
    phone: str
    template: str
    params: dict[str, str | int | float | bool] = {}
    purpose: Purpose


class Ring(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /message/v1/calls`."""

    call_id: Ident
    phone: str
    script: str
    purpose: Purpose
    agent: str
    not_before: Instant
    not_after: Instant


class Sent(msgspec.Struct, frozen=True):
    """A text on its way."""

    text: Text
    sender: str
    accepted_at: datetime


class Said(msgspec.Struct, frozen=True):
    """What the platform wants said in a call."""

    say: str = ""
    hang_up: bool = False


@dataclass(slots=True)
class Messages:
    """The service `message`."""

    world: World
    people: Population
    breaches: Breaches
    _texts: Any = field(init=False)
    _calls: Any = field(init=False)
    _counts: Any = field(init=False)

    def __post_init__(self) -> None:
        store, scheduler = self.world.store, self.world.scheduler
        self._texts = store.table("message.texts", Sent)
        self._calls = store.table("message.calls", Ring)
        self._counts = store.table("message.counts", int)
        scheduler.handle("message.deliver", self._deliver)
        scheduler.handle("message.reply", self._reply)
        scheduler.handle("message.ring", self._ring, overlap=True)

    def service(self) -> Service:
        routes = (
            Route("POST", "/message/v1/sms", "sms", self.sms, status=202),
            Route("POST", "/message/v1/calls", "call", self.call, status=202),
        )
        return Service("message", "/message", "message-1", routes)

    # -- texts ----------------------------------------------------------------------------------------------------------------

    def sms(self, ask: Ask) -> dict[str, str]:
        """Take a text. Refused: `message.invalid-number`, `message.opted-out`, `message.quota`."""
        text = ask.read(Text)
        users = self._users(text.phone, ask.at)
        self.breaches.contacted(
            phone=text.phone, users=users, purpose=text.purpose, at=ask.at, subject=text.message_id, template=f"{text.template}"
        )
        if self.breaches.has_opted_out(users, text.purpose):
            raise Refused("message.opted-out", "this number wants no more of these")
        counter = f"{text.phone}|{run_day(ask.at)}"
        count = (self._counts.get(counter) or 0) + 1
        if count > limits().sms_per_number_per_day_max:
            raise Refused("message.quota", "this number had its texts of the day", retry="later")
        self._counts.put(counter, count)
        if len(self._texts) % FORGET_EACH == FORGET_EACH - 1:
            self.forget(timedelta(days=limits().kept_days))
        self._texts.put(text.message_id, Sent(text, ask.sender, ask.at))
        self.world.scheduler.after(limits().sms_delivery_s, f"sms|{text.message_id}", "message.deliver", {"message_id": text.message_id})
        return {"state": "accepted"}

    def _deliver(self, timer: Timer) -> None:
        message_id = str(timer.args["message_id"])
        sent = self._texts.get(message_id)
        assert sent is not None
        text: Text = sent.text
        params = {name: str(value) for name, value in text.params.items()}
        words = "，".join([f"【{text.template}】", *(f"{name} {value}" for name, value in params.items())])
        reaction = self.people.read_sms(
            Sms(message_id, text.phone, text.template, params, words, text.purpose, sent.sender, self.world.clock.now())
        )
        if not reaction.delivered:
            self.world.callbacks.send("message", "message.failed", message_id, {"code": reaction.code or "message.invalid-number"})
            return
        self.world.callbacks.send("message", "message.delivered", message_id, {})
        if reaction.reply:
            args = {"message_id": message_id, "text": reaction.reply}
            self.world.scheduler.after(max(reaction.reply_after_s, 1), f"reply|{message_id}", "message.reply", args)

    def _reply(self, timer: Timer) -> None:
        message_id, words = str(timer.args["message_id"]), str(timer.args["text"])
        sent = self._texts.get(message_id)
        assert sent is not None
        if self.breaches.is_opt_out(words):
            now = self.world.clock.now()
            self.breaches.opted_out(users=self.people.users_of(sent.text.phone, now), at=now)
        self.world.callbacks.send("message", "message.reply", message_id, {"text": words})

    # -- calls ------------------------------------------------------------------------------------------------------------------

    def call(self, ask: Ask) -> dict[str, str]:
        """Take a call to be placed in its window. Refused: `message.invalid-number`, `message.opted-out`."""
        ring = ask.read(Ring)
        if ring.not_after < ring.not_before:
            raise bad_field("not_after", "is before not_before")
        users = self._users(ring.phone, ask.at)
        if self.breaches.has_opted_out(users, ring.purpose):
            self.breaches.contacted(phone=ring.phone, users=users, purpose=ring.purpose, at=ask.at, subject=ring.call_id)
            raise Refused("message.opted-out", "this number wants no more of these")
        self._calls.put(ring.call_id, ring)
        due = max(ring.not_before, self.world.clock.later(limits().ring_s))
        self.world.scheduler.at(due, f"call|{ring.call_id}", "message.ring", {"call_id": ring.call_id})
        return {"state": "accepted"}

    async def _ring(self, timer: Timer) -> None:
        call_id = str(timer.args["call_id"])
        ring = self._calls.get(call_id)
        now = self.world.clock.now()
        if ring is None:
            return
        if now > ring.not_after:
            self._call_ended(call_id, "nobody", 0, ())
            return
        call = Call(call_id, ring.phone, ring.script, ring.purpose, ring.agent, now)
        pick_up = self.people.pick_up(call)
        users = self.people.users_of(ring.phone, now)
        answered = pick_up.answered_by in {"self", "other"}
        self.breaches.contacted(
            phone=ring.phone, users=users, purpose=ring.purpose, at=now, subject=call_id, template=ring.script, call_answered=answered
        )
        turns: tuple[Turn, ...] = ()
        if answered:
            turns = await self._talk(call, pick_up.opening)
        seconds = turns[-1].at_ms // 1000 + 1 if turns else 0
        self.people.call_over(CallRecord(call, pick_up.answered_by, seconds, turns))
        self._call_ended(call_id, pick_up.answered_by, seconds, turns)

    async def _talk(self, call: Call, opening: str) -> tuple[Turn, ...]:
        """The turns of the call until someone hangs up, or the agent's side falls silent."""
        turns: list[Turn] = []
        at_ms = 0
        heard = opening

        def speak(by: Literal["agent", "person"], text: str) -> None:
            nonlocal at_ms
            turns.append(Turn(by, at_ms, text))
            at_ms += limits().pause_ms + limits().speech_ms_per_character * len(text)

        if opening:
            speak("person", opening)
        for n in range(1, limits().turns_max + 1):
            said = await self._ask_agent(call.call_id, n, heard)
            if said is None:
                break
            speak("agent", said.say)
            if said.hang_up:
                break
            answer: Utterance = self.people.speak(call, tuple(turns))
            if answer.text:
                speak("person", answer.text)
            if answer.hang_up:
                break
            heard = answer.text
        return tuple(turns)

    async def _ask_agent(self, call_id: str, n: int, heard: str) -> Said | None:
        """The agent's next words, or None when the platform does not say any. Asked again under the same id, so a lost answer is a late one."""
        event = {
            "event_id": f"{call_id}-t{n}",
            "kind": "message.turn",
            "subject": call_id,
            "seq": n,
            "at": instant(self.world.clock.now()),
            "data": {"call_id": call_id, "heard": heard},
        }
        tries = limits().turn_tries_stepped if self.world.is_stepped else limits().turn_tries
        for attempt in range(tries):
            try:
                reply = await self.world.client.signed(
                    "message-1", "POST", "/callbacks/message", event, key=str(event["event_id"]), timeout_s=limits().turn_answer_s
                )
            except Unanswered:
                await asyncio.sleep(min(0.05 * 2**attempt, 1.0))
                continue
            if reply.status == 200:
                try:
                    return msgspec.json.decode(reply.raw, type=Said)
                except msgspec.MsgspecError:
                    return None
            if reply.status < 500:
                return None
            await asyncio.sleep(min(0.05 * 2**attempt, 1.0))
        return None

    def _call_ended(self, call_id: str, answered_by: str, seconds: int, turns: tuple[Turn, ...]) -> None:
        rows = [{"by": turn.by, "at_ms": turn.at_ms, "text": turn.text} for turn in turns]
        self.world.callbacks.send("message", "message.call_ended", call_id, {"answered_by": answered_by, "seconds": seconds, "turns": rows})

    def _users(self, phone: str, at: datetime) -> tuple[str, ...]:
        if not _PHONE.match(phone):
            raise Refused("message.invalid-number", "this is no phone number")
        return tuple(self.people.users_of(phone, at))

    def forget(self, older_than: timedelta) -> None:
        """Drop texts that were delivered long ago, and the day counts before."""
        before = self.world.clock.now() - older_than
        for message_id in [key for key, sent in self._texts.items() if sent.accepted_at < before]:
            self._texts.drop(message_id)
        day = str(run_day(before))
        for counter in [key for key in self._counts if key.partition("|")[2] < day]:
            self._counts.drop(counter)
