"""The comparison of every fen at the rail with our books finds what was lost, done twice, or does not add up."""

from datetime import UTC, datetime

from puhui.foundation.money import Money
from puhui.proofs import money
from puhui.rooms import ledger, payments
from puhui.rooms.payments import Direction, PaymentOrder, Purpose, RailSays, RailState, Source
from puhui.vocabulary.ids import CustomerId, LoanId, PaymentOrderId

ORDER = "po-001-aaaaaaaaaaaaaaaaaaaaaaaa"


def rail(*transfers, main=0, is_constant=True):
    return {"accounts": [{"account": ledger.MAIN, "balance_fen": main}], "transfers": list(transfers), "is_constant": is_constant}


def moved(order_id=ORDER, state="paid", loan_id="ln-001-a", purpose="disburse"):
    return {"order_id": order_id, "direction": "pay_out", "state": state, "done_fen": 300_000, "loan_id": loan_id, "purpose": purpose}


async def ordered(work):
    order = PaymentOrder(
        payment_order_id=PaymentOrderId(ORDER),
        customer_id=CustomerId("cu-001-li"),
        loan_id=LoanId("ln-001-a"),
        direction=Direction.PAY_OUT,
        purpose=Purpose.DISBURSE,
        amount=Money(300_000),
        sources=(Source(ledger.MAIN, Money(300_000)),),
        target="acct-1",
        allow_partial=False,
        note="disburse",
        ordered_at=work.at,
    )
    await payments.order(work, order)
    await payments.mark_sending(work, payment_order_id=PaymentOrderId(ORDER))


async def test_money_that_moved_and_is_not_booked_is_lost(work):
    assert (await money.check(work, rail(moved()))).lost == (ORDER,)
    await ordered(work)
    assert (await money.check(work, rail(moved()))).lost == (ORDER,)
    assert (await money.check(work, rail())).lost == ()


async def test_a_booked_pay_out_the_rail_does_not_know_is_invented_and_one_paid_twice_is_doubled(work):
    await ordered(work)
    says = RailSays("r-1", RailState.PAID, Money(300_000), Money(0), 2, datetime(2026, 9, 1, 1, 1, tzinfo=UTC), None)
    await payments.learn(work, payment_order_id=PaymentOrderId(ORDER), says=says)
    good = await money.check(work, rail(moved()))
    assert (good.lost, good.doubled) == ((), ())
    assert (await money.check(work, rail())).doubled == (ORDER,)
    twice = await money.check(work, rail(moved(), moved("po-001-b")))
    assert twice.doubled == ("ln-001-a",)


async def test_accounts_that_differ_and_a_rail_that_leaks_are_named(work):
    await ledger.open_books(work, balances={ledger.MAIN: 500})
    assert (await money.check(work, rail(main=500))).unbalanced == ()
    assert len((await money.check(work, rail(main=499))).unbalanced) == 1
    assert len((await money.check(work, rail(main=500, is_constant=False))).unbalanced) == 1
