from dataclasses import replace
from datetime import date

import pytest

from puhui.foundation.dayfiles import DayFileRefused
from puhui.foundation.money import Money
from puhui.rooms.funding.partnerfiles import (
    BalanceRow,
    LegEvent,
    LoanRow,
    MirrorBreak,
    compare_balances,
    read_mirror,
    settlement,
    write_balances,
    write_loans,
)
from puhui.vocabulary.ids import LoanId

DAY = date(2026, 10, 1)
ONE = BalanceRow(LoanId("ln-1"), DAY, 190_000, 120, 0, "normal")
TWO = BalanceRow(LoanId("ln-2"), DAY, 80_000, 0, 3, "special_mention")
REPAID = LoanRow(LoanId("ln-1"), "ev-2", DAY, DAY, LegEvent.REPAID, 20_000, 3_000, 100, 700_000)


def test_the_loans_file_is_written_to_the_byte():
    text = write_loans([REPAID, replace(REPAID, event_id="ev-1", event=LegEvent.DISBURSED, principal_fen=210_000, interest_fen=0, penalty_fen=0)])
    lines = text.decode().splitlines()
    assert lines[0] == "business_date,value_date,loan_id,event,principal_fen,interest_fen,penalty_fen,amount_fen,share_ppm,event_id"
    assert lines[1] == "2026-10-01,2026-10-01,ln-1,disbursed,210000,0,0,210000,700000,ev-1"
    assert lines[2] == "2026-10-01,2026-10-01,ln-1,repaid,20000,3000,100,23100,700000,ev-2"
    assert lines[3].startswith("#end,2,233100,")


def test_a_mirror_that_agrees_reads_back_equal():
    mirror = read_mirror("funder-mirror-funder-07-20261001-p1-r1.csv", write_balances([TWO, ONE]))
    assert compare_balances([ONE, TWO], mirror) == []


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        ([ONE], MirrorBreak.MISSING_THERE),
        ([ONE, TWO, replace(TWO, loan_id=LoanId("ln-3"))], MirrorBreak.MISSING_HERE),
        ([ONE, replace(TWO, principal_fen=79_999)], MirrorBreak.WRONG_PRINCIPAL),
        ([ONE, replace(TWO, interest_fen=1)], MirrorBreak.WRONG_INTEREST),
        ([ONE, replace(TWO, overdue_days=4)], MirrorBreak.WRONG_DAYS),
        ([ONE, replace(TWO, asset_class="normal")], MirrorBreak.WRONG_CLASS),
        ([ONE, replace(TWO, business_date=date(2026, 9, 30))], MirrorBreak.WRONG_DAY),
        ([ONE, TWO, TWO], MirrorBreak.DUPLICATE_ROW),
    ],
)
def test_every_difference_to_the_mirror_is_named(theirs, kind):
    (found,) = compare_balances([ONE, TWO], theirs)
    assert found.kind is kind


def test_a_mirror_that_does_not_add_up_is_refused():
    text = write_balances([ONE]).replace(b"190000,120,0,normal,190120", b"190000,120,0,normal,190121")
    with pytest.raises(DayFileRefused):
        read_mirror("funder-mirror-funder-07-20261001-p1-r1.csv", text)


def test_a_funder_is_owed_its_part_of_what_came_in_less_what_went_back():
    refunded = replace(REPAID, event=LegEvent.REFUNDED, principal_fen=-1_000, interest_fen=0, penalty_fen=0)
    disbursed = replace(REPAID, event=LegEvent.DISBURSED)
    assert settlement([REPAID, refunded, disbursed]) == Money(22_100)
