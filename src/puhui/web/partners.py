"""Where entry apps and shops call: sessions, the list of entries, orders with delivery and refund. Signed both ways."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puhui.foundation.desk import Desk
from puhui.foundation.work import Actor
from puhui.journeys import enter, register, shop, tell_partner
from puhui.web.doors import Door
from puhui.web.wire import Reply, Signed, answer_signed, parse


async def open_session(desk: Desk, signed: Signed, body: enter.OpenSession) -> Any:
    return await enter.open_session(desk, partner_id=signed.owner, body=body, key=signed.idempotency_key)


async def entries(desk: Desk, _signed: Signed, _body: None) -> Any:
    return await enter.entries(desk)


async def quote_order(desk: Desk, signed: Signed, body: shop.QuoteOrder) -> Any:
    return await shop.quote_order(desk, partner_id=signed.owner, body=body)


async def find_order(desk: Desk, signed: Signed, _body: None) -> Any:
    return await shop.find_order(desk, partner_id=signed.owner, order_id=signed.path_args["order_id"])


async def deliver_order(desk: Desk, signed: Signed, body: shop.Deliver) -> Any:
    return await shop.deliver(desk, partner_id=signed.owner, order_id=signed.path_args["order_id"], body=body)


async def refund_order(desk: Desk, signed: Signed, body: shop.Refund) -> Any:
    return await shop.refund(desk, partner_id=signed.owner, order_id=signed.path_args["order_id"], body=body)


async def my_keys(desk: Desk, signed: Signed, _body: None) -> Any:
    return await register.keys_of(desk, partner_id=await register.partner_of(desk, signed.owner))


async def new_key(desk: Desk, signed: Signed, body: register.NewKey) -> Any:
    partner_id = await register.partner_of(desk, signed.owner)
    return await register.take_key(desk, actor=Actor("partner", signed.owner), partner_id=partner_id, body=body)


async def my_events(desk: Desk, signed: Signed, _body: None) -> Any:
    return await tell_partner.delivery_log(desk, partner_id=signed.owner)


DOORS = [
    Door("POST", "/entry/v1/sessions", "open_session", "Open a session of an entry.", open_session, enter.OpenSession, is_signed=True),
    Door("GET", "/entry/v1/entries", "list_entries", "All entries with their kind, owner and state.", entries, is_signed=True),
    Door("POST", "/partner/v1/orders", "quote_order", "Quote a purchase on installments.", quote_order, shop.QuoteOrder, is_signed=True),
    Door("GET", "/partner/v1/orders/{order_id}", "find_order", "How a purchase stands.", find_order, is_signed=True),
    Door("POST", "/partner/v1/orders/{order_id}/deliver", "deliver_order", "Say that it was delivered.", deliver_order, shop.Deliver, is_signed=True),
    Door("GET", "/partner/v1/keys", "list_keys", "Your keys, old ones too.", my_keys, is_signed=True),
    Door("POST", "/partner/v1/keys", "rotate_key", "Publish a new key, and say when the old one ends: both are good in between.", new_key, register.NewKey, is_signed=True),
    Door("GET", "/partner/v1/events", "list_events", "The newest events we had for you, how often each was tried, and whether you took it.", my_events, is_signed=True),
    Door("POST", "/partner/v1/orders/{order_id}/refunds", "refund_order", "Give back part or all.", refund_order, shop.Refund, is_signed=True),
]


def _route(door: Door) -> Route:
    async def call(desk: Desk, signed: Signed) -> Reply:
        body = parse(signed.body, door.body) if door.body else None
        return Reply(await door.answer(desk, signed, body))

    return Route(door.path, _signed(call), methods=[door.method])


def _signed(call: Callable[[Desk, Signed], Awaitable[Reply]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await answer_signed(request.app.state.desk, request, call)

    return endpoint


ROUTES = [_route(door) for door in DOORS]
