"""What a partner is told of an application that came out of its embedded page: in order, at least once, and only while the person allows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from puhui.foundation.refusals import NotFound
from puhui.foundation.services import Answer, Service, Unknown
from puhui.foundation.work import Work
from puhui.rooms.channels.operations import consume_token, issuer_of
from puhui.rooms.channels.store import SQL
from puhui.vocabulary.permits import ListedPartner, Permit, PermitStale

WAITS_S = (1, 5, 30, 120, 600)
HOUR_S = 3600
PARKED_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Embedded:
    """An application that came out of a partner's page; `loan_id` once there is one."""

    customer_id: str
    application_id: str
    session_id: str
    partner_id: str
    loan_id: str | None


@dataclass(frozen=True, slots=True)
class PartnerEvent:
    """One event for a partner. `seq` grows by 1 per application; `tries` counts how often it was sent in vain."""

    customer_id: str
    application_id: str
    seq: int
    event_id: str
    partner_id: str
    kind: str
    data: Mapping[str, Any]
    at: datetime
    state: str
    tries: int

    @property
    def wait_s(self) -> int:
        """Give how long to wait after another vain try."""
        return WAITS_S[self.tries] if self.tries < len(WAITS_S) else HOUR_S

    def is_to_park(self, now: datetime) -> bool:
        return now - self.at >= PARKED_AFTER


async def embed(work: Work, *, customer_id: str, application_id: str, session_id: str) -> Embedded | None:
    """Note that an application came out of a visit; give it if a partner's pass opened that visit, and use the pass up."""
    partner_id = await issuer_of(work, session_id)
    if partner_id is None:
        return None
    await SQL.embed.run(work, customer_id=customer_id, application_id=application_id, session_id=session_id, partner_id=partner_id)
    await consume_token(work, session_id=session_id)
    return await embedded(work, customer_id=customer_id, application_id=application_id)


async def tie_loan(work: Work, *, customer_id: str, application_id: str, loan_id: str) -> None:
    """Note which loan came of an embedded application; another one (accepted anew) takes its place."""
    await SQL.tie_loan.run(work, customer_id=customer_id, application_id=application_id, loan_id=loan_id)


async def embedded(work: Work, *, customer_id: str, application_id: str = "", loan_id: str = "") -> Embedded | None:
    """Find an embedded application by itself or by its loan."""
    if application_id:
        row = await SQL.embedded_application.row(work, customer_id=customer_id, application_id=application_id)
    else:
        row = await SQL.embedded_loan.row(work, customer_id=customer_id, loan_id=loan_id)
    return Embedded(**row) if row else None


async def add_event(work: Work, of: Embedded, *, kind: str, data: Mapping[str, Any]) -> None:
    """Put an event at the end of what the partner is to be told of this application."""
    key = {"customer_id": of.customer_id, "application_id": of.application_id}
    seq = int(await SQL.last_told.value(work, **key)) + 1
    event_id = f"{of.application_id}-{seq}"
    await SQL.add_told.run(work, **key, seq=seq, event_id=event_id, partner_id=of.partner_id, kind=kind, data=dict(data), at=work.at)


async def next_event(work: Work, *, customer_id: str, application_id: str) -> PartnerEvent | None:
    """Give the first event that was not taken yet; a parked one holds up those after it."""
    row = await SQL.next_told.row(work, customer_id=customer_id, application_id=application_id)
    return PartnerEvent(**row) if row else None


async def note_taken(work: Work, event: PartnerEvent) -> None:
    await SQL.end_told.run(work, event_id=event.event_id, state="taken", at=work.at)


async def note_tried(work: Work, event: PartnerEvent) -> None:
    """Count a vain try; after a day the event is set aside for a person to send again."""
    await SQL.tried_told.run(work, event_id=event.event_id)
    if event.is_to_park(work.at):
        await SQL.end_told.run(work, event_id=event.event_id, state="parked", at=work.at)


async def drop(work: Work, event: PartnerEvent) -> None:
    """The person no longer allows it: the event is never sent, and says so."""
    await SQL.end_told.run(work, event_id=event.event_id, state="dropped", at=work.at)


async def parked_events(work: Work, *, most: int = 200) -> list[PartnerEvent]:
    """Give what was set aside after a day of failure, oldest first."""
    return [PartnerEvent(**row) for row in await SQL.parked_told.rows(work, most=most)]


async def events_page(
    work: Work, *, partner_id: str | None = None, state: str | None = None, most: int = 25, skip: int = 0
) -> tuple[list[Mapping[str, Any]], int]:
    """Give a page of the delivery log, the newest event first, and how many there are."""
    rows = await SQL.told_page.rows(work, partner_id=partner_id, state=state, most=most, skip=skip)
    return [dict(row) for row in rows], int(await SQL.told_page_count.value(work, partner_id=partner_id, state=state))


async def events_by_state(work: Work) -> list[Mapping[str, Any]]:
    """Count the events for partners by state, with the tries that were in vain."""
    return [dict(row) for row in await SQL.told_by_state.rows(work)]


async def unpark(work: Work, *, event_id: str) -> tuple[str, str]:
    """Let a parked event go out again; give whose it is and of which application. Raises NotFound."""
    row = await SQL.unpark_told.row(work, event_id=event_id, at=work.at)
    if row is None:
        raise NotFound(what="parked event", which=event_id)
    return row["customer_id"], row["application_id"]


async def send(service: Service, listed: ListedPartner, permit: Permit, event: PartnerEvent) -> bool:
    """Send an event to the partner it is for, once; give whether it was taken. Raises PermitStale.

    Only the kind and the fields named go out; a reason never does.
    """
    permit.demand(item="partner_declined" if event.kind == "declined" else "partner_events", purpose="partner", recipient=event.partner_id)
    assert listed.partner_id == event.partner_id, event.event_id
    now = service.clock.now()
    if now > service.clock.after(permit.seen_at, timedelta(seconds=permit.use_within_s)) or now >= permit.until:
        raise PermitStale(item=permit.item, consent_id=permit.consent_id)
    body = {
        "event_id": event.event_id, "kind": event.kind, "subject": event.application_id, "seq": event.seq, "at": event.at.isoformat(),
        "data": dict(event.data),
    }  # fmt: skip
    answer: Answer | Unknown = await service.settle(f"/puhui/{event.partner_id}/events", body, key=event.event_id)
    return isinstance(answer, Answer) and answer.is_good
