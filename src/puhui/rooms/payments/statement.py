"""The rail's day file against our own orders: every difference found, named and classed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from puhui.foundation.dayfiles import DayFile, DayFileRefused, read_dayfile
from puhui.foundation.days import business_date

COLUMNS = ("settle_date", "rail_id", "order_id", "direction", "state", "amount_fen", "fee_fen", "ended_at")
_DIRECTIONS = frozenset({"pay_out", "collect", "received", "refund"})
_STATES = frozenset({"paid", "failed", "returned"})


class BreakKind(Enum):
    """What is wrong between the rail's file and our orders."""

    MISSING_AT_RAIL = "missing_at_rail"
    MISSING_HERE = "missing_here"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_FEE = "wrong_fee"
    WRONG_STATE = "wrong_state"
    WRONG_DAY = "wrong_day"
    DUPLICATE_ROW = "duplicate_row"
    CALLBACK_DIFFERS = "callback_differs"


@dataclass(frozen=True, slots=True, order=True)
class Movement:
    """One thing that happened to money on one day: a transfer that was paid, a return, or money received.

    `key` is the payment order, or the rail's own id for money received. A return is a movement of its own day.
    """

    key: str
    direction: str
    state: str
    amount_fen: int
    fee_fen: int
    day: date


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A break: what kind, of which movement, what we have and what the rail has (absent on the side that misses it)."""

    kind: BreakKind
    key: str
    ours: Movement | None
    theirs: Movement | None

    @property
    def amount_fen(self) -> int:
        """How much money the difference is about."""
        ours, theirs = (one.amount_fen if one else 0 for one in (self.ours, self.theirs))
        return abs(ours - theirs) or max(ours, theirs)


def read_transfers(name: str, content: bytes) -> list[Movement]:
    """Read the rail's file of one day. Raises DayFileRefused, naming the line; nothing of a bad file is used."""
    file = read_dayfile(name, content, COLUMNS)
    return [_movement(file, row, line) for line, row in enumerate(file.rows, start=2)]


def compare(ours: Iterable[Movement], theirs: Iterable[Movement]) -> list[Difference]:
    """Lay two lists of the same day's movements side by side and name every difference, in order of key.

    A row that says the same of the same movement twice is one difference, `DUPLICATE_ROW`; its money is not counted twice.
    """
    mine, their_first, again = _by_key(ours), {}, []
    for movement in theirs:
        where = (movement.key, movement.state == "returned")
        if where in their_first:
            again.append(Difference(BreakKind.DUPLICATE_ROW, movement.key, None, movement))
        else:
            their_first[where] = movement
    found = [difference for where in sorted(mine.keys() | their_first.keys()) for difference in _pair(mine.get(where), their_first.get(where))]
    return _as_one(found) + again


def _as_one(found: list[Difference]) -> list[Difference]:
    """Say it once where the same money is paid on one side and returned on the other: its state is wrong, nothing is missing."""
    by_key: dict[str, list[Difference]] = {}
    for difference in found:
        by_key.setdefault(difference.key, []).append(difference)
    said: list[Difference] = []
    for key, differences in by_key.items():
        here = [one.theirs for one in differences if one.kind is BreakKind.MISSING_HERE]
        there = [one.ours for one in differences if one.kind is BreakKind.MISSING_AT_RAIL]
        if len(differences) == 2 and here and there:
            said.append(Difference(BreakKind.WRONG_STATE, key, there[0], here[0]))
        else:
            said += differences
    return said


def counted(differences: Iterable[Difference]) -> Mapping[BreakKind, int]:
    """Count the differences by kind."""
    return Counter(difference.kind for difference in differences)


def _by_key(movements: Iterable[Movement]) -> dict[tuple[str, bool], Movement]:
    laid: dict[tuple[str, bool], Movement] = {}
    for movement in movements:
        where = (movement.key, movement.state == "returned")
        assert where not in laid, movement
        laid[where] = movement
    return laid


def _pair(ours: Movement | None, theirs: Movement | None) -> list[Difference]:
    if ours is None and theirs is not None:
        return [Difference(BreakKind.MISSING_HERE, theirs.key, None, theirs)]
    if theirs is None and ours is not None:
        return [Difference(BreakKind.MISSING_AT_RAIL, ours.key, ours, None)]
    assert ours is not None
    assert theirs is not None
    kinds = [
        kind
        for kind, differs in (
            (BreakKind.WRONG_STATE, ours.state != theirs.state or ours.direction != theirs.direction),
            (BreakKind.WRONG_AMOUNT, ours.amount_fen != theirs.amount_fen),
            (BreakKind.WRONG_FEE, ours.fee_fen != theirs.fee_fen),
            (BreakKind.WRONG_DAY, ours.day != theirs.day),
        )
        if differs
    ]
    return [Difference(kind, ours.key, ours, theirs) for kind in kinds]


def _movement(file: DayFile, row: Mapping[str, str], line: int) -> Movement:
    def refused(why: str) -> DayFileRefused:
        return DayFileRefused(name=str(file.name), why=why, line=line)

    if row["direction"] not in _DIRECTIONS:
        raise refused("direction is none of pay_out, collect, received, refund")
    if row["state"] not in _STATES:
        raise refused("state is none of paid, failed, returned")
    try:
        amount_fen, fee_fen = int(row["amount_fen"]), int(row["fee_fen"] or 0)
        settled = date.fromisoformat(row["settle_date"])
        ended = datetime.fromisoformat(row["ended_at"])
    except ValueError:
        raise refused("amount_fen, fee_fen, settle_date or ended_at is not as it should be") from None
    if amount_fen < 0 or fee_fen < 0 or ended.tzinfo is None:
        raise refused("an amount is below 0, or ended_at has no zone")
    day = settled if settled != file.name.day else business_date(ended)
    return Movement(row["order_id"] or row["rail_id"], row["direction"], row["state"], amount_fen, fee_fen, day)
