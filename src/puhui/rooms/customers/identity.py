"""Who a person says he is: names, id numbers, cards and phones, with their check digits. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import Enum

from puhui.foundation.refusals import BadField

_ID = re.compile(r"^\d{17}[0-9X]$")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_PHONE = re.compile(r"^1\d{10}$")
_CARD = re.compile(r"^\d{13,19}$")
_NAME = re.compile(r"^[^\W\d_]+(?:[·\- ][^\W\d_]+)*$")
_PLACE = re.compile(r"^\d{12}$")


class Level(Enum):
    """How well a person is known: nothing yet, papers and face fit, card and phone fit too, papers ran out, barred by a list."""

    NONE = "none"
    BASIC = "basic"
    VERIFIED = "verified"
    EXPIRED = "expired"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class IdNumber:
    """An id card's number with a right check digit and a real birth date. Read it by `id_number`."""

    text: str

    @property
    def address_code(self) -> str:
        return self.text[:6]

    @property
    def born(self) -> date:
        return date(int(self.text[6:10]), int(self.text[10:12]), int(self.text[12:14]))

    @property
    def tail(self) -> str:
        return self.text[-4:]

    def __repr__(self) -> str:
        return "IdNumber(…)"


def id_number(text: str, *, today: date) -> IdNumber:
    """Read an id number: 18 signs, MOD 11-2, a birth date that has come. Raises BadField, never repeating the number."""
    signs = text.strip().upper()
    if not _ID.fullmatch(signs) or not signs.isascii():
        raise BadField(field="id_number", why="an id card number has 17 digits and a check sign")
    if signs[-1] != _CHECKS[sum(int(digit) * weight for digit, weight in zip(signs[:17], _WEIGHTS, strict=True)) % 11]:
        raise BadField(field="id_number", why="its check sign does not fit; please compare it with the card")
    number = IdNumber(signs)
    try:
        is_born = date(1900, 1, 1) <= number.born <= today
    except ValueError:
        is_born = False
    if not is_born:
        raise BadField(field="id_number", why="it holds no birth date that has come")
    return number


def card_number(text: str) -> str:
    """Read a bank card's number by its Luhn digit. Raises BadField, never repeating the number."""
    digits = re.sub(r"[ -]", "", text)
    if not _CARD.fullmatch(digits) or not digits.isascii():
        raise BadField(field="card_number", why="a card number has 13 to 19 digits")
    total = 0
    for place, sign in enumerate(reversed(digits)):
        doubled = int(sign) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    if total % 10:
        raise BadField(field="card_number", why="its check digit does not fit; please compare it with the card")
    return digits


def phone_number(text: str) -> str:
    """Read a mobile number. Raises BadField, never repeating the number."""
    digits = re.sub(r"[ -]", "", text).removeprefix("+86")
    if not _PHONE.fullmatch(digits) or not digits.isascii():
        raise BadField(field="phone", why="a mobile number has 11 digits and begins with 1")
    return digits


def person_name(text: str) -> str:
    """Read a name: letters of any script, with dots, hyphens or spaces between. Raises BadField."""
    name = unicodedata.normalize("NFKC", text).strip().replace("•", "·").replace("．", "·")
    if not 2 <= len(name) <= 50 or not _NAME.fullmatch(name):
        raise BadField(field="name", why="write it as on the id card, 2 to 50 letters")
    return name


def place_code(text: str) -> str:
    """Read a statistical place code of 12 digits. Raises BadField."""
    if not _PLACE.fullmatch(text) or not text.isascii():
        raise BadField(field="living_place_code", why="a place code has 12 digits")
    return text
