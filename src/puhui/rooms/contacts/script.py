"""The agent's side of a call: what to say next, from all that was heard so far. Pure.

First who speaks: no word of a debt before the person says that it is he, no sum before the last four of his id card. Then a kind question, an
offer of help, and a note of the day he names. Whoever is another, angry, or in trouble is let go politely.
"""

import re
import tomllib
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from puhui.foundation.money import Money

TURNS_MAX = 8
PROMISE_DAYS_MAX = 30
_TAIL = re.compile(r"(?<!\d)(\d{3}[\dXx])(?!\d)")
_DAY = re.compile(r"(?<!\d)(\d{1,2})\s*[号日]")
_WEEKDAY = re.compile(r"(?:周|星期|礼拜)([一二三四五六日天])")
_WEEK = "一二三四五六日"


@dataclass(frozen=True, slots=True)
class Line:
    """What is said next, whether the call ends with it, and the day the person has just promised to pay by."""

    say: str
    hang_up: bool = False
    promise: date | None = None


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What the script may speak of: the day, the last four of the person's id card, and what is overdue (None where nothing is)."""

    today: date
    id_tail: str
    overdue: Money | None


@dataclass(frozen=True, slots=True)
class _Talk:
    """How far a call has come."""

    is_self: bool = False
    is_verified: bool = False
    asked_who: int = 0


def next_line(script: str, heard: Sequence[str], facts: CallFacts) -> Line:
    """Answer the last of what was heard; the same words always give the same answer. `heard` has one text a turn, empty where nothing was said."""
    assert heard, "a turn hears something, if only silence"
    talk, line = _Talk(), Line("")
    for n, text in enumerate(heard, start=1):
        talk, line = _turn(script, talk, text, facts, n)
        if line.hang_up:
            break
    return line


def _turn(script: str, talk: _Talk, text: str, facts: CallFacts, n: int) -> tuple[_Talk, Line]:
    if not talk.is_self:
        return _who(script, talk, text, n)
    return _about_the_debt(talk, text, facts, n)


def _who(script: str, talk: _Talk, text: str, n: int) -> tuple[_Talk, Line]:
    """Find out who speaks."""
    if _is(text, "other") or _is(text, "denial"):
        return talk, Line(_say("wrong_person"), hang_up=True)
    if _is(text, "angry"):
        return talk, Line(_say("sorry"), hang_up=True)
    if n == 1:
        return _Talk(asked_who=1), Line(_say("greeting"))
    if _is(text, "yes"):
        reason = _reasons().get(script)
        if reason is None:
            return talk, Line(_say("service"), hang_up=True)
        return _Talk(is_self=True), Line(reason.format(what_day=_say("what_day")))
    if talk.asked_who >= 2 or _is(text, "bye"):
        return talk, Line(_say("wrong_person"), hang_up=True)
    return _Talk(asked_who=talk.asked_who + 1), Line(_say("greeting_again"))


def _about_the_debt(talk: _Talk, text: str, facts: CallFacts, n: int) -> tuple[_Talk, Line]:
    """Hear what the person says of paying."""
    if _is(text, "angry"):
        return talk, Line(_say("sorry"), hang_up=True)
    if _is(text, "hard"):
        return talk, Line(_say("help"), hang_up=True)
    if _is(text, "other") or _is(text, "denial"):
        return talk, Line(_say("wrong_person"), hang_up=True)
    if tail := _TAIL.search(text):
        is_right = bool(facts.id_tail) and tail.group(1).upper() == facts.id_tail.upper()
        if is_right and facts.overdue is not None:
            return _Talk(is_self=True, is_verified=True), Line(_say("verified", overdue=facts.overdue, what_day=_say("what_day")))
        return talk, Line(_say("not_verified", what_day=_say("what_day")))
    if day := day_named(text, facts.today):
        if day > facts.today + timedelta(days=PROMISE_DAYS_MAX):
            return talk, Line(_say("too_late"))
        return talk, Line(_say("promised", day=f"{day.month}月{day.day}日"), hang_up=True, promise=day)
    if _is(text, "bye") or n >= TURNS_MAX:
        return talk, Line(_say("goodbye"), hang_up=True)
    return talk, Line(_say("what_day"))


def day_named(text: str, today: date) -> date | None:
    """Find the day a person means: today, tomorrow, a day of the month (the next one), a weekday (the next one), the end of the month; None if none."""
    if _is(text, "day_after"):
        return today + timedelta(days=2)
    if _is(text, "tomorrow"):
        return today + timedelta(days=1)
    if match := _DAY.search(text):
        return _day_of_month(today, int(match.group(1)))
    if match := _WEEKDAY.search(text):
        wanted = _WEEK.index(match.group(1).replace("天", "日"))
        return today + timedelta(days=(wanted - today.weekday() - 1) % 7 + 1)
    if _is(text, "month_end"):
        return today.replace(day=monthrange(today.year, today.month)[1])
    if _is(text, "payday"):
        return None
    return today if _is(text, "today") else None


def _day_of_month(today: date, day: int) -> date | None:
    """Give the next such day, this month or the next; None for what no month has."""
    for months in (0, 1):
        year, month = today.year + (today.month - 1 + months) // 12, (today.month - 1 + months) % 12 + 1
        if 1 <= day <= monthrange(year, month)[1] and date(year, month, day) >= today:
            return date(year, month, day)
    return None


def _is(text: str, kind: str) -> bool:
    return any(part in text for part in _data()["heard"][kind])


def _say(name: str, **facts: object) -> str:
    return str(_data()["lines"][name]).format(**facts)


@cache
def _reasons() -> Mapping[str, str]:
    return {one["name"]: str(one["reason"]) for one in _data()["script"]}


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("scripts.toml").read_text("utf-8"))
