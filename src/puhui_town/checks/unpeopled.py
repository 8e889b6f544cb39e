"""A town in which nobody lives: what the services ask until people move in. Every question has the answer of a stranger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from puhui_town.checks.population import (
    BureauFile,
    Call,
    CallRecord,
    Card,
    Identity,
    PickUp,
    Place,
    RecordPage,
    Sms,
    SmsReaction,
    Turn,
    Utterance,
)


@dataclass(frozen=True, slots=True)
class Unpeopled:
    """The empty `Population`."""

    def person_by_id_number(self, id_number: str) -> Identity | None:  # noqa: ARG002
        return None

    def identity(self, person: str) -> Identity:
        raise KeyError(person)

    def phone_of(self, person: str, as_of: datetime) -> str | None:  # noqa: ARG002
        return None

    def registrant_of(self, phone: str, as_of: datetime) -> str | None:  # noqa: ARG002
        return None

    def users_of(self, phone: str, as_of: datetime) -> Sequence[str]:  # noqa: ARG002
        return ()

    def card(self, card_number: str, as_of: datetime) -> Card | None:  # noqa: ARG002
        return None

    def records(self, person: str, source: str, since: datetime, until: datetime, as_of: datetime, cursor: str | None) -> RecordPage | None:  # noqa: ARG002
        return None

    def places(self) -> tuple[str, Sequence[Place]]:
        return "none", ()

    def bureau_file(self, person: str, as_of: datetime) -> BureauFile | None:  # noqa: ARG002
        return None

    def read_sms(self, sms: Sms) -> SmsReaction:  # noqa: ARG002
        return SmsReaction(delivered=False, code="message.invalid-number")

    def pick_up(self, call: Call) -> PickUp:  # noqa: ARG002
        return PickUp("nobody")

    def speak(self, call: Call, turns: Sequence[Turn]) -> Utterance:  # noqa: ARG002
        return Utterance("", hang_up=True)

    def call_over(self, record: CallRecord) -> None:
        """Nobody was on the phone."""

    def queried(self, person: str, reason: str, at: datetime) -> None:
        """Nobody's file was read."""
