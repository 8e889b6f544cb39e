"""All SQL of the boards: rows in and out of the sheets."""

from collections.abc import Sequence
from dataclasses import asdict

from puhui.foundation import sql
from puhui.foundation.work import Work
from puhui.rooms.boards.fold import Application, Case, Day, EntryDay, Key, Loan, Share, Sheets

SQL = sql.load(__file__)


async def load(work: Work, wanted: Sheets) -> Sheets:
    """Give the stored rows for the keys of `wanted`; of a board with no key nothing is asked."""
    applications = await SQL.applications_of.rows(work, **_pairs(wanted.applications)) if wanted.applications else ()
    loans = await SQL.loans_of.rows(work, **_pairs(wanted.loans)) if wanted.loans else ()
    shares = await SQL.shares_of.rows(work, **_shares(wanted)) if wanted.shares else ()
    cases = await SQL.cases_of.rows(work, **_pairs(wanted.cases)) if wanted.cases else ()
    entry_days = await SQL.entry_days_of.rows(work, **_entry_days(wanted)) if wanted.entry_days else ()
    days = await SQL.days_of.rows(work, days=[key[0] for key in wanted.days]) if wanted.days else ()
    return Sheets(
        {(r["customer_id"], r["application_id"]): Application(**r) for r in applications},
        {(r["customer_id"], r["loan_id"]): Loan(**r) for r in loans},
        {(r["customer_id"], r["loan_id"], r["partner_id"]): Share(**r) for r in shares},
        {(r["customer_id"], r["case_id"]): Case(**r) for r in cases},
        {(r["entry_id"], r["day"]): EntryDay(**r) for r in entry_days},
        {(r["day"],): Day(**r) for r in days},
    )


async def load_all(work: Work) -> Sheets:
    """Give every stored row."""
    return Sheets(
        {(r["customer_id"], r["application_id"]): Application(**r) for r in await SQL.all_applications.rows(work)},
        {(r["customer_id"], r["loan_id"]): Loan(**r) for r in await SQL.all_loans.rows(work)},
        {(r["customer_id"], r["loan_id"], r["partner_id"]): Share(**r) for r in await SQL.all_shares.rows(work)},
        {(r["customer_id"], r["case_id"]): Case(**r) for r in await SQL.all_cases.rows(work)},
        {(r["entry_id"], r["day"]): EntryDay(**r) for r in await SQL.all_entry_days.rows(work)},
        {(r["day"],): Day(**r) for r in await SQL.all_days.rows(work)},
    )


async def put(work: Work, sheets: Sheets) -> None:
    """Write every row of the sheets over what is stored."""
    for statement, rows in (
        (SQL.put_applications, list(sheets.applications.values())),
        (SQL.put_loans, list(sheets.loans.values())),
        (SQL.put_shares, list(sheets.shares.values())),
        (SQL.put_cases, list(sheets.cases.values())),
        (SQL.put_entry_days, list(sheets.entry_days.values())),
        (SQL.put_days, list(sheets.days.values())),
    ):
        if rows:
            await statement.run(work, rows=[asdict(row) for row in rows])


async def forget(work: Work) -> None:
    """Empty the boards."""
    for statement in (SQL.forget_applications, SQL.forget_loans, SQL.forget_shares, SQL.forget_cases, SQL.forget_entry_days, SQL.forget_days):
        await statement.run(work)


def _pairs(rows: dict[Key, Application] | dict[Key, Loan] | dict[Key, Case]) -> dict[str, Sequence[object]]:
    return {"customer_ids": [key[0] for key in rows], "ids": [key[1] for key in rows]}


def _shares(wanted: Sheets) -> dict[str, Sequence[object]]:
    keys = list(wanted.shares)
    return {"customer_ids": [key[0] for key in keys], "ids": [key[1] for key in keys], "partner_ids": [key[2] for key in keys]}


def _entry_days(wanted: Sheets) -> dict[str, Sequence[object]]:
    return {"entry_ids": [key[0] for key in wanted.entry_days], "days": [key[1] for key in wanted.entry_days]}
