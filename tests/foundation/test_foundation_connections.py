"""The connections of a process: those that write stand in an open transaction, those that read refuse to write, a broken one is replaced."""

import asyncio

import asyncpg
import pytest

from puhui.foundation.desk import set_switch


async def _switches(desk):
    async with desk.look() as work:
        return [row["name"] for row in await work.connection.fetch("select name from foundation.switches")]


async def _stumble(desk):
    async with desk.work() as work:
        await set_switch(work, "pay_out", is_on=False)
        raise RuntimeError


async def test_what_a_work_wrote_is_there_for_a_look_and_what_failed_is_not(desk):
    async with desk.work() as work:
        await set_switch(work, "sales", is_on=False)
    with pytest.raises(RuntimeError):
        await _stumble(desk)
    async with desk.work(durable=False) as work:
        await set_switch(work, "marketing", is_on=True)
    assert sorted(await _switches(desk)) == ["marketing", "sales"]


async def test_a_look_refuses_to_write_and_to_lock(desk):
    for statement in ("delete from foundation.switches", "select * from foundation.switches for update"):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with desk.look() as work:
                await work.connection.execute(statement)
    assert await _switches(desk) == []


async def test_a_waiting_connection_holds_nothing_up(desk):
    async with desk.work() as work:
        await set_switch(work, "sales", is_on=False)
    async with desk.look() as work:
        await work.connection.fetch("select 1 from foundation.switches")
        held = await work.connection.fetchval(
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            " and (backend_xid is not null or backend_xmin is not null)"
        )
        locks = await work.connection.fetchval(
            "select count(*) from pg_locks l join pg_database d on d.oid = l.database where d.datname = current_database() and l.pid <> pg_backend_pid()"
        )
    assert (held, locks) == (0, 0)


async def test_a_connection_that_the_server_ended_is_replaced_and_one_too_many_waits(desk):
    async with desk.work() as work:
        pid = await work.connection.fetchval("select pg_backend_pid()")
    async with desk.look() as work:
        await work.connection.fetchval("select pg_terminate_backend($1)", pid)
    await asyncio.sleep(0.1)
    async with desk.work() as work:
        assert await work.connection.fetchval("select pg_backend_pid()") != pid


async def test_more_works_than_connections_take_turns(desk):
    async def one(number):
        async with desk.work(durable=False) as work:
            await set_switch(work, f"s{number}", is_on=True)

    await asyncio.gather(*(one(number) for number in range(4 * desk.config.pool_size)))
    assert len(await _switches(desk)) == 4 * desk.config.pool_size


async def test_closed_connections_are_lent_no_more(desk):
    await desk.reading.close()
    with pytest.raises(asyncpg.InterfaceError):
        await desk.reading.take()
