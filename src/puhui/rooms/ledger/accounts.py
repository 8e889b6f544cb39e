"""The chart of accounts: data, read once. Debits are positive, credits negative."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

LENDER = "lender"
MAIN = "lender-main"
CLEARING = "lender-clearing"


class AccountKind(StrEnum):
    """What side of the books an account stands on; memo accounts stand off the balance sheet."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"
    MEMO = "memo"


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the chart; `owner` says what the second key of its lines names."""

    code: str
    kind: AccountKind
    owner: str
    zh: str
    en: str


@cache
def chart() -> Mapping[str, Account]:
    """Read the chart, by code."""
    data = tomllib.loads(Path(__file__).with_name("accounts.toml").read_text("utf-8"))
    return {row["code"]: Account(row["code"], AccountKind(row["kind"]), row["owner"], row["zh"], row["en"]) for row in data["account"]}


Lines = Mapping[tuple[str, str], int]


def added(parts: Iterable[Lines]) -> dict[tuple[str, str], int]:
    """Add line by line; what comes to 0 stays out."""
    sums: Counter[tuple[str, str]] = Counter()
    for lines in parts:
        sums.update(lines)
    return {key: fen for key, fen in sums.items() if fen}


def difference(after: Lines, before: Lines) -> dict[tuple[str, str], int]:
    """Give what must be posted to come from `before` to `after`: one line per account that moves."""
    moved = {key: after.get(key, 0) - before.get(key, 0) for key in sorted({*after, *before})}
    return {key: fen for key, fen in moved.items() if fen}
