"""A compiled strategy: canonical bytes, named by their SHA-256, that decide one applicant or many.

The bytes hold the source DMN, the schema and the program; nothing in them is executed, every index is checked on opening, and the same model,
schema and compiler give the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from puhui.engines.rules import plain, zones
from puhui.engines.rules.arranging import plan
from puhui.engines.rules.classes import Domain
from puhui.engines.rules.compiling import Compiled, Register, TableForm, compiled
from puhui.engines.rules.loader import load
from puhui.engines.rules.model import Model
from puhui.engines.rules.outcome import Instants, Made, Outcome
from puhui.engines.rules.program import ARRAYS, Array, Mode, Op, Program
from puhui.engines.rules.reading import Reading, reading
from puhui.engines.rules.refusals import BadInput, DamagedArtefact, MissingInput, UnknownDecision, UnreadableFile
from puhui.engines.rules.schema import FLOAT_DIGITS_MAX, NULL, Field, column, held, held_column, read_schema
from puhui.engines.rules.values import Trouble

MAGIC = b"PUHUIRUL"
COMPILERS, SEMANTICS = (1, 2), 1
"""Versions of how we compile and of what expressions mean. Old semantics stay in the code: an upgrade changes no old answer."""
ALIGN = 64
REGISTERS_MAX = 1_000_000
CHUNK = 32_768
"""Rows that are read together, then decided: they stay near."""
Reader = tuple[str, bool, float, float, Field, dict[str, int]]
"""How a value of a row is read: its name, whether it is a text, the power of its scale where floats are taken (else 0), its bound, its codes."""
Single = tuple[Callable[[Array, Array, Array, bool], bool], Array, Reading, int]
NOTHING = np.zeros(0, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Rows as int64 with NULL, what they were given as, and the rows that only the interpreter can decide."""

    given: Mapping[str, object]
    values: Array
    left: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Artefact:
    """A compiled strategy. `form` names the loops that run it: numba, numpy, or empty for the fastest there is."""

    model: Model
    decisions: tuple[str, ...]
    compiled: Compiled
    data: bytes | mmap.mmap = field(repr=False)
    sha256: str
    form: str = ""
    codes: tuple[dict[str, int], ...] = field(default=(), repr=False)
    answers: dict[object, object] = field(default_factory=dict, repr=False)
    keeps: Array = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    """The registers that decisions stand in, in the order of the forms."""
    readers: tuple[Reader, ...] = field(default=(), repr=False)
    loaded: list[tuple[Any, ...]] = field(default_factory=list, repr=False)
    singles: list[Single] = field(default_factory=list, repr=False)
    tables: tuple[tuple[str, TableForm], ...] = field(default=(), repr=False)
    """The decisions that are tables of the program, in its order."""
    table_names: tuple[str, ...] = ()
    firsts: tuple[int, int] = (0, 0)
    """Where the first rules stand in the answer of one row."""

    def to_bytes(self) -> bytes:
        """The canonical bytes, which `sha256` names."""
        return bytes(self.data)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The columns that the artefact is given."""
        return self.compiled.fields

    @property
    def slow(self) -> dict[str, str]:
        """The decisions that the interpreter makes, and why."""
        return {name: form for name, form in self.compiled.forms.items() if isinstance(form, str)}

    def with_form(self, form: str) -> Artefact:
        """The same artefact run by these loops: numpy or numba. They give the same bits."""
        return replace(self, form=form, loaded=[], singles=[])

    def run(self, columns: object, *, at: Instants = None) -> Outcome:
        """Decide many rows, given as an Arrow table or as a mapping of arrays. Refused: MissingInput, BadInput."""
        given = _mapping(columns)
        n = _rows_of(given, self.fields)
        kernels = self.kernels()
        if kernels is None or n <= CHUNK:
            return self.decide(self.held(given), at=at)
        wanted = {one.name: given[one.name] for one in self.fields}
        made, left = self._room(n), set()
        values = np.empty((len(self.fields), CHUNK), np.int64)
        for start in range(0, n, CHUNK):
            part = {name: one[start : start + CHUNK] for name, one in wanted.items()}  # type: ignore[index]
            size = min(CHUNK, n - start)
            left |= self._read(part, values[:, :size] if size == CHUNK else np.empty((len(values), size), np.int64), start, made)
        return Outcome(self, n, made, given, at, frozenset(left) | self._doubtful(made))

    def _read(self, part: Mapping[str, object], values: Array, start: int, made: Made) -> set[int]:
        """Read and decide the rows from `start` on; give those that only the interpreter can decide. `values` is room."""
        kernels = self.kernels()
        assert kernels is not None, "numpy decides all rows at once"
        try:
            left = _fill(values, part, self.fields, self.codes, kernels)
        except BadInput as bad:
            row = bad.facts["row"]
            raise BadInput(**{**bad.facts, "row": start + row if isinstance(row, int) else row}) from None
        kernels.decide_all(values, start, made.kept, made.codes, made.words, self.keeps, self.compiled.program.registers, *self._arrays())
        return {start + row for row in left}

    def _room(self, n: int) -> Made:
        program = self.compiled.program
        codes, fired = np.empty((len(program["tables"]), n), np.int32), np.empty((program.fired_words, n), np.uint64)
        return Made(codes, fired, np.empty((len(self.keeps), n), np.int64))

    def held(self, columns: object) -> Held:
        """Columns read once, as the loops know them: they may be decided many times. Refused: MissingInput, BadInput."""
        given = _mapping(columns)
        values = np.empty((len(self.fields), _rows_of(given, self.fields)), np.int64)
        return Held(given, values, frozenset(_fill(values, given, self.fields, self.codes, self.kernels())))

    def decide(self, held: Held, *, at: Instants = None) -> Outcome:
        """Decide rows that were read by `held`."""
        n, kernels = held.values.shape[1], self.kernels()
        if kernels is None:
            told = Made(*plain.run(self.compiled.program, held.values, self.keeps))
            return Outcome(self, n, told, held.given, at, held.left | self._doubtful(told))
        made = self._room(n)
        kernels.decide_all(held.values, 0, made.kept, made.codes, made.words, self.keeps, self.compiled.program.registers, *self._arrays())
        return Outcome(self, n, made, held.given, at, held.left | self._doubtful(made))

    def _doubtful(self, made: Made) -> frozenset[int]:
        """Rows with a double that lies too close to a break point."""
        doubts = len(self.compiled.doubts)
        return frozenset(np.flatnonzero((made.kept[-doubts:] == 1).any(axis=0)).tolist()) if doubts else frozenset()

    def one(self, row: Mapping[str, object], *, at: Instants = None) -> Outcome:
        """Decide one row. Refused: MissingInput, BadInput."""
        single = self.singles[0] if self.singles else self._single()
        if single is None:
            return self._one_plain(row, at)
        decide_one, pack, read, room = single
        out = np.empty(room, np.int64)
        values = read.given(row)
        if values is not None and decide_one(pack, values, out, False):
            return Outcome(self, 1, out, row, at) if not self.compiled.doubts else Outcome(self, 1, out, row, at, self._doubtful_one(out))
        numbers, nulls, left = self._read_one(row)
        out[: len(numbers)] = np.where(np.array(nulls, bool), NULL, np.array(numbers, np.int64))
        decide_one(pack, NOTHING, out, True)
        return Outcome(self, 1, out, row, at, left | self._doubtful_one(out))

    def _doubtful_one(self, out: Array) -> frozenset[int]:
        return frozenset({0}) if any(out[one] == 1 for one in self.compiled.doubts) else frozenset()

    def _one_plain(self, row: Mapping[str, object], at: Instants) -> Outcome:
        """One row by numpy alone."""
        numbers, nulls, left = self._read_one(row)
        values = np.where(np.array(nulls, bool), NULL, np.array(numbers, np.int64)).reshape(len(numbers), 1)
        made = Made(*plain.run(self.compiled.program, values, self.keeps))
        return Outcome(self, 1, made, row, at, left | self._doubtful(made))

    def _single(self) -> Single | None:
        """The loop for one row, the program as it takes it, how rows are read, and the room of an answer; made when first asked for."""
        if self.form == "numpy" or self.kernels() is None:
            return None
        from puhui.engines.rules import single

        read, program = reading(self.fields, self.codes), self.compiled.program
        laid = plan(program)
        self.singles.append((single.decide_one, single.packed(program, laid, read.inputs), read, single.room(program, laid)))
        return self.singles[0]

    def _read_one(self, row: Mapping[str, object]) -> tuple[list[int], list[bool], frozenset[int]]:
        """One row as int64 and marks of null; row 0 is left to the interpreter where a value is too fine."""
        values: list[int] = []
        nulls: list[bool] = []
        left: frozenset[int] = frozenset()
        for name, is_text, power, bound, one, codes in self.readers:
            if name not in row:
                raise MissingInput(column=name)
            value = row[name]
            number: int | None
            if is_text and type(value) is str:
                number = codes.get(value, len(codes))
            elif power and type(value) is float and (scaled := value * power).is_integer() and -bound <= scaled <= bound:
                number = int(scaled)  # a product that is whole is the nearest: its error is far below a half
            else:
                try:
                    number = held(one, value, codes)
                except Trouble:
                    number, left = None, frozenset({0})
            nulls.append(number is None)
            values.append(number or 0)
        return values, nulls, left

    def _arrays(self) -> tuple[Any, ...]:
        """The program as the loops for many rows take it; laid out when first asked for."""
        if not self.loaded:
            program, laid = self.compiled.program, plan(self.compiled.program)
            own = (laid.wide, laid.steps, laid.groups, laid.uses, laid.maps, laid.starts, laid.buckets, laid.tables)
            self.loaded.append((*own, *(program[name] for name in ("constants", "groups", "answers", "answer_nulls", "outputs"))))
        return self.loaded[0]

    def kernels(self) -> ModuleType | None:
        """The numba loops, or None where numpy runs the program."""
        if self.form == "numpy":
            return None
        try:
            from puhui.engines.rules import kernels
        except ImportError:
            if self.form == "numba":
                raise
            return None
        return kernels


def compile(model: Model, decisions: Sequence[str], schema: object) -> Artefact:  # noqa: A001  (the word of the trade)
    """Compile decisions of a model for inputs of these types.

    `schema` is a mapping of names to types (`number(p,s)`, `int64`, `category`, `string`, `boolean`, `date`, `datetime`, `time`, `duration`)
    or an Arrow schema; it names every input that the decisions rest on. Raises ValueError where it does not. Refused: UnknownDecision.
    """
    fields = read_schema(schema)
    names = tuple(model.decision(one).name for one in decisions)
    told = zones.named(list(_sources(model).values()), fields)
    if told is not None:
        model = replace(model, zones=zones.opened(told))
    made = replace(compiled(model, names, fields), zones=told)
    return _artefact(model, names, made, _written(model, names, made))


def _artefact(model: Model, decisions: tuple[str, ...], made: Compiled, data: bytes | mmap.mmap) -> Artefact:
    codes = tuple({text: place for place, text in enumerate(known)} for known in made.texts)
    keeps = np.array([*(form.place for form in made.forms.values() if isinstance(form, Register)), *made.doubts], np.int64)
    tables = tuple(sorted(((name, form) for name, form in made.forms.items() if isinstance(form, TableForm)), key=lambda one: one[1].table))
    number, registers = len(made.program["tables"]), made.program.registers
    if [form.table for _, form in tables] != list(range(number)):
        raise ValueError("a table is not one decision's")
    firsts = registers + number, registers + 2 * number
    readers = tuple(_reader(one, known) for one, known in zip(made.fields, codes, strict=True))
    return Artefact(model, decisions, made, data, hashlib.sha256(data).hexdigest(), "", codes, {}, keeps, readers, [], [], tables, tuple(name for name, _ in tables), firsts)


def _reader(one: Field, codes: dict[str, int]) -> Reader:
    is_loose = one.kind == "number" and one.precision <= FLOAT_DIGITS_MAX
    return one.name, one.kind in {"category", "string"}, float(10**one.scale) if is_loose else 0.0, float(one.bound) if is_loose else 0.0, one, codes


def _rows_of(given: Mapping[str, object], fields: Sequence[Field]) -> int:
    """How many rows the columns have; one where the schema names none. Refused: MissingInput, BadInput."""
    lengths = {len(column(given, one.name)) for one in fields}  # type: ignore[arg-type]
    if len(lengths) > 1:
        raise BadInput(row=min(lengths), column=fields[0].name, why="the columns differ in length", kind="columns of one length")
    return lengths.pop() if lengths else 1


def _fill(values: Array, given: Mapping[str, object], fields: Sequence[Field], codes: Sequence[Mapping[str, int]], kernels: ModuleType | None) -> set[int]:
    """Read columns into the rows of `values`; give the rows that only the interpreter can decide. Refused: BadInput."""
    left: set[int] = set()
    for out, one, known in zip(values, fields, codes, strict=True):
        left.update(held_column(one, given[one.name], known, out, kernels))
    return left


def _mapping(columns: object) -> Mapping[str, object]:
    if isinstance(columns, Mapping):
        return columns
    given = {name: columns.column(name) for name in columns.column_names}  # type: ignore[attr-defined]
    return {name: one.chunk(0) if getattr(one, "num_chunks", 0) == 1 else one for name, one in given.items()}


# bytes


def _sources(model: Model) -> dict[str, bytes]:
    """The source of a model and of all it imports, by namespace."""
    told = {model.namespace: model.source}
    for other in model.imports.values():
        told |= _sources(other)
    return told


def _written(model: Model, decisions: tuple[str, ...], made: Compiled) -> bytes:
    sources = _sources(model)
    parts: list[tuple[str, bytes]] = [(f"source:{name}", sources[name]) for name in sorted(sources)]
    parts += [(name, np.ascontiguousarray(made.program[name]).tobytes()) for name in ARRAYS]
    parts += [(f"zone:{name}", made.zones[name]) for name in sorted(made.zones)] if made.zones else []
    header: dict[str, Any] = {
        "compiler": 2 if made.doubts or made.zones is not None else 1,
        "semantics": SEMANTICS,
        "namespace": model.namespace,
        "decisions": list(decisions),
        "schema": [[one.name, str(one)] for one in made.fields],
        "texts": [list(one) for one in made.texts],
        "forms": [[name, *_form_out(form)] for name, form in made.forms.items()],
        "registers": made.program.registers,
        "fired_words": made.program.fired_words,
        "parts": [[name, len(data)] for name, data in parts],
    }
    if made.doubts:
        header["doubts"] = list(made.doubts)
    if made.zones is not None:
        header["zones"] = sorted(made.zones)
    text = json.dumps(header, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    told = bytearray(MAGIC + len(text).to_bytes(8, "little") + text)
    for _, data in parts:
        told += b"\0" * (-len(told) % ALIGN)
        told += data
    return bytes(told)


def _form_out(form: TableForm | Register | str) -> list[object]:
    match form:
        case TableForm():
            return ["table", form.table]
        case Register():
            one = form.domain
            return ["register", form.place, one.kind, one.scale, str(one.bound), list(one.texts), one.is_open]
    return ["slow", form]


def open_artefact(path_or_bytes: str | Path | bytes) -> Artefact:
    """Open an artefact from a file or from bytes. Every index in it is checked, and a file named by a hash must have it. Refused: DamagedArtefact."""
    data: bytes | mmap.mmap
    wanted = ""
    if isinstance(path_or_bytes, bytes):
        data = path_or_bytes
    else:
        path = Path(path_or_bytes)
        try:
            with path.open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DamagedArtefact(why="the file cannot be opened") from error
        wanted = path.name.partition(".")[0]
    try:
        told = _read(data)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError, UnreadableFile, UnknownDecision) as error:
        raise DamagedArtefact(why="its bytes are not those of an artefact") from error
    if re.fullmatch(r"[0-9a-f]{64}", wanted) and wanted != told.sha256:
        raise DamagedArtefact(why="its bytes are not those that its name says")
    return told


def _read(data: bytes | mmap.mmap) -> Artefact:
    if data[: len(MAGIC)] != MAGIC:
        raise ValueError("no artefact")
    length = int.from_bytes(data[8:16], "little")
    if length > len(data) - 16:
        raise ValueError("the header is cut")
    header: dict[str, Any] = json.loads(bytes(data[16 : 16 + length]).decode())
    if header["compiler"] not in COMPILERS or header["semantics"] != SEMANTICS:
        raise DamagedArtefact(why="it was compiled by a version that this build does not know")
    at, parts = 16 + length, {}
    for name, size in header["parts"]:
        at += -at % ALIGN
        if not isinstance(size, int) or size < 0 or at + size > len(data):
            raise ValueError("a part is cut")
        parts[str(name)] = (at, size)
        at += size
    sources = {name.partition(":")[2]: bytes(data[start : start + size]) for name, (start, size) in parts.items() if name.startswith("source:")}
    model = load(sources[header["namespace"]], sources)
    brought = None
    if "zones" in header:
        brought = {str(name): bytes(data[parts[f"zone:{name}"][0] :][: parts[f"zone:{name}"][1]]) for name in header["zones"]}
        model = replace(model, zones=zones.opened(brought))
    made = replace(_compiled(header, data, parts, model), zones=brought)
    decisions = tuple(str(one) for one in header["decisions"])
    if any(one not in made.forms for one in decisions):
        raise ValueError("a decision is missing")
    if _written(model, decisions, made) != bytes(data):
        raise ValueError("the bytes are not in their canonical form")
    return _artefact(model, decisions, made, data)


def _compiled(header: dict[str, Any], data: bytes | mmap.mmap, parts: dict[str, tuple[int, int]], model: Model) -> Compiled:
    arrays: dict[str, Array] = {}
    for name, (kind, columns) in ARRAYS.items():
        start, size = parts[name]
        flat = np.frombuffer(data, dtype=kind, count=size // np.dtype(kind).itemsize, offset=start)
        if flat.nbytes != size:
            raise ValueError("an array is cut")
        arrays[name] = flat.reshape(-1, columns) if columns else flat
    program = Program(_small(header["registers"]), _small(header["fired_words"]), arrays)
    fields = read_schema(dict(header["schema"]))
    texts = tuple(tuple(str(one) for one in known) for known in header["texts"])
    if len(fields) != len(header["schema"]) or len(texts) != len(fields):
        raise ValueError("the schema is not whole")
    check(program, fields, texts)
    forms = {str(one[0]): _form_in(one[1:], program) for one in header["forms"]}
    for name, form in forms.items():
        table = model.decision(name).node
        if isinstance(form, TableForm) and (len(form.ranks) != len(getattr(table, "rules", ())) or sorted(form.ranks) != list(range(len(form.ranks)))):
            raise ValueError("a table does not match its source")
    doubts = tuple(_small(one) for one in header.get("doubts", []))
    if any(one >= program.registers for one in doubts) or (2 if doubts or "zones" in header else 1) != header["compiler"]:
        raise ValueError("a doubt is out of bounds")
    return Compiled(program, fields, texts, forms, None, doubts)


def _small(number: object) -> int:
    if not isinstance(number, int) or not 0 <= number <= REGISTERS_MAX:
        raise ValueError("a size is out of bounds")
    return number


def _form_in(told: list[Any], program: Program) -> TableForm | Register | str:
    match told:
        case ["table", int(table)]:
            if not 0 <= table < len(program["tables"]):
                raise ValueError("there is no such table")
            _, _, _, _, rules, ranks, _, _ = program["tables"][table].tolist()
            return TableForm(table, tuple(program["ranks"][ranks : ranks + rules].tolist()))
        case ["register", int(place), str(kind), int(scale), str(bound), list(texts), bool(is_open)]:
            if not 0 <= place < program.registers:
                raise ValueError("there is no such register")
            return Register(place, Domain(kind, scale, int(bound), tuple(texts), is_open))
        case ["slow", str(why)]:
            return why
    raise ValueError("a form is not known")


def check(program: Program, fields: Sequence[Field], texts: Sequence[Sequence[str]]) -> None:
    """See that no step reaches outside the arrays. Raises ValueError where one does."""
    if program.registers < len(fields):
        raise ValueError("too few registers")
    sizes = [len(fields)] * 0
    sizes = [_places(one, len(known)) for one, known in zip(fields, texts, strict=True)] + [0] * (program.registers - len(fields))
    is_written = [place < len(fields) for place in range(program.registers)]
    is_decided = [False] * len(program["tables"])
    _check_tables(program)
    for op, dst, a, b, c in program["steps"].tolist():
        if not 0 <= dst < program.registers or is_written[dst] or not 0 <= op < len(Op):
            raise ValueError("a step writes where it may not")
        for register in _reads(program, Op(op), a, b, c):
            if not 0 <= register < program.registers or not is_written[register]:
                raise ValueError("a step reads what is not written")
        sizes[dst] = _check_step(program, Op(op), a, b, c, sizes, is_decided)
        is_written[dst] = True


def _places(one: Field, texts: int) -> int:
    """How many places a directly looked up register may hold; 0: any number."""
    return 2 if one.kind == "boolean" else texts + 1 if one.kind in {"category", "string"} else 0


def _lookups_of(program: Program, op: Op, a: int, b: int) -> list[int]:
    if op == Op.TABLE:
        if not 0 <= a < len(program["tables"]):
            raise ValueError("there is no such table")
        first, count = program["tables"][a, :2].tolist()
        return list(range(first, first + count))
    return [a] if op == Op.LOOK else [b] if op == Op.FIT else []


def _reads(program: Program, op: Op, a: int, b: int, c: int) -> list[int]:
    own = {Op.ADD: [a, b], Op.SUB: [a, b], Op.MUL: [a, b], Op.COMPARE: [a, b], Op.AND: [a, b], Op.OR: [a, b]}
    rough = {Op.FLOAT: [a], Op.FDIV: [a, b], Op.FMUL: [a, b], Op.FCLASS: [a], Op.FDOUBT: [a]}
    more = rough | {Op.SCALE: [a], Op.NOT: [a], Op.CHOOSE: [a, b, c], Op.FIT: [a]}
    looked = []
    for lookup in _lookups_of(program, op, a, b):
        if not 0 <= lookup < len(program["lookups"]):
            raise ValueError("there is no such lookup")
        looked.append(int(program["lookups"][lookup, 0]))
    return (own | more).get(op, []) + looked


def _check_step(program: Program, op: Op, a: int, b: int, c: int, sizes: list[int], is_decided: list[bool]) -> int:
    for lookup in _lookups_of(program, op, a, b):
        _check_lookup(program, lookup, sizes, a if op == Op.TABLE else -1)
    match op:
        case Op.TABLE:
            is_decided[a] = True
            return 1
        case Op.CONST | Op.SCALE | Op.FLOAT:
            if not 0 <= (a if op == Op.CONST else b) < len(program["constants"]):
                raise ValueError("there is no such constant")
        case Op.FCLASS | Op.FDOUBT:
            if c < 0 or b < 0 or b + c + 1 > len(program["constants"]):
                raise ValueError("break points are cut")
            return c + 1 if op == Op.FCLASS else 2
        case Op.COMPARE:
            if not 0 <= c < 6:
                raise ValueError("there is no such sign")
            return 2
        case Op.AND | Op.OR | Op.LOOK:
            return 2
        case Op.NOT:
            if sizes[a] != 2:
                raise ValueError("only a truth is turned")
            return 2
        case Op.CHOOSE:
            return sizes[b] if sizes[b] == sizes[c] else 0
        case Op.FIT:
            return sizes[a]
        case Op.ANSWER | Op.GATHER:
            return _check_answer(program, op, a, b, c, is_decided)
    return 0


def _check_answer(program: Program, op: Op, a: int, b: int, c: int, is_decided: list[bool]) -> int:
    if not 0 <= a < len(is_decided) or not is_decided[a] or not 0 <= b < len(program["outputs"]):
        raise ValueError("an answer is asked of nothing")
    start, table = program["outputs"][b].tolist()
    end = start + int(program["tables"][a, 4]) + 3
    if table != a or start < 0 or end > len(program["answers"]) or end > len(program["answer_nulls"]):
        raise ValueError("an answer is cut")
    if op == Op.GATHER:
        if not 1 <= c <= 4 or program["tables"][a, 6] < 0:
            raise ValueError("there is no such gathering")
        return 0
    held_answers = program["answers"][start:end][program["answer_nulls"][start:end] == 0]
    if (program["answers"][start:end][program["answer_nulls"][start:end] != 0] != 0).any() or (len(held_answers) and held_answers.min() < 0):
        return 0
    return int(held_answers.max()) + 1 if len(held_answers) else 1


def _check_lookup(program: Program, lookup: int, sizes: list[int], table: int) -> None:
    register, is_direct, start, number, rows, classes, masks = program["lookups"][lookup].tolist()
    if min(start, number, rows, classes, masks) < 0 or is_direct not in {0, 1}:
        raise ValueError("a lookup is out of bounds")
    if start + number > len(program["starts"]) or rows + classes > len(program["rows"]) or classes < 1:
        raise ValueError("a lookup is cut")
    if is_direct:
        if not sizes[register] or sizes[register] + 1 > classes:
            raise ValueError("a lookup has too few classes")
    elif number + 2 != classes or (program["starts"][start + 1 : start + number] < program["starts"][start : max(start, start + number - 1)]).any():
        raise ValueError("a lookup has its classes out of order")
    if table < 0:
        return
    words = int(program["tables"][table, 2])
    highest = int(program["rows"][rows : rows + classes].max(initial=-1))
    if masks + (highest + 1) * words > len(program["masks"]):
        raise ValueError("masks are cut")


def _check_tables(program: Program) -> None:
    for first, count, words, mode, rules, ranks, fired, groups in program["tables"].tolist():
        if min(first, count, words, rules, ranks, groups) < 0 or mode not in set(Mode) or words != (rules + 63) // 64:
            raise ValueError("a table is out of bounds")
        if ranks + rules > len(program["ranks"]) or first + count > len(program["lookups"]):
            raise ValueError("a table is cut")
        keeps = mode in {Mode.ANY, Mode.ALL}
        if (fired >= 0) != keeps or (keeps and fired + words > program.fired_words):
            raise ValueError("what fired has no room")
        if mode == Mode.ANY:
            held_groups = program["groups"][groups : groups + rules]
            if len(held_groups) != rules or (rules and held_groups.min() < 0):
                raise ValueError("groups are cut")
