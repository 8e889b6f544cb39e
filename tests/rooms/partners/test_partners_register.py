from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from puhui.rooms.partners.partner import (
    DueDiligenceMissing,
    PartnerKey,
    Role,
    Standing,
    StandingOutOfOrder,
    check_next,
    is_listed,
    possible_next,
)
from puhui.rooms.partners.register import development_partners
from puhui.vocabulary.ids import PartnerId

TODAY = date(2026, 9, 1)
BASES = {"funder": "http://127.0.0.1:9000", "entry": "http://127.0.0.1:9000", "shop": "http://127.0.0.1:9000"}
PARTNERS = {partner.partner_id: partner for partner in development_partners(BASES)}
SEVENTH = PARTNERS[PartnerId("funder-07")]


def test_the_development_register_has_every_firm_of_the_world_outside():
    roles = Counter(role for partner in PARTNERS.values() for role in partner.roles)
    assert roles == {
        Role.FUNDING: 44,
        Role.ASSET: 6 + 53,
        Role.ENHANCEMENT: 3,
        Role.MERCHANT: 60,
        Role.MARKETING: 3,
        Role.OUTSOURCER: 2,
    }
    assert SEVENTH.address == "http://127.0.0.1:9000/funder/funder-07"
    assert PARTNERS[PartnerId("m001")].key_owner == "shop-m001"
    assert PARTNERS[PartnerId("outsourcer-1")].address == ""


def test_business_needs_the_list_the_role_and_a_contract_in_force():
    assert is_listed(SEVENTH, Role.FUNDING, today=TODAY)
    assert not is_listed(SEVENTH, Role.ENHANCEMENT, today=TODAY)
    assert not is_listed(replace(SEVENTH, standing=Standing.SUSPENDED), Role.FUNDING, today=TODAY)
    assert not is_listed(SEVENTH, Role.FUNDING, today=date(2025, 12, 31))
    assert is_listed(SEVENTH, Role.FUNDING, today=date(2030, 12, 31))
    assert not is_listed(SEVENTH, Role.FUNDING, today=date(2031, 1, 1))


@pytest.mark.parametrize("standing", list(Standing))
def test_only_the_steps_of_the_register_are_possible(standing):
    at = replace(SEVENTH, standing=standing)
    for wanted in Standing:
        if wanted in possible_next(standing):
            check_next(at, wanted, today=TODAY)
        else:
            with pytest.raises(StandingOutOfOrder):
                check_next(at, wanted, today=TODAY)


def test_nobody_is_listed_without_a_contract_for_every_role():
    bare = replace(SEVENTH, standing=Standing.DUE_DILIGENCE, contracts=())
    with pytest.raises(DueDiligenceMissing):
        check_next(bare, Standing.LISTED, today=TODAY)


def test_a_key_is_rotated_without_a_gap():
    change = datetime(2026, 9, 1, tzinfo=UTC)
    old = PartnerKey("funder-07", SEVENTH.partner_id, "ed25519", b"", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 9, 2, tzinfo=UTC))
    new = replace(old, key_id="funder-07-2", since=change, until=None)
    assert [key.is_in_force(change) for key in (old, new)] == [True, True]
    assert [key.is_in_force(datetime(2026, 9, 2, tzinfo=UTC)) for key in (old, new)] == [False, True]
