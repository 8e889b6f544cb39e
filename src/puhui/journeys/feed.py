"""Feeding the event log of derived variables from the outbox: what a person did on our pages, how he paid us, which consent he withdrew.

What sources and the bureau told is appended in the Work that takes their answer (`journeys/apply`); this is the rest. A batch of the outbox costs one
insert; the rows move into a person's history when it is next read.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from puhui.engines.variables.origination import bare
from puhui.foundation.outbox import Reaction, Stored
from puhui.foundation.work import Work
from puhui.rooms import histories
from puhui.rooms.histories import Arrival

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAGES = {"IdentityVerified": "identity", "CardBound": "profile", "ApplicationReceived": "apply", "OfferAccepted": "cost_table", "ContractSigned": "contract"}
BANDS = ("night", "morning", "afternoon", "evening")
Row = dict[str, Any]


async def follow(work: Work, events: Sequence[Stored]) -> None:
    """Take a batch of the outbox, in the Work that answers it: each event exactly once."""
    await histories.note_arrivals(
        work, [Arrival(event.customer_id, event.seq, *made(event)) for event in events if (made := ROWS.get(event.kind)) is not None]
    )


async def on_consent_withdrawn(work: Work, event: Stored) -> None:
    """What was fetched under a withdrawn consent alone is missing from now on; the gate of each decision left it out already."""
    if bare().table(event.body["item"]) is not None:
        await histories.end_consent(
            work, customer_id=event.customer_id, catalogue=bare(), table=event.body["item"], consent_id=event.body["consent_id"]
        )


def _page(event: Stored) -> tuple[str, Row]:
    """A step taken on our own pages."""
    band = BANDS[(event.at + timedelta(hours=8)).hour // 6]
    return "app", _base(event, event.seq) | {"event": "submit", "page": PAGES[event.kind], "hour_band": band}


def _paid(event: Stored) -> tuple[str, Row]:
    status = "late" if event.body["was_late"] else "on_time"
    row = {"paid": event.body["amount_fen"], "status": status, "loan": event.body["loan_id"]}
    return "repayment", _base(event, _number(event.body["payment_order_id"])) | row


def _sent_back(event: Stored) -> tuple[str, Row]:
    """A payment that came back is no payment: its row is retracted."""
    row = {"paid": event.body["amount_fen"], "loan": event.body["loan_id"], "retracted": True}
    return "repayment", _base(event, _number(event.body["payment_order_id"])) | row


def _missed(event: Stored) -> tuple[str, Row]:
    row = {"due": event.body["overdue_fen"], "paid": 0, "late_days": event.body["days_late"], "status": "missed", "loan": event.body["loan_id"]}
    return "repayment", _base(event, event.seq) | row


def _base(event: Stored, event_id: int) -> Row:
    return {"event_id": event_id, "event_time": (event.at - EPOCH) // timedelta(microseconds=1)}


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1


ROWS: Mapping[str, Callable[[Stored], tuple[str, Row]]] = dict.fromkeys(PAGES, _page) | {
    "RepaymentPosted": _paid, "RepaymentReversed": _sent_back, "LoanFellBehind": _missed,
}  # fmt: skip
REACTIONS: Mapping[str, Sequence[Reaction]] = {"ConsentWithdrawn": (on_consent_withdrawn,)}
