"""Tables stay at home: a room's SQL speaks of its own schema only, and SQL stands in `queries.sql` and migrations only."""

import ast
import re
from pathlib import Path

import pytest

PUHUI = Path(__file__).parents[2] / "src" / "puhui"
ROOMS = PUHUI / "rooms"
SCHEMAS = {folder.name for folder in ROOMS.iterdir() if folder.is_dir()} | {"foundation", "public"}
OWNED = re.compile(r"\b([a-z_]+)\.[a-z_]+")
MADE = re.compile(r"\bcreate\s+(?:unlogged\s+)?(?:table|sequence|view|materialized view|type|function)\s+(?:if not exists\s+)?([a-z_]+)(\.[a-z_]+)?", re.IGNORECASE)
RUNS_SQL = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor"}


def bare(sql: str) -> str:
    """Take comments and texts out of SQL."""
    return re.sub(r"'(?:[^']|'')*'|--[^\n]*", " ", sql)


def strangers(sql: str, owner: str) -> set[str]:
    """Give the schemas that SQL names beside its owner's."""
    return {match.group(1) for match in OWNED.finditer(bare(sql).lower())} & (SCHEMAS - {owner})


def files(pattern: str) -> list[Path]:
    return sorted(ROOMS.glob(pattern))


@pytest.mark.parametrize("path", files("*/queries.sql") + files("*/migrations/*.sql"), ids=lambda path: str(path.relative_to(ROOMS)))
def test_a_room_touches_only_its_own_tables(path):
    assert strangers(path.read_text("utf-8"), path.relative_to(ROOMS).parts[0]) == set()


@pytest.mark.parametrize("path", files("*/migrations/*.sql"), ids=lambda path: str(path.relative_to(ROOMS)))
def test_a_migration_makes_things_only_in_its_own_schema(path):
    room = path.relative_to(ROOMS).parts[0]
    made = [match.group(1) if match.group(2) else "public" for match in MADE.finditer(bare(path.read_text("utf-8")))]
    assert set(made) <= {room}


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PUHUI.rglob("*.py")) if path.relative_to(PUHUI).parts[0] not in {"foundation", "proofs", "cli"}],
    ids=lambda path: str(path.relative_to(PUHUI)),
)
def test_sql_stands_in_the_open_and_not_in_python(path):
    calls = [
        f"line {node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RUNS_SQL
        and ast.unparse(node.func.value).endswith(("connection", "pool")) and not _is_a_ping(node)
    ]  # fmt: skip
    assert calls == []


def _is_a_ping(node: ast.Call) -> bool:
    return [ast.unparse(argument) for argument in node.args] == ["'select 1'"]


def test_only_rooms_and_the_foundation_have_sql():
    homes = {path.relative_to(PUHUI).parts[0] for path in PUHUI.rglob("*.sql")}
    assert homes <= {"rooms", "foundation", "proofs"}


def test_a_strangers_table_is_noticed():
    assert strangers("select 1 from foundation.events e join arrears.cases c using (customer_id)", "arrears") == {"foundation"}
    assert strangers("-- foundation.events\nselect 'foundation.events' from arrears.cases", "arrears") == set()
