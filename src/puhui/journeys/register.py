"""The register of partners as staff and partners work on it: listing by two persons' yes, suspension at once, keys that rotate without a gap.

A key of the register is what a partner signs with. It is good from `since` on, and until `until` if another has taken its place: both are
good in between, so nothing is refused while a partner changes over. Every process looks a key up when it first sees it and again every while.
"""

import time
from base64 import b64decode
from datetime import timedelta
from typing import Any

import msgspec

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField, Refusal
from puhui.foundation.signing import PublicKey, UnknownKey
from puhui.foundation.work import Actor, Work
from puhui.rooms import partners, staff
from puhui.rooms.partners import PartnerKey, Standing
from puhui.rooms.staff import Duty, Member
from puhui.vocabulary.ids import PartnerId

OVERLAP_DAYS_MAX = 30
FRESH_S = 30


class KeyNotYours(Refusal):
    """The key {key_id} is not one of yours; a partner ends only its own keys, and not the only one it has."""

    code = "partners.key-not-yours"
    status = 403


class NewKey(msgspec.Struct):
    """A new public key: its id, algorithm (`ed25519` or `rsa-sha256`), and the base64 DER of it. `ends` names the key it replaces, which stays
    good for `overlap_days` (0 to 30) more.
    """

    key_id: str
    alg: str
    public_key: str
    ends: str = ""
    overlap_days: int = 7


async def propose_listing(desk: Desk, member: Member, partner_id: str) -> str:
    """Ask for a second person's yes to listing a partner; give the approval id. Raises NotFound, NotYourDuty."""
    async with desk.work(_actor(member)) as work:
        await partners.find(work, partner_id=PartnerId(partner_id))
        return await staff.ask_approval(work, member, kind="partners.list", subject=partner_id, content=_listing(partner_id))


async def list_partner(desk: Desk, member: Member, partner_id: str, approval_id: str) -> None:
    """List a partner with the yes of two persons in hand. Raises ApprovalMissing, StandingOutOfOrder, DueDiligenceMissing."""
    member.demand(Duty.PROPOSE_PARTNER)
    async with desk.work(_actor(member)) as work:
        approval = await staff.use_approval(work, approval_id=approval_id, kind="partners.list", content=_listing(partner_id))
        await partners.change_standing(work, partner_id=PartnerId(partner_id), wanted=Standing.LISTED, why="two persons' yes", approval=approval)
        await staff.note(work, member, verb="list_partner", subject=partner_id, facts={"approval_id": approval_id})
        listed = await partners.listed_owners(work)
    desk.held["listed_partners"] = listed


async def change_standing(desk: Desk, member: Member, partner_id: str, wanted: Standing, why: str) -> None:
    """Move a partner on: due diligence, suspension, exit. Raises StandingOutOfOrder, ApprovalMissing (for listing)."""
    member.demand(Duty.PROPOSE_PARTNER)
    if len(why.strip()) < 4:
        raise BadField(field="why", why="say in a few words why")
    async with desk.work(_actor(member)) as work:
        await partners.change_standing(work, partner_id=PartnerId(partner_id), wanted=wanted, why=why.strip()[:500])
        await staff.note(work, member, verb="change_standing", subject=partner_id, facts={"standing": wanted.value})
        listed = await partners.listed_owners(work)
    desk.held["listed_partners"] = listed


async def take_key(desk: Desk, *, actor: Actor, partner_id: str, body: NewKey) -> dict[str, Any]:
    """Take a partner's new key, and set the end of the one it replaces. Asking again changes nothing. Raises BadField, KeyTaken, KeyNotYours, NotFound."""
    async with desk.work(actor) as work:
        partner = await partners.find(work, partner_id=PartnerId(partner_id))
        public = _read(body, partner.key_owner)
        known = {key.key_id: key for key in await partners.keys(work, partner_id=partner.partner_id)}
        if body.ends and (body.ends not in known or body.ends == body.key_id):
            raise KeyNotYours(key_id=body.ends)
        ends_at = work.at + timedelta(days=body.overlap_days, seconds=1)
        key = PartnerKey(public.key_id, partner.partner_id, public.alg, public.der, work.at, None)
        await partners.publish_key(work, key, ends=body.ends or None, ends_at=ends_at)
        now = {one.key_id: one for one in await partners.keys(work, partner_id=partner.partner_id)}
    await load_keys(desk)
    return {"keys": [_shown(one) for one in now.values()]}


async def take_key_by_staff(desk: Desk, member: Member, partner_id: str, body: NewKey) -> None:
    """Take a key that a partner gave us on paper; who took it is in the audit. Raises as `take_key` does."""
    member.demand(Duty.PROPOSE_PARTNER)
    await take_key(desk, actor=_actor(member), partner_id=partner_id, body=body)
    async with desk.work(_actor(member)) as work:
        await staff.note(work, member, verb="take_key", subject=partner_id, facts={"key_id": body.key_id, "ends": body.ends})


async def keys_of(desk: Desk, *, partner_id: str) -> dict[str, Any]:
    """Give a partner's keys, old ones too."""
    async with desk.work(Actor("partner", partner_id), durable=False) as work:
        return {"keys": [_shown(one) for one in await partners.keys(work, partner_id=PartnerId(partner_id))]}


async def partner_of(desk: Desk, owner: str) -> str:
    """Give the partner that signs under this name. Raises NotFound."""
    async with desk.work(Actor("partner", owner), durable=False) as work:
        return (await partners.by_owner(work, owner=owner)).partner_id


async def load_keys(desk: Desk) -> None:
    """Put the register's keys into the process's ring, and note when each ends."""
    async with desk.work(Actor("house", "register"), durable=False) as work:
        await _fill(desk, work)


async def demand_in_force(desk: Desk, key_id: str) -> None:
    """Raise UnknownKey if the register says that this key has ended or is not yet good. A process reads the register again every half minute,
    and at once for a key it has never seen.
    """
    known: dict[str, PartnerKey] = desk.held.get("register_keys", {})
    is_old = time.monotonic() - desk.held.get("register_read_s", -FRESH_S) >= FRESH_S
    if is_old or (key_id not in known and key_id not in desk.keyring.keys):
        await load_keys(desk)
        known = desk.held["register_keys"]
    key = known.get(key_id)
    if key is not None and not key.is_in_force(desk.clock.now()):
        raise UnknownKey(key_id=key_id)


async def _fill(desk: Desk, work: Work) -> None:
    found = await partners.signing_keys(work)
    for owner, one in found:
        desk.keyring.add(PublicKey.read(one.key_id, owner, one.alg, one.public_key))
    desk.held["register_keys"] = {one.key_id: one for _, one in found}
    desk.held["register_read_s"] = time.monotonic()
    desk.held["listed_partners"] = await partners.listed_owners(work)


def _read(body: NewKey, owner: str) -> PublicKey:
    if not (1 <= len(body.key_id) <= 40 and body.key_id.isascii() and all(sign.isalnum() or sign in "_-" for sign in body.key_id)):
        raise BadField(field="key_id", why="1 to 40 of A-Z a-z 0-9 _ -")
    if not 0 <= body.overlap_days <= OVERLAP_DAYS_MAX:
        raise BadField(field="overlap_days", why=f"0 to {OVERLAP_DAYS_MAX}")
    try:
        return PublicKey.read(body.key_id, owner, body.alg, b64decode(body.public_key, validate=True))
    except (ValueError, UnknownKey):
        raise BadField(field="public_key", why="base64 of a DER public key: Ed25519, or RSA of 2,048 bits and more, as `alg` says") from None


def _listing(partner_id: str) -> bytes:
    return f"partners.list|{partner_id}".encode()


def _shown(key: PartnerKey) -> dict[str, Any]:
    shown = {"key_id": key.key_id, "alg": key.alg, "since": key.since.isoformat()}
    return shown | ({"until": key.until.isoformat()} if key.until else {})


def _actor(member: Member) -> Actor:
    return Actor("staff", member.staff_id)
