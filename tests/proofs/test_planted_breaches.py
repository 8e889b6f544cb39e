"""One small story of the town, and a breach planted for each key of its report: the key that speaks of it goes wrong, and no other.

The breaches in the database come first and are taken out again; then come those that need another day; what the outside world keeps for
ever comes last. All of it stands in one file, so that one worker tells the story once.
"""

import asyncio
import shutil
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from puhui.foundation.services import Answer
from puhui.proofs import stand, story
from puhui.proofs.end_state import end_state
from puhui.proofs.money import check as money_check
from puhui.proofs.story import Tale, Telling
from puhui.rooms import customers, decisions

PEOPLE, DAYS, SEED = 30, 15, 7
GOOD = {
    "ledger_sum_fen": 0,
    "ledger_vs_rail_fen": 0,
    "trial_balance_ok": True,
    "partner_books_equal": True,
    "breaches_seen_by_town": 0,
    "decisions_differing": 0,
    "bureau_rejected": 0,
}


@dataclass
class Told:
    """A story that was told, with everything still standing."""

    loop: asyncio.Runner
    telling: Telling
    report: dict[str, Any] = field(default_factory=dict)

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run(step)

    def look(self, *, replays: bool = False) -> dict[str, Any]:
        """Make the report of this moment; the decisions are replayed only if asked for."""
        if replays:
            return self.run(story.report(self.telling))
        return self.run(self._glance())

    async def _glance(self) -> dict[str, Any]:
        day = self._yesterday()
        facts = await story._counts(self.telling.desk, day) | await story._checked_by_others(self.telling)
        return facts | {"state_sha256": (await end_state(self.telling.desk, day)).sha256}

    def _yesterday(self) -> Any:
        return self.telling.driver.clock.now().astimezone(story.SHANGHAI).date() - timedelta(days=1)

    def pass_days(self, days: int) -> None:
        self.run(story.go_on(self.telling, self.telling.driver.clock.now() + timedelta(days=days)))

    def sql(self, *statements: str) -> None:
        """Run statements as somebody would who got past the triggers."""

        async def run() -> None:
            connection = await asyncpg.connect(self.telling.stand.database.url)
            try:
                async with connection.transaction():
                    await connection.execute("set local session_replication_role = replica")
                    for statement in statements:
                        await connection.execute(statement)
            finally:
                await connection.close()

        self.run(run())

    def value(self, query: str) -> Any:
        async def read() -> Any:
            async with self.telling.desk.work(durable=False) as work:
                return await work.connection.fetchval(query)

        return self.run(read())

    @contextmanager
    def planted(self, plant: str, undo: str) -> Iterator[set[str]]:
        """Plant a breach, give the names of the figures that change by it, and take it out again."""
        before = self.look()
        self.sql(*plant.split(";"))
        try:
            after = self.look()
            yield {name for name, value in after.items() if before[name] != value}
        finally:
            self.sql(*undo.split(";"))
        assert self.look() == before

    def lender_posts(self, path: str, body: Mapping[str, Any], key: str) -> Answer:
        """Let somebody use the lender's own key behind the platform's back."""
        service = self.telling.desk.service(path.split("/")[1], base_url=self.telling.town)
        answer = self.run(service.post(path, body, key=key))
        assert isinstance(answer, Answer), answer
        return answer

    def faults(self, *rules: dict[str, Any]) -> None:
        self.run(story.put_faults(self.telling, list(rules)))


@contextmanager
def telling(home: Path, *, faults: bool = False) -> Iterator[Told]:
    """Tell the story in real processes up to its last morning."""
    tale = Tale(home, people=PEOPLE, seed=SEED, has_faults=faults)
    plan = stand.Plan(home, seed=SEED, people=PEOPLE, fsync=False)
    with asyncio.Runner() as loop, stand.start(plan) as running:
        session = loop.run(_session())
        told = Told(loop, loop.run(story.begin(tale, running, session)))
        try:
            told.pass_days(DAYS)
            yield told
        finally:
            loop.run(told.telling.desk.close())
            loop.run(session.close())
    shutil.rmtree(home, ignore_errors=True)


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with telling(tmp_path_factory.mktemp("story") / "home") as one:
        one.report = one.look(replays=True)
        yield one


def test_the_story_is_good_by_everybodys_figures(told):
    report = told.report
    assert {name: report[name] for name in GOOD} == GOOD, told.run(told.telling.driver.ask("GET", f"{told.telling.town}/town/truth/breaches"))
    assert report["decisions_replayed"] == told.value("select count(*) from decisions.records") > 0
    assert (report["loans_paid_out"] > 0, report["partner_books_compared"] > 0, report["bureau_records"]["accepted"] > 0) == (True, True, True)


OWN_COUNTS = {
    "applications": "select count(*) from decisions.applications",
    "approved": "select count(distinct application_id) from decisions.records where answer = 'offer'",
    "declined": "select count(*) from decisions.applications where state = 'declined'",
    "loans_paid_out": "select count(*) from payments.orders where purpose = 'disburse' and state = 'paid'",
    "settled": "select count(*) from ledger.loans where standing = 'settled'",
    "entries_used": "select count(distinct entry_id) from channels.sessions",
    "partners_used": "select count(distinct partner_id) from funding.holds where state = 'used'",
}


@pytest.mark.parametrize(("key", "query"), OWN_COUNTS.items())
def test_a_count_of_the_report_is_what_the_room_itself_counts(told, key, query):
    assert told.report[key] == told.value(query)


# -- in the database ----------------------------------------------------------------------------------------------------------------------

POSTING = """insert into ledger.postings (customer_id, posting_id, kind, product, business_date, value_date, recorded_at, key, accounts, owners, amounts_fen)
    select 'nobody', 'planted', 'planted', 'starter', date '2026-09-10', date '2026-09-10', now(), 'planted', {lines}"""
NO_POSTING = "delete from ledger.postings where posting_id = 'planted'"
CHECK = "alter table ledger.postings {} constraint debits_equal_credits"


def test_seven_fen_from_nowhere_show_in_the_sum_of_the_ledger(told):
    plant = CHECK.format("drop") + ";" + POSTING.format(lines="array['payable.unmatched'], array[''], array[7::bigint]")
    with told.planted(plant, f"{NO_POSTING}; {CHECK.format('add')} check (ledger.is_balanced(amounts_fen))") as changed:
        assert told.look()["ledger_sum_fen"] == 7
        assert changed == {"ledger_sum_fen", "trial_balance_ok"}, "debits are not credits any more either"


def test_balanced_cash_that_the_rail_does_not_have_shows_beside_the_rail(told):
    lines = "array['cash', 'payable.unmatched'], array['lender-main', ''], array[7::bigint, -7::bigint]"
    with told.planted(POSTING.format(lines=lines), NO_POSTING) as changed:
        assert told.look()["ledger_vs_rail_fen"] == 7
        assert changed == {"ledger_vs_rail_fen", "trial_balance_ok"}, "and what is kept of its day, which is closed, does not add up any more"


def test_a_balance_that_its_events_do_not_give_shows_in_the_trial_balance(told):
    one_loan = "(select min(loan_id) from ledger.loans where standing = 'active')"
    plant = f"update ledger.loans set principal_owed_fen = principal_owed_fen {{}} 1 where loan_id = {one_loan}"
    with told.planted(plant.format("+"), plant.format("-")) as changed:
        assert changed == {"trial_balance_ok"}


def test_a_posted_fact_that_was_changed_shows_in_the_hash_of_the_end_state(told):
    one_record = "(select min(record_id) from bureau.records)"
    plant = f"update bureau.records set report_day = report_day {{}} 1 where record_id = {one_record}"
    with told.planted(plant.format("-"), plant.format("+")) as changed:
        assert changed == {"state_sha256"}
    one_event = "(select min(loan_id) from ledger.loan_events where kind = 'disbursed') and no = 1"
    plant = f"update ledger.loan_events set value_date = value_date {{}} 1 where loan_id = {one_event}"
    with told.planted(plant.format("-"), plant.format("+")) as changed:
        assert "state_sha256" in changed


def test_a_decision_that_does_not_come_out_of_its_inputs_is_found_by_the_replay(told):
    one_record = "(select min(decision_id) from decisions.records)"
    plant = f"update decisions.records set points = points {{}} 1 where decision_id = {one_record}"
    told.sql(plant.format("+"))
    try:
        wrong = told.look(replays=True)
    finally:
        told.sql(plant.format("-"))
    assert {name for name, value in wrong.items() if told.report[name] != value} == {"decisions_differing", "decisions_recomputed"}
    assert (wrong["decisions_differing"], wrong["decisions_replayed"]) == (1, told.report["decisions_replayed"])


def test_a_decision_whose_events_are_not_those_of_the_log_is_found_by_the_replay(told):
    """The record alone still gives its outcome; only computing its variables again from the log shows that somebody took rows away."""
    one = "(select min(customer_id) from histories.events where event_table = 'telco')"
    told.sql(f"update histories.events set event_table = 'gone' where customer_id = {one} and event_table = 'telco'")
    try:
        wrong = told.look(replays=True)
    finally:
        told.sql("update histories.events set event_table = 'telco' where event_table = 'gone'")
    assert {name for name, value in wrong.items() if told.report[name] != value} == {"decisions_differing"}
    assert wrong["decisions_differing"] >= 1
    assert told.report["decisions_recomputed"] == told.report["decisions_replayed"]


def test_a_decision_whose_sealed_inputs_were_swapped_is_found(told):
    """The seal binds a field to its row: the inputs of one decision are none for another, and the replay says so instead of failing."""
    two = "(select min(decision_id) from decisions.records), (select max(decision_id) from decisions.records)"
    swap = f"""update decisions.records a set inputs_sha256 = b.inputs_sha256 from decisions.records b
        where a.decision_id in ({two}) and b.decision_id in ({two}) and a.decision_id <> b.decision_id"""

    async def replay() -> list[decisions.Replayed]:
        async with told.telling.desk.work(durable=False) as work:
            return [one for one in (await decisions.replay_page(work)).replayed if not one.is_equal]

    told.sql(swap)
    try:
        assert [one.difference.split(":")[0] for one in told.run(replay())] == ["inputs", "inputs"]
    finally:
        told.sql(swap)
    assert told.run(replay()) == []


@pytest.mark.parametrize(
    ("key", "plant", "undo"),
    [
        ("entries_used", "insert into boards.entry_days values ('planted', date '2026-09-10', 1)", "delete from boards.entry_days where entry_id = 'planted'"),
        (
            "partners_used",
            "insert into boards.shares select customer_id, loan_id, 'planted', 1, 1 from boards.loans where paid_at is not null limit 1",
            "delete from boards.shares where partner_id = 'planted'",
        ),
    ],
)
def test_a_door_or_a_funder_that_was_never_used_shows_beside_what_the_room_counts(told, key, plant, undo):
    with told.planted(plant, undo) as changed:
        assert changed == {key}
        assert told.look()[key] == told.value(OWN_COUNTS[key]) + 1


def test_money_that_moved_without_our_books_is_lost_and_booked_without_moving_is_doubled(told):
    """What chaos counts: the rail's transfers against our orders and postings, one by one."""

    async def found() -> tuple[int, int, int]:
        rail = await told.telling.driver.ask("GET", f"{told.telling.town}/town/truth/rail")
        async with told.telling.desk.work(durable=False) as work:
            check = await money_check(work, rail)
        return len(check.lost), len(check.doubled), len(check.unbalanced)

    one_order = "(select min(payment_order_id) from payments.orders where state = 'paid')"
    assert told.run(found()) == (0, 0, 0)
    told.sql(f"update payments.orders set state = 'unknown' where payment_order_id = {one_order}")
    try:
        assert told.run(found())[0] == 1
    finally:
        told.sql("update payments.orders set state = 'paid' where state = 'unknown'")
    assert told.run(found()) == (0, 0, 0)


# -- days that go wrong outside -------------------------------------------------------------------------------------------------------------


def checks(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: report[name] for name in GOOD if name in report}


def wrong(report: Mapping[str, Any]) -> set[str]:
    return {name for name, value in checks(report).items() if value != GOOD[name]}


@pytest.mark.parametrize("fault", ["missing_row", "wrong_amount"])
def test_a_funder_whose_own_arithmetic_differs_shows_in_the_partner_books(told, fault):
    told.faults({"rule_id": fault, "op": "funder.file", "fault": fault, "per_million": 1_000_000, "args": {"delta_fen": 1}})
    told.pass_days(1)
    assert wrong(told.look()) == {"partner_books_equal"}
    told.faults()
    told.pass_days(1)
    assert wrong(told.look()) == set(), "a later file that agrees closes what stood open"


def test_a_record_the_bureau_does_not_take_shows_as_rejected(told):
    told.sql("update bureau.records set state = 'ready', batch_id = null, line = null where record_id = (select min(record_id) from bureau.records)")
    told.pass_days(1)
    assert wrong(told.look()) == {"bureau_rejected"}
    told.sql("update bureau.records set state = 'accepted', code = null where state = 'rejected'")
    assert wrong(told.look()) == set()


def test_money_moved_with_the_lenders_key_behind_the_books_shows_beside_the_rail(told):
    """The order is none of ours, so its callback finds no order here; what it moved stands as a difference until it is moved back."""

    def move(source: str, target: str, order_id: str) -> None:
        legs = {"sources": [{"account": source, "amount_fen": 100}], "target": target}
        body = {"order_id": order_id, "direction": "pay_out", "amount_fen": 100, "allow_partial": False, "purpose": "sweep", "loan_id": "none", **legs}
        assert told.lender_posts("/rail/v1/transfers", body, order_id).is_good
        told.run(told.telling.driver.run_until(told.telling.driver.clock.now() + timedelta(minutes=2)))

    move("lender-main", "lender-clearing", "po-planted-1")
    report = told.look()
    assert (wrong(report), report["ledger_vs_rail_fen"]) == ({"ledger_vs_rail_fen"}, 200)
    move("lender-clearing", "lender-main", "po-planted-2")
    assert wrong(told.look()) == set()


def test_a_text_at_night_is_counted_by_the_town_whatever_our_gate_thinks(told):
    async def phone() -> str:
        async with told.telling.desk.work(durable=False) as work:
            customer_id = await work.connection.fetchval("select min(customer_id) from ledger.loans")
            return str(await customers.phone_of(work, customer_id))

    assert told.telling.driver.clock.now().astimezone(story.SHANGHAI).hour < 8
    body = {"message_id": "ms-planted", "phone": told.run(phone()), "template": "reminder.due-soon", "params": {}, "purpose": "collection"}
    told.lender_posts("/message/v1/sms", body, "ms-planted")
    report = told.look()
    assert (wrong(report), report["breaches_by_kind"]) == ({"breaches_seen_by_town"}, {"contact-at-night": 1})


def test_the_same_story_with_every_fault_of_delivery_ends_the_same(told, tmp_path):
    with telling(tmp_path / "home", faults=True) as troubled:
        fired = troubled.run(troubled.telling.driver.ask("GET", f"{troubled.telling.town}/town/faults/fired"))
        report = troubled.look()
    assert len(fired["fired"] if isinstance(fired, dict) else fired) > 10
    assert wrong(report) == set()
    assert report["state_sha256"] == told.report["state_sha256"]
    counted = ("applications", "approved", "declined", "loans_paid_out")
    assert [report[name] for name in counted] == [told.report[name] for name in counted]
