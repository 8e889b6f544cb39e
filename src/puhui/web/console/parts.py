"""All screens, part by part as the four management systems; their order is that of the menu."""

from puhui.web.console import business, customers, lists, overview, risk, settings
from puhui.web.console.screen import Screen

SCREENS: list[Screen] = [
    *customers.SCREENS,
    *lists.SCREENS,
    *business.SCREENS,
    *overview.SCREENS,
    *risk.SCREENS,
    *business.BUREAU,
    *settings.SCREENS,
]
