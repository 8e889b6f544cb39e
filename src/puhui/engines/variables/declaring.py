"""Declaring: a few dozen lines that expand, in order, to a hundred thousand names."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from puhui.engines.variables.names import (
    AGGREGATES,
    GAPS,
    RATIO_AGGREGATES,
    Clause,
    Form,
    Span,
    Variable,
    Window,
    filter_of,
    is_narrower,
    window_of,
)
from puhui.engines.variables.refusals import BadDeclaration
from puhui.engines.variables.tables import Kind, Table

NEEDS_TWO = frozenset({"range", "std", "cv", "trend"})


@dataclass(frozen=True, slots=True)
class Choice:
    """Filters by a product of factors: a column (each listed value in turn) or a fixed clause `column=value`."""

    factors: tuple[str, ...] = ()

    def __mul__(self, other: "Choice") -> "Choice":
        return Choice(self.factors + other.factors)

    def __str__(self) -> str:
        return "*".join(self.factors)


ALL = Choice()


def each(column: str) -> Choice:
    """Give one filter for each listed value of a category column."""
    return Choice((column,))


def only(clause: str) -> Choice:
    """Give one filter by a fixed clause, such as `reason=card_approval|loan_approval`."""
    return Choice((clause,))


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of question asked over every filter of a block: the word of its builder, and the words given to it."""

    word: str
    given: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Questions that share a table, filters, fields and windows; frozen as a whole once released."""

    table: Table
    choices: tuple[Choice, ...] = (ALL,)
    columns: tuple[str, ...] = ()
    cuts: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()

    def variables(self) -> Iterator[Variable]:
        """Give every variable of the block, in order; what says nothing is left out.

        Raises: BadDeclaration (an unknown column, window or aggregate).
        """
        windows = tuple(self._window(cut) for cut in self.cuts)
        for choice in self.choices:
            for clauses in self._filters(choice):
                fixed = {clause.column for clause in clauses if len(clause.values) == 1}
                for part in self.parts:
                    yield from self._questions(part, clauses, windows, fixed)

    def facts(self) -> dict[str, object]:
        """The block as plain data."""
        return {
            "table": self.table.name, "where": [str(choice) for choice in self.choices], "fields": list(self.columns),
            "windows": list(self.cuts), "ask": [[part.word, *(" ".join(words) for words in part.given)] for part in self.parts],
        }  # fmt: skip

    def _no(self, why: str) -> BadDeclaration:
        return BadDeclaration(what=f"a block over {self.table.name}", why=why)

    def _window(self, cut: str) -> Window:
        window = window_of(cut)
        if window is None or str(window) != cut:
            raise self._no(f"{cut!r} is no window")
        return window

    def _ratio(self, cut: str) -> tuple[Window, Window]:
        narrow, _, wide = cut.partition("/")
        pair = self._window(narrow), self._window(wide)
        if not is_narrower(*pair):
            raise self._no(f"{cut!r} is no ratio")
        return pair

    def _filters(self, choice: Choice) -> Iterator[tuple[Clause, ...]]:
        options = []
        for factor in choice.factors:
            if "=" in factor:
                read = filter_of(factor)
                if isinstance(read, str):
                    raise self._no(read)
                options.append([read])
            else:
                options.append([(Clause(factor, (value,)),) for value in self.table.category.get(factor, ())])
        for chosen in itertools.product(*options):
            clauses = tuple(sorted(itertools.chain.from_iterable(chosen), key=lambda clause: clause.column))
            if len({clause.column for clause in clauses}) != len(clauses) or any(c.column not in self.table.category for c in clauses):
                raise self._no(f"the filter {choice} names a column twice, or one that is no category")
            yield clauses

    def _questions(self, part: Part, clauses: tuple[Clause, ...], windows: tuple[Window, ...], fixed: set[str]) -> Iterator[Variable]:
        name = self.table.name
        match part.word:
            case "aggs":
                for column, aggregate, window in itertools.product(self._fields(), self._words(part, AGGREGATES), windows):
                    if aggregate not in NEEDS_TWO or not _is_last(window, 1):
                        yield Variable(name, Form.FIELD, column, aggregate, window, None, clauses)
            case "ratios":
                cuts = [self._ratio(cut) for cut in part.given[0]]
                aggregates = part.given[1] if len(part.given) > 1 else ()
                if not set(aggregates) <= set(RATIO_AGGREGATES):
                    raise self._no("ratios are of sum, mean or max")
                for (window, over), column, aggregate in itertools.product(cuts, self._fields() if aggregates else (), aggregates):
                    yield Variable(name, Form.FIELD, column, aggregate, window, over, clauses)
                if not aggregates:
                    yield from (Variable(name, Form.COUNT, "", "", window, over, clauses) for window, over in cuts)
            case "shares" if clauses:
                for window in windows:
                    if part.given:
                        yield from (Variable(name, Form.FIELD, column, "sum", window, None, clauses, is_share=True) for column in self._fields())
                    else:
                        yield Variable(name, Form.COUNT, "", "", window, None, clauses, is_share=True)
            case "shares":
                return
            case "count":
                yield from (Variable(name, Form.COUNT, "", "", window, None, clauses) for window in windows)
            case "gaps":
                for aggregate, window in itertools.product(self._words(part, GAPS), windows):
                    if not _is_last(window, 1) and not (aggregate == "std" and _is_last(window, 2)):
                        yield Variable(name, Form.GAP, "", aggregate, window, None, clauses)
            case "distinct":
                for column, window in itertools.product(self._words(part, self.table.texts), windows):
                    if column not in fixed:
                        yield Variable(name, Form.DISTINCT, column, "", window, None, clauses)
            case "recency" | "tenure":
                yield Variable(name, Form(part.word), filter=clauses)
            case _:
                raise self._no(f"nobody asks {part.word!r}")

    def _fields(self) -> tuple[str, ...]:
        if not self.columns or any(self.table.kind(column) not in {Kind.MONEY, Kind.NUMBER} for column in self.columns):
            raise self._no(f"the fields {self.columns} are not money or number columns")
        return self.columns

    def _words(self, part: Part, known: tuple[str, ...]) -> tuple[str, ...]:
        words = part.given[0] if part.given else ()
        if not words or not set(words) <= set(known):
            raise self._no(f"{part.word} knows {' '.join(known)}, not {' '.join(words)}")
        return words


def _is_last(window: Window, size: int) -> bool:
    return window.span is Span.LAST and window.size == size


@dataclass(frozen=True, slots=True)
class Declaration:
    """Blocks in order. The builders add to the newest block; `+` puts one declaration after another."""

    blocks: tuple[Block, ...]

    def __add__(self, other: "Declaration") -> "Declaration":
        return Declaration(self.blocks + other.blocks)

    def where(self, *choices: Choice) -> "Declaration":
        """Ask over these filters."""
        return self._newest(replace(self.blocks[-1], choices=choices))

    def fields(self, *columns: str) -> "Declaration":
        """Ask about these money and number columns."""
        return self._newest(replace(self.blocks[-1], columns=columns))

    def windows(self, *cuts: str) -> "Declaration":
        """Ask over these plain windows, given as words: `"7d 30d", "last3"`."""
        return self._newest(replace(self.blocks[-1], cuts=_split(cuts)))

    def aggs(self, *words: str) -> "Declaration":
        """Ask these aggregates of every field over every window."""
        return self._ask("aggs", _split(words))

    def ratios(self, cuts: str, aggregates: str = "") -> "Declaration":
        """Ask ratios of windows of the fields' aggregates; of the count if no aggregate is named."""
        return self._ask("ratios", *(words for words in (_split((cuts,)), _split((aggregates,))) if words))

    def shares(self, aggregate: str = "") -> "Declaration":
        """Ask what part of everything a group is: of the fields' `sum`, or of the count."""
        return self._ask("shares", *([("sum",)] if aggregate else []))

    def count(self) -> "Declaration":
        """Ask how many rows."""
        return self._ask("count")

    def gaps(self, *words: str) -> "Declaration":
        """Ask about the time between neighbors."""
        return self._ask("gaps", _split(words))

    def distinct(self, *columns: str) -> "Declaration":
        """Ask how many different values."""
        return self._ask("distinct", _split(columns))

    def recency(self) -> "Declaration":
        """Ask how long ago the newest row was."""
        return self._ask("recency")

    def tenure(self) -> "Declaration":
        """Ask how long ago the oldest row was."""
        return self._ask("tenure")

    def _ask(self, word: str, *given: tuple[str, ...]) -> "Declaration":
        block = self.blocks[-1]
        return self._newest(replace(block, parts=(*block.parts, Part(word, given))))

    def _newest(self, block: Block) -> "Declaration":
        return Declaration((*self.blocks[:-1], block))


def over(table: Table) -> Declaration:
    """Begin a declaration over a table."""
    return Declaration((Block(table),))


def _split(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(texts).split())
