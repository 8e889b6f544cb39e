"""The tooling: `./dev` needs Python alone, everything that is installed is locked by hash, words stand once in the glossary."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^([A-Za-z0-9_.\[\]-]+)==", re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.split("[", maxsplit=1)[0]).lower()


def test_dev_imports_the_standard_library_only():
    tree = ast.parse((ROOT / "dev").read_text("utf-8"))
    imported = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)


def test_dev_teaches_and_refuses_what_it_does_not_know():
    taught = subprocess.run([sys.executable, ROOT / "dev", "help"], check=True, capture_output=True, text=True)
    assert "./dev run" in taught.stdout
    assert "./dev test" in taught.stdout
    refused = subprocess.run([sys.executable, ROOT / "dev", "frobnicate"], check=False, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "frobnicate" in refused.stderr


@pytest.mark.parametrize("name", ["dev", ".ci/run"])
def test_scripts_may_be_executed(name):
    assert os.access(ROOT / name, os.X_OK)


def test_the_build_runs_dev_test():
    assert "./dev test" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-uv.lock"])
def test_every_locked_package_has_hashes(name):
    blocks = re.split(r"\n(?=\S)", (ROOT / name).read_text("utf-8").strip())
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_every_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {normal(re.split(r"[<>=!~ ;]", line)[0]) for line in [*project["dependencies"], *project["optional-dependencies"]["test"]]}
    locked = {normal(name) for name in PINNED.findall((ROOT / "requirements.lock").read_text("utf-8"))}
    assert wanted - locked == set()


def test_a_word_stands_once_in_the_glossary():
    words = re.findall(r"^\| (`[^|]+`) \|", (ROOT / "GLOSSARY.md").read_text("utf-8"), re.MULTILINE)
    counted = Counter(word for cell in words for word in re.findall(r"`([a-z_]+)`", cell))
    assert [word for word, times in counted.items() if times > 1] == []


def test_every_room_stands_in_the_architecture_and_the_glossary():
    rooms = {folder.name for folder in (ROOT / "src" / "puhui" / "rooms").iterdir() if (folder / "__init__.py").exists()}
    told = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert {room for room in rooms if f"| {room} |" not in told} == set()
    glossary = next(line for line in (ROOT / "GLOSSARY.md").read_text("utf-8").splitlines() if line.startswith("| `room`"))
    assert {room for room in rooms if room not in glossary} == set()
