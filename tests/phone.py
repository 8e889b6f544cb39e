"""A person's phone in tests: a real Chromium that goes through the borrower's pages as a thumb does. `test_...` files import this as `phone`.

Codes are read where they arrive; nothing else is taken from behind the pages.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Frame, Page, Response, sync_playwright

from puhui_town.checks.pictures import Picture, draw

CHROMIUM = os.environ.get("PUHUI_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
WIDE, HIGH = 360, 740


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def with_phones_of_their_own(house: Any, first: int, most: int) -> list[int]:
    """Give residents who share their phone with nobody."""
    folk = house.loop.folk
    numbers = [folk.phone(n) for n in range(folk.count)]
    return [n for n in range(first, first + most) if numbers.count(numbers[n]) == 1]


@dataclass
class Phone:
    """One phone in one language, with or without JavaScript. `house` is the lender around it, `n` the resident who holds it."""

    page: Page
    house: Any
    n: int
    english: bool = False
    foreign: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seen: Callable[[Page], None] = lambda page: None
    frame: Frame | None = None

    @property
    def view(self) -> Page | Frame:
        """Where the pages are: the whole screen, or a frame in a partner's page."""
        return self.frame or self.page

    def within(self, frame: Frame) -> None:
        self.frame = frame

    @property
    def folk(self) -> Any:
        return self.house.loop.folk

    @property
    def number(self) -> str:
        return str(self.folk.phone(self.n))

    def open(self, path: str) -> Response | None:
        came = self.view.goto(self.house.url + path, wait_until="load")
        self.seen(self.page)
        return came

    def tap(self, zh: str, english: str) -> None:
        """Tap the button or link that says this, and wait for the page that comes."""
        name = re.compile(re.escape(english if self.english else zh))
        target = self.view.get_by_role("button", name=name).or_(self.view.get_by_role("link", name=name)).first
        with self.view.expect_navigation(wait_until="load"):
            target.click()
        self.seen(self.page)

    def says(self, zh: str, english: str) -> None:
        text = english if self.english else zh
        shown = self.view.inner_text("body")
        assert text in shown, f"{self.view.url} does not say {text!r}:\n{shown}"

    def fill(self, name: str, value: str) -> None:
        self.view.locator(f"[name={name}]:visible").fill(value)

    def choose(self, name: str, value: str) -> None:
        self.view.locator(f"[name={name}][value='{value}']").check()

    def code(self) -> None:
        """Write the code that just arrived."""
        otp_id = self.view.locator("input[name=otp_id]").first.input_value()
        self.fill("code", self.house.loop.town.world.parts["checks"].otp.code(otp_id))

    def picture(self, name: str, picture: Picture) -> None:
        self.view.set_input_files(f"input[name={name}]", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": draw(picture)})

    @property
    def path(self) -> str:
        return self.view.url.removeprefix(self.house.url).partition("?")[0]

    # --- stretches of the way -------------------------------------------------------------------------------------------------------------

    def log_in(self) -> None:
        self.open("/borrower/language/en" if self.english else "/borrower/")
        self.tap("开始", "Start")
        self.give_code()

    def give_code(self) -> None:
        self.fill("phone", self.number)
        self.tap("发送验证码", "Send a code")
        self.code()
        self.tap("登录", "Log in")

    def show_face(self) -> None:
        """On a phone that is new to the house, show that it is oneself."""
        self.picture("selfie", Picture("face", self.folk.identity(f"n{self.n}").face))
        self.tap("核对并登录", "Check and log in")

    def become_known(self, *more: str) -> None:
        """Consents, identity with pictures, the card, and the consents for the loan."""
        him = self.folk.identity(f"n{self.n}")
        for item in ("identity", "face", "financial_account"):
            self.choose("item", item)
        self.tap("同意我勾选的", "Agree to what I ticked")
        self.fill("name", him.name)
        self.fill("id_number", him.id_number)
        self.view.select_option("select[name=living_place_code]", him.home_place_code)
        self.picture("front", Picture("id_front", him.card_number_face))
        self.picture("back", Picture("id_back", him.card_number_face))
        self.picture("selfie", Picture("face", him.face))
        self.tap("提交核对", "Send for checking")
        self.fill("phone", self.number)
        self.tap("发送验证码", "Send a code")
        self.fill("card_number", self.folk.card_number(self.n))
        self.code()
        self.tap("绑定这张卡", "Use this card")
        for item in ("bureau", "telco", "utility", "wallet", "bank_flow", "social_insurance", "shopping", "device", *more):
            self.choose("item", item)
        self.tap("同意我勾选的", "Agree to what I ticked")

    def apply(self, yuan: int = 2000, months: int = 6) -> str:
        """Apply and give the path where the answer stands."""
        self.fill("amount", str(yuan))
        self.choose("months", str(months))
        self.tap("提交申请", "Apply")
        return self.rest()

    def rest(self) -> str:
        """Wait as the page does: time goes on, the page is looked at again."""
        for _ in range(60):
            if self.path != "/borrower/wait":
                return self.path
            self.house.run(self.house.loop.pass_time(minutes=2))
            self.open("/borrower/wait")
        raise AssertionError("the waiting never ended")

    def come_back(self) -> None:
        """Log in again after a while, on the same phone: the code, and the end of one's own id number."""
        self.open("/borrower/")
        self.tap("开始", "Start")
        self.give_code()
        self.fill("id_tail", self.folk.identity(f"n{self.n}").id_number[-4:])
        self.tap("登录", "Log in")

    def arrive(self, zh: str, english: str) -> None:
        """Wait until the page itself says that something has come to its end."""
        for _ in range(30):
            if (english if self.english else zh) in self.view.inner_text("main"):
                self.seen(self.page)
                return
            self.house.run(self.house.loop.pass_time(minutes=2))
            self.view.goto(self.view.url)
        self.says(zh, english)

    def pay(self) -> None:
        """From the sum to the receipt, by a code."""
        self.tap("确认还款", "Pay")
        self.says("需要您用验证码确认", "please confirm it with a code")
        self.tap("发送验证码", "Send a code")
        self.code()
        self.tap("确认还款", "Confirm")
        self.arrive("还款成功", "Paid")

    def sign(self) -> None:
        """From the offer to the signature."""
        self.tap("就借", "Take")
        self.rest()
        self.house.run(self.house.loop.pass_time(minutes=1))
        self.tap("我看清楚了", "I have read it")
        self.tap("发签字验证码", "send me the signing code")
        self.code()
        self.tap("签字借款", "Sign and borrow")
        self.rest()


@contextmanager
def a_phone(browser: Browser, house: Any, n: int, *, english: bool = False, script: bool = True, **more: Any) -> Iterator[Phone]:
    """Hand out a fresh phone: no cookies, a small screen. Requests to anywhere else, faults of the script and blocked things are written down."""
    context = browser.new_context(viewport={"width": WIDE, "height": HIGH}, java_script_enabled=script, locale="zh-CN", **more)
    page = context.new_page()
    page.set_default_timeout(8_000)
    phone = Phone(page, house, n, english)
    page.on("request", lambda request: phone.foreign.append(request.url) if not request.url.startswith((house.url, "data:", "blob:")) else None)
    page.on("pageerror", lambda error: phone.faults.append(str(error)))
    page.on("console", lambda said: phone.faults.append(said.text) if "Content Security Policy" in said.text else None)
    try:
        yield phone
    except Exception as error:
        error.add_note(f"the phone of resident {n} stood at {page.url}:\n{page.inner_text('body')[:3000]}\n{phone.faults}")
        raise
    finally:
        context.close()


@contextmanager
def a_borrower(house: Any, browser: Browser, first: int, **ways: Any) -> Iterator[Phone]:
    """Go through the phones until somebody is offered a loan; who is not reads why. Gives that phone, at its offer."""
    for n in with_phones_of_their_own(house, first, 20):
        with a_phone(browser, house, n, **ways) as one:
            one.log_in()
            one.become_known()
            one.apply()
            if one.page.locator("form[action='/borrower/accept']").count():
                yield one
                assert (one.foreign, one.faults) == ([], [])
                return
            assert one.page.locator("form[action='/borrower/proof'], form[action='/borrower/decisions/review']").count(), one.page.inner_text("main")
    raise AssertionError("nobody was offered anything")


def keep_shot(folder: Path, page: Page, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
    page.screenshot(path=str(folder / f"{name}-top.png"))
