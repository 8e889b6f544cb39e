"""The former lender's book: what a first scorecard may be fitted on (applications, events, bureau reports, months of the loans granted)."""

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from puhui.foundation.refusals import Refusal
from puhui.rooms.decisions.first_variables import Vector, compute
from puhui.rooms.decisions.known import SOURCES, Asked, BureauReport, HistoryEvent, Known, microseconds, read_report

BAD_DAYS_LATE = 90
HORIZON_MONTHS = 12
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
    events: Mapping[str, Sequence[HistoryEvent]],
    reports: Mapping[tuple[int, int], BureauReport | None],
    outcomes: Mapping[tuple[int, int], bool | None],
) -> Iterator[Case]:
    for row in rows:
        person, applied_us = int(row["person_no"]), _instant(row["applied_at"])
        asked = Asked(int(row["amount_fen"]), int(row["months"]), int(row["age"]))
        report = reports.get((person, applied_us))
        vector = compute(Known(applied_us, asked, events, report))
        yield Case(person, applied_us, vector, row["outcome"] == "declined", outcomes.get((person, applied_us)))


def _by_person(rows: Iterator[dict[str, str]]) -> dict[int, list[dict[str, str]]]:
    found: dict[int, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(int(row["person_no"]), []).append(row)
    return found


def _events(path: Path, wanted: Sequence[int]) -> Iterator[tuple[int, dict[str, list[HistoryEvent]]]]:
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


def _by_source(rows: Iterator[list[str]], at: Mapping[str, int], revision_at: int | None) -> dict[str, list[HistoryEvent]]:
    events: dict[str, list[HistoryEvent]] = {source: [] for source in SOURCES}
    id_at, when_at, known_at, kind_at, data_at, source_at = (at[name] for name in ("event_id", "at", "known_at", "kind", "data", "source"))
    read = msgspec.json.decode
    for row in rows:
        events[row[source_at]].append(
            HistoryEvent(
                int(row[id_at]),
                _instant(row[when_at]),
                _instant(row[known_at]),
                row[kind_at],
                read(row[data_at]) if row[data_at] else {},
                int(row[revision_at]) if revision_at is not None else 0,
            )
        )
    return events


def _reports(path: Path) -> dict[tuple[int, int], BureauReport | None]:
    """Read what the bureau said as of each application: `{person_no, applied_at, found, report?}` a line."""
    found: dict[tuple[int, int], BureauReport | None] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row: dict[str, Any] = msgspec.json.decode(line)
            key = int(row["person_no"]), _instant(row.get("applied_at") or row["as_of"])
            report = row.get("report")
            found[key] = read_report(report) if row.get("found", report is not None) and report else None
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
