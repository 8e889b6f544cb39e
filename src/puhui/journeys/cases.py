"""Speaking up: questions, complaints, disputes, the wish for a person's eye on a decision, "that loan is not mine", and freezing the account.

Each opens a case with its legal clock; "not mine" and a freeze act at once.
"""

from collections.abc import Mapping, Sequence

import msgspec

from puhui.foundation.desk import Desk
from puhui.foundation.outbox import Reaction, Stored
from puhui.foundation.refusals import BadField, NotFound
from puhui.foundation.work import Actor, Work
from puhui.journeys import home
from puhui.rooms import channels, customers, decisions, ledger
from puhui.rooms.customers import Case, CaseKind, FreezeReason
from puhui.vocabulary.steps import BorrowerStep, Session, StepAnswer

TEXT_MAX = 4000
ASKED_FOR = {"lost_phone": FreezeReason.LOST_PHONE, "proxy": FreezeReason.PROXY, "deceased": FreezeReason.DECEASED}
LIFTED = frozenset({"declined", "lifted"})
"""Outcomes after which a freeze or a claim "not mine" no longer stands; any other leaves it in force."""


class Complain(msgspec.Struct):
    """Body of step `complain`."""

    text: str


class Ask(msgspec.Struct):
    """Body of step `ask`: a question in the person's own words."""

    text: str


class Dispute(msgspec.Struct):
    """Body of step `dispute`: which fact is wrong (a loan, a month of the bureau record, any id), and why."""

    subject: str
    text: str


class ReviewDecision(msgspec.Struct):
    """Body of step `review_decision`."""

    decision_id: str
    text: str = ""


class NotMine(msgspec.Struct):
    """Body of step `not_mine`."""

    loan_id: str
    text: str


class Freeze(msgspec.Struct):
    """Body of step `freeze`."""

    reason: str
    proof_ref: str = ""


async def complain(desk: Desk, *, session: Session, body: Complain, key: str) -> StepAnswer:
    """Take a complaint; the same request again is the same complaint. Raises BadField."""
    async with desk.work(Actor("customer", session.who)) as work:
        case = await _open(work, session, CaseKind.COMPLAINT, subject="", text=body.text, request=f"{session.session_id}|{key}")
        return await _told(work, session.who, case)


async def ask(desk: Desk, *, session: Session, body: Ask, key: str) -> StepAnswer:
    """Hand a question to a person of the service, who answers by its clock; the same request again is the same question. Raises BadField."""
    async with desk.work(Actor("customer", session.who)) as work:
        case = await _open(work, session, CaseKind.QUESTION, subject="", text=body.text, request=f"{session.session_id}|{key}")
        text = f"您的问题已经转给人工客服，最晚{case.due.month}月{case.due.day}日答复，到时在首页可以看到。"
        return await _told(work, session.who, case, text=text, handed_over=True)


async def dispute(desk: Desk, *, session: Session, body: Dispute, key: str) -> StepAnswer:
    """Take a dispute about a fact; nobody presses for the debt in question until it is answered. Raises BadField."""
    del key
    if not body.subject or len(body.subject) > 80:
        raise BadField(field="subject", why="name what is wrong, in at most 80 signs")
    async with desk.work(Actor("customer", session.who)) as work:
        case = await _open(work, session, CaseKind.DISPUTE, subject=body.subject, text=body.text)
        if await ledger.find_loan(work, session.who, body.subject) is not None:
            await customers.close_contact(work, customer_id=session.who, because="disputed")
        return await _told(work, session.who, case)


async def review_decision(desk: Desk, *, session: Session, body: ReviewDecision, key: str) -> StepAnswer:
    """Ask that a person looks at a decision made by the machine (article 24); asked twice, it is one case. Raises NotFound."""
    del key
    async with desk.work(Actor("customer", session.who)) as work:
        if body.decision_id not in {record.decision_id for record in await decisions.records_of(work, session.who)}:
            raise NotFound(what="decision", which=body.decision_id)
        case = await _open(work, session, CaseKind.REVIEW, subject=body.decision_id, text=body.text or "请人工复核")
        return await _told(work, session.who, case)


async def not_mine(desk: Desk, *, session: Session, body: NotMine, key: str) -> StepAnswer:
    """Take the claim that another person took the loan: contact about it stops and the account freezes, at once. Raises NotFound, BadField."""
    del key
    async with desk.work(Actor("customer", session.who)) as work:
        if await ledger.find_loan(work, session.who, body.loan_id) is None:
            raise NotFound(what="loan", which=body.loan_id)
        case = await _open(work, session, CaseKind.NOT_MINE, subject=body.loan_id, text=body.text)
        await customers.close_contact(work, customer_id=session.who, because="not_mine")
        await customers.freeze(work, customer_id=session.who, because=FreezeReason.NOT_MINE)
        return await _told(work, session.who, case)


async def freeze(desk: Desk, *, session: Session, body: Freeze, key: str) -> StepAnswer:
    """Freeze the account at once, end every other visit, and let a person look at it. Raises BadField, NotFound (proof)."""
    del key
    because = ASKED_FOR.get(body.reason)
    if because is None:
        raise BadField(field="reason", why="lost_phone, proxy or deceased")
    async with desk.work(Actor("customer", session.who)) as work:
        if body.proof_ref:
            owners = [session.who, session.session_id]
            await customers.open_file(work, owners=owners, file_ref=body.proof_ref)
            await customers.use_file(work, owners=owners, file_ref=body.proof_ref, kind="proof")
        await customers.freeze(work, customer_id=session.who, because=because)
        await channels.end_all_of(work, customer_id=session.who, but=session.session_id)
        case = await _open(work, session, CaseKind.FREEZE, subject=body.reason, text=body.reason, proof_ref=body.proof_ref)
        return await _told(work, session.who, case)


async def _open(work: Work, session: Session, kind: CaseKind, *, subject: str, text: str, proof_ref: str = "", request: str = "") -> Case:
    if not text.strip() or len(text) > TEXT_MAX:
        raise BadField(field="text", why=f"write what happened, in 1 to {TEXT_MAX} signs")
    return await customers.open_case(
        work, customer_id=session.who, kind=kind, subject=subject, text=text.strip(), proof_ref=proof_ref, request=request
    )


async def _told(work: Work, customer_id: str, case: Case, **more: object) -> StepAnswer:
    stands = await home.where(work, customer_id)
    return StepAnswer(stands.state, stands.next, {"case_id": case.case_id, "due": case.due.isoformat(), **more}, stands.poll_s)


async def on_case_closed(work: Work, event: Stored) -> None:
    """When a case is answered: a dispute opens contact again; a freeze or a claim that did not hold is lifted."""
    kind, outcome = CaseKind(event.body["kind"]), event.body["outcome"]
    if kind is CaseKind.DISPUTE and not await _is_disputed(work, event.customer_id):
        await customers.reopen_contact(work, customer_id=event.customer_id, after="disputed")
    if kind in {CaseKind.NOT_MINE, CaseKind.FREEZE} and outcome in LIFTED:
        await customers.thaw(work, customer_id=event.customer_id)


async def _is_disputed(work: Work, customer_id: str) -> bool:
    return any(case.kind is CaseKind.DISPUTE and case.answered_at is None for case in await customers.cases_of(work, customer_id))


REACTIONS: Mapping[str, Sequence[Reaction]] = {"CaseClosed": (on_case_closed,)}

BORROWER: Mapping[str, BorrowerStep] = {
    "complain": BorrowerStep(Complain, complain),
    "ask": BorrowerStep(Ask, ask),
    "dispute": BorrowerStep(Dispute, dispute),
    "review_decision": BorrowerStep(ReviewDecision, review_decision),
    "not_mine": BorrowerStep(NotMine, not_mine),
    "freeze": BorrowerStep(Freeze, freeze),
}
