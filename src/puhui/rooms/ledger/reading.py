"""What others may read of the ledger: loans, payoff, statements, what is due, the books as of any day, what funders and bureau are told."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from puhui.engines import schedules
from puhui.engines.schedules import AssetClass, Parts, Standing, State
from puhui.foundation.refusals import NotFound
from puhui.foundation.sql import Row
from puhui.foundation.work import Work
from puhui.rooms.ledger import store
from puhui.rooms.ledger.accounts import AccountKind, chart
from puhui.rooms.ledger.approvals import close_month_content, demand_approval
from puhui.rooms.ledger.books import Leg, LegFigures, leg_figures, owed_by_leg
from puhui.rooms.ledger.loan import EventKind, Loan, LoanView, StoredEvent, facts_of, parts_from, view
from puhui.vocabulary.permits import Approval


@dataclass(frozen=True, slots=True)
class LoanDue:
    """A loan with something due and unpaid on a day."""

    customer_id: str
    loan_id: str
    due_fen: int
    oldest_unpaid_due: date


@dataclass(frozen=True, slots=True)
class DueSoon:
    """An installment that falls due on a day, as a reminder tells it."""

    customer_id: str
    loan_id: str
    due: date
    amount_fen: int


@dataclass(frozen=True, slots=True)
class CreditBalance:
    """Money owed to a customer."""

    customer_id: str
    loan_id: str
    credit_fen: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a statement: what happened, when it counts, how money met the debt, and the principal left after it."""

    no: int
    kind: EventKind
    booked_on: date
    value_date: date
    amount_fen: int
    parts: Parts
    credit_fen: int
    principal_left_fen: int
    is_undone: bool


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One account and owner of the trial balance; debits and credits in fen, balance = debits - credits."""

    account: str
    owner: str
    kind: AccountKind
    debit_fen: int
    credit_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One line of the general ledger, for export."""

    business_date: date
    value_date: date
    posting_id: str
    kind: str
    product: str
    loan_id: str
    account: str
    owner: str
    amount_fen: int


async def find_loan(work: Work, customer_id: str, loan_id: str, on: date | None = None) -> LoanView | None:
    """Give a loan at the end of a day (today if none is named), or None."""
    loan = await store.find_loan(work, customer_id, loan_id)
    return view(loan, loan.state(on or work.today)) if loan else None


async def restructured(work: Work) -> frozenset[str]:
    """Give the loans that were ever given new terms."""
    return frozenset(row["loan_id"] for row in await store.SQL.restructured.rows(work))


async def borrower_of(work: Work, loan_id: str) -> str | None:
    """Give whose loan this is, or None."""
    customer_id: str | None = await store.SQL.borrower_of.value(work, loan_id=loan_id)
    return customer_id


async def loans_of(work: Work, customer_id: str, today: date) -> list[LoanView]:
    """Give all loans of a person on a day, oldest first."""
    return [view(loan, loan.state(today)) for loan in await store.loans_of(work, customer_id)]


async def payoff_fen(work: Work, customer_id: str, loan_id: str, day: date) -> int:
    """Give what settles the loan on a day, as known now. For today it holds for a collect ordered today, whenever the rail ends it."""
    return (await _state(work, customer_id, loan_id, day)).payoff_fen


async def owed_by(work: Work, customer_id: str) -> int:
    """Give the principal a person owes over all loans, in fen: what counts against the cap of a person."""
    return int(await store.SQL.owed_by.value(work, customer_id=customer_id))


async def owed_by_everybody(work: Work) -> dict[str, int]:
    """Give the principal owed by person, for the nightly comparison with exposures."""
    return {row["customer_id"]: row["owed_fen"] for row in await store.SQL.owed_by_everybody.rows(work)}


async def loans_due(work: Work, day: date, *, after: str = "", most: int = 500) -> list[LoanDue]:
    """Give active loans with something due and unpaid on `day`, by loan id from `after` on; fewer than `most` says it is the end."""
    rows = await store.SQL.loans_due.rows(work, day=day, after=after, most=most)
    due = []
    for loan in await store.loans_by_id(work, [row["loan_id"] for row in rows]):
        state = loan.state(day)
        if state.oldest_unpaid_due is not None:
            due.append(LoanDue(loan.customer_id, loan.loan_id, state.due_total_fen, state.oldest_unpaid_due))
    return due


async def loans_due_soon(work: Work, day: date) -> list[DueSoon]:
    """Give the installments that fall due on `day`, a day still ahead, and are not paid yet."""
    rows = await store.SQL.loans_due_on.rows(work, day=day)
    found = []
    for loan in await store.loans_by_id(work, [row["loan_id"] for row in rows]):
        for row in loan.state(work.today).rows:
            if row.due == day and row.owed.total_fen:
                found.append(DueSoon(loan.customer_id, loan.loan_id, day, row.owed.total_fen))
    return found


async def credit_balances(work: Work) -> list[CreditBalance]:
    """Give every credit balance that waits to be paid back."""
    return [CreditBalance(row["customer_id"], row["loan_id"], row["credit_fen"]) for row in await store.SQL.credit_balances.rows(work)]


async def loan_ids(work: Work, *, after: str = "", most: int = 500) -> list[tuple[str, str]]:
    """Give (customer_id, loan_id) of every loan, by loan id from `after` on."""
    return [(row["customer_id"], row["loan_id"]) for row in await store.SQL.loan_ids.rows(work, after=after, most=most)]


async def statement(work: Work, customer_id: str, loan_id: str, since: date | None = None, until: date | None = None) -> list[StatementLine]:
    """Give what happened to a loan, booked from `since` to before `until`, as its borrower may read it. Raises NotFound."""
    loan = await store.find_loan(work, customer_id, loan_id)
    if loan is None:
        raise NotFound(what="loan", which=loan_id)
    undone = {event.facts["of"] for event in loan.events if event.kind is EventKind.UNDONE}
    return [
        _line(loan, event, is_undone=event.no in undone)
        for event in loan.events
        if (since is None or event.business_date >= since) and (until is None or event.business_date < until)
    ]


def _line(loan: Loan, event: StoredEvent, *, is_undone: bool) -> StatementLine:
    amount = loan.terms.principal_fen if event.kind is EventKind.DISBURSED else event.facts.get("amount_fen", 0)
    parts = parts_from(event.facts) if event.kind is EventKind.WAIVED else parts_from(event.receipt)
    if event.kind is EventKind.UNDONE:
        amount = next(one for one in loan.events if one.no == event.facts["of"]).facts.get("amount_fen", loan.terms.principal_fen)
    return StatementLine(
        event.no, event.kind, event.business_date, event.value_date, amount, parts, event.receipt["credit_fen"],
        event.receipt["principal_left_fen"], is_undone,
    )  # fmt: skip


async def trial_balance(work: Work, as_of: date) -> list[TrialLine]:
    """Give every account's debits, credits and balance at the end of a business date; the balances sum to 0."""
    return [
        TrialLine(row["account"], row["owner"], chart()[row["account"]].kind, row["debit_fen"], row["credit_fen"], row["balance_fen"])
        for row in await store.SQL.trial_balance.rows(work, as_of=as_of)
    ]


async def balances(work: Work, as_of: date) -> list[TrialLine]:
    """Give the same as `trial_balance`, from what is kept of closed days: quick, whatever the books hold."""
    return [
        TrialLine(row["account"], row["owner"], chart()[row["account"]].kind, row["debit_fen"], row["credit_fen"], row["balance_fen"])
        for row in await store.SQL.balances.rows(work, as_of=as_of)
    ]


async def cash(work: Work, as_of: date) -> dict[str, int]:
    """Give what each of our accounts at the rail holds by our books, in fen."""
    return {line.owner: line.balance_fen for line in await trial_balance(work, as_of) if line.account == "cash"}


async def general_ledger(work: Work, since: date, until: date) -> list[LedgerLine]:
    """Give every line booked from `since` to before `until`, in order."""
    return [
        LedgerLine(
            row["business_date"], row["value_date"], row["posting_id"], row["kind"], row["product"], row["loan_id"] or "", row["account"],
            row["owner"], row["amount_fen"],
        )
        for row in await store.SQL.general_ledger.rows(work, since=since, until=until)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class PostingLine:
    """One line of one posting of a loan; debits are positive."""

    posting_id: str
    kind: str
    business_date: date
    value_date: date
    account: str
    owner: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class DayEnded:
    """What closing a day did over all partitions; `ended_at` is when the last of them was closed."""

    business_date: date
    partitions: int
    loans: int
    late: int
    folded: int
    accrued_interest_fen: int
    accrued_penalty_fen: int
    provision_fen: int
    began_at: datetime
    ended_at: datetime
    is_closed: bool


async def postings_of_loan(work: Work, customer_id: str, loan_id: str, *, most: int = 200) -> list[PostingLine]:
    """Give the lines that a loan left in the books, the newest posting first, of at most `most` postings."""
    return [
        PostingLine(row["posting_id"], row["kind"], row["business_date"], row["value_date"], account, owner, amount)
        for row in await store.SQL.postings_of_loan.rows(work, customer_id=customer_id, loan_id=loan_id, most=most)
        for account, owner, amount in zip(row["accounts"], row["owners"], row["amounts_fen"], strict=True)
    ]


async def days_ended(work: Work, *, most: int, skip: int = 0) -> tuple[list[DayEnded], int]:
    """Give a page of the days whose books were worked on, the newest first, and how many there are."""
    rows = await store.SQL.day_ends_by_day.rows(work, most=most, skip=skip)
    return [DayEnded(**row) for row in rows], int(await store.SQL.count_day_ends.value(work))


async def closed_until(work: Work) -> date | None:
    """Give the last day whose books every partition has closed."""
    day: date | None = await store.SQL.closed_until.value(work)
    return day


async def close_month(work: Work, *, month: str, approval: Approval) -> None:
    """Close an accounting month (2026-09): nothing is posted into it any more. Raises ApprovalMissing."""
    demand_approval(approval, close_month_content(month))
    await store.SQL.close_month.run(work, month=month, closed_at=work.at, approval_id=approval.approval_id)


# -- funders ----------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FunderEvent:
    """One row of `funder-loans-P`: the partner's part of what happened to a loan. Amounts are never negative; `event` says which way."""

    business_date: date
    value_date: date
    loan_id: str
    event: str
    principal_fen: int
    interest_fen: int
    penalty_fen: int
    amount_fen: int
    share_ppm: int
    event_id: str


@dataclass(frozen=True, slots=True)
class FunderBalance:
    """One row of `funder-balances-P`: the partner's part of what a loan owes at the end of a day.

    The interest is the partner's share of what the loan has earned, to the nearest fen (a half stays with the lender), less what it got: so
    the partner can reckon it without knowing the other shares. Beside three legs and more the books may hold a fen more or less.
    """

    business_date: date
    loan_id: str
    principal_fen: int
    interest_fen: int
    overdue_days: int
    asset_class: AssetClass
    amount_fen: int


async def funder_events(work: Work, business_date: date, partner_id: str) -> list[FunderEvent]:
    """Give what a partner is told of a day: pay-outs, repayments, refunds, restructures, write-offs, recoveries, its part of each."""
    told = []
    for row in await store.SQL.funder_events.rows(work, partner_id=partner_id, business_date=business_date):
        parts = Parts(row["principal_fen"] or row["drawn_fen"], row["interest_fen"], 0, row["penalty_fen"])
        if row["event"] in {"restructured", "written_off"}:
            parts = await _owed_after(work, row["loan_id"], partner_id, business_date)
        elif not row["event"] or parts == Parts():
            continue
        told.append(
            FunderEvent(
                row["business_date"], row["value_date"], row["loan_id"], row["event"], abs(parts.principal_fen), abs(parts.interest_fen),
                abs(parts.penalty_fen), abs(parts.total_fen), row["share_ppm"], f"{row['loan_id']}.{row['no']}",
            )
        )  # fmt: skip
    return told


async def _owed_after(work: Work, loan_id: str, partner_id: str, day: date) -> Parts:
    loan = (await store.loans_by_id(work, [loan_id]))[0]
    return owed_by_leg(_leg(loan, loan.state(day), partner_id))


def _leg(loan: Loan, state: State, partner_id: str) -> LegFigures:
    figures = leg_figures(state, loan.legs)
    return next(each for leg, each in zip(loan.legs, figures, strict=True) if leg.partner_id == partner_id)


async def funder_balances(work: Work, business_date: date, partner_id: str) -> list[FunderBalance]:
    """Give what a partner's loans owe it at the end of a day, loan by loan; settled loans are left out.

    A loan on which nothing happened since is told from its row; the others are folded.
    """
    rows = await store.SQL.partner_book.rows(work, partner_id=partner_id, day=business_date)
    legs = await store.legs_of(work, [row["loan_id"] for row in rows])
    moved = [row for row in rows if not _tells(store.loan_row(row), business_date)]
    folded = {loan.loan_id: loan for loan in await store.loans_from_rows(work, moved)}
    balances = []
    for row in rows:
        loan = folded.get(row["loan_id"])
        if loan is None:
            balances.append(_aged_balance(row, legs[row["loan_id"]], business_date, partner_id))
        else:
            state = loan.state(business_date)
            if state.standing not in {Standing.SETTLED, Standing.VOID}:
                named = await class_on(work, loan.customer_id, loan.loan_id, business_date)
                balances.append(_folded_balance(loan, state, partner_id, named))
    return balances


def _tells(row: store.LoanRow, day: date) -> bool:
    return row.booked_on <= day < row.accrual.until


def _aged_balance(raw: Row, legs: tuple[Leg, ...], day: date, partner_id: str) -> FunderBalance:
    row = store.loan_row(raw)
    earned = row.accrual.interest_fen(schedules.convention(row.convention), day)
    interest = _share_of_earned(earned, legs, partner_id) - raw["interest_taken_fen"]
    principal = raw["principal_left_fen"]
    late = schedules.days_late(row.oldest_unpaid_due, day)
    return FunderBalance(day, row.loan_id, principal, interest, late, row.asset_class, principal + interest)


def _folded_balance(loan: Loan, state: State, partner_id: str, named: AssetClass) -> FunderBalance:
    mine = _leg(loan, state, partner_id)
    earned = _share_of_earned(state.figures.earned_interest_fen, loan.legs, partner_id)
    interest = earned - mine.got.interest_fen - mine.waived.interest_fen
    principal = owed_by_leg(mine).principal_fen
    return FunderBalance(state.as_of, loan.loan_id, principal, interest, state.days_late, named, principal + interest)


def _share_of_earned(earned_fen: int, legs: Sequence[Leg], partner_id: str) -> int:
    share = next(leg.share_ppm for leg in legs if leg.partner_id == partner_id)
    return (2 * earned_fen * share + schedules.WHOLE_PPM - 1) // (2 * schedules.WHOLE_PPM)


async def class_on(work: Work, customer_id: str, loan_id: str, day: date) -> AssetClass:
    """Give the class of a loan at the end of a day."""
    return AssetClass(await store.SQL.class_on.value(work, customer_id=customer_id, loan_id=loan_id, day=day) or "normal")


async def class_since(work: Work, customer_id: str, loan_id: str, day: date) -> date | None:
    """Give the day on which a loan came into the class it has at the end of `day`; None if it never changed."""
    since: date | None = await store.SQL.class_since.value(work, customer_id=customer_id, loan_id=loan_id, day=day)
    return since


# -- the bureau ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """What the bureau is told of a loan on its report day. Aged principal by days late of its own row; amounts in fen."""

    customer_id: str
    loan_id: str
    report_day: date
    opened_on: date
    maturity: date
    principal_fen: int
    balance_fen: int
    installments: int
    installments_left: int
    due_this_month_fen: int
    paid_this_month_fen: int
    last_paid_on: date | None
    last_paid_fen: int
    overdue_fen: int
    overdue_installments: int
    overdue_principal_fen: int
    aged_31_60_fen: int
    aged_61_90_fen: int
    aged_91_180_fen: int
    aged_over_180_fen: int
    days_late: int
    oldest_unpaid_due: date | None
    was_due_this_month: bool
    paid_late_this_month: bool
    asset_class: AssetClass
    standing: Standing
    closed_on: date | None
    written_off_on: date | None
    restructured_on: date | None


async def account_month(work: Work, customer_id: str, loan_id: str, report_day: date) -> AccountMonth:
    """Give a loan as the bureau is told of it on `report_day`: the same ledger gives the same record, always. Raises NotFound."""
    loan = await store.find_loan(work, customer_id, loan_id)
    if loan is None:
        raise NotFound(what="loan", which=loan_id)
    return _account_month(loan, loan.state(report_day), await class_on(work, customer_id, loan_id, report_day))


def _account_month(loan: Loan, state: State, named: AssetClass) -> AccountMonth:
    day = state.as_of
    month = [row for row in state.rows if (row.due.year, row.due.month) == (day.year, day.month)]
    overdue = [row for row in state.rows if row.due < day and row.owed.total_fen]
    paid = [one for one in state.allocations if (one.on.year, one.on.month) == (day.year, day.month)]
    last = state.allocations[-1] if state.allocations else None

    def aged(low: int, high: int) -> int:
        return sum(row.owed.principal_fen for row in overdue if low <= (day - row.due).days <= high)

    return AccountMonth(
        customer_id=loan.customer_id,
        loan_id=loan.loan_id,
        report_day=day,
        opened_on=loan.opened_on,
        maturity=max((row.due for row in state.rows), default=loan.opened_on),
        principal_fen=loan.terms.principal_fen,
        balance_fen=state.principal_owed_fen,
        installments=loan.terms.months,
        installments_left=sum(row.due > day for row in state.rows),
        due_this_month_fen=sum(row.asked.total_fen for row in month if row.kind is schedules.RowKind.PLANNED),
        paid_this_month_fen=sum(one.parts.total_fen for one in paid),
        last_paid_on=last.on if last else None,
        last_paid_fen=last.parts.total_fen if last else 0,
        overdue_fen=sum(row.owed.total_fen for row in overdue),
        overdue_installments=len({row.number for row in overdue}),
        overdue_principal_fen=sum(row.owed.principal_fen for row in overdue),
        aged_31_60_fen=aged(31, 60),
        aged_61_90_fen=aged(61, 90),
        aged_91_180_fen=aged(91, 180),
        aged_over_180_fen=aged(181, 1_000_000),
        days_late=state.days_late,
        oldest_unpaid_due=state.oldest_unpaid_due if overdue else None,
        was_due_this_month=any(row.kind is schedules.RowKind.PLANNED and row.due <= day for row in month),
        paid_late_this_month=any(row.asked.penalty_fen and not row.owed.total_fen for row in month),
        asset_class=named,
        standing=state.standing,
        closed_on=state.settled_on,
        written_off_on=state.written_off_on,
        restructured_on=state.restructured_on,
    )


# -- a person's own, and the canonical end state ---------------------------------------------------------------------------------------------------


async def canonical(work: Work, day: date) -> AsyncIterator[dict[str, Any]]:
    """Give every loan as the end state of a run is compared by: terms, what happened by value date, balances, shares; no recording times.

    The three ids stand there so that the caller can put the person's hash, and the records of others, in their place.
    """
    after = ""
    while keys := await loan_ids(work, after=after):
        for loan in await store.loans_by_id(work, [key[1] for key in keys]):
            yield _canonical(loan, loan.state(day))
        after = keys[-1][1]


def _canonical(loan: Loan, state: State) -> dict[str, Any]:
    figures = leg_figures(state, loan.legs)
    return {
        "customer_id": loan.customer_id,
        "application_id": loan.application_id,
        "loan_id": loan.loan_id,
        "terms": {
            "product": loan.product,
            "convention_sha256": loan.convention_sha256,
            "principal_fen": loan.terms.principal_fen,
            "rate_ppm": loan.terms.rate_ppm,
            "months": loan.terms.months,
            "method": loan.terms.method.value,
            "opened_on": loan.opened_on.isoformat(),
        },
        "postings": [
            {"value_date": one.on.isoformat(), "intent": one.intent.value, **facts_of(one.parts), "credit_fen": one.credit_fen}
            for one in sorted(state.allocations, key=lambda one: (one.on, one.intent.value, one.parts.total_fen))
        ],
        "balances": {
            "standing": state.standing.value,
            "asset_class": loan.asset_class.value,
            "principal_owed_fen": state.principal_owed_fen,
            "payoff_fen": state.payoff_fen,
            "credit_fen": state.figures.credit_fen,
            "earned_interest_fen": state.figures.earned_interest_fen,
            "earned_penalty_fen": state.figures.earned_penalty_fen,
            "days_late": state.days_late,
        },
        "shares": [
            {"partner_id": leg.partner_id, "share_ppm": leg.share_ppm, "lent_fen": each.drawn_fen, **facts_of(each.got)}
            for leg, each in zip(loan.legs, figures, strict=True)
        ],
    }


async def export(work: Work, customer_id: str) -> dict[str, Any]:
    """Give what the room knows of a person, for that person alone."""
    loans = await store.loans_of(work, customer_id)
    return {
        "loans": [
            {
                "loan_id": loan.loan_id,
                "opened_on": loan.opened_on.isoformat(),
                "principal_fen": loan.terms.principal_fen,
                "rate_ppm": loan.terms.rate_ppm,
                "months": loan.terms.months,
                "method": loan.terms.method.value,
                "asset_class": loan.asset_class.value,
                "funders": [{"partner_id": leg.partner_id, "share_ppm": leg.share_ppm} for leg in loan.legs],
                "events": [
                    {"no": event.no, "kind": event.kind.value, "value_date": event.value_date.isoformat(), "facts": dict(event.facts)}
                    for event in loan.events
                ],
            }
            for loan in loans
        ]
    }


async def erase(work: Work, customer_id: str) -> dict[str, str]:
    """Nothing is erased: books of loans are kept as the law demands, and hold ids and amounts only. Gives what stays and why."""
    return {"ledger.loans": "cn.anti-money-laundering records_keep_years"} if await store.loans_of(work, customer_id) else {}


async def _state(work: Work, customer_id: str, loan_id: str, day: date) -> State:
    loan = await store.find_loan(work, customer_id, loan_id)
    if loan is None:
        raise NotFound(what="loan", which=loan_id)
    return loan.state(day)
