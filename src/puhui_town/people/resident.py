"""The residents who act: needs come, an entry is opened, and the pages are walked to the money, or to where it ends.

Every act is a timer of the scheduler, so stepped, fast and live runs are the same. What a resident does depends only on the seed, his
number, and the platform's answers. A line that drops, a busy server, a refusal never stops the town.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from puhui_town.breaches import Breaches
from puhui_town.checks.pictures import Picture, Variant, draw
from puhui_town.entries.entry import Entry
from puhui_town.entries.service import Entries
from puhui_town.people import papers
from puhui_town.people.errands import Errands
from puhui_town.people.line import Line
from puhui_town.people.mind import Consented, Mind, anger_on
from puhui_town.people.needs import CHINA, Need
from puhui_town.people.person import Person, Phone
from puhui_town.people.townsfolk import Townsfolk
from puhui_town.people.walk import MOST_STAGES, Again, End, Go, Later, Outcome, Pause, Walk, session_id_of
from puhui_town.shops.shop import Shops, scenes
from puhui_town.wire import PlatformReply, Refused, Timer, Unanswered, World, to_ms

log = logging.getLogger("puhui_town.people")

IDENTITY_ITEMS = ("identity", "face", "financial_account")
LOAN_ITEMS = ("bureau", "telco", "utility", "shopping", "wallet", "bank_flow", "social_insurance", "device")
REFUSABLE = ("shopping", "wallet", "bank_flow", "social_insurance", "device")
CONSENT_DAYS = 700
CODE_PATIENCE_S = 3.0
STUMBLES_MAX = 4
STUMBLE_PAUSE_S = 300.0
TRIES_MAX = 2
BUYS_IN_SHOP = 0.25
WAITS_MAX = 200
ASKS_AGAIN = 0.3
"""After a no, the share of people who come back with the same need some days later."""
DAY_BEGINS, DAY_ENDS = time(6, 30), time(22, 30)
"""Between these a resident signs; in the night he sleeps."""


class Watcher(Protocol):
    """Whoever takes the time of what residents see (a bench)."""

    def tap(self, n: int) -> None: ...
    def answer(self, n: int) -> None: ...
    def sign(self, n: int) -> None: ...
    def end(self, n: int, why: str) -> None: ...


class Residents:
    """Everybody's needs, walks and errands."""

    def __init__(self, world: World, folk: Townsfolk) -> None:
        self.world, self.folk = world, folk
        self.line = Line(world)
        self.walks = world.store.table("people.walks", Walk)
        self.ended = world.store.table("people.ended", dict)
        self.watch: Watcher | None = None
        self.errands = Errands(world, folk, self.line, self)
        world.scheduler.handle("people.need", self._on_need)
        world.scheduler.handle("people.walk", self._on_walk, overlap=True)
        world.scheduler.handle("people.walk-alone", self._on_walk)
        self._stages: Mapping[str, Callable[[Walk], Awaitable[Outcome]]] = {
            "enter": self._enter, "login": self._login, "look": self._look, "consent": self._consent, "identity": self._identity,
            "bind": self._bind, "apply": self._apply, "proof": self._proof, "offer": self._offer, "accept": self._accept,
            "read": self._read, "confirm": self._confirm, "sign": self._sign, "errand": self.errands.run,
        }  # fmt: skip

    # -- needs --------------------------------------------------------------------------------------------------------------

    def expect_needs(self, first: int, until: int) -> None:
        """Set the timer of the next need of residents first .. until - 1, unless it is set."""
        for n in range(first, until):
            if self.world.scheduler.find(f"need|{n:08d}") is None:
                self._expect_need(n, self.world.clock.now())

    def _expect_need(self, n: int, after: datetime) -> None:
        need = self.folk.needs(n).next(after)
        if need is not None:
            self.world.scheduler.at(need.at, f"need|{n:08d}", "people.need", {"n": n, "k": need.k})

    def _on_need(self, timer: Timer) -> None:
        n = int(timer.args["n"])
        need = self.folk.needs(n).in_month(int(timer.args["k"]))
        now = self.world.clock.now()
        if need is not None and self._wants(n, now):
            self.begin(walk_of(n, need), now)
        self._expect_need(n, max(now, need.at) if need is not None else now)

    def _wants(self, n: int, now: datetime) -> bool:
        """A resident who is late, angry to silence, gone, or already on his way does not ask."""
        mind = self.folk.mind(n)
        silent = self.folk.assumptions.number("contact.silent_at")
        return not (
            mind.is_late or mind.is_closed or str(n) in self.walks or anger_on(mind, now.astimezone(CHINA).date(), self.folk.assumptions) >= silent
        )

    def begin(self, walk: Walk, at: datetime) -> None:
        """Start a walk at an instant."""
        walk.started_ms = to_ms(at)
        self.walks.put(str(walk.n), walk)
        self.world.scheduler.at(at, f"walk|{walk.n:08d}", "people.walk", {"n": walk.n})

    # -- walking ------------------------------------------------------------------------------------------------------------

    async def _on_walk(self, timer: Timer) -> None:
        n = int(timer.args["n"])
        walk = self.walks.get(str(n))
        if walk is None:
            return
        if walk.stage == "accept" and timer.handler == "people.walk":
            self._alone(n)
            return
        while True:
            outcome = await self._one_stage(walk)
            walk.stages += 1
            if walk.stages > MOST_STAGES * 5:
                outcome = End("in-circles")
            match outcome:
                case Go(stage):
                    walk.stage, walk.stumbles = stage, 0
                    self.walks.put(str(n), walk)
                    if stage == "accept" and timer.handler == "people.walk":
                        self._alone(n)
                        return
                    if timer.handler == "people.walk-alone" and stage != "accept":
                        self._go_on(walk, self.world.clock.now())
                        return
                case Pause(seconds, stage):
                    walk.stage = stage
                    self.walks.put(str(n), walk)
                    self._go_on(walk, awake(self.world.clock.later(seconds)) if stage in {"confirm", "sign"} else self.world.clock.later(seconds))
                    return
                case Later(why):
                    self._stumble(walk, why)
                    return
                case Again(why):
                    self._another_day(walk, why)
                    return
                case End(why):
                    self._over(walk, why)
                    return

    def _alone(self, n: int) -> None:
        """Accepting draws on what all share: of one instant, one after another by n, when all others have done what they do then."""
        self.world.scheduler.at(self.world.clock.now(), f"z-accept|{n:08d}", "people.walk-alone", {"n": n})

    def _go_on(self, walk: Walk, at: datetime) -> None:
        self.world.scheduler.at(at, f"walk|{walk.n:08d}", "people.walk", {"n": walk.n})

    async def _one_stage(self, walk: Walk) -> Outcome:
        try:
            return await self._stages[walk.stage](walk)
        except Unanswered:
            return Later("no-answer")
        except Refused as refused:
            if walk.stage == "enter" and refused.status in {401, 409} and walk.stages < 8:  # the pass is stale, or was for another visit
                walk.session_id = ""
                return Go("enter")
            if walk.stage == "enter":
                self.world.parts["entries"].ask_again()
            return Later(refused.code) if refused.retry == "later" or refused.status in {429, 503} else End(refused.code)
        except (KeyError, TypeError, ValueError) as error:  # an answer that is not as the contract says
            log.warning("a resident could not make sense of an answer at stage %s: %s", walk.stage, type(error).__name__)
            return Later("unreadable")

    def _stumble(self, walk: Walk, why: str) -> None:
        """Try the same stage again in some minutes; after some times, the whole on another day; then give it up."""
        walk.stumbles += 1
        if walk.stumbles <= STUMBLES_MAX:
            self.walks.put(str(walk.n), walk)
            self._go_on(walk, awake(self.world.clock.later(STUMBLE_PAUSE_S * walk.stumbles)))
        else:
            self._another_day(walk, why)

    def _another_day(self, walk: Walk, why: str) -> None:
        if walk.tries >= TRIES_MAX:
            self._over(walk, why)
            return
        low, high = self.folk.assumptions.numbers("need.tries_again_days")
        dice = self.folk.chance(walk.n, f"{walk.k}|{walk.errand}|again|{walk.tries}")
        fresh = Walk(
            n=walk.n, errand=walk.errand, k=walk.k, amount_fen=walk.amount_fen, months=walk.months, purpose=walk.purpose, dice=walk.dice,
            entry_pick=walk.entry_pick, tries=walk.tries + 1, facts=walk.facts,
        )  # fmt: skip
        self.begin(fresh, awake(self.world.clock.now() + timedelta(days=low + int((high - low) * dice))))

    def _over(self, walk: Walk, why: str) -> None:
        if self.watch:
            self.watch.end(walk.n, why)
        self.walks.drop(str(walk.n))
        self.ended.put(
            f"{walk.n:08d}|{walk.k:03d}|{walk.errand}|{walk.tries}",
            {"n": walk.n, "errand": walk.errand, "why": why, "entry": walk.entry_id, "loan_id": walk.loan_id, "stage": walk.stage},
        )
        self.errands.expect_month(walk.n)

    def _refused(self, walk: Walk, reply: PlatformReply) -> Outcome:
        """What a refusal means: later, a stage that is missing, or the end."""
        code = str(reply.body.get("code", reply.status))
        if reply.status == 401:  # the session is over: another one, and on from where the lender says we are
            return self.again_from_start(walk)
        if reply.status >= 500 and reply.status != 503 and walk.stumbles:
            return End("lender-fault")
        if reply.status >= 429 or reply.body.get("retry") == "later":
            return Later(code)
        if code in {"no-consent", "customers.no-consent", "permits.stale"} and walk.asked.get("consent", 0) < 3:
            return Go("consent")
        if code == "customers.not-identified" and walk.asked.get("identity", 0) < 2:
            return Go("identity")
        if reply.status == 409 and walk.stumbles < 2:
            return Go("look")
        return End(code)

    def again_from_start(self, walk: Walk) -> Outcome:
        walk.secret = walk.session_id = ""
        walk.asked = {}
        return Go("enter") if walk.stages < MOST_STAGES else End("session-over")

    def by_state(self, walk: Walk, body: Mapping[str, Any]) -> Outcome:
        """The next stage, from the state that the platform tells and what it says may come next."""
        show, following = body.get("show") or {}, body.get("next") or ()
        if walk.errand != "borrow":
            return Go("errand")
        match body.get("state"):
            case "new":
                return Go("consent")
            case "consented":
                return Go("identity")
            case "identified":
                return Go("bind" if "bind" in following and "apply" not in following else "apply")
            case "waiting":
                waits = walk.facts.get("waits", 0) + 1
                walk.facts["waits"] = waits
                return Pause(float(body.get("poll_s") or 60), "look") if waits < WAITS_MAX else Later("still-waiting")
            case "proof":
                walk.application_id = str(show.get("application_id", walk.application_id))
                walk.wanted = list(show.get("wanted") or walk.wanted)
                return Go("proof")
            case "offered":
                walk.application_id = str(show.get("application_id", walk.application_id))
                return Go("offer")
            case "accepted" | "reading":
                walk.table_sha256 = str(show.get("table_sha256", walk.table_sha256))
                walk.reading_time_s = int(show.get("reading_time_s", walk.reading_time_s))
                return Go("read")
            case "confirmed":
                walk.contract_sha256 = str(show.get("contract_sha256", walk.contract_sha256))
                return Go("sign")
            case "signed" | "paying":
                walk.loan_id = str(show.get("loan_id", walk.loan_id))
                return End("signed")
            case "declined" | "cancelled" | "active" | "settled":
                return Go("apply") if not walk.application_id else End(str(body.get("state")))
            case other:
                return End(str(other))

    # -- stages ---------------------------------------------------------------------------------------------------------------

    async def _enter(self, walk: Walk) -> Outcome:
        """Open the entry of habit, or another, on a telephone of one's own."""
        entries: Entries = self.world.parts["entries"]
        person, mind = self.folk.person(walk.n), self.folk.mind(walk.n)
        known = await entries.all()
        entry = known[int(walk.entry_pick * len(known)) % len(known)]
        if not walk.session_id:
            mind.sessions += 1
            self.folk.note(mind)
            walk.session_id = session_id_of(self.folk.seed, walk.n, mind.sessions)
            self.walks.put(str(walk.n), walk)
        phone_set = self._phone_set(walk, person, entry)
        walk.entry_id, walk.entry_owner, walk.device_id = entry.entry_id, entries.issuer(entry), phone_set.device_id
        walk.is_h5, walk.names_person = entry.kind == "h5", entry.kind in {"alipay_window", "wechat_account"}
        told = await entries.open_session(
            entry, session_id=walk.session_id, device=device_of(phone_set, walk.dice[4] if walk.dice else 0.5),
            phone=self.folk.phone(walk.n), sub=f"u-{papers.offset_of(self.folk.seed) % 9973}-{walk.n}", scene="", key=walk.session_id,
        )  # fmt: skip
        walk.secret = secret_of(str(told["page_url"]))
        return Go("look" if walk.names_person else "login")

    def _phone_set(self, walk: Walk, person: Person, entry: Entry) -> Phone:
        if walk.errand == "takeover":
            return Phone(f"dv-stranger-{walk.n}-{walk.k}", "android-14", "RM-9A", 4096, 412, 0.0)
        return person.phones[1 if len(person.phones) > 1 and entry.entry_id > "e40" else 0]

    async def _login(self, walk: Walk) -> Outcome:
        """Log in by a code; the same code goes on to serve when the lender wants the end of the id number, or the face, besides."""
        phone = self.folk.phone(walk.n)
        code = str(walk.facts.get("login_code", ""))
        if not code:
            read = await self.code(walk, "login", phone)
            if not isinstance(read, str):
                return read
            code = read
        body: dict[str, Any] = {"phone": phone, "otp_id": walk.otp_id, "code": code}
        if walk.id_tail or len(self.folk.users_of(phone, self.world.clock.now())) > 1:
            body["id_tail"] = self.folk.person(walk.n).id_number[-4:]
        if walk.face:
            body["selfie_ref"] = await self.line.upload(walk, self.selfie(walk)) or ""
        reply = await self.line.step(walk, "login", body)
        if not reply.is_good:
            walk.facts.pop("login_code", None)
            return self._refused(walk, reply)
        more = (reply.body.get("show") or {}).get("more", "")
        if (more == "id_tail" and not walk.id_tail) or (more == "face" and not walk.face):
            walk.id_tail, walk.face = walk.id_tail or more == "id_tail", walk.face or more == "face"
            walk.facts["login_code"] = code
            return Go("login")
        walk.facts.pop("login_code", None)
        if more:
            return End(f"login-{more}")
        return Go("look") if walk.errand == "borrow" else Go("errand")

    async def _look(self, walk: Walk) -> Outcome:
        """Read `home` and do what it says is next."""
        reply = await self.line.read(walk, "home")
        if reply.status == 401 and "login" not in walk.asked:
            return Go("login")
        if not reply.is_good:
            return self._refused(walk, reply)
        walk.facts["offers"] = reply.body.get("offers") or []
        if self.watch and reply.body.get("state") in {"offered", "declined", "proof"}:
            self.watch.answer(walk.n)
        return self.by_state(walk, reply.body)

    async def _consent(self, walk: Walk) -> Outcome:
        """Say yes to what a loan needs, each item by itself; some things a person may not want known."""
        mind, person = self.folk.mind(walk.n), self.folk.person(walk.n)
        until = self.world.clock.now().astimezone(CHINA).date() + timedelta(days=CONSENT_DAYS)
        shy = 0.03 if person.traits.trust > -1 else 0.12
        items = [i for i in LOAN_ITEMS if i not in REFUSABLE or self.folk.chance(walk.n, f"consent|{i}") >= shy]
        if "farm" in person.sources and self.folk.chance(walk.n, "consent|farm") < 0.7:
            items.append("farm")
        asked: list[dict[str, Any]] = [
            {"items": list(IDENTITY_ITEMS), "purpose": "identity", "until": until.isoformat()},
            {"items": items, "purpose": "loan", "until": until.isoformat()},
        ]
        if walk.is_h5 and self.folk.chance(walk.n, "consent|partner") < 0.8:
            asked.append({"items": ["partner_events"], "purpose": "partner", "recipient": walk.entry_owner, "until": until.isoformat()})
        reply = None
        for body in asked:
            told = await self.line.step(walk, "consent", body)
            if told.is_good:
                self._note_consents(mind, told.body, str(body["purpose"]), until)
            elif body["purpose"] != "partner":
                return self._refused(walk, told)
            reply = told if told.is_good else reply
        self.folk.note(mind)
        assert reply is not None
        following = self.by_state(walk, reply.body)
        return Go("identity") if following == Go("consent") else following

    def _note_consents(self, mind: Mind, body: Mapping[str, Any], purpose: str, until: Any) -> None:
        breaches: Breaches = self.world.parts["breaches"]
        for one in (body.get("show") or {}).get("consents") or ():
            consent_id, item = str(one["consent_id"]), str(one["item"])
            breaches.consent_given(person=f"n{mind.n}", consent_id=consent_id, items=[item], purpose=purpose, until=until)
            if all(old.consent_id != consent_id or old.item != item for old in mind.consents):
                mind.consents = [*mind.consents, Consented(consent_id, item, until)]

    async def _identity(self, walk: Walk) -> Outcome:
        """Show the card and the face: generated pictures, plain blocks."""
        person = self.folk.person(walk.n)
        front = await self.line.upload(walk, draw(Picture("id_front", person.card_face)))
        back = await self.line.upload(walk, draw(Picture("id_back", person.card_face)))
        selfie = await self.line.upload(walk, self.selfie(walk))
        if not (front and back and selfie):
            return Later("picture-refused")
        body = {
            "person": self.person_body(walk.n), "front_ref": front, "back_ref": back, "selfie_ref": selfie,
            "living_place_code": person.living.place_code,
        }  # fmt: skip
        reply = await self.line.step(walk, "identity", body)
        if not reply.is_good:
            return self._refused(walk, reply)
        mind = self.folk.mind(walk.n)
        mind.is_identified = mind.is_customer = True
        self.folk.note(mind)
        following = self.by_state(walk, reply.body)
        return Go("bind") if following == Go("identity") else following

    async def _bind(self, walk: Walk) -> Outcome:
        phone = self.folk.phone(walk.n)
        code = await self.code(walk, "bind", phone)
        if not isinstance(code, str):
            return code
        body = {"card_number": self.folk.card_number(walk.n), "phone": phone, "otp_id": walk.otp_id, "code": code}
        reply = await self.line.step(walk, "bind", body)
        if not reply.is_good:
            return self._refused(walk, reply)
        mind = self.folk.mind(walk.n)
        mind.is_bound = True
        self.folk.note(mind)
        following = self.by_state(walk, reply.body)
        return Go("apply") if following == Go("bind") else following

    async def _apply(self, walk: Walk) -> Outcome:
        """Ask for the money; a quarter of the needs are purchases in a shop."""
        body: dict[str, Any] = {"amount_fen": walk.amount_fen, "months": walk.months, "purpose": walk.purpose}
        if walk.dice and walk.dice[5] < BUYS_IN_SHOP and not walk.order_token and walk.tries == 0 and not walk.facts.get("shop_tried"):
            walk.facts["shop_tried"] = True
            await self._buy(walk)
            body["months"] = walk.months
        if walk.order_token:
            body |= {"scene": walk.scene, "order_token": walk.order_token}
        if self.watch:
            self.watch.tap(walk.n)
        reply = await self.line.step(walk, "apply", body)
        if not reply.is_good:
            return self._unwilling(walk, reply)
        return self._answered(walk, reply)

    def _unwilling(self, walk: Walk, reply: PlatformReply) -> Outcome:
        """An application was refused as such. A missing stage is made up for; a bound card may be what is missing."""
        code = str(reply.body.get("code", ""))
        if ("bind" in code or "card" in code) and walk.asked.get("bind", 0) < 1:
            return Go("bind")
        if walk.order_token and "order" in code:
            walk.order_token = ""
            return Go("apply")
        return self._refused(walk, reply)

    def _answered(self, walk: Walk, reply: PlatformReply) -> Outcome:
        """What `apply` and `proof` answer: an offer, a no, a proof that is wanted, or to wait."""
        show = reply.body.get("show") or {}
        walk.application_id = str(show.get("application_id", walk.application_id))
        walk.wanted = list(show.get("wanted") or ())
        walk.facts["offers"] = show.get("offers") or walk.facts.get("offers") or []
        if self.watch and reply.body.get("state") != "waiting":
            self.watch.answer(walk.n)
        if show.get("outcome") == "declined" or reply.body.get("state") == "declined":
            walk.facts["decision_id"] = str(show.get("decision_id", ""))
            return self._declined(walk)
        return self.by_state(walk, reply.body)

    def _declined(self, walk: Walk) -> Outcome:
        """A no is a no; now and then someone asks a human to look again."""
        if walk.facts.get("decision_id") and self.folk.chance(walk.n, f"{walk.k}|review") < 0.03:
            walk.errand = "review"
            return Go("errand")
        if walk.tries < 1 and not self.is_hurried(walk) and self.folk.chance(walk.n, f"{walk.k}|asks-again") < ASKS_AGAIN:
            return Again("declined")
        return End("declined")

    async def _buy(self, walk: Walk) -> None:
        """Choose goods for the purpose and the sum, and let the shop make the order."""
        fitting = [scene for scene in scenes() if scene.fits(walk.purpose, walk.amount_fen)]
        if not fitting:
            return
        shops: Shops = self.world.parts["shops"]
        scene = fitting[int(walk.dice[6] * len(fitting))]
        order_id = f"od-{walk.session_id[3:]}"
        told = await shops.sell(scene, order_id=order_id, amount_fen=walk.amount_fen, buyer_ref=f"b-{walk.n}")
        if told is not None and told.get("order_token"):
            walk.scene, walk.order_token = scene.scene_id, str(told["order_token"])
            walk.months = min(scene.months, key=lambda months: (abs(months - walk.months), months))

    async def _proof(self, walk: Walk) -> Outcome:
        """Show what is wanted; a liar shows more than is true."""
        person = self.folk.person(walk.n)
        if walk.asked.get("proof", 0) >= 2:
            return End("proof-not-enough")
        lie = 1.0 if person.label != "liar" else 1.5 + 2.5 * self.folk.chance(walk.n, "lie")
        variant: Variant = "altered" if person.label == "liar" else "genuine"
        picture = await self.line.upload(walk, draw(Picture("proof", person.card_face, variant)))
        if picture is None:
            return Later("picture-refused")
        kind = walk.wanted[0] if walk.wanted else "income"
        month = self.folk.life(walk.n).months.income
        income = int(100 * lie * 0.5 * (person.usual_income + float(month[walk.k])))
        body = {"kind": kind, "file_ref": picture, "fields": {"monthly_income_fen": income}}
        reply = await self.line.step(walk, "proof", body)
        return self._answered(walk, reply) if reply.is_good else self._refused(walk, reply)

    async def _offer(self, walk: Walk) -> Outcome:
        """Look at an offer: enough, and not too dear?"""
        offers = [offer for offer in walk.facts.get("offers") or () if isinstance(offer, dict)]
        if not offers:
            if walk.facts.get("looked_for_offers"):
                return End("no-offer")
            walk.facts["looked_for_offers"] = True
            return Go("look")
        offer = offers[int(walk.dice[3] * len(offers)) % len(offers)] if walk.dice else offers[0]
        step = max(int(offer.get("step_fen") or 1), 1)
        low, high = int(offer["amount_min_fen"]), int(offer["amount_max_fen"])
        amount = min(max(walk.amount_fen // step * step, low), high // step * step)
        months = min((int(m) for m in offer["months"]), key=lambda m: (abs(m - walk.months), m))
        if amount < walk.amount_fen * 0.5 and walk.dice and walk.dice[1] < 0.5:
            return await self._turn_down(walk, "too-little")
        quote = {"offer_id": offer["offer_id"], "amount_fen": amount, "months": months}
        reply = await self.line.step(walk, "quote", quote)
        if not reply.is_good:
            return self._refused(walk, reply)
        dear = int((reply.body.get("show") or {}).get("all_in_ppm", 0))
        if dear > self.folk.person(walk.n).reservation_ppm:
            return await self._turn_down(walk, "too-dear")
        walk.offer, walk.offer_amount_fen, walk.offer_months = offer, amount, months
        return Go("accept")

    async def _turn_down(self, walk: Walk, why: str) -> Outcome:
        await self.line.step(walk, "cancel", {"application_id": walk.application_id})
        return End(why)

    async def _accept(self, walk: Walk) -> Outcome:
        body = {"offer_id": walk.offer["offer_id"], "amount_fen": walk.offer_amount_fen, "months": walk.offer_months}
        reply = await self.line.step(walk, "accept", body)
        return self.by_state(walk, reply.body) if reply.is_good else self._refused(walk, reply)

    async def _read(self, walk: Walk) -> Outcome:
        """Open the cost table; the careful read the document itself. Reading takes the time the lender asks, and a little more."""
        reply = await self.line.step(walk, "read_cost", {"table_sha256": walk.table_sha256})
        if not reply.is_good:
            return self._refused(walk, reply)
        breaches: Breaches = self.world.parts["breaches"]
        breaches.cost_shown(person=f"n{walk.n}", table_sha256=walk.table_sha256, now_ms=self.world.clock.sign_ms())
        person = self.folk.person(walk.n)
        if person.traits.prudence > 0.7:
            await self.line.read(walk, f"documents/{walk.table_sha256}")
        seconds = max(walk.reading_time_s, int((reply.body.get("show") or {}).get("reading_time_s", 0)))
        return Pause(seconds + 0.2 + (0.0 if self.is_hurried(walk) else 5 * self.folk.chance(walk.n, f"{walk.k}|reads")), "confirm")

    def is_hurried(self, walk: Walk) -> bool:
        return walk.errand == "borrow" and bool(walk.facts.get("bench"))

    async def _confirm(self, walk: Walk) -> Outcome:
        if self.folk.chance(walk.n, f"{walk.k}|mind") < self.folk.assumptions.number("conduct.cancels") and not self.is_hurried(walk):
            return await self._turn_down(walk, "changed-mind")
        reply = await self.line.step(walk, "confirm_cost", {"table_sha256": walk.table_sha256})
        if not reply.is_good:
            return self._refused(walk, reply)
        walk.contract_sha256 = str((reply.body.get("show") or {})["contract_sha256"])
        breaches: Breaches = self.world.parts["breaches"]
        breaches.cost_confirmed(person=f"n{walk.n}", table_sha256=walk.table_sha256, contract_sha256=walk.contract_sha256)
        return Go("sign")

    async def _sign(self, walk: Walk) -> Outcome:
        now = self.world.clock.now()
        if awake(now) > now:  # nobody signs at night
            return Pause((awake(now) - now).total_seconds(), "sign")
        code = await self.code(walk, "sign", self.folk.phone(walk.n), subject=walk.contract_sha256)
        if not isinstance(code, str):
            return code
        if self.watch:
            self.watch.sign(walk.n)
        reply = await self.line.step(walk, "sign", {"contract_sha256": walk.contract_sha256, "otp_id": walk.otp_id, "code": code})
        if not reply.is_good:
            return self._refused(walk, reply)
        return self.by_state(walk, reply.body)

    # -- what all walks need --------------------------------------------------------------------------------------------------

    async def code(self, walk: Walk, purpose: str, phone: str, subject: str = "") -> str | Outcome:
        """Ask for a one-time code and read it from the phone; an Outcome when it does not come."""
        body: dict[str, Any] = {"purpose": purpose, "phone": phone}
        if subject:
            body["subject"] = subject
        for _ in range(2):
            reply = await self.line.step(walk, "send_code", body)
            if not reply.is_good:
                return self._refused(walk, reply)
            walk.otp_id = str((reply.body.get("show") or {})["otp_id"])
            code = await self.folk.code_for(phone, walk.otp_id, 0.0 if self.world.is_stepped else CODE_PATIENCE_S)
            if code is not None:
                return code
        return Later("no-code")

    def person_body(self, n: int) -> dict[str, str]:
        person = self.folk.person(n)
        return {"name": person.name, "id_type": "id_card", "id_number": person.id_number, "phone": self.folk.phone(n)}

    def draw_pictures(self, walk: Walk) -> None:
        """Have the pictures of a person ready."""
        person = self.folk.person(walk.n)
        draw(Picture("id_front", person.card_face))
        draw(Picture("id_back", person.card_face))
        self.selfie(walk)

    def selfie(self, walk: Walk) -> bytes:
        """The face; who borrows another's holds up a screen."""
        person = self.folk.person(walk.n)
        borrowed = person.label == "liar" and self.folk.chance(walk.n, "borrowed") < 1 / 3
        variant: Variant = "screen" if walk.errand == "takeover" or borrowed else "genuine"
        return draw(Picture("face", person.face, variant))


def walk_of(n: int, need: Need) -> Walk:
    """The walk that a need begins."""
    return Walk(
        n=n, errand="borrow", k=need.k, amount_fen=need.amount_fen, months=need.months, purpose=need.purpose, dice=list(need.dice),
        entry_pick=need.entry,
    )  # fmt: skip


def device_of(phone: Phone, u: float) -> dict[str, object]:
    network = "2g" if u < phone.slow else "4g" if u < 0.7 else "wifi"
    return {
        "device_id": phone.device_id, "os": phone.os, "model": phone.model, "memory_mb": phone.memory_mb, "screen_px": phone.screen_px,
        "network": network,
    }  # fmt: skip


def secret_of(page_url: str) -> str:
    """The secret at the end of a page's address."""
    return page_url.rstrip("/").rsplit("/", 1)[-1].rsplit("=", 1)[-1]


def awake(at: datetime) -> datetime:
    """The same instant, or the next morning's half past six when it lies in the night."""
    local = at.astimezone(CHINA)
    if local.time() < DAY_BEGINS:
        return datetime.combine(local.date(), DAY_BEGINS, CHINA)
    if local.time() > DAY_ENDS:
        return datetime.combine(local.date() + timedelta(days=1), DAY_BEGINS, CHINA)
    return at
