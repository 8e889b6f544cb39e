"""What can be done with payments: order, mark sent, learn what the rail says, match money, lay the rail's day beside ours."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from puhui.foundation.dayfiles import DayFileRefused
from puhui.foundation.days import business_date
from puhui.foundation.refusals import KeyReused, NotFound
from puhui.foundation.work import Work
from puhui.rooms.payments import order as orders
from puhui.rooms.payments import store
from puhui.rooms.payments.collecting import MandateTerms
from puhui.rooms.payments.mandate import Mandate
from puhui.rooms.payments.order import Happened, OrderState, PaymentOrder, Purpose, RailSays
from puhui.rooms.payments.receipt import MoneyReceived, loan_named
from puhui.rooms.payments.statement import BreakKind, Difference, Movement, compare, read_transfers
from puhui.vocabulary.events import PaymentOrdered
from puhui.vocabulary.ids import CustomerId, LoanId, MandateId, PaymentOrderId


@dataclass(frozen=True, slots=True)
class MandateInForce:
    """A loan's mandate as it stands: id, account, and what it allows."""

    mandate_id: MandateId
    account: str
    terms: MandateTerms


async def order(work: Work, wanted: PaymentOrder) -> PaymentOrder:
    """Write down an instruction; it commits before anything is sent. The same again gives the first as it stands now.

    Raises: KeyReused (the id belongs to another instruction).
    """
    assert wanted.state in {OrderState.CREATED, OrderState.SENT}, wanted.state
    if await store.add(work, wanted):
        work.emit(
            PaymentOrdered(wanted.customer_id, wanted.payment_order_id, wanted.loan_id or "", wanted.direction.value, wanted.amount.fen)
        )
        return wanted
    known = await find(work, payment_order_id=wanted.payment_order_id)
    same = (known.customer_id, known.loan_id, known.direction, known.purpose, known.amount, known.target)
    if same != (wanted.customer_id, wanted.loan_id, wanted.direction, wanted.purpose, wanted.amount, wanted.target):
        raise KeyReused(key=wanted.payment_order_id)
    return known


async def find(work: Work, *, payment_order_id: PaymentOrderId) -> PaymentOrder:
    """Give an order as it stands. Raises NotFound."""
    found = await store.find(work, payment_order_id)
    if found is None:
        raise NotFound(what="payment order", which=payment_order_id)
    return found


async def find_or_none(work: Work, *, payment_order_id: PaymentOrderId) -> PaymentOrder | None:
    """Give an order as it stands, or None if it is not ours."""
    return await store.find(work, payment_order_id)


async def lock(work: Work, *, payment_order_id: PaymentOrderId) -> PaymentOrder | None:
    """Give an order and hold it until the Work ends, so that two tellers of one end wait for each other; None if it is not ours."""
    return await store.find(work, payment_order_id, lock=True)


async def mark_sending(work: Work, *, payment_order_id: PaymentOrderId) -> PaymentOrder:
    """Mark that the call is about to be made, and count it. Raises OrderAlreadySent (it has ended)."""
    found = await _locked(work, payment_order_id)
    sending = orders.sending(found)
    sending = replace(sending, tries=found.tries + 1)
    await store.put(work, sending)
    return sending


async def mark_unanswered(work: Work, *, payment_order_id: PaymentOrderId) -> PaymentOrder:
    """Mark that nobody answered; what has ended meanwhile stays."""
    found = orders.unanswered(await _locked(work, payment_order_id))
    await store.put(work, found)
    return found


async def learn(work: Work, *, payment_order_id: PaymentOrderId, says: RailSays) -> tuple[PaymentOrder, list[Happened]]:
    """Fold in what the rail says; give the order and what is to be booked now, each thing once for ever, in booking order.

    Raises: RailContradictsItself, NotFound.
    """
    learnt, happened = orders.learn(await _locked(work, payment_order_id), says)
    await store.put(work, learnt)
    return learnt, [one for one in happened if await store.book(work, learnt, one)]


async def take_refusal(work: Work, *, payment_order_id: PaymentOrderId, code: str) -> tuple[PaymentOrder, list[Happened]]:
    """Take the rail's signed refusal: nothing moved, nor will under this key."""
    refused, happened = orders.refused(await _locked(work, payment_order_id), code=code, at=work.at)
    await store.put(work, refused)
    return refused, [one for one in happened if await store.book(work, refused, one)]


async def cancel(work: Work, *, payment_order_id: PaymentOrderId) -> PaymentOrder:
    """Take back an order that was never sent. Raises OrderAlreadySent, NotFound."""
    found = orders.cancelled(await _locked(work, payment_order_id))
    await store.put(work, found)
    return found


async def orders_of(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> list[PaymentOrder]:
    """Give every order of a loan, oldest first."""
    return await store.of_loan(work, customer_id, loan_id)


async def is_repayment_open(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> bool:
    """Say whether a repayment of this loan is on its way and its end is not known."""
    return await store.is_repayment_open(work, customer_id, loan_id)


async def count_of(work: Work, *, customer_id: CustomerId, loan_id: LoanId, purpose: Purpose) -> int:
    """Count the orders of a loan for one purpose: the next one's number is one more."""
    return await store.count(work, customer_id, loan_id, purpose)


async def not_ended(work: Work) -> list[Mapping[str, Any]]:
    """Give every order that has not ended, oldest first."""
    return [dict(row) for row in await store.not_ended(work)]


async def orders_page(
    work: Work, *, state: str | None = None, purpose: str | None = None, most: int = 25, skip: int = 0
) -> tuple[list[Mapping[str, Any]], int]:
    """Give a page of orders, the newest first, and how many there are."""
    rows = await store.SQL.orders_page.rows(work, state=state, purpose=purpose, most=most, skip=skip)
    return [dict(row) for row in rows], int(await store.SQL.orders_page_count.value(work, state=state, purpose=purpose))


async def orders_by_state(work: Work) -> list[Mapping[str, Any]]:
    """Count the orders by state."""
    return [dict(row) for row in await store.SQL.orders_by_state.rows(work)]


async def all_ends(work: Work) -> list[Mapping[str, Any]]:
    """Give every order with its state and how often each end of it was booked: what a comparison with the rail needs."""
    return [dict(row) for row in await store.SQL.all_ends.rows(work)]


async def add_mandate(work: Work, mandate: Mandate) -> None:
    """Keep a mandate signed with its contract; the same again changes nothing."""
    await store.add_mandate(work, mandate)


async def hold_loan(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> None:
    """Let whoever else would order a repayment of this loan wait until this Work ends, and find it then."""
    await store.hold_loan(work, customer_id, loan_id)


async def mandate_of(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> MandateInForce | None:
    """Give a loan's mandate, or None."""
    found = await store.mandate(work, customer_id, loan_id)
    return MandateInForce(*found) if found else None


async def switch_collecting(work: Work, *, customer_id: CustomerId, loan_id: LoanId, is_on: bool) -> None:
    """Switch collecting by itself on or off, as the person wants. Raises NotFound."""
    if not await store.switch_mandate(work, customer_id, loan_id, is_on=is_on):
        raise NotFound(what="mandate", which=loan_id)


async def end_mandate(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> None:
    """Switch a mandate off for good, if there is one: its loan is no more."""
    await store.switch_mandate(work, customer_id, loan_id, is_on=False)


async def receive(work: Work, received: MoneyReceived) -> MoneyReceived | None:
    """Take money a person sent by himself: matched to the paid-out loan that its memo names, else unmatched. None if we knew of it."""
    loan_id = loan_named(received.memo)
    customer_id = await store.customer_of_loan(work, loan_id) if loan_id else None
    matched = replace(received, loan_id=loan_id if customer_id else None, customer_id=customer_id)
    return matched if await store.add_receipt(work, matched) else None


async def match_by_hand(work: Work, *, receipt_id: str, loan_id: LoanId) -> MoneyReceived:
    """Give unmatched money its loan. Raises NotFound (no such money waiting, or no such loan)."""
    found = await store.lock_receipt(work, receipt_id)
    if found is None or found[1] != "unmatched":
        raise NotFound(what="unmatched money", which=receipt_id)
    customer_id = await store.customer_of_loan(work, loan_id)
    if customer_id is None:
        raise NotFound(what="loan", which=loan_id)
    await store.match(work, receipt_id, customer_id, loan_id)
    return replace(found[0], customer_id=customer_id, loan_id=loan_id)


async def unmatched(work: Work, *, most: int | None = None, skip: int = 0) -> list[Mapping[str, Any]]:
    """Give the queue of unmatched money, oldest first, without what people wrote: all of it, or a page."""
    return [dict(row) for row in await store.unmatched(work, most, skip)]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits for somebody: orders nobody answered, differences not closed, money without its loan."""

    unknown_orders: int
    open_breaks: int
    unmatched: int


async def waiting(work: Work) -> Waiting:
    return Waiting(**(await store.SQL.waiting.row(work) or {}))


async def reconcile(work: Work, *, day: date, files: Mapping[str, bytes]) -> list[Difference]:
    """Lay the rail's files of a day (all parts, newest revisions) beside our orders; keep every difference, named and classed.

    Raises: DayFileRefused (nothing of a bad file is used).
    """
    theirs = [movement for name, content in sorted(files.items()) for movement in read_transfers(name, content)]
    differences = compare(await store.movements(work, day), theirs)
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        await store.add_file(work, name=name, day=day, sha256=digest, rows=len(theirs), state="compared", why=None)
    await store.put_breaks(work, day, differences)
    return differences


async def note_callback_differs(work: Work, *, order: PaymentOrder, told: RailSays, asked: RailSays) -> None:
    """Keep that a callback said other than the rail itself when asked; what GET says was booked."""
    sides = (_movement(work, order, asked), _movement(work, order, told))
    await store.add_break(work, work.today, Difference(BreakKind.CALLBACK_DIFFERS, order.payment_order_id, *sides))


def _movement(work: Work, order: PaymentOrder, says: RailSays) -> Movement:
    day = business_date(says.ended_at) if says.ended_at else work.today
    return Movement(order.payment_order_id, order.direction.value, says.state.value, says.done.fen, says.fee.fen, day)


async def note_bad_file(work: Work, *, name: str, day: date, content: bytes, refusal: DayFileRefused) -> None:
    """Keep that a file could not be read, and why."""
    digest = hashlib.sha256(content).hexdigest()
    await store.add_file(work, name=name, day=day, sha256=digest, rows=0, state="refused", why=refusal.text)


async def is_reconciled(work: Work, *, day: date) -> bool:
    """Say whether the rail's file of a day has been compared."""
    return await store.is_compared(work, day)


async def open_breaks(work: Work, *, most: int | None = None, skip: int = 0) -> list[Mapping[str, Any]]:
    """Give the differences that are not closed, oldest first: all of them, or a page."""
    return [dict(row) for row in await store.open_breaks(work, most, skip)]


async def explain_break(work: Work, *, day: date, key: str, kind: str, explanation: str, state: str = "explained") -> None:
    """Write down why a difference arose (`explained`), that it was put right (`corrected`) or is done with (`closed`). Raises NotFound."""
    assert state in {"explained", "corrected", "closed"}, state
    if not await store.explain_break(work, day=day, key=key, kind=kind, state=state, explanation=explanation):
        raise NotFound(what="break", which=f"{day} {key} {kind}")


async def cursors(work: Work, services: Sequence[str]) -> dict[str, str]:
    """Give how far each service's list of events has been read; empty at first."""
    return dict.fromkeys(services, "") | await store.cursors(work, services)


async def move_cursor(work: Work, *, service: str, cursor: str) -> None:
    """Keep how far a service's list of events has been read."""
    await store.set_cursor(work, service, cursor)


async def export(work: Work, *, customer_id: CustomerId) -> Mapping[str, Any]:
    """Give the person's own payments and mandates."""
    return {
        "orders": [dict(row) for row in await store.orders_of_customer(work, customer_id)],
        "mandates": [dict(row) for row in await store.mandates_of_customer(work, customer_id)],
    }


async def erase(work: Work, *, customer_id: CustomerId) -> list[str]:
    """Payment records hold account tokens and no names; money that moved is kept as long as the law wants. Gives what is kept."""
    return ["payments.orders"] if await store.orders_of_customer(work, customer_id) else []


async def _locked(work: Work, payment_order_id: PaymentOrderId) -> PaymentOrder:
    found = await store.find(work, payment_order_id, lock=True)
    if found is None:
        raise NotFound(what="payment order", which=payment_order_id)
    return found


