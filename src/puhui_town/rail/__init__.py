"""The payment rail: accounts that never fall below 0 and whose sum never changes, bindings, mandates, transfers, returns, the day file.

`world.parts["rail"]` is `Books`: people keep and send money by it, funders fund their pools and read their statements.
"""

from puhui_town.rail.accounts import Accounts, Leg, account_of_card, opening_total_fen
from puhui_town.rail.books import Books, Holder
from puhui_town.rail.calls import Rail, VerifyCode
from puhui_town.rail.transfer import COLUMNS, PoolMove, Transfer
from puhui_town.wire import Offer, Service, World

__all__ = [
    "COLUMNS", "Accounts", "Books", "Holder", "Leg", "PoolMove", "Rail", "Transfer", "VerifyCode", "account_of_card", "install", "open_rail",
    "opening_total_fen",
]  # fmt: skip


def install(world: World) -> list[Service]:
    """Open the rail in a world; one-time codes are those of the checks."""
    from puhui_town.checks.otp import verify_otp

    return open_rail(world, verify_otp)


def open_rail(world: World, verify: VerifyCode) -> list[Service]:
    """Open the rail with another judge of one-time codes."""
    world.keys.make("rail-1", "rail")
    books = Books(world)
    world.parts["rail"] = books
    world.files.offer("rail", Offer("transfers", "lender", COLUMNS, books.day_rows))
    return [Rail(world, books, verify).service()]
