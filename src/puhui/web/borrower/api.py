"""The borrower's API: every step and everything a page shows, by session."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puhui.foundation import receipts
from puhui.foundation.desk import Desk
from puhui.foundation.receipts import Receipt
from puhui.foundation.refusals import BadField, NotFound, Refusal
from puhui.journeys import documents, enter, home, onboard, statement, steps
from puhui.vocabulary.steps import BorrowerStep, Session, StepAnswer
from puhui.web.wire import FILE_MAX, KEPT, Reply, answer, in_turn, key_of, parse, plain, read_body, reply_to, texts_of

Read = Callable[[Desk, Session, Mapping[str, str]], Awaitable[Any]]


class LogInFirst(Refusal):
    """This needs to know who you are; log in with a code first (step `login`)."""

    code = "borrower.log-in-first"
    zh = "请先用验证码登录。"
    status = 401


async def step(request: Request) -> Response:
    """`POST /borrower/v1/steps/{step}`: once per key; the answer says the state, what may come next, and what to show."""
    desk: Desk = request.app.state.desk
    name = request.path_params["step"]
    try:
        door = door_of(name)
        key, body = key_of(request), await read_body(request)
        async with in_turn(desk, request.headers.get("puhui-session", ""), key):
            return await _once(desk, request, name, door, body, key)
    except Exception as error:  # noqa: BLE001  (the door is where a fault becomes an answer)
        return plain(reply_to(error, where=name))


def door_of(name: str) -> BorrowerStep:
    """Raises NotFound."""
    door = steps.BORROWER.get(name)
    if door is None:
        raise NotFound(what="step", which=name)
    return door


async def _once(desk: Desk, request: Request, name: str, door: BorrowerStep, body: bytes, key: str) -> Response:
    digest = receipts.digest_of(f"/borrower/v1/steps/{name}", body)
    session, earlier = await _enter(desk, request, key, digest)
    if earlier:
        return plain(Reply(earlier.body, earlier.status), replayed=True)
    reply = await answer(lambda: run(desk, door, session, body, key), where=name)
    if reply.status < 300 or reply.status in KEPT:
        receipt = Receipt(reply.status, reply.encoded())
        receipts.till_of(desk).keep(desk, sender=session.session_id, key=key, digest=digest, receipt=receipt)
    return plain(reply)


async def _enter(desk: Desk, request: Request, key: str, digest: bytes) -> tuple[Session, Receipt | None]:
    """Find the session and an earlier answer, in one look; a Work follows only if the session is to be kept alive."""
    secret = request.headers.get("puhui-session", "")
    async with desk.look() as work:
        session, is_to_keep_alive = await enter.look_in(work, secret)
        known = receipts.till_of(desk).find(sender=session.session_id, key=key, digest=digest)
        known = known or await receipts.find(work, sender=session.session_id, key=key, digest=digest)
    if is_to_keep_alive:
        async with desk.work(durable=False) as work:
            await enter.session_in(work, secret)
    return session, known


async def run(desk: Desk, door: BorrowerStep, session: Session, body: bytes, key: str) -> Reply:
    """Take one step. Raises LogInFirst, and whatever the journey refuses."""
    if session.customer_id is None and not door.is_open:
        raise LogInFirst
    return Reply(shown(await door.run(desk, session=session, body=parse(body, door.body), key=key)))


def shown(told: StepAnswer) -> dict[str, Any]:
    """Give the JSON of a step's answer."""
    body: dict[str, Any] = {"state": told.state.value, "next": list(told.next), "show": dict(told.show)}
    if told.poll_s is not None:
        body["poll_s"] = told.poll_s
    return body


def reading(read: Read) -> Callable[[Request], Awaitable[Response]]:
    """Make a GET door of a journey's read: `read(desk, session, query)`."""

    async def door(request: Request) -> Response:
        desk: Desk = request.app.state.desk

        async def call() -> Reply:
            session = await _known(desk, request)
            return Reply(await read(desk, session, texts_of(request.query_params)))

        return plain(await answer(call, where=request.url.path))

    return door


async def file(request: Request) -> Response:
    """`POST /borrower/v1/files`: a picture or a PDF, encoded anew and encrypted -> `{file_ref, sha256}`."""
    desk: Desk = request.app.state.desk

    async def call() -> Reply:
        session = await _known(desk, request, is_open=True)
        key, body = key_of(request), await read_body(request, FILE_MAX)
        if not body:
            raise BadField(field="body", why="it is empty; send the bytes of a JPEG, PNG or PDF")
        return Reply(await onboard.take_file(desk, session=session, data=body, key=key))

    return plain(await answer(call, where="files"))


async def document(request: Request) -> Response:
    """`GET /borrower/v1/documents/{sha256}`: the bytes of the person's own document."""
    desk: Desk = request.app.state.desk

    async def call() -> Reply:
        session = await _known(desk, request)
        found = await documents.fetch(desk, session, request.path_params["sha256"])
        return Reply(found.data, media_type=found.media_type)

    return plain(await answer(call, where="documents"))


async def _known(desk: Desk, request: Request, *, is_open: bool = False) -> Session:
    async with desk.work(durable=False) as work:
        session = await enter.session_in(work, request.headers.get("puhui-session", ""))
    if session.customer_id is None and not is_open:
        raise LogInFirst
    return session


ROUTES = [
    Route("/borrower/v1/steps/{step}", step, methods=["POST"]),
    Route("/borrower/v1/files", file, methods=["POST"]),
    Route("/borrower/v1/home", reading(home.home), methods=["GET"]),
    Route("/borrower/v1/decisions", reading(home.decisions_about_me), methods=["GET"]),
    Route("/borrower/v1/schedule", reading(statement.schedule), methods=["GET"]),
    Route("/borrower/v1/statement", reading(statement.statement), methods=["GET"]),
    Route("/borrower/v1/queries", reading(home.queries), methods=["GET"]),
    Route("/borrower/v1/documents/{sha256}", document, methods=["GET"]),
]
