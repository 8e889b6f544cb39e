"""Decision tables as sheets of a workbook, and back: hit policy, names, types, listed values, defaults, notes and ids make the round trip.

One sheet a table. The first rows say what the table is, then one row a rule, cells as FEEL texts. A number, date or boolean that a person types
in a spreadsheet is taken as FEEL writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any

from lxml import etree

from puhui.engines.rules.loader import PUHUI
from puhui.engines.rules.model import Model
from puhui.engines.rules.refusals import UnreadableSheet
from puhui.engines.rules.writing import parsed, written

ROWS = ("kind", "label", "expression or name", "type", "values", "default", "mark", "id")
"""What each column of a table is, from the third row on. `mark`: of an input changeable, of an output its role."""
POLICIES = ("UNIQUE", "ANY", "FIRST", "PRIORITY", "RULE ORDER", "OUTPUT ORDER", "COLLECT")
SHEETS_MAX, ROWS_MAX, COLUMNS_MAX = 500, 100_000, 400


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as a sheet holds it: texts, a row for each thing said of a column, and a row a rule (its id first, its note last)."""

    decision: str
    key: str
    policy: str
    gather: str
    columns: tuple[tuple[str, ...], ...]
    rules: tuple[tuple[str, ...], ...]


def to_workbook(model: Model) -> bytes:
    """A workbook (xlsx) of all decision tables of a model."""
    import openpyxl
    from openpyxl.styles import Font, PatternFill

    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, one in enumerate(sheets_of(model), 1):
        title = re.sub(r"[^\w -]", "_", one.decision)[:24]
        page = book.create_sheet(f"{number} {title}")
        for row, texts in enumerate(_rows(one), 1):
            for column, text in enumerate(texts, 1):
                cell = page.cell(row, column)
                cell.value = text
                cell.data_type = "s" if text else "n"  # a cell like `= 5` is no formula
                if row <= 3 + len(ROWS):
                    cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="EEF3F8")
        page.freeze_panes = page.cell(4 + len(ROWS), 2)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _rows(one: Sheet) -> Iterator[Sequence[str]]:
    yield "decision", one.decision, "id", one.key
    yield "hit policy", one.policy, "aggregation", one.gather
    for place, name in enumerate(ROWS):
        yield name, *(column[place] for column in one.columns), "note" if place == 0 else ""
    yield "rule", *(column[1] or column[2] for column in one.columns), ""
    yield from one.rules


def sheets_of(model: Model) -> list[Sheet]:
    """Every decision table of a model, as texts."""
    told = []
    for tag in parsed(written(model)):
        table = next(iter(_children(tag, "decisionTable")), None)
        if _local(tag) != "decision" or table is None:
            continue
        inputs, outputs = _children(table, "input"), _children(table, "output")
        columns = (*(_input(one) for one in inputs), *(_output(one) for one in outputs))
        rules = tuple(_rule(one) for one in _children(table, "rule"))
        told.append(Sheet(tag.get("name") or "", tag.get("id") or "", table.get("hitPolicy") or "UNIQUE", table.get("aggregation") or "", columns, rules))
    return told


def _input(tag: Any) -> tuple[str, ...]:
    asked = next(iter(_children(tag, "inputExpression")), None)
    kind = asked.get("typeRef") or "" if asked is not None else ""
    mark = "changeable" if tag.get(f"{PUHUI}changeable") in {"true", "1"} else ""
    return "input", tag.get("label") or "", _text(asked), kind, _text(next(iter(_children(tag, "inputValues")), None)), "", mark, tag.get("id") or ""


def _output(tag: Any) -> tuple[str, ...]:
    listed, default = (_text(next(iter(_children(tag, name)), None)) for name in ("outputValues", "defaultOutputEntry"))
    return "output", tag.get("label") or "", tag.get("name") or "", tag.get("typeRef") or "", listed, default, tag.get(f"{PUHUI}role") or "", tag.get("id") or ""


def _rule(tag: Any) -> tuple[str, ...]:
    cells = [_text(one) for one in _children(tag, "inputEntry", "outputEntry")]
    return tag.get("id") or "", *cells, _text(next(iter(_children(tag, "annotationEntry")), None))


# and back


def from_workbook(data: bytes, model: Model) -> bytes:
    """The model's file as DMN 1.5 with its tables as the workbook has them. Refused: UnreadableSheet (a table that the model lacks, a cell that is none)."""
    root = parsed(written(model))
    for one in read_workbook(data):
        found = [tag for tag in root if _local(tag) == "decision" and (tag.get("id") or "") == one.key and _children(tag, "decisionTable")]
        if not found:
            raise UnreadableSheet(sheet=one.decision, why=f"the model has no decision table with the id {one.key or '(none)'}")
        _filled(_children(found[0], "decisionTable")[0], one)
    return bytes(etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True))


def read_workbook(data: bytes) -> list[Sheet]:
    """The tables of a workbook. Refused: UnreadableSheet."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(BytesIO(data), read_only=False, data_only=False)
    except Exception as error:  # the reader of a foreign format fails in many ways, and all mean the same
        raise UnreadableSheet(sheet="the workbook", why=f"it is no xlsx file ({type(error).__name__})") from error
    if len(book.worksheets) > SHEETS_MAX:
        raise UnreadableSheet(sheet="the workbook", why=f"it has more than {SHEETS_MAX} sheets")
    return [_sheet(page) for page in book.worksheets]


def _sheet(page: Any) -> Sheet:
    if page.max_row > ROWS_MAX or page.max_column > COLUMNS_MAX:
        raise UnreadableSheet(sheet=page.title, why="it is too large")
    rows = [[_cell(page.title, cell) for cell in row] for row in page.iter_rows()]
    names = [row[0] for row in rows[: 3 + len(ROWS)] if row]
    if names != ["decision", "hit policy", *ROWS, "rule"] or len(rows[0]) < 4:
        raise UnreadableSheet(sheet=page.title, why=f"its first column must read: decision, hit policy, {', '.join(ROWS)}, rule")
    width = next((place for place, text in enumerate(rows[2]) if text == "note"), len(rows[2]))
    if any(kind not in {"input", "output"} for kind in rows[2][1:width]) or rows[1][1] not in POLICIES:
        raise UnreadableSheet(sheet=page.title, why=f"its columns are input or output, and its hit policy one of {', '.join(POLICIES)}")
    columns = tuple(tuple(rows[2 + place][column] for place in range(len(ROWS))) for column in range(1, width))
    rules = tuple((*row[:width], row[width] if len(row) > width else "") for row in rows[3 + len(ROWS) :] if any(row))
    return Sheet(rows[0][1], rows[0][3], rows[1][1], rows[1][3], columns, rules)


def _cell(sheet: str, cell: Any) -> str:
    """What a person typed, as FEEL writes it. Refused: UnreadableSheet where it is a formula's own result or a fault."""
    match cell.value:
        case None:
            return ""
        case bool() as value:
            return "true" if value else "false"
        case str() as value:
            return value
        case int() | float() as value:
            return format(Decimal(repr(value)), "f")
        case datetime() as value:
            return f'@"{value:%Y-%m-%d}"' if value.time() == time(0) else f'@"{value:%Y-%m-%dT%H:%M:%S}"'
        case date() as value:
            return f'@"{value:%Y-%m-%d}"'
        case time() as value:
            return f'@"{value:%H:%M:%S}"'
    raise UnreadableSheet(sheet=sheet, why=f"the cell {cell.coordinate} holds what is no text, number, date or boolean")


def _filled(table: Any, one: Sheet) -> None:
    """Make a table of the sheet; a column or rule with an id that was there keeps whatever else was said of it."""
    old = {tag.get("id"): tag for tag in table if isinstance(tag.tag, str) and tag.get("id")}
    notes = _children(table, "annotation")
    for tag in list(table):
        if _local(tag) in {"input", "output", "rule", "annotation"}:
            table.remove(tag)
    table.set("hitPolicy", one.policy)
    table.attrib.pop("aggregation", None)
    if one.gather:
        table.set("aggregation", one.gather)
    for column in one.columns:
        table.append(_column_tag(table, old.get(column[7] or None), column))
    table.extend(notes)
    inputs = sum(column[0] == "input" for column in one.columns)
    for number, rule in enumerate(one.rules, 1):
        if len(rule) != len(one.columns) + 2:
            raise UnreadableSheet(sheet=one.decision, why=f"rule {number} does not fill the columns")
        table.append(_rule_tag(table, old.get(rule[0] or None), rule, inputs))


def _column_tag(table: Any, old: Any, column: tuple[str, ...]) -> Any:
    kind, label, name, type_, values, default, mark, key = column
    tag = deepcopy(old) if old is not None else _new(table, kind)
    _set(tag, "id", key)
    _set(tag, "label", label)
    if kind == "output":
        _set(tag, "name", name)
        _set(tag, "typeRef", type_)
        _set(tag, f"{PUHUI}role", mark)
        _say(tag, "outputValues", values)
        _say(tag, "defaultOutputEntry", default)
        return tag
    _set(tag, f"{PUHUI}changeable", "true" if mark == "changeable" else "")
    _say(tag, "inputExpression", name)
    for asked in _children(tag, "inputExpression"):
        _set(asked, "typeRef", type_)
    _say(tag, "inputValues", values)
    return tag


def _rule_tag(table: Any, old: Any, rule: tuple[str, ...], inputs: int) -> Any:
    key, *cells, note = rule
    tag = deepcopy(old) if old is not None else _new(table, "rule")
    _set(tag, "id", key)
    entries = _children(tag, "inputEntry", "outputEntry")
    if len(entries) != len(cells) or sum(_local(one) == "inputEntry" for one in entries) != inputs:
        for one in _children(tag, "inputEntry", "outputEntry", "annotationEntry"):
            tag.remove(one)
        entries = [etree.SubElement(tag, etree.QName(_namespace(table), "inputEntry" if place < inputs else "outputEntry")) for place in range(len(cells))]
    for place, (entry, text) in enumerate(zip(entries, cells, strict=True)):
        _write(entry, text if text or place >= inputs else "-")
    _say(tag, "annotationEntry", note)
    return tag


def _say(tag: Any, name: str, text: str) -> None:
    """A child with this text; none where there is none."""
    found = next(iter(_children(tag, name)), None)
    if not text:
        if found is not None:
            tag.remove(found)
        return
    if found is None:
        found = etree.SubElement(tag, etree.QName(_namespace(tag), name))
    _write(found, text)


def _write(tag: Any, text: str) -> None:
    inner = next(iter(_children(tag, "text")), None)
    if inner is None:
        inner = etree.SubElement(tag, etree.QName(_namespace(tag), "text"))
    inner.text = text


def _set(tag: Any, name: str, value: str) -> None:
    if value:
        tag.set(name, value)
    else:
        tag.attrib.pop(name, None)


def _new(table: Any, name: str) -> Any:
    return etree.Element(etree.QName(_namespace(table), name))


def _namespace(tag: Any) -> str | None:
    told: str | None = etree.QName(tag).namespace
    return told


def _local(tag: Any) -> str:
    return str(etree.QName(tag).localname) if isinstance(tag.tag, str) else ""


def _children(tag: Any, *names: str) -> list[Any]:
    return [one for one in tag if _local(one) in names]


def _text(tag: Any) -> str:
    if tag is None:
        return ""
    inner = next(iter(_children(tag, "text")), None)
    return "".join((tag if inner is None else inner).itertext()).strip()
