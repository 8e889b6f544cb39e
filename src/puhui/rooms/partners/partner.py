"""A partner: a firm in the register, in one or more of six roles, and the only five places where it can stand.

candidate -> due diligence -> listed -> suspended -> exited. Business is done with listed partners only, in the role asked for, under a
contract in force.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import assert_never

from puhui.foundation.money import Money
from puhui.foundation.refusals import Refusal
from puhui.vocabulary.ids import PartnerId


class Role(Enum):
    """What a partner does for us; the public list is sorted by it."""

    ASSET = "asset"
    FUNDING = "funding"
    ENHANCEMENT = "enhancement"
    MARKETING = "marketing"
    MERCHANT = "merchant"
    OUTSOURCER = "outsourcer"

    @property
    def zh(self) -> str:
        return _ROLES_ZH[self]


_ROLES_ZH = {
    Role.ASSET: "资产方",
    Role.FUNDING: "资金方",
    Role.ENHANCEMENT: "增信方",
    Role.MARKETING: "营销方",
    Role.MERCHANT: "商户",
    Role.OUTSOURCER: "委外机构",
}


class Standing(Enum):
    CANDIDATE = "candidate"
    DUE_DILIGENCE = "due_diligence"
    LISTED = "listed"
    SUSPENDED = "suspended"
    EXITED = "exited"


class NotListed(Refusal):
    """The partner {partner_id} is {standing}, or not listed as {role}; nothing is done with it. Operations must list it first."""

    code = "not-listed"
    zh = "这家合作机构目前不在名单内，暂时不能办理。"
    status = 403


class StandingOutOfOrder(Refusal):
    """The partner {partner_id} is {standing} and cannot become {wanted}; possible next: {possible}."""

    code = "partners.standing-out-of-order"
    status = 409


class DueDiligenceMissing(Refusal):
    """The partner {partner_id} cannot be listed: {missing}."""

    code = "partners.due-diligence-missing"


@dataclass(frozen=True, slots=True)
class Contract:
    """What was agreed with a partner in one role, from `since` (in) to `until` (out); `sha256` names the paper."""

    contract_id: str
    role: Role
    since: date
    until: date
    sha256: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The most we do with a partner: owed to or by it in all, and begun with it on one day."""

    exposure_max: Money
    day_max: Money


@dataclass(frozen=True, slots=True)
class PartnerKey:
    """A public key by which a partner signs, in force from `since` (in) to `until` (out, open if None). Two at once: a rotation without a gap."""

    key_id: str
    partner_id: PartnerId
    alg: str
    public_key: bytes
    since: datetime
    until: datetime | None

    def is_in_force(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Partner:
    """A firm as the register has it. `address` is where its services answer; `key_owner` is its name on signatures."""

    partner_id: PartnerId
    name: str
    roles: frozenset[Role]
    standing: Standing
    address: str
    key_owner: str
    contracts: tuple[Contract, ...]
    limits: Limits


def possible_next(standing: Standing) -> tuple[Standing, ...]:
    """Give where a partner can go from here."""
    match standing:
        case Standing.CANDIDATE:
            return (Standing.DUE_DILIGENCE, Standing.EXITED)
        case Standing.DUE_DILIGENCE:
            return (Standing.LISTED, Standing.EXITED)
        case Standing.LISTED:
            return (Standing.SUSPENDED, Standing.EXITED)
        case Standing.SUSPENDED:
            return (Standing.LISTED, Standing.EXITED)
        case Standing.EXITED:
            return ()
        case _:
            assert_never(standing)


def check_next(partner: Partner, wanted: Standing, *, today: date) -> None:
    """Refuse a step that the register does not know, or a listing without a contract in force for every role.

    Raises: StandingOutOfOrder, DueDiligenceMissing.
    """
    possible = possible_next(partner.standing)
    if wanted not in possible:
        raise StandingOutOfOrder(
            partner_id=partner.partner_id,
            standing=partner.standing.value,
            wanted=wanted.value,
            possible=", ".join(one.value for one in possible) or "nothing",
        )
    if wanted is Standing.LISTED:
        bare = sorted(role.value for role in partner.roles if not has_contract(partner, role, today=today))
        if bare or not partner.roles:
            raise DueDiligenceMissing(partner_id=partner.partner_id, missing=f"no contract in force as {', '.join(bare) or 'anything'}")


def has_contract(partner: Partner, role: Role, *, today: date) -> bool:
    return any(contract.role is role and contract.since <= today < contract.until for contract in partner.contracts)


def is_listed(partner: Partner, role: Role, *, today: date) -> bool:
    """Say whether business may be done with this partner in this role today."""
    return partner.standing is Standing.LISTED and role in partner.roles and has_contract(partner, role, today=today)
