"""Laying a person's daily tiles for a plan, and asking them; the arithmetic is in `tiled`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from puhui.engines.variables import tiled
from puhui.engines.variables.columns import Ints
from puhui.engines.variables.history import Rows

if TYPE_CHECKING:
    from puhui.engines.variables.plan import TablePlan


@dataclass(frozen=True, slots=True, eq=False)
class TableTiles:
    """The tiles of one table of one person."""

    tiles: tiled.Tiles

    def fill(self, plan: "TablePlan", rows: Rows, as_of_us: int, blocks: Ints, run_start: Ints, memory: tuple[Any, ...]) -> None:
        """Write the answers about the table as of an instant, as `kernels.fill_table` would."""
        own = self.tiles
        tiled.fill_tiled(
            as_of_us, rows.event_time, rows.known_time, rows.revision, rows.retracted, rows.slots, rows.is_plain, rows.values, rows.ok, rows.codes,
            rows.largest_code, own.member, own.segment_start, own.place, own.known, own.is_single, own.gaps, own.moments, plan.window_start,
            plan.window_last, plan.edge, plan.lanes, plan.strand_start, plan.strand_lane, plan.wanted, plan.wanted_gaps, plan.distinct_start,
            plan.distinct_column, blocks, plan.quotient_start, plan.quotient_share, plan.upper, plan.lower, run_start, plan.run_from, plan.run_to,
            plan.run_size, *memory,
        )  # fmt: skip


def tiles_of(plan: "TablePlan", rows: Rows, filter_codes: NDArray[np.int32]) -> TableTiles:
    """Lay the tiles of a table."""
    may_change = rows.retracted.copy()
    if len(rows.slots):
        may_change |= np.bincount(rows.slots)[rows.slots] > 1
    filters = plan.families
    return TableTiles(tiled.Tiles(*tiled.lay_tiles(
        rows.event_time, rows.known_time, may_change, rows.values, rows.ok, filter_codes, plan.lanes, filters.start, filters.column, filters.map,
        filters.stride, filters.base, filters.maps, filters.bucket_start, filters.bucket_group, len(plan.blocks),
    )))  # fmt: skip
