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
