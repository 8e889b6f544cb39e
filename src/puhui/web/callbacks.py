"""Where the outside services tell us what happened: into the inbox, 204, and only then thought about. Only a call is answered at once."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from puhui.foundation import outbox
from puhui.foundation.clock import ClockMode
from puhui.foundation.desk import Desk
from puhui.foundation.outbox import Callback
from puhui.foundation.refusals import BadField
from puhui.foundation.runner import read_one
from puhui.journeys import talk
from puhui.web.wire import Reply, Signed, answer_signed, parse

TURN = "message.turn"
TURN_MAX = 100


class Told(msgspec.Struct):
    """The body of a callback (PROTOCOLS 1.4)."""

    event_id: str
    kind: str
    subject: str
    seq: int
    at: datetime
    data: dict[str, Any]


async def receive(request: Request) -> Response:
    """`POST /callbacks/{service}`."""
    return await answer_signed(request.app.state.desk, request, _take, keeps_receipt=False)


async def _take(desk: Desk, signed: Signed) -> Reply:
    service = signed.path_args["service"]
    told = parse(signed.body, Told)
    if told.at.tzinfo is None:
        raise BadField(field="at", why="an instant carries its zone")
    if service not in {signed.owner, "funder"}:
        raise BadField(field="service", why=f"{signed.owner} does not speak for {service}")
    if (service, told.kind) == ("message", TURN):
        return await _answer_turn(desk, told)
    subject = told.subject if service == signed.owner else f"{signed.owner}:{told.subject}"
    event_id = told.event_id if service == signed.owner else f"{signed.owner}:{told.event_id}"
    callback = Callback(service, event_id, told.kind, subject, told.seq, told.at, told.data)
    async with desk.work() as work:
        is_new = await outbox.receive(work, callback)
    if is_new and desk.clock.mode is not ClockMode.STEPPED:
        task = asyncio.create_task(read_one(desk, callback))
        desk.held.setdefault("tasks", set()).add(task)
        task.add_done_callback(desk.held["tasks"].discard)
    desk.stirred.set()
    return Reply(status=204)


async def _answer_turn(desk: Desk, told: Told) -> Reply:
    """A turn of a call wants words at once, not a place in the inbox."""
    if not 1 <= told.seq <= TURN_MAX:
        raise BadField(field="seq", why=f"1 to {TURN_MAX}")
    said = await talk.answer_turn(desk, call_id=told.subject, n=told.seq, heard=str(told.data.get("heard", "")))
    return Reply(said)
