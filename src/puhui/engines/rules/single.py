"""Run a program for one row, over one flat array: no views, no blocks, nothing to unpack at the door.

`packed` lays the program out for it; `decide_one` gives the same bits as `kernels.decide`. No code is made for a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from puhui.engines.rules.kernels import PLACES, arranged
from puhui.engines.rules.program import Array, Op, Program

HEAD = 12
"""Fields of the head: inputs, registers, tables, start of steps, steps, start of inputs, constants, uses, tables, outputs; fired words; room for places."""
USE, TABLE = 8, 8
"""Fields of one use of a lookup, and of one table."""
DE_BRUIJN = np.uint64(0x022FDD63CC95386D)


def packed(program: Program, inputs: Sequence[tuple[int, float, float]]) -> Array:
    """The program as one array of int64. `inputs` says of each value that is given: its register, power (below 0: it must be whole), bound."""
    parts: list[Array] = []
    length = HEAD

    def put(part: Array) -> int:
        nonlocal length
        parts.append(np.ascontiguousarray(part).reshape(-1))
        length += parts[-1].size
        return length - parts[-1].size

    laid = _Laid(program, put)
    registers = put(np.array([one for one, _, _ in inputs], np.int64))
    put(np.array([[power, bound] for _, power, bound in inputs], np.float64).view(np.int64))
    constants = put(program["constants"].astype(np.int64))
    tables, steps, uses = laid.tables(), laid.steps(), laid.uses_put()
    outputs = laid.outputs()
    room = max([1, *program["tables"][:, 1].tolist()])
    head = [len(inputs), program.registers, len(program["tables"]), steps, len(program["steps"]), registers, constants, uses, tables, outputs, program.fired_words, room]
    return np.concatenate([np.array(head, np.int64), *parts])


class _Laid:
    """The parts of a program, put down one after another: what refers to another part holds its place in the whole."""

    def __init__(self, program: Program, put: Any) -> None:
        self.program, self.put = program, put
        self.buckets, bucket = arranged(program["lookups"], program["starts"])
        self.starts = put(program["starts"].astype(np.int64))
        self.bucket = put(bucket)
        self.masks = put(program["masks"].view(np.int64))
        self.groups = put(program["groups"].astype(np.int64))
        self.uses: list[list[int]] = []

    def use(self, lookup: int, words: int) -> int:
        """A lookup as one table or step uses it: its classes stand for places of masks (words > 0), or for answers."""
        register, is_direct, first, number, start, classes, mask = self.program["lookups"][lookup].tolist()
        rows = self.program["rows"][start : start + classes].astype(np.int64)
        if words:
            rows = np.where(rows >= 0, self.masks + mask + rows * words, -1)
        begin, shift = self.buckets[lookup].tolist()
        placed = self.put(rows)
        self.uses.append([register, is_direct, number, self.starts + first, placed, placed + classes - 1, self.bucket + begin, shift])
        return len(self.uses) - 1

    def tables(self) -> int:
        told = []
        for first, count, words, mode, rules, ranks, kept, groups in self.program["tables"].tolist():
            own = [self.use(lookup, words) for lookup in range(first, first + count)]
            last = (1 << (rules % 64)) - 1 if rules % 64 else -1
            placed = self.put(self.program["ranks"][ranks : ranks + rules].astype(np.int64) + 1)
            told.append([own[0] if own else 0, count, words, mode, placed, kept, self.groups + groups, last])
        return int(self.put(np.array(told, np.int64)))

    def steps(self) -> int:
        steps = self.program["steps"].astype(np.int64)
        for step in steps:
            if step[0] == Op.LOOK:
                step[2] = self.use(int(step[2]), 0)
            elif step[0] == Op.FIT:
                step[3] = self.use(int(step[3]), 0)
        return int(self.put(steps))

    def uses_put(self) -> int:
        return int(self.put(np.array(self.uses, np.int64)))

    def outputs(self) -> int:
        answers = self.put(self.program["answers"].astype(np.int64))
        nulls = self.put(self.program["answer_nulls"].astype(np.int64))
        told = [[answers + start, nulls + start] for start, _ in self.program["outputs"].tolist()]
        return int(self.put(np.array(told, np.int64)))


def room(program: Program) -> int:
    """How many int64 the answer of one row takes: registers, their nulls, codes, first rules, fired words, and places of masks."""
    columns: list[int] = program["tables"][:, 1].tolist()
    return 2 * program.registers + 2 * len(columns) + program.fired_words + max([1, *columns])


@njit(cache=True, nogil=True)
def _class_of(pack: Array, use: int, value: Any, null: Any) -> Any:
    """What the class of a value stands for."""
    if null:
        return pack[pack[use + 5]]
    rows, number = pack[use + 4], pack[use + 2]
    if pack[use + 1]:
        return pack[rows + value]
    starts = pack[use + 3]
    if number == 0 or value < pack[starts]:
        return pack[rows]
    if value >= pack[starts + number - 1]:
        return pack[rows + number]
    place = pack[pack[use + 6] + np.int64((np.uint64(value) - np.uint64(pack[starts])) >> np.uint64(pack[use + 7]))]
    while pack[starts + place] <= value:
        place += 1
    return pack[rows + place]


@njit(cache=True, nogil=True)
def _lowest(word: Any) -> Any:
    """The place of the lowest bit that is set; the word is not 0."""
    return PLACES[(np.uint64(word & -word) * DE_BRUIJN) >> np.uint64(58)]


@njit(cache=True, nogil=True)
def _table(pack: Array, out: Array, table: int, uses: int, fired: int, places: int, registers: int) -> Any:
    """The code of one table; the words of what fired are left in `out`."""
    count, words, mode, kept = pack[table + 1], pack[table + 2], pack[table + 3], pack[table + 5]
    wrong = False
    for one in range(count):
        use = uses + (pack[table] + one) * USE
        register = pack[use]
        found = _class_of(pack, use, out[register], out[registers + register])
        wrong |= found < 0
        out[places + one] = found
    if wrong:
        for word in range(words if kept >= 0 else 0):
            out[fired + kept + word] = 0
        return -2
    code, group = 0, -1
    for word in range(words):
        live = pack[table + 7] if word == words - 1 else -1
        for one in range(count):
            live &= pack[out[places + one] + word]
        if kept >= 0:
            out[fired + kept + word] = live
        if live == 0:
            continue
        if code == 0:
            code = word * 64 + _lowest(live) + 1
            if mode == 0:
                return code
        elif mode == 1:
            return -1
        if mode == 1 and live & (live - 1):
            return -1
        while mode == 2 and live:
            mine = pack[pack[table + 6] + word * 64 + _lowest(live)]
            if group < 0:
                group = mine
            elif mine != group:
                code = -1
            live &= live - 1
    return code


@njit(cache=True, nogil=True)
def _gather(pack: Array, out: Array, table: int, output: int, how: int, code: int, fired: int) -> tuple[Any, Any]:
    """Gather the answers of all rules that fired; give the number and whether it is null."""
    answers, nulls = pack[output] + 2, pack[output + 1] + 2
    if code <= 0:
        return pack[answers + code], pack[nulls + code] != 0
    total, count, broken = np.int64(0), np.int64(0), False
    for word in range(pack[table + 2]):
        live = out[fired + pack[table + 5] + word]
        while live:
            place = word * 64 + _lowest(live) + 1
            answer = pack[answers + place]
            broken |= pack[nulls + place] != 0
            if how == 1:
                total += answer
            elif count == 0 or (how == 2 and answer < total) or (how == 3 and answer > total):
                total = answer
            count += 1
            live &= live - 1
    if how == 4:
        return count, broken
    return total, broken


@njit(cache=True, nogil=True)
def _read(pack: Array, given: Array, out: Array) -> bool:
    """Write what is given into the first registers; False where a value is not plainly the nearest whole number of its scale."""
    fields, registers, at = pack[0], pack[1], pack[5]
    scales = pack[at + fields : at + 3 * fields].view(np.float64)
    for place in range(fields):
        register, value, power = pack[at + place], given[place], scales[2 * place]
        if value != value:  # noqa: PLR0124  (only a NaN differs from itself)
            out[register], out[registers + register] = 0, 1
            continue
        scaled = value * abs(power)
        if not abs(scaled) <= scales[2 * place + 1]:
            return False
        whole = np.rint(scaled)
        if scaled != whole and (power < 0 or abs(abs(scaled - whole) - 0.5) <= abs(scaled) * 2.0**-51 + 2.0**-1000):
            return False
        out[register], out[registers + register] = np.int64(whole), 0
    return True


@njit(cache=True, nogil=True)
def decide_one(pack: Array, given: Array, out: Array, is_read: bool) -> bool:
    """Decide one row.

    given (values,) float64 in the order of `packed`, NaN for null; where `is_read`, the first registers of `out` hold the row already.
    out (room,) int64 is written: registers, their nulls, codes, first rules (from 1; 0: none), fired words. Gives False, and decides nothing, where a value is not plain.
    """
    if not is_read and not _read(pack, given, out):
        return False
    nulls, tables = pack[1], pack[8]
    codes = 2 * nulls
    firsts = codes + pack[2]
    fired = firsts + pack[2]
    places, uses, constants = fired + pack[10], pack[7], pack[6]
    for number in range(pack[4]):
        step = pack[3] + 5 * number
        op, dst, a, b, c = pack[step], pack[step + 1], pack[step + 2], pack[step + 3], pack[step + 4]
        value, null = np.int64(0), False
        if op == 0:
            code = _table(pack, out, tables + a * TABLE, uses, fired, places, nulls)
            out[codes + a] = code
            out[firsts + a] = pack[pack[tables + a * TABLE + 4] + code - 1] if code > 0 else 0
            continue
        if op == 10:
            use = uses + a * USE
            found = _class_of(pack, use, out[pack[use]], out[nulls + pack[use]])
            value, null = np.int64(found == 1), found == 2
        elif op == 6:
            value, null = _compared(out[a], out[b], out[nulls + a] != 0, out[nulls + b] != 0, c)
        elif op == 7:
            no = (out[a] == 0 and not out[nulls + a]) or (out[b] == 0 and not out[nulls + b])
            null = not no and (out[nulls + a] | out[nulls + b]) != 0
            value = np.int64(not no and not null)
        elif op == 8:
            yes = (out[a] == 1 and not out[nulls + a]) or (out[b] == 1 and not out[nulls + b])
            value, null = np.int64(yes), not yes and (out[nulls + a] | out[nulls + b]) != 0
        elif op == 1:
            value, null = pack[constants + a], b != 0
        elif op == 2:
            value, null = out[a] + out[b], (out[nulls + a] | out[nulls + b]) != 0
        elif op == 3:
            value, null = out[a] - out[b], (out[nulls + a] | out[nulls + b]) != 0
        elif op == 4:
            value, null = out[a] * out[b], (out[nulls + a] | out[nulls + b]) != 0
        elif op == 5:
            value, null = out[a] * pack[constants + b], out[nulls + a] != 0
        elif op == 9:
            value, null = 1 - out[a], out[nulls + a] != 0
        elif op == 11:
            taken = b if out[a] == 1 and not out[nulls + a] else c
            value, null = out[taken], out[nulls + taken] != 0
        elif op == 12:
            use = uses + b * USE
            found = _class_of(pack, use, out[pack[use]], out[nulls + pack[use]])
            value, null = out[a], out[nulls + a] != 0 or found == 0
        elif op == 13:
            output = pack[9] + 2 * b
            value, null = pack[pack[output] + out[codes + a] + 2], pack[pack[output + 1] + out[codes + a] + 2] != 0
        else:
            value, null = _gather(pack, out, tables + a * TABLE, pack[9] + 2 * b, c, out[codes + a], fired)
        out[dst], out[nulls + dst] = 0 if null else value, null
    return True


@njit(cache=True, nogil=True)
def _compared(left: Any, right: Any, is_left_null: bool, is_right_null: bool, sign: int) -> tuple[Any, bool]:
    """Whether two numbers compare so; null equals null, and nothing else."""
    if is_left_null or is_right_null:
        if sign < 2:
            return np.int64((is_left_null and is_right_null) == (sign == 0)), False
        return np.int64(0), True
    told = left >= right
    if sign == 0:
        told = left == right
    elif sign == 1:
        told = left != right
    elif sign == 2:
        told = left < right
    elif sign == 3:
        told = left <= right
    elif sign == 4:
        told = left > right
    return np.int64(told), False
