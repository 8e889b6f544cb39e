"""Funders keep their word: terms by seed, quotas of the day, holds that run out, shares in the pool, mirrors of their own."""

from collections import Counter
from datetime import timedelta

import pytest

from puhui_town import funder
from puhui_town.funder import terms as wants
from puhui_town.funder.mirror import BALANCE_COLUMNS, LOAN_COLUMNS
from puhui_town.wire.dayfiles import read_whole, write_file

SHA = "c" * 64
CARD = "0000010000000017"
P = "funder-01"


@pytest.fixture
async def town(make_town, rail_install):
    return await make_town(rail_install, funder.install)


def loan(reservation_id="rs-1", **rest):
    body = {
        "reservation_id": reservation_id, "loan_id": f"ln-{reservation_id}", "terms_version": "v1", "loan_fen": 300_000, "share_fen": 210_000,
        "rate_ppm": 144_000, "method": "level_payment", "convention": "cn-365", "months": 12, "region": "790121", "age": 35, "band": "D",
        "hold_s": 600,
    }  # fmt: skip
    return {**body, **rest}


async def terms_of(town, partner=P):
    return (await town.lender.get(f"/funder/{partner}/v1/terms")).body


async def reserve(town, body, partner=P):
    return await town.lender.post(f"/funder/{partner}/v1/reservations", body, key=body["reservation_id"])


async def confirm(town, key="rs-1", order="po-1", partner=P):
    body = {"contract_sha256": SHA, "order_id": order}
    return await town.lender.post(f"/funder/{partner}/v1/reservations/{key}/confirm", body, key=f"{key}-confirm")


async def release(town, key="rs-1", partner=P):
    return await town.lender.post(f"/funder/{partner}/v1/reservations/{key}/release", {"reason": "cancelled"}, key=f"{key}-release")


async def state_of(town, key="rs-1", partner=P):
    return (await town.lender.get(f"/funder/{partner}/v1/reservations/{key}")).body


async def pool(town, partner=P):
    told = (await town.driver.get("/town/truth/rail")).body
    return next(row["balance_fen"] for row in told["accounts"] if row["account"] == f"pool-{partner}")


async def test_every_funder_tells_terms_signed_by_itself(town) -> None:
    for partner in funder.partners():
        said = await town.lender.get(f"/funder/{partner}/v1/terms")
        assert (said.status, said.is_signed, said.headers["puhui-key"]) == (200, True, partner)
        body = said.body
        assert body["day_left_fen"] == body["day_quota_fen"] > 0
        assert 0 < body["share_min_ppm"] <= body["share_max_ppm"] <= 700_000
        assert body["rate_min_ppm"] < body["rate_max_ppm"]
        assert ("opens_at" in body) == (not body["open"])
    assert (await town.lender.get("/funder/funder-45/v1/terms")).status == 404


@pytest.mark.parametrize("seed", range(5))
def test_nearly_every_funder_fits_some_of_the_loans_there_are(seed) -> None:
    """Loans over all cities, bands, months and ages: at least 40 of the 44 may take some, and every offered band has many takers."""
    rates = dict(zip("ABCDEFG", range(90_000, 199_000, 18_000), strict=True))
    takers: dict[str, Counter] = {band: Counter() for band in rates}
    for partner in wants.partners():
        terms = wants.first_terms(seed, partner, 0)
        for band, rate in rates.items():
            for city in range(1, 9):
                for region in (f"79{city:02d}01", f"79{city:02d}22"):
                    fits_place = not terms.regions_allowed or region.startswith(tuple(terms.regions_allowed))
                    if band in terms.bands and terms.rate_min_ppm <= rate <= terms.rate_max_ppm and fits_place:
                        takers[band][partner] += 1
    assert len({partner for counter in takers.values() for partner in counter}) >= 40
    assert min(len(counter) for counter in takers.values()) >= 12


async def test_a_share_is_held_confirmed_and_used(town) -> None:
    said = await reserve(town, loan())
    assert said.body == {"state": "held", "expires_at": "2026-09-01T09:10:00.000+08:00"}
    before = await pool(town)
    assert (await confirm(town)).body == {"state": "confirmed"}
    assert await pool(town) == before + 210_000
    account = await bind(town)
    await pay_out(town, account)
    assert (await state_of(town))["state"] == "used"
    assert await pool(town) == before
    assert (await release(town)).body["code"] == "wrong-state"
    assert (await terms_of(town))["day_left_fen"] == (await terms_of(town))["day_quota_fen"] - 210_000


async def bind(town):
    body = {
        "binding_id": "bd-1", "person": {"name": "王小芳", "id_type": "id_card", "id_number": "790101199003070018"}, "card_number": CARD,
        "otp_id": "o", "code": "246810",
    }  # fmt: skip
    return (await town.lender.post("/rail/v1/bindings", body, key="bd-1")).body["account"]


async def pay_out(town, account, order="po-1", key="rs-1", partner=P, share=210_000):
    body = {
        "order_id": order, "direction": "pay_out", "amount_fen": 300_000, "target": account, "allow_partial": False, "purpose": "disburse",
        "sources": [{"account": "lender-main", "amount_fen": 300_000 - share}, {"account": f"pool-{partner}", "amount_fen": share}],
        "loan_id": f"ln-{key}",
    }  # fmt: skip
    assert (await town.lender.post("/rail/v1/transfers", body, key=order)).status == 202
    await town.advance_by(60)


async def test_a_hold_runs_out_and_its_quota_is_free_again(town) -> None:
    whole = (await terms_of(town))["day_left_fen"]
    await reserve(town, loan(hold_s=60))
    assert (await terms_of(town))["day_left_fen"] == whole - 210_000
    await town.advance_by(60)
    assert (await state_of(town))["state"] == "expired"
    assert (await terms_of(town))["day_left_fen"] == whole
    said = await confirm(town)
    assert (said.status, said.body["code"], said.body["state"]) == (409, "wrong-state", "expired")
    assert (await release(town)).body == {"state": "expired"}


async def test_a_released_share_leaves_the_pool(town) -> None:
    before, whole = await pool(town), (await terms_of(town))["day_left_fen"]
    await reserve(town, loan())
    await confirm(town)
    assert (await release(town)).body == {"state": "released"}
    assert (await pool(town), (await terms_of(town))["day_left_fen"]) == (before, whole)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"months": 36}, "terms_months"),
        ({"rate_ppm": 10_000}, "rate_ppm"),
        ({"age": 17}, "age"),
        ({"band": "H"}, "bands"),
        ({"method": "balloon"}, "method"),
        ({"convention": "uk-1"}, "convention"),
        ({"share_fen": 290_000}, "share_fen"),
        ({"share_fen": 10_000}, "share_fen"),
    ],
)
async def test_what_lies_outside_the_terms_is_refused_by_field(town, change, field) -> None:
    said = await reserve(town, loan(**change))
    assert (said.status, said.body["code"], said.body["field"]) == (422, "funder.out-of-terms", field)
    assert (await town.lender.get(f"/funder/{P}/v1/reservations/rs-1")).status == 404


async def test_a_region_outside_is_refused(town) -> None:
    partner = next(name for name in funder.partners() if wants.first_terms(7, name, 0).regions_allowed)
    terms = wants.first_terms(7, partner, 0)
    body = loan(band=terms.bands[0], months=terms.terms_months[0], rate_ppm=terms.rate_max_ppm, region="799999", share_fen=180_000)
    assert (await reserve(town, body, partner)).body["field"] == "regions_allowed"


async def test_the_quota_of_a_day_is_kept_to_the_fen_and_new_the_next_day(town) -> None:
    partner = min(funder.partners(), key=lambda name: wants.first_terms(7, name, 0).day_quota_fen)
    terms = wants.first_terms(7, partner, 0)
    region = next((place for place in terms.regions_allowed if len(place) == 6), f"{(terms.regions_allowed or ['7901'])[0]}21")
    share = terms.day_quota_fen // 6
    body = loan(
        loan_fen=share * 1_000_000 // terms.share_max_ppm + 1, share_fen=share, region=region, band=terms.bands[0], age=30,
        months=terms.terms_months[0], rate_ppm=terms.rate_max_ppm,
    )
    for k in range(6):
        assert (await reserve(town, body | {"reservation_id": f"rs-{k}", "loan_id": f"ln-{k}"}, partner)).status == 200
        assert (await terms_of(town, partner))["day_left_fen"] == terms.day_quota_fen - (k + 1) * share
    more = body | {"reservation_id": "rs-6", "loan_id": "ln-6"}
    assert (await reserve(town, more, partner)).body["code"] == "funder.quota"
    await confirm(town, "rs-0", "po-0", partner)
    await town.advance(town.world.clock.now() + timedelta(days=1))
    assert (await terms_of(town, partner))["day_left_fen"] == (await terms_of(town, partner))["day_quota_fen"]


async def test_terms_change_between_the_question_and_the_hold(town) -> None:
    rule = {"rule_id": "r", "op": "funder.reservation", "fault": "terms_changed", "per_million": 10**6, "max": 1, "args": {"cut_ppm": 400_000}}
    await town.driver.ask("PUT", "/town/faults", {"seed": 1, "rules": [rule]})
    quota = (await terms_of(town))["day_quota_fen"]
    said = await reserve(town, loan())
    assert (said.status, said.body["code"], said.body["version"]) == (422, "funder.terms-changed", "v2")
    assert (await reserve(town, loan())).raw == said.raw, "the same key gets the same answer"
    terms = await terms_of(town)
    assert (terms["version"], terms["day_quota_fen"]) == ("v2", quota * 6 // 10)
    await town.advance_by(0)
    event = town.platform.heard[0]
    assert (event["path"], event["key"], event["kind"], event["subject"], event["data"]["version"]) == (
        "/callbacks/funder", P, "funder.terms_changed", P, "v2",
    )  # fmt: skip
    assert (await town.lender.get(f"/funder/{P}/v1/events")).body["events"][0]["event_id"] == f"{P}-1"
    assert (await reserve(town, loan("rs-2", terms_version="v2"))).body["state"] == "held"


async def test_funders_change_their_terms_by_themselves_within_two_weeks(town) -> None:
    await town.advance(town.world.clock.now() + timedelta(days=14))
    assert {event["subject"] for event in town.platform.heard} == set(funder.partners())


async def test_closed_funders_say_when_they_open(town) -> None:
    partner = next(name for name in funder.partners() if wants.first_terms(7, name, 0).closes < 24 * 60)
    await town.advance(town.world.clock.now().replace(hour=23, minute=30))
    terms = await terms_of(town, partner)
    said = await reserve(town, loan(terms_version=terms["version"]), partner)
    assert (said.body["code"], said.body["opens_at"]) == ("funder.closed", terms["opens_at"])
    assert terms["open"] is False


async def test_a_black_listed_loan_is_declined_each_time_it_is_asked(town) -> None:
    listed = next(f"rs-{k}" for k in range(10_000) if wants.is_declined(7, P, f"ln-rs-{k}"))
    assert (await reserve(town, loan(listed))).body["code"] == "funder.declined"
    again = loan("rs-other", loan_id=f"ln-{listed}")
    assert (await reserve(town, again)).body["code"] == "funder.declined"


async def test_a_pay_out_nobody_confirmed_is_seen_by_the_watch(town) -> None:
    noted = []

    class Watch:
        def note(self, kind, person, facts) -> None:
            noted.append((kind, facts["order_id"]))

        def paid_out(self, **_) -> None: ...
        def paid_back(self, **_) -> None: ...

    town.world.breaches = Watch()
    account = await bind(town)
    await reserve(town, loan())
    await confirm(town)
    await pay_out(town, account, order="po-other")
    assert noted == [("outside-funder-terms", "po-other")]


async def test_a_returned_pay_out_may_be_released(town) -> None:
    rule = {"rule_id": "r", "op": "rail.transfer", "fault": "returned", "per_million": 10**6, "args": {"after_days": 1}}
    await town.driver.ask("PUT", "/town/faults", {"seed": 1, "rules": [rule]})
    before = await pool(town)
    account = await bind(town)
    await reserve(town, loan())
    await confirm(town)
    await pay_out(town, account)
    assert (await state_of(town))["state"] == "used"
    await town.advance_by(86_400)
    assert (await state_of(town))["state"] == "confirmed"
    assert (await release(town)).body["state"] == "released"
    assert await pool(town) == before


async def test_the_mirror_comes_at_eight_from_what_the_funder_knows_itself(town) -> None:
    account = await bind(town)
    await reserve(town, loan())
    await confirm(town)
    await pay_out(town, account)
    await town.advance(town.world.clock.now().replace(day=3, hour=6, minute=0))
    day = "2026-09-02"
    loans = write_file(LOAN_COLUMNS, [])
    name = f"funder-loans-{P}-20260902-p1-r1.csv"
    put = await town.lender.ask("PUT", f"/funder/{P}/v1/inbox/{name}", loans)
    assert (put.status, put.body) == (202, {"state": "received"})
    assert (await town.lender.get(f"/funder/{P}/v1/inbox/{name}")).body == {"state": "accepted", "errors": []}
    assert (await town.lender.get(f"/funder/{P}/v1/files?date={day}")).body == {"files": []}
    await town.advance(town.world.clock.now().replace(hour=8))
    listed = (await town.lender.get(f"/funder/{P}/v1/files?date={day}")).body["files"]
    assert [(one["kind"], one["party"]) for one in listed] == [("mirror", P)]
    mirror = (await town.lender.get(f"/funder/{P}/v1/files/{listed[0]['name']}")).raw
    rows = read_whole(mirror, BALANCE_COLUMNS)
    interest = round(300_000 * 0.144 * 1 / 365)
    assert [tuple(row.values()) for row in rows] == [
        (day, "ln-rs-1", "210000", str(round(interest * 0.7)), "0", "normal", str(210_000 + round(interest * 0.7)))
    ]


async def test_lines_that_cannot_be_right_are_named(town) -> None:
    await reserve(town, loan())
    day = "2026-09-01"
    rows = [
        (day, day, "ln-unknown", "repaid", 1, 1, 0, 2, 700_000, "e1"),
        (day, day, "ln-rs-1", "repaid", 1, 1, 0, 3, 700_000, "e2"),
        (day, day, "ln-rs-1", "repaid", 1, 1, 0, 2, 600_000, "e3"),
        (day, day, "ln-rs-1", "disbursed", 1, 0, 0, 1, 700_000, "e4"),
        (day, day, "ln-rs-1", "disbursed", 210_000, 0, 0, 210_000, 700_000, "e5"),
    ]
    name = f"funder-loans-{P}-20260901-p1-r1.csv"
    await town.lender.ask("PUT", f"/funder/{P}/v1/inbox/{name}", write_file(LOAN_COLUMNS, rows))
    told = (await town.lender.get(f"/funder/{P}/v1/inbox/{name}")).body
    assert told["state"] == "refused"
    assert [(error["line"], error["code"]) for error in told["errors"]] == [
        (2, "funder.unknown-loan"), (3, "funder.wrong-sum"), (4, "funder.wrong-share"), (5, "funder.wrong-amount"),
    ]  # fmt: skip


async def test_a_town_that_comes_back_knows_its_reservations(make_town, rail_install, tmp_path) -> None:
    town = await make_town(rail_install, funder.install, home=tmp_path)
    await reserve(town, loan())
    await confirm(town)
    left = (await terms_of(town))["day_left_fen"]
    await make_town.stop(town)
    town = await make_town(rail_install, funder.install, home=tmp_path)
    assert (await state_of(town))["state"] == "confirmed"
    assert (await terms_of(town))["day_left_fen"] == left
