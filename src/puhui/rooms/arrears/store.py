"""The rows of the room: cases, stage changes, promises, hardships, assignments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from puhui.foundation import sql
from puhui.foundation.work import Work
from puhui.rooms.arrears.stage import Stage

SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True)
class CollectionCase:
    """The work on one loan's arrears. `late_since` is the oldest unpaid due day; `planned_day` the last day late whose plan was carried out."""

    customer_id: str
    loan_id: str
    k: int
    opened_on: date
    late_since: date
    closed_on: date | None
    stage: Stage
    overdue_fen: int
    planned_day: int
    ended_by: str | None


@dataclass(frozen=True, slots=True)
class Hardship:
    """A borrower's plea and its answer; `months` are the months the restructured loan runs, when granted."""

    customer_id: str
    case_id: str
    loan_id: str
    reason: str
    proof_ref: str | None
    asked_at: datetime
    state: str
    months: int | None
    answered_at: datetime | None
    answered_by: str | None


@dataclass(frozen=True, slots=True)
class Promise:
    k: int
    day: date
    amount_fen: int


async def lock_open_case(work: Work, customer_id: str, loan_id: str) -> CollectionCase | None:
    row = await SQL.lock_open_case.row(work, customer_id=customer_id, loan_id=loan_id)
    return _case(row) if row else None


async def open_case(work: Work, *, customer_id: str, loan_id: str, late_since: date, stage: Stage, overdue_fen: int) -> None:
    await SQL.open_case.run(
        work,
        customer_id=customer_id,
        loan_id=loan_id,
        opened_on=work.today,
        late_since=late_since,
        stage=stage.value,
        overdue_fen=overdue_fen,
    )


async def advance_case(work: Work, *, customer_id: str, loan_id: str, stage: Stage, overdue_fen: int) -> None:
    await SQL.advance_case.run(work, customer_id=customer_id, loan_id=loan_id, stage=stage.value, overdue_fen=overdue_fen)


async def note_planned(work: Work, case: CollectionCase, planned_day: int) -> None:
    await SQL.note_planned.run(work, customer_id=case.customer_id, loan_id=case.loan_id, planned_day=planned_day)


async def propose_write_off(work: Work, *, customer_id: str, loan_id: str) -> None:
    """Put a case before two persons: it is beyond the plan's end."""
    await SQL.propose_write_off.run(work, customer_id=customer_id, loan_id=loan_id, today=work.today)


async def proposed_write_offs(work: Work) -> list[tuple[str, str]]:
    """List (customer_id, loan_id) of the open cases whose write-off is proposed, oldest first."""
    return [(row["customer_id"], row["loan_id"]) for row in await SQL.proposed_write_offs.rows(work)]


async def close_case(work: Work, *, customer_id: str, loan_id: str, ended_by: str) -> bool:
    return await SQL.close_case.run(work, customer_id=customer_id, loan_id=loan_id, closed_on=work.today, ended_by=ended_by) == 1


async def add_stage_change(work: Work, *, customer_id: str, loan_id: str, stage: Stage, days_late: int, overdue_fen: int) -> None:
    await SQL.add_stage_change.run(
        work,
        customer_id=customer_id,
        loan_id=loan_id,
        business_date=work.today,
        stage=stage.value,
        days_late=days_late,
        overdue_fen=overdue_fen,
        at=work.at,
    )


async def cases_of(work: Work, customer_id: str) -> list[CollectionCase]:
    return [_case(row) for row in await SQL.cases_of.rows(work, customer_id=customer_id)]


async def open_cases(work: Work, *, most: int, skip: int) -> list[CollectionCase]:
    return [_case(row) for row in await SQL.open_cases.rows(work, most=most, skip=skip)]


async def cases_page(work: Work, *, stage: str | None, most: int, skip: int) -> tuple[list[CollectionCase], int]:
    """Give a page of the open cases, the longest late first, and how many there are."""
    rows = await SQL.cases_page.rows(work, stage=stage, most=most, skip=skip)
    return [_case(row) for row in rows], int(await SQL.cases_page_count.value(work, stage=stage))


async def stage_counts(work: Work) -> Sequence[sql.Row]:
    return await SQL.stage_counts.rows(work)


async def add_promise(work: Work, *, customer_id: str, loan_id: str, day: date, amount_fen: int) -> int:
    k: int = await SQL.add_promise.value(work, customer_id=customer_id, loan_id=loan_id, day=day, amount_fen=amount_fen, at=work.at)
    return k


async def open_promises(work: Work, customer_id: str, loan_id: str) -> list[Promise]:
    rows = await SQL.open_promises.rows(work, customer_id=customer_id, loan_id=loan_id)
    return [Promise(row["k"], row["day"], row["amount_fen"]) for row in rows]


async def promise_states(work: Work, customer_id: str, loan_id: str) -> dict[str, int]:
    """Give how many promises of a loan stand open, kept and broken."""
    rows = await SQL.promise_states.rows(work, customer_id=customer_id, loan_id=loan_id)
    return {row["state"]: row["promises"] for row in rows}


async def end_promise(work: Work, *, customer_id: str, loan_id: str, k: int, state: str) -> None:
    await SQL.end_promise.run(work, customer_id=customer_id, loan_id=loan_id, k=k, state=state)


async def promises_of(work: Work, customer_id: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await SQL.promises_of.rows(work, customer_id=customer_id)]


async def ask_hardship(work: Work, *, customer_id: str, case_id: str, loan_id: str, reason: str, proof_ref: str | None) -> bool:
    return (
        await SQL.ask_hardship.run(
            work, customer_id=customer_id, case_id=case_id, loan_id=loan_id, reason=reason, proof_ref=proof_ref, at=work.at
        )
        == 1
    )


async def answer_hardship(work: Work, *, customer_id: str, case_id: str, state: str, months: int | None, answered_by: str) -> bool:
    return (
        await SQL.answer_hardship.run(
            work, customer_id=customer_id, case_id=case_id, state=state, months=months, answered_by=answered_by, at=work.at
        )
        == 1
    )


async def find_hardship(work: Work, customer_id: str, case_id: str) -> Hardship | None:
    row = await SQL.find_hardship.row(work, customer_id=customer_id, case_id=case_id)
    return Hardship(**dict(row)) if row else None


async def hardships_of(work: Work, customer_id: str) -> list[Hardship]:
    return [Hardship(**dict(row)) for row in await SQL.hardships_of.rows(work, customer_id=customer_id)]


async def assign(work: Work, *, customer_id: str, loan_id: str, partner_id: str) -> None:
    await SQL.assign.run(work, customer_id=customer_id, loan_id=loan_id, partner_id=partner_id, since=work.today)


async def unassign(work: Work, *, customer_id: str, loan_id: str) -> None:
    await SQL.unassign.run(work, customer_id=customer_id, loan_id=loan_id, until=work.today)


async def assigned_to(work: Work, customer_id: str, loan_id: str) -> str | None:
    row = await SQL.assignment_of.row(work, customer_id=customer_id, loan_id=loan_id)
    return row["partner_id"] if row else None


def _case(row: sql.Row) -> CollectionCase:
    return CollectionCase(
        row["customer_id"],
        row["loan_id"],
        row["k"],
        row["opened_on"],
        row["late_since"],
        row["closed_on"],
        Stage(row["stage"]),
        row["overdue_fen"],
        row["planned_day"],
        row["ended_by"],
    )
