"""Telling a partner how the applications from its embedded pages go on: signed events, in order, at least once, as far as the person allows.

One flow an application sends what waits, one after the other; a partner that does not answer for a day finds the event set aside, shown to
staff, and sent again by hand.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from puhui.foundation import flows
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.outbox import Reaction, Stored
from puhui.foundation.services import Service
from puhui.foundation.work import HOUSE, Work
from puhui.rooms import channels, customers, decisions, partners
from puhui.rooms.channels import Embedded, PartnerEvent
from puhui.rooms.customers import NoConsent
from puhui.rooms.partners import NotListed, Role
from puhui.vocabulary.ids import PartnerId, derive
from puhui.vocabulary.permits import ListedPartner, Permit, PermitStale

REST = timedelta(days=30)
ALWAYS = "partner_events"
IF_DECLINED = "partner_declined"


# --- what happens is put in line --------------------------------------------------------------------------------------------------------------


async def on_applied(work: Work, event: Stored) -> None:
    """An application: if it came out of a partner's page, the pass is used up and the partner is told."""
    application = await decisions.find_application(work, event.customer_id, event.body["application_id"])
    if application is None:
        return
    of = await channels.embed(
        work, customer_id=event.customer_id, application_id=application.application_id, session_id=application.session_id
    )
    if of is not None:
        await _put_in_line(work, of, "applied")


async def on_decided(work: Work, event: Stored) -> None:
    kinds = {"offer": "approved", "declined": "declined"}
    kind = kinds.get(event.body["outcome"])
    of = await channels.embedded(work, customer_id=event.customer_id, application_id=event.body["application_id"])
    if of is not None and kind is not None:
        await _put_in_line(work, of, kind)


async def on_signed(work: Work, event: Stored) -> None:
    of = await channels.embedded(work, customer_id=event.customer_id, application_id=event.body["application_id"])
    if of is not None:
        await channels.tie_loan(
            work, customer_id=event.customer_id, application_id=of.application_id, loan_id=event.body["loan_id"]
        )
        await _put_in_line(work, of, "signed")


async def on_paid(work: Work, event: Stored) -> None:
    await _of_loan(work, event, "paid")


async def on_repaid(work: Work, event: Stored) -> None:
    await _of_loan(work, event, "repaid")


async def on_settled(work: Work, event: Stored) -> None:
    await _of_loan(work, event, "closed")


async def on_ended(work: Work, event: Stored) -> None:
    """An application that ended without a loan is closed; a declined one was told as such, if at all."""
    of = await channels.embedded(work, customer_id=event.customer_id, application_id=event.body["application_id"])
    if of is not None and event.body["why"] not in {"declined", "paid"}:
        await _put_in_line(work, of, "closed")


async def _of_loan(work: Work, event: Stored, kind: str) -> None:
    of = await channels.embedded(work, customer_id=event.customer_id, loan_id=event.body["loan_id"])
    if of is not None:
        await _put_in_line(work, of, kind)


async def _put_in_line(work: Work, of: Embedded, kind: str) -> None:
    """Put an event in line if the person allows this partner to know; wake the flow that sends. Nothing but the kind is told."""
    try:
        await _permit(work, of.customer_id, kind, of.partner_id)
    except NoConsent:
        return
    await channels.add_event(work, of, kind=kind, data={})
    await _stir(work, of.customer_id, of.application_id)


async def _permit(work: Work, customer_id: str, kind: str, partner_id: str) -> Permit:
    item = IF_DECLINED if kind == "declined" else ALWAYS
    return await customers.permit(work, customer_id=customer_id, item=item, purpose="partner", recipient=partner_id)


async def _stir(work: Work, customer_id: str, application_id: str) -> None:
    flow_id = derive("fl", customer_id, application_id, "partner")
    is_new = await flows.start(work, flow_id=flow_id, customer_id=customer_id, kind="partner", subject=application_id, step="send")
    if not is_new:
        await flows.wake(work, flow_id)


# --- and sent ----------------------------------------------------------------------------------------------------------------------------------


async def send(desk: Desk, turn: Turn) -> Turn | None:
    """Step `partner.send`: send the next event of an application; rest when there is none, or while one lies parked."""
    async with desk.work(HOUSE) as work:
        event = await channels.next_event(work, customer_id=turn.customer_id, application_id=turn.subject)
        if event is None or event.state == "parked":
            return await flows.move(work, turn, due=work.at + REST)
        try:
            permit = await _permit(work, event.customer_id, event.kind, event.partner_id)
        except NoConsent:
            await channels.drop(work, event)
            return await flows.move(work, turn)
        listed = await _listed(work, event.partner_id)
    is_taken = listed is not None and await _send(desk, listed, permit, event)
    async with desk.work(HOUSE) as work:
        if is_taken:
            await channels.note_taken(work, event)
            return await flows.move(work, turn)
        await channels.note_tried(work, event)
        return await flows.move(work, turn, due=work.in_a_while(seconds=event.wait_s))


async def _listed(work: Work, partner_id: str) -> ListedPartner | None:
    try:
        return await partners.listed(work, partner_id=PartnerId(partner_id), role=Role.ASSET)
    except NotListed:
        return None


async def _send(desk: Desk, listed: ListedPartner, permit: Permit, event: PartnerEvent) -> bool:
    try:
        return await channels.send(_client(desk, listed), listed, permit, event)
    except PermitStale:
        return False


def _client(desk: Desk, listed: ListedPartner) -> Service:
    return desk.service(f"partner-{listed.partner_id}", base_url=listed.address, owner=listed.partner_id)


async def delivery_log(desk: Desk, *, partner_id: str) -> dict[str, object]:
    """Give a partner the newest events we had for it, with their state and tries; nothing that the events did not say."""
    async with desk.work(HOUSE, durable=False) as work:
        found, total = await channels.events_page(work, partner_id=partner_id, most=100)
    shown = ("event_id", "kind", "seq", "state", "tries")
    return {
        "total": total,
        "events": [{name: row[name] for name in shown} | {"subject": row["application_id"], "at": row["at"].isoformat()} for row in found],
    }


async def send_again(desk: Desk, event_id: str) -> None:
    """Let a parked event, and those behind it, go out again. Raises NotFound."""
    async with desk.work(HOUSE) as work:
        customer_id, application_id = await channels.unpark(work, event_id=event_id)
        await _stir(work, customer_id, application_id)


STEPS: Mapping[str, Step] = {"partner.send": send}

REACTIONS: Mapping[str, Sequence[Reaction]] = {
    "ApplicationReceived": (on_applied,),
    "ApplicationDecided": (on_decided,),
    "ContractSigned": (on_signed,),
    "LoanDisbursed": (on_paid,),
    "RepaymentPosted": (on_repaid,),
    "LoanSettled": (on_settled,),
    "ApplicationEnded": (on_ended,),
}
