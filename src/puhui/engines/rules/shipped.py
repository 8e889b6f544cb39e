"""The lending strategy that is shipped: admission, fraud, credit, limit, price, funding, collection; Chinese and English in every rule.

`packs/lending.dmn` holds the tables with their examples, `packs/lending.toml` where each input comes from. What a law sets (an age, a bar) is an input.
It decides until a lender publishes a strategy of his own.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from puhui.engines.rules.artefact import Artefact
from puhui.engines.rules.loader import load
from puhui.engines.rules.manifest import Manifest, Source
from puhui.engines.rules.model import inputs_of
from puhui.engines.rules.writing import published

COLLECTION = ("Collection stance", "Collection treatment", "Collection tone")


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
    """What decides how a late person is met on a day, by which channel, and in which tone."""
    return _pack(list(COLLECTION), "", "Collection treatment")


def _data(name: str) -> bytes:
    return (resources.files(__package__) / "packs" / name).read_bytes()


def _pack(decisions: list[str], route: str, decide: str) -> Pack:
    model = load(_data("lending.dmn"))
    rows = tomllib.loads(_data("lending.toml").decode())["input"]
    needed = inputs_of(model, decisions)
    sources = tuple(Source(row["feel_name"], row["type"], row["from"]) for row in rows if row["feel_name"] in needed)
    artefact = published(model, decisions, {one.feel_name: one.type for one in sources})
    return Pack(artefact, Manifest(artefact.sha256, route, decide, sources))
