"""All SQL of the staff room."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from puhui.foundation import sql
from puhui.foundation.crypto import Sealed
from puhui.foundation.sql import Row
from puhui.foundation.work import Work
from puhui.rooms.staff.audit import AuditLine
from puhui.rooms.staff.role import Role

SQL = sql.load(__file__)
SEALED = (
    Sealed("staff.accounts", "name_sealed", "staff.name", "staff_id"),
    Sealed("staff.accounts", "totp_sealed", "staff.totp", "staff_id"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the list shows it."""

    staff_id: str
    login: str
    name: str
    roles: frozenset[Role]
    is_active: bool
    has_totp: bool
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Request:
    """A request for two persons' yes, in whatever state: open | given | used | declined."""

    approval_id: str
    kind: str
    subject: str
    content_sha256: str
    state: str
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    used_at: datetime | None
    why: str | None


def account_of(work: Work, row: Row) -> Account:
    name = work.keys.open_text("staff.name", row["staff_id"], row["name_sealed"])
    roles = frozenset(Role(role) for role in row["roles"])
    return Account(row["staff_id"], row["login"], name, roles, row["state"] == "active", row["totp_is_on"], row["locked_until"])


def request_of(row: Row) -> Request:
    return Request(**row)


def line_of(row: Row) -> AuditLine:
    return AuditLine(**row)


async def append(work: Work, line: AuditLine) -> None:
    facts: Mapping[str, str | int] = line.facts
    await SQL.add_line.run(
        work, seq=line.seq, at=line.at, actor=line.actor, verb=line.verb, subject=line.subject, facts=dict(facts), before=line.before, chain=line.chain
    )
    await SQL.move_head.run(work, seq=line.seq, chain=line.chain)
