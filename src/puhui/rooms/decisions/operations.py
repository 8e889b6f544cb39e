"""The verbs: receive an application, decide it, take an offer, hold and free exposure, review, replay, explain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from puhui.engines import law
from puhui.engines.rules import BadInput, MissingInput, literal
from puhui.foundation.days import business_date
from puhui.foundation.money import Money
from puhui.foundation.refusals import BadField, NotFound, Refusal, WrongState
from puhui.foundation.work import Work
from puhui.rooms.decisions import store, strategies
from puhui.rooms.decisions.application import Accepted, Application, ApplicationState, Exposure, Hold, Offer, Proof, Record
from puhui.rooms.decisions.deciding import decide
from puhui.rooms.decisions.drift import Seen
from puhui.rooms.decisions.facts import Inputs, read_inputs
from puhui.rooms.decisions.known import Missing, Value
from puhui.rooms.decisions.outcome import Answer, Outcome
from puhui.rooms.decisions.policy import CONDITIONS, Policy
from puhui.rooms.decisions.rulebook import Rulebook
from puhui.rooms.decisions.ruling import SET_ASIDE as CORRECTED
from puhui.rooms.decisions.ruling import last_asked
from puhui.rooms.decisions.scorecard import ArtefactDamaged, Scorecard, open_scorecard, sha256_of
from puhui.vocabulary import ids
from puhui.vocabulary.events import ApplicationDecided, ApplicationEnded, ApplicationReceived, OfferAccepted
from puhui.vocabulary.products import Product, product, read_product
from puhui.vocabulary.reasons import Language

HOUSE_DECIDES = "machine"
SET_ASIDE = frozenset(CORRECTED)
MOST = 500
INCOME = "monthly_income_fen"
PROOF_DAYS = 14


class AmountNotOffered(Refusal):
    """This offer holds for {least} to {most} yuan in steps of {step}, over {months} months; choose within it."""

    code = "decisions.amount-not-offered"
    zh = "这个额度可以借 {least} 到 {most} 元（以 {step} 元为单位），可选 {months} 期，请在范围内选择。"


class OfferLapsed(Refusal):
    """The offer is no longer in force (it held until {until}); apply again, it is free and quick."""

    code = "decisions.offer-lapsed"
    zh = "这个报价已经过期，请重新申请，不收任何费用。"
    status = 409


class OverTheCap(Refusal):
    """With this loan the person would owe more than the {cap} yuan that the rules let one person owe; nothing was held."""

    code = "decisions.over-the-cap"
    zh = "加上这笔借款会超过每个人 {cap} 元的上限，请借少一点。"


class NotToBeSetAside(Refusal):
    """A review may not set aside {codes}: what the law bars, a person cannot allow."""

    code = "decisions.not-to-be-set-aside"


# -- applications --------------------------------------------------------------------------------------------------------


async def receive(
    work: Work,
    *,
    customer_id: str,
    session_id: str,
    entry_id: str,
    device_id: str,
    amount_fen: int,
    months: int,
    purpose: str,
    scene: str = "",
    order_token: str = "",
    product_id: str = "starter",
    place: tuple[str, int, str] = ("", 0, ""),
) -> tuple[Application, bool]:
    """Take an application, and say whether it is new: while one is open, another tap gives the open one, by whatever entry it came.

    `place` says where the person lives, for those who count: kind, tier of the city (0 elsewhere), county.

    Raises: BadField (an amount, term or purpose that no product has).
    """
    await store.lock_person(work, customer_id)
    if earlier := await store.open_application(work, customer_id):
        return earlier, False
    _demand_on_sale(product(product_id), amount_fen, months, purpose)
    last = await store.last_application(work, customer_id)
    k = last.k + 1 if last else 1
    application = Application(
        customer_id, ids.derive("ap", customer_id, customer_id, "apply", k), k, session_id, entry_id, scene, order_token, device_id, amount_fen,
        months, purpose, work.at, ApplicationState.WAITING, "",
    )  # fmt: skip
    await store.add_application(work, application)
    work.emit(ApplicationReceived(customer_id, application.application_id, entry_id, scene, amount_fen, months, work.at, *place))
    return application, True


async def end_application(work: Work, *, customer_id: str, application_id: str, why: str) -> bool:
    """End an open application (cancelled, expired, paid, pay_failed); what it held is free again. Gives False if it had ended before."""
    application = await _demand_application(work, customer_id, application_id)
    if not application.state.is_open:
        return False
    for hold in await store.holds_of(work, customer_id):
        if hold.application_id == application_id and hold.state == "held":
            await free_exposure(work, customer_id=customer_id, loan_id=hold.loan_id)
    await store.set_application_state(work, application, ApplicationState.ENDED, why)
    if why != "paid":
        work.emit(ApplicationEnded(customer_id, application_id, why))
    return True


async def withdraw_application(work: Work, *, customer_id: str, application_id: str) -> Application:
    """The person changed his mind before anything was accepted. Raises NotFound, WrongState."""
    await store.lock_person(work, customer_id)
    application = await _demand_application(work, customer_id, application_id)
    if application.state not in {ApplicationState.WAITING, ApplicationState.PROOF, ApplicationState.OFFERED}:
        raise WrongState(what="the application", state=application.state.value, possible="waiting, proof, offered")
    await end_application(work, customer_id=customer_id, application_id=application_id, why="cancelled")
    return application


async def expire_offers(work: Work, *, most: int = MOST) -> int:
    """End the applications whose every offer has lapsed, and those that wait for a proof too long; give how many."""
    lapsed = await store.applications_to_expire(work, work.at - timedelta(days=PROOF_DAYS), most)
    for customer_id, application_id in lapsed:
        await end_application(work, customer_id=customer_id, application_id=application_id, why="expired")
    return len(lapsed)


async def add_proof(work: Work, *, customer_id: str, kind: str, file_ref: str, fields: Mapping[str, Any]) -> Application:
    """Keep what the person sent in support of his open application, and let it wait for its decision again.

    Raises: NotFound (no open application), WrongState (it is not waiting for proof), BadField.
    """
    application = await store.open_application(work, customer_id)
    if application is None:
        raise NotFound(what="application", which="in progress")
    if application.state not in {ApplicationState.PROOF, ApplicationState.WAITING}:
        raise WrongState(what="the application", state=application.state.value, possible="proof")
    if INCOME in fields and not (type(fields[INCOME]) is int and 0 <= fields[INCOME] <= 10**10):
        raise BadField(field=f"fields.{INCOME}", why="it is no amount of fen")
    await store.add_proof(work, customer_id, application.application_id, kind, file_ref, fields)
    await store.set_application_state(work, application, ApplicationState.WAITING)
    return replace(application, state=ApplicationState.WAITING)


async def velocity(work: Work, application: Application) -> tuple[int, int]:
    """Give how often the person applied in the 30 days before this application, and how many persons applied by this device in them."""
    since = application.tapped_at - timedelta(days=30)
    often = await store.count_applications(work, application.customer_id, since, application.application_id)
    persons = await store.count_device_persons(work, application.device_id, since) if application.device_id else 1
    return often, max(persons, 1)


async def note_card(work: Work, *, customer_id: str, binding_id: str, at: datetime) -> None:
    """Note that a person bound a card. Noted already, nothing more happens."""
    await store.add_card(work, customer_id, binding_id, at)


async def hours_since_new_card(work: Work, application: Application) -> int | None:
    """Give the whole hours between a change of card and the application's tap; None for a person's first card."""
    since = await store.newest_card(work, application.customer_id, application.tapped_at)
    return None if since is None else int((application.tapped_at - since) / timedelta(hours=1))


# -- deciding ------------------------------------------------------------------------------------------------------------


async def decide_application(
    work: Work, *, application: Application, inputs: Inputs, sources: Mapping[str, Any], product_id: str = "starter"
) -> tuple[Record, Outcome]:
    """Decide a waiting application and write its one record; the offers come to life with it.

    `sources` names what was read: the place of the log, the hash of the history, the consents. Decided already, the first record is given.
    Raises: NoStrategy.
    """
    await store.lock_person(work, application.customer_id)
    now = await _demand_application(work, application.customer_id, application.application_id)
    if now.state is not ApplicationState.WAITING:
        record = await store.last_record(work, application.customer_id, application.application_id)
        if record is None:
            raise WrongState(what="the application", state=now.state.value, possible="waiting")
        return record, read_outcome(record.outcome)
    live = await strategies.live(work, product_id, application.customer_id)
    outcome = decide(inputs, live.artefacts)
    shadows = tuple(_shadow(name, decide(inputs, artefacts)) for name, artefacts in live.shadows)
    k = await store.count_records(work, application.customer_id, application.application_id) + 1
    kind = "apply" if k == 1 else "proof"
    record = _record(work, application, k, kind, inputs, outcome, live, sources, shadows, HOUSE_DECIDES, None)
    await _keep(work, application, record, outcome, live.artefacts.product)
    return record, outcome


async def review(
    work: Work,
    *,
    customer_id: str,
    decision_id: str,
    set_aside: Sequence[str] = (),
    proven_income_fen: int | None = None,
) -> tuple[Record, Outcome]:
    """Look at a declined decision again, as a person: a new decision with its own record, on the same inputs as the reviewer corrected them.

    `set_aside` names rules that he found not to apply (a likeness of names, a family's phone); bars of law cannot be set aside. The answer is
    then the strategy's own. If it is an offer and no other application is open, the offers come to life.
    Raises: NotFound, NotToBeSetAside.
    """
    await store.lock_person(work, customer_id)
    first = await store.find_record(work, customer_id, decision_id)
    if first is None:
        raise NotFound(what="decision", which=decision_id)
    if barred := set(set_aside) - SET_ASIDE:
        raise NotToBeSetAside(codes=", ".join(sorted(barred)))
    application = await _demand_application(work, customer_id, first.application_id)
    artefacts = await strategies.opened(work, first.artefacts)
    inputs = read_inputs(first.inputs)
    inputs = _corrected(inputs, artefacts.policy, set_aside)
    if proven_income_fen is not None:
        inputs = replace(inputs, facts=replace(inputs.facts, proven_income_fen=proven_income_fen))
    exposure = await store.find_exposure(work, customer_id)
    inputs = replace(inputs, facts=replace(inputs.facts, today=work.today, owed_fen=exposure.owed_fen, held_fen=exposure.held_fen))
    outcome = decide(inputs, artefacts)
    k = await store.count_records(work, customer_id, first.application_id) + 1
    live = strategies.Live(first.strategy_sha256, artefacts, ())
    sources = dict(first.sources) | {"set_aside": sorted(set_aside)}
    record = _record(work, application, k, "review", inputs, outcome, live, sources, (), work.actor.name, decision_id)
    opens = outcome.answer is Answer.OFFER and await store.open_application(work, customer_id) is None
    await _keep(work, application, record, outcome, artefacts.product, opens=opens)
    return record, outcome


def _corrected(inputs: Inputs, policy: Policy | Rulebook, set_aside: Sequence[str]) -> Inputs:
    """The inputs as a reviewer found them: what he sets aside is a fact that was wrong."""
    if isinstance(policy, Rulebook):
        for code in set_aside:
            inputs = replace(inputs, facts=CORRECTED[code](inputs.facts))
        return inputs
    for rule in policy.rules:
        if rule.code in set_aside and CONDITIONS[rule.condition].fires(inputs, rule.parameters) is not None:
            inputs = CONDITIONS[rule.condition].undone(inputs, rule.parameters)
    return inputs


def read_outcome(data: bytes) -> Outcome:
    return msgspec.json.decode(data, type=Outcome)


async def _keep(work: Work, application: Application, record: Record, outcome: Outcome, sold: Product, *, opens: bool = True) -> None:
    """Write the record, its offers, the application's state, and tell."""
    await store.add_record(work, record)
    if not opens:
        return
    if outcome.offers:
        offers = [(ids.derive("of", record.customer_id, record.decision_id, terms.method), terms) for terms in outcome.offers]
        expires_at = max(work.at + timedelta(hours=sold.offer_valid_h), work.in_a_while(minutes=30))
        await store.add_offers(work, record, offers, expires_at)
    state = {Answer.OFFER: ApplicationState.OFFERED, Answer.DECLINED: ApplicationState.DECLINED, Answer.PROOF: ApplicationState.PROOF}
    await store.set_application_state(work, application, state[outcome.answer])
    work.emit(
        ApplicationDecided(
            record.customer_id, record.application_id, record.decision_id, record.answer, record.band, record.is_thin_file
        )
    )


def _record(
    work: Work,
    application: Application,
    k: int,
    kind: str,
    inputs: Inputs,
    outcome: Outcome,
    live: strategies.Live,
    sources: Mapping[str, Any],
    shadows: tuple[Mapping[str, Any], ...],
    decided_by: str,
    review_of: str | None,
) -> Record:
    read, told = inputs.to_bytes(), outcome.to_bytes()
    return Record(
        customer_id=application.customer_id,
        decision_id=ids.derive("de", application.customer_id, application.application_id, "decide", k),
        application_id=application.application_id,
        k=k,
        kind=kind,
        at=work.at,
        inputs=read,
        inputs_sha256=sha256_of(read),
        outcome=told,
        outcome_sha256=sha256_of(told),
        strategy_sha256=live.strategy_sha256,
        artefacts=strategies.hashes_of(live.artefacts),
        packs=inputs.bounds.packs,
        sources=sources,
        shadows=shadows,
        kernel=outcome.kernel,
        points=outcome.score.points,
        probability_ppm=outcome.score.probability_ppm,
        band=outcome.band,
        answer=outcome.answer.value,
        limit_fen=outcome.limit_fen,
        ladder=outcome.ladder,
        fired=outcome.fired,
        is_thin_file=inputs.facts.is_white,
        has_no_flip=outcome.no_flip,
        decided_by=decided_by,
        review_of=review_of,
    )


def _shadow(name: str, outcome: Outcome) -> dict[str, Any]:
    return {"strategy": name, "answer": outcome.answer.value, "band": outcome.band, "limit_fen": outcome.limit_fen, "points": outcome.score.points}


# -- offers and exposure -------------------------------------------------------------------------------------------------


async def find_offer(work: Work, customer_id: str, offer_id: str) -> Offer:
    """Give an offer in force. Raises NotFound, OfferLapsed."""
    found = await store.find_offer(work, customer_id, offer_id)
    if found is None:
        raise NotFound(what="offer", which=offer_id)
    offer, state = found
    if offer.expires_at <= work.at or not state.is_open:
        raise OfferLapsed(until=offer.expires_at.isoformat(timespec="seconds"))
    return offer


def demand_point(offer: Offer, *, amount_fen: int, months: int) -> None:
    """Raise AmountNotOffered unless this amount and term lie within the offer."""
    if not offer.holds(amount_fen, months):
        raise AmountNotOffered(
            least=Money(offer.amount_min_fen), most=Money(offer.amount_max_fen), step=Money(offer.step_fen), months=", ".join(map(str, offer.months))
        )


async def accept_offer(work: Work, *, customer_id: str, offer_id: str, amount: Money, months: int, loan_id: str) -> Accepted:
    """Take a point of an offer: the amount is held on the person's exposure for this loan, until it is used or freed.

    Taken anew for another loan of the same application, what the first held is freed before. The same loan again gives the same answer.
    Raises: NotFound, OfferLapsed, AmountNotOffered, OverTheCap.
    """
    offer = await find_offer(work, customer_id, offer_id)
    demand_point(offer, amount_fen=amount.fen, months=months)
    cap = law.shipped().ask(law.LenderRules, on=work.today).per_person_cap_fen
    exposure = await store.lock_exposure(work, customer_id, cap)
    accepted = Accepted(
        offer.application_id, offer.decision_id, loan_id, offer.product, offer.method, amount.fen, months, offer.rate_ppm, offer.convention, offer.band,
        offer.is_thin_file, offer.expires_at,
    )  # fmt: skip
    for hold in await store.holds_of(work, customer_id):
        if hold.loan_id == loan_id:
            if (hold.amount_fen, hold.months, hold.state) != (amount.fen, months, "held"):
                raise WrongState(what="the loan", state=hold.state, possible="a fresh loan")
            return accepted
        if hold.application_id == offer.application_id and hold.state == "held" and await store.set_hold_state(work, hold, "freed"):
            exposure = replace(exposure, held_fen=exposure.held_fen - hold.amount_fen)
    if exposure.owed_fen + exposure.held_fen + amount.fen > cap:
        raise OverTheCap(cap=Money(cap))
    await store.set_exposure(work, customer_id, Exposure(exposure.owed_fen, exposure.held_fen + amount.fen, cap))
    await store.add_hold(work, Hold(customer_id, loan_id, offer.application_id, offer_id, amount.fen, months, "held"))
    application = await _demand_application(work, customer_id, offer.application_id)
    await store.set_application_state(work, application, ApplicationState.ACCEPTED)
    work.emit(OfferAccepted(customer_id, offer.application_id, loan_id, amount.fen, months))
    return accepted


async def held_loan(work: Work, *, customer_id: str, application_id: str) -> str | None:
    """Give the loan for which an application holds exposure now, or None."""
    holds = await store.holds_of(work, customer_id)
    return next((hold.loan_id for hold in holds if hold.application_id == application_id and hold.state == "held"), None)


async def count_holds(work: Work, *, customer_id: str, application_id: str) -> int:
    """Give how often an offer of this application was taken, whatever came of it."""
    return sum(hold.application_id == application_id for hold in await store.holds_of(work, customer_id))


async def free_exposure(work: Work, *, customer_id: str, loan_id: str) -> None:
    """Let go of what a loan held (cancelled, expired, pay-out failed): its application is back at its offers. Silent if it holds nothing any more."""
    hold = await store.find_hold(work, customer_id, loan_id)
    if hold is None or hold.state != "held":
        return
    exposure = await store.lock_exposure(work, customer_id, 0)
    if await store.set_hold_state(work, hold, "freed"):
        await store.set_exposure(work, customer_id, replace(exposure, held_fen=exposure.held_fen - hold.amount_fen))
        application = await _demand_application(work, customer_id, hold.application_id)
        if application.state is ApplicationState.ACCEPTED:
            await store.set_application_state(work, application, ApplicationState.OFFERED)


async def use_exposure(work: Work, *, customer_id: str, loan_id: str) -> None:
    """The loan was paid out: what it held is owed now, and its application has ended well. Silent if that is known already."""
    hold = await store.find_hold(work, customer_id, loan_id)
    if hold is None:
        raise NotFound(what="loan", which=loan_id)
    if hold.state != "held":
        return
    exposure = await store.lock_exposure(work, customer_id, 0)
    if await store.set_hold_state(work, hold, "used"):
        moved = replace(exposure, owed_fen=exposure.owed_fen + hold.amount_fen, held_fen=exposure.held_fen - hold.amount_fen)
        await store.set_exposure(work, customer_id, moved)
        await end_application(work, customer_id=customer_id, application_id=hold.application_id, why="paid")


async def set_owed(work: Work, *, customer_id: str, owed_fen: int) -> None:
    """Take over the ledger's figure of what a person owes in principal. A payment that came back may lift it over an old cap: that is a fact."""
    exposure = await store.lock_exposure(work, customer_id, owed_fen)
    cap = max(exposure.cap_fen, owed_fen + exposure.held_fen)
    await store.set_exposure(work, customer_id, Exposure(owed_fen, exposure.held_fen, cap))


async def exposure_of(work: Work, customer_id: str) -> Exposure:
    return await store.find_exposure(work, customer_id)


# -- replay and telling --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision run again from its stored inputs and artefacts. `difference` is "" when outcome and hashes are equal to the byte."""

    decision_id: str
    difference: str

    @property
    def is_equal(self) -> bool:
        return not self.difference


@dataclass(frozen=True, slots=True)
class ReplayPage:
    """A page of replays, and where the next one begins (None at the end)."""

    replayed: tuple[Replayed, ...]
    after: tuple[datetime, str] | None


START = (datetime(1970, 1, 1, tzinfo=UTC), "")


async def replay(work: Work, record: Record) -> Replayed:
    """Run one decision again, from nothing but its stored inputs and the artefacts its hashes name."""
    if sha256_of(record.inputs) != record.inputs_sha256:
        return Replayed(record.decision_id, "inputs: the bytes are not those of the hash")
    if sha256_of(record.outcome) != record.outcome_sha256:
        return Replayed(record.decision_id, "outcome: the bytes are not those of the hash")
    try:
        artefacts = await strategies.opened(work, record.artefacts)
        again = decide(read_inputs(record.inputs), artefacts)
    except KeyError as missing:
        return Replayed(record.decision_id, f"artefact: {missing.args[0]} is not in the store")
    except (msgspec.ValidationError, ArtefactDamaged, BadInput, MissingInput) as damage:
        return Replayed(record.decision_id, f"unreadable: {type(damage).__name__}")
    return Replayed(record.decision_id, _difference(record, again))


async def replay_page(work: Work, after: tuple[datetime, str] = START, *, most: int = MOST) -> ReplayPage:
    """Run the next decisions in order of time again."""
    records = await store.records_after(work, *after, most)
    replayed = tuple([await replay(work, record) for record in records])
    return ReplayPage(replayed, (records[-1].at, records[-1].decision_id) if len(records) == most else None)


def _difference(record: Record, again: Outcome) -> str:
    if again.to_bytes() == record.outcome:
        columns = (again.answer.value, again.band, again.score.points, again.score.probability_ppm, again.limit_fen, again.ladder)
        stored = (record.answer, record.band, record.points, record.probability_ppm, record.limit_fen, record.ladder)
        return "" if columns == stored else "record: its columns differ from its outcome"
    first = read_outcome(record.outcome)
    names = [name for name in Outcome.__dataclass_fields__ if getattr(first, name) != getattr(again, name)]
    return f"outcome: {', '.join(names) or 'bytes'} differ"


class _Values(msgspec.Struct):
    """Of stored inputs the values alone."""

    values: dict[str, Value]


async def values_seen(work: Work, name: str, *, most: int = 1_000) -> list[Seen]:
    """Give a value as the newest decisions used it, oldest first; decisions of sets that did not have it are left out. Nobody is named."""
    seen = []
    for at, inputs in reversed(await store.recent_inputs(work, most)):
        values = msgspec.json.decode(inputs, type=_Values).values
        if name in values:
            seen.append(Seen(at, f"{business_date(at):%Y-%m}", values[name]))
    return seen


async def card_of(work: Work, record: Record | None = None) -> Scorecard | None:
    """Give the card of a decision, or the one that decided last; None before the first decision."""
    sha256 = record.artefacts["scorecard"] if record else await store.newest_scorecard(work)
    return open_scorecard(await store.artefact(work, sha256)) if sha256 else None


def told(record: Record, language: str = "zh") -> dict[str, Any]:
    """Give a decision in words for the person it is about: the answer, the reasons, what was read, and how to have it looked at."""
    outcome = read_outcome(record.outcome)
    lang: Language = "en" if language == "en" else "zh"
    inputs = read_inputs(record.inputs)
    return {
        "decision_id": record.decision_id,
        "application_id": record.application_id,
        "at": record.at.isoformat(),
        "kind": record.kind,
        "outcome": record.answer,
        "reasons": [{"code": one.code, "text": one.sentence(lang), "flips_alone": one.flips_alone} for one in outcome.reasons],
        "no_flip": outcome.no_flip,
        "wanted": list(outcome.wanted),
        "limit_fen": record.limit_fen,
        "ladder": record.ladder,
        "sources_read": sorted({name.split(".")[0] for name, value in inputs.values.items() if not isinstance(value, Missing)}),
        "decided_by": "person" if record.kind == "review" else "machine",
        "may_review": record.answer == "declined" and record.kind != "review",
    }


def explained(record: Record) -> dict[str, Any]:
    """Give a decision as staff and auditors read it: everything but the values of personal inputs' sources."""
    inputs, outcome = read_inputs(record.inputs), read_outcome(record.outcome)
    return told(record) | {
        "customer_id": record.customer_id,
        "strategy_sha256": record.strategy_sha256,
        "artefacts": dict(record.artefacts),
        "packs": list(record.packs),
        "sources": dict(record.sources),
        "shadows": [dict(one) for one in record.shadows],
        "points": record.points,
        "probability_ppm": record.probability_ppm,
        "band": record.band,
        "fired": list(record.fired),
        "tables": {name: list(rules) for name, rules in outcome.tables.items()},
        "funders": outcome.funders,
        "facts": msgspec.to_builtins(inputs.facts),
        "values": {name: value if isinstance(value, int) else value.value for name, value in inputs.values.items()},
        "offers": msgspec.to_builtins(outcome.offers),
    }


async def why(work: Work, record: Record) -> dict[str, Any]:
    """Give the tables of a decision as its own rules see them: what each saw, what fired and what it says, why the others did not fire; and of a
    decline the nearest changes that would turn it. Empty for the first policy.
    """
    artefacts = await strategies.opened(work, record.artefacts)
    book = artefacts.policy
    if not isinstance(book, Rulebook):
        return {"tables": [], "flips": []}
    asked = last_asked(read_inputs(record.inputs), artefacts.card, book, artefacts.product)
    told = [asked.why(name) for name, _ in book.artefact.tables]
    tables = [
        {
            "table": one.decision,
            "value": literal(one.value),
            "seen": {label: literal(value) for label, value in one.seen.items()},
            "fired": [{"rule": rule, "meaning": book.meaning(one.decision, rule)} for rule in one.fired],
            "missed": [{"rule": missed.rule, "columns": list(missed.columns)} for missed in one.missed],
        }
        for one in told
    ]
    flips = asked.turns(book.manifest.decide, book.changeable, _is_no_decline) if record.answer == Answer.DECLINED.value else ()
    return {"tables": tables, "flips": [{name: literal(value) for name, value in one.changes.items()} for one in flips]}


def _is_no_decline(value: object) -> bool:
    return isinstance(value, dict) and value["outcome"] != "decline"


async def product_of(work: Work, record: Record) -> Product:
    """Give the product as it was when the decision was made."""
    return read_product(await store.artefact(work, record.artefacts["product"]))


def proven_income_fen(proofs: Sequence[Proof]) -> int | None:
    """Give the monthly income that the papers sent show: the largest of them, None if none shows any."""
    return max((proof.fields[INCOME] for proof in proofs if INCOME in proof.fields), default=None)


async def proofs_of(work: Work, customer_id: str, application_id: str) -> list[Proof]:
    return await store.proofs_of(work, customer_id, application_id)


async def offers_in_force(work: Work, application: Application) -> list[dict[str, Any]]:
    """Give the offers of an application's last decision that still hold, as the borrower API shows them."""
    record = await store.last_record(work, application.customer_id, application.application_id)
    if record is None or not application.state.is_open:
        return []
    rows = await store.offers_of(work, application.customer_id, record.decision_id)
    return [
        {
            "offer_id": row["offer_id"],
            "method": row["method"],
            "amount_min_fen": row["amount_min_fen"],
            "amount_max_fen": row["amount_max_fen"],
            "step_fen": row["step_fen"],
            "months": list(row["months"]),
            "rate_ppm": row["rate_ppm"],
            "all_in_max_ppm": row["all_in_max_ppm"],
            "expires_at": row["expires_at"].isoformat(),
        }
        for row in rows
        if row["expires_at"] > work.at
    ]


async def check(work: Work) -> list[str]:
    """Name what does not hold: holds and exposures that disagree. (`owed` against the ledger is compared by whoever has both.)"""
    return [f"exposure of {row['customer_id']}: held {row['held_fen']}, holds {row['holds_fen']}" for row in await store.unequal_holds(work)]


async def export(work: Work, customer_id: str) -> dict[str, Any]:
    """Give what the room knows of a person, for that person alone."""
    return {
        "applications": [
            {
                "application_id": one.application_id, "at": one.tapped_at.isoformat(), "entry_id": one.entry_id, "scene": one.scene,
                "amount_fen": one.amount_fen, "months": one.months, "purpose": one.purpose, "state": one.state.value, "why": one.why,
                "proofs": [
                    {"kind": proof.kind, "fields": dict(proof.fields), "at": proof.at.isoformat()}
                    for proof in await store.proofs_of(work, customer_id, one.application_id)
                ],
            }
            for one in await store.applications_of(work, customer_id)
        ],
        "decisions": [explained(record) for record in await store.records_of(work, customer_id)],
        "exposure": msgspec.to_builtins(await store.find_exposure(work, customer_id)),
    }  # fmt: skip


async def erase(work: Work, customer_id: str) -> dict[str, str]:
    """Nothing is erased: a decision by a machine must stay explainable and replayable as long as records are kept. Gives what stays and why."""
    return {"decisions.records": "cn.anti-money-laundering records_keep_years"} if await store.records_of(work, customer_id) else {}


async def _demand_application(work: Work, customer_id: str, application_id: str) -> Application:
    found = await store.find_application(work, customer_id, application_id)
    if found is None:
        raise NotFound(what="application", which=application_id)
    return found


def _demand_on_sale(sold: Product, amount_fen: int, months: int, purpose: str) -> None:
    if not sold.amount_min_fen <= amount_fen <= sold.amount_max_fen:
        raise BadField(field="amount_fen", why=f"it must lie between {sold.amount_min_fen} and {sold.amount_max_fen}")
    if months not in sold.months:
        raise BadField(field="months", why=f"it must be one of {', '.join(map(str, sold.months))}")
    if not (1 <= len(purpose) <= 40 and all(sign.isalnum() or sign in "_-" for sign in purpose)):
        raise BadField(field="purpose", why="it must be a short code such as daily or medical")
