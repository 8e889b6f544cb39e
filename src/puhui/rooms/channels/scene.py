"""Scenes: kinds of purchase at a merchant, with their own months, bounds and refund rule; made from templates, each different. Pure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from typing import assert_never

from puhui.foundation.refusals import Refusal

PPM = 1_000_000


class NoSuchScene(Refusal):
    """There is no scene {scene_id}."""

    code = "channels.no-such-scene"
    status = 404


class RefundRule(Enum):
    """until_delivery: whole before delivery, nothing after. days: whole within the days after delivery. restocking: as days, less what the
    shop keeps. by_item: as days, whole items only. pro_rata: by the part not yet used, days counted from delivery to the end of the term.
    """

    UNTIL_DELIVERY = "until_delivery"
    DAYS = "days"
    RESTOCKING = "restocking"
    BY_ITEM = "by_item"
    PRO_RATA = "pro_rata"


@dataclass(frozen=True, slots=True)
class Refund:
    """A scene's way back: the rule, its days, and what the shop may keep (ppm of the amount)."""

    rule: RefundRule
    days: int
    keep_ppm: int

    def most_fen(self, amount_fen: int, *, delivered_on: date | None, on: date, term_days: int) -> int:
        """Give the most that may be refunded on a day of an order of this amount (fen); before delivery it is always the whole."""
        if delivered_on is None or on < delivered_on:
            return amount_fen
        used = (on - delivered_on).days
        kept = amount_fen * self.keep_ppm // PPM
        match self.rule:
            case RefundRule.UNTIL_DELIVERY:
                return 0
            case RefundRule.DAYS | RefundRule.BY_ITEM | RefundRule.RESTOCKING:
                return amount_fen - kept if on <= delivered_on + timedelta(days=self.days) else 0
            case RefundRule.PRO_RATA:
                left = max(term_days - max(used - self.days, 0), 0)
                return (amount_fen - kept) * left // term_days
            case _:
                assert_never(self.rule)


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene. Amounts in fen; `months` are the terms it may be paid in."""

    scene_id: str
    title_zh: str
    category: str
    purpose: str
    plan: str
    months: tuple[int, ...]
    amount_min_fen: int
    amount_max_fen: int
    refund: Refund
    merchant_id: str

    def fits(self, amount_fen: int, months: int) -> bool:
        return months in self.months and self.amount_min_fen <= amount_fen <= self.amount_max_fen


@cache
def scenes() -> Mapping[str, Scene]:
    """Make every scene of the templates, by id."""
    data = tomllib.loads(Path(__file__).with_name("scenes.toml").read_text("utf-8"))
    made: dict[str, Scene] = {}
    for category in data["category"]:
        for plan in data["plan"]:
            n = len(made) + 1
            low = max(category["price_fen"][0], plan["amount_fen"][0])
            high = max(min(category["price_fen"][1], plan["amount_fen"][1]), low)
            refund = Refund(RefundRule(plan["refund"]["rule"]), plan["refund"]["days"], plan["refund"]["keep_ppm"])
            merchant = f"m{(n * data['merchant_stride']) % data['merchants'] + 1:03d}"
            made[f"s{n:03d}"] = Scene(
                f"s{n:03d}", f"{category['zh']}·{'/'.join(map(str, plan['months']))}期", category["code"], category["purpose"], plan["code"],
                tuple(plan["months"]), low, high, refund, merchant,
            )  # fmt: skip
    return made


def scene(scene_id: str) -> Scene:
    """Raises NoSuchScene."""
    try:
        return scenes()[scene_id]
    except KeyError:
        raise NoSuchScene(scene_id=scene_id) from None
