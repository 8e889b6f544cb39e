"""Why a funder's own figures may differ from ours, and why not."""

from dataclasses import replace
from datetime import date

import pytest

from puhui.rooms.funding.partnerfiles import EASED, ROUNDED, BalanceRow, cause_of, compare_balances

DAY = date(2026, 12, 1)
OURS = BalanceRow("ln-001-a", DAY, 89_669, 957, 0, "normal")


@pytest.mark.parametrize(
    ("theirs", "eased", "cause"),
    [
        ({"overdue_days": 35}, True, EASED),
        ({"interest_fen": 1_200}, True, EASED),
        ({"principal_fen": 89_670}, False, ROUNDED),
        ({"interest_fen": 955}, False, ROUNDED),
        ({"interest_fen": 954}, False, None),
        ({"principal_fen": 89_669 + 300}, False, None),
        ({"overdue_days": 1}, False, None),
        ({"asset_class": "loss"}, False, None),
    ],
)
def test_only_known_causes_are_named(theirs, eased, cause):
    differences = compare_balances([OURS], [replace(OURS, **theirs)])
    assert differences
    assert {cause_of(one, {"ln-001-a"} if eased else frozenset()) for one in differences} == {cause}


def test_a_missing_row_is_never_explained_away():
    (missing,) = compare_balances([OURS], [])
    assert cause_of(missing, {"ln-001-a"}) is None
