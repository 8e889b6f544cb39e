"""`bench console`: how long the console's pages take with a hundred thousand loans in the database, and how many rows each reads for them.

A story fills a small house through all its doors, `crowd` multiplies it, `verify invariants` may look at the result. Then every screen is opened
over HTTP as a browser does, cold and warm; a page's figure is its slowest opening, not its mean.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import asyncpg
import uvicorn

from puhui.foundation import desk as desks
from puhui.foundation import server, sql
from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.config import Config
from puhui.foundation.desk import Desk, open_desk
from puhui.foundation.work import Actor
from puhui.journeys.wiring import wiring
from puhui.proofs import crowd, invariants
from puhui.proofs.bench_apply import machine
from puhui.proofs.story import Tale, tell
from puhui.rooms import boards, customers, staff
from puhui.rooms.staff import Role

PASSWORD = "opened-to-be-measured-9"  # noqa: S105  (an account in a database that is thrown away)
ROLES = frozenset({Role.RISK_HEAD, Role.OPERATIONS, Role.FINANCE, Role.COMPLIANCE, Role.COLLECTOR})
TIMES = 5
DEEP = 2000
FIGURES_MAX = 12
"""A statement that gives at most so many rows may be read for figures above the table."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def run(
    home: Path, *, loans: int, people: int, months: int, seed: int, verify: bool, build: Callable[[Desk], Any], screens: Sequence[str]
) -> dict[str, Any]:
    """Fill, multiply, measure; give every page's milliseconds. `screens` are the console's paths, `build` makes the application they belong to."""
    began = time.monotonic()
    told = await tell(Tale(home, people=people, months=months, seed=seed, keep_home=True))
    filled = time.monotonic()
    started = await asyncio.to_thread(server.start, home)
    try:
        desk = await open_house(home, started.url)
        try:
            size = await crowd.multiply(desk, loans=loans)
            await _settle(started.url)
            multiplied = time.monotonic()
            broken = (await invariants.run(desk))["failed"] if verify else None
            verified = time.monotonic()
            pages = await measure(desk, build(desk), screens)
        finally:
            await desk.close()
    finally:
        await asyncio.to_thread(started.stop)
    slowest = max(pages, key=lambda page: page["slowest_ms"])
    return {
        "slowest_page_ms": slowest["slowest_ms"],
        "slowest_page": slowest["page"],
        "pages": len(pages),
        "median_page_ms": round(median(page["median_ms"] for page in pages), 1),
        "most_rows_read": max(page["rows_read"] for page in pages),
        "pages_that_read_more": [page["page"] for page in pages if page["rows_read"] > max(page["rows_shown"], FIGURES_MAX)],
        "loans": size.loans,
        "customers": size.customers,
        "events": size.events,
        "invariants_broken": broken,
        "by_page": pages,
        "seconds": {"story": round(filled - began, 1), "crowd": round(multiplied - filled, 1), "invariants": round(verified - multiplied, 1)},
        "story": {"people": people, "months": months, "seed": seed, "loans_paid_out": told["loans_paid_out"]},
        "machine": machine(),
        "where": "in the simulated town; a page's figure is its slowest of a cold and five warm openings, server and client on the same cores",
    }


async def open_house(home: Path, url: str) -> Desk:
    config = Config(home=home, database_url=url)
    desk = await open_desk(config, wiring(), owner="bench", database_url=url)
    async with desk.look() as work:
        row = await desks.SQL.stored_clock.row(work)
    assert row is not None, "a house in which a story was told keeps its clock"
    desk.clock = Clock(ClockMode.STEPPED, row["since_at"])
    return desk


async def _settle(url: str) -> None:
    """Let the database tidy up after so many new rows, as it does by itself in a house that has grown."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("vacuum (analyze)")
    finally:
        await connection.close()


async def measure(desk: Desk, application: Any, screens: Sequence[str]) -> list[dict[str, Any]]:
    """Open every page, cold and then warm, and count what the database gave for it."""
    async with desk.work(Actor("staff", "st-000-console")) as work:
        await staff.add_account(work, staff.CONSOLE, login="bench", name="bench", roles=ROLES, given_password=PASSWORD)
    pages = await pages_of(desk, screens)
    with socket.create_server(("127.0.0.1", 0)) as door:
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        desk.config = replace(desk.config, public_url=url)
        serving = uvicorn.Server(uvicorn.Config(application, lifespan="off", access_log=False, log_level="warning"))
        task = asyncio.create_task(serving.serve(sockets=[door]))
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
                await _log_in(browser, url)
                with _counted() as counts:
                    return [await _open_page(browser, url, path, form, counts) for path, form in pages]
        finally:
            serving.should_exit = True
            await task


async def _log_in(browser: aiohttp.ClientSession, url: str) -> None:
    form = {"login": "bench", "password": PASSWORD, "code": "", "to": "/console/me"}
    async with browser.post(f"{url}/console/login", data=form, headers=FORM) as answer:
        assert answer.status == 200, answer.status


async def _open_page(browser: aiohttp.ClientSession, url: str, path: str, form: dict[str, str], counts: list[int]) -> dict[str, Any]:
    took, size, page = [], 0, ""
    counts[:] = [0, 0]
    token = await _token(browser, url) if form else ""
    for _ in range(TIMES + 1):
        counts[:] = [0, 0]
        began = time.perf_counter()
        asked = browser.post(url + path, data={"csrf": token, **form}, headers=FORM) if form else browser.get(url + path)
        async with asked as answer:
            page = await answer.text()
            size = len(page.encode())
            assert answer.status == 200, (path, answer.status)
        took.append((time.perf_counter() - began) * 1000)
    return {
        "page": path if not form else f"{path} {form.get('q', '')}".strip(),
        "slowest_ms": round(max(took), 1),
        "median_ms": round(median(took), 1),
        "bytes": size,
        "statements": counts[1],
        "rows_read": counts[0],
        "rows_shown": page.count("<tr") - page.count("<thead"),
    }


async def _token(browser: aiohttp.ClientSession, url: str) -> str:
    async with browser.get(f"{url}/console/me") as answer:
        return (await answer.text()).split('name="csrf" value="', 1)[1].split('"', 1)[0]


@contextmanager
def _counted() -> Iterator[list[int]]:
    """Count the most rows that one statement gave, and the statements."""
    counts = [0, 0]
    asked = sql.Statement.rows

    async def rows(self: sql.Statement, work: sql.HasConnection, **given: object) -> Any:
        found = await asked(self, work, **given)
        counts[0], counts[1] = max(counts[0], len(found)), counts[1] + 1
        return found

    sql.Statement.rows = rows  # type: ignore[method-assign]
    try:
        yield counts
    finally:
        sql.Statement.rows = asked  # type: ignore[method-assign]


async def pages_of(desk: Desk, screens: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Give every screen, each with ids and filters that are there, and the deepest pages of the long lists."""
    async with desk.work(durable=False) as work:
        late, _ = await boards.loans_page(work, boards.LoansWanted(standing="late"), most=1)
        some, _ = await boards.loans_page(work, boards.LoansWanted(), most=1)
        cases = await customers.cases_waiting(work, most=1)
        first = await work.connection.fetchrow("select customer_id, application_id from decisions.records order by at limit 1")
        month = await work.connection.fetchval("select to_char(max(value_date), 'YYYY-MM') from boards.loans")
        fund = await work.connection.fetchval("select partner_id from boards.shares group by 1 order by count(*) desc limit 1")
    one = (late or some)[0]
    plain = [path for path in screens if "{" not in path and path != "/console/accounts"]
    ids = [
        f"/console/loans/{one.loan_id}", f"/console/customers/{one.customer_id}", f"/console/partners/{fund}",
        *([f"/console/applications/{first['customer_id']}/{first['application_id']}"] if first else []),
        *(f"/console/cases/{case.customer_id}/{case.case_id}" for case in cases),
    ]  # fmt: skip
    filters = [
        f"/console/loans?page={DEEP}", "/console/loans?sort=late", "/console/loans?standing=late&sort=overdue", "/console/loans?group=rural", "/console/loans?group=thin_file",
        "/console/loans?stage=M1", "/console/loans?class=normal&sort=left", f"/console/loans?partner={fund}", f"/console/loans?month={month}", "/console/loans?over=60&under=300",
        f"/console/applications?page={DEEP}", "/console/applications?outcome=declined", "/console/applications?thin=yes&outcome=offer", "/console/applications?reached=paid",
        f"/console/payments?page={DEEP}", "/console/payments?state=failed", "/console/arrears?stage=M2", "/console/cases?late=yes",
    ]  # fmt: skip
    sought = [("/console/customers/find", {"q": value}) for value in (crowd.name_of(1005), crowd.id_number(1005), one.loan_id, one.customer_id)]
    return [*((path, {}) for path in [*plain, *ids, *filters]), *sought]
