"""What one loan puts on the books: its cumulative balances as a pure function of its state.

A posting is the difference between two of these, so nothing is booked twice and a backdated event gives exactly one difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from puhui.engines.schedules import Parts, Standing, State, split, split_step
from puhui.rooms.ledger.accounts import LENDER, MAIN, chart

Lines = dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Leg:
    """A funder's part of a loan: who, and the share in ppm; the legs of a loan sum to 1,000,000."""

    partner_id: str
    share_ppm: int


@dataclass(frozen=True, slots=True)
class LegFigures:
    """What one leg lent, got, gave up and earned, cumulative, in fen. `recovered` is the part of `got` that came after a write-off."""

    drawn_fen: int
    got: Parts
    recovered: Parts
    waived: Parts
    written_off: Parts
    earned_interest_fen: int
    earned_penalty_fen: int


def leg_figures(state: State, legs: Sequence[Leg]) -> tuple[LegFigures, ...]:
    """Cut a loan's figures by its legs. What was paid is cut event by event, in value order; the rest by plain split of the sums."""
    shares = [leg.share_ppm for leg in legs]
    got, before = _got(state, shares)
    figures = state.figures
    drawn = split(figures.drawn_fen, shares)
    waived = _split_parts(figures.waived, shares)
    written_off = _split_parts(figures.written_off, shares)
    interest, penalty = split(figures.earned_interest_fen, shares), split(figures.earned_penalty_fen, shares)
    return tuple(
        LegFigures(drawn[k], got[k], got[k] - before[k], waived[k], written_off[k], interest[k], penalty[k]) for k in range(len(legs))
    )


def _got(state: State, shares: Sequence[int]) -> tuple[list[Parts], list[Parts]]:
    """Give what each leg got in all, and what of it came before a write-off. Fees belong to payees, not to legs."""
    sums = {name: [0] * len(shares) for name in ("principal", "interest", "penalty")}
    before = [Parts()] * len(shares)
    for allocation in state.allocations:
        amounts = (allocation.parts.principal_fen, allocation.parts.interest_fen, allocation.parts.penalty_fen)
        for (name, had), amount in zip(sums.items(), amounts, strict=True):
            sums[name] = [a + b for a, b in zip(had, split_step(had, amount, shares), strict=True)] if amount else had
        if not allocation.is_recovery:
            before = _as_parts(sums)
    return _as_parts(sums), before


def _as_parts(sums: Mapping[str, Sequence[int]]) -> list[Parts]:
    rows = zip(sums["principal"], sums["interest"], sums["penalty"], strict=True)
    return [Parts(principal, interest, 0, penalty) for principal, interest, penalty in rows]


def _split_parts(parts: Parts, shares: Sequence[int]) -> list[Parts]:
    principal, interest, penalty = (split(fen, shares) for fen in (parts.principal_fen, parts.interest_fen, parts.penalty_fen))
    return [Parts(principal[k], interest[k], 0, penalty[k]) for k in range(len(shares))]


def books(state: State, legs: Sequence[Leg], cash: Mapping[str, int], *, is_nonaccrual: bool) -> Lines:
    """Give a loan's cumulative balances by (account, owner).

    `cash` is the money that came in and went out by rail account, without the pay-out. `is_nonaccrual` keeps interest off the books.
    """
    lines: Lines = {}

    def put(account: str, owner: str, fen: int) -> None:
        assert account in chart(), account
        if fen:
            lines[account, owner] = lines.get((account, owner), 0) + fen

    for account, fen in cash.items():
        put("cash", account, fen)
    put("payable.customer", LENDER, -state.figures.credit_fen)
    for payee in state.figures.payees:
        if payee.payee == LENDER:
            put("income.fees", LENDER, -payee.paid_fen)
        else:
            put("payable.payee", payee.payee, -payee.paid_fen)
    for leg, figures in zip(legs, leg_figures(state, legs), strict=True):
        if leg.partner_id == LENDER:
            put("cash", MAIN, -figures.drawn_fen)
            own = _own_lines(state.standing, figures, is_off_books=is_nonaccrual or state.written_off_on is not None, state=state)
            for account, fen in own.items():
                put(account, LENDER, fen)
        else:
            put("payable.funder", leg.partner_id, -figures.got.total_fen)
            for account, fen in _funder_lines(state.standing, figures).items():
                put(account, leg.partner_id, fen)
    assert sum(lines.values()) == 0, lines
    return {key: fen for key, fen in lines.items() if fen}


def _own_lines(standing: Standing, leg: LegFigures, *, is_off_books: bool, state: State) -> dict[str, int]:
    before = leg.got - leg.recovered
    lines = {
        "loans.principal": leg.drawn_fen - before.principal_fen - leg.waived.principal_fen,
        "expense.waiver": leg.waived.principal_fen,
        "income.recovery": -leg.recovered.total_fen,
    }
    if is_off_books:
        lines["income.interest"] = -before.interest_fen
        lines["income.penalty"] = -before.penalty_fen
    else:
        lines["income.interest"], lines["income.penalty"] = -leg.earned_interest_fen, -leg.earned_penalty_fen
        lines["loans.interest"] = leg.earned_interest_fen - before.interest_fen - leg.waived.interest_fen
        lines["loans.penalty"] = leg.earned_penalty_fen - before.penalty_fen - leg.waived.penalty_fen
        lines["expense.waiver"] += leg.waived.interest_fen + leg.waived.penalty_fen
    if state.written_off_on is not None:
        lines["expense.credit_loss"] = lines.pop("loans.principal")
        owed = owed_by_leg(leg).total_fen if state.payoff_fen else 0
        lines["memo.written_off"], lines["memo.contra"] = owed, -owed
    elif standing is Standing.SETTLED:
        odd = (lines.pop(account, 0) for account in ("loans.principal", "loans.interest", "loans.penalty"))
        lines["expense.rounding"] = sum(odd)
    elif is_off_books:
        kept = leg.earned_interest_fen + leg.earned_penalty_fen - leg.got.interest_fen - leg.got.penalty_fen
        kept -= leg.waived.interest_fen + leg.waived.penalty_fen
        lines["memo.nonaccrual"], lines["memo.contra"] = kept, -kept
    return lines


def owed_by_leg(leg: LegFigures) -> Parts:
    """Give what a leg has lent and earned and not yet got back."""
    earned = Parts(leg.drawn_fen, leg.earned_interest_fen, 0, leg.earned_penalty_fen)
    return earned - leg.got - leg.waived


def accrued_lines(legs: Sequence[Leg], interest: tuple[int, int], penalty: tuple[int, int], *, is_nonaccrual: bool) -> Lines:
    """Give what must be posted when nothing happened but time: interest and penalty earned, (before, after), in fen."""
    shares = [leg.share_ppm for leg in legs]
    lines: Lines = {}
    for kind, (before, after) in (("interest", interest), ("penalty", penalty)):
        steps = zip(legs, split(before, shares), split(after, shares), strict=True) if before != after else ()
        for leg, was, now in steps:
            grown, contra = (f"loans.{kind}", f"income.{kind}") if leg.partner_id == LENDER else (f"joint.{kind}", "joint.contra")
            if leg.partner_id == LENDER and is_nonaccrual:
                grown, contra = "memo.nonaccrual", "memo.contra"
            lines[grown, leg.partner_id] = lines.get((grown, leg.partner_id), 0) + now - was
            lines[contra, leg.partner_id] = lines.get((contra, leg.partner_id), 0) + was - now
    return {key: fen for key, fen in lines.items() if fen}


def _funder_lines(standing: Standing, leg: LegFigures) -> dict[str, int]:
    if standing is Standing.SETTLED:
        return {}
    lines = {
        "joint.principal": leg.drawn_fen - leg.got.principal_fen - leg.waived.principal_fen,
        "joint.interest": leg.earned_interest_fen - leg.got.interest_fen - leg.waived.interest_fen,
        "joint.penalty": leg.earned_penalty_fen - leg.got.penalty_fen - leg.waived.penalty_fen,
    }
    return lines | {"joint.contra": -sum(lines.values())}
