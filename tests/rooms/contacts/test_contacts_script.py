"""What we say in a call: to whom, about what, and how it ends."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.foundation.money import Money
from puhui.rooms.contacts import CallFacts, day_named, next_line

TODAY = date(2026, 9, 1)  # a Tuesday
FACTS = CallFacts(TODAY, "0018", Money(12_345))
OVERDUE = "123.45"
SCRIPTS = ("arrears.call-m1", "arrears.call-m2", "arrears.call-m3", "arrears.call-m4", "something.else")


def talk(*heard: str, script: str = "arrears.call-m1", facts: CallFacts = FACTS):
    return next_line(script, heard, facts)


@pytest.mark.parametrize("other", ["他不在家，我是他屋里头的。", "你打错了吧，这是我的号。", "我是他弟弟，他手机在充电。", "不是我"])
def test_to_anyone_else_there_is_no_word_of_a_debt(other):
    for heard in ((other,), ("喂，哪位？", other)):
        line = talk(*heard)
        assert line.hang_up
        assert not any(word in line.say for word in ("还", "欠", "逾期", "分期", OVERDUE))


def test_no_sum_before_the_last_four_of_the_id_card():
    assert "本人" in talk("喂").say
    reason = talk("喂", "是我，什么事？")
    assert OVERDUE not in reason.say
    assert not reason.hang_up
    assert OVERDUE not in talk("喂", "是我", "多少钱嘛").say
    assert OVERDUE not in talk("喂", "是我", "尾号 9999").say
    assert OVERDUE in talk("喂", "是我", "尾号0018").say


@pytest.mark.parametrize("script", SCRIPTS[:-1])
@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("晓得了，今天下午就存进去。", date(2026, 9, 1)), ("行，明天一早我存。", date(2026, 9, 2)), ("后天吧", date(2026, 9, 3)),
        ("5号发钱就还", date(2026, 9, 5)), ("周五", date(2026, 9, 4)), ("下周二", date(2026, 9, 8)), ("月底", date(2026, 9, 30)),
    ],
)  # fmt: skip
def test_a_day_named_is_a_promise(script, said, day):
    line = talk("喂", "对，我就是。", said, script=script)
    assert (line.promise, line.hang_up) == (day, True)


def test_a_day_too_far_is_talked_over_and_help_is_named():
    line = talk("喂", "是我", "15号", facts=CallFacts(date(2026, 8, 15), "0018", None))
    assert line.promise == date(2026, 8, 15)
    assert day_named("31号", date(2026, 9, 1)) == date(2026, 10, 31)
    far = talk("喂", "是我", "31号")
    assert (far.promise, far.hang_up) == (None, False)
    assert "延期" in far.say


@pytest.mark.parametrize("said", ["这个月活路少，手头紧得很，能不能缓几天？", "家里老人住院，实在拿不出来。", "我也想还，可是真没钱了。"])
def test_trouble_is_met_with_help(said):
    line = talk("喂", "是我", said)
    assert line.hang_up
    assert "延期" in line.say
    assert line.promise is None


@pytest.mark.parametrize("said", ["你们一天打好几个电话，烦不烦！", "再打我就投诉你们。", "说了没钱，别催了！"])
def test_anger_ends_the_call_with_an_apology(said):
    line = talk("喂", "是我", said)
    assert line.hang_up
    assert "对不起" in line.say


@given(st.lists(st.text(max_size=20), min_size=8, max_size=20), st.sampled_from(SCRIPTS))
def test_every_call_ends_and_an_unchecked_voice_never_hears_a_sum(heard, script):
    lines = [next_line(script, heard[:n], FACTS) for n in range(1, len(heard) + 1)]
    assert lines[-1].hang_up
    if not any("0018" in text for text in heard):
        assert not any(OVERDUE in line.say for line in lines)
