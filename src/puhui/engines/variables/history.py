"""A person's history: the rows of every table in all their versions, the fetches that brought them, and the consents those stood on."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables import blob as bytes_of
from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.columns import Bools, Coded, Columns, Ints, Raw, instant_us, plain_list, read_columns, read_texts
from puhui.engines.variables.refusals import MissingColumn, NoFetch, NoSuchTable, TooManyRows, TwoTruths
from puhui.engines.variables.tables import MOST_ROWS, Table

Codes = NDArray[np.int32]
Person = int | str
NOWHERE: NDArray[np.intp] = np.zeros(0, np.intp)


@dataclass(frozen=True, slots=True)
class Fetch:
    """A source was asked at `at` under a consent, which ends at `until` (None: no end was said). Instants: aware datetimes or microseconds UTC."""

    at: int | datetime
    consent: str
    until: int | datetime | None = None


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Rows:
    """The rows of one table of one person, sorted by (event_time, event_id, known_time, revision), each exact row once.

    `slots` numbers the events when some event has several versions, and is empty when none has. `codes` holds, for each category and entity
    column, 0 for null, then the listed values, then `others`. Shapes: (n,), values and ok (fields, n), codes (texts, n).
    """

    event_id: Ints
    event_time: Ints
    known_time: Ints
    revision: Ints
    retracted: Bools
    values: Ints
    ok: Bools
    codes: Codes
    others: tuple[tuple[str, ...], ...]
    slots: Codes
    largest: Ints
    largest_code: int
    is_plain: bool

    def __len__(self) -> int:
        return len(self.event_id)

    def raw(self, table: Table) -> Raw:
        """Give the rows as columns again."""
        texts = [Coded(self.codes[place], (*table.category.get(name, ()), *self.others[place])) for place, name in enumerate(table.texts)]
        return Raw(self.event_id, self.event_time, self.known_time, self.revision, self.retracted, self.values, self.ok, tuple(texts))


def rows_of(table: Table, raw: Raw) -> Rows:
    """Sort a person's rows, drop exact repeats, number events of several versions. Raises: TwoTruths, TooManyRows."""
    coded = [texts.by(table.category.get(name, ())) for name, texts in zip(table.texts, raw.texts, strict=True)]
    codes = np.array([column.codes for column in coded], np.int32).reshape(len(coded), len(raw.event_id))
    order = np.lexsort((raw.revision, raw.known_time, raw.event_id, raw.event_time))
    state = [raw.event_id, raw.event_time, raw.known_time, raw.revision, raw.retracted.astype(np.int64), *raw.values, *raw.ok, *codes]
    version = np.lexsort((*reversed(state[4:]), raw.event_time, raw.revision, raw.known_time, raw.event_id))
    same_key, same_row = np.ones(max(len(version) - 1, 0), np.bool_), np.ones(max(len(version) - 1, 0), np.bool_)
    for place, column in enumerate(state):
        equal = column[version][1:] == column[version][:-1]
        same_row &= equal
        if place in {0, 2, 3}:
            same_key &= equal
    if (same_key & ~same_row).any():
        raise TwoTruths(table=table.name)
    repeated = np.zeros(len(version), np.bool_)
    repeated[version[1:][same_row]] = True
    order = order[~repeated[order]]
    if len(order) > MOST_ROWS:
        raise TooManyRows(table=table.name, rows=len(order), most=MOST_ROWS)
    others = tuple(column.values[len(table.category.get(name, ())) :] for name, column in zip(table.texts, coded, strict=True))
    parts = (raw.event_id[order], raw.event_time[order], raw.known_time[order], raw.revision[order], raw.retracted[order])
    return sorted_rows(*parts, raw.values[:, order], raw.ok[:, order], codes[:, order], others)


def sorted_rows(event_id: Ints, event_time: Ints, known_time: Ints, revision: Ints, retracted: Bools, values: Ints, ok: Bools, codes: Codes,
                others: tuple[tuple[str, ...], ...]) -> Rows:  # fmt: skip
    """Put sorted columns together, and work out what the kernel asks first: versions, and the largest size in each field."""
    from puhui.engines.variables import kernels

    event_id, event_time, known_time, revision, values = (np.ascontiguousarray(part) for part in (event_id, event_time, known_time, revision, values))
    retracted, ok, codes = np.ascontiguousarray(retracted), np.ascontiguousarray(ok), np.ascontiguousarray(codes)
    slots, largest = np.zeros(0, np.int32), np.zeros(len(values), np.int64)
    may_repeat, is_retracted, code = kernels.survey(event_id, retracted, values, codes, largest)
    if may_repeat and len(np.unique(event_id)) < len(event_id):
        slots = np.unique(event_id, return_inverse=True)[1].astype(np.int32)
    is_plain = not len(slots) and not is_retracted
    return Rows(event_id, event_time, known_time, revision, retracted, values, ok, codes, others, slots, largest, int(code), is_plain)


class History:
    """What is known of one person: for each table its rows (None: never fetched), and its fetches. Nothing in it is ever edited."""

    __slots__ = ("_ends", "catalogue", "fetches", "tables")

    def __init__(self, catalogue: Catalogue, tables: Mapping[str, Rows | None], fetches: Mapping[str, tuple[Fetch, ...]]) -> None:
        self.catalogue = catalogue
        self.tables = {table.name: tables.get(table.name) for table in catalogue.tables}
        self.fetches = {table.name: fetches.get(table.name, ()) for table in catalogue.tables}
        self._ends: dict[str, int] = {}
        for fetch in (fetch for some in self.fetches.values() for fetch in some):
            if isinstance(fetch.until, int):
                self._ends[fetch.consent] = min(fetch.until, self._ends.get(fetch.consent, fetch.until))

    @classmethod
    def read(cls, catalogue: Catalogue, tables: Mapping[str, Columns | None], *, fetches: Mapping[str, Sequence[Fetch]] | None = None) -> "History":
        """Read a person's tables. A table that needs a consent comes with its fetches (an empty list: never asked); a table asked for that
        brought no rows may be left out.

        Raises: NoSuchTable, NoFetch, TooManyRows, TwoTruths, and the refusals of columns.
        """
        fetches = {} if fetches is None else fetches
        _check_names(catalogue, (*tables, *fetches))
        read: dict[str, Rows | None] = {}
        asked: dict[str, tuple[Fetch, ...]] = {}
        for table in catalogue.tables:
            columns = tables.get(table.name)
            if columns is not None and table.consent and table.name not in fetches:
                raise NoFetch(table=table.name, why=f"it is read under a consent of the kind {table.consent}")
            asked[table.name] = _fetches(table, fetches.get(table.name, ()))
            if columns is None and asked[table.name]:
                columns = {}
            read[table.name] = None if columns is None else rows_of(table, read_columns(table, columns))
        return cls(catalogue, read, asked)

    def append(self, table: str, more: Columns, fetches: Sequence[Fetch] = ()) -> "History":
        """Give the history with more rows and fetches of one table. Raises: as `read`."""
        _check_names(self.catalogue, (table,))
        declared = next(one for one in self.catalogue.tables if one.name == table)
        raw = read_columns(declared, more)
        before = self.tables[table]
        rows = rows_of(declared, raw if before is None else raw.after(before.raw(declared)))
        asked = _fetches(declared, (*self.fetches[table], *fetches))
        return History(self.catalogue, {**self.tables, table: rows}, {**self.fetches, table: asked})

    def only(self, *tables: str) -> "History":
        """Give the history with these tables and their fetches alone."""
        _check_names(self.catalogue, tables)
        return History(self.catalogue, {name: self.tables[name] for name in tables}, {name: self.fetches[name] for name in tables})

    def beside(self, other: "History") -> "History":
        """Give both histories of a person, which have no table in common, as one."""
        both = {name for name, rows in self.tables.items() if rows is not None and other.tables[name] is not None}
        assert not both, f"both have {both}"
        tables = {name: other.tables[name] if rows is None else rows for name, rows in self.tables.items()}
        return History(self.catalogue, tables, {name: self.fetches[name] or other.fetches[name] for name in self.fetches})

    def is_fetched(self, table: Table, as_of_us: int) -> bool:
        """Whether the table is there as of an instant: our own log always; another's once asked, under a consent that still lives."""
        if self.tables[table.name] is None:
            return False
        if not table.consent:
            return True
        for fetch in self.fetches[table.name]:
            assert isinstance(fetch.at, int)
            end = self._ends.get(fetch.consent)
            if fetch.at <= as_of_us and (end is None or as_of_us < end):
                return True
        return False

    def blob(self) -> bytes:
        """The history as compact bytes; equal histories give equal bytes."""
        return bytes_of.pack(self.catalogue, self.tables, self.fetches)

    @classmethod
    def from_blob(cls, catalogue: Catalogue, data: bytes, *, tables: Collection[str] | None = None) -> "History":
        """Read a blob; only these tables of it, if they are named (for a plan that asks no others). Raises: DamagedBlob, OtherCatalogue."""
        parts_of, fetches = bytes_of.unpack(catalogue, data, tables)
        read = {name: None if parts is None else sorted_rows(*parts) for name, parts in parts_of.items()}
        return cls(catalogue, read, {name: tuple(Fetch(*facts) for facts in some) for name, some in fetches.items()})


class Histories(Sequence[History]):
    """Many people's histories, in the order of their `persons`."""

    def __init__(self, persons: Sequence[Person], histories: Sequence[History]) -> None:
        self.persons = tuple(persons)
        self._histories = tuple(histories)

    @classmethod
    def read(cls, catalogue: Catalogue, tables: Mapping[str, Columns | None], fetches: Columns | None = None) -> "Histories":
        """Read tables that have a column `person` (whole numbers, or texts), and a table of fetches (`person, table, at, consent, until`).

        A table of our own is there for everybody once it is given; another's for those with a fetch of it. Raises: as `History.read`.
        """
        _check_names(catalogue, tables)
        asked = _asked(catalogue, fetches)
        raws: dict[str, Raw] = {}
        places: dict[str, dict[Person, NDArray[np.intp]]] = {}
        for table in catalogue.tables:
            columns = tables.get(table.name)
            if columns is None:
                continue
            if table.consent and fetches is None:
                raise NoFetch(table=table.name, why=f"it is read under a consent of the kind {table.consent}")
            raws[table.name] = read_columns(table, columns)
            places[table.name] = _places(_persons(table.name, columns))
        everybody = sorted({person for some in places.values() for person in some} | set(asked), key=lambda person: (isinstance(person, str), person))
        return cls(everybody, [_one(catalogue, person, raws, places, asked.get(person, {})) for person in everybody])

    def __len__(self) -> int:
        return len(self._histories)

    def __getitem__(self, place: Any) -> Any:
        return self._histories[place]

    def __iter__(self) -> Iterator[History]:
        return iter(self._histories)


def _one(catalogue: Catalogue, person: Person, raws: dict[str, Raw], places: dict[str, dict[Person, NDArray[np.intp]]],
         asked: dict[str, list[Fetch]]) -> History:  # fmt: skip
    read: dict[str, Rows | None] = {}
    fetches: dict[str, tuple[Fetch, ...]] = {}
    for table in catalogue.tables:
        raw, own = raws.get(table.name), places.get(table.name, {}).get(person, NOWHERE)
        fetches[table.name] = _fetches(table, asked.get(table.name, ()))
        if len(own) or fetches[table.name] or (raw is not None and not table.consent):
            rows = read_columns(table, {}) if raw is None else raw.take(own)
            read[table.name] = rows_of(table, rows)
    return History(catalogue, read, fetches)


def _asked(catalogue: Catalogue, fetches: Columns | None) -> dict[Person, dict[str, list[Fetch]]]:
    asked: dict[Person, dict[str, list[Fetch]]] = {}
    if fetches is None:
        return asked
    columns = {name: plain_list(_column("fetches", fetches, name)) for name in ("table", "at", "consent", "until")}
    for place, person in enumerate(_persons("fetches", fetches)):
        table = columns["table"][place]
        _check_names(catalogue, (table,))
        fetch = Fetch(columns["at"][place], columns["consent"][place], columns["until"][place])
        asked.setdefault(person, {}).setdefault(table, []).append(fetch)
    return asked


def _persons(table: str, columns: Columns) -> list[Person]:
    column = _column(table, columns, "person")
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        return list(column.tolist())
    entries = plain_list(column)
    kinds = set(map(type, entries))
    if len(kinds) > 1 or not kinds <= {int, str}:
        raise MissingColumn(table=table, column="person", why="a person is a whole number or a text, the same everywhere")
    return entries if int in kinds or not entries else [text or "" for text in read_texts(table, "person", entries).texts()]


def _column(table: str, columns: Columns, name: str) -> Any:
    try:
        return columns[name]
    except (KeyError, IndexError) as wrong:
        raise MissingColumn(table=table, column=name, why="it is not there") from wrong


def _places(persons: list[Person]) -> dict[Person, NDArray[np.intp]]:
    """Give where the rows of each person lie."""
    numbers: dict[Person, int] = {}
    coded = np.fromiter((numbers.setdefault(person, len(numbers)) for person in persons), np.int64, len(persons))
    order = np.argsort(coded, kind="stable")
    ends = np.cumsum(np.bincount(coded, minlength=len(numbers)))
    return {person: order[ends[number - 1] if number else 0 : ends[number]] for person, number in numbers.items()}


def _fetches(table: Table, fetches: Sequence[Fetch]) -> tuple[Fetch, ...]:
    if fetches and not table.consent:
        raise NoFetch(table=table.name, why="it is our own log, which nobody fetches")
    read = set()
    for fetch in fetches:
        if not isinstance(fetch.consent, str) or not fetch.consent:
            raise NoFetch(table=table.name, why="a fetch names the consent it stands on")
        until = None if fetch.until is None else instant_us(f"the end of a consent of {table.name}", fetch.until)
        read.add(Fetch(instant_us(f"a fetch of {table.name}", fetch.at), fetch.consent, until))
    return tuple(sorted(read, key=lambda fetch: (fetch.at, fetch.consent, -1 if fetch.until is None else fetch.until)))


def _check_names(catalogue: Catalogue, names: Sequence[str] | Mapping[str, object]) -> None:
    for name in names:
        if not isinstance(name, str) or catalogue.table(name) is None:
            raise NoSuchTable(table=name, tables=", ".join(table.name for table in catalogue.tables))
