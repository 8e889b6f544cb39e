"""Faults fire by hash alone, end after three attempts, and those of delivery change what is said, never what is true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui_town.wire import Service, Unanswered, World
from puhui_town.wire.client import Unanswered as Unheard
from puhui_town.wire.dayfiles import DayFileName, Offer, read_whole
from puhui_town.wire.faults import DELIVERY, draw

THING = {"thing_id": "t1", "amount_fen": 5}
assert Unanswered is Unheard


def with_things(world: World) -> list[Service]:
    from puhui_town.wire import Route

    world.keys.make("rail-1", "rail")
    done = world.store.table("things", int)

    def do(ask) -> dict[str, object]:
        name = ask.body["thing_id"]
        done.put(name, (done.get(name) or 0) + 1)
        world.callbacks.send("rail", "rail.paid", name, {"state": "paid", "done_fen": 100, "ended_at": "2026-09-01T09:00:00.000+08:00"})
        return {"done": done[name], **({"fault": ask.fault.name} if ask.fault else {})}

    def get(ask) -> dict[str, int]:
        return {"done": done.get(ask.args["name"]) or 0}

    columns = ("order_id", "state", "amount_fen")
    world.files.offer("rail", Offer("things", "lender", columns, lambda _day: [(f"po-{k}", "paid", 100 + k) for k in range(4)]))
    routes = (Route("POST", "/rail/v1/transfers", "transfer", do), Route("GET", "/rail/v1/transfers/{name}", "get", get))
    return [Service("rail", "/rail", "rail-1", routes)]


async def put(town, *rules, seed: int = 7) -> None:
    said = await town.driver.ask("PUT", "/town/faults", {"seed": seed, "rules": [{"rule_id": f"r{k}", **rule} for k, rule in enumerate(rules)]})
    assert said.status == 200, said.body


def always(op: str, fault: str, **rest) -> dict[str, object]:
    return {"op": op, "fault": fault, "per_million": 1_000_000, **rest}


def test_the_vector_of_the_protocol() -> None:
    assert draw(7, "f1", "rail.transfer", "po-1", 1) == 939428
    assert draw(7, "f1", "rail.transfer", "po-1", 2) == 443017


async def try_until_heard(party, body, key):
    """What a patient platform does: the same key again, until a signed reply comes."""
    for _ in range(8):
        try:
            said = await party.post("/rail/v1/transfers", body, key=key)
        except Unanswered:
            continue
        if said.is_signed and said.status < 500:
            return said
    raise AssertionError("the exchange never ended")


@pytest.mark.parametrize(
    "rule",
    [
        ("timeout_before", {}), ("timeout_after", {}), ("silent_5xx", {"args": {"done": True}}), ("silent_5xx", {"args": {"done": False}}),
        ("slow", {"args": {"ms": 5000}}), ("bad_sign", {}), ("clock_skew", {"args": {"skew_s": 900}}), ("clock_skew", {"args": {"skew_s": -900}}),
    ],
    ids=lambda rule: rule[0],
)  # fmt: skip
async def test_faults_of_delivery_end_and_the_deed_is_done_once(make_town, rule) -> None:
    town = await make_town(with_things)
    fault, rest = rule
    await put(town, always("rail.*", fault, **rest))
    said = await try_until_heard(town.lender, THING, "po-1")
    assert (said.status, said.body["done"]) == (200, 1)
    assert (await town.lender.get("/rail/v1/transfers/t1")).body == {"done": 1}, "GET is right without a rule of its own"
    fired = (await town.driver.get("/town/faults/fired")).body["fired"]
    assert {one["fault"] for one in fired} == {fault}
    assert max(one["attempt"] for one in fired) <= 3


async def test_a_rule_of_its_own_reaches_a_get(make_town) -> None:
    town = await make_town(with_things)
    await put(town, always("rail.get", "silent_5xx"))
    assert [(await town.lender.get("/rail/v1/transfers/t1")).status for _ in range(4)] == [500, 500, 500, 200]


async def test_a_service_that_is_down_closes_every_connection_until_it_is_up_again(make_town) -> None:
    town = await make_town(with_things)
    span = {"from": "2026-09-01T08:00:00+08:00", "until": "2026-09-01T09:30:00+08:00"}
    await put(town, always("rail.*", "down", **span))
    for _ in range(5):
        with pytest.raises(Unanswered):
            await town.lender.get("/rail/v1/transfers/t1")
        with pytest.raises(Unanswered):
            await town.lender.post("/rail/v1/transfers", THING, key="po-1")
    await town.advance_by(1800)
    assert (await town.lender.post("/rail/v1/transfers", THING, key="po-1")).body["done"] == 1


async def test_a_rejected_key_stays_rejected(make_town) -> None:
    town = await make_town(with_things)
    await put(town, always("rail.transfer", "reject", args={"code": "rail.limit"}, only={"thing_id": "t1"}))
    first = await town.lender.post("/rail/v1/transfers", THING, key="po-1")
    again = await town.lender.post("/rail/v1/transfers", THING, key="po-1")
    assert (first.status, first.body["code"], again.raw) == (422, "rail.limit", first.raw)
    other = await town.lender.post("/rail/v1/transfers", {**THING, "thing_id": "t2"}, key="po-2")
    assert other.status == 200


async def test_a_true_fault_is_the_same_with_and_without_faults_of_delivery(make_town) -> None:
    """What truly happens to a key does not depend on how often it had to be sent."""
    truths = []
    for extra in ([], [always("rail.transfer", "timeout_before"), always("rail.callback", "lost")]):
        town = await make_town(with_things)
        await put(town, *extra, {"op": "rail.transfer", "fault": "returned", "per_million": 500_000, "rule_id": "truth"})
        said = [await try_until_heard(town.lender, {"thing_id": f"t{k}"}, f"po-{k}") for k in range(12)]
        truths.append([one.body.get("fault") for one in said])
    assert truths[0] == truths[1]
    assert set(truths[0]) == {None, "returned"}


async def test_at_most_so_many_times(make_town) -> None:
    town = await make_town(with_things)
    await put(town, always("rail.transfer", "reject", max=2))
    said = [await town.lender.post("/rail/v1/transfers", {"thing_id": f"t{k}"}, key=f"po-{k}") for k in range(4)]
    assert [one.status for one in said] == [422, 422, 200, 200]


async def test_the_lender_may_not_touch_the_faults(make_town) -> None:
    town = await make_town(with_things)
    assert (await town.lender.ask("PUT", "/town/faults", {"seed": 1, "rules": []})).status == 403
    assert (await town.driver.ask("PUT", "/town/faults", {"seed": 1, "rules": [always("a.b", "quake", rule_id="q")]})).status == 400


async def tell(town, key: str = "po-1") -> None:
    await town.lender.post("/rail/v1/transfers", THING, key=key)


async def test_callbacks_late_lost_doubled_and_out_of_order_are_all_in_the_list(make_town) -> None:
    town = await make_town(with_things)
    await put(town, always("rail.callback", "lost", only={"subject": "t1"}), always("rail.callback", "late", args={"delay_s": 300}, max=1))
    await tell(town)
    await town.lender.post("/rail/v1/transfers", {"thing_id": "t2"}, key="po-2")
    await town.advance_by(60)
    assert town.platform.heard == []
    await town.advance_by(300)
    assert [event["subject"] for event in town.platform.heard] == ["t2"]
    listed = (await town.lender.get("/rail/v1/events")).body["events"]
    assert [event["subject"] for event in listed] == ["t1", "t2"]


async def test_a_callback_may_come_twice_under_the_same_id_or_another(make_town) -> None:
    town = await make_town(with_things)
    await put(town, always("rail.callback", "duplicate", args={"times": 2, "fresh": True}))
    await tell(town)
    await town.advance_by(0)
    assert [event["event_id"] for event in town.platform.heard] == ["t1-1", "t1-1-f1", "t1-1-f2"]


async def test_an_overtaken_callback_follows_the_next_one(make_town) -> None:
    town = await make_town(with_things)
    await put(town, always("rail.callback", "reordered", max=1))
    await tell(town)
    await town.advance_by(0)
    assert town.platform.heard == []
    await tell(town, key="po-2")
    await town.advance_by(0)
    assert [event["seq"] for event in town.platform.heard] == [2, 1]


@pytest.mark.parametrize(
    ("fault", "args", "field", "value"),
    [
        ("wrong_amount", {"delta_fen": 7}, "done_fen", 107),
        ("wrong_status", {"state": "failed"}, "state", "failed"),
        ("wrong_date", {"days": 1}, "ended_at", "2026-09-02T09:00:00.000+08:00"),
    ],
)
async def test_a_callback_may_say_what_is_not_so_and_the_list_keeps_the_truth(make_town, fault, args, field, value) -> None:
    town = await make_town(with_things)
    town.platform.statuses = [500]
    await put(town, always("rail.callback", fault, args=args))
    await tell(town)
    await town.advance_by(60)
    assert [event["data"][field] for event in town.platform.heard] == [value, value], "said again, it is said alike"
    assert (await town.lender.get("/rail/v1/events")).body["events"][0]["data"][field] != value


async def file_of(town, revision: int = 1) -> bytes:
    name = f"rail-things-lender-20260901-p1-r{revision}.csv"
    return (await town.lender.get(f"/rail/v1/files/{name}")).raw


@pytest.mark.parametrize(
    ("fault", "orders"),
    [
        ("missing_row", ["po-0", "po-2", "po-3"]),
        ("duplicate_row", ["po-0", "po-1", "po-1", "po-2", "po-3"]),
        ("extra_row", ["po-0", "po-1", "po-1x", "po-2", "po-3"]),
    ],
)
async def test_a_faulty_file_agrees_with_its_own_last_line(make_town, fault, orders) -> None:
    town = await make_town(with_things)
    await put(town, always("rail.file", fault, only={"order_id": "po-1"}))
    await town.advance_by(24 * 3600)
    rows = read_whole(await file_of(town), ("order_id", "state", "amount_fen"))
    assert [row["order_id"] for row in rows] == orders


async def test_a_cut_file_has_no_last_line_and_is_followed_by_a_revision(make_town) -> None:
    town = await make_town(with_things)
    await put(town, always("rail.file", "partial_batch", args={"k": 2, "later_s": 1800}))
    assert (await town.lender.get("/rail/v1/files?date=2026-09-01")).body == {"files": []}, "a day's file comes at four the next morning"
    await town.advance(town.world.clock.now().replace(day=2, hour=4, minute=10))
    assert b"#end" not in await file_of(town)
    assert len((await town.lender.get("/rail/v1/files?date=2026-09-01")).body["files"]) == 1
    await town.advance_by(1800)
    whole = await file_of(town, 2)
    assert len(read_whole(whole, ("order_id", "state", "amount_fen"))) == 4


@given(st.sets(st.sampled_from(sorted(DELIVERY)), min_size=1), st.integers(0, 2**31), st.text("abc-123", min_size=1, max_size=20))
def test_the_draw_is_a_number_below_a_million_and_asks_nothing_else(names, seed, key) -> None:
    for name in names:
        assert 0 <= draw(seed, name, "rail.transfer", key, 1) < 1_000_000
        assert draw(seed, name, "rail.transfer", key, 1) == draw(seed, name, "rail.transfer", key, 1)


def test_a_files_name_is_read_and_written_alike() -> None:
    name = "funder-mirror-funder-07-20260901-p2-r3.csv"
    assert str(DayFileName.parse(name)) == name
