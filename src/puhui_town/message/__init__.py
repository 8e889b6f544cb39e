"""Texts and calls to people: accepted, delivered, answered; the lender's side of a call is asked for turn by turn.

Door in `world.parts`: "message" (`Messages`).
"""

from collections.abc import Iterable

from puhui_town.wire import Service, World


def install(world: World) -> Iterable[Service]:
    from puhui_town.checks.unpeopled import Unpeopled
    from puhui_town.message.service import Messages

    world.keys.make("message-1", "message")
    messages = Messages(world, world.parts.setdefault("people", Unpeopled()), world.parts["breaches"])
    world.parts["message"] = messages
    return [messages.service()]
