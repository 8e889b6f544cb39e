"""The counting kernel of selection: columns of people into bins, ends and fingerprints, tile by tile."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

TILE = 16
MIX, STIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
THIRTY = np.uint64(30)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Marks = NDArray[np.uint64]


@njit(cache=True, error_model="numpy", nogil=True)
def stir(value: Any) -> Any:
    """Mix 64 bits."""
    value = (value ^ (value >> THIRTY)) * STIR
    return value ^ (value >> np.uint64(27))


@njit(cache=True, error_model="numpy", nogil=True)
def count(
    vectors: Floats, edges: Floats, cell: Ints, first: Any, bins: NDArray[np.int32], low: Floats, high: Floats, present: Ints, prints: Marks, masks: Marks,
) -> None:
    """Add people to the counts of every column.

    vectors  (people, columns) float64, NaN missing; edges (columns, bins - 1) ascending, +inf where unused
    cell     (people,) 0..3: part and outcome; first: the number of the first person among all
    bins     (columns, 4, bins + 1) int32: values x with edges[b - 1] <= x < edges[b] in b, missing in the last
    low, high, present, prints, masks   (columns,) ends, people with a value, and fingerprints of values and of what is missing
    """
    people, columns = vectors.shape
    cuts = edges.shape[1]
    bits = vectors.view(np.uint64)
    for start in range(0, columns, TILE):
        for person in range(people):
            key = stir(np.uint64(first + person + 1) * MIX)
            at = cell[person]
            for column in range(start, min(start + TILE, columns)):
                value = vectors[person, column]
                prints[column] += stir((bits[person, column] ^ key) * MIX)
                if value != value:  # noqa: PLR0124  (NaN differs from itself)
                    bins[column, at, cuts + 1] += 1
                    masks[column] += key
                    continue
                place, step = 0, (cuts + 1) >> 1
                while step > 0:
                    place += step if edges[column, place + step - 1] <= value else 0
                    step >>= 1
                bins[column, at, place] += 1
                present[column] += 1
                low[column], high[column] = min(low[column], value), max(high[column], value)
