"""What a person may ask of us and how long we have: privacy, credit record, complaints, signatures, records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Self

from puhui.engines.law.pack import PackRef
from puhui.engines.law.stack import Stack
from puhui.foundation.days import DayKind, add_days, add_months


@dataclass(frozen=True, slots=True)
class AnswerClock:
    """A legal clock: how many days of which kind there are for an answer."""

    days: int
    kind: DayKind

    def due(self, opened_on: date) -> date:
        """Give the last day on which an answer is in time."""
        return add_days(opened_on, self.days, self.kind)


def _clock(stack: Stack, days: str, kind: str) -> AnswerClock:
    return AnswerClock(stack.int(days), DayKind(stack.value(kind).value))


@dataclass(frozen=True, slots=True)
class PrivacyRules:
    """R-PIPL: consents that stand alone, how fast a withdrawal bites, how long copies and faces live."""

    topic: ClassVar[str] = "personal-information"
    separate_consent_items: frozenset[str]
    automated_decision: frozenset[str]
    assessment_needed_for: frozenset[str]
    assessment_keep_years: int
    withdraw_effect_s: int
    copy_to_self_h: int
    copy_downloads_max: int
    face_keep_h: int
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(
            stack.codes("separate_consent_items"), stack.codes("automated_decision"), stack.codes("assessment_needed_for"),
            stack.int("assessment_keep_years"), stack.int("withdraw_effect_s"), stack.int("copy_to_self_h"), stack.int("copy_downloads_max"),
            stack.int("face_keep_h"), stack.refs,
        )  # fmt: skip

    def may_share_a_consent(self, items: frozenset[str]) -> bool:
        """Say whether these items may stand in one consent: an item that must stand alone may not have company."""
        return len(items) <= 1 or not items & self.separate_consent_items


@dataclass(frozen=True, slots=True)
class CreditRecordRules:
    """R-CREDIT: queries, bad marks and disputes of credit records."""

    topic: ClassVar[str] = "credit-register"
    needs_consent_for_each_query: bool
    is_told_before_first_bad: bool
    bad_mark_years: int
    answer: AnswerClock
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(
            stack.value("consent_for_each_query").value, stack.value("notice_before_first_bad").value, stack.int("bad_mark_years"),
            _clock(stack, "answer_days", "day_kind"), stack.refs,
        )  # fmt: skip

    def mark_until(self, bad_until: date) -> date:
        """Give the day on which a bad mark leaves the record, from the end of the bad conduct."""
        return add_months(bad_until, 12 * self.bad_mark_years)


@dataclass(frozen=True, slots=True)
class ComplaintRules:
    """cn.consumer-protection: how long a complaint may wait."""

    topic: ClassVar[str] = "consumer-protection"
    answer: AnswerClock
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(_clock(stack, "answer_days", "day_kind"), stack.refs)


@dataclass(frozen=True, slots=True)
class CaseRules:
    """lender.cases: clocks of cases that no law sets."""

    topic: ClassVar[str] = "cases"
    review: AnswerClock
    not_mine: AnswerClock
    freeze: AnswerClock
    question: AnswerClock
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(
            _clock(stack, "review_answer_days", "review_day_kind"), _clock(stack, "not_mine_answer_days", "not_mine_day_kind"),
            _clock(stack, "freeze_answer_days", "freeze_day_kind"), _clock(stack, "question_answer_days", "question_day_kind"), stack.refs,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LaunderingRules:
    """R-AML: how long records stay, how often a person is screened again, from which similarity a hit waits for a person."""

    topic: ClassVar[str] = "anti-money-laundering"
    records_keep_years: int
    recheck_days: int
    hit_similarity_ppm: int
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.int("records_keep_years"), stack.int("recheck_days"), stack.int("hit_similarity_ppm"), stack.refs)

    def recheck_on(self, screened_on: date) -> date:
        return screened_on + timedelta(days=self.recheck_days)

    def keep_until(self, closed_on: date) -> date:
        return add_months(closed_on, 12 * self.records_keep_years)


@dataclass(frozen=True, slots=True)
class DataLevelRules:
    """R-DATA: the levels every column is labelled with, and what each demands."""

    topic: ClassVar[str] = "data-levels"
    levels: tuple[str, ...]
    treatment: Mapping[str, str]
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        rows = stack.value("treatment").value
        return cls(stack.value("levels").value, {row["level"]: row["rule"] for row in rows}, stack.refs)


@dataclass(frozen=True, slots=True)
class SignatureRules:
    """R-SIGN: what must be proven of an electronic signature."""

    topic: ClassVar[str] = "e-sign"
    reliable_when: frozenset[str]
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.codes("reliable_when"), stack.refs)

    def is_reliable(self, proven: frozenset[str]) -> bool:
        return self.reliable_when <= proven


@dataclass(frozen=True, slots=True)
class DisclosureRules:
    """R-DISC: the pages everybody may read."""

    topic: ClassVar[str] = "disclosure"
    public_pages: frozenset[str]
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.codes("public_pages"), stack.refs)
