"""Encrypting anew: after a rotation everything at rest goes under the new key, the old one may be thrown away, and nothing else has changed."""

import asyncpg
import pytest

from puhui.foundation import crypto, renewal
from puhui.foundation.crypto import CellDamaged, FieldKeys
from puhui.foundation.work import Actor
from puhui.journeys import privacy
from puhui.journeys.renewal import SEALED, keys_in_use
from puhui.rooms import decisions

ACTOR = Actor("test", "renewal")
OPEN = {  # columns of bytes that nothing is hidden in: digests, blind indexes, chains, public keys, artefacts, answers kept for a repeat
    "sha256", "digest", "chain", "before", "public_key", "body", "renewed_by",
}  # fmt: skip
COLUMNS = """
select table_schema || '.' || table_name as table_name, column_name from information_schema.columns
where data_type = 'bytea' and table_schema not in ('pg_catalog', 'information_schema')
"""


def quiet(_column: str, _done: int, _total: int) -> None:
    return


def hold(house, ring: FieldKeys) -> None:
    """Give the house this ring, in its file too, where any other process of it reads it."""
    house.desk.keys = ring
    crypto.save_keys(ring, house.desk.config.field_keys_path)


def renewed(house, ring: FieldKeys) -> int:
    hold(house, ring)
    return house.run(renewal.renew(house.desk, ACTOR, SEALED, told=quiet))


async def everything(house) -> tuple[bytes, list[str]]:
    """Read all that is sealed of one person, and decide his decisions again."""
    async with house.desk.work(ACTOR) as work:
        told = await privacy.everything(work, house.customer_id)
        return told, [one.difference for one in (await decisions.replay_page(work)).replayed]


def test_every_column_of_bytes_is_known_as_sealed_or_as_open(house):
    async def columns() -> list[asyncpg.Record]:
        async with house.desk.look() as work:
            return await work.connection.fetch(COLUMNS)

    sealed = {column.name for column in SEALED}
    left = {
        f"{row['table_name']}.{row['column_name']}"
        for row in house.run(columns())
        if row["column_name"] not in OPEN and not row["column_name"].endswith(("_blind", "_hash", "_sha256"))
    }
    assert left - sealed == {"customers.files.sealed", "decisions.artefacts.content"}, "files are under keys of their owners, which are sealed themselves"
    assert sealed <= left


def test_all_is_encrypted_anew_and_reads_as_before_without_the_old_key(house, monkeypatch):
    monkeypatch.setattr(renewal, "BATCH", 3)
    before = house.desk.keys
    told, replayed = house.run(everything(house))
    fresh = crypto.rotated(before)
    done = renewed(house, fresh)
    assert done > 50

    async def in_use() -> dict[int, dict[str, int]]:
        async with house.desk.look() as work:
            return await keys_in_use(work)

    assert set(house.run(in_use())) == {fresh.newest}
    assert renewed(house, fresh) == 0, "nothing is left to do"
    hold(house, crypto.retired(fresh, before.newest))
    assert house.run(everything(house)) == (told, replayed)
    assert set(replayed) == {""}


def test_a_cell_that_does_not_open_stops_the_work_and_is_named(house):
    async def spoil(ending: bytes) -> None:
        async with house.desk.work(ACTOR) as work:
            await work.connection.execute(
                "update customers.identities set name_sealed = substr(name_sealed, 1, length(name_sealed) - 1) || $1 where customer_id = $2",
                ending,
                house.customer_id,
            )

    async def ending() -> bytes:
        async with house.desk.look() as work:
            cell = await work.connection.fetchval("select name_sealed from customers.identities where customer_id = $1", house.customer_id)
            return bytes(cell[-1:])

    last = house.run(ending())
    house.run(spoil(bytes([last[0] ^ 1])))
    try:
        with pytest.raises(CellDamaged) as damage:
            renewed(house, crypto.rotated(house.desk.keys))
        assert damage.value.facts["field"] == "name"
    finally:
        house.run(spoil(last))
    assert renewed(house, house.desk.keys) > 0, "mended, it goes on where it stood"


@pytest.mark.parametrize("change", ["answer = 'declined', inputs_sealed = inputs_sealed", "points = points + 1", "inputs_sha256 = outcome_sha256"])
def test_a_record_of_a_decision_takes_no_other_change_while_it_is_renewed(house, change):
    async def edit() -> None:
        async with house.desk.work(ACTOR) as work:
            await work.connection.execute("select set_config('puhui.renewing', 'on', true)")
            await work.connection.execute(f"update decisions.records set {change} where answer <> 'declined'")

    with pytest.raises(asyncpg.RaiseError, match="never changed"):
        house.run(edit())


def test_outside_a_renewal_not_even_the_sealed_cells_of_a_record_change(house):
    async def edit() -> None:
        async with house.desk.work(ACTOR) as work:
            await work.connection.execute("update decisions.records set inputs_sealed = inputs_sealed")

    with pytest.raises(asyncpg.RaiseError, match="never changed"):
        house.run(edit())
