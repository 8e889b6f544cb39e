"""`puhui config`: every setting, its value, where it comes from, and what it may be."""

import os
from dataclasses import fields

import click

from puhui.foundation import config as configuration
from puhui.foundation.config import Config

HIDDEN = {"DATABASE_URL"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
def config(*, as_json: bool) -> None:
    """Show every setting. A wrong one is refused with its name, what was given, and what is wanted."""
    read = configuration.read(os.environ)
    rows = [_row(name, read) for name in sorted(configuration._PARSERS)] + [_url_row(service, read) for service in configuration.SERVICES]  # noqa: SLF001
    if as_json:
        import json

        click.echo(json.dumps({row[0]: {"value": row[1], "from": row[2], "wanted": row[3]} for row in rows}, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "value", "from", "what it may be", box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _row(name: str, read: Config) -> tuple[str, str, str, str]:
    value = getattr(read, name.lower())
    default = next(one.default for one in fields(Config) if one.name == name.lower())
    text = str(getattr(value, "value", value))
    if name in HIDDEN and text:
        text = text.rpartition("@")[2]
    source = "environment" if f"PUHUI_{name}" in os.environ else "default" if value == default else os.environ.get("PUHUI_CONFIG", "")
    return f"PUHUI_{name}", text, source, configuration._PARSERS[name][1]  # noqa: SLF001


def _url_row(service: str, read: Config) -> tuple[str, str, str, str]:
    name = configuration._url_setting(service)  # noqa: SLF001
    return name, read.service_urls.get(service, ""), "environment" if name in os.environ else "", f"the base address of the service {service}"
