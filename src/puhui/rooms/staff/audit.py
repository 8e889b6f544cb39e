"""The chained audit: every line carries a keyed hash over itself and the line before, so a line changed, removed or put between is found.

The key is that of the blind indexes, which does not lie in the database: whoever can write the table cannot make the chain right again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

FIRST = b"\x00" * 32
Seal = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what to whom, when. `facts` are ids, codes and numbers, never personal data."""

    seq: int
    at: datetime
    actor: str
    verb: str
    subject: str
    facts: Mapping[str, str | int]
    before: bytes
    chain: bytes


def chain_of(seal: Seal, *, seq: int, at: datetime, actor: str, verb: str, subject: str, facts: Mapping[str, str | int], before: bytes) -> bytes:
    """Give the 32 bytes that bind a line to all lines before it."""
    text = msgspec.json.encode([seq, at.astimezone(UTC).isoformat(), actor, verb, subject, dict(facts), before.hex()], order="sorted").decode()
    return seal(text)


def broken_lines(seal: Seal, lines: Iterable[AuditLine], *, before: bytes = FIRST, after_seq: int = 0) -> list[int]:
    """Give the places where the chain does not hold: a line that was changed, or whose predecessor is missing."""
    broken: list[int] = []
    for line in lines:
        wanted = chain_of(
            seal, seq=line.seq, at=line.at, actor=line.actor, verb=line.verb, subject=line.subject, facts=line.facts, before=line.before
        )
        if line.chain != wanted or line.before != before or line.seq != after_seq + 1:
            broken.append(line.seq)
        before, after_seq = line.chain, line.seq
    return broken
