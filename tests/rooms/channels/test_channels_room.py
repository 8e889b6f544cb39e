"""Entries, scenes, passes and visits."""

import json
from base64 import urlsafe_b64encode
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from puhui.foundation.refusals import NotFound, WrongState
from puhui.foundation.signing import PrivateKey
from puhui.rooms import channels
from puhui.rooms.channels import EntryState, RefundRule
from puhui.vocabulary.products import product

KEY = PrivateKey("asset-1", "ed25519", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
PAYLOAD = {"iss": "asset-1", "aud": "puhui", "entry_id": "e38", "sub": "u-1", "iat": 1_790_000_000, "exp": 1_790_000_300, "jti": "j-1"}


def read(token: str, *, entry_id: str = "e38", now_s: int = 1_790_000_010):
    return channels.read_token(token, entry_id=entry_id, issuers={"asset-1", "entry-e38"}, keys=[KEY.published("asset-1")], now_s=now_s)


# --- entries and scenes -------------------------------------------------------------------------------------------------------------------


def test_there_are_53_entries_of_four_kinds_and_our_own_pages():
    entries = channels.entries()
    assert len(entries) == 54, "53 of apps and partners, and our own pages"
    assert len({one.name for one in entries.values()}) == 54
    assert len(Counter(one.kind for one in entries.values())) == 4
    assert all(one.owner == "lender" or one.owner in one.signers for one in entries.values())


def test_300_scenes_really_differ():
    scenes = channels.scenes().values()
    assert len(scenes) == 300
    terms = [(one.category, one.purpose, one.months, one.amount_min_fen, one.amount_max_fen, one.refund, one.merchant_id) for one in scenes]
    assert len(set(terms)) == 300
    assert len({(one.category, one.purpose, one.months, one.refund) for one in scenes}) == 300
    assert {one.merchant_id for one in scenes} == {f"m{n:03d}" for n in range(1, 61)}


def test_a_scene_asks_for_nothing_that_the_product_does_not_sell():
    starter = product("starter")
    for one in channels.scenes().values():
        assert one.purpose in starter.purposes, one
        assert set(one.months) <= set(starter.months), one
        assert starter.amount_min_fen <= one.amount_min_fen < one.amount_max_fen <= starter.amount_max_fen, one


def test_an_unknown_scene_is_refused():
    with pytest.raises(channels.NoSuchScene):
        channels.scene("s301")


@given(st.sampled_from(sorted(channels.scenes())), st.integers(1, 2_000_000), st.integers(-3, 400), st.integers(-3, 400))
def test_a_refund_never_grows_with_time_and_never_exceeds_the_order(scene_id, amount, early, later):
    refund = channels.scene(scene_id).refund
    delivered = date(2026, 9, 1)
    first, second = sorted((early, later))
    most = [refund.most_fen(amount, delivered_on=delivered, on=delivered + timedelta(days=n), term_days=365) for n in (first, second)]
    assert amount >= most[0] >= most[1] >= 0
    assert refund.most_fen(amount, delivered_on=None, on=delivered, term_days=365) == amount


def test_the_refund_rules_count_their_days():
    def most(rule: RefundRule, days: int, keep: int, after: int) -> int:
        refund = channels.Refund(rule, days, keep)
        return refund.most_fen(100_000, delivered_on=date(2026, 9, 1), on=date(2026, 9, 1) + timedelta(days=after), term_days=100)

    assert [most(RefundRule.DAYS, 7, 0, n) for n in (0, 7, 8)] == [100_000, 100_000, 0]
    assert [most(RefundRule.RESTOCKING, 7, 50_000, n) for n in (7, 8)] == [95_000, 0]
    assert [most(RefundRule.PRO_RATA, 0, 0, n) for n in (0, 25, 100, 200)] == [100_000, 75_000, 0, 0]
    assert most(RefundRule.UNTIL_DELIVERY, 0, 0, 0) == 0


# --- passes -------------------------------------------------------------------------------------------------------------------------------


def test_a_right_pass_is_read():
    token = read(channels.write_token(KEY, PAYLOAD))
    assert (token.iss, token.sub, token.jti) == ("asset-1", "u-1", "j-1")


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "other"}, {"iss": "asset-2"}, {"entry_id": "e39"}, {"exp": 1_790_000_301}, {"exp": 1_790_000_000}, {"iat": 1_790_000_100},
        {"exp": 1_790_000_005}, {"jti": ""}, {"sub": ""}, {"iat": "x"},
    ],
)  # fmt: skip
def test_a_pass_for_another_house_entry_or_time_is_refused(change):
    with pytest.raises(channels.TokenRefused):
        read(channels.write_token(KEY, PAYLOAD | change))


@given(st.integers(0, 400), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=~"))
def test_a_pass_altered_anywhere_is_refused(place, sign):
    token = channels.write_token(KEY, PAYLOAD)
    place %= len(token)
    altered = token[:place] + sign + token[place + 1 :]
    if altered == token:
        return
    with pytest.raises(channels.TokenRefused):
        read(altered)


def test_a_pass_signed_by_another_is_refused():
    stranger = PrivateKey("asset-1", "ed25519", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with pytest.raises(channels.TokenRefused):
        read(channels.write_token(stranger, PAYLOAD))
    bare = f"v1.{urlsafe_b64encode(json.dumps(PAYLOAD).encode()).rstrip(b'=').decode()}."
    with pytest.raises(channels.TokenRefused):
        read(bare)


# --- visits and entry states --------------------------------------------------------------------------------------------------------------


async def opened(work, session_id: str = "se-1", **change):
    entry = await channels.entry(work, "e01")
    given = {"session_id": session_id, "entry": entry, "partner_id": "entry-e01", "device_id": "dv-1", "device": {"os": "android"}}
    return await channels.open_session(work, **(given | change))


async def test_opening_the_same_visit_again_gives_the_same_secret(work):
    first = await opened(work)
    assert await opened(work) == first
    with pytest.raises(channels.SessionTaken):
        await opened(work, device_id="dv-2")


async def test_secrets_are_not_in_the_database(work):
    first = await opened(work)
    rows = await work.connection.fetch("select s::text as row from channels.sessions s")
    assert first.secret not in rows[0]["row"]


@pytest.mark.parametrize("secret", ["", "x", "A" * 43])
async def test_a_guessed_secret_opens_nothing(work, secret):
    await opened(work)
    with pytest.raises(channels.SessionOver):
        await channels.session_in(work, secret)


async def test_an_entry_opens_visits_only_as_what_it_is_and_while_it_is_open(work):
    await channels.demand_open(work, entry_id="e01", kind="app", partner_id="entry-e01")
    for entry_id, kind, partner_id in (("e01", "h5", "entry-e01"), ("e01", "app", "entry-e02"), ("e01", "app", "lender"), ("e38", "h5", "asset-2")):
        with pytest.raises(channels.WrongEntry):
            await channels.demand_open(work, entry_id=entry_id, kind=kind, partner_id=partner_id)
    with pytest.raises(NotFound):
        await channels.demand_open(work, entry_id="e99", kind="app", partner_id="entry-e99")
    await channels.change_entry(work, entry_id="e01", state=EntryState.RETIRED, why="the app is gone")
    with pytest.raises(channels.EntryClosed):
        await channels.demand_open(work, entry_id="e01", kind="app", partner_id="entry-e01")
    with pytest.raises(WrongState):
        await channels.change_entry(work, entry_id="e01", state=EntryState.LIVE, why="again")


async def test_a_throttled_entry_lets_thirty_in_a_minute(work):
    await channels.change_entry(work, entry_id="e01", state=EntryState.THROTTLED, why="a campaign")
    for n in range(30):
        await channels.demand_open(work, entry_id="e01", kind="app", partner_id="entry-e01")
        await opened(work, f"se-{n}")
    with pytest.raises(channels.EntryBusy):
        await channels.demand_open(work, entry_id="e01", kind="app", partner_id="entry-e01")


async def test_how_a_person_came_is_kept_once_a_visit(work):
    await opened(work, scene_id="s007")
    await channels.attach(work, session_id="se-1", customer_id="cu-1a3-x")
    await channels.attach(work, session_id="se-1", customer_id="cu-1a3-x")
    told = await channels.export(work, customer_id="cu-1a3-x")
    assert [(one["entry_id"], one["scene"]) for one in told["attributions"]] == [("e01", "s007")]
    assert await channels.entries_used(work) == 1


async def test_a_visit_s_cookie_gets_a_new_secret_when_more_is_opened_to_it_and_the_old_one_opens_nothing(work):
    visit = await opened(work)
    planted = await channels.exchange(work, visit.secret)
    await channels.attach(work, session_id="se-1", customer_id="cu-1a3-x", key="log-in-1")
    with pytest.raises(channels.SessionOver):
        await channels.session_in(work, planted)
    secret = await channels.renew(work, session_id="se-1", key="log-in-1")
    assert (await channels.session_in(work, secret)).customer_id == "cu-1a3-x"
    assert await channels.renew(work, session_id="se-1", key="log-in-1") == secret, "the same request gets the same secret"
    later = await channels.renew(work, session_id="se-1", key="export-2")
    assert later != secret
    with pytest.raises(channels.SessionOver):
        await channels.session_in(work, secret)


async def test_an_ended_secret_is_good_for_the_very_request_that_ended_it_and_for_two_minutes(work):
    visit = await opened(work)
    old = await channels.exchange(work, visit.secret)
    await channels.attach(work, session_id="se-1", customer_id="cu-1a3-x", key="log-in-1")
    found = await channels.session_repeating(work, old, "log-in-1")
    assert found is not None
    assert found.session_id == "se-1"
    assert await channels.session_repeating(work, old, "another") is None
    assert await channels.session_repeating(work, "never-seen", "log-in-1") is None
    assert await channels.session_repeating(replace(work, at=work.at + timedelta(minutes=3)), old, "log-in-1") is None
