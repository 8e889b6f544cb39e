"""Documents of the ledger: receipts, told again from what their events kept, and certificates that a loan is settled or stands."""

import hashlib
import json
from enum import StrEnum

from puhui.engines.schedules import Standing
from puhui.foundation.refusals import NotFound, Refusal
from puhui.foundation.work import Work
from puhui.rooms.ledger import store
from puhui.rooms.ledger.loan import LoanView, Receipt, view
from puhui.rooms.ledger.operations import receipt_from


class CertificateKind(StrEnum):
    """结清证明 (settled) or 借款证明 (loan)."""

    SETTLED = "settled"
    LOAN = "loan"


class LoanNotSettled(Refusal):
    """Loan {loan_id} still owes {owed_fen} fen, so there is no certificate of settlement yet."""

    code = "ledger.loan-not-settled"
    zh = "这笔借款还没有结清，结清后就可以开具结清证明。"


async def certify(work: Work, *, customer_id: str, loan_id: str, kind: CertificateKind) -> bytes:
    """Make a certificate of a loan as it stands today and keep it; give its bytes. The same day gives the same bytes.

    Raises: NotFound, LoanNotSettled.
    """
    loan = await store.find_loan(work, customer_id, loan_id)
    if loan is None:
        raise NotFound(what="loan", which=loan_id)
    shown = view(loan, loan.state(work.today))
    if kind is CertificateKind.SETTLED and shown.standing is not Standing.SETTLED:
        raise LoanNotSettled(loan_id=loan_id, owed_fen=shown.payoff_fen)
    body = _certificate(shown, kind)
    await store.SQL.add_document.run(
        work, customer_id=customer_id, sha256=hashlib.sha256(body).hexdigest(), loan_id=loan_id, kind=kind.value, made_on=work.today, body=body
    )
    return body


async def receipt_of(work: Work, customer_id: str, payment_order_id: str) -> Receipt | None:
    """Give the receipt of a payment as it was given first, or None while it is not on the books."""
    known = await store.find_event(work, customer_id, f"{payment_order_id}:paid")
    return receipt_from(customer_id, *known) if known else None


async def find_document(work: Work, customer_id: str, sha256: str) -> bytes | None:
    """Give a person's own receipt or certificate by its hash, or None."""
    body: bytes | None = await store.SQL.find_document.value(work, customer_id=customer_id, sha256=sha256)
    if body is not None:
        return body
    for row in await store.SQL.payments_of.rows(work, customer_id=customer_id):
        receipt = receipt_from(customer_id, row["loan_id"], store.event_from(row))
        if receipt.sha256 == sha256:
            return receipt.document()
    return None


def _certificate(loan: LoanView, kind: CertificateKind) -> bytes:
    facts: dict[str, object] = {
        "kind": f"certificate-{kind.value}",
        "title_zh": "结清证明" if kind is CertificateKind.SETTLED else "借款证明",
        "loan_id": loan.loan_id,
        "contract_sha256": loan.contract_sha256,
        "made_on": loan.as_of.isoformat(),
        "principal_fen": loan.principal_fen,
        "rate_ppm": loan.rate_ppm,
        "opened_on": loan.opened_on.isoformat(),
        "maturity": loan.maturity.isoformat(),
        "standing": loan.standing.value,
    }
    if kind is CertificateKind.SETTLED:
        assert loan.settled_on is not None
        facts["settled_on"] = loan.settled_on.isoformat()
    else:
        facts |= {"principal_owed_fen": loan.principal_owed_fen, "days_late": loan.days_late}
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
