"""The live overview: how the house does right now, each figure a way to the loans behind it."""

from collections.abc import Sequence
from datetime import timedelta

from puhui.rooms import boards, payments
from puhui.rooms.boards import Cohort, FunderLine, Funnel, MoneyLine, Slice, StageLine
from puhui.rooms.staff import Duty
from puhui.web.console import charts
from puhui.web.console.blocks import Chart, Column, Figure, Figures, Sheet, Table
from puhui.web.console.render import lasting
from puhui.web.console.screen import Screen, of
from puhui.web.console.visit import Visit, address, midnight
from puhui.web.console.words import word

DAYS_SHOWN = 45
FUNDERS_SHOWN = 12
AGAIN_S = 20
LOANS, APPLICATIONS = "/console/loans", "/console/applications"


async def overview(visit: Visit) -> Sheet:
    """Show applications, approvals, money, speed, arrears, vintages, funding, unknown payments."""
    async with visit.reading() as work:
        today, began = work.today, midnight(work.today)
        now = await boards.funnel(work, since=began)
        ever = await boards.funnel(work)
        standing = await boards.standing(work)
        speed = await boards.speed(work, since=began - timedelta(days=29))
        money = await boards.money(work, since=today - timedelta(days=DAYS_SHOWN - 1))
        slices, stages = await boards.tap_to_money(work), await boards.arrears(work)
        cohorts, funders = await boards.vintages(work, today=today), await boards.funding(work)
        unknown = (await payments.waiting(work)).unknown_orders
        overdue = sum(line.overdue for line in await boards.cases(work))
        to_money, to_sign = speed.tap_to_money_ms, speed.sign_to_money_ms
    decided = ever.offered + ever.declined
    figures = [
        Figure("applications-today", now.received, href=address(APPLICATIONS, since=today)),
        Figure("applications-ever", ever.received, href=APPLICATIONS),
        Figure("approved", ever.offered * 1_000_000 // decided if decided else None, "ppm", address(APPLICATIONS, outcome="offer"), "approved-note"),
        Figure("paid-out", standing.paid_out_fen, "yuan", LOANS, word("so-many-loans", visit.language, count=f"{standing.paid_out:,}")),
        Figure("running", standing.running, "count", address(LOANS, standing="running")),
        Figure("in-arrears", standing.in_arrears, "count", address(LOANS, standing="late"), tone="warn" if standing.in_arrears else ""),
        Figure("written-off", standing.written_off_fen, "yuan", address(LOANS, standing="written_off"), word("so-many-loans", visit.language, count=f"{standing.written_off:,}")),
        Figure("unknown-payments", unknown, "count", "/console/payments?state=unknown" if visit.may(Duty.SEE_BOOKS) else "", tone="bad" if unknown else "good"),
        Figure("cases-overdue", overdue, "count", "/console/cases?late=yes" if visit.may(Duty.ANSWER_CASES) else "", tone="bad" if overdue else "good"),
        Figure("tap-to-money", to_money[0] if to_money else None, "ms", note=_tail(to_money, visit)),
        Figure("sign-to-money", to_sign[0] if to_sign else None, "ms", note=_tail(to_sign, visit)),
        Figure("service-level", speed.answered_in_1s * 1_000_000 // speed.answered if speed.answered else None, "ppm", note="service-level-note"),
    ]
    return Sheet("overview", [Figures(figures), _money(money, visit), _reached(ever, visit), _speed(slices, visit), _stages(stages), _vintages(cohorts), _funders(funders)], again_s=AGAIN_S)


def _tail(measured: tuple[int, int, int] | None, visit: Visit) -> str:
    return f"p95 {lasting(measured[1], visit.language)} · p99 {lasting(measured[2], visit.language)}" if measured else ""


def _money(days: Sequence[MoneyLine], visit: Visit) -> Chart:
    rows = [
        {"day": line.day, "paid_out_fen": line.paid_out_fen, "loans": line.loans_paid_out, "repaid_fen": line.repaid_fen, "next": line.day + timedelta(days=1)}
        for line in days
    ]
    out = [charts.point(row["paid_out_fen"] / 100, address(LOANS, since=row["day"], until=row["next"])) for row in rows]  # type: ignore[operator]
    option = charts.bars([f"{line.day:%m-%d}" for line in days], {word("money-out", visit.language): out, word("money-in", visit.language): [line.repaid_fen / 100 for line in days]})
    columns = [Column("day", "day", LOANS + "?since={day}&until={next}"), Column("loans", "count"), Column("paid_out_fen", "money"), Column("repaid_fen", "money")]
    return Chart("money-by-day", option, Table("money-by-day", columns, rows))


def _reached(ever: Funnel, visit: Visit) -> Chart:
    steps = [
        ("received", ever.received, APPLICATIONS),
        ("offered", ever.offered, address(APPLICATIONS, outcome="offer")),
        ("accepted", ever.accepted, address(APPLICATIONS, reached="accepted")),
        ("signed", ever.signed, address(APPLICATIONS, reached="signed")),
        ("paid", ever.paid_out, address(APPLICATIONS, reached="paid")),
        ("settled", ever.settled, address(APPLICATIONS, reached="settled")),
    ]
    rows = [{"step": f"reach-{name}", "people": count, "of_all": count * 1_000_000 // ever.received if ever.received else None, "href": href} for name, count, href in steps]
    found = [charts.point(count, href) for _, count, href in steps]
    option = charts.bars([word(f"reach-{name}", visit.language) for name, *_ in steps], {"": found}, is_lying=True)
    return Chart("funnel", option, Table("funnel", (Column("step", "word", "{href}"), Column("people", "count", "{href}"), Column("of_all", "ppm")), rows), "funnel-note")


def _speed(slices: Sequence[Slice], visit: Visit) -> Chart:
    def named(one: Slice) -> str:
        since = lasting(one.since_s * 1000, visit.language)
        return f"≥ {since}" if one.until_s is None else f"< {lasting(one.until_s * 1000, visit.language)}"

    rows = [{"span": named(one), "loans": one.loans, "since": one.since_s, "until": one.until_s or ""} for one in slices]
    found = [charts.point(one.loans, address(LOANS, over=one.since_s, under=one.until_s)) for one in slices]
    columns = [Column("span"), Column("loans", "count", LOANS + "?over={since}&under={until}")]
    return Chart("tap-to-money-spread", charts.bars([str(row["span"]) for row in rows], {"": found}), Table("tap-to-money-spread", columns, rows), "tap-to-money-note")


def _stages(stages: Sequence[StageLine]) -> Chart:
    rows = [{"stage": line.stage, "loans": line.loans, "overdue_fen": line.overdue_fen, "left_fen": line.left_fen} for line in stages]
    found = [charts.point(line.loans, address(LOANS, stage=line.stage)) for line in stages]
    columns = [Column("stage", "state", LOANS + "?stage={stage}"), Column("loans", "count", LOANS + "?stage={stage}"), Column("overdue_fen", "money"), Column("left_fen", "money")]
    return Chart("arrears-by-stage", charts.bars([line.stage for line in stages], {"": found}), Table("arrears-by-stage", columns, rows, "no-arrears"))


def _vintages(cohorts: Sequence[Cohort]) -> Chart:
    longest = max((len(one.late_31) for one in cohorts), default=0)
    curves = {
        f"{one.month:%Y-%m}": [
            charts.point(round(late * 100 / one.loans, 2), address(LOANS, month=f"{one.month:%Y-%m}", late_within=k)) for k, late in enumerate(one.late_31)
        ]
        for one in cohorts
    }
    rows = [
        {
            "month": f"{one.month:%Y-%m}",
            "loans": one.loans,
            "late_31": one.late_31[-1],
            "late_31_ppm": one.late_31[-1] * 1_000_000 // one.loans,
            "late_91_ppm": one.late_91[-1] * 1_000_000 // one.loans,
            "age": len(one.late_31) - 1,
        }
        for one in cohorts
    ]
    columns = [
        Column("month", "text", LOANS + "?month={month}"),
        Column("loans", "count", LOANS + "?month={month}"),
        Column("age", "count"),
        Column("late_31", "count", LOANS + "?month={month}&late_within={age}"),
        Column("late_31_ppm", "ppm"),
        Column("late_91_ppm", "ppm"),
    ]
    return Chart("vintages", charts.lines([str(k) for k in range(longest)], curves), Table("vintages", columns, rows), "vintages-note")


def _funders(funders: Sequence[FunderLine]) -> Chart:
    largest = sorted(funders, key=lambda line: -line.share_fen)
    rows = [{"partner_id": line.partner_id, "loans": line.loans, "share_fen": line.share_fen} for line in largest]
    shown = largest[:FUNDERS_SHOWN]
    found = [charts.point(line.share_fen / 100, address(LOANS, partner=line.partner_id)) for line in shown]
    columns = [Column("partner_id", "code", LOANS + "?partner={partner_id}"), Column("loans", "count", LOANS + "?partner={partner_id}"), Column("share_fen", "money")]
    option = charts.bars([line.partner_id for line in shown], {"": found}, is_lying=True)
    return Chart("funding-by-partner", option, Table("funding-by-partner", columns, rows), "funding-note")


SCREENS = [Screen("/console", "overview", "risk", overview, of(Duty.SEE_BOARDS), key="o")]
