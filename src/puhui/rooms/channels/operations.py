"""What the room does: open a visit, exchange its secret, keep it alive, recognize whose it is, end it, and say how a person came."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from puhui.foundation.refusals import NotFound, Refusal, WrongState
from puhui.foundation.work import Work
from puhui.rooms.channels import purchase_store, store
from puhui.rooms.channels.entry import (
    FOLLOWS,
    Entry,
    EntryBusy,
    EntryClosed,
    EntryKind,
    EntryState,
    WrongEntry,
    entries,
    throttle_per_minute,
)
from puhui.rooms.channels.scene import scene
from puhui.rooms.channels.store import Visit
from puhui.rooms.channels.token import EmbeddingToken, TokenRefused
from puhui.vocabulary.events import SessionOpened
from puhui.vocabulary.ids import NOBODY
from puhui.vocabulary.steps import Session

IDLE_MIN = 30
LIFE_H = 12
PROVEN_MIN = 5
CODES_MAX = 10
CODES_SPAN_MIN = 10
REPEAT_MIN = 2


class SessionOver(Refusal):
    """This visit is over or was never opened; open the entry again."""

    code = "channels.session-over"
    zh = "登录已过期，请从原来的入口重新进入。"
    status = 401


class SecretSpent(Refusal):
    """This address was opened before; it is good once. Open the entry again."""

    code = "channels.secret-spent"
    zh = "这个链接已经用过了，请从原来的入口重新进入。"
    status = 401


class SessionTaken(Refusal):
    """The session {session_id} was opened before with other facts; choose a fresh id."""

    code = "channels.session-taken"
    status = 409


@dataclass(frozen=True, slots=True)
class Opened:
    """A visit that was opened: the secret for the end of the page's address, and until when the visit lasts at most."""

    session_id: str
    secret: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Recognized:
    """An account of a platform as the entry named it; `customer_id` if it is linked with a person already."""

    blind: bytes
    customer_id: str | None


async def entry(work: Work, entry_id: str) -> Entry:
    """Give an entry with its state now. Raises NotFound."""
    found = entries().get(entry_id)
    if found is None:
        raise NotFound(what="entry", which=entry_id)
    now = await store.entry_state(work, entry_id)
    return replace(found, state=now[0]) if now else found


async def all_entries(work: Work) -> list[Entry]:
    """Give every entry with its state now."""
    states = await store.entry_states(work)
    return [replace(one, state=states.get(one.entry_id, one.state)) for one in entries().values()]


async def change_entry(work: Work, *, entry_id: str, state: EntryState, why: str) -> None:
    """Put an entry into another state; a retired one stays retired. Raises NotFound, WrongState."""
    now = await entry(work, entry_id)
    if state not in FOLLOWS[now.state]:
        possible = ", ".join(sorted(one.value for one in FOLLOWS[now.state])) or "nothing"
        raise WrongState(what=f"the entry {entry_id}", state=now.state.value, possible=possible)
    last = await store.entry_state(work, entry_id)
    await store.add_entry_state(work, entry_id=entry_id, k=last[1] + 1 if last else 1, state=state, why=why)


async def demand_open(work: Work, *, entry_id: str, kind: str, partner_id: str) -> Entry:
    """Give an entry at which this partner may open a visit of this kind now. Raises NotFound, WrongEntry, EntryClosed, EntryBusy."""
    found = await entry(work, entry_id)
    if partner_id not in found.signers:
        raise WrongEntry(partner_id=partner_id, entry_id=entry_id, kind=kind, why="it is another's")
    if kind != found.kind.value:
        raise WrongEntry(partner_id=partner_id, entry_id=entry_id, kind=kind, why=f"it is of kind {found.kind.value}")
    if found.state in {EntryState.CONFIGURED, EntryState.RETIRED}:
        raise EntryClosed(entry_id=entry_id, state=found.state.value)
    if found.state is EntryState.THROTTLED:
        minute = work.in_a_while(minutes=1) - work.at
        if await store.count_opened(work, entry_id, work.at - minute) >= throttle_per_minute():
            raise EntryBusy(entry_id=entry_id)
    return found


async def recognize(work: Work, *, owner: str, partner_user: str) -> Recognized:
    """Say which person an account of a platform is, if he has logged in from there before."""
    blind = store.user_blind(work, owner, partner_user)
    return Recognized(blind, await store.find_user(work, owner=owner, blind=blind))


async def open_session(
    work: Work,
    *,
    session_id: str,
    entry: Entry,
    partner_id: str,
    device_id: str,
    device: Mapping[str, Any],
    scene_id: str = "",
    order_token: str = "",
    customer_id: str | None = None,
    recognized: Recognized | None = None,
    token: EmbeddingToken | None = None,
) -> Opened:
    """Open a visit and give its secret. The same again gives the same; a token opens one visit only.

    Raises: SessionTaken, TokenRefused (seen before), NoSuchScene.
    """
    if scene_id:
        scene(scene_id)
    secret, cookie = _secret(work, session_id, "page"), _secret(work, session_id, "cookie")
    visit = Visit(
        session_id, entry.entry_id, entry.kind, partner_id, device_id, scene_id, order_token, customer_id,
        recognized.blind if recognized else None, None, work.at, _later(work, IDLE_MIN), _later(work, LIFE_H * 60), None, None, None,
    )  # fmt: skip
    if token is not None and not await store.add_token(work, token, session_id):
        seen = await store.find_token(work, token.iss, token.jti)
        if seen is None or seen["session_id"] != session_id:
            raise TokenRefused(why="it was used before")
    if not await store.add_session(work, visit, device=device, page_secret=secret, cookie_secret=cookie):
        earlier = await store.find_session(work, session_id)
        if earlier is None or (earlier.entry_id, earlier.device_id, earlier.partner_id) != (entry.entry_id, device_id, partner_id):
            raise SessionTaken(session_id=session_id)
        return Opened(session_id, secret, earlier.ends_at)
    if customer_id is not None:
        await store.add_attribution(work, visit, customer_id)
    work.emit(SessionOpened(NOBODY, session_id, entry.entry_id, scene_id))
    return Opened(session_id, secret, visit.ends_at)


async def exchange(work: Work, secret: str) -> str:
    """Spend the secret of a page's address, once, and give the one for the cookie. Raises SecretSpent, SessionOver."""
    found = await store.session_by_secret(work, secret)
    if found is None or not found[1]:
        raise SessionOver
    visit = _demand_living(work, found[0])
    if not await store.exchange(work, visit.session_id, "page"):
        raise SecretSpent
    await store.move_token(work, visit.session_id, before=["issued"], state="bound")
    return _secret(work, visit.session_id, "cookie")


async def look_in(work: Work, secret: str) -> tuple[Session, bool]:
    """Give the session of a secret, and whether it is to be kept alive by `session_in`. The address's own secret is taken until a page has exchanged it.

    Raises: SessionOver (unknown, idle for 30 minutes, 12 hours old, ended), SecretSpent.
    """
    visit, is_page = await _visit_of(work, secret)
    return _session(visit), _is_unspent(visit, is_page) or _is_ageing(work, visit)


async def session_in(work: Work, secret: str) -> Session:
    """Give the session of a secret as `look_in` does, and keep it alive; the address's own secret is spent for the API by it."""
    visit, is_page = await _visit_of(work, secret)
    if _is_unspent(visit, is_page):
        await store.exchange(work, visit.session_id, "api")
        await store.move_token(work, visit.session_id, before=["issued"], state="bound")
    if _is_ageing(work, visit):
        await store.keep_alive(work, visit.session_id, min(_later(work, IDLE_MIN), visit.ends_at))
    return _session(visit)


async def _visit_of(work: Work, secret: str) -> tuple[Visit, bool]:
    found = await store.session_by_secret(work, secret) if secret else None
    if found is None:
        raise SessionOver
    visit, is_page = found
    _demand_living(work, visit)
    if is_page and visit.exchanged_by == "page":
        raise SecretSpent
    return found


def _is_unspent(visit: Visit, is_page: bool) -> bool:
    return is_page and visit.exchanged_by is None


def _is_ageing(work: Work, visit: Visit) -> bool:
    """Say whether enough of the idle time has passed that it is worth a write to begin it anew."""
    idle_until = _later(work, IDLE_MIN)
    return (idle_until - visit.idle_until) * IDLE_MIN > idle_until - work.at


async def find_visit(work: Work, session_id: str) -> Visit:
    """Raises SessionOver."""
    found = await store.find_session(work, session_id)
    if found is None:
        raise SessionOver
    return found


async def note_proven(work: Work, *, session_id: str, phone: str, otp_id: str, code: str) -> None:
    """Remember for a few minutes that this code proved this phone in this visit: a log-in that is asked for more needs no second code."""
    await store.set_proven(work, session_id, proven_blind=_proof(work, phone, otp_id, code), proven_until=_later(work, PROVEN_MIN))


async def is_proven(work: Work, *, session_id: str, phone: str, otp_id: str, code: str) -> bool:
    visit = await find_visit(work, session_id)
    if visit.proven_until is None or visit.proven_until <= work.at:
        return False
    return visit.proven_blind == _proof(work, phone, otp_id, code)


async def count_code(work: Work, *, phone: str, check_id: str) -> bool:
    """Count a code to a phone; give False, and count nothing, where it had its share of the last ten minutes. A request sent again counts once."""
    span = _later(work, CODES_SPAN_MIN) - work.at
    if await store.count_codes(work, phone=phone, check_id=check_id, since=work.at - span) >= CODES_MAX:
        return False
    await store.add_code(work, phone=phone, check_id=check_id)
    return True


async def tidy(work: Work) -> int:
    """Drop counts of codes older than a day, and end passes whose visits are over; give how many."""
    return await store.drop_old_codes(work, work.at - timedelta(days=1)) + await store.expire_tokens(work)


async def attach(work: Work, *, session_id: str, customer_id: str, key: str = "") -> None:
    """Say whose visit this is, keep how he came, and link the platform's account with him.

    Under the `key` of the request that proved it the cookie's secret is renewed in the same Work: who knew the old one from before the
    log-in has nothing.
    """
    visit = await find_visit(work, session_id)
    await store.attach(work, session_id, customer_id)
    if key:
        await renew(work, session_id=session_id, key=key)
    await store.add_attribution(work, visit, customer_id)
    if visit.partner_user_blind is not None:
        await store.link_user(work, owner=platform_of(visit.kind, visit.partner_id), blind=visit.partner_user_blind, customer_id=customer_id)


async def renew(work: Work, *, session_id: str, key: str) -> str:
    """Give a visit to which more is opened a new secret for its cookie; the old one opens nothing. The same request again (`key`) gets the same."""
    visit, by = await find_visit(work, session_id), _renewal(work, session_id, key)
    if visit.renewed_by != by:
        turn = visit.turn + 1
        if await store.renew(work, session_id, turn=turn, secret=_cookie(work, session_id, turn), by=by):
            return _cookie(work, session_id, turn)
        visit = await find_visit(work, session_id)  # somebody was quicker: his is the one
    return _cookie(work, session_id, visit.turn)


async def session_repeating(work: Work, secret: str, key: str) -> Session | None:
    """Give the visit whose secret ended just now by the very request that comes again under this key; None for any other.

    A phone whose network drops the answer to a log-in sends it again with the cookie it has. Nobody else knows the key.
    """
    since = work.at - (_later(work, REPEAT_MIN) - work.at)
    found = await store.find_ended(work, secret, since=since)
    if found is None or found.renewed_by != _renewal(work, found.session_id, key):
        return None
    return _session(_demand_living(work, found))


def platform_of(kind: EntryKind, partner_id: str) -> str:
    """Say within what an account of a platform is one person: all windows of one platform, or one partner's apps."""
    return kind.value if kind in {EntryKind.ALIPAY_WINDOW, EntryKind.WECHAT_ACCOUNT} else partner_id


async def end(work: Work, *, session_id: str) -> None:
    """End a visit (log-out). Ended already, nothing more happens."""
    await store.end_session(work, session_id)


async def end_all_of(work: Work, *, customer_id: str, but: str = "") -> int:
    """End every visit of a person (a lost phone, a freeze), but the one named."""
    return await store.end_sessions_of(work, customer_id, but=but)


async def consume_token(work: Work, *, session_id: str) -> None:
    """An application came out of the visit: its pass is used up."""
    await store.move_token(work, session_id, before=["issued", "bound"], state="consumed")


async def issuer_of(work: Work, session_id: str) -> str | None:
    """Give the partner whose pass opened the visit, or None: he is told of the application's course as far as the consent names it."""
    row = await store.token_of(work, session_id)
    return row["iss"] if row else None


async def export(work: Work, *, customer_id: str) -> dict[str, Any]:
    """Give all that the room knows of the person, for the person alone."""
    return {
        "visits": [dict(row) for row in await store.sessions_of(work, customer_id)],
        "attributions": [dict(row) for row in await store.attributions_of(work, customer_id)],
        "told_to_partners": [dict(row) for row in await store.SQL.told_of.rows(work, customer_id=customer_id)],
        "purchases": [
            {"order_id": one.order_id, "merchant_id": one.merchant_id, "amount_fen": one.amount_fen, "state": one.state.value,
             "items": [item.title for item in one.items]}
            for one in await purchase_store.of_customer(work, customer_id)
        ],
    }


async def erase(work: Work, *, customer_id: str) -> None:
    """Take away devices and platform accounts; that there was a visit by an entry stays, for the counts."""
    await store.end_sessions_of(work, customer_id, but="")
    await store.erase(work, customer_id)


def _secret(work: Work, session_id: str, what: str) -> str:
    """Derive a secret nobody can guess without the house's key; made again from the same session it is the same, so a repeat gets it again."""
    return urlsafe_b64encode(work.keys.blind(f"session-{what}", session_id)).rstrip(b"=").decode()


def _cookie(work: Work, session_id: str, turn: int) -> str:
    return _secret(work, session_id, "cookie") if turn == 0 else _secret(work, f"{session_id}|{turn}", "cookie")


def _renewal(work: Work, session_id: str, key: str) -> bytes:
    return work.keys.blind("session-renewal", f"{session_id}|{key}")


def _proof(work: Work, phone: str, otp_id: str, code: str) -> bytes:
    return work.keys.blind("proven", f"{phone}|{otp_id}|{code}")


def _later(work: Work, minutes: int) -> datetime:
    """Give the instant so many minutes of a session from now: real minutes, also for spans beyond an hour."""
    half_hour = work.in_a_while(minutes=30) - work.at
    return work.at + half_hour * minutes / 30


def _demand_living(work: Work, visit: Visit) -> Visit:
    if visit.ended_at is not None or work.at >= visit.idle_until or work.at >= visit.ends_at:
        raise SessionOver
    return visit


def _session(visit: Visit) -> Session:
    return Session(visit.session_id, visit.entry_id, visit.device_id, visit.customer_id, visit.scene, visit.order_token)
