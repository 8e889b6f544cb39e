"""A reservation with a funder: held for minutes, confirmed by the contract, used by the pay-out; or released, or run out."""

from typing import Annotated, Literal

import msgspec

from puhui_town.wire import Fen, Ident, Ppm, Refused, Sha256, SomeFen, from_ms, instant

HELD, CONFIRMED, USED, RELEASED, EXPIRED = "held", "confirmed", "used", "released", "expired"
HOLD_S_MAX = 600
BINDING = frozenset({HELD, CONFIRMED, USED})


class Asked(msgspec.Struct, frozen=True):
    """Body of `POST /funder/P/v1/reservations`."""

    reservation_id: Ident
    loan_id: Ident
    terms_version: str
    loan_fen: SomeFen
    share_fen: SomeFen
    rate_ppm: Ppm
    method: str
    convention: str
    months: Annotated[int, msgspec.Meta(ge=1, le=360)]
    region: Annotated[str, msgspec.Meta(pattern=r"^\d{6}$")]
    age: Annotated[int, msgspec.Meta(ge=0, le=150)]
    band: Annotated[str, msgspec.Meta(pattern=r"^[A-H]$")]
    hold_s: Annotated[int, msgspec.Meta(ge=1, le=HOLD_S_MAX)]


class Confirmed(msgspec.Struct, frozen=True):
    """Body of `…/confirm`."""

    contract_sha256: Sha256
    order_id: Ident


class Released(msgspec.Struct, frozen=True):
    """Body of `…/release`."""

    reason: Literal["cancelled", "pay_failed", "rerouted"]


class Reservation(msgspec.Struct, frozen=True):
    """A reservation as the funder keeps it. `day` is the day of the run whose quota it takes."""

    partner: str
    asked: Asked
    day: str
    made_ms: int
    expires_ms: int
    state: str = HELD
    order_id: str = ""
    contract_sha256: str = ""

    @property
    def share_fen(self) -> Fen:
        return self.asked.share_fen

    @property
    def share_ppm(self) -> int:
        """Our share of the loan, to the nearest part per million."""
        return (2 * self.asked.share_fen * 1_000_000 + self.asked.loan_fen) // (2 * self.asked.loan_fen)

    def told(self) -> dict[str, object]:
        return {"state": self.state, "share_fen": self.asked.share_fen, "expires_at": instant(from_ms(self.expires_ms))}


def out_of_terms(field: str) -> Refused:
    return Refused("funder.out-of-terms", f"{field} lies outside the terms", field=field)
