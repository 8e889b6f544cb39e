"""A funder in a process of its own answers at the same address, with the same words, and moves with the town's clock."""

from datetime import timedelta

from puhui_town import funder
from puhui_town.funder import terms as wants
from puhui_town.wire import Service, World

P = "funder-01"


def with_one_apart(world: World) -> list[Service]:
    world.keys.make(P, P)
    return funder.open_apart(world, world.parts["rail"], [P])


async def test_a_funder_apart_is_the_same_funder(make_town, rail_install, tmp_path) -> None:
    town = await make_town(rail_install, with_one_apart, home=tmp_path)
    said = await town.lender.get(f"/funder/{P}/v1/terms")
    terms = wants.first_terms(7, P, 0)
    assert (said.status, said.is_signed, said.body["day_quota_fen"]) == (200, True, terms.day_quota_fen)
    body = {
        "reservation_id": "rs-1", "loan_id": "ln-1", "terms_version": "v1", "loan_fen": 300_000, "share_fen": 210_000, "rate_ppm": 144_000,
        "method": "level_payment", "convention": "cn-365", "months": 12, "region": "790121", "age": 35, "band": "D", "hold_s": 600,
    }  # fmt: skip
    first = await town.lender.post(f"/funder/{P}/v1/reservations", body, key="rs-1")
    again = await town.lender.post(f"/funder/{P}/v1/reservations", body, key="rs-1")
    assert (first.body["state"], again.raw, again.headers["puhui-replay"]) == ("held", first.raw, "1")

    confirmed = await town.lender.post(
        f"/funder/{P}/v1/reservations/rs-1/confirm", {"contract_sha256": "c" * 64, "order_id": "po-1"}, key="rs-1-confirm"
    )
    assert confirmed.body == {"state": "confirmed"}
    told = (await town.driver.get("/town/truth/rail")).body
    balances = {row["account"]: row["balance_fen"] for row in told["accounts"]}
    assert (balances[f"pool-{P}"] - balances[f"own-{P}"], told["is_constant"]) == (420_000, True)

    await town.driver.ask("PUT", "/town/faults", {"seed": 1, "rules": [{"rule_id": "r", "op": "funder.*", "fault": "silent_5xx", "per_million": 10**6}]})
    assert (await town.lender.post(f"/funder/{P}/v1/reservations/rs-1/release", {"reason": "cancelled"}, key="rs-1-release")).status == 500
    fired = (await town.driver.get("/town/faults/fired")).body["fired"]
    assert [(one["op"], one["key"], one["attempt"]) for one in fired] == [("funder.release", "rs-1-release", 1)]
    await town.driver.ask("DELETE", "/town/faults")

    answer = await town.advance(town.world.clock.now() + timedelta(days=14))
    assert answer["did"] >= 1
    assert {event["kind"] for event in town.platform.heard} == {"funder.terms_changed"}
    assert (await town.lender.get(f"/funder/{P}/v1/terms")).body["version"] != "v1"
