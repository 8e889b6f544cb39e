"""Calls that steer the town: its clock, its faults, its health, its keys. Steering needs the driver's key, never the lender's."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from puhui_town.wire.ask import DRIVER, FILE_MAX, LENDER, Ask, Reply, Route, Service
from puhui_town.wire.clock import cpu_seconds
from puhui_town.wire.faults import RuleBook
from puhui_town.wire.words import Instant, from_ms, instant, to_ms
from puhui_town.wire.world import World, store_clock

STEERS = DRIVER | {"town"}


class Advance(msgspec.Struct, frozen=True):
    """Body of `POST /town/clock/advance`."""

    to: Instant
    run: bool


@dataclass(slots=True)
class Control:
    """The control calls of one world."""

    world: World
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def service(self) -> Service:
        routes = (
            Route("GET", "/keys", "keys", self.keys, who=None),
            Route("GET", "/town/health", "health", self.health, who=None),
            Route("GET", "/town/clock", "clock", self.clock, who=None),
            Route("POST", "/town/clock/advance", "advance", self.advance, who=STEERS, is_kept=False),
            Route("PUT", "/town/faults", "set_faults", self.set_faults, who=STEERS),
            Route("DELETE", "/town/faults", "clear_faults", self.clear_faults, who=STEERS),
            Route("GET", "/town/faults/fired", "fired", self.fired, who=STEERS),
        )
        return Service("town", "/town", "town-1", routes, has_commons=False)

    def keys(self, ask: Ask) -> Reply:  # noqa: ARG002
        return Reply.json({"keys": self.world.keys.published()})

    def health(self, ask: Ask) -> Reply:
        world = self.world
        return Reply.json(
            {
                "state": "up", "simulated": True, "clock": world.clock.mode.value, "at": instant(ask.at), "seed": world.config.seed,
                "parts": sorted(world.parts), "cpu_ms": int(cpu_seconds() * 1000),
            }
        )  # fmt: skip

    def clock(self, ask: Ask) -> Reply:  # noqa: ARG002
        return Reply.json(self.world.clock.told())

    async def advance(self, ask: Ask) -> Reply:
        """Move the stepped clock alone, or do everything due up to `to`, until there is nothing left to do before `next_due`."""
        body = ask.read(Advance)
        async with self.turn:
            if body.run and body.to >= self.world.clock.now():
                did, next_due = await self._run(to_ms(body.to))
            else:
                self.world.clock.move_to(body.to)
                did, next_due = await self._all(body.to, run=False)
            store_clock(self.world)
        told: dict[str, object] = {"quiet": True, "did": did}
        if next_due is not None:
            told["next_due"] = instant(from_ms(next_due))
        return Reply.json(told)

    async def _run(self, end_ms: int) -> tuple[int, int | None]:
        """Go from instant to instant, all processes together, until nobody does anything more."""
        world, did = self.world, 0
        _, due = await self._all(world.clock.now(), run=False)
        while True:
            at_ms = max(min(end_ms if due is None else due, end_ms), world.clock.now_ms())
            ran = await world.scheduler.run_to(from_ms(at_ms))
            others, due = await self._all(from_ms(at_ms), run=True)
            did += ran + others
            if not ran + others and at_ms >= end_ms:
                return did, due

    async def _all(self, at: datetime, *, run: bool) -> tuple[int, int | None]:
        """Move the followers, or let them run; give what they did, and when anyone is next due."""
        did, dues = 0, [self.world.scheduler.next_due_ms()]
        for follower in self.world.followers:
            ran, due = await follower.advance(at, run=run)
            did += ran
            dues.append(due)
        known = [due for due in dues if due is not None]
        return did, min(known, default=None)

    async def set_faults(self, ask: Ask) -> Reply:
        self.world.faults.set(ask.read(RuleBook))
        for follower in self.world.followers:
            await follower.set_faults(ask.raw)
        return Reply.json({"rules": len(self.world.faults.rules)})

    async def clear_faults(self, ask: Ask) -> Reply:  # noqa: ARG002
        self.world.faults.clear()
        for follower in self.world.followers:
            await follower.set_faults(None)
        return Reply.json({"rules": 0})

    async def fired(self, ask: Ask) -> Reply:  # noqa: ARG002
        fired: list[object] = list(self.world.faults.fired())
        for follower in self.world.followers:
            fired.extend(await follower.fired())
        return Reply.json({"fired": fired})


def with_commons(world: World, service: Service) -> Service:
    """Give the service with the calls that all services share: events, files, inbox."""
    if not service.has_commons:
        return service
    prefix = service.prefix

    def channel(ask: Ask) -> str:
        return prefix.format_map(ask.args).strip("/")

    def events(ask: Ask) -> Reply:
        return Reply.json(world.callbacks.since(channel(ask), ask.cursor()))

    def files(ask: Ask) -> Reply:
        return Reply.json({"files": world.files.listed(channel(ask), ask.day("date"))})

    def file(ask: Ask) -> Reply:
        return Reply(200, world.files.content(channel(ask), ask.args["name"]), "text/csv; charset=utf-8")

    def put(ask: Ask) -> Reply:
        return Reply.json(world.files.put(channel(ask), ask.args["name"], ask.raw), status=202)

    def found(ask: Ask) -> Reply:
        return Reply.json(world.files.found(channel(ask), ask.args["name"]))

    commons = (
        Route("GET", f"{prefix}/v1/events", "events", events, who=LENDER),
        Route("GET", f"{prefix}/v1/files", "files", files, who=LENDER),
        Route("GET", f"{prefix}/v1/files/{{name}}", "read_file", file, who=LENDER),
        Route("PUT", f"{prefix}/v1/inbox/{{name}}", "inbox", put, who=LENDER, body_max=FILE_MAX),
        Route("GET", f"{prefix}/v1/inbox/{{name}}", "inbox_state", found, who=LENDER),
    )
    return Service(service.name, service.prefix, service.key, (*service.routes, *commons), service.has_commons)
