"""Variables on a Spark cluster: one shuffle by person, then the same kernel on the same blobs. Needs `puhui[spark]`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from puhui.engines.variables.catalogue import Catalogue
from puhui.engines.variables.lending import lending
from puhui.engines.variables.plan import Plan
from puhui.rooms.histories.history import LogUnusable


@dataclass(frozen=True, slots=True)
class MapInArrow:
    """A plan as Spark's `mapInArrow` wants it: batches of (person, as_of, blob) in, batches of person, as_of and the variables out."""

    plan: bytes
    catalogue: Callable[[], Catalogue] = lending

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Answer batches."""
        yield from Plan.from_bytes(self.catalogue(), self.plan).arrow_map(batches)


def answers(frame: Any, plan: Plan, *, catalogue: Callable[[], Catalogue] = lending) -> Any:
    """Give the variables of a Spark frame of (person, as_of, blob) as a frame. Raises: LogUnusable (the extra is not installed)."""
    try:
        from pyspark.sql.types import DoubleType, StructField, StructType
    except ImportError:
        raise LogUnusable(why="Spark is not installed; install puhui[spark]") from None
    kinds = [frame.schema["person"], frame.schema["as_of"], *(StructField(name, DoubleType()) for name in plan.names)]
    sorted_frame = frame.repartition("person").sortWithinPartitions("person", "as_of")
    return sorted_frame.mapInArrow(MapInArrow(plan.to_bytes(), catalogue), StructType(kinds))
