"""Drawing: blocks to HTML by the templates in `pages/`, every value escaped, money and times as people read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from puhui.foundation.clock import ClockMode
from puhui.rooms.staff import Duty
from puhui.web.console import assets
from puhui.web.console.blocks import Column, Row, Sheet
from puhui.web.console.screen import PARTS, Screen
from puhui.web.console.visit import SHANGHAI, Visit
from puhui.web.console.words import word, words

if TYPE_CHECKING:
    from jinja2 import Environment

WHOLE_YUAN_FEN = 1_000_000
"""From 10,000 yuan on a large figure is read without its fen."""
GOOD, WARN, BAD = "good", "warn", "bad"
TONES = {
    GOOD: "settled paid offer approved accepted active listed closed given used kept champion full compared running equal verified taken answered open delivered",
    WARN: "late waiting proof found unknown created sent candidate due_diligence challenger shadow special_mention opened asking held parked ready batched "
    "awaiting_notice investigated m1 quiet",
    BAD: "declined failed returned written_off suspended exited refused rejected overdue doubtful loss substandard frozen broken expired dropped m2 m3 m4 m5 m6 m7",
}
TONE_OF = {name: tone for tone, names in TONES.items() for name in names.split()}


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a sheet: the visit, the form token and key of this page, whether somebody is logged in."""

    visit: Visit
    csrf: str
    key: str
    is_known: bool = True


def draw(frame: Frame, sheet: Sheet | None, *, screen: Screen | None = None, refusal: Mapping[str, Any] | None = None) -> str:
    """Draw a screen in its frame; a refusal stands above it, or alone."""
    from puhui.web.console.parts import SCREENS

    visit = frame.visit
    duties = visit.member.duties
    menu = [(part, [one for one in SCREENS if one.part == part and one.is_in_menu and one.allows(duties)]) for part in PARTS]
    keys = {one.key: one.path for one in SCREENS if one.key and one.allows(duties)}
    given = {"sheet": sheet, "screen": screen, "refusal": refusal, "menu": [(part, some) for part, some in menu if some], "keys": keys}
    return environment().get_template("page.html").render(**_common(frame), **given)


def draw_log_in(frame: Frame, *, to: str, refusal: Mapping[str, Any] | None = None) -> str:
    return environment().get_template("login.html").render(**_common(frame), to=to, refusal=refusal)


def _common(frame: Frame) -> dict[str, Any]:
    """Give what every template may use."""
    visit = frame.visit
    said = _Saying(visit.language)
    return {
        "frame": frame,
        "visit": visit,
        "w": said.word,
        "has_word": said.has_word,
        "cell": said.cell,
        "link": lambda column, row: open_to(link(column, row), visit.member.duties),
        "open_to": lambda href: open_to(href, visit.member.duties),
        "tone": tone,
        "asset": assets.url,
        "json": _json,
        "lang": visit.language,
        "theme": visit.theme,
        "clock_note": visit.desk.clock.mode is not ClockMode.LIVE,
        "now": visit.desk.clock.now().astimezone(SHANGHAI),
    }


@cache
def environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@dataclass(frozen=True, slots=True)
class _Saying:
    """Values and words in one language."""

    language: str

    def word(self, key: str, **facts: Any) -> str:
        return word(key, self.language, **facts)

    def has_word(self, key: str) -> bool:
        return key in words()

    def cell(self, value: Any, kind: str) -> str:
        """Give a value as its kind reads; nothing is a dash."""
        if value is None or value == "":
            return "—"
        match kind:
            case "money":
                return yuan(value)
            case "yuan":
                return f"{value // 100:,}" if abs(value) >= WHOLE_YUAN_FEN else yuan(value)
            case "count":
                return f"{value:,}"
            case "ppm":
                return f"{Decimal(value) / 10000:,.2f}%"
            case "rate":
                return f"{Decimal(value) / 10000:,.3f}%"
            case "ms":
                return lasting(value, self.language)
            case "seconds":
                return lasting(value * 1000, self.language)
            case "yes":
                return self.word("yes" if value else "no")
            case "at" | "moment":
                return at(value)
            case "day":
                return value.isoformat() if isinstance(value, date) else str(value)
            case "word" | "state":
                return self.word(str(value))
            case _:
                return str(value)


def yuan(fen: int) -> str:
    """Give an amount in yuan with its thousands, to the fen: 1,234.50."""
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100:,}.{fen % 100:02d}"


def at(value: datetime | str) -> str:
    """Give an instant as Shanghai reads it, to the second."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def lasting(ms: int, language: str = "zh") -> str:
    """Give a span in the unit in which people think of it."""
    units = (("ms", 1, "毫秒", "ms"), ("s", 1000, "秒", "s"), ("min", 60_000, "分", "min"), ("h", 3_600_000, "小时", "h"), ("d", 86_400_000, "天", "d"))
    size, zh, en = next((size, zh, en) for _, size, zh, en in reversed(units) if abs(ms) >= size or size == 1)
    count = Decimal(ms) / size
    text = f"{count:.0f}" if size == 1 or count == count.to_integral_value() or count >= 100 else f"{count:.1f}"
    return f"{text} {zh if language == 'zh' else en}"


def link(column: Column, row: Row) -> str:
    """Give where a cell leads, or "": nowhere when what it names is missing."""
    if not column.href:
        return ""
    wanted = [part.split("}")[0] for part in column.href.split("{")[1:]]
    return column.href.format(**row) if all(row.get(name) not in {None, ""} for name in wanted) else ""


def open_to(href: str, duties: frozenset[Duty]) -> str:
    """Give an address if a member with these duties may open it, else "": nobody is shown a way that is closed to him."""
    screen = screen_of(href.partition("?")[0]) if href.startswith("/console") else None
    return href if screen is None or screen.allows(duties) else ""


@cache
def _patterns() -> list[tuple[list[str], Screen]]:
    from puhui.web.console.parts import SCREENS

    return [(one.path.split("/"), one) for one in SCREENS]


def screen_of(path: str) -> Screen | None:
    """Give the screen that lies at a path."""
    asked = path.split("/")
    return next((one for parts, one in _patterns() if len(parts) == len(asked) and all(a == b or a.startswith("{") for a, b in zip(parts, asked, strict=True))), None)


def tone(value: Any) -> str:
    return TONE_OF.get(str(value).lower().replace("-", "_"), "")


def _json(value: object) -> str:
    """Give JSON that may stand inside a script element."""
    return msgspec.json.encode(value).decode().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def plain(value: Any) -> str | int | None:
    """Give a value as an export holds it: money in fen, instants in ISO."""
    match value:
        case None:
            return None
        case bool():
            return int(value)
        case int():
            return value
        case datetime() | date():
            return value.isoformat()
        case str():
            return value
        case _:
            return str(value)


def rows_of_table(columns: Sequence[Column], rows: Sequence[Row]) -> list[list[str | int | None]]:
    return [[plain(row.get(column.name)) for column in columns] for row in rows]
