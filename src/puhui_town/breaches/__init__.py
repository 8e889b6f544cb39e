"""The watch: what the town sees the lender do that it may not, by the town's own rules.

Moves in before all others: `world.parts["breaches"]` is the `Breaches` to which residents tell what they consented to and were shown
(`consent_given`, `consent_withdrawn`, `cost_shown`, `cost_confirmed`), and the rail what it paid and took (`paid_out`, `paid_back`).
"""

import os
from collections.abc import Iterable

from puhui_town.breaches.service import Truth
from puhui_town.breaches.watch import Breaches, Kind, Standing
from puhui_town.wire import Service, World

__all__ = ["Breaches", "Kind", "Standing", "install"]

STRICT = "PUHUI_TOWN_STRICT_CONSENT"
"""When this variable is `1`, a use for a person whom the town never saw consent is refused and a breach."""


def install(world: World) -> Iterable[Service]:
    breaches = Breaches(world.store, world.clock, strict=os.environ.get(STRICT) == "1")
    world.breaches = breaches
    world.parts["breaches"] = breaches
    return [Service("town", "/town", "town-1", Truth(breaches).routes(), has_commons=False)]
