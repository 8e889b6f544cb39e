"""Channels: the doors people come through, their visits, and how each came.

Words: entry, scene, session, embedding_token, attribution. Owns the tables of schema `channels`.
Keeps: a secret opens one visit once; a visit idles 30 minutes and lasts 12 hours at most; a token opens one visit; secrets are kept as hashes.
Emits: SessionOpened.
"""

from puhui.rooms.channels import codes
from puhui.rooms.channels.codes import CodeRefused, PlatformUser
from puhui.rooms.channels.entry import Entry, EntryBusy, EntryClosed, EntryKind, EntryState, WrongEntry, entries
from puhui.rooms.channels.operations import (
    Opened,
    Recognized,
    SecretSpent,
    SessionOver,
    SessionTaken,
    all_entries,
    attach,
    change_entry,
    consume_token,
    count_code,
    demand_open,
    end,
    end_all_of,
    entry,
    erase,
    exchange,
    export,
    find_visit,
    is_proven,
    issuer_of,
    note_proven,
    open_session,
    platform_of,
    recognize,
    session_in,
    tidy,
)
from puhui.rooms.channels.scene import NoSuchScene, Refund, RefundRule, Scene, scene, scenes
from puhui.rooms.channels.store import Visit, device_of, entries_used
from puhui.rooms.channels.token import EmbeddingToken, TokenRefused, read_token, write_token

__all__ = [
    "CodeRefused",
    "EmbeddingToken",
    "Entry",
    "EntryBusy",
    "EntryClosed",
    "EntryKind",
    "EntryState",
    "NoSuchScene",
    "Opened",
    "PlatformUser",
    "Recognized",
    "Refund",
    "RefundRule",
    "Scene",
    "SecretSpent",
    "SessionOver",
    "SessionTaken",
    "TokenRefused",
    "Visit",
    "WrongEntry",
    "all_entries",
    "attach",
    "change_entry",
    "codes",
    "consume_token",
    "count_code",
    "demand_open",
    "device_of",
    "end",
    "end_all_of",
    "entries",
    "entries_used",
    "entry",
    "erase",
    "exchange",
    "export",
    "find_visit",
    "is_proven",
    "issuer_of",
    "note_proven",
    "open_session",
    "platform_of",
    "read_token",
    "recognize",
    "scene",
    "scenes",
    "session_in",
    "tidy",
    "write_token",
]
