"""The second-generation text file: its name, its header line, and one XML document a line, as values.

A fault of form has an id beginning with `F` and is found here; what the rules B01..B17 say is found in `rules`. Lines are counted
from 1, and the header is line 1. A fault in the name or header concerns the whole file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from lxml import etree

from puhui_town.bureau.codes import codes


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: its rule's id, what is wrong, and the segment's letter where one is to blame."""

    code: str
    text: str
    segment: str = ""


class Malformed(Exception):  # noqa: N818 - it states a fact
    """The file or line cannot be read; nothing of it was taken."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(finding.code for finding in findings))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class FileName:
    """The parts of a file's name."""

    reporter: str
    day: date
    record_type: str
    serial: int


@dataclass(frozen=True, slots=True)
class Header:
    """The header line: one record type a file."""

    record_type: str
    reporter: str
    made_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: its own fields, and the repeated groups inside it (`RltRepymtInf`, `CagOfTrdInf`)."""

    element: str
    fields: dict[str, str]
    rows: tuple[dict[str, str], ...] = ()

    def text(self, field: str) -> str:
        """The field, or the empty string: absent and empty are the same in this format."""
        return self.fields.get(field, "")

    def yuan(self, field: str) -> int:
        """The amount in whole yuan; an absent one is 0."""
        return int(self.fields.get(field) or "0")

    def day(self, field: str) -> date | None:
        found = self.fields.get(field)
        return date.fromisoformat(found) if found else None


@dataclass(frozen=True, slots=True)
class Record:
    """One `<Document>`. Series 210 and 220 have segments by letter; the others have only `fields`, flattened."""

    record_type: str
    segments: dict[str, Segment]
    fields: dict[str, str]

    @property
    def account(self) -> str:
        """The account, agreement or id number that the record speaks of, as far as it says."""
        base = self.segments["B"].fields if "B" in self.segments else self.fields
        return next((base[name] for name in _NAMED_BY[self.record_type] if base.get(name)), "")


_NAMED_BY: dict[str, tuple[str, ...]] = {
    "110": ("IDNum",),
    "114": ("DelRecCode", "IDNum"),
    "210": ("AcctCode",),
    "211": ("OdBnesCode",),
    "212": ("ModRecCode", "AcctCode"),
    "213": ("DelRecCode", "AcctCode"),
    "214": ("DelRecCode", "AcctCode"),
    "215": ("AcctCode",),
    "220": ("ContractCode",),
    "221": ("OdBnesCode",),
    "224": ("DelRecCode", "ContractCode"),
}
_SPACE = re.compile(r"\s+")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)


def parse_file_name(name: str) -> FileName:
    """The parts of the name. Raises Malformed (F08)."""
    found = codes().file_name.match(name)
    if found is None:
        raise Malformed(Finding("F08", "the file name is not reporter, day, record type, 0, serial, flag"))
    try:
        day = datetime.strptime(found["day"], "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Malformed(Finding("F08", "the day in the file name does not exist")) from None
    return FileName(found["reporter"], day, found["record_type"], int(found["serial"]))


def split_lines(body: bytes) -> list[str]:
    """The lines of a file, header first, without the empty one after the last. Raises Malformed (F10)."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(Finding("F10", "the file is not UTF-8")) from None
    lines = text.split("\n")
    if lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise Malformed(Finding("F01", "the file is empty"))
    return [line.removesuffix("\r") for line in lines]


def parse_header(line: str) -> Header:
    """The header line. Raises Malformed (F01)."""
    tables = codes()
    if len(line) != tables.header_length:
        raise Malformed(Finding("F01", f"the header has {len(line)} characters, not {tables.header_length}"))
    parts: dict[str, str] = {}
    place = 0
    for field in tables.header:
        parts[field.name] = line[place : place + field.width]
        place += field.width
        if field.value and parts[field.name] != field.value:
            raise Malformed(Finding("F01", f"header field {field.name} is not {field.value}"))
    if parts["template"] != ("10" if parts["record_type"] == "110" else "  "):
        raise Malformed(Finding("F01", "the template type does not go with the record type"))
    if not parts["count"].isdigit() or not parts["made_at"].isdigit():
        raise Malformed(Finding("F01", "count and time are digits"))
    try:
        made_at = datetime.strptime(parts["made_at"], "%Y%m%d%H%M%S")  # noqa: DTZ007 - the format has no zone
    except ValueError:
        raise Malformed(Finding("F01", "the time in the header does not exist")) from None
    if parts["record_type"] not in tables.elements:
        raise Malformed(Finding("F04", f"record type {parts['record_type']} is not taken here"))
    return Header(parts["record_type"], parts["reporter"], made_at, int(parts["count"]))


def parse_record(line: str, record_type: str) -> Record:
    """One record. Raises Malformed: F03 not one document, F04 another record type, F05 a field, F06 segments."""
    try:
        document = etree.fromstring(line.encode(), _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        raise Malformed(Finding("F03", "the line is not one well-formed document")) from None
    if document.tag != "Document" or len(document) != 1:
        raise Malformed(Finding("F03", "the line is not one Document with one record"))
    root = document[0]
    if root.tag not in codes().elements[record_type]:
        raise Malformed(Finding("F04", f"the element is not one of record type {record_type}"))
    if record_type in codes().segments:
        return Record(record_type, _segments(root, record_type), {})
    if record_type == "212":
        return _correction(root)
    return Record(record_type, {}, _checked_fields(_flat(root), ""))


def _segments(root: etree._Element, record_type: str) -> dict[str, Segment]:
    order = codes().segments[record_type]
    letters = {element: letter for letter, element in order.items()}
    segments: dict[str, Segment] = {}
    for child in root:
        letter = letters.get(str(child.tag))
        if letter is None:
            continue  # readers ignore what they do not know
        if letter in segments:
            raise Malformed(Finding("F06", f"segment {letter} comes twice", letter))
        if segments and letter < max(segments):
            raise Malformed(Finding("F06", f"segment {letter} comes too late", letter))
        segments[letter] = _segment(child, letter)
    if "B" not in segments:
        raise Malformed(Finding("F06", "the base segment is missing", "B"))
    if segments["B"].text("InfRecType") != record_type:
        raise Malformed(Finding("F04", "InfRecType is not that of the file", "B"))
    if record_type == "210" and "H" in segments and "J" in segments:
        raise Malformed(Finding("F06", "H and J never come together", "J"))
    return segments


def _segment(element: etree._Element, letter: str) -> Segment:
    fields: dict[str, str] = {}
    rows: list[dict[str, str]] = []
    for child in element:
        if len(child):
            rows.append(_checked_fields(_flat(child), letter))
        else:
            fields[str(child.tag)] = _words(child)
    name = str(element.tag)
    for required in codes().required.get(name, ()):
        # B16 speaks of names; an empty one is left to it
        if not fields.get(required) and not (required == "Name" and "Name" in fields):
            raise Malformed(Finding("F05", f"{required} is missing", letter))
    return Segment(name, _checked_fields(fields, letter), tuple(rows))


def _correction(root: etree._Element) -> Record:
    """Record 212: a base segment, and under `MdfcSgmt` the whole right segment."""
    fields: dict[str, str] = {}
    segments: dict[str, Segment] = {}
    letters = {element: letter for letter, element in codes().segments["210"].items()}
    for child in root.iter():
        if str(child.tag) in letters:
            letter = letters[str(child.tag)]
            segments[letter] = _segment(child, letter) if letter != "B" else Segment(str(child.tag), _flat(child))
        elif len(child) == 0 and not any(str(parent.tag) in letters for parent in child.iterancestors()):
            fields[str(child.tag)] = _words(child)
    for required in ("RptDate", "MdfcSgmtCode"):
        if not fields.get(required):
            raise Malformed(Finding("F05", f"{required} is missing"))
    fields["ModRecCode"] = fields.get("ModRecCode") or fields.get("AcctCode", "")
    base = segments.pop("B", None)  # B14 refuses it; here it is only noted
    if base is not None:
        fields["MdfcSgmtCode"] = "B"
    elif set(segments) != {fields["MdfcSgmtCode"]}:
        raise Malformed(Finding("F06", "MdfcSgmt does not hold the one segment that MdfcSgmtCode names", fields["MdfcSgmtCode"]))
    checked = _checked_fields(fields, "")
    return Record("212", {f"{letter}": segment for letter, segment in segments.items()}, checked)


def _flat(element: etree._Element) -> dict[str, str]:
    return {str(child.tag): _words(child) for child in element.iter() if len(child) == 0 and child is not element}


def _words(element: etree._Element) -> str:
    return _SPACE.sub(" ", element.text or "").strip()


def _checked_fields(fields: dict[str, str], letter: str) -> dict[str, str]:
    """The fields as they are, after every amount, count, day and month was seen to be one."""
    for finding in _mistyped(fields, letter):
        raise Malformed(finding)
    return fields


def _mistyped(fields: dict[str, str], letter: str) -> Iterator[Finding]:
    tables = codes()
    for name, value in fields.items():
        if not value:
            continue
        if name in tables.amounts and not (value.isascii() and value.isdigit() and len(value) <= 15):
            yield Finding("F05", f"{name} is not an amount in whole yuan, unsigned, of up to 15 digits", letter)
        elif name in tables.counts and not (value.isascii() and value.isdigit() and len(value) <= 4):
            yield Finding("F05", f"{name} is not a count", letter)
        elif name in tables.days and not _is_day(value):
            yield Finding("F05", f"{name} is not a day", letter)
        elif name in tables.months and not _is_day(f"{value}-01"):
            yield Finding("F05", f"{name} is not a month", letter)


def _is_day(value: str) -> bool:
    try:
        return len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False
