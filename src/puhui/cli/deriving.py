"""`puhui variables`: what there is to ask of a person's history, what it means, and the answers over files."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")


@click.group("variables")
def variables_group() -> None:
    """Show and compute the derived variables of the lending catalogue."""


@variables_group.command("list")
@click.option("--table", help="Only those of one table.")
@click.option("--search", default="", help="Only those whose name or Chinese sentence holds this text.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@JSON
def list_variables(*, table: str | None, search: str, limit: int, as_json: bool) -> None:
    """List declared variables in the order of their ordinals."""
    from puhui.engines import variables

    catalogue = variables.lending()
    names = [name for name in catalogue.names if table is None or name.partition(".")[0] == table]
    if search:
        names = [name for name in names if search in name or search in catalogue.describe(name)]
    if as_json:
        told = {"declared": len(catalogue), "found": len(names), "sha256": catalogue.sha256, "names": names[:limit]}
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    for name in names[:limit]:
        click.echo(f"{catalogue.ordinal(name):>7}  {name}  {catalogue.describe(name)}")
    click.echo(f"{min(limit, len(names))} of {len(names)} found, {len(catalogue)} declared")


@variables_group.command("explain")
@click.argument("name")
@JSON
def explain_variable(*, name: str, as_json: bool) -> None:
    """Say what NAME means, in Chinese and English, and where it comes from; declared or not."""
    from puhui.engines import variables

    catalogue = variables.lending()
    lineage = catalogue.lineage(name)
    told = {
        "name": name, "zh": catalogue.describe(name, "zh"), "en": catalogue.describe(name, "en"), "id": catalogue.id(name),
        "ordinal": catalogue.ordinal(name) if name in catalogue else None, "table": lineage.table, "columns": list(lineage.columns),
        "source": lineage.source, "purpose": lineage.purpose, "consent": lineage.consent or "our own log",
    }  # fmt: skip
    _show(told, as_json=as_json)


@variables_group.command("compute")
@click.option("--from", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True, help="One Parquet file a table, and fetches.parquet.")
@click.option("--as-of", required=True, help="An instant with its zone, such as 2026-03-01T00:00:00+08:00.")
@click.option("--name", "names", multiple=True, help="A variable; may be given again. All declared ones if none is given.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The Parquet file to write.")
@JSON
def compute(*, folder: Path, as_of: str, names: tuple[str, ...], out: Path, as_json: bool) -> None:
    """Compute variables of every person in a folder of Parquet files, as of one instant, into one Parquet file."""
    import pyarrow.parquet as pq

    from puhui.engines import variables
    from puhui.foundation.refusals import BadField

    try:
        instant = datetime.fromisoformat(as_of)
    except ValueError:
        raise BadField(field="--as-of", why="it is no instant in ISO form") from None
    catalogue = variables.lending()
    plan = catalogue.plan(names or None)
    tables = {table.name: pq.read_table(folder / f"{table.name}.parquet") for table in catalogue.tables if (folder / f"{table.name}.parquet").exists()}
    asked = folder / "fetches.parquet"
    people = variables.Histories.read(catalogue, tables, pq.read_table(asked) if asked.exists() else None)
    writer: Any = None
    try:
        for chunk in plan.chunks(people, instant):
            writer = writer or pq.ParquetWriter(out, chunk.schema, compression="zstd")
            writer.write_batch(chunk)
    finally:
        if writer is not None:
            writer.close()
    _show({"people": len(people), "variables": len(plan), "plan_sha256": plan.sha256, "written": str(out) if writer else None}, as_json=as_json)


@variables_group.command("diff")
@click.argument("other", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@JSON
def diff(*, other: Path, as_json: bool) -> None:
    """Compare the shipped catalogue with OTHER, a later one's TOML twin: what is added, retired, changed."""
    from puhui.engines import variables

    difference = variables.lending().diff(variables.from_toml(other.read_text(encoding="utf-8")))
    told = {"added": list(difference.added), "retired": list(difference.retired), "changed": list(difference.changed)}
    _show(told if as_json else {word: len(names) for word, names in told.items()}, as_json=as_json)


@variables_group.command("twin")
def twin() -> None:
    """Print the shipped catalogue's TOML twin."""
    from puhui.engines import variables

    click.echo(variables.lending().to_toml(), nl=False)


def _show(told: dict[str, Any], *, as_json: bool) -> None:
    from puhui.cli.proving import show

    show(told, as_json=as_json)
