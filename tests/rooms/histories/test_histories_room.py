"""Fetches, the log, reports: written before they are asked, appended once, read as of an instant, erased without losing that they were."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from puhui.foundation.days import instant
from puhui.rooms import histories
from puhui.rooms.histories import FetchState, Records, ReportState
from puhui.vocabulary.permits import Permit

WHO = "cu-1a3-x"


def permit(work, item: str, consent_id: str = "co-1") -> Permit:
    recipient = "bureau" if item == "bureau" else "checks"
    return Permit(WHO, consent_id, "sha", item, "loan", recipient, work.at, work.at + timedelta(days=300))


def page(*events: dict, at: datetime = datetime(2026, 8, 1, tzinfo=UTC)) -> histories.Page:
    rows = [{"event_id": n, "at": at.isoformat(), "known_at": at.isoformat(), "kind": "bill", "data": {}} | event for n, event in enumerate(events, 1)]
    return histories.page_of(msgspec.json.encode(rows))


async def fetched(work, source: str, parent: str, *pages: histories.Page, state: FetchState = FetchState.FULL) -> histories.Fetch:
    asked = await histories.ask_fetch(work, permit=permit(work, source), parent=parent)
    await histories.note_fetch(work, asked, Records(state, pages, is_simulated=True))
    return asked


async def test_an_asking_is_written_once_for_what_wants_it(work):
    first = await histories.ask_fetch(work, permit=permit(work, "telco"), parent="ap-1")
    again = await histories.ask_fetch(work, permit=permit(work, "telco", "co-2"), parent="ap-1")
    assert again == first
    assert first.since == instant(work.today.replace(year=2024))
    other = await histories.ask_fetch(work, permit=permit(work, "telco"), parent="ap-2")
    assert other.fetch_id != first.fetch_id


async def test_silence_is_neither_events_nor_no_record(work):
    await histories.ask_fetch(work, permit=permit(work, "telco"), parent="ap-1")
    await fetched(work, "wallet", "ap-1", state=FetchState.NO_RECORD)
    known = await histories.history(work, customer_id=WHO, permits=[permit(work, "telco"), permit(work, "wallet")])
    assert known.states == {"wallet": FetchState.NO_RECORD}
    assert known.events("telco") == []


async def test_what_was_told_is_appended_once(work):
    asked = await fetched(work, "telco", "ap-1", page({}, {}))
    await histories.note_fetch(work, asked, Records(FetchState.FULL, (page({}, {}, {}),)))
    known = await histories.history(work, customer_id=WHO, permits=[permit(work, "telco")])
    assert len(known.events("telco")) == 2
    assert known.upto == 1


async def test_only_permitted_sources_are_read(work):
    await fetched(work, "telco", "ap-1", page({}))
    await fetched(work, "wallet", "ap-1", page({}))
    assert set((await histories.history(work, customer_id=WHO, permits=[permit(work, "wallet")])).pages) == {"wallet"}
    anothers = replace(permit(work, "telco"), customer_id="cu-1a3-y")
    over = replace(permit(work, "telco"), until=work.at)
    assert (await histories.history(work, customer_id=WHO, permits=[anothers, over])).pages == {}


async def test_nothing_known_later_is_seen(work):
    late = work.at + timedelta(hours=1)
    await fetched(work, "telco", "ap-1", page({}, {"known_at": late.isoformat()}, {"known_at": work.at.isoformat()}))
    known = await histories.history(work, customer_id=WHO, permits=[permit(work, "telco")])
    assert [event["event_id"] for event in known.events("telco")] == [1]


async def test_the_newest_asking_of_a_source_speaks_and_an_old_instant_still_hears_the_old_one(desk):
    async with desk.work() as work:
        await fetched(work, "telco", "ap-1", page({}))
        before = work.at
        old = await histories.history(work, customer_id=WHO, permits=[permit(work, "telco")])
    desk.clock.step_to(before + timedelta(days=40))
    async with desk.work() as work:
        await fetched(work, "telco", "ap-2", page({}, {}, {}))
        now = await histories.history(work, customer_id=WHO, permits=[permit(work, "telco")])
        then = await histories.history(work, customer_id=WHO, permits=[permit(work, "telco")], as_of=before)
        assert len(now.events("telco")) == 3
        assert (then.pages, then.sha256) == (old.pages, old.sha256)


async def test_our_own_events_join_the_log(work):
    await fetched(work, "telco", "ap-1", page({}))
    await histories.append_own(work, customer_id=WHO, event_id=1, kind="repaid", at=work.at - timedelta(days=1), data={"amount_fen": 300})
    known = await histories.history(work, customer_id=WHO, permits=[permit(work, "telco")])
    assert (set(known.pages), known.upto) == ({"telco", "own"}, 2)
    without = await histories.history(work, customer_id=WHO, permits=[permit(work, "telco")], own=False)
    assert set(without.pages) == {"telco"}
    assert without.sha256 != known.sha256


async def test_a_white_file_is_an_answer_and_an_unanswered_query_is_none(work):
    asked = await histories.ask_query(work, permit=permit(work, "bureau"), parent="ap-1", reason="loan_application")
    assert asked.state is ReportState.ASKED
    assert (await histories.history(work, customer_id=WHO, permits=[permit(work, "bureau")])).report is None
    await histories.note_report(work, customer_id=WHO, query_id=asked.query_id, report=None)
    known = await histories.history(work, customer_id=WHO, permits=[permit(work, "bureau")])
    assert known.report is not None
    assert (known.report.state, known.report.content) == (ReportState.WHITE, None)
    again = await histories.ask_query(work, permit=permit(work, "bureau"), parent="ap-1", reason="loan_application")
    assert again.state is ReportState.WHITE
    await histories.note_report(work, customer_id=WHO, query_id=asked.query_id, report=b'{"report_id":"late"}')
    assert (await histories.reports_of(work, WHO))[0].content is None, "an answer stays what it was"


async def test_contents_are_erased_and_the_asking_stays(work):
    await fetched(work, "telco", "ap-1", page({"data": {"amount_fen": 4242}}))
    asked = await histories.ask_query(work, permit=permit(work, "bureau"), parent="ap-1", reason="loan_application")
    await histories.note_report(work, customer_id=WHO, query_id=asked.query_id, report=b'{"report_id":"r-1"}')
    assert "4242" in str(await histories.export(work, customer_id=WHO))
    assert await histories.erase(work, customer_id=WHO) == 2
    told = await histories.export(work, customer_id=WHO)
    assert "4242" not in str(told)
    assert "r-1" not in str(told)
    assert [one["source"] for one in told["fetches"]] == ["telco"]
    assert (await histories.history(work, customer_id=WHO, permits=[permit(work, "telco"), permit(work, "bureau")])).pages == {}


async def test_a_page_whose_events_lack_their_times_is_not_taken():
    with pytest.raises(msgspec.ValidationError):
        histories.page_of(b'[{"event_id": 1, "kind": "bill", "at": "2026-08-01T00:00:00+08:00"}]')
