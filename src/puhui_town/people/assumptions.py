"""The population file: every number about the people, with the note that says where it comes from."""

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any


class NotAnAssumptionError(ValueError):
    """The population file has a value without a note, or lacks one that the people need."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The numbers by their dotted names, and the hash of the text they came from."""

    values: dict[str, Any] = field(compare=False, repr=False)
    sha256: str

    def number(self, name: str) -> float:
        return float(self.values[name])

    def whole(self, name: str) -> int:
        return int(self.values[name])

    def numbers(self, name: str) -> tuple[float, ...]:
        return tuple(float(x) for x in self.values[name])

    def by_name(self, name: str) -> dict[str, float]:
        """A value that is itself a table, or the numbers of every name under `name`."""
        if name in self.values:
            return {key: float(x) for key, x in self.values[name].items()}
        head = f"{name}."
        return {key[len(head) :]: float(x) for key, x in self.values.items() if key.startswith(head)}


def read_population(text: str) -> Assumptions:
    """Read a population file. Names that it leaves out keep their default, so a file may say only what differs.

    Raises NotAnAssumptionError when a value has no note, or no default of its name exists.
    """
    given = dict(_leaves(tomllib.loads(text), ""))
    defaults = _default_values()
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise NotAnAssumptionError(f"unknown names in the population file: {', '.join(unknown)}")
    return Assumptions({**defaults, **given}, hashlib.sha256(text.encode()).hexdigest())


@cache
def default_population() -> Assumptions:
    text = _default_text()
    return Assumptions(_default_values(), hashlib.sha256(text.encode()).hexdigest())


@cache
def _default_text() -> str:
    return files("puhui_town.people").joinpath("population.toml").read_text(encoding="utf-8")


@cache
def _default_values() -> dict[str, Any]:
    return dict(_leaves(tomllib.loads(_default_text()), ""))


def _leaves(table: dict[str, Any], head: str) -> Iterator[tuple[str, Any]]:
    for key, entry in table.items():
        name = f"{head}{key}"
        if not isinstance(entry, dict):
            raise NotAnAssumptionError(f"{name} stands without a note: write {{ value = …, note = … }}")
        if "value" in entry:
            if not entry.get("note"):
                raise NotAnAssumptionError(f"{name} has no note")
            yield name, entry["value"]
        else:
            yield from _leaves(entry, f"{name}.")
