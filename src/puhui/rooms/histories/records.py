"""The signed client of `checks.records`: a person's events of one source, page by page, under a permit that is still fresh."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from puhui.foundation.refusals import Refusal
from puhui.foundation.services import Service, ServiceAway, demand_answer
from puhui.rooms.histories.history import Fetch, FetchState, Page, page_of
from puhui.vocabulary.permits import Permit, PermitStale

SERVICE = "checks"
READ_TIMEOUT_S = 1.5
PAGES_MAX = 24


class FetchRefused(Refusal):
    """The source {source} says that the person's consent to this does not stand; nothing was told."""

    code = "histories.fetch-refused"
    zh = "数据来源没有认可这项授权，请重新授权。"


class _Told(msgspec.Struct):
    """A page as the service tells it; the events stay as they are written."""

    events: msgspec.Raw
    complete: bool
    simulated: bool = False
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """What a source answered: how it ended, and its pages. `no_record` and `stale` are data; silence never comes here."""

    state: FetchState
    pages: tuple[Page, ...] = ()
    is_simulated: bool = False


async def fetch(service: Service, permit: Permit, asked: Fetch, *, person: Mapping[str, str]) -> Records:
    """Ask the source. Raises ServiceAway (silence: the asking stays open), PermitStale, FetchRefused."""
    permit.demand(item=asked.source, purpose="loan", recipient=SERVICE)
    now = service.clock.now()
    if now > service.clock.after(permit.seen_at, timedelta(seconds=permit.use_within_s)) or now >= permit.until:
        raise PermitStale(item=asked.source, consent_id=permit.consent_id)
    assert (permit.customer_id, permit.consent_id) == (asked.customer_id, asked.consent_id), asked.fetch_id
    pages: list[Page] = []
    cursor: str | None = None
    is_simulated = False
    for number in range(1, PAGES_MAX + 1):
        told = await _page(service, asked, person, number, cursor)
        if isinstance(told, FetchState):
            return Records(told)
        pages.append(page_of(bytes(told.events)))
        is_simulated = is_simulated or told.simulated
        if told.next_cursor is None:
            return Records(FetchState.FULL, tuple(pages), is_simulated)
        cursor = told.next_cursor
    return Records(FetchState.FULL, tuple(pages), is_simulated)


async def _page(service: Service, asked: Fetch, person: Mapping[str, str], number: int, cursor: str | None) -> _Told | FetchState:
    check_id = asked.fetch_id if number == 1 else f"{asked.fetch_id}-p{number}"
    body = {
        "check_id": check_id,
        "as_of": asked.as_of.isoformat(),
        "consent_id": asked.consent_id,
        "person": dict(person),
        "source": asked.source,
        "since": asked.since.isoformat(),
        "until": asked.as_of.isoformat(),
    } | ({"cursor": cursor} if cursor is not None else {})
    answer = demand_answer(SERVICE, await service.settle("/checks/v1/records", body, key=check_id))
    if answer.is_good:
        try:
            return msgspec.json.decode(answer.raw, type=_Told)
        except msgspec.ValidationError:
            raise ServiceAway(service=SERVICE) from None
    match answer.code:
        case "checks.no-record":
            return FetchState.NO_RECORD
        case "checks.stale":
            return FetchState.STALE
        case "no-consent":
            raise FetchRefused(source=asked.source)
        case _:
            raise ServiceAway(service=SERVICE)
