"""Boards: what the doors show of the business, folded from the log of events and from nothing else.

Words: board, sheet, fold, follow, rebuild. Owns the tables of schema `boards`.
Emits: nothing. Keeps: a board that followed the log equals one folded afresh; no room reads them; ids and values only.
"""

from puhui.rooms.boards.operations import (
    CaseLine,
    EntryLine,
    FunderLine,
    Funnel,
    MoneyLine,
    Speed,
    StageLine,
    Standing,
    ThinFile,
    arrears,
    cases,
    differences,
    entries,
    follow,
    funding,
    funnel,
    money,
    rebuild,
    speed,
    standing,
    thin_file,
)

__all__ = [
    "CaseLine",
    "EntryLine",
    "FunderLine",
    "Funnel",
    "MoneyLine",
    "Speed",
    "StageLine",
    "Standing",
    "ThinFile",
    "arrears",
    "cases",
    "differences",
    "entries",
    "follow",
    "funding",
    "funnel",
    "money",
    "rebuild",
    "speed",
    "standing",
    "thin_file",
]
