"""What changes in a borrower's life, through the pages in a real browser: cards, phones, second thoughts, proofs, papers, farewells, and a shop's order."""

import json

import pytest

phone = pytest.importorskip("phone", reason="playwright is not installed")

from puhui.rooms import channels  # noqa: E402
from puhui_town.checks.pictures import Picture  # noqa: E402
from puhui_town.people import papers  # noqa: E402

pytestmark = pytest.mark.skipif(not phone.CHROMIUM, reason="no Chromium on this machine (apt-get install chromium)")
PRICE = 200_000


@pytest.fixture(scope="module")
def browser():
    with phone.chromium() as started:
        yield started


@pytest.fixture
def borrower(bare_house, browser):
    with phone.a_borrower(bare_house, browser, 90) as one:
        yield one


def test_a_borrower_sends_a_proof_changes_card_and_phone_gives_the_loan_back_and_leaves(bare_house, borrower):
    one = borrower
    one.sign()
    one.open("/borrower/loans")
    one.tap("剩余本金", "principal left")
    loan = one.path
    one.tap("开借款证明", "Certificate of the loan")
    one.says("证明", "ertificate")
    changes_card(one)
    changes_phone(one)
    sends_a_proof(one, loan)
    gives_it_back(one, loan)
    takes_a_copy(one)
    one.open("/borrower/close")
    one.tap("确认注销", "Close it")
    one.says("账户已注销", "The account is closed")


def another_card(one):
    """Give a card of his that he does not use with the lender yet."""
    cards = (papers.card_number(one.n, k) for k in range(papers.CARDS_EACH))
    at = one.house.desk.clock.now()
    return next(card for card in cards if card != one.folk.card_number(one.n) and one.folk.card(card, at) is not None)


def changes_card(one):
    card = another_card(one)
    one.open("/borrower/card")
    one.fill("phone", one.number)
    one.tap("发送验证码", "Send a code")
    one.fill("card_number", card)
    one.code()
    one.tap("绑定这张卡", "Use this card")
    one.says(f"**** {card[-4:]}", "")


def changes_phone(one):
    one.open("/borrower/phone")
    one.fill("phone", "12099970001")
    one.tap("发验证码到新手机", "Send a code to it")
    one.code()
    one.picture("selfie", Picture("face", one.folk.identity(f"n{one.n}").face))
    one.tap("换成这个号", "Change to it")
    one.says("**** 0001", "")


def sends_a_proof(one, loan):
    one.open(f"{loan}/hardship")
    one.picture("paper", Picture("proof", 7))
    one.fill("text", "上个月住院了，这是收据。")
    one.tap("提交申请", "Ask for help")
    one.says("困难帮扶", "Hardship")


def gives_it_back(one, loan):
    one.open(loan)
    one.tap("退还这笔借款", "Give it back")
    one.pay()


def takes_a_copy(one):
    one.open("/borrower/export")
    one.tap("发送验证码", "Send a code")
    one.code()
    one.tap("生成文件", "Make the file")
    with one.page.expect_download() as coming:
        one.page.get_by_role("link", name="下载").click()
    told = json.loads(coming.value.path().read_text("utf-8"))
    assert one.folk.identity(f"n{one.n}").name in json.dumps(told, ensure_ascii=False)


def test_a_shop_s_order_is_paid_by_installments_through_the_pages(bare_house, browser):
    scene = next(one for one in channels.scenes().values() if one.purpose == "daily" and one.fits(PRICE, 6))
    body = {
        "order_id": "od-pages", "merchant_id": scene.merchant_id, "scene_id": scene.scene_id, "amount_fen": PRICE, "buyer_ref": "b-1",
        "items": [{"title": "米面油", "amount_fen": PRICE, "category": scene.category}], "return_url": "https://shop.invalid/1",
    }  # fmt: skip
    client, shop = bare_house.loop.town.world.client, f"shop-{scene.merchant_id}"
    quoted = bare_house.run(client.signed(shop, "POST", "/partner/v1/orders", body, key="od-pages")).body
    for n in phone.with_phones_of_their_own(bare_house, 160, 12):
        with phone.a_phone(browser, bare_house, n) as one:
            one.page.goto(quoted["page_url"], wait_until="load")
            one.tap("开始", "Start")
            one.give_code()
            one.become_known()
            one.says("米面油", "")
            one.says("2,000.00 元", "")
            one.tap("提交申请", "Apply")
            one.rest()
            if one.page.locator("form[action='/borrower/accept']").count():
                one.sign()
                break
    told = bare_house.run(client.signed(shop, "GET", "/partner/v1/orders/od-pages")).body
    assert told["state"] == "funded", told
