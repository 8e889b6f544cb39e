"""A process of the platform: `python -m puhui.web.serve --role web|worker|both`.

web     answers requests; in live and fast runs it also reads the callbacks it receives.
worker  runs due flows, reactions and what the inbox still holds.
both    does all of it in one process: the usual choice on a small machine.
"""

import argparse
import asyncio
import gc
import os
import signal
import sys
from dataclasses import replace

import asyncpg
import uvicorn

from puhui.foundation import config as configuration
from puhui.foundation import flows, logs, runner, server
from puhui.foundation.clock import ClockMode
from puhui.foundation.config import Config
from puhui.foundation.desk import PATIENCE_S, Desk, open_desk, store_clock
from puhui.foundation.logs import log
from puhui.foundation.migrations import migrate
from puhui.foundation.refusals import Refusal
from puhui.journeys.first_day import settle_in
from puhui.journeys.wiring import wiring
from puhui.rooms import decisions
from puhui.web import app

GC_THRESHOLDS = (50_000, 25, 25)

async def serve(config: Config, role: str, *, with_parent: bool = False) -> None:
    """Serve until told to stop (SIGTERM, SIGINT): requests end, the flow in hand ends its step, then the process goes."""
    database = config.database_url or (await asyncio.to_thread(server.start, config.home)).url
    await _migrate(database)
    desk = await open_desk(config, wiring(), owner=f"{role}-{config.port}", database_url=database)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if with_parent:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 64) else stop.set())
    try:
        async with desk.work() as work:
            await store_clock(work)
            forgotten = await flows.forget_leases(work, desk.owner)
        await settle_in(desk)
        await asyncio.to_thread(decisions.warm)  # no applicant waits for a library or a compiler
        gc.freeze()  # what is loaded by now stays: the collector need not walk it again and again
        gc.set_threshold(*GC_THRESHOLDS)
        log.info("serve.started", role=role, port=config.port, clock=config.clock.value, leases_forgotten=forgotten)
        await _run(desk, role, stop)
    finally:
        await desk.close()


async def _run(desk: Desk, role: str, stop: asyncio.Event) -> None:
    application = app.build_worker(desk) if role == "worker" else app.build(desk)
    settings = uvicorn.Config(
        application,
        host=desk.config.host,
        port=desk.config.port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
        timeout_keep_alive=75,
    )
    web = _Server(settings)
    tasks = [asyncio.create_task(web.serve())]
    if role != "web":
        tasks.append(asyncio.create_task(runner.serve(desk, stop)))
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    web.should_exit = True
    for task in tasks:
        await task
    behind = desk.held.get("tasks", set())
    if behind:
        await asyncio.wait(set(behind), timeout=10)


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to the process."""

    def install_signal_handlers(self) -> None:
        return


async def _migrate(database: str) -> None:
    connection = await asyncpg.connect(database, timeout=PATIENCE_S)
    try:
        for name in await migrate(connection):
            log.info("migrations.applied", name=name)
    finally:
        await connection.close()


def main() -> None:
    """Read the configuration from the environment and serve; a refusal is one clear line and exit 2."""
    parser = argparse.ArgumentParser(prog="puhui serve", description=__doc__)
    parser.add_argument("--role", choices=("web", "worker", "both"), default="both")
    parser.add_argument("--port", type=int)
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends, so when whoever started us is gone")
    arguments = parser.parse_args()
    if not __debug__:
        sys.exit("puhui.serve: refuses to run under python -O: assertions are part of the money")
    try:
        config = configuration.read(os.environ)
        if arguments.port is not None:
            config = replace(config, port=arguments.port)
        logs.set_up(config.log_level)
        if not config.is_loopback and config.clock is not ClockMode.LIVE:
            raise configuration.BadSetting(name="PUHUI_CLOCK", given=config.clock.value, wanted="live where others can reach us", source="the environment")
        with asyncio.Runner(loop_factory=_loop) as process:
            process.run(serve(config, arguments.role, with_parent=arguments.with_parent))
    except Refusal as refusal:
        sys.exit(f"{refusal.code}: {refusal.text}")


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


if __name__ == "__main__":
    main()
