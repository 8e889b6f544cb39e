"""The menu of faults: rules that fire by a hash of seed, rule, operation, key and attempt, so never by chance or by order of threads.

Faults of *delivery* change what is said and when; they count attempts and never fire on the fourth or later. All others are *true*: they
are asked for the deed itself, always as attempt 1, so that the truth of a key does not depend on how often it was delivered. Among the
rules of each of the two sorts the first that fires wins.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from puhui_town.wire.clock import Clock
from puhui_town.wire.store import Store
from puhui_town.wire.words import Ident, Instant, bad_field, instant

DELIVERY = frozenset(
    {"timeout_before", "timeout_after", "silent_5xx", "slow", "duplicate", "reordered", "late", "lost", "bad_sign", "clock_skew", "partial_batch"}
)
TRUE = frozenset(
    {
        "reject", "returned", "wrong_amount", "wrong_status", "wrong_date", "missing_row", "extra_row", "duplicate_row", "terms_changed",
        "stale", "down", "otp_lost", "list_changed", "cert_revoked",
    }
)  # fmt: skip
DELIVERY_ATTEMPTS = 3


class Rule(msgspec.Struct, frozen=True):
    """One rule of `PUT /town/faults`. `from_` stands as `from` on the wire; the span is half-open, in the run's time."""

    rule_id: Ident
    op: str
    fault: str
    per_million: int
    from_: Instant | None = msgspec.field(default=None, name="from")
    until: Instant | None = None
    max: int | None = None
    only: dict[str, Any] = {}
    args: dict[str, Any] = {}

    def covers(self, op: str, *, is_get: bool) -> bool:
        """A GET is touched only by a rule of its own, unless the whole service is down; `service.*` is everything else of a service."""
        if self.op == op:
            return True
        return (not is_get or self.fault == "down") and self.op.endswith(".*") and op.startswith(self.op[:-1])


class RuleBook(msgspec.Struct, frozen=True):
    """The body of `PUT /town/faults`."""

    seed: int
    rules: list[Rule]


class Fault(msgspec.Struct, frozen=True):
    """A rule that fired."""

    name: str
    args: dict[str, Any] = {}
    rule_id: str = ""

    def whole(self, name: str, default: int) -> int:
        """Give a whole number from the rule's args."""
        value = self.args.get(name, default)
        return value if isinstance(value, int) else default


class Fired(msgspec.Struct, frozen=True):
    """One line of `GET /town/faults/fired`."""

    rule_id: str
    op: str
    key: str
    attempt: int
    fault: str
    at: str


def draw(seed: int, rule_id: str, op: str, key: str, attempt: int) -> int:
    """Give the number 0..999,999 that decides whether a rule fires."""
    text = f"{seed}|{rule_id}|{op}|{key}|{attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 1_000_000


class Faults:
    """The rules in force and what they did."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._books = store.table("wire.fault-rules", RuleBook)
        self._attempts = store.table("wire.fault-attempts", int)
        self._fired = store.table("wire.faults-fired", Fired)
        self._counts: dict[str, int] = {}
        for fired in self._fired.values():
            self._counts[fired.rule_id] = self._counts.get(fired.rule_id, 0) + 1

    @property
    def rules(self) -> list[Rule]:
        book = self._books.get("now")
        return book.rules if book else []

    def set(self, book: RuleBook) -> None:
        """Put these rules in force instead of all earlier ones, and forget what fired. Raises Refused `bad-field`."""
        for rule in book.rules:
            if rule.fault not in DELIVERY | TRUE:
                raise bad_field("rules.fault", f"{rule.fault} is not on the menu")
            if not 0 <= rule.per_million <= 1_000_000:
                raise bad_field("rules.per_million", "lies outside 0..1,000,000")
        self.clear()
        self._books.put("now", book)

    def clear(self) -> None:
        self._books.drop("now")
        self._attempts.clear()
        self._fired.clear()
        self._counts.clear()

    def fired(self) -> list[Fired]:
        return sorted(self._fired.values(), key=lambda one: (one.at, one.rule_id, one.op, one.key, one.attempt))

    def next_attempt(self, op: str, key: str) -> int:
        """Count one more attempt of a key. Without rules nothing is counted."""
        if not self._books.rows:
            return 1
        mark = f"{op}|{key}"
        attempt = (self._attempts.get(mark) or 0) + 1
        self._attempts.put(mark, attempt)
        return attempt

    def ask(self, op: str, key: str, attempt: int = 1, *, fields: Mapping[str, Any] | None = None, names: frozenset[str] | None = None,
            is_get: bool = False) -> Fault | None:  # fmt: skip
        """Give the first rule that fires, or None. `fields` are what a rule's `only` compares; `names` narrows to some faults.

        The same question gets the same answer and is written down once.
        """
        book = self._books.rows.get("now")
        if book is None:
            return None
        now = None
        for rule in book.rules:
            if (names is not None and rule.fault not in names) or not rule.covers(op, is_get=is_get):
                continue
            if rule.fault in DELIVERY and attempt > DELIVERY_ATTEMPTS:
                continue
            now = now or self._clock.now()
            if (rule.from_ and now < rule.from_) or (rule.until and now >= rule.until):
                continue
            if any((fields or {}).get(name) != value for name, value in rule.only.items()):
                continue
            if draw(book.seed, rule.rule_id, op, key, attempt) < rule.per_million and self._may_fire(rule, op, key, attempt):
                return Fault(rule.fault, rule.args, rule.rule_id)
        return None

    def _may_fire(self, rule: Rule, op: str, key: str, attempt: int) -> bool:
        mark = f"{rule.rule_id}|{op}|{key}|{attempt}"
        if mark in self._fired:
            return True
        count = self._counts.get(rule.rule_id, 0)
        if rule.max is not None and count >= rule.max:
            return False
        self._counts[rule.rule_id] = count + 1
        self._fired.put(mark, Fired(rule.rule_id, op, key, attempt, rule.fault, instant(self._clock.now())))
        return True
