"""The embedded server: starts for anyone, survives kill -9 of the program and of itself, and goes with its last user."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from puhui.foundation import server

PROGRAM = """
import sys, time
from pathlib import Path
from puhui.foundation import server
started = server.start(Path(sys.argv[1]), fsync=False)
print(started.pid, flush=True)
time.sleep(600)
"""


def ask(url: str, statement: str) -> object:
    async def one() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(one())


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    server.discard(tmp_path / "home")
    assert not (tmp_path / "home" / "postgres-at").exists()


def test_a_first_start_makes_a_private_server_with_an_empty_database(home):
    started = server.start(home, fsync=False)
    assert started.is_ours
    assert ask(started.url, "select current_database()") == "puhui"
    assert ask(started.url, "show listen_addresses") == ""
    assert started.cluster.root.stat().st_mode & 0o777 == 0o700
    assert started.cluster.sockets.stat().st_mode & 0o777 == 0o700
    assert len(os.fsencode(started.cluster.sockets)) < 100
    started.stop()
    assert started.pid is None


def test_the_server_never_runs_as_root(home):
    started = server.start(home, fsync=False)
    assert Path(f"/proc/{started.pid}").stat().st_uid != 0
    started.stop()


def test_a_second_program_attaches_and_the_last_one_out_stops_the_server(home):
    first = server.start(home, fsync=False)
    second = server.start(home, fsync=False)
    assert (first.is_ours, second.is_ours) == (True, False)
    assert first.pid == second.pid
    first.stop()
    assert second.pid is not None
    assert ask(second.url, "select 1") == 1
    second.stop()
    assert second.pid is None


def test_what_was_written_is_there_after_a_clean_stop_and_a_new_start(home):
    started = server.start(home, fsync=False)
    ask(started.url, "create table kept as select 7 as seven")
    started.stop()
    again = server.start(home, fsync=False)
    assert ask(again.url, "select seven from kept") == 7
    again.stop()


def test_a_killed_program_leaves_the_server_to_the_next_one(home):
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(home)], stdout=subprocess.PIPE)
    pid = int(program.stdout.readline())
    program.kill()
    program.wait()
    program.stdout.close()

    after = server.start(home, fsync=False)
    assert after.pid == pid
    assert not after.is_ours
    after.stop()
    assert after.pid is None


def test_a_killed_server_is_started_again_with_all_that_was_committed(home):
    started = server.start(home)
    ask(started.url, "create table kept as select 7 as seven")
    os.kill(started.pid, signal.SIGKILL)
    wait_until(lambda: started.pid is None)
    assert started.revive()
    assert ask(started.url, "select seven from kept") == 7
    assert not started.revive()
    started.stop()


def test_a_killed_server_is_a_zombie_of_its_starter_and_yet_another_program_starts_it_again(home):
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(home)], stdout=subprocess.PIPE)
    pid = int(program.stdout.readline())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z")
    after = server.start(home, fsync=False)
    assert after.is_ours
    assert after.pid != pid
    program.kill()
    program.wait()
    program.stdout.close()
    after.stop()


def test_a_stale_pid_file_that_names_a_living_stranger_is_not_believed(home):
    started = server.start(home, fsync=False)
    file = started.cluster.data / "postmaster.pid"
    lines = file.read_text().splitlines()
    started.stop()
    file.write_text("\n".join([str(os.getpid()), *lines[1:7], "ready   "]) + "\n")
    again = server.start(home, fsync=False)
    assert again.is_ours
    assert ask(again.url, "select 1") == 1
    again.stop()


def test_a_long_home_gets_a_short_socket_path(tmp_path):
    home = tmp_path / ("a-long-name-" * 10)
    started = server.start(home, fsync=False)
    assert len(os.fsencode(started.cluster.sockets)) < 90
    assert ask(started.url, "select 1") == 1
    started.stop()
    server.discard(home)


def test_what_is_in_use_is_not_discarded(home):
    started = server.start(home, fsync=False)
    with pytest.raises(server.ServerInUse):
        server.discard(home)
    assert ask(started.url, "select 1") == 1
    started.stop()
    root = started.cluster.root
    server.discard(home)
    assert not root.exists()


def test_a_configured_database_wins_and_is_never_stopped(home):
    given = server.start(home, database_url="postgresql://lender@db.example/puhui")
    assert given.url == "postgresql://lender@db.example/puhui"
    assert not given.is_ours
    given.stop()
    assert not home.exists()


def test_a_folder_of_someone_else_is_refused(home):
    home.mkdir()
    (home / "postgres").mkdir()
    (home / "postgres" / "note").write_text("mine")
    (home / "postgres").chmod(0o755)
    with pytest.raises(server.FolderNotOurs):
        server.start(home, fsync=False)
    (home / "postgres" / "note").unlink()
    (home / "postgres").rmdir()


def test_the_log_of_the_server_holds_no_values_of_rows(home):
    started = server.start(home, fsync=False)
    ask(started.url, "create table one (phone text primary key)")
    with pytest.raises(asyncpg.UniqueViolationError):
        ask(started.url, "insert into one values ('13800138000'), ('13800138000')")
    assert "13800138000" not in started.cluster.log.read_text()
    started.stop()


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)
