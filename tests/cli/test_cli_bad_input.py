"""A newcomer's mistakes at the command line: help everywhere, two clear lines for what cannot be, never a traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from puhui.cli.main import COMMANDS, puhui


def every_command() -> Iterator[tuple[str, ...]]:
    for section in COMMANDS.values():
        for name in section:
            if name == "town":  # a command line of its own, which replaces the process
                continue
            yield (name,)
            command = puhui.get_command(click.Context(puhui), name)
            if isinstance(command, click.Group):
                yield from ((name, inner) for inner in command.commands)


@pytest.mark.parametrize("words", list(every_command()), ids=" ".join)
def test_every_command_teaches(words):
    said = CliRunner().invoke(puhui, [*words, "--help"])
    assert said.exit_code == 0, said.output
    assert len(said.output.split("Options:")[0].split()) >= 8, said.output


@pytest.mark.parametrize(
    ("words", "settings", "code"),
    [
        ("migrate", {"PUHUI_HOME": "{folder}/file/below"}, "cli.file"),
        ("config", {"PUHUI_CLOKC": "live"}, "config.unknown-setting"),
        ("config", {"PUHUI_PORT": "many"}, "config.bad-setting"),
        ("config", {"PUHUI_CONFIG": "{folder}/none.toml"}, "config.unreadable"),
        ("migrate", {"PUHUI_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, "cli.database-away"),
        ("restore --check {folder}/file", {}, "backup.unusable"),
        ("demo --home {folder} --people 1", {}, "story.home-in-use"),
        ("law show nothing", {}, "not-found"),
        ("replay", {}, "bad-field"),
    ],
)
def test_what_cannot_be_is_told_in_two_lines(words, settings, code, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"no backup")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PUHUI_")}
    given = {name: value.format(folder=tmp_path) for name, value in ({"PUHUI_HOME": "{folder}/home"} | settings).items()}
    command = [sys.executable, "-m", "puhui.cli", *words.format(folder=tmp_path).split()]
    done = subprocess.run(command, env=clean | given, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr, f"[{code}]" in done.stderr) == (2, False, True), done.stderr
    assert len(done.stderr.strip().splitlines()) == 2


def test_the_town_has_help_under_the_name_it_was_called_by():
    done = subprocess.run([sys.executable, "-m", "puhui.cli", "town", "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Usage: puhui town " in done.stdout) == (0, True), done.stderr
