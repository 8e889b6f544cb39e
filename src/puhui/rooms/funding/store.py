"""All SQL of the room."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from puhui.foundation import sql
from puhui.foundation.money import ZERO, Money
from puhui.foundation.rates import YearRate
from puhui.foundation.sql import Row
from puhui.foundation.work import Work
from puhui.rooms.funding.hold import Hold, HoldState, ReleaseReason
from puhui.rooms.funding.partnerfiles import BalanceRow, MirrorDifference, PartnerFile
from puhui.rooms.funding.routing import LENDER, Leg
from puhui.rooms.funding.terms import Book, Terms, Wanted
from puhui.vocabulary.ids import CustomerId, LoanId, PartnerId, PaymentOrderId, ReservationId

SQL = sql.load(__file__)


async def set_terms(work: Work, told: Iterable[Terms]) -> None:
    await SQL.set_terms.many(
        work,
        [
            {
                "partner_id": terms.partner_id,
                "version": terms.version,
                "since": terms.since,
                "is_open": terms.is_open,
                "opens_at": terms.opens_at,
                "closes_at": terms.closes_at,
                "day_left_fen": terms.day_left.fen,
                "total_left_fen": terms.total_left.fen,
                "share_min_ppm": terms.share_min_ppm,
                "share_max_ppm": terms.share_max_ppm,
                "rate_min_ppm": terms.rate_min.ppm,
                "rate_max_ppm": terms.rate_max.ppm,
                "terms_months": sorted(terms.terms_months),
                "regions_allowed": list(terms.regions_allowed),
                "age_min": terms.age_min,
                "age_max": terms.age_max,
                "bands": sorted(terms.bands),
                "region_share_max_ppm": terms.region_share_max_ppm,
                "band_share_max_ppm": terms.band_share_max_ppm,
                "fetched_on": work.today,
            }
            for terms in told
        ],
    )


async def announce(work: Work, partner_id: PartnerId, version: str) -> None:
    await SQL.announce_version.run(work, partner_id=partner_id, version=version)


async def fresh_terms(work: Work, partner_ids: Iterable[PartnerId]) -> dict[PartnerId, Terms]:
    rows = await SQL.fresh_terms.rows(work, today=work.today, partner_ids=list(partner_ids))
    return {PartnerId(row["partner_id"]): _terms(row) for row in rows}


async def stale(work: Work, partner_ids: Iterable[PartnerId]) -> list[PartnerId]:
    rows = await SQL.stale_partners.rows(work, today=work.today, partner_ids=list(partner_ids))
    return [PartnerId(row["partner_id"]) for row in rows]


async def outdated(work: Work, partner_ids: Iterable[PartnerId]) -> list[PartnerId]:
    rows = await SQL.outdated_partners.rows(work, partner_ids=list(partner_ids))
    return [PartnerId(row["partner_id"]) for row in rows]


async def books(work: Work, wanted: Wanted, partner_ids: Iterable[PartnerId]) -> tuple[dict[PartnerId, Book], Money, Money]:
    """Give the funders' books for this loan, and what the lender lends in all and in joint loans."""
    rows = await SQL.read_books.rows(work, region=wanted.region, band=wanted.band, day=work.today.isoformat())
    sums = {(row["partner_id"], row["part"]): Money(row["amount_fen"]) for row in rows}
    found = {
        partner_id: Book(*(sums.get((partner_id, part), ZERO) for part in ("all", "region", "band", "day"))) for partner_id in partner_ids
    }
    return found, sums.get((LENDER, "all"), ZERO), sums.get((LENDER, "joint"), ZERO)


async def add_to_books(work: Work, legs: Sequence[Leg], wanted: Wanted, *, is_joint: bool) -> None:
    """Count a loan's legs at once, in one order of keys, so that two loans never wait for each other crosswise."""
    rows: dict[tuple[str, str, str], int] = {}
    for leg in legs:
        fen = leg.share.fen
        if leg.partner_id == LENDER:
            rows[LENDER, "all", ""] = fen
            if is_joint:
                rows[LENDER, "joint", ""] = fen
        else:
            day = work.today.isoformat()
            for part, key in (("all", ""), ("region", wanted.region), ("band", wanted.band), ("day", day)):
                rows[leg.partner_id, part, key] = fen
    await SQL.add_to_book.many(
        work, [{"partner_id": one[0], "part": one[1], "key": one[2], "amount_fen": fen} for one, fen in sorted(rows.items())]
    )


async def add_want(work: Work, wanted: Wanted, *, is_joint: bool) -> None:
    await SQL.add_want.run(
        work,
        customer_id=wanted.customer_id,
        loan_id=wanted.loan_id,
        amount_fen=wanted.amount.fen,
        rate_ppm=wanted.rate.ppm,
        method=wanted.method,
        convention=wanted.convention,
        months=wanted.months,
        region=wanted.region,
        age=wanted.age,
        band=wanted.band,
        is_joint=is_joint,
    )


async def find_want(work: Work, customer_id: CustomerId, loan_id: LoanId) -> tuple[Wanted, bool] | None:
    row = await SQL.find_want.row(work, customer_id=customer_id, loan_id=loan_id)
    return (_wanted(row), row["is_joint"]) if row else None


async def is_open(work: Work, customer_id: CustomerId, loan_id: LoanId) -> bool | None:
    found: bool | None = await SQL.is_open.value(work, customer_id=customer_id, loan_id=loan_id)
    return found


async def close_want(work: Work, customer_id: CustomerId, loan_id: LoanId) -> None:
    await SQL.close_want.run(work, customer_id=customer_id, loan_id=loan_id)


async def add_hold(work: Work, hold: Hold) -> None:
    await SQL.add_hold.run(
        work,
        customer_id=hold.customer_id,
        reservation_id=hold.reservation_id,
        loan_id=hold.loan_id,
        no=hold.no,
        partner_id=hold.partner_id,
        terms_version=hold.terms_version,
        share_ppm=hold.share_ppm,
        share_fen=hold.share.fen,
        region=hold.region,
        band=hold.band,
        asked_at=hold.asked_at,
    )


async def holds(work: Work, customer_id: CustomerId, loan_id: LoanId, *, lock: bool = False) -> list[Hold]:
    statement = SQL.lock_holds if lock else SQL.holds_of
    return [_hold(row) for row in await statement.rows(work, customer_id=customer_id, loan_id=loan_id)]


async def find_hold(work: Work, customer_id: CustomerId, reservation_id: ReservationId) -> Hold | None:
    row = await SQL.find_hold.row(work, customer_id=customer_id, reservation_id=reservation_id)
    return _hold(row) if row else None


async def set_hold(work: Work, hold: Hold) -> None:
    await SQL.set_hold.run(
        work,
        customer_id=hold.customer_id,
        reservation_id=hold.reservation_id,
        state=hold.state.value,
        expires_at=hold.expires_at,
        to_release=hold.to_release.value if hold.to_release else None,
        code=hold.code,
    )


async def leaked(work: Work, before: datetime) -> Sequence[Row]:
    return await SQL.leaked_holds.rows(work, before=before)


async def add_legs(work: Work, customer_id: CustomerId, loan_id: LoanId, legs: Sequence[Leg], *, region: str, band: str) -> None:
    await SQL.add_leg.many(
        work,
        [
            {
                "customer_id": customer_id,
                "loan_id": loan_id,
                "leg_no": number,
                "partner_id": leg.partner_id,
                "share_ppm": leg.share_ppm,
                "share_fen": leg.share.fen,
                "region": region,
                "band": band,
            }
            for number, leg in enumerate(legs)
        ],
    )


async def legs(work: Work, customer_id: CustomerId, loan_id: LoanId) -> tuple[Leg, ...]:
    rows = await SQL.legs_of.rows(work, customer_id=customer_id, loan_id=loan_id)
    return tuple(Leg(PartnerId(row["partner_id"]), row["share_ppm"], Money(row["share_fen"])) for row in rows)


async def partners_used(work: Work) -> list[PartnerId]:
    return [PartnerId(row["partner_id"]) for row in await SQL.partners_used.rows(work)]


async def add_files(work: Work, day: date, files: Sequence[PartnerFile]) -> None:
    await SQL.add_files.run(
        work,
        business_date=day,
        at=work.at,
        names=[one.name for one in files],
        partner_ids=[one.partner_id for one in files],
        kinds=[one.kind for one in files],
        sha256s=[one.sha256 for one in files],
        row_counts=[one.rows for one in files],
        states=[one.state for one in files],
        whys=[one.why for one in files],
    )


async def files(work: Work, *, day: date, kind: str) -> Sequence[Row]:
    return await SQL.files_of_day.rows(work, business_date=day, kind=kind)


async def keep_balances(work: Work, day: date, balances: Mapping[PartnerId, Sequence[BalanceRow]]) -> None:
    """Keep what funders' legs stand at by a day's close, and make the morning's books of it, unless a later day's are there already."""
    partner_ids = sorted(balances)
    rows = [(partner_id, row) for partner_id in partner_ids for row in balances[partner_id]]
    await SQL.lock_books.run(work)
    await SQL.clear_balances.run(work, partner_ids=partner_ids, business_date=day)
    await SQL.add_balances.run(
        work,
        business_date=day,
        partner_ids=[partner_id for partner_id, _ in rows],
        loan_ids=[row.loan_id for _, row in rows],
        principals=[row.principal_fen for _, row in rows],
        interests=[row.interest_fen for _, row in rows],
        days=[row.overdue_days for _, row in rows],
        classes=[row.asset_class for _, row in rows],
    )
    newest = [row["partner_id"] for row in await SQL.newest_of.rows(work, partner_ids=partner_ids, business_date=day)]
    await SQL.clear_books.run(work, partner_ids=newest)
    await SQL.set_books.run(work, partner_ids=newest, business_date=day)
    await SQL.clear_old_days.run(work, day=day.isoformat())


async def balances(work: Work, day: date, partner_ids: Iterable[PartnerId]) -> dict[PartnerId, list[BalanceRow]]:
    found: dict[PartnerId, list[BalanceRow]] = {partner_id: [] for partner_id in partner_ids}
    for row in await SQL.balances_of_day.rows(work, partner_ids=sorted(found), business_date=day):
        balance = BalanceRow(
            LoanId(row["loan_id"]), day, row["principal_fen"], row["interest_fen"], row["overdue_days"], row["asset_class"]
        )
        found[PartnerId(row["partner_id"])].append(balance)
    return found


async def add_breaks(work: Work, partner_id: PartnerId, day: date, differences: Collection[MirrorDifference]) -> None:
    await SQL.add_break.many(
        work,
        [
            {
                "partner_id": partner_id,
                "business_date": day,
                "loan_id": one.loan_id,
                "kind": one.kind.value,
                "ours": _balance_facts(one.ours),
                "theirs": _balance_facts(one.theirs),
                "found_at": work.at,
            }
            for one in differences
        ],
    )


async def mirror_state(work: Work) -> tuple[int, int, int, int, int]:
    row = await SQL.mirror_state.row(work)
    assert row is not None
    return row["files"], row["compared"], row["differing"], row["explained"], row["unread"]


async def open_breaks(work: Work, most: int | None, skip: int) -> Sequence[Row]:
    return await SQL.open_breaks.rows(work, most=most, skip=skip)


async def broken_loans(work: Work, partner_ids: Iterable[PartnerId]) -> dict[PartnerId, set[LoanId]]:
    found: dict[PartnerId, set[LoanId]] = {}
    for row in await SQL.broken_loans.rows(work, partner_ids=sorted(partner_ids)):
        found.setdefault(PartnerId(row["partner_id"]), set()).add(LoanId(row["loan_id"]))
    return found


async def close_breaks(work: Work, partner_id: PartnerId, loan_ids: Collection[LoanId]) -> None:
    if loan_ids:
        await SQL.close_breaks.run(work, partner_id=partner_id, loan_ids=sorted(loan_ids), at=work.at)


async def explain_break(work: Work, *, partner_id: PartnerId, day: date, loan_id: LoanId, kind: str, state: str, explanation: str) -> int:
    return await SQL.explain_break.run(
        work,
        partner_id=partner_id,
        business_date=day,
        loan_id=loan_id,
        kind=kind,
        state=state,
        explanation=explanation,
        explained_by=work.actor.name,
        closed_at=work.at if state == "closed" else None,
    )


async def carried(work: Work, partner_id: PartnerId, day: date) -> Money:
    return Money(await SQL.last_carried.value(work, partner_id=partner_id, business_date=day) or 0)


async def add_settlement(
    work: Work, *, partner_id: PartnerId, day: date, amount: Money, carried: Money, payment_order_id: PaymentOrderId | None, state: str
) -> bool:
    added = await SQL.add_settlement.run(
        work,
        partner_id=partner_id,
        business_date=day,
        amount_fen=amount.fen,
        carried_fen=carried.fen,
        payment_order_id=payment_order_id,
        state=state,
    )
    return added == 1


async def set_settlement(work: Work, payment_order_id: PaymentOrderId, state: str) -> None:
    await SQL.set_settlement.run(work, payment_order_id=payment_order_id, state=state)


async def holds_of_customer(work: Work, customer_id: CustomerId) -> Sequence[Row]:
    return await SQL.holds_of_customer.rows(work, customer_id=customer_id)


def _terms(row: Row) -> Terms:
    return Terms(
        partner_id=PartnerId(row["partner_id"]),
        version=row["version"],
        since=row["since"],
        is_open=row["is_open"],
        opens_at=row["opens_at"],
        closes_at=row["closes_at"],
        day_left=Money(row["day_left_fen"]),
        total_left=Money(row["total_left_fen"]),
        share_min_ppm=row["share_min_ppm"],
        share_max_ppm=row["share_max_ppm"],
        rate_min=YearRate(row["rate_min_ppm"]),
        rate_max=YearRate(row["rate_max_ppm"]),
        terms_months=frozenset(row["terms_months"]),
        regions_allowed=tuple(row["regions_allowed"]),
        age_min=row["age_min"],
        age_max=row["age_max"],
        bands=frozenset(row["bands"]),
        region_share_max_ppm=row["region_share_max_ppm"],
        band_share_max_ppm=row["band_share_max_ppm"],
    )


def _wanted(row: Row) -> Wanted:
    return Wanted(
        customer_id=CustomerId(row["customer_id"]),
        loan_id=LoanId(row["loan_id"]),
        amount=Money(row["amount_fen"]),
        rate=YearRate(row["rate_ppm"]),
        method=row["method"],
        convention=row["convention"],
        months=row["months"],
        region=row["region"],
        age=row["age"],
        band=row["band"],
    )


def _hold(row: Row) -> Hold:
    return Hold(
        reservation_id=ReservationId(row["reservation_id"]),
        customer_id=CustomerId(row["customer_id"]),
        loan_id=LoanId(row["loan_id"]),
        no=row["no"],
        partner_id=PartnerId(row["partner_id"]),
        terms_version=row["terms_version"],
        share_ppm=row["share_ppm"],
        share=Money(row["share_fen"]),
        region=row["region"],
        band=row["band"],
        state=HoldState(row["state"]),
        asked_at=row["asked_at"],
        expires_at=row["expires_at"],
        to_release=ReleaseReason(row["to_release"]) if row["to_release"] else None,
        code=row["code"],
    )


def _balance_facts(row: BalanceRow | None) -> Mapping[str, Any] | None:
    if row is None:
        return None
    return {
        "business_date": row.business_date.isoformat(),
        "principal_fen": row.principal_fen,
        "interest_fen": row.interest_fen,
        "overdue_days": row.overdue_days,
        "class": row.asset_class,
    }
