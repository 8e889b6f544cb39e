"""Encrypting anew: every sealed cell of a table under the newest key of the ring, a batch in a Work, as often as it is called.

A room says which of its columns are sealed, under which field and for whom (`Sealed`); nothing else of a row is touched, and a cell that
does not open stops the work with its name. Killed in the middle, it goes on where it stood: cells under the newest key are passed over.
"""

from collections.abc import Callable, Sequence

from puhui.foundation.crypto import Sealed
from puhui.foundation.desk import Desk
from puhui.foundation.work import Actor, Work

BATCH = 500
Told = Callable[[str, int, int], None]


async def keys_in_use(work: Work, columns: Sequence[Sealed]) -> dict[int, dict[str, int]]:
    """Count the cells under each key: key id -> column -> cells."""
    found: dict[int, dict[str, int]] = {}
    for column in columns:
        query = f"select {_under(column)} as key_id, count(*) as cells from {column.table} group by 1"  # noqa: S608  (names of ours)
        for row in await work.connection.fetch(query):
            if row["key_id"] is not None:
                found.setdefault(row["key_id"], {})[column.name] = row["cells"]
    return found


async def renew(desk: Desk, actor: Actor, columns: Sequence[Sealed], *, told: Told) -> int:
    """Encrypt anew whatever is under an older key; give how many cells. Raises CellDamaged, after which the batches before it are done."""
    async with desk.look(actor) as work:
        in_use = await keys_in_use(work, columns)
    newest = desk.keys.newest
    total = sum(sum(cells.values()) for key_id, cells in in_use.items() if key_id != newest)
    done = 0
    for column in columns:
        last: tuple[int, int] | None = (0, 0)
        while last is not None:
            did, last = await _renew_batch(desk, actor, column, last)
            done += did
            told(column.name, done, total)
    return done


async def _renew_batch(desk: Desk, actor: Actor, column: Sealed, after: tuple[int, int]) -> tuple[int, tuple[int, int] | None]:
    """Renew some cells in one Work, in the order in which they lie; give how many, and the place of the last of them (None: no more).

    The rows are locked, so `ctid` names them until its end. What is written lies somewhere else, under the newest key already.
    """
    find = (
        f"select ctid, {column.whose} as whose, {column.column} as cell from {column.table} "  # noqa: S608  (names of ours)
        f"where ctid > $2 and {_under(column)} <> $1 order by ctid limit {BATCH} for update"
    )
    write = f"update {column.table} t set {column.column} = n.cell from unnest($1::tid[], $2::bytea[]) as n (place, cell) where t.ctid = n.place"  # noqa: S608
    async with desk.work(actor) as work:
        rows = await work.connection.fetch(find, work.keys.newest, after)
        cells = [work.keys.seal(column.field, row["whose"], work.keys.open(column.field, row["whose"], row["cell"])) for row in rows]
        if rows:
            await work.connection.execute("select set_config('puhui.renewing', 'on', true)")
            await work.connection.execute(write, [row["ctid"] for row in rows], cells)
    return len(rows), rows[-1]["ctid"] if len(rows) == BATCH else None


def _under(column: Sealed) -> str:
    """Give, in SQL, the number of the key a cell is under; null for an empty cell (what it held was erased)."""
    return f"case when length({column.column}) > 2 then get_byte({column.column}, 0) * 256 + get_byte({column.column}, 1) end"
