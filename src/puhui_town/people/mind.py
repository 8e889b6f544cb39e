"""What a resident keeps in mind about the lender, and what his phone keeps: rows of the town's store."""

import tomllib
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from puhui_town.people.assumptions import Assumptions

INBOX_KEPT = 60


class Debt(msgspec.Struct):
    """A loan as its debtor sees it. Sums in fen, days as ordinals; 0 days mean never."""

    loan_id: str
    paid_out_fen: int = 0
    paid_back_fen: int = 0
    paid_out_day: int = 0
    late_since: int = 0
    """The day of the first collect that is not yet paid in full."""
    late_spans: list[list[int]] = []
    """Stretches of days in which something was owed and not paid, [first, last], as the person remembers them."""
    asked_fen: int = 0
    asked_day: int = 0
    part_day: int = 0
    own_fen: int = 0
    own_day: int = 0
    """What he pays of his own will, and on which day."""
    is_halved: bool = False
    has_asked_hardship: bool = False
    is_over: bool = False


def was_late_in(debt: Debt, first: int, last: int) -> bool:
    """Whether the person remembers owing anything late on a day of [first, last] (ordinals)."""
    spans = [*debt.late_spans, *([[debt.late_since, 10**7]] if debt.late_since else [])]
    return any(span[0] <= last and span[1] >= first for span in spans)


class Consented(msgspec.Struct):
    """A consent the resident gave."""

    consent_id: str
    item: str
    until: date


class Mind(msgspec.Struct):
    """One resident, as far as the run has changed him. A row changed in place counts only when it is put again."""

    n: int
    purse_day: int = 0
    purse_cash: float = 0.0
    anger: float = 0.0
    anger_day: int = 0
    reminded_ms: list[int] = []
    is_customer: bool = False
    is_identified: bool = False
    is_bound: bool = False
    card: int = 0
    """Which of his cards is bound."""
    lost_cards: list[int] = []
    more_cards: list[int] = []
    phone_given: int = 0
    """Which of his numbers the lender knows."""
    phones_had: int = 0
    """The newest of his numbers."""
    devices_known: list[str] = []
    consents: list[Consented] = []
    debts: dict[str, Debt] = {}
    sessions: int = 0
    """How many sessions he has opened; the next one's number is one more."""
    is_closed: bool = False
    has_opted_out: bool = False
    owed_complaint: str = ""
    disputed: list[str] = []
    """Marks he has objected to, as account and month."""
    was_asked_by: list[str] = []
    answers: str = ""
    """How calls are answered, when whoever plays him has said so: `self`, `nobody`, or empty for as he likes."""
    sent: int = 0
    """How many times money was sent by hand."""

    @property
    def open_debts(self) -> list[Debt]:
        return [debt for debt in self.debts.values() if not debt.is_over]

    @property
    def is_late(self) -> bool:
        return any(debt.late_since for debt in self.open_debts)


class Text(msgspec.Struct, frozen=True):
    """A text in an inbox."""

    message_id: str
    at: str
    sender: str
    purpose: str
    text: str
    code: str = ""
    subject: str = ""


class Inbox(msgspec.Struct):
    """The texts that reached one phone number, newest last; older than sixty are gone."""

    texts: list[Text] = []

    def add(self, text: Text) -> None:
        self.texts = [*self.texts[-(INBOX_KEPT - 1) :], text]

    def code_of(self, otp_id: str) -> str | None:
        """The code that came with this id, if it came."""
        return next((text.code for text in reversed(self.texts) if text.subject == otp_id and text.code), None)


def anger_on(mind: Mind, day: date, a: Assumptions) -> float:
    """Anger fades by a tenth a month."""
    months = max(day.toordinal() - mind.anger_day, 0) / 30.4
    return mind.anger * float((1 - a.number("contact.anger_decay")) ** months)


def anger_up(mind: Mind, day: date, by: float, a: Assumptions) -> None:
    mind.anger, mind.anger_day = anger_on(mind, day, a) + by, day.toordinal()


def reminder_on(mind: Mind, at: datetime, a: Assumptions) -> float:
    """What the contacts of the last 48 hours add to the wish to pay: the first 0.5, the second 0.1, later ones -0.2 each."""
    since = int(at.timestamp() * 1000) - a.whole("contact.lasts_h") * 3_600_000
    count = sum(ms >= since for ms in mind.reminded_ms)
    steps = (a.number("contact.first_reminder"), a.number("contact.second_reminder"))
    return sum(steps[:count]) + max(count - 2, 0) * a.number("contact.later_reminder")


@cache
def sentences() -> dict[str, dict[str, list[str]]]:
    """What people say, by occasion."""
    data: dict[str, Any] = tomllib.loads(files("puhui_town.people").joinpath("sentences.toml").read_text(encoding="utf-8"))
    return data


def say(group: str, occasion: str, u: float) -> str:
    lines = sentences()[group][occasion]
    return lines[int(u * len(lines)) % len(lines)]
