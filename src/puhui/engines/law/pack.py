"""A rule pack: what one law, standard or policy sets, with days, sources and its own examples.

A pack is a TOML file. A version is half-open (`since` is in, `until` is out) and named by the SHA-256 of what it says; a published version
is never edited, only followed by another. Parameters are numbers, days, times, codes, sets and tables: no expressions.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import Enum
from pathlib import Path
from typing import Any, assert_never

import msgspec

from puhui.foundation.refusals import Refusal

CODES = frozenset[str]
Row = Mapping[str, int | str]


class PackUnreadable(Refusal):
    """The rule pack {path} cannot be used: {why}. Mend the file; nothing was loaded from it."""

    code = "law.pack-unreadable"


class Label(Enum):
    """How sure a rule is: seen in a public text or two independent reports, or to be checked by counsel."""

    SOLID = "solid"
    VERIFY = "verify"


class Stricter(Enum):
    """Which way a lower layer may move a parameter."""

    LOWER = "lower"
    HIGHER = "higher"
    SUBSET = "subset"
    SUPERSET = "superset"

    def holds(self, lower: Any, upper: Any) -> bool:
        """Say whether the lower layer's value is at least as strict as the upper layer's."""
        match self:
            case Stricter.LOWER:
                return bool(lower <= upper)
            case Stricter.HIGHER:
                return bool(lower >= upper)
            case Stricter.SUBSET:
                return frozenset(lower) <= frozenset(upper)
            case Stricter.SUPERSET:
                return frozenset(lower) >= frozenset(upper)
            case _:
                assert_never(self)


_WHOLE = frozenset({"s", "h", "day", "month", "year", "count", "fen", "ppm", "multiple"})
_KINDS: Mapping[str, str] = dict.fromkeys(_WHOLE, "a whole number, 0 or more") | {
    "time": "a time of day",
    "date": "a day",
    "flag": "true or false",
    "code": "a word",
    "codes": "a list of words",
    "counts": "a list of whole numbers",
    "table": "a list of rows",
}


@dataclass(frozen=True, slots=True)
class PackRef:
    """Which version of which pack: what every decision, offer, contact and report stores."""

    pack: str
    since: date
    sha256: str


@dataclass(frozen=True, slots=True)
class Value:
    """One parameter of one version, with its papers. `value` is int, bool, str, date, time, or a tuple of words, numbers or rows."""

    name: str
    value: Any
    unit: str
    label: Label
    ref: PackRef
    stricter: Stricter | None = None
    source: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """What a pack says in a span of days. `until` None means: until another version follows."""

    ref: PackRef
    until: date | None
    applies_to: Mapping[str, Any]
    values: Mapping[str, Value]

    @property
    def since(self) -> date:
        return self.ref.since

    def is_in_force(self, on: date) -> bool:
        return self.since <= on and (self.until is None or on < self.until)


@dataclass(frozen=True, slots=True)
class Example:
    """A case that the pack's own authors worked out: `given` facts, `expect`ed answers."""

    given: Mapping[str, Any]
    expect: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pack:
    """One law or policy. `within` names the country of a self-regulation or a lender's policy; `counts_by` the day that counts."""

    id: str
    topic: str
    jurisdiction: str
    within: str
    title: str
    issued: date
    reviewed: date
    counts_by: str
    label: Label
    sources: tuple[str, ...]
    versions: tuple[Version, ...]
    examples: tuple[Example, ...] = field(default=())

    @property
    def layer(self) -> int:
        """0 law, 1 self-regulation, 2 the lender's own policy."""
        return {"self": 1, "lender": 2}.get(self.jurisdiction.split(":")[0], 0)

    def speaks_in(self, jurisdiction: str) -> bool:
        """Say whether the pack counts where `jurisdiction` ("cn", or "cn-local:5001" with its country's law over it) is asked for."""
        if self.layer == 0 and self.jurisdiction != self.within:
            return self.jurisdiction == jurisdiction
        return self.within == jurisdiction.split(":", maxsplit=1)[0].removesuffix("-local")

    def is_stale(self, on: date) -> bool:
        """Say whether more than twelve months have passed since somebody reviewed it."""
        return (on.year - self.reviewed.year, on.month, on.day) > (1, self.reviewed.month, self.reviewed.day)

    def version_on(self, on: date) -> Version | None:
        return next((version for version in self.versions if version.is_in_force(on)), None)


def read_pack(path: Path) -> Pack:
    """Read one pack. Raises PackUnreadable, saying what is wrong and where."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
        return _pack(data)
    except OSError as error:
        raise PackUnreadable(path=path.name, why=error.strerror) from None
    except KeyError as error:
        raise PackUnreadable(path=path.name, why=f"the field {error} is missing") from None
    except (ValueError, TypeError) as error:
        raise PackUnreadable(path=path.name, why=str(error)) from None
    except (AttributeError, RecursionError) as error:
        raise PackUnreadable(path=path.name, why=f"a value stands where a table or a list is due ({type(error).__name__})") from None


def _pack(data: Mapping[str, Any]) -> Pack:
    unknown = set(data) - {
        "id", "topic", "jurisdiction", "within", "title", "issued", "reviewed", "counts_by", "label", "sources", "version", "example",
    }  # fmt: skip
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    if data["counts_by"] not in {"signing", "event", "reporting"}:
        raise ValueError("counts_by is signing, event or reporting")
    jurisdiction: str = data["jurisdiction"]
    within = data.get("within") or jurisdiction.split(":", maxsplit=1)[0].removesuffix("-local")
    if within in {"self", "lender"}:
        raise ValueError("a self-regulation or a lender's policy names its country with `within`")
    if not data["sources"]:
        raise ValueError("a pack names its sources")
    for name in ("issued", "reviewed"):
        if type(data[name]) is not date:
            raise ValueError(f"{name} is a day")
    return Pack(
        data["id"], data["topic"], jurisdiction, within, data["title"], data["issued"], data["reviewed"], data["counts_by"], Label(data["label"]),
        tuple(data["sources"]), _versions(data), tuple(Example(entry["given"], entry["expect"]) for entry in data.get("example", [])),
    )  # fmt: skip


def _versions(data: Mapping[str, Any]) -> tuple[Version, ...]:
    entries = sorted(data["version"], key=lambda entry: entry["since"])
    versions = []
    for entry, after in zip(entries, [*entries[1:], None], strict=True):
        follows: date | None = after["since"] if after else None
        until: date | None = entry.get("until", follows)
        if until is not None and (until <= entry["since"] or (follows is not None and until > follows)):
            raise ValueError(f"the version of {entry['since']} must end after it begins and before the next one")
        ref = PackRef(data["id"], entry["since"], _sha256(data, entry))
        values = {name: _value(name, given, ref) for name, given in entry["parameters"].items()}
        versions.append(Version(ref, until, entry.get("applies_to", {}), values))
    return tuple(versions)


def _sha256(data: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    """Name what a version says: the pack's identity and the version's own fields, in one canonical form. A new review day changes no version."""
    said = {name: data.get(name, "") for name in ("id", "topic", "jurisdiction", "within", "counts_by")} | {"version": entry}
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def _value(name: str, given: Mapping[str, Any], ref: PackRef) -> Value:
    unknown = set(given) - {"value", "unit", "label", "stricter", "source", "why"}
    if unknown:
        raise ValueError(f"{name}: unknown fields {', '.join(sorted(unknown))}")
    unit = given["unit"]
    if unit not in _KINDS:
        raise ValueError(f"{name}: unknown unit {unit!r}")
    raw = given["value"]
    if not _fits(unit, raw):
        raise ValueError(f"{name}: {raw!r} is not {_KINDS[unit]}")
    stricter = Stricter(given["stricter"]) if "stricter" in given else None
    if stricter in {Stricter.SUBSET, Stricter.SUPERSET} and unit not in {"codes", "counts"}:
        raise ValueError(f"{name}: only a set can be a {stricter.value}")
    value = tuple(raw) if isinstance(raw, list) else raw
    return Value(name, value, unit, Label(given["label"]), ref, stricter, given.get("source", ""), given.get("why", ""))


def _fits(unit: str, raw: object) -> bool:
    match unit:
        case "time":
            return isinstance(raw, time)
        case "date":
            return type(raw) is date
        case "flag":
            return isinstance(raw, bool)
        case "code":
            return isinstance(raw, str) and bool(raw)
        case "codes":
            return isinstance(raw, list) and bool(raw) and all(isinstance(one, str) and one for one in raw)
        case "counts":
            return isinstance(raw, list) and bool(raw) and all(type(one) is int and one >= 0 for one in raw)
        case "table":
            return isinstance(raw, list) and bool(raw) and all(isinstance(row, dict) and _plain(row) for row in raw)
        case _:
            return type(raw) is int and raw >= 0


def _plain(row: Mapping[str, object]) -> bool:
    return all(type(cell) in {int, str} for cell in row.values())
