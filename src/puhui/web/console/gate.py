"""The gate of the console: who asks is recognized by a cookie, a screen is shown only to whom a duty allows it, a deed is done only from our own form.

The cookie holds the member's token, which says nothing of rights; they are looked up at every request. A form carries a token bound to the
session and a key, so that a second press does nothing again. No process keeps anything between requests: any of them may answer.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField, NotFound, Refusal
from puhui.journeys import office
from puhui.rooms import staff
from puhui.rooms.staff import Member, TokenNotTaken
from puhui.web.console import export
from puhui.web.console.render import Frame, draw, draw_log_in
from puhui.web.console.screen import Deed, Screen
from puhui.web.console.visit import Visit
from puhui.web.errors import told
from puhui.web.wire import Reply, once, read_body, reply_to, texts_of

COOKIE, LOOK = "puhui_staff", "puhui_look"
HOME, LOG_IN = "/console", "/console/login"
FORM_MAX = 64 << 10
PAGES = count(1)
"""Numbers the pages of this process, so that two forms of one instant have keys of their own."""
FORM = "application/x-www-form-urlencoded"
SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class NotOurForm(Refusal):
    """The form was not sent from this console, or its page is too old; open the page again and send it once more. Nothing was done."""

    code = "console.not-our-form"
    zh = "这个表单不是从本控制台提交的，或页面已过期。请重新打开页面再提交，系统没有做任何改动。"
    status = 403


# -- screens and deeds


def show(screen: Screen) -> Callable[[Request], Awaitable[Response]]:
    """Make the GET door of a screen."""

    async def door(request: Request) -> Response:
        return await _known(request, lambda visit: _show(screen, visit, request))

    return door


def do(screen: Screen, deed: Deed) -> Callable[[Request], Awaitable[Response]]:
    """Make the POST door of a deed."""

    async def door(request: Request) -> Response:
        return await _known(request, lambda visit: _do(screen, deed, visit, request))

    return door


async def _known(request: Request, go: Callable[[Visit], Awaitable[Response]]) -> Response:
    """Recognize the member, go on, and make a page of whatever goes wrong."""
    desk: Desk = request.app.state.desk
    language, theme = look_of(request)
    visit = Visit(desk, staff.CONSOLE, request.url.path, {}, {}, language, theme)
    member: Member | None = None
    try:
        ids, query = texts_of(request.path_params), texts_of(dict(request.query_params))
        member = await office.member_of(desk, request.cookies.get(COOKIE, ""))
        visit = replace(visit, member=member, ids=ids, query=query)
        return await go(visit)
    except TokenNotTaken:
        to = quote(request.url.path + (f"?{request.url.query}" if request.url.query else ""), safe="/") if request.method == "GET" else HOME
        return _to(f"{LOG_IN}?to={to}", forget=True)
    except Exception as error:  # noqa: BLE001  (the door is where a fault becomes a page)
        return _page(draw(_frame(visit, request, is_known=member is not None), None, refusal=_told(error, request)), _status(error))


async def _show(screen: Screen, visit: Visit, request: Request) -> Response:
    if screen.path == HOME and not screen.allows(visit.member.duties):
        return _to(first_of(visit.member))
    _demand(screen.duties, visit.member)
    if "as" in visit.query:
        return await export.send(screen, visit)
    return _page(draw(_frame(visit, request), await screen.read(visit), screen=screen))


async def _do(screen: Screen, deed: Deed, visit: Visit, request: Request) -> Response:
    """Do a deed once and go where it leads; a refusal is told on the screen itself, with what was typed left to the browser."""
    _demand(screen.duties, visit.member)
    _demand(deed.duties, visit.member)
    raw, form = await _form(request)
    _demand_ours(visit.desk, request, form)
    back = visit.path.rsplit("/", 1)[0]
    there = replace(visit, path=back, form=form)
    if deed.reveals:
        return await _reveal(screen, deed, there, request)

    async def call() -> Reply:
        return Reply({"to": await deed.act(there) or f"{back}?done={deed.name}"})

    sender, scope = visit.member.staff_id, request.url.path
    reply, _ = await once(visit.desk, sender=sender, key=form.get("key", ""), scope=scope, body=raw, call=call)
    body = _read(reply)
    if reply.status < 300:
        return _to(str(body["to"]))
    return _page(draw(_frame(there, request), await screen.read(there), screen=screen, refusal=body), reply.status)


async def _reveal(screen: Screen, deed: Deed, visit: Visit, request: Request) -> Response:
    try:
        revealed = await deed.act(visit)
    except Refusal as refusal:
        return _page(draw(_frame(visit, request), await screen.read(visit), screen=screen, refusal=told(refusal)), refusal.status)
    seen = replace(visit, revealed=revealed)
    return _page(draw(_frame(seen, request), await screen.read(seen), screen=screen))


def first_of(member: Member) -> str:
    """Give the first screen that a member may see: the one of his own account at least."""
    from puhui.web.console.parts import SCREENS

    return next(one.path for one in SCREENS if one.is_in_menu and one.allows(member.duties))


def _read(reply: Reply) -> dict[str, Any]:
    import msgspec

    body: dict[str, Any] = msgspec.json.decode(reply.encoded() or b"{}")
    return body


def _demand(duties: frozenset[staff.Duty], member: Member) -> None:
    """Raise NotYourDuty unless the member has one of these duties (none are wanted: everybody may)."""
    if duties and not duties & member.duties:
        member.demand(min(duties, key=lambda duty: duty.value))


# -- logging in and out


async def log_in_page(request: Request) -> Response:
    """`GET /console/login`."""
    return _page(draw_log_in(_stranger(request), to=_local(request.query_params.get("to", ""))))


async def log_in(request: Request) -> Response:
    """`POST /console/login`: a fresh session always; whatever cookie came along is worth nothing."""
    desk: Desk = request.app.state.desk
    to = HOME
    try:
        _, form = await _form(request)
        to = _local(form.get("to", ""))
        _demand_origin(desk, request)
        body = office.LogIn(login=form.get("login", "")[:64], password=form.get("password", "")[:1024], code=form.get("code", "")[:16])
        given = await office.log_in(desk, body)
    except Exception as error:  # noqa: BLE001  (the door is where a fault becomes a page)
        return _page(draw_log_in(_stranger(request), to=to, refusal=_told(error, request)), _status(error))
    response = _to(to)
    response.set_cookie(COOKIE, given["token"], path=HOME, httponly=True, samesite="strict", secure=_is_secure(desk))
    return response


async def log_out(request: Request) -> Response:
    """`POST /console/logout`."""
    desk: Desk = request.app.state.desk
    try:
        _, form = await _form(request)
        _demand_ours(desk, request, form)
        await office.log_out(desk, request.cookies.get(COOKIE, ""))
    except TokenNotTaken:
        pass
    except Refusal as refusal:
        return _page(draw_log_in(_stranger(request), to=HOME, refusal=told(refusal)), refusal.status)
    return _to(LOG_IN, forget=True)


async def look(request: Request) -> Response:
    """`GET /console/look?language=en&theme=dark&to=/console/...`: how the console looks to this browser; changes nothing else."""
    language, theme = look_of(request)
    asked = request.query_params
    language = asked["language"] if asked.get("language") in {"zh", "en"} else language
    theme = asked["theme"] if asked.get("theme") in {"auto", "light", "dark"} else theme
    response = _to(_local(asked.get("to", "")))
    response.set_cookie(LOOK, f"{language}.{theme}", path=HOME, max_age=365 * 86400, samesite="strict", httponly=True)
    return response


def look_of(request: Request) -> tuple[str, str]:
    """Give language and theme: as chosen, else the browser's language and `auto`."""
    language, _, theme = request.cookies.get(LOOK, "").partition(".")
    if language not in {"zh", "en"}:
        language = "en" if request.headers.get("accept-language", "").lower().startswith("en") else "zh"
    return language, theme if theme in {"light", "dark"} else "auto"


# -- leaves


async def _form(request: Request) -> tuple[bytes, dict[str, str]]:
    """Read a form. Raises BadField, TooLarge."""
    raw = await read_body(request, FORM_MAX)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise BadField(field="Content-Type", why=FORM)
    try:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=200, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise BadField(field="body", why="it is no form in UTF-8 of at most 200 fields") from None
    return raw, texts_of(dict(pairs))


def csrf_of(desk: Desk, token: str) -> str:
    """Give the form token of a session: only who holds the keys can make it, and it fits no other session."""
    return desk.keys.blind("staff.csrf", token).hex()[:40]


def _demand_ours(desk: Desk, request: Request, form: Mapping[str, str]) -> None:
    """Raise NotOurForm unless the form is from a page of ours, of this very session."""
    _demand_origin(desk, request)
    if not hmac.compare_digest(form.get("csrf", "").encode(), csrf_of(desk, request.cookies.get(COOKIE, "")).encode()):
        raise NotOurForm


def _demand_origin(desk: Desk, request: Request) -> None:
    origin = request.headers.get("origin", "")
    allowed = {request.headers.get("host", ""), urlsplit(desk.config.base_url).netloc}
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"} or (origin and urlsplit(origin).netloc not in allowed):
        raise NotOurForm


def _local(to: str) -> str:
    """Give an address within the console; anything else becomes its first page."""
    parts = urlsplit(to)
    is_ours = not parts.scheme and not parts.netloc and (parts.path == HOME or parts.path.startswith(HOME + "/")) and "\\" not in to
    return to if is_ours and to.isprintable() and ".." not in parts.path else HOME


def _is_secure(desk: Desk) -> bool:
    return desk.config.base_url.startswith("https:")


def _frame(visit: Visit, request: Request, *, is_known: bool = True) -> Frame:
    csrf = csrf_of(visit.desk, request.cookies.get(COOKIE, "")) if is_known else ""
    return Frame(visit, csrf, f"f{visit.desk.clock.real_ms():x}-{next(PAGES)}", is_known)


def _stranger(request: Request) -> Frame:
    desk: Desk = request.app.state.desk
    language, theme = look_of(request)
    return Frame(Visit(desk, staff.CONSOLE, LOG_IN, {}, {}, language, theme), "", "", is_known=False)


def _told(error: Exception, request: Request) -> dict[str, Any]:
    return _read(reply_to(error, where=request.url.path))


def _status(error: Exception) -> int:
    return error.status if isinstance(error, Refusal) else reply_to(error, where="console").status


def _page(html: str, status: int = 200) -> Response:
    return Response(html, status, SAFE, "text/html; charset=utf-8")


def _to(address: str, *, forget: bool = False) -> Response:
    response = Response(status_code=303, headers=SAFE | {"Location": address})
    if forget:
        response.delete_cookie(COOKIE, path=HOME)
    return response


async def home(_request: Request) -> Response:
    """`GET /console/`, as people write it."""
    return _to(HOME)


async def not_found(request: Request) -> Response:
    """Answer below `/console/` where nothing lies: a page, and only to whom the house knows."""

    async def nothing(_visit: Visit) -> Response:
        raise NotFound(what="page", which=request.url.path[:80])

    return await _known(request, nothing)


def routes(screens: list[Screen]) -> list[Route]:
    """Give every route of the console."""
    made = [
        Route(LOG_IN, log_in_page, methods=["GET"]),
        Route(LOG_IN, log_in, methods=["POST"]),
        Route("/console/logout", log_out, methods=["POST"]),
        Route("/console/look", look, methods=["GET"]),
    ]
    for screen in screens:
        made.append(Route(screen.path, show(screen), methods=["GET"]))
        made += [Route(f"{screen.path}/{deed.name}", do(screen, deed), methods=["POST"]) for deed in screen.deeds]
    return [*made, Route("/console/", home, methods=["GET"]), Route("/console/{rest:path}", not_found, methods=["GET", "POST"])]


