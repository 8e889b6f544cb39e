"""What can be done with funding: plan a loan's funders, hold, confirm, let go, and keep the partners' books."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from puhui.foundation.money import ZERO, Money
from puhui.foundation.refusals import NotFound
from puhui.foundation.work import Work
from puhui.rooms.funding import store
from puhui.rooms.funding.hold import Hold, HoldState, ReleaseReason, binds_quota, letting_go, may_release
from puhui.rooms.funding.partnerfiles import (
    BalanceRow,
    LoanRow,
    MirrorDifference,
    PartnerFile,
    cause_of,
    compare_balances,
    settlement,
)
from puhui.rooms.funding.routing import LENDER, Leg, Route, lender_alone, may_be_joint, route
from puhui.rooms.funding.terms import FundingPolicy, Terms, Wanted
from puhui.vocabulary.events import FundingConfirmed
from puhui.vocabulary.ids import CustomerId, LoanId, PartnerId, PaymentOrderId, ReservationId, derive


@dataclass(frozen=True, slots=True)
class Settled:
    """What a funder gets for a day: `amount` now, `carried` (<= 0) set against the next day."""

    amount: Money
    carried: Money


@dataclass(frozen=True, slots=True)
class MirrorState:
    """How many mirrors were read, how many rows of them were compared with ours, how many differences nobody can explain, how many have a known
    cause, and how many funders' newest mirror could not be read at all.
    """

    files: int
    compared: int
    differing: int
    explained: int
    unread: int


async def stale_terms(work: Work, partner_ids: Iterable[PartnerId]) -> list[PartnerId]:
    """Give the funders whose terms of today we have not seen yet."""
    return await store.stale(work, partner_ids)


async def outdated_terms(work: Work, partner_ids: Iterable[PartnerId]) -> list[PartnerId]:
    """Give those who have announced newer terms than ours; asked only for funders already chosen, so an announcement moves no loan."""
    return await store.outdated(work, partner_ids)


async def note_terms(work: Work, told: Sequence[Terms]) -> None:
    """Keep funders' terms as they told them now. Their day's rest is counted from now on, so what we hold today already is added back."""
    if not told:
        return
    wanted = Wanted(CustomerId(""), LoanId(""), ZERO, told[0].rate_min, "", "", 1, "", 0, "")
    books, _, _ = await store.books(work, wanted, [terms.partner_id for terms in told])
    await store.set_terms(work, [replace(terms, day_left=terms.day_left + books[terms.partner_id].today) for terms in told])


async def announce_terms(work: Work, *, partner_id: PartnerId, version: str) -> None:
    """Note that a funder has new terms; they are read before it is next asked."""
    await store.announce(work, partner_id, version)


async def plan_holds(
    work: Work, wanted: Wanted, *, listed: Mapping[PartnerId, Money], policy: FundingPolicy, refused: Collection[PartnerId] = ()
) -> list[Hold]:
    """Choose a loan's funders and write down their holds, to be asked outside; none if the lender lends alone.

    `listed` gives the listed funders and the most we do with each. The books count the shares at once. Asked again for the same loan with the
    funders that have refused, it chooses anew and leaves what is still held in place.
    """
    before = await store.holds(work, wanted.customer_id, wanted.loan_id)
    standing = [hold for hold in before if binds_quota(hold.state) and hold.to_release is None]
    chosen = await _choose(work, wanted, listed, policy, refused)
    keep = {hold.partner_id for hold in standing if any(_is_same(hold, leg) for leg in chosen.partners)}
    for hold in standing:
        if hold.partner_id not in keep:
            await store.set_hold(work, letting_go(hold, ReleaseReason.REROUTED))
    terms = await store.fresh_terms(work, [leg.partner_id for leg in chosen.partners])
    fresh = [leg for leg in chosen.partners if leg.partner_id not in keep]
    made = [
        _hold(work, wanted, leg, terms[leg.partner_id].version, number) for number, leg in enumerate(fresh, start=len(before) + 1)
    ]
    for hold in made:
        await store.add_hold(work, hold)
    if not before:
        await store.add_want(work, wanted, is_joint=bool(chosen.partners))
    own = [leg for leg in chosen.legs if leg.partner_id == LENDER and not before]
    await store.add_to_books(work, [*own, *fresh], wanted, is_joint=bool(chosen.partners))
    return [hold for hold in standing if hold.partner_id in keep] + made


async def _choose(
    work: Work, wanted: Wanted, listed: Mapping[PartnerId, Money], policy: FundingPolicy, refused: Collection[PartnerId]
) -> Route:
    """Joint if the joint book allows it; then by terms, quota and limits of those who are listed."""
    books, own_all, own_joint = await store.books(work, wanted, listed)
    known = await store.find_want(work, wanted.customer_id, wanted.loan_id)
    own_share = Money(wanted.amount.fen * (1_000_000 - policy.share_aim_ppm) // 1_000_000)
    is_joint = known[1] if known else may_be_joint(own_joint=own_joint, own_all=own_all, share_of_lender=own_share, policy=policy)
    if not is_joint:
        return lender_alone(wanted.amount)
    terms = {
        partner_id: one
        for partner_id, one in (await store.fresh_terms(work, listed)).items()
        if books[partner_id].total + (wanted.amount - own_share) <= listed[partner_id]
    }
    return route(wanted, terms=terms, books=books, policy=policy, at=work.at, refused=refused)


def _is_same(hold: Hold, leg: Leg) -> bool:
    return (hold.partner_id, hold.share) == (leg.partner_id, leg.share)


def _hold(work: Work, wanted: Wanted, leg: Leg, version: str, number: int) -> Hold:
    return Hold(
        reservation_id=ReservationId(derive("rs", wanted.customer_id, wanted.loan_id, "hold", number)),
        customer_id=wanted.customer_id,
        loan_id=wanted.loan_id,
        no=number,
        partner_id=leg.partner_id,
        terms_version=version,
        share_ppm=leg.share_ppm,
        share=leg.share,
        region=wanted.region,
        band=wanted.band,
        state=HoldState.ASKING,
        asked_at=work.at,
    )


async def wanted_of(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> Wanted:
    """Give what was asked of the funders for a loan. Raises NotFound."""
    found = await store.find_want(work, customer_id, loan_id)
    if found is None:
        raise NotFound(what="loan", which=loan_id)
    return found[0]


async def is_open(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> bool | None:
    """Say whether the funding of a loan was planned and not given up since; None if it was never planned."""
    return await store.is_open(work, customer_id, loan_id)


async def holds_of(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> list[Hold]:
    """Give every hold ever asked for a loan, oldest first."""
    return await store.holds(work, customer_id, loan_id)


async def note_held(work: Work, hold: Hold, *, expires_at: datetime) -> Hold:
    """Note that a funder holds its share."""
    return await _set(work, replace(hold, state=HoldState.HELD, expires_at=expires_at))


async def note_refused(work: Work, hold: Hold, *, code: str) -> Hold:
    """Note that a funder refused; nothing stands there."""
    return await _set(work, replace(hold, state=HoldState.REFUSED, code=code))


async def mark_rerouted(work: Work, hold: Hold) -> Hold:
    """Mark a hold whose funder is away: another is asked, and if this one turns up after all, it is let go."""
    return await _set(work, letting_go(hold, ReleaseReason.REROUTED))


async def note_confirmed(work: Work, hold: Hold) -> Hold:
    """Note that a funder's share lies in its pool now."""
    return await _set(work, replace(hold, state=HoldState.CONFIRMED))


async def note_expired(work: Work, hold: Hold) -> Hold:
    """Note that a hold has run out at the funder; its quota is free again."""
    return await _set(work, replace(hold, state=HoldState.EXPIRED))


async def note_released(work: Work, hold: Hold) -> Hold:
    """Note that a funder has let a hold go."""
    return await _set(work, replace(hold, state=HoldState.RELEASED))


async def let_go(work: Work, *, customer_id: CustomerId, loan_id: LoanId, reason: ReleaseReason) -> list[Hold]:
    """Give a loan's funding up: mark every hold that may stand at a funder to be released, and give them: each must be told so."""
    await store.close_want(work, customer_id, loan_id)
    found = await store.holds(work, customer_id, loan_id, lock=True)
    marked = [letting_go(hold, reason) for hold in found if may_release(hold.state)]
    for hold in marked:
        await store.set_hold(work, hold)
    return marked


async def find_hold(work: Work, *, customer_id: CustomerId, reservation_id: ReservationId) -> Hold:
    """Give one hold. Raises NotFound."""
    hold = await store.find_hold(work, customer_id, reservation_id)
    if hold is None:
        raise NotFound(what="reservation", which=reservation_id)
    return hold


async def fix_legs(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> tuple[Leg, ...]:
    """Fix who really funds a loan: the confirmed shares, and the lender for all the rest. Once fixed it stays. Emits FundingConfirmed."""
    fixed = await store.legs(work, customer_id, loan_id)
    if fixed:
        return fixed
    wanted = await wanted_of(work, customer_id=customer_id, loan_id=loan_id)
    confirmed = [hold for hold in await store.holds(work, customer_id, loan_id) if hold.state is HoldState.CONFIRMED and hold.to_release is None]
    theirs = [Leg(hold.partner_id, hold.share_ppm, hold.share) for hold in confirmed]
    own = Leg(
        LENDER, 1_000_000 - sum(leg.share_ppm for leg in theirs), Money(wanted.amount.fen - sum(leg.share.fen for leg in theirs))
    )
    legs = (own, *theirs)
    await store.add_legs(work, customer_id, loan_id, legs, region=wanted.region, band=wanted.band)
    for leg in theirs:
        work.emit(FundingConfirmed(customer_id, loan_id, leg.partner_id, leg.share.fen, leg.share_ppm))
    return legs


async def note_used(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> tuple[Leg, ...]:
    """Note that the pay-out has used the confirmed shares; give the legs."""
    for hold in await store.holds(work, customer_id, loan_id, lock=True):
        if hold.state is HoldState.CONFIRMED and hold.to_release is None:
            await store.set_hold(work, replace(hold, state=HoldState.USED))
    return await store.legs(work, customer_id, loan_id)


async def legs_of(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> tuple[Leg, ...]:
    """Give who funds a loan, the lender first; empty until it is fixed."""
    return await store.legs(work, customer_id, loan_id)


async def partners_used(work: Work) -> list[PartnerId]:
    """Give every funder with a confirmed share."""
    return await store.partners_used(work)


async def leaked_holds(work: Work, *, before: datetime) -> list[ReservationId]:
    """Give the holds asked before that instant which still bind a funder's quota though no pay-out used them."""
    return [ReservationId(row["reservation_id"]) for row in await store.leaked(work, before)]


async def keep_day(work: Work, *, day: date, balances: Mapping[PartnerId, Sequence[BalanceRow]]) -> None:
    """Keep funders' balances of a day's close, and count their books anew from them and from what is held."""
    if balances:
        await store.keep_balances(work, day, balances)


async def note_files(work: Work, *, day: date, files: Sequence[PartnerFile]) -> None:
    """Keep what became of files to and from funders."""
    if files:
        await store.add_files(work, day, files)


async def files_of(work: Work, *, day: date, kind: str) -> dict[PartnerId, str]:
    """Give the state of each funder's file of a kind and day."""
    return {PartnerId(row["partner_id"]): row["state"] for row in await store.files(work, day=day, kind=kind)}


async def compare_mirrors(
    work: Work, *, day: date, mirrors: Mapping[PartnerId, Sequence[BalanceRow]], restructured: Container[LoanId] = frozenset()
) -> dict[PartnerId, list[MirrorDifference]]:
    """Lay funders' mirrors beside what we sent them; keep every difference as a break, close those of loans that agree again.

    Where the cause is known (`cause_of`) it is written down with the break; everything else waits for a person.
    """
    ours = await store.balances(work, day, mirrors)
    broken = await store.broken_loans(work, mirrors)
    found = {partner_id: compare_balances(ours[partner_id], mirror) for partner_id, mirror in mirrors.items()}
    for partner_id, differences in found.items():
        if differences:
            await store.add_breaks(work, partner_id, day, differences)
        for one in differences:
            if cause := cause_of(one, restructured):
                await explain_break(work, partner_id=partner_id, day=day, loan_id=one.loan_id, kind=one.kind.value, explanation=cause)
        await store.close_breaks(work, partner_id, broken.get(partner_id, set()) - {one.loan_id for one in differences})
    return found


async def mirror_state(work: Work) -> MirrorState:
    """Give how the funders' own books agree with ours so far."""
    return MirrorState(*await store.mirror_state(work))


async def all_terms(work: Work, *, partner_ids: Sequence[str] | None = None) -> list[Mapping[str, Any]]:
    """Give every funder's terms as it last told them, by partner."""
    return [dict(row) for row in await store.SQL.all_terms.rows(work, partner_ids=list(partner_ids) if partner_ids is not None else None)]


async def settlements_page(
    work: Work, *, partner_id: str | None = None, state: str | None = None, most: int = 25, skip: int = 0
) -> tuple[list[Mapping[str, Any]], int]:
    """Give a page of the settlements with funders, the newest day first, and how many there are."""
    rows = await store.SQL.settlements_page.rows(work, partner_id=partner_id, state=state, most=most, skip=skip)
    return [dict(row) for row in rows], int(await store.SQL.settlements_page_count.value(work, partner_id=partner_id, state=state))


async def newest_files(work: Work, *, partner_id: str, most: int = 20) -> list[Mapping[str, Any]]:
    """Give the newest files to and from a funder."""
    return [dict(row) for row in await store.SQL.files_page.rows(work, partner_id=partner_id, most=most)]


async def open_breaks(work: Work, *, most: int | None = None, skip: int = 0) -> list[Mapping[str, Any]]:
    """Give the breaks that are not closed, oldest first, with both sides' rows: all of them, or a page."""
    return [dict(row) for row in await store.open_breaks(work, most, skip)]


async def count_open_breaks(work: Work) -> int:
    return int(await store.SQL.count_open_breaks.value(work))


async def explain_break(
    work: Work, *, partner_id: PartnerId, day: date, loan_id: LoanId, kind: str, explanation: str, state: str = "explained"
) -> None:
    """Write down why a difference arose (`explained`), that it was put right (`corrected`) or is done with (`closed`). Raises NotFound."""
    assert state in {"explained", "corrected", "closed"}, state
    if not await store.explain_break(work, partner_id=partner_id, day=day, loan_id=loan_id, kind=kind, state=state, explanation=explanation):
        raise NotFound(what="break", which=f"{partner_id} {day} {loan_id} {kind}")


async def settle_day(work: Work, *, partner_id: PartnerId, day: date, rows: Sequence[LoanRow], payment_order_id: PaymentOrderId) -> Settled | None:
    """Reckon what a funder gets for a day's repayments, what was carried over included; None if that was done before.

    A sum above 0 is ordered under `payment_order_id` by the caller, in the same Work.
    """
    owed = settlement(rows) + await store.carried(work, partner_id, day)
    settled = Settled(max(owed, ZERO), min(owed, ZERO))
    added = await store.add_settlement(
        work,
        partner_id=partner_id,
        day=day,
        amount=settled.amount,
        carried=settled.carried,
        payment_order_id=payment_order_id if settled.amount else None,
        state="ordered" if settled.amount else "nothing",
    )
    return settled if added else None


async def note_settlement(work: Work, *, payment_order_id: PaymentOrderId, is_paid: bool) -> None:
    """Note how the order of a settlement ended."""
    await store.set_settlement(work, payment_order_id, "paid" if is_paid else "failed")


async def export(work: Work, *, customer_id: CustomerId) -> list[Mapping[str, Any]]:
    """Give the person's own: who was asked to lend for him, how much, and what came of it."""
    return [dict(row) for row in await store.holds_of_customer(work, customer_id)]


async def erase(work: Work, *, customer_id: CustomerId) -> list[str]:
    """Nothing here names a person; holds and legs are the books of money that moved and are kept as long as those. Gives what is kept."""
    kept = await store.holds_of_customer(work, customer_id)
    return ["funding.holds"] if kept else []


async def _set(work: Work, hold: Hold) -> Hold:
    await store.set_hold(work, hold)
    return hold
