"""`bench pages`: what the borrower's pages cost a cheap phone, in a real Chromium: bytes on the wire, and how soon something is to be read.

A person of the town borrows through the pages, from the welcome to the money. Bytes are what the browser's own network layer received, heads
included, packed as sent. What a service worker fetches by itself the network layer of a page does not see: so the worker is kept out, and its
own two files are fetched by the page, once, and count with the first page. The first paint is taken on an emulated phone: 6 times slower CPU, 400 kbit/s, 300 ms, nothing cached.
"""

import asyncio
import os
import shutil
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from puhui.foundation.clock import Clock
from puhui.foundation.refusals import Refusal
from puhui.proofs import stand
from puhui.proofs.bench_apply import machine

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Page

PEOPLE = 40
CPU_SLOWER, LATENCY_MS, BYTES_PER_S = 6, 300, 400_000 / 8
LOAN_ITEMS = ("bureau", "telco", "utility", "wallet", "bank_flow", "social_insurance", "shopping", "device")
PATIENCE_MS = 30_000
WORKER_FILES = ("/borrower/offline.js", "/borrower/offline")


class NoBrowser(Refusal):
    """Pages are measured in a real browser, and {what} is not on this machine: {how}."""

    code = "bench.no-browser"


class Stopped(Exception):  # noqa: N818  (this person goes no further, and the next one comes)
    """A page refused what a person sent: papers that have run out, a card that is not his."""


class NobodyBorrowed(Refusal):
    """None of the {people} people who came was offered a loan; there is no flow to measure. Try another --seed."""

    code = "bench.nobody-borrowed"


@dataclass(slots=True)
class Wire:
    """What came over the wire: responses and their bytes, and the addresses that are not ours."""

    ours: str
    requests: int = 0
    received: int = 0
    outside: list[str] = field(default_factory=list)

    async def listen(self, page: "Page") -> "CDPSession":
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        session.on("Network.loadingFinished", lambda told: self._finished(told))  # noqa: PLW0108  (playwright marks what it calls, and slots take no mark)
        session.on("Network.requestWillBeSent", lambda told: self._asked(told))  # noqa: PLW0108
        return session

    def _finished(self, told: dict[str, Any]) -> None:
        self.requests += 1
        self.received += int(told["encodedDataLength"])

    def _asked(self, told: dict[str, Any]) -> None:
        url = str(told["request"]["url"])
        if not url.startswith((self.ours, "data:", "blob:")):
            self.outside.append(url)


async def run(home: Path, *, seed: int, paints: int) -> dict[str, Any]:
    """Measure, and print the machine beside the figures. Raises NoBrowser, NobodyBorrowed."""
    with stand.start(stand.Plan(home, clock="live", seed=seed, people=PEOPLE)) as running:
        async with _chromium() as browser:
            first, fcp_ms = await _first_page(browser, running.platform_url, paints)
            began = time.monotonic()
            flow, pages = await _flow(browser, running)
            return {
                "first_page_bytes": first.received,
                "first_page_requests": first.requests,
                "flow_bytes": flow.received,
                "flow_requests": flow.requests,
                "flow_pages": pages,
                "flow_s": round(time.monotonic() - began, 1),
                "fcp_ms": round(statistics.median(fcp_ms)),
                "fcp_ms_all": [round(one) for one in fcp_ms],
                "outside_requests": len(first.outside) + len(flow.outside),
                "phone": f"CPU {CPU_SLOWER} times slower, {BYTES_PER_S * 8 / 1000:.0f} kbit/s, {LATENCY_MS} ms",
                "browser": browser.version,
                "seed": seed,
                "machine": machine(),
                "at": Clock().now().isoformat(timespec="seconds"),
                "where": "in the simulated town, one person, platform and browser on the same cores",
            }


@asynccontextmanager
async def _chromium() -> AsyncIterator["Browser"]:
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        raise NoBrowser(what="playwright", how="./dev setup installs it; elsewhere: install puhui[test]") from None
    binary = os.environ.get("PUHUI_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        raise NoBrowser(what="Chromium", how="apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
        try:
            yield browser
        finally:
            await browser.close()


async def _phone(browser: "Browser") -> "Page":
    """Give a page of a phone that has never been anywhere."""
    return await (await browser.new_context(viewport={"width": 360, "height": 740}, service_workers="block")).new_page()


async def _fetch_worker(page: "Page") -> None:
    """Fetch what the page's service worker would: itself, and the page that it keeps."""
    await page.evaluate("(files) => Promise.all(files.map((file) => fetch(file, { cache: 'no-store' }).then((reply) => reply.arrayBuffer())))", list(WORKER_FILES))


async def _first_page(browser: "Browser", url: str, paints: int) -> tuple[Wire, list[float]]:
    """Open the first page as a phone that has never been here, again and again; give the wire of the last time and every first paint."""
    wire, found = Wire(url), []
    for _ in range(paints):
        wire = Wire(url)
        page = await _phone(browser)
        session = await wire.listen(page)
        await session.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWER})
        slow = {"offline": False, "latency": LATENCY_MS, "downloadThroughput": BYTES_PER_S, "uploadThroughput": BYTES_PER_S}
        await session.send("Network.emulateNetworkConditions", slow)
        await page.goto(f"{url}/borrower/", wait_until="load")
        await page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        found.append(float(await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")))
        await _fetch_worker(page)
        await page.context.close()
    return wire, found


@dataclass(slots=True)
class _Walker:
    """One person of the town with the page before him."""

    page: "Page"
    town: aiohttp.ClientSession
    town_url: str
    n: int
    me: dict[str, Any]
    pages: int = 0

    async def send(self, action: str) -> None:
        """Send the form that goes to this address, and wait for the page that comes. Raises Stopped."""
        async with self.page.expect_navigation(wait_until="load"):
            await self.page.locator(f"form[action='{action}'] button").first.click()
        self.pages += 1
        if await self.page.locator("#refused").count():
            raise Stopped(action)

    async def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            await self.page.locator(f"[name={name}]:visible").fill(value)

    async def code(self) -> None:
        """Write the newest code of one's phone."""
        for _ in range(50):
            inbox = (await self._told())["inbox"]
            if inbox and "code" in inbox[0] and inbox[0]["code"] not in self.me.setdefault("used", []):
                self.me["used"].append(inbox[0]["code"])
                await self.fill(code=inbox[0]["code"])
                return
            await asyncio.sleep(0.1)

    async def pictures(self, **pictures: str) -> None:
        for name, which in pictures.items():
            async with self.town.get(f"{self.town_url}/town/phones/{self.n}/pictures/{which}") as reply:
                data = await reply.read()
            await self.page.set_input_files(f"input[name={name}]", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": data})

    async def tick(self, *items: str) -> None:
        for item in items:
            await self.page.locator(f"[name=item][value={item}]").check()

    async def _told(self) -> dict[str, Any]:
        async with self.town.get(f"{self.town_url}/town/phones/{self.n}?as=json") as reply:
            told: dict[str, Any] = await reply.json()
            return told


async def _flow(browser: "Browser", running: stand.Stand) -> tuple[Wire, int]:
    """Let people come until one borrows; give what his whole way took, from the welcome to the money."""
    async with aiohttp.ClientSession() as town:
        for n in range(PEOPLE):
            wire = Wire(running.platform_url)
            page = await _phone(browser)
            page.set_default_timeout(PATIENCE_MS)
            await wire.listen(page)
            async with town.get(f"{running.town_url}/town/phones/{n}?as=json") as reply:
                walker = _Walker(page, town, running.town_url, n, await reply.json())
            has_borrowed = not walker.me["shares_phone"] and await _borrows(walker, running.platform_url)
            await page.context.close()
            if has_borrowed:
                return wire, walker.pages
    raise NobodyBorrowed(people=PEOPLE)


async def _borrows(one: _Walker, url: str) -> bool:
    """Go from the welcome to the answer; and, if it is an offer, on to the money."""
    try:
        await _comes(one, url)
    except Stopped:
        return False
    await one.page.wait_for_url(lambda at: "/borrower/wait" not in at)
    if not await one.page.locator("form[action='/borrower/accept']").count():
        return False
    await _signs(one)
    return True


async def _comes(one: _Walker, url: str) -> None:
    """Log in, say who one is, bind a card, and apply. Raises Stopped."""
    await one.page.goto(f"{url}/borrower/", wait_until="load")
    await _fetch_worker(one.page)
    await one.send("/borrower/start")
    await one.fill(phone=one.me["phone"])
    await one.send("/borrower/login/code")
    await one.code()
    await one.send("/borrower/login")
    await one.tick("identity", "face", "financial_account")
    await one.send("/borrower/consents/identity")
    await one.fill(name=one.me["name"], id_number=one.me["id_number"])
    await one.page.select_option("[name=living_place_code]", one.me["living_place_code"])
    await one.pictures(front="front", back="back", selfie="face")
    await one.send("/borrower/identity")
    await one.fill(phone=one.me["phone"])
    await one.send("/borrower/card/code")
    await one.fill(card_number=one.me["card_number"])
    await one.code()
    await one.send("/borrower/card")
    await one.tick(*LOAN_ITEMS)
    await one.send("/borrower/consents/loan")
    await one.fill(amount="2000")
    await one.send("/borrower/apply")


async def _signs(one: _Walker) -> None:
    await one.send("/borrower/accept")
    await one.page.wait_for_url("**/borrower/cost")
    await asyncio.sleep(int(await one.page.locator("[data-left]").get_attribute("data-left") or "0") + 1)
    await one.send("/borrower/cost")
    await one.send("/borrower/contract/code")
    await one.code()
    await one.send("/borrower/contract")
    await one.page.wait_for_url("**/borrower/")
