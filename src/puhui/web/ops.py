"""Health, metrics and our public keys."""

from base64 import b64encode

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from puhui.foundation import metrics as queues
from puhui.foundation.desk import AWAY, Desk
from puhui.web.wire import Reply, plain


async def health(request: Request) -> Response:
    """`GET /health`: 200 when the database answers, 503 when not; with the clock's mode and the day."""
    desk: Desk = request.app.state.desk
    try:
        async with desk.look() as work:
            await work.connection.fetchval("select 1")
            body = {"state": "good", "clock": desk.clock.mode.value, "at": work.at.isoformat(), "business_date": work.today.isoformat()}
    except AWAY:
        return plain(Reply({"state": "database-away", "clock": desk.clock.mode.value}, 503))
    return plain(Reply(body))


async def metrics(request: Request) -> Response:
    """`GET /metrics` in the Prometheus text form: what this process did, and what waits in the database it shares."""
    desk: Desk = request.app.state.desk
    try:
        async with desk.look() as work:
            await queues.look(work)
    except AWAY:
        queues.database_is_away()
    return Response(generate_latest(), headers={"X-Content-Type-Options": "nosniff"}, media_type=CONTENT_TYPE_LATEST)


async def keys(request: Request) -> Response:
    """`GET /keys`: the public keys by which our signatures are checked."""
    desk: Desk = request.app.state.desk
    body = {"keys": [{"key_id": desk.key.key_id, "owner": "lender", "alg": desk.key.alg, "public_key": b64encode(desk.key.public_der).decode()}]}
    return plain(Reply(body))
