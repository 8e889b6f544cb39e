"""Entries: the doors a borrower comes through, and what state each is in. Pure; the entries themselves are data."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from puhui.foundation.refusals import Refusal


class EntryKind(Enum):
    APP = "app"
    ALIPAY_WINDOW = "alipay_window"
    WECHAT_ACCOUNT = "wechat_account"
    H5 = "h5"


class EntryState(Enum):
    CONFIGURED = "configured"
    LIVE = "live"
    THROTTLED = "throttled"
    RETIRED = "retired"


FOLLOWS: Mapping[EntryState, frozenset[EntryState]] = {
    EntryState.CONFIGURED: frozenset({EntryState.LIVE, EntryState.RETIRED}),
    EntryState.LIVE: frozenset({EntryState.THROTTLED, EntryState.RETIRED}),
    EntryState.THROTTLED: frozenset({EntryState.LIVE, EntryState.RETIRED}),
    EntryState.RETIRED: frozenset(),
}


class EntryClosed(Refusal):
    """The entry {entry_id} is {state}; no visit begins there."""

    code = "channels.entry-closed"
    zh = "这个入口暂时不能使用，请从其他入口进入。"


class EntryBusy(Refusal):
    """The entry {entry_id} is throttled and had its visits of this minute; come again in a minute."""

    code = "channels.entry-busy"
    zh = "现在使用的人比较多，请过一分钟再试。"
    status = 429
    retry = "later"


class WrongEntry(Refusal):
    """{partner_id} may not open visits at {entry_id} as {kind}: {why}."""

    code = "channels.wrong-entry"
    status = 403


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as configured. `owner` is "lender", or the asset partner whose app it is."""

    entry_id: str
    kind: EntryKind
    name: str
    owner: str
    state: EntryState

    @property
    def signers(self) -> frozenset[str]:
        """Who may open visits here: the entry's own key, and its owner's."""
        return frozenset({f"entry-{self.entry_id}", self.owner}) - {"lender"}


@cache
def entries() -> Mapping[str, Entry]:
    """Read the configured entries, by id."""
    return {
        row["entry_id"]: Entry(row["entry_id"], EntryKind(row["kind"]), row["name"], row["owner"], EntryState(row["state"]))
        for row in _data()["entry"]
    }


@cache
def own_pages() -> str:
    """Give the entry by which people come who open the lender's own pages themselves."""
    return str(_data()["own_pages"])


@cache
def throttle_per_minute() -> int:
    return int(_data()["throttle_per_minute"])


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("entries.toml").read_text("utf-8"))
