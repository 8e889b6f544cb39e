"""`puhui migrate`, `backup`, `restore`: the database as a thing to keep."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from puhui.cli.house import connect, open_database, read_config, run, wall_clock
from puhui.foundation import backup as backups
from puhui.foundation import server
from puhui.foundation.backup import Manifest, Told
from puhui.foundation.migrations import discover
from puhui.foundation.migrations import migrate as bring_up_to_date
from puhui.foundation.refusals import Refusal


class FileExists(Refusal):
    """{path} exists already; it was not touched. Name another file."""

    code = "backup.file-exists"


class RestoreDiffers(Refusal):
    """After reading the backup {path} back, these tables were not what it says: {tables}. Do not rely on it."""

    code = "backup.restore-differs"


@click.command()
def migrate() -> None:
    """Bring the database to this version: apply what is missing, each file in a transaction of its own. Safe to run at any time, and twice."""

    async def bring() -> tuple[list[str], int]:
        config = read_config()
        started = await asyncio.to_thread(server.start, config.home, database_url=config.database_url)
        try:
            connection = await connect(started.url)
            try:
                return await bring_up_to_date(connection), len(discover())
            finally:
                await connection.close()
        finally:
            await asyncio.to_thread(started.stop)

    applied, known = run(bring())
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(f"{len(applied)} applied, {known} known: the database is up to date")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--keys-to", type=click.Path(path_type=Path, dir_okay=False), help="Also copy the field keys into this file (keep it apart, mode 0600).")
def backup(file: Path, keys_to: Path | None) -> None:
    """Write the whole database into FILE, as of one instant, while business goes on.

    The field keys are not in it, on purpose: who has the file alone reads no personal data. Keep `keys/field-keys.json` of PUHUI_HOME in
    another place (`--keys-to`), or nobody can ever read it.
    """
    for path in (file, keys_to):
        if path is not None and path.exists():
            raise FileExists(path=path)
    config = read_config()

    async def write() -> Manifest:
        async with open_database(config) as url:
            connection = await connect(url)
            try:
                with progress("backup") as told:
                    return await backups.write(connection, file, taken_at=wall_clock(), told=told)
            finally:
                await connection.close()

    if keys_to is not None:
        keys_to.touch(mode=0o600, exist_ok=False)  # before the long work: a place that cannot be written is told at once
    try:
        manifest = run(write())
        if keys_to is not None:
            shutil.copyfile(config.field_keys_path, keys_to)
    except BaseException:
        if keys_to is not None:
            keys_to.unlink()
        raise
    click.echo(f"{file}: {len(manifest.tables)} tables, {manifest.rows:,} rows, {file.stat().st_size:,} bytes")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--check", is_flag=True, help="Read it into a database that is thrown away, compare every table, and touch nothing else.")
def restore(file: Path, *, check: bool) -> None:
    """Read the backup FILE into this house's empty database, all or nothing; or only `--check` that this would work."""
    manifest = run(_drill(file) if check else _restore(file))
    click.echo(f"{file}: {len(manifest.tables)} tables, {manifest.rows:,} rows of {manifest.taken_at}: {'good' if check else 'restored'}")


async def _restore(file: Path) -> Manifest:
    async with open_database(read_config()) as url:
        return await _read_back(file, url)


async def _drill(file: Path) -> Manifest:
    """Read the backup into a server of its own in a folder that is thrown away."""
    backups.check(file)
    home = Path(tempfile.mkdtemp(prefix="puhui-drill-"))
    try:
        async with open_database(replace(read_config(), home=home, database_url="")) as url:
            return await _read_back(file, url)
    finally:
        server.discard(home)
        shutil.rmtree(home, ignore_errors=True)


async def _read_back(file: Path, url: str) -> Manifest:
    connection = await connect(url)
    try:
        with progress("restore") as told:
            manifest = await backups.read(connection, file, told=told)
        if different := await backups.differences(connection, manifest):
            raise RestoreDiffers(path=file, tables=", ".join(different))
    finally:
        await connection.close()
    return manifest


@contextmanager
def progress(what: str) -> Iterator[Told]:
    """Show a bar, table by table; nothing but the last line where there is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)

        def told(table: str, done: int, total: int) -> None:
            bars.update(task, description=f"{what} {table}", completed=done, total=total)

        yield told
