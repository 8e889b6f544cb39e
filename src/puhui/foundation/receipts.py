"""Receipts: a request sent again under its key gets the first answer, byte for byte; another request under that key is refused."""

import hashlib
from dataclasses import dataclass

from puhui.foundation import sql
from puhui.foundation.refusals import KeyReused
from puhui.foundation.work import Work

SQL = sql.load(__file__)


@dataclass(frozen=True, slots=True)
class Receipt:
    status: int
    body: bytes


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
    """Keep an answer; one that is there already stays."""
    await SQL.add_receipt.run(work, sender=sender, key=key, digest=digest, status=receipt.status, body=receipt.body, at=work.at)
