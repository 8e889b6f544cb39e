"""The agent's side of a call: asked turn by turn, answered at once, kept sealed; a day that the person names becomes his promise."""

import msgspec

from puhui.foundation.desk import Desk
from puhui.foundation.money import Money
from puhui.foundation.work import Actor, Work
from puhui.rooms import arrears, contacts, customers, ledger
from puhui.rooms.contacts import CallFacts, MessageOrder
from puhui.rooms.customers import NotIdentified

ACTOR = Actor("house", "talk")


class Said(msgspec.Struct):
    """What the message service is to say, and whether to hang up after it."""

    say: str
    hang_up: bool


async def answer_turn(desk: Desk, *, call_id: str, n: int, heard: str) -> Said:
    """Answer the n-th turn of a call; asked again it is the same answer, and a promise is kept once. Raises NotFound."""
    async with desk.work(ACTOR) as work:
        order, all_heard, is_new = await contacts.begin_exchange(work, call_id=call_id, n=n, heard=heard[:500])
        facts = await _facts(work, order)
        line = contacts.next_line(order.template, all_heard, facts)
        if is_new:
            await contacts.end_exchange(work, order, n=n, say=line.say)
            if line.promise is not None:
                await _promise(work, order, facts, line)
    return Said(line.say, line.hang_up)


async def _facts(work: Work, order: MessageOrder) -> CallFacts:
    loan = await ledger.find_loan(work, order.customer_id, order.subject)
    try:
        id_tail = (await customers.identity(work, order.customer_id)).id_tail
    except NotIdentified:
        id_tail = ""
    return CallFacts(work.today, id_tail, Money(loan.overdue_fen) if loan is not None and loan.overdue_fen else None)


async def _promise(work: Work, order: MessageOrder, facts: CallFacts, line: contacts.Line) -> None:
    """Keep a promise over all that is overdue, where a case is open for it."""
    cases = [one for one in await arrears.cases_of(work, order.customer_id) if one.loan_id == order.subject and one.closed_on is None]
    if line.promise is None or facts.overdue is None or not cases:
        return
    amount_fen = min(facts.overdue.fen, cases[-1].overdue_fen)
    await arrears.promise(work, customer_id=order.customer_id, loan_id=order.subject, day=line.promise, amount_fen=amount_fen)
