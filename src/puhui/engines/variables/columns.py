"""Columns at the door: whatever a caller brings becomes whole numbers, times and texts, or is refused with a code. Never a wrong number.

A column may be a list (None is null), a numpy array, or an Arrow array; a float is refused even when it is whole. No refusal shows a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables.refusals import MissingColumn, NaiveTime, NotWhole, NumberOutOfRange, TimeOutOfRange
from puhui.engines.variables.tables import NUMBER_BELOW, TIME_BELOW_US, Table

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Columns = Mapping[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_us(what: str, value: object) -> int:
    """Read an instant: whole microseconds since 1970-01-01 UTC, or an aware datetime. Raises: NaiveTime, NotWhole, TimeOutOfRange."""
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise NaiveTime(what=what)
        value = (value - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise NotWhole(table="-", column=what, why="an instant is whole microseconds or an aware datetime")
    if not 0 <= int(value) < TIME_BELOW_US:
        raise TimeOutOfRange(what=what)
    return int(value)


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A column of texts: code 0 is null, code k the k-th of `values`."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    def texts(self) -> list[str | None]:
        """Give the entries themselves."""
        words = (None, *self.values)
        return [words[code] for code in self.codes.tolist()]

    def after(self, other: "Coded") -> "Coded":
        """Give the other's entries, then these."""
        moved = np.where(self.codes > 0, self.codes + len(other.values), 0)
        return Coded(np.concatenate((other.codes, moved)).astype(np.int32), other.values + self.values)

    def by(self, listed: Sequence[str]) -> "Coded":
        """Code anew: the listed values in their order, whether there or not, then the others that are there, in the order of their code points."""
        present, inverse = np.unique(self.codes, return_inverse=True)
        texts = [None if code == 0 else self.values[code - 1] for code in present.tolist()]
        known = {value: place for place, value in enumerate(listed, 1)}
        others = sorted({text for text in texts if text is not None and text not in known})
        known.update({value: place for place, value in enumerate(others, len(listed) + 1)})
        fresh = np.array([0 if text is None else known[text] for text in texts], np.int32)
        return Coded(fresh[inverse] if len(present) else self.codes, (*listed, *others))


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """The checked columns of one table, in the order they came: one array or list entry a row."""

    event_id: Ints
    event_time: Ints
    known_time: Ints
    revision: Ints
    retracted: Bools
    values: Ints
    ok: Bools
    texts: tuple[Coded, ...]

    def take(self, index: NDArray[np.intp]) -> "Raw":
        """Give the rows at these places."""
        texts = tuple(Coded(column.codes[index], column.values) for column in self.texts)
        whole = (self.event_id, self.event_time, self.known_time, self.revision)
        ids, times, known, revisions = (array[index] for array in whole)
        return Raw(ids, times, known, revisions, self.retracted[index], self.values[:, index], self.ok[:, index], texts)

    def after(self, other: "Raw") -> "Raw":
        """Give the other's rows, then these."""
        pairs = ((getattr(other, name), getattr(self, name)) for name in ("event_id", "event_time", "known_time", "revision", "retracted"))
        ids, times, known, revisions, retracted = (np.concatenate(pair) for pair in pairs)
        texts = tuple(after.after(before) for before, after in zip(other.texts, self.texts, strict=True))
        values, ok = np.concatenate((other.values, self.values), axis=1), np.concatenate((other.ok, self.ok), axis=1)
        return Raw(ids, times, known, revisions, retracted.astype(np.bool_), values, ok, texts)


def read_columns(table: Table, columns: Columns) -> Raw:
    """Check a table's columns. A mapping without any column is a table without rows; columns nobody declared are not looked at.

    Raises: MissingColumn, NotWhole, NumberOutOfRange, TimeOutOfRange, NaiveTime.
    """
    given = _mapping(table, columns)
    empty = not given
    rows = 0 if empty else _length(next(iter(given.values())))

    def column(name: str) -> Any:
        if empty:
            return []
        if name not in given:
            raise MissingColumn(table=table.name, column=name, why="it is not there")
        if _length(given[name]) != rows:
            raise MissingColumn(table=table.name, column=name, why="its length differs from the first column's")
        return given[name]

    event_id = _full(table, "event_id", *_whole(table, "event_id", column("event_id")))
    if rows and int(event_id.min()) < 0:
        raise NumberOutOfRange(table=table.name, column="event_id", why="an event_id is not negative")
    times = [_times(table, name, column(name)) for name in ("event_time", "known_time")]
    revision = _full(table, "revision", *_whole(table, "revision", column("revision"))) if "revision" in given else np.zeros(rows, np.int64)
    retracted = _yes_no(table, "retracted", column("retracted")) if "retracted" in given else np.zeros(rows, np.bool_)
    values, ok = np.zeros((len(table.fields), rows), np.int64), np.zeros((len(table.fields), rows), np.bool_)
    for place, name in enumerate(table.fields):
        values[place], ok[place] = _whole(table, name, column(name))
        if rows and (int(values[place].max()) >= NUMBER_BELOW or int(values[place].min()) <= -NUMBER_BELOW):
            raise NumberOutOfRange(table=table.name, column=name, why="a number's size is below 2^40")
    texts = tuple(read_texts(table.name, name, column(name)) for name in table.texts)
    return Raw(event_id, times[0], times[1], revision, retracted, values, ok, texts)


def _mapping(table: Table, columns: Any) -> dict[str, Any]:
    if hasattr(columns, "column_names"):
        return {name: columns.column(name) for name in columns.column_names}
    schema = getattr(columns, "schema", None)
    if schema is not None:
        return {name: columns.column(name) for name in schema.names}
    if not isinstance(columns, Mapping):
        raise MissingColumn(table=table.name, column="-", why="a table is an Arrow table or batch, or a mapping of columns")
    return dict(columns)


def _length(column: Any) -> int:
    try:
        return len(column)
    except TypeError:
        return -1


def plain_list(column: Any) -> list[Any]:
    """Give a column's entries as Python objects; None is null."""
    if hasattr(column, "to_pylist"):
        return list(column.to_pylist())
    if isinstance(column, np.ndarray):
        return list(column.tolist())
    return list(column)


def _whole(table: Table, name: str, column: Any) -> tuple[Ints, Bools]:
    """Give int64 (0 where null) and which are not null."""
    if hasattr(column, "to_numpy") and hasattr(column, "null_count"):
        column = _from_arrow(table, name, column)
        if hasattr(column, "null_count") and column.null_count < len(column):
            column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
            whole, _ = _whole(table, name, column.fill_null(0).to_numpy(zero_copy_only=False))
            return whole, np.asarray(column.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    if isinstance(column, np.ndarray) and not isinstance(column, np.ma.MaskedArray) and column.dtype != np.object_:
        if column.ndim != 1 or column.dtype.kind not in "iu":
            if column.size == 0 and column.ndim == 1:
                return np.zeros(0, np.int64), np.zeros(0, np.bool_)
            raise NotWhole(table=table.name, column=name, why=f"an array of {column.dtype} is not one of whole numbers")
        if column.dtype.kind == "u" and column.size and int(column.max()) >= 1 << 63:
            raise NumberOutOfRange(table=table.name, column=name, why="it is beyond 64 bits")
        return column.astype(np.int64), np.ones(len(column), np.bool_)
    entries = plain_list(column)
    for entry in entries:
        if entry is not None and (isinstance(entry, bool | np.bool_) or not isinstance(entry, int | np.integer)):
            raise NotWhole(table=table.name, column=name, why=f"an entry is {type(entry).__name__}")
        if entry is not None and not -(1 << 63) <= int(entry) < 1 << 63:
            raise NumberOutOfRange(table=table.name, column=name, why="it is beyond 64 bits")
    ok = np.array([entry is not None for entry in entries], np.bool_)
    return np.array([0 if entry is None else int(entry) for entry in entries], np.int64), ok


def _from_arrow(table: Table, name: str, column: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_null(column.type):
        return column
    if not pa.types.is_integer(column.type):
        raise NotWhole(table=table.name, column=name, why=f"Arrow {column.type} is not a whole number")
    return column if column.null_count else column.to_numpy()


def _full(table: Table, name: str, values: Ints, ok: Bools) -> Ints:
    if not ok.all():
        raise NotWhole(table=table.name, column=name, why="it may not be null")
    return values


def _times(table: Table, name: str, column: Any) -> Ints:
    what = f"{table.name}.{name}"
    if hasattr(column, "to_numpy") and hasattr(column, "null_count"):
        column = _arrow_times(table, name, column)
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        raise NaiveTime(what=what)
    if not isinstance(column, np.ndarray):
        column = [instant_us(what, entry) if isinstance(entry, datetime) else entry for entry in plain_list(column)]
    values = _full(table, name, *_whole(table, name, column))
    if len(values) and (int(values.min()) < 0 or int(values.max()) >= TIME_BELOW_US):
        raise TimeOutOfRange(what=what)
    return values


def _arrow_times(table: Table, name: str, column: Any) -> Any:
    import pyarrow as pa

    if not pa.types.is_timestamp(column.type):
        return column
    if column.type.tz is None:
        raise NaiveTime(what=f"{table.name}.{name}")
    try:
        return column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid as wrong:
        raise NotWhole(table=table.name, column=name, why="a time is finer than a microsecond, or too far away") from wrong


def _yes_no(table: Table, name: str, column: Any) -> Bools:
    entries = plain_list(column)
    if any(not isinstance(entry, bool | np.bool_) for entry in entries):
        raise NotWhole(table=table.name, column=name, why="it is true or false, never null")
    return np.array(entries, np.bool_)


def read_texts(table: str, name: str, column: Any) -> Coded:
    """Read a column of texts; an empty text is null. Raises: MissingColumn (an entry is no text)."""
    if hasattr(column, "to_numpy") and hasattr(column, "null_count"):
        coded = _arrow_texts(column)
        if coded is not None:
            return coded
    entries = plain_list(column)
    for kind in set(map(type, entries)):
        if kind is not type(None) and not issubclass(kind, str):
            raise MissingColumn(table=table, column=name, why=f"an entry is {kind.__name__}, not a text")
    values = tuple(dict.fromkeys(str(entry) for entry in entries if entry))
    try:
        for value in values:
            value.encode()
    except UnicodeEncodeError as wrong:
        raise MissingColumn(table=table, column=name, why="an entry is no Unicode text") from wrong
    known: dict[str | None, int] = {value: place for place, value in enumerate(values, 1)}
    return Coded(np.array([known.get(entry, 0) for entry in entries], np.int32), values)


def _arrow_texts(column: Any) -> Coded | None:
    """Read an Arrow column of texts by its dictionary; None if it is none."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    if hasattr(column, "chunks"):
        column = pa.concat_arrays([chunk.dictionary_encode() for chunk in column.chunks]) if column.num_chunks else pa.array([], kind)
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    values = coded.dictionary.to_pylist()
    places = np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64) + 1
    blank = [place for place, value in enumerate(values, 1) if not value]
    if blank:
        places[np.isin(places, blank)] = 0
    return Coded(places.astype(np.int32), tuple(value or "" for value in values))
