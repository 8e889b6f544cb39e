"""Rates: integers in parts per million, so that no float ever touches a price."""

from dataclasses import dataclass
from fractions import Fraction

PPM = 1_000_000


@dataclass(frozen=True, slots=True, order=True)
class YearRate:
    """A rate a year in parts per million: 94,822 is 9.4822 %."""

    ppm: int

    def __post_init__(self) -> None:
        assert type(self.ppm) is int, self.ppm
        assert 0 <= self.ppm <= 10 * PPM, self.ppm

    @property
    def fraction(self) -> Fraction:
        return Fraction(self.ppm, PPM)

    def __str__(self) -> str:
        """Give the percent as a person reads it, every digit that is there and none that is not: `18%`, `9.4822%`."""
        whole, part = divmod(self.ppm, 10_000)
        return f"{whole}.{part:04d}".rstrip("0").rstrip(".") + "%"
