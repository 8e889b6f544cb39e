"""The register on the database: who is listed, who is struck off, whose key is good."""

import hashlib
from datetime import date, timedelta

import pytest

from puhui.foundation.money import Money
from puhui.rooms import partners
from puhui.rooms.partners import Contract, Limits, Partner, PartnerKey, Role, Standing
from puhui.vocabulary.ids import PartnerId
from puhui.vocabulary.permits import Approval

BASES = {"funder": "http://127.0.0.1:9000", "entry": "http://127.0.0.1:9000", "shop": "http://127.0.0.1:9000"}
SEVENTH = PartnerId("funder-07")
NEW = Partner(
    PartnerId("funder-99"), "新来的", frozenset({Role.FUNDING}), Standing.LISTED, "https://example.invalid", "funder-99", (),
    Limits(Money(10**9), Money(10**8)),
)  # fmt: skip


@pytest.fixture
async def register(work):
    await partners.seed_development(work, BASES)
    return work


def approval(partner_id: PartnerId, *, second: str = "li") -> Approval:
    from datetime import UTC, datetime

    return Approval("yes-1", "partners.list", partners.listing_sha256(partner_id), "wang", second, datetime(2026, 9, 1, tzinfo=UTC))


async def test_filling_the_register_again_moves_addresses_and_nothing_else(register):
    await partners.change_standing(register, partner_id=SEVENTH, wanted=Standing.SUSPENDED, why="late mirrors")
    await partners.seed_development(register, dict.fromkeys(BASES, "http://127.0.0.1:9999"))
    seventh = await partners.find(register, partner_id=SEVENTH)
    assert (seventh.standing, seventh.address) == (Standing.SUSPENDED, "http://127.0.0.1:9999/funder/funder-07")


async def test_suspension_bites_on_the_next_request(register):
    assert (await partners.listed(register, partner_id=SEVENTH, role=Role.FUNDING)).partner_id == SEVENTH
    assert "funder-07" in await partners.listed_owners(register)
    await partners.change_standing(register, partner_id=SEVENTH, wanted=Standing.SUSPENDED, why="late mirrors")
    with pytest.raises(partners.NotListed):
        await partners.listed(register, partner_id=SEVENTH, role=Role.FUNDING)
    assert SEVENTH not in await partners.funders(register)
    assert "funder-07" not in await partners.listed_owners(register)
    assert SEVENTH not in {row.partner_id for row in await partners.public_list(register)}


async def test_nobody_is_listed_in_a_role_he_has_no_contract_for(register):
    with pytest.raises(partners.NotListed):
        await partners.listed(register, partner_id=SEVENTH, role=Role.OUTSOURCER)
    with pytest.raises(partners.NotListed):
        await partners.listed(register, partner_id=PartnerId("nobody"), role=Role.FUNDING)


async def test_a_new_firm_goes_through_every_step_and_two_people_list_it(register):
    await partners.propose(register, NEW)
    assert (await partners.find(register, partner_id=NEW.partner_id)).standing is Standing.CANDIDATE
    await partners.change_standing(register, partner_id=NEW.partner_id, wanted=Standing.DUE_DILIGENCE, why="papers came")
    with pytest.raises(partners.DueDiligenceMissing):
        await partners.change_standing(register, partner_id=NEW.partner_id, wanted=Standing.LISTED, why="", approval=approval(NEW.partner_id))
    contract = Contract("c-99", Role.FUNDING, date(2026, 1, 1), date(2027, 1, 1), hashlib.sha256(b"paper").hexdigest())
    await partners.sign_contract(register, partner_id=NEW.partner_id, contract=contract)
    for bad in (None, approval(SEVENTH), approval(NEW.partner_id, second="wang")):
        with pytest.raises(partners.ApprovalMissing):
            await partners.change_standing(register, partner_id=NEW.partner_id, wanted=Standing.LISTED, why="", approval=bad)
    await partners.change_standing(register, partner_id=NEW.partner_id, wanted=Standing.LISTED, why="", approval=approval(NEW.partner_id))
    assert NEW.partner_id in await partners.funders(register)
    await partners.change_standing(register, partner_id=NEW.partner_id, wanted=Standing.EXITED, why="over")
    with pytest.raises(partners.StandingOutOfOrder):
        await partners.change_standing(register, partner_id=NEW.partner_id, wanted=Standing.LISTED, why="", approval=approval(NEW.partner_id))


async def test_keys_overlap_while_they_change(register):
    since = register.at
    old = PartnerKey("funder-07", SEVENTH, "ed25519", b"old", since - timedelta(days=90), None)
    new = PartnerKey("funder-07-b", SEVENTH, "ed25519", b"new", since, None)
    await partners.publish_key(register, old)
    await partners.publish_key(register, new, ends="funder-07", ends_at=since + timedelta(days=7))
    good = [key.key_id for key in await partners.keys(register, partner_id=SEVENTH) if key.is_in_force(since + timedelta(days=1))]
    assert good == ["funder-07", "funder-07-b"]
    good = [key.key_id for key in await partners.keys(register, partner_id=SEVENTH) if key.is_in_force(since + timedelta(days=7))]
    assert good == ["funder-07-b"]
    with pytest.raises(partners.KeyTaken):
        await partners.publish_key(register, PartnerKey("funder-07", SEVENTH, "ed25519", b"another", since, None))


async def test_the_public_list_names_everybody_by_role(register):
    rows = await partners.public_list(register)
    assert len(rows) == 44 + 6 + 53 + 3 + 60 + 3 + 2
    assert [row.role for row in rows] == sorted((row.role for row in rows), key=lambda role: role.value)
