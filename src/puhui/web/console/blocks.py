"""Blocks: what a screen is made of. A screen says what stands there; how it looks is the templates' own affair.

`name`s are keys of `words.toml`. A `kind` says how a value reads: text, word (a key of the words), code, money (fen), count, day, at, moment (an instant of this year), ppm, ms,
seconds, yes (a yes/no), state (a word with a colour), personal (masked already).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One large number; `href` leads to what lies behind it, `note` says how it is counted. `tone`: "", good, warn, bad."""

    name: str
    value: Any
    kind: str = "count"
    href: str = ""
    note: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    figures: Sequence[Figure]
    block: str = "figures"


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value; `unmask` names the field that may be seen in clear, with a reason."""

    name: str
    value: Any
    kind: str = "text"
    href: str = ""
    unmask: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    title: str
    facts: Sequence[Fact]
    block: str = "facts"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the key in the row, how its cells read, and where they lead (a pattern over the row)."""

    name: str
    kind: str = "text"
    href: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title. `total` with `page` makes a pager; `empty` is the word for no rows; `is_listing` offers the exports."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = "nothing-here"
    total: int | None = None
    page: int = 1
    most: int = 25
    sort: str = ""
    is_listing: bool = False
    note: str = ""
    is_folded: bool = False
    block: str = "table"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart for the eye (`option` of ECharts, without colours) and the same figures as a table for everybody else."""

    title: str
    option: Mapping[str, Any]
    table: Table
    note: str = ""
    is_wide: bool = False
    block: str = "chart"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form. `kind`: text, long, choice, number, hidden, password, code, yes."""

    name: str
    kind: str = "text"
    value: Any = ""
    choices: Sequence[str] = ()
    is_wanted: bool = True
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A form that does a deed of this screen. `tone` "bad" for what cannot be taken back; `note` tells what will happen."""

    deed: str
    fields: Sequence[Field] = ()
    tone: str = ""
    note: str = ""
    title: str = ""
    block: str = "form"


@dataclass(frozen=True, slots=True)
class Choice:
    """One pill of a filter: where it leads, and whether it is the one in force."""

    label: str
    href: str
    is_chosen: bool
    is_word: bool = True


@dataclass(frozen=True, slots=True)
class Choices:
    title: str
    choices: Sequence[Choice]
    block: str = "choices"


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence: a word with facts. `tone`: "", good, warn, bad."""

    word: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    tone: str = ""
    block: str = "note"


@dataclass(frozen=True, slots=True)
class Lines:
    """Texts as they were written, with who wrote them (a case, its answer, reasons)."""

    title: str
    lines: Sequence[tuple[str, str]]
    block: str = "lines"


@dataclass(frozen=True, slots=True)
class Links:
    title: str
    links: Sequence[tuple[str, str, str]]
    """(word, text behind it, where it leads)"""
    block: str = "links"


@dataclass(frozen=True, slots=True)
class Code:
    """A block of text in fixed type, folded away."""

    title: str
    text: str
    block: str = "code"


Block = Figures | Facts | Table | Chart | Form | Choices | Note | Lines | Links | Code


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a screen shows: its title (a word, and what it is about), blocks in order, and seconds after which it is read again (0: never)."""

    title: str
    blocks: Sequence[Block]
    about: str = ""
    again_s: int = 0
    aside: Sequence[Block] = ()
