"""A shop sells on installments: quoted, paid by a loan, refunded in part, delivered, and given back whole; every fen is found again."""

from typing import Any

import pytest
from whole_loop import Answered, Loop, Resident, whole_loop

from puhui.foundation.desk import Desk
from puhui.journeys import report
from puhui.proofs import invariants
from puhui.rooms import channels, ledger
from puhui.rooms.channels import RefundRule, Scene

PRICE = 200_000


def groceries() -> Scene:
    fitting = (one for one in channels.scenes().values() if one.purpose == "daily" and one.fits(PRICE, 6))
    return next(one for one in fitting if one.refund.rule is RefundRule.DAYS)


class Shop:
    """A shop's own side of an order, signed as the shop signs."""

    def __init__(self, loop: Loop, scene: Scene, order_id: str = "od-1") -> None:
        self.loop, self.scene, self.order_id = loop, scene, order_id
        self.signer = f"shop-{scene.merchant_id}"

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> dict[str, Any]:
        reply = await self.loop.town.world.client.signed(self.signer, method, path, body, key=key) if body else await self.loop.town.world.client.signed(
            self.signer, method, path
        )  # fmt: skip
        if not reply.is_good:
            raise Answered(reply.status, reply.body)
        return dict(reply.body)

    async def quote(self) -> dict[str, Any]:
        body = {
            "order_id": self.order_id, "merchant_id": self.scene.merchant_id, "scene_id": self.scene.scene_id, "amount_fen": PRICE,
            "items": [{"title": "米面油", "amount_fen": PRICE, "category": self.scene.category}], "buyer_ref": "b-1",
            "return_url": "https://shop.invalid/1",
        }  # fmt: skip
        return await self.ask("POST", "/partner/v1/orders", body, key=self.order_id)

    async def stands(self) -> tuple[str, int]:
        told = await self.ask("GET", f"/partner/v1/orders/{self.order_id}")
        return str(told["state"]), int(told["refunded_fen"])

    async def deliver(self) -> None:
        at = self.loop.desk.clock.now().isoformat(timespec="milliseconds")
        await self.ask("POST", f"/partner/v1/orders/{self.order_id}/deliver", {"delivered_at": at}, key=f"{self.order_id}-deliver")

    async def refund(self, refund_id: str, fen: int) -> None:
        path = f"/partner/v1/orders/{self.order_id}/refunds"
        await self.ask("POST", path, {"refund_id": refund_id, "amount_fen": fen, "reason": "退货"}, key=refund_id)
        await self.loop.pass_time(minutes=5)

    @property
    def balance(self) -> int:
        return int(self.loop.town.world.parts["rail"].accounts.balance(self.signer))


async def buyer(loop: Loop, token: str, scene: Scene) -> Resident:
    """Somebody to whom the purchase is offered."""
    for n in range(1, 24):
        resident = Resident(loop, n)
        await resident.settle_in()
        told = await resident.step("apply", amount_fen=PRICE, months=6, purpose=scene.purpose, order_token=token)
        resident.offers = told["show"].get("offers", [])
        if told["state"] == "offered":
            return resident
    raise AssertionError("nobody got an offer")


async def standing(loop: Loop, loan_id: str) -> tuple[ledger.LoanView, int]:
    """The loan as the ledger and as the bureau would have it, which must agree."""
    async with loop.desk.work() as work:
        customer_id = await ledger.borrower_of(work, loan_id)
        assert customer_id is not None
        loan = await ledger.find_loan(work, customer_id, loan_id)
        assert loan is not None
        told = await report.standing_of(work, customer_id, loan_id, work.today)
    return loan, told.principal_fen


async def test_refund_repayment_delivery_and_refund_again_leave_every_book_in_agreement(desk: Desk):
    scene = groceries()
    async with whole_loop(desk) as loop:
        shop = Shop(loop, scene)
        quoted = await shop.quote()
        assert quoted["quote"]["total_fen"] > PRICE
        assert await shop.quote() == quoted
        resident = await buyer(loop, quoted["order_token"], scene)
        before = shop.balance
        loan_id = await resident.borrow()
        assert await shop.stands() == ("funded", 0)
        assert shop.balance - before == PRICE
        loan, at_bureau = await standing(loop, loan_id)
        assert loan.principal_owed_fen == at_bureau == PRICE

        await shop.refund("rf-1", 80_000)
        assert await shop.stands() == ("refunded", 80_000)
        loan, at_bureau = await standing(loop, loan_id)
        assert loan.principal_owed_fen == at_bureau == PRICE - 80_000
        assert shop.balance - before == PRICE - 80_000
        with pytest.raises(Answered):
            await shop.refund("rf-2", PRICE - 80_000 + 1)

        loop.town.world.parts["rail"].keep(loop.folk.card_number(resident.n), 500_000)
        await resident.step("repay", loan_id=loan_id, amount_fen=20_000, intent="prepay", payment_key="tap-1")
        await loop.pass_time(days=1)
        repaid, _ = await standing(loop, loan_id)
        assert repaid.principal_owed_fen < loan.principal_owed_fen

        await shop.deliver()
        assert (await shop.stands())[0] == "refunded"
        await loop.pass_time(days=1)
        card = loop.town.world.parts["rail"].card_balance(loop.folk.card_number(resident.n))
        await shop.refund("rf-3", PRICE - 80_000)
        settled, at_bureau = await standing(loop, loan_id)
        assert (settled.standing.value, settled.credit_fen, at_bureau) == ("settled", 0, 0)
        assert shop.balance == before
        paid_more = loop.town.world.parts["rail"].card_balance(loop.folk.card_number(resident.n)) - card
        assert 0 < paid_more < PRICE - 80_000, "what no debt needed went back to the card"

        await loop.pass_time(days=2)
        assert await shop.stands() == ("settled", PRICE)
        async with loop.desk.work() as work:
            assert await channels.merchant_positions(work) == {scene.merchant_id: 0}
        assert (await invariants.run(loop.desk))["failed"] == []


async def test_an_order_is_paid_whole_in_its_own_terms_and_by_nobody_else(desk: Desk):
    scene = groceries()
    async with whole_loop(desk) as loop:
        quoted = await Shop(loop, scene).quote()
        resident = await buyer(loop, quoted["order_token"], scene)
        offer = resident.offers[0]
        with pytest.raises(Answered):
            await resident.step("accept", offer_id=offer["offer_id"], amount_fen=PRICE - 10_000, months=6)
        with pytest.raises(Answered) as refused:
            await resident.step("accept", offer_id=offer["offer_id"], amount_fen=PRICE, months=12)
        assert refused.value.status in {409, 422}
        other = Shop(loop, channels.scene("s001") if scene.merchant_id != channels.scene("s001").merchant_id else channels.scene("s002"))
        with pytest.raises(Answered) as foreign:
            await other.stands()
        assert foreign.value.status == 404
