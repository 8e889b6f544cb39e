"""How a lender must value its book: the five classes, provisions, and when interest leaves the books."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from puhui.engines.law.pack import PackRef
from puhui.engines.law.stack import Stack

BEST_FIRST = ("normal", "special_mention", "substandard", "doubtful", "loss")


@dataclass(frozen=True, slots=True)
class ClassRules:
    """R-CLASS. `days_to_class`: from how many days late a class is reached, in order; `provision_ppm` of the amount by class."""

    topic: ClassVar[str] = "asset-class"
    days_to_class: tuple[tuple[int, str], ...]
    restructured_observation_days: int
    restructured_payments_min: int
    restructured_best_class: str
    provision_ppm: Mapping[str, int]
    interest_off_balance_days: int
    refs: tuple[PackRef, ...]

    @classmethod
    def read(cls, stack: Stack) -> Self:
        steps = tuple((row["days"], row["class"]) for row in stack.value("days_to_class").value)
        assert [days for days, _ in steps] == sorted({days for days, _ in steps}), steps
        assert all(name in BEST_FIRST for _, name in steps), steps
        provisions = {row["class"]: row["ppm"] for row in stack.value("provision_ppm").value}
        assert set(provisions) == set(BEST_FIRST), provisions
        return cls(
            steps, stack.int("restructured_observation_days"), stack.int("restructured_payments_min"),
            stack.value("restructured_best_class").value, provisions, stack.int("interest_off_balance_days"), stack.refs,
        )  # fmt: skip

    def class_of(self, days_late: int) -> str:
        """Give the class that days late alone reach."""
        reached = [name for days, name in self.days_to_class if days_late >= days]
        return reached[-1] if reached else BEST_FIRST[0]

    def class_after_restructure(self, days_late: int, *, days_since: int, payments: int) -> str:
        """Give the class of a restructured loan: not better than the pack says until both the days and the payments are there."""
        by_days = self.class_of(days_late)
        if days_since >= self.restructured_observation_days and payments >= self.restructured_payments_min:
            return by_days
        return max(by_days, self.restructured_best_class, key=BEST_FIRST.index)
