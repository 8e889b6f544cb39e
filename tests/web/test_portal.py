"""The portal: its pages say what the doors check, keys rotate without a gap, and the samples it gives away run, in three languages."""

import json
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
import requests

from puhui.foundation.keyfiles import load_private
from puhui.foundation.signing import sign_request
from puhui.web import openapi
from puhui.web.portal.pages import SAMPLES

SOURCE = Path(openapi.__file__).parent / "portal" / "samples"
RUNS = {
    "partner.py": [sys.executable, str(SOURCE / "partner.py")],
    "partner.mjs": ["node", str(SOURCE / "partner.mjs")],
    "Partner.java": ["java", str(SOURCE / "Partner.java")],
}
TOOLS = {"partner.py": sys.executable, "partner.mjs": "node", "Partner.java": "java"}
HERE = [name for name in RUNS if shutil.which(TOOLS[name])]


def run(name, *arguments):
    done = subprocess.run([*RUNS[name], *map(str, arguments)], check=False, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout.strip(), done.stderr


def pem_of(house, key):
    """Write a partner's private key as the samples read it."""
    from cryptography.hazmat.primitives import serialization

    path = house.desk.config.home / f"sample-{key.key_id}.pem"
    if not path.exists():
        path.write_bytes(key.loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        path.chmod(0o600)
    return path


def test_every_door_has_its_page_and_no_page_asks_the_outside(house):
    begin = requests.get(f"{house.url}/portal", timeout=60)
    assert begin.status_code == 200
    names = [one["operationId"] for methods in openapi.build()["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names))
    for name in names:
        page = requests.get(f"{house.url}/portal/api/{name}", timeout=60)
        assert page.status_code == 200, name
        assert "http://" not in page.text.replace(house.url, "")
        assert "https://" not in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert requests.get(f"{house.url}/portal/api/nothing", timeout=60).status_code == 404
    assert "simulated town" in begin.text, "a sandbox says that it is one"


def test_a_page_names_every_field_of_the_body(house):
    page = requests.get(f"{house.url}/portal/api/quote_order", timeout=60).text
    for field in ("order_id", "merchant_id", "items[].amount_fen", "amount_fen", "return_url"):
        assert f">{field}<" in page, field


def test_samples_are_given_away_as_they_run_here(house):
    for name in SAMPLES:
        assert requests.get(f"{house.url}/portal/samples/{name}", timeout=60).content == (SOURCE / name).read_bytes()
    assert requests.get(f"{house.url}/portal/samples/..%2Fpages.py", timeout=60).status_code == 404


def test_a_sample_exists_for_every_language_that_is_promised():
    assert set(SAMPLES) == set(RUNS) == {path.name for path in SOURCE.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", HERE)
def test_a_sample_calls_and_checks_the_signed_reply(house, name, tmp_path):
    key = house.partners[0]
    code, said, error = run(name, "call", house.url, key.key_id, pem_of(house, key), "GET", "/entry/v1/entries")
    assert code == 0, error
    assert said.startswith("200 "), said
    assert len(json.loads(said[4:])["entries"]) >= 53
    body = tmp_path / "session.json"
    session_id = f"se-sample-{name.replace('.', '-')}"
    entry = key.key_id.removeprefix("entry-").rsplit("-", 1)[0]
    body.write_text(json.dumps({"session_id": session_id, "entry_id": entry, "kind": "app", "device": {"device_id": "dv-sample"}}))
    arguments = ("call", house.url, key.key_id, pem_of(house, key), "POST", "/entry/v1/sessions", body, session_id)
    first, again = run(name, *arguments), run(name, *arguments)
    assert first[1].startswith("200 "), first
    assert first[1] == again[1], "the same key gives the same answer"


@pytest.mark.parametrize("name", HERE)
def test_a_sample_knows_our_event_from_a_forged_one(house, name, tmp_path):
    path, body = "/puhui/asset-1/events", json.dumps({"event_id": "ap-000-x-1", "kind": "paid", "subject": "ap-000-x", "seq": 1})
    headers = sign_request(house.desk.key, method="POST", path=path, body=body.encode(), idempotency_key="ap-000-x-1", time_ms=house.desk.clock.real_ms())

    def check(sent: str) -> str:
        if name == "Partner.java":
            (tmp_path / "headers.txt").write_text("\n".join(f"{one}: {value}" for one, value in headers.items()))
            (tmp_path / "body").write_text(sent)
            return run(name, "check", house.url, "POST", path, tmp_path / "headers.txt", tmp_path / "body")[1]
        (tmp_path / "request.json").write_text(json.dumps({"method": "POST", "path": path, "headers": headers, "body": sent}))
        return run(name, "check", house.url, tmp_path / "request.json")[1]

    assert check(body) == "good"
    assert check(body.replace("paid", "repaid")) == "bad"


# -- keys ---------------------------------------------------------------------------------------------------------------------------------------


def test_a_key_is_rotated_without_a_gap_and_the_old_one_ends(house, tmp_path):
    """The shop publishes a new key signed with the old one; both are good; when the old one's days are over it opens nothing."""
    old = house.partners[1]
    new = load_private(tmp_path / "new.pem", f"{old.key_id}-new", make=True)
    first = {"key_id": old.key_id, "alg": "ed25519", "public_key": b64encode(old.public_der).decode()}
    assert house.signed("POST", "/partner/v1/keys", json.dumps(first).encode(), partner=old).status_code == 200
    wanted = {"key_id": new.key_id, "alg": "ed25519", "public_key": b64encode(new.public_der).decode(), "ends": old.key_id, "overlap_days": 0}
    assert house.signed("GET", "/partner/v1/keys", b"", partner=new).status_code == 401, "not yet"
    answer = house.signed("POST", "/partner/v1/keys", json.dumps(wanted).encode(), partner=old)
    assert {one["key_id"]: "until" in one for one in answer.json()["keys"]} == {old.key_id: True, new.key_id: False}
    assert house.signed("GET", "/partner/v1/keys", b"", partner=new).status_code == 200
    assert house.signed("GET", "/partner/v1/keys", b"", partner=old).status_code == 200, "both are good in between"
    house.run(house.loop.pass_time(minutes=1))
    assert house.signed("GET", "/partner/v1/keys", b"", partner=old).status_code == 401
    assert house.signed("GET", "/partner/v1/keys", b"", partner=new).status_code == 200
    house.partners[1] = new


@pytest.mark.parametrize(
    "change",
    [{"public_key": "AAAA"}, {"public_key": "not base64"}, {"alg": "none"}, {"key_id": ""}, {"key_id": "a b"}, {"overlap_days": 31}, {"overlap_days": -1}, {"ends": "lender-1"}],
)
def test_a_bad_key_is_refused_and_nothing_is_taken(house, tmp_path, change):
    key = load_private(tmp_path / "k.pem", "k-bad", make=True)
    body = {"key_id": "k-bad", "alg": "ed25519", "public_key": b64encode(key.public_der).decode()} | change
    answer = house.signed("POST", "/partner/v1/keys", json.dumps(body).encode(), partner=house.partners[0])
    assert answer.status_code in {400, 403, 422}, answer.text
    listed = house.signed("GET", "/partner/v1/keys", b"", partner=house.partners[0]).json()["keys"]
    assert "k-bad" not in {one["key_id"] for one in listed}


def test_a_partner_reads_its_own_delivery_log(house):
    answer = house.signed("GET", "/partner/v1/events", b"")
    assert answer.status_code == 200
    assert set(answer.json()) == {"total", "events"}
