"""`puhui stop` and `puhui resume`: one command each, at once, and in the audit."""

import click

from puhui.foundation.refusals import BadField

WHAT = ("pay-outs", "sales", "decisions")


@click.command()
@click.argument("what", default="pay-outs")
def stop(what: str) -> None:
    """Stop WHAT at once: `pay-outs` (the default), `sales`, or `decisions`.

    Nothing that is under way is broken off: a loan that is signed waits, and its money goes out after `puhui resume`. Applications are
    still answered and say so. With `decisions` stopped, applications are taken and wait; nobody is declined or offered anything. The switch is in the database, so every process of the platform obeys it from its next step on.
    """
    _set(what, is_on=False)


@click.command()
@click.argument("what", default="pay-outs")
def resume(what: str) -> None:
    """Let WHAT go on: `pay-outs` (the default), `sales`, or `decisions`. What waited goes on by itself."""
    _set(what, is_on=True)


def _set(what: str, *, is_on: bool) -> None:
    if what not in WHAT:
        raise BadField(field="WHAT", why=f"it is one of {', '.join(WHAT)}, and not {what!r}")
    from puhui.cli.house import CONSOLE, open_house, read_config, run
    from puhui.foundation.desk import set_switch
    from puhui.rooms import staff

    async def switch() -> None:
        async with open_house(read_config()) as desk, desk.work(CONSOLE) as work:
            await set_switch(work, what, is_on=is_on)
            await staff.note(work, staff.CONSOLE, verb="resume" if is_on else "stop", subject=what, facts={})

    run(switch())
    click.echo(f"{what}: {'on' if is_on else 'stopped'}")
