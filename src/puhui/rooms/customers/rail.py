"""The signed client of the payment rail, as far as this room goes: binding a card to an account token."""

from collections.abc import Mapping

from puhui.foundation.refusals import Refusal
from puhui.foundation.services import Service, demand_answer
from puhui.rooms.customers.person import Card

SERVICE = "rail"


class CardRefused(Refusal):
    """The bank did not bind this card ({bank_code}); compare number, phone and code, or use another card."""

    code = "customers.card-refused"
    zh = "银行没有通过绑卡，请核对卡号、预留手机号和验证码，或换一张卡。"


async def bind(service: Service, *, binding_id: str, person: Mapping[str, str], card_number: str, otp_id: str, code: str) -> Card | str:
    """Ask the rail to bind a card; give the card, or the rail's code of refusal. Raises ServiceAway when nothing that counts came back."""
    body = {"binding_id": binding_id, "person": dict(person), "card_number": card_number, "otp_id": otp_id, "code": code}
    answer = demand_answer(SERVICE, await service.settle("/rail/v1/bindings", body, key=binding_id))
    if not answer.is_good:
        return answer.code
    return Card(binding_id, answer.body["account"], answer.body["bank_code"], answer.body["tail"])
