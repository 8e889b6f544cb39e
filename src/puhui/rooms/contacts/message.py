"""The client of the message service. It is asked only for an order that the gate has allowed."""

from puhui.foundation.services import Answer, Service, Unknown
from puhui.rooms.contacts.gate import Channel
from puhui.rooms.contacts.store import MessageOrder


async def send(service: Service, order: MessageOrder, *, phone: str, not_after: str, not_before: str) -> Answer | Unknown:
    """Hand one allowed order to the service; the same order again is the same message. `phone` is used here and kept nowhere."""
    if order.channel is Channel.SMS:
        body: dict[str, object] = {
            "message_id": order.message_id,
            "phone": phone,
            "template": order.template,
            "params": dict(order.params),
            "purpose": order.purpose.value,
        }
        return await service.settle("/message/v1/sms", body, key=order.message_id)
    body = {
        "call_id": order.message_id,
        "phone": phone,
        "script": order.template,
        "purpose": order.purpose.value,
        "agent": "puhui",
        "not_before": not_before,
        "not_after": not_after,
    }
    return await service.settle("/message/v1/calls", body, key=order.message_id)
