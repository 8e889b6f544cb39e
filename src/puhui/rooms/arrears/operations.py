"""What the room does: open, advance and close the case on a loan that is late; keep promises and pleas; hand to an outsourcer."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from puhui.engines.rules import Artefact
from puhui.foundation.refusals import BadField, NotFound, WrongState
from puhui.foundation.work import Work
from puhui.rooms.arrears import store
from puhui.rooms.arrears.stage import Stage, stage_of
from puhui.rooms.arrears.store import CollectionCase, Hardship
from puhui.rooms.arrears.treatment import Planned, Standing, next_planned, treat
from puhui.vocabulary.permits import ListedPartner

PROMISE_DAYS_MAX = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """What the rules want today for one case, and on which day late they want something next (None: nothing more)."""

    case: CollectionCase
    today: tuple[Planned, ...]
    next_day: int | None


async def fall_behind(work: Work, *, customer_id: str, loan_id: str, days_late: int, overdue_fen: int) -> CollectionCase:
    """Open the case of a loan that became late, or carry it to its stage of today. Told twice, it changes nothing the second time."""
    assert days_late >= 1, days_late
    stage = stage_of(days_late)
    case = await store.lock_open_case(work, customer_id, loan_id)
    late_since = work.today - timedelta(days=days_late)
    if case is None:
        await store.open_case(
            work, customer_id=customer_id, loan_id=loan_id, late_since=late_since, stage=stage, overdue_fen=overdue_fen
        )
    else:
        await store.advance_case(work, customer_id=customer_id, loan_id=loan_id, stage=stage, overdue_fen=overdue_fen)
    if case is None or case.stage is not stage:
        await store.add_stage_change(
            work, customer_id=customer_id, loan_id=loan_id, stage=stage, days_late=days_late, overdue_fen=overdue_fen
        )
    now = await store.lock_open_case(work, customer_id, loan_id)
    assert now is not None
    return now


async def end_case(work: Work, *, customer_id: str, loan_id: str, ended_by: str) -> bool:
    """Close the case: `caught_up`, `settled`, `restructured`, `written_off` or `not_mine`. Gives False if none was open."""
    closed = await store.close_case(work, customer_id=customer_id, loan_id=loan_id, ended_by=ended_by)
    if closed:
        await store.unassign(work, customer_id=customer_id, loan_id=loan_id)
        if ended_by in {"caught_up", "settled"}:
            await store.add_stage_change(work, customer_id=customer_id, loan_id=loan_id, stage=Stage.M0, days_late=0, overdue_fen=0)
    return closed


async def plan_today(work: Work, *, customer_id: str, loan_id: str, days_late: int, rules: Artefact) -> Plan | None:
    """Give what the rules want for this day late, once; None if no case is open. A day that was missed is not made up for."""
    case = await store.lock_open_case(work, customer_id, loan_id)
    if case is None:
        return None
    standing = await standing_of(work, case)
    wanted = treat(rules, standing, days_late) if days_late > case.planned_day else None
    if wanted:
        await store.note_planned(work, case, days_late)
    following = next_planned(rules, standing, days_late)
    return Plan(case, (wanted,) if wanted else (), following.day if following else None)


async def standing_of(work: Work, case: CollectionCase) -> Standing:
    """Give what the rules are told of a case: its sum, its promises, and whether a plea waits for its answer."""
    promises = await store.promise_states(work, case.customer_id, case.loan_id)
    pleas = await store.hardships_of(work, case.customer_id)
    return Standing(
        case.overdue_fen,
        "open" if promises.get("open") else None,
        "asked" if any(one.loan_id == case.loan_id and one.answered_at is None for one in pleas) else None,
        promises.get("broken", 0),
    )


async def promise(work: Work, *, customer_id: str, loan_id: str, day: date, amount_fen: int) -> int:
    """Keep a borrower's promise to pay by a day; give its number. Raises NotFound, BadField."""
    case = await store.lock_open_case(work, customer_id, loan_id)
    if case is None:
        raise NotFound(what="open collection case", which=loan_id)
    if not work.today <= day <= work.today + timedelta(days=PROMISE_DAYS_MAX):
        raise BadField(field="day", why=f"a promise is for today or one of the next {PROMISE_DAYS_MAX} days")
    if not 0 < amount_fen <= case.overdue_fen:
        raise BadField(field="amount_fen", why=f"it must be between 1 and the {case.overdue_fen} fen overdue")
    return await store.add_promise(work, customer_id=customer_id, loan_id=loan_id, day=day, amount_fen=amount_fen)


async def hear_payment(work: Work, *, customer_id: str, loan_id: str, amount_fen: int) -> None:
    """Keep the promises that a payment keeps, oldest first."""
    left = amount_fen
    for one in await store.open_promises(work, customer_id, loan_id):
        if one.amount_fen <= left and one.day >= work.today:
            await store.end_promise(work, customer_id=customer_id, loan_id=loan_id, k=one.k, state="kept")
            left -= one.amount_fen


async def break_promises(work: Work, *, customer_id: str, loan_id: str) -> int:
    """Mark the promises whose day has passed as broken; give how many."""
    broken = [one for one in await store.open_promises(work, customer_id, loan_id) if one.day < work.today]
    for one in broken:
        await store.end_promise(work, customer_id=customer_id, loan_id=loan_id, k=one.k, state="broken")
    return len(broken)


async def ask_hardship(work: Work, *, customer_id: str, case_id: str, loan_id: str, reason: str, proof_ref: str | None) -> Hardship:
    """Keep a plea; its clock is the case's. The same case again is the same plea. Raises WrongState while another plea for the loan is open."""
    await store.ask_hardship(work, customer_id=customer_id, case_id=case_id, loan_id=loan_id, reason=reason, proof_ref=proof_ref)
    plea = await store.find_hardship(work, customer_id, case_id)
    if plea is None:
        raise WrongState(what="the loan", state="already under a plea", possible="wait for its answer")
    return plea


async def answer_hardship(work: Work, *, customer_id: str, case_id: str, months: int | None) -> Hardship:
    """Answer a plea: granted with the months the loan shall run, or refused (`months` None). Raises NotFound, WrongState."""
    plea = await store.find_hardship(work, customer_id, case_id)
    if plea is None:
        raise NotFound(what="hardship plea", which=case_id)
    state = "granted" if months else "refused"
    if not await store.answer_hardship(work, customer_id=customer_id, case_id=case_id, state=state, months=months, answered_by=work.actor.name):
        raise WrongState(what="the plea", state=plea.state, possible="nothing; it has been answered")
    answered = await store.find_hardship(work, customer_id, case_id)
    assert answered is not None
    return answered


async def assign(work: Work, *, customer_id: str, loan_id: str, outsourcer: ListedPartner) -> None:
    """Hand a case to a listed outsourcer; one at a time."""
    assert outsourcer.role == "outsourcer", outsourcer
    if await store.assigned_to(work, customer_id, loan_id) is None:
        await store.assign(work, customer_id=customer_id, loan_id=loan_id, partner_id=outsourcer.partner_id)


async def export(work: Work, customer_id: str) -> dict[str, Any]:
    """Give what the room knows of a person, for that person alone."""
    return {
        "cases": [
            {"loan_id": case.loan_id, "late_since": case.late_since.isoformat(), "stage": case.stage.value, "ended_by": case.ended_by}
            for case in await store.cases_of(work, customer_id)
        ],
        "promises": [
            {"loan_id": one["loan_id"], "day": one["day"].isoformat(), "amount_fen": one["amount_fen"], "state": one["state"]}
            for one in await store.promises_of(work, customer_id)
        ],
        "hardships": [
            {"loan_id": one.loan_id, "asked_at": one.asked_at.isoformat(), "reason": one.reason, "state": one.state}
            for one in await store.hardships_of(work, customer_id)
        ],
    }


async def erase(work: Work, customer_id: str) -> dict[str, str]:
    """Nothing is erased: collection records are kept as the law demands. Gives what stays and why."""
    return {"arrears.cases": "cn.consumer-finance-company collection_record_years"} if await store.cases_of(work, customer_id) else {}
