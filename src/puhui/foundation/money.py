"""Money: whole fen of renminbi, exact, never a float."""

import re
from dataclasses import dataclass
from typing import Self

FEN_MAX = 10**15
_YUAN = re.compile(r"^(-?)(\d{1,13})(?:\.(\d{1,2}))?$", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount of renminbi, held as whole fen (1 yuan = 100 fen)."""

    fen: int

    def __post_init__(self) -> None:
        assert type(self.fen) is int, self.fen
        assert -(2**63) <= self.fen < 2**63, self.fen

    @classmethod
    def yuan(cls, text: str) -> Self:
        """Read yuan as people write it: "30", "30.5", "30.01". Raises ValueError for anything else, so also for three decimals."""
        match = _YUAN.fullmatch(text.strip().replace(",", ""))
        if not match:
            raise ValueError(f"{text!r} is no amount of yuan")
        sign, whole, part = match.groups()
        fen = int(whole) * 100 + int((part or "0").ljust(2, "0"))
        return cls(-fen if sign else fen)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.fen + other.fen)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.fen - other.fen)

    def __neg__(self) -> Self:
        return type(self)(-self.fen)

    def __bool__(self) -> bool:
        return self.fen != 0

    def __str__(self) -> str:
        whole, part = divmod(abs(self.fen), 100)
        return f"{'-' if self.fen < 0 else ''}{whole:,}.{part:02d}"


ZERO = Money(0)
