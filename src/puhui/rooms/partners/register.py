"""The development register, read from `register.toml`: the firms of the simulated world at the configured addresses."""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from puhui.foundation.money import Money
from puhui.rooms.partners.partner import Contract, Limits, Partner, Role, Standing
from puhui.vocabulary.ids import PartnerId

PATH = Path(__file__).with_name("register.toml")


def development_partners(bases: Mapping[str, str]) -> list[Partner]:
    """Give every partner of the development register, listed, in the order of the file.

    `bases` are the base addresses by service name (`funder`, `entry`, `shop`), as configured; a family without a service has none.
    """
    data = tomllib.loads(PATH.read_text("utf-8"))
    since, until = data["contract"]["since"], data["contract"]["until"]
    return [
        _member(family, n, bases, since, until) for family in data["family"] for n in range(family["first"], family["last"] + 1)
    ]


def _member(family: Mapping[str, Any], n: int, bases: Mapping[str, str], since: date, until: date) -> Partner:
    number = f"{n:0{family['digits']}d}"
    partner_id = PartnerId(family["id"].format(n=number))
    role = Role(family["role"])
    base = bases[family["at"]].rstrip("/") if family["at"] else ""
    contract_id = f"{partner_id}-{role.value}-1"
    return Partner(
        partner_id=partner_id,
        name=family["name"].format(n=number),
        roles=frozenset({role}),
        standing=Standing.LISTED,
        address=base + family["path"].format(id=partner_id),
        key_owner=family["key_owner"].format(id=partner_id),
        contracts=(Contract(contract_id, role, since, until, hashlib.sha256(contract_id.encode()).hexdigest()),),
        limits=Limits(Money(family["exposure_max_fen"]), Money(family["day_max_fen"])),
    )
