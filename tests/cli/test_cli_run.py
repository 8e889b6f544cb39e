"""`puhui run`: starts everything, watches it, stops it cleanly, and goes on at the stored day."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from puhui.foundation import server

PATIENCE_S = 90


@dataclass
class Running:
    """A `puhui run` as a process, and where it can be reached."""

    process: subprocess.Popen[str]
    platform: str
    town: str
    home: Path

    def ask(self, url: str) -> dict[str, object] | None:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError):
            return None

    @property
    def is_good(self) -> bool:
        return (self.ask(f"{self.platform}/health") or {}).get("state") == "good"

    @property
    def at(self) -> datetime:
        told: list[str] = []
        wait_until(lambda: bool(health := self.ask(f"{self.platform}/health")) and health["state"] == "good" and not told.append(health["at"]))
        return datetime.fromisoformat(told[0])

    @property
    def children(self) -> list[int]:
        return [int(line) for line in (self.home / "run.pids").read_text().split()]

    def interrupt(self) -> str:
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=PATIENCE_S)
        return said


def begin(home: Path) -> Running:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PUHUI_")} | {"PUHUI_HOME": str(home)}
    command = [sys.executable, "-m", "puhui.cli", "run", "--people", "0", "--port", "0", "--town-port", "0"]
    process = subprocess.Popen(  # a shell's background job ignores Ctrl-C, and so would what we start in one
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  (one thread)
    )  # fmt: skip
    addresses: dict[str, str] = {}
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"(http://127\.0\.0\.1:\d+)/(health|town/clock)", line):
            addresses[found.group(2)] = found.group(1)
        if "Ctrl-C stops everything" in line:
            return Running(process, addresses["health"], addresses["town/clock"], home)
    process.wait()
    pytest.fail("".join(said) + "".join(path.read_text()[-2000:] for path in (home / "logs").glob("*.log")))


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    server.discard(home)
    shutil.rmtree(home, ignore_errors=True)


def test_a_run_is_watched_stopped_and_taken_up_again(home):
    first = begin(home)
    second = subprocess.run(
        [sys.executable, "-m", "puhui.cli", "run"], check=False, capture_output=True, text=True, env=os.environ | {"PUHUI_HOME": str(home)}
    )
    assert (second.returncode, "run.already" in second.stderr) == (2, True)

    before = first.at
    killed = first.children[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in first.children and first.is_good)
    assert first.at > before, "the platform that was started again hangs on the same clock"

    attached = server.start(home)
    os.kill(attached.pid, signal.SIGKILL)
    attached.stop()
    wait_until(lambda: first.is_good)

    at, children = first.at, first.children
    said = first.interrupt()
    assert first.process.returncode == 0, said
    assert "stopped; the next run goes on at the stored day" in said
    assert not any(is_alive(pid) for pid in children)

    again = begin(home)
    assert again.at >= at
    children = again.children
    again.process.kill()
    again.process.communicate()
    assert all(is_alive(pid) for pid in children), "whoever is killed leaves children behind"

    third = begin(home)
    assert not any(is_alive(pid) for pid in children), "and the next run stops them"
    third.interrupt()
    assert third.process.returncode == 0
