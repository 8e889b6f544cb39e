"""Where shops sell: an order quoted, delivered, refunded, and told of in the shop's daily file.

The shop's money comes by the pay-out of the loan that the order's token ties to it; a refund is drawn from the shop's account and meets the
loan. Every morning at six each shop gets the lines of the closed day.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec

from puhui.engines import law
from puhui.foundation import flows
from puhui.foundation.dayfiles import DayFileName, write_dayfile
from puhui.foundation.days import business_date, instant
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.logs import log
from puhui.foundation.money import Money
from puhui.foundation.outbox import Reaction, Stored
from puhui.foundation.refusals import BadField, NotFound, Refusal
from puhui.foundation.runner import run_now
from puhui.foundation.services import Answer
from puhui.foundation.work import HOUSE, Actor, Work
from puhui.journeys.accept import charges_of, cost_rules
from puhui.journeys.instruct import flow_of, instruct
from puhui.journeys.purchase import account_of
from puhui.rooms import agreements, channels, partners
from puhui.rooms.agreements import LoanTerms
from puhui.rooms.channels import OrderDoesNotFit, Purchase, PurchaseItem, Scene
from puhui.rooms.ledger import CLEARING
from puhui.rooms.partners import Role
from puhui.rooms.payments import Direction, PaymentOrder, Purpose, Source
from puhui.vocabulary.ids import NOBODY, ApplicationId, CustomerId, LoanId, PartnerId, PaymentOrderId, derive
from puhui.vocabulary.products import Product, product

PRODUCT = "starter"
DAY = timedelta(days=1)
FILE_AT = time(6)
ASK_AGAIN = timedelta(minutes=30)
REFUSED = frozenset({400, 404, 409, 422})
COLUMNS = ("business_date", "order_id", "event", "amount_fen", "fee_fen", "net_fen")
_ID = re.compile(r"^[A-Za-z0-9_-]{1,40}$")


class NotYourOrder(Refusal):
    """{partner_id} may not act for the merchant {merchant_id}; nothing was done."""

    code = "shop.not-your-order"
    status = 403


class PurposeBarred(Refusal):
    """A loan may not pay for {what} (pack consumer-finance-company, or the product's own list); nothing was quoted."""

    code = "shop.purpose-barred"
    zh = "这类消费不能使用分期付款。"


class OrderItem(msgspec.Struct):
    """One thing in the basket."""

    title: str
    amount_fen: int
    category: str


class QuoteOrder(msgspec.Struct):
    """Body of `POST /partner/v1/orders`. `buyer_ref` is the shop's own name for the buyer; we never learn more of him from it."""

    order_id: str
    merchant_id: str
    scene_id: str
    items: list[OrderItem]
    amount_fen: int
    buyer_ref: str
    return_url: str


class Deliver(msgspec.Struct):
    """Body of `POST /partner/v1/orders/{id}/deliver`."""

    delivered_at: datetime


class Refund(msgspec.Struct):
    """Body of `POST /partner/v1/orders/{id}/refunds`."""

    refund_id: str
    amount_fen: int
    reason: str


async def quote_order(desk: Desk, *, partner_id: str, body: QuoteOrder) -> dict[str, Any]:
    """Take an order and say what it costs on installments at most: at the highest rate we lend at, over the scene's longest term.

    Raises: BadField, NotYourOrder, NotListed, NoSuchScene, OrderDoesNotFit, PurposeBarred, KeyReused.
    """
    _demand_texts(body)
    async with desk.work(Actor("partner", partner_id)) as work:
        await _demand_merchant(work, partner_id, body.merchant_id)
        await partners.listed(work, partner_id=PartnerId(body.merchant_id), role=Role.MERCHANT)
        sold, sells = product(PRODUCT), channels.scene(body.scene_id)
        _demand_allowed(work, sold, sells, body)
        bought, token = await channels.quote_purchase(
            work,
            merchant_id=body.merchant_id,
            order_id=body.order_id,
            scene_id=body.scene_id,
            amount_fen=body.amount_fen,
            items=[PurchaseItem(one.title, one.amount_fen, one.category) for one in body.items],
            buyer_ref=body.buyer_ref,
            return_url=body.return_url,
        )
        await _start_lapse(work, bought)
        quote = _quote(work, sold, sells, body.amount_fen)
    return {"order_token": token, "page_url": f"{desk.config.base_url}/borrower/o/{token}", "quote": quote}


async def find_order(desk: Desk, *, partner_id: str, order_id: str) -> dict[str, Any]:
    """Say how a shop's own order stands. Raises NotFound."""
    async with desk.look(Actor("partner", partner_id)) as work:
        return _told(await channels.find_purchase(work, merchant_id=await _merchant_of(work, partner_id), order_id=order_id))


async def deliver(desk: Desk, *, partner_id: str, order_id: str, body: Deliver) -> dict[str, Any]:
    """Note a delivery. Raises NotFound, WrongState, BadField."""
    if body.delivered_at.tzinfo is None:
        raise BadField(field="delivered_at", why="an instant carries its zone")
    async with desk.work(Actor("partner", partner_id)) as work:
        merchant_id = await _merchant_of(work, partner_id)
        on = business_date(body.delivered_at)
        return _told(await channels.deliver_purchase(work, merchant_id=merchant_id, order_id=order_id, delivered_on=on))


async def refund(desk: Desk, *, partner_id: str, order_id: str, body: Refund) -> dict[str, Any]:
    """Give a part or all of the price back: drawn from the shop's account, it meets the loan. The same `refund_id` moves money once.

    Raises: NotFound, RefundNotPossible, KeyReused, BadField.
    """
    if not _ID.fullmatch(body.refund_id) or len(body.reason) > 200:
        raise BadField(field="refund_id", why="1 to 40 of A-Z a-z 0-9 _ -, and a reason of at most 200 characters")
    async with desk.work(Actor("partner", partner_id)) as work:
        merchant_id = await _merchant_of(work, partner_id)
        bought = await channels.find_purchase(work, merchant_id=merchant_id, order_id=order_id)
        order = await _ask_refund(work, bought, body)
    await run_now(desk, flow_of(order.customer_id, order.payment_order_id))
    return await find_order(desk, partner_id=partner_id, order_id=order_id)


async def _ask_refund(work: Work, bought: Purchase, body: Refund) -> PaymentOrder:
    """Write the refund and its payment order down in one Work."""
    customer_id = CustomerId(bought.customer_id or NOBODY)
    order = PaymentOrder(
        payment_order_id=PaymentOrderId(derive("po", customer_id, f"{bought.merchant_id}|{body.refund_id}", "shop-refund")),
        customer_id=customer_id,
        loan_id=LoanId(bought.loan_id) if bought.loan_id else None,
        direction=Direction.COLLECT,
        purpose=Purpose.SHOP_REFUND,
        amount=Money(max(body.amount_fen, 1)),
        sources=(Source(account_of(bought.merchant_id), Money(max(body.amount_fen, 1))),),
        target=CLEARING,
        allow_partial=False,
        note="shop refund",
        ordered_at=work.at,
    )
    _, is_new = await channels.ask_refund(
        work,
        merchant_id=bought.merchant_id,
        order_id=bought.order_id,
        refund_id=body.refund_id,
        amount_fen=body.amount_fen,
        reason=body.reason,
        payment_order_id=order.payment_order_id,
    )
    return await instruct(work, order) if is_new else order


def _told(bought: Purchase) -> dict[str, Any]:
    return {"order_id": bought.order_id, "state": bought.state.value, "refunded_fen": bought.refunded_fen}


def _demand_texts(body: QuoteOrder) -> None:
    if not _ID.fullmatch(body.order_id):
        raise BadField(field="order_id", why="1 to 40 of A-Z a-z 0-9 _ -")
    texts = {"buyer_ref": body.buyer_ref, "return_url": body.return_url, **{f"items[{k}].title": one.title for k, one in enumerate(body.items)}}
    for name, text in texts.items():
        if len(text) > 500:
            raise BadField(field=name, why="at most 500 characters")
    if not body.return_url.startswith("https://"):
        raise BadField(field="return_url", why="it begins with https://")


def _demand_allowed(work: Work, sold: Product, sells: Scene, body: QuoteOrder) -> None:
    """Refuse what law or product does not let a loan pay for, and a price that no loan of ours has."""
    rules = law.shipped().ask(law.LenderRules, on=work.today)
    wanted = [sells.purpose, *(one.category for one in body.items)]
    for what in wanted:
        if not rules.is_purpose_allowed(what):
            raise PurposeBarred(what=what)
    if sells.purpose not in sold.purposes:
        raise PurposeBarred(what=sells.purpose)
    if not any(sold.is_on_sale(body.amount_fen, months) for months in sells.months):
        step = Money(sold.amount_step_fen)
        raise OrderDoesNotFit(order_id=body.order_id, why=f"loans are in steps of {step} yuan; the shop takes the rest itself")


def _quote(work: Work, sold: Product, sells: Scene, amount_fen: int) -> dict[str, int]:
    """Reckon the cost at the highest rate we lend at, so that no buyer pays more than he was told."""
    months = max(sells.months)
    terms = LoanTerms(
        loan_id=LoanId("quote"),
        application_id=ApplicationId("quote"),
        principal_fen=amount_fen,
        rate_ppm=max(band.rate_ppm for band in sold.bands if band.amount_max_fen),
        method=sold.methods[0],
        months=months,
        convention=sold.convention,
        paid_out_on=work.today,
        product=sold.id,
        product_sha256=sold.sha256,
    )
    told = agreements.quote(terms, charges=charges_of(sold, terms), rules=cost_rules(work.today))
    return {"months": months, "per_month_fen": told.per_month_fen, "total_fen": told.total_fen, "all_in_ppm": told.all_in_ppm}


async def _demand_merchant(work: Work, partner_id: str, merchant_id: str) -> None:
    if await _merchant_of(work, partner_id) != merchant_id:
        raise NotYourOrder(partner_id=partner_id, merchant_id=merchant_id)


async def _merchant_of(work: Work, partner_id: str) -> str:
    """Give the merchant that signs as this owner. Raises NotYourOrder."""
    merchant_id = partner_id.removeprefix("shop-")
    try:
        found = await partners.find(work, partner_id=PartnerId(merchant_id))
    except NotFound:
        raise NotYourOrder(partner_id=partner_id, merchant_id=merchant_id) from None
    if found.key_owner != partner_id or Role.MERCHANT not in found.roles:
        raise NotYourOrder(partner_id=partner_id, merchant_id=merchant_id)
    return merchant_id


# -- what happens by itself --------------------------------------------------------------------------------------------------------------------


async def _start_lapse(work: Work, bought: Purchase) -> None:
    await flows.start(
        work,
        flow_id=derive("fl", NOBODY, f"{bought.merchant_id}|{bought.order_id}", "purchase"),
        customer_id=NOBODY,
        kind="purchase",
        subject=bought.order_id,
        step="lapse",
        due=bought.lapses_at,
        state={"merchant_id": bought.merchant_id},
    )


async def lapse(desk: Desk, turn: Turn) -> Turn | None:
    """Step `purchase.lapse`: an order that nobody paid in its time is cancelled; one under application is looked at again a day later."""
    async with desk.work(HOUSE) as work:
        if not await channels.lapse_purchase(work, merchant_id=turn.state["merchant_id"], order_id=turn.subject):
            return await flows.move(work, turn, due=work.at + DAY)
        await flows.end(work, turn)
        return None


async def on_day_closed(work: Work, event: Stored) -> None:
    """Reaction to BusinessDayClosed: the shops get their files at six of the next morning."""
    day = date.fromisoformat(event.body["business_date"])
    await flows.start(
        work,
        flow_id=derive("fl", NOBODY, day.isoformat(), "shop-day"),
        customer_id=NOBODY,
        kind="shop-day",
        subject=day.isoformat(),
        step="send",
        due=instant(day + DAY, FILE_AT),
        state={},
    )


async def send_files(desk: Desk, turn: Turn) -> Turn | None:
    """Step `shop-day.send`: settle the orders with which nothing more can happen, and send each shop its lines of the day."""
    day = date.fromisoformat(turn.subject)
    async with desk.work(HOUSE) as work:
        await channels.settle_purchases(work)
        left = turn.state.get("left")
        merchants = await channels.merchants_on(work, day) if left is None else list(left)
    missed = [merchant_id for merchant_id in merchants if not await _send_file(desk, merchant_id, day)]
    async with desk.work(HOUSE) as work:
        if missed:
            return await flows.move(work, turn, due=work.at + ASK_AGAIN, state={"left": missed})
        await flows.end(work, turn)
        return None


async def _send_file(desk: Desk, merchant_id: str, day: date) -> bool:
    """Send one shop its file; give whether it has it."""
    async with desk.look(HOUSE) as work:
        rows = await channels.settlement_rows(work, merchant_id, day)
        partner = await partners.find(work, partner_id=PartnerId(merchant_id))
    content = write_dayfile(COLUMNS, [(row.business_date, row.order_id, row.event, row.amount_fen, row.fee_fen, row.net_fen) for row in rows])
    service = desk.service(f"shop-{merchant_id}", base_url=partner.address, owner=partner.key_owner)
    name = DayFileName(f"shop-settlement-{merchant_id}", day)
    answer = await service.send("PUT", f"/shop/{merchant_id}/v1/inbox/{name}", content)
    if isinstance(answer, Answer) and answer.status in REFUSED:
        log.error("shop.file-refused", merchant_id=merchant_id, day=day.isoformat(), code=answer.code)
    return isinstance(answer, Answer) and (answer.is_good or answer.status in REFUSED)


STEPS: Mapping[str, Step] = {"purchase.lapse": lapse, "shop-day.send": send_files}
REACTIONS: Mapping[str, Sequence[Reaction]] = {"BusinessDayClosed": (on_day_closed,)}
