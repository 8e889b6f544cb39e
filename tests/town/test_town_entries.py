"""Entries and partners: a code is swapped once, a token is what the contract says, events are taken in order."""

import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import puhui_town.entries
from puhui_town.entries.entry import Entry, h5_token, own_entries, told_entries
from puhui_town.entries.service import Code
from puhui_town.people.needs import CHINA
from puhui_town.shops.shop import scenes
from puhui_town.wire import Clock, ClockMode, Config, PrivateKey, Town, open_town
from puhui_town.wire.server import Request, Response
from puhui_town.wire.signing import sign_request

START = datetime(2026, 9, 1, 9, 0, tzinfo=CHINA)
LENDER = PrivateKey("lender-1", "lender", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
Post = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    town = open_town(Config(people=0), Clock.begin(ClockMode.STEPPED, START), [puhui_town.entries.install])
    town.world.keys.know(LENDER.public())
    await town.start()
    yield town
    await town.stop()


@pytest.fixture
def post(town: Town) -> Post:
    nonces = iter(range(1, 1000))

    def send(path: str, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        raw = json.dumps(body).encode()
        time_ms = town.world.clock.sign_ms()
        headers = sign_request(LENDER, method="POST", path=path, body=raw, idempotency_key=key, time_ms=time_ms, nonce=f"{next(nonces):032x}")
        response = town.gate.take(Request("POST", path, {name.lower(): value for name, value in headers}, raw))
        assert isinstance(response, Response)
        return response.status, json.loads(response.body) if response.body else {}

    return send


def give_code(town: Town, code: str, entry: str) -> None:
    town.world.store.table("entries.codes", Code).put(code, Code(entry, "u-1", "12000000001", town.world.clock.sign_ms()))


def test_a_code_is_swapped_once_and_asked_again_under_its_key_gives_the_same(town: Town, post: Post) -> None:
    give_code(town, "ac-1", "e20")
    first = post("/entry/e20/v1/codes", {"code": "ac-1"}, "se-1-code")
    assert first[0] == 200
    assert first[1]["partner_user"] == "u-1"
    assert post("/entry/e20/v1/codes", {"code": "ac-1"}, "se-1-code") == first
    assert post("/entry/e20/v1/codes", {"code": "ac-1"}, "se-2-code")[1]["code"] == "entry.code-wrong"


def test_a_code_of_another_entry_or_an_old_one_is_refused(town: Town, post: Post) -> None:
    give_code(town, "ac-1", "e20")
    assert post("/entry/e21/v1/codes", {"code": "ac-1"}, "a")[0] == 404
    town.world.clock.move_to(START + timedelta(seconds=61))
    assert post("/entry/e20/v1/codes", {"code": "ac-1"}, "b")[1]["code"] == "entry.code-wrong"


def test_events_are_taken_in_order_and_once(town: Town, post: Post) -> None:
    def event(seq: int, kind: str) -> tuple[int, dict[str, Any]]:
        body = {"event_id": f"ap-1-{seq}", "kind": kind, "subject": "ap-1", "seq": seq, "at": START.isoformat(), "data": {}}
        return post("/puhui/asset-1/events", body, f"ap-1-{seq}")

    assert event(2, "approved")[0] == 409
    assert event(1, "applied")[0] == 204
    assert event(2, "approved")[0] == 204
    assert event(1, "applied")[0] == 204
    assert town.world.parts["entries"].received() == {"asset-1|ap-1": ["applied", "approved"]}


def test_a_partner_who_is_none_takes_no_events(post: Post) -> None:
    assert post("/puhui/asset-9/events", {"event_id": "x-1", "kind": "applied", "subject": "x", "seq": 1, "at": "", "data": {}}, "x-1")[0] == 404


def test_a_token_is_payload_and_signature_without_padding() -> None:
    token = h5_token(LENDER, {"iss": "asset-1", "aud": "puhui"})
    version, payload, signature = token.split(".")
    assert version == "v1"
    assert "=" not in token
    assert json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) == {"iss": "asset-1", "aud": "puhui"}
    assert LENDER.public().is_signed(f"v1.{payload}".encode(), urlsafe_b64decode(signature + "=" * (-len(signature) % 4)))


def test_there_are_fifty_three_entries_of_four_kinds() -> None:
    assert len(own_entries()) == 53
    assert {entry.kind for entry in own_entries()} == {"app", "alipay_window", "wechat_account", "h5"}


def test_what_the_platform_tells_of_its_entries_counts_and_the_unknown_is_left_out() -> None:
    told = {"entries": [
        {"entry_id": "e02", "kind": "h5", "owner": "asset-2", "state": "live"}, {"entry_id": "e01", "kind": "app", "owner": "x", "state": "retired"},
        {"entry_id": "e99", "kind": "app", "owner": "x", "state": "live"}, {"entry_id": "e03", "kind": "fax", "owner": "x", "state": "live"},
    ]}  # fmt: skip
    assert told_entries(told) == (Entry("e02", "h5", "asset-2"),)


def test_three_hundred_scenes_of_sixty_shops() -> None:
    assert len({scene.scene_id for scene in scenes()}) == 300
    assert len({scene.merchant_id for scene in scenes()}) == 60
    assert all(scene.price_min_fen <= scene.price_max_fen for scene in scenes())
