"""Every page for everybody: axe-core finds nothing serious in light and in dark, nothing runs off a screen of 320 pixels with text twice as large.

`PUHUI_SHOTS=folder` keeps a picture of every page on the way, light and dark, in both languages.
"""

import os
import re
from contextlib import contextmanager
from pathlib import Path

import pytest

phone = pytest.importorskip("phone", reason="playwright is not installed")

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = os.environ.get("PUHUI_SHOTS", "")
pytestmark = [
    pytest.mark.skipif(not phone.CHROMIUM, reason="no Chromium on this machine (apt-get install chromium)"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here (npm install --no-save axe-core)"),
]
RUN = "async () => (await axe.run()).violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes[0].html + ' ' + v.nodes[0].failureSummary)"
WIDTH = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
EVERYBODY = ("/", "/about", "/prices", "/partner-list", "/complaints", "/privacy", "/accessibility", "/figures", "/borrower/coach", "/borrower/loans", "/borrower/offline")
ONE_S_OWN = ("", "loans", "coach", "help", "ask", "complain", "dispute", "freeze", "cases", "me", "consents", "queries", "decisions", "export", "close", "card", "phone")


class Eye:
    """Looks at every page that comes by."""

    def __init__(self, name):
        self.name, self.found, self.seen = name, [], []
        self.axe = AXE.read_text("utf-8")

    def look(self, page):
        where = re.sub(r"\b[a-z]{2}-[0-9a-f]{3}-\w+|[0-9a-f]{64}", "*", page.url.partition("//")[2].partition("/")[2].partition("?")[0])
        look = (where, re.sub(r"[\d,.]+", "", page.inner_text("main"))[:160])
        if look in self.seen:
            return
        self.seen.append(look)
        number = len(self.seen)
        page.evaluate(self.axe)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            self.found += [f"{where} {scheme}: {one}" for one in page.evaluate(RUN)]
            if SHOTS:
                phone.keep_shot(Path(SHOTS), page, f"{self.name}-{scheme}-{number:02d}")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 320, "height": 640})
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        if (over := page.evaluate(WIDTH)) > 0:
            self.found.append(f"{where}: runs {over} px off a screen of 320 with text twice as large")
        page.evaluate("document.documentElement.style.fontSize = ''")
        page.set_viewport_size({"width": phone.WIDE, "height": phone.HIGH})


@pytest.fixture(scope="module")
def browser():
    with phone.chromium() as started:
        yield started


@contextmanager
def a_looker(house, browser, n, eye, **ways):
    with phone.a_phone(browser, house, n, **ways) as one:
        one.seen = eye.look
        yield one


def tour(house, browser, eye, first, **ways):
    """Go through every page: as nobody, as a newcomer who is declined, as one who borrows, pays and speaks up."""
    wanted = {"accept", "decisions/review", "proof"}
    people = phone.with_phones_of_their_own(house, first, 40)
    for n in people:
        with a_looker(house, browser, n, eye, **ways) as one:
            if n == people[0]:
                one.open("/borrower/language/en" if one.english else "/borrower/language/zh")
                for path in EVERYBODY:
                    one.open(path)
            one.log_in()
            one.become_known()
            one.apply()
            came = next(kind for kind in ("accept", "decisions/review", "proof") if one.page.locator(f"form[action='/borrower/{kind}']").count())
            if came == "accept" and came in wanted:
                a_borrower_s_pages(one)
                with a_looker(house, browser, n, eye, **ways) as new:
                    new.log_in()
                    new.show_face()
                    new.says("您好", "Hello")
            wanted.discard(came)
        if not wanted:
            return
    raise AssertionError(f"answers that never came: {wanted}")


def a_borrower_s_pages(one):
    one.sign()
    for page in ONE_S_OWN:
        one.open(f"/borrower/{page}")
    one.open("/borrower/loans")
    one.tap("剩余本金", "principal left")
    loan = one.path
    for page in ("payoff", "hardship", "not-mine", "contract", "repay"):
        one.open(f"{loan}/{page}")
    one.choose("intent", "payoff")
    one.pay()
    one.tap("看还款凭证", "See the receipt")
    one.open(loan)
    one.tap("开结清证明", "Certificate that it is paid off")
    one.open("/borrower/complain")
    one.fill("text", "催收电话太多了，请处理。")
    one.tap("提交投诉", "Send it")
    one.open("/borrower/export")
    one.tap("发送验证码", "Send a code")
    one.code()
    one.tap("生成文件", "Make the file")
    one.open("/borrower/loans/ln-000-nobody")
    one.open("/borrower/me")
    one.tap("退出登录", "Log out")
    one.come_back()


@pytest.mark.parametrize("english", [False, *([True] if SHOTS else [])], ids=["zh", *(["en"] if SHOTS else [])])
def test_every_page_is_for_everybody(bare_house, browser, english):
    eye = Eye("en" if english else "zh")
    tour(bare_house, browser, eye, 160 if english else 120, english=english)
    assert not eye.found, "\n".join(eye.found)
    assert len(eye.seen) > 60
