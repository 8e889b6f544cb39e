"""Stacks: which packs are in force for a topic on a day, law first, then self-regulation, then the lender's own policy.

A lower layer may only be stricter. Two sources that set different parameters are both kept and both counted.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast

from puhui.engines.law.pack import Pack, PackRef, PackUnreadable, Value, Version, read_pack
from puhui.foundation.refusals import Refusal


class NotStricter(Refusal):
    """The pack {lower} sets {parameter} to {lower_value}, which is not as strict as {upper_value} of {upper}. A lower layer may only be stricter."""

    code = "law.not-stricter"


class NoRule(Refusal):
    """No rule pack of {jurisdiction} sets {what} on {on}. Add the pack, or the version for that day."""

    code = "law.no-rule"
    status = 409


class PackNotApproved(Refusal):
    """The rule packs {packs} have no approval by two people that is in force; they cannot be used. Have them approved, or take them away."""

    code = "law.pack-not-approved"


@dataclass(frozen=True, slots=True)
class Stack:
    """The versions in force for one topic on one day, upper layer first."""

    jurisdiction: str
    topic: str
    on: date
    versions: tuple[Version, ...]

    @property
    def refs(self) -> tuple[PackRef, ...]:
        return tuple(version.ref for version in self.versions)

    def values(self, name: str) -> tuple[Value, ...]:
        """Give every layer's word on a parameter, upper layer first."""
        return tuple(version.values[name] for version in self.versions if name in version.values)

    def find(self, name: str) -> Value | None:
        """Give the value that counts: the lowest layer's that speaks, which `check` proves to be the strictest."""
        said = self.values(name)
        return said[-1] if said else None

    def value(self, name: str) -> Value:
        """Give the value that counts. Raises NoRule."""
        found = self.find(name)
        if found is None:
            raise NoRule(jurisdiction=self.jurisdiction, what=f"{self.topic}.{name}", on=self.on.isoformat())
        return found

    def int(self, name: str) -> int:
        found = self.value(name)
        assert type(found.value) is int, found
        return found.value

    def codes(self, name: str) -> frozenset[str]:
        return frozenset(self.value(name).value)

    def check(self) -> None:
        """Raises NotStricter if a lower layer is laxer than an upper one, or differs where no direction is known."""
        for name in {name for version in self.versions for name in version.values}:
            said = self.values(name)
            for upper, lower in itertools.pairwise(said):
                _check_pair(upper, lower)


def _check_pair(upper: Value, lower: Value) -> None:
    is_fair = upper.stricter.holds(lower.value, upper.value) if upper.stricter else lower.value == upper.value
    if not is_fair:
        raise NotStricter(lower=lower.ref.pack, upper=upper.ref.pack, parameter=upper.name, lower_value=lower.value, upper_value=upper.value)


class Rules(Protocol):
    """A typed reading of a stack: a frozen dataclass with its topic and how it is read."""

    topic: ClassVar[str]

    @classmethod
    def read(cls, stack: Stack) -> Self: ...


R = TypeVar("R", bound=Rules)


@dataclass(frozen=True, slots=True)
class Laws:
    """All packs of this house: ours and the lender's own."""

    packs: tuple[Pack, ...]
    _known: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False, compare=False)

    def rules_for(self, jurisdiction: str, topic: str, *, on: date) -> Stack:
        """Give the stack in force; it is empty where nothing is."""
        key = ("stack", jurisdiction, topic, on)
        if key not in self._known:
            pairs = [
                (pack.layer, pack.id, version)
                for pack in self.packs
                if pack.topic == topic and pack.speaks_in(jurisdiction) and (version := pack.version_on(on))
            ]
            self._known[key] = Stack(jurisdiction, topic, on, tuple(version for _, _, version in sorted(pairs, key=lambda pair: pair[:2])))
        return cast("Stack", self._known[key])

    def find(self, rules: type[R], *, on: date, jurisdiction: str = "cn") -> R | None:
        """Give a topic's rules in their typed form, or None where no pack of the topic is in force on that day."""
        key = (rules, jurisdiction, on)
        if key not in self._known:
            stack = self.rules_for(jurisdiction, rules.topic, on=on)
            self._known[key] = rules.read(stack) if stack.versions else None
        return cast("R | None", self._known[key])

    def ask(self, rules: type[R], *, on: date, jurisdiction: str = "cn") -> R:
        """Give a topic's rules in their typed form. Raises NoRule where no pack of the topic is in force on that day."""
        found = self.find(rules, on=on, jurisdiction=jurisdiction)
        if found is None:
            raise NoRule(jurisdiction=jurisdiction, what=rules.topic, on=on.isoformat())
        return found

    def refs(self) -> tuple[PackRef, ...]:
        """Name every version, as approvals in `staff` name them."""
        return tuple(version.ref for pack in self.packs for version in pack.versions)

    def demand_approved(self, approved: Iterable[str]) -> None:
        """Refuse to go on with a version whose SHA-256 no two people have approved. Raises PackNotApproved."""
        known = frozenset(approved)
        missing = sorted(f"{ref.pack} of {ref.since}" for ref in self.refs() if ref.sha256 not in known)
        if missing:
            raise PackNotApproved(packs=", ".join(missing))

    def to_verify(self, on: date) -> Sequence[Value]:
        """List what counsel must check before production: every `verify` parameter in force."""
        return [
            value
            for pack in self.packs
            if (version := pack.version_on(on))
            for value in version.values.values()
            if value.label.value == "verify"
        ]


def gather(packs: Iterable[Pack]) -> Laws:
    """Put packs together and prove that every layer, on every day on which anything changes, is only stricter. Raises PackUnreadable, NotStricter."""
    known: dict[str, Pack] = {}
    for pack in packs:
        if pack.id in known:
            raise PackUnreadable(path=pack.id, why="this id is already used by another pack")
        known[pack.id] = pack
    laws = Laws(tuple(sorted(known.values(), key=lambda pack: pack.id)))
    for topic in {pack.topic for pack in laws.packs}:
        about = [pack for pack in laws.packs if pack.topic == topic]
        days = {day for pack in about for version in pack.versions for day in (version.since, version.until) if day}
        for jurisdiction in {pack.within if pack.layer else pack.jurisdiction for pack in about}:
            for day in days:
                laws.rules_for(jurisdiction, topic, on=day).check()
    return laws


def load(*folders: Path) -> Laws:
    """Load our packs and those of the lender's own folders. Raises PackUnreadable, NotStricter."""
    shipped_folder = Path(__file__).with_name("packs")
    return gather(read_pack(path) for folder in (shipped_folder, *folders) for path in sorted(folder.glob("*.toml")))


@cache
def _ours() -> Laws:
    return load()


_adopted: list[Laws] = []


def shipped() -> Laws:
    """Give the laws this process works under: the packs that come with Puhui, and the lender's own once they were adopted."""
    return _adopted[-1] if _adopted else _ours()


def adopt(laws: Laws | None) -> None:
    """Let this process work under these laws, once, at its start; None goes back to the packs that come with Puhui."""
    _adopted.clear()
    if laws is not None:
        _adopted.append(laws)
