"""The register of partners: with whom business is done, as what, and since when.

Words: partner, role, standing, listed, contract, limits. Owns the tables of schema `partners`.
Keeps: nothing passes with a partner that is not listed in the role asked for, under a contract in force; every change leaves a line.
"""

from puhui.rooms.partners.operations import (
    ApprovalMissing,
    Funder,
    KeyTaken,
    PublicRow,
    change_standing,
    find,
    funders,
    keys,
    listed,
    listed_owners,
    listed_with,
    listing_sha256,
    propose,
    public_list,
    publish_key,
    seed_development,
    set_limits,
    sign_contract,
)
from puhui.rooms.partners.partner import (
    Contract,
    DueDiligenceMissing,
    Limits,
    NotListed,
    Partner,
    PartnerKey,
    Role,
    Standing,
    StandingOutOfOrder,
    is_listed,
)

__all__ = [
    "ApprovalMissing",
    "Contract",
    "DueDiligenceMissing",
    "Funder",
    "KeyTaken",
    "Limits",
    "NotListed",
    "Partner",
    "PartnerKey",
    "PublicRow",
    "Role",
    "Standing",
    "StandingOutOfOrder",
    "change_standing",
    "find",
    "funders",
    "is_listed",
    "keys",
    "listed",
    "listed_owners",
    "listed_with",
    "listing_sha256",
    "propose",
    "public_list",
    "publish_key",
    "seed_development",
    "set_limits",
    "sign_contract",
]
