"""A resident's way through the lender's pages, kept so that it goes on where it was: one walk a resident at a time."""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

MOST_STAGES = 60
"""A walk that needs more is going in circles and is given up."""


class Walk(msgspec.Struct):
    """Where a walk has come. `stage` names the next thing to do; `errand` is what it is for (`borrow`, `payoff`, `hardship`, …)."""

    n: int
    errand: str
    k: int
    """The month whose need this is."""
    stage: str = "enter"
    amount_fen: int = 0
    months: int = 0
    purpose: str = ""
    dice: list[float] = []
    entry_pick: float = 0.0
    tries: int = 0
    """How many times the whole was tried again on another day."""
    stumbles: int = 0
    """How many times in a row the line failed, or the lender said later."""
    stages: int = 0
    session_id: str = ""
    secret: str = ""
    entry_id: str = ""
    entry_owner: str = ""
    is_h5: bool = False
    names_person: bool = False
    device_id: str = ""
    asked: dict[str, int] = {}
    """How many requests of each name this session has made: with the session's id they make the idempotency keys."""
    otp_id: str = ""
    id_tail: bool = False
    face: bool = False
    scene: str = ""
    order_token: str = ""
    application_id: str = ""
    offer: dict[str, Any] = {}
    offer_amount_fen: int = 0
    offer_months: int = 0
    table_sha256: str = ""
    reading_time_s: int = 0
    contract_sha256: str = ""
    loan_id: str = ""
    wanted: list[str] = []
    facts: dict[str, Any] = {}
    started_ms: int = 0


@dataclass(frozen=True, slots=True)
class Go:
    """On to the next stage at once."""

    stage: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Put the phone down for a while and go on with a stage."""

    seconds: float
    stage: str


@dataclass(frozen=True, slots=True)
class Later:
    """The line failed or the lender cannot now: the whole again, some time later. `why` is a code, for the record."""

    why: str


@dataclass(frozen=True, slots=True)
class End:
    """The walk is over. `why`: `signed`, `declined`, `too-dear`, `changed-mind`, a refusal's code, or `done`."""

    why: str


@dataclass(frozen=True, slots=True)
class Again:
    """Not today; the same need comes back on another day, or is given up."""

    why: str


Outcome = Go | Pause | Later | Again | End


def session_id_of(seed: str, n: int, counter: int) -> str:
    """The id of a resident's session: the root of all ids that grow from it."""
    return f"se-{hashlib.sha256(f'{seed}|{n}|session|{counter}'.encode()).hexdigest()[:24]}"


def next_key(walk: Walk, name: str) -> str:
    """The idempotency key of this session's next request of that name."""
    count = walk.asked.get(name, 0) + 1
    walk.asked[name] = count
    return f"{walk.session_id}-{name}-{count}"
