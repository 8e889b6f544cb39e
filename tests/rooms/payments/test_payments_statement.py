from dataclasses import replace
from datetime import date

import pytest

from puhui.foundation.dayfiles import DayFileRefused, write_dayfile
from puhui.rooms.payments.statement import COLUMNS, BreakKind, Movement, compare, read_transfers

DAY = date(2026, 9, 1)
ONE = Movement("po-1", "pay_out", "paid", 300_000, 0, DAY)
TWO = Movement("po-2", "collect", "paid", 50_000, 5, DAY)
BACK = replace(ONE, state="returned")
NAME = "rail-transfers-lender-20260901-p1-r1.csv"


def file_of(*movements: Movement) -> bytes:
    rows = [
        (one.day, f"r-{one.key}", one.key, one.direction, one.state, one.amount_fen, one.fee_fen, f"{one.day}T09:00:00.000+08:00")
        for one in movements
    ]
    return write_dayfile(COLUMNS, rows)


def test_a_file_that_agrees_has_no_difference():
    assert compare([ONE, TWO, BACK], read_transfers(NAME, file_of(TWO, ONE, BACK))) == []


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        ([ONE], BreakKind.MISSING_AT_RAIL),
        ([ONE, TWO, replace(TWO, key="po-3")], BreakKind.MISSING_HERE),
        ([ONE, replace(TWO, amount_fen=49_999)], BreakKind.WRONG_AMOUNT),
        ([ONE, replace(TWO, fee_fen=6)], BreakKind.WRONG_FEE),
        ([ONE, replace(TWO, state="failed")], BreakKind.WRONG_STATE),
        ([ONE, replace(TWO, state="returned")], BreakKind.WRONG_STATE),
        ([ONE, replace(TWO, day=date(2026, 9, 2))], BreakKind.WRONG_DAY),
        ([ONE, TWO, TWO], BreakKind.DUPLICATE_ROW),
    ],
)
def test_every_difference_is_found_and_named(theirs, kind):
    (found,) = compare([ONE, TWO], read_transfers(NAME, file_of(*theirs)))
    assert found.kind is kind


def test_a_difference_says_how_much_money_it_is_about():
    (found,) = compare([ONE, TWO], [ONE, replace(TWO, amount_fen=49_990)])
    assert found.amount_fen == 10
    (missing,) = compare([ONE, TWO], [ONE])
    assert missing.amount_fen == 50_000


@pytest.mark.parametrize(
    "broken",
    [
        lambda content: content[:-3] + b"00\n",
        lambda content: content.split(b"#end")[0],
        lambda content: content.replace(b"300000", b"300001"),
        lambda content: content.replace(b"pay_out", b"sideway"),
        lambda _: b"",
    ],
)
def test_a_file_that_is_not_whole_is_refused(broken):
    with pytest.raises(DayFileRefused):
        read_transfers(NAME, broken(file_of(ONE, TWO)))
