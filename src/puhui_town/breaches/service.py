"""`GET /town/truth/breaches`: what the watch saw, for the driver alone."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from puhui_town.breaches.watch import Breaches
from puhui_town.wire.ask import DRIVER, Ask, Route


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth of the watch on the wire."""

    breaches: Breaches

    def routes(self) -> tuple[Route, ...]:
        return (Route("GET", "/town/truth/breaches", "truth-breaches", self.told, who=DRIVER),)

    def told(self, _: Ask) -> dict[str, Any]:
        """All breaches in order of time, and how many of each kind."""
        seen = self.breaches.all_seen()
        return {
            "count": len(seen),
            "by_kind": dict(sorted(Counter(one.kind for one in seen).items())),
            "breaches": seen,
            "unwitnessed_uses": self.breaches.unwitnessed_uses,
        }
