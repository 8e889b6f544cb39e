"""How a value of decisions is spread, and how it drifts: shares of bins by month, and the population stability index against the first month. Pure."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from puhui.rooms.decisions.known import Missing, Value

BINS_MAX = 8
PEOPLE_MIN = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """A value as one decision used it. `month` is that of the decision in China."""

    at: datetime
    month: str
    value: Value


@dataclass(frozen=True, slots=True)
class Month:
    """A month's decisions: how many, in which bins (missing last), and the index against the first month; None for the first, and for too few people."""

    month: str
    people: int
    counts: tuple[int, ...]
    psi: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """Rising edges of the bins (bin i holds (edges[i-1], edges[i]]), the months, oldest first, and why values are missing, most frequent first."""

    edges: tuple[int, ...]
    months: tuple[Month, ...]
    missing: tuple[tuple[str, int], ...]

    @property
    def totals(self) -> tuple[int, ...]:
        """How many decisions lie in each bin, missing last."""
        return tuple(sum(month.counts[place] for month in self.months) for place in range(len(self.edges) + 2))


def drift_of(seen: Sequence[Seen], edges: tuple[int, ...] = ()) -> Drift:
    """Spread values over bins by month: over these edges (a card's own), or over eighths of all values if there are none."""
    values = sorted(one.value for one in seen if isinstance(one.value, int))
    cuts = edges or tuple(sorted({values[len(values) * part // BINS_MAX] for part in range(1, BINS_MAX)} - set(values[-1:]))) if values else ()
    by_month: dict[str, list[int]] = {}
    why: dict[str, int] = {}
    for one in seen:
        counts = by_month.setdefault(one.month, [0] * (len(cuts) + 2))
        if isinstance(one.value, Missing):
            counts[-1] += 1
            why[one.value.value] = why.get(one.value.value, 0) + 1
        else:
            counts[bisect_left(cuts, one.value)] += 1
    first = by_month[min(by_month)] if by_month else []
    months = tuple(
        Month(month, sum(counts), tuple(counts), None if month == min(by_month) else stability(first, counts)) for month, counts in sorted(by_month.items())
    )
    return Drift(cuts, months, tuple(sorted(why.items(), key=lambda pair: (-pair[1], pair[0]))))


def stability(base: Sequence[int], now: Sequence[int]) -> float | None:
    """Give the population stability index of two counts over the same bins: under 0.1 is steady, above 0.25 another population. None for too few people.

    Half a person is added to every bin, so an empty one does not make it infinite.
    """
    if min(sum(base), sum(now)) < PEOPLE_MIN:
        return None
    parts = []
    for was, is_now in zip(base, now, strict=True):
        p, q = (was + 0.5) / (sum(base) + 0.5 * len(base)), (is_now + 0.5) / (sum(now) + 0.5 * len(now))
        parts.append((q - p) * math.log(q / p))
    return sum(parts)
