"""Selection at a hundred thousand: information value, stability, constants and exact copies, streamed; the matrix of people never exists.

Every column is coded into at most 32 bins, cut at the quantiles of a sample, and one for missing. Counts add up, whoever counted which people: so
threads and shards give the same report. A column's fingerprint is a sum over its people, so it does not depend on their order either.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables.columns import Ints
from puhui.engines.variables.history import History
from puhui.engines.variables.plan import Floats, Plan
from puhui.foundation.shards import map_shards

BINS = 32
FEWEST = 20  # a column with fewer people who have a value says nothing
SMOOTH = 0.5  # added to every bin of a part, so that an empty one has a logarithm
SLAB = 16


@dataclass(frozen=True, slots=True)
class People:
    """Some people as of one instant each (us UTC), whether each turned out badly, and which of two parts (times, places) each belongs to."""

    histories: Sequence[History]
    as_of: Sequence[int] | Ints
    is_bad: NDArray[np.bool_]
    part: NDArray[np.int64]
    first: int = 0
    """The number of the first of them among all people; it makes the fingerprints."""


def edges_of(sample: Floats) -> Floats:
    """Give the cuts of each column's bins, (columns, BINS - 1): quantiles of the sample's values, +inf where there are fewer."""
    people, columns = sample.shape
    ordered = np.sort(sample, axis=0)
    present = (~np.isnan(ordered)).sum(axis=0)
    edges = np.full((columns, BINS - 1), np.inf)
    steps = np.arange(1, BINS) / BINS
    place = (steps[None, :] * present[:, None]).astype(np.int64)
    found = np.take_along_axis(ordered.T, np.minimum(place, people - 1), axis=1)
    fresh = np.ones_like(found, np.bool_)
    fresh[:, 1:] = found[:, 1:] != found[:, :-1]
    rank = np.cumsum(fresh, axis=1) - 1
    rows, steps_of = np.nonzero(fresh & (present[:, None] > 0) & ~np.isnan(found))
    edges[rows, rank[rows, steps_of]] = found[rows, steps_of]
    return edges


class Counts:
    """What streams add up to: per column the people of each part, outcome and bin, the ends of its values, how many have one, and its fingerprint."""

    def __init__(self, edges: Floats) -> None:
        columns = len(edges)
        self.edges = edges
        self.bins = np.zeros((columns, 4, BINS + 1), np.int32)
        self.low, self.high = np.full(columns, np.inf), np.full(columns, -np.inf)
        self.present = np.zeros(columns, np.int64)
        self.print = np.zeros(columns, np.uint64)
        self.mask = np.zeros(columns, np.uint64)

    def add(self, vectors: Floats, some: People, start: int = 0) -> None:
        """Count people: vectors (people, columns), those of `some` from `start` on."""
        from puhui.engines.variables import counting

        end = start + len(vectors)
        cell = 2 * some.part[start:end] + some.is_bad[start:end]
        counting.count(vectors, self.edges, cell, some.first + start, self.bins, self.low, self.high, self.present, self.print, self.mask)

    def merge(self, other: "Counts") -> None:
        """Add what another counted."""
        self.bins += other.bins
        self.low, self.high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        self.present += other.present
        self.print += other.print
        self.mask += other.mask


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What is known of each column. `copy_of` is the place of the first column with the very same bits, -1 for a first one."""

    iv: Floats
    psi: Floats
    present: Ints
    is_constant: NDArray[np.bool_]
    copy_of: Ints

    @property
    def left(self) -> NDArray[np.bool_]:
        """Columns that are neither constant nor a copy."""
        return ~self.is_constant & (self.copy_of < 0)

    def best(self, count: int, *, psi_max: float = 0.25) -> list[int]:
        """Give the places of so many columns of the highest information value, among those left and stable."""
        able = np.flatnonzero(self.left & (self.psi <= psi_max))
        return [int(place) for place in able[np.lexsort((able, -self.iv[able]))][:count]]


def selection_of(counts: Counts) -> Selection:
    """Work out the report."""
    good, bad = counts.bins[:, [0, 2]].sum(axis=1), counts.bins[:, [1, 3]].sum(axis=1)
    early, late = counts.bins[:, [0, 1]].sum(axis=1), counts.bins[:, [2, 3]].sum(axis=1)
    is_constant = (counts.present < FEWEST) | (counts.low == counts.high)
    copy_of = np.full(len(counts.print), -1, np.int64)
    first: dict[int, int] = {}
    for place, mark in enumerate(counts.print.tolist()):
        if not is_constant[place] and first.setdefault(mark, place) != place:
            copy_of[place] = first[mark]
    return Selection(divergence(good, bad), divergence(early, late), counts.present, is_constant, copy_of)


def divergence(one: NDArray[np.int32], other: NDArray[np.int32]) -> Floats:
    """Give sum (p - q) ln(p / q) over each row's bins: IV of good against bad, PSI of two parts. 0 where a side has nobody."""
    used = (one + other) > 0
    p, q = (np.where(used, side + SMOOTH, 0.0) for side in (one, other))
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
        terms = np.where(used, (p - q) * np.log(p / q), 0.0)
    total: Floats = np.where((one.sum(axis=1) > 0) & (other.sum(axis=1) > 0), terms.sum(axis=1), 0.0)
    return total


def spread(everybody: Sequence[People], most: int) -> People:
    """Give at most so many people, evenly from all, to cut bins by."""
    step = max(1, -(-sum(len(some.histories) for some in everybody) // most))
    places = [(some, at) for some in everybody for at in range(len(some.histories)) if (some.first + at) % step == 0]
    bad, part = np.array([some.is_bad[at] for some, at in places], np.bool_), np.array([some.part[at] for some, at in places], np.int64)
    return People([some.histories[at] for some, at in places], [int(some.as_of[at]) for some, at in places], bad, part)


def select(plan: Plan, sample: People, everybody: Iterable[People], *, workers: int = 2) -> Selection:
    """Learn the bins from a sample, count everybody on threads, and report. Raises: as `Plan.one`."""
    sampled: Any = np.empty((len(sample.histories), len(plan)), np.float32)
    plan.batch(sample.histories, sample.as_of, sampled)
    edges = edges_of(sampled)
    del sampled
    held, counted = threading.local(), list[Counts]()

    def count(some: People) -> None:
        own: Any = held
        if not hasattr(own, "counts"):
            own.counts, own.vectors = Counts(edges), np.empty((SLAB, len(plan)))
            counted.append(own.counts)
        for start in range(0, len(some.histories), SLAB):
            people = some.histories[start : start + SLAB]
            vectors = own.vectors[: len(people)]
            plan.batch(people, some.as_of[start : start + SLAB], vectors)
            own.counts.add(vectors, some, start)

    for _ in map_shards(count, everybody, workers=workers):
        pass
    whole = Counts(edges)
    for part in counted:
        whole.merge(part)
    return selection_of(whole)
