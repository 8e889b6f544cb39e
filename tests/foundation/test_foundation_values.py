"""Money, rates, refusals, configuration, the clock, keys and signatures."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from puhui.foundation import config, crypto, shards, signing, sql
from puhui.foundation.clock import Clock, ClockGoesBack, ClockMode
from puhui.foundation.keyfiles import KeyUnusable, is_development, load_private
from puhui.foundation.money import Money
from puhui.foundation.rates import YearRate
from puhui.foundation.refusals import BadField
from puhui.foundation.signing import Keyring, NonceReused, Nonces, NotListed, PrivateKey, SignatureRefused, Stale, UnknownKey


@pytest.mark.parametrize(("text", "fen"), [("30", 3000), ("30.5", 3050), ("30.01", 3001), ("-0.01", -1), ("3,000.00", 300_000)])
def test_yuan_are_read_to_the_fen(text, fen):
    assert Money.yuan(text) == Money(fen)


@pytest.mark.parametrize("text", ["", "30.001", "1e3", "٣", "nan", "--1", "30."])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="no amount"):
        Money.yuan(text)


@given(st.integers(-(10**14), 10**14))
def test_money_reads_back_what_it_writes(fen):
    assert Money.yuan(str(Money(fen))) == Money(fen)


@pytest.mark.parametrize(("ppm", "text"), [(180_000, "18%"), (94_822, "9.4822%"), (0, "0%"), (237_595, "23.7595%")])
def test_a_rate_shows_every_digit_it_has(ppm, text):
    assert str(YearRate(ppm)) == text


def test_a_refusal_fills_its_facts_into_both_languages():
    refusal = BadField(field="amount", why="it is negative")
    assert "The field amount is missing or not as it should be: it is negative" in refusal.text
    assert "“amount”没有填对" in refusal.text_zh


@pytest.mark.parametrize(
    ("environ", "code", "says"),
    [
        ({"PUHUI_PORT": "many"}, "config.bad-setting", "PUHUI_PORT"),
        ({"PUHUI_PORT": "70000"}, "config.bad-setting", "0..65535"),
        ({"PUHUI_CLOCK": "slow"}, "config.bad-setting", "live, fast or stepped"),
        ({"PUHUI_CLOCK_AT": "2026-09-01T00:00:00"}, "config.bad-setting", "zone"),
        ({"PUHUI_DATABASE_URL": "mysql://x"}, "config.bad-setting", "postgresql://"),
        ({"PUHUI_RAIL_URL": "rail"}, "config.bad-setting", "http://"),
        ({"PUHUI_CLOK": "live"}, "config.unknown-setting", "PUHUI_CLOCK"),
        ({"PUHUI_CONFIG": "/nowhere/puhui.toml"}, "config.unreadable", "/nowhere/puhui.toml"),
    ],
)
def test_a_bad_setting_says_which_and_what_is_wanted(environ, code, says):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        config.read(environ)
    assert caught.value.code == code
    assert says in caught.value.text


def test_the_environment_wins_over_the_file(tmp_path):
    path = tmp_path / "puhui.toml"
    path.write_text('port = 9000\nrail_url = "http://127.0.0.1:1/"\n')
    read = config.read({"PUHUI_CONFIG": str(path), "PUHUI_PORT": "9001"})
    assert (read.port, read.url_of("rail")) == (9001, "http://127.0.0.1:1")


def test_a_stepped_clock_moves_only_when_told_and_never_back():
    start = datetime(2026, 9, 1, tzinfo=UTC)
    clock = Clock(ClockMode.STEPPED, start)
    clock.step_to(start + timedelta(seconds=5))
    assert clock.now() == start + timedelta(seconds=5)
    with pytest.raises(ClockGoesBack):
        clock.step_to(start)


@given(st.integers(0, 10**9))
def test_due_times_are_rounded_up_to_the_tick(microseconds):
    clock = Clock(ClockMode.STEPPED, datetime(2026, 9, 1, tzinfo=UTC))
    due = clock.now() + timedelta(microseconds=microseconds)
    tick = clock.on_tick(due)
    assert due <= tick < due + timedelta(seconds=60)
    assert tick.timestamp() % 60 == 0


def test_under_the_fast_clock_short_spans_are_real_seconds():
    clock = Clock(ClockMode.FAST, datetime(2026, 9, 1, tzinfo=UTC), 0.0, 4320)
    at = datetime(2026, 9, 1, tzinfo=UTC)
    assert clock.after(at, timedelta(seconds=10)) == at + timedelta(hours=12)
    assert clock.after(at, timedelta(hours=2)) == at + timedelta(hours=2)


def test_a_sealed_field_opens_only_in_its_own_place():
    ring = crypto.fresh_keys()
    cell = ring.seal("customers.name", "cu-1", "李雷")
    assert ring.open_text("customers.name", "cu-1", cell) == "李雷"
    for field, whose, altered in (
        ("customers.phone", "cu-1", cell),
        ("customers.name", "cu-2", cell),
        ("customers.name", "cu-1", cell[:-1] + bytes([cell[-1] ^ 1])),
        ("customers.name", "cu-1", b"\x00\x09" + cell[2:]),
        ("customers.name", "cu-1", b""),
    ):
        with pytest.raises(crypto.CellDamaged):
            ring.open(field, whose, altered)


def test_after_a_rotation_old_cells_open_and_new_ones_are_under_the_new_key():
    old = crypto.fresh_keys()
    cell = old.seal("f", "w", "x")
    new = crypto.rotated(old)
    assert new.open_text("f", "w", cell) == "x"
    assert (cell[:2], new.seal("f", "w", "x")[:2]) == (b"\x00\x01", b"\x00\x02")
    with pytest.raises(crypto.CellDamaged):
        crypto.retired(new, 1).open("f", "w", cell)
    assert new.blind("f", "x") == old.blind("f", "x")


def test_a_key_file_others_may_read_is_refused(tmp_path):
    path = tmp_path / "keys" / "field-keys.json"
    ring = crypto.load_keys(path, make=True)
    assert crypto.load_keys(path) == ring
    path.chmod(0o644)
    with pytest.raises(crypto.KeyFileUnusable, match="key-file"):
        crypto.load_keys(path)
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(crypto.KeyFileUnusable):
        crypto.load_keys(path)


def test_a_signing_key_is_made_once_and_marked_as_for_development(tmp_path):
    path = tmp_path / "lender-1.pem"
    first = load_private(path, "lender-1", make=True)
    assert load_private(path, "lender-1").public_der == first.public_der
    assert is_development(path)
    with pytest.raises(KeyUnusable):
        load_private(tmp_path / "none.pem", "x")


SECRET = PrivateKey("lender-1", "ed25519", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
BODY = b'{"order_id":"po-1","amount_fen":300000}'
TIME, NONCE = 1_790_000_000_000, "000102030405060708090a0b0c0d0e0f"


def signed(**changes):
    asked = {"method": "POST", "path": "/rail/v1/transfers", "body": BODY, "idempotency_key": "po-1", "time_ms": TIME, "nonce": NONCE} | changes
    return {name.lower(): value for name, value in signing.sign_request(SECRET, **asked).items()}


def checked(headers, *, listed=True, now_ms=TIME, nonces=None, **changes):
    ring = Keyring()
    ring.add(SECRET.published("lender"))
    asked = {"method": "POST", "path": "/rail/v1/transfers", "body": BODY} | changes
    return signing.check_request(
        ring, nonces or Nonces(0), headers=headers, now_ms=now_ms, is_listed=lambda _: listed, **asked
    )


def test_the_protocols_vector():
    headers = signed()
    assert headers["puhui-digest"] == "75e0aff719d0e962b2639ad8f6172d8c6f03e05626ed44766026b61d9b2253f3"
    assert len(signing.request_text("POST", "/rail/v1/transfers", "lender-1", str(TIME), NONCE, "po-1", headers["puhui-digest"])) == 158
    assert headers["puhui-sign"] == "/ybu441eTBMHnIZOp4V6VzgzPcjzS9mp7u6whTUVhJdhznxnGK8SIKG3hXBh7TQ1/oCOhozkDpSgy+3W3QWgDw=="
    assert checked(headers).owner == "lender"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"puhui-key": "nobody-1"}, UnknownKey),
        ({"puhui-alg": "rsa-sha256"}, UnknownKey),
        ({"puhui-time": str(TIME + 1)}, SignatureRefused),
        ({"puhui-time": str(TIME - 300_001)}, Stale),
        ({"puhui-time": "soon"}, Stale),
        ({"puhui-nonce": "ff" * 16}, SignatureRefused),
        ({"puhui-nonce": "x"}, SignatureRefused),
        ({"idempotency-key": "po-2"}, SignatureRefused),
        ({"puhui-digest": "00" * 32}, SignatureRefused),
        ({"puhui-sign": b64encode(bytes(64)).decode()}, SignatureRefused),
        ({"puhui-sign": "not base64!"}, SignatureRefused),
    ],
)
def test_a_changed_header_is_refused(change, refusal):
    with pytest.raises(refusal):
        checked(signed() | change)


def test_a_changed_body_path_or_method_is_refused():
    for change in ({"body": BODY + b" "}, {"path": "/rail/v1/refunds"}, {"method": "PUT"}):
        with pytest.raises(SignatureRefused):
            checked(signed(), **change)


def test_the_same_request_twice_is_a_nonce_reused_and_an_unlisted_owner_comes_last():
    nonces = Nonces(0)
    checked(signed(), nonces=nonces)
    with pytest.raises(NonceReused):
        checked(signed(), nonces=nonces)
    with pytest.raises(NotListed):
        checked(signed(), listed=False)


def test_a_reply_fits_only_its_own_request():
    headers = {name.lower(): value for name, value in signing.sign_reply(SECRET, status=200, nonce=NONCE, body=b"{}", idempotency_key="k", time_ms=TIME).items()}
    ring = Keyring()
    ring.add(SECRET.published("rail"))
    good = {"owner": "rail", "status": 200, "nonce": NONCE, "headers": headers, "body": b"{}", "idempotency_key": "k", "now_ms": TIME}
    signing.check_reply(ring, **good)
    for change in ({"status": 202}, {"nonce": "ab" * 16}, {"body": b"{} "}, {"idempotency_key": "l"}, {"owner": "bureau"}, {"now_ms": TIME + 300_001}):
        with pytest.raises(SignatureRefused):
            signing.check_reply(ring, **(good | change))


def test_named_parameters_become_numbers_and_casts_stay(tmp_path):
    (tmp_path / "queries.sql").write_text("-- name: one\n-- why: it is asked\nselect ':not' || :a::text, :b, :a;\n\n-- name: two\nselect 1;\n")
    loaded = sql.load(str(Path(tmp_path) / "store.py"))
    assert loaded.one.text.endswith("select ':not' || $1::text, $2, $1")
    assert loaded.one.names == ["a", "b"]
    with pytest.raises(AttributeError, match="no statement"):
        _ = loaded.three


def double(number):
    return number * 2


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_shards_come_back_in_their_order_on_every_backend(backend):
    assert list(shards.map_shards(double, list(range(20)), backend=backend)) == [2 * n for n in range(20)]
