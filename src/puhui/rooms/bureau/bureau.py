"""The client of the credit bureau. A query demands a Permit; the person on the wire lives only in the request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from puhui.foundation.services import Answer, Service, Unknown
from puhui.vocabulary.permits import Permit

ITEM, PURPOSE, RECIPIENT = "bureau", "loan", "bureau"
PAGES_MAX = 10_000


class _Line(msgspec.Struct):
    """A line of feedback: which record, and the rule it broke."""

    line: int
    code: str


class _Page(msgspec.Struct):
    """A page of a batch's feedback."""

    state: str
    accepted: int = 0
    feedback: list[_Line] = []
    next_cursor: str = ""


async def query(
    service: Service, permit: Permit, *, query_id: str, reason: str, as_of: datetime, person: Mapping[str, str]
) -> Answer | Unknown:
    """Ask for a report as of the tap's instant, once per decision; the same `query_id` is the same query."""
    permit.demand(item=ITEM, purpose=PURPOSE, recipient=RECIPIENT)
    body = {
        "query_id": query_id,
        "reason": reason,
        "consent_id": permit.consent_id,
        "consent_sha256": permit.consent_sha256,
        "as_of": as_of.isoformat(),
        "person": dict(person),
    }
    return await service.settle("/bureau/v1/queries", body, key=query_id)


async def send_batch(service: Service, *, batch_id: str, file_name: str, body: bytes) -> Answer | Unknown:
    """Send a file; sent again under its name it is the same batch."""
    answer = await service.send("POST", "/bureau/v1/batches", body, key=batch_id, headers={"Puhui-File": file_name})
    for _ in range(3):
        if isinstance(answer, Answer):
            return answer
        told = await service.get(f"/bureau/v1/batches/{batch_id}")
        if isinstance(told, Answer) and told.is_good:
            return told
        answer = await service.send("POST", "/bureau/v1/batches", body, key=batch_id, headers={"Puhui-File": file_name})
    return answer


async def ask_batch(service: Service, batch_id: str) -> tuple[str, int, list[Mapping[str, Any]]] | Unknown:
    """Give a batch's state, how many records were accepted, and every line of feedback, page by page. What is no feedback counts as no answer."""
    feedback: list[Mapping[str, Any]] = []
    cursor = ""
    for _ in range(PAGES_MAX):
        answer = await service.get(f"/bureau/v1/batches/{batch_id}" + (f"?cursor={cursor}" if cursor else ""))
        if isinstance(answer, Unknown):
            return answer
        if not answer.is_good:
            return Unknown(f"the bureau answered {answer.code}")
        try:
            page = msgspec.convert(answer.body, _Page)
        except msgspec.ValidationError as error:
            return Unknown(f"the bureau's feedback is none: {error}")
        feedback += [{"line": one.line, "code": one.code} for one in page.feedback]
        cursor = page.next_cursor
        if not cursor:
            return page.state, page.accepted, feedback
    return Unknown(f"the bureau's feedback has no end after {PAGES_MAX} pages")


async def answer_dispute(
    service: Service, *, dispute_id: str, outcome: str, text: str, batch_id: str | None = None
) -> Answer | Unknown:
    """Tell the bureau how a dispute ended."""
    body: dict[str, object] = {"outcome": outcome, "text": text}
    if batch_id:
        body["batch_id"] = batch_id
    return await service.settle(f"/bureau/v1/disputes/{dispute_id}/answer", body, key=f"{dispute_id}-answer")
