"""The catalogue: every declared variable with its ordinal, its identity, its sentence and where it comes from."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from puhui.engines.variables import names as grammar
from puhui.engines.variables.declaring import Block, Choice, Declaration, Part
from puhui.engines.variables.describing import Language, describe
from puhui.engines.variables.names import Variable
from puhui.engines.variables.refusals import BadDeclaration, NoSuchVariable
from puhui.engines.variables.tables import Table

if TYPE_CHECKING:
    from puhui.engines.variables.costing import Costs
    from puhui.engines.variables.plan import Plan

MEANING = "puhui.variables 1"


def canonical(value: object) -> bytes:
    """The one JSON text of a value: no blanks, no escapes beyond JSON's own, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a variable comes from: its table and columns, the source, the purpose, and the kind of consent a fetch needs (empty: our own log)."""

    name: str
    table: str
    columns: tuple[str, ...]
    source: str
    purpose: str
    consent: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What another catalogue has that this one has not (added), the reverse (retired), and names whose identity differs (changed)."""

    added: tuple[str, ...]
    retired: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LockLine:
    """A released block: the digest of its names, its first ordinal, how many variables it adds."""

    digest: str
    first: int
    count: int

    def __str__(self) -> str:
        return f"{self.digest} {self.first} {self.count}"


class Catalogue:
    """The declared variables over some tables; any other name of the grammar parses too, without an ordinal.

    `lock` is the text of a lock file: the released blocks, one a line. A released block must still be there, first and unchanged.

    Raises: BadDeclaration (a released block changed; two different tables of one name).
    """

    def __init__(self, *declarations: Declaration, lock: str = "") -> None:
        self.blocks: tuple[Block, ...] = tuple(block for declaration in declarations for block in declaration.blocks)
        tables: dict[str, Table] = {}
        for block in self.blocks:
            if tables.setdefault(block.table.name, block.table) != block.table:
                raise BadDeclaration(what=f"table {block.table.name}", why="two blocks mean different tables by it")
        self.tables: tuple[Table, ...] = tuple(tables.values())
        self._tables = tables
        ordinals: dict[str, int] = {}
        lines = []
        for block in self.blocks:
            first = len(ordinals)
            digest = hashlib.sha256()
            for variable in block.variables():
                name = str(variable)
                if name not in ordinals:
                    ordinals[name] = len(ordinals)
                    digest.update(name.encode() + b"\n")
            lines.append(LockLine(digest.hexdigest(), first, len(ordinals) - first))
        self.names: tuple[str, ...] = tuple(ordinals)
        self.lock_lines: tuple[LockLine, ...] = tuple(lines)
        self._ordinals = ordinals
        self._check_lock(lock)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._ordinals

    def _check_lock(self, lock: str) -> None:
        released = [line for line in lock.splitlines() if line and not line.startswith("#")]
        for index, line in enumerate(released):
            if index >= len(self.lock_lines) or str(self.lock_lines[index]) != line:
                raise BadDeclaration(what=f"released block {index + 1}", why="it is frozen; declare more in a new block after it")

    @property
    def lock(self) -> str:
        """The lock file of all blocks, one a line: digest, first ordinal, count."""
        return "".join(f"{line}\n" for line in self.lock_lines)

    def table(self, name: str) -> Table | None:
        """The table of this name."""
        return self._tables.get(name)

    def parse(self, name: str) -> Variable:
        """Read a name, declared or not. Raises: NoSuchVariable (also for another spelling; it shows the right one)."""
        return grammar.parse(name, self._tables)

    def describe(self, name: str, lang: Language = "zh") -> str:
        """Say what a variable means, in one sentence with its unit. Raises: NoSuchVariable."""
        variable = self.parse(name)
        return describe(variable, self._tables[variable.table], lang)

    def ordinal(self, name: str) -> int:
        """The place of a declared variable; it never changes. Raises: NoSuchVariable, also for a name that is not declared."""
        found = self._ordinals.get(name)
        if found is None:
            raise NoSuchVariable(name=str(self.parse(name)), why="the grammar allows it, but it is not declared, so it has no ordinal")
        return found

    def id(self, name: str) -> str:
        """The identity of a variable: SHA-256 of its meaning; the same in every catalogue that means the same. Raises: NoSuchVariable."""
        variable = self.parse(name)
        table = self._tables[variable.table]
        columns = [[column, str(table.kind(column)), table.unit(column)] for column in variable.columns]
        return hashlib.sha256(canonical([MEANING, name, table.name, columns])).hexdigest()

    def lineage(self, name: str) -> Lineage:
        """Where a variable comes from. Raises: NoSuchVariable."""
        variable = self.parse(name)
        table = self._tables[variable.table]
        return Lineage(name, table.name, variable.columns, table.source, table.purpose, table.consent)

    def cost(self, names: Iterable[str] | None = None, *, rows: Mapping[str, int] | None = None, prices: Mapping[str, int] | None = None) -> "Costs":
        """Give what these variables cost together (all declared ones if none are given): kernel time, bytes, and prices of sources (fen a fetch).

        Raises: NoSuchVariable.
        """
        from puhui.engines.variables.costing import ROWS, Costs

        asked = {name: self.parse(name) for name in (self.names if names is None else names)}
        sizes = {(table.name, column): len(values) for table in self.tables for column, values in table.category.items()}
        return Costs(asked, {table.name: table.source for table in self.tables}, sizes, ROWS if rows is None else rows, prices or {})

    def diff(self, other: "Catalogue") -> Difference:
        """Compare with a later catalogue."""
        added = tuple(name for name in other.names if name not in self)
        retired = tuple(name for name in self.names if name not in other)
        moved = {name for name, table in self._tables.items() if (later := other.table(name)) is not None and later.facts() != table.facts()}
        shared = (name for name in self.names if name in other and name.partition(".")[0] in moved)
        return Difference(added, retired, tuple(name for name in shared if self.id(name) != other.id(name)))

    def plan(self, names: Iterable[str] | None = None) -> "Plan":
        """Make a plan of these names, in their order; of all declared variables if none are given. Raises: NoSuchVariable."""
        from puhui.engines.variables.plan import Plan

        return Plan(self, self.names if names is None else tuple(names))

    @cached_property
    def sha256(self) -> str:
        """The hash of everything this catalogue says: tables, words, and every name in order."""
        digest = hashlib.sha256(canonical([MEANING, [table.facts() for table in self.tables]]))
        digest.update("\n".join(self.names).encode())
        return digest.hexdigest()

    @cached_property
    def shape_sha256(self) -> str:
        """The hash of what a stored history depends on: the columns and listed values of the tables."""
        return hashlib.sha256(canonical([table.shape() for table in self.tables])).hexdigest()

    def to_toml(self) -> str:
        """The catalogue as its TOML twin; `from_toml` gives the same catalogue again."""
        lines = []
        for table in self.tables:
            lines.append("[[table]]")
            lines += [f"{name} = {_toml(value)}" for name, value in table.facts().items()]
        for block in self.blocks:
            lines.append("[[block]]")
            lines += [f"{name} = {_toml(value)}" for name, value in block.facts().items()]
        return "\n".join(lines) + "\n"

    def to_yaml(self) -> str:
        """The catalogue as its YAML twin; `from_yaml` gives the same catalogue again."""
        import yaml

        data = {"table": [table.facts() for table in self.tables], "block": [block.facts() for block in self.blocks]}
        text: str = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=140)
        return text


def from_toml(text: str, *, lock: str = "") -> Catalogue:
    """Read a catalogue from its TOML twin. Raises: BadDeclaration."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise BadDeclaration(what="the TOML twin", why=str(wrong)) from wrong
    return _from_data(data, "the TOML twin", lock)


def from_yaml(text: str, *, lock: str = "") -> Catalogue:
    """Read a catalogue from its YAML twin. Raises: BadDeclaration."""
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        raise BadDeclaration(what="the YAML twin", why=str(wrong).replace("\n", " ")) from wrong
    return _from_data(data, "the YAML twin", lock)


def _from_data(data: Any, what: str, lock: str) -> Catalogue:
    try:
        tables = {}
        for facts in data["table"]:
            words = {key: (pair[0], pair[1]) for key, pair in facts["words"].items()}
            category = {key: tuple(values) for key, values in facts["category"].items()}
            shown = {key: facts[key] for key in ("name", "zh", "en", "source", "purpose", "consent", "number")}
            table = Table(**shown, money=tuple(facts["money"]), category=category, entity=tuple(facts["entity"]), words=words)
            tables[table.name] = table
        blocks = tuple(_block(facts, tables) for facts in data["block"])
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, AssertionError) as wrong:
        raise BadDeclaration(what=what, why=f"{type(wrong).__name__}: {wrong}") from wrong
    return Catalogue(Declaration(blocks), lock=lock)


def _block(facts: dict[str, list[str]] | dict[str, str], tables: dict[str, Table]) -> Block:
    choices = tuple(Choice(tuple(text.split("*")) if text else ()) for text in facts["where"])
    parts = tuple(Part(word, tuple(tuple(given.split()) for given in rest)) for word, *rest in _lists(facts["ask"]))
    return Block(tables[str(facts["table"])], choices, tuple(facts["fields"]), tuple(facts["windows"]), parts)


def _lists(value: object) -> Sequence[list[str]]:
    assert isinstance(value, list)
    return value


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(str(key))} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
