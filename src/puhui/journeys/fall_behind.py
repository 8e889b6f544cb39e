"""Reminders before the due day, and what happens when someone falls behind: the plan of days, promises, mercy, outsourcers, write-off."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from puhui.engines import law
from puhui.engines.law import ReminderRules
from puhui.engines.rules import Artefact, shipped
from puhui.engines.schedules import Method
from puhui.engines.schedules import Standing as LoanStanding
from puhui.foundation import flows
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.outbox import Reaction, Stored
from puhui.foundation.refusals import NotFound, WrongState
from puhui.foundation.work import Actor, Work
from puhui.journeys import contact
from puhui.journeys.contact import Wish
from puhui.rooms import arrears, customers, ledger, partners, staff
from puhui.rooms.arrears import Act, Planned
from puhui.rooms.contacts import Channel, Purpose
from puhui.rooms.ledger import LoanView
from puhui.rooms.staff import Member
from puhui.vocabulary.ids import derive
from puhui.vocabulary.steps import BorrowerStep, Session, State, StepAnswer

ACTOR = Actor("house", "arrears")
SHANGHAI = ZoneInfo("Asia/Shanghai")
REMIND_AT = time(9, 30)
ACT_AT = time(10, 30)
HARDSHIP_MONTHS_MAX = 24


def at_day(day: date, when: time) -> datetime:
    return datetime.combine(day, when, SHANGHAI).astimezone(UTC)


# -- reminders ------------------------------------------------------------------------------------------------------------------------------


async def on_disbursed(work: Work, event: Stored) -> None:
    """Watch the loan's due days from its first day on."""
    loan_id = event.body["loan_id"]
    loan = await ledger.find_loan(work, event.customer_id, loan_id)
    following = _next_reminder(loan, work.today) if loan else None
    if following:
        await flows.start(
            work,
            flow_id=derive("fl", event.customer_id, loan_id, "remind"),
            customer_id=event.customer_id,
            kind="remind",
            subject=loan_id,
            step="look",
            due=at_day(following, REMIND_AT),
        )


async def remind(desk: Desk, turn: Turn) -> Turn | None:
    """Step `remind.look`: tell of what is due soon, and wait for the next day on which to tell."""
    async with desk.work(ACTOR) as work:
        loan = await ledger.find_loan(work, turn.customer_id, turn.subject)
        if loan is None or loan.standing is not LoanStanding.ACTIVE:
            await flows.end(work, turn)
            return None
        rules = law.shipped().ask(ReminderRules, on=work.today)
        if loan.next_due and rules.is_reminder_day(on=work.today, due=loan.next_due) and loan.next_due_fen:
            await _tell_due_soon(work, loan, loan.next_due)
        following = _next_reminder(loan, work.today)
        if following is None:
            await flows.end(work, turn)
            return None
        return await flows.move(work, turn, due=at_day(following, REMIND_AT))


async def _tell_due_soon(work: Work, loan: LoanView, due: date) -> None:
    params = {"due": due.isoformat(), "amount_fen": loan.next_due_fen, "days": (due - work.today).days}
    wish = Wish(template="reminder.due-soon", purpose=Purpose.REMINDER, subject=loan.loan_id, params=params, within=timedelta(hours=11))
    await contact.tell(work, customer_id=loan.customer_id, parent=loan.loan_id, verb=f"remind-{work.today}", wish=wish)


def _next_reminder(loan: LoanView, today: date) -> date | None:
    """Give the next day after today on which something about this loan is to be told."""
    days_before = law.shipped().ask(ReminderRules, on=today).days_before_due
    days = (row.due - timedelta(days=before) for row in loan.rows if row.owed.total_fen for before in days_before)
    return min((day for day in days if day > today), default=None)


# -- falling behind -------------------------------------------------------------------------------------------------------------------------


async def on_fell_behind(work: Work, event: Stored) -> None:
    """Open the case or carry it on, and follow the plan from today."""
    customer_id, loan_id = event.customer_id, event.body["loan_id"]
    loan = await ledger.find_loan(work, customer_id, loan_id)
    if loan is None or not loan.is_late:
        return
    case = await arrears.fall_behind(
        work, customer_id=customer_id, loan_id=loan_id, days_late=loan.days_late, overdue_fen=loan.overdue_fen
    )
    flow_id = derive("fl", customer_id, loan_id, "arrears", case.k)
    due = at_day(work.today, ACT_AT)
    await flows.start(
        work,
        flow_id=flow_id,
        customer_id=customer_id,
        kind="arrears",
        subject=loan_id,
        step="act",
        due=max(due, work.at),
        state={"k": case.k},
    )


async def act(desk: Desk, turn: Turn) -> Turn | None:
    """Step `arrears.act`: what the plan wants for this day late; the contact gate decides whether it may happen."""
    async with desk.work(ACTOR) as work:
        loan = await ledger.find_loan(work, turn.customer_id, turn.subject)
        await arrears.break_promises(work, customer_id=turn.customer_id, loan_id=turn.subject)
        plan = (
            await arrears.plan_today(work, customer_id=turn.customer_id, loan_id=turn.subject, days_late=loan.days_late, rules=collection_rules())
            if loan is not None and loan.is_late
            else None
        )
        if loan is None or plan is None or plan.case.k != turn.state["k"]:
            await flows.end(work, turn)
            return None
        for line in plan.today:
            await _carry_out(work, loan, line)
        if plan.next_day is None:
            await flows.end(work, turn)
            return None
        due = at_day(work.today + timedelta(days=plan.next_day - loan.days_late), ACT_AT)
        return await flows.move(work, turn, due=due)


def collection_rules() -> Artefact:
    """Give the collection rules that are in force, opened: the room is handed them, it has none of its own."""
    return shipped.collection().artefact


async def _carry_out(work: Work, loan: LoanView, line: Planned) -> None:
    match line.act:
        case Act.SMS | Act.CALL:
            channel = Channel.SMS if line.act is Act.SMS else Channel.CALL
            params: dict[str, Any] = {"days": loan.days_late, "tone": line.tone}
            wish = Wish(line.template, Purpose.COLLECTION, loan.loan_id, params, channel, timedelta(hours=9))
            await contact.tell(work, customer_id=loan.customer_id, parent=loan.loan_id, verb=f"arrears-{work.today}-{line.act.value}", wish=wish)
        case Act.ASSIGN:
            outsourcers = await partners.listed_with(work, role=partners.Role.OUTSOURCER)
            if outsourcers:
                chosen = outsourcers[int(loan.loan_id[-4:], 16) % len(outsourcers)]
                await arrears.assign(work, customer_id=loan.customer_id, loan_id=loan.loan_id, outsourcer=chosen)
        case Act.PROPOSE_WRITE_OFF:
            await arrears.propose_write_off(work, customer_id=loan.customer_id, loan_id=loan.loan_id)


async def on_payment(work: Work, event: Stored) -> None:
    await arrears.hear_payment(work, customer_id=event.customer_id, loan_id=event.body["loan_id"], amount_fen=event.body["amount_fen"])


def ending(ended_by: str) -> Reaction:
    """Make the reaction that closes a case for this reason."""

    async def end(work: Work, event: Stored) -> None:
        await arrears.end_case(work, customer_id=event.customer_id, loan_id=event.body["loan_id"], ended_by=ended_by)

    return end


# -- mercy ----------------------------------------------------------------------------------------------------------------------------------


class Hardship(msgspec.Struct):
    """Body of step `hardship`."""

    loan_id: str
    reason: str
    proof_ref: str = ""


async def ask_hardship(desk: Desk, *, session: Session, body: Hardship, key: str) -> StepAnswer:
    """Ask for mercy: a case with the lawful clock; contact about the debt rests until it is answered."""
    async with desk.work(Actor("customer", session.who)) as work:
        loan = await ledger.find_loan(work, session.who, body.loan_id)
        if loan is None:
            raise NotFound(what="loan", which=body.loan_id)
        if loan.standing is not LoanStanding.ACTIVE:
            raise WrongState(what="the loan", state=loan.standing.value, possible="nothing to ease")
        case = await customers.open_case(
            work,
            customer_id=session.who,
            kind=customers.CaseKind.HARDSHIP,
            subject=body.loan_id,
            text=body.reason,
            proof_ref=body.proof_ref,
        )
        await arrears.ask_hardship(
            work,
            customer_id=session.who,
            case_id=case.case_id,
            loan_id=body.loan_id,
            reason=body.reason,
            proof_ref=body.proof_ref or None,
        )
        await customers.close_contact(work, customer_id=session.who, because="hardship")
        state = State.LATE if loan.is_late else State.ACTIVE
        return StepAnswer(state, ("repay", "payoff"), {"case_id": case.case_id, "due": case.due.isoformat()})


def eased_terms(loan: LoanView, months: int) -> dict[str, Any]:
    """Give the terms of a loan eased to run `months` from today: the same rate, the same method, a first due day a month away."""
    first_due = _a_month_after(loan.as_of)
    return {"rate_ppm": loan.rate_ppm, "months": months, "method": Method(loan.method), "first_due": first_due}


async def propose_ease(desk: Desk, *, member: Member, customer_id: str, case_id: str, months: int) -> str:
    """Staff asks for a second yes to easing a loan; give the approval's id. Raises NotFound, BadField, NotYourDuty."""
    async with desk.work(Actor("staff", member.staff_id)) as work:
        loan = await _eased_loan(work, customer_id, case_id)
        content = ledger.restructure_content(loan.loan_id, **eased_terms(loan, months))
        return await staff.ask_approval(work, member, kind="money.restructure", subject=loan.loan_id, content=content)


async def ease(desk: Desk, *, member: Member, customer_id: str, case_id: str, months: int, approval_id: str) -> dict[str, Any]:
    """Grant a plea with an approval in hand: new terms, the case answered, contact open again, the person told."""
    async with desk.work(Actor("staff", member.staff_id)) as work:
        loan = await _eased_loan(work, customer_id, case_id)
        terms = eased_terms(loan, months)
        content = ledger.restructure_content(loan.loan_id, **terms)
        approval = await staff.use_approval(work, approval_id=approval_id, kind="money.restructure", content=content)
        eased = await ledger.restructure(
            work, customer_id=customer_id, loan_id=loan.loan_id, key=f"{case_id}:eased", approval=approval, **terms
        )
        await arrears.answer_hardship(work, customer_id=customer_id, case_id=case_id, months=months)
        await _answer(work, customer_id, case_id, loan.loan_id, "granted", f"已为您把还款延长到{months}期，每期还款金额减少。")
        return {"loan_id": loan.loan_id, "per_month_fen": eased.next_due_fen, "first_due": terms["first_due"].isoformat()}


async def refuse_ease(desk: Desk, *, member: Member, customer_id: str, case_id: str, text: str) -> None:
    """Refuse a plea, in kind words."""
    async with desk.work(Actor("staff", member.staff_id)) as work:
        plea = await arrears.answer_hardship(work, customer_id=customer_id, case_id=case_id, months=None)
        await _answer(work, customer_id, case_id, plea.loan_id, "refused", text)


async def _answer(work: Work, customer_id: str, case_id: str, loan_id: str, outcome: str, text: str) -> None:
    await customers.answer(work, customer_id=customer_id, case_id=case_id, outcome=outcome, text=text)
    await customers.close_contact(work, customer_id=customer_id, because="")
    wish = Wish("hardship.answer", Purpose.SERVICE, loan_id, {"outcome": outcome}, within=timedelta(days=3))
    await contact.tell(work, customer_id=customer_id, parent=case_id, verb="answer", wish=wish)


async def _eased_loan(work: Work, customer_id: str, case_id: str) -> LoanView:
    plea = await arrears.find_hardship(work, customer_id, case_id)
    loan = await ledger.find_loan(work, customer_id, plea.loan_id) if plea else None
    if loan is None:
        raise NotFound(what="plea", which=case_id)
    return loan


def _a_month_after(day: date) -> date:
    month = day.replace(day=1) + timedelta(days=32)
    return month.replace(day=min(day.day, 28))


# -- the end of the road --------------------------------------------------------------------------------------------------------------------


async def propose_write_off(desk: Desk, *, member: Member, customer_id: str, loan_id: str) -> str:
    """Staff asks for a second yes to a write-off; give the approval's id. Raises NotFound for a loan that is not this person's."""
    member.demand(staff.Duty.PROPOSE_MONEY)
    async with desk.work(Actor("staff", member.staff_id)) as work:
        if await ledger.find_loan(work, customer_id, loan_id) is None:
            raise NotFound(what="loan", which=loan_id)
        return await staff.ask_approval(
            work, member, kind="money.write-off", subject=loan_id, content=ledger.write_off_content(loan_id)
        )


async def write_off(desk: Desk, *, member: Member, customer_id: str, loan_id: str, approval_id: str) -> LoanView:
    """Write a loan off with an approval in hand; the debt stands, and what comes later is recovered."""
    async with desk.work(Actor("staff", member.staff_id)) as work:
        approval = await staff.use_approval(
            work, approval_id=approval_id, kind="money.write-off", content=ledger.write_off_content(loan_id)
        )
        return await ledger.write_off(work, customer_id=customer_id, loan_id=loan_id, key=f"{approval_id}:off", approval=approval)


STEPS: Mapping[str, Step] = {"remind.look": remind, "arrears.act": act}
REACTIONS: Mapping[str, Sequence[Reaction]] = {
    "LoanDisbursed": (on_disbursed,),
    "LoanFellBehind": (on_fell_behind,),
    "RepaymentPosted": (on_payment,),
    "LoanCaughtUp": (ending("caught_up"),),
    "LoanSettled": (ending("settled"),),
    "LoanRestructured": (ending("restructured"),),
    "LoanWrittenOff": (ending("written_off"),),
}
BORROWER: Mapping[str, BorrowerStep] = {"hardship": BorrowerStep(Hardship, ask_hardship)}
