"""One's loans: how each stands, its plan, what settles it today or on another day, paying, the receipt, collecting by itself, and help."""

from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from puhui.engines import law
from puhui.foundation.refusals import NotFound
from puhui.journeys import collect, documents, home, statement
from puhui.web.borrower import render
from puhui.web.borrower.door import get, post
from puhui.web.borrower.form import kept
from puhui.web.borrower.pages.entering import keep_picture
from puhui.web.borrower.papers import read_paper
from puhui.web.borrower.visit import Visit

PAYOFF_DAYS = 90


async def loans(visit: Visit) -> Response:
    told = await home.home(visit.desk, visit.who, {})
    return render.show(visit, "loans.html", loans=list(reversed(told["loans"])), state=told["state"])


async def _loan(visit: Visit) -> dict[str, Any]:
    """Give the loan of the page's address with its plan. Raises NotFound: another's loan is nobody's here."""
    loan_id = visit.request.path_params["loan_id"]
    found = (await statement.schedule(visit.desk, visit.who, {"loan_id": loan_id}))["loans"]
    if not found:
        raise NotFound(what="loan", which=loan_id)
    shown: dict[str, Any] = found[0]
    return shown


async def loan(visit: Visit) -> Response:
    shown = await _loan(visit)
    lines = (await statement.statement(visit.desk, visit.who, {"loan_id": shown["loan_id"]}))["lines"]
    told = await home.home(visit.desk, visit.who, {})
    cases = [case for case in told["cases"] if case["subject"] == shown["loan_id"]]
    cooling = law.shipped().ask(law.CoolingOffRules, on=visit.today)
    opened = next((date.fromisoformat(line["value_date"]) for line in lines if line["kind"] == "disbursed"), None)
    may_return = shown["state"] in {"active", "late"} and opened is not None and cooling.may_give_back(paid_out_on=opened, on=visit.today)
    last_day = cooling.last_day(opened) if opened else None
    return render.show(visit, "loan.html", loan=shown, lines=lines, cases=cases, may_return=may_return, last_day=last_day)


async def payoff(visit: Visit) -> Response:
    """`GET /borrower/loans/{loan_id}/payoff`: what settles it today; and what it would be on a later day, to think about."""
    shown = await _loan(visit)
    asked = visit.request.query_params.get("day", "")
    wanted = _within(asked, visit.today)
    figures = {on: await _payoff_fen(visit, shown["loan_id"], on) for on in (visit.today, wanted)}
    ahead_fen = sum(row["interest_fen"] + row["fees_fen"] for row in shown["rows"] if date.fromisoformat(row["due"]) > visit.today and row["owed_fen"])
    left_fen = sum(row["owed_fen"] for row in shown["rows"])
    return render.show(
        visit, "payoff.html", loan=shown, today=visit.today, wanted=wanted, last=visit.today + timedelta(days=PAYOFF_DAYS), figures=figures,
        left_fen=left_fen, ahead_fen=ahead_fen,
    )  # fmt: skip


def _within(text: str, today: date) -> date:
    try:
        wanted = date.fromisoformat(text)
    except ValueError:
        wanted = today + timedelta(days=30)
    return min(max(wanted, today), today + timedelta(days=PAYOFF_DAYS))


async def _payoff_fen(visit: Visit, loan_id: str, on: date) -> int:
    told = await visit.take("payoff", key=visit.fresh_key(), loan_id=loan_id, day=on)
    amount_fen: int = told["show"]["amount_fen"]
    return amount_fen


# --- paying -------------------------------------------------------------------------------------------------------------------------------


async def repay(visit: Visit) -> Response:
    """`GET /borrower/loans/{loan_id}/repay`: what is due, a part of the rest, or all of it."""
    shown = await _loan(visit)
    if shown["state"] in {"settled", "cancelled"}:
        return render.go(visit, f"/borrower/loans/{shown['loan_id']}")
    return render.show(visit, "repay.html", loan=shown, payment_key=visit.form.text("payment_key") or visit.fresh_key(), needs_code=_needs_code(visit), **_chosen(visit))


def _chosen(visit: Visit) -> dict[str, Any]:
    given = kept(visit.form, "intent", "amount", "otp_id", "subject")
    return given | {"intent": given["intent"] or visit.request.query_params.get("intent", "")}


def _needs_code(visit: Visit) -> str:
    """Give the payment order that a code is wanted for, "" where none is."""
    if visit.refusal is not None and visit.refusal.code == "collect.code-needed":
        return str(visit.refusal.facts["payment_order_id"])
    return visit.form.text("subject")


async def send_repay(visit: Visit) -> Response:
    shown = await _loan(visit)
    intent = visit.form.text("intent") or "due"
    code = {"otp_id": visit.form.text("otp_id"), "code": visit.form.digits("code")} if visit.form.text("code") else {}
    told = await visit.take(
        "repay", loan_id=shown["loan_id"], amount_fen=_amount_fen(visit, shown, intent), payment_key=visit.form.text("payment_key"),
        intent="prepay" if intent == "due" and not shown["due_fen"] else intent, **code,
    )  # fmt: skip
    return render.go(visit, f"/borrower/loans/{shown['loan_id']}/payments/{told['show']['payment_order_id']}")


def _amount_fen(visit: Visit, shown: dict[str, Any], intent: str) -> int:
    """Give what is paid: what is due or next, all of it, or the part that the person wrote. Raises BadField."""
    match intent:
        case "due":
            return int(shown["due_fen"] or shown.get("next_due_fen", 0))
        case "payoff":
            return int(shown["payoff_fen"])
        case _:
            return visit.form.fen("amount")


async def send_pay_code(visit: Visit) -> Response:
    sent = await visit.take("send_code", purpose="pay", subject=visit.form.text("subject"))
    shown = await _loan(visit)
    chosen = _chosen(visit) | {"otp_id": sent["show"]["otp_id"]}
    return render.show(visit, "repay.html", loan=shown, payment_key=visit.form.text("payment_key"), needs_code=visit.form.text("subject"), **chosen)


async def payment(visit: Visit) -> Response:
    """`GET /borrower/loans/{loan_id}/payments/{payment_order_id}`: on its way, done with its receipt, or failed with the reason."""
    shown = await _loan(visit)
    order_id = visit.request.path_params["payment_order_id"]
    told = await collect.payment(visit.desk, visit.who, loan_id=shown["loan_id"], payment_order_id=order_id)
    return render.show(visit, "payment.html", loan=await _loan(visit), payment=told.show)


async def paper(visit: Visit) -> Response:
    """`GET /borrower/papers/{sha256}`: a receipt, certificate, cost table or contract as it looks; its sealed bytes are a click away."""
    sha256 = visit.request.path_params["sha256"]
    found = await documents.fetch(visit.desk, visit.who, sha256)
    facts = read_paper(found)
    table = None
    if facts["kind"] == "contract":
        table = read_paper(await documents.fetch(visit.desk, visit.who, facts["cost_table_sha256"]))
    return render.show(visit, "paper.html", paper=facts, sha256=sha256, table=table)


async def paper_bytes(visit: Visit) -> Response:
    sha256 = visit.request.path_params["sha256"]
    found = await documents.fetch(visit.desk, visit.who, sha256)
    headers = {"Content-Disposition": f'attachment; filename="puhui-{sha256[:12]}.json"'}
    return render.send(visit, found.data, found.media_type, headers=headers)


async def loan_papers(visit: Visit) -> Response:
    """`GET /borrower/loans/{loan_id}/contract`: what was signed for this loan."""
    shown = await _loan(visit)
    contract_sha256 = await statement.contract_of(visit.desk, visit.who, shown["loan_id"])
    return render.go(visit, f"/borrower/papers/{contract_sha256}")


async def certificate(visit: Visit) -> Response:
    shown = await _loan(visit)
    kind = "settled" if shown["state"] == "settled" else "loan"
    told = await visit.take("certificate", kind=kind, loan_id=shown["loan_id"])
    return render.go(visit, f"/borrower/papers/{told['show']['sha256']}")


async def mandate(visit: Visit) -> Response:
    shown = await _loan(visit)
    await visit.take("mandate", loan_id=shown["loan_id"], on=visit.form.text("on") == "yes")
    return render.go(visit, f"/borrower/loans/{shown['loan_id']}?mandate={'on' if visit.form.text('on') == 'yes' else 'off'}")


async def give_back(visit: Visit) -> Response:
    """`POST /borrower/loans/{loan_id}/return`: within the cooling-off, what giving it back costs; then it is paid like a payoff."""
    shown = await _loan(visit)
    await visit.take("cancel", loan_id=shown["loan_id"])
    return render.go(visit, f"/borrower/loans/{shown['loan_id']}/repay?intent=payoff")


# --- when it gets hard --------------------------------------------------------------------------------------------------------------------


async def hardship(visit: Visit) -> Response:
    return render.show(visit, "hardship.html", loan=await _loan(visit), text=visit.form.text("text"))


async def send_hardship(visit: Visit) -> Response:
    shown = await _loan(visit)
    body = {"loan_id": shown["loan_id"], "reason": visit.form.text("text") or visit.form.text("why")}
    if "paper" in visit.form.files:
        body["proof_ref"] = await keep_picture(visit, "paper")
    told = await visit.take("hardship", **body)
    return render.go(visit, f"/borrower/cases?new={told['show']['case_id']}")


async def not_mine(visit: Visit) -> Response:
    return render.show(visit, "not_mine.html", loan=await _loan(visit), text=visit.form.text("text"))


async def send_not_mine(visit: Visit) -> Response:
    shown = await _loan(visit)
    told = await visit.take("not_mine", loan_id=shown["loan_id"], text=visit.form.text("text"))
    return render.go(visit, f"/borrower/cases?new={told['show']['case_id']}")


ONE = "/borrower/loans/{loan_id}"
PAGES = [
    get("/borrower/loans", loans),
    get(ONE, loan),
    get(f"{ONE}/payoff", payoff),
    get(f"{ONE}/repay", repay),
    post(f"{ONE}/repay", send_repay, repay),
    post(f"{ONE}/repay/code", send_pay_code, repay),
    get(f"{ONE}/payments/{{payment_order_id}}", payment),
    get(f"{ONE}/contract", loan_papers),
    post(f"{ONE}/certificate", certificate, loan),
    post(f"{ONE}/mandate", mandate, loan),
    post(f"{ONE}/return", give_back, loan),
    get(f"{ONE}/hardship", hardship),
    post(f"{ONE}/hardship", send_hardship, hardship),
    get(f"{ONE}/not-mine", not_mine),
    post(f"{ONE}/not-mine", send_not_mine, not_mine),
    get("/borrower/papers/{sha256}", paper),
    get("/borrower/papers/{sha256}/file", paper_bytes),
]
