"""Money that a person sent by himself: matched to the loan its memo names, or kept in the queue of unmatched money."""

import re
from dataclasses import dataclass
from datetime import datetime

from puhui.foundation.money import Money
from puhui.vocabulary.ids import CustomerId, LoanId

_LOAN = re.compile(r"\bln-[0-9a-f]{3}-[0-9a-f]{1,26}\b")


@dataclass(frozen=True, slots=True)
class MoneyReceived:
    """What the rail told us; `loan_id` is whose debt it meets, None while nobody knows. Money that has moved is never refused."""

    receipt_id: str
    account: str
    amount: Money
    payer_tail: str
    memo: str
    received_at: datetime
    customer_id: CustomerId | None = None
    loan_id: LoanId | None = None


def loan_named(memo: str) -> LoanId | None:
    """Give the loan that a memo names, if it names exactly one."""
    found = set(_LOAN.findall(memo.lower()))
    return LoanId(found.pop()) if len(found) == 1 else None
