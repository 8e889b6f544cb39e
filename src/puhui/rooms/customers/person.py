"""What the room tells of a person: who he is, where he stands, what he is barred from. Values only."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from puhui.rooms.customers.identity import IdNumber, Level


class AccountState(Enum):
    """Open, closing, closed; from closed it opens anew only for the same person with his papers. Frozen stands beside it."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class FreezeReason(Enum):
    LOST_PHONE = "lost_phone"
    PROXY = "proxy"
    DECEASED = "deceased"
    NOT_MINE = "not_mine"
    TAKEOVER = "takeover"


class Verdict(Enum):
    """What a screening found: nothing, something to know of, something that bars."""

    CLEAR = "clear"
    NOTED = "noted"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Customer:
    """The account of a person. `phone` is in clear: it must not reach a log, an event or a refusal."""

    customer_id: str
    session_id: str
    entry_id: str
    registered_at: datetime
    state: AccountState
    closed_at: datetime | None
    merged_into: str | None
    frozen_because: FreezeReason | None
    contact_closed: str
    phone: str | None = field(repr=False)
    living_place_code: str | None
    living_place_kind: str | None
    is_thin_file: bool | None


@dataclass(frozen=True, slots=True)
class PhonePeople:
    """Who logs in with a phone: `person` we know, else `newcomer` who came before without saying who he is; `needs_tail`: several could be meant."""

    person: str | None
    newcomer: str | None
    needs_tail: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as his papers show him, for contracts, certificates and reports. Personal through and through: never logged."""

    customer_id: str
    name: str = field(repr=False)
    id_number: IdNumber = field(repr=False)
    phone: str | None = field(repr=False)
    living_place_code: str
    living_place_kind: str
    home_place_code: str
    issuer: str
    expires_on: date
    face_check_id: str
    is_simulated: bool
    checked_at: datetime

    @property
    def born(self) -> date:
        return self.id_number.born

    @property
    def id_tail(self) -> str:
        return self.id_number.tail

    @property
    def address_code(self) -> str:
        """The county where the person lives: the first six digits of the living place."""
        return self.living_place_code[:6]

    def wire(self) -> dict[str, str]:
        """Give the person as the services outside know him."""
        person = {"name": self.name, "id_type": "id_card", "id_number": self.id_number.text}
        return person | {"phone": self.phone} if self.phone else person


@dataclass(frozen=True, slots=True)
class PersonStanding:
    """Where one person stands, cheap to ask: what is known, allowed, bound, barred."""

    customer_id: str
    level: Level
    until: date | None
    state: AccountState
    frozen_because: FreezeReason | None
    items: frozenset[str]
    has_card: bool
    is_thin_file: bool | None
    living_place_kind: str | None
    living_place_tier: int
    county: str
    entry_id: str

    @property
    def is_frozen(self) -> bool:
        return self.frozen_because is not None

    @property
    def may_draw(self) -> bool:
        """Say whether money may be taken at all: papers in force, card bound, account open and not frozen."""
        return self.level is Level.VERIFIED and self.has_card and self.state is AccountState.OPEN and not self.is_frozen


@dataclass(frozen=True, slots=True)
class ContactStanding:
    """Why contact is closed ("" if it is not): minor | deceased | disputed | hardship | not_mine | closed; and whether marketing is allowed."""

    closed_because: str
    may_market: bool


@dataclass(frozen=True, slots=True)
class Card:
    """The bound card: the rail's token, the bank and the last four digits."""

    binding_id: str
    account: str
    bank_code: str
    tail: str


@dataclass(frozen=True, slots=True)
class Papers:
    """What the checks told of a person's papers and face."""

    id_check_id: str
    face_check_id: str
    expires_on: date
    issuer: str
    address_code: str
    home_place_code: str
    live_ppm: int
    same_ppm: int
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class Screening:
    """What the lists told of a person: hits without names (list, entry, kind, likeness)."""

    check_id: str
    at: datetime
    lists_version: str
    verdict: Verdict
    hits: tuple[Mapping[str, Any], ...]
    recheck_on: date
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class FacePolicy:
    """From which likeness a face is accepted (ppm)."""

    live_min_ppm: int
    same_min_ppm: int
    warn_days: int


@cache
def face_policy() -> FacePolicy:
    return FacePolicy(**tomllib.loads(Path(__file__).with_name("identity.toml").read_text("utf-8")))


BARRING_KINDS = frozenset({"sanction"})


def judge_hits(hits: list[Mapping[str, Any]], *, similarity_min_ppm: int) -> tuple[Verdict, tuple[Mapping[str, Any], ...]]:
    """Judge what the lists told: a near enough hit on a sanction list bars, any other near hit is noted. Names are left out of what is kept."""
    near = tuple(
        {"list": hit["list"], "entry_id": hit["entry_id"], "kind": hit["kind"], "similarity_ppm": hit["similarity_ppm"]}
        for hit in hits
        if hit["similarity_ppm"] >= similarity_min_ppm
    )
    if any(hit["kind"] in BARRING_KINDS for hit in near):
        return Verdict.BLOCKED, near
    return (Verdict.NOTED if near else Verdict.CLEAR), near
