"""Chance, made so that it can be had again: one Philox stream for every (seed, whose, what for)."""

import hashlib

import numpy as np

STREAMS = ("traits", "family", "income", "shocks", "borrow", "repay", "contact", "fraud")
"""Besides `events:{source}`, one for each source of records."""


def key_of(seed: str | int, whose: str | int, stream: str) -> int:
    """The first 16 bytes of SHA-256("{seed}|{whose}|{stream}") as a big-endian whole number."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{whose}|{stream}".encode()).digest()[:16], "big")


def stream(seed: str | int, whose: str | int, name: str, part: int = 0) -> np.random.Generator:
    """The stream `name` of a person (`whose` is n), a household (`household-{h}`) or a ring (`ring-{r}`).

    `part` starts the same stream at another, disjoint stretch of its counter: a year of events is had without the years before it.
    """
    return np.random.Generator(np.random.Philox(key=key_of(seed, whose, name), counter=part << 128))
