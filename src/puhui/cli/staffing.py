"""`puhui staff`: accounts by whoever has the machine; approvals by members, each with his own password."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from puhui.cli.house import CONSOLE, open_house, read_config, run
from puhui.foundation.desk import Desk
from puhui.foundation.refusals import Refusal
from puhui.foundation.work import Actor, Work
from puhui.rooms import staff as room

T = TypeVar("T")
ROLES = [role.value for role in room.Role]
WHYS = {
    "wrong": "login or password is wrong",
    "code": "the code of the second factor is missing or wrong (--code)",
    "locked": "the account is locked after too many tries; wait, or let an admin set a new password",
}


class NotLoggedIn(Refusal):
    """{login} was not logged in: {why}. Nothing was done."""

    code = "staff.not-logged-in"


class AuditBroken(Refusal):
    """The chain of the audit does not hold at {places}; somebody has changed the table behind our back. Compare with a backup."""

    code = "staff.audit-broken"


@click.group()
def staff() -> None:
    """Who works here. Accounts are managed by whoever has this machine; everything else by members with their own passwords.

    \b
    puhui staff add wang --name 王小明 --role finance        asks for a password
    puhui staff requests                                     what waits for a second yes
    puhui staff approve av-000-... --as li                   li says the second yes
    puhui staff audit --check                                is the chain whole?
    """  # noqa: D301


@staff.command()
@click.argument("login")
@click.option("--name", prompt=True, help="Full name; kept encrypted.")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(ROLES), help="May be given several times.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def add(login: str, name: str, roles: tuple[str, ...], *, password_stdin: bool) -> None:
    """Add an account."""
    given = _new_password(is_stdin=password_stdin)
    chosen = frozenset(room.Role(role) for role in roles)
    run(_as_console(lambda work: room.add_account(work, room.CONSOLE, login=login, name=name, roles=chosen, given_password=given)))
    click.echo(f"{login}: {', '.join(sorted(roles))}")


@staff.command()
@click.argument("login")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(ROLES), help="All roles from now on.")
def roles(login: str, roles: tuple[str, ...]) -> None:
    """Set the roles of an account; its sessions end."""
    run(_as_console(lambda work: room.set_roles(work, room.CONSOLE, login=login, roles=frozenset(room.Role(role) for role in roles))))
    click.echo(f"{login}: {', '.join(sorted(roles))}")


@staff.command()
@click.argument("login")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def password(login: str, *, password_stdin: bool) -> None:
    """Set a new password; ends sessions and any lock."""
    given = _new_password(is_stdin=password_stdin)
    run(_as_console(lambda work: room.set_password(work, room.CONSOLE, login=login, new_password=given)))
    click.echo(f"{login}: password set")


@staff.command()
@click.argument("login")
def close(login: str) -> None:
    """Close an account for good. What it did stays in the audit."""
    run(_as_console(lambda work: room.close_account(work, room.CONSOLE, login=login)))
    click.echo(f"{login}: closed")


@staff.command("list")
def list_accounts() -> None:
    """List the accounts."""
    for one in run(_as_console(room.accounts)):
        state = "active" if one.is_active else "closed"
        click.echo(f"{one.login:<20} {one.name:<12} {state:<8} {', '.join(sorted(role.value for role in one.roles))}")


@staff.command()
@click.option("--state", type=click.Choice(["open", "given", "used", "declined", "all"]), default="open", show_default=True)
def requests(state: str) -> None:
    """List requests for a second yes."""
    found = run(_as_console(lambda work: room.requests(work, state=None if state == "all" else state)))
    for one in found:
        click.echo(f"{one.approval_id}  {one.state:<8} {one.kind:<20} {one.subject:<36} asked by {one.asked_by} at {one.asked_at:%Y-%m-%d %H:%M}")
    click.echo(f"{len(found)} {state}")


@staff.command()
@click.argument("approval_id")
@click.option("--as", "login", required=True, help="Who says yes; asks for the password.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def approve(approval_id: str, login: str, code: str, *, password_stdin: bool) -> None:
    """Say the second yes to a request."""
    run(_as_member(login, _own_password(is_stdin=password_stdin), code, lambda work, by: room.approve(work, by, approval_id=approval_id)))
    click.echo(f"{approval_id}: given by {login}")


@staff.command()
@click.argument("approval_id")
@click.option("--as", "login", required=True, help="Who says no; asks for the password.")
@click.option("--why", required=True, help="The reason, for whoever asked.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def decline(approval_id: str, login: str, why: str, code: str, *, password_stdin: bool) -> None:
    """Say no to a request."""
    run(_as_member(login, _own_password(is_stdin=password_stdin), code, lambda work, by: room.decline(work, by, approval_id=approval_id, why=why)))
    click.echo(f"{approval_id}: declined by {login}")


@staff.command()
@click.option("--as", "login", required=True, help="Who looks; asks for the password.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def cases(login: str, code: str, *, password_stdin: bool) -> None:
    """List complaints, disputes, reviews and pleas that wait, the most urgent first."""
    from puhui.journeys import office

    waiting = run(_at_desk(login, _own_password(is_stdin=password_stdin), code, office.cases))
    for case in waiting:
        late = "  OVERDUE" if case["is_overdue"] else ""
        click.echo(f"{case['case_id']}  {case['customer_id']}  {case['kind']:<12} {case['state']:<10} due {case['due']}{late}")
    click.echo(f"{len(waiting)} waiting")


@staff.command()
@click.argument("case_id")
@click.option("--customer", "customer_id", required=True, help="Whose case it is.")
@click.option("--outcome", required=True, help="One word: upheld, declined, partly.")
@click.option("--text", required=True, help="What the person will read.")
@click.option("--as", "login", required=True, help="Who answers; asks for the password.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def answer(case_id: str, customer_id: str, outcome: str, text: str, login: str, code: str, *, password_stdin: bool) -> None:
    """Answer a case; the person is told."""
    from puhui.journeys import office

    body = office.Answer(customer_id, outcome, text)
    given = _own_password(is_stdin=password_stdin)
    done = run(_at_desk(login, given, code, lambda desk, by: office.answer_case(desk, by, case_id, body)))
    click.echo(f"{done['case_id']}: {done['state']}")


@staff.command()
@click.argument("decision_id")
@click.option("--set-aside", "set_aside", multiple=True, help="A rule found not to apply; may be given several times.")
@click.option("--income", "income_yuan", type=click.IntRange(0), help="Income a month that was proven, yuan.")
@click.option("--text", required=True, help="What the person will read.")
@click.option("--as", "login", required=True, help="Who reviews (risk_head or compliance); asks for the password.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def review(
    decision_id: str, set_aside: tuple[str, ...], income_yuan: int | None, text: str, login: str, code: str, *, password_stdin: bool
) -> None:
    """Look at a declined decision as a person: the same strategy decides again with what you found; the answer is told."""
    from puhui.journeys import explain

    body = explain.Review(text, list(set_aside), income_yuan * 100 if income_yuan is not None else None)

    async def look(desk: Desk, by: room.Member) -> dict[str, Any]:
        by.demand(room.Duty.REVIEW_DECISIONS)
        return await explain.review(desk, reviewer=by.staff_id, decision_id=decision_id, body=body)

    done = run(_at_desk(login, _own_password(is_stdin=password_stdin), code, look))
    click.echo(f"{decision_id}: {'changed' if done['is_changed'] else 'kept'}")


@staff.command()
@click.option("--check", is_flag=True, help="Only check the chain.")
@click.option("--as", "login", help="Who reads (auditor or compliance); asks for the password.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--after", type=int, default=0, show_default=True, help="Lines after this place.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def audit(login: str | None, code: str, after: int, *, check: bool, password_stdin: bool) -> None:
    """Read the audit, or check that its chain is whole."""
    if check:
        if places := run(_as_console(room.check_audit)):
            raise AuditBroken(places=", ".join(map(str, places[:20])))
        click.echo("the chain of the audit is whole")
        return
    if login is None:
        raise click.UsageError("say who reads: --as LOGIN (auditor or compliance), or use --check")
    for line in run(_as_member(login, _own_password(is_stdin=password_stdin), code, lambda work, by: room.read_audit(work, by, after=after))):
        facts = " ".join(f"{name}={value}" for name, value in line.facts.items())
        click.echo(f"{line.seq:>7} {line.at:%Y-%m-%d %H:%M:%S} {line.actor:<30} {line.verb:<14} {line.subject} {facts}")


async def _as_console(do: Callable[[Work], Awaitable[T]]) -> T:
    async with open_house(read_config()) as desk, desk.work(CONSOLE) as work:
        return await do(work)


async def _as_member(login: str, given: str, code: str, do: Callable[[Work, room.Member], Awaitable[T]]) -> T:
    async with open_house(read_config()) as desk:
        member = await log_in(desk, login, given, code)
        async with desk.work(Actor("staff", member.staff_id)) as work:
            return await do(work, member)


async def _at_desk(login: str, given: str, code: str, do: Callable[[Desk, room.Member], Awaitable[T]]) -> T:
    from puhui.journeys.wiring import wiring

    async with open_house(read_config(), wiring()) as desk:
        return await do(desk, await log_in(desk, login, given, code))


async def log_in(desk: Desk, login: str, given: str, code: str) -> room.Member:
    """Log a member in for one command. Raises NotLoggedIn, after the failed try was counted."""
    async with desk.work() as work:
        outcome = await room.log_in(work, login=login, given_password=given, code=code)
    if isinstance(outcome, room.NotLoggedIn):
        raise NotLoggedIn(login=login, why=WHYS[outcome.why])
    return outcome.member


def _new_password(*, is_stdin: bool) -> str:
    if is_stdin:
        return sys.stdin.readline().rstrip("\n")
    given: str = click.prompt("password (12 characters or more)", hide_input=True, confirmation_prompt=True)
    return given


def _own_password(*, is_stdin: bool) -> str:
    if is_stdin:
        return sys.stdin.readline().rstrip("\n")
    given: str = click.prompt("password", hide_input=True)
    return given
