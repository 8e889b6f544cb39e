"""Shops: 300 scenes of 60 merchants take orders, deliver, and take back.

Door in `world.parts`: "shops" (`Shops`).
"""

from collections.abc import Iterable

from puhui_town.wire import Service, World


def install(world: World) -> Iterable[Service]:
    from puhui_town.shops.shop import install as move_in

    return move_in(world)
