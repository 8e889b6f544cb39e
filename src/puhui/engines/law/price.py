"""What a loan may cost and how its cost is told: cost table, annual rate, caps, late interest, day count, cooling-off."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import ClassVar, Self

from puhui.engines.law.pack import PackRef
from puhui.engines.law.stack import Stack

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class CostTableRules:
    """R-COST: what the table of the whole cost must hold, and how long it must be on the screen."""

    topic: ClassVar[str] = "cost-table"
    reading_time_s: int
    channels: frozenset[str]
    item_fields: frozenset[str]
    nothing_else: bool
    funders_named: bool
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(
            stack.int("reading_time_s"), stack.codes("channels"), stack.codes("item_fields"), stack.value("nothing_else").value,
            stack.value("funders_named").value, stack.refs,
        )  # fmt: skip

    def is_read(self, shown_for: timedelta) -> bool:
        """Say whether the table was shown long enough, by the server's clock."""
        return shown_for >= timedelta(seconds=self.reading_time_s)


@dataclass(frozen=True, slots=True)
class AnnualRateRules:
    """R-APR: how a year's cost is reckoned. `flows` are the kinds of charges that count; `rounding_ppm` is rounded up to."""

    topic: ClassVar[str] = "annual-rate"
    method: str
    year_days: int
    flows: frozenset[str]
    rounding_ppm: int
    simple_method: str
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(
            stack.value("method").value, stack.int("year_days"), stack.codes("flows"), stack.int("rounding_ppm"),
            stack.value("simple_method").value, stack.refs,
        )  # fmt: skip


class CapVerdict(Enum):
    """Where an all-in rate lies."""

    ENCOURAGED = "encouraged"
    ALLOWED = "allowed"
    WATCHED = "watched"
    BARRED = "barred"


@dataclass(frozen=True, slots=True)
class CapRules:
    """R-CAP: the most a loan may cost a year, all in (ppm). `watch_ppm` and `portfolio_average_ppm` are None before they were set."""

    topic: ClassVar[str] = "all-in-cap"
    method: str
    hard_cap_ppm: int
    watch_ppm: int | None
    portfolio_average_ppm: int | None
    private_lending_multiple: int
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        watch, average = stack.find("watch_ppm"), stack.find("portfolio_average_ppm")
        return cls(
            stack.value("method").value, stack.int("hard_cap_ppm"), watch.value if watch else None, average.value if average else None,
            stack.int("private_lending_multiple"), stack.refs,
        )  # fmt: skip

    def verdict(self, all_in_ppm: int) -> CapVerdict:
        if all_in_ppm > self.hard_cap_ppm:
            return CapVerdict.BARRED
        if self.watch_ppm is None:
            return CapVerdict.ALLOWED
        return CapVerdict.ENCOURAGED if all_in_ppm < self.watch_ppm else CapVerdict.WATCHED


@dataclass(frozen=True, slots=True)
class PenaltyRules:
    """R-PENALTY: late interest. `uplift_ppm` is ours, on top of the contract rate; `uplift_max_ppm` the most that is allowed."""

    topic: ClassVar[str] = "penalty"
    uplift_max_ppm: int
    uplift_ppm: int
    base: str
    grace_days: int
    is_compounding: bool
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        rules = cls(
            stack.int("penalty_uplift_max_ppm"), stack.int("penalty_uplift_ppm"), stack.value("penalty_base").value, stack.int("grace_days"),
            stack.value("compounding").value, stack.refs,
        )  # fmt: skip
        assert rules.uplift_ppm <= rules.uplift_max_ppm, rules
        return rules

    def penalty_ppm(self, rate_ppm: int) -> int:
        """Give the yearly rate of late interest for a contract rate: in place of contract interest on what is overdue, rounded down."""
        return uplifted_ppm(rate_ppm, self.uplift_ppm)

    def penalty_max_ppm(self, rate_ppm: int) -> int:
        return uplifted_ppm(rate_ppm, self.uplift_max_ppm)


def uplifted_ppm(rate_ppm: int, uplift_ppm: int) -> int:
    """Give a contract rate raised by a share of itself, rounded down to 1 ppm."""
    return rate_ppm * (PPM + uplift_ppm) // PPM


@dataclass(frozen=True, slots=True)
class DayCountRules:
    """R-DAYS: the year bases a contract may name."""

    topic: ClassVar[str] = "day-count"
    day_bases: tuple[int, ...]
    is_basis_printed: bool
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.value("day_bases").value, stack.value("basis_printed").value, stack.refs)


@dataclass(frozen=True, slots=True)
class CoolingOffRules:
    """lender.cooling-off: how long a loan may be given back, for principal and interest to the day only."""

    topic: ClassVar[str] = "cooling-off"
    cooling_off_days: int
    is_fee_free: bool
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(stack.int("cooling_off_days"), stack.value("fee_free").value, stack.refs)

    def last_day(self, paid_out_on: date) -> date:
        return paid_out_on + timedelta(days=self.cooling_off_days)

    def may_give_back(self, *, paid_out_on: date, on: date) -> bool:
        return paid_out_on <= on <= self.last_day(paid_out_on)
