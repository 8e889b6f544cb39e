"""`puhui boards`: what the boards show, on the terminal."""

import sys
from dataclasses import asdict, fields, is_dataclass
from datetime import timedelta
from typing import Any

import click

from puhui.cli.house import CONSOLE, open_house, read_config, run
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import Refusal
from puhui.rooms import boards as room


class BoardsDiffer(Refusal):
    """{count} rows of the boards differ from a fresh fold of the log, the first: {first}. `puhui boards rebuild` makes them anew."""

    code = "boards.differ"


@click.group(invoke_without_command=True)
@click.pass_context
@click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
def boards(context: click.Context, *, as_json: bool) -> None:
    """Show the boards: funnel, book, arrears, funding, entries, thin file, cases."""
    if context.invoked_subcommand is None:
        run(_show(as_json=as_json))


@boards.command()
def rebuild() -> None:
    """Forget the boards and fold them anew from the log of events."""

    async def rebuild_all() -> int:
        async with open_house(read_config()) as desk, desk.work(CONSOLE) as work:
            return await room.rebuild(work)

    click.echo(f"rebuilt from {run(rebuild_all()):,} events")


@boards.command()
def check() -> None:
    """Compare the boards with a fresh fold of the log; every row that differs is named."""

    async def compare() -> list[str]:
        async with open_house(read_config()) as desk, desk.work(CONSOLE) as work:
            return await room.differences(work)

    if different := run(compare()):
        for line in different[:50]:
            click.echo(line)
        raise BoardsDiffer(count=len(different), first=different[0])
    click.echo("the boards equal a fresh fold")


async def _show(*, as_json: bool) -> None:
    async with open_house(read_config()) as desk:
        shown = await read_all(desk)
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode({name: _plain(value) for name, value in shown.items()}).decode())
        return
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=170)
    for name, value in shown.items():
        rows = value if isinstance(value, list) else [value]
        if not rows:
            continue
        table = Table(*(one.name.replace("_", " ") for one in fields(rows[0])), title=name, title_justify="left", box=None, header_style="bold")
        for row in rows[-20:]:
            table.add_row(*(_text(one.name, getattr(row, one.name)) for one in fields(row)))
        console.print(table, "")


async def read_all(desk: Desk) -> dict[str, Any]:
    """Read every board in one Work."""
    async with desk.look(CONSOLE) as work:
        return {
            "funnel": await room.funnel(work),
            "book": await room.standing(work),
            "speed": await room.speed(work),
            "arrears": await room.arrears(work),
            "funding": await room.funding(work),
            "entries": await room.entries(work),
            "thin file": await room.thin_file(work),
            "cases": await room.cases(work),
            "money": await room.money(work),
        }


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _text(name: str, value: object) -> str:
    if name.endswith("_fen") and isinstance(value, int):
        return f"{value / 100:,.2f}"
    if name.endswith("_ms") and isinstance(value, tuple):
        return " / ".join(str(timedelta(seconds=one // 1000)) for one in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else "" if value is None else str(value)
