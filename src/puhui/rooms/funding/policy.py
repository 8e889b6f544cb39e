"""The numbers by which joint loans are made: the law's, handed in, with the lender's own beside them (`policy.toml`)."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from puhui.foundation.money import Money
from puhui.foundation.rates import PPM
from puhui.rooms.funding.terms import FundingPolicy


def policy(*, partner_share_min_ppm: int, one_partner_tier1_max_ppm: int, joint_book_max_ppm: int) -> FundingPolicy:
    """Put the law's parameters and the lender's own together."""
    own = _own()
    return FundingPolicy(
        partner_share_min_ppm=partner_share_min_ppm,
        share_aim_ppm=max(own["share_aim_ppm"], partner_share_min_ppm),
        share_step_ppm=own["share_step_ppm"],
        one_partner_max=Money(own["tier1_capital_fen"] * one_partner_tier1_max_ppm // PPM),
        joint_book_max_ppm=joint_book_max_ppm,
        concentration_from=Money(own["concentration_from_fen"]),
        spread_step=Money(own["spread_step_fen"]),
    )


@cache
def _own() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("policy.toml").read_text("utf-8"))
