"""The ceiling: how well even someone who knew all of a resident but his future could rank him.

For every loan many futures are lived through, from what is true at the start: traits, income, its drift, the purse. The share of
futures that end 90 days late is the true probability of default, and the Bayes score. No outside observer can rank better.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from puhui_town.people.assumptions import Assumptions
from puhui_town.people.conduct import Rule, chance, will
from puhui_town.people.lives import DOM_OF_DAY, MONTH_OF_DAY, Dice, Life, Wants, day_index, live_months, month_index, town_factor
from puhui_town.people.streams import stream

Floats = NDArray[np.float64]
LATE = 90
CAP_DAYS = 460


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan as far as repaying goes: paid out on a day, equal installments on the same day of the following months."""

    life: Life
    start: date
    installment: float
    months: int
    purse: float
    """Cash at the start, in yuan."""
    name: str
    """Names the stream of its futures."""


@dataclass(frozen=True, slots=True)
class Futures:
    """Days late reached at most, (loans, futures) int64, by 3, 6 and 12 months after the start; -1 means never late."""

    worst_3: NDArray[np.int64]
    worst_6: NDArray[np.int64]
    worst_12: NDArray[np.int64]

    def share(self, months: int) -> Floats:
        """True probability of being 90 days late by then, per loan."""
        worst = {3: self.worst_3, 6: self.worst_6, 12: self.worst_12}[months]
        result: Floats = (worst >= LATE).mean(axis=1)
        return result


def futures(loans: list[Loan], a: Assumptions, *, each: int = 64) -> Futures:
    """Live `each` futures of every loan. The loans of one call may start on different days."""
    months = CAP_DAYS // 30 + 2
    size = (len(loans), each, months)
    normal, uniform = np.empty((*size, 3)), np.empty((*size, 11))
    for k, loan in enumerate(loans):
        generator = stream(loan.life.person.seed, loan.name, "truth")
        normal[k], uniform[k] = generator.standard_normal((each, months, 3)), generator.random((each, months, 11))
    first = np.array([month_index(loan.start) for loan in loans])
    income, cost, windfall = np.empty(size), np.empty(size), np.empty(size)
    for begin in sorted({month_index(loan.start) for loan in loans}):  # those of one month share town and season
        rows = np.flatnonzero(first == begin)
        people = [loans[k].life.person for k in rows]
        drift = np.array([loans[k].life.months.drift[begin - 1] for k in rows])[:, None]
        town = town_factor(people[0].seed, a)[begin : begin + months]
        town = np.pad(town, (0, months - len(town)))
        lived = live_months(Wants.of(people, (1, 1)), Dice(normal[rows], uniform[rows]), begin, a, town=town, drift_before=drift)
        income[rows], cost[rows], windfall[rows] = lived.income, lived.cost, lived.windfall
        # the harvest of before the start still feeds the first months, and who is out of work starts out of work
        for row in rows.tolist():
            life = loans[row].life
            if life.person.work == "farmer":
                new = np.minimum(np.arange(1, months + 1) / 12, 1.0)
                income[row] = new * income[row] + (1 - new) * life.months.income[begin - 1]
            elif life.months.out_of_work[begin]:
                income[row, :, :2] = np.minimum(income[row, :, :2], life.months.income[begin])
    return _days(loans, income, cost, windfall, a, each)


def _days(loans: list[Loan], income: Floats, cost: Floats, windfall: Floats, a: Assumptions, each: int) -> Futures:
    """Walk day by day through all futures at once."""
    rule = Rule.of(a)
    people = [loan.life.person for loan in loans]

    def column(values: list[float]) -> Floats:
        return np.array(values)[:, None]

    bare, service = column([p.bare for p in people]), column([p.outside_service for p in people])
    buffer, credit = column([p.buffer for p in people]), column([p.bare * a.number("living.credit_at_shops") for p in people])
    mind = will(rule, column([p.traits.prudence for p in people]), column([p.traits.honesty for p in people]))
    bits = np.array([p.is_bits for p in people])[:, None]
    payday = np.array([p.payday for p in people])
    start = np.array([day_index(loan.start) for loan in loans])
    term = np.array([loan.months for loan in loans])
    installment = column([loan.installment for loan in loans])
    generator = stream(people[0].seed, "futures-of-days", "truth")
    shape = (len(loans), each)
    cash = np.broadcast_to(column([loan.purse for loan in loans]), shape).copy()
    shock_dom = np.broadcast_to(((start * 7) % 28 + 1)[:, None], shape)
    due, late = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    worst = np.full(shape, -1, dtype=np.int64)
    kept: dict[int, NDArray[np.int64]] = {}
    spend_down = a.number("living.spend_down")
    begin_month = MONTH_OF_DAY[start]
    begin_dom = np.minimum(DOM_OF_DAY[start], 28)
    for day in range(1, CAP_DAYS):
        now = start + day
        month, dom = MONTH_OF_DAY[now] - begin_month, DOM_OF_DAY[now][:, None]
        at = np.broadcast_to(month[:, None, None], (*shape, 1))
        came = np.take_along_axis(income, at, 2)[..., 0]
        cash += np.where(bits, came / 30.4, np.where(dom == payday[:, None], came, 0.0)) - bare / 30.4
        cash -= np.where(dom == np.minimum(payday + 3, 28)[:, None], service, 0.0)
        fell = dom == shock_dom
        if fell.any():
            cash += np.where(fell, np.take_along_axis(windfall - cost, at, 2)[..., 0], 0.0)
        above = cash - buffer
        cash -= np.where(above > 0, spend_down * above, 0.0)
        np.maximum(cash, -credit, out=cash)
        falls = (DOM_OF_DAY[now] == begin_dom) & (month >= 1) & (month <= term)
        if falls.any():
            due += np.where(falls[:, None], installment, 0.0)
        owing = due > 0.005
        if owing.any():
            slack = cash - bare * rule.living_days / 30.4
            u, slip = generator.random(shape), generator.random(shape)
            whole = owing & (slack >= due) & (u < chance(rule, slack, due, mind, late)) & (slip >= rule.forget)
            part = owing & (slack < due) & (slack > 1.0) & (u < rule.part) & (slip >= rule.forget)
            paid = np.where(whole, due, np.where(part, 0.6 * slack, 0.0))
            cash -= paid
            due -= paid
            late = np.where(due > 0.005, np.where(part & (due < installment), late // 2, late) + 1, 0)
            np.maximum(worst, late - 1, out=worst)
        if day in {91, 182, 365}:
            kept[day] = worst.copy()
    return Futures(kept[91], kept[182], worst)


def auc(score: Floats, bad: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of `score` (higher is worse) against `bad`; ties count one half."""
    order = np.argsort(score, kind="stable")
    ranks = np.empty(len(score))
    values, start, counts = np.unique(score[order], return_index=True, return_counts=True)
    del values
    ranks[order] = np.repeat(start + (counts + 1) / 2, counts)
    bads = int(bad.sum())
    goods = len(bad) - bads
    if not bads or not goods:
        return float("nan")
    return float((ranks[bad].sum() - bads * (bads + 1) / 2) / (bads * goods))
