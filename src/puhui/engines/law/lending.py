"""What a lender may do at all, with whom, and to whom: licence, joint loans, facilitation, purposes, ages."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Self

from puhui.engines.law.pack import PackRef
from puhui.engines.law.stack import Stack
from puhui.foundation.days import age_on


@dataclass(frozen=True, slots=True)
class LenderRules:
    """R-CFC: what a consumer-finance company may do."""

    topic: ClassVar[str] = "consumer-finance-company"
    purpose_barred: frozenset[str]
    per_person_cap_fen: int
    enhanced_share_max_ppm: int
    collection_record_years: int
    leverage_min_ppm: int
    conduct_barred: frozenset[str]
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(
            stack.codes("purpose_barred"), stack.int("per_person_cap_fen"), stack.int("enhanced_share_max_ppm"),
            stack.int("collection_record_years"), stack.int("leverage_min_ppm"), stack.codes("conduct_barred"), stack.refs,
        )  # fmt: skip

    def is_within_cap(self, *, owed_fen: int, held_fen: int, wanted_fen: int) -> bool:
        """Say whether a person may owe this much more, over all products, lines and reservations."""
        return owed_fen + held_fen + wanted_fen <= self.per_person_cap_fen

    def is_purpose_allowed(self, purpose: str) -> bool:
        return purpose not in self.purpose_barred


@dataclass(frozen=True, slots=True)
class InternetLoanRules:
    """R-INT: bounds of an online consumer line, and the kinds of models a lender must have."""

    topic: ClassVar[str] = "internet-loan"
    consumer_line_max_fen: int
    bullet_months_max: int
    model_kinds: frozenset[str]
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.int("consumer_line_max_fen"), stack.int("bullet_months_max"), stack.codes("model_kinds"), stack.refs)

    def is_allowed(self, *, line_fen: int, method: str, months: int) -> bool:
        return line_fen <= self.consumer_line_max_fen and (method != "bullet" or months <= self.bullet_months_max)


@dataclass(frozen=True, slots=True)
class JointLoanRules:
    """R-JOINT: how a loan may be shared with partners (ppm of the loan, of tier-1 net capital, of the book)."""

    topic: ClassVar[str] = "joint-loan"
    partner_share_min_ppm: int
    one_partner_tier1_max_ppm: int
    joint_book_max_ppm: int
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.int("partner_share_min_ppm"), stack.int("one_partner_tier1_max_ppm"), stack.int("joint_book_max_ppm"), stack.refs)

    def is_share_allowed(self, partner_share_ppm: int) -> bool:
        return partner_share_ppm >= self.partner_share_min_ppm


@dataclass(frozen=True, slots=True)
class FacilitationRules:
    """R-ASSIST: business only with listed partners, and how fresh the proof of it must be."""

    topic: ClassVar[str] = "facilitation"
    listed_age_max_s: int
    roles_published: frozenset[str]
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.int("listed_age_max_s"), stack.codes("roles_published"), stack.refs)

    def is_fresh(self, age: timedelta) -> bool:
        return timedelta(0) <= age <= timedelta(seconds=self.listed_age_max_s)


@dataclass(frozen=True, slots=True)
class BorrowerRules:
    """cn.students: who may never borrow."""

    topic: ClassVar[str] = "students"
    work_barred: frozenset[str]
    age_min_years: int
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.codes("work_barred"), stack.int("age_min_years"), stack.refs)

    def may_borrow(self, *, born: date, work: str, on: date) -> bool:
        return age_on(born, on) >= self.age_min_years and work not in self.work_barred
