"""The vector of a decision: variables of the engine as of one instant, measures beside them, every value whole or missing with its reason."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from puhui.engines.variables import History, Plan
from puhui.engines.variables.missing import Missing as Why
from puhui.engines.variables.origination import bare
from puhui.rooms.decisions.candidates import Candidate, Paper, candidate, candidates
from puhui.rooms.decisions.known import Asked, BureauReport, Missing, Value
from puhui.rooms.decisions.measures import MEASURES, READ, Ground

_WHY = {Why.NO_TABLE: Missing.NOT_FETCHED, Why.NO_EVENT: Missing.NO_EVENT, Why.NULL_FIELD: Missing.NULL_FIELD, Why.UNDEFINED: Missing.UNDEFINED}
NOBODY = frozenset({"no_record", "stale", "white"})
"""How an asking ended whose source knows nobody: there is no record, which is something else than never to have asked."""


@dataclass(frozen=True, slots=True)
class Vector:
    """Named values; the SHA-256 of the plan that the engine was asked, and of the float64 bits that it answered."""

    values: Mapping[str, Value]
    plan_sha256: str
    bits_sha256: str


def compute(history: History, as_of_us: int, asked: Asked, report: BureauReport | None, ended: Mapping[str, str]) -> Vector:
    """Give every value as of an instant. `ended` says of each source how its newest asking ended ("full", "no_record"; the bureau: "white").

    Raises: as `Plan.one`.
    """
    plan = the_plan()
    numbers, kinds = plan.one(history, as_of_us), plan.kinds(history, as_of_us).tolist()
    values: dict[str, Value] = {}
    for one, number, kind in zip(asked_of_engine(), numbers.tolist(), kinds, strict=True):
        if not kind:
            values[one.paper.name] = one.whole(number)
        elif kind == Why.NO_TABLE and ended.get(one.paper.source) in NOBODY:
            values[one.paper.name] = Missing.NO_RECORD
        else:
            values[one.paper.name] = _WHY[Why(kind)]
    ground = Ground(as_of_us, asked, report, values)
    measured = {measure.paper.name: measure.read(ground) for measure in MEASURES}
    return Vector(values | measured, plan_sha256(), hashlib.sha256(numbers.astype("<f8").tobytes()).hexdigest())


@cache
def asked_of_engine() -> tuple[Candidate, ...]:
    """Give what the engine is asked, in the plan's order: the candidates, and what measures stand on."""
    known = candidates()
    return (*known.values(), *(candidate(name) for name in READ if name not in known))


@cache
def asked_of_log() -> tuple[str, ...]:
    """Give the names that a decision asks of the event log; the rest of its vector are measures."""
    return tuple(one.paper.name for one in asked_of_engine())


@cache
def the_plan() -> Plan:
    """Give the plan of every decision; its SHA-256 stands in the record."""
    return bare().plan(asked_of_log())


@cache
def plan_sha256() -> str:
    return the_plan().sha256


@cache
def papers() -> Mapping[str, Paper]:
    """Give the papers of every value of a vector, in their fixed order."""
    return {paper.name: paper for paper in (*(one.paper for one in asked_of_engine()), *(measure.paper for measure in MEASURES))}


@cache
def names() -> tuple[str, ...]:
    return tuple(papers())


@cache
def set_sha256() -> str:
    """Name this set of values: SHA-256 over the papers of every one, in order."""
    lines = "\n".join(f"{one.name}|{one.unit}|{one.sign}|{one.reason}|{one.is_protected}" for one in papers().values())
    return hashlib.sha256(lines.encode()).hexdigest()


def warm() -> None:
    """Load and compile what a decision needs, so that no applicant waits for it."""
    nobody = History.read(bare(), {"app": {}, "repayment": {}}).blob()
    compute(History.from_blob(bare(), nobody), 0, Asked(100, 1, 30), None, {})
