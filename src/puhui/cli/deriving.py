"""`puhui variables`: what there is to ask of a person's history, what it means, and the answers over files."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")


OF = click.option(
    "--catalogue", "which", type=click.Choice(["lending", "origination"]), default="lending", show_default=True,
    help="The shipped five tables, or a table a source: what decisions draw from.",
)  # fmt: skip


@click.group("variables")
def variables_group() -> None:
    """Show and compute the derived variables of the shipped catalogues."""


def _catalogue(which: str) -> Any:
    from puhui.engines import variables
    from puhui.engines.variables.origination import origination

    return origination() if which == "origination" else variables.lending()


@variables_group.command("list")
@click.option("--table", help="Only those of one table.")
@click.option("--search", default="", help="Only those whose name or Chinese sentence holds this text.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@OF
@JSON
def list_variables(*, table: str | None, search: str, limit: int, which: str, as_json: bool) -> None:
    """List declared variables in the order of their ordinals."""
    catalogue = _catalogue(which)
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
@OF
@JSON
def explain_variable(*, name: str, which: str, as_json: bool) -> None:
    """Say what NAME means, in Chinese and English, and where it comes from; declared or not."""
    catalogue = _catalogue(which)
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
    """Compare the shipped catalogue with OTHER, a later one's TOML or YAML twin: what is added, retired, changed."""
    from puhui.engines import variables

    read = variables.from_yaml if other.suffix in {".yaml", ".yml"} else variables.from_toml
    difference = variables.lending().diff(read(other.read_text(encoding="utf-8")))
    told = {"added": list(difference.added), "retired": list(difference.retired), "changed": list(difference.changed)}
    _show(told if as_json else {word: len(names) for word, names in told.items()}, as_json=as_json)


@variables_group.command("cost")
@click.option("--name", "names", multiple=True, help="A variable; may be given again. All declared ones if none is given.")
@click.option("--names-from", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file with a name a line.")
@click.option("--drop", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file with names a line: what would be saved without them.")
@click.option("--price", "prices", multiple=True, metavar="SOURCE=FEN", help="What a fetch of a source costs; may be given again.")
@JSON
def cost(*, names: tuple[str, ...], names_from: Path | None, drop: Path | None, prices: tuple[str, ...], as_json: bool) -> None:
    """Say what variables cost together: microseconds and bytes a person by table, the dearest groups, the sources that must be bought."""
    from puhui.engines import variables

    asked = (*names, *(_lines(names_from) if names_from else ()))
    costs = variables.lending().cost(asked or None, prices=dict(map(_price, prices)))
    dearest = sorted(costs.by_group().items(), key=lambda pair: -pair[1].us)[:10]
    told: dict[str, Any] = {
        "variables": len(costs.by_name), "us": round(costs.us, 2), "bytes": sum(one.bytes for one in costs.by_name.values()),
        "by_table_us": {table: round(one.us, 2) for table, one in costs.by_table().items()},
        "dearest_groups_us": {group: round(one.us, 3) for group, one in dearest}, "sources_fen": costs.by_source(),
    }  # fmt: skip
    if drop:
        saved = costs.without(_lines(drop))
        told |= {"saved_us": round(saved.us, 2), "saved_bytes": saved.bytes, "sources_not_needed": list(saved.sources), "saved_fen": saved.fen}
    _show(told, as_json=as_json)


@variables_group.command("select")
@click.option("--from", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True,
              help="One Parquet file a table, fetches.parquet, and outcomes.parquet (person, as_of, bad).")  # fmt: skip
@click.option("--best", type=click.IntRange(1), default=300, show_default=True, help="How many variables to choose.")
@click.option("--psi-max", type=click.FloatRange(min=0), default=0.25, show_default=True, help="How far a variable may drift between the two halves of the time.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The CSV file to write: name, iv, psi, people with a value.")
@JSON
def select(*, folder: Path, best: int, psi_max: float, out: Path, as_json: bool) -> None:
    """Choose among all declared variables by information value and stability, over people whose outcome is known; the matrix is never held."""
    import csv

    from puhui.cli.choosing import people_of
    from puhui.engines import variables
    from puhui.engines.variables import selecting

    plan = variables.lending().plan()
    everybody = people_of(plan.catalogue, folder)
    chosen = selecting.select(plan, selecting.spread(everybody, 400), everybody)
    places = chosen.best(best, psi_max=psi_max)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "iv", "psi", "people"))
        writer.writerows((plan.names[at], f"{chosen.iv[at]:.6f}", f"{chosen.psi[at]:.6f}", int(chosen.present[at])) for at in places)
    told = {
        "people": sum(len(some.histories) for some in everybody), "bad": int(sum(some.is_bad.sum() for some in everybody)), "variables": len(plan),
        "constant": int(chosen.is_constant.sum()), "copies": int((chosen.copy_of >= 0).sum()), "left": int(chosen.left.sum()), "chosen": len(places), "written": str(out),
    }  # fmt: skip
    _show(told, as_json=as_json)


@variables_group.command("twin")
@click.option("--as", "form", type=click.Choice(["toml", "yaml"]), default="toml", show_default=True)
def twin(*, form: str) -> None:
    """Print the shipped catalogue's TOML or YAML twin."""
    from puhui.engines import variables

    catalogue = variables.lending()
    click.echo(catalogue.to_yaml() if form == "yaml" else catalogue.to_toml(), nl=False)


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line]


def _price(text: str) -> tuple[str, int]:
    from puhui.foundation.refusals import BadField

    source, _, fen = text.partition("=")
    if not source or not fen.isdecimal():
        raise BadField(field="--price", why="it reads SOURCE=FEN, such as credit_bureau=300")
    return source, int(fen)


def _show(told: dict[str, Any], *, as_json: bool) -> None:
    from puhui.cli.proving import show

    show(told, as_json=as_json)
