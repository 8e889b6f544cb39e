"""The wire of the town: everything a simulated party needs except its own business.

A party is a package with one function

    def install(world: World) -> Iterable[Service]

named in `SERVICES` of `puhui_town/__main__.py`. In it the party makes its keys, opens its tables, registers timers and files, puts its own
door into `world.parts["name"]` for the others, and gives its calls:

    class Query(msgspec.Struct, frozen=True):          # bodies are structs; a missing or mistyped field is `400 bad-field` by itself
        query_id: Ident
        as_of: Instant
        person: Person

    class Bureau:
        def __init__(self, world: World) -> None:
            self.world = world
            self.queries = world.store.table("bureau.queries", StoredQuery)     # rows of one struct by a text key; `put` after a change
            world.scheduler.handle("bureau.check", self.check_batch)            # answers timers of that name

        def query(self, ask: Ask) -> dict[str, object] | Reply:                 # may be `async def`
            body = ask.read(Query)                     # or `ask.body`, a dict; `ask.raw`, the bytes
            if nobody: raise Refused("bureau.unknown", "…", retry="never")      # 422; `not_found(..)`, `wrong_state(..)`, `bad_field(..)`
            self.world.scheduler.after(30, f"bureau-check-{body.query_id}", "bureau.check", {"id": body.query_id})
            return {"found": False}                    # Reply.json(value, 202) for another status; never None in a body: absent means absent

    def install(world: World) -> list[Service]:
        world.keys.make("bureau-1", "bureau")          # key id, owner: the platform expects a service's name, a partner's id
        bureau = Bureau(world)
        world.parts["bureau"] = bureau
        return [Service("bureau", "/bureau", "bureau-1", (
            Route("POST", "/bureau/v1/queries", "query", bureau.query),         # op of the faults: bureau.query
            Route("GET", "/bureau/v1/accounts/{account}", "get", bureau.account),
        ))]

What the wire does by itself: signatures both ways, nonces, who may call (`Route.who`: LENDER unless said; DRIVER for `/town/…`; None = anyone,
unsigned, for pages), Idempotency-Key on every POST with the first answer given again byte for byte, faults of delivery, `reject` and `down`,
`/v1/events`, `/v1/files`, `/v1/inbox`, 1 MiB bodies (`Route.body_max=FILE_MAX` for 64), group commit before any reply leaves.

A true fault that the deed must make happen (`stale`, `otp_lost`, `cert_revoked`, `returned`, `partial_batch` of a batch, …) is in `ask.fault`
(`.name`, `.whole("days", 1)`, `.args`), or ask yourself: `world.faults.ask("checks.aml", key)`; it answers the same however often it is asked.

World, the rest:
    world.clock.now()                 aware instant of the run; `.later(seconds)` for short spans (real seconds under the fast clock), `.mode`
    world.scheduler.at(due, timer_id, handler_name, args)      one timer an id; stepped runs round up to the tick and go in order (due, id);
                                      `handle(name, f, overlap=True)`: those of one instant may run side by side. A handler is
                                      `def f(timer: Timer)` or `async def`; `timer.due`, `timer.args`. An async one may run again after a kill.
    world.callbacks.send("bureau", "bureau.batch_checked", subject, data)      numbering, faults, retries, the events list; now, not later:
                                      to tell something later, set a timer and send from it. `key_id=` for a party with a key of its own.
    world.client.signed(key_id, method, path, body, key=…)     the platform, asked as one of our parties -> PlatformReply, or raises Unanswered
    world.client.plain(method, path_or_address, body, headers={"Puhui-Session": …, "Idempotency-Key": …})   as a person's phone
    world.files.offer / want / inbox  day files out, day files in
    world.cards (Cards), world.breaches (Breaches)             set by people and by the town's watch: `world.cards = …`
    world.config                      seed, people, platform, home, delays, truth
Handlers must not keep state outside tables, ask the machine's clock, or throw dice: a stepped run is a function of seed and answers.
Personal data never goes into logs, events, or the texts of refusals.
"""

from puhui_town.wire.ask import BODY_MAX, DRIVER, FILE_MAX, LENDER, Answer, Ask, Reply, Route, Service
from puhui_town.wire.callbacks import Callbacks, Event
from puhui_town.wire.client import PlatformClient, PlatformReply, Unanswered
from puhui_town.wire.clock import Clock, ClockMode
from puhui_town.wire.dayfiles import DayFileName, DayFiles, LineError, Offer, Wanted
from puhui_town.wire.faults import Fault, Faults, Rule, RuleBook
from puhui_town.wire.scheduler import Scheduler, Timer
from puhui_town.wire.signing import Keys, PrivateKey, PublicKey
from puhui_town.wire.store import Store, Table
from puhui_town.wire.town import Town, open_town
from puhui_town.wire.words import (
    SHANGHAI,
    Day,
    Fen,
    Ident,
    Instant,
    LongIdent,
    Person,
    Ppm,
    Refused,
    Sha256,
    SomeFen,
    bad_field,
    day_of,
    from_ms,
    instant,
    instant_of,
    json_bytes,
    not_found,
    read,
    run_day,
    to_ms,
    wrong_state,
)
from puhui_town.wire.world import Breaches, CardFacts, Cards, Config, World, open_world

__all__ = [
    "BODY_MAX", "DRIVER", "FILE_MAX", "LENDER", "SHANGHAI", "Answer", "Ask", "Breaches", "Callbacks", "CardFacts", "Cards", "Clock",
    "ClockMode", "Config", "Day", "DayFileName", "DayFiles", "Event", "Fault", "Faults", "Fen", "Ident", "Instant", "Keys", "LineError",
    "LongIdent", "Offer", "Person", "PlatformClient", "PlatformReply", "Ppm", "PrivateKey", "PublicKey", "Refused", "Reply", "Route", "Rule",
    "RuleBook", "Scheduler", "Service", "Sha256", "SomeFen", "Store", "Table", "Timer", "Town", "Unanswered", "Wanted", "World", "bad_field",
    "day_of", "from_ms", "instant", "instant_of", "json_bytes", "not_found", "open_town", "open_world", "read", "run_day", "to_ms",
    "wrong_state",
]  # fmt: skip
