"""How the doors behave on the wire: the same request twice, a key used for something else, bodies that are none, paths that are none, a house
whose database is away."""

import contextlib
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from puhui.foundation import desk as desks
from puhui.web import app

COMPLAIN = "/borrower/v1/steps/complain"


def body_of(text: str) -> bytes:
    return json.dumps({"text": text}).encode()


def refusal(reply, status, code):
    told = reply.json()
    assert (reply.status_code, told["code"]) == (status, code), told
    assert told["text"], told
    assert told["text_zh"], told
    return told["facts"]


# -- the same request twice -------------------------------------------------------------------------------------------------------------------


def test_a_request_sent_again_gets_the_first_answer_byte_for_byte(house):
    first = house.send("POST", COMPLAIN, body=body_of("利息怎么算"), key="again-1")
    again = house.send("POST", COMPLAIN, body=body_of("利息怎么算"), key="again-1")
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert ("Puhui-Replay" in first.headers, again.headers["Puhui-Replay"]) == (False, "1")


def test_a_refusal_is_an_answer_too_and_comes_again_as_it_was(house):
    first = house.send("POST", "/borrower/v1/steps/quote", body=b'{"offer_id": "of-none", "amount_fen": 1, "months": 3}', key="again-2")
    again = house.send("POST", "/borrower/v1/steps/quote", body=b'{"offer_id": "of-none", "amount_fen": 1, "months": 3}', key="again-2")
    assert (first.status_code, again.content, again.headers["Puhui-Replay"]) == (404, first.content, "1")


@pytest.mark.parametrize(("path", "body"), [(COMPLAIN, body_of("另一件事")), (COMPLAIN, b'{"text" : "x"}'), ("/borrower/v1/steps/logout", b"{}")])
def test_a_key_of_another_request_is_refused_and_does_nothing(house, path, body):
    house.send("POST", COMPLAIN, body=body_of("x"), key="taken")
    refusal(house.send("POST", path, body=body, key="taken"), 409, "key-reused")
    assert house.send("GET", "/borrower/v1/home").status_code == 200, "nobody was logged out"


def test_a_key_belongs_to_its_sender(house):
    mine = house.send("POST", COMPLAIN, body=body_of("y"), key="shared")
    other = house.send("POST", COMPLAIN, body=body_of("y"), key="shared", headers={"Puhui-Session": house.asker.secret})
    assert (mine.status_code, other.status_code) == (200, 200)
    assert mine.json()["show"]["case_id"] != other.json()["show"]["case_id"]


def test_eight_taps_at_once_with_one_key_are_one_tap(house):
    with ThreadPoolExecutor(8) as taps:
        replies = list(taps.map(lambda _: house.send("POST", COMPLAIN, body=body_of("点了八次"), key="eight"), range(8)))
    good = [reply for reply in replies if reply.status_code == 200]
    assert good, [reply.text for reply in replies]
    assert {reply.status_code for reply in replies} <= {200, 503}
    assert len({reply.json()["show"]["case_id"] for reply in good}) == 1


def test_a_signed_request_sent_again_gets_the_first_answer_and_a_changed_one_is_refused(house):
    entry_id = house.partners[0].key_id.removeprefix("entry-").removesuffix("-9")
    body = {"session_id": "se-wire-1", "entry_id": entry_id, "kind": "app", "device": {"device_id": "dv-wire"}}
    first = house.signed("POST", "/entry/v1/sessions", json.dumps(body).encode(), key="se-wire-1")
    again = house.signed("POST", "/entry/v1/sessions", json.dumps(body).encode(), key="se-wire-1")
    assert (first.status_code, again.content, again.headers["Puhui-Replay"]) == (200, first.content, "1")
    changed = house.signed("POST", "/entry/v1/sessions", json.dumps(body | {"kind": "h5"}).encode(), key="se-wire-1")
    refusal(changed, 409, "key-reused")


# -- bodies ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "a b", "x" * 65, "钥匙".encode().decode("latin-1"), "a/b"])
def test_a_request_without_a_proper_key_is_told_which_header(house, key):
    assert refusal(house.send("POST", COMPLAIN, body=body_of("z"), key=key), 400, "bad-field")["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b'{"text": 1}', "text"),
        (b"{}", "text"),
        (b'{"text": "a\\u0000b"}', "text"),
        (b'{"text": "\\ud800"}', "body"),
        (b"[" * 200_000, "body"),
        (b'{"text": ' + b'{"a":' * 100_000, "text"),
        (b'{"text": "x", "other": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "body"),
    ],
    ids=lambda value: None if isinstance(value, str) else value[:20].decode("latin-1"),
)
def test_a_body_that_is_none_is_refused_and_the_field_is_named(house, body, field):
    assert refusal(house.send("POST", COMPLAIN, body=body), 400, "bad-field")["field"] == field


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "", "application/json; charset=gbk"])
def test_what_the_body_calls_itself_does_not_matter(house, kind):
    assert house.send("POST", COMPLAIN, body=body_of("称呼"), headers={"Content-Type": kind}).status_code == 200


def test_a_field_nobody_knows_is_passed_over(house):
    assert house.send("POST", COMPLAIN, body=b'{"text": "x", "unknown": [1]}').status_code == 200


def test_a_body_that_is_too_large_is_not_read(house):
    assert refusal(house.send("POST", COMPLAIN, body=b"x" * ((1 << 20) + 1)), 413, "too-large")["most"] == 1 << 20
    assert refusal(house.send("POST", "/borrower/v1/files", body=b"x" * ((5 << 20) + 1)), 413, "too-large")["most"] == 5 << 20


def test_a_body_that_grows_too_large_on_the_way_is_cut(house):
    """Sent in chunks, so that no header tells how long it will be."""
    reply = house.session.post(
        house.url + COMPLAIN, data=(b"x" * 65_536 for _ in range(20)), headers={"Puhui-Session": house.borrower.secret, "Idempotency-Key": "chunked"}, timeout=60
    )
    refusal(reply, 413, "too-large")


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 100, b"\xff\xd8\xff\xe0" + b"x" * 1000])
def test_a_file_that_is_no_picture_is_refused(house, data):
    reply = house.send("POST", "/borrower/v1/files", body=data)
    assert 400 <= reply.status_code < 500, reply.text


# -- paths ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/borrower/v1/steps/nothing", "/borrower/v1/steps/", "/borrower/v1/steps/apply/", "/borrower/v1/steps/apply/x", "/borrower/v1/steps/%00",
        "/borrower/v1/steps/..%2f..%2fstaff", "/borrower/v1/steps/%ff", "/borrower//v1/steps/complain", "//borrower/v1/steps/complain",
        "/borrower/v1/steps/complain%2f", "/BORROWER/v1/steps/complain", "/callbacks/rail/x", "/.git/config", "/staff/v1/", "/openapi.json/",
    ],
)  # fmt: skip
def test_a_path_that_is_none_is_not_found(house, path):
    reply = house.send("POST", path, body=body_of("x"))
    assert (reply.status_code, reply.json()["code"]) == (404, "not-found"), reply.text


@pytest.mark.parametrize(("method", "path"), [("GET", COMPLAIN), ("DELETE", "/borrower/v1/home"), ("PUT", "/staff/v1/cases"), ("POST", "/health")])
def test_a_method_that_is_none_is_not_found(house, method, path):
    refusal(house.send(method, path), 404, "not-found")


@pytest.mark.parametrize("secret", ["", "x", "x" * 5000, "\xe9"])
def test_whoever_has_no_session_is_told_so(house, secret):
    reply = house.send("GET", "/borrower/v1/home", headers={"Puhui-Session": secret})
    assert (reply.status_code, reply.json()["retry"]) == (401, "never")


def test_bytes_that_are_no_http_close_the_connection_and_hurt_nobody(house):
    address = urlsplit(house.url)
    for sent in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert not connection.recv(65_536).startswith(b"HTTP/1.1 5")
    assert house.send("GET", "/health").status_code == 200


def test_a_callback_told_twice_lies_in_the_inbox_once(house):
    """Signed by another service than the one it speaks for, it is refused; what is unknown to us is kept and passed over."""
    told = {"event_id": "e-1", "kind": "entry.something", "subject": "s-1", "seq": 1, "at": "2026-09-01T09:00:00+08:00", "data": {}}
    refusal(house.signed("POST", "/callbacks/rail", json.dumps(told).encode(), key="e-1"), 400, "bad-field")
    owner = house.partners[0].key_id.removesuffix("-9")
    for _ in range(2):
        assert house.signed("POST", f"/callbacks/{owner}", json.dumps(told).encode(), key="e-1").status_code == 204
    assert house.run(_count(house.desk, "select count(*) from foundation.callbacks where event_id = 'e-1'")) == 1


async def _count(desk, query):
    async with desk.work(durable=False) as work:
        return await work.connection.fetchval(query)


async def ask(application, method, path, headers, body):
    """Ask an application in this very loop; what it raises after it has answered is the server's to log."""
    sent = [(name.lower().encode(), value.encode()) for name, value in ({"Idempotency-Key": "k-1"} | headers).items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": sent, "http_version": "1.1"}
    told = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        told.append(message)

    with contextlib.suppress(RuntimeError):
        await application(scope, receive, send)
    return told[0]["status"], json.loads(b"".join(message.get("body", b"") for message in told[1:]))


# -- a house in trouble -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", COMPLAIN, {"Puhui-Session": "x"}),
        ("GET", "/borrower/v1/home", {"Puhui-Session": "x"}),
        ("POST", "/borrower/v1/files", {"Puhui-Session": "x"}),
        ("GET", "/borrower/v1/documents/" + "a" * 64, {"Puhui-Session": "x"}),
        ("GET", "/staff/v1/cases", {"Authorization": "Bearer x"}),
        ("POST", "/staff/v1/switches/sales", {"Authorization": "Bearer x"}),
        ("POST", "/staff/v1/login", {}),
        ("POST", "/staff/v1/logout", {"Authorization": "Bearer x"}),
        ("GET", "/health", {}),
    ],
)
async def test_a_database_that_is_away_is_busy_and_says_come_again(desk, monkeypatch, method, path, headers):
    monkeypatch.setattr(desks, "PATIENCE_S", 0.0)
    await desk.writing.close()
    await desk.reading.close()
    body = b'{"login": "a", "password": "b", "text": "x", "is_on": true}' if method == "POST" else b""
    status, told = await ask(app.build(desk), method, path, headers, body)
    assert status == 503, told
    if path != "/health":
        assert (told["code"], told["retry"]) == ("busy", "later")


async def test_a_fault_is_told_as_one_and_gives_nothing_away(desk, monkeypatch):
    async def fall_over(*_args, **_more):
        raise RuntimeError("a secret: 790101199003070018")

    for name in ("session_in", "look_in"):
        monkeypatch.setattr(f"puhui.journeys.enter.{name}", fall_over)
    for method, path in (("POST", COMPLAIN), ("GET", "/borrower/v1/home")):
        status, told = await ask(app.build(desk), method, path, {"Puhui-Session": "x"}, b'{"text": "x"}')
        assert (status, told["code"]) == (500, "fault")
        assert "790101" not in str(told)
