"""What a resident does with the lender beside borrowing: pay off after a windfall, ask for mercy, complain, dispute, take a consent back,
change a card, leave. Once a month a customer's life is looked at, and some of it leads to the phone.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from puhui_town.breaches import Breaches
from puhui_town.checks.pictures import Picture, draw
from puhui_town.people import papers
from puhui_town.people.line import Line
from puhui_town.people.lives import month_index
from puhui_town.people.mind import Debt, Mind, anger_on, say, was_late_in
from puhui_town.people.needs import CHINA
from puhui_town.people.townsfolk import Townsfolk
from puhui_town.people.walk import End, Outcome, Pause, Walk
from puhui_town.wire import PlatformReply, Timer, World

if TYPE_CHECKING:
    from puhui_town.people.resident import Residents

ORDER_ID = re.compile(rb"po-[0-9a-f]{3}-[0-9A-Za-z]{1,26}")
ASKS_AGAIN_H = 4.0
MARKS = frozenset("1234567")
EXPORTS_A_MONTH = 0.002
NUMBER_CHANGES_A_MONTH = 0.01
"""As the telco's records say of everybody (9.4)."""


class Errands:
    """The errands of all customers of a town."""

    def __init__(self, world: World, folk: Townsfolk, line: Line, residents: "Residents") -> None:
        self.world, self.folk, self.line, self.residents = world, folk, line, residents
        self._unknown = world.store.table("people.unknown-steps", bool)
        world.scheduler.handle("people.month", self._on_month)
        self._does: Mapping[str, Callable[[Walk], Awaitable[Outcome]]] = {
            "payoff": self._pay_off, "hardship": self._ask_mercy, "complain": self._complain, "dispute": self._dispute, "review": self._review,
            "withdraw": self._withdraw, "certificate": self._certificate, "mandate_off": self._mandate_off, "close": self._close,
            "change_card": self._change_card, "change_phone": self._change_phone, "export": self._export, "lost_phone": self._lost_phone,
            "ask": self._ask, "takeover": self._takeover,
        }  # fmt: skip

    async def run(self, walk: Walk) -> Outcome:
        """The one thing this walk is for. What the platform does not know ends it."""
        return await self._does[walk.errand](walk)

    # -- the month -----------------------------------------------------------------------------------------------------------

    def expect_month(self, n: int) -> None:
        """Look at a customer's life on one day of every month from now on."""
        if self.folk.mind(n).is_customer and self.world.scheduler.find(f"month|{n:08d}") is None:
            self._next_month(n, self.world.clock.now())

    def _next_month(self, n: int, after: datetime) -> None:
        local = after.astimezone(CHINA)
        first = date(local.year + local.month // 12, local.month % 12 + 1, 1)
        day = first + timedelta(days=int(28 * self.folk.chance(n, f"month|{first}")))
        minute = 15 * int(50 * self.folk.chance(n, f"hour|{first}"))
        at = datetime.combine(day, time(8), CHINA) + timedelta(minutes=minute)
        self.world.scheduler.at(at, f"month|{n:08d}", "people.month", {"n": n})

    def _on_month(self, timer: Timer) -> None:
        n, now = int(timer.args["n"]), self.world.clock.now()
        errand, facts = self._wrong_mark(n) or self._wants(n, now)
        if errand and str(n) not in self.residents.walks:
            person = self.folk.person(n)
            walk = Walk(n=n, errand=errand, k=month_index(now.astimezone(CHINA).date()), entry_pick=person.entry_habit, facts=facts)
            self.residents.begin(walk, now)
        if not self.folk.mind(n).is_closed:
            self._next_month(n, now)

    def _wrong_mark(self, n: int) -> tuple[str, dict[str, Any]] | None:
        """Whoever finds a month marked late in his file that he remembers to have paid on time objects, always: at the lender if he
        trusts him, else at the bureau.
        """
        bureau, mind = self.world.parts.get("bureau"), self.folk.mind(n)
        if bureau is None or not mind.debts:
            return None
        for account in bureau.accounts_of(f"n{n}"):
            for row in account["months"]:
                month, status = str(row.get("Month", ""))[:7], str(row.get("RpyStatus", ""))
                mark = f"{account['account']}|{month}"
                if status not in MARKS or mark in mind.disputed or len(month) != 7 or self._remembers_late(mind, month):
                    continue
                mind.disputed = [*mind.disputed, mark]
                self.folk.note(mind)
                claim = say("complaints", "disputes", self.folk.chance(n, mark))
                if self.folk.person(n).traits.trust > 0:
                    return "dispute", {"subject": f"{account['account']} {month}", "text": claim}
                bureau.open_dispute(person=f"n{n}", account=account["account"], month=month, claim=claim)
        return None

    def _remembers_late(self, mind: Mind, month: str) -> bool:
        first = date(int(month[:4]), int(month[5:7]), 1)
        last = date(first.year + first.month // 12, first.month % 12 + 1, 1) - timedelta(days=1)
        return any(was_late_in(debt, first.toordinal() - 1, last.toordinal()) for debt in mind.debts.values())

    def _wants(self, n: int, now: datetime) -> tuple[str, dict[str, Any]]:
        """The errand of this month, if life brings one; the heaviest first."""
        day, a = now.astimezone(CHINA).date(), self.folk.assumptions
        mind, life, month = self.folk.mind(n), self.folk.life(n), f"{day:%Y-%m}"

        def chance(name: str) -> float:
            return self.folk.chance(n, f"{month}|{name}")

        struck = [kind for _, kind in life.shocks_between(day - timedelta(days=30), day)]
        owing = [debt for debt in mind.open_debts if debt.paid_out_day]
        if chance("takeover") < a.number("fraud.takeover_per_month"):
            return "takeover", {}
        if anger_on(mind, day, a) >= a.number("contact.silent_at"):
            return "", {}
        if "phone_lost" in struck and mind.is_bound:
            return ("lost_phone" if chance("freeze") < 0.2 else "change_card"), {}
        if mind.owed_complaint:
            return "complain", {"text": mind.owed_complaint}
        late = next((debt for debt in owing if debt.late_since), None)
        if late is not None and not late.has_asked_hardship and life.in_hardship(day) and chance("mercy") < a.number("conduct.hardship_asks"):
            return "hardship", {"loan_id": late.loan_id, "text": say("complaints", "hardship", chance("words"))}
        if "windfall" in struck and owing and late is None and chance("prepay") < a.number("conduct.prepays_after_windfall"):
            return "payoff", {"loan_id": owing[0].loan_id}
        if chance("complain") < a.number("contact.complain_per_month"):
            return "complain", {"text": say("complaints", "texts", chance("words"))}
        return self._small_wishes(mind, owing, chance)

    def _small_wishes(self, mind: Mind, owing: list[Debt], chance: Callable[[str], float]) -> tuple[str, dict[str, Any]]:
        a = self.folk.assumptions
        over = next((debt for debt in mind.debts.values() if debt.paid_out_day and self._seems_settled(debt)), None)
        if over is not None and chance("certificate") < a.number("conduct.asks_certificate"):
            return "certificate", {"loan_id": over.loan_id}
        if over is not None and not owing and chance("close") < a.number("conduct.closes_after_settled"):
            return "close", {}
        if owing and chance("mandate") < a.number("conduct.switches_mandate_off") / 4:
            return "mandate_off", {"loan_id": owing[0].loan_id}
        if mind.consents and chance("withdraw") < a.number("conduct.withdraws_consent_per_month"):
            taken = [one for one in mind.consents if one.item in {"shopping", "wallet", "device", "social_insurance", "partner_events"}]
            if taken:
                return "withdraw", {"consent_id": taken[int(chance("which") * len(taken))].consent_id}
        if chance("number") < NUMBER_CHANGES_A_MONTH and self.folk.has_own_number(mind.n):
            return "change_phone", {}
        if chance("export") < EXPORTS_A_MONTH:
            return "export", {}
        wrong = any(debt.late_since for debt in owing)
        asks = a.number("contact.ask_when_wrong") if wrong else a.number("contact.ask_per_month")
        if "ask" not in self._unknown and chance("ask") < asks:
            return "ask", {"text": say("bot", "when_wrong" if wrong else "questions", chance("words"))}
        return "", {}

    def _seems_settled(self, debt: Debt) -> bool:
        return debt.is_over or debt.paid_back_fen > debt.paid_out_fen

    # -- the errands ------------------------------------------------------------------------------------------------------------

    async def _pay_off(self, walk: Walk) -> Outcome:
        """Ask what settling takes today, put the money there, and pay it with a code for this very order."""
        loan_id = str(walk.facts["loan_id"])
        day = self.world.clock.now().astimezone(CHINA).date()
        reply = await self.line.step(walk, "payoff", {"loan_id": loan_id, "day": day.isoformat()})
        if not reply.is_good:
            return self._over(walk, reply)
        amount = int((reply.body.get("show") or {})["amount_fen"])
        debtor = self.folk.debtor(walk.n, day)
        if amount <= 0 or debtor.purse.on(day) < amount / 100:
            return End("too-little-cash")
        self.folk.means_to_pay(walk.n, loan_id, amount)
        body: dict[str, Any] = {"loan_id": loan_id, "amount_fen": amount, "intent": "payoff", "payment_key": f"pk-{walk.session_id[3:]}"}
        reply = await self.line.step(walk, "repay", body)
        if reply.body.get("code") == "collect.code-needed":
            found = ORDER_ID.search(reply.raw)
            code = await self.residents.code(walk, "pay", self.folk.phone(walk.n), subject=found.group().decode() if found else loan_id)
            if not isinstance(code, str):
                return code
            reply = await self.line.step(walk, "repay", body | {"otp_id": walk.otp_id, "code": code})
        if reply.is_good:
            self.folk.over(walk.n, loan_id)
            return End("done")
        return self._over(walk, reply)

    async def _ask_mercy(self, walk: Walk) -> Outcome:
        """Ask for hardship help, with a picture that proves it."""
        loan_id = str(walk.facts["loan_id"])
        proof = await self.line.upload(walk, draw(Picture("proof", self.folk.person(walk.n).card_face)))
        body = {"loan_id": loan_id, "reason": walk.facts["text"]} | ({"proof_ref": proof} if proof else {})
        reply = await self.line.step(walk, "hardship", body)
        if reply.is_good:
            self.folk.asked_mercy(walk.n, loan_id)
        return self._over(walk, reply)

    async def _complain(self, walk: Walk) -> Outcome:
        reply = await self.line.step(walk, "complain", {"text": walk.facts["text"]})
        mind = self.folk.mind(walk.n)
        mind.owed_complaint = ""
        self.folk.note(mind)
        return self._over(walk, reply)

    async def _dispute(self, walk: Walk) -> Outcome:
        return self._over(walk, await self.line.step(walk, "dispute", {"subject": walk.facts["subject"], "text": walk.facts["text"]}))

    async def _review(self, walk: Walk) -> Outcome:
        return self._over(walk, await self.line.step(walk, "review_decision", {"decision_id": walk.facts["decision_id"]}))

    async def _withdraw(self, walk: Walk) -> Outcome:
        consent_id = str(walk.facts["consent_id"])
        reply = await self.line.step(walk, "withdraw_consent", {"consent_id": consent_id})
        if reply.is_good:
            breaches: Breaches = self.world.parts["breaches"]
            breaches.consent_withdrawn(person=f"n{walk.n}", consent_id=consent_id, at=self.world.clock.now())
            mind = self.folk.mind(walk.n)
            mind.consents = [one for one in mind.consents if one.consent_id != consent_id]
            self.folk.note(mind)
        return self._over(walk, reply)

    async def _certificate(self, walk: Walk) -> Outcome:
        reply = await self.line.step(walk, "certificate", {"kind": "settled", "loan_id": walk.facts["loan_id"]})
        sha256 = (reply.body.get("show") or {}).get("sha256")
        if sha256:
            await self.line.read(walk, f"documents/{sha256}")
        return self._over(walk, reply)

    async def _mandate_off(self, walk: Walk) -> Outcome:
        """Switch collecting by itself off, and on again: he only wanted to see that he could."""
        loan_id = walk.facts["loan_id"]
        reply = await self.line.step(walk, "mandate", {"loan_id": loan_id, "on": False})
        if reply.is_good:
            await self.line.step(walk, "mandate", {"loan_id": loan_id, "on": True})
        return self._over(walk, reply)

    async def _close(self, walk: Walk) -> Outcome:
        reply = await self.line.step(walk, "close_account", {})
        if reply.is_good:
            mind = self.folk.mind(walk.n)
            mind.is_closed = True
            self.folk.note(mind)
        return self._over(walk, reply)

    async def _change_card(self, walk: Walk) -> Outcome:
        """The card was lost with the phone: the bank gives another, and the lender is told."""
        mind = self.folk.mind(walk.n)
        fresh = max(mind.card, *mind.lost_cards, self.folk.person(walk.n).cards - 1) + 1 if mind.lost_cards else self.folk.person(walk.n).cards
        if fresh >= papers.CARDS_EACH:
            return End("no-more-cards")
        code = await self.residents.code(walk, "bind", self.folk.phone(walk.n))
        if not isinstance(code, str):
            return code
        self.folk.new_card(walk.n, fresh)
        body = {"card_number": papers.card_number(walk.n, fresh), "phone": self.folk.phone(walk.n), "otp_id": walk.otp_id, "code": code}
        reply = await self.line.step(walk, "change_card", body)
        if reply.is_good:
            self.folk.take_card(walk.n, fresh)
        return self._over(walk, reply)

    async def _change_phone(self, walk: Walk) -> Outcome:
        """A new number: the code goes there, and the face says that it is still he."""
        fresh = self.folk.new_number(walk.n)
        code = await self.residents.code(walk, "identity", fresh)
        if not isinstance(code, str):
            return code
        selfie = await self.line.upload(walk, self.residents.selfie(walk))
        body = {"phone": fresh, "otp_id": walk.otp_id, "code": code, "selfie_ref": selfie or ""}
        reply = await self.line.step(walk, "change_phone", body)
        if reply.is_good:
            mind = self.folk.mind(walk.n)
            mind.phone_given = mind.phones_had
            self.folk.note(mind)
        return self._over(walk, reply)

    async def _export(self, walk: Walk) -> Outcome:
        """His own data, to himself."""
        code = await self.residents.code(walk, "unmask", self.folk.phone(walk.n))
        if not isinstance(code, str):
            return code
        reply = await self.line.step(walk, "export", {"otp_id": walk.otp_id, "code": code})
        sha256 = (reply.body.get("show") or {}).get("sha256")
        if sha256:
            await self.line.read(walk, f"documents/{sha256}")
        return self._over(walk, reply)

    async def _lost_phone(self, walk: Walk) -> Outcome:
        reply = await self.line.step(walk, "freeze", {"reason": "lost_phone"})
        if reply.is_good:
            mind = self.folk.mind(walk.n)
            mind.is_closed = True
            self.folk.note(mind)
        return self._over(walk, reply)

    async def _ask(self, walk: Walk) -> Outcome:
        """Ask the service bot; where the lender has none, word gets round and nobody asks again."""
        reply = await self.line.step(walk, "ask", {"text": walk.facts["text"]})
        if reply.status == 404:
            self._unknown.put("ask", True)
        return self._over(walk, reply)

    async def _takeover(self, walk: Walk) -> Outcome:
        """A stranger with the victim's number tries a card of his own and asks for money within the hour."""
        reply = await self.line.step(walk, "apply", {"amount_fen": 1_000_000, "months": 12, "purpose": "daily"})
        return End("takeover-in" if reply.is_good else "takeover-refused")

    def _over(self, walk: Walk, reply: PlatformReply) -> Outcome:
        """An errand is done, or refused for good, or asked again later."""
        if reply.is_good:
            return End("done")
        if reply.status == 401:
            return self.residents.again_from_start(walk)
        if reply.status in {429, 503} or reply.body.get("retry") == "later":
            return Pause(ASKS_AGAIN_H * 3600, "enter") if walk.stumbles < 1 and walk.stages < 12 else End(str(reply.body.get("code", reply.status)))
        return End(str(reply.body.get("code", reply.status)))
