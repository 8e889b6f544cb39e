"""Plans: which answers to give, in which order, as data for the kernels. A plan of a million names compiles nothing."""

import hashlib
import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

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
Places = NDArray[np.uint32]
Instant = int | datetime
FIELD, EVENTS, DISTINCT, WHOLE = 0, 1, 2, 3
NEVER_ENDS_US = 1 << 62
MAGIC = b"PHP1"
CHUNK_BYTES = 64 << 20
HOT_ROWS = 10_000
# The one NaN, and the same with a reason of `Missing` in its lowest bits, by that reason.
NAN: Floats = np.full(5, 0x7FF8000000000000, np.uint64).view(np.float64)
NOTHING: Floats = np.zeros(0)
NANS: Floats = (np.uint64(0x7FF8000000000000) + np.arange(5, dtype=np.uint64)).view(np.float64)

Edge = tuple[int, int]  # (0, length in us) or (1, number of newest rows)
Ask = tuple[int, int, int, Edge, int]  # group, kind, column, edge, bit


def _edge(window: Window | None) -> Edge:
    if window is None or window.span is Span.EVER:
        return 0, NEVER_ENDS_US
    return (1, min(window.size, NEVER_ENDS_US)) if window.span is Span.LAST else (0, min(window.length_us, NEVER_ENDS_US))


@dataclass(slots=True)
class _Draft:
    """What is asked of one table, while names are being read: of each group the windows, of each strand the aggregates (bits)."""

    table: Table
    groups: dict[tuple[Clause, ...], int] = field(default_factory=lambda: {(): 0})
    windows: list[set[Edge]] = field(default_factory=lambda: [set()])
    fields: dict[tuple[int, int], int] = field(default_factory=dict)
    distinct: dict[tuple[int, int], int] = field(default_factory=dict)
    gaps: list[int] = field(default_factory=lambda: [0])

    def group(self, clauses: tuple[Clause, ...]) -> int:
        """Give the number of a filter's group."""
        number = self.groups.setdefault(clauses, len(self.groups))
        if number == len(self.windows):
            self.windows.append(set())
            self.gaps.append(0)
        return number

    def ask(self, variable: Variable, group: int, window: Window | None) -> Ask:
        """Note the answer that a variable wants of a group and a window."""
        edge = _edge(window)
        if window is not None:
            self.windows[group].add(edge)
        match variable.form:
            case Form.COUNT:
                return group, EVENTS, 0, edge, 0
            case Form.GAP:
                bit = 1 + GAPS.index(variable.aggregate)
                self.gaps[group] |= 1 << bit
                return group, EVENTS, 0, edge, bit
            case Form.RECENCY:
                return group, WHOLE, 0, edge, 0
            case Form.TENURE:
                return group, WHOLE, 0, edge, 1
            case Form.DISTINCT:
                column = self.table.texts.index(variable.column)
                self.distinct.setdefault((group, column), len(self.distinct))
                return group, DISTINCT, column, edge, 0
            case Form.FIELD:
                column, bit = self.table.fields.index(variable.column), AGGREGATES.index(variable.aggregate)
                self.fields[group, column] = self.fields.get((group, column), 0) | 1 << bit
                return group, FIELD, column, edge, bit


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
    """What is asked of one table, as arrays: groups, their windows, the strands walked over them, and where the answers go.

    A group's block of cells: for each of the ten aggregates its items (field strand by field strand, its windows), for the count and the four gaps
    its windows, recency, tenure, each distinct strand's windows, and its quotients. The cells of the table lie from `first` to `end`; a vector
    needs only those of group 0 and of one other group at a time (`narrow`).
    """

    table: Table
    families: Families
    window_start: Ints
    window_last: Ints
    edge: Ints
    lengths_of: Ints
    lanes: Ints
    strand_start: Ints
    strand_lane: Ints
    wanted: Ints
    wanted_gaps: Ints
    distinct_start: Ints
    distinct_column: Ints
    blocks: Ints
    narrow: Ints
    quotient_start: Ints
    quotient_share: Ints
    upper: Places
    lower: Places
    run_start: Ints
    run_from: Places
    run_to: Places
    run_size: Places
    first: int
    end: int

    no_runs: Ints

    @property
    def most_items(self) -> int:
        """The most items of a group."""
        return int((np.diff(self.strand_start) * np.diff(self.window_start)).max())

    @property
    def narrow_cells(self) -> int:
        """How many cells group 0 and the largest other group have."""
        sizes = np.diff(np.append(self.blocks, self.end))
        return int(sizes[0] + max(sizes[1:], default=0))


class _Places:
    """Where the answers of a table lie among the cells of their group."""

    def __init__(self, draft: _Draft) -> None:
        self.draft = draft
        self.windows = [sorted(some) for some in draft.windows]
        self.window = [{edge: place for place, edge in enumerate(some)} for some in self.windows]
        self.strands, self.distincts = sorted(draft.fields), sorted(draft.distinct)
        self.strand_start, self.distinct_start = (_starts(some, len(self.windows)) for some in (self.strands, self.distincts))
        self.strand = {key: place - int(self.strand_start[key[0]]) for place, key in enumerate(self.strands)}
        self.distinct = {key: place - int(self.distinct_start[key[0]]) for place, key in enumerate(self.distincts)}

    def cell(self, asked: Ask) -> int:
        """Give the cell of an answer in its group's block."""
        group, kind, column, edge, bit = asked
        windows, window = len(self.windows[group]), self.window[group].get(edge, 0)
        items = windows * int(self.strand_start[group + 1] - self.strand_start[group])
        if kind == FIELD:
            return bit * items + self.strand[group, column] * windows + window
        if kind == EVENTS:
            return 10 * items + bit * windows + window
        if kind == WHOLE:
            return 10 * items + 5 * windows + bit
        return 10 * items + (5 + self.distinct[group, column]) * windows + 2 + window

    def sizes(self) -> Ints:
        """Give how many cells each group's block has, its quotients apart."""
        windows = np.array([len(some) for some in self.windows], np.int64)
        return (10 * np.diff(self.strand_start) + 5 + np.diff(self.distinct_start)) * windows + 2

    def lay_out(self, first: int, answers: "_Answers") -> TablePlan:
        """Lay out the table's part of a plan, its cells from `first`."""
        draft, groups = self.draft, len(self.windows)
        window_start = _ints(itertools.accumulate((len(some) for some in self.windows), initial=0))
        lasts = [sum(1 for kind, _ in some if kind == 0) for some in self.windows]
        lanes = sorted({column for _, column in draft.fields})
        lengths: dict[tuple[Edge, ...], int] = {}
        same = [lengths.setdefault(tuple(some[:time]), group) for group, (some, time) in enumerate(zip(self.windows, lasts, strict=True))]
        wanted = np.zeros(groups, np.int64)
        for (group, _), bits in draft.fields.items():
            wanted[group] |= bits
        order = np.lexsort((answers.place, answers.is_share, answers.group))
        order = order[answers.lower[order] >= 0]
        counts = np.bincount(answers.group[order], minlength=groups)
        quotient_start = np.concatenate(([0], np.cumsum(counts)))
        ratios = np.bincount(answers.group[order[~answers.is_share[order]]], minlength=groups)
        sizes = self.sizes()
        source = answers.upper.astype(np.int64)
        source[order] = sizes[answers.group[order]] + np.arange(len(order)) - quotient_start[answers.group[order]]
        blocks = first + np.concatenate(([0], np.cumsum(sizes + counts)))
        narrow = np.where(np.arange(groups) == 0, 0, blocks[1] - first)
        return TablePlan(
            draft.table, families_of(draft.table, draft.groups), window_start, window_start[:-1] + _ints(lasts),
            _ints(length for some in self.windows for _, length in some), _ints(same), _ints(lanes), self.strand_start,
            _ints(lanes.index(column) for _, column in self.strands), wanted, _ints(1 | bits for bits in draft.gaps), self.distinct_start,
            _ints(column for _, column in self.distincts), blocks[:-1], narrow, quotient_start, quotient_start[:-1] + ratios,
            answers.upper[order].astype(np.uint32), answers.lower[order].astype(np.uint32), *_runs(answers, source, groups), first, int(blocks[-1]), np.zeros(groups + 1, np.int64),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """The answers about one table: of each its group, its place in the vector, its cell, what divides it (-1: nothing), and whether that is of group 0."""

    group: Ints
    place: Ints
    upper: NDArray[np.int32]
    lower: NDArray[np.int32]
    is_share: NDArray[np.bool_]


def _starts(strands: list[tuple[int, int]], groups: int) -> Ints:
    counts = np.bincount(np.array([group for group, _ in strands], np.int64), minlength=groups)
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


def _runs(answers: _Answers, source: Ints, groups: int) -> tuple[Ints, Places, Places, Places]:
    """Give the longest runs of cells that follow one another in the vector too: where each group's runs start, first cells, first places, sizes."""
    order = np.lexsort((answers.place, answers.group))
    group, place, source = answers.group[order], answers.place[order], source[order]
    goes_on = (np.diff(group, prepend=-1) == 0) & (np.diff(place, prepend=-2) == 1) & (np.diff(source, prepend=-2) == 1)
    first = np.flatnonzero(~goes_on)
    start = np.concatenate(([0], np.cumsum(np.bincount(group[first], minlength=groups))))
    return start, source[first].astype(np.uint32), place[first].astype(np.uint32), np.diff(np.append(first, len(order))).astype(np.uint32)


class Plan:
    """The answers to a sequence of names, in that order, as of any instant, of any history of the catalogue's tables.

    One plan may be used by many threads. Raises: NoSuchVariable.
    """

    def __init__(self, catalogue: "Catalogue", names: Sequence[str], *, kernels: Any = None, hot_rows: int = HOT_ROWS) -> None:
        """Lay out a plan. `kernels` is another build of the kernels' module, for proofs. A person's table of `hot_rows` or more gets daily tiles when
        it is asked about again (of 0: at once); the answers are the same bits.
        """
        self.hot_rows = hot_rows
        self._tiles: WeakKeyDictionary[Rows, Any] = WeakKeyDictionary()
        self._asked: WeakSet[Rows] = WeakSet()
        self.catalogue = catalogue
        self._built = kernels
        self.names = tuple(names)
        drafts = {table.name: _Draft(table) for table in catalogue.tables}
        asked: dict[str, list[tuple[int, Ask, Ask | None]]] = {table.name: [] for table in catalogue.tables}
        for place, name in enumerate(self.names):
            variable = catalogue.parse(name)
            draft = drafts[variable.table]
            group = draft.group(variable.filter)
            upper = draft.ask(variable, group, variable.window)
            lower = None
            if variable.is_share:
                lower = draft.ask(variable, 0, variable.window)
            elif variable.over is not None:
                lower = draft.ask(variable, group, variable.over)
            asked[variable.table].append((place, upper, lower))
        self._upper, self._lower, self._below = (np.full(len(self.names), -1, np.int32) for _ in range(3))
        plans: list[TablePlan] = []
        for name, draft in drafts.items():
            if asked[name]:
                plans.append(self._lay_out(draft, asked[name], plans[-1].end if plans else 0))
        self.tables: tuple[TablePlan, ...] = tuple(plans)
        self._local = threading.local()

    def _lay_out(self, draft: _Draft, asked: list[tuple[int, Ask, Ask | None]], first: int) -> TablePlan:
        places = _Places(draft)
        group, place = _ints(upper[0] for _, upper, _ in asked), _ints(place for place, *_ in asked)
        upper = np.fromiter((places.cell(upper) for _, upper, _ in asked), np.int32)
        lower = np.fromiter((-1 if lower is None else places.cell(lower) for *_, lower in asked), np.int32)
        below = np.fromiter((-1 if lower is None else places.cell((lower[0], EVENTS, 0, lower[3], 0)) for *_, lower in asked), np.int32)
        is_share = np.fromiter((lower is not None and self.names[at].endswith("/all") for at, _, lower in asked), np.bool_)
        laid = places.lay_out(first, _Answers(group, place, upper, lower, is_share))
        self._upper[place] = laid.blocks[group] + upper
        divided = lower >= 0
        block = np.where(is_share, laid.first, laid.blocks[group])[divided]
        self._lower[place[divided]], self._below[place[divided]] = block + lower[divided], block + below[divided]
        return laid

    def __len__(self) -> int:
        return len(self.names)

    def one(self, history: History, as_of: Instant, out: Floats | None = None) -> Floats:
        """Give the vector of one person as of an instant, float64 (len(names),), NaN where missing; fresh, or written into `out`.

        Raises: OtherCatalogue, TimeOutOfRange, NaiveTime.
        """
        vector: Floats = np.empty(len(self.names)) if out is None else out
        self._fill(history, instant_us("as_of", as_of), vector)
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
            yield self.arrow(self.batch(some, when), before)

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
            yield self.arrow(self.batch(some, when.to_pylist()), before)

    def kinds(self, histories: History | Sequence[History], as_of: Instant | Sequence[Instant] | Ints) -> NDArray[np.uint8]:
        """Give why each variable is missing: 0 a value, 1 to 4 as `Missing`; uint8 (len(names),), of many histories (people, len(names))."""
        people = [histories] if isinstance(histories, History) else list(histories)
        instants = self._instants(len(people), as_of)
        kinds = np.empty((len(people), len(self.names)), np.uint8)
        for place, history in enumerate(people):
            cells = self._fill(history, instants[place], None)
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

    def _tiles_of(self, plan: TablePlan, rows: Rows) -> Any:
        """Give the tiles of a table of very many rows once it is asked about again; None where it is walked as it is."""
        if self._built is not None and self._built.__name__ != "puhui.engines.variables.kernels":
            return None
        held = self._tiles.get(rows)
        if held is None and (self.hot_rows == 0 or rows in self._asked):
            from puhui.engines.variables.tiling import tiles_of

            held = self._tiles[rows] = tiles_of(plan, rows, _filter_codes(plan, rows))
        self._asked.add(rows)
        return held

    def arrow(self, vectors: Floats, before: list[tuple[str, Any]]) -> Any:
        """Give vectors as an Arrow record batch, after the columns `before`."""
        import pyarrow as pa

        people = len(vectors)
        turned = np.empty((len(self.names), people))
        self._kernels().turn_over(vectors, turned)
        buffer = pa.py_buffer(turned)
        columns = [pa.Array.from_buffers(pa.float64(), people, [None, buffer], 0, place * people) for place in range(len(self.names))]
        schema = pa.schema([(name, array.type) for name, array in before] + [(name, pa.float64()) for name in self.names])
        return pa.RecordBatch.from_arrays([array for _, array in before] + columns, schema=schema)

    def _fill(self, history: History, as_of_us: int, vector: Floats | None) -> Floats:
        """Write the vector; or, if there is none, give the cells with their reasons, which belong to the calling thread until it asks again."""
        if history.catalogue is not self.catalogue and history.catalogue.shape_sha256 != self.catalogue.shape_sha256:
            raise OtherCatalogue(what="history")
        scratch: _Scratch | None = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = _Scratch(self.tables)
        is_narrow = vector is not None
        out, nans, cells = (NOTHING, NANS, scratch.all_cells) if vector is None else (vector, NAN, scratch.cells)
        kernels = self._kernels()
        for plan in self.tables:
            rows = history.tables[plan.table.name]
            if rows is None or not history.is_fetched(plan.table, as_of_us):
                if is_narrow:
                    kernels.leave_out(plan.run_to, plan.run_size, out)
                else:
                    cells[plan.first : plan.end] = nans[Missing.NO_TABLE]
                continue
            filters = plan.families
            tiles = self._tiles_of(plan, rows) if len(rows) >= self.hot_rows else None
            if tiles is not None:
                tiles.fill(plan, rows, as_of_us, plan.narrow if is_narrow else plan.blocks, plan.run_start if is_narrow else plan.no_runs,
                           (cells, scratch.moments, scratch.gaps, nans, out))  # fmt: skip
                continue
            kernels.fill_table(
                as_of_us, rows.event_time, rows.known_time, rows.revision, rows.retracted, rows.slots, rows.is_plain, rows.values, rows.ok,
                rows.codes, _filter_codes(plan, rows), rows.largest, rows.largest_code,
                filters.start, filters.column, filters.map, filters.stride, filters.base, filters.maps, filters.bucket_start, filters.bucket_group,
                plan.window_start, plan.window_last, plan.edge, plan.lengths_of, plan.lanes, plan.strand_start, plan.strand_lane, plan.wanted, plan.wanted_gaps,
                plan.distinct_start, plan.distinct_column, plan.narrow if is_narrow else plan.blocks, plan.quotient_start, plan.quotient_share,
                plan.upper, plan.lower, plan.run_start if is_narrow else plan.no_runs, plan.run_from, plan.run_to, plan.run_size,
                cells, scratch.moments, scratch.whole, scratch.gaps, nans, out,
            )  # fmt: skip
        return cells


class _Scratch:
    """Memory that a thread writes into again and again."""

    def __init__(self, plans: Sequence[TablePlan]) -> None:
        self.moments = np.zeros((10, max((plan.most_items for plan in plans), default=0)))
        self.whole = self.moments.view(np.int64)
        self.gaps = np.zeros((5, max((int(np.diff(plan.window_start).max()) for plan in plans), default=0)), np.int64)
        self.cells = np.empty(max((plan.narrow_cells for plan in plans), default=0))
        self.all_cells = np.empty(plans[-1].end if plans else 0)


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
