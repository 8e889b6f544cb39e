"""One-time codes (短信验证码): made for one purpose, phone and subject, good once, for 300 seconds and five tries.

The book keeps no code: a code is the keyed hash of its `otp_id`, so what lies in the store cannot be typed in. `rail` and `sign` take a
code through `take`, and only one of their own purpose.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum
from typing import Literal, get_args

import msgspec

from puhui_town.wire.store import Table
from puhui_town.wire.world import World

OtpPurpose = Literal["login", "identity", "bind", "sign", "pay", "unmask"]
PURPOSES: tuple[str, ...] = get_args(OtpPurpose)
GOOD_FOR_MS = 300_000
TRIES = 5
FORGET_EACH = 1024


class Taken(Enum):
    """What became of a code that was typed in."""

    RIGHT = "right"
    WRONG = "wrong"
    EXPIRED = "expired"
    USED = "used"
    NOT_FOR_THIS = "not-for-this"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a code typed in, the tries left, and the phone the code went to (empty when unknown)."""

    taken: Taken
    left: int = 0
    phone: str = ""

    @property
    def is_right(self) -> bool:
        return self.taken is Taken.RIGHT


class Code(msgspec.Struct, frozen=True):
    """A code that was made. `left` is how many tries are left."""

    phone: str
    purpose: str
    subject: str
    made_ms: int
    left: int = TRIES
    used: bool = False


class OtpBook:
    """All codes of the run, in the table given; `now_ms` is the clock of signature windows (PROTOCOLS 1.6)."""

    def __init__(self, table: Table[Code], secret: bytes) -> None:
        self._table = table
        self._secret = secret

    def make(self, *, key: str, phone: str, purpose: str, subject: str, now_ms: int) -> tuple[str, str]:
        """A new code as (otp_id, code). The same key gives the same pair and starts no new time."""
        assert purpose in PURPOSES, purpose
        otp_id = f"otp-{hashlib.sha256(f'{key}|{phone}|{purpose}'.encode()).hexdigest()[:24]}"
        if otp_id not in self._table:
            if len(self._table) % FORGET_EACH == FORGET_EACH - 1:
                self.forget(now_ms)
            self._table.put(otp_id, Code(phone, purpose, subject, now_ms))
        return otp_id, self.code(otp_id)

    def code(self, otp_id: str) -> str:
        """The six digits; for the text to the phone alone."""
        return f"{int.from_bytes(hmac.digest(self._secret, otp_id.encode(), 'sha256')[:8], 'big') % 1_000_000:06d}"

    def take(self, *, otp_id: str, code: str, purpose: str, now_ms: int, subject: str | None = None, phone: str | None = None) -> Outcome:
        """Use up the code if it is right for exactly this; a wrong one costs a try.

        `subject` or `phone` given as None are not compared.
        """
        entry = self._table.get(otp_id)
        if entry is None:
            return Outcome(Taken.UNKNOWN)
        if entry.used:
            return Outcome(Taken.USED)
        if now_ms - entry.made_ms > GOOD_FOR_MS or entry.left == 0:
            return Outcome(Taken.EXPIRED)
        is_for_this = entry.purpose == purpose and subject in {None, entry.subject} and phone in {None, entry.phone}
        if not is_for_this:
            return Outcome(Taken.NOT_FOR_THIS, entry.left)
        if hmac.compare_digest(self.code(otp_id).encode(), code.encode()):
            self._table.put(otp_id, msgspec.structs.replace(entry, used=True))
            return Outcome(Taken.RIGHT, entry.left, entry.phone)
        self._table.put(otp_id, msgspec.structs.replace(entry, left=entry.left - 1))
        return Outcome(Taken.WRONG, entry.left - 1)

    def forget(self, now_ms: int) -> int:
        """Drop codes that are long over; gives how many."""
        old = [otp_id for otp_id, entry in self._table.items() if now_ms - entry.made_ms > 10 * GOOD_FOR_MS]
        for otp_id in old:
            self._table.drop(otp_id)
        return len(old)


def verify_otp(world: World, purpose: str, phone: str, subject: str, otp_id: str, code: str) -> bool:
    """Use up a code for a service of the town that is not told why not; an empty `subject` is not compared, the phone always is."""
    outcome: Outcome = world.parts["checks"].take_code(otp_id=otp_id, code=code, purpose=purpose, subject=subject or None, phone=phone)
    return outcome.is_right
