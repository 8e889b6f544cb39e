"""Names: a variable is its name. Text in, a value out, and the same text again."""

import functools
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes

from puhui.engines.variables.refusals import NoSuchVariable
from puhui.engines.variables.tables import Kind, Table

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
AGGREGATES = ("sum", "mean", "min", "max", "range", "std", "cv", "first", "last", "trend")
RATIO_AGGREGATES = ("sum", "mean", "max")
GAPS = ("mean", "min", "max", "std")


class Form(StrEnum):
    """What a variable asks of a group's rows."""

    FIELD = "field"
    COUNT = "count"
    GAP = "gap"
    DISTINCT = "distinct"
    RECENCY = "recency"
    TENURE = "tenure"


class Span(StrEnum):
    """How a window is measured."""

    DAYS = "d"
    HOURS = "h"
    LAST = "last"
    EVER = "ever"


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a group's rows: the last `size` days or hours before A, the newest `size` rows, or all of them."""

    span: Span
    size: int = 0

    def __str__(self) -> str:
        match self.span:
            case Span.EVER:
                return "ever"
            case Span.LAST:
                return f"last{self.size}"
            case Span.DAYS | Span.HOURS:
                return f"{self.size}{self.span}"

    @property
    def is_time(self) -> bool:
        """Measured in days or hours."""
        return self.span in {Span.DAYS, Span.HOURS}

    @property
    def length_us(self) -> int:
        """The length of days or hours, in microseconds."""
        assert self.is_time, self
        return self.size * (DAY_US if self.span is Span.DAYS else HOUR_US)


@dataclass(frozen=True, slots=True)
class Clause:
    """A category column is one of these values (sorted, each once)."""

    column: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.column}={'|'.join(escape(value) for value in self.values)}"


@dataclass(frozen=True, slots=True)
class Variable:
    """One question about one person's history; `str` is its only spelling.

    `over` is the wider window of a ratio; `is_share` divides by the same of every visible row (`/all`).
    """

    table: str
    form: Form
    column: str = ""
    aggregate: str = ""
    window: Window | None = None
    over: Window | None = None
    filter: tuple[Clause, ...] = ()
    is_share: bool = False

    def __str__(self) -> str:
        where = f"[{'&'.join(map(str, self.filter))}]" if self.filter else ""
        window = "" if self.window is None else f".{self.window}" + ("" if self.over is None else f"/{self.over}")
        match self.form:
            case Form.FIELD:
                body = f"{self.column}.{self.aggregate}"
            case Form.GAP:
                body = f"gap.{self.aggregate}"
            case Form.DISTINCT:
                body = f"distinct.{self.column}"
            case Form.COUNT | Form.RECENCY | Form.TENURE:
                body = str(self.form)
        return f"{self.table}.{body}{window}{where}{'/all' if self.is_share else ''}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns this variable names, sorted."""
        return tuple(sorted({*(clause.column for clause in self.filter), *([self.column] if self.column else [])}))


_PLAIN = re.compile(r"[A-Za-z0-9_.\-\u4e00-\u9fff]+")
_WINDOW = re.compile(r"0*([1-9][0-9]{0,999})([dh])|last0*([1-9][0-9]{0,999})|(ever)")


def escape(value: str) -> str:
    """Write a category's value as names write it. Raises UnicodeEncodeError for half a surrogate pair."""
    if _PLAIN.fullmatch(value):
        return value
    return "".join(char if _PLAIN.fullmatch(char) else "".join(f"%{byte:02X}" for byte in char.encode()) for char in value)


@functools.lru_cache(4096)
def window_of(text: str) -> Window | None:
    """Read a window, however it is spelled; None if it is none."""
    found = _WINDOW.fullmatch(text)
    if not found:
        return None
    size, unit, last, _ = found.groups()
    if size:
        hours = int(size) * (24 if unit == "d" else 1)
        return Window(Span.DAYS, hours // 24) if hours % 24 == 0 else Window(Span.HOURS, hours)
    return Window(Span.LAST, int(last)) if last else Window(Span.EVER)


@functools.lru_cache(65536)
def filter_of(text: str) -> tuple[Clause, ...] | str:
    """Read what stands between the brackets, in whatever order; a text says why it cannot be read."""
    clauses = []
    for part in text.split("&"):
        column, equals, values = part.partition("=")
        if not equals:
            return f"a clause reads column=value, not {part!r}"
        try:
            texts = {unquote_to_bytes(value).decode() for value in values.split("|")}
        except (UnicodeDecodeError, UnicodeEncodeError):
            return "a value's escapes are not UTF-8"
        if "" in texts:
            return "a value is empty; an empty text is null, and null belongs to no filter"
        clauses.append(Clause(column, tuple(sorted(texts))))
    if len({clause.column for clause in clauses}) != len(clauses):
        return "a column stands in two clauses"
    return tuple(sorted(clauses, key=lambda clause: clause.column))


def parse(text: str, tables: dict[str, Table]) -> Variable:
    """Read one name. Raises: NoSuchVariable, also for another spelling, and then it shows the right one."""
    variable = _read(text, tables)
    right = str(variable)
    if right != text:
        raise NoSuchVariable(name=_shown(text), why=f"write it {_shown(right)}")
    return variable


def _shown(text: str) -> str:
    text = text if len(text) <= 200 else f"{text[:200]}..."
    return text.encode("utf-8", "backslashreplace").decode()


def _read(text: str, tables: dict[str, Table]) -> Variable:
    def no(why: str) -> NoSuchVariable:
        return NoSuchVariable(name=_shown(text), why=why)

    is_share = text.endswith("/all")
    rest = text[:-4] if is_share else text
    clauses: tuple[Clause, ...] = ()
    if rest.endswith("]"):
        rest, _, inside = rest[:-1].partition("[")
        read = filter_of(inside)
        if isinstance(read, str):
            raise no(read)
        clauses = read
    elif is_share:
        raise no("/all stands after a filter")
    name, _, body = rest.partition(".")
    table = tables.get(name)
    if table is None:
        raise no(f"the tables are {', '.join(tables)}")
    for clause in clauses:
        if table.kind(clause.column) is not Kind.CATEGORY:
            raise no(f"{_shown(clause.column)} is no category column of {name}")
    variable = _body(table, tuple(body.split(".")), clauses, is_share=is_share)
    if isinstance(variable, str):
        raise no(variable)
    if is_share and (variable.over is not None or not (variable.form is Form.COUNT or variable.aggregate == "sum")):
        raise no("/all goes with a count or a column's sum over one window")
    return variable


def _body(table: Table, parts: tuple[str, ...], clauses: tuple[Clause, ...], *, is_share: bool) -> Variable | str:
    match parts:
        case ("recency" | "tenure" as word,):
            return "/all goes with a count or a column's sum" if is_share else Variable(table.name, Form(word), filter=clauses)
        case ("count", cut):
            form, column, aggregate, may_ratio = Form.COUNT, "", "", True
        case ("gap", aggregate, cut) if aggregate in GAPS:
            form, column, may_ratio = Form.GAP, "", False
        case ("distinct", column, cut) if table.kind(column) in {Kind.CATEGORY, Kind.ENTITY}:
            form, aggregate, may_ratio = Form.DISTINCT, "", False
        case (column, aggregate, cut) if table.kind(column) in {Kind.MONEY, Kind.NUMBER} and aggregate in AGGREGATES:
            form, may_ratio = Form.FIELD, aggregate in RATIO_AGGREGATES
        case _:
            return f"table {table.name} has the columns {', '.join((*table.fields, *table.texts))}; read the grammar of names"
    if is_share and form is Form.GAP:
        return "/all goes with a count or a column's sum"
    narrow, slash, wide = cut.partition("/")
    window, over = window_of(narrow), window_of(wide) if slash else None
    if window is None or (slash and over is None):
        return "a window is 30d, 6h, last10 or ever"
    if over is not None:
        if not may_ratio:
            return "a ratio goes with a count, or with a column's sum, mean or max"
        if not is_narrower(window, over):
            return "a ratio divides a narrower window by a wider one of its kind, or days or hours by ever"
    return Variable(table.name, form, column, aggregate, window, over, clauses, is_share)


def is_narrower(window: Window, over: Window) -> bool:
    """Whether the two make a ratio."""
    if window.is_time and over.is_time:
        return window.length_us < over.length_us
    if window.span is Span.LAST and over.span is Span.LAST:
        return window.size < over.size
    return window.is_time and over.span is Span.EVER
