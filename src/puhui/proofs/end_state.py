"""`state_sha256`: one canonical hash of how a run ended, equal on every run of the same seed, with delivery faults and with kills.

JSON lines with sorted keys, ordered by (person, loan k, kind, day): terms, payments by value date, balances, partner shares, bureau records.
A person stands there as SHA-256 of the id number; ids, recording times, attempts and message texts do not stand there.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from puhui.foundation.desk import Desk
from puhui.foundation.work import Work
from puhui.rooms import bureau, customers, ledger


@dataclass(frozen=True, slots=True)
class EndState:
    """The hash, and how many lines went into it."""

    sha256: str
    lines: int


async def end_state(desk: Desk, day: date) -> EndState:
    """Give the canonical hash of the state at the end of a day."""
    digest, count = hashlib.sha256(), 0
    for line in await canonical_lines(desk, day):
        digest.update(line + b"\n")
        count += 1
    return EndState(digest.hexdigest(), count)


async def canonical_lines(desk: Desk, day: date) -> list[bytes]:
    """Give the lines of the dump, in their order, so that two runs can be compared line by line."""
    async with desk.look() as work:
        loans = [loan async for loan in ledger.canonical(work, day)]
        people = {customer_id: await _person(work, customer_id) for customer_id in sorted({loan["customer_id"] for loan in loans})}
        records = {customer_id: await bureau.records_of(work, customer_id) for customer_id in people}
    lines = [msgspec.json.encode(line, order="sorted") for line in _ordered(loans, people, records)]
    return sorted(lines)


def _ordered(
    loans: list[dict[str, Any]], people: Mapping[str, str], records: Mapping[str, list[bureau.Record]]
) -> Iterator[dict[str, Any]]:
    of_person = defaultdict(list)
    for loan in loans:
        of_person[loan["customer_id"]].append(loan)
    for customer_id, own in of_person.items():
        own.sort(key=lambda loan: (loan["terms"]["opened_on"], loan["terms"]["principal_fen"], loan["application_id"]))
        for k, loan in enumerate(own, start=1):
            head = {"person": people[customer_id], "k": k}
            facts = {name: value for name, value in loan.items() if name not in {"customer_id", "application_id", "loan_id"}}
            yield head | {"kind": "loan"} | facts
            for record in records[customer_id]:
                if record.loan_id == loan.get("loan_id"):
                    yield head | {"kind": "record"} | _record(record)


def _record(record: bureau.Record) -> dict[str, Any]:
    standing = msgspec.to_builtins(record.standing) if record.standing else {}
    return {
        "day": record.report_day.isoformat(),
        "type": record.record_type,
        "time": record.report_time,
        "state": record.state,
        "standing": {name: value for name, value in standing.items() if name != "loan_id"},
    }


async def _person(work: Work, customer_id: str) -> str:
    person = await customers.identity(work, customer_id)
    return hashlib.sha256(person.id_number.text.encode()).hexdigest()
