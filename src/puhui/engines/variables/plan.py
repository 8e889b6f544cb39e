"""Plans: which answers to give, in which order, as data for the kernels. A plan of a million names compiles nothing."""

import hashlib
import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables.blob import seal, unseal
from puhui.engines.variables.columns import Ints, instant_us
from puhui.engines.variables.history import Histories, History, Rows
from puhui.engines.variables.missing import Missing
from puhui.engines.variables.names import AGGREGATES, GAPS, Clause, Form, Span, Variable, Window
from puhui.engines.variables.refusals import DamagedBlob, NoSuchVariable, OtherCatalogue
from puhui.engines.variables.tables import Table

if TYPE_CHECKING:
    from puhui.engines.variables.catalogue import Catalogue

Floats = NDArray[np.float64]
Instant = int | datetime
FIELD, EVENTS, DISTINCT = 0, 1, 2
COUNT_BIT, RECENCY_BIT, TENURE_BIT = 0, 5, 6
NEVER_ENDS_US = 1 << 62
MAGIC = b"PHP1"
CHUNK_BYTES = 64 << 20
# float64 bits of the quiet NaN with a reason of `Missing` in its lowest bits; place 0 is the one NaN that leaves.
NANS: Floats = (np.uint64(0x7FF8000000000000) + np.arange(5, dtype=np.uint64)).view(np.float64)

Edge = tuple[int, int]  # (0, length in us) or (1, number of newest rows)
Ask = tuple[int, int, int, Edge, int]  # group, kind, column, edge, bit


def _edge(window: Window | None) -> Edge:
    if window is None or window.span is Span.EVER:
        return 0, NEVER_ENDS_US
    return (1, min(window.size, NEVER_ENDS_US)) if window.span is Span.LAST else (0, min(window.length_us, NEVER_ENDS_US))


@dataclass(slots=True)
class _Draft:
    """What is asked of one table, while names are being read."""

    table: Table
    groups: dict[tuple[Clause, ...], int] = field(default_factory=lambda: {(): 0})
    strands: dict[tuple[int, int, int], dict[Edge, int]] = field(default_factory=dict)

    def ask(self, group: int, kind: int, column: int, edge: Edge, bit: int) -> Ask:
        """Note an answer that is wanted."""
        items = self.strands.setdefault((group, kind, column), {})
        items[edge] = items.get(edge, 0) | 1 << bit
        return group, kind, column, edge, bit

    def ask_of(self, variable: Variable, group: int, window: Window | None) -> Ask:
        """Note the answer that a variable wants of a group and a window."""
        edge = _edge(window)
        match variable.form:
            case Form.COUNT:
                return self.ask(group, EVENTS, 0, edge, COUNT_BIT)
            case Form.GAP:
                return self.ask(group, EVENTS, 0, edge, 1 + GAPS.index(variable.aggregate))
            case Form.RECENCY:
                return self.ask(group, EVENTS, 0, edge, RECENCY_BIT)
            case Form.TENURE:
                return self.ask(group, EVENTS, 0, edge, TENURE_BIT)
            case Form.DISTINCT:
                return self.ask(group, DISTINCT, self.table.texts.index(variable.column), edge, 0)
            case Form.FIELD:
                return self.ask(group, FIELD, self.table.fields.index(variable.column), edge, AGGREGATES.index(variable.aggregate))


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Families:
    """How a row finds its groups: for filters over the same columns, each column's code is mapped, and the maps' mixed number is a bucket of groups.

    The map of a column has a place for null, each listed value, each unlisted value the plan names, and any other.
    """

    start: Ints
    column: Ints
    map: Ints
    stride: Ints
    base: Ints
    maps: Ints
    bucket_start: Ints
    bucket_group: Ints
    named: tuple[tuple[str, ...], ...]


def families_of(table: Table, groups: dict[tuple[Clause, ...], int]) -> Families:
    """Lay out the filters of a table. Filters over columns whose combinations are too many stand alone, one family each."""
    listed = {name: {value: place for place, value in enumerate(table.category.get(name, ()), 1)} for name in table.texts}
    named = {name: sorted({v for clauses in groups for c in clauses if c.column == name for v in c.values} - set(listed[name])) for name in table.texts}
    codes = {name: {**listed[name], **{value: len(listed[name]) + 1 + place for place, value in enumerate(named[name])}} for name in table.texts}
    families: dict[tuple[str, ...], list[tuple[Clause, ...]]] = {}
    for clauses in list(groups)[1:]:
        families.setdefault(tuple(clause.column for clause in clauses), []).append(clauses)
    start, column, maps_at, stride, base, maps, buckets = [0], [], [], [], [], list[int](), list[list[int]]()
    for columns, filters in _narrowed(families):
        digits: list[dict[str, int]] = []
        for place, name in enumerate(columns):
            values = sorted({value for clauses in filters for value in clauses[place].values})
            lone = len(filters) == 1
            digit = {value: 1 if lone else number for number, value in enumerate(values, 1)}
            own = [0] * (len(codes[name]) + 2)
            for value, number in digit.items():
                own[codes[name][value]] = number
            column.append(table.texts.index(name))
            maps_at.append(len(maps))
            stride.append(int(np.prod([max(other.values()) + 1 for other in digits], dtype=np.int64)))
            maps += own
            digits.append(digit)
        start.append(len(column))
        base.append(len(buckets))
        sizes = [max(digit.values()) + 1 for digit in digits]
        own_buckets: list[list[int]] = [[] for _ in range(int(np.prod(sizes, dtype=np.int64)))]
        own_strides = stride[start[-2] :]
        for clauses in filters:
            chosen = [{digit[value] for value in clause.values} for digit, clause in zip(digits, clauses, strict=True)]
            for numbers in itertools.product(*chosen):
                own_buckets[sum(number * step for number, step in zip(numbers, own_strides, strict=True))].append(groups[clauses])
        buckets += own_buckets
    bucket_start = _ints(itertools.accumulate((len(bucket) for bucket in buckets), initial=0))
    bucket_group = _ints(itertools.chain.from_iterable(buckets))
    others = tuple(tuple(named[name]) for name in table.texts)
    return Families(_ints(start), _ints(column), _ints(maps_at), _ints(stride), _ints(base), _ints(maps), bucket_start, bucket_group, others)


def _narrowed(families: dict[tuple[str, ...], list[tuple[Clause, ...]]]) -> Iterator[tuple[tuple[str, ...], list[tuple[Clause, ...]]]]:
    for columns, filters in families.items():
        sizes = [len({value for clauses in filters for value in clauses[place].values}) + 1 for place in range(len(columns))]
        many = sum(int(np.prod([len(clause.values) for clause in clauses], dtype=np.float64)) for clauses in filters)
        if float(np.prod(sizes, dtype=np.float64)) <= 1 << 16 and many <= 1 << 18:
            yield columns, filters
        else:
            yield from ((columns, [clauses]) for clauses in filters)


@dataclass(frozen=True, slots=True, eq=False)
class TablePlan:
    """What is asked of one table, as arrays: groups, their strands, the strands' items, and the cells from `first` to `end`."""

    table: Table
    families: Families
    strand_start: Ints
    strand_kind: Ints
    strand_column: Ints
    time_items: Ints
    last_items: Ints
    is_like_before: NDArray[np.bool_]
    edge: Ints
    mask: Ints
    base: Ints
    first: int
    end: int


def _lay_out(draft: _Draft, first: int) -> tuple[TablePlan, dict[tuple[int, int, int], dict[Edge, tuple[int, int]]]]:
    ordered = sorted(draft.strands)
    cell, at = first, dict[tuple[int, int, int], dict[Edge, tuple[int, int]]]()
    edge, mask, base, time_items, last_items = list[int](), list[int](), list[int](), list[int](), list[int]()
    per_group = [0] * (len(draft.groups) + 1)
    for key in ordered:
        per_group[key[0] + 1] += 1
        items = draft.strands[key]
        places = at.setdefault(key, {})
        time_items.append(len(edge))
        last_items.append(len(edge) + sum(1 for kind, _ in items if kind == 0))
        for item in sorted(items):
            edge.append(item[1])
            mask.append(items[item])
            base.append(cell)
            places[item] = cell, items[item]
            cell += items[item].bit_count()
    time_items.append(len(edge))
    strand_start = _ints(itertools.accumulate(per_group))
    windows = [sorted(draft.strands[key]) for key in ordered]
    like_before = np.array([place > 0 and windows[place - 1] == own for place, own in enumerate(windows)], np.bool_)
    laid = TablePlan(draft.table, families_of(draft.table, draft.groups), strand_start, _ints(k for _, k, _ in ordered), _ints(c for *_, c in ordered),
                     _ints(time_items), _ints(last_items), like_before, _ints(edge), _ints(mask), _ints(base), first, cell)  # fmt: skip
    return laid, at


class Plan:
    """The answers to a sequence of names, in that order, as of any instant, of any history of the catalogue's tables.

    One plan may be used by many threads. Raises: NoSuchVariable.
    """

    def __init__(self, catalogue: "Catalogue", names: Sequence[str], *, kernels: Any = None) -> None:
        """Lay out a plan; `kernels` is another build of the kernels' module, for proofs."""
        self.catalogue = catalogue
        self._built = kernels
        self.names = tuple(names)
        drafts = {table.name: _Draft(table) for table in catalogue.tables}
        upper: list[tuple[str, Ask]] = []
        lower: list[tuple[str, Ask] | None] = []
        below: list[tuple[str, Ask] | None] = []
        for name in self.names:
            variable = catalogue.parse(name)
            draft = drafts[variable.table]
            group = draft.groups.setdefault(variable.filter, len(draft.groups))
            upper.append((variable.table, draft.ask_of(variable, group, variable.window)))
            wide: tuple[int, Window | None] | None = None
            if variable.is_share:
                wide = 0, variable.window
            elif variable.over is not None:
                wide = group, variable.over
            lower.append(None if wide is None else (variable.table, draft.ask_of(variable, *wide)))
            below.append(None if wide is None else (variable.table, draft.ask(wide[0], EVENTS, 0, _edge(wide[1]), COUNT_BIT)))
        plans, places, first = [], {}, 0
        for name, draft in drafts.items():
            if draft.strands:
                laid, places[name] = _lay_out(draft, first)
                plans.append(laid)
                first = laid.end
        self.tables: tuple[TablePlan, ...] = tuple(plans)
        self._cells = first

        def cell(asked: tuple[str, Ask] | None) -> int:
            if asked is None:
                return -1
            table, (group, kind, column, edge, bit) = asked
            base, mask = places[table][group, kind, column][edge]
            return base + (mask & ((1 << bit) - 1)).bit_count()

        self._upper, self._lower, self._below = (np.fromiter(map(cell, asked), np.int32) for asked in (upper, lower, below))
        self._quotients = np.flatnonzero(self._lower >= 0).astype(np.int32)
        self._local = threading.local()

    def __len__(self) -> int:
        return len(self.names)

    def one(self, history: History, as_of: Instant, out: Floats | None = None) -> Floats:
        """Give the vector of one person as of an instant, float64 (len(names),), NaN where missing; fresh, or written into `out`.

        Raises: OtherCatalogue, TimeOutOfRange, NaiveTime.
        """
        vector: Floats = np.empty(len(self.names)) if out is None else out
        self._kernels().deliver(self._fill(history, instant_us("as_of", as_of)), self._upper, self._lower, self._quotients, vector)
        return vector

    def batch(self, histories: Sequence[History], as_of: Instant | Sequence[Instant] | Ints, out: Floats | None = None) -> Floats:
        """Give the vectors of many people, float64 (people, len(names)), as of one instant or of one each. Raises: as `one`."""
        instants = self._instants(len(histories), as_of)
        vectors: Floats = np.empty((len(histories), len(self.names))) if out is None else out
        for place, history in enumerate(histories):
            self.one(history, instants[place], vectors[place])
        return vectors

    def chunks(self, histories: Sequence[History], as_of: Instant | Sequence[Instant] | Ints, rows: int | None = None) -> Iterator[Any]:
        """Give Arrow record batches of `rows` people each (about 64 MiB if not said); missing stays NaN.

        The variables are the last columns, in the plan's order; `Histories` puts `person` and `as_of` before them. Raises: as `one`.
        """
        import pyarrow as pa

        instants = self._instants(len(histories), as_of)
        size = max(1, CHUNK_BYTES // (8 * max(1, len(self.names)))) if rows is None else rows
        for start in range(0, len(histories), size):
            some = [histories[place] for place in range(start, min(start + size, len(histories)))]
            when = instants[start : start + size]
            before: list[tuple[str, Any]] = []
            if isinstance(histories, Histories):
                before = [("person", pa.array(histories.persons[start : start + size])), ("as_of", pa.array(when, pa.timestamp("us", "UTC")))]
            yield self._arrow(self.batch(some, when), before)

    def arrow_map(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Turn Arrow batches of (person, as_of, blob) into batches of person, as_of and the variables: for Spark's `mapInArrow` and for Ray.

        `as_of` is an Arrow timestamp with a zone, or int64 microseconds UTC. Raises: as `one`; DamagedBlob.
        """
        import pyarrow as pa

        for batch in batches:
            when = batch.column("as_of")
            if pa.types.is_timestamp(when.type) and when.type.tz is not None:
                when = when.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
            blobs = batch.column("blob")
            some = [History.from_blob(self.catalogue, blob.as_py()) for blob in blobs]
            before = [("person", batch.column("person")), ("as_of", batch.column("as_of"))]
            yield self._arrow(self.batch(some, when.to_pylist()), before)

    def kinds(self, histories: History | Sequence[History], as_of: Instant | Sequence[Instant] | Ints) -> NDArray[np.uint8]:
        """Give why each variable is missing: 0 a value, 1 to 4 as `Missing`; uint8 (len(names),), of many histories (people, len(names))."""
        people = [histories] if isinstance(histories, History) else list(histories)
        instants = self._instants(len(people), as_of)
        kinds = np.empty((len(people), len(self.names)), np.uint8)
        for place, history in enumerate(people):
            cells = self._fill(history, instants[place])
            self._kernels().deliver_kinds(cells, cells.view(np.uint64), self._upper, self._lower, self._below, kinds[place])
        one: NDArray[np.uint8] = kinds[0] if isinstance(histories, History) else kinds
        return one

    def why(self, history: History, as_of: Instant, name: str) -> Missing | None:
        """Say why a variable of the plan has no value; None if it has one. Raises: NoSuchVariable (the plan does not ask it)."""
        if name not in self.names:
            raise NoSuchVariable(name=str(self.catalogue.parse(name)), why="this plan does not ask it")
        kind = int(self.kinds(history, as_of)[self.names.index(name)])
        return Missing(kind) if kind else None

    def to_bytes(self) -> bytes:
        """Give the plan as bytes that travel to workers."""
        return seal(MAGIC, [self.catalogue.shape_sha256], "\n".join(self.names).encode())

    @classmethod
    def from_bytes(cls, catalogue: "Catalogue", data: bytes) -> "Plan":
        """Read a plan. Raises: DamagedBlob, OtherCatalogue."""
        header, body = unseal(MAGIC, data)
        if header != [catalogue.shape_sha256]:
            raise OtherCatalogue(what="plan")
        try:
            return cls(catalogue, tuple(body.decode().split("\n")) if body else ())
        except (UnicodeDecodeError, NoSuchVariable) as wrong:
            raise DamagedBlob(why="a name in it is none") from wrong

    @property
    def sha256(self) -> str:
        """The hash of the plan's bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def _kernels(self) -> Any:
        if self._built is None:
            from puhui.engines.variables import kernels

            self._built = kernels
        return self._built

    def _instants(self, people: int, as_of: Any) -> list[int]:
        if isinstance(as_of, int | datetime | np.integer):
            return [instant_us("as_of", as_of)] * people
        instants = [instant_us("as_of", one) for one in as_of]
        assert len(instants) == people, (len(instants), people)
        return instants

    def _arrow(self, vectors: Floats, before: list[tuple[str, Any]]) -> Any:
        import pyarrow as pa

        people = len(vectors)
        buffer = pa.py_buffer(np.ascontiguousarray(vectors.T))
        columns = [pa.Array.from_buffers(pa.float64(), people, [None, buffer], 0, place * people) for place in range(len(self.names))]
        schema = pa.schema([(name, array.type) for name, array in before] + [(name, pa.float64()) for name in self.names])
        return pa.RecordBatch.from_arrays([array for _, array in before] + columns, schema=schema)

    def _fill(self, history: History, as_of_us: int) -> Floats:
        """Give the cells, which belong to the calling thread until it asks again."""
        if history.catalogue is not self.catalogue and history.catalogue.shape_sha256 != self.catalogue.shape_sha256:
            raise OtherCatalogue(what="history")
        cells: Floats | None = getattr(self._local, "cells", None)
        if cells is None:
            cells = self._local.cells = np.empty(self._cells)
        for plan in self.tables:
            rows = history.tables[plan.table.name]
            if rows is None or not history.is_fetched(plan.table, as_of_us):
                cells[plan.first : plan.end] = NANS[Missing.NO_TABLE]
                continue
            filters = plan.families
            self._kernels().fill_table(
                as_of_us, rows.event_time, rows.known_time, rows.revision, rows.retracted, rows.slots, rows.is_plain, rows.values, rows.ok,
                rows.codes, _filter_codes(plan, rows), rows.largest, _code_count(plan.table, rows),
                filters.start, filters.column, filters.map, filters.stride, filters.base, filters.maps, filters.bucket_start, filters.bucket_group,
                plan.strand_start, plan.strand_kind, plan.strand_column, plan.time_items, plan.last_items, plan.is_like_before, plan.edge, plan.mask, plan.base,
                cells, NANS,
            )  # fmt: skip
        return cells


def _code_count(table: Table, rows: Rows) -> int:
    return max((len(table.category.get(name, ())) + len(rows.others[place]) for place, name in enumerate(table.texts)), default=0)


def _filter_codes(plan: TablePlan, rows: Rows) -> NDArray[np.int32]:
    """Give the rows' codes as the plan's maps know them: a value nobody lists becomes the plan's own number for it, or "any other"."""
    categories = len(plan.table.category)
    if not any(rows.others[:categories]):
        return rows.codes
    codes = rows.codes.copy()
    for place, (name, listed) in enumerate(plan.table.category.items()):
        others, named = rows.others[place], plan.families.named[place]
        if others:
            assert plan.table.texts[place] == name
            number = {value: len(listed) + 1 + at for at, value in enumerate(named)}
            known = np.arange(len(listed) + 1, dtype=np.int32)
            new = np.array([number.get(value, len(listed) + 1 + len(named)) for value in others], np.int32)
            codes[place] = np.concatenate((known, new))[codes[place]]
    return codes
