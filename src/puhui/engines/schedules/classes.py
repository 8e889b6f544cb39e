"""Asset classes: an exact function of days late, restructure and the pack of the day. No number stands here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class AssetClass(StrEnum):
    """The five classes, best first."""

    NORMAL = "normal"
    SPECIAL_MENTION = "special_mention"
    SUBSTANDARD = "substandard"
    DOUBTFUL = "doubtful"
    LOSS = "loss"

    @property
    def rank(self) -> int:
        """0 for the best, 4 for the worst."""
        return list(AssetClass).index(self)


@dataclass(frozen=True, slots=True)
class ClassRules:
    """Parameters of `cn.asset-class` in force on a day: days late from which each class is reached, and the watch after a restructure."""

    days_to_class: tuple[tuple[int, AssetClass], ...]
    restructured_observation_days: int
    restructured_payments_min: int
    restructured_best: AssetClass = AssetClass.SPECIAL_MENTION

    def __post_init__(self) -> None:
        days = [since for since, _ in self.days_to_class]
        assert days == sorted(set(days)), "each class begins on its own day, in order"
        assert all(since >= 1 for since in days), "a loan that is not late is normal"


def class_of_days(days_late: int, rules: ClassRules) -> AssetClass:
    """Give the class that days late alone reach."""
    reached = AssetClass.NORMAL
    for since, name in rules.days_to_class:
        if days_late >= since:
            reached = name
    return reached


def asset_class(  # each fact is one the law names
    days_late: int,
    rules: ClassRules,
    *,
    on: date,
    is_written_off: bool = False,
    restructured_on: date | None = None,
    class_at_restructure: AssetClass = AssetClass.NORMAL,
    rows_met_since: int = 0,
) -> AssetClass:
    """Give the class of a loan on a day.

    A restructured loan keeps at least the class it had then, and is not better than the rules' best for such loans, until both the observation days have
    passed and the number of installments was met. What is written off is a loss.
    """
    if is_written_off:
        return AssetClass.LOSS
    reached = class_of_days(days_late, rules)
    if restructured_on is None:
        return reached
    is_watched = on < restructured_on + timedelta(days=rules.restructured_observation_days) or (
        rows_met_since < rules.restructured_payments_min
    )
    return worst((reached, rules.restructured_best, class_at_restructure)) if is_watched else reached


def worst(classes: Sequence[AssetClass]) -> AssetClass:
    """Give the worst of some classes."""
    return max(classes, key=lambda name: name.rank)
