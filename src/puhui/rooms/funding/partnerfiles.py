"""What lender and funder tell each other of a day: the loans file, the balances file, and the funder's mirror compared with ours."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

from puhui.foundation.dayfiles import DayFileRefused, read_dayfile, write_dayfile
from puhui.foundation.money import Money
from puhui.vocabulary.ids import LoanId, PartnerId

LOAN_COLUMNS = (
    "business_date", "value_date", "loan_id", "event", "principal_fen", "interest_fen", "penalty_fen", "amount_fen", "share_ppm", "event_id",
)  # fmt: skip
BALANCE_COLUMNS = ("business_date", "loan_id", "principal_fen", "interest_fen", "overdue_days", "class", "amount_fen")


class LegEvent(Enum):
    """What happened to a funder's leg on a day."""

    DISBURSED = "disbursed"
    REPAID = "repaid"
    REFUNDED = "refunded"
    RESTRUCTURED = "restructured"
    COMPENSATED = "compensated"
    WRITTEN_OFF = "written_off"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, order=True)
class LoanRow:
    """An event of a funder's leg; the sums are the funder's part. `amount_fen` = principal + interest + penalty."""

    loan_id: LoanId
    event_id: str
    business_date: date
    value_date: date
    event: LegEvent
    principal_fen: int
    interest_fen: int
    penalty_fen: int
    share_ppm: int

    @property
    def amount_fen(self) -> int:
        return self.principal_fen + self.interest_fen + self.penalty_fen


@dataclass(frozen=True, slots=True, order=True)
class BalanceRow:
    """What a funder's leg stands at, at the close of a day. `amount_fen` = principal + interest."""

    loan_id: LoanId
    business_date: date
    principal_fen: int
    interest_fen: int
    overdue_days: int
    asset_class: str

    @property
    def amount_fen(self) -> int:
        return self.principal_fen + self.interest_fen


@dataclass(frozen=True, slots=True)
class PartnerFile:
    """A file to or from a funder and what became of it. `kind`: loans | balances | mirror; `state`: received | compared | refused."""

    name: str
    partner_id: PartnerId
    kind: str
    sha256: str
    rows: int
    state: str
    why: str = ""


class MirrorBreak(Enum):
    """What is wrong between a funder's mirror and our balances."""

    MISSING_THERE = "missing_there"
    MISSING_HERE = "missing_here"
    WRONG_PRINCIPAL = "wrong_principal"
    WRONG_INTEREST = "wrong_interest"
    WRONG_DAYS = "wrong_days"
    WRONG_CLASS = "wrong_class"
    WRONG_DAY = "wrong_day"
    DUPLICATE_ROW = "duplicate_row"


@dataclass(frozen=True, slots=True, order=True)
class MirrorDifference:
    """A break: which loan, what kind, what stands here and there (absent where the row is missing)."""

    loan_id: LoanId
    kind: MirrorBreak
    ours: BalanceRow | None
    theirs: BalanceRow | None


ROUNDING_FEN_MAX = 2
EASED = "restructured: the partner counts days and interest by the terms it reserved until it takes the new ones over"
ROUNDED = "share rounding: the partner sees only its own part of an odd sum, and splits it to within two fen"


def cause_of(difference: MirrorDifference, restructured: Container[LoanId]) -> str | None:
    """Name why a difference had to arise, where that is known: the loan was eased, or a part of an odd sum was rounded. None: it must be looked into."""
    ours, theirs = difference.ours, difference.theirs
    if ours is None or theirs is None or difference.kind in {MirrorBreak.DUPLICATE_ROW, MirrorBreak.WRONG_DAY}:
        return None
    if difference.loan_id in restructured:
        return EASED
    gap = max(abs(ours.principal_fen - theirs.principal_fen), abs(ours.interest_fen - theirs.interest_fen))
    is_amount = difference.kind in {MirrorBreak.WRONG_PRINCIPAL, MirrorBreak.WRONG_INTEREST}
    return ROUNDED if is_amount and gap <= ROUNDING_FEN_MAX else None


def write_loans(rows: Iterable[LoanRow]) -> bytes:
    """Write `funder-loans-P`, in order of loan and event."""
    return write_dayfile(
        LOAN_COLUMNS,
        [_loan_fields(row) for row in sorted(rows, key=lambda row: (row.loan_id, row.event_id))],
    )


def write_balances(rows: Iterable[BalanceRow]) -> bytes:
    """Write `funder-balances-P`, in order of loan."""
    return write_dayfile(
        BALANCE_COLUMNS,
        (
            (row.business_date, row.loan_id, row.principal_fen, row.interest_fen, row.overdue_days, row.asset_class, row.amount_fen)
            for row in sorted(rows, key=lambda row: row.loan_id)
        ),
    )


def read_mirror(name: str, content: bytes) -> list[BalanceRow]:
    """Read `funder-mirror-P`. Raises DayFileRefused, naming the line; nothing of a bad file is used."""
    file = read_dayfile(name, content, BALANCE_COLUMNS)
    return [_balance(name, row, line) for line, row in enumerate(file.rows, start=2)]


def compare_balances(ours: Iterable[BalanceRow], theirs: Iterable[BalanceRow]) -> list[MirrorDifference]:
    """Lay a funder's mirror beside our balances of the same day and name every difference, in order of loan."""
    mine = {row.loan_id: row for row in ours}
    mirrored: dict[LoanId, BalanceRow] = {}
    again: list[MirrorDifference] = []
    for row in theirs:
        if row.loan_id in mirrored:
            again.append(MirrorDifference(row.loan_id, MirrorBreak.DUPLICATE_ROW, None, row))
        else:
            mirrored[row.loan_id] = row
    found = [difference for loan_id in sorted(mine.keys() | mirrored.keys()) for difference in _pair(mine.get(loan_id), mirrored.get(loan_id))]
    return found + again


def settlement(rows: Sequence[LoanRow]) -> Money:
    """Give what one funder is owed for a day: its part of everything repaid and recovered, less what was given back.

    Below 0: more was given back than came in; it is set against the next day's.
    """
    signs = {
        LegEvent.DISBURSED: 0,
        LegEvent.REPAID: 1,
        LegEvent.REFUNDED: -1,
        LegEvent.RESTRUCTURED: 0,
        LegEvent.COMPENSATED: 1,
        LegEvent.WRITTEN_OFF: 0,
        LegEvent.RECOVERED: 1,
    }
    return Money(sum(signs[row.event] * abs(row.amount_fen) for row in rows))


def _loan_fields(row: LoanRow) -> tuple[object, ...]:
    parts = (row.principal_fen, row.interest_fen, row.penalty_fen, row.amount_fen)
    return (row.business_date, row.value_date, row.loan_id, row.event.value, *parts, row.share_ppm, row.event_id)


def _pair(ours: BalanceRow | None, theirs: BalanceRow | None) -> list[MirrorDifference]:
    if ours is None and theirs is not None:
        return [MirrorDifference(theirs.loan_id, MirrorBreak.MISSING_HERE, None, theirs)]
    if theirs is None and ours is not None:
        return [MirrorDifference(ours.loan_id, MirrorBreak.MISSING_THERE, ours, None)]
    assert ours is not None
    assert theirs is not None
    checks = (
        (MirrorBreak.WRONG_DAY, ours.business_date == theirs.business_date),
        (MirrorBreak.WRONG_PRINCIPAL, ours.principal_fen == theirs.principal_fen),
        (MirrorBreak.WRONG_INTEREST, ours.interest_fen == theirs.interest_fen),
        (MirrorBreak.WRONG_DAYS, ours.overdue_days == theirs.overdue_days),
        (MirrorBreak.WRONG_CLASS, ours.asset_class == theirs.asset_class),
    )
    return [MirrorDifference(ours.loan_id, kind, ours, theirs) for kind, agrees in checks if not agrees]


def _balance(name: str, row: Mapping[str, str], line: int) -> BalanceRow:
    try:
        balance = BalanceRow(
            LoanId(row["loan_id"]),
            date.fromisoformat(row["business_date"]),
            int(row["principal_fen"]),
            int(row["interest_fen"]),
            int(row["overdue_days"]),
            row["class"],
        )
        amount_fen = int(row["amount_fen"])
    except ValueError:
        raise DayFileRefused(name=name, why="a sum, number of days or date is not as it should be", line=line) from None
    if amount_fen != balance.amount_fen:
        raise DayFileRefused(name=name, why="amount_fen is not principal + interest", line=line)
    return balance
