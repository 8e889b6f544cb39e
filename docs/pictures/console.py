"""Pictures of every page of the console at 1280 pixels, light and dark, Chinese and English, over a house in which a story was told.

    ./dev puhui demo --people 200 --months 5 --home HOUSE
    .venv/bin/python docs/pictures/console.py HOUSE OUT [--only WORD] [--look zh-light]

Nothing is written into the house but two accounts, which it may have had before.
"""

import argparse
import asyncio
import contextlib
import re
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import uvicorn
from playwright.async_api import Page, async_playwright

from puhui.foundation import server
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import Refusal
from puhui.foundation.work import Actor
from puhui.proofs import bench_console
from puhui.rooms import staff
from puhui.rooms.staff import Role
from puhui.web import app
from puhui.web.console.parts import SCREENS

PASSWORD = "taken-for-a-picture-9"  # noqa: S105  (an account in a house of the simulated town)
MEMBERS = {"pictures": frozenset(Role) - {Role.AUDITOR, Role.ADMIN}, "pictures.admin": frozenset({Role.ADMIN})}
LOOKS = ("zh-light", "zh-dark", "en-light", "en-dark")
WIDE, HIGH = 1280, 860


async def main(home: Path, out: Path, only: str, looks: tuple[str, ...]) -> None:
    started = await asyncio.to_thread(server.start, home)
    try:
        desk = await bench_console.open_house(home, started.url)
        try:
            await add_members(desk)
            pages = [path for path, form in await bench_console.pages_of(desk, [screen.path for screen in SCREENS]) if not form]
            with socket.create_server(("127.0.0.1", 0)) as door:
                url = f"http://127.0.0.1:{door.getsockname()[1]}"
                desk.config = replace(desk.config, public_url=url)
                serving = uvicorn.Server(uvicorn.Config(app.build(desk), lifespan="off", access_log=False, log_level="warning"))
                task = asyncio.create_task(serving.serve(sockets=[door]))
                try:
                    await take(url, out, [path for path in pages if only in path], looks)
                finally:
                    serving.should_exit = True
                    await task
        finally:
            await desk.close()
    finally:
        await asyncio.to_thread(started.stop)


async def add_members(desk: Desk) -> None:
    for login, roles in MEMBERS.items():
        with contextlib.suppress(Refusal):
            async with desk.work(Actor("staff", "st-000-console")) as work:
                await staff.add_account(work, staff.CONSOLE, login=login, name=login, roles=roles, given_password=PASSWORD)


async def take(url: str, out: Path, paths: list[str], looks: tuple[str, ...]) -> None:
    """Open each page in each look and keep the whole of it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for login in MEMBERS:
            context = await browser.new_context(viewport={"width": WIDE, "height": HIGH}, locale="zh-CN")
            page = await context.new_page()
            await page.goto(f"{url}/console/login")
            if login == "pictures":
                await page.screenshot(path=out / "login.png")
            await page.fill("#login", login)
            await page.fill("#password", PASSWORD)
            await page.click("button")
            asked = paths if login == "pictures" else ["/console/accounts", "/console/accounts/pictures"]
            for look in looks:
                language, _, theme = look.partition("-")
                await page.goto(f"{url}/console/look?language={language}&theme={theme}&to=/console/me")
                for path in asked:
                    await keep(page, url + path, out / f"{named(path)}.{look}.png")
            await context.close()
        await browser.close()


async def keep(page: Page, address: str, file: Path) -> None:
    await page.goto(address, wait_until="load")
    if await page.locator("[data-chart]").count():
        await page.wait_for_selector("html[data-drawn=yes]")
        await page.wait_for_timeout(400)  # charts grow into their place
    await page.screenshot(path=file, full_page=True)


def named(path: str) -> str:
    """Give a file's name for a path: the ids of things left out."""
    plain = re.sub(r"/[a-z]{2}-[0-9a-f]{3}-\w+", "-one", path.removeprefix("/console"))
    return re.sub(r"[^\w=]+", "-", plain).strip("-") or "overview"


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("home", type=Path)
    asked.add_argument("out", type=Path)
    asked.add_argument("--only", default="", help="only pages whose path holds this")
    asked.add_argument("--look", action="append", choices=LOOKS)
    given = asked.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(given.home, given.out, given.only, tuple(given.look or LOOKS)))
