"""Invariants of the books, each with a name: what must hold over the whole database, found and named where it does not."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from puhui.engines.schedules import NOTHING, Parts, twin
from puhui.foundation.work import Work
from puhui.rooms.ledger import store
from puhui.rooms.ledger.accounts import added, chart, difference
from puhui.rooms.ledger.books import books, leg_figures
from puhui.rooms.ledger.loan import Loan
from puhui.rooms.ledger.reading import loan_ids


@dataclass(frozen=True, slots=True)
class Failed:
    """An invariant that does not hold, and where."""

    name: str
    facts: Mapping[str, Any]


async def check(work: Work) -> list[Failed]:
    """Try every invariant of the room; an empty list says that all hold."""
    return [failed for attempt in CHECKS for failed in await attempt(work)]


async def _postings_balance(work: Work) -> list[Failed]:
    return [Failed("ledger.postings-balance", dict(row)) for row in await store.SQL.unbalanced_postings.rows(work)]


async def _trial_balance_is_zero(work: Work) -> list[Failed]:
    total = sum(row["balance_fen"] for row in await store.SQL.trial_balance.rows(work, as_of=work.today))
    return [Failed("ledger.sum-is-zero", {"ledger_sum_fen": total})] if total else []


async def _accounts_are_known(work: Work) -> list[Failed]:
    return [Failed("ledger.accounts-are-known", dict(row)) for row in await store.SQL.unknown_accounts.rows(work, codes=list(chart()))]


async def _events_have_no_gaps(work: Work) -> list[Failed]:
    return [Failed("ledger.events-have-no-gaps", dict(row)) for row in await store.SQL.gaps_in_events.rows(work)]


async def _legs_are_whole(work: Work) -> list[Failed]:
    return [Failed("ledger.legs-are-whole", dict(row)) for row in await store.SQL.legs_not_whole.rows(work)]


async def _only_the_cost_table_is_charged(work: Work) -> list[Failed]:
    return [Failed("ledger.only-the-cost-table-is-charged", dict(row)) for row in await store.SQL.charges_not_allowed.rows(work)]


async def _day_ends_follow(work: Work) -> list[Failed]:
    return [Failed("ledger.day-ends-follow", dict(row)) for row in await store.SQL.day_ends_with_gaps.rows(work)]


async def _closed_months_stay(work: Work) -> list[Failed]:
    return [Failed("ledger.closed-months-stay", dict(row)) for row in await store.SQL.postings_in_closed_months.rows(work)]


async def _day_balances_add_up(work: Work) -> list[Failed]:
    return [Failed("ledger.day-balances-add-up", dict(row)) for row in await store.SQL.day_balances_wrong.rows(work)]


async def _rows_equal_the_fold(work: Work) -> list[Failed]:
    """Every loan's row equals a fresh fold of its events, and its legs' parts equal the legs of that fold."""
    failed: list[Failed] = []
    after = ""
    while keys := await loan_ids(work, after=after):
        sums = {(row["loan_id"], row["partner_id"]): row for row in await store.SQL.leg_sums.rows(work, loan_ids=[key[1] for key in keys])}
        for loan in await store.loans_by_id(work, [key[1] for key in keys]):
            failed += await _row_faults(work, loan)
            failed += _leg_faults(loan, sums)
        after = keys[-1][1]
    return failed


async def _row_faults(work: Work, loan: Loan) -> list[Failed]:
    row = await store.SQL.find_loan.row(work, customer_id=loan.customer_id, loan_id=loan.loan_id)
    assert row is not None
    state = loan.state(row["booked_on"])
    wanted = {
        "standing": state.standing.value,
        "principal_owed_fen": state.principal_owed_fen,
        "credit_fen": state.figures.credit_fen,
        "due_fen": state.due_total_fen,
        "oldest_unpaid_due": state.oldest_unpaid_due,
        "next_due": state.next_due,
    }
    wrong = {name: [row[name], value] for name, value in wanted.items() if row[name] != value}
    return [Failed("ledger.rows-equal-the-fold", {"loan_id": loan.loan_id, **wrong})] if wrong else []


def _leg_faults(loan: Loan, sums: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[Failed]:
    if not loan.events:
        return []
    failed = []
    figures = leg_figures(loan.state(loan.events[-1].business_date), loan.legs)
    for leg, each in zip(loan.legs, figures, strict=True):
        row = sums.get((loan.loan_id, leg.partner_id))
        kept = Parts(row["principal_fen"], row["interest_fen"], 0, row["penalty_fen"]) if row else NOTHING
        if (row["drawn_fen"] if row else 0, kept) != (each.drawn_fen, each.got):
            failed.append(Failed("ledger.leg-parts-add-up", {"loan_id": loan.loan_id, "partner_id": leg.partner_id}))
    return failed


async def _books_equal_the_loans(work: Work) -> list[Failed]:
    """The balances of every loan account equal the sum of what each loan's fold puts there: nothing was booked twice, nothing left out."""
    parts = []
    after = ""
    while keys := await loan_ids(work, after=after):
        for loan in await store.loans_by_id(work, [key[1] for key in keys]):
            if loan.events:
                state = loan.state(loan.booked_on)
                parts.append(books(state, loan.legs, loan.cash(loan.booked_on), is_nonaccrual=loan.is_nonaccrual))
        after = keys[-1][1]
    rows = await store.SQL.trial_balance.rows(work, as_of=work.today)
    booked = {(row["account"], row["owner"]): row["balance_fen"] for row in rows if row["account"] in LOAN_ACCOUNTS}
    wanted = {where: fen for where, fen in added(parts).items() if where[0] in LOAN_ACCOUNTS}
    return [
        Failed("ledger.books-equal-the-loans", {"account": account, "owner": owner, "off_by_fen": fen})
        for (account, owner), fen in difference(booked, wanted).items()
    ]


async def check_twin(work: Work) -> list[Failed]:
    """Let the slow twin tell every loan again and compare each figure to the fen; an empty list says that both engines agree."""
    failed: list[Failed] = []
    after = ""
    while keys := await loan_ids(work, after=after):
        for loan in await store.loans_by_id(work, [key[1] for key in keys]):
            failed += _twin_faults(loan, work.today)
        after = keys[-1][1]
    return failed


def _twin_faults(loan: Loan, day: date) -> list[Failed]:
    state = loan.state(day)
    judged = twin.judge(loan.convention, loan.terms, [event.as_event() for event in loan.events], day)
    said = {
        "payoff_fen": (state.payoff_fen, judged.payoff_fen),
        "principal_owed_fen": (state.principal_owed_fen, judged.principal_owed_fen),
        "credit_fen": (state.figures.credit_fen, judged.credit_fen),
        "earned_interest_fen": (state.figures.earned_interest_fen, judged.earned_interest_fen),
        "earned_penalty_fen": (state.figures.earned_penalty_fen, judged.earned_penalty_fen),
        "days_late": (state.days_late, judged.days_late),
        "rows": (tuple((row.due, row.asked, row.paid, row.waived) for row in state.rows), judged.rows),
        "allocations": (tuple((one.no, one.parts, one.credit_fen) for one in state.allocations), judged.allocations),
    }
    wrong = {name: str(pair) for name, pair in said.items() if pair[0] != pair[1]}
    return [Failed("ledger.the-twin-agrees", {"loan_id": loan.loan_id, **wrong})] if wrong else []


LOAN_ACCOUNTS = frozenset(
    {
        "loans.principal", "loans.interest", "loans.penalty", "payable.customer", "income.interest", "income.penalty", "income.fees",
        "income.recovery", "expense.waiver", "expense.credit_loss", "expense.rounding", "joint.principal", "joint.interest", "joint.penalty",
        "joint.contra", "memo.nonaccrual", "memo.written_off", "memo.contra",
    }
)  # fmt: skip

CHECKS: tuple[Callable[[Work], Awaitable[list[Failed]]], ...] = (
    _postings_balance,
    _trial_balance_is_zero,
    _accounts_are_known,
    _events_have_no_gaps,
    _legs_are_whole,
    _only_the_cost_table_is_charged,
    _day_ends_follow,
    _closed_months_stay,
    _day_balances_add_up,
    _rows_equal_the_fold,
    _books_equal_the_loans,
)
