"""Which cells of the house are sealed, room by room, and which keys of the ring something still needs."""

from puhui.foundation import flows, renewal
from puhui.foundation.work import Work
from puhui.rooms import agreements, contacts, customers, decisions, histories, payments, staff

SEALED = (
    *agreements.SEALED,
    *contacts.SEALED,
    *customers.SEALED,
    *decisions.SEALED,
    *histories.SEALED,
    *payments.SEALED,
    *staff.SEALED,
)
FLOWS = "foundation.flows.state"


async def keys_in_use(work: Work) -> dict[int, dict[str, int]]:
    """Count what is under each key: key id -> column -> cells. A one-time code sealed in a living flow counts until that flow ends."""
    found = await renewal.keys_in_use(work, SEALED)
    for key_id in await flows.sealed_under(work, "code"):
        cells = found.setdefault(key_id, {})
        cells[FLOWS] = cells.get(FLOWS, 0) + 1
    return found
