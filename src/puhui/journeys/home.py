"""Where a person stands, in one answer: state, what may come next, offers, loans, consents, cases, messages. And what he may read of himself."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from puhui.engines.schedules import Standing as LoanStanding
from puhui.foundation.days import business_date
from puhui.foundation.desk import Desk
from puhui.foundation.work import Actor, Work
from puhui.journeys import accept, apply, statement
from puhui.rooms import agreements, bureau, contacts, customers, decisions, ledger
from puhui.rooms.customers import Level, PersonStanding
from puhui.rooms.decisions import Application, ApplicationState
from puhui.rooms.ledger import LoanView
from puhui.vocabulary.ids import ApplicationId, CustomerId
from puhui.vocabulary.steps import Session, State, StepAnswer

MESSAGES = 20
POLL_S = 1


async def home(desk: Desk, session: Session, _query: Mapping[str, str]) -> dict[str, Any]:
    """`GET /borrower/v1/home`."""
    async with desk.look(Actor("customer", session.who)) as work:
        person = await customers.standing(work, session.who)
        loans = [loan for loan in await ledger.loans_of(work, session.who, work.today) if loan.standing is not LoanStanding.VOID]
        application = await decisions.open_application(work, session.who)
        stands = await _stands(work, person, application or await decisions.last_application(work, session.who), loans)
        body: dict[str, Any] = {
            "state": stands.state.value,
            "next": list(stands.next),
            "show": dict(stands.show),
            "you": await _you(work, person),
            "consents": await _consents(work, session.who),
            "offers": await decisions.offers_in_force(work, application) if application else [],
            "loans": [statement.summary(loan) for loan in loans],
            "cases": await _cases(work, session.who),
            "messages": await _messages(work, session.who),
        }
        if stands.poll_s is not None:
            body["poll_s"] = stands.poll_s
        return body


async def where(work: Work, customer_id: str) -> StepAnswer:
    """Say where a person stands: the state, what may come next, and whether to ask again."""
    loans = [loan for loan in await ledger.loans_of(work, customer_id, work.today) if loan.standing is not LoanStanding.VOID]
    application = await decisions.open_application(work, customer_id) or await decisions.last_application(work, customer_id)
    return await _stands(work, await customers.standing(work, customer_id), application, loans)


async def _stands(work: Work, person: PersonStanding, application: Application | None, loans: list[LoanView]) -> StepAnswer:
    """Say the state: what is under way comes before what is owed, and what is owed before what was."""
    if person.is_frozen:
        return StepAnswer(State.FROZEN, ("complain",))
    if application is not None and application.state.is_open:
        return await _under_way(work, application)
    if any(loan.is_late or loan.standing is LoanStanding.WRITTEN_OFF for loan in loans):
        return StepAnswer(State.LATE, ("repay", "payoff", "hardship"))
    if any(loan.standing is LoanStanding.ACTIVE for loan in loans):
        return StepAnswer(State.ACTIVE, ("repay", "payoff", "apply"))
    if application is not None and application.state is ApplicationState.DECLINED:
        return StepAnswer(State.DECLINED, ("apply", "review_decision", "complain"))
    if loans:
        return StepAnswer(State.SETTLED, ("apply", "certificate", "export", "close_account"))
    if person.level is Level.BLOCKED:
        return StepAnswer(State.IDENTIFIED, ("complain",))
    if person.level in {Level.BASIC, Level.VERIFIED}:
        return StepAnswer(State.IDENTIFIED, ("apply",) if person.level is Level.VERIFIED and person.has_card else ("bind",))
    return StepAnswer(State.CONSENTED, ("identity",)) if person.items else StepAnswer(State.NEW, ("consent",))


async def _under_way(work: Work, application: Application) -> StepAnswer:
    match application.state:
        case ApplicationState.WAITING:
            asked = await apply.asked_so_far(work, application)
            return StepAnswer(State.WAITING, ("cancel",), {"application_id": application.application_id, "asked": asked}, poll_s=POLL_S)
        case ApplicationState.PROOF:
            return StepAnswer(State.PROOF, ("proof", "cancel"), {"application_id": application.application_id})
        case ApplicationState.OFFERED:
            return StepAnswer(State.OFFERED, ("quote", "accept", "cancel"), {"application_id": application.application_id})
        case ApplicationState.ACCEPTED | ApplicationState.DECLINED | ApplicationState.ENDED:
            return await _accepted(work, application)


async def _accepted(work: Work, application: Application) -> StepAnswer:
    """Say how far an accepted offer has come: waiting for funders, reading, confirmed, or signed and on its way to the money."""
    agreement = await agreements.standing(
        work, customer_id=CustomerId(application.customer_id), application_id=ApplicationId(application.application_id)
    )
    if agreement is None or agreement.reading.state is agreements.ReadingState.ABANDONED:
        return StepAnswer(State.WAITING, ("cancel",), {"application_id": application.application_id}, poll_s=POLL_S)
    if agreement.reading.state is agreements.ReadingState.SIGNED:
        return StepAnswer(State.PAYING, ("cancel",), {"loan_id": agreement.loan_id}, poll_s=POLL_S)
    customer_id, loan_id = agreement.customer_id, agreement.loan_id
    if agreements.is_confirmed(agreement) and await agreements.is_being_signed(work, customer_id=customer_id, loan_id=loan_id):
        return StepAnswer(State.WAITING, ("sign", "cancel"), {"loan_id": agreement.loan_id}, poll_s=POLL_S)
    return accept.table_shown(agreement)


async def _you(work: Work, person: PersonStanding) -> dict[str, Any]:
    """Give what a person is shown of himself, as little as tells him that it is he."""
    card, phone = await customers.card(work, person.customer_id), await customers.phone_of(work, person.customer_id)
    shown: dict[str, Any] = {"level": person.level.value, "phone_tail": phone[-4:] if phone else ""}
    if person.level is not Level.NONE:
        known = await customers.identity(work, person.customer_id)
        shown |= {"name": known.name, "id_tail": known.id_tail, "id_until": known.expires_on.isoformat()}
    return shown | ({"bank_code": card.bank_code, "card_tail": card.tail} if card else {})


async def _consents(work: Work, customer_id: str) -> list[dict[str, Any]]:
    return [
        {
            "consent_id": consent.consent_id,
            "item": consent.item,
            "purpose": consent.purpose,
            "recipient": consent.recipient,
            "until": _last_day(consent.until).isoformat(),
            "state": consent.standing(work.at).value,
        }
        for consent in await customers.consents_of(work, customer_id)
    ]


def _last_day(end: datetime) -> date:
    """Give the last day of a span that ends, half-open, at this instant."""
    return business_date(end - timedelta(microseconds=1))


async def _cases(work: Work, customer_id: str) -> list[dict[str, Any]]:
    return [
        {
            "case_id": case.case_id,
            "kind": case.kind.value,
            "subject": case.subject,
            "state": case.state.value,
            "due": case.due.isoformat(),
            "outcome": case.outcome,
            "answer": case.answer,
        }
        for case in await customers.cases_of(work, customer_id)
    ]


async def _messages(work: Work, customer_id: str) -> list[dict[str, Any]]:
    return [
        {"message_id": one.message_id, "at": one.wanted_at.isoformat(), "template": one.template, "purpose": one.purpose.value, "state": one.state}
        for one in await contacts.orders_of(work, customer_id, most=MESSAGES)
    ]


async def decisions_about_me(desk: Desk, session: Session, query: Mapping[str, str]) -> dict[str, Any]:
    """`GET /borrower/v1/decisions`: what was decided about the person, when, and why in his own words."""
    async with desk.look(Actor("customer", session.who)) as work:
        records = await decisions.records_of(work, session.who)
        return {"decisions": [decisions.told(record, query.get("lang", "zh")) for record in records]}


async def queries(desk: Desk, session: Session, _query: Mapping[str, str]) -> dict[str, Any]:
    """`GET /borrower/v1/queries`: who asked about the person, when, why, under which consent."""
    async with desk.look(Actor("customer", session.who)) as work:
        asked = await bureau.rows_of(work, "queries_of", customer_id=session.who)
    return {
        "queries": [
            {
                "query_id": one["query_id"],
                "at": one["asked_as_of"].isoformat(),
                "reason": one["reason"],
                "consent_id": one["consent_id"],
                "recipient": "bureau",
                "found": one["found"],
            }
            for one in asked
        ]
    }
