"""The rail moves all legs or none, never a fen more or less than there is, and says at every moment where the money lies."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui_town.rail import COLUMNS, Books, opening_total_fen
from puhui_town.rail.accounts import Accounts, Leg
from puhui_town.wire import Store
from puhui_town.wire.dayfiles import read_whole

WANG = {"name": "王小芳", "id_type": "id_card", "id_number": "790101199003070018"}
LI = {"name": "李大山", "id_type": "id_card", "id_number": "790102198801010026"}
WANG_CARD, LI_CARD = "0000010000000017", "0000010000000025"
SHA = "a" * 64
CODE = "246810"


async def bind(town, person=WANG, card=WANG_CARD, code=CODE):
    body = {"binding_id": f"bd-{card[-4:]}-{code}", "person": person, "card_number": card, "otp_id": "otp-1", "code": code}
    return await town.lender.post("/rail/v1/bindings", body, key=body["binding_id"])


def order(order_id, target, *sources, direction="pay_out", **rest):
    legs = [{"account": account, "amount_fen": fen} for account, fen in sources]
    body = {
        "order_id": order_id, "direction": direction, "amount_fen": sum(fen for _, fen in sources), "sources": legs, "target": target,
        "allow_partial": False, "purpose": "disburse", "loan_id": "ln-1",
    }  # fmt: skip
    return {**body, **rest}


async def send(town, body):
    return await town.lender.post("/rail/v1/transfers", body, key=body["order_id"])


async def get(town, order_id):
    return (await town.lender.get(f"/rail/v1/transfers/{order_id}")).body


async def truth(town):
    told = (await town.driver.get("/town/truth/rail")).body
    assert told["is_constant"]
    assert told["sum_fen"] == opening_total_fen()
    return {row["account"]: row["balance_fen"] for row in told["accounts"]}


def rail_of(town) -> Books:
    return town.world.parts["rail"]


async def test_a_card_is_bound_to_the_one_who_holds_it(railed) -> None:
    bound = (await bind(railed)).body
    assert {**bound, "account": ""} == {"account": "", "bank_code": "B001", "tail": "0017", "kind": "debit"}
    assert bound["account"].startswith("acct-")
    assert WANG_CARD not in bound["account"]
    assert (await bind(railed, LI)).body["code"] == "key-reused"
    assert (await bind(railed, LI, code="000000")).body["code"] == "rail.name-mismatch"
    assert (await bind(railed, WANG, code="000000")).body["code"] == "key-reused"
    assert (await bind(railed, LI, LI_CARD, code="111111")).body["code"] == "rail.otp-wrong"
    assert (await bind(railed, LI, "0000010000000099")).body["code"] == "rail.card-unknown"


async def test_a_joint_loan_is_paid_out_from_two_sources_at_once(railed) -> None:
    account = (await bind(railed)).body["account"]
    before = await truth(railed)
    said = await send(railed, order("po-1", account, ("lender-main", 90_000), ("pool-funder-07", 210_000)))
    assert (said.status, said.body["state"]) == (202, "accepted")
    assert (await get(railed, "po-1"))["state"] == "accepted"
    await railed.advance_by(60)
    told = await get(railed, "po-1")
    assert (told["state"], told["done_fen"], told["seq"], told["ended_at"]) == ("paid", 300_000, 1, "2026-09-01T09:01:00.000+08:00")
    after = await truth(railed)
    assert {name: after[name] - before.get(name, 0) for name in ("lender-main", "pool-funder-07", account)} == {
        "lender-main": -90_000, "pool-funder-07": -210_000, account: 300_000,
    }  # fmt: skip
    assert [(event["kind"], event["data"]) for event in railed.platform.heard] == [("rail.paid", told)]
    assert railed.platform.heard[0]["path"] == "/callbacks/rail"


async def test_one_empty_source_stops_every_leg(railed) -> None:
    account = (await bind(railed)).body["account"]
    before = await truth(railed)
    await send(railed, order("po-1", account, ("lender-main", 100), ("lender-clearing", 100)))
    await railed.advance_by(60)
    told = await get(railed, "po-1")
    assert (told["state"], told["code"], told["done_fen"]) == ("failed", "rail.insufficient-funds", 0)
    assert await truth(railed) == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount_fen": 999}, "bad-field"),
        ({"target": "acct-unknown"}, "rail.account-closed"),
        ({"target": "outside"}, "rail.account-closed"),
        ({"sources": [{"account": "own-funder-01", "amount_fen": 1000}]}, "rail.account-closed"),
        ({"sources": [{"account": "outside", "amount_fen": 1000}]}, "rail.account-closed"),
        ({"allow_partial": True}, "bad-field"),
        ({"direction": "sideways"}, "bad-field"),
        ({"amount_fen": "1000"}, "bad-field"),
    ],
)
async def test_an_order_that_cannot_be_is_refused_at_once(railed, change, code) -> None:
    account = (await bind(railed)).body["account"]
    said = await send(railed, order("po-1", account, ("lender-main", 1000)) | change)
    assert (said.body["code"], said.is_signed) == (code, True)
    assert (await railed.lender.get("/rail/v1/transfers/po-1")).status == 404


async def with_mandate(town, most=120_000):
    account = (await bind(town)).body["account"]
    body = {"mandate_id": "md-1", "account": account, "max_each_fen": most, "until": "2027-09-01", "contract_sha256": SHA}
    assert (await town.lender.post("/rail/v1/mandates", body, key="md-1")).body == {"mandate_id": "md-1", "state": "active"}
    return account


async def test_a_collect_by_mandate_never_goes_beyond_it(railed) -> None:
    account = await with_mandate(railed)
    assert (await send(railed, order("po-1", "lender-clearing", (account, 120_001), direction="collect", mandate_id="md-1"))).body["code"] == (
        "rail.mandate-missing"
    )
    await send(railed, order("po-2", "lender-clearing", (account, 120_000), direction="collect", mandate_id="md-1"))
    await railed.advance_by(60)
    assert (await get(railed, "po-2"))["state"] == "paid"
    assert (await railed.lender.get("/rail/v1/accounts/lender-clearing")).body["balance_fen"] == 120_000
    cancelled = await railed.lender.post("/rail/v1/mandates/md-1/cancel", {"reason": "switched off"}, key="md-1-cancel")
    assert cancelled.body["state"] == "cancelled"
    said = await send(railed, order("po-3", "lender-clearing", (account, 1000), direction="collect", mandate_id="md-1"))
    assert said.body["code"] == "rail.mandate-missing"


async def test_a_code_lets_a_person_pay_more_than_the_mandate(railed) -> None:
    account = await with_mandate(railed)
    paying = order("po-1", "lender-clearing", (account, 400_000), direction="collect", mandate_id="md-1", otp_id="otp-2")
    assert (await send(railed, paying | {"code": "000000"})).body["code"] == "rail.otp-wrong"
    await send(railed, paying | {"order_id": "po-2", "code": CODE})
    await railed.advance_by(60)
    assert (await get(railed, "po-2"))["done_fen"] == 400_000


async def test_a_partial_collect_takes_what_there_is(railed) -> None:
    account = (await bind(railed, LI, LI_CARD)).body["account"]
    body = order("po-1", "lender-clearing", (account, 50_000), direction="collect", allow_partial=True, otp_id="o", code=CODE)
    await send(railed, body)
    await railed.advance_by(60)
    told = await get(railed, "po-1")
    assert (told["state"], told["done_fen"]) == ("paid", 30_000)
    await send(railed, body | {"order_id": "po-2"})
    await railed.advance_by(60)
    assert (await get(railed, "po-2"))["code"] == "rail.insufficient-funds"
    assert (await truth(railed))[account] == 0


async def test_a_returned_pay_out_goes_back_to_where_it_came_from(railed) -> None:
    account = (await bind(railed)).body["account"]
    before = await truth(railed)
    rule = {"rule_id": "r", "op": "rail.transfer", "fault": "returned", "per_million": 10**6, "args": {"after_days": 2, "code": "rail.account-closed"}}
    await railed.driver.ask("PUT", "/town/faults", {"seed": 1, "rules": [rule]})
    await send(railed, order("po-1", account, ("lender-main", 90_000), ("pool-funder-07", 210_000)))
    await railed.advance_by(60)
    assert (await get(railed, "po-1"))["state"] == "paid"
    assert (await truth(railed))[account] == before[account], "money that comes back was never his"
    await railed.advance_by(2 * 86_400)
    told = await get(railed, "po-1")
    assert (told["state"], told["done_fen"], told["code"], told["seq"]) == ("returned", 300_000, "rail.account-closed", 2)
    assert railed.platform.kinds() == ["rail.paid", "rail.returned"]
    assert await truth(railed) == before
    days = [read_whole((await file_of(railed, day)).raw, COLUMNS) for day in ("20260901", "20260903")] if await ready(railed) else []
    assert [[(row["order_id"], row["state"]) for row in rows] for rows in days] == [[("po-1", "paid")], [("po-1", "returned")]]


async def ready(town):
    await town.advance_by(86_400)
    return True


async def file_of(town, day):
    return await town.lender.get(f"/rail/v1/files/rail-transfers-lender-{day}-p1-r1.csv")


async def test_money_sent_by_hand_is_told_and_stands_in_the_file(railed) -> None:
    rail = rail_of(railed)
    assert rail.send(WANG_CARD, 12_345, "还款", "rc-1")
    assert rail.send(WANG_CARD, 12_345, "还款", "rc-1"), "sent once, however often it is asked"
    assert not rail.send(WANG_CARD, 10**9, "太多", "rc-2")
    await railed.advance_by(0)
    event = railed.platform.heard[0]
    assert event["data"] == {"receipt_id": "rc-1", "account": "lender-clearing", "amount_fen": 12_345, "payer_tail": "0017", "memo": "还款"}
    await railed.advance_by(86_400)
    rows = read_whole((await file_of(railed, "20260901")).raw, COLUMNS)
    assert [(row["rail_id"], row["order_id"], row["direction"], row["amount_fen"]) for row in rows] == [("rc-1", "", "received", "12345")]
    assert (await truth(railed))["lender-clearing"] == 12_345


async def test_what_lies_on_a_card_is_kept_or_moved_away_by_its_holder(railed) -> None:
    rail = rail_of(railed)
    assert rail.card_balance(WANG_CARD) == 500_000
    rail.keep(WANG_CARD, 1_234)
    rail.keep(LI_CARD, 900_000)
    assert (rail.card_balance(WANG_CARD), rail.card_balance(LI_CARD)) == (1_234, 900_000)
    await truth(railed)


async def test_a_holder_is_warned_before_a_collect_and_told_after_it(railed) -> None:
    account = await with_mandate(railed)
    rail = rail_of(railed)
    heard = []

    class Careful:
        def before_collect(self, **facts) -> None:
            heard.append(("before", facts["person"], facts["amount_fen"]))
            rail.keep(facts["card_number"], 7_000)

        def moved(self, **facts) -> None:
            heard.append(("moved", facts["person"], facts["fen"]))

    rail.holder = Careful()
    await send(railed, order("po-1", "lender-clearing", (account, 100_000), direction="collect", mandate_id="md-1", allow_partial=True))
    await railed.advance_by(60)
    assert heard == [("before", "p1", 100_000), ("moved", "p1", -7_000)]


async def test_a_refund_gives_each_source_its_part_and_never_more_than_was_paid(railed) -> None:
    shop_before = (await truth(railed))["shop-m001"]
    await send(railed, order("po-1", "shop-m001", ("lender-main", 30_000), ("pool-funder-07", 70_000)))
    await railed.advance_by(60)
    before = await truth(railed)
    refund = {"refund_id": "rf-1", "order_id": "po-1", "amount_fen": 33_333, "reason": "goods returned"}
    assert (await railed.lender.post("/rail/v1/refunds", refund, key="rf-1")).status == 202
    await railed.advance_by(60)
    after = await truth(railed)
    moved = {name: after[name] - before[name] for name in ("shop-m001", "lender-main", "pool-funder-07")}
    assert moved == {"shop-m001": -33_333, "lender-main": 9_999, "pool-funder-07": 23_334}
    assert after["shop-m001"] == shop_before + 66_667
    too_much = refund | {"refund_id": "rf-2", "amount_fen": 66_668}
    assert (await railed.lender.post("/rail/v1/refunds", too_much, key="rf-2")).body["code"] == "rail.limit"


async def test_only_the_owner_sees_a_balance_and_only_the_driver_the_truth(railed) -> None:
    assert (await railed.lender.get("/rail/v1/accounts/lender-main")).status == 200
    assert (await railed.lender.get("/rail/v1/accounts/pool-funder-07")).status == 404
    assert (await railed.lender.get("/town/truth/rail")).status == 403


async def test_a_closed_account_fails_the_order(railed) -> None:
    account = (await bind(railed)).body["account"]
    holders = railed.world.cards
    facts = holders.facts[WANG_CARD]
    holders.facts[WANG_CARD] = type(facts)(facts.person, facts.name, facts.id_number, facts.phone, facts.bank_code, 0, is_usable=False)
    await send(railed, order("po-1", account, ("lender-main", 100)))
    await railed.advance_by(60)
    assert (await get(railed, "po-1"))["code"] == "rail.account-closed"


legs = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(1, 500)), min_size=1, max_size=4)


@settings(max_examples=60)
@given(st.lists(st.tuples(legs, st.sampled_from(["a", "b", "c"])), max_size=20))
def test_a_movement_never_makes_or_loses_a_fen(moves) -> None:
    accounts = Accounts(Store(None))
    for name in ("a", "b", "c"):
        accounts.open_person(name, 1000)
    for debits, target in moves:
        wanted = [Leg(name, fen) for name, fen in debits]
        sums = {}
        for leg in wanted:
            sums[leg.account] = sums.get(leg.account, 0) + leg.amount_fen
        merged = [Leg(name, fen) for name, fen in sums.items()]
        if accounts.can_move(merged):
            accounts.move(merged, [Leg(target, sum(leg.amount_fen for leg in merged))])
        assert accounts.total_fen() == opening_total_fen()
        assert all(account.balance_fen >= 0 for _, account in accounts.all())
