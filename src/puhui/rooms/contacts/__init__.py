"""Contacts: the one gate that every contact passes, whoever wants it, and the record of all that was tried, allowed or refused.

Words: purpose, channel, attempt, contact, opt-out, quiet hours, script. Owns the tables of schema `contacts`.
Emits: MessageSent, OptedOut. Keeps: nothing is sent that the gate has not allowed; an opt-out holds on every channel at once.
"""

from puhui.rooms.contacts.call import begin_exchange, end_exchange, note_talk
from puhui.rooms.contacts.gate import Answer, Channel, Facts, Limits, Purpose, Verdict, may_contact
from puhui.rooms.contacts.message import send
from puhui.rooms.contacts.operations import (
    ask_gate,
    erase,
    export,
    gate_now,
    note_end,
    note_refused,
    note_sent,
    opt_out,
    order_message,
)
from puhui.rooms.contacts.script import CallFacts, Line, day_named, next_line
from puhui.rooms.contacts.store import SEALED, MessageOrder, add_turn, find_order, find_order_by_id, gate_breaches, orders_of

__all__ = [
    "SEALED",
    "Answer",
    "CallFacts",
    "Channel",
    "Facts",
    "Limits",
    "Line",
    "MessageOrder",
    "Purpose",
    "Verdict",
    "add_turn",
    "ask_gate",
    "begin_exchange",
    "day_named",
    "end_exchange",
    "erase",
    "export",
    "find_order",
    "find_order_by_id",
    "gate_breaches",
    "gate_now",
    "may_contact",
    "next_line",
    "note_end",
    "note_refused",
    "note_sent",
    "note_talk",
    "opt_out",
    "order_message",
    "orders_of",
    "send",
]
