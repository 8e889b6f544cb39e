"""Reactions that belong to no one story: what a person owes counts against the cap at once, and the boards follow the whole log."""

from collections.abc import Mapping, Sequence

from puhui.foundation.outbox import Reaction, Stored, Tail
from puhui.foundation.work import Work
from puhui.rooms import boards, decisions, ledger

DEBT_CHANGES = ("LoanDisbursed", "DisbursementReturned", "RepaymentPosted", "RepaymentReversed", "LoanSettled", "LoanRestructured", "LoanWrittenOff")


async def on_debt_changed(work: Work, event: Stored) -> None:
    """Hand the ledger's figure of what a person owes to the exposure that caps him."""
    owed_fen = await ledger.owed_by(work, event.customer_id)
    await decisions.set_owed(work, customer_id=event.customer_id, owed_fen=owed_fen)


REACTIONS: Mapping[str, Sequence[Reaction]] = dict.fromkeys(DEBT_CHANGES, (on_debt_changed,))
TAILS: Sequence[Tail] = (boards.follow,)
