"""SQL in the open: named statements that live in `queries.sql` beside the code that runs them.

`:name` becomes `$n`; asyncpg prepares each statement once per connection. A statement is asked by its name:
`await SQL.lock_owed.row(work, customer_id=..., loan_id=...)`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import asyncpg

Row = Mapping[str, Any]

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\s*$", re.MULTILINE)
_TOKEN = re.compile(r"('(?:[^']|'')*'|--[^\n]*|::[a-z])|:([a-z_][a-z0-9_]*)")


class HasConnection(Protocol):
    """Whatever carries the open transaction: a Work, as a rule."""

    @property
    def connection(self) -> asyncpg.Connection: ...


class Statement:
    """One named statement, with the order of its parameters."""

    __slots__ = ("name", "names", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.names: list[str] = []
        self.text = _TOKEN.sub(self._number, text).strip().rstrip(";")

    def _number(self, match: re.Match[str]) -> str:
        if match.group(1):
            return match.group(1)
        name = match.group(2)
        if name not in self.names:
            self.names.append(name)
        return f"${self.names.index(name) + 1}"

    def _arguments(self, given: Mapping[str, object]) -> list[object]:
        assert set(given) == set(self.names), f"{self.name}: wants {self.names}, got {sorted(given)}"
        return [given[name] for name in self.names]

    async def row(self, work: HasConnection, **given: object) -> Row | None:
        """Give the first row, or None."""
        row: Row | None = await work.connection.fetchrow(self.text, *self._arguments(given))
        return row

    async def rows(self, work: HasConnection, **given: object) -> Sequence[Row]:
        rows: Sequence[Row] = await work.connection.fetch(self.text, *self._arguments(given))
        return rows

    async def value(self, work: HasConnection, **given: object) -> Any:
        """Give the first column of the first row, or None."""
        return await work.connection.fetchval(self.text, *self._arguments(given))

    async def run(self, work: HasConnection, **given: object) -> int:
        """Run it and give the number of rows it touched."""
        status: str = await work.connection.execute(self.text, *self._arguments(given))
        last = status.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0

    async def many(self, work: HasConnection, rows: Iterable[Mapping[str, object]]) -> None:
        """Run it for every row, in one round trip."""
        await work.connection.executemany(self.text, [self._arguments(row) for row in rows])


class Statements:
    """The statements of one room, by name."""

    def __init__(self, statements: Mapping[str, Statement], path: Path) -> None:
        self._statements = statements
        self.path = path

    def __getattr__(self, name: str) -> Statement:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"{self.path} has no statement {name!r}") from None

    def __iter__(self) -> Iterator[Statement]:
        return iter(self._statements.values())


def load(beside: str) -> Statements:
    """Load the `queries.sql` beside this file: `SQL = sql.load(__file__)`."""
    path = Path(beside).with_name("queries.sql")
    text = path.read_text("utf-8")
    marks = list(_NAME.finditer(text))
    statements: dict[str, Statement] = {}
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        body = text[mark.end() : after.start() if after else len(text)]
        assert mark.group(1) not in statements, f"{path}: {mark.group(1)} stands twice"
        statements[mark.group(1)] = Statement(mark.group(1), body)
    return Statements(statements, path)
