"""What is true of the town, for evaluation only: files of `--truth DIR`, never shown to the lender.

`people.csv`, `shocks.csv`, `rings.csv` are written when the people move in; `uplift.csv` and `faults.csv` when the town ends.
"""

from collections.abc import Iterable

from puhui_town.wire import Service, World


def install(world: World) -> Iterable[Service]:
    from puhui_town.truth.files import TruthFiles

    return TruthFiles(world).services()
