"""`puhui town`: hands over to the town's own command line; nothing of it is imported here."""

import os
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def town(arguments: tuple[str, ...]) -> None:
    """The simulated town as a process of its own."""
    sys.stdout.flush()
    begin = "from puhui_town.__main__ import main; main(prog_name='puhui town')"
    os.execv(sys.executable, [sys.executable, "-c", begin, *arguments])  # noqa: S606
