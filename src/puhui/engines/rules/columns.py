"""Outcomes as Arrow columns. What a code or a register says is translated once, not row by row; only rows of the interpreter are asked one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from puhui.engines.rules.compiling import Register, TableForm
from puhui.engines.rules.outcome import Made, Outcome, asked
from puhui.engines.rules.program import Array, Mode
from puhui.engines.rules.schema import NULL
from puhui.engines.rules.tree import Table
from puhui.engines.rules.values import text_of

DECIMAL_DIGITS = 38


def of(outcome: Outcome, name: str, form: TableForm | Register | str) -> dict[str, Any]:
    """The columns of one decision: its outputs, and for a table the rules that fired."""
    if isinstance(outcome.made, Made) and not outcome.left:
        if isinstance(form, Register) and (told := _register(outcome, name, form)) is not None:
            return {name: told}
        if isinstance(form, TableForm) and int(outcome.artefact.compiled.program["tables"][form.table, 3]) in {Mode.FIRST, Mode.UNIQUE}:
            return _table(outcome, name, form)
    return _row_by_row(outcome, name)


def _row_by_row(outcome: Outcome, name: str) -> dict[str, Any]:
    import pyarrow as pa

    values = [outcome.value(name, row) for row in range(len(outcome))]
    told = _outputs(name, values)
    if isinstance(outcome.artefact.model.decision(name).node, Table):
        told[f"{name} fired"] = pa.array([outcome.fired(name, row) for row in range(len(outcome))], pa.list_(pa.int32()))
    return told


def _outputs(name: str, values: list[object]) -> dict[str, Any]:
    """One column, or one for each output of contexts."""
    contexts = [one for one in values if isinstance(one, dict)]
    if not contexts or not all(one is None or isinstance(one, dict) for one in values):
        return {name: arrow(values)}
    return {f"{name}.{output}": arrow([one.get(output) if isinstance(one, dict) else None for one in values]) for output in contexts[0]}


def _table(outcome: Outcome, name: str, form: TableForm) -> dict[str, Any]:
    """Codes say which rule decides: what each says is asked once."""
    import pyarrow as pa

    codes = outcome.codes[form.table]
    values = [asked(outcome.artefact, name, code, [form.ranks[code - 1]] if code > 0 else []) for code in range(-2, len(form.ranks) + 1)]
    told = {key: _taken(column, codes + 2) for key, column in _outputs(name, values).items()}
    hit = codes > 0
    rules = np.array([0, *(rank + 1 for rank in form.ranks)], np.int32)[np.maximum(codes, 0)]
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(hit, dtype=np.int32)])
    told[f"{name} fired"] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(rules[hit]))
    return told


def _taken(column: Any, places: Array) -> Any:
    """A column of what the codes stand for, by its dictionary."""
    import pyarrow as pa

    encoded = column.dictionary_encode()
    indices = encoded.indices.take(pa.array(places.astype(np.int32)))
    return pa.DictionaryArray.from_arrays(indices, encoded.dictionary)


def _register(outcome: Outcome, name: str, form: Register) -> Any:
    """A register's values as they stand; None where Arrow has no type for them."""
    import pyarrow as pa

    assert isinstance(outcome.made, Made), "many rows were made"
    held = outcome.made.kept[outcome.place(name)]
    nulls = held == NULL
    match form.domain.kind:
        case "boolean":
            return pa.array(held == 1, mask=nulls)
        case "date":
            return pa.array(np.where(nulls, 0, held).astype(np.int32), mask=nulls).cast(pa.date32())
        case "number":
            wide = np.column_stack([np.where(nulls, 0, held), np.where(held < 0, -1, 0)]).astype(np.int64)
            bits = pa.py_buffer(np.packbits(~nulls, bitorder="little").tobytes())
            return pa.Array.from_buffers(pa.decimal128(DECIMAL_DIGITS, form.domain.scale), len(held), [bits, pa.py_buffer(wide.tobytes())])
    return None


def arrow(values: list[object]) -> Any:
    """Values as an Arrow array; as FEEL text where Arrow has no one type for them."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except pa.ArrowException:
        return pa.array([text_of(one) for one in values], pa.string())
