"""Coming in: the welcome, the way from an entry's address or a shop's order, log-in by code, the language, and home."""

from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from puhui.engines import law
from puhui.journeys import enter, home, onboard
from puhui.vocabulary.products import product
from puhui.web.borrower import render, stepping
from puhui.web.borrower.door import get, post
from puhui.web.borrower.visit import DEVICE, DEVICE_S, LANGUAGE, SESSION, Visit, fresh_name

HOME = "/borrower/"
NEXT_PAGE = {
    "new": "/borrower/consents/identity",
    "consented": "/borrower/identity",
    "waiting": "/borrower/wait",
    "offered": "/borrower/answer",
    "proof": "/borrower/answer",
    "declined": "/borrower/answer",
    "accepted": "/borrower/cost",
    "reading": "/borrower/cost",
    "confirmed": "/borrower/contract",
    "signed": "/borrower/wait",
    "paying": "/borrower/wait",
}
"""Where a person goes on in a state that has one way on."""


async def welcome(visit: Visit) -> Response:
    """`GET /borrower/`: what this is and who may borrow; or, for who has logged in, where he stands."""
    if visit.is_known:
        return await _home(visit)
    rules = law.shipped().ask(law.BorrowerRules, on=visit.today)
    response = render.show(visit, "welcome.html", product=product("starter"), rules=rules, is_over="over" in visit.request.query_params)
    return _with_device(visit, response)


def _with_device(visit: Visit, response: Response) -> Response:
    """Name the device, so that a visit from it is known again; a form of somebody without a visit is bound to it."""
    if DEVICE not in visit.request.cookies:
        visit.set_cookie(response, DEVICE, visit.device, most_s=DEVICE_S)
    return response


async def start(visit: Visit) -> Response:
    """`POST /borrower/start`: open a visit on our own pages; who came by an entry or a partner's app goes on in the visit he has."""
    return render.go(visit, "/borrower/login") if visit.session is not None else await _open(visit, "/borrower/login")


async def _open(visit: Visit, to: str, order_token: str = "") -> Response:
    secret = await enter.open_own_visit(visit.desk, session_id=fresh_name("se"), device_id=visit.device, order_token=order_token)
    response = render.go(visit, to)
    visit.set_cookie(response, SESSION, secret)
    visit.set_cookie(response, DEVICE, visit.device, most_s=DEVICE_S)
    return response


async def arrive(visit: Visit) -> Response:
    """`GET /borrower/s/{secret}`: spend the secret at the end of an entry's address, once, for the cookie."""
    secret = await enter.exchange(visit.desk, visit.request.path_params["secret"])
    async with visit.desk.work(durable=False) as work:
        session = await enter.session_in(work, secret)
        framed = await enter.framed_by(work, session.session_id)
    visit.framed_by = framed.origin if framed else ""
    response = render.go(visit, HOME)
    visit.set_cookie(response, SESSION, secret)
    return response


async def order(visit: Visit) -> Response:
    """`GET /borrower/o/{token}`: come from a shop to pay its order by installments."""
    return await _open(visit, HOME, visit.request.path_params["token"])


async def language(visit: Visit) -> Response:
    """`GET /borrower/language/{code}`: the language of the pages from now on; back to where one was."""
    back = urlsplit(visit.request.headers.get("referer", ""))
    is_own = back.netloc == visit.request.headers.get("host", "") and back.path.startswith("/")
    response = render.go(visit, back.path + ("?" + back.query if back.query else "") if is_own else HOME)
    visit.set_cookie(response, LANGUAGE, "en" if visit.request.path_params["code"] == "en" else "zh", most_s=DEVICE_S)
    return response


async def _home(visit: Visit) -> Response:
    told = await home.home(visit.desk, visit.who, {})
    return render.show(visit, "home.html", **told, go_on=next_page(told), is_nobody_known="nobody" in visit.request.query_params and told["state"] == "new")


def next_page(told: dict[str, Any]) -> str:
    """Say on which page a person goes on, "" where nothing is under way."""
    if told["state"] == "identified":
        if "bind" in told["next"]:
            return "/borrower/card"
        live = {one["item"] for one in told["consents"] if one["state"] == "granted"}
        return "/borrower/apply" if "bureau" in live else "/borrower/consents/loan"
    return NEXT_PAGE.get(told["state"], "")


async def on(visit: Visit) -> Response:
    """`GET /borrower/on`: go on where one stands."""
    told = await home.home(visit.desk, visit.who, {})
    return render.go(visit, next_page(told) or HOME)


# --- log-in -------------------------------------------------------------------------------------------------------------------------------


async def log_in(visit: Visit) -> Response:
    if visit.is_known:
        return render.go(visit, HOME)
    if visit.session is None:
        return await _open(visit, "/borrower/login") if visit.refusal is None else render.show(visit, "welcome.html", **_welcoming(visit))
    return render.show(visit, "login.html", phone=visit.form.text("phone"), otp_id=visit.form.text("otp_id"), more=visit.form.text("more"), code=_code(visit))


def _code(visit: Visit) -> str:
    """Give the code again only where it was right and the step asked for more."""
    return visit.form.text("code") if visit.form.text("more") else ""


def _welcoming(visit: Visit) -> dict[str, Any]:
    return {"product": product("starter"), "rules": law.shipped().ask(law.BorrowerRules, on=visit.today), "is_over": True}


async def send_login_code(visit: Visit) -> Response:
    phone = visit.form.digits("phone")
    told = await visit.take("send_code", purpose="login", phone=phone)
    return render.show(visit, "login.html", phone=phone, otp_id=told["show"]["otp_id"], more="", code="")


async def send_login(visit: Visit) -> Response:
    """`POST /borrower/login`: the code, and what a shared phone or a new device asks for besides."""
    more = visit.form.text("more")
    body = {"phone": visit.form.digits("phone"), "otp_id": visit.form.text("otp_id"), "code": visit.form.digits("code")}
    if tail := visit.form.text("id_tail"):
        body["id_tail"] = tail.upper()
    if more == "face":
        body["selfie_ref"] = await keep_picture(visit, "selfie")
    told = await visit.take("login", **body)
    if wanted := told["show"].get("more"):
        return render.show(visit, "login.html", phone=body["phone"], otp_id=body["otp_id"], code=body["code"], more=wanted)
    if tail and not told["show"]["known"]:
        return render.go(visit, f"{HOME}?nobody=1")
    return render.go(visit, "/borrower/on" if told["state"] not in {"declined", "frozen"} else HOME)


async def keep_picture(visit: Visit, name: str) -> str:
    """Keep a picture that came with the form and give its name; the same form sent again keeps it once. Raises Refused."""
    data = visit.form.files.get(name)
    if data is None:
        raise stepping.refused(400, {"code": "bad-field", "text": f"The picture {name} is missing.", "text_zh": "", "retry": "never", "facts": {"field": name}})
    taken = await onboard.take_file(visit.desk, session=visit.visitor, data=data, key=f"{visit.key}-{name}")
    return taken["file_ref"]


async def log_out(visit: Visit) -> Response:
    await visit.take("logout")
    response = render.go(visit, "/borrower/?out=1")
    visit.set_cookie(response, SESSION, "", most_s=0)
    return response


async def offline(visit: Visit) -> Response:
    """`GET /borrower/offline`: what a phone shows while it has no network; it is kept there, and it is nobody's."""
    return render.show(visit, "offline.html")


async def offline_script(visit: Visit) -> Response:
    """`GET /borrower/offline.js`: the worker that shows that page; its reach is `/borrower/`."""
    return render.send(visit, (render.HERE / "offline.js").read_bytes(), "text/javascript; charset=utf-8")


PAGES = [
    get("/borrower/", welcome, is_open=True),
    get("/borrower/offline", offline, is_open=True),
    get("/borrower/offline.js", offline_script, is_open=True),
    post("/borrower/start", start, welcome, is_open=True),
    get("/borrower/s/{secret}", arrive, is_open=True),
    get("/borrower/o/{token}", order, is_open=True),
    get("/borrower/language/{code}", language, is_open=True),
    get("/borrower/on", on),
    get("/borrower/login", log_in, is_open=True),
    post("/borrower/login", send_login, log_in, is_open=True),
    post("/borrower/login/code", send_login_code, log_in, is_open=True),
    post("/borrower/logout", log_out, welcome, is_open=True),
]
