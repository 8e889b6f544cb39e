"""The judge of decision tables: written apart from the engine, by its specification alone, and slow.

It knows no FEEL: a cell is given as tests on values. Rows come as columns of whole numbers with marks of null; whatever is compared (numbers at a
scale, days, codes of texts, 0 and 1) is a whole number here. It imports nothing of the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Three = tuple[Array, Array]
"""Where a test is true, and where it cannot be said."""


@dataclass(frozen=True, slots=True)
class Test:
    """One test: a sign and a number (None is null), or `in` with two ends. An end is a number and whether it belongs."""

    sign: str
    number: int | None = None
    low: tuple[int, bool] = (0, True)
    high: tuple[int, bool] = (0, True)


@dataclass(frozen=True, slots=True)
class Cell:
    """Tests of which one must be true; none at all lets everything pass."""

    tests: tuple[Test, ...] = ()
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A table as the judge knows it. `listed` are the values of each output in order of priority."""

    policy: str
    gather: str
    cells: tuple[tuple[Cell, ...], ...]
    outputs: tuple[str, ...]
    results: tuple[tuple[object, ...], ...]
    listed: tuple[tuple[object, ...] | None, ...] = ()
    default: tuple[object, ...] | None = None


def hits(table: Judged, columns: Sequence[Array], nulls: Sequence[Array]) -> Array:
    """Which rules fire: (rules, rows) of yes and no. A rule fires where every cell is true."""
    n = len(columns[0]) if columns else 1
    told = np.ones((len(table.cells), n), bool)
    for number, rule in enumerate(table.cells):
        for cell, values, null in zip(rule, columns, nulls, strict=True):
            if cell.tests:
                told[number] &= _cell(cell, values, null)[0]
    return told


def _cell(cell: Cell, values: Array, null: Array) -> Three:
    yes, open_ = np.zeros(len(values), bool), np.zeros(len(values), bool)
    for test in cell.tests:
        true, unknown = _test(test, values, null)
        yes |= true
        open_ |= unknown
    open_ &= ~yes
    return (~yes & ~open_, open_) if cell.is_negated else (yes, open_)


def _test(test: Test, values: Array, null: Array) -> Three:
    never = np.zeros(len(values), bool)
    if test.sign in {"=", "!="}:
        equal = null.copy() if test.number is None else ~null & (values == test.number)
        return (equal if test.sign == "=" else ~equal), never
    if test.sign == "in":
        above = values >= test.low[0] if test.low[1] else values > test.low[0]
        below = values <= test.high[0] if test.high[1] else values < test.high[0]
        return ~null & above & below, null
    number = 0 if test.number is None else test.number
    true = {"<": values < number, "<=": values <= number, ">": values > number, ">=": values >= number}[test.sign]
    return ~null & true, null


def settled(table: Judged, fired: Sequence[int]) -> tuple[object, list[int]]:
    """What the hit policy makes of the rules that fired (from 0, in order of the table): the value, and the rules that make it."""
    chosen = list(fired)
    if table.policy == "UNIQUE" and len(chosen) > 1:
        return None, []
    if table.policy == "ANY" and any(table.results[one] != table.results[chosen[0]] for one in chosen):
        return None, []
    if table.policy in {"PRIORITY", "OUTPUT ORDER"}:
        chosen.sort(key=lambda one: _rank(table, one))
    if table.policy in {"FIRST", "PRIORITY"}:
        chosen = chosen[:1]
    if not chosen:
        return _nothing(table), []
    values = [_formed(table, table.results[one]) for one in chosen]
    if table.policy not in {"RULE ORDER", "OUTPUT ORDER", "COLLECT"}:
        return values[0], chosen
    return (_gathered(table.gather, values) if table.gather else values), chosen


def _rank(table: Judged, rule: int) -> tuple[int, ...]:
    """Column by column from the left; what is not listed comes last."""
    told = []
    for listed, value in zip(table.listed, table.results[rule], strict=True):
        told.append(listed.index(value) if listed and value in listed else len(listed or ()))
    return tuple(told)


def _formed(table: Judged, result: tuple[object, ...]) -> object:
    return result[0] if len(table.outputs) == 1 else dict(zip(table.outputs, result, strict=True))


def _nothing(table: Judged) -> object:
    if table.default is None:
        return 0 if table.gather == "COUNT" else None
    value = _formed(table, table.default)
    return [value] if table.policy in {"RULE ORDER", "OUTPUT ORDER", "COLLECT"} and not table.gather else value


def _gathered(how: str, values: list[Any]) -> object:
    if how == "COUNT":
        return len(values)
    if any(one is None for one in values):
        return None
    if how == "SUM":
        return sum(values)
    return min(values) if how == "MIN" else max(values)
