"""People of a folder of Parquet files whose outcome is known, for `puhui variables select`."""

from pathlib import Path

import numpy as np

from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.history import Histories
from puhui.engines.variables.selecting import People
from puhui.foundation.refusals import BadField

PART = 500


def people_of(catalogue: Catalogue, folder: Path) -> list[People]:
    """Read everybody whose application ended well or badly, as of it; the later half of the instants is the second part.

    Raises: BadField (no outcomes), and the refusals of reading tables.
    """
    import pyarrow.parquet as pq

    given = folder / "outcomes.parquet"
    if not given.exists():
        raise BadField(field="--from", why="there is no outcomes.parquet in it")
    outcomes = pq.read_table(given, columns=["person", "as_of", "bad"]).to_pylist()
    known = {row["person"]: row for row in outcomes if row["bad"] is not None}
    if len({row["bad"] for row in known.values()}) < 2:
        raise BadField(field="--from", why="outcomes.parquet tells of nobody who ended badly, or of nobody who ended well")
    middle = int(np.median([row["as_of"] for row in known.values()]))
    everybody, first, persons = list[People](), 0, sorted(known)
    for start in range(0, len(persons), PART):
        wanted = [("person", "in", persons[start : start + PART])]
        tables = {one.name: pq.read_table(path, filters=wanted) for one in catalogue.tables if (path := folder / f"{one.name}.parquet").exists()}
        asked = folder / "fetches.parquet"
        read = Histories.read(catalogue, tables, pq.read_table(asked, filters=wanted) if asked.exists() else None)
        rows = [known[person] for person in read.persons]
        bad, part = np.array([row["bad"] for row in rows], np.bool_), np.array([row["as_of"] > middle for row in rows], np.int64)
        everybody.append(People(list(read), [row["as_of"] + 1 for row in rows], bad, part, first))
        first += len(rows)
    return everybody
