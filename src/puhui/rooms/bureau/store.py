"""The rows of the room: queries, records, batches, notices, disputes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from puhui.foundation import sql
from puhui.foundation.work import Work
from puhui.rooms.bureau.standing import Opening, Standing

SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to report, and how far it has come."""

    customer_id: str
    record_id: str
    loan_id: str
    record_type: str
    report_time: str
    report_day: date
    opening: Opening
    standing: Standing | None
    is_bad: bool
    was_thin_file: bool
    state: str
    batch_id: str | None = None
    line: int | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    batch_id: str
    file_name: str
    record_type: str
    business_date: date
    serial: int
    made_at: datetime
    rows: int
    sha256: bytes
    state: str
    accepted: int | None = None
    rejected: int | None = None


async def add_record(work: Work, record: Record) -> bool:
    return (
        await SQL.add_record.run(
            work,
            customer_id=record.customer_id,
            record_id=record.record_id,
            loan_id=record.loan_id,
            record_type=record.record_type,
            report_time=record.report_time,
            report_day=record.report_day,
            opening=msgspec.to_builtins(record.opening),
            standing=msgspec.to_builtins(record.standing) if record.standing else None,
            is_bad=record.is_bad,
            was_thin_file=record.was_thin_file,
            state=record.state,
            at=work.at,
        )
        == 1
    )


async def records_of(work: Work, customer_id: str) -> list[Record]:
    return [_record(row) for row in await SQL.records_of.rows(work, customer_id=customer_id)]


async def lock_sendable(work: Work, *, until: date, most: int) -> list[Record]:
    return [_record(row) for row in await SQL.lock_sendable.rows(work, until=until, most=most)]


async def add_batch(work: Work, batch: Batch, records: Sequence[Record]) -> None:
    await SQL.add_batch.run(
        work,
        batch_id=batch.batch_id,
        file_name=batch.file_name,
        record_type=batch.record_type,
        business_date=batch.business_date,
        serial=batch.serial,
        rows=batch.rows,
        sha256=batch.sha256,
        at=batch.made_at,
    )
    await SQL.set_batch.many(
        work,
        [
            {"customer_id": record.customer_id, "record_id": record.record_id, "batch_id": batch.batch_id, "line": line}
            for line, record in enumerate(records, start=2)
        ],
    )


async def next_serial(work: Work, business_date: date, record_type: str) -> int:
    serial: int = await SQL.next_serial.value(work, business_date=business_date, record_type=record_type)
    return serial


async def find_batch(work: Work, batch_id: str) -> Batch | None:
    row = await SQL.find_batch.row(work, batch_id=batch_id)
    return Batch(**dict(row)) if row else None


async def rejected_page(work: Work, *, most: int, skip: int) -> tuple[list[dict[str, Any]], int]:
    """Give a page of the records that the bureau rejected, the newest first, and how many there are."""
    rows = await SQL.rejected_page.rows(work, most=most, skip=skip)
    return [dict(row) for row in rows], int(await SQL.rejected_count.value(work))


async def disputes_open(work: Work, *, most: int = 100) -> list[dict[str, Any]]:
    """Give the bureau's disputes that wait for our answer, the most urgent first."""
    return [dict(row) for row in await SQL.disputes_open.rows(work, most=most)]


async def records_of_loan(work: Work, customer_id: str, loan_id: str) -> list[dict[str, Any]]:
    """Give what was reported of a loan, oldest first, without its contents."""
    return [dict(row) for row in await SQL.records_of_loan.rows(work, customer_id=customer_id, loan_id=loan_id)]


async def batches(work: Work, *, most: int) -> list[Batch]:
    return [Batch(**dict(row)) for row in await SQL.batches.rows(work, most=most)]


async def batch_records(work: Work, batch_id: str) -> list[Record]:
    return [_record(row) for row in await SQL.batch_records.rows(work, batch_id=batch_id)]


async def customers_in(work: Work, batch_id: str) -> list[str]:
    """List whom the records of a batch are about."""
    return [row["customer_id"] for row in await SQL.customers_in.rows(work, batch_id=batch_id)]


async def customer_of(work: Work, loan_id: str) -> str | None:
    """Give whose account this is, as far as it was reported."""
    customer_id: str | None = await SQL.customer_of.value(work, loan_id=loan_id)
    return customer_id


async def set_batch_state(work: Work, batch_id: str, state: str, *, accepted: int | None = None, rejected: int | None = None) -> bool:
    return await SQL.set_batch_state.run(work, batch_id=batch_id, state=state, accepted=accepted, rejected=rejected) == 1


async def reject_line(work: Work, batch_id: str, line: int, code: str) -> None:
    await SQL.reject_line.run(work, batch_id=batch_id, line=line, code=code)


async def accept_rest(work: Work, batch_id: str) -> Sequence[sql.Row]:
    return await SQL.accept_rest.rows(work, batch_id=batch_id)


async def resend(work: Work, record: Record) -> bool:
    standing = msgspec.to_builtins(record.standing) if record.standing else None
    return (
        await SQL.resend.run(
            work,
            customer_id=record.customer_id,
            record_id=record.record_id,
            standing=standing,
            opening=msgspec.to_builtins(record.opening),
        )
        == 1
    )


async def notice_of(work: Work, customer_id: str, loan_id: str) -> sql.Row | None:
    return await SQL.find_notice.row(work, customer_id=customer_id, loan_id=loan_id)


async def add_notice(work: Work, *, customer_id: str, loan_id: str, message_id: str) -> None:
    await SQL.add_notice.run(work, customer_id=customer_id, loan_id=loan_id, message_id=message_id, at=work.at)


async def note_told(work: Work, message_id: str, channel: str) -> tuple[str, str] | None:
    row = await SQL.note_told.row(work, message_id=message_id, channel=channel, at=work.at)
    return (row["customer_id"], row["loan_id"]) if row else None


async def release(work: Work, customer_id: str, loan_id: str) -> int:
    return await SQL.release.run(work, customer_id=customer_id, loan_id=loan_id)


async def counts(work: Work) -> dict[str, int]:
    return {row["state"]: row["records"] for row in await SQL.counts.rows(work)}


async def month_sent(work: Work, customer_id: str, loan_id: str, month: str) -> Standing | None:
    """Give the month (YYYY-MM) of a loan as it was last reported."""
    row = await SQL.month_sent.row(work, customer_id=customer_id, loan_id=loan_id, month=month)
    return msgspec.convert(row["standing"], Standing) if row else None


async def rows_of(work: Work, statement: str, **given: object) -> list[dict[str, Any]]:
    """Give the rows of a named read as plain dicts, for export and for checks."""
    return [dict(row) for row in await getattr(SQL, statement).rows(work, **given)]


def _record(row: sql.Row) -> Record:
    standing = row["standing"]
    return Record(
        row["customer_id"],
        row["record_id"],
        row["loan_id"],
        row["record_type"],
        row["report_time"],
        row["report_day"],
        msgspec.convert(row["opening"], Opening),
        msgspec.convert(standing, Standing) if standing else None,
        row["is_bad"],
        row["was_thin_file"],
        row["state"],
        row["batch_id"],
        row["line"],
        row["code"],
    )
