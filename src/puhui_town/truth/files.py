"""The files of truth (PROTOCOLS 9.8): who people are, what befell them, who belongs together, what contacts changed, which faults fired."""

import csv
import hashlib
import math
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from puhui_town.people.ceiling import Loan, futures
from puhui_town.people.conduct import Rule
from puhui_town.people.histories import schedule
from puhui_town.people.lives import lives_of
from puhui_town.people.needs import CHINA
from puhui_town.people.outside import month_start_before
from puhui_town.people.person import TRAITS, ring_members
from puhui_town.people.purse import Purse
from puhui_town.people.townsfolk import Townsfolk
from puhui_town.wire import DRIVER, Ask, Refused, Route, Service, World

STANDARD_FEN, STANDARD_MONTHS, STANDARD_PPM = 300_000, 12, 180_000
"""True probabilities are those of this loan, taken out on the first day of the run."""
FUTURES_EACH = 40
PART = 500
SHOCK_MONTHS_BEFORE, SHOCK_MONTHS_AFTER = 24, 24


class TruthFiles:
    """Writes the files into the folder of `--truth`; without one it writes nothing."""

    def __init__(self, world: World) -> None:
        self.world = world
        if world.config.truth is not None:
            world.at_start.append(self._begin)
            world.at_end.append(self._end)

    def services(self) -> Iterable[Service]:
        route = Route("POST", "/town/truth/files", "write_truth", self.write, who=DRIVER, is_kept=False)
        return [Service("town", "/town", "town-1", (route,), has_commons=False)]

    @property
    def folk(self) -> Townsfolk:
        people = self.world.parts["people"]
        assert isinstance(people, Townsfolk)
        return people

    @property
    def folder(self) -> Path:
        folder = self.world.config.truth
        if folder is None:
            raise Refused("truth.no-folder", "the town was started without --truth", status=409)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write(self, ask: Ask) -> dict[str, Any]:
        """Write all files as of now, for the driver."""
        del ask
        return {"rows": {**self._write_people(), **self._write_course()}, "population_sha256": self.folk.assumptions.sha256}

    async def _begin(self) -> None:
        if not (self.folder / "people.csv").exists():
            self._write_people()

    async def _end(self) -> None:
        self._write_course()

    # -- who they are ---------------------------------------------------------------------------------------------------------

    def _write_people(self) -> dict[str, int]:
        today = self.world.clock.now().astimezone(CHINA).date()
        return {
            "people.csv": _write(self.folder / "people.csv", PEOPLE, self._people(today)),
            "shocks.csv": _write(self.folder / "shocks.csv", ("n", "id_sha256", "day", "kind"), self._shocks(today)),
            "rings.csv": _write(self.folder / "rings.csv", ("ring", "n", "id_sha256", "size"), self._rings()),
        }

    def _people(self, today: date) -> Iterable[Sequence[object]]:
        folk = self.folk
        installment = schedule(today, STANDARD_FEN, STANDARD_PPM, STANDARD_MONTHS)[0].due_fen / 100
        for low in range(0, folk.count, PART):
            people = [folk.person(n) for n in range(low, min(low + PART, folk.count))]
            lives = lives_of(people, folk.assumptions)
            loans = [
                Loan(life, today, installment, STANDARD_MONTHS, Purse.opened(life, today, folk.assumptions).cash, f"standard-{life.person.n}")
                for life in lives
            ]
            lived = futures(loans, folk.assumptions, each=FUTURES_EACH)
            shares = [lived.share(months).tolist() for months in (3, 6, 12)]
            for k, person in enumerate(people):
                traits = [f"{getattr(person.traits, name):.4f}" for name in TRAITS]
                pds = [f"{share[k]:.4f}" for share in shares]
                yield (
                    person.n, id_sha256(person.id_number), *traits, int(person.is_white), *pds, pds[2], person.reservation_ppm, person.label,
                    person.work, person.living.kind, person.dormitory, person.village_shop, person.household.number, int(person.shares_phone),
                )  # fmt: skip

    def _shocks(self, today: date) -> Iterable[Sequence[object]]:
        since = month_start_before(today, -SHOCK_MONTHS_BEFORE)
        until = month_start_before(today, SHOCK_MONTHS_AFTER)
        for n in range(self.folk.count):
            person = self.folk.person(n)
            for day, kind in self.folk.life(n).shocks_between(since, until):
                yield n, id_sha256(person.id_number), day.isoformat(), kind

    def _rings(self) -> Iterable[Sequence[object]]:
        every = self.folk.assumptions.whole("fraud.ring_every")
        for ring in range(-(-self.folk.count // every)):
            members = ring_members(self.folk.seed, ring, self.folk.assumptions)
            for place in sorted(members):
                n = ring * every + place
                if n < self.folk.count:
                    yield ring, n, id_sha256(self.folk.person(n).id_number), len(members)

    # -- what happened ----------------------------------------------------------------------------------------------------------

    def _write_course(self) -> dict[str, int]:
        fired = [(f.at, f.rule_id, f.op, f.key, f.attempt) for f in self.world.faults.fired()]
        return {
            "uplift.csv": _write(self.folder / "uplift.csv", UPLIFT, self._uplift()),
            "faults.csv": _write(self.folder / "faults.csv", ("at", "rule_id", "op", "key", "attempt"), fired),
        }

    def _uplift(self) -> Iterable[Sequence[object]]:
        """What each contact changed: the wish to pay, as a chance at even slack, without and with it."""
        rule = Rule.of(self.folk.assumptions)
        for subject, row in sorted(self.folk.contacts.items()):
            person = self.folk.person(row["n"])
            base = rule.base + rule.prudence * person.traits.prudence + rule.honesty * person.traits.honesty - row["anger"]
            without, with_it = _chance(base + row["logit_before"]), _chance(base + row["logit_after"])
            yield subject, row["n"], id_sha256(person.id_number), row["at"], f"{without:.4f}", f"{with_it:.4f}", f"{with_it - without:.4f}"


PEOPLE = (
    "n", "id_sha256", *TRAITS, "white", "pd_3", "pd_6", "pd_12", "bayes_score", "reservation_ppm", "label", "work", "living_kind", "dormitory",
    "village_shop", "household", "shares_phone",
)  # fmt: skip
UPLIFT = ("contact", "n", "id_sha256", "at", "chance_without", "chance_with", "uplift")


def id_sha256(id_number: str) -> str:
    """How a person stands in every comparison with the lender: the SHA-256 of the id number."""
    return hashlib.sha256(id_number.encode()).hexdigest()


def _chance(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a file whole, then let it appear; gives the number of rows."""
    half = path.with_suffix(".half")
    count = 0
    with half.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(row)
            count += 1
    half.replace(path)
    return count
