"""The line between a resident's phone and the lender: it drops, and the phone sends the same again under the same key."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from puhui_town.people.walk import Walk, next_key
from puhui_town.wire import PlatformReply, Unanswered, World

PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 2.0)
PATIENCE_S = 20.0
PATIENCE_STEPPED_S = {"": 180.0, "busy": 120.0, "services.away": 30.0, "fault": 6.0}
"""A stepped run stands still meanwhile, so the patience of a phone is long there: killed servers and databases come back within a minute.
By the code of a passing answer; "" for no answer at all. A fault that stays is the lender's own, and waiting would not mend it.
"""


async def insist(world: World, call: Callable[[], Awaitable[PlatformReply]]) -> PlatformReply:
    """Make a call until it is answered. Raises Unanswered when patience ends without any answer; a passing one is given back then."""
    waited, turn = 0.0, 0
    while True:
        reply: PlatformReply | None = None
        try:
            reply = await call()
            if not _is_passing(reply):
                return reply
        except Unanswered:
            pass
        code = "" if reply is None else str(reply.body.get("code", "")) or "fault"
        if waited >= (PATIENCE_STEPPED_S.get(code, PATIENCE_S) if world.is_stepped else PATIENCE_S):
            if reply is None:
                raise Unanswered("the lender did not answer in time")
            return reply
        pause = PAUSES_S[min(turn, len(PAUSES_S) - 1)]
        await asyncio.sleep(pause)
        waited, turn = waited + pause, turn + 1


def _is_passing(reply: PlatformReply) -> bool:
    """An answer of a broken server says nothing; any other 503 is an answer, for later."""
    return reply.status >= 500 and (reply.status != 503 or str(reply.body.get("code", "")) in PATIENCE_STEPPED_S)


class Line:
    """Steps, files and reads of the borrower API, sent again until they are answered. Raises Unanswered when patience ends."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.calls = 0
        """How many requests were sent, counting those sent again."""

    async def step(self, walk: Walk, name: str, body: dict[str, Any]) -> PlatformReply:
        """One step, once."""
        return await self._send("POST", f"/borrower/v1/steps/{name}", body, walk.secret, next_key(walk, name))

    async def upload(self, walk: Walk, content: bytes) -> str | None:
        """Send a picture; gives its `file_ref`, None when it was refused."""
        reply = await self._send("POST", "/borrower/v1/files", content, walk.secret, next_key(walk, "file"), content_type="image/jpeg")
        return str(reply.body.get("file_ref", "")) or None if reply.is_good else None

    async def read(self, walk: Walk, path: str) -> PlatformReply:
        return await self._send("GET", f"/borrower/v1/{path}", b"", walk.secret, "")

    async def _send(
        self, method: str, path: str, body: object, secret: str, key: str, *, content_type: str = "application/json"
    ) -> PlatformReply:  # fmt: skip
        headers = {"Puhui-Session": secret, "Content-Type": content_type}
        if key:
            headers["Idempotency-Key"] = key

        def call() -> Awaitable[PlatformReply]:
            self.calls += 1
            return self._world.client.plain(method, path, body, headers=headers)

        return await insist(self._world, call)
