"""Every route counts what it answers and how long that took."""

from copy import copy
from time import monotonic

from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from puhui.foundation import metrics


def counted(route: Route) -> Route:
    """Give the route as one that counts what it answers, under its own pattern and never under what was in the path. The given one stays as it is."""
    inner, pattern, counting = route.app, route.path, copy(route)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        began, status = monotonic(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await inner(scope, receive, sent)
        finally:
            metrics.ANSWERED.labels(scope["method"], pattern, str(status)).observe(monotonic() - began)

    counting.app = app
    return counting
