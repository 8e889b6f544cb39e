"""`puhui strategy`: which strategies there are, publishing one, and changing by two persons which of them decides."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import click

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
STANDINGS = ("shadow", "challenger", "champion", "retired", "draft")


@click.group()
def strategy() -> None:
    """The strategies that decide: rules in DMN, a card, and a product.

    \b
    puhui strategy list
    puhui strategy publish lending.dmn --inputs lending.toml --as wang     a draft; its own examples must hold
    puhui strategy propose NAME champion --as wang                         asks for a second yes: `puhui staff approve`
    puhui strategy use NAME champion --approval ID --as wang               decides from now on, in every process
    puhui stop decisions                                                   the kill switch: applications wait
    """  # noqa: D301


@strategy.command("list")
@click.option("--product", "product_id", default="starter", show_default=True)
def list_strategies(product_id: str) -> None:
    """List the strategies of a product, the oldest first."""
    from puhui.cli.house import open_house, read_config, run
    from puhui.rooms import decisions

    async def read() -> list[decisions.Strategy]:
        async with open_house(read_config()) as desk, desk.look() as work:
            return await decisions.strategies_of(work, product_id)

    for one in run(read()):
        share = f" {one.share_bp / 100:g} %" if one.share_bp else ""
        click.echo(f"{one.version:>3}  {one.strategy_sha256}  {one.standing.value}{share}  rules {one.policy_sha256[:16]}…  approval {one.approval_id or '-'}")


@strategy.command()
@click.argument("dmn", type=FILE)
@click.option("--inputs", required=True, type=FILE, help="TOML: route, decide, and of every input its name, type, and where it comes from.")
@click.option("--like", default="", help="The strategy whose card and product are kept; the shipped one if not given.")
@click.option("--as", "login", required=True, help="Who publishes; asks for the password.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def publish(*, dmn: Path, inputs: Path, like: str, login: str, code: str, password_stdin: bool) -> None:
    """Compile the rules in DMN and put them into the registry as a draft. Refused where an example fails, or a decision has none."""
    from puhui.foundation.desk import Desk
    from puhui.journeys import strategize
    from puhui.rooms import decisions, staff

    model, given = dmn.read_bytes(), inputs.read_bytes()

    async def do(desk: Desk, by: staff.Member) -> str:
        base = decisions.shipped()
        if like:
            async with desk.look() as work:
                base = await decisions.bundle_of(work, like)
        return await strategize.publish(desk, by, decisions.bundled(model, given, base))

    click.echo(_at_desk(login, code, do, is_stdin=password_stdin))


@strategy.command()
@click.argument("name")
@click.argument("standing", type=click.Choice(STANDINGS))
@click.option("--share", "share_bp", type=click.IntRange(0, 10_000), default=0, help="Of a challenger: its share of people, in 1/10,000.")
@click.option("--as", "login", required=True, help="Who asks; asks for the password.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def propose(*, name: str, standing: str, share_bp: int, login: str, code: str, password_stdin: bool) -> None:
    """Ask for a second yes to using the strategy NAME as STANDING; give the approval's id."""
    from puhui.journeys import strategize
    from puhui.rooms.decisions import Standing

    click.echo(_at_desk(login, code, lambda desk, by: strategize.propose(desk, by, name, Standing(standing), share_bp), is_stdin=password_stdin))


@strategy.command()
@click.argument("name")
@click.argument("standing", type=click.Choice(STANDINGS))
@click.option("--approval", required=True, help="The approval that another person has given.")
@click.option("--share", "share_bp", type=click.IntRange(0, 10_000), default=0, help="Of a challenger: its share of people, in 1/10,000.")
@click.option("--as", "login", required=True, help="Who does it; asks for the password.")
@click.option("--code", default="", help="Code of the second factor.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def use(*, name: str, standing: str, approval: str, share_bp: int, login: str, code: str, password_stdin: bool) -> None:
    """Use the strategy NAME as STANDING from now on. A champion retires the one before it; that one may be brought back in the same way."""
    from puhui.foundation.desk import Desk
    from puhui.journeys import strategize
    from puhui.rooms import staff
    from puhui.rooms.decisions import Standing

    async def do(desk: Desk, by: staff.Member) -> str:
        await strategize.change(desk, by, name, Standing(standing), approval, share_bp)
        return f"{name}: {standing}"

    click.echo(_at_desk(login, code, do, is_stdin=password_stdin))


def _at_desk(login: str, code: str, do: "Callable[..., Awaitable[str]]", *, is_stdin: bool) -> str:
    from puhui.cli.house import run
    from puhui.cli.staffing import _at_desk as at_desk
    from puhui.cli.staffing import _own_password

    return run(at_desk(login, _own_password(is_stdin=is_stdin), code, do))
