"""Decision tables: which rules fire, and what the hit policy makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from puhui.engines.rules.operators import arithmetic, kind_name, order, same
from puhui.engines.rules.tree import Column, Node, Output, Rule, Table, TypeNode
from puhui.engines.rules.values import Trouble

if TYPE_CHECKING:
    from puhui.engines.rules.evaluator import Interpreter, Scope

LIST_POLICIES = frozenset({"RULE ORDER", "OUTPUT ORDER", "COLLECT"})


def decide(run: Interpreter, table: Table, scope: Scope) -> object:
    """The value of a table. Which rules fired is left in `run.fired`, from 1, in the order the hit policy gives."""
    run.fired = ()
    values = [_asked(run, column, scope) for column in table.columns]
    hits = [number for number, rule in enumerate(table.rules) if _fires(run, rule, values, scope)]
    chosen = settled(run, table, hits, scope)
    run.fired = tuple(number + 1 for number in chosen)
    return answer(run, table, chosen, scope)


def _asked(run: Interpreter, column: Column, scope: Scope) -> object:
    """The value of an input expression. Raises Trouble where it is outside what the column allows."""
    value = fitted(run, run.value(column.expression, scope), column.kind, column.expression, scope)
    if column.allowed is not None and value is not None and run.passes(column.allowed, value, scope) is not True:
        raise Trouble(f"the input {column.label} has a value that its column does not allow", f"allowed: {column.allowed.span.text[:120]}", "table.input")
    return value


def fitted(run: Interpreter, value: object, kind: TypeNode | None, node: Node, scope: Scope) -> object:
    """The value as its column's type wants it; null, with a diagnostic, where it does not fit."""
    try:
        return run.typed(value, kind, scope)
    except Trouble as trouble:
        if trouble.code == "feel.limit":
            raise
        run.note(trouble, node.span)
        return None


def _fires(run: Interpreter, rule: Rule, values: Sequence[object], scope: Scope) -> bool:
    return all(run.passes(cell, value, scope) is True for cell, value in zip(rule.cells, values, strict=True))


def settled(run: Interpreter, table: Table, hits: list[int], scope: Scope) -> list[int]:
    """The rules that give the answer, in the order of the hit policy. Raises Trouble where the policy forbids so many."""
    match table.policy:
        case "UNIQUE":
            if len(hits) > 1:
                told = ", ".join(str(number + 1) for number in hits)
                raise Trouble(f"the rules {told} fire together, but the table is UNIQUE", "make the rules exclude each other", "table.conflict")
            return hits
        case "ANY":
            results = [results_of(run, table, number, scope) for number in hits]
            if any(not same(results[0], one) for one in results[1:]):
                told = ", ".join(str(number + 1) for number in hits)
                raise Trouble(f"the rules {told} fire together with different outputs, but the table is ANY", "make their outputs equal", "table.conflict")
            return hits
        case "FIRST":
            return hits[:1]
        case "PRIORITY":
            return by_priority(run, table, hits, scope)[:1]
        case "OUTPUT ORDER":
            return by_priority(run, table, hits, scope)
    return hits


def by_priority(run: Interpreter, table: Table, hits: list[int], scope: Scope) -> list[int]:
    """Rules ranked by their outputs, column by column from the left; equal ranks stay in the order of the table."""
    orders = [[run.value(node, scope) for node in one.listed or ()] for one in table.outputs]

    def rank(number: int) -> tuple[int, ...]:
        return tuple(
            next((place for place, value in enumerate(listed) if same(value, run.value(node, scope))), len(listed))
            for listed, node in zip(orders, table.rules[number].results, strict=True)
        )

    return sorted(hits, key=rank)


def answer(run: Interpreter, table: Table, chosen: list[int], scope: Scope) -> object:
    """The outputs of the chosen rules, or what stands for none."""
    if not chosen:
        return none_fired(run, table, scope)
    if table.policy not in LIST_POLICIES:
        return results_of(run, table, chosen[0], scope)
    results = [results_of(run, table, number, scope) for number in chosen]
    return gathered(table, results) if table.gather else results


def none_fired(run: Interpreter, table: Table, scope: Scope) -> object:
    """What a table gives when no rule fires: its default outputs, else null (COUNT: 0)."""
    defaults = [one.default for one in table.outputs]
    if all(one is None for one in defaults):
        if table.gather == "COUNT":
            return Decimal(0)
        return None
    value = _formed(run, table, [None if node is None else run.value(node, scope) for node in defaults], scope)
    return [value] if table.policy in LIST_POLICIES and not table.gather and not isinstance(value, list) else value


def gathered(table: Table, results: list[object]) -> object:
    """SUM, MIN, MAX or COUNT of the outputs that fired."""
    if len(table.outputs) != 1:
        raise Trouble("several outputs cannot be gathered into one number", "use one output, or COLLECT without a function", "table.policy")
    if table.gather == "COUNT":
        return Decimal(len(results))
    if not results:
        return None
    told = results[0]
    if table.gather == "SUM" and not isinstance(told, Decimal):
        raise Trouble(f"{kind_name(told)} cannot be summed", "give numbers", "feel.type")
    if table.gather != "SUM":
        order(told, told)
    for one in results[1:]:
        if table.gather == "SUM":
            told = arithmetic("+", told, one)
        elif order(one, told) == (1 if table.gather == "MAX" else -1):
            told = one
    return told


def results_of(run: Interpreter, table: Table, number: int, scope: Scope) -> object:
    return _formed(run, table, [run.value(node, scope) for node in table.rules[number].results], scope)


def _formed(run: Interpreter, table: Table, values: list[object], scope: Scope) -> object:
    """One value of one output, or a context of several."""
    told = [_output(run, one, value, scope) for one, value in zip(table.outputs, values, strict=True)]
    if len(table.outputs) == 1:
        return told[0]
    return {one.name: value for one, value in zip(table.outputs, told, strict=True)}


def _output(run: Interpreter, output: Output, value: object, scope: Scope) -> object:
    if output.listed and value is not None and not any(same(run.value(node, scope), value) for node in output.listed if isinstance(node, Node)):
        raise Trouble(f"the output {output.name} has a value that its column does not list", "add it to the output values", "table.output")
    return value
