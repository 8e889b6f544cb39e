"""Consents: what a person allows, to whom, for what, until when; each with a receipt that can be shown years later. Pure."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from puhui.foundation.refusals import BadField, Refusal


class NoConsent(Refusal):
    """There is no consent in force for {item}; nothing was asked outside. It can be given in the step `consent`."""

    code = "customers.no-consent"
    zh = "需要您先同意“{what}”，我们才能继续。"
    status = 403


class Standing(Enum):
    """Where a consent stands at an instant."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Item:
    """What may be consented to. `recipient` is who gets to see it; empty where the person names a partner."""

    code: str
    purposes: tuple[str, ...]
    recipient: str
    days_max: int
    level: str
    zh: str


@dataclass(frozen=True, slots=True)
class Consent:
    """One permission. `sha256` is the hash of its receipt, `until` its end (half-open)."""

    customer_id: str
    consent_id: str
    item: str
    purpose: str
    recipient: str
    wording: str
    session_id: str
    given_at: datetime
    until: datetime
    sha256: str
    withdrawn_at: datetime | None = None

    def standing(self, at: datetime) -> Standing:
        if self.withdrawn_at is not None and self.withdrawn_at <= at:
            return Standing.WITHDRAWN
        return Standing.GRANTED if at < self.until else Standing.EXPIRED


@cache
def items() -> Mapping[str, Item]:
    """Read what may be consented to, by code."""
    return {
        entry["code"]: Item(entry["code"], tuple(entry["purposes"]), entry["recipient"], entry["days_max"], entry["level"], entry["zh"])
        for entry in _data()["item"]
    }


@cache
def wording_version() -> str:
    """Name the version of the words that were shown."""
    return str(_data()["version"])


def _data() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("consents.toml").read_text("utf-8"))


def check_item(code: str, *, purpose: str, recipient: str, until: date, today: date) -> tuple[Item, str]:
    """Check what a person wants to consent to; give the item and who will receive. Raises BadField."""
    item = items().get(code)
    if item is None:
        raise BadField(field="items", why=f"there is no item {code!r}; possible: {', '.join(items())}")
    if purpose not in item.purposes:
        raise BadField(field="purpose", why=f"{code} can be consented to for {' or '.join(item.purposes)}")
    if item.recipient and recipient not in {"", item.recipient}:
        raise BadField(field="recipient", why=f"{code} goes to {item.recipient} alone")
    if not item.recipient and not recipient:
        raise BadField(field="recipient", why=f"{code} needs a partner as its recipient")
    if not today <= until <= today + timedelta(days=item.days_max):
        raise BadField(field="until", why=f"{code} ends between today and {item.days_max} days from now")
    return item, item.recipient or recipient


def receipt_of(consent: Consent) -> bytes:
    """Give the canonical text of a consent's receipt: who, what, for what, to whom, in which words, from when to when."""
    said = {
        "consent_id": consent.consent_id,
        "customer_id": consent.customer_id,
        "given_at": consent.given_at.isoformat(),
        "item": consent.item,
        "purpose": consent.purpose,
        "recipient": consent.recipient,
        "session_id": consent.session_id,
        "until": consent.until.isoformat(),
        "wording": consent.wording,
    }
    return msgspec.json.encode(said, order="deterministic")


def with_receipt(consent: Consent) -> Consent:
    """Give the consent with the hash of its receipt in it."""
    return replace(consent, sha256=hashlib.sha256(receipt_of(consent)).hexdigest())
