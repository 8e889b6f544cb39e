"""Entry apps and receiving partners: sessions, one-time codes, embedding tokens, events in order.

Door in `world.parts`: "entries" (`Entries`).
"""

from collections.abc import Iterable

from puhui_town.wire import Service, World


def install(world: World) -> Iterable[Service]:
    from puhui_town.entries.service import install as move_in

    return move_in(world)
