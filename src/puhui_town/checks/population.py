"""What the services of the town know of its people: the one door between `bureau`, `checks`, `sign`, `message` and `people`.

The services hold no person. They ask a `Population`, which the people of the town fill from their drawn lives. Every question carries
`as_of`, and the answer is the one that was true, and known to the source, at that instant: asked late, it is the same answer. All
answers depend only on the seed, the person, and what the person did; never on how often or in which order they are asked.

`person` is an opaque key, stable for a run, safe in logs and file names (letters, digits, `-`); it is never an id number or a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol

Source = Literal["telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device", "farm"]
Purpose = Literal["otp", "service", "reminder", "collection", "marketing"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a person is on paper; these never change in a run."""

    person: str
    name: str
    id_number: str
    issuer: str
    """The office on the back of the id card, such as "七九零一县公安局"."""
    id_expires: date
    home_place_code: str
    """12 digits; the first 6 are the address code that also begins the id number."""
    face: int
    """0 .. 2**32-1, the number a picture of this face carries (`checks.pictures`)."""
    card_number_face: int
    """0 .. 2**32-1, the number that pictures of this person's id card carry."""


@dataclass(frozen=True, slots=True)
class Card:
    """A debit card as its bank knows it at one instant."""

    card_number: str
    holder: str
    """The person's key."""
    reserved_phone: str
    """The phone that the bank would send its own messages to."""
    usable: bool
    """False when closed, lost or frozen."""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page, at most 1,000 events, of what a source tells of a person, oldest first by (at, event_id).

    `events_json` is the JSON list, already encoded, of `{event_id:int, at, known_at, revision?:int, kind, data{}}`;
    an event whose `known_at` is after `as_of` is not in it, and neither is a revision not yet known.
    """

    events_json: bytes
    next_cursor: str | None = None
    complete: bool = True
    """False when the source itself says that it does not have the whole time asked for."""


@dataclass(frozen=True, slots=True)
class OutsideAccount:
    """An account at another lender, as the bureau holds it at one instant. Amounts in whole fen."""

    account: str
    kind: Literal["D1", "R1", "R4", "R2"]
    lender_kind: str
    """`bank｜consumer_finance｜micro_loan｜card｜other`."""
    opened: date
    credit_fen: int
    balance_fen: int
    statuses: str
    """Up to 60 characters, oldest first, one a month, codes of BUREAU.md 4.6."""
    overdue_fen: int
    class_: int
    closed: date | None = None


@dataclass(frozen=True, slots=True)
class OutsideQuery:
    """A query that another lender made about the person."""

    at: datetime
    reason: str
    lender_kind: str


@dataclass(frozen=True, slots=True)
class BureauFile:
    """What the bureau holds of a person from others than our lender."""

    accounts: Sequence[OutsideAccount]
    queries: Sequence[OutsideQuery] = ()
    notices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """One line of the gazetteer."""

    place_code: str
    kind: Literal["city", "county_seat", "village"]
    name: str
    tier: int | None = None


@dataclass(frozen=True, slots=True)
class Sms:
    """A text that reached the town's message service."""

    message_id: str
    phone: str
    template: str
    params: dict[str, str]
    text: str
    """What the resident reads. For `otp` it holds the code, and is the only place where the code can be read."""
    purpose: Purpose
    sender: str
    """The service or partner that sent it: `lender-1`, `checks-1`."""
    at: datetime
    subject: str = ""
    """For a code: the otp_id."""


@dataclass(frozen=True, slots=True)
class SmsReaction:
    """What becomes of a text. A reply is sent to the lender `reply_after_s` later; `TD` opts out."""

    delivered: bool = True
    code: str = ""
    """When not delivered: `message.invalid-number`, `message.phone-off`."""
    reply: str = ""
    reply_after_s: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A call about to ring."""

    call_id: str
    phone: str
    script: str
    purpose: Purpose
    agent: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PickUp:
    """Who answers, and after the last turn how the person leaves the call."""

    answered_by: Literal["self", "other", "voicemail", "nobody"]
    ring_s: int = 8
    opening: str = ""
    """The first words of the one who answers; empty for voicemail and nobody."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of a call."""

    by: Literal["agent", "person"]
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the person says back; `hang_up` ends the call after it."""

    text: str
    hang_up: bool = False


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call that is over."""

    call: Call
    answered_by: str
    seconds: int
    turns: tuple[Turn, ...] = field(default=())


class Population(Protocol):
    """The people of the town as its services see them. None of these calls may block or wait for anything."""

    # -- who --------------------------------------------------------------------------------------------------------

    def person_by_id_number(self, id_number: str) -> Identity | None:
        """The person with this id number, or None. Asked several times in every exchange: keep it a dict look-up."""
        ...

    def identity(self, person: str) -> Identity:
        """The paper of a known person. Raises KeyError for a key this population never gave out."""
        ...

    def phone_of(self, person: str, as_of: datetime) -> str | None:
        """The phone the person calls his own at that instant (numbers change), or None."""
        ...

    def registrant_of(self, phone: str, as_of: datetime) -> str | None:
        """The person under whose id the number is registered at that instant (a rented SIM has another's), or None."""
        ...

    def users_of(self, phone: str, as_of: datetime) -> Sequence[str]:
        """The persons who read and answer this number (a shared family phone has several), the owner first; empty when dead."""
        ...

    # -- what the checks read -------------------------------------------------------------------------------------------

    def card(self, card_number: str, as_of: datetime) -> Card | None:
        """The card as its bank knows it, or None when no bank issued it."""
        ...

    def records(self, person: str, source: str, since: datetime, until: datetime, as_of: datetime, cursor: str | None) -> RecordPage | None:
        """Events of a source with `since <= at < until`, or None when the person has no such source (the check answers `checks.no-record`)."""
        ...

    def places(self) -> tuple[str, Sequence[Place]]:
        """Version and lines of the gazetteer; the same all through a run."""
        ...

    # -- what the bureau reads ----------------------------------------------------------------------------------------

    def bureau_file(self, person: str, as_of: datetime) -> BureauFile | None:
        """What other lenders reported, or None for a white file (白户). The bureau itself adds our lender's accounts and queries."""
        ...

    # -- what reaches people ------------------------------------------------------------------------------------------

    def read_sms(self, sms: Sms) -> SmsReaction:
        """Put a text into the inbox of whoever uses the phone (9.9), move the resident's mind, and say what comes back.

        Called once per text, at the instant of delivery. A number nobody has is not delivered (`message.invalid-number`).
        """
        ...

    def pick_up(self, call: Call) -> PickUp:
        """The phone rings: who answers. Called once per call."""
        ...

    def speak(self, call: Call, turns: Sequence[Turn]) -> Utterance:
        """What the one who picked up says to the agent's last turn. Called after each turn of the agent, with all turns so far."""
        ...

    def call_over(self, record: CallRecord) -> None:
        """The call has ended, by whom ever; the resident's anger, promises and reminder effect follow from it."""
        ...

    def queried(self, person: str, reason: str, at: datetime) -> None:
        """Our lender queried the person's bureau file; the person can see it."""
        ...
