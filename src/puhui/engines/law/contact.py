"""When and how often a person may be contacted. Two texts that count differently are both kept, and both counted."""

from dataclasses import dataclass
from datetime import date, time
from typing import ClassVar, Self

from puhui.engines.law.pack import PackRef
from puhui.engines.law.person import AnswerClock
from puhui.engines.law.stack import Stack
from puhui.foundation.days import DayKind


def is_within(at: time, since: time, until: time) -> bool:
    """Say whether a time of day lies in [since, until), which may pass midnight."""
    if since <= until:
        return since <= at < until
    return at >= since or at < until


@dataclass(frozen=True, slots=True)
class ContactRules:
    """R-COLL: quiet hours in the debtor's own time zone, and both counts: what was answered per person, what was tried per number.

    A count that no pack in force sets is None.
    """

    topic: ClassVar[str] = "collection"
    quiet_from: time
    quiet_until: time
    connected_calls_per_day_max: int | None
    unanswered_attempts_per_day_max: int | None
    visits_per_day_max: int | None
    visitors_min: int | None
    third_party_failed_tries_min: int | None
    barred: frozenset[str]
    closed_to_contact: frozenset[str]
    hardship_answer: AnswerClock | None
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        def count(name: str) -> int | None:
            return stack.int(name) if stack.find(name) else None

        def codes(name: str) -> frozenset[str]:
            return stack.codes(name) if stack.find(name) else frozenset()

        days = count("hardship_answer_days")
        return cls(
            stack.value("quiet_from").value, stack.value("quiet_until").value, count("connected_calls_per_day_max"),
            count("unanswered_attempts_per_day_max"), count("visits_per_day_max"), count("visitors_min"), count("third_party_failed_tries_min"),
            codes("barred"), codes("closed_to_contact"),
            None if days is None else AnswerClock(days, DayKind(stack.value("hardship_day_kind").value)), stack.refs,
        )  # fmt: skip

    def is_quiet(self, at: time) -> bool:
        """Say whether this time of the debtor's own day is quiet."""
        return is_within(at, self.quiet_from, self.quiet_until)

    def may_try(self, attempts_today: int) -> bool:
        return self.unanswered_attempts_per_day_max is None or attempts_today < self.unanswered_attempts_per_day_max

    def may_connect(self, connected_today: int) -> bool:
        return self.connected_calls_per_day_max is None or connected_today < self.connected_calls_per_day_max


@dataclass(frozen=True, slots=True)
class MarketingRules:
    """lender.marketing: how often and when something may be offered, and the words that end it."""

    topic: ClassVar[str] = "marketing"
    per_day_max: int
    per_week_max: int
    allowed_from: time
    allowed_until: time
    opt_out_words: frozenset[str]
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(
            stack.int("per_day_max"), stack.int("per_week_max"), stack.value("allowed_from").value, stack.value("allowed_until").value,
            stack.codes("opt_out_words"), stack.refs,
        )  # fmt: skip

    def may_send(self, at: time, *, sent_today: int, sent_this_week: int) -> bool:
        return is_within(at, self.allowed_from, self.allowed_until) and sent_today < self.per_day_max and sent_this_week < self.per_week_max


@dataclass(frozen=True, slots=True)
class ReminderRules:
    """lender.reminders: how many days before the due day a person is reminded."""

    topic: ClassVar[str] = "reminders"
    days_before_due: tuple[int, ...]
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.value("days_before_due").value, stack.refs)

    def is_reminder_day(self, *, on: date, due: date) -> bool:
        return (due - on).days in self.days_before_due
