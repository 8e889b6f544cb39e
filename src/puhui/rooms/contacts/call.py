"""A call under way: its exchanges kept sealed, each once, whoever asks again."""

from collections.abc import Mapping, Sequence
from typing import Any

from puhui.foundation import sql
from puhui.foundation.refusals import NotFound
from puhui.foundation.work import Work
from puhui.rooms.contacts import store
from puhui.rooms.contacts.gate import Channel
from puhui.rooms.contacts.store import MessageOrder

SQL = sql.load(__file__)
SEAL = "contacts.turn"


async def begin_exchange(work: Work, *, call_id: str, n: int, heard: str) -> tuple[MessageOrder, list[str], bool]:
    """Keep what was heard in the n-th exchange; give the call's order, all that was heard up to it, and whether it is new.

    An exchange asked for again counts with what was heard the first time. Raises NotFound: no call that the gate has let out.
    """
    order = await store.find_order_by_id(work, call_id)
    if order is None or order.channel is not Channel.CALL or order.state not in {"allowed", "sent"}:
        raise NotFound(what="call", which=call_id)
    await SQL.lock_call.run(work, message_id=call_id)
    is_new = await _keep(work, order, 2 * n - 1, "person", heard)
    kept = await _heard(work, order)
    return order, [kept.get(one, "") for one in range(1, n + 1)], is_new


async def end_exchange(work: Work, order: MessageOrder, *, n: int, say: str) -> None:
    """Keep what we said in it."""
    await _keep(work, order, 2 * n, "agent", say)


async def note_talk(work: Work, order: MessageOrder, turns: Sequence[Mapping[str, Any]]) -> None:
    """Keep what the message service tells of a whole call; where we took part, only what was said after our last words is new."""
    rows = await SQL.turns_of_call.rows(work, customer_id=order.customer_id, message_id=order.message_id)
    if not rows:
        for turn in turns:
            await store.add_turn(work, order, str(turn.get("by", "person")), str(turn.get("text", "")))
        return
    last = turns[-1] if turns else {}
    if last.get("by") == "person":
        await _keep(work, order, rows[-1]["k"] + 1, "person", str(last.get("text", "")))


async def _keep(work: Work, order: MessageOrder, k: int, said_by: str, text: str) -> bool:
    sealed = work.keys.seal(SEAL, order.customer_id, text)
    kept = await SQL.keep_turn.run(work, customer_id=order.customer_id, message_id=order.message_id, k=k, said_by=said_by, text_sealed=sealed)
    return kept == 1


async def _heard(work: Work, order: MessageOrder) -> dict[int, str]:
    rows = await SQL.turns_of_call.rows(work, customer_id=order.customer_id, message_id=order.message_id)
    return {(row["k"] + 1) // 2: work.keys.open_text(SEAL, order.customer_id, row["text_sealed"]) for row in rows if row["said_by"] == "person"}
