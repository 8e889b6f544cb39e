"""Explaining: why a person was told what he was told, in kind words; and a human being who looks again when he asks for it (art. 24 PIPL)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import NotFound
from puhui.foundation.work import Actor
from puhui.journeys.look_again import look_again
from puhui.rooms import customers, decisions
from puhui.rooms.customers import CaseKind
from puhui.rooms.decisions import Record
from puhui.vocabulary.reasons import Reason
from puhui.vocabulary.steps import BorrowerStep


class Review(msgspec.Struct):
    """A reviewer's word: the rules found not to apply, an income he has seen proven, and the text that the person reads."""

    text: str
    set_aside: list[str] = []
    proven_income_fen: int | None = None


async def review(desk: Desk, *, reviewer: str, decision_id: str, body: Review) -> dict[str, Any]:
    """Look at a decision again, as a person, and answer the case that asks for it. The new decision has its own record; bars of law stand.

    Raises: NotFound, NotToBeSetAside.
    """
    async with desk.work(Actor("staff", reviewer)) as work:
        first = _demand(await decisions.find_record_by_id(work, decision_id), decision_id)
        record, outcome = await decisions.review(
            work,
            customer_id=first.customer_id,
            decision_id=decision_id,
            set_aside=body.set_aside,
            proven_income_fen=body.proven_income_fen,
        )
        is_changed = outcome.answer.value != first.answer
        code = "review-changed" if is_changed else "review-kept"
        for case in await customers.cases_of(work, first.customer_id):
            if case.kind is CaseKind.REVIEW and case.subject == decision_id and case.answered_at is None:
                await customers.answer(
                    work,
                    customer_id=first.customer_id,
                    case_id=case.case_id,
                    outcome="upheld" if is_changed else "declined",
                    text=Reason(code, {"text": body.text}).sentence("zh"),
                )
        return decisions.told(record) | {"review_of": decision_id, "is_changed": is_changed}


async def decision(desk: Desk, *, decision_id: str, asker: str) -> dict[str, Any]:
    """Give a decision whole, for staff and auditors: record, facts, values, artefacts, and whether running it again gives the same. Raises NotFound."""
    async with desk.work(Actor("staff", asker)) as work:
        record = _demand(await decisions.find_record_by_id(work, decision_id), decision_id)
        again = await look_again(work, record)
        return decisions.explained(record) | {
            "replay": {"is_equal": again.is_equal, "difference": again.replayed.difference, "is_recomputed": again.is_recomputed}
        }


def _demand(record: Record | None, decision_id: str) -> Record:
    if record is None:
        raise NotFound(what="decision", which=decision_id)
    return record


BORROWER: Mapping[str, BorrowerStep] = {}
