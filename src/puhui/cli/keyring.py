"""`puhui keys`: the ring of field keys that personal data are encrypted with."""

from typing import Any

import click

from puhui.cli.house import CONSOLE, is_running, open_house, read_config, run
from puhui.foundation.config import Config
from puhui.foundation.crypto import FieldKeys, load_keys, retired, rotated, save_keys
from puhui.foundation.refusals import Refusal


class HouseRuns(Refusal):
    """Puhui runs in {home}; its processes would not know of the change. Stop it, do this again, start it again: that takes a minute."""

    code = "keys.house-runs"


class NoSuchKey(Refusal):
    """There is no key {key_id} in {path}; there are {known}."""

    code = "keys.none-such"


class KeyNeeded(Refusal):
    """Key {key_id} stays: {why}. `puhui keys renew` encrypts anew what is under older keys."""

    code = "keys.needed"


@click.group()
def keys() -> None:
    """The field keys of this house: `keys/field-keys.json` in PUHUI_HOME, mode 0600. Without them no personal data can be read."""


@keys.command()
@click.option("--count", is_flag=True, help="Count the cells of the database that are under each key; reads every sealed column once.")
def show(*, count: bool) -> None:
    """Show which keys there are (never the keys themselves), and which one encrypts now."""
    config = read_config()
    ring = load_keys(config.field_keys_path)
    click.echo(f"{config.field_keys_path}: keys {', '.join(map(str, sorted(ring.keys)))}; {ring.newest} encrypts, all of them decrypt")
    if count:
        in_use = run(_in_use(config))
        for key_id in sorted(ring.keys | in_use):
            cells = in_use.get(key_id, {})
            click.echo(f"key {key_id}: {sum(cells.values())} cells" + "".join(f"\n  {name}: {n}" for name, n in sorted(cells.items())))


@keys.command()
def rotate() -> None:
    """Add a fresh key that encrypts from now on. Older cells stay readable by the older keys, so keep the whole file, and back it up anew."""
    config = _stopped_house()
    ring = rotated(load_keys(config.field_keys_path, make=config.is_loopback))
    save_keys(ring, config.field_keys_path)
    run(_note(config, "rotate_keys", f"key-{ring.newest}", {}))
    click.echo(f"key {ring.newest} encrypts from now on; back up {config.field_keys_path}")


@keys.command()
def renew() -> None:
    """Encrypt anew, under the newest key, every cell that is under an older one. May run beside a running house, be stopped, and be run again."""
    config = read_config()
    ring = load_keys(config.field_keys_path)
    done = run(_renew(config))
    click.echo(f"{done} cells encrypted anew; everything at rest is under key {ring.newest}")


@keys.command()
@click.argument("key_id", type=int)
def retire(key_id: int) -> None:
    """Drop an older key that nothing in the database is under any more. Backups made before can then be read only with their own copy of the keys."""
    config = _stopped_house()
    ring = load_keys(config.field_keys_path)
    _demand_idle(config, ring, key_id)
    save_keys(retired(ring, key_id), config.field_keys_path)
    run(_note(config, "retire_key", f"key-{key_id}", {}))
    click.echo(f"key {key_id} is gone from {config.field_keys_path}; keep the old file as long as backups made under it are kept")


def _stopped_house() -> Config:
    config = read_config()
    if is_running(config.home):
        raise HouseRuns(home=config.home)
    return config


def _demand_idle(config: Config, ring: FieldKeys, key_id: int) -> None:
    """Raise NoSuchKey, or KeyNeeded for the newest and for one that cells are under."""
    if key_id not in ring.keys:
        raise NoSuchKey(key_id=key_id, path=config.field_keys_path, known=", ".join(map(str, sorted(ring.keys))))
    if key_id == ring.newest:
        raise KeyNeeded(key_id=key_id, why="it is the newest, the one that encrypts")
    if cells := run(_in_use(config)).get(key_id):
        raise KeyNeeded(key_id=key_id, why=f"{sum(cells.values())} cells are under it ({', '.join(sorted(cells))})")


async def _in_use(config: Config) -> dict[int, dict[str, int]]:
    from puhui.journeys import renewal

    async with open_house(config) as desk, desk.look() as work:
        return await renewal.keys_in_use(work)


async def _renew(config: Config) -> int:
    from puhui.cli.keeping import progress
    from puhui.foundation.renewal import renew
    from puhui.journeys.renewal import SEALED
    from puhui.rooms import staff

    async with open_house(config) as desk:
        with progress("renew") as told:
            done = await renew(desk, CONSOLE, SEALED, told=told)
        async with desk.work(CONSOLE) as work:
            await staff.note(work, staff.CONSOLE, verb="renew_cells", subject=f"key-{desk.keys.newest}", facts={"cells": done})
    return done


async def _note(config: Config, verb: str, subject: str, facts: dict[str, Any]) -> None:
    from puhui.rooms import staff

    async with open_house(config) as desk, desk.work(CONSOLE) as work:
        await staff.note(work, staff.CONSOLE, verb=verb, subject=subject, facts=facts)
