"""The town's 44 funding partners: terms that differ and change, reservations, pools, and mirrors computed by their own arithmetic.

All behind `/funder/{partner}`, in this process, or each in its own (`--funders-apart`). A funder keeps its money at the rail: `own-{partner}`
is its own, `pool-{partner}` what the lender may pay out of.
"""

from collections.abc import Callable

from puhui_town.funder.apart import Apart, start_all, stop_all
from puhui_town.funder.bank import Bank, Counter, FarBank, NearBank
from puhui_town.funder.house import House
from puhui_town.funder.terms import partners
from puhui_town.rail.books import Books
from puhui_town.rail.transfer import PoolMove
from puhui_town.wire import FILE_MAX, Answer, Ask, Reply, Route, Service, Timer, World, not_found

__all__ = ["House", "install", "open_apart", "partners"]

PREFIX = "/funder/{partner}"
CALLS = (
    ("GET", "/v1/terms", "terms"),
    ("POST", "/v1/reservations", "reserve"),
    ("POST", "/v1/reservations/{reservation_id}/confirm", "confirm"),
    ("POST", "/v1/reservations/{reservation_id}/release", "release"),
    ("GET", "/v1/reservations/{reservation_id}", "get"),
)
COMMONS = (
    ("GET", "/v1/events"),
    ("GET", "/v1/files"),
    ("GET", "/v1/files/{name}"),
    ("PUT", "/v1/inbox/{name}"),
    ("GET", "/v1/inbox/{name}"),
)


def install(world: World) -> list[Service]:
    """Let the funders move in: all here, one alone (`--only`), or each into its own process."""
    if world.config.only:
        return [_near(world, [world.config.only], FarBank(world))]
    books: Books = world.parts["rail"]
    for partner in partners():
        world.keys.make(partner, partner)
    if world.config.funders_apart:
        return open_apart(world, books, partners())
    return [_near(world, partners(), NearBank(books))]


def _near(world: World, names: list[str], bank: Bank) -> Service:
    for name in names:
        world.keys.make(name, name)
    houses = {name: House(world, name, bank) for name in names}
    world.parts["funders"] = houses
    for house in houses.values():
        house.offer_files()

    def change(timer: Timer) -> None:
        houses[timer.args["partner"]].change_by_itself(timer)

    world.scheduler.handle("funder.terms", change)
    books: Books | None = world.parts.get("rail")
    if books is not None:
        books.pool_watch.append(lambda move: _read(houses, move))
    routes = [Route(method, PREFIX + path, _verb(verb), _of(houses, verb)) for method, path, verb in CALLS]
    return Service("funder", PREFIX, "{partner}", tuple(routes))


def _read(houses: dict[str, House], move: PoolMove) -> None:
    """A funder of this process sees its statement at once."""
    house = houses.get(move.pool.removeprefix("pool-"))
    if house is not None:
        house.read_statement()


def _of(houses: dict[str, House], verb: str) -> Callable[[Ask], Answer]:
    def call(ask: Ask) -> Answer:
        house = houses.get(ask.args["partner"])
        if house is None:
            raise not_found("funder")
        told: Answer = getattr(house, verb)(ask)
        return told

    return call


def _verb(name: str) -> str:
    return "reservation" if name == "reserve" else name


def open_apart(world: World, books: Books, names: list[str]) -> list[Service]:
    """Start each funder in a process of its own and hand its calls through."""
    funders = {name: Apart(world, name) for name in names}
    world.followers.extend(funders.values())
    world.at_start.append(lambda: start_all(list(funders.values())))
    world.at_end.append(lambda: stop_all(list(funders.values())))

    async def pass_on(ask: Ask) -> Reply:
        funder = funders.get(ask.args["partner"])
        if funder is None:
            raise not_found("funder")
        return await funder.pass_on(ask)

    paths = [(method, path) for method, path, _ in CALLS] + list(COMMONS)
    routes = [Route(method, PREFIX + path, "pass", pass_on, who=None, body_max=FILE_MAX) for method, path in paths]
    counter = Service("pools", "/town/pools", "town-1", Counter(books, names).routes(), has_commons=False)
    return [Service("funder", PREFIX, "{partner}", tuple(routes), has_commons=False), counter]
