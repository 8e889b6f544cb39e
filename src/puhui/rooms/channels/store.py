"""The rows of the room: entry states, sessions, partner users, tokens, attributions. Secrets are kept as hashes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from puhui.foundation import sql
from puhui.foundation.work import Work
from puhui.rooms.channels.entry import EntryKind, EntryState
from puhui.rooms.channels.token import EmbeddingToken

SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True)
class Visit:
    """A session as it is kept. `exchanged_by` says whether its first secret was spent, by a page or by the API.

    `turn` counts the secrets its cookie has had; `renewed_by` is the mark of the request that brought the last one.
    """

    session_id: str
    entry_id: str
    kind: EntryKind
    partner_id: str
    device_id: str
    scene: str
    order_token: str
    customer_id: str | None
    partner_user_blind: bytes | None
    exchanged_by: str | None
    opened_at: datetime
    idle_until: datetime
    ends_at: datetime
    ended_at: datetime | None
    proven_blind: bytes | None
    proven_until: datetime | None
    turn: int = 0
    renewed_by: bytes | None = None


def hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def entry_states(work: Work) -> dict[str, EntryState]:
    return {row["entry_id"]: EntryState(row["state"]) for row in await SQL.entry_states.rows(work)}


async def entry_state(work: Work, entry_id: str) -> tuple[EntryState, int] | None:
    row = await SQL.entry_state.row(work, entry_id=entry_id)
    return (EntryState(row["state"]), row["k"]) if row else None


async def add_entry_state(work: Work, *, entry_id: str, k: int, state: EntryState, why: str) -> None:
    await SQL.add_entry_state.run(work, entry_id=entry_id, k=k, state=state.value, at=work.at, actor=work.actor.name, why=why)


async def count_opened(work: Work, entry_id: str, since: datetime) -> int:
    return int(await SQL.count_opened.value(work, entry_id=entry_id, since=since))


async def add_session(
    work: Work, visit: Visit, *, device: Mapping[str, Any], page_secret: str, cookie_secret: str
) -> bool:
    added = await SQL.add_session.run(
        work,
        session_id=visit.session_id,
        entry_id=visit.entry_id,
        kind=visit.kind.value,
        partner_id=visit.partner_id,
        device_id=visit.device_id,
        device=dict(device),
        scene=visit.scene,
        order_token=visit.order_token,
        customer_id=visit.customer_id,
        partner_user_blind=visit.partner_user_blind,
        page_secret_hash=hash_of(page_secret),
        cookie_secret_hash=hash_of(cookie_secret),
        at=work.at,
        idle_until=visit.idle_until,
        ends_at=visit.ends_at,
    )
    return added == 1


async def find_session(work: Work, session_id: str) -> Visit | None:
    row = await SQL.find_session.row(work, session_id=session_id)
    return _visit(row) if row else None


async def session_by_secret(work: Work, secret: str) -> tuple[Visit, bool] | None:
    """Give the session of a secret, and whether it is that of the page's address."""
    row = await SQL.session_by_secret.row(work, hash=hash_of(secret))
    return (_visit(row), row["is_page"]) if row else None


async def exchange(work: Work, session_id: str, by: str) -> bool:
    return await SQL.exchange.run(work, session_id=session_id, by=by) == 1


async def keep_alive(work: Work, session_id: str, idle_until: datetime) -> None:
    await SQL.keep_alive.run(work, session_id=session_id, idle_until=idle_until)


async def attach(work: Work, session_id: str, customer_id: str) -> None:
    await SQL.attach.run(work, session_id=session_id, customer_id=customer_id)


async def renew(work: Work, session_id: str, *, turn: int, secret: str, by: bytes) -> bool:
    return await SQL.renew.run(work, session_id=session_id, turn=turn, hash=hash_of(secret), by=by, at=work.at) == 1


async def find_ended(work: Work, secret: str, *, since: datetime) -> Visit | None:
    """Give the visit whose secret this was until a renewal after `since`."""
    row = await SQL.session_of_ended_secret.row(work, hash=hash_of(secret), since=since)
    return _visit(row) if row else None


async def set_proven(work: Work, session_id: str, *, proven_blind: bytes, proven_until: datetime) -> None:
    await SQL.set_proven.run(work, session_id=session_id, proven_blind=proven_blind, proven_until=proven_until)


async def end_session(work: Work, session_id: str) -> None:
    await SQL.end_session.run(work, session_id=session_id, at=work.at)


async def end_sessions_of(work: Work, customer_id: str, *, but: str) -> int:
    return await SQL.end_sessions_of.run(work, customer_id=customer_id, but=but, at=work.at)


async def sessions_of(work: Work, customer_id: str) -> Sequence[sql.Row]:
    return await SQL.sessions_of.rows(work, customer_id=customer_id)


async def device_of(work: Work, session_id: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = await SQL.device_of.value(work, session_id=session_id)
    return found


def user_blind(work: Work, owner: str, partner_user: str) -> bytes:
    return work.keys.blind("partner_user", f"{owner}|{partner_user}")


async def find_user(work: Work, *, owner: str, blind: bytes) -> str | None:
    found: str | None = await SQL.find_user.value(work, owner=owner, user_blind=blind)
    return found


async def link_user(work: Work, *, owner: str, blind: bytes, customer_id: str) -> None:
    await SQL.link_user.run(work, owner=owner, user_blind=blind, customer_id=customer_id, at=work.at)


async def add_token(work: Work, token: EmbeddingToken, session_id: str) -> bool:
    added = await SQL.add_token.run(
        work,
        iss=token.iss,
        jti=token.jti,
        entry_id=token.entry_id,
        session_id=session_id,
        sub_blind=work.keys.blind("partner_user", f"{token.iss}|{token.sub}"),
        expires_at=datetime.fromtimestamp(token.exp, work.at.tzinfo),
        at=work.at,
    )
    return added == 1


async def find_token(work: Work, iss: str, jti: str) -> sql.Row | None:
    return await SQL.find_token.row(work, iss=iss, jti=jti)


async def move_token(work: Work, session_id: str, *, before: Sequence[str], state: str) -> bool:
    return await SQL.move_token.run(work, session_id=session_id, before=list(before), state=state) == 1


async def expire_tokens(work: Work) -> int:
    return await SQL.expire_tokens.run(work, at=work.at)


async def token_of(work: Work, session_id: str) -> sql.Row | None:
    return await SQL.token_of.row(work, session_id=session_id)


async def add_code(work: Work, *, phone: str, check_id: str) -> None:
    await SQL.add_code.run(work, phone_blind=work.keys.blind("phone", phone), check_id=check_id, at=work.at)


async def count_codes(work: Work, *, phone: str, check_id: str, since: datetime) -> int:
    return int(await SQL.count_codes.value(work, phone_blind=work.keys.blind("phone", phone), check_id=check_id, since=since))


async def drop_old_codes(work: Work, before: datetime) -> int:
    return await SQL.drop_old_codes.run(work, before=before)


async def add_attribution(work: Work, visit: Visit, customer_id: str) -> None:
    await SQL.add_attribution.run(
        work,
        customer_id=customer_id,
        session_id=visit.session_id,
        entry_id=visit.entry_id,
        partner_id=visit.partner_id,
        scene=visit.scene,
        at=work.at,
    )


async def attributions_of(work: Work, customer_id: str) -> Sequence[sql.Row]:
    return await SQL.attributions_of.rows(work, customer_id=customer_id)


async def entries_used(work: Work) -> int:
    return int(await SQL.entries_used.value(work))


async def erase(work: Work, customer_id: str) -> None:
    await SQL.erase_sessions.run(work, customer_id=customer_id)
    await SQL.erase_users.run(work, customer_id=customer_id)


def _visit(row: sql.Row) -> Visit:
    return Visit(
        row["session_id"],
        row["entry_id"],
        EntryKind(row["kind"]),
        row["partner_id"],
        row["device_id"],
        row["scene"],
        row["order_token"],
        row["customer_id"],
        row["partner_user_blind"],
        row["exchanged_by"],
        row["opened_at"],
        row["idle_until"],
        row["ends_at"],
        row["ended_at"],
        row["proven_blind"],
        row["proven_until"],
        row["turn"],
        row["renewed_by"],
    )
