"""The credit bureau: queries under consent, batches of the second-generation text file with its own validator, disputes, accounts.

Beside it the local bureau, which takes the same facts as JSON lines. Door in `world.parts`: "bureau" (`Bureau`; residents read what was
reported of them by `accounts_of` and object by `open_dispute`).
"""

from collections.abc import Iterable

from puhui_town.wire import Service, World


def install(world: World) -> Iterable[Service]:
    from puhui_town.bureau.service import Bureau
    from puhui_town.checks.unpeopled import Unpeopled

    world.keys.make("bureau-1", "bureau")
    world.keys.make("local-bureau-1", "local-bureau")
    bureau = Bureau(world, world.parts.setdefault("people", Unpeopled()), world.parts["breaches"])
    world.parts["bureau"] = bureau
    return bureau.services()
