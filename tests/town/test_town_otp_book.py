"""One-time codes are good once, for their purpose, phone and subject, for five minutes and five tries."""

import pytest

from puhui_town.checks.otp import Code, OtpBook, Taken
from puhui_town.wire.store import Store

PHONE = "12000000001"


@pytest.fixture
def book() -> OtpBook:
    return OtpBook(Store(None).table("checks.otp", Code), b"secret")


def test_a_code_is_good_once(book: OtpBook):
    otp_id, code = book.make(key="ck-1", phone=PHONE, purpose="sign", subject="doc", now_ms=0)
    first = book.take(otp_id=otp_id, code=code, purpose="sign", subject="doc", phone=PHONE, now_ms=1000)
    again = book.take(otp_id=otp_id, code=code, purpose="sign", subject="doc", now_ms=1000)
    assert (first.taken, first.phone, again.taken) == (Taken.RIGHT, PHONE, Taken.USED)


@pytest.mark.parametrize("wrong", [{"purpose": "pay"}, {"subject": "another"}, {"phone": "12000000002"}])
def test_a_code_is_good_for_its_own_use_alone(book: OtpBook, wrong: dict[str, str]):
    otp_id, code = book.make(key="ck-1", phone=PHONE, purpose="sign", subject="doc", now_ms=0)
    asked = {"purpose": "sign", "subject": "doc", "phone": PHONE, **wrong}
    assert book.take(otp_id=otp_id, code=code, now_ms=0, **asked).taken is Taken.NOT_FOR_THIS
    assert book.take(otp_id=otp_id, code=code, now_ms=0, purpose="sign", subject="doc").is_right, "it is still there for its own"


def test_a_code_ends_after_five_minutes_or_five_wrong_tries(book: OtpBook):
    otp_id, code = book.make(key="ck-1", phone=PHONE, purpose="login", subject="", now_ms=0)
    assert book.take(otp_id=otp_id, code=code, purpose="login", now_ms=300_001).taken is Taken.EXPIRED
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    lefts = [book.take(otp_id=otp_id, code=wrong, purpose="login", now_ms=300_000).left for _ in range(5)]
    assert lefts == [4, 3, 2, 1, 0]
    assert book.take(otp_id=otp_id, code=code, purpose="login", now_ms=300_000).taken is Taken.EXPIRED
    assert book.take(otp_id="otp-none", code=code, purpose="login", now_ms=0).taken is Taken.UNKNOWN


def test_no_code_is_fixed_and_the_book_keeps_none(book: OtpBook):
    made = [book.make(key=f"ck-{n}", phone=PHONE, purpose="login", subject="", now_ms=0) for n in range(50)]
    assert len({code for _, code in made}) > 45
    assert all(code not in str(row) for (_, code) in made for row in book._table.values())
    assert book.forget(4_000_000) == 50
