"""The borrower's steps: the words that every journey and every door share about where a person stands.

A step takes a parsed body and gives a `StepAnswer`; "everything a page shows is in it".
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec


class State(Enum):
    """Where a person stands, as the borrower API tells it."""

    NEW = "new"
    CONSENTED = "consented"
    IDENTIFIED = "identified"
    WAITING = "waiting"
    OFFERED = "offered"
    DECLINED = "declined"
    PROOF = "proof"
    ACCEPTED = "accepted"
    READING = "reading"
    CONFIRMED = "confirmed"
    SIGNED = "signed"
    PAYING = "paying"
    ACTIVE = "active"
    LATE = "late"
    SETTLED = "settled"
    CANCELLED = "cancelled"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Session:
    """Who speaks: a session of an entry, the person once he has logged in, and the device it is bound to."""

    session_id: str
    entry_id: str
    device_id: str
    customer_id: str | None
    scene: str = ""
    order_token: str = ""

    @property
    def who(self) -> str:
        """The customer's id. Only steps that demand a log-in ask for it."""
        assert self.customer_id is not None, "the door lets only a known person come this far"
        return self.customer_id


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """What a step answers: the state, what may come next, what to show, and when to ask again if it is waiting."""

    state: State
    next: tuple[str, ...]
    show: Mapping[str, Any] = field(default_factory=dict)
    poll_s: int | None = None


@dataclass(frozen=True, slots=True)
class BorrowerStep:
    """One step of the borrower's API: the struct its body is parsed into, the journey that answers, and whether it needs no log-in (`is_open`).

    `run` is called as `run(desk, session=..., body=..., key=...)` and gives a StepAnswer.
    """

    body: type[msgspec.Struct]
    run: Callable[..., Awaitable[StepAnswer]]
    is_open: bool = False
