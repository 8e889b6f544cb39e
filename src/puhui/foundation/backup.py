"""Backups: the whole database, as of one instant, in one file that can be checked without trusting whoever wrote it.

The file is a tar: `manifest.json`, then one member a table in PostgreSQL's text form of COPY, rows in the order of the primary key. The
manifest names every migration, table, row count and SHA-256, so a file cut short or altered is refused before anything is written. Being
plain COPY, it does not depend on the server's version. Field keys are not in it: without them its personal data cannot be read.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO

import asyncpg

from puhui.foundation.migrations import discover, migrate
from puhui.foundation.refusals import Refusal

FORMAT = 1
IN_MEMORY = 8 * 1024 * 1024

TABLES = """
select n.nspname as schema, c.relname as name,
       coalesce((select string_agg(quote_ident(a.attname), ', ' order by k.place)
                 from pg_index i cross join lateral unnest(i.indkey) with ordinality as k (number, place)
                 join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number where i.indrelid = c.oid and i.indisprimary), '') as key
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'public') and n.nspname not like 'pg_%'
order by n.nspname, c.relname
"""
POINTS = """
select n.nspname as schema, c.relname as name, rn.nspname as to_schema, rc.relname as to_name
from pg_constraint p join pg_class c on c.oid = p.conrelid join pg_namespace n on n.oid = c.relnamespace
join pg_class rc on rc.oid = p.confrelid join pg_namespace rn on rn.oid = rc.relnamespace where p.contype = 'f' and p.conrelid <> p.confrelid
"""
UNREADABLE = (tarfile.TarError, OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError, AssertionError)
"""What reading a file that is no backup of ours may end in."""
COUNTERS = """
select n.nspname as schema, c.relname as name, a.attname as column, pg_get_serial_sequence(quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.attname) as counter
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where a.attidentity <> '' and c.relkind = 'r' and n.nspname not like 'pg_%'
"""


class BackupUnusable(Refusal):
    """The backup {path} cannot be used: {why}. Nothing was written; take another one."""

    code = "backup.unusable"


class BackupOfOther(Refusal):
    """The backup {path} is of another version: {why}. Read it with that version of Puhui, then migrate."""

    code = "backup.other-version"


class DatabaseNotEmpty(Refusal):
    """The database already holds {rows} rows in {table}; a backup is only read into an empty one. Nothing was written."""

    code = "backup.not-empty"


@dataclass(frozen=True, slots=True)
class Table:
    """A table in a backup: `sha256` of its COPY text."""

    schema: str
    name: str
    rows: int
    sha256: str

    @property
    def member(self) -> str:
        return f"{self.schema}.{self.name}.copy"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `taken_at` is the machine's time, ISO; `migrations` name -> SHA-256."""

    taken_at: str
    migrations: Mapping[str, str]
    tables: Sequence[Table]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


Told = Callable[[str, int, int], None]
"""Progress: the table done, how many of them, of how many."""


async def write(connection: asyncpg.Connection, path: Path, *, taken_at: datetime, told: Told = lambda *_: None) -> Manifest:
    """Write a backup, as of one instant, while business goes on; the file appears only when it is whole."""
    draft = path.with_name(f"{path.name}.part")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        migrations = {row["name"]: row["sha256"] for row in await connection.fetch("select name, sha256 from foundation.migrations order by name")}
        listed = await connection.fetch(TABLES)
        tables: list[Table] = []
        with TemporaryFile() as body:
            with tarfile.open(fileobj=body, mode="w") as archive:
                for number, row in enumerate(listed, 1):
                    tables.append(await _write_table(connection, archive, row["schema"], row["name"], row["key"]))
                    told(f"{row['schema']}.{row['name']}", number, len(listed))
            manifest = Manifest(taken_at.isoformat(), migrations, tables)
            _join(draft, manifest, body)
    draft.replace(path)
    return manifest


def check(path: Path) -> Manifest:
    """Read a backup through and give its manifest. Raises BackupUnusable: cut short, altered, or no backup at all."""
    try:
        with tarfile.open(path, mode="r:") as archive:
            manifest = _manifest(archive)
            for table in manifest.tables:
                member = archive.extractfile(table.member)
                assert member is not None
                if _counted(member) != (table.rows, table.sha256):
                    raise BackupUnusable(path=path, why=f"{table.member} was altered")
    except UNREADABLE as error:
        raise BackupUnusable(path=path, why=f"it is damaged or no backup ({type(error).__name__})") from None
    return manifest


def _counted(text: IO[bytes]) -> tuple[int, str]:
    """Give how many rows a COPY text has, and its SHA-256."""
    rows, digest = 0, hashlib.sha256()
    while chunk := text.read(1 << 20):
        rows += chunk.count(b"\n")
        digest.update(chunk)
    return rows, digest.hexdigest()


async def read(connection: asyncpg.Connection, path: Path, *, told: Told = lambda *_: None) -> Manifest:
    """Read a checked backup into an empty database, all or nothing.

    Raises: BackupUnusable, BackupOfOther (its migrations are not ours), DatabaseNotEmpty.
    """
    manifest = check(path)
    _demand_ours(path, manifest)
    await migrate(connection)
    await _demand_tables(connection, path, manifest)
    await _demand_empty(connection)
    try:
        await _put_in(connection, path, manifest, told)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise BackupUnusable(path=path, why=f"a row is none that its table holds ({type(error).__name__})") from None
    return manifest


async def _put_in(connection: asyncpg.Connection, path: Path, manifest: Manifest, told: Told) -> None:
    async with connection.transaction():
        order = await _order(connection, manifest.tables)
        for table in reversed(order):  # what migrations have put in
            await _clear(connection, table)
        with tarfile.open(path, mode="r:") as archive:
            for number, table in enumerate(order, 1):
                source = archive.extractfile(table.member)
                await connection.copy_to_table(table.name, schema_name=table.schema, source=source, format="text")
                told(f"{table.schema}.{table.name}", number, len(order))
        for row in await connection.fetch(COUNTERS):
            await connection.execute(
                f"select setval($1::text::regclass, greatest(1, (select coalesce(max({row['column']}), 1) from {row['schema']}.{row['name']})))",  # noqa: S608
                row["counter"],
            )


async def differences(connection: asyncpg.Connection, manifest: Manifest) -> list[str]:
    """Write every table again and name those that are not what the manifest says; [] is good."""
    with TemporaryFile() as body, tarfile.open(fileobj=body, mode="w") as archive:
        keys = {(row["schema"], row["name"]): row["key"] for row in await connection.fetch(TABLES)}
        fresh = [await _write_table(connection, archive, table.schema, table.name, keys[table.schema, table.name]) for table in manifest.tables]
    return [f"{was.schema}.{was.name}" for was, now in zip(manifest.tables, fresh, strict=True) if was != now]


async def _write_table(connection: asyncpg.Connection, archive: tarfile.TarFile, schema: str, name: str, key: str) -> Table:
    with SpooledTemporaryFile(IN_MEMORY) as text:
        order = f" order by {key}" if key else ""
        status: str = await connection.copy_from_query(f"select * from {schema}.{name}{order}", output=text, format="text")  # noqa: S608
        size = text.tell()
        text.seek(0)
        digest = hashlib.sha256()
        while chunk := text.read(1 << 20):
            digest.update(chunk)
        text.seek(0)
        table = Table(schema, name, int(status.rsplit(" ", 1)[-1]), digest.hexdigest())
        entry = tarfile.TarInfo(table.member)
        entry.size = size
        archive.addfile(entry, text)
    return table


def _join(draft: Path, manifest: Manifest, body: IO[bytes]) -> None:
    """Put the manifest before the tables, so that a reader knows what must follow."""
    text = json.dumps({"format": FORMAT, **asdict(manifest)}, ensure_ascii=False, indent=1).encode()
    with draft.open("wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
        body.seek(0)
        with tarfile.open(fileobj=body) as tables:
            for member in tables:
                archive.addfile(member, tables.extractfile(member))


def _manifest(archive: tarfile.TarFile) -> Manifest:
    member = archive.extractfile("manifest.json")
    assert member is not None
    data = json.loads(member.read())
    if data["format"] != FORMAT:
        raise ValueError(data["format"])
    return Manifest(data["taken_at"], dict(data["migrations"]), [Table(**table) for table in data["tables"]])


def _demand_ours(path: Path, manifest: Manifest) -> None:
    ours = {migration.name: migration.sha256 for migration in discover()}
    for name, sha256 in manifest.migrations.items():
        if ours.get(name) != sha256:
            raise BackupOfOther(path=path, why=f"its migration {name} is {'another text' if name in ours else 'unknown'} here")
    for name in ours.keys() - manifest.migrations.keys():
        raise BackupOfOther(path=path, why=f"it does not have our migration {name} yet")


async def _demand_tables(connection: asyncpg.Connection, path: Path, manifest: Manifest) -> None:
    """Demand that a backup names exactly the tables of this house: what it calls them goes into SQL."""
    ours = {(row["schema"], row["name"]) for row in await connection.fetch(TABLES)}
    theirs = [(table.schema, table.name) for table in manifest.tables]
    if set(theirs) != ours or len(theirs) != len(ours):
        raise BackupUnusable(path=path, why="it does not name the tables of this house, each once")


async def _demand_empty(connection: asyncpg.Connection) -> None:
    for table in ("foundation.events", "foundation.flows", "foundation.callbacks", "foundation.receipts"):
        count: int = await connection.fetchval(f"select count(*) from {table}")  # noqa: S608
        if count:
            raise DatabaseNotEmpty(rows=count, table=table)


async def _clear(connection: asyncpg.Connection, table: Table) -> None:
    try:
        await connection.execute(f"delete from {table.schema}.{table.name}")  # noqa: S608  (names of our own migrations)
    except asyncpg.RaiseError:  # a table that is never edited holds rows already
        raise DatabaseNotEmpty(rows="some", table=f"{table.schema}.{table.name}") from None


async def _order(connection: asyncpg.Connection, tables: Sequence[Table]) -> list[Table]:
    """Give the tables so that what is pointed to comes before what points."""
    waiting = {(table.schema, table.name): table for table in tables}
    needs: dict[tuple[str, str], set[tuple[str, str]]] = {key: set() for key in waiting}
    for row in await connection.fetch(POINTS):
        needs[row["schema"], row["name"]].add((row["to_schema"], row["to_name"]))
    order: list[Table] = []
    while waiting:
        ready = [key for key in waiting if not needs[key] & waiting.keys()]
        assert ready, f"tables point at each other in a circle: {sorted(waiting)}"
        order += [waiting.pop(key) for key in sorted(ready)]
    return order
