"""A room has one door: from outside only its `__init__` is imported, and only names that stand there are used."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
ROOMS = SOURCE / "puhui" / "rooms"
NAMES = sorted(folder.name for folder in ROOMS.iterdir() if (folder / "__init__.py").exists())


def modules() -> Iterator[Path]:
    yield from sorted((SOURCE / "puhui").rglob("*.py"))


def offered(room: str) -> set[str]:
    """Give the names that the door of a room binds."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOMS / room / "__init__.py").read_text("utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def past_the_door(path: Path, text: str) -> list[str]:
    """Give what a module outside the rooms takes that no door offers, each with its line."""
    tree = ast.parse(text)
    found: list[str] = []
    doors: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [f"{path.name}:{node.lineno} import {alias.name}" for alias in node.names if alias.name.startswith("puhui.rooms.")]
        elif isinstance(node, ast.ImportFrom) and node.module == "puhui.rooms":
            doors |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("puhui.rooms."):
            room, *deeper = (node.module or "").split(".")[2:]
            wanted = deeper[:1] or [alias.name for alias in node.names]  # a part that the door offers whole may be named in full
            hidden = [name for name in wanted if name not in offered(room)]
            if hidden or len(deeper) > 1:
                found.append(f"{path.name}:{node.lineno} from {node.module} import ...: {', '.join(hidden)} is not offered")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in doors:
            room = doors[node.value.id]
            if room in NAMES and node.attr not in offered(room):
                found.append(f"{path.name}:{node.lineno} {room}.{node.attr}")
    return found


@pytest.mark.parametrize("path", [path for path in modules() if ROOMS not in path.parents], ids=lambda path: str(path.relative_to(SOURCE)))
def test_rooms_are_entered_by_their_doors(path):
    assert past_the_door(path, path.read_text("utf-8")) == []


@pytest.mark.parametrize("room", NAMES)
def test_a_door_says_what_the_room_is_for(room):
    said = ast.get_docstring(ast.parse((ROOMS / room / "__init__.py").read_text("utf-8")))
    assert said, f"rooms/{room}/__init__.py does not say what the room is for"
    assert len(said.splitlines()[0]) > 20


@pytest.mark.parametrize(
    "text",
    [
        "import puhui.rooms.staff.store",
        "from puhui.rooms.staff import store",
        "from puhui.rooms.staff.store import find_account",
        "from puhui.rooms import staff\nstaff.store.find_account",
    ],
)
def test_going_past_a_door_is_noticed(text):
    assert past_the_door(Path("someone.py"), text)
