"""`puhui keys`: the ring of field keys that personal data are encrypted with."""

import click

from puhui.cli.house import CONSOLE, is_running, open_house, read_config, run
from puhui.foundation.crypto import load_keys, rotated, save_keys
from puhui.foundation.refusals import Refusal


class HouseRuns(Refusal):
    """Puhui runs in {home}; its processes would not know the new key. Stop it, rotate, start it again: that takes a minute."""

    code = "keys.house-runs"


@click.group()
def keys() -> None:
    """The field keys of this house: `keys/field-keys.json` in PUHUI_HOME, mode 0600. Without them no personal data can be read."""


@keys.command()
def show() -> None:
    """Show which keys there are (never the keys themselves), and which one encrypts now."""
    config = read_config()
    ring = load_keys(config.field_keys_path)
    click.echo(f"{config.field_keys_path}: keys {', '.join(map(str, sorted(ring.keys)))}; {ring.newest} encrypts, all of them decrypt")


@keys.command()
def rotate() -> None:
    """Add a fresh key that encrypts from now on. Older cells stay readable by the older keys, so keep the whole file, and back it up anew."""
    config = read_config()
    if is_running(config.home):
        raise HouseRuns(home=config.home)
    ring = rotated(load_keys(config.field_keys_path, make=config.is_loopback))
    save_keys(ring, config.field_keys_path)

    async def note() -> None:
        from puhui.rooms import staff

        async with open_house(config) as desk, desk.work(CONSOLE) as work:
            await staff.note(work, staff.CONSOLE, verb="rotate_keys", subject=f"key-{ring.newest}", facts={})

    run(note())
    click.echo(f"key {ring.newest} encrypts from now on; back up {config.field_keys_path}")
