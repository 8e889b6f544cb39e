"""Conventions: how terms and events become fen, as immutable, versioned data that a contract pins by hash."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from importlib import resources


class Part(StrEnum):
    """The four kinds of debt."""

    FEES = "fees"
    PENALTY = "penalty"
    INTEREST = "interest"
    PRINCIPAL = "principal"


class DayCount(StrEnum):
    """How a stretch of days becomes a share of a year."""

    CN_360 = "cn-360"
    ACTUAL_365 = "actual/365"
    THIRTY_360 = "30/360"


class Rounding(StrEnum):
    """How a fraction of a fen is rounded where it is booked."""

    HALF_UP = "HALF_UP"
    HALF_EVEN = "HALF_EVEN"


@dataclass(frozen=True, slots=True)
class Convention:
    """One way to count, fixed for ever. `order` serves loans up to `late_days_max` days late, `order_beyond` those above."""

    id: str
    version: int
    day_count: DayCount
    rounding: Rounding
    penalty_multiple: tuple[int, int]
    grace_days: int
    late_days_max: int
    order: tuple[Part, ...]
    order_beyond: tuple[Part, ...]
    month_end: str = "clamp"
    scale: int = 2
    level_digits: int = 60
    direction: str = "horizontal"
    future_rule: str = "credit"
    rest: str = "daily"
    preclose: str = "till_date"
    overdue: str = "penalty"
    prepayment: str = "reduce_installment"

    def __post_init__(self) -> None:
        fixed = (self.month_end, self.scale, self.direction, self.future_rule, self.rest, self.preclose, self.overdue, self.prepayment)
        assert fixed == ("clamp", 2, "horizontal", "credit", "daily", "till_date", "penalty", "reduce_installment"), "an unknown way of counting"
        assert set(self.order) == set(self.order_beyond) == set(Part), "every kind of debt is paid in some order"
        assert self.grace_days == 0, "paid on the due day is on time; later is late"

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the canonical JSON of every field: what a contract pins."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def basis(self) -> int:
        """Days of the year that the units of this day count stand over."""
        return 365 if self.day_count is DayCount.ACTUAL_365 else 360

    @property
    def denominator(self) -> int:
        """What an accrual numerator (fen x ppm x units) stands over."""
        return self.basis * 1_000_000

    @property
    def penalty_denominator(self) -> int:
        """What a penalty numerator (fen x ppm x units x multiple) stands over."""
        return self.denominator * self.penalty_multiple[1]

    def order_for(self, days_late: int) -> tuple[Part, ...]:
        """Give the order in which money meets the parts of a row, for a loan so many days late."""
        return self.order if days_late <= self.late_days_max else self.order_beyond


class UnknownConventionError(LookupError):
    """No preset of this name is installed."""


@cache
def convention(name: str) -> Convention:
    """Read the preset `name` (`cn-360`, `cn-365`).

    Raises: UnknownConventionError.
    """
    file = resources.files(__package__) / "presets" / f"{name}.toml"
    if not file.is_file():
        raise UnknownConventionError(name)
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    penalty, allocation, recalculation = data["penalty"], data["allocation"], data["recalculation"]
    return Convention(
        id=data["id"],
        version=data["version"],
        day_count=DayCount(data["day_count"]),
        rounding=Rounding(data["rounding"]),
        month_end=data["month_end"],
        scale=data["scale"],
        level_digits=data["level_digits"],
        penalty_multiple=(penalty["multiple"][0], penalty["multiple"][1]),
        grace_days=penalty["grace_days"],
        late_days_max=allocation["late_days_max"],
        order=tuple(Part(part) for part in allocation["order"]),
        order_beyond=tuple(Part(part) for part in allocation["order_beyond"]),
        direction=allocation["direction"],
        future_rule=allocation["future_rule"],
        rest=recalculation["rest"],
        preclose=recalculation["preclose"],
        overdue=recalculation["overdue"],
        prepayment=recalculation["prepayment"],
    )
