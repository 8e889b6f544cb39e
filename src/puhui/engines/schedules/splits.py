"""Splitting an amount over the legs of a loan, so that the parts add up to the fen, event after event."""

from collections.abc import Sequence

WHOLE_PPM = 1_000_000


def split(total_fen: int, shares_ppm: Sequence[int]) -> tuple[int, ...]:
    """Divide `total_fen` (>= 0) by shares that sum to 1,000,000: floor each leg, the missing fen to the largest fractions, ties by order."""
    assert total_fen >= 0, total_fen
    assert sum(shares_ppm) == WHOLE_PPM, shares_ppm
    assert min(shares_ppm) >= 0, shares_ppm
    legs = [total_fen * share // WHOLE_PPM for share in shares_ppm]
    by_fraction = sorted(range(len(legs)), key=lambda leg: (-(total_fen * shares_ppm[leg] % WHOLE_PPM), leg))
    for leg in by_fraction[: total_fen - sum(legs)]:
        legs[leg] += 1
    assert sum(legs) == total_fen
    return tuple(legs)


def split_step(had_fen: Sequence[int], amount_fen: int, shares_ppm: Sequence[int]) -> tuple[int, ...]:
    """Give each leg's part of an event, from what the legs had before it (cumulative).

    amount_fen >= 0 pays: a leg's step is split(total so far) - what it had, and never negative: such a leg is raised to 0, each fen from
    the leg with step >= 1 that then stands most above its exact share. amount_fen < 0 refunds: the mirror, no step above 0.
    Because nothing is taken back, a leg can for some events stand more than a fen from its exact share (seen: up to 1.2 fen).
    """
    total = sum(had_fen) + amount_fen
    steps = [want - had for want, had in zip(split(total, shares_ppm), had_fen, strict=True)]
    sign = 1 if amount_fen >= 0 else -1
    missing = 0
    for leg, step in enumerate(steps):
        if sign * step < 0:
            missing += sign * -step
            steps[leg] = 0
    for _ in range(missing):
        able = [leg for leg, step in enumerate(steps) if sign * step >= 1]
        farthest = max(able, key=lambda leg: (sign * ((had_fen[leg] + steps[leg]) * WHOLE_PPM - shares_ppm[leg] * total), -leg))
        steps[farthest] -= sign
    assert sum(steps) == amount_fen, (steps, amount_fen)
    assert all(sign * step >= 0 for step in steps), steps
    return tuple(steps)
