"""Accounts of the rail: whole fen, never below 0, and a sum that never changes."""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from puhui_town.wire import Store

OUTSIDE, TRANSIT, CLEARING = "outside", "transit", "lender-clearing"
OPENING = tomllib.loads((Path(__file__).parent / "opening.toml").read_text("utf-8"))


class Account(msgspec.Struct, frozen=True):
    """An account, its owner (`lender`, `funder-07`, `shop-m001`, `outside`, or `person`) and balance."""

    owner: str
    balance_fen: int


class Leg(msgspec.Struct, frozen=True):
    """One side of a movement: an account and how much leaves or reaches it."""

    account: str
    amount_fen: int


class Accounts:
    """All accounts. `move` is the only way in which a balance changes."""

    def __init__(self, store: Store) -> None:
        self._table = store.table("rail.accounts", Account)
        if not len(self._table):
            self._open_house()

    def find(self, account: str) -> Account | None:
        return self._table.get(account)

    def balance(self, account: str) -> int:
        """Give a balance in fen. Raises KeyError for an account that was never opened."""
        return self._table[account].balance_fen

    def open_person(self, account: str, opening_fen: int) -> None:
        """Open a person's account with money he had before the run; opened already, nothing happens."""
        if account not in self._table:
            self._table.put(account, Account("person", 0))
            if opening_fen > 0:
                self.move([Leg(OUTSIDE, opening_fen)], [Leg(account, opening_fen)])

    def can_move(self, debits: Iterable[Leg]) -> bool:
        return all(self.balance(leg.account) >= leg.amount_fen for leg in debits)

    def move(self, debits: Iterable[Leg], credited: Iterable[Leg]) -> None:
        """Move all legs. The caller has made sure that no account falls below 0."""
        debits, credited = list(debits), list(credited)
        assert sum(leg.amount_fen for leg in debits) == sum(leg.amount_fen for leg in credited), "money appeared or vanished"
        for leg in debits:
            self._add(leg.account, -leg.amount_fen)
        for leg in credited:
            self._add(leg.account, leg.amount_fen)

    def all(self) -> Iterator[tuple[str, Account]]:
        """Give every account in order of its name."""
        return iter(sorted(self._table.items()))

    def total_fen(self) -> int:
        return sum(account.balance_fen for account in self._table.values())

    def _add(self, name: str, fen: int) -> None:
        account = self._table[name]
        balance_fen = account.balance_fen + fen
        assert balance_fen >= 0, f"{name} would fall below 0"
        self._table.put(name, Account(account.owner, balance_fen))

    def _open_house(self) -> None:
        for name, row in OPENING["accounts"].items():
            self._table.put(name, Account(row["owner"], row["fen"]))
        funders = OPENING["funders"]
        for n in range(funders["first"], funders["last"] + 1):
            partner = f"funder-{n:02d}"
            self._table.put(f"pool-{partner}", Account(partner, funders["pool_fen"]))
            self._table.put(f"own-{partner}", Account(partner, funders["own_fen"]))
        shops = OPENING["shops"]
        for n in range(shops["first"], shops["last"] + 1):
            shop = f"shop-m{n:03d}"
            self._table.put(shop, Account(shop, 0))
            self.move([Leg(OUTSIDE, shops["fen"])], [Leg(shop, shops["fen"])])


def opening_total_fen() -> int:
    """Give the sum of all accounts as the run began, and as it must stay."""
    funders = OPENING["funders"]
    count = int(funders["last"]) - int(funders["first"]) + 1
    house_fen = sum(int(row["fen"]) for row in OPENING["accounts"].values())
    return house_fen + count * (int(funders["pool_fen"]) + int(funders["own_fen"]))


def account_of_card(seed: int, card_number: str) -> str:
    """Give the opaque token under which a card's account is known."""
    return f"acct-{hashlib.sha256(f'{seed}|{card_number}'.encode()).hexdigest()[:24]}"
