"""Every route of every door x everybody who may knock: who gets in is written here by hand, and a route that is not written here is red.

A knock ends `in` (the door's own answer, also where it refuses what was said), `out` (turned away for who knocks) or `none` (not found: it is
somebody else's, or not there). Bodies are such that nothing is done: a key that is none, a thing that is not there. The screens and deeds of the
console have a table of their own by role, in `test_console_gate`; here everybody who is no member of staff knocks at them.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache

import pytest
import requests
from console_house import PASSWORD, Browser, add_member, ids_of, open_console
from whole_loop import Resident

from puhui.foundation.keyfiles import load_private
from puhui.foundation.refusals import Refusal
from puhui.foundation.signing import sign_request
from puhui.rooms import staff
from puhui.rooms.staff import Role
from puhui.web import app
from puhui.web.borrower.visit import Visit

STAFF = {
    "r": Role.RISK_ANALYST, "h": Role.RISK_HEAD, "o": Role.OPERATIONS, "f": Role.FINANCE, "s": Role.SERVICE_AGENT, "c": Role.COLLECTOR,
    "l": Role.COMPLIANCE, "a": Role.AUDITOR, "m": Role.ADMIN,
}  # fmt: skip
MEMBERS = "".join(STAFF)
OTHERS = "NVBXPQUDR"
"""N nobody, V a visitor before the log-in, B the borrower of the house, X another person, P the partner whose entry it is, Q the shop, U a key that
nobody knows, D the driver's key, R the rail's."""
EVERYBODY = MEMBERS + OTHERS
SIGNERS = "PQDR"

# Who gets in | to whom it is not there | the routes. Whoever is named in neither is turned away.
TABLE = [
    (EVERYBODY, "", """
        GET /   GET /about   GET /prices   GET /partner-list   GET /complaints   GET /privacy   GET /accessibility   GET /figures
        GET /icon.svg   GET /manifest.webmanifest   GET /keys   GET /health   GET /metrics   GET /openapi.json
        GET /portal   GET /portal/api/{operation_id}   GET /portal/samples/{name}
        GET /borrower/   GET /borrower/coach   GET /borrower/language/{code}   GET /borrower/offline   GET /borrower/offline.js
        GET /console/   GET /console/login   GET /console/look   GET /console/assets/{name:path}
        POST /staff/v1/login"""),
    ("", EVERYBODY, "GET /borrower/o/{token}"),
    ("", "", "GET /borrower/s/{secret}   POST /console/login"),  # a spent address; a log-in with nothing in it
    ("VBX", "", "POST /borrower/start   GET /borrower/login   POST /borrower/login   POST /borrower/login/code   POST /borrower/logout   POST /borrower/v1/files"),
    ("BX", "", """
        POST /borrower/v1/steps/{step}   GET /borrower/v1/home   GET /borrower/v1/decisions   GET /borrower/v1/queries   GET /borrower/on
        GET /borrower/consents/identity   POST /borrower/consents/identity   GET /borrower/consents/loan   POST /borrower/consents/loan
        GET /borrower/identity   POST /borrower/identity   GET /borrower/card   POST /borrower/card   POST /borrower/card/code
        GET /borrower/phone   POST /borrower/phone   POST /borrower/phone/code   GET /borrower/apply   POST /borrower/apply   POST /borrower/cancel
        GET /borrower/wait   GET /borrower/answer   POST /borrower/accept   POST /borrower/proof   GET /borrower/cost   POST /borrower/cost
        GET /borrower/contract   POST /borrower/contract   POST /borrower/contract/code   GET /borrower/loans
        GET /borrower/help   GET /borrower/ask   POST /borrower/ask   GET /borrower/complain   POST /borrower/complain   GET /borrower/dispute
        POST /borrower/dispute   GET /borrower/freeze   POST /borrower/freeze   GET /borrower/cases   GET /borrower/me   GET /borrower/consents
        POST /borrower/consents/withdraw   GET /borrower/queries   GET /borrower/decisions   POST /borrower/decisions/review
        GET /borrower/export   POST /borrower/export   POST /borrower/export/code   GET /borrower/close   POST /borrower/close"""),
    ("B", "X", """
        GET /borrower/v1/schedule   GET /borrower/v1/statement   GET /borrower/v1/documents/{sha256}
        GET /borrower/loans/{loan_id}   GET /borrower/loans/{loan_id}/payoff   GET /borrower/loans/{loan_id}/repay   POST /borrower/loans/{loan_id}/repay
        POST /borrower/loans/{loan_id}/repay/code   GET /borrower/loans/{loan_id}/contract
        POST /borrower/loans/{loan_id}/certificate   POST /borrower/loans/{loan_id}/mandate   POST /borrower/loans/{loan_id}/return
        GET /borrower/loans/{loan_id}/hardship   POST /borrower/loans/{loan_id}/hardship   GET /borrower/loans/{loan_id}/not-mine
        POST /borrower/loans/{loan_id}/not-mine   GET /borrower/papers/{sha256}   GET /borrower/papers/{sha256}/file"""),
    ("", "BX", "GET /borrower/loans/{loan_id}/payments/{payment_order_id}"),  # the order is the pay-out, and that is no repayment of his
    ("P", "", "POST /entry/v1/sessions"),
    (SIGNERS, "", "GET /entry/v1/entries   GET /partner/v1/events"),  # whom we know by his signature; of events everybody sees his own
    ("Q", "", "POST /partner/v1/orders"),
    ("", "Q", "GET /partner/v1/orders/{order_id}   POST /partner/v1/orders/{order_id}/deliver   POST /partner/v1/orders/{order_id}/refunds"),
    ("PQ", "DR", "GET /partner/v1/keys   POST /partner/v1/keys"),
    ("R", "", "POST /callbacks/{service}"),
    ("D", "", "POST /driver/v1/clock/advance"),
    ("osl", "", "GET /staff/v1/cases   GET /staff/v1/hardships"),
    ("", "osl", "POST /staff/v1/cases/{case_id}/answer"),
    ("", "of", "POST /staff/v1/hardships/{case_id}/ease"),
    ("", "osl", "POST /staff/v1/hardships/{case_id}/refuse"),
    ("fa", "", "GET /staff/v1/write-offs   GET /staff/v1/trial-balance"),
    ("", "of", "POST /staff/v1/loans/{loan_id}/write-off"),
    ("rhofl", "", "GET /staff/v1/approvals"),
    ("", "hfl", "POST /staff/v1/approvals/{approval_id}/approve   POST /staff/v1/approvals/{approval_id}/decline"),
    ("h", "", "POST /staff/v1/switches/{name}"),  # to switch on what is on
    ("", "o", "POST /staff/v1/partners/{partner_id}/suspend   POST /staff/v1/partner-events/{event_id}/send"),
    ("o", "", "GET /staff/v1/partner-events"),
    ("rhofla", "", "GET /staff/v1/boards/{name}   GET /staff/v1/bureau"),
    ("f", "", "GET /staff/v1/differences   GET /staff/v1/unmatched"),
    ("", "f", "POST /staff/v1/differences   POST /staff/v1/unmatched/{receipt_id}/match"),
    ("la", "", "GET /staff/v1/audit"),
    (MEMBERS, "", "POST /staff/v1/logout"),
]  # fmt: skip
LAST = "POST /staff/v1/logout"
GO_ON = {"/borrower/start"}
"""Where being led to the log-in is the door's own answer."""
BODIES = {
    "/entry/v1/sessions": {"session_id": "se-matrix", "entry_id": "e01", "kind": "app", "device": {"device_id": "dv-matrix"}},
    "/partner/v1/orders/{order_id}/deliver": {"delivered_at": "2026-09-01T09:00:00+08:00"},
    "/partner/v1/orders/{order_id}/refunds": {"refund_id": "rf-1", "amount_fen": 100, "reason": "x"},
    "/partner/v1/keys": {"key_id": "k", "alg": "ed25519", "public_key": "none"},
    "/callbacks/{service}": {"event_id": "e-m", "kind": "entry.something", "subject": "s-1", "seq": 1, "at": "2026-09-01T09:00:00+08:00", "data": {}},
    "/staff/v1/login": {"login": "nobody"},
    "/staff/v1/cases/{case_id}/answer": {"customer_id": "cu-000-none", "outcome": "upheld", "text": "x"},
    "/staff/v1/hardships/{case_id}/ease": {"customer_id": "cu-000-none", "months": 12},
    "/staff/v1/hardships/{case_id}/refuse": {"customer_id": "cu-000-none", "text": "x"},
    "/staff/v1/loans/{loan_id}/write-off": {"customer_id": "cu-000-none"},
    "/staff/v1/approvals/{approval_id}/decline": {"why": "only asked"},
    "/staff/v1/switches/{name}": {"is_on": True},
    "/staff/v1/partners/{partner_id}/suspend": {"why": "only asked"},
    "/staff/v1/differences": {"book": "rail", "day": "2026-09-01", "subject": "none", "kind": "missing", "explanation": "only asked"},
    "/staff/v1/unmatched/{receipt_id}/match": {"loan_id": "ln-000-none"},
}
NAMES = {"/portal/samples/{name}": {"name": "partner.py"}, "/console/assets/{name:path}": {"name": "console.css"}, "/staff/v1/boards/{name}": {"name": "funnel"}}
NOT_THERE = {"case_id": "ca-000-none", "approval_id": "av-000-none", "loan_id": "ln-000-none", "partner_id": "nobody"}
"""Who may do a deed of staff knocks with a thing that is not there; who may not, with one that is."""
NOT_OURS = {"/console/login", "/console/logout", "/console/{rest:path}"}
"""Posts of the console that are no deed of a session; a log-out without its token is refused too, on the page of the log-in."""
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@cache
def routes():
    """Give `METHOD path` of every route of the application, the one that ends a session last."""
    found = [f"{method} {one.path}" for one in app.build(object()).routes for method in sorted(one.methods - {"HEAD"})]
    return [*(one for one in found if one != LAST), LAST]


def wanted():
    """Give the table: route -> (who gets in, to whom it is not there); of the console's own screens and deeds: nobody here."""
    read = {route: (allowed, none) for allowed, none, text in TABLE for route in re.split(r"\s{2,}", text.strip())}
    of_console = {one for one in routes() if one.split()[1].startswith("/console")} - set(read)
    return read | dict.fromkeys(of_console, ("", ""))


def test_the_table_names_every_route_and_no_other():
    """A new route is red until somebody has written down who may knock there."""
    assert [one for one in routes() if one not in wanted()] == []
    assert sorted(set(wanted()) - set(routes())) == []
    named = [route for _, _, text in TABLE for route in re.split(r"\s{2,}", text.strip())]
    assert sorted({one for one in named if named.count(one) > 1}) == []


def test_nobody_gets_in_where_the_table_does_not_say_so(knocking):
    wrong = []
    for route, (allowed, none) in ((one, wanted()[one]) for one in routes()):
        who = OTHERS if route.split()[1].startswith("/console") else EVERYBODY
        for letter in who:
            ended = knocking.knock(letter, route)
            if ended != ("in" if letter in allowed else "none" if letter in none else "out"):
                wrong.append((route, letter, ended))
    assert wrong == [], "\n".join(map(str, wrong))


@dataclass
class Caller:
    """Somebody with all he has: headers, cookies, a key he signs with, the form token of his page."""

    headers: dict = field(default_factory=dict)
    cookies: dict = field(default_factory=dict)
    key: object = None
    token: str = ""


@dataclass
class Knocking:
    """Everybody before the doors of the house, and what stands where a path wants an id."""

    house: object
    places: dict
    callers: dict

    def send(self, letter, route, **changed):
        method, path = route.split()
        caller = self.callers[letter]
        places = self.places | NAMES.get(path, {}) | (NOT_THERE if path.startswith("/staff") and letter in changed.get("able", "") else {})
        filled = re.sub(r"\{(\w+)(:path)?\}", lambda found: places[found.group(1)], path)
        if path in {"/borrower/v1/schedule", "/borrower/v1/statement"}:
            filled += f"?loan_id={self.places['loan_id']}&since=2026-09-01&until=2026-09-02"
        is_page = path.startswith(("/borrower", "/console")) and "/v1/" not in path
        token = changed.get("token", caller.token)
        body = b"" if method == "GET" else f"token={token}&csrf={token}".encode() if is_page else json.dumps(self.body(path)).encode()
        headers = {"Content-Type": FORM if is_page else JSON} | ({"Idempotency-Key": self.house.key()} if method == "POST" else {}) | caller.headers
        if caller.key is not None:
            key = headers.get("Idempotency-Key", "")
            # of a query nothing is signed here: no signed door of this table has one
            headers |= sign_request(caller.key, method=method, path=filled, body=body, idempotency_key=key, time_ms=self.house.desk.clock.real_ms())
        return requests.request(method, self.house.url + filled, data=body, headers=headers, cookies=caller.cookies, allow_redirects=False, timeout=60)

    def body(self, path):
        if path == "/partner/v1/orders":
            items = [{"title": "x", "amount_fen": 100_000, "category": "appliance"}]
            return {
                "order_id": "or-matrix", "merchant_id": self.places["merchant_id"], "scene_id": "s001", "items": items, "amount_fen": 100_000, "buyer_ref": "b",
                "return_url": "https://shop.example/",
            }  # fmt: skip
        return BODIES.get(path, {})

    def knock(self, letter, route):
        answer = self.send(letter, route, able="".join(wanted()[route]))
        assert answer.status_code < 500, (letter, route, answer.text[:300])
        self.check_headers(route, answer)
        where, path = answer.headers.get("Location", ""), route.split()[1]
        is_sent_off = where.startswith(("/console/login", "/borrower/?over=1", "/borrower/login")) and path not in GO_ON
        if answer.status_code in {401, 403} or is_sent_off or (path.startswith("/callbacks") and "does not speak for" in answer.text):
            return "out"
        return "none" if answer.status_code == 404 else "in"

    @staticmethod
    def check_headers(route, answer):
        """Whatever a door answers, no other site may frame it, and no browser may guess what it is."""
        headers = answer.headers
        assert headers.get("X-Content-Type-Options") == "nosniff" or not answer.content, (route, answer.status_code)
        if headers.get("Content-Type", "").startswith("text/html"):
            assert headers["X-Frame-Options"] == "DENY", route
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], route
            assert "unsafe" not in headers["Content-Security-Policy"], route


@pytest.fixture(scope="module")
def knocking(own_house, tmp_path_factory):
    console = open_console(own_house)
    house, folder = own_house, tmp_path_factory.mktemp("keys")
    callers = {"N": Caller()}
    for letter, role in STAFF.items():
        callers[letter] = member(house, f"m.{letter}", frozenset({role}))
    callers |= {"V": visitor(house), "B": person(house, house.customer_id), "X": person(house, None)}
    callers |= {"P": Caller(key=house.partners[0]), "Q": Caller(key=house.partners[1]), "U": Caller(key=load_private(folder / "u.pem", "unknown-1", make=True))}
    for letter, owner in {"D": "driver", "R": "rail"}.items():
        key = load_private(folder / f"{owner}.pem", f"{owner}-matrix", make=True)
        house.desk.keyring.add(key.published(owner))
        callers[letter] = Caller(key=key)
    shop = house.partners[1].key_id.removesuffix("-9").removeprefix("shop-")
    places = ids_of(console) | papers_of(house, callers["B"]) | {
        "service": "rail", "step": "complain", "secret": "none", "token": "none", "code": "en", "order_id": "none", "merchant_id": shop, "name": "sales", "event_id": "none",
        "receipt_id": "none", "operation_id": "quote_order", "rest": "nothing",
    }  # fmt: skip
    return Knocking(house, places, callers)


def member(house, login, roles):
    """Give a member of staff who has logged in, with his cookie, the same as a token of the API, and his form token."""
    house.run(add_member(house, login, roles))
    browser = Browser(house.url)
    assert browser.log_in(login).status_code == 303
    secret = browser.session.cookies.get("puhui_staff")
    return Caller({"Authorization": f"Bearer {secret}"}, {"puhui_staff": secret}, token=browser.csrf())


def person(house, customer_id):
    """Give somebody who has logged in, with a visit of the API and one of the pages; None makes a newcomer."""
    if customer_id is None:
        newcomer = house.visitor()
        customer_id = house.run(whose(house, newcomer))
    return _with_pages(house, house.visitor(customer_id), house.visitor(customer_id), "/borrower/complain")


async def whose(house, secret):
    from puhui.rooms import channels

    async with house.desk.work(durable=False) as work:
        return str((await channels.session_in(work, secret)).customer_id)


def visitor(house):
    """Give somebody who has come and not logged in."""
    secrets = []
    for _ in range(2):
        house.visits += 1
        resident = Resident(house.loop, 1000 + house.visits)
        house.run(resident.visit())
        secrets.append(resident.secret)
    return _with_pages(house, *secrets, "/borrower/login")


def _with_pages(house, of_api, of_pages, page):
    jar = requests.Session()
    jar.get(f"{house.url}/borrower/s/{of_pages}", timeout=60)
    token = re.search(r'name="token" value="([^"]*)"', jar.get(house.url + page, timeout=60).text)[1]
    return Caller({"Puhui-Session": of_api}, jar.cookies.get_dict(), token=token)


def papers_of(house, caller):
    """Give a paper and a payment of the borrower of the house."""
    contract = requests.get(f"{house.url}/borrower/loans/{house.loan_id}/contract", cookies=caller.cookies, allow_redirects=False, timeout=60)

    async def ordered():
        async with house.desk.work(durable=False) as work:
            return await work.connection.fetchval("select payment_order_id from payments.orders where loan_id = $1 limit 1", house.loan_id)

    return {"sha256": contract.headers["Location"].rsplit("/", 1)[1], "payment_order_id": house.run(ordered())}


# -- forms of other sites ---------------------------------------------------------------------------------------------------------------------


def test_no_form_of_any_page_is_taken_without_its_token(knocking, monkeypatch):
    """CSRF at every form there is: with all his cookies and no token of ours, the form is refused before its door is asked anything.

    The answer is 403, or where the page of the form has nothing to show just now, the way to the page that has.
    """
    refused, plain = [], Visit.demand_own_form

    def demand(visit):
        try:
            plain(visit)
        except Refusal as refusal:
            refused.append(refusal.code)
            raise

    monkeypatch.setattr(Visit, "demand_own_form", demand)
    tried = 0
    for route in routes():
        method, path = route.split()
        if method == "POST" and path.startswith("/borrower/") and "/v1/" not in path:
            for token in ("", "0123456789abcdef.00000000000000000000000000000000"):
                answer, tried = knocking.send("B", route, token=token), tried + 1
                assert answer.status_code in {403, 303}, (route, answer.status_code)
                assert len(refused) == tried, route
    assert set(refused) == {"borrower.foreign-form"}
    assert tried > 40


def test_no_deed_of_the_console_is_done_without_its_token(knocking):
    """The one member who may do nearly everything, and the admin: every deed wants the form token of their own session."""
    house = knocking.house
    able = {"everything": member(house, "m.everything", frozenset(Role) - set(staff.role.ALONE)), "admin": member(house, "m.admin", frozenset({Role.ADMIN}))}
    knocking.callers |= able
    refused = {}
    for route in routes():
        method, path = route.split()
        if method == "POST" and path.startswith("/console") and path not in NOT_OURS:
            for who, other in (("everything", "admin"), ("admin", "everything")):
                for token in ("", "0" * 40, able[other].token):
                    answer = knocking.send(who, route, token=token)
                    assert answer.status_code == 403, (route, who, answer.status_code)
                    refused.setdefault(route, set()).add("console.not-our-form" in answer.text)
        if route == "POST /console/logout":
            assert knocking.send("admin", route, token="").status_code == 403
    assert [route for route, said in refused.items() if True not in said] == [], "a deed that nobody was refused for its form"
    assert len(refused) > 25


def test_a_password_that_was_good_yesterday_is_no_key_to_todays_session(knocking):
    """Session fixation, at both doors of staff: a token that we did not give is worth nothing, and each log-in gives another."""
    house = knocking.house
    told = [requests.post(f"{house.url}/staff/v1/login", json={"login": "m.a", "password": PASSWORD}, timeout=60).json()["token"] for _ in range(2)]
    assert told[0] != told[1]
    planted = requests.get(f"{house.url}/staff/v1/audit", headers={"Authorization": "Bearer planted"}, timeout=60)
    assert planted.status_code == 401
    assert requests.get(f"{house.url}/staff/v1/audit", headers={"Authorization": f"Bearer {told[1]}"}, timeout=60).status_code == 200
