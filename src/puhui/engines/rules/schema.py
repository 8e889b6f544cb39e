"""What a compiled strategy is given: columns with types, and how values become whole numbers of a declared scale.

Every column is held as int64, null as NULL: a number as value x 10^scale, a date as days since 1970-01-01, a date and time as seconds since
1970-01-01T00:00:00, a time as seconds since midnight, a duration as nanoseconds, a boolean as 0 or 1, a category or string as its place in the
dictionary of the texts that the model names (one place more stands for any other).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from types import ModuleType
from typing import Any

import numpy as np

from puhui.engines.rules import temporal
from puhui.engines.rules.refusals import BadInput, MissingInput
from puhui.engines.rules.values import NANOS, Date, DateTime, DaysDuration, Time, Trouble

WIDE = Context(prec=60)
EXACT = Context(prec=1200)
"""Holds every double to its last digit."""
FLOAT_DIGITS_MAX = 15
POWERS = [float(10**scale) for scale in range(19)]
"""A decimal of so many digits maps one to one and in order to a double."""
KINDS = ("number", "int64", "category", "string", "boolean", "date", "datetime", "time", "duration")
NULL = -(2**63)
"""Stands for null in a column of whole numbers. No value is so low."""
Ints = np.ndarray[Any, np.dtype[np.int64]]
Marks = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the schema. `precision` and `scale` speak of numbers: at most so many digits, so many behind the point."""

    name: str
    kind: str
    precision: int = 0
    scale: int = 0

    @property
    def bound(self) -> int:
        """No held value is larger, either side of zero."""
        return 10**self.precision - 1 if self.kind == "number" else 2**63 - 1

    def __str__(self) -> str:
        return f"number({self.precision},{self.scale})" if self.kind == "number" else self.kind


def read_schema(schema: object) -> tuple[Field, ...]:
    """Read a mapping of names to types, or an Arrow schema. Raises ValueError where a type is unknown."""
    if isinstance(schema, Mapping):
        return tuple(_field(str(name), str(kind)) for name, kind in schema.items())
    return tuple(_field(one.name, _of_arrow(one.type)) for one in schema)  # type: ignore[attr-defined]


def _field(name: str, kind: str) -> Field:
    found = re.fullmatch(r"\s*number\s*\(\s*([0-9]+)\s*,\s*([0-9]+)\s*\)\s*", kind)
    if found:
        precision, scale = int(found[1]), int(found[2])
        if not 1 <= precision <= 18 or scale > precision:
            raise ValueError(f"column {name}: number({precision},{scale}) does not fit: 1 <= p <= 18, s <= p")
        return Field(name, "number", precision, scale)
    if kind.strip() not in KINDS or kind.strip() == "number":
        raise ValueError(f"column {name}: there is no type {kind}; use number(p,s) or one of {', '.join(KINDS[1:])}")
    return Field(name, kind.strip())


def _of_arrow(kind: object) -> str:
    told = str(kind)
    if found := re.fullmatch(r"decimal(?:32|64|128|256)?\(([0-9]+), ([0-9]+)\)", told):
        return f"number({found[1]},{found[2]})"
    if told.startswith("dictionary"):
        return "category"
    if told.startswith(("timestamp", "date", "time", "duration")):
        return {"times": "datetime", "date3": "date", "date6": "date", "time3": "time", "time6": "time"}.get(told[:5], "duration")
    plain = {"bool": "boolean", "string": "string", "large_string": "string", "double": "number(15,2)", "float": "number(7,2)"}
    return plain.get(told, "int64" if re.fullmatch(r"u?int(8|16|32|64)", told) else told)


# one value


def held(field: Field, value: object, codes: Mapping[str, int], row: int = 0) -> int | None:
    """One value as the int64 that the kernels know; None for null. Raises BadInput, and Trouble where only the interpreter can decide the row."""
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124  (only a NaN differs from itself)
        return None
    if isinstance(value, np.datetime64 | np.timedelta64):
        if np.isnat(value):
            return None
        value = _of_numpy(field, value, row)
    match field.kind:
        case "number" | "int64":
            return _number(field, value, row)
        case "category" | "string":
            if isinstance(value, str):
                return codes.get(value, len(codes))
        case "boolean":
            if isinstance(value, bool | np.bool_):
                return int(value)
        case _:
            return _tick(field, value, row)
    raise BadInput(row=row, column=field.name, why=f"a {type(value).__name__} was given", kind=str(field))


def _number(field: Field, value: object, row: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | np.integer | np.floating):
        raise BadInput(row=row, column=field.name, why=f"a {type(value).__name__} was given", kind=str(field))
    if isinstance(value, float | np.floating):
        scaled = _float(field, float(value), row)
    else:
        exact = WIDE.scaleb(Decimal(value if isinstance(value, Decimal) else int(value)), field.scale)
        if not exact.is_finite() or exact != exact.to_integral_value():
            raise BadInput(row=row, column=field.name, why="it has more places behind the point, or is infinite", kind=str(field))
        scaled = int(exact)
    if abs(scaled) > field.bound:
        raise BadInput(row=row, column=field.name, why="it has too many digits", kind=str(field))
    return scaled


def _float(field: Field, value: float, row: int) -> int:
    if field.kind == "int64":
        if not value.is_integer() or abs(value) >= 10**FLOAT_DIGITS_MAX:
            raise BadInput(row=row, column=field.name, why="the float is no whole number of 15 digits", kind=str(field))
        return int(value)
    if field.precision > FLOAT_DIGITS_MAX:
        raise BadInput(row=row, column=field.name, why="a float holds only 15 digits exactly; give a Decimal or an int", kind=str(field))
    if not abs(value) < 10**FLOAT_DIGITS_MAX:
        raise BadInput(row=row, column=field.name, why="it has too many digits, or is infinite", kind=str(field))
    scaled = value * POWERS[field.scale]
    whole = round(scaled)
    # a product that lies this close to a half may have been rounded across it: such a value is read exactly
    is_close = abs(abs(scaled - whole) - 0.5) <= abs(scaled) * 2.0**-51 + 2.0**-1000
    return _nearest(value, field.scale) if is_close else whole


def _nearest(value: float, scale: int) -> int:
    return int(EXACT.scaleb(Decimal(value), scale).to_integral_value(ROUND_HALF_EVEN))


def _of_numpy(field: Field, value: Any, row: int) -> object:
    """A moment or length of numpy's as Python's, which know microseconds. Refused: BadInput where it is finer or out of their range."""
    unit = "datetime64" if isinstance(value, np.datetime64) else "timedelta64"
    told = value.astype(f"{unit}[D]" if field.kind == "date" else f"{unit}[us]")
    if told != value or isinstance(told.item(), int):
        raise BadInput(row=row, column=field.name, why="it is finer than a microsecond, no whole day, or out of range", kind=str(field))
    return told.item()


def _tick(field: Field, value: object, row: int) -> int:
    if isinstance(value, date | time | timedelta):
        value = temporal.from_python(value)
    match field.kind, value:
        case "date", Date():
            return value.days
        case "datetime", DateTime():
            if value.zone is not None or value.time.nanos % NANOS:
                raise Trouble("a moment with a zone, or finer than a second, is left to the interpreter", code="rules.interpreted")
            return value.local_nanos // NANOS
        case "time", Time():
            if value.zone is not None or value.nanos % NANOS:
                raise Trouble("a time with a zone, or finer than a second, is left to the interpreter", code="rules.interpreted")
            return value.nanos // NANOS
        case "duration", DaysDuration():
            if abs(value.nanos) >= 2**63:
                raise Trouble("so long a duration is left to the interpreter", code="rules.interpreted")
            return value.nanos
    raise BadInput(row=row, column=field.name, why=f"a {type(value).__name__} was given", kind=str(field))


def value_of(field: Field, number: int, texts: Sequence[str]) -> object:
    """A held value as FEEL's. A text beyond the dictionary is not known any more: the caller keeps the row."""
    match field.kind:
        case "number" | "int64":
            return Decimal(number).scaleb(-field.scale, WIDE)
        case "boolean":
            return bool(number)
        case "category" | "string":
            return texts[number]
        case "date":
            return Date.from_days(number)
        case "datetime":
            return DateTime.from_local(number * NANOS, None)
        case "time":
            return Time(number * NANOS)
    return DaysDuration(number)


def exact(field: Field, value: object, row: int = 0) -> object:
    """The FEEL value that the interpreter is given for an input of an artefact: what the kernels see, no more and no less exact."""
    if field.kind in {"category", "string"}:
        held(field, value, {}, row)
        return value if isinstance(value, str) else None
    try:
        number = held(field, value, {}, row)
    except Trouble:
        if isinstance(value, np.datetime64 | np.timedelta64):
            value = _of_numpy(field, value, row)
        return temporal.from_python(value) if isinstance(value, date | time | timedelta) else value
    return None if number is None else value_of(field, number, ())


# many values


def column(columns: Mapping[str, object], name: str) -> object:
    """The column of that name. Refused: MissingInput."""
    if name not in columns:
        raise MissingInput(column=name)
    return columns[name]


def held_column(field: Field, given: object, codes: Mapping[str, int], out: Ints, kernels: ModuleType | None = None) -> list[int]:
    """Write a column as int64 to `out`, NULL for null; give the rows that only the interpreter can decide. By the loops where they are given.

    Refused: BadInput.
    """
    told = _held_column(field, given, codes, out, kernels)
    if told is None:
        return []
    values, nulls, left = told
    np.copyto(out, np.where(nulls, NULL, values))
    return left


def _held_column(
    field: Field, given: object, codes: Mapping[str, int], out: Ints, kernels: ModuleType | None
) -> tuple[Ints, Marks, list[int]] | None:
    """Values, marks of null and rows left over; None where all is written to `out` already."""
    if hasattr(given, "combine_chunks") or hasattr(given, "dictionary_encode"):
        encoded = _encoded(field, given)
        if encoded is not None:
            _coded(encoded, codes, out, kernels)
            return None
        if (integers := _whole_numbers(field, given)) is not None:
            return integers
        if kernels is not None and _read_doubles(field, given, out, kernels):
            return None
    values = _numpy(given)
    if field.kind in {"number", "int64"} and values.dtype.kind in "fiu":
        if kernels is not None and values.dtype.kind == "f" and (field.kind == "int64" or field.precision <= FLOAT_DIGITS_MAX):
            return _floats(field, values, out, kernels)
        return (*_numbers(field, values), [])
    if field.kind == "boolean" and values.dtype.kind == "b":
        return values.astype(np.int64), np.zeros(len(values), bool), []
    if field.kind in {"category", "string"} and values.dtype.kind in "OUS":
        return (*_texts(field, values, codes), [])
    if field.kind in {"date", "datetime"} and values.dtype.kind == "M":
        unit = "D" if field.kind == "date" else "s"
        whole = values.astype(f"datetime64[{unit}]")
        nulls = np.isnat(values)
        if (whole[~nulls] == values[~nulls]).all():
            return np.where(nulls, 0, whole.astype(np.int64)), nulls, []
    out, nulls, left = np.zeros(len(values), np.int64), np.zeros(len(values), bool), []
    for row, value in enumerate(values.tolist() if values.dtype.kind != "M" else values):
        try:
            number = held(field, value, codes, row)
        except Trouble:
            number = None
            left.append(row)
        nulls[row] = number is None
        out[row] = number or 0
    return out, nulls, left


def _floats(field: Field, values: np.ndarray[Any, Any], out: Ints, kernels: ModuleType) -> tuple[Ints, Marks, list[int]] | None:
    """Floats as the loops read them; all again, with care, where one is not plain. Refused: BadInput."""
    is_whole, bound = field.kind == "int64", min(field.bound, 10**FLOAT_DIGITS_MAX - 1)
    if kernels.read_floats(np.ascontiguousarray(values, np.float64), float(10**field.scale), float(bound), is_whole, out):
        return None
    return (*_numbers(field, values), [])


def _read_doubles(field: Field, given: Any, out: Ints, kernels: ModuleType) -> bool:
    """Read one piece of Arrow's doubles where it lies; False where it is something else, or must be read with care."""
    is_loose = field.kind == "int64" or (field.kind == "number" and field.precision <= FLOAT_DIGITS_MAX)
    if not is_loose or str(given.type) != "double" or hasattr(given, "chunks"):
        return False
    values, valid = _buffers(given)
    bound = min(field.bound, 10**FLOAT_DIGITS_MAX - 1)
    is_plain = kernels.read_floats(values, float(10**field.scale), float(bound), field.kind == "int64", out)
    if is_plain and len(valid):
        kernels.blank(valid, out)
    return bool(is_plain)


def _encoded(field: Field, given: Any) -> Any:
    """An Arrow column of texts by its dictionary; None where it is something else."""
    kind = str(given.type)
    if field.kind not in {"category", "string"} or not (kind.startswith("dictionary<values=string") or kind in {"string", "large_string"}):
        return None
    encoded = given if kind.startswith("dictionary") else given.dictionary_encode()
    if hasattr(encoded, "unify_dictionaries"):
        encoded = encoded.unify_dictionaries().combine_chunks()
    return None if hasattr(encoded, "chunks") else encoded


def _coded(encoded: Any, codes: Mapping[str, int], out: Ints, kernels: ModuleType | None) -> None:
    """Write the places of an Arrow dictionary's texts; NULL where it is null."""
    known, indices = encoded.dictionary.to_pylist(), encoded.indices
    places = np.array([*(NULL if text is None else codes.get(text, len(codes)) for text in known), NULL], np.int64)
    if kernels is None:
        whole = indices.cast("int64").fill_null(len(known)) if indices.null_count else indices
        np.copyto(out, places[whole.to_numpy(zero_copy_only=False)])
        return
    own, valid = _buffers(indices)
    kernels.read_codes(own, valid, places, out)


def _buffers(given: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """An Arrow array's own values, and a byte each that says whether it is there (nothing where all are)."""
    bits, data = given.buffers()
    name = {"double": "float64", "float": "float32"}.get(str(given.type), str(given.type))
    values = np.frombuffer(data, name)[given.offset : given.offset + len(given)]
    if not given.null_count:
        return values, np.zeros(0, np.uint8)
    first, skip = divmod(given.offset, 8)
    own = np.frombuffer(bits, np.uint8)[first : first + (skip + len(given) + 7) // 8]
    return values, np.unpackbits(own, bitorder="little")[skip : skip + len(given)]


def _whole_numbers(field: Field, given: Any) -> tuple[Ints, Marks, list[int]] | None:
    """An Arrow column of whole numbers, read without a loop over its rows; None where it is something else. Refused: BadInput."""
    if field.kind not in {"number", "int64"} or not re.fullmatch(r"u?int(8|16|32|64)", str(given.type)):
        return None
    nulls = given.is_null().to_numpy(zero_copy_only=False) if given.null_count else np.zeros(len(given), bool)
    whole = given.fill_null(0) if given.null_count else given
    return _numbers(field, np.asarray(whole.to_numpy() if hasattr(whole, "chunks") else whole.to_numpy(zero_copy_only=False)))[0], nulls, []


def _numpy(given: object) -> np.ndarray[Any, Any]:
    if isinstance(given, np.ndarray):
        return given
    if hasattr(given, "to_numpy"):
        arrow: Any = given.combine_chunks() if hasattr(given, "combine_chunks") else given
        kind = str(getattr(arrow, "type", ""))
        is_plain = kind.startswith(("double", "float", "date32")) or (kind.startswith("timestamp[") and "tz=" not in kind)
        if arrow.null_count and not is_plain:
            return np.array(arrow.to_pylist(), dtype=object)
        if kind.startswith("dictionary"):
            return np.array(arrow.to_pylist(), dtype=object)
        return np.asarray(arrow.to_numpy(zero_copy_only=False))
    return np.array(list(given), dtype=object)  # type: ignore[call-overload]


def _numbers(field: Field, values: np.ndarray[Any, Any]) -> tuple[Ints, Marks]:
    if values.dtype.kind in "iu":
        power = 10**field.scale
        room = field.bound // power
        if len(values) and (int(values.max()) > room or int(values.min()) < -room):
            row = int(np.argmax((values > room) | (values < -room)))
            raise BadInput(row=row, column=field.name, why="it has too many digits", kind=str(field))
        return values.astype(np.int64) * power, np.zeros(len(values), bool)
    floats = values.astype(np.float64)
    nulls = np.isnan(floats)
    if field.kind == "number" and field.precision > FLOAT_DIGITS_MAX:
        raise BadInput(row=0, column=field.name, why="a float holds only 15 digits exactly; give Decimals or ints", kind=str(field))
    bound = float(10**FLOAT_DIGITS_MAX)
    scaled = np.where(nulls, 0.0, floats) * float(10**field.scale)
    whole = np.rint(scaled)
    wrong = ~(np.abs(whole) < bound)
    if field.kind == "number":
        wrong |= np.abs(whole) > field.bound
    else:
        wrong |= whole != scaled
    # a product that lies this close to a half may have been rounded across it: such rows are read exactly
    close = np.abs(np.abs(scaled - whole) - 0.5) <= np.abs(scaled) * 2.0**-51 + 2.0**-1000
    out = np.where(wrong, 0.0, whole).astype(np.int64)
    for place in np.flatnonzero((close | wrong) & ~nulls).tolist():
        out[place] = _number(field, float(floats[place]), place)
    return out, nulls


def _texts(field: Field, values: np.ndarray[Any, Any], codes: Mapping[str, int]) -> tuple[Ints, Marks]:
    other = len(codes)
    out = np.empty(len(values), np.int64)
    nulls = np.zeros(len(values), bool)
    for row, value in enumerate(values.tolist()):
        if isinstance(value, str):
            out[row] = codes.get(value, other)
        elif value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124  (only a NaN differs from itself)
            out[row], nulls[row] = 0, True
        else:
            raise BadInput(row=row, column=field.name, why=f"a {type(value).__name__} was given", kind=str(field))
    return out, nulls
