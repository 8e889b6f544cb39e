"""Scenario tests from CSV: one line a case. Columns called like an input give it; `-> decision` or `-> decision.output` say what must come out.

An empty input is null, an empty expectation is not looked at. Cells are FEEL values (`3000`, `@"2026-11-23"`, `"farmer"`); a text need not be quoted.
`#` names the case, `at` gives its instant.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import StringIO

from puhui.engines.rules.door import feel_with
from puhui.engines.rules.model import Model
from puhui.engines.rules.operators import same
from puhui.engines.rules.refusals import UnreadableSheet
from puhui.engines.rules.values import literal

ARROW = "->"
LINES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that came out otherwise: its line in the file (from 1), its name, and what differs."""

    line: int
    name: str
    text: str


def run_scenarios(model: Model, text: str) -> tuple[int, list[Failure]]:
    """Try every case: how many there were, and those that failed. Refused: UnreadableSheet, UnknownDecision."""
    rows = list(csv.reader(StringIO(text.removeprefix("\ufeff"))))
    if not rows or not any(name.strip().startswith(ARROW) for name in rows[0]):
        raise UnreadableSheet(sheet="the scenarios", why=f"the first line names the columns, and at least one begins with {ARROW}")
    if len(rows) > LINES_MAX:
        raise UnreadableSheet(sheet="the scenarios", why=f"it has more than {LINES_MAX} lines")
    names = [name.strip() for name in rows[0]]
    known = {one.name for one in model.inputs} | {"#", "at"}
    if unknown := [name for name in names if not name.startswith(ARROW) and name not in known]:
        raise UnreadableSheet(sheet="the scenarios", why=f"the model has no input called {unknown[0] or '(empty)'}")
    failures: list[Failure] = []
    cases = 0
    for line, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            raise UnreadableSheet(sheet="the scenarios", why=f"line {line} has {len(row)} cells, not {len(names)}")
        cases += 1
        failures += _case(model, dict(zip(names, (cell.strip() for cell in row), strict=True)), line)
    return cases, failures


def _case(model: Model, row: dict[str, str], line: int) -> Iterator[Failure]:
    name = row.get("#", "")
    kinds = {one.name: one.kind for one in model.inputs}
    given = {key: _value(cell, kinds[key]) for key, cell in row.items() if key in kinds}
    at = datetime.fromisoformat(row["at"]) if row.get("at") else None
    for key, cell in row.items():
        if not key.startswith(ARROW) or not cell:
            continue
        decision, _, output = key.removeprefix(ARROW).strip().partition(".")
        found = model.decide(decision, given, at=at).value
        if output:
            found = found.get(output) if isinstance(found, dict) else None
        wanted = _value(cell, "string" if isinstance(found, str) else None)
        if not same(found, wanted):
            yield Failure(line, name, f"{key.removeprefix(ARROW).strip()} is {literal(found)}, not {literal(wanted)}")


def _value(cell: str, kind: str | None) -> object:
    """A cell as a value; a text that is no FEEL value, or belongs to an input of texts, is itself."""
    if cell in {"", "null"}:
        return None
    if kind == "string" and not cell.startswith('"'):
        return cell
    told = feel_with(cell)
    return cell if told.diagnostics and not cell.startswith(('"', "@", "[", "{")) else told.value
