"""Site and settings: two persons' yes, switches, what partners were told, accounts, the audit."""

import re

from puhui.foundation.desk import is_switched_off
from puhui.foundation.refusals import BadField, NotFound
from puhui.journeys import office
from puhui.rooms import channels, staff
from puhui.rooms.staff import Duty, Member, Role
from puhui.web.console.blocks import Block, Column, Fact, Facts, Field, Figure, Figures, Form, Lines, Note, Sheet, Table
from puhui.web.console.lists import choices
from puhui.web.console.screen import Deed, Screen, of
from puhui.web.console.visit import Visit, address, rows_of
from puhui.web.console.words import word

APPROVAL = "/console/approvals/{approval_id}"
APPROVAL_STATES = ("open", "given", "used", "declined")
EVENT_STATES = ("waiting", "taken", "parked", "dropped")
ROLES = tuple(role.value for role in Role)
PROPOSE = of(*(one[0] for one in staff.ASKING.values()))
APPROVE = of(*(one[1] for one in staff.ASKING.values()))
_ROLE = re.compile(r"^role-([a-z_]+)$")


# -- two persons' yes


async def approvals(visit: Visit) -> Sheet:
    """List requests for a second yes, the newest first."""
    state = visit.one_of("state", APPROVAL_STATES)
    async with visit.reading() as work:
        found, total = await staff.requests_page(work, state=state, **visit.span)
        names = {one.staff_id: one.login for one in await staff.accounts(work)}
    rows = [{**row, "asked_by": names.get(row["asked_by"], row["asked_by"]), "decided_by": names.get(row["decided_by"] or "", row["decided_by"])} for row in rows_of(found)]
    columns = (
        Column("approval_id", "code", APPROVAL), Column("kind", "word"), Column("subject", "code"), Column("state", "state"), Column("asked_by"), Column("asked_at", "at"),
        Column("decided_by"), Column("decided_at", "at"), Column("why"),
    )  # fmt: skip
    asked = visit.short("which")
    note = [Note("asked-note", {"approval_id": asked}, "good")] if asked else []
    return Sheet("approvals", [*note, choices(visit, "state", APPROVAL_STATES), Table("approvals", columns, rows, "no-approvals", total=total, page=visit.page, is_listing=True)])


async def approval(visit: Visit) -> Sheet:
    """Show one request: what exactly is asked, by whom, and the yes or no of another."""
    approval_id = visit.ids["approval_id"]
    async with visit.reading() as work:
        found = await staff.find_request(work, approval_id=approval_id)
        names = {one.staff_id: one.login for one in await staff.accounts(work)}
    may_decide = found.state == "open" and visit.may(staff.ASKING[found.kind.split(".")[0]][1]) and found.asked_by != visit.member.staff_id
    blocks: list[Block] = [
        Facts(
            "approval-facts",
            [
                Fact("kind", found.kind, "word"),
                Fact("subject", found.subject, "code", _about(found.subject, visit)),
                Fact("state", found.state, "state"),
                Fact("asked_by", names.get(found.asked_by, found.asked_by)),
                Fact("asked_at", found.asked_at, "at"),
                Fact("decided_by", names.get(found.decided_by or "", found.decided_by)),
                Fact("decided_at", found.decided_at, "at"),
                Fact("used_at", found.used_at, "at"),
                Fact("why", found.why),
                Fact("content-sha256", found.content_sha256, "code"),
            ],
        )
    ]
    if may_decide:
        blocks += [Form("approve", title="approve", note="approve-note"), Form("decline", [Field("why")], "bad", title="decline-approval")]
    elif found.state == "open":
        blocks.append(Note("approval-not-you", tone="warn"))
    return Sheet("approval", blocks, about=approval_id)


def _about(subject: str, visit: Visit) -> str:
    if subject.startswith("ln-") and visit.may(Duty.SEE_BOOKS, Duty.SEE_CUSTOMER, Duty.SEE_BOARDS):
        return f"/console/loans/{subject}"
    return ""


async def _approve(visit: Visit) -> None:
    await office.approve(visit.desk, visit.member, visit.ids["approval_id"])


async def _decline(visit: Visit) -> None:
    if len(visit.form.get("why", "").strip()) < 4:
        raise BadField(field="why", why="say in a few words why")
    await office.decline(visit.desk, visit.member, visit.ids["approval_id"], office.Why(visit.form["why"].strip()[:500]))


# -- switches


async def switches(visit: Visit) -> Sheet:
    """Show what can be stopped at once, and how it stands."""
    async with visit.reading() as work:
        is_off = {name: await is_switched_off(work, name) for name in office.SWITCHES}
    figures = [Figure(name, "stopped" if off else "going", "word", tone="bad" if off else "good") for name, off in is_off.items()]
    forms: list[Block] = []
    for name, off in is_off.items():
        if off and visit.may(Duty.RESUME_BUSINESS):
            forms.append(Form("resume", [Field("name", "hidden", name)], title=f"resume-{name}", note="resume-note"))
        if not off and visit.may(Duty.STOP_BUSINESS):
            forms.append(Form("stop", [Field("name", "hidden", name)], "bad", f"stop-{name}-note", f"stop-{name}"))
    return Sheet("switches", [Figures(figures), *forms])


async def _stop(visit: Visit) -> None:
    await office.switch(visit.desk, visit.member, visit.form.get("name", ""), office.Switch(is_on=False))


async def _resume(visit: Visit) -> None:
    await office.switch(visit.desk, visit.member, visit.form.get("name", ""), office.Switch(is_on=True))


# -- what partners were told


async def deliveries(visit: Visit) -> Sheet:
    """The delivery log: every event for a partner, how often it was tried, whether it was taken; what lies parked goes out again by hand."""
    state = visit.one_of("state", EVENT_STATES)
    async with visit.reading() as work:
        counts = {row["state"]: row for row in await channels.events_by_state(work)}
        found, total = await channels.events_page(work, partner_id=visit.short("partner"), state=state, **visit.span)
    figures = [Figure(f"event-{name}", counts.get(name, {}).get("events", 0), "count", address("/console/deliveries", state=name), tone="bad" if name == "parked" and name in counts else "") for name in EVENT_STATES]
    columns = (
        Column("event_id", "code", "/console/deliveries?event={event_id}"), Column("partner_id", "code", "/console/deliveries?partner={partner_id}"), Column("kind", "word"),
        Column("seq", "count"), Column("state", "state"), Column("tries", "count"), Column("at", "at"), Column("ended_at", "at"), Column("application_id", "code"),
    )  # fmt: skip
    rows = [{**row, "kind": f"told-{row['kind']}"} for row in found]
    forms: list[Block] = [Form("send", [Field("event_id", "text", visit.short("event") or "")], title="send-again", note="send-again-note")]
    return Sheet("deliveries", [Figures(figures), choices(visit, "state", EVENT_STATES), Table("deliveries", columns, rows, "no-deliveries", total=total, page=visit.page, is_listing=True, note="deliveries-note"), *forms])


async def _send(visit: Visit) -> None:
    await office.send_event_again(visit.desk, visit.member, visit.form.get("event_id", "").strip()[:80])


# -- accounts


async def accounts(visit: Visit) -> Sheet:
    """List who works here, with roles; add an account, change roles, set a password, close."""
    async with visit.reading() as work:
        found = await staff.accounts(work)
    rows = [
        {
            "login": one.login,
            "name": one.name,
            "roles": _named(one.roles, visit),
            "state": "active" if one.is_active else "closed",
            "has_totp": one.has_totp,
            "locked_until": one.locked_until,
            "staff_id": one.staff_id,
        }
        for one in found
    ]
    span = visit.span
    columns = (Column("login", "text", "/console/accounts/{login}"), Column("name"), Column("roles", "long"), Column("state", "state"), Column("has_totp", "yes"), Column("locked_until", "at"), Column("staff_id", "code"))
    fields = [Field("login", hint="login-hint"), Field("name"), *(Field(f"role-{role}", "yes") for role in ROLES), Field("password", "password", hint="password-hint")]
    return Sheet("accounts", [Table("accounts", columns, rows[span["skip"] : span["skip"] + span["most"]], total=len(rows), page=visit.page), Form("add", fields, title="add-account", note="add-account-note")])


def _named(roles: frozenset[Role], visit: Visit) -> str:
    """Give roles as the member reads them."""
    return " · ".join(word(f"role-{role.value}", visit.language) for role in sorted(roles, key=lambda role: role.value))


async def account(visit: Visit) -> Sheet:
    """Show one account and what can be done with it."""
    async with visit.reading() as work:
        found = await staff.find_account(work, login=visit.ids["login"])
        lines = await staff.lines_about(work, subject=found.staff_id, most=20)
    facts = Facts(
        "account-facts",
        [
            Fact("login", found.login),
            Fact("name", found.name),
            Fact("state", "active" if found.is_active else "closed", "state"),
            Fact("has_totp", found.has_totp, "yes"),
            Fact("locked_until", found.locked_until, "at"),
            Fact("staff_id", found.staff_id, "code"),
        ],
    )
    forms: list[Block] = []
    if found.is_active:
        held = {role.value for role in found.roles}
        forms = [
            Form("roles", [Field(f"role-{role}", "yes", role in held) for role in ROLES], title="set-roles", note="set-roles-note"),
            Form("password", [Field("password", "password", hint="password-hint")], title="set-password", note="set-password-note"),
            Form("close", [], "bad", "close-account-note", "close-account"),
        ]
    told = Table("account-lines", (Column("at", "at"), Column("verb", "word"), Column("actor", "code"), Column("facts", "long")), [{"at": one.at, "verb": one.verb, "actor": one.actor, "facts": _facts(one)} for one in lines])
    return Sheet("account", [facts, *forms, told], about=found.login)


def _roles(visit: Visit) -> frozenset[Role]:
    wanted = {match.group(1) for name in visit.form if (match := _ROLE.match(name))}
    if unknown := wanted - set(ROLES):
        raise BadField(field="roles", why=f"there is no role {', '.join(sorted(unknown))[:40]}")
    return frozenset(Role(name) for name in wanted)


async def _add(visit: Visit) -> str:
    login = visit.form.get("login", "").strip()
    async with visit.writing() as work:
        await staff.add_account(
            work, visit.member, login=login, name=visit.form.get("name", "").strip()[:80] or login, roles=_roles(visit), given_password=visit.form.get("password", "")
        )
    return address(f"/console/accounts/{login}", done="add")


async def _set_roles(visit: Visit) -> None:
    async with visit.writing() as work:
        await staff.set_roles(work, visit.member, login=visit.ids["login"], roles=_roles(visit))


async def _set_password(visit: Visit) -> None:
    async with visit.writing() as work:
        await staff.set_password(work, visit.member, login=visit.ids["login"], new_password=visit.form.get("password", ""))


async def _close(visit: Visit) -> None:
    async with visit.writing() as work:
        await staff.close_account(work, visit.member, login=visit.ids["login"])


# -- the audit


async def audit(visit: Visit) -> Sheet:
    """Read the audit, the newest line first; reading it is a line in it."""
    async with visit.writing() as work:
        found, total = await staff.audit_page(
            work, visit.member, actor=visit.short("actor"), verb=visit.short("verb"), subject=visit.short("subject"), **visit.span
        )
        verbs = tuple(await staff.audit_verbs(work))
        names = {one.staff_id: one.login for one in await staff.accounts(work)}
    rows = [
        {"seq": one.seq, "at": one.at, "who": names.get(one.actor, one.actor), "actor": one.actor, "verb": one.verb, "subject": one.subject, "facts": _facts(one), "chain": one.chain.hex()[:16]}
        for one in found
    ]
    columns = (
        Column("seq", "text"), Column("at", "at"), Column("who", "text", "/console/audit?actor={actor}"), Column("verb", "word", "/console/audit?verb={verb}"),
        Column("subject", "code", "/console/audit?subject={subject}"), Column("facts", "long"), Column("chain", "code"),
    )  # fmt: skip
    whole = visit.revealed.get("broken")
    note = [] if whole is None else [Note("audit-whole", tone="good") if not whole else Note("audit-broken", {"places": whole}, "bad")]
    return Sheet("audit", [*note, choices(visit, "verb", verbs), Table("audit", columns, rows, total=total, page=visit.page, is_listing=True), Form("check", title="check-chain", note="check-chain-note")])


def _facts(line: staff.AuditLine) -> str:
    return " ".join(f"{name}={str(value)[:48]}" for name, value in line.facts.items())


async def _check(visit: Visit) -> dict[str, str]:
    async with visit.reading() as work:
        return {"broken": ", ".join(map(str, (await staff.check_audit(work))[:10]))}


# -- one's own account


async def me(visit: Visit) -> Sheet:
    """Show one's own account: what one may do, the password, the second factor."""
    member: Member = visit.member
    async with visit.reading() as work:
        found = await staff.find_account(work, login=member.login)
    blocks: list[Block] = [
        Facts(
            "account-facts",
            [
                Fact("login", found.login),
                Fact("name", found.name),
                Fact("roles", _named(found.roles, visit)),
                Fact("has_totp", found.has_totp, "yes"),
            ],
        ),
        Table("my-duties", (Column("duty", "word"),), [{"duty": one} for one in sorted(duty.value for duty in member.duties)], is_folded=True),
    ]
    if secret := visit.revealed.get("totp"):
        blocks.insert(0, Lines("totp-address", [("totp-scan", secret)]))
    blocks.append(Form("totp-begin", title="totp-begin", note="totp-begin-note"))
    blocks.append(Form("totp-confirm", [Field("code", "code")], title="totp-confirm", note="totp-confirm-note"))
    blocks.append(Form("password", [Field("password", "password", hint="password-hint")], title="set-password", note="own-password-note"))
    return Sheet("me", blocks)


async def _totp_begin(visit: Visit) -> dict[str, str]:
    async with visit.writing() as work:
        if (await staff.find_account(work, login=visit.member.login)).has_totp:
            raise NotFound(what="second factor to begin", which="it is on already; an admin closes a lost one")
        return {"totp": await staff.enroll_totp(work, visit.member)}


async def _totp_confirm(visit: Visit) -> None:
    async with visit.writing() as work:
        await staff.confirm_totp(work, visit.member, code=visit.form.get("code", "").strip())


async def _own_password(visit: Visit) -> None:
    async with visit.writing() as work:
        await staff.set_password(work, visit.member, login=visit.member.login, new_password=visit.form.get("password", ""))


BOTH = PROPOSE | APPROVE
MANAGES = of(Duty.MANAGE_ACCOUNTS)
SCREENS = [
    Screen("/console/approvals", "approvals", "settings", approvals, BOTH, key="y"),
    Screen("/console/approvals/{approval_id}", "approval", "settings", approval, BOTH, [Deed("approve", _approve, APPROVE), Deed("decline", _decline, APPROVE)], is_in_menu=False),
    Screen("/console/switches", "switches", "settings", switches, of(Duty.STOP_BUSINESS, Duty.RESUME_BUSINESS), [Deed("stop", _stop, of(Duty.STOP_BUSINESS)), Deed("resume", _resume, of(Duty.RESUME_BUSINESS))]),
    Screen("/console/deliveries", "deliveries", "settings", deliveries, of(Duty.PROPOSE_PARTNER), [Deed("send", _send, of(Duty.PROPOSE_PARTNER))]),
    Screen("/console/accounts", "accounts", "settings", accounts, MANAGES, [Deed("add", _add, MANAGES)], key="m"),
    Screen(
        "/console/accounts/{login}", "account", "settings", account, MANAGES,
        [Deed("roles", _set_roles, MANAGES), Deed("password", _set_password, MANAGES), Deed("close", _close, MANAGES)],
        is_in_menu=False,
    ),
    Screen("/console/audit", "audit", "settings", audit, of(Duty.READ_AUDIT), [Deed("check", _check, of(Duty.READ_AUDIT), reveals=True)], key="t"),
    Screen("/console/me", "me", "own", me, frozenset(), [Deed("totp-begin", _totp_begin, frozenset(), reveals=True), Deed("totp-confirm", _totp_confirm, frozenset()), Deed("password", _own_password, frozenset())]),
]  # fmt: skip
