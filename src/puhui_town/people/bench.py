"""A stream of fresh residents through the whole loan, at a given rate, on the wall clock: what a bench of the lender drives.

Everybody is new: nothing was fetched or known of him before. The town draws its people and their records before the clock of the bench
starts, so that its own work is not taken for the lender's. Those who come are chosen to be likely good (the choice is the town's, by
what it knows of them), since a bench of complete loans wants complete loans; who is declined all the same is counted apart.
"""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from puhui_town.people.needs import CHINA
from puhui_town.people.person import SOURCES
from puhui_town.people.resident import Residents, walk_of
from puhui_town.people.townsfolk import Settings, Townsfolk
from puhui_town.people.walk import Walk
from puhui_town.wire import Ask, Clock, ClockMode, Refused, World, from_ms, wrong_state

SETTLE_S = 45.0
HISTORY = timedelta(days=740)
AT_ONCE_MAX = 50_000
AMOUNT_FEN = 300_000
SIGNED = frozenset({"signed", "active"})  # the money of some is there before the answer to their signature


class BenchAsked(msgspec.Struct, frozen=True):
    """Body of `POST /town/bench`. `per_s` residents arrive a second, for `warmup_s` and then `seconds`; `likely` chooses the likely good."""

    per_s: int
    seconds: int
    warmup_s: int = 15
    likely: bool = True
    amount_fen: int = AMOUNT_FEN


@dataclass(slots=True)
class Watch:
    """What the residents of a bench see, in unix milliseconds by resident."""

    clock: Clock
    tapped: dict[int, int] = field(default_factory=dict)
    answered: dict[int, int] = field(default_factory=dict)
    signed: dict[int, int] = field(default_factory=dict)
    paid: dict[int, int] = field(default_factory=dict)
    ended: dict[int, str] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    """Who has neither ended without a loan nor seen his money."""
    all_over: asyncio.Event = field(default_factory=asyncio.Event)

    def tap(self, n: int) -> None:
        self.tapped.setdefault(n, self.clock.now_ms())

    def answer(self, n: int) -> None:
        if n in self.tapped:
            self.answered.setdefault(n, self.clock.now_ms())

    def sign(self, n: int) -> None:
        self.signed.setdefault(n, self.clock.now_ms())

    def money(self, n: int) -> None:
        if n in self.signed:
            self.paid.setdefault(n, self.clock.now_ms())
            self._close(n)

    def end(self, n: int, why: str) -> None:
        self.ended[n] = why
        self._close(n)

    def _close(self, n: int) -> None:
        if n in self.ended and (self.ended[n] not in SIGNED or n in self.paid):
            self.open.discard(n)
        if not self.open:
            self.all_over.set()


class Bench:
    """`POST /town/bench`: one at a time, live clock only."""

    def __init__(self, world: World, folk: Townsfolk, residents: Residents) -> None:
        self.world, self.folk, self.residents = world, folk, residents
        self._running = False

    async def run(self, ask: Ask) -> dict[str, Any]:
        """Send people through, and tell what they saw. Refused: `wrong-state` under another clock, or while a bench runs."""
        body = ask.read(BenchAsked)
        total = body.per_s * (body.warmup_s + body.seconds)
        if self.world.clock.mode is not ClockMode.LIVE:
            raise wrong_state("a bench runs on the live clock")
        if self._running:
            raise wrong_state("a bench runs already")
        if not (0 < body.per_s <= 1000 and 0 < body.seconds <= 600 and 0 <= body.warmup_s <= 120 and total <= AT_ONCE_MAX):
            raise Refused("bad-field", f"per_s, seconds, warmup_s: more than 0, and at most {AT_ONCE_MAX} people in all", status=400)
        self._running = True
        try:
            return await self._run(body, total)
        finally:
            self._running = False
            self.residents.watch = self.folk.watch = None

    async def _run(self, body: BenchAsked, total: int) -> dict[str, Any]:
        walks = await self._prepare(body, total)
        watch = Watch(self.world.clock)
        self.residents.watch = self.folk.watch = watch
        calls = self.residents.line.calls
        begin_ms = self.world.clock.now_ms() + 200
        for k, walk in enumerate(walks):
            self.residents.begin(walk, from_ms(begin_ms + 1000 * k // body.per_s))
        counted = (begin_ms + 1000 * body.warmup_s, begin_ms + 1000 * (body.warmup_s + body.seconds))
        people = [walk.n for walk in walks]
        watch.open = set(people)
        await asyncio.sleep((counted[1] - self.world.clock.now_ms()) / 1000)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(watch.all_over.wait(), SETTLE_S)
        return self._report(body, watch, people, counted, self.residents.line.calls - calls, begin_ms)

    async def _prepare(self, body: BenchAsked, total: int) -> list[Walk]:
        """Draw people who have never been here, with their lives and records, before anything is measured."""
        now = self.world.clock.now()
        first = n = self.folk.count
        chosen: list[Walk] = []
        self.folk.kept = max(self.folk.kept, total + 100)
        while len(chosen) < total:
            if self._is_fit(n, likely=body.likely):
                chosen.append(self._walk(n, body))
            n += 1
            if n % 20 == 0:
                await asyncio.sleep(0)
        self.folk.settle(Settings(self.folk.seed, n, self.folk.settings.population))
        for k, walk in enumerate(chosen):
            records = self.folk.records_of(walk.n)
            for source in SOURCES:
                if records.has(source):
                    for year in records.years(now - HISTORY, now):
                        records.year(source, year).warm()
            self.folk.debt_of(walk.n)
            self.residents.draw_pictures(walk)
            if k % 20 == 0:
                await asyncio.sleep(0)
        assert n > first
        return chosen

    def _is_fit(self, n: int, *, likely: bool) -> bool:
        person, day = self.folk.person(n), self.world.clock.now().astimezone(CHINA).date()
        if person.is_minor or person.work == "student" or person.label != "honest" or person.shares_phone or person.household.seat:
            return False
        if (self.folk.identity_of(n).id_expires - day).days < 600:
            return False
        if not likely:
            return True
        return person.traits.prudence > -0.3 and 23 <= person.age(day) <= 55 and person.work in {"migrant", "factory", "office", "shop_owner", "rider"}

    def _walk(self, n: int, body: BenchAsked) -> Walk:
        needs = self.folk.needs(n)
        need = needs.next(self.world.clock.now()) or needs.in_month(0)
        assert need is not None, "nobody lives twelve years without a need"
        walk = walk_of(n, need)
        walk.amount_fen, walk.purpose = body.amount_fen, "daily"
        walk.dice = [0.5, 0.99, 0.5, 0.0, 0.5, 1.0, 0.5, 0.5]
        walk.facts = {"bench": True}
        return walk

    def _report(self, body: BenchAsked, watch: Watch, people: list[int], counted: tuple[int, int], calls: int, begin_ms: int) -> dict[str, Any]:
        low, high = counted
        inside = [n for n, ms in watch.paid.items() if low <= ms < high]
        answers = sorted(watch.answered[n] - watch.tapped[n] for n in watch.answered if low <= watch.answered[n] < high)
        money = sorted(watch.paid[n] - watch.signed[n] for n in inside)
        ends = Counter(why for why in watch.ended.values())
        good = {*SIGNED, "declined", "too-dear", "too-little", "changed-mind", "proof-not-enough"}
        unpaid = sum(watch.ended.get(n) in SIGNED and n not in watch.paid for n in people)
        return {
            "simulated": True, "arrived": len(people), "per_s": body.per_s, "counted_s": body.seconds, "began_ms": begin_ms,
            "loans_counted": len(inside), "loans_per_s_milli": 1000 * len(inside) // body.seconds, "loans_all": len(watch.paid),
            "ends": dict(sorted(ends.items())), "unfinished": sum(n not in watch.ended for n in people), "signed_unpaid": unpaid,
            "errors": sum(count for why, count in ends.items() if why not in good) + unpaid + sum(n not in watch.ended for n in people),
            "borrower_calls": calls, "tap_to_answer_ms": _percentiles(answers), "sign_to_money_ms": _percentiles(money),
            "population_sha256": self.folk.assumptions.sha256, "chosen_likely": body.likely,
        }  # fmt: skip


def _percentiles(values: list[int]) -> dict[str, int]:
    """Nearest-rank percentiles of sorted whole numbers."""
    if not values:
        return {"n": 0}
    return {"n": len(values)} | {
        f"p{p}": values[min(len(values) - 1, -(-p * len(values) // 100) - 1)] for p in (50, 95, 99)
    } | {"max": values[-1]}  # fmt: skip
