"""The world of one town process: clock, timers, memory, faults, keys, callbacks, files, and the way to the platform."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from puhui_town.wire.callbacks import Callbacks
from puhui_town.wire.client import PlatformClient
from puhui_town.wire.clock import Clock, ClockMode
from puhui_town.wire.dayfiles import DayFiles
from puhui_town.wire.faults import Faults
from puhui_town.wire.scheduler import Scheduler
from puhui_town.wire.signing import Keys, Nonces
from puhui_town.wire.store import Store


@dataclass(frozen=True, slots=True)
class Config:
    """How this town was started. `home` None keeps everything in memory (tests). Delays are real milliseconds.

    `answer_delay_ms` is added to every signed answer; a pay-out takes `rail_delay_ms` (low, high).
    """

    seed: int = 7
    platform: str = "http://127.0.0.1:8000"
    home: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    people: int = 200
    answer_delay_ms: int = 0
    rail_delay_ms: tuple[int, int] = (50, 400)
    truth: Path | None = None
    funders_apart: bool = False
    only: str = ""
    """The one funder this process plays (`--funders-apart`), else empty."""
    main_url: str = ""
    """For such a process: where the town itself answers."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a bank knows of a debit card and its holder, at this instant. `opening_fen` is the balance the account began the run with."""

    person: str
    """An opaque key, safe in logs and file names; never an id number or a phone."""
    name: str
    id_number: str
    phone: str
    bank_code: str
    opening_fen: int
    is_usable: bool = True


class Cards(Protocol):
    """Who holds which card; filled by the people of the town."""

    def card_facts(self, card_number: str, as_of: datetime) -> CardFacts | None:
        """Give the facts of a card as of an instant, or None when no bank issued it."""
        ...


class Breaches(Protocol):
    """Who counts what the lender may not do; filled by the town's own watch."""

    def note(self, kind: str, person: str, facts: Mapping[str, Any]) -> None:
        """Take down something a service saw. `facts` holds no name, number or phone."""
        ...

    def paid_out(self, *, person: str, loan_id: str, amount_fen: int, at: datetime) -> None:
        """The rail paid a loan out."""
        ...

    def paid_back(self, *, person: str, loan_id: str, amount_fen: int) -> None:
        """The rail took money of the person for this loan, or a pay-out came back."""
        ...


class Follower(Protocol):
    """A process of this town that moves with it (a funder of its own)."""

    async def advance(self, to: datetime, *, run: bool) -> tuple[int, int | None]:
        """Move its clock, or do everything due; give how much was done, and when it is next due (unix ms)."""
        ...

    async def set_faults(self, rules: bytes | None) -> None:
        """Put rules in force there (the body of `PUT /town/faults`), or clear them."""
        ...

    async def fired(self) -> list[dict[str, Any]]:
        """Give the faults that fired there."""
        ...


class Nobody:
    """No cards, no watch: what stands in a world until people and watch move in."""

    def card_facts(self, card_number: str, as_of: datetime) -> CardFacts | None:  # noqa: ARG002
        return None

    def note(self, kind: str, person: str, facts: Mapping[str, Any]) -> None:
        """Take no note."""

    def paid_out(self, *, person: str, loan_id: str, amount_fen: int, at: datetime) -> None:
        """Take no note."""

    def paid_back(self, *, person: str, loan_id: str, amount_fen: int) -> None:
        """Take no note."""


@dataclass(slots=True)
class World:
    """One per process. `parts` lets services find each other's doors by name: `world.parts["rail"]`."""

    config: Config
    clock: Clock
    store: Store
    scheduler: Scheduler
    faults: Faults
    keys: Keys
    nonces: Nonces
    client: PlatformClient
    callbacks: Callbacks
    files: DayFiles
    cards: Cards = field(default_factory=Nobody)
    breaches: Breaches = field(default_factory=Nobody)
    parts: dict[str, Any] = field(default_factory=dict)
    followers: list[Follower] = field(default_factory=list)
    at_start: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """Run when the town listens (its port is `parts["port"]`)."""
    at_end: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def is_stepped(self) -> bool:
        return self.clock.mode is ClockMode.STEPPED


def open_world(config: Config, fresh: Clock) -> World:
    """Put a world together, going on where an earlier process of the same home left it; `fresh` is the clock of a first run."""
    home = config.home
    own = home / "funders" / config.only if home and config.only else home
    if own is not None:
        own.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(own / "town.sqlite" if own else None)
    kept = store.table("wire.clock", dict)
    known = kept.get("now")
    clock = Clock.restored(known, fresh) if known and not config.only else fresh
    kept.put("now", clock.stored())
    keys = Keys(home / "keys" if home else None)
    scheduler = Scheduler(store, clock)
    faults = Faults(store, clock)
    client = PlatformClient(config.platform, keys, clock)
    callbacks = Callbacks(store, clock, scheduler, faults, client)
    files = DayFiles(store, clock, faults)
    return World(config, clock, store, scheduler, faults, keys, Nonces(), client, callbacks, files)


def store_clock(world: World, *, is_over: bool = False) -> None:
    """Keep the clock for the next process."""
    world.store.table("wire.clock", dict).put("now", world.clock.stored(is_over=is_over))
