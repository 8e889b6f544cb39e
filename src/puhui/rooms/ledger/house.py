"""Money of the house: the opening of the books, settlements with funders, fees, the sweep of our own share, money that names no debt."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from puhui.engines.schedules import Intent
from puhui.foundation.refusals import KeyReused, NotFound, WrongState
from puhui.foundation.work import Work
from puhui.rooms.ledger import store
from puhui.rooms.ledger.accounts import CLEARING, LENDER, MAIN
from puhui.rooms.ledger.loan import Receipt
from puhui.rooms.ledger.operations import MonthClosed, repay
from puhui.vocabulary.ids import NOBODY, derive

UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Money that came and named no debt. `state`: waiting, matched or returned."""

    receipt_id: str
    amount_fen: int
    account: str
    received_on: date
    state: str


async def open_books(work: Work, *, balances: Mapping[str, int]) -> None:
    """Put the lender's own money at the rail on the books, once, as capital."""
    lines: dict[tuple[str, str], int] = {("cash", account): fen for account, fen in balances.items() if fen}
    await _post(work, "opened", "books", {**lines, ("capital", LENDER): -sum(lines.values())})


async def settle(work: Work, *, partner_id: str, amount_fen: int, payment_order_id: str) -> None:
    """Book that a partner was paid out of the clearing account what repayments owe him; our own share (`LENDER`) is swept to the main account."""
    assert amount_fen > 0, amount_fen
    if partner_id == LENDER:
        await _post(work, "swept", payment_order_id, {("cash", MAIN): amount_fen, ("cash", CLEARING): -amount_fen})
    else:
        await _post(work, "settled", payment_order_id, {("payable.funder", partner_id): amount_fen, ("cash", CLEARING): -amount_fen})


async def pay_payee(work: Work, *, payee: str, amount_fen: int, payment_order_id: str) -> None:
    """Book that charges taken for another were handed on."""
    await _post(work, "handed_on", payment_order_id, {("payable.payee", payee): amount_fen, ("cash", CLEARING): -amount_fen})


async def pay_partner_fee(work: Work, *, partner_id: str, amount_fen: int, payment_order_id: str, out_of: str = MAIN) -> None:
    """Book a fee paid to a partner; a negative amount is one that came in."""
    await _post(work, "partner_fee", payment_order_id, {("expense.partner", partner_id): amount_fen, ("cash", out_of): -amount_fen})


async def book_rail_fee(work: Work, *, payment_order_id: str, amount_fen: int, account: str = MAIN) -> None:
    """Book what the rail took for one order; nothing if it took nothing."""
    if amount_fen:
        await _post(work, "rail_fee", payment_order_id, {("expense.rail", LENDER): amount_fen, ("cash", account): -amount_fen})


async def reverse_settlement(work: Work, *, partner_id: str, amount_fen: int, payment_order_id: str) -> None:
    """Take a settlement back that the bank returned."""
    lines = {("cash", CLEARING): amount_fen, ("payable.funder", partner_id): -amount_fen}
    await _post(work, "settlement_returned", payment_order_id, lines)


async def take_unmatched(work: Work, *, receipt_id: str, amount_fen: int, into: str = CLEARING) -> None:
    """Book money that came and names no debt; it waits until it is matched or sent back."""
    if await store.SQL.add_unmatched.run(work, receipt_id=receipt_id, amount_fen=amount_fen, account=into, received_on=work.today):
        await _post(work, "received", receipt_id, {("cash", into): amount_fen, ("payable.unmatched", LENDER): -amount_fen})


async def match_unmatched(work: Work, *, receipt_id: str, customer_id: str, loan_id: str, intent: Intent, value_date: date | None = None) -> Receipt:
    """Put waiting money onto a loan; it counts from the day it came unless told otherwise. Raises NotFound, WrongState."""
    waiting = await _lock_unmatched(work, receipt_id)
    if waiting.state == "returned":
        raise WrongState(what="the money", state=waiting.state, possible="nothing; it was sent back")
    if waiting.state == "waiting":
        await store.SQL.end_unmatched.run(work, receipt_id=receipt_id, state="matched", ended_by=loan_id)
        lines = {("payable.unmatched", LENDER): waiting.amount_fen, ("cash", waiting.account): -waiting.amount_fen}
        await _post(work, "matched", receipt_id, lines)
    return await repay(
        work, customer_id=customer_id, loan_id=loan_id, payment_order_id=receipt_id, amount_fen=waiting.amount_fen, intent=intent,
        value_date=value_date or waiting.received_on, into=waiting.account,
    )  # fmt: skip


async def return_unmatched(work: Work, *, receipt_id: str, payment_order_id: str) -> None:
    """Book that waiting money was sent back to whom it came from. Raises NotFound, WrongState."""
    waiting = await _lock_unmatched(work, receipt_id)
    if waiting.state == "matched":
        raise WrongState(what="the money", state=waiting.state, possible="repay credit back")
    if waiting.state == "waiting":
        await store.SQL.end_unmatched.run(work, receipt_id=receipt_id, state="returned", ended_by=payment_order_id)
        lines = {("payable.unmatched", LENDER): waiting.amount_fen, ("cash", waiting.account): -waiting.amount_fen}
        await _post(work, "sent_back", receipt_id, lines)


async def unmatched(work: Work) -> list[Unmatched]:
    """Give the money that waits, oldest first."""
    return [
        Unmatched(row["receipt_id"], row["amount_fen"], row["account"], row["received_on"], row["state"])
        for row in await store.SQL.unmatched.rows(work)
    ]


async def payable_to(work: Work, *, partner_id: str, until: date) -> int:
    """Give what a funder is owed out of repayments booked up to `until` (inclusive); for `LENDER`, what of ours lies unswept in clearing."""
    sql = store.SQL
    if partner_id != LENDER:
        return -int(await sql.balance_of.value(work, as_of=until, account="payable.funder", owner=partner_id))
    taken = int(await sql.own_share_taken.value(work, partner_id=LENDER, as_of=until))
    fees = -int(await sql.balance_of.value(work, as_of=until, account="income.fees", owner=LENDER))
    return taken + fees - int(await sql.swept.value(work, as_of=until, main=MAIN))


async def _lock_unmatched(work: Work, receipt_id: str) -> Unmatched:
    row = await store.SQL.lock_unmatched.row(work, receipt_id=receipt_id)
    if row is None:
        raise NotFound(what="money waiting", which=receipt_id)
    return Unmatched(row["receipt_id"], row["amount_fen"], row["account"], row["received_on"], row["state"])


async def _post(work: Work, kind: str, key: str, lines: Mapping[tuple[str, str], int]) -> None:
    """Post once per (kind, key); another amount under the key is refused."""
    posting_id = derive("pg", NOBODY, key, kind)
    wanted = {where: fen for where, fen in lines.items() if fen}
    earlier = await store.SQL.find_posting.row(work, customer_id=NOBODY, posting_id=posting_id)
    if earlier:
        there = dict(zip(zip(earlier["accounts"], earlier["owners"], strict=True), earlier["amounts_fen"], strict=True))
        if there != wanted:
            raise KeyReused(key=key)
        return
    if await store.is_month_closed(work, work.today):
        raise MonthClosed(month=f"{work.today:%Y-%m}", day=work.today.isoformat())
    await store.add_posting(work, store.Posting(NOBODY, posting_id, None, None, kind, "", work.today, work.today, key, wanted))
