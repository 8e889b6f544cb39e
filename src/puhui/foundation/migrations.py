"""Migrations: numbered plain `.sql` files, each applied once, in one transaction, with its checksum kept.

A file lies in `<package>/migrations/NNNN_name.sql`; the foundation's come first, then the rooms' by name. Rooms never refer to each
other's tables, so no other order is needed. An applied file that has changed since is refused: write a new one.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from puhui.foundation.refusals import Refusal

LOCK = 7_001_202_600_001


class MigrationChanged(Refusal):
    """The migration {name} was applied before and has been edited since; put it back and write the change as a new file."""

    code = "migrations.changed"


class MigrationUnknown(Refusal):
    """The database has the migration {name}, which this version does not know: it belongs to a newer Puhui. Start that one, or restore a backup."""

    code = "migrations.unknown"


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def discover() -> list[Migration]:
    """Find every migration of the package, in the order they are applied."""
    root = Path(__file__).parents[1]
    folders = [root / "foundation" / "migrations", *sorted((root / "rooms").glob("*/migrations"))]
    return [
        Migration(f"{folder.parent.name}/{path.stem}", path.read_text("utf-8"))
        for folder in folders
        for path in sorted(folder.glob("*.sql"))
    ]


async def migrate(connection: asyncpg.Connection, migrations: list[Migration] | None = None) -> list[str]:
    """Apply what is missing and give the names of what was applied.

    Several processes may call this at once: an advisory lock lets one of them work. Raises MigrationChanged, MigrationUnknown.
    """
    wanted = discover() if migrations is None else migrations
    await connection.execute("select pg_advisory_lock($1)", LOCK)
    try:
        await connection.execute(
            "create schema if not exists foundation;"
            "create table if not exists foundation.migrations (name text primary key, sha256 text not null, applied_at timestamptz not null)"
        )
        applied = {row["name"]: row["sha256"] for row in await connection.fetch("select name, sha256 from foundation.migrations")}
        for name in applied.keys() - {migration.name for migration in wanted}:
            raise MigrationUnknown(name=name)
        return [migration.name for migration in wanted if await _apply(connection, migration, applied.get(migration.name))]
    finally:
        await connection.execute("select pg_advisory_unlock($1)", LOCK)


async def _apply(connection: asyncpg.Connection, migration: Migration, applied_sha256: str | None) -> bool:
    if applied_sha256 == migration.sha256:
        return False
    if applied_sha256 is not None:
        raise MigrationChanged(name=migration.name)
    async with connection.transaction():
        await connection.execute(migration.text)
        await connection.execute(
            "insert into foundation.migrations values ($1, $2, clock_timestamp())", migration.name, migration.sha256
        )
    return True
