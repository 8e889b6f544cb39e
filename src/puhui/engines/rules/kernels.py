"""Run a program with numba: one generic loop, compiled once per installation and kept. No code is made for a model.

The loop and `plain.run` give the same bits. No fastmath, no contraction: everything here is integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]
BLOCK = 256
"""Rows that are decided together: their registers stay in the cache."""
BUCKETS_MAX = 4096
PLACES = np.zeros(64, np.int64)
"""Where a single bit stands, by the top six bits of its product with a de Bruijn number."""
for _place in range(64):
    PLACES[((1 << _place) * 0x022FDD63CC95386D & 0xFFFFFFFFFFFFFFFF) >> 58] = _place


@njit(cache=True, nogil=True)
def _rows_of(
    lookup: int, n: int, values: Array, nulls: Array, out: Array, lookups: Array, starts: Array, rows: Array, buckets: Array, bucket: Array
) -> None:
    """Write what the class of each of n values stands for. A bucket says at which class its values begin; few steps are left from there.

    All that belongs to the lookup is read once: the loop itself touches five flat arrays.
    """
    first_row, number, first = lookups[lookup, 4], lookups[lookup, 3], lookups[lookup, 2]
    of_null = rows[first_row + lookups[lookup, 5] - 1]
    if lookups[lookup, 1]:
        for row in range(n):
            out[row] = of_null if nulls[row] else rows[first_row + values[row]]
        return
    below, above = rows[first_row], rows[first_row + number]
    if number == 0:
        for row in range(n):
            out[row] = of_null if nulls[row] else below
        return
    low, high, begin, shift = starts[first], starts[first + number - 1], buckets[lookup, 0], buckets[lookup, 1]
    for row in range(n):
        value = values[row]
        if nulls[row]:
            out[row] = of_null
        elif value < low:
            out[row] = below
        elif value >= high:
            out[row] = above
        else:
            place = bucket[begin + np.int64((np.uint64(value) - np.uint64(low)) >> np.uint64(shift))]
            if shift:
                while starts[first + place] <= value:
                    place += 1
            out[row] = rows[first_row + place]


@njit(cache=True, nogil=True, inline="always")
def _row_of_one(lookup: int, value: Any, null: Any, lookups: Array, starts: Array, rows: Array, buckets: Array, bucket: Array) -> Any:
    """What the class of one value stands for: `_rows_of` without views of arrays, whose cost a single row would feel."""
    first_row, number, first = lookups[lookup, 4], lookups[lookup, 3], lookups[lookup, 2]
    place = lookups[lookup, 5] - 1
    if not null:
        if lookups[lookup, 1]:
            place = value
        elif number == 0 or value < starts[first]:
            place = 0
        elif value >= starts[first + number - 1]:
            place = number
        else:
            place = bucket[buckets[lookup, 0] + np.int64((np.uint64(value) - np.uint64(starts[first])) >> np.uint64(buckets[lookup, 1]))]
            while starts[first + place] <= value:
                place += 1
    return rows[first_row + place]


@njit(cache=True, nogil=True, inline="always")
def _lowest(word: Any) -> Any:
    """The place of the lowest bit that is set; the word is not 0."""
    return PLACES[((word & (~word + np.uint64(1))) * np.uint64(0x022FDD63CC95386D)) >> np.uint64(58)]


@njit(cache=True, nogil=True, inline="always")
def _settle(number: int, places: Array, row: int, fired: Array, tables: Array, masks: Array, groups: Array) -> Any:
    """The code of one table for one row, once the places of its masks are known."""
    count, words, mode = tables[number, 1], tables[number, 2], tables[number, 3]
    rules, kept = tables[number, 4], tables[number, 6]
    code = 0
    group = -1
    for word in range(words):
        live = np.uint64(0xFFFFFFFFFFFFFFFF)
        if word == words - 1 and rules % 64:
            live = (np.uint64(1) << np.uint64(rules % 64)) - np.uint64(1)
        for one in range(count):
            live &= masks[places[one, row] + word]
        if kept >= 0:
            fired[kept + word, row] = live
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


@njit(cache=True, nogil=True, inline="always")
def _table(
    number: int,
    n: int,
    registers: Array,
    marks: Array,
    codes: Array,
    fired: Array,
    places: Array,
    lookups: Array,
    starts: Array,
    rows: Array,
    tables: Array,
    masks: Array,
    groups: Array,
    buckets: Array,
    bucket: Array,
) -> None:
    """Decide one table for a block of rows. `places` (lookups, rows) is room for the places of the masks."""
    first, count, words = tables[number, 0], tables[number, 1], tables[number, 2]
    kept, rules = tables[number, 6], tables[number, 4]
    is_wrong = False
    for one in range(count if n == 1 else 0):
        lookup = first + one
        register = lookups[lookup, 0]
        found = _row_of_one(lookup, registers[register, 0], marks[register, 0], lookups, starts, rows, buckets, bucket)
        is_wrong |= found < 0
        places[one, 0] = lookups[lookup, 6] + found * words if found >= 0 else -1
    for one in range(0 if n == 1 else count):
        lookup = first + one
        register, start = lookups[lookup, 0], lookups[lookup, 6]
        own = places[one]
        _rows_of(lookup, n, registers[register], marks[register], own, lookups, starts, rows, buckets, bucket)
        for row in range(n):
            is_wrong |= own[row] < 0
            own[row] = start + own[row] * words if own[row] >= 0 else -1
    if words == 1 and n > 1 and tables[number, 3] == 0 and not is_wrong:
        whole = np.uint64(0xFFFFFFFFFFFFFFFF)
        if rules % 64:
            whole = (np.uint64(1) << np.uint64(rules % 64)) - np.uint64(1)
        lives = places[len(places) - 1].view(np.uint64)
        for row in range(n):
            lives[row] = whole
        for one in range(count):
            own = places[one]
            for row in range(n):
                lives[row] &= masks[own[row]]
        told = codes[number]
        for row in range(n):
            live = lives[row]
            bit = live & (~live + np.uint64(1))
            told[row] = PLACES[(bit * np.uint64(0x022FDD63CC95386D)) >> np.uint64(58)] + 1 if live else 0
        return
    if tables[number, 3] == 0 and not is_wrong and words:
        last = words - 1
        whole = np.uint64(0xFFFFFFFFFFFFFFFF)
        if rules % 64:
            whole = (np.uint64(1) << np.uint64(rules % 64)) - np.uint64(1)
        for row in range(n):
            code = 0
            for word in range(words):
                live = whole if word == last else np.uint64(0xFFFFFFFFFFFFFFFF)
                for one in range(count):
                    live &= masks[places[one, row] + word]
                if live:
                    bit = live & (~live + np.uint64(1))
                    code = word * 64 + PLACES[(bit * np.uint64(0x022FDD63CC95386D)) >> np.uint64(58)] + 1
                    break
            codes[number, row] = code
        return
    for row in range(n):
        wrong = False
        for one in range(count):
            wrong |= places[one, row] < 0
        if wrong:
            codes[number, row] = -2
            if kept >= 0:
                for word in range(words):
                    fired[kept + word, row] = np.uint64(0)
        else:
            codes[number, row] = _settle(number, places, row, fired, tables, masks, groups)


@njit(cache=True, nogil=True)
def _gather(
    how: int,
    table: int,
    output: int,
    code: int,
    row: int,
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
        left = fired[tables[table, 6] + word, row]
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
        return count, broken
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
    n: int,
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
    buckets: Array,
    bucket: Array,
) -> None:
    """Decide a block of n rows. `registers` and `marks` (registers, rows) begin with the inputs; all four are written."""
    for step in range(len(steps)):
        op, dst, a, b, c = steps[step, 0], steps[step, 1], steps[step, 2], steps[step, 3], steps[step, 4]
        if op == 0:
            _table(a, n, registers, marks, codes, fired, places, lookups, starts, rows, tables, masks, groups, buckets, bucket)
        elif op == 1:
            for row in range(n):
                registers[dst, row], marks[dst, row] = constants[a], b != 0
        elif op == 2:
            for row in range(n):
                null = marks[a, row] | marks[b, row]
                marks[dst, row] = null
                registers[dst, row] = 0 if null else registers[a, row] + registers[b, row]
        elif op == 3:
            for row in range(n):
                null = marks[a, row] | marks[b, row]
                marks[dst, row] = null
                registers[dst, row] = 0 if null else registers[a, row] - registers[b, row]
        elif op == 4:
            for row in range(n):
                null = marks[a, row] | marks[b, row]
                marks[dst, row] = null
                registers[dst, row] = 0 if null else registers[a, row] * registers[b, row]
        elif op == 5:
            by = constants[b]
            for row in range(n):
                marks[dst, row] = marks[a, row]
                registers[dst, row] = registers[a, row] * by
        elif op == 6:
            for row in range(n):
                null = marks[a, row] | marks[b, row]
                if c < 2 and null:
                    registers[dst, row], marks[dst, row] = (marks[a, row] & marks[b, row]) == (c == 0), False
                else:
                    registers[dst, row] = 0 if null else _compare(registers[a, row], registers[b, row], c)
                    marks[dst, row] = null
        elif op == 7:
            for row in range(n):
                no = (not marks[a, row] and registers[a, row] == 0) or (not marks[b, row] and registers[b, row] == 0)
                null = not no and (marks[a, row] or marks[b, row])
                registers[dst, row], marks[dst, row] = not no and not null, null
        elif op == 8:
            for row in range(n):
                yes = (not marks[a, row] and registers[a, row] == 1) or (not marks[b, row] and registers[b, row] == 1)
                registers[dst, row], marks[dst, row] = yes, not yes and (marks[a, row] or marks[b, row])
        elif op == 9:
            for row in range(n):
                marks[dst, row] = marks[a, row]
                registers[dst, row] = 0 if marks[a, row] else 1 - registers[a, row]
        elif op == 10:
            if n == 1:
                places[0, 0] = _row_of_one(a, registers[lookups[a, 0], 0], marks[lookups[a, 0], 0], lookups, starts, rows, buckets, bucket)
            else:
                _rows_of(a, n, registers[lookups[a, 0]], marks[lookups[a, 0]], places[0], lookups, starts, rows, buckets, bucket)
            for row in range(n):
                registers[dst, row], marks[dst, row] = places[0, row] == 1, places[0, row] == 2
        elif op == 11:
            for row in range(n):
                taken = b if not marks[a, row] and registers[a, row] == 1 else c
                registers[dst, row], marks[dst, row] = registers[taken, row], marks[taken, row]
        elif op == 12:
            _rows_of(b, n, registers[lookups[b, 0]], marks[lookups[b, 0]], places[0], lookups, starts, rows, buckets, bucket)
            for row in range(n):
                null = marks[a, row] or places[0, row] == 0
                registers[dst, row], marks[dst, row] = 0 if null else registers[a, row], null
        elif op == 13:
            for row in range(n):
                place = outputs[b, 0] + codes[a, row] + 2
                null = nulls[place] != 0
                registers[dst, row], marks[dst, row] = 0 if null else answers[place], null
        else:
            for row in range(n):
                value, null = _gather(c, a, b, codes[a, row], row, fired, tables, outputs, answers, nulls)
                registers[dst, row], marks[dst, row] = 0 if null else value, null


@njit(cache=True, nogil=True)
def decide_all(
    values: Array,
    given_nulls: Array,
    kept: Array,
    kept_nulls: Array,
    all_codes: Array,
    all_fired: Array,
    keeps: Array,
    registers_number: int,
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
    buckets: Array,
    bucket: Array,
) -> None:
    """Decide many rows, a block at a time. `keeps` names the registers whose values are wanted; they are written to `kept`."""
    registers = np.zeros((registers_number, BLOCK), np.int64)
    marks = np.zeros((registers_number, BLOCK), np.bool_)
    codes = np.zeros((len(tables), BLOCK), np.int32)
    fired = np.zeros((len(all_fired), BLOCK), np.uint64)
    places = np.zeros((len(lookups) + 1, BLOCK), np.int64)
    total = values.shape[1]
    for start in range(0, total, BLOCK):
        n = min(BLOCK, total - start)
        for column in range(values.shape[0]):
            for row in range(n):
                registers[column, row] = values[column, start + row]
                marks[column, row] = given_nulls[column, start + row]
        decide(
            n, registers, marks, codes, fired, places,
            steps, constants, lookups, starts, rows, tables, masks, groups, answers, nulls, outputs, buckets, bucket,
        )  # fmt: skip
        for one in range(len(codes)):
            for row in range(n):
                all_codes[one, start + row] = codes[one, row]
        for one in range(len(fired)):
            for row in range(n):
                all_fired[one, start + row] = fired[one, row]
        for one in range(len(keeps)):
            for row in range(n):
                kept[one, start + row] = registers[keeps[one], row]
                kept_nulls[one, start + row] = marks[keeps[one], row]


ORDER = ("steps", "constants", "lookups", "starts", "rows", "tables", "masks", "groups", "answers", "answer_nulls", "outputs")
"""In which order the loops take the arrays of a program."""


def arranged(lookups: Array, starts: Array) -> tuple[Array, Array]:
    """Buckets over the break points of every ordered lookup: (place, shift) of each, and at which class each bucket begins."""
    buckets = np.zeros((len(lookups), 2), np.int64)
    told: list[Array] = []
    length = 0
    for number, (_, is_direct, first, count, _, _, _) in enumerate(lookups.tolist()):
        if is_direct or count == 0:
            continue
        own = starts[first : first + count]
        width = int(own[-1]) - int(own[0])
        shift = max(0, (width // BUCKETS_MAX).bit_length())
        begins = [int(own[0]) + (place << shift) for place in range((width >> shift) + 1)]
        buckets[number] = length, shift
        told.append(np.searchsorted(own, np.array(begins, np.int64), side="right"))
        length += len(begins)
    return buckets, np.concatenate([np.zeros(0, np.int64), *told]).astype(np.int64)
