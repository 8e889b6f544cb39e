"""A strategy: a compiled model and where each of its inputs comes from. One pure function runs it, live and in replay.

The steps are rules(route), the models that route names, rules(decide). The models are asked through a function that is handed in: no engine calls another.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from puhui.engines.rules.artefact import Artefact
from puhui.engines.rules.outcome import Instants
from puhui.engines.rules.refusals import BadManifest
from puhui.engines.rules.schema import read_schema
from puhui.engines.rules.values import literal

HASH = re.compile(r"[0-9a-f]{64}|")
FROM = re.compile(r"(variable|yuan|application|law|product|case|step|missing):(.+)|(score):([^.]+)\.(probability_ppm|points|fen)")
Score = Callable[[tuple[str, ...]], Mapping[str, Mapping[str, object]]]
"""Gives, for model ids, the fields of each score."""


@dataclass(frozen=True, slots=True)
class Source:
    """One input: its name in the model, its type, and where it comes from.

    `variable:<id>`; `yuan:<id>`, a variable of whole fen told in yuan; `missing:<id>`, why a variable has no value; `score:<model id>.<field>`
    (probability_ppm, points or fen); or a field of the `application`, of the `law` on that day, of the `product`, of a collection `case`, or of a `step`:
    what the house reckons (an installment that can be borne) from what the same rules said first.
    """

    feel_name: str
    type: str
    source: str

    @property
    def parts(self) -> tuple[str, str, str]:
        """Its kind, the id or field, and of a score the field."""
        found = FROM.fullmatch(self.source)
        assert found, "sources are checked when a manifest is read"
        return (found[1], found[2], "") if found[1] else (found[3], found[4], found[5])


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a strategy needs. It is named by the SHA-256 of its canonical bytes; a hash that is not needed is empty."""

    rules: str
    route: str
    decide: str
    inputs: tuple[Source, ...]
    plan: str = ""
    portfolio: str = ""

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        inputs = [{"feel_name": one.feel_name, "from": one.source, "type": one.type} for one in self.inputs]
        told = {"kind": "strategy", "rules": self.rules, "plan": self.plan, "portfolio": self.portfolio, "route": self.route, "decide": self.decide, "inputs": inputs}
        return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @property
    def sha256(self) -> str:
        """The strategy's name."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def models(self) -> tuple[str, ...]:
        """The models whose scores the strategy can use."""
        return tuple(dict.fromkeys(one.parts[1] for one in self.inputs if one.parts[0] == "score"))

    def fits(self, artefact: Artefact) -> None:
        """See that the artefact is the one named, and takes these inputs. Refused: BadManifest."""
        if artefact.sha256 != self.rules:
            raise BadManifest(why="it names another artefact of rules")
        if missing := [name for name in (self.route, self.decide) if name and name not in artefact.decisions]:
            raise BadManifest(why=f"the artefact makes no decision called {missing[0]}")
        told = {one.name: str(one) for one in artefact.fields}
        named = {one.feel_name: str(read_schema({one.feel_name: one.type})[0]) for one in self.inputs}
        if told != named:
            odd = min(set(told.items()) ^ set(named.items()))[0]
            raise BadManifest(why=f"the input {odd} is not what the artefact takes")


def read_manifest(data: bytes) -> Manifest:
    """Read the canonical bytes of a manifest. Refused: BadManifest."""
    try:
        told = json.loads(data)
        inputs = tuple(Source(str(one["feel_name"]), str(one["type"]), str(one["from"])) for one in told["inputs"])
        manifest = Manifest(str(told["rules"]), str(told["route"]), str(told["decide"]), inputs, str(told["plan"]), str(told["portfolio"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadManifest(why="it is no JSON of the right shape") from error
    for one in inputs:
        if not FROM.fullmatch(one.source):
            raise BadManifest(why=f"the input {one.feel_name} comes from {one.source[:80]}, which is no source")
    if not all(HASH.fullmatch(one) for one in (manifest.rules, manifest.plan, manifest.portfolio)):
        raise BadManifest(why="a hash is not 64 hexadecimal digits")
    if manifest.to_bytes() != data:
        raise BadManifest(why="its bytes are not in their canonical form")
    return manifest


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one application: variables by id, why a variable has no value, and the fields of the application itself."""

    variables: Mapping[str, object] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    application: Mapping[str, object] = field(default_factory=dict)
    others: Mapping[str, object] = field(default_factory=dict)
    """By their whole source, as `law:is_under_age`."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a strategy decided: the models asked, their scores, the inputs as the rules saw them, the value, and the rules that fired."""

    models: tuple[str, ...]
    scores: Mapping[str, Mapping[str, object]]
    inputs: Mapping[str, object]
    value: object
    fired: Mapping[str, Sequence[int]]

    def to_bytes(self) -> bytes:
        """Canonical JSON, values as FEEL literals: what a replay must equal to the last byte."""
        told: dict[str, Any] = {
            "models": list(self.models),
            "scores": {model: {key: literal(value) for key, value in fields.items()} for model, fields in self.scores.items()},
            "inputs": {name: literal(value) for name, value in self.inputs.items()},
            "value": literal(self.value),
            "fired": {name: list(rules) for name, rules in self.fired.items()},
        }
        return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def run(manifest: Manifest, artefact: Artefact, facts: Facts, score: Score, *, at: Instants = None) -> Decided:
    """Route, score, decide. A source that is not known is null. Refused: BadInput."""
    row = {one.feel_name: _known(one, facts, {}) for one in manifest.inputs}
    asked: tuple[str, ...] = ()
    if manifest.route:
        asked = _named(artefact.one(row, at=at).value(manifest.route), manifest.models)
    scores = {model: dict(fields) for model, fields in score(asked).items()} if asked else {}
    return replayed(manifest, artefact, {one.feel_name: _known(one, facts, scores) for one in manifest.inputs}, asked, scores, at=at)


def replayed(
    manifest: Manifest, artefact: Artefact, inputs: Mapping[str, object], models: tuple[str, ...] = (), scores: Mapping[str, Mapping[str, object]] | None = None, *, at: Instants = None
) -> Decided:  # fmt: skip
    """The last step alone, from the inputs that a record keeps: the same bytes, for ever."""
    outcome = artefact.one(inputs, at=at)
    fired = {name: outcome.fired(name) for name, _ in artefact.tables}
    return Decided(models, scores or {}, outcome.inputs(0), outcome.value(manifest.decide), fired)


def _known(one: Source, facts: Facts, scores: Mapping[str, Mapping[str, object]]) -> object:
    kind, key, part = one.parts
    match kind:
        case "variable":
            return facts.variables.get(key)
        case "application":
            return facts.application.get(key)
        case "missing":
            return facts.missing.get(key)
        case "yuan":
            fen = facts.variables.get(key)
            return None if fen is None else Decimal(str(fen)).scaleb(-2)
        case "law" | "product" | "case" | "step":
            return facts.others.get(one.source)
    return scores.get(key, {}).get(part)


def _named(value: object, known: tuple[str, ...]) -> tuple[str, ...]:
    """The models that a route names: a text or a list of texts; one that the manifest does not know is left out."""
    told = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(one for one in told if isinstance(one, str) and one in known))
