"""The command line: starts at once, teaches, refuses with help, and keeps what it is given."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from puhui.cli.main import puhui as root
from puhui.foundation import server


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[Path]:
    """A house of this module, its database running all the while, so that each command only attaches."""
    home = tmp_path_factory.mktemp("house") / "home"
    running = server.start(home, fsync=False)
    yield home
    running.stop()
    server.discard(home)


def puhui(*arguments: str, home: Path | None = None, given: str = "", python: tuple[str, ...] = (), **settings: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PUHUI_")} | settings
    if home is not None:
        environ["PUHUI_HOME"] = str(home)
    return subprocess.run([sys.executable, *python, "-m", "puhui.cli", *arguments], check=False, capture_output=True, text=True, input=given, env=environ)


def test_help_names_every_command_and_imports_nothing_heavy():
    asked = puhui("--help", python=("-X", "importtime"))
    assert asked.returncode == 0
    for name in ("run", "stop", "resume", "staff", "backup", "restore", "config", "migrate", "town", "day"):
        assert f"  {name}" in asked.stdout
    for heavy in ("asyncpg", "numpy", "numba", "pyarrow", "aiohttp", "uvicorn", "lxml", "duckdb"):
        assert not any(line.rsplit("|", 1)[-1].strip() == heavy for line in asked.stderr.splitlines()), heavy


def test_it_refuses_to_run_without_assertions():
    asked = puhui("config", python=("-O",))
    assert asked.returncode != 0
    assert "assertions are part of the money" in asked.stderr


def test_an_unknown_command_is_no_traceback():
    asked = puhui("frobnicate")
    assert asked.returncode == 2
    assert "Traceback" not in asked.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PUHUI_PORT": "a lot"}, "PUHUI_PORT"),
        ({"PUHUI_PROT": "8000"}, "PUHUI_PORT"),
        ({"PUHUI_CONFIG": "/nowhere/at/all.toml"}, "/nowhere/at/all.toml"),
        ({"PUHUI_CLOCK": "sundial"}, "live, fast or stepped"),
    ],
)
def test_a_wrong_setting_is_refused_with_help(settings, said):
    asked = puhui("config", **settings)
    assert asked.returncode == 2
    assert said in asked.stderr
    assert "Traceback" not in asked.stderr


def test_config_shows_values_and_where_they_come_from():
    asked = puhui("config", "--json", PUHUI_PORT="8123", PUHUI_DATABASE_URL="postgresql://me:secret@db.example/puhui")
    shown = json.loads(asked.stdout.splitlines()[-1])
    assert shown["PUHUI_PORT"]["value"] == "8123"
    assert shown["PUHUI_PORT"]["from"] == "environment"
    assert shown["PUHUI_HOST"]["from"] == "default"
    assert "secret" not in asked.stdout


def test_a_database_that_is_away_is_a_refusal():
    asked = puhui("migrate", PUHUI_DATABASE_URL="postgresql://me@127.0.0.1:1/puhui")
    assert asked.returncode == 2
    assert "cli.database-away" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_migrating_twice_is_migrating_once(home):
    first, second = puhui("migrate", home=home), puhui("migrate", home=home)
    assert first.returncode == second.returncode == 0, first.stderr
    assert "up to date" in first.stdout
    assert second.stdout.startswith("0 applied")


def test_pay_outs_are_stopped_and_resumed_by_one_command(home):
    assert puhui("stop", home=home).stdout.strip() == "pay-outs: stopped"
    assert puhui("resume", "pay-outs", home=home).stdout.strip() == "pay-outs: on"
    wrong = puhui("stop", "everything", home=home)
    assert wrong.returncode == 2
    assert "bad-field" in wrong.stderr


def test_staff_are_added_log_in_and_say_the_second_yes(home):
    added = puhui("staff", "add", "wang", "--name", "王小明", "--role", "finance", "--password-stdin", home=home, given="a long enough phrase\n")
    assert added.returncode == 0, added.stderr
    assert "wang" in puhui("staff", "list", home=home).stdout
    weak = puhui("staff", "add", "li", "--name", "李", "--role", "finance", "--password-stdin", home=home, given="short\n")
    assert (weak.returncode, "staff.weak-password" in weak.stderr) == (2, True)
    wrong = puhui("staff", "approve", "av-000-1", "--as", "wang", "--password-stdin", home=home, given="not the password\n")
    assert (wrong.returncode, "staff.not-logged-in" in wrong.stderr) == (2, True)
    missing = puhui("staff", "approve", "av-000-1", "--as", "wang", "--password-stdin", home=home, given="a long enough phrase\n")
    assert (missing.returncode, "not-found" in missing.stderr) == (2, True)
    barred = puhui("staff", "audit", "--as", "wang", "--password-stdin", home=home, given="a long enough phrase\n")
    assert (barred.returncode, "staff.not-your-duty" in barred.stderr) == (2, True)
    assert "whole" in puhui("staff", "audit", "--check", home=home).stdout


def test_after_a_rotation_old_cells_are_read_and_new_ones_have_the_new_key(home):
    puhui("staff", "add", "sun", "--name", "孙一", "--role", "auditor", "--password-stdin", home=home, given="a long enough phrase\n")
    before = puhui("keys", "show", home=home).stdout
    rotated = puhui("keys", "rotate", home=home)
    assert rotated.returncode == 0, rotated.stderr
    assert puhui("keys", "show", home=home).stdout != before
    puhui("staff", "add", "qian", "--name", "钱二", "--role", "auditor", "--password-stdin", home=home, given="a long enough phrase\n")
    listed = puhui("staff", "list", home=home).stdout
    assert "孙一" in listed
    assert "钱二" in listed
    needed = puhui("keys", "retire", "1", home=home)
    assert (needed.returncode, "keys.needed" in needed.stderr) == (2, True)
    assert "encrypted anew" in puhui("keys", "renew", home=home).stdout
    assert "key 1: 0 cells" in puhui("keys", "show", "--count", home=home).stdout
    assert puhui("keys", "retire", "1", home=home).returncode == 0
    assert "孙一" in puhui("staff", "list", home=home).stdout
    missing = puhui("keys", "retire", "1", home=home)
    assert (missing.returncode, "keys.none-such" in missing.stderr) == (2, True)


def test_boards_read_and_rebuild_from_the_terminal(home):
    assert json.loads(puhui("boards", "--json", home=home).stdout.splitlines()[-1])["funnel"]["received"] == 0
    assert "equal a fresh fold" in puhui("boards", "check", home=home).stdout
    assert "rebuilt" in puhui("boards", "rebuild", home=home).stdout


def test_a_backup_survives_a_drill_and_is_never_overwritten(home, tmp_path):
    puhui("staff", "add", "zhao", "--name", "赵", "--role", "auditor", "--password-stdin", home=home, given="a long enough phrase\n")
    file = tmp_path / "puhui.tar"
    keys = tmp_path / "keys.json"
    written = puhui("backup", str(file), "--keys-to", str(keys), home=home)
    assert written.returncode == 0, written.stderr
    assert keys.stat().st_mode & 0o777 == 0o600
    again = puhui("backup", str(file), home=home)
    assert (again.returncode, "backup.file-exists" in again.stderr) == (2, True)
    drill = puhui("restore", str(file), "--check", home=home)
    assert drill.returncode == 0, drill.stderr
    assert "good" in drill.stdout


def test_a_backup_whose_keys_cannot_be_kept_is_not_begun(home, tmp_path):
    file = tmp_path / "puhui.tar"
    refused = puhui("backup", str(file), "--keys-to", str(tmp_path / "nowhere" / "keys.json"), home=home)
    assert refused.returncode == 2, refused.stderr
    assert "nowhere" in refused.stderr
    assert not file.exists()


def test_a_backup_is_read_into_an_empty_house_and_nothing_else(home, tmp_path):
    puhui("stop", home=home)
    file = tmp_path / "puhui.tar"
    puhui("backup", str(file), home=home)
    into_full = puhui("restore", str(file), home=home)
    assert into_full.returncode == 2
    assert "backup.not-empty" in into_full.stderr
    other = tmp_path / "other"
    restored = puhui("restore", str(file), home=other)
    assert restored.returncode == 0, restored.stderr
    assert puhui("backup", str(tmp_path / "second.tar"), home=other).returncode == 0
    assert _sums(tmp_path / "second.tar") == _sums(file)
    server.discard(other)


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "text"])
def test_a_damaged_backup_is_refused_before_anything_is_written(home, tmp_path, harm):
    file = tmp_path / "puhui.tar"
    puhui("backup", str(file), home=home)
    data = bytearray(file.read_bytes())
    match harm:
        case "cut":
            file.write_bytes(data[: len(data) // 2])
        case "flipped":
            with tarfile.open(file) as archive:
                place = archive.getmember("foundation.migrations.copy").offset_data + 3
            data[place] ^= 1
            file.write_bytes(data)
        case "empty":
            file.write_bytes(b"")
        case "text":
            file.write_text("not a backup")
    asked = puhui("restore", str(file), "--check", home=home)
    assert (asked.returncode, "backup.unusable" in asked.stderr) == (2, True)
    assert "Traceback" not in asked.stderr


def _sums(file: Path) -> dict[str, str]:
    with tarfile.open(file) as archive:
        manifest = json.loads(archive.extractfile("manifest.json").read())
    return {f"{table['schema']}.{table['name']}": table["sha256"] for table in manifest["tables"] if table["name"] != "migrations"}


def commands_of(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands_of(command, (*path, name))


def test_every_command_teaches():
    """Every command says in a sentence what it does, and every option what it is for, by words, by its default or by its choices."""
    silent = []
    for path in commands_of(root):
        command: click.Command = root
        for name in path:
            command = command.get_command(click.Context(command), name)
        if len((command.help or "").split()) < 3:
            silent.append(" ".join(path))
        silent += [f"{' '.join(path)} {option.opts[0]}" for option in command.params if isinstance(option, click.Option) and not is_plain(option)]
    assert silent == []


def is_plain(option: click.Option) -> bool:
    return bool(option.help or option.prompt or option.show_default or isinstance(option.type, click.Choice))
