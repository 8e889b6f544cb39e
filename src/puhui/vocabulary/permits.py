"""What one room must prove to another: frozen values that outside clients demand by type, and refuse when stale."""

from dataclasses import dataclass
from datetime import datetime

from puhui.foundation.refusals import Refusal


class PermitStale(Refusal):
    """The permission {consent_id} for {item} is no longer in force; nothing was asked outside."""

    code = "permits.stale"
    zh = "您的这项授权已经失效，我们没有查询任何信息。"


class WrongPermit(Refusal):
    """This permission is for {has}, not for {wanted}; nothing was asked outside."""

    code = "permits.wrong"


@dataclass(frozen=True, slots=True)
class Permit:
    """This consent of this person is in force for this item, purpose and recipient, from `seen_at` for `use_within_s`, and never past `until`."""

    customer_id: str
    consent_id: str
    consent_sha256: str
    item: str
    purpose: str
    recipient: str
    seen_at: datetime
    until: datetime
    use_within_s: int = 1

    def demand(self, *, item: str, purpose: str, recipient: str) -> None:
        """Raise WrongPermit unless this permit is for exactly that."""
        if (self.item, self.purpose, self.recipient) != (item, purpose, recipient):
            raise WrongPermit(has=f"{self.item}/{self.purpose}/{self.recipient}", wanted=f"{item}/{purpose}/{recipient}")


@dataclass(frozen=True, slots=True)
class ListedPartner:
    """This partner is on the list in this role, as seen at `seen_at`."""

    partner_id: str
    role: str
    address: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """Two persons said yes to exactly this change: its kind, and the SHA-256 of its canonical content."""

    approval_id: str
    kind: str
    content_sha256: str
    first: str
    second: str
    at: datetime
