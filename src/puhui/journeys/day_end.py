"""Closing the day: every partition's accrual, classes and provision, then the word that the day is closed, once.

It runs by itself half an hour after midnight as the flow `day-end`, and by hand as `puhui day close`; both do the same, and whatever was
done already is left alone.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta

from puhui.engines import law, schedules
from puhui.foundation import flows
from puhui.foundation.days import instant
from puhui.foundation.desk import Desk
from puhui.foundation.flows import Step, Turn
from puhui.foundation.refusals import Refusal
from puhui.foundation.work import Actor, Work
from puhui.rooms import ledger
from puhui.vocabulary.ids import NOBODY, derive

ACTOR = Actor("house", "day-end")
DAY = timedelta(days=1)
CLOSES_AT = time(0, 30)
FLOW_ID = derive("fl", NOBODY, "ledger", "day-end")


class NoDayOpen(Refusal):
    """The flow that closes the days has not been started; start Puhui once (`puhui run`), or name the first day with its books."""

    code = "day-end.not-started"
    status = 409


def book_rules(day: date) -> ledger.BookRules:
    """Give the classes, the provision and the end of accrual by the pack in force on a reporting day."""
    pack = law.shipped().ask(law.ClassRules, on=day)
    return ledger.BookRules(
        schedules.ClassRules(
            tuple((days, schedules.AssetClass(name)) for days, name in pack.days_to_class),
            pack.restructured_observation_days,
            pack.restructured_payments_min,
            schedules.AssetClass(pack.restructured_best_class),
        ),
        pack.interest_off_balance_days,
        {schedules.AssetClass(name): ppm for name, ppm in pack.provision_ppm.items()},
    )


async def start_days(work: Work, first_day: date) -> bool:
    """Start closing the days, from `first_day` on; a second start changes nothing. Gives whether it is new."""
    return await flows.start(
        work, flow_id=FLOW_ID, customer_id=NOBODY, kind="day-end", subject="ledger", step="close", due=closes_at(first_day),
        state={"day": first_day.isoformat()},
    )  # fmt: skip


def closes_at(day: date) -> datetime:
    """Give the instant at which a day is closed: in the night after it."""
    return instant(day + DAY, CLOSES_AT)


async def close_partitions(desk: Desk, day: date, *, tell: Callable[[ledger.DayEnd], None] | None = None) -> list[ledger.DayEnd]:
    """Close every partition's books of a day, each in a Work of its own; those closed already are left alone."""
    rules = book_rules(day)
    closed = []
    for partition in range(ledger.PARTITIONS):
        async with desk.work(ACTOR) as work:
            done = await ledger.day_end(work, business_date=day, partition=partition, rules=rules)
        closed.append(done)
        if tell is not None:
            tell(done)
    return closed


async def close(desk: Desk, turn: Turn) -> Turn | None:
    """Step `day-end.close`: close the day that the flow stands at, say so, and stand at the next."""
    day = date.fromisoformat(turn.state["day"])
    await close_partitions(desk, day)
    async with desk.work(ACTOR) as work:
        await ledger.close_day(work, business_date=day)
        following = day + DAY
        return await flows.move(work, turn, step="close", due=closes_at(following), state={"day": following.isoformat()})


async def close_by_hand(desk: Desk, until: date, *, tell: Callable[[ledger.DayEnd], None] | None = None) -> list[date]:
    """Close every day that is still open up to `until`, in order, and give them. Raises NoDayOpen, ledger.DayNotOver."""
    async with desk.work(ACTOR) as work:
        last = await ledger.closed_until(work)
        standing = await flows.find(work, FLOW_ID)
    if last is None and standing is None:
        raise NoDayOpen
    day = last + DAY if last else date.fromisoformat(standing.state["day"]) if standing else until
    closed = []
    while day <= until:
        await close_partitions(desk, day, tell=tell)
        async with desk.work(ACTOR) as work:
            await ledger.close_day(work, business_date=day)
        closed.append(day)
        day += DAY
    return closed


STEPS: Mapping[str, Step] = {"day-end.close": close}
