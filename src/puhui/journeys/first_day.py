"""Settling in: what a process makes sure of before it opens its doors, and what happens once in the life of a house.

Called at every start; what is there already stays as it is. The partners of the simulated world are registered only where the lender
listens on loopback alone; a real lender's partners come through the register and two persons' yes.
"""

from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path

from puhui.foundation import flows
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.keyfiles import load_public
from puhui.foundation.money import Money
from puhui.foundation.work import Actor, Work
from puhui.journeys import day_end, legislate, privacy, reconcile, report
from puhui.journeys.report import next_at
from puhui.rooms import decisions, ledger, partners
from puhui.rooms.payments import rail
from puhui.vocabulary.ids import NOBODY, derive

ACTOR = Actor("house", "first-day")
TRY_AGAIN = timedelta(seconds=30)
TIDIES_AT = time(3, 40)
STANDING: tuple[tuple[str, str, time], ...] = (*report.STANDING, ("house", "tidy", TIDIES_AT))
"""Flows that always live: kind, step, and the time of day in Shanghai at which each is due first."""


async def settle_in(desk: Desk) -> None:
    """Make sure of partners, strategy, books and the flows that always live; load what the doors trust."""
    if desk.config.driver_key_file and desk.config.is_loopback:
        desk.keyring.add(load_public(Path(desk.config.driver_key_file), "driver-1", "driver"))
    await legislate.adopt(desk)
    async with desk.work(ACTOR) as work:
        if desk.config.is_loopback and desk.config.service_urls:
            await partners.seed_development(work, desk.config.service_urls)
        await decisions.seed_development(work)
        await day_end.start_days(work, work.today)
        await reconcile.start_listening(work)
        await _start_standing(work)
        desk.held["listed_partners"] = await partners.listed_owners(work)


async def _start_standing(work: Work) -> None:
    await flows.start(work, flow_id=_named("open-books"), customer_id=NOBODY, kind="house", subject="books", step="open-books")
    for kind, step, when in STANDING:
        await flows.start(
            work,
            flow_id=_named(f"{kind}.{step}"),
            customer_id=NOBODY,
            kind=kind,
            subject=kind,
            step=step,
            due=next_at(work.at, when),
        )


def _named(name: str) -> str:
    return derive("fl", NOBODY, "house", name)


async def open_books(desk: Desk, turn: Turn) -> Turn | None:
    """Step `house.open-books`: put the lender's own money at the rail on the books, as the rail tells it, once."""
    balances: dict[str, int] = {}
    for account in (ledger.MAIN, ledger.CLEARING):
        told = await rail.balance(desk.service("rail"), account)
        if not isinstance(told, Money):
            async with desk.work(ACTOR) as work:
                return await flows.move(work, turn, due=work.at + TRY_AGAIN)
        balances[account] = told.fen
    async with desk.work(ACTOR) as work:
        await ledger.open_books(work, balances=balances)
        await flows.end(work, turn)
    return None


async def tidy(desk: Desk, turn: Turn) -> Turn | None:
    """Step `house.tidy`, every night: what the law or our word says goes, goes: faces, one-day copies, lapsed tokens."""
    await privacy.tidy(desk)
    async with desk.work(ACTOR) as work:
        return await flows.move(work, turn, due=next_at(work.at, TIDIES_AT))


STEPS: Mapping[str, Step] = {"house.open-books": open_books, "house.tidy": tidy}
