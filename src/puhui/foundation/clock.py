"""The clock in its three modes. It is asked at the doors only (`Desk.work`); inside, time is a value.

live     the wall clock.
fast     `at` = since_at + speed x (now - since_real); days, due times and contact hours follow it, short spans stay real seconds.
stepped  nothing moves by itself; only the driver moves it.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from puhui.foundation.refusals import Refusal


class ClockMode(Enum):
    LIVE = "live"
    FAST = "fast"
    STEPPED = "stepped"


class ClockGoesBack(Refusal):
    """The clock stands at {at} and was told to go back to {to}; a clock only goes forward."""

    code = "clock.goes-back"
    status = 409


@dataclass(slots=True)
class Clock:
    """One clock for the process. `since_real` is unix seconds; it and `since_at` anchor the fast mode."""

    mode: ClockMode = ClockMode.LIVE
    since_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    since_real: float = field(default_factory=time.time)
    speed: int = 1
    tick_s: int = 60

    def now(self) -> datetime:
        """Give the run's instant, aware, in UTC."""
        match self.mode:
            case ClockMode.LIVE:
                return datetime.now(UTC)
            case ClockMode.FAST:
                return self.since_at + timedelta(seconds=self.speed * (time.time() - self.since_real))
            case ClockMode.STEPPED:
                return self.since_at

    def real_ms(self) -> int:
        """Give the unix milliseconds that stand in `Puhui-Time`: of the run's clock when stepped or live, real when fast."""
        if self.mode is ClockMode.STEPPED:
            return int(self.since_at.timestamp() * 1000)
        return int(time.time() * 1000)

    def step_to(self, to: datetime) -> None:
        """Move a stepped clock forward. Raises ClockGoesBack."""
        assert self.mode is ClockMode.STEPPED, self.mode
        if to < self.since_at:
            raise ClockGoesBack(at=self.since_at.isoformat(), to=to.isoformat())
        self.since_at = to

    def after(self, now: datetime, span: timedelta) -> datetime:
        """Give the instant of the run that lies a *short* span (delays, holds, codes, sessions) after `now`.

        Under the fast clock short spans are real seconds, so they are stretched by the speed; stepped, the result is rounded up to the tick.
        """
        if self.mode is ClockMode.FAST and span < timedelta(hours=1):
            span *= self.speed
        return self.on_tick(now + span)

    def on_tick(self, due: datetime) -> datetime:
        """Round a due time up to the grain of a stepped run; elsewhere give it back."""
        if self.mode is not ClockMode.STEPPED:
            return due
        seconds = due.timestamp()
        whole = -(-int(seconds * 1_000_000) // (self.tick_s * 1_000_000)) * self.tick_s
        return datetime.fromtimestamp(whole, UTC)
