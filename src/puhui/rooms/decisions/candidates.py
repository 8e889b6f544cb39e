"""The variables that a card may choose from: names of the engine's grammar over the catalogue of origination, each with its papers.

A line gives a name (braces stand for several), its sign and its reason. The sign says whether a larger value means more risk (+), less (-) or is free
(.); we set it, never a correlation. The reason is the code of the sentence that tells it (`vocabulary.reasons`). What a person did on our own pages
and how he repaid us is computed and kept, but free of any card until there are months of our own to fit on: a former lender's pages are not ours.
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from puhui.engines.variables.names import Form, Variable
from puhui.engines.variables.origination import bare

PPM = 1_000_000
_BRACES = re.compile(r"\{([^{}]*)\}")
SIGNS = {"+": 1, "-": -1, ".": 0}

CANDIDATES = """
telco.tenure - phone-history
telco.count.{90d 180d 360d}[kind=top_up] . phone-history
telco.amount.sum.180d[kind=top_up] . phone-history
telco.amount.mean.{180d 360d}[kind=top_up] - phone-history
telco.gap.max.{180d 360d}[kind=top_up] + phone-history
telco.count.{180d 360d}[kind=bill] - phone-history
telco.amount.mean.180d[kind=bill] . phone-history
telco.count.{90d 180d 360d 720d}[kind=overdue_bill] + late-bills
telco.count.{360d 720d}[kind=overdue_bill]/all + late-bills
telco.recency[kind=overdue_bill] - late-bills
telco.count.720d[kind=number_change] + phone-history
telco.count.{90d 360d}[kind=call_digest] - phone-history
telco.count.{180d 360d}[band=few]/all + phone-history
utility.tenure - phone-history
utility.count.360d[kind=bill] - late-bills
utility.amount.mean.360d[kind=bill] . late-bills
utility.count.{90d 180d 360d 720d}[kind=paid_late] + late-bills
utility.count.{360d 720d}[kind=paid_late]/all + late-bills
utility.recency[kind=paid_late] - late-bills
shopping.tenure - spending
shopping.count.{90d 180d 360d}[kind=order] . spending
shopping.amount.sum.{90d 180d}[kind=order] . spending
shopping.amount.sum.360d[kind=order] - spending
shopping.amount.mean.{180d 360d}[kind=order] - spending
shopping.amount.cv.360d[kind=order] . spending
shopping.amount.sum.{30d/90d 90d/360d}[kind=order] . spending
shopping.distinct.goods.360d . spending
shopping.count.{180d 360d 720d}[kind=refund] + spending
shopping.count.{360d 720d}[kind=refund]/all + spending
shopping.count.{360d 720d}[kind=cash_on_delivery] + spending
shopping.count.{360d 720d}[kind=cash_on_delivery]/all + spending
wallet.tenure - spending
wallet.count.{30d 90d 180d}[kind=pay] . spending
wallet.amount.sum.{30d 90d}[kind=pay] . spending
wallet.amount.sum.{180d 360d}[kind=pay] - spending
wallet.amount.mean.{90d 180d 360d}[kind=pay] - spending
wallet.amount.sum.{30d/180d 90d/360d}[kind=pay] . spending
wallet.count.{90d 180d 360d}[hour_band=night]/all + spending
wallet.count.{90d 180d 360d}[hour_band=night&kind=pay]/all + spending
wallet.count.{90d 180d}[kind=receive] - income
wallet.amount.sum.{90d 180d 360d}[kind=receive] - income
wallet.amount.mean.{180d 360d}[kind=receive] - income
wallet.amount.cv.{180d 360d}[kind=receive] + income
wallet.amount.sum.{180d 360d}[kind=receive]/all - income
wallet.amount.sum.{30d/180d 90d/360d}[kind=receive] - income
wallet.amount.trend.360d[kind=receive] - income
wallet.count.180d[kind=transfer] . spending
wallet.amount.sum.{180d 360d}[kind=transfer] . spending
wallet.distinct.counterparty.180d[kind=receive] . income
bank_flow.tenure - income
bank_flow.count.{180d 360d}[kind=wage] - income
bank_flow.amount.sum.{90d 180d 360d}[kind=wage] - income
bank_flow.amount.mean.{180d 360d}[kind=wage] - income
bank_flow.amount.min.360d[kind=wage] - income
bank_flow.amount.cv.{180d 360d 720d}[kind=wage] + income
bank_flow.amount.trend.360d[kind=wage] - income
bank_flow.gap.max.{180d 360d}[kind=wage] + income
bank_flow.recency[kind=wage] + income
bank_flow.amount.sum.{90d/360d 180d/720d}[kind=wage] - income
bank_flow.amount.sum.180d[kind=withdrawal] . income
bank_flow.amount.sum.{180d 360d}[kind=withdrawal]/all + income
bank_flow.count.180d[kind=transfer] . income
bank_flow.count.{90d 180d 360d 720d}[kind=failed_debit] + failed-debits
bank_flow.count.{360d 720d}[kind=failed_debit]/all + failed-debits
bank_flow.recency[kind=failed_debit] - failed-debits
bank_flow.balance.mean.{30d 90d 180d 360d} - income
bank_flow.balance.min.{30d 90d 180d} - income
bank_flow.balance.last.last10 - income
bank_flow.balance.cv.{180d 360d} + income
bank_flow.balance.trend.{180d 360d} - income
social_insurance.tenure - insurance
social_insurance.count.{180d 360d 720d}[kind=contribution] - insurance
social_insurance.amount.mean.{180d 360d}[kind=contribution] - insurance
social_insurance.recency[kind=contribution] + insurance
social_insurance.count.{360d 720d}[kind=gap] + insurance
device.tenure - device-changes
device.count.{30d 180d}[kind=app_open] . device-changes
device.count.{180d 360d}[hour_band=night]/all + device-changes
device.count.{30d 90d 180d 360d}[kind=install] + device-changes
device.count.{180d 360d}[kind=install]/all + device-changes
device.count.30d/180d[kind=install] + device-changes
device.count.{360d 720d}[kind=new_device] + device-changes
device.recency[kind=new_device] - device-changes
device.count.90d[kind=location_cell] . device-changes
device.distinct.cell.90d . device-changes
farm.tenure - farm-income
farm.count.360d[kind=sale] - farm-income
farm.amount.sum.360d[kind=sale] - farm-income
farm.count.360d[kind=feed] - farm-income
farm.count.360d[kind=death]/all + farm-income
bureau.count.{30d 90d 180d 360d 720d}[kind=inquiry] + asked-often
bureau.recency[kind=inquiry] - asked-often
bureau.distinct.lender.360d[kind=inquiry] + asked-often
bureau.count.{360d 720d}[kind=opening] + other-debt
bureau.tenure[kind=opening] - file-length
bureau.overdue_days.max.{180d 360d 720d}[kind=status] + past-lateness
bureau.overdue_days.max.ever[kind=status] + past-lateness
bureau.overdue_days.sum.{180d 360d 720d}[kind=status] + past-lateness
bureau.count.{180d 360d 720d}[class=doubtful|loss|special_mention|substandard] + past-lateness
bureau.count.720d[class=doubtful|loss|substandard] + past-lateness
bureau.recency[class=doubtful|loss|special_mention|substandard] - past-lateness
bureau.count.{180d 720d}[class=normal] - file-length
"""

WATCHED = """
app.count.{30d 90d}[event=submit] . own-pages
app.recency . own-pages
app.tenure . own-pages
repayment.count.{90d 360d} . own-loans
repayment.count.360d[status=late|missed] . own-loans
repayment.late_days.max.360d . own-loans
repayment.paid.sum.360d . own-loans
"""


@dataclass(frozen=True, slots=True)
class Paper:
    """The papers of a variable. `sign`: a larger value means more risk (+1), less (-1), or is free (0). `is_protected` keeps it out of every score.

    `source` is the table, or "application"; `missing` says when there is none; `name` is of the engine's grammar, except for measures.
    """

    name: str
    zh: str
    en: str
    unit: str
    sign: int
    reason: str
    source: str
    missing: str = "not fetched, nobody known there, or no event to read it from"
    is_protected: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A variable of the engine with its papers, and how its float64 becomes a whole number: rounded after `scale`, or floored to whole days."""

    paper: Paper
    scale: int
    is_floored: bool

    def whole(self, value: float) -> int:
        """Give the whole number a card reads: the same bits of float64, the same number."""
        return math.floor(value) if self.is_floored else round(value * self.scale)


@cache
def candidates() -> Mapping[str, Candidate]:
    """Give the candidates by name, then what is only watched, in their fixed order."""
    found: dict[str, Candidate] = {}
    for text, is_protected in ((CANDIDATES, False), (WATCHED, True)):
        for name, sign, reason in _lines(text):
            assert name not in found, f"{name} stands twice"
            found[name] = candidate(name, SIGNS[sign], reason, is_protected=is_protected)
    return found


def candidate(name: str, sign: int = 0, reason: str = "", *, is_protected: bool = False) -> Candidate:
    """Give the papers of a name of the grammar. Raises: NoSuchVariable."""
    variable = bare().parse(name)
    unit, scale, is_floored = _unit(variable)
    words = bare().describe(name, "zh"), bare().describe(name, "en")
    return Candidate(Paper(name, *words, unit, sign, reason, variable.table, is_protected=is_protected), scale, is_floored)


def _unit(variable: Variable) -> tuple[str, int, bool]:
    """Give the unit in which a variable's value is kept, by what it is multiplied, and whether it is floored."""
    if variable.over is not None or variable.is_share or variable.aggregate == "cv":
        return "ppm", PPM, False
    match variable.form:
        case Form.GAP | Form.RECENCY | Form.TENURE:
            return "days", 1, True
        case Form.COUNT | Form.DISTINCT:
            return "count", 1, False
        case Form.FIELD:
            table = bare().table(variable.table)
            assert table is not None, variable.table
            unit = table.unit(variable.column) or "count"
            return (f"{unit}/day" if variable.aggregate == "trend" else unit), 1, False


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.strip().splitlines():
        pattern, sign, reason = line.rsplit(" ", 2)
        parts = _BRACES.split(pattern)
        options = [part.split() if place % 2 else [part] for place, part in enumerate(parts)]
        for chosen in itertools.product(*options):
            yield "".join(chosen), sign, reason
