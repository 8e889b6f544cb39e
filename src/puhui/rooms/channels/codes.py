"""The signed client of the entries: swapping a one-time code for the platform's account."""

from dataclasses import dataclass

from puhui.foundation.refusals import Refusal
from puhui.foundation.services import Service, demand_answer


class CodeRefused(Refusal):
    """The entry {entry_id} does not know this code, or it was used or came too late; open the entry again."""

    code = "channels.code-refused"
    zh = "授权已过期，请从原来的入口重新进入。"
    status = 401


@dataclass(frozen=True, slots=True)
class PlatformUser:
    """Who the platform says it is: its own id of the person, a phone if its scopes allow, and those scopes."""

    partner_user: str
    phone: str
    scopes: frozenset[str]


async def swap(service: Service, *, entry_id: str, code: str, session_id: str) -> PlatformUser:
    """Swap the code, once. The same session again gives the same answer. Raises CodeRefused, ServiceAway."""
    answer = demand_answer(
        service.name, await service.settle(f"/entry/{entry_id}/v1/codes", {"code": code}, key=f"{session_id}-code")
    )
    if not answer.is_good:
        raise CodeRefused(entry_id=entry_id)
    return PlatformUser(answer.body["partner_user"], answer.body.get("phone", ""), frozenset(answer.body.get("scopes", ())))
