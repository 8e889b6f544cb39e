"""The people of the town: who they are, how they live, what is recorded of them, and how they borrow, repay and answer.

`person(seed, n)` never depends on another person, and a run is a pure function of the seed, the population file and the platform's answers.
Doors in `world.parts`: "people" (`Townsfolk`, the `checks.population.Population`), "residents" (`Residents`, who act).
"""

from collections.abc import Iterable

from puhui_town.wire import Service, World


def install(world: World) -> Iterable[Service]:
    from puhui_town.people.moving_in import move_in

    return move_in(world)
