"""Looking closer: pages of the loans and applications behind a figure, how cohorts age, whom we reach. Every list is paged by the database."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from itertools import accumulate, pairwise

from puhui.foundation.work import Work
from puhui.rooms.boards.store import SQL

SMALL_FEN = 300_000
TIER_BELOW_SECOND = 3
COHORT_MONTHS = 18


@dataclass(frozen=True, slots=True)
class LoansWanted:
    """Which loans: every field that is set narrows. `standing` is running | settled | late | written_off | returned; days are half-open."""

    standing: str | None = None
    stage: str | None = None
    asset_class: str | None = None
    partner_id: str | None = None
    since: date | None = None
    until: date | None = None
    late_within: int | None = None
    group: str | None = None
    customer_id: str | None = None
    over_seconds: int | None = None
    under_seconds: int | None = None
    entry_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApplicationsWanted:
    """Which applications: `outcome` offer | declined | proof | waiting; `reached` accepted | signed | paid | expired | cancelled."""

    outcome: str | None = None
    reached: str | None = None
    entry_id: str | None = None
    scene: str | None = None
    band: str | None = None
    is_thin_file: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class LoanLine:
    """One loan in a list. `left_fen` is the principal still owed as last told, `overdue_fen` what was overdue when the stage began; `seconds` from tap to money."""

    customer_id: str
    loan_id: str
    application_id: str | None
    amount_fen: int
    months: int
    value_date: date | None
    left_fen: int
    repaid_fen: int
    stage: str | None
    days_late: int
    overdue_fen: int
    asset_class: str | None
    standing: str
    place_kind: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class ApplicationLine:
    customer_id: str
    application_id: str
    entry_id: str | None
    scene: str | None
    amount_fen: int
    months: int
    tapped_at: datetime | None
    decided_ms: int | None
    outcome: str | None
    band: str | None
    is_thin_file: bool | None
    ended_why: str | None
    loan_id: str | None


@dataclass(frozen=True, slots=True)
class Cohort:
    """Loans paid out in one month; of them, by months on book 0, 1, 2 ..., how many had ever been 31 (91) days late by then."""

    month: date
    loans: int
    late_31: tuple[int, ...]
    late_91: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """One group of the inclusion board: who is meant stands in the words of the page; the overlaps say how many of its loans are in each group."""

    group: str
    loans: int
    persons: int
    amount_fen: int
    median_fen: int
    overlaps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Loans whose seconds from tap to money lie in [since, until)."""

    since_s: int
    until_s: int | None
    loans: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds between two steps over all applications that made both, at the 50th and 95th percentile; and how many did."""

    step: str
    people: int
    p50_ms: int | None
    p95_ms: int | None


GROUPS = ("rural", "county", "thin_file", "below_tier_2", "small_ticket", "all")
PEOPLE = ("group", "entry_id", "over_seconds", "under_seconds")
"""What narrows loans by their application alone."""
BY_PEOPLE = (*PEOPLE, "small_fen", "tier_below")
LOAN_SORTS = ("newest", "amount", "left", "late", "overdue")
SECONDS = (0, 2, 5, 10, 30, 60, 300, 3600, None)


async def loans_page(work: Work, wanted: LoansWanted, *, sort: str = "newest", most: int = 25, skip: int = 0) -> tuple[list[LoanLine], int]:
    """Give a page of loans and how many there are in all."""
    assert sort in LOAN_SORTS, sort
    given = asdict(wanted) | {"small_fen": SMALL_FEN, "tier_below": TIER_BELOW_SECOND}
    if sort == "newest" and wanted == LoansWanted():
        rows = await SQL.loans_newest.rows(work, today=work.today, most=most, skip=skip)
        return [LoanLine(**row) for row in rows], int(await SQL.count_loans.value(work))
    by_people = {name: given[name] for name in BY_PEOPLE}
    if sort == "newest" and replace(wanted, **dict.fromkeys(PEOPLE)) == LoansWanted():
        rows = await SQL.loans_by_people.rows(work, today=work.today, most=most, skip=skip, **by_people)
        return [LoanLine(**row) for row in rows], int(await SQL.loans_by_people_count.value(work, **by_people))
    rows = await SQL.loans_page.rows(work, today=work.today, sort=sort, most=most, skip=skip, **given)
    return [LoanLine(**row) for row in rows], int(await SQL.loans_page_count.value(work, **given))


async def applications_page(work: Work, wanted: ApplicationsWanted, *, most: int = 25, skip: int = 0) -> tuple[list[ApplicationLine], int]:
    """Give a page of applications, the newest first, and how many there are in all."""
    given = asdict(wanted)
    rows = await SQL.applications_page.rows(work, most=most, skip=skip, **given)
    return [ApplicationLine(**row) for row in rows], int(await SQL.applications_page_count.value(work, **given))


async def applicant_of(work: Work, application_id: str) -> str | None:
    """Give whose application this is, or None."""
    found: str | None = await SQL.applicant_of.value(work, application_id=application_id)
    return found


async def vintages(work: Work, *, today: date) -> list[Cohort]:
    """Give the cohorts by month of pay-out, the oldest first, each as old as it is today."""
    months = today.year * 12 + today.month - 1 - COHORT_MONTHS
    since = date(months // 12, months % 12 + 1, 1)
    sizes = {row["month"]: row["loans"] for row in await SQL.cohorts.rows(work, since=since)}
    turned: dict[tuple[date, int], dict[int, int]] = {}
    for row in await SQL.cohorts_turned.rows(work, since=since):
        turned.setdefault((row["month"], row["late"]), {})[row["age"]] = row["loans"]

    def curve(month: date, late: int) -> tuple[int, ...]:
        age = (today.year - month.year) * 12 + today.month - month.month
        counts = turned.get((month, late), {})
        return tuple(accumulate(counts.get(k, 0) for k in range(age + 1)))

    return [Cohort(month, loans, curve(month, 31), curve(month, 91)) for month, loans in sorted(sizes.items())]


async def reach(work: Work) -> list[Reach]:
    """Give the groups of the inclusion board, `all` last, with their overlaps in the order of GROUPS."""
    rows = {row["group"]: row for row in await SQL.reach.rows(work, small_fen=SMALL_FEN, tier_below=TIER_BELOW_SECOND)}
    return [
        Reach(group, rows[group]["loans"], rows[group]["persons"], rows[group]["amount_fen"], rows[group]["median_fen"], tuple(rows[group]["overlaps"]))
        if group in rows
        else Reach(group, 0, 0, 0, 0, (0,) * len(GROUPS))
        for group in GROUPS
    ]


async def tap_to_money(work: Work) -> list[Slice]:
    """Count the loans by seconds from tap to money."""
    rows = {row["slice"]: row["loans"] for row in await SQL.tap_to_money.rows(work, bounds=[float(one) for one in SECONDS[1:-1] if one])}
    return [Slice(since or 0, until, rows.get(k, 0)) for k, (since, until) in enumerate(pairwise(SECONDS))]


async def timings(work: Work) -> list[Timing]:
    """Give how long people and house took from step to step: tap to answer, answer to acceptance, to signature, to money."""
    row = await SQL.timings.row(work)
    assert row is not None
    return [Timing(step, row[f"{step}_n"], *(row[f"{step}_ms"] or (None, None))) for step in ("answer", "accept", "sign", "money")]


@dataclass(frozen=True, slots=True)
class Happened:
    """What the days add up to: accounts ever frozen (phone lost, not mine, takeover, a death), collections that failed."""

    frozen: int
    failed_collects: int


async def happened(work: Work) -> Happened:
    return Happened(**(await SQL.happened.row(work) or {}))


async def through(work: Work, entry_ids: Sequence[str]) -> int:
    """Count the applications that came through these entries."""
    return int(await SQL.through.value(work, entry_ids=list(entry_ids)))


async def by_scene(work: Work, *, most: int) -> tuple[list[tuple[str, int, int]], int]:
    """Give (scene, applications, paid out), the busiest first, and how many applications named a scene."""
    rows = [(row["scene"], row["applications"], row["paid_out"]) for row in await SQL.by_scene.rows(work, most=most)]
    return rows, int(await SQL.in_scenes.value(work))


async def places(work: Work) -> Sequence[tuple[str, int, int]]:
    """Give loans and amount by kind of the living place, "" where it is not known."""
    return [(row["place_kind"], row["loans"], row["amount_fen"]) for row in await SQL.places.rows(work)]
