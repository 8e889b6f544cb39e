"""A fault in the middle of anything leaves all or nothing.

One borrower goes the whole way: identity, application, signature, money, a day's end with its files, a repayment, the pay-off. He goes it
once in peace, and then again while every place in the code that opens a transaction fails once: in one telling just before its commit (a
fault), in one just after it (the commit is done, and nobody hears of it), in one at a statement in its middle. What fails is sent again with
the same key, and a process that fell forgets what it held, as one that starts anew. In the end everything is as it was in peace.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from whole_loop import Answered, Loop, Resident, whole_loop

from puhui.foundation.clock import Clock, ClockMode
from puhui.foundation.config import Config
from puhui.foundation.desk import Desk, Wiring, open_desk
from puhui.foundation.sql import Statement
from puhui.foundation.work import HOUSE, Actor, Work
from puhui.proofs.end_state import canonical_lines
from puhui.rooms import ledger

OURS = f"{Path(ledger.__file__).parents[2]}/"  # and not wherever the repository lies, which may be called puhui too
MORNING = datetime(2026, 9, 1, 1, tzinfo=UTC)
N = 1
MAY_DIFFER = {
    "foundation.receipts": "a door may answer `waiting` before it answers what came of it, and a look at home leaves none",
    "payments.cursors": "the list of the rail's events is only asked once something stayed unanswered for an hour",
}
"""Tables whose rows may differ in number after a fault, and why."""


class Planted(RuntimeError):  # noqa: N818
    """The fault of this test."""


class Gone(ConnectionResetError):  # noqa: N818
    """The fault of this test, as a connection that breaks."""


@dataclass
class Saboteur:
    """Lets every place fail once. `when` is before | after | within the commit."""

    when: str
    is_armed: bool = False
    failed: set[str] = field(default_factory=set)

    def is_due(self, place: str) -> bool:
        if not self.is_armed or place in self.failed:
            return False
        self.failed.add(place)
        return True


def place_of() -> str:
    """Name where in the house a Work is opened: the two nearest places of ours."""
    frame, places = sys._getframe(1), []
    while frame is not None and len(places) < 2:
        path = frame.f_code.co_filename
        if path.startswith(OURS) and not path.endswith("foundation/desk.py"):
            places.append(f"{Path(path).parent.name}/{Path(path).name}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(places)


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Saboteur]]:
    """Give the maker of a saboteur; hundreds of planted faults are not worth hundreds of tracebacks in the log."""
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

    def begin(when: str) -> Saboteur:
        saboteur = Saboteur(when)
        monkeypatch.setattr(Desk, "work", _failing_work(saboteur, Desk.work))
        monkeypatch.setattr(Desk, "look", _failing_look(saboteur, Desk.look))
        if when == "within":
            for name in ("row", "rows", "value", "run", "many"):
                monkeypatch.setattr(Statement, name, _failing_statement(saboteur, getattr(Statement, name)))
        return saboteur

    yield begin
    structlog.reset_defaults()
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)


def _failing_work(saboteur: Saboteur, work: Any) -> Any:
    @asynccontextmanager
    async def failing(self: Desk, actor: Actor = HOUSE, *, durable: bool = True) -> AsyncIterator[Work]:
        place = place_of()
        async with work(self, actor, durable=durable) as opened:
            yield opened
            if saboteur.when == "before" and saboteur.is_due(place):
                raise Planted(place)
        if saboteur.when == "after" and saboteur.is_due(place):
            raise Gone(place)

    return failing


def _failing_look(saboteur: Saboteur, look: Any) -> Any:
    @asynccontextmanager
    async def failing(self: Desk, actor: Actor = HOUSE) -> AsyncIterator[Work]:
        place = place_of()
        async with look(self, actor) as opened:
            yield opened
        if saboteur.when != "within" and saboteur.is_due(place):
            raise Gone(place)

    return failing


def _failing_statement(saboteur: Saboteur, method: Any) -> Any:
    async def failing(self: Statement, *given: Any, **named: Any) -> Any:
        done = await method(self, *given, **named)
        if self.text.lstrip().startswith(("insert", "update", "delete")) and saboteur.is_due(f"{self.name} {self.text[:60]}"):
            raise Planted(self.name)
        return done

    return failing


@dataclass
class Shaken(Loop):
    """Both sides, where a fall of the worker is taken up as by a supervisor."""

    falls: int = 0

    async def settle(self, at: Any) -> int:
        while True:
            try:
                return await Loop.settle(self, at)
            except (Planted, Gone):
                self.falls += 1
                await self.recover()

    async def recover(self) -> None:
        while True:
            try:
                return await Loop.recover(self)
            except (Planted, Gone):
                continue


async def tell(loop: Loop, saboteur: Saboteur | None) -> str:
    """Go the whole way with one borrower and give the loan's id. The lender has lent enough alone before, so that a funder takes part."""
    async with loop.desk.work() as work:
        await work.connection.execute("insert into funding.books values ('lender', 'all', '', 1000000000)")
    borrower = Resident(loop, N, tries=200)
    await borrower.visit()
    if saboteur:
        saboteur.is_armed = True
    await borrower.introduce()
    assert await borrower.apply() == "offered"
    loan_id = await borrower.borrow()
    await loop.go_to(loop.desk.clock.now().replace(hour=2, minute=0) + timedelta(days=1))
    await borrower.come_back()
    owed = (await borrower.home())["loans"][0]
    loop.town.world.parts["rail"].keep(loop.folk.card_number(N), owed["payoff_fen"] + 1_000_000)
    await borrower.step("repay", loan_id=loan_id, amount_fen=10_000, intent="prepay", payment_key="first")
    await loop.pass_time(minutes=5)
    payoff_fen = (await borrower.step("payoff", loan_id=loan_id, day=f"{loop.desk.clock.now():%Y-%m-%d}"))["show"]["amount_fen"]
    with pytest.raises(Answered, match=r"collect\.code-needed") as refused:
        await borrower.step("repay", loan_id=loan_id, amount_fen=payoff_fen, intent="payoff", payment_key="last")
    code = await borrower.code("pay", subject=refused.value.body["facts"]["payment_order_id"])
    await borrower.step("repay", loan_id=loan_id, amount_fen=payoff_fen, intent="payoff", payment_key="last", **code)
    await loop.go_to(loop.desk.clock.now().replace(hour=2, minute=0) + timedelta(days=1))
    if saboteur:
        saboteur.is_armed = False
    await loop.go_to(loop.desk.clock.now() + timedelta(hours=10))  # whatever was postponed is done by then
    return loan_id


@dataclass(frozen=True)
class End:
    """How a telling ended: the canonical lines, how many rows each table has, what the flows and the rail say."""

    lines: tuple[bytes, ...]
    rows: dict[str, int]
    facts: dict[str, Any]


async def end_of(loop: Loop) -> End:
    desk = loop.desk
    async with desk.work(durable=False) as work:
        ask = work.connection
        names = await ask.fetch(
            "select schemaname || '.' || relname as name from pg_stat_user_tables where schemaname not in ('public', 'pg_catalog') order by 1"
        )
        rows = {row["name"]: await ask.fetchval(f"select count(*) from {row['name']}") for row in names}
        facts = {
            "events": [tuple(row) for row in await ask.fetch("select kind, count(*) from foundation.events group by 1 order by 1")],
            "orders": [tuple(row) for row in await ask.fetch("select purpose, state, amount_fen from payments.orders order by 1, 2, 3")],
            "holds": [tuple(row) for row in await ask.fetch("select state, share_fen from funding.holds order by 1, 2")],
            "flows": [tuple(row) for row in await ask.fetch("select kind, step, ended_at is null from foundation.flows order by 1, 2, 3")],
            "unanswered events": await ask.fetchval("select count(*) from foundation.events where answered_at is null"),
            "parked events": await ask.fetchval("select count(*) from foundation.parked_events"),
            "unread callbacks": await ask.fetchval("select count(*) from foundation.callbacks where read_at is null"),
            "failed checks": await ledger.check(work),
            "cash": await ledger.cash(work, work.today),
            "breaches": loop.breaches,
        }
        accounts = loop.town.world.parts["rail"].accounts
        facts["rail"] = {name: int(accounts.balance(name)) for name in facts["cash"]}
        day = work.today - timedelta(days=1)
    return End(tuple(await canonical_lines(desk, day)), rows, facts)


async def telling(databases: Any, home: Path, saboteur: Saboteur | None) -> End:
    name = await asyncio.to_thread(lambda: asyncio.run(databases.make()))
    config = Config(home=home, database_url=databases.url(name), clock=ClockMode.STEPPED, pool_size=8)
    desk = await open_desk(config, Wiring(), owner="test", clock=Clock(ClockMode.STEPPED, MORNING))
    try:
        async with whole_loop(desk, kind=Shaken) as loop:
            await tell(loop, saboteur)
            return await end_of(loop)
    finally:
        await desk.close()
        await asyncio.to_thread(lambda: asyncio.run(databases.drop(name)))


@pytest.fixture(scope="session")
def peaceful(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> End:
    return asyncio.run(telling(databases, tmp_path_factory.mktemp("peace"), None))


def test_in_peace_everything_ends(peaceful):
    facts = peaceful.facts
    assert [(purpose, state) for purpose, state, _ in facts["orders"]].count(("disburse", "paid")) == 1
    assert facts["failed checks"] == []
    assert [state for state, _ in facts["holds"]] == ["used"]
    assert facts["cash"] == facts["rail"]
    assert (facts["unanswered events"], facts["parked events"], facts["unread callbacks"], facts["breaches"]) == (0, 0, 0, [])
    assert b'"standing":"settled"' in b"".join(peaceful.lines)


def differing(ours: Any, peaceful: Any) -> Any:
    """Show what stands only on one side, so that a failure is read at once."""
    if not isinstance(ours, list):
        return ours, peaceful
    return [one for one in ours if one not in peaceful or ours.count(one) != peaceful.count(one)], [one for one in peaceful if one not in ours]


@pytest.mark.parametrize("when", ["before", "after", "within"])
async def test_a_fault_leaves_all_or_nothing(when, sabotage, peaceful, databases, tmp_path):
    saboteur = sabotage(when)
    end = await telling(databases, tmp_path, saboteur)
    assert len(saboteur.failed) > 60, sorted(saboteur.failed)
    assert {name: differing(end.facts[name], fact) for name, fact in peaceful.facts.items() if end.facts[name] != fact} == {}
    assert end.lines == peaceful.lines
    assert {name: (count, peaceful.rows[name]) for name, count in end.rows.items() if count != peaceful.rows[name] and name not in MAY_DIFFER} == {}
