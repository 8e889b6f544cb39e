"""The numbered invariants of the house, tried over the whole database: what must hold between all rooms, whatever happened and whoever died.

Each has a number that never changes, a sentence, and a check that names what breaks it. They are tried at a moment when nothing is under way;
`verify invariants` runs them, and a chaos run runs them after every kill.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from puhui.engines import law
from puhui.foundation import sql
from puhui.foundation.desk import AWAY, Desk
from puhui.foundation.refusals import Refusal
from puhui.foundation.sql import Row
from puhui.foundation.work import Work
from puhui.journeys.contact import limits_on
from puhui.journeys.look_again import look_again_page
from puhui.rooms import agreements, boards, channels, contacts, customers, decisions, ledger, staff
from puhui.rooms.agreements import CostTable
from puhui.vocabulary.ids import CustomerId

SQL = sql.load(__file__)
PAGE = 500
SHOWN = 20
LYING = timedelta(minutes=10)
LATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class House:
    """What a check may ask: one Work, the desk it belongs to, and what other checks of the same run have found out (`kept`)."""

    desk: Desk
    work: Work
    kept: dict[str, list[ledger.Failed]] = field(default_factory=dict)


Found = Sequence[Mapping[str, Any]]
Check = Callable[[House], Awaitable[Found]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that always holds. `check` gives what breaks it; nothing is good."""

    number: int
    sentence: str
    check: Check

    @property
    def name(self) -> str:
        return f"I{self.number:02d}"


async def run(desk: Desk) -> dict[str, Any]:
    """Try every invariant; give how many were tried, and for each that fails its number, its sentence, how often, and the first twenty places."""
    failed: list[dict[str, Any]] = []
    kept: dict[str, list[ledger.Failed]] = {}
    for invariant in INVARIANTS:
        async with desk.work(durable=False) as work:
            failed += await broken(House(desk, work, kept), invariant)
    return {"checked": len(INVARIANTS), "failed": failed}


async def broken(house: House, invariant: Invariant) -> list[dict[str, Any]]:
    """Try one invariant; nothing is good. A check that stumbles over what it reads has found something too."""
    try:
        found = await invariant.check(house)
    except AWAY:
        raise
    except Exception as error:  # noqa: BLE001  (whatever cannot be read is broken, and the other invariants are still to be tried)
        found = [{"stumbled": f"{type(error).__name__}: {error}"[:200]}]
    if not found:
        return []
    where = [{name: str(value) for name, value in row.items()} for row in found[:SHOWN]]
    return [{"invariant": invariant.name, "sentence": invariant.sentence, "count": len(found), "where": where}]


# -- how checks are made -----------------------------------------------------------------------------------------------------------------------


def none_of(statement: str, given: Callable[[Work], Mapping[str, object]] = lambda _work: {}) -> Check:
    """Make a check of a named statement that gives what is wrong."""

    async def check(house: House) -> Found:
        rows: Sequence[Row] = await getattr(SQL, statement).rows(house.work, **given(house.work))
        return [dict(row) for row in rows]

    return check


def of_ledger(name: str) -> Check:
    """Make a check of one of the ledger's own."""

    async def check(house: House) -> Found:
        return [failed.facts for failed in await _ledger(house) if failed.name == name]

    return check


async def _ledger(house: House) -> list[ledger.Failed]:
    """Try the ledger's own invariants, once for all that ask in the same run: they fold every loan."""
    if "ledger" not in house.kept:
        house.kept["ledger"] = [failed for attempt in ledger.CHECKS for failed in await _attempt(house.work, attempt)]
    return house.kept["ledger"]


async def _attempt(work: Work, attempt: Callable[[Work], Awaitable[list[ledger.Failed]]]) -> list[ledger.Failed]:
    """Try one of the ledger's invariants; where its engine refuses what it reads, that is named as broken."""
    try:
        return await attempt(work)
    except (AssertionError, Refusal) as error:
        return [ledger.Failed(f"ledger.{attempt.__name__.strip('_').replace('_', '-')}", {"stumbled": str(error)[:200]})]


def _before(work: Work) -> Mapping[str, object]:
    return {"before": work.at - LYING}


def _quiet(work: Work) -> Mapping[str, object]:
    limits = limits_on(work.today)
    return {"quiet_from": limits.quiet_from, "quiet_until": limits.quiet_until}


def _cap(work: Work) -> Mapping[str, object]:
    return {"law_cap_fen": law.shipped().ask(law.LenderRules, on=work.today).per_person_cap_fen}


# -- checks that think -------------------------------------------------------------------------------------------------------------------------


async def twin_agrees(house: House) -> Found:
    return [failed.facts for failed in await ledger.check_twin(house.work)]


async def held_adds_up(house: House) -> Found:
    return [{"what": line} for line in await decisions.check(house.work)]


async def decisions_replay(house: House) -> Found:
    """Run every decision again from its stored bytes, and its variables from the event log."""
    wrong: list[dict[str, Any]] = []
    looked, after = await look_again_page(house.work)
    while True:
        wrong += [{"decision_id": one.replayed.decision_id, "difference": one.replayed.difference} for one in looked if not one.is_equal]
        if after is None:
            return wrong
        looked, after = await look_again_page(house.work, after)


async def too_many_contacts(house: House) -> Found:
    limits = limits_on(house.work.today)
    return await contacts.gate_breaches(house.work, limits.attempts_per_day_max)


async def audit_is_whole(house: House) -> Found:
    return [{"seq": seq} for seq in await staff.check_audit(house.work)]


async def boards_follow(house: House) -> Found:
    return [{"row": line} for line in await boards.differences(house.work)]


async def purchases_add_up(house: House) -> Found:
    return [dict(row) for row in await channels.purchase_faults(house.work)]


async def consents_have_receipts(house: House) -> Found:
    """Write every consent's receipt again and compare its hash."""
    wrong: list[dict[str, Any]] = []
    after = ""
    while rows := await SQL.people_with_consents.rows(house.work, after=after, most=PAGE):
        for row in rows:
            for consent in await customers.consents_of(house.work, row["customer_id"]):
                if hashlib.sha256(customers.receipt_of(consent)).hexdigest() != consent.sha256:
                    wrong.append({"customer_id": consent.customer_id, "consent_id": consent.consent_id})
        after = rows[-1]["customer_id"]
    return wrong


async def costs_as_signed(house: House) -> Found:
    """Read every signed table: its bytes are its hash's, its terms and charges are the loan's, its all-in rate is under the cap of the day."""
    wrong: list[dict[str, Any]] = []
    after = ""
    while rows := await SQL.loans_to_read.rows(house.work, after=after, most=PAGE):
        for row in rows:
            if why := await _unlike_table(house.work, row):
                wrong.append({"loan_id": row["loan_id"], "why": why})
        after = rows[-1]["loan_id"]
    return wrong


async def _unlike_table(work: Work, row: Row) -> str:
    customer_id = CustomerId(row["customer_id"])
    for name in ("table_sha256", "contract_sha256"):
        content = await agreements.find_document(work, customer_id=customer_id, sha256=row[name])
        if content is None or hashlib.sha256(content).hexdigest() != row[name]:
            return f"the bytes of {name}"
    table = await agreements.table_of(work, customer_id=customer_id, table_sha256=row["table_sha256"])
    terms = table.terms
    on_books = tuple(row[name] for name in ("principal_fen", "rate_ppm", "months", "convention", "method"))
    if on_books != (terms.principal_fen, terms.rate_ppm, terms.months, terms.convention, terms.method):
        return "its terms"
    if table.convention_sha256 != row["convention_sha256"]:
        return "its convention"
    allowed = [tuple(one.values()) for one in await SQL.charges_of_loan.rows(work, customer_id=customer_id, loan_id=row["loan_id"])]
    if allowed != _charges_of(table):
        return "its charges"
    return "its all-in rate" if table.all_in_ppm > _hard_cap_ppm(row["opened_on"]) else ""


def _charges_of(table: CostTable) -> list[tuple[str, str, int]]:
    sums: dict[tuple[str, str], int] = {}
    for one in table.charges:
        sums[one.code, one.payee] = sums.get((one.code, one.payee), 0) + one.amount_fen
    return [(code, payee, fen) for (code, payee), fen in sorted(sums.items())]


def _hard_cap_ppm(on: date) -> int:
    return law.shipped().ask(law.CapRules, on=on).hard_cap_ppm


async def flows_are_wired(house: House) -> Found:
    """Every living flow stands at a step that somebody answers."""
    if not house.desk.wiring.steps:
        return []
    return [dict(row) for row in await SQL.living_flows.rows(house.work) if row["name"] not in house.desk.wiring.steps]


INVARIANTS: tuple[Invariant, ...] = (
    # the books
    Invariant(1, "Every posting's debits equal its credits.", of_ledger("ledger.postings-balance")),
    Invariant(2, "All accounts together sum to zero.", of_ledger("ledger.sum-is-zero")),
    Invariant(3, "Every line stands on an account of the chart.", of_ledger("ledger.accounts-are-known")),
    Invariant(4, "The events of a loan are numbered without a gap.", of_ledger("ledger.events-have-no-gaps")),
    Invariant(5, "The legs of a loan are the whole loan.", of_ledger("ledger.legs-are-whole")),
    Invariant(6, "Nothing is charged that the cost table does not name.", of_ledger("ledger.only-the-cost-table-is-charged")),
    Invariant(7, "Closed days follow one another.", of_ledger("ledger.day-ends-follow")),
    Invariant(8, "Nothing is posted into a closed month.", of_ledger("ledger.closed-months-stay")),
    Invariant(9, "A loan's row equals the fold of its events.", of_ledger("ledger.rows-equal-the-fold")),
    Invariant(10, "What the funders got by each event adds up to what the fold gives them.", of_ledger("ledger.leg-parts-add-up")),
    Invariant(11, "The balances of the loan accounts equal the sum of the loans.", of_ledger("ledger.books-equal-the-loans")),
    Invariant(12, "The slow twin tells every loan to the same fen.", twin_agrees),
    Invariant(13, "Parts and credit on a receipt make up the payment.", none_of("receipts_not_whole")),
    # money once
    Invariant(14, "The end of every payment order is booked exactly once.", none_of("orders_not_booked_once")),
    Invariant(15, "Every payment that was made stands in the books with its sum.", none_of("money_not_in_books")),
    Invariant(16, "Every entry of money has a payment behind it.", none_of("books_without_money")),
    Invariant(17, "What came back at the rail was taken back in the books.", none_of("returns_not_in_books")),
    Invariant(18, "The cash of our accounts is what opening, orders and received money make of it.", none_of("cash_unlike_orders")),
    Invariant(19, "A loan is paid out once.", none_of("paid_out_twice")),
    Invariant(20, "No collect is above its mandate or after its end.", none_of("collects_over_mandate")),
    Invariant(21, "A settlement counted as paid was paid, to the fen.", none_of("settlements_unpaid")),
    # what a person owes, and was offered
    Invariant(22, "A person's exposure is what the ledger says he owes.", none_of("exposures_unlike_ledger")),
    Invariant(23, "Owed and held stay under the cap of the law and of the day.", none_of("exposures_over_cap", _cap)),
    Invariant(24, "What is held for a person is the sum of his holds.", held_adds_up),
    Invariant(25, "Exposure is held for a loan under way, and used for one on the books.", none_of("holds_astray")),
    Invariant(26, "A loan lies within the offer that was taken.", none_of("loans_beside_their_offer")),
    Invariant(27, "No application is answered without a decision record.", none_of("applications_without_decision")),
    Invariant(28, "Every decision, run again from its stored bytes and from the event log, is the same to the byte.", decisions_replay),
    # what was allowed
    Invariant(29, "Every fetch of records had a live consent for that source.", none_of("fetches_without_consent")),
    Invariant(30, "Every bureau query had a live consent.", none_of("queries_without_consent")),
    Invariant(31, "Every check of identity, face or card had a live consent.", none_of("checks_without_consent")),
    Invariant(32, "Every consent's receipt gives its hash again.", consents_have_receipts),
    Invariant(33, "A partner was told only what a live consent names.", none_of("partners_told_without_consent")),
    Invariant(34, "The log of events holds nothing that looks like an id number, a phone or a card.", none_of("personal_in_events")),
    # contact, bureau
    Invariant(35, "Nobody was contacted more often in a day than the rules allow.", too_many_contacts),
    Invariant(36, "Nobody was reminded or collected from in the quiet hours.", none_of("contacts_at_night", _quiet)),
    Invariant(37, "Nobody was contacted for a purpose he had said no to.", none_of("contacts_after_no")),
    Invariant(38, "No message left that the gate had not allowed.", none_of("messages_past_the_gate")),
    Invariant(39, "No bad mark left before its person was told.", none_of("bad_marks_before_notice")),
    Invariant(40, "Every loan was opened at the bureau once.", none_of("loans_not_reported")),
    # what was signed
    Invariant(41, "Every loan has the signed contract of its hash, signed before its money was ordered.", none_of("loans_without_signature")),
    Invariant(42, "Nobody confirmed a cost table before its reading time.", none_of("read_too_fast")),
    Invariant(43, "Signed bytes give their hash; terms and charges are the loan's; the all-in rate is under the cap.", costs_as_signed),
    Invariant(44, "Every loan has its evidence pack, and a person's packs are a chain.", none_of("packs_out_of_chain")),
    Invariant(45, "The legs of a loan are those that funding fixed.", none_of("legs_unlike_funding")),
    Invariant(46, "Every funder's leg was held and used.", none_of("legs_without_hold")),
    # shops
    Invariant(47, "A purchase's figures are those of its lines and refunds.", purchases_add_up),
    Invariant(48, "A purchase was paid by a loan of its price, to its shop.", none_of("purchases_unlike_loans")),
    Invariant(49, "A shop's refund is a payment from the shop.", none_of("shop_refunds_unlike_orders")),
    # nothing left lying
    Invariant(50, "Every event is answered.", none_of("events_left_lying", _before)),
    Invariant(51, "No event was set aside.", none_of("events_set_aside")),
    Invariant(52, "Every callback is read.", none_of("callbacks_left_lying", _before)),
    Invariant(53, "Every living flow stands at a step that somebody answers.", flows_are_wired),
    Invariant(54, "No flow has been due for an hour.", none_of("flows_late", lambda work: {"late": work.at - LATE})),
    Invariant(55, "A flow lives for every payment order that has not ended.", none_of("orders_without_flow")),
    Invariant(56, "A flow lives for every loan that is to be collected.", none_of("loans_nobody_collects", lambda work: {"today": work.today})),
    Invariant(57, "A flow lives for every application that waits.", none_of("applications_nobody_decides")),
    Invariant(58, "A flow lives for every hold and every loan half way.", none_of("holds_nobody_minds")),
    Invariant(59, "A flow lives for every message that waits.", none_of("messages_nobody_sends")),
    Invariant(60, "A flow lives for every partner that is still to be told.", none_of("partners_nobody_tells")),
    Invariant(61, "A flow lives for every bureau batch that is not checked.", none_of("batches_nobody_sends")),
    # who did what, and what is shown
    Invariant(62, "The audit is one unbroken chain.", audit_is_whole),
    Invariant(63, "The boards equal a fresh fold of the log.", boards_follow),
    # added later
    Invariant(64, "What is kept of a closed day is what was posted on it.", of_ledger("ledger.day-balances-add-up")),
)
