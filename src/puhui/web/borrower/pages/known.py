"""Becoming known: consents one by one, identity with pictures, the card, and the change of card or phone."""

from datetime import timedelta

from starlette.responses import Response

from puhui.foundation.days import add_months
from puhui.journeys import home, onboard
from puhui.web.borrower import render
from puhui.web.borrower.door import get, post
from puhui.web.borrower.pages.entering import keep_picture
from puhui.web.borrower.visit import Visit

IDENTITY = ("identity", "face", "financial_account")
LOAN = ("bureau", "telco", "utility", "wallet", "bank_flow", "social_insurance", "shopping", "device", "farm")
PARTNER = ("partner_events", "partner_declined")
MONTHS = (3, 12, 36)


async def _live(visit: Visit) -> frozenset[str]:
    told = await home.home(visit.desk, visit.who, {})
    return frozenset(one["item"] for one in told["consents"] if one["state"] == "granted")


async def identity_consents(visit: Visit) -> Response:
    return render.show(visit, "consents.html", stage="identity", items=IDENTITY, wanted=frozenset(IDENTITY), live=await _live(visit), months=MONTHS, own=())


async def loan_consents(visit: Visit) -> Response:
    own = PARTNER if visit.framed_by else ()
    return render.show(visit, "consents.html", stage="loan", items=LOAN, wanted=frozenset({"bureau"}), live=await _live(visit), months=MONTHS, own=own)


def _until(visit: Visit) -> str:
    """Give the last day of the term that was chosen: never beyond three years."""
    months = visit.form.whole("months") if visit.form.text("months") else 12
    return str(add_months(visit.today, min(months, 36)) - timedelta(days=1))


async def give_identity(visit: Visit) -> Response:
    items = [item for item in IDENTITY if item in visit.form.many.get("item", ())]
    await visit.take("consent", items=items, purpose="identity", until=_until(visit))
    return render.go(visit, "/borrower/identity")


async def give_loan(visit: Visit) -> Response:
    chosen = visit.form.many.get("item", ())
    await visit.take("consent", items=[item for item in LOAN if item in chosen], purpose="loan", until=_until(visit))
    told = [item for item in PARTNER if item in chosen]
    if told and visit.partner:
        await visit.take("consent", key=f"{visit.key}-p", items=told, purpose="partner", recipient=visit.partner, until=_until(visit))
    return render.go(visit, "/borrower/apply")


# --- who one is ---------------------------------------------------------------------------------------------------------------------------


async def identity(visit: Visit) -> Response:
    places = sorted((await onboard.places_of(visit.desk)).values(), key=lambda place: place.place_code)
    return render.show(visit, "identity.html", places=places)


async def send_identity(visit: Visit) -> Response:
    person = {"name": visit.form.text("name"), "id_type": "id_card", "id_number": visit.form.digits("id_number").upper()}
    refs = {f"{name}_ref": await keep_picture(visit, name) for name in ("front", "back", "selfie")}
    await visit.take("identity", person=person, living_place_code=visit.form.text("living_place_code"), **refs)
    return render.go(visit, "/borrower/card")


# --- card and phone -----------------------------------------------------------------------------------------------------------------------


async def card(visit: Visit) -> Response:
    told = await home.home(visit.desk, visit.who, {})
    return render.show(visit, "card.html", phone=visit.form.text("phone"), otp_id=visit.form.text("otp_id"), you=told["you"])


async def send_card_code(visit: Visit) -> Response:
    phone = visit.form.digits("phone")
    sent = await visit.take("send_code", purpose="bind", phone=phone)
    told = await home.home(visit.desk, visit.who, {})
    return render.show(visit, "card.html", phone=phone, otp_id=sent["show"]["otp_id"], you=told["you"])


async def send_card(visit: Visit) -> Response:
    told = await home.home(visit.desk, visit.who, {})
    step = "change_card" if "card_tail" in told["you"] else "bind"
    await visit.take(
        step,
        card_number=visit.form.digits("card_number"),
        phone=visit.form.digits("phone"),
        otp_id=visit.form.text("otp_id"),
        code=visit.form.digits("code"),
    )
    return render.go(visit, "/borrower/on" if step == "bind" else "/borrower/me")


async def phone(visit: Visit) -> Response:
    return render.show(visit, "phone.html", phone=visit.form.text("phone"), otp_id=visit.form.text("otp_id"))


async def send_phone_code(visit: Visit) -> Response:
    number = visit.form.digits("phone")
    sent = await visit.take("send_code", purpose="identity", phone=number)
    return render.show(visit, "phone.html", phone=number, otp_id=sent["show"]["otp_id"])


async def send_phone(visit: Visit) -> Response:
    selfie_ref = await keep_picture(visit, "selfie")
    await visit.take(
        "change_phone", phone=visit.form.digits("phone"), otp_id=visit.form.text("otp_id"), code=visit.form.digits("code"), selfie_ref=selfie_ref
    )
    return render.go(visit, "/borrower/me")


PAGES = [
    get("/borrower/consents/identity", identity_consents),
    post("/borrower/consents/identity", give_identity, identity_consents),
    get("/borrower/consents/loan", loan_consents),
    post("/borrower/consents/loan", give_loan, loan_consents),
    get("/borrower/identity", identity),
    post("/borrower/identity", send_identity, identity),
    get("/borrower/card", card),
    post("/borrower/card/code", send_card_code, card),
    post("/borrower/card", send_card, card),
    get("/borrower/phone", phone),
    post("/borrower/phone/code", send_phone_code, phone),
    post("/borrower/phone", send_phone, phone),
]
