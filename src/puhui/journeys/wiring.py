"""Who answers what, in one place: the steps of all flows, the reactions to all events, the readers of all callbacks."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from puhui.foundation.desk import Wiring
from puhui.foundation.outbox import Reaction
from puhui.journeys import (
    accept,
    apply,
    cancel,
    cases,
    collect,
    contact,
    day_end,
    enter,
    explain,
    fall_behind,
    feed,
    first_day,
    instruct,
    let_go,
    onboard,
    pay_out,
    privacy,
    purchase,
    reactions,
    reconcile,
    report,
    shop,
    sign,
    tell_partner,
    transfers,
)

MODULES: tuple[ModuleType, ...] = (
    enter,
    onboard,
    apply,
    explain,
    accept,
    let_go,
    sign,
    instruct,
    transfers,
    pay_out,
    cancel,
    collect,
    reconcile,
    day_end,
    report,
    contact,
    fall_behind,
    feed,
    cases,
    privacy,
    purchase,
    shop,
    tell_partner,
    reactions,
    first_day,
)


def wiring() -> Wiring:
    """Join the tables of every journey. A step or a callback answered twice is our own mistake."""
    return Wiring(_joined("STEPS"), _reactions(), _joined("CALLBACKS"), (*reactions.TAILS, feed.follow))


def _joined(table: str) -> Mapping[str, Any]:
    joined: dict[str, Any] = {}
    for module in MODULES:
        for name, handler in getattr(module, table, {}).items():
            assert name not in joined, f"{name} is answered twice"
            joined[name] = handler
    return joined


def _reactions() -> Mapping[str, Sequence[Reaction]]:
    joined: dict[str, tuple[Reaction, ...]] = {}
    for module in MODULES:
        for kind, handlers in getattr(module, "REACTIONS", {}).items():
            joined[kind] = (*joined.get(kind, ()), *handlers)
    return joined
