"""What the bureau holds of a resident from other lenders: accounts, their months, and who asked. White residents have none."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Literal

import numpy as np

from puhui_town.people.assumptions import Assumptions
from puhui_town.people.lives import MONTHS, Life, month_index, month_start
from puhui_town.people.records import Records
from puhui_town.people.streams import stream

CHINA = timezone(timedelta(hours=8))
AccountKind = Literal["D1", "R1", "R4", "R2"]
_KINDS: tuple[tuple[AccountKind, str, float, float], ...] = (
    ("D1", "consumer_finance", 0.34, 4000.0),
    ("D1", "micro_loan", 0.20, 2500.0),
    ("D1", "bank", 0.14, 12_000.0),
    ("R4", "bank", 0.12, 8000.0),
    ("R2", "card", 0.20, 9000.0),
)
_REASONS = ("loan_application", "loan_application", "card_application", "post_loan")
FIRST_OPENING = -36
"""Months before the first of a life in which the oldest accounts may have been opened."""
WRITTEN_OFF_AFTER = 8


@dataclass(frozen=True, slots=True)
class OldAccount:
    """An account at another lender: its whole course, known by month."""

    account: str
    kind: AccountKind
    lender_kind: str
    opened: date
    credit_fen: int
    months: int
    """Its term; a card has no end."""
    states: str
    """One code a month from the month of opening, of BUREAU.md 4.6."""
    used: float
    """Share of a card's credit that is used."""

    def closed(self) -> date | None:
        end = self.states.find("C")
        return month_start_before(self.opened, end) + timedelta(days=24) if end >= 0 else None


@dataclass(frozen=True, slots=True)
class Seen:
    """An account as of an instant: statuses are of complete months, at most 60."""

    account: OldAccount
    statuses: str
    balance_fen: int
    overdue_fen: int
    asset_class: int
    closed: date | None


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Another lender asked about the person."""

    at: datetime
    reason: str
    lender_kind: str


@dataclass(frozen=True, slots=True)
class OutsideDebt:
    """The debt of one resident at other lenders, as far as it is reported."""

    accounts: tuple[OldAccount, ...]
    inquiries: tuple[Inquiry, ...]

    def as_of(self, at: datetime) -> tuple[list[Seen], list[Inquiry]]:
        """What the bureau tells at that instant: months that are over, accounts whose first month is over, inquiries before."""
        day = at.astimezone(CHINA).date()
        accounts = [_seen(account, day) for account in self.accounts if _months_between(account.opened, day) >= 1]
        return accounts, [inquiry for inquiry in self.inquiries if inquiry.at < at]


def outside_debt(life: Life, assumptions: Assumptions) -> OutsideDebt | None:
    """The reported debt of a resident, or None for a white file."""
    person = life.person
    if person.is_white:
        return None
    generator = stream(person.seed, person.n, "borrow", part=1)
    strain = Records(life).strain()
    openings = sorted(
        [FIRST_OPENING + int((60 - FIRST_OPENING) * u) for u in generator.random(1 + generator.poisson(assumptions.number("outside.accounts_mean") - 1))]
        + np.flatnonzero(generator.random(MONTHS) < np.where(np.arange(MONTHS) < 60, 0.0, 0.03)).tolist()
    )
    accounts = [_account(life, strain, k, opening, generator) for k, opening in enumerate(openings)]
    inquiries = [
        Inquiry(datetime.combine(account.opened - timedelta(days=1), time(10 + k % 9, (k * 13) % 60), CHINA), "loan_application", account.lender_kind)
        for k, account in enumerate(accounts)
    ]
    asks = generator.random(MONTHS) < 0.07 * np.exp(np.clip(0.6 * strain - 0.25 * person.traits.patience, -1.5, 1.5))
    for m in np.flatnonzero(asks).tolist():
        u = generator.random(4)
        day = month_start(m) + timedelta(days=int(28 * u[0]))
        inquiries.append(
            Inquiry(datetime.combine(day, time(8 + int(12 * u[1]), int(60 * u[2])), CHINA), _REASONS[int(4 * u[3])], _KINDS[int(5 * u[1])][1])
        )
    return OutsideDebt(tuple(accounts), tuple(sorted(inquiries, key=lambda inquiry: inquiry.at)))


def _account(life: Life, strain: np.ndarray[tuple[int, ...], np.dtype[np.float64]], k: int, opening: int, generator: np.random.Generator
             ) -> OldAccount:  # fmt: skip
    u = generator.random(5)
    edge, kind = u[0], _KINDS[0]
    for kind in _KINDS:
        edge -= kind[2]
        if edge < 0:
            break
    t = life.person.traits
    term = (6, 12, 12, 24, 36)[int(5 * u[1])]
    credit = max(500, round(kind[3] * float(np.exp(0.5 * (u[2] + u[3] + u[4] - 1.5) * 2)) / 100) * 100)
    endless = kind[0] == "R2"
    months = MONTHS - opening if endless else term
    dice = generator.random((months + WRITTEN_OFF_AFTER + 4, 2))
    states, late, left = [], 0, months
    for m in range(min(len(dice), MONTHS - opening)):
        at = opening + m
        hard = float(strain[at]) if at >= 0 else 0.0
        if late == 0:
            late = int(dice[m, 0] < _logistic(-3.6 - 0.8 * t.prudence - 0.45 * t.honesty + 0.9 * hard))
        elif dice[m, 1] < _logistic(0.7 + 0.5 * t.prudence + 0.3 * t.honesty - 0.6 * hard - 0.25 * late):
            late = 0
        else:
            late += 1
        left -= late == 0
        if left <= 0 and late == 0:
            states.append("C")
            break
        states.append("B" if late >= WRITTEN_OFF_AFTER else str(min(late, 7)) if late else "N")
        if late >= WRITTEN_OFF_AFTER:
            break
    opened = month_start_before(month_start(max(opening, 0)), min(0, opening)) + timedelta(days=int(24 * u[3]))
    return OldAccount(f"oa-{life.person.n}-{k}", kind[0], kind[1], opened, credit * 100, 0 if endless else term, "".join(states), 0.2 + 0.7 * float(u[4]))


def _seen(account: OldAccount, day: date) -> Seen:
    over = min(_months_between(account.opened, day), len(account.states))
    course = account.states[:over]
    ended = course[-1] in "CB"
    paid = sum(code in "NC" for code in course)
    late = int(course[-1]) if course[-1].isdigit() else WRITTEN_OFF_AFTER if course[-1] == "B" else 0
    if course[-1] == "C":
        balance = 0
    elif account.months:
        balance = account.credit_fen * max(account.months - paid, 0) // account.months
    else:
        balance = int(account.credit_fen * account.used)
    each = account.credit_fen // account.months if account.months else max(balance // 10, 1)
    overdue = min(balance, each * late)
    asset_class = 1 if late == 0 else 2 if late <= 3 else 3 if late <= 6 else 4 if late <= 7 else 5
    closed = month_start_before(account.opened, over - 1) + timedelta(days=24) if ended and course[-1] == "C" else None
    return Seen(account, course[-60:], balance, overdue, asset_class, closed)


def _months_between(opened: date, day: date) -> int:
    return month_index(day) - month_index(opened)


def month_start_before(day: date, months: int) -> date:
    """The first of the month that lies `months` after (or before, when negative) the month of `day`."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _logistic(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))
