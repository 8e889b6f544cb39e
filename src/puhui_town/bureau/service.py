"""The credit bureau on the wire: queries, batches, accounts, disputes; and the local bureau's batches.

A query demands a live consent of the person under which uses are left, else `403 no-consent`; it is answered as of the tap's instant, and
everyone who reads the person's file later sees it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from puhui_town.breaches import Breaches
from puhui_town.bureau.accounts import Account
from puhui_town.bureau.batches import Batches
from puhui_town.bureau.codes import codes
from puhui_town.bureau.locallines import Reported, line_findings, parse_line
from puhui_town.bureau.register import Register, Row
from puhui_town.bureau.report import LATE, report
from puhui_town.bureau.textfile import Finding, Header, Malformed, parse_file_name, parse_header, parse_record, split_lines
from puhui_town.checks.population import Population
from puhui_town.checks.service import AHEAD_MAX, no_consent
from puhui_town.wire.ask import FILE_MAX, Ask, Route, Service
from puhui_town.wire.words import Ident, Instant, Person, Sha256, bad_field, instant, not_found, run_day, wrong_state
from puhui_town.wire.world import World


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /bureau/v1/queries`."""

    query_id: Ident
    reason: Literal["loan_application", "post_loan", "dispute"]
    consent_id: Ident
    consent_sha256: Sha256
    as_of: Instant
    person: Person


class Asked(msgspec.Struct, frozen=True):
    """A query our lender made, as the file shows it."""

    person: str
    reason: str
    at: datetime


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /bureau/v1/disputes/{id}/answer`."""

    outcome: Literal["kept", "corrected"]
    text: str
    batch_id: str = ""


class Dispute(msgspec.Struct, frozen=True):
    """A person's objection to a mark (异议)."""

    person: str
    account: str
    month: str
    claim: str
    opened_at: datetime
    due: str
    state: str = "open"
    outcome: str = ""


@dataclass(slots=True)
class TextReader:
    """Reads the second-generation text file into the register, and lets the watch see each first bad mark."""

    register: Register
    people: Population
    breaches: Breaches
    header: Header | None = None

    def begin(self, name: str, body: bytes) -> Sequence[str]:
        named, lines = parse_file_name(name), split_lines(body)
        header = parse_header(lines[0])
        if (named.record_type, named.reporter, named.day) != (header.record_type, header.reporter, header.made_at.date()):
            raise Malformed(Finding("F08", "the file name says another record type, reporter or day than the header"))
        if header.count != len(lines) - 1:
            raise Malformed(Finding("F02", f"the header counts {header.count} records, the file has {len(lines) - 1}"))
        self.header = header
        return lines[1:]

    def first_line(self) -> int:
        return 2

    def take(
        self, line: str, number: int, *, name: str, reporter: str, received_at: datetime, at: datetime  # noqa: ARG002 - other formats want it
    ) -> tuple[str, tuple[Finding, ...]]:
        assert self.header is not None
        try:
            record = parse_record(line, self.header.record_type)
        except Malformed as fault:
            return "", fault.findings
        found = self.register.take(record, reporter=reporter, at=at)
        if not found and record.record_type == "210":
            account = self.register.account(record.account)
            assert account is not None
            self._watch_bad_mark(account, received_at)
        return record.account, found

    def _watch_bad_mark(self, account: Account, sent_at: datetime) -> None:
        """The first month of an account with a bad mark must come after the notice to the person."""
        bad = [month for month, segment in account.months.items() if segment.text("RpyStatus") in LATE]
        standing = account.standing
        status = standing.text("RpyStatus") if standing else ""
        known = self.people.person_by_id_number(account.id_number)
        if known is not None and status in LATE and len(bad) <= 1:
            month = bad[0] if bad else f"{account.last_day:%Y-%m}"
            self.breaches.bad_mark_sent(person=known.person, account=account.account, month=month, status=status, at=sent_at)


@dataclass(slots=True)
class LocalReader:
    """Reads JSON lines; keeps of each account its last month."""

    reported: Any

    def begin(self, name: str, body: bytes) -> Sequence[str]:  # noqa: ARG002 - the name says nothing here
        return split_lines(body)

    def first_line(self) -> int:
        return 1

    def take(
        self, line: str, number: int, *, name: str, reporter: str, received_at: datetime, at: datetime  # noqa: ARG002 - the text file wants them
    ) -> tuple[str, tuple[Finding, ...]]:
        try:
            parsed = parse_line(line)
        except Malformed as fault:
            return "", fault.findings
        found = tuple(line_findings(parsed, self.reported.rows))
        if not found:
            self.reported.put(parsed.account, Reported(parsed.month, is_closed=parsed.closed is not None))
        return parsed.account, found


@dataclass(slots=True)
class Bureau:
    """The services `bureau` and `local-bureau`."""

    world: World
    people: Population
    breaches: Breaches
    register: Register = field(init=False)
    batches: Batches = field(init=False)
    local_batches: Batches = field(init=False)
    _asked: Any = field(init=False)
    _asked_of: dict[str, list[str]] = field(init=False, default_factory=dict)
    _disputes: Any = field(init=False)

    def __post_init__(self) -> None:
        store = self.world.store
        self.register = Register(store.table("bureau.log", Row))
        self.batches = Batches(self.world, "bureau", lambda: TextReader(self.register, self.people, self.breaches))
        reported = store.table("local-bureau.reported", Reported)
        self.local_batches = Batches(self.world, "local-bureau", lambda: LocalReader(reported))
        self._asked = store.table("bureau.asked", Asked)
        for query_id, asked in self._asked.items():
            self._asked_of.setdefault(asked.person, []).append(query_id)
        self._disputes = store.table("bureau.disputes", Dispute)

    def services(self) -> tuple[Service, Service]:
        routes = (
            Route("POST", "/bureau/v1/queries", "query", self.query),
            Route("POST", "/bureau/v1/batches", "batch", self.batches.receive, body_max=FILE_MAX, status=202),
            Route("GET", "/bureau/v1/batches/{batch_id}", "get", self.batches.told),
            Route("POST", "/bureau/v1/disputes/{dispute_id}/answer", "dispute-answer", self.answer_dispute),
            Route("GET", "/bureau/v1/accounts/{account}", "account", self.told_account),
        )
        local = (
            Route("POST", "/local-bureau/v1/batches", "batch", self.local_batches.receive, body_max=FILE_MAX, status=202),
            Route("GET", "/local-bureau/v1/batches/{batch_id}", "get", self.local_batches.told),
        )
        return Service("bureau", "/bureau", "bureau-1", routes), Service("local-bureau", "/local-bureau", "local-bureau-1", local)

    # -- queries --------------------------------------------------------------------------------------------------------------

    def query(self, ask: Ask) -> dict[str, Any]:
        """The person's report as of an instant; `found` false is a white file. Refused: `no-consent` 403."""
        wanted = ask.read(Query)
        now = self.world.clock.now()
        if wanted.as_of > now + AHEAD_MAX:
            raise bad_field("as_of", "lies in the future")
        known = self.people.person_by_id_number(wanted.person.id_number)
        if known is None or known.name != wanted.person.name:
            return {"found": False, "simulated": True}
        standing = self.breaches.use_consent(
            person=known.person,
            consent_id=wanted.consent_id,
            use="bureau-query",
            at=ask.at,
            subject=wanted.query_id,
            sha256=wanted.consent_sha256,
            uses_max=codes().uses_max[wanted.reason],
        )
        if not standing.allows:
            raise no_consent(standing.value)
        as_of = min(wanted.as_of, now)
        if ask.fault is not None and ask.fault.name == "stale":
            as_of -= timedelta(days=ask.fault.whole("days", 7))
        file = self.people.bureau_file(known.person, as_of)
        ours = self.register.accounts_of(known.id_number, as_of)
        asked = self._queries_before(known.person, as_of)
        self._remember(wanted, known.person, min(wanted.as_of, now))
        self.people.queried(known.person, wanted.reason, ask.at)
        if file is None and not ours:
            return {"found": False, "simulated": True}
        disputes = [f"dispute:{one.account}:{one.month}" for one in self._disputes.values() if one.person == known.person and one.state == "open"]
        report_id = f"rp-{hashlib.sha256(wanted.query_id.encode()).hexdigest()[:24]}"
        told = report(report_id=report_id, as_of=as_of, ours=ours, others=file, queries=asked, open_disputes=sorted(disputes))
        return {"found": True, "report": told, "simulated": True}

    def _remember(self, query: Query, person: str, at: datetime) -> None:
        if query.query_id not in self._asked:
            self._asked_of.setdefault(person, []).append(query.query_id)
        self._asked.put(query.query_id, Asked(person, query.reason, at))

    def _queries_before(self, person: str, as_of: datetime) -> list[dict[str, str]]:
        """Our lender's queries that the file showed at that instant; the one being asked is not among them."""
        asked = [self._asked[query_id] for query_id in self._asked_of.get(person, ())]
        return [{"at": instant(one.at), "reason": one.reason, "lender_kind": codes().lender_kind} for one in asked if one.at < as_of]

    # -- accounts -----------------------------------------------------------------------------------------------------------------

    def told_account(self, ask: Ask) -> dict[str, Any]:
        """One of the reporter's own accounts as the bureau now holds it."""
        account = self.register.account(ask.args["account"])
        if account is None or account.reporter != ask.sender:
            raise not_found("this account")
        return told(account)

    def accounts_of(self, person: str) -> list[dict[str, Any]]:
        """What our lender reported of a resident: what he sees in his own file, and may dispute."""
        identity = self.people.identity(person)
        return [told(account) for account in self.register.accounts_of(identity.id_number, self.world.clock.now())]

    # -- disputes -----------------------------------------------------------------------------------------------------------------

    def open_dispute(self, *, person: str, account: str, month: str, claim: str) -> str:
        """A resident objects to a mark of our lender; the lender is told, and has until `due` to answer. Gives the dispute's id."""
        dispute_id = f"ds-{hashlib.sha256(f'{account}|{month}|{claim}'.encode()).hexdigest()[:24]}"
        if dispute_id in self._disputes:
            return dispute_id
        now = self.world.clock.now()
        due = (run_day(now) + timedelta(days=codes().answer_dispute_days)).isoformat()
        self._disputes.put(dispute_id, Dispute(person, account, month, claim, now, due))
        data = {"dispute_id": dispute_id, "account": account, "month": month, "claim": claim, "due": due}
        self.world.callbacks.send("bureau", "bureau.dispute_opened", dispute_id, data)
        return dispute_id

    def find_dispute(self, dispute_id: str) -> Dispute | None:
        """How a dispute stands: `open`, or `answered` with its outcome."""
        found: Dispute | None = self._disputes.get(dispute_id)
        return found

    def answer_dispute(self, ask: Ask) -> dict[str, str]:
        """The lender's answer. Refused: `not-found`, `wrong-state` when answered before, `bad-field` for a batch that never came."""
        answer = ask.read(Answer)
        dispute = self.find_dispute(ask.args["dispute_id"])
        if dispute is None:
            raise not_found("this dispute")
        if dispute.state != "open":
            raise wrong_state("the dispute was answered before")
        if answer.batch_id and not self.batches.knows(answer.batch_id):
            raise bad_field("batch_id", "is no batch that was received")
        self._disputes.put(ask.args["dispute_id"], msgspec.structs.replace(dispute, state="answered", outcome=answer.outcome))
        return {"state": "answered"}


def told(account: Account) -> dict[str, Any]:
    """An account as its reporter sees it."""
    opening, standing = account.opening, account.standing
    row: dict[str, Any] = {
        "account": account.account,
        "kind": account.kind,
        "first_reported": account.first_day.isoformat(),
        "last_reported": account.last_day.isoformat(),
        "closed": account.is_closed,
        "opening": opening.fields if opening else {},
        "months": [segment.fields for segment in account.months.values()],
        "notices": list(account.notices),
    }
    if standing is not None:
        row["standing"] = standing.fields
    return {**row, "line": account.line} if account.line else row
