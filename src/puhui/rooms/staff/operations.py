"""Accounts, logging in, four-eyes approvals, the chained audit, unmasking."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from puhui.foundation.refusals import BadField, KeyReused, NotFound, Refusal, WrongState
from puhui.foundation.sql import Row
from puhui.foundation.work import Work
from puhui.rooms.staff import password, store, token, totp
from puhui.rooms.staff.audit import FIRST, AuditLine, Seal, broken_lines, chain_of
from puhui.rooms.staff.role import Duty, Member, Role, check_together
from puhui.rooms.staff.store import SQL, Account, Request
from puhui.rooms.staff.token import Claims, TokenNotTaken
from puhui.vocabulary.ids import NOBODY, derive
from puhui.vocabulary.permits import Approval

# What the house sets itself; each may be changed here and nowhere else.
TRIES_MAX = 5
LOCKED_MINUTES = 15
IDLE_MINUTES = 30
SESSION_HOURS_MAX = 12
UNMASKED_A_DAY_MAX = 50
LOGIN = re.compile(r"^[a-z][a-z0-9._-]{1,31}$")

ASKING: Mapping[str, tuple[Duty, Duty]] = {
    "policy": (Duty.PROPOSE_POLICY, Duty.APPROVE_POLICY),
    "money": (Duty.PROPOSE_MONEY, Duty.APPROVE_MONEY),
    "partner": (Duty.PROPOSE_PARTNER, Duty.APPROVE_PARTNER),
    "partners": (Duty.PROPOSE_PARTNER, Duty.APPROVE_PARTNER),
    "law": (Duty.PROPOSE_LAW, Duty.APPROVE_LAW),
    "business": (Duty.STOP_BUSINESS, Duty.RESUME_BUSINESS),
}
"""The family of an approval's kind (`money.write-off` is of `money`): who may ask, who may say yes."""


class LoginTaken(Refusal):
    """The login {login} belongs to someone already; choose another."""

    code = "staff.login-taken"
    zh = "登录名 {login} 已被使用，请换一个。"
    status = 409


class SamePerson(Refusal):
    """Who asked for {approval_id} cannot say yes to it; another person must."""

    code = "staff.same-person"
    zh = "申请人不能复核自己的申请，请由另一位同事复核。"
    status = 403


class ApprovalMissing(Refusal):
    """This change ({kind}) needs two persons' yes to exactly this content, and {approval_id} is not that: {why}. Ask for one with `puhui staff ask`."""

    code = "staff.approval-missing"
    zh = "这项变更需要两人复核同意：{why}。"
    status = 403


class UnmaskedTooMuch(Refusal):
    """{login} has unmasked {count} fields in the last 24 hours, and {most} is the limit; ask a colleague or wait."""

    code = "staff.unmasked-too-much"
    zh = "24 小时内查看明文已达上限（{most} 次）。"
    status = 429


@dataclass(frozen=True, slots=True)
class LoggedIn:
    token: str
    member: Member


@dataclass(frozen=True, slots=True)
class NotLoggedIn:
    """Why not: `wrong` (login or password), `code` (the second factor), `locked` (too many tries; wait)."""

    why: str


@dataclass(frozen=True, slots=True)
class Unmasking:
    """This member sees this field of this customer now; it is in the audit."""

    staff_id: str
    customer_id: str
    field: str
    audit_seq: int


# -- accounts


async def add_account(work: Work, by: Member, *, login: str, name: str, roles: frozenset[Role], given_password: str) -> Member:
    """Make an account. Raises BadField, RolesConflict, WeakPassword, LoginTaken, NotYourDuty."""
    by.demand(Duty.MANAGE_ACCOUNTS)
    if not LOGIN.fullmatch(login):
        raise BadField(field="login", why="2 to 32 of a-z 0-9 . _ -, a letter first")
    if not roles:
        raise BadField(field="roles", why="at least one role")
    check_together(roles)
    password.check_strength(given_password, login)
    staff_id = derive("st", NOBODY, login, "account")
    added = await SQL.add_account.run(
        work,
        staff_id=staff_id,
        login=login,
        name_sealed=work.keys.seal("staff.name", staff_id, name),
        roles=_sorted(roles),
        password_hash=await password.hashed(given_password),
        at=work.at,
        created_by=by.staff_id,
    )
    if not added:
        raise LoginTaken(login=login)
    await note(work, by, verb="add_account", subject=staff_id, facts={"login": login, "roles": " ".join(_sorted(roles))})
    return Member(staff_id, login, roles)


async def set_roles(work: Work, by: Member, *, login: str, roles: frozenset[Role]) -> None:
    """Give an account other roles; its sessions end. Raises NotFound, RolesConflict, NotYourDuty, BadField."""
    by.demand(Duty.MANAGE_ACCOUNTS)
    if not roles:
        raise BadField(field="roles", why="at least one role; to take all away, close the account")
    check_together(roles)
    account = await find_account(work, login=login)
    if account.staff_id == by.staff_id:
        raise BadField(field="login", why="nobody changes his own roles")
    await SQL.set_roles.run(work, staff_id=account.staff_id, roles=_sorted(roles))
    await SQL.end_sessions.run(work, staff_id=account.staff_id, at=work.at)
    await note(work, by, verb="set_roles", subject=account.staff_id, facts={"before": " ".join(_sorted(account.roles)), "roles": " ".join(_sorted(roles))})


async def close_account(work: Work, by: Member, *, login: str) -> None:
    """Close an account for good; its sessions end. What it did stays in the audit. Raises NotFound, NotYourDuty."""
    by.demand(Duty.MANAGE_ACCOUNTS)
    account = await find_account(work, login=login)
    await SQL.close_account.run(work, staff_id=account.staff_id)
    await SQL.end_sessions.run(work, staff_id=account.staff_id, at=work.at)
    await note(work, by, verb="close_account", subject=account.staff_id, facts={})


async def set_password(work: Work, by: Member, *, login: str, new_password: str) -> None:
    """Set a password: one's own, or anybody's by who manages accounts; ends the sessions and any lock. Raises NotFound, WeakPassword, NotYourDuty."""
    account = await find_account(work, login=login)
    if account.staff_id != by.staff_id:
        by.demand(Duty.MANAGE_ACCOUNTS)
    password.check_strength(new_password, login)
    await SQL.set_password.run(work, staff_id=account.staff_id, password_hash=await password.hashed(new_password))
    await SQL.end_sessions.run(work, staff_id=account.staff_id, at=work.at)
    await note(work, by, verb="set_password", subject=account.staff_id, facts={})


async def find_account(work: Work, *, login: str) -> Account:
    """Give an account by its login. Raises NotFound."""
    row = await SQL.account_by_login.row(work, login=login)
    if row is None:
        raise NotFound(what="staff account", which=login)
    return store.account_of(work, row)


async def accounts(work: Work) -> list[Account]:
    return [store.account_of(work, row) for row in await SQL.accounts.rows(work)]


async def enroll_totp(work: Work, by: Member) -> str:
    """Begin a second factor for oneself and give the address for the authenticator app; it counts once `confirm_totp` has seen a code."""
    secret = work.keys.blind("staff.totp", f"{by.staff_id}|{work.at.isoformat()}")[:20]
    await SQL.set_totp.run(work, staff_id=by.staff_id, totp_sealed=work.keys.seal("staff.totp", by.staff_id, secret))
    await note(work, by, verb="enroll_totp", subject=by.staff_id, facts={})
    return totp.address_of(secret, by.login)


async def confirm_totp(work: Work, by: Member, *, code: str) -> None:
    """Turn the second factor on, proven by a code of the app. Raises BadField, WrongState."""
    row = await SQL.totp.row(work, staff_id=by.staff_id)
    if row is None or row["totp_sealed"] is None:
        raise WrongState(what="the second factor", state="not begun", possible="enroll_totp")
    secret = work.keys.open("staff.totp", by.staff_id, row["totp_sealed"])
    step = totp.step_of(code, secret, real_s=work.clock.real_ms() // 1000, after_step=row["totp_step"])
    if step is None:
        raise BadField(field="code", why="it is not the code of this minute; check the clock of your phone")
    await SQL.turn_totp_on.run(work, staff_id=by.staff_id, totp_step=step)
    await note(work, by, verb="confirm_totp", subject=by.staff_id, facts={})


# -- logging in


async def log_in(work: Work, *, login: str, given_password: str, code: str = "") -> LoggedIn | NotLoggedIn:
    """Log in. A failed try is an answer and no refusal, because it must be counted: commit the Work in any case."""
    row = await SQL.lock_account.row(work, login=login)
    is_right = await password.fits(given_password, row["password_hash"] if row else None)
    if row is None or row["state"] != "active":
        return NotLoggedIn("wrong")
    if row["locked_until"] is not None and row["locked_until"] > work.at:
        return NotLoggedIn("locked")

    step = _second_factor(work, row, code) if row["totp_is_on"] else row["totp_step"]
    member = Member(row["staff_id"], login, frozenset(Role(role) for role in row["roles"]))
    if not is_right or step is None:
        locked_until = work.in_a_while(minutes=LOCKED_MINUTES)
        await SQL.count_failure.run(work, staff_id=member.staff_id, most=TRIES_MAX, locked_until=locked_until)
        if row["failed"] + 1 >= TRIES_MAX:
            await note(work, member, verb="locked_out", subject=member.staff_id, facts={"tries": row["failed"] + 1})
        return NotLoggedIn("wrong" if not is_right else "code")

    await SQL.forget_failures.run(work, staff_id=member.staff_id, totp_step=step)
    number = int(await SQL.count_sessions.value(work, staff_id=member.staff_id)) + 1
    session_id = derive("sx", NOBODY, member.staff_id, "session", number)
    await SQL.add_session.run(work, session_id=session_id, staff_id=member.staff_id, at=work.at, idle_until=work.in_a_while(minutes=IDLE_MINUTES))
    await note(work, member, verb="log_in", subject=member.staff_id, facts={"session": session_id})
    now_s = work.clock.real_ms() // 1000
    made = token.make(_token_key(work), Claims(member.staff_id, session_id), issued_s=now_s, expires_s=now_s + SESSION_HOURS_MAX * 3600)
    return LoggedIn(made, member)


async def member_of(work: Work, *, given_token: str) -> Member:
    """Give who holds this token, with the roles of now. Raises TokenNotTaken: altered, expired, idle too long, ended, or the account is closed."""
    claims = token.read(_token_key(work), given_token, now_s=work.clock.real_ms() // 1000)
    row = await SQL.use_session.row(
        work, session_id=claims.session_id, staff_id=claims.staff_id, at=work.at, idle_until=work.in_a_while(minutes=IDLE_MINUTES)
    )
    if row is None:
        raise TokenNotTaken
    return Member(row["staff_id"], row["login"], frozenset(Role(role) for role in row["roles"]))


async def log_out(work: Work, *, given_token: str) -> None:
    """End the session of a token. Raises TokenNotTaken."""
    claims = token.read(_token_key(work), given_token, now_s=work.clock.real_ms() // 1000)
    await SQL.end_session.run(work, session_id=claims.session_id, at=work.at)


# -- two persons' yes


def content_sha256(content: object) -> str:
    """Name a change by the SHA-256 of its content, so that a yes counts for exactly this: bytes as a room made them, or a value's canonical JSON."""
    return hashlib.sha256(content if isinstance(content, bytes) else msgspec.json.encode(content, order="sorted")).hexdigest()


async def ask_approval(work: Work, by: Member, *, kind: str, subject: str, content: object) -> str:
    """Ask for a second person's yes and give the approval id; asking again while one is open gives the same. Raises NotYourDuty, BadField."""
    by.demand(_family(kind)[0])
    digest = content_sha256(content)
    which = {"kind": kind, "subject": subject, "content_sha256": digest}
    if known := await SQL.find_open_approval.value(work, **which):
        return str(known)
    number = int(await SQL.count_approvals.value(work, **which)) + 1
    approval_id = derive("av", NOBODY, f"{kind}|{subject}|{digest}", "approval", number)
    if not await SQL.add_approval.run(work, approval_id=approval_id, asked_by=by.staff_id, at=work.at, **which):
        raise KeyReused(key=approval_id)
    await note(work, by, verb="ask_approval", subject=approval_id, facts={"kind": kind, "about": subject, "sha256": digest})
    return approval_id


async def approve(work: Work, by: Member, *, approval_id: str) -> Approval:
    """Say the second yes. Raises NotFound, WrongState, SamePerson, NotYourDuty."""
    request = await _decide(work, by, approval_id, state="given", why=None)
    return Approval(approval_id, request.kind, request.content_sha256, request.asked_by, by.staff_id, work.at)


async def decline(work: Work, by: Member, *, approval_id: str, why: str) -> None:
    """Say no, with the reason. Raises as `approve` does."""
    await _decide(work, by, approval_id, state="declined", why=why[:500])


async def use_approval(work: Work, *, approval_id: str, kind: str, content: object) -> Approval:
    """Spend a given approval on exactly this change, in the Work that makes it; a second use is refused. Raises ApprovalMissing."""
    row = await SQL.lock_approval.row(work, approval_id=approval_id)
    if row is None:
        raise ApprovalMissing(approval_id=approval_id, kind=kind, why="there is none of this number")
    request = store.request_of(row)
    if request.kind != kind or request.content_sha256 != content_sha256(content):
        raise ApprovalMissing(approval_id=approval_id, kind=kind, why="it was given for something else")
    if request.state != "given" or request.decided_by is None or request.decided_at is None:
        raise ApprovalMissing(approval_id=approval_id, kind=kind, why=f"it is {request.state}")
    await SQL.use_approval.run(work, approval_id=approval_id, at=work.at)
    await _write_line(work, actor=work.actor.name, verb="use_approval", subject=approval_id, facts={"kind": kind})
    return Approval(approval_id, kind, request.content_sha256, request.asked_by, request.decided_by, request.decided_at)


async def approvals_given(work: Work, *, kind: str, sha256: str) -> list[Approval]:
    """Give the approvals in force for a content that needs no spending (a published rule pack, a strategy)."""
    requests = [store.request_of(row) for row in await SQL.approvals_given.rows(work, kind=kind, content_sha256=sha256)]
    return [
        Approval(one.approval_id, one.kind, one.content_sha256, one.asked_by, one.decided_by, one.decided_at)
        for one in requests
        if one.decided_by and one.decided_at
    ]


async def requests(work: Work, *, state: str | None = None, most: int = 200) -> list[Request]:
    """Give the requests for approval, oldest first; `state` open | given | used | declined, or all."""
    return [store.request_of(row) for row in await SQL.approvals.rows(work, state=state, most=most)]


# -- the audit


async def note(work: Work, by: Member, *, verb: str, subject: str, facts: Mapping[str, str | int]) -> int:
    """Write a line into the audit and give its place. `facts` are ids, codes and numbers, never personal data."""
    return await _write_line(work, actor=by.staff_id, verb=verb, subject=subject, facts=facts)


async def read_audit(work: Work, by: Member, *, after: int = 0, most: int = 500) -> list[AuditLine]:
    """Read the audit; that, too, is noted. Raises NotYourDuty."""
    by.demand(Duty.READ_AUDIT)
    await note(work, by, verb="read_audit", subject="audit", facts={"after": after})
    return [store.line_of(row) for row in await SQL.lines.rows(work, after=after, most=most)]


async def audit_page(
    work: Work, by: Member, *, actor: str | None = None, verb: str | None = None, subject: str | None = None, most: int = 25, skip: int = 0
) -> tuple[list[AuditLine], int]:
    """Give a page of the audit, the newest line first, and how many there are; that, too, is noted. Raises NotYourDuty."""
    by.demand(Duty.READ_AUDIT)
    await note(work, by, verb="read_audit", subject="audit", facts={"skip": skip})
    wanted = {"actor": actor, "verb": verb, "subject": subject}
    rows = await SQL.lines_page.rows(work, most=most, skip=skip, **wanted)
    return [store.line_of(row) for row in rows], int(await SQL.lines_page_count.value(work, **wanted))


async def audit_verbs(work: Work) -> list[str]:
    """Give the verbs that stand in the audit."""
    return [row["verb"] for row in await SQL.verbs.rows(work)]


async def requests_page(work: Work, *, state: str | None = None, most: int = 25, skip: int = 0) -> tuple[list[Request], int]:
    """Give a page of the requests for approval, the newest first, and how many there are."""
    rows = await SQL.approvals_page.rows(work, state=state, most=most, skip=skip)
    return [store.request_of(row) for row in rows], int(await SQL.approvals_page_count.value(work, state=state))


async def find_request(work: Work, *, approval_id: str) -> Request:
    """Give one request for approval. Raises NotFound."""
    row = await SQL.find_request.row(work, approval_id=approval_id)
    if row is None:
        raise NotFound(what="request for approval", which=approval_id)
    return store.request_of(row)


async def lines_about(work: Work, *, subject: str, most: int = 50) -> list[AuditLine]:
    """Give the newest lines about one thing or person."""
    return [store.line_of(row) for row in await SQL.lines_page.rows(work, actor=None, verb=None, subject=subject, most=most, skip=0)]


async def check_audit(work: Work) -> list[int]:
    """Give the places where the chain of the audit is broken; the place after the last one if lines are missing at the end."""
    broken: list[int] = []
    last = 0
    before = FIRST
    while rows := await SQL.lines.rows(work, after=last, most=5000):
        lines = [store.line_of(row) for row in rows]
        broken += broken_lines(_seal(work), lines, before=before, after_seq=last)
        last, before = lines[-1].seq, lines[-1].chain
    head = await SQL.lock_head.row(work)
    if head is None or (head["seq"], head["chain"]) != (last, before):
        broken.append(last + 1)
    return broken


# -- personal data


async def unmask(work: Work, by: Member, *, customer_id: str, field: str, why: str) -> Unmasking:
    """Let a member see one field of one customer in clear, with a reason; it is in the audit first. Raises NotYourDuty, BadField, UnmaskedTooMuch."""
    by.demand(Duty.UNMASK)
    if len(why.strip()) < 4:
        raise BadField(field="why", why="say in a few words what it is needed for")
    count = int(await SQL.count_done.value(work, actor=by.staff_id, verb="unmask", since=work.at - timedelta(days=1)))
    if count >= UNMASKED_A_DAY_MAX:
        raise UnmaskedTooMuch(login=by.login, count=count, most=UNMASKED_A_DAY_MAX)
    seq = await note(work, by, verb="unmask", subject=customer_id, facts={"field": field, "why_sha256": hashlib.sha256(why.encode()).hexdigest()})
    return Unmasking(by.staff_id, customer_id, field, seq)


async def export(work: Work, *, customer_id: str) -> list[dict[str, object]]:
    """Give who of the staff looked at this person's data or acted on it, for the person's own export; names of staff stay out."""
    lines = [store.line_of(row) for row in await SQL.lines_about.rows(work, subject=customer_id)]
    return [{"at": line.at.isoformat(), "what": line.verb, "facts": {k: v for k, v in line.facts.items() if k == "field"}} for line in lines]


async def erase(work: Work, *, customer_id: str) -> dict[str, int]:
    """Erase nothing and say how many lines stay: the audit holds ids only, and law makes us keep it."""
    return {"audit_lines_kept": len(await SQL.lines_about.rows(work, subject=customer_id))}


# -- leaves


def _sorted(roles: frozenset[Role]) -> list[str]:
    return sorted(role.value for role in roles)


def _family(kind: str) -> tuple[Duty, Duty]:
    family = ASKING.get(kind.split(".", maxsplit=1)[0])
    if family is None:
        raise BadField(field="kind", why=f"it begins with one of {', '.join(ASKING)}")
    return family


def _token_key(work: Work) -> bytes:
    return work.keys.blind("staff.token-key", "1")


def _seal(work: Work) -> Seal:
    return lambda text: work.keys.blind("staff.audit", text)


def _second_factor(work: Work, row: Row, code: str) -> int | None:
    secret = work.keys.open("staff.totp", row["staff_id"], row["totp_sealed"])
    return totp.step_of(code, secret, real_s=work.clock.real_ms() // 1000, after_step=row["totp_step"])


async def _decide(work: Work, by: Member, approval_id: str, *, state: str, why: str | None) -> Request:
    row = await SQL.lock_approval.row(work, approval_id=approval_id)
    if row is None:
        raise NotFound(what="request for approval", which=approval_id)
    request = store.request_of(row)
    by.demand(_family(request.kind)[1])
    if request.state != "open":
        raise WrongState(what=approval_id, state=request.state, possible="only an open request is decided")
    if by.staff_id == request.asked_by:
        raise SamePerson(approval_id=approval_id)
    await SQL.decide_approval.run(work, approval_id=approval_id, state=state, decided_by=by.staff_id, at=work.at, why=why)
    verb = "approve" if state == "given" else "decline"
    await note(work, by, verb=verb, subject=approval_id, facts={"kind": request.kind, "about": request.subject, "sha256": request.content_sha256})
    return request


async def _write_line(work: Work, *, actor: str, verb: str, subject: str, facts: Mapping[str, str | int]) -> int:
    head = await SQL.lock_head.row(work)
    assert head is not None, "the audit has no head"
    seq: int = head["seq"] + 1
    before: bytes = head["chain"]
    chain = chain_of(_seal(work), seq=seq, at=work.at, actor=actor, verb=verb, subject=subject, facts=facts, before=before)
    await store.append(work, AuditLine(seq, work.at, actor, verb, subject, facts, before, chain))
    return seq

