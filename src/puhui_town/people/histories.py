"""A former lender's book: what a first scorecard may be fitted on, from other persons than those of the run (9.10).

The other lender decided by the bureau file and the age alone. Its applications lie in `months` months; its book is looked at a year after
the last of them. Nothing in it tells a trait or anybody's future: what is known is what the sources, the bureau and its own ledger saw.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec

from puhui_town.people.assumptions import Assumptions, default_population
from puhui_town.people.debtor import Debtor
from puhui_town.people.lives import Life, lives_of
from puhui_town.people.needs import CHINA, Need, Needs
from puhui_town.people.outside import OutsideDebt, month_start_before, outside_debt
from puhui_town.people.person import SOURCES, Person, draw_person
from puhui_town.people.records import Records, wall_seconds
from puhui_town.people.report import report_of

FIRST_DAY = date(2023, 6, 1)
SHARE_OF_NEEDS = 0.45
"""Part of all needs that this lender sees; the others go elsewhere, or nowhere."""
WATCHED_MONTHS = 12
"""How long after its last application the book is looked at."""
HISTORY_DAYS = 730
WRITTEN_OFF_DAYS = 210
RATES_PPM = (180_000, 210_000, 238_000)
BATCH = 250
Tell = Callable[[int, int], None]
"""Told how many of how many people are done."""

APPLICATIONS = ("person_no", "applied_at", "amount_fen", "months", "purpose", "scene", "place_code", "age", "outcome", "rate_ppm")
EVENTS = ("person_no", "source", "event_id", "at", "known_at", "kind", "data")
MONTHS = ("person_no", "applied_at", "month", "status", "days_late", "balance_fen")


@dataclass(frozen=True, slots=True)
class Row:
    """One due installment and what became of it. Amounts in fen."""

    due: date
    due_fen: int
    principal_fen: int


@dataclass(slots=True)
class Month:
    """The last day of a month of a loan."""

    month: str
    status: str
    days_late: int
    balance_fen: int


@dataclass(slots=True)
class Payment:
    """An installment, when it was paid (None: never), and how late it was or is."""

    number: int
    due: date
    due_fen: int
    paid: date | None
    paid_fen: int


@dataclass(slots=True)
class Application:
    """One application at the former lender. `months` and `payments` are empty where nothing was lent."""

    need: Need
    applied_at: datetime
    scene: str
    age: int
    outcome: str
    rate_ppm: int
    months: list[Month] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    purse: float = 0.0
    """Cash at the start: truth, never written into the book."""

    @property
    def was_bad(self) -> bool:
        """90 days late within twelve months of the pay-out."""
        return any(m.days_late >= 90 for m in self.months[:13])


@dataclass(slots=True)
class Borrower:
    """A person of the book, what he did there, and what was recorded of him."""

    life: Life
    debt: OutsideDebt | None
    records: Records
    applications: list[Application]
    closes_at: datetime
    """When the book's applications end: as of then those are looked at who never applied."""

    @property
    def first_at(self) -> datetime:
        """The first instant at which somebody looked at the person."""
        return self.applications[0].applied_at if self.applications else self.closes_at

    @property
    def last_at(self) -> datetime:
        """The last one."""
        return self.applications[-1].applied_at if self.applications else self.closes_at

    @property
    def person(self) -> Person:
        return self.life.person


def histories_seed(seed: int | str) -> str:
    """The seed of the book's people: never those of the run."""
    return f"history|{seed}"


def book_of(
    seed: int | str, people: int, months: int, a: Assumptions | None = None, first: date = FIRST_DAY, *, everyone: bool = False,
) -> Iterator[Borrower]:
    """Live through the other lender's business, person by person; who never applied is left out unless everyone is asked for."""
    assumptions = a or default_population()
    until = month_start_before(first, months)
    closes = month_start_before(until, WATCHED_MONTHS)
    for low in range(0, people, BATCH):
        drawn = [draw_person(histories_seed(seed), n, a) for n in range(low, min(low + BATCH, people))]
        for life in lives_of(drawn, assumptions):
            borrower = _borrower(life, assumptions, first, until, closes)
            if borrower.applications or everyone:
                yield borrower


def _borrower(life: Life, a: Assumptions, first: date, until: date, closes: date) -> Borrower:
    needs = Needs.of(life, a)
    debt = outside_debt(life, a)
    applications: list[Application] = []
    debtor: Debtor | None = None
    busy_until = first
    at = datetime(first.year, first.month, first.day, tzinfo=CHINA)
    while (need := needs.next(at)) is not None and need.at.date() < until:
        at = need.at
        if need.dice[0] >= SHARE_OF_NEEDS or need.at.date() < busy_until:
            continue
        application = _decide(life, debt, need)
        applications.append(application)
        if application.outcome != "granted":
            continue
        day = need.at.date()
        if debtor is None:
            debtor = Debtor.of(life, day, a)
        application.purse = debtor.purse.on(day)
        busy_until = _repay(application, debtor, day, closes)
    return Borrower(life, debt, Records(life), applications, datetime(until.year, until.month, until.day, tzinfo=CHINA))


def _decide(life: Life, debt: OutsideDebt | None, need: Need) -> Application:
    """The other lender's old rule: the age, and the worst and the newest of the bureau file; nothing else of the person counts."""
    person = life.person
    age = person.age(need.at.date())
    outcome, rate = "declined", 0
    if debt is None:
        if 24 <= age <= 50 and need.amount_fen <= 500_000:
            outcome, rate = "granted", RATES_PPM[2]
    else:
        accounts, inquiries = debt.as_of(need.at)
        worst = max((int(code) if code.isdigit() else 8 if code == "B" else 0 for seen in accounts for code in seen.statuses[-24:]), default=0)
        recent = sum(need.at - inquiry.at < timedelta(days=90) for inquiry in inquiries)
        if 22 <= age <= 60 and worst <= 2 and recent <= 4:
            outcome, rate = "granted", RATES_PPM[min(worst, 1)]
    if outcome == "granted" and rate > person.reservation_ppm * (1 + 0.5 * need.dice[1]):
        outcome = "not_taken"
    return Application(need, need.at, f"sc{1 + int(need.dice[2] * 300):03d}", age, outcome, rate)


def schedule(start: date, principal_fen: int, rate_ppm: int, months: int) -> list[Row]:
    """Level payments in whole fen, the last one takes what is left; due on the day of the pay-out (at most the 28th)."""
    month_ppm = rate_ppm // 12
    rate = month_ppm / 1_000_000
    level = round(principal_fen * rate / (1 - (1 + rate) ** -months))
    rows, balance = [], principal_fen
    for k in range(1, months + 1):
        interest = (balance * month_ppm + 500_000) // 1_000_000
        principal = balance if k == months else min(level - interest, balance)
        due = month_start_before(start, k).replace(day=min(start.day, 28))
        rows.append(Row(due, principal + interest, principal))
        balance -= principal
    return rows


def _repay(application: Application, debtor: Debtor, start: date, closes: date) -> date:
    """Live through the loan until it is settled, written off, or the book closes; gives the day from which the person may borrow again."""
    rows = schedule(start, application.need.amount_fen, application.rate_ppm, application.need.months)
    payments = [Payment(k, row.due, row.due_fen, None, 0) for k, row in enumerate(rows, 1)]
    application.payments = payments
    paid_rows, day = 0, start
    while day < closes:
        day += timedelta(days=1)
        due_rows = sum(row.due <= day for row in rows[paid_rows:]) if day >= rows[min(paid_rows, len(rows) - 1)].due else 0
        owed = sum(p.due_fen - p.paid_fen for p in payments[paid_rows : paid_rows + due_rows])
        late = (day - payments[paid_rows].due).days if owed else 0
        if owed:
            left = debtor.leaves(day, owed / 100, late)
            taken = min(int(left * 100), owed)
            debtor.purse.move(-taken / 100)
            while taken > 0:
                payment = payments[paid_rows]
                part = min(taken, payment.due_fen - payment.paid_fen)
                payment.paid_fen += part
                taken -= part
                if payment.paid_fen == payment.due_fen:
                    payment.paid = day
                    paid_rows += 1
            owed = sum(p.due_fen - p.paid_fen for p in payments[paid_rows:] if p.due <= day)
            late = (day - payments[paid_rows].due).days if owed else 0
        if (day + timedelta(days=1)).day == 1 or paid_rows == len(rows) or late >= WRITTEN_OFF_DAYS:
            balance = sum(row.principal_fen for row in rows[paid_rows:])
            ended = "C" if paid_rows == len(rows) else "B" if late >= WRITTEN_OFF_DAYS else ""
            status = ended or (str(min((late + 29) // 30, 7)) if late else "N" if day >= rows[0].due else "*")
            _close_month(application.months, Month(f"{day:%Y-%m}", status, late, balance))
            if ended:
                return day + timedelta(days=1) if ended == "C" else closes
    return closes


def _close_month(months: list[Month], month: Month) -> None:
    """A loan that ends on the last day of a month has one line for it."""
    if months and months[-1].month == month.month:
        months[-1] = month
    else:
        months.append(month)


def write_tables(out: Path, seed: int | str, people: int, months: int, *, a: Assumptions | None = None, tell: Tell | None = None) -> dict[str, int]:
    """Write only the five tables, the fetches and the outcomes, and give how many people and applications there are."""
    from puhui_town.people.booktables import TableWriter

    out.mkdir(parents=True, exist_ok=True)
    counts = {"people": 0, "applications": 0}
    with TableWriter(out) as tables:
        for borrower in book_of(seed, people, months, a, everyone=True):
            tables.add(borrower)
            borrower.records.forget()
            counts["people"] += 1
            counts["applications"] += len(borrower.applications)
            if tell is not None:
                tell(borrower.person.n + 1, people)
    return counts


def write_book(out: Path, seed: int | str, people: int, months: int, *, truth: bool = False, a: Assumptions | None = None,
               tell: Tell | None = None) -> dict[str, int]:  # fmt: skip
    """Write the book's files into a folder and give their row counts. `truth` also writes the folder `truth/`, for evaluation only."""
    from puhui_town.people.booktables import TableWriter
    from puhui_town.people.booktruth import write_truth

    out.mkdir(parents=True, exist_ok=True)
    counts = dict.fromkeys(("applications", "events", "reports", "months", "people"), 0)
    kept: list[Borrower] = []
    with (
        (out / "applications.csv").open("w", encoding="utf-8", newline="") as applications,
        (out / "events.csv").open("w", encoding="utf-8", newline="") as events,
        (out / "reports.jsonl").open("w", encoding="utf-8") as reports,
        (out / "months.csv").open("w", encoding="utf-8", newline="") as month_rows,
        TableWriter(out) as tables,
    ):
        to_applications, to_months = csv.writer(applications, lineterminator="\n"), csv.writer(month_rows, lineterminator="\n")
        to_applications.writerow(APPLICATIONS)
        to_months.writerow(MONTHS)
        events.write(",".join(EVENTS) + "\n")
        for borrower in book_of(seed, people, months, a, everyone=True):
            n = borrower.person.n
            if not borrower.applications:
                tables.add(borrower)
                borrower.records.forget()
                continue
            for one in borrower.applications:
                at = _instant(one.applied_at)
                to_applications.writerow(
                    (n, at, one.need.amount_fen, one.need.months, one.need.purpose, one.scene, borrower.person.living.place_code, one.age,
                     one.outcome, one.rate_ppm)
                )  # fmt: skip
                to_months.writerows((n, at, m.month, m.status, m.days_late, m.balance_fen) for m in one.months)
                report = report_of(borrower.debt, n, one.applied_at)
                line = {"person_no": n, "applied_at": at, "found": report is not None} | ({"report": report} if report else {})
                reports.write(msgspec.json.encode(line).decode() + "\n")
                counts["months"] += len(one.months)
            counts["applications"] += len(borrower.applications)
            counts["reports"] += len(borrower.applications)
            counts["people"] += 1
            counts["events"] += _write_events(events.write, borrower)
            tables.add(borrower)
            borrower.records.forget()
            if truth:
                kept.append(borrower)
            if tell is not None:
                tell(n + 1, people)
    if truth:
        write_truth(out / "truth", kept, a or default_population())
    return counts


def _write_events(write: Callable[[str], object], borrower: Borrower) -> int:
    """The person's events from two years before the first application until the last, source by source; gives their number."""
    first = wall_seconds(borrower.applications[0].applied_at) - HISTORY_DAYS * 86_400
    last = wall_seconds(borrower.applications[-1].applied_at)
    written = 0
    for source in SOURCES:
        if not borrower.records.has(source):
            continue
        for rows, low, high in borrower.records.stretches(source, first, last):
            head = f"{borrower.person.n},{source},"
            lines = rows.lines(low, high)
            write("".join([f"{head}{line}\n" for line in lines]))
            written += high - low
    return written


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
