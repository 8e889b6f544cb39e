"""Screening a name against the lists of sanctioned, exposed, judged and fraudulent persons (反洗钱名单).

Names match in characters, in Latin letters, in any order and spacing, by alias, and one letter off. Similarity is a whole number of
parts per million and says which way of matching hit; the ways and their figures stand in `lists.toml`.
"""

import tomllib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Literal, cast

from puhui_town.checks.spelling import fold, is_hanzi, syllables

ListKind = Literal["sanction", "pep", "court", "fraud"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One person on a list."""

    list: str
    entry_id: str
    name: str
    aliases: tuple[str, ...]
    kind: ListKind

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Parts per million given to each way of matching."""

    same_characters: int
    characters_in_other_order: int
    same_spelling: int
    spelling_in_other_order: int
    one_letter_off: int
    one_letter_off_length_min: int


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that resembles the name asked for."""

    entry: Entry
    similarity_ppm: int


class Lists:
    """One version of all lists, indexed for screening. Immutable; a changed list is another `Lists`."""

    def __init__(self, *, version: str, entries: tuple[Entry, ...], likeness: Likeness) -> None:
        self.version = version
        self.entries = entries
        self.likeness = likeness
        self._hits: dict[str, tuple[Hit, ...]] = {}

    @cached_property
    def _by_characters(self) -> dict[str, list[tuple[str, Entry]]]:
        return self._index(lambda name: "".join(sorted(_joined(name))) if is_hanzi(name) else "")

    @cached_property
    def _by_letters(self) -> dict[str, list[tuple[str, Entry]]]:
        return self._index(lambda name: "".join(sorted("".join(syllables(name)))))

    def _index(self, key: Callable[[str], str]) -> dict[str, list[tuple[str, Entry]]]:
        index: dict[str, list[tuple[str, Entry]]] = defaultdict(list)
        for entry in self.entries:
            for name in entry.names:
                if folded := key(name):
                    index[folded].append((name, entry))
        return dict(index)

    def screen(self, name: str) -> tuple[Hit, ...]:
        """Every entry that resembles the name, the likest first, each once."""
        if (known := self._hits.get(name)) is None:
            known = self._screen(name)
            if len(self._hits) < 100_000:
                self._hits[name] = known
        return known

    def _screen(self, name: str) -> tuple[Hit, ...]:
        best: dict[str, Hit] = {}

        def hit(entry: Entry, similarity_ppm: int) -> None:
            earlier = best.get(entry.entry_id)
            if earlier is None or earlier.similarity_ppm < similarity_ppm:
                best[entry.entry_id] = Hit(entry, similarity_ppm)

        likeness = self.likeness
        if is_hanzi(name):
            for other, entry in self._by_characters.get("".join(sorted(_joined(name))), []):
                same = _joined(other) == _joined(name)
                hit(entry, likeness.same_characters if same else likeness.characters_in_other_order)
        spelled = syllables(name)
        letters = "".join(spelled)
        for other, entry in self._by_letters.get("".join(sorted(letters)), []):
            other_spelled = syllables(other)
            if "".join(other_spelled) == letters:
                hit(entry, likeness.same_spelling)
            elif _same_in_other_order(spelled, other_spelled):
                hit(entry, likeness.spelling_in_other_order)
        if len(letters) >= likeness.one_letter_off_length_min:
            for entry in self.entries:
                if any(_one_edit_apart(letters, "".join(syllables(other))) for other in entry.names):
                    hit(entry, likeness.one_letter_off)
        return tuple(sorted(best.values(), key=lambda found: (-found.similarity_ppm, found.entry.entry_id)))


def _joined(name: str) -> str:
    return fold(name).replace(" ", "")


def _same_in_other_order(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """True when the words of one, put in some order and run together, are the words of the other run together.

    A surname moves to the other end; what is written as one word there may be two here (`Weiguo LI`, `LI Wei Guo`).
    """
    letters = "".join(other)
    if len("".join(one)) != len(letters):
        return False
    turns = ("".join(one[cut:] + one[:cut]) for cut in range(1, len(one)))
    if letters in turns or sorted(one) == sorted(other):
        return True
    return "".join(one) in ("".join(other[cut:] + other[:cut]) for cut in range(1, len(other)))


def _one_edit_apart(one: str, other: str) -> bool:
    """True when one letter put in, taken out or exchanged makes one the other."""
    if one == other or abs(len(one) - len(other)) > 1 or not one or not other:
        return False
    short, long = sorted((one, other), key=len)
    start = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[start + (len(short) == len(long)) :] == long[start + 1 :]


def published(*, changes: int = 0) -> Lists:
    """The lists as shipped, with the first `changes` of the entries that are added later (fault `list_changed`)."""
    data = tomllib.loads(files("puhui_town.checks").joinpath("lists.toml").read_text(encoding="utf-8"))
    added = data["later"][:changes]
    entries = tuple(
        Entry(
            list=str(row["list"]),
            entry_id=str(row["id"]),
            name=str(row["name"]),
            aliases=tuple(str(alias) for alias in row.get("aliases", ())),
            kind=cast("ListKind", row["kind"]),
        )
        for row in (*data["entry"], *added)
    )
    version = str(data["version"]) + (f"-{len(added)}" if added else "")
    return Lists(version=version, entries=entries, likeness=Likeness(**data["likeness"]))
