"""Speaking up: a question, a complaint, a dispute, protection of the account; and how each case goes."""

from starlette.responses import Response

from puhui.journeys import home
from puhui.web.borrower import render
from puhui.web.borrower.door import get, post
from puhui.web.borrower.form import kept
from puhui.web.borrower.visit import Visit

FREEZE = ("lost_phone", "proxy", "deceased")


async def help_page(visit: Visit) -> Response:
    return render.show(visit, "help.html")


async def ask(visit: Visit) -> Response:
    return render.show(visit, "ask.html", **kept(visit.form, "text"))


async def send_ask(visit: Visit) -> Response:
    return await _case(visit, "ask", text=visit.form.text("text"))


async def complain(visit: Visit) -> Response:
    return render.show(visit, "complain.html", **kept(visit.form, "text"))


async def send_complain(visit: Visit) -> Response:
    return await _case(visit, "complain", text=visit.form.text("text"))


async def dispute(visit: Visit) -> Response:
    told = await home.home(visit.desk, visit.who, {})
    chosen = kept(visit.form, "subject", "text")
    subject = chosen["subject"] or visit.request.query_params.get("subject", "")
    return render.show(visit, "dispute.html", loans=told["loans"], text=chosen["text"], subject=subject)


async def send_dispute(visit: Visit) -> Response:
    subject = visit.form.text("other") if visit.form.text("subject") == "other" else visit.form.text("subject")
    return await _case(visit, "dispute", subject=subject, text=visit.form.text("text"))


async def freeze(visit: Visit) -> Response:
    return render.show(visit, "freeze.html", reasons=FREEZE)


async def send_freeze(visit: Visit) -> Response:
    return await _case(visit, "freeze", reason=visit.form.text("reason"))


async def _case(visit: Visit, step: str, **body: str) -> Response:
    told = await visit.take(step, **body)
    return render.go(visit, f"/borrower/cases?new={told['show']['case_id']}")


async def cases(visit: Visit) -> Response:
    told = await home.home(visit.desk, visit.who, {})
    return render.show(visit, "cases.html", cases=list(reversed(told["cases"])), new=visit.request.query_params.get("new", ""))


PAGES = [
    get("/borrower/help", help_page),
    get("/borrower/ask", ask),
    post("/borrower/ask", send_ask, ask),
    get("/borrower/complain", complain),
    post("/borrower/complain", send_complain, complain),
    get("/borrower/dispute", dispute),
    post("/borrower/dispute", send_dispute, dispute),
    get("/borrower/freeze", freeze),
    post("/borrower/freeze", send_freeze, freeze),
    get("/borrower/cases", cases),
]
