"""The former lender's book: what a scorecard may be fitted on (applications, events, bureau reports, months of the loans granted).

Its events and reports become the rows of a person's history by the adapter that live applications use, and its variables are computed by the same
kernel as of each application: what a card learns from is what it will be shown.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from puhui.engines.variables import Fetch, History
from puhui.engines.variables.columns import read_columns
from puhui.engines.variables.history import Rows, rows_of
from puhui.engines.variables.origination import bare
from puhui.engines.variables.sources import Event, rows_of_book, rows_of_report
from puhui.engines.variables.telling import with_news
from puhui.foundation.refusals import Refusal
from puhui.rooms.decisions.known import SOURCES, Asked, microseconds, read_report
from puhui.rooms.decisions.vector import Vector, compute

BAD_DAYS_LATE = 90
HORIZON_MONTHS = 12
_TABLES = {table.name: table for table in bare().tables}
FILES = ("applications.csv", "events.csv", "reports.jsonl", "months.csv")


class BookUnreadable(Refusal):
    """The book in {folder} cannot be read: {file} {why}. Nothing was fitted; write the book again."""

    code = "decisions.book-unreadable"


@dataclass(frozen=True, slots=True)
class Case:
    """One application of the book: its variables as of `applied_us`, and its outcome.

    `was_refused` is what the old rule said (an offer not taken was not refused). `is_bad`: 90 days late or worse within 12 months, or the
    months observed; None if nothing was lent, or the loan is too young to say.
    """

    person_no: int
    applied_us: int
    vector: Vector
    was_refused: bool
    is_bad: bool | None


def read_book(folder: Path) -> tuple[list[Case], str]:
    """Read a book and give its cases in order of (applied, person), and its SHA-256.

    Raises: BookUnreadable.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise BookUnreadable(folder=folder, file=name, why="is not there")
    name = "applications.csv"
    try:
        applications = _by_person(_rows(folder / name))
        name = "reports.jsonl"
        reports = _reports(folder / name)
        name = "months.csv"
        outcomes = _outcomes(folder / name)
        name = "events.csv"
        cases = [
            case
            for person, events in _events(folder / name, sorted(applications))
            for case in _cases(applications[person], events, reports, outcomes)
        ]
    except (ValueError, KeyError, TypeError, StopIteration, csv.Error, msgspec.DecodeError) as error:
        raise BookUnreadable(folder=folder, file=name, why=f"is not as it should be ({type(error).__name__}: {error})") from None
    cases.sort(key=lambda case: (case.applied_us, case.person_no))
    return cases, _sha256(folder)


def _cases(
    rows: Sequence[Mapping[str, str]],
    events: Mapping[str, Sequence[Event]],
    reports: Mapping[tuple[int, int], Mapping[str, Any] | None],
    outcomes: Mapping[tuple[int, int], bool | None],
) -> Iterator[Case]:
    sources = {source: told for source, told in events.items() if told}
    tables = {source: _rows_of(source, told) for source, told in sources.items()} | {"app": _rows_of("app", ()), "repayment": _rows_of("repayment", ())}
    bureau: Rows | None = None
    for row in sorted(rows, key=lambda row: _instant(row["applied_at"])):
        person, applied_us = int(row["person_no"]), _instant(row["applied_at"])
        asked = Asked(int(row["amount_fen"]), int(row["months"]), int(row["age"]))
        report = reports.get((person, applied_us))
        fetches = {source: (Fetch(applied_us, f"{source}-{applied_us}"),) for source in sources}
        if report is not None:
            bureau = with_news(_TABLES["bureau"], bureau, rows_of_report(report, applied_us))
            fetches["bureau"] = (Fetch(applied_us, f"bureau-{applied_us}"),)
        history = History(bare(), tables | {"bureau": bureau if report is not None else None}, fetches)
        ended = dict.fromkeys(SOURCES, "no_record") | dict.fromkeys(sources, "full") | {"bureau": "found" if report is not None else "white"}
        vector = compute(history, applied_us, asked, read_report(report) if report is not None else None, ended)
        yield Case(person, applied_us, vector, row["outcome"] == "declined", outcomes.get((person, applied_us)))


def _rows_of(table: str, events: Sequence[Event]) -> Rows:
    return rows_of(_TABLES[table], rows_of_book(table, events) if events else read_columns(_TABLES[table], {}))


def _by_person(rows: Iterator[dict[str, str]]) -> dict[int, list[dict[str, str]]]:
    found: dict[int, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(int(row["person_no"]), []).append(row)
    return found


def _events(path: Path, wanted: Sequence[int]) -> Iterator[tuple[int, dict[str, list[Event]]]]:
    """Give every wanted person's events by source. The file holds a person's rows together; one without rows has no record anywhere."""
    left = dict.fromkeys(wanted)
    known = frozenset(wanted)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        at = {name: header.index(name) for name in ("person_no", "source", "event_id", "at", "known_at", "kind", "data")}
        revision_at = header.index("revision") if "revision" in header else None
        for text, rows in groupby(reader, key=lambda row: row[at["person_no"]]):
            person = int(text)
            if person not in left:
                if person in known:
                    raise ValueError(f"the rows of person {person} do not stand together")
                continue
            del left[person]
            yield person, _by_source(rows, at, revision_at)
    for person in left:
        yield person, {source: [] for source in SOURCES}


def _by_source(rows: Iterator[list[str]], at: Mapping[str, int], revision_at: int | None) -> dict[str, list[Event]]:
    events: dict[str, list[Event]] = {source: [] for source in SOURCES}
    id_at, when_at, known_at, kind_at, data_at, source_at = (at[name] for name in ("event_id", "at", "known_at", "kind", "data", "source"))
    read = msgspec.json.decode
    for row in rows:
        events[row[source_at]].append(
            Event(
                int(row[id_at]),
                _instant(row[when_at]),
                _instant(row[known_at]),
                row[kind_at],
                read(row[data_at]) if row[data_at] else {},
                int(row[revision_at]) if revision_at is not None else 0,
            )
        )
    return events


def _reports(path: Path) -> dict[tuple[int, int], Mapping[str, Any] | None]:
    """Read what the bureau said as of each application: `{person_no, applied_at, found, report?}` a line."""
    found: dict[tuple[int, int], Mapping[str, Any] | None] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row: dict[str, Any] = msgspec.json.decode(line)
            key = int(row["person_no"]), _instant(row.get("applied_at") or row["as_of"])
            report = row.get("report")
            found[key] = report if row.get("found", report is not None) and report else None
    return found


def _outcomes(path: Path) -> dict[tuple[int, int], bool | None]:
    """Say of each loan whether it went bad within the horizon; None where it is too young and still open to say."""
    worst: dict[tuple[int, int], int] = {}
    seen: dict[tuple[int, int], int] = {}
    ended: set[tuple[int, int]] = set()
    for row in _rows(path):
        key = int(row["person_no"]), _instant(row["applied_at"])
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= HORIZON_MONTHS:
            worst[key] = max(worst.get(key, 0), int(row["days_late"]))
        if row["status"] == "C" or int(row["balance_fen"]) == 0:
            ended.add(key)
    return {
        key: True if late >= BAD_DAYS_LATE else False if seen[key] >= HORIZON_MONTHS or key in ended else None for key, late in worst.items()
    }


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _instant(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))


def _sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in FILES:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
