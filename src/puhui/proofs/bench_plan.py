"""`bench plan`: what a plan costs that nobody made before, from a thousand names to a million; and that more names compile nothing more.

Every size runs in a process of its own with an empty compiler cache; seconds are of CPU, wall time beside; compile seconds are wall time between the compiler's own events.
"""

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from puhui.engines.variables.history import Fetch, History
from puhui.engines.variables.lending import lending

SIZES = (1_000, 10_000, 100_000, 1_000_000)
AS_OF = 1_700_000_000_000_000
_WINDOW = re.compile(r"\.30d(?=\[|$)")


def many_names(count: int) -> list[str]:
    """Give so many different names: the declared ones of the 30-day window, over windows of 30, 1, 2, 3 ... days, declared or not."""
    bases = [name for name in lending().names if _WINDOW.search(name)]

    def every() -> Iterator[str]:
        for days in itertools.chain((30,), (days for days in itertools.count(1) if days != 30)):
            yield from (_WINDOW.sub(f".{days}d", name) for name in bases)

    return list(itertools.islice(every(), count))


def measure(count: int) -> dict[str, float]:
    """Make a plan of so many names in this process and ask it once: CPU seconds to plan, to the first value, and seconds of compiling."""
    from numba.core import event

    names = many_names(count)
    catalogue = lending()
    make: Any = event.TimingListener
    listener = make()
    with event.install_listener("numba:compile", listener):
        wall, began = time.perf_counter(), time.process_time()
        plan = catalogue.plan(names)
        wall, planned = time.perf_counter() - wall, time.process_time()
        vector = plan.one(_somebody(), AS_OF)
        answered = time.process_time()
    assert np.isfinite(vector).any(), "nobody answered"
    return {"count": len(plan), "plan_s": planned - began, "plan_wall_s": wall, "first_value_s": answered - planned, "compile_s": listener.duration if listener.done else 0.0}


def _somebody() -> History:
    """Give a history with one row in every table."""
    catalogue = lending()
    tables: dict[str, Any] = {}
    for table in catalogue.tables:
        whole = {name: [1] for name in ("event_id", "event_time", "known_time", *table.fields)}
        tables[table.name] = whole | {name: [table.category.get(name, ("x",))[0]] for name in table.texts}
    return History.read(catalogue, tables, fetches={table.name: [Fetch(1, "consent-1")] for table in catalogue.tables if table.consent})


def run(sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """Measure every size in a fresh process; `compile_growth` is (compile seconds of the largest + 1) by (those of the smallest + 1)."""
    told = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="puhui-") as cache:
            code = f"import json; from puhui.proofs import bench_plan; print(json.dumps(bench_plan.measure({size})))"
            ran = subprocess.run([sys.executable, "-c", code], env=os.environ | {"NUMBA_CACHE_DIR": cache}, capture_output=True, text=True, check=True)
            told[size] = json.loads(ran.stdout.splitlines()[-1])
    first, last = told[sizes[0]], told[sizes[-1]]
    report: dict[str, Any] = {f"seconds_{size:.0e}".replace("+0", ""): round(one["plan_s"], 3) for size, one in told.items()}
    report |= {f"wall_{size:.0e}".replace("+0", ""): round(one["plan_wall_s"], 3) for size, one in told.items()}
    report["first_value_s"] = {f"{size}": round(one["first_value_s"], 3) for size, one in told.items()}
    report["compile_s"] = {f"{size}": round(one["compile_s"], 3) for size, one in told.items()}
    return report | {"compile_growth": round((last["compile_s"] + 1) / (first["compile_s"] + 1), 3), "cores": os.cpu_count(), "python": sys.version.split()[0]}
