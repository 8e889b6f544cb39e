"""The seeded workloads as GoRules' zen-engine knows them: one graph of decision tables or of expressions, compiled beforehand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[tuple[Sequence[str], Sequence[str]]]


def imported() -> Any:
    """The peer's module. Raises ImportError where it is not installed."""
    import zen

    return zen


def table(name: str, columns: Sequence[str], rows: Rows, outputs: Sequence[str]) -> dict[str, Any]:
    """A table with hit policy first; its outputs are called `<name>_<output>`."""
    rules = []
    for number, (cells, results) in enumerate(rows):
        given = {f"i{place}": "" if cell == "-" else cell for place, cell in enumerate(cells)}
        rules.append({"_id": f"r{number}"} | given | {f"o{place}": result for place, result in enumerate(results)})
    content = {
        "hitPolicy": "first",
        "inputs": [{"id": f"i{place}", "name": column, "field": column} for place, column in enumerate(columns)],
        "outputs": [{"id": f"o{place}", "name": output, "field": f"{name}_{output}"} for place, output in enumerate(outputs)],
        "rules": rules,
    }
    return {"id": name, "name": name, "type": "decisionTableNode", "content": content}


def expressions(name: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """One node of many expressions."""
    content = {"expressions": [{"id": key, "key": key, "value": text} for key, text in texts.items()]}
    return {"id": name, "name": name, "type": "expressionNode", "content": content}


def graph(nodes: Sequence[dict[str, Any]]) -> str:
    """A graph that asks every node for the same input and joins their outputs."""
    ends = [{"id": "in", "name": "in", "type": "inputNode"}, {"id": "out", "name": "out", "type": "outputNode"}]
    edges = []
    for node in nodes:
        for source, target in (("in", node["id"]), (node["id"], "out")):
            edges.append({"id": f"{source}-{target}", "type": "edge", "sourceId": source, "targetId": target})
    return json.dumps({"nodes": [*ends, *nodes], "edges": edges})


class Peer:
    """A graph, compiled once, asked for one row or for many."""

    def __init__(self, content: str) -> None:
        zen = imported()
        compiled = zen.ZenDecisionContent(content)
        self.engine = zen.ZenEngine({"loader": lambda _: compiled})
        self.decision = self.engine.create_decision(compiled)

    def one(self, row: Mapping[str, object]) -> dict[str, Any]:
        told: dict[str, Any] = self.decision.evaluate(row)["result"]
        return told

    def many(self, rows: Sequence[Mapping[str, object]]) -> list[Any]:
        return list(self.engine.evaluate_batch([{"key": "graph", "context": row} for row in rows]))
