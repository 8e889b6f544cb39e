"""Cases: what a person asks of us that a person answers, each with its legal clock. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import assert_never

from puhui.engines import law
from puhui.engines.law import AnswerClock, Laws, PackRef


class Kind(Enum):
    """What the case is about. A freeze is one too: somebody must look at it."""

    COMPLAINT = "complaint"
    DISPUTE = "dispute"
    REVIEW = "review"
    NOT_MINE = "not_mine"
    HARDSHIP = "hardship"
    FREEZE = "freeze"
    QUESTION = "question"


class State(Enum):
    OPENED = "opened"
    INVESTIGATED = "investigated"
    ANSWERED = "answered"
    MEDIATED = "mediated"
    CLOSED = "closed"


FOLLOWS = {
    State.OPENED: (State.INVESTIGATED, State.ANSWERED),
    State.INVESTIGATED: (State.ANSWERED,),
    State.ANSWERED: (State.MEDIATED, State.CLOSED),
    State.MEDIATED: (State.CLOSED,),
    State.CLOSED: (),
}
"""What may come after a state. The legal clock stops at `answered`."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `subject` is what it is about (a loan, a decision, a bureau month, or ""), `due` the last day for an answer."""

    customer_id: str
    case_id: str
    kind: Kind
    subject: str
    text: str
    state: State
    opened_at: datetime
    due: date
    packs: tuple[str, ...]
    proof_ref: str = ""
    answered_at: datetime | None = None
    answered_by: str = ""
    outcome: str = ""
    answer: str = ""
    closed_at: datetime | None = None

    def is_overdue(self, today: date) -> bool:
        """Say whether the answer is late by the legal clock."""
        return self.answered_at is None and today > self.due


def clock_of(kind: Kind, *, on: date, laws: Laws) -> tuple[AnswerClock, tuple[PackRef, ...]]:
    """Give the clock that runs for a case opened on this day, and the packs that set it."""
    match kind:
        case Kind.COMPLAINT:
            complaint = laws.ask(law.ComplaintRules, on=on)
            return complaint.answer, complaint.refs
        case Kind.DISPUTE:
            record = laws.ask(law.CreditRecordRules, on=on)
            return record.answer, record.refs
        case Kind.HARDSHIP:
            contact = laws.ask(law.ContactRules, on=on)
            if contact.hardship_answer is None:
                raise law.NoRule(jurisdiction="cn", what="collection.hardship_answer_days", on=on.isoformat())
            return contact.hardship_answer, contact.refs
        case Kind.REVIEW | Kind.NOT_MINE | Kind.FREEZE | Kind.QUESTION:
            own = laws.ask(law.CaseRules, on=on)
            clocks = {Kind.REVIEW: own.review, Kind.NOT_MINE: own.not_mine, Kind.FREEZE: own.freeze, Kind.QUESTION: own.question}
            return clocks[kind], own.refs
        case _:
            assert_never(kind)
