"""Mutated expressions, models and artefacts: nothing may crash, and nothing may take longer than a tenth of a second of CPU."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from puhui.engines import rules
from puhui.proofs.replay import DOUBLES

HANG_S = 0.1
AT = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
CONTEXT: dict[str, object] = {"a": Decimal(3), "b": "text", "income by month": [Decimal(1), Decimal(2)], "c": {"x": True, "y z": None}, "d": rules.Date(2026, 11, 23)}
EXPRESSIONS = (
    "a + 2 * (3 - a) ** 2 / 7", "if a > 2 then b else null", "for i in 1..10, j in [1,2,3] return i * j + a", "some x in income by month satisfies x > 1",
    "every x in [1,2] satisfies x < a", "a in (1, [2..5), > 7)", "a between 1 and 5 and not(b = null)", 'date("2026-11-23") + duration("P1M")',
    'date and time("2026-11-23T10:00:00@Asia/Shanghai") - date and time(d, time("09:00:00"))', "income by month[item > 1]", "c.y z", "{k: 1, m: k + 2}.m",
    'replace("abracadabra", "(a)(b)?", "[$1]")', 'matches("12:30", "^[0-9]{2}:[0-9]{2}$")', 'split("a,b;c", "[,;]")', "sort([3,1,2], function(x, y) x < y)",
    "function(x: number) x + 1", "(function(x) x * 2)(a)", "sum(income by month) / count(income by month)", 'string join([b, "x"], "-")', "[1..5] instance of range<number>",
    "before([1..3], [4..6])", '@"PT5H" > duration("PT4H59M")', "decimal(1/3, 20) + round half up(2.555, 2)", 'get value(c, "y z") = null', "mode([1,2,2,3]) = [2]",
    "list replace([1,2,3], function(item, newItem) item = 2, 9)", "partial[-1] + 1", 'substring("föö\\uD83D\\uDE00", 2, 2)', 'number("1,000.5", ",", ".")', "today() < now()",
    "context merge([{a: 1}, {b: 2}])", "distinct values(flatten([[1, 2], [2, [3]]]))", "for i in 3..1 return if i = 3 then 1 else partial[-1] * i", "string length(string(a))",
)  # fmt: skip
MODEL = b"""<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="seed" namespace="urn:seed">
<itemDefinition name="tWork"><typeRef>string</typeRef><allowedValues><text>"farmer","clerk"</text></allowedValues></itemDefinition>
<inputData id="a" name="a"><variable name="a" typeRef="number"/></inputData><inputData id="w" name="w"><variable name="w" typeRef="tWork"/></inputData>
<decision id="T" name="T"><variable name="T"/><informationRequirement><requiredInput href="#a"/></informationRequirement>
<informationRequirement><requiredInput href="#w"/></informationRequirement><decisionTable hitPolicy="FIRST">
<input><inputExpression><text>a</text></inputExpression><inputValues><text>[0..100]</text></inputValues></input>
<input><inputExpression><text>w</text></inputExpression></input><output name="code"><outputValues><text>"x","y"</text></outputValues></output><output name="n"/>
<rule><inputEntry><text>&lt; 18</text></inputEntry><inputEntry><text>-</text></inputEntry><outputEntry><text>"x"</text></outputEntry><outputEntry><text>1</text></outputEntry></rule>
<rule><inputEntry><text>[18..60)</text></inputEntry><inputEntry><text>not("clerk")</text></inputEntry><outputEntry><text>"y"</text></outputEntry><outputEntry><text>2.5</text></outputEntry></rule>
</decisionTable></decision>
<businessKnowledgeModel id="K" name="K"><variable name="K"/><encapsulatedLogic><formalParameter name="n" typeRef="number"/>
<literalExpression><text>if n &lt;= 0 then 0 else K(n - 1) + 1</text></literalExpression></encapsulatedLogic></businessKnowledgeModel>
<decision id="E" name="E"><variable name="E" typeRef="number"/><informationRequirement><requiredDecision href="#T"/></informationRequirement>
<informationRequirement><requiredInput href="#a"/></informationRequirement><knowledgeRequirement><requiredKnowledge href="#K"/></knowledgeRequirement>
<context><contextEntry><variable name="k"/><literalExpression><text>K(a) + 1</text></literalExpression></contextEntry>
<contextEntry><literalExpression><text>k * 2 + T.n</text></literalExpression></contextEntry></context></decision></definitions>"""
PIECES = ("(", ")", "[", "]", "{", "}", "..", ",", "null", "-", "**", "9999999999", "1e400", '"', "\\u", "@", "if ", "for ", "in ", " and ", "?", "not(", "function(", "\x00", "é", "＋", "<", ":")
SCHEMA = {"a": "number(5,0)", "w": "category"}


def run(cases: int = 100_000, seed: int = 1, *, on_progress: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Try so many mutants: of ten, seven expressions, two models, one artefact. What took long is tried again alone before it counts as a hang."""
    draw = random.Random(seed)  # noqa: S311  (a seed, so that every run draws the same)
    rough = rules.compile(rules.load(DOUBLES), ["share", "hours"], {"a": "number(9,2)", "b": "number(9,2)", "t": "datetime"})
    artefacts = (rules.compile(rules.load(MODEL), ["T", "E"], SCHEMA).to_bytes(), rough.to_bytes())
    told: dict[str, Any] = {"seed": seed, "cases": 0, "crashes": 0, "hangs": 0, "slowest_ms": 0.0, "first": ""}
    for number in range(cases):
        kind = number % 10
        if kind < 7:
            text = mutated(draw, draw.choice(EXPRESSIONS))
            _tried(told, text, lambda text=text: rules.feel_with(text, CONTEXT, at=AT))  # type: ignore[misc]
        elif kind < 9:
            data = mutated(draw, MODEL.decode()).encode("utf-8", "replace")
            _tried(told, data, lambda data=data: decided(data))  # type: ignore[misc]
        else:
            data = _flipped(draw, draw.choice(artefacts))
            _tried(told, data, lambda data=data: opened(data))  # type: ignore[misc]
        told["cases"] += 1
        on_progress(number + 1)
    return told


def _tried(told: dict[str, Any], case: str | bytes, work: Callable[[], object]) -> None:
    try:
        took = _timed(work)
        if took > HANG_S:
            took = min(_timed(work) for _ in range(3))
    except Exception as error:  # noqa: BLE001  (whatever it is, it should not have come out)
        told["crashes"] += 1
        told["first"] = told["first"] or f"{type(error).__name__}: {case!r}"[:2000]
        return
    told["slowest_ms"] = max(told["slowest_ms"], round(took * 1000, 1))
    if took > HANG_S:
        told["hangs"] += 1
        told["first"] = told["first"] or f"{took:.3f} s: {case!r}"[:2000]


def _timed(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def decided(data: bytes) -> None:
    """Load a model, decide all its decisions, compile them where that can be, and run what was compiled."""
    try:
        model = rules.load(data)
    except rules.UnreadableFile:
        return
    row = {"a": Decimal(20), "w": "farmer"}
    for name in model.decisions:
        model.decide(name, row, at=AT)
    rules.checked(model)
    try:
        artefact = rules.compile(model, model.decisions, SCHEMA)
    except ValueError:
        return
    outcome = artefact.one(row)
    for name in artefact.decisions:
        outcome.value(name)
    rules.analyzed(artefact)


def opened(data: bytes) -> None:
    """Open an artefact, and use it where it opens."""
    try:
        artefact = rules.open_artefact(data)
    except rules.DamagedArtefact:
        return
    row = {"a": 20, "w": "farmer", "b": 3, "t": AT}
    if all(one.name in row for one in artefact.fields):
        try:
            outcome = artefact.one(row)
        except rules.BadInput:
            return
        for name in artefact.decisions:
            outcome.value(name)


def mutated(draw: random.Random, text: str) -> str:
    """One to four changes: a piece cut, doubled, moved, put in, or a digit or sign changed."""
    for _ in range(draw.randint(1, 4)):
        start = draw.randint(0, len(text))
        until = min(len(text), start + draw.randint(1, 8))
        match draw.randrange(5):
            case 0:
                text = text[:start] + text[until:]
            case 1:
                text = text[:until] + text[start:until] * draw.randint(1, 5) + text[until:]
            case 2:
                piece, rest = text[start:until], text[:start] + text[until:]
                at = draw.randint(0, len(rest))
                text = rest[:at] + piece + rest[at:]
            case 3:
                text = text[:start] + draw.choice(PIECES) + text[start:]
            case _:
                text = text[:start] + chr(draw.choice((draw.randint(32, 126), draw.randint(0xA0, 0x2FFF)))) + text[until:]
    return text


def _flipped(draw: random.Random, data: bytes) -> bytes:
    told = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        told[draw.randrange(len(told))] = draw.randrange(256)
    return bytes(told[: draw.randint(1, len(told))] if draw.random() < 0.1 else told)
