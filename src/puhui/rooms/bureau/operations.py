"""What the room does: note what there is to report, write the files, hear what was taken, tell before a first bad mark, answer disputes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from puhui.foundation.refusals import NotFound, Refusal
from puhui.foundation.work import Work
from puhui.rooms.bureau import store, textfile
from puhui.rooms.bureau.checking import faults_of
from puhui.rooms.bureau.standing import Opening, ReportTime, Standing, closing_time, is_month_end
from puhui.rooms.bureau.store import Batch, Record
from puhui.rooms.bureau.textfile import Person
from puhui.vocabulary.events import FirstRecordAccepted
from puhui.vocabulary.ids import derive

BATCH_ROWS = 20_000


class WouldBeRejected(Refusal):
    """The record of loan {loan_id} on {day} breaks the register's rules {rules}; it was not written. Compare the loan in the ledger first."""

    code = "bureau.would-be-rejected"


class AlreadyAnswered(Refusal):
    """The dispute {dispute_id} has been answered."""

    code = "bureau.already-answered"
    status = 409


@dataclass(frozen=True, slots=True)
class Feedback:
    """One rejected line as the bureau tells it; lines count from 1, and the header is line 1."""

    line: int
    code: str


async def note_query(
    work: Work, *, customer_id: str, query_id: str, reason: str, consent_id: str, as_of: Any, found: bool, report: bytes
) -> None:
    """Keep that we asked about a person, under which consent, and the hash of what came back."""
    await store.SQL.add_query.run(
        work,
        customer_id=customer_id,
        query_id=query_id,
        reason=reason,
        consent_id=consent_id,
        asked_as_of=as_of,
        found=found,
        report_sha256=hashlib.sha256(report).digest(),
        at=work.at,
    )


async def note_opening(work: Work, *, customer_id: str, opening: Opening, was_thin_file: bool) -> None:
    """Note that an account opened (210/10), and who the person is if we report him for the first time (110)."""
    for record_type in ("110", "210"):
        await _add(
            work,
            customer_id=customer_id,
            loan_id=opening.loan_id,
            record_type=record_type,
            report_time=ReportTime.OPENED.value,
            report_day=opening.opened_on,
            opening=opening,
            standing=None,
            was_thin_file=was_thin_file and record_type == "210",
        )


async def note_month(work: Work, *, customer_id: str, opening: Opening, standing: Standing) -> bool:
    """Note the month's end of a loan (30, or 32 if it ended that day). True: the person must be told first, see `order_notice`."""
    assert is_month_end(standing.day), standing.day
    time = ReportTime.CLOSED_AT_MONTH_END if standing.is_closed else ReportTime.MONTH_END
    return await _add_standing(work, customer_id, opening, standing, time)


async def note_closing(work: Work, *, customer_id: str, opening: Opening, standing: Standing) -> None:
    """Note that a loan ended between month ends (20). At a month's end the month's record says it."""
    if closing_time(standing.day) is ReportTime.CLOSED:
        await _add_standing(work, customer_id, opening, standing, ReportTime.CLOSED)


async def note_recovery(work: Work, *, customer_id: str, opening: Opening, standing: Standing) -> bool:
    """Note that overdue money came back between month ends (40). True: the person must be told first."""
    if is_month_end(standing.day) or standing.is_closed:
        return False
    return await _add_standing(work, customer_id, opening, standing, ReportTime.RECOVERED)


async def note_deletion(work: Work, *, customer_id: str, opening: Opening, day: date) -> None:
    """Note that the account never should have been (214)."""
    await _add(
        work,
        customer_id=customer_id,
        loan_id=opening.loan_id,
        record_type="214",
        report_time="",
        report_day=day,
        opening=opening,
        standing=None,
        was_thin_file=False,
    )


async def correct_month(work: Work, *, customer_id: str, opening: Opening, standing: Standing) -> None:
    """Note a correction (212): the whole right month segment for a day that was reported wrongly."""
    await _add(
        work,
        customer_id=customer_id,
        loan_id=standing.loan_id,
        record_type="212",
        report_time="",
        report_day=standing.day,
        opening=opening,
        standing=standing,
        was_thin_file=False,
    )


async def order_notice(work: Work, *, customer_id: str, loan_id: str, message_id: str) -> bool:
    """Note which message tells the person of the first bad mark; give whether it is the first."""
    if await store.notice_of(work, customer_id, loan_id):
        return False
    await store.add_notice(work, customer_id=customer_id, loan_id=loan_id, message_id=message_id)
    return True


async def note_told(work: Work, *, message_id: str, channel: str) -> bool:
    """Hear that the notice is out: the records that waited for it may go. False: the message was none of ours."""
    told = await store.note_told(work, message_id, channel)
    if told is None:
        return False
    await store.release(work, *told)
    return True


async def write_batches(work: Work, *, until: date, person_of: Callable[[str], Person]) -> list[tuple[Batch, bytes]]:
    """Write the files of everything that may be sent, one per record type; `person_of` opens who a record is about, for this moment only."""
    records = await store.lock_sendable(work, until=until, most=BATCH_ROWS)
    written = []
    for record_type in ("214", "212", "110", "210"):
        of_type = [record for record in records if record.record_type == record_type]
        if of_type:
            written.append(await _write_batch(work, record_type, of_type, person_of))
    return written


async def sendable_customers(work: Work, *, until: date) -> list[str]:
    """List whose records may be sent, so that the journey can open their names before the files are written."""
    return sorted({record.customer_id for record in await store.lock_sendable(work, until=until, most=BATCH_ROWS)})


async def rewrite_batch(work: Work, *, batch_id: str, person_of: Callable[[str], Person]) -> tuple[Batch, bytes]:
    """Write a batch's file again from its rows: the same bytes, or a fault. Raises NotFound."""
    batch = await store.find_batch(work, batch_id)
    if batch is None:
        raise NotFound(what="batch", which=batch_id)
    body = _body(batch.record_type, batch.made_at, await store.batch_records(work, batch_id), person_of)
    assert hashlib.sha256(body).digest() == batch.sha256, f"{batch_id} does not come out the same"
    return batch, body


async def note_received(work: Work, *, batch_id: str) -> None:
    await store.set_batch_state(work, batch_id, "received")


async def hear_feedback(work: Work, *, batch_id: str, accepted: int, rejected: Sequence[Feedback]) -> int:
    """Hear what the bureau took and what not; a batch heard before changes nothing. Gives how many were rejected."""
    if not await store.set_batch_state(work, batch_id, "checked", accepted=accepted, rejected=len(rejected)):
        return 0
    for feedback in rejected:
        await store.reject_line(work, batch_id, feedback.line, feedback.code)
    for row in await store.accept_rest(work, batch_id):
        if row["record_type"] == "210" and row["report_time"] == ReportTime.OPENED.value:
            work.emit(FirstRecordAccepted(row["customer_id"], row["loan_id"], row["was_thin_file"]))
    return len(rejected)


async def has_bad_mark(work: Work, *, customer_id: str, loan_id: str) -> bool:
    """Say whether a bad mark of this loan was noted and nothing better since."""
    last = [record for record in await store.records_of(work, customer_id) if record.loan_id == loan_id and record.standing is not None]
    return bool(last) and last[-1].is_bad


async def open_dispute(
    work: Work, *, customer_id: str, dispute_id: str, loan_id: str, month: str, claim: str, case_id: str, due: date
) -> None:
    """Keep a dispute that reached us through the bureau; its clock is the case's."""
    await store.SQL.add_dispute.run(
        work, customer_id=customer_id, dispute_id=dispute_id, loan_id=loan_id, month=month, claim=claim, case_id=case_id, due=due, at=work.at
    )


async def judge_dispute(work: Work, *, dispute_id: str, opening: Opening, truth: Standing) -> str:
    """Compare the disputed month as reported with the ledger's truth: `kept` when they agree, else `corrected`, and the correction is noted.

    Raises NotFound, AlreadyAnswered.
    """
    row = await store.SQL.find_dispute.row(work, dispute_id=dispute_id)
    if row is None:
        raise NotFound(what="dispute", which=dispute_id)
    if row["outcome"] is not None:
        raise AlreadyAnswered(dispute_id=dispute_id)
    sent = await store.month_sent(work, row["customer_id"], row["loan_id"], row["month"])
    outcome = "kept" if sent is None or sent == truth else "corrected"
    if outcome == "corrected":
        await correct_month(work, customer_id=row["customer_id"], opening=opening, standing=truth)
    await store.SQL.answer_dispute.run(work, dispute_id=dispute_id, outcome=outcome, at=work.at)
    return outcome


async def export(work: Work, customer_id: str) -> dict[str, Any]:
    """Give what the room knows of a person, for that person alone."""
    return {
        "queries": [
            {"at": one["asked_as_of"].isoformat(), "reason": one["reason"], "found": one["found"]}
            for one in await store.rows_of(work, "queries_of", customer_id=customer_id)
        ],
        "records": [
            {
                "loan_id": record.loan_id,
                "day": record.report_day.isoformat(),
                "kind": record.record_type,
                "status": record.standing.repayment_status if record.standing else "",
                "state": record.state,
            }
            for record in await store.records_of(work, customer_id)
        ],
        "disputes": [
            {"month": one["month"], "claim": one["claim"], "due": one["due"].isoformat(), "outcome": one["outcome"] or "open"}
            for one in await store.rows_of(work, "disputes_of", customer_id=customer_id)
        ],
    }


async def erase(work: Work, customer_id: str) -> Mapping[str, str]:
    """Nothing is erased: what was reported must stay provable. Gives what stays and why."""
    return {"bureau.records": "cn.credit-register"} if await store.records_of(work, customer_id) else {}


async def _add_standing(work: Work, customer_id: str, opening: Opening, standing: Standing, time: ReportTime) -> bool:
    if faults := faults_of(opening, standing):
        raise WouldBeRejected(loan_id=standing.loan_id, day=standing.day, rules=", ".join(faults))
    return await _add(
        work,
        customer_id=customer_id,
        loan_id=standing.loan_id,
        record_type="210",
        report_time=time.value,
        report_day=standing.day,
        opening=opening,
        standing=standing,
        was_thin_file=False,
    )


async def _add(
    work: Work,
    *,
    customer_id: str,
    loan_id: str,
    record_type: str,
    report_time: str,
    report_day: date,
    opening: Opening,
    standing: Standing | None,
    was_thin_file: bool,
) -> bool:
    is_bad = standing is not None and standing.is_bad
    notice = await store.notice_of(work, customer_id, loan_id) if is_bad else None
    waits = is_bad and (notice is None or notice["told_at"] is None)
    is_about_person = record_type == "110"
    record_id = derive("br", customer_id, customer_id if is_about_person else loan_id, "110" if is_about_person else f"{record_type}-{report_time}-{report_day}")
    state = "awaiting_notice" if waits else "ready"
    record = Record(
        customer_id, record_id, loan_id, record_type, report_time, report_day, opening, standing, is_bad, was_thin_file, state
    )
    is_new = await store.add_record(work, record)
    return is_new and is_bad and notice is None


async def _write_batch(
    work: Work, record_type: str, records: Sequence[Record], person_of: Callable[[str], Person]
) -> tuple[Batch, bytes]:
    serial = await store.next_serial(work, work.today, record_type)
    name = textfile.file_name(work.today, record_type, serial)
    body = _body(record_type, work.at, records, person_of)
    digest = hashlib.sha256(body).digest()
    batch = Batch(textfile.batch_id_of(name), name, record_type, work.today, serial, work.at, len(records), digest, "made")
    await store.add_batch(work, batch, records)
    return batch, body


def _body(record_type: str, made_at: Any, records: Sequence[Record], person_of: Callable[[str], Person]) -> bytes:
    return textfile.write_file(record_type, made_at, [line_of(record, person_of) for record in records])


def line_of(record: Record, person_of: Callable[[str], Person]) -> str:
    """Write one record in the text format."""
    if record.record_type == "214":
        return textfile.deletion_record(record.loan_id, record.report_day)
    if record.record_type == "212":
        assert record.standing is not None
        return textfile.correction_record(record.loan_id, record.standing)
    person = person_of(record.customer_id)
    if record.record_type == "110":
        return textfile.basic_record(person, record.report_day)
    match ReportTime(record.report_time):
        case ReportTime.OPENED:
            return textfile.opening_record(person, record.opening)
        case ReportTime.MONTH_END | ReportTime.CLOSED_AT_MONTH_END:
            assert record.standing is not None
            return textfile.month_record(person, record.standing)
        case ReportTime.CLOSED:
            assert record.standing is not None
            return textfile.closing_record(person, record.standing)
        case ReportTime.RECOVERED:
            assert record.standing is not None
            return textfile.recovery_record(person, record.standing)


async def mend_rejected(work: Work, record: Record, *, opening: Opening, standing: Standing | None) -> bool:
    """Put a rejected record right by the ledger's facts of that day and let it go out again."""
    return await store.resend(work, replace(record, opening=opening, standing=standing))
