"""Rules as boxes over the classes of their columns: how much room each takes, which meet, and whether some leave a place uncovered.

A column is given as an array (classes, rules) of yes and no. A box's volume is the number of class combinations that it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from puhui.engines.rules.program import Array

BLOCK = 512
"""Rules that are measured against all others together."""
DOUBT = 1e-9
"""Sums of volumes closer than this share are reckoned again in whole numbers."""
NODES_MAX = 50_000
"""Steps of one search; a search that needs more is cut, and says so."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What boxes have to do with each other.

    volumes (rules,) float; above (rules,): the volumes that each rule shares with all before it, added up; within (rules,): the first other rule
    that holds it whole (of rules that are alike: one before it), or -1. met: for each rule, the bits of those it meets.
    """

    volumes: Array
    above: Array
    within: Array
    met: Array

    def meet(self, rule: int) -> Array:
        """Which rules share a place with this one; itself too."""
        return np.unpackbits(self.met[rule], bitorder="little")[: len(self.volumes)].astype(bool)


def measured(columns: Sequence[Array], rules: int) -> Measured:
    """Measure every rule against every other."""
    counted = [np.ascontiguousarray(column.T, np.float32) for column in columns]
    own = [one.sum(axis=1) for one in counted]
    volumes = np.ones(rules)
    for one in own:
        volumes *= one
    above, within = np.zeros(rules), np.full(rules, -1)
    met = np.zeros((rules, (rules + 7) // 8), np.uint8)
    for start in range(0, rules, BLOCK):
        part = slice(start, min(rules, start + BLOCK))
        shared = np.ones((part.stop - start, rules))
        inside, holds = np.ones(shared.shape, bool), np.ones(shared.shape, bool)
        for one, sizes in zip(counted, own, strict=True):
            common = one[part] @ one.T
            shared *= common
            inside &= common == sizes[part, None]
            holds &= common == sizes[None, :]
        met[part] = np.packbits(shared > 0, axis=1, bitorder="little")
        before = np.arange(rules)[None, :] < np.arange(part.start, part.stop)[:, None]
        above[part] = (shared * before).sum(axis=1)
        inside &= ~(holds & ~before)  # of rules that are alike, and of itself, only those before it hold a rule
        within[part] = np.where(inside.any(axis=1), inside.argmax(axis=1), -1)
    return Measured(volumes, above, within, met)


def uncovered(columns: Sequence[Array], rules: Array, met: Array) -> tuple[list[int] | None, bool]:
    """A class of every column such that none of these rules passes all of them, or None; and whether the search was cut.

    columns (classes, all rules); rules: their numbers; met: as `measured` says it.
    """
    if not columns or any(not len(one) for one in columns):
        return None, False
    return _Search(columns, rules, met).run()


class _Search:
    """A region is split along the cells of its rules until each part is plainly covered, or plainly not."""

    def __init__(self, columns: Sequence[Array], rules: Array, met: Array) -> None:
        self.columns, self.rules, self.met, self.nodes = columns, rules, met, 0

    def run(self) -> tuple[list[int] | None, bool]:
        open_: list[tuple[list[Array], Array]] = [([np.arange(len(one)) for one in self.columns], self.rules)]
        while open_:
            self.nodes += 1
            if self.nodes > NODES_MAX:
                return None, True
            region, live = open_.pop()
            counts, live = self._live(region, live)
            sizes = [len(one) for one in region]
            if (counts == np.array(sizes)[:, None]).all(axis=0).any():
                continue
            share = (counts / np.array(sizes)[:, None]).prod(axis=0).sum()
            if share < 1 - DOUBT:
                return self._descended(region, live), False
            if share <= 1 + DOUBT and not self._meet(live):
                if sum(prod(one) for one in counts.T.tolist()) == prod(sizes):
                    continue
                return self._descended(region, live), False
            open_ += self._halves(region, live, counts, sizes)
        return None, False

    def _live(self, region: list[Array], live: Array) -> tuple[Array, Array]:
        """How many classes of the region each rule passes, of the rules that pass some in every column."""
        counts = np.array([column[classes][:, live].sum(axis=0) for column, classes in zip(self.columns, region, strict=True)]).reshape(len(region), -1)
        some = (counts > 0).all(axis=0)
        return counts[:, some], live[some]

    def _meet(self, live: Array) -> bool:
        """Whether any two of these rules meet. If none do, their volumes add up to what they cover."""
        for start in range(0, len(live), BLOCK):
            part = np.unpackbits(self.met[live[start : start + BLOCK]], axis=1, bitorder="little")[:, live]
            if int(part.sum()) > len(part):
                return True
        return False

    def _halves(self, region: list[Array], live: Array, counts: Array, sizes: list[int]) -> list[tuple[list[Array], Array]]:
        """Split the region where the largest rule ends: along the column whose cut the fewest rules cross."""
        shares = (counts / np.array(sizes)[:, None]).prod(axis=0)
        best: tuple[float, int, Array] | None = None
        for rule in np.argsort(-shares)[:4].tolist():
            for place in np.flatnonzero(counts[:, rule] < np.array(sizes)).tolist():
                passes = self.columns[place][region[place]]
                inside = passes[:, live[rule]]
                crossing = float((passes[inside][:, live].any(axis=0) & passes[~inside][:, live].any(axis=0)).sum())
                if best is None or crossing < best[0]:
                    best = crossing, place, inside
        assert best is not None, "a rule that passes everything would have covered the region"
        _, place, inside = best
        return [([*region[:place], region[place][side], *region[place + 1 :]], live) for side in (inside, ~inside)]

    def _descended(self, region: list[Array], live: Array) -> list[int]:
        """A place in a region whose rules, added up, are smaller than it: in every column there is a class of which the same is true."""
        told = []
        for place, classes in enumerate(region):
            passes = self.columns[place][classes][:, live]
            later = [self.columns[other][region[other]][:, live].sum(axis=0).tolist() for other in range(place + 1, len(region))]
            weights = [prod(one) for one in zip(*later, strict=True)] if later else [1] * len(live)
            whole = float(prod(len(one) for one in region[place + 1 :]))
            rough = passes @ (np.array(weights, dtype=object) / whole).astype(float) if len(live) else np.zeros(len(classes))
            choice = int(rough.argmin())
            if rough[choice] >= 1 - DOUBT:
                choice = int(np.argmin([sum(weight for weight, is_in in zip(weights, row, strict=True) if is_in) for row in passes.tolist()]))
            told.append(int(classes[choice]))
            live = live[passes[choice]]
        assert not len(live), "a place that is left uncovered"
        return told
