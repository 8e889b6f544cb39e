"""What can be done with agreements: show a table, time its reading, draw up the contract, seal the evidence."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from puhui.foundation.clock import ClockMode
from puhui.foundation.rates import PPM
from puhui.foundation.refusals import NotFound, Refusal
from puhui.foundation.work import Work
from puhui.rooms.agreements import store
from puhui.rooms.agreements.contract import Borrower, Contract, MandateAnnex, annex_for
from puhui.rooms.agreements.cost_table import Charge, CostRules, CostTable, FunderLine, LoanTerms, build_table, read_table
from puhui.rooms.agreements.document import sha256
from puhui.rooms.agreements.evidence import Proofs, build_pack
from puhui.rooms.agreements.reading import ReadingState, TableNotOpen, TableReplaced, confirmed, opened, was_read
from puhui.rooms.agreements.store import Agreement
from puhui.vocabulary.events import ContractSigned
from puhui.vocabulary.ids import ApplicationId, CustomerId, LoanId, MandateId, PartnerId, derive


class AlreadySigned(Refusal):
    """This contract is signed already."""

    code = "agreements.already-signed"
    zh = "这份合同已经签署过了。"
    status = 409


@dataclass(frozen=True, slots=True)
class Quote:
    """What a loan would cost: the largest installment, all that is paid, and the two figures a year."""

    per_month_fen: int
    total_fen: int
    all_in_ppm: int
    simple_ppm: int


@dataclass(frozen=True, slots=True)
class Drafted:
    """A contract ready to be signed, with its mandate annex."""

    contract_sha256: str
    mandate: MandateAnnex


@dataclass(frozen=True, slots=True)
class Signing:
    """One try to sign: its own id, and what is being signed."""

    signature_id: str
    agreement: Agreement
    is_new: bool


@dataclass(frozen=True, slots=True)
class Lender:
    """Who lends: the name in every contract, its licence ("" where there is none), and up to how much of a loan it takes a lost funder's part."""

    name: str
    name_en: str
    licence: str
    lender_may_step_in: bool
    step_in_max_fen: int


@cache
def lender() -> Lender:
    """Give the lender as every table and contract names it."""
    return Lender(**tomllib.loads(Path(__file__).with_name("lender.toml").read_text("utf-8")))


def quote(terms: LoanTerms, *, charges: Sequence[Charge], rules: CostRules) -> Quote:
    """Reckon what a loan would cost, whoever funds it: the borrower's cost does not depend on that.

    Raises: CostOverCap.
    """
    alone = FunderLine(PartnerId("lender"), lender().name, PPM, terms.principal_fen)
    table = build_table(terms, lender=lender().name, funders=(alone,), charges=charges, rules=rules)
    return Quote(table.largest_installment_fen, table.total_fen, table.all_in_ppm, table.simple_ppm)


async def show_table(
    work: Work, *, customer_id: CustomerId, terms: LoanTerms, funders: Sequence[FunderLine], charges: Sequence[Charge], rules: CostRules
) -> Agreement:
    """Build the cost table of a loan whose shares are held, keep it, and put it in the place of any earlier one.

    Raises: CostOverCap.
    """
    table = build_table(terms, lender=lender().name, funders=funders, charges=charges, rules=rules)
    earlier = await store.of_loan(work, customer_id, terms.loan_id)
    current = next((one for one in earlier if one.table_sha256 == table.sha256 and one.reading.state is not ReadingState.ABANDONED), None)
    if current:
        return current
    await store.abandon(work, customer_id, terms.loan_id)
    digest = await store.keep_document(work, customer_id, terms.loan_id, "cost_table", table.document())
    await store.add_table(work, customer_id, table, len(earlier) + 1, digest)
    shown = await store.in_force(work, customer_id, terms.loan_id)
    assert shown is not None
    return shown


async def open_table(work: Work, *, customer_id: CustomerId, table_sha256: str) -> Agreement:
    """Note that the person has the table before him; our clock runs from the first time on. Raises NotFound, TableReplaced."""
    agreement = await _table(work, customer_id, table_sha256)
    started = replace(agreement, reading=opened(agreement.reading, work.at))
    await store.put(work, started)
    return started


async def confirm_table(
    work: Work,
    *,
    customer_id: CustomerId,
    table_sha256: str,
    borrower: Borrower,
    cooling_off_days: int,
    lender_may_step_in: bool,
) -> Drafted:
    """Confirm the table after its reading time, and draw up the contract with its mandate annex. Again: the same contract.

    Raises: NotFound, TableNotOpen, TableReplaced, ReadTooFast.
    """
    agreement = await _table(work, customer_id, table_sha256)
    reading = confirmed(agreement.reading, work.at, enough_after=_real_seconds(work, agreement.reading.reading_time_s))
    table = await table_of(work, customer_id=customer_id, table_sha256=table_sha256)
    mandate_id = MandateId(derive("md", customer_id, agreement.loan_id, "mandate", agreement.number))
    annex = annex_for(table, mandate_id, borrower.account)
    if agreement.contract_sha256:
        return Drafted(agreement.contract_sha256, annex)
    contract = Contract(table, borrower, annex, agreement.number, cooling_off_days, lender_may_step_in)
    digest = await store.keep_document(work, customer_id, agreement.loan_id, "contract", contract.document())
    await store.put(work, replace(agreement, reading=reading, contract_sha256=digest, mandate_id=mandate_id))
    return Drafted(digest, annex)


async def begin_signing(work: Work, *, customer_id: CustomerId, contract_sha256: str) -> Signing:
    """Set out to sign; a signing that is still under way is given again.

    Raises: NotFound, TableReplaced (another table took this one's place), TableNotOpen, AlreadySigned.
    """
    agreement = await store.by_contract(work, customer_id, contract_sha256, lock=True)
    if agreement is None:
        raise NotFound(what="contract", which=contract_sha256)
    match agreement.reading.state:
        case ReadingState.ABANDONED:
            raise TableReplaced
        case ReadingState.SIGNED:
            raise AlreadySigned
        case ReadingState.SHOWN | ReadingState.READING:
            raise TableNotOpen
        case ReadingState.CONFIRMED:
            assert was_read(agreement.reading)
    under_way = await store.open_signing(work, customer_id, contract_sha256)
    if under_way:
        return Signing(under_way, agreement, is_new=False)
    number = await store.count_signings(work, customer_id, contract_sha256) + 1
    signature_id = derive("sg", customer_id, contract_sha256, "sign", number)
    await store.add_signing(work, customer_id, signature_id, agreement)
    return Signing(signature_id, agreement, is_new=True)


async def note_refused(work: Work, *, customer_id: CustomerId, signature_id: str, code: str) -> None:
    """Note that the authority refused to sign (a wrong code, a certificate that has run out): the person may try again."""
    await store.set_signing(work, customer_id, signature_id, state="refused", code=code)


async def note_overtaken(work: Work, *, customer_id: CustomerId, signature_id: str) -> None:
    """Note that the signature counts for nothing, since a hold was lost and another table must be read."""
    await store.set_signing(work, customer_id, signature_id, state="overtaken")


async def is_being_signed(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> bool:
    """Say whether a signing of this loan's contract is under way."""
    agreement = await store.in_force(work, customer_id, loan_id)
    if agreement is None or agreement.contract_sha256 is None:
        return False
    return await store.open_signing(work, customer_id, agreement.contract_sha256) is not None


async def signing_state(work: Work, *, customer_id: CustomerId, signature_id: str) -> tuple[str, str]:
    """Give how a signing stands (asked, signed, refused, overtaken) and the refusal's code, or ""."""
    row = await store.signing(work, customer_id, signature_id)
    if row is None:
        raise NotFound(what="signing", which=signature_id)
    return row["state"], row["code"] or ""


async def seal(work: Work, *, customer_id: CustomerId, signature_id: str, contract_sha256: str, proofs: Proofs, signed_at: datetime) -> str:
    """Keep the signature and seal the evidence pack, chained to the person's last one; give the pack's hash. Emits ContractSigned.

    Raises: NotFound, TableReplaced (the contract no longer holds).
    """
    agreement = await store.by_contract(work, customer_id, contract_sha256, lock=True)
    if agreement is None:
        raise NotFound(what="contract", which=contract_sha256)
    if agreement.reading.state is ReadingState.ABANDONED:
        raise TableReplaced
    no, previous = await store.last_pack(work, customer_id)
    pack = build_pack(
        contract=await _bytes(work, customer_id, contract_sha256),
        cost_table=await _bytes(work, customer_id, agreement.table_sha256),
        reading=_reading_facts(work, agreement),
        proofs=proofs,
        previous_sha256=previous,
    )
    digest = await store.keep_document(work, customer_id, agreement.loan_id, "evidence", pack)
    await store.add_pack(work, customer_id, agreement.loan_id, no=no + 1, digest=digest, previous=previous)
    await store.set_signing(work, customer_id, signature_id, state="signed")
    reading = replace(agreement.reading, state=ReadingState.SIGNED)
    await store.put(work, replace(agreement, reading=reading, signed_at=signed_at))
    work.emit(ContractSigned(customer_id, agreement.application_id, agreement.loan_id, contract_sha256, signed_at))
    return digest


async def abandon(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> None:
    """Put away whatever was shown for a loan that will not be."""
    await store.abandon(work, customer_id, loan_id)


async def standing(work: Work, *, customer_id: CustomerId, application_id: ApplicationId) -> Agreement | None:
    """Give the newest table of an application, and how far it has come; None before the first."""
    return await store.latest(work, customer_id, application_id)


async def of_contract(work: Work, *, customer_id: CustomerId, contract_sha256: str) -> Agreement:
    """Give the agreement of a contract, whether it holds or not. Raises NotFound."""
    agreement = await store.by_contract(work, customer_id, contract_sha256)
    if agreement is None:
        raise NotFound(what="contract", which=contract_sha256)
    return agreement


def is_confirmed(agreement: Agreement) -> bool:
    """Say whether the table was read and confirmed, and its contract waits for the signature."""
    return agreement.reading.state is ReadingState.CONFIRMED


async def annex_of(work: Work, *, customer_id: CustomerId, contract_sha256: str) -> MandateAnnex:
    """Give the mandate that a contract carries as its annex. Raises NotFound."""
    facts = json.loads(await _bytes(work, customer_id, contract_sha256))["mandate"]
    return MandateAnnex(MandateId(facts["mandate_id"]), facts["account"], facts["max_each_fen"], date.fromisoformat(facts["until"]))


async def in_force(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> Agreement | None:
    """Give the agreement of a loan that holds now, or None."""
    return await store.in_force(work, customer_id, loan_id)


async def table_of(work: Work, *, customer_id: CustomerId, table_sha256: str) -> CostTable:
    """Give a cost table. Raises NotFound."""
    return read_table(await _bytes(work, customer_id, table_sha256))


async def table_of_loan(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> CostTable:
    """Give the table that holds for a loan: what it allows is all that may ever be charged. Raises NotFound."""
    agreement = await store.in_force(work, customer_id, loan_id)
    if agreement is None:
        raise NotFound(what="cost table", which=loan_id)
    return await table_of(work, customer_id=customer_id, table_sha256=agreement.table_sha256)


async def find_document(work: Work, *, customer_id: CustomerId, sha256: str) -> bytes | None:
    """Give the bytes of one of the person's own documents, or None."""
    found = await store.document(work, customer_id, sha256)
    return found[1] if found else None


async def evidence(work: Work, *, customer_id: CustomerId, loan_id: LoanId) -> bytes:
    """Give the evidence pack of a signed loan. Raises NotFound."""
    digest = await store.pack_of_loan(work, customer_id, loan_id)
    if digest is None:
        raise NotFound(what="evidence pack", which=loan_id)
    return await _bytes(work, customer_id, digest)


async def export(work: Work, *, customer_id: CustomerId) -> Mapping[str, Any]:
    """Give the person's own documents by hash, and the chain of his evidence packs."""
    return {
        "documents": [dict(row) for row in await store.documents_of(work, customer_id)],
        "packs": [dict(row) for row in await store.packs_of(work, customer_id)],
    }


async def erase(work: Work, *, customer_id: CustomerId) -> list[str]:
    """Contracts and their evidence are kept as long as the law wants; nothing else is here. Gives what is kept."""
    return ["agreements.documents"] if await store.documents_of(work, customer_id) else []


async def _table(work: Work, customer_id: CustomerId, table_sha256: str) -> Agreement:
    agreement = await store.lock_table(work, customer_id, table_sha256)
    if agreement is None:
        raise NotFound(what="cost table", which=table_sha256)
    return agreement


async def _bytes(work: Work, customer_id: CustomerId, digest: str) -> bytes:
    found = await store.document(work, customer_id, digest)
    if found is None:
        raise NotFound(what="document", which=digest)
    assert sha256(found[1]) == digest, "a document is not what its hash says"
    return found[1]


def _real_seconds(work: Work, seconds: int) -> timedelta:
    """Reading takes real seconds; under the fast clock they are stretched."""
    return timedelta(seconds=seconds) * (work.clock.speed if work.clock.mode is ClockMode.FAST else 1)


def _reading_facts(work: Work, agreement: Agreement) -> dict[str, str]:
    """Give when the table was opened and confirmed, in seconds as they were read."""
    reading = agreement.reading
    assert reading.opened_at is not None
    assert reading.confirmed_at is not None
    took = (reading.confirmed_at - reading.opened_at) / (work.clock.speed if work.clock.mode is ClockMode.FAST else 1)
    return {
        "table_sha256": agreement.table_sha256,
        "opened_at": (reading.confirmed_at - took).isoformat(),
        "confirmed_at": reading.confirmed_at.isoformat(),
    }
