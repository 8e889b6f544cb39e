"""What the rail keeps: bindings, mandates, transfers, and the line of each movement that settled.

accepted -> paid | failed; paid -> returned (退票, at most three days later).
"""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

from puhui_town.rail.accounts import Leg
from puhui_town.wire import Fen, Ident, LongIdent, Person, Sha256, SomeFen, from_ms, instant

ACCEPTED, PAID, FAILED, RETURNED = "accepted", "paid", "failed", "returned"
COLUMNS = ("settle_date", "rail_id", "order_id", "direction", "state", "amount_fen", "fee_fen", "ended_at")
Purpose = Annotated[str, msgspec.Meta(max_length=200)]
AccountName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class BindingAsked(msgspec.Struct, frozen=True):
    """Body of `POST /rail/v1/bindings`."""

    binding_id: Ident
    person: Person
    card_number: str
    otp_id: str
    code: str


class MandateAsked(msgspec.Struct, frozen=True):
    """Body of `POST /rail/v1/mandates`."""

    mandate_id: Ident
    account: AccountName
    max_each_fen: SomeFen
    until: date
    contract_sha256: Sha256


class CancelAsked(msgspec.Struct, frozen=True):
    """Body of `POST /rail/v1/mandates/{id}/cancel`."""

    reason: Purpose


class Source(msgspec.Struct, frozen=True):
    account: AccountName
    amount_fen: SomeFen


class TransferAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /rail/v1/transfers`."""

    order_id: Ident
    direction: Literal["pay_out", "collect"]
    amount_fen: SomeFen
    sources: Annotated[list[Source], msgspec.Meta(min_length=1, max_length=16)]
    target: AccountName
    purpose: Purpose
    loan_id: Purpose = ""
    mandate_id: LongIdent | None = None
    otp_id: str | None = None
    code: str | None = None
    allow_partial: bool


class RefundAsked(msgspec.Struct, frozen=True):
    """Body of `POST /rail/v1/refunds`."""

    refund_id: Ident
    order_id: Ident
    amount_fen: SomeFen
    reason: Purpose


class Bound(msgspec.Struct, frozen=True):
    """A card whose account the lender may address."""

    card_number: str
    person: str
    phone: str


class Mandate(msgspec.Struct, frozen=True):
    """A person's standing leave to collect (代扣授权)."""

    account: str
    max_each_fen: int
    until: date
    contract_sha256: str
    is_active: bool = True


class Transfer(msgspec.Struct, frozen=True):
    """A transfer and where it stands. `legs` are the debits as ordered, `targets` the credits; `moved` what really left each source."""

    order_id: str
    rail_id: str
    direction: str
    amount_fen: int
    legs: list[Leg]
    targets: list[Leg]
    allow_partial: bool
    purpose: str
    loan_id: str
    accepted_ms: int
    state: str = ACCEPTED
    done_fen: Fen = 0
    fee_fen: int = 0
    seq: int = 0
    ended_ms: int = 0
    code: str = ""
    moved: list[Leg] = []
    refunded_fen: int = 0
    return_after_days: int = 0
    return_code: str = ""

    def told(self) -> dict[str, object]:
        """Give what `GET /rail/v1/transfers/{order_id}` answers."""
        body: dict[str, object] = {
            "order_id": self.order_id, "rail_id": self.rail_id, "state": self.state, "done_fen": self.done_fen, "fee_fen": self.fee_fen,
            "seq": self.seq, "accepted_at": instant(from_ms(self.accepted_ms)),
        }  # fmt: skip
        if self.ended_ms:
            body["ended_at"] = instant(from_ms(self.ended_ms))
        if self.code:
            body["code"] = self.code
        return body


class Settled(msgspec.Struct, frozen=True):
    """A line of the day file: money that moved, or came back, on a day."""

    day: date
    rail_id: str
    order_id: str
    direction: str
    state: str
    amount_fen: int
    fee_fen: int
    ended_ms: int

    def row(self) -> tuple[object, ...]:
        ended_at: datetime = from_ms(self.ended_ms)
        return (self.day, self.rail_id, self.order_id, self.direction, self.state, self.amount_fen, self.fee_fen, instant(ended_at))


class PoolMove(msgspec.Struct, frozen=True):
    """A line of a pool's statement, as its funder reads it. `fen` is below 0 for what left the pool."""

    pool: str
    n: int
    at_ms: int
    fen: int
    ref: str
    """The payment order, or the funder's own move id."""
    state: str
    purpose: str
    loan_id: str
