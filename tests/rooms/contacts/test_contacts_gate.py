"""The one gate: a table of its answers, and the property that no sequence of wishes gets past it."""

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.rooms.contacts import Facts, Limits, Purpose, Verdict, may_contact
from puhui.rooms.contacts.gate import SHANGHAI

LIMITS = Limits(time(22), time(8), 3, 6, time(9), time(20), 1, 2, ("cn.collection@2026",))


def at(clock: str) -> datetime:
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return datetime(2026, 9, 1, hours, minutes, seconds, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("clock", "purpose", "facts", "verdict"),
    [
        ("07:59:59", "reminder", {}, "contacts.quiet-hours"),
        ("08:00:00", "reminder", {}, "allowed"),
        ("21:59:59", "collection", {}, "allowed"),
        ("22:00:00", "collection", {}, "contacts.quiet-hours"),
        ("12:00:00", "collection", {"attempts_today": 5}, "allowed"),
        ("12:00:00", "collection", {"attempts_today": 6}, "contacts.too-many-attempts"),
        ("12:00:00", "collection", {"answered_today": 2}, "allowed"),
        ("12:00:00", "collection", {"answered_today": 3}, "contacts.too-many-answered"),
        ("12:00:00", "collection", {"is_self": False}, "contacts.third-party"),
        ("12:00:00", "collection", {"closed_because": "hardship"}, "contacts.closed"),
        ("12:00:00", "service", {"closed_because": "hardship"}, "allowed"),
        ("12:00:00", "collection", {"opted_out": frozenset({Purpose.COLLECTION})}, "contacts.opted-out"),
        ("12:00:00", "marketing", {}, "contacts.no-consent"),
        ("12:00:00", "marketing", {"may_market": True}, "allowed"),
        ("08:59:59", "marketing", {"may_market": True}, "contacts.quiet-hours"),
        ("20:00:00", "marketing", {"may_market": True}, "contacts.quiet-hours"),
        ("12:00:00", "marketing", {"may_market": True, "marketing_today": 1}, "contacts.too-much-marketing"),
        ("12:00:00", "marketing", {"may_market": True, "marketing_this_week": 2}, "contacts.too-much-marketing"),
    ],
)
def test_the_gate_answers_by_the_packs_numbers(clock, purpose, facts, verdict):
    assert may_contact(Purpose(purpose), at(clock), Facts(**facts), LIMITS).verdict.value == verdict


@pytest.mark.parametrize(("asked", "again"), [("23:30:00", 2), ("03:00:00", 1)])
def test_a_refusal_for_the_night_says_when_the_morning_is(asked, again):
    answer = may_contact(Purpose.REMINDER, at(asked), Facts(), LIMITS)
    assert answer.again_at == datetime(2026, 9, again, 8, tzinfo=SHANGHAI)


@given(
    wishes=st.lists(
        st.tuples(st.integers(0, 86_399 * 3), st.sampled_from([Purpose.REMINDER, Purpose.COLLECTION]), st.booleans()), max_size=60
    )
)
def test_no_sequence_of_wishes_gets_past_the_gate(wishes):
    """Whoever wants contact, however often: never at night, never more than six tries or three answered calls a day."""
    done: list[tuple[datetime, bool]] = []
    for second, purpose, is_answered in sorted(wishes, key=lambda wish: wish[0]):
        moment = at("00:00:00") + timedelta(seconds=second)
        today = [answered for when, answered in done if when.date() == moment.date()]
        facts = replace(Facts(), attempts_today=len(today), answered_today=sum(today))
        if may_contact(purpose, moment, facts, LIMITS).verdict is Verdict.ALLOWED:
            done.append((moment, is_answered))
    for day in {when.date() for when, _ in done}:
        of_day = [(when, answered) for when, answered in done if when.date() == day]
        assert len(of_day) <= 6
        assert sum(answered for _, answered in of_day) <= 3
    assert all(8 <= when.hour < 22 for when, _ in done)
