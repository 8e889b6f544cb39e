"""What the room does: write down an asking before it is asked, append what was told, and give a history as of one instant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from puhui.foundation.days import add_months, business_date, instant
from puhui.foundation.work import Work
from puhui.rooms.histories import store
from puhui.rooms.histories.history import MONTHS_MAX, OWN, SOURCES, Fetch, FetchState, History, Page, Report, ReportState, name_of, page_of
from puhui.rooms.histories.records import Records
from puhui.vocabulary import ids
from puhui.vocabulary.permits import Permit


async def ask_fetch(work: Work, *, permit: Permit, parent: str, as_of: datetime | None = None, months: int = MONTHS_MAX) -> Fetch:
    """Write down that a source (the permit's item) is asked for `parent`, before it is asked. Asked again for the same parent: the first asking."""
    assert permit.item in SOURCES, permit.item
    if earlier := await store.find_fetch(work, permit.customer_id, parent=parent, source=permit.item):
        return earlier
    at = as_of or work.at
    since = instant(add_months(business_date(at), -min(months, MONTHS_MAX)))
    fetch_id = ids.derive("fe", permit.customer_id, parent, f"fetch-{permit.item}")
    fetch = Fetch(permit.customer_id, fetch_id, permit.item, parent, permit.consent_id, since, at, FetchState.ASKED)
    await store.add_fetch(work, fetch)
    return fetch


async def ask_fetches(
    work: Work, *, permits: Sequence[Permit], parent: str, as_of: datetime | None = None, months: int = MONTHS_MAX
) -> dict[str, Fetch]:
    """As `ask_fetch`, for all sources of one person at once; give the askings by source."""
    if not permits:
        return {}
    customer_id, at = permits[0].customer_id, as_of or work.at
    known = await store.fetches_of_parent(work, customer_id, parent)
    since = instant(add_months(business_date(at), -min(months, MONTHS_MAX)))
    fresh = {}
    for permit in permits:
        assert permit.item in SOURCES, permit.item
        assert permit.customer_id == customer_id, "one person at a time"
        if permit.item not in known:
            fetch_id = ids.derive("fe", customer_id, parent, f"fetch-{permit.item}")
            fresh[permit.item] = Fetch(customer_id, fetch_id, permit.item, parent, permit.consent_id, since, at, FetchState.ASKED)
    if fresh:
        await store.add_fetches(work, list(fresh.values()))
    return {permit.item: known.get(permit.item) or fresh[permit.item] for permit in permits}


async def note_fetch(work: Work, fetch: Fetch, records: Records) -> None:
    """Append what the source told. Told already, nothing is appended twice."""
    if await store.end_fetch(work, fetch, records.state) and records.pages:
        await store.add_pages(
            work,
            fetch.customer_id,
            source=fetch.source,
            fetch_id=fetch.fetch_id,
            consent_id=fetch.consent_id,
            is_simulated=records.is_simulated,
            pages=records.pages,
        )


async def note_fetches(work: Work, told: Sequence[tuple[Fetch, Records]]) -> None:
    """As `note_fetch`, for several sources of one person at once."""
    if not told:
        return
    customer_id = told[0][0].customer_id
    ended = await store.end_fetches(work, customer_id, {fetch.fetch_id: records.state for fetch, records in told})
    pages = [
        (fetch, records.is_simulated, page, number)
        for fetch, records in told
        if fetch.fetch_id in ended
        for number, page in enumerate(records.pages, start=1)
    ]
    if pages:
        await store.add_all_pages(work, customer_id, pages)


async def append_own(work: Work, *, customer_id: str, event_id: int, kind: str, at: datetime, data: Mapping[str, Any]) -> None:
    """Append something that happened with us (a repayment, a broken promise); it is known from now on. No consent is needed for our own books."""
    event = {"event_id": event_id, "at": at.isoformat(), "known_at": work.at.isoformat(), "kind": kind, "data": dict(data)}
    page: Page = page_of(msgspec.json.encode([event], order="deterministic"))
    await store.add_pages(work, customer_id, source=OWN, fetch_id="", consent_id="", is_simulated=False, pages=[page])


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row of one of our own logs as the outbox told it: `seq` is the event's place there; `row` has the table's columns, with event_id and times."""

    customer_id: str
    seq: int
    table: str
    row: Mapping[str, Any]


async def note_arrivals(work: Work, arrivals: Sequence[Arrival]) -> None:
    """Keep rows of our own logs. Told already, nothing is kept twice; they move into the event log when the person's history is next read."""
    sealed = [
        (one.customer_id, one.seq, one.table, work.keys.seal("arrival", one.customer_id, msgspec.json.encode(one.row, order="deterministic")))
        for one in arrivals
    ]
    if sealed:
        await store.add_arrivals(work, sealed)


async def fold_arrivals(work: Work, *, most: int = 200) -> int:
    """Move what has arrived into the event log, of so many people; give how many. Called every night."""
    people = await store.people_of_arrivals(work, most)
    if people:
        from puhui.rooms.histories import events

        for customer_id in people:
            await events.fold(work, customer_id)
    return len(people)


async def history(
    work: Work, *, customer_id: str, permits: Iterable[Permit], as_of: datetime | None = None, upto: int = store.END, own: bool = True
) -> History:
    """Give what is known of a person as of an instant, from the sources whose use is permitted now; the bureau's report if its item is permitted.

    Of each source the newest answered asking speaks. Read again with the same `as_of` and the `upto` of before, the bytes are the same.
    """
    at = as_of or work.at
    held = {permit.item for permit in permits if permit.customer_id == customer_id and permit.until > work.at}
    latest = await store.latest_fetches(work, customer_id, as_of=at, sources=sorted(held & set(SOURCES)))
    rows = await store.pages_of(work, customer_id, fetch_ids=[fetch_id for fetch_id, _ in latest.values()], upto=upto)
    if own:
        rows = sorted([*rows, *await store.own_pages(work, customer_id, as_of=at, upto=upto)])
    report = await store.latest_report(work, customer_id, as_of=at) if "bureau" in held else None
    pages: dict[str, tuple[bytes, ...]] = {}
    for _, source, _, raw in rows:
        pages[source] = (*pages.get(source, ()), raw)
    last = max((n for n, *_ in rows), default=0)
    states = {source: state for source, (_, state) in latest.items()}
    return History(customer_id, at, last, states, pages, report, name_of([sha256 for _, _, sha256, _ in rows], report))


async def ended(work: Work, *, customer_id: str, permits: Iterable[Permit], as_of: datetime) -> tuple[dict[str, FetchState], Report | None]:
    """Give how the newest asking of each source ended, of those whose use is permitted now, and the bureau's report if its item is permitted."""
    held = {permit.item for permit in permits if permit.customer_id == customer_id and permit.until > work.at}
    latest = await store.latest_fetches(work, customer_id, as_of=as_of, sources=sorted(held & set(SOURCES)))
    report = await store.latest_report(work, customer_id, as_of=as_of) if "bureau" in held else None
    return {source: state for source, (_, state) in latest.items()}, report


async def ask_query(work: Work, *, permit: Permit, parent: str, reason: str, as_of: datetime | None = None) -> Report:
    """Write down that the bureau is asked, before it is asked. Asked again for the same parent and reason: the first asking, or its answer."""
    assert permit.item == "bureau", permit.item
    if earlier := await store.find_query(work, permit.customer_id, parent=parent, reason=reason):
        return earlier
    query_id = ids.derive("qu", permit.customer_id, parent, f"query-{reason}")
    report = Report(query_id, parent, reason, permit.consent_id, as_of or work.at, ReportState.ASKED, "")
    await store.add_query(work, permit.customer_id, report)
    return report


async def note_report(work: Work, *, customer_id: str, query_id: str, report: bytes | None, code: str = "") -> None:
    """Keep the bureau's answer: the JSON of `report`, None for a white file (`found: false`), or the `code` of a signed refusal."""
    state = ReportState.REFUSED if code else ReportState.WHITE if report is None else ReportState.FOUND
    await store.end_query(work, customer_id, query_id=query_id, state=state, code=code, raw=report)


async def export(work: Work, *, customer_id: str) -> dict[str, Any]:
    """Give all that the room knows of the person, for the person alone."""
    return {
        "fetches": [dict(row) for row in await store.fetches_of(work, customer_id)],
        "log": await store.log_of(work, customer_id),
        "events": await _events_of(work, customer_id),
        "bureau_reports": [
            {
                "query_id": one.query_id, "reason": one.reason, "consent_id": one.consent_id, "as_of": one.as_of, "state": one.state.value,
                "report": one.content,
            }
            for one in await store.reports_of(work, customer_id)
        ],
    }  # fmt: skip


async def erase_source(work: Work, *, customer_id: str, source: str) -> int:
    """Take away what a source told (the person asked for it, or withdrew for good); give how many pages. That it was asked stays."""
    return await store.erase_source(work, customer_id, source)


async def erase(work: Work, *, customer_id: str) -> int:
    """Take away everything that sources and the bureau told; give how many rows."""
    return await store.erase(work, customer_id)


async def _events_of(work: Work, customer_id: str) -> dict[str, Any]:
    """Give what derived variables read of the person; whoever has nothing there loads nothing."""
    if not await store.has_events(work, customer_id):
        return {}
    from puhui.engines.variables import Catalogue, over
    from puhui.engines.variables.lending import TABLES
    from puhui.engines.variables.origination import bare
    from puhui.rooms.histories import events

    await events.fold(work, customer_id)
    told = await events.export(work, customer_id, bare())
    return told | await events.export(work, customer_id, Catalogue(*(over(table) for table in TABLES if table.name not in told)))
