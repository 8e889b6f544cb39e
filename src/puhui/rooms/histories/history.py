"""What is known of a person's past, as values: fetches, pages of events, reports, and a history as of one instant."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from puhui.foundation.refusals import Refusal

SOURCES = ("telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device", "farm")
MONTHS_MAX = 24
OWN = "own"


class LogUnusable(Refusal):
    """This event log cannot be used: {why}."""

    code = "histories.log-unusable"
    zh = "这个事件库无法使用：{why}。"


class FetchState(Enum):
    """Asked and not answered yet; answered with events; the source knows nobody; the source had only an older state."""

    ASKED = "asked"
    FULL = "full"
    NO_RECORD = "no_record"
    STALE = "stale"


class ReportState(Enum):
    ASKED = "asked"
    FOUND = "found"
    WHITE = "white"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Fetch:
    """One asking of a source. `parent` is what wants it (an application)."""

    customer_id: str
    fetch_id: str
    source: str
    parent: str
    consent_id: str
    since: datetime
    as_of: datetime
    state: FetchState


@dataclass(frozen=True, slots=True)
class Page:
    """A page of events as a source told them: a JSON array in the form of the wire. `sha256` is that of these bytes."""

    raw: bytes = field(repr=False)
    events: int
    first_at: datetime | None
    last_at: datetime | None
    known_max: datetime | None
    sha256: bytes

    @property
    def packed(self) -> bytes:
        return zlib.compress(self.raw, 1)


class _Times(msgspec.Struct):
    """What of an event the log itself must know."""

    event_id: int
    at: datetime
    known_at: datetime
    kind: str


def page_of(raw: bytes) -> Page:
    """Read a page; an event must have its id, kind and both times. Raises msgspec.ValidationError."""
    rows = msgspec.json.decode(raw, type=list[_Times])
    if not rows:
        return Page(raw, 0, None, None, None, hashlib.sha256(raw).digest())
    times = [row.at for row in rows]
    return Page(raw, len(rows), min(times), max(times), max(row.known_at for row in rows), hashlib.sha256(raw).digest())


@dataclass(frozen=True, slots=True)
class Report:
    """One reading of the person's bureau file. `raw` is the JSON of `report`, None unless it was found."""

    query_id: str
    parent: str
    reason: str
    consent_id: str
    as_of: datetime
    state: ReportState
    code: str
    raw: bytes | None = field(repr=False, default=None)

    @property
    def content(self) -> Mapping[str, Any] | None:
        """The report as it stands on the wire; None for a white file."""
        return None if self.raw is None else msgspec.json.decode(self.raw)


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a person as of one instant, as far as his consents in hand allow.

    `states` tells for each source how the newest asking ended; a source that is not there was not asked, or may not be used. `pages` are the
    raw pages by source, oldest first. `upto` is the last place of the log that was read; `sha256` names the bytes read (pages, then the report).
    """

    customer_id: str
    as_of: datetime
    upto: int
    states: Mapping[str, FetchState]
    pages: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    report: Report | None = field(repr=False)
    sha256: str

    def events(self, source: str) -> list[Mapping[str, Any]]:
        """Give the events of a source that were known before the instant, in the form of the wire."""
        rows = [row for raw in self.pages.get(source, ()) for row in msgspec.json.decode(raw)]
        return [row for row in rows if datetime.fromisoformat(row["known_at"]) < self.as_of]


def name_of(pages: Sequence[bytes], report: Report | None) -> str:
    """Name what was read: SHA-256 over the hashes of the pages in their order, and of the report."""
    parts = [*pages, hashlib.sha256(report.raw).digest() if report and report.raw else b"white" if report else b"none"]
    return hashlib.sha256(b"".join(parts)).hexdigest()
