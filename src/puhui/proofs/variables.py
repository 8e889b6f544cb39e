"""Proof of the variables engine: the kernel against its slow twin, to the last bit, on histories made to be nasty; and wrong kernels caught.

Every random choice comes from a seed. The mutants are the kernels' own source with one thing wrong, run uncompiled.
"""

import importlib.util
import struct
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from puhui.engines.variables import twin
from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.history import Fetch, History
from puhui.engines.variables.lending import lending
from puhui.engines.variables.missing import Missing
from puhui.engines.variables.names import (
    AGGREGATES,
    DAY_US,
    GAPS,
    HOUR_US,
    RATIO_AGGREGATES,
    Clause,
    Form,
    Span,
    Variable,
    Window,
    is_narrower,
)
from puhui.engines.variables.plan import Plan
from puhui.engines.variables.tables import NUMBER_BELOW, TIME_BELOW_US, Table

QUIET_NAN = struct.pack("<Q", 0x7FF8000000000000)
UNLISTED = ("其他", "x y", "a/b", "ÿ")
EDGES_US = (HOUR_US, 6 * HOUR_US, 7 * DAY_US, 30 * DAY_US, 33 * DAY_US, 90 * DAY_US, 720 * DAY_US)
WINDOWS = (
    Window(Span.HOURS, 1), Window(Span.HOURS, 6), Window(Span.DAYS, 7), Window(Span.DAYS, 30), Window(Span.DAYS, 33), Window(Span.DAYS, 90),
    Window(Span.DAYS, 720), Window(Span.LAST, 1), Window(Span.LAST, 2), Window(Span.LAST, 3), Window(Span.LAST, 10), Window(Span.EVER),
)  # fmt: skip

# Each a wrong kernel: what it does wrong, the right text, the wrong text.
MUTANTS = (
    ("a window's far edge is out", "time[place] < as_of - edges[beyond]", "time[place] <= as_of - edges[beyond]"),
    ("a row at A is history", "known_time[row] <= as_of and event_time[row] < as_of", "known_time[row] <= as_of and event_time[row] <= as_of"),
    ("what is known at A is not known", "if known_time[row] > as_of:", "if known_time[row] >= as_of:"),
    ("a lag is forgotten", "1 if known_time[row] <= as_of and event_time[row] < as_of", "1 if event_time[row] < as_of"),
    ("a retracted row speaks", "force[slot] == row and not retracted[row] and", "force[slot] == row and"),
    ("a correction loses to the first version", "known_time[row] > known_time[other] or", "known_time[row] < known_time[other] or"),
    ("the revision is forgotten", "known_time[row] == known_time[other] and revision[row] > revision[other]", "False"),
    ("the newest n are n + 1", "min(np.uint64(edge[late]), count)", "min(np.uint64(edge[late] + 1), count)"),
    ("std of the whole population", "(n * (n - 1.0))", "(n * n)"),
    ("first and last are swapped", "last = x if n == 0 else last", "last = x"),
    ("a null counts as a value", "n += here", "n += 1"),
    ("a trend points backward", "24 * (sv * s1 - n * svx)", "24 * (n * svx - sv * s1)"),
    ("gaps are not floored to seconds", "second[place] = time[place] // SECOND_US", "second[place] = (time[place] + 500_000) // SECOND_US"),
    ("a null is a distinct value", "stamp[0] = strand  #", "#"),
    ("a stamp is left from another group", "stamp[code] != strand", "stamp[code] < 0"),
    ("wide sums lose their middle", "shift_wide(c, d, LOW_BITS + 1)", "shift_wide(c, d, LOW_BITS)"),
    ("lost bits are forgotten", "low | (ONE if lost else ZERO)", "low"),
    ("everything is thought to fit", "SAFE = float(1 << 61)", "SAFE = float(1 << 120)"),
    ("floats are trusted beyond 2^53", "EXACT, EXACT_GAPS = float(1 << 53)", "EXACT, EXACT_GAPS = float(1 << 120)"),
    ("a sum over only nulls is zero", "(0.0 if n < 0 else null_field)", "0.0"),
    ("gaps are thought to fit", "float(1 << 63)", "float(1 << 120)"),
    ("a share is of its own group", "cells, upper[share:end], lower[share:end]", "cells[block:], upper[share:end], upper[share:end]"),
    ("minus zero leaves", "ratio = value / below + 0.0", "ratio = value / below"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """How many values were compared, how many differed in a bit or in their reason, and an example's name."""

    values: int
    differing: int
    example: str = ""


def nasty_history(rng: np.random.Generator, catalogue: Catalogue, most_rows: int = 40) -> tuple[History, int]:
    """Give a history and an instant that lie on every edge there is: ties, nulls, corrections, retractions, huge amounts, dying consents."""
    as_of = int(rng.choice([3 * DAY_US, 1_700_000_000_000_000, 1_650_000_000_123_457, TIME_BELOW_US - 1])) + int(rng.integers(-2, 1)) * HOUR_US
    tables: dict[str, Any] = {}
    fetches: dict[str, list[Fetch]] = {}
    for table in catalogue.tables:
        if table.consent:
            moments = [as_of - DAY_US, as_of - 1, as_of, min(as_of + 1, TIME_BELOW_US - 1)]
            asked = [
                Fetch(int(rng.choice(moments)), f"consent-{rng.integers(6)}", None if rng.random() < 0.8 else int(rng.choice(moments)))
                for _ in range(int(rng.integers(0, 4)))
            ]
            fetches[table.name] = asked
        if rng.random() < 0.9 and (not table.consent or fetches[table.name]):
            tables[table.name] = nasty_columns(rng, table, as_of, int(rng.choice([0, 1, 2, 5, most_rows])))
    return History.read(catalogue, tables, fetches=fetches), as_of


def nasty_columns(rng: np.random.Generator, table: Table, as_of: int, rows: int) -> dict[str, list[Any]]:
    """Give columns of a table, in no order, some rows twice."""
    names = ("event_id", "event_time", "known_time", "revision", "retracted", *table.fields, *table.texts)
    regimes = {name: int(rng.integers(6)) for name in table.fields}
    plain = rng.random() < 0.3
    seen = set()
    lines: list[list[Any]] = []
    for _ in range(rows):
        event = int(rng.integers(1, 4 * rows)) if plain else int(rng.integers(1, rows + 1))
        time = _nasty_time(rng, as_of)
        known = min(max(int(rng.choice([time, time + int(rng.integers(0, DAY_US)), as_of - 1, as_of, as_of + 1])), 0), TIME_BELOW_US - 1)
        revision = int(rng.integers(0, 3))
        if (event, known, revision) in seen or (plain and any(line[0] == event for line in lines)):
            continue
        seen.add((event, known, revision))
        numbers = [_nasty_number(rng, regimes[name]) for name in table.fields]
        texts = [_nasty_text(rng, table.category.get(name, ())) for name in table.texts]
        lines.append([event, time, known, revision, not plain and rng.random() < 0.1, *numbers, *texts])
    lines += [lines[int(rng.integers(len(lines)))] for _ in range(2) if lines]
    order = rng.permutation(len(lines))
    return {name: [lines[place][at] for place in order] for at, name in enumerate(names)}


def _nasty_time(rng: np.random.Generator, as_of: int) -> int:
    match int(rng.integers(4)):
        case 0:
            time = as_of - int(rng.choice(EDGES_US)) + int(rng.integers(-1, 2))
        case 1:
            time = as_of + int(rng.integers(-2, 2))
        case 2:
            time = as_of - int(rng.integers(0, 3)) * DAY_US if rng.random() < 0.8 else int(rng.integers(0, DAY_US))
        case _:
            time = as_of - int(rng.integers(1, 800 * DAY_US if rng.random() < 0.7 else as_of))
    return min(max(time, 0), TIME_BELOW_US - 1)


def _nasty_number(rng: np.random.Generator, regime: int) -> int | None:
    if rng.random() < 0.2:
        return None
    match regime:
        case 0:
            return int(rng.integers(-3, 4))
        case 1:
            return (1 << 39) + int(rng.integers(0, 3))
        case 2:
            return int(rng.integers(1 - NUMBER_BELOW, NUMBER_BELOW))
        case 3:
            return 0 if rng.random() < 0.5 else None
        case 4:
            return (1 << 26) + int(rng.integers(0, 1 << 20))
        case _:
            return int(rng.integers(0, 1_000_000))


def _nasty_text(rng: np.random.Generator, listed: tuple[str, ...]) -> str | None:
    choice = rng.random()
    if choice < 0.15:
        return None if choice < 0.1 else ""
    return str(rng.choice(UNLISTED)) if choice < 0.3 or not listed else str(listed[int(rng.integers(min(3, len(listed))))])


def random_names(rng: np.random.Generator, catalogue: Catalogue, count: int) -> Iterator[str]:
    """Give names of every form, window and kind of filter, declared by nobody."""
    for _ in range(count):
        table = catalogue.tables[int(rng.integers(len(catalogue.tables)))]
        clauses = _random_filter(rng, table)
        form = (*[Form.FIELD] * 6, *Form)[int(rng.integers(6 + len(Form)))]
        window, over = WINDOWS[int(rng.integers(len(WINDOWS)))], WINDOWS[int(rng.integers(len(WINDOWS)))]
        column = aggregate = ""
        if form is Form.FIELD:
            column, aggregate = str(rng.choice(table.fields)), str(rng.choice(AGGREGATES))
        elif form is Form.DISTINCT:
            column = str(rng.choice(table.texts))
        elif form is Form.GAP:
            aggregate = str(rng.choice(GAPS))
        may_ratio = form is Form.COUNT or aggregate in RATIO_AGGREGATES
        is_ratio = form is not Form.GAP and may_ratio and is_narrower(window, over)
        is_share = bool(clauses) and not is_ratio and (form is Form.COUNT or (form is Form.FIELD and aggregate == "sum")) and rng.random() < 0.5
        whole = form in {Form.RECENCY, Form.TENURE}
        yield str(Variable(table.name, form, column, aggregate, None if whole else window, over if is_ratio else None, clauses, is_share))


def _random_filter(rng: np.random.Generator, table: Table) -> tuple[Clause, ...]:
    columns = sorted(rng.choice(list(table.category), size=int(rng.choice([0, 1, 1, 2, 3])), replace=False).tolist())
    clauses = []
    for column in columns:
        values = [*table.category[column][:3], *UNLISTED[:2]]
        chosen = rng.choice(values, size=int(rng.integers(1, 4)), replace=False).tolist()
        clauses.append(Clause(column, tuple(sorted(chosen))))
    return tuple(clauses)


def differing(plan: Plan, variables: list[Variable], history: History, as_of: int, expected: list[twin.Answer] | None = None) -> Compared:
    """Compare a plan's vector and reasons with the twin's, bit by bit."""
    expected = twin.answers(history, as_of, variables) if expected is None else expected
    vector, kinds = plan.one(history, as_of), plan.kinds(history, as_of)
    wrong, example = 0, ""
    for place, right in enumerate(expected):
        bits, reason = (QUIET_NAN, int(right)) if isinstance(right, Missing) else (struct.pack("<d", right), 0)
        if vector[place].tobytes() != bits or int(kinds[place]) != reason:
            wrong, example = wrong + 1, example or plan.names[place]
    return Compared(len(expected), wrong, example)


def is_same_everywhere(plan: Plan, history: History, as_of: int) -> bool:
    """Whether the other ways to the same answer give the same bits: from the blob, in a batch, in chunks, by tiles, in a pruned and shuffled plan."""
    vector = plan.one(history, as_of)
    again = History.from_blob(history.catalogue, history.blob())
    ways = [plan.one(again, as_of), plan.batch([again, history], [as_of, as_of])[1]]
    (chunk,) = plan.chunks([history], as_of)
    ways.append(np.array([column[0].as_py() for column in chunk.columns]))
    tiled = Plan(history.catalogue, plan.names, hot_rows=0)
    ways += [tiled.one(history, as_of), tiled.one(again, as_of)]
    if tiled.kinds(history, as_of).tobytes() != plan.kinds(history, as_of).tobytes():
        return False
    some = list(range(len(plan.names)))[::-7]
    pruned = Plan(history.catalogue, [plan.names[place] for place in some]).one(history, as_of)
    return all(way.tobytes() == vector.tobytes() for way in ways) and pruned.tobytes() == vector[some].tobytes()


def mutant_kernels(right: str = "", wrong: str = "") -> types.ModuleType:
    """Give the kernels uncompiled, with one text replaced (everywhere it stands)."""
    spec = importlib.util.find_spec("puhui.engines.variables.kernels")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    assert not right or right in source, f"the kernels have no {right!r}"
    source = source.replace("from numba import njit\n", "def njit(**_): return lambda function: function\n")
    module = types.ModuleType("puhui.engines.variables.kernels_uncompiled")
    exec(compile(source.replace(right, wrong) if right else source, "kernels_uncompiled.py", "exec"), module.__dict__)  # noqa: S102
    return module


def rounds_right(kernels: Any, rng: np.random.Generator, count: int = 300) -> bool:
    """Whether `R` of the kernels gives what Python's own rounding of whole numbers gives, on random values and on half-way ones."""
    for _ in range(count):
        bits = int(rng.integers(1, 127))
        whole = int.from_bytes(rng.bytes(16), "little") % (1 << bits) | 1 << (bits - 1)
        if bits > 66 and rng.random() < 0.7:  # half of the last place, and a crumb beside it
            last = bits - 53
            whole = (whole >> last << last) + (1 << (last - 1)) + int(rng.integers(-1, 2))
        whole *= int(rng.choice([-1, 1]))
        rounded = kernels.round_wide(np.uint64(whole >> 64 & (1 << 64) - 1), np.uint64(whole & (1 << 64) - 1))
        if float(rounded) != float(whole):
            return False
    return True


def caught_mutants(seed: int, histories: int = 60, names: int = 400) -> dict[str, bool]:
    """Run every mutant against the twin until it is caught; the kernels themselves, uncompiled, must not be."""
    rng = np.random.default_rng(seed)
    catalogue = lending()
    asked = [*random_names(rng, catalogue, names), *(f"{table.name}.gap.std.ever" for table in catalogue.tables)]
    variables = [catalogue.parse(name) for name in asked]
    cases = [nasty_history(rng, catalogue, 12) for _ in range(histories)]
    expected = [twin.answers(history, as_of, variables) for history, as_of in cases]
    verdicts = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for what, right, wrong in (("nothing is wrong", "", ""), *MUTANTS):
            kernels = mutant_kernels(right, wrong)
            plan = Plan(catalogue, asked, kernels=kernels)
            some = zip(cases, expected, strict=True) if right else list(zip(cases, expected, strict=True))[:3]
            is_round = rounds_right(kernels, np.random.default_rng(seed))
            verdicts[what] = not is_round or any(differing(plan, variables, *case, answers).differing for case, answers in some)
    return verdicts


def compare(n: int, seed: int, names: int = 3000) -> Compared:
    """Compare `n` values or more of nasty histories with the twin; a new plan of declared and random names every 50 histories.

    The first history of each plan must also give the same bits by every other way; if it does not, the example says so.
    """
    rng = np.random.default_rng(seed)
    catalogue = lending()
    values = wrong = 0
    example = ""
    while values < n:
        declared = [catalogue.names[int(place)] for place in rng.integers(len(catalogue), size=names // 2)]
        plan = catalogue.plan([*declared, *random_names(rng, catalogue, names - len(declared))])
        variables = [catalogue.parse(name) for name in plan.names]
        for turn in range(50):
            history, as_of = nasty_history(rng, catalogue)
            compared = differing(plan, variables, history, as_of)
            values, wrong, example = values + compared.values, wrong + compared.differing, example or compared.example
            if turn == 0 and not is_same_everywhere(plan, history, as_of):
                wrong, example = wrong + 1, example or "another way to the same answer"
            if values >= n:
                break
    return Compared(values, wrong, example)


def verify(n: int, seed: int) -> dict[str, object]:
    """Tell how many values were compared with the twin, how many differed, and how many of the planted mutants were caught."""
    compared = compare(n, seed)
    caught = caught_mutants(seed)
    is_wrong = caught.pop("nothing is wrong")
    missed = [what for what, is_caught in caught.items() if not is_caught]
    return {
        "seed": seed, "compared": compared.values, "differing": compared.differing, "example": compared.example, "mutants": len(caught),
        "mutants_caught": len(caught) - len(missed), "missed": missed, "uncompiled_differs": is_wrong,
    }  # fmt: skip
