"""The wire keeps its word: signatures, the order of checks, keys asked once, callbacks at least once, a clock that is only driven."""

import asyncio
import json
from datetime import timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from puhui_town.wire import ClockMode, Ident, Reply, Route, Service, SomeFen, World, to_ms
from puhui_town.wire.clock import Clock
from puhui_town.wire.signing import PrivateKey, digest_of, request_text, sign_request

VECTOR_BODY = b'{"order_id":"po-1","amount_fen":300000}'
VECTOR_SIGN = "/ybu441eTBMHnIZOp4V6VzgzPcjzS9mp7u6whTUVhJdhznxnGK8SIKG3hXBh7TQ1/oCOhozkDpSgy+3W3QWgDw=="


class Thing(msgspec.Struct, frozen=True):
    thing_id: Ident
    amount_fen: SomeFen


def with_echo(world: World) -> list[Service]:
    """A party that counts how often it did something, tells it, and can be asked."""
    world.keys.make("echo-1", "echo")
    done = world.store.table("echo.done", int)

    def do(ask) -> Reply:
        body = ask.read(Thing)
        done.put(body.thing_id, (done.get(body.thing_id) or 0) + 1)
        world.callbacks.send("echo", "echo.done", body.thing_id, {"amount_fen": body.amount_fen})
        return Reply.json({"thing_id": body.thing_id, "times": done[body.thing_id]}, status=202)

    async def slow(ask) -> dict[str, int]:
        body = ask.read(Thing)
        await asyncio.sleep(0.01)
        done.put(body.thing_id, (done.get(body.thing_id) or 0) + 1)
        return {"times": done[body.thing_id]}

    routes = (
        Route("POST", "/echo/v1/things", "thing", do),
        Route("POST", "/echo/v1/slow", "slow", slow),
        Route("GET", "/echo/v1/things/{thing_id}", "get", lambda ask: {"times": done.get(ask.args["thing_id"]) or 0}),
    )
    return [Service("echo", "/echo", "echo-1", routes)]


def test_the_vector_of_the_protocol_is_signed_to_the_byte() -> None:
    key = PrivateKey("lender-1", "lender", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    time, nonce = "1790000000000", "000102030405060708090a0b0c0d0e0f"
    digest = digest_of(VECTOR_BODY)
    assert digest == "75e0aff719d0e962b2639ad8f6172d8c6f03e05626ed44766026b61d9b2253f3"
    assert len(request_text("POST", "/rail/v1/transfers", "lender-1", time, nonce, "po-1", digest)) == 158
    signed = dict(
        sign_request(key, method="POST", path="/rail/v1/transfers", body=VECTOR_BODY, idempotency_key="po-1", time_ms=int(time), nonce=nonce)
    )
    assert signed["Puhui-Sign"] == VECTOR_SIGN


async def test_the_checks_come_in_the_order_of_the_protocol(make_town) -> None:
    """Each refusal is tested with everything that would be refused later wrong as well."""
    town = await make_town(with_echo)
    stranger = type(town.lender)(town, PrivateKey("stranger-1", "x", Ed25519PrivateKey.generate()))
    far = to_ms(town.world.clock.now()) + 300_001
    assert (await stranger.ask("POST", "/echo/v1/things", b"{", key="a", time_ms=far)).body["code"] == "unknown-key"
    liar = type(town.lender)(town, PrivateKey("driver-1", "driver", Ed25519PrivateKey.generate()))
    assert (await liar.ask("POST", "/echo/v1/things", b"{", key="a", time_ms=far)).body["code"] == "stale"
    nonce = "ab" * 16
    assert (await liar.ask("POST", "/echo/v1/things", b"{", key="a", nonce=nonce)).body["code"] == "bad-signature"
    driver = town.driver
    assert (await driver.ask("POST", "/echo/v1/things", b"{", key="a", nonce=nonce)).body["code"] == "not-listed"
    assert (await driver.ask("POST", "/echo/v1/things", b"{", key="a", nonce=nonce)).body["code"] == "nonce-reused"
    said = await town.lender.post("/echo/v1/things", b"{", key="a")
    assert (said.status, said.body["code"], said.is_signed) == (400, "bad-field", True)


async def test_a_lender_may_sign_with_rsa_and_only_as_registered(make_town) -> None:
    town = await make_town(with_echo)
    key = PrivateKey("lender-rsa", "lender", rsa.generate_private_key(65537, 2048))
    town.world.keys.know(key.public())
    said = await type(town.lender)(town, key).post("/echo/v1/things", {"thing_id": "t1", "amount_fen": 5}, key="t1")
    assert (said.status, said.is_signed) == (202, True)
    other = PrivateKey("lender-rsa", "lender", Ed25519PrivateKey.generate())
    assert (await type(town.lender)(town, other).get("/echo/v1/things/t1")).body["code"] == "unknown-key"
    with pytest.raises(ValueError, match="rsa-sha256"):
        PrivateKey("weak", "lender", rsa.generate_private_key(65537, 1024)).public()


async def test_a_missing_field_is_named(make_town) -> None:
    town = await make_town(with_echo)
    said = await town.lender.post("/echo/v1/things", {"thing_id": "t1"}, key="t1")
    assert said.body["code"] == "bad-field"
    assert "amount_fen" in said.body["text"]


async def test_a_key_is_answered_once_and_then_again_byte_for_byte(make_town) -> None:
    town = await make_town(with_echo)
    body = {"thing_id": "t1", "amount_fen": 5}
    first = await town.lender.post("/echo/v1/things", body, key="t1")
    again = await town.lender.post("/echo/v1/things", body, key="t1")
    assert (first.status, first.is_signed, first.headers.get("puhui-replay")) == (202, True, None)
    assert (again.raw, again.status, again.headers["puhui-replay"]) == (first.raw, 202, "1")
    other = await town.lender.post("/echo/v1/things", {**body, "amount_fen": 6}, key="t1")
    assert (other.status, other.body["code"]) == (409, "key-reused")
    assert (await town.lender.get("/echo/v1/things/t1")).body == {"times": 1}


async def test_two_requests_of_one_key_at_the_same_time_do_it_once(make_town) -> None:
    town = await make_town(with_echo)
    body = {"thing_id": "t1", "amount_fen": 5}
    said = await asyncio.gather(*(town.lender.post("/echo/v1/slow", body, key="t1") for _ in range(5)))
    assert {one.raw for one in said} == {b'{"times":1}'}
    assert sum(one.headers.get("puhui-replay") == "1" for one in said) == 4


async def test_a_callback_comes_again_until_it_is_taken(make_town) -> None:
    town = await make_town(with_echo)
    town.platform.statuses = [500, 503]
    await town.lender.post("/echo/v1/things", {"thing_id": "t1", "amount_fen": 5}, key="t1")
    told = await town.advance_by(0)
    assert [event["event_id"] for event in town.platform.heard] == ["t1-1"]
    assert told["next_due"] == "2026-09-01T09:01:00.000+08:00"
    await town.advance_by(60)
    await town.advance_by(600)
    heard = town.platform.heard
    assert [(event["event_id"], event["seq"], event["data"]) for event in heard] == [("t1-1", 1, {"amount_fen": 5})] * 3
    events = (await town.lender.get("/echo/v1/events?cursor=0")).body
    assert [event["event_id"] for event in events["events"]] == ["t1-1"]
    assert (await town.lender.get(f"/echo/v1/events?cursor={events['next_cursor']}")).body["events"] == []


async def test_a_killed_town_comes_back_with_all_it_ever_answered(make_town, tmp_path) -> None:
    """The process ends without a word; the next one on the same folder answers the same key with the same bytes, and still calls back."""
    town = await make_town(with_echo, home=tmp_path)
    town.platform.statuses = [500] * 3
    first = await town.lender.post("/echo/v1/things", {"thing_id": "t1", "amount_fen": 5}, key="t1")
    town.world.store._base.close()
    town.world.store.touched.clear()
    town.world.store.commit = lambda: None
    town.world.store.close = lambda: None
    await make_town.stop(town)

    after = await make_town(with_echo, home=tmp_path)
    again = await after.lender.post("/echo/v1/things", {"thing_id": "t1", "amount_fen": 5}, key="t1")
    assert (again.raw, again.headers["puhui-replay"]) == (first.raw, "1")
    await after.advance_by(120)
    assert "t1-1" in [event["event_id"] for event in after.platform.heard]


async def test_the_clock_moves_for_the_driver_alone_and_only_forward(make_town) -> None:
    town = await make_town(with_echo)
    refused = await town.lender.ask("POST", "/town/clock/advance", {"to": "2026-09-01T10:00:00+08:00", "run": False})
    assert (refused.status, refused.body["code"]) == (403, "not-listed")
    assert await town.advance(town.world.clock.now() + timedelta(hours=1), run=False) == {"quiet": True, "did": 0}
    back = await town.driver.ask("POST", "/town/clock/advance", {"to": "2026-09-01T09:30:00+08:00", "run": True})
    assert (back.status, back.body["code"]) == (409, "wrong-state")
    clock = json.loads((await town.wire.exchange("GET", "/town/clock", [], b"", 5)).raw)
    assert (clock["mode"], clock["at"]) == ("stepped", "2026-09-01T10:00:00.000+08:00")


async def test_timers_run_in_order_of_due_time_and_id_and_on_the_tick(make_town) -> None:
    town = await make_town(with_echo)
    ran: list[tuple[str, str]] = []
    world = town.world
    world.scheduler.handle("note", lambda timer: ran.append((timer.timer_id, world.clock.now().strftime("%H:%M"))))
    for timer_id, seconds in (("c", 61), ("b", 119), ("a", 120), ("z", 1)):
        world.scheduler.after(seconds, timer_id, "note")
    told = await town.advance_by(60)
    assert (ran, told["did"], told["next_due"]) == ([("z", "09:01")], 1, "2026-09-01T09:02:00.000+08:00")
    await town.advance_by(600)
    assert ran[1:] == [("a", "09:02"), ("b", "09:02"), ("c", "09:02")]


async def test_a_live_town_runs_its_timers_by_itself(make_town) -> None:
    town = await make_town(with_echo, mode=ClockMode.LIVE)
    await town.lender.post("/echo/v1/things", {"thing_id": "t1", "amount_fen": 5}, key="t1")
    for _ in range(200):
        if town.platform.heard:
            break
        await asyncio.sleep(0.01)
    assert town.platform.kinds() == ["echo.done"]


def test_a_fast_clock_goes_on_where_it_was(tmp_path) -> None:
    begin = Clock.begin(ClockMode.FAST, Clock.begin(ClockMode.LIVE, to_now()).now(), speed=1000)
    kept = begin.stored()
    soon = Clock.restored(kept, Clock.begin(ClockMode.FAST, to_now(), speed=7))
    assert (soon.since_at, soon.since_real_ms, soon.speed) == (begin.since_at, begin.since_real_ms, 1000)
    kept["seen_real_ms"] -= 3_600_000
    later = Clock.restored(kept, begin)
    assert to_ms(later.since_at) == kept["seen_at_ms"]
    assert begin.later(10) - begin.now() >= timedelta(seconds=9_000)


def test_a_fast_clock_stands_still_between_a_clean_stop_and_the_next_start(tmp_path) -> None:
    begin = Clock.begin(ClockMode.FAST, to_now(), speed=1_000_000)
    kept = begin.stored(is_over=True)
    again = Clock.restored(kept, begin)
    assert to_ms(again.since_at) == kept["seen_at_ms"]
    assert again.since_real_ms >= kept["seen_real_ms"]


def to_now():
    return Clock.begin(ClockMode.LIVE, None).now()


async def test_a_party_that_stumbles_answers_500_and_the_town_goes_on(make_town) -> None:
    def with_fool(world: World) -> list[Service]:
        world.keys.make("fool-1", "fool")
        rows = world.store.table("fool.rows", dict)

        def stumble(ask) -> dict[str, int]:
            rows.put("one", {"cannot": {"be": object()}})
            return {}

        return [Service("fool", "/fool", "fool-1", (Route("POST", "/fool/v1/stumble", "stumble", stumble),))]

    town = await make_town(with_echo, with_fool)
    said = await town.lender.post("/fool/v1/stumble", {}, key="k")
    assert (said.status, said.is_signed, said.raw) == (500, False, b""), "unknown, not an answer"
    assert (await town.lender.post("/echo/v1/things", {"thing_id": "t1", "amount_fen": 5}, key="t1")).status == 202


@pytest.mark.parametrize(("path", "code"), [("/echo/v1/nothing", "not-found"), ("/nowhere", "not-found")])
async def test_an_unknown_call_is_not_found(make_town, path, code) -> None:
    town = await make_town(with_echo)
    said = await town.lender.get(path)
    assert (said.status, said.body["code"]) == (404, code)


async def test_keys_are_published_and_kept_private(make_town, tmp_path) -> None:
    town = await make_town(with_echo, home=tmp_path)
    told = json.loads((await town.wire.exchange("GET", "/keys", [], b"", 5)).raw)
    assert {key["key_id"]: key["owner"] for key in told["keys"]} == {"town-1": "town", "echo-1": "echo"}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
