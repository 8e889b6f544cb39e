"""Reporting to the credit bureau: what happened becomes a record, records become files, feedback comes back, a first bad mark is told before.

Records are noted as things happen; the months' ends in pages after the day is closed; files leave every morning. A file is never stored:
it is written again from its rows, to the same bytes, with names opened for that moment only.
"""

import calendar
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from puhui.engines.schedules import Standing as LoanStanding
from puhui.foundation import flows, outbox
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.outbox import Callback, Reaction, Reader, Stored
from puhui.foundation.services import Unknown
from puhui.foundation.work import Actor, Work
from puhui.journeys import contact
from puhui.journeys.contact import Wish
from puhui.rooms import bureau, customers, ledger
from puhui.rooms.bureau import Feedback, Opening, Person, Standing
from puhui.rooms.contacts import Purpose
from puhui.vocabulary.ids import NOBODY, derive

ACTOR = Actor("house", "bureau")
SHANGHAI = ZoneInfo("Asia/Shanghai")
PAGE = 200
FILES_AT = time(6, 30)
ASK_AGAIN = timedelta(hours=3)
TRY_AGAIN = timedelta(minutes=10)
NOTICE = "bureau.first-mark"


# -- facts of the ledger as the bureau's canonical record ---------------------------------------------------------------------------------


async def opening_of(work: Work, customer_id: str, loan_id: str) -> Opening:
    """Give what was agreed, in the bureau room's words."""
    loan = await ledger.find_loan(work, customer_id, loan_id)
    assert loan is not None, loan_id
    person = await customers.identity(work, customer_id)
    return Opening(
        loan_id, loan.opened_on, loan.maturity, loan.principal_fen, loan.months, loan.method.value, person.living_place_code[:6]
    )


async def standing_of(work: Work, customer_id: str, loan_id: str, day: date) -> Standing:
    """Give how a loan stands at the end of a day, in the bureau room's words."""
    month = await ledger.account_month(work, customer_id, loan_id, day)
    is_closed = month.standing is LoanStanding.SETTLED
    due_day = min(month.opened_on.day, calendar.monthrange(day.year, day.month)[1])
    return Standing(
        loan_id=loan_id,
        day=day,
        principal_fen=month.balance_fen,
        overdue_fen=month.overdue_fen,
        overdue_principal_fen=month.overdue_principal_fen,
        aged_principal_fen=(month.aged_31_60_fen, month.aged_61_90_fen, month.aged_91_180_fen, month.aged_over_180_fen),
        days_late=month.days_late,
        unpaid_installments=month.overdue_installments,
        remaining_installments=0 if is_closed else month.installments_left,
        settle_day=min(day.replace(day=due_day), day),
        is_anything_due=month.was_due_this_month or month.days_late > 0,
        due_in_month_fen=month.due_this_month_fen,
        paid_in_month_fen=month.paid_this_month_fen,
        last_paid_on=month.last_paid_on,
        asset_class=month.asset_class.value,
        class_since=await ledger.class_since(work, customer_id, loan_id, day) or month.opened_on,
        closed_on=month.closed_on if is_closed else None,
        is_written_off=month.standing is LoanStanding.WRITTEN_OFF,
    )


# -- things happen --------------------------------------------------------------------------------------------------------------------------


async def on_disbursed(work: Work, event: Stored) -> None:
    """Note the new account. A missed first report would be a defect of the first order."""
    customer_id, loan_id = event.customer_id, event.body["loan_id"]
    person = await customers.standing(work, customer_id)
    opening = await opening_of(work, customer_id, loan_id)
    await bureau.note_opening(work, customer_id=customer_id, opening=opening, was_thin_file=bool(person.is_thin_file))


async def on_settled(work: Work, event: Stored) -> None:
    customer_id, loan_id = event.customer_id, event.body["loan_id"]
    closed_on = date.fromisoformat(event.body["value_date"])
    standing = await standing_of(work, customer_id, loan_id, closed_on)
    if standing.is_closed:
        opening = await opening_of(work, customer_id, loan_id)
        await bureau.note_closing(work, customer_id=customer_id, opening=opening, standing=standing)


async def on_caught_up(work: Work, event: Stored) -> None:
    """Overdue money came back between month ends: a bad mark that was sent shall not stay a day too long."""
    customer_id, loan_id = event.customer_id, event.body["loan_id"]
    if not await bureau.has_bad_mark(work, customer_id=customer_id, loan_id=loan_id):
        return
    standing = await standing_of(work, customer_id, loan_id, work.today)
    if not standing.is_bad:
        opening = await opening_of(work, customer_id, loan_id)
        await bureau.note_recovery(work, customer_id=customer_id, opening=opening, standing=standing)


async def on_day_closed(work: Work, event: Stored) -> None:
    """After the last day of a month, note every loan's month, page by page."""
    day = date.fromisoformat(event.body["business_date"])
    if bureau.is_month_end(day):
        flow_id = derive("fl", NOBODY, f"bureau-{day:%Y-%m}", "month-end")
        state = {"day": day.isoformat(), "after": ""}
        await flows.start(work, flow_id=flow_id, customer_id=NOBODY, kind="bureau", subject=f"{day:%Y-%m}", step="month", state=state)


async def note_months(desk: Desk, turn: Turn) -> Turn | None:
    """Step `bureau.month`: one page of loans in one Work."""
    day = date.fromisoformat(turn.state["day"])
    async with desk.work(ACTOR) as work:
        page = await ledger.loan_ids(work, after=turn.state["after"], most=PAGE)
        for customer_id, loan_id in page:
            await _note_month(work, customer_id, loan_id, day)
        if len(page) < PAGE:
            await flows.end(work, turn)
            return None
        return await flows.move(work, turn, state={"day": day.isoformat(), "after": page[-1][1]})


async def _note_month(work: Work, customer_id: str, loan_id: str, day: date) -> None:
    loan = await ledger.find_loan(work, customer_id, loan_id, day)
    if loan is None or loan.standing is LoanStanding.VOID or loan.opened_on > day:
        return
    if loan.settled_on is not None and loan.settled_on < day:
        return
    standing = await standing_of(work, customer_id, loan_id, day)
    opening = await opening_of(work, customer_id, loan_id)
    if await bureau.note_month(work, customer_id=customer_id, opening=opening, standing=standing):
        await _tell_before(work, customer_id, loan_id)


async def _tell_before(work: Work, customer_id: str, loan_id: str) -> None:
    """Tell the person before the first bad mark of a loan is sent; the record waits until the notice is out."""
    wish = Wish(template=NOTICE, purpose=Purpose.SERVICE, subject=loan_id, params={"loan": loan_id[-6:]}, within=timedelta(days=5))
    message_id = await contact.tell(work, customer_id=customer_id, parent=loan_id, verb=NOTICE, wish=wish)
    await bureau.order_notice(work, customer_id=customer_id, loan_id=loan_id, message_id=message_id)


async def on_message_sent(work: Work, event: Stored) -> None:
    if event.body["template"] == NOTICE:
        await bureau.note_told(work, message_id=event.body["message_id"], channel="sms")


# -- files ----------------------------------------------------------------------------------------------------------------------------------


async def write_files(desk: Desk, turn: Turn) -> Turn | None:
    """Step `bureau.write`, every morning: write what may be sent, note the batches, start a flow for each, and come again tomorrow."""
    async with desk.work(ACTOR) as work:
        persons = await _persons(work, await bureau.sendable_customers(work, until=work.today))
        for batch, _ in await bureau.write_batches(work, until=work.today, person_of=_named(persons)):
            await flows.start(
                work,
                flow_id=derive("fl", NOBODY, batch.batch_id, "send"),
                customer_id=NOBODY,
                kind="bureau",
                subject=batch.batch_id,
                step="send",
            )
        return await flows.move(work, turn, due=next_at(work.at, FILES_AT))


async def send_file(desk: Desk, turn: Turn) -> Turn | None:
    """Step `bureau.send`: the file leaves under its own name; unanswered, it leaves again."""
    async with desk.work(ACTOR) as work:
        batch_customers = await bureau.customers_in(work, turn.subject)
        persons = await _persons(work, batch_customers)
        batch, body = await bureau.rewrite_batch(work, batch_id=turn.subject, person_of=_named(persons))
    answer = await bureau.send_batch(desk.service("bureau"), batch_id=batch.batch_id, file_name=batch.file_name, body=body)
    async with desk.work(ACTOR) as work:
        if isinstance(answer, Unknown) or not answer.is_good:
            return await flows.move(work, turn, due=work.at + TRY_AGAIN)
        await bureau.note_received(work, batch_id=batch.batch_id)
        return await flows.move(work, turn, step="ask", due=work.at + ASK_AGAIN)


async def ask_file(desk: Desk, turn: Turn) -> Turn | None:
    """Step `bureau.ask`: what GET says wins; until the batch is checked, ask again."""
    told = await bureau.ask_batch(desk.service("bureau"), turn.subject)
    async with desk.work(ACTOR) as work:
        if isinstance(told, Unknown) or told[0] != "checked":
            return await flows.move(work, turn, due=work.at + ASK_AGAIN)
        _, accepted, feedback = told
        rejected = [Feedback(int(one["line"]), str(one["code"])) for one in feedback]
        await bureau.hear_feedback(work, batch_id=turn.subject, accepted=accepted, rejected=rejected)
        await flows.end(work, turn)
    return None


async def on_batch_checked(desk: Desk, callback: Callback) -> None:
    """The bureau says that it is done: ask at once what it found."""
    async with desk.work(ACTOR) as work:
        if await outbox.mark_read(work, callback):
            await flows.wake(work, derive("fl", NOBODY, callback.subject, "send"), step="ask")


async def _persons(work: Work, customer_ids: Sequence[str]) -> Mapping[str, Person]:
    persons = {}
    for customer_id in customer_ids:
        person = await customers.identity(work, customer_id)
        persons[customer_id] = Person(person.name, person.id_number.text, customer_id[-20:])
    return persons


def _named(persons: Mapping[str, Person]) -> Callable[[str], Person]:
    return persons.__getitem__


def next_at(now: datetime, when: time) -> datetime:
    """Give the next instant at which the clock in Shanghai shows `when`, strictly after now."""
    local = now.astimezone(SHANGHAI)
    candidate = datetime.combine(local.date(), when, SHANGHAI)
    return (candidate if candidate > local else candidate + timedelta(days=1)).astimezone(UTC)


# -- disputes ---------------------------------------------------------------------------------------------------------------------------------


async def on_dispute_opened(desk: Desk, callback: Callback) -> None:
    """A person disputes a mark at the bureau: a case with the bureau's clock, and a flow that compares and answers."""
    async with desk.work(ACTOR) as work:
        if not await outbox.mark_read(work, callback):
            return
        data = callback.data
        dispute_id, loan_id = str(data["dispute_id"]), str(data["account"])
        customer_id = await bureau.customer_of(work, loan_id)
        if customer_id is None:
            return
        case = await customers.open_case(
            work, customer_id=customer_id, kind=customers.CaseKind.DISPUTE, subject=dispute_id, text=str(data.get("claim", ""))
        )
        await bureau.open_dispute(
            work,
            customer_id=customer_id,
            dispute_id=dispute_id,
            loan_id=loan_id,
            month=str(data["month"]),
            claim=str(data.get("claim", "")),
            case_id=case.case_id,
            due=case.due,
        )
        flow_id = derive("fl", customer_id, dispute_id, "dispute")
        await flows.start(
            work,
            flow_id=flow_id,
            customer_id=customer_id,
            kind="dispute",
            subject=dispute_id,
            step="judge",
            due=work.at + timedelta(days=1),
            state={"loan_id": loan_id, "month": str(data["month"]), "case_id": case.case_id},
        )


async def judge_dispute(desk: Desk, turn: Turn) -> Turn | None:
    """Step `dispute.judge`: the ledger's truth of that month against what was reported; a difference is corrected (212) before the answer."""
    year, month = (int(part) for part in str(turn.state["month"]).split("-"))
    day = date(year, month, calendar.monthrange(year, month)[1])
    async with desk.work(ACTOR) as work:
        opening = await opening_of(work, turn.customer_id, turn.state["loan_id"])
        truth = await standing_of(work, turn.customer_id, turn.state["loan_id"], day)
        outcome = await bureau.judge_dispute(work, dispute_id=turn.subject, opening=opening, truth=truth)
        due = work.at if outcome == "kept" else next_at(work.at, FILES_AT) + timedelta(hours=1)
        return await flows.move(work, turn, step="answer", due=due, state=dict(turn.state) | {"outcome": outcome})


async def answer_dispute(desk: Desk, turn: Turn) -> Turn | None:
    """Step `dispute.answer`: tell the bureau, and close the case with the same words."""
    outcome = str(turn.state["outcome"])
    text = "核对账务后，记录与实际一致，予以保留。" if outcome == "kept" else "核对账务后，发现记录有误，已报送更正。"
    answer = await bureau.answer_dispute(desk.service("bureau"), dispute_id=turn.subject, outcome=outcome, text=text)
    async with desk.work(ACTOR) as work:
        if isinstance(answer, Unknown) or answer.status in {401, 403, 429, 503}:
            return await flows.move(work, turn, due=work.at + TRY_AGAIN)
        await customers.answer(
            work, customer_id=turn.customer_id, case_id=str(turn.state["case_id"]), outcome=outcome, text=text
        )
        await flows.end(work, turn)
    return None


STEPS: Mapping[str, Step] = {
    "bureau.month": note_months,
    "bureau.write": write_files,
    "bureau.send": send_file,
    "bureau.ask": ask_file,
    "dispute.judge": judge_dispute,
    "dispute.answer": answer_dispute,
}
REACTIONS: Mapping[str, Sequence[Reaction]] = {
    "LoanDisbursed": (on_disbursed,),
    "LoanSettled": (on_settled,),
    "LoanCaughtUp": (on_caught_up,),
    "BusinessDayClosed": (on_day_closed,),
    "MessageSent": (on_message_sent,),
}
CALLBACKS: Mapping[str, Reader] = {"bureau.batch_checked": on_batch_checked, "bureau.dispute_opened": on_dispute_opened}
STANDING = (("bureau", "write", FILES_AT),)
"""Flows that always live: kind, step, and the time of day in Shanghai at which each is due first."""
