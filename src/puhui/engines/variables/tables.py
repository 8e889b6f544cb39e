"""Tables: what a row of a source is, which columns it has, and the words people use for them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from puhui.engines.variables.refusals import BadDeclaration

MOST_ROWS = 1 << 20
NUMBER_BELOW = 1 << 40  # every |x| is below this, in its column's unit
SECOND_US = 1_000_000
TIME_BELOW_US = (1 << 32) * SECOND_US

RESERVED = frozenset({"count", "gap", "distinct", "recency", "tenure"})
SYSTEM_COLUMNS = ("event_id", "event_time", "known_time", "revision", "retracted")
_WORD = re.compile(r"[a-z][a-z0-9_]*")

# What no table may hold, whole or as a part between underscores: a person's sex, descent, faith, health, friends and applications.
REFUSED_WORDS = frozenset({
    "sex", "gender", "ethnicity", "ethnic", "race", "religion", "faith", "health", "disease", "illness", "pregnancy",
    "contacts", "contact_list", "address_book", "installed_apps", "app_list", "politics", "party",
})  # fmt: skip


class Kind(StrEnum):
    """What a column holds."""

    MONEY = "money"
    NUMBER = "number"
    CATEGORY = "category"
    ENTITY = "entity"


def _frozen(value: Mapping[str, object]) -> Mapping[str, object]:
    return MappingProxyType(dict(value))


@dataclass(frozen=True, slots=True)
class Table:
    """A source's rows of one person.

    `money` columns are int64 fen; `number` maps a column to its unit (int64); `category` maps a column to its listed values (filters and
    distinct); `entity` columns may have any number of values (distinct only). `consent` is the kind of consent a fetch needs; empty means
    our own log. `words` gives (Chinese, English) for a column, or for `column=value`.

    Raises: BadDeclaration (a reserved or refused word, a column twice, an empty listed value).
    """

    name: str
    zh: str
    en: str
    source: str
    purpose: str
    consent: str = ""
    money: tuple[str, ...] = ()
    number: Mapping[str, str] = field(default_factory=dict)
    category: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    entity: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("number", "category", "words"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        columns = (*self.money, *self.number, *self.category, *self.entity)
        for word in (self.name, *columns):
            if not _WORD.fullmatch(word) or word in RESERVED or word in SYSTEM_COLUMNS or word == "person":
                raise BadDeclaration(what=f"table {self.name}", why=f"{word!r} is no name for a table or a column")
            if word in REFUSED_WORDS or not REFUSED_WORDS.isdisjoint(word.split("_")):
                raise BadDeclaration(what=f"table {self.name}", why=f"a column {word!r} is not kept of anybody")
        if len(set(columns)) != len(columns):
            raise BadDeclaration(what=f"table {self.name}", why="a column is declared twice")
        for column, values in self.category.items():
            if len(set(values)) != len(values) or "" in values:
                raise BadDeclaration(what=f"{self.name}.{column}", why="a listed value is empty or listed twice")

    @property
    def fields(self) -> tuple[str, ...]:
        """Money and number columns, in declared order."""
        return (*self.money, *self.number)

    @property
    def texts(self) -> tuple[str, ...]:
        """Category columns, then entity columns."""
        return (*self.category, *self.entity)

    def kind(self, column: str) -> Kind | None:
        """What a column holds; None if the table has no such column."""
        if column in self.money:
            return Kind.MONEY
        if column in self.number:
            return Kind.NUMBER
        if column in self.category:
            return Kind.CATEGORY
        return Kind.ENTITY if column in self.entity else None

    def unit(self, column: str) -> str | None:
        """The unit of a money ("fen") or number column; None for a text."""
        return "fen" if column in self.money else self.number.get(column)

    def facts(self) -> dict[str, object]:
        """The table as plain data, for hashes and for the TOML twin."""
        return {
            "name": self.name, "zh": self.zh, "en": self.en, "source": self.source, "purpose": self.purpose, "consent": self.consent,
            "money": list(self.money), "number": dict(self.number), "category": {name: list(values) for name, values in self.category.items()},
            "entity": list(self.entity), "words": {name: list(pair) for name, pair in self.words.items()},
        }  # fmt: skip

    def shape(self) -> dict[str, object]:
        """What a stored history depends on: columns, kinds and listed values; not the words."""
        return {name: value for name, value in self.facts().items() if name in {"name", "money", "number", "category", "entity", "consent"}}
