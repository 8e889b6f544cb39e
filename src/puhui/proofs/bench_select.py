"""`bench select`: information value, stability and copies of every variable of workload V1 for tens of thousands of people, streamed.

Some hundred people are drawn, and each is asked as of many days; one in fifteen turns out badly, more of those who pay much. Seconds are wall time
on all cores and CPU time of all threads, drawing the people apart.
"""

import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from puhui.engines.variables.selecting import People, select
from puhui.proofs.bench_variables import AS_OF, DAY_US, draw, histories_of, v1_catalogue

SAMPLE = 400


def run(*, people: int = 50_000, seed: int = 7, drawn: int = 1000, workers: int = 2) -> dict[str, Any]:
    """Select among all of V1 and report."""
    catalogue = v1_catalogue()
    some = min(drawn, people)
    histories = list(histories_of(catalogue, draw(some, seed)))
    plan = catalogue.plan()
    rng = np.random.default_rng(seed)
    much = plan.catalogue.plan(["txn.x0.sum.360d"]).batch(histories, AS_OF)[:, 0]
    chance = np.where(much > np.median(much), 0.1, 0.03)

    def group(first: int, size: int) -> People:
        places = np.arange(first, min(first + size, people))
        as_of = AS_OF - places // some * DAY_US
        bad = np.random.default_rng((seed, first)).random(len(places)) < chance[places % some]
        return People([histories[place] for place in places % some], as_of, bad, (places >= people // 2).astype(np.int64), first)

    def everybody() -> Iterator[People]:
        for first in range(0, people, 256):
            yield group(first, 256)

    drawn_for_bins = rng.choice(people, min(SAMPLE, people), replace=False)
    sample = People([histories[place % some] for place in drawn_for_bins], AS_OF - drawn_for_bins // some * DAY_US, np.zeros(len(drawn_for_bins), np.bool_),
                    np.zeros(len(drawn_for_bins), np.int64))  # fmt: skip
    plan.one(histories[0], AS_OF)
    wall, cpu = time.perf_counter(), time.process_time()
    chosen = select(plan, sample, everybody(), workers=workers)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    best = chosen.best(20)
    return {
        "workload": "V1", "seed": seed, "people": people, "drawn": some, "variables": len(plan), "workers": workers, "minutes": round(wall / 60, 2),
        "cpu_minutes": round(cpu / 60, 2), "us_a_person": round(1e6 * cpu / people, 1), "constant": int(chosen.is_constant.sum()),
        "copies": int((chosen.copy_of >= 0).sum()), "left": int(chosen.left.sum()), "best": [plan.names[place] for place in best[:5]],
        "best_iv": [round(float(chosen.iv[place]), 4) for place in best[:5]], "psi_max": round(float(chosen.psi[chosen.left].max()), 4),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20), 3), "cores": os.cpu_count(), "python": sys.version.split()[0],
    }  # fmt: skip
