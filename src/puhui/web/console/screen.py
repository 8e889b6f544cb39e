"""A screen and its deeds as data: where it lies, who may see it, what reads it, what it can do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from puhui.rooms.staff import Duty
from puhui.web.console.blocks import Sheet
from puhui.web.console.visit import Visit

Read = Callable[[Visit], Awaitable[Sheet]]
Act = Callable[[Visit], Awaitable[Any]]
PARTS = ("customers", "business", "risk", "settings", "own")


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a screen can do: `POST {screen}/{name}`. Any of `duties` allows it; what it gives is an address to go to, or None to come back.

    `reveals`: the answer is the screen itself with something in clear, once, and is kept nowhere.
    """

    name: str
    act: Act
    duties: frozenset[Duty]
    reveals: bool = False


@dataclass(frozen=True, slots=True)
class Screen:
    """One page. Any of `duties` allows it (none: every member); a screen with `is_in_menu` has a place in its part's menu."""

    path: str
    name: str
    part: str
    read: Read
    duties: frozenset[Duty] = frozenset()
    deeds: Sequence[Deed] = ()
    is_in_menu: bool = True
    key: str = ""
    """The letter that leads here after `g`."""

    def allows(self, duties: frozenset[Duty]) -> bool:
        return not self.duties or bool(self.duties & duties)


def of(*duties: Duty) -> frozenset[Duty]:
    return frozenset(duties)
