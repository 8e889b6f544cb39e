"""The rows of the ledger: loans, legs, events, postings, day-ends. All SQL of the room runs here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from puhui.engines.schedules import Accrual, AssetClass, Method, Standing, State, Terms, split
from puhui.foundation import sql
from puhui.foundation.sql import Row
from puhui.foundation.work import Work
from puhui.rooms.ledger.accounts import LENDER
from puhui.rooms.ledger.books import Leg, LegFigures
from puhui.rooms.ledger.loan import PARTITIONS, EventKind, Loan, NewLoan, StoredEvent
from puhui.vocabulary.ids import shard_of

SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True)
class LoanRow:
    """What stands in a loan's row about where it is: enough for a day on which nothing happens but time."""

    customer_id: str
    loan_id: str
    product: str
    convention: str
    standing: Standing
    asset_class: AssetClass
    stage: int
    is_nonaccrual: bool
    booked_on: date
    principal_owed_fen: int
    oldest_unpaid_due: date | None
    is_watched: bool
    accrual: Accrual


async def add_loan(work: Work, loan: NewLoan, opened_on: date) -> None:
    """Add a loan with its legs and what may be charged; it is void until its first event. One that is there already stays."""
    added = await SQL.add_loan.run(
        work,
        customer_id=loan.customer_id,
        loan_id=loan.loan_id,
        application_id=loan.application_id,
        product=loan.product,
        convention=loan.convention,
        convention_sha256=loan.convention_sha256,
        contract_sha256=loan.contract_sha256,
        principal_fen=loan.principal_fen,
        rate_ppm=loan.rate_ppm,
        months=loan.months,
        method=loan.method.value,
        partition=shard_of(loan.customer_id) % PARTITIONS,
        opened_on=opened_on,
    )
    if not added:
        return
    shares = [leg.share_ppm for leg in loan.legs]
    await SQL.add_legs.run(
        work,
        customer_id=loan.customer_id,
        loan_id=loan.loan_id,
        legs=list(range(len(loan.legs))),
        partner_ids=[leg.partner_id for leg in loan.legs],
        shares_ppm=shares,
        shares_fen=list(split(loan.principal_fen, shares)),
    )
    for charge in loan.charges:
        await SQL.add_charge_allowed.run(
            work, customer_id=loan.customer_id, loan_id=loan.loan_id, code=charge.code, payee=charge.payee, amount_fen=charge.amount_fen
        )


async def find_loan(work: Work, customer_id: str, loan_id: str, *, lock: bool = False) -> Loan | None:
    """Give a loan, locked for change if asked."""
    if lock and not await SQL.lock_loan.value(work, customer_id=customer_id, loan_id=loan_id):
        return None
    row = await SQL.find_loan.row(work, customer_id=customer_id, loan_id=loan_id)
    return (await _loans(work, [row]))[0] if row else None


async def loans_of(work: Work, customer_id: str) -> list[Loan]:
    """Give all loans of a person, oldest first."""
    return await _loans(work, await SQL.loans_of.rows(work, customer_id=customer_id))


async def loans_by_id(work: Work, loan_ids: Sequence[str]) -> list[Loan]:
    """Give these loans, by loan id."""
    return await _loans(work, await SQL.loans_by_id.rows(work, loan_ids=list(loan_ids)))


async def loans_in_partition(work: Work, partition: int, business_date: date) -> list[tuple[LoanRow, Row]]:
    """Lock and give the loans of a partition on which a day's end works, each with its whole row."""
    rows = await SQL.loans_in_partition.rows(work, partition=partition, business_date=business_date)
    return [(loan_row(row), row) for row in rows]


async def loans_from_rows(work: Work, rows: Sequence[Row]) -> list[Loan]:
    """Complete rows already read with their legs and events."""
    return await _loans(work, rows)


async def legs_of(work: Work, loan_ids: Sequence[str]) -> dict[str, tuple[Leg, ...]]:
    """Give the legs of many loans, in their order, by loan."""
    legs: dict[str, list[Leg]] = {}
    if not loan_ids:
        return {}
    for row in await SQL.legs_in.rows(work, loan_ids=list(loan_ids)):
        legs.setdefault(row["loan_id"], []).append(Leg(row["partner_id"], row["share_ppm"]))
    return {loan_id: tuple(each) for loan_id, each in legs.items()}


async def find_event(work: Work, customer_id: str, key: str) -> tuple[str, StoredEvent] | None:
    """Give the loan and the event that already has this key."""
    row = await SQL.find_event.row(work, customer_id=customer_id, event_key=key)
    return (row["loan_id"], event_from(row)) if row else None


async def add_event(work: Work, loan: Loan, event: StoredEvent) -> bool:
    """Write an event; False if its month is closed."""
    added = await SQL.add_event.run(
        work,
        customer_id=loan.customer_id,
        loan_id=loan.loan_id,
        no=event.no,
        kind=event.kind.value,
        value_date=event.value_date,
        business_date=event.business_date,
        recorded_at=event.recorded_at,
        event_key=event.key,
        facts=dict(event.facts),
        receipt=dict(event.receipt),
    )
    return added == 1


async def add_leg_parts(
    work: Work, loan: Loan, event: StoredEvent, name: str, before: Sequence[LegFigures], after: Sequence[LegFigures]
) -> None:
    """Keep what each leg got by one event: the difference of its cumulative figures."""
    rows = []
    for leg, was, now in zip(loan.legs, before, after, strict=True):
        got = now.got - was.got
        rows.append(
            {
                "customer_id": loan.customer_id,
                "loan_id": loan.loan_id,
                "no": event.no,
                "partner_id": leg.partner_id,
                "business_date": event.business_date,
                "value_date": event.value_date,
                "event": name,
                "drawn_fen": now.drawn_fen - was.drawn_fen,
                "principal_fen": got.principal_fen,
                "interest_fen": got.interest_fen,
                "penalty_fen": got.penalty_fen,
                "waived_principal_fen": now.waived.principal_fen - was.waived.principal_fen,
                "waived_interest_fen": now.waived.interest_fen - was.waived.interest_fen,
            }
        )
    await SQL.add_leg_parts.many(work, rows)


@dataclass(frozen=True, slots=True)
class Posting:
    """A balanced change of the books, ready to be written. `lines` by (account, owner), debits positive."""

    customer_id: str
    posting_id: str
    loan_id: str | None
    no: int | None
    kind: str
    product: str
    business_date: date
    value_date: date
    key: str
    lines: Mapping[tuple[str, str], int]


async def add_posting(work: Work, posting: Posting) -> None:
    """Write a posting; one without lines says nothing and is not written."""
    if not posting.lines:
        return
    assert sum(posting.lines.values()) == 0, posting
    await SQL.add_posting.run(
        work,
        customer_id=posting.customer_id,
        posting_id=posting.posting_id,
        loan_id=posting.loan_id,
        no=posting.no,
        kind=posting.kind,
        product=posting.product,
        business_date=posting.business_date,
        value_date=posting.value_date,
        recorded_at=work.at,
        key=posting.key,
        accounts=[account for account, _ in posting.lines],
        owners=[owner for _, owner in posting.lines],
        amounts_fen=list(posting.lines.values()),
    )


async def set_standing(
    work: Work, loan: Loan, state: State, legs: Sequence[LegFigures], *, events: int, asset_class: AssetClass, stage: int,
    is_nonaccrual: bool, class_at_restructure: AssetClass, booked_on: date,
) -> None:  # fmt: skip
    """Write where a loan stands, from its fold."""
    own = sum(
        figures.drawn_fen - figures.got.principal_fen - figures.waived.principal_fen
        for leg, figures in zip(loan.legs, legs, strict=True)
        if leg.partner_id == LENDER and state.standing is Standing.ACTIVE
    )
    await SQL.set_standing.run(
        work,
        customer_id=loan.customer_id,
        loan_id=loan.loan_id,
        events=events,
        standing=state.standing.value,
        asset_class=asset_class.value,
        stage=stage,
        is_nonaccrual=is_nonaccrual,
        class_at_restructure=class_at_restructure.value if state.restructured_on else None,
        booked_on=booked_on,
        principal_owed_fen=state.principal_owed_fen,
        own_principal_fen=max(own, 0),
        credit_fen=state.figures.credit_fen,
        due_fen=state.due_total_fen,
        oldest_unpaid_due=state.oldest_unpaid_due,
        next_due=state.next_due,
        accrual=msgspec.to_builtins(state.accrual),
    )


async def add_class_change(work: Work, customer_id: str, loan_id: str, day: date, before: AssetClass, after: AssetClass, days_late: int) -> None:
    await SQL.add_class_change.run(
        work, customer_id=customer_id, loan_id=loan_id, business_date=day, before=before.value, after=after.value, days_late=days_late
    )


async def is_month_closed(work: Work, day: date) -> bool:
    return bool(await SQL.is_month_closed.value(work, month=f"{day:%Y-%m}"))


async def _loans(work: Work, rows: Sequence[Row]) -> list[Loan]:
    if not rows:
        return []
    ids = [row["loan_id"] for row in rows]
    legs = await legs_of(work, ids)
    events: dict[str, list[StoredEvent]] = {}
    for row in await SQL.events_in.rows(work, loan_ids=ids):
        events.setdefault(row["loan_id"], []).append(event_from(row))
    return [_loan(row, legs[row["loan_id"]], tuple(events.get(row["loan_id"], ()))) for row in rows]


def _loan(row: Row, legs: tuple[Leg, ...], events: tuple[StoredEvent, ...]) -> Loan:
    return Loan(
        customer_id=row["customer_id"],
        loan_id=row["loan_id"],
        application_id=row["application_id"],
        product=row["product"],
        convention_id=row["convention"],
        convention_sha256=row["convention_sha256"],
        contract_sha256=row["contract_sha256"],
        terms=Terms(row["principal_fen"], row["rate_ppm"], row["months"], Method(row["method"])),
        partition=row["partition"],
        opened_on=row["opened_on"],
        legs=legs,
        events=events,
        asset_class=AssetClass(row["asset_class"]),
        class_at_restructure=AssetClass(row["class_at_restructure"] or "normal"),
        is_nonaccrual=row["is_nonaccrual"],
        stage=row["stage"],
        booked_on=_booked_to(row),
    )


def _booked_to(row: Row) -> date:
    """Give the day up to which the books hold what a loan earned: its own last event, or its partition's last day-end after it."""
    closed_to: date | None = row["closed_to"]
    booked_on: date = row["booked_on"]
    return max(booked_on, closed_to) if closed_to else booked_on


def loan_row(row: Row) -> LoanRow:
    """Read where a loan stands."""
    return LoanRow(
        customer_id=row["customer_id"],
        loan_id=row["loan_id"],
        product=row["product"],
        convention=row["convention"],
        standing=Standing(row["standing"]),
        asset_class=AssetClass(row["asset_class"]),
        stage=row["stage"],
        is_nonaccrual=row["is_nonaccrual"],
        booked_on=_booked_to(row),
        principal_owed_fen=row["principal_owed_fen"],
        oldest_unpaid_due=row["oldest_unpaid_due"],
        is_watched=row["class_at_restructure"] is not None,
        accrual=msgspec.convert(row["accrual"], Accrual),
    )


def event_from(row: Row) -> StoredEvent:
    """Read an event back."""
    recorded_at: datetime = row["recorded_at"]
    return StoredEvent(
        no=row["no"],
        kind=EventKind(row["kind"]),
        value_date=row["value_date"],
        business_date=row["business_date"],
        recorded_at=recorded_at,
        key=row["event_key"],
        facts=row["facts"],
        receipt=row["receipt"],
    )


def day_before(day: date) -> date:
    return day - timedelta(days=1)


Facts = Mapping[str, Any]
