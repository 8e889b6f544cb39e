"""Run a program over many rows with numba: generic loops, compiled once per installation and kept. No code is made for a model.

The loops and `plain.run` give the same bits. No fastmath, no contraction. Null is one number, `NULL`, so that loops have no branches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

from puhui.engines.rules.schema import NULL as NO_VALUE

Array = np.ndarray[Any, Any]
BLOCK = 512
"""Rows that are decided together: their registers stay in the cache."""
NULL = np.int64(NO_VALUE)
ROUNDER = 1.5 * 2.0**52


def _lowest(_: Any, word: Any) -> Any:  # noqa: ARG001  (numba asks for the name)
    def made(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), made


lowest: Any = intrinsic(_lowest)
"""The place of the lowest bit that is set in an int64; 64 where none is."""


@njit(cache=True, nogil=True)
def _classify(group: int, n: int, values: Array, out: Array, groups: Array, starts: Array, buckets: Array) -> None:
    """Write the class of each of n values."""
    null = groups[group, 8]
    if groups[group, 1]:
        for row in range(n):
            out[row] = null if values[row] == NULL else values[row]
        return
    low, high, shift, number = groups[group, 2], groups[group, 3], groups[group, 5], groups[group, 7]
    if number == 0:
        for row in range(n):
            out[row] = 1 if values[row] == NULL else 0
        return
    own = buckets[groups[group, 4] :]
    if shift == 0:
        for row in range(n):
            value = min(max(values[row], low), high)
            out[row] = null if values[row] == NULL else own[value - low]
        return
    begins = starts[groups[group, 6] : groups[group, 6] + number]
    for row in range(n):
        value = min(max(values[row], low), high)
        place = np.int64(own[np.int64((np.uint64(value) - np.uint64(low)) >> np.uint64(shift))])
        while place < number and begins[place] <= value:
            place += 1
        out[row] = null if values[row] == NULL else place


@njit(cache=True, nogil=True)
def _narrow(table: int, n: int, classes: Array, lives: Array, uses: Array, maps: Array, tables: Array) -> None:
    """The rules that fire of a table of at most 64, as the bits of one word a row."""
    first, count, whole = tables[table, 0], tables[table, 1], tables[table, 6]
    if count == 0:
        for row in range(n):
            lives[row] = whole
        return
    for one in range(count):
        use = first + one
        own, mine = maps[uses[use, 1] :], classes[uses[use, 0]]
        if one == 0:
            for row in range(n):
                lives[row] = own[mine[row]] & whole
        else:
            for row in range(n):
                lives[row] &= own[mine[row]]


@njit(cache=True, nogil=True)
def _mark(table: int, n: int, classes: Array, wrong: Array, uses: Array, maps: Array, tables: Array) -> bool:
    """Mark the rows with an input that a column does not allow; False where no column forbids any."""
    first, is_any = tables[table, 0], False
    for use in range(first, first + tables[table, 1]):
        if uses[use, 3] >= 0:
            if not is_any:
                wrong[:n] = False
            is_any = True
            own, mine = maps[uses[use, 3] :], classes[uses[use, 0]]
            for row in range(n):
                wrong[row] |= own[mine[row]] != 0
    return is_any


@njit(cache=True, nogil=True)
def _first_of_many(table: int, n: int, classes: Array, told: Array, offsets: Array, uses: Array, maps: Array, tables: Array) -> None:
    """The first rule of a table of more than 64: four words at a time, until one of them fires. `offsets` (columns, rows) is room."""
    first, count, words = tables[table, 0], tables[table, 1], tables[table, 2]
    for one in range(count):
        start, stride, mine, own = uses[first + one, 1], uses[first + one, 2], classes[uses[first + one, 0]], offsets[one]
        for row in range(n):
            own[row] = start + np.int64(mine[row]) * stride
    for row in range(n):
        code = 0
        for word in range(0, words, 4):
            live_0 = live_1 = live_2 = live_3 = np.int64(-1)
            for one in range(count):
                place = offsets[one, row] + word
                live_0 &= maps[place]
                live_1 &= maps[place + 1]
                live_2 &= maps[place + 2]
                live_3 &= maps[place + 3]
            if live_0 | live_1 | live_2 | live_3:
                live, at = live_3, 193
                if live_2:
                    live, at = live_2, 129
                if live_1:
                    live, at = live_1, 65
                if live_0:
                    live, at = live_0, 1
                code = word * 64 + at + lowest(live)
                break
        told[row] = code


@njit(cache=True, nogil=True)
def _settle(table: int, row: int, classes: Array, fired: Array, uses: Array, maps: Array, tables: Array, alike: Array) -> Any:
    """The code of one table for one row, by its policy; the words of all that fired are left in `fired` where they are kept."""
    first, count, words, mode, kept = tables[table, 0], tables[table, 1], tables[table, 2], tables[table, 3], tables[table, 4]
    code, group = 0, -1
    for word in range(words):
        live = tables[table, 6] if word == words - 1 else np.int64(-1)
        for use in range(first, first + count):
            live &= maps[uses[use, 1] + classes[uses[use, 0], row] * uses[use, 2] + word]
        if kept >= 0:
            fired[kept + word, row] = np.uint64(live)
        if live == 0:
            continue
        if code == 0:
            code = word * 64 + lowest(live) + 1
            if mode == 0:
                return code
        elif mode == 1:
            return -1
        if mode == 1 and live & (live - 1):
            return -1
        while mode == 2 and live:
            mine = alike[tables[table, 5] + word * 64 + lowest(live)]
            if group < 0:
                group = mine
            elif mine != group:
                code = -1
            live &= live - 1
    return code


@njit(cache=True, nogil=True)
def _table(
    table: int, n: int, classes: Array, codes: Array, fired: Array, lives: Array, wrong: Array, offsets: Array,
    uses: Array, maps: Array, tables: Array, alike: Array,
) -> None:  # fmt: skip
    """Decide one table for a block of rows."""
    words, mode, kept = tables[table, 2], tables[table, 3], tables[table, 4]
    told = codes[table]
    is_marked = _mark(table, n, classes, wrong, uses, maps, tables)
    if mode == 0 and words == 1:
        _narrow(table, n, classes, lives, uses, maps, tables)
        for row in range(n):
            told[row] = lowest(lives[row]) + 1 if lives[row] else 0
    elif mode == 0 and tables[table, 1]:
        _first_of_many(table, n, classes, told, offsets, uses, maps, tables)
    else:
        for row in range(n):
            told[row] = _settle(table, row, classes, fired, uses, maps, tables, alike)
    if is_marked:
        for row in range(n):
            if wrong[row]:
                told[row] = -2
                for word in range(words if kept >= 0 else 0):
                    fired[kept + word, row] = np.uint64(0)


@njit(cache=True, nogil=True)
def _gather(how: int, table: int, output: int, code: int, row: int, fired: Array, tables: Array, outputs: Array, answers: Array, nulls: Array) -> Any:
    """Gather the answers of all rules that fired; NULL for null."""
    start = outputs[output, 0] + 2
    if code <= 0:
        return NULL if nulls[start + code] else answers[start + code]
    total, count, broken = np.int64(0), np.int64(0), False
    for word in range(tables[table, 2]):
        live = np.int64(fired[tables[table, 4] + word, row])
        while live:
            place = start + word * 64 + lowest(live) + 1
            answer = answers[place]
            broken |= nulls[place] != 0
            if how == 1:
                total += answer
            elif count == 0 or (how == 2 and answer < total) or (how == 3 and answer > total):
                total = answer
            count += 1
            live &= live - 1
    if broken:
        return NULL
    return count if how == 4 else total


@njit(cache=True, nogil=True)
def _add(n: int, out: Array, left: Array, right: Array) -> None:
    for row in range(n):
        out[row] = NULL if (left[row] == NULL) | (right[row] == NULL) else left[row] + right[row]


@njit(cache=True, nogil=True)
def _subtract(n: int, out: Array, left: Array, right: Array) -> None:
    for row in range(n):
        out[row] = NULL if (left[row] == NULL) | (right[row] == NULL) else left[row] - right[row]


@njit(cache=True, nogil=True)
def _multiply(n: int, out: Array, left: Array, right: Array) -> None:
    for row in range(n):
        out[row] = NULL if (left[row] == NULL) | (right[row] == NULL) else left[row] * right[row]


@njit(cache=True, nogil=True)
def _scale(n: int, out: Array, left: Array, by: int) -> None:
    for row in range(n):
        out[row] = NULL if left[row] == NULL else left[row] * by


@njit(cache=True, nogil=True)
def _compare(n: int, out: Array, left: Array, right: Array, sign: int) -> None:
    """Null equals null, and nothing else; an order with null is null."""
    if sign == 0:
        for row in range(n):
            out[row] = left[row] == right[row]
    elif sign == 1:
        for row in range(n):
            out[row] = left[row] != right[row]
    elif sign == 2:
        for row in range(n):
            out[row] = NULL if (left[row] == NULL) | (right[row] == NULL) else np.int64(left[row] < right[row])
    elif sign == 3:
        for row in range(n):
            out[row] = NULL if (left[row] == NULL) | (right[row] == NULL) else np.int64(left[row] <= right[row])
    elif sign == 4:
        for row in range(n):
            out[row] = NULL if (left[row] == NULL) | (right[row] == NULL) else np.int64(left[row] > right[row])
    else:
        for row in range(n):
            out[row] = NULL if (left[row] == NULL) | (right[row] == NULL) else np.int64(left[row] >= right[row])


@njit(cache=True, nogil=True)
def _and(n: int, out: Array, left: Array, right: Array) -> None:
    for row in range(n):
        known = NULL if (left[row] == NULL) | (right[row] == NULL) else np.int64(1)
        out[row] = np.int64(0) if (left[row] == 0) | (right[row] == 0) else known


@njit(cache=True, nogil=True)
def _or(n: int, out: Array, left: Array, right: Array) -> None:
    for row in range(n):
        known = NULL if (left[row] == NULL) | (right[row] == NULL) else np.int64(0)
        out[row] = np.int64(1) if (left[row] == 1) | (right[row] == 1) else known


@njit(cache=True, nogil=True)
def _not(n: int, out: Array, left: Array) -> None:
    for row in range(n):
        out[row] = NULL if left[row] == NULL else 1 - left[row]


@njit(cache=True, nogil=True)
def _look(n: int, out: Array, classes: Array, own: Array) -> None:
    for row in range(n):
        out[row] = own[classes[row]]


@njit(cache=True, nogil=True)
def _choose(n: int, out: Array, condition: Array, then: Array, other: Array) -> None:
    for row in range(n):
        out[row] = then[row] if condition[row] == 1 else other[row]


@njit(cache=True, nogil=True)
def _fit(n: int, out: Array, left: Array, classes: Array, own: Array) -> None:
    for row in range(n):
        out[row] = left[row] if own[classes[row]] else NULL


@njit(cache=True, nogil=True)
def _answer(n: int, out: Array, codes: Array, start: int, answers: Array, nulls: Array) -> None:
    for row in range(n):
        place = start + codes[row] + 2
        out[row] = NULL if nulls[place] else answers[place]


@njit(cache=True, nogil=True)
def _double(op: int, n: int, out: Array, left: Array, right: Array, b: int, c: int, constants: Array) -> None:
    """Steps of doubles, held as their bits. + 0.0 takes the sign from a zero, whose bits would be those of null."""
    one, other, told, cuts = left.view(np.float64), right.view(np.float64), out.view(np.float64), constants.view(np.float64)
    if op == 15:
        power = float(constants[b])
        for row in range(n):
            if left[row] == NULL:
                out[row] = NULL
            else:
                told[row] = np.float64(left[row]) / power
    elif op == 16:
        for row in range(n):
            if (left[row] == NULL) | (right[row] == NULL) | (other[row] == 0.0):
                out[row] = NULL
            else:
                told[row] = one[row] / other[row] + 0.0
    elif op == 17:
        for row in range(n):
            if (left[row] == NULL) | (right[row] == NULL):
                out[row] = NULL
            else:
                told[row] = one[row] * other[row] + 0.0
    else:
        for row in range(n):
            out[row] = _near(op, left[row], one[row], b, c, cuts)


@njit(cache=True, nogil=True)
def _near(op: int, bits: Any, value: Any, b: int, c: int, cuts: Array) -> Any:
    """Where a double lies among its break points (18), or whether it lies too close to one (19)."""
    if bits == NULL:
        return NULL if op == 18 else np.int64(0)
    told = np.int64(0)
    for place in range(b, b + c):
        if op == 18:
            told += value > cuts[place]
        elif not abs(value - cuts[place]) > cuts[b + c] * (abs(value) + abs(cuts[place])):
            return np.int64(1)
    return told


@njit(cache=True, nogil=True)
def _step(
    op: int, dst: int, a: int, b: int, c: int, n: int, registers: Array, codes: Array, fired: Array, classes: Array,
    constants: Array, uses: Array, maps: Array, tables: Array, answers: Array, nulls: Array, outputs: Array,
) -> None:  # fmt: skip
    """One step that writes a register."""
    out = registers[dst]
    if op == 10:
        _look(n, out, classes[uses[a, 0]], maps[uses[a, 1] :])
    elif op == 1:
        out[:n] = NULL if b else constants[a]
    elif op == 2:
        _add(n, out, registers[a], registers[b])
    elif op == 3:
        _subtract(n, out, registers[a], registers[b])
    elif op == 4:
        _multiply(n, out, registers[a], registers[b])
    elif op == 5:
        _scale(n, out, registers[a], constants[b])
    elif op == 6:
        _compare(n, out, registers[a], registers[b], c)
    elif op == 7:
        _and(n, out, registers[a], registers[b])
    elif op == 8:
        _or(n, out, registers[a], registers[b])
    elif op == 9:
        _not(n, out, registers[a])
    elif op == 11:
        _choose(n, out, registers[a], registers[b], registers[c])
    elif op == 12:
        _fit(n, out, registers[a], classes[uses[b, 0]], maps[uses[b, 1] :])
    elif op == 13:
        _answer(n, out, codes[a], outputs[b, 0], answers, nulls)
    elif op >= 15:
        _double(op, n, out, registers[a], registers[b if op < 18 and op > 15 else a], b, c, constants)
    else:
        for row in range(n):
            out[row] = _gather(c, a, b, codes[a, row], row, fired, tables, outputs, answers, nulls)


@njit(cache=True, nogil=True)
def decide_all(
    values: Array, first: int, kept: Array, all_codes: Array, all_fired: Array, keeps: Array, registers_number: int, wide: int,
    steps: Array, groups: Array, uses: Array, maps: Array, starts: Array, buckets: Array, tables: Array,
    constants: Array, alike: Array, answers: Array, nulls: Array, outputs: Array,
) -> None:  # fmt: skip
    """Decide many rows, a block at a time.

    values (columns, rows) int64 with NULL. Written, from row `first` on: kept (keeps, all), the registers that are wanted; all_codes
    (tables, all) int32; all_fired (words, all) uint64.
    """
    registers = np.zeros((registers_number, BLOCK), np.int64)
    codes, fired = np.zeros((len(tables), BLOCK), np.int32), np.zeros((len(all_fired), BLOCK), np.uint64)
    classes = np.zeros((len(groups), BLOCK), np.int32)
    lives, wrong, offsets = np.zeros(BLOCK, np.int64), np.zeros(BLOCK, np.bool_), np.zeros((wide, BLOCK), np.int64)
    total = values.shape[1]
    for start in range(0, total, BLOCK):
        n = min(BLOCK, total - start)
        for column in range(values.shape[0]):
            registers[column, :n] = values[column, start : start + n]
        for step in range(len(steps)):
            op, a = steps[step, 0], steps[step, 2]
            if op == 99:
                _classify(a, n, registers[groups[a, 0]], classes[a], groups, starts, buckets)
            elif op == 0:
                _table(a, n, classes, codes, fired, lives, wrong, offsets, uses, maps, tables, alike)
            else:
                _step(op, steps[step, 1], a, steps[step, 3], steps[step, 4], n, registers, codes, fired, classes,
                      constants, uses, maps, tables, answers, nulls, outputs)  # fmt: skip
        at = first + start
        for one in range(len(codes)):
            all_codes[one, at : at + n] = codes[one, :n]
        for one in range(len(fired)):
            all_fired[one, at : at + n] = fired[one, :n]
        for one in range(len(keeps)):
            kept[one, at : at + n] = registers[keeps[one], :n]


@njit(cache=True, nogil=True)
def read_floats(values: Array, power: float, bound: float, is_whole: bool, out: Array) -> bool:
    """Write doubles as whole numbers of a scale, NaN as NULL. False where some value must be looked at by itself; bound is below 2^50."""
    is_plain = True
    slack = 0.0 if is_whole else 0.499
    for row in range(len(values)):
        value = values[row]
        scaled = value * power
        whole = (scaled + ROUNDER) - ROUNDER  # beside so large a number a double has no places behind the point
        rest = abs(scaled - whole) + (0.0 if is_whole else abs(scaled) * 2.0**-51)
        is_fine = (abs(whole) <= bound) & (rest <= slack)
        out[row] = np.int64(whole) if is_fine else NULL
        is_plain &= is_fine | (value != value)  # noqa: PLR0124  (only a NaN differs from itself)
    return is_plain


@njit(cache=True, nogil=True)
def read_codes(indices: Array, valid: Array, places: Array, out: Array) -> None:
    """Write what each index stands for; where `valid` (a byte each, or nothing) is 0, the last of `places`."""
    if len(valid) == 0:
        for row in range(len(indices)):
            out[row] = places[indices[row]]
        return
    null = places[len(places) - 1]
    for row in range(len(indices)):
        out[row] = places[indices[row]] if valid[row] else null


@njit(cache=True, nogil=True)
def blank(valid: Array, out: Array) -> None:
    """Write NULL where `valid` is 0."""
    for row in range(len(valid)):
        out[row] = out[row] if valid[row] else NULL
