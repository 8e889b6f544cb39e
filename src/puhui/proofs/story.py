"""One story of the town, told through real processes: people come, borrow, repay or fall behind, and the books are checked by others.

The same telling serves the demo, the long story with a write-off, the runs with faults, and chaos with kills.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.config import Config
from puhui.foundation.desk import Desk, Wiring, open_desk
from puhui.foundation.refusals import Refusal
from puhui.proofs import stand
from puhui.proofs.driver import Driver, Side, driver_key
from puhui.proofs.end_state import end_state
from puhui.proofs.staffing import POLICY, Office
from puhui.rooms import boards, bureau, funding, ledger

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST_DAY = "2026-09-01T06:00:00+08:00"
MORNING = timedelta(hours=3, minutes=30)
Fault = tuple[str, int, dict[str, Any]]
DELIVERY_FAULTS: tuple[Fault, ...] = (
    ("timeout_before", 20_000, {}),
    ("timeout_after", 20_000, {}),
    ("silent_5xx", 15_000, {"done": True}),
    ("bad_sign", 10_000, {}),
    ("slow", 10_000, {"ms": 20}),
)
CALLBACK_FAULTS: tuple[Fault, ...] = (
    ("duplicate", 60_000, {"times": 2}),
    ("late", 40_000, {"delay_s": 90}),
    ("lost", 30_000, {}),
    ("reordered", 30_000, {}),
)

Progress = Callable[[datetime, datetime], None]


class HomeInUse(Refusal):
    """The folder {home} is not empty, and a story wants one of its own; nothing in it was touched. Name a new one with --home."""

    code = "story.home-in-use"


@dataclass(frozen=True, slots=True)
class Tale:
    """What is told: how many people, for how many months, from which seed, with which weather."""

    home: Path
    people: int = 1000
    months: int = 6
    seed: int = 7
    has_faults: bool = False
    is_apart: bool = False
    fsync: bool = False
    keep_home: bool = False
    town_arguments: tuple[str, ...] = ()

    @property
    def until(self) -> datetime:
        """The last instant: six in the morning, `months` months on."""
        first = datetime.fromisoformat(FIRST_DAY)
        month = first.month - 1 + self.months
        return first.replace(year=first.year + month // 12, month=month % 12 + 1).astimezone(UTC)


@dataclass(slots=True)
class Telling:
    """A story while it is told."""

    tale: Tale
    stand: stand.Stand
    driver: Driver
    desk: Desk
    office: Office
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def town(self) -> str:
        return self.stand.town_url


async def tell(tale: Tale, *, on_progress: Progress | None = None) -> dict[str, Any]:
    """Tell a story from its first morning to its last and give its report. Raises HomeInUse and what starting may raise."""
    if tale.home.exists() and any(tale.home.iterdir()):
        raise HomeInUse(home=tale.home)
    plan = stand.Plan(tale.home, seed=tale.seed, people=tale.people, fsync=tale.fsync, is_apart=tale.is_apart, town_arguments=tale.town_arguments)
    try:
        with stand.start(plan) as running:
            async with aiohttp.ClientSession() as session:
                telling = await begin(tale, running, session)
                try:
                    await go_on(telling, tale.until, on_progress=on_progress)
                    return await report(telling)
                finally:
                    await telling.desk.close()
    finally:
        if not tale.keep_home:
            shutil.rmtree(tale.home, ignore_errors=True)


async def begin(tale: Tale, running: stand.Stand, session: aiohttp.ClientSession) -> Telling:
    """Put the driver in its seat, the played staff at their desks, and the weather on."""
    clock = Clock(ClockMode.STEPPED, datetime.fromisoformat(FIRST_DAY).astimezone(UTC))
    sides = [Side(process.name, process.health_url.rsplit("/", 1)[0], "/driver/v1/clock/advance", str(process.log)) for process in _platform_side(running)]
    town = Side("town", running.town_url, "/town/clock/advance", str(running.town.log))
    driver = Driver(driver_key(tale.home), session, clock, [*sides, town])
    config = Config(home=tale.home, database_url=running.database.url, clock=ClockMode.STEPPED, pool_size=2)
    desk = await open_desk(config, Wiring(), owner="proof", clock=clock)
    office = Office(running.platform_url, session, f"story-{tale.seed}")
    await office.open(desk)
    telling = Telling(tale, running, driver, desk, office)
    if tale.has_faults:
        await put_faults(telling, delivery_rules())
    return telling


def _platform_side(running: stand.Stand) -> list[stand.Process]:
    return [running.platform, running.worker] if running.worker else [running.platform]


async def go_on(telling: Telling, until: datetime, *, on_progress: Progress | None = None) -> None:
    """Step through the days; every morning the played staff works."""
    while (now := telling.driver.clock.now()) < until:
        local = now.astimezone(SHANGHAI)
        morning = datetime.combine(local.date(), datetime.min.time(), SHANGHAI) + timedelta(hours=9, minutes=30)
        following = morning if morning > local else morning + timedelta(days=1)
        await telling.driver.run_until(min(following.astimezone(UTC), until))
        await telling.office.morning(telling.desk)
        if on_progress:
            on_progress(telling.driver.clock.now(), until)


def delivery_rules() -> list[dict[str, Any]]:
    """Give every fault of delivery, on every service and on every callback."""
    rules = [
        {"rule_id": f"{service}-{fault}", "op": f"{service}.*", "fault": fault, "per_million": per_million, "args": args}
        for service in ("rail", "funder", "bureau", "checks", "sign", "message")
        for fault, per_million, args in DELIVERY_FAULTS
    ]
    return rules + [
        {"rule_id": f"{service}-cb-{fault}", "op": f"{service}.callback", "fault": fault, "per_million": per_million, "args": args}
        for service in ("rail", "funder", "bureau", "message")
        for fault, per_million, args in CALLBACK_FAULTS
    ]


async def put_faults(telling: Telling, rules: list[dict[str, Any]]) -> None:
    await telling.driver.ask("PUT", f"{telling.town}/town/faults", {"seed": telling.tale.seed, "rules": rules}, key="")


async def report(telling: Telling) -> dict[str, Any]:
    """Count, and let others check: the rail, the funders, the bureau, the town's own watch, and a fresh process for the decisions."""
    day = telling.driver.clock.now().astimezone(SHANGHAI).date() - timedelta(days=1)
    async with asyncio.TaskGroup() as group:
        replayed = group.create_task(asyncio.to_thread(_replayed, telling))
        facts = await _counts(telling.desk, day) | await _checked_by_others(telling)
        state = await end_state(telling.desk, day)
    facts |= replayed.result()
    if telling.tale.has_faults:
        fired = await telling.driver.ask("GET", f"{telling.town}/town/faults/fired")
        facts["faults_fired"] = len(fired["fired"])
    return facts | {
        "state_sha256": state.sha256,
        "state_lines": state.lines,
        "staff_policy": POLICY,
        "staff_did": dict(sorted(telling.office.did.items())),
        "people": telling.tale.people,
        "months": telling.tale.months,
        "seed": telling.tale.seed,
        "where": "in the simulated town",
    }


async def _counts(desk: Desk, day: date) -> dict[str, Any]:
    async with desk.look() as work:
        funnel, standing = await boards.funnel(work), await boards.standing(work)
        thin = await boards.thin_file(work)
        trial = await ledger.trial_balance(work, day)
        records = await bureau.counts(work)
        return {
            "applications": funnel.received,
            "approved": funnel.offered,
            "declined": funnel.declined,
            "loans_paid_out": standing.paid_out,
            "settled": standing.settled,
            "in_arrears": standing.in_arrears,
            "written_off": standing.written_off,
            "recovered_fen": standing.recovered_fen,
            "first_loan_customers": thin.first_loan_customers,
            "entries_used": sum(entry.sessions > 0 for entry in await boards.entries(work)),
            "partners_used": sum(line.loans > 0 for line in await boards.funding(work)),
            "ledger_sum_fen": sum(line.balance_fen for line in trial),
            "trial_balance_ok": sum(line.debit_fen for line in trial) == sum(line.credit_fen for line in trial) and not await ledger.check(work),
            "bureau_records": records,
            "bureau_rejected": records.get("rejected", 0),
        }


async def _checked_by_others(telling: Telling) -> dict[str, Any]:
    """Ask those who keep their own figures: the rail's truth, the funders' mirrors, the town's watch."""
    rail = await telling.driver.ask("GET", f"{telling.town}/town/truth/rail")
    breaches = await telling.driver.ask("GET", f"{telling.town}/town/truth/breaches")
    balances = {one["account"]: int(one["balance_fen"]) for one in rail["accounts"]}
    async with telling.desk.look() as work:
        cash = await ledger.cash(work, work.today)
        mirrors = await funding.mirror_state(work)
    return {
        "ledger_vs_rail_fen": sum(abs(cash.get(account, 0) - balances.get(account, 0)) for account in (ledger.MAIN, ledger.CLEARING)),
        "partner_books_equal": mirrors.compared > 0 and mirrors.differing == mirrors.unread == 0,
        "partner_books_compared": mirrors.compared,
        "partner_rows_explained": mirrors.explained,
        "breaches_seen_by_town": len(breaches["breaches"]),
        "breaches_by_kind": _by_kind(breaches["breaches"]),
    }


def _by_kind(breaches: list[Mapping[str, Any]]) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for breach in breaches:
        kinds[str(breach["kind"])] = kinds.get(str(breach["kind"]), 0) + 1
    return kinds


def _replayed(telling: Telling) -> dict[str, Any]:
    """Replay every decision in a fresh process, from stored inputs and artefact hashes alone."""
    environment = telling.stand.platform.environment
    command = [sys.executable, "-m", "puhui.cli", "replay", "--all", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode not in {0, 1} or not done.stdout.strip():
        return {"decisions_replayed": 0, "decisions_recomputed": 0, "decisions_differing": -1, "replay_error": done.stderr[-500:]}
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return {"decisions_replayed": told["replayed"], "decisions_recomputed": told["recomputed"], "decisions_differing": told["differing"]}
