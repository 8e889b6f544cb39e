"""Run a program for one row, over one flat array: no views, no blocks, nothing to unpack at the door.

`packed` lays the plan out for it; `decide_one` gives the same bits as `kernels.decide_all`. No code is made for a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from puhui.engines.rules.arranging import Plan
from puhui.engines.rules.kernels import NULL, _double, lowest
from puhui.engines.rules.program import Array, Program

GROUP, USE, TABLE, STEP = 9, 4, 9, 5
"""Fields of one group, use, table and step, as `Plan` says; a table has one more: where its rules stand by rank."""
HEAD = 16
ROOM = 5
"""Of the head: where registers, codes, first rules, fired words and classes begin in the answer, from this field on."""


def packed(program: Program, plan: Plan, inputs: Sequence[tuple[int, float, float]]) -> Array:
    """The plan as one array of int64. `inputs` says of each value that is given: its register, power (below 0: it must be whole), bound."""
    parts: list[Array] = []
    length = HEAD

    def put(part: Array) -> int:
        nonlocal length
        parts.append(np.ascontiguousarray(part).astype(np.int64, copy=False).reshape(-1))
        length += parts[-1].size
        return length - parts[-1].size

    starts, buckets, maps = put(plan.starts), put(plan.buckets), put(plan.maps)
    answers, nulls, alike = put(program["answers"]), put(program["answer_nulls"]), put(program["groups"])
    ranks = put(program["ranks"] + 1)
    fields = put(np.array([one for one, _, _ in inputs], np.int64))
    put(np.array([[power, bound] for _, power, bound in inputs], np.float64).view(np.int64))
    groups, uses = plan.groups.copy(), plan.uses.copy()
    groups[:, 4] += buckets
    groups[:, 6] += starts
    uses[:, 1] += maps
    uses[:, 3] = np.where(uses[:, 3] >= 0, uses[:, 3] + maps, -1)
    tables = np.column_stack([plan.tables, program["tables"][:, 5] + ranks])
    tables[:, 5] += alike
    outputs = program["outputs"].copy()
    outputs[:, 1] = outputs[:, 0] + nulls
    outputs[:, 0] += answers
    number, _ = len(tables), len(groups)
    firsts = program.registers + number
    head = [len(inputs), fields, len(plan.steps), put(plan.steps), number, program.registers, firsts, firsts + number, firsts + number + program.fired_words]
    head += [put(groups), put(uses), put(tables), put(program["constants"]), put(outputs), 0, 0]
    return np.concatenate([np.array(head, np.int64), *parts])


def room(program: Program, plan: Plan) -> int:
    """How many int64 the answer of one row takes: registers, codes, first rules (from 1; 0: none), fired words, classes."""
    return program.registers + 2 * len(plan.tables) + program.fired_words + len(plan.groups)


@njit(cache=True, nogil=True)
def _class_of(pack: Array, group: int, value: Any) -> Any:
    """The class of a value."""
    if value == NULL:
        return pack[group + 8]
    if pack[group + 1]:
        return value
    number = pack[group + 7]
    if number == 0:
        return np.int64(0)
    low, shift = pack[group + 2], pack[group + 5]
    told = min(max(value, low), pack[group + 3])
    place = pack[pack[group + 4] + np.int64((np.uint64(told) - np.uint64(low)) >> np.uint64(shift))]
    if shift:
        starts = pack[group + 6]
        while place < number and pack[starts + place] <= told:
            place += 1
    return place


@njit(cache=True, nogil=True)
def _table(pack: Array, out: Array, table: int, uses: int, fired: int, classes: int) -> Any:
    """The code of one table; the words of what fired are left in `out`."""
    count, words, mode, kept = pack[table + 1], pack[table + 2], pack[table + 3], pack[table + 4]
    start, until = uses + pack[table] * USE, uses + (pack[table] + count) * USE
    for use in range(start, until, USE):
        if pack[use + 3] >= 0 and pack[pack[use + 3] + out[classes + pack[use]]]:
            for word in range(words if kept >= 0 else 0):
                out[fired + kept + word] = 0
            return -2
    code, group = 0, -1
    for word in range(words):
        live = pack[table + 6] if word == words - 1 else np.int64(-1)
        for use in range(start, until, USE):
            live &= pack[pack[use + 1] + out[classes + pack[use]] * pack[use + 2] + word]
        if kept >= 0:
            out[fired + kept + word] = live
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
            mine = pack[pack[table + 5] + word * 64 + lowest(live)]
            if group < 0:
                group = mine
            elif mine != group:
                code = -1
            live &= live - 1
    return code


@njit(cache=True, nogil=True)
def _gather(pack: Array, out: Array, table: int, output: int, how: int, code: int, fired: int) -> Any:
    """Gather the answers of all rules that fired; NULL for null."""
    answers, nulls = pack[output] + 2, pack[output + 1] + 2
    if code <= 0:
        return NULL if pack[nulls + code] else pack[answers + code]
    total, count, broken = np.int64(0), np.int64(0), False
    for word in range(pack[table + 2]):
        live = out[fired + pack[table + 4] + word]
        while live:
            place = word * 64 + lowest(live) + 1
            answer = pack[answers + place]
            broken |= pack[nulls + place] != 0
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
def _read(pack: Array, given: Array, out: Array) -> bool:
    """Write what is given into the first registers; False where a value is not plainly the nearest whole number of its scale."""
    fields, at = pack[0], pack[1]
    scales = pack[at + fields : at + 3 * fields].view(np.float64)
    for place in range(fields):
        value, power = given[place], scales[2 * place]
        if value != value:  # noqa: PLR0124  (only a NaN differs from itself)
            out[pack[at + place]] = NULL
            continue
        scaled = value * abs(power)
        if not abs(scaled) <= scales[2 * place + 1]:
            return False
        whole = np.rint(scaled)
        if scaled != whole and (power < 0 or abs(abs(scaled - whole) - 0.5) <= abs(scaled) * 2.0**-51 + 2.0**-1000):
            return False
        out[pack[at + place]] = np.int64(whole)
    return True


@njit(cache=True, nogil=True)
def _compared(left: Any, right: Any, sign: int) -> Any:
    """Whether two numbers compare so; null equals null, and nothing else; an order with null is null."""
    if sign == 0:
        return np.int64(left == right)
    if sign == 1:
        return np.int64(left != right)
    if (left == NULL) | (right == NULL):
        return NULL
    if sign == 2:
        return np.int64(left < right)
    if sign == 3:
        return np.int64(left <= right)
    if sign == 4:
        return np.int64(left > right)
    return np.int64(left >= right)


@njit(cache=True, nogil=True)
def _worked(op: int, left: Any, right: Any) -> Any:
    """Sum, difference, product; and, or: of two registers."""
    if op == 7:
        known = NULL if (left == NULL) | (right == NULL) else np.int64(1)
        return np.int64(0) if left == 0 or right == 0 else known
    if op == 8:
        known = NULL if (left == NULL) | (right == NULL) else np.int64(0)
        return np.int64(1) if left == 1 or right == 1 else known
    if (left == NULL) | (right == NULL):
        return NULL
    if op == 2:
        return left + right
    return left - right if op == 3 else left * right


@njit(cache=True, nogil=True)
def decide_one(pack: Array, given: Array, out: Array, is_read: bool) -> bool:
    """Decide one row.

    given (values,) float64 in the order of `packed`, NaN for null; where `is_read`, the first registers of `out` hold the row already.
    out (room,) int64 is written, as `room` says. Gives False, and decides nothing, where a value is not plain.
    """
    if not is_read and not _read(pack, given, out):
        return False
    codes, firsts, fired, classes = pack[ROOM], pack[ROOM + 1], pack[ROOM + 2], pack[ROOM + 3]
    groups, uses, tables, constants, outputs = pack[9], pack[10], pack[11], pack[12], pack[13]
    start = pack[3]
    for step in range(start, start + pack[2] * STEP, STEP):
        op, dst, a, b, c = pack[step], pack[step + 1], pack[step + 2], pack[step + 3], pack[step + 4]
        if op == 99:
            group = groups + a * GROUP
            out[classes + a] = _class_of(pack, group, out[pack[group]])
        elif op == 0:
            table = tables + a * TABLE
            code = _table(pack, out, table, uses, fired, classes)
            out[codes + a] = code
            out[firsts + a] = pack[pack[table + 8] + code - 1] if code > 0 else 0
        elif op == 10:
            use = uses + a * USE
            out[dst] = pack[pack[use + 1] + out[classes + pack[use]]]
        elif op == 6:
            out[dst] = _compared(out[a], out[b], c)
        elif op == 1:
            out[dst] = NULL if b else pack[constants + a]
        elif op == 5:
            out[dst] = NULL if out[a] == NULL else out[a] * pack[constants + b]
        elif op == 9:
            out[dst] = NULL if out[a] == NULL else 1 - out[a]
        elif op == 11:
            out[dst] = out[b] if out[a] == 1 else out[c]
        elif op == 12:
            use = uses + b * USE
            out[dst] = out[a] if pack[pack[use + 1] + out[classes + pack[use]]] else NULL
        elif op == 13:
            output, code = outputs + 2 * b, out[codes + a] + 2
            out[dst] = NULL if pack[pack[output + 1] + code] else pack[pack[output] + code]
        elif op == 14:
            out[dst] = _gather(pack, out, tables + a * TABLE, outputs + 2 * b, c, out[codes + a], fired)
        elif op >= 15:
            right = out[b : b + 1] if 15 < op < 18 else out[a : a + 1]
            _double(op, 1, out[dst : dst + 1], out[a : a + 1], right, constants + b, c, pack)
        else:
            out[dst] = _worked(op, out[a], out[b])
    return True
