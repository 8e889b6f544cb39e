"""What variables cost: kernel time by variable, group and table, bytes, and the price of the sources that are bought.

The kernel's time belongs to rows, to group x row, to a field's walk and to each window's end; what several variables need is shared by them equally.
The nanoseconds are those of `bench variables` on one machine: they compare variables with each other, and are no promise for another machine.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from puhui.engines.variables.names import Form, Variable

ROW_NS = 40.0  # reading, visibility, sorting, once for a table
GROUP_ROW_NS = 3.0  # a row of a group: its gaps
FIELD_ROW_NS = 3.5  # a row of a group, a field
DISTINCT_ROW_NS = 3.0
ITEM_NS = 8.0  # a window's end of a field: its moments rounded and finished
WINDOW_NS = 6.0  # a window's end of the rows themselves
OUT_NS, QUOTIENT_NS = 0.4, 1.2
VECTOR_BYTES = 8
ROWS = {"txn": 300, "bureau": 100, "app": 100, "repayment": 40, "device": 200}
ROWS_ELSE = 100
Key = Callable[[Variable], str]


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one person's answers on one core, and bytes of a vector."""

    us: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Saving:
    """What goes with some variables: time and bytes, and sources that nobody else asks, with their price a fetch (fen)."""

    us: float
    bytes: int
    sources: tuple[str, ...]
    fen: int


class Costs:
    """The cost of variables asked together.

    `rows` is how many rows a person has in each table; `prices` what a fetch of a source costs (fen); sources without a price are our own or free.
    """

    def __init__(self, variables: Mapping[str, Variable], sources: Mapping[str, str], sizes: Mapping[tuple[str, str], int],
                 rows: Mapping[str, int], prices: Mapping[str, int]) -> None:  # fmt: skip
        self._variables, self._sources, self._sizes, self._rows, self._prices = dict(variables), sources, sizes, rows, prices

    @cached_property
    def by_name(self) -> dict[str, Cost]:
        """The share of each variable."""
        sharers: dict[tuple[object, ...], int] = {}
        for variable in self._variables.values():
            for key, _ in self._parts(variable):
                sharers[key] = sharers.get(key, 0) + 1
        return {
            name: Cost(sum(ns / sharers[key] for key, ns in self._parts(variable)) / 1e3, VECTOR_BYTES) for name, variable in self._variables.items()
        }

    @property
    def us(self) -> float:
        """All of them, in microseconds a person."""
        return sum(cost.us for cost in self.by_name.values())

    def by_table(self) -> dict[str, Cost]:
        """The cost of each table's variables."""
        return self._summed(lambda variable: variable.table)

    def by_group(self) -> dict[str, Cost]:
        """The cost of each group: a table and a filter, written as names write it."""
        return self._summed(lambda variable: f"{variable.table}[{'&'.join(map(str, variable.filter))}]")

    def by_source(self) -> dict[str, int]:
        """The price (fen) of a fetch of each source that is asked."""
        return {source: self._prices.get(source, 0) for source in sorted({self._sources[v.table] for v in self._variables.values()})}

    def without(self, names: Iterable[str]) -> Saving:
        """What is saved when these are asked no more; sources that nobody else asks need not be bought."""
        gone = set(names)
        left = Costs({name: v for name, v in self._variables.items() if name not in gone}, self._sources, self._sizes, self._rows, self._prices)
        free = tuple(sorted(set(self.by_source()) - set(left.by_source())))
        return Saving(self.us - left.us, VECTOR_BYTES * len(gone & set(self._variables)), free, sum(self._prices.get(source, 0) for source in free))

    def _summed(self, key: Key) -> dict[str, Cost]:
        told: dict[str, Cost] = {}
        for name, cost in self.by_name.items():
            word = key(self._variables[name])
            before = told.get(word, Cost(0.0, 0))
            told[word] = Cost(before.us + cost.us, before.bytes + cost.bytes)
        return told

    def _group_rows(self, variable: Variable) -> float:
        rows = float(self._rows.get(variable.table, ROWS_ELSE))
        for clause in variable.filter:
            rows *= min(1.0, len(clause.values) / self._sizes.get((variable.table, clause.column), len(clause.values)))
        return rows

    def _parts(self, variable: Variable) -> Iterable[tuple[tuple[object, ...], float]]:
        """What a variable needs, and its nanoseconds; equal keys are shared."""
        table, group, rows = variable.table, variable.filter, self._group_rows(variable)
        yield (table,), ROW_NS * self._rows.get(table, ROWS_ELSE)
        yield (table, group), GROUP_ROW_NS * rows
        windows = [window for window in (variable.window, variable.over) if window is not None]
        match variable.form:
            case Form.FIELD:
                yield (table, group, "field", variable.column), FIELD_ROW_NS * rows
                yield from (((table, group, "field", variable.column, window), ITEM_NS) for window in windows)
            case Form.DISTINCT:
                yield (table, group, "distinct", variable.column), DISTINCT_ROW_NS * rows
                yield from (((table, group, "distinct", variable.column, window), OUT_NS) for window in windows)
            case Form.COUNT | Form.GAP:
                yield from (((table, group, "rows", window), WINDOW_NS) for window in windows)
            case Form.RECENCY | Form.TENURE:
                pass
        yield (variable,), QUOTIENT_NS if variable.over is not None or variable.is_share else OUT_NS
