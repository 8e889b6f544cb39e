"""What we write is taken by the simulated register, which was written apart from us; what we break on purpose is not."""

import calendar
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.rooms import bureau
from puhui.rooms.bureau import textfile
from puhui.rooms.bureau.standing import Opening, Standing, aged_yuan, yuan_up
from puhui_town.bureau.register import Register
from puhui_town.bureau.textfile import parse_file_name, parse_header, parse_record, split_lines

PERSON = bureau.Person("李雷", "790101199003070018", "cu-001-a")
OPENED = date(2026, 9, 20)
OPENING = Opening("ln-001-aaaaaaaaaaaaaaaaaaaaaaaa", OPENED, date(2027, 9, 20), 300_000, 12, "level_payment", "790101")
NOON = datetime(2026, 12, 1, 4, tzinfo=UTC)


class Shelf(dict):
    """The part of the town's table that a register needs."""

    def put(self, key, value):
        self[key] = value


def found_by(register, record_type, line):
    body = textfile.write_file(record_type, NOON, [line])
    header, *records = split_lines(body)
    assert parse_header(header).count == 1
    return [finding.code for finding in register.take(parse_record(records[0], record_type), reporter="lender", at=NOON)]


def month_end(k):
    year, month = divmod(OPENED.year * 12 + OPENED.month - 1 + k, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def standing(day, *, days_late=0, principal=250_000, overdue=(0, 0, 0, 0, 0), interest=0, **more):
    late = days_late > 0
    facts = {
        "loan_id": OPENING.loan_id,
        "day": day,
        "principal_fen": principal,
        "overdue_fen": sum(overdue) + interest,
        "overdue_principal_fen": sum(overdue),
        "aged_principal_fen": overdue[1:],
        "days_late": days_late,
        "unpaid_installments": 1 if late else 0,
        "remaining_installments": 10,
        "settle_day": day.replace(day=20),
        "is_anything_due": True,
        "due_in_month_fen": 27_000,
        "paid_in_month_fen": 0 if late else 27_000,
        "last_paid_on": None if late else day.replace(day=20),
        "asset_class": "special_mention" if late else "normal",
        "class_since": day - timedelta(days=days_late - 1) if late else OPENED,
    }
    return Standing(**(facts | more))


def opened_register():
    register = Register(Shelf())
    assert found_by(register, "110", textfile.basic_record(PERSON, OPENED)) == []
    assert found_by(register, "210", textfile.opening_record(PERSON, OPENING)) == []
    return register


def test_the_name_of_a_file_reads_back():
    name = parse_file_name(textfile.file_name(date(2026, 9, 30), "210", 7))
    assert (name.day, name.record_type, name.serial) == (date(2026, 9, 30), "210", 7)


def test_a_good_life_is_taken_month_by_month_to_its_end():
    register = opened_register()
    for k in range(3):
        assert found_by(register, "210", textfile.month_record(PERSON, standing(month_end(k)))) == []
    closed_on = month_end(2) + timedelta(days=10)
    last = standing(closed_on, principal=0, remaining_installments=0, closed_on=closed_on, last_paid_on=closed_on)
    assert found_by(register, "210", textfile.closing_record(PERSON, last)) == []
    assert "B17" in found_by(register, "210", textfile.month_record(PERSON, standing(month_end(3))))


def test_falling_behind_and_paying_back_is_taken():
    register = opened_register()
    late = standing(month_end(0), days_late=10, overdue=(20_050, 0, 0, 0, 0), interest=77)
    assert found_by(register, "210", textfile.month_record(PERSON, late)) == []
    paid = standing(month_end(0) + timedelta(days=5), last_paid_on=month_end(0) + timedelta(days=5))
    assert found_by(register, "210", textfile.recovery_record(PERSON, paid)) == []
    assert found_by(register, "212", textfile.correction_record(OPENING.loan_id, standing(month_end(0)))) == []
    assert found_by(register, "214", textfile.deletion_record(OPENING.loan_id, month_end(1))) == []


BANDS = {0: "N", 1: "1", 30: "1", 31: "2", 60: "2", 61: "3", 90: "3", 91: "4", 120: "4", 121: "5", 150: "5", 151: "6", 180: "6", 181: "7", 400: "7"}


@pytest.mark.parametrize(("days_late", "status"), BANDS.items())
def test_days_late_give_the_band(days_late, status):
    assert standing(month_end(0), days_late=days_late, overdue=(100, 0, 0, 0, 0) if days_late else (0,) * 5).repayment_status == status


@st.composite
def late_standings(draw):
    days_late = draw(st.integers(0, 400))
    ages = [1, 31, 61, 91, 181]
    parts = [draw(st.integers(0, 99_999)) if days_late >= age else 0 for age in ages]
    interest = draw(st.integers(1, 9_999)) if days_late else 0
    if days_late:
        own = max(place for place, age in enumerate(ages) if days_late >= age)
        parts[own] = max(parts[own], 1) if sum(parts) else parts[own]
    return standing(month_end(0), days_late=days_late, principal=600_000 + draw(st.integers(0, 99)), overdue=tuple(parts), interest=interest)


@given(late_standings())
def test_whatever_passes_our_own_check_is_taken_by_the_register(facts):
    assert bureau.faults_of(OPENING, facts) == []
    assert found_by(opened_register(), "210", textfile.month_record(PERSON, facts)) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"closed_on": month_end(0)}, "B02"),
        ({"last_paid_on": month_end(0) + timedelta(days=1)}, "B03"),
        ({"days_late": 5}, "B05"),
        ({"overdue_fen": 500}, "B05"),
        ({"aged_principal_fen": (90_000, 0, 0, 0)}, "B06"),
    ],
)
def test_what_our_own_check_refuses_the_register_refuses_too(change, rule):
    broken = replace(standing(month_end(0)), **change)
    assert rule in bureau.faults_of(OPENING, broken)
    assert found_by(opened_register(), "210", textfile.month_record(PERSON, broken))


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=4))
def test_aged_parts_add_up_and_the_oldest_never_vanishes(parts):
    rounded = aged_yuan(tuple(parts))
    assert sum(rounded) == yuan_up(sum(parts))
    oldest = max((place for place, part in enumerate(parts) if part), default=None)
    assert oldest is None or rounded[oldest] >= 1
