"""Borrowing: the wish, honest waiting, the answer with its reasons, the offer, the whole cost read in peace, the contract, the signature, the money."""

from typing import Any

from starlette.responses import Response

from puhui.foundation.days import add_months
from puhui.journeys import documents, home
from puhui.rooms import channels
from puhui.vocabulary.products import product
from puhui.web.borrower import render
from puhui.web.borrower.door import get, post
from puhui.web.borrower.pages.entering import HOME, keep_picture, next_page
from puhui.web.borrower.papers import read_paper
from puhui.web.borrower.visit import DRAFT, DRAFT_S, Visit

ON = "/borrower/on"


async def _told(visit: Visit) -> dict[str, Any]:
    return await home.home(visit.desk, visit.who, {})


# --- the wish -----------------------------------------------------------------------------------------------------------------------------


async def apply(visit: Visit) -> Response:
    """`GET /borrower/apply`: how much, how long, what for; with the price of the worst case said before anybody asks."""
    sold = product("starter")
    order = await _order(visit)
    draft = visit.request.cookies.get(DRAFT, "").split(".")
    amount, months, purpose = draft if len(draft) == 3 else ("", "", "")
    asked = {"amount": visit.form.text("amount") or amount, "months": visit.form.text("months") or months, "purpose": visit.form.text("purpose") or purpose}
    rates = [band.rate_ppm for band in sold.bands if band.amount_max_fen]
    return render.show(visit, "apply.html", product=sold, order=order, asked=asked, rate_min=min(rates), rate_max=max(rates))


async def _order(visit: Visit) -> channels.Purchase | None:
    token = visit.who.order_token
    if not token:
        return None
    async with visit.desk.work(visit.actor, durable=False) as work:
        return await channels.purchase_of_token(work, token)


async def send_apply(visit: Visit) -> Response:
    amount_fen, months, purpose = visit.form.fen("amount"), visit.form.whole("months"), visit.form.text("purpose")
    told = await visit.take("apply", amount_fen=amount_fen, months=months, purpose=purpose)
    response = render.go(visit, "/borrower/answer" if told["state"] == "declined" else ON)
    visit.set_cookie(response, DRAFT, f"{amount_fen // 100}.{months}.{purpose}" if purpose.isalpha() or "_" in purpose else "", most_s=DRAFT_S)
    return response


async def cancel(visit: Visit) -> Response:
    which = {name: visit.form.text(name) for name in ("application_id", "loan_id") if visit.form.text(name)}
    await visit.take("cancel", **which)
    return render.go(visit, HOME)


async def wait(visit: Visit) -> Response:
    """`GET /borrower/wait`: what is being asked, whom, and who has answered; the money's way. Goes on by itself."""
    told = await _told(visit)
    if told["state"] in {"waiting", "paying", "signed"}:
        return render.show(visit, "wait.html", **told)
    is_refused = (newest := await _newest(visit)) is not None and newest["outcome"] == "declined"
    return render.go(visit, next_page(told) or ("/borrower/answer" if is_refused else HOME))


async def _newest(visit: Visit) -> dict[str, Any] | None:
    """Give the last decision about the person, in his language."""
    decided = await home.decisions_about_me(visit.desk, visit.who, {"lang": visit.language})
    return max(decided["decisions"], key=lambda one: one["at"], default=None)


# --- the answer ---------------------------------------------------------------------------------------------------------------------------


async def answer(visit: Visit) -> Response:
    """`GET /borrower/answer`: yes with an offer, no with reasons and what would help, or the paper that is wanted."""
    told, newest = await _told(visit), await _newest(visit)
    if newest is not None and told["state"] == "offered":
        return await _offer(visit, told, newest)
    if newest is not None and told["state"] == "proof":
        return render.show(visit, "proof.html", decision=newest, **told)
    if newest is not None and newest["outcome"] == "declined" and told["state"] in {"declined", "active", "late", "settled"}:
        return render.show(visit, "declined.html", decision=newest, **told)
    return render.go(visit, next_page(told) or HOME)


async def _offer(visit: Visit, told: dict[str, Any], decision: dict[str, Any]) -> Response:
    """Show an offer: any point within it, with its whole cost always in sight."""
    if not told["offers"]:
        return render.show(visit, "lapsed.html", **told)
    query = visit.request.query_params
    offers = {one["offer_id"]: one for one in told["offers"]}
    offer = offers.get(query.get("offer", visit.form.text("offer_id")), told["offers"][0])
    most, least, step = offer["amount_max_fen"], offer["amount_min_fen"], offer["step_fen"]
    wished = query.get("amount") or visit.form.text("amount") or visit.request.cookies.get(DRAFT, "").split(".")[0]
    amount_fen = int(wished) * 100 if wished.isdigit() and len(wished) < 8 else most
    amount_fen = min(max(amount_fen - (amount_fen - least) % step, least), most)
    wanted = query.get("months") or visit.form.text("months") or ([*visit.request.cookies.get(DRAFT, "").split("."), "", ""])[1]
    months = int(wanted) if wanted.isdigit() and int(wanted) in offer["months"] else offer["months"][-1]
    key = f"q-{offer['offer_id'][-20:]}-{amount_fen}-{months}-{visit.today:%y%m%d}"
    quote = (await visit.take("quote", key=key, offer_id=offer["offer_id"], amount_fen=amount_fen, months=months))["show"]
    return render.show(
        visit, "offer.html", decision=decision, offer=offer, offers=told["offers"], amount_fen=amount_fen, months=months, quote=quote, show=told["show"]
    )


async def send_accept(visit: Visit) -> Response:
    await visit.take("accept", offer_id=visit.form.text("offer_id"), amount_fen=visit.form.whole("amount") * 100, months=visit.form.whole("months"))
    return render.go(visit, ON)


async def send_proof(visit: Visit) -> Response:
    fields = {"monthly_income_fen": visit.form.fen("income")} if visit.form.text("income") else {}
    await visit.take("proof", kind=visit.form.text("kind"), file_ref=await keep_picture(visit, "paper"), fields=fields)
    return render.go(visit, ON)


# --- the whole cost, read in peace --------------------------------------------------------------------------------------------------------


async def cost(visit: Visit) -> Response:
    """`GET /borrower/cost`: the cost table itself; from the moment it is shown the reading time runs, by our clock."""
    told = await _told(visit)
    if told["state"] not in {"accepted", "reading"}:
        return render.go(visit, next_page(told) or HOME)
    table_sha256 = told["show"]["table_sha256"]
    await visit.take("read_cost", key=f"read-{table_sha256[:48]}", table_sha256=table_sha256)
    table = read_paper(await documents.fetch(visit.desk, visit.who, table_sha256))
    left_s = (visit.refusal.facts.get("left_s") if visit.refusal else None) or told["show"]["reading_time_s"]
    return render.show(visit, "cost.html", table=table, table_sha256=table_sha256, left_s=left_s, application_id=table["application_id"])


async def send_cost(visit: Visit) -> Response:
    await visit.take("confirm_cost", table_sha256=visit.form.text("table_sha256"))
    return render.go(visit, "/borrower/contract")


async def contract(visit: Visit, otp_id: str = "") -> Response:
    """`GET /borrower/contract`: what is signed, in plain words and in full."""
    told = await _told(visit)
    if told["state"] != "confirmed":
        return render.go(visit, next_page(told) or HOME)
    contract_sha256 = told["show"]["contract_sha256"]
    paper = read_paper(await documents.fetch(visit.desk, visit.who, contract_sha256))
    table = read_paper(await documents.fetch(visit.desk, visit.who, paper["cost_table_sha256"]))
    return render.show(
        visit, "contract.html", contract=paper, table=table, contract_sha256=contract_sha256, otp_id=otp_id or visit.form.text("otp_id"), you=told["you"]
    )


async def send_sign_code(visit: Visit) -> Response:
    sent = await visit.take("send_code", purpose="sign", subject=visit.form.text("contract_sha256"))
    return await contract(visit, sent["show"]["otp_id"])


async def send_sign(visit: Visit) -> Response:
    await visit.take(
        "sign", contract_sha256=visit.form.text("contract_sha256"), otp_id=visit.form.text("otp_id"), code=visit.form.digits("code")
    )
    return render.go(visit, ON)


async def coach(visit: Visit) -> Response:
    """`GET /borrower/coach`: what a credit record is, and what raises one's line."""
    ladder = product("starter").ladder
    step = ""
    if visit.is_known:
        step = newest["ladder"] if (newest := await _newest(visit)) else ""
    first_due = add_months(visit.today, 1)
    return render.show(visit, "coach.html", ladder=ladder, step=step, first_due=first_due)


PAGES = [
    get("/borrower/apply", apply),
    post("/borrower/apply", send_apply, apply),
    post("/borrower/cancel", cancel, wait),
    get("/borrower/wait", wait),
    get("/borrower/answer", answer),
    post("/borrower/accept", send_accept, answer),
    post("/borrower/proof", send_proof, answer),
    get("/borrower/cost", cost),
    post("/borrower/cost", send_cost, cost),
    get("/borrower/contract", contract),
    post("/borrower/contract/code", send_sign_code, contract),
    post("/borrower/contract", send_sign, contract),
    get("/borrower/coach", coach, is_open=True),
]
