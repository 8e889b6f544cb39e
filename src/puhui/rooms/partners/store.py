"""All SQL of the register."""

from collections.abc import Sequence
from datetime import datetime

from puhui.foundation import sql
from puhui.foundation.money import Money
from puhui.foundation.sql import Row
from puhui.foundation.work import Work
from puhui.rooms.partners.partner import Contract, Limits, Partner, PartnerKey, Role, Standing
from puhui.vocabulary.ids import PartnerId

SQL = sql.load(__file__)


async def add(work: Work, partner: Partner, *, is_development: bool) -> None:
    """Add a partner with its contracts; a development partner that is there already only gets its address anew."""
    await SQL.add_partner.run(
        work,
        partner_id=partner.partner_id,
        name=partner.name,
        roles=sorted(role.value for role in partner.roles),
        standing=partner.standing.value,
        service_url=partner.address,
        key_owner=partner.key_owner,
        exposure_max_fen=partner.limits.exposure_max.fen,
        day_max_fen=partner.limits.day_max.fen,
        is_development=is_development,
    )
    for contract in partner.contracts:
        await add_contract(work, partner.partner_id, contract)


async def add_contract(work: Work, partner_id: PartnerId, contract: Contract) -> None:
    await SQL.add_contract.run(
        work,
        contract_id=contract.contract_id,
        partner_id=partner_id,
        role=contract.role.value,
        since=contract.since,
        until=contract.until,
        sha256=contract.sha256,
    )


async def find(work: Work, partner_id: PartnerId) -> Partner | None:
    row = await SQL.find_partner.row(work, partner_id=partner_id)
    return await _partner(work, row) if row else None


async def lock(work: Work, partner_id: PartnerId) -> Partner | None:
    row = await SQL.lock_partner.row(work, partner_id=partner_id)
    return await _partner(work, row) if row else None


async def listed(work: Work, partner_id: PartnerId, role: Role) -> Row | None:
    return await SQL.listed.row(work, partner_id=partner_id, role=role.value, today=work.today)


async def listed_with(work: Work, role: Role) -> Sequence[Row]:
    return await SQL.listed_with.rows(work, role=role.value, today=work.today)


async def listed_owners(work: Work) -> frozenset[str]:
    return frozenset(row["key_owner"] for row in await SQL.listed_owners.rows(work, today=work.today))


async def addresses(work: Work, partner_ids: Sequence[PartnerId]) -> Sequence[Row]:
    return await SQL.addresses.rows(work, partner_ids=list(partner_ids))


async def of_owner(work: Work, key_owner: str) -> list[PartnerId]:
    return [PartnerId(row["partner_id"]) for row in await SQL.by_owner.rows(work, key_owner=key_owner)]


async def set_standing(work: Work, partner: Partner, after: Standing, *, why: str, approval_id: str | None) -> None:
    await SQL.set_standing.run(work, partner_id=partner.partner_id, standing=after.value)
    await add_change(work, partner.partner_id, before=partner.standing.value, after=after.value, why=why, approval_id=approval_id)


async def set_limits(work: Work, partner_id: PartnerId, limits: Limits) -> None:
    await SQL.set_limits.run(work, partner_id=partner_id, exposure_max_fen=limits.exposure_max.fen, day_max_fen=limits.day_max.fen)


async def set_address(work: Work, partner_id: PartnerId, address: str) -> None:
    await SQL.set_address.run(work, partner_id=partner_id, service_url=address)


async def add_change(work: Work, partner_id: PartnerId, *, before: str, after: str, why: str, approval_id: str | None) -> None:
    await SQL.add_change.run(
        work, partner_id=partner_id, before=before, after=after, why=why, approval_id=approval_id, at=work.at, actor=work.actor.name
    )


async def changes(work: Work, partner_id: PartnerId) -> Sequence[Row]:
    return await SQL.changes_of.rows(work, partner_id=partner_id)


async def add_key(work: Work, key: PartnerKey) -> bool:
    """Add a key; False if its id is taken."""
    added = await SQL.add_key.run(
        work, key_id=key.key_id, partner_id=key.partner_id, alg=key.alg, public_key=key.public_key, since=key.since
    )
    return added == 1


async def find_key(work: Work, key_id: str) -> PartnerKey | None:
    row = await SQL.find_key.row(work, key_id=key_id)
    return _key(row) if row else None


async def end_key(work: Work, key_id: str, until: datetime) -> None:
    await SQL.end_key.run(work, key_id=key_id, until=until)


async def keys(work: Work, partner_id: PartnerId) -> list[PartnerKey]:
    return [_key(row) for row in await SQL.keys_of.rows(work, partner_id=partner_id)]


async def public_rows(work: Work) -> Sequence[Row]:
    return await SQL.public_rows.rows(work, today=work.today)


async def _partner(work: Work, row: Row) -> Partner:
    contracts = await SQL.contracts_of.rows(work, partner_id=row["partner_id"])
    return Partner(
        partner_id=PartnerId(row["partner_id"]),
        name=row["name"],
        roles=frozenset(Role(role) for role in row["roles"]),
        standing=Standing(row["standing"]),
        address=row["service_url"],
        key_owner=row["key_owner"],
        contracts=tuple(Contract(one["contract_id"], Role(one["role"]), one["since"], one["until"], one["sha256"]) for one in contracts),
        limits=Limits(Money(row["exposure_max_fen"]), Money(row["day_max_fen"])),
    )


def _key(row: Row) -> PartnerKey:
    return PartnerKey(row["key_id"], PartnerId(row["partner_id"]), row["alg"], bytes(row["public_key"]), row["since"], row["until"])
