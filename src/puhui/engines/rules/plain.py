"""Run a program with numpy alone. The same bits as `kernels`, where numba cannot load."""

from __future__ import annotations

import numpy as np

from puhui.engines.rules.program import Array, Mode, Op, Program
from puhui.engines.rules.schema import NULL

BLOCK = 4096


def run(program: Program, given: Array, keeps: Array) -> tuple[Array, Array, Array]:
    """Decide many rows.

    given (columns, n) int64 with NULL. Gives codes (tables, n) int32, fired (words, n) uint64, and the registers `keeps`, int64 with NULL.
    """
    n = given.shape[1]
    registers = np.zeros((program.registers, n), np.int64)
    marks = np.zeros((program.registers, n), bool)
    marks[: len(given)] = given == NULL
    registers[: len(given)] = np.where(marks[: len(given)], 0, given)
    codes = np.zeros((len(program["tables"]), n), np.int32)
    fired = np.zeros((program.fired_words, n), np.uint64)
    for start in range(0, n, BLOCK):
        block = slice(start, min(n, start + BLOCK))
        for step in program["steps"].tolist():
            _step(program, step, registers[:, block], marks[:, block], codes[:, block], fired[:, block])
    return codes, fired, np.where(marks[keeps], NULL, registers[keeps])


def _step(program: Program, step: list[int], registers: Array, marks: Array, codes: Array, fired: Array) -> None:
    op, dst, a, b, c = step
    match Op(op):
        case Op.TABLE:
            _table(program, a, registers, marks, codes[a], fired)
            return
        case Op.CONST:
            registers[dst], marks[dst] = program["constants"][a], bool(b)
        case Op.ADD:
            registers[dst], marks[dst] = registers[a] + registers[b], marks[a] | marks[b]
        case Op.SUB:
            registers[dst], marks[dst] = registers[a] - registers[b], marks[a] | marks[b]
        case Op.MUL:
            registers[dst], marks[dst] = registers[a] * registers[b], marks[a] | marks[b]
        case Op.SCALE:
            registers[dst], marks[dst] = registers[a] * program["constants"][b], marks[a]
        case Op.COMPARE:
            _compare(registers, marks, dst, a, b, c)
        case Op.AND:
            no = (~marks[a] & (registers[a] == 0)) | (~marks[b] & (registers[b] == 0))
            registers[dst], marks[dst] = np.where(no | marks[a] | marks[b], 0, 1), ~no & (marks[a] | marks[b])
        case Op.OR:
            yes = (~marks[a] & (registers[a] == 1)) | (~marks[b] & (registers[b] == 1))
            registers[dst], marks[dst] = yes, ~yes & (marks[a] | marks[b])
        case Op.NOT:
            registers[dst], marks[dst] = np.where(marks[a], 0, 1 - registers[a]), marks[a]
        case Op.LOOK:
            found = _rows(program, a, registers, marks)
            registers[dst], marks[dst] = found == 1, found == 2
        case Op.CHOOSE:
            yes = ~marks[a] & (registers[a] == 1)
            registers[dst], marks[dst] = np.where(yes, registers[b], registers[c]), np.where(yes, marks[b], marks[c])
        case Op.FIT:
            registers[dst], marks[dst] = registers[a], marks[a] | (_rows(program, b, registers, marks) == 0)
        case Op.ANSWER:
            place = program["outputs"][b, 0] + codes[a] + 2
            registers[dst], marks[dst] = program["answers"][place], program["answer_nulls"][place] != 0
        case Op.GATHER:
            _gather(program, dst, a, b, c, registers, marks, codes, fired)
        case Op.FLOAT:
            registers[dst], marks[dst] = (registers[a].astype(np.float64) / float(program["constants"][b])).view(np.int64), marks[a]
        case Op.FDIV | Op.FMUL:
            _rough(Op(op), registers, marks, dst, a, b)
        case Op.FCLASS | Op.FDOUBT:
            _near(program, Op(op), registers, marks, dst, a, b, c)
    registers[dst][marks[dst]] = 0


def _rough(op: Op, registers: Array, marks: Array, dst: int, a: int, b: int) -> None:
    """Quotients and products of doubles; + 0.0 takes the sign from a zero, whose bits would be those of null."""
    left, right = registers[a].view(np.float64), registers[b].view(np.float64)
    null = marks[a] | marks[b]
    with np.errstate(all="ignore"):
        if op == Op.FDIV:
            null |= right == 0.0
            told = np.where(null, 0.0, left / np.where(null, 1.0, right)) + 0.0
        else:
            told = left * right + 0.0
    registers[dst], marks[dst] = told.view(np.int64), null


def _near(program: Program, op: Op, registers: Array, marks: Array, dst: int, a: int, b: int, c: int) -> None:
    """Where a double lies among its break points, or whether it lies too close to one."""
    value, near = registers[a].view(np.float64), program["constants"][b + c : b + c + 1].view(np.float64)[0]
    told = np.zeros(len(value), np.int64)
    for cut in program["constants"][b : b + c].view(np.float64):
        told = told + (value > cut) if op == Op.FCLASS else told | ~(np.abs(value - cut) > near * (np.abs(value) + abs(cut)))
    registers[dst], marks[dst] = (told, marks[a].copy()) if op == Op.FCLASS else (np.where(marks[a], 0, told), np.zeros(len(value), bool))


def _compare(registers: Array, marks: Array, dst: int, a: int, b: int, sign: int) -> None:
    left, right = registers[a], registers[b]
    told = (left == right, left != right, left < right, left <= right, left > right, left >= right)[sign]
    null = marks[a] | marks[b]
    if sign < 2:  # null equals null, and nothing else
        told = np.where(null, (marks[a] & marks[b]) == (sign == 0), told)
        null = np.zeros_like(null)
    registers[dst], marks[dst] = told, null


def _rows(program: Program, lookup: int, registers: Array, marks: Array) -> Array:
    """What each row's class stands for."""
    register, is_direct, first, number, rows, classes, _ = program["lookups"][lookup].tolist()
    values = registers[register]
    place = values if is_direct else np.searchsorted(program["starts"][first : first + number], values, side="right")
    told: Array = program["rows"][rows : rows + classes][np.where(marks[register], classes - 1, place)]
    return told


def _table(program: Program, number: int, registers: Array, marks: Array, codes: Array, fired: Array) -> None:
    first, lookups, words, mode, rules, _, kept, groups = program["tables"][number].tolist()
    n = len(codes)
    live = np.full((words, n), np.iinfo(np.uint64).max, np.uint64)
    if rules % 64 and words:
        live[-1] = np.uint64((1 << (rules % 64)) - 1)
    wrong = np.zeros(n, bool)
    for lookup in range(first, first + lookups):
        rows = _rows(program, lookup, registers, marks)
        wrong |= rows < 0
        start = int(program["lookups"][lookup, 6])
        for word in range(words):
            live[word] &= program["masks"][start + np.maximum(rows, 0).astype(np.int64) * words + word]
    lowest = np.zeros(n, np.int64)
    for word in range(words - 1, -1, -1):
        here = live[word] != 0
        bit = live[word] & (~live[word] + np.uint64(1))
        lowest = np.where(here, word * 64 + np.log2(np.where(here, bit, 1).astype(np.float64)).astype(np.int64) + 1, lowest)
    codes[:] = lowest
    if mode == Mode.UNIQUE:
        codes[np.bitwise_count(live).sum(axis=0) > 1] = -1
    elif mode == Mode.ANY:
        _agree(program["groups"][groups : groups + rules], live, codes)
    codes[wrong] = -2
    if kept >= 0:
        fired[kept : kept + words] = np.where(wrong, np.uint64(0), live)


def _agree(groups: Array, live: Array, codes: Array) -> None:
    """Mark the rows where rules of different outputs fired."""
    hit = np.zeros(len(codes), np.int64)
    for group in np.unique(groups):
        mask = mask_of(groups == group, len(live))
        hit += ((live & mask[:, None]) != 0).any(axis=0)
    codes[hit > 1] = -1


def mask_of(bits: Array, words: int) -> Array:
    """Bits as words of 64, the lowest first."""
    padded = np.zeros(words * 64, np.uint8)
    padded[: len(bits)] = bits
    return np.packbits(padded, bitorder="little").view("<u8").astype(np.uint64)


def _gather(program: Program, dst: int, table: int, output: int, how: int, registers: Array, marks: Array, codes: Array, fired: Array) -> None:
    _, _, words, _, rules, _, kept, _ = program["tables"][table].tolist()
    start = int(program["outputs"][output, 0])
    answers, nulls = program["answers"][start : start + rules + 3], program["answer_nulls"][start : start + rules + 3]
    none = np.where(codes[table] <= 0, codes[table], 0) + 2
    told, null = answers[none].copy(), nulls[none] != 0
    some = codes[table] > 0
    live = fired[kept : kept + words]
    total, begun, broken = np.zeros_like(told), np.zeros(len(told), bool), np.zeros(len(told), bool)
    for rule in range(rules):
        hit = (live[rule // 64] >> np.uint64(rule % 64)) & np.uint64(1) != 0
        answer = int(answers[rule + 3])
        broken |= hit & (nulls[rule + 3] != 0)
        if how in {1, 4}:
            total = np.where(hit, total + (answer if how == 1 else 1), total)
        else:
            better = ~begun | (answer < total if how == 2 else answer > total)
            total = np.where(hit & better, answer, total)
        begun |= hit
    registers[dst], marks[dst] = np.where(some, total, told), np.where(some, broken, null)
