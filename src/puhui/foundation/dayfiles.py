"""Day files: the rows that two parties send each other at the end of a day, and the last line that proves them whole.

`{service}-{kind}-{party}-{YYYYMMDD}-p{part}-r{revision}.csv`: UTF-8, LF, RFC 4180, the column names first, then the rows, then
`#end,<rows>,<sum of amount_fen>,<hex SHA-256 of every byte before this line>`. A file without a right last line does not exist yet.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

from puhui.foundation.refusals import Refusal

BYTES_MAX = 64 * 1024 * 1024
_NAME = re.compile(r"^([a-z0-9]+(?:-[a-z0-9]+)*)-(\d{8})-p(\d{1,4})-r(\d{1,4})\.csv$")


class DayFileRefused(Refusal):
    """The file {name} cannot be read: {why} (line {line}). It was put aside whole; ask the sender for a new revision."""

    code = "dayfiles.refused"


@dataclass(frozen=True, slots=True, order=True)
class DayFileName:
    """What a file is: its stem (`rail-transfers-lender`, `funder-loans-funder-07`), day, part and revision."""

    stem: str
    day: date
    part: int = 1
    revision: int = 1

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a file's name. Raises DayFileRefused."""
        match = _NAME.fullmatch(name)
        if not match:
            raise DayFileRefused(name=name, why="the name is not service-kind-party-YYYYMMDD-pN-rN.csv", line=0)
        stem, day, part, revision = match.groups()
        try:
            return cls(stem, date(int(day[:4]), int(day[4:6]), int(day[6:])), int(part), int(revision))
        except ValueError:
            raise DayFileRefused(name=name, why=f"{day} is no day", line=0) from None

    @classmethod
    def is_one(cls, name: str) -> bool:
        """Say whether this is a file's name at all."""
        try:
            cls.parse(name)
        except DayFileRefused:
            return False
        return True

    def __str__(self) -> str:
        return f"{self.stem}-{self.day:%Y%m%d}-p{self.part}-r{self.revision}.csv"


@dataclass(frozen=True, slots=True)
class DayFile:
    """A file that proved itself whole. `rows` hold text by column name."""

    name: DayFileName
    rows: tuple[Mapping[str, str], ...]


def write_dayfile(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Write the bytes of a file; the sum in the last line is that of the column `amount_fen` (0 where there is none)."""
    amount_at = columns.index("amount_fen") if "amount_fen" in columns else None
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count, total = 0, 0
    for row in rows:
        assert len(row) == len(columns), (columns, row)
        writer.writerow(["" if value is None else value for value in row])
        count += 1
        total += int(str(row[amount_at])) if amount_at is not None else 0
    body = out.getvalue().encode()
    return body + f"#end,{count},{total},{hashlib.sha256(body).hexdigest()}\n".encode()


def read_dayfile(name: str, content: bytes, columns: Sequence[str]) -> DayFile:
    """Read a file and prove it whole: columns in order, last line, count, sum and hash.

    Raises DayFileRefused, naming the line.
    """
    named = DayFileName.parse(name)
    if len(content) > BYTES_MAX:
        raise DayFileRefused(name=name, why="it is larger than 64 MiB", line=0)
    body, end = _cut_last_line(name, content)
    rows = _rows(name, body, columns)
    total = sum(_whole(name, row["amount_fen"], line) for line, row in enumerate(rows, start=2)) if "amount_fen" in columns else 0
    expected = f"#end,{len(rows)},{total},{hashlib.sha256(body).hexdigest()}"
    if end != expected:
        raise DayFileRefused(name=name, why="the last line does not agree with the rows", line=len(rows) + 2)
    return DayFile(named, rows)


def _cut_last_line(name: str, content: bytes) -> tuple[bytes, str]:
    at = content.rfind(b"#end,")
    if at < 0 or (at > 0 and content[at - 1 : at] != b"\n") or content.count(b"\n", at) > 1:
        raise DayFileRefused(name=name, why="it has no last line #end, so it does not exist yet", line=0)
    try:
        return content[:at], content[at:].decode("ascii").rstrip("\n")
    except UnicodeDecodeError:
        raise DayFileRefused(name=name, why="the last line is not plain text", line=0) from None


def _rows(name: str, body: bytes, columns: Sequence[str]) -> tuple[Mapping[str, str], ...]:
    try:
        table = list(csv.reader(io.StringIO(body.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as broken:
        raise DayFileRefused(name=name, why=f"it is no UTF-8 CSV ({type(broken).__name__})", line=0) from None
    if not table or table[0] != list(columns):
        raise DayFileRefused(name=name, why=f"the columns are not {','.join(columns)}", line=1)
    for line, row in enumerate(table[1:], start=2):
        if len(row) != len(columns):
            raise DayFileRefused(name=name, why=f"{len(row)} fields where {len(columns)} are due", line=line)
    return tuple(dict(zip(columns, row, strict=True)) for row in table[1:])


def _whole(name: str, text: str, line: int) -> int:
    if not re.fullmatch(r"-?\d{1,16}", text):
        raise DayFileRefused(name=name, why="amount_fen is no whole number", line=line)
    return int(text)
