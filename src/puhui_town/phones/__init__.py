"""The residents' telephones, for whoever tries the product: pages that say on every screen that all of it is simulated.

Reads codes and texts, shows card, id number, pictures and balance, picks up calls, sends money by hand.
"""

from collections.abc import Iterable

from puhui_town.wire import Service, World


def install(world: World) -> Iterable[Service]:
    from puhui_town.phones.phone import Phones

    return [Phones(world).service()]
