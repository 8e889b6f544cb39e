"""Decisions of earlier builds, decided again by this one: artefacts and records in `golden/`, one folder a build, added to and never changed.

A record is a line of canonical JSON: what was given, and the answer. What is given and answered stands as FEEL literals, exact to the last digit.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from puhui.engines import rules, schedules
from puhui.engines.rules import Artefact, Outcome, shipped
from puhui.engines.rules.values import literal
from puhui.foundation.refusals import Refusal
from puhui.proofs import replayed_strategies, rules_parity
from puhui.rooms import decisions

AT = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)


class NothingToReplay(Refusal):
    """The folder {folder} holds no build with artefacts and records. Name the folder `golden` of the project."""

    code = "proofs.nothing-to-replay"


class BuildIsThere(Refusal):
    """The build {build} has its records already, and records are never changed. Give the new build a name of its own."""

    code = "proofs.build-is-there"


def run(root: Path) -> dict[str, Any]:
    """Decide every record of every build again. `differing` counts records whose answer is not the same to the last byte.

    Raises: NothingToReplay.
    """
    builds = sorted(one for one in root.iterdir() if one.is_dir()) if root.is_dir() else []
    told: dict[str, Any] = {"builds": len(builds), "artefacts": 0, "records": 0, "differing": 0, "kinds": {}}
    for build in builds:
        for file in sorted(build.glob("*.records.gz")):
            artefact, kind = _artefact_of(file)
            records, differing = KINDS[kind][1](artefact, _lines(file))
            told["artefacts"] += 1
            told["records"] += records
            told["differing"] += differing
            told["kinds"][kind] = told["kinds"].get(kind, 0) + 1
    if not told["records"]:
        raise NothingToReplay(folder=str(root))
    return told


def add(root: Path, build: str) -> dict[str, Any]:
    """Write a folder of the artefacts that this build makes and no earlier one did, with records. Raises: BuildIsThere."""
    folder = root / build
    if folder.exists():
        raise BuildIsThere(build=build)
    known = {file.stem for file in root.glob("*/*.*")}
    folder.mkdir(parents=True)
    for kind, (make, _) in KINDS.items():
        for content, records in make():
            name = hashlib.sha256(content).hexdigest()
            if name in known:
                continue
            (folder / f"{name}.{kind}").write_bytes(content)
            text = "\n".join(records) + "\n"
            (folder / f"{name}.records.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    return run(root)


def _artefact_of(file: Path) -> tuple[Path, str]:
    name = file.name.partition(".")[0]
    (found,) = [one for one in file.parent.glob(f"{name}.*") if one != file]
    assert hashlib.sha256(found.read_bytes()).hexdigest() == name, f"{found.name} does not hold what its name says"
    return found, found.suffix[1:]


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]


def _canonical(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


# rules


def _rules() -> Iterator[tuple[bytes, list[str]]]:
    """Random tables of every policy, and a model of expressions that rest on tables; 440 rows each."""
    for number in range(24):
        case, draw = rules_parity.drawn(77_000 + number)
        artefact = rules.compile(rules.load(case.xml), ["D"], {one.name: one.schema() for one in case.columns})
        values, nulls = rules_parity.drawn_rows(case, draw, 440)
        rows = [
            {one.name: one.given(int(values[place, row]), bool(nulls[place, row])) for place, one in enumerate(case.columns)} for row in range(440)
        ]  # fmt: skip
        yield artefact.to_bytes(), _recorded(artefact, rows)
    artefact = rules.compile(rules.load(EXPRESSIONS), ["answer", "day", "slow"], {"a": "number(9,2)", "b": "number(9,2)", "c": "category", "d": "date", "p": "boolean"})
    draw = random.Random(5)  # noqa: S311  (a seed, so that every run draws the same)
    yield artefact.to_bytes(), _recorded(artefact, [_row(draw) for _ in range(440)])
    artefact = rules.compile(rules.load(DOUBLES), ["share", "hours"], {"a": "number(9,2)", "b": "number(9,2)", "t": "datetime"})
    yield artefact.to_bytes(), _recorded(artefact, [_row(draw) | {"t": _moment(draw)} for _ in range(440)])
    for pack in (shipped.lending(), shipped.collection()):
        yield pack.artefact.to_bytes(), _recorded(pack.artefact, [_applicant(draw, pack.artefact) for _ in range(440)])


def _moment(draw: random.Random) -> object:
    """A moment of two zones, of none, or none at all."""
    text = f"2026-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}T{draw.randint(0, 23):02d}:{draw.randint(0, 59):02d}:00"
    return rules.feel(draw.choice((f'@"{text}@Asia/Shanghai"', f'@"{text}@Europe/Berlin"', f'@"{text}"', "null")))


def _applicant(draw: random.Random, artefact: Artefact) -> dict[str, object]:
    """A value of every input: one that a cell names, a number of its size, or none."""
    from decimal import Decimal

    told: dict[str, object] = {}
    for one, texts in zip(artefact.fields, artefact.compiled.texts, strict=True):
        number = Decimal(draw.randint(-1, 10 ** draw.randint(1, max(1, one.precision - one.scale)) - 1))
        value = draw.choice((True, False)) if one.kind == "boolean" else draw.choice((*texts, "another")) if one.kind == "category" else number
        told[one.name] = None if draw.random() < 0.05 else value
    return told


def _row(draw: random.Random) -> dict[str, object]:
    from decimal import Decimal

    told: dict[str, object] = {name: None if draw.random() < 0.05 else Decimal(draw.randint(-500, 1500)).scaleb(-2) for name in ("a", "b")}
    day = rules.Date(2026, 11, draw.randint(20, 26))
    return told | {"c": draw.choice(("x", "y", "z", None)), "d": draw.choice((day, None)), "p": draw.choice((True, False, None))}


def _recorded(artefact: Artefact, rows: list[dict[str, object]]) -> list[str]:
    outcome = artefact.run({one.name: [row[one.name] for row in rows] for one in artefact.fields}, at=AT)
    told = []
    for place, row in enumerate(rows):
        given = {one.name: literal(row[one.name]) for one in artefact.fields}
        told.append(_canonical({"at": AT.isoformat(), "given": given, "answer": _answer(artefact, outcome, place)}))
    return told


def _answer(artefact: Artefact, outcome: Outcome, row: int) -> dict[str, object]:
    """Every decision: its value, and the rules that fired."""
    return {name: [literal(outcome.value(name, row)), outcome.fired(name, row)] for name in artefact.decisions}


def _replay_rules(file: Path, records: list[dict[str, Any]]) -> tuple[int, int]:
    """By the loops for many rows, by numpy alone, and one by one."""
    artefact = rules.open_artefact(file)
    rows = [{name: rules.feel(text) for name, text in one["given"].items()} for one in records]
    at = [datetime.fromisoformat(one["at"]) for one in records]
    columns = {one.name: [row[one.name] for row in rows] for one in artefact.fields}
    many, plain = artefact.run(columns, at=at), artefact.with_form("numpy").run(columns, at=at)
    differing = 0
    for place, record in enumerate(records):
        wanted = _canonical(record["answer"])
        one = artefact.one(rows[place], at=at[place])
        differing += any(_canonical(_answer(artefact, outcome, row)) != wanted for outcome, row in ((many, place), (plain, place), (one, 0)))
    return len(records), differing


EXPRESSIONS = b"""<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="golden" namespace="urn:golden">
<inputData id="a" name="a"><variable name="a" typeRef="number"/></inputData><inputData id="b" name="b"><variable name="b" typeRef="number"/></inputData>
<inputData id="c" name="c"><variable name="c" typeRef="string"/></inputData><inputData id="d" name="d"><variable name="d" typeRef="date"/></inputData>
<inputData id="p" name="p"><variable name="p" typeRef="boolean"/></inputData>
<decision id="points" name="points"><variable name="points"/><informationRequirement><requiredInput href="#a"/></informationRequirement>
<informationRequirement><requiredInput href="#c"/></informationRequirement><decisionTable hitPolicy="COLLECT" aggregation="SUM">
<input><inputExpression><text>a</text></inputExpression></input><input><inputExpression><text>c</text></inputExpression></input><output name="points"/>
<rule><inputEntry><text>&lt; 3.5</text></inputEntry><inputEntry><text>-</text></inputEntry><outputEntry><text>2.5</text></outputEntry></rule>
<rule><inputEntry><text>[1..9)</text></inputEntry><inputEntry><text>"x","y"</text></inputEntry><outputEntry><text>4</text></outputEntry></rule>
<rule><inputEntry><text>-</text></inputEntry><inputEntry><text>not("z")</text></inputEntry><outputEntry><text>-1.25</text></outputEntry></rule></decisionTable></decision>
<decision id="answer" name="answer"><variable name="answer"/><informationRequirement><requiredDecision href="#points"/></informationRequirement>
<informationRequirement><requiredInput href="#a"/></informationRequirement><informationRequirement><requiredInput href="#b"/></informationRequirement>
<informationRequirement><requiredInput href="#p"/></informationRequirement>
<literalExpression><text>points * 2 + a * 0.3 &gt; b * 0.7 and not(p) or a = b</text></literalExpression></decision>
<decision id="day" name="day"><variable name="day"/><informationRequirement><requiredInput href="#d"/></informationRequirement>
<literalExpression><text>d &lt; today()</text></literalExpression></decision>
<decision id="slow" name="slow"><variable name="slow"/><informationRequirement><requiredInput href="#a"/></informationRequirement>
<informationRequirement><requiredInput href="#b"/></informationRequirement><literalExpression><text>decimal(a / b, 9)</text></literalExpression></decision>
</definitions>"""

DOUBLES = b"""<definitions xmlns="https://www.omg.org/spec/DMN/20230324/MODEL/" name="doubles" namespace="urn:doubles">
<inputData id="a" name="a"><variable name="a" typeRef="number"/></inputData><inputData id="b" name="b"><variable name="b" typeRef="number"/></inputData>
<inputData id="t" name="t"><variable name="t" typeRef="dateTime"/></inputData>
<decision id="share" name="share"><variable name="share"/><informationRequirement><requiredInput href="#a"/></informationRequirement>
<informationRequirement><requiredInput href="#b"/></informationRequirement><decisionTable hitPolicy="FIRST">
<input><inputExpression><text>a / b * 100</text></inputExpression></input><output name="share"/>
<rule><inputEntry><text>&lt; 0</text></inputEntry><outputEntry><text>"odd"</text></outputEntry></rule>
<rule><inputEntry><text>[0..50]</text></inputEntry><outputEntry><text>"light"</text></outputEntry></rule>
<rule><inputEntry><text>null</text></inputEntry><outputEntry><text>"unknown"</text></outputEntry></rule>
<rule><inputEntry><text>-</text></inputEntry><outputEntry><text>"heavy"</text></outputEntry></rule></decisionTable></decision>
<decision id="hours" name="hours"><variable name="hours"/><informationRequirement><requiredInput href="#t"/></informationRequirement>
<literalExpression><text>string(t - date and time("2026-07-01T00:00:00@Asia/Shanghai"))</text></literalExpression></decision></definitions>"""


# conventions


def _conventions() -> Iterator[tuple[bytes, list[str]]]:
    """Plans of repayment under each preset."""
    for name in ("cn-360", "cn-365"):
        draw = random.Random(9)  # noqa: S311  (a seed, so that every run draws the same)
        records = []
        for _ in range(100):
            given = {
                "method": draw.choice(list(schedules.Method)).value,
                "principal_fen": draw.randint(100, 20_000_000),
                "rate_ppm": draw.randint(0, 240_000),
                "months": draw.choice((1, 3, 6, 12, 24)),
                "first_day": date(2026, draw.randint(1, 12), draw.randint(1, 28)).isoformat(),
            }
            records.append(_canonical({"given": given, "answer": _planned(name, given)}))
        yield _canonical({"preset": name, "sha256": schedules.convention(name).sha256}).encode(), records


def _planned(name: str, given: Mapping[str, Any]) -> list[list[object]]:
    terms = schedules.Terms(
        method=schedules.Method(given["method"]), principal_fen=given["principal_fen"], rate_ppm=given["rate_ppm"], months=given["months"]
    )
    rows = schedules.plan(schedules.convention(name), terms, date.fromisoformat(given["first_day"]))
    return [[row.number, row.since.isoformat(), row.due.isoformat(), row.base_fen, row.principal_fen, row.interest_fen] for row in rows]


def _replay_conventions(file: Path, records: list[dict[str, Any]]) -> tuple[int, int]:
    told = json.loads(file.read_bytes())
    if schedules.convention(told["preset"]).sha256 != told["sha256"]:
        return len(records), len(records)
    return len(records), sum(_planned(told["preset"], one["given"]) != one["answer"] for one in records)


# scorecards


def _scorecards() -> Iterator[tuple[bytes, list[str]]]:
    """The shipped card, over people whose values lie on, beside and far from its edges, or are missing."""
    content = decisions.shipped().scorecard
    yield content, card_records(content)


def card_records(content: bytes) -> list[str]:
    """Score 200 people with a card; the same card, the same records."""
    card, draw = decisions.open_scorecard(content), random.Random(11)  # noqa: S311  (a seed, so that every run draws the same)
    records = []
    for _ in range(200):
        given: dict[str, int | str] = {}
        for item in card.characteristics:
            edge = draw.choice(item.edges) if item.edges else 0
            given[item.name] = draw.choice((edge, edge + 1, edge - 1, draw.randint(-(10**9), 10**9), draw.choice(list(decisions.Missing)).value))
        records.append(_canonical({"given": given, "answer": _scored(card, given)}))
    return records


def _scored(card: decisions.Scorecard, given: Mapping[str, Any]) -> list[object]:
    values = {name: value if isinstance(value, int) else decisions.Missing(value) for name, value in given.items()}
    score = card.score(values)
    return [score.points, score.probability_ppm, [[points, item.reason] for points, item in card.lost(values)]]


def _replay_scorecards(file: Path, records: list[dict[str, Any]]) -> tuple[int, int]:
    card = decisions.open_scorecard(file.read_bytes())
    return len(records), sum(_scored(card, one["given"]) != one["answer"] for one in records)


Make = Callable[[], Iterator[tuple[bytes, list[str]]]]
KINDS: dict[str, tuple[Make, Callable[[Path, list[dict[str, Any]]], tuple[int, int]]]] = {
    "rules": (_rules, _replay_rules),
    "convention": (_conventions, _replay_conventions),
    "scorecard": (_scorecards, _replay_scorecards),
    "strategy": (replayed_strategies.make, replayed_strategies.replay),
}
