"""A page as a route: find whose it is, read the form, let the page answer, and turn a refusal into the same page with the reason above its form."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puhui.foundation.refusals import Refusal
from puhui.web.borrower import form, render, stepping
from puhui.web.borrower.api import LogInFirst
from puhui.web.borrower.stepping import Refused
from puhui.web.borrower.visit import SESSION, Visit, recognize
from puhui.web.errors import told
from puhui.web.wire import reply_to

Handler = Callable[[Visit], Awaitable[Response]]
LOGIN, START = "/borrower/login", "/borrower/?over=1"


def get(path: str, handler: Handler, *, is_open: bool = False) -> Route:
    """Make the route of a page. `is_open`: it needs no log-in."""

    async def endpoint(request: Request) -> Response:
        visit = await recognize(request)
        return await _safely(visit, lambda: _known(visit, handler, is_open=is_open))

    return Route(path, endpoint, methods=["GET"])


def post(path: str, handler: Handler, again: Handler, *, is_open: bool = False) -> Route:
    """Make the route of a form. What it is refused for is shown by `again`, above the form it came from."""

    async def endpoint(request: Request) -> Response:
        visit = await recognize(request)
        return await _safely(visit, lambda: _sent(visit, handler, again, is_open=is_open))

    return Route(path, endpoint, methods=["POST"])


async def _known(visit: Visit, handler: Handler, *, is_open: bool) -> Response:
    if not is_open and not visit.is_known:
        return render.go(visit, LOGIN if visit.session is not None else START)
    return await handler(visit)


async def _sent(visit: Visit, handler: Handler, again: Handler, *, is_open: bool) -> Response:
    try:
        visit.form = await form.read(visit.request)
        await visit.find_repeated()
        visit.demand_own_form()
        return await _known(visit, handler, is_open=is_open)
    except LogInFirst:
        raise
    except Refused as refused:
        visit.refusal = refused
    except Refusal as refusal:
        visit.refusal = _refused(refusal)
    return await _known(visit, again, is_open=is_open)


async def _safely(visit: Visit, call: Callable[[], Awaitable[Response]]) -> Response:
    """Answer, with the visit's new secret where it got one."""
    response = await _answered(visit, call)
    if visit.has_new_secret:
        visit.set_cookie(response, SESSION, visit.secret)
    return response


async def _answered(visit: Visit, call: Callable[[], Awaitable[Response]]) -> Response:
    """Answer a fault, a house whose database is away, and a refusal that no form stands for, with a page that says so."""
    try:
        return await call()
    except LogInFirst:
        return render.go(visit, LOGIN if visit.session is not None else START)
    except Refused as refused:
        visit.refusal = refused
    except Refusal as refusal:
        visit.refusal = _refused(refusal)
    except Exception as error:  # noqa: BLE001  (the door is where a fault becomes an answer)
        reply = reply_to(error, where=visit.request.url.path)
        if reply.body is None:
            return Response(status_code=reply.status)
        visit.refusal = stepping.refused(reply.status, reply.body)
    return render.show(visit, "refused.html")


def _refused(refusal: Refusal) -> Refused:
    return stepping.refused(refusal.status, told(refusal))
