"""The people of one town: what its services may ask of them, what their banks know, and how they meet the lender's collects and calls.

`Townsfolk` is the `Population` of checks, bureau, sign and message, the `Cards` and the `Holder` of the rail. All of it is a function of
the seed, the population file and what the lender did.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Protocol, TypeVar

import msgspec

from puhui_town.checks.population import (
    BureauFile,
    Call,
    CallRecord,
    Card,
    Identity,
    OutsideAccount,
    OutsideQuery,
    PickUp,
    Place,
    RecordPage,
    Sms,
    SmsReaction,
    Turn,
    Utterance,
)
from puhui_town.people import papers
from puhui_town.people.assumptions import Assumptions, default_population, read_population
from puhui_town.people.debtor import Debtor
from puhui_town.people.lives import Life, live
from puhui_town.people.mind import Debt, Inbox, Mind, Text, anger_on, anger_up, reminder_on, say, sentences
from puhui_town.people.needs import Needs
from puhui_town.people.outside import CHINA, OutsideDebt, outside_debt
from puhui_town.people.person import Person, draw_person
from puhui_town.people.places import VERSION, gazetteer, office_of
from puhui_town.people.purse import Purse
from puhui_town.people.records import Records
from puhui_town.rail.books import Books
from puhui_town.wire import CardFacts, World, instant

T = TypeVar("T")
KEPT = 400
"""Residents whose records are kept ready; others are made again when asked."""
ANSWERED_OPT_OUT = 0.03
NIGHT = (22, 8)


class Settings(msgspec.Struct):
    """Who lives here."""

    seed: str
    count: int
    population: str = ""
    """Text of a population file, when it is not the town's own."""


class MoneyWatcher(Protocol):
    """Whoever takes the time of money that reaches residents (a bench)."""

    def money(self, n: int) -> None: ...


class Townsfolk:
    """All residents of a world. Numbers 0 .. count - 1 live here; those beyond are drawn when a bench asks for fresh people."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._settings = world.store.table("people.settings", Settings)
        if "now" not in self._settings:
            self._settings.put("now", Settings(str(world.config.seed), world.config.people))
        self.minds = world.store.table("people.minds", Mind)
        self.inboxes = world.store.table("people.inboxes", Inbox)
        self.contacts = world.store.table("people.contacts", dict)
        self.kept = KEPT
        self.watch: MoneyWatcher | None = None
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._records: OrderedDict[int, Records] = OrderedDict()
        self._debts: OrderedDict[int, OutsideDebt | None] = OrderedDict()
        self._debtors: OrderedDict[int, Debtor] = OrderedDict()
        self._needs: OrderedDict[int, Needs] = OrderedDict()
        self._load()

    def _load(self) -> None:
        settings = self.settings
        self.assumptions: Assumptions = read_population(settings.population) if settings.population else default_population()
        self.offset = papers.offset_of(settings.seed)
        for kept in (self._records, self._debts, self._debtors, self._needs):
            kept.clear()

    @property
    def settings(self) -> Settings:
        return self._settings["now"]

    @property
    def seed(self) -> str:
        return self.settings.seed

    @property
    def count(self) -> int:
        return self.settings.count

    def settle(self, settings: Settings) -> None:
        """Other people move in, or more of the same."""
        self._settings.put("now", settings)
        self._load()

    # -- whoever they are ---------------------------------------------------------------------------------------------

    def person(self, n: int) -> Person:
        own = None if self.assumptions is default_population() else self.assumptions
        return draw_person(self.seed, n, own)

    def life(self, n: int) -> Life:
        return live(self.person(n), self.assumptions)

    def mind(self, n: int) -> Mind:
        """What the run has made of a resident; `note` keeps a change."""
        return self.minds.get(str(n)) or Mind(n)

    def note(self, mind: Mind) -> None:
        self.minds.put(str(mind.n), mind)

    def needs(self, n: int) -> Needs:
        return _kept(self._needs, n, self.kept, lambda: Needs.of(self.life(n), self.assumptions))

    def records_of(self, n: int) -> Records:
        return _kept(self._records, n, self.kept, lambda: Records(self.life(n)))

    def debt_of(self, n: int) -> OutsideDebt | None:
        return _kept(self._debts, n, self.kept, lambda: outside_debt(self.life(n), self.assumptions))

    def debtor(self, n: int, today: date) -> Debtor:
        """The resident with his purse as of the last time anyone looked."""

        def opened() -> Debtor:
            mind, life = self.mind(n), self.life(n)
            if not mind.purse_day:
                return Debtor.of(life, today, self.assumptions)
            return Debtor(life, Purse(life, mind.purse_day, mind.purse_cash, self.assumptions), self.assumptions)

        return _kept(self._debtors, n, self.kept, opened)

    def chance(self, n: int, name: str) -> float:
        """A number in [0, 1) of a resident's contact stream, for something that has a name."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}|{n}|contact|{name}".encode()).digest()[:7], "big") / 2**56

    # -- Population: who ---------------------------------------------------------------------------------------------

    def person_by_id_number(self, id_number: str) -> Identity | None:
        n = self.n_of_id(id_number)
        return None if n is None else self.identity(f"n{n}")

    def n_of_id(self, id_number: str) -> int | None:
        if len(id_number) != 18:
            return None
        candidates = papers.residents_of_id(id_number, self.offset, self.count)
        return next((n for n in candidates if self.person(n).id_number == id_number), None)

    def identity(self, person: str) -> Identity:
        return self.identity_of(self._n(person))

    def identity_of(self, n: int) -> Identity:
        drawn = self.person(n)
        expires = date(2031 + drawn.n % 12, 1 + drawn.n % 12, 1 + drawn.n % 28) if drawn.n % 97 else date(2026, 11, 1 + drawn.n % 28)
        return Identity(
            person=drawn.key, name=drawn.name, id_number=drawn.id_number, issuer=office_of(drawn.home.address_code), id_expires=expires,
            home_place_code=drawn.home.place_code, face=drawn.face, card_number_face=drawn.card_face,
        )  # fmt: skip

    def _n(self, person: str) -> int:
        if not (person.startswith("n") and person[1:].isdigit()) or int(person[1:]) >= self.count:
            raise KeyError(person)
        return int(person[1:])

    def phone_of(self, person: str, as_of: datetime) -> str | None:
        del as_of
        return self.phone(self._n(person))

    def phone(self, n: int) -> str:
        """The number a resident goes by now: his own, or the one he shares."""
        drawn = self.person(n)
        owner = drawn.household.first if drawn.shares_phone else n
        return papers.phone_number(owner, self.offset, self.mind(owner).phone_given)

    def registrant_of(self, phone: str, as_of: datetime) -> str | None:
        del as_of
        found = papers.resident_of_phone(phone, self.offset)
        if found is None or found[0] >= self.count:
            return None
        n = found[0]
        if self.person(n).label == "ring":  # a rented card, in the name of someone who needed forty yuan
            return f"n{(n + 1) % self.count}"
        return f"n{n}"

    def users_of(self, phone: str, as_of: datetime) -> Sequence[str]:
        del as_of
        found = papers.resident_of_phone(phone, self.offset)
        if found is None:
            return ()
        n, generation = found
        if n >= self.count or generation > max(self.mind(n).phone_given, self.mind(n).phones_had):
            return ()
        home = self.person(n).household
        others = [k for k in range(home.first, home.first + home.adults) if k != n and k < self.count] if home.first == n else []
        return [f"n{n}", *(f"n{k}" for k in others if self.person(k).shares_phone)]

    # -- Population: what the checks read ---------------------------------------------------------------------------------

    def card(self, card_number: str, as_of: datetime) -> Card | None:
        del as_of
        found = papers.resident_of_card(card_number)
        if found is None or found[0] >= self.count:
            return None
        n, k = found
        mind = self.mind(n)
        if k >= self.person(n).cards and k not in mind.more_cards:
            return None
        return Card(card_number, f"n{n}", self.phone(n), usable=k not in mind.lost_cards)

    def card_number(self, n: int) -> str:
        """The card a resident uses with the lender."""
        return papers.card_number(n, self.mind(n).card)

    def card_facts(self, card_number: str, as_of: datetime) -> CardFacts | None:
        card = self.card(card_number, as_of)
        if card is None:
            return None
        person = self.person(self._n(card.holder))
        found = papers.resident_of_card(card_number)
        opening = int(person.buffer * 100) if found is not None and found[1] == 0 else 1_000
        return CardFacts(
            person=card.holder, name=person.name, id_number=person.id_number, phone=card.reserved_phone, bank_code=card_number[:6],
            opening_fen=opening, is_usable=card.usable,
        )  # fmt: skip

    def records(self, person: str, source: str, since: datetime, until: datetime, as_of: datetime, cursor: str | None) -> RecordPage | None:
        records = self.records_of(self._n(person))
        if not records.has(source):
            return None
        events, following = records.page_json(source, since, until, as_of, cursor)
        return RecordPage(events, following)

    def places(self) -> tuple[str, Sequence[Place]]:
        return VERSION, [Place(p.place_code, p.kind, p.name, p.tier) for p in gazetteer(self.assumptions).all]

    # -- Population: what the bureau reads ---------------------------------------------------------------------------------

    def bureau_file(self, person: str, as_of: datetime) -> BureauFile | None:
        debt = self.debt_of(self._n(person))
        if debt is None:
            return None
        accounts, inquiries = debt.as_of(as_of)
        return BureauFile(
            [
                OutsideAccount(
                    account=seen.account.account, kind=seen.account.kind, lender_kind=seen.account.lender_kind, opened=seen.account.opened,
                    credit_fen=seen.account.credit_fen, balance_fen=seen.balance_fen, statuses=seen.statuses, overdue_fen=seen.overdue_fen,
                    class_=seen.asset_class, closed=seen.closed,
                )
                for seen in accounts
            ],
            [OutsideQuery(one.at, one.reason, one.lender_kind) for one in inquiries],
        )  # fmt: skip

    # -- Population: what reaches people -------------------------------------------------------------------------------------

    def read_sms(self, sms: Sms) -> SmsReaction:
        users = self.users_of(sms.phone, sms.at)
        if not users:
            return SmsReaction(delivered=False, code="message.invalid-number")
        code = sms.params.get("code", "") if sms.purpose == "otp" else ""
        inbox = self.inboxes.get(sms.phone) or Inbox()
        inbox.add(Text(sms.message_id, instant(sms.at), sms.sender, sms.purpose, sms.text, code, sms.subject))
        self.inboxes.put(sms.phone, inbox)
        if code:
            waiting = self._waiting.pop(sms.subject, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(code)
            return SmsReaction()
        n = self._n(self._meant(users))
        if sms.purpose in {"reminder", "collection"}:
            self._reached(n, sms.at, sms.message_id, is_night=self._is_night(sms.at), of_family=False)
        elif sms.purpose == "marketing" and self.chance(n, sms.message_id) < ANSWERED_OPT_OUT:
            mind = self.mind(n)
            mind.has_opted_out = True
            self.note(mind)
            return SmsReaction(reply="TD", reply_after_s=600)
        return SmsReaction()

    def inbox(self, n: int) -> Inbox:
        return self.inboxes.get(self.phone(n)) or Inbox()

    async def code_for(self, phone: str, otp_id: str, patience_s: float) -> str | None:
        """The code that comes to a phone under this id; None if it does not come in `patience_s` real seconds."""
        code = (self.inboxes.get(phone) or Inbox()).code_of(otp_id)
        if code is not None:
            return code
        waiting = self._waiting.setdefault(otp_id, asyncio.get_running_loop().create_future())
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), patience_s)
        except TimeoutError:
            self._waiting.pop(otp_id, None)
            return None

    def pick_up(self, call: Call) -> PickUp:
        users = self.users_of(call.phone, call.at)
        if not users:
            return PickUp("nobody")
        n = self._n(self._meant(users))
        mind, u = self.mind(n), self.chance(n, call.call_id)
        if mind.answers:
            return PickUp("self", 5, say("calls", "opening_self", u)) if mind.answers == "self" else PickUp("nobody", ring_s=30)
        if anger_on(mind, call.at.date(), self.assumptions) >= self.assumptions.number("contact.silent_at"):
            return PickUp("nobody", ring_s=30)
        answers = self.assumptions.number("contact.answers_call") * (0.7 if self.person(n).is_bits and call.at.hour < 17 else 1.0)
        if u < answers:
            return PickUp("self", 4 + int(10 * u), say("calls", "opening_self", self.chance(n, call.call_id + "|opening")))
        if len(users) > 1 and u < answers + 0.2:
            return PickUp("other", 10, say("calls", "opening_other", self.chance(n, call.call_id + "|other")))
        return PickUp("voicemail" if u > 0.94 else "nobody", 25)

    def speak(self, call: Call, turns: Sequence[Turn]) -> Utterance:
        users = self.users_of(call.phone, call.at)
        n = self._n(self._meant(users)) if users else 0
        said = sum(turn.by == "person" for turn in turns)
        u = self.chance(n, f"{call.call_id}|{said}")
        if turns and turns[0].by == "person" and turns[0].text in sentences_of_others():
            return Utterance("我给他说一声。", hang_up=said >= 2)
        if said <= 1:
            return Utterance(say("calls", "it_is_me", u))
        if said == 2 and call.purpose in {"reminder", "collection"}:
            mind = self.mind(n)
            if anger_on(mind, call.at.date(), self.assumptions) > 1:
                return Utterance(say("calls", "angry", u), hang_up=u > 0.5)
            return Utterance(say("calls", "cannot_pay" if self.life(n).in_hardship(call.at.date()) else "will_pay", u))
        return Utterance(say("calls", "goodbye", u), hang_up=True)

    def call_over(self, record: CallRecord) -> None:
        if record.answered_by not in {"self", "other"}:
            return
        users = self.users_of(record.call.phone, record.call.at)
        if users and record.call.purpose in {"reminder", "collection"}:
            n = self._n(self._meant(users))
            self._reached(
                n, record.call.at, record.call.call_id, is_night=self._is_night(record.call.at), of_family=record.answered_by == "other"
            )  # fmt: skip

    def queried(self, person: str, reason: str, at: datetime) -> None:
        mind = self.mind(self._n(person))
        mind.was_asked_by = [*mind.was_asked_by[-19:], f"{instant(at)} {reason}"]
        self.note(mind)

    def _meant(self, users: Sequence[str]) -> str:
        """Whom a contact was meant for: the first user who owes something, else the owner."""
        return next((user for user in users if self.mind(self._n(user)).debts), users[0])

    def _is_night(self, at: datetime) -> bool:
        hour = at.astimezone(CHINA).hour
        return hour >= NIGHT[0] or hour < NIGHT[1]

    def _reached(self, n: int, at: datetime, subject: str, *, is_night: bool, of_family: bool) -> None:
        """A contact about a debt reached a resident: it reminds, the third of a day angers, and at night or through the family it hurts."""
        a, mind, day = self.assumptions, self.mind(n), at.astimezone(CHINA).date()
        before = reminder_on(mind, at, a)
        now_ms = int(at.timestamp() * 1000)
        today = sum(now_ms - ms < 86_400_000 for ms in mind.reminded_ms)
        mind.reminded_ms = [*[ms for ms in mind.reminded_ms if now_ms - ms < a.whole("contact.lasts_h") * 3_600_000], now_ms]
        if today >= 2:
            anger_up(mind, day, a.number("contact.later_anger"), a)
        if is_night or of_family:
            anger_up(mind, day, a.number("contact.bad_contact_anger"), a)
            if not mind.owed_complaint and self.chance(n, f"{subject}|complain") < a.number("contact.bad_contact_complaint"):
                mind.owed_complaint = say("complaints", "after_contact", self.chance(n, f"{subject}|words"))
        self.note(mind)
        self.contacts.put(
            subject, {"n": n, "at": instant(at), "logit_before": before, "logit_after": reminder_on(mind, at, a), "anger": mind.anger}
        )  # fmt: skip

    # -- Holder: what happens on the card ------------------------------------------------------------------------------------

    def before_collect(self, *, person: str, card_number: str, amount_fen: int, loan_id: str, order_id: str) -> None:
        del order_id
        n = self._n(person)
        now = self.world.clock.now()
        day, mind = now.astimezone(CHINA).date(), self.mind(n)
        debt = mind.debts.setdefault(loan_id, Debt(loan_id))
        debtor = self.debtor(n, day)
        today = day.toordinal()
        if debt.own_day != today:
            debt.late_since = debt.late_since or today
        if debt.part_day == today or self._is_done_with(n, debt):
            left = 0.0
        elif debt.own_day == today and debt.own_fen >= amount_fen:
            left = debt.own_fen / 100 + 0.005
        else:
            left = debtor.leaves(
                day, amount_fen / 100, today - debt.late_since, reminder=reminder_on(mind, now, self.assumptions) + self._lifted(debt),
                anger=anger_on(mind, day, self.assumptions), is_halved=debt.is_halved,
            )  # fmt: skip
        kept = int(left * 100)
        if debt.has_asked_hardship and debt.late_since and debt.asked_fen and amount_fen <= 0.6 * debt.asked_fen:
            debt.is_halved = True
        debt.asked_fen, debt.asked_day = amount_fen, today
        if 0 < kept < amount_fen:
            debt.part_day = today
        self._remember(mind, debtor)
        self.books.keep(card_number, kept)

    def _lifted(self, debt: Debt) -> float:
        """Help that was given in a hard time makes a person pay rather; in the middle of the logit a unit is the quarter of 9.6."""
        return 4 * self.assumptions.number("contact.hardship_lift") if debt.is_halved else 0.0

    def _is_done_with(self, n: int, debt: Debt) -> bool:
        """A ring pays a first installment in one case of ten, to look well, and nothing else."""
        if self.person(n).label != "ring":
            return False
        return bool(debt.paid_back_fen) or self.chance(n, f"{debt.loan_id}|first") >= self.assumptions.number("fraud.ring_first_installment")

    def moved(self, *, person: str, card_number: str, fen: int, loan_id: str, order_id: str) -> None:
        del card_number, order_id
        n, day = self._n(person), self.world.clock.now().astimezone(CHINA).date()
        mind = self.mind(n)
        debtor = self.debtor(n, day)
        debtor.purse.on(day)
        debt = mind.debts.setdefault(loan_id, Debt(loan_id))
        if fen > 0 and self.watch:
            self.watch.money(n)
        if fen > 0 and not debt.paid_out_day:  # the loan came, and goes for what it was wanted for
            debt.paid_out_fen, debt.paid_out_day = fen, day.toordinal()
        elif fen > 0:
            debtor.purse.move(fen / 100)
            debt.paid_back_fen -= min(fen, debt.paid_back_fen)
        else:
            debtor.purse.move(fen / 100)
            debt.paid_back_fen -= fen
            if debt.asked_day == day.toordinal() and -fen >= debt.asked_fen:
                if debt.late_since and debt.late_since < day.toordinal():
                    debt.late_spans = [*debt.late_spans, [debt.late_since, day.toordinal()]]
                debt.late_since = 0
        self._remember(mind, debtor)

    def means_to_pay(self, n: int, loan_id: str, fen: int) -> None:
        """The resident pays this sum today of his own will: it lies there when the lender takes it."""
        mind = self.mind(n)
        debt = mind.debts.setdefault(loan_id, Debt(loan_id))
        debt.own_fen, debt.own_day = fen, self.world.clock.now().astimezone(CHINA).date().toordinal()
        self.note(mind)

    def over(self, n: int, loan_id: str) -> None:
        """The resident holds a loan to be settled."""
        mind = self.mind(n)
        mind.debts.setdefault(loan_id, Debt(loan_id)).is_over = True
        self.note(mind)

    def asked_mercy(self, n: int, loan_id: str) -> None:
        mind = self.mind(n)
        mind.debts.setdefault(loan_id, Debt(loan_id)).has_asked_hardship = True
        self.note(mind)

    def new_number(self, n: int) -> str:
        """The resident takes another number; he still reads the old one."""
        mind = self.mind(n)
        mind.phones_had = mind.phone_given + 1
        self.note(mind)
        return papers.phone_number(n, self.offset, mind.phones_had)

    def has_own_number(self, n: int) -> bool:
        """Nobody shares the number, and there is another to take."""
        home = self.person(n).household
        alone = not any(self.person(k).shares_phone for k in range(home.first, home.first + home.adults))
        return alone and self.mind(n).phones_had < 4

    def new_card(self, n: int, k: int) -> None:
        """The bank gives the resident his k-th card."""
        mind = self.mind(n)
        mind.more_cards = [*mind.more_cards, k]
        self.note(mind)

    def take_card(self, n: int, k: int) -> None:
        """The resident uses his k-th card from now on; the one before is dead."""
        mind = self.mind(n)
        mind.lost_cards, mind.card = [*mind.lost_cards, mind.card], k
        self.note(mind)

    def _remember(self, mind: Mind, debtor: Debtor) -> None:
        mind.purse_day, mind.purse_cash = debtor.purse.day, debtor.purse.cash
        self.note(mind)

    @property
    def books(self) -> Books:
        books = self.world.parts["rail"]
        assert isinstance(books, Books)
        return books


def sentences_of_others() -> frozenset[str]:
    return frozenset(sentences()["calls"]["opening_other"])


def _kept(kept: "OrderedDict[int, T]", n: int, most: int, make: Callable[[], T]) -> T:
    """What is kept of resident n, made at need; the longest unused goes."""
    if n in kept:
        kept.move_to_end(n)
        return kept[n]
    made = kept[n] = make()
    if len(kept) > most:
        kept.popitem(last=False)
    return made
