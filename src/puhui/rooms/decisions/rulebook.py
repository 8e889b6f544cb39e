"""A rulebook: the tables that decide, in DMN and compiled, and the manifest that says where each of their inputs comes from.

A *gate* is a table that lets pass, asks for caution or proof, or declines, with a reason. Those that read what is reckoned from the limit come last.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from string import Formatter
from typing import Any

from puhui.engines import rules
from puhui.engines.rules import shipped
from puhui.engines.rules.explaining import changeable
from puhui.engines.rules.tree import Name, Rule, Table
from puhui.foundation.refusals import Refusal
from puhui.rooms.decisions.given import CAP, FIELDS, LIMIT, MODEL, POINTS, PROBABILITY
from puhui.rooms.decisions.scorecard import ArtefactDamaged, sha256_of
from puhui.vocabulary.reasons import SENTENCES

BAND, LINE, PRICE, DISCOUNT, LADDER, FUNDERS = "Band", "Line", "Price", "Discount", "Limit by ladder", "Funding band"
NEEDED = (BAND, LINE, PRICE, DISCOUNT, LADDER, FUNDERS)
"""What the room asks of a rulebook by these names, beside its route and its decision."""
FIGURES: Mapping[str, str] = {"too-old": "age_max", "takeover-signs": "hours", "applied-often": "days", "serious-lateness": "months", "many-inquiries": "days"}
"""Reasons whose sentence names a number of the rule: its output `figure`."""
FACTS: Mapping[str, frozenset[str]] = {
    "minor": frozenset({"age_min"}), "purpose-barred": frozenset({"purpose"}), "id-expired": frozenset({"expires"}),
    "id-expires-soon": frozenset({"expires"}), "device-busy": frozenset({"count"}), "applied-often": frozenset({"count"}),
    "overdue-now": frozenset({"amount"}), "many-inquiries": frozenset({"count"}), "income-low": frozenset({"income"}),
    "debt-heavy": frozenset({"share"}), "purchase-too-dear": frozenset({"amount", "limit"}),
}  # fmt: skip
"""What each sentence can be told of the person (`ruling._slots`)."""
FEN_SCALE = 2
INQUIRY_DAYS = frozenset({30, 90, 180, 360})


class RulebookUnfit(Refusal):
    """The rulebook {name} cannot be published: {why}. Mend the model and compile it again; nothing was changed."""

    code = "decisions.rulebook-unfit"


@dataclass(frozen=True, slots=True)
class Gate:
    """A table with reasons, which inputs each reason is about, and whether any input of it is known only after a limit was reckoned."""

    name: str
    about: Mapping[str, tuple[str, ...]]
    is_late: bool


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Named by the SHA-256 of its manifest, which names the artefact."""

    sha256: str
    manifest: rules.Manifest
    artefact: rules.Artefact
    gates: Mapping[str, Gate]
    sources: Mapping[str, str]
    """Where an input comes from, by its name in the rules."""
    most: Mapping[str, Decimal]
    """The largest number that an input can hold: what is larger is told as this."""

    def row(self, told: Mapping[str, object]) -> dict[str, object]:
        """The inputs of the rules by their names there, from what is known by source."""
        return {name: self._fitted(name, told.get(source)) for name, source in self.sources.items()}

    @property
    def changeable(self) -> list[str]:
        """The inputs that the model marks as changeable by the person."""
        return changeable(self.artefact, self.manifest.decide)

    def meaning(self, table: str, rule: int) -> str:
        """What a rule (from 1) says of itself, in the words beside it."""
        node = self.artefact.model.decision(table).node
        return node.rules[rule - 1].note if isinstance(node, Table) else ""

    def _fitted(self, name: str, value: object) -> object:
        if name not in self.most or isinstance(value, bool) or not isinstance(value, int | Decimal):
            return value
        return max(min(value, self.most[name]), -self.most[name])


def open_rulebook(manifest: bytes, artefact: bytes) -> Rulebook:
    """Open both, and see that they belong together and ask for nothing that the room does not know.

    Raises: ArtefactDamaged.
    """
    name = sha256_of(manifest)
    try:
        told, opened = rules.read_manifest(manifest), rules.open_artefact(artefact)
        told.fits(opened)
    except (rules.BadManifest, rules.DamagedArtefact) as damage:
        raise ArtefactDamaged(sha256=name, why=str(damage)) from None
    kinds = {"variable", "yuan", "missing"}
    if unknown := [one.source for one in told.inputs if one.parts[0] not in kinds and one.source not in FIELDS]:
        raise ArtefactDamaged(sha256=name, why=f"it asks for {unknown[0]}, which nobody knows")
    if missing := {*NEEDED, told.route, told.decide} - set(opened.decisions):
        raise ArtefactDamaged(sha256=name, why=f"it makes no decision called {min(missing) or 'route or decide'}")
    fields = {one.name: one for one in opened.fields}
    if coarse := [one.feel_name for one in told.inputs if one.source.endswith("_yuan") or one.parts[0] == "yuan" if fields[one.feel_name].scale < FEN_SCALE]:
        raise ArtefactDamaged(sha256=name, why=f"its input {coarse[0]} would lose fen; declare it with two decimals")
    sources = {one.feel_name: one.source for one in told.inputs}
    most = {one.name: Decimal(one.bound).scaleb(-one.scale) for one in opened.fields if one.kind in {"number", "int64"}}
    return Rulebook(name, told, opened, _gates(opened, sources), sources, most)


def rules_named(policy: bytes) -> str:
    """Give the hash of the rules that a manifest names; "" for a policy of the first kind."""
    try:
        told = json.loads(policy)
    except ValueError:
        return ""
    return str(told.get("rules", "")) if isinstance(told, dict) and told.get("kind") == "strategy" else ""


def _gates(artefact: rules.Artefact, sources: Mapping[str, str]) -> dict[str, Gate]:
    found = {}
    for name in artefact.decisions:
        table = artefact.model.decision(name).node
        if isinstance(table, Table) and {"outcome", "reason"} <= {one.name for one in table.outputs}:
            needed = rules.inputs_of(artefact.model, [name])
            found[name] = Gate(name, _about(table, needed), any(sources[one] in {CAP, LIMIT} for one in needed))
    return found


def _about(table: Table, needed: set[str]) -> dict[str, tuple[str, ...]]:
    """For each reason the inputs that its rules test: one in a column of its own, and where a column is reckoned all that the table rests on."""
    found: dict[str, set[str]] = {}
    for rule in table.rules:
        code = _outputs(table, rule)["reason"]
        for column, cell in zip(table.columns, rule.cells, strict=True):
            if isinstance(code, str) and cell.tests:
                found.setdefault(code, set()).update({column.expression.name} if isinstance(column.expression, Name) else needed)
    return {code: tuple(sorted(several)) for code, several in found.items()}


def _outputs(table: Table, rule: Rule) -> dict[str, Any]:
    return {one.name: getattr(result, "value", None) for one, result in zip(table.outputs, rule.results, strict=True)}


def demand_fit(book: Rulebook, computed: frozenset[str]) -> None:
    """Refuse to publish what would not decide as its source says, has no examples, fails one, or tells reasons that have no sentence.

    Raises: RulebookUnfit, PolicyFails (an example of its own fails).
    """
    artefact, model = book.artefact, book.artefact.model
    again = rules.published(model, list(artefact.decisions), {one.name: str(one) for one in artefact.fields})
    if again.sha256 != artefact.sha256:
        raise RulebookUnfit(name=book.sha256, why="its tables are not those of its source")
    for name in artefact.decisions:
        if not model.decision(name).example:
            raise RulebookUnfit(name=book.sha256, why=f"{name} has no example")
    if unknown := [one.parts[1] for one in book.manifest.inputs if one.parts[0] in {"variable", "yuan", "missing"} and one.parts[1] not in computed]:
        raise RulebookUnfit(name=book.sha256, why=f"it reads {unknown[0]}, which nobody computes")
    if others := [one.source for one in book.manifest.inputs if one.parts[0] == "score" and one.source not in {PROBABILITY, POINTS}]:
        raise RulebookUnfit(name=book.sha256, why=f"it asks for {others[0]}; the only model here is {MODEL}")
    for gate in book.gates:
        table = model.decision(gate).node
        assert isinstance(table, Table)
        for number, rule in enumerate(table.rules, 1):
            outputs = _outputs(table, rule)
            if outputs["outcome"] in {"decline", "proof"} and (why := _untold(outputs)):
                raise RulebookUnfit(name=book.sha256, why=f"rule {number} of {gate} {why}")


def _untold(outputs: Mapping[str, Any]) -> str:
    """Why the sentence of a rule's reason could not be told; nothing if it can."""
    code, figure = outputs["reason"], outputs.get("figure")
    if code not in SENTENCES:
        return f"gives the reason {code}, which has no sentence"
    if code in FIGURES and (figure is None or (code == "many-inquiries" and int(figure) not in INQUIRY_DAYS)):
        return f"gives the reason {code} without the figure that its sentence names"
    named = {name for text in SENTENCES[code].values() for _, name, _, _ in Formatter().parse(text) if name}
    known = FACTS.get(code, frozenset()) | ({FIGURES[code]} if code in FIGURES else set())
    return f"gives the reason {code}, whose sentence names {min(named - known)}" if named - known else ""


def shipped_rulebook(plan: str, portfolio: str) -> tuple[bytes, bytes]:
    """Give the manifest and the artefact that this release ships, for a plan of variables and a card, each named by its hash."""
    pack = shipped.lending()
    told = rules.Manifest(pack.manifest.rules, pack.manifest.route, pack.manifest.decide, pack.manifest.inputs, plan, portfolio)
    return told.to_bytes(), pack.artefact.to_bytes()
