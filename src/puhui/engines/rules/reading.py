"""Read one applicant: the values of a mapping, field by field once, as the numbers that the loop for one row takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import getitem, itemgetter
from typing import Any

import numpy as np

from puhui.engines.rules.program import Array
from puhui.engines.rules.refusals import BadInput
from puhui.engines.rules.schema import FLOAT_DIGITS_MAX, Field, held
from puhui.engines.rules.values import Trouble

WHOLE_MAX = float(10**FLOAT_DIGITS_MAX - 1)
"""Up to here a double holds every whole number."""
PLAIN = frozenset({float, int, type(None)})
Getter = Callable[[Mapping[str, object]], tuple[Any, ...]]


class Codes(dict[object, "int | None"]):
    """The places of texts in a dictionary. None has none; any other text has the place behind the last; what is no text is refused by TypeError."""

    def __init__(self, known: Mapping[str, int]) -> None:
        super().__init__(known.items())
        self[None] = None
        self.other = len(known)

    def __missing__(self, key: object) -> int:
        if isinstance(key, str):
            return self.other
        raise TypeError(key)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """How a row is read: numbers that may be floats (so many), then texts, then all others. `inputs` says of each: its register, power and bound."""

    values: Getter
    numbers: int
    codes: tuple[Codes, ...]
    others: tuple[Field, ...]
    inputs: tuple[tuple[int, float, float], ...]

    def given(self, row: Mapping[str, object]) -> Array | None:
        """The values of a row as doubles, NaN for null; None where it is not so plain, and each value must be looked at by itself."""
        try:
            values = self.values(row)
            numbers = values[: self.numbers]
            if not PLAIN.issuperset(map(type, numbers)):
                return None
            told = [*numbers, *map(getitem, self.codes, values[self.numbers :])]
            if self.others:
                told += [_whole(held(one, row[one.name], {})) for one in self.others]
            return np.array(told, np.float64)
        except (KeyError, TypeError, BadInput, Trouble, OverflowError):
            return None


def _whole(number: int | None) -> int | None:
    if number is not None and abs(number) > WHOLE_MAX:
        raise OverflowError(number)
    return number


def reading(fields: Sequence[Field], codes: Sequence[Mapping[str, int]]) -> Reading:
    """How rows of these fields are read."""
    places = {one.name: place for place, one in enumerate(fields)}
    numbers = [one for one in fields if one.kind == "number" and one.precision <= FLOAT_DIGITS_MAX]
    texts = [one for one in fields if one.kind in {"category", "string"}]
    others = [one for one in fields if one not in numbers and one not in texts]
    inputs = [(places[one.name], float(10**one.scale), float(one.bound)) for one in numbers]
    inputs += [(places[one.name], -1.0, WHOLE_MAX) for one in (*texts, *others)]
    known = tuple(Codes(codes[places[one.name]]) for one in texts)
    return Reading(_getter([one.name for one in (*numbers, *texts)]), len(numbers), known, tuple(others), tuple(inputs))


def _getter(names: list[str]) -> Getter:
    """All these values of a row; KeyError where one is missing."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)
