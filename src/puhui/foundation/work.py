"""Work: one transaction, one instant, one day, who asks, and where ids come from.

Made at the door by `Desk.work`, handed down to every operation. An operation runs in the Work it is given and never commits; it never
sees two different "now"s. Events told with `emit` leave through the outbox in the same transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import asyncpg
import msgspec

from puhui.foundation.clock import Clock
from puhui.foundation.crypto import FieldKeys


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a customer, a member of staff, a partner, or the house itself. `kind` is customer | staff | partner | house."""

    kind: str
    name: str


HOUSE = Actor("house", "puhui")


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it lies in the outbox: what kind, whose, when, and its facts as JSON."""

    kind: str
    customer_id: str
    at: datetime
    body: bytes


@dataclass(slots=True)
class Work:
    """One unit of work. `at` is aware (UTC); `today` is the lender's business date in Asia/Shanghai."""

    connection: asyncpg.Connection
    at: datetime
    today: date
    actor: Actor
    clock: Clock
    keys: FieldKeys
    told: list[Told] = field(default_factory=list)
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    def emit(self, event: object) -> None:
        """Tell the other rooms a fact: a frozen dataclass of `vocabulary.events` with a `customer_id`, ids and values only."""
        customer_id: str = getattr(event, "customer_id")  # noqa: B009
        self.told.append(Told(type(event).__name__, customer_id, self.at, msgspec.json.encode(event)))

    def in_a_while(self, **span: int) -> datetime:
        """Give the instant a short span from now: `work.in_a_while(seconds=30)`. Real seconds under the fast clock, rounded to the tick when stepped."""
        return self.clock.after(self.at, timedelta(**span))
