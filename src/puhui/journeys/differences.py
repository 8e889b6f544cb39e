"""What finance works on: differences found in reconciliation, explained and closed, and money that names no debt, given its loan."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField
from puhui.foundation.work import Actor
from puhui.journeys import collect
from puhui.rooms import funding, payments, staff
from puhui.rooms.staff import Duty, Member
from puhui.vocabulary.ids import LoanId, PartnerId

STATES = ("explained", "corrected", "closed")


class Explain(msgspec.Struct):
    """What became of a difference: `book` is rail or a funder's id, `subject` the order or loan it is about, `state` explained | corrected | closed."""

    book: str
    day: str
    subject: str
    kind: str
    explanation: str
    state: str = "explained"


class Match(msgspec.Struct):
    """The loan that unmatched money belongs to."""

    loan_id: str


async def differences(desk: Desk, member: Member) -> list[dict[str, Any]]:
    """Give every difference to the rail's and the funders' books that is not closed, oldest first."""
    member.demand(Duty.RECONCILE)
    async with desk.look(_actor(member)) as work:
        at_rail = [_plain(row, book="rail", subject=row["key"]) for row in await payments.open_breaks(work)]
        at_funders = [_plain(row, book=row["partner_id"], subject=row["loan_id"]) for row in await funding.open_breaks(work)]
    return sorted([*at_rail, *at_funders], key=lambda one: (one["found_at"], one["book"], one["subject"]))


async def differences_page(desk: Desk, member: Member, *, most: int, skip: int) -> tuple[list[dict[str, Any]], int]:
    """Give a page of the differences that are not closed, the rail's before the funders', each the oldest first, and how many there are."""
    member.demand(Duty.RECONCILE)
    async with desk.look(_actor(member)) as work:
        of_rail = (await payments.waiting(work)).open_breaks
        at_rail = [_plain(row, book="rail", subject=row["key"]) for row in await payments.open_breaks(work, most=most, skip=skip)]
        left, before = most - len(at_rail), max(skip - of_rail, 0)
        at_funders = [_plain(row, book=row["partner_id"], subject=row["loan_id"]) for row in await funding.open_breaks(work, most=left, skip=before)]
        return [*at_rail, *at_funders], of_rail + await funding.count_open_breaks(work)


async def explain(desk: Desk, member: Member, body: Explain) -> dict[str, Any]:
    """Write down why a difference arose, that it was put right, or that it is done with. Raises NotFound, BadField."""
    member.demand(Duty.RECONCILE)
    day = _day(body)
    async with desk.work(_actor(member)) as work:
        if body.book == "rail":
            await payments.explain_break(
                work, day=day, key=body.subject, kind=body.kind, explanation=body.explanation, state=body.state
            )
        else:
            await funding.explain_break(
                work,
                partner_id=PartnerId(body.book),
                day=day,
                loan_id=LoanId(body.subject),
                kind=body.kind,
                explanation=body.explanation,
                state=body.state,
            )
        await staff.note(work, member, verb="explain_break", subject=body.subject, facts={"book": body.book, "kind": body.kind, "state": body.state})
    return {"book": body.book, "subject": body.subject, "kind": body.kind, "state": body.state}


async def unmatched(desk: Desk, member: Member) -> list[dict[str, Any]]:
    """Give the money that waits for its loan, oldest first."""
    member.demand(Duty.RECONCILE)
    async with desk.look(_actor(member)) as work:
        return [_plain(row) for row in await payments.unmatched(work)]


async def unmatched_page(desk: Desk, member: Member, *, most: int, skip: int) -> tuple[list[dict[str, Any]], int]:
    """Give a page of the money that waits for its loan, the oldest first, and how many there are."""
    member.demand(Duty.RECONCILE)
    async with desk.look(_actor(member)) as work:
        return [_plain(row) for row in await payments.unmatched(work, most=most, skip=skip)], (await payments.waiting(work)).unmatched


async def match(desk: Desk, member: Member, receipt_id: str, body: Match) -> dict[str, Any]:
    """Give unmatched money its loan; it counts from the day it came. Raises NotFound."""
    member.demand(Duty.RECONCILE)
    await collect.match_money(desk, actor=_actor(member), receipt_id=receipt_id, loan_id=LoanId(body.loan_id))
    async with desk.work(_actor(member)) as work:
        await staff.note(work, member, verb="match_money", subject=receipt_id, facts={"loan_id": body.loan_id})
    return {"receipt_id": receipt_id, "loan_id": body.loan_id, "state": "matched"}


def _day(body: Explain) -> date:
    if body.state not in STATES:
        raise BadField(field="state", why="it is explained, corrected or closed")
    try:
        return date.fromisoformat(body.day)
    except ValueError:
        raise BadField(field="day", why="it is a day like 2026-09-01") from None


def _actor(member: Member) -> Actor:
    return Actor("staff", member.staff_id)


def _plain(row: Mapping[str, Any], **more: str) -> dict[str, Any]:
    """Give a row as plain JSON: days and instants in ISO, nothing for None."""
    told: dict[str, Any] = msgspec.to_builtins(dict(row))
    return {name: value for name, value in (told | more).items() if value is not None}
