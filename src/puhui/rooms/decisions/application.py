"""Values of the room: an application, an offer in force, a decision record, a hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any


class ApplicationState(Enum):
    """Where an application stands. `waiting`: a question outside is unanswered; `ended` says why (paid, cancelled, expired, pay_failed)."""

    WAITING = "waiting"
    PROOF = "proof"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    ENDED = "ended"

    @property
    def is_open(self) -> bool:
        return self not in {ApplicationState.DECLINED, ApplicationState.ENDED}


@dataclass(frozen=True, slots=True)
class Application:
    """What a person asked for, by which entry. `tapped_at` is the instant that every check, record and report is asked as of."""

    customer_id: str
    application_id: str
    k: int
    session_id: str
    entry_id: str
    scene: str
    order_token: str
    device_id: str
    amount_fen: int
    months: int
    purpose: str
    tapped_at: datetime
    state: ApplicationState
    why: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A range in force until `expires_at`."""

    customer_id: str
    offer_id: str
    application_id: str
    decision_id: str
    method: str
    amount_min_fen: int
    amount_max_fen: int
    step_fen: int
    months: tuple[int, ...]
    rate_ppm: int
    all_in_max_ppm: int
    expires_at: datetime
    band: str
    is_thin_file: bool
    product: str
    convention: str

    def holds(self, amount_fen: int, months: int) -> bool:
        """Say whether this amount and term lie within the range."""
        in_range = self.amount_min_fen <= amount_fen <= self.amount_max_fen
        return in_range and amount_fen % self.step_fen == 0 and months in self.months


@dataclass(frozen=True, slots=True)
class Accepted:
    """An offer taken: what the loan will be, before its funders are known."""

    application_id: str
    decision_id: str
    loan_id: str
    product: str
    method: str
    amount_fen: int
    months: int
    rate_ppm: int
    convention: str
    band: str
    is_thin_file: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One decision as it lies in the store; `inputs` and `outcome` are the canonical bytes, opened."""

    customer_id: str
    decision_id: str
    application_id: str
    k: int
    kind: str
    at: datetime
    inputs: bytes
    inputs_sha256: str
    outcome: bytes
    outcome_sha256: str
    strategy_sha256: str
    artefacts: Mapping[str, str]
    packs: tuple[str, ...]
    sources: Mapping[str, Any]
    shadows: tuple[Mapping[str, Any], ...]
    kernel: int
    points: int
    probability_ppm: int
    band: str
    answer: str
    limit_fen: int
    ladder: str
    fired: tuple[str, ...]
    is_thin_file: bool
    has_no_flip: bool
    decided_by: str
    review_of: str | None


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a person owes and has held, over all products, under the cap of the day it last rose."""

    owed_fen: int
    held_fen: int
    cap_fen: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Exposure held for a loan not yet paid out."""

    customer_id: str
    loan_id: str
    application_id: str
    offer_id: str
    amount_fen: int
    months: int
    state: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What the person sent in support: its kind, the file, and the fields he filled in."""

    kind: str
    file_ref: str
    fields: Mapping[str, Any]
    at: datetime
