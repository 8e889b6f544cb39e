"""Staff: accounts, logging in, two persons' yes, the audit, unmasking."""

from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from puhui.foundation.refusals import BadField, WrongState
from puhui.rooms import staff
from puhui.rooms.staff import Duty, Role, audit, mask, role, totp

PASSWORD = "a long enough phrase"


@asynccontextmanager
async def savepoint(work):
    """What the database refuses in the block is undone alone."""
    await work.connection.execute("savepoint here")
    try:
        yield
    except asyncpg.PostgresError:
        await work.connection.execute("rollback to savepoint here")
        raise


async def hired(work, login, *roles):
    return await staff.add_account(work, staff.CONSOLE, login=login, name="王小明", roles=frozenset(roles), given_password=PASSWORD)


async def test_a_member_logs_in_and_his_token_names_him(work):
    await hired(work, "wang", Role.FINANCE)
    logged = await staff.log_in(work, login="wang", given_password=PASSWORD)
    assert isinstance(logged, staff.LoggedIn)
    member = await staff.member_of(work, given_token=logged.token)
    assert (member.login, member.roles) == ("wang", {Role.FINANCE})
    await staff.log_out(work, given_token=logged.token)
    with pytest.raises(staff.TokenNotTaken):
        await staff.member_of(work, given_token=logged.token)


async def test_an_unknown_login_and_a_wrong_password_get_the_same_answer(work):
    await hired(work, "wang", Role.FINANCE)
    assert await staff.log_in(work, login="nobody", given_password=PASSWORD) == staff.NotLoggedIn("wrong")
    assert await staff.log_in(work, login="wang", given_password="another long phrase") == staff.NotLoggedIn("wrong")


async def test_five_wrong_passwords_lock_the_account_for_a_while(desk):
    async with desk.work() as work:
        await hired(work, "wang", Role.FINANCE)
    for _ in range(5):
        async with desk.work() as work:
            assert await staff.log_in(work, login="wang", given_password="another long phrase") == staff.NotLoggedIn("wrong")
    async with desk.work() as work:
        assert await staff.log_in(work, login="wang", given_password=PASSWORD) == staff.NotLoggedIn("locked")
    desk.clock.step_to(desk.clock.now() + timedelta(minutes=16))
    async with desk.work() as work:
        assert isinstance(await staff.log_in(work, login="wang", given_password=PASSWORD), staff.LoggedIn)


async def test_a_session_that_rests_ends_and_one_in_use_lives_on(desk):
    async with desk.work() as work:
        await hired(work, "wang", Role.FINANCE)
        logged = await staff.log_in(work, login="wang", given_password=PASSWORD)
    for _ in range(3):
        desk.clock.step_to(desk.clock.now() + timedelta(minutes=20))
        async with desk.work() as work:
            await staff.member_of(work, given_token=logged.token)
    desk.clock.step_to(desk.clock.now() + timedelta(minutes=31))
    async with desk.work() as work:
        with pytest.raises(staff.TokenNotTaken):
            await staff.member_of(work, given_token=logged.token)


async def test_a_token_lives_twelve_hours_at_most(desk):
    async with desk.work() as work:
        await hired(work, "wang", Role.FINANCE)
        logged = await staff.log_in(work, login="wang", given_password=PASSWORD)
    for _ in range(12 * 60 // 29 + 1):
        desk.clock.step_to(desk.clock.now() + timedelta(minutes=29))
        async with desk.work() as work:
            try:
                await staff.member_of(work, given_token=logged.token)
            except staff.TokenNotTaken:
                break
    else:
        pytest.fail("the token still lives")


async def test_a_closed_account_and_changed_roles_end_the_sessions(work):
    await hired(work, "wang", Role.FINANCE)
    logged = await staff.log_in(work, login="wang", given_password=PASSWORD)
    await staff.set_roles(work, staff.CONSOLE, login="wang", roles=frozenset({Role.COLLECTOR}))
    with pytest.raises(staff.TokenNotTaken):
        await staff.member_of(work, given_token=logged.token)
    again = await staff.log_in(work, login="wang", given_password=PASSWORD)
    assert again.member.roles == {Role.COLLECTOR}
    await staff.close_account(work, staff.CONSOLE, login="wang")
    with pytest.raises(staff.TokenNotTaken):
        await staff.member_of(work, given_token=again.token)
    assert await staff.log_in(work, login="wang", given_password=PASSWORD) == staff.NotLoggedIn("wrong")


async def test_a_second_factor_is_wanted_once_it_is_on_and_no_code_counts_twice(desk):
    async with desk.work() as work:
        member = await hired(work, "wang", Role.FINANCE)
        address = await staff.enroll_totp(work, member)
        assert address.startswith("otpauth://totp/Puhui:wang?secret=")
        secret = work.keys.open("staff.totp", member.staff_id, await work.connection.fetchval("select totp_sealed from staff.accounts"))
        step = desk.clock.real_ms() // 1000 // totp.STEP_S
        await staff.confirm_totp(work, member, code=totp.code_at(secret, step))
        assert await staff.log_in(work, login="wang", given_password=PASSWORD) == staff.NotLoggedIn("code")
        assert await staff.log_in(work, login="wang", given_password=PASSWORD, code=totp.code_at(secret, step)) == staff.NotLoggedIn("code")
        right = await staff.log_in(work, login="wang", given_password=PASSWORD, code=totp.code_at(secret, step + 1))
        assert isinstance(right, staff.LoggedIn)


@pytest.mark.parametrize(
    ("unix_s", "digits"), [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")]
)
def test_codes_are_those_of_rfc_6238(unix_s, digits):
    assert totp.code_at(b"12345678901234567890", unix_s // totp.STEP_S) == digits


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "my-login-is-wang-yes"])
async def test_weak_passwords_are_refused(work, password):
    with pytest.raises(staff.WeakPassword):
        await staff.add_account(work, staff.CONSOLE, login="wang", name="王", roles=frozenset({Role.FINANCE}), given_password=password)


async def test_a_login_is_taken_once(work):
    await hired(work, "wang", Role.FINANCE)
    with pytest.raises(staff.LoginTaken):
        await hired(work, "wang", Role.COLLECTOR)


@pytest.mark.parametrize("roles", [{Role.ADMIN, Role.FINANCE}, {Role.AUDITOR, Role.OPERATIONS}])
def test_who_manages_accounts_or_checks_the_work_does_nothing_else(roles):
    with pytest.raises(staff.RolesConflict):
        role.check_together(frozenset(roles))


def test_every_role_has_a_duty_and_every_duty_a_role():
    assert set(role.DUTIES) == set(Role)
    assert all(role.DUTIES[one] for one in Role)
    assert frozenset().union(*role.DUTIES.values()) == set(Duty)


async def test_what_is_no_duty_is_refused_and_names_who_has_it(work):
    member = await hired(work, "wang", Role.COLLECTOR)
    with pytest.raises(staff.NotYourDuty) as refused:
        await staff.read_audit(work, member)
    assert "compliance" in refused.value.text
    with pytest.raises(staff.NotYourDuty):
        await staff.add_account(work, member, login="li", name="李", roles=frozenset({Role.FINANCE}), given_password=PASSWORD)


async def test_nobody_changes_his_own_roles(work):
    admin = await hired(work, "root", Role.ADMIN)
    with pytest.raises(BadField):
        await staff.set_roles(work, admin, login="root", roles=frozenset({Role.FINANCE}))


# -- two persons' yes


async def test_a_change_of_money_needs_another_persons_yes_and_is_spent_once(work):
    asker = await hired(work, "wang", Role.FINANCE)
    second = await hired(work, "li", Role.FINANCE)
    content = {"loan_id": "ln-001", "amount_fen": 120000}
    approval_id = await staff.ask_approval(work, asker, kind="money.write-off", subject="ln-001", content=content)
    assert await staff.ask_approval(work, asker, kind="money.write-off", subject="ln-001", content=content) == approval_id
    with pytest.raises(staff.SamePerson):
        await staff.approve(work, asker, approval_id=approval_id)
    with pytest.raises(staff.ApprovalMissing):
        await staff.use_approval(work, approval_id=approval_id, kind="money.write-off", content=content)

    given = await staff.approve(work, second, approval_id=approval_id)
    assert (given.first, given.second) == (asker.staff_id, second.staff_id)
    with pytest.raises(staff.ApprovalMissing):
        await staff.use_approval(work, approval_id=approval_id, kind="money.write-off", content=content | {"amount_fen": 120001})
    used = await staff.use_approval(work, approval_id=approval_id, kind="money.write-off", content=content)
    assert used.content_sha256 == staff.content_sha256(content)
    with pytest.raises(staff.ApprovalMissing):
        await staff.use_approval(work, approval_id=approval_id, kind="money.write-off", content=content)


async def test_a_declined_request_is_over_and_may_be_asked_anew(work):
    asker = await hired(work, "wang", Role.RISK_ANALYST)
    head = await hired(work, "li", Role.RISK_HEAD)
    first = await staff.ask_approval(work, asker, kind="policy.strategy", subject="starter", content={"sha256": "ab"})
    await staff.decline(work, head, approval_id=first, why="the sample is too small")
    with pytest.raises(WrongState):
        await staff.approve(work, head, approval_id=first)
    second = await staff.ask_approval(work, asker, kind="policy.strategy", subject="starter", content={"sha256": "ab"})
    assert second != first
    await staff.approve(work, head, approval_id=second)
    assert [one.second for one in await staff.approvals_given(work, kind="policy.strategy", sha256=staff.content_sha256({"sha256": "ab"}))] == [head.staff_id]


async def test_asking_and_approving_are_duties(work):
    collector = await hired(work, "wang", Role.COLLECTOR)
    with pytest.raises(staff.NotYourDuty):
        await staff.ask_approval(work, collector, kind="money.write-off", subject="ln-001", content={})
    with pytest.raises(BadField):
        await staff.ask_approval(work, collector, kind="anything", subject="ln-001", content={})


async def test_the_table_itself_refuses_one_person_in_both_places(work):
    asker = await hired(work, "wang", Role.FINANCE)
    approval_id = await staff.ask_approval(work, asker, kind="money.refund", subject="ln-001", content={})
    with pytest.raises(asyncpg.CheckViolationError):
        async with savepoint(work):
            await work.connection.execute("update staff.approvals set decided_by = asked_by, state = 'given' where approval_id = $1", approval_id)


# -- the audit


async def test_the_chain_of_the_audit_holds(work):
    await hired(work, "wang", Role.FINANCE)
    await hired(work, "li", Role.AUDITOR)
    assert await staff.check_audit(work) == []


@pytest.mark.parametrize(
    ("corruption", "broken"),
    [
        ("update staff.audit set actor = 'someone' where seq = 2", [2]),
        ("update staff.audit set facts = '{}' where seq = 3", [3]),
        ("delete from staff.audit where seq = 2", [3]),
        ("delete from staff.audit where seq = 4", [4]),
        ("update staff.audit set seq = seq + 10 where seq = 4", [4, 14]),
    ],
)
async def test_a_line_changed_or_taken_away_is_found(work, corruption, broken):
    for login in ("wang", "li", "zhao", "qian"):
        await hired(work, login, Role.FINANCE)
    with pytest.raises(asyncpg.RaiseError):
        async with savepoint(work):
            await work.connection.execute(corruption)
    await work.connection.execute(f"alter table staff.audit disable trigger audit_is_kept; {corruption}")
    assert set(await staff.check_audit(work)) & set(broken)


async def test_reading_the_audit_is_noted_too(work):
    auditor = await hired(work, "li", Role.AUDITOR)
    await staff.read_audit(work, auditor)
    assert [line.verb for line in await staff.read_audit(work, auditor)][-2:] == ["read_audit", "read_audit"]


async def test_the_audit_and_the_accounts_hold_no_name_in_clear(work):
    await hired(work, "wang", Role.FINANCE)
    rows = await work.connection.fetch("select t::text from staff.audit t union all select a::text from staff.accounts a")
    assert not any("王小明" in row[0] for row in rows)
    assert (await staff.find_account(work, login="wang")).name == "王小明"


# -- personal data


async def test_unmasking_wants_a_reason_and_is_in_the_audit_before_anything_is_seen(work):
    agent = await hired(work, "wang", Role.SERVICE_AGENT)
    with pytest.raises(BadField):
        await staff.unmask(work, agent, customer_id="cu-001-a", field="phone", why=" ")
    seen = await staff.unmask(work, agent, customer_id="cu-001-a", field="phone", why="call back about case 7")
    assert (seen.customer_id, seen.field) == ("cu-001-a", "phone")
    assert [one["what"] for one in await staff.export(work, customer_id="cu-001-a")] == ["unmask"]
    assert await staff.erase(work, customer_id="cu-001-a") == {"audit_lines_kept": 1}


async def test_nobody_unmasks_without_end(work):
    agent = await hired(work, "wang", Role.SERVICE_AGENT)
    for number in range(50):
        await staff.unmask(work, agent, customer_id=f"cu-001-{number}", field="phone", why="call back")
    with pytest.raises(staff.UnmaskedTooMuch):
        await staff.unmask(work, agent, customer_id="cu-001-a", field="phone", why="call back")


async def test_a_collector_does_not_unmask(work):
    collector = await hired(work, "wang", Role.COLLECTOR)
    with pytest.raises(staff.NotYourDuty):
        await staff.unmask(work, collector, customer_id="cu-001-a", field="phone", why="call back")


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("name", "王小明", "王**"),
        ("phone", "12012345678", "120****5678"),
        ("id_number", "790101199003070018", "790*************18"),
        ("card", "0000010000000017", "************0017"),
        ("card", "17", "***"),
        ("diagnosis", "anything", "***"),
    ],
)
def test_what_staff_see_is_masked(field, value, shown):
    assert mask.masked(field, value) == shown


def test_the_first_line_stands_on_nothing():
    assert audit.broken_lines(lambda _: b"", []) == []
