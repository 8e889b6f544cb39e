"""The funder's view of its own loans: what it lent, what it got back, and, by its own arithmetic, what it is owed at the end of a day.

It knows the contract from the reservation, the day of the pay-out from its pool, and of each repayment its own part and the day. The sum
the borrower paid in all is found again from that part: the sum whose own allocation gives us exactly this much.
"""

from collections.abc import Iterable
from datetime import date

import msgspec

from puhui_town.funder.arithmetic import PPM, Contract, Loan, Sums, class_of, part_of
from puhui_town.funder.reservation import Reservation

LOAN_COLUMNS = (
    "business_date", "value_date", "loan_id", "event", "principal_fen", "interest_fen", "penalty_fen", "amount_fen", "share_ppm", "event_id",
)  # fmt: skip
BALANCE_COLUMNS = ("business_date", "loan_id", "principal_fen", "interest_fen", "overdue_days", "class", "amount_fen")
PAYING = frozenset({"repaid", "compensated", "recovered"})
EVENTS = PAYING | {"disbursed", "refunded", "restructured", "written_off"}
NEAR_FEN = 3


class Told(msgspec.Struct, frozen=True):
    """A line of `funder-loans-P`, kept: what happened, when it counts, and our part of it."""

    event_id: str
    event: str
    business_date: date
    value_date: date
    principal_fen: int
    interest_fen: int
    penalty_fen: int
    part: int = 1
    """The part of the day's file it stood in."""

    @property
    def sums(self) -> Sums:
        return Sums(self.principal_fen, self.interest_fen, self.penalty_fen)


def mirror_row(reservation: Reservation, paid_out: date, told: Iterable[Told], day: date) -> tuple[object, ...] | None:
    """Give a loan's line of `funder-mirror-P` at the end of a day, or None when nothing is owed any more."""
    return Legs().leg(reservation, paid_out, list(told)).row(day)


class Legs:
    """Legs already folded, so that a day costs only what is new in it."""

    def __init__(self) -> None:
        self._folded: dict[str, tuple[list[Told], Leg]] = {}

    def leg(self, reservation: Reservation, paid_out: date, told: list[Told]) -> "Leg":
        """Give the leg after these events. Goes on from the last fold if they only follow it; else folds anew."""
        loan_id = reservation.asked.loan_id
        counted = _as_they_count(told)
        known = self._folded.get(loan_id)
        if known is not None and known[1].loan.paid_out == paid_out and counted[: len(known[0])] == known[0]:
            leg, fresh = known[1], counted[len(known[0]) :]
        else:
            leg, fresh = Leg(reservation, paid_out), counted
        for event in fresh:
            leg.take(event)
        self._folded[loan_id] = (counted, leg)
        return leg


class Leg:
    """Our part of one loan, folded from what we were told of it."""

    def __init__(self, reservation: Reservation, paid_out: date) -> None:
        asked = reservation.asked
        self.loan_id = asked.loan_id
        self.share_ppm = reservation.share_ppm
        self.loan = Loan(Contract(asked.loan_fen, asked.rate_ppm, asked.months, asked.method, asked.convention), paid_out)
        self.told = Sums()
        self.is_restructured = False

    def got(self, loan: Loan) -> Sums:
        """Give our part of all that was paid of a loan."""
        paid = loan.paid()
        share = self.share_ppm
        return Sums(part_of(paid.principal_fen, share), part_of(paid.interest_fen, share), part_of(paid.penalty_fen, share))

    def take(self, event: Told) -> None:
        if event.event in PAYING:
            self.loan.pay(event.value_date, self.whole_of(event.value_date, event.sums))
        elif event.event == "written_off":
            self.loan.stop(event.value_date)
        elif event.event == "restructured":
            self.loan.reopen(event.value_date)
            self.is_restructured = True

    def whole_of(self, on: date, part: Sums) -> int:
        """Give the sum the borrower paid, of which `part` is ours: the one whose own allocation gives us as much in all as we were told of.

        What was due, or the payoff, goes before any other sum if it leaves us within a fen: a part in whole fen does not tell them apart.
        """
        due, payoff = self.loan.due_fen(on), self.loan.payoff_fen(on)
        about = part.total_fen * PPM // self.share_ppm
        reach = NEAR_FEN * PPM // self.share_ppm + NEAR_FEN
        likely = [fen for fen in (due, payoff) if abs(fen - about) <= reach and fen > 0]
        near = [fen for fen in range(max(about - reach, 1), about + reach + 1) if fen not in likely]
        self.told += part
        best, best_off = about, (reach, reach)
        for k, fen in enumerate([*likely, *near]):
            tried = self.loan.copy()
            tried.pay(on, fen)
            apart = self.got(tried) - self.told
            if k < len(likely) and abs(apart.total_fen) <= 1:
                return fen
            off = (abs(apart.total_fen), abs(apart.principal_fen) + abs(apart.interest_fen) + abs(apart.penalty_fen))
            if off < best_off:
                best, best_off = fen, off
        return best

    def row(self, day: date) -> tuple[object, ...] | None:
        """Give the line of a day. A remainder too small to show in our part is none of which we could say that it is late."""
        loan = self.loan
        unseen_fen = PPM // self.share_ppm + 1
        if loan.is_settled(day, beyond_fen=unseen_fen):
            return None
        got = self.got(loan)
        principal = part_of(loan.contract.principal_fen, self.share_ppm) - got.principal_fen
        interest = part_of(loan.earned_interest_fen(day), self.share_ppm) - got.interest_fen
        late = loan.days_late(day, beyond_fen=unseen_fen)
        name = class_of(late, is_written_off=loan.stopped is not None)
        if self.is_restructured and name == "normal":
            name = "special_mention"
        return (day.isoformat(), self.loan_id, principal, interest, late, name, principal + interest)


def _as_they_count(told: Iterable[Told]) -> list[Told]:
    """Give the events by value date; a refund takes the repayments before it back, the latest first."""
    kept: list[Told] = []
    for event in told:
        if event.event != "refunded":
            kept.append(event)
            continue
        left = event.sums
        for k in range(len(kept) - 1, -1, -1):
            if kept[k].event not in PAYING or not left.total_fen:
                continue
            taken = Sums(
                min(left.principal_fen, kept[k].principal_fen), min(left.interest_fen, kept[k].interest_fen),
                min(left.penalty_fen, kept[k].penalty_fen),
            )  # fmt: skip
            rest = kept[k].sums - taken
            kept[k] = msgspec.structs.replace(
                kept[k], principal_fen=rest.principal_fen, interest_fen=rest.interest_fen, penalty_fen=rest.penalty_fen
            )
            left -= taken
    counted = [event for event in kept if event.event not in PAYING or event.sums.total_fen]
    return sorted(counted, key=lambda event: (event.value_date, _number(event.event_id)))


def _number(event_id: str) -> tuple[int, str]:
    tail = event_id.rsplit(".", 1)[-1]
    return (int(tail) if tail.isdigit() else 0, event_id)
