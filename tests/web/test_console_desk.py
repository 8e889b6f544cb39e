"""Working at the console: searching and unmasking, four eyes, answers, replay, exports; every page in both languages, every figure with its loans."""

import csv
import html
import io
import re
from pathlib import Path

import pytest
from console_house import Browser, add_member, alert_of, code_of, ids_of, login_of

from puhui.foundation.work import Actor
from puhui.rooms import boards, customers
from puhui.rooms.staff import Role
from puhui.web.console import words
from puhui.web.console.parts import SCREENS
from puhui.web.console.render import screen_of

LINK = re.compile(r'href="(/console[^"]*)"')


@pytest.fixture(scope="module")
def him(console):
    """The borrower of the house, as the console may know him."""
    house = console.house

    async def read():
        async with house.desk.work(durable=False) as work:
            identity = await customers.identity(work, house.customer_id)
            found, _ = await boards.applications_page(work, boards.ApplicationsWanted(customer_id=house.customer_id))
            return identity, found[0].application_id

    return house.run(read())


def audit_of(console, verb):
    async def read():
        async with console.house.desk.work(durable=False) as work:
            lines = await work.connection.fetch("select actor, subject, facts from staff.audit where verb = $1 order by seq", verb)
            return [dict(line) for line in lines]

    return console.house.run(read())


# -- searching and seeing -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["name", "phone", "id_number", "customer_id", "loan_id"])
def test_staff_find_a_person_by_what_they_have(console, him, by):
    house, (identity, _) = console.house, him
    asked = {"name": identity.name, "phone": identity.phone, "id_number": identity.id_number.text, "customer_id": house.customer_id, "loan_id": house.loan_id}[by]
    page = console.members[Role.SERVICE_AGENT].do("/console/customers/find", q=asked).text
    assert f'href="/console/customers/{house.customer_id}"' in page
    for clear in (identity.name, identity.phone, identity.id_number.text):
        assert clear not in page, "what was found is masked"


def test_a_search_stands_in_no_address_and_the_audit_knows_only_its_kind(console, him):
    identity, _ = him
    console.members[Role.SERVICE_AGENT].do("/console/customers/find", q=identity.phone)
    last = audit_of(console, "search")[-1]
    assert (last["subject"], last["facts"]) == ("customers", {"by": "phone"})


def test_who_may_not_see_customers_finds_ids_of_loans_and_nobody_by_name(console, him):
    identity, _ = him
    analyst = console.members[Role.RISK_ANALYST]
    assert console.house.customer_id not in analyst.do("/console/customers/find", q=identity.name).text
    assert f"/console/loans/{console.house.loan_id}" in analyst.do("/console/customers/find", q=console.house.loan_id).text


def test_a_field_is_seen_in_clear_once_with_a_reason_that_the_audit_has_first(console, him):
    identity, _ = him
    path = f"/console/customers/{console.house.customer_id}"
    agent = console.members[Role.SERVICE_AGENT]
    assert identity.phone not in agent.get(path).text
    before = len(audit_of(console, "unmask"))
    refused = agent.do(f"{path}/unmask", field="phone", why=" ")
    assert (refused.status_code, code_of(refused)) == (400, "bad-field")
    assert identity.phone not in refused.text
    seen = agent.do(f"{path}/unmask", field="phone", why="本人来电核对")
    assert identity.phone in seen.text
    assert identity.id_number.text not in seen.text, "one field, not all"
    lines = audit_of(console, "unmask")
    assert (len(lines), lines[-1]["facts"]["field"]) == (before + 1, "phone")
    assert identity.phone not in agent.get(path).text, "the next page is masked again"


def test_a_collector_sees_masked_data_and_cannot_unmask(console, him):
    path = f"/console/customers/{console.house.customer_id}"
    collector = console.members[Role.COLLECTOR]
    page = collector.get(path).text
    assert "/unmask" not in page
    assert him[0].name not in page
    assert collector.do(f"{path}/unmask", field="name", why="想看看").status_code == 403


def test_the_receipts_of_the_console_hold_no_personal_data(console, him):
    """What was shown in clear is kept nowhere: no receipt of a deed holds it."""
    console.members[Role.SERVICE_AGENT].do(f"/console/customers/{console.house.customer_id}/unmask", field="name", why="合同核对姓名")

    async def kept():
        async with console.house.desk.work(durable=False) as work:
            return await work.connection.fetchval("select count(*) from foundation.receipts where convert_from(body, 'UTF8') like '%' || $1 || '%'", him[0].name)

    assert console.house.run(kept()) == 0


# -- deeds --------------------------------------------------------------------------------------------------------------------------------------


def test_a_write_off_takes_two_persons(console):
    """Operations asks, finance says yes, operations does it once; its own yes is refused, and so is a second use."""
    path, asker, other = f"/console/loans/{console.house.loan_id}", console.members[Role.FINANCE], console.members[Role.COMPLIANCE]
    console.house.run(add_member(console.house, "desk.finance-two", frozenset({Role.FINANCE})))
    second = Browser(console.house.url)
    assert second.log_in("desk.finance-two").status_code == 303
    open_one = asker.do(f"{path}/write-off", key="wo-0", approval_id="").headers["Location"].split("which=")[1]  # perhaps somebody asked before
    assert second.do(f"/console/approvals/{open_one}/decline", key="wo-00", why="从头再来").status_code == 303
    asked = asker.do(f"{path}/write-off", key="wo-1", approval_id="")
    assert asked.status_code == 303, alert_of(asked)
    approval_id = asked.headers["Location"].split("which=")[1]
    assert code_of(asker.do(f"/console/approvals/{approval_id}/approve", key="wo-2")) == "staff.same-person"
    assert code_of(other.do(f"/console/approvals/{approval_id}/approve", key="wo-3")) == "staff.not-your-duty", "money is not compliance's to approve"
    assert code_of(asker.do(f"{path}/write-off", key="wo-4", approval_id=approval_id)) == "staff.approval-missing", "not before the yes"
    assert asker.do(f"/console/approvals/{approval_id}/decline", key="wo-5", why="先再谈谈").status_code == 403


def test_a_case_is_answered_and_the_person_is_told(console):
    house = console.house

    async def complain():
        async with house.desk.work(Actor("customer", house.customer_id)) as work:
            return (await customers.open_case(work, customer_id=house.customer_id, kind=customers.CaseKind.COMPLAINT, subject="", text="利息怎么算的")).case_id

    path = f"/console/cases/{house.customer_id}/{house.run(complain())}"
    agent = console.members[Role.SERVICE_AGENT]
    assert "利息怎么算的" in agent.get(path).text
    assert agent.do(f"{path}/investigate", key="ca-1").status_code == 303
    assert code_of(agent.do(f"{path}/answer", key="ca-2", outcome="nonsense", text="x")) == "bad-field"
    assert agent.do(f"{path}/answer", key="ca-3", outcome="upheld", text="按日计息，明细已发给您。").status_code == 303
    again = agent.do(f"{path}/answer", key="ca-4", outcome="upheld", text="再答一次")
    assert again.status_code == 409, "an answered case is not answered again"
    assert "按日计息" in agent.get(path).text


def test_a_deed_pressed_twice_is_done_once(console):
    """The same form sent again goes where the first went and does nothing more."""
    head = console.members[Role.RISK_HEAD]
    before = len(audit_of(console, "switch"))
    first, again = (head.do("/console/switches/stop", key="twice-1", name="sales") for _ in range(2))
    assert (first.status_code, again.status_code, first.headers["Location"]) == (303, 303, again.headers["Location"])
    assert len(audit_of(console, "switch")) == before + 1
    assert head.do("/console/switches/resume", key="twice-2", name="sales").status_code == 303
    assert code_of(console.members[Role.OPERATIONS].do("/console/switches/resume", key="twice-3", name="sales")) == "staff.not-your-duty"


def test_a_decision_is_replayed_before_ones_eyes(console, him):
    path = f"/console/applications/{console.house.customer_id}/{him[1]}"
    page = console.members[Role.RISK_ANALYST].do(f"{path}/replay").text
    assert "重放一致" in page


def test_an_admin_makes_changes_and_closes_an_account(console):
    admin = console.members[Role.ADMIN]
    added = admin.do("/console/accounts/add", key="ac-1", login="c.new", name="新同事", password="a long enough one 9", **{"role-finance": "yes"})
    assert added.headers["Location"] == "/console/accounts/c.new?done=add"
    weak = admin.do("/console/accounts/add", key="ac-2", login="c.weak", name="x", password="short", **{"role-finance": "yes"})
    assert code_of(weak) == "staff.weak-password"
    both = admin.do("/console/accounts/c.new/roles", key="ac-3", **{"role-auditor": "yes", "role-finance": "yes"})
    assert code_of(both) == "staff.roles-conflict"
    assert admin.do("/console/accounts/c.new/roles", key="ac-4", **{"role-collector": "yes"}).status_code == 303
    assert admin.do("/console/accounts/c.new/close", key="ac-5").status_code == 303


def test_the_chain_of_the_audit_is_checked_from_the_page(console):
    assert "审计链完整" in console.members[Role.AUDITOR].do("/console/audit/check").text


# -- what is shown ------------------------------------------------------------------------------------------------------------------------------


def kinds_of(path):
    """Give the screen of a path, and each thing that its query says there: its words one by one, of anything else the name alone."""
    place, _, query = path.partition("?")
    screen = screen_of(place)
    name = screen.path if screen else place
    said = [pair.partition("=") for pair in query.split("&") if pair]
    return name, {(name, key, value if value.isalpha() else "*") for key, _, value in said}


def crawl(browser, start, done):
    """Open every screen that is linked, and what a link says in its query where nobody opened that yet (`done`). Give (path, text)."""
    opened, todo = set(), [start]
    while todo:
        path = todo.pop(0)
        name, said = kinds_of(path)
        if name in opened and said <= done:
            continue
        opened.add(name)
        done |= said | {(name,)}
        answer = browser.get(path)
        if (path, answer.status_code) == ("/console", 303):
            continue  # who may not see the overview is led to his own first screen
        assert answer.status_code == 200, (path, answer.status_code, alert_of(answer))
        yield path, answer.text
        todo += [link for link in map(html.unescape, LINK.findall(answer.text)) if not re.search(r"look\?|/assets/|[?&]as=", link)]


def test_every_link_of_every_role_opens_and_every_word_is_there_in_both_languages(console, monkeypatch):
    known, missing, done = words.words(), set(), set()

    class Noticing(dict):
        def get(self, key, default=None):
            if key not in self and not key.startswith("#"):
                missing.add(key)
            return super().get(key, default)

    noticing = Noticing(known)
    monkeypatch.setattr(words, "words", lambda: noticing)
    ids_of(console)  # a case and a request for approval are there
    for role in Role:
        start = "/console" if role in {Role.OPERATIONS, Role.FINANCE} else "/console/me"
        assert len(list(crawl(console.members[role], start, done))) >= 3, role
    assert missing == set()
    assert {screen.path for screen in SCREENS} - {path for path, *_ in done} == set(), "a screen to which no link leads"


def test_every_word_has_both_languages_and_no_key_stands_twice():
    assert [key for key, said in words.words().items() if not (said["zh"] and said["en"])] == []
    lines = [line.split(" = ")[0] for line in Path(words.__file__).with_name("words.toml").read_text("utf-8").splitlines() if " = [" in line]
    assert sorted({line for line in lines if lines.count(line) > 1}) == []


def test_the_language_is_chosen_and_kept(console):
    browser = console.stranger()
    browser.log_in(login_of(Role.AUDITOR))
    assert 'lang="zh-CN"' in browser.get("/console", headers={"Accept-Language": "zh-CN"}).text
    assert browser.get("/console/look", params={"language": "en", "to": "/console/loans"}).headers["Location"] == "/console/loans"
    page = browser.get("/console/loans").text
    assert '<html lang="en"' in page
    assert "Principal left" in page


def test_a_figure_leads_to_as_many_rows_as_it_counts(console):
    """Every plain count of the overview and the inclusion board opens a list with exactly that many rows."""
    head, wrong, compared = console.members[Role.FINANCE], [], 0
    for path in ("/console", "/console/inclusion"):
        page = head.get(path).text
        found = re.findall(r'<a class="figure [^"]*" href="([^"]+)">(?:(?!</a>).)*?figure-value">([\d,]+)</span>', page, re.DOTALL)
        found += re.findall(r'<td class="count"><a href="(/console/loans[^"]+)">([\d,]+)</a>', page)
        for href, shown in found:
            listing = re.search(r'class="many">([\d,]+)', head.get(html.unescape(href)).text)
            if listing:
                compared += 1
                if listing.group(1) != shown:
                    wrong.append((href, shown, listing.group(1)))
    assert wrong == []
    assert compared >= 8


def test_a_list_is_exported_whole_as_csv_and_parquet_without_personal_data(console, him):
    import pyarrow.parquet as pq

    finance = console.members[Role.FINANCE]
    sent = finance.get("/console/loans?as=csv")
    rows = list(csv.DictReader(io.StringIO(sent.content.decode("utf-8-sig"))))
    assert sent.headers["Content-Disposition"] == 'attachment; filename="puhui-loans.csv"'
    assert console.house.loan_id in {row["loan_id"] for row in rows}
    table = pq.read_table(io.BytesIO(finance.get("/console/loans?as=parquet").content))
    assert table.num_rows == len(rows)
    assert table.column("amount_fen").to_pylist() == [int(row["amount_fen"]) for row in rows]
    for screen in SCREENS:
        if "{" not in screen.path:
            for role in (Role.OPERATIONS, Role.COMPLIANCE):
                body = console.members[role].get(f"{screen.path}?as=csv").content.decode("utf-8", "replace")
                assert not [clear for clear in (him[0].name, him[0].phone, him[0].id_number.text) if clear in body], screen.path
    assert code_of(finance.get("/console/loans?as=xlsx")) == "bad-field"


def test_a_text_that_looks_like_a_formula_is_disarmed():
    from puhui.web.console.blocks import Column
    from puhui.web.console.export import _csv

    written = _csv([Column("name")], [["=cmd()"], ["+1"], ["@x"], ["plain"]]).decode("utf-8-sig").splitlines()
    assert written == ["name", "'=cmd()", "'+1", "'@x", "plain"]


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=9999999999", "standing=none", "since=yesterday", "month=2026-13", "over=1.5", "partner=%00", "partner=" + "x" * 65, "sort=name"]
)
def test_a_query_that_is_none_is_a_kind_page_and_no_fault(console, query):
    answer = console.members[Role.FINANCE].get(f"/console/loans?{query}")
    assert (answer.status_code, code_of(answer)) == (400, "bad-field")


def test_no_page_reads_more_rows_than_a_page_shows(console, monkeypatch):
    """Lists are paged by the database: no statement gives a screen more rows than a page and its boards need."""
    from puhui.foundation import sql

    most, asked = {}, sql.Statement.rows

    async def rows(self, work, **given):
        found = await asked(self, work, **given)
        most[self.name] = max(most.get(self.name, 0), len(found))
        return found

    monkeypatch.setattr(sql.Statement, "rows", rows)
    for path in ("/console/loans", "/console/applications", "/console/payments", "/console/cases", "/console/arrears", "/console/deliveries", "/console/audit", "/console/settlement"):
        for role in (Role.FINANCE, Role.OPERATIONS, Role.COMPLIANCE):
            console.members[role].get(path)
    paged = {name: count for name, count in most.items() if name.endswith("_page") or name == "loans_newest"}
    assert len(paged) >= 6
    assert {name: count for name, count in paged.items() if count > 25} == {}
