"""Corruptions planted one by one in a house in good order: each is found, and named by its number."""

from dataclasses import dataclass
from datetime import date

from whole_loop import Loop, Resident, whole_loop

from puhui.foundation.days import business_date
from puhui.foundation.desk import Desk
from puhui.foundation.work import HOUSE, Work
from puhui.journeys import contact
from puhui.proofs import crowd, invariants
from puhui.proofs.invariants import INVARIANTS, House, broken
from puhui.rooms import contacts, customers, staff


@dataclass(frozen=True)
class Planted:
    """A corruption, and the invariants of which at least these must find it."""

    what: str
    sql: str
    found_by: frozenset[str]


def planted(what: str, sql: str, *found_by: str) -> Planted:
    return Planted(what, sql, frozenset(found_by))


FREELY = """
set local session_replication_role = replica;
do $$ declare one record; begin
    for one in select conrelid::regclass as of, conname from pg_constraint where contype = 'c' and conrelid <> 0 loop
        execute format('alter table %s drop constraint %I', one.of, one.conname);
    end loop;
end $$"""
"""The tables refuse most of this by themselves; here their checks and triggers look away until the corruption is taken back."""
TOUCHED = "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) from pg_stat_xact_user_tables"
CORRUPTIONS = (
    planted("a fen taken out of a posting", "update ledger.postings set amounts_fen[1] = amounts_fen[1] + 1 where kind = 'disbursed'", "I01", "I02", "I18"),
    planted("a posting forgotten", "delete from ledger.postings where kind = 'paid'", "I11", "I18"),
    planted("an account nobody knows", "update ledger.postings set accounts[1] = 'loans.secret' where kind = 'disbursed'", "I03"),
    planted("an event of a loan lost", "delete from ledger.loan_events where kind = 'paid' and no = 2", "I04", "I15"),
    planted("a leg too large", "update ledger.legs set share_ppm = share_ppm - 1", "I05", "I45"),
    planted("debt forgiven in the row", "update ledger.loans set principal_owed_fen = principal_owed_fen - 1000", "I09", "I22"),
    planted("a payment on the receipt that was not", "update ledger.loan_events set receipt = jsonb_set(receipt, '{credit_fen}', '777') where kind = 'paid'", "I13"),
    planted("a payment booked nowhere", "delete from payments.booked where kind = 'paid'", "I14"),
    planted("an order said to be paid that was not", "update payments.orders set state = 'failed' where purpose = 'disburse'", "I14", "I16", "I18"),
    planted("another sum at the rail", "update payments.orders set done_fen = done_fen - 1 where purpose <> 'disburse'", "I15", "I18"),
    planted("a collect over the mandate", "update payments.mandates set max_each_fen = 1", "I20"),
    planted("exposure forgotten", "update decisions.exposures set owed_fen = 0", "I22"),
    planted("exposure over the cap", "update decisions.exposures set owed_fen = 99999999999", "I23"),
    planted("a hold counted twice", "update decisions.exposures set held_fen = held_fen + 100", "I24"),
    planted("a loan above its offer", "update decisions.offers set amount_max_fen = amount_min_fen", "I26"),
    planted("a decision without a record", "delete from decisions.records", "I27"),
    planted("a decision rewritten", "update decisions.records set points = points + 1", "I28"),
    planted("a decision's inputs under another hash", "update decisions.records set inputs_sha256 = repeat('0', 64)", "I28"),
    planted("a source asked without consent", "update histories.fetches set consent_id = 'co-000-none'", "I29"),
    planted("a consent withdrawn before the bureau was asked", "update customers.consents set withdrawn_at = given_at - interval '1 minute' where item = 'bureau'", "I30"),
    planted("a face looked at without consent", "delete from customers.consents where item = 'face'", "I31"),
    planted("a consent's words changed", "update customers.consents set recipient = 'another' where item = 'identity'", "I32"),
    planted("a phone in the log", "update foundation.events set body = body || '{\"note\": \"12000000001\"}' where seq = 1", "I34"),
    planted("a reminder at night", "update contacts.attempts set at = date_trunc('day', at) + interval '19 hours', purpose = 'reminder'", "I36"),
    planted("a message past the gate", "delete from contacts.attempts", "I38"),
    planted("a day's balance changed afterwards", "update ledger.day_balances set debit_fen = debit_fen + 1", "I64"),
    planted("a loan never reported", "delete from bureau.records where record_type = '110'", "I40"),
    planted("a bad mark nobody was told of", "update bureau.records set is_bad = true, state = 'accepted'", "I39"),
    planted("a contract signed after the money", "update agreements.tables set signed_at = signed_at + interval '1 year'", "I41"),
    planted("a contract of another hash", "update ledger.loans set contract_sha256 = repeat('a', 64)", "I41"),
    planted("a table confirmed unread", "update agreements.tables set confirmed_at = opened_at", "I42"),
    planted("another rate than was signed", "update ledger.loans set rate_ppm = rate_ppm + 1", "I43"),
    planted("a charge nobody signed", "insert into ledger.charges_allowed select customer_id, loan_id, 'x', 'lender', 5 from ledger.loans", "I43"),
    planted("an evidence pack taken out", "delete from agreements.packs", "I44"),
    planted("an event left lying", "update foundation.events set answered_at = null where seq = 1", "I50"),
    planted("an event set aside", "insert into foundation.parked_events select seq, 'x', at from foundation.events limit 1", "I51"),
    planted("a callback unread", "update foundation.callbacks set read_at = null", "I52"),
    planted("a flow that nobody answers", "update foundation.flows set step = 'nowhere' where ended_at is null", "I53"),
    planted("a flow long due", "update foundation.flows set due = due - interval '400 days' where ended_at is null", "I54"),
    planted("an order under way without a flow", "update payments.orders set state = 'sent' where purpose = 'disburse'", "I55"),
    planted("a loan nobody collects", "update foundation.flows set ended_at = now() where kind = 'collect'", "I56"),
    planted("an application nobody decides", "update decisions.applications set state = 'waiting'", "I57"),
    planted("a message nobody sends", "update contacts.message_orders set state = 'waiting'", "I59"),
    planted("a batch nobody sends", "update bureau.batches set state = 'made'", "I61"),
    planted("a line of the audit rewritten", "update staff.audit set actor = 'nobody'", "I62"),
    planted("a board painted over", "update boards.loans set repaid_fen = repaid_fen + 1", "I63"),
)


async def lived_in(loop: Loop) -> None:
    """A month of one borrower: applied, paid, collected, reported; and one look by staff."""
    for n in range(1, 24):
        resident = Resident(loop, n)
        await resident.settle_in()
        if await resident.apply() == "offered":
            break
    await resident.borrow()
    loop.town.world.parts["rail"].keep(loop.folk.card_number(resident.n), 5_000_000)
    async with loop.desk.work(HOUSE) as work:
        (row,) = await work.connection.fetch("select customer_id, loan_id from ledger.loans")
        wish = contact.Wish("case.answer", contacts.Purpose.SERVICE, row["loan_id"], {"kind": "proof"})
        await contact.tell(work, customer_id=row["customer_id"], parent=row["loan_id"], verb="proof", wish=wish)
        await staff.add_account(work, staff.CONSOLE, login="looker", name="看", roles=frozenset({staff.Role.AUDITOR}), given_password="quite a long one 99")
    await loop.pass_time(days=32)


async def found(desk: Desk, corruption: Planted) -> frozenset[str]:
    """Plant, try the invariants that must find it, take it back."""
    connection = await desk.writing.take()
    try:
        await connection.execute(FREELY)
        before = await connection.fetchval(TOUCHED)
        await connection.execute(corruption.sql)
        assert await connection.fetchval(TOUCHED) > before, f"{corruption.what}: nothing was planted"
        at = desk.clock.now()
        house = House(desk, Work(connection, at, business_date(at), HOUSE, desk.clock, desk.keys))
        tried = [await broken(house, one) for one in INVARIANTS if one.name in corruption.found_by]
    finally:
        await connection.execute("rollback and chain")
        desk.writing.give_back(connection)
    return frozenset(one["invariant"] for lines in tried for one in lines)


async def test_every_planted_corruption_is_found_and_named(desk: Desk):
    async with whole_loop(desk) as loop:
        await lived_in(loop)
        told = await invariants.run(desk)
        assert (told["checked"], told["failed"]) == (len(INVARIANTS), [])
        missed = {}
        for corruption in CORRUPTIONS:
            if left := corruption.found_by - await found(desk, corruption):
                missed[corruption.what] = sorted(left)
        assert missed == {}
        assert (await invariants.run(desk))["failed"] == [], "every corruption was taken back"
        size = await crowd.multiply(desk, loans=5)
        assert (size.copies, size.loans) == (4, 5)
        assert (await invariants.run(desk))["failed"] == [], "a house that was multiplied is in the same good order"


def test_every_invariant_has_its_own_number_and_a_sentence():
    assert [one.number for one in INVARIANTS] == list(range(1, len(INVARIANTS) + 1))
    assert all(one.sentence.endswith(".") for one in INVARIANTS)
    assert len({one.sentence for one in INVARIANTS}) == len(INVARIANTS)


def test_people_of_a_crowd_have_names_and_id_numbers_of_their_own():
    numbers = [crowd.id_number(k) for k in range(0, 2_000_000, 997)]
    assert len(set(numbers)) == len(numbers)
    assert all(customers.id_number(number, today=date(2026, 9, 1)) for number in numbers[:50])
    assert {number[:2] for number in numbers} == {"79"}, "no province has this code"
