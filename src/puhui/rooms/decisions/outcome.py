"""What comes out of a decision, and the bytes that a replay must equal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec

from puhui.rooms.decisions.scorecard import Score, canonical
from puhui.vocabulary.reasons import Reason

FIRST_KERNEL = 1
REASONS_MAX = 4


class Answer(Enum):
    """How an application ends."""

    OFFER = "offer"
    DECLINED = "declined"
    PROOF = "proof"


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """A range that is offered: any amount on the step and any of the months may be taken, at this rate."""

    method: str
    amount_min_fen: int
    amount_max_fen: int
    step_fen: int
    months: tuple[int, ...]
    rate_ppm: int
    all_in_max_ppm: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided, and why. `no_flip`: four changes together would not have turned the answer, and it says so.

    `ladder` is the step of a person with a thin file, "" for a thick one; `wanted` what must be proven. `tables` names the rules that fired (from 1)
    in each table, and `funders` which kind of funder suits; both are empty in what the first policy decided.
    """

    answer: Answer
    score: Score
    band: str
    limit_fen: int
    ladder: str
    offers: tuple[OfferTerms, ...]
    fired: tuple[str, ...]
    reasons: tuple[Reason, ...]
    wanted: tuple[str, ...]
    no_flip: bool = False
    kernel: int = FIRST_KERNEL
    tables: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    funders: str = ""

    def to_bytes(self) -> bytes:
        """Write it as canonical JSON: what a replay must equal to the last byte. Of the first kernel it has the words it had then."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        if self.kernel == FIRST_KERNEL:
            del content["tables"], content["funders"]
        return canonical(content)
