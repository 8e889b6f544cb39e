"""`puhui law`: which rules are in force on a day, which of them counsel must still check, and asking for the yes that a pack needs."""

from datetime import UTC, datetime

import click

from puhui.cli.house import read_config, run
from puhui.engines.law import Laws, Pack
from puhui.foundation.days import business_date


@click.group("law")
def law_group() -> None:
    """The law as dated rule packs: ours, and the lender's own from PUHUI_LAW_FOLDER.

    \b
    puhui law list                       packs in force today
    puhui law show cn.all-in-cap         its numbers, with sources and labels
    puhui law ask lender.cap --as wang   ask for the second yes a new pack needs
    """  # noqa: D301


def _laws() -> Laws:
    from puhui.journeys.legislate import read_laws

    return read_laws(read_config().law_folder)


def _day(given: datetime | None) -> datetime:
    return given or datetime.now(UTC)


@law_group.command("list")
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), help="The day; today if not given.")
@click.option("--verify", "only_verify", is_flag=True, help="Only numbers that counsel must still check.")
def list_packs(on: datetime | None, *, only_verify: bool) -> None:
    """List the packs in force on a day."""
    laws = _laws()
    day = on.date() if on else business_date(_day(None))
    if only_verify:
        for value in laws.to_verify(day):
            click.echo(f"{value.ref.pack:<32} {value.name:<36} {value.value!s:<24} {value.why}")
        return
    for pack in laws.packs:
        version = pack.version_on(day)
        if version is not None:
            stale = "  REVIEW IS OLD" if pack.is_stale(day) else ""
            click.echo(f"{pack.id:<32} {pack.jurisdiction:<14} since {version.since} {version.ref.sha256[:12]} {pack.label.value:<6}{stale} {pack.title}")


@law_group.command()
@click.argument("pack_id")
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), help="The day; today if not given.")
def show(pack_id: str, on: datetime | None) -> None:
    """Show a pack's numbers on a day, with labels and reasons."""
    from puhui.foundation.refusals import NotFound

    pack: Pack | None = next((one for one in _laws().packs if one.id == pack_id), None)
    if pack is None:
        raise NotFound(what="rule pack", which=pack_id)
    day = on.date() if on else business_date(_day(None))
    click.echo(f"{pack.title}\n  {'; '.join(pack.sources)}\n  reviewed {pack.reviewed}, counts by the day of {pack.counts_by}")
    version = pack.version_on(day)
    if version is None:
        click.echo(f"  not in force on {day}")
        return
    click.echo(f"  since {version.since}" + (f" until {version.until}" if version.until else "") + f", sha256 {version.ref.sha256}")
    for value in version.values.values():
        click.echo(f"  {value.name:<36} {value.value!s:<24} {value.unit:<8} {value.label.value:<7} {value.why}")


@law_group.command()
@click.argument("pack_id")
@click.option("--as", "login", required=True, help="Who asks (compliance or an analyst); asks for the password.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def ask(pack_id: str, login: str, code: str, *, password_stdin: bool) -> None:
    """Ask for the second yes that a pack needs before a process works under it; `puhui staff approve` gives it."""
    from puhui.cli.staffing import _at_desk, _own_password
    from puhui.journeys.legislate import ask_for

    asked = run(_at_desk(login, _own_password(is_stdin=password_stdin), code, lambda desk, by: ask_for(desk, by, pack_id)))
    for approval_id in asked:
        click.echo(approval_id)
    click.echo(f"{len(asked)} asked")
