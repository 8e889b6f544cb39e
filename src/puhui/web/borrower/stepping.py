"""A page's way to a step: the same table, the same keys and the same receipts as the JSON door."""

from dataclasses import dataclass
from typing import Any

import msgspec

from puhui.foundation.desk import Desk
from puhui.foundation.refusals import BadField, NotFound
from puhui.vocabulary.steps import Session
from puhui.web.borrower import api, words
from puhui.web.wire import Reply, once


@dataclass(frozen=True, slots=True)
class Refused(Exception):  # noqa: N818  (what a page shows above its form)
    """A step was refused: what the JSON door would have answered."""

    status: int
    code: str
    zh: str
    en: str
    retry: str
    facts: dict[str, Any]


async def take(desk: Desk, session: Session, name: str, body: msgspec.Struct | dict[str, Any], key: str) -> dict[str, Any]:
    """Take a step once under its key and give what the JSON door would tell. Raises Refused."""
    raw, door = msgspec.json.encode(body), api.door_of(name)

    async def call() -> Reply:
        return await api.run(desk, door, session, raw, key)

    reply, _ = await once(desk, sender=session.session_id, key=key, scope=f"/borrower/v1/steps/{name}", body=raw, call=call)
    told: dict[str, Any] = msgspec.json.decode(reply.body) if isinstance(reply.body, bytes) else msgspec.json.decode(reply.encoded() or b"{}")
    if reply.status >= 300:
        raise refused(reply.status, told)
    return told


def refused(status: int, told: dict[str, Any]) -> Refused:
    """Read a refusal as the JSON door tells it; what is wrong or missing is named in the person's words, and no Chinese page says it in English."""
    facts = told.get("facts", {})
    zh, english = told["text_zh"], told["text"]
    if told["code"] == BadField.code:
        zh, english = words.not_right(str(facts.get("field", "")))
    elif told["code"] == NotFound.code:
        zh, english = words.not_here(str(facts.get("what", "")))
    elif zh == english:
        zh = words.ANYTHING
    return Refused(status, told["code"], zh, english, told["retry"], facts)
