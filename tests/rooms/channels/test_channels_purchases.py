"""One order through each of the 300 scenes, the rules of refunds as a table, and what a shop cannot do."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.foundation.days import business_date
from puhui.foundation.refusals import KeyReused, NotFound, WrongState
from puhui.foundation.work import Work
from puhui.rooms import channels
from puhui.rooms.channels import (
    OrderDoesNotFit,
    OrderTaken,
    OrderUnknown,
    Purchase,
    PurchaseItem,
    PurchaseState,
    RefundNotPossible,
    RefundRule,
    Scene,
)

TODAY = date(2026, 9, 1)


def later(work: Work, days: int) -> Work:
    at = work.at + timedelta(days=days)
    return replace(work, at=at, today=business_date(at))


async def quoted(work: Work, scene: Scene, order_id: str = "od-1") -> tuple[Purchase, str]:
    cheap = scene.amount_min_fen // 2
    items = [PurchaseItem(scene.title_zh, cheap, scene.category), PurchaseItem(scene.title_zh, scene.amount_min_fen - cheap, scene.category)]
    return await channels.quote_purchase(
        work, merchant_id=scene.merchant_id, order_id=order_id, scene_id=scene.scene_id, amount_fen=scene.amount_min_fen, items=items,
        buyer_ref="b-1", return_url="https://shop.invalid/1",
    )  # fmt: skip


async def funded(work: Work, scene: Scene, order_id: str = "od-1") -> Purchase:
    bought, token = await quoted(work, scene, order_id)
    tied = await channels.demand_purchase(work, token=token, amount_fen=bought.amount_fen, months=scene.months[0], purpose=scene.purpose)
    customer_id, application_id = "cu-001-a", f"ap-001-{scene.scene_id}-{order_id}"
    await channels.tie_purchase(work, tied, customer_id=customer_id, application_id=application_id)
    found = await channels.purchase_of_application(work, customer_id, application_id)
    assert found is not None
    term_until = work.today + timedelta(days=30 * scene.months[0])
    await channels.note_funded(work, found, loan_id=f"ln-001-{scene.scene_id}-{order_id}", funded_on=work.today, term_until=term_until)
    return await channels.find_purchase(work, merchant_id=scene.merchant_id, order_id=order_id)


async def refund(work: Work, bought: Purchase, fen: int, refund_id: str = "rf-1", end: str = "paid") -> Purchase:
    payment_order_id = f"po-{bought.merchant_id}-{bought.order_id}-{refund_id}"
    await channels.ask_refund(
        work, merchant_id=bought.merchant_id, order_id=bought.order_id, refund_id=refund_id, amount_fen=fen, reason="", payment_order_id=payment_order_id
    )
    return await channels.note_refund(work, payment_order_id=payment_order_id, state=end)


async def test_one_order_goes_through_each_of_the_300_scenes(work):
    """Quoted, tied, funded, delivered, refunded as far as its rule lets, settled; then every shop's figures agree with its lines."""
    wanted: dict[str, int] = {}
    for scene in channels.scenes().values():
        bought = await funded(work, scene, f"od-{scene.scene_id}")
        assert bought.state is PurchaseState.FUNDED
        bought = await channels.deliver_purchase(work, merchant_id=bought.merchant_id, order_id=bought.order_id, delivered_on=work.today)
        assert bought.state is PurchaseState.DELIVERED
        wanted[scene.merchant_id] = wanted.get(scene.merchant_id, 0) + bought.amount_fen
        most = bought.left_to_refund_fen(scene, work.today)
        assert (most == 0) is (scene.refund.rule is RefundRule.UNTIL_DELIVERY)
        if most:
            bought = await refund(work, bought, most, f"rf-{scene.scene_id}")
            assert (bought.state, bought.refunded_fen) == (PurchaseState.REFUNDED, most)
            wanted[scene.merchant_id] -= most
    assert len(channels.scenes()) >= 300
    assert await channels.settle_purchases(later(work, 500)) == len(channels.scenes())
    assert await channels.merchant_positions(work) == wanted
    assert list(await channels.purchase_faults(work)) == []
    lines = [row for merchant in await channels.merchants_on(work, TODAY) for row in await channels.settlement_rows(work, merchant, TODAY)]
    assert len({row.order_id for row in lines}) == 300


def test_scenes_differ_and_no_two_are_the_same():
    kinds = {(one.category, one.purpose, one.months, one.refund, one.amount_min_fen, one.amount_max_fen, one.merchant_id) for one in channels.scenes().values()}
    assert len(kinds) == len(channels.scenes()) >= 300


@pytest.mark.parametrize(
    ("rule", "days_after", "amount", "most"),
    [
        ("until_delivery", None, 100_000, 100_000), ("until_delivery", 0, 100_000, 0),
        ("days", 7, 100_000, 100_000), ("days", 8, 100_000, 0),
        ("restocking", None, 100_000, 100_000), ("restocking", 1, 100_000, 95_000), ("restocking", 8, 100_000, 0),
        ("pro_rata", 0, 100_000, 100_000), ("pro_rata", 180, 100_000, 50_000), ("pro_rata", 360, 100_000, 0),
    ],
)  # fmt: skip
def test_a_scenes_rule_says_how_much_goes_back(rule, days_after, amount, most):
    days, keep = {"restocking": (7, 50_000), "days": (7, 0), "by_item": (7, 0)}.get(rule, (0, 0))
    way_back = channels.Refund(RefundRule(rule), days, keep)
    delivered = None if days_after is None else TODAY
    assert way_back.most_fen(amount, delivered_on=delivered, on=TODAY + timedelta(days=days_after or 0), term_days=360) == most


@given(st.lists(st.tuples(st.sampled_from(["refund", "deliver", "day"]), st.integers(1, 100_000)), max_size=12), st.sampled_from(["s001", "s002", "s005", "s006"]))
def test_no_order_ever_gives_back_more_than_its_price(steps, scene_id):
    scene = channels.scene(scene_id)
    at = datetime(2026, 9, 1, 1, tzinfo=UTC)
    bought = Purchase(
        scene.merchant_id, "od", scene_id, scene.amount_max_fen, (PurchaseItem("", scene.amount_max_fen, scene.category),), "", "", at, at, "cu", "ap", "ln", TODAY,
        TODAY + timedelta(days=180),
    )  # fmt: skip
    on = TODAY
    for step, n in steps:
        if step == "day":
            on += timedelta(days=n % 60)
        elif step == "deliver" and bought.delivered_on is None:
            bought = replace(bought, delivered_on=on)
        elif step == "refund":
            fen = min(n, bought.left_to_refund_fen(scene, on))
            bought = replace(bought, refund_asked_fen=bought.refund_asked_fen + fen, refunded_fen=bought.refunded_fen + fen)
        assert 0 <= bought.refunded_fen <= bought.amount_fen
        assert bought.left_to_refund_fen(scene, on) <= bought.amount_fen - bought.refund_asked_fen


async def test_an_order_is_paid_by_one_application_at_its_price(work):
    scene = channels.scene("s001")
    bought, token = await quoted(work, scene)
    fitting = {"token": token, "amount_fen": bought.amount_fen, "months": scene.months[0], "purpose": scene.purpose}
    for other in ({"amount_fen": bought.amount_fen + 100}, {"months": 12}, {"purpose": "wedding"}):
        with pytest.raises(OrderDoesNotFit):
            await channels.demand_purchase(work, **(fitting | other))
    with pytest.raises(OrderUnknown):
        await channels.demand_purchase(work, **(fitting | {"token": "0" * 64}))
    tied = await channels.demand_purchase(work, **fitting)
    await channels.tie_purchase(work, tied, customer_id="cu-001-a", application_id="ap-001-a")
    with pytest.raises(OrderTaken):
        await channels.demand_purchase(work, **fitting)
    assert not await channels.lapse_purchase(work, merchant_id=scene.merchant_id, order_id="od-1")
    await channels.untie_purchase(work, customer_id="cu-001-a", application_id="ap-001-a")
    await channels.demand_purchase(work, **fitting)
    with pytest.raises(OrderTaken):
        await channels.demand_purchase(later(work, 4), **fitting)
    assert await channels.lapse_purchase(later(work, 4), merchant_id=scene.merchant_id, order_id="od-1")
    gone = await channels.find_purchase(work, merchant_id=scene.merchant_id, order_id="od-1")
    assert gone.state is PurchaseState.CANCELLED


async def test_the_same_order_again_is_the_same_and_another_under_its_id_is_refused(work):
    scene = channels.scene("s003")
    first, again = await quoted(work, scene), await quoted(work, scene)
    assert first[1] == again[1]
    with pytest.raises(KeyReused):
        await channels.quote_purchase(
            work, merchant_id=scene.merchant_id, order_id="od-1", scene_id="s003", amount_fen=scene.amount_min_fen + 1,
            items=[PurchaseItem("", scene.amount_min_fen + 1, scene.category)], buyer_ref="", return_url="",
        )  # fmt: skip
    with pytest.raises(OrderDoesNotFit):
        await channels.quote_purchase(
            work, merchant_id=scene.merchant_id, order_id="od-2", scene_id="s003", amount_fen=scene.amount_min_fen,
            items=[PurchaseItem("", scene.amount_min_fen, "securities")], buyer_ref="", return_url="",
        )  # fmt: skip
    with pytest.raises(NotFound):
        await channels.find_purchase(work, merchant_id="m099", order_id="od-1")


async def test_a_refund_moves_once_and_one_that_fails_can_be_asked_anew(work):
    scene = channels.scene("s002")
    bought = await funded(work, scene)
    half = bought.amount_fen // 2
    bought = await refund(work, bought, half)
    again = await refund(work, bought, half)
    assert again.refunded_fen == bought.refunded_fen == half
    with pytest.raises(KeyReused):
        await refund(work, bought, half - 1)
    failed = await refund(work, bought, bought.amount_fen - half, "rf-2", "failed")
    assert (failed.refund_asked_fen, failed.refunded_fen) == (half, half)
    whole = await refund(work, failed, bought.amount_fen - half, "rf-3")
    assert whole.refunded_fen == whole.amount_fen
    with pytest.raises(RefundNotPossible):
        await refund(work, whole, 1, "rf-4")
    with pytest.raises(WrongState):
        await channels.deliver_purchase(work, merchant_id=bought.merchant_id, order_id=bought.order_id, delivered_on=TODAY)
    assert list(await channels.purchase_faults(work)) == []


async def test_whole_items_only_where_the_scene_says_so(work):
    scene = next(one for one in channels.scenes().values() if one.refund.rule is RefundRule.BY_ITEM)
    bought = await funded(work, scene)
    await channels.deliver_purchase(work, merchant_id=bought.merchant_id, order_id=bought.order_id, delivered_on=TODAY)
    with pytest.raises(RefundNotPossible):
        await refund(work, bought, bought.items[0].amount_fen - 1)
    assert (await refund(work, bought, bought.items[0].amount_fen)).refunded_fen == bought.items[0].amount_fen


async def test_a_pay_out_that_came_back_cancels_the_sale_and_the_shop_gets_its_refund_back(work):
    scene = channels.scene("s002")
    bought = await refund(work, await funded(work, scene), 10_000)
    (owed,) = await channels.note_returned(work, bought)
    assert owed.amount_fen == 10_000
    done = await channels.note_refund(work, payment_order_id=owed.payment_order_id, state="given_back")
    assert (done.state, done.refunded_fen) == (PurchaseState.CANCELLED, 0)
    assert await channels.merchant_positions(work) == {scene.merchant_id: 0}
    assert list(await channels.purchase_faults(work)) == []
