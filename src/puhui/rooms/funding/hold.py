"""A hold: a funder's promise for minutes. candidate -> reserved -> confirmed -> used, or released, refused, expired."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import assert_never

from puhui.foundation.money import Money
from puhui.vocabulary.ids import CustomerId, LoanId, PartnerId, ReservationId

HOLD_S = 600


class HoldState(Enum):
    """Where a hold stands. `ASKING`: sent, and no answer yet; it may stand at the funder all the same."""

    ASKING = "asking"
    HELD = "held"
    CONFIRMED = "confirmed"
    USED = "used"
    RELEASED = "released"
    REFUSED = "refused"
    EXPIRED = "expired"


class ReleaseReason(Enum):
    CANCELLED = "cancelled"
    PAY_FAILED = "pay_failed"
    REROUTED = "rerouted"


@dataclass(frozen=True, slots=True)
class Hold:
    """One reservation with one funder for one loan; `no` counts those of the loan. `to_release` is set when it must be let go, until the funder has said so."""

    reservation_id: ReservationId
    customer_id: CustomerId
    loan_id: LoanId
    no: int
    partner_id: PartnerId
    terms_version: str
    share_ppm: int
    share: Money
    region: str
    band: str
    state: HoldState
    asked_at: datetime
    expires_at: datetime | None = None
    to_release: ReleaseReason | None = None
    code: str | None = None


def binds_quota(state: HoldState) -> bool:
    """Say whether the funder may be keeping quota for this hold."""
    match state:
        case HoldState.ASKING | HoldState.HELD | HoldState.CONFIRMED | HoldState.USED:
            return True
        case HoldState.RELEASED | HoldState.REFUSED | HoldState.EXPIRED:
            return False
        case _:
            assert_never(state)


def may_release(state: HoldState) -> bool:
    """Say whether there is something to let go: anything that may stand at the funder and is not used."""
    match state:
        case HoldState.ASKING | HoldState.HELD | HoldState.CONFIRMED:
            return True
        case HoldState.USED | HoldState.RELEASED | HoldState.REFUSED | HoldState.EXPIRED:
            return False
        case _:
            assert_never(state)


def letting_go(hold: Hold, reason: ReleaseReason) -> Hold:
    """Mark a hold to be released; one that binds nothing stays as it is. The first reason stays."""
    return replace(hold, to_release=hold.to_release or reason) if may_release(hold.state) else hold
