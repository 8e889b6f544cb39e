"""From an offer to a loan repaid, against the other half itself: real HTTP, real signatures, every exchange through the gate."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

import puhui_town.breaches
import puhui_town.bureau
import puhui_town.checks
import puhui_town.entries
import puhui_town.funder
import puhui_town.people
import puhui_town.rail
import puhui_town.sign
from puhui.foundation import outbox
from puhui.foundation.days import instant
from puhui.foundation.desk import Desk, Wiring, set_switch
from puhui.foundation.refusals import Refusal
from puhui.foundation.runner import drain
from puhui.foundation.services import learn_keys
from puhui.foundation.work import HOUSE, Actor
from puhui.journeys import (
    accept,
    apply,
    cancel,
    collect,
    day_end,
    differences,
    enter,
    let_go,
    onboard,
    pay_out,
    reactions,
    reconcile,
    sign,
    statement,
    transfers,
)
from puhui.proofs import invariants
from puhui.rooms import agreements, channels, decisions, funding, ledger, partners, payments
from puhui.rooms.agreements import verify_pack
from puhui.rooms.funding import HoldState
from puhui.rooms.payments import OrderState, Purpose
from puhui.rooms.staff import Member, Role
from puhui.vocabulary.ids import NOBODY, CustomerId, LoanId
from puhui.vocabulary.steps import Session, State, StepAnswer
from puhui_town.checks.pictures import Picture, draw
from puhui_town.wire import Clock as TownClock
from puhui_town.wire import ClockMode, Config, Rule, RuleBook, Town, open_town
from puhui_town.wire.signing import PublicKey

INSTALLS = (
    puhui_town.breaches.install, puhui_town.people.install, puhui_town.checks.install, puhui_town.rail.install, puhui_town.funder.install,
    puhui_town.bureau.install, puhui_town.sign.install, puhui_town.entries.install,
)  # fmt: skip
FINANCE = Member("st-000-finance", "finance", frozenset({Role.FINANCE}))
COLLECTOR = Member("st-000-collector", "collector", frozenset({Role.COLLECTOR}))
MODULES = (accept, apply, cancel, collect, day_end, let_go, pay_out, reactions, reconcile, sign, statement, transfers)
SOURCES = ("bureau", "telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device")
UNTIL = date(2028, 9, 1)
TRIED = frozenset({*range(1, 29), *range(41, 47), 53, 54, 55, 56, 57, 58})


UNHEARD = (Rule("nobody-listens", "rail.callback", "lost", 1_000_000), Rule("nor-here", "funder.callback", "lost", 1_000_000))
"""There is no server here that takes callbacks: the rail's list of events is read instead."""


def wired() -> Wiring:
    tables: dict[str, dict[str, Any]] = {"STEPS": {}, "CALLBACKS": {}}
    reactions: dict[str, tuple[Any, ...]] = {}
    for module in MODULES:
        for name, table in tables.items():
            table.update(getattr(module, name, {}))
        for kind, answers in getattr(module, "REACTIONS", {}).items():
            reactions[kind] = (*reactions.get(kind, ()), *answers)
    return Wiring(tables["STEPS"], reactions, tables["CALLBACKS"])


@dataclass
class Stage:
    """A desk, the world around it, and one resident who borrows."""

    desk: Desk
    town: Town
    n: int = 1
    secret: str = ""
    customer_id: CustomerId = NOBODY
    taps: int = 0
    offers: list[dict[str, Any]] = field(default_factory=list)
    application_id: str = ""
    card_before: int = 0

    @property
    def folk(self) -> Any:
        return self.town.world.parts["people"]

    @property
    def breaches(self) -> list[str]:
        return [seen.kind for seen in self.town.world.parts["breaches"].all_seen()]

    async def session(self) -> Session:
        """Give the session; once the person is known he stays logged in, however much time the story takes."""
        if self.customer_id != NOBODY:
            return Session(f"se-{self.n}", "e01", f"dv-{self.n}", self.customer_id)
        async with self.desk.work() as work:
            return await enter.session_in(work, self.secret)

    async def step(self, name: str, **body: Any) -> StepAnswer:
        self.taps += 1
        steps = (enter.BORROWER, onboard.BORROWER, *(getattr(module, "BORROWER", {}) for module in MODULES))
        door = {name: step for table in steps for name, step in table.items()}[name]
        answer: StepAnswer = await door.run(self.desk, session=await self.session(), body=door.body(**body), key=f"tap-{self.n}-{self.taps}")
        return answer

    async def code(self, purpose: str, *, subject: str = "", phone: bool = False) -> dict[str, str]:
        given = ({"phone": self.folk.phone(self.n)} if phone else {}) | ({"subject": subject} if subject else {})
        sent = await self.step("send_code", purpose=purpose, **given)
        return {"otp_id": sent.show["otp_id"], "code": self.town.world.parts["checks"].otp.code(sent.show["otp_id"])}

    async def picture(self, picture: Picture) -> str:
        taken = await onboard.take_file(self.desk, session=await self.session(), data=draw(picture), key=f"file-{self.taps}")
        return taken["file_ref"]

    async def consent(self, *items: str, purpose: str) -> None:
        told = await self.step("consent", items=list(items), purpose=purpose, until=UNTIL)
        for one in told.show["consents"]:
            self.town.world.parts["breaches"].consent_given(
                person=f"n{self.n}", consent_id=one["consent_id"], items=[one["item"]], purpose=purpose, until=UNTIL
            )

    async def settle_in(self, n: int) -> None:
        """Bring a resident through log-in, identity and card."""
        self.n, self.customer_id = n, NOBODY
        entry = next(one for one in channels.entries().values() if one.kind.value == "app")
        session_id = f"se-{n}"
        asked = enter.OpenSession(session_id=session_id, entry_id=entry.entry_id, kind="app", device=enter.DeviceSeen(device_id=f"dv-{n}"))
        told = await enter.open_session(self.desk, partner_id=f"entry-{entry.entry_id}", body=asked, key=session_id)
        self.secret = str(told["page_url"]).rsplit("/", 1)[-1]
        code = await self.code("login", phone=True)
        told = await self.step("login", phone=self.folk.phone(n), **code)
        if told.show.get("more") == "id_tail":
            await self.step("login", phone=self.folk.phone(n), id_tail=self.folk.identity(f"n{n}").id_number[-4:], **code)
        await self.consent("identity", "face", "financial_account", purpose="identity")
        him = self.folk.identity(f"n{n}")
        await self.step(
            "identity",
            person=onboard.PersonBody(him.name, him.id_number),
            front_ref=await self.picture(Picture("id_front", him.card_number_face)),
            back_ref=await self.picture(Picture("id_back", him.card_number_face)),
            selfie_ref=await self.picture(Picture("face", him.face)),
            living_place_code=him.home_place_code,
        )
        await self.step("bind", card_number=self.folk.card_number(n), phone=self.folk.phone(n), **(await self.code("bind", phone=True)))
        await self.consent(*SOURCES, purpose="loan")
        found = (await self.session()).customer_id
        assert found is not None
        self.customer_id = CustomerId(found)

    async def apply(self, amount_fen: int = 200_000, months: int = 6) -> StepAnswer:
        told = await self.step("apply", amount_fen=amount_fen, months=months, purpose="daily")
        self.offers, self.application_id = told.show.get("offers", []), str(told.show.get("application_id", ""))
        return told

    async def accept(self) -> StepAnswer:
        offer = self.offers[0]
        return await self.step("accept", offer_id=offer["offer_id"], amount_fen=offer["amount_max_fen"], months=offer["months"][0])

    async def read(self, table_sha256: str) -> str:
        watch = self.town.world.parts["breaches"]
        await self.step("read_cost", table_sha256=table_sha256)
        watch.cost_shown(person=f"n{self.n}", table_sha256=table_sha256, now_ms=self.town.world.clock.sign_ms())
        await self.pass_time(minutes=1)
        told = await self.step("confirm_cost", table_sha256=table_sha256)
        contract_sha256 = str(told.show["contract_sha256"])
        watch.cost_confirmed(person=f"n{self.n}", table_sha256=table_sha256, contract_sha256=contract_sha256)
        return contract_sha256

    async def sign(self, contract_sha256: str) -> StepAnswer:
        code = await self.code("sign", subject=contract_sha256)
        return await self.step("sign", contract_sha256=contract_sha256, **code)

    async def borrow(self) -> LoanId:
        """Take the offer all the way to the money, tapping again where the answer is that we wait."""
        self.card_before = self.balance_of_card()
        told = await self.until("accept", State.ACCEPTED, self.accept)
        contract_sha256 = await self.read(str(told.show["table_sha256"]))
        told = await self.until("sign", State.PAYING, lambda: self.sign(contract_sha256))
        await self.pass_time(minutes=6)
        return LoanId(str(told.show["loan_id"]))

    async def until(self, what: str, state: State, tap: Callable[[], Awaitable[StepAnswer]]) -> StepAnswer:
        for _ in range(8):
            told = await tap()
            if told.state is state:
                return told
            await self.pass_time(minutes=1)
        raise AssertionError(f"{what} still waits")

    def balance_of_card(self) -> int:
        return int(self.town.world.parts["rail"].card_balance(self.folk.card_number(self.n)))

    async def pass_time(self, **span: float) -> None:
        await self.go_to(self.desk.clock.now() + timedelta(**span))

    async def go_to(self, to: datetime) -> None:
        """Move both clocks through every due time up to `to`, as the driver does; callbacks come by the list of events."""
        while True:
            now = self.desk.clock.now()
            while await self._run(now):
                pass
            dues = [due for due in (await self._next_due(), self._town_due()) if due is not None and due > now]
            nearest = min(dues, default=to)
            if now >= to:
                return
            self.desk.clock.step_to(min(max(nearest, now), to))
            self.town.world.clock.move_to(self.desk.clock.now())

    async def _run(self, at: datetime) -> int:
        did = await drain(self.desk, at)
        did += await self.town.world.scheduler.run_to(at)
        return did + await self.hear()

    async def hear(self) -> int:
        """Read what the rail would have called back."""
        async with self.desk.work(HOUSE) as work:
            cursor = (await payments.cursors(work, ["test"]))["test"]
            page = self.town.world.callbacks.since("rail", int(cursor or 0))
            for one in page["events"]:
                await outbox.receive(work, reconcile._callback("rail", one if isinstance(one, dict) else _plain(one)))
            await payments.move_cursor(work, service="test", cursor=str(page["next_cursor"]))
        return len(page["events"])

    async def _next_due(self) -> datetime | None:
        from puhui.foundation import flows

        async with self.desk.work(durable=False) as work:
            return await flows.next_due(work)

    def _town_due(self) -> datetime | None:
        due_ms = self.town.world.scheduler.next_due_ms()
        return None if due_ms is None else datetime.fromtimestamp(due_ms / 1000, UTC)

    async def order(self, loan_id: LoanId, purpose: Purpose) -> payments.PaymentOrder:
        async with self.desk.work() as work:
            orders = await payments.orders_of(work, customer_id=self.customer_id, loan_id=loan_id)
        return [one for one in orders if one.purpose is purpose][-1]

    async def loan(self, loan_id: LoanId) -> ledger.LoanView:
        async with self.desk.work() as work:
            found = await ledger.find_loan(work, self.customer_id, loan_id)
        assert found is not None
        return found

    async def holds(self, loan_id: LoanId) -> list[funding.Hold]:
        async with self.desk.work() as work:
            return await funding.holds_of(work, customer_id=self.customer_id, loan_id=loan_id)

    async def seen(self) -> list[str]:
        """Show what the flows stand at, for a test that fails."""
        async with self.desk.work() as work:
            flow_rows = await work.connection.fetch("select kind, step, state, attempts, due from foundation.flows where ended_at is null")
            signings = await work.connection.fetch("select state, code from agreements.signings")
            tables = await work.connection.fetch("select number, state from agreements.tables")
        return [str(dict(row)) for row in (*flow_rows, *signings, *tables)]

    async def broken(self) -> list[dict[str, Any]]:
        """Try the invariants of money, cost, funding and flows over the whole database."""
        found: list[dict[str, Any]] = []
        kept: dict[str, Any] = {}
        for invariant in invariants.INVARIANTS:
            if invariant.number in TRIED:
                async with self.desk.work(durable=False) as work:
                    found += await invariants.broken(invariants.House(self.desk, work, kept), invariant)
        return found

    def faults(self, *rules: Rule) -> None:
        self.town.world.faults.set(RuleBook(7, [*rules, *UNHEARD]))

    def balance(self, account: str) -> int:
        return int(self.town.world.parts["rail"].accounts.balance(account))

    async def books_equal_the_rail(self) -> bool:
        async with self.desk.work() as work:
            cash = await ledger.cash(work, work.today)
        return all(cash.get(account, 0) == self.balance(account) for account in (ledger.MAIN, ledger.CLEARING))


def _plain(event: Any) -> dict[str, Any]:
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(event))


@pytest.fixture
async def stage(desk: Desk) -> AsyncIterator[Stage]:
    clock = TownClock.begin(ClockMode.STEPPED, desk.clock.now())
    town = open_town(Config(people=24, platform="http://127.0.0.1:1", rail_delay_ms=(100, 100)), clock, INSTALLS)
    town.world.keys.know(PublicKey.read("lender-1", "lender", "ed25519", desk.key.public_der))
    town.world.at_start[:] = [begin for begin in town.world.at_start if "move_in" not in begin.__qualname__]  # nobody acts by himself here
    base = f"http://127.0.0.1:{await town.start()}"
    desk.config = replace(desk.config, service_urls=dict.fromkeys(("checks", "rail", "entry", "sign", "bureau", "funder", "shop"), base))
    desk.wiring = wired()
    town.world.faults.set(RuleBook(7, list(UNHEARD)))
    await learn_keys(desk.session, desk.keyring, base)
    async with desk.work() as work:
        await partners.seed_development(work, desk.config.service_urls)
        await decisions.seed_development(work)
        await ledger.open_books(work, balances={"lender-main": 500_000_000_000})
    try:
        yield Stage(desk, town)
    finally:
        await town.stop()


@pytest.fixture
async def borrower(stage: Stage) -> AsyncIterator[Stage]:
    """A resident with an offer on the table; whatever the story was, at its end every invariant holds."""
    for n in range(1, 24):
        await stage.settle_in(n)
        told = await stage.apply()
        if told.state is State.OFFERED:
            break
    else:
        raise AssertionError("nobody got an offer")
    yield stage
    await stage.pass_time(minutes=20)
    assert await stage.broken() == []


async def own_all_joint(stage: Stage, fen: int = 10**9) -> None:
    """Let the lender have lent enough alone that the next loan may be joint."""
    async with stage.desk.work() as work:
        await work.connection.execute("insert into funding.books values ('lender', 'all', '', $1)", fen)


async def test_a_loan_from_the_offer_to_the_last_fen(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    told = await stage.accept()
    assert (told.state, told.show["reading_time_s"]) == (State.ACCEPTED, 10)
    table_sha256, loan_id = str(told.show["table_sha256"]), LoanId(str(told.show["loan_id"]))
    (hold,) = await stage.holds(loan_id)
    assert hold.state is HoldState.HELD
    async with stage.desk.work() as work:
        table = await agreements.table_of(work, customer_id=stage.customer_id, table_sha256=table_sha256)
    assert [one.partner_id for one in table.funders] == ["lender", hold.partner_id]

    contract_sha256 = await stage.read(table_sha256)
    told = await stage.sign(contract_sha256)
    assert (told.state, told.show["loan_id"]) == (State.PAYING, loan_id)
    (hold,) = await stage.holds(loan_id)
    assert hold.state is HoldState.CONFIRMED
    before = stage.balance(f"pool-{hold.partner_id}")
    await stage.pass_time(minutes=2)

    loan = await stage.loan(loan_id)
    order = await stage.order(loan_id, Purpose.DISBURSE)
    assert (order.state, loan.principal_owed_fen) == (OrderState.PAID, table.terms.principal_fen)
    assert (await stage.holds(loan_id))[0].state is HoldState.USED
    assert before - stage.balance(f"pool-{hold.partner_id}") == hold.share.fen
    assert await stage.books_equal_the_rail()
    assert [(row.due, row.asked.total_fen) for row in loan.rows] == [(row.due, row.total_fen) for row in table.rows]

    for row in loan.rows:
        stage.town.world.parts["rail"].keep(stage.folk.card_number(stage.n), 10_000_000)
        await stage.go_to(instant(row.due, time(8, 5)))
    assert (await stage.loan(loan_id)).standing.value == "settled"
    assert await stage.books_equal_the_rail()
    assert stage.breaches == []

    async with stage.desk.work() as work:
        pack = await agreements.evidence(work, customer_id=stage.customer_id, loan_id=loan_id)
        assert await agreements.find_document(work, customer_id=stage.customer_id, sha256=contract_sha256)
    proven = verify_pack.verify(pack, stage.town.world.parts["sign"].authority.root_public_key)
    assert (proven["contract_sha256"], proven["loan_id"]) == (contract_sha256, loan_id)


async def test_the_funders_own_arithmetic_agrees_with_ours_day_by_day(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    async with stage.desk.work() as work:
        await day_end.start_days(work, work.today)
    loan_id = await stage.borrow()
    (hold,) = await stage.holds(loan_id)
    due = (await stage.loan(loan_id)).rows[0].due
    stage.town.world.parts["rail"].keep(stage.folk.card_number(stage.n), 10_000_000)
    before = stage.balance(f"pool-{hold.partner_id}")
    await stage.go_to(instant(due + timedelta(days=1), time(12)))
    async with stage.desk.work() as work:
        state = await funding.mirror_state(work)
        assert (state.files > 25, state.differing) == (True, 0)
        assert await payments.open_breaks(work) == []
        assert await payments.is_reconciled(work, day=due)
        (event,) = [one for one in await ledger.funder_events(work, due, hold.partner_id) if one.event == "repaid"]
    assert stage.balance(f"pool-{hold.partner_id}") - before == event.amount_fen
    assert await stage.books_equal_the_rail()


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "silent_5xx", "slow", "bad_sign"])
async def test_no_fault_of_delivery_pays_twice_or_funds_otherwise(borrower: Stage, fault: str):
    stage = borrower
    await own_all_joint(stage)
    stage.faults(
        *(Rule(f"f-{op}", op, fault, 700_000) for op in ("rail.transfer", "rail.mandate", "rail.get", "funder.reservation", "funder.confirm", "funder.get")),
        *(Rule(f"g-{op}", op, fault, 700_000) for op in ("sign.certificate", "sign.signature", "sign.timestamp", "funder.release")),
    )
    loan_id = await stage.borrow()
    loan = await stage.loan(loan_id)
    order = await stage.order(loan_id, Purpose.DISBURSE)
    assert order.state is OrderState.PAID
    assert stage.balance_of_card() - stage.card_before == loan.principal_fen
    assert await stage.books_equal_the_rail()
    live = [hold for hold in await stage.holds(loan_id) if hold.state is HoldState.USED]
    assert len(live) == 1
    await stage.pass_time(minutes=30)
    async with stage.desk.work() as work:
        assert await funding.leaked_holds(work, before=work.at) == []


async def test_a_funder_that_refuses_is_followed_by_the_next(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    stage.faults(Rule("no", "funder.reservation", "reject", 1_000_000, max=2, args={"code": "funder.declined"}))
    told = await stage.accept()
    holds = await stage.holds(LoanId(str(told.show["loan_id"])))
    assert [hold.state for hold in holds] == [HoldState.REFUSED, HoldState.REFUSED, HoldState.HELD]
    assert len({hold.partner_id for hold in holds}) == 3


async def test_terms_that_changed_meanwhile_are_read_again(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    stage.faults(Rule("cut", "funder.reservation", "terms_changed", 1_000_000, max=1, args={"cut_ppm": 100_000}))
    told = await stage.accept()
    assert told.state is State.ACCEPTED
    holds = await stage.holds(LoanId(str(told.show["loan_id"])))
    assert (holds[0].code, holds[-1].state) == ("funder.terms-changed", HoldState.HELD)


async def test_a_lost_hold_is_taken_over_by_the_lender_as_the_contract_says(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    told = await stage.accept()
    contract_sha256 = await stage.read(str(told.show["table_sha256"]))
    stage.faults(Rule("gone", "funder.confirm", "reject", 1_000_000, args={"code": "funder.quota"}))
    told = await stage.sign(contract_sha256)
    assert told.state is State.PAYING
    await stage.pass_time(minutes=2)
    loan = await stage.loan(LoanId(str(told.show["loan_id"])))
    assert [(leg.partner_id, leg.share_ppm) for leg in loan.legs] == [("lender", 1_000_000)]
    assert await stage.books_equal_the_rail()
    async with stage.desk.work() as work:
        assert await funding.leaked_holds(work, before=work.at) == []


async def test_where_the_lender_may_not_step_in_another_table_is_read(borrower: Stage, monkeypatch: pytest.MonkeyPatch):
    stage = borrower
    await own_all_joint(stage)
    monkeypatch.setattr(sign, "_may_step_in", lambda lost: False)
    told = await stage.accept()
    first = str(told.show["table_sha256"])
    contract_sha256 = await stage.read(first)
    stage.faults(Rule("gone", "funder.confirm", "reject", 1_000_000, max=1, args={"code": "funder.quota"}))
    await stage.sign(contract_sha256)
    await stage.pass_time(minutes=1)
    async with stage.desk.work() as work:
        stands = await accept.where_it_stands(work, stage.customer_id, _application(stage))
    assert stands.state is State.ACCEPTED
    second = str(stands.show["table_sha256"])
    assert second != first
    with pytest.raises(Refusal) as refused:
        await stage.sign(contract_sha256)
    assert refused.value.code == "agreements.table-replaced"
    told = await stage.sign(await stage.read(second))
    await stage.pass_time(minutes=2)
    loan = await stage.loan(LoanId(str(told.show["loan_id"])))
    assert len(loan.legs) == 2


async def test_what_is_not_signed_in_time_goes_back_to_the_offer(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    told = await stage.accept()
    loan_id = LoanId(str(told.show["loan_id"]))
    await stage.pass_time(minutes=12)
    async with stage.desk.work() as work:
        assert (await decisions.exposure_of(work, stage.customer_id)).held_fen == 0
        assert (await accept.where_it_stands(work, stage.customer_id, _application(stage))).state is State.OFFERED
    assert {hold.state for hold in await stage.holds(loan_id)} <= {HoldState.EXPIRED, HoldState.RELEASED}
    again = await stage.accept()
    assert again.state is State.ACCEPTED
    assert again.show["loan_id"] != loan_id


async def test_a_table_is_not_confirmed_before_it_was_read(borrower: Stage):
    stage = borrower
    told = await stage.accept()
    table_sha256 = str(told.show["table_sha256"])
    with pytest.raises(Refusal) as refused:
        await stage.step("confirm_cost", table_sha256=table_sha256)
    assert refused.value.code == "agreements.table-not-open"
    await stage.step("read_cost", table_sha256=table_sha256)
    stage.desk.clock.step_to(stage.desk.clock.now() + timedelta(seconds=9))
    with pytest.raises(Refusal) as refused:
        await stage.step("confirm_cost", table_sha256=table_sha256)
    assert refused.value.code == "agreements.read-too-fast"


async def test_a_wrong_code_signs_nothing_and_the_right_one_does(borrower: Stage):
    stage = borrower
    told = await stage.accept()
    contract_sha256 = await stage.read(str(told.show["table_sha256"]))
    code = await stage.code("sign", subject=contract_sha256)
    with pytest.raises(Refusal) as refused:
        await stage.step("sign", contract_sha256=contract_sha256, otp_id=code["otp_id"], code="000000")
    assert (refused.value.code, refused.value.facts["reason"]) == ("sign.refused", "sign.otp-wrong")
    assert (await stage.sign(contract_sha256)).state is State.PAYING


async def test_a_pay_out_the_bank_refuses_lets_everything_go(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    told = await stage.accept()
    contract_sha256 = await stage.read(str(told.show["table_sha256"]))
    stage.faults(Rule("no", "rail.transfer", "reject", 1_000_000, args={"code": "rail.name-mismatch"}))
    told = await stage.sign(contract_sha256)
    loan_id = LoanId(str(told.show["loan_id"]))
    await stage.pass_time(minutes=2)
    assert (await stage.order(loan_id, Purpose.DISBURSE)).state is OrderState.FAILED
    assert {hold.state for hold in await stage.holds(loan_id)} == {HoldState.RELEASED}
    async with stage.desk.work() as work:
        assert (await decisions.exposure_of(work, stage.customer_id)).held_fen == 0
        assert await ledger.find_loan(work, stage.customer_id, loan_id) is None
        assert await decisions.open_application(work, stage.customer_id) is None


async def test_a_pay_out_that_comes_back_leaves_no_debt(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    stage.faults(Rule("back", "rail.transfer", "returned", 1_000_000, max=1, args={"after_days": 1, "code": "rail.account-closed"}))
    loan_id = await stage.borrow()
    assert (await stage.loan(loan_id)).principal_owed_fen > 0
    await stage.pass_time(days=1, hours=1)
    assert (await stage.order(loan_id, Purpose.DISBURSE)).state is OrderState.RETURNED
    loan = await stage.loan(loan_id)
    assert (loan.standing.value, loan.payoff_fen) == ("void", 0)
    assert await stage.books_equal_the_rail()


async def test_one_switch_stops_pay_outs_and_lets_them_go_on(borrower: Stage):
    stage = borrower
    async with stage.desk.work(Actor("staff", "ops")) as work:
        await set_switch(work, payments.PAY_OUTS, is_on=False)
    told = await stage.accept()
    told = await stage.sign(await stage.read(str(told.show["table_sha256"])))
    loan_id = LoanId(str(told.show["loan_id"]))
    await stage.pass_time(minutes=5)
    assert (await stage.order(loan_id, Purpose.DISBURSE)).state is OrderState.CREATED
    async with stage.desk.work(Actor("staff", "ops")) as work:
        await set_switch(work, payments.PAY_OUTS, is_on=True)
    await stage.pass_time(minutes=5)
    assert (await stage.order(loan_id, Purpose.DISBURSE)).state is OrderState.PAID


async def test_cancelling_is_free_until_the_money_is_on_its_way(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    async with stage.desk.work(Actor("staff", "ops")) as work:
        await set_switch(work, payments.PAY_OUTS, is_on=False)
    told = await stage.accept()
    told = await stage.sign(await stage.read(str(told.show["table_sha256"])))
    loan_id = LoanId(str(told.show["loan_id"]))
    told = await stage.step("cancel", loan_id=loan_id)
    assert told.state is State.CANCELLED
    await stage.pass_time(minutes=5)
    assert (await stage.order(loan_id, Purpose.DISBURSE)).state is OrderState.CANCELLED
    assert {hold.state for hold in await stage.holds(loan_id)} == {HoldState.RELEASED}
    async with stage.desk.work() as work:
        assert (await decisions.exposure_of(work, stage.customer_id)).held_fen == 0
        assert await decisions.open_application(work, stage.customer_id) is None


async def test_an_accepted_offer_is_cancelled_and_the_hold_let_go(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    told = await stage.accept()
    loan_id = LoanId(str(told.show["loan_id"]))
    told = await stage.step("cancel", application_id=_application(stage))
    assert told.state is State.CANCELLED
    await stage.pass_time(minutes=1)
    assert {hold.state for hold in await stage.holds(loan_id)} == {HoldState.RELEASED}


async def test_giving_a_loan_back_in_the_cooling_off_costs_its_interest_only(borrower: Stage):
    stage = borrower
    loan_id = await stage.borrow()
    await stage.pass_time(days=2)
    told = await stage.step("cancel", loan_id=loan_id)
    loan = await stage.loan(loan_id)
    assert (told.show["state"], told.show["owed_fen"]) == ("giving_back", loan.payoff_fen)
    assert loan.payoff_fen - loan.principal_owed_fen == round(loan.principal_owed_fen * loan.rate_ppm * 2 / 365 / 1_000_000)
    await stage.pass_time(days=3)
    with pytest.raises(Refusal) as refused:
        await stage.step("cancel", loan_id=loan_id)
    assert refused.value.code == "cancel.cooling-off-over"


async def test_a_repayment_tapped_twice_is_taken_once_and_counts_from_the_tap(borrower: Stage):
    stage = borrower
    loan_id = await stage.borrow()
    loan = await stage.loan(loan_id)
    stage.town.world.parts["rail"].keep(stage.folk.card_number(stage.n), 10_000_000)
    before = stage.balance_of_card()
    body = {"loan_id": loan_id, "amount_fen": 20_000, "intent": "prepay", "payment_key": "pay-1"}
    first = await stage.step("repay", **body)
    assert first.state is State.PAYING
    await stage.step("repay", **body)
    with pytest.raises(Refusal) as refused:
        await stage.step("repay", **(body | {"payment_key": "pay-2"}))
    assert refused.value.code == "collect.repayment-on-its-way"
    await stage.pass_time(minutes=2)
    told = await stage.step("repay", **body)
    assert told.show["payment"] == "paid"
    assert before - stage.balance_of_card() == 20_000
    assert (await stage.loan(loan_id)).principal_owed_fen == loan.principal_owed_fen - 20_000
    assert await stage.books_equal_the_rail()


async def test_settling_beyond_the_mandate_takes_a_code_for_that_very_order(borrower: Stage):
    stage = borrower
    loan_id = await stage.borrow()
    await stage.pass_time(days=10)
    stage.town.world.parts["rail"].keep(stage.folk.card_number(stage.n), 10_000_000)
    owed = (await stage.loan(loan_id)).payoff_fen
    body = {"loan_id": loan_id, "amount_fen": owed, "intent": "payoff", "payment_key": "all"}
    with pytest.raises(Refusal) as refused:
        await stage.step("repay", **body)
    assert refused.value.code == "collect.code-needed"
    code = await stage.code("pay", subject=str(refused.value.facts["payment_order_id"]))
    assert (await stage.step("repay", **body, **code)).state is State.PAYING
    await stage.pass_time(minutes=2)
    assert (await stage.loan(loan_id)).standing.value == "settled"
    assert stage.breaches == []
    with pytest.raises(Refusal) as refused:
        await stage.step("repay", **(body | {"payment_key": "again"}))
    assert refused.value.code == "collect.nothing-owed"


async def test_a_short_account_pays_in_part_and_the_rest_is_drawn_later(borrower: Stage):
    stage = borrower
    loan_id = await stage.borrow()
    row = (await stage.loan(loan_id)).rows[0]
    rail, card = stage.town.world.parts["rail"], stage.folk.card_number(stage.n)
    rail.keep(card, 5_000)
    await stage.go_to(instant(row.due, time(8, 5)))
    assert (await stage.loan(loan_id)).due_fen == row.asked.total_fen - 5_000
    rail.keep(card, 0)
    await stage.go_to(instant(row.due, time(14, 5)))
    assert (await stage.order(loan_id, Purpose.BY_MANDATE)).code == "rail.insufficient-funds"
    rail.keep(card, 10_000_000)
    await stage.go_to(instant(row.due, time(20, 5)))
    assert (await stage.loan(loan_id)).due_fen == 0
    async with stage.desk.work() as work:
        orders = await payments.orders_of(work, customer_id=stage.customer_id, loan_id=loan_id)
    assert [one.state for one in orders if one.purpose is Purpose.BY_MANDATE] == [OrderState.PAID, OrderState.FAILED, OrderState.PAID]
    assert await stage.books_equal_the_rail()


async def test_collecting_that_was_switched_off_draws_nothing(borrower: Stage):
    stage = borrower
    loan_id = await stage.borrow()
    await stage.step("mandate", loan_id=loan_id, on=False)
    row = (await stage.loan(loan_id)).rows[0]
    await stage.go_to(instant(row.due + timedelta(days=1), time(11)))
    async with stage.desk.work() as work:
        orders = await payments.orders_of(work, customer_id=stage.customer_id, loan_id=loan_id)
    assert [one.purpose for one in orders] == [Purpose.DISBURSE]


async def test_money_sent_by_hand_meets_its_debt_and_what_is_too_much_goes_back(borrower: Stage):
    stage = borrower
    loan_id = await stage.borrow()
    row = (await stage.loan(loan_id)).rows[0]
    await stage.step("mandate", loan_id=loan_id, on=False)
    rail, card = stage.town.world.parts["rail"], stage.folk.card_number(stage.n)
    await stage.go_to(instant(row.due, time(12)))
    rail.keep(card, 10_000_000)
    assert rail.send(card, row.asked.total_fen + 700, f"还款 {loan_id}", "rc-1")
    assert rail.send(card, 900, "给你们的", "rc-2")
    await stage.pass_time(minutes=3)
    loan = await stage.loan(loan_id)
    assert (loan.due_fen, loan.credit_fen) == (0, 0)
    assert 10_000_000 - stage.balance_of_card() == row.asked.total_fen + 900
    (waiting,) = await differences.unmatched(stage.desk, FINANCE)
    assert (waiting["receipt_id"], waiting["amount_fen"]) == ("rc-2", 900)
    with pytest.raises(Refusal):
        await differences.unmatched(stage.desk, COLLECTOR)
    await differences.match(stage.desk, FINANCE, "rc-2", differences.Match(loan_id))
    await stage.pass_time(minutes=3)
    assert await differences.unmatched(stage.desk, FINANCE) == []
    assert await stage.books_equal_the_rail()


async def test_a_suspended_funder_is_not_asked_from_the_next_request_on(borrower: Stage):
    stage = borrower
    await own_all_joint(stage)
    told = await stage.accept()
    (hold,) = await stage.holds(LoanId(str(told.show["loan_id"])))
    await stage.step("cancel", application_id=_application(stage))
    async with stage.desk.work(Actor("staff", "ops")) as work:
        await partners.change_standing(work, partner_id=hold.partner_id, wanted=partners.Standing.SUSPENDED, why="test")
    async with stage.desk.work() as work:
        listed = await partners.funders(work)
        assert hold.partner_id not in listed
        with pytest.raises(partners.NotListed):
            await partners.listed(work, partner_id=hold.partner_id, role=partners.Role.FUNDING)


def _application(stage: Stage) -> Any:
    return stage.application_id


async def test_every_lie_of_the_rails_file_is_found_and_named(borrower: Stage):
    """One repayment a day, and each day the file is wrong in another way; on the last day it is right."""
    stage = borrower
    async with stage.desk.work() as work:
        await day_end.start_days(work, work.today)
    loan_id = await stage.borrow()
    lies = {
        "missing_row": {"missing_at_rail"}, "extra_row": {"missing_here"}, "duplicate_row": {"duplicate_row"}, "wrong_amount": {"wrong_amount"},
        "wrong_status": {"wrong_state"}, "wrong_date": {"wrong_day"}, "partial_batch": set(), "": set(),
    }  # fmt: skip
    stage.town.world.parts["rail"].keep(stage.folk.card_number(stage.n), 10_000_000)
    await stage.go_to(instant(date(2026, 9, 2), time(9)))
    for k, (lie, named) in enumerate(lies.items()):
        args = {"delta_fen": 7, "state": "returned" if lie == "wrong_status" else "", "days": 1, "k": 0, "later_s": 7200}
        stage.faults(*([Rule(f"lie-{k}", "rail.file", lie, 1_000_000, args=args)] if lie else []))
        day = date(2026, 9, 2 + k)
        await stage.step("repay", loan_id=loan_id, amount_fen=1_000, intent="prepay", payment_key=f"p-{k}")
        await stage.go_to(instant(day + timedelta(days=1), time(9)))
        found = await differences.differences(stage.desk, FINANCE)
        assert {(one["book"], one["business_date"], one["kind"]) for one in found} == {("rail", day.isoformat(), kind) for kind in named}, lie
        async with stage.desk.work() as work:
            assert await payments.is_reconciled(work, day=day), lie
        for one in found:
            about = differences.Explain("rail", one["business_date"], one["subject"], one["kind"], "planted", "closed")
            await differences.explain(stage.desk, FINANCE, about)
    assert await differences.differences(stage.desk, FINANCE) == []


async def test_a_callback_that_lies_is_not_believed(borrower: Stage):
    stage = borrower
    stage.faults(Rule("lie", "rail.callback", "wrong_status", 1_000_000, args={"state": "failed"}))
    told = await stage.accept()
    told = await stage.sign(await stage.read(str(told.show["table_sha256"])))
    loan_id = LoanId(str(told.show["loan_id"]))
    order = await stage.order(loan_id, Purpose.DISBURSE)
    await drain(stage.desk)
    async with stage.desk.work(HOUSE) as work:
        at = work.at
    await stage.town.world.scheduler.run_to(at + timedelta(minutes=1))
    stage.desk.clock.step_to(at + timedelta(minutes=1))
    data = {"order_id": order.payment_order_id, "rail_id": "r-1", "state": "failed", "done_fen": 0, "fee_fen": 0, "seq": 1, "code": "rail.bank-down"}
    callback = outbox.Callback("rail", f"{order.payment_order_id}-1", "rail.failed", order.payment_order_id, 1, at, data)
    async with stage.desk.work(HOUSE) as work:
        await outbox.receive(work, callback)
    await drain(stage.desk)
    assert (await stage.order(loan_id, Purpose.DISBURSE)).state is OrderState.PAID
    assert (await stage.loan(loan_id)).standing.value == "active"
    async with stage.desk.work() as work:
        assert {one["kind"] for one in await payments.open_breaks(work)} == {"callback_differs"}


@pytest.mark.parametrize("where", ["seal", "instruct", "ledger"])
async def test_a_process_that_dies_in_the_middle_leaves_all_or_nothing(borrower: Stage, monkeypatch: pytest.MonkeyPatch, where: str):
    """A fault once, at the worst moment of signing or booking; what was begun is brought to its end, once."""
    stage = borrower
    await own_all_joint(stage)
    deaths = iter([RuntimeError("the process died")])

    def once(real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **named: Any) -> Any:
            done = await real(*args, **named)
            if (death := next(deaths, None)) is not None:
                raise death
            return done

        return call

    if where == "seal":
        monkeypatch.setattr(agreements, "seal", once(agreements.seal))
    elif where == "instruct":
        monkeypatch.setattr(sign, "instruct", once(sign.instruct))
    else:
        monkeypatch.setattr(ledger, "disburse", once(ledger.disburse))
    told = await stage.accept()
    contract_sha256 = await stage.read(str(told.show["table_sha256"]))
    stage.card_before = stage.balance_of_card()
    await stage.sign(contract_sha256)
    await stage.pass_time(minutes=10)
    told = await stage.sign(contract_sha256)
    loan = await stage.loan(LoanId(str(told.show["loan_id"])))
    assert next(deaths, None) is None
    assert stage.balance_of_card() - stage.card_before == loan.principal_fen
    assert await stage.books_equal_the_rail()
