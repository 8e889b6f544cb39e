"""`puhui day close`: the books of the days that are over, by hand; what was closed already is left alone, so it may be killed and run again."""

from datetime import date, timedelta

import click


@click.group()
def day() -> None:
    """The day of the books. It closes by itself at half past midnight; by hand when that is wanted sooner, or after a long stop."""


@day.command()
@click.argument("until", required=False)
def close(until: str | None) -> None:
    """Close every open day up to UNTIL (2026-09-30), or up to yesterday of the house's clock."""
    from puhui.cli.house import open_house, read_config, run
    from puhui.cli.keeping import progress
    from puhui.foundation.days import business_date
    from puhui.foundation.refusals import BadField
    from puhui.journeys import day_end
    from puhui.journeys.wiring import wiring
    from puhui.rooms import ledger

    try:
        last = date.fromisoformat(until) if until else None
    except ValueError:
        raise BadField(field="UNTIL", why=f"{until!r} is no day like 2026-09-30") from None

    async def close_all() -> list[date]:
        async with open_house(read_config(), wiring()) as desk:
            with progress("day close") as told:
                done = 0

                def tell(_: ledger.DayEnd) -> None:
                    nonlocal done
                    done += 1
                    told("partitions", done, done)

                return await day_end.close_by_hand(desk, last or business_date(desk.clock.now()) - timedelta(days=1), tell=tell)

    closed = run(close_all())
    for one in closed:
        click.echo(f"closed {one}")
    click.echo(f"{len(closed)} days closed" if closed else "every day up to there was closed already")
