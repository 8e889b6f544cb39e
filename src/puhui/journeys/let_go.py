"""Letting go of funders' holds: each is told by its own flow until it has answered, so that no quota stays bound whatever crashes."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from puhui.foundation import flows
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.services import Service
from puhui.foundation.work import HOUSE, Work
from puhui.rooms import funding, partners
from puhui.rooms.funding import Hold, ReleaseReason, funder
from puhui.vocabulary.ids import CustomerId, LoanId, PartnerId, ReservationId, derive

PAUSE_MAX_S = 600


async def let_go_all(work: Work, *, customer_id: CustomerId, loan_id: LoanId, reason: ReleaseReason) -> None:
    """Let every hold of a loan go that is not used."""
    for hold in await funding.let_go(work, customer_id=customer_id, loan_id=loan_id, reason=reason):
        await start_release(work, hold)


async def start_release(work: Work, hold: Hold) -> None:
    """Start telling a funder that a hold is not needed."""
    await flows.start(
        work,
        flow_id=derive("fl", hold.customer_id, hold.reservation_id, "release"),
        customer_id=hold.customer_id,
        kind="release",
        subject=hold.reservation_id,
        step="tell",
    )


async def tell(desk: Desk, turn: Turn) -> Turn | None:
    """Step `release.tell`: tell the funder; what never stood there, ran out or was let go before is done with."""
    customer_id, reservation_id = CustomerId(turn.customer_id), ReservationId(turn.subject)
    async with desk.look(HOUSE) as work:
        hold = await funding.find_hold(work, customer_id=customer_id, reservation_id=reservation_id)
        service = await funder_service(desk, work, hold.partner_id)
    assert hold.to_release is not None, hold
    answer = await funder.release(service, hold, hold.to_release) if funding.may_release(hold.state) else funder.Stands(funder.HoldStanding.RELEASED)
    async with desk.work(HOUSE) as work:
        if not isinstance(answer, funder.Stands) or answer.standing in {funder.HoldStanding.HELD, funder.HoldStanding.CONFIRMED}:
            why = answer.code if isinstance(answer, funder.Refused) else answer.standing.value if isinstance(answer, funder.Stands) else answer.why
            pause = timedelta(seconds=min(2 ** min(turn.attempts, 10), PAUSE_MAX_S))
            return await flows.move(work, turn, due=work.at + pause, state={"why": why[:100]})
        if answer.standing is funder.HoldStanding.EXPIRED:
            await funding.note_expired(work, hold)
        elif answer.standing is not funder.HoldStanding.USED and funding.may_release(hold.state):
            await funding.note_released(work, hold)
        await flows.end(work, turn)
        return None


async def funder_service(desk: Desk, work: Work, partner_id: PartnerId) -> Service:
    """Give the signed client of a funder, whether it is still listed or not: what was begun with it is brought to its end."""
    return (await funder_services(desk, work, [partner_id]))[partner_id]


async def funder_services(desk: Desk, work: Work, partner_ids: Sequence[PartnerId]) -> dict[PartnerId, Service]:
    """Give the signed clients of several funders."""
    addresses = await partners.addresses(work, partner_ids=partner_ids)
    return {one: desk.service(one, base_url=addresses[one].url, owner=addresses[one].key_owner, read_timeout_s=2.0) for one in partner_ids}


STEPS: Mapping[str, Step] = {"release.tell": tell}
