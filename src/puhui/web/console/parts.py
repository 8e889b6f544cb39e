"""All screens, part by part as the four management systems; their order is that of the menu."""

from puhui.web.console import business, customers, lists, overview, risk, settings, variables
from puhui.web.console.screen import Screen

SCREENS: list[Screen] = [
    *customers.SCREENS,
    *lists.SCREENS,
    *business.SCREENS,
    *overview.SCREENS,
    *risk.SCREENS,
    *variables.SCREENS,
    *business.BUREAU,
    *settings.SCREENS,
]
