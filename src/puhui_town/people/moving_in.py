"""Moving in: the people become what the services ask, whose cards the rail knows, and who lives by the timers."""

from typing import Any

import msgspec

from puhui_town.people.assumptions import NotAnAssumptionError, read_population
from puhui_town.people.bench import Bench
from puhui_town.people.resident import Residents
from puhui_town.people.townsfolk import Settings, Townsfolk
from puhui_town.wire import DRIVER, Ask, Refused, Route, Service, World

STEERS = DRIVER | {"town"}


class PeopleAsked(msgspec.Struct, frozen=True):
    """Body of `POST /town/people`. `population` is the text of a population file; absent or empty means the town's own."""

    seed: int | str
    count: int
    population: str = ""


class People:
    """The control call of the people."""

    def __init__(self, world: World, folk: Townsfolk, residents: Residents) -> None:
        self.world, self.folk, self.residents = world, folk, residents

    def settle(self, ask: Ask) -> dict[str, Any]:
        """Let people move in: more of the same, or others while nobody has acted yet."""
        body = ask.read(PeopleAsked)
        now = self.folk.settings
        if not 0 <= body.count <= 10_000_000:
            raise Refused("bad-field", "count: 0 to 10,000,000", status=400)
        population = "" if body.population in {"", "default"} else body.population
        if (str(body.seed), population) != (now.seed, now.population) and len(self.folk.minds):
            raise Refused("people.already-acting", "somebody has acted in this run; other people need another run", status=409)
        try:
            sha256 = read_population(population).sha256 if population else self.folk.assumptions.sha256
        except (NotAnAssumptionError, ValueError) as error:
            raise Refused("bad-field", f"population: {error}", status=400) from None
        self.folk.settle(Settings(str(body.seed), max(body.count, now.count) if str(body.seed) == now.seed else body.count, population))
        self.residents.expect_needs(0, self.folk.count)
        return {"count": self.folk.count, "seed": self.folk.seed, "population_sha256": sha256}


def move_in(world: World) -> list[Service]:
    folk = Townsfolk(world)
    residents = Residents(world, folk)
    people = People(world, folk, residents)
    world.cards = folk
    world.parts["people"] = folk
    world.parts["residents"] = residents

    async def begin() -> None:
        folk.books.holder = folk
        residents.expect_needs(0, folk.count)

    world.at_start.append(begin)
    routes = (
        Route("POST", "/town/people", "people", people.settle, who=STEERS),
        Route("POST", "/town/bench", "bench", Bench(world, folk, residents).run, who=STEERS, is_kept=False),
    )
    return [Service("town", "/town", "town-1", routes, has_commons=False)]
