"""What the town, by its own rules, sees the lender do that it may not (PROTOCOLS 9.8).

Nothing here asks the lender anything. Residents report what they consented to, withdrew and were shown; the services report what the
lender sent; the rules of `rules.toml` judge. A person whom the town never saw consent (someone tries the product himself, through the
pages) is *unwitnessed*: his uses are counted apart and are no breach, unless the watch is strict.

All hours are Asia/Shanghai. `person` is the population's opaque key. Tables hold plain values only.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from puhui_town.wire.clock import Clock
from puhui_town.wire.store import Store
from puhui_town.wire.words import SHANGHAI, instant

LATE_STATUSES = frozenset("1234567B")


class Kind(Enum):
    """What can be seen."""

    CONTACT_AT_NIGHT = "contact-at-night"
    CONTACT_TOO_OFTEN = "contact-too-often"
    CONTACT_OF_THIRD_PARTY = "contact-third-party"
    CONTACT_AFTER_OPT_OUT = "contact-after-opt-out"
    USE_WITHOUT_CONSENT = "use-without-consent"
    SIGNED_BEFORE_READING = "signed-before-reading"
    OUTSIDE_FUNDER_TERMS = "outside-funder-terms"
    OVER_PERSON_CAP = "over-person-cap"
    COLLECT_OVER_MANDATE = "collect-over-mandate"
    BAD_MARK_BEFORE_NOTICE = "bad-mark-before-notice"


class Standing(Enum):
    """How a consent stands at a use."""

    LIVE = "live"
    UNWITNESSED = "unwitnessed"
    UNKNOWN = "unknown"
    OTHER_ITEM = "other-item"
    ALTERED = "altered"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    USED_UP = "used-up"

    @property
    def allows(self) -> bool:
        return self in {Standing.LIVE, Standing.UNWITNESSED}


@dataclass(frozen=True, slots=True)
class Rules:
    """`rules.toml` as values; hours are half-open, counts are what is still allowed."""

    night_from: time
    night_until: time
    night_purposes: frozenset[str]
    connected_calls_per_day_max: int
    unanswered_calls_per_day_max: int
    counted_purposes: frozenset[str]
    marketing_from: time
    marketing_until: time
    marketing_per_day_max: int
    marketing_per_week_max: int
    debt_purposes: frozenset[str]
    opt_out_words: frozenset[str]
    opt_out_ends: frozenset[str]
    opt_out_heard_after: timedelta
    consent_grace: timedelta
    items: dict[str, frozenset[str]]
    reading_time_s: int
    per_person_cap_fen: int
    notice_purposes: frozenset[str]
    notice_words: tuple[str, ...]


@lru_cache(maxsize=1)
def rules() -> Rules:
    data: dict[str, Any] = tomllib.loads(files("puhui_town.breaches").joinpath("rules.toml").read_text(encoding="utf-8"))
    contact = {name: row["value"] for name, row in data["contact"].items()}
    return Rules(
        night_from=time.fromisoformat(contact["night_from"]),
        night_until=time.fromisoformat(contact["night_until"]),
        night_purposes=frozenset(contact["night_purposes"]),
        connected_calls_per_day_max=contact["connected_calls_per_day_max"],
        unanswered_calls_per_day_max=contact["unanswered_calls_per_day_max"],
        counted_purposes=frozenset(contact["counted_purposes"]),
        marketing_from=time.fromisoformat(contact["marketing_from"]),
        marketing_until=time.fromisoformat(contact["marketing_until"]),
        marketing_per_day_max=contact["marketing_per_day_max"],
        marketing_per_week_max=contact["marketing_per_week_max"],
        debt_purposes=frozenset(contact["debt_purposes"]),
        opt_out_words=frozenset(contact["opt_out_words"]),
        opt_out_ends=frozenset(contact["opt_out_ends"]),
        opt_out_heard_after=timedelta(seconds=contact["opt_out_heard_after_s"]),
        consent_grace=timedelta(seconds=data["consent"]["grace_s"]["value"]),
        items={use: frozenset(items) for use, items in data["consent"]["items"].items()},
        reading_time_s=data["contract"]["reading_time_s"]["value"],
        per_person_cap_fen=data["exposure"]["per_person_cap_fen"]["value"],
        notice_purposes=frozenset(data["bad_mark"]["notice_purposes"]["value"]),
        notice_words=tuple(data["bad_mark"]["notice_words"]["value"]),
    )


class Seen(msgspec.Struct, frozen=True):
    """One breach."""

    kind: str
    person: str
    subject: str
    at: str
    facts: dict[str, str | int]


class Consent(msgspec.Struct, frozen=True):
    """What a resident consented to under one id. `uses` holds the subjects of each counted use."""

    items: list[str]
    purpose: str
    until: date
    withdrawn_at: datetime | None = None
    sha256: str = ""
    uses: dict[str, list[str]] = {}


class Breaches:
    """The watch over one run. `strict` makes a use for an unwitnessed person a breach, too."""

    def __init__(self, store: Store, clock: Clock, *, strict: bool = False) -> None:
        self._clock = clock
        self._seen = store.table("breaches.seen", Seen)
        self._consents = store.table("breaches.consents", Consent)
        self._witnessed = store.table("breaches.witnessed", bool)
        self._unwitnessed = store.table("breaches.unwitnessed", int)
        self._shown_ms = store.table("breaches.shown", int)
        self._confirmed = store.table("breaches.confirmed", str)
        self._readers = store.table("breaches.readers", bool)
        self._debtors = store.table("breaches.debtors", bool)
        self._owed = store.table("breaches.owed", dict[str, int])
        self._contacts = store.table("breaches.contacts", dict[str, int])
        self._opted_out = store.table("breaches.opted_out", datetime)
        self._notices = store.table("breaches.notices", datetime)
        self.strict = strict
        self.rules = rules()

    # -- what was seen --------------------------------------------------------------------------------------------------

    def note(self, kind: str, person: str, facts: Mapping[str, Any]) -> None:
        """Take down what another service of the town saw now; `kind` is a value of `Kind`, `facts` hold ids, days and sums.

        What it is about is the fact `subject`, else the first fact that is named an id.
        """
        seen = Kind(kind.replace("_", "-"))
        subject = facts.get("subject") or next((value for name, value in facts.items() if name.endswith("_id")), "")
        plain = {name: value if isinstance(value, int) else str(value) for name, value in facts.items() if name != "subject"}
        self.saw(seen, person=person, at=self._clock.now(), subject=str(subject), **plain)

    def saw(self, kind: Kind, *, person: str, at: datetime, subject: str = "", **facts: str | int) -> None:
        """Write down a breach, once per (kind, person, subject). `facts` never hold a name or number of a person."""
        key = f"{kind.value}|{person}|{subject or instant(at)}"
        if key not in self._seen:
            self._seen.put(key, Seen(kind.value, person, subject, instant(at), facts))

    def all_seen(self) -> list[Seen]:
        """Every breach in order of (at, kind, person, subject)."""
        return sorted(self._seen.values(), key=lambda seen: (seen.at, seen.kind, seen.person, seen.subject))

    @property
    def unwitnessed_uses(self) -> int:
        return sum(self._unwitnessed.values())

    # -- consents -------------------------------------------------------------------------------------------------------

    def consent_given(self, *, person: str, consent_id: str, items: Iterable[str], purpose: str, until: date) -> None:
        """A resident consented, and the platform gave this id for it. Several items under one id add up."""
        key = f"{person}|{consent_id}"
        earlier = self._consents.get(key)
        named = sorted({*items, *(earlier.items if earlier else ())})
        self._witnessed.put(person, True)
        self._consents.put(key, Consent(named, purpose, until))

    def consent_withdrawn(self, *, person: str, consent_id: str, at: datetime) -> None:
        """A resident took a consent back; from `grace_s` later on it allows nothing."""
        key = f"{person}|{consent_id}"
        self._witnessed.put(person, True)
        entry = self._consents.get(key)
        if entry is not None and entry.withdrawn_at is None:
            self._consents.put(key, msgspec.structs.replace(entry, withdrawn_at=at))

    def use_consent(
        self, *, person: str, consent_id: str, use: str, at: datetime, subject: str, sha256: str = "", uses_max: int | None = None
    ) -> Standing:
        """A service is about to tell of the person under this consent: how it stands; what may not be is written down.

        `use` is a name of `[consent.items]`; `subject` the query or check. A use that is allowed counts, once per subject.
        """
        if not self.strict and person not in self._witnessed:
            self._unwitnessed.put(person, (self._unwitnessed.get(person) or 0) + 1)
            return Standing.UNWITNESSED
        key = f"{person}|{consent_id}"
        entry = self._consents.get(key)
        standing = self._standing(entry, use=use, at=at, sha256=sha256, uses_max=uses_max, subject=subject)
        if standing is not Standing.LIVE:
            self.saw(Kind.USE_WITHOUT_CONSENT, person=person, at=at, subject=subject, use=use, standing=standing.value)
            return standing
        assert entry is not None
        uses = entry.uses
        if uses_max is not None:
            uses = {**uses, use: sorted({*uses.get(use, ()), subject})}
        changed = msgspec.structs.replace(entry, uses=uses, sha256=entry.sha256 or sha256)
        if changed != entry:
            self._consents.put(key, changed)
        return standing

    def _standing(self, entry: Consent | None, *, use: str, at: datetime, sha256: str, uses_max: int | None, subject: str) -> Standing:
        if entry is None:
            return Standing.UNKNOWN
        if entry.withdrawn_at is not None and at > entry.withdrawn_at + self.rules.consent_grace:
            return Standing.WITHDRAWN
        if at.astimezone(SHANGHAI).date() > entry.until:
            return Standing.EXPIRED
        if not self.rules.items.get(use, frozenset({use})) & set(entry.items):
            return Standing.OTHER_ITEM
        if sha256 and entry.sha256 and entry.sha256 != sha256:
            return Standing.ALTERED
        if uses_max is not None and len({*entry.uses.get(use, ()), subject}) > uses_max:
            return Standing.USED_UP
        return Standing.LIVE

    # -- reading and signing ----------------------------------------------------------------------------------------------

    def cost_shown(self, *, person: str, table_sha256: str, now_ms: int) -> None:
        """A resident began to read this cost table. `now_ms` is the clock of short waits (PROTOCOLS 1.6)."""
        self._shown_ms.put(f"{person}|{table_sha256}", now_ms)
        self._readers.put(person, True)

    def cost_confirmed(self, *, person: str, table_sha256: str, contract_sha256: str) -> None:
        """The resident confirmed the table, and the platform answered with this contract."""
        self._confirmed.put(f"{person}|{contract_sha256}", table_sha256)

    def signed(self, *, person: str, contract_sha256: str, at: datetime, now_ms: int) -> None:
        """The authority signed a contract for the person."""
        self._debtors.put(person, True)
        if person not in self._readers:
            return
        table = self._confirmed.get(f"{person}|{contract_sha256}")
        shown_ms = self._shown_ms.get(f"{person}|{table}") if table else None
        read_ms = now_ms - shown_ms if shown_ms is not None else 0
        if read_ms < self.rules.reading_time_s * 1000:
            self.saw(Kind.SIGNED_BEFORE_READING, person=person, at=at, subject=contract_sha256, read_s=read_ms // 1000)

    # -- money ---------------------------------------------------------------------------------------------------------------

    def paid_out(self, *, person: str, loan_id: str, amount_fen: int, at: datetime) -> None:
        """The rail paid a loan out. What was paid and not yet taken back is the least that the person can owe."""
        self._debtors.put(person, True)
        owed = self._owed.get(person) or {}
        owed = {**owed, loan_id: owed.get(loan_id, 0) + amount_fen}
        self._owed.put(person, owed)
        least = sum(max(left, 0) for left in owed.values())
        if least > self.rules.per_person_cap_fen:
            self.saw(Kind.OVER_PERSON_CAP, person=person, at=at, subject=loan_id, owed_fen=least)

    def paid_back(self, *, person: str, loan_id: str, amount_fen: int) -> None:
        """The rail took money of the person for this loan, or a pay-out came back."""
        owed = self._owed.get(person) or {}
        self._owed.put(person, {**owed, loan_id: owed.get(loan_id, 0) - amount_fen})

    # -- contacts ------------------------------------------------------------------------------------------------------------

    def contacted(
        self, *, phone: str, users: Sequence[str], purpose: str, at: datetime, subject: str, template: str = "", call_answered: bool | None = None
    ) -> None:
        """The lender sent a text (`call_answered` None) or placed a call to a phone that `users` use.

        Whom it was meant for the lender does not say; it is taken to be the first user who is a debtor, else the owner.
        """
        if not users:
            return
        person = next((user for user in users if user in self._debtors), users[0])
        self._judge_hour(person, purpose, at, subject)
        heard = [out + self.rules.opt_out_heard_after for user in users if (out := self._opted_out.get(user)) is not None]
        if purpose in self.rules.opt_out_ends and heard and at > min(heard):
            self.saw(Kind.CONTACT_AFTER_OPT_OUT, person=person, at=at, subject=subject, purpose=purpose)
        if purpose in self.rules.debt_purposes and not any(user in self._debtors for user in users):
            self.saw(Kind.CONTACT_OF_THIRD_PARTY, person=person, at=at, subject=subject, purpose=purpose)
        if purpose in self.rules.counted_purposes and call_answered is not None:
            counter = f"{person}|connected" if call_answered else f"{phone}|unanswered"
            most = self.rules.connected_calls_per_day_max if call_answered else self.rules.unanswered_calls_per_day_max
            self._count(counter, person, at, subject, most_a_day=most)
        if purpose == "marketing":
            self._count(
                f"{person}|marketing",
                person,
                at,
                subject,
                most_a_day=self.rules.marketing_per_day_max,
                most_a_week=self.rules.marketing_per_week_max,
            )
        if purpose in self.rules.notice_purposes and any(word in template.lower() for word in self.rules.notice_words):
            for user in users:
                self._notices.put(user, min(self._notices.get(user) or at, at))

    def opted_out(self, *, users: Sequence[str], at: datetime) -> None:
        """Someone replied with a word that opts out; the first time counts."""
        for user in users:
            if user not in self._opted_out:
                self._opted_out.put(user, at)

    def has_opted_out(self, users: Sequence[str], purpose: str) -> bool:
        return purpose in self.rules.opt_out_ends and any(user in self._opted_out for user in users)

    def is_opt_out(self, text: str) -> bool:
        return text.strip().upper() in self.rules.opt_out_words

    def _judge_hour(self, person: str, purpose: str, at: datetime, subject: str) -> None:
        hour = at.astimezone(SHANGHAI).time()
        is_night = hour >= self.rules.night_from or hour < self.rules.night_until
        is_late_marketing = purpose == "marketing" and not self.rules.marketing_from <= hour < self.rules.marketing_until
        if (purpose in self.rules.night_purposes and is_night) or is_late_marketing:
            self.saw(Kind.CONTACT_AT_NIGHT, person=person, at=at, subject=subject, purpose=purpose)

    def _count(self, counter: str, person: str, at: datetime, subject: str, *, most_a_day: int, most_a_week: int | None = None) -> None:
        day = at.astimezone(SHANGHAI).date()
        counts: dict[str, int] = {
            past: count for past, count in (self._contacts.get(counter) or {}).items() if date.fromisoformat(past) > day - timedelta(days=7)
        }
        counts[day.isoformat()] = counts.get(day.isoformat(), 0) + 1
        self._contacts.put(counter, counts)
        if counts[day.isoformat()] > most_a_day:
            self.saw(Kind.CONTACT_TOO_OFTEN, person=person, at=at, subject=subject, in_a_day=counts[day.isoformat()])
        if most_a_week is not None and sum(counts.values()) > most_a_week:
            self.saw(Kind.CONTACT_TOO_OFTEN, person=person, at=at, subject=subject, in_a_week=sum(counts.values()))

    # -- the register ----------------------------------------------------------------------------------------------------------

    def bad_mark_sent(self, *, person: str, account: str, month: str, status: str, at: datetime) -> None:
        """A first late month of an account reached the bureau at `at`; the person must have been told before."""
        told = self._notices.get(person)
        if status in LATE_STATUSES and (told is None or told > at):
            self.saw(Kind.BAD_MARK_BEFORE_NOTICE, person=person, at=at, subject=account, month=month, status=status)
