"""Identity checks: four-factor, id card, face, name lists, one-time codes, places and records; every answer says `simulated`.

Doors in `world.parts`: "people" (a `checks.population.Population`, put there by the people before this moves in), "checks" (`Checks`; `rail`
and `sign` use up codes by `take_code`).
"""

import hashlib
from collections.abc import Iterable

from puhui_town.wire import Service, World


def install(world: World) -> Iterable[Service]:
    """Move in. Codes are keyed by a secret that only the holder of the key `checks-1` can make."""
    from puhui_town.checks.service import Checks, otp_book
    from puhui_town.checks.unpeopled import Unpeopled

    people = world.parts.setdefault("people", Unpeopled())
    key = world.keys.make("checks-1", "checks")
    secret = hashlib.sha256(key.sign(b"one-time codes of the town")).digest()
    checks = Checks(world.clock, world.store, people, world.parts["breaches"], otp_book(world.store, secret))
    world.parts["checks"] = checks
    return [checks.service()]
