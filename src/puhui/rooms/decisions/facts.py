"""What a decision reads: typed facts of policy, the bounds that law sets on that day, and the values of variables. All of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from puhui.rooms.decisions.known import Value
from puhui.rooms.decisions.scorecard import canonical


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the person and the wish, apart from variables. Amounts are fen, ages years; `work` and `region` are "" where unknown.

    `is_purchase`: the money is for one order of a shop, so it is that amount and term or none. `hours_since_new_device`: since this device, and `hours_since_new_card`: since this card was first seen with a person known before; None
    for a person's first. `owed_fen` and `held_fen` are his exposure with us; `months_clean` months with us in which something was paid and nothing late.
    """

    today: date
    age: int
    amount_fen: int
    months: int
    purpose: str
    region: str
    is_purchase: bool = False
    work: str = ""
    is_verified: bool = True
    id_expires: date | None = None
    is_blocked: bool = False
    screening_similarity_ppm: int = 0
    is_card_matched: bool = True
    face_live_ppm: int = 1_000_000
    face_same_ppm: int = 1_000_000
    device_persons_30d: int = 1
    applications_30d: int = 0
    hours_since_new_device: int | None = None
    hours_since_new_card: int | None = None
    days_late_with_us: int = 0
    loans_settled: int = 0
    months_clean: int = 0
    owed_fen: int = 0
    held_fen: int = 0
    own_installments_fen: int = 0
    is_white: bool = False
    proven_income_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the rule packs in force on the day set, and which versions they are (`pack@version:sha256`)."""

    hard_cap_ppm: int
    per_person_cap_fen: int
    line_max_fen: int
    age_min: int
    hit_similarity_ppm: int
    purpose_barred: frozenset[str]
    work_barred: frozenset[str]
    packs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything a decision reads. `improved` holds reason codes taken at their best: only counterfactual runs set it."""

    facts: Facts
    bounds: Bounds
    values: Mapping[str, Value]
    improved: frozenset[str] = field(default_factory=frozenset)

    def to_bytes(self) -> bytes:
        """Write them as canonical JSON: equal inputs, equal bytes."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        for names in (content["bounds"]["purpose_barred"], content["bounds"]["work_barred"], content["improved"]):
            names.sort()
        return canonical(content)


def read_inputs(data: bytes) -> Inputs:
    """Read what `Inputs.to_bytes` wrote. Raises msgspec.ValidationError."""
    return msgspec.json.decode(data, type=Inputs)
