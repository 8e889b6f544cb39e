"""The doors of the pages under attack: forms of other sites, another's loans and papers, planted names, frames, cookies, and what stays in a browser."""

import re

import pytest
import requests

from puhui.web.borrower import render


class Visitor:
    """A browser without a screen: cookies, forms with their tokens and keys."""

    def __init__(self, house):
        self.house, self.jar = house, requests.Session()

    def get(self, path, **more):
        return self.jar.get(self.house.url + path, timeout=60, **more)

    def send(self, path, page, **fields):
        """Send a form with the token and a key of the page it stands on."""
        text = self.get(page).text
        token = re.search(r'name="token" value="([^"]*)"', text)[1]
        key = re.search(r'name="key" value="([^"]*)"', text)[1]
        return self.jar.post(self.house.url + path, data={"token": token, "key": key} | fields, timeout=60)

    def arrive(self, secret):
        return self.get(f"/borrower/s/{secret}")


@pytest.fixture
def borrower(house):
    """The house's borrower with a browser of his own."""

    visitor = Visitor(house)
    assert visitor.arrive(house.visitor(house.customer_id)).status_code == 200
    return visitor


def test_the_secret_of_an_address_opens_one_visit_once(house):
    secret = house.visitor()
    first, second = Visitor(house), Visitor(house)
    assert first.arrive(secret).status_code == 200
    late = second.arrive(secret)
    assert late.status_code == 401
    assert "这个链接已经用过了" in late.text


def test_cookies_are_for_the_server_alone(house):
    visitor = Visitor(house)
    visitor.arrive(house.visitor())
    said = visitor.jar.get(house.url + "/borrower/language/en", timeout=60, allow_redirects=False).headers["Set-Cookie"]
    assert "HttpOnly" in said
    assert "SameSite=lax" in said
    assert {cookie.name for cookie in visitor.jar.cookies} >= {"puhui_visit"}
    assert all(cookie.has_nonstandard_attr("HttpOnly") for cookie in visitor.jar.cookies)


@pytest.mark.parametrize("path", ["/", "/borrower/", "/borrower/coach", "/borrower/me", "/figures"])
def test_no_page_can_be_framed_or_runs_what_is_not_ours(borrower, path):
    headers = borrower.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("fields", [{}, {"token": ""}, {"token": "0123456789abcdef.00000000000000000000000000000000"}], ids=["none", "empty", "made up"])
def test_a_form_without_our_token_does_nothing(borrower, fields):
    before = len(borrower.get("/borrower/cases").text)
    reply = borrower.jar.post(borrower.house.url + "/borrower/complain", data={"key": "pg-x", "text": "x"} | fields, timeout=60)
    assert reply.status_code == 403
    assert len(borrower.get("/borrower/cases").text) == before


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}])
def test_a_form_from_another_site_does_nothing_even_with_a_token(borrower, headers):
    token = re.search(r'name="token" value="([^"]*)"', borrower.get("/borrower/complain").text)[1]
    reply = borrower.jar.post(borrower.house.url + "/borrower/complain", data={"token": token, "key": "pg-y", "text": "x"}, headers=headers, timeout=60)
    assert reply.status_code == 403


def test_a_form_with_the_token_of_another_s_visit_does_nothing(house, borrower):
    other = Visitor(house)
    other.arrive(house.visitor())
    token = re.search(r'name="token" value="([^"]*)"', other.get("/borrower/complain").text)[1]
    reply = borrower.jar.post(house.url + "/borrower/complain", data={"token": token, "key": "pg-z", "text": "x"}, timeout=60)
    assert reply.status_code == 403


def test_a_form_sent_twice_is_one(borrower):
    """A thumb taps twice; the network sends it again."""
    text = borrower.get("/borrower/ask").text
    sent = {name: re.search(rf'name="{name}" value="([^"]*)"', text)[1] for name in ("token", "key")} | {"text": "点了两次"}
    first, again = (borrower.jar.post(borrower.house.url + "/borrower/ask", data=sent, timeout=60) for _ in range(2))
    assert (first.status_code, again.url) == (200, first.url)


@pytest.mark.parametrize("page", ["", "/repay", "/payoff", "/hardship", "/not-mine", "/contract", "/payments/po-000-x"])
def test_another_s_loan_is_not_found(house, page):
    stranger = Visitor(house)
    stranger.arrive(house.visitor())
    reply = stranger.get(f"/borrower/loans/{house.loan_id}{page}")
    assert reply.status_code == 404
    assert "没有找到这" in reply.text


def test_another_s_papers_are_not_found(house, borrower):
    paper = borrower.get(f"/borrower/loans/{house.loan_id}/contract")
    assert "借款合同" in paper.text
    stranger = Visitor(house)
    stranger.arrive(house.visitor())
    assert stranger.get(paper.url.removeprefix(house.url)).status_code == 404
    assert stranger.get(paper.url.removeprefix(house.url) + "/file").status_code == 404


@pytest.mark.parametrize("path", ["/borrower/me", "/borrower/loans", "/borrower/cost", "/borrower/export", "/borrower/decisions"])
def test_who_has_not_logged_in_sees_nothing_of_anybody(house, path):
    assert Visitor(house).get(path).url.startswith(house.url + "/borrower/?over=1")


def test_planted_names_and_texts_are_shown_as_text(borrower):
    planted = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    reply = borrower.send("/borrower/dispute", "/borrower/dispute", subject="", other=planted, text=planted)
    assert "<script>alert" not in reply.text
    assert "<img src=x" not in reply.text


def test_a_wrong_field_is_named_in_chinese_and_what_was_written_stands_there_again(borrower):
    reply = borrower.send("/borrower/apply", "/borrower/apply", amount="三千", months="6", purpose="daily")
    assert reply.status_code == 400
    assert "“金额”没有填对" in reply.text
    assert 'value="三千"' in reply.text


def test_who_logs_out_is_out_in_every_tab(borrower):
    again = dict(borrower.jar.cookies)
    borrower.send("/borrower/logout", "/borrower/me")
    reply = requests.get(borrower.house.url + "/borrower/me", cookies=again, timeout=60)
    assert "开始，看看能借多少" in reply.text


def test_the_way_back_from_the_language_leads_nowhere_else(borrower):
    reply = borrower.get("/borrower/language/zh", headers={"Referer": "https://evil.example/x"}, allow_redirects=False)
    assert reply.headers["Location"] == "/borrower/"


def test_the_first_page_is_small_and_so_is_our_script():
    assert len(render.script().encode()) < 3_000
    assert len(render.style().encode()) < 12_000


def test_every_word_has_both_languages_and_no_page_is_without_its_title(borrower):
    for path in ("/borrower/", "/borrower/help", "/borrower/loans"):
        assert re.search(r"<title>[^<]+ · 普惠</title>", borrower.get(path).text)
        borrower.jar.cookies.set("puhui_language", "en")
        assert re.search(r"<title>[^<]+ · Puhui</title>", borrower.get(path).text)
        borrower.jar.cookies.set("puhui_language", "zh")


# --- the cookie's secret --------------------------------------------------------------------------------------------------------------------


def form_of(visitor, page, path):
    """Give the hidden fields of the form that goes to this path."""
    text = visitor.get(page).text if isinstance(page, str) else page.text
    form = re.search(rf'<form[^>]*action="{path}".*?</form>', text, re.DOTALL)[0]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


def log_in(visitor, number):
    """Go as far as the code; give what the log-in form sends."""
    visitor.get("/borrower/")
    visitor.jar.post(visitor.house.url + "/borrower/start", data=form_of(visitor, "/borrower/", "/borrower/start"), timeout=60)
    asked = visitor.jar.post(
        visitor.house.url + "/borrower/login/code", data=form_of(visitor, "/borrower/login", "/borrower/login/code") | {"phone": number}, timeout=60
    )
    sent = form_of(visitor, asked, "/borrower/login")
    return sent | {"code": visitor.house.loop.town.world.parts["checks"].otp.code(sent["otp_id"])}


def cookie_of(visitor):
    return visitor.jar.cookies["puhui_visit"]


def test_a_cookie_planted_before_the_log_in_opens_nothing_after_it(house):
    """Session fixation: a stranger leaves the cookie of his own visit in somebody's browser, and waits until she has logged in."""
    hers = Visitor(house)
    sent = log_in(hers, "12000090001")
    planted = cookie_of(hers)
    reply = hers.jar.post(house.url + "/borrower/login", data=sent, timeout=60)
    assert reply.url.endswith("/borrower/consents/identity")
    assert cookie_of(hers) != planted
    stranger = requests.get(house.url + "/borrower/me", cookies={"puhui_visit": planted}, timeout=60)
    assert stranger.url == house.url + "/borrower/?over=1"
    api = requests.get(house.url + "/borrower/v1/home", headers={"Puhui-Session": planted}, timeout=60)
    assert api.status_code == 401
    assert hers.get("/borrower/me").url == house.url + "/borrower/me"


def test_a_log_in_whose_answer_was_lost_is_sent_again_and_gets_the_same_cookie(house):
    hers = Visitor(house)
    sent = log_in(hers, "12000090002")
    before = dict(hers.jar.cookies)
    hers.jar.post(house.url + "/borrower/login", data=sent, timeout=60)
    lost = cookie_of(hers)
    again = requests.post(house.url + "/borrower/login", data=sent, cookies=before, timeout=60, allow_redirects=False)
    assert again.status_code == 303
    assert again.cookies["puhui_visit"] == lost
    other = requests.post(house.url + "/borrower/login", data=sent | {"key": "pg-another"}, cookies=before, timeout=60, allow_redirects=False)
    assert other.status_code == 403
    assert "puhui_visit" not in other.cookies


def test_a_step_up_renews_the_cookie_too(borrower):
    asked = borrower.send("/borrower/export/code", "/borrower/export")
    sent = form_of(borrower, asked, "/borrower/export")
    sent["code"] = borrower.house.loop.town.world.parts["checks"].otp.code(sent["otp_id"])
    before = cookie_of(borrower)
    made = borrower.jar.post(borrower.house.url + "/borrower/export", data=sent, timeout=60)
    assert "做好了" in made.text
    assert cookie_of(borrower) != before
    assert requests.get(borrower.house.url + "/borrower/me", cookies={"puhui_visit": before}, timeout=60).url.endswith("?over=1")


def test_who_holds_a_known_person_s_phone_is_asked_who_he_is_and_sees_nothing_before(house):
    """The same phone in the same browser: the code alone does not open his wife's loans to him; he comes in as himself."""
    number = house.loop.folk.phone(house.borrower.n)
    his = Visitor(house)
    his.jar.cookies.set("puhui_device", f"dv-{house.borrower.n}")
    asked = his.jar.post(house.url + "/borrower/login", data=log_in(his, number), timeout=60)
    assert "身份证后四位" in asked.text
    assert his.get("/borrower/me").url == house.url + "/borrower/login", "he is not in yet"
    came = his.jar.post(house.url + "/borrower/login", data=form_of(his, asked, "/borrower/login") | {"id_tail": "0000"}, timeout=60)
    assert came.url == house.url + "/borrower/?nobody=1"
    assert "没有这个后四位的账户" in came.text
    assert his.get(f"/borrower/loans/{house.loan_id}").status_code == 404
