"""Names and numbers that cannot be a real person's: id numbers from 79, phones from 120, cards from 00, all with right check digits.

Numbers are made so that they can be read back: which resident an id number, a phone or a card belongs to needs no table.
"""

import hashlib
from datetime import date, timedelta

SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭肖蔡潘田董袁于余叶蒋杜苏魏程吕丁任卢姚沈钟姜崔谭陆范汪廖石韦贾夏付方邹熊孟秦白江"
_WOMEN = "梅芳丽娟秀兰玲燕霞萍红琴慧婷娜静淑芬翠莲菊凤香英洁颖倩雪云"
_MEN = "强伟军刚勇磊涛超明辉斌鹏飞波宁建国平志海山林松柏龙虎峰文武"
_EITHER = "春华晓东小新玉金庆永安和嘉宇子思晨佳俊欣"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
ORDERS = 500
"""Pairs of numbers for a day of birth; neighbours get different ones, so that the ends of their id numbers differ."""
CARDS_EACH = 8
"""Card numbers set aside for each person: three at first, the others for lost and new cards."""
BANKS = ("000001", "000002", "000003", "000004", "000005", "000006")
_PHONES = 10**8
_STEP = 61_803_399
_BACK = pow(_STEP, -1, _PHONES)
NUMBERS_APART = 20_000_000
"""Second and third phone numbers of a person lie this far from his first."""


def id_check_digit(first17: str) -> str:
    """The 18th sign of an id number (ISO 7064, MOD 11-2)."""
    return _CHECKS[sum(int(d) * w for d, w in zip(first17, _WEIGHTS, strict=True)) % 11]


def luhn_digit(body: str) -> str:
    """The last digit of a card number whose other digits are `body`."""
    total = 0
    for k, sign in enumerate(reversed(body)):
        d = int(sign) * (2 if k % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return str(-total % 10)


def offset_of(seed: str | int) -> int:
    """A number that moves phones of one seed away from those of another."""
    return int.from_bytes(hashlib.sha256(f"{seed}|papers".encode()).digest()[:4], "big")


def birthday(n: int, offset: int, year: int) -> date:
    """The birthday of resident n in that year; with `order_number` it keeps id numbers of up to 182,500 residents apart."""
    return date(year, 1, 1) + timedelta(days=(n // ORDERS + 211 * (n % ORDERS) + offset) % 365)


def is_man(n: int) -> bool:
    return bool((n * 0x9E3779B1 + 0x7F4A7C15) >> 16 & 1)


def order_number(n: int) -> int:
    """The three digits after the birth date; an odd one is a man's."""
    return 2 * ((n * 309 + 50) % ORDERS) + is_man(n)


def id_number(address_code: str, born: date, n: int) -> str:
    first17 = f"{address_code}{born:%Y%m%d}{order_number(n):03d}"
    return first17 + id_check_digit(first17)


def residents_of_id(number: str, offset: int, count: int) -> list[int]:
    """Which residents could have this id number; whoever asks compares the whole number."""
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
        order = int(number[14:17])
    except ValueError:
        return []
    day = born.timetuple().tm_yday - 1
    if day == 365:
        return []
    low = (order // 2 - 50) * pow(309, -1, ORDERS) % ORDERS
    high = (day - offset - 211 * low) % 365
    return list(range(high * ORDERS + low, count, 365 * ORDERS))


def phone_number(n: int, offset: int, generation: int = 0) -> str:
    """The phone of resident n: the first, or the one he took after `generation` changes (0..4)."""
    return f"120{((n + generation * NUMBERS_APART) * _STEP + offset) % _PHONES:08d}"


def resident_of_phone(number: str, offset: int) -> tuple[int, int] | None:
    """(n, generation) of a number of the town, or None when it is none."""
    if len(number) != 11 or not number.startswith("120") or not number.isdigit():
        return None
    index = (int(number[3:]) - offset) * _BACK % _PHONES
    return index % NUMBERS_APART, index // NUMBERS_APART


def card_number(n: int, k: int) -> str:
    """The k-th card (0..7) of resident n."""
    assert 0 <= k < CARDS_EACH, k
    body = f"{BANKS[(n * 3 + k * 5) % len(BANKS)]}{n * CARDS_EACH + k:09d}"
    return body + luhn_digit(body)


def resident_of_card(number: str) -> tuple[int, int] | None:
    """(n, k) of a card of the town, or None when no bank of the town issued it."""
    if len(number) != 16 or not number.isdigit():
        return None
    n, k = divmod(int(number[6:15]), CARDS_EACH)
    return (n, k) if card_number(n, k) == number else None


def name_of(first: float, second: float, third: float, *, man: bool) -> str:
    """A name from three numbers in [0, 1)."""
    given = _MEN if man else _WOMEN
    surname = SURNAMES[int(len(SURNAMES) * first * first)]
    pool = given + _EITHER
    head = pool[int(len(pool) * second)]
    if third < 0.25:
        return surname + head
    return surname + head + given[int(len(given) * (third - 0.25) / 0.75)]
