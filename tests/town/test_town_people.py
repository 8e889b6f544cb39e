"""Residents are drawn each from his own streams, and none of their numbers can be a real person's."""

import hashlib
import re
from collections import Counter
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui_town.people import papers
from puhui_town.people.assumptions import NotAnAssumptionError, default_population, read_population
from puhui_town.people.person import draw_person, ring_members
from puhui_town.people.places import gazetteer
from puhui_town.people.streams import key_of, stream

PEOPLE = [draw_person("7", n) for n in range(1500)]


def test_a_stream_is_philox_keyed_by_the_hash_of_seed_person_and_name() -> None:
    key = int.from_bytes(hashlib.sha256(b"7|3|traits").digest()[:16], "big")
    assert key_of(7, 3, "traits") == key
    assert stream(7, 3, "traits").random() == np.random.Generator(np.random.Philox(key=key)).random()


def test_a_person_is_the_same_whoever_else_is_drawn_and_in_whatever_order() -> None:
    draw_person.__globals__["_drawn"].cache_clear()
    assert [draw_person("7", n) for n in (900, 3, 1499)] == [PEOPLE[900], PEOPLE[3], PEOPLE[1499]]


def test_another_seed_makes_other_people() -> None:
    assert draw_person("8", 3) != PEOPLE[3]


@pytest.mark.parametrize(("kind", "share"), [("village", 0.45), ("county_seat", 0.25), ("city", 0.30)])
def test_living_places_have_the_shares_of_the_population_file(kind: str, share: float) -> None:
    assert abs(sum(p.living.kind == kind for p in PEOPLE) / len(PEOPLE) - share) < 0.05


def test_work_has_the_shares_of_the_population_file() -> None:
    found = Counter(p.work for p in PEOPLE)
    for work, share in default_population().by_name("work.share").items():
        assert abs(found[work] / len(PEOPLE) - share) < 0.03, work


def test_a_third_has_no_file_and_some_are_minors_or_students() -> None:
    assert abs(sum(p.is_white for p in PEOPLE) / len(PEOPLE) - 0.355) < 0.04
    today = date(2026, 9, 1)
    assert any(p.age(today) < 18 for p in PEOPLE)
    assert all(p.age(today) < 18 for p in PEOPLE if p.is_minor)
    assert any(p.work == "student" and not p.is_minor for p in PEOPLE)


def test_no_number_can_be_a_real_persons() -> None:
    offset = papers.offset_of("7")
    for p in PEOPLE[:300]:
        assert re.fullmatch(r"79\d{15}[\dX]", p.id_number)
        assert papers.id_check_digit(p.id_number[:17]) == p.id_number[17]
        assert re.fullmatch(r"120\d{8}", papers.phone_number(p.n, offset))
        card = papers.card_number(p.n, 0)
        assert re.fullmatch(r"00\d{14}", card)
        assert papers.luhn_digit(card[:-1]) == card[-1]


def test_the_check_digits_are_those_of_the_contract() -> None:
    assert papers.id_check_digit("79010119900307001") == "8"
    assert papers.luhn_digit("000001000000001") == "7"


def test_no_two_residents_share_an_id_number() -> None:
    assert len({p.id_number for p in PEOPLE}) == len(PEOPLE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 182_000), st.integers(0, 2**32 - 1), st.integers(0, 7), st.integers(0, 4))
def test_a_number_tells_whose_it_is(n: int, offset: int, k: int, generation: int) -> None:
    number = papers.id_number("790121", papers.birthday(n, offset, 1990), n)
    assert n in papers.residents_of_id(number, offset, 200_000)
    assert papers.resident_of_card(papers.card_number(n, k)) == (n, k)
    assert papers.resident_of_phone(papers.phone_number(n, offset, generation), offset) == (n, generation)


@pytest.mark.parametrize("number", ["", "79", "790101199013320018", "13800000000", "0000010000000018", "x" * 18])
def test_what_is_no_number_of_the_town_belongs_to_nobody(number: str) -> None:
    assert papers.residents_of_id(number.ljust(18), 0, 1000) in ([], [0]) or len(number) == 18
    assert papers.resident_of_card(number) is None


def test_households_are_whole() -> None:
    for p in PEOPLE[:240]:
        home = [draw_person("7", n) for n in range(p.household.first, p.household.first + p.household.adults)]
        assert {other.household.number for other in home} == {p.household.number}
        assert [other.household.seat for other in home] == list(range(p.household.adults))


def test_a_ring_lies_among_its_own_five_thousand() -> None:
    members = ring_members("7", 0, default_population())
    assert 8 <= len(members) <= 40
    assert all(draw_person("7", n).label == "ring" for n in list(members)[:5])


def test_places_are_the_contracts() -> None:
    places = gazetteer()
    assert len(places.seats) == 40
    assert {p.place_code[:4] for p in places.cities} == {f"790{k}" for k in range(1, 9)}
    assert all(p.place_code.startswith("79") and len(p.place_code) == 12 for p in places.all)
    assert len({p.place_code for p in places.all}) == len(places.all)


def test_a_population_file_may_say_only_what_differs() -> None:
    changed = read_population('[need]\nper_month = { value = 0.3, note = "busy" }')
    assert changed.number("need.per_month") == 0.3
    assert changed.number("need.sigma") == default_population().number("need.sigma")
    assert changed.sha256 != default_population().sha256


@pytest.mark.parametrize("text", ["[need]\nper_month = 0.3", "[need]\nper_month = { value = 0.3 }", '[need]\nx = { value = 1, note = "?" }'])
def test_a_number_without_a_note_is_refused(text: str) -> None:
    with pytest.raises(NotAnAssumptionError):
        read_population(text)
