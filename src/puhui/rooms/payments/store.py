"""All SQL of the room."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from puhui.foundation import sql
from puhui.foundation.crypto import Sealed
from puhui.foundation.days import business_date
from puhui.foundation.money import Money
from puhui.foundation.sql import Row
from puhui.foundation.work import Work
from puhui.rooms.payments.collecting import MandateTerms
from puhui.rooms.payments.mandate import Mandate
from puhui.rooms.payments.order import Direction, Happened, OrderState, PaymentOrder, Purpose, Source
from puhui.rooms.payments.receipt import MoneyReceived
from puhui.rooms.payments.statement import Difference, Movement
from puhui.vocabulary.ids import CustomerId, LoanId, MandateId, PaymentOrderId

SQL = sql.load(__file__)
SEALED = (
    Sealed("payments.receipts", "memo", "payments.receipts.memo", "receipt_id"),
)


async def add(work: Work, order: PaymentOrder) -> bool:
    added = await SQL.add_order.run(
        work,
        customer_id=order.customer_id,
        payment_order_id=order.payment_order_id,
        loan_id=order.loan_id,
        direction=order.direction.value,
        purpose=order.purpose.value,
        amount_fen=order.amount.fen,
        sources=[[source.account, source.amount.fen] for source in order.sources],
        target=order.target,
        allow_partial=order.allow_partial,
        note=order.note,
        mandate_id=order.mandate_id,
        ordered_at=order.ordered_at,
        ordered_on=business_date(order.ordered_at),
        state=order.state.value,
    )
    return added == 1


async def find(work: Work, payment_order_id: PaymentOrderId, *, lock: bool = False) -> PaymentOrder | None:
    row = await (SQL.lock_order if lock else SQL.find_order).row(work, payment_order_id=payment_order_id)
    return _order(row) if row else None


async def put(work: Work, order: PaymentOrder) -> None:
    await SQL.set_order.run(
        work,
        customer_id=order.customer_id,
        payment_order_id=order.payment_order_id,
        state=order.state.value,
        rail_id=order.rail_id,
        seq=order.seq,
        done_fen=order.done.fen,
        fee_fen=order.fee.fen,
        ended_at=order.ended_at,
        ended_on=business_date(order.ended_at) if order.ended_at else None,
        returned_at=order.returned_at,
        returned_on=business_date(order.returned_at) if order.returned_at else None,
        code=order.code,
        tries=order.tries,
    )


async def of_loan(work: Work, customer_id: CustomerId, loan_id: LoanId) -> list[PaymentOrder]:
    return [_order(row) for row in await SQL.orders_of_loan.rows(work, customer_id=customer_id, loan_id=loan_id)]


async def is_repayment_open(work: Work, customer_id: CustomerId, loan_id: LoanId) -> bool:
    return bool(await SQL.is_repayment_open.value(work, customer_id=customer_id, loan_id=loan_id))


async def count(work: Work, customer_id: CustomerId, loan_id: LoanId, purpose: Purpose) -> int:
    return int(await SQL.count_orders.value(work, customer_id=customer_id, loan_id=loan_id, purpose=purpose.value))


async def customer_of_loan(work: Work, loan_id: LoanId) -> CustomerId | None:
    found = await SQL.customer_of_loan.value(work, loan_id=loan_id)
    return CustomerId(found) if found else None


async def not_ended(work: Work) -> Sequence[Row]:
    return await SQL.orders_not_ended.rows(work)


async def book(work: Work, order: PaymentOrder, kind: Happened) -> bool:
    """Mark that this end of the order is booked in this Work; False if it was before."""
    booked = await SQL.book.run(work, customer_id=order.customer_id, payment_order_id=order.payment_order_id, kind=kind.value, at=work.at)
    return booked == 1


async def movements(work: Work, day: date) -> list[Movement]:
    rows = await SQL.movements_of_day.rows(work, day=day)
    return [Movement(row["key"], row["direction"], row["state"], row["amount_fen"], row["fee_fen"], day) for row in rows]


async def add_mandate(work: Work, mandate: Mandate) -> None:
    await SQL.add_mandate.run(
        work,
        customer_id=mandate.customer_id,
        mandate_id=mandate.mandate_id,
        loan_id=mandate.loan_id,
        account=mandate.account,
        max_each_fen=mandate.terms.max_each.fen,
        until=mandate.terms.until,
        contract_sha256=mandate.contract_sha256,
        changed_at=work.at,
    )


async def mandate(work: Work, customer_id: CustomerId, loan_id: LoanId) -> tuple[MandateId, str, MandateTerms] | None:
    row = await SQL.mandate_of_loan.row(work, customer_id=customer_id, loan_id=loan_id)
    if row is None:
        return None
    return MandateId(row["mandate_id"]), row["account"], MandateTerms(Money(row["max_each_fen"]), row["until"], row["is_on"])


async def hold_loan(work: Work, customer_id: CustomerId, loan_id: LoanId) -> None:
    await SQL.hold_loan.value(work, customer_id=customer_id, loan_id=loan_id)


async def switch_mandate(work: Work, customer_id: CustomerId, loan_id: LoanId, *, is_on: bool) -> int:
    return await SQL.switch_mandate.run(work, customer_id=customer_id, loan_id=loan_id, is_on=is_on, changed_at=work.at)


async def add_receipt(work: Work, receipt: MoneyReceived) -> bool:
    added = await SQL.add_receipt.run(
        work,
        receipt_id=receipt.receipt_id,
        customer_id=receipt.customer_id,
        loan_id=receipt.loan_id,
        account=receipt.account,
        amount_fen=receipt.amount.fen,
        payer_tail=receipt.payer_tail,
        memo=work.keys.seal("payments.receipts.memo", receipt.receipt_id, receipt.memo),
        received_at=receipt.received_at,
        received_on=business_date(receipt.received_at),
        state="matched" if receipt.loan_id else "unmatched",
        matched_at=work.at if receipt.loan_id else None,
        matched_by=work.actor.name if receipt.loan_id else None,
    )
    return added == 1


async def lock_receipt(work: Work, receipt_id: str) -> tuple[MoneyReceived, str] | None:
    row = await SQL.lock_receipt.row(work, receipt_id=receipt_id)
    if row is None:
        return None
    memo = work.keys.open_text("payments.receipts.memo", receipt_id, bytes(row["memo"]))
    found = MoneyReceived(
        receipt_id=receipt_id,
        account=row["account"],
        amount=Money(row["amount_fen"]),
        payer_tail=row["payer_tail"],
        memo=memo,
        received_at=row["received_at"],
        customer_id=CustomerId(row["customer_id"]) if row["customer_id"] else None,
        loan_id=LoanId(row["loan_id"]) if row["loan_id"] else None,
    )
    return found, row["state"]


async def unmatched(work: Work, most: int | None, skip: int) -> Sequence[Row]:
    return await SQL.unmatched.rows(work, most=most, skip=skip)


async def match(work: Work, receipt_id: str, customer_id: CustomerId, loan_id: LoanId) -> None:
    await SQL.match_receipt.run(work, receipt_id=receipt_id, customer_id=customer_id, loan_id=loan_id, at=work.at, actor=work.actor.name)


async def add_file(work: Work, *, name: str, day: date, sha256: str, rows: int, state: str, why: str | None) -> None:
    await SQL.add_file.run(work, name=name, business_date=day, sha256=sha256, row_count=rows, state=state, why=why, at=work.at)


async def is_compared(work: Work, day: date) -> bool:
    return bool(await SQL.is_day_compared.value(work, business_date=day))


async def put_breaks(work: Work, day: date, differences: Iterable[Difference]) -> None:
    """Set the day's open differences: those of an earlier revision that nobody has looked at are replaced."""
    await SQL.drop_found_breaks.run(work, business_date=day, at=work.at)
    for one in differences:
        where = {"business_date": day, "key": one.key, "kind": one.kind.value}
        sides = {"ours": _movement_facts(one.ours), "theirs": _movement_facts(one.theirs)}
        if not await SQL.add_break.run(work, **where, **sides, amount_fen=one.amount_fen, found_at=work.at):
            await SQL.reopen_break.run(work, **where)


async def add_break(work: Work, day: date, difference: Difference) -> None:
    """Keep one difference that was found outside the file."""
    await SQL.add_break.run(
        work,
        business_date=day,
        key=difference.key,
        kind=difference.kind.value,
        ours=_movement_facts(difference.ours),
        theirs=_movement_facts(difference.theirs),
        amount_fen=difference.amount_fen,
        found_at=work.at,
    )


async def open_breaks(work: Work, most: int | None, skip: int) -> Sequence[Row]:
    return await SQL.open_breaks.rows(work, most=most, skip=skip)


async def explain_break(work: Work, *, day: date, key: str, kind: str, state: str, explanation: str) -> int:
    return await SQL.explain_break.run(
        work,
        business_date=day,
        key=key,
        kind=kind,
        state=state,
        explanation=explanation,
        explained_by=work.actor.name,
        closed_at=work.at if state == "closed" else None,
    )


async def cursors(work: Work, services: Sequence[str]) -> dict[str, str]:
    return {row["service"]: row["cursor"] for row in await SQL.read_cursors.rows(work, services=list(services))}


async def set_cursor(work: Work, service: str, cursor: str) -> None:
    await SQL.set_cursor.run(work, service=service, cursor=cursor, at=work.at)


async def orders_of_customer(work: Work, customer_id: CustomerId) -> Sequence[Row]:
    return await SQL.orders_of_customer.rows(work, customer_id=customer_id)


async def mandates_of_customer(work: Work, customer_id: CustomerId) -> Sequence[Row]:
    return await SQL.mandates_of_customer.rows(work, customer_id=customer_id)


def _order(row: Row) -> PaymentOrder:
    order = PaymentOrder(
        payment_order_id=PaymentOrderId(row["payment_order_id"]),
        customer_id=CustomerId(row["customer_id"]),
        loan_id=LoanId(row["loan_id"]) if row["loan_id"] else None,
        direction=Direction(row["direction"]),
        purpose=Purpose(row["purpose"]),
        amount=Money(row["amount_fen"]),
        sources=tuple(Source(account, Money(fen)) for account, fen in row["sources"]),
        target=row["target"],
        allow_partial=row["allow_partial"],
        note=row["note"],
        ordered_at=row["ordered_at"],
        mandate_id=MandateId(row["mandate_id"]) if row["mandate_id"] else None,
    )
    return replace(
        order,
        state=OrderState(row["state"]),
        rail_id=row["rail_id"],
        seq=row["seq"],
        done=Money(row["done_fen"]),
        fee=Money(row["fee_fen"]),
        ended_at=row["ended_at"],
        returned_at=row["returned_at"],
        code=row["code"],
        tries=row["tries"],
    )


def _movement_facts(movement: Movement | None) -> Mapping[str, Any] | None:
    if movement is None:
        return None
    return {
        "direction": movement.direction,
        "state": movement.state,
        "amount_fen": movement.amount_fen,
        "fee_fen": movement.fee_fen,
        "day": movement.day.isoformat(),
    }


