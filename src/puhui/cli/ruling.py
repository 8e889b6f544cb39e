"""`puhui rules`: check, run, compare, lint and explain a policy written in DMN."""

import difflib
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
AT = click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="The instant of the decision, like 2026-11-23T10:00:00+0800.")
DECISION = click.option("--decision", "name", required=True, help="The decision to make.")
INPUTS = click.option("--inputs", required=True, help='The inputs as JSON, like {"age": 20}; texts that begin with @ are FEEL values: "@2026-11-23".')
SCHEMA = click.option("--column", "columns", multiple=True, help="The type of an input, like age=number(3,0); those not named follow from the model.")


@click.group()
def rules() -> None:
    """Check, run, compare, lint and explain a policy written in DMN."""


@rules.command()
@FILE
@click.option("--scenarios", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Cases from CSV: inputs by name, `-> decision` what must come out.")
@AT
@JSON
def check(*, file: Path, scenarios: Path | None, at: datetime | None, as_json: bool) -> None:
    """Read a model: texts that cannot be read, requirements that point nowhere, examples and scenarios that fail. Exit status 1 if there is one."""
    from puhui.engines.rules import load
    from puhui.engines.rules.checking import checked
    from puhui.engines.rules.scenarios import run_scenarios

    model = load(file)
    found = [str(one) for one in checked(model, at=at)]
    told: dict[str, Any] = {"decisions": len(model.decisions)}
    if scenarios:
        told["scenarios"], failures = run_scenarios(model, scenarios.read_text("utf-8"))
        found += [f"{scenarios.name}:{one.line}: {one.name or 'case'}: {one.text}" for one in failures]
    show(told | {"faults": found}, as_json=as_json)
    sys.exit(1 if found else 0)


@rules.command()
@FILE
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
def write(*, file: Path, target: Path) -> None:
    """Write a model as DMN 1.5, ids and diagram kept; or, where TARGET ends in .xlsx, its decision tables as a workbook."""
    from puhui.engines.rules import load
    from puhui.engines.rules.sheets import to_workbook
    from puhui.engines.rules.writing import written

    model = load(file)
    target.write_bytes(to_workbook(model) if target.suffix == ".xlsx" else written(model))
    click.echo(f"{target}: written")


@rules.command()
@FILE
@click.argument("workbook", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
def fill(*, file: Path, workbook: Path, target: Path) -> None:
    """Take the decision tables of a workbook into the model, and write it to TARGET as DMN 1.5."""
    from puhui.engines.rules import load
    from puhui.engines.rules.sheets import from_workbook

    target.write_bytes(from_workbook(workbook.read_bytes(), load(file)))
    click.echo(f"{target}: written")


@rules.command("run")
@FILE
@DECISION
@INPUTS
@AT
@JSON
def run_one(*, file: Path, name: str, inputs: str, at: datetime | None, as_json: bool) -> None:
    """Make one decision, and tell which rules fired on the way."""
    from puhui.engines.rules import load

    told = load(file).decide(name, _inputs(inputs), at=at)
    steps = [{"decision": step.decision, "fired": list(step.fired), "value": plain(step.value)} for step in told.trace]
    show({"value": plain(told.value), "diagnostics": [str(one) for one in told.diagnostics], "trace": steps}, as_json=as_json)


@rules.command()
@FILE
@click.argument("other", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@JSON
def diff(*, file: Path, other: Path, as_json: bool) -> None:
    """Compare two models as people read them: decision by decision, rule by rule. Exit status 1 if they differ."""
    from puhui.engines.rules import load

    before, after = (list(_lines(load(one))) for one in (file, other))
    changes = [line for line in difflib.unified_diff(before, after, file.name, other.name, lineterm="", n=0) if not line.startswith("@@")]
    if as_json:
        show({"differing": bool(changes), "changes": changes}, as_json=True)
    for line in () if as_json else changes:
        click.echo(line)
    sys.exit(1 if changes else 0)


@rules.command()
@FILE
@SCHEMA
@JSON
def lint(*, file: Path, columns: tuple[str, ...], as_json: bool) -> None:
    """Look for gaps, overlaps, conflicts, shadows, outputs never given, slow paths. Exit status 1 if there is a fault."""
    from puhui.engines.rules import compile as compiled
    from puhui.engines.rules import load
    from puhui.engines.rules.analysis import analyzed

    model = load(file)
    report = analyzed(compiled(model, model.decisions, _schema(model, columns)))
    findings = [{"kind": one.kind, "decision": one.decision, "rules": list(one.rules), "example": plain(one.example), "text": one.text} for one in report.findings]
    if as_json:
        show({"findings": findings, "complete": report.is_complete}, as_json=True)
    for one in () if as_json else findings:
        click.echo(f"{one['kind']:<12} {one['text']}")
    sys.exit(1 if any(one["kind"] not in {"slow", "idle", "null-gap"} for one in findings) else 0)


@rules.command()
@FILE
@DECISION
@INPUTS
@SCHEMA
@AT
@JSON
def explain(*, file: Path, name: str, inputs: str, columns: tuple[str, ...], at: datetime | None, as_json: bool) -> None:
    """Tell why a decision comes out as it does, why each rule did not fire, and the nearest change that would turn it."""
    from puhui.engines.rules import compile as compiled
    from puhui.engines.rules import load

    model = load(file)
    why = compiled(model, [name], _schema(model, columns)).one(_inputs(inputs), at=at).why(name)
    told = {
        "value": plain(why.value),
        "seen": plain(why.seen),
        "fired": list(why.fired),
        "missed": [{"rule": one.rule, "columns": list(one.columns)} for one in why.missed],
        "flips": [{"changes": plain(one.changes), "value": plain(one.value)} for one in why.flips],
    }
    show(told, as_json=as_json)


def _inputs(text: str) -> dict[str, Any]:
    from puhui.engines.rules import feel

    def value(one: Any) -> Any:
        if isinstance(one, str) and one.startswith("@"):
            return feel(f'@"{one[1:]}"')
        if isinstance(one, dict):
            return {key: value(inner) for key, inner in one.items()}
        return [value(inner) for inner in one] if isinstance(one, list) else one

    try:
        told = json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"the inputs are no JSON: {error}") from error
    if not isinstance(told, dict):
        raise click.BadParameter("the inputs are a JSON object, like {}")
    return {str(key): value(one) for key, one in told.items()}


def _schema(model: Any, columns: tuple[str, ...]) -> dict[str, str]:
    """The types of all inputs: as named, else as the model declares them."""
    from puhui.engines.rules.kinds import Kind

    simple = {"number": "number(15,2)", "string": "category", "date and time": "datetime", "days and time duration": "duration"}
    told = {}
    for one in model.inputs:
        kind = model.types.named(one.kind) if one.kind else None
        while isinstance(kind, Kind) and kind.name == "both":
            kind = kind.parts[0]
        name = kind.name if kind is not None else "string"
        told[one.name] = simple.get(name, name if name in {"boolean", "date", "time"} else "category")
    return told | dict(one.split("=", 1) for one in columns if "=" in one)


def _lines(model: Any) -> Iterator[str]:
    """A model as lines that people can compare."""
    from puhui.engines.rules.model import Decision
    from puhui.engines.rules.tree import Table

    for one in model.elements.values():
        if not isinstance(one, Decision):
            yield f"{type(one).__name__.lower()} {one.name}"
        elif isinstance(one.node, Table):
            table = one.node
            yield f"{one.name}: {table.policy} {table.gather}".rstrip()
            yield f"{one.name}: {' | '.join(column.expression.span.text for column in table.columns)} -> {' | '.join(output.name for output in table.outputs)}"
            for rule in table.rules:
                cells = " | ".join(cell.span.text.strip() or "-" for cell in rule.cells)
                yield f"{one.name}: {cells} -> {' | '.join(result.span.text.strip() for result in rule.results)}"
        else:
            yield f"{one.name}: {_written(one.node)}"


def _written(node: Any) -> str:
    """The text of an expression, or its shape where it is boxed."""
    if node is None:
        return "no logic"
    return " ".join(node.span.text.split()) or repr(node)


def plain(value: Any) -> Any:
    """A FEEL value as JSON can carry it: whole numbers as numbers, everything else that is exact as text."""
    from puhui.engines.rules.values import text_of

    match value:
        case None | bool() | str():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else text_of(value)
        case dict():
            return {key: plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
    return text_of(value)


def show(told: dict[str, Any], *, as_json: bool) -> None:
    """Print as one JSON object, or as lines."""
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    for name, value in told.items():
        for one in value if isinstance(value, list) else [value]:
            click.echo(f"{name:<12} {one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)}")
