"""All SQL of the room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from puhui.foundation import sql
from puhui.foundation.crypto import Sealed
from puhui.foundation.sql import Row
from puhui.foundation.work import Work
from puhui.rooms.agreements.cost_table import CostTable
from puhui.rooms.agreements.document import sha256
from puhui.rooms.agreements.evidence import NO_PACK
from puhui.rooms.agreements.reading import Reading, ReadingState
from puhui.vocabulary.ids import ApplicationId, CustomerId, LoanId, MandateId

SQL = sql.load(__file__)
CONTENT = "agreements.documents.content"
SEALED = (
    Sealed("agreements.documents", "content", CONTENT),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """One table shown for a loan, how far it was read, and the contract made of it. `number` counts the tables of the loan."""

    customer_id: CustomerId
    loan_id: LoanId
    number: int
    application_id: ApplicationId
    table_sha256: str
    reading: Reading
    contract_sha256: str | None
    mandate_id: MandateId | None
    signed_at: datetime | None


async def keep_document(work: Work, customer_id: CustomerId, loan_id: LoanId, kind: str, content: bytes) -> str:
    digest = sha256(content)
    await SQL.add_document.run(
        work,
        customer_id=customer_id,
        sha256=digest,
        kind=kind,
        loan_id=loan_id,
        content=work.keys.seal(CONTENT, customer_id, content),
        at=work.at,
    )
    return digest


async def document(work: Work, customer_id: CustomerId, digest: str) -> tuple[str, bytes] | None:
    row = await SQL.find_document.row(work, customer_id=customer_id, sha256=digest)
    return (row["kind"], work.keys.open(CONTENT, customer_id, bytes(row["content"]))) if row else None


async def documents_of(work: Work, customer_id: CustomerId) -> Sequence[Row]:
    return await SQL.documents_of.rows(work, customer_id=customer_id)


async def add_table(work: Work, customer_id: CustomerId, table: CostTable, number: int, digest: str) -> None:
    await SQL.add_table.run(
        work,
        customer_id=customer_id,
        loan_id=table.terms.loan_id,
        number=number,
        application_id=table.terms.application_id,
        table_sha256=digest,
        reading_time_s=table.reading_time_s,
        shown_at=work.at,
    )


async def of_loan(work: Work, customer_id: CustomerId, loan_id: LoanId) -> list[Agreement]:
    return [_agreement(row) for row in await SQL.tables_of_loan.rows(work, customer_id=customer_id, loan_id=loan_id)]


async def lock_table(work: Work, customer_id: CustomerId, table_sha256: str) -> Agreement | None:
    row = await SQL.lock_table.row(work, customer_id=customer_id, table_sha256=table_sha256)
    return _agreement(row) if row else None


async def by_contract(work: Work, customer_id: CustomerId, contract_sha256: str, *, lock: bool = False) -> Agreement | None:
    statement = SQL.lock_contract if lock else SQL.find_contract
    row = await statement.row(work, customer_id=customer_id, contract_sha256=contract_sha256)
    return _agreement(row) if row else None


async def in_force(work: Work, customer_id: CustomerId, loan_id: LoanId) -> Agreement | None:
    row = await SQL.in_force.row(work, customer_id=customer_id, loan_id=loan_id)
    return _agreement(row) if row else None


async def latest(work: Work, customer_id: CustomerId, application_id: ApplicationId) -> Agreement | None:
    row = await SQL.latest_of_application.row(work, customer_id=customer_id, application_id=application_id)
    return _agreement(row) if row else None


async def put(work: Work, agreement: Agreement) -> None:
    await SQL.set_table.run(
        work,
        customer_id=agreement.customer_id,
        loan_id=agreement.loan_id,
        number=agreement.number,
        state=agreement.reading.state.value,
        opened_at=agreement.reading.opened_at,
        confirmed_at=agreement.reading.confirmed_at,
        contract_sha256=agreement.contract_sha256,
        mandate_id=agreement.mandate_id,
        signed_at=agreement.signed_at,
    )


async def abandon(work: Work, customer_id: CustomerId, loan_id: LoanId) -> None:
    await SQL.abandon.run(work, customer_id=customer_id, loan_id=loan_id)


async def add_signing(work: Work, customer_id: CustomerId, signature_id: str, agreement: Agreement) -> None:
    await SQL.add_signing.run(
        work,
        customer_id=customer_id,
        signature_id=signature_id,
        loan_id=agreement.loan_id,
        contract_sha256=agreement.contract_sha256,
        at=work.at,
    )


async def count_signings(work: Work, customer_id: CustomerId, contract_sha256: str) -> int:
    return int(await SQL.count_signings.value(work, customer_id=customer_id, contract_sha256=contract_sha256))


async def open_signing(work: Work, customer_id: CustomerId, contract_sha256: str) -> str | None:
    found: str | None = await SQL.open_signing.value(work, customer_id=customer_id, contract_sha256=contract_sha256)
    return found


async def signing(work: Work, customer_id: CustomerId, signature_id: str) -> Mapping[str, Any] | None:
    return await SQL.find_signing.row(work, customer_id=customer_id, signature_id=signature_id)


async def set_signing(work: Work, customer_id: CustomerId, signature_id: str, *, state: str, code: str | None = None) -> None:
    await SQL.set_signing.run(work, customer_id=customer_id, signature_id=signature_id, state=state, code=code)


async def last_pack(work: Work, customer_id: CustomerId) -> tuple[int, str]:
    """Give number and hash of the person's last pack; (0, 64 zeros) before the first."""
    row = await SQL.last_pack.row(work, customer_id=customer_id)
    return (row["no"], row["sha256"]) if row else (0, NO_PACK)


async def add_pack(work: Work, customer_id: CustomerId, loan_id: LoanId, *, no: int, digest: str, previous: str) -> None:
    await SQL.add_pack.run(work, customer_id=customer_id, no=no, loan_id=loan_id, sha256=digest, previous_sha256=previous, at=work.at)


async def pack_of_loan(work: Work, customer_id: CustomerId, loan_id: LoanId) -> str | None:
    found: str | None = await SQL.pack_of_loan.value(work, customer_id=customer_id, loan_id=loan_id)
    return found


async def packs_of(work: Work, customer_id: CustomerId) -> Sequence[Row]:
    return await SQL.packs_of.rows(work, customer_id=customer_id)


def _agreement(row: Row) -> Agreement:
    return Agreement(
        customer_id=CustomerId(row["customer_id"]),
        loan_id=LoanId(row["loan_id"]),
        number=row["number"],
        application_id=ApplicationId(row["application_id"]),
        table_sha256=row["table_sha256"],
        reading=Reading(ReadingState(row["state"]), row["reading_time_s"], row["shown_at"], row["opened_at"], row["confirmed_at"]),
        contract_sha256=row["contract_sha256"],
        mandate_id=MandateId(row["mandate_id"]) if row["mandate_id"] else None,
        signed_at=row["signed_at"],
    )
