"""The town's clock. It is the only module of the town that asks the machine for the time.

live     the wall clock
fast     `at` = since_at + speed x (now - since_real); spans under an hour stay real seconds
stepped  nothing moves by itself; only the driver moves it
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from puhui_town.wire.words import SHANGHAI, from_ms, to_ms, wrong_state

SHORT_S = 3600
REBASE_AFTER_S = 60


class ClockMode(StrEnum):
    LIVE = "live"
    FAST = "fast"
    STEPPED = "stepped"


@dataclass(slots=True)
class Clock:
    """The run's clock. `since_real_ms` is unix time of the machine; `tick_s` the grain of due times in a stepped run."""

    mode: ClockMode
    since_at: datetime
    since_real_ms: int
    speed: int = 1
    tick_s: int = 60

    @classmethod
    def begin(cls, mode: ClockMode, at: datetime, *, speed: int = 1, tick_s: int = 60) -> "Clock":
        """Start a clock at `at` (fast, stepped); a live clock is the wall clock."""
        return cls(mode, at, machine_ms(), speed if mode is ClockMode.FAST else 1, tick_s)

    def now(self) -> datetime:
        """Give the run's instant, aware, in Shanghai's zone, to the millisecond."""
        return from_ms(self.now_ms())

    def now_ms(self) -> int:
        """Give the run's instant as unix milliseconds."""
        if self.mode is ClockMode.STEPPED:
            return to_ms(self.since_at)
        if self.mode is ClockMode.LIVE:
            return machine_ms()
        return to_ms(self.since_at) + self.speed * (machine_ms() - self.since_real_ms)

    def sign_ms(self) -> int:
        """Give what stands in `Puhui-Time`: the run's clock when stepped, else real time."""
        return to_ms(self.since_at) if self.mode is ClockMode.STEPPED else machine_ms()

    def later(self, seconds: float) -> datetime:
        """Give the instant of the run that lies `seconds` ahead; under the fast clock spans under an hour are real seconds."""
        stretch = self.speed if self.mode is ClockMode.FAST and seconds < SHORT_S else 1
        return self.on_tick(self.now() + timedelta(seconds=seconds * stretch))

    def on_tick(self, due: datetime) -> datetime:
        """Round a due time up to the grain of a stepped run; elsewhere give it back."""
        if self.mode is not ClockMode.STEPPED:
            return due
        tick_ms = self.tick_s * 1000
        return from_ms(-(-to_ms(due) // tick_ms) * tick_ms)

    def real_seconds_until(self, due_ms: int) -> float:
        """Give how long the machine must wait for an instant of the run (live and fast)."""
        return max(0.0, (due_ms - self.now_ms()) / 1000 / self.speed)

    def move_to(self, to: datetime) -> None:
        """Move a stepped clock forward. Raises Refused `wrong-state`."""
        if self.mode is not ClockMode.STEPPED:
            raise wrong_state(f"the clock is {self.mode.value}; only a stepped clock is moved")
        if to < self.since_at:
            raise wrong_state("the clock only goes forward")
        self.since_at = to.astimezone(SHANGHAI)

    def told(self) -> dict[str, object]:
        """Give what `GET /town/clock` answers."""
        at = self.now()
        is_fast = self.mode is ClockMode.FAST
        since_at = self.since_at if is_fast else at
        since_real = from_ms(self.since_real_ms) if is_fast else from_ms(machine_ms())
        return {
            "mode": self.mode.value,
            "at": at.isoformat(timespec="milliseconds"),
            "speed": self.speed,
            "since_real": since_real.isoformat(timespec="milliseconds"),
            "since_at": since_at.astimezone(SHANGHAI).isoformat(timespec="milliseconds"),
            "tick_s": self.tick_s,
        }

    def stored(self, *, is_over: bool = False) -> dict[str, object]:
        """Give what is kept across restarts; `is_over` when the whole run stops here, and not only this process."""
        return {
            "mode": self.mode.value,
            "since_at_ms": to_ms(self.since_at),
            "since_real_ms": self.since_real_ms,
            "speed": self.speed,
            "tick_s": self.tick_s,
            "seen_at_ms": self.now_ms(),
            "seen_real_ms": machine_ms(),
            "is_over": is_over,
        }

    @classmethod
    def restored(cls, kept: dict[str, int | str], fresh: "Clock") -> "Clock":
        """Give the clock where an earlier process left it; `fresh` if it ran in another mode.

        A fast clock whose process was away for less than a minute simply ran on (the platform still counts by the same anchor); after a
        longer absence, or after a clean stop, the run goes on at the instant last seen, so a night without the town is not years in it.
        """
        if kept["mode"] != fresh.mode.value or fresh.mode is ClockMode.LIVE:
            return fresh
        clock = cls(fresh.mode, from_ms(int(kept["since_at_ms"])), int(kept["since_real_ms"]), int(kept["speed"]), int(kept["tick_s"]))
        is_over = bool(kept.get("is_over")) or machine_ms() - int(kept["seen_real_ms"]) > REBASE_AFTER_S * 1000
        if fresh.mode is ClockMode.FAST and is_over:
            clock.since_at, clock.since_real_ms = from_ms(int(kept["seen_at_ms"])), machine_ms()
        return clock


def machine_ms() -> int:
    """Give the machine's own unix milliseconds."""
    return time.time_ns() // 1_000_000


def cpu_seconds() -> float:
    """Give the processor time this process has used."""
    return time.process_time()


