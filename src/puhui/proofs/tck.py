"""The public test kit of DMN: run it, compare strictly, and write the result in the kit's own form."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from lxml import etree

from puhui.engines import rules
from puhui.engines.rules import Model, Result
from puhui.engines.rules.values import Date, DateTime, DaysDuration, MonthsDuration, Time
from puhui.foundation.refusals import Refusal

Tag = Any
AT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
"""The instant of every case: folders 1148 and 1149 ask for now() and today()."""
LEVELS = {"compliance-level-2": "level2", "compliance-level-3": "level3", "non-compliant": "non_compliant"}
TOLERANCE = Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the kit as it came out."""

    level: str
    folder: str
    file: str
    case: str
    message: str
    is_non_null: bool
    is_near: bool

    @property
    def has_passed(self) -> bool:
        return not self.message


def run(root: Path, csv_file: Path | None = None) -> dict[str, Any]:
    """Run the whole kit. Gives for each level how many cases there are, passed, and passed that expect more than null.

    `near` counts the cases that needed the kit's tolerance of 1e-8 for a number.
    """
    cases = [case for level in LEVELS for case in _level(root / level, level)]
    if csv_file is not None:
        with csv_file.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, quoting=csv.QUOTE_ALL)
            for case in cases:
                writer.writerow([f"{case.level}/{case.folder}", case.file, case.case, "SUCCESS" if case.has_passed else "ERROR", case.message])
    told: dict[str, Any] = {name: _summary([case for case in cases if case.level == level]) for level, name in LEVELS.items()}
    scored = [told["level2"], told["level3"]]
    return told | {"passed": sum(one["passed"] for one in scored), "listed": sum(one["listed"] for one in scored), "at": AT.isoformat()}


def failures(root: Path) -> list[Case]:
    """The scored cases that did not pass."""
    return [case for level in ("compliance-level-2", "compliance-level-3") for case in _level(root / level, level) if not case.has_passed]


def _summary(cases: list[Case]) -> dict[str, Any]:
    failed: dict[str, int] = defaultdict(int)
    for case in cases:
        failed[case.folder] += not case.has_passed
    return {
        "listed": len(cases),
        "passed": sum(case.has_passed for case in cases),
        "non_null_listed": sum(case.is_non_null for case in cases),
        "non_null_passed": sum(case.is_non_null and case.has_passed for case in cases),
        "near": sum(case.is_near and case.has_passed for case in cases),
        "failed": {folder: number for folder, number in failed.items() if number},
    }


def _level(folder: Path, level: str) -> Iterator[Case]:
    for path in sorted(folder.glob("*/*-test-*.xml")):
        yield from _file(path, level)


def _file(path: Path, level: str) -> Iterator[Case]:
    root = etree.parse(str(path), etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)).getroot()
    name = next(_text(one) for one in root if _local(one) == "modelName").strip()
    try:
        model: Model | str = rules.load(path.parent / name)
    except Refusal as refusal:
        model = str(refusal)
    for tag in root:
        if _local(tag) == "testCase":
            yield _case(tag, model, path, level)


def _case(tag: Tag, model: Model | str, path: Path, level: str) -> Case:
    inputs = {one.get("name"): _value(one) for one in tag if _local(one) == "inputNode"}
    messages: list[str] = []
    is_non_null = is_near = False
    for node in (one for one in tag if _local(one) == "resultNode"):
        expected = _value(next(one for one in node if _local(one) == "expected"))
        is_non_null = is_non_null or expected is not None
        if isinstance(model, str):
            messages.append(model)
            continue
        result = _asked(model, tag, node.get("name"), inputs)
        near: list[bool] = []
        if not _equal(_part(result.value, node, tag, model), expected, near):
            messages.append(f"FAILURE: {node.get('name')}: expected {_shown(expected)} but found {_shown(result.value)}")
        elif node.get("errorResult") == "true" and not result.diagnostics:
            messages.append(f"FAILURE: {node.get('name')}: null without a diagnostic")
        is_near = is_near or bool(near)
    return Case(level, path.parent.name, path.stem, tag.get("id") or "", "; ".join(messages)[:500], is_non_null, is_near)


def _asked(model: Model, tag: Tag, name: str, inputs: dict[str, object]) -> Result:
    try:
        if tag.get("type") in {"decisionService", "bkm"}:
            return model.invoke(tag.get("invocableName"), inputs, at=AT)
        return model.decide(name, inputs, at=AT)
    except Refusal as refusal:
        return Result(f"refused: {refusal}", [])


def _part(value: object, node: Tag, tag: Tag, model: Model) -> object:
    """A service with several outputs gives a context; a result node names one of them."""
    name = node.get("name")
    if tag.get("type") == "decisionService" and isinstance(value, dict) and name in value and name in model.decisions:
        return value[name]
    return value


def _value(tag: Tag) -> object:
    """What an input, an expectation, an item or a component holds."""
    if _attribute(tag, "nil") == "true":
        return None
    parts = {}
    for one in tag:
        match _local(one):
            case "value":
                return _simple(one)
            case "list":
                return None if _attribute(one, "nil") == "true" else [_value(item) for item in one if _local(item) == "item"]
            case "expected":
                return _value(one)
            case "component":
                parts[one.get("name")] = _value(one)
    return parts or None


def _simple(tag: Tag) -> object:
    if _attribute(tag, "nil") == "true":
        return None
    text = "".join(tag.itertext())
    match (_attribute(tag, "type") or "string").rpartition(":")[2]:
        case "boolean":
            return text.strip() in {"true", "1"}
        case "decimal" | "double" | "integer" | "int" | "long" | "float":
            return Decimal(text.strip())
        case "date":
            return rules.feel(f'date("{text.strip()}")')
        case "time":
            return rules.feel(f'time("{text.strip()}")')
        case "dateTime":
            return rules.feel(f'date and time("{text.strip()}")')
        case "duration" | "dayTimeDuration" | "yearMonthDuration":
            return rules.feel(f'duration("{text.strip()}")')
    return text


def _equal(found: object, expected: object, near: list[bool]) -> bool:
    match expected:
        case Decimal():
            if not isinstance(found, Decimal):
                return False
            if found != expected and abs(found - expected) <= TOLERANCE * max(Decimal(1), abs(expected)):
                near.append(True)
                return True
            return found == expected
        case list():
            return isinstance(found, list) and len(found) == len(expected) and all(_equal(a, b, near) for a, b in zip(found, expected, strict=True))
        case dict():
            return isinstance(found, dict) and found.keys() == expected.keys() and all(_equal(found[name], expected[name], near) for name in expected)
        case DaysDuration() | MonthsDuration():
            return found == expected or _is_nothing(found, expected)
        case Date() | Time() | DateTime() | bool() | str():
            return type(found) is type(expected) and found == expected
    return found is None and expected is None


def _is_nothing(found: object, expected: object) -> bool:
    """Durations of length zero are written alike in the kit, whatever their kind."""
    lengths = [one.nanos if isinstance(one, DaysDuration) else one.months if isinstance(one, MonthsDuration) else 1 for one in (found, expected)]
    return lengths == [0, 0]


def _shown(value: object) -> str:
    told = str(value) if not isinstance(value, list | dict) else rules.values.text_of(value) or "null"
    return re.sub(r"\s+", " ", told)[:150]


def _local(tag: Tag) -> str:
    return str(etree.QName(tag).localname) if isinstance(tag.tag, str) else ""


def _attribute(tag: Tag, name: str) -> str | None:
    return next((value for key, value in tag.attrib.items() if etree.QName(key).localname == name), None)


def _text(tag: Tag) -> str:
    return "".join(tag.itertext())
