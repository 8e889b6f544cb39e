"""Receipts: a request sent again under its key gets the first answer, byte for byte; another request under that key is refused.

Answers go out at once; their receipts are written a moment later, many in one transaction, and are found in memory until then. A process
that is killed in that moment loses some: the journeys behind are idempotent by their own keys, so a repeat does nothing twice.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from puhui.foundation import sql
from puhui.foundation.logs import log
from puhui.foundation.refusals import KeyReused
from puhui.foundation.work import Work

if TYPE_CHECKING:
    from puhui.foundation.desk import Desk

SQL = sql.load(__file__)
PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Receipt:
    status: int
    body: bytes


@dataclass(slots=True)
class Till:
    """The receipts of a process that are not written yet, by (sender, key), with the digest of what they answered."""

    waiting: dict[tuple[str, str], tuple[bytes, Receipt]] = field(default_factory=dict)
    writing: asyncio.Task[None] | None = None

    def keep(self, desk: "Desk", *, sender: str, key: str, digest: bytes, receipt: Receipt) -> None:
        """Keep an answer; it is written soon, and found at once."""
        self.waiting.setdefault((sender, key), (digest, receipt))
        if self.writing is None or self.writing.done():
            self.writing = asyncio.create_task(self._write(desk))

    def find(self, *, sender: str, key: str, digest: bytes) -> Receipt | None:
        """Give an answer that is not written yet. Raises KeyReused."""
        known = self.waiting.get((sender, key))
        if known is None:
            return None
        if known[0] != digest:
            raise KeyReused(key=key)
        return known[1]

    async def _write(self, desk: "Desk") -> None:
        while self.waiting:
            await asyncio.sleep(PAUSE_S)
            batch = dict(self.waiting)
            try:
                async with desk.work(durable=False) as work:
                    await keep_many(work, batch)
            except Exception as error:  # noqa: BLE001  (whatever it was, the receipts wait and are tried again)
                log.warning("receipts.not-written", count=len(batch), error=type(error).__name__)
                await asyncio.sleep(1)
                continue
            for which in batch:
                del self.waiting[which]


def till_of(desk: "Desk") -> Till:
    till: Till = desk.held.setdefault("till", Till())
    return till


def digest_of(scope: str, body: bytes) -> bytes:
    """Give what makes two requests the same: where they went and their bytes."""
    return hashlib.sha256(scope.encode() + b"\n" + body).digest()


async def find(work: Work, *, sender: str, key: str, digest: bytes) -> Receipt | None:
    """Give the first answer under this key, if there is one. Raises KeyReused if it answered another request."""
    row = await SQL.find_receipt.row(work, sender=sender, key=key)
    if row is None:
        return None
    if row["digest"] != digest:
        raise KeyReused(key=key)
    return Receipt(row["status"], row["body"])


async def keep(work: Work, *, sender: str, key: str, digest: bytes, receipt: Receipt) -> None:
    """Keep an answer in this Work; one that is there already stays."""
    await keep_many(work, {(sender, key): (digest, receipt)})


async def keep_many(work: Work, receipts: dict[tuple[str, str], tuple[bytes, Receipt]]) -> None:
    """Keep many answers in one statement; those that are there already stay."""
    await SQL.add_receipts.run(
        work,
        senders=[sender for sender, _ in receipts],
        keys=[key for _, key in receipts],
        digests=[digest for digest, _ in receipts.values()],
        statuses=[receipt.status for _, receipt in receipts.values()],
        bodies=[receipt.body for _, receipt in receipts.values()],
        at=work.at,
    )
