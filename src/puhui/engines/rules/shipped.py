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
from puhui.engines.rules.model import Model, inputs_of
from puhui.engines.rules.refusals import BadManifest
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
    return packed(_data("lending.dmn"), _data("lending.toml"))


@cache
def collection() -> Pack:
    """What decides how a late person is met on a day, by which channel, and in which tone."""
    rows = tomllib.loads(_data("lending.toml").decode())["input"]
    return _pack(load(_data("lending.dmn")), rows, list(COLLECTION), "", "Collection treatment")


def packed(dmn: bytes, inputs: bytes) -> Pack:
    """Compile a model and the TOML that says where each of its inputs comes from; what rests on a collection `case` is left out.

    Raises ValueError as `compile` does. Refused: UnreadableFile, PolicyFails, BadManifest.
    """
    model = load(dmn)
    try:
        told = tomllib.loads(inputs.decode())
        rows = [{key: str(one[key]) for key in ("feel_name", "type", "from")} for one in told["input"]]
        route, decide = str(told["route"]), str(told["decide"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadManifest(why="its TOML has no route, decide, and inputs with feel_name, type and from") from error
    late = {row["feel_name"] for row in rows if row["from"].startswith("case:")}
    return _pack(model, rows, [name for name in model.decisions if not inputs_of(model, [name]) & late], route, decide)


def _data(name: str) -> bytes:
    return (resources.files(__package__) / "packs" / name).read_bytes()


def _pack(model: Model, rows: list[dict[str, str]], decisions: list[str], route: str, decide: str) -> Pack:
    needed = inputs_of(model, decisions)
    sources = tuple(Source(row["feel_name"], row["type"], row["from"]) for row in rows if row["feel_name"] in needed)
    artefact = published(model, decisions, {one.feel_name: one.type for one in sources})
    return Pack(artefact, Manifest(artefact.sha256, route, decide, sources))
