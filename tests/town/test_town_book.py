"""The former lender's book: complete, without truth, from people who are not those of the run, and the same every time."""

import csv
import hashlib
import json
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from puhui_town.people.booktables import SCHEMAS
from puhui_town.people.histories import APPLICATIONS, EVENTS, MONTHS, histories_seed, schedule, write_book
from puhui_town.people.person import draw_person


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    write_book(folder, 7, 45, 24, truth=True)
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_columns_are_the_contracts_and_none_is_truth(book: Path) -> None:
    for name, columns in (("applications.csv", APPLICATIONS), ("events.csv", EVENTS), ("months.csv", MONTHS)):
        assert (book / name).read_text(encoding="utf-8").splitlines()[0] == ",".join(columns)
    assert not {path.name for path in book.glob("*.csv")} - {"applications.csv", "events.csv", "months.csv"}


def test_every_application_has_a_report_and_every_loan_its_months(book: Path) -> None:
    applications = rows(book / "applications.csv")
    reports = [json.loads(line) for line in (book / "reports.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(int(a["person_no"]), a["applied_at"]) for a in applications] == [(r["person_no"], r["applied_at"]) for r in reports]
    granted = {(a["person_no"], a["applied_at"]) for a in applications if a["outcome"] == "granted"}
    assert {(m["person_no"], m["applied_at"]) for m in rows(book / "months.csv")} == granted
    assert {a["outcome"] for a in applications} >= {"granted", "declined"}


def test_a_report_tells_nothing_from_after_the_application(book: Path) -> None:
    for line in (book / "reports.jsonl").read_text(encoding="utf-8").splitlines():
        report = json.loads(line)
        assert report["found"] == ("report" in report)
        for query in report.get("report", {}).get("queries", ()):
            assert datetime.fromisoformat(query["at"]) < datetime.fromisoformat(report["applied_at"])


def test_months_follow_each_other_without_gaps_until_the_loan_ends(book: Path) -> None:
    loans: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows(book / "months.csv"):
        loans.setdefault((row["person_no"], row["applied_at"]), []).append(row)
    for months in loans.values():
        numbers = [int(m["month"][:4]) * 12 + int(m["month"][5:]) for m in months]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert all(m["status"] not in {"C", "B"} for m in months[:-1])
        assert (months[-1]["status"] == "C") == (months[-1]["balance_fen"] == "0")


def test_no_person_of_the_book_is_a_person_of_the_run() -> None:
    assert draw_person(histories_seed(7), 3).traits != draw_person("7", 3).traits


def test_the_tables_hold_whole_numbers_and_the_rows_of_each_person_together(book: Path) -> None:
    for name, schema in SCHEMAS.items():
        table = pq.read_table(book / f"{name}.parquet")
        assert table.schema.equals(schema), name
        people = table.column("person").to_pylist()
        assert len({p for k, p in enumerate(people) if k == 0 or people[k - 1] != p}) == len(set(people)), name
    events = pq.read_table(book / "txn.parquet").to_pylist()
    assert all(row["event_time"] < row["known_time"] or row["event_time"] == row["known_time"] for row in events[:2000])
    ids = [(row["person"], row["event_id"], row["known_time"], row["revision"]) for row in events]
    assert len(ids) == len(set(ids))


def test_the_same_seed_writes_the_same_book(book: Path, tmp_path: Path) -> None:
    write_book(tmp_path, 7, 12, 24)
    first = [row for row in rows(book / "applications.csv") if int(row["person_no"]) < 12]
    assert rows(tmp_path / "applications.csv") == first
    once = hashlib.sha256((tmp_path / "events.csv").read_bytes()).hexdigest()
    write_book(tmp_path, 7, 12, 24)
    assert hashlib.sha256((tmp_path / "events.csv").read_bytes()).hexdigest() == once


def test_an_old_schedule_adds_up() -> None:
    drawn = schedule(datetime(2024, 1, 31).date(), 300_000, 240_000, 6)  # noqa: DTZ001
    assert sum(row.principal_fen for row in drawn) == 300_000
    assert [row.due.day for row in drawn] == [28] * 6
