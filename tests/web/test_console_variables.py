"""The browser of variables: found by name and by sentence, from source to drift; one person's values with reasons, masked by role."""

import html
from urllib.parse import quote

import pytest
from console_house import ids_of

from puhui.rooms import decisions
from puhui.rooms.staff import Role

ONE = "/console/variables/one?name="
WAGES = "bank_flow.amount.sum.180d[kind=wage]"


def page_of(console, role, path, language="zh"):
    answer = console.members[role].get(path, headers={"Accept-Language": {"zh": "zh-CN", "en": "en"}[language]})
    assert answer.status_code == 200, (path, answer.status_code)
    return html.unescape(answer.text)


def test_what_decides_is_listed_and_found_by_name_and_by_sentence(console):
    page = page_of(console, Role.RISK_ANALYST, "/console/variables")
    assert f"{len(decisions.names()):,} " in page
    found = page_of(console, Role.RISK_ANALYST, "/console/variables?q=" + quote("工资 180天"))
    assert WAGES in found
    assert "telco.tenure" not in found
    assert WAGES in page_of(console, Role.RISK_ANALYST, "/console/variables?q=bank_flow wage sum.180d")


def test_the_catalogues_behind_it_are_browsed_page_by_page(console):
    assert "67,940 " in page_of(console, Role.AUDITOR, "/console/variables?set=declared")
    assert "211,961 " in page_of(console, Role.AUDITOR, "/console/variables?set=lending&page=3")
    assert "device.count" in page_of(console, Role.AUDITOR, "/console/variables?set=declared&table=device")


def test_searching_is_a_form_that_leads_to_an_address(console):
    answer = console.members[Role.RISK_HEAD].do("/console/variables/find", key="var-1", q="工资 180天")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/variables?q=" + quote("工资 180天").replace("%20", "+"))


@pytest.mark.parametrize(("language", "words"), [("zh", ["近180天", "银行流水", "收入还不够稳定", "所需授权", "分布", "逐月漂移"]), ("en", ["total amount of bank events", "bank_flow", "Income is uneven", "Consent needed", "Distribution", "Drift by month"])])
def test_a_variable_is_told_from_its_source_to_its_drift(console, language, words):
    browser = console.members[Role.RISK_ANALYST]
    browser.get("/console/look", params={"language": language, "to": "/console/me"})
    try:
        page = html.unescape(browser.get(ONE + quote(WAGES)).text)
    finally:
        browser.get("/console/look", params={"language": "zh", "to": "/console/me"})
    assert [word for word in words if word not in page] == []
    assert "µs" in page
    assert "PSI" in page


def test_a_measure_and_a_name_that_nobody_declared_have_their_page_too_and_nonsense_has_none(console):
    assert "由申请与征信报告直接得出" in page_of(console, Role.AUDITOR, ONE + quote("application.income"))
    assert "决策没有使用这个变量" in page_of(console, Role.AUDITOR, ONE + quote("telco.count.33d[kind=bill]"))
    assert "决策没有使用这个变量" in page_of(console, Role.AUDITOR, ONE + quote("txn.amount.sum.30d[channel=app]"))
    assert console.members[Role.AUDITOR].get(ONE + quote("<script>x</script>")).status_code == 400


def test_a_persons_values_come_with_reasons_and_are_masked_for_who_may_not_see_decisions(console):
    place = f"/console/customers/{ids_of(console)['customer_id']}/variables"
    seen, masked = page_of(console, Role.RISK_ANALYST, place), page_of(console, Role.SERVICE_AGENT, place)
    assert "application.amount" in seen
    assert "•••" not in seen
    assert "•••" in masked
    assert "您的角色只能看到有没有值" in masked
    amount = seen.split("application.amount<")[1].split("</tr>")[0]
    assert any(sign.isdigit() for sign in amount.split("<td")[2])
    assert not any(sign.isdigit() for sign in masked.split("application.amount<")[1].split("</tr>")[0].split("<td")[2])
    assert "失分" in seen
    assert "失分" not in masked


def test_who_has_no_decision_yet_has_no_values(console):
    house = console.house

    async def stranger():
        from puhui.foundation.work import HOUSE
        from puhui.rooms import customers

        async with house.desk.work(HOUSE) as work:
            return await customers.register(work, session_id="se-v", entry_id="e01", phone="12900000077")

    page = page_of(console, Role.AUDITOR, f"/console/customers/{house.run(stranger())}/variables")
    assert "还没有决策" in page
