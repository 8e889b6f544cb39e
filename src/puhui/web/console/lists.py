"""The lists behind every figure: applications and loans, narrowed by whatever the figure counted, paged by the database."""

from typing import Any

from puhui.foundation.refusals import BadField
from puhui.rooms import boards, channels
from puhui.rooms.boards import GROUPS, LOAN_SORTS, ApplicationsWanted, LoansWanted
from puhui.rooms.staff import Duty
from puhui.web.console.blocks import Choice, Choices, Column, Sheet, Table
from puhui.web.console.screen import Screen, of
from puhui.web.console.visit import Visit, midnight, rows_of

STANDINGS = ("running", "late", "settled", "written_off", "returned")
STAGES = ("M1", "M2", "M3", "M4", "M5", "M6", "M7")
CLASSES = ("normal", "special_mention", "substandard", "doubtful", "loss")
OUTCOMES = ("offer", "declined", "proof", "waiting")
REACHED = ("accepted", "signed", "paid", "settled", "expired", "cancelled")
BANDS = tuple("ABCDEFGH")
LOAN = "/console/loans/{loan_id}"
APPLICATION = "/console/applications/{customer_id}/{application_id}"
CUSTOMER = "/console/customers/{customer_id}"

LOAN_COLUMNS = (
    Column("loan_id", "code", LOAN),
    Column("value_date", "day", sort="newest"),
    Column("amount_fen", "money", sort="amount"),
    Column("left_fen", "money", sort="left"),
    Column("standing", "state"),
    Column("stage", "state"),
    Column("days_late", "count", sort="late"),
    Column("overdue_fen", "money", sort="overdue"),
    Column("asset_class", "state"),
    Column("place_kind", "word"),
    Column("seconds", "seconds"),
    Column("customer_id", "code", CUSTOMER),
)
APPLICATION_COLUMNS = (
    Column("application_id", "code", APPLICATION),
    Column("tapped_at", "at"),
    Column("amount_fen", "money"),
    Column("months", "count"),
    Column("outcome", "state"),
    Column("band", "text"),
    Column("is_thin_file", "yes"),
    Column("decided_ms", "ms"),
    Column("ended_why", "word"),
    Column("entry_id", "code"),
    Column("scene", "code"),
    Column("loan_id", "code", LOAN),
    Column("customer_id", "code", CUSTOMER),
)


async def loans(visit: Visit) -> Sheet:
    """List loans under the filters of the address."""
    wanted, sort = _loans_wanted(visit), visit.one_of("sort", LOAN_SORTS) or "newest"
    async with visit.reading() as work:
        found, total = await boards.loans_page(work, wanted, sort=sort, **visit.span)
    columns = LOAN_COLUMNS if visit.may(Duty.SEE_CUSTOMER) else _without_links(LOAN_COLUMNS, "customer_id")
    table = Table("loans", columns, rows_of(found), total=total, page=visit.page, sort=sort, is_listing=True, empty="no-loans", note="overdue-note")
    filters = [
        choices(visit, "standing", STANDINGS),
        choices(visit, "stage", STAGES, is_word=False),
        choices(visit, "class", CLASSES),
        choices(visit, "group", GROUPS[:-1]),
    ]
    return Sheet("loans", [*filters, *chosen(visit, "partner", "month", "since", "until", "late_within", "over", "under", "entry", "customer"), table])


def _loans_wanted(visit: Visit) -> LoansWanted:
    since, until = visit.month("month") or (visit.day("since"), visit.day("until"))
    return LoansWanted(
        standing=visit.one_of("standing", STANDINGS),
        stage=visit.one_of("stage", STAGES),
        asset_class=visit.one_of("class", CLASSES),
        partner_id=visit.short("partner"),
        since=since,
        until=until,
        late_within=visit.whole("late_within"),
        group=visit.one_of("group", GROUPS),
        customer_id=visit.short("customer"),
        over_seconds=visit.whole("over"),
        under_seconds=visit.whole("under"),
        entry_id=visit.short("entry"),
    )


async def applications(visit: Visit) -> Sheet:
    """List applications under the filters of the address."""
    since, until = visit.day("since"), visit.day("until")
    wanted = ApplicationsWanted(
        outcome=visit.one_of("outcome", OUTCOMES),
        reached=visit.one_of("reached", REACHED),
        entry_id=visit.short("entry"),
        scene=visit.short("scene"),
        band=visit.one_of("band", BANDS),
        is_thin_file={"yes": True, "no": False}.get(visit.one_of("thin", ("yes", "no")) or ""),
        since=midnight(since) if since else None,
        until=midnight(until) if until else None,
        customer_id=visit.short("customer"),
    )
    async with visit.reading() as work:
        found, total = await boards.applications_page(work, wanted, **visit.span)
    columns = APPLICATION_COLUMNS if visit.may(Duty.SEE_CUSTOMER) else _without_links(APPLICATION_COLUMNS, "customer_id")
    if not visit.may(Duty.SEE_DECISIONS):
        columns = _without_links(columns, "application_id")
    table = Table("applications", columns, rows_of(found), total=total, page=visit.page, is_listing=True, empty="no-applications")
    filters = [
        choices(visit, "outcome", OUTCOMES),
        choices(visit, "reached", REACHED),
        choices(visit, "band", BANDS, is_word=False),
        choices(visit, "thin", ("yes", "no")),
    ]
    return Sheet("applications", [*filters, *chosen(visit, "entry", "scene", "since", "until", "customer"), table])


async def entries(visit: Visit) -> Sheet:
    """List the entries with what came of them."""
    known = channels.entries()
    async with visit.reading() as work:
        lines = await boards.entries(work)
    rows: list[dict[str, Any]] = [
        one | {"kind": known[one["entry_id"]].kind.value if one["entry_id"] in known else "", "owner": known[one["entry_id"]].owner if one["entry_id"] in known else ""}
        for one in rows_of(lines)
    ]
    columns = (
        Column("entry_id", "code", "/console/applications?entry={entry_id}"),
        Column("kind", "word"),
        Column("owner", "code"),
        Column("sessions", "count"),
        Column("applications", "count", "/console/applications?entry={entry_id}"),
        Column("offered", "count", "/console/applications?entry={entry_id}&outcome=offer"),
        Column("paid_out", "count", "/console/loans?entry={entry_id}"),
        Column("paid_out_fen", "money"),
    )
    return Sheet("entries", [Table("entries", columns, rows, total=len(rows), most=max(len(rows), 1), is_listing=True)])


def choices(visit: Visit, name: str, values: tuple[str, ...], *, is_word: bool = True, word: str = "") -> Choices:
    """Give the pills of one filter, `all` first; the word for a value is the value itself, after `word`."""
    chosen_one = visit.query.get(name, "")
    every = Choice("any", visit.here(**{name: None}), not chosen_one)
    return Choices(f"by-{name}", [every, *(Choice(word + value, visit.here(**{name: value}), value == chosen_one, is_word) for value in values)])


def chosen(visit: Visit, *names: str) -> list[Choices]:
    """Give what else narrows the list, each with the way to take it away."""
    found = [Choice(f"{name.replace('_', ' ')} {visit.query[name]} ×", visit.here(**{name: None}), is_chosen=True, is_word=False) for name in names if visit.query.get(name)]
    return [Choices("narrowed", found)] if found else []


def _without_links(columns: tuple[Column, ...], *names: str) -> tuple[Column, ...]:
    return tuple(Column(one.name, one.kind, "", one.sort) if one.name in names else one for one in columns)


def demand_some(value: str | None, name: str) -> str:
    """Give a value that must be there. Raises BadField."""
    if not value:
        raise BadField(field=name, why="it is missing")
    return value


SCREENS = [
    Screen("/console/applications", "applications", "business", applications, of(Duty.SEE_BOARDS, Duty.SEE_DECISIONS), key="a"),
    Screen("/console/loans", "loans", "business", loans, of(Duty.SEE_BOARDS, Duty.SEE_BOOKS), key="l"),
    Screen("/console/entries", "entries", "business", entries, of(Duty.SEE_BOARDS)),
]
