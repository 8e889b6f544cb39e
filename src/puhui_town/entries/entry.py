"""Entry apps: where a resident taps. Each opens sessions at the platform, in the way of its kind."""

import tomllib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from puhui_town.wire import PrivateKey, json_bytes

EntryKind = Literal["app", "alipay_window", "wechat_account", "h5"]
KINDS: tuple[EntryKind, ...] = ("app", "alipay_window", "wechat_account", "h5")
TOKEN_LIVES_S = 300
AUDIENCE = "puhui"
ASSETS = 6


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `owner` is the partner whom its events concern."""

    entry_id: str
    kind: EntryKind
    owner: str

    @property
    def key_id(self) -> str:
        return f"entry-{self.entry_id}"


@cache
def own_entries() -> tuple[Entry, ...]:
    """The entries as the town itself knows them."""
    data = tomllib.loads(files("puhui_town.entries").joinpath("entries.toml").read_text(encoding="utf-8"))
    found = []
    for group in data["group"]:
        for n in range(group["first"], group["last"] + 1):
            owner = f"asset-{1 + n % ASSETS}" if group["owner"] == "asset" else f"entry-e{n:02d}"
            found.append(Entry(f"e{n:02d}", group["kind"], owner))
    return tuple(found)


def told_entries(body: Mapping[str, Any]) -> tuple[Entry, ...]:
    """The entries in the platform's answer that are open to people and whose key the town holds."""
    known = {entry.entry_id for entry in own_entries()}
    rows = body.get("entries") or body.get("items") or ()
    found = [
        Entry(row["entry_id"], row["kind"], row.get("owner", ""))
        for row in rows
        if row.get("kind") in KINDS and row.get("entry_id") in known and row.get("state", "live") in {"live", "throttled"}
    ]
    return tuple(sorted(found, key=lambda entry: entry.entry_id))


def h5_token(key: PrivateKey, claims: Mapping[str, object]) -> str:
    """`v1.` payload `.` signature, in base64url without padding."""
    head = f"v1.{_plain(json_bytes(dict(claims)))}"
    return f"{head}.{_plain(key.sign(head.encode()))}"


def _plain(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
