"""The register: all accounts and agreements reported to the bureau, folded from the log of accepted records.

The log alone is stored (table `bureau.log`, one row a record); the fold is made anew when the town starts. Because each row says when it
became known, the register can also tell how an account stood at an earlier instant.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

import msgspec

from puhui_town.bureau.accounts import Account, Agreement, correct_account, load_account, load_agreement
from puhui_town.bureau.rules import findings
from puhui_town.bureau.textfile import Finding, Record, Segment
from puhui_town.wire.store import Table

AGREEMENT_TYPES = frozenset({"220", "221", "224"})
PERSON_TYPES = frozenset({"110", "114"})


class Row(msgspec.Struct, frozen=True):
    """One accepted record, and when it became known. A segment is (element, fields, rows)."""

    n: int
    at: datetime
    reporter: str
    type: str
    fields: dict[str, str]
    segments: dict[str, tuple[str, dict[str, str], list[dict[str, str]]]]


class Register:
    """Accounts by their id, agreements by theirs, and the log under both."""

    def __init__(self, log: Table[Row]) -> None:
        self._log = log
        self._accounts: dict[str, Account] = {}
        self._origin: dict[str, str] = {}
        self._agreements: dict[str, Agreement] = {}
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._by_person: dict[str, list[str]] = defaultdict(list)
        for row in sorted(log.values(), key=lambda row: row.n):
            self._fold(_record(row), row)
        self._next = 1 + max((row.n for row in log.values()), default=0)

    def account(self, account: str) -> Account | None:
        return self._accounts.get(account)

    def agreement(self, code: str) -> Agreement | None:
        return self._agreements.get(code)

    def take(self, record: Record, *, reporter: str, at: datetime) -> tuple[Finding, ...]:
        """Take the record if no rule speaks against it; gives what does, and then nothing has changed."""
        found = (*self._foreign(record, reporter), *findings(record, self))
        if found:
            return found
        segments = {letter: (part.element, part.fields, list(part.rows)) for letter, part in record.segments.items()}
        row = Row(self._next, at, reporter, record.record_type, record.fields, segments)
        self._log.put(f"{self._next:09d}", row)
        self._next += 1
        self._fold(record, row)
        return ()

    def accounts_of(self, id_number: str, as_of: datetime) -> list[Account]:
        """The person's accounts as they were known at that instant, in order of their ids; deleted ones are not there."""
        found = (self._as_of(origin, as_of) for origin in self._by_person.get(id_number, ()))
        return sorted((account for account in found if account is not None and not account.is_deleted), key=lambda account: account.account)

    def _as_of(self, origin: str, as_of: datetime) -> Account | None:
        account: Account | None = None
        for row in self._rows[origin]:
            if row.at <= as_of:
                record = _record(row)
                account = load_account(account, record, row.reporter) if record.record_type == "210" else _corrected(account, record)
        return account

    def _foreign(self, record: Record, reporter: str) -> tuple[Finding, ...]:
        held = self.account(record.account) or self.agreement(record.account)
        if held is not None and held.reporter != reporter:
            return (Finding("F09", "the account was reported by another"),)
        return ()

    def _fold(self, record: Record, row: Row) -> None:
        if record.record_type in PERSON_TYPES:
            return
        if record.record_type in AGREEMENT_TYPES:
            self._fold_agreement(record, row.reporter)
            return
        before = self._accounts.pop(record.account, None)
        origin = self._origin.pop(record.account, record.account) if before else f"{record.account}#{row.n}"
        account = load_account(before, record, row.reporter) if record.record_type == "210" else _corrected(before, record)
        assert account is not None, "a correction was taken for an account that is not there"
        if before is None:
            self._by_person[account.id_number].append(origin)
        self._rows[origin].append(row)
        if not account.is_deleted:
            self._accounts[account.account] = account
            self._origin[account.account] = origin

    def _fold_agreement(self, record: Record, reporter: str) -> None:
        code = record.account
        held = self._agreements.pop(code, None)
        if record.record_type == "220":
            self._agreements[code] = load_agreement(held, record, reporter)
        elif held is not None and record.record_type == "221":
            new = record.fields.get("NwBnesCode") or code
            self._agreements[new] = replace(held, code=new)


def _corrected(account: Account | None, record: Record) -> Account | None:
    return correct_account(account, record) if account is not None else None


def _record(row: Row) -> Record:
    segments = {letter: Segment(element, fields, tuple(rows)) for letter, (element, fields, rows) in row.segments.items()}
    return Record(row.type, segments, row.fields)
