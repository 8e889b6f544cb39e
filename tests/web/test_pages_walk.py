"""A loan's whole life through the pages, in a real browser: Chinese, English, and without JavaScript."""

from contextlib import ExitStack

import pytest

from puhui_town.wire.faults import Rule, RuleBook

phone = pytest.importorskip("phone", reason="playwright is not installed")

pytestmark = pytest.mark.skipif(not phone.CHROMIUM, reason="no Chromium on this machine (apt-get install chromium)")
WAYS = pytest.mark.parametrize(("english", "script", "first"), [(False, True, 40), (True, True, 60), (False, False, 80)], ids=["zh", "en", "no-script"])


@pytest.fixture(scope="module")
def browser():
    with phone.chromium() as started:
        yield started


@WAYS
def test_a_person_applies_reads_signs_gets_the_money_and_pays_it_back(bare_house, browser, english, script, first):
    with phone.a_borrower(bare_house, browser, first, english=english, script=script) as one:
        one.sign()
        one.open("/borrower/loans")
        one.tap("剩余本金", "principal left")
        one.tap("提前还清要多少", "What settles it early")
        one.tap("今天就还清", "Settle it today")
        one.pay()
        one.tap("看还款凭证", "See the receipt")
        one.says("还款后剩余本金\n0.00 元", "Principal left\n¥0.00")
        one.open("/borrower/loans")
        one.tap("已结清", "Paid off")
        one.tap("开结清证明", "Certificate that it is paid off")
        one.says("全部结清", "paid off in full")


def test_who_falls_behind_asks_for_mercy_disputes_takes_a_consent_back_and_pays_late(bare_house, browser):
    """Three people, one month: in Chinese, in English, and without JavaScript."""
    with ExitStack() as phones:
        ways = [(20, {}), (50, {"english": True}), (100, {"script": False})]
        people = [phones.enter_context(phone.a_borrower(bare_house, browser, first, **way)) for first, way in ways]
        loans = [sign_and_switch_collecting_off(one) for one in people]
        bare_house.run(bare_house.loop.pass_time(days=36))
        for one, loan in zip(people, loans, strict=True):
            one.come_back()
            one.says("已逾期", "days overdue")
            one.tap("一时还不上", "Cannot pay now")
            one.tap("提交申请", "Ask for help")
            one.says("困难帮扶", "Hardship")
            one.open("/borrower/dispute")
            one.fill("text", "这个月的利息算错了")
            one.tap("提交异议", "Send the dispute")
            one.says("异议", "Dispute")
            pay_what_is_due(one, loan)


def sign_and_switch_collecting_off(one):
    one.sign()
    one.open("/borrower/consents")
    one.tap("撤回：话费", "Take it back: Phone bill")
    one.says("法律要求我们继续保存的只有这些", "What the law makes us keep")
    one.open("/borrower/loans")
    one.tap("剩余本金", "principal left")
    loan = one.path
    one.tap("关闭自动扣款", "Switch it off")
    one.says("已关闭自动扣款", "Collecting by itself is off")
    return loan


def pay_what_is_due(one, loan):
    one.open(f"{loan}/repay?intent=due")
    one.pay()
    one.open(loan)
    one.says("正常还款", "On time")


def test_when_the_network_drops_amount_and_texts_stay_and_papers_never(bare_house, browser):
    with phone.a_phone(browser, bare_house, phone.with_phones_of_their_own(bare_house, 110, 20)[0]) as one:
        one.log_in()
        one.open("/borrower/identity")
        one.fill("name", "王小明")
        one.fill("id_number", "11010519491231002X")
        assert one.page.evaluate("Object.keys(localStorage)") == []
        one.open("/borrower/apply")
        one.fill("amount", "3500")
        one.page.context.set_offline(True)
        one.says("网络断了", "You are offline")
        one.page.context.set_offline(False)
        one.open("/borrower/apply")
        assert one.page.input_value("[name=amount]") == "3500"
        assert one.page.evaluate("Object.keys(localStorage)") == ["d:/borrower/apply:amount"]
        assert one.page.evaluate("document.cookie") == "", "no cookie is for scripts"


def test_who_opens_a_page_without_network_is_told_so_and_finds_amount_term_and_purpose_again(bare_house, browser):
    with phone.a_phone(browser, bare_house, phone.with_phones_of_their_own(bare_house, 112, 20)[0]) as one:
        one.log_in()
        one.open("/borrower/apply")
        one.page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
        one.fill("amount", "4500")
        one.choose("months", "9")
        one.page.select_option("[name=purpose]", "medical")
        one.page.context.set_offline(True)
        one.page.reload()
        one.says("网络断了", "You are offline")
        kept = "caches.keys().then(async (names) => (await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys()).map((one) => one.url)))).flat())"
        assert one.page.evaluate(kept) == [f"{bare_house.url}/borrower/offline"], "no page of a person is kept"
        one.page.context.set_offline(False)
        one.tap("再试一次", "Try again")
        assert one.path == "/borrower/apply"
        assert one.page.input_value("[name=amount]") == "4500"
        assert one.page.input_value("[name=purpose]") == "medical"
        assert one.page.is_checked("[name=months][value='9']")
        assert (one.foreign, one.faults) == ([], [])


def test_who_waits_is_told_for_whom_and_comes_on_by_himself(bare_house, browser):
    """The bureau is away; the page says so, asks again by itself, and goes on when the answer is there."""

    async def bureau_is_away(away):
        bare_house.loop.town.world.faults.set(RuleBook(7, [Rule("away", "bureau.*", "down", 1_000_000)] if away else []))

    with phone.a_phone(browser, bare_house, phone.with_phones_of_their_own(bare_house, 0, 20)[0]) as one:
        one.log_in()
        one.become_known()
        bare_house.run(bureau_is_away(True))
        one.fill("amount", "2000")
        one.tap("提交申请", "Apply")
        assert one.path == "/borrower/wait"
        one.says("征信报告\n在等回答", "")
        one.says("话费记录\n已回答", "")
        bare_house.run(bureau_is_away(False))
        bare_house.run(bare_house.loop.pass_time(minutes=2))
        one.page.wait_for_url("**/borrower/answer")
        assert (one.foreign, one.faults) == ([], [])
