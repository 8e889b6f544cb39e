"""Products: what is sold, read once from `products/<id>.toml` into frozen values. A contract pins a product by id, version and hash."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from puhui.foundation.refusals import Refusal

Row = TypeVar("Row")


class ProductUnreadable(Refusal):
    """The product file cannot be used: {why}. Mend the file; nothing was loaded from it."""

    code = "products.unreadable"


class UnknownProductError(LookupError):
    """No product of this id is installed."""


@dataclass(frozen=True, slots=True)
class Band:
    """A risk band: default probabilities up to `probability_max_ppm` (and above the band before), and its contract rate a year."""

    name: str
    probability_max_ppm: int
    rate_ppm: int
    amount_max_fen: int


@dataclass(frozen=True, slots=True)
class LadderStep:
    """A step of the line ladder, and what reaching it needs: loans of ours settled, and clean months with us."""

    step: str
    line_min_fen: int
    line_max_fen: int
    settled_min: int
    months_min: int


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge beside interest: a standard in ppm of the principal, due with the first installment, to `payee`."""

    code: str
    payee: str
    standard_ppm: int


@dataclass(frozen=True, slots=True)
class Affordability:
    """How much of a month's income may go into our installments, what stays free for living, and the least income, in fen."""

    installment_share_max_ppm: int
    living_cost_fen: int
    income_min_fen: int


@dataclass(frozen=True, slots=True)
class Collecting:
    """When a mandate is used: on the due day at these times, then on every late day at those (Asia/Shanghai)."""

    mandate_days_after_maturity: int
    partial_allowed: bool
    due_day_at: tuple[time, ...]
    late_day_at: tuple[time, ...]


@dataclass(frozen=True, slots=True)
class BureauForm:
    """How a loan of this product stands in the credit register; fixed at opening."""

    account_type: str
    business_detail: str
    repay_frequency: str
    guarantee_mode: str


@dataclass(frozen=True, slots=True)
class Product:
    """A product family. Amounts are whole fen, rates ppm a year; `methods` and `convention` name those of `schedules`."""

    id: str
    version: int
    sha256: str
    title_zh: str
    title_en: str
    convention: str
    methods: tuple[str, ...]
    months: tuple[int, ...]
    amount_min_fen: int
    amount_max_fen: int
    amount_typical_fen: int
    amount_step_fen: int
    bands: tuple[Band, ...]
    ladder: tuple[LadderStep, ...]
    affordability: Affordability
    purposes: frozenset[str]
    offer_valid_h: int
    collecting: Collecting
    bureau: BureauForm
    charges: tuple[Charge, ...]

    def __post_init__(self) -> None:
        assert 0 < self.amount_min_fen <= self.amount_typical_fen <= self.amount_max_fen, self.id
        assert self.amount_min_fen % self.amount_step_fen == 0, self.id
        edges = [band.probability_max_ppm for band in self.bands]
        assert edges == sorted(set(edges)), "bands rise"
        assert edges[-1] == 1_000_000, "every probability has its band"
        assert [step.line_max_fen for step in self.ladder] == sorted(step.line_max_fen for step in self.ladder), "the ladder rises"

    def band_of(self, probability_ppm: int) -> Band:
        """Give the band of a default probability (0..1,000,000 ppm)."""
        return next(band for band in self.bands if probability_ppm <= band.probability_max_ppm)

    def is_on_sale(self, amount_fen: int, months: int) -> bool:
        """Say whether this amount and term can be asked for at all."""
        in_range = self.amount_min_fen <= amount_fen <= self.amount_max_fen
        return in_range and amount_fen % self.amount_step_fen == 0 and months in self.months


@cache
def product(name: str) -> Product:
    """Read the product `name`.

    Raises: UnknownProductError.
    """
    file = resources.files("puhui.products") / f"{name}.toml"
    if not file.is_file():
        raise UnknownProductError(name)
    return read_product(file.read_bytes())


@cache
def read_product(text: bytes) -> Product:
    """Parse the bytes of a product file; its hash is that of the bytes. Raises ProductUnreadable."""
    try:
        return _read(text)
    except KeyError as missing:
        raise ProductUnreadable(why=f"the field {missing} is missing") from None
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RecursionError, AssertionError) as error:
        raise ProductUnreadable(why=f"{type(error).__name__}: {error}") from None


def _read(text: bytes) -> Product:
    data = tomllib.loads(text.decode())
    amount, caps = data["amount"], data["amount_max_by_band_fen"]
    collecting = data["collecting"]
    return Product(
        id=data["id"],
        version=data["version"],
        sha256=hashlib.sha256(text).hexdigest(),
        title_zh=data["title_zh"],
        title_en=data["title_en"],
        convention=data["convention"],
        methods=tuple(data["methods"]),
        months=tuple(data["months"]),
        amount_min_fen=amount["min_fen"],
        amount_max_fen=amount["max_fen"],
        amount_typical_fen=amount["typical_fen"],
        amount_step_fen=amount["step_fen"],
        bands=tuple(Band(amount_max_fen=caps[row["name"]], **row) for row in data["band"]),
        ladder=_rows(LadderStep, data["ladder"]),
        affordability=Affordability(**data["affordability"]),
        purposes=frozenset(data["purposes"]["allowed"]),
        offer_valid_h=data["offer"]["valid_h"],
        collecting=Collecting(
            mandate_days_after_maturity=collecting["mandate_days_after_maturity"],
            partial_allowed=collecting["partial_allowed"],
            due_day_at=tuple(time.fromisoformat(text) for text in collecting["due_day_at"]),
            late_day_at=tuple(time.fromisoformat(text) for text in collecting["late_day_at"]),
        ),
        bureau=BureauForm(**data["bureau"]),
        charges=_rows(Charge, data["charges"]),
    )


def _rows(kind: type[Row], rows: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    return tuple(kind(**row) for row in rows)
