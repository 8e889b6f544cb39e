"""Day files, both ways: those a service offers from 04:00 of the next day, and those the platform puts into its inbox.

Name `{service}-{kind}-{party}-{YYYYMMDD}-p{part}-r{revision}.csv`; UTF-8, LF, RFC 4180, column names first, and a last line
`#end,<rows>,<sum of amount_fen>,<hex SHA-256 of every byte before this line>`. A file is written once, when it is first asked for after
its hour, from facts that no longer change; faults of files act then.
"""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import msgspec

from puhui_town.wire.callbacks import untrue
from puhui_town.wire.clock import Clock
from puhui_town.wire.faults import Faults
from puhui_town.wire.store import Store
from puhui_town.wire.words import SHANGHAI, Refused, bad_field, from_ms, not_found, to_ms

ROW_FAULTS = frozenset({"missing_row", "extra_row", "duplicate_row", "wrong_amount", "wrong_status", "wrong_date"})
NAME = re.compile(r"^([a-z0-9]+(?:-[a-z0-9]+)*)-(\d{8})-p(\d{1,4})-r(\d{1,4})\.csv$")
READY = time(4)

Row = Mapping[str, str]
Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class DayFileName:
    """What a file is: its stem (`rail-transfers-lender`), day, part and revision."""

    stem: str
    day: date
    part: int = 1
    revision: int = 1

    @classmethod
    def parse(cls, name: str) -> "DayFileName":
        """Read a name. Raises Refused `bad-field`."""
        match = NAME.match(name)
        if not match:
            raise bad_field("name", "is not service-kind-party-YYYYMMDD-pN-rN.csv")
        stem, day, part, revision = match.groups()
        try:
            return cls(stem, date(int(day[:4]), int(day[4:6]), int(day[6:])), int(part), int(revision))
        except ValueError:
            raise bad_field("name", f"{day} is no day") from None

    def __str__(self) -> str:
        return f"{self.stem}-{self.day:%Y%m%d}-p{self.part}-r{self.revision}.csv"


class Written(msgspec.Struct, frozen=True):
    """A file that was written; it can be read from `ready_ms` of the run on."""

    name: str
    kind: str
    party: str
    part: int
    revision: int
    ready_ms: int
    content: bytes


class LineError(msgspec.Struct, frozen=True):
    """A line of a received file that is not accepted."""

    line: int
    code: str
    text: str


class Received(msgspec.Struct, frozen=True):
    """A file in the inbox and what was found in it."""

    name: str
    content: bytes
    errors: list[LineError]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A kind of file a channel offers: its parties, columns, and the rows of a day (None: there is no such file)."""

    kind: str
    party: str
    columns: Sequence[str]
    rows: Callable[[date], Rows | None]
    ready: time = READY


@dataclass(frozen=True, slots=True)
class Wanted:
    """A kind of file a channel takes. `check` gives the errors of the rows and uses what is right; called once, for a whole file."""

    kind: str
    columns: Sequence[str]
    check: Callable[[DayFileName, Sequence[Row]], list[LineError]]


class DayFiles:
    """The files of all channels (`rail`, `funder/funder-07`, `shop`)."""

    def __init__(self, store: Store, clock: Clock, faults: Faults) -> None:
        self._store, self._clock, self._faults = store, clock, faults
        self._offers: dict[str, list[Offer]] = {}
        self._wanted: dict[str, list[Wanted]] = {}

    def offer(self, channel: str, offer: Offer) -> None:
        self._offers.setdefault(channel, []).append(offer)

    def want(self, channel: str, wanted: Wanted) -> None:
        self._wanted.setdefault(channel, []).append(wanted)

    def listed(self, channel: str, day: date) -> list[dict[str, object]]:
        """Give what `GET /files?date=` lists; files whose hour has come are written now."""
        now_ms = self._clock.now_ms()
        found = []
        for offer in self._offers.get(channel, ()):
            for written in self._written(channel, offer, day):
                if written.ready_ms <= now_ms:
                    found.append(
                        {
                            "name": written.name, "kind": written.kind, "party": written.party, "part": written.part,
                            "revision": written.revision, "bytes": len(written.content),
                        }
                    )  # fmt: skip
        return found

    def content(self, channel: str, name: str) -> bytes:
        """Give a file's bytes. Raises Refused `not-found`, `bad-field`."""
        self.listed(channel, DayFileName.parse(name).day)
        written = self._store.table(f"wire.files.{channel}", Written).get(name)
        if written is None or written.ready_ms > self._clock.now_ms():
            raise not_found(name)
        return written.content

    def put(self, channel: str, name: str, content: bytes) -> dict[str, object]:
        """Take a file into the inbox. The same bytes under a known name change nothing. Raises Refused."""
        named = DayFileName.parse(name)
        inbox = self._store.table(f"wire.inbox.{channel}", Received)
        known = inbox.get(name)
        if known is not None:
            if known.content != content:
                raise Refused("key-reused", "another file has this name; send a higher revision", status=409)
            return {"state": "received"}
        service, _, party = channel.partition("/")
        for wanted in self._wanted.get(channel, ()):
            if named.stem.startswith(f"{service}-{wanted.kind}-") and (not party or named.stem == f"{service}-{wanted.kind}-{party}"):
                inbox.put(name, self._checked(named, content, wanted))
                return {"state": "received"}
        raise bad_field("name", "no file of this kind is taken here")

    def found(self, channel: str, name: str) -> dict[str, object]:
        """Give what became of a file in the inbox. Raises Refused `not-found`."""
        received = self._store.table(f"wire.inbox.{channel}", Received).get(name)
        if received is None:
            raise not_found(name)
        return {"state": "refused" if received.errors else "accepted", "errors": received.errors}

    def inbox(self, channel: str, stem: str, day: date) -> list[Row]:
        """Give the rows of a received, whole file of a day: of each part the highest revision."""
        best: dict[int, tuple[DayFileName, Received]] = {}
        for received in self._store.table(f"wire.inbox.{channel}", Received).values():
            name = DayFileName.parse(received.name)
            if name.stem == stem and name.day == day and received.is_whole:
                kept = best.get(name.part)
                if kept is None or kept[0].revision < name.revision:
                    best[name.part] = (name, received)
        rows: list[Row] = []
        for _, received in sorted(best.values(), key=lambda pair: pair[0].part):
            rows.extend(read_rows(received.content))
        return rows

    def _checked(self, named: DayFileName, content: bytes, wanted: Wanted) -> Received:
        try:
            rows = read_whole(content, wanted.columns)
        except Refused as refusal:
            return Received(str(named), content, [LineError(0, refusal.code, refusal.text)], is_whole=False)
        return Received(str(named), content, wanted.check(named, rows), is_whole=True)

    def _written(self, channel: str, offer: Offer, day: date) -> list[Written]:
        ready = datetime.combine(day + timedelta(days=1), offer.ready, SHANGHAI)
        table = self._store.table(f"wire.files.{channel}", Written)
        service = channel.partition("/")[0]
        first = DayFileName(f"{service}-{offer.kind}-{offer.party}", day)
        known = [table[name] for r in (1, 2) if (name := str(DayFileName(first.stem, day, 1, r))) in table]
        if known or self._clock.now() < ready:
            return known
        rows = offer.rows(day)
        if rows is None:
            return []
        for written in self._with_faults(service, offer, first, rows, to_ms(ready)):
            table.put(written.name, written)
            known.append(written)
        return known

    def _with_faults(self, service: str, offer: Offer, first: DayFileName, rows: Rows, ready_ms: int) -> list[Written]:
        op = f"{service}.file"
        name = str(first)
        told = write_file(offer.columns, self._told(op, name, offer.columns, rows))
        fault = self._faults.ask(op, name, 1, fields={"kind": offer.kind}, names=frozenset({"partial_batch"}))
        if fault is None:
            return [Written(name, offer.kind, offer.party, 1, 1, ready_ms, told)]
        lines = told.split(b"\n")
        cut = b"\n".join(lines[: 1 + fault.whole("k", 1)]) + b"\n"
        second = str(DayFileName(first.stem, first.day, 1, 2))
        later_ms = to_ms(self._clock.on_tick(from_ms(ready_ms + fault.whole("later_s", 1800) * 1000)))
        return [
            Written(name, offer.kind, offer.party, 1, 1, ready_ms, cut),
            Written(second, offer.kind, offer.party, 1, 2, later_ms, told),
        ]

    def _told(self, op: str, name: str, columns: Sequence[str], rows: Rows) -> list[Sequence[object]]:
        if not self._faults.rules:
            return list(rows)
        told: list[Sequence[object]] = []
        for line, row in enumerate(rows, start=2):
            fields = dict(zip(columns, row, strict=True))
            fault = self._faults.ask(op, f"{name}:{line}", 1, fields=fields, names=ROW_FAULTS)
            if fault is None:
                told.append(row)
            elif fault.name == "missing_row":
                continue
            elif fault.name == "duplicate_row":
                told.extend((row, row))
            elif fault.name == "extra_row":
                stranger = [f"{value}x" if column.endswith("_id") and value else value for column, value in fields.items()]
                told.extend((row, stranger))
            else:
                off = untrue(fields, fault)
                told.append([off[column] for column in columns])
        return told


def write_file(columns: Sequence[str], rows: Rows) -> bytes:
    """Write the bytes of a file; the sum in the last line is that of the column `amount_fen` (0 where there is none)."""
    amount_at = list(columns).index("amount_fen") if "amount_fen" in columns else None
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


def read_whole(content: bytes, columns: Sequence[str]) -> Sequence[Row]:
    """Read a file and prove it whole. Raises Refused, saying what does not fit."""
    at = content.rfind(b"#end,")
    if at < 0 or (at > 0 and content[at - 1 : at] != b"\n") or content.count(b"\n", at) > 1:
        raise Refused("file.not-whole", "there is no last line #end")
    body = content[:at]
    try:
        table = list(csv.reader(io.StringIO(body.decode("utf-8"), newline=""), strict=True))
        end = content[at:].decode("ascii").rstrip("\n")
    except (UnicodeDecodeError, csv.Error):
        raise Refused("file.not-csv", "the file is no UTF-8 CSV") from None
    if not table or table[0] != list(columns):
        raise Refused("file.columns", "the columns are not " + ",".join(columns))
    if any(len(row) != len(columns) for row in table[1:]):
        raise Refused("file.columns", "a row has too few or too many fields")
    rows = [dict(zip(columns, row, strict=True)) for row in table[1:]]
    try:
        total = sum(int(row["amount_fen"]) for row in rows) if "amount_fen" in columns else 0
    except ValueError:
        raise Refused("file.amount", "an amount_fen is no whole number") from None
    if end != f"#end,{len(rows)},{total},{hashlib.sha256(body).hexdigest()}":
        raise Refused("file.not-whole", "the last line does not agree with the rows")
    return rows


def read_rows(content: bytes) -> Sequence[Row]:
    """Give the rows of a file already proved whole."""
    body = content[: content.rfind(b"#end,")].decode("utf-8")
    return [dict(row) for row in csv.DictReader(io.StringIO(body, newline=""))]
