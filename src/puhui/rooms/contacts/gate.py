"""The contact gate: may this person be contacted now, for this, this way?

Pure. The numbers come from the rule packs in force (`Limits`), the facts from the room and the journey (`Facts`). Two counters stand side
by side, since two texts of the law count differently: what was tried, by number and day, and what was answered, by person and day.
The gate refuses when either refuses; a refusal says whether and when it may be tried again.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Purpose(Enum):
    """Why we want to speak to someone. One-time codes are asked for by the person himself and pass elsewhere."""

    SERVICE = "service"
    REMINDER = "reminder"
    COLLECTION = "collection"
    MARKETING = "marketing"


class Channel(Enum):
    SMS = "sms"
    CALL = "call"


class Verdict(Enum):
    """What the gate says, as it is stored with every attempt."""

    ALLOWED = "allowed"
    QUIET_HOURS = "contacts.quiet-hours"
    TOO_MANY_ATTEMPTS = "contacts.too-many-attempts"
    TOO_MANY_ANSWERED = "contacts.too-many-answered"
    TOO_MUCH_MARKETING = "contacts.too-much-marketing"
    OPTED_OUT = "contacts.opted-out"
    CLOSED = "contacts.closed"
    THIRD_PARTY = "contacts.third-party"
    NO_CONSENT = "contacts.no-consent"


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of the packs in force, with the versions they came from. Times are of the person's own day (Asia/Shanghai)."""

    quiet_from: time
    quiet_until: time
    answered_per_day_max: int
    attempts_per_day_max: int
    marketing_from: time
    marketing_until: time
    marketing_per_day_max: int
    marketing_per_week_max: int
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gate must know of one person, at one moment.

    attempts_today, answered_today   by number and by person, of the local day, whatever the purpose except service he asked for
    closed_because                   "" or why contact is closed: minor | deceased | disputed | hardship | not_mine | closed
    is_self                          False when another person would be spoken to
    may_market                       the person allows marketing (a live consent, not late, no hardship)
    """

    attempts_today: int = 0
    answered_today: int = 0
    marketing_today: int = 0
    marketing_this_week: int = 0
    opted_out: frozenset[Purpose] = frozenset()
    closed_because: str = ""
    is_self: bool = True
    may_market: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, and from when it may be asked again (None: never for this message)."""

    verdict: Verdict
    again_at: datetime | None = None

    @property
    def is_allowed(self) -> bool:
        return self.verdict is Verdict.ALLOWED


ALLOWED = Answer(Verdict.ALLOWED)


def may_contact(purpose: Purpose, at: datetime, facts: Facts, limits: Limits) -> Answer:
    """Say whether this contact may happen at this instant."""
    if not facts.is_self:
        return Answer(Verdict.THIRD_PARTY)
    if purpose in facts.opted_out:
        return Answer(Verdict.OPTED_OUT)
    if facts.closed_because and purpose is not Purpose.SERVICE:
        return Answer(Verdict.CLOSED)
    if purpose is Purpose.MARKETING and not facts.may_market:
        return Answer(Verdict.NO_CONSENT)
    if _is_quiet(at, limits.quiet_from, limits.quiet_until):
        return Answer(Verdict.QUIET_HOURS, _next(at, limits.quiet_until))
    if purpose is Purpose.MARKETING:
        return _may_market(at, facts, limits)
    if purpose is Purpose.SERVICE:
        return ALLOWED
    if facts.attempts_today >= limits.attempts_per_day_max:
        return Answer(Verdict.TOO_MANY_ATTEMPTS, _tomorrow(at, limits.quiet_until))
    if facts.answered_today >= limits.answered_per_day_max:
        return Answer(Verdict.TOO_MANY_ANSWERED, _tomorrow(at, limits.quiet_until))
    return ALLOWED


def _may_market(at: datetime, facts: Facts, limits: Limits) -> Answer:
    if _is_quiet(at, limits.marketing_until, limits.marketing_from):
        return Answer(Verdict.QUIET_HOURS, _next(at, limits.marketing_from))
    if facts.marketing_today >= limits.marketing_per_day_max:
        return Answer(Verdict.TOO_MUCH_MARKETING, _tomorrow(at, limits.marketing_from))
    if facts.marketing_this_week >= limits.marketing_per_week_max:
        return Answer(Verdict.TOO_MUCH_MARKETING)
    return ALLOWED


def _is_quiet(at: datetime, quiet_from: time, quiet_until: time) -> bool:
    """Say whether the local time lies in [from, until), which may pass midnight."""
    local = at.astimezone(SHANGHAI).time()
    if quiet_from <= quiet_until:
        return quiet_from <= local < quiet_until
    return local >= quiet_from or local < quiet_until


def _next(at: datetime, when: time) -> datetime:
    local = at.astimezone(SHANGHAI)
    candidate = datetime.combine(local.date(), when, SHANGHAI)
    return candidate if candidate > local else candidate + timedelta(days=1)


def _tomorrow(at: datetime, when: time) -> datetime:
    return datetime.combine(at.astimezone(SHANGHAI).date() + timedelta(days=1), when, SHANGHAI)
