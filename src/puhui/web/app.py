"""The application: every door of the house on one address."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import NotFound
from puhui.web import borrower, callbacks, driver, openapi, ops, partners, portal, site, staff
from puhui.web.console import assets, gate, parts
from puhui.web.counting import counted
from puhui.web.wire import OurFault, plain, refused

SAFE = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}


def build(desk: Desk) -> Starlette:
    """Build the application on an open desk. The doors that are asked most stand first: routes are tried in order."""
    app = Starlette(
        routes=[
            Route("/driver/v1/clock/advance", driver.advance, methods=["POST"]),
            Route("/callbacks/{service}", callbacks.receive, methods=["POST"]),
            *borrower.ROUTES,
            *partners.ROUTES,
            *site.ROUTES,
            *staff.ROUTES,
            *portal.ROUTES,
            *assets.ROUTES,
            *gate.routes(parts.SCREENS),
            Route("/keys", ops.keys, methods=["GET"]),
            Route("/health", ops.health, methods=["GET"]),
            Route("/metrics", ops.metrics, methods=["GET"]),
            Route("/openapi.json", openapi.document, methods=["GET"]),
        ],
        exception_handlers={404: _not_found, 405: _not_found, 500: _fault},
    )
    return _opened(app, desk)


def build_worker(desk: Desk) -> Starlette:
    """Build the few doors of a worker that stands apart: the driver, health, metrics."""
    app = Starlette(
        routes=[
            Route("/driver/v1/clock/advance", driver.advance, methods=["POST"]),
            Route("/health", ops.health, methods=["GET"]),
            Route("/metrics", ops.metrics, methods=["GET"]),
        ],
        exception_handlers={404: _not_found, 405: _not_found, 500: _fault},
    )
    return _opened(app, desk)


def _opened(app: Starlette, desk: Desk) -> Starlette:
    app.state.desk = desk
    app.router.redirect_slashes = False
    app.router.routes[:] = [counted(route) if isinstance(route, Route) else route for route in app.routes]
    return app


async def _fault(_request: Request, _error: Exception) -> Response:
    return plain(refused(OurFault()), headers=SAFE)


async def _not_found(request: Request, _error: Exception) -> Response:
    return plain(refused(NotFound(what="page", which=f"{request.method} {request.url.path}")), headers=SAFE)
