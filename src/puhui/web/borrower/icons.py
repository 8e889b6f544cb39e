"""Our own icons, drawn on a square of 24: one stroke, round ends."""

from markupsafe import Markup

_PATHS = {
    "home": "M4 11 12 4l8 7v8a1 1 0 0 1-1 1h-4v-6H9v6H5a1 1 0 0 1-1-1z",
    "coin": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 8l3.5 4 3.5-4M12 12v5M9 12.5h6M9 15h6",
    "help": "M4 5h16v11h-8l-4 4v-4H4zM9.5 9a2.5 2.5 0 1 1 3 2.4c-.4.1-.5.4-.5.9M12 14.2v.1",
    "person": "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.5 20a7.5 7.5 0 0 1 15 0",
    "go": "m9 6 6 6-6 6",
    "back": "m15 6-6 6 6 6",
    "check": "m5 12.5 4.5 4.5L19 7.5",
    "wait": "M12 3a9 9 0 1 0 9 9",
    "clock": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 2",
    "shield": "M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6zM9 12l2 2 4-4",
    "card": "M3 6h18v12H3zM3 10h18M7 15h4",
    "paper": "M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h7",
    "eye": "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
    "hand": "M7 12V6.5a1.5 1.5 0 0 1 3 0V11m0-5.5v-1a1.5 1.5 0 0 1 3 0V11m0-5.5a1.5 1.5 0 0 1 3 0V12m0-3a1.5 1.5 0 0 1 3 0v6a6 6 0 0 1-6 6h-2c-2.5 0-4-1.5-5.5-4L4 13.5a1.5 1.5 0 0 1 2.5-1.5z",
    "alert": "M12 4 2.5 20h19zM12 10v4.5M12 17.3v.1",
    "calendar": "M4 6h16v14H4zM4 10h16M8 3v4M16 3v4",
    "globe": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
    "leaf": "M5 19c0-9 5-14 15-14 0 10-5 15-13 14M5 19l8-8",
    "camera": "M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z",
    "lock": "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
    "out": "M14 4H5v16h9M10 12h11m-4-4 4 4-4 4",
    "down": "M12 4v11m-4-4 4 4 4-4M5 20h14",
}


def icon(name: str, kind: str = "") -> Markup:
    """Give an icon that says nothing to a screen reader: the words beside it do."""
    return Markup('<svg class="i {}" viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>').format(kind, _PATHS[name])
