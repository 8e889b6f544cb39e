"""A shop sells on installments: it makes the order at the platform, delivers when it is paid, and gives money back when goods return."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from puhui_town.people.line import insist
from puhui_town.wire import Ask, PlatformReply, Route, Service, Timer, Unanswered, World, instant, not_found
from puhui_town.wire.dayfiles import DayFileName, LineError, Wanted

SHOPS = 60
DELIVERS_AFTER_H = 26
LOOKS_EACH_H = 12
LOOKS_MAX = 40
RETURNS = 0.06
RETURNED_AFTER_DAYS = 4


@dataclass(frozen=True, slots=True)
class Scene:
    """What is sold where, for which purpose, for how much (fen), in which numbers of months."""

    scene_id: str
    merchant_id: str
    code: str
    title: str
    purpose: str
    price_min_fen: int
    price_max_fen: int
    months: tuple[int, ...]

    def fits(self, purpose: str, amount_fen: int) -> bool:
        return self.purpose == purpose and self.price_min_fen <= amount_fen <= self.price_max_fen


@cache
def scenes() -> tuple[Scene, ...]:
    """All scenes, in order of their number."""
    data = tomllib.loads(files("puhui_town.shops").joinpath("scenes.toml").read_text(encoding="utf-8"))
    found: list[Scene] = []
    for goods in data["goods"]:
        for plan in data["plan"]:
            n = len(found) + 1
            low = max(goods["price_fen"][0], plan["amount_fen"][0])
            high = max(min(goods["price_fen"][1], plan["amount_fen"][1]), low)
            shop = f"m{n * data['stride'] % data['shops'] + 1:03d}"
            found.append(Scene(f"s{n:03d}", shop, goods["code"], goods["title"], goods["purpose"], low, high, tuple(plan["months"])))
    return tuple(found)


class Order(msgspec.Struct):
    """A purchase as its shop knows it."""

    order_id: str
    merchant_id: str
    scene_id: str
    amount_fen: int
    state: str = "quoted"
    looks: int = 0
    returns: bool = False
    refunded_fen: int = 0


SETTLEMENT = ("business_date", "order_id", "event", "amount_fen", "fee_fen", "net_fen")


class Shops:
    """All shops of the town. Their acts are timers; what the platform does not answer is asked again later."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._orders = world.store.table("shops.orders", Order)
        world.scheduler.handle("shops.look", self._look, overlap=True)
        for n in range(1, SHOPS + 1):
            world.files.want(f"shop/m{n:03d}", Wanted("settlement", SETTLEMENT, self._check))

    def service(self) -> Service:
        return Service("shop", "/shop/{merchant}", "shop-{merchant}", (Route("GET", "/shop/{merchant}/v1/orders/{order}", "get", self.get),))

    def _check(self, name: DayFileName, rows: Sequence[Mapping[str, str]]) -> list[LineError]:
        """Look a settlement file over: every line is about an order of this shop, and net is amount less fee."""
        shop = name.stem.rpartition("-")[2]
        errors = []
        for line, row in enumerate(rows, start=2):
            order = self._orders.get(row["order_id"])
            if order is None or order.merchant_id != shop:
                errors.append(LineError(line, "shop.unknown-order", "no order of this shop"))
            elif int(row["net_fen"]) != int(row["amount_fen"]) - int(row["fee_fen"]):
                errors.append(LineError(line, "shop.net", "net is not amount less fee"))
        return errors

    def get(self, ask: Ask) -> dict[str, Any]:
        """A shop's own view of an order."""
        order = self._orders.get(ask.args["order"])
        if order is None or order.merchant_id != ask.args["merchant"]:
            raise not_found("this order")
        return {"order_id": order.order_id, "state": order.state, "amount_fen": order.amount_fen, "refunded_fen": order.refunded_fen}

    async def sell(self, scene: Scene, *, order_id: str, amount_fen: int, buyer_ref: str) -> dict[str, Any] | None:
        """Make an order at the platform and give its answer (`order_token`, `page_url`, `quote`), None if refused. Raises Unanswered."""
        body = {
            "order_id": order_id, "merchant_id": scene.merchant_id, "scene_id": scene.scene_id,
            "items": [{"title": scene.title, "amount_fen": amount_fen, "category": scene.code}], "amount_fen": amount_fen,
            "buyer_ref": buyer_ref, "return_url": f"https://shop.invalid/{scene.merchant_id}/{order_id}",
        }  # fmt: skip
        reply = await self._signed(scene.merchant_id, "POST", "/partner/v1/orders", body, order_id)
        if not reply.is_good:
            return None
        returns = int.from_bytes(hashlib.sha256(f"{order_id}|returns".encode()).digest()[:4], "big") / 2**32 < RETURNS
        self._orders.put(order_id, Order(order_id, scene.merchant_id, scene.scene_id, amount_fen, returns=returns))
        self._again(order_id, hours=DELIVERS_AFTER_H)
        return reply.body

    async def _signed(self, merchant: str, method: str, path: str, body: object = b"", key: str = "") -> PlatformReply:
        return await insist(self.world, lambda: self.world.client.signed(f"shop-{merchant}", method, path, body, key=key, timeout_s=10))

    def _again(self, order_id: str, hours: float) -> None:
        self.world.scheduler.at(self.world.clock.now() + timedelta(hours=hours), f"shop|{order_id}", "shops.look", {"order_id": order_id})

    async def _look(self, timer: Timer) -> None:
        """Look at an order: deliver what is funded, take back what returns, forget what is over."""
        order = self._orders.get(str(timer.args["order_id"]))
        if order is None or order.looks >= LOOKS_MAX:
            return
        order.looks += 1
        try:
            following = await self._step(order)
        except Unanswered:
            following = LOOKS_EACH_H
        self._orders.put(order.order_id, order)
        if following:
            self._again(order.order_id, following)

    async def _step(self, order: Order) -> float:
        """One look; gives the hours until the next one, 0 for none. Raises Unanswered."""
        shop = order.merchant_id
        told = await self._signed(shop, "GET", f"/partner/v1/orders/{order.order_id}")
        if not told.is_good:
            return 0.0 if told.status == 404 else LOOKS_EACH_H
        order.state = str(told.body.get("state", order.state))
        path = f"/partner/v1/orders/{order.order_id}"
        match order.state:
            case "funded":
                body = {"delivered_at": instant(self.world.clock.now())}
                reply = await self._signed(shop, "POST", f"{path}/deliver", body, f"{order.order_id}-deliver")
                order.state = "delivered" if reply.is_good else order.state
                return 24.0 * RETURNED_AFTER_DAYS if order.returns else 0.0
            case "delivered" if order.returns and not order.refunded_fen:
                refund_id = f"rf-{hashlib.sha256(order.order_id.encode()).hexdigest()[:24]}"
                refund: dict[str, Any] = {"refund_id": refund_id, "amount_fen": order.amount_fen, "reason": "goods returned"}
                reply = await self._signed(shop, "POST", f"{path}/refunds", refund, refund_id)
                order.refunded_fen = order.amount_fen if reply.is_good else 0
                return 0.0
            case "quoted":
                return LOOKS_EACH_H if order.looks < 6 else 0.0
            case _:
                return 0.0


def install(world: World) -> list[Service]:
    for k in range(1, SHOPS + 1):
        world.keys.make(f"shop-m{k:03d}", f"shop-m{k:03d}")
    shops = Shops(world)
    world.parts["shops"] = shops
    return [shops.service()]
