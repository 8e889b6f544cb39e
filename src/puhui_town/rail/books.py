"""The rail's books: moving money for accepted orders, returns, money sent by hand, and what others of the town may do with accounts."""

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Protocol

import msgspec

from puhui_town.rail.accounts import CLEARING, OUTSIDE, TRANSIT, Accounts, Leg, account_of_card
from puhui_town.rail.transfer import ACCEPTED, FAILED, PAID, RETURNED, Bound, PoolMove, Settled, Transfer
from puhui_town.wire import CardFacts, Timer, World, from_ms, run_day


class Holder(Protocol):
    """Whoever plays the holders of cards. Both are called inside the rail's own step: they may read and move balances, never wait."""

    def before_collect(self, *, person: str, card_number: str, amount_fen: int, loan_id: str, order_id: str) -> None:
        """The lender is about to collect: keep the money there, or move it away (`Books.keep`)."""
        ...

    def moved(self, *, person: str, card_number: str, fen: int, loan_id: str, order_id: str) -> None:
        """The rail moved money of this card for the lender: above 0 it came, below 0 it went."""
        ...


class Books:
    """The rail's accounts and orders; `world.parts["rail"]` for the rest of the town.

    For the people of the town: `card_balance`, `keep` (set what lies on a card; the rest of the economy takes or gives the difference),
    `send` (money to the lender by hand). For funders: `fund` and `pool_moves`.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        store = world.store
        self.accounts = Accounts(store)
        self.bound = store.table("rail.bound", Bound)
        self.transfers = store.table("rail.transfers", Transfer)
        self._settled = store.table("rail.settled", Settled)
        self._days: dict[date, list[Settled]] = {}
        for line in self._settled.values():
            self._days.setdefault(line.day, []).append(line)
        self._pool_moves = store.table("rail.pool-moves", PoolMove)
        self._pool_counts: dict[str, int] = {}
        for move in self._pool_moves.values():
            self._pool_counts[move.pool] = max(move.n, self._pool_counts.get(move.pool, 0))
        self._funded = store.table("rail.funded", int)
        self._receipts = store.table("rail.receipts", dict)
        self.holder: Holder | None = None
        self.pool_watch: list[Callable[[PoolMove], None]] = []
        """Called with every new line of a pool's statement."""
        world.scheduler.handle("rail.end", self._end)
        world.scheduler.handle("rail.return", self._give_back)

    # -- for the people of the town ------------------------------------------------------------------------------------

    def account_of(self, card_number: str) -> str:
        """Give the account of a card, opened if this is the first time anyone asks. Raises KeyError for a card nobody issued."""
        account = account_of_card(self._world.config.seed, card_number)
        if self.accounts.find(account) is None:
            facts = self.facts(card_number)
            if facts is None:
                raise KeyError("no bank issued this card")
            self.accounts.open_person(account, facts.opening_fen)
            self.bound.put(account, Bound(card_number, facts.person, facts.phone))
        return account

    def card_balance(self, card_number: str) -> int:
        """Give what lies on a card, in fen. Raises KeyError for a card nobody issued."""
        return self.accounts.balance(self.account_of(card_number))

    def keep(self, card_number: str, fen: int) -> None:
        """Set what lies on a card (never below 0): wages came, life was paid for, money was moved away."""
        account = self.account_of(card_number)
        difference = max(fen, 0) - self.accounts.balance(account)
        if difference > 0:
            self.accounts.move([Leg(OUTSIDE, difference)], [Leg(account, difference)])
        elif difference < 0:
            self.accounts.move([Leg(account, -difference)], [Leg(OUTSIDE, -difference)])

    def send(self, card_number: str, fen: int, memo: str, receipt_id: str) -> bool:
        """Send the lender money by hand; False if there is too little on the card. The same receipt twice sends once."""
        account = self.account_of(card_number)
        if receipt_id in self._receipts:
            return True
        if fen <= 0 or self.accounts.balance(account) < fen:
            return False
        self.accounts.move([Leg(account, fen)], [Leg(CLEARING, fen)])
        now_ms = self._world.clock.now_ms()
        data = {"receipt_id": receipt_id, "account": CLEARING, "amount_fen": fen, "payer_tail": card_number[-4:], "memo": memo}
        self._receipts.put(receipt_id, data)
        self._settle(receipt_id, "", "received", PAID, fen, 0, now_ms)
        self._world.callbacks.send("rail", "rail.received", receipt_id, data)
        return True

    def receipt(self, receipt_id: str) -> dict[str, Any] | None:
        return self._receipts.get(receipt_id)

    # -- for funders -----------------------------------------------------------------------------------------------------

    def fund(self, partner: str, move_id: str, fen: int) -> bool:
        """Move a funder's own money into its pool (or back, below 0), once for a `move_id`; False if there is too little."""
        if move_id in self._funded:
            return True
        own, pool = f"own-{partner}", f"pool-{partner}"
        debit, credit = (own, pool) if fen > 0 else (pool, own)
        if not self.accounts.can_move([Leg(debit, abs(fen))]):
            return False
        self.accounts.move([Leg(debit, abs(fen))], [Leg(credit, abs(fen))])
        self._funded.put(move_id, fen)
        self._note_pools([Leg(credit, abs(fen))], [Leg(debit, abs(fen))], move_id, "own", "", self._world.clock.now_ms(), "own")
        return True

    def pool_moves(self, partner: str, after: int = 0) -> list[PoolMove]:
        """Give the lines of a pool's statement after the n-th."""
        pool = f"pool-{partner}"
        return [self._pool_moves[f"{pool}|{n:09d}"] for n in range(after + 1, self._pool_counts.get(pool, 0) + 1)]

    # -- orders ------------------------------------------------------------------------------------------------------------

    def facts(self, card_number: str) -> CardFacts | None:
        return self._world.cards.card_facts(card_number, self._world.clock.now())

    def accept(self, transfer: Transfer) -> None:
        """Take an order on; it ends after the rail's own delay."""
        self.transfers.put(transfer.order_id, transfer)
        low, high = self._world.config.rail_delay_ms
        delay_ms = low + _hash(transfer.order_id) % (high - low + 1)
        self._world.scheduler.after(delay_ms / 1000, f"rail|{transfer.order_id}", "rail.end", {"order_id": transfer.order_id})

    def day_rows(self, day: date) -> list[tuple[object, ...]]:
        """Give the rows of the day file, in order of (ended at, rail id)."""
        lines = sorted(self._days.get(day, ()), key=lambda line: (line.ended_ms, line.rail_id, line.state))
        return [line.row() for line in lines]

    def _end(self, timer: Timer) -> None:
        """The order ends: all legs move, or none."""
        transfer = self.transfers[timer.args["order_id"]]
        if transfer.state != ACCEPTED:
            return
        if transfer.direction == "collect" and self.holder is not None:
            self._warn_holder(self.holder, transfer)
        code = self._obstacle(transfer)
        moved = [] if code else self._available(transfer)
        if not code and not moved:
            code = "rail.insufficient-funds"
        if code:
            self._fail(transfer, code)
        else:
            self._pay(transfer, moved)

    def _warn_holder(self, holder: Holder, transfer: Transfer) -> None:
        for leg in transfer.legs:
            bound = self.bound.get(leg.account)
            if bound is not None:
                holder.before_collect(
                    person=bound.person, card_number=bound.card_number, amount_fen=leg.amount_fen, loan_id=transfer.loan_id,
                    order_id=transfer.order_id,
                )  # fmt: skip

    def _obstacle(self, transfer: Transfer) -> str:
        """Give the code of what stands in the way of every leg, or ""."""
        for leg in (*transfer.legs, *transfer.targets):
            if self.accounts.find(leg.account) is None:
                return "rail.account-closed"
            bound = self.bound.get(leg.account)
            if bound is not None:
                facts = self.facts(bound.card_number)
                if facts is None or not facts.is_usable:
                    return "rail.account-closed"
        return ""

    def _available(self, transfer: Transfer) -> list[Leg]:
        """Give the legs that can move now: all in full, or (partial allowed) what there is; none if neither."""
        if self.accounts.can_move(_summed(transfer.legs)):
            return transfer.legs
        if not transfer.allow_partial:
            return []
        left = {leg.account: self.accounts.balance(leg.account) for leg in transfer.legs}
        moved = []
        for leg in transfer.legs:
            fen = min(leg.amount_fen, left[leg.account])
            left[leg.account] -= fen
            if fen > 0:
                moved.append(Leg(leg.account, fen))
        return moved

    def _pay(self, transfer: Transfer, moved: list[Leg]) -> None:
        done_fen = sum(leg.amount_fen for leg in moved)
        now_ms = self._world.clock.now_ms()
        comes_back = transfer.return_after_days > 0
        credited = [Leg(TRANSIT, done_fen)] if comes_back else _scaled(transfer.targets, done_fen)
        self.accounts.move(moved, credited)
        paid = msgspec.structs.replace(transfer, state=PAID, done_fen=done_fen, moved=moved, ended_ms=now_ms)
        self._settle(paid.rail_id, paid.order_id, paid.direction, PAID, done_fen, paid.fee_fen, now_ms)
        self._note_pools(credited, moved, paid.order_id, paid.purpose, paid.loan_id, now_ms, PAID)
        if comes_back:
            due = from_ms(now_ms) + timedelta(days=transfer.return_after_days)
            self._world.scheduler.at(due, f"rail-return|{paid.order_id}", "rail.return", {"order_id": paid.order_id})
        else:
            self._tell_holders(paid, credited)
        self._tell(paid, "rail.paid")

    def _fail(self, transfer: Transfer, code: str) -> None:
        self._tell(msgspec.structs.replace(transfer, state=FAILED, code=code, ended_ms=self._world.clock.now_ms()), "rail.failed")

    def _give_back(self, timer: Timer) -> None:
        """A pay-out comes back (退票): the money returns to the accounts it came from."""
        transfer = self.transfers[timer.args["order_id"]]
        if transfer.state != PAID:
            return
        now_ms = self._world.clock.now_ms()
        self.accounts.move([Leg(TRANSIT, transfer.done_fen)], transfer.moved)
        code = transfer.return_code or "rail.account-closed"
        returned = msgspec.structs.replace(transfer, state=RETURNED, code=code, ended_ms=now_ms)
        self._settle(returned.rail_id, returned.order_id, returned.direction, RETURNED, returned.done_fen, 0, now_ms)
        self._note_pools(transfer.moved, [], returned.order_id, returned.purpose, returned.loan_id, now_ms, RETURNED)
        self._tell(returned, "rail.returned")

    def _tell(self, transfer: Transfer, kind: str) -> None:
        seq = self._world.callbacks.last_seq("rail", transfer.order_id) + 1
        transfer = msgspec.structs.replace(transfer, seq=seq)
        self.transfers.put(transfer.order_id, transfer)
        self._world.callbacks.send("rail", kind, transfer.order_id, transfer.told())

    def _tell_holders(self, transfer: Transfer, credited: list[Leg]) -> None:
        """Let the holder of a card and the watch know what moved."""
        now = from_ms(transfer.ended_ms)
        for leg, sign in (*((leg, -1) for leg in transfer.moved), *((leg, 1) for leg in credited)):
            bound = self.bound.get(leg.account)
            if bound is None:
                continue
            if self.holder is not None:
                self.holder.moved(
                    person=bound.person, card_number=bound.card_number, fen=sign * leg.amount_fen, loan_id=transfer.loan_id,
                    order_id=transfer.order_id,
                )  # fmt: skip
            if sign < 0:
                self._world.breaches.paid_back(person=bound.person, loan_id=transfer.loan_id, amount_fen=leg.amount_fen)
            elif transfer.direction == "pay_out" and transfer.loan_id:
                self._world.breaches.paid_out(person=bound.person, loan_id=transfer.loan_id, amount_fen=leg.amount_fen, at=now)

    def _settle(self, rail: str, order_id: str, direction: str, state: str, amount_fen: int, fee_fen: int, at_ms: int) -> None:
        line = Settled(run_day(from_ms(at_ms)), rail, order_id, direction, state, amount_fen, fee_fen, at_ms)
        self._settled.put(f"{rail}|{state}", line)
        self._days.setdefault(line.day, []).append(line)

    def _note_pools(self, credited: list[Leg], debits: list[Leg], ref: str, purpose: str, loan_id: str, at_ms: int, state: str) -> None:
        for leg, sign in (*((leg, 1) for leg in credited), *((leg, -1) for leg in debits)):
            if leg.account.startswith("pool-"):
                n = self._pool_counts.get(leg.account, 0) + 1
                self._pool_counts[leg.account] = n
                move = PoolMove(leg.account, n, at_ms, sign * leg.amount_fen, ref, state, purpose, loan_id)
                self._pool_moves.put(f"{leg.account}|{n:09d}", move)
                for watch in self.pool_watch:
                    watch(move)


def rail_id(order_id: str) -> str:
    """Give the rail's own number of an order; a repeated run gives the same."""
    return f"r-{hashlib.sha256(order_id.encode()).hexdigest()[:24]}"


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[8:12], "big")


def _summed(legs: list[Leg]) -> list[Leg]:
    sums: dict[str, int] = {}
    for leg in legs:
        sums[leg.account] = sums.get(leg.account, 0) + leg.amount_fen
    return [Leg(account, fen) for account, fen in sums.items()]


def _scaled(targets: list[Leg], done_fen: int) -> list[Leg]:
    """Give the credited of what was done: each target its part, the last the rest."""
    asked_fen = sum(leg.amount_fen for leg in targets)
    if done_fen == asked_fen:
        return targets
    parts = [leg.amount_fen * done_fen // asked_fen for leg in targets]
    parts[-1] += done_fen - sum(parts)
    return [Leg(leg.account, fen) for leg, fen in zip(targets, parts, strict=True) if fen > 0]
