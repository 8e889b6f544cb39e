"""The driver of stepped runs: moves the clock, and lets everything due be done. Only stepped, on loopback, with the driver's key."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from puhui.foundation.clock import ClockMode
from puhui.foundation.desk import Desk, store_clock
from puhui.foundation.refusals import BadField, Refusal
from puhui.foundation.runner import drain_and_look
from puhui.web.wire import Reply, Signed, answer_signed, parse


class DriverOnly(Refusal):
    """This call is for the driver of a stepped run on loopback alone; {why}."""

    code = "driver.only"
    status = 403


class Advance(msgspec.Struct):
    """Move the clock to `to`; `run` does everything due up to then."""

    to: datetime
    run: bool = True


async def advance(request: Request) -> Response:
    """`POST /driver/v1/clock/advance` -> `{quiet, did, told?, next_due?}`; `told` says how many requests that may change something went out meanwhile."""
    return await answer_signed(request.app.state.desk, request, _advance, keeps_receipt=False)


def demand_driver(desk: Desk, signed: Signed) -> None:
    """Raise DriverOnly unless the driver itself asks, in a stepped run, on loopback."""
    if signed.owner != "driver":
        raise DriverOnly(why=f"{signed.owner} is not the driver")
    if desk.clock.mode is not ClockMode.STEPPED or not desk.config.is_loopback:
        raise DriverOnly(why="this is no stepped run on loopback")


async def _advance(desk: Desk, signed: Signed) -> Reply:
    demand_driver(desk, signed)
    body = parse(signed.body, Advance)
    if body.to.tzinfo is None:
        raise BadField(field="to", why="an instant carries its zone")
    to = body.to.astimezone(UTC)
    is_moved = to > desk.clock.now()
    if is_moved:
        desk.clock.step_to(to)
        async with desk.work(durable=False) as work:
            await store_clock(work)
    if not body.run:
        return Reply({"quiet": True, "did": 0})
    told = _told(desk)
    did, looked = await drain_and_look(desk, to)
    answer: dict[str, Any] = {"quiet": True, "did": did, "told": _told(desk) - told}
    if looked.next_due is not None:
        answer["next_due"] = looked.next_due.isoformat()
    return Reply(answer)


def _told(desk: Desk) -> int:
    return sum(service.told for service in desk.services.values())
