"""The pages everybody may read (R-DISC), and the few files a browser asks for by itself."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puhui.foundation.desk import Desk
from puhui.journeys import public
from puhui.rooms import agreements
from puhui.web.borrower import door, render
from puhui.web.borrower.visit import Visit

ICON = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="#0a6651"/><path fill="#fff" d="M11 5h2v2.8h4v2.1'
    b'h-4v2h4V14h-4v5h-2v-5H7v-2.1h4v-2H7V7.8h4z"/></svg>'
)
Read = Callable[[Desk], Awaitable[dict[str, Any]]]


def page(path: str, template: str, read: Read | None = None) -> Route:
    """Make the route of a page that shows what `read` gives."""

    async def show(visit: Visit) -> Response:
        return render.show(visit, template, **(await read(visit.desk) if read else {}))

    return door.get(path, show, is_open=True)


async def prices(desk: Desk) -> dict[str, Any]:
    return {"prices": await public.prices(desk)}


async def partners(desk: Desk) -> dict[str, Any]:
    return {"partners": {role.value: rows for role, rows in (await public.partner_list(desk)).items()}}


async def complaints(desk: Desk) -> dict[str, Any]:
    return {"clocks": await public.complaint_days(desk)}


async def privacy(desk: Desk) -> dict[str, Any]:
    return {"rules": await public.privacy_rules(desk)}


async def figures(desk: Desk) -> dict[str, Any]:
    return {"figures": await public.open_figures(desk)}


async def icon(_request: Request) -> Response:
    return Response(ICON, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=604800", "X-Content-Type-Options": "nosniff"})


async def manifest(_request: Request) -> Response:
    """`GET /manifest.webmanifest`: what a phone needs to keep the pages beside its apps."""
    facts = {
        "name": agreements.lender().name, "short_name": "普惠", "lang": "zh-CN", "start_url": "/borrower/", "display": "standalone",
        "background_color": "#f7f5ef", "theme_color": "#0a6651", "icons": [{"src": "/icon.svg", "sizes": "any", "type": "image/svg+xml"}],
    }  # fmt: skip
    return Response(msgspec.json.encode(facts), media_type="application/manifest+json", headers={"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"})


PAGES = [
    page("/", "site.html"),
    page("/about", "about.html"),
    page("/prices", "prices.html", prices),
    page("/partner-list", "partner_list.html", partners),
    page("/complaints", "complaints.html", complaints),
    page("/privacy", "privacy.html", privacy),
    page("/accessibility", "accessibility.html"),
    page("/figures", "figures.html", figures),
    Route("/icon.svg", icon, methods=["GET"]),
    Route("/manifest.webmanifest", manifest, methods=["GET"]),
]
