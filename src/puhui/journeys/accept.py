"""Accepting an offer: the person's exposure locked, shares held with funders, and the whole cost shown, with the funders' names in it.

accept -> hold (each funder asked, the next one where one refuses or is away) -> the cost table. An unanswered funder is waited for: silence
is no refusal. What is not signed before the holds run out goes back to the offer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from puhui.engines import law
from puhui.engines.schedules import due_days
from puhui.foundation import flows
from puhui.foundation.days import age_on
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.money import Money
from puhui.foundation.outbox import Callback, Reader, mark_read
from puhui.foundation.rates import YearRate
from puhui.foundation.refusals import Refusal
from puhui.foundation.runner import run_now
from puhui.foundation.services import Service
from puhui.foundation.work import HOUSE, Actor, Work
from puhui.journeys import purchase
from puhui.journeys.let_go import let_go_all, start_release
from puhui.rooms import agreements, customers, decisions, funding, partners
from puhui.rooms.agreements import Agreement, Charge, CostRules, FunderLine, LoanTerms, ReadingState
from puhui.rooms.funding import HOLD_S, LENDER, Hold, HoldState, ReleaseReason, Wanted, funder
from puhui.rooms.partners import Role
from puhui.vocabulary.ids import ApplicationId, CustomerId, LoanId, OfferId, PartnerId, derive
from puhui.vocabulary.permits import ListedPartner
from puhui.vocabulary.products import Product, product
from puhui.vocabulary.steps import BorrowerStep, Session, State, StepAnswer

ASK_AGAIN = timedelta(seconds=1)
TERMS_AT_ONCE = 8
ROUNDS_MAX = 60


class NotReadyToBorrow(Refusal):
    """Money cannot be taken now: the identity has run out, no card is bound, or the account is closed or frozen. Nothing was held."""

    code = "accept.not-ready"
    zh = "现在还不能借款：请先完成实名认证和绑卡，或联系客服解除冻结。"


class Quote(msgspec.Struct):
    """Body of `quote`: a point within an offer."""

    offer_id: str
    amount_fen: int
    months: int


class Accept(msgspec.Struct):
    """Body of `accept`: the point within the offer that the person takes."""

    offer_id: str
    amount_fen: int
    months: int


async def quote(desk: Desk, *, session: Session, body: Quote, key: str) -> StepAnswer:
    """Answer what a point within an offer costs; it holds nothing. Raises: AmountNotOffered, OfferLapsed, NotFound."""
    del key
    async with desk.look(Actor("customer", session.who)) as work:
        offer = await decisions.find_offer(work, session.who, body.offer_id)
        if not offer.holds(body.amount_fen, body.months):
            raise decisions.AmountNotOffered(
                least=Money(offer.amount_min_fen), most=Money(offer.amount_max_fen), step=Money(offer.step_fen), months=_listed(offer.months)
            )
        sold = product(offer.product)
        terms = LoanTerms(
            loan_id=LoanId("quote"),
            application_id=ApplicationId(offer.application_id),
            principal_fen=body.amount_fen,
            rate_ppm=offer.rate_ppm,
            method=offer.method,
            months=body.months,
            convention=offer.convention,
            paid_out_on=work.today,
            product=sold.id,
            product_sha256=sold.sha256,
        )
        told = agreements.quote(terms, charges=charges_of(sold, terms), rules=cost_rules(work.today))
    show = {"per_month_fen": told.per_month_fen, "total_fen": told.total_fen, "all_in_ppm": told.all_in_ppm, "simple_ppm": told.simple_ppm}
    return StepAnswer(State.OFFERED, ("quote", "accept", "cancel"), show)


async def accept(desk: Desk, *, session: Session, body: Accept, key: str) -> StepAnswer:
    """Take an offer: lock the exposure, hold the shares, show the cost. A second tap gets the state of the first.

    Raises: NotReadyToBorrow; NotFound, OfferLapsed, AmountNotOffered, OverTheCap.
    """
    del key
    customer_id = CustomerId(session.who)
    await _know_todays_terms(desk)
    async with desk.work(Actor("customer", customer_id)) as work:
        offer = await decisions.find_offer(work, customer_id, body.offer_id)
        application_id = ApplicationId(offer.application_id)
        loan_id, is_under_way = await loan_of(work, customer_id, application_id)
        if not is_under_way:
            await _begin(work, customer_id, loan_id, body)
    await run_now(desk, _flow_of(customer_id, loan_id))
    async with desk.look(Actor("customer", customer_id)) as work:
        return await where_it_stands(work, customer_id, application_id)


async def loan_of(work: Work, customer_id: CustomerId, application_id: ApplicationId) -> tuple[LoanId, bool]:
    """Give the loan of an application that is under way, or the id of the next one: each acceptance is a loan of its own."""
    k = 1
    while True:
        loan_id = LoanId(derive("ln", customer_id, application_id, "loan", k))
        is_open = await funding.is_open(work, customer_id=customer_id, loan_id=loan_id)
        if is_open is not False:
            return loan_id, is_open is True
        k += 1


async def _begin(work: Work, customer_id: CustomerId, loan_id: LoanId, body: Accept) -> None:
    """Lock the exposure and write the holds down, all in one Work."""
    if not (await customers.standing(work, customer_id)).may_draw:
        raise NotReadyToBorrow
    person = await customers.identity(work, customer_id)
    offer = await decisions.find_offer(work, customer_id, body.offer_id)
    await purchase.demand_point(
        work, customer_id=customer_id, application_id=offer.application_id, amount_fen=body.amount_fen, months=body.months
    )
    taken = await decisions.accept_offer(
        work, customer_id=customer_id, offer_id=OfferId(body.offer_id), amount=Money(body.amount_fen), months=body.months, loan_id=loan_id
    )
    wanted = Wanted(
        customer_id=customer_id,
        loan_id=loan_id,
        amount=Money(body.amount_fen),
        rate=YearRate(taken.rate_ppm),
        method=taken.method,
        convention=taken.convention,
        months=body.months,
        region=person.address_code,
        age=age_on(person.born, work.today),
        band=taken.band,
    )
    await _plan(work, wanted, frozenset())
    state = {"application_id": taken.application_id, "product": taken.product, "refused": [], "round": 1}
    await flows.start(
        work, flow_id=_flow_of(customer_id, loan_id), customer_id=customer_id, kind="accept", subject=loan_id, step="hold", state=state
    )


async def hold(desk: Desk, turn: Turn) -> Turn | None:
    """Step `accept.hold`: ask the funders chosen; when all have held, show the cost table."""
    customer_id, loan_id = CustomerId(turn.customer_id), LoanId(turn.subject)
    refused = frozenset(PartnerId(one) for one in turn.state["refused"])
    async with desk.look(HOUSE) as work:
        wanted = await funding.wanted_of(work, customer_id=customer_id, loan_id=loan_id)
        asking = [one for one in await funding.holds_of(work, customer_id=customer_id, loan_id=loan_id) if _is_to_ask(one)]
        outdated = await funding.outdated_terms(work, [one.partner_id for one in asking])
        clients = {one.partner_id: await _client(desk, work, one.partner_id) for one in asking}
    answers = await asyncio.gather(*(_ask(clients[one.partner_id], one, wanted, is_outdated=one.partner_id in outdated) for one in asking))
    anew = await _terms_anew(clients, asking, answers)
    async with desk.work(HOUSE) as work:
        await funding.note_terms(work, anew)
        refused |= await _note_answers(work, asking, answers, changed=frozenset(one.partner_id for one in anew), rounds=turn.state["round"])
        state = dict(turn.state) | {"refused": sorted(refused), "round": turn.state["round"] + 1}
        if any(isinstance(answer, funder.Waiting) for answer in answers):
            return await flows.move(work, turn, due=work.in_a_while(seconds=int(ASK_AGAIN.total_seconds())), state=state)
        if any(not isinstance(answer, funder.Held) for answer in answers):
            await _plan(work, wanted, refused)
            return await flows.move(work, turn, state=state)
        await _show(work, wanted, turn.state)
        await flows.end(work, turn)
        return None


def _is_to_ask(one: Hold) -> bool:
    return one.state is HoldState.ASKING and one.to_release is None


async def _ask(
    client: tuple[Service, ListedPartner] | None, one: Hold, wanted: Wanted, *, is_outdated: bool
) -> funder.Held | funder.Refused | funder.Away | funder.Waiting:
    """Ask one funder; one that was struck off the list meanwhile, or has told of newer terms, has refused."""
    if client is None:
        return funder.Refused("not-listed")
    if is_outdated:
        return funder.Refused("funder.terms-changed")
    return await funder.hold(*client, one, wanted)


async def _terms_anew(
    clients: Mapping[PartnerId, tuple[Service, ListedPartner] | None], asking: Sequence[Hold], answers: Sequence[funder.Held | funder.Refused | funder.Away | funder.Waiting]
) -> list[funding.Terms]:
    """Read again the terms of those who say that theirs have changed."""
    found = []
    for one, answer in zip(asking, answers, strict=True):
        client = clients[one.partner_id]
        if client and isinstance(answer, funder.Refused) and answer.code in {"funder.terms-changed", "funder.out-of-terms", "funder.quota"}:
            told = await funder.terms(*client)
            if isinstance(told, funding.Terms):
                found.append(told)
    return found


async def _note_answers(
    work: Work, asking: Sequence[Hold], answers: Sequence[funder.Held | funder.Refused | funder.Away | funder.Waiting], *, changed: frozenset[PartnerId], rounds: int
) -> frozenset[PartnerId]:
    """Write down what the funders said; give those who are out of the choice for this loan."""
    out = set()
    for one, answer in zip(asking, answers, strict=True):
        if isinstance(answer, funder.Held):
            await funding.note_held(work, one, expires_at=answer.expires_at)
        elif isinstance(answer, funder.Refused):
            await funding.note_refused(work, one, code=answer.code)
            if answer.code != "funder.terms-changed" or one.partner_id not in changed or rounds >= ROUNDS_MAX:
                out.add(one.partner_id)
        elif isinstance(answer, funder.Away):
            out.add(one.partner_id)
            marked = await funding.mark_rerouted(work, one)
            await start_release(work, marked)
    return frozenset(out)


async def _show(work: Work, wanted: Wanted, state: Mapping[str, Any]) -> None:
    """Build and show the cost table with the held funders in it; it stands as long as the holds do."""
    holds = await funding.holds_of(work, customer_id=wanted.customer_id, loan_id=wanted.loan_id)
    held = [one for one in holds if one.state in {HoldState.HELD, HoldState.CONFIRMED} and one.to_release is None]
    sold = product(state["product"])
    terms = LoanTerms(
        loan_id=wanted.loan_id,
        application_id=ApplicationId(state["application_id"]),
        principal_fen=wanted.amount.fen,
        rate_ppm=wanted.rate.ppm,
        method=wanted.method,
        months=wanted.months,
        convention=wanted.convention,
        paid_out_on=work.today,
        product=sold.id,
        product_sha256=sold.sha256,
    )
    shown = await agreements.show_table(
        work,
        customer_id=wanted.customer_id,
        terms=terms,
        funders=await _funder_lines(work, wanted, held),
        charges=charges_of(sold, terms),
        rules=cost_rules(work.today),
    )
    until = min((one.expires_at for one in held if one.expires_at), default=work.in_a_while(seconds=HOLD_S))
    await flows.start(
        work,
        flow_id=derive("fl", wanted.customer_id, shown.table_sha256, "expire"),
        customer_id=wanted.customer_id,
        kind="accept",
        subject=wanted.loan_id,
        step="expire",
        due=until,
        state={"table_sha256": shown.table_sha256},
    )


async def expire(desk: Desk, turn: Turn) -> Turn | None:
    """Step `accept.expire`: what was not signed while the shares were held is put back; the offer stands as before."""
    customer_id, loan_id = CustomerId(turn.customer_id), LoanId(turn.subject)
    async with desk.work(HOUSE) as work:
        agreement = await agreements.in_force(work, customer_id=customer_id, loan_id=loan_id)
        holds_still = agreement is not None and agreement.table_sha256 == turn.state["table_sha256"]
        if agreement and holds_still and agreement.reading.state is not ReadingState.SIGNED:
            if await agreements.is_being_signed(work, customer_id=customer_id, loan_id=loan_id):
                return await flows.move(work, turn, due=work.in_a_while(seconds=60))
            await put_back(work, customer_id=customer_id, loan_id=loan_id, reason=ReleaseReason.CANCELLED)
        await flows.end(work, turn)
        return None


async def put_back(work: Work, *, customer_id: CustomerId, loan_id: LoanId, reason: ReleaseReason) -> None:
    """Undo an acceptance: holds let go, exposure freed, table and contract put away. The application is open for another `accept`."""
    await agreements.abandon(work, customer_id=customer_id, loan_id=loan_id)
    await let_go_all(work, customer_id=customer_id, loan_id=loan_id, reason=reason)
    await decisions.free_exposure(work, customer_id=customer_id, loan_id=loan_id)


async def plan_again(work: Work, *, agreement: Agreement, parent: str, lost: frozenset[PartnerId]) -> None:
    """Choose funders anew for a loan that lost one after its contract was drawn up: the table is put away and another will be shown."""
    wanted = await funding.wanted_of(work, customer_id=agreement.customer_id, loan_id=agreement.loan_id)
    table = await agreements.table_of(work, customer_id=agreement.customer_id, table_sha256=agreement.table_sha256)
    await agreements.abandon(work, customer_id=agreement.customer_id, loan_id=agreement.loan_id)
    await _plan(work, wanted, lost)
    state = {"application_id": agreement.application_id, "product": table.terms.product, "refused": sorted(lost), "round": 1}
    flow_id = derive("fl", agreement.customer_id, parent, "accept")
    await flows.start(work, flow_id=flow_id, customer_id=agreement.customer_id, kind="accept", subject=agreement.loan_id, step="hold", state=state)


async def where_it_stands(work: Work, customer_id: CustomerId, application_id: ApplicationId) -> StepAnswer:
    """Answer how far an application with an accepted offer has come: waiting for funders, a table to read, or back at the offer."""
    loan_id, is_under_way = await loan_of(work, customer_id, application_id)
    if not is_under_way:
        return StepAnswer(State.OFFERED, ("quote", "accept", "cancel"), {})
    agreement = await agreements.in_force(work, customer_id=customer_id, loan_id=loan_id)
    return table_shown(agreement) if agreement else StepAnswer(State.WAITING, ("cancel",), {}, poll_s=1)


def table_shown(agreement: Agreement) -> StepAnswer:
    """Answer with the table to be read."""
    show = {"table_sha256": agreement.table_sha256, "reading_time_s": agreement.reading.reading_time_s, "loan_id": agreement.loan_id}
    match agreement.reading.state:
        case ReadingState.SHOWN:
            return StepAnswer(State.ACCEPTED, ("read_cost", "cancel"), show)
        case ReadingState.READING:
            return StepAnswer(State.READING, ("confirm_cost", "cancel"), show)
        case ReadingState.CONFIRMED:
            return StepAnswer(State.CONFIRMED, ("sign", "cancel"), show | {"contract_sha256": agreement.contract_sha256})
        case ReadingState.SIGNED | ReadingState.ABANDONED:
            return StepAnswer(State.PAYING, (), show, poll_s=1)


async def on_terms_changed(desk: Desk, callback: Callback) -> None:
    """Callback `funder.terms_changed`: note the version; it is read before this funder is next asked."""
    async with desk.work(HOUSE) as work:
        if await mark_read(work, callback):
            owner = callback.subject.partition(":")[0]
            await funding.announce_terms(work, partner_id=PartnerId(owner), version=str(callback.data.get("version", "")))


async def _know_todays_terms(desk: Desk) -> None:
    """Read every listed funder's terms once a day, before the first loan that needs them. One that is away today is left out until it answers."""
    async with desk.look(HOUSE) as work:
        listed = await partners.funders(work)
        stale = await funding.stale_terms(work, listed)
        clients = {one: await _client(desk, work, one) for one in stale}
    if not stale:
        return
    gate = asyncio.Semaphore(TERMS_AT_ONCE)

    async def read(partner_id: PartnerId) -> funding.Terms | None:
        client = clients[partner_id]
        async with gate:
            told = await funder.terms(*client) if client else None
        return told if isinstance(told, funding.Terms) else None

    found = await asyncio.gather(*(read(one) for one in stale))
    async with desk.work(HOUSE, durable=False) as work:
        await funding.note_terms(work, [told for told in found if told is not None])


async def _client(desk: Desk, work: Work, partner_id: PartnerId) -> tuple[Service, ListedPartner] | None:
    """Give the client of a funder with the proof that it is listed now, or None if it is not."""
    try:
        proof = await partners.listed(work, partner_id=partner_id, role=Role.FUNDING)
    except partners.NotListed:
        return None
    return desk.service(partner_id, base_url=proof.address, owner=partner_id, read_timeout_s=2.0), proof


async def _plan(work: Work, wanted: Wanted, refused: frozenset[PartnerId]) -> None:
    joint = law.shipped().ask(law.JointLoanRules, on=work.today)
    policy = funding.policy(
        partner_share_min_ppm=joint.partner_share_min_ppm,
        one_partner_tier1_max_ppm=joint.one_partner_tier1_max_ppm,
        joint_book_max_ppm=joint.joint_book_max_ppm,
    )
    listed = {partner_id: one.limits.exposure_max for partner_id, one in (await partners.funders(work)).items()}
    await funding.plan_holds(work, wanted, listed=listed, policy=policy, refused=refused)


async def _funder_lines(work: Work, wanted: Wanted, held: Sequence[Hold]) -> list[FunderLine]:
    """Give the funders as the table names them: the lender first, then those that hold."""
    own_ppm = 1_000_000 - sum(one.share_ppm for one in held)
    own_fen = wanted.amount.fen - sum(one.share.fen for one in held)
    lines = [FunderLine(LENDER, agreements.lender().name, own_ppm, own_fen)] if own_ppm else []
    for one in held:
        partner = await partners.find(work, partner_id=one.partner_id)
        lines.append(FunderLine(one.partner_id, partner.name, one.share_ppm, one.share.fen))
    return lines


def charges_of(sold: Product, terms: LoanTerms) -> list[Charge]:
    """Give a product's charges for one loan, due with the first installment."""
    first_due = due_days(terms.paid_out_on, 1)[0]
    return [
        Charge(
            code=one.code,
            payee=one.payee,
            what_zh=one.code,
            method_zh="随第一期收取",
            standard_zh=f"借款金额的 {YearRate(one.standard_ppm)}",
            due=first_due,
            amount_fen=terms.principal_fen * one.standard_ppm // 1_000_000,
        )
        for one in sold.charges
    ]


def cost_rules(today: date) -> CostRules:
    """Give what the packs in force on the signing day say of cost and its table."""
    laws = law.shipped()
    table, cap, rate = laws.ask(law.CostTableRules, on=today), laws.ask(law.CapRules, on=today), laws.ask(law.AnnualRateRules, on=today)
    refs = sorted({(ref.pack, ref.sha256) for ref in (*table.refs, *cap.refs, *rate.refs)})
    return CostRules(cap.hard_cap_ppm, table.reading_time_s, tuple(refs))


def _listed(months: Sequence[int]) -> str:
    return ", ".join(str(one) for one in months)


def _flow_of(customer_id: CustomerId, loan_id: LoanId) -> str:
    return derive("fl", customer_id, loan_id, "accept")


STEPS: Mapping[str, Step] = {"accept.hold": hold, "accept.expire": expire}
CALLBACKS: Mapping[str, Reader] = {"funder.terms_changed": on_terms_changed}
BORROWER: Mapping[str, BorrowerStep] = {"quote": BorrowerStep(Quote, quote), "accept": BorrowerStep(Accept, accept)}
