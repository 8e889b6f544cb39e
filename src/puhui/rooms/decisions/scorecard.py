"""The scorecard: whole values in, whole points out, a default probability in ppm read from a table. No float passes this door.

An artefact is canonical JSON, named by the SHA-256 of its bytes. Everything that scoring needs is in it: edges, points, the table from
points to probability, and what the card was fitted on.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from puhui.foundation.refusals import Refusal
from puhui.rooms.decisions.known import Missing, Value


class ArtefactDamaged(Refusal):
    """The artefact {sha256} cannot be used: {why}. Nothing was decided with it; publish it again from its source."""

    code = "decisions.artefact-damaged"


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One variable in the card. `edges` rise; bin i holds values in (edges[i-1], edges[i]], the last bin those above; missing has its own points."""

    name: str
    reason: str
    edges: tuple[int, ...]
    points: tuple[int, ...]
    missing_points: int

    def points_for(self, value: Value) -> int:
        return self.missing_points if isinstance(value, Missing) else self.points[bisect_left(self.edges, value)]

    @property
    def best_points(self) -> int:
        return max(self.points)


@dataclass(frozen=True, slots=True)
class Score:
    """What a card says: whole points (more is safer), and the probability of default in ppm."""

    points: int
    probability_ppm: int


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A fitted card. `probabilities_ppm[i]` belongs to `points_min + i` points; beyond either end the end's value holds."""

    sha256: str
    model_id: str
    variables_sha256: str
    base_points: int
    points_min: int
    probabilities_ppm: tuple[int, ...]
    characteristics: tuple[Characteristic, ...]
    paper: Mapping[str, Any]

    def score(self, values: Mapping[str, Value]) -> Score:
        """Score one person. Every variable of the card must be among `values`."""
        return self._score_of(self.base_points + sum(item.points_for(values[item.name]) for item in self.characteristics))

    def lost(self, values: Mapping[str, Value]) -> list[tuple[int, Characteristic]]:
        """Give the points each characteristic lost against its best bin, most first; those that lost nothing are left out."""
        found = [(item.best_points - item.points_for(values[item.name]), item) for item in self.characteristics]
        return sorted((pair for pair in found if pair[0] > 0), key=lambda pair: (-pair[0], pair[1].name))

    def improved(self, values: Mapping[str, Value], codes: frozenset[str]) -> Score:
        """Score again with every characteristic of these reason codes moved to its best bin."""
        points = self.base_points
        for item in self.characteristics:
            points += item.best_points if item.reason in codes else item.points_for(values[item.name])
        return self._score_of(points)

    def _score_of(self, points: int) -> Score:
        place = min(max(points - self.points_min, 0), len(self.probabilities_ppm) - 1)
        return Score(points, self.probabilities_ppm[place])


def canonical(data: Mapping[str, Any]) -> bytes:
    """Write canonical JSON: sorted keys, no spaces, whole numbers only, UTF-8."""
    return json.dumps(_whole(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def open_scorecard(data: bytes) -> Scorecard:
    """Read and check a card.

    Raises: ArtefactDamaged.
    """
    name = sha256_of(data)
    try:
        content = json.loads(data)
        if canonical(content) != data or content["kind"] != "scorecard":
            raise ArtefactDamaged(sha256=name, why="it is not the canonical form of a scorecard")
        card = Scorecard(
            name,
            content["model_id"],
            content["variables_sha256"],
            content["base_points"],
            content["points_min"],
            tuple(content["probabilities_ppm"]),
            tuple(
                Characteristic(row["name"], row["reason"], tuple(row["edges"]), tuple(row["points"]), row["missing_points"])
                for row in content["characteristics"]
            ),
            content["paper"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError):
        raise ArtefactDamaged(sha256=name, why="it does not read") from None
    _check(card)
    return card


def _check(card: Scorecard) -> None:
    table = card.probabilities_ppm
    if not table or any(not 0 <= p <= 1_000_000 for p in table) or any(a < b for a, b in pairwise(table)):
        raise ArtefactDamaged(sha256=card.sha256, why="more points must never mean a higher probability")
    for item in card.characteristics:
        if len(item.points) != len(item.edges) + 1 or list(item.edges) != sorted(set(item.edges)):
            raise ArtefactDamaged(sha256=card.sha256, why=f"the bins of {item.name} do not fit")


def _whole(data: Any) -> Any:
    match data:
        case float():
            raise TypeError("an artefact holds whole numbers only")
        case dict():
            return {key: _whole(value) for key, value in data.items()}
        case list() | tuple():
            return [_whole(value) for value in data]
        case _:
            return data
