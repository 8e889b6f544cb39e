"""What staff does: log in, answer cases, grant mercy, say the second yes, stop and resume business, read boards and books.

Every function takes the member whom the door has recognized; the duty is demanded here or in the room, at every request, and what
changes something leaves a line in the audit.
"""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import msgspec

from puhui.foundation.desk import Desk, set_switch
from puhui.foundation.refusals import BadField, NotFound, Refusal
from puhui.foundation.work import Actor
from puhui.journeys import contact, fall_behind, tell_partner
from puhui.journeys.contact import Wish
from puhui.rooms import arrears, boards, bureau, channels, customers, ledger, partners, staff
from puhui.rooms.contacts import Purpose
from puhui.rooms.staff import Duty, LoggedIn, Member
from puhui.vocabulary.ids import PartnerId

MOST = 200
SWITCHES = ("pay-outs", "sales", "decisions")


class LogInFailed(Refusal):
    """Log-in failed ({why}). After five failures in a row the account locks for a while; ask an admin for a new password."""

    code = "staff.log-in-failed"
    zh = "登录失败（{why}）。连续失败 5 次账号会暂时锁定。"
    status = 401


class LogIn(msgspec.Struct):
    """Body of `POST /staff/v1/login`."""

    login: str
    password: str
    code: str = ""


class Answer(msgspec.Struct):
    """Answer of a case: `outcome` a word (upheld, declined, partly), `text` what the person reads."""

    customer_id: str
    outcome: str
    text: str


class Ease(msgspec.Struct):
    """Easing of a loan: how many months it shall run; with `approval_id` it is done, without it a second yes is asked for."""

    customer_id: str
    months: int
    approval_id: str = ""


class RefuseEase(msgspec.Struct):
    customer_id: str
    text: str


class WriteOff(msgspec.Struct):
    """Write-off of a loan; with `approval_id` it is done, without it a second yes is asked for."""

    customer_id: str
    approval_id: str = ""


class Why(msgspec.Struct):
    why: str


class Switch(msgspec.Struct):
    is_on: bool


async def log_in(desk: Desk, body: LogIn) -> dict[str, Any]:
    """Give a token. Raises LogInFailed; the failure is counted."""
    async with desk.work(Actor("staff", "log-in")) as work:
        result = await staff.log_in(work, login=body.login, given_password=body.password, code=body.code)
    if not isinstance(result, LoggedIn):
        raise LogInFailed(why=result.why)
    return {"token": result.token, "staff_id": result.member.staff_id, "roles": sorted(role.value for role in result.member.roles)}


async def member_of(desk: Desk, token: str) -> Member:
    """Recognize who holds this token, with the roles of now."""
    async with desk.work(Actor("staff", "door"), durable=False) as work:
        return await staff.member_of(work, given_token=token)


async def log_out(desk: Desk, token: str) -> None:
    async with desk.work(Actor("staff", "log-out")) as work:
        await staff.log_out(work, given_token=token)


# -- cases ----------------------------------------------------------------------------------------------------------------------------------


async def cases(desk: Desk, member: Member) -> list[dict[str, Any]]:
    """List the cases that wait, the most urgent first; the words of the person stay sealed until one is opened."""
    member.demand(Duty.ANSWER_CASES)
    async with desk.look(_actor(member)) as work:
        waiting = await customers.cases_waiting(work, most=MOST)
        return [
            {
                "case_id": case.case_id,
                "customer_id": case.customer_id,
                "kind": case.kind.value,
                "subject": case.subject,
                "state": case.state.value,
                "opened_at": case.opened_at.isoformat(),
                "due": case.due.isoformat(),
                "is_overdue": case.is_overdue(work.today),
            }
            for case in waiting
        ]


async def answer_case(desk: Desk, member: Member, case_id: str, body: Answer) -> dict[str, Any]:
    """Answer a complaint, dispute, review or fraud claim; the person is told."""
    member.demand(Duty.ANSWER_CASES)
    async with desk.work(_actor(member)) as work:
        case = await customers.answer(work, customer_id=body.customer_id, case_id=case_id, outcome=body.outcome, text=body.text)
        if case.kind is customers.CaseKind.HARDSHIP:
            raise BadField(field="case_id", why="a plea is answered at /staff/v1/hardships, since it changes a loan")
        await staff.note(work, member, verb="answer_case", subject=case_id, facts={"kind": case.kind.value, "outcome": body.outcome})
        wish = Wish("case.answer", Purpose.SERVICE, case_id, {"kind": case.kind.value}, within=timedelta(days=3))
        await contact.tell(work, customer_id=body.customer_id, parent=case_id, verb="answer", wish=wish)
        return {"case_id": case_id, "state": case.state.value}


async def hardships(desk: Desk, member: Member) -> list[dict[str, Any]]:
    """List the pleas that wait for an answer."""
    member.demand(Duty.ANSWER_CASES)
    async with desk.look(_actor(member)) as work:
        waiting = [case for case in await customers.cases_waiting(work, most=MOST) if case.kind is customers.CaseKind.HARDSHIP]
        shown = []
        for case in waiting:
            loan = await ledger.find_loan(work, case.customer_id, case.subject)
            if loan is not None:
                shown.append(
                    {
                        "case_id": case.case_id,
                        "customer_id": case.customer_id,
                        "loan_id": loan.loan_id,
                        "due": case.due.isoformat(),
                        "days_late": loan.days_late,
                        "principal_owed_fen": loan.principal_owed_fen,
                        "months_left": sum(row.owed.total_fen > 0 for row in loan.rows),
                    }
                )
        return shown


async def ease(desk: Desk, member: Member, case_id: str, body: Ease) -> dict[str, Any]:
    """Ask for the second yes to easing a loan, or ease it with the approval in hand."""
    member.demand(Duty.PROPOSE_MONEY)
    if not 1 <= body.months <= fall_behind.HARDSHIP_MONTHS_MAX:
        raise BadField(field="months", why=f"1 to {fall_behind.HARDSHIP_MONTHS_MAX}")
    given = {"member": member, "customer_id": body.customer_id, "case_id": case_id, "months": body.months}
    if not body.approval_id:
        return {"approval_id": await fall_behind.propose_ease(desk, **given)}  # type: ignore[arg-type]
    return await fall_behind.ease(desk, approval_id=body.approval_id, **given)  # type: ignore[arg-type]


async def refuse_ease(desk: Desk, member: Member, case_id: str, body: RefuseEase) -> dict[str, Any]:
    member.demand(Duty.ANSWER_CASES)
    await fall_behind.refuse_ease(desk, member=member, customer_id=body.customer_id, case_id=case_id, text=body.text)
    return {"case_id": case_id}


async def write_offs(desk: Desk, member: Member) -> list[dict[str, Any]]:
    """List the loans whose write-off is proposed."""
    member.demand(Duty.SEE_BOOKS)
    async with desk.look(_actor(member)) as work:
        return [{"customer_id": customer_id, "loan_id": loan_id} for customer_id, loan_id in await arrears.proposed_write_offs(work)]


async def write_off(desk: Desk, member: Member, loan_id: str, body: WriteOff) -> dict[str, Any]:
    """Ask for the second yes to a write-off, or do it with the approval in hand."""
    if not body.approval_id:
        return {"approval_id": await fall_behind.propose_write_off(desk, member=member, customer_id=body.customer_id, loan_id=loan_id)}
    done = await fall_behind.write_off(desk, member=member, customer_id=body.customer_id, loan_id=loan_id, approval_id=body.approval_id)
    return {"loan_id": loan_id, "standing": done.standing.value}


# -- two persons' yes -----------------------------------------------------------------------------------------------------------------------


async def approvals(desk: Desk, member: Member) -> list[dict[str, Any]]:
    """List the requests that wait for a second yes; for members who ask for one or give one."""
    duties = {duty for pair in staff.ASKING.values() for duty in pair}
    if not duties & member.duties:
        member.demand(Duty.APPROVE_MONEY)
    async with desk.look(Actor("staff", "read")) as work:
        return [_plain(asdict(request)) for request in await staff.requests(work, state="open", most=MOST)]


async def approve(desk: Desk, member: Member, approval_id: str) -> dict[str, Any]:
    async with desk.work(_actor(member)) as work:
        return _plain(asdict(await staff.approve(work, member, approval_id=approval_id)))


async def decline(desk: Desk, member: Member, approval_id: str, body: Why) -> dict[str, Any]:
    async with desk.work(_actor(member)) as work:
        await staff.decline(work, member, approval_id=approval_id, why=body.why)
    return {"approval_id": approval_id, "state": "declined"}


# -- business -------------------------------------------------------------------------------------------------------------------------------


async def switch(desk: Desk, member: Member, name: str, body: Switch) -> dict[str, Any]:
    """Stop or resume pay-outs, the sale, or deciding, at once."""
    if name not in SWITCHES:
        raise NotFound(what="switch", which=name)
    member.demand(Duty.RESUME_BUSINESS if body.is_on else Duty.STOP_BUSINESS)
    async with desk.work(_actor(member)) as work:
        await set_switch(work, name, is_on=body.is_on)
        await staff.note(work, member, verb="switch", subject=name, facts={"is_on": int(body.is_on)})
    return {"name": name, "is_on": body.is_on}


async def suspend_partner(desk: Desk, member: Member, partner_id: str, body: Why) -> dict[str, Any]:
    """Suspend a partner: nothing passes with it from the next request on."""
    member.demand(Duty.PROPOSE_PARTNER)
    async with desk.work(_actor(member)) as work:
        changed = await partners.change_standing(
            work, partner_id=PartnerId(partner_id), wanted=partners.Standing.SUSPENDED, why=body.why
        )
        await staff.note(work, member, verb="suspend_partner", subject=partner_id, facts={})
        desk.held["listed_partners"] = await partners.listed_owners(work)
        return {"partner_id": partner_id, "standing": changed.standing.value}


async def board(desk: Desk, member: Member, name: str) -> Any:
    """Show one board."""
    member.demand(Duty.SEE_BOARDS)
    async with desk.look(_actor(member)) as work:
        shown = {
            "funnel": boards.funnel,
            "entries": boards.entries,
            "money": boards.money,
            "speed": boards.speed,
            "arrears": boards.arrears,
            "standing": boards.standing,
            "funding": boards.funding,
            "thin-file": boards.thin_file,
            "cases": boards.cases,
        }
        if name not in shown:
            raise NotFound(what="board", which=name)
        value = await shown[name](work)  # type: ignore[operator]
        return [_plain(asdict(line)) for line in value] if isinstance(value, list) else _plain(asdict(value))


async def trial_balance(desk: Desk, member: Member, on: str) -> dict[str, Any]:
    """Give the trial balance at the end of a day."""
    member.demand(Duty.SEE_BOOKS)
    try:
        day = date.fromisoformat(on)
    except ValueError:
        raise BadField(field="on", why="a day like 2026-09-30") from None
    async with desk.look(_actor(member)) as work:
        lines = await ledger.trial_balance(work, day)
        return {"on": on, "lines": [_plain(asdict(line)) for line in lines], "sum_fen": sum(line.balance_fen for line in lines)}


async def bureau_state(desk: Desk, member: Member) -> dict[str, Any]:
    """Show what was reported, what waits and what was rejected, and the codes still to be verified."""
    member.demand(Duty.SEE_BOARDS)
    async with desk.look(_actor(member)) as work:
        latest = [
            {"batch_id": one.batch_id, "rows": one.rows, "state": one.state, "accepted": one.accepted or 0, "rejected": one.rejected or 0}
            for one in await bureau.batches(work, most=50)
        ]
        return {"records": await bureau.counts(work), "batches": latest, "to_verify": bureau.to_verify()}


async def audit(desk: Desk, member: Member, after: int) -> list[dict[str, Any]]:
    """Read the audit from a place on; that, too, is noted."""
    async with desk.work(_actor(member)) as work:
        return [_plain(asdict(line)) for line in await staff.read_audit(work, member, after=after)]


def _actor(member: Member) -> Actor:
    return Actor("staff", member.staff_id)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Give a value as plain JSON: enums by their value, days and instants in ISO, bytes as hex, nothing for None."""
    plain: dict[str, Any] = msgspec.to_builtins(values, enc_hook=str)
    return {name: value for name, value in plain.items() if value is not None}


# -- what partners did not take -------------------------------------------------------------------------------------------------------------


async def parked_events(desk: Desk, member: Member) -> list[dict[str, Any]]:
    """List the events that a partner did not take for a day, oldest first."""
    member.demand(Duty.PROPOSE_PARTNER)
    async with desk.look(_actor(member)) as work:
        return [
            {
                "event_id": event.event_id,
                "partner_id": event.partner_id,
                "kind": event.kind,
                "subject": event.application_id,
                "at": event.at.isoformat(),
                "tries": event.tries,
            }
            for event in await channels.parked_events(work)
        ]


async def send_event_again(desk: Desk, member: Member, event_id: str) -> dict[str, Any]:
    """Let a parked event, and those behind it, go out again. Raises NotFound."""
    member.demand(Duty.PROPOSE_PARTNER)
    await tell_partner.send_again(desk, event_id)
    async with desk.work(_actor(member)) as work:
        await staff.note(work, member, verb="send_event_again", subject=event_id, facts={})
    return {"event_id": event_id, "state": "waiting"}
