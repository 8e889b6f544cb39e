"""The console in a real browser: charts are drawn, keys work, nothing is asked of the outside, nothing breaks the content policy; and axe-core
finds nothing serious on any page, light and dark."""

import os
import re
from pathlib import Path

import pytest
from console_house import PASSWORD, login_of

from puhui.rooms.staff import Role
from puhui.web.console.parts import SCREENS

phone = pytest.importorskip("phone", reason="playwright is not installed")

pytestmark = pytest.mark.skipif(not phone.CHROMIUM, reason="no Chromium on this machine (apt-get install chromium)")
AXE = Path(os.environ.get("PUHUI_AXE") or Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js")


@pytest.fixture(scope="module")
def browser():
    with phone.chromium() as started:
        yield started


class Desk:
    """A member at his desk: one page of the browser, and what went wrong on it."""

    def __init__(self, browser, console, role, **ways):
        self.url, self.faults, self.foreign = console.url, [], []
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN", **ways)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" and "403" not in said.text else None)
        self.page.on("request", lambda asked: self.foreign.append(asked.url) if not asked.url.startswith((console.url, "data:")) else None)
        self.open("/console/login")
        self.page.fill("#login", login_of(role))
        self.page.fill("#password", PASSWORD)
        self.page.click("button")
        self.page.wait_for_load_state()

    def open(self, path):
        self.page.goto(self.url + path, wait_until="load")

    def close(self):
        self.context.close()
        assert (self.faults, self.foreign) == ([], [])


@pytest.fixture
def desk_of(browser, console):
    open_desks = []

    def sit(role, **ways):
        open_desks.append(Desk(browser, console, role, **ways))
        return open_desks[-1]

    yield sit
    for one in open_desks:
        one.close()


def test_the_overview_draws_its_charts_and_a_bar_leads_to_its_loans(desk_of):
    desk = desk_of(Role.FINANCE)
    desk.page.wait_for_selector("html[data-drawn=yes]", timeout=20_000)
    assert desk.page.locator(".chart canvas").count() >= 4
    painted = desk.page.evaluate(
        "() => [...document.querySelectorAll('.chart canvas')].filter((one) => new Set(one.getContext('2d').getImageData(0, 0, one.width, one.height).data).size > 8).length"
    )
    assert painted >= 4, "a chart is more than an empty canvas"
    desk.page.get_by_text("看数字").first.click()
    desk.page.locator(".as-table[open] tbody a").first.click()
    desk.page.wait_for_url(re.compile(r"/console/loans\?since="))


def test_a_member_works_by_keyboard_alone(desk_of):
    """`g l` to the loans, `j` to the first row, Enter into it, `/` to the search, `?` for help."""
    desk = desk_of(Role.FINANCE)
    desk.page.keyboard.press("g")
    desk.page.keyboard.press("l")
    desk.page.wait_for_url("**/console/loans")
    desk.page.keyboard.press("j")
    assert desk.page.locator("tbody tr.at").count() == 1
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url(re.compile(r"/console/loans/ln-"))
    desk.page.keyboard.press("?")
    assert desk.page.locator("dialog[open]").count() == 1
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("/")
    assert desk.page.evaluate("document.activeElement.id") == "q"
    desk.page.keyboard.type(desk.page.url.rsplit("/", 1)[1])
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url("**/console/customers/find")
    assert desk.page.locator("main a[href^='/console/loans/ln-']").count() == 1


def test_the_whole_console_works_without_javascript(desk_of, console):
    desk = desk_of(Role.SERVICE_AGENT, java_script_enabled=False)
    desk.open(f"/console/customers/{console.house.customer_id}")
    desk.page.locator(".unmask summary").first.click()
    desk.page.fill("#why-name", "合同核对姓名")
    desk.page.locator(".unmask[open] button").click()
    assert desk.page.locator(".revealed").count() == 1


@pytest.mark.parametrize("look", ["language=zh&theme=light", "language=en&theme=dark"])
def test_every_screen_opens_whole_at_1280_pixels(desk_of, console, look):
    """No page scrolls sideways, breaks the policy, or asks the outside; each in one language and one light."""
    for role in (Role.FINANCE, Role.OPERATIONS):
        desk = desk_of(role)
        desk.open(f"/console/look?{look}&to=/console/me")
        for path in paths_of(console, role):
            desk.open(path)
            wide = desk.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 1280, (path, wide)


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not beside the code (npm install axe-core)")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(desk_of, console, theme):
    """No rule is disabled and no element left out."""
    script, found = AXE.read_text("utf-8"), []
    for role in (Role.FINANCE, Role.OPERATIONS, Role.RISK_HEAD, Role.COMPLIANCE, Role.ADMIN):
        desk = desk_of(role, bypass_csp=True)
        desk.open(f"/console/look?theme={theme}&to=/console/me")
        for path in ["/console/login", *paths_of(console, role), "/portal", "/portal/api/quote_order"]:
            desk.open(path)
            desk.page.evaluate(script + ";0")
            told = desk.page.evaluate("axe.run(document)")
            found += [(path, one["impact"], one["id"], one["nodes"][0]["target"]) for one in told["violations"] if one["impact"] in {"serious", "critical"}]
    assert found == []


def paths_of(console, role):
    """Give every path that a role may see, with ids of the house in them."""
    house, member = console.house, console.members[role]
    ids = {"customer_id": house.customer_id, "loan_id": house.loan_id, "partner_id": "funder-01", "login": login_of(Role.COLLECTOR)}
    paths = [screen.path.format(**ids) for screen in SCREENS if not {"{application_id}", "{case_id}", "{approval_id}"} & set(re.findall(r"\{\w+\}", screen.path))]
    listed = member.get("/console/applications").text
    paths += re.findall(r'href="(/console/applications/[^"?]+)"', listed)[:1]
    return [path for path in paths if member.get(path).status_code == 200]
