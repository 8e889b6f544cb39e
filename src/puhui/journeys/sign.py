"""Reading, confirming and signing: the table timed by our clock, the contract with its annex, one code and one signature, the funders' word.

`sign` is one step that may be run again from its start: every request in it carries its own key, so a repeat gets the same certificate,
signature, mandate and confirmations. Its end is one Work: evidence, mandate, legs and the order to pay out commit together.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from puhui.engines import law
from puhui.foundation import flows
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.logs import log
from puhui.foundation.money import Money
from puhui.foundation.refusals import Refusal
from puhui.foundation.runner import run_now
from puhui.foundation.services import Service
from puhui.foundation.work import HOUSE, Actor, Work
from puhui.journeys import purchase
from puhui.journeys.accept import NotReadyToBorrow, plan_again, table_shown
from puhui.journeys.instruct import flow_of, instruct, pay_out_order_id
from puhui.journeys.let_go import funder_service, start_release
from puhui.rooms import agreements, customers, funding, payments
from puhui.rooms.agreements import Agreement, Borrower
from puhui.rooms.agreements import sign as authority
from puhui.rooms.funding import LENDER, Hold, HoldState, Leg, funder
from puhui.rooms.payments import Direction, Mandate, MandateTerms, PaymentOrder, Purpose, Source, rail
from puhui.vocabulary.ids import CustomerId, derive
from puhui.vocabulary.steps import BorrowerStep, Session, State, StepAnswer

SEALED_CODE = "sign.code"
LIST_KEPT = timedelta(minutes=10)
MAIN = "lender-main"
SEND_PATIENCE_S = 0.2


class SigningRefused(Refusal):
    """The signing authority refused: {reason}. Nothing was signed; ask for a new code for this contract and sign again."""

    code = "sign.refused"
    zh = "签署没有成功，什么都没有改变，请重新获取验证码再签一次。"


class ReadCost(msgspec.Struct):
    """Body of `read_cost`: the table that is on the person's screen now."""

    table_sha256: str


class ConfirmCost(msgspec.Struct):
    """Body of `confirm_cost`: the table the person has read."""

    table_sha256: str


class Sign(msgspec.Struct):
    """Body of `sign`: the contract, and a code of purpose `sign` whose subject is the contract's hash."""

    contract_sha256: str
    otp_id: str
    code: str


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything a signing needs to know, read in one Work. `account` gets the money: the person's own, or the shop's whose order it pays."""

    agreement: Agreement
    signer: authority.Signer
    mandate: Mandate
    holds: tuple[Hold, ...]
    account: str


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the outside answered: the signature, and of each hold whether it is confirmed or lost."""

    signed: authority.Signed
    confirmed: tuple[Hold, ...]
    lost: tuple[Hold, ...]


async def read_cost(desk: Desk, *, session: Session, body: ReadCost, key: str) -> StepAnswer:
    """Note that the table is before the person's eyes; the reading time runs from here by our clock."""
    del key
    async with desk.work(Actor("customer", session.who)) as work:
        agreement = await agreements.open_table(work, customer_id=CustomerId(session.who), table_sha256=body.table_sha256)
    assert agreement.reading.opened_at is not None
    show = {"from": agreement.reading.opened_at.isoformat(), "reading_time_s": agreement.reading.reading_time_s}
    return StepAnswer(State.READING, ("confirm_cost", "cancel"), show)


async def confirm_cost(desk: Desk, *, session: Session, body: ConfirmCost, key: str) -> StepAnswer:
    """Confirm the table after its reading time; the contract is drawn up and may be signed."""
    del key
    customer_id = CustomerId(session.who)
    async with desk.work(Actor("customer", customer_id)) as work:
        person, card = await customers.identity(work, customer_id), await customers.card(work, customer_id)
        if card is None:
            raise NotReadyToBorrow
        lender = agreements.lender()
        drafted = await agreements.confirm_table(
            work,
            customer_id=customer_id,
            table_sha256=body.table_sha256,
            borrower=Borrower(person.name, person.id_tail, card.account, card.bank_code, card.tail),
            cooling_off_days=law.shipped().ask(law.CoolingOffRules, on=work.today).cooling_off_days,
            lender_may_step_in=lender.lender_may_step_in,
        )
    show = {"contract_sha256": drafted.contract_sha256, "mandate_max_each_fen": drafted.mandate.max_each_fen}
    return StepAnswer(State.CONFIRMED, ("send_code", "sign", "cancel"), show | {"mandate_until": drafted.mandate.until.isoformat()})


async def sign(desk: Desk, *, session: Session, body: Sign, key: str) -> StepAnswer:
    """Sign the contract. Answers with the loan on its way, or with a new table if a funder was lost and the contract does not let us step in.

    Raises: SigningRefused (a wrong code), TableReplaced, NotFound.
    """
    del key
    customer_id = CustomerId(session.who)
    async with desk.work(Actor("customer", customer_id)) as work:
        known = await agreements.of_contract(work, customer_id=customer_id, contract_sha256=body.contract_sha256)
        if known.signed_at is not None:
            return _on_its_way(known)
        signing = await agreements.begin_signing(work, customer_id=customer_id, contract_sha256=body.contract_sha256)
        sealed = work.keys.seal(SEALED_CODE, signing.signature_id, f"{body.otp_id}|{body.code}")
        await flows.start(
            work,
            flow_id=_flow_of(customer_id, signing.signature_id),
            customer_id=customer_id,
            kind="sign",
            subject=signing.signature_id,
            step="sign",
            state={"contract_sha256": body.contract_sha256, "code": b64encode(sealed).decode()},
        )
    if await run_now(desk, _flow_of(customer_id, signing.signature_id)):
        await run_now(desk, flow_of(customer_id, pay_out_order_id(customer_id, signing.agreement.loan_id)), patience_s=SEND_PATIENCE_S)
    return await _how_it_ended(desk, customer_id, signing.signature_id, body.contract_sha256)


async def _how_it_ended(desk: Desk, customer_id: CustomerId, signature_id: str, contract_sha256: str) -> StepAnswer:
    async with desk.look(Actor("customer", customer_id)) as work:
        state, code = await agreements.signing_state(work, customer_id=customer_id, signature_id=signature_id)
        agreement = await agreements.of_contract(work, customer_id=customer_id, contract_sha256=contract_sha256)
        newest = await agreements.standing(work, customer_id=customer_id, application_id=agreement.application_id)
    if state == "refused":
        raise SigningRefused(reason=code)
    if state == "signed":
        return _on_its_way(agreement)
    if state == "overtaken" and newest is not None and newest.table_sha256 != agreement.table_sha256:
        return table_shown(newest)
    return StepAnswer(State.WAITING, ("sign", "cancel"), {}, poll_s=1)


def _on_its_way(agreement: Agreement) -> StepAnswer:
    show = {"loan_id": agreement.loan_id, "mandate_id": agreement.mandate_id}
    return StepAnswer(State.PAYING, (), show, poll_s=1)


async def make(desk: Desk, turn: Turn) -> Turn | None:
    """Step `sign.sign`: certificate, signature, time stamp, mandate, the funders' confirmations; then everything in one Work."""
    customer_id, signature_id = CustomerId(turn.customer_id), turn.subject
    async with desk.look(HOUSE) as work:
        case = await _case(work, customer_id, turn.state["contract_sha256"])
        code = _open_code(work, signature_id, turn.state["code"])
        clients = {hold.reservation_id: await funder_service(desk, work, hold.partner_id) for hold in case.holds}
    if not agreements.is_confirmed(case.agreement):
        return await _overtaken(desk, turn)
    signed = await _signature(desk, case, signature_id, code)
    if isinstance(signed, authority.Refused):
        return await _refused(desk, turn, signed.code)
    if isinstance(signed, authority.Silent):
        return await _again(desk, turn, signed.why)
    told, answers = await asyncio.gather(
        rail.set_up_mandate(desk.service("rail"), case.mandate),
        asyncio.gather(*(_confirm(clients[hold.reservation_id], case, hold) for hold in case.holds)),
    )
    if isinstance(told, rail.Refused):
        return await _refused(desk, turn, told.code)
    if isinstance(told, rail.Silent):
        return await _again(desk, turn, told.why)
    outcome = _sort(case, signed, answers, now=desk.clock.now())
    return await _again(desk, turn, "a funder has not answered") if outcome is None else await _commit(desk, turn, case, outcome)


async def _case(work: Work, customer_id: CustomerId, contract_sha256: str) -> _Case:
    agreement = await agreements.of_contract(work, customer_id=customer_id, contract_sha256=contract_sha256)
    person = await customers.identity(work, customer_id)
    annex = await agreements.annex_of(work, customer_id=customer_id, contract_sha256=contract_sha256)
    holds = await funding.holds_of(work, customer_id=customer_id, loan_id=agreement.loan_id)
    terms = MandateTerms(Money(annex.max_each_fen), annex.until, is_on=True)
    return _Case(
        agreement=agreement,
        signer=authority.Signer(person.name, "id_card", person.id_number.text, person.face_check_id),
        mandate=Mandate(customer_id, annex.mandate_id, agreement.loan_id, annex.account, terms, contract_sha256),
        holds=tuple(hold for hold in holds if hold.state in {HoldState.HELD, HoldState.CONFIRMED} and hold.to_release is None),
        account=await purchase.payee(work, customer_id=customer_id, application_id=agreement.application_id) or annex.account,
    )


async def _signature(desk: Desk, case: _Case, signature_id: str, code: authority.OneTimeCode) -> authority.Signed | authority.Refused | authority.Silent:
    service = desk.service("sign")
    contract_sha256 = case.mandate.contract_sha256
    cert_id = derive("ct", case.agreement.customer_id, signature_id, "certificate")
    certificate = await authority.certify(service, cert_id=cert_id, signer=case.signer)
    if not isinstance(certificate, authority.Certificate):
        return certificate
    revoked = await _revoked(desk, service)
    if isinstance(revoked, authority.Silent):
        return revoked
    return await authority.sign(
        service, signature_id=signature_id, certificate=certificate, document_sha256=contract_sha256, code=code, revocations=revoked
    )


async def _revoked(desk: Desk, service: Service) -> Mapping[str, Any] | authority.Silent:
    """Give the authority's revocation list, fetched anew when ours is ten minutes old."""
    kept: tuple[datetime, Mapping[str, Any]] | None = desk.held.get("revocations")
    if kept is not None and desk.clock.now() < desk.clock.after(kept[0], LIST_KEPT):
        return kept[1]
    fetched = await authority.revocations(service)
    if not isinstance(fetched, authority.Silent):
        desk.held["revocations"] = (desk.clock.now(), fetched)
    return fetched


async def _confirm(service: Service, case: _Case, hold: Hold) -> tuple[Hold, funder.Stands | funder.Refused | funder.Away | funder.Waiting]:
    order_id = pay_out_order_id(case.agreement.customer_id, case.agreement.loan_id)
    if hold.state is HoldState.CONFIRMED:
        return hold, funder.Stands(funder.HoldStanding.CONFIRMED)
    return hold, await funder.confirm(service, hold, contract_sha256=case.mandate.contract_sha256, order_id=order_id)


def _sort(
    case: _Case, signed: authority.Signed, answers: Sequence[tuple[Hold, funder.Stands | funder.Refused | funder.Away | funder.Waiting]], *, now: datetime
) -> _Outcome | None:
    """Tell confirmed from lost; None while a funder has not answered and its hold may still stand."""
    confirmed, lost = [], []
    for hold, answer in answers:
        if isinstance(answer, funder.Stands) and answer.standing in {funder.HoldStanding.CONFIRMED, funder.HoldStanding.USED}:
            confirmed.append(hold)
        elif isinstance(answer, funder.Stands | funder.Refused) or (hold.expires_at is not None and now >= hold.expires_at):
            lost.append(hold)
        else:
            return None
    return _Outcome(signed, tuple(confirmed), tuple(lost))


async def _commit(desk: Desk, turn: Turn, case: _Case, outcome: _Outcome) -> Turn | None:
    """Put the signed loan on its way in one Work; or, where a lost funder may not be replaced by us, choose anew and have it read anew."""
    customer_id, loan_id = case.agreement.customer_id, case.agreement.loan_id
    async with desk.work(HOUSE) as work:
        newest = await agreements.in_force(work, customer_id=customer_id, loan_id=loan_id)
        if newest is None or newest.contract_sha256 != case.mandate.contract_sha256:
            await agreements.note_overtaken(work, customer_id=customer_id, signature_id=turn.subject)
        elif outcome.lost and not _may_step_in(outcome.lost):
            await _choose_anew(work, turn, case, outcome)
        else:
            await _seal(work, turn, case, outcome)
        await flows.end(work, turn)
        return None


async def _seal(work: Work, turn: Turn, case: _Case, outcome: _Outcome) -> None:
    customer_id, loan_id = case.agreement.customer_id, case.agreement.loan_id
    for hold in outcome.lost:
        await _note_lost(work, hold)
    for hold in outcome.confirmed:
        await funding.note_confirmed(work, hold)
    legs = await funding.fix_legs(work, customer_id=customer_id, loan_id=loan_id)
    await agreements.seal(
        work,
        customer_id=customer_id,
        signature_id=turn.subject,
        contract_sha256=case.mandate.contract_sha256,
        proofs=outcome.signed.proofs,
        signed_at=outcome.signed.signed_at,
    )
    await payments.add_mandate(work, case.mandate)
    await instruct(work, _pay_out(work, case, legs))


def _pay_out(work: Work, case: _Case, legs: Sequence[Leg]) -> PaymentOrder:
    """Order the pay-out: our part from our own account, each funder's from its pool."""
    customer_id, loan_id = case.agreement.customer_id, case.agreement.loan_id
    sources = [Source(MAIN if leg.partner_id == LENDER else f"pool-{leg.partner_id}", leg.share) for leg in legs if leg.share]
    return PaymentOrder(
        payment_order_id=pay_out_order_id(customer_id, loan_id),
        customer_id=customer_id,
        loan_id=loan_id,
        direction=Direction.PAY_OUT,
        purpose=Purpose.DISBURSE,
        amount=Money(sum(source.amount.fen for source in sources)),
        sources=tuple(sources),
        target=case.account,
        allow_partial=False,
        note="disburse",
        ordered_at=work.at,
    )


async def _choose_anew(work: Work, turn: Turn, case: _Case, outcome: _Outcome) -> None:
    """Choose other funders for a loan whose contract names one that is lost: a new table, a new reading, a new signature."""
    for hold in outcome.lost:
        await _note_lost(work, hold)
    for hold in outcome.confirmed:
        await funding.note_confirmed(work, hold)
    await agreements.note_overtaken(work, customer_id=case.agreement.customer_id, signature_id=turn.subject)
    await plan_again(work, agreement=case.agreement, parent=turn.subject, lost=frozenset(hold.partner_id for hold in outcome.lost))


async def _note_lost(work: Work, hold: Hold) -> None:
    """Note that a hold is lost; if it should stand at the funder after all, it is let go."""
    marked = await funding.mark_rerouted(work, hold)
    await start_release(work, marked)


def _may_step_in(lost: Sequence[Hold]) -> bool:
    """Say whether the contract's clause and our own limit let us take the lost part ourselves."""
    lender = agreements.lender()
    return lender.lender_may_step_in and sum(hold.share.fen for hold in lost) <= lender.step_in_max_fen


async def _refused(desk: Desk, turn: Turn, code: str) -> Turn | None:
    async with desk.work(HOUSE) as work:
        await agreements.note_refused(work, customer_id=CustomerId(turn.customer_id), signature_id=turn.subject, code=code)
        await flows.end(work, turn)
        return None


async def _overtaken(desk: Desk, turn: Turn) -> Turn | None:
    async with desk.work(HOUSE) as work:
        await agreements.note_overtaken(work, customer_id=CustomerId(turn.customer_id), signature_id=turn.subject)
        await flows.end(work, turn)
        return None


async def _again(desk: Desk, turn: Turn, why: str) -> Turn | None:
    """Wait a little and ask the same under the same keys."""
    log.warning("sign.waits", flow_id=turn.flow_id, why=why, attempts=turn.attempts)
    async with desk.work(HOUSE) as work:
        return await flows.move(work, turn, due=work.in_a_while(seconds=min(2 ** min(turn.attempts - 1, 6), 60)))


def _open_code(work: Work, signature_id: str, sealed: str) -> authority.OneTimeCode:
    otp_id, _, code = work.keys.open_text(SEALED_CODE, signature_id, b64decode(sealed)).partition("|")
    return authority.OneTimeCode(otp_id, code)


def _flow_of(customer_id: CustomerId, signature_id: str) -> str:
    return derive("fl", customer_id, signature_id, "sign")


STEPS: Mapping[str, Step] = {"sign.sign": make}
BORROWER: Mapping[str, BorrowerStep] = {
    "read_cost": BorrowerStep(ReadCost, read_cost),
    "confirm_cost": BorrowerStep(ConfirmCost, confirm_cost),
    "sign": BorrowerStep(Sign, sign),
}
