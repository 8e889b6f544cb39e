"""What can be done with the register."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from puhui.foundation.money import Money
from puhui.foundation.refusals import NotFound, Refusal
from puhui.foundation.work import Work
from puhui.rooms.partners import store
from puhui.rooms.partners.partner import (
    Contract,
    Limits,
    NotListed,
    Partner,
    PartnerKey,
    Role,
    Standing,
    check_next,
)
from puhui.rooms.partners.register import development_partners
from puhui.vocabulary.ids import PartnerId
from puhui.vocabulary.permits import Approval, ListedPartner

LISTING = "partners.list"


class ApprovalMissing(Refusal):
    """Listing {partner_id} needs the approval of two people for exactly this change; ask for it under the kind partners.list."""

    code = "partners.approval-missing"


class KeyTaken(Refusal):
    """The key id {key_id} belongs to another key; publish the new key under a new id."""

    code = "partners.key-taken"
    status = 409


@dataclass(frozen=True, slots=True)
class Funder:
    """A listed funder as routing and the cost table need it."""

    listed: ListedPartner
    name: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Address:
    """Where a partner's services answer, and the name under which it signs."""

    url: str
    key_owner: str


@dataclass(frozen=True, slots=True)
class PublicRow:
    """A line of the public list (R-ASSIST): who, as what, under a contract of which days."""

    partner_id: PartnerId
    name: str
    role: Role
    since: date
    until: date


async def seed_development(work: Work, bases: Mapping[str, str]) -> int:
    """Fill the register with the partners of the simulated world; those there already keep their standing and get their address anew.

    Gives how many there are. `bases` are base addresses by service name.
    """
    found = development_partners(bases)
    for partner in found:
        await store.add(work, partner, is_development=True)
    return len(found)


async def listed(work: Work, *, partner_id: PartnerId, role: Role) -> ListedPartner:
    """Give the proof that business may be done with this partner in this role now.

    Raises: NotListed.
    """
    row = await store.listed(work, partner_id, role)
    if row is None:
        partner = await store.find(work, partner_id)
        raise NotListed(partner_id=partner_id, standing=partner.standing.value if partner else "unknown", role=role.value)
    return ListedPartner(partner_id, role.value, row["service_url"], work.at)


async def funders(work: Work) -> dict[PartnerId, Funder]:
    """Give every listed funder, by id."""
    return {
        PartnerId(row["partner_id"]): Funder(
            ListedPartner(row["partner_id"], Role.FUNDING.value, row["service_url"], work.at),
            row["name"],
            Limits(Money(row["exposure_max_fen"]), Money(row["day_max_fen"])),
        )
        for row in await store.listed_with(work, Role.FUNDING)
    }


async def listed_with(work: Work, *, role: Role) -> list[ListedPartner]:
    """Give every partner listed in this role, in order of id."""
    return [ListedPartner(row["partner_id"], role.value, row["service_url"], work.at) for row in await store.listed_with(work, role)]


async def listed_owners(work: Work) -> frozenset[str]:
    """Give the names under which listed partners sign: whose requests are read at all."""
    return await store.listed_owners(work)


async def find(work: Work, *, partner_id: PartnerId) -> Partner:
    """Give a partner as it stands. Raises NotFound."""
    partner = await store.find(work, partner_id)
    if partner is None:
        raise NotFound(what="partner", which=partner_id)
    return partner


async def by_owner(work: Work, *, owner: str) -> Partner:
    """Give the partner that signs under this name. Raises NotFound."""
    row = await store.SQL.by_owner.row(work, key_owner=owner)
    if row is None:
        raise NotFound(what="partner", which=owner)
    return await find(work, partner_id=PartnerId(row["partner_id"]))


async def addresses(work: Work, *, partner_ids: Sequence[PartnerId]) -> dict[PartnerId, Address]:
    """Give where partners answer, listed or not: what was begun with one is brought to its end."""
    return {PartnerId(row["partner_id"]): Address(row["service_url"], row["key_owner"]) for row in await store.addresses(work, partner_ids)}


async def propose(work: Work, partner: Partner) -> None:
    """Put a new firm into the register, as a candidate whatever it says of itself."""
    await store.add(work, replace(partner, standing=Standing.CANDIDATE), is_development=False)
    await store.add_change(work, partner.partner_id, before="", after=Standing.CANDIDATE.value, why="proposed", approval_id=None)


async def sign_contract(work: Work, *, partner_id: PartnerId, contract: Contract) -> None:
    """Add a contract of the partner in one role. Raises NotFound."""
    await find(work, partner_id=partner_id)
    await store.add_contract(work, partner_id, contract)


async def change_standing(work: Work, *, partner_id: PartnerId, wanted: Standing, why: str, approval: Approval | None = None) -> Partner:
    """Move a partner through the register; suspension and exit bite on the next request.

    Listing demands two people's approval of exactly that.
    Raises: NotFound, StandingOutOfOrder, DueDiligenceMissing, ApprovalMissing.
    """
    partner = await store.lock(work, partner_id)
    if partner is None:
        raise NotFound(what="partner", which=partner_id)
    check_next(partner, wanted, today=work.today)
    if wanted is Standing.LISTED and not _approves(approval, partner_id):
        raise ApprovalMissing(partner_id=partner_id)
    await store.set_standing(work, partner, wanted, why=why, approval_id=approval.approval_id if approval else None)
    return replace(partner, standing=wanted)


async def set_limits(work: Work, *, partner_id: PartnerId, limits: Limits, why: str) -> None:
    """Set the most we do with a partner. Raises NotFound."""
    partner = await store.lock(work, partner_id)
    if partner is None:
        raise NotFound(what="partner", which=partner_id)
    before, after = (f"limits {one.exposure_max.fen}/{one.day_max.fen}" for one in (partner.limits, limits))
    await store.set_limits(work, partner_id, limits)
    await store.add_change(work, partner_id, before=before, after=after, why=why, approval_id=None)


async def move(work: Work, *, partner_id: PartnerId, address: str, why: str) -> None:
    """Note that a partner answers at another address from the next call on; its frame may show our pages from there alone. Raises NotFound."""
    partner = await store.lock(work, partner_id)
    if partner is None:
        raise NotFound(what="partner", which=partner_id)
    await store.set_address(work, partner_id, address)
    await store.add_change(work, partner_id, before=f"address {partner.address}", after=f"address {address}", why=why, approval_id=None)


async def publish_key(work: Work, key: PartnerKey, *, ends: str | None = None, ends_at: datetime | None = None) -> None:
    """Take a partner's new key; `ends` names the old one, which stays good until `ends_at`, so nothing is refused in between.

    Raises: KeyTaken.
    """
    if not await store.add_key(work, key):
        known = await store.find_key(work, key.key_id)
        assert known is not None
        if (known.partner_id, known.public_key) != (key.partner_id, key.public_key):
            raise KeyTaken(key_id=key.key_id)
    if ends is not None:
        await store.end_key(work, ends, ends_at or work.at)


async def keys(work: Work, *, partner_id: PartnerId) -> list[PartnerKey]:
    """Give all keys of a partner, old ones too."""
    return await store.keys(work, partner_id)


async def partners_page(
    work: Work, *, role: Role | None = None, standing: Standing | None = None, most: int = 25, skip: int = 0
) -> tuple[list[Mapping[str, Any]], int]:
    """Give a page of the register, and how many there are."""
    wanted = {"role": role.value if role else None, "standing": standing.value if standing else None}
    rows = await store.SQL.partners_page.rows(work, most=most, skip=skip, **wanted)
    return [dict(row) for row in rows], int(await store.SQL.partners_page_count.value(work, **wanted))


async def changes_of(work: Work, *, partner_id: PartnerId) -> list[Mapping[str, Any]]:
    """Give what became of a partner, line by line."""
    return [dict(row) for row in await store.SQL.changes_of.rows(work, partner_id=partner_id)]


async def signing_keys(work: Work) -> list[tuple[str, PartnerKey]]:
    """Give every key of the register with the name under which its partner signs."""
    return [
        (row["key_owner"], PartnerKey(row["key_id"], PartnerId(row["key_owner"]), row["alg"], row["public_key"], row["since"], row["until"]))
        for row in await store.SQL.keys_of_owners.rows(work)
    ]


async def public_list(work: Work) -> list[PublicRow]:
    """Give the public list of partners, by role: only those with whom business is done today."""
    return [PublicRow(PartnerId(row["partner_id"]), row["name"], Role(row["role"]), row["since"], row["until"]) for row in await store.public_rows(work)]


def listing_sha256(partner_id: PartnerId) -> str:
    """Name the content that two people approve when a partner is listed."""
    return hashlib.sha256(f"{LISTING}|{partner_id}".encode()).hexdigest()


def _approves(approval: Approval | None, partner_id: PartnerId) -> bool:
    return (
        approval is not None
        and approval.kind == LISTING
        and approval.content_sha256 == listing_sha256(partner_id)
        and approval.first != approval.second
    )
