"""Every change that a decline is told of must turn it when it is run, and no smaller change may do so: tried by hand over all values."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from html import escape
from itertools import combinations, product
from typing import Any

from puhui.engines import rules
from puhui.engines.rules import Artefact

NAMESPACE = "https://www.omg.org/spec/DMN/20230324/MODEL/"
NUMBER_MAX = 12
TEXTS = ("a", "b", "c")
CHANGED_MAX = 3
"""So many inputs may be changed together."""


def run(tables: int = 100, seed: int = 1, *, on_progress: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Decide random applicants by random policies of two to six inputs, and try the flips of all who are declined.

    `changeable` counts declines by a rule that asks for something the person may change, `offered` those of them that were told of a change.
    """
    told: dict[str, Any] = {"seed": seed, "tables": tables, "declines": 0, "changeable": 0, "offered": 0, "flips": 0, "failed": 0, "barred": 0, "minimal": True}
    for number in range(tables):
        draw = random.Random(seed * 1_000_003 + number)  # noqa: S311  (a seed, so that every run draws the same)
        kinds, may_change, xml = drawn(draw)
        artefact = rules.compile(rules.load(xml), ["D"], {name: {"number": "number(3,0)", "string": "category"}.get(kind, kind) for name, kind in kinds.items()})
        for _ in range(10):
            row = {name: draw.choice(values_of(kind)) for name, kind in kinds.items()}
            if artefact.one(row).value("D") == "decline":
                _tried(artefact, row, {name: kinds[name] for name in may_change}, told)
        on_progress(number + 1)
    told["offered_share"] = round(told["offered"] / max(1, told["changeable"]), 4)
    return told


def _tried(artefact: Artefact, row: Mapping[str, object], may_change: Mapping[str, str], told: dict[str, Any]) -> None:
    """Run the flips of one decline, and look for a smaller change."""
    told["declines"] += 1
    outcome = artefact.one(row)
    flips = outcome.why("D").flips
    if _asks_for(artefact, outcome.fired("D")[0], may_change):
        told["changeable"] += 1
        told["offered"] += bool(flips)
    for flip in flips:
        told["flips"] += 1
        told["barred"] += not set(flip.changes) <= set(may_change)
        after = artefact.one({**row, **flip.changes}).value("D")
        told["failed"] += after == "decline" or after != flip.value or artefact.model.decide("D", {**row, **flip.changes}).value != after
    least = _least(artefact, row, may_change)
    offered = (len(flips[0].changes), flips[0].distance) if flips else None
    told["minimal"] = told["minimal"] and offered == least


def _asks_for(artefact: Artefact, rule: int, may_change: Mapping[str, str]) -> bool:
    """Whether the rule that declined asks for anything that the person may change."""
    table: Any = artefact.model.decision("D").node
    return any(cell.tests and column.label in may_change for column, cell in zip(table.columns, table.rules[rule - 1].cells, strict=True))


def _least(artefact: Artefact, row: Mapping[str, object], may_change: Mapping[str, str]) -> tuple[int, int] | None:
    """The fewest inputs, and of these the least distance, whose change turns the decline; None where none of three does.

    Every value near the cells is tried, of texts those that the policy names: nobody can be told to be "something else".
    """
    known = {one.name: texts for one, texts in zip(artefact.fields, artefact.compiled.texts, strict=True)}
    choices: dict[str, list[Any]] = {name: {"number": [*range(-2, NUMBER_MAX + 7)], "boolean": [False, True]}.get(kind, list(known[name])) for name, kind in may_change.items()}
    for together in range(1, min(CHANGED_MAX, len(may_change)) + 1):
        tried = []
        for names in combinations(may_change, together):
            others = [[value for value in choices[name] if value != row[name]] for name in names]
            tried += [dict(zip(names, values, strict=True)) for values in product(*others)]
        columns: dict[str, object] = {name: [changes.get(name, value) for changes in tried] for name, value in row.items()}
        after = artefact.run(columns)
        far = [sum(_distance(row[name], value) for name, value in changes.items()) for place, changes in enumerate(tried) if after.value("D", place) != "decline"]
        if far:
            return together, min(far)
    return None


def _distance(before: object, after: object) -> int:
    return abs(after - before) if isinstance(before, int) and isinstance(after, int) and not isinstance(after, bool) else 1


def values_of(kind: str) -> list[Any]:
    """Every value that a random applicant may have."""
    return {"number": [*range(NUMBER_MAX + 1), None], "string": [*TEXTS, None], "boolean": [False, True, None]}[kind]


def drawn(draw: random.Random) -> tuple[dict[str, str], list[str], bytes]:
    """A random policy: declines first, then an approval; some inputs may be changed by the person."""
    kinds = {f"x{number}": draw.choice(("number", "number", "number", "string", "boolean")) for number in range(draw.randint(2, 6))}
    may_change = [name for name in kinds if draw.random() < 0.7]
    told = [f'<definitions xmlns="{NAMESPACE}" xmlns:p="urn:puhui:dmn:1" name="drawn" namespace="urn:drawn">']
    told += [f'<inputData id="{name}" name="{name}"><variable name="{name}" typeRef="{kind}"/></inputData>' for name, kind in kinds.items()]
    told.append('<decision id="D" name="D"><variable name="D"/>')
    told += [f'<informationRequirement><requiredInput href="#{name}"/></informationRequirement>' for name in kinds]
    told.append('<decisionTable hitPolicy="FIRST">')
    told += [f'<input p:changeable="{str(name in may_change).lower()}"><inputExpression><text>{name}</text></inputExpression></input>' for name in kinds]
    told.append('<output name="o"/>')
    rows = [([_cell(draw, kind) for kind in kinds.values()], "decline") for _ in range(draw.randint(1, 3))]
    for cells, output in [*rows, (["-"] * len(kinds), "approve")]:
        told.append("<rule>" + "".join(f"<inputEntry><text>{escape(cell, quote=False)}</text></inputEntry>" for cell in cells))
        told.append(f'<outputEntry><text>"{output}"</text></outputEntry></rule>')
    return kinds, may_change, ("".join(told) + "</decisionTable></decision></definitions>").encode()


def _cell(draw: random.Random, kind: str) -> str:
    if draw.random() < 0.5:
        return "-"
    match kind:
        case "number":
            low = draw.randint(0, NUMBER_MAX)
            return draw.choice((f"< {low + 1}", f">= {low}", f"[{low}..{low + draw.randint(0, 4)})", f"not({low})", "null"))
        case "string":
            return draw.choice(('"a"', '"a", "b"', 'not("c")', "null"))
    return draw.choice(("true", "false"))
