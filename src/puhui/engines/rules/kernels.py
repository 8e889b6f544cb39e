"""Run a program with numba: one generic loop, compiled once per installation and kept. No code is made for a model.

The loop and `plain.run` give the same bits. No fastmath, no contraction: everything here is integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


@njit(cache=True, nogil=True)
def _row_of(lookup: int, registers: Array, marks: Array, lookups: Array, starts: Array, rows: Array) -> Any:
    """What the class of a register stands for."""
    register = lookups[lookup, 0]
    last = lookups[lookup, 4] + lookups[lookup, 5] - 1
    if marks[register]:
        return rows[last]
    value = registers[register]
    if lookups[lookup, 1]:
        return rows[lookups[lookup, 4] + value]
    low = lookups[lookup, 2]
    first = low
    high = low + lookups[lookup, 3]
    while low < high:
        middle = (low + high) >> 1
        if starts[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return rows[lookups[lookup, 4] + low - first]


@njit(cache=True, nogil=True)
def _lowest(word: Any) -> Any:
    """The place of the lowest bit that is set; the word is not 0."""
    place = 0
    if word & np.uint64(0xFFFFFFFF) == 0:
        word >>= np.uint64(32)
        place += 32
    if word & np.uint64(0xFFFF) == 0:
        word >>= np.uint64(16)
        place += 16
    if word & np.uint64(0xFF) == 0:
        word >>= np.uint64(8)
        place += 8
    if word & np.uint64(0xF) == 0:
        word >>= np.uint64(4)
        place += 4
    if word & np.uint64(0x3) == 0:
        word >>= np.uint64(2)
        place += 2
    if word & np.uint64(0x1) == 0:
        place += 1
    return place


@njit(cache=True, nogil=True)
def _table(
    number: int,
    registers: Array,
    marks: Array,
    fired: Array,
    places: Array,
    lookups: Array,
    starts: Array,
    rows: Array,
    tables: Array,
    masks: Array,
    groups: Array,
) -> Any:
    """Decide one table for one row; give its code. `places` is room for the masks' places."""
    first, count, words, mode = tables[number, 0], tables[number, 1], tables[number, 2], tables[number, 3]
    rules, kept = tables[number, 4], tables[number, 6]
    for one in range(count):
        row = _row_of(first + one, registers, marks, lookups, starts, rows)
        if row < 0:
            if kept >= 0:
                for word in range(words):
                    fired[kept + word] = np.uint64(0)
            return -2
        places[one] = lookups[first + one, 6] + row * words
    code = 0
    group = -1
    for word in range(words):
        live = np.uint64(0xFFFFFFFFFFFFFFFF)
        if word == words - 1 and rules % 64:
            live = (np.uint64(1) << np.uint64(rules % 64)) - np.uint64(1)
        for one in range(count):
            live &= masks[places[one] + word]
            if live == 0:
                break
        if kept >= 0:
            fired[kept + word] = live
        if live == 0:
            continue
        if code == 0:
            code = word * 64 + _lowest(live) + 1
            if mode == 0:
                return code
        elif mode == 1:
            return -1
        if mode == 1 and live & (live - np.uint64(1)):
            return -1
        if mode == 2:
            left = live
            while left:
                mine = groups[tables[number, 7] + word * 64 + _lowest(left)]
                if group < 0:
                    group = mine
                elif mine != group:
                    code = -1
                left &= left - np.uint64(1)
    return code


@njit(cache=True, nogil=True)
def _gather(
    how: int,
    table: int,
    output: int,
    code: int,
    fired: Array,
    tables: Array,
    outputs: Array,
    answers: Array,
    nulls: Array,
) -> tuple[Any, Any]:
    """Gather the answers of all rules that fired; give the number and whether it is null."""
    start = outputs[output, 0]
    if code <= 0:
        return answers[start + code + 2], nulls[start + code + 2] != 0
    total, begun, broken = np.int64(0), False, False
    count = np.int64(0)
    for word in range(tables[table, 2]):
        left = fired[tables[table, 6] + word]
        while left:
            place = start + word * 64 + _lowest(left) + 3
            answer = answers[place]
            broken |= nulls[place] != 0
            if how == 1:
                total += answer
            elif not begun or (how == 2 and answer < total) or (how == 3 and answer > total):
                total = answer
            begun = True
            count += 1
            left &= left - np.uint64(1)
    if how == 4:
        return count, False
    return total, broken


@njit(cache=True, nogil=True)
def _compare(left: Any, right: Any, sign: int) -> Any:
    if sign == 0:
        return left == right
    if sign == 1:
        return left != right
    if sign == 2:
        return left < right
    if sign == 3:
        return left <= right
    if sign == 4:
        return left > right
    return left >= right


@njit(cache=True, nogil=True)
def decide(
    registers: Array,
    marks: Array,
    codes: Array,
    fired: Array,
    places: Array,
    steps: Array,
    constants: Array,
    lookups: Array,
    starts: Array,
    rows: Array,
    tables: Array,
    masks: Array,
    groups: Array,
    answers: Array,
    nulls: Array,
    outputs: Array,
) -> None:
    """Decide one row. `registers` and `marks` begin with the inputs; all four are written."""
    for step in range(len(steps)):
        op, dst, a, b, c = steps[step, 0], steps[step, 1], steps[step, 2], steps[step, 3], steps[step, 4]
        value: Any = np.int64(0)
        null = False
        if op == 0:
            codes[a] = _table(a, registers, marks, fired, places, lookups, starts, rows, tables, masks, groups)
            continue
        if op == 1:
            value, null = constants[a], b != 0
        elif op == 2:
            value, null = registers[a] + registers[b], marks[a] or marks[b]
        elif op == 3:
            value, null = registers[a] - registers[b], marks[a] or marks[b]
        elif op == 4:
            value, null = registers[a] * registers[b], marks[a] or marks[b]
        elif op == 5:
            value, null = registers[a] * constants[b], marks[a]
        elif op == 6:
            null = marks[a] or marks[b]
            if c < 2 and null:
                value, null = np.int64((marks[a] and marks[b]) == (c == 0)), False
            else:
                value = np.int64(_compare(registers[a], registers[b], c))
        elif op == 7:
            no = (not marks[a] and registers[a] == 0) or (not marks[b] and registers[b] == 0)
            null = not no and (marks[a] or marks[b])
            value = np.int64(not no and not null)
        elif op == 8:
            yes = (not marks[a] and registers[a] == 1) or (not marks[b] and registers[b] == 1)
            null = not yes and (marks[a] or marks[b])
            value = np.int64(yes)
        elif op == 9:
            value, null = 1 - registers[a], marks[a]
        elif op == 10:
            found = _row_of(a, registers, marks, lookups, starts, rows)
            value, null = np.int64(found == 1), found == 2
        elif op == 11:
            taken = b if not marks[a] and registers[a] == 1 else c
            value, null = registers[taken], marks[taken]
        elif op == 12:
            value, null = registers[a], marks[a] or _row_of(b, registers, marks, lookups, starts, rows) == 0
        elif op == 13:
            place = outputs[b, 0] + codes[a] + 2
            value, null = answers[place], nulls[place] != 0
        else:
            value, null = _gather(c, a, b, codes[a], fired, tables, outputs, answers, nulls)
        registers[dst] = np.int64(0) if null else value
        marks[dst] = null


@njit(cache=True, nogil=True)
def decide_all(
    values: Array,
    given_nulls: Array,
    kept: Array,
    kept_nulls: Array,
    all_codes: Array,
    all_fired: Array,
    keeps: Array,
    steps: Array,
    constants: Array,
    lookups: Array,
    starts: Array,
    rows: Array,
    tables: Array,
    masks: Array,
    groups: Array,
    answers: Array,
    nulls: Array,
    outputs: Array,
    registers_number: int,
) -> None:
    """Decide many rows. `keeps` names the registers whose values are wanted; they are written to `kept`, one row each."""
    registers = np.zeros(registers_number, np.int64)
    marks = np.zeros(registers_number, np.bool_)
    codes = np.zeros(len(tables), np.int32)
    fired = np.zeros(len(all_fired), np.uint64)
    places = np.zeros(len(lookups) + 1, np.int64)
    for row in range(values.shape[1]):
        for column in range(values.shape[0]):
            registers[column] = values[column, row]
            marks[column] = given_nulls[column, row]
        decide(registers, marks, codes, fired, places, steps, constants, lookups, starts, rows, tables, masks, groups, answers, nulls, outputs)
        for one in range(len(codes)):
            all_codes[one, row] = codes[one]
        for one in range(len(fired)):
            all_fired[one, row] = fired[one]
        for one in range(len(keeps)):
            kept[one, row] = registers[keeps[one]]
            kept_nulls[one, row] = marks[keeps[one]]


ORDER = ("steps", "constants", "lookups", "starts", "rows", "tables", "masks", "groups", "answers", "answer_nulls", "outputs")
"""In which order the loops take the arrays of a program."""
