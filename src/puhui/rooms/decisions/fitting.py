"""Fitting a scorecard: supervised bins, weight of evidence, logistic regression by reweighted least squares with an L2 penalty.

Target: 90 days late or worse within 12 months. Applications the old rule refused have no outcome; they are not left out (whom the old
rule refused would then look like whom it took) but take part with an outcome inferred from data other than that rule's: a card fitted
on the granted gives each its odds, raised by `REJECT_ODDS`, and it counts as so much good and so much bad ("fuzzy parcelling"). This is an
assumption, it is written into the card, and no figure of quality counts an inferred outcome.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from puhui.foundation.refusals import Refusal
from puhui.rooms.decisions.book import Case
from puhui.rooms.decisions.known import Missing
from puhui.rooms.decisions.scorecard import Scorecard, canonical, open_scorecard
from puhui.rooms.decisions.vector import names, papers, set_sha256

Floats = NDArray[np.float64]

POINTS_AT, ODDS_AT, POINTS_TO_DOUBLE = 600, 30, 60
FACTOR = POINTS_TO_DOUBLE / math.log(2)
OFFSET = POINTS_AT - FACTOR * math.log(ODDS_AT)
VARIABLES_MIN, VARIABLES_MAX = 40, 64
REJECT_ODDS = 1.3
L2, L2_MAX = 8.0, 2_048.0
FOLDS = 4
HOLDOUT_SHARE = 0.25
FINE_BINS, BINS_MAX, FREE_BINS_MAX = 20, 6, 4
BIN_SHARE_MIN, BIN_ROWS_MIN, MISSING_ROWS_MIN = 0.04, 25, 30
ALIKE_MAX = 0.97
BADS_MIN = 60


class BookTooThin(Refusal):
    """The book has {bads} bad and {goods} good loans of known outcome and {variables} variables that tell them apart; a card needs 60, 60 and 40."""

    code = "decisions.book-too-thin"


@dataclass(frozen=True, slots=True)
class Bins:
    """A variable cut into bins: rising edges, the weight of evidence of each bin and of missing, and the information value of all."""

    name: str
    edges: tuple[int, ...]
    woe: tuple[float, ...]
    missing_woe: float
    value: float

    def of(self, column: Floats) -> Floats:
        """Give the weight of evidence of every row."""
        codes = np.searchsorted(np.array(self.edges, dtype=np.float64), np.nan_to_num(column), side="left")
        return np.where(np.isnan(column), self.missing_woe, np.array(self.woe)[codes])


@dataclass(frozen=True, slots=True)
class Fit:
    """A linear form in weights of evidence: log odds of good = intercept + sum of coefficient x woe."""

    bins: tuple[Bins, ...]
    coefficients: tuple[float, ...]
    intercept: float

    def log_odds(self, sample: "Sample") -> Floats:
        total = np.full(len(sample.good), self.intercept)
        for item, coefficient in zip(self.bins, self.coefficients, strict=True):
            total = total + coefficient * item.of(sample.columns[item.name])
        return total


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows for fitting: a column of values a variable (NaN is missing), and how much of each row is good and bad."""

    columns: Mapping[str, Floats]
    good: Floats
    bad: Floats

    def part(self, rows: NDArray[np.bool_]) -> "Sample":
        return Sample({name: column[rows] for name, column in self.columns.items()}, self.good[rows], self.bad[rows])

    def with_inferred(self, other: "Sample") -> "Sample":
        columns = {name: np.concatenate([column, other.columns[name]]) for name, column in self.columns.items()}
        return Sample(columns, np.concatenate([self.good, other.good]), np.concatenate([self.bad, other.bad]))


def fit_scorecard(cases: Sequence[Case], book_sha256: str, *, model_id: str = "starter.apply.dpd90", tell: Callable[[str], None] = lambda _: None) -> bytes:
    """Fit a card on the cases of a book and give the artefact's bytes; the same cases give the same bytes.

    The newest quarter of the applications is held out for the figures of quality, then the card keeps to the older ones.
    Raises: BookTooThin.
    """
    ordered = sorted(cases, key=lambda case: (case.applied_us, case.person_no))
    edge = ordered[int(len(ordered) * (1 - HOLDOUT_SHARE))].applied_us if ordered else 0
    older = [case for case in ordered if case.applied_us < edge]
    newer = [case for case in ordered if case.applied_us >= edge and case.is_bad is not None]
    known = [case for case in older if case.is_bad is not None]
    refused = [case for case in older if case.was_refused]
    sample, others, holdout = _sample(known), _sample(refused), _sample(newer)
    _demand(known, len(names()))

    tell(f"{len(known)} loans with a known outcome, {len(refused)} refused, {len(newer)} held out")
    train = sample.with_inferred(_infer(_fit(sample), others)) if refused else sample
    fit = _fit(train)
    slope, intercept = _calibrate(train)
    card = _card(fit, slope, intercept, model_id, {"book_sha256": book_sha256} | _paper(known, refused, newer))
    _demand(known, len(card["characteristics"]))
    scores = _probabilities(open_scorecard(canonical(card)), newer)
    tell(f"{len(card['characteristics'])} variables in the card")
    card["paper"] |= quality(scores, np.asarray(holdout.bad))
    return canonical(card)


def quality(probabilities: Floats, bad: Floats) -> dict[str, Any]:
    """Give AUC, KS and a calibration table by fifths, as whole ppm; for a holdout without both kinds, say so."""
    if not 0 < bad.sum() < len(bad):
        return {"holdout_loans": len(bad), "holdout_bads": int(bad.sum())}
    order = np.argsort(probabilities, kind="stable")
    p, y = probabilities[order], bad[order]
    starts = np.r_[0, np.nonzero(np.diff(p))[0] + 1]
    bads, alls = np.add.reduceat(y, starts), np.diff(np.r_[starts, len(y)])
    goods = alls - bads
    bads_below = np.cumsum(bads) - bads
    auc = 1 - float(((bads_below + bads / 2) * goods).sum() / (bads.sum() * goods.sum()))
    ks = float(np.max(np.abs(np.cumsum(goods) / goods.sum() - np.cumsum(bads) / bads.sum())))
    fifths = [
        {"loans": len(part), "expected_ppm": round(float(p[part].mean()) * 1e6), "observed_ppm": round(float(y[part].mean()) * 1e6)}
        for part in np.array_split(np.arange(len(y)), 5)
        if len(part)
    ]
    return {
        "holdout_loans": len(bad),
        "holdout_bads": int(bad.sum()),
        "holdout_auc_ppm": round(auc * 1e6),
        "holdout_ks_ppm": round(ks * 1e6),
        "holdout_calibration": fifths,
    }


# -- bins ----------------------------------------------------------------------------------------------------------------


def bin_variable(name: str, column: Floats, good: Floats, bad: Floats) -> Bins:
    """Cut a variable into bins whose risk moves the way its papers say (or freely, in fewer bins)."""
    sign = papers()[name].sign
    is_there = ~np.isnan(column)
    values, g, b = column[is_there], good[is_there], bad[is_there]
    if len(values) < 2 * BIN_ROWS_MIN:
        return _weigh(name, (), [(float(good.sum()), float(bad.sum()))], (0.0, 0.0), 0)
    wanted = np.unique(np.quantile(values, np.linspace(0, 1, FINE_BINS + 1)[1:-1], method="lower"))
    edges = [int(edge) for edge in wanted if edge < values.max()]
    codes = np.searchsorted(np.array(edges, dtype=np.float64), values, side="left")
    counts = [(float(g[codes == code].sum()), float(b[codes == code].sum()), int((codes == code).sum())) for code in range(len(edges) + 1)]
    edges, counts = _merge(edges, counts, sign, max(BIN_ROWS_MIN, int(len(values) * BIN_SHARE_MIN)))
    missing_rows = int((~is_there).sum())
    missing = float(good[~is_there].sum()), float(bad[~is_there].sum())
    return _weigh(name, tuple(edges), [(one[0], one[1]) for one in counts], missing, missing_rows)


def _merge(
    edges: list[int], counts: list[tuple[float, float, int]], sign: int, rows_min: int
) -> tuple[list[int], list[tuple[float, float, int]]]:
    """Join neighbours until every bin is large enough, moves as it should, and there are few."""
    edges, counts = list(edges), list(counts)

    def join(i: int) -> None:
        counts[i : i + 2] = [(counts[i][0] + counts[i + 1][0], counts[i][1] + counts[i + 1][1], counts[i][2] + counts[i + 1][2])]
        del edges[i]

    def rate(i: int) -> float:
        return (counts[i][1] + 0.25) / (counts[i][0] + counts[i][1] + 1)

    while edges and min(one[2] for one in counts) < rows_min:
        small = min(range(len(counts)), key=lambda i: counts[i][2])
        sides = [i for i in (small - 1, small) if 0 <= i < len(edges)]
        join(min(sides, key=lambda i: abs(rate(i) - rate(i + 1))))
    while sign and (wrong := [i for i in range(len(edges)) if (rate(i + 1) - rate(i)) * sign < 0]):
        join(max(wrong, key=lambda i: abs(rate(i + 1) - rate(i))))
    while len(counts) > (BINS_MAX if sign else FREE_BINS_MAX):
        join(min(range(len(edges)), key=lambda i: abs(rate(i) - rate(i + 1)) * min(counts[i][2], counts[i + 1][2])))
    return edges, counts


def _weigh(name: str, edges: tuple[int, ...], counts: Sequence[tuple[float, float]], missing: tuple[float, float], missing_rows: int) -> Bins:
    goods, bads = sum(one[0] for one in counts) + missing[0], sum(one[1] for one in counts) + missing[1]

    def woe(good: float, bad: float) -> float:
        return math.log((good + 0.5) / (goods + 0.5)) - math.log((bad + 0.5) / (bads + 0.5))

    def worth(good: float, bad: float) -> float:
        return (good / max(goods, 1) - bad / max(bads, 1)) * woe(good, bad)

    weights = tuple(woe(*one) for one in counts) if edges else (0.0,)
    is_own = missing_rows >= MISSING_ROWS_MIN and bool(edges)
    value = sum(worth(*one) for one in counts) if edges else 0.0
    return Bins(name, edges, weights, woe(*missing) if is_own else 0.0, value + (worth(*missing) if is_own else 0.0))


# -- the linear form ----------------------------------------------------------------------------------------------------


def _fit(sample: Sample) -> Fit:
    """Choose the variables and fit their coefficients; one that would work against its own evidence is dropped.

    Where near-copies push each other out below the 40 that a card must have, the penalty is doubled: it makes them share.
    """
    chosen = _choose(sample)
    columns = np.column_stack([item.of(sample.columns[item.name]) for item in chosen]) if chosen else np.zeros((len(sample.good), 0))
    penalty = L2
    while True:
        fit = _fit_signed(sample, chosen, columns, penalty)
        speaking = sum(any(_points(item, coefficient)) for item, coefficient in zip(fit.bins, fit.coefficients, strict=True))
        if speaking >= VARIABLES_MIN or penalty >= L2_MAX:
            return fit
        penalty *= 2


def _fit_signed(sample: Sample, chosen: Sequence[Bins], columns: Floats, penalty: float) -> Fit:
    kept = list(range(len(chosen)))
    while True:
        coefficients, intercept = _regress(columns[:, kept], sample.good, sample.bad, penalty)
        wrong = [i for i, coefficient in enumerate(coefficients) if coefficient <= 0]
        if not wrong:
            return Fit(tuple(chosen[i] for i in kept), tuple(float(c) for c in coefficients), intercept)
        worst = sorted(wrong, key=lambda i: float(coefficients[i]))[: max(len(wrong) // 4, 1)]
        kept = [one for i, one in enumerate(kept) if i not in worst]


def _choose(sample: Sample) -> list[Bins]:
    """Take variables by information value, leaving out near-copies, at most 64."""
    found = [
        bin_variable(paper.name, sample.columns[paper.name], sample.good, sample.bad)
        for paper in papers().values()
        if not paper.is_protected and paper.reason
    ]
    ranked = sorted((item for item in found if item.edges and item.value > 0), key=lambda item: (-item.value, item.name))
    chosen: list[Bins] = []
    taken: list[Floats] = []
    for item in ranked:
        column = item.of(sample.columns[item.name])
        centred = column - column.mean()
        length = math.sqrt(float((centred * centred).sum()))
        if length == 0:
            continue
        unit = centred / length
        if all(abs(float((unit * other).sum())) < ALIKE_MAX for other in taken):
            chosen.append(item)
            taken.append(unit)
        if len(chosen) == VARIABLES_MAX:
            break
    return chosen


def _regress(columns: Floats, good: Floats, bad: Floats, l2: float) -> tuple[Floats, float]:
    """Logistic regression of good over bad by reweighted least squares; the intercept is not penalised."""
    rows, width = columns.shape
    design = np.column_stack([np.ones(rows), columns])
    weight, share = good + bad, good / (good + bad)
    penalty = np.diag([0.0] + [l2] * width)
    beta = np.zeros(width + 1)
    beta[0] = math.log((good.sum() + 0.5) / (bad.sum() + 0.5))
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        w = weight * p * (1 - p)
        gradient = design.T @ (weight * (share - p)) - penalty @ beta
        step = np.linalg.solve(design.T @ (design * w[:, None]) + penalty, gradient)
        beta = beta + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return beta[1:], float(beta[0])


def _infer(fit: Fit, others: Sample) -> Sample:
    """Give the refused an inferred outcome: odds of bad by the granted's card, raised."""
    odds_bad = np.exp(-np.clip(fit.log_odds(others), -20, 20)) * REJECT_ODDS
    bad = odds_bad / (1 + odds_bad)
    return Sample(others.columns, 1 - bad, bad)


def _calibrate(train: Sample) -> tuple[float, float]:
    """Fit probability to log odds on rows that the fit had not seen (four folds): slope and intercept of the log odds of good."""
    fold = np.arange(len(train.good)) % FOLDS
    unseen = np.zeros(len(train.good))
    for k in range(FOLDS):
        unseen[fold == k] = _fit(train.part(fold != k)).log_odds(train.part(fold == k))
    coefficient, intercept = _regress(unseen[:, None], train.good, train.bad, 0.1)
    return max(float(coefficient[0]), 0.05), intercept


# -- the card ------------------------------------------------------------------------------------------------------------


def _card(fit: Fit, slope: float, intercept: float, model_id: str, paper: dict[str, Any]) -> dict[str, Any]:
    base = round(OFFSET + FACTOR * fit.intercept)
    rows: list[dict[str, Any]] = []
    reach: list[tuple[int, int]] = []
    for item, coefficient in zip(fit.bins, fit.coefficients, strict=True):
        *points, missing_points = _points(item, coefficient)
        if not any([*points, missing_points]):
            continue
        reach.append((min([*points, missing_points]), max([*points, missing_points])))
        rows.append(
            {
                "name": item.name,
                "reason": papers()[item.name].reason,
                "sign": papers()[item.name].sign,
                "edges": list(item.edges),
                "points": points,
                "missing_points": missing_points,
                "value_ppm": round(item.value * 1e6),
            }
        )
    least, most = base + sum(spans[0] for spans in reach), base + sum(spans[1] for spans in reach)
    return {
        "kind": "scorecard",
        "model_id": model_id,
        "variables_sha256": set_sha256(),
        "base_points": base,
        "points_min": least,
        "probabilities_ppm": [_bad_ppm(intercept + slope * (points - OFFSET) / FACTOR) for points in range(least, most + 1)],
        "characteristics": rows,
        "paper": paper,
    }


def _points(item: Bins, coefficient: float) -> list[int]:
    """Give the whole points of each bin, and last those of missing."""
    return [round(FACTOR * coefficient * woe) for woe in (*item.woe, item.missing_woe)]


def _bad_ppm(log_odds_good: float) -> int:
    return math.floor(1e6 / (1 + math.exp(min(max(log_odds_good, -30), 30))) + 0.5)


def _paper(known: Sequence[Case], refused: Sequence[Case], newer: Sequence[Case]) -> dict[str, Any]:
    return {
        "target": "90 days late or worse within 12 months of the grant, or of the months observed",
        "reject_inference": f"refused applications count as part good, part bad: odds of the granted's card x {round(REJECT_ODDS * 100)} %",
        "train_loans": len(known),
        "train_bads": sum(bool(case.is_bad) for case in known),
        "train_refused": len(refused),
        "train_until_us": known[-1].applied_us,
        "holdout_since_us": newer[0].applied_us if newer else 0,
        "points": f"{POINTS_AT} at {ODDS_AT}:1, {POINTS_TO_DOUBLE} double the odds",
    }


def _sample(cases: Sequence[Case]) -> Sample:
    table = np.array(
        [[math.nan if isinstance(value, Missing) else float(value) for value in case.vector.values.values()] for case in cases], dtype=np.float64
    ).reshape(len(cases), len(names()))
    bad = np.array([float(bool(case.is_bad)) for case in cases])
    return Sample({name: table[:, i] for i, name in enumerate(names())}, 1 - bad, bad)


def _probabilities(card: Scorecard, cases: Sequence[Case]) -> Floats:
    return np.array([card.score(case.vector.values).probability_ppm / 1e6 for case in cases])


def _demand(known: Sequence[Case], variables: int) -> None:
    bads = sum(bool(case.is_bad) for case in known)
    if min(bads, len(known) - bads) < BADS_MIN or variables < VARIABLES_MIN:
        raise BookTooThin(bads=bads, goods=len(known) - bads, variables=variables)
