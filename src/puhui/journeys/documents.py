"""The person's own documents, by hash: cost table, contract, evidence pack, certificate, and an export, which is given once."""

from dataclasses import dataclass

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField, NotFound
from puhui.foundation.work import Actor, Work
from puhui.rooms import agreements, customers, ledger
from puhui.vocabulary.ids import CustomerId
from puhui.vocabulary.steps import Session


@dataclass(frozen=True, slots=True)
class Document:
    data: bytes
    media_type: str


async def fetch(desk: Desk, session: Session, sha256: str) -> Document:
    """Give the bytes of one of the person's own documents; another's are not found. Raises NotFound, BadField."""
    if len(sha256) != 64 or any(char not in "0123456789abcdef" for char in sha256):
        raise BadField(field="sha256", why="64 hex digits, lower case")
    async with desk.work(Actor("customer", session.who)) as work:
        data = await _find(work, CustomerId(session.who), sha256)
    if data is None:
        raise NotFound(what="document", which=sha256[:12])
    return Document(data, _kind_of(data))


async def _find(work: Work, customer_id: CustomerId, sha256: str) -> bytes | None:
    if found := await agreements.find_document(work, customer_id=customer_id, sha256=sha256):
        return found
    if found := await ledger.find_document(work, customer_id, sha256):
        return found
    return await customers.take_copy(work, customer_id, sha256)


def _kind_of(data: bytes) -> str:
    if data[:1] in {b"{", b"["}:
        return "application/json"
    if data[:2] == b"PK":
        return "application/zip"
    return "text/plain; charset=utf-8"
