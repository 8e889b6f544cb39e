"""What came out: values, the rules that fired, and why; the same for one row and for many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from puhui.engines.rules import tables
from puhui.engines.rules.compiling import Register, TableForm
from puhui.engines.rules.diagnostics import Diagnostic, Result
from puhui.engines.rules.door import instant
from puhui.engines.rules.evaluator import Interpreter, Scope, room_to_recurse
from puhui.engines.rules.model import Deciding
from puhui.engines.rules.program import Array
from puhui.engines.rules.refusals import UnknownDecision
from puhui.engines.rules.schema import NULL, Field, exact, value_of
from puhui.engines.rules.tree import Table
from puhui.engines.rules.values import DateTime, Trouble, clocks_of

if TYPE_CHECKING:
    from puhui.engines.rules.artefact import Artefact

Instants = datetime | DateTime | Sequence[datetime] | None


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What the loops left of many rows: codes (tables, rows), words of what fired, and the registers that decisions stand in, NULL for null."""

    codes: Array
    words: Array
    kept: Array


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What an artefact made of its rows. Rows count from 0, rules from 1."""

    artefact: Artefact
    n: int
    made: Made | Array
    """Of one row: registers, codes, first rules and words in one line, as the loop for one row leaves them."""
    given: Mapping[str, object] = field(repr=False)
    at: Instants = None
    left: frozenset[int] = frozenset()
    told: dict[tuple[str, int], Result] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return self.n

    @property
    def codes(self) -> Array:
        """(tables, rows): the place of the first rule that fired, from 1; 0 none, -1 the policy forbids what fired, -2 an input is not allowed."""
        if isinstance(self.made, Made):
            return self.made.codes
        return self.made[self.artefact.compiled.program.registers : self.artefact.firsts[0]].reshape(-1, 1)

    @property
    def words(self) -> Array:
        """(words, rows): the bits of all rules that fired, of tables that may fire several."""
        if isinstance(self.made, Made):
            return self.made.words
        start = self.artefact.firsts[1]
        return self.made[start : start + self.artefact.compiled.program.fired_words].view(np.uint64).reshape(-1, 1)

    def _kept(self, place: int, row: int) -> int | None:
        """What a decision's register holds; None for null."""
        held = int(self.made.kept[place, row] if isinstance(self.made, Made) else self.made[self.artefact.keeps[place]])
        return None if held == NULL else held

    def value(self, decision: str, row: int = 0) -> object:
        """The FEEL value of a decision, exactly what `Model.decide` gives for the row. Refused: UnknownDecision."""
        decision, form = self._form(decision)
        row = self._row(row)
        if row in self.left or isinstance(form, str):
            return self.interpreted(decision, row).value
        if isinstance(form, Register):
            held = self._kept(self.place(decision), row)
            return None if held is None else _of_register(form, held)
        return self._answer(decision, form, row)

    def fired(self, decision: str, row: int = 0) -> list[int]:
        """The rules that fired, in the order the hit policy gives. Refused: UnknownDecision."""
        decision, form = self._form(decision)
        row = self._row(row)
        if row in self.left or isinstance(form, str):
            steps = [step for step in self.interpreted(decision, row).trace if step.decision == decision]
            return list(steps[-1].fired) if steps else []
        if isinstance(form, Register):
            return []
        return [rule + 1 for rule in self._chosen(form, row)]

    def first_fired(self, row: int = 0) -> dict[str, int]:
        """For every table, the first rule that fired (from 1; 0: none), read straight from what the loops left."""
        artefact, made = self.artefact, self.made
        if not isinstance(made, Made):
            start, until = artefact.firsts
            return dict(zip(artefact.table_names, made[start:until].tolist(), strict=False))
        codes = made.codes[:, row].tolist()
        return {name: form.ranks[code - 1] + 1 if (code := codes[form.table]) > 0 else 0 for name, form in artefact.tables}

    def diagnostics(self, decision: str, row: int = 0) -> list[Diagnostic]:
        """Why anything in the decision is null. Refused: UnknownDecision."""
        decision, _ = self._form(decision)
        return self.interpreted(decision, self._row(row)).diagnostics

    def why(self, decision: str, row: int = 0) -> Any:
        """Which rules fired, which columns failed for each other rule, and the nearest change that turns the outcome. Refused: UnknownDecision."""
        from puhui.engines.rules.explaining import explained

        decision, _ = self._form(decision)
        return explained(self, decision, self._row(row))

    def turns(self, decision: str, names: Sequence[str], wanted: Callable[[object], bool], row: int = 0) -> Sequence[Any]:
        """The nearest changes (`Flip`) of these inputs that make the decision a wanted one, each proven by deciding it. Refused: UnknownDecision."""
        from puhui.engines.rules.explaining import turns

        decision, _ = self._form(decision)
        return turns(self, decision, names, wanted, row=self._row(row))

    @property
    def fallback(self) -> list[int]:
        """The rows that the interpreter decided."""
        if any(isinstance(self.artefact.compiled.forms[name], str) for name in self.artefact.decisions):
            return list(range(self.n))
        return sorted(self.left)

    @property
    def table(self) -> Any:
        """An Arrow table: for each decision its outputs, and the rules that fired. What is no number, text, boolean or date is given as FEEL text."""
        return self.select(self.artefact.decisions)

    def select(self, decisions: Sequence[str]) -> Any:
        """As `table`, of these decisions alone. Refused: UnknownDecision."""
        import pyarrow as pa

        from puhui.engines.rules import columns

        told: dict[str, Any] = {}
        for one in decisions:
            name, form = self._form(one)
            told |= columns.of(self, name, form)
        return pa.table(told)

    def numbers(self, decision: str) -> tuple[Array, Array]:
        """A decision that is a number for many rows: int64 on its own scale, and where there is one. Raises ValueError where it is none."""
        name, form = self._form(decision)
        if not isinstance(form, Register) or form.domain.kind != "number" or not isinstance(self.made, Made) or self.left:
            raise ValueError(f"{name} is no number of the loops")
        held = self.made.kept[self.place(name)]
        return held, held != NULL

    def inputs(self, row: int) -> dict[str, object]:
        """The inputs of a row as the interpreter is given them: quantised as the kernels see them."""
        return {one.name: exact(one, _item(self.given[one.name], row), row) for one in self.artefact.fields}

    def interpreted(self, decision: str, row: int) -> Result:
        """What the interpreter makes of the row."""
        key = decision, row
        if key not in self.told:
            self.told[key] = self.artefact.model.decide(decision, self.inputs(row), at=self.instant(row))
        return self.told[key]

    def instant(self, row: int) -> DateTime | None:
        """The instant of a row. Raises ValueError where it has no zone."""
        at = self.at
        one = at if at is None or isinstance(at, datetime | DateTime) else _item(at, row)
        if one is not None and not isinstance(one, datetime | DateTime):
            raise ValueError("an instant is a datetime with a zone")
        return instant(one)

    def _row(self, row: int) -> int:
        if not -self.n <= row < self.n:
            raise IndexError(f"there are {self.n} rows, not {row}")
        return row % self.n

    def _form(self, decision: str) -> tuple[str, TableForm | Register | str]:
        """The decision's own name (it may be asked for by id or label too), and what it became."""
        forms = self.artefact.compiled.forms
        if decision not in forms:
            decision = self.artefact.model.decision(decision).name
        if decision not in forms:
            raise UnknownDecision(name=decision, what="decision", known=", ".join(forms))
        return decision, forms[decision]

    def place(self, decision: str) -> int:
        """Where a decision that is a register stands among what was kept."""
        return [name for name, form in self.artefact.compiled.forms.items() if isinstance(form, Register)].index(decision)

    def _chosen(self, form: TableForm, row: int) -> list[int]:
        """The rules, from 0, that make the answer."""
        code = int(self.codes[form.table, row])
        if code <= 0:
            return []
        _, _, words, _, _, _, kept, _ = self.artefact.compiled.program["tables"][form.table].tolist()
        if kept < 0:
            return [form.ranks[code - 1]]
        live = np.ascontiguousarray(self.words[kept : kept + words, row]).view(np.uint8)
        return [form.ranks[bit] for bit in np.flatnonzero(np.unpackbits(live, bitorder="little"))]

    def _answer(self, decision: str, form: TableForm, row: int) -> object:
        code = int(self.codes[form.table, row])
        chosen = self._chosen(form, row)
        key = decision, code if code <= 0 else tuple(chosen)
        known = self.artefact.answers
        if key not in known:
            if len(known) > 100_000:
                known.clear()
            known[key] = asked(self.artefact, decision, code, chosen)
        told = known[key]
        return _copied(told)


def asked(artefact: Artefact, decision: str, code: int, chosen: list[int]) -> object:
    """What the interpreter makes of these rules of a table."""
    model = artefact.model
    found = model.decision(decision)
    table = found.node
    assert isinstance(table, Table), "a table has a table's form"
    run = Interpreter()
    value: object = None
    with room_to_recurse(), clocks_of(model.zones):
        if code >= 0:
            try:
                value = tables.answer(run, table, chosen, Scope({}, None, model.types))
            except Trouble:
                value = None
        return Deciding(run, {}).fitted(model, value, found.kind, found.name)


def _copied(value: object) -> object:
    """A fresh copy of what can be changed, so that no caller changes another's answer."""
    if isinstance(value, list):
        return [_copied(one) for one in value]
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    return value


def _of_register(form: Register, number: int) -> object:
    domain = form.domain
    if domain.kind == "boolean":
        return bool(number)
    return value_of(Field("", domain.kind, 0, domain.scale), number, domain.texts)


def _item(given: object, row: int) -> object:
    if isinstance(given, np.ndarray):
        one = given[row]
        return one.item() if isinstance(one, np.generic) and given.dtype.kind != "M" else one
    if hasattr(given, "combine_chunks") or hasattr(given, "to_pylist"):
        return given[row].as_py()  # type: ignore[index]
    if isinstance(given, Sequence) and not isinstance(given, str):
        return given[row]
    return given
