"""The root of the command line: which commands there are, and how a refusal reads."""

import importlib
import os
import sys
from typing import NamedTuple

import click

from puhui.foundation.refusals import Refusal


class Lazy(NamedTuple):
    """A command that is imported when it is used: where it lies, and its line in the help."""

    where: str
    help: str


COMMANDS: dict[str, dict[str, Lazy]] = {
    "Every day": {
        "run": Lazy("puhui.cli.running:run", "Start everything: database, platform, and a simulated town around it."),
        "stop": Lazy("puhui.cli.switching:stop", "Stop new pay-outs, the sale of a product, or deciding, at once."),
        "resume": Lazy("puhui.cli.switching:resume", "Let it go on."),
        "day": Lazy("puhui.cli.closing:day", "The day of the books: close it."),
        "staff": Lazy("puhui.cli.staffing:staff", "Accounts, approvals, reviews, answers, the audit."),
        "boards": Lazy("puhui.cli.boarding:boards", "What the boards show; rebuild them; compare them with a fresh fold."),
    },
    "The house itself": {
        "config": Lazy("puhui.cli.configuring:config", "Every setting: its value, where it comes from, what it may be."),
        "law": Lazy("puhui.cli.legislating:law_group", "The rules in force on a day; what to check; asking for a pack's second yes."),
        "migrate": Lazy("puhui.cli.keeping:migrate", "Bring the database to this version."),
        "backup": Lazy("puhui.cli.keeping:backup", "Write the whole database into one checked file."),
        "restore": Lazy("puhui.cli.keeping:restore", "Read a backup into an empty database, or only check it."),
        "keys": Lazy("puhui.cli.keyring:keys", "The field keys: show which there are, add a fresh one."),
        "town": Lazy("puhui.cli.towning:town", "The simulated town: `puhui town --help` is its own command line."),
    },
    "Decisions": {
        "strategy": Lazy("puhui.cli.strategizing:strategy", "The rules that decide: publish, propose, use; two persons for each change."),
        "explain": Lazy("puhui.cli.deciding:explain", "Why a decision came out as it did; the life of a loan."),
        "replay": Lazy("puhui.cli.deciding:replay", "Run decisions again from stored inputs, and compare to the byte."),
        "rules": Lazy("puhui.cli.ruling:rules", "Check, run, compare, lint and explain a policy written in DMN."),
        "fit": Lazy("puhui.cli.deciding:fit", "Fit the scorecard on a former lender's book."),
        "variables": Lazy("puhui.cli.deriving:variables_group", "Derived variables: list, explain, compute, compare catalogues."),
    },
    "Proofs": {
        "demo": Lazy("puhui.cli.proving:demo", "The closed loop: a thousand people, six months, checked by others."),
        "verify": Lazy("puhui.cli.proving:verify", "Prove what we promise."),
        "chaos": Lazy("puhui.cli.proving:chaos", "Kill processes at random; nothing may be lost or doubled."),
        "bench": Lazy("puhui.cli.proving:bench", "Measure whole loans a second."),
    },
}


class House(click.Group):
    """The group of all commands, imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        for section in COMMANDS.values():
            if cmd_name in section:
                module, name = section[cmd_name].where.split(":")
                command: click.Command = getattr(importlib.import_module(module), name)
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, section in COMMANDS.items():
            if section:
                with formatter.section(title):
                    formatter.write_dl([(name, lazy.help) for name, lazy in section.items()])


@click.group(cls=House, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def puhui() -> None:
    """Puhui (普惠): the whole online lending loop of a licensed lender, on one machine, exact to the fen.

    Begin with `puhui run`: it starts a lender and a simulated town whose people apply, sign, receive money and repay before your eyes.
    Ctrl-C stops everything; the next `puhui run` goes on at the stored day.

    Settings are PUHUI_* variables or a file that PUHUI_CONFIG names; `puhui config` lists them all.
    """


def main() -> None:
    """Run the command line: a refusal, or a file or folder that cannot be used, is two clear lines and exit status 2, never a traceback."""
    if not __debug__:
        sys.exit("puhui: refuses to run under python -O: assertions are part of the money")
    try:
        puhui(standalone_mode=True)
    except Refusal as refusal:
        click.echo(f"puhui: {refusal.text}", err=True)
        click.echo(f"  [{refusal.code}]{help_of(refusal)}", err=True)
        sys.exit(2)
    except (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        if error.filename is None:
            raise
        click.echo(f"puhui: {error.filename}: {error.strerror}", err=True)
        click.echo("  [cli.file]  Name a file or folder that can be used; PUHUI_HOME is where the house keeps its own.", err=True)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def help_of(refusal: Refusal) -> str:
    """Give what helps next, for the refusals of the house itself."""
    if refusal.code.startswith("config."):
        return "  `puhui config` lists every setting."
    if refusal.code.startswith("server."):
        return "  A database of your own is named by PUHUI_DATABASE_URL."
    return ""
