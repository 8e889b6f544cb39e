"""The funder's interface, signed: terms, hold, confirm, release, look. Called between transactions only, for listed funders only.

An answer is one of a few values. `Waiting` means that nobody answered: it is not a refusal, and no reason to take another funder.
`Away` means that the connection itself is refused, or eight attempts running stayed unanswered: then the next one is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from puhui.foundation.money import Money
from puhui.foundation.rates import YearRate
from puhui.foundation.refusals import Refusal
from puhui.foundation.services import Answer, Service, Unknown
from puhui.rooms.funding.hold import HOLD_S, Hold, ReleaseReason
from puhui.rooms.funding.terms import Terms, Wanted
from puhui.vocabulary.ids import PartnerId, PaymentOrderId
from puhui.vocabulary.permits import ListedPartner

LISTED_FOR = timedelta(seconds=1)


class ListingStale(Refusal):
    """The proof that {partner_id} is listed is older than a second of this work, or for another partner; nothing was asked outside."""

    code = "funding.listing-stale"


class FunderSpeaksStrangely(Refusal):
    """The funder {partner_id} answered something that is not in the protocol: {what}. It is left out until operations has looked."""

    code = "funding.strange-answer"


class HoldStanding(Enum):
    """What a funder says of a reservation."""

    HELD = "held"
    CONFIRMED = "confirmed"
    USED = "used"
    RELEASED = "released"
    EXPIRED = "expired"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Held:
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A signed no. `code` is the funder's; `version` the new one when its terms have changed, `field` the one that does not fit."""

    code: str
    version: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Stands:
    standing: HoldStanding


@dataclass(frozen=True, slots=True)
class Away:
    why: str


@dataclass(frozen=True, slots=True)
class Waiting:
    why: str


def demand_listed(listed: ListedPartner, partner_id: PartnerId, service: Service) -> None:
    """Raise ListingStale unless this proof is for this funder and not older than a second of the run's clock."""
    now = service.clock.now()
    is_fresh = now <= service.clock.after(listed.seen_at, LISTED_FOR)
    if not is_fresh or (listed.partner_id, listed.role) != (partner_id, "funding"):
        raise ListingStale(partner_id=partner_id)


async def terms(service: Service, listed: ListedPartner) -> Terms | Away | Waiting | Refused:
    """Ask a funder for its terms."""
    partner_id = PartnerId(listed.partner_id)
    demand_listed(listed, partner_id, service)
    answer: Answer | Unknown = Unknown("not asked")
    for _ in range(8):
        answer = await service.get("/v1/terms")
        if isinstance(answer, Answer):
            return _terms(partner_id, answer.body) if answer.is_good else Refused(answer.code)
        if answer.is_down:
            return Away(answer.why)
    assert isinstance(answer, Unknown)
    return Away(answer.why)


async def hold(service: Service, listed: ListedPartner, hold: Hold, wanted: Wanted) -> Held | Refused | Away | Waiting:
    """Ask a funder to hold its share; an unanswered request is asked about and sent again under its own key."""
    demand_listed(listed, hold.partner_id, service)
    body = {
        "reservation_id": hold.reservation_id,
        "loan_id": wanted.loan_id,
        "terms_version": hold.terms_version,
        "loan_fen": wanted.amount.fen,
        "share_fen": hold.share.fen,
        "rate_ppm": wanted.rate.ppm,
        "method": wanted.method,
        "convention": wanted.convention,
        "months": wanted.months,
        "region": wanted.region,
        "age": wanted.age,
        "band": wanted.band,
        "hold_s": HOLD_S,
    }
    answer = await service.settle(
        "/v1/reservations", body, key=hold.reservation_id, ask=f"/v1/reservations/{hold.reservation_id}", settles_at_once=True
    )
    if isinstance(answer, Unknown):
        return Away(answer.why) if answer.is_down else Waiting(answer.why)
    if not answer.is_good:
        return _refused(answer)
    if answer.body.get("state") == "held":
        return Held(_instant(hold.partner_id, answer.body, "expires_at"))
    return Refused(f"funder.{answer.body.get('state')}")


async def confirm(service: Service, hold: Hold, *, contract_sha256: str, order_id: PaymentOrderId) -> Stands | Refused | Away | Waiting:
    """Tell a funder that the contract is signed; its share goes into its pool. A hold that has run out is `Stands(EXPIRED)`.

    A confirmation goes to the funder named in a signed contract, even if it was suspended since: what was agreed is kept.
    """
    answer = await service.settle(
        f"/v1/reservations/{hold.reservation_id}/confirm",
        {"contract_sha256": contract_sha256, "order_id": order_id},
        key=f"{hold.reservation_id}-confirm",
        ask=None,
    )
    if isinstance(answer, Unknown):
        return Away(answer.why) if answer.is_down else Waiting(answer.why)
    if answer.is_good:
        return Stands(HoldStanding.CONFIRMED)
    if answer.code == "wrong-state" or answer.status == 404:
        return await look(service, hold)
    return _refused(answer)


async def release(service: Service, hold: Hold, reason: ReleaseReason) -> Stands | Refused | Away | Waiting:
    """Let a hold go. One that never came to stand there is `Stands(NEVER)`."""
    answer = await service.settle(
        f"/v1/reservations/{hold.reservation_id}/release", {"reason": reason.value}, key=f"{hold.reservation_id}-release", ask=None
    )
    if isinstance(answer, Unknown):
        return Away(answer.why) if answer.is_down else Waiting(answer.why)
    if answer.is_good:
        return Stands(HoldStanding.RELEASED)
    return await look(service, hold)


async def look(service: Service, hold: Hold) -> Stands | Away | Waiting:
    """Ask how a reservation stands."""
    answer = await service.get(f"/v1/reservations/{hold.reservation_id}")
    if isinstance(answer, Unknown):
        return Away(answer.why) if answer.is_down else Waiting(answer.why)
    if answer.status == 404:
        return Stands(HoldStanding.NEVER)
    try:
        return Stands(HoldStanding(str(answer.body.get("state"))))
    except ValueError:
        return Waiting(f"answered {answer.status} {answer.code}")


def _refused(answer: Answer) -> Refused:
    return Refused(answer.code, str(answer.body.get("version", "")), str(answer.body.get("field", "")))


def _terms(partner_id: PartnerId, body: Mapping[str, Any]) -> Terms:
    try:
        return Terms(
            partner_id=partner_id,
            version=str(body["version"]),
            since=datetime.fromisoformat(body["since"]),
            is_open=bool(body["open"]),
            opens_at=_instant_if_any(body, "opens_at"),
            closes_at=_instant_if_any(body, "closes_at"),
            day_left=Money(body["day_left_fen"]),
            total_left=Money(body["total_left_fen"]),
            share_min_ppm=body["share_min_ppm"],
            share_max_ppm=body["share_max_ppm"],
            rate_min=YearRate(body["rate_min_ppm"]),
            rate_max=YearRate(body["rate_max_ppm"]),
            terms_months=frozenset(body["terms_months"]),
            regions_allowed=tuple(body["regions_allowed"]),
            age_min=body["age_min"],
            age_max=body["age_max"],
            bands=frozenset(body["bands"]),
            region_share_max_ppm=body["region_share_max_ppm"],
            band_share_max_ppm=body["band_share_max_ppm"],
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise FunderSpeaksStrangely(partner_id=partner_id, what=f"terms: {type(error).__name__}") from None


def _instant_if_any(body: Mapping[str, Any], field: str) -> datetime | None:
    return datetime.fromisoformat(body[field]) if field in body else None


def _instant(partner_id: PartnerId, body: Mapping[str, Any], field: str) -> datetime:
    try:
        return datetime.fromisoformat(str(body[field]))
    except (KeyError, ValueError):
        raise FunderSpeaksStrangely(partner_id=partner_id, what=field) from None
