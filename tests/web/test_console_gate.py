"""The console's gate: who may see and do what, by a table written apart from the code; and the tricks that must not work."""

import re
from itertools import product

import pytest
import requests
from console_house import PASSWORD, Browser, alert_of, code_of, ids_of, login_of

from puhui.foundation.work import Actor
from puhui.rooms import customers, staff
from puhui.rooms.staff import Role
from puhui.web.console.parts import SCREENS
from puhui.web.staff import DOORS

# Who may see which screen, and do which deed. R risk analyst, H head of risk, O operations, F finance, S service agent, C collector,
# L compliance (law), A auditor, M admin. Written by hand from the duties of DESIGN and F34; the code is held to it, not it to the code.
MATRIX = """
    path                                                    | seen_by   | deeds
    /console                                                | RHOFLA    |
    /console/customers                                      | RHOFSCLA  | find:RHOFSCLA
    /console/customers/{customer_id}                        | OSCL      | unmask:SL
    /console/cases                                          | OSL       |
    /console/cases/{customer_id}/{case_id}                  | OSL       | answer:OSL ease:O refuse:OSL investigate:OSL mediate:OSL close:OSL
    /console/applications                                   | RHOFLA    |
    /console/applications/{customer_id}/{application_id}    | RHA       | replay:RHA review:H
    /console/loans                                          | RHOFLA    |
    /console/loans/{loan_id}                                | RHOFSCLA  | write-off:OF
    /console/entries                                        | RHOFLA    |
    /console/payments                                       | FA        |
    /console/differences                                    | F         | explain:F
    /console/unmatched                                      | F         | match:F
    /console/partners                                       | RHOFLA    |
    /console/partners/{partner_id}                          | RHOFLA    | list:O suspend:O examine:O key:O
    /console/settlement                                     | FA        |
    /console/books                                          | FA        |
    /console/days                                           | FA        |
    /console/arrears                                        | RHOFCLA   |
    /console/write-offs                                     | FA        |
    /console/strategies                                     | RHA       |
    /console/variables                                      | RHA       | find:RHA
    /console/variables/one                                  | RHA       |
    /console/customers/{customer_id}/variables              | RHOSCLA   |
    /console/inclusion                                      | RHOFLA    |
    /console/directions                                     | RHOFLA    |
    /console/bureau                                         | RHOFLA    |
    /console/approvals                                      | RHOFL     |
    /console/approvals/{approval_id}                        | RHOFL     | approve:HFL decline:HFL
    /console/switches                                       | HOL       | stop:HOL resume:H
    /console/deliveries                                     | O         | send:O
    /console/accounts                                       | M         | add:M
    /console/accounts/{login}                               | M         | roles:M password:M close:M
    /console/audit                                          | LA        | check:LA
    /console/me                                             | RHOFSCLAM | totp-begin:RHOFSCLAM totp-confirm:RHOFSCLAM password:RHOFSCLAM
"""
LETTERS = {
    "R": Role.RISK_ANALYST, "H": Role.RISK_HEAD, "O": Role.OPERATIONS, "F": Role.FINANCE, "S": Role.SERVICE_AGENT, "C": Role.COLLECTOR,
    "L": Role.COMPLIANCE, "A": Role.AUDITOR, "M": Role.ADMIN,
}  # fmt: skip


def rows() -> dict[str, tuple[str, dict[str, str]]]:
    """Read the matrix: path -> (letters that see it, letters by deed)."""
    read = {}
    for line in MATRIX.strip().splitlines()[1:]:
        path, seen_by, deeds = (part.strip() for part in line.split("|"))
        read[path] = (seen_by, dict(deed.split(":") for deed in deeds.split()))
    return read


@pytest.fixture(scope="module")
def furnished(console):
    """The house with something at every place that a path names."""
    house = console.house
    house.places = ids_of(console)
    house.case_id, house.application_id = house.places["case_id"], house.places["application_id"]
    return console


def filled(path: str, house) -> str:
    return path.format(**house.places)


def test_the_matrix_names_every_screen_and_every_deed():
    """A new screen or deed must be put into the table by hand before it is green."""
    assert {screen.path: {deed.name for deed in screen.deeds} for screen in SCREENS} == {path: set(deeds) for path, (_, deeds) in rows().items()}


@pytest.mark.parametrize("letter", LETTERS)
def test_a_role_sees_what_the_matrix_says_and_nothing_else(furnished, letter):
    browser = furnished.members[LETTERS[letter]]
    wrong = []
    for path, (seen_by, _) in rows().items():
        status = browser.get(filled(path, furnished.house)).status_code
        is_moved = path == "/console" and letter not in seen_by and status == 303  # who may not see the overview is led to his own first screen
        if not is_moved and (status == 200) != (letter in seen_by):
            wrong.append((path, status))
        if letter not in seen_by and status not in {303, 403}:
            wrong.append((path, status, "not refused"))
    assert wrong == []


@pytest.mark.parametrize("letter", LETTERS)
def test_a_role_does_what_the_matrix_says_and_nothing_else(furnished, letter):
    """An empty form does nothing even where the deed is allowed: it is refused for what it says, or for who sends it."""
    browser = furnished.members[LETTERS[letter]]
    csrf = browser.csrf()
    wrong = []
    for path, (_, deeds) in rows().items():
        for deed, letters in deeds.items():
            if deed in {"check", "find", "replay", "investigate", "mediate", "close", "approve", "totp-begin", "stop", "resume"} and letter in letters:
                continue  # an allowed one that asks for nothing more is done for real in a story of its own
            answer = browser.post(f"{filled(path, furnished.house)}/{deed}", {"csrf": csrf, "key": f"m-{deed}"})
            is_refused_for_duty = code_of(answer) == "staff.not-your-duty" and answer.status_code == 403
            if is_refused_for_duty == (letter in letters):
                wrong.append((path, deed, answer.status_code, code_of(answer)))
    assert wrong == []


def test_a_stranger_reaches_the_log_in_page_and_nothing_else(furnished):
    stranger = furnished.stranger()
    for path, (_, deeds) in rows().items():
        answers = [stranger.get(filled(path, furnished.house)), *(stranger.post(f"{filled(path, furnished.house)}/{deed}", {"key": "x"}) for deed in deeds)]
        for answer in answers:
            assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (303, "/console/login"), path
            assert not answer.content
    assert stranger.get("/console/login").status_code == 200


def test_the_api_of_staff_keeps_to_the_same_duties(furnished):
    """Every door of `/staff/v1` x every role: 403 where the role lacks the duty, never a 500; without a token 401."""
    house = furnished.house
    for door, role in product(DOORS, Role):
        path = re.sub(r"\{\w+\}", "none", door.path)
        token = furnished.members[role].session.cookies.get("puhui_staff")
        answer = requests.request(door.method, house.url + path, headers={"Authorization": f"Bearer {token}", "Idempotency-Key": house.key()}, data=b"{}", timeout=60)
        assert answer.status_code < 500, (door.path, role)
        if role is Role.ADMIN and door.name != "staff_approvals":
            assert answer.status_code in {400, 403, 404}, (door.path, answer.status_code)
    for door in DOORS:
        assert requests.request(door.method, house.url + re.sub(r"\{\w+\}", "none", door.path), headers={"Idempotency-Key": house.key()}, timeout=60).status_code == 401


# -- tricks that must not work ------------------------------------------------------------------------------------------------------------------


def test_a_session_planted_before_the_log_in_is_worth_nothing(console):
    """Session fixation: whatever cookie a browser brings, logging in makes a fresh session, and the planted one stays a stranger's."""
    victim, planted = console.stranger(), "eyJhbGciOiJIUzI1NiJ9.e30.planted"
    victim.session.cookies.set("puhui_staff", planted, path="/console")
    assert victim.log_in(login_of(Role.AUDITOR)).status_code == 303
    fresh = victim.session.cookies.get_dict()["puhui_staff"]
    assert fresh != planted
    thief = console.stranger()
    thief.session.cookies.set("puhui_staff", planted, path="/console")
    assert thief.get("/console").status_code == 303


def test_two_log_ins_are_two_sessions_and_logging_out_ends_its_own(console):
    one, two = console.stranger(), console.stranger()
    one.log_in(login_of(Role.AUDITOR))
    two.log_in(login_of(Role.AUDITOR))
    stolen = one.session.cookies.get("puhui_staff")
    assert one.post("/console/logout", {"csrf": one.csrf()}).headers["Location"] == "/console/login"
    thief = console.stranger()
    thief.session.cookies.set("puhui_staff", stolen, path="/console")
    assert thief.get("/console/me").status_code == 303, "a cookie taken before the log-out is worth nothing after it"
    assert two.get("/console/me").status_code == 200


def test_the_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(console):
    cookie = console.stranger().log_in(login_of(Role.AUDITOR)).headers["Set-Cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/console"))


@pytest.mark.parametrize(
    ("change", "headers"),
    [
        ({"csrf": ""}, {}),
        ({"csrf": "0" * 40}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Content-Type": "text/plain"}),
        ({}, {"Content-Type": "application/json"}),
    ],
)
def test_a_form_of_another_site_does_nothing(console, change, headers):
    browser = console.members[Role.OPERATIONS]
    before = re.findall(r'class="figure (\w*)"', browser.get("/console/switches").text)
    form = {"csrf": browser.csrf(), "key": "csrf-1", "name": "sales"} | change
    answer = browser.post("/console/switches/stop", form, headers=headers)
    assert answer.status_code in {400, 403}, answer.status_code
    assert re.findall(r'class="figure (\w*)"', browser.get("/console/switches").text) == before, "nothing was stopped"


def test_a_form_token_of_one_session_fits_no_other(console):
    foreign = console.members[Role.FINANCE].csrf()
    answer = console.members[Role.OPERATIONS].post("/console/switches/stop", {"csrf": foreign, "key": "csrf-2", "name": "sales"})
    assert (answer.status_code, code_of(answer)) == (403, "console.not-our-form")


def test_no_page_may_be_framed_and_no_page_trusts_a_foreign_script(console):
    for path in ("/console/login", "/console/me", "/console/nothing-here"):
        headers = console.members[Role.AUDITOR].get(path).headers
        policy = headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "/elsewhere", "/console/../elsewhere", "javascript:alert(1)"])
def test_nobody_is_led_elsewhere_after_the_log_in(console, to):
    answer = console.stranger().post("/console/login", {"login": login_of(Role.AUDITOR), "password": PASSWORD, "to": to})
    assert answer.headers["Location"] == "/console"
    assert console.stranger().get("/console/look", params={"to": to, "theme": "dark"}).headers["Location"] == "/console"


PLANTED = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_words_planted_by_a_borrower_stay_words(furnished):
    """XSS: what a person wrote is shown as he wrote it, and never runs."""
    house = furnished.house

    async def complain():
        async with house.desk.work(Actor("customer", house.customer_id)) as work:
            return (await customers.open_case(work, customer_id=house.customer_id, kind=customers.CaseKind.COMPLAINT, subject="", text=PLANTED)).case_id

    page = furnished.members[Role.OPERATIONS].get(f"/console/cases/{house.customer_id}/{house.run(complain())}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/console/look?theme=dark&to=/console/<script>", "/console/loans?standing=<script>", "/console/loans?partner=<script>", "/console/nothing/<script>alert(1)</script>",
        "/console/loans?month=<script>", "/console/audit?verb='><script>", "/console/deliveries?event=<script>", "/console/login?to=/console/'><script>alert(1)</script>",
    ],
)  # fmt: skip
def test_words_planted_in_an_address_stay_words(console, path):
    for role in (Role.OPERATIONS, Role.AUDITOR):
        page = console.members[role].get(path).text
        assert "<script>alert" not in page
        assert "'><script>" not in page


def test_ids_of_others_open_nothing(furnished):
    """IDOR: a thing is found only under its own customer, and not at all under ids that are none."""
    house, agent = furnished.house, furnished.members[Role.OPERATIONS]
    other = house.run(_another(house))
    assert agent.get(f"/console/cases/{other}/{house.case_id}").status_code == 404
    assert furnished.members[Role.AUDITOR].get(f"/console/applications/{other}/{house.application_id}").status_code == 404
    answer = agent.do(f"/console/cases/{other}/{house.case_id}/answer", key="idor-1", outcome="upheld", text="不是他的")
    assert answer.status_code == 404
    for path in ("/console/customers/cu-000-nobody-here", "/console/loans/ln-000-none", "/console/cases/cu-000-x/ca-000-x", "/console/partners/nobody", "/console/customers/..%2F..%2Fetc"):
        assert agent.get(path).status_code in {403, 404}, path


async def _another(house) -> str:
    async with house.desk.work(Actor("test", "door")) as work:
        return await customers.register(work, session_id="se-console-other", entry_id="", phone="12000009999")


# -- the log-in itself --------------------------------------------------------------------------------------------------------------------------


def test_five_wrong_passwords_lock_the_account_and_the_right_one_does_not_open_it(console):
    async def add():
        async with console.house.desk.work(Actor("staff", "st-000-console")) as work:
            await staff.add_account(work, staff.CONSOLE, login="c.locked", name="x", roles=frozenset({Role.AUDITOR}), given_password=PASSWORD)

    console.house.run(add())
    browser = console.stranger()
    for _ in range(5):
        assert browser.log_in("c.locked", "wrong-wrong-wrong").status_code == 401
    answer = browser.log_in("c.locked")
    assert answer.status_code == 401
    assert "锁定" in alert_of(answer)
    assert "puhui_staff" not in browser.session.cookies


def test_a_page_does_not_tell_whether_a_login_exists(console):
    known, unknown = (console.stranger().log_in(login, "wrong-wrong-wrong") for login in (login_of(Role.AUDITOR), "c.nobody"))
    assert (known.status_code, alert_of(known)) == (unknown.status_code, alert_of(unknown))


def test_a_second_factor_once_on_is_asked_for(console):
    """A member begins it, proves it with a code, and from then on the password alone opens nothing; a code works once."""
    from puhui.rooms.staff.totp import STEP_S, code_at

    async def add():
        async with console.house.desk.work(Actor("staff", "st-000-console")) as work:
            await staff.add_account(work, staff.CONSOLE, login="c.factor", name="x", roles=frozenset({Role.AUDITOR}), given_password=PASSWORD)

    console.house.run(add())
    browser = console.stranger()
    browser.log_in("c.factor")
    shown = browser.do("/console/me/totp-begin", key="tf-1").text
    secret = re.search(r"secret=([A-Z2-7]+)", shown)
    assert secret
    import base64

    raw = base64.b32decode(secret.group(1) + "=" * (-len(secret.group(1)) % 8))
    step = console.house.desk.clock.real_ms() // 1000 // STEP_S
    assert browser.do("/console/me/totp-confirm", key="tf-2", code=code_at(raw, step)).status_code == 303
    assert console.stranger().log_in("c.factor").status_code == 401
    assert console.stranger().log_in("c.factor", code=code_at(raw, step)).status_code == 401, "that code was used"
    assert console.stranger().log_in("c.factor", code=code_at(raw, step + 1)).status_code == 303


def test_a_member_whose_account_is_closed_is_out_at_once(console):
    async def add():
        async with console.house.desk.work(Actor("staff", "st-000-console")) as work:
            await staff.add_account(work, staff.CONSOLE, login="c.leaver", name="x", roles=frozenset({Role.AUDITOR}), given_password=PASSWORD)

    console.house.run(add())
    browser: Browser = console.stranger()
    browser.log_in("c.leaver")
    assert browser.get("/console/me").status_code == 200
    assert console.members[Role.ADMIN].do("/console/accounts/c.leaver/close", key="leave-1").status_code == 303
    assert browser.get("/console/me").status_code == 303
