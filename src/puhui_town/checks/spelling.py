"""How a Chinese name may be spelled in Latin letters, and how a name given in any spelling is folded for comparison."""

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files

_APART = re.compile(r"[\s.·・‧•,，'’\-_]+")


def _table() -> tuple[dict[str, str], dict[str, str]]:
    """Readings of characters, and of surnames that are read in their own way."""
    readings: dict[str, str] = {}
    surnames: dict[str, str] = {}
    for line in files("puhui_town.checks").joinpath("pinyin.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        reading, characters = line.split(" ")
        if reading.startswith("+"):
            surnames[characters] = reading[1:]
        else:
            for character in characters:
                readings.setdefault(character, reading)
    return readings, surnames


_READINGS, _SURNAMES = _table()


def fold(name: str) -> str:
    """The name in half-width lower case, words apart by one space, accents and points gone: `Ｌǐ-Wěi` becomes `li wei`."""
    plain = unicodedata.normalize("NFKD", name.replace("ü", "v").replace("Ü", "v"))
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign)).lower()
    return _APART.sub(" ", letters).strip()


def is_hanzi(name: str) -> bool:
    return any("\u4e00" <= sign <= "\u9fff" for sign in name)


@lru_cache(maxsize=65536)
def syllables(name: str) -> tuple[str, ...]:
    """Syllables without tone, surname first, of a name in characters; empty when a character has no known reading.

    A name in Latin letters gives its words as they stand.
    """
    folded = fold(name)
    if not is_hanzi(folded):
        return tuple(folded.split(" ")) if folded else ()
    joined = folded.replace(" ", "")
    for length in (2, 1):
        if len(joined) > length and (surname := _SURNAMES.get(joined[:length])):
            rest = tuple(_READINGS.get(sign, "") for sign in joined[length:])
            return () if "" in rest else (surname, *rest)
    spelled = tuple(_READINGS.get(sign, "") for sign in joined)
    return () if "" in spelled else spelled


def unreadable(name: str) -> str:
    """The characters of the name that have no reading in the table; for whoever draws names for the town."""
    return "".join(sign for sign in fold(name).replace(" ", "") if sign not in _READINGS and sign not in _SURNAMES)
