"""The console in a real browser: charts are drawn, keys work, nothing is asked of the outside, nothing breaks the content policy; and axe-core
finds nothing serious on any page, light and dark."""

import re
from pathlib import Path

import pytest
from console_house import PASSWORD, add_member, ids_of, login_of

from puhui.rooms import staff
from puhui.rooms.staff import Role
from puhui.web.console.parts import SCREENS

phone = pytest.importorskip("phone", reason="playwright is not installed")

pytestmark = pytest.mark.skipif(not phone.CHROMIUM, reason="no Chromium on this machine (apt-get install chromium)")
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => [one.impact, one.id, one.nodes[0].html])"""


@pytest.fixture(scope="module")
def browser():
    with phone.chromium() as started:
        yield started


class Desk:
    """A member at his desk: one page of the browser, and what went wrong on it."""

    def __init__(self, browser, console, login, **ways):
        self.url, self.faults, self.foreign = console.url, [], []
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN", **ways)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" and "403" not in said.text else None)
        self.page.on("request", lambda asked: self.foreign.append(asked.url) if not asked.url.startswith((console.url, "data:")) else None)
        self.open("/console/login")
        self.page.fill("#login", login)
        self.page.fill("#password", PASSWORD)
        self.page.click("button")
        self.page.wait_for_load_state()

    def open(self, path):
        return self.page.goto(self.url + path, wait_until="load")

    def close(self):
        self.context.close()
        assert (self.faults, self.foreign) == ([], [])


@pytest.fixture
def desk_of(browser, console):
    open_desks = []

    def sit(who, **ways):
        open_desks.append(Desk(browser, console, login_of(who) if isinstance(who, Role) else who, **ways))
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


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not beside the code (npm install axe-core)")
@pytest.mark.parametrize("look", ["language=zh&theme=light", "language=en&theme=dark"])
def test_every_screen_opens_whole_at_1280_pixels_and_axe_finds_nothing_serious(desk_of, console, look):
    """No page scrolls sideways, breaks the policy, asks the outside, or shuts anybody out: no rule is disabled and no element left out."""
    script, found, opened = AXE.read_text("utf-8"), [], set()
    for login in (everything(console), login_of(Role.ADMIN)):
        desk = desk_of(login)
        desk.open(f"/console/look?{look}&to=/console/me")
        for path in paths_of(console, opened):
            came = desk.open(path)
            if came.status == 403:
                continue
            assert came.status == 200, (path, came.status)
            opened.add(path)
            if (wide := desk.page.evaluate("document.documentElement.scrollWidth")) > 1280:
                found.append((path, f"{wide} pixels wide"))
            desk.page.evaluate(script + ";0")
            found += [(path, *one) for one in desk.page.evaluate(SERIOUS)]
    assert found == []
    assert paths_of(console, opened) == [], "a page that nobody could open"


def everything(console):
    """Give the login of a member with every role that one person may hold together: what can be on a page is on his."""
    if "everything" not in vars(console.house):
        console.house.everything = "c.everything"
        roles = frozenset(Role) - set(staff.role.ALONE)
        console.house.run(add_member(console.house, "c.everything", roles))
    return console.house.everything


def paths_of(console, opened):
    """Give the path of every screen, with ids of the house in them, and of the pages around; without those that were opened."""
    ids = ids_of(console)
    paths = ["/console/login", *(screen.path.format(**ids) for screen in SCREENS), "/portal", "/portal/api/quote_order"]
    return [path for path in paths if path not in opened]
