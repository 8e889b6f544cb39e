"""A pay-out that comes back after the shop has refunded: nothing is owed, and the shop has its money again, in either order."""

import pytest

from puhui.engines import schedules
from puhui.foundation import flows
from puhui.foundation.desk import Desk
from puhui.foundation.money import Money
from puhui.foundation.outbox import Stored
from puhui.journeys import purchase
from puhui.journeys.instruct import flow_of
from puhui.rooms import channels, ledger, payments
from puhui.rooms.channels import PurchaseItem, PurchaseState
from puhui.rooms.payments import Direction, OrderState, PaymentOrder, Purpose, RailSays, RailState, Source
from puhui.vocabulary.ids import CustomerId, LoanId, PaymentOrderId, derive

LI, LOAN, APPLICATION = CustomerId("cu-001-li"), LoanId("ln-001-a"), "ap-001-a"
PRICE, BACK = 200_000, 50_000


async def sold(desk: Desk) -> tuple[channels.Purchase, PaymentOrder]:
    """A purchase that was paid by a loan, and a refund of the shop on its way."""
    scene = next(one for one in channels.scenes().values() if one.fits(PRICE, 6))
    async with desk.work() as work:
        _, token = await channels.quote_purchase(
            work, merchant_id=scene.merchant_id, order_id="od-1", scene_id=scene.scene_id, amount_fen=PRICE,
            items=[PurchaseItem("x", PRICE, scene.category)], buyer_ref="", return_url="",
        )  # fmt: skip
        bought = await channels.demand_purchase(work, token=token, amount_fen=PRICE, months=6, purpose=scene.purpose)
        await channels.tie_purchase(work, bought, customer_id=LI, application_id=APPLICATION)
        await ledger.disburse(
            work,
            loan=ledger.NewLoan(
                LI, LOAN, APPLICATION, "starter", "cn-365", schedules.convention("cn-365").sha256, "0" * 64, PRICE, 144_000, 6,
                schedules.Method.LEVEL_PAYMENT, (ledger.Leg("lender", 1_000_000),),
            ),
            payment_order_id="po-001-out", value_date=work.today, signed_at=work.at,
        )  # fmt: skip
        await purchase.on_disbursed(work, Stored(1, "LoanDisbursed", LI, work.at, {"application_id": APPLICATION, "loan_id": LOAN}))
        order = PaymentOrder(
            PaymentOrderId(derive("po", LI, "rf-1", "shop-refund")), LI, LOAN, Direction.COLLECT, Purpose.SHOP_REFUND, Money(BACK),
            (Source(purchase.account_of(scene.merchant_id), Money(BACK)),), ledger.CLEARING, False, "shop refund", work.at, state=OrderState.SENT,
        )  # fmt: skip
        await payments.order(work, order)
        await channels.ask_refund(
            work, merchant_id=scene.merchant_id, order_id="od-1", refund_id="rf-1", amount_fen=BACK, reason="", payment_order_id=order.payment_order_id
        )
        return await channels.find_purchase(work, merchant_id=scene.merchant_id, order_id="od-1"), order


async def refund_arrives(desk: Desk, order: PaymentOrder) -> None:
    async with desk.work() as work:
        says = RailSays("r-1", RailState.PAID, order.amount, Money(0), 1, work.at, None)
        learnt, happened = await payments.learn(work, payment_order_id=order.payment_order_id, says=says)
        for one in happened:
            await purchase.book_refund(work, learnt, one)


async def pay_out_returns(desk: Desk) -> None:
    async with desk.work() as work:
        await ledger.reverse_disbursement(work, customer_id=LI, loan_id=LOAN, payment_order_id="po-001-out")
        await purchase.on_returned(work, Stored(2, "DisbursementReturned", LI, work.at, {"loan_id": LOAN}))


@pytest.mark.parametrize("refund_first", [True, False])
async def test_a_sale_that_came_to_nothing_gives_the_shop_its_refund_back(desk: Desk, refund_first: bool):
    bought, order = await sold(desk)
    if refund_first:
        await refund_arrives(desk, order)
        async with desk.work() as work:
            loan = await ledger.find_loan(work, LI, LOAN)
        assert loan is not None
        assert loan.principal_owed_fen == PRICE - BACK
        await pay_out_returns(desk)
    else:
        await pay_out_returns(desk)
        await refund_arrives(desk, order)
    async with desk.work() as work:
        loan = await ledger.find_loan(work, LI, LOAN)
        assert loan is not None
        assert (loan.payoff_fen, loan.credit_fen) == (0, 0)
        done = await channels.find_purchase(work, merchant_id=bought.merchant_id, order_id="od-1")
        assert (done.state, done.refunded_fen, done.refund_asked_fen) == (PurchaseState.CANCELLED, 0, 0)
        (back,) = [one for one in await payments.orders_of(work, customer_id=LI, loan_id=LOAN) if one.purpose is Purpose.SHOP_RETURN]
        assert (back.target, back.amount) == (purchase.account_of(bought.merchant_id), Money(BACK))
        assert await flows.is_living(work, flow_of(back.customer_id, back.payment_order_id))
        assert await channels.merchant_positions(work) == {bought.merchant_id: 0}
        assert list(await channels.purchase_faults(work)) == []
        assert await ledger.check(work) == []
