"""The lending strategy that is shipped as an example: admission, fraud, credit, limit, price, funding, collection; Chinese and English in every rule.

`packs/lending.dmn` holds the tables with their examples, `packs/lending.toml` where each input comes from. What a law sets (an age, a bar) is an input.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from puhui.engines.rules.artefact import Artefact
from puhui.engines.rules.loader import load
from puhui.engines.rules.manifest import Manifest, Source
from puhui.engines.rules.model import InputData, Model, closure
from puhui.engines.rules.outcome import Outcome
from puhui.engines.rules.tree import Table
from puhui.engines.rules.writing import published

COLLECTION = ("Collection treatment", "Collection channel")
REASONS_MAX = 4
GATE = "GATE:"


@dataclass(frozen=True, slots=True)
class Pack:
    """A compiled strategy and its manifest."""

    artefact: Artefact
    manifest: Manifest


@cache
def lending() -> Pack:
    """What decides an application: all tables but those of collection. Its own examples hold, or it would not be published."""
    return _pack([name for name in load(_data("lending.dmn")).decisions if name not in COLLECTION], "route", "decide")


@cache
def collection() -> Pack:
    """What decides how a late person is treated, and by which channel."""
    return _pack(list(COLLECTION), "", "Collection channel")


def reasons(outcome: Outcome, row: int = 0) -> tuple[str, ...]:
    """The codes of why an application was not offered: those of every gate that said the same as the decision, at most four, in the order of the gates."""
    told = outcome.value("decide", row)
    if not isinstance(told, dict) or told["outcome"] == "offer":
        return ()
    if not str(told["gate"]).startswith(GATE):
        return (str(told["gate"]),)
    found = []
    for name in outcome.artefact.decisions:
        gate = outcome.value(name, row)
        if isinstance(gate, dict) and "reason" in gate and gate["outcome"] == told["outcome"]:
            found.append(str(gate["reason"]))
    return tuple(dict.fromkeys(found))[:REASONS_MAX]


def _data(name: str) -> bytes:
    return (resources.files(__package__) / "packs" / name).read_bytes()


def _pack(decisions: list[str], route: str, decide: str) -> Pack:
    model = load(_data("lending.dmn"))
    rows = tomllib.loads(_data("lending.toml").decode())["input"]
    needed = _needed(model, decisions)
    sources = tuple(Source(row["feel_name"], row["type"], row["from"]) for row in rows if row["feel_name"] in needed)
    artefact = published(model, decisions, {one.feel_name: one.type for one in sources})
    assert all(isinstance(model.decision(name).node, Table) for name in decisions), "the pack is made of tables"
    return Pack(artefact, Manifest(artefact.sha256, route, decide, sources))


def _needed(model: Model, decisions: list[str]) -> set[str]:
    """The inputs that these decisions rest on."""
    found = [model.found(href) for one in closure(model, decisions) for href in one.requires]
    return {one[2].name for one in found if one is not None and isinstance(one[2], InputData)}
