"""One's own: data, consents and their withdrawal, who asked, what was decided and why, a copy of everything, closing the account."""

from starlette.responses import Response

from puhui.journeys import home
from puhui.web.borrower import render
from puhui.web.borrower.door import get, post
from puhui.web.borrower.visit import Visit


async def me(visit: Visit) -> Response:
    told = await home.home(visit.desk, visit.who, {})
    return render.show(visit, "me.html", you=told["you"], messages=told["messages"], cases=told["cases"])


async def consents(visit: Visit) -> Response:
    told = await home.home(visit.desk, visit.who, {})
    given = sorted(told["consents"], key=lambda one: one["state"] != "granted")
    return render.show(visit, "my_consents.html", consents=given, kept=())


async def withdraw(visit: Visit) -> Response:
    """`POST /borrower/consents/withdraw`: from this moment on nobody uses it; what law makes us keep is told at once."""
    told = await visit.take("withdraw_consent", consent_id=visit.form.text("consent_id"))
    now = await home.home(visit.desk, visit.who, {})
    given = sorted(now["consents"], key=lambda one: one["state"] != "granted")
    return render.show(visit, "my_consents.html", consents=given, kept=told["show"]["kept"])


async def queries(visit: Visit) -> Response:
    told = await home.queries(visit.desk, visit.who, {})
    return render.show(visit, "queries.html", queries=list(reversed(told["queries"])))


async def decisions(visit: Visit) -> Response:
    told = await home.decisions_about_me(visit.desk, visit.who, {"lang": visit.language})
    reviewed = {case["subject"] for case in (await home.home(visit.desk, visit.who, {}))["cases"] if case["kind"] == "review"}
    return render.show(visit, "decisions.html", decisions=list(reversed(told["decisions"])), reviewed=reviewed)


async def send_review(visit: Visit) -> Response:
    told = await visit.take("review_decision", decision_id=visit.form.text("decision_id"), text=visit.form.text("text"))
    return render.go(visit, f"/borrower/cases?new={told['show']['case_id']}")


async def export(visit: Visit) -> Response:
    return render.show(visit, "export.html", otp_id=visit.form.text("otp_id"), sha256="", expires_at="")


async def send_export_code(visit: Visit) -> Response:
    sent = await visit.take("send_code", purpose="unmask")
    return render.show(visit, "export.html", otp_id=sent["show"]["otp_id"], sha256="", expires_at="")


async def send_export(visit: Visit) -> Response:
    told = await visit.take("export", otp_id=visit.form.text("otp_id"), code=visit.form.digits("code"))
    return render.show(visit, "export.html", otp_id="", **told["show"])


async def close(visit: Visit) -> Response:
    told = await home.home(visit.desk, visit.who, {})
    return render.show(visit, "close.html", loans=[one for one in told["loans"] if one["state"] in {"active", "late"}], is_closed=False)


async def send_close(visit: Visit) -> Response:
    told = await visit.take("close_account")
    return render.show(visit, "close.html", loans=[], is_closed=told["show"]["state"])


PAGES = [
    get("/borrower/me", me),
    get("/borrower/consents", consents),
    post("/borrower/consents/withdraw", withdraw, consents),
    get("/borrower/queries", queries),
    get("/borrower/decisions", decisions),
    post("/borrower/decisions/review", send_review, decisions),
    get("/borrower/export", export),
    post("/borrower/export/code", send_export_code, export),
    post("/borrower/export", send_export, export),
    get("/borrower/close", close),
    post("/borrower/close", send_close, close),
]
