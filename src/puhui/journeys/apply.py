"""Applying: what was allowed is asked outside, all at once, as of the tap; then variables, decision, record and offers in one Work.

tap -> gather (sources and bureau, each under its permit) -> decide. A question without an answer is no answer: the application waits, says so,
and asks again. The same person through any entry gets the same answer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from puhui.engines.schedules import Standing as LoanStanding
from puhui.engines.variables.origination import bare
from puhui.foundation import flows
from puhui.foundation.days import age_on, business_date
from puhui.foundation.desk import Desk, is_switched_off
from puhui.foundation.flows import Step, Turn
from puhui.foundation.outbox import Reaction, Stored
from puhui.foundation.refusals import Refusal
from puhui.foundation.runner import run_now
from puhui.foundation.services import Answer, ServiceAway, Unknown
from puhui.foundation.work import HOUSE, Actor, Work
from puhui.journeys import purchase
from puhui.journeys.strategize import DECISIONS
from puhui.rooms import bureau, channels, customers, decisions, histories, ledger
from puhui.rooms.customers import Level
from puhui.rooms.decisions import Application, ApplicationState, Facts, Inputs
from puhui.rooms.histories import Fetch, FetchRefused, FetchState, Records, Report, ReportState
from puhui.rooms.ledger import LoanView
from puhui.vocabulary import ids
from puhui.vocabulary.permits import Permit, PermitStale
from puhui.vocabulary.steps import BorrowerStep, Session, State, StepAnswer

if TYPE_CHECKING:
    from puhui.rooms.histories.events import Held

SALES = "sales"
POLL_S = 1
HELD_BACK_S = 5
ASK_AGAIN_S = (2, 10, 60, 300, 900, 3600)
REASON = "loan_application"
NEW_TO_US = timedelta(hours=1)


class SalesStopped(Refusal):
    """New loans are stopped at the moment; nothing was asked or stored. Please come back later."""

    code = "apply.sales-stopped"
    zh = "新的借款申请暂停办理，您的信息没有被查询，请晚些再来。"
    status = 503
    retry = "later"


class FinishIdentityFirst(Refusal):
    """Before applying, finish the identity and bind a card (steps `identity` and `bind`)."""

    code = "apply.finish-identity-first"
    zh = "申请之前，请先完成实名认证和绑卡。"
    status = 409


class Apply(msgspec.Struct):
    """Body of `apply`: amount in fen, months, what for, and where the wish came up."""

    amount_fen: int
    months: int
    purpose: str
    scene: str = ""
    order_token: str = ""


class Proof(msgspec.Struct):
    """Body of `proof`: a self-supplied paper, and what it says (`monthly_income_fen`)."""

    kind: str
    file_ref: str
    fields: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked outside for one application, and as whom."""

    application: Application
    person: Mapping[str, str]
    fetches: tuple[tuple[Permit, Fetch], ...]
    query: tuple[Permit, Report] | None


async def apply(desk: Desk, *, session: Session, body: Apply, key: str) -> StepAnswer:
    """Take an application and decide it, within 0.8 s or behind us. A second tap, by whatever entry, gets the state of the first.

    Raises: SalesStopped, FinishIdentityFirst, NoConsent (the bureau's), AccountFrozenNow, WrongState, BadField.
    """
    del key
    async with desk.work(Actor("customer", session.who)) as work:
        await customers.demand_usable(work, session.who)
        application = await decisions.open_application(work, session.who)
        if application is None:
            application = await _receive(work, session, body)
        flow_id = _flow_of(application, 1)
        is_waiting = application.state is ApplicationState.WAITING
    if is_waiting:
        await run_now(desk, flow_id)
    return await where_it_stands(desk, session.who, application.application_id)


async def proof(desk: Desk, *, session: Session, body: Proof, key: str) -> StepAnswer:
    """Take a paper that was asked for, and decide again on what is known by now. Raises NotFound, WrongState, BadField."""
    del key
    async with desk.work(Actor("customer", session.who)) as work:
        await customers.demand_usable(work, session.who)
        owners = [session.who, session.session_id]
        await customers.open_file(work, owners=owners, file_ref=body.file_ref)
        await customers.use_file(work, owners=owners, file_ref=body.file_ref, kind="proof")
        application = await decisions.add_proof(work, customer_id=session.who, kind=body.kind, file_ref=body.file_ref, fields=body.fields)
        times = len(await decisions.proofs_of(work, session.who, application.application_id))
        flow_id = await _start(work, application, 1 + times)
    await run_now(desk, flow_id)
    return await where_it_stands(desk, session.who, application.application_id)


async def where_it_stands(desk: Desk, customer_id: str, application_id: str) -> StepAnswer:
    """Answer what became of an application so far."""
    async with desk.look(Actor("customer", customer_id)) as work:
        application = await decisions.find_application(work, customer_id, application_id)
        assert application is not None, application_id
        if application.state is ApplicationState.WAITING:
            return StepAnswer(State.WAITING, ("cancel",), {"application_id": application_id}, poll_s=POLL_S)
        record = await decisions.last_record(work, customer_id, application_id)
        assert record is not None, application_id
        told = decisions.told(record)
        show = {name: told[name] for name in ("application_id", "decision_id", "outcome", "reasons", "wanted", "no_flip", "ladder")}
        show["offers"] = await decisions.offers_in_force(work, application)
        if step := decisions.next_step(await decisions.product_of(work, record), record.ladder):
            show["ladder_next"] = {
                "step": step.step, "line_max_fen": step.line_max_fen, "settled_min": step.settled_min, "months_min": step.months_min
            }  # fmt: skip
    match application.state:
        case ApplicationState.OFFERED:
            return StepAnswer(State.OFFERED, ("quote", "accept", "cancel"), show)
        case ApplicationState.PROOF:
            return StepAnswer(State.PROOF, ("proof", "cancel"), show)
        case ApplicationState.ACCEPTED:
            return StepAnswer(State.ACCEPTED, ("read_cost", "cancel"), show)
        case ApplicationState.DECLINED:
            return StepAnswer(State.DECLINED, ("apply", "review_decision", "complain"), show)
        case ApplicationState.ENDED:
            return StepAnswer(State.CANCELLED, ("apply",), show)


async def asked_so_far(work: Work, application: Application) -> list[dict[str, Any]]:
    """Give who was asked for an application and whether he has answered: what somebody who waits may see of it."""
    customer_id, parent = application.customer_id, application.application_id
    fetches = await histories.fetches_of_parent(work, customer_id, parent)
    query = await histories.find_query(work, customer_id, parent=parent, reason=REASON)
    told = [{"source": source, "is_answered": fetch.state is not FetchState.ASKED} for source, fetch in sorted(fetches.items())]
    return [{"source": "bureau", "is_answered": query.state is not ReportState.ASKED}, *told] if query else told


async def _receive(work: Work, session: Session, body: Apply) -> Application:
    """Take a new application and start its flow, in the Work of the tap."""
    if await is_switched_off(work, SALES):
        raise SalesStopped
    person = await customers.standing(work, session.who)
    if person.level in {Level.NONE, Level.BASIC} or (not person.has_card and person.level is Level.VERIFIED):
        raise FinishIdentityFirst
    await customers.permit(work, customer_id=session.who, item="bureau", purpose="loan")
    token = body.order_token or session.order_token
    bought = await purchase.demand(work, token=token, amount_fen=body.amount_fen, months=body.months, purpose=body.purpose)
    application, _ = await decisions.receive(
        work,
        customer_id=session.who,
        session_id=session.session_id,
        entry_id=session.entry_id,
        device_id=session.device_id,
        amount_fen=body.amount_fen,
        months=body.months,
        purpose=body.purpose,
        scene=bought.scene_id if bought else body.scene or session.scene,
        order_token=token,
        place=(person.living_place_kind or "", person.living_place_tier, person.county),
    )
    if bought is not None:
        await channels.tie_purchase(work, bought, customer_id=session.who, application_id=application.application_id)
    await _start(work, application, 1)
    return application


async def _start(work: Work, application: Application, k: int) -> str:
    flow_id = _flow_of(application, k)
    await flows.start(
        work, flow_id=flow_id, customer_id=application.customer_id, kind="apply", subject=application.application_id, step="gather"
    )
    return flow_id


def _flow_of(application: Application, k: int) -> str:
    return ids.derive("fl", application.customer_id, application.application_id, "apply", k)


# -- the flow ------------------------------------------------------------------------------------------------------------


async def gather(desk: Desk, turn: Turn) -> Turn | None:
    """Step `apply.gather`: ask all that is allowed and not yet answered, at once; when nothing is open any more, decide."""
    async with desk.work(HOUSE, durable=False) as work:
        asking = await _write_down(work, turn)
    if asking is None:
        await _drop(desk, turn)
        return None
    *told, answer = await asyncio.gather(*(_fetch(desk, permit, fetch, asking.person) for permit, fetch in asking.fetches), _query(desk, asking))
    async with desk.work(HOUSE) as work:
        answered = [(fetch, records) for (_, fetch), records in zip(asking.fetches, told, strict=True) if isinstance(records, Records)]
        await histories.note_fetches(work, answered)
        held = await _tell(work, asking, answered, answer)
        is_open = any(isinstance(records, Unknown) for records in told)
        if asking.query and isinstance(answer, Answer):
            await _note_report(work, asking.query[1], asking.application.customer_id, answer)
        elif asking.query:
            is_open = True
        if is_open:
            pause = ASK_AGAIN_S[min(turn.attempts, len(ASK_AGAIN_S)) - 1]
            return await flows.move(work, turn, due=work.in_a_while(seconds=pause))
        if await is_switched_off(work, DECISIONS):
            return await flows.move(work, turn, due=work.in_a_while(seconds=HELD_BACK_S))
        await _decide(work, asking.application, held)
        await flows.end(work, turn)
        return None


async def _tell(work: Work, asking: Asking, answered: Sequence[tuple[Fetch, Records]], answer: object) -> "Held | None":
    """Append to the event log what sources and bureau told, known from the tap on, each under the permit by which it was asked."""
    permits = {permit.item: permit for permit, _ in asking.fetches}
    pages = {fetch.source: [page.raw for page in records.pages] for fetch, records in answered if records.state is FetchState.FULL}
    report = None
    if asking.query and isinstance(answer, Answer) and answer.is_good and answer.body["found"]:
        permits["bureau"], report = asking.query[0], answer.body["report"]
    return await histories.tell_sources(
        work, customer_id=asking.application.customer_id, as_of=asking.application.tapped_at, pages=pages, report=report, permits=permits
    )


async def _drop(desk: Desk, turn: Turn) -> None:
    """The application ended meanwhile (the person cancelled): nothing is asked for it any more."""
    async with desk.work(HOUSE) as work:
        await flows.end(work, turn)


async def _write_down(work: Work, turn: Turn) -> Asking | None:
    """Write every asking down before it is asked, each with the permit in force now; what is answered already is not asked again."""
    customer_id = turn.customer_id
    application = await decisions.find_application(work, customer_id, turn.subject)
    if application is None or application.state is not ApplicationState.WAITING:
        return None
    identity = await customers.identity(work, customer_id)
    permits = await _permits(work, customer_id)
    sources = [permits[item] for item in histories.SOURCES if item in permits]
    asked = await histories.ask_fetches(work, permits=sources, parent=application.application_id, as_of=application.tapped_at)
    fetches = [(permits[source], fetch) for source, fetch in asked.items() if _is_open(fetch, permits[source])]
    query = None
    if "bureau" in permits:
        report = await histories.ask_query(
            work, permit=permits["bureau"], parent=application.application_id, reason=REASON, as_of=application.tapped_at
        )
        query = (permits["bureau"], report) if report.state is ReportState.ASKED else None
    return Asking(application, identity.wire(), tuple(fetches), query)


def _is_open(fetch: Fetch, permit: Permit) -> bool:
    return fetch.state is FetchState.ASKED and fetch.consent_id == permit.consent_id


async def _permits(work: Work, customer_id: str) -> dict[str, Permit]:
    """Give a permit for every source and the bureau, as far as the person allows it now."""
    return await customers.permits(work, customer_id=customer_id, wanted=(*histories.SOURCES, "bureau"), purpose="loan")


async def _fetch(desk: Desk, permit: Permit, fetch: Fetch, person: Mapping[str, str]) -> Records | Unknown | None:
    """Ask a source. Unknown: unanswered, to be asked again. None: the source does not take the consent, so nothing of it may be known."""
    service = desk.service("checks", read_timeout_s=histories.records.READ_TIMEOUT_S)
    try:
        return await histories.fetch(service, permit, fetch, person=person)
    except (ServiceAway, PermitStale) as away:
        return Unknown(away.code)
    except FetchRefused:
        return None


async def _query(desk: Desk, asking: Asking) -> Answer | Unknown | None:
    """Ask the bureau, if there is anything to ask."""
    if asking.query is None:
        return None
    permit, report = asking.query
    answer = await bureau.query(
        desk.service("bureau"), permit, query_id=report.query_id, reason=REASON, as_of=report.as_of, person=asking.person
    )
    if isinstance(answer, Answer) and not answer.is_good and answer.status in {401, 429, 503}:
        return Unknown(f"bureau: {answer.code}")
    return answer


async def _note_report(work: Work, asked: Report, customer_id: str, answer: Answer) -> None:
    """Keep what the bureau said: a report, a white file, or its signed refusal."""
    if not answer.is_good:
        await histories.note_report(work, customer_id=customer_id, query_id=asked.query_id, report=None, code=answer.code)
        return
    report = msgspec.json.encode(answer.body["report"]) if answer.body["found"] else None
    await histories.note_report(work, customer_id=customer_id, query_id=asked.query_id, report=report)
    await bureau.note_query(
        work,
        customer_id=customer_id,
        query_id=asked.query_id,
        reason=REASON,
        consent_id=asked.consent_id,
        as_of=asked.as_of,
        found=report is not None,
        report=report or b"",
    )


# -- deciding ------------------------------------------------------------------------------------------------------------


async def _decide(work: Work, application: Application, held: "Held | None") -> None:
    """Read what is known as of the tap, as far as it may be used now, and decide."""
    customer_id, tapped_at = application.customer_id, application.tapped_at
    permits = await _permits(work, customer_id)
    states, told = await histories.ended(work, customer_id=customer_id, permits=permits.values(), as_of=tapped_at)
    ended = {source: state.value for source, state in sorted(states.items())} | ({"bureau": told.state.value} if told else {})
    known = await histories.known_as_of(
        work, customer_id=customer_id, catalogue=bare(), tables=sorted(permits), as_of_us=decisions.microseconds(tapped_at), held=held
    )
    identity = await customers.identity(work, customer_id)
    tapped_on = business_date(tapped_at)
    asked = decisions.Asked(application.amount_fen, application.months, age_on(identity.born, tapped_on))
    report = decisions.read_report(told.content) if told and told.content else None
    vector = decisions.compute(known.history, known.as_of_us, asked, report, ended)
    facts = await _facts(work, application, identity, vector, told)
    inputs = Inputs(facts, decisions.bounds_on(tapped_on), vector.values)
    sources = {
        "as_of": tapped_at.isoformat(),
        "as_of_us": known.as_of_us,
        "tables": sorted(permits),
        "places": dict(known.places),
        "events_sha256": known.sha256,
        "plan_sha256": vector.plan_sha256,
        "bits_sha256": vector.bits_sha256,
        "states": ended,
        "consents": {item: permit.consent_id for item, permit in sorted(permits.items())},
        "query_id": told.query_id if told else "",
    }
    await decisions.decide_application(work, application=application, inputs=inputs, sources=sources)
    await customers.note_thin_file(work, customer_id=customer_id, is_thin_file=facts.is_white)


async def _facts(
    work: Work, application: Application, identity: customers.Identity, vector: decisions.Vector, report: Report | None
) -> Facts:
    customer_id, tapped_on = application.customer_id, business_date(application.tapped_at)
    age = age_on(identity.born, tapped_on)
    person = await customers.standing(work, customer_id)
    screening = await customers.last_screening(work, customer_id)
    loans = [loan for loan in await ledger.loans_of(work, customer_id, tapped_on) if loan.standing is not LoanStanding.VOID]
    exposure = await decisions.exposure_of(work, customer_id)
    often, persons = await decisions.velocity(work, application)
    proofs = await decisions.proofs_of(work, customer_id, application.application_id)
    is_barred = screening is not None and screening.verdict is customers.Verdict.BLOCKED
    return Facts(
        today=tapped_on,
        age=age,
        amount_fen=application.amount_fen,
        months=application.months,
        purpose=application.purpose,
        region=identity.address_code,
        is_purchase=bool(application.order_token),
        work=decisions.work_of(age, vector.values),
        is_verified=person.level in {Level.VERIFIED, Level.EXPIRED, Level.BLOCKED},
        id_expires=identity.expires_on,
        is_blocked=person.is_frozen,
        screening_similarity_ppm=max((hit["similarity_ppm"] for hit in screening.hits), default=0) if screening and is_barred else 0,
        is_card_matched=person.has_card or person.level is Level.BLOCKED,
        device_persons_30d=persons,
        hours_since_new_device=await _hours_since_new_device(work, application),
        hours_since_new_card=await decisions.hours_since_new_card(work, application),
        applications_30d=often,
        days_late_with_us=max((loan.days_late for loan in loans), default=0),
        loans_settled=sum(loan.settled_on is not None for loan in loans),
        months_clean=sum(row.due <= tapped_on and not row.owed.total_fen for loan in loans for row in loan.rows),
        owed_fen=exposure.owed_fen,
        held_fen=exposure.held_fen,
        own_installments_fen=_own_installments(loans, report),
        is_white=report is None or report.content is None,
        proven_income_fen=decisions.proven_income_fen(proofs),
    )


async def _hours_since_new_device(work: Work, application: Application) -> int | None:
    """Give the whole hours since the person was first seen with this device; None if he has had it from the start."""
    seen = {who: since for who, since in await customers.people_of_device(work, application.device_id) if since <= application.tapped_at}
    customer = await customers.find_customer(work, application.customer_id)
    since = seen.get(application.customer_id)
    if since is None or customer is None or since - customer.registered_at < NEW_TO_US:
        return None
    return int((application.tapped_at - since) / timedelta(hours=1))


def _own_installments(loans: Sequence[LoanView], report: Report | None) -> int:
    """Give what our own loans ask a month, leaving out those that the bureau's report shows already."""
    shown = {account["account"] for account in report.content["accounts"]} if report and report.content else set()
    return sum(loan.next_due_fen for loan in loans if loan.standing is LoanStanding.ACTIVE and loan.loan_id not in shown)


# -- time ----------------------------------------------------------------------------------------------------------------


async def on_day_closed(work: Work, event: Stored) -> None:
    """At the day's end, applications whose offers have lapsed end."""
    del event
    while await decisions.expire_offers(work):
        continue


async def on_card_bound(work: Work, event: Stored) -> None:
    await decisions.note_card(work, customer_id=event.customer_id, binding_id=event.body["binding_id"], at=event.at)


STEPS: Mapping[str, Step] = {"apply.gather": gather}
REACTIONS: Mapping[str, Sequence[Reaction]] = {"BusinessDayClosed": (on_day_closed,), "CardBound": (on_card_bound,)}
BORROWER: Mapping[str, BorrowerStep] = {"apply": BorrowerStep(Apply, apply), "proof": BorrowerStep(Proof, proof)}
