"""Splits over legs: what always holds, over many random events with refunds."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.engines import schedules as s


def test_the_missing_fen_goes_to_the_largest_fraction_and_ties_to_the_first_leg():
    assert s.split(100, (333_334, 333_333, 333_333)) == (34, 33, 33)
    assert s.split(101, (500_000, 500_000)) == (51, 50)
    assert s.split(3, (700_000, 300_000)) == (2, 1)
    assert s.split(0, (1_000_000,)) == (0,)


def test_a_step_is_never_negative_in_an_event_that_pays():
    """Largest remainder alone would take a fen back from a leg when the total grows by one."""
    shares, had = (250_000, 250_000, 500_000), [0, 0, 0]
    for _ in range(12):
        step = s.split_step(had, 1, shares)
        assert min(step) >= 0
        assert sum(step) == 1
        had = [a + b for a, b in zip(had, step, strict=True)]
    assert had == [3, 3, 6]


@st.composite
def shares(draw):
    cuts = sorted(draw(st.lists(st.integers(1, 999_999), min_size=1, max_size=7, unique=True)))
    return tuple(b - a for a, b in zip([0, *cuts], [*cuts, 1_000_000], strict=True))


@settings(max_examples=200, deadline=None)
@given(shares(), st.integers(0, 2**32))
def test_legs_add_up_and_stay_within_two_fen_of_their_share(ppm, seed):
    chance, had = random.Random(seed), [0] * len(ppm)
    for _ in range(60):
        amount = chance.choice((1, 2, 3, chance.randint(0, 90_000)))
        if chance.random() < 0.3:
            amount = -min(amount, sum(had))
        step = s.split_step(had, amount, ppm)
        assert sum(step) == amount
        assert all(part >= 0 for part in step) if amount >= 0 else all(part <= 0 for part in step)
        had = [a + b for a, b in zip(had, step, strict=True)]
        total = sum(had)
        assert all(abs(leg * 1_000_000 - total * share) < 2_000_000 for leg, share in zip(had, ppm, strict=True))


def test_a_leg_can_stand_more_than_a_fen_below_its_share():
    """Two legs were nearly a fen short and one fen came: the price of never taking back. It is made good with the next fen."""
    had, shares = (1, 3, 1810, 8858, 32_756, 155_388), (3, 13, 9103, 44_553, 164_760, 781_568)
    assert s.split_step(had, 1, shares) == (0, 0, 0, 0, 1, 0)
    assert 155_388 * 1_000_000 - 198_817 * 781_568 == -1_005_056
    assert s.split_step((1, 3, 1810, 8858, 32_757, 155_388), 1, shares) == (0, 0, 0, 0, 0, 1)


@pytest.mark.parametrize("total", [0, 1, 99, 100_001, 20_000_000])
def test_a_first_step_is_the_split_itself(total):
    assert s.split_step((0, 0, 0), total, (123_456, 400_000, 476_544)) == s.split(total, (123_456, 400_000, 476_544))
