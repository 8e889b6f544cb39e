"""Following the log, rebuilding from it, comparing with a fresh fold, and reading the boards."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime

from puhui.foundation import outbox
from puhui.foundation.outbox import Stored
from puhui.foundation.work import Work
from puhui.rooms.boards import store
from puhui.rooms.boards.fold import Sheets, touched
from puhui.rooms.boards.store import SQL

CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many applications came how far."""

    received: int
    offered: int
    declined: int
    asked_for_proof: int
    accepted: int
    signed: int
    paid_out: int
    settled: int
    expired: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class EntryLine:
    entry_id: str
    sessions: int
    applications: int
    offered: int
    paid_out: int
    paid_out_fen: int


@dataclass(frozen=True, slots=True)
class MoneyLine:
    day: date
    loans_paid_out: int
    paid_out_fen: int
    repayments: int
    late_repayments: int
    repaid_fen: int
    failed_collects: int
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds of the run's clock at the 50th, 95th and 99th percentile; None where there is no loan yet."""

    loans: int
    tap_to_money_ms: tuple[int, int, int] | None
    sign_to_money_ms: tuple[int, int, int] | None
    answered: int = 0
    answered_in_1s: int = 0


@dataclass(frozen=True, slots=True)
class StageLine:
    stage: str
    loans: int
    overdue_fen: int
    left_fen: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The book in one line."""

    paid_out: int
    running: int
    settled: int
    in_arrears: int
    written_off: int
    paid_out_fen: int
    repaid_fen: int
    written_off_fen: int
    recovered_fen: int


@dataclass(frozen=True, slots=True)
class FunderLine:
    partner_id: str
    loans: int
    share_fen: int


@dataclass(frozen=True, slots=True)
class ThinFile:
    """People without a bureau record: decided, offered, paid out; and those whose first loan anywhere the bureau has accepted."""

    decided: int
    offered: int
    paid_out: int
    first_loans: int
    first_loan_customers: int


@dataclass(frozen=True, slots=True)
class CaseLine:
    kind: str
    opened: int
    closed: int
    overdue: int


async def follow(work: Work, events: Sequence[Stored]) -> None:
    """Take a batch of the log, in the Work that answers it: each event exactly once."""
    wanted = touched(events)
    sheets = await store.load(work, wanted)
    await store.put(work, sheets.take(events))


async def rebuild(work: Work) -> int:
    """Forget the boards and fold them anew from the log; give the number of events. Nothing is answered meanwhile."""
    await outbox.hold_dispatch(work)
    await store.forget(work)
    last = total = 0
    while events := await outbox.read_events(work, after=last, most=CHUNK, only_answered=True):
        await follow(work, events)
        last, total = events[-1].seq, total + len(events)
    return total


async def differences(work: Work) -> list[str]:
    """Compare the boards with a fresh fold of the log in memory and name every row that differs; [] is good."""
    await outbox.hold_dispatch(work)
    fresh = Sheets()
    last = 0
    while events := await outbox.read_events(work, after=last, most=CHUNK, only_answered=True):
        fresh.take(events)
        last = events[-1].seq
    stored = await store.load_all(work)
    return [line for board in fields(Sheets) for line in _different(board.name, getattr(stored, board.name), getattr(fresh, board.name))]


async def funnel(work: Work, *, since: datetime | None = None, until: datetime | None = None) -> Funnel:
    """Count the applications tapped in [since, until) by how far they came."""
    return Funnel(**(await SQL.funnel.row(work, since=since, until=until) or {}))


async def entries(work: Work) -> list[EntryLine]:
    return [EntryLine(**row) for row in await SQL.entries.rows(work)]


async def money(work: Work, *, since: date | None = None, until: date | None = None) -> list[MoneyLine]:
    """Give money out and back by business date in [since, until)."""
    return [MoneyLine(**row) for row in await SQL.money.rows(work, since=since, until=until)]


async def speed(work: Work, *, since: datetime | None = None, until: datetime | None = None) -> Speed:
    """Measure from the tap, and from the signature, to the money, over loans tapped in [since, until)."""
    row = await SQL.speed.row(work, since=since, until=until)
    assert row is not None
    return Speed(row["loans"], tuple(row["tap_ms"]) if row["tap_ms"] else None, tuple(row["sign_ms"]) if row["sign_ms"] else None, row["answered"], row["answered_in_1s"])


async def arrears(work: Work) -> list[StageLine]:
    return [StageLine(**row) for row in await SQL.arrears.rows(work)]


async def standing(work: Work) -> Standing:
    return Standing(**(await SQL.standing.row(work) or {}))


async def funding(work: Work, partner_ids: Sequence[str] | None = None) -> list[FunderLine]:
    """Give each funder's part of the loans paid out; of these partners alone, if some are named."""
    await SQL.more_memory.run(work)
    return [FunderLine(**row) for row in await SQL.funding.rows(work, partner_ids=None if partner_ids is None else list(partner_ids))]


async def thin_file(work: Work) -> ThinFile:
    return ThinFile(**(await SQL.thin_file.row(work) or {}))


async def cases(work: Work) -> list[CaseLine]:
    """Count complaints, disputes, reviews and pleas; overdue as of today."""
    return [CaseLine(**row) for row in await SQL.cases.rows(work, today=work.today)]


def _different(board: str, stored: dict[tuple[object, ...], object], fresh: dict[tuple[object, ...], object]) -> list[str]:
    return [f"{board} {'/'.join(map(str, key))}" for key in sorted(stored.keys() | fresh.keys(), key=str) if stored.get(key) != fresh.get(key)]
