"""Why a decision came out as it did: which columns failed for each rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from puhui.engines.rules.evaluator import Interpreter, Scope
from puhui.engines.rules.tables import fitted
from puhui.engines.rules.tree import Table

if TYPE_CHECKING:
    from puhui.engines.rules.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Missed:
    """A rule that did not fire, and the labels of the columns that failed."""

    rule: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """Why a table came out as it did: what it saw, which rules fired, and why each other did not."""

    decision: str
    value: object
    seen: dict[str, object]
    fired: tuple[int, ...]
    missed: tuple[Missed, ...]


def explained(outcome: Outcome, decision: str, row: int) -> Why:
    """Explain one decision of one row. A decision that is no table has nothing but its value and what it read."""
    table = outcome.artefact.model.decision(decision).node
    value, fired = outcome.value(decision, row), tuple(outcome.fired(decision, row))
    read = next((step.inputs for step in reversed(outcome.interpreted(decision, row).trace) if step.decision == decision), {})
    if not isinstance(table, Table):
        return Why(decision, value, dict(read), fired, ())
    run, scope = Interpreter(outcome.instant(row)), Scope(read, None, outcome.artefact.model.types)
    values = [fitted(run, run.whole(one.expression, scope), one.kind, one.expression, scope) for one in table.columns]
    missed = []
    for number, rule in enumerate(table.rules, 1):
        failed = [one.label for one, cell, seen in zip(table.columns, rule.cells, values, strict=True) if run.passes(cell, seen, scope) is not True]
        if failed:
            missed.append(Missed(number, tuple(failed)))
    return Why(decision, value, {one.label: seen for one, seen in zip(table.columns, values, strict=True)}, fired, tuple(missed))
