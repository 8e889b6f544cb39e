"""The database of a test is fresh, migrated, and its own."""

import asyncpg


async def test_a_test_gets_a_migrated_database(database_url):
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("select count(*) from foundation.migrations") > 0
    assert await connection.fetchval("select count(*) from foundation.events") == 0
    await connection.close()


async def test_and_another_test_another(database_url, databases):
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("select current_database()") != databases.template
    await connection.close()
