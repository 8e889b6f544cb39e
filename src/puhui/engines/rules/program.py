"""What the kernels run: a list of steps over registers, with the classes and masks of tables, all plain arrays.

A register holds int64 and a mark for null. Inputs are the first registers, in the order of the schema. `codes` says of each table and row:
the place of the first rule that fired in the table's own ranking (from 1), 0 none, -1 the hit policy forbids what fired, -2 an input is not
allowed. Tables that may fire several rules also leave the words of all that fired.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Op(IntEnum):
    """One step. `dst` is the register written; a, b, c as said."""

    TABLE = 0
    """Decide table a."""
    CONST = 1
    """Constant number a, or null where b is 1."""
    ADD = 2
    SUB = 3
    MUL = 4
    SCALE = 5
    """Register a times constant number b."""
    COMPARE = 6
    """Register a against b by sign c: = != < <= > >=."""
    AND = 7
    OR = 8
    NOT = 9
    LOOK = 10
    """What lookup a says of its register's class: 0, 1, or 2 for null."""
    CHOOSE = 11
    """Register b where a is true, else c."""
    FIT = 12
    """Register a, or null where lookup b says 0."""
    ANSWER = 13
    """The answer of table a by its code: output list b."""
    GATHER = 14
    """What table a gathers from all that fired, by function c (1 SUM, 2 MIN, 3 MAX, 4 COUNT): output list b."""
    FLOAT = 15
    """Register a over constant number b, as the bits of a double."""
    FDIV = 16
    FMUL = 17
    FCLASS = 18
    """How many of the c doubles from constant number b on register a lies above."""
    FDOUBT = 19
    """1 where register a lies so close to one of these doubles that only the interpreter can tell; the constant behind them is how close."""


SIGNS = ("=", "!=", "<", "<=", ">", ">=")
GATHERS = ("", "SUM", "MIN", "MAX", "COUNT")


class Mode(IntEnum):
    """How a table makes a code of what fired."""

    FIRST = 0
    """The first in rank: FIRST and PRIORITY."""
    UNIQUE = 1
    ANY = 2
    ALL = 3
    """All that fired: RULE ORDER, OUTPUT ORDER, COLLECT."""


ARRAYS: dict[str, tuple[str, int]] = {
    "steps": ("<i8", 5),
    "constants": ("<i8", 0),
    "lookups": ("<i8", 7),
    "starts": ("<i8", 0),
    "rows": ("<i4", 0),
    "tables": ("<i8", 8),
    "masks": ("<u8", 0),
    "ranks": ("<i4", 0),
    "groups": ("<i4", 0),
    "answers": ("<i8", 0),
    "answer_nulls": ("|u1", 0),
    "outputs": ("<i8", 2),
}
"""Every array of a program: its type, and how many columns (0: it is flat).

steps: op, dst, a, b, c.  lookups: register, is_direct, start of its starts, their number, start of its rows, number of classes, start of its masks.
tables: first lookup, their number, words, mode, number of rules, start of its ranks, start of its fired words, start of its groups.
outputs: start of its answers, the table. Answers stand by code + 2.
"""


@dataclass(frozen=True, slots=True)
class Program:
    """The arrays of a program, and how many registers and fired words a row needs."""

    registers: int
    fired_words: int
    arrays: dict[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]


@dataclass(slots=True)
class Writer:
    """Puts a program together."""

    registers: int = 0
    fired_words: int = 0
    steps: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    constants: list[int] = field(default_factory=list)
    lookups: list[tuple[int, ...]] = field(default_factory=list)
    tables: list[tuple[int, ...]] = field(default_factory=list)
    outputs: list[tuple[int, int]] = field(default_factory=list)
    starts: list[Array] = field(default_factory=list)
    rows: list[Array] = field(default_factory=list)
    masks: list[Array] = field(default_factory=list)
    ranks: list[Array] = field(default_factory=list)
    groups: list[Array] = field(default_factory=list)
    answers: list[Array] = field(default_factory=list)
    answer_nulls: list[Array] = field(default_factory=list)

    def register(self) -> int:
        self.registers += 1
        return self.registers - 1

    def step(self, op: Op, a: int = 0, b: int = 0, c: int = 0) -> int:
        """Add a step that writes a fresh register; give the register."""
        told = self.register()
        self.steps.append((int(op), told, a, b, c))
        return told

    def lookup(self, register: int, *, is_direct: bool, starts: Array, rows: Array, masks: Array | None = None) -> int:
        """Add the classes of a register, and what each class stands for: a row of masks, or an answer."""
        found = (register, int(is_direct), _length(self.starts), len(starts), _length(self.rows), len(rows), _length(self.masks))
        self.lookups.append(found)
        self.starts.append(starts.astype(np.int64))
        self.rows.append(rows.astype(np.int32))
        if masks is not None:
            self.masks.append(masks.ravel())
        return len(self.lookups) - 1

    def output(self, table: int, values: list[int], nulls: list[bool]) -> int:
        self.outputs.append((_length(self.answers), table))
        self.answers.append(np.array(values, np.int64))
        self.answer_nulls.append(np.array(nulls, np.uint8))
        return len(self.outputs) - 1

    def table(self, first: int, number: int, words: int, mode: Mode, ranks: Array, groups: Array) -> int:
        keeps = mode in {Mode.ANY, Mode.ALL}
        fired = self.fired_words if keeps else -1
        self.fired_words += words if keeps else 0
        self.tables.append((first, number, words, int(mode), len(ranks), _length(self.ranks), fired, _length(self.groups)))
        self.ranks.append(ranks.astype(np.int32))
        self.groups.append(groups.astype(np.int32))
        table = len(self.tables) - 1
        self.step(Op.TABLE, table)
        return table

    def program(self) -> Program:
        """All arrays in their final form."""
        given: dict[str, Any] = {name: getattr(self, name) for name in ARRAYS}
        told = {}
        for name, (kind, columns) in ARRAYS.items():
            if name in {"steps", "lookups", "tables", "outputs", "constants"}:
                flat = np.array(given[name], dtype=kind)
            else:
                flat = np.concatenate([np.zeros(0, kind), *given[name]]).astype(kind)
            told[name] = flat.reshape(-1, columns) if columns else flat
        return Program(self.registers, self.fired_words, told)


def _length(parts: list[Array]) -> int:
    return sum(len(one) for one in parts)
