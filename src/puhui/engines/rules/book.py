"""A whole book decided: from Parquet to Parquet, shard by shard, on threads, processes or Ray; and two strategies compared on it.

A shard is one row group of a file. Artefacts are handed over as files, so that any process can open them. `batch` writes the outputs and the fired
rules of every decision; `back_test` counts, by segment, who each of two strategies takes, and how they turned out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from puhui.engines.rules.artefact import Artefact, open_artefact
from puhui.engines.rules.outcome import Outcome
from puhui.engines.rules.program import Array
from puhui.foundation.shards import Backend, map_shards

GOOD, BAD, UNKNOWN = 0, 1, 2
"""How a person turned out."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One row group, the artefacts that decide it, and where the answer goes."""

    source: str
    group: int
    artefacts: tuple[str, ...]
    target: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What a back-test asks: which values of a decision are an approval, and which columns say segment and outcome (0 good, 1 bad, null unknown).

    `score`: a decision that ranks people, so that the challenger can be cut elsewhere; empty: it cannot. `taken`: the column that says whether a person
    who is offered a loan takes it (1, 0, null unknown); empty: nobody knows.
    """

    decision: str
    approved: tuple[object, ...]
    segment: str
    bad: str
    score: str = ""
    taken: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A shard and what is asked of it."""

    shard: Shard
    question: Question


Cell = tuple[str, bool, bool, int]
"""Segment, champion approves, challenger approves, how the person turned out."""


@dataclass(slots=True)
class BackTest:
    """Counts by segment, champion's and challenger's answer, and outcome; the challenger's scores by outcome.

    `takes`: of whom each approves, how many took the offer (1) and not (0); `takes_by_score`: of all whose word on an offer is known, by the
    challenger's score.
    """

    rows: int = 0
    counts: dict[Cell, int] = field(default_factory=dict)
    scores: dict[tuple[int, int], int] = field(default_factory=dict)
    takes: dict[tuple[str, int], int] = field(default_factory=dict)
    takes_by_score: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, other: BackTest) -> None:
        """Take in what another shard counted."""
        self.rows += other.rows
        for cell, number in other.counts.items():
            self.counts[cell] = self.counts.get(cell, 0) + number
        for score, number in other.scores.items():
            self.scores[score] = self.scores.get(score, 0) + number
        for who, number in other.takes.items():
            self.takes[who] = self.takes.get(who, 0) + number
        for score, number in other.takes_by_score.items():
            self.takes_by_score[score] = self.takes_by_score.get(score, 0) + number

    def segments(self) -> list[str]:
        """The segments that were seen."""
        return sorted({segment for segment, _, _, _ in self.counts})

    def swap_set(self, segment: str | None = None) -> dict[str, dict[str, int]]:
        """Who both take, who is swapped in, who is swapped out, who neither takes: people, and of those known the good and the bad."""
        names = {(True, True): "both", (False, True): "swapped_in", (True, False): "swapped_out", (False, False): "neither"}
        told = {name: {"people": 0, "good": 0, "bad": 0} for name in names.values()}
        for (where, champion, challenger, turned), number in self.counts.items():
            if segment is None or where == segment:
                cell = told[names[champion, challenger]]
                cell["people"] += number
                cell["good"] += number * (turned == GOOD)
                cell["bad"] += number * (turned == BAD)
        return told

    def rates(self) -> dict[str, dict[str, float]]:
        """Approval and bad rate of each, over people whose outcome is known; take-up over the approved whose word is known."""
        told = {}
        for place, name in ((1, "champion"), (2, "challenger")):
            taken = {turned: sum(number for cell, number in self.counts.items() if cell[place] and cell[3] == turned) for turned in (GOOD, BAD, UNKNOWN)}
            known = taken[GOOD] + taken[BAD]
            told[name] = {"approval": sum(taken.values()) / max(1, self.rows), "bad": taken[BAD] / max(1, known)}
            if self.takes:
                told[name]["take_up"] = _share(self.takes.get((name, 1), 0), self.takes.get((name, 0), 0))
        return told

    def readings(self) -> dict[str, float]:
        """The challenger cut by score so that it is like the champion: its approval at the same bad rate, its bad rate at the same approval, and, where
        it is known, its take-up where it approves and errs no more than the champion.
        """
        champion, people = self.rates()["champion"], max(1, self.rows)
        told = {"approval_at_same_bad": 0.0, "bad_at_same_approval": 0.0}
        if self.takes_by_score:
            told["take_up_at_same_both"] = 0.0
        taken = good = bad = took = left = 0
        for score in sorted({score for score, _ in self.scores}, reverse=True):
            good += self.scores.get((score, GOOD), 0)
            bad += self.scores.get((score, BAD), 0)
            taken += sum(self.scores.get((score, turned), 0) for turned in (GOOD, BAD, UNKNOWN))
            if bad / max(1, good + bad) <= champion["bad"]:
                told["approval_at_same_bad"] = taken / people
            if taken / people <= champion["approval"]:
                told["bad_at_same_approval"] = bad / max(1, good + bad)
            took += self.takes_by_score.get((score, 1), 0)
            left += self.takes_by_score.get((score, 0), 0)
            if self.takes_by_score and taken / people <= champion["approval"] and bad / max(1, good + bad) <= champion["bad"]:
                told["take_up_at_same_both"] = _share(took, left)
        return told


def _share(yes: int, no: int) -> float:
    return yes / max(1, yes + no)


def shards_of(source: Path, artefacts: Sequence[Path], target: Path | None = None) -> list[Shard]:
    """The row groups of a Parquet file."""
    import pyarrow.parquet as pq

    files = tuple(str(one) for one in artefacts)
    return [Shard(str(source), group, files, str(target) if target else "") for group in range(pq.ParquetFile(source).num_row_groups)]


def batch(source: Path, artefact: Path, target: Path, *, backend: Backend = "threads", workers: int = 2) -> int:
    """Decide every row of a Parquet file; `target` becomes a folder with one file a row group. Gives the number of rows.

    Refused: MissingInput, BadInput, DamagedArtefact.
    """
    target.mkdir(parents=True, exist_ok=True)
    return sum(map_shards(decide_shard, shards_of(source, [artefact], target), backend=backend, workers=workers))


def back_test(source: Path, champion: Path, challenger: Path, question: Question, *, target: Path | None = None, backend: Backend = "threads", workers: int = 2) -> BackTest:
    """Decide history under two strategies. Where there is a `target`, both answers of every row are written there.

    Refused: MissingInput, BadInput, DamagedArtefact, UnknownDecision.
    """
    if target:
        target.mkdir(parents=True, exist_ok=True)
    asked = [Asked(one, question) for one in shards_of(source, [champion, challenger], target)]
    told = BackTest()
    for one in map_shards(compare_shard, asked, backend=backend, workers=workers):
        told.add(one)
    return told


def decide_shard(shard: Shard) -> int:
    """Decide one row group and write its answer; give its rows."""
    artefact = opened(shard.artefacts[0])
    outcome = artefact.run(_read(shard, artefact, ()))
    _write(outcome.table, shard)
    return len(outcome)


def compare_shard(asked: Asked) -> BackTest:
    """Decide one row group under both strategies, and count."""
    shard, question = asked.shard, asked.question
    champion, challenger = (opened(one) for one in shard.artefacts)
    beside = (question.segment, question.bad, *((question.taken,) if question.taken else ()))
    rows = _read(shard, champion, (*beside, *(one.name for one in challenger.fields)))
    outcomes = champion.run(rows), challenger.run(rows)
    approvals = [_approved(outcome, question) for outcome in outcomes]
    segments = rows.column(question.segment).cast("string").fill_null("").combine_chunks().dictionary_encode()
    names = [str(one) for one in segments.dictionary.to_pylist()]
    turned = rows.column(question.bad).cast("int64").fill_null(UNKNOWN).to_numpy()
    told = _counted(names, segments.indices.to_numpy(zero_copy_only=False), approvals[0], approvals[1], turned)
    took = rows.column(question.taken).cast("int64").fill_null(UNKNOWN).to_numpy() if question.taken else None
    if took is not None:
        for who, approval in zip(("champion", "challenger"), approvals, strict=True):
            for word in (0, 1):
                told.takes[who, word] = int(np.count_nonzero(approval & (took == word)))
    if question.score:
        scores, known = outcomes[1].numbers(question.score)
        told.scores = _by_score(scores[known], turned[known])
        if took is not None:
            said = known & (took != UNKNOWN)
            told.takes_by_score = _by_score(scores[said], took[said])
    if shard.target:
        import pyarrow as pa

        answers = [outcome.select([question.decision]) for outcome in outcomes]
        columns = {f"{who} {name}": table.column(name) for who, table in zip(("champion", "challenger"), answers, strict=True) for name in table.column_names}
        _write(pa.table(columns), shard)
    return told


@lru_cache(maxsize=8)
def opened(path: str) -> Artefact:
    """The artefact of a file, opened once in a process."""
    return open_artefact(Path(path))


def _read(shard: Shard, artefact: Artefact, more: Sequence[str]) -> Any:
    import pyarrow.parquet as pq

    names = list(dict.fromkeys([*(one.name for one in artefact.fields), *more]))
    texts = [one.name for one in artefact.fields if one.kind in {"category", "string"}]
    return pq.ParquetFile(shard.source, read_dictionary=texts).read_row_group(shard.group, columns=names, use_threads=False)


def _write(table: Any, shard: Shard) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, Path(shard.target) / f"part-{shard.group:06d}.parquet", compression="zstd")


def _approved(outcome: Outcome, question: Question) -> Array:
    """Which rows are approved."""
    answers = outcome.select([question.decision]).column(question.decision).combine_chunks()
    if hasattr(answers, "dictionary"):
        yes = np.array([one in question.approved for one in answers.dictionary.to_pylist()] + [None in question.approved])
        told: Array = yes[answers.indices.fill_null(len(yes) - 1).to_numpy(zero_copy_only=False)]
        return told
    return np.array([one in question.approved for one in answers.to_pylist()])


def _counted(names: list[str], segments: Array, champion: Array, challenger: Array, turned: Array) -> BackTest:
    cells = ((segments.astype(np.int64) * 2 + champion) * 2 + challenger) * 3 + turned
    told = BackTest(len(cells))
    for cell, number in enumerate(np.bincount(cells, minlength=1).tolist()):
        if number:
            rest, outcome = divmod(cell, 3)
            told.counts[names[rest // 4], bool(rest // 2 % 2), bool(rest % 2), outcome] = number
    return told


def _by_score(scores: Array, turned: Array) -> dict[tuple[int, int], int]:
    if not len(scores):
        return {}
    low = int(scores.min())
    if int(scores.max()) - low > 10_000_000:
        kept, numbers = np.unique(np.column_stack([scores, turned]), axis=0, return_counts=True)
        return {(int(score), int(outcome)): int(number) for (score, outcome), number in zip(kept.tolist(), numbers.tolist(), strict=True)}
    counts = np.bincount((scores - low) * 3 + turned)
    return {(low + int(cell) // 3, int(cell) % 3): int(counts[cell]) for cell in np.flatnonzero(counts)}
