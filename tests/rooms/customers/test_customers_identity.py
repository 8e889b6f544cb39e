"""Id numbers, cards, phones and names: what is read, and what is refused without being repeated."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.foundation.refusals import BadField
from puhui.rooms import customers

TODAY = date(2026, 9, 1)
GOOD = "790101199003070018"


def with_check(first17: str) -> str:
    weights = [2 ** (17 - n) % 11 for n in range(17)]
    return first17 + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(first17, weights, strict=True)) % 11]


def test_the_numbers_of_the_protocol_are_read():
    number = customers.id_number(GOOD, today=TODAY)
    assert (number.address_code, number.born, number.tail) == ("790101", date(1990, 3, 7), "0018")
    assert customers.card_number("0000 0100 0000 0017") == "0000010000000017"
    assert customers.phone_number("+86 120-0000-0001") == "12000000001"


@given(st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_of_an_id_number_is_always_found(place, by):
    digits = list(GOOD)
    digits[place] = str((int(digits[place]) + by) % 10)
    with pytest.raises(BadField) as refusal:
        customers.id_number("".join(digits), today=TODAY)
    assert "".join(digits) not in refusal.value.text


@given(st.dates(date(1900, 1, 1), TODAY), st.integers(0, 999))
def test_every_right_number_is_read_and_gives_its_birthday(born, order):
    number = customers.id_number(with_check(f"790101{born:%Y%m%d}{order:03d}"), today=TODAY)
    assert number.born == born
    assert number.text not in repr(number)


@pytest.mark.parametrize(
    "text",
    [with_check("79010120260902001"), with_check("79010119900230001"), with_check("79010118991231001"), "79010119900307001", "", "七九" * 9],
)
def test_numbers_without_a_possible_birthday_are_refused(text):
    with pytest.raises(BadField):
        customers.id_number(text, today=TODAY)


@given(st.integers(0, 14), st.integers(1, 9))
def test_one_wrong_digit_of_a_card_is_always_found(place, by):
    digits = list("0000010000000017")
    digits[place] = str((int(digits[place]) + by) % 10)
    with pytest.raises(BadField):
        customers.card_number("".join(digits))


@pytest.mark.parametrize("name", ["李伟", "阿依古丽·买买提", "Anna-Marie O Li"])
def test_names_of_every_people_are_read(name):
    assert customers.person_name(f" {name} ") == name


@pytest.mark.parametrize("name", ["", "李", "李伟1", "<b>李伟</b>", "李·", "x" * 51])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(BadField):
        customers.person_name(name)


def test_a_screening_bars_on_sanctions_only_and_keeps_no_names():
    hit = {"list": "un", "entry_id": "1", "name": "某某", "aliases": [], "kind": "sanction", "similarity_ppm": 900_000}
    verdict, kept = customers.judge_hits([hit, hit | {"kind": "pep", "similarity_ppm": 849_999}], similarity_min_ppm=850_000)
    assert verdict is customers.Verdict.BLOCKED
    assert kept == ({"list": "un", "entry_id": "1", "kind": "sanction", "similarity_ppm": 900_000},)
    assert customers.judge_hits([hit | {"kind": "court"}], similarity_min_ppm=850_000)[0] is customers.Verdict.NOTED
    assert customers.judge_hits([hit], similarity_min_ppm=900_001) == (customers.Verdict.CLEAR, ())


def test_a_face_is_accepted_only_living_alike_and_unattacked():
    customers.demand_fitting_face(live_ppm=900_000, same_ppm=900_000)
    for live, same, attack in ((899_999, 999_999, ""), (999_999, 899_999, ""), (999_999, 999_999, "screen")):
        with pytest.raises(customers.FaceDoesNotFit):
            customers.demand_fitting_face(live_ppm=live, same_ppm=same, attack=attack)


def test_pictures_are_drawn_anew_without_what_they_carried():
    import io

    from PIL import Image

    picture = Image.new("RGB", (3000, 1500), "red")
    exif = Image.Exif()
    exif[0x010E] = "who I am and where I live"
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif, comment=b"secret")
    data, media_type = customers.encode_anew(out.getvalue())
    assert media_type == "image/jpeg"
    assert b"where I live" not in data
    assert b"secret" not in data
    with Image.open(io.BytesIO(data)) as fresh:
        assert fresh.size == (2400, 1200)
        assert not fresh.getexif()


@pytest.mark.parametrize("data", [b"", b"GIF89a" + b"0" * 99, b"\xff\xd8\xff" + b"0" * 99, b"%PDF-1.7 cut off", b"%PDF-1.7\n%%EOF", b"<svg/>"])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(customers.FileUnreadable):
        customers.encode_anew(data)


def test_a_bomb_of_a_picture_is_refused():
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    with pytest.raises(customers.FileUnreadable):
        customers.encode_anew(out.getvalue())


def test_what_law_keeps_is_told_with_its_years():
    assert any("10 年" in line for line in customers.kept_by_law(TODAY))
    assert any("5 年" in line for line in customers.kept_by_law(TODAY - timedelta(days=300)))
