"""Ids: who a thing belongs to and where it came from, and neither time nor chance.

An id is `kind-shard-rest`: three hex digits of the customer's shard (of 1,024), then the first 24 hex digits of
SHA-256("{parent id}|{verb}|{k}"), k counting from 1 per parent and verb. So the same story gives the same ids, and a request sent
again names the same thing.
"""

import hashlib
from typing import NewType

CustomerId = NewType("CustomerId", str)
SessionId = NewType("SessionId", str)
ConsentId = NewType("ConsentId", str)
ApplicationId = NewType("ApplicationId", str)
DecisionId = NewType("DecisionId", str)
OfferId = NewType("OfferId", str)
LoanId = NewType("LoanId", str)
ReservationId = NewType("ReservationId", str)
PaymentOrderId = NewType("PaymentOrderId", str)
MandateId = NewType("MandateId", str)
CaseId = NewType("CaseId", str)
MessageId = NewType("MessageId", str)
FlowId = NewType("FlowId", str)
PartnerId = NewType("PartnerId", str)

SHARDS = 1024
NOBODY = CustomerId("cu-000-nobody")


def customer_id(root: str) -> CustomerId:
    """Make the id of a new customer from the id of the session in which he was first known."""
    digest = hashlib.sha256(f"{root}|customer|1".encode()).hexdigest()
    return CustomerId(f"cu-{int(digest[:8], 16) % SHARDS:03x}-{digest[8:32]}")


def shard_of(some_id: str) -> int:
    """Give the virtual shard (0..1023) of a customer, or of anything that carries one."""
    return int(some_id.split("-")[1], 16)


def derive(kind: str, customer: str, parent: str, verb: str, k: int = 1) -> str:
    """Name the k-th thing that `verb` makes of `parent`, in the customer's shard: `po-1a3-…`, at most 40 characters."""
    assert k >= 1, k
    digest = hashlib.sha256(f"{parent}|{verb}|{k}".encode()).hexdigest()
    return f"{kind}-{customer.split('-')[1]}-{digest[:24]}"
