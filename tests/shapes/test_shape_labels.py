"""Every column carries its level (JR/T 0171-2020): C3 credentials and biometrics, C2 what identifies or describes a person, C1 the rest.

The labels lie in `labels.toml` beside the migrations of each room (and of the foundation), one section a table:

    [accounts]
    rest = "C1"              # every column not named below
    C2 = ["name_sealed"]
    C3 = ["password_hash"]
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import pytest

PUHUI = Path(__file__).parents[2] / "src" / "puhui"
OWNERS = {"foundation": PUHUI / "foundation"} | {
    folder.parent.name: folder.parent for folder in sorted((PUHUI / "rooms").glob("*/migrations")) if any(folder.glob("*.sql"))
}
LEVELS = ("C1", "C2", "C3")
SEALED = {"bytea"}
IDENTIFYING = re.compile(r"(^|_)(id_number|id_card|phone|card_number|card|face|full_name|person_name|address|email|password|secret)($|_)")
NOT_ITSELF = re.compile(r"_(sealed|blind|hash|sha256|id|token|at|until|key|version|state|kind|count|tries|is_known|code)$|^is_")

COLUMNS = """
select table_name, column_name, data_type from information_schema.columns
where table_schema = $1 and table_name not in ('migrations') order by table_name, ordinal_position
"""


def mistakes(columns: list[tuple[str, str, str]], labels: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Give what is wrong with the labels of one schema; `columns` are (table, column, type)."""
    found: list[str] = []
    tables = {table for table, _, _ in columns}
    found += [f"[{table}] is labelled and does not exist" for table in labels.keys() - tables]
    found += [f"[{table}] has no labels" for table in tables - labels.keys()]
    for table, section in labels.items():
        if not isinstance(section, Mapping):
            found.append(f"{table} is no section: every table has one, [{table}]")
            continue
        rest = section.get("rest")
        found += [f"[{table}] rest = {rest!r} is no level"] if rest is not None and rest not in LEVELS else []
        found += [f"[{table}] {key} is no level" for key in section.keys() - {"rest", *LEVELS}]
        named = {column: level for level in LEVELS for column in _list(section.get(level))}
        here = {column: kind for owner, column, kind in columns if owner == table}
        found += [f"[{table}] {column} is labelled and does not exist" for column in named.keys() - here.keys()]
        for column, kind in here.items():
            level = named.get(column, rest)
            if level is None:
                found.append(f"[{table}] {column} has no level")
            elif level == "C3" and kind not in SEALED and not column.endswith("_hash"):
                found.append(f"[{table}] {column} is C3 and {kind}: credentials and biometrics are never stored in clear")
            elif kind in {"text", "character varying", "jsonb"} and IDENTIFYING.search(column) and not NOT_ITSELF.search(column):
                found.append(f"[{table}] {column} looks like personal data in clear: seal it (bytea), or keep its blind index")
    return found


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


@pytest.mark.parametrize("owner", sorted(OWNERS))
async def test_every_column_has_a_level(owner, database_url):
    path = OWNERS[owner] / "labels.toml"
    assert path.exists(), f"{path.relative_to(PUHUI)} is missing"
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(COLUMNS, owner)
    finally:
        await connection.close()
    assert mistakes([tuple(row) for row in rows], tomllib.loads(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "no labels"),
        ({"people": {"C1": ["person_id"]}}, "phone has no level"),
        ({"people": {"rest": "C2"}}, "phone looks like personal data in clear"),
        ({"people": {"rest": "C3"}}, "never stored in clear"),
        ({"people": {"rest": "C9"}}, "no level"),
        ({"people": {"rest": "C2", "C1": ["gone"]}}, "gone is labelled and does not exist"),
        ({"people": {"rest": "C2"}, "ghosts": {"rest": "C1"}}, "[ghosts] is labelled and does not exist"),
    ],
)
def test_a_wrong_label_is_noticed(labels, said):
    columns = [("people", "person_id", "text"), ("people", "phone", "text")]
    assert any(said in mistake for mistake in mistakes(columns, labels))
