"""Lay a program out for its loops, when it is first run: the bytes of an artefact stay as they are.

All lookups of one register share their classes: a row's class is found once, and every lookup is then one load. A table of one word of rules
finds its mask there, a larger one each word of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from puhui.engines.rules.program import Array, Op, Program
from puhui.engines.rules.schema import NULL

CLASSIFY = 99
"""The step that finds the classes of group a."""
ROOM = 65_536
"""Words of masks that lookups may take together before they are put into groups of their own."""
BUCKETS_MAX = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A program as the loops for many rows take it.

    steps: op, dst, a, b, c; a table is decided after its groups are classified. groups: register, is_direct, low, reach, start of its buckets,
    shift, start of its starts, their number, class of null. uses: group, start of its map, words a class, start of its marks of what is not
    allowed (-1: all is). tables: first use, uses, words, mode, fired word (-1: none kept), start of its groups of equal outputs, last word's rules, rules.
    """

    steps: Array
    groups: Array
    uses: Array
    maps: Array
    starts: Array
    buckets: Array
    tables: Array
    wide: int
    """Columns of the widest table."""


@dataclass(slots=True)
class _Arranger:
    program: Program
    words_of: dict[int, int]
    """For each lookup, how many words of masks its classes stand for; -1: they stand for an answer."""
    groups: list[list[int]] = field(default_factory=list)
    uses: list[list[int]] = field(default_factory=list)
    maps: list[Array] = field(default_factory=list)
    starts: list[Array] = field(default_factory=list)
    buckets: list[Array] = field(default_factory=list)
    length: int = 0
    use_of: dict[int, int] = field(default_factory=dict)
    groups_of: dict[int, list[int]] = field(default_factory=dict)
    """For each lookup's use, its group; for each register, its groups."""

    def put(self, part: Array) -> int:
        self.maps.append(part.reshape(-1))
        self.length += part.size
        return self.length - part.size

    def group(self, register: int, lookups: list[int]) -> None:
        """Let these lookups of a register share their classes."""
        told = [self._told(lookup) for lookup in lookups]
        if self.program["lookups"][lookups[0], 1]:
            size = max(len(rows) for rows, _ in told) - 1
            rows = np.array([np.append(one[np.minimum(np.arange(size), len(one) - 2)], one[-1]) for one, _ in told])
            self.groups.append([register, 1, 0, 0, 0, 0, 0, 0, size])
        else:
            starts, rows = _joined([one for one, _ in told], [one for _, one in told])
            self.groups.append([register, 0, *self._buckets(starts), len(starts) + 1])
        number = len(self.groups) - 1
        self.groups_of.setdefault(register, []).append(number)
        for lookup, own in zip(lookups, rows, strict=True):
            self._use(lookup, number, own)

    def _told(self, lookup: int) -> tuple[Array, Array]:
        _, is_direct, first, number, start, classes, _ = self.program["lookups"][lookup].tolist()
        rows = self.program["rows"][start : start + classes].astype(np.int64)
        return (rows, self.program["starts"][first : first + number]) if not is_direct else (rows, rows)

    def _buckets(self, starts: Array) -> list[int]:
        """Where the classes of values begin: low, reach, start of buckets, shift, start of starts, their number."""
        at, begin = sum(map(len, self.starts)), sum(map(len, self.buckets))
        if not len(starts):
            return [0, 0, begin, 0, at, 0]
        low, high = int(starts[0]) - 1, int(starts[-1])
        reach = high - low
        shift = 0 if reach <= BUCKETS_MAX else (reach // BUCKETS_MAX).bit_length()
        begins = np.array([low + (place << shift) for place in range((reach >> shift) + 1)], np.int64)
        self.starts.append(starts)
        self.buckets.append(np.searchsorted(starts, begins, side="right").astype(np.int32))
        return [low, high, begin, shift, at, len(starts)]

    def _use(self, lookup: int, group: int, rows: Array) -> None:
        words = self.words_of[lookup]
        if words < 0:
            at, marks = self.put(np.where(rows == 2, NULL, rows)), -1
        else:
            first = int(self.program["lookups"][lookup, 6])
            masks = self.program["masks"].view(np.int64)
            places = first + np.maximum(rows, 0)[:, None] * words + np.arange(words)[None, :]
            own = np.where(rows[:, None] >= 0, masks[places], 0)
            at = self.put(np.pad(own, ((0, 0), (0, stride_of(words) - words))))
            marks = self.put((rows < 0).astype(np.int64)) if (rows < 0).any() else -1
        self.use_of[lookup] = len(self.uses)
        self.uses.append([group, at, stride_of(words), marks])


def stride_of(words: int) -> int:
    """How many words of masks lie between two classes: whole fours, which are looked at together."""
    return max(1, words) if words < 2 else -(-words // 4) * 4


def _joined(rows: list[Array], starts: list[Array]) -> tuple[Array, Array]:
    """The classes that tell all these lookups apart: where they begin, and (lookups, classes and null) what they stand for."""
    begins = np.unique(np.concatenate([np.array([NULL + 1], np.int64), *starts]))
    begins = begins[begins > NULL]
    told = np.array([one[np.searchsorted(own, begins, side="right")] for one, own in zip(rows, starts, strict=True)])
    kept = np.append(True, (told[:, 1:] != told[:, :-1]).any(axis=0))
    return begins[kept][1:], np.column_stack([told[:, kept], np.array([one[-1] for one in rows])])


def _shared(program: Program, lookups: list[int], words_of: dict[int, int]) -> list[list[int]]:
    """Lookups of one register in groups that may share their classes without taking much more room than alone."""
    told: list[list[int]] = []
    number = words = alone = 0
    for lookup in lookups:
        own, mine = int(program["lookups"][lookup, 5]), max(1, words_of[lookup])
        if told and (number + own) * (words + mine) <= max(ROOM, 2 * (alone + own * mine)):
            told[-1].append(lookup)
            number, words, alone = number + own, words + mine, alone + own * mine
        else:
            told.append([lookup])
            number, words, alone = own, mine, own * mine
    return told


def plan(program: Program) -> Plan:
    """Lay a program out. It has been checked."""
    words_of: dict[int, int] = {}
    for first, count, words, *_ in program["tables"].tolist():
        words_of |= dict.fromkeys(range(first, first + count), words)
    made = _Arranger(program, {lookup: words_of.get(lookup, -1) for lookup in range(len(program["lookups"]))})
    by_register: dict[tuple[int, int], list[int]] = {}
    for lookup, (register, is_direct, *_) in enumerate(program["lookups"].tolist()):
        by_register.setdefault((register, is_direct), []).append(lookup)
    for (register, _), lookups in by_register.items():
        for together in _shared(program, lookups, made.words_of):
            made.group(register, together)
    tables = []
    for first, count, words, mode, rules, _, kept, groups in program["tables"].tolist():
        last = (1 << (rules % 64)) - 1 if rules % 64 else -1
        tables.append([first, count, words, mode, kept, groups, last, rules])
    return Plan(
        _steps(program, made),
        np.array(made.groups, np.int64).reshape(-1, 9),
        np.array([made.uses[made.use_of[lookup]] for lookup in range(len(program["lookups"]))], np.int64).reshape(-1, 4),
        np.concatenate([np.zeros(0, np.int64), *made.maps]),
        np.concatenate([np.zeros(0, np.int64), *made.starts]),
        np.concatenate([np.zeros(0, np.int32), *made.buckets]),
        np.array(tables, np.int64).reshape(-1, 8),
        max([1, *program["tables"][:, 1].tolist()]),
    )


def _steps(program: Program, made: _Arranger) -> Array:
    """The steps, each with the classes that it looks up found before it."""
    told: list[list[int]] = []
    done: set[int] = set()
    for op, dst, a, b, c in program["steps"].tolist():
        first, count = program["tables"][a, :2].tolist() if op == Op.TABLE else (a if op == Op.LOOK else b, int(op in {Op.LOOK, Op.FIT}))
        for lookup in range(first, first + count):
            group = made.uses[made.use_of[lookup]][0]
            if group not in done:
                done.add(group)
                told.append([CLASSIFY, 0, group, 0, 0])
        told.append([op, dst, a, b, c])
    return np.array(told, np.int64).reshape(-1, 5)
