"""Proof that no future leaks: rows, corrections, retractions, repeats and fetches planted beyond the instant asked about change no bit.

Every person gets plants in every table that is there; half of what is late is late by one microsecond. As a control the same rows are made visible.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from puhui.engines.variables.history import Fetch, History
from puhui.engines.variables.lending import lending
from puhui.engines.variables.plan import Plan
from puhui.engines.variables.tables import TIME_BELOW_US, Table
from puhui.proofs.variables import mutant_kernels, nasty_columns, nasty_history, random_names

NEVER_US = TIME_BELOW_US - 1

# Kernels that leak: what each does wrong, the right text, the wrong text.
LEAKS = (
    ("a lag is forgotten", "1 if known_time[row] <= as_of and event_time[row] < as_of", "1 if event_time[row] < as_of"),
    ("a row at A is history", "event_time[row] < as_of else 0", "event_time[row] <= as_of else 0"),
    ("a row ahead is history", "and event_time[row] < as_of else 0", "else 0"),
    ("a later correction is in force", "if known_time[row] > as_of:", "if known_time[row] > as_of + 1:"),
    ("a row ahead speaks beside corrections", "not retracted[row] and event_time[row] < as_of", "not retracted[row]"),
    ("a row at A speaks beside corrections", "not retracted[row] and event_time[row] < as_of", "not retracted[row] and event_time[row] <= as_of"),
)
Columns = dict[str, list[Any]]


def planted(rng: np.random.Generator, history: History, table: Table, as_of: int, known: Callable[[], int]) -> Columns:
    """Give rows known at `known()`: new events, and corrections and retractions of stored ones, each with a revision of its own."""
    columns = nasty_columns(rng, table, as_of, 12)
    stored = history.tables[table.name]
    ids = [] if stored is None else stored.event_id.tolist()
    rows = len(columns["event_id"])
    columns["event_id"] = [int(rng.choice(ids)) if ids and rng.random() < 0.5 else 1_000_000 + place for place in range(rows)]
    columns["event_time"] = [min(time, as_of - 1) for time in columns["event_time"]]
    columns["known_time"] = [known() for _ in range(rows)]
    columns["revision"] = [1000 + place for place in range(rows)]
    return columns


def with_future(rng: np.random.Generator, history: History, as_of: int) -> History:
    """Give the history with a future after `as_of` in every table that is there."""
    grown = history
    for table in history.catalogue.tables:
        if history.tables[table.name] is None:
            continue
        late = planted(rng, history, table, as_of, lambda: as_of + 1 if rng.random() < 0.5 else min(as_of + int(rng.integers(2, 10**12)), NEVER_US))
        ahead = planted(rng, history, table, as_of, lambda: as_of - int(rng.integers(0, 5)))
        ahead["event_id"] = [2_000_000 + place for place in range(len(ahead["event_id"]))]
        ahead["event_time"] = [as_of + int(rng.integers(0, 2)) for _ in ahead["event_time"]]
        asked = [Fetch(as_of + 1, "consent-new"), Fetch(as_of + 1, "consent-0", as_of + 2)] if table.consent else []
        grown = grown.append(table.name, late, fetches=asked).append(table.name, ahead).append(table.name, late)
    return grown


def with_past(rng: np.random.Generator, history: History, as_of: int) -> History:
    """Give the history with like rows that were known in time: the control, which must change answers."""
    grown = history
    for table in history.catalogue.tables:
        if history.tables[table.name] is not None:
            grown = grown.append(table.name, planted(rng, history, table, as_of, lambda: as_of))
    return grown


def caught_leaks(seed: int, *, names: int = 150, most: int = 40) -> dict[str, bool]:
    """Say of each leaking kernel, run uncompiled, whether planting a future changes a bit; and of the kernel itself, which must not be caught."""
    rng = np.random.default_rng(seed)
    catalogue = lending()
    asked = [*random_names(rng, catalogue, names), *(f"{table.name}.count.ever" for table in catalogue.tables)]
    cases: list[tuple[History, History, int]] = []
    while len(cases) < most:
        history, as_of = nasty_history(rng, catalogue, 12)
        if as_of + 3 <= NEVER_US and any(history.is_fetched(table, as_of) for table in catalogue.tables):
            cases.append((history, with_future(rng, history, as_of), as_of))
    verdicts = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for what, right, wrong in (("nothing is wrong", "", ""), *LEAKS):
            plan = Plan(catalogue, asked, kernels=mutant_kernels(right, wrong))
            some = cases if right else cases[:5]
            verdicts[what] = any(plan.one(before, as_of).tobytes() != plan.one(after, as_of).tobytes() for before, after, as_of in some)
    return verdicts


def run(people: int, seed: int, *, names: int | None = None) -> dict[str, object]:
    """Tell how many values were compared, how many changed a bit, and what part of the people changed under the control."""
    rng = np.random.default_rng(seed)
    catalogue = lending()
    plan = catalogue.plan() if names is None else Plan(catalogue, list(random_names(rng, catalogue, names)))
    before, after = np.empty(len(plan)), np.empty(len(plan))
    compared = changed = controls = moved = 0
    while controls < people:
        history, as_of = nasty_history(rng, catalogue)
        if as_of + 3 > NEVER_US or not any(history.is_fetched(table, as_of) for table in catalogue.tables):
            continue
        plan.one(history, as_of, before)
        plan.one(with_future(rng, history, as_of), as_of, after)
        compared += len(plan)
        changed += int((before.view(np.uint64) != after.view(np.uint64)).sum())
        plan.one(with_past(rng, history, as_of), as_of, after)
        controls += 1
        moved += before.tobytes() != after.tobytes()
    caught = caught_leaks(seed)
    is_wrong = caught.pop("nothing is wrong")
    return {
        "seed": seed, "people": controls, "variables": len(plan), "compared": compared, "bits_changed": changed, "control_changed": moved / controls,
        "mutants": len(caught), "mutants_caught": sum(caught.values()), "missed": [what for what, is_caught in caught.items() if not is_caught],
        "uncompiled_differs": is_wrong,
    }  # fmt: skip
