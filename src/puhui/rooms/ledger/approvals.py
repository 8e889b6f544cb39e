"""Changes of money that two people must have approved: the exact content an `Approval` has to carry."""

import hashlib
import json
from datetime import date

from puhui.engines.schedules import Method, Parts
from puhui.foundation.refusals import Refusal
from puhui.vocabulary.permits import Approval


class ApprovalMissing(Refusal):
    """Two people have not approved exactly this change (approval {approval_id}); nothing was posted. Ask for an approval of its content."""

    code = "ledger.approval-missing"
    status = 403


def waiver_content(loan_id: str, parts: Parts) -> bytes:
    """Give the canonical content of a waiver."""
    return _canonical("waiver", loan_id, principal_fen=parts.principal_fen, interest_fen=parts.interest_fen, fees_fen=parts.fees_fen, penalty_fen=parts.penalty_fen)


def restructure_content(loan_id: str, rate_ppm: int, months: int, method: Method, first_due: date) -> bytes:
    """Give the canonical content of new terms."""
    return _canonical("restructure", loan_id, rate_ppm=rate_ppm, months=months, method=method.value, first_due=first_due.isoformat())


def write_off_content(loan_id: str) -> bytes:
    """Give the canonical content of a write-off."""
    return _canonical("write-off", loan_id)


def close_month_content(month: str) -> bytes:
    """Give the canonical content of closing an accounting month."""
    return _canonical("close-month", month)


def demand_approval(approval: Approval, content: bytes) -> None:
    """Raises ApprovalMissing unless two different people approved exactly this content."""
    is_theirs = approval.content_sha256 == hashlib.sha256(content).hexdigest()
    if not is_theirs or not approval.first or approval.first == approval.second:
        raise ApprovalMissing(approval_id=approval.approval_id)


def _canonical(kind: str, subject: str, **facts: object) -> bytes:
    return json.dumps({"kind": f"ledger.{kind}", "subject": subject, **facts}, sort_keys=True, separators=(",", ":")).encode()
