"""Consents, one person per id number, cases and their clocks, freezing and closing: on a real database."""

import asyncio
from datetime import date, datetime, timedelta

import pytest

from puhui.foundation.refusals import BadField, NotFound, WrongState
from puhui.foundation.work import Actor
from puhui.rooms import customers
from puhui.rooms.customers import CaseKind, CaseState, FreezeReason, Level, Papers, Screening, Verdict

UNTIL = date(2027, 9, 1)
PLACE = "790101001001"


def papers(**change):
    given = {
        "id_check_id": "ck-1", "face_check_id": "ck-2", "expires_on": date(2030, 1, 1), "issuer": "某县公安局", "address_code": "790101",
        "home_place_code": PLACE, "live_ppm": 990_000, "same_ppm": 990_000, "is_simulated": True,
    }  # fmt: skip
    return Papers(**(given | change))


def screening(at: datetime, verdict: Verdict = Verdict.CLEAR) -> Screening:
    return Screening("ck-3", at, "v1", verdict, (), at.date() + timedelta(days=365), is_simulated=True)


async def newcomer(work, session_id: str = "se-1", phone: str = "12000000001") -> str:
    return await customers.register(work, session_id=session_id, entry_id="e01", phone=phone)


async def known(work, customer_id: str, number: str = "790101199003070018", **change) -> str:
    return await customers.identify(
        work, customer_id=customer_id, device_id="dv-1", name="李伟", number=customers.id_number(number, today=work.today), papers=papers(**change),
        screening=screening(work.at), place=PLACE, place_kind="village",
    )  # fmt: skip


async def allow(work, customer_id: str, *items: str, purpose: str = "loan", until: date = UNTIL, session_id: str = "se-1"):
    return await customers.consent(
        work, customer_id=customer_id, session_id=session_id, wanted=items, purpose=purpose, recipient="", until=until
    )


# --- consents -----------------------------------------------------------------------------------------------------------------------------


async def test_each_item_is_a_consent_of_its_own_with_a_receipt(work):
    customer_id = await newcomer(work)
    given = await allow(work, customer_id, "telco", "bureau", "telco")
    assert [one.item for one in given] == ["telco", "bureau"]
    assert len({one.consent_id for one in given}) == 2
    from hashlib import sha256

    assert all(one.sha256 == sha256(customers.receipt_of(one)).hexdigest() for one in await customers.consents_of(work, customer_id))


@pytest.mark.parametrize(
    ("items", "purpose", "until"),
    [(["phonebook"], "loan", UNTIL), (["telco"], "marketing", UNTIL), (["telco"], "loan", date(2026, 8, 31)), (["telco"], "loan", date(2032, 1, 1)),
     (["partner_events"], "partner", UNTIL)],
)  # fmt: skip
async def test_what_cannot_be_consented_to_is_refused_whole(work, items, purpose, until):
    customer_id = await newcomer(work)
    with pytest.raises(BadField):
        await allow(work, customer_id, "wallet", *items, purpose=purpose, until=until)
    assert await customers.consents_of(work, customer_id) == []


async def test_a_permit_ends_with_its_consent_to_the_second(desk):
    async with desk.work() as work:
        customer_id = await newcomer(work)
        await allow(work, customer_id, "telco", until=date(2026, 9, 2))
    desk.clock.step_to(datetime.fromisoformat("2026-09-02T23:59:59+08:00"))
    async with desk.work() as work:
        permit = await customers.permit(work, customer_id=customer_id, item="telco", purpose="loan")
        assert permit.until == datetime.fromisoformat("2026-09-03T00:00:00+08:00")
        assert permit.use_within_s == 1
    desk.clock.step_to(datetime.fromisoformat("2026-09-03T00:00:00+08:00"))
    async with desk.work() as work:
        with pytest.raises(customers.NoConsent):
            await customers.permit(work, customer_id=customer_id, item="telco", purpose="loan")


async def test_the_same_consent_in_the_same_visit_is_one_consent(work):
    """The answer was lost, and the app sends the request again; a second consent would be one that nobody was told of."""
    customer_id = await newcomer(work)
    first = await allow(work, customer_id, "telco", "bureau")
    again = await allow(work, customer_id, "bureau", "telco", "wallet")
    assert {one.item: one.consent_id for one in first}.items() <= {one.item: one.consent_id for one in again}.items()
    assert [one.kind for one in work.told].count("ConsentGiven") == 3
    later = await allow(work, customer_id, "telco", until=date(2027, 3, 1))
    assert later[0].consent_id not in {one.consent_id for one in again}


async def test_a_withdrawal_ends_every_live_consent_for_the_item(work):
    customer_id = await newcomer(work)
    first = (await allow(work, customer_id, "telco"))[0]
    await allow(work, customer_id, "telco", session_id="se-2")
    await customers.withdraw(work, customer_id=customer_id, consent_id=first.consent_id)
    assert await customers.live_items(work, customer_id) == frozenset()
    with pytest.raises(customers.NoConsent):
        await customers.permit(work, customer_id=customer_id, item="telco", purpose="loan")
    assert [one.kind for one in work.told].count("ConsentWithdrawn") == 2
    again = await allow(work, customer_id, "telco")
    assert (await customers.permit(work, customer_id=customer_id, item="telco", purpose="loan")).consent_id == again[0].consent_id


async def test_permits_are_read_together_and_only_for_what_is_allowed(work):
    customer_id = await newcomer(work)
    await allow(work, customer_id, "telco", "wallet")
    held = await customers.permits(work, customer_id=customer_id, wanted=["telco", "wallet", "farm", "bureau", "marketing"], purpose="loan")
    assert set(held) == {"telco", "wallet"}
    assert held["telco"] == await customers.permit(work, customer_id=customer_id, item="telco", purpose="loan")


async def test_nobody_withdraws_anothers_consent(work):
    his = await newcomer(work)
    hers = await newcomer(work, "se-2", "12000000002")
    given = await allow(work, his, "telco")
    with pytest.raises(NotFound):
        await customers.withdraw(work, customer_id=hers, consent_id=given[0].consent_id)


# --- who a person is ----------------------------------------------------------------------------------------------------------------------


async def test_two_newcomers_with_one_id_number_become_one_person(work):
    first = await known(work, await newcomer(work))
    second = await newcomer(work, "se-2", "12000000002")
    await allow(work, second, "wallet")
    assert await known(work, second) == first
    assert await customers.live_items(work, first) == {"wallet"}
    assert await customers.phone_of(work, first) == "12000000002"
    assert (await customers.standing(work, second)).state is customers.AccountState.CLOSED


async def test_one_person_in_two_places_at_once_is_one_customer(desk):
    """Two phones, the same id number, the same second: one waits for the other and becomes the same person."""
    async with desk.work() as work:
        one, two = await newcomer(work), await newcomer(work, "se-2", "12000000002")

    async def come(customer_id: str) -> str:
        async with desk.work() as work:
            return await known(work, customer_id)

    became = await asyncio.gather(*(come(one) if n % 2 else come(two) for n in range(2)))
    assert len(set(became)) == 1
    async with desk.work() as work:
        assert await work.connection.fetchval("select count(*) from customers.identities") == 1


async def test_papers_that_ran_out_are_refused_and_stop_drawing_when_they_do(desk):
    async with desk.work() as work:
        customer_id = await newcomer(work)
        with pytest.raises(customers.PapersRunOut):
            await known(work, customer_id, expires_on=date(2026, 8, 31))
        await known(work, customer_id, expires_on=date(2026, 9, 2))
    desk.clock.step_to(datetime.fromisoformat("2026-09-02T23:59:00+08:00"))
    async with desk.work() as work:
        assert (await customers.standing(work, customer_id)).level is Level.BASIC
    desk.clock.step_to(datetime.fromisoformat("2026-09-03T00:00:00+08:00"))
    async with desk.work() as work:
        assert (await customers.standing(work, customer_id)).level is Level.EXPIRED


async def test_a_barring_hit_blocks_the_person(work):
    customer_id = await known(work, await newcomer(work))
    hit = {"list": "un", "entry_id": "9", "name": "x", "aliases": [], "kind": "sanction", "similarity_ppm": 990_000}
    found = await customers.note_screening(work, customer_id=customer_id, check_id="ck-9", hits=[hit], lists_version="v2", is_simulated=True)
    assert found.recheck_on == date(2027, 9, 1)
    assert (await customers.standing(work, customer_id)).level is Level.BLOCKED


async def test_minors_and_the_dead_are_closed_to_contact(work):
    young = await known(work, await newcomer(work), "790101201003070018")
    assert (await customers.contact_standing(work, young)).closed_because == "minor"
    grown = await known(work, await newcomer(work, "se-2", "12000000002"))
    assert (await customers.contact_standing(work, grown)).closed_because == ""
    await customers.freeze(work, customer_id=grown, because=FreezeReason.DECEASED)
    assert (await customers.contact_standing(work, grown)).closed_because == "deceased"


async def test_marketing_needs_its_own_consent(work):
    customer_id = await known(work, await newcomer(work))
    assert not (await customers.contact_standing(work, customer_id)).may_market
    await allow(work, customer_id, "marketing", purpose="marketing", until=date(2027, 1, 1))
    assert (await customers.contact_standing(work, customer_id)).may_market


# --- cases --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "opened", "due"),
    [
        (CaseKind.COMPLAINT, "2026-09-01", "2026-09-16"),
        (CaseKind.DISPUTE, "2026-09-01", "2026-09-21"),
        (CaseKind.HARDSHIP, "2026-09-29", "2026-10-14"),
        (CaseKind.REVIEW, "2026-09-30", "2026-10-13"),
        (CaseKind.NOT_MINE, "2026-09-01", "2026-09-16"),
        (CaseKind.FREEZE, "2026-09-04", "2026-09-09"),
        (CaseKind.QUESTION, "2026-09-04", "2026-09-08"),
    ],
)
async def test_every_kind_of_case_has_the_clock_of_its_pack(desk, kind, opened, due):
    desk.clock.step_to(datetime.fromisoformat(f"{opened}T23:59:59+08:00"))
    async with desk.work() as work:
        customer_id = await newcomer(work)
        case = await customers.open_case(work, customer_id=customer_id, kind=kind, subject="ln-1", text="请看一下")
        assert case.due.isoformat() == due
        assert case.packs
        assert not case.is_overdue(case.due)
        assert case.is_overdue(case.due + timedelta(days=1))


async def test_a_case_goes_its_way_and_no_other(desk):
    async with desk.work() as work:
        customer_id = await newcomer(work)
        case = await customers.open_case(work, customer_id=customer_id, kind=CaseKind.DISPUTE, subject="ln-1", text="不是我欠的")
        again = await customers.open_case(work, customer_id=customer_id, kind=CaseKind.DISPUTE, subject="ln-1", text="不是我欠的")
        assert again.case_id == case.case_id
        with pytest.raises(WrongState):
            await customers.close_case(work, customer_id=customer_id, case_id=case.case_id)
    async with desk.work(Actor("staff", "st-7")) as work:
        await customers.investigate(work, customer_id=customer_id, case_id=case.case_id)
        answered = await customers.answer(work, customer_id=customer_id, case_id=case.case_id, outcome="partly", text="已更正")
        assert (answered.state, answered.answered_by, answered.answer) == (CaseState.ANSWERED, "st-7", "已更正")
        with pytest.raises(WrongState):
            await customers.answer(work, customer_id=customer_id, case_id=case.case_id, outcome="upheld", text="再答一次")
        await customers.mediate(work, customer_id=customer_id, case_id=case.case_id)
        await customers.close_case(work, customer_id=customer_id, case_id=case.case_id)
        assert await customers.cases_waiting(work, most=10) == []


async def test_a_case_not_answered_in_time_is_counted(desk):
    async with desk.work() as work:
        customer_id = await newcomer(work)
        await customers.open_case(work, customer_id=customer_id, kind=CaseKind.COMPLAINT, subject="", text="没人理我")
    desk.clock.step_to(datetime.fromisoformat("2026-09-16T12:00:00+08:00"))
    async with desk.work() as work:
        assert await customers.count_overdue(work) == 0
    desk.clock.step_to(datetime.fromisoformat("2026-09-17T00:00:00+08:00"))
    async with desk.work() as work:
        assert await customers.count_overdue(work) == 1


# --- closing, erasing ---------------------------------------------------------------------------------------------------------------------


async def test_a_closed_account_stays_closed_and_allows_nothing(work):
    customer_id = await known(work, await newcomer(work))
    await allow(work, customer_id, "telco")
    assert await customers.close(work, customer_id=customer_id, owes_something=True) is customers.AccountState.CLOSING
    assert await customers.live_items(work, customer_id) == {"telco"}
    assert await customers.close(work, customer_id=customer_id, owes_something=False) is customers.AccountState.CLOSED
    assert await customers.live_items(work, customer_id) == frozenset()
    assert await customers.close(work, customer_id=customer_id, owes_something=True) is customers.AccountState.CLOSED
    with pytest.raises(WrongState):
        await customers.demand_usable(work, customer_id)


async def test_who_comes_back_after_closing_is_the_same_customer(work):
    first = await known(work, await newcomer(work))
    await customers.close(work, customer_id=first, owes_something=False)
    again = await newcomer(work, "se-2")
    assert again != first
    await allow(work, again, "telco")
    assert await known(work, again) == first
    stands = await customers.standing(work, first)
    assert (stands.state, stands.items) == (customers.AccountState.OPEN, {"telco"})


async def test_who_borrowed_is_kept_for_the_years_of_the_law_and_then_erased(desk):
    async with desk.work() as work:
        customer_id = await known(work, await newcomer(work))
        with pytest.raises(WrongState):
            await customers.erase(work, customer_id=customer_id, has_borrowed=False)
        await customers.close(work, customer_id=customer_id, owes_something=False)
        assert await customers.erase(work, customer_id=customer_id, has_borrowed=True) == date(2036, 9, 1)
        assert (await customers.identity(work, customer_id)).name == "李伟"
    desk.clock.step_to(datetime.fromisoformat("2036-09-02T09:00:00+08:00"))
    async with desk.work() as work:
        assert await customers.erase(work, customer_id=customer_id, has_borrowed=True) is None
        with pytest.raises(customers.NotIdentified):
            await customers.identity(work, customer_id)


async def test_a_persons_files_open_under_his_own_key_only(work):
    customer_id = await newcomer(work)
    taken = await customers.take_file(work, owner=customer_id, key="tap-1", encoded=b"picture", media_type="image/jpeg")
    again = await customers.take_file(work, owner=customer_id, key="tap-1", encoded=b"picture", media_type="image/jpeg")
    assert again == taken
    assert (await customers.open_file(work, owners=[customer_id], file_ref=taken.file_ref)).data == b"picture"
    with pytest.raises(NotFound):
        await customers.open_file(work, owners=["cu-000-other"], file_ref=taken.file_ref)
    await work.connection.execute("delete from customers.file_keys")
    with pytest.raises(NotFound):
        await customers.open_file(work, owners=[customer_id], file_ref=taken.file_ref)
