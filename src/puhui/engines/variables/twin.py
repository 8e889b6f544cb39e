"""The slow twin: sections 4 to 7 of the meaning in plain whole numbers of Python, one variable at a time. Only proofs and tests import it.

It shares the names and the read rows with the kernel, and none of the arithmetic.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from puhui.engines.variables.history import History
from puhui.engines.variables.missing import Missing
from puhui.engines.variables.names import Form, Span, Variable, Window
from puhui.engines.variables.tables import Table

HOUR_US, SECOND_US, DAY_US, DAY_SECONDS = 3_600_000_000, 1_000_000, 86_400_000_000, 86_400


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the twin sees it; a null is None."""

    event_id: int
    event_time: int
    known_time: int
    revision: int
    retracted: bool
    values: dict[str, int | None]
    texts: dict[str, str | None]


Answer = float | Missing


def answers(history: History, as_of_us: int, variables: Sequence[Variable]) -> list[Answer]:
    """Give the value of each variable as of an instant, or why it is missing."""
    rows = {table.name: visible(history, table, as_of_us) for table in history.catalogue.tables}
    return [answer(rows[variable.table], as_of_us, variable) for variable in variables]


def answer(rows: list[Row] | None, as_of_us: int, variable: Variable) -> Answer:
    """Give the value of a variable over the visible rows of its table (None: absent), or why it is missing."""
    if rows is None:
        return Missing.NO_TABLE
    group = [row for row in rows if all(row.texts[clause.column] in clause.values for clause in variable.filter)]
    if variable.is_share:
        assert variable.window is not None
        return _quotient(_value(cut(group, variable.window, as_of_us), variable, as_of_us), cut(rows, variable.window, as_of_us), variable, as_of_us)
    if variable.over is not None:
        assert variable.window is not None
        return _quotient(_value(cut(group, variable.window, as_of_us), variable, as_of_us), cut(group, variable.over, as_of_us), variable, as_of_us)
    return _value(group if variable.window is None else cut(group, variable.window, as_of_us), variable, as_of_us)


def rows_of(history: History, table: Table) -> list[Row]:
    """Give every stored row of a table, all versions."""
    stored = history.tables[table.name]
    assert stored is not None
    raw = stored.raw(table)
    texts = [column.texts() for column in raw.texts]
    return [
        Row(
            int(raw.event_id[i]), int(raw.event_time[i]), int(raw.known_time[i]), int(raw.revision[i]), bool(raw.retracted[i]),
            {name: int(raw.values[f, i]) if raw.ok[f, i] else None for f, name in enumerate(table.fields)},
            {name: texts[t][i] for t, name in enumerate(table.texts)},
        )
        for i in range(len(stored))
    ]  # fmt: skip


def is_present(history: History, table: Table, as_of_us: int) -> bool:
    """Section 5, step 0."""
    if history.tables[table.name] is None:
        return False
    if not table.consent:
        return True
    everything = [fetch for some in history.fetches.values() for fetch in some]
    for fetch in history.fetches[table.name]:
        ends = [int(other.until) for other in everything if other.consent == fetch.consent and isinstance(other.until, int)]
        if isinstance(fetch.at, int) and fetch.at <= as_of_us and all(as_of_us < end for end in ends):
            return True
    return False


def visible(history: History, table: Table, as_of_us: int) -> list[Row] | None:
    """Section 5, steps 0 to 4: the visible rows, oldest first; None if the table is absent."""
    if not is_present(history, table, as_of_us):
        return None
    force: dict[int, Row] = {}
    for row in rows_of(history, table):
        if row.known_time > as_of_us:
            continue
        other = force.get(row.event_id)
        if other is None or (row.known_time, row.revision) > (other.known_time, other.revision):
            force[row.event_id] = row
    rows = [row for row in force.values() if not row.retracted and row.event_time < as_of_us]
    return sorted(rows, key=lambda row: (row.event_time, row.event_id))


def cut(group: list[Row], window: Window, as_of_us: int) -> list[Row]:
    """Cut a group by a window."""
    match window.span:
        case Span.EVER:
            return group
        case Span.LAST:
            return group[-window.size :]
        case Span.DAYS:
            length = window.size * DAY_US
        case Span.HOURS:
            length = window.size * HOUR_US
    return [row for row in group if as_of_us - length <= row.event_time < as_of_us]


def _value(rows: list[Row], variable: Variable, as_of_us: int) -> Answer:
    match variable.form:
        case Form.COUNT:
            return float(len(rows))
        case Form.DISTINCT:
            found = {row.texts[variable.column] for row in rows} - {None}
            return float(len(found)) if found or not rows else Missing.NULL_FIELD
        case Form.RECENCY | Form.TENURE:
            if not rows:
                return Missing.NO_EVENT
            row = rows[-1] if variable.form is Form.RECENCY else rows[0]
            return float(as_of_us - row.event_time) / float(DAY_US)
        case Form.GAP:
            return _gap([row.event_time // SECOND_US for row in rows], variable.aggregate)
        case Form.FIELD:
            if not rows:
                return 0.0 if variable.aggregate == "sum" else Missing.NO_EVENT
            pairs = [(row.event_time // HOUR_US, value) for row in rows if (value := row.values[variable.column]) is not None]
            return _aggregate(pairs, variable.aggregate) if pairs else Missing.NULL_FIELD


def _aggregate(pairs: list[tuple[int, int]], aggregate: str) -> Answer:
    values = [value for _, value in pairs]
    n, s1, s2 = len(values), sum(values), sum(value * value for value in values)
    match aggregate:
        case "sum":
            return float(s1)
        case "min":
            return float(min(values))
        case "max":
            return float(max(values))
        case "mean":
            return float(s1) / float(n) + 0.0
        case "range":
            return float(max(values) - min(values))
        case "first":
            return float(values[0])
        case "last":
            return float(values[-1])
        case "std":
            return Missing.UNDEFINED if n < 2 else math.sqrt(float(n * s2 - s1 * s1) / float(n * (n - 1)))
        case "cv":
            if n < 2 or s1 == 0:
                return Missing.UNDEFINED
            return math.sqrt(float(n * s2 - s1 * s1) / float(n * (n - 1))) / abs(float(s1) / float(n))
        case _:
            return _trend(pairs)


def _trend(pairs: list[tuple[int, int]]) -> Answer:
    n = len(pairs)
    su, s1 = sum(hour for hour, _ in pairs), sum(value for _, value in pairs)
    suu, sux = sum(hour * hour for hour, _ in pairs), sum(hour * value for hour, value in pairs)
    below = n * suu - su * su
    if n < 2 or below == 0:
        return Missing.UNDEFINED
    return float(24 * (n * sux - su * s1)) / float(below) + 0.0


def _gap(seconds: list[int], aggregate: str) -> Answer:
    if not seconds:
        return Missing.NO_EVENT
    gaps = [after - before for before, after in itertools.pairwise(seconds)]
    k = len(gaps)
    if k < (2 if aggregate == "std" else 1):
        return Missing.UNDEFINED
    g1, g2 = sum(gaps), sum(gap * gap for gap in gaps)
    match aggregate:
        case "mean":
            return float(g1) / float(DAY_SECONDS * k)
        case "min":
            return float(min(gaps)) / float(DAY_SECONDS)
        case "max":
            return float(max(gaps)) / float(DAY_SECONDS)
        case _:
            return math.sqrt(float(k * g2 - g1 * g1) / float(k * (k - 1))) / float(DAY_SECONDS)


def _quotient(upper: Answer, wider: list[Row], variable: Variable, as_of_us: int) -> Answer:
    if not wider:
        return Missing.NO_EVENT
    if isinstance(upper, Missing):
        return upper
    lower = _value(wider, variable, as_of_us)
    if isinstance(lower, Missing):
        return lower
    return Missing.UNDEFINED if lower == 0.0 else upper / lower + 0.0


def is_nearest(whole: int, value: float) -> bool:
    """Whether a float64 is the nearest to a whole number, by exact fractions: what `R` promises."""
    down, up = math.nextafter(value, -math.inf), math.nextafter(value, math.inf)
    return abs(Fraction(value) - whole) <= min(abs(Fraction(down) - whole), abs(Fraction(up) - whole))
