"""A running town: a world, the services that moved in, and the server before them."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from puhui_town.wire.ask import Service
from puhui_town.wire.clock import Clock
from puhui_town.wire.control import Control, with_commons
from puhui_town.wire.gate import Gate
from puhui_town.wire.server import Server
from puhui_town.wire.world import Config, World, open_world, store_clock

Install = Callable[[World], Iterable[Service]]
BEAT_S = 1.0


@dataclass(slots=True)
class Town:
    """One process of the town. `start` listens and gives the port; `stop` ends it in order."""

    world: World
    gate: Gate
    server: Server
    beat: asyncio.TimerHandle | None = field(default=None)

    async def start(self) -> int:
        config = self.world.config
        port = await self.server.listen(config.host, config.port)
        self.world.parts["port"] = port
        for begin in self.world.at_start:
            await begin()
        self.world.scheduler.start(asyncio.get_running_loop())
        self._beat()
        return port

    async def stop(self) -> None:
        if self.beat is not None:
            self.beat.cancel()
        self.world.scheduler.stop()
        for end in self.world.at_end:
            await end()
        await self.server.close()
        self.world.client.close()
        store_clock(self.world, is_over=True)
        self.world.store.close()

    def _beat(self) -> None:
        """Keep the clock once a second, so that a fast run goes on where it was."""
        store_clock(self.world)
        self.world.store.commit()
        self.beat = asyncio.get_running_loop().call_later(BEAT_S, self._beat)


def open_town(config: Config, clock: Clock, installs: Sequence[Install]) -> Town:
    """Put a town together. Each install gets the world, registers its timers, files and keys, and gives its services."""
    world = open_world(config, clock)
    world.keys.make("town-1", "town")
    services = [Control(world).service()]
    for install in installs:
        services.extend(install(world))
    gate = Gate(world, [with_commons(world, service) for service in services])
    return Town(world, gate, Server(gate.take, gate.body_max, world.store.commit))
