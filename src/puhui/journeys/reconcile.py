"""The day laid beside others' books: the rail's file against our orders, the funders' mirrors against what we sent them, and what each is owed.

Each closed business day gets two flows. `rail-day` reads the rail's file from 04:10 of the next day; `partner-day` sends every funder its
loans and balances at 06:00, orders its settlement, and reads its mirror from 08:10. Whoever does not answer is asked again; every difference
is kept by name, and a later file that agrees closes it.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from puhui.foundation import flows, outbox
from puhui.foundation.dayfiles import DayFileName, DayFileRefused
from puhui.foundation.days import instant
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.logs import log
from puhui.foundation.outbox import Callback, Reaction, Stored
from puhui.foundation.services import Answer, Service
from puhui.foundation.work import Actor, Work
from puhui.journeys import collect
from puhui.journeys.instruct import instruct
from puhui.journeys.let_go import funder_services
from puhui.rooms import funding, ledger, payments
from puhui.rooms.funding import BalanceRow, LegEvent, LoanRow, PartnerFile
from puhui.rooms.payments import Direction, Happened, PaymentOrder, Purpose, Source, rail
from puhui.vocabulary.ids import NOBODY, CustomerId, LoanId, PartnerId, PaymentOrderId, derive

Told = TypeVar("Told")
ACTOR = Actor("house", "reconcile")
DAY = timedelta(days=1)
RAIL_FILE_AT, FILES_AT, MIRROR_AT = time(4, 10), time(6), time(8, 10)
ASK_AGAIN = timedelta(minutes=30)
AT_ONCE = 8
LISTENED = ("rail", "message", "bureau")
LISTEN_EVERY = timedelta(hours=1)


async def on_day_closed(work: Work, event: Stored) -> None:
    """Reaction to BusinessDayClosed: the day's files are read and written as soon as they are due; credit balances are paid back."""
    day = date.fromisoformat(event.body["business_date"])
    for kind, step, at in (("rail-day", "read", RAIL_FILE_AT), ("partner-day", "send", FILES_AT)):
        await flows.start(
            work, flow_id=derive("fl", NOBODY, day.isoformat(), kind), customer_id=NOBODY, kind=kind, subject=day.isoformat(), step=step,
            due=instant(day + DAY, at), state={},
        )  # fmt: skip
    for one in await ledger.credit_balances(work):
        await collect.pay_credit_back(work, CustomerId(one.customer_id), LoanId(one.loan_id))


# -- the rail ---------------------------------------------------------------------------------------------------------------------------------


async def read_rail_file(desk: Desk, turn: Turn) -> Turn | None:
    """Step `rail-day.read`: fetch the rail's file of the day, and keep every difference to our own orders."""
    day = date.fromisoformat(turn.subject)
    files = await rail.files_of(desk.service("rail"), turn.subject)
    async with desk.work(ACTOR) as work:
        if isinstance(files, rail.Silent) or not files:
            return await flows.move(work, turn, due=work.at + ASK_AGAIN)
        try:
            await payments.reconcile(work, day=day, files=files)
        except DayFileRefused as refusal:
            for name, content in files.items():
                await payments.note_bad_file(work, name=name, day=day, content=content, refusal=refusal)
            return await flows.move(work, turn, due=work.at + ASK_AGAIN)
        await flows.end(work, turn)
        return None


# -- the funders ------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What one funder is sent of a day."""

    service: Service
    loans: tuple[LoanRow, ...]
    balances: tuple[BalanceRow, ...]

    def files(self, partner_id: PartnerId, day: date) -> dict[str, bytes]:
        """Give the files by name; a day on which nothing happened has no loans file."""
        wanted = {_name("balances", partner_id, day): funding.write_balances(self.balances)}
        return wanted | ({_name("loans", partner_id, day): funding.write_loans(self.loans)} if self.loans else {})


async def send_partner_files(desk: Desk, turn: Turn) -> Turn | None:
    """Step `partner-day.send`: send every funder its files of the day and order its settlement."""
    day = date.fromisoformat(turn.subject)
    async with desk.look(ACTOR) as work:
        left = [PartnerId(one) for one in turn.state.get("left") or await funding.partners_used(work)]
        services = await funder_services(desk, work, left)
        parcels = {partner_id: await _parcel(work, services[partner_id], partner_id, day) for partner_id in left}
    taken = await _each(left, lambda partner_id: _send(partner_id, parcels[partner_id], day))
    async with desk.work(ACTOR) as work:
        sent = {partner_id: parcels[partner_id] for partner_id in left if taken[partner_id]}
        await funding.note_files(work, day=day, files=[file for one, parcel in sent.items() for file in _noted(one, parcel, day)])
        await funding.keep_day(work, day=day, balances={one: parcel.balances for one, parcel in sent.items()})
        for partner_id, parcel in sent.items():
            await _order_settlement(work, partner_id, day, parcel.loans)
        missed = [partner_id for partner_id in left if not taken[partner_id]]
        if missed:
            return await flows.move(work, turn, due=work.at + ASK_AGAIN, state={"left": missed})
        return await flows.move(work, turn, step="mirror", due=instant(day + DAY, MIRROR_AT), state={})


async def _parcel(work: Work, service: Service, partner_id: PartnerId, day: date) -> _Parcel:
    return _Parcel(
        service,
        tuple(_loan_row(one) for one in await ledger.funder_events(work, day, partner_id)),
        tuple(_balance_row(one) for one in await ledger.funder_balances(work, day, partner_id)),
    )


async def _send(partner_id: PartnerId, parcel: _Parcel, day: date) -> bool:
    """Send one funder its files; give whether it has them all."""
    for name, content in parcel.files(partner_id, day).items():
        answer = await parcel.service.send("PUT", f"/v1/inbox/{name}", content)
        if not isinstance(answer, Answer) or not (answer.is_good or answer.status == 409):
            log.warning("partner-day.not-taken", partner=partner_id, file=name, why=answer.code if isinstance(answer, Answer) else answer.why)
            return False
    return True


def _noted(partner_id: PartnerId, parcel: _Parcel, day: date) -> list[PartnerFile]:
    rows = {"balances": len(parcel.balances), "loans": len(parcel.loans)}
    return [
        PartnerFile(name, partner_id, kind := name.split("-")[1], hashlib.sha256(content).hexdigest(), rows[kind], "received")
        for name, content in parcel.files(partner_id, day).items()
    ]


def _name(kind: str, partner_id: PartnerId, day: date) -> str:
    return str(DayFileName(f"funder-{kind}-{partner_id}", day))


async def _order_settlement(work: Work, partner_id: PartnerId, day: date, loans: Sequence[LoanRow]) -> None:
    """Order what a funder gets for the day's repayments, out of the clearing account into its pool."""
    order_id = PaymentOrderId(derive("po", NOBODY, f"{partner_id} {day.isoformat()}", "settlement"))
    settled = await funding.settle_day(work, partner_id=partner_id, day=day, rows=loans, payment_order_id=order_id)
    if settled is None or not settled.amount:
        return
    await instruct(
        work,
        PaymentOrder(
            payment_order_id=order_id,
            customer_id=NOBODY,
            loan_id=None,
            direction=Direction.PAY_OUT,
            purpose=Purpose.SETTLEMENT,
            amount=settled.amount,
            sources=(Source(ledger.CLEARING, settled.amount),),
            target=f"pool-{partner_id}",
            allow_partial=False,
            note=f"settlement:{day.isoformat()}",
            ordered_at=work.at,
        ),
    )


async def read_mirrors(desk: Desk, turn: Turn) -> Turn | None:
    """Step `partner-day.mirror`: read every funder's own view of the day and keep every difference to ours."""
    day = date.fromisoformat(turn.subject)
    async with desk.look(ACTOR) as work:
        left = [PartnerId(one) for one in turn.state.get("left") or await funding.files_of(work, day=day, kind="balances")]
        services = await funder_services(desk, work, left)
    found = await _each(left, lambda partner_id: _mirror(services[partner_id], partner_id, day))
    async with desk.work(ACTOR) as work:
        files = [mirror.file for mirror in found.values() if mirror is not None]
        mirrors = {one: mirror.rows for one, mirror in found.items() if mirror is not None and mirror.rows is not None}
        await funding.note_files(work, day=day, files=files)
        eased = {LoanId(one) for one in await ledger.restructured(work)}
        await funding.compare_mirrors(work, day=day, mirrors=mirrors, restructured=eased)
        missed = [partner_id for partner_id in left if partner_id not in mirrors]
        if missed:
            return await flows.move(work, turn, due=work.at + ASK_AGAIN, state={"left": missed})
        await flows.end(work, turn)
        return None


@dataclass(frozen=True, slots=True)
class _Mirror:
    """A mirror as it came; `rows` is None when it could not be read."""

    file: PartnerFile
    rows: list[BalanceRow] | None


async def _mirror(service: Service, partner_id: PartnerId, day: date) -> _Mirror | None:
    """Fetch a funder's mirror: its first revision, or, where that is not there or not whole, its newest. None: there is none yet."""
    first = await service.get(f"/v1/files/{_name('mirror', partner_id, day)}")
    if isinstance(first, Answer) and first.is_good:
        mirror = _read(_name("mirror", partner_id, day), partner_id, first.raw)
        if mirror.rows is not None:
            return mirror
    listed = await service.get(f"/v1/files?date={day.isoformat()}")
    if not isinstance(listed, Answer) or not listed.is_good:
        return None
    stem = f"funder-mirror-{partner_id}"
    names = [DayFileName.parse(name) for name in _names(listed.body.get("files")) if DayFileName.is_one(name)]
    newest = max((one for one in names if (one.stem, one.day) == (stem, day)), key=lambda one: one.revision, default=None)
    answer = await service.get(f"/v1/files/{newest}") if newest else None
    return _read(str(newest), partner_id, answer.raw) if isinstance(answer, Answer) and answer.is_good else None


def _names(files: object) -> list[str]:
    """Give the names in a funder's list of files; what is no name there holds up nobody."""
    entries = files if isinstance(files, list) else []
    return [one["name"] for one in entries if isinstance(one, dict) and isinstance(one.get("name"), str)]


def _read(name: str, partner_id: PartnerId, content: bytes) -> _Mirror:
    digest = hashlib.sha256(content).hexdigest()
    try:
        rows = funding.read_mirror(name, content)
    except DayFileRefused as refusal:
        return _Mirror(PartnerFile(name, partner_id, "mirror", digest, 0, "refused", refusal.text), None)
    return _Mirror(PartnerFile(name, partner_id, "mirror", digest, len(rows), "compared"), rows)


async def book(work: Work, order: PaymentOrder, happened: Happened) -> None:
    """Book what became of money to a partner."""
    partner_id = PartnerId(order.target.removeprefix("pool-"))
    match happened:
        case Happened.PAID:
            await ledger.settle(work, partner_id=partner_id, amount_fen=order.done.fen, payment_order_id=order.payment_order_id)
            await ledger.book_rail_fee(work, payment_order_id=order.payment_order_id, amount_fen=order.fee.fen, account=ledger.CLEARING)
            await funding.note_settlement(work, payment_order_id=order.payment_order_id, is_paid=True)
        case Happened.FAILED:
            await funding.note_settlement(work, payment_order_id=order.payment_order_id, is_paid=False)
        case Happened.RETURNED:
            await ledger.reverse_settlement(
                work, partner_id=partner_id, amount_fen=order.done.fen, payment_order_id=order.payment_order_id
            )
            await funding.note_settlement(work, payment_order_id=order.payment_order_id, is_paid=False)


# -- what callbacks did not tell ----------------------------------------------------------------------------------------------------------------


async def start_listening(work: Work) -> None:
    """Start reading the services' lists of events every hour: a lost callback is then only a late one."""
    await flows.start(
        work, flow_id=derive("fl", NOBODY, "events", "listen"), customer_id=NOBODY, kind="listen", subject="events", step="read",
        due=work.at + LISTEN_EVERY, state={},
    )  # fmt: skip


async def listen(desk: Desk, turn: Turn) -> Turn | None:
    """Step `listen.read`: put every event of the services into the inbox that is not there yet."""
    async with desk.look(ACTOR) as work:
        cursors = await payments.cursors(work, LISTENED)
    await asyncio.gather(*(_hear(desk, service, cursor) for service, cursor in cursors.items()))
    async with desk.work(ACTOR, durable=False) as work:
        return await flows.move(work, turn, due=work.at + LISTEN_EVERY)


async def _hear(desk: Desk, service: str, cursor: str) -> None:
    """Read one service's list from where we stand to its end."""
    while True:
        page = await desk.service(service).get(f"/{service}/v1/events?cursor={rail.event_cursor(cursor)}")
        events = page.body.get("events", []) if isinstance(page, Answer) and page.is_good else []
        if not isinstance(page, Answer) or not events:
            return
        cursor = str(page.body["next_cursor"])
        async with desk.work(ACTOR) as work:
            for one in events:
                await outbox.receive(work, _callback(service, one))
            await payments.move_cursor(work, service=service, cursor=cursor)


def _callback(service: str, event: Mapping[str, Any]) -> Callback:
    return Callback(
        service=service,
        event_id=str(event["event_id"]),
        kind=str(event["kind"]),
        subject=str(event["subject"]),
        seq=int(event["seq"]),
        at=datetime.fromisoformat(str(event["at"])),
        data=event.get("data", {}),
    )


async def _each(partner_ids: Sequence[PartnerId], do: Callable[[PartnerId], Awaitable[Told]]) -> dict[PartnerId, Told]:
    """Ask every partner, some at once; give what each told."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(partner_id: PartnerId) -> Told:
        async with gate:
            return await do(partner_id)

    told = await asyncio.gather(*(one(partner_id) for partner_id in partner_ids))
    return dict(zip(partner_ids, told, strict=True))


def _loan_row(one: ledger.FunderEvent) -> LoanRow:
    return LoanRow(
        loan_id=LoanId(one.loan_id),
        event_id=one.event_id,
        business_date=one.business_date,
        value_date=one.value_date,
        event=LegEvent(one.event),
        principal_fen=one.principal_fen,
        interest_fen=one.interest_fen,
        penalty_fen=one.penalty_fen,
        share_ppm=one.share_ppm,
    )


def _balance_row(one: ledger.FunderBalance) -> BalanceRow:
    return BalanceRow(
        LoanId(one.loan_id), one.business_date, one.principal_fen, one.interest_fen, one.overdue_days, one.asset_class.value
    )


STEPS: Mapping[str, Step] = {
    "rail-day.read": read_rail_file,
    "partner-day.send": send_partner_files,
    "partner-day.mirror": read_mirrors,
    "listen.read": listen,
}
REACTIONS: Mapping[str, Sequence[Reaction]] = {"BusinessDayClosed": (on_day_closed,)}
